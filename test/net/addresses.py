"""What ipvsd does with addresses: every option of an address line, whose address is whose, who is told, who interferes."""
import json
import os
import signal
import socket
import struct
import threading
import time

from case import case, check, steady
from lab import Speaker, conf, now, run, watch

INTERVAL = 0.2
PROTO = 18


def instance(body, name="VI_1", vrid=51, priority=200, state="BACKUP", extra="", interval=INTERVAL):
    return ("vrrp_instance %s {\n    state %s\n    interface eth0\n    virtual_router_id %d\n    priority %d\n    advert_int %g\n"
            "    version 3\n%s\n    virtual_ipaddress {\n        %s\n    }\n}\n"
            % (name, state, vrid, priority, interval, extra, "\n        ".join(body)))


def details(node):
    """address -> what the kernel tells of it."""
    out = json.loads(run("ip", "-n", node.ns, "-d", "-j", "addr", "show").stdout)
    return {a["local"]: dict(a, dev=link["ifname"]) for link in out for a in link["addr_info"] if a}


def protocols(node):
    """address -> IFA_PROTO, which iproute2 of Debian 12 does not show."""
    found = {}
    with watch.in_netns(node.ns):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    s.bind((0, 0))
    s.send(struct.pack("IHHII", 24, 22, 0x301, 1, 0) + bytes(8))
    while True:
        data = s.recv(65536)
        while data:
            size, kind = struct.unpack_from("IH", data)
            if kind == 3:
                return found
            family, at, own, proto = data[16], 24, None, 0
            while at + 4 <= size:
                n, t = struct.unpack_from("HH", data, at)
                if t == 2 or (t == 1 and own is None):
                    own = socket.inet_ntop(family, data[at + 4:at + n])
                if t == 11:
                    proto = data[at + 4]
                at += (n + 3) & ~3
            found[own] = proto
            data = data[(size + 3) & ~3:]


def knob(node, path, value=None):
    with watch.in_netns(node.ns), open("/proc/sys/net/" + path, "r" if value is None else "w") as f:
        return f.read().strip() if value is None else f.write(str(value))


@case("address-options", "every word of an address line reaches the kernel, and all of it goes again")
def options(lane):
    lines = ["10.77.0.100", "10.77.0.101/24 brd 10.77.0.255 label eth0:vip", "10.77.0.102/25 brd + scope link",
             "10.78.0.1/32 peer 10.78.0.2", "10.77.3.1/24 noprefixroute", "10.77.0.103/24 preferred_lft 0"]
    six = ["fd77::100/64", "fd77::101/128", "fd77::102/64 home noprefixroute", "fd77::103/64 -nodad", "fd77::104/64 preferred_lft 1000"]
    extra = "    virtual_ipaddress_excluded {\n        %s\n    }" % "\n        ".join(six)
    with lane.lab("a") as lab:
        before = set(lab.a.addresses())
        d = lab.a.start(lane.daemon, conf.whole(instance(lines, extra=extra)))
        every = [line.split()[0].split("/")[0] for line in lines + six]
        lab.wait_master("a", every)
        h = details(lab.a)
        flags = lambda a, *names: all(h[a].get(n) for n in names)
        check(h["10.77.0.100"]["prefixlen"] == 32 and h["10.77.0.100"]["scope"] == "global", "plain: %s", h["10.77.0.100"])
        check(h["10.77.0.101"]["label"] == "eth0:vip" and h["10.77.0.101"]["broadcast"] == "10.77.0.255", "label: %s", h["10.77.0.101"])
        check(h["10.77.0.102"]["scope"] == "link" and h["10.77.0.102"]["broadcast"] == "10.77.0.127", "scope: %s", h["10.77.0.102"])
        check(h["10.78.0.1"]["address"] == "10.78.0.2", "peer: %s", h["10.78.0.1"])
        check(flags("10.77.3.1", "noprefixroute"), "noprefixroute: %s", h["10.77.3.1"])
        check(flags("10.77.0.103", "deprecated"), "lifetime 0: %s", h["10.77.0.103"])
        check(flags("fd77::100", "nodad") and not h["fd77::100"].get("deprecated"), "IPv6: %s", h["fd77::100"])
        check(flags("fd77::101", "deprecated"), "/128: %s", h["fd77::101"])
        check(flags("fd77::102", "home", "noprefixroute"), "home: %s", h["fd77::102"])
        check(not h["fd77::103"].get("nodad"), "-nodad: %s", h["fd77::103"])
        check(900 < h["fd77::104"]["preferred_life_time"] <= 1000, "lifetime: %s", h["fd77::104"])
        marks = protocols(lab.a)
        check(all(marks[a] == PROTO for a in every), "marks: %s", marks)
        check(d.stop()[0] == 0 and set(lab.a.addresses()) == before, "left behind: %s", set(lab.a.addresses()) - before)
        return "%d addresses" % len(every)


@case("address-of-the-owner", "priority 255: the address of the interface itself is announced and used, never taken away")
def owner(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, conf.whole(instance([lab.a.ip + "/24"], priority=255, state="MASTER")))
        first = lab.wait_master("a", [lab.a.ip])
        check(first.src == lab.a.ip, "source %s", first.src)
        os.kill(d.role("ipvsd"), signal.SIGKILL)
        time.sleep(1)
        check(d.stop()[0] == 0 and lab.a.ip in lab.a.addresses(), "the owner's own address is gone")
        check(not lab.events("addr", "a", lab.a.ip, since=d.started), "it was touched: %s", lab.events("addr", "a", lab.a.ip))


@case("address-foreign-stays", "an address of the same name as a VIP of a BACKUP, put there by another protocol, stays")
def foreign(lane):
    with lane.lab("a") as lab:
        with watch.in_netns(lab.a.ns):
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            index = socket.if_nametoindex("eth0")
        attr = lambda t, b: struct.pack("HH", 4 + len(b), t) + b + bytes(-len(b) % 4)
        ip = socket.inet_aton("10.77.0.100")
        body = struct.pack("BBBBI", socket.AF_INET, 24, 0, 0, index) + attr(2, ip) + attr(1, ip) + attr(11, b"\x04")
        s.send(struct.pack("IHHII", 16 + len(body), 20, 0x605, 1, 0) + body)
        check(struct.unpack_from("i", s.recv(4096), 16)[0] == 0, "the address cannot be added")
        lab.a.batch("addr add 10.77.0.101/24 dev eth0")  # unmarked: as a director of another make leaves it
        lab.a.start(lane.daemon, conf.whole("global_defs {\n}\n", instance(["10.77.0.100/24", "10.77.0.101/24"], interval=5)))
        lab.wait(lambda: "10.77.0.101" not in lab.a.addresses(), 3, "the left-over of another director gone")
        time.sleep(0.5)
        check("10.77.0.100" in lab.a.addresses(), "an address of another protocol was taken away")


@case("address-of-nobody", "a source address no interface has, or has no more: adverts leave with it, and there is one master")
def nobody(lane):
    for vips, src in ((["10.77.0.100"], "10.77.0.77"), (["fe80::100/64"], "fe80::77")):
        with lane.lab("ab") as lab:
            lab.a.start(lane.daemon, conf.whole(instance(vips, extra="    mcast_src_ip " + src)))
            lab.wait_master("a", [v.split("/")[0] for v in vips])
            lab.b.start(lane.daemon, conf.whole(instance(vips, priority=100)))
            time.sleep(2)
            check({f.src for f in lab.adverts("a")} == {src}, "adverts from %s", {f.src for f in lab.adverts("a")})
            check(not lab.adverts("b"), "two masters")
            if src == "10.77.0.77":
                lab.a.batch("addr add 10.77.0.77/24 dev eth0\naddr del 10.77.0.77/24 dev eth0")
                since = now()
                time.sleep(1)
                steady(lab, "a", since, INTERVAL)


@case("address-many", "more addresses than a frame holds: as many as keepalived advertises, all of them held, one master", limit=90)
def many(lane):
    four, six = ["10.77.3.%d/16" % i for i in range(1, 161)], ["fe80::100/64"] + ["fd77::2:%x/64" % i for i in range(1, 120)]
    ah = "authentication {\nauth_type AH\nauth_pass secret\n}"
    for vips, mtu, room, version, extra in (four, 600, 139, 3, ""), (four, 602, 140, 3, ""), (four, 600, 131, 2, ah), (six, 1500, 89, 3, ""):
        with lane.lab("ab") as lab:
            text = lambda priority: conf.whole(instance(vips, priority=priority, extra=extra, interval=1 if version == 2 else INTERVAL)
                                               .replace("version 3", "version %d" % version))
            for node in lab.a, lab.b:
                node.batch("link set eth0 mtu %d" % mtu)
            d = lab.a.start(lane.daemon, text(200))
            lab.wait_master("a", [v.split("/")[0] for v in vips])
            lab.b.start(lane.daemon, text(100))
            d.reload(text(200) + "\n")
            time.sleep(5 if version == 2 else 2)
            check(not lab.adverts("b"), "two masters")
            seen = {len(f.vips) for f in lab.adverts("a")}
            check(seen == {room}, "MTU %d, version %d: %s advertised, not %d", mtu, version, seen, room)
            check("room for %d of its %d" % (room, len(vips)) in d.read_log(), "no warning")


@case("address-thief", "a process deletes an address as fast as it can: repairs are limited, the log names it, adverts go on")
def thief(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        since, stop, deleted = now(), threading.Event(), [0]
        with watch.in_netns(lab.a.ns):
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            index = socket.if_nametoindex("eth0")
        s.bind((0, 0))
        port, ip = s.getsockname()[0], socket.inet_aton(conf.VIPS[0])
        body = struct.pack("BBBBI", socket.AF_INET, 24, 0, 0, index) + struct.pack("HH", 8, 2) + ip

        def steal():
            while not stop.is_set():
                s.send(struct.pack("IHHII", 16 + len(body), 21, 5, 1, 0) + body)
                deleted[0] += struct.unpack_from("i", s.recv(4096), 16)[0] == 0
        thread = threading.Thread(target=steal)
        thread.start()
        time.sleep(3)
        stop.set()
        thread.join()
        check(20 <= deleted[0] <= 80, "%d thefts in 3 s: the limit is 10 at once, then one every 0.1 s", deleted[0])
        lab.wait(lambda: conf.VIPS[0] in lab.a.addresses(), 1, "the address back in the end")
        check("netlink port %d" % port in d.read_log(), "the log does not name port %d", port)
        lines = d.read_log().count("netlink port %d" % port)
        check(lines <= 6, "%d log lines in 3 s", lines)
        return "%d thefts repaired, %d log lines, longest gap %.0f ms" % (deleted[0], lines, steady(lab, "a", since, INTERVAL))


@case("address-primary-goes", "a primary address that takes its secondaries along: those of another instance are back at once")
def cascade(lane):
    with lane.lab("a") as lab:
        knob(lab.a, "ipv4/conf/eth0/promote_secondaries", 0)
        one, two = ["10.99.0.1/24", "10.99.0.2/24"], ["10.99.0.3/24", "10.99.0.4/24"]
        text = lambda *which: conf.whole(*[instance(v, "VI_%d" % k, 50 + k) for k, v in which])
        d = lab.a.start(lane.daemon, text((1, one)))
        lab.wait_master("a", ["10.99.0.1", "10.99.0.2"])
        d.reload(text((1, one), (2, two)))
        lab.wait(lambda: {"10.99.0.3", "10.99.0.4"} <= set(lab.a.addresses()), 5, "the second instance's addresses")
        check(details(lab.a)["10.99.0.3"].get("secondary"), "they are not secondary: nothing to show")
        since = now()
        d.reload(text((2, two)))
        lab.wait(lambda: "10.99.0.1" not in lab.a.addresses() and {"10.99.0.3", "10.99.0.4"} <= set(lab.a.addresses()), 3, "only the second")
        time.sleep(0.3)
        absent = []
        for a in ("10.99.0.3", "10.99.0.4"):
            gone, back = lab.events("addr-", "a", a, since), lab.events("addr+", "a", a, since)
            check(len(gone) == len(back) <= 1, "%s: %d times gone, %d times back", a, len(gone), len(back))
            absent += [(y.ts - x.ts) / 1e6 for x, y in zip(gone, back)]
        check(max(absent or [0]) < 50, "absent for %.1f ms", max(absent or [0]))
        check({"10.99.0.3", "10.99.0.4"} <= set(lab.a.addresses()), "missing at the end")
        return "absent for %.2f ms" % max(absent or [0])


@case("promote-secondaries-restored", "promote_secondaries is put back at stop, also when the ipvsd that set it was killed")
def promote(lane):
    with lane.lab("a") as lab:
        path = "ipv4/conf/eth0/promote_secondaries"
        knob(lab.a, path, 0)
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=INTERVAL, extra="promote_secondaries")))
        lab.wait_master("a", conf.VIPS)
        check(knob(lab.a, path) == "1", "not set")
        lab.crash(d, "ipvsd", 3)
        time.sleep(0.5)
        check(knob(lab.a, path) == "1", "lost in the crash")
        d.stop()
        check(knob(lab.a, path) == "0", "not put back")


@case("dad-before-announcement", "-nodad: nothing is announced while duplicate detection runs, all of it right after")
def dad(lane):
    with lane.lab("a") as lab:
        knob(lab.a, "ipv6/conf/eth0/accept_dad", 1)
        lines = ["fe80::100/64", "fd77::100/64 -nodad"]
        lab.a.start(lane.daemon, conf.whole(instance(lines, extra="    garp_master_repeat 3\n    garp_master_delay 0")))
        first = lab.wait_master("a", ["fe80::100", "fd77::100"])
        news = lambda a: [f for f in lab.seen("na", "a") if f.target == a]
        lab.wait(lambda: len(news("fd77::100")) >= 3 and len(news("fe80::100")) >= 3, 6, "announcements")
        time.sleep(0.3)
        late, early = news("fd77::100"), news("fe80::100")
        check(len(early) == 3 and early[0].ts - first.ts < 0.3e9, "without detection: %d, first after %.2f s", len(early), (early[0].ts - first.ts) / 1e9)
        check(late[0].ts - first.ts > 0.5e9, "announced after %.2f s, before detection could end", (late[0].ts - first.ts) / 1e9)
        return "announced %.2f s after the first advert" % ((late[0].ts - first.ts) / 1e9)


@case("link-made-anew", "the interface is deleted and made again under a running director: sockets and addresses return")
def anew(lane):
    with lane.master("ab", interval=INTERVAL) as (lab, d):
        lab.b.start(lane.daemon, conf.whole(conf.instance(priority=100, interval=INTERVAL)))
        for _ in range(3):
            since = now()
            lab.a.batch("link del eth0")
            lab.wait_master("b", conf.VIPS, 5, since)
            back = now()
            lab.a.plug()
            first = lab.wait_master("a", conf.VIPS, 8, back)
            lab.wait(lambda: not set(conf.VIPS) & set(lab.b.addresses()), 2, "b hears a again")
        check(d.role("ipvsd") and d.role("vrrpd"), "a process was lost")
        return "master %.2f s after the last time" % ((first.ts - back) / 1e9)


@case("lower-priority-speaker", "a lower master in the same group is answered by an advert and by announcements")
def lower(lane):
    extra = "garp_master_repeat 1\ngarp_master_delay 0\ngarp_lower_prio_repeat 2\ngarp_lower_prio_delay 1"
    with lane.master("am", interval=INTERVAL, extra=extra) as (lab, _):
        time.sleep(0.5)
        since = now()
        speaker = Speaker(lab, "m", INTERVAL, priority=50, vips=conf.VIPS)
        speaker.start()
        time.sleep(0.15)
        speaker.stop()
        time.sleep(2)
        arps = [f for f in lab.seen("garp", "a", since) if f.target == conf.VIPS[0]]
        near = [f for f in arps if f.ts - since < 0.8e9]
        check(2 <= len(near) <= 6 and len(arps) - len(near) == 2, "%d at once, %d in all", len(near), len(arps))
        return "%d at once, %d a second later" % (len(near), len(arps) - len(near))


def slice_resident(pid):
    """KiB of the configuration that a process holds in memory."""
    held, ours = 0, False
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            word = line.split()
            if not word[0].endswith(":"):
                ours = "holdfast-slice" in line
            elif ours and word[0] == "Rss:":
                held += int(word[1])
    return held


@case("second-announcement-rests", "what the second announcement reads of the configuration goes back as after the start")
def rests(lane):
    lines = ["10.77.3.%d/32" % k for k in range(1, 11)]
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, conf.whole(instance(lines, extra="    garp_master_delay 3\n    garp_master_repeat 1")))
        lab.wait_master("a", ["10.77.3.1"])
        pid, seen = d.role("ipvsd"), []
        end = time.monotonic() + 8
        while time.monotonic() < end:
            seen.append(slice_resident(pid))
            time.sleep(0.1)
        back = [n for n in range(1, len(seen)) if seen[n] == 0 < seen[n - 1]]
        check(len(back) >= 2 and seen[-1] == 0, "KiB each 0.1 s: %s", seen)
        return "%d KiB at most" % max(seen)


@case("address-other-prefix", "a reload gives IPv6 addresses another prefix length: nobody is accused, and they go with the mastership")
def other_prefix(lane):
    def text(plen):
        return conf.whole(instance(["fe80::100/64", "fd77::100/%d" % plen, "fd77::101/%d no_track" % plen]))
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(64))
        lab.wait_master("a", ["fe80::100", "fd77::101"])
        for plen in 80, 96, 64:
            since = now()
            d.reload(text(plen))
            lab.wait(lambda: [details(lab.a).get("fd77::10%d" % n, {}).get("prefixlen") for n in (0, 1)] == [plen, plen], 3, "/%d" % plen)
            time.sleep(0.5)
            gone = [len(lab.events("addr-", "a", "fd77::10%d" % n, since)) for n in (0, 1)]
            check(gone == [1, 1], "taken out %s times", gone)
        check("put back" not in d.read_log(), "a thief was seen: %s", d.read_log()[-400:])
        check(d.stop()[0] == 0, "exit status")
        left = [a for a in details(lab.a) if a.startswith("fd77::10")]
        check(not left, "left behind: %s", left)
