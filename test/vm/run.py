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
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
VERDICT = re.compile(r"(?:\x1b\[[0-9;]*m)*(PASS|FAIL|SKIP)(?:\x1b\[[0-9;]*m)*\s+([^\s:]+)")
KERNEL = os.environ.get("HOLDFAST_VM", "/var/cache/holdfast-vm")


BOOTS, DIED = 3, 125


def boot(o, seen, limit):
    """One emulated machine, told as it speaks; its status. seen: name -> verdict, of the machines before it too."""
    run = subprocess.Popen([HERE + "/vmrun", "-t", str(max(60, int(limit))), "--", sys.executable, HERE + "/guest.py",
                            os.path.abspath(o.daemon), "--only", o.only, "--but", ",".join(seen)],
                           cwd=TOP, stdout=subprocess.PIPE, text=True, errors="replace")
    for line in run.stdout:
        m = VERDICT.match(line)
        if m and m[2] in seen:  # the jail's cases are one program: it begins anew
            continue
        if m:
            seen[m[2]] = m[1]
        print(line, end="", flush=True)
    return run.wait()


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
    seen, status, began = {}, DIED, time.monotonic()
    for _ in range(BOOTS):
        if status != DIED:
            break
        if seen:
            print("    the emulated machine died after %d verdicts; what is missing runs in another one" % len(seen), flush=True)
        status = boot(o, seen, o.limit - (time.monotonic() - began))
    if status in (124, DIED) and not seen:
        print("SKIP vm-boot: the emulated machine did not come up here (status %d)" % status)
        return 0
    if status not in (0, 1):
        print("FAIL vm-boot: the guest ended with status %d" % status)
    return status or int("FAIL" in seen.values())


if __name__ == "__main__":
    sys.exit(main())
