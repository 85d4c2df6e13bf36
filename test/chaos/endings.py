"""The crashes that must be seen, in good order: a crash loop ends in a hand-over, the parent's death in a resignation. Called by
run.py, each in a process of its own. A function returns its figures as text or raises Failure.
"""
import os
import signal
import time

from lab import Failure, Lab, conf, now

import hits


def check_handover(lab, since, spec, who):
    """Priority 0 on the wire, addresses gone, the peer master within its skew time. Returns figures."""
    skew = conf.skew(100, spec["interval"], 2 if spec["interval"] >= 1 else 3)
    last = lab.wait(lambda: lab.adverts("a", since, priority=0), 3, "priority 0 after " + who)[0]
    first = lab.wait(lambda: lab.adverts("b", since), skew + 3, "an advert from the peer after " + who)[0]
    lab.wait(lambda: not set(conf.VIPS) & set(lab.a.addresses()), 3, "the addresses gone from the old master after " + who)
    if last.faults:
        raise Failure("the last advert is broken: " + ", ".join(last.faults))
    late = (first.ts - last.ts) / 1e9 - skew
    gone = [e.ts for e in lab.events("addr-", "a", since=since) if e.addr in conf.VIPS]
    if len(gone) < len(conf.VIPS):
        raise Failure("only %d of %d addresses were withdrawn" % (len(gone), len(conf.VIPS)))
    if late > 0.1:
        raise Failure("the peer took over %.0f ms after its skew time" % (late * 1e3))
    time.sleep(2 * spec["interval"] + 1)
    again = lab.adverts("a", first.ts + int(2e9 * spec["interval"]))
    if again:
        raise Failure("the old master advertises again %.1f s after the hand-over" % ((again[0].ts - first.ts) / 1e9))
    return "priority 0 %.0f ms after the event, addresses gone after %.0f ms, peer master %+.1f ms from its skew time" % (
        (last.ts - since) / 1e6, (max(gone) - since) / 1e6, late * 1e3)


def crash_loop(spec):
    """Five quick deaths of one role by its own fault (a SIGKILL is somebody else's): the director hands over instead of trying for ever."""
    role = spec["role"]
    with Lab("ab", keep_log=spec.get("keep")) as lab:
        a, _ = hits.begin(lab, spec)
        start = time.monotonic()
        for n in range(1, 8):
            pid = lab.wait(lambda: a.role(role), 8, "%s after %d deaths" % (role, n - 1), step=0.002)
            time.sleep(0.05)
            at = now()
            os.kill(pid, signal.SIGSEGV)
            lab.wait(lambda: a.role(role) != pid, 2, "the end of " + role)
            time.sleep(0.05)
            if lab.adverts("a", at, priority=0):
                break
        else:
            raise Failure("seven quick deaths and no hand-over")
        if n < 5:
            raise Failure("handed over after %d deaths, not five" % n)
        took = time.monotonic() - start  # the first death, after a long life, may count or not: five or six
        if n > 6:
            raise Failure("handed over only after %d deaths" % n)
        return "%d deaths in %.1f s; %s" % (n, took, check_handover(lab, at, spec, "the last death"))


def parent_killed(spec):
    """kill -9 of the parent: the children resign by themselves and go."""
    with Lab("ab", keep_log=spec.get("keep")) as lab:
        a, _ = hits.begin(lab, spec)
        at = now()
        os.kill(a.pid, signal.SIGKILL)
        a.proc.wait(5)
        text = check_handover(lab, at, spec, "the parent's death")
        lab.wait(lambda: not a.processes(), 3, "the end of every child after the parent's death")
        return text


def ipvsd_loop(spec):
    """ipvsd dies again and again: addresses and adverts go on without it, and it is back once it can live."""
    with Lab("ab", keep_log=spec.get("keep")) as lab:
        a, _ = hits.begin(lab, spec)
        since, start = now(), time.monotonic()
        for n in range(6):
            pid = lab.wait(lambda: a.role("ipvsd"), 8, "ipvsd after %d deaths" % n, step=0.002)
            time.sleep(0.03)
            os.kill(pid, signal.SIGSEGV)
            lab.wait(lambda: a.role("ipvsd") != pid, 2, "the end of ipvsd")
        lab.wait(lambda: a.role("ipvsd"), 12, "ipvsd back after 6 deaths")
        took = time.monotonic() - start
        time.sleep(2 * spec["interval"] + 0.5)
        moved = lab.events("addr", "a", since=since)
        if moved:
            raise Failure("addresses moved: %s" % moved[:2])
        if lab.adverts("b", since):
            raise Failure("the peer took over")
        adverts = lab.adverts("a", since)
        gap = hits.longest_gap_ms(adverts, since, now() - int(1e9 * spec["interval"]))
        if gap >= spec["interval"] * 1e3 + 20:
            raise Failure("an advert came %.0f ms after the last one" % gap)
        return "6 deaths, back after %.1f s, longest gap %.1f ms" % (took, gap)
