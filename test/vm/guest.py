"""What only a stock Debian kernel can show: IPVS and everything the director does with it, VLAN, VRF, ipvlan and dummy interfaces, and the
jail on the kernel users have. Runs inside the VM of vmrun; the cases are in the files beside this one.

    guest.py DAEMON [--only PATTERN,...] [--but NAME,...] [--jobs N] [--keep FOLDER] [--no-jail]
"""
import argparse
import fnmatch
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [ROOT + "/test", HERE]
from case import CASES, Lane  # noqa: E402
from lab import parallel, report  # noqa: E402
import kw_buffers  # noqa: E402,F401
import kw_links  # noqa: E402,F401
import links  # noqa: E402,F401
import lvs_forward  # noqa: E402,F401
import lvs_checks  # noqa: E402,F401
import lvs_hold  # noqa: E402,F401
import lvs_keywords  # noqa: E402,F401
import lvs_operator  # noqa: E402,F401
import lvs_pair  # noqa: E402,F401
import lvs_snmp  # noqa: E402,F401
import lvs_special  # noqa: E402,F401
import lvs_table  # noqa: E402,F401
import virtual  # noqa: E402,F401

MODULES = ("8021q", "vrf", "dummy", "veth", "bridge", "macvlan", "ipvlan", "ipip", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_wlc")


def phase(cases, lane, jobs):
    """Runs and reports; how many failed."""
    failed = 0
    for i, answer in parallel(lambda c: c.fn(lane), cases, jobs, max([c.limit for c in cases] or [1])):
        verdict = "PASS" if "ok" in answer else "SKIP" if "skip" in answer else "FAIL"
        failed += verdict == "FAIL"
        text = answer.get("ok") or answer.get("skip") or answer.get("trace") or answer.get("fail") or cases[i].doc
        report.line(verdict, cases[i].name, text)
    return failed


def jail(daemon):
    probe = os.path.dirname(daemon) + "/test/jail-probe"
    p = subprocess.run([sys.executable, ROOT + "/test/jail/run.py", "--daemon", daemon, "--probe", probe], check=False,
                       stdout=subprocess.PIPE, text=True)
    for line in p.stdout.splitlines():  # the same names as on this machine's kernel: told apart
        print(re.sub(r"(PASS|FAIL|SKIP)(\S* )", r"\1\2vm-jail/", line, count=1), flush=True)
    return int(p.returncode != 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("daemon", nargs="?", default=ROOT + "/build/holdfast")
    p.add_argument("--only", default="*")
    p.add_argument("--but", default="", help="these have their verdict already")
    p.add_argument("--jobs", type=int, default=3)
    p.add_argument("--keep")
    p.add_argument("--no-jail", action="store_true")
    o = p.parse_args()
    os.environ.setdefault("HFLAB_TELL", "3000")
    for module in MODULES:
        subprocess.run(["modprobe", module], check=False)
    chosen = [c for c in CASES if any(fnmatch.fnmatch(c.name, pat) for pat in o.only.split(",")) and c.name not in o.but.split(",")]
    ours = os.path.exists(os.path.dirname(o.daemon) + "/holdfast-checkd")
    lane, began = Lane([o.daemon], ours, o.keep), time.monotonic()
    failed = phase([c for c in chosen if not c.alone], lane, o.jobs)
    for c in (c for c in chosen if c.alone):
        failed += phase([c], lane, 1)
    print("vm: cases took %.0f s" % (time.monotonic() - began), flush=True)
    if ours and not o.no_jail and (o.only == "*" or "vm-jail" in o.only.split(",")):
        failed += jail(o.daemon)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
