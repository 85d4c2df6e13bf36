"""holdfast and FRR's vrrpd on one wire, in both roles. FRR keeps its addresses on a macvlan with the virtual router's MAC address
and takes that one's carrier away while it is BACKUP (protodown), so its side is judged by adverts, by what it says, and by who answers.
"""
import json
import math
import os
import shutil
import signal
import time

from accept import answers
from case import case, check
from holdctl import Ctl
from interop import took_over_after
from lab import Skip, conf, now, run, watch

FOLDER = "/usr/lib/frr"
VRID, DEV = 51, "frr51"
KINDS = {
    "v2": {"version": 2, "interval": 1, "vips": conf.VIPS},
    "v3": {"version": 3, "interval": 0.2, "vips": conf.VIPS},
    "v3-ipv6": {"version": 3, "interval": 0.2, "vips": conf.VIPS6},
    "v3-vmac": {"version": 3, "interval": 0.2, "vips": conf.VIPS, "extra": "use_vmac"},
}


class Frr:
    """zebra and vrrpd of a node, with one virtual router on eth0."""

    def __init__(self, node, vips, priority, version, interval):
        if not os.access(FOLDER + "/vrrpd", os.X_OK):
            raise Skip("no FRR here: apt install frr")
        self.node, self.lab, self.vips, self.six, self.running = node, node.lab, vips, ":" in vips[0], {}
        self.mac = "00:00:5e:00:%02x:%02x" % (2 if self.six else 1, VRID)
        self.folder = "%s/frr-%s" % (node.lab.root, node.name)
        os.mkdir(self.folder)
        shutil.chown(self.folder, "frr", "frrvty")
        os.chmod(self.folder, 0o755)
        words = ["version %d" % version, "priority %d" % priority, "advertisement-interval %d" % round(interval * 1000)]
        words += ["%s %s" % ("ipv6" if self.six else "ip", v) for v in vips]
        self.write("vrrpd", "interface eth0\n" + "".join(" vrrp %d %s\n" % (VRID, w) for w in words))
        self.write("zebra", "")
        self.plug()

    def write(self, name, text):
        with open("%s/%s.conf" % (self.folder, name), "w") as f:
            f.write("frr defaults traditional\nlog timestamp precision 3\n" + text)

    def plug(self):
        """The macvlan, as FRR's manual wants it; eth0 must not answer ARP for its addresses."""
        try:
            self.node.batch("link add %s link eth0 type macvlan mode bridge" % DEV)
        except RuntimeError as e:
            raise Skip("no macvlan on this kernel: %s" % e)
        self.node.batch("link set %s address %s up\n" % (DEV, self.mac) + "\n".join(
            "addr add %s/%s dev %s" % (v, "64 nodad" if self.six else "24", DEV) for v in self.vips))
        with watch.in_netns(self.node.ns):
            for knob in ("all/arp_ignore", DEV + "/ignore_routes_with_linkdown"):
                with open("/proc/sys/net/ipv4/conf/" + knob, "w") as f:
                    f.write("1")

    def start(self):
        """Both programs; when they were started. That one ends at once is the machine's fault: Skip."""
        at = now()
        for name, there in (("zebra", "zserv"), ("vrrpd", "vrrpd.vty")):
            there, log = self.folder + "/" + there, "%s/%s.log" % (self.folder, name)
            if os.path.exists(there):
                os.unlink(there)
            with open(log, "wb") as out:
                p = self.node.spawn([FOLDER + "/" + name, "-f", "%s/%s.conf" % (self.folder, name), "-i", "%s/%s.pid" % (self.folder, name),
                                     "-z", self.folder + "/zserv", "--vty_socket", self.folder, "-P", "0", "--log", "stdout"],
                                    stdout=out, stderr=out)
            self.running[name] = p
            self.lab.wait(lambda: os.path.exists(there) or p.poll() is not None, 10, "FRR's " + name)
            if p.poll() is not None:
                with open(log, errors="replace") as f:
                    raise Skip("FRR's %s does not run here: %s" % (name, " ".join(f.read().split())[-200:]))
        return at

    def end(self, sig):
        """vrrpd first: what it says at its end, zebra still carries out."""
        for name in ("vrrpd", "zebra"):
            self.running[name].send_signal(sig)  # the shell has exec'ed it: one process
            self.running[name].wait(10)

    def says(self):
        """'show vrrp json' of this virtual router in its family."""
        out = run("vtysh", "--vty_socket", self.folder, "-c", "show vrrp json").stdout
        return [one for one in json.loads(out) if one["vrid"] == VRID][0]["v6" if self.six else "v4"]

    def wait_status(self, status, timeout=10):
        self.lab.wait(lambda: self.says()["status"] == status, timeout, "%s of FRR" % status, step=0.1)


def frr_took_over(lab, since, want, what, k):
    """FRR computes in centiseconds, rounded down. Over IPv6 8.4's first advert is lost ("Failed to find address to bind": the carrier of
    its macvlan is not back yet), so the one an interval later counts. A loaded machine makes it late, and that is not ours: what counts is that
    skew time and master-down time are told apart."""
    late = k["interval"] if ":" in k["vips"][0] else 0
    return took_over_after(lab, since, math.floor(want * 100 + 1e-6) / 100, "FRR, " + what, slack=late + 0.3)


def hosts(lab):
    """An ARP request from eth0 in the name of an address on a macvlan teaches neighbours eth0's MAC address; neither daemon forbids it."""
    for node in (lab.a, lab.b):
        with watch.in_netns(node.ns), open("/proc/sys/net/ipv4/conf/all/arp_announce", "w") as f:
            f.write("2")


def answered_by(lab, vip, mac):
    """The third machine asks anew: one answer's MAC address, and a word from behind it."""
    run("ip", "-n", lab.x.ns, "neigh", "flush", "to", vip, "dev", "eth0")
    check(answers(lab.x, vip), "%s is silent", vip)
    near = run("ip", "-n", lab.x.ns, "neigh", "show", vip, "dev", "eth0").stdout
    check("lladdr " + mac in near, "%s is not answered by %s: %s", vip, mac, near)


def learned(lab, vip, mac):
    """What it asked for before must be with mac by now without asking: the announcement came."""
    near = run("ip", "-n", lab.x.ns, "neigh", "show", vip, "dev", "eth0").stdout
    check("lladdr " + mac in near, "the neighbour has not learned that %s is at %s: %s", vip, mac, near)
    check(answers(lab.x, vip), "%s is silent", vip)


def only(lab, node, other, k, seconds):
    """For that long one advertises, without a fault, and the other does not."""
    since = now()
    time.sleep(seconds)
    seen = lab.adverts(node, since)
    check(len(seen) >= seconds / k["interval"] - 2, "%d adverts of %s in %g s", len(seen), node, seconds)
    check(all(a.priority and not a.faults for a in seen), "broken adverts: %s", {f for a in seen for f in a.faults})
    check(not lab.adverts(other, since), "two masters")


def hears(lane, d, lab, ip, priority):
    """holdctl names the master."""
    ctl = Ctl(lane, d)
    lab.wait(lambda: os.path.exists("/proc/%d/root/run/holdfast/status" % d.pid), 10, "the socket of holdctl")

    def right():
        one = [v for v in ctl.json("show", "vrrp")["vrrp_instances"] if v["state"] == "BACKUP"]
        return one and one[0].get("master") == ip and one[0].get("master_priority") == priority and one
    one = lab.wait(right, 5, "holdctl names FRR at %s" % ip, step=0.2)
    refused = {n: v for n, v in one[0].items() if n.startswith("rejected_") and v}
    check(not refused, "adverts of FRR are not taken: %s", refused)
    check([s for s in ctl.json("show", "vrrp")["senders"] if s["name"] == ip and s["accepted"]], "not among the senders")


def back_again(lab, frr, ours, k):
    """Of the better one's return: the other lets go, and one remains."""
    lab.wait(lambda: [x for x in lab.adverts("a", now() - int(k["interval"] * 1e9)) if x.priority], 15, "adverts of the better one")
    if ours == "backup":
        lab.wait(lambda: not set(k["vips"]) & set(lab.b.addresses()), 3, "the pre-empted master's addresses gone")
    else:
        frr.wait_status("Backup")
    only(lab, "a", "b", k, 3 * k["interval"] + 0.5)


@case("frr-v2-backup", "FRR's vrrpd master, ours backup: who is heard, power cut, return, priority 0", kind="v2")
@case("frr-v3-backup", "the same, version 3", kind="v3")
@case("frr-v3-ipv6-backup", "the same over IPv6", kind="v3-ipv6")
@case("frr-v3-vmac-backup", "the same, ours with a virtual MAC address too", kind="v3-vmac")
def ours_backup(lane, kind):
    k = KINDS[kind]
    vips, version, interval = k["vips"], k["version"], k["interval"]
    with lane.lab("abx") as lab:
        hosts(lab)
        frr = Frr(lab.a, vips, 200, version, interval)
        frr.start()
        ip = lab.wait(lambda: lab.adverts("a"), 15, "an advert of FRR")[0].src
        d = lab.b.start(lane.daemon, conf.whole(conf.instance(priority=100, **k)))
        hears(lane, d, lab, ip, 200)
        only(lab, "a", "b", k, 4)
        answered_by(lab, vips[-1], frr.mac)
        lab.a.cable(False)
        frr.end(signal.SIGKILL)
        last = lab.adverts("a")[-1].ts
        cut = took_over_after(lab, last, conf.down_time(100, interval, version), "after the power cut")
        lab.wait_master("b", vips, since=last)
        mac = frr.mac if "vmac" in kind else lab.b.mac
        time.sleep(0.2)
        learned(lab, vips[-1], mac)
        answered_by(lab, vips[-1], mac)
        lab.a.cable(True)
        frr.start()
        back_again(lab, frr, "backup", k)
        hears(lane, d, lab, ip, 200)
        answered_by(lab, vips[-1], frr.mac)
        asked = now()
        frr.end(signal.SIGTERM)
        zero = lab.wait(lambda: lab.adverts("a", asked, priority=0), 2, "priority 0 of FRR")[0]
        skew = took_over_after(lab, zero.ts, conf.skew(100, interval, version), "after priority 0")
        lab.wait_master("b", vips, since=zero.ts)
        return "take-over %+.1f ms from the master-down time, %+.1f ms from skew" % (cut, skew)


@case("frr-v2-master", "ours master, FRR's vrrpd backup: priority 0, return, power cut", kind="v2")
@case("frr-v3-master", "the same, version 3", kind="v3")
@case("frr-v3-ipv6-master", "the same over IPv6", kind="v3-ipv6")
@case("frr-v3-vmac-master", "the same, ours with a virtual MAC address too", kind="v3-vmac")
def ours_master(lane, kind):
    k = KINDS[kind]
    vips, version, interval = k["vips"], k["version"], k["interval"]
    text = conf.whole(conf.instance(priority=200, **k))
    with lane.lab("abx") as lab:
        hosts(lab)
        frr = Frr(lab.b, vips, 100, version, interval)
        a = lab.a.start(lane.daemon, text)
        lab.wait_master("a", vips)
        frr.start()
        frr.wait_status("Backup")
        only(lab, "a", "b", k, 4)
        check(frr.says()["stats"]["adverRx"], "FRR has heard nothing: %s", frr.says())
        mac = frr.mac if "vmac" in kind else lab.a.mac
        answered_by(lab, vips[-1], mac)
        asked = now()
        a.stop()
        zero = lab.wait(lambda: lab.adverts("a", asked, priority=0), 2, "priority 0 of ours")[0]
        skew = frr_took_over(lab, zero.ts, conf.skew(100, interval, version), "after priority 0", k)
        frr.wait_status("Master")
        time.sleep(0.2)
        answered_by(lab, vips[-1], frr.mac)
        a = lab.a.start(lane.daemon, text)
        lab.wait_master("a", vips, since=a.started)
        back_again(lab, frr, "master", k)
        answered_by(lab, vips[-1], mac)
        lab.a.cable(False)
        last = lab.adverts("a")[-1].ts
        cut = frr_took_over(lab, last, conf.down_time(100, interval, version), "after the power cut", k)
        a.kill_all()
        return "FRR's take-over %+.1f ms from skew, %+.1f ms from the master-down time" % (skew, cut)
