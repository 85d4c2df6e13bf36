"""A scripted VRRP router: sends given frames from a node on an exact time grid, in a process of its own. It holds the interface's
identity (MAC), so the witness attributes its frames to the node. Used where a peer must do exactly what the test says.
"""
import os
import signal
import socket
import time

from . import packet, watch


class Speaker:
    def __init__(self, lab, node, interval, priority=200, vips=(), version=3, vrid=51, auth=None, plain=False):
        n = lab.nodes[node]
        six = bool(vips) and ":" in vips[0]
        src = n.link_local if six else n.ip
        pdu = packet.advert(src, vips, version=version, vrid=vrid, priority=priority, interval=interval, auth=auth,
                            v3_plain=plain)
        self.lab, self.node, self.frame = lab, node, packet.ip_frame(n.mac, src, pdu)
        with watch.in_netns(n.ns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.bind(("eth0", 0))
            # swallows VRRP addressed to this node, so that its kernel does not answer "protocol unreachable"
            self.mute = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
        self.pid, self.interval = 0, interval

    def once(self):
        self.sock.send(self.frame)
        return time.time_ns()

    def start(self):
        pipe = self.lab.pipe
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(pipe)
                watch.libc.prctl(1, signal.SIGKILL, 0, 0, 0)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                due = time.monotonic()
                while True:
                    self.sock.send(self.frame)
                    due += self.interval
                    time.sleep(max(0, due - time.monotonic()))
            finally:
                os._exit(1)
        return self

    def stop(self):
        """Silent from now on; when the last advert went out, as the wire saw it (ns)."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = 0
        time.sleep(0.02)
        return self.lab.adverts(self.node)[-1].ts
