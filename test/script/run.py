#!/usr/bin/env python3
"""Attacks on the way scripts are run, black box: a daemon in a namespace, scripts that try what they must not, files changed
under it. Every case must fail to attack. Prints PASS/FAIL name: why.

    test/script/run.py --daemon build/holdfast [--only NAME,...]
"""
import argparse
import os
import pwd
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]
from lab import Failure, Lab, check, conf  # noqa: E402

CASES = []
NOBODY = pwd.getpwnam("nobody")
PLACE = "/var/lib/hf-script-%d" % os.getpid()  # only root may write to its path


def case(fn):
    CASES.append((fn.__name__.replace("_", "-"), fn))
    return fn


class Bench:
    """A lab with one node, and a directory of root's for scripts."""

    def __init__(self, cmd, name):
        self.cmd, self.dir = cmd, PLACE + "/" + name
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o755)
        self.file("out", "", 0o666)

    def __enter__(self):
        self.lab = Lab("a").__enter__()
        return self

    def __exit__(self, *a):
        return self.lab.__exit__(*a)

    def path(self, name):
        return os.path.join(self.dir, name)

    def file(self, name, text, mode=0o755, owner=0):
        path = self.path(name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chown(path + ".new", owner, owner)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def script(self, name, body, **kw):
        return self.file(name, "#!/bin/sh\n%s\n" % body, **kw)

    def out(self):
        with open(self.path("out")) as f:
            return f.read()

    def start(self, extra, glob="enable_script_security\n", interval=0.2):
        text = conf.whole(conf.instance(priority=200, interval=interval, extra=extra), glob=glob)
        self.daemon = self.lab.a.start(self.cmd, text)
        self.lab.wait_master("a", conf.VIPS, 15)
        return self.daemon

    def wait(self, what, timeout=10, why="the script has not done its work"):
        end = time.monotonic() + timeout
        while not what():
            check(time.monotonic() < end, "%s; log:\n%s" % (why, self.daemon.read_log()[-1500:]))
            time.sleep(0.05)

    def bounce(self):
        """One more round of FAULT, BACKUP, MASTER."""
        self.lab.a.cable(False)
        time.sleep(0.5)
        self.lab.a.cable(True)


@case
def swapped_symlink(b):
    """A link in the user's directory flips between a safe script of root's and the user's own, faster than anything can look."""
    good = b.script("good.sh", "id -u >>%s" % b.path("out"))
    home = b.path("home")
    os.mkdir(home)
    evil = b.script("home/evil.sh", "echo evil $(id -u) >>%s" % b.path("out"), owner=NOBODY.pw_uid)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    swap = subprocess.Popen(["/usr/bin/python3", "-c", """
import os
while True:
    for t in (%r, %r):
        try: os.unlink(%r)
        except OSError: pass
        os.symlink(t, %r); os.rename(%r, %r)
""" % (good, evil, home + "/n", home + "/n", home + "/n", home + "/link")], user=NOBODY.pw_uid)
    try:
        time.sleep(0.3)
        b.start("notify %s/link root" % home)
        for _ in range(4):
            b.bounce()
            time.sleep(1.5)
    finally:
        swap.kill()
        swap.wait()
    check("evil 0" not in b.out(), "the user's script ran as root")
    check("others can change" in b.daemon.read_log(), "nobody was told why")


@case
def writable_parent_directory(b):
    """Anybody may replace the file, so root does not run it; the service goes on."""
    os.mkdir(b.path("open"))
    bad = b.script("open/s.sh", "echo bad >>%s" % b.path("out"))
    os.chmod(b.path("open"), 0o777)
    good = b.script("good.sh", "echo good >>%s" % b.path("out"))
    b.start("notify_master %s root\nnotify %s root" % (bad, good))
    b.wait(lambda: "good" in b.out())
    check("bad" not in b.out(), "it ran")


@case
def setuid_script(b):
    """Set-user-ID bits give the default user nothing: not on a script, not on a program."""
    if not [u for u in ("holdfast_script", "keepalived_script") if u in {p.pw_name for p in pwd.getpwall()}]:
        raise Failure("no default user on this machine: make deps")
    b.script("s.sh", "echo script $(id -u) >>%s" % b.path("out"), mode=0o4755)
    with open("/usr/bin/id", "rb") as f, open(b.path("id"), "wb") as to:
        to.write(f.read())
    os.chmod(b.path("id"), 0o4755)
    b.script("p.sh", "echo program $(%s -u) >>%s" % (b.path("id"), b.path("out")))
    b.start("notify_backup %s\nnotify_master %s" % (b.path("s.sh"), b.path("p.sh")), glob="")
    b.wait(lambda: "script" in b.out() and "program" in b.out())
    check("script 0\n" not in b.out() and "program 0\n" not in b.out(), "root: " + b.out())


@case
def interpreters(b):
    """CRLF and missing interpreters are failures with the reason, and never stop the daemon."""
    b.file("crlf.sh", "#!/bin/sh\r\necho crlf >>%s\r\n" % b.path("out"))
    b.file("gone.sh", "#!/no/such/shell\necho gone >>%s\n" % b.path("out"))
    good = b.script("good.sh", "echo good >>%s" % b.path("out"))
    b.start("notify_backup %s root\nnotify_master %s root\nnotify %s root" % (b.path("crlf.sh"), b.path("gone.sh"), good))
    b.wait(lambda: "good" in b.out())
    time.sleep(0.3)
    log = b.daemon.read_log()
    check("CRLF" in log and "/no/such/shell is the interpreter" in log, "the reasons are not told:\n" + log[-1500:])
    check("crlf" not in b.out() and "gone" not in b.out(), "it ran: " + b.out())


@case
def replaced_between_runs(b):
    """What was safe a moment ago is looked at again."""
    s = b.script("s.sh", "echo good $(id -u) >>%s" % b.path("out"))
    b.start("notify %s root" % s)
    b.wait(lambda: "good 0" in b.out())
    b.script("s.sh", "echo evil $(id -u) >>%s" % b.path("out"), owner=NOBODY.pw_uid)
    b.bounce()
    time.sleep(3)
    check("evil" not in b.out(), "the replaced script ran")
    b.script("s.sh", "echo again >>%s" % b.path("out"))
    b.bounce()
    b.wait(lambda: "again" in b.out())


@case
def descriptors_and_memory(b):
    """A script looks for descriptors of the daemon, its memory, its children's memory, and tries to trace and signal them."""
    probe = b.file("probe.py", """#!/usr/bin/python3
import ctypes, os, signal
out = open(%r, "a")
parent = os.getppid()
print("fds", sorted(os.readlink("/proc/self/fd/%%d" %% n) for n in range(3, 200) if os.path.exists("/proc/self/fd/%%d" %% n)
                    and n != out.fileno()), file=out)
pids = [parent] + [int(p) for p in open("/proc/%%d/task/%%d/children" %% (parent, parent)).read().split() if int(p) != os.getpid()]
for pid in pids:
    for what in ("mem", "environ", "maps", "fd"):
        try:
            path = "/proc/%%d/%%s" %% (pid, what)
            got = os.listdir(path) if what == "fd" else open(path, "rb").read(1)
            print("BREACH", pid, what, got, file=out)
        except (OSError, PermissionError):
            pass
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, pid, 0, 0) == 0:
        print("BREACH ptrace", pid, file=out)
    for sig in (signal.SIGSTOP, signal.SIGTERM):
        try:
            os.kill(pid, sig)
            print("BREACH kill", pid, sig, file=out)
        except PermissionError:
            pass
print("end", len(pids), file=out)
""" % b.path("out"))
    b.start("notify_master %s nobody" % probe)
    b.wait(lambda: "end" in b.out(), 15)
    check("BREACH" not in b.out(), b.out())
    check("fds []" in b.out(), "descriptors: " + b.out())


@case
def stopped_before_exec(b):
    """The script's own user fires SIGSTOP at every process that may become his: the daemon keeps working and answers."""
    s = b.script("s.sh", "echo ran >>%s" % b.path("out"))
    b.start("notify %s nobody" % s, interval=0.1)
    gun = subprocess.Popen(["/usr/bin/python3", "-c", """
import os
while True:
    try: last = int(open("/proc/loadavg").read().split()[4])
    except OSError: continue
    for pid in range(last, last + 6):
        try: os.kill(pid, 19)
        except OSError: pass
"""], user=NOBODY.pw_uid)
    try:
        for _ in range(3):
            b.bounce()
            time.sleep(1.5)
        check(b.daemon.role("parent") is not None, "the parent is dead")
        at = time.monotonic()
        b.daemon.reload()
        b.wait(lambda: "reload complete" in b.daemon.read_log(), 25, "no reload any more")
        print("    reload under fire took %.2f s" % (time.monotonic() - at), flush=True)
    finally:
        gun.kill()
        gun.wait()


@case
def storm_and_adverts(b):
    """200 instances notify at once with slow scripts: bounded, in order, and no advert is late."""
    s = b.script("slow.sh", "sleep 0.05\necho $2 $3 >>%s" % b.path("out"))
    count = 200
    blocks = [conf.instance(name="V%d" % n, vrid=n + 1, priority=200, interval=0.2, vips=("10.78.%d.%d" % (n // 200, n % 200 + 1),),
                            extra="notify %s nobody" % s) for n in range(count)]
    since = time.time_ns()
    b.daemon = b.lab.a.start(b.cmd, conf.whole(*blocks, glob="enable_script_security\n"))
    most = 0
    end = time.monotonic() + 90
    while True:
        ours = [p for p in b.daemon.processes() if cmdline(p).find(s) >= 0]
        most = max(most, len(ours))
        lines = b.out().splitlines()
        if sum(line.endswith("MASTER") for line in lines) >= count:
            break
        check(time.monotonic() < end, "only %d lines of %d" % (len(lines), 2 * count))
        time.sleep(0.02)
    lines = b.out().splitlines()
    for n in range(count):
        mine = [line.split()[1] for line in lines if line.split()[0] == "V%d" % n]
        check(mine == ["BACKUP", "MASTER"], "V%d was told %s" % (n, mine))
    check(most <= 40, "%d scripts at once" % most)
    adverts = [a.ts for a in b.lab.adverts("a", since) if a.vrid == 100]
    gaps = [(y - x) / 1e6 for x, y in zip(adverts, adverts[1:])]
    check(gaps and max(gaps) < 200 + 60, "an advert came after %.0f ms" % max(gaps or [9999]))
    print("    at most %d at once; longest gap between adverts %.1f ms of 200" % (most, max(gaps)), flush=True)


@case
def fifo_life(b):
    """Made for its user in root's directory, also by a reload; read by its script; what is gone is told; removed at the end."""
    reader = b.script("reader.sh", "exec <$2\nwhile read l; do echo \"$1 $(id -un) $l\" >>%s; done" % b.path("out"))
    two = conf.instance(name="V2", vrid=52, priority=200, interval=0.2, vips=("10.77.0.120",), extra="notify_deleted")
    b.daemon = b.lab.a.start(b.cmd, conf.whole(conf.instance(priority=200, interval=0.2), two, glob=(
        "script_user nobody\nvrrp_notify_fifo %s\nvrrp_notify_fifo_script \"%s one\"\n" % (b.path("f1"), reader))))
    b.wait(lambda: b.out().count(" MASTER 200") == 2)
    st = os.stat(b.path("f1"))
    check((st.st_uid, oct(st.st_mode)) == (NOBODY.pw_uid, "0o10600"), "FIFO is %s" % (st,))
    check("one nobody INSTANCE \"VI_1\" BACKUP 200\none " in b.out(), "lines: " + b.out())
    check(not [n for n in os.listdir(b.dir) if n.startswith(".holdfast")], "a room was left behind")
    b.file("out", "", 0o666)
    b.daemon.reload(conf.whole(conf.instance(priority=150, interval=0.2), glob=(
        "script_user nobody\nvrrp_notify_fifo %s\nvrrp_notify_fifo_script \"%s two\"\nvrrp_notify_priority_changes\n"
        "fifo_write_vrrp_states_on_reload\n" % (b.path("f2"), reader))))
    want = ["two nobody INSTANCE \"%s" % w for w in ('VI_1" MASTER_PRIORITY 150', 'V2" DELETED 200', 'VI_1" MASTER 150')]
    b.wait(lambda: all(w in b.out() for w in want), why="lines after the reload: " + b.out())
    check(not os.path.exists(b.path("f1")), "the former FIFO is still there")
    check(os.stat(b.path("f2")).st_uid == NOBODY.pw_uid, "the new FIFO has the wrong owner")
    b.daemon.stop()
    check("two nobody INSTANCE \"VI_1\" STOP 150" in b.out(), "the reader did not get the last line: " + b.out())
    check(not os.path.exists(b.path("f2")), "the FIFO is still there")


@case
def first_and_last(b):
    """startup_script before anything happens, shutdown_script after everything, both with their limits."""
    first = b.script("first.sh", "sleep 0.5\necho first $(ip -o addr show dev eth0 | grep -c 10.77.0.100) >>%s" % b.path("out"))
    last = b.script("last.sh", "echo last $(ip -o addr show dev eth0 | grep -c 10.77.0.100) >>%s\nsleep 60" % b.path("out"))
    note = b.script("note.sh", "echo note $3 >>%s" % b.path("out"))
    b.start("notify %s" % note, glob="script_user root\nstartup_script %s\nshutdown_script %s\nshutdown_script_timeout 1\n" % (first, last))
    b.wait(lambda: "note MASTER" in b.out())
    status, took = b.daemon.stop(15)
    check(b.out().splitlines() == ["first 0", "note BACKUP", "note MASTER", "note STOP", "last 0"], "order: " + b.out())
    check(status == 0 and 1 <= took < 5, "stop: status %s after %.1f s" % (status, took))


def cmdline(pid):
    try:
        with open("/proc/%d/cmdline" % pid) as f:
            return f.read()
    except OSError:
        return ""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--daemon", required=True)
    p.add_argument("--only", default="")
    o = p.parse_args()
    only = [n for n in o.only.split(",") if n]
    bad = 0
    os.mkdir(PLACE)
    os.chmod(PLACE, 0o755)
    try:
        for name, fn in CASES:
            if only and name not in only:
                continue
            try:
                with Bench([os.path.abspath(o.daemon)], name) as b:
                    fn(b)
                print("PASS %s" % name, flush=True)
            except Failure as e:
                bad += 1
                print("FAIL %s: %s" % (name, str(e).replace("\n", "\n    ")), flush=True)
    finally:
        subprocess.run(["rm", "-rf", PLACE], check=False)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
