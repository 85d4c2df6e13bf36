"""Keywords of VRRP no other case judges: announcements, macvlans and their names, delays of links."""
import re
import time

from case import case, check
from kw_vrrp import VIPS, VIPS2, Voice, one, text
from lab import conf, now, run
from leftovers import settled, wire


def announced(lab, since, until=None, vip=VIPS[0], node="a"):
    """When an address was announced, in seconds after since."""
    return [(f.ts - since) / 1e9 for f in lab.seen("garp", node, since, until, sender=vip)]


def bursts(times, gap=0.4):
    """[(when the first of each burst, how many)]"""
    out = []
    for t in times:
        if out and t - out[-1][2] < gap:
            out[-1] = (out[-1][0], out[-1][1] + 1, t)
        else:
            out.append((t, 1, t))
    return [(round(at, 1), n) for at, n, _ in out]


@case("kw-garp-defaults", "vrrp_garp_*: repeats, refresh and the lower-priority burst of instances that say nothing; vrrp_min_garp: one, where nobody said otherwise")
def garp_defaults(lane):
    glob = ("vrrp_garp_master_delay 1\nvrrp_garp_master_repeat 3\nvrrp_garp_master_refresh 1\nvrrp_garp_master_refresh_repeat 2\n"
            "vrrp_garp_lower_prio_delay 2\nvrrp_garp_lower_prio_repeat 4\nvrrp_lower_prio_no_advert")
    own = "garp_master_delay 0\ngarp_master_repeat 2\ngarp_master_refresh 0\ngarp_lower_prio_repeat 0"
    with lane.lab("ax") as lab:
        d = lab.a.start(lane.daemon, text("", glob, one(own, vips=VIPS2, name="VI_2", vrid=52)))
        lab.wait_master("a", VIPS + VIPS2)
        first = lab.wait(lambda: lab.seen("garp", "a", sender=VIPS[0]), 2, "an announcement")[0].ts
        time.sleep(3.3)
        got = bursts(announced(lab, first, first + int(3.2e9)))
        check([n for _, n in got] == [3, 3, 2, 2] and all(abs(at - i) < 0.15 for i, (at, _) in enumerate(got)), "at which second how many: %s", got)
        got = bursts(announced(lab, first - int(1e9), first + int(3.2e9), VIPS2[0]))
        check([n for _, n in got] == [2], "of the instance with words of its own: %s", got)
        d.reload(text("garp_master_refresh 0", glob, one(own, vips=VIPS2, name="VI_2", vrid=52)))
        time.sleep(1.2)
        since = now()
        for vrid, vips in ((51, VIPS), (52, VIPS2)):
            Voice(lab, "x", 100, vips, vrid).once()
        time.sleep(2.5)
        got = bursts(announced(lab, since)), announced(lab, since, vip=VIPS2[0])
        check([n for _, n in got[0]] == [4, 4] and abs(got[0][1][0] - 2) < 0.2 and not got[1], "after a lower advert: %s, %s", *got)
        d.stop()
        since = now()
        lab.a.start(lane.daemon, text("", "vrrp_min_garp", one("garp_master_repeat 3\ngarp_master_delay 1", vips=VIPS2, name="VI_2", vrid=52)))
        lab.wait_master("a", VIPS + VIPS2, since=since)
        first = lab.wait(lambda: lab.seen("garp", "a", since, sender=VIPS[0]), 2, "an announcement")[0].ts
        time.sleep(5.5)
        got = bursts(announced(lab, first)), bursts(announced(lab, since, vip=VIPS2[0]))
        check([n for _, n in got[0]] == [1] and [n for _, n in got[1]] == [3, 3], "vrrp_min_garp: %s; with words of its own: %s", *got)


@case("kw-garp-extra", "vrrp_garp_extra_if, its old name vrrp_vmac_garp_intvl and vmac_garp_intvl: periodic announcements on other interfaces; 0 ends them")
def garp_extra(lane):
    with lane.lab("a") as lab:
        wire(lab, "eth1", "p-a1", "02:00:00:00:0a:01")

        def conf_of(glob, first="", second=""):
            ex = "garp_master_delay 0\nvirtual_ipaddress_excluded {\n 10.77.%d.1/32 dev eth1\n}\n%s"
            return text(ex % (1, first), glob, one(ex % (2, second), vips=VIPS2, name="VI_2", vrid=52))

        def heard():
            time.sleep(0.6)
            since = now()
            time.sleep(2.1)
            return sorted(f.sender for f in lab.seen("garp", since=since))
        d = lab.a.start(lane.daemon, conf_of("vrrp_garp_extra_if all 1", second="garp_extra_if 0"))
        lab.wait_master("a", VIPS + VIPS2)
        got = heard()
        check(got == ["10.77.1.1"] * 2, "vrrp_garp_extra_if: %s", got)
        d.reload(conf_of("vrrp_vmac_garp_intvl all 1", "vmac_garp_intvl 0"))
        got = heard()
        check(got == ["10.77.2.1"] * 2, "the old names: %s", got)
        d.reload(conf_of("vrrp_garp_extra_if 1", "vmac_garp_intvl all 1"))
        got = heard()
        check(got == ["10.77.1.1"] * 2, "without `all` an interface that is no macvlan is left alone: %s", got)


@case("kw-gna-interval", "vrrp_gna_interval and a garp_group's gna_interval: neighbour advertisements of an interface are that far apart, ARP is not")
def gna_interval(lane):
    with lane.lab("a") as lab:
        wire(lab, "eth1", "p-a1", "02:00:00:00:0a:01")
        ex = ("garp_master_delay 0\nvirtual_ipaddress_excluded {\n fd77::201/128 dev eth1 no_track\n fd77::202/128 dev eth1 no_track\n"
              " 10.77.1.1/32 dev eth1 no_track\n}\n")
        group = "garp_group {\n gna_interval 0.3\n interface eth1\n}\n"
        lab.a.start(lane.daemon, text(ex, "vrrp_gna_interval 0.1", one("garp_master_delay 0", vips=("fe80::100", "fd77::100"), name="VI_6", vrid=61), group))
        first = lab.wait_master("a", VIPS + ("fe80::100",))
        time.sleep(3.4)

        def gaps(kind, node):
            seen = sorted(f.ts for f in lab.seen(kind, node, first.ts))
            return len(seen), [(b - a) / 1e6 for a, b in zip(seen, seen[1:])]
        n, g = gaps("na", "a")
        check(n == 10 and 95 < min(g) and max(g) < 150, "eth0: %d, %s", n, g)
        n, g = gaps("na", "a1")
        check(n == 10 and 295 < min(g) and max(g) < 350, "eth1, in the group: %d, %s", n, g)
        n, g = gaps("garp", "a1")
        check(n == 5 and max(g) < 50, "ARP on eth1: %d, %s", n, g)


@case("kw-vmac-names", "vmac_prefix, vmac_addr_prefix, use_vmac_addr: names of macvlans; addresses on other interfaces and of the other family get one of their own MAC")
def vmac_names(lane):
    ex = "virtual_ipaddress_excluded {\n 10.77.1.1/32 dev eth1\n 10.77.0.57/32\n fd77::55/128 dev eth1\n fd77::56/128\n}\n"
    V4, V6 = "00:00:5e:00:01:33", "00:00:5e:00:02:33"

    def held(lab):
        out = run("ip", "-n", lab.a.ns, "-o", "addr").stdout
        return {(line.split()[3].split("/")[0], line.split()[1].split("@")[0]) for line in out.splitlines()}

    def macs(lab):
        out = run("ip", "-n", lab.a.ns, "-o", "link").stdout
        return {tuple(m) for m in re.findall(r": (\S+)@(\S+): .*link/ether (00:00:5e\S+)", out)}
    with lane.lab("a") as lab:
        wire(lab, "eth1", "p-a1", "02:00:00:00:0a:01")
        d = lab.a.start(lane.daemon, text(ex + "use_vmac\nuse_vmac_addr", "vmac_prefix pfx\nvmac_addr_prefix adr"))
        lab.wait_master("a", VIPS)
        want = {("pfx.51", "eth0", V4), ("adr.51", "eth1", V4), ("adr6.51", "eth1", V6), ("adr1.51", "eth0", V6)}
        lab.wait(lambda: macs(lab) == want, 3, "macvlans %s, not %s" % (want, macs(lab)))
        want = {(VIPS[0], "pfx.51"), ("10.77.0.57", "pfx.51"), ("10.77.1.1", "adr.51"), ("fd77::55", "adr6.51"), ("fd77::56", "adr1.51")}
        lab.wait(lambda: want <= held(lab), 3, "addresses %s, not %s" % (want, held(lab)))
        time.sleep(0.3)
        said = {(f.eth_src, f.target) for f in lab.seen("na")} | {(f.eth_src, f.sender) for f in lab.seen("garp", "a1")}
        check({(V6, "fd77::55"), (V6, "fd77::56"), (V4, "10.77.1.1")} <= said, "announced: %s", said)
        d.reload(text(ex + "use_vmac_addr", "vmac_prefix pfx"))
        want = {("pfx.51", "eth1", V4), ("pfx6.51", "eth1", V6), ("pfx1.51", "eth0", V6)}
        lab.wait(lambda: macs(lab) == want, 4, "after the reload macvlans %s" % want)
        want = {(VIPS[0], "eth0"), ("10.77.0.57", "eth0"), ("10.77.1.1", "pfx.51"), ("fd77::55", "pfx6.51"), ("fd77::56", "pfx1.51")}
        lab.wait(lambda: want <= held(lab), 4, "after the reload addresses %s, not %s" % (want, held(lab)))
        d.reload(text(ex))
        lab.wait(lambda: not macs(lab), 4, "the end of all macvlans")
        lab.wait(lambda: {("10.77.1.1", "eth1"), ("fd77::56", "eth0")} <= held(lab), 4, "addresses on the interfaces themselves")


@case("kw-link-delays", "interface_up_down_delays of an instance's own interface: bounces are not seen; no longer than the others wait; an up delay not given is none")
def link_delays(lane):
    with lane.lab("a") as lab:
        def conf_of(line):
            return conf.whole("interface_up_down_delays {\n eth0 %s\n}\n" % line if line else "", one(interval=0.4))

        def switch(on):  # no cable: news of the carrier may be a second late when other labs move theirs
            lab.a.batch("link set eth0 %s" % ("up" if on else "down"))

        def lost(plugged):
            at = now()
            switch(plugged)
            if plugged:
                lab.wait(lambda: lab.adverts("a", at), 6, "adverts")
                return (lab.adverts("a", at)[0].ts - at) / 1e9 - conf.down_time(200, 0.4)
            lab.wait(lambda: lab.events("addr-", "a", VIPS[0], at), 6, "the fault")
            return (lab.events("addr-", "a", VIPS[0], at)[0].ts - at) / 1e9
        d = lab.a.start(lane.daemon, conf_of("5"))
        lab.wait_master("a", VIPS)
        since = now()
        switch(False)
        time.sleep(0.4)
        switch(True)
        time.sleep(1)
        settled(lab, VIPS, since)
        got = [lost(False), lost(True)]
        check(0.75 < got[0] < 1.2 and got[1] < 0.5, "lost after %.2f s of at most 0.80 s, back after %.2f s of none", *got)
        d.reload(conf_of("0.3 0.5"))
        lab.wait_master("a", VIPS, since=now())
        got += [lost(False), lost(True)]
        check(0.27 < got[2] < 0.65 and 0.45 < got[3] < 1, "lost after %.2f s of 0.3 s, back after %.2f s of 0.5 s", *got[2:])
        d.reload(conf_of(""))
        time.sleep(1)
        got.append(lost(False))
        check(got[4] < 0.25, "without the block lost after %.2f s", got[4])
        return ", ".join("%.2f" % g for g in got)
