"""What the kernel's table must hold, by the rules an administrator can read in the manual; knows nothing of holdfast's code.

A server is alive when its check passes. The sum of the weights of live servers gains the quorum at quorum + hysteresis and loses it
below quorum - hysteresis or at 0. With the quorum lost and a sorry server configured, the sorry server serves alone.
inhibit_on_failure leaves a server that is out at weight 0 instead of taking it away; sorry_server_inhibit says the same of the sorry
server.
"""
import random

UP, REFUSE, ERROR, MUTE = "up", "refuse", "error", "mute"


class Server:
    def __init__(self, ip, weight, inhibit, kind):
        self.ip, self.weight, self.inhibit, self.kind, self.mode = ip, weight, inhibit, kind, UP

    @property
    def name(self):
        return self.ip + ":80"

    def down_modes(self):
        return (REFUSE,) if self.kind == "TCP_CHECK" else (REFUSE, ERROR, MUTE)

    def text(self):
        check = {"TCP_CHECK": "TCP_CHECK {\n        }", "HTTP_GET": "HTTP_GET {\n            url {\n                path /\n"
                 "                status_code 200\n            }\n        }"}[self.kind]
        return "    real_server %s 80 {\n        weight %d\n%s        %s\n    }\n" % (
            self.ip, self.weight, "        inhibit_on_failure\n" if self.inhibit else "", check)


class Service:
    def __init__(self, n, rand):
        self.n, self.ip, self.count, self.has_quorum = n, "10.60.0.%d" % (n + 1), 0, True
        self.servers = []
        for _ in range(rand.randint(3, 5)):
            self.add(rand)
        total = self.sum(lambda s: True)
        self.quorum = 1 if n % 2 else rand.randint(1, total - 1)
        self.hysteresis = rand.randint(0, min(self.quorum - 1, total - self.quorum))  # so that it can be gained
        self.sorry = "10.61.0.%d" % (n + 1) if n % 3 else None
        self.sorry_inhibit = bool(self.sorry) and rand.random() < 0.4

    def add(self, rand):
        self.count += 1
        s = Server("10.50.%d.%d" % (self.n, self.count), rand.randint(1, 5), rand.random() < 0.3, rand.choice(("TCP_CHECK", "HTTP_GET")))
        self.servers.append(s)
        return s

    @property
    def name(self):
        return "tcp %s:80" % self.ip

    def sum(self, who):
        return sum(s.weight for s in self.servers if who(s))

    def hides(self):
        """The sorry server serves: whether a server lives does not show in the table, and yet the next quorum depends on it."""
        return bool(self.sorry) and not self.has_quorum

    def judge(self):
        """To be called after every change."""
        alive = self.sum(lambda s: s.mode == UP)
        if self.has_quorum and (alive == 0 or alive < self.quorum - self.hysteresis):
            self.has_quorum = False
        elif not self.has_quorum and alive >= self.quorum + self.hysteresis:
            self.has_quorum = True

    def table(self):
        out = {}
        for s in self.servers:
            serves = s.mode == UP and (self.has_quorum or not self.sorry)
            if serves or s.inhibit:
                out[s.name] = s.weight if serves else 0
        if self.sorry and (not self.has_quorum or self.sorry_inhibit):
            out[self.sorry + ":80"] = 0 if self.has_quorum else 1
        return out

    def text(self):
        lines = ["delay_loop 1", "lvs_sched wrr", "lvs_method NAT", "protocol TCP", "alpha", "retry 1", "delay_before_retry 1", "warmup 1",
                 "connect_timeout 4", "quorum %d" % self.quorum, "hysteresis %d" % self.hysteresis]
        if self.sorry:
            lines.append("sorry_server %s 80" % self.sorry)
            lines += ["sorry_server_inhibit"] if self.sorry_inhibit else []
        return "virtual_server %s 80 {\n%s%s}\n" % (self.ip, "".join("    %s\n" % x for x in lines), "".join(s.text() for s in self.servers))


class World:
    """All services; change() picks what happens next."""

    def __init__(self, seed, services):
        self.rand = random.Random(seed)
        self.services = [Service(n, self.rand) for n in range(services)]

    def text(self):
        return "global_defs {\n    router_id SOAK\n}\n\n" + "\n".join(s.text() for s in self.services)

    def table(self):
        return {s.name: s.table() for s in self.services}

    def hidden(self, changed):
        """Of these servers, those whose change cannot be seen in the table."""
        return [s for v in self.services if v.hides() for s in v.servers if s in changed]

    def flip(self):
        """In some services, some servers die or some come back: one direction a service, so that the order of the verdicts cannot
        matter. Returns the servers whose mode changed."""
        changed = []
        for v in self.rand.sample(self.services, self.rand.randint(1, len(self.services))):
            down = self.rand.random() < (0.5 if any(s.mode == UP for s in v.servers) else 0)
            pool = [s for s in v.servers if (s.mode == UP) == down]
            for s in self.rand.sample(pool, self.rand.randint(0, len(pool))):
                s.mode = self.rand.choice(s.down_modes()) if down else UP
                changed.append(s)
            v.judge()
        return changed

    def edit(self):
        """The administrator changes weights, adds and takes away servers. Returns the new ones."""
        new = []
        for v in self.rand.sample(self.services, self.rand.randint(1, 3)):
            what = self.rand.choice(("weight", "add", "remove"))
            if what == "add" and len(v.servers) < 8:
                new.append(v.add(self.rand))
            elif what == "remove" and len(v.servers) > 3 and v.sum(lambda s: True) - v.servers[0].weight > v.quorum + v.hysteresis:
                v.servers.pop(0)
            else:
                s = self.rand.choice(v.servers)
                s.weight += self.rand.randint(1, 3)
            v.judge()
        return new
