"""no_accept, accept and strict mode: what a virtual address answers, that there is no moment at which it answers all the same, and
what becomes of the nftables tables that see to it."""
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

from case import case, check, steady
from lab import conf, now, run, watch

INTERVAL = 0.2
VIP, VIP2 = "10.77.0.100", "10.77.0.101"
TABLES = {"table ip keepalived", "table ip6 keepalived"}


def text(extra="no_accept", glob="", vips=conf.VIPS, **kw):
    return conf.whole(conf.instance(priority=kw.pop("priority", 200), interval=INTERVAL, vips=vips, extra=extra, **kw), glob=glob)


def nft(node, *argv, check=True):
    return run("ip", "netns", "exec", node.ns, "nft", *argv, check=check).stdout


def tables(node):
    return set(nft(node, "list", "tables").strip().splitlines())


def dropped(node, table="ip keepalived", name="vips"):
    """Elements of a set, as nft shows them."""
    m = re.search(r"elements = \{(.*?)\}", nft(node, "list", "set", *table.split(), name, check=False), re.S)
    return {e.strip() for e in m.group(1).split(",")} if m else set()


def answers(node, ip, port=9):
    """Does somebody behind ip say a word (a refusal is one)? That its MAC address cannot be found is a failure of its own."""
    with watch.in_netns(node.ns):
        s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        scope = socket.if_nametoindex("eth0") if ip.startswith("fe80:") else 0
    s.settimeout(0.5)
    with s:
        try:
            s.connect((ip, port, 0, scope) if ":" in ip else (ip, port))
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            near = run("ip", "-n", node.ns, "neigh", "show", ip, "dev", "eth0").stdout
            check("lladdr" in near, "nobody answers for the MAC address of %s: %s", ip, near)
            return False
        return True


class Flood:
    """Pings an address without pause, MAC address known; counts the answers. Use as a context."""

    def __init__(self, node, ip, mac):
        node.batch("neigh replace %s lladdr %s dev eth0 nud permanent" % (ip, mac))
        with watch.in_netns(node.ns):
            self.s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.s.setblocking(False)
        self.ip, self.sent, self.got, self.on = ip, 0, 0, True
        self.thread = threading.Thread(target=self._run)

    def _hear(self):
        while True:
            try:
                data, who = self.s.recvfrom(200)
            except BlockingIOError:
                return
            self.got += who[0] == self.ip and data[20] == 0

    def _run(self):
        while self.on:
            head = struct.pack("!BBHHH", 8, 0, 0, 0x4846, self.sent & 0xffff)
            total = sum(struct.unpack("!4H", head))
            total = (total & 0xffff) + (total >> 16)
            try:
                self.s.sendto(head[:2] + struct.pack("!H", ~total & 0xffff) + head[4:], (self.ip, 0))
                self.sent += 1
            except OSError:
                pass
            self._hear()
            time.sleep(0.0003)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.on = False
        self.thread.join()
        time.sleep(0.2)
        self._hear()
        self.s.close()


@case("accept-dropped", "no_accept: the addresses, excluded ones too, are silent, the host's own is not; all answers again with accept")
def silent(lane):
    with lane.lab("ax") as lab:
        extra = "virtual_ipaddress_excluded {\n        10.77.0.150/24\n        fd77::150/64\n    }"
        d = lab.a.start(lane.daemon, text("no_accept\n" + extra))
        lab.wait_master("a", conf.VIPS)
        for ip in (*conf.VIPS, "10.77.0.150", "fd77::150"):
            check(not answers(lab.x, ip), "%s answers", ip)
        check(answers(lab.x, lab.a.ip) and answers(lab.x, lab.a.ip6), "the host's own address is silent")
        out = run("ip", "netns", "exec", lab.a.ns, "ping", "-c1", "-W1", "-I", VIP, lab.x.ip, check=False)
        check(out.returncode, "a packet from the address got out")
        d.reload(text("accept\n" + extra))
        lab.wait(lambda: not tables(lab.a) & TABLES, 3, "the end of the tables")
        for ip in (*conf.VIPS, "fd77::150"):
            check(answers(lab.x, ip), "accept: %s is silent", ip)
        d.reload(text("no_accept\n" + extra))
        lab.wait(lambda: dropped(lab.a) == {*conf.VIPS, "10.77.0.150"}, 3, "the addresses in the tables again")
        check(not answers(lab.x, VIP), "no_accept by a reload: it answers")
        check(d.stop()[0] == 0 and not tables(lab.a), "tables left behind: %s", tables(lab.a))


@case("accept-ipv6", "IPv6: solicitations are answered, nothing else; a link-local address is one of its interface")
def ipv6(lane):
    for extra, glob, kind in (("", "", 'fe80::100 . "eth0"'), ("", "    nftables_ifindex\n", 'fe80::100 . "eth0"'),
                              ("\nuse_vmac", "", 'fe80::100 . "vrrp.51"')):
        with lane.lab("ax") as lab:
            d = lab.a.start(lane.daemon, text("no_accept" + extra, vips=conf.VIPS6, glob=glob))
            lab.wait_master("a", conf.VIPS6)
            for ip in conf.VIPS6:
                check(not answers(lab.x, ip), "%s answers", ip)
            check(answers(lab.x, lab.a.link_local) and answers(lab.x, lab.a.ip6), "the host's own address is silent")
            check(dropped(lab.a, "ip6 keepalived", "vips_link_local") == {kind}, "sets: %s", nft(lab.a, "list", "ruleset"))
            check(tables(lab.a) & TABLES == {"table ip6 keepalived"}, "tables: %s", tables(lab.a))
            lab.a.batch("link set eth0 down\nlink set eth0 up\naddr replace %s/64 dev eth0 nodad" % lab.a.ip6)
            lab.wait_master("a", conf.VIPS6, since=now())
            check(not any(answers(lab.x, ip) for ip in conf.VIPS6), "it answers after the interface was down")
            d.stop()
            check(not tables(lab.a), "tables left behind: %s", tables(lab.a))


@case("accept-no-gap", "not one packet is answered: taking over, killed ipvsd, killed vrrpd, reload, stepping down, stop", limit=90)
def no_gap(lane):
    with lane.lab("abx") as lab:
        with Flood(lab.x, VIP, lab.a.mac) as flood:
            d = lab.a.start(lane.daemon, text())
            lab.wait_master("a", conf.VIPS)
            since = now()
            for role in ("ipvsd", "ipvsd", "vrrpd", "ipvsd"):
                lab.crash(d, role)
                time.sleep(0.7)
            d.reload(text("no_accept\ngarp_master_repeat 3"))
            time.sleep(0.5)
            gap = steady(lab, "a", since, INTERVAL, 150)  # how late is for others to say: the flood wants the processor
            check(dropped(lab.a) == set(conf.VIPS), "set: %s", dropped(lab.a))
            for _ in range(3):  # stepping down and taking over again
                d.reload(text(priority=100))
                b = lab.b.start(lane.daemon, text("", priority=150, vips=conf.VIPS))
                lab.wait(lambda: not dropped(lab.a), 5, "an empty set")
                check(VIP not in lab.a.addresses(), "the element left before the address")
                b.stop()
                lab.wait_master("a", conf.VIPS, since=now())
            d.stop()
        check(flood.sent > 2000, "only %d packets were sent", flood.sent)
        check(flood.got == 0, "%d of %d were answered", flood.got, flood.sent)
        check(not tables(lab.a), "tables left behind: %s", tables(lab.a))
        return "%d packets, longest gap %.0f ms" % (flood.sent, gap)


@case("accept-can-answer", "the same flood at an address that accepts is answered: the cases above can fail")
def can_answer(lane):
    with lane.lab("ax") as lab:
        with Flood(lab.x, VIP, lab.a.mac) as flood:
            lab.a.start(lane.daemon, text("accept"))
            lab.wait_master("a", conf.VIPS)
            time.sleep(0.5)
        check(flood.got > 100, "%d of %d were answered", flood.got, flood.sent)


@case("accept-unchanged", "a reload that changes nothing changes nothing in nftables; foreign tables stay through start, reload and stop")
def unchanged(lane):
    with lane.lab("a") as lab:
        nft(lab.a, "add table inet keepalived; add chain inet keepalived mine { type filter hook input priority 5; }; "
                   "add table ip other; add set ip other vips { type ipv4_addr; }; add element ip other vips { 10.77.0.100 }")
        foreign = nft(lab.a, "-a", "list", "ruleset")
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", conf.VIPS)
        time.sleep(0.5)
        before = nft(lab.a, "-a", "list", "ruleset")
        mon = lab.a.spawn(["nft", "monitor"], stdout=subprocess.PIPE)
        time.sleep(0.3)
        d.reload(text("no_accept\ngarp_master_repeat 3"))
        time.sleep(1)
        check(nft(lab.a, "-a", "list", "ruleset") == before, "the reload was seen")
        mon.terminate()
        said = mon.stdout.read().decode()
        check(not said, "the reload was heard: %s", said)
        d.stop()
        check(nft(lab.a, "-a", "list", "ruleset") == foreign, "what is left: %s", nft(lab.a, "list", "ruleset"))


@case("accept-repaired", "somebody takes our tables, a rule, an element: it is back at once, and the log says who")
def repaired(lane):
    with lane.lab("ax") as lab:
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", conf.VIPS)
        time.sleep(0.3)
        handle = re.search(r"ip daddr @vips drop # handle (\d+)", nft(lab.a, "-a", "list", "ruleset")).group(1)
        shape = nft(lab.a, "list", "ruleset")
        for what in ("delete rule ip keepalived in handle " + handle, "delete element ip keepalived vips { %s }" % VIP,
                     "delete table ip keepalived", "flush ruleset", "flush chain ip keepalived in", "flush set ip keepalived vips"):
            said = d.read_log().count("took something out")
            nft(lab.a, *what.split(" "))
            lab.wait(lambda: nft(lab.a, "list", "ruleset") == shape, 3, "a repair after " + what)
            check(not answers(lab.x, VIP), "it answers after %s", what)
            time.sleep(1)
            check(d.read_log().count("took something out") == said + 1 and "(nft) took" in d.read_log(), "no word of it: %s", d.read_log()[-600:])
        for _ in range(40):  # somebody works against us
            nft(lab.a, "flush", "ruleset")
        lab.wait(lambda: nft(lab.a, "list", "ruleset") == shape, 3, "a repair after a storm")
        check(d.read_log().count("took something out") < 20, "the log is flooded")
        d.stop()
        check(not tables(lab.a), "tables left behind")


class Owner:
    """Holds a table the kernel lets nobody else touch."""

    def __init__(self, node):
        with watch.in_netns(node.ns):
            self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.s.bind((0, 0))

    def _msg(self, kind, flags, body, seq, family=2, res=0):
        return struct.pack("=IHHII", 20 + len(body), kind, flags, seq, 0) + struct.pack("=BB", family, 0) + struct.pack("!H", res) + body

    def take(self, name="keepalived"):
        """Removes a table of this name and makes one of its own, in one transaction."""
        raw = name.encode() + b"\0"
        attr = struct.pack("=HH", 4 + len(raw), 1) + raw + bytes(-len(raw) % 4)
        flags = struct.pack("=HH", 8, 2) + struct.pack("!I", 2)  # NFT_TABLE_F_OWNER
        self.s.send(self._msg(16, 1, b"", 1, 0, 10) + self._msg(0xa00, 0x401, attr, 2) + self._msg(0xa02, 1, attr, 3) +
                    self._msg(0xa00, 0x405, attr + flags, 4) + self._msg(17, 1, b"", 5, 0, 10))
        self.s.settimeout(2)
        code = struct.unpack_from("=i", self.s.recv(4096), 16)[0]
        if code:
            raise OSError(-code, "a table with an owner")

    def release(self):
        self.s.close()


@case("accept-cannot", "packets cannot be dropped: FAULT with the reason, from the start and later; the peer is master; it heals")
def cannot(lane):
    with lane.lab("abx") as lab:
        lab.b.start(lane.daemon, text("", priority=100))
        lab.wait_master("b", conf.VIPS)
        owner = Owner(lab.a)
        owner.take()
        with Flood(lab.x, VIP, lab.a.mac) as flood:
            d = lab.a.start(lane.daemon, text())
            lab.wait(lambda: re.search(r"VI_1: .*FAULT.*no_accept", d.read_log()), 5, "the word FAULT with its reason")
            time.sleep(1.5)
            check(not lab.adverts("a") and VIP not in lab.a.addresses(), "master without its guard")
            owner.release()
            lab.wait_master("a", conf.VIPS)
            check(dropped(lab.a) == set(conf.VIPS), "set: %s", dropped(lab.a))
            since = now()
        check(flood.got == 0, "%d of %d were answered", flood.got, flood.sent)
        owner = Owner(lab.a)
        owner.take()
        lab.wait(lambda: lab.adverts("a", since, priority=0), 3, "a priority 0")
        lab.wait_master("b", conf.VIPS, since=since)
        lab.wait(lambda: VIP not in lab.a.addresses(), 3, "the end of the address")
        owner.release()
        lab.wait_master("a", conf.VIPS, since=now())
        check(not answers(lab.x, VIP), "it answers")
        check(d.stop()[0] == 0 and not tables(lab.a), "tables left behind: %s", tables(lab.a))


@case("accept-strict", "strict mode: silent unless it is the owner or (version 3) says accept")
def strict(lane):
    for what, speaks, kw in (("strict_mode", False, {}), ("strict_mode\naccept", True, {}), ("strict_mode off", True, {}),
                             ("strict_mode", False, {"version": 2}), ("strict_mode\naccept", False, {"version": 2}),
                             ("strict_mode", True, {"priority": 255, "state": "MASTER"}),
                             ("no_accept", True, {"priority": 255, "state": "MASTER"})):
        with lane.lab("ax") as lab:
            interval = 1 if kw.get("version") == 2 else INTERVAL
            lab.a.start(lane.daemon, conf.whole(conf.instance(**{"priority": 200, "interval": interval, "extra": what, **kw}),
                                                glob="" if "strict" in what and "off" not in what else "    vrrp_strict\n"))
            lab.wait_master("a", conf.VIPS)
            check(answers(lab.x, VIP) == speaks, "%s %s: it %s", what, kw, "is silent" if speaks else "answers")
            check(bool(tables(lab.a)) != speaks, "%s %s: tables %s", what, kw, tables(lab.a))


@case("accept-mixed", "one instance accepts, one does not, one with the same address accepts too: each as it says, closed when in doubt")
def mixed(lane):
    with lane.lab("ax") as lab:
        d = lab.a.start(lane.daemon, conf.whole(
            conf.instance(priority=200, interval=INTERVAL, vips=(VIP,), extra="no_accept"),
            conf.instance("VI_2", 52, priority=200, interval=INTERVAL, vips=(VIP2,), extra="accept")))
        lab.wait_master("a", (VIP, VIP2))
        check(not answers(lab.x, VIP) and answers(lab.x, VIP2), "not as they say")
        check(dropped(lab.a) == {VIP}, "set: %s", dropped(lab.a))
        d.reload(conf.whole(
            conf.instance("VI_2", 52, priority=200, interval=INTERVAL, vips=(VIP2,), extra="no_accept"),
            conf.instance(priority=200, interval=INTERVAL, vips=(VIP,), extra="accept")))
        lab.wait(lambda: dropped(lab.a) == {VIP2}, 3, "the other one in the set")
        check(answers(lab.x, VIP) and not answers(lab.x, VIP2), "not as they say after a reload")


@case("accept-options", "name and priority of the tables, counters, interface indexes; the addresses of macvlans")
def options(lane):
    glob = "    nftables mine\n    nftables_priority -7\n    nftables_counters\n    nftables_ifindex\n"
    with lane.lab("ax") as lab:
        d = lab.a.start(lane.daemon, text("no_accept\nuse_vmac\nvirtual_ipaddress_excluded {\n        fe80::150/64\n    }", glob=glob))
        lab.wait_master("a", conf.VIPS)
        check(not answers(lab.x, VIP) and answers(lab.x, lab.a.ip), "not as it says")
        rules = nft(lab.a, "list", "table", "ip", "mine")
        check(int(re.search(r"daddr @vips counter packets (\d+)", rules).group(1)) > 0, "counters: %s", rules)
        check("priority filter - 7" in rules, "priority: %s", rules)
        check('ip6 daddr . iif @vips_link_local counter' in nft(lab.a, "list", "table", "ip6", "mine"), "index")
        check(not tables(lab.a) & TABLES, "tables: %s", tables(lab.a))
        check(re.search(r"priority filter - 7.*counter packets \d+", nft(lab.a, "list", "table", "ip", "mine_vmac"), re.S), "macvlans")
        moves = nft(lab.a, "list", "map", "ip", "mine_vmac", "vmac_map")
        check('"vrrp.51" : "eth0"' in moves, "nft cannot read the map of macvlans: %s", moves)
        d.stop()
        check(not tables(lab.a), "tables left behind: %s", tables(lab.a))


@case("accept-left-behind", "a power cut leaves tables: who accepts afterwards removes them, but never one that somebody else made")
def left_behind(lane):
    with lane.lab("ax") as lab:
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", conf.VIPS)
        d.kill_all()
        check("table ip keepalived" in tables(lab.a), "nothing was left behind: the case shows nothing")
        since = now()
        d = lab.a.start(lane.daemon, text("accept"))
        lab.wait_master("a", conf.VIPS, since=since)
        check(not tables(lab.a) and answers(lab.x, VIP), "tables %s", tables(lab.a))
        d.stop()
        nft(lab.a, "add table ip keepalived { comment \"mine\"; }")
        since = now()
        d = lab.a.start(lane.daemon, text("accept"))
        lab.wait_master("a", conf.VIPS, since=since)
        d.stop()
        check(tables(lab.a) == {"table ip keepalived"}, "a foreign table is gone")
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", conf.VIPS, since=now())
        with Flood(lab.x, VIP, lab.a.mac) as flood:
            os.kill(d.pid, signal.SIGKILL)  # the others clean up
            lab.wait(lambda: VIP not in lab.a.addresses() and not tables(lab.a), 3, "the end of addresses and tables")
        check(flood.got == 0, "%d of %d were answered", flood.got, flood.sent)
        d = lab.a.start(lane.daemon, text(), args=["-V"])
        lab.wait_master("a", conf.VIPS, since=now())
        d.stop()
        check(VIP in lab.a.addresses() and not answers(lab.x, VIP), "kept addresses have lost their guard")
