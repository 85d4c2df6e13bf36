"""BFD on real frames: against BIRD and the incumbent of Debian, detection below 100 ms, crashes nobody sees, GTSM, reloads."""
import os
import shutil
import signal
import socket
import struct
import time

from case import case, check
from lab import Skip, conf, now, packet, report
from lab.watch import in_netns

BIRD = shutil.which("bird") or "/usr/sbin/bird"
ADMIN_DOWN, DOWN, INIT, UP = range(4)
POLL, FINAL = 32, 16


class Bfd:
    """A BFD packet as it came into the switch."""

    def __init__(self, ts, raw):
        self.ts = ts
        if raw[12:14] == b"\x08\x00" and raw[23] == 17:
            self.ttl, self.src, self.dst, udp = raw[22], packet.text(raw[26:30]), packet.text(raw[30:34]), raw[14 + (raw[14] & 15) * 4:]
        elif raw[12:14] == b"\x86\xdd" and raw[20] == 17:
            self.ttl, self.src, self.dst, udp = raw[21], packet.text(raw[22:38]), packet.text(raw[38:54]), raw[54:]
        else:
            raise ValueError
        self.sport, self.dport, length = struct.unpack("!HHH", udp[:6])
        if self.dport not in (3784, 4784):
            raise ValueError
        b = udp[8:length]
        self.version, self.diag, self.state, self.flags, self.mult = b[0] >> 5, b[0] & 31, b[1] >> 6, b[1] & 63, b[2]
        self.my, self.your, self.tx, self.rx, self.echo = struct.unpack("!IIIII", b[4:24])


class Wire:
    """All BFD packets of the lab, by kernel receive time."""

    def __init__(self, lab):
        self.lab, self.seen = lab, []
        with in_netns(lab.switch):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.s.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        self.s.setblocking(False)

    def read(self):
        while True:
            try:
                raw, anc, _, who = self.s.recvmsg(2048, 256)
            except BlockingIOError:
                return
            if who[2] == 4 or not who[0].startswith("p-"):  # outgoing, or seen again on the bridge itself
                continue
            sec, nsec = struct.unpack("qq", anc[0][2][:16])
            try:
                self.seen.append(Bfd(sec * 10 ** 9 + nsec, raw))
            except (ValueError, IndexError, struct.error):
                pass

    def of(self, ip, since=0, **want):
        self.read()
        return [p for p in self.seen if p.src == ip and p.ts >= since and all(getattr(p, k) == v for k, v in want.items())]

    def wait(self, ip, timeout, what, since=0, **want):
        return self.lab.wait(lambda: self.of(ip, since, **want), timeout, what)[0]

    def up(self, *ips, since=0, timeout=8):
        for ip in ips:
            self.wait(ip, timeout, "UP in the packets of " + ip, since, state=UP, flags=0)

    def settled(self, *ips, timeout=10):
        """Until both have said nothing but UP for half a second."""
        self.lab.wait(lambda: all({p.state for p in self.of(ip, now() - int(5e8))} == {UP} for ip in ips), timeout, "half a second of UP")

    def just(self, ours, theirs, ms):
        """Whenever we said that nothing was heard, nothing was to be heard for that long: a machine under load may be late, not we."""
        before = None
        for p in self.of(ours):
            if before and before.state == UP and p.state == DOWN and p.diag == 1:
                last = [q for q in self.of(theirs) if q.ts < p.ts][-1]
                check(p.ts - last.ts >= (ms - 1) * 1e6, "down %.1f ms after a packet", (p.ts - last.ts) / 1e6)
            before = p

    def steady(self, ips, since):
        """Nobody has said anything but UP since; how many packets."""
        n = 0
        for ip in ips:
            seen = self.of(ip, since)
            check(seen, "%s is silent", ip)
            bad = [p for p in seen if p.state != UP]
            check(not bad, "%s left UP: state %d, diagnosis %d, %.0f ms later", ip, bad and bad[0].state, bad and bad[0].diag,
                  bad and (bad[0].ts - since) / 1e6)
            n += len(seen)
        return n


def session(me, peer, ms, mult=3, idle=300, name="B1", extra=""):
    return ("bfd_instance %s {\n neighbor_ip %s\n source_ip %s\n min_rx %g\n min_tx %g\n idle_tx %d\n multiplier %d\n%s}\n"
            % (name, peer, me, ms, ms, idle, mult, extra))


def bird(lab, node, me, peer, ms, mult=3):
    if not os.access(BIRD, os.X_OK):
        raise Skip("no BIRD here: apt install bird2")
    path = "%s/bird-%s-%d" % (lab.root, node.name, time.monotonic_ns())
    with open(path + ".conf", "w") as f:
        f.write('router id 10.77.0.250;\nprotocol device { }\nprotocol bfd {\n interface "eth0" { min rx interval %d ms; min tx interval '
                '%d ms; idle tx interval 300 ms; multiplier %d; };\n neighbor %s dev "eth0" local %s;\n}\n' % (ms, ms, mult, peer, me))
    with open(path + ".log", "wb") as log:
        return node.spawn([BIRD, "-f", "-c", path + ".conf", "-s", path + ".ctl", "-P", path + ".pid"], stdout=log, stderr=log)


def power_cut(p):
    p.send_signal(signal.SIGKILL)  # the shell has exec'ed it: one process
    p.wait(5)


def cut_and_measure(wire, dead, alive, since):
    """From the dead one's last packet to the other's first that says DOWN, ms."""
    first = wire.wait(alive, 3, "DOWN of " + alive, since, state=DOWN)
    last = [p for p in wire.of(dead) if p.ts < first.ts][-1]
    check(first.diag == 1, "diagnosis %d", first.diag)
    return (first.ts - last.ts) / 1e6


@case("bfd-bird", "with BIRD at 20 ms x 3: up, loss seen below 100 ms, both ways, several times", alone=True)
@case("bfd-bird-v6", "the same over IPv6", alone=True, six=True)
def with_bird(lane, six=False):
    ours, theirs = [], []
    with lane.lab("ab") as lab:
        ip = [n.ip6 if six else n.ip for n in (lab.a, lab.b)]
        wire = Wire(lab)
        d = lab.a.start(lane.daemon, session(*ip, 20))
        for _ in range(4):
            b = bird(lab, lab.b, ip[1], ip[0], 20)
            wire.settled(*ip)
            since = now()
            power_cut(b)
            ours.append(cut_and_measure(wire, ip[1], ip[0], since))
        first = wire.of(ip[0])[0]
        check((first.ttl, first.dport, first.version) == (255, 3784, 1) and first.sport >= 49152, "form of the packets")
        bird(lab, lab.b, ip[1], ip[0], 20)
        for _ in range(3):
            wire.settled(*ip)
            since = now()
            d.kill_all()
            theirs.append(cut_and_measure(wire, ip[0], ip[1], since))
            d = lab.a.start(lane.daemon, session(*ip, 20))
        wire.just(*ip, 60)
        check(max(ours) < 100 and min(ours) >= 59, "detection took %s ms", ours)
        return "ours median %.0f max %.0f ms, BIRD's max %.0f ms" % (report.median(ours), max(ours), max(theirs))


@case("bfd-incumbent", "with the incumbent: up, loss seen by either, up again")
def with_incumbent(lane):
    if not lane.incumbent:
        raise Skip("no keepalived here: apt install keepalived")
    with lane.lab("ab") as lab:
        wire, ip = Wire(lab), (lab.a.ip, lab.b.ip)
        a = lab.a.start(lane.daemon, session(*ip, 100))
        # 2.2.7 refuses an idle_tx below a second
        text = session(ip[1], ip[0], 100, idle=1000) + conf.whole(conf.instance(extra="track_bfd {\n B1 weight 1\n}"))
        b = lab.b.start(lane.incumbent, text)
        wire.up(*ip, timeout=12)
        time.sleep(1.5)
        wire.steady(ip, now() - int(1e9))
        since = now()
        b.kill_all()
        ours = cut_and_measure(wire, ip[1], ip[0], since)
        since = now()
        lab.b.start(lane.incumbent, text)
        wire.up(*ip, since=since, timeout=12)
        time.sleep(1)
        since = now()
        a.kill_all()
        theirs = cut_and_measure(wire, ip[0], ip[1], since)
        check(150 <= ours <= 340, "detection took %.0f ms", ours)
        return "3 x 100 ms: ours %.0f ms, the incumbent's %.0f ms" % (ours, theirs)


@case("bfd-crash", "vrrpd and ipvsd killed under a session: BIRD sees nothing, the source port stays", alone=True)
def crash(lane):
    with lane.lab("ab") as lab:
        wire, ip = Wire(lab), (lab.a.ip, lab.b.ip)
        text = session(*ip, 100) + conf.whole(conf.instance(extra="track_bfd {\n B1 weight 10\n}"))
        d = lab.a.start(lane.daemon, text)
        bird(lab, lab.b, ip[1], ip[0], 100)
        wire.up(*ip)
        time.sleep(0.5)
        since, who = now(), wire.of(ip[0])[-1]
        for role in ("vrrpd", "ipvsd", "vrrpd", "ipvsd", "vrrpd"):
            lab.crash(d, role)
            time.sleep(1)
        n = wire.steady(ip, since)
        after = wire.of(ip[0])[-1]
        check((after.my, after.sport) == (who.my, who.sport), "another discriminator or source port")
        sent = [p.ts for p in wire.of(ip[0], since)]
        longest = max((b - a) / 1e6 for a, b in zip(sent, sent[1:]))
        check(longest < 300, "silent for %.0f ms", longest)
        return "%d packets, longest silence of ours %.0f ms" % (n, longest)


@case("bfd-reload", "a reload leaves a session alone; new intervals are polled for, no state is lost")
def reload(lane):
    with lane.lab("ab") as lab:
        wire, ip = Wire(lab), (lab.a.ip, lab.b.ip)
        pids = lab.root + "/bfd.pid"
        d = lab.a.start(lane.daemon, session(*ip, 100), args=["-b", pids])
        bird(lab, lab.b, ip[1], ip[0], 100)
        wire.up(*ip)
        check(int(open(pids).read()) == d.role("vrrpd"), "the file of -b names another process")
        since, who = now(), wire.of(ip[0])[-1]
        d.reload(session("10.77.0.9", "10.77.0.8", 100, name="AAA") + session(*ip, 100))
        time.sleep(1)
        check(not wire.of(ip[0], since, flags=POLL), "a poll although nothing has changed")
        changed = now()
        d.reload(session(*ip, 50))
        wire.wait(ip[0], 3, "a poll for the new intervals", changed, flags=POLL, tx=50000, rx=50000)
        wire.wait(ip[1], 3, "its answer", changed, flags=FINAL)
        time.sleep(0.5)
        wire.steady(ip, since)
        after = wire.of(ip[0])[-1]
        check((after.my, after.sport) == (who.my, who.sport), "another discriminator or source port")
        check(not wire.of("10.77.0.9"), "a session whose source is not there speaks")


def forged(lab, node, dst, ttl, state, my, your, six=False):
    with in_netns(node.ns):
        s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.setsockopt(*((socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if six else (socket.IPPROTO_IP, socket.IP_TTL)), ttl)
        s.sendto(struct.pack("!BBBBIIIII", 0x20, state << 6, 3, 24, my, your, 300000, 300000, 0), (dst, 3784))


@case("bfd-gtsm", "a packet from one hop further away moves nothing; max_hops lets it in")
def gtsm(lane):
    with lane.lab("ab") as lab:
        wire, ip, ip6 = Wire(lab), (lab.a.ip, lab.b.ip), (lab.a.ip6, lab.b.ip6)
        d = lab.a.start(lane.daemon, session(*ip, 300) + session(*ip6, 300, name="B6"))
        for i, (me, peer) in enumerate((ip, ip6)):
            mine = wire.wait(me, 5, "a packet")
            check(mine.ttl == 255 and mine.state == DOWN and mine.your == 0, "first packet")
            for state, your in ((DOWN, 0), (DOWN, mine.my), (INIT, mine.my)):
                forged(lab, lab.b, me, 254, state, 7, your, i == 1)
            time.sleep(0.7)
            check(not [p for p in wire.of(me) if p.state != DOWN or p.your], "a packet with TTL 254 counted")
            forged(lab, lab.b, me, 255, DOWN, 7, 0, i == 1)
            wire.wait(me, 1, "INIT", state=INIT, your=7)
        since = now()
        d.reload(session(*ip, 300, extra=" max_hops 2\n"))
        time.sleep(2)
        forged(lab, lab.b, ip[0], 252, DOWN, 8, 0)
        time.sleep(0.3)
        check(not wire.of(ip[0], since, your=8), "a packet from three hops away counted")
        forged(lab, lab.b, ip[0], 253, DOWN, 8, 0)
        wire.wait(ip[0], 1, "INIT for two hops", since, your=8)


@case("bfd-off", "-B: no session speaks, the rest runs")
def off(lane):
    with lane.lab("ab") as lab:
        wire = Wire(lab)
        text = session(lab.a.ip, lab.b.ip, 100) + conf.whole(conf.instance(interval=0.1, extra="track_bfd {\n B1 weight 10\n}"))
        lab.a.start(lane.daemon, text, args=["-B"])
        lab.wait_master("a", conf.VIPS)
        time.sleep(1)
        check(not wire.of(lab.a.ip), "a session speaks")
        check(lab.adverts("a")[-1].priority == 100, "a session that does not run counts as up")
