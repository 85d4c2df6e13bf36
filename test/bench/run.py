#!/usr/bin/env python3
"""Figures, never a verdict: holdfast beside the incumbent, measured by the project's harness (../shared/suite/perf) where that is
there, else the chaos lane's own figures; then the director's (lvs.py). Called by `make bench`; needs root. Everything takes about
an hour and a half, half of it in the virtual machine; --only picks (lvs: the director's own figures, a few minutes).

    run.py [--daemon CMD] [--peer CMD] [--only SCENARIO,...] [--runs N] [--out FOLDER] [--suite FOLDER]
"""
import argparse
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SCENARIOS = "startup,failover,jitter,vips,config,reload,watchdog,idle,scale"  # those that need no virtual machine
LVS = "checks,ipvs,reload-rs,watchdog-checker,idle-lvs"  # those that do: IPVS and the incumbent's checks


def harness(suite, out):
    """The harness compiles its helpers beside itself, so it runs from a copy."""
    copy = os.path.join(out, "perf")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(suite, copy, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("build", "results"))
    return os.path.join(copy, "bench.py")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--daemon", default=os.path.join(TOP, "build/holdfast"))
    p.add_argument("--peer", default="/usr/sbin/keepalived")
    p.add_argument("--only", default="lvs," + SCENARIOS + "," + LVS)
    p.add_argument("--runs", type=int)
    p.add_argument("--out", default=os.path.join(TOP, "build/bench"))
    p.add_argument("--suite", default=os.path.join(TOP, "../shared/suite/perf"))
    o = p.parse_args()
    daemon = os.path.abspath(o.daemon)
    if not os.access(daemon, os.X_OK):
        sys.exit("bench: %s is not there (make first)" % daemon)
    if os.geteuid() != 0:
        sys.exit("bench: network namespaces need root")
    os.makedirs(o.out, exist_ok=True)
    runs = ["--runs", str(o.runs)] if o.runs else []
    wanted = o.only.split(",")
    if "lvs" in wanted:
        wanted.remove("lvs")
        subprocess.call([sys.executable, os.path.join(HERE, "lvs.py"), "--daemon", daemon, "--out", o.out])
    if not wanted:
        return 0
    if not os.path.isfile(os.path.join(o.suite, "bench.py")):
        print("bench: no %s here: the built-in figures (crashes, with the incumbent as control when it is installed)" % o.suite)
        return subprocess.call([sys.executable, os.path.join(TOP, "test/chaos/run.py"), "--daemon", daemon, *(runs or ["--runs", "5"]),
                                "--json", os.path.join(o.out, "chaos.json")])
    results = os.path.join(o.out, "perf.json")
    argv = [sys.executable, harness(o.suite, o.out), "--a", daemon, "--only", ",".join(wanted), "--json", results,
            "--vmrun", os.path.join(TOP, "test/vm/vmrun"), *runs]
    if os.access(o.peer, os.X_OK):
        argv += ["--b", o.peer]
    else:
        print("bench: no %s: holdfast alone (apt install keepalived for the comparison)" % o.peer)
    status = subprocess.call(argv)
    print("\nbench: a is %s, b is %s; median (least-most); a/b below 1 is better for times, CPU and memory\nbench: raw samples in %s" %
          (daemon, o.peer, results))
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; what was made is removed")
