"""What the kernel's IPVS says, read over generic netlink by a client of our own (no ipvsadm, nothing of holdfast): services, servers,
counters, connections, sync daemons, time-outs. And Touches: how often anybody changed anything, counted inside the kernel.
"""
import contextlib
import os
import socket
import struct

from . import watch

GENL_CTRL, CTRL_GETFAMILY = 16, 3
GET_SERVICE, GET_DEST, GET_DAEMON, GET_CONFIG = 4, 8, 11, 13
SERVICE, DEST, DAEMON = 1, 2, 3  # the nests of a message
REQUEST, ACK, DUMP, NESTED = 1, 4, 0x300, 0x8000
METHODS = {0: "nat", 1: "local", 2: "tun", 3: "dr", 4: "bypass"}
PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}
ERROR, DONE = 2, 3
ENOENT, ESRCH = 2, 3


def parse(data):
    """Attributes of one level: {type: bytes}."""
    out = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            break
        out[kind & 0x3FFF] = data[4:size]
        data = data[(size + 3) & ~3:]
    return out


def attr(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def number(data):
    return int.from_bytes(data or b"", "little")


def address(family, data, port):
    text = socket.inet_ntop(family, data[:4] if family == socket.AF_INET else data[:16])
    return ("%s:%d" if family == socket.AF_INET else "[%s]:%d") % (text, port)


class Server:
    """One real server of a service."""

    def __init__(self, a, family):
        family = number(a[11]) if 11 in a else family
        self.name = address(family, a[1], int.from_bytes(a[2], "big"))
        self.method, self.weight = METHODS[number(a[3]) & 7], number(a[4])
        self.upper, self.lower = number(a.get(5)), number(a.get(6))
        self.active, self.inactive, self.persistent = number(a.get(7)), number(a.get(8)), number(a.get(9))
        stats = parse(a.get(12) or a.get(10) or b"")
        self.conns, self.packets = number(stats.get(1)), number(stats.get(2))


class Service:
    def __init__(self, a):
        self.family, self.mark = number(a[1]), number(a.get(5))
        if self.mark:
            self.name = "fwm %d%s" % (self.mark, "/6" if self.family == socket.AF_INET6 else "")
            self.key = attr(1, a[1]) + attr(5, a[5])
        else:
            self.name = "%s %s" % (PROTOCOLS[number(a[2])], address(self.family, a[3], int.from_bytes(a[4], "big")))
            self.key = b"".join(attr(k, a[k]) for k in (1, 2, 3, 4))
        self.scheduler = a[6].split(b"\0")[0].decode()
        self.flags, self.timeout = number(a[7][:4]), number(a[8])
        stats = parse(a.get(12) or a.get(10) or b"")
        self.conns, self.packets = number(stats.get(1)), number(stats.get(2))
        self.servers = {}


class Ipvs:
    """The table of one network namespace."""

    def __init__(self, netns=None):
        with watch.in_netns(netns) if netns else contextlib.nullcontext():
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.sock.setsockopt(socket.SOL_SOCKET, watch.SO_RCVBUFFORCE, 8 << 20)
        self.sock.settimeout(20)
        self.sock.bind((0, 0))
        self.seq, self.family = 0, GENL_CTRL
        self.family = number(parse(self.ask(CTRL_GETFAMILY, attr(2, b"IPVS\0"))[0])[1])

    def ask(self, command, body=b"", dump=False):
        self.seq += 1
        self.sock.send(struct.pack("=IHHIIBBH", 20 + len(body), self.family, REQUEST | (DUMP if dump else ACK), self.seq, 0, command, 1, 0) + body)
        out = []
        while True:
            data = self.sock.recv(1 << 18)
            while len(data) >= 16:
                size, kind, _, seq, _ = struct.unpack_from("=IHHII", data)
                body, data = data[16:size], data[(size + 3) & ~3:]
                if seq != self.seq:
                    continue
                if kind == ERROR:
                    error = -struct.unpack_from("=i", body)[0]
                    if error:
                        raise OSError(error, "ipvs")
                    return out
                if kind == DONE:
                    return out
                out.append(body[4:])

    def services(self):
        """{name: Service}. A dump may repeat an entry when other namespaces change: by name, the last one counts."""
        out = {}
        for m in self.ask(GET_SERVICE, dump=True):
            s = Service(parse(parse(m)[SERVICE]))
            out[s.name] = s
        for s in out.values():
            try:
                for m in self.ask(GET_DEST, attr(SERVICE | NESTED, s.key), dump=True):
                    d = Server(parse(parse(m)[DEST]), s.family)
                    s.servers[d.name] = d
            except OSError as e:
                if e.errno not in (ENOENT, ESRCH):  # gone between the two questions
                    raise
        return out

    def table(self):
        """{service: {server: weight}}: what a model of the checks says."""
        return {n: {k: d.weight for k, d in s.servers.items()} for n, s in self.services().items()}

    def servers(self, service):
        """{server: weight} of one service, or None when there is no such service."""
        s = self.services().get(service)
        return s and {k: d.weight for k, d in s.servers.items()}

    def daemons(self):
        """[(state, interface, id)]"""
        out = []
        for m in self.ask(GET_DAEMON, dump=True):
            d = parse(parse(m)[DAEMON])
            out.append(({1: "master", 2: "backup"}[number(d[1])], d[2].split(b"\0")[0].decode(), number(d[3])))
        return sorted(out)


def connections(netns):
    """Lines of the kernel's connection table, time-outs left out: [(client, service, server, state)]."""
    with watch.in_netns(netns), open("/proc/thread-self/net/ip_vs_conn") as f:
        rows = [line.split() for line in f.read().splitlines()[1:]]
    ip = lambda h: socket.inet_ntoa(bytes.fromhex(h)) if len(h) == 8 else h
    end = lambda h, p: "%s:%d" % (ip(h), int(p, 16))
    return sorted((end(r[1], r[2]), end(r[3], r[4]), end(r[5], r[6]), r[7]) for r in rows)


class Touches:
    """Every change asked of the kernel's IPVS, whoever asks and whatever comes of it, counted by a kprobe on its one door. Needs a
    kernel with kprobe events (Debian's has them) and nobody else at work: only in the VM, one case at a time."""

    TRACE = "/sys/kernel/tracing"
    DOORS = ("ip_vs_genl_set_cmd", "ip_vs_genl_set_daemon", "do_ip_vs_set_ctl")

    def __init__(self):
        self.doors = []

    def __enter__(self):
        with open("/proc/mounts") as f:
            if self.TRACE not in f.read():
                watch.libc.mount(b"tracefs", self.TRACE.encode(), b"tracefs", 0, None)
        for door in self.DOORS:
            with contextlib.suppress(OSError):  # the daemon's door may have been inlined
                self._put("kprobe_events", "p:holdfast/%s %s\n" % (door, door))
                self._put("events/holdfast/%s/enable" % door, "1")
                self.doors.append(door)
        if "ip_vs_genl_set_cmd" not in self.doors:
            raise OSError("no kprobe on ip_vs_genl_set_cmd here")
        return self

    def _put(self, name, text):
        fd = os.open("%s/%s" % (self.TRACE, name), os.O_WRONLY | os.O_APPEND)  # these files cannot seek: not open(..., "a")
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def count(self):
        total = 0
        with open(self.TRACE + "/kprobe_profile") as f:
            for line in f:
                name, hits, missed = line.split()
                if name in self.doors:
                    total += int(hits) + int(missed)
        return total

    def __exit__(self, *_):
        for door in self.doors:
            with contextlib.suppress(OSError):
                self._put("events/holdfast/%s/enable" % door, "0")
                self._put("kprobe_events", "-:holdfast/%s\n" % door)
