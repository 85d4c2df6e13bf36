"""The witnesses of a lab: one process of its own that records frames (kernel timestamps) and netlink events (addresses, links,
routes) of all namespaces into a file, so that nothing the test does can delay a timestamp. The test tails the file.

Runs with real-time priority where the machine allows it. Frames are filtered in the kernel: only what a node of the lab sent
(its MAC prefix) and only ARP, VRRP and ICMPv6, so a flood from elsewhere costs the witness nothing.
"""
import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
import time

from . import packet

SO_ATTACH_FILTER, SO_TIMESTAMPNS, SO_RCVBUFFORCE = 26, 35, 33
ETH_P_ALL, PACKET_OUTGOING = 3, 4
RTMGRP = 0x1 | 0x10 | 0x100 | 0x40 | 0x400  # link, IPv4/IPv6 addresses, IPv4/IPv6 routes
RTM_NAMES = {16: "link+", 17: "link-", 20: "addr+", 21: "addr-", 24: "route+", 25: "route-"}
RECORD = struct.Struct("=BQI")  # source, time (ns), bytes of payload
NODE_MAC = 0x02000000           # first four bytes of every node's MAC address
VIRTUAL_MAC = 0x00005E00        # of every RFC virtual MAC address
LOST = b"lost"

libc = ctypes.CDLL(None, use_errno=True)


def enter_netns(name):
    fd = os.open("/run/netns/" + name, os.O_RDONLY)
    try:
        if libc.setns(fd, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns " + name)
    finally:
        os.close(fd)


@contextlib.contextmanager
def in_netns(name):
    """Run the body with this (only) thread in a network namespace."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter_netns(name)
        yield
    finally:
        libc.setns(back, 0x40000000)
        os.close(back)


def assemble(lines):
    """Classic BPF with labels: (label, code, k, if_true, if_false); None = next line."""
    at = {line[0]: i for i, line in enumerate(lines) if line[0]}
    out = b""
    for i, (_, code, k, yes, no) in enumerate(lines):
        out += struct.pack("=HBBI", code, *(at[j] - i - 1 if j else 0 for j in (yes, no)), k)
    return out


def frame_filter():
    half, word, byte, equal, ret = 0x28, 0x20, 0x30, 0x15, 0x06
    return assemble([
        (None, half, 0xFFFFF004, None, None),  # packet type
        (None, equal, PACKET_OUTGOING, "drop", None),
        (None, word, 6, None, None),           # source MAC
        (None, equal, NODE_MAC, "ours", None),
        (None, equal, VIRTUAL_MAC, "ours", "drop"),
        ("ours", half, 12, None, None),          # Ethernet type
        (None, equal, packet.ETH_ARP, "keep", None),
        (None, equal, packet.ETH_IP6, "six", None),
        (None, equal, packet.ETH_IP4, None, "drop"),
        (None, byte, 23, None, None),
        (None, equal, 51, "keep", None),
        (None, equal, 112, "keep", "drop"),
        ("six", byte, 20, None, None),
        (None, equal, 112, "keep", None),
        (None, equal, 58, "keep", "drop"),
        ("keep", ret, 0x40000, None, None),
        ("drop", ret, 0, None, None),
    ])


def open_wire(netns):
    """Every interface of the namespace. The socket gets a protocol (and so frames) only once its filter stands."""
    with in_netns(netns):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        prog = frame_filter()
        buf = ctypes.create_string_buffer(prog)
        s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(prog) // 8, ctypes.addressof(buf)))
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sll = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0, b"")
        if libc.bind(s.fileno(), sll, len(sll)):
            raise OSError(ctypes.get_errno(), "bind packet socket")
    return s


def open_netlink(netns):
    with in_netns(netns):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        s.bind((0, RTMGRP))
    return s


class Recorder:
    """Starts the witness. sources: list of ("wire", netns) and ("netlink", netns, node)."""

    def __init__(self, path, sources, sinks=(), close=()):
        self.path, self.sources, self.offset, self.tail = path, list(sources), 0, b""
        self.frames, self.events, self.lost = [], [], 0
        ready_r, ready_w = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                for fd in (ready_r, *close):
                    os.close(fd)
                self._record(ready_w, sinks)
                status = 0
            finally:
                os._exit(status)
        os.close(ready_w)
        ok = os.read(ready_r, 16)
        os.close(ready_r)
        if not ok:
            raise RuntimeError("the witness did not start")

    # -- in the witness
    def _record(self, ready, sinks):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # ends with the test
        socks = {}
        out = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for i, src in enumerate(self.sources):
            s = open_wire(src[1]) if src[0] == "wire" else open_netlink(src[1])
            socks[s.fileno()] = (i, src[0] == "wire", s)
        drains = {s.fileno(): s for s in sinks}
        ep = select.epoll()
        for fd in list(socks) + list(drains):
            ep.register(fd, select.EPOLLIN)
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        os.write(ready, b"ready")
        os.close(ready)
        while True:
            for fd, _ in ep.poll():
                if fd in drains:
                    drains[fd].recv(65536)
                    continue
                i, wire, s = socks[fd]
                batch = self._frames(s) if wire else self._news(s)
                os.write(out, b"".join(RECORD.pack(i, ts, len(raw)) + raw for ts, raw in batch))

    @staticmethod
    def _news(s):
        """Netlink carries no timestamps, so all that waits is read (and stamped) before anything else is done."""
        batch = []
        try:
            for _ in range(4096):
                batch.append((time.time_ns(), s.recv(1 << 16, socket.MSG_DONTWAIT)))
                # stamped before the call: what it returned was there by then, or came while we asked
        except BlockingIOError:
            pass
        except OSError:  # ENOBUFS
            batch.append((time.time_ns(), LOST))
        return batch

    @staticmethod
    def _frames(s):
        batch = []
        try:
            for _ in range(256):
                raw, anc, _, addr = s.recvmsg(1 << 16, 128, socket.MSG_DONTWAIT)
                ts = time.time_ns()
                for _, kind, data in anc:
                    if kind == SO_TIMESTAMPNS and len(data) >= 16:
                        sec, nsec = struct.unpack("=qq", data[:16])
                        ts = sec * 1_000_000_000 + nsec
                port = addr[0].encode()
                batch.append((ts, bytes([len(port)]) + port + raw))
        except BlockingIOError:
            pass
        return batch

    # -- in the test
    def poll(self):
        """Take what is new into frames and events."""
        try:
            with open(self.path, "rb") as f:
                f.seek(self.offset)
                data = self.tail + f.read()
                self.offset = f.tell()
        except FileNotFoundError:
            return
        at = 0
        while at + RECORD.size <= len(data):
            i, ts, size = RECORD.unpack_from(data, at)
            if at + RECORD.size + size > len(data):
                break
            self._take(self.sources[i], ts, data[at + RECORD.size:at + RECORD.size + size])
            at += RECORD.size + size
        self.tail = data[at:]

    def _take(self, source, ts, raw):
        if raw == LOST:
            self.lost += 1
        elif source[0] == "wire":
            port = raw[1:1 + raw[0]].decode()
            if port.startswith("p-"):  # bridge ports only: one frame, one record
                self.frames.append(packet.Frame(ts, port[2:], raw[1 + raw[0]:]))
        else:
            self.events += netlink_events(ts, source[2], raw)

    def stop(self):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


class Event:
    """One netlink message: what in RTM_NAMES' values; portid is the sender's (0: the kernel itself)."""

    def __init__(self, ts, node, what, addr, portid):
        self.ts, self.node, self.what, self.addr, self.portid = ts, node, what, addr, portid

    def __repr__(self):
        return "%s %s %s by %d" % (self.node, self.what, self.addr, self.portid)


def netlink_events(ts, node, data):
    out = []
    while len(data) >= 16:
        size, kind, _, _, portid = struct.unpack("=IHHII", data[:16])
        if size < 16:
            break
        what, addr = RTM_NAMES.get(kind), ""
        if kind in (20, 21):
            want = 2 if data[16] == socket.AF_INET else 1  # IFA_LOCAL for IPv4, IFA_ADDRESS for IPv6
            attrs = data[24:size]
            while len(attrs) >= 4:
                length, attr = struct.unpack("=HH", attrs[:4])
                if length < 4:
                    break
                if attr == want:
                    addr = packet.text(attrs[4:length])
                attrs = attrs[(length + 3) & ~3:]
        if what:
            out.append(Event(ts, node, what, addr, portid))
        data = data[(size + 3) & ~3:]
    return out
