"""SNMP: a real snmpd, the sub-agent beside the daemon, real walks and notifications; what they say is what holdctl says."""
import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import time

from case import case, check
from lab import conf, run
from metrics import SERVICE, beside, listen, socket_of, status_of

KA = ".1.3.6.1.4.1.9586.100.5"
V2, V3 = ".1.3.6.1.2.1.68", ".1.3.6.1.2.1.207"
VI, VS, RS = KA + ".2.3.1.", KA + ".3.3.1.", KA + ".3.4.1."
STATES = {"INIT": 0, "BACKUP": 1, "MASTER": 2, "FAULT": 3}
LINE = re.compile(r"^(\.[\d.]+) = (?:([\w-]+(?: [\w-]+)?): )?(.*)$")


def need():
    for tool in ("snmpd", "snmpbulkwalk", "snmptrapd"):
        check(shutil.which(tool) or os.path.exists("/usr/sbin/" + tool), "no %s: run test/deps", tool)
    check(run("getent", "passwd", "_holdfast_snmp", check=False).returncode == 0, "no user _holdfast_snmp: run test/deps")


def value(kind, text):
    if kind in ("INTEGER", "Gauge32", "Counter32", "Counter64"):
        return int(text)
    if kind == "Hex-STRING":
        return bytes.fromhex(text.replace(" ", ""))
    if kind == "Timeticks":
        return int(re.match(r"\((\d+)\)", text).group(1))
    return text.strip('"')


class Master:
    """snmpd, snmptrapd and holdfast-snmp for one daemon."""

    def __init__(self, lane, lab, d, more=(), traps=True):
        need()
        self.lane, self.lab, self.d, self.more = lane, lab, d, more
        self.ns, self.base = d.node.ns, "%s/%s" % (lab.root, d.node.name)
        self.sock, self.log = self.base + ".agentx", self.base + ".traps"
        with open(self.base + ".conf", "w") as f:
            f.write("master agentx\nagentXSocket unix:%s\nagentXPerms 0666 0755\nagentaddress udp:127.0.0.1:1161\n"
                    "rwcommunity public\ntrap2sink 127.0.0.1:1162 public\n" % self.sock)
        with open(self.base + ".trapd", "w") as f:
            f.write("disableAuthorization yes\n")
        self.procs = {}
        self.snmpd()
        if traps:
            self.spawn("trapd", "snmptrapd", "-f", "-On", "-Oe", "-m", "", "-Lf", self.log, "-C", "-c", self.base + ".trapd", "udp:127.0.0.1:1162")
        self.agent()

    def spawn(self, name, *argv):
        self.procs[name] = subprocess.Popen(["ip", "netns", "exec", self.ns, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL)

    def snmpd(self):
        self.spawn("snmpd", "snmpd", "-f", "-Lf", self.base + ".snmpd", "-C", "-c", self.base + ".conf")
        self.lab.wait(lambda: os.path.exists(self.sock), 10, "snmpd's socket", 0.1)

    def agent(self):
        self.procs["agent"] = subprocess.Popen(["nsenter", "-t", str(self.d.pid), "-m", "-n", beside(self.lane, "holdfast-snmp"), *self.more],
                                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.procs.values():
            p.kill()
            p.wait()

    def ask(self, tool, *argv):
        return run("ip", "netns", "exec", self.ns, tool, "-v2c", "-c", "public", "-m", "", "-On", "-Oe", "-t", "3", "-r", "1", "127.0.0.1:1161",
                   *argv, check=False)

    def walk(self, root, tool="snmpbulkwalk"):
        out = {}
        for line in self.ask(tool, root).stdout.splitlines():
            m = LINE.match(line)
            if m and "No Such" not in m.group(3) and "No more" not in m.group(3):
                out[m.group(1)] = value(m.group(2), m.group(3))
        return out

    def until(self, root, timeout=15):
        return self.lab.wait(lambda: self.walk(root), timeout, "something below " + root, 0.3)

    def traps(self, oid):
        """Notifications with this identifier: {object: value} each."""
        out = []
        with open(self.log) as f:
            for line in f:
                pairs = [LINE.match(x) for x in line.rstrip("\n").split("\t")]
                got = {m.group(1): m.group(3) if m.group(2) == "OID" else value(m.group(2), m.group(3)) for m in pairs if m}
                if got.get(".1.3.6.1.6.3.1.1.4.1.0") == oid:
                    out.append(got)
        return out


def show(lane, d, topic):
    return json.loads(run(beside(lane, "holdctl"), "-s", socket_of(d), "--json", "show", topic).stdout)


def text(*words, **kw):
    return conf.whole("global_defs {\n%s}\n" % "".join("    %s\n" % w for w in words), conf.instance(**{"interval": 0.2, **kw}))


EVERYTHING = ("router_id lab", "enable_snmp_vrrp", "enable_snmp_rfc", "enable_snmp_checker", "enable_traps")


def on(lab, node, *words):
    return (*words, "snmp_socket unix:%s/%s.agentx" % (lab.root, node))


@case("snmp-vrrp", "KEEPALIVED-MIB, VRRP-MIB, VRRPV3-MIB: states, priorities, addresses, counters as holdctl has them; nothing can be set", limit=90)
def vrrp(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(*on(lab, "a", *EVERYTHING), priority=200, version=2, interval=1))
        lab.wait_master("a", conf.VIPS)
        with Master(lane, lab, d) as m:
            m.until(V3)
            got, j = m.walk(KA), show(lane, d, "vrrp")
            i, link = j["vrrp_instances"][0], {x["name"]: x["ifindex"] for x in j["interfaces"]}["eth0"]
            check(got.keys() == m.walk(KA, "snmpwalk").keys(), "GETBULK and GETNEXT differ")
            for column, want in ((2, i["name"]), (3, i["vrid"]), (4, STATES[i["state"]]), (5, 1), (7, i["base_priority"]), (8, i["priority"]), (9, 1),
                                 (10, "eth0"), (12, 1), (13, 1), (30, 2)):
                check(got.get(VI + "%d.1" % column) == want, "column %d: %r, not %r", column, got.get(VI + "%d.1" % column), want)
            addresses = sorted(str(ipaddress.ip_address(v)) for k, v in got.items() if k.startswith(KA + ".2.6.1.3."))
            check(addresses == sorted(i["address"]) == sorted(conf.VIPS), "addresses %s", addresses)
            check(got[KA + ".1.2.0"] == "lab", "router id %s", got[KA + ".1.2.0"])
            row = ".%d.%d" % (link, i["vrid"])
            got = m.walk(V2)
            for column, want in ((3, 3), (5, 200), (6, len(conf.VIPS)), (7, i["source"]), (8, i["source"]), (11, 1), (12, 1), (15, 1)):
                check(got.get(V2 + ".1.3.1.%d%s" % (column, row)) == want, "VRRP-MIB column %d: %r", column, got.get(V2 + ".1.3.1.%d%s" % (column, row)))
            check(got[V2 + ".1.3.1.2" + row] == bytes([0, 0, 0x5e, 0, 1, i["vrid"]]), "virtual MAC")
            check({k.split(row + ".")[1] for k in got if k.startswith(V2 + ".1.4.1.2" + row)} == set(conf.VIPS), "associated addresses")
            check(got[V2 + ".2.4.1.1" + row] == i["became_master"] == 1 and got[V2 + ".2.4.1.2" + row] == 0, "statistics")
            got, row = m.walk(V3), row + ".1"
            check(got[V3 + ".1.1.1.1.3" + row] == ipaddress.ip_address(i["source"]).packed and got[V3 + ".1.1.1.1.9" + row] == 100, "VRRPV3-MIB")
            check(got[V3 + ".1.2.5.1.2" + row] == 3 and got[V3 + ".1.1.1.1.12" + row] > 0, "reason and uptime")
            want = {V3 + ".1.1.2.1.2%s.4.%s" % (row, a) for a in conf.VIPS}
            check(want == {k for k in got if k.startswith(V3 + ".1.1.2.")}, "associated addresses %s", sorted(got))
            p = m.ask("snmpset", VI + "7.1", "i", "1")
            check(p.returncode != 0 and m.walk(VI + "7") == {VI + "7.1": 200}, "it was set: %s", p.stdout)
            check("No Such" in m.ask("snmpget", VI + "7.99").stdout, "an instance that is not there")
            st = status_of(m.procs["agent"].pid)
            check(st["Uid"].split()[0] != "0" and int(st["CapPrm"], 16) == 0 and st["Seccomp"].strip() == "2" and st["NoNewPrivs"].strip() == "1", "no jail")


@case("snmp-traps", "a fail-over is told by all three MIBs; the sub-agent and snmpd killed: the daemon does not notice, and both come back", limit=120)
def traps(lane):
    with lane.lab("ab") as lab:
        a = lab.a.start(lane.daemon, text(priority=200, version=2, interval=1))
        lab.wait_master("a", conf.VIPS)
        b = lab.b.start(lane.daemon, text(*on(lab, "b", *EVERYTHING), priority=100, version=2, interval=1))
        with Master(lane, lab, b) as m:
            lab.wait(lambda: m.walk(VI + "4").get(VI + "4.1") == 1, 15, "BACKUP", 0.3)
            time.sleep(1)
            check(not m.traps(KA + ".2.10.0.2"), "told what was before: %s", m.traps(KA + ".2.10.0.2"))
            a.kill_all()
            lab.wait_master("b", conf.VIPS)
            got = lab.wait(lambda: m.traps(KA + ".2.10.0.2"), 10, "vrrpInstanceStateChange", 0.2)
            check(len(got) == 1 and got[0][VI + "2"] == "VI_1" and got[0][VI + "4"] == 2 and got[0][VI + "5"] == 1 and got[0][KA + ".1.2.0"] == "lab",
                  "KEEPALIVED-MIB says %s", got)
            source = show(lane, b, "vrrp")["vrrp_instances"][0]["source"]
            two = lab.wait(lambda: m.traps(V2 + ".0.1"), 5, "vrrpTrapNewMaster", 0.2)
            check(len(two) == 1 and source in two[0].values(), "VRRP-MIB says %s", two)
            three = lab.wait(lambda: m.traps(V3 + ".0.1"), 5, "vrrpv3NewMaster", 0.2)
            check(len(three) == 1 and ipaddress.ip_address(source).packed in three[0].values() and
                  [v for k, v in three[0].items() if k.startswith(V3 + ".1.2.5.1.2.")] == [3], "VRRPV3-MIB says %s", three)
            before = [b.role(r) for r in ("vrrpd", "ipvsd")]
            m.procs["agent"].kill()
            m.procs["agent"].wait()
            time.sleep(2.5)
            check([b.role(r) for r in ("vrrpd", "ipvsd")] == before and lab.b.addresses(), "the daemon noticed")
            sent = lab.adverts("b")[-3:]
            check(all(0.9 < (y.ts - x.ts) / 1e9 < 1.3 for x, y in zip(sent, sent[1:])), "adverts are late")
            check(not m.walk(KA), "who answers?")
            m.agent()
            m.until(VI + "4")
            m.procs["snmpd"].kill()
            m.procs["snmpd"].wait()
            os.unlink(m.sock)
            m.snmpd()
            m.until(VI + "4", 30)
            check(m.procs["agent"].poll() is None, "the sub-agent ended with snmpd")
            b.kill_all()
            lab.wait(lambda: not m.walk(VI + "4"), 15, "nobody's states are not shown", 0.3)
            check(m.procs["agent"].poll() is None, "the sub-agent ended with the daemon")


@case("snmp-checks", "virtual and real servers, their verdicts, quorum and weights; notifications of both", limit=90)
def checks(lane):
    with lane.lab("a") as lab:
        listen(lab.a, 8080)
        body = text(*on(lab, "a", *EVERYTHING), priority=200, interval=0.2) + SERVICE.replace("quorum 2", "quorum 4\n    snmp_name web")
        d = lab.a.start(lane.daemon, body)
        lab.wait_master("a", conf.VIPS)
        with Master(lane, lab, d) as m:
            lab.wait(lambda: m.walk(RS + "6") == {RS + "6.1.1": 1, RS + "6.1.2": 2}, 20, "one server up, one down", 0.3)
            got, j = m.walk(KA + ".3"), show(lane, d, "lvs")
            v = j["lvs_services"][0]
            for column, want in ((2, 2), (6, ipaddress.ip_address("10.77.0.200").packed), (7, 80), (8, 1), (9, 1), (10, 1), (20, v["servers"]),
                                 (21, v["servers_alive"]), (22, v["quorum"]), (23, 1 if v["state"] == "UP" else 2), (71, "web")):
                check(got.get(VS + "%d.1" % column) == want, "virtual server, column %d: %r, not %r", column, got.get(VS + "%d.1" % column), want)
            for n, s in enumerate(j["lvs_servers"], 1):
                check(got[RS + "5.1.%d" % n] == int(s["name"].rsplit(":", 1)[1]) and got[RS + "7.1.%d" % n] == s["weight"] and
                      got[RS + "13.1.%d" % n] == s["checks_failing"], "real server %d", n)
            listen(lab.a, 8081)
            up = lab.wait(lambda: [t for t in m.traps(KA + ".3.5.0.1") if t[RS + "6"] == 1], 20, "realServerStateChange: alive", 0.3)[-1]
            check(up[RS + "5"] == 8081 and up[VS + "7"] == 80 and up[VS + "21"] == 2 and up[VS + "20"] == 2, "it says %s", up)
            lab.wait(lambda: m.walk(RS + "6.1.2") == {RS + "6.1.2": 1}, 10, "up in the table", 0.3)
            met = lab.wait(lambda: [t for t in m.traps(KA + ".3.5.0.2") if t[VS + "23"] == 1], 10, "virtualServerQuorumStateChange: met", 0.3)[-1]
            check(met[VS + "22"] == 4 and met[VS + "21"] == 2 and met[VS + "7"] == 80, "it says %s", met)


@case("snmp-keywords", "what is shown is what the configuration says: nothing, one MIB after a reload, and -x for all of it", limit=90)
def keywords(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(*on(lab, "a"), priority=200))
        lab.wait_master("a", conf.VIPS)
        with Master(lane, lab, d, traps=False) as m:
            time.sleep(3)
            check(m.procs["agent"].poll() is None and not m.walk(KA) and not m.walk(V2) and not m.walk(V3), "shown without being asked to")
            d.reload(text(*on(lab, "a", "enable_snmp_rfcv3"), priority=200))
            m.until(V3)
            check(not m.walk(KA) and not m.walk(V2), "more than enable_snmp_rfcv3 says")
            d.reload(text(*on(lab, "a", "enable_snmp_vrrp"), priority=150))
            lab.wait(lambda: m.walk(VI + "7") == {VI + "7.1": 150}, 15, "the new priority", 0.3)
            lab.wait(lambda: not m.walk(V3), 10, "VRRPV3-MIB gone", 0.3)
            check(not m.walk(KA + ".3"), "check(3) without enable_snmp_checker")
            d.reload(text("snmp_socket unix:%s/elsewhere" % lab.root, priority=150))
            lab.wait(lambda: m.procs["agent"].poll() is not None, 15, "its end: another socket", 0.2)
            check(m.procs["agent"].returncode == 0, "status %d", m.procs["agent"].returncode)
            m.more = ("-x", "-A", "unix:" + m.sock)
            m.agent()
            m.until(V3)
            check(m.walk(KA) and m.walk(KA + ".2"), "-x does not show all")
            m.procs["agent"].send_signal(signal.SIGTERM)
            check(m.procs["agent"].wait(5) in (0, -signal.SIGTERM), "SIGTERM")
