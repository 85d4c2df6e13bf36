"""Two directors: VRRP moves the service address, both hold the same table, the sync daemon follows; connections outlive the master."""
import time

from case import case, check, equal
from lab import conf, servers
from lab.lan import VIP, Lan
from lvs_conf import check as checker
from lvs_conf import server, service

WEB = "tcp %s:80" % VIP


def director(name, priority, method="DR"):
    vi = conf.instance(vrid=77, priority=priority, vips=[VIP])
    web = service(VIP + " 80", "alpha", *[server("10.77.0.%d 80" % (101 + i), checker("TCP_CHECK")) for i in range(2)], method=method)
    return conf.whole(vi, web, router=name, glob="    lvs_sync_daemon eth0 VI_1 id 7\n")


@case("lvs-pair")
def pair(lane):
    """DR with a backup director and lvs_sync_daemon: the master is cut off; held connections and new ones go on at the other"""
    with Lan(servers=2, directors=("lb1", "lb2"), hold=False) as lan:
        lan.behind("dr")
        for r in lan.reals:
            servers.nginx(lan.nodes[r], r)
        both = {"10.77.0.101:80": 1, "10.77.0.102:80": 1}
        d1 = lan.lb1.start(lane.daemon, director("lb1", 200))
        lan.wait_master("lb1", [VIP], 40)
        lan.lb2.start(lane.daemon, director("lb2", 100))
        for n in ("lb1", "lb2"):
            lan.wait_servers(WEB, both, node=n)
        lan.wait(lambda: lan.table("lb1").daemons() == [("master", "eth0", 7)], 20, "the master's sync daemon")
        lan.wait(lambda: lan.table("lb2").daemons() == [("backup", "eth0", 7)], 20, "the backup's sync daemon")
        held = [lan.connect(timeout=20) for _ in range(4)]
        who = [ask(c) for c in held]
        for _ in range(4):  # sync messages go out with traffic, and a second later at most
            time.sleep(1)
            equal([ask(c) for c in held], who, "servers of the held connections")
        lan.lb1.cable(False)
        d1.kill_all()
        lan.wait_master("lb2", [VIP], 40)
        equal([ask(c) for c in held], who, "servers of the held connections after the fail-over")
        shares = lan.shares(8)
        check(set(shares) == {"r1", "r2"}, "new connections at the other director: %s", dict(shares))
        equal(lan.table("lb2").daemons(), [("master", "eth0", 7)], "the sync daemon of the new master")


def ask(c):
    c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"\n"):
        chunk = c.recv(4096)
        check(bool(chunk), "a held connection was closed")
        data += chunk
    return data.split(b"\r\n\r\n", 1)[1].decode().strip()
