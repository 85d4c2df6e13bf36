"""Every word of a bfd_instance, as it is seen in the packets, in who is believed, and in the priority of a router that tracks it."""
import socket
import struct
import threading
import time

import checks
from bfd import DOWN, INIT, UP, Wire
from case import case, check
from lab import conf, now
from lab.watch import in_netns


NEIGHBOURS = (12, 13, 14, 15, 16)


class Peer:
    """A router that speaks BFD as it is told, from an address of node b."""

    def __init__(self, lab, wire, me, to, ttl=255, port=3784):
        self.wire, self.me, self.to, self.port, self.stop = wire, me, to, port, threading.Event()
        with in_netns(lab.b.ns):
            self.s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
            self.s.bind((me, 0))
        self.hops(ttl)

    def hops(self, ttl):
        level = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if ":" in self.to else (socket.IPPROTO_IP, socket.IP_TTL)
        self.s.setsockopt(*level, ttl)

    def say(self, state, your=0):
        self.s.sendto(struct.pack("!BBBBIIIII", 0x20, state << 6, 3, 24, 77, your, 300000, 300000, 0), (self.to, self.port))

    def last(self):
        seen = [p for p in self.wire.of(self.to) if p.dst == self.me]
        return seen[-1] if seen else None

    def rise(self):
        """The session up, and held up until hush()."""
        self.say(DOWN)
        self.wire.lab.wait(lambda: self.last() and self.last().state == INIT, 3, "INIT for " + self.me)
        my = self.last().my

        def hold():
            while not self.stop.wait(0.15):
                self.say(UP, my)
        self.say(INIT, my)
        threading.Thread(target=hold, daemon=True).start()
        self.wire.lab.wait(lambda: self.last().state == UP, 3, "UP for " + self.me)

    def hush(self):
        self.stop.set()


def bfd(name, *lines):
    return "bfd_instance %s {\n    %s\n}\n" % (name, "\n    ".join(lines))


def told(packet, **want):
    got = {k: getattr(packet, k) for k in want}
    check(got == want, "%s to %s: %s, not %s", packet.src, packet.dst, got, want)


@case("bfd-words", "neighbour_ip, source_ip, ttl, hoplimit, intervals, multiplier, passive, multihop: in the packets, and after a reload")
def words(lane):
    with lane.lab("ab") as lab:
        wire = Wire(lab)
        lab.a.batch("addr add 10.77.0.11/24 dev eth0")
        lab.b.batch("".join("addr add 10.77.0.%d/24 dev eth0\n" % n for n in (12, 13, 14)))
        first = bfd("ALL", "neighbour_ip 10.77.0.12", "source_ip 10.77.0.11", "min_rx 33.5", "min_tx 40", "idle_tx 1500", "multiplier 7",
                    "ttl 77")
        six = bfd("SIX", "neighbor_ip fd77::2", "source_ip fd77::1", "hoplimit 66")
        quiet, far = bfd("QUIET", "neighbor_ip 10.77.0.13", "%s"), bfd("FAR", "neighbor_ip 10.77.0.14", "%s", "source_ip 10.77.0.1")
        d = lab.a.start(lane.daemon, first + six + quiet % "passive" + far % "multihop")
        wire.wait("10.77.0.1", 4, "a packet of the far one", dst="10.77.0.14")
        time.sleep(3.2)
        seen = wire.of("10.77.0.11", dst="10.77.0.12")
        told(seen[0], ttl=77, dport=3784, mult=7, rx=33500, tx=1500000, state=DOWN)
        gaps = [(b.ts - a.ts) / 1e9 for a, b in zip(seen, seen[1:])]
        check(gaps and all(1.1 < g < 1.6 for g in gaps), "idle_tx 1500: %s", gaps)
        told(wire.of("fd77::1", dst="fd77::2")[0], ttl=66, dport=3784, mult=5, rx=10000, tx=1000000)
        told(wire.of("10.77.0.1", dst="10.77.0.14")[0], ttl=255, dport=4784)
        check(not [p for p in wire.of("10.77.0.1") if p.dst == "10.77.0.13"], "the passive one speaks first")
        peer, other = Peer(lab, wire, "10.77.0.12", "10.77.0.11", ttl=76), Peer(lab, wire, "10.77.0.13", "10.77.0.1")
        peer.say(DOWN)
        other.say(DOWN)
        wire.wait("10.77.0.1", 3, "an answer of the passive one", dst="10.77.0.13", state=INIT)
        time.sleep(0.2)
        check(peer.last().state == DOWN, "with ttl 77 a packet with TTL 76 counts")
        peer.hops(77)
        peer.rise()
        told(peer.last(), tx=40000, rx=33500)
        since = now()
        d.reload(first.replace("multiplier 7", "multiplier 4").replace("ttl 77", "ttl 78").replace("min_tx 40", "min_tx 60")
                 + six.replace("hoplimit 66", "hoplimit 67") + quiet % "" + far % "multihop off")
        wire.wait("10.77.0.11", 3, "the new values", since, dst="10.77.0.12", mult=4, ttl=78, tx=60000)
        wire.wait("fd77::1", 3, "the new hop limit", since, ttl=67)
        wire.wait("10.77.0.1", 3, "one hop", since, dst="10.77.0.14", dport=3784)
        since = now()
        wire.wait("10.77.0.1", 3, "words of the one no longer passive", since, dst="10.77.0.13")
        peer.hush()


@case("bfd-weight", "weight of a bfd_instance, plain, negative and reverse, counts for who tracks it, unless the tracker has one of its own")
def weight(lane):
    with lane.lab("ab") as lab:
        wire = Wire(lab)
        lab.b.batch("".join("addr add 10.77.0.%d/24 dev eth0\n" % n for n in NEIGHBOURS))
        text = "".join(bfd(name, "neighbor_ip 10.77.0.%d" % n, "source_ip 10.77.0.1", weight) for name, n, weight in
                       (("PLUS", 12, "weight 20"), ("MINUS", 13, "weight -30"), ("TURNED", 14, "weight 10 reverse"),
                        ("LESS", 15, "weight -15 reverse"), ("OWN", 16, "weight 40")))
        track = "track_bfd {\n PLUS\n MINUS\n TURNED\n LESS\n OWN weight 3\n}"
        d = lab.a.start(lane.daemon, text + conf.whole(conf.instance(priority=100, interval=0.1, vips=["10.77.0.200"], extra=track)))
        priority = lambda n: lab.wait(lambda: lab.adverts("a") and lab.adverts("a")[-1].priority == n, 4, "priority %d" % n)
        peers = [Peer(lab, wire, "10.77.0.%d" % n, "10.77.0.1") for n in NEIGHBOURS]
        lab.wait(lambda: all(p.last() for p in peers), 4, "their packets")
        for peer, n in zip([None] + peers, (85, 105, 135, 125, 110, 113)):
            if peer:
                peer.rise()
            priority(n)
        d.reload((text + conf.whole(conf.instance(priority=100, interval=0.1, vips=["10.77.0.200"], extra=track))).replace(
            "weight 20", "weight 25"))
        priority(118)
        for peer, n in zip(peers, (93, 63, 73, 88, 85)):
            peer.hush()
            priority(n)


@case("bfd-check-unanswered", "BFD_CHECK: a server whose neighbour has never answered is down, from the start and after a reload; a crash of vrrpd does not move one that is up")
def unanswered(lane):
    with lane.lab("ab") as lab:
        ips, wire = checks.addresses(lab.a, 2), Wire(lab)
        lab.b.batch("addr add 10.77.0.12/24 dev eth0")
        words = ("source_ip 10.77.0.1", "min_rx 300", "min_tx 300", "idle_tx 300", "multiplier 5")

        def text(*names):
            return conf.whole(*[bfd(x, "neighbor_ip 10.77.0.%s" % x[1:], *words) for x in names],
                              "virtual_server 10.99.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n%s}\n" % "".join(
                                  " real_server %s 80 {\n BFD_CHECK {\n name %s\n }\n }\n" % (ip, x) for ip, x in zip(ips, names)))
        d = lab.a.start(lane.daemon, text("N12"))
        lab.wait(lambda: checks.verdict(d, ips[0], 80)[0] == "down", 3, "a neighbour that does not answer")
        p = Peer(lab, wire, "10.77.0.12", "10.77.0.1")
        p.rise()
        lab.wait(lambda: checks.verdict(d, ips[0], 80)[0] == "up", 3, "the session")
        d.reload(text("N12", "N13"))
        lab.wait(lambda: checks.verdict(d, ips[1], 80)[0] == "down", 3, "a session that a reload brings")
        lab.crash(d, "vrrpd")
        time.sleep(1)
        check(checks.verdict(d, ips[0], 80)[0] == "up", "the crash moved a server: %s", checks.verdict(d, ips[0], 80))
        p.hush()
        return "never fails open"
