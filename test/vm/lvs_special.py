"""What ipvsd does around the table: groups behind firewall marks (nftables_ipvs), the connection sync daemons, a second network
namespace for IPVS and checks, sockets of checks that need a mark, a privileged port or raw ICMP.
"""
import os
import re
import subprocess
import time

from case import case, check, equal, need_ours
from lab import conf, run, servers
from lab.lan import VIP, Lan
from lvs_conf import check as checker
from lvs_conf import server, service, whole

OTHER = "10.77.0.201"


def nft(lan, *args):
    return run("ip", "netns", "exec", lan.lb.ns, "nft", "-a", "list", "ruleset", *args, check=False).stdout


@case("lvs-nft")
def marks(lane):
    """nftables_ipvs: a group is one service of a mark, through crash, reload and a table torn down; nothing is left at the end"""
    need_ours(lane)
    group = "virtual_server_group web {\n    %s 80\n    %s 8080\n%s}\n"
    svc = service("group web", server("10.77.0.101 80"), server("10.77.0.102 80"))
    mark = {"10.77.0.101:80": 1, "10.77.0.102:80": 1}
    with Lan(servers=2) as lan:
        lan.behind("nat")
        lan.lb.batch("addr add %s/32 dev eth0" % OTHER)
        servers.nginx(lan.r1, "r1")
        servers.nginx(lan.r2, "r2")
        text = lambda more="": whole(group % (VIP, OTHER, more), svc, extra="    nftables_ipvs\n    nftables_counters\n")  # noqa: E731
        d = lan.lb.start(lane.daemon, text())
        lan.wait_servers("fwm 1000", mark)
        equal(set(lan.table().table()), {"fwm 1000"}, "services")
        have = nft(lan)
        for part in ("table ip keepalived_ipvs", "map tcp_map", "type ipv4_addr . inet_service : mark", VIP + " . 80 counter",
                     OTHER + " . 8080 counter", ": 0x000003e8", "type filter hook input priority filter - 1",
                     "meta mark set ip daddr . tcp dport map @tcp_map counter"):
            check(part in have, "not in nft's list: %s\n%s", part, have)
        lan.wait(lambda: set(lan.shares(4)) == {"r1", "r2"}, 60, "clients of the first member to be served")
        lan.wait(lambda: set(lan.shares(4, ip=OTHER, port=8080)) == {"r1", "r2"}, 60, "clients of the second member")
        handle = re.search("table ip keepalived_ipvs .*", have).group()
        lan.crash(d, "ipvsd", 30)
        lan.wait(lambda: d.read_log().count("services as configured") > 1, 60, "the new ipvsd to compare")
        check(handle in nft(lan), "a restart made the table anew")
        d.reload(text("    10.77.0.202 80\n"))
        lan.wait(lambda: "10.77.0.202 . 80" in nft(lan), 60, "the new member in the map")
        equal(lan.table().servers("fwm 1000"), mark, "the service after the reload")
        run("ip", "netns", "exec", lan.lb.ns, "nft", "flush", "ruleset")
        lan.wait(lambda: "10.77.0.202 . 80" in nft(lan), 60, "the table to come back")
        status, _ = d.stop(60)
        equal((status, nft(lan), lan.table().table()), (0, "", {}), "exit status, rules and services at the end")


@case("lvs-syncd", alone=True)
def syncd(lane):
    """lvs_sync_daemon without an instance: the same threads after a crash and an empty reload, others for another id"""
    need_ours(lane)
    with Lan(servers=1) as lan:
        svc = service(VIP + " 80", server("10.77.0.101 80"))
        text = lambda line: whole(svc, extra="    lvs_sync_daemon eth0%s\n" % line)  # noqa: E731
        both = lambda n: [("backup", "eth0", n), ("master", "eth0", n)]  # noqa: E731

        def threads():
            out = run("ps", "-eo", "pid,comm").stdout
            return sorted(re.findall(r"(\d+) ipvs-[mb]", out))
        d = lan.lb.start(lane.daemon, text(" id 5"))
        lan.wait(lambda: lan.table().daemons() == both(5), 60, "both daemons")
        first = threads()
        check(len(first) >= 2, "no kernel threads: %s", first)
        lan.crash(d, "ipvsd", 30)
        lan.wait(lambda: d.read_log().count("services as configured") > 1, 60, "the new ipvsd to compare")
        d.reload(text(" id 5") + "\n# nothing\n")
        time.sleep(2)
        equal((lan.table().daemons(), threads()), (both(5), first), "daemons after a crash and an empty reload")
        d.reload(text(" id 6"))
        lan.wait(lambda: lan.table().daemons() == both(6), 60, "the new id")
        check(not set(threads()) & set(first), "the old threads live on")
        status, _ = d.stop(60)
        equal((status, lan.table().daemons()), (0, []), "exit status and daemons at the end")


@case("lvs-other-ns", alone=True)
def other(lane):
    """net_namespace_ipvs: VRRP here; table, nftables and checks (with a mark, from port 777, by ICMP) there, also after a crash"""
    need_ours(lane)
    with Lan(servers=2, directors=("lb", "in"), hold=False) as lan:
        there = lan.nodes["in"]
        for i, r in enumerate(lan.reals):
            servers.nginx(lan.nodes[r], r)
        kinds = (checker("TCP_CHECK"), checker("TCP_CHECK", "fwmark 7"), checker("TCP_CHECK", "bindto %s" % there.ip, "bind_port 777"),
                 checker("PING_CHECK"), checker("PING_CHECK", "fwmark 8"))
        blocks = [service("%s %d" % (VIP, 80 + i), "alpha", server("10.77.0.101 80", k), server("10.77.0.99 80", k))
                  for i, k in enumerate(kinds)]
        group = "virtual_server_group g {\n    %s 99\n}\n" % OTHER + service("group g", server("10.77.0.102 80"))
        # by path: the daemon's /run is its own, without the names of network namespaces
        holder = subprocess.Popen(["ip", "netns", "exec", there.ns, "sleep", "600"])
        text = ("net_namespace_ipvs /proc/%d/ns/net\n" % holder.pid + whole(*blocks, group, extra="    nftables_ipvs\n") +
                conf.instance(vips=["10.77.0.250"]))
        lan.wait(lambda: os.stat("/proc/%d/ns/net" % holder.pid).st_ino != os.stat("/proc/self/ns/net").st_ino, 20,
                 "a process there")
        d = lan.lb.start(lane.daemon, text)
        lan.wait(lambda: "startup complete" in d.read_log(), 60, "the start")
        holder.kill()  # the namespace was opened once, at the start
        holder.wait()
        want = {"tcp %s:%d" % (VIP, 80 + i): {"10.77.0.101:80": 1} for i in range(len(kinds))}
        want["fwm 1000"] = {"10.77.0.102:80": 1}
        lan.wait(lambda: lan.table("in").table() == want, 90, "the table there: " + str(want))
        equal(lan.table("lb").table(), {}, "the table here")
        equal(nft(lan), "", "nftables here")
        check("map @tcp_map" in run("ip", "netns", "exec", there.ns, "nft", "list", "ruleset").stdout, "no nftables there")
        lan.wait(lambda: "10.77.0.250/" in run("ip", "-n", lan.lb.ns, "-o", "addr").stdout, 60, "the VIP here")
        lan.crash(d, "ipvsd", 30)
        servers_gone = lan.nodes["r1"]
        servers_gone.batch("link set eth0 down")
        for k in list(want):
            if k != "fwm 1000":
                want[k] = {}
        lan.wait(lambda: lan.table("in").table() == want, 90, "the table there without the dead server")
        servers_gone.batch("link set eth0 up")
        status, _ = d.stop(60)
        equal((status, lan.table("in").table()), (0, {}), "exit status and the table there at the end")
        lan.wait(lambda: not re.search(" holdfast-ipvsd$", run("ps", "-eo", "pid,comm").stdout, re.M), 20,
                 "ipvsd and its helper to be gone")
