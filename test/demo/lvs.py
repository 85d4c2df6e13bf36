#!/usr/bin/env python3
"""The second part of the demo: LVS. The configurations are those of two tutorials (dr-lvs01.conf, dr-lvs02.conf, nat.conf beside this
file), real servers are nginx and openssl, the client is elsewhere, and then things die.

    lvs.py [--daemon CMD] [--plain]

Runs on this kernel when it has ip_vs, else in a throw-away VM with a stock Debian kernel (ten times slower, so are its figures).
Exit status 0 only if every promise held.
"""
import argparse
import collections
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE), HERE]

from lab import Failure, Skip, need_root, now, run, servers  # noqa: E402
from lab.ipvs import Touches  # noqa: E402
from lab.lan import Lan  # noqa: E402
from show import Show  # noqa: E402

STRIP = 100  # characters in a line


class Stage(Lan):
    """A lab with a client that never stops asking, and a person who watches."""

    def __init__(self, show, daemon, net, hosts, directors, reals):
        self.show, self.daemon, self.asked, self.read, self.web = show, daemon, [], 0, {}
        self.directors, self.reals, self.vip, self.clients = directors, reals, None, []
        super(Lan, self).__init__(list(hosts), net=net, hosts=hosts)
        self.record = self.root + "/client.txt"
        for d in directors:
            self.knobs(d, {"ipv4/ip_forward": 1, "ipv4/conf/all/send_redirects": 0, "ipv4/conf/eth0/send_redirects": 0})

    def ask_all_the_time(self, ip, port, sources):
        self.cl.spawn([sys.executable, HERE + "/parts.py", "clients", ip, str(port), self.record, *sources])
        self.wait(lambda: os.path.exists(self.record), 20, "the client")

    def watch_clients(self, since, seconds=0.0):
        """The strip of what the clients met since then, and the figures."""
        time.sleep(max(0.0, since / 1e9 + seconds - time.time()))
        until = now()
        time.sleep(3.2)  # the last requests may still be answered, or given up
        with open(self.record) as f:
            f.seek(self.read)
            data = f.read()
        whole = data[:data.rfind("\n") + 1]
        self.read += len(whole.encode())
        for line in whole.splitlines():
            asked, _, who, source = line.split(" ", 3)
            self.asked.append((int(asked), who, source))
        mine = sorted(a for a in self.asked if since <= a[0] <= until)
        marks = ["x" if who == "-" else who[-1] if who[-1].isdigit() else "S" for _, who, _ in mine]
        for i in range(0, len(marks), STRIP):
            self.show.strip(dict(enumerate(marks[i:i + STRIP])), STRIP)
        lost = [a for a in mine if a[1] == "-"]
        served = collections.Counter(a[1] for a in mine if a[1] != "-")
        self.show.say("          clients: %d requests, %s; %s" % (
            len(mine), ", ".join("%s %d" % x for x in sorted(served.items())), "%d lost" % len(lost) if lost else "none lost"))
        return mine, lost, served

    def print_table(self, node):
        out = run("ip", "netns", "exec", self.nodes[node].ns, "ipvsadm", "-Ln").stdout.splitlines()[3:]
        for line in out:
            self.show.say("          | " + line, "2")


def served_by(stage, ip, port, sources):
    return {s: stage.fetch(ip, port, source=s) for s in sources}


# ---- part 1: direct routing, two directors ------------------------------------------------------------------------

DR_VIP, DR_WEB = "172.27.9.100", "tcp 172.27.9.100:81"
DR_HOSTS = {"cl": 50, "lvs01": 11, "lvs02": 12, "nginx01": 91, "nginx02": 92}
DR_BOTH = {"172.27.9.91:81": 1, "172.27.9.92:81": 1}


def rename(stage, node, name):
    """The tutorial's machines call their interface ens33."""
    stage.nodes[node].batch("link set eth0 down\nlink set eth0 name %s\nlink set %s up" % (name, name))


def text_of(name):
    with open(os.path.join(HERE, name)) as f:
        return f.read()


def dr_start(stage):
    show = stage.show
    show.at("lvs01 and lvs02 start, each with its file of the tutorial, unchanged")
    for r in ("nginx01", "nginx02"):
        stage.web[r] = servers.nginx(stage.nodes[r], r, port=81)
        stage.behind("dr", r, DR_VIP)
    for d in ("lvs01", "lvs02"):
        stage.nodes[d].start(stage.daemon, text_of("dr-%s.conf" % d))
    stage.wait_master("lvs01", [DR_VIP], 40)
    for d in ("lvs01", "lvs02"):
        stage.wait_servers(DR_WEB, DR_BOTH, 40, node=d)
    stage.print_table("lvs01")
    show.fact(True, "lvs01 is master of %s; both directors hold the same table" % DR_VIP)
    first = served_by(stage, DR_VIP, 81, stage.clients[:8])
    again = served_by(stage, DR_VIP, 81, stage.clients[:8])
    split = collections.Counter(first.values())
    show.fact(split == {"nginx01": 4, "nginx02": 4}, "eight clients, wrr with equal weights: %s" % dict(split))
    show.fact(again == first, "persistence_timeout 50: each client comes to its server again")


def dr_crash(stage, role):
    show, daemon = stage.show, stage.lvs01.daemon
    pid = daemon.role(role)
    show.at("kill -9 %s on lvs01 (pid %s), the master" % (role, pid), "1;33")
    if not pid:
        show.fact(False, "lvs01 has no %s process" % role)
        return
    since = now()
    with Touches() as touches:
        os.kill(pid, signal.SIGKILL)
        _, lost, _ = stage.watch_clients(since, 5)
        show.fact(touches.count() == 0, "changes asked of the kernel's table: %d" % touches.count())
    show.fact(not lost, "no request was lost")
    show.fact(daemon.role(role) not in (None, pid), "%s runs again (pid %s)" % (role, daemon.role(role)))


def dr_weight(stage, before):
    show = stage.show
    show.at("the administrator gives nginx01 the weight 3 and reloads (SIGHUP)", "1;33")
    since = now()
    text = re.sub(r"weight 1", "weight 3", text_of("dr-lvs01.conf"), count=1)
    stage.lvs01.daemon.reload(text)
    stage.wait_servers(DR_WEB, {**DR_BOTH, "172.27.9.91:81": 3}, 20)
    new = collections.Counter(served_by(stage, DR_VIP, 81, stage.clients[8:16]).values())
    _, lost, _ = stage.watch_clients(since, 2)
    show.fact(new == {"nginx01": 6, "nginx02": 2}, "eight new clients: %s" % dict(new))
    show.fact(served_by(stage, DR_VIP, 81, stage.clients[:8]) == before, "the first eight stay where they were")
    show.fact(not lost, "no request was lost")


def dr_server(stage):
    show = stage.show
    show.at("nginx on nginx01 dies", "1;33")
    since = now()
    stage.web["nginx01"].kill()
    stage.web["nginx01"].wait()
    took = stage.wait_servers(DR_WEB, {"172.27.9.92:81": 1}, 90)
    show.say("          out of the table after %.1f s (the file asks every 6 s, then three times more, 3 s apart)" % took)
    gone = now()
    stage.watch_clients(since, took + 3)
    after = [a for a in stage.asked if a[0] > gone + 10**9]
    show.fact(after and all(a[1] == "nginx02" for a in after), "from then on nginx02 answers all %d requests" % len(after))
    show.at("nginx runs again", "1;32")
    servers.nginx(stage.nginx01, "nginx01", port=81)
    took = stage.wait_servers(DR_WEB, {**DR_BOTH, "172.27.9.91:81": 3}, 60)
    show.fact(took < 20, "back in the table, with its weight, after %.1f s" % took)


def dr_power(stage):
    show = stage.show
    show.at("the whole of lvs01 loses power", "1;31")
    since = now()
    stage.lvs01.cable(False)
    stage.lvs01.daemon.kill_all()
    stage.wait_master("lvs02", [DR_VIP], 30, since)
    took = (now() - since) / 1e9
    back = now()
    stage.watch_clients(since, took + 4)
    after = [a for a in stage.asked if a[0] > back + 10**9]
    show.fact(took < 8, "lvs02 is master after %.1f s" % took)
    show.fact(after and all(a[1] != "-" for a in after), "then all %d requests are answered: its table was ready" % len(after))


def part_dr(show, daemon):
    show.say("\n1. Direct routing: test/demo/dr-lvs01.conf, dr-lvs02.conf", "1")
    show.say("""
   16 clients ---+--- lvs01 .11 (MASTER), lvs02 .12 (BACKUP)   service %s:81, wrr, persistence_timeout 50
                 +--- nginx01 .91, nginx02 .92                 they hold the address on lo and answer the clients themselves

   The strip is what four of the clients met, each asking in turn: one character is a request (5 a second), 1 or 2 the server
   that answered, S the sorry server, x a request that nobody answered.""" % DR_VIP)
    with Stage(show, daemon, "172.27.9", DR_HOSTS, ("lvs01", "lvs02"), ["nginx01", "nginx02"]) as stage:
        for d in stage.directors:
            rename(stage, d, "ens33")
        for r in stage.reals:
            stage.knobs(r, {"ipv4/conf/all/arp_ignore": 1, "ipv4/conf/all/arp_announce": 2})
        stage.clients = ["172.27.9.%d" % (200 + i) for i in range(20)]
        stage.cl.batch("\n".join("addr add %s/32 dev eth0" % c for c in stage.clients))
        dr_start(stage)
        before = served_by(stage, DR_VIP, 81, stage.clients[:8])
        stage.ask_all_the_time(DR_VIP, 81, stage.clients[16:])
        time.sleep(1)
        dr_crash(stage, "checkd")
        dr_crash(stage, "ipvsd")
        dr_weight(stage, before)
        dr_server(stage)
        dr_power(stage)


# ---- part 2: NAT, sorry server, digests ---------------------------------------------------------------------------

NAT_HOSTS = {"cl": 250, "lb": 1, "sorry": 200, **{"web%d" % i: i for i in range(2, 6)}, "tls": 100}
NAT_WEB, NAT_VIP = "tcp 10.10.10.2:1358", "10.10.10.2"
PATHS = ("/testurl/test.jsp", "/testurl2/test.jsp", "/testurl3/test.jsp")
NAT_BOTH = {"192.168.200.2:1358": 1, "192.168.200.3:1358": 1}
SORRY = {"192.168.200.200:1358": 1}


def nat_network(stage):
    """Outside: 10.10.10.0/24 with the clients; inside: 192.168.200.0/24 and the TLS server's 192.168.201.0/24, by way of lb."""
    stage.clients = ["10.10.10.%d" % (50 + i) for i in range(16)]
    stage.cl.batch("\n".join(["addr flush dev eth0", "addr add 10.10.10.250/24 dev eth0", *("addr add %s/32 dev eth0" % c for c in stage.clients),
                              "route add 192.168.200.100 via 10.10.10.1"]))
    stage.lb.batch("\n".join("addr add %s dev eth0" % a for a in (
        "10.10.10.1/24", "10.10.10.2/32", "10.10.10.3/32", "192.168.200.100/32", "192.168.201.1/24")))
    for n in ("sorry", "web2", "web3", "web4", "web5"):
        stage.nodes[n].batch("route add default via 192.168.200.1")
    stage.tls.batch("addr flush dev eth0\naddr add 192.168.201.100/24 dev eth0\nroute add default via 192.168.201.1")


def nat_servers(stage):
    pages = [(p, "page %d\\n" % i) for i, p in enumerate(PATHS)]
    made = {n: servers.nginx(stage.nodes[n], n, port=1358, pages=pages) for n in ("web2", "web3", "web4", "web5")}
    servers.nginx(stage.sorry, "sorry", port=1358)
    servers.s_server(stage.tls, pages=[("index.html", "tls\n"), ("mrtg/index.html", "mrtg\n")])
    return made


def digest(stage, genhash, server, port, path, *more):
    out = run("ip", "netns", "exec", stage.lb.ns, genhash, *more, "-s", server, "-p", str(port), "-u", path, timeout=60).stdout
    found = re.findall(r"\b[0-9a-f]{32}\b", out)
    if not found:
        raise Failure("genhash gives no digest of %s on %s: %s" % (path, server, out))
    return found[-1]


def nat_text(stage, genhash):
    """The tutorial's file with its digests replaced, as the tutorial says, by what genhash says of our pages; TLS paths that a file
    server can serve."""
    text = text_of("nat.conf").replace("path /mrtg/\n", "path /mrtg/index.html\n").replace("path /\n", "path /index.html\n")
    sums = {p: digest(stage, genhash, "192.168.200.2", 1358, p) for p in PATHS}
    sums.update((p, digest(stage, genhash, "192.168.201.100", 443, p, "-S")) for p in ("/index.html", "/mrtg/index.html"))
    for path, value in sums.items():
        text = re.sub(r"(path %s\s+digest )\w+" % re.escape(path), r"\g<1>" + value, text)
    return text, len(sums)


def nat_start(stage, genhash):
    show = stage.show
    text, n = nat_text(stage, genhash)
    show.at("lb starts with the tutorial's file; only its digests are ours (genhash, %d pages)" % n)
    stage.lb.start(stage.daemon, text)
    stage.wait_master("lb", ["192.168.200.16", "192.168.200.17", "192.168.200.18"], 40)
    for service, want in ((NAT_WEB, NAT_BOTH), ("tcp 10.10.10.3:1358", {"192.168.200.4:1358": 1, "192.168.200.5:1358": 1}),
                          ("tcp 192.168.200.100:443", {"192.168.201.100:443": 1})):
        stage.wait_servers(service, want, 40)
    time.sleep(8)  # every server has been asked at least once: what is still here passed its checks
    stage.print_table("lb")
    show.fact(stage.table().servers(NAT_WEB) == NAT_BOTH, "three services, five servers, all pass their checks")
    first = served_by(stage, NAT_VIP, 1358, stage.clients[:8])
    split = collections.Counter(first.values())
    show.fact(split == {"web2": 4, "web3": 4}, "eight clients by turns (rr) at 10.10.10.2: %s" % dict(split))
    show.fact(served_by(stage, NAT_VIP, 1358, stage.clients[:8]) == first, "persistence: each comes to its server again")
    split = collections.Counter(served_by(stage, "10.10.10.3", 1358, stage.clients[:8]).values())
    show.fact(split == {"web4": 4, "web5": 4}, "eight clients at 10.10.10.3: %s" % dict(split))
    show.fact(tls_page(stage) == "tls", "https through the director: the page came, over TLS")


def tls_page(stage):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(stage.connect("192.168.200.100", 443, timeout=20)) as s:
            s.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            data = b""
            while chunk := s.recv(4096):
                data += chunk
    except OSError as e:
        return str(e)
    return data.split(b"\r\n\r\n", 1)[-1].decode().strip()


def nat_wrong_page(stage, made):
    show = stage.show
    show.at("web3 answers 200, but its page is not the one whose digest the file has", "1;33")
    since = now()
    made["web3"].kill()
    made["web3"].wait()
    servers.nginx(stage.web3, "web3", port=1358, pages=[(p, "hacked\\n") for p in PATHS])
    took = stage.wait_servers(NAT_WEB, {"192.168.200.2:1358": 1}, 90)
    gone = now()
    stage.watch_clients(since, took + 3)
    after = [a for a in stage.asked if a[0] > gone + 10**9]
    show.fact(after and all(a[1] == "web2" for a in after), "out after %.1f s; then web2 answers all %d requests" % (took, len(after)))


def nat_sorry(stage, made):
    show = stage.show
    show.at("web2 dies as well: no server is left", "1;31")
    since = now()
    made["web2"].kill()
    made["web2"].wait()
    took = stage.wait_servers(NAT_WEB, SORRY, 90)
    gone = now()
    stage.watch_clients(since, took + 3)
    after = [a for a in stage.asked if a[0] > gone + 10**9]
    show.fact(after and all(a[1] == "sorry" for a in after), "the sorry server is in after %.1f s and answers all %d requests" % (took, len(after)))
    show.at("web2 boots again", "1;32")
    since = now()
    servers.nginx(stage.web2, "web2", port=1358, pages=[(p, "page %d\\n" % i) for i, p in enumerate(PATHS)])
    took = stage.wait_servers(NAT_WEB, {"192.168.200.2:1358": 1}, 120)
    gone = now()
    stage.watch_clients(since, took + 3)
    after = [a for a in stage.asked if a[0] > gone + 10**9]
    show.fact(after and all(a[1] == "web2" for a in after), "web2 is back after %.1f s, the sorry server is out" % took)


def nat_stop(stage):
    show = stage.show
    show.at("lb is stopped (SIGTERM)", "1;33")
    status, seconds = stage.lb.daemon.stop(30)
    show.fact(status == 0, "exit status %d after %.1f s" % (status, seconds))
    show.fact(stage.table().services() == {}, "nothing is left in the kernel's table")


def part_nat(show, daemon):
    show.say("\n2. NAT: test/demo/nat.conf", "1")
    show.say("""
   clients 10.10.10.50 ... --- lb --- web2 .2, web3 .3 (sorry server .200)   service 10.10.10.2:1358       192.168.200.0/24
                                  +-- web4 .4, web5 .5                       service 10.10.10.3:1358
                                  +-- tls 192.168.201.100                    service 192.168.200.100:443
   All rr, persistence_timeout 50, HTTP_GET and SSL_GET with digests.""")
    genhash = os.path.join(os.path.dirname(daemon[0]), "genhash")
    genhash = genhash if os.access(genhash, os.X_OK) else "genhash"
    with Stage(show, daemon, "192.168.200", NAT_HOSTS, ("lb",), ["web%d" % i for i in range(2, 6)]) as stage:
        nat_network(stage)
        made = nat_servers(stage)
        nat_start(stage, genhash)
        stage.ask_all_the_time(NAT_VIP, 1358, stage.clients[8:])
        time.sleep(1)
        nat_wrong_page(stage, made)
        nat_sorry(stage, made)
        nat_stop(stage)


def inside(o, argv):
    for module in ("ip_vs", "ip_vs_rr", "ip_vs_wrr", "veth", "bridge"):
        run("modprobe", module, check=False)
    show = Show()
    show.say("\nholdfast: the director", "1")
    for part in o.parts.split(","):
        try:
            {"dr": part_dr, "nat": part_nat}[part](show, argv)
        except (Failure, Skip, RuntimeError, OSError) as e:
            show.fact(False, str(e))
        except KeyboardInterrupt:
            show.fact(False, "interrupted")
            break
    return show.end()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--daemon", default=TOP + "/build/holdfast")
    p.add_argument("--plain", action="store_true", help="no colours")
    p.add_argument("--parts", default="dr,nat")
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.plain:
        os.environ["NO_COLOR"] = "1"
    need_root()
    argv = shlex.split(o.daemon)
    argv[0] = os.path.abspath(argv[0])
    subprocess.run(["modprobe", "ip_vs"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if o.inside or os.path.exists("/proc/net/ip_vs"):
        return inside(o, argv)
    print("\nThis kernel has no ip_vs: a throw-away VM with a stock Debian kernel starts (no hardware help: about ten times slower).",
          flush=True)
    more = ["--plain"] if o.plain or not sys.stdout.isatty() else []
    return subprocess.call([TOP + "/test/vm/vmrun", "-t", "900", "--", sys.executable, os.path.abspath(__file__), "--inside",
                            "--daemon", shlex.join(argv), "--parts", o.parts, *more], cwd=TOP)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; what was made is removed")
