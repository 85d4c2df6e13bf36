#!/usr/bin/env python3
"""Jail lane: the house from outside (/proc of every process against the table of DESIGN section 1) and from inside (jail-probe tries
what each role must not do). PASS name / FAIL name: why.

    run.py [--daemon CMD] [--probe CMD] [--only table|probe]
"""
import argparse
import contextlib
import os
import pwd
import shlex
import signal
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]

from lab import Lab, alive, conf, need_root, report  # noqa: E402

CAP = {"DAC_READ_SEARCH": 2, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8, "NET_BIND_SERVICE": 10, "NET_ADMIN": 12,
       "NET_RAW": 13, "SYS_CHROOT": 18, "SYS_ADMIN": 21, "SYS_NICE": 23}
MIB = 1 << 20
PARENT = ["KILL", "SETGID", "SETUID", "SETPCAP", "SYS_CHROOT"]
TABLE = {
    "vrrpd": dict(user="_holdfast_vrrp", caps=[], empty_root=True, own_netns=True, nofile=16384),
    "checkd": dict(user="_holdfast_check", caps=[], empty_root=True, own_netns=False, nofile=65536),
    "ipvsd": dict(user="_holdfast_net", caps=["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE"], empty_root=False, own_netns=False, nofile=16384),
}
# What a child may hold open besides sockets and the kernel's own objects.
FILES = {"vrrpd": [], "checkd": [], "ipvsd": ["/proc/sys/net"]}


def mask(names):
    return sum(1 << CAP[n] for n in names)


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return {k: v.strip() for k, v in (line.split(":", 1) for line in f if ":" in line)}


def limits(pid):
    out = {}
    with open("/proc/%d/limits" % pid) as f:
        for line in f.readlines()[1:]:
            out[line[:26].strip()] = line[26:].split()[:2]
    return out


def inode(pid, what):
    return os.stat("/proc/%d/%s" % (pid, what)).st_ino


def targets(pid):
    """What each descriptor is: (text, stat)."""
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            yield os.readlink("/proc/%d/fd/%s" % (pid, fd)), os.stat("/proc/%d/fd/%s" % (pid, fd))
        except FileNotFoundError:
            pass


def host_files(pid, allowed):
    """Open files and directories of the host; those in allowed under their own name, /dev/null and memfds left out."""
    null, names = os.stat(os.devnull).st_rdev, {(st.st_dev, st.st_ino): f for f in allowed for st in [os.stat(f)]}
    return sorted(names.get((st.st_dev, st.st_ino), text) for text, st in targets(pid)
                  if text.startswith("/") and not text.startswith("/memfd:") and not (stat.S_ISCHR(st.st_mode) and st.st_rdev == null))


class Tally:
    def __init__(self, silent=False):
        self.failed, self.silent = 0, silent

    def say(self, ok, name, why):
        self.failed += not ok
        if not self.silent:
            report.line("PASS" if ok else "FAIL", name, "" if ok else why)


class Check:
    """One process against its row; every difference is a failure with the value seen."""

    def __init__(self, tally, role, pid):
        self.tally, self.role, self.pid = tally, role, pid
        self.status = status(pid)

    def same(self, what, seen, want):
        self.tally.say(seen == want, "%s/%s" % (self.role, what), "is %r, must be %r" % (seen, want))

    def credentials(self, uid, gid, caps, bounding, nnp, seccomp):
        s = self.status
        self.same("uid", s["Uid"].split(), [str(uid)] * 4)
        self.same("gid", s["Gid"].split(), [str(gid)] * 4)
        if uid:
            self.same("groups", s["Groups"], "")
        self.same("cap-effective", int(s["CapEff"], 16), caps)
        self.same("cap-permitted", int(s["CapPrm"], 16), caps)
        self.same("cap-bounding", int(s["CapBnd"], 16), bounding)
        self.same("cap-inheritable", int(s["CapInh"], 16), 0)
        self.same("cap-ambient", int(s["CapAmb"], 16), 0)
        self.same("no-new-privs", s["NoNewPrivs"], str(nnp))
        self.same("seccomp", s["Seccomp"], str(seccomp))

    def memory(self):
        with open("/proc/%d/maps" % self.pid) as f:
            rwx = [line.strip() for line in f if "w" in line.split()[1] and "x" in line.split()[1]]
        self.same("no-writable-code", rwx, [])


def check_child(tally, role, pid, parent):
    row, c = TABLE[role], Check(tally, role, pid)
    pw = pwd.getpwnam(row["user"])
    c.credentials(pw.pw_uid, pw.pw_gid, mask(row["caps"]), mask(row["caps"]), 1, 2)
    c.same("not-dumpable", os.stat("/proc/%d/mem" % pid).st_uid, 0)
    c.same("threads", c.status["Threads"], "1")
    root = os.stat("/proc/%d/root/" % pid)
    c.same("empty-root", os.listdir("/proc/%d/root/" % pid) == [] and not stat.S_IMODE(root.st_mode) & 0o222, row["empty_root"])
    c.same("root-owner", root.st_uid, 0)
    c.same("own-network-namespace", inode(pid, "ns/net") != inode(parent, "ns/net"), row["own_netns"])
    if row["own_netns"]:
        links = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-br", "link"], capture_output=True, text=True).stdout
        c.same("nothing-in-that-namespace", [line.split()[:2] for line in links.splitlines()
                                             if not line.startswith(("tunl", "gre", "sit", "ip6", "erspan", "ip_vti"))],
               [["lo", "DOWN"]])
    lim = limits(pid)
    c.same("limit-processes", lim["Max processes"], ["0", "0"])
    c.same("limit-core", lim["Max core file size"], ["0", "0"])
    c.same("limit-file-size", lim["Max file size"], [str(16 * MIB)] * 2)
    c.same("limit-files", 0 < int(lim["Max open files"][1]) <= row["nofile"], True)
    c.same("open-files", host_files(pid, FILES[role]), FILES[role])
    c.memory()


def check_parent(tally, pid):
    c = Check(tally, "parent", pid)
    bounding = mask(PARENT + ["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE", "SYS_ADMIN", "DAC_READ_SEARCH", "SYS_NICE"])
    c.credentials(0, 0, mask(PARENT), bounding, 0, 0)
    inet = []
    with open("/proc/%d/net/unix" % pid) as f:
        unix = {line.split()[6] for line in f.readlines()[1:]}
    for t, _ in targets(pid):
        if t.startswith("socket:[") and t[8:-1] not in unix:
            inet.append(t)
    c.same("only-unix-sockets", inet, [])
    c.memory()


def check_control(tally):
    """The same eyes on a process in no jail: they must see that."""
    p, seen = subprocess.Popen(["sleep", "60"]), Tally(silent=True)
    try:
        check_child(seen, "vrrpd", p.pid, os.getpid())
    finally:
        p.kill()
        p.wait()
    tally.say(seen.failed >= 12, "control/unjailed-process", "only %d differences seen" % seen.failed)


def wait_for(fn, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fn():
            return
        time.sleep(0.02)
    raise RuntimeError("no %s within %g s" % (what, seconds))


def table(tally, daemon):
    """A whole house on a small configuration: two MASTERs, one service, so that every role is there."""
    text = conf.whole(conf.instance(priority=255, state="MASTER"), conf.instance("VI_2", vrid=52, vips=conf.VIPS6, interval=0.5), conf.SERVICE)
    with Lab("a") as lab:
        d = lab.a.start(daemon, text)
        try:
            wait_for(lambda: all(d.role(r) for r in TABLE) and conf.VIPS[0] in lab.a.addresses(), 10, "running house")
            for role in TABLE:
                check_child(tally, role, d.role(role), d.pid)
            check_parent(tally, d.pid)
            users = [status(d.role(r))["Uid"] for r in TABLE]
            tally.say(len(set(users)) == 3, "house/each-its-own-user", str(users))
            reborn(tally, d)
        except Exception:
            print(d.read_log()[-3000:])
            raise
        finally:
            if alive(d.pid):
                d.stop()


def reborn(tally, d):
    """A role that was killed comes back into the same jail."""
    for role in TABLE:
        old = d.role(role)
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: d.role(role) not in (None, old), 5, "new " + role)
        with contextlib.suppress(RuntimeError):  # said below, with what it is instead
            wait_for(lambda: status(d.role(role))["Seccomp"] == "2", 10, "jailed " + role)
        new = status(d.role(role))
        ok = new["Seccomp"] == "2" and int(new["CapEff"], 16) == mask(TABLE[role]["caps"]) and int(new["Uid"].split()[0]) > 0
        tally.say(ok, "house/%s-reborn-in-jail" % role, str(new))


def probe(tally, command):
    """jail-probe in a network namespace of its own; its lines are the tests."""
    p = subprocess.run(["unshare", "-n", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", *command], capture_output=True, text=True,
                       timeout=300)
    print(p.stdout, end="", flush=True)
    failed = sum(line.startswith("FAIL") for line in p.stdout.splitlines())
    tally.failed += failed
    if not p.stdout or p.returncode and not failed:
        tally.say(False, "probe", "status %d: %s" % (p.returncode, p.stderr[-1000:]))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--daemon", default=os.path.join(HERE, "../../build/holdfast"))
    p.add_argument("--probe", default=os.path.join(HERE, "../../build/test/jail-probe"))
    p.add_argument("--only", choices=("table", "probe"))
    o = p.parse_args()
    need_root()
    tally = Tally()
    check_control(tally)
    if o.only != "probe":
        daemon = shlex.split(o.daemon)
        try:
            table(tally, [os.path.abspath(daemon[0]), *daemon[1:]])
        except Exception as e:
            tally.say(False, "house", "%s: %s" % (type(e).__name__, e))
    if o.only != "table":
        probe(tally, [os.path.abspath(o.probe)])
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
