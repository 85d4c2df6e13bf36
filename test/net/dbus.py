"""D-Bus: holdfast-dbus on a real dbus-daemon with the shipped policy; what it shows is what holdctl says, each change is a signal, and
neither end's death troubles the other."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import xml.etree.ElementTree

from case import case, check, steady
from lab import Failure, Skip, alive, conf, now, run

POLICY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../etc/holdfast-dbus.conf")
SHIPPED = "/usr/share/dbus-1/interfaces/org.keepalived.Vrrp1.%s.xml"  # of Debian's keepalived
NAME = "org.keepalived.Vrrp1"
ROOT = "/org/keepalived/Vrrp1"
VI_1 = ROOT + "/Instance/eth0/51/IPv4"
ON = "    enable_dbus\n"
STATES = {"INIT": (0, "Init"), "BACKUP": (1, "Backup"), "MASTER": (2, "Master"), "FAULT": (3, "Fault"), "STOP": (98, "Stop")}
CONF = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus"/></policy><include>%s</include><include ignore_missing="yes">/etc/dbus-1/system.d/org.keepalived.Vrrp1.conf</include></busconfig>
"""


def beside(lane, name):
    return os.path.join(os.path.dirname(lane.daemon[0]), name)


class Bus:
    """A dbus-daemon of our own with the system bus's rules and our policy, and somebody who hears every signal."""

    def __init__(self, lane):
        for tool in ("dbus-daemon", "busctl", "dbus-send"):
            if not shutil.which(tool):
                raise Skip("no %s here: test/deps installs it" % tool)
        if not os.access(beside(lane, "holdfast-dbus"), os.X_OK):
            raise Skip("holdfast-dbus was left out: no libsystemd-dev when it was built")
        if run("getent", "passwd", "_holdfast_dbus", check=False).returncode:
            raise Failure("no user _holdfast_dbus: run test/deps")
        self.lane, self.programs, self.heard = lane, [], []
        self.dir = tempfile.mkdtemp(prefix="hfbus-")
        os.chmod(self.dir, 0o755)
        self.address = "unix:path=%s/bus" % self.dir
        with open(self.dir + "/conf", "w") as f:
            f.write(CONF % (self.dir, POLICY))
        self.start()

    def start(self):
        self.daemon = subprocess.Popen(["dbus-daemon", "--config-file=" + self.dir + "/conf", "--nofork", "--nopidfile"],
                                       stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while self.busctl("status", status=False).returncode:
            check(time.monotonic() < deadline, "no dbus-daemon")
            time.sleep(0.05)
        self.monitor = subprocess.Popen(["busctl", "--address=" + self.address, "monitor", "--json=short"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self._hear, args=(self.monitor,), daemon=True).start()
        time.sleep(0.3)

    def stop(self):
        for p in (self.daemon, self.monitor):
            p.kill()
            p.wait()
        with contextlib.suppress(OSError):
            os.unlink(self.dir + "/bus")

    def _hear(self, monitor):
        for line in monitor.stdout:
            m = json.loads(line)
            if m.get("type") == "signal" and str(m.get("interface")).startswith(NAME):
                self.heard.append((m["path"], m["member"], m["payload"]["data"] if m["payload"].get("type") else []))

    def said(self, member, path=ROOT + "/Vrrp"):
        """What has been heard so far of one signal of one object."""
        return [data[0] if data else True for p, m, data in self.heard if (p, m) == (path, member)]

    def beside(self, d):
        """holdfast-dbus where this daemon lives. It is gone with the bus."""
        p = subprocess.Popen(["nsenter", "-t", str(d.pid), "-m", "-n", beside(self.lane, "holdfast-dbus"), "-a", self.address],
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.programs.append(p)
        return p

    def busctl(self, *argv, status=True):
        p = run("busctl", "--address=" + self.address, *argv, check=False)
        if status and p.returncode:
            raise Failure("busctl %s: %s" % (" ".join(argv), p.stderr.strip()))
        return p

    def get(self, path=VI_1, prop="State"):
        p = self.busctl("--json=short", "get-property", NAME, path, NAME + ".Instance", prop, status=False)
        return json.loads(p.stdout)["data"] if p.returncode == 0 else None

    def order(self, path, member, user=None):
        interface = NAME + (".Vrrp" if path.endswith("/Vrrp") else ".Instance")
        argv = ["dbus-send", "--bus=" + self.address, "--print-reply", "--dest=" + NAME, path, interface + "." + member]
        return run(*(["setpriv", "--reuid", user, "--clear-groups"] if user else []), *argv, check=False)

    def tree(self):
        return [p for p in self.busctl("tree", "--list", NAME).stdout.split() if p.startswith(ROOT + "/")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.programs:
            p.kill()
            p.wait()
            p.stderr.close()
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def ask(lane, d, *argv):
    return json.loads(run(beside(lane, "holdctl"), "-s", "/proc/%d/root/run/holdfast/status" % d.pid, *argv, "--json").stdout)


def shape(text, interface):
    """What an interface description says: members with their argument types."""
    for node in xml.etree.ElementTree.fromstring(text).iter("interface"):
        if node.get("name") == interface:
            return {(m.tag, m.get("name"), tuple(a.get("type") for a in m.iter("arg"))) for m in node if m.tag in ("method", "signal", "property")}
    return None


@case("dbus-objects", "objects, properties and interfaces: what holdctl says, as keepalived's description has it; orders are refused by name", limit=90)
def objects(lane):
    text = conf.whole(conf.instance(priority=200, interval=0.2), conf.instance("VI_6", 7, 100, interval=0.2, vips=conf.VIPS6),
                      conf.instance("VI_f", 9, 100, interval=0.2, vips=("10.99.0.150",), interface="eth.9-x"), glob=ON)
    with lane.lab("a") as lab, Bus(lane) as bus:
        d = lab.a.start(lane.daemon, text)
        lab.wait_master("a", conf.VIPS)
        p = bus.beside(d)
        lab.wait(lambda: bus.get() == [2, "Master"], 10, "the instance on the bus", 0.1)
        lab.wait(lambda: bus.get(ROOT + "/Instance/eth0/7/IPv6") == [2, "Master"], 10, "the IPv6 instance", 0.1)
        want = {}
        for i in ask(lane, d, "show", "vrrp")["vrrp_instances"]:
            path = "%s/Instance/%s/%d/IPv%d" % (ROOT, re.sub(r"\W", "_", i["interface"]), i["vrid"], i["family"])
            want[path] = ([i["name"]], list(STATES[i["state"]]))
        check(len(want) == 3 and want[ROOT + "/Instance/eth_9_x/9/IPv4"][0] == ["VI_f"], "paths %s", want)
        for path, (name, state) in want.items():
            check((bus.get(path, "Name"), bus.get(path)) == (name, state), "%s: %s %s, not %s %s", path, bus.get(path, "Name"), bus.get(path),
                  name, state)
        tree = bus.tree()
        check({t for t in tree if re.search(r"/(IPv[46]|Vrrp)$", t)} == {*want, ROOT + "/Vrrp"}, "tree %s", tree)
        check(ROOT + "/Instance/eth0/51" in tree, "no nodes between: %s", tree)
        for path, which in ((VI_1, "Instance"), (ROOT + "/Vrrp", "Vrrp")):
            got = shape(bus.busctl("--xml-interface", "introspect", NAME, path).stdout, NAME + "." + which)
            check(got, "%s has no interface %s", path, which)
            if os.path.exists(SHIPPED % which):
                with open(SHIPPED % which) as f:
                    check(shape(f.read(), NAME + "." + which) == got, "%s is not as keepalived describes it: %s", which, got)
        before = ask(lane, d, "status")["daemon"]["generation"]
        for path, member, tool in ((ROOT + "/Vrrp", "ReloadConfig", "holdctl reload"), (ROOT + "/Vrrp", "PrintData", "holdctl show"),
                                   (ROOT + "/Vrrp", "PrintStats", "holdctl metrics"), (VI_1, "SendGarp", "holdctl takeover")):
            o = bus.order(path, member)
            check("org.freedesktop.DBus.Error.AccessDenied" in o.stderr and tool in o.stderr, "%s: %s%s", member, o.stdout, o.stderr)
            o = bus.order(path, member, "nobody")
            check("AccessDenied" in o.stderr and "holdctl" not in o.stderr, "the policy lets everybody through: %s", o.stderr)
        check("UnknownObject" in bus.order(ROOT + "/Instance/eth0/52/IPv4", "SendGarp").stderr, "an object that is not there")
        check(ask(lane, d, "status")["daemon"]["generation"] == before, "it was reloaded")
        with open("/proc/%d/status" % p.pid) as f:
            st = dict(line.split(":\t", 1) for line in f.read().split("\n") if ":\t" in line)
        check(st["Uid"].split()[0] != "0" and int(st["CapEff"], 16) == int(st["CapPrm"], 16) == 0, "not unprivileged: %s", st["Uid"])
        check(st["NoNewPrivs"].strip() == "1" and st["Seccomp"].strip() == "2", "no jail")


@case("dbus-signals", "each change of state is a signal, in order; a reload's new instance appears, without enable_dbus all of it goes", limit=90)
def signals(lane):
    text = conf.whole(conf.instance(priority=100, interval=0.2), glob=ON)
    with lane.lab("ab") as lab, Bus(lane) as bus:
        a = lab.a.start(lane.daemon, text)
        lab.wait_master("a", conf.VIPS)
        bus.beside(a)
        lab.wait(lambda: bus.said("VrrpStatusChange", VI_1) == [2], 10, "the state at the start", 0.1)
        check(bus.said("VrrpStarted") == [True], "VrrpStarted %s", bus.heard)
        first = ask(lane, a, "status")["daemon"]["last_event"]
        b = lab.b.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=0.2)))
        lab.wait_master("b", conf.VIPS)
        b.stop()
        lab.wait(lambda: bus.get() == [2, "Master"], 10, "the way back", 0.1)
        lab.a.cable(False)
        run("ip", "-n", lab.a.ns, "link", "set", "eth0", "down")
        lab.wait(lambda: bus.get() == [3, "Fault"], 10, "the fault", 0.1)
        run("ip", "-n", lab.a.ns, "link", "set", "eth0", "up")
        lab.a.cable(True)
        lab.wait(lambda: bus.get() == [2, "Master"], 10, "the way back from the fault", 0.1)
        told = [STATES[e["to"]][0] for e in ask(lane, a, "events", "--since", str(first))["events"]
                if e["kind"] == "instance" and e["what"] == "state"]
        time.sleep(0.3)
        check(told[:2] == [1, 2] and 3 in told and bus.said("VrrpStatusChange", VI_1) == [2, *told], "signals %s, events %s",
              bus.said("VrrpStatusChange", VI_1), told)
        more = ROOT + "/Instance/eth0/61/IPv4"
        a.reload(conf.whole(conf.instance(priority=100, interval=0.2), conf.instance("VI_2", 61, 100, interval=0.2, vips=("10.77.0.160",)), glob=ON))
        lab.wait(lambda: bus.get(more) == [2, "Master"], 15, "the new instance", 0.1)
        check(bus.said("VrrpReloaded") == [True] and bus.said("VrrpStatusChange", more)[-1:] == [2], "a reload: %s", bus.heard)
        check(bus.said("VrrpStatusChange", VI_1) == [2, *told], "a reload changed nothing, yet: %s", bus.heard)
        a.reload(conf.whole(conf.instance(priority=100, interval=0.2)))
        lab.wait(lambda: NAME not in bus.busctl("list").stdout, 15, "the name gone", 0.1)
        check(bus.said("VrrpStopped") == [True], "VrrpStopped: %s", bus.heard)
        a.reload(conf.whole(conf.instance(priority=100, interval=0.2), glob=ON))
        lab.wait(lambda: bus.get() == [2, "Master"], 15, "it is back", 0.1)
        return "%d signals" % len(bus.heard)


@case("dbus-deaths", "its death is not seen on the wire; it outlives the daemon, vrrpd and the bus, and goes on", limit=120)
def deaths(lane):
    text = conf.whole(conf.instance(priority=200, interval=0.2), glob=ON)
    with lane.lab("a") as lab, Bus(lane) as bus:
        d = lab.a.start(lane.daemon, text)
        lab.wait_master("a", conf.VIPS)
        p = bus.beside(d)
        lab.wait(lambda: bus.get() == [2, "Master"], 10, "the instance on the bus", 0.1)
        before, since = d.processes(), now()
        os.kill(p.pid, signal.SIGKILL)
        p.wait()
        time.sleep(1)
        check(d.processes() == before, "the daemon's processes changed")
        longest = steady(lab, "a", since, 0.2)
        p = bus.beside(d)
        lab.wait(lambda: bus.get() == [2, "Master"], 10, "the next one", 0.1)
        changes = len(bus.said("VrrpStatusChange", VI_1))
        vrrpd = d.role("vrrpd")
        os.kill(vrrpd, signal.SIGKILL)
        lab.wait(lambda: d.role("vrrpd") not in (None, vrrpd), 10, "another vrrpd", 0.1)
        time.sleep(1)
        check(bus.get() == [2, "Master"] and len(bus.said("VrrpStatusChange", VI_1)) == changes, "vrrpd's death was told as a change: %s", bus.heard)
        bus.stop()
        time.sleep(0.5)
        check(alive(p.pid) and d.processes(), "the bus took it along: %s", p.poll())
        bus.start()
        lab.wait(lambda: bus.get() == [2, "Master"], 15, "the way back to the bus", 0.1)
        bus.heard.clear()
        # the daemon is restarted in the place where holdfast-dbus lives: the same mount namespace
        inside = subprocess.Popen(["nsenter", "-t", str(p.pid), "-m", "-n", "sleep", "60"])
        try:
            check(d.stop()[0] == 0, "the stop")
            lab.wait(lambda: bus.said("VrrpStopped") == [True], 10, "VrrpStopped", 0.1)
            lab.wait(lambda: NAME not in bus.busctl("list").stdout, 10, "the name gone", 0.1)
            check(bus.said("VrrpStatusChange", VI_1)[-1:] == [98], "the stop of the instance: %s", bus.heard)
            check(p.poll() is None, "it ended with the daemon: %s", p.poll())
            again = subprocess.Popen(["nsenter", "-t", str(inside.pid), "-m", "-n", *lane.daemon, "-f", d.conf, "-n", "-l", "-D",
                                      "-p", d.pidfile, "-r", d.vrrp_pidfile, "-c", d.check_pidfile],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            try:
                lab.wait(lambda: bus.get() == [2, "Master"], 15, "the daemon's return", 0.1)
                check(bus.said("VrrpStarted") == [True], "VrrpStarted: %s", bus.heard)
            finally:
                again.terminate()
                again.wait(10)
        finally:
            inside.kill()
            inside.wait()
        return "longest gap %.0f ms" % longest


@case("dbus-incumbent", "the same questions to keepalived on a bus of its own have the same answers", limit=90)
def incumbent(lane):
    if not lane.incumbent:
        raise Skip("no keepalived here: apt install keepalived")
    if "DBUS" not in run(lane.incumbent[0], "-v", check=False).stderr:
        raise Skip("this keepalived has no D-Bus")
    text = conf.whole(conf.instance(priority=200, interval=1), glob=ON)
    answers = []
    for cmd in (lane.daemon, lane.incumbent):
        with lane.lab("a") as lab, Bus(lane) as bus:
            d = lab.a.start(cmd, text, env={"DBUS_SYSTEM_BUS_ADDRESS": bus.address} if cmd is lane.incumbent else None)
            lab.wait_master("a", conf.VIPS)
            if cmd is lane.daemon:
                bus.beside(d)
            lab.wait(lambda: bus.get() == [2, "Master"], 15, "the instance", 0.1)
            answers.append((bus.busctl("call", NAME, VI_1, "org.freedesktop.DBus.Properties", "GetAll", "s", NAME + ".Instance").stdout,
                            sorted(bus.tree()), [s[:2] for s in bus.heard if s[1] == "VrrpStatusChange"][-1:]))
    check(answers[0] == answers[1], "ours %s\nkeepalived's %s", *answers)
