"""IPVS by SNMP against a real ip_vs: what holdfast-snmp says of services and servers, counters and rates, is what the kernel, ipvsadm and
holdctl say; of the sync daemon and the time-outs it is what the incumbent's own sub-agent says.
"""
import os
import re
import shutil
import subprocess
import threading
import time

from case import case, check, equal, need_ours
from lab import Skip, run, servers, watch
from lab.lan import VIP, Lan
from lvs_conf import server, service, whole

KA = ".1.3.6.1.4.1.9586.100.5"
VS, RS = KA + ".3.3.1.", KA + ".3.4.1."
SYNC = (KA + ".3.6", KA + ".3.7", KA + ".2.3.1.16", KA + ".2.3.1.17")
LINE = re.compile(r"^(\.[\d.]+) = (?:([\w-]+): )?(.*)$")
INSTANCE = """vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    virtual_ipaddress {
        10.77.0.222/24
    }
}
"""
GLOBAL = """    enable_snmp_checker
    enable_snmp_vrrp
    snmp_socket unix:%s/agentx
    snmp_vs_stats_update_interval 1
    snmp_rs_stats_update_interval 1
    lvs_sync_daemon eth0 VI_1 id 7 maxlen 1400 port 8850 ttl 3 group 224.0.0.99
    lvs_timeouts tcp 700 tcpfin 60 udp 200
"""
# where the MIB has them, of the service and of each server: connections, packets in and out, bytes in and out; the rates of the same;
# the first three in 64 bits; the rates in halves, the lower one first
PLACES = ((VS, "1", range(27, 32), range(32, 37), range(38, 41), range(41, 51)),
          (RS, "1.1", (14, 18, 19, 20, 21), range(22, 27), range(27, 30), range(30, 40)),
          (RS, "1.2", (14, 18, 19, 20, 21), range(22, 27), range(27, 30), range(30, 40)))
COUNTS, RATES, WIDE, HALVES = 2, 3, 4, 5


class Snmp:
    """snmpd on the director, and holdfast-snmp when the daemon is ours."""

    def __init__(self, lan):
        self.lan, self.dir, self.procs = lan, lan.root, []
        with open(self.dir + "/snmpd.conf", "w") as f:
            f.write("master agentx\nagentXSocket unix:%s/agentx\nagentXPerms 0666 0755\nagentaddress udp:127.0.0.1:1161\nrwcommunity public\n"
                    % self.dir)
        self.run("snmpd", "-f", "-Lf", self.dir + "/snmpd.log", "-C", "-c", self.dir + "/snmpd.conf")
        lan.wait(lambda: os.path.exists(self.dir + "/agentx"), 60, "snmpd")

    def run(self, *argv, pre=()):
        with open(self.dir + "/snmp.err", "ab") as log:
            self.procs.append(subprocess.Popen([*(pre or ("ip", "netns", "exec", self.lan.lb.ns)), *argv], stdin=subprocess.DEVNULL,
                                               stdout=subprocess.DEVNULL, stderr=log))

    def agent(self, lane, d):
        """Not before the daemon answers: it is in its own namespaces only a while after it was started, and nsenter takes what is there."""
        self.lan.wait(lambda: os.path.exists("/proc/%d/root/run/holdfast/status" % d.pid) and d.role("checkd"), 60, "the daemon's socket")
        self.run(os.path.join(os.path.dirname(lane.daemon[0]), "holdfast-snmp"), pre=("nsenter", "-t", str(d.pid), "-m", "-n"))

    def ask(self, tool, *argv):
        out = {}
        for line in run("ip", "netns", "exec", self.lan.lb.ns, tool, "-v2c", "-c", "public", "-m", "", "-On", "-Oe", "-t", "5",
                        "127.0.0.1:1161", *argv, check=False).stdout.splitlines():
            m = LINE.match(line)
            if m and "No " not in m.group(3):
                out[m.group(1)] = m.group(3).strip('"')
        return out

    def walk(self, *roots):
        return {k: v for root in roots for k, v in self.ask("snmpbulkwalk", root).items()}

    def cells(self, *kinds):
        """Of the service and of each server the columns of these kinds: one question."""
        names = [["%s%d.%s" % (p[0], c, p[1]) for kind in kinds for c in p[kind]] for p in PLACES]
        got = self.ask("snmpget", *(x for row in names for x in row))
        return [[int(got.get(x, "-1")) for x in row] for row in names]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for p in self.procs:
            p.kill()
            p.wait()
        if kind:
            with open(self.dir + "/snmp.err", errors="replace") as f:
                print("    [snmp]\n      %s" % f.read()[-2000:].replace("\n", "\n      "), flush=True)


def rows(text):
    """ipvsadm's numbers, of the service and of each server."""
    return [[int(x) for x in line.split()[-5:]] for line in text.splitlines()[3:]]


def kernel(lan, what):
    return rows(run("ip", "netns", "exec", lan.lb.ns, "ipvsadm", "-Ln", what, "--exact").stdout)


def totals(lan):
    """The namespace's own: it has one service."""
    with watch.in_netns(lan.lb.ns), open("/proc/thread-self/net/ip_vs_stats") as f:
        return [int(x, 16) for x in f.read().splitlines()[2].split()]


def page(lan):
    with lan.connect() as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while s.recv(65536):
            pass


def same_rates(lan, m):
    """While requests come: a set of rates in the MIB, none of the service's zero, that is one the kernel had. It."""
    seen, done, most = [], threading.Event(), [0] * 5

    def ask():
        while not done.is_set():
            page(lan)
            done.wait(0.2)
    client = threading.Thread(target=ask)
    client.start()
    try:
        end = time.monotonic() + 60
        while len(seen) < 60 and time.monotonic() < end and not (len(seen) > 4 and min(most) > 0):
            seen.append(kernel(lan, "--rate"))
            got = m.cells(RATES, HALVES)
            plain = [row[:5] for row in got]
            equal([row[5::2] for row in got], plain, "lower halves of the rates")
            equal([row[6::2] for row in got], [[0] * 5] * 3, "upper halves of the rates")
            seen.append(kernel(lan, "--rate"))
            if plain in seen:
                most = max(most, plain[0])
    finally:
        done.set()
        client.join()
    check(min(most) > 0, "no rates of the MIB that the kernel had: the last are %s, not one of %s", plain, seen[-6:])
    return most


def settled(lan):
    """The kernel adds up what each processor counted every 2 s."""
    was = kernel(lan, "--stats")
    time.sleep(3)
    return kernel(lan, "--stats") == was and [sum(x) for x in zip(*was[1:])] == was[0] == totals(lan)


def same_counts(lan, lane, m, d):
    """Nobody asks any more: the MIB, /proc, ipvsadm and holdctl say the same."""
    lan.wait(lambda: settled(lan), 60, "the kernel's sums")
    lan.wait(lambda: m.cells(COUNTS) == kernel(lan, "--stats"), 60, "the kernel's figures")
    got, wide = m.cells(COUNTS), m.cells(WIDE)
    equal(wide, [row[:3] for row in got], "64 bits")
    check(got[0] == totals(lan) and min(min(x) for x in got) > 0, "figures %s", got)
    holdctl = os.path.join(os.path.dirname(lane.daemon[0]), "holdctl")
    told = run(holdctl, "-s", "/proc/%d/root/run/holdfast/status" % d.pid, "ipvs", "--stats", "--exact").stdout
    equal(rows(told), got, "holdctl ipvs --stats")
    return got[0]


def theirs(lan, body):
    """What the incumbent's sub-agent says of the same file."""
    os.unlink(lan.root + "/agentx")
    with Snmp(lan) as m:
        lan.lb.start(["keepalived"], body, args=("-x", "-A", "unix:%s/agentx" % lan.root))
        lan.wait(lambda: len(m.walk(RS + "6")) == 2 and m.walk(SYNC[2]), 60, "the incumbent's tables")
        return m.walk(*SYNC)


@case("lvs-snmp", limit=600)
def snmp(lane):
    """KEEPALIVED-MIB's counters and rates of services and servers are the kernel's; sync daemon and time-outs as the incumbent says them"""
    need_ours(lane)
    if not all(shutil.which(x) for x in ("snmpd", "snmpbulkwalk", "snmpget")):
        raise Skip("no snmpd here: run test/deps")
    with Lan(servers=2) as lan:
        lan.behind("nat")
        for r in lan.reals:
            servers.nginx(lan.nodes[r], r)
        body = whole(service(VIP + " 80", *(server("10.77.0.10%d 80" % n) for n in (1, 2))), INSTANCE, extra=GLOBAL % lan.root)
        with Snmp(lan) as m:
            d = lan.lb.start(lane.daemon, body)
            m.agent(lane, d)
            lan.wait(lambda: list(m.walk(RS + "6").values()) == ["1", "1"], 60, "two servers in the MIB, both up")
            most = same_rates(lan, m)
            got = same_counts(lan, lane, m, d)
            held = [lan.connect() for _ in range(2)]  # now: nginx has a minute's patience with a client that says nothing
            lan.wait(lambda: {k.rsplit(".", 1)[1]: v for k, v in m.walk(RS + "15").items()} == {"1": "1", "2": "1"}, 40, "the active connections")
            ours = m.walk(*SYNC)
            for s in held:
                s.close()
        d.proc.terminate()
        d.proc.wait(60)
        text = "%d connections, %d bytes out, up to %d packets/s in" % (got[0], got[4], most[1])
        if not shutil.which("keepalived"):
            return text
        want = theirs(lan, body)
        equal(ours, want, "sync daemon and time-outs")
        return "%s, %d cells as the incumbent's" % (text, len(want))
