"""Interfaces and addresses that others play with: foreign removal, dead and missing interfaces, left-overs."""
import os
import random
import signal
import time

from case import case, check, steady
from lab import Failure, Speaker, conf, now, report, run

INTERVAL = 0.2


def repaired_ms(lab, vip, since):
    """Between the kernel's two reports, deletion and return; None while it is not back."""
    gone = [e for e in lab.events("addr-", "a", vip, since)]
    back = gone and lab.events("addr+", "a", vip, gone[0].ts)
    return (back[0].ts - gone[0].ts) / 1e6 if back else None


@case("vip-removed-100-times", "a foreign hand removes an address 100 times: repaired each time")
def removed(lane):
    rng, times = random.Random(1), []
    with lane.master(interval=INTERVAL) as (lab, _):
        since0 = now()
        for _ in range(100):
            vip, since = rng.choice(conf.VIPS), now()
            run("ip", "-n", lab.a.ns, "addr", "del", vip + "/24", "dev", "eth0")
            lab.wait(lambda: repaired_ms(lab, vip, since) is not None, 5, "the return of " + vip, step=0.005)
            times.append(repaired_ms(lab, vip, since))
            time.sleep(0.03)
        check(report.median(times) < 20 and max(times) < 1500, "repairs took median %.1f max %.1f ms", report.median(times), max(times))
        return "median %.2f p95 %.2f max %.1f ms; longest advert gap %.0f ms" % (
            report.median(times), report.percentile(times, 95), max(times), steady(lab, "a", since0, INTERVAL))


@case("vip-removed-all-at-once", "all addresses flushed by a foreign hand")
def removed_all(lane):
    with lane.master(interval=INTERVAL) as (lab, _):
        since = now()
        lab.a.batch("\n".join("addr del %s/24 dev eth0" % v for v in conf.VIPS))
        lab.wait(lambda: all(repaired_ms(lab, v, since) is not None for v in conf.VIPS), 3, "all addresses back")
        return "back after %.1f ms" % max(repaired_ms(lab, v, since) for v in conf.VIPS)


@case("vip-removed-while-ipvsd-dead", "an address removed while nobody watches is put back by the next ipvsd")
def removed_while_dead(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        pid = d.role("ipvsd")
        check(pid, "no ipvsd process")
        since = now()
        os.kill(pid, signal.SIGSTOP)
        lab.a.batch("addr del %s/24 dev eth0" % conf.VIPS[1])
        os.kill(pid, signal.SIGKILL)
        lab.wait(lambda: repaired_ms(lab, conf.VIPS[1], since) is not None, 5, "the return of the address")
        time.sleep(0.5)
        touched = {e.addr for e in lab.events("addr", "a", since=since)}
        check(touched == {conf.VIPS[1]}, "also touched: %s", touched)
        return "back after %.0f ms; longest gap %.1f ms" % (
            repaired_ms(lab, conf.VIPS[1], since), steady(lab, "a", since, INTERVAL))


def down_and_up(lane, down, up):
    with lane.master(interval=INTERVAL) as (lab, d):
        since = now()
        down(lab)
        lab.wait(lambda: not set(conf.VIPS) & set(lab.a.addresses()), 3, "the addresses withdrawn from the dead interface")
        gone = max(e.ts for e in lab.events("addr-", "a", since=since) if e.addr in conf.VIPS)
        time.sleep(2 * INTERVAL)
        quiet = now()
        time.sleep(3 * INTERVAL)
        check(not lab.adverts("a", quiet), "it advertises on a dead interface")
        again = now()
        up(lab)
        first = lab.wait_master("a", conf.VIPS, 10, again)
        took = (first.ts - again) / 1e9
        want = conf.down_time(200, INTERVAL)
        check(took > want - 0.05, "master %.2f s after the link came back: it did not listen first (%.2f s)", took, want)
        check(took < want + 1, "master only %.2f s after the link came back (nominal %.2f s)", took, want)
        check(d.role("vrrpd"), "vrrpd is gone")
        return "addresses gone after %.0f ms, master again %.2f s after the link (nominal %.2f s)" % (
            (gone - since) / 1e6, took, want)


@case("carrier-lost", "the cable is pulled: FAULT, addresses withdrawn; plugged again: backup first, then master")
def carrier(lane):
    return down_and_up(lane, lambda lab: lab.a.cable(False), lambda lab: lab.a.cable(True))


@case("interface-down", "the interface is set down and up by the administrator")
def interface_down(lane):
    return down_and_up(lane, lambda lab: lab.a.batch("link set eth0 down"),
                       lambda lab: lab.a.batch("link set eth0 up\naddr add %s/64 dev eth0 nodad" % lab.a.ip6))


@case("interface-missing-at-start", "the configured interface does not exist: the daemon waits, and starts when it appears")
def missing(lane):
    with lane.lab("a", plug=False) as lab:
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=INTERVAL)))
        time.sleep(1.5)
        if d.proc.poll() is not None:
            raise Failure("it ended with status %d" % d.proc.returncode)
        at = now()
        lab.a.plug()
        first = lab.wait_master("a", conf.VIPS, 8)
        return "master %.2f s after the interface appeared (nominal %.2f s)" % (
            (first.ts - at) / 1e9, conf.down_time(200, INTERVAL))


@case("left-overs-swept", "a killed director comes back as a backup: its old addresses go, foreign ones stay")
def left_overs(lane):
    with lane.master("am", interval=INTERVAL) as (lab, d):
        lab.a.batch("addr add 10.77.0.200/24 dev eth0")
        d.kill_all()
        check(set(conf.VIPS) <= set(lab.a.addresses()), "the addresses went with the processes: nothing to show")
        Speaker(lab, "m", INTERVAL, priority=250, vips=conf.VIPS).start()
        time.sleep(0.3)
        since = now()
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=INTERVAL)))
        lab.wait(lambda: not set(conf.VIPS) & set(lab.a.addresses()), 5, "the left-over addresses gone")
        took = (max(e.ts for e in lab.events("addr-", "a", since=since)) - since) / 1e6
        time.sleep(1)
        check("10.77.0.200" in lab.a.addresses() and lab.a.ip in lab.a.addresses(), "it removed an address that is not its own")
        check(not lab.adverts("a", since), "it advertised beside a better master")
        return "swept %.0f ms after exec" % took


@case("left-overs-kept", "a killed director comes back as the master: addresses that are wanted are not taken down and up")
def left_overs_kept(lane):
    with lane.master(interval=INTERVAL, priority=255) as (lab, d):
        d.kill_all()
        since = now()
        lab.a.start(lane.daemon, conf.whole(conf.instance(priority=255, state="MASTER", interval=INTERVAL)))
        lab.wait_master("a", conf.VIPS, 5, since)
        time.sleep(0.5)
        removed = [e for e in lab.events("addr-", "a", since=since) if e.addr in conf.VIPS]
        check(not removed, "%d addresses were taken down and up again", len(removed))
        check(set(conf.VIPS) <= set(lab.a.addresses()), "addresses are missing")
        return "%d address events" % len(lab.events("addr", "a", since=since))
