"""The soak itself, inside the VM (or anywhere with ip_vs): servers go up and down at random, the configuration changes under reload,
and at every quiet moment the kernel's table must be what model.py says. In the last fifth processes are killed as well.

    guest.py [--daemon CMD] [--seconds N] [--seed N] [--services N]
"""
import argparse
import contextlib
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE), HERE]

from lab import Failure, Lab, process_name, report, run  # noqa: E402
from lab.ipvs import Ipvs  # noqa: E402
from model import World  # noqa: E402
from peers import Peers  # noqa: E402

PATIENCE = 60     # seconds until the table must be right: detection takes at most 10 here, the guest is slow
UNSEEN = {"mute": 13, "up": 5, "refuse": 5, "error": 5} # seconds a check needs for a change that the table does not show
STALL = 1.5       # a sleep that was this much too long: the machine stood still, and a check may have failed by that
SLACK_KIB, SLACK_PART = 160, 0.03  # what memory may grow between the second and the last third of a long run
SLACK_SHORT_KIB, SHORT = 1024, 600 # of a short one (seconds): the first reloads still find new sizes


def rss(daemon):
    """{process: KiB}"""
    out = {}
    for pid in daemon.processes():
        with contextlib.suppress(OSError), open("/proc/%d/status" % pid) as f:
            kib = [int(x.split()[1]) for x in f if x.startswith("VmRSS")]
        if kib and not process_name(pid).startswith("holdfast-conf"):  # nor the lean one
            name = process_name(pid)
            out[name + ("" if name not in out else "/2")] = kib[0]
    return out


class Soak:
    def __init__(self, lab, daemon, world):
        self.lab, self.world, self.peers = lab, world, Peers(lab, lab.a.ns)
        lab.a.batch("route add local 10.50.0.0/16 dev lo\nroute add local 10.60.0.0/16 dev lo")
        self.peers.set([(s.ip, s.mode) for v in world.services for s in v.servers])
        self.table = Ipvs(lab.a.ns)
        self.daemon = lab.a.start(daemon, world.text())
        self.ours = os.path.exists(os.path.dirname(daemon[0]) + "/holdfast-checkd")
        self.moments, self.flips, self.reloads, self.kills, self.slowest, self.memory = 0, 0, 0, 0, 0.0, []
        self.stalled, self.stalls = 0.0, 0
        threading.Thread(target=self.clock, daemon=True).start()

    def clock(self):
        """Notices when the machine stood still: nobody can judge a time-out of those seconds."""
        while True:
            began = time.monotonic()
            time.sleep(0.2)
            if time.monotonic() - began > 0.2 + STALL:
                self.stalled = time.monotonic()

    def quiet(self, after, again=3):
        """The table becomes the model's, and stays so."""
        began, want, have = time.monotonic(), self.world.table(), {}

        def right():
            have.clear()
            have.update(self.table.table())
            return have == want
        try:
            self.lab.wait(right, PATIENCE, "the model's table after " + after, step=0.1)
        except Failure as e:
            wrong = {k: (have.get(k), want.get(k)) for k in {*have, *want} if have.get(k) != want.get(k)}
            raise Failure("%s; {service: (kernel, model)}: %s" % (e, wrong)) from None
        self.slowest = max(self.slowest, time.monotonic() - began)
        for _ in range(5):
            time.sleep(0.3)
            if self.table.table() == want:
                continue
            if time.monotonic() - self.stalled < 20 and again > 0:
                self.stalls += 1
                return self.quiet(after, again - 1)
            raise Failure("the table was right after %s and changed again" % after)
        self.moments += 1
        return None

    def unseen(self, changed):
        """What does not show must be detected all the same before the next change: verdicts come in the order of the changes."""
        hidden = self.world.hidden(changed)
        if hidden:
            time.sleep(max(UNSEEN[s.mode] for s in hidden))

    def step(self, may_kill):
        rand = self.world.rand
        if may_kill and rand.random() < 0.4:
            role = rand.choice(("checkd", "ipvsd"))
            self.lab.crash(self.daemon, role, 30)
            self.kills += 1
            return self.quiet("the death of " + role)
        if rand.random() < 0.25:
            new = self.world.edit()
            self.peers.set([(s.ip, s.mode) for s in new])
            self.daemon.reload(self.world.text())
            self.reloads += 1
            self.unseen(new)
            return self.quiet("a reload")
        changed = self.world.flip()
        self.peers.set([(s.ip, s.mode) for s in changed])
        self.flips += len(changed)
        self.unseen(changed)
        return self.quiet("%d servers changed: %s" % (len(changed), ", ".join(s.ip + " " + s.mode for s in changed)))

    def run(self, seconds):
        self.quiet("the start")
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            self.step(self.ours and time.monotonic() > began + 0.8 * seconds)
            if not self.kills:
                self.memory.append(rss(self.daemon))
        if self.daemon.proc.poll() is not None:
            raise Failure("the daemon ended by itself")

    def growth(self, slack):
        """[(process, KiB in the middle, KiB at the end, too much)]"""
        third = max(1, len(self.memory) // 3)
        out = []
        for name in self.memory[-1]:
            middle, end = (report.median([m[name] for m in part if name in m])
                           for part in (self.memory[third:2 * third] or self.memory, self.memory[-third:]))
            out.append((name, middle, end, end > middle + max(slack, SLACK_PART * middle)))
        return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--daemon", default=os.path.join(HERE, "../../build/holdfast"))
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--services", type=int, default=8)
    o = p.parse_args()
    for module in ("ip_vs", "ip_vs_wrr", "veth", "bridge"):
        run("modprobe", module, check=False)
    with Lab("a") as lab:
        soak = Soak(lab, [os.path.abspath(o.daemon)], World(o.seed, o.services))
        try:
            soak.run(o.seconds)
            report.line("PASS", "soak-table", "%d quiet moments, %d servers went up or down, %d reloads, %d kills, slowest %.1f s, seed %d%s" % (
                soak.moments, soak.flips, soak.reloads, soak.kills, soak.slowest, o.seed,
                ", the machine stood still %d times" % soak.stalls if soak.stalls else ""))
        except Failure as e:
            report.line("FAIL", "soak-table", "seed %d, after %d quiet moments: %s\n%s" % (
                o.seed, soak.moments, e, soak.daemon.read_log()[-3000:]))
            return 1
        grown = soak.growth(SLACK_KIB if o.seconds >= SHORT else SLACK_SHORT_KIB)
        text = ", ".join("%s %d -> %d KiB" % (n, a, b) for n, a, b, _ in grown)
        report.line("FAIL" if any(x[3] for x in grown) else "PASS", "soak-memory", text)
        return int(any(x[3] for x in grown))


if __name__ == "__main__":
    sys.exit(main())
