"""A lab for the director: clients, one or more directors and real servers on one segment, each in a namespace of its own, wired for
NAT, DR and TUN at once. Real daemons as real servers are in servers.py.

    with Lan(servers=3) as lan:                       # nodes cl, lb, r1, r2, r3
        lan.r1.nginx("r1"); d = lan.lb.start([...], conf)
        lan.shares(16)                                # Counter of who answered
"""
import collections
import contextlib
import socket
import time

from . import ipvs, watch
from .house import Lab, run

VIP = "10.77.0.200"


class Lan(Lab):
    def __init__(self, servers=2, directors=("lb",), vip=VIP, hold=True, clients=1, keep_log=None, net="10.77.0", hosts=None):
        self.vip, self.directors, self.reals = vip, directors, ["r%d" % (i + 1) for i in range(servers)]
        places = {"cl": 10, **{d: 1 + i for i, d in enumerate(directors)}, **{r: 101 + i for i, r in enumerate(self.reals)}}
        super().__init__(["cl", *directors, *self.reals], net=net, hosts=hosts or places, keep_log=keep_log)
        self.clients = ["%s.%d" % (net, 20 + i) for i in range(clients)]
        self.cl.batch("\n".join("addr add %s/32 dev eth0" % c for c in self.clients))
        for d in directors:
            self.knobs(d, {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1, "ipv4/conf/all/send_redirects": 0,
                           "ipv4/conf/eth0/send_redirects": 0, "ipv4/vs/expire_nodest_conn": 0})
        if hold:
            self.nodes[directors[0]].batch("addr add %s/32 dev eth0" % vip)
        for r in self.reals:
            self.knobs(r, {"ipv4/conf/all/arp_ignore": 1, "ipv4/conf/all/arp_announce": 2, "ipv4/conf/all/accept_redirects": 0,
                           "ipv4/conf/eth0/accept_redirects": 0, "ipv4/conf/all/rp_filter": 0, "ipv4/conf/eth0/rp_filter": 0})

    def knobs(self, node, values):
        with watch.in_netns(self.nodes[node].ns):
            for k, v in values.items():
                with contextlib.suppress(FileNotFoundError), open("/proc/sys/net/" + k, "w") as f:
                    f.write(str(v))

    def behind(self, method, node=None, vip=None):
        """What the administrator of a real server does for this method."""
        for r in [node] if node else self.reals:
            n = self.nodes[r]
            if method == "nat":  # answers go back through the director
                home = self.nodes[self.directors[0]].ip
                n.batch("\n".join("route add %s/32 via %s" % (c, home) for c in [self.cl.ip, *self.clients]))
            elif method == "dr":
                n.batch("addr add %s/32 dev lo" % (vip or self.vip))
            else:
                n.batch("link set tunl0 up\naddr add %s/32 dev tunl0" % (vip or self.vip))
                self.knobs(r, {"ipv4/conf/tunl0/rp_filter": 0})

    # -- what a client sees
    def socket(self, node, kind=socket.SOCK_STREAM, source=None, timeout=5.0):
        with watch.in_netns(self.nodes[node].ns):
            s = socket.socket(socket.AF_INET, kind)
        s.settimeout(timeout)
        if source:
            s.bind((source, 0))
        return s

    def connect(self, ip=None, port=80, source=None, timeout=5.0, node="cl"):
        s = self.socket(node, source=source, timeout=timeout)
        try:
            s.connect((ip or self.vip, port))
        except OSError:
            s.close()
            raise
        return s

    def fetch(self, ip=None, port=80, source=None, timeout=5.0, node="cl"):
        """One HTTP/1.0 GET: the body's text, or None when there was no answer."""
        try:
            with self.connect(ip, port, source, timeout, node) as s:
                s.sendall(b"GET / HTTP/1.0\r\nHost: demo\r\n\r\n")
                data = b""
                while chunk := s.recv(65536):
                    data += chunk
            return data.split(b"\r\n\r\n", 1)[1].decode().strip() if b"\r\n\r\n" in data else None
        except OSError:
            return None

    def shares(self, n, **kw):
        return collections.Counter(self.fetch(**kw) for _ in range(n))

    # -- what the director's kernel holds
    def table(self, node=None):
        return ipvs.Ipvs(self.nodes[node or self.directors[0]].ns)

    def wait_servers(self, service, want, timeout=60, node=None):
        """Until the service has exactly these servers with these weights ({} for none); seconds it took."""
        table, began = self.table(node), time.monotonic()
        last = []

        def there():
            last[:] = [table.servers(service)]
            return last[0] == want
        try:
            self.wait(there, timeout, "%s: %s" % (service, want), step=0.05)
        except Exception as e:
            e.args = ("%s; it has %s" % (e, last[0]),)
            raise
        return time.monotonic() - began

    def modprobe(self, *names):
        run("modprobe", "-a", *names, check=False)
