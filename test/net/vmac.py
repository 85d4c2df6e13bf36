"""Virtual MACs: what leaves by the macvlan, that it outlives our processes but not our stop, and what a reload does to it."""
import json
import os
import signal
import socket
import time

from case import case, check, steady
from lab import conf, now, run, watch

INTERVAL = 0.2
VMAC = "vrrp.51"
MAC = "00:00:5e:00:01:33"
MAC6 = "00:00:5e:00:02:33"
KNOBS = ("conf/eth0/arp_ignore", "conf/eth0/arp_filter", "conf/all/arp_ignore", "conf/all/rp_filter")


def links(node):
    return {one["ifname"]: one for one in json.loads(run("ip", "-n", node.ns, "-j", "-d", "link").stdout)}


def knob(node, name, family="ipv4"):
    return run("ip", "netns", "exec", node.ns, "cat", "/proc/sys/net/%s/%s" % (family, name)).stdout.strip()


def knobs(node):
    return {k: knob(node, k) for k in KNOBS}


def on(node, dev):
    out = run("ip", "-n", node.ns, "-o", "addr", "show", "dev", dev, check=False).stdout
    return {line.split()[3].split("/")[0] for line in out.splitlines()}


def text(extra="use_vmac", vips=conf.VIPS, **kw):
    return conf.whole(conf.instance(priority=200, interval=INTERVAL, vips=vips, extra=extra, **kw))


@case("vmac-kept-over-crashes", "killed ipvsd, killed vrrpd, killed both: the macvlan and its addresses stay, adverts go on")
def crashes(lane):
    with lane.master(interval=INTERVAL, extra="use_vmac") as (lab, d):
        before = links(lab.a)[VMAC]
        since = now()
        for roles in (("ipvsd",), ("vrrpd",), ("ipvsd", "vrrpd")):
            pids = [d.role(r) for r in roles]
            check(all(pids), "no %s process", roles)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            lab.wait(lambda: all(d.role(r) not in (None, *pids) for r in roles), 5, "new processes")
            time.sleep(1)
        is_now = links(lab.a)[VMAC]
        check(is_now["ifindex"] == before["ifindex"], "the macvlan is another one")
        check(set(conf.VIPS) <= on(lab.a, VMAC), "addresses are missing: %s", on(lab.a, VMAC))
        check(all(f.eth_src == MAC for f in lab.adverts("a", since)), "adverts from another address")
        check(not [e for e in lab.events("addr-", "a", since=since)], "addresses were taken out meanwhile")
        d.stop()
        check(VMAC not in links(lab.a), "a successor does not know that the macvlan is ours")
        return "longest gap %.0f ms" % max((b.ts - a.ts) / 1e6 for a, b in zip(lab.adverts("a", since), lab.adverts("a", since)[1:]))


@case("vmac-stop", "a stop: priority 0 through the macvlan, then it is gone and eth0 has its switches back")
def stop(lane):
    with lane.lab("a") as lab:
        before = knobs(lab.a)
        check(before["conf/eth0/arp_ignore"] == "0", "the test wants a host with arp_ignore 0")
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", conf.VIPS)
        check(knob(lab.a, "conf/eth0/arp_ignore") == "1" and knob(lab.a, "conf/eth0/arp_filter") == "1", "eth0 answers for the macvlan")
        check(knob(lab.a, "conf/%s/arp_ignore" % VMAC) == "1", "the macvlan answers for eth0")
        check(knob(lab.a, "conf/%s/disable_ipv6" % VMAC, "ipv6") == "1", "IPv6 on a macvlan of IPv4 addresses")
        os.kill(d.role("ipvsd"), signal.SIGKILL)  # its successor must know the old values
        time.sleep(1)
        asked, said = now(), len(d.read_log())
        d.stop()
        check("successor" not in d.read_log()[said:], "at a stop nobody waits for a successor: %s", d.read_log()[said:])
        zero = lab.adverts("a", asked, priority=0)
        check(zero and all(f.eth_src == MAC for f in zero), "no priority 0 from %s", MAC)
        check(VMAC not in links(lab.a), "the macvlan is left behind")
        check(knobs(lab.a) == before, "switches: %s, they were %s", knobs(lab.a), before)


@case("vmac-ipv6", "IPv6: MAC of the other kind, link-local source of eth0, no addresses of its own on the macvlan")
def ipv6(lane):
    with lane.lab("a") as lab:
        lab.a.start(lane.daemon, text(vips=conf.VIPS6))
        first = lab.wait_master("a", conf.VIPS6)
        check(first.eth_src == MAC6 and first.src == lab.a.link_local, "from %s, %s", first.eth_src, first.src)
        check(on(lab.a, VMAC) == set(conf.VIPS6), "addresses on the macvlan: %s", on(lab.a, VMAC))
        check(knob(lab.a, "conf/%s/accept_ra" % VMAC, "ipv6") == "0", "the macvlan listens to router advertisements")


@case("vmac-reload", "a reload that changes nothing touches nothing; one that drops use_vmac removes it, back again makes it")
def reload(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", conf.VIPS)
        time.sleep(1.5)  # the kernel's late news of a new interface
        before, since = links(lab.a)[VMAC]["ifindex"], now()
        d.reload(text("use_vmac\ngarp_master_repeat 3"))
        time.sleep(1)
        check(links(lab.a)[VMAC]["ifindex"] == before and not lab.events(node="a", since=since), "the reload was seen: %s",
              lab.events(node="a", since=since))
        gap = steady(lab, "a", since, INTERVAL)
        asked = now()
        d.reload(text(""))
        lab.wait(lambda: VMAC not in links(lab.a), 3, "the end of the macvlan")
        lab.wait(lambda: [f for f in lab.adverts("a", asked) if f.eth_src == lab.a.mac and f.priority], 5, "adverts from eth0")
        check(set(conf.VIPS) <= on(lab.a, "eth0"), "addresses of eth0: %s", on(lab.a, "eth0"))
        check(knob(lab.a, "conf/eth0/arp_ignore") == "0", "the switch of eth0 is not put back")
        asked = now()
        d.reload(text())
        lab.wait(lambda: [f for f in lab.adverts("a", asked) if f.eth_src == MAC], 5, "adverts from the macvlan")
        lab.wait(lambda: set(conf.VIPS) <= on(lab.a, VMAC), 3, "the addresses on it")
        return "longest gap %.0f ms" % gap


@case("vmac-base-returns", "eth0 is deleted and comes back: a new macvlan, master again")
def base_returns(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", conf.VIPS)
        lab.a.batch("link del eth0")
        lab.wait(lambda: VMAC not in links(lab.a), 3, "the macvlan's end with eth0")
        time.sleep(0.5)
        check(d.role("vrrpd") and d.role("ipvsd"), "a process died")
        since = now()
        lab.a.plug()
        lab.wait(lambda: set(conf.VIPS) <= on(lab.a, VMAC), 5, "addresses on a new macvlan")
        check(knob(lab.a, "conf/eth0/arp_ignore") == "1", "the new eth0 answers for the macvlan")
        lab.wait(lambda: VMAC in links(lab.a) and "UP" in links(lab.a)[VMAC]["flags"], 2, "the macvlan up")
        return "master again after %.0f ms" % ((now() - since) / 1e6)


@case("vmac-foreign", "a macvlan with a MAC of its own is used and left at stop, one with the virtual MAC goes; something else of the name is a fault, told, and healed")
def foreign(lane):
    with lane.lab("a") as lab:
        for mac, left in ("02:00:00:00:77:33", True), (MAC, False):
            lab.a.batch("link add %s link eth0 address %s type macvlan mode private" % (VMAC, mac))
            d = lab.a.start(lane.daemon, text())
            lab.wait_master("a", conf.VIPS)
            if not left:
                lab.crash(d, "ipvsd")
            d.stop()
            check((VMAC in links(lab.a)) == left, "the macvlan with %s is %s at stop", mac, "removed" if left else "left")
            if left:
                lab.a.batch("link del " + VMAC)
        lab.a.batch("link add %s type veth peer name other" % VMAC)
        asked = now()
        d = lab.a.start(lane.daemon, text())
        time.sleep(2)
        check(not lab.adverts("a", asked), "adverts although the name is taken")
        check("is no private macvlan" in d.read_log(), "the reason is not told")
        check("its macvlan %s does not exist" % VMAC in d.read_log(), "the state's reason: %s", d.read_log())
        check(links(lab.a)[VMAC]["linkinfo"]["info_kind"] == "veth", "somebody else's interface was replaced")
        lab.a.batch("link del " + VMAC)
        lab.wait_master("a", conf.VIPS, since=asked)
        check(lab.adverts("a", asked)[0].eth_src == MAC, "adverts from %s", lab.adverts("a", asked)[0].eth_src)
        d.stop()
        lab.a.batch("link add %s type veth peer name other" % VMAC)
        d = lab.a.start(lane.daemon, text("use_ipvlan 10.77.0.50/24"))
        lab.wait(lambda: "its ipvlan %s does not exist" % VMAC in d.read_log(), 3, "the reason of an ipvlan")


@case("vmac-thirty", "thirty routers, each with its macvlan: all master, all gone at stop")
def thirty(lane):
    vips = ["10.77.0.%d" % (100 + n) for n in range(30)]
    blocks = [conf.instance("VI_%d" % n, 100 + n, 200, interval=INTERVAL, vips=[vip], extra="use_vmac") for n, vip in enumerate(vips)]
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, conf.whole(*blocks))
        lab.wait(lambda: all("vrrp.%d" % (100 + n) in links(lab.a) for n in range(30)), 5, "thirty macvlans")
        lab.wait(lambda: set(vips) <= set(lab.a.addresses()), 5, "all addresses")
        seen = lab.wait(lambda: {f.eth_src for f in lab.adverts("a")} if len({f.eth_src for f in lab.adverts("a")}) == 30 else None, 5,
                        "adverts from thirty addresses")
        check(seen == {"00:00:5e:00:01:%02x" % (100 + n) for n in range(30)}, "from %s", seen)
        d.stop()
        check(not [n for n in links(lab.a) if n.startswith("vrrp.")], "macvlans are left behind")


@case("vmac-reports", "membership reports never come from the virtual MAC, which is where the master is, but from eth0")
def reports(lane):
    both = [conf.instance(name, 51, 200, interval=INTERVAL, vips=vips, extra="use_vmac")
            for name, vips in (("VI_4", conf.VIPS), ("VI_6", conf.VIPS6))]
    with lane.lab("a") as lab:
        with watch.in_netns(lab.switch):
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            wire.bind(("p-a", 3))
        with wire:
            d = lab.a.start(lane.daemon, conf.whole(*both))
            lab.wait_master("a", conf.VIPS + conf.VIPS6)
            time.sleep(1.5)
            d.stop()
            wire.setblocking(False)
            seen = []
            while True:
                try:
                    seen.append(wire.recv(2048))
                except BlockingIOError:
                    break
        igmp = [f for f in seen if f[12:14] == b"\x08\x00" and f[23] == 2]
        mld = [f for f in seen if f[12:14] == b"\x86\xdd" and f[20] == 0 and f[62] == 143]
        check(igmp and mld, "%d and %d reports: nothing to judge", len(igmp), len(mld))
        own = bytes.fromhex(lab.a.mac.replace(":", ""))
        check(all(f[6:12] == own for f in igmp + mld), "reports from %s", {f[6:12].hex(":") for f in igmp + mld})
        return "%d IGMP, %d MLD" % (len(igmp), len(mld))
