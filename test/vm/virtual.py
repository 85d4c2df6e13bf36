"""use_ipvlan, and what VRFs make of virtual interfaces: kinds of links that not every kernel has. States, never milliseconds."""
import json
import time

from case import case, check, equal, need_ours
from lab import Lab, conf, now, run

VIP = conf.VIPS[0]
DEV = "vrrp.51"
OWN = "10.77.0.51"


def links(node):
    return {one["ifname"]: one for one in json.loads(run("ip", "-n", node.ns, "-j", "-d", "link").stdout)}


def on(node, dev):
    out = run("ip", "-n", node.ns, "-o", "addr", "show", "dev", dev, check=False).stdout
    return {line.split()[3].split("/")[0] for line in out.splitlines()}


def one(node, extra, priority=200, **kw):
    vi = conf.instance(priority=priority, extra=extra, vips=kw.pop("vips", [VIP]), **kw)
    return conf.whole(vi)


@case("ipvlan")
def ipvlan(lane):
    """use_ipvlan: adverts from its own address through the ipvlan; crash, reload, stop; a peer takes over on its own"""
    need_ours(lane)
    with Lab("ab") as lab:
        d = lab.a.start(lane.daemon, one(lab.a, "use_ipvlan %s/24" % OWN))
        lab.wait(lambda: VIP in on(lab.a, DEV), 90, "the VIP on the ipvlan")
        is_now = links(lab.a)[DEV]
        equal(is_now["linkinfo"]["info_kind"], "ipvlan", "kind of " + DEV)
        equal(is_now["linkinfo"]["info_data"]["mode"], "l2", "mode of " + DEV)
        first = lab.wait(lambda: lab.adverts("a"), 30, "an advert")[0]
        equal((first.src, first.eth_src), (OWN, lab.a.mac), "source of the first advert")
        for role in ("ipvsd", "vrrpd"):
            lab.crash(d, role, 60)
        time.sleep(3)
        since = now()
        d.reload(one(lab.a, "use_ipvlan %s/24\ngarp_master_repeat 3" % OWN))
        time.sleep(5)
        equal(links(lab.a)[DEV]["ifindex"], is_now["ifindex"], "index of the ipvlan after crashes and a reload")
        check(not lab.events(node="a", since=since), "the reload was seen: %s", lab.events(node="a", since=since))
        check({VIP, OWN} <= on(lab.a, DEV), "addresses: %s", on(lab.a, DEV))
        lab.b.start(lane.daemon, one(lab.b, "use_ipvlan name iv0 10.77.0.52/24 group 5", priority=100))
        lab.wait(lambda: "10.77.0.52" in on(lab.b, "iv0"), 60, "the ipvlan of the backup and its address")
        time.sleep(5)
        check(VIP not in on(lab.b, "iv0"), "two masters: adverts do not reach the backup's ipvlan")
        equal(links(lab.b)["iv0"]["group"], "5", "group of the backup's ipvlan")
        asked = now()
        status, _ = d.stop(60)
        equal(status, 0, "exit status")
        check(DEV not in links(lab.a), "the ipvlan is left behind")
        zero = lab.adverts("a", asked, priority=0)
        check(zero and zero[0].src == OWN, "priority 0 from %s: %s", OWN, zero)
        lab.wait(lambda: VIP in on(lab.b, "iv0"), 60, "the backup's take-over")


@case("ipvlan-modes")
def modes(lane):
    """two ipvlans of mode private on one interface, of both families; changed by a reload; eth0 deleted and back"""
    need_ours(lane)
    def text(mode):
        return conf.whole(conf.instance("VI_4", 51, 200, vips=[VIP], extra="use_ipvlan %s/24 %s" % (OWN, mode)),
                          conf.instance("VI_6", 52, 200, vips=["fe80::100"], extra="use_ipvlan"))
    with Lab("a") as lab:
        d = lab.a.start(lane.daemon, text("private"))
        lab.wait(lambda: VIP in on(lab.a, DEV) and "fe80::100" in on(lab.a, "vrrp.52"), 90, "both VIPs")
        flags = lambda name: links(lab.a)[name]["linkinfo"]["info_data"].get("private")
        check(all(flags(n) for n in (DEV, "vrrp.52")), "not private: %s", links(lab.a)[DEV]["linkinfo"])
        before = links(lab.a)[DEV]["ifindex"]
        d.reload(text("vepa"))
        lab.wait(lambda: links(lab.a)[DEV]["linkinfo"]["info_data"].get("vepa"), 60, "mode vepa")
        equal(links(lab.a)[DEV]["ifindex"], before, "index after the change of mode")
        lab.a.batch("link del eth0")
        lab.wait(lambda: DEV not in links(lab.a), 30, "the ipvlan's end with eth0")
        since = now()
        lab.a.plug()
        lab.wait(lambda: {VIP, OWN} <= on(lab.a, DEV) and "fe80::100" in on(lab.a, "vrrp.52"), 90, "everything back")
        lab.wait(lambda: {a.src for a in lab.adverts("a", since)} >= {OWN, lab.a.link_local}, 60, "adverts of both")
        lab.a.batch("addr del %s/24 dev %s" % (OWN, DEV))
        lab.wait(lambda: OWN in on(lab.a, DEV), 30, "the return of its own address")


@case("ipvlan-busy")
def busy(lane):
    """a macvlan on the interface: no ipvlan beside it; FAULT with the reason, healed when the macvlan goes"""
    need_ours(lane)
    with Lab("a") as lab:
        lab.a.batch("link add other link eth0 type macvlan mode private\nlink set other up")
        d = lab.a.start(lane.daemon, one(lab.a, "use_ipvlan %s/24" % OWN))
        lab.wait(lambda: "exclude each other" in d.read_log(), 60, "the reason in the log")
        check(not lab.adverts("a"), "adverts without an ipvlan")
        lab.a.batch("link del other")
        lab.wait(lambda: VIP in on(lab.a, DEV), 60, "the VIP once the macvlan is gone")


@case("vmac-vrf")
def vmac_vrf(lane):
    """a macvlan belongs to the VRF of the interface below, also when that moves"""
    need_ours(lane)
    with Lab("ab") as lab:
        for n in lab.nodes.values():
            n.batch("link add blue type vrf table 10\nlink add red type vrf table 11\nlink set blue up\nlink set red up\nlink set eth0 master blue")
        for name, priority in (("a", 200), ("b", 100)):
            n = lab.nodes[name]
            n.start(lane.daemon, one(n, "use_vmac", priority=priority))
            lab.wait(lambda n=n: links(n).get(DEV, {}).get("master") == "blue", 90, "the macvlan in the VRF on " + name)
            lab.wait(lambda n=n: n is lab.b or VIP in on(n, DEV), 90, "the VIP of " + name)
        time.sleep(5)
        check(VIP not in on(lab.b, DEV), "two masters in a VRF")
        lab.a.batch("link set eth0 master red")
        lab.wait(lambda: links(lab.a)[DEV].get("master") == "red", 60, "the macvlan in the other VRF")
        lab.a.batch("link set eth0 nomaster")
        lab.wait(lambda: "master" not in links(lab.a)[DEV], 60, "the macvlan out of the VRF")
        lab.wait(lambda: VIP in on(lab.a, DEV) and VIP not in on(lab.b, DEV), 90, "one master again, the better one")


@case("vrf-unicast")
def vrf_unicast(lane):
    """vrf: a unicast instance without interface lives in a VRF; FAULT with the reason while there is none"""
    need_ours(lane)
    def text(me, peer, priority):
        return conf.whole("vrrp_instance VI_1 {\n vrf blue\n state BACKUP\n virtual_router_id 51\n priority %d\n version 3\n advert_int 1\n"
                          " unicast_src_ip %s\n unicast_peer {\n  %s\n }\n virtual_ipaddress {\n  %s/24 dev eth0\n }\n}\n" %
                          (priority, me.ip, peer.ip, VIP))
    with Lab("ab") as lab:
        join = "link add blue type vrf table 10\nlink set blue up\nlink set eth0 master blue"
        d = lab.a.start(lane.daemon, text(lab.a, lab.b, 200))
        lab.wait(lambda: "No such device" in d.read_log(), 60, "the reason for the fault")
        check(VIP not in on(lab.a, "eth0"), "master without its VRF")
        lab.a.batch(join)
        lab.b.batch(join)
        lab.wait(lambda: VIP in on(lab.a, "eth0"), 90, "the VIP in the VRF")
        lab.wait(lambda: lab.adverts("a"), 30, "an advert")
        lab.b.start(lane.daemon, text(lab.b, lab.a, 100))
        time.sleep(10)
        check(VIP not in on(lab.b, "eth0"), "two masters: unicast adverts do not cross the VRF")
        d.stop(60)
        lab.wait(lambda: VIP in on(lab.b, "eth0"), 60, "the backup's take-over")
