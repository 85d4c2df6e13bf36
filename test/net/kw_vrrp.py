"""Keywords of VRRP no other case judges: groups, what an instance takes from global_defs, what is heard and what is not."""
import hmac
import os
import re
import signal
import struct
import subprocess
import time

from case import case, check
from lab import Skip, Speaker, conf, now, packet, run
from lab.sockets import buffers
from kw_notify import Desk, Tap
from leftovers import pair_of_veth

INTERVAL = 0.2
VIPS, VIPS2 = conf.VIPS[:1], conf.VIPS[1:2]
GROUP4, OWN4, GROUP6, OWN6 = "224.0.0.99", "224.0.0.77", "ff02::99", "ff02::77"


def one(extra="", glob="", vips=VIPS, name="VI_1", vrid=51, priority=200, **kw):
    kw.setdefault("interval", INTERVAL)
    return conf.instance(name, vrid, priority, vips=vips, extra=extra, **kw)


def text(extra="", glob="", *blocks, **kw):
    return conf.whole(one(extra, **kw), *blocks, glob="".join("    %s\n" % g for g in glob.split("\n") if g))


class Voice(Speaker):
    """A speaker whose advert goes where the case says, with the checksum it says."""

    def __init__(self, lab, node, priority, vips=VIPS, vrid=51, dst=None, csum_for=None, dmac=None, interval=INTERVAL, **kw):
        super().__init__(lab, node, interval, priority, vips, vrid=vrid, **kw)
        n = lab.nodes[node]
        src = n.link_local if vips and ":" in vips[0] else n.ip
        pdu = packet.advert(src, vips, vrid=vrid, priority=priority, interval=interval, group=csum_for or dst, **kw)
        self.frame = packet.ip_frame(n.mac, src, pdu, dst=dst, dmac=dmac)


@case("kw-groups", "vrrp_mcast_group4/6 and mcast_dst_ip: adverts go there and are heard there and nowhere else; native_ipv6 makes an IPv6 instance; a reload moves them")
def groups(lane):
    six = ("fe80::100",)
    blocks = [one(vips=VIPS2, name="VI_2", vrid=52, extra="mcast_dst_ip " + OWN4),
              one(vips=six, name="VI_6", vrid=61), one(vips=("fe80::101",), name="VI_7", vrid=62, extra="native_ipv6\nmcast_dst_ip " + OWN6)]
    glob = "vrrp_mcast_group4 %s\nvrrp_mcast_group6 %s" % (GROUP4, GROUP6)
    with lane.lab("ax") as lab:
        d = lab.a.start(lane.daemon, text("", glob, *blocks))
        lab.wait_master("a", VIPS + VIPS2 + six + ("fe80::101",))

        def to(since):
            return {(f.vrid, f.dst, f.version) for f in lab.adverts("a", since) if not f.faults}
        want = {(51, GROUP4, 3), (52, OWN4, 3), (61, GROUP6, 3), (62, OWN6, 3)}
        time.sleep(2 * INTERVAL)
        check(to(0) == want, "adverts go to %s", to(0))
        since = now()
        for vrid, vips in ((51, VIPS), (52, VIPS2), (61, six), (62, ("fe80::101",))):
            Voice(lab, "x", 250, vips, vrid).once()  # to the RFC's groups, where nobody listens
        time.sleep(4 * INTERVAL)
        check(to(since) == want, "an advert to another group was heard: %s are left", to(since))
        for vrid, vips, dst in ((51, VIPS, GROUP4), (52, VIPS2, OWN4), (61, six, GROUP6), (62, ("fe80::101",), OWN6)):
            Voice(lab, "x", 250, vips, vrid, dst).once()
        time.sleep(INTERVAL / 2)
        since = now()
        time.sleep(1.5 * INTERVAL)
        check(not to(since), "adverts to their groups were not heard by %s", to(since))
        lab.wait_master("a", VIPS + VIPS2 + six + ("fe80::101",))
        d.reload(text("", "", *blocks))
        time.sleep(6 * INTERVAL)
        since = now()
        time.sleep(2 * INTERVAL)
        check(to(since) == {(51, packet.V4_GROUP, 3), (52, OWN4, 3), (61, packet.V6_GROUP, 3), (62, OWN6, 3)}, "after the reload: %s", to(since))


@case("kw-advert-defaults", "vrrp_down_timer_adverts, vrrp_lower_prio_no_advert, vrrp_higher_prio_send_advert: the default of instances that say nothing")
def advert_defaults(lane):
    glob = "vrrp_down_timer_adverts 6\nvrrp_lower_prio_no_advert\nvrrp_higher_prio_send_advert"
    own = "down_timer_adverts 3\nlower_prio_no_advert off\nhigher_prio_send_advert off"
    with lane.lab("ax") as lab:
        speakers = {v: Voice(lab, "x", 250, vips, v) for v, vips in ((51, VIPS), (52, VIPS2))}
        lab.a.start(lane.daemon, text("", glob, one(own, vips=VIPS2, name="VI_2", vrid=52)))
        lab.wait_master("a", VIPS + VIPS2)
        at = {v: s.once() for v, s in speakers.items()}
        time.sleep(8 * INTERVAL)
        waited = {v: (lab.adverts("a", at[v] + int(INTERVAL * 2e9), vrid=v)[0].ts - at[v]) / 1e9 / INTERVAL for v in at}
        check(5.9 < waited[51] < 7 and 2.9 < waited[52] < 4, "intervals waited for a master: %s", waited)

        def extra(vrid, priority, vips):
            """Adverts in the interval behind one of another's, sent right behind one of ours."""
            last = lab.adverts("a", vrid=vrid)[-1].ts
            lab.wait(lambda: lab.adverts("a", last + 1, vrid=vrid), 2, "the next advert")
            time.sleep(INTERVAL / 4)
            v, at = Voice(lab, "x", priority, vips, vrid), now()
            v.once()
            time.sleep(INTERVAL / 2)
            return len(lab.adverts("a", at, at + int(INTERVAL / 2 * 1e9), vrid=vrid))
        got = [extra(v, p, vips) for p in (100, 250) for v, vips in ((51, VIPS), (52, VIPS2))]
        check(got == [0, 1, 1, 0], "answers to a lower advert (default, own) and to a higher one: %s", got)


@case("kw-owner-ignores", "owner_ignore_adverts and its global default: an owner that ignores another stays, one that does not yields; strict owners ignore")
def owner_ignores(lane):
    glob = "vrrp_owner_ignore_adverts"
    vips = ["10.77.0.%d" % n for n in (100, 101, 102)]
    with lane.lab("ax") as lab:  # x has the higher address
        def whole(g, *said):
            return text(said[0], g, *(one(w, vips=[vips[n]], name="VI_%d" % (n + 1), vrid=51 + n, priority=255, state="MASTER")
                                      for n, w in enumerate(said) if n), vips=vips[:1], priority=255, state="MASTER")

        def left(since_reload, *said):
            """Who still advertises when x has been saying 255 for a while."""
            xs = [Voice(lab, "x", 255, [v], 51 + n).start() for n, v in enumerate(vips)]
            time.sleep(0.6)
            since = now()
            time.sleep(2 * INTERVAL)
            got = {f.vrid for f in lab.adverts("a", since) if f.priority}
            for x in xs:
                x.stop()
            time.sleep(6 * INTERVAL)
            return got
        d = lab.a.start(lane.daemon, whole(glob, "", "owner_ignore_adverts off", "owner_ignore_adverts"))
        lab.wait_master("a", vips)
        got = left(0)
        check(got == {51, 53}, "with the default on, these stay: %s", got)
        d.reload(whole("", "", "owner_ignore_adverts on", "strict_mode"))
        time.sleep(6 * INTERVAL)
        got = left(0)
        check(got == {52, 53}, "with the default off, these stay: %s", got)


def count(d, lab, line="Address List"):
    """Of the statistics file, per instance in order."""
    d.signal(signal.SIGUSR2)
    path = d.dir + "/tmp/keepalived.stats"
    lab.wait(lambda: os.path.exists(path), 5, "the statistics")
    time.sleep(0.3)
    with open(path) as f:
        got = [int(n) for n in re.findall(r"%s(?: Errors)?: (\d+)" % line, f.read(), re.I)]
    os.unlink(path)
    return got


def start(lane, lab, conf_text, cmd=()):
    """A daemon whose dump files go to a folder of its own."""
    tmp = "%s/a%d/tmp" % (lab.root, len(lab.daemons))
    os.makedirs(os.path.dirname(tmp) + "-tmp", exist_ok=True)
    folder = os.path.dirname(tmp) + "-tmp"
    os.chmod(folder, 0o1777)
    d = lab.a.start([*cmd, *lane.daemon], conf_text, env={"TMPDIR": folder})
    os.symlink(folder, d.dir + "/tmp")
    return d


@case("kw-skip-addresses", "skip_check_adv_addr and its default: only the first advert of a sender is compared; off compares each")
def skip_addresses(lane):
    with lane.lab("axy") as lab:
        d = start(lane, lab, text("", "vrrp_skip_check_adv_addr", one("skip_check_adv_addr off", vips=VIPS2, name="VI_2", vrid=52)))
        time.sleep(0.5)
        for node in "xy":
            for vrid in (51, 52):
                v = Voice(lab, node, 250, ("10.77.0.199",), vrid)
                for _ in range(3):
                    v.once()
                    time.sleep(0.05)
        got = count(d, lab)
        check(got == [2, 6], "compared and found wrong, of two times three adverts: %s", got)
        d.reload(text("skip_check_adv_addr on", "", one("", vips=VIPS2, name="VI_2", vrid=52)))
        time.sleep(0.5)
        for vrid in (51, 52):
            v = Voice(lab, "y", 250, ("10.77.0.199",), vrid)
            for _ in range(3):
                v.once()
                time.sleep(0.05)
        more = [b - a for a, b in zip(got, count(d, lab))]
        check(more in ([0, 3], [1, 3]), "after the reload: %s", more)
        return "%s, %s" % (got, more)


@case("kw-old-checksum", "old_unicast_checksum: sent the old way from the first advert; `never`: the old way is refused; else accepted, and answered so")
def old_checksum(lane):
    def conf_of(word, glob=""):
        return text("unicast_src_ip 10.77.0.1\nunicast_peer {\n 10.77.0.2\n}\n" + word, glob)
    with lane.lab("ax") as lab:
        def good(frames, group):
            """Checksums over which destination?"""
            return [packet.checksum(packet.pseudo(f.src, group, len(f.pdu)) + f.pdu) == 0 for f in frames]
        old = Voice(lab, "x", 250, dst="10.77.0.1", csum_for=packet.V4_GROUP, dmac=packet.mac_bytes(lab.a.mac))
        d = lab.a.start(lane.daemon, conf_of("old_unicast_checksum"))
        lab.wait_master("a", VIPS)
        time.sleep(2 * INTERVAL)
        seen = lab.adverts("a")
        check(len(seen) > 1 and all(good(seen, packet.V4_GROUP)) and not any(good(seen, "10.77.0.2")), "not the old checksum")
        d.reload(conf_of("old_unicast_checksum", "vrrp_mcast_group4 " + GROUP4))
        time.sleep(4 * INTERVAL)
        since = now()
        time.sleep(2 * INTERVAL)
        seen = lab.adverts("a", since)
        check(seen and all(good(seen, GROUP4)), "the old checksum is over another group than vrrp_mcast_group4")
        d.reload(conf_of("old_unicast_checksum never"))
        time.sleep(4 * INTERVAL)
        since = now()
        old.start()
        time.sleep(4 * INTERVAL)
        seen = lab.adverts("a", since)
        check(len(seen) > 2 and all(good(seen, "10.77.0.2")), "never: the old checksum was heard, or is sent: %d adverts", len(seen))
        d.reload(conf_of(""))
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 3, "by default the old checksum is heard")
        old.stop()
        since = now()
        lab.wait_master("a", VIPS, since=since)
        seen = lab.adverts("a", since)
        check(all(good(seen, packet.V4_GROUP)), "it does not answer in the old way")
        d.reload(conf_of("old_unicast_checksum never"))
        time.sleep(3 * INTERVAL)
        since = now()
        time.sleep(2 * INTERVAL)
        seen = lab.adverts("a", since)
        check(seen and all(good(seen, "10.77.0.2")), "never, after it was learned: still sent the old way")


@case("kw-unicast-source", "vrrp_check_unicast_src: a stranger's unicast advert moves nothing, a peer's does; without the word a stranger's does too")
def unicast_source(lane):
    with lane.lab("axy") as lab:
        def conf_of(glob):
            return text("unicast_src_ip 10.77.0.1\nunicast_peer {\n 10.77.0.2\n}", glob)

        def heard(node):
            Voice(lab, node, 250, dst="10.77.0.1", dmac=packet.mac_bytes(lab.a.mac)).once()
            since = now()
            time.sleep(2 * INTERVAL)
            quiet = not lab.adverts("a", since + int(1e7))
            time.sleep(3 * INTERVAL)
            return quiet
        d = lab.a.start(lane.daemon, conf_of("vrrp_check_unicast_src"))
        lab.wait_master("a", VIPS)
        check([heard("y"), heard("x")] == [False, True], "with the word: a stranger is heard, or a peer is not")
        d.reload(conf_of(""))
        time.sleep(4 * INTERVAL)
        check(heard("y"), "without the word a stranger is not heard")


@case("kw-unicast-ttl", "unicast_ttl is of one instance: beside it another on the same socket has its own, or 255; a reload swaps them")
def unicast_ttl(lane):
    with lane.lab("ax") as lab:
        def conf_of(*ttls):
            peer = {4: "10.77.0.2", 6: lab.nodes["x"].link_local}
            return conf.whole(*(one("unicast_peer {\n %s\n}\n%s" % (peer[6 if ":" in v else 4], "unicast_ttl %d" % t if t else ""),
                                    vips=[v], name="VI_%d" % n, vrid=n) for n, (t, v) in enumerate(zip(ttls, vips), 51)))

        def sent(since):
            time.sleep(3 * INTERVAL)
            return {f.vrid: f.ttl for f in lab.adverts("a", since)}
        vips = [VIPS[0], VIPS2[0], "fe80::100", "fe80::101"]
        d = lab.a.start(lane.daemon, conf_of(7, 0, 9, 0))
        lab.wait_master("a", vips)
        got = sent(now())
        check(got == {51: 7, 52: 255, 53: 9, 54: 255}, "TTL of each: %s", got)
        d.reload(conf_of(0, 5, 0, 0))
        time.sleep(INTERVAL)
        got = sent(now())
        check(got == {51: 255, 52: 5, 53: 255, 54: 255}, "TTL of each after a reload: %s", got)


@case("kw-deleted-in-fault", "an instance that is in FAULT is not told to be in FAULT once more when a reload removes it; one that is not, is")
def deleted_in_fault(lane):
    with lane.lab("a") as lab:
        f = Desk(lab)
        tap, glob = Tap("%s/told" % f.dir), "vrrp_notify_fifo %s/told" % f.dir
        missing = one(vips=("10.99.0.100",), name="VI_2", vrid=52, interface="eth9")
        d = lab.a.start(lane.daemon, text("", glob, missing, one(vips=conf.VIPS[2:3], name="VI_3", vrid=53)))
        lab.wait_master("a", VIPS)
        tap.take()
        d.reload(text("", glob))
        lab.wait(lambda: 'INSTANCE "VI_3" FAULT 200' in tap.lines(), 3, "the removal")
        d.stop()
        check('INSTANCE "VI_2" FAULT 200' not in tap.lines(), "told twice: %s", tap.lines())


@case("kw-dont-track-primary", "dont_track_primary: the cable of its own interface is out, the router stays MASTER; without the word it is in FAULT; a reload changes it")
def dont_track(lane):
    with lane.lab("a") as lab:
        def conf_of(first, second):
            return text(first, "", one(second, vips=VIPS2, name="VI_2", vrid=52))

        def held():
            return [v in lab.a.addresses() for v in VIPS + VIPS2]
        d = lab.a.start(lane.daemon, conf_of("dont_track_primary", ""))
        lab.wait_master("a", VIPS + VIPS2)
        lab.a.cable(False)
        lab.wait(lambda: not held()[1], 4, "the fault of the one without the word")  # the kernel may tell it a second late
        time.sleep(0.3)
        check(held() == [True, False], "with the cable out: %s", held())
        lab.a.cable(True)
        lab.wait_master("a", VIPS + VIPS2, since=now())
        d.reload(conf_of("", "dont_track_primary"))
        time.sleep(1)
        lab.a.cable(False)
        lab.wait(lambda: not held()[0], 4, "the fault of the one that lost the word")
        time.sleep(0.3)
        check(held() == [False, True], "after the reload, with the cable out: %s", held())
        d.reload(conf_of("dont_track_primary", "dont_track_primary"))
        lab.wait(lambda: all(held()), 5, "the word that comes by a reload ends the fault")


@case("kw-no-addresses", "no_virtual_ipaddress: no complaint, and it advertises without addresses; native_ipv6 says of which family; obsolete lines harm nothing")
def no_addresses(lane):
    bare = "vrrp_instance %s {\n interface eth0\n virtual_router_id %d\n priority 200\n advert_int %s\n version %d\n %s\n}\n"
    quiet = conf.whole(bare % ("VI_1", 51, "1", 2, "no_virtual_ipaddress\n net_mask 255.255.255.0\n lvs_sync_daemon_inteface eth0\n garp_master_delay 1"),
                       bare % ("VI_6", 61, "0.2", 3, "native_ipv6\n no_virtual_ipaddress"))
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, quiet)
        six = lab.wait(lambda: lab.adverts("a", vrid=61), 6, "an advert of the IPv6 instance")[0]
        four = lab.wait(lambda: lab.adverts("a", vrid=51), 6, "an advert of the IPv4 instance")[0]
        check((six.src, six.vips, six.version, six.faults) == (lab.a.link_local, [], 3, []), "IPv6: %s %s %s", six.src, six.vips, six.faults)
        check((four.src, four.vips, four.version, four.faults) == (lab.a.ip, [], 2, []), "IPv4: %s %s %s", four.src, four.vips, four.faults)

        def tested(t):
            d.write(t)
            p = run("ip", "netns", "exec", lab.a.ns, *lane.daemon, "-t", "-f", d.conf, check=False)
            return p.returncode, p.stdout + p.stderr
        status, said = tested(quiet)
        check(status == 0 and "net_mask" in said and "lvs_sync_daemon_inteface" in said, "the test says %d: %s", status, said)
        check("address" not in said.lower().replace("virtual_ipaddress", ""), "a complaint in spite of no_virtual_ipaddress: %s", said)
        status, said = tested(quiet.replace("no_virtual_ipaddress", ""))
        check("VI_1" in said and "VI_6" in said, "without the word nothing is said: %s", said)
        return said.splitlines()[0]


@case("kw-receive-buffer", "kernel_rx_buf_size: the receive buffer of the socket, summed over the instances that share it; goes with the line")
def receive_buffer(lane):
    def sizes(lab):
        return {n for (_, proto), each in buffers(lab.daemons[0].role("vrrpd")).items() if proto == 112 for n in each}
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text("kernel_rx_buf_size 70000", "", one("kernel_rx_buf_size 90000", vips=VIPS2, name="VI_2", vrid=52)))
        lab.wait_master("a", VIPS + VIPS2)
        got = sizes(lab)
        check(160000 in got and 90000 not in got, "receive buffers: %s", got)
        d.reload(text("kernel_rx_buf_size 70000"))
        lab.wait(lambda: 70000 in sizes(lab), 4, "that of the one that is left after a reload")
        d.reload(text())
        lab.wait(lambda: 70000 not in sizes(lab), 4, "the system's own after a reload")
        return str(got)


@case("kw-unknown-vrids", "log_unknown_vrids: an advert for nobody here is told, with its VRID and sender; without the word not; a reload changes it")
def unknown_vrids(lane):
    with lane.lab("ax") as lab:
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", VIPS)
        v = Voice(lab, "x", 100, VIPS, 99)
        v.once()
        time.sleep(0.5)
        check("VRID 99" not in d.read_log(), "told without the word: %s", d.read_log()[-300:])
        d.reload(text("", "log_unknown_vrids"))
        time.sleep(0.7)
        v.once()
        lab.wait(lambda: re.search(r"VRID 99 from 10\.77\.0\.2", d.read_log()), 2, "the line")
        Voice(lab, "x", 100, VIPS, 97).once()
        lab.wait(lambda: re.search(r"VRID 97 from 10\.77\.0\.2", d.read_log()), 2, "a line for another VRID, right behind")
        d.reload(text())
        time.sleep(0.5)
        Voice(lab, "x", 100, VIPS, 98).once()
        time.sleep(0.5)
        check("VRID 98" not in d.read_log(), "told after the word has gone")


@case("kw-delay-after-boot", "vrrp_delay_after_boot: nothing is said before the machine has been up for so long; a machine that has been waits for nothing")
def after_boot(lane):
    if subprocess.run(["unshare", "-T", "--boottime=-1", "--monotonic=-1", "true"], capture_output=True).returncode:
        raise Skip("no time namespaces here")
    with lane.lab("a") as lab:
        with open("/proc/uptime") as f:
            up = int(float(f.read().split()[0]))
        back = str(5 - up)  # it is as if the machine had been up for five seconds
        d = lab.a.start(["unshare", "-T", "--boottime=" + back, "--monotonic=" + back, "--", *lane.daemon], text("", "vrrp_delay_after_boot 8.5"))
        began = now()
        first = lab.wait_master("a", VIPS, 12)
        waited = (first.ts - began) / 1e9
        down = conf.down_time(200, INTERVAL)
        check(2 + down < waited < 4.6 + down, "the first advert came after %.2f s", waited)
        d.stop()
        began = now()
        lab.a.start(lane.daemon, text("", "vrrp_delay_after_boot 8.5"))
        first = lab.wait_master("a", VIPS, 5, began)
        check((first.ts - began) / 1e9 < down + 1, "it waited although the machine is up for long")
        return "%.2f s of about 3.5 s and %.2f s" % (waited, down)


@case("kw-global-tracking", "global_tracking, the old name of sync_group_tracking_weight: weighted trackers of members keep their weight")
def global_tracking(lane):
    with lane.lab("a") as lab:
        pair_of_veth(lab)

        def conf_of(word):
            return conf.whole("vrrp_sync_group G {\n group {\n  VI_1\n  VI_2\n }\n %s\n}\n" % word,
                              one("track_interface {\n t0 weight 20\n}", priority=100), one(vips=VIPS2, name="VI_2", vrid=52, priority=100))

        def priorities():
            time.sleep(0.6)
            since = now()
            time.sleep(2 * INTERVAL)
            return {f.priority for f in lab.adverts("a", since, vrid=51)}
        d = lab.a.start(lane.daemon, conf_of("global_tracking"))
        lab.wait_master("a", VIPS + VIPS2)
        got = priorities()
        since = now()
        lab.a.batch("link set t0-far down")
        lab.wait(lambda: lab.adverts("a", since, vrid=51, priority=100), 4, "the weight taken away")
        got |= {-p for p in priorities()}
        check(got == {120, -100}, "with the link, and without it: %s", got)
        d.reload(conf_of(""))
        got = priorities()
        check(not got & {100, 120}, "without the word the link is of fault kind: %s", got)


@case("kw-expired-old-name", "thread_timer_expired: its old name, and no number: a master frozen for longer than priority 254 waits gives way, one for shorter does not")
def expired_old_name(lane):
    with lane.lab("ax") as lab:
        d = lab.a.start(lane.daemon, text("nopreempt\nthread_timer_expired"))
        lab.wait_master("a", VIPS)

        def frozen(intervals):
            """Whether it still is the master afterwards."""
            x = Voice(lab, "x", 100)
            last = lab.adverts("a")[-1].ts
            lab.wait(lambda: lab.adverts("a", last + 1), 2, "an advert")
            lab.freeze(d, True)
            time.sleep(intervals * INTERVAL)
            x.start()
            time.sleep(0.3 * INTERVAL)
            lab.freeze(d, False)
            time.sleep(1)
            x.stop()
            return VIPS[0] in lab.a.addresses()
        check(frozen(2), "it gave way although nobody can have taken over")
        check(not frozen(4), "it fights the one that took over")


def signed(node, priority, key, at, vips=VIPS):
    """A frame of auth_hmac, stamped with that time (seconds)."""
    pdu = packet.advert(node.ip, vips, priority=priority, interval=INTERVAL)
    trailer = struct.pack("!BBHIHH", 1, 1, 0, int(at), int(at % 1 * 65536), 0)
    pseudo = struct.pack("!BBBB", 4, 3, pdu[1], 0) + packet.packed(node.ip).ljust(16, b"\0")
    code = hmac.new(key, pseudo + pdu[:6] + b"\0\0" + pdu[8:] + trailer + bytes(16), "sha256").digest()[:16]
    return packet.ip_frame(node.mac, node.ip, pdu + trailer + code)


@case("kw-time-window", "time_window of auth_hmac: a clock that is off by more is not believed, one off by less is; without it the window is five seconds")
def time_window(lane):
    key = bytes(31) + b"\1"

    def conf_of(window):
        return text("auth_hmac {\n key 1 hex:%s\n active_key 1\n %s\n}" % (key.hex(), window))
    with lane.lab("axyz") as lab:
        d = lab.a.start(lane.daemon, conf_of("time_window 20"))
        lab.wait_master("a", VIPS)

        def believed(node, off):
            since = now()
            v = Voice(lab, node, 250)
            v.frame = signed(lab.nodes[node], 250, key, time.time() + off)
            v.once()
            time.sleep(0.2)
            yields = "10.77.0.%d advertises" % lab.nodes[node].index in d.read_log()
            if yields:
                lab.wait_master("a", VIPS, since=since + int(4e8))
            return yields
        check(not believed("x", -25) and not believed("x", 25), "a clock off by 25 s is believed in a window of 20 s")
        check(believed("x", 12), "a clock off by 12 s is not believed in a window of 20 s")
        d.reload(conf_of(""))
        time.sleep(0.5)
        check(not believed("y", -12), "a clock off by 12 s is believed in the usual window")
        check(believed("y", -3), "a clock off by 3 s is not believed in the usual window")
        d.reload(conf_of("time_window 2"))
        time.sleep(0.5)
        check(not believed("z", -3), "a clock off by 3 s is believed in a window of 2 s")


@case("kw-debug-shown", "debug and kernel_rx_buf_size of an instance: shown in the dump file as the incumbent shows them; a reload changes them")
def debug_shown(lane):
    with lane.lab("a") as lab:
        def shown():
            path = d.dir + "/tmp/keepalived.data"
            d.signal(signal.SIGUSR1)
            lab.wait(lambda: os.path.exists(path) and "VRRP Instance" in open(path).read(), 5, "the dump")
            time.sleep(0.3)
            got = re.findall(r"^   (?:Kernel rx buffer size|Debug level) = (\d+)$", open(path).read(), re.M)
            os.unlink(path)
            return got
        d = start(lane, lab, text("debug 3\nkernel_rx_buf_size 50000"))
        lab.wait_master("a", VIPS)
        check(shown() == ["50000", "3"], "not shown: %s", shown())
        d.reload(text("debug 4"))
        time.sleep(0.5)
        check(shown() == ["4"], "after the reload: %s", shown())
