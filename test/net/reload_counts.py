"""What a reload costs: kernel operations counted on our side (strace) and on the kernel's (ip monitor), adverts on the wire."""
import re
import subprocess
import time

from case import case, check, strace_there
from lab import Skip, conf, now

INTERVAL = 0.2
EXCLUDED, ROUTE = "10.77.9.%d", "10.90.%d.0/24"


def router(n, priority=200, more=""):
    """One of several routers, with everything an instance can have."""
    extra = ("virtual_ipaddress_excluded {\n %s/32 dev t0 no_track\n fd77::9%d/64\n}\nvirtual_routes {\n %s dev eth0 metric %d\n}\n"
             "virtual_rules {\n from %s table 10%d preference 10%d\n}\ntrack_interface {\n t0\n}\n%s" % (
                 EXCLUDED % n, n, ROUTE % n, n, ROUTE % n, n, n, more))
    return conf.instance("VI_%d" % n, 50 + n, priority=priority, interval=INTERVAL, vips=(conf.VIPS[n - 1],), extra=extra)


def whole(*routers):
    return conf.whole(
        "track_group TG {\n group {\n  VI_1\n }\n}\nstatic_ipaddress {\n 10.78.0.1/24 dev t0 track_group TG\n}\n"
        "static_routes {\n 10.79.0.0/24 dev t0\n}\nstatic_rules {\n from 10.79.0.0/24 table 9 preference 99\n}\n"
        "garp_group {\n garp_interval 0.001\n interface t0\n}\nlinkbeat_interfaces {\n t0 ETHTOOL\n}\n",
        *routers, glob="    disable_local_igmp\n    nftables\n")


class Counting:
    """Everything our rooms send into netlink and packet sockets, and everything the kernel says has changed."""

    def __init__(self, lab, d):
        self.lab, self.pids = lab, [d.role(r) for r in ("ipvsd", "vrrpd")]
        if None in self.pids:
            raise Skip("this daemon has no such rooms")
        self.out, self.said = lab.root + "/strace", open(lab.root + "/monitor", "wb")
        self.tracer = subprocess.Popen(
            ["strace", "-f", "-yy", "-s", "200", "-e", "trace=sendmsg,sendto,sendmmsg,write,ioctl,openat,setsockopt", "-o", self.out,
             *[x for p in self.pids for x in ("-p", str(p))]],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # the namespace alone: nothing of ours must stand between the kernel's word and the file
        self.monitor = subprocess.Popen(["ip", "-n", lab.a.ns, "monitor", "link", "address", "route", "rule", "neigh", "netconf"],
                                        stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.DEVNULL)
        for pid in self.pids:
            lab.wait(lambda: "TracerPid:\t%d" % self.tracer.pid in open("/proc/%d/status" % pid).read(), 5, "strace attached")
        time.sleep(0.3)
        self.since = now()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.until = now()
        for p in (self.tracer, self.monitor):
            p.terminate()  # no SIGINT: it is ignored below a job in the background
            p.wait(5)
        self.said.close()

    def calls(self):
        with open(self.out) as f:
            return f.read().splitlines()

    def netlink(self):
        """What ipvsd asked the kernel for; reading is no operation, but is counted apart."""
        return [c for c in self.calls() if re.search(r"send\w+\(\d+<NETLINK", c)]

    def others(self):
        """Writing to files, announcing, setting up sockets. An advert leaves by vrrpd's raw socket and is on the wire; a poll is none."""
        return [c for c in self.calls() if (re.search(r"<(PACKET|RAW)", c) and c.split()[0] == str(self.pids[0])) or
                re.search(r"write\(\d+</proc/sys", c) or ("setsockopt(" in c and "SO_RCVBUF" not in c)]  # sizes of our own buffers are said again

    def heard(self):
        with open(self.lab.root + "/monitor") as f:
            return [line for line in f.read().splitlines() if "REACHABLE" not in line and "STALE" not in line]


def on_time(lab, since, until, vrids):
    """No advert is missing, none came early, none says anything new. Returns the worst deviation in ms."""
    worst = 0.0
    for vrid in vrids:
        seen = lab.adverts("a", since - int(2e9 * INTERVAL), until, vrid=vrid)
        check(len(seen) > 4, "VRID %d: only %d adverts", vrid, len(seen))
        check(len({a.pdu for a in seen}) == 1, "VRID %d: the adverts are not all the same", vrid)
        for a, b in zip(seen, seen[1:]):
            gap = (b.ts - a.ts) / 1e6
            check(gap > INTERVAL * 1e3 - 60, "VRID %d: an advert came early, %.0f ms after the last one", vrid, gap)
            check(gap < INTERVAL * 1e3 + 100, "VRID %d: an advert is missing, %.0f ms", vrid, gap)
            worst = max(worst, abs(gap - INTERVAL * 1e3))
    return worst


def begin(lane, lab, *routers):
    if not strace_there():
        raise Skip("no strace here")
    lab.a.batch("link add t0 type veth peer name t1\nlink set t1 up\nlink set t0 up")
    d = lab.a.start(lane.daemon, whole(*routers))
    lab.wait_master("a", conf.VIPS)
    time.sleep(6)  # the second burst of gratuitous ARPs is 5 s after the first
    return d


@case("reload-counts-unchanged", "an unchanged reload of a rich configuration, three times: no kernel operation, no advert missing or early", limit=120)
def unchanged(lane):
    with lane.lab("a") as lab:
        d = begin(lane, lab, router(1), router(2), router(3))
        with Counting(lab, d) as n:
            for _ in range(3):
                at = len(d.read_log())
                d.reload()
                lab.wait(lambda: "generation" in d.read_log()[at:], 10, "the reload in the log")
                time.sleep(1)
        check(not n.netlink(), "%d netlink messages, first: %s", len(n.netlink()), n.netlink()[:1])
        check(not n.others(), "%d other operations, first: %s", len(n.others()), n.others()[:1])
        check(not n.heard(), "the kernel reports %d changes, first: %s", len(n.heard()), n.heard()[:1])
        check([c for c in n.calls() if c.split()[0] == str(n.pids[0])], "strace saw nothing of ipvsd at all")
        check([d.role(r) for r in ("ipvsd", "vrrpd")] == n.pids, "a room was replaced")
        return "0 operations; adverts within %.1f ms of their time" % on_time(lab, n.since, n.until, (51, 52, 53))


@case("reload-counts-one", "a reload that changes one instance: only what is that instance's goes to the kernel, the others' adverts do not notice", limit=120)
def one(lane):
    with lane.lab("a") as lab:
        d = begin(lane, lab, router(1), router(2), router(3))
        changed = router(2).replace(EXCLUDED % 2, EXCLUDED % 7).replace(ROUTE % 2 + " dev", ROUTE % 7 + " dev")
        with Counting(lab, d) as n:
            d.reload(whole(router(1), changed, router(3)))
            lab.wait(lambda: EXCLUDED % 7 in lab.a.addresses() and EXCLUDED % 2 not in lab.a.addresses(), 5, "the change")
            time.sleep(1.5)
        sent = n.netlink()
        check(sent, "nothing was sent: strace is blind")
        kinds = sorted(int(k, 16) for c in sent for k in re.findall(r"nlmsg_type=(?:RTM_\w+ /\* )?(0x[0-9a-f]+)", c))
        asked, did = [k for k in kinds if k % 4 == 2], [k for k in kinds if k % 4 != 2]
        check(did == [20, 21, 24, 25], "not one address and one route in and out: %s of %s", did, sent[:2])  # RTM_NEWADDR ... RTM_DELROUTE
        check(len(asked) <= 4, "%d questions, of an address gone routes are read again: %s", len(asked), asked)
        strange = [line for line in n.heard() if not re.search(r"10\.77\.9\.[27]|10\.90\.[27]\.|lladdr|table local|^\s", line)]
        check(not strange, "something of others has changed: %s", strange[:2])
        events = {e.addr for e in lab.events("addr", "a", since=n.since)}
        check(events == {EXCLUDED % 2, EXCLUDED % 7}, "addresses touched: %s", events)
        others = [f.sender for f in lab.seen("garp", "a", n.since) if f.sender != EXCLUDED % 7]
        check(not others, "announced again: %s", others[:2])
        return "4 changes and %d questions; adverts within %.1f ms of their time" % (len(asked), on_time(lab, n.since, n.until, (51, 53)))
