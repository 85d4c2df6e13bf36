"""What must not be felt: connections held and new ones made while the configuration is read again and processes are killed. None is
lost, and no entry of the kernel's table is touched: counted by a probe at the kernel's one door to IPVS, so these cases run alone.
"""
import contextlib
import os
import threading
import time

from case import case, check, equal, need_ours
from lab import run, servers
from lab.ipvs import Touches, connections
from lab.lan import VIP, Lan
from lvs_conf import check as checker
from lvs_conf import server, service, whole

WEB = "tcp %s:80" % VIP


def conf(method="NAT", weights=(1, 1, 1), more=""):
    return whole(service(VIP + " 80", "alpha", *[server("10.77.0.%d 80" % (101 + i), "weight %d" % w, checker(
        "HTTP_GET", "url {\n path /\n status_code 200\n }")) for i, w in enumerate(weights)], method=method), more)


class Held:
    """Open HTTP/1.1 connections, each asked again and again; and a thread that makes new ones all the time."""

    def __init__(self, lan, n=6):
        self.lan, self.conns, self.failed, self.made, self.stop = lan, [], [], 0, threading.Event()
        for _ in range(n):
            self.conns.append(lan.connect(timeout=20))
        self.who = [self.ask(c) for c in self.conns]
        self.thread = threading.Thread(target=self.visitors, daemon=True)
        self.socks = [lan.socket("cl", timeout=20) for _ in range(400)]  # made here: namespaces belong to threads

    @staticmethod
    def ask(c):
        c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        while b"\r\n\r\n" not in data or not data.endswith(b"\n"):
            chunk = c.recv(4096)
            if not chunk:
                raise OSError("connection closed")
            data += chunk
        return data.split(b"\r\n\r\n", 1)[1].decode().strip()

    def visitors(self):
        for s in self.socks:
            if self.stop.is_set():
                break
            try:
                with s:
                    s.connect((VIP, 80))
                    self.ask(s)
                self.made += 1
            except OSError as e:
                self.failed.append(str(e))
            time.sleep(0.05)

    def same(self, when):
        for c, who in zip(self.conns, self.who):
            try:
                equal(self.ask(c), who, "a held connection's server " + when)
            except OSError as e:
                check(False, "a held connection is gone %s: %s", when, e)

    def end(self):
        self.stop.set()
        self.thread.join(30)
        check(not self.failed, "%d of %d new connections failed: %s", len(self.failed), self.made + len(self.failed), self.failed[:3])
        check(self.made > 5, "only %d new connections were made", self.made)
        for c in self.conns:
            c.close()


def quiet(lan, touches, was, seconds, why):
    """Counters only grow and nobody asks for a change during these seconds."""
    table, end = lan.table(), time.monotonic() + seconds
    last = {k: d.conns for k, d in was.servers.items()}
    while time.monotonic() < end:
        s = table.services().get(WEB)
        check(s is not None and set(s.servers) == set(last), "the service or a server is missing %s", why)
        for k, d in s.servers.items():
            check(d.conns >= last[k] and d.weight == was.servers[k].weight, "%s was made anew or changed %s", k, why)
            last[k] = d.conns
        time.sleep(0.1)
    check(touches.count() == 0, "%d changes were asked of the kernel %s", touches.count(), why)


def started(lan, lane, text):
    for r in lan.reals:
        servers.nginx(lan.nodes[r], r)
    d = lan.lb.start(lane.daemon, text)
    lan.wait_servers(WEB, {"10.77.0.%d:80" % (101 + i): 1 for i in range(3)})
    return d


@contextlib.contextmanager
def holding(lane, method):
    with Lan(servers=3) as lan:
        lan.behind(method.lower())
        d = started(lan, lane, conf(method))
        time.sleep(2)  # past whatever the start still does
        held = Held(lan)
        equal(sorted(set(held.who)), ["r1", "r2", "r3"], "servers of the held connections")
        before = lan.table().services()[WEB]
        entries = [c for c in connections(lan.lb.ns) if c[3] == "ESTABLISHED"]
        held.thread.start()
        with Touches() as touches:
            yield lan, d, held, before, touches
        missing = set(entries) - set(connections(lan.lb.ns))
        check(not missing, "entries of held connections are gone or changed: %s", missing)
        held.end()


@case("lvs-hold-reload", alone=True)
def reload(lane):
    """NAT: reload of the same file asks nothing of the kernel; of a changed one only the change; connections held and new go on"""
    with holding(lane, "NAT") as (lan, d, held, before, touches):
        d.reload()
        quiet(lan, touches, before, 5, "by a reload of the same file")
        held.same("after the reload of the same file")
        d.reload(conf("NAT", more=service("10.77.0.201 81", server("10.77.0.101 81"))))
        lan.wait_servers("tcp 10.77.0.201:81", {"10.77.0.101:81": 1})
        check(touches.count() == 2, "a new service with one server took %d changes", touches.count())
        held.same("after a reload that adds a service")
        after = lan.table().services()[WEB]
        check(all(after.servers[k].conns >= x.conns for k, x in before.servers.items()), "counters went back")
        return "%d new connections meanwhile" % held.made


def kill(lane, method, roles):
    need_ours(lane)
    with holding(lane, method) as (lan, d, held, before, touches):
        for role in roles:
            lan.crash(d, role, 30)
            quiet(lan, touches, before, 5, "by the death of " + role)
            held.same("after the death of " + role)
        return "%d new connections meanwhile" % held.made


@case("lvs-hold-crash-nat", alone=True)
def crash_nat(lane):
    """NAT: SIGKILL of checkd, of ipvsd: no connection held or new is lost, no change is asked of the kernel"""
    return kill(lane, "NAT", ("checkd", "ipvsd"))


@case("lvs-hold-crash-dr", alone=True)
def crash_dr(lane):
    """DR: SIGKILL of ipvsd, of checkd: no connection held or new is lost, no change is asked of the kernel"""
    return kill(lane, "DR", ("ipvsd", "checkd"))


@case("lvs-crash-verdict", alone=True)
def verdict(lane):
    """a server that is down stays out over the death of checkd, and its notify script does not run again"""
    need_ours(lane)
    with Lan(servers=3) as lan:
        log = lan.root + "/told"
        note = lan.root + "/note"
        with open(note, "w") as f:
            f.write("#!/bin/sh\necho $1 >>%s\n" % log)
        os.chmod(note, 0o755)
        text = conf().replace("weight 1\n", "weight 1\n        notify_down \"%s down\"\n        notify_up \"%s up\"\n" % (note, note))
        d = started(lan, lane, text)
        lan.wait(lambda: os.path.exists(log) and len(open(log).read().split()) == 3, 20, "three times up")
        lan.r1.cable(False)
        two = {"10.77.0.102:80": 1, "10.77.0.103:80": 1}
        lan.wait_servers(WEB, two)
        lan.wait(lambda: open(log).read().split()[3:] == ["down"], 20, "one down")
        before = lan.table().services()[WEB]
        with Touches() as touches:
            for role in ("checkd", "ipvsd"):
                lan.crash(d, role, 30)
                quiet(lan, touches, before, 6, "by the death of " + role)
        equal(open(log).read().split()[3:], ["down"], "what the scripts were told")
        lan.r1.cable(True)
        lan.wait_servers(WEB, {**two, "10.77.0.101:80": 1}, timeout=40)


@case("lvs-drift")
def drift(lane):
    """what another hand changes in our services is put right again; what it makes for itself stays"""
    need_ours(lane)
    with Lan(servers=3) as lan:
        started(lan, lane, conf())
        admin = ["ip", "netns", "exec", lan.lb.ns, "ipvsadm"]
        run(*admin, "-A", "-t", "10.77.0.222:99", "-s", "rr")
        run(*admin, "-d", "-t", VIP + ":80", "-r", "10.77.0.102:80")
        run(*admin, "-e", "-t", VIP + ":80", "-r", "10.77.0.101:80", "-m", "-w", "50")
        took = lan.wait_servers(WEB, {"10.77.0.%d:80" % (101 + i): 1 for i in range(3)}, timeout=100)
        equal(lan.table().servers("tcp 10.77.0.222:99"), {}, "the stranger's service")
        return "put right after %.0f s" % took


@case("lvs-restart", alone=True)
def restart(lane):
    """every process killed at once, then started anew over what stands: connections held go on, counters are kept"""
    with Lan(servers=3) as lan:
        lan.behind("nat")
        d = started(lan, lane, conf())
        held = Held(lan)
        table = lan.table()  # the kernel sums its counters up every two seconds
        lan.wait(lambda: all(x.conns >= 2 for x in table.services()[WEB].servers.values()), 20, "the counters of six connections")
        d.kill_all()
        held.same("with nobody at home")
        before = lan.table().services()[WEB]
        lan.lb.start(lane.daemon, conf())
        time.sleep(6)
        after = lan.table().services()[WEB]
        equal({k: x.weight for k, x in after.servers.items()}, {k: x.weight for k, x in before.servers.items()}, "weights")
        counters = {k: (x.conns, after.servers[k].conns) for k, x in before.servers.items()}
        check(all(b >= a > 0 for a, b in counters.values()), "counters went back: %s", counters)
        held.same("after the new start")
