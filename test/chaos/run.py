#!/usr/bin/env python3
"""Chaos lane: nobody sees a crash. SIGKILL, SIGSEGV and SIGSTOP of vrrpd and ipvsd at random moments, a live backup beside them.

    run.py [--daemon CMD] [--peer CMD] [--runs N] [--short] [--json OUT] [--seed S] [--jobs J]

Verdict of a group (role x signal x interval): the addresses were absent 0 ms in every hit, the peer never advertised, nothing odd on
the wire, a new process each time, and the median of the longest advert gap is below one interval + 20 ms. The incumbent goes through
the same judge as a control: it must fail, which shows that the judge can say no.
"""
import argparse
import json
import os
import random
import shlex
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE), HERE]

import endings  # noqa: E402
import hits  # noqa: E402
import storms  # noqa: E402
from lab import need_root, parallel, report  # noqa: E402

INCUMBENT = "/usr/sbin/keepalived"
ROLES = ("vrrpd", "ipvsd")
INTERVALS = (1, 0.1)
SLACK_MS = 20
MEDIAN_FROM = 10  # hits: the promise is a median over runs; of fewer it is only demanded that no second advert was missed
PAUSE = {1: 4.2, 0.1: 4.2}  # long enough to see a peer take over; one role's deaths are 8 s apart: never 5 in 30 s
ENDINGS = (("crash_loop", "vrrpd"), ("ipvsd_loop", "ipvsd"), ("parent_killed", ""))
STORMS = ("storm_quiet", "storm_syslog", "storm_log", "storm_scripts", "storm_all")  # alone: they measure the processor too
CONTROL_PAUSE = 5.2         # the incumbent needs seconds to be master again


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--daemon", default=os.path.join(HERE, "../../build/holdfast"), help="the daemon under test")
    p.add_argument("--peer", default=None, help="the backup (default: Debian's keepalived if there, else the daemon)")
    p.add_argument("--runs", type=int, default=50, help="hits a group (role x signal x interval)")
    p.add_argument("--short", action="store_true", help="3 hits a group: for CI")
    p.add_argument("--json", help="write every measurement there")
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--jobs", type=int, default=8, help="labs at once")
    p.add_argument("--only", default="hits,endings,control,storms", help="parts to run")
    p.add_argument("--roles", default=",".join(ROLES))
    p.add_argument("--signals", default=",".join(hits.SIGNALS))
    p.add_argument("--keep", help="prefix of files for the daemons' logs")
    o = p.parse_args()
    if o.short:
        o.runs = min(o.runs, 3)
    o.daemon = command(o.daemon)
    has_incumbent = os.access(INCUMBENT, os.X_OK)
    o.peer = command(o.peer) if o.peer else [INCUMBENT] if has_incumbent else o.daemon
    o.has_incumbent = has_incumbent
    return o


def command(text):
    argv = shlex.split(text)
    path = shutil.which(argv[0]) or argv[0]
    if not os.access(path, os.X_OK):
        sys.exit("%s: no such program (build it first: make)" % argv[0])
    return [os.path.abspath(path), *argv[1:]]


def spec_of(o, interval, peer, todo, seed, name):
    return {"daemon": o.daemon, "peer": peer, "peer_name": os.path.basename(peer[0]), "interval": interval, "hits": todo,
            "seed": seed, "pause": CONTROL_PAUSE if name == "control" else PAUSE[interval], "kind": name, "keep": o.keep and "%s-%s-%d" % (o.keep, name, seed % 100000)}


def plan(o, rng):
    """Labs of hits: roles alternate inside a lab, so that one role's deaths are far apart."""
    specs = []
    peers = [(o.peer, o.runs)]
    if o.peer != o.daemon:
        peers.append((o.daemon, max(1, o.runs // 10)))
    for peer, runs in peers:
        for interval in INTERVALS:
            queues = []
            for role in o.roles.split(","):
                q = [(role, s) for s in o.signals.split(",") for _ in range(runs)]
                rng.shuffle(q)
                queues.append(q)
            mixed = [hit for group in zip(*queues) for hit in group]
            if len(queues) > 1:  # an administrator's killall, or the kernel short of memory
                mixed += [("+".join(o.roles.split(",")), "SIGKILL")] * max(1, runs // 5)
            share = sum(PAUSE.values()) * len(mixed) / max(1, o.jobs - 1)  # seconds a lab, so that all end together
            per = max(2, round(share / PAUSE[interval] / 2) * 2)
            for at in range(0, len(mixed), per):
                specs.append(spec_of(o, interval, peer, mixed[at:at + per], rng.randrange(1 << 30), "hits"))
    return specs


def run_one(spec):
    if spec["kind"] in ("hits", "control"):
        return hits.hits(spec)
    return getattr(storms if spec["kind"] in STORMS else endings, spec["kind"])(spec)


def judge(group):
    """(passed, text) of the hits of one group."""
    broken = [h["broken"] for h in group if "broken" in h]
    good = [h for h in group if "broken" not in h]
    if not good:
        return False, broken[0] if broken else "nothing was measured"
    interval = good[0]["interval"] * 1e3
    gaps = [h["gap_ms"] for h in good]
    absent = max(h["absent_ms"] for h in good)
    taken = sum(1 for h in good if h["peer_adverts"])
    dead = sum(1 for h in good if h["respawn_ms"] is None)
    odd = sorted({o for h in good for o in h["odd"]})
    median = report.median(gaps)
    figures = "%d hits; VIP absent %.0f ms; peer took over %d; gap median %.1f p95 %.1f max %.1f ms; back after %.0f ms; GARPs %d" % (
        len(good), absent, taken, median, report.percentile(gaps, 95), max(gaps),
        report.median([h["respawn_ms"] for h in good if h["respawn_ms"] is not None]) if dead < len(good) else float("nan"),
        sum(h["garps"] for h in good))
    why = []
    if broken:
        why.append("%d hits impossible (%s)" % (len(broken), broken[0]))
    if absent > 0:
        why.append("an address was absent for %.0f ms" % absent)
    if taken:
        why.append("the peer took over in %d" % taken)
    if median >= (1 if len(good) >= MEDIAN_FROM else 2) * interval + SLACK_MS:
        why.append("median of the longest gap is %.1f ms" % median)
    if dead:
        why.append("no new process in %d" % dead)
    if odd:
        why.append("on the wire: " + "; ".join(odd))
    if any(h["lost"] for h in good):
        why.append("the witness lost events")
    return not why, figures if not why else "%s [%s]" % ("; ".join(why), figures)


def endings_plan(o):
    out = []
    for interval in INTERVALS:
        for kind, role in ENDINGS:
            spec = spec_of(o, interval, o.peer, [], 0, kind)
            spec["role"] = role
            out.append(spec)
    return out


def control_plan(o, rng):
    n = 2 if o.short or o.runs < 10 else 5
    out = []
    for interval in INTERVALS:
        todo = [("vrrpd", s) for s in ("SIGKILL", "SIGSEGV") for _ in range(n)]
        spec = spec_of(o, interval, [INCUMBENT], todo, rng.randrange(1 << 30), "control")
        spec["daemon"] = [INCUMBENT]
        out.append(spec)
    return out


def tell(o, specs, answers):
    """Prints the verdicts; returns the number of failures."""
    failed, groups, control = 0, {}, {}
    for spec, answer in zip(specs, answers):
        if spec["kind"] in ("hits", "control"):
            if "ok" not in answer:
                failed += 1
                report.line("FAIL", "lab %s %gs" % (spec["kind"], spec["interval"]), answer.get("trace") or str(answer))
            for h in answer.get("ok", []):
                into = groups if spec["kind"] == "hits" else control
                into.setdefault((h["target"], h["signal"], h["interval"], h["peer"]), []).append(h)
    for key in sorted(groups, key=lambda k: (k[3], k[0], k[1], -k[2])):
        ok, text = judge(groups[key])
        failed += not ok
        report.line("PASS" if ok else "FAIL", "crash-%s-%s-%gs-peer-%s" % key, text)
    for spec, answer in zip(specs, answers):
        if spec["kind"] in dict(ENDINGS) or spec["kind"] in STORMS:
            name = spec["kind"].replace("_", "-") + ("" if spec["kind"] in STORMS else "-%gs" % spec["interval"])
            failed += "ok" not in answer
            report.line("PASS" if "ok" in answer else "FAIL", name, answer.get("ok") or answer.get("trace") or answer.get("fail", ""))
    for key in sorted(control):
        ok, text = judge(control[key])
        failed += ok
        report.line("FAIL" if ok else "PASS", "control-incumbent-%s-%s-%gs" % key[:3],
                    "the judge found nothing wrong with the incumbent: it cannot say no" if ok else "judged bad, as it must: " + text)
    return failed


def main():
    need_root()
    o = options()
    rng = random.Random(o.seed)
    specs = []
    parts = o.only.split(",")
    if "hits" in parts:
        specs += plan(o, rng)
    if "endings" in parts:
        specs += endings_plan(o)
    if "control" in parts and o.has_incumbent:
        specs += control_plan(o, rng)
    last = [spec_of(o, storms.INTERVAL, o.peer, [], 0, kind) for kind in STORMS] if "storms" in parts else []
    longest = max([len(s["hits"]) * (s["pause"] + 1.5) for s in specs] or [0]) + 30
    print("chaos: %s against %s, %d hits in %d labs (%d at once), seed %d, about %d min" % (
        " ".join(o.daemon), o.peer[0], sum(len(s["hits"]) for s in specs), len(specs), o.jobs, o.seed,
        1 + sum(len(s["hits"]) * (s["pause"] + 0.8) + 12 for s in specs) / max(1, min(o.jobs, len(specs))) / 60 + len(last) / 2), flush=True)
    order = sorted(range(len(specs)), key=lambda i: -len(specs[i]["hits"]) * specs[i]["pause"])
    answers = [{"fail": "not run"}] * len(specs)
    for i, answer in parallel(run_one, [specs[i] for i in order], o.jobs, max(120, longest * 2)):
        answers[order[i]] = answer
    for spec in last:
        specs.append(spec)
        answers += [a for _, a in parallel(run_one, [spec], 1, 120)]
    if o.json:
        with open(o.json, "w") as f:
            json.dump([{"spec": s, "answer": a} for s, a in zip(specs, answers)], f, indent=1)
    failed = tell(o, specs, answers)
    if "control" in parts and not o.has_incumbent:
        report.line("SKIP", "control-incumbent", "no %s here: apt install keepalived" % INCUMBENT)
    print("chaos: %s" % ("all promises held" if not failed else "%d FAILED" % failed))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; what was made is removed")
