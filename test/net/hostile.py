"""Nothing invalid, unauthenticated or foreign moves a timer or a state: floods at a master and at a backup, and crashes at bad moments."""
import os
import random
import signal
import struct
import subprocess
import time

from case import case, check, gaps_ms
from lab import Failure, Skip, Speaker, conf, now, packet, report

RATE, SECONDS = 100_000, 5
STRANGER = "06:00:00:00:00:66"


def bad_frames(node, version, auth):
    """Everything an attacker without the password, or off the link, can send: none of it may count."""
    src, dst_mac, rng, out = "10.77.0.66", packet.mac_bytes(node.mac), random.Random(2), []

    def add(pdu, **kw):
        out.append(packet.ip_frame(STRANGER, src, pdu, **kw))

    def good(**kw):
        args = dict(version=version, priority=255, interval=1 if version == 2 else 0.1, auth=auth)
        args.update(kw)
        return packet.advert(src, conf.VIPS, **args)

    for priority in (255, 0, 201, 1):
        add(good(priority=priority), ttl=254)
        add(good(priority=priority), ttl=1)
        add(good(priority=priority, bad_checksum=True))
        add(good(priority=priority, vrid=52))
        add(good(priority=priority, kind=2))
        add(good(priority=priority, version=5 - version, auth=None))
        add(good(priority=priority)[:-3])
        add(good(priority=priority) + b"trailing bytes")
        add(good(priority=priority, count=200))
        add(good(priority=priority), dst=node.ip, dmac=dst_mac)  # not to the group
        if version == 2:
            add(good(priority=priority, auth="wrong"))
            add(good(priority=priority, auth=None))
            add(good(priority=priority, interval=3))
    for _ in range(200):
        add(rng.randbytes(rng.randrange(0, 200)))
        damaged = bytearray(good())
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        add(bytes(damaged))
    return [f for f in out if not counts(f, version, auth)]


def counts(raw, version, auth):
    """A damaged frame may, by luck, still be one the protocol accepts (never with a correct checksum and one bit off, but say so)."""
    f = packet.Frame(0, "f", raw)
    return (f.kind == "advert" and not f.faults and f.version == version and f.vrid == 51 and f.dst == packet.V4_GROUP
            and (auth is None or (f.auth_type == 1 and f.auth.rstrip(b"\0").decode("latin-1") == auth))
            and (version == 3 or f.interval == 1))


class Flood:
    def __init__(self, lane, lab, node, frames, seconds=SECONDS):
        path = lab.root + "/frames"
        with open(path, "wb") as f:
            for raw in frames:
                f.write(struct.pack("!H", len(raw)) + raw)
        self.proc = lab.nodes[node].spawn([lane.flood, "eth0", path, str(RATE), str(seconds)], stdout=subprocess.PIPE, text=True)

    def rate(self):
        out, _ = self.proc.communicate(timeout=60)
        if self.proc.returncode or not out:
            raise Failure("the flood did not run")
        return float(out.split()[1])


def need_flood(lane):
    if not lane.flood:
        raise Skip("no C compiler here")


@case("flood-master-v3", "100,000 bad packets a second at a master", alone=True, version=3, interval=0.1, auth=None)
@case("flood-master-v2-pass", "the same, version 2 with a password", alone=True, version=2, interval=1, auth="1111")
def flood_master(lane, version, interval, auth):
    need_flood(lane)
    with lane.master("af", version=version, interval=interval, auth=auth) as (lab, d):
        frames = bad_frames(lab.a, version, auth)
        time.sleep(1)
        pid, since = d.role("vrrpd"), now()
        flood = Flood(lane, lab, "f", frames)
        time.sleep(SECONDS / 2)
        d.reload()  # in the middle of it
        rate = flood.rate()
        until = now()
        seen = lab.adverts("a", since, until)
        check(len(seen) > 2, "the master was silenced: %d adverts in %d s", len(seen), SECONDS)
        gaps = gaps_ms(lab.adverts("a", since - int(1e9 * interval), until))
        check(not lab.events("addr", "a", since=since), "addresses moved: %s", lab.events("addr", "a", since=since)[:3])
        check(all(x.priority == 200 and not x.faults for x in seen), "the master changed its adverts")
        check(d.role("vrrpd") == pid, "vrrpd died in the flood")
        late = report.percentile(gaps, 95) - interval * 1e3
        check(report.median(gaps) < interval * 1e3 + 5 and late < 20 and max(gaps) < 2e3 * interval,
              "adverts were late: gap median %.1f p95 %.1f max %.1f ms", report.median(gaps), report.percentile(gaps, 95), max(gaps))
        return "%.0f packets/s, a reload in the middle; gap median %.1f p95 %.1f max %.1f ms" % (
            rate, report.median(gaps), report.percentile(gaps, 95), max(gaps))


@case("flood-backup-v3", "a backup in a flood hears its master, and takes over in time when he is silent", alone=True, version=3,
      interval=0.2, auth=None)
@case("flood-backup-v2-pass", "the same, version 2 with a password", alone=True, version=2, interval=1, auth="1111")
def flood_backup(lane, version, interval, auth):
    need_flood(lane)
    down = conf.down_time(100, interval, version)
    with lane.lab("amf") as lab:
        master = Speaker(lab, "m", interval, priority=200, vips=conf.VIPS, version=version, auth=auth).start()
        lab.a.start(lane.daemon, conf.whole(conf.instance(priority=100, interval=interval, version=version, auth=auth)))
        time.sleep(1.5 + interval)
        flood = Flood(lane, lab, "f", bad_frames(lab.a, version, auth), seconds=3 + down + 1.5)
        time.sleep(3)
        check(not lab.adverts("a"), "the backup took over although its master was heard by everybody else")
        last = master.stop()
        first = lab.wait(lambda: lab.adverts("a", last), down + 3, "the take-over in the flood")[0]
        rate = flood.rate()
        late = (first.ts - last) / 1e6 - down * 1e3
        check(-5 < late < 50, "the take-over was %.1f ms off", late)
        return "%.0f packets/s; take-over %+.1f ms from the master-down time" % (rate, late)


@case("crash-in-flood", "SIGKILL of vrrpd in the middle of a flood", alone=True)
def crash_in_flood(lane):
    need_flood(lane)
    with lane.master("af", interval=0.1) as (lab, d):
        time.sleep(0.5)
        since, old = now(), d.role("vrrpd")
        flood = Flood(lane, lab, "f", bad_frames(lab.a, 3, None), seconds=3)
        time.sleep(1)
        os.kill(old, signal.SIGKILL)
        rate = flood.rate()
        gaps = gaps_ms(lab.adverts("a", since))
        check(not lab.events("addr", "a", since=since), "addresses moved")
        check(d.role("vrrpd") not in (None, old), "no new vrrpd")
        check(max(gaps) < 300, "an advert came %.0f ms after the last one", max(gaps))
        return "%.0f packets/s; longest gap %.1f ms" % (rate, max(gaps))


@case("crash-better-master", "a better master who speaks while vrrpd is dead is obeyed, not doubled")
def crash_better_master(lane):
    with lane.master("am", interval=0.2) as (lab, d):
        other = Speaker(lab, "m", 0.2, priority=250, vips=conf.VIPS)
        old = d.role("vrrpd")
        os.kill(old, signal.SIGKILL)
        spoke = other.once()
        other.start()
        lab.wait(lambda: not set(conf.VIPS) & set(lab.a.addresses()), 2, "the addresses given up")
        gone = [e.ts for e in lab.events("addr-", "a", since=spoke)]
        time.sleep(1)
        late = [x for x in lab.adverts("a", spoke + 300_000_000) if x.priority]
        check(not late, "it went on advertising beside a better master")
        return "addresses gone %.0f ms after the better master's first advert" % ((max(gone) - spoke) / 1e6)


def die_in_silence(lane, lab, d, master, moments, down, resign):
    """The master falls silent; vrrpd of the backup is killed at these moments after that. How late is the take-over (ms)?"""
    last = master.stop()
    if resign:
        last = Speaker(lab, "m", 1, priority=0, vips=conf.VIPS).once()
    for at in moments:
        time.sleep(max(0, at - (now() - last) / 1e9))
        os.kill(d.role("vrrpd"), signal.SIGKILL)
    first = lab.wait(lambda: [x for x in lab.adverts("a", last) if x.priority], down + 5, "the take-over")[0]
    return (first.ts - last) / 1e6 - down * 1e3


@case("crash-in-the-silence", "vrrpd of a backup dies three times while its master is silent, once after priority 0: the take-over comes when it is due")
def crash_in_the_silence(lane):
    late = []
    for moments, resign in (((1.7, 2.2, 2.7), False), ((0.15,), True)):
        with lane.lab("am") as lab:
            master = Speaker(lab, "m", 1, priority=200, vips=conf.VIPS).start()
            d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=100, interval=1)))
            lab.wait(lambda: d.role("vrrpd"), 5, "vrrpd")
            time.sleep(2.5)
            down = 156 / 256 if resign else conf.down_time(100, 1)
            late.append(die_in_silence(lane, lab, d, master, moments, down, resign))
            check(-5 < late[-1] < 150, "the take-over was %.1f ms off", late[-1])
    return "take-overs %+.1f and %+.1f ms from what is due" % tuple(late)


@case("crash-of-a-backup", "crashes of a backup's processes: it neither takes over nor misses its turn")
def crash_of_backup(lane):
    interval, down = 0.5, conf.down_time(100, 0.5)
    with lane.lab("am") as lab:
        master = Speaker(lab, "m", interval, priority=200, vips=conf.VIPS).start()
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=100, interval=interval)))
        lab.wait(lambda: d.role("vrrpd"), 5, "vrrpd")
        time.sleep(1)
        for role in ("vrrpd", "ipvsd", "vrrpd", "ipvsd"):
            pid = d.role(role)
            check(pid, "no %s process", role)
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.9)
        check(not lab.adverts("a") and not lab.events("addr", "a"), "the backup acted as a master")
        last = master.stop()
        first = lab.wait(lambda: lab.adverts("a", last), down + 3, "the take-over")[0]
        late = (first.ts - last) / 1e6 - down * 1e3
        check(-5 < late < 100, "the take-over was %.1f ms off", late)
        return "4 crashes; take-over %+.1f ms from the master-down time" % late
