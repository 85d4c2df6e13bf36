"""SNMP: a real snmpd, the sub-agent beside the daemon, real walks and notifications; what they say is what holdctl says."""
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from case import case, check
from lab import Skip, Speaker, conf, run
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
        if traps == "none of ours": # the incumbent is its own sub-agent
            return
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
        with open(self.base + ".agentlog", "ab") as log:
            self.procs["agent"] = subprocess.Popen(["nsenter", "-t", str(self.d.pid), "-m", "-n", beside(self.lane, "holdfast-snmp"), *self.more],
                                                   stdin=subprocess.DEVNULL, stderr=log)

    def said(self):
        with open(self.base + ".agentlog", errors="replace") as f:
            return f.read()

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
            for column, instead in ((7, "holdctl takeover"), (13, "nopreempt"), (27, "no_accept"), (28, "promote_secondaries"),
                                    (29, "linkbeat_use_polling"), (33, "notify_deleted")):
                before = m.walk(VI + str(column))
                time.sleep(1.1) # of the log's lines one a second
                p = m.ask("snmpset", VI + "%d.1" % column, "i", "1")
                check(p.returncode != 0 and "notWritable" in p.stderr and m.walk(VI + str(column)) == before, "it was set: %s", p.stdout + p.stderr)
                check(instead in m.said() and VI[1:] + "%d.1: refused" % column in m.said(), "the log says %s", m.said())
            p = m.ask("snmpset", VI + "7.99", "i", "1")
            check("noCreation" in p.stderr, "an instance that is not there: %s", p.stdout + p.stderr)
            check("No Such" not in m.ask("snmpget", VI + "7.1").stdout, "it answers no more")
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


@case("snmp-refused-adverts", "a wrong password, another kind of authentication, a wrong TTL: each told once, by the MIB whose business it is", limit=90)
def refused(lane):
    with lane.lab("ab") as lab:
        d = lab.a.start(lane.daemon, text(*on(lab, "a", *EVERYTHING), priority=200, version=2, interval=1, auth="right"))
        lab.wait_master("a", conf.VIPS)
        with Master(lane, lab, d) as m:
            m.until(VI + "4")
            time.sleep(3)
            check(not m.traps(V2 + ".0.2"), "told what nobody did")
            for key, kind in (("wrong", 3), (None, 2)):
                s = Speaker(lab, "b", 1, vips=conf.VIPS, version=2, priority=100, auth=key)
                for _ in range(4):
                    s.once()
                    time.sleep(0.1)
                want = {V2 + ".1.5.0": lab.b.ip, V2 + ".1.6.0": kind}
                got = lab.wait(lambda: [t for t in m.traps(V2 + ".0.2") if t.get(V2 + ".1.6.0") == kind], 15, "vrrpTrapAuthFailure %d" % kind, 0.3)
                time.sleep(2.5)
                got = [t for t in m.traps(V2 + ".0.2") if t.get(V2 + ".1.6.0") == kind]
                check(len(got) == 1 and want.items() <= got[0].items(), "it says %s", got)
                check(not m.traps(V3 + ".0.2"), "that is no protocol error: %s", m.traps(V3 + ".0.2"))
            time.sleep(8) # of one sender not more than one in ten seconds
            s = Speaker(lab, "b", 1, vips=conf.VIPS, version=3, priority=100)
            for _ in range(4):
                s.once()
                time.sleep(0.1)
            got = lab.wait(lambda: m.traps(V3 + ".0.2"), 15, "vrrpv3ProtoError", 0.3)
            check(len(got) == 1 and [v for k, v in got[0].items() if k.startswith(V3 + ".1.2.5.1.6.")] == [2], "it says %s", got)


@case("snmp-master-away", "snmpd away, closed to us, mute, killed, back: the log says it once each time, why and what to do, and is quiet in between",
      limit=120)
def master_away(lane):
    need()
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(*on(lab, "a", *EVERYTHING), priority=200, version=2, interval=1))
        lab.wait_master("a", conf.VIPS)
        with Master(lane, lab, d, traps="none of ours") as m:
            def news(part, timeout=20):
                lab.wait(lambda: part in m.said()[len(before):], timeout, "%r in the log" % part, 0.2)
                return m.said()

            def killed():
                m.procs["snmpd"].kill()
                m.procs["snmpd"].wait()
            killed()
            os.unlink(m.sock)
            m.agent()
            before = ""
            before = news("no master agent at unix:%s (No such file or directory)" % m.sock)
            check('"master agentx"' in before and '"agentXSocket unix:%s"' % m.sock in before, "what to do: %s", before)
            time.sleep(12)  # the library has tried twice more
            check(m.said() == before and before.count("\n") == 1, "it says it again: %s", m.said())
            ear = socket.socket(socket.AF_UNIX)
            with ear:
                ear.bind(m.sock)
                os.chmod(m.sock, 0o600)
                ear.listen(16)
                before = news("agentXPerms 0660 0755 _holdfast_snmp")
                os.chmod(m.sock, 0o666)
                before = news("no AgentX session with the master agent", 60)
            os.unlink(m.sock)
            m.snmpd()
            m.until(VI + "4", 30)
            before = news("connected to the master agent at unix:%s" % m.sock)
            time.sleep(6)
            check(m.said() == before, "it says more: %s", m.said()[len(before):])
            killed()
            before = news("no master agent at unix:%s (Connection refused)" % m.sock)
            time.sleep(7)
            os.unlink(m.sock)
            m.snmpd()
            m.until(VI + "4", 30)
            news("connected to the master agent")
            check("[NIL]" not in m.said() and "Warning" not in m.said(), "the library's own words: %s", m.said())
            return "%d lines" % m.said().count("\n")


@case("snmp-master-stopped", "snmpd stopped for half a minute: the sub-agent lives, says it once, and answers again when snmpd goes on", limit=120)
def master_stopped(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(*on(lab, "a", *EVERYTHING), priority=200, version=2, interval=1))
        lab.wait_master("a", conf.VIPS)
        with Master(lane, lab, d, traps=False) as m:
            m.until(VI + "4")
            m.procs["snmpd"].send_signal(signal.SIGSTOP)
            lab.wait(lambda: "no AgentX session with the master agent" in m.said(), 60, "that there is no session", 0.5)
            time.sleep(10)
            check(m.procs["agent"].poll() is None, "the sub-agent died: %s", m.procs["agent"].poll())
            m.procs["snmpd"].send_signal(signal.SIGCONT)
            m.until(VI + "4", 30)
            check(m.said().count("no AgentX session") == 1 and m.said().count("connected to the master") == 2, "the log: %s", m.said())


ROUTES = """static_ipaddress {
    10.78.0.5/24 dev eth0
    2001:db8:77::5/64 dev eth0
    10.78.0.6/24 brd 10.78.0.255 dev eth0 label eth0:x
}
static_routes {
    10.80.1.0/24 dev eth0 no_track protocol static
    10.80.6.0/24 dev eth0 realms 9
    10.80.7.0/24 dev eth0 scope 200 ssthresh lock 7 dsfield 8
    default6 via 2001:db8:77::9 dev eth0 table 57
    10.90.0.0/24 via 10.77.0.99 dev eth0
    10.90.1.0/24 dev eth0
    unreachable 10.90.3.0/24
    prohibit 10.90.4.0/24 metric 9
    throw 10.90.5.0/24 table 55
    blackhole 10.90.6.0/24
    10.90.7.0/24 nexthop via 10.77.0.98 dev eth0 weight 3 nexthop via 10.77.0.99 dev eth0 weight 5
    10.90.8.0/24 via 10.77.0.99 tos 0x10 realms 3/4
    10.90.9.0/24 via 10.99.9.9 dev eth0 onlink
    10.90.13.0/24 dev eth0 mtu lock 1400 advmss 1300 window 5000 congctl cubic hoplimit 9 reordering 4
    10.90.14.0/24 dev eth0 scope host append
    10.90.15.0/24 dev eth0 rtt 300ms rttvar lock 250ms rto_min 200ms cwnd lock 10 ssthresh 40 initcwnd 11 initrwnd 12 quickack 1 features ecn fastopen_no_cookie 1
    10.90.16.0/24 via 10.77.0.99 dev eth0 src 10.77.0.1
    2001:db8:8::/48 dev eth0 metric 12 pref high
    2001:db8:9::/48 dev eth0 expires 1000
    10.90.20.0/24 encap ip id 5 dst 10.1.1.1 src 10.1.1.2 tos 16 ttl 9 dev eth0
    10.90.21.0/24 nexthop via 10.77.0.98 dev eth0 onlink realms 7/8 nexthop dev eth0 encap ip id 6 dst 10.2.2.2 ttl 8
}
static_rules {
    fwmark 9 table 90 preference 1100
    iif eth0 table 91 preference 1101
    fwmark 8/0xffffffff table 92 preference 1102 suppress_ifgroup 3
    from default table 94 preference 1104
    from 10.91.0.0/24 table 71 preference 1071
    to 10.92.0.0/24 fwmark 0x5/0xff iif eth0 lookup 72 priority 1072
    from all tos 0x10 oif eth0 blackhole preference 1073
    from 10.93.0.0/16 prohibit preference 1074
    from 10.93.1.0/24 unreachable preference 1075
    from 10.94.0.0/16 goto 1080 preference 1076
    from 10.94.0.0/16 nop preference 1080
    not from 10.95.0.0/16 table 73 suppress_prefixlength 24 preference 1081
    from 10.95.0.0/16 table 74 suppress_ifgroup default preference 1082
    from 10.96.0.0/16 table 75 uidrange 5-10 preference 1083
    from 10.97.0.0/16 table 76 ipproto tcp sport 10-20 dport 30-40 preference 1084
    from 10.98.0.0/16 table 77 realms 5/6 preference 1085
    from 10.99.0.0/16 table 80
    from 10.99.0.0/16 tunnel-id 4294967300 table 81 preference 1087
    from 10.99.0.0/16 l3mdev preference 1088
    from 2001:db8:1::/48 table 82
    from 10.1.0.0/16 to 10.2.0.0/16 table 83 preference 1090
}
"""
VIRTUAL = """    virtual_ipaddress_excluded {
        10.77.0.110/24
    }
    virtual_routes {
        10.99.0.0/24 via 10.77.0.250 dev eth0
        10.99.1.0/24 via 10.77.0.251 or 10.77.0.252
        src 10.77.0.100 to 10.99.2.0/24 via 10.77.0.250 dev eth0 metric 5 scope global table 100
    }
    virtual_rules {
        from 10.77.0.100 table 100 priority 1000
        to 10.77.0.100 dev eth0 table main priority 1001
    }"""
TABLES = (KA + ".2.6.1.", KA + ".2.7.1.", KA + ".2.8.1.", KA + ".2.11.1.")
# columns that are a link's number; differ between two laboratories
NUMBERS = (KA + ".2.6.1.7.", KA + ".2.7.1.11.", KA + ".2.11.1.4.")
R, U, N = TABLES[1], TABLES[2], TABLES[3]


def expected(theirs):
    """What ours says for what the incumbent says: the MIB's numbers (keepalived is protocol 112, IP encapsulation 2), the higher half
    of a tunnel id first, and what it leaves out of the MIB's columns."""
    want = {}
    for k, v in theirs.items():
        if k.startswith(R + "18."):
            v = 112 if v == 19 else v
        if k.startswith(R + "46."):
            v -= 1
        want[k] = v
    for n in (i.rsplit(".", 1)[1] for i in theirs if i.startswith(U + "25.0.")):
        want[U + "33.0." + n] = 112
    for n in (i.rsplit(".", 1)[1] for i in theirs if i.startswith(U + "25.1.")):
        want[U + "33.1." + n] = 112
    tunnel = next(k.rsplit(".", 1)[1] for k in theirs if k.startswith(U + "28.0."))
    want[U + "28.0." + tunnel], want[U + "29.0." + tunnel] = 1, 4
    tcp = next(k.rsplit(".", 1)[1] for k, v in theirs.items() if k.startswith(U + "6.0.") and v == 76)
    want.update({U + "%d.0.%s" % (c, tcp): v for c, v in ((34, 6), (35, 10), (36, 20), (37, 30), (38, 40))})
    last = max((k for k in theirs if k.startswith(N + "7.0.")), key=lambda k: [int(x) for x in k[1:].split(".")])
    of = last[len(N + "7.0."):]
    want.update({N + "12.0." + of: 6, N + "13.0." + of: bytes([10, 2, 2, 2]), N + "16.0." + of: 8})
    return want


def walked(lane, program, ours):
    """The four tables of a MASTER with that configuration."""
    with lane.lab("a") as lab:
        lab.a.batch("addr add 2001:db8:77::1/64 dev eth0 nodad")
        body = conf.whole("global_defs {\n    enable_snmp_vrrp\n    snmp_socket unix:%s/a.agentx\n}\n" % lab.root, ROUTES,
                          conf.instance(interval=1, version=2, priority=200, vips=("10.77.0.100",), extra=VIRTUAL))
        if ours:
            d = lab.a.start(program, body)
            master = Master(lane, lab, d, traps=False)
        else:
            node = type("Off", (), {"node": lab.a, "pid": 0})
            master = Master(lane, lab, node, traps="none of ours")
            lab.a.start(program, body)
        with master as m:
            lab.wait(lambda: m.walk(VI + "4").get(VI + "4.1") == 2, 25, "MASTER in the table", 0.3)
            time.sleep(2)
            got = {}
            for t in TABLES:
                got.update(m.walk(t.rstrip(".")))
            return got


@case("snmp-routes", "addresses, routes, paths and rules, virtual and static: cell by cell what the incumbent's own sub-agent says of the same file", limit=150)
def routes(lane):
    if not lane.incumbent:
        raise Skip("no keepalived here")
    need()
    theirs = {k: v for k, v in walked(lane, lane.incumbent, False).items() if not k.startswith(NUMBERS)}
    check(len(theirs) > 500, "the incumbent shows %d cells", len(theirs))
    ours = {k: v for k, v in walked(lane, lane.daemon, True).items() if not k.startswith(NUMBERS)}
    want = expected(theirs)
    wrong = ["%s: %r, not %r" % (k[len(KA):], ours.get(k), want.get(k)) for k in sorted(set(want) | set(ours)) if ours.get(k) != want.get(k)]
    check(not wrong, "%d of %d cells differ: %s", len(wrong), len(want), "; ".join(wrong[:12]))
    return "%d cells" % len(want)
