"""A lab: namespaces on a bridge, witnesses, daemons. Everything is named hf<pid>, and a janitor process removes all of it when the
test ends, however it ends (return, exception, ^C, SIGKILL): it waits for the end of a pipe that only the test holds open.

    with Lab("ab") as lab:             # nodes a, b: eth0 on one bridge, 10.77.0.1/24, 10.77.0.2/24, fd77::1/64 ...
        d = lab.a.start(["build/holdfast"], conf)
        lab.wait(lambda: lab.adverts("a"), 5, "an advert")
"""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from . import watch
from .daemon import Daemon

CGROUPS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")


class Failure(Exception):
    """The daemon did not do what it should."""


class Skip(Exception):
    """This machine cannot show it; the text says why."""


def check(ok, why, *values):
    if not ok:
        raise Failure(why % values if values else why)


def now():
    return time.time_ns()


def run(*argv, text=None, check=True, timeout=60):
    p = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=timeout)
    if check and p.returncode:
        raise RuntimeError("%s: %s" % (" ".join(argv), (p.stderr or p.stdout).strip()))
    return p


def cgroup_root():
    for path in CGROUPS:
        if os.path.exists(path + "/cgroup.controllers") and os.path.exists(path + "/cgroup.procs"):
            return path
    return None


def cgroup_kill(path):
    """Every process below path, at once."""
    if not path or not os.path.isdir(path):
        return
    with contextlib.suppress(OSError), open(path + "/cgroup.kill", "w") as f:
        f.write("1")
    for _ in range(100):
        with contextlib.suppress(OSError):
            if "populated 0" in open(path + "/cgroup.events").read():
                return
        time.sleep(0.01)


def sweep(prefix, root, cgroup):
    """What the janitor does. Safe to repeat."""
    cgroup_kill(cgroup)
    listed = run("ip", "netns", "list", check=False).stdout.split("\n")
    mine = [line.split()[0] for line in listed if line.startswith(prefix + "-")]
    for ns in mine:
        for pid in run("ip", "netns", "pids", ns, check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "del", ns, check=False)
    if cgroup:
        for base, _, _ in os.walk(cgroup, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(base)
    if not os.environ.get("HFLAB_KEEP"):
        shutil.rmtree(root, ignore_errors=True)


class Node:
    """One machine of the lab: a network namespace with eth0 on the bridge."""

    def __init__(self, lab, name, index):
        self.lab, self.name, self.index = lab, name, index
        self.ns = "%s-%s" % (lab.prefix, name)
        self.ip, self.ip6 = "%s.%d" % (lab.net, index), "fd77::%x" % index
        self.mac = "02:00:00:00:00:%02x" % index
        self.link_local = "fe80::ff:fe00:%x" % index
        self.daemon = None
        self.create()

    def create(self):
        run("ip", "netns", "add", self.ns)
        with watch.in_netns(self.ns):
            for knob in ("default/accept_dad", "all/accept_dad", "default/router_solicitations", "all/accept_ra"):
                with open("/proc/sys/net/ipv6/conf/" + knob, "w") as f:
                    f.write("0")
        self.batch("link set lo up")
        if self.lab.plug_all:
            self.plug()

    def plug(self):
        """eth0 on the bridge, with its addresses."""
        port = "p-" + self.name
        run("ip", "-n", self.lab.switch, "-batch", "-", text="""
link add %s type veth peer name eth0 netns %s
link set %s master br0 up
""" % (port, self.ns, port))
        self.batch("link set eth0 address %s up\naddr add %s/24 dev eth0\naddr add %s/64 dev eth0 nodad" %
                   (self.mac, self.ip, self.ip6))

    def cable(self, plugged):
        run("ip", "-n", self.lab.switch, "link", "set", "p-" + self.name, "up" if plugged else "down")

    def batch(self, text):
        run("ip", "-n", self.ns, "-batch", "-", text=text + "\n")

    def addresses(self):
        """Every address of the node, as text."""
        out = run("ip", "-n", self.ns, "-o", "addr", "show").stdout
        return [line.split()[3].split("/")[0] for line in out.splitlines()]

    def argv(self, argv, cgroup=""):
        """argv in this namespace, with a private /run and a private /dev/log that somebody reads."""
        script = ("mount -t tmpfs none /run && mkdir /run/dev && mount -t tmpfs -o mode=755 none /run/dev && "
                  "for n in null zero full random urandom tty; do : >/run/dev/$n; mount --bind /dev/$n /run/dev/$n; done; "
                  "mkdir /run/dev/shm; ln -s /proc/self/fd /run/dev/fd; ln -s \"$HFLAB_LOG\" /run/dev/log; "
                  "mount --move /run/dev /dev && rmdir /run/dev; exec \"$@\"")
        join = ["sh", "-c", "echo $$ >\"$1/cgroup.procs\" && shift && exec \"$@\"", "sh", cgroup] if cgroup else []
        return [*join, "ip", "netns", "exec", self.ns, "sh", "-c", script, "sh", *argv]

    def start(self, cmd, conf, args=(), env=None, out=None):
        self.daemon = Daemon(self, list(cmd), conf, args, env, out)
        self.lab.daemons.append(self.daemon)
        return self.daemon

    def spawn(self, argv, **kw):
        """A helper process in the namespace, gone with the lab."""
        return subprocess.Popen(self.argv(argv, self.lab.new_cgroup()), env=dict(os.environ, HFLAB_LOG=self.lab.log_path),
                                stdin=subprocess.DEVNULL, **kw)


class Lab:
    count = 0

    def __init__(self, names="ab", plug=True, net="10.77.0", hosts=None, keep_log=None):
        Lab.count += 1
        self.prefix = "hf%d%s" % (os.getpid(), "x%d" % Lab.count if Lab.count > 1 else "")
        self.net, self.plug_all, self.keep_log = net, plug, keep_log
        self.names, self.hosts, self.nodes, self.daemons, self.cgroups = names, hosts or {}, {}, [], 0
        self.root = tempfile.mkdtemp(prefix=self.prefix + "-")
        os.chmod(self.root, 0o755)
        self.switch = self.prefix + "-sw"
        self.log_path = self.root + "/syslog"
        base = cgroup_root()
        self.cgroup = base and "%s/%s" % (base, self.prefix)
        self._janitor()
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _janitor(self):
        keep, self.pipe = os.pipe()
        self.janitor = os.fork()
        if self.janitor:
            os.close(keep)
            return
        try:
            os.setsid()
            for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(sig, signal.SIG_IGN)
            os.close(self.pipe)
            os.read(keep, 1)
            sweep(self.prefix, self.root, self.cgroup)
        finally:
            os._exit(0)

    def _build(self):
        if self.cgroup:
            os.makedirs(self.cgroup, exist_ok=True)
        self.sink = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sink.bind(self.log_path)
        os.chmod(self.log_path, 0o666)
        run("ip", "netns", "add", self.switch)
        with watch.in_netns(self.switch), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as f:
            f.write("1")
        run("ip", "-n", self.switch, "-batch", "-",
            text="link add br0 type bridge forward_delay 0 mcast_snooping 0\nlink set br0 up\n")
        for i, name in enumerate(self.names):
            self.nodes[name] = Node(self, name, self.hosts.get(name, i + 1))
        sources = [("wire", self.switch)] + [("netlink", n.ns, n.name) for n in self.nodes.values()]
        pipe = self.pipe
        os.set_inheritable(pipe, False)
        self.watch = watch.Recorder(self.root + "/record", sources, [self.sink], close=[pipe])

    def __getattr__(self, name):
        nodes = self.__dict__.get("nodes", {})
        if name in nodes:
            return nodes[name]
        raise AttributeError(name)

    def freeze(self, daemon, still):
        """All of its processes, as a hypervisor does: nobody is left to notice."""
        if not daemon.cgroup or not os.path.exists(daemon.cgroup + "/cgroup.freeze"):
            raise Skip("no cgroup of version 2 that freezes")
        with open(daemon.cgroup + "/cgroup.freeze", "w") as f:
            f.write("1" if still else "0")

    def new_cgroup(self):
        if not self.cgroup:
            return ""
        self.cgroups += 1
        path = "%s/%d" % (self.cgroup, self.cgroups)
        os.mkdir(path)
        return path

    # -- what was seen
    def seen(self, kind, node=None, since=0, until=None, **want):
        self.watch.poll()
        return [f for f in self.watch.frames
                if f.kind == kind and node in (None, f.node) and f.ts >= since and (until is None or f.ts <= until)
                and all(getattr(f, k) == v for k, v in want.items())]

    def adverts(self, node=None, since=0, until=None, **want):
        return self.seen("advert", node, since, until, **want)

    def events(self, what=None, node=None, addr=None, since=0, until=None):
        self.watch.poll()
        return [e for e in self.watch.events
                if (what is None or e.what.startswith(what)) and node in (None, e.node) and addr in (None, e.addr)
                and e.ts >= since and (until is None or e.ts <= until)]

    def wait(self, test, timeout, what, step=0.01):
        """test() until it is true; its value."""
        end = time.monotonic() + timeout
        while True:
            value = test()
            if value:
                return value
            if time.monotonic() > end:
                raise Failure("%s: not within %g s" % (what, timeout))
            time.sleep(step)

    def crash(self, d, role, timeout=5, sig=signal.SIGKILL):
        """Kills a process of the daemon d; the pid of its successor."""
        old = d.role(role)
        if old is None:
            raise Failure("there is no %s to kill" % role)
        os.kill(old, sig)
        return self.wait(lambda: d.role(role) not in (None, old) and d.role(role), timeout, "a new " + role)

    def wait_master(self, node, vips, timeout=10, since=0):
        """Until node has advertised (not priority 0) since and holds every vip; its first advert."""
        first = self.wait(lambda: [a for a in self.adverts(node, since) if a.priority], timeout, "an advert from " + node)
        self.wait(lambda: set(vips) <= set(self.nodes[node].addresses()), 3, "all addresses on " + node)
        return first[0]

    # -- the end
    def close(self):
        if self.keep_log:
            for d in self.daemons:
                with contextlib.suppress(OSError):
                    shutil.copyfile(d.log, "%s-%s.log" % (self.keep_log, d.node.name))
        if getattr(self, "watch", None):
            self.watch.stop()
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.janitor, 0)
        for d in self.daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                d.proc.wait(5)
        if getattr(self, "sink", None):
            self.sink.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind and os.environ.get("HFLAB_TELL"):  # where files do not outlive the test, as in the VM
            for d in self.daemons:
                with contextlib.suppress(OSError):
                    print("    [%s]\n      %s" % (d.node.name, d.read_log()[-int(os.environ["HFLAB_TELL"]):].replace("\n", "\n      ")), flush=True)
        self.close()


def need_root():
    if os.geteuid() != 0:
        sys.exit("this lane makes network namespaces and needs root")
    if not shutil.which("ip"):
        sys.exit("this lane needs iproute2 (command ip)")
