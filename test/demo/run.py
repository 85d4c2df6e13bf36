#!/usr/bin/env python3
"""The demo: two directors, two real servers, one client that asks the service address fifty times a second; then things die.

    run.py [--daemon CMD] [--plain]

Everything happens in network namespaces of its own; the configuration (lb1.conf, lb2.conf beside this file) is the one of a tutorial
on LVS and keepalived, unchanged. Exit status 0 only if every promise held.
"""
import argparse
import os
import shlex
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE), HERE]

from lab import Failure, Lab, need_root, now, run  # noqa: E402
from show import Show  # noqa: E402

VIP = "192.168.65.127"
HOSTS = {"lb1": 155, "lb2": 154, "rs1": 156, "rs2": 157, "client": 10}
NAMES = {"rs1": "lvs-RS1-156", "rs2": "lvs-RS2-157"}
DOWN = 3 + (256 - 100) / 256   # the backup's master-down time: three intervals and its skew
SKEW = (256 - 100) / 256
CELL = 100_000_000             # a character of the client's strip is 100 ms


class Demo:
    def __init__(self, lab, daemon, show):
        self.lab, self.daemon, self.show = lab, daemon, show
        self.record, self.asked, self.read = lab.root + "/client.txt", [], 0
        self.fronts, self.servers = {}, {}

    # -- the machines
    def part(self, node, *args):
        return self.lab.nodes[node].spawn([sys.executable, os.path.join(HERE, "parts.py"), *args])

    def boot(self, name):
        """A director: the daemon, and the front end that stands in for LVS."""
        with open(os.path.join(HERE, name + ".conf")) as f:
            text = f.read()
        self.fronts[name] = self.part(name, "front", name.upper(), *("192.168.65.%d" % HOSTS[r] for r in ("rs1", "rs2")))
        return self.lab.nodes[name].start(self.daemon, text)

    def power_off(self, name):
        """Cable, processes, addresses: all gone at once, as when the plug is pulled."""
        self.lab.nodes[name].cable(False)
        at = self.lab.nodes[name].daemon.kill_all()
        self.fronts[name].kill()
        self.fronts[name].wait()
        run("ip", "-n", self.lab.nodes[name].ns, "addr", "del", VIP + "/32", "dev", "eth0", check=False)
        return at

    # -- what the client saw
    def answers(self, since, until):
        with open(self.record) as f:
            f.seek(self.read)
            data = f.read()
        whole = data.rfind("\n") + 1
        self.read += len(data[:whole].encode())
        for line in data[:whole].splitlines():
            asked, ended, who = line.split(" ", 2)
            self.asked.append((int(asked), int(ended), who))
        return sorted((a for a in self.asked if since <= a[0] <= until), key=lambda a: a[1])

    def master(self):
        """Who advertised last (and meant it)."""
        seen = [a for a in self.lab.adverts() if a.priority]
        return seen[-1].node.upper() if seen else "nobody"

    def watch(self, since, seconds):
        """Lets the client ask until seconds after since, waits for its last answers, shows the strip. Returns the figures."""
        time.sleep(max(0, since / 1e9 + seconds - time.time()))
        until = now()
        time.sleep(1.0)  # the last requests may still be answered, or given up
        asked = self.answers(since - 300_000_000, until)
        good = [a for a in asked if a[2] != "-"]
        ends = [a[1] for a in good]
        pause = max(b - a for a, b in zip(ends or [since], [*ends[1:], max([until, *ends])])) / 1e9
        self.strip(asked, since, until)
        served = {}
        for a in good:
            served[a[2]] = served.get(a[2], 0) + 1
        lost = len(asked) - len(good)
        self.show.say("          client: %d requests, %d answered, %s; longest pause %.0f ms; master now %s" % (
            len(asked), len(good), "%d lost" % lost if lost else "none lost", pause * 1e3, self.master()))
        return {"lost": lost, "pause": pause, "until": until, "served": served}

    def strip(self, asked, since, until):
        """One character each 100 ms: which director answered, x for requests without an answer."""
        cells = {}
        for a in asked:
            cell = (a[0] - since) // CELL
            mark = "x" if a[2] == "-" else a[2][2:3]
            cells[cell] = "x" if "x" in (mark, cells.get(cell)) else mark
        self.show.strip(cells, (until - since) // CELL)


def crash(demo, role):
    """kill -9 of one process of the master: nobody may notice."""
    lab, show = demo.lab, demo.show
    daemon = lab.lb1.daemon
    pid = daemon.role(role)
    if not pid:
        show.fact(False, "LB1 has no %s process" % role)
        return
    show.at("kill -9 %s on LB1 (pid %d), the master" % (role, pid), "1;33")
    since = now()
    os.kill(pid, signal.SIGKILL)
    seen = demo.watch(since, 3)
    adverts = [a.ts for a in lab.adverts("lb1", since - 1_100_000_000, seen["until"])]
    gap = max([b - a for a, b in zip(adverts, adverts[1:])] or [seen["until"] - since]) / 1e6
    moved = [e for e in lab.events("addr", "lb1", VIP, since)]
    show.fact(not moved, "the address never left the kernel" if not moved else "the address was removed: %s" % moved)
    show.fact(not lab.adverts("lb2", since), "the other director never noticed")
    show.fact(gap <= 1020, "longest time between two adverts %.0f ms (promise: at most 1020)" % gap)
    show.fact(not seen["lost"] and seen["pause"] < 0.25, "no request lost, longest pause %.0f ms" % (seen["pause"] * 1e3))
    fresh = daemon.role(role)
    show.fact(fresh not in (None, pid), "%s runs again (pid %s)" % (role, fresh))


def server_dies(demo):
    show = demo.show
    show.at("real server 1 dies (%s)" % NAMES["rs1"], "1;33")
    since = now()
    demo.servers["rs1"].kill()
    demo.servers["rs1"].wait()
    seen = demo.watch(since, 2)
    show.say("          (the front end's doing, not holdfast's: checks and LVS are the second part)")
    show.fact(demo.master() == "LB1", "mastership did not move")
    demo.servers["rs1"] = demo.part("rs1", "server", NAMES["rs1"])
    return seen


def power_cut(demo):
    show = demo.show
    show.at("the whole of LB1 loses power", "1;31")
    demo.lab.watch.poll()
    last = demo.lab.adverts("lb1")[-1].ts
    since = demo.power_off("lb1")
    seen = demo.watch(since, DOWN + 1)
    first = demo.lab.adverts("lb2", since)
    show.fact(demo.master() == "LB2", "LB2 is master")
    if first:
        late = (first[0].ts - last) / 1e9
        show.fact(abs(late - DOWN) < 0.1, "%.3f s after LB1's last advert (the protocol says %.3f)" % (late, DOWN))
    show.fact(seen["pause"] < DOWN + 0.3, "longest pause of the client %.2f s (promise: at most %.2f)" % (seen["pause"], DOWN + 0.3))


def power_back(demo):
    show, lab = demo.show, demo.lab
    show.at("LB1 boots again", "1;32")
    since = now()
    lab.lb1.cable(True)
    demo.boot("lb1")
    took = (lab.wait_master("lb1", [VIP], 12, since).ts - since) / 1e9
    seen = demo.watch(since, took + 1.5)
    show.fact(demo.master() == "LB1", "LB1 is master again after %.1f s (it listens first: three intervals and its skew)" % took)
    show.fact(VIP not in lab.lb2.addresses(), "LB2 has given the address back")
    show.fact(seen["pause"] < 0.5, "longest pause of the client %.0f ms (promise: below 500)" % (seen["pause"] * 1e3))


def orderly_stop(demo):
    show, lab = demo.show, demo.lab
    show.at("LB1 is stopped for maintenance (SIGTERM)", "1;33")
    since = now()
    status, seconds = lab.lb1.daemon.stop()
    demo.watch(since, 2)
    zero = lab.adverts("lb1", since, priority=0)
    gone = [e.ts for e in lab.events("addr-", "lb1", VIP, since)]
    show.fact(status == 0 and seconds < 0.2, "exit status %d after %.0f ms (promise: below 200)" % (status, seconds * 1e3))
    show.fact(bool(zero and gone and max(gone) <= zero[0].ts), "the address was gone before the farewell (priority 0) was sent")
    first = lab.adverts("lb2", since)
    if zero and first:
        late = (first[0].ts - zero[0].ts) / 1e9
        show.fact(abs(late - SKEW) < 0.1, "LB2 took over %.3f s after it (the protocol says %.3f)" % (late, SKEW))
    show.fact(demo.master() == "LB2", "LB2 is master")


def play(demo):
    show, lab = demo.show, demo.lab
    for name in NAMES:
        demo.servers[name] = demo.part(name, "server", NAMES[name])
    show.at("LB1 and LB2 start")
    demo.boot("lb1")
    demo.boot("lb2")
    lab.wait_master("lb1", [VIP], 10)
    lab.client.spawn([sys.executable, os.path.join(HERE, "parts.py"), "client", VIP, demo.record])
    lab.wait(lambda: os.path.exists(demo.record), 5, "the client")
    time.sleep(0.7)
    show.at("LB1 is master of %s, the client asks every 20 ms" % VIP, "1;32")
    seen = demo.watch(now(), 1.5)
    show.fact(not seen["lost"] and len(seen["served"]) == 2, "both servers answer: " +
              ", ".join("%s %d" % (k, n) for k, n in sorted(seen["served"].items())))
    crash(demo, "vrrpd")
    crash(demo, "ipvsd")
    server_dies(demo)
    power_cut(demo)
    power_back(demo)
    orderly_stop(demo)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--daemon", default=os.path.join(HERE, "../../build/holdfast"))
    p.add_argument("--plain", action="store_true", help="no colours")
    o = p.parse_args()
    if o.plain:
        os.environ["NO_COLOR"] = "1"
    need_root()
    argv = shlex.split(o.daemon)
    path = shutil.which(argv[0]) or argv[0]
    if not os.access(path, os.X_OK):
        sys.exit("%s: no such program (build it first: make)" % argv[0])
    argv[0] = os.path.abspath(path)
    show = Show()
    show.say("holdfast: nobody sees a crash", "1")
    show.say("""
   client .10 ---+--- LB1 .155  (MASTER, priority 150)     service address %s
                 +--- LB2 .154  (BACKUP, priority 100)     configuration: test/demo/lb1.conf, lb2.conf,
                 +--- RS1 .156, RS2 .157                   a tutorial's keepalived.conf, unchanged

   The strip under each event is the client: one character is 100 ms, 1 or 2 the director that answered,
   x a request that nobody answered. A 40-line front end on each director passes requests on to the servers, so that
   this part needs no LVS in the kernel; LVS itself is the second part (lvs.py).""" % VIP)
    try:
        with Lab(list(HOSTS), net="192.168.65", hosts=HOSTS) as lab:
            play(Demo(lab, argv, show))
    except Failure as e:
        show.fact(False, str(e))
    except KeyboardInterrupt:
        show.fact(False, "interrupted")
    return show.end()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; what was made is removed")
