#!/usr/bin/env python3
"""Net lane: the daemon as a black box on real frames, in network namespaces. One line a test.

    run.py [--daemon CMD] [--only PATTERN[,PATTERN]] [--jobs J] [--list] [--keep PREFIX]

--keep PREFIX leaves the daemons' logs as PREFIX-<test>-<node>.log.
"""
import argparse
import fnmatch
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE), HERE]

from case import CASES, Lane  # noqa: E402
from lab import need_root, parallel, report  # noqa: E402
import accept  # noqa: E402,F401
import addresses  # noqa: E402,F401
import auth  # noqa: E402,F401
import bfd  # noqa: E402,F401
import checks  # noqa: E402,F401
import churn  # noqa: E402,F401
import dynamic  # noqa: E402,F401
import dbus  # noqa: E402,F401
import doctor  # noqa: E402,F401
import holdctl  # noqa: E402,F401
import hostile  # noqa: E402,F401
import interop  # noqa: E402,F401
import interop_frr  # noqa: E402,F401
import kw_bfd  # noqa: E402,F401
import kw_vrrp  # noqa: E402,F401
import kw_vrrp_links  # noqa: E402,F401
import kw_routes  # noqa: E402,F401
import kw_process  # noqa: E402,F401
import kw_text  # noqa: E402,F401
import kw_notify  # noqa: E402,F401
import leftovers  # noqa: E402,F401
import kw_checks  # noqa: E402,F401
import life  # noqa: E402,F401
import links  # noqa: E402,F401
import mail  # noqa: E402,F401
import dumps  # noqa: E402,F401
import dump_bfd  # noqa: E402,F401
import evidence  # noqa: E402,F401
import metrics  # noqa: E402,F401
import plans  # noqa: E402,F401
import process  # noqa: E402,F401
import options  # noqa: E402,F401
import orders  # noqa: E402,F401
import rfc  # noqa: E402,F401
import routes  # noqa: E402,F401
import reload_any  # noqa: E402,F401
import reload_counts  # noqa: E402,F401
import reloads  # noqa: E402,F401
import vmac  # noqa: E402,F401
import realserver  # noqa: E402,F401
import snmp  # noqa: E402,F401
import tracking  # noqa: E402,F401
import wire  # noqa: E402,F401

INCUMBENT = "/usr/sbin/keepalived"


def build_flood(folder):
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not cc:
        return None
    out = os.path.join(folder, "flood")
    subprocess.run([cc, "-O2", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", out, os.path.join(HERE, "flood.c")],
                   check=True)
    os.chmod(folder, 0o755)
    return out


def phase(cases, lane_of, jobs):
    """Runs and reports; returns the number of each verdict."""
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    limit = max([c.limit for c in cases] or [1])
    for i, answer in parallel(lambda c: c.fn(lane_of(c)), cases, jobs, limit):
        verdict = "PASS" if "ok" in answer else "SKIP" if "skip" in answer else "FAIL"
        counts[verdict] += 1
        report.line(verdict, cases[i].name, answer.get("ok") or answer.get("skip") or answer.get("trace") or answer.get("fail") or "")
    return counts


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--daemon", default=os.path.join(HERE, "../../build/holdfast"))
    p.add_argument("--only", default="*")
    p.add_argument("--jobs", type=int, default=6)
    p.add_argument("--list", action="store_true")
    p.add_argument("--keep")
    o = p.parse_args()
    chosen = [c for c in CASES if any(fnmatch.fnmatch(c.name, pat) for pat in o.only.split(","))]
    if o.list:
        for c in chosen:
            print("%-34s %s" % (c.name, c.doc))
        return 0
    need_root()
    argv = shlex.split(o.daemon)
    if not os.access(shutil.which(argv[0]) or argv[0], os.X_OK):
        sys.exit("%s: no such program (build it first: make)" % argv[0])
    argv[0] = os.path.abspath(shutil.which(argv[0]) or argv[0])
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hfnet-") as folder:
        flood = build_flood(folder)
        incumbent = [INCUMBENT] if os.access(INCUMBENT, os.X_OK) else None

        def lane_of(c):
            return Lane(argv, incumbent, flood, o.keep, c.name)

        total = phase([c for c in chosen if not c.alone], lane_of, o.jobs)
        for c in (c for c in chosen if c.alone):
            for verdict, n in phase([c], lane_of, 1).items():
                total[verdict] += n
    print("net: %d passed, %d failed, %d skipped in %.0f s" % (total["PASS"], total["FAIL"], total["SKIP"], time.monotonic() - start))
    return 1 if total["FAIL"] or not total["PASS"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; what was made is removed")
