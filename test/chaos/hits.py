"""One lab of the chaos lane: a master under test and a live backup on a bridge; processes of the master are hit at random moments
and everything anybody could notice is measured. Called by run.py, in a process of its own.
"""
import contextlib
import os
import random
import signal
import time

from lab import Failure, Lab, conf, now, process_state

SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGSEGV": signal.SIGSEGV, "SIGSTOP": signal.SIGSTOP}
PASSWORD = "1111"


def pair(spec):
    """The configurations of master and backup: version 2 with a password at whole seconds (as the tutorials have it), 3 below."""
    version = 2 if spec["interval"] >= 1 else 3
    auth = PASSWORD if version == 2 else None
    return [conf.whole(conf.instance(priority=p, interval=spec["interval"], version=version, auth=auth), router=r)
            for p, r in ((200, "LVS_1"), (100, "LVS_2"))]


def begin(lab, spec):
    master, backup = pair(spec)
    a = lab.a.start(spec["daemon"], master)
    lab.wait_master("a", conf.VIPS, 4 * spec["interval"] + 8)
    b = lab.b.start(spec["peer"], backup)
    lab.wait(lambda: b.role("vrrpd"), 8, "the peer's VRRP process")
    time.sleep(5.3 + spec["interval"])  # also past the second burst of gratuitous ARPs, 5 s after the transition
    if lab.adverts("b"):
        raise Failure("the peer advertises although a better master lives: the lab is not what it should be")
    return a, b


def absent_ms(events, since, until):
    """Longest time any address was missing in the window."""
    worst = 0
    for vip in conf.VIPS:
        gone = None
        for e in (e for e in events if e.addr == vip):
            if e.what == "addr-":
                gone = gone or e.ts
            elif e.what == "addr+" and gone:
                worst, gone = max(worst, e.ts - gone), None
        if gone:
            worst = max(worst, until - gone)
    return worst / 1e6


def longest_gap_ms(adverts, hit, until):
    """Between adverts of the master, from the last one before the hit on; the silent end of the window counts as well."""
    times = [a.ts for a in adverts if a.ts <= hit][-1:] + [a.ts for a in adverts if a.ts > hit]
    if not times:
        return (until - hit) / 1e6
    return max(b - a for a, b in zip(times, times[1:] + [max(until, times[-1])])) / 1e6


def oddities(adverts, good, interval, since, until):
    """What should never be on the wire."""
    odd = []
    for a in adverts:
        if a.faults:
            odd.append("broken advert: " + ", ".join(a.faults))
        elif a.priority == 0:
            odd.append("priority 0")
        elif a.pdu != good.pdu or a.eth_src != good.eth_src or a.src != good.src:
            odd.append("another advert than before")
    surplus = len(adverts) - (until - since) / 1e9 / interval - 2
    if surplus > 0:
        odd.append("%d adverts too many" % (surplus + 1))
    return odd


def one_hit(lab, a, good, spec, target, signame, rng):
    interval = spec["interval"]
    roles = target.split("+")
    time.sleep(rng.uniform(0, interval))  # any phase of the interval
    pids = [a.role(r) for r in roles]
    if None in pids:
        raise Failure("no process for %s: %s" % (target, [hex_state(p) for p in pids]))
    before = now() - int(1.5e9 * interval)
    hit = now()
    for pid in pids:
        os.kill(pid, SIGNALS[signame])
    back = wait_back(a, roles, pids, 2.0)
    rest = spec["pause"] * rng.uniform(1.0, 1.15) - (now() - hit) / 1e9
    time.sleep(max(0, rest))
    until = now()
    adverts = lab.adverts("a", before, until)
    result = {
        "target": target, "signal": signame, "interval": interval, "peer": spec["peer_name"],
        "absent_ms": absent_ms(lab.events("addr", "a", since=hit), hit, until),
        "peer_adverts": len(lab.adverts("b", hit, until)),
        "gap_ms": longest_gap_ms(adverts, hit, until - int(1e9 * interval)),
        "respawn_ms": back, "garps": len([g for g in lab.seen("garp", "a", hit, until)]),
        "odd": sorted(set(oddities(adverts, good, interval, before, until))), "lost": lab.watch.lost,
    }
    for pid in pids:
        if process_state(pid) == "T":  # nobody noticed: let it live, or the lab ends here
            result["odd"].append("the stopped process was left stopped")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    return result


def hex_state(pid):
    return "none" if pid is None else "%d %s" % (pid, process_state(pid))


def wait_back(a, roles, old, timeout):
    """Milliseconds until every role has a new process; None when not in time."""
    start = time.monotonic()
    while time.monotonic() - start < timeout:
        fresh = [a.role(r) for r in roles]
        if all(p and p not in old for p in fresh):
            return (time.monotonic() - start) * 1e3
        time.sleep(0.002)
    return None


def hits(spec):
    """A list of hits in one lab; returns their measurements."""
    rng = random.Random(spec["seed"])
    out = []
    with Lab("ab", keep_log=spec.get("keep")) as lab:
        a, _ = begin(lab, spec)
        good = lab.adverts("a")[-1]
        for target, signame in spec["hits"]:
            try:
                out.append(one_hit(lab, a, good, spec, target, signame, rng))
            except Failure as e:
                out.append({"target": target, "signal": signame, "interval": spec["interval"], "peer": spec["peer_name"],
                            "broken": str(e)})
                if a.proc.poll() is not None:
                    break
                time.sleep(spec["pause"])
            settle(lab, spec)
    return out


def settle(lab, spec):
    """Before the next hit the master must be master again (the incumbent needs a while)."""
    with contextlib.suppress(Failure):
        lab.wait(lambda: lab.adverts("a", now() - int(1.5e9 * spec["interval"])) and
                 not lab.adverts("b", now() - int(2.5e9 * spec["interval"])) and
                 set(conf.VIPS) <= set(lab.a.addresses()), 5 * spec["interval"] + 5, "calm", step=0.1)
