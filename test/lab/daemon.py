"""A daemon under test: started in a node's namespace with the usual options, its processes found by pid file and by walking the
children of the main process. Knows nothing of logs: only processes, files and exit statuses.
"""
import contextlib
import ctypes
import os
import signal
import subprocess
import time

libc = ctypes.CDLL(None, use_errno=True)


def process_state(pid):
    """One letter, or None when there is no such process."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def process_name(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def alive(pid):
    return process_state(pid) not in (None, "Z", "X")


def children(pid):
    """Direct children: read from the kernel's list where it exists, else from every stat."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        pass
    out = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/%s/stat" % p) as f:
            if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                out.append(int(p))
    return out


def descendants(pid):
    out = []
    for child in children(pid):
        out += [child, *descendants(child)]
    return out


class Daemon:
    def __init__(self, node, cmd, conf, args=(), env=None, out=None):
        self.node, self.lab, self.cmd = node, node.lab, cmd
        self.dir = "%s/%s%d" % (node.lab.root, node.name, len(node.lab.daemons))
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        self.pidfile, self.vrrp_pidfile, self.check_pidfile = (
            "%s/%s.pid" % (self.dir, n) for n in ("main", "vrrp", "check"))
        self.conf, self.log = self.dir + "/keepalived.conf", self.dir + "/log"
        self.write(conf)
        self.cgroup = node.lab.new_cgroup()
        argv = node.argv([*cmd, "-f", self.conf, "-n", "-l", "-D", "-p", self.pidfile, "-r", self.vrrp_pidfile,
                          "-c", self.check_pidfile, *args], self.cgroup)
        log = open(self.log, "ab")
        self.started = time.time_ns()
        self.proc = subprocess.Popen(argv, stdout=log if out is None else out, stderr=subprocess.STDOUT,
                                     stdin=subprocess.DEVNULL, cwd=self.dir,
                                     env={**os.environ, "HFLAB_LOG": node.lab.log_path, **(env or {})})
        log.close()

    @property
    def pid(self):
        return self.proc.pid

    def write(self, conf):
        with open(self.conf + ".new", "w") as f:
            f.write(conf)
        os.chmod(self.conf + ".new", 0o644)
        os.rename(self.conf + ".new", self.conf)

    def read_log(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def role(self, name):
        """Pid of a role's process, or None. vrrpd and checkd by their pid files (any daemon), ipvsd by name."""
        if name == "parent":
            return self.pid if alive(self.pid) else None
        if name in ("vrrpd", "checkd"):
            try:
                with open(self.vrrp_pidfile if name == "vrrpd" else self.check_pidfile) as f:
                    pid = int(f.read())
                return pid if alive(pid) else None
            except (OSError, ValueError):
                return None
        for pid in children(self.pid):
            if process_name(pid) == "holdfast-" + name and alive(pid):
                return pid
        return None

    def processes(self):
        """All of them, from the cgroup where there is one."""
        if self.cgroup:
            with contextlib.suppress(OSError), open(self.cgroup + "/cgroup.procs") as f:
                return [int(p) for p in f.read().split() if alive(int(p))]
        return [p for p in [self.pid, *descendants(self.pid)] if alive(p)]

    def signal(self, sig):
        """To the main process; the time it was sent."""
        at = time.time_ns()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, sig)
        return at

    def reload(self, conf=None):
        if conf is not None:
            self.write(conf)
        return self.signal(signal.SIGHUP)

    def kill_all(self):
        """Every process at once, as a power cut does. Nobody gets to say goodbye."""
        at = time.time_ns()
        if self.cgroup:
            with open(self.cgroup + "/cgroup.kill", "w") as f:
                f.write("1")
        else:
            pids = self.processes()
            for sig in (signal.SIGSTOP, signal.SIGKILL):
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, sig)
        self.proc.wait(10)
        return at

    def stop(self, timeout=10):
        """SIGTERM; (exit status, seconds until the main process was gone)."""
        at = time.monotonic()
        self.signal(signal.SIGTERM)
        status = self.proc.wait(timeout)
        return status, time.monotonic() - at


class Hang:
    """Holds a process still the way no signal tells its parent: a ptrace stop. Ends with release() or its death."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17

    def __init__(self, pid):
        self.pid = pid
        self._ptrace(self.SEIZE)
        self._ptrace(self.INTERRUPT)

    def _ptrace(self, what):
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        if libc.ptrace(what, self.pid, None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def reap(self):
        """A dead tracee belongs to its tracer first: its parent hears of it only after this. Always None."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG | 0x40000000)

    def release(self):
        with contextlib.suppress(OSError):
            self._ptrace(self.DETACH)
