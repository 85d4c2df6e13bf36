"""vrrp_rfc_defaults: one line, and what an instance leaves open is as RFC 9568 has it, on the wire and behind the address. Without it all
is as the incumbent has it."""
import time

from accept import answers
from case import case, check
from lab import conf, now
from lab.packet import checksum

INTERVAL = 0.2
LINE = "    vrrp_rfc_defaults\n"
MAC, MAC6 = "00:00:5e:00:01:33", "00:00:5e:00:02:33"


def text(priority, vips=conf.VIPS, glob=LINE, extra=""):
    return conf.whole(conf.instance(priority=priority, interval=INTERVAL, vips=vips, extra=extra), glob=glob)


def plain(frame):
    """Is the checksum right without the pseudo header?"""
    return checksum(frame.pdu) == 0


@case("rfc-defaults", "the first advert has the plain checksum and the virtual MAC, the address is silent; the peer with the same line takes over")
def defaults(lane):
    with lane.lab("abx") as lab:
        a = lab.a.start(lane.daemon, text(200))
        first = lab.wait_master("a", conf.VIPS)
        check(plain(first) and first.eth_src == MAC, "checksum plain: %s, source MAC %s", plain(first), first.eth_src)
        check(not answers(lab.x, conf.VIPS[0]), "the address of a non-owner answers")
        check(answers(lab.x, lab.a.ip), "the host's own address is silent")
        lab.b.start(lane.daemon, text(100))
        time.sleep(1.5)
        check(not lab.adverts("b"), "the backup does not hear its master")
        asked = now()
        a.kill_all()
        took = lab.wait(lambda: lab.adverts("b", asked), 3, "the take-over")[0]
        check(plain(took) and took.eth_src == MAC, "the new master: plain %s, source MAC %s", plain(took), took.eth_src)


@case("rfc-defaults-six", "IPv6: the virtual MAC of its own, the checksum with its pseudo header as ever, the address silent")
def six(lane):
    with lane.lab("ax") as lab:
        lab.a.start(lane.daemon, text(200, conf.VIPS6))
        first = lab.wait_master("a", conf.VIPS6)
        check(not first.faults and first.eth_src == MAC6, "faults %s, source MAC %s", first.faults, first.eth_src)
        check(not answers(lab.x, conf.VIPS6[-1]), "the address of a non-owner answers")


@case("rfc-defaults-undone", "what is written counts: accept, the checksum; and a reload without the line is the incumbent's way again")
def undone(lane):
    with lane.lab("ax") as lab:
        d = lab.a.start(lane.daemon, text(200, extra="accept\n    v3_checksum_as_v2 off"))
        first = lab.wait_master("a", conf.VIPS)
        check(not first.faults and first.eth_src == MAC, "faults %s, source MAC %s", first.faults, first.eth_src)
        check(answers(lab.x, conf.VIPS[0]), "accept: the address is silent")
        since = now()
        d.reload(text(200, glob=""))
        lab.wait(lambda: [f for f in lab.adverts("a", since) if f.eth_src == lab.a.mac], 5, "adverts from the interface's own MAC")
        time.sleep(0.5)
        check(answers(lab.x, conf.VIPS[0]), "without the line: the address is silent")
        check(not lab.adverts("a")[-1].faults, "without the line: %s", lab.adverts("a")[-1].faults)
