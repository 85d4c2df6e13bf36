"""What only a stock Debian kernel can show: VLAN, VRF and dummy interfaces, and the jail on the kernel users have. Runs inside
the VM of vmrun, where everything is about ten times slower: it looks at states, never at milliseconds.
"""
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/test")
from lab import Failure, Lab, conf  # noqa: E402
from lab.house import run  # noqa: E402
from lab import report  # noqa: E402

DAEMON = [sys.argv[1] if len(sys.argv) > 1 else ROOT + "/build/holdfast"]
VIP = conf.VIPS[0]


def holds(lab, node, addr, dev):
    out = run("ip", "-n", lab.nodes[node].ns, "-o", "addr", "show", "dev", dev, check=False).stdout
    return " %s/" % addr in out


def failover_on(lab, dev):
    """a becomes master on dev, dies whole, b takes over on dev."""
    for node, priority in (("a", 200), ("b", 100)):
        lab.nodes[node].start(DAEMON, conf.whole(conf.instance(priority=priority, vips=[VIP], interface=dev)))
        lab.wait(lambda n=node: n == "b" or holds(lab, n, VIP, dev), 30, "the VIP on %s of %s" % (dev, node))
    time.sleep(3)
    if holds(lab, "b", VIP, dev):
        raise Failure("two masters: adverts do not cross " + dev)
    lab.a.daemon.kill_all()
    lab.wait(lambda: holds(lab, "b", VIP, dev), 30, "take-over on " + dev)


def vlan():
    """VRRP and VIP on a tagged interface; master dies, backup takes over"""
    with Lab("ab") as lab:
        for n in lab.nodes.values():
            n.batch("link add link eth0 name eth0.10 type vlan id 10\nlink set eth0.10 up\naddr add 10.10.0.%d/24 dev eth0.10" % n.index)
        failover_on(lab, "eth0.10")


def vrf():
    """VRRP on an interface enslaved to a VRF; master dies, backup takes over"""
    with Lab("ab") as lab:
        for n in lab.nodes.values():
            n.batch("link add blue type vrf table 10\nlink set blue up\nlink set eth0 master blue")
        failover_on(lab, "eth0")


def dummy():
    """a VIP with dev dummy0 comes with mastership and goes with SIGTERM"""
    with Lab("a") as lab:
        lab.a.batch("link add dummy0 type dummy\nlink set dummy0 up")
        vi = conf.instance(vips=[VIP], extra="virtual_ipaddress_excluded {\n 192.0.2.10/32 dev dummy0\n fd99::1/128 dev dummy0\n}")
        d = lab.a.start(DAEMON, conf.whole(vi))
        lab.wait(lambda: holds(lab, "a", "192.0.2.10", "dummy0") and holds(lab, "a", "fd99::1", "dummy0"), 30, "addresses on dummy0")
        status, _ = d.stop(30)
        if status != 0 or holds(lab, "a", "192.0.2.10", "dummy0") or holds(lab, "a", "fd99::1", "dummy0"):
            raise Failure("left behind, or exit status %d" % status)


def crash():
    """SIGKILL of vrrpd and of ipvsd on this kernel: the address never leaves it"""
    with Lab("a") as lab:
        d = lab.a.start(DAEMON, conf.whole(conf.instance(vips=[VIP])))
        lab.wait(lambda: holds(lab, "a", VIP, "eth0"), 30, "the VIP")
        for role in ("vrrpd", "ipvsd"):
            old = d.role(role)
            since = time.time_ns()
            os.kill(old, signal.SIGKILL)
            lab.wait(lambda o=old, r=role: d.role(r) not in (None, o), 20, "a new " + role)
            lab.wait(lambda s=since: lab.adverts("a", s + 10**9), 20, "an advert after the death of " + role)
            gone = lab.events("addr-", "a", VIP, since)
            if gone:
                raise Failure("the address left the kernel when %s died" % role)


def main():
    for module in ("8021q", "vrf", "dummy", "veth", "bridge", "macvlan"):
        subprocess.run(["modprobe", module], check=False)
    failed = 0
    for test in (vlan, vrf, dummy, crash):
        name = "vm-" + test.__name__
        try:
            test()
            report.line("PASS", name, test.__doc__.strip())
        except (Failure, RuntimeError, OSError) as e:
            failed += 1
            report.line("FAIL", name, str(e))
    probe = os.path.dirname(DAEMON[0]) + "/test/jail-probe"
    jail = subprocess.run([sys.executable, ROOT + "/test/jail/run.py", "--daemon", DAEMON[0], "--probe", probe], check=False,
                          stdout=subprocess.PIPE, text=True)
    for line in jail.stdout.splitlines():  # the same names as on this machine's kernel: told apart
        print(re.sub(r"(PASS|FAIL|SKIP)(\S* )", r"\1\2vm-jail/", line, count=1), flush=True)
    failed += jail.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
