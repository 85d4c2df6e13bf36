"""Signed adverts between daemons: AH with the incumbent in both roles, auth_hmac between two of ours; crashes, last wills, rotation."""
import os
import signal
import time

from case import case, check, steady
from lab import Skip, conf, now

AH = "authentication {\n        auth_type AH\n        auth_pass s3cr3t\n    }"
KEYS = {1: "00" * 31 + "01", 2: "00" * 31 + "02"}


def hmac(active=1, keys=(1,), rest=""):
    return "auth_hmac {\n%s\n        active_key %d\n        %s\n    }" % (
        "\n".join("        key %d hex:%s" % (k, KEYS[k]) for k in keys), active, rest)


def unicast(me, peer):
    return "unicast_src_ip 10.77.0.%d\n    unicast_peer {\n        10.77.0.%d\n    }" % (me, peer)


def text(priority, extra, version=3, interval=0.2, vips=conf.VIPS):
    return conf.whole(conf.instance(priority=priority, version=version, interval=interval, vips=vips, extra=extra))


def holds(node, vips=conf.VIPS):
    return set(vips) <= set(node.addresses())


def free(node, vips=conf.VIPS):
    return not set(vips) & set(node.addresses())


def one_master(lab, vips=conf.VIPS):
    return (holds(lab.a, vips), holds(lab.b, vips)) in ((True, False), (False, True))


def ah_pair(lane, ours, cast):
    """b is a backup of a, takes over from it, is pre-empted by it, and takes over again when a loses power."""
    if not lane.incumbent:
        raise Skip("no keepalived here: apt install keepalived")
    programs = (lane.daemon, lane.incumbent) if ours == "master" else (lane.incumbent, lane.daemon)
    texts = [text(p, AH + ("\n" + unicast(me, 3 - me) if cast == "unicast" else ""), 2, 1) for p, me in ((200, 1), (100, 2))]
    with lane.lab("ab") as lab:
        a = lab.a.start(programs[0], texts[0])
        lab.wait(lambda: holds(lab.a), 12, "a master")
        lab.b.start(programs[1], texts[1])
        time.sleep(6)
        check(holds(lab.a) and free(lab.b), "b does not believe a's adverts")
        a.stop()
        lab.wait(lambda: holds(lab.b), 3, "b took over after priority 0 (which came signed)")
        lab.a.start(programs[0], texts[0])
        lab.wait(lambda: holds(lab.a) and free(lab.b), 12, "a pre-empted b")
        time.sleep(5)
        check(holds(lab.a) and free(lab.b), "two masters, or none")
        lab.a.cable(False)
        lab.wait(lambda: holds(lab.b), 8, "b took over from a dead a")
        lab.a.cable(True)
        lab.wait(lambda: holds(lab.a) and free(lab.b), 12, "healed: one master again")
        seqs = [x.ah_seq for x in lab.adverts("a") + lab.adverts("b")]
        check(all(seqs), "adverts without an authentication header")
    return "%d signed adverts" % len(seqs)


for _ours in ("master", "backup"):
    for _cast in ("multicast", "unicast"):
        case("auth-ah-%s-%s" % (_cast, _ours), "AH with the incumbent, ours being the %s" % _ours, limit=120, ours=_ours,
             cast=_cast)(ah_pair)


@case("auth-ah-beside-plain", "AH, PASS and unsigned instances on one interface: each on its own protocol, all master")
def beside(lane):
    blocks = [conf.instance(name="VI_%d" % i, vrid=50 + i, priority=255, state="MASTER", version=2, vips=("10.77.0.%d" % (100 + i),),
                            extra=e) for i, e in ((1, AH), (2, ""), (3, AH.replace("AH", "PASS")))]
    with lane.lab("a") as lab:
        lab.a.start(lane.daemon, conf.whole(*blocks))
        lab.wait(lambda: {51, 52, 53} <= {x.vrid for x in lab.adverts("a")}, 8, "all three advertise")
        check(all((x.ah_seq is not None) == (x.vrid == 51) for x in lab.adverts("a")), "the wrong one carries a header")
        return "3 instances"


KINDS = {"hmac-v3": (3, 0.2, conf.VIPS, ""), "hmac-v2": (2, 1, conf.VIPS, ""), "hmac-ipv6": (3, 0.2, conf.VIPS6, ""),
         "hmac-unicast": (3, 0.2, conf.VIPS, "unicast")}


def hmac_pair(lane, kind):
    """Take-over after priority 0 and after a power cut, pre-emption; a stranger with another key is not believed."""
    version, interval, vips, cast = KINDS[kind]
    texts = [text(p, hmac() + ("\n" + unicast(me, 3 - me) if cast else ""), version, interval, vips) for p, me in ((200, 1), (100, 2))]
    with lane.lab("ab") as lab:
        a = lab.a.start(lane.daemon, texts[0])
        lab.wait(lambda: holds(lab.a, vips), 3 * interval + 9, "a master")
        b = lab.b.start(lane.daemon, texts[1])
        time.sleep(5 * interval + 1)
        check(holds(lab.a, vips) and free(lab.b, vips), "b does not believe a")
        asked = now()
        a.stop()
        lab.wait(lambda: holds(lab.b, vips), 3, "b took over")
        took = (min(x.ts for x in lab.adverts("b", asked)) - asked) / 1e6
        a = lab.a.start(lane.daemon, texts[0])
        lab.wait(lambda: holds(lab.a, vips) and free(lab.b, vips), 3 * interval + 9, "a pre-empted b")
        if not cast:
            check(all(x.trailer and not x.faults for x in lab.adverts("a") + lab.adverts("b")), "an advert without a trailer, or broken")
        b.reload(texts[1].replace(KEYS[1], KEYS[2]))
        lab.wait(lambda: holds(lab.b, vips), 3 * interval + 9, "b, with another key, is alone in its world")
        b.reload(texts[1])
        lab.wait(lambda: one_master(lab, vips), 3 * interval + 9, "one master again with the same key")
        return "take-over %.0f ms after the stop" % took


for _kind in KINDS:
    case("auth-" + _kind, "auth_hmac between two of ours", limit=120, kind=_kind)(hmac_pair)


@case("auth-hmac-rotation", "a key is rotated on both routers by reloads: no transition, no gap, the new key id on the wire")
def rotation(lane):
    with lane.lab("ab") as lab:
        steps = [hmac(1), hmac(1, (1, 2)), hmac(2, (1, 2)), hmac(2, (2,))]
        a = lab.a.start(lane.daemon, text(200, steps[0]))
        lab.wait_master("a", conf.VIPS)
        b = lab.b.start(lane.daemon, text(100, steps[0]))
        time.sleep(1)
        since = now()
        for step in steps[1:]:
            b.reload(text(100, step))
            time.sleep(0.7)
            a.reload(text(200, step))
            time.sleep(0.7)
        gap = steady(lab, "a", since, 0.2, 60)
        check(not lab.adverts("b", since), "the backup spoke")
        check({x.trailer[1] for x in lab.adverts("a", since)} == {1, 2} and lab.adverts("a")[-1].trailer[1] == 2, "key ids")
        return "longest gap %.1f ms" % gap


@case("auth-mixed-modes", "permissive and receive-only: unsigned routers join one by one, then enforce; one master at every step")
def mixed(lane):
    with lane.lab("ab") as lab:
        a = lab.a.start(lane.daemon, text(200, ""))
        lab.wait_master("a", conf.VIPS)
        b = lab.b.start(lane.daemon, text(100, hmac(rest="mode receive-only")))
        time.sleep(1)
        since = now()
        check(free(lab.b), "receive-only does not believe an unsigned master")
        a.reload(text(200, hmac(rest="mode receive-only")))
        time.sleep(0.8)
        check(not any(x.trailer for x in lab.adverts("a", since)), "receive-only signs")
        for rest in ("mode permissive", "mode enforce"):
            a.reload(text(200, hmac(rest=rest)))
            time.sleep(0.8)
            b.reload(text(100, hmac(rest=rest)))
            time.sleep(0.8)
        check(lab.adverts("a")[-1].trailer, "enforce does not sign")
        check(not lab.adverts("b", since) and free(lab.b), "the backup spoke")
        return "longest gap %.1f ms" % steady(lab, "a", since, 0.2, 60)


@case("auth-first-key", "the first keys come by a reload, AH and auth_hmac: OpenSSL begins inside the jail, the process stays the same", limit=60)
def first_key(lane):
    with lane.lab("ab") as lab:
        a = lab.a.start(lane.daemon, text(200, "", 2, 1))
        lab.wait(lambda: holds(lab.a), 12, "a master")
        pid = a.role("vrrpd")
        a.reload(text(200, AH, 2, 1))
        lab.wait(lambda: lab.adverts("a")[-1].ah_seq, 5, "an advert with AH")
        a.reload(text(200, hmac(), 3, 1))
        lab.wait(lambda: lab.adverts("a")[-1].trailer, 5, "an advert with a trailer")
        lab.wait(lambda: holds(lab.a), 12, "a is master")
        check(a.role("vrrpd") == pid, "vrrpd was started anew: its jail does not let OpenSSL begin")


def crash(lane, kind):
    """kill -9 of vrrpd, five times, under signed adverts: nobody takes over, the marks only grow, the statistics stay."""
    version, interval, extra = (2, 1, AH) if kind == "ah" else (3, 0.2, hmac())
    with lane.lab("ab") as lab:
        a = lab.a.start(lane.daemon, text(200, extra, version, interval))
        lab.wait(lambda: holds(lab.a), 12, "a master")
        lab.b.start(lane.daemon, text(100, extra, version, interval))
        time.sleep(2 * interval + 1)
        since = now()
        for _ in range(5):
            lab.crash(a, "vrrpd")
            time.sleep(2 * interval + 0.3)
        time.sleep(4 * interval)
        check(not lab.adverts("b", since) and free(lab.b), "the backup took over: it did not believe the new process")
        marks = [x.ah_seq or x.trailer[4:12] for x in lab.adverts("a")]
        check(all(x < y for x, y in zip(marks, marks[1:])), "marks do not grow")
        return "%d adverts, longest gap %.0f ms" % (len(marks), steady(lab, "a", since, interval, 250))


for _kind in ("ah", "hmac"):
    case("auth-crash-" + _kind, "kill -9 of vrrpd with %s" % _kind, kind=_kind, limit=90)(crash)


@case("auth-will", "a crash loop of vrrpd ends in last wills that the backup believes, with AH and with auth_hmac", limit=120)
def will(lane):
    out = []
    for version, interval, extra in ((2, 1, AH), (3, 0.5, hmac())):
        with lane.lab("ab") as lab:
            a = lab.a.start(lane.daemon, text(200, extra, version, interval))
            lab.wait(lambda: holds(lab.a), 12, "a master")
            lab.b.start(lane.daemon, text(100, extra, version, interval))
            time.sleep(4 * interval + 2)
            since = now()
            for _ in range(8):
                pid = a.role("vrrpd")
                if pid:
                    os.kill(pid, signal.SIGSEGV)
                end = time.monotonic() + 2
                while time.monotonic() < end and a.role("vrrpd") in (None, pid) and not lab.adverts("a", since, priority=0):
                    time.sleep(0.01)
                if lab.adverts("a", since, priority=0):
                    break
                time.sleep(0.05)
            zero = lab.wait(lambda: lab.adverts("a", since, priority=0), 3, "a last will")[0]
            first = lab.wait(lambda: lab.adverts("b", zero.ts), 2, "the backup's advert")[0]
            took = (first.ts - zero.ts) / 1e9
            check(took < conf.skew(100, interval, version) + 0.1, "the backup waited %.2f s: it did not believe the will", took)
            out.append("%.0f ms" % (took * 1e3))
    return "take-over after " + ", ".join(out)
