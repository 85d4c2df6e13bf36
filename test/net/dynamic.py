"""Interfaces under a running daemon: renamed, swapped, moved to another namespace, made again with the index of another; what others
do to our macvlans; interfaces that instances depend on without carrying their adverts. The random counterpart is churn.py."""
import json
import os
import random
import time

from case import case, check
from lab import Skip, Speaker, conf, now, run

INTERVAL = 0.2
VIP = conf.VIPS[0]
VMAC = "vrrp.51"


def links(ns):
    return {one["ifname"]: one for one in json.loads(run("ip", "-n", ns, "-j", "-d", "link").stdout)}


def on(node, dev):
    out = run("ip", "-n", node.ns, "-o", "addr", "show", "dev", dev, check=False).stdout
    return {line.split()[3].split("/")[0] for line in out.splitlines()}


def text(extra="", vips=(VIP,), more="", glob="    dynamic_interfaces\n"):
    return conf.whole(conf.instance(priority=200, interval=INTERVAL, vips=vips, extra=extra), more, glob=glob)


def silent(lab, why, since=None):
    time.sleep(2 * INTERVAL)
    quiet = now()
    time.sleep(3 * INTERVAL)
    check(not lab.adverts("a", since or quiet), why)


@case("interface-renamed", "renamed while MASTER: what was ours does not stay on it; with its name it is MASTER again", vmac=False)
@case("interface-renamed-vmac", "the same with a macvlan on it", vmac=True)
def renamed(lane, vmac):
    dev = VMAC if vmac else "eth0"
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text("use_vmac" if vmac else ""))
        lab.wait_master("a", [VIP])
        for old, new in (("eth0", "wan0"), ("wan0", "eth0")):
            if run("ip", "-n", lab.a.ns, "link", "set", old, "name", new, check=False).returncode:  # kernels before 6.2: not while up
                lab.a.batch("link set %s down\nlink set %s name %s\nlink set %s up" % (old, old, new, new))
            if new == "wan0":
                lab.wait(lambda: VIP not in lab.a.addresses(), 3, "the virtual address gone from the renamed interface")
                check(lab.a.ip in on(lab.a, "wan0"), "the interface's own address was removed")
                silent(lab, "it advertises on an interface that is not configured")
                check("-> FAULT: interface eth0 does not exist" in d.read_log(), "the reason is not told")
        lab.wait(lambda: VIP in on(lab.a, dev), 5, "the address back")
        lab.wait(lambda: lab.adverts("a", now() - int(0.3e9)), 3, "adverts")


@case("interface-bounced", "eth0 leaves for another namespace and is back under its old index before anybody looks: the group is still heard", v6=False)
@case("interface-bounced-v6", "the same with IPv6", v6=True)
def bounced(lane, v6):
    vips = ["fe80::51", "fd00::51"] if v6 else [VIP]
    with lane.lab("am") as lab:
        d = lab.a.start(lane.daemon, text("native_ipv6" if v6 else "", vips))
        lab.wait_master("a", vips)
        home, ipvsd = lab.prefix + "-away", d.role("ipvsd")
        run("ip", "netns", "add", home)
        try:
            index = links(lab.a.ns)["eth0"]["ifindex"]
            lab.freeze(d, True)
            run("ip", "-n", lab.a.ns, "link", "set", "eth0", "netns", home)
            run("ip", "-n", home, "link", "set", "eth0", "netns", lab.a.ns)
            lab.a.batch("link set eth0 up\naddr add %s/24 dev eth0" % lab.a.ip)
            check(links(lab.a.ns)["eth0"]["ifindex"] == index, "it has another index: nothing is shown")
            lab.freeze(d, False)
            lab.wait(lambda: "FAULT -> BACKUP" in d.read_log(), 5, "the interface seen as new")
            lab.wait_master("a", vips, 8)
            Speaker(lab, "m", INTERVAL, priority=250, vips=vips).start()
            lab.wait(lambda: not set(vips) & set(lab.a.addresses()), 3, "a better master heard")
            check(d.role("ipvsd") == ipvsd, "ipvsd was replaced: nothing is shown")
        finally:
            run("ip", "netns", "del", home)


@case("interface-swapped", "two interfaces exchange their names: the address is on the new eth0 alone")
def swapped(lane):
    with lane.lab("a") as lab:
        lab.a.batch("link add eth1 type veth peer name far\nlink set eth1 up\nlink set far up\naddr add 10.77.1.1/24 dev eth1")
        lab.a.start(lane.daemon, text())
        lab.wait_master("a", [VIP])
        lab.a.batch("link set eth0 down\nlink set eth1 down\nlink set eth0 name tmp0\nlink set eth1 name eth0\nlink set tmp0 name eth1\n"
                    "link set eth0 up\nlink set eth1 up")
        lab.wait(lambda: VIP in on(lab.a, "eth0"), 5, "the address on the other interface")
        check(VIP not in on(lab.a, "eth1"), "the address stays on the interface that was eth0")


@case("interface-same-index", "eth0 moves away and another one gets its name and its index: nothing of the old one is used")
def same_index(lane):
    with lane.lab("a") as lab:
        away = lab.prefix + "-away"
        run("ip", "netns", "add", away)
        d = lab.a.start(lane.daemon, text("use_vmac"))
        lab.wait_master("a", [VIP])
        index = links(lab.a.ns)["eth0"]["ifindex"]
        old = links(lab.a.ns)[VMAC]["ifindex"]
        lab.a.batch("link set eth0 netns " + away)
        lab.wait(lambda: VIP not in lab.a.addresses(), 3, "the address withdrawn")
        since = now()
        run("ip", "-n", lab.switch, "-batch", "-", text="link del p-a\n")  # its cable; the interface itself goes with it
        lab.a.batch("link add name eth0 index %d type veth peer name far\nlink set far up\nlink set eth0 address %s up\naddr add %s/24 dev eth0" %
                    (index, lab.a.mac, lab.a.ip))
        lab.wait(lambda: VIP in on(lab.a, VMAC), 5, "the address on a new macvlan")
        is_now = links(lab.a.ns)[VMAC]
        check(links(lab.a.ns)["eth0"]["ifindex"] == index, "the new eth0 has another index: nothing is shown")
        check(is_now["ifindex"] != old and is_now.get("link") == "eth0", "the macvlan is that of the old eth0: %s", is_now)
        check(d.role("ipvsd") and not lab.adverts("a", since), "adverts left by the old interface")


@case("vmac-moved-base", "eth0 moves to another namespace and another eth0 takes its name and index: the macvlan left over is not used")
def moved_base(lane):
    with lane.lab("a") as lab:
        away = lab.prefix + "-away"
        run("ip", "netns", "add", away)
        lab.a.start(lane.daemon, text("use_vmac"))
        lab.wait_master("a", [VIP])
        index = links(lab.a.ns)["eth0"]["ifindex"]
        lab.a.batch("link set eth0 netns %s\nlink add name eth0 index %d type veth peer name far\nlink set far up\nlink set eth0 address %s up\n"
                    "addr add %s/24 dev eth0" % (away, index, lab.a.mac, lab.a.ip))
        lab.wait(lambda: VIP in on(lab.a, VMAC), 5, "the address on a macvlan")
        is_now = links(lab.a.ns)[VMAC]
        check(links(lab.a.ns)["eth0"]["ifindex"] == index, "the new eth0 has another index: nothing is shown")
        check(is_now.get("link") == "eth0" and "link_netnsid" not in is_now, "the macvlan is above an interface elsewhere: %s", is_now)


@case("vmac-meddled", "somebody deletes our macvlan, sets it down, renames it: made, up and named again, none left over")
def meddled(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text("use_vmac"))
        lab.wait_master("a", [VIP])
        time.sleep(0.5)
        for what in ("link del " + VMAC, "link set %s down" % VMAC, "link set %s down\nlink set %s name odd0" % (VMAC, VMAC)):
            lab.a.batch(what)
            lab.wait(lambda: VMAC in links(lab.a.ns) and "UP" in links(lab.a.ns)[VMAC]["flags"], 3, "the macvlan, after " + what)
            lab.wait(lambda: VIP in on(lab.a, VMAC), 3, "the address on it, after " + what)
            since = now()
            lab.wait(lambda: [f for f in lab.adverts("a", since) if f.eth_src == "00:00:5e:00:01:33"], 3, "adverts, after " + what)
        check("odd0" not in links(lab.a.ns), "the renamed macvlan is left over")
        check("was set down by somebody" in d.read_log() and "was renamed to odd0" in d.read_log(), "the reasons are not told")


@case("source-not-static", "an address of static_ipaddress is a source only while the interface has none of its own")
def static_source(lane):
    with lane.lab("a", plug=False) as lab:
        more = "static_ipaddress {\n    10.99.0.1/32 dev eth0\n}\n"
        lab.a.start(lane.daemon, text(more=more))
        time.sleep(0.5)
        run("ip", "-n", lab.switch, "-batch", "-", text="link add p-a type veth peer name eth0 netns %s\nlink set p-a master br0 up\n" % lab.a.ns)
        lab.a.batch("link set eth0 address %s up" % lab.a.mac)
        lab.wait(lambda: [f for f in lab.adverts("a") if f.src == "10.99.0.1"], 5, "adverts from the static address, which is the only one")
        lab.a.batch("addr add %s/24 dev eth0" % lab.a.ip)
        lab.wait(lambda: [f for f in lab.adverts("a") if f.src == lab.a.ip], 3, "adverts from the interface's own address")
        since = now() + int(0.3e9)
        time.sleep(1)
        check({f.src for f in lab.adverts("a", since)} == {lab.a.ip}, "adverts from %s", {f.src for f in lab.adverts("a", since)})


@case("address-interface-tracked", "the interface of an address elsewhere goes down: FAULT, unless the line says no_track")
def address_tracked(lane):
    with lane.lab("a") as lab:
        lab.a.batch("link add d0 type veth peer name d1\nlink set d0 up\nlink set d1 up")
        vi = "    virtual_ipaddress_excluded {\n        192.0.2.1/32 dev d0%s\n    }"
        d = lab.a.start(lane.daemon, text(vi % ""))
        lab.wait_master("a", [VIP, "192.0.2.1"])
        lab.a.batch("link set d1 down")
        lab.wait(lambda: VIP not in lab.a.addresses(), 3, "the fault")
        check("d0" in d.read_log().split("FAULT")[-1], "the reason is not told: %s", d.read_log().split("FAULT")[-1])
        lab.a.batch("link set d1 up")
        lab.wait_master("a", [VIP, "192.0.2.1"], since=now())
        d.reload(text(vi % " no_track"))
        time.sleep(0.5)
        since = now()
        lab.a.batch("link set d1 down")
        time.sleep(4 * INTERVAL)
        check(len(lab.adverts("a", since)) >= 3 and not lab.adverts("a", since, priority=0), "no_track is tracked all the same")


@case("ipvlan-unknown", "use_ipvlan on a kernel without: FAULT with the reason, the other instances run")
def ipvlan_unknown(lane):
    with lane.lab("a") as lab:
        if run("ip", "-n", lab.a.ns, "link", "add", "link", "eth0", "name", "iv0", "type", "ipvlan", check=False).returncode == 0:
            lab.a.batch("link del iv0")
            raise Skip("this kernel has ipvlan: test/vm/virtual.py shows it at work")
        d = lab.a.start(lane.daemon, conf.whole(
            conf.instance("VI_1", 51, 200, interval=INTERVAL, vips=[VIP], extra="use_ipvlan 10.77.0.51/24"),
            conf.instance("VI_2", 52, 200, interval=INTERVAL, vips=[conf.VIPS[1]])))
        lab.wait_master("a", [conf.VIPS[1]])
        lab.wait(lambda: "this kernel has no ipvlan" in d.read_log(), 3, "the reason in the log")
        check(VIP not in lab.a.addresses() and not lab.adverts("a", vrid=51), "it runs without its ipvlan")
        status, _ = d.stop()
        check(status == 0, "exit status %d", status)


@case("reload-news", "a cable pulled in the middle of a reload: status and log say the same afterwards")
def reload_news(lane):
    rng = random.Random(5)
    holdctl = os.path.join(os.path.dirname(lane.daemon[0]), "holdctl")
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", [VIP])

        def state():
            out = run(holdctl, "-s", "/proc/%d/root/run/holdfast/control" % d.pid, "--json", "status", check=False).stdout
            return [one["state"] for one in json.loads(out or "{}").get("instances", [])]
        for n in range(30):
            count = d.read_log().count("reload complete")
            d.reload()
            time.sleep(rng.uniform(0, 0.06))
            lab.a.cable(False)
            lab.wait(lambda: d.read_log().count("reload complete") > count, 10, "the reload")
            lab.wait(lambda: VIP not in lab.a.addresses(), 3, "the fault")
            time.sleep(0.05)
            check(state() == ["FAULT"], "reload %d: status says %s", n, state())
            lab.a.cable(True)
            lab.wait(lambda: VIP in lab.a.addresses(), 5, "MASTER again")
