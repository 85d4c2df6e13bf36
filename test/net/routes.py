"""Routes and rules: what the kernel holds is what the incumbent installs for the same file; foreign removal; the end."""
import contextlib
import os
import signal
import time

from case import case, check
from lab import Skip, conf, run

TEXT = """static_routes {
    10.90.0.0/24 via 10.77.0.99 dev eth0
    10.90.1.0/24 dev eth0
    unreachable 10.90.3.0/24
    prohibit 10.90.4.0/24 metric 9
    throw 10.90.5.0/24 table 55
    10.90.7.0/24 nexthop via 10.77.0.98 dev eth0 weight 3 nexthop via 10.77.0.99 dev eth0 weight 5
    10.90.8.0/24 via 10.77.0.99 tos 0x10 realms 3/4
    10.90.9.0/24 via 10.99.9.9 dev eth0 onlink
    10.90.13.0/24 dev eth0 mtu lock 1400 advmss 1300 window 5000 congctl cubic hoplimit 9 reordering 4
    10.90.14.0/24 dev eth0 scope host append
    2001:db8:8::/48 dev eth0 metric 12
    default via 10.77.0.99 table 56
}
static_rules {
    from 10.91.0.0/24 table 71 preference 1071
    to 10.92.0.0/24 fwmark 0x5/0xff iif eth0 lookup 72 priority 1072
    from all tos 0x10 oif eth0 blackhole preference 1073
    from 10.93.0.0/16 prohibit preference 1074
    from 10.94.0.0/16 goto 1080 preference 1076
    from 10.94.0.0/16 nop preference 1080
    not from 10.95.0.0/16 table 73 suppress_prefixlength 24 preference 1081
    from 10.96.0.0/16 table 75 uidrange 5-10 preference 1083
    from 10.97.0.0/16 table 76 ipproto tcp sport 10-20 dport 30-40 preference 1084
    from 10.98.0.0/16 table 77 realms 5/6 preference 1085
    from 10.99.0.0/16 table 80
    from 10.100.0.0/16 table 81
    from 2001:db8:1::/48 table 82
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        10.77.0.100/24
    }
}
"""


def held(node):
    """Every route of the protocol and every rule, as ip(8) tells them."""
    out = []
    for family in "-4", "-6":
        out += run("ip", "-n", node.ns, family, "-d", "route", "show", "table", "all", "proto", "18").stdout.split("\n")
        out += run("ip", "-n", node.ns, family, "-d", "rule", "show").stdout.split("\n")
    return [line.strip() for line in out if line.strip()]


def settled(lab, node, marker="lookup 82"):
    lab.wait(lambda: any(marker in line for line in held(node)), 5, "the last rule")
    time.sleep(0.3)
    return held(node)


@case("routes-as-the-incumbent", "static routes and rules: the kernel tells the same of ours and of the incumbent's")
def as_the_incumbent(lane):
    if not lane.incumbent:
        raise Skip("no keepalived here: apt install keepalived")
    seen = []
    for daemon in lane.incumbent, lane.daemon:
        with lane.lab("a") as lab:
            d = lab.a.start(daemon, conf.whole(TEXT))
            seen.append(settled(lab, lab.a))
            d.stop()
    theirs, ours = seen
    check(ours == theirs, "only theirs: %s; only ours: %s", [x for x in theirs if x not in ours], [x for x in ours if x not in theirs])
    return "%d lines" % len(ours)


@case("routes-repaired", "a route and a rule removed by a foreign hand or while ipvsd is dead come back; at the end all are gone")
def repaired(lane):
    with lane.lab("a") as lab:
        before = held(lab.a)
        d = lab.a.start(lane.daemon, conf.whole(TEXT))
        whole = settled(lab, lab.a)

        def rob():
            run("ip", "-n", lab.a.ns, "route", "del", "10.90.0.0/24")
            run("ip", "-n", lab.a.ns, "rule", "del", "preference", "1071")
        rob()
        lab.wait(lambda: sorted(held(lab.a)) == sorted(whole), 3, "all of them back")
        pid = d.role("ipvsd")
        os.kill(pid, signal.SIGSTOP)
        rob()
        with contextlib.suppress(ProcessLookupError):  # the parent kills who is stopped, perhaps before us
            os.kill(pid, signal.SIGKILL)
        lab.wait(lambda: sorted(held(lab.a)) == sorted(whole), 5, "all of them back from the next ipvsd")
        check(d.stop()[0] == 0 and held(lab.a) == before, "left behind: %s", [x for x in held(lab.a) if x not in before])
        return "%d lines" % len(whole)


MAIMED = """static_routes {
    2001:db8:21::/48 dev eth0 src fd77::2
    2001:db8:22::/48 nexthop via fd77::98 dev eth0 weight 2 nexthop via fd78::99 dev eth1 weight 3
    2001:db8:23::/48 via fd77::98 src fd77::2 metric 5
    2001:db8:23::/48 via fd77::97 src fd77::2 metric 6
}
"""


@case("routes-maimed", "IPv6 keeps what is left of a route whose source or one of whose paths was taken: it is whole again, and gone at the end")
def maimed(lane):
    fork = "link add eth1 type veth peer name eth2\nlink set eth1 up\nlink set eth2 up\naddr add fd78::1/64 dev eth1 nodad"
    with lane.lab("a") as lab:
        lab.a.batch(fork)

        def routes():
            out = run("ip", "-n", lab.a.ns, "-6", "route", "show", "proto", "18").stdout
            return [line.strip() for line in out.split("\n") if line.strip()]
        d = lab.a.start(lane.daemon, conf.whole("static_ipaddress {\n    fd77::2/64 dev eth0\n}\n" + MAIMED))
        lab.wait(lambda: len(routes()) == 6, 5, "all of them")
        whole = routes()

        def mended(what):
            lab.wait(lambda: routes() == whole, 3, "after %s" % what)
        lab.a.batch("addr del fd77::2/64 dev eth0")
        mended("the theft of the source address")
        lab.a.batch("route del 2001:db8:22::/48 via fd78::99")
        mended("the theft of a path")
        lab.a.batch("link set eth1 down")
        lab.a.batch("link set eth1 up\naddr add fd78::1/64 dev eth1 nodad")
        mended("an interface was down")
        lab.a.batch("link del eth1")
        time.sleep(0.5)
        lab.a.batch(fork)
        mended("an interface was away")
        lab.a.batch("link del eth1")
        time.sleep(1.2)
        check(d.stop()[0] == 0 and routes() == [], "left behind: %s", routes())
        return "%d lines" % len(whole)


@case("routes-crash-in-reload", "ipvsd dies while a reload gives an IPv6 route another interface and its router a new VRID: the old route does not stay behind", limit=90)
def crash_in_reload(lane):
    def text(dev, vrid):
        return conf.whole(conf.instance(vrid=vrid, priority=200, interval=0.1, extra="virtual_routes {\n    fd99:3::/64 dev %s mtu 1300\n}" % dev))

    with lane.lab("a") as lab:
        lab.a.batch("link add eth1 type veth peer name eth2\nlink set eth1 up\nlink set eth2 up\naddr add fd78::1/64 dev eth1 nodad")

        def devices():
            out = run("ip", "-n", lab.a.ns, "-6", "route", "show", "proto", "18").stdout
            return [line.split(" dev ")[1].split()[0] for line in out.split("\n") if line.startswith("fd99:3::/64")]
        d = lab.a.start(lane.daemon, text("eth0", 51))
        lab.wait(lambda: devices() == ["eth0"], 5, "the route")
        for n in range(6):
            dev = "eth0" if n % 2 else "eth1"
            d.write(text(dev, 52 + n))
            pid = d.role("ipvsd")
            os.kill(d.pid, signal.SIGHUP)
            time.sleep(n * 0.004)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            lab.wait(lambda: dev in devices(), 8, "the route on %s" % dev)
            check(devices() == [dev], "reload %d: it is on %s, must be on %s alone", n, devices(), dev)
            time.sleep(1)
        return "6 reloads"
