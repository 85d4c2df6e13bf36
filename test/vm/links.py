"""VLAN, VRF and dummy interfaces, and crashes on the kernel users have. It looks at states, never at milliseconds."""
import time

from case import case, check, need_ours
from lab import Failure, Lab, conf, run

VIP = conf.VIPS[0]


def holds(lab, node, addr, dev):
    out = run("ip", "-n", lab.nodes[node].ns, "-o", "addr", "show", "dev", dev, check=False).stdout
    return " %s/" % addr in out


def failover_on(lane, lab, dev):
    """a becomes master on dev, dies whole, b takes over on dev."""
    for node, priority in (("a", 200), ("b", 100)):
        lab.nodes[node].start(lane.daemon, conf.whole(conf.instance(priority=priority, vips=[VIP], interface=dev)))
        lab.wait(lambda n=node: n == "b" or holds(lab, n, VIP, dev), 90, "the VIP on %s of %s" % (dev, node))
    time.sleep(3)
    if holds(lab, "b", VIP, dev):
        raise Failure("two masters: adverts do not cross " + dev)
    lab.a.daemon.kill_all()
    lab.wait(lambda: holds(lab, "b", VIP, dev), 90, "take-over on " + dev)


@case("vlan")
def vlan(lane):
    """VRRP and VIP on a tagged interface; master dies, backup takes over"""
    with Lab("ab") as lab:
        for n in lab.nodes.values():
            n.batch("link add link eth0 name eth0.10 type vlan id 10\nlink set eth0.10 up\naddr add 10.10.0.%d/24 dev eth0.10" % n.index)
        failover_on(lane, lab, "eth0.10")


@case("vrf")
def vrf(lane):
    """VRRP on an interface enslaved to a VRF; master dies, backup takes over"""
    with Lab("ab") as lab:
        for n in lab.nodes.values():
            n.batch("link add blue type vrf table 10\nlink set blue up\nlink set eth0 master blue")
        failover_on(lane, lab, "eth0")


@case("dummy")
def dummy(lane):
    """a VIP with dev dummy0 comes with mastership and goes with SIGTERM"""
    with Lab("a") as lab:
        lab.a.batch("link add dummy0 type dummy\nlink set dummy0 up")
        vi = conf.instance(vips=[VIP], extra="virtual_ipaddress_excluded {\n 192.0.2.10/32 dev dummy0\n fd99::1/128 dev dummy0\n}")
        d = lab.a.start(lane.daemon, conf.whole(vi))
        lab.wait(lambda: holds(lab, "a", "192.0.2.10", "dummy0") and holds(lab, "a", "fd99::1", "dummy0"), 90, "addresses on dummy0")
        status, _ = d.stop(60)
        left = holds(lab, "a", "192.0.2.10", "dummy0") or holds(lab, "a", "fd99::1", "dummy0")
        check(status == 0 and not left, "left behind, or exit status %d", status)


@case("crash")
def crash(lane):
    """SIGKILL of vrrpd and of ipvsd on this kernel: the address never leaves it"""
    need_ours(lane)
    with Lab("a") as lab:
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(vips=[VIP])))
        lab.wait(lambda: holds(lab, "a", VIP, "eth0"), 90, "the VIP")
        for role in ("vrrpd", "ipvsd"):
            since = time.time_ns()
            lab.crash(d, role, 60)
            lab.wait(lambda s=since: lab.adverts("a", s + 10**9), 60, "an advert after the death of " + role)
            gone = lab.events("addr-", "a", VIP, since)
            if gone:
                raise Failure("the address left the kernel when %s died" % role)
