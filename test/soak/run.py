#!/usr/bin/env python3
"""Soak: servers up and down at random for as long as wanted, the kernel's table against an independent model, memory flat. In the VM of
the vm lane, or here when this kernel has ip_vs.

    run.py [--daemon build/holdfast] [--seconds N] [--seed N] [--services N]
"""
import argparse
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def native():
    """True when this kernel has ip_vs (as a module or built in)."""
    subprocess.run(["modprobe", "ip_vs"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return os.path.exists("/proc/net/ip_vs")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--daemon", default=TOP + "/build/holdfast")
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--seed", type=int, default=int(time.time()) % 100000)
    p.add_argument("--services", type=int, default=8)
    o = p.parse_args()
    argv = [sys.executable, HERE + "/guest.py", "--daemon", os.path.abspath(o.daemon), "--seconds", str(o.seconds), "--seed", str(o.seed),
            "--services", str(o.services)]
    if native():
        return subprocess.call(argv)
    vm = subprocess.run([TOP + "/test/vm/vmrun", "-t", str(o.seconds + 240), "--", *argv], cwd=TOP, stdout=subprocess.PIPE, text=True,
                        errors="replace")
    print(vm.stdout, end="", flush=True)
    if vm.returncode in (124, 125) and "soak-" not in vm.stdout:
        print("SKIP soak: the emulated machine did not come up here (status %d)" % vm.returncode)
        return 0
    return vm.returncode


if __name__ == "__main__":
    sys.exit(main())
