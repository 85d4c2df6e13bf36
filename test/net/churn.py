#!/usr/bin/env python3
"""Interfaces that come and go at random: deleted, made again (with another or the same index), renamed, swapped, moved to another
namespace, set down, unplugged, stripped of addresses, given another MAC or MTU; macvlans of ours taken away or set down; rivals
that speak louder. At each quiet moment a small model, which looks at nothing but the kernel's links and addresses, says what
every instance must be, where every virtual address must be and what must be on the wire; descriptors and memory must not grow.

    churn.py [--daemon CMD] [--seconds N] [--seed S] [--verbose]        (also a case of the net lane, for 25 seconds)
"""
import contextlib
import json
import os
import random
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE), HERE]
import by_chance  # noqa: E402
from case import case, check  # noqa: E402
from lab import Failure, Lab, conf, packet, run, watch  # noqa: E402

INTERVAL = 0.2
SETTLE = 10 * float(os.environ.get("HOLDFAST_SLOW", "1"))
PORTS = ("c0", "c1", "c2", "c3", "c4", "c5", "c6")
MEMORY = 1024  # KiB a process may grow between its first calm moments and the end


class Inst:
    """One instance of the configuration, as the model sees it."""

    def __init__(self, name, port, vrid, vips, extra="", priority=200, dev=None, mates=(), needs=(), lowers=None, own=None):
        self.name, self.port, self.vrid, self.extra, self.priority = name, port, vrid, extra, priority
        self.six = ":" in vips[0]
        self.dev = dev or port  # what carries its adverts and addresses
        self.vips = [v if isinstance(v, tuple) else (v, self.dev) for v in vips]
        self.mates, self.needs, self.lowers, self.own = mates, needs, lowers, own

    @property
    def text(self):
        lines = ["%s/%d%s" % (v, 64 if ":" in v else 24, " dev " + dev if dev != self.dev else "") for v, dev in self.vips]
        block = conf.instance(self.name, self.vrid, self.priority, interval=INTERVAL, vips=[], interface=self.port, extra=self.extra)
        return block.replace("virtual_ipaddress {\n        \n", "virtual_ipaddress {\n        %s\n" % "\n        ".join(lines))


def instances(ipvlan):
    out = [
        Inst("PLAIN", "c0", 10, ["10.50.0.10"]),
        Inst("RIVAL", "c0", 11, ["10.50.0.11", "10.50.0.111"]),
        Inst("SIX", "c1", 12, ["fe80::5012", "fd50::12"]),
        Inst("VMAC", "c2", 13, ["10.50.2.13"], "use_vmac", dev="vrrp.13"),
        Inst("VMAC6", "c3", 14, ["fe80::5014"], "use_vmac", dev="vrrp.14"),
        Inst("TWO", "c4", 15, ["10.50.4.15"], needs=("c5",)),
        Inst("GROUP1", "c1", 16, ["10.50.1.16"], mates=("GROUP2",)),
        Inst("GROUP2", "c4", 17, ["10.50.4.17"], mates=("GROUP1",)),
        Inst("LOWER", "c5", 18, ["10.50.5.18"], "track_interface {\n        c0 weight -50\n    }", lowers=("c0", 50)),
    ]
    out[5].vips.append(("10.50.5.15", "c5"))
    if ipvlan:
        out.append(Inst("IPVLAN", "c6", 19, ["10.50.6.19"], "use_ipvlan name iv19 10.50.6.77/24", dev="iv19", own="10.50.6.77"))
    return out


STATIC = ("10.99.0.1", "c5")


class Port:
    """A cable: one end is an interface of the node (or was), the other one is in the hub and never moves."""

    def __init__(self, n):
        self.key, self.hub, self.n = PORTS[n], "h%d" % n, n
        self.there, self.ns, self.name = False, "a", PORTS[n]

    @property
    def v4(self):
        return "10.50.%d.1" % self.n


class Churn:
    def __init__(self, lane, seed, seconds, say):
        self.lane, self.seed, self.rng, self.seconds, self.say = lane, seed, random.Random(seed), seconds, say
        self.ports = [Port(n) for n in range(len(PORTS))]
        self.rivals, self.history, self.places, self.wire_seen = set(), [], {}, []
        self.done, self.base_fds, self.memory, self.serial, self.checked = False, {}, {}, 0, 0
        self.slowest, self.starved = 0.0, 0

    # -- the world
    def ip(self, ns, text, ok=True):
        p = run("ip", "-n", self.ns[ns], "-batch", "-", text=text + "\n", check=False)
        if p.returncode and ok:
            raise RuntimeError("%s: %s" % (text, p.stderr.strip()))
        return p.returncode == 0

    def build(self, lab):
        self.lab = lab
        self.ns = {"a": lab.a.ns, "hub": lab.prefix + "-hub", "limbo": lab.prefix + "-limbo"}
        for name in ("hub", "limbo"):
            run("ip", "netns", "add", self.ns[name])
            with watch.in_netns(self.ns[name]):
                for knob, value in (("default/accept_dad", 0), ("all/accept_dad", 0), ("default/disable_ipv6", int(name == "hub"))):
                    with open("/proc/sys/net/ipv6/conf/" + knob, "w") as f:
                        f.write(str(value))
        self.wire = watch.open_wire(self.ns["hub"])
        self.wire.setblocking(False)
        with watch.in_netns(self.ns["hub"]):
            self.voice = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        ipvlan = self.ip("limbo", "link add t1 type veth peer name t2\nlink add link t1 name t3 type ipvlan", ok=False)
        self.ip("limbo", "link del t1", ok=False)
        self.insts = instances(ipvlan)
        self.by_name = {i.name: i for i in self.insts}
        self.vips = {v for i in self.insts for v, _ in i.vips} | {STATIC[0]} | {i.own for i in self.insts if i.own}
        threading.Thread(target=self.rival, daemon=True).start()

    def rival(self):
        frames = {}
        for i in self.insts:
            if not i.six:
                src = "10.50.%s.250" % i.port[1]
                pdu = packet.advert(src, [v for v, _ in i.vips], vrid=i.vrid, priority=250, interval=INTERVAL)
                frames[i.name] = (i.port, packet.ip_frame("02:00:00:00:ff:%02x" % i.vrid, src, pdu))
        while not self.done:
            for name in list(self.rivals):
                port, frame = frames[name]
                with contextlib.suppress(OSError):
                    self.voice.sendto(frame, (self.hub_of(port) or "none", 0))
            time.sleep(INTERVAL / 2)

    # -- what happens to a port
    def addresses(self, p, ns="a"):
        return "addr add %s/24 dev %s\naddr add fd50::%x:1/112 dev %s nodad" % (p.v4, p.name, p.n, p.name)

    def mac(self, p):
        self.serial += 1
        return "02:00:00:00:%02x:%02x" % (0x10 + p.n, self.serial % 250)

    def op_add(self, p):
        if p.there:
            return False
        index = ""
        if self.rng.random() < 0.3:  # one that was in use a moment ago
            taken = {one["ifindex"] for one in self.links("a")} | {one["ifindex"] for one in self.links("limbo")}
            free = [i for i in range(2, 60) if i not in taken]
            index = " index %d" % self.rng.choice(free)
        name = p.key if not self.hub_of(p.key) else "x%d" % p.n  # another one may have been given its name
        make = "link add name %s%s type veth peer name %s netns %s"
        if not self.ip("a", make % (name, index, p.hub, self.ns["hub"]), ok=not index):  # taken meanwhile
            self.ip("a", make % (name, "", p.hub, self.ns["hub"]))
        p.ns, p.name, p.there = "a", name, True
        self.ip("hub", "link set %s up" % p.hub)
        order = ["link set %s address %s" % (p.name, self.mac(p)), "link set %s up" % p.name, self.addresses(p)]
        if self.rng.random() < 0.5:
            order.reverse()
        for part in order:
            self.ip("a", part)
            self.breathe()
        return True

    def op_del(self, p):
        if not p.there:
            return False
        p.there = False
        self.ip("hub", "link del " + p.hub)
        return True

    def op_again(self, p):
        return p.there and self.op_del(p) and self.op_add(p)

    def raised(self, p):
        """Down before a rename: not every kernel renames what is up."""
        self.ip(p.ns, "link set %s down" % p.name)

    def op_rename(self, p):
        if not p.there or p.ns != "a":
            return False
        new = p.key if p.name != p.key else "x%d" % p.n
        if any(q.there and q.ns == "a" and q.name == new for q in self.ports):
            return False
        self.rename(p, new)
        return True

    def rename(self, p, new):
        live = self.rng.random() < 0.5 and self.ip("a", "link set %s name %s" % (p.name, new), ok=False)
        if not live:
            self.raised(p)
            self.ip("a", "link set %s name %s\nlink set %s up" % (p.name, new, new))
        p.name = new

    def op_swap(self, p):
        q = self.rng.choice(self.ports)
        if p is q or not all(x.there and x.ns == "a" for x in (p, q)):
            return False
        a, b = p.name, q.name
        self.rename(p, "swap0")
        self.rename(q, a)
        self.rename(p, b)
        return True

    def op_move(self, p):
        if not p.there:
            return False
        if p.ns == "a":
            self.ip("a", "link set %s netns %s" % (p.name, self.ns["limbo"]))
            p.ns = "limbo"
            return True
        if any(q.there and q.ns == "a" and q.name == p.name for q in self.ports):
            return False
        self.ip("limbo", "link set %s netns %s" % (p.name, self.ns["a"]))
        p.ns = "a"
        self.breathe()
        self.ip("a", "link set %s up\n%s" % (p.name, self.addresses(p)))
        return True

    def op_there_and_back(self, p):
        return p.there and p.ns == "a" and self.op_move(p) and self.op_move(p)

    def op_down(self, p):
        return p.there and self.ip(p.ns, "link set %s down" % p.name)

    def op_up(self, p):
        return p.there and self.ip(p.ns, "link set %s up" % p.name)

    def op_flap(self, p):
        return self.op_down(p) and (self.breathe() or True) and self.op_up(p)

    def op_unplug(self, p):
        return p.there and self.ip("hub", "link set %s down" % p.hub)

    def op_plug(self, p):
        return p.there and self.ip("hub", "link set %s up" % p.hub)

    def op_lose_address(self, p):
        return p.there and (self.ip(p.ns, "addr del %s/24 dev %s" % (p.v4, p.name), ok=False) or True)

    def op_address(self, p):
        return p.there and p.ns == "a" and (self.ip("a", "addr replace %s/24 dev %s" % (p.v4, p.name)) or True)

    def op_flush(self, p):
        """Every address, the virtual ones too; the interface's own one is back a moment later."""
        if not p.there or p.ns != "a":
            return False
        self.ip("a", "addr flush dev " + p.name, ok=False)  # it gives up when addresses come back as fast as it takes them
        self.breathe()
        return self.op_address(p)

    def op_take_vip(self, p):
        """A virtual address, by a foreign hand."""
        for i in self.insts:
            if i.port == p.key:
                vip, dev = self.rng.choice(i.vips)
                self.ip("a", "addr del %s/%d dev %s" % (vip, 64 if i.six else 24, dev), ok=False)
        return True

    def op_mac(self, p):
        return p.there and self.ip(p.ns, "link set %s address %s" % (p.name, self.mac(p)))

    def op_mtu(self, p):
        return p.there and self.ip(p.ns, "link set %s mtu %d" % (p.name, self.rng.choice((1280, 1400, 1500, 9000))))

    def ours(self, p):
        return [i.dev for i in self.insts if i.port == p.key and i.dev != i.port]

    def op_take_vmac(self, p):
        return any([self.ip("a", "link del " + dev, ok=False) for dev in self.ours(p)])

    def op_vmac_down(self, p):
        return any([self.ip("a", "link set %s down" % dev, ok=False) for dev in self.ours(p)])

    def op_vmac_rename(self, p):
        self.serial += 1
        return any([self.ip("a", "link set %s name odd%d" % (dev, self.serial), ok=False) for dev in self.ours(p)])

    def op_rival(self, p):
        for i in self.insts:
            if i.port == p.key and not i.six and not i.mates and i.dev == i.port:
                self.rivals ^= {i.name}
        return True

    def op_reload(self, _):
        self.daemon.reload()
        return True

    OPS = {"add": 6, "del": 4, "again": 3, "rename": 4, "swap": 2, "move": 4, "there_and_back": 3, "down": 3, "up": 4, "flap": 3,
           "unplug": 2, "plug": 4, "lose_address": 2, "address": 4, "flush": 2, "take_vip": 2, "mac": 2, "mtu": 1, "take_vmac": 1,
           "vmac_down": 1, "vmac_rename": 1, "rival": 2, "reload": 0.3}

    def breathe(self):
        if self.rng.random() < 0.4:
            time.sleep(self.rng.choice((0.001, 0.01, 0.05, 0.3)))

    def burst(self):
        names, weights = zip(*self.OPS.items())
        for _ in range(self.rng.choice((1, 1, 2, 4, 8, 20))):
            op, p = self.rng.choices(names, weights)[0], self.rng.choice(self.ports)
            if getattr(self, "op_" + op)(p):
                self.history.append("%s %s" % (op, p.key))
                self.say("  %s %s" % (op, p.key))
            self.breathe()

    def home(self):
        """Everything as it was in the beginning."""
        self.rivals.clear()
        for p in self.ports:
            if p.there and (p.ns, p.name) != ("a", p.key):
                self.op_del(p)
        for p in self.ports:
            self.op_add(p)
            self.ip("hub", "link set %s up" % p.hub)
            self.ip("a", "link set %s up" % p.name)
            self.op_address(p)
            if not any(a["local"].startswith("fe80") for a in self.observe()[p.name]["addr_info"]):  # nobody's choice: it went with a flush
                self.op_flap(p)
        self.history.append("home")

    # -- the model: from the kernel's links and addresses to what must be
    def links(self, ns):
        return json.loads(run("ip", "-n", self.ns[ns], "-j", "addr").stdout or "[]")

    def observe(self):
        return {one["ifname"]: one for one in self.links("a") if "ifname" in one}

    def own(self, seen, name, six):
        """Addresses of an interface that are no virtual ones and can be a source."""
        all_of = [a["local"] for a in seen.get(name, {}).get("addr_info", [])]
        own = [a for a in all_of if a not in self.vips and (a.startswith("fe80") if six else ":" not in a)]
        return own or [STATIC[0]] * (not six and STATIC[0] in all_of)  # better than none

    @staticmethod
    def runs(seen, name):
        return {"UP", "LOWER_UP"} <= set(seen.get(name, {}).get("flags", ()))

    def able(self, seen, i):
        source = [i.own] if i.own else self.own(seen, i.port, i.six)
        return all(self.runs(seen, n) for n in (i.port, *i.needs)) and bool(source)

    def expected(self, seen):
        """{instance: state}, {address: devices that hold it}, {instance: priority}"""
        states, where, priority = {}, {v: set() for v in self.vips}, {}
        for i in self.insts:
            able = all(self.able(seen, self.by_name[n]) for n in (i.name, *i.mates))
            states[i.name] = "FAULT" if not able else "BACKUP" if i.name in self.rivals else "MASTER"
            if states[i.name] == "MASTER":
                for vip, dev in i.vips:
                    where[vip].add(dev)
            if i.own and self.runs(seen, i.port):
                where[i.own].add(i.dev)
            priority[i.name] = i.priority - (i.lowers[1] if i.lowers and not self.runs(seen, i.lowers[0]) else 0)
        if "UP" in seen.get(STATIC[1], {}).get("flags", ()):
            where[STATIC[0]].add(STATIC[1])
        return states, where, priority

    def actual(self, seen):
        out = run(self.lane.holdctl, "-s", "/proc/%d/root/run/holdfast/control" % self.daemon.pid, "--json", "status", check=False).stdout
        states = {one["name"]: one["state"] for one in json.loads(out or "{}").get("instances", [])}
        where = {v: set() for v in self.vips}
        for dev, one in seen.items():
            for a in one.get("addr_info", []):
                if a.get("local") in where:
                    where[a["local"]].add(dev)
        return states, where

    def difference(self):
        """What is not as it must be, in words; empty: all is well."""
        seen = self.observe()
        states, where, _ = self.expected(seen)
        is_now, holds = self.actual(seen)
        out = ["%s is %s, must be %s" % (n, is_now.get(n), s) for n, s in states.items() if is_now.get(n) != s]
        for vip, devs in where.items():
            if vip in (STATIC[0], *(i.own for i in self.insts if i.own)) and not devs:
                continue  # on an interface that is down it may stay or not
            if holds[vip] != devs:
                out.append("%s is on %s, must be on %s" % (vip, sorted(holds[vip]) or "nothing", sorted(devs) or "nothing"))
        for vip in self.vips:
            if any(a.get("local") == vip for one in self.links("limbo") for a in one.get("addr_info", [])):
                out.append(vip + " went along to another namespace")
        strange = {n for n in seen if n.startswith(("vrrp", "odd", "iv"))} - {i.dev for i in self.insts}
        if strange:
            out.append("interfaces of ours that nobody needs: %s" % sorted(strange))
        return out

    # -- the wire
    def listen(self):
        """Frames of the node since the last time: (hub interface, frame)."""
        out = []
        while True:
            try:
                raw, _, _, where = self.wire.recvmsg(2048)
            except BlockingIOError:
                return out
            except OSError:  # an interface that went while it was looked up
                continue
            out.append((where[0], packet.Frame(0, "a", raw)))

    def hub_of(self, name):
        for p in self.ports:
            if p.there and p.ns == "a" and p.name == name:
                return p.hub
        return None

    def judge_wire(self, seen, frames):
        states, _, priority = self.expected(seen)
        out = []
        for i in self.insts:
            of = [(hub, f) for hub, f in frames if f.kind == "advert" and f.vrid == i.vrid and f.priority]
            if states[i.name] != "MASTER":
                out += ["%s is %s and advertises" % (i.name, states[i.name])] if of else []
                continue
            mac = seen.get(i.dev, {}).get("address")
            source = [i.own] if i.own else self.own(seen, i.port, i.six)
            good = [f for hub, f in of if hub == self.hub_of(i.port) and f.eth_src == mac and f.src in source and not f.faults
                    and f.priority == priority[i.name] and f.vips == [v for v, _ in i.vips]]
            if len(good) < 2 or len(good) != len(of):
                out.append("%s: %d adverts, %d of them right (%s)" % (i.name, len(of), len(good), sorted(
                    {(hub, f.eth_src, f.src, f.priority) for hub, f in of})))
        return out

    def judge_news(self, seen):
        """An address that is elsewhere, or has another MAC, has been announced there."""
        states, out = self.expected(seen)[0], []
        for i in self.insts:
            for vip, dev in i.vips:
                place = (seen[dev]["ifindex"], seen[dev]["address"]) if states[i.name] == "MASTER" and dev in seen else None
                if place and place != self.places.get(vip):
                    port = i.port if dev == i.dev else dev
                    told = [f for hub, f in self.wire_seen if hub == self.hub_of(port) and f.eth_src == place[1] and (
                        (f.kind == "garp" and f.sender == vip) or (f.kind == "na" and f.target == vip))]
                    if not told:
                        out.append("%s on %s (%s) was not announced" % (vip, dev, place[1]))
                self.places[vip] = place
        return out

    # -- quiet moments
    def settle(self):
        """Until all is as it must be."""
        began, why = time.monotonic(), ["not looked at"]
        while why:
            if time.monotonic() - began > SETTLE:
                self.fail(why)
            time.sleep(0.1)
            self.wire_seen += self.listen()
            why = self.difference()
        self.slowest = max(self.slowest, time.monotonic() - began)

    def quiet(self):
        for _ in range(5):
            self.settle()
            self.wire_seen += self.listen()
            was = self.expected(self.observe())
            time.sleep(3.5 * INTERVAL)
            frames = self.listen()
            self.wire_seen += frames
            seen = self.observe()
            if self.expected(seen) == was:  # else the kernel was not done: it gives fe80:: back up to a second after a flap
                break
        why = self.difference() + self.judge_wire(seen, frames) + self.judge_news(seen)
        if why:
            self.fail(why)
        self.wire_seen, self.history = [], []
        self.checked += 1

    def fail(self, why):
        if os.environ.get("CHURN_HOLD"):
            print("\n".join(why), "\nheld:", self.ns, self.daemon.log, flush=True)
            time.sleep(float(os.environ["CHURN_HOLD"]))
        raise Failure("seed %d, quiet moment %d: %s\n  since the last one: %s\n%s" % (
            self.seed, self.checked + 1, "; ".join(why), ", ".join(self.history), self.daemon.read_log()[-3000:]))

    def processes(self):
        return {r: self.daemon.role(r) for r in ("parent", "vrrpd", "ipvsd")}

    def descriptors(self, role, pid):
        """How many; the parent keeps the slice before a reload for ten seconds."""
        end = time.monotonic() + (12 if role == "parent" else 0)
        while True:
            n = len(os.listdir("/proc/%d/fd" % pid))
            if n <= self.base_fds.get(role, 0 if role == "parent" else n) or time.monotonic() > end:
                return n
            time.sleep(0.2)

    def weigh(self):
        """At home: as many descriptors as in the beginning, and memory."""
        is_now = self.processes()
        for role in [r for r in is_now if is_now[r] != self.pids[r]]:
            # Starved by the machine for longer than a room may be silent: its successor is held to the same, anything else fails.
            hung = "%s (pid %s) was killed: it hangs" % (role, self.pids[role])
            check(is_now[role] and hung in self.daemon.read_log(), "seed %d: %s is another process: %s, was %s\n%s", self.seed, role,
                  is_now[role], self.pids[role], self.daemon.read_log()[-3000:])
            self.starved += 1
            self.pids[role] = is_now[role]
            self.base_fds.clear()  # the others have new channels to it
            self.memory.pop(role, None)
        for role, pid in self.pids.items():
            fds = self.descriptors(role, pid)
            check(fds == self.base_fds.setdefault(role, fds), "seed %d: %s has %d descriptors, had %d: %s", self.seed, role, fds,
                  self.base_fds[role], run("ls", "-l", "/proc/%d/fd" % pid).stdout)
            with open("/proc/%d/status" % pid) as f:
                kib = next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))
            self.memory.setdefault(role, []).append(kib)

    def judge_memory(self):
        out = []
        for role, kib in self.memory.items():
            base = max(kib[:3])
            out.append("%s %d -> %d" % (role, base, kib[-1]))
            check(kib[-1] <= base + MEMORY, "seed %d: %s grew: %s KiB", self.seed, role, kib)
        return ", ".join(out) + " KiB"

    def run(self):
        with Lab("a", plug=False, keep_log=self.lane.keep and self.lane.keep + "-churn") as lab:
            self.build(lab)
            try:
                for p in self.ports[:-1]:
                    self.op_add(p)
                blocks = [i.text for i in self.insts]
                text = conf.whole(*blocks, "vrrp_sync_group G {\n    group {\n        GROUP1\n        GROUP2\n    }\n}\n",
                                  "static_ipaddress {\n    %s/32 dev %s\n}\n" % STATIC, glob="    dynamic_interfaces\n")
                self.daemon = lab.a.start(self.lane.daemon, text)
                lab.wait(lambda: all(self.processes().values()), 3 * SETTLE, "all processes")
                self.pids = self.processes()
                self.quiet()
                end, rounds = time.monotonic() + self.seconds, 0
                while time.monotonic() < end:
                    if rounds % 6 == 0:
                        self.home()
                        self.quiet()
                        self.weigh()
                    rounds += 1
                    self.burst()
                    self.quiet()
                self.home()
                self.quiet()
                self.weigh()
                status, _ = self.daemon.stop()
                check(status == 0, "exit status %d", status)
                left = [n for n in self.observe() if n.startswith(("vrrp", "odd", "iv"))]
                left += [v for one in self.observe().values() for v in self.vips if any(a["local"] == v for a in one["addr_info"])]
                check(not left, "seed %d: left behind: %s", self.seed, left)
                starved = ", %d processes starved" % self.starved if self.starved else ""
                return "seed %d, %d quiet moments, slowest %.1f s%s; %s" % (self.seed, self.checked, self.slowest, starved, self.judge_memory())
            finally:
                self.done = True


def start(lane, seed, seconds, say=lambda text: None):
    lane.holdctl = by_chance.holdctl(lane)
    return Churn(lane, seed, seconds, say).run()


@case("interface-churn", "interfaces deleted, made, renamed, moved, flapped at random: every instance right at each quiet moment", limit=180)
def churn(lane):
    return start(lane, by_chance.chosen("CHURN_SEED"), 25)


if __name__ == "__main__":
    sys.exit(by_chance.main("interface-churn", __doc__, start))
