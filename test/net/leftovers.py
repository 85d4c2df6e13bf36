"""Keywords of VRRP that stand alone: tracked and late sources, track_group, polled carrier, spacing of announcements, two owners."""
import time

from case import case, check, steady
from lab import Speaker, conf, now, packet, run, watch

INTERVAL = 0.2
VIPS, VIPS2 = conf.VIPS[:1], conf.VIPS[1:2]
SOURCE = "10.77.0.50"


def wire(lab, name, port, mac):
    """Another interface of node a, on a port of its own, so that its frames are told apart."""
    run("ip", "-n", lab.switch, "-batch", "-", text="link add %s type veth peer name %s netns %s\nlink set %s master br0 up\n" % (
        port, name, lab.a.ns, port))
    lab.a.batch("link set %s address %s up" % (name, mac))


def pair_of_veth(lab, name="t0"):
    lab.a.batch("link add %s type veth peer name %s-far\nlink set %s-far up\nlink set %s up" % (name, name, name, name))


def unicast(extra="", peer="10.77.0.9"):
    return conf.whole(conf.instance(priority=200, interval=INTERVAL, vips=VIPS, extra="unicast_src_ip %s\nunicast_peer {\n %s\n}\n%s" % (
        SOURCE, peer, extra)))


def told(lab, d, text):
    lab.wait(lambda: text in d.read_log(), 4, "in the log: " + text)


def settled(lab, vips, since):
    """Those addresses have not moved since then, and are there."""
    moved = [e for e in lab.events("addr-", "a", since=since) if e.addr in vips]
    check(not moved, "addresses moved: %s", moved[:2])
    check(set(vips) <= set(lab.a.addresses()), "addresses are missing")


@case("source-tracked", "track_src_ip: the source address goes, the router is in FAULT; it comes, the router is back; without the word nothing moves")
def source_tracked(lane):
    with lane.lab("a") as lab:
        lab.a.batch("addr add %s/24 dev eth0" % SOURCE)
        d = lab.a.start(lane.daemon, unicast())
        lab.wait(lambda: set(VIPS) <= set(lab.a.addresses()), 8, "the address")
        since = now()
        lab.a.batch("addr del %s/24 dev eth0" % SOURCE)
        time.sleep(1)
        settled(lab, VIPS, since)
        lab.a.batch("addr add %s/24 dev eth0" % SOURCE)
        since = now()
        d.reload(unicast("track_src_ip"))
        time.sleep(1)
        settled(lab, VIPS, since)  # the word alone moves nothing
        at = now()
        lab.a.batch("addr del %s/24 dev eth0" % SOURCE)
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 2, "the fault")
        gone = [e for e in lab.events("addr-", "a", VIPS[0], at)][0]
        told(lab, d, "%s is not on this machine any more (track_src_ip)" % SOURCE)
        since = now()
        lab.a.batch("addr add %s/32 dev lo" % SOURCE)  # on the system, not on eth0
        lab.wait(lambda: set(VIPS) <= set(lab.a.addresses()), 4, "the return")
        since = now()
        lab.crash(d, "ipvsd", 3)
        time.sleep(1)
        settled(lab, VIPS, since)
        return "fault after %.0f ms" % ((gone.ts - at) / 1e6)


@case("source-late", "a unicast source address that is not there yet: the router waits in FAULT, says why, and starts when it appears")
def source_late(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, unicast())
        told(lab, d, "%s is not on this machine yet" % SOURCE)
        time.sleep(1.2)
        check(VIPS[0] not in lab.a.addresses(), "it is MASTER without a source")
        at = now()
        lab.a.batch("addr add %s/24 dev eth0" % SOURCE)
        lab.wait(lambda: set(VIPS) <= set(lab.a.addresses()), 5, "the address")
        came = lab.events("addr+", "a", VIPS[0], at)[0]
        return "master %.2f s after its source (nominal %.2f s)" % ((came.ts - at) / 1e9, conf.down_time(200, INTERVAL))


@case("unicast-fault-no-peer", "unicast_fault_no_peer: without peers the router stays in FAULT; a reload that adds one starts it")
def no_peer(lane):
    with lane.lab("a") as lab:
        lab.a.batch("addr add %s/24 dev eth0" % SOURCE)
        text = conf.whole(conf.instance(priority=200, interval=INTERVAL, vips=VIPS, extra="unicast_fault_no_peer"))
        d = lab.a.start(lane.daemon, text)
        told(lab, d, "it has no unicast_peer")
        time.sleep(1.2)
        check(VIPS[0] not in lab.a.addresses() and not lab.adverts("a"), "it is not in FAULT")
        d.reload(unicast("unicast_fault_no_peer"))
        lab.wait(lambda: set(VIPS) <= set(lab.a.addresses()), 5, "the address")


@case("track-group", "track_group: members follow the interfaces of static addresses, routes and rules, others do not")
def track_group(lane):
    with lane.lab("a") as lab:
        for name in ("t0", "t1", "t2"):
            pair_of_veth(lab, name)
        static = ("static_ipaddress {\n 10.78.0.1/24 dev t0 track_group TG\n}\nstatic_routes {\n 10.79.0.0/24 dev t1 track_group TG\n}\n"
                  "static_rules {\n from 10.80.0.0/24 table 100 iif t2 track_group TG\n}\ntrack_group TG {\n group {\n  VI_1\n }\n}\n")
        both = (conf.instance(priority=200, interval=INTERVAL, vips=VIPS) +
                conf.instance("VI_2", 52, priority=200, interval=INTERVAL, vips=VIPS2))
        d = lab.a.start(lane.daemon, conf.whole(both, static))
        lab.wait_master("a", VIPS + VIPS2)
        since = now()
        for name in ("t0", "t1", "t2"):
            lab.a.batch("link set %s-far down" % name)
            lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 2, "the fault because of " + name)
            told(lab, d, "tracked interface %s of a static entry is down" % name)
            lab.a.batch("link set %s-far up" % name)
            lab.wait(lambda: VIPS[0] in lab.a.addresses(), 4, "the end of the fault because of " + name)
        settled(lab, VIPS2, since)
        lab.a.batch("addr del 10.78.0.1/24 dev t0")
        lab.wait(lambda: "10.78.0.1" in lab.a.addresses(), 2, "the static address repaired")
        settled(lab, VIPS2, since)
        d.reload(conf.whole(both, static.replace("  VI_1\n", "  VI_2\n")))
        time.sleep(1)
        since = now()
        lab.a.batch("link set t1-far down")
        lab.wait(lambda: VIPS2[0] not in lab.a.addresses(), 2, "the fault of the new member")
        settled(lab, VIPS, since)


@case("linkbeat", "linkbeat_interfaces, linkbeat_use_polling: what the driver says counts, not the kernel's news; a method that does not work is replaced")
def linkbeat(lane):
    with lane.lab("a") as lab:
        pair_of_veth(lab)

        def text(block="", inner="", top=""):
            return conf.whole(top, conf.instance(priority=200, interval=INTERVAL, vips=VIPS, extra="track_interface {\n t0\n}\n" + inner), block)
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", VIPS)
        # dormant: the kernel's news say "not running", the driver says "carrier"
        lab.a.batch("link set t0 mode dormant\nlink set t0 state dormant")
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 2, "the fault without polling")
        d.reload(text("linkbeat_interfaces {\n t0 ETHTOOL\n}\n"))
        lab.wait(lambda: VIPS[0] in lab.a.addresses(), 4, "the driver believed")
        at = now()
        lab.a.batch("link set t0-far down")
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 3, "the fault by polling")
        took = (lab.events("addr-", "a", VIPS[0], at)[0].ts - at) / 1e6
        lab.a.batch("link set t0-far up\nlink set t0 state dormant")
        lab.wait(lambda: VIPS[0] in lab.a.addresses(), 5, "the end of it")
        d.reload(text("linkbeat_interfaces {\n t0 IOCTL\n}\n"))
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 3, "the flags, which say not running")
        d.reload(text("linkbeat_interfaces {\n t0 MII\n}\n"))  # a veth has no MII
        lab.wait(lambda: VIPS[0] in lab.a.addresses(), 4, "the next method")
        told(lab, d, "cannot be polled by MII")
        d.reload(text())
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 3, "polling ended")
        d.reload(text(top="linkbeat_use_polling\n"))
        lab.wait(lambda: VIPS[0] in lab.a.addresses(), 4, "every interface polled")
        since = now()
        lab.crash(d, "ipvsd", 3)
        time.sleep(1)
        settled(lab, VIPS, since)
        return "a loss is seen after %.0f ms" % took


@case("garp-group", "garp_group: interfaces share one spacing and take turns; an interface outside of it does not wait")
def garp_group(lane):
    with lane.lab("a") as lab:
        wire(lab, "eth1", "p-a1", "02:00:00:00:0a:01")
        wire(lab, "eth2", "p-a2", "02:00:00:00:0a:02")
        vips = ["10.77.1.%d/32 dev eth1 no_track" % n for n in (1, 2)] + ["10.77.2.%d/32 dev eth2 no_track" % n for n in (1, 2)]
        text = conf.whole(conf.instance(priority=200, interval=INTERVAL, vips=VIPS,
                                        extra="virtual_ipaddress_excluded {\n %s\n}\ngarp_master_delay 0" % "\n ".join(vips)),
                          "garp_group {\n garp_interval 0.2\n interfaces {\n  eth1\n  eth2\n }\n}\n")
        lab.a.start(lane.daemon, text)
        first = lab.wait_master("a", VIPS)
        time.sleep(3.5)
        shared = sorted(lab.seen("garp", "a1") + lab.seen("garp", "a2"), key=lambda f: f.ts)
        gaps = [(b.ts - a.ts) / 1e6 for a, b in zip(shared, shared[1:])]
        check(len(shared) > 10, "only %d announcements in 3.5 s", len(shared))
        check(min(gaps) > 195, "two of the group were %.0f ms apart", min(gaps))
        early = {f.sender for f in shared[:4]}
        check(len(early) == 4, "not everything is said once before it is said again: %s", [f.sender for f in shared[:4]])
        check({f.node for f in shared[4:6]} == {"a1", "a2"}, "they do not take turns: %s", [f.node for f in shared])
        own = lab.seen("garp", "a", sender=VIPS[0])
        check(len(own) == 5 and (own[-1].ts - first.ts) / 1e6 < 500, "eth0 waited: %d", len(own))
        return "%d announcements, closest %.0f ms apart" % (len(shared), min(gaps))


@case("garp-extra-if", "garp_extra_if: one announcement each period for each macvlan that only addresses use; `all`: for each interface")
def garp_extra(lane):
    with lane.lab("a") as lab:
        wire(lab, "eth1", "p-a1", "02:00:00:00:0a:01")
        lab.a.batch("link add mv0 link eth0 address 02:00:00:00:0b:01 type macvlan mode private\nlink set mv0 up")
        vips = ["10.77.1.1/32 dev eth1", "10.77.1.2/32 dev eth1", "10.77.2.1/32 dev mv0", "10.77.2.2/32 dev mv0"]

        def text(every):
            return conf.whole(conf.instance(priority=200, interval=INTERVAL, vips=VIPS, extra=(
                "virtual_ipaddress_excluded {\n %s\n}\ngarp_master_delay 0\ngarp_extra_if %s" % ("\n ".join(vips), every))))
        d = lab.a.start(lane.daemon, text("1"))
        lab.wait_master("a", VIPS)
        time.sleep(0.5)
        since = now()
        time.sleep(3)
        got = lab.seen("garp", since=since)
        check(len(got) == 3 and {f.sender for f in got} == {"10.77.2.1"}, "of the macvlan: %s", [f.sender for f in got])
        d.reload(text("all 1"))
        time.sleep(0.8)
        since = now()
        time.sleep(3)
        got = lab.seen("garp", since=since)
        check(sorted(f.sender for f in got) == ["10.77.1.1"] * 3 + ["10.77.2.1"] * 3, "of all: %s", [f.sender for f in got])


@case("unicast-source-back", "a unicast instance that leaves FAULT announces its source once, configured or not, IPv4 and IPv6; a multicast one and a start do not")
def source_back(lane):
    def one(name, vrid, peer, vips, extra=""):
        return conf.instance(name, vrid, 200, interval=INTERVAL, vips=vips, extra="garp_master_delay 0\n" + extra + (
            "unicast_peer {\n %s\n}" % peer if peer else ""))
    track = "track_file {\n Z\n}\n"
    with lane.lab("a") as lab:
        value = lab.root + "/value"
        with open(value, "w") as f:
            f.write("0\n")
        lab.a.batch("addr add 10.77.0.8/24 dev eth0\naddr add 10.77.0.9/24 dev eth0")
        d = lab.a.start(lane.daemon, conf.whole(
            "track_file Z {\n file %s\n weight 0\n}\n" % value,
            one("VI_1", 51, "10.77.0.2", VIPS[:1], "unicast_src_ip 10.77.0.8\n"), one("VI_2", 52, "10.77.0.2", ("10.77.0.121",), track),
            one("VI_3", 53, "fd77::2", ("fd77::121",), "unicast_src_ip fd77::1\n"),
            one("VI_4", 54, "", ("10.77.0.122",), "mcast_src_ip 10.77.0.9\n" + track)))
        everything = [*VIPS[:1], "10.77.0.121", "10.77.0.122", "fd77::121"]
        lab.wait_master("a", everything)

        def sources(since):
            return sorted(f.target for f in lab.seen("garp", "a", since) + lab.seen("na", "a", since)
                          if f.target in ("10.77.0.1", "10.77.0.8", "10.77.0.9", "fd77::1"))
        check(not sources(0), "at the start: %s", sources(0))
        since = now()
        lab.a.cable(False)
        lab.wait(lambda: not set(everything) & set(lab.a.addresses()), 3, "the fault")
        lab.a.cable(True)
        lab.wait_master("a", everything, since=now())
        # at its own time the kernel too says that an IPv6 address is back: not within the first moments
        check(sources(since) in (["10.77.0.1", "10.77.0.8"] + ["fd77::1"] * n for n in (1, 2)), "the cable: %s", sources(since))
        since = now()
        for text in ("1\n", "0\n"):
            with open(value, "w") as f:
                f.write(text)
            time.sleep(0.3)
        lab.wait(lambda: d.read_log().count("VI_2: FAULT") >= 2, 3, "the end of the fault")
        time.sleep(0.2)
        check(sources(since) == ["10.77.0.1"], "the file: %s", sources(since))


@case("disable-local-igmp", "disable_local_igmp: the kernel's switch is off while the daemon runs, also over a crash, and put back at the end")
def igmp(lane):
    def switch(lab):
        with watch.in_netns(lab.a.ns), open("/proc/sys/net/ipv4/igmp_link_local_mcast_reports") as f:
            return f.read().strip()
    with lane.lab("a") as lab:
        was = switch(lab)
        check(was == "1", "the kernel's own value is %s", was)
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=INTERVAL, vips=VIPS), glob="    disable_local_igmp\n"))
        lab.wait_master("a", VIPS)
        check(switch(lab) == "0", "the switch is on")
        lab.crash(d, "ipvsd", 3)
        time.sleep(0.5)
        check(switch(lab) == "0", "the switch is on after a crash")
        d.stop()
        check(switch(lab) == "1", "the switch was not put back")


@case("two-owners", "two routers say 255: the one with the lower address gives way at once; one that does not is given way to, and both are never MASTER for long")
def owners(lane):
    with lane.lab("xa") as lab:  # x has the lower address and is stubborn
        x = Speaker(lab, "x", INTERVAL, 255, VIPS)
        lab.a.start(lane.daemon, conf.whole(conf.instance(priority=255, state="MASTER", interval=INTERVAL, vips=VIPS)))
        lab.wait_master("a", VIPS)
        at = now()
        x.start()
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 3, "the peace")
        took = (lab.events("addr-", "a", VIPS[0], at)[0].ts - at) / 1e9
        check(took > 1.1 * INTERVAL, "it gave way after %.2f s: the other had no chance", took)
        check(len(lab.adverts("a", at, priority=255)) >= 2, "fewer than two adverts before it gave way")
        quiet = now()
        time.sleep(1)
        check(not lab.adverts("a", quiet), "it advertises beside the other")
        x.stop()
        lab.wait_master("a", VIPS, since=now())
        return "gave way after %.2f s" % took


@case("timer-expired-backup", "timer_expired_backup: a master that was frozen while another took over leaves it the mastership; without the word it fights")
def expired(lane):
    def frozen(word):
        with lane.lab("ax") as lab:
            d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=INTERVAL, vips=VIPS, extra="nopreempt\n" + word)))
            lab.wait_master("a", VIPS)
            x = Speaker(lab, "x", INTERVAL, 100, VIPS)
            pid = d.role("vrrpd")
            lab.freeze(d, True)  # all of it, as a hypervisor does: nobody is left to notice
            time.sleep(4.5 * INTERVAL)
            x.start()
            time.sleep(0.5 * INTERVAL)
            at = now()
            lab.freeze(d, False)
            time.sleep(2)
            quiet = VIPS[0] not in lab.a.addresses()
            x.stop()
            check(d.role("vrrpd") == pid, "the frozen process was replaced")
            return quiet, lab.adverts("a", at, now() - int(1e8), priority=200)
    quiet, said = frozen("timer_expired_backup 150")
    check(not said, "it advertised %d times beside the new master", len(said))
    check(quiet, "it kept the address")
    quiet, said = frozen("")
    check(said and not quiet, "without the word it gives way as well: nothing is shown")
    return "without the word it would have sent %d adverts beside the new master" % len(said)


@case("unicast-strangers", "check_unicast_src and TTL ranges: adverts of strangers and from too far away move nothing")
def strangers(lane):
    peers = "unicast_peer {\n 10.77.0.2 min_ttl 255 max_ttl 255\n}"
    with lane.lab("axy") as lab:
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=100, interval=INTERVAL, vips=VIPS, extra=peers)))
        lab.wait(lambda: set(VIPS) <= set(lab.a.addresses()), 5, "the address")
        since = now()

        def speak(node, ttl):
            n = lab.nodes[node]
            s = Speaker(lab, node, INTERVAL, 250, VIPS)
            pdu = packet.advert(n.ip, VIPS, priority=250, interval=INTERVAL, group=lab.a.ip)
            s.frame = packet.ip_frame(n.mac, n.ip, pdu, dst=lab.a.ip, ttl=ttl, dmac=packet.mac_bytes(lab.a.mac))
            return s.start()
        for node, ttl in (("y", 255), ("x", 254)):
            s = speak(node, ttl)
            time.sleep(1)
            s.stop()
        settled(lab, VIPS, since)
        told(lab, d, "sender is not a configured unicast_peer")
        told(lab, d, "TTL outside the range")
        s = speak("x", 255)
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 2, "a real peer heard")
        s.stop()


@case("group-garp-lower", "a lower advert for one member makes its whole sync group announce again")
def group_garp(lane):
    with lane.lab("ax") as lab:
        text = conf.whole("vrrp_sync_group G {\n group {\n  VI_1\n  VI_2\n }\n}\n",
                          *(conf.instance(n, v, priority=200, interval=INTERVAL, vips=vips, extra="garp_master_delay 0\ngarp_lower_prio_repeat 1")
                            for n, v, vips in (("VI_1", 51, VIPS), ("VI_2", 52, VIPS2))))
        lab.a.start(lane.daemon, text)
        lab.wait_master("a", VIPS + VIPS2)
        time.sleep(0.5)
        since = now()
        Speaker(lab, "x", INTERVAL, 100, VIPS).once()
        lab.wait(lambda: {f.sender for f in lab.seen("garp", "a", since)} == set(VIPS + VIPS2), 1, "announcements of both")
        steady(lab, "a", since, INTERVAL, 60)
