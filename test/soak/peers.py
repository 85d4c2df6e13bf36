"""The simulated real servers of the soak: one process that listens on one address a server and behaves as it is told: up (200), error
(503), mute (takes the connection and says nothing), refuse (nobody listens). Told by lines on a socket pair, one reply a line.
"""
import json
import os
import selectors
import signal
import socket

from lab import watch

PAGES = {"up": b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n", "error": b"HTTP/1.0 503 No\r\nContent-Length: 3\r\n\r\nno\n"}


class Peers:
    """The test's end."""

    def __init__(self, lab, netns):
        self.sock, other = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.sock.close()
                os.close(lab.pipe)  # the janitor waits for the test's end alone
                watch.libc.prctl(1, signal.SIGKILL, 0, 0, 0)
                watch.enter_netns(netns)
                Loop(other).run()
            finally:
                os._exit(1)
        other.close()
        self.file = self.sock.makefile("rw")

    def set(self, servers):
        """[(ip, mode)]; they behave so when this returns."""
        self.file.write(json.dumps(servers) + "\n")
        self.file.flush()
        if not self.file.readline():
            raise RuntimeError("the simulated servers are gone")


class Loop:
    def __init__(self, control):
        self.sel, self.control, self.listeners, self.rest = selectors.DefaultSelector(), control, {}, b""
        self.sel.register(control, selectors.EVENT_READ, self.told)

    def run(self):
        while True:
            for key, _ in self.sel.select():
                key.data(key.fileobj)

    def told(self, sock):
        data = sock.recv(1 << 20)
        if not data:
            os._exit(0)
        self.rest += data
        while b"\n" in self.rest:
            line, self.rest = self.rest.split(b"\n", 1)
            for ip, mode in json.loads(line):
                self.become(ip, mode)
            sock.sendall(b"done\n")

    def become(self, ip, mode):
        old = self.listeners.pop(ip, None)
        if old:
            self.sel.unregister(old)
            old.close()
        if mode == "refuse":
            return
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((ip, 80))
        s.listen(256)
        s.setblocking(False)
        self.listeners[ip] = s
        self.sel.register(s, selectors.EVENT_READ, lambda x, m=mode: self.accept(x, m))

    def accept(self, listener, mode):
        try:
            c, _ = listener.accept()
        except OSError:
            return
        c.setblocking(False)
        self.sel.register(c, selectors.EVENT_READ, lambda x, m=mode: self.answer(x, m))

    def answer(self, c, mode):
        try:
            data = c.recv(4096)
            if data and mode == "mute":
                return
            if data:
                c.send(PAGES[mode])
        except OSError:
            pass
        self.sel.unregister(c)
        c.close()
