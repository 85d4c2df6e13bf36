#!/usr/bin/env python3
"""The vm lane: everything of guest.py in one boot of a stock Debian kernel. One line a test; SKIP where no such kernel or no
qemu can be had (both are installed when missing).

    run.py [--daemon build/holdfast] [--limit SECONDS] [--only PATTERN,...]
"""
import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
KERNEL = os.environ.get("HOLDFAST_VM", "/var/cache/holdfast-vm")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--daemon", default=TOP + "/build/holdfast")
    p.add_argument("--limit", type=int, default=1500)
    p.add_argument("--only", default="*")
    o = p.parse_args()
    made = subprocess.run([HERE + "/kernel.sh", KERNEL], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        print("SKIP vm: no test kernel here: %s" % (made.stdout.strip().splitlines() or ["?"])[-1])
        return 0
    run = subprocess.Popen([HERE + "/vmrun", "-t", str(o.limit), "--", sys.executable, HERE + "/guest.py", os.path.abspath(o.daemon),
                            "--only", o.only],
                           cwd=TOP, stdout=subprocess.PIPE, text=True, errors="replace")
    seen = 0
    for line in run.stdout:
        seen += bool(re.search("(PASS|FAIL)", line))
        print(line, end="", flush=True)
    status = run.wait()
    if status in (124, 125) and not seen:
        print("SKIP vm-boot: the emulated machine did not come up here (status %d)" % status)
        return 0
    if status not in (0, 1):
        print("FAIL vm-boot: the guest ended with status %d" % status)
    return status


if __name__ == "__main__":
    sys.exit(main())
