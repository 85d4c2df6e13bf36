"""The operator and the kernel's IPVS: holdctl ipvs against the real ipvsadm, a drained server that keeps its connections, and a reload
that is only planned.
"""
import contextlib
import json
import os
import socket
import threading
import time

from case import case, check, equal, need_ours
from lab import run, servers, watch
from lab.lan import VIP, Lan
from lvs_conf import server, service, whole
from lvs_table import timeouts

WEB = "tcp %s:80" % VIP
R1, R2 = "10.77.0.101:80", "10.77.0.102:80"


class Ctl:
    def __init__(self, lane, daemon):
        self.program = os.path.join(os.path.dirname(lane.daemon[0]), "holdctl")
        self.socket = "/proc/%d/root/run/holdfast/control" % daemon.pid

    def __call__(self, *argv, status=0):
        p = run(self.program, "-s", self.socket, *argv, check=False, timeout=120)
        check(p.returncode == status, "holdctl %s: status %d, wanted %d: %s", " ".join(argv), p.returncode, status, p.stdout + p.stderr)
        return p.stdout


def ipvsadm(lan, *argv):
    return run("ip", "netns", "exec", lan.lb.ns, "ipvsadm", *argv).stdout


def same(lan, ctl, ours, theirs, tries=5):
    """Byte for byte; the kernel may count between the two looks."""
    for left in reversed(range(tries)):
        a, b = ipvsadm(lan, *theirs), ctl("ipvs", *ours)
        if a == b or ipvsadm(lan, *theirs) != a and left:
            if a == b:
                return a
            continue
        if left == 0 or a != b:
            break
    check(False, "ipvsadm %s and holdctl ipvs %s differ:\n%s\n%s", " ".join(theirs), " ".join(ours), a, b)


TABLE = (
    service(VIP + " 80", server("10.77.0.101 80", "weight 3"), server("10.77.0.102 80", "weight 10"), scheduler="wlc"),
    service(VIP + " 53", server("10.77.0.101 53"), protocol="UDP", scheduler="rr", method="DR"),
    service(VIP + " 81", "persistence_timeout 50", "persistence_granularity 255.255.255.0", server("10.77.0.101 81"), method="TUN"),
    service(VIP + " 82", "persistence_timeout 360", server("10.77.0.101 82"), scheduler="sh"),
    service(VIP + " 83", "ops", server("10.77.0.101 83"), protocol="UDP"),
    service(VIP + " 84", "flag-1", "flag-2", server("10.77.0.101 84"), scheduler="sh"),
    service("fwmark 7", server("10.77.0.101 0"), server("10.77.0.102 0")),
    service("fd77::200 80", server("fd77::101 80"), server("fd77::102 8080"), method="DR"),
    service("fd77::200 81", "persistence_timeout 60", server("fd77::101 81"), method="DR"),
)


def load(lan, n, port, size):
    """n answers of that size through the service."""
    for _ in range(n):
        with lan.connect(port=port, timeout=30) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            got = 0
            while chunk := s.recv(1 << 18):
                got += len(chunk)
            check(got >= size, "an answer of %d bytes", got)


@case("lvs-holdctl-ipvs", limit=600)
def listing(lane):
    """holdctl ipvs, --stats, --rate, --connection, --exact: byte for byte what ipvsadm -Ln prints, counters past a million included"""
    need_ours(lane)
    with Lan(servers=2) as lan:
        lan.modprobe("ip_vs_sh", "ip_vs_wlc", "ip_vs_rr")
        lan.behind("nat")
        big = 3 << 20
        stop = threading.Event()
        with watch.in_netns(lan.r1.ns):
            ears = [socket.create_server(("10.77.0.101", 80), backlog=64)]
        with watch.in_netns(lan.r2.ns):
            ears.append(socket.create_server(("10.77.0.102", 80), backlog=64))

        def serve(ear):  # ends with the lab
            while not stop.is_set():
                try:
                    s, _ = ear.accept()
                except OSError:
                    return
                with s, contextlib.suppress(OSError):  # those that are only held never ask
                    s.recv(4096)
                    s.sendall(b"x" * big)
        for ear in ears:
            threading.Thread(target=serve, args=(ear,), daemon=True).start()
        d = lan.lb.start(lane.daemon, whole(*TABLE))
        ctl = Ctl(lane, d)
        lan.wait(lambda: len(lan.table().services()) == len(TABLE) and all(s.servers for s in lan.table().services().values()), 60, "the table")
        for ours, theirs in (((), ("-Ln",)), (("--stats",), ("-Ln", "--stats")), (("--rate",), ("-Ln", "--rate"))):
            same(lan, ctl, ours, theirs)
        load(lan, 4, 80, big)
        held = [lan.connect() for _ in range(3)]
        time.sleep(1)
        for ours, theirs in (((), ("-Ln",)), (("--stats",), ("-Ln", "--stats")), (("--stats", "--exact"), ("-Ln", "--stats", "--exact"))):
            text = same(lan, ctl, ours, theirs)
        lan.wait(lambda: ipvsadm(lan, "-Ln", "--rate") == ctl("ipvs", "--rate"), 60, "equal rates")
        conns = lan.wait(lambda: (lambda a, b: a if a == b else None)(ipvsadm(lan, "-Lnc"), ctl("ipvs", "--connection")), 60, "equal connections")
        check("ESTABLISHED" in conns, "no connection listed: %s", conns)
        doc = json.loads(ctl("ipvs", "--json"))
        equal(len(doc["services"]), len(TABLE), "services in JSON")
        equal(sum(x["active"] for s in doc["services"] for x in s["servers"]), 3, "active connections in JSON")
        check(len(json.loads(ctl("ipvs", "--connection", "--json"))["connections"]) >= 3, "connections in JSON")
        for s in held:
            s.close()
        stop.set()
        for ear in ears:
            ear.close()
        return text.split("\n")[3]


@case("lvs-drain", limit=400)
def drain(lane):
    """a drained server gets no new connection and loses none, over crashes and a reload; --until idle sees the last one end"""
    need_ours(lane)
    with Lan(servers=2) as lan:
        lan.behind("nat")
        for i, r in enumerate(lan.reals):
            servers.nginx(lan.nodes[r], r)
        text = whole(service(VIP + " 80", server("10.77.0.101 80"), server("10.77.0.102 80")))
        d = lan.lb.start(lane.daemon, text)
        ctl = Ctl(lane, d)
        lan.wait_servers(WEB, {R1: 1, R2: 1})
        with watch.in_netns(lan.r1.ns):
            ear = socket.create_server(("10.77.0.101", 81))
        held = [lan.connect() for _ in range(4)]
        ctl("drain", R1)
        lan.wait_servers(WEB, {R1: 0, R2: 1})
        equal(set(lan.shares(12)), {"r2"}, "who answers new clients")
        check("active connections are left" in ctl("drain", R1, "--until", "idle", "--deadline", "2s", status=4), "idle with open connections")
        for role in ("checkd", "ipvsd"):
            lan.crash(d, role, 30)
        d.reload(text + "\n")
        time.sleep(3)
        equal(lan.table().servers(WEB), {R1: 0, R2: 1}, "the table after crashes and a reload")
        equal(set(lan.shares(8)), {"r2"}, "who answers after crashes and a reload")
        for s in held:  # those of the drained one work to the end
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            check(b"200" in s.recv(65536), "a connection was lost")
            s.close()
        check("idle after" in ctl("drain", R1, "--until", "idle", "--deadline", "120s"), "not idle")
        d.write(whole(service(VIP + " 80", server("10.77.0.101 80"), server("10.77.0.102 80", "weight 5")), service(VIP + " 81", server("10.77.0.101 81"))))
        plan = ctl("reload", "--plan")
        check("add service" in plan and ":81" in plan and "weight 1 -> 5" in plan, "planned: %s", plan)
        equal(lan.table().servers(WEB), {R1: 0, R2: 1}, "the table after a plan")
        ctl("enable", R1)
        lan.wait_servers(WEB, {R1: 1, R2: 1})
        equal(set(lan.shares(8)), {"r1", "r2"}, "who answers when it is enabled")
        ear.close()


@case("lvs-plan", alone=True)
def planned(lane):
    """reload --plan names the sync daemons that will stop and start and each time-out that will change, and does none of it; the reload does"""
    need_ours(lane)
    with Lan(servers=1) as lan:
        text = lambda *lines: whole(service(VIP + " 80", server("10.77.0.101 80")), extra="".join("    %s\n" % x for x in lines))  # noqa: E731
        both = lambda n: [("backup", "eth0", n), ("master", "eth0", n)]  # noqa: E731
        start, then = ("lvs_sync_daemon eth0 id 5", "lvs_timeouts tcp 1234 udp 77"), ("lvs_sync_daemon eth0 id 6", "lvs_timeouts tcp 999 udp 77")
        before = timeouts(lan)
        d = lan.lb.start(lane.daemon, text(*start))
        ctl = Ctl(lane, d)
        lan.wait(lambda: lan.table().daemons() == both(5) and timeouts(lan)["tcp"] == 1234, 60, "daemons and time-outs")

        def plan(*lines):
            d.write(text(*lines))
            return sorted((x["does"], x.get("from"), x.get("to")) for x in json.loads(ctl("reload", "--plan", "--json"))["plan"]
                          if "IPVS" in x["does"])
        daemons = lambda verb, n: [("%s IPVS sync daemon %s on eth0, sync id %d" % (verb, k, n), None, None) for k in ("backup", "master")]  # noqa: E731
        tcp = lambda a, b: [("set IPVS timeout tcp", str(a), str(b))]  # noqa: E731
        equal(plan(*start), [], "planned for no change")
        equal(plan(*then), tcp(1234, 999) + daemons("start", 6) + daemons("stop", 5), "planned for another id and time-out")
        equal((lan.table().daemons(), timeouts(lan)["tcp"]), (both(5), 1234), "the kernel after the plan")
        d.reload()
        lan.wait(lambda: lan.table().daemons() == both(6) and timeouts(lan)["tcp"] == 999, 60, "the reload to do it")
        want = tcp(999, before["tcp"]) + [("set IPVS timeout udp", "77", str(before["udp"]))] + daemons("stop", 6)
        equal(plan(), sorted(want), "planned for the end of both")
        equal((lan.table().daemons(), timeouts(lan)["tcp"]), (both(6), 999), "the kernel after the second plan")
        d.reload()
        lan.wait(lambda: lan.table().daemons() == [] and timeouts(lan) == before, 60, "both to end")
