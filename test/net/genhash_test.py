#!/usr/bin/env python3
"""genhash against real servers on loopback: pages, TLS, broken and slow servers. One line a test.

    genhash_test.py [--genhash PATH] [--only PATTERN] [--list]

The judge is hashlib; the incumbent's genhash, where it is installed, is asked the same where both mean the same.
"""
import argparse
import contextlib
import fnmatch
import hashlib
import http.server
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE)]

from lab import Skip, check, suite  # noqa: E402

BODY = bytes(range(256)) * 1000 + b"the end"
CASES = []


def case(fn):
    CASES.append(fn)
    return fn


def md5(data):
    return hashlib.md5(data).hexdigest()


class Run:
    def __init__(self, argv, limit=20):
        began = time.monotonic()
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit)
        self.took = time.monotonic() - began
        self.status, self.out, self.err = p.returncode, p.stdout.decode("latin-1"), p.stderr.decode("latin-1")

    def __str__(self):
        return "status %d, out %r, err %r, %.2f s" % (self.status, self.out[:200], self.err[:300], self.took)


class Lab:
    def __init__(self, genhash, folder):
        self.genhash, self.folder = genhash, folder

    def run(self, *args, limit=20):
        return Run([self.genhash, *map(str, args)], limit)

    def get(self, port, *args, host="127.0.0.1", url="/", limit=20):
        return self.run("-s", host, "-p", port, "-u", url, *args, limit=limit)

    def hashes(self, want, port, *args, **kw):
        r = self.get(port, *args, **kw)
        check(r.status == 0 and r.out == want + "\n" and r.err == "", "wanted %s, got %s" % (want, r))

    def fails(self, text, port, *args, within=5.0, **kw):
        r = self.get(port, *args, **kw)
        check(r.status == 2 and r.out == "" and re.search(text, r.err), "wanted status 2 and /%s/, got %s" % (text, r))
        check(r.took < within, "took %.2f s, wanted less than %.2f" % (r.took, within))
        return r

    def certificate(self):
        path = os.path.join(self.folder, "server.pem")
        if not os.path.exists(path):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path, "-out", path + ".crt", "-days", "2",
                            "-subj", "/CN=genhash.test"], check=True, capture_output=True)
            with open(path, "a") as f:
                f.write(open(path + ".crt").read())
        return path

    def tls(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(self.certificate())
        return ctx


@contextlib.contextmanager
def server(talk, family=socket.AF_INET):
    """talk(conn, request) for each connection, request read up to its empty line. Yields (port, list of requests)."""
    s = socket.socket(family)
    s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    s.listen(16)
    seen = []

    def one(c):
        with c, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                more = c.recv(4096)
                if not more:
                    return
                data += more
            seen.append(data)
            talk(c, data)

    def loop():
        while True:
            try:
                c = s.accept()[0]
            except OSError:
                return
            threading.Thread(target=one, args=(c,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    try:
        yield s.getsockname()[1], seen
    finally:
        s.shutdown(socket.SHUT_RDWR)
        s.close()


def says(*pieces, pause=0.0):
    def talk(c, _):
        for p in pieces:
            c.sendall(p)
            time.sleep(pause)
    return talk


def reply(body, head=b"Content-Length: %d\r\n", status=b"200 OK"):
    return b"HTTP/1.1 " + status + b"\r\n" + (head % len(body) if b"%d" in head else head) + b"\r\n" + body


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


@contextlib.contextmanager
def files(folder, wrap=None):
    """python's own http.server over a folder."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *a):
            super().__init__(*a, directory=folder)

        def log_message(self, *a):
            pass

    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if wrap:
        s.socket = wrap.wrap_socket(s.socket, server_side=True)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    try:
        yield s.server_address[1]
    finally:
        s.shutdown()
        s.server_close()


# ---- pages ------------------------------------------------------------------------------------------------------

@case
def real_server(lab):
    """A file from python's http.server, and its 404 page."""
    with open(os.path.join(lab.folder, "page.bin"), "wb") as f:
        f.write(BODY)
    with files(lab.folder) as port:
        for proto in ("1.0", "1.0c", "1.1"):
            lab.hashes(md5(BODY), port, "-P", proto, url="/page.bin")
        r = lab.get(port, url="/absent")
        check(r.status == 0 and re.fullmatch(r"[0-9a-f]{32}\n", r.out), str(r))


@case
def any_status(lab):
    for status in (b"200 OK", b"301 Moved", b"404 Not Found", b"503 Busy"):
        with server(says(reply(b"page of " + status, status=status))) as (port, _):
            lab.hashes(md5(b"page of " + status), port)


@case
def request_bytes(lab):
    """What is asked, to the byte."""
    with server(says(reply(b"x"))) as (port, seen):
        host = b"Host: 127.0.0.1:%d\r\n\r\n" % port
        agent = b"User-Agent: KeepAliveClient\r\n"
        lab.hashes(md5(b"x"), port, url="/a?b=c")
        lab.hashes(md5(b"x"), port, "-P", "1.0c")
        lab.hashes(md5(b"x"), port, "-P", "1.1")
        lab.hashes(md5(b"x"), port, "-V", "www.example.org")
        want = [b"GET /a?b=c HTTP/1.0\r\n" + agent + host, b"GET / HTTP/1.0\r\n" + agent + b"Connection: close\r\n" + host,
                b"GET / HTTP/1.1\r\n" + agent + b"Connection: close\r\n" + host,
                b"GET / HTTP/1.0\r\n" + agent + b"Host: www.example.org\r\n\r\n"]
        check(seen == want, "asked %r" % (seen,))


@case
def ipv6(lab):
    try:
        with server(says(reply(BODY)), socket.AF_INET6) as (port, seen):
            lab.hashes(md5(BODY), port, host="::1")
            check(b"\r\nHost: [::1]:%d\r\n" % port in seen[0], repr(seen))
    except OSError as e:
        raise Skip("no IPv6 loopback: %s" % e)


@case
def length_honoured(lab):
    """Nothing behind Content-Length is hashed or waited for."""
    def talk(c, _):
        c.sendall(reply(b"he", b"Content-Length: 2\r\n") + b"llo")
        time.sleep(3)
    with server(talk) as (port, _):
        r = lab.get(port)
        check(r.out == md5(b"he") + "\n" and r.took < 1.5, str(r))


@case
def until_close(lab):
    with server(says(reply(BODY, b"Server: x\r\n"))) as (port, _):
        lab.hashes(md5(BODY), port)
    with server(says(b"HTTP/1.0 204 No Content\r\n\r\n")) as (port, _):
        lab.hashes(md5(b""), port)


@case
def chunked(lab):
    raw = b"".join(b"%x;ext\r\n%s\r\n" % (len(p), p) for p in (b"one", b"two" * 10000, b"3")) + b"0\r\nTrailer: x\r\n\r\n"
    with server(says(reply(raw, b"Transfer-Encoding: chunked\r\n"))) as (port, _):
        lab.hashes(md5(b"one" + b"two" * 10000 + b"3"), port, "-P", "1.1")
        lab.hashes(md5(raw), port)  # asked as 1.0: as it comes, like the incumbent


@case
def slow_but_in_time(lab):
    """Byte by byte, headers and body cut everywhere."""
    data = reply(b"drip")
    with server(says(*[data[i:i + 1] for i in range(len(data))], pause=0.01)) as (port, _):
        lab.hashes(md5(b"drip"), port, "-t", "5")


@case
def large(lab):
    body = os.urandom(1 << 20) * 64
    with server(says(reply(body))) as (port, _):
        lab.hashes(md5(body), port, "-t", "30", limit=40)


@case
def verbose(lab):
    with server(says(reply(b"hello", b"X-Test: \x1b[31m\r\nContent-Length: 5\r\n"))) as (port, _):
        r = lab.get(port, "-v")
        check(r.status == 0, str(r))
        for want in ("HTTP Header Buffer", "0000  48 54 54 50 2f 31 2e 31 - 20 32 30 30", "HTTP/1.1 200 OK", "HTML Buffer",
                     "0000  68 65 6c 6c 6f ", "hello", md5(b"hello") + "\n", "Global response time for [/] ="):
            check(want in r.out, "%r is missing in %s" % (want, r.out))
        check("\x1b" not in r.out, "a terminal escape of the server came through")


# ---- TLS --------------------------------------------------------------------------------------------------------

@case
def tls(lab):
    with open(os.path.join(lab.folder, "page.bin"), "wb") as f:
        f.write(BODY)
    with files(lab.folder, lab.tls()) as port:
        lab.hashes(md5(BODY), port, "-S", url="/page.bin")
        lab.hashes(md5(BODY), port, "--use-ssl", "-P", "1.1", url="/page.bin")


@case
def tls_openssl(lab):
    """Against openssl s_server: another implementation of the other end."""
    cert = lab.certificate()
    with open(os.path.join(lab.folder, "plain.txt"), "wb") as f:
        f.write(BODY)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for version in ("-tls1_2", "-tls1_3"):
        p = subprocess.Popen(["openssl", "s_server", "-quiet", version, "-WWW", "-cert", cert, "-key", cert, "-accept", "127.0.0.1:%d" % port],
                             cwd=lab.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            lab.hashes(md5(BODY), port, "-S", url="/plain.txt")
        finally:
            p.kill()
            p.wait()


@case
def tls_sni(lab):
    names = []
    ctx = lab.tls()
    ctx.sni_callback = lambda sock, name, c: names.append(name)
    with files(lab.folder, ctx) as port:
        for args, want in (([], None), (["-V", "www.example.org"], None), (["-I", "-V", "www.example.org:8443"], "www.example.org")):
            names.clear()
            lab.get(port, "-S", *args)
            check(names == [want], "%r gave %r, wanted %r" % (args, names, want))


@case
def tls_to_plain(lab):
    """TLS asked from a server without it, and the other way round."""
    with server(says(reply(b"x"))) as (port, _):
        lab.fails("TLS handshake", port, "-S", "-t", "2")
    with files(lab.folder, lab.tls()) as port:
        lab.fails("closed|reset|status line", port, "-t", "2")


@case
def tls_cut(lab):
    """A body without length whose TLS stream just ends: it may be cut short."""
    ctx = lab.tls()
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(4)

    def loop():
        with contextlib.suppress(OSError):
            raw = s.accept()[0]
            c = ctx.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)
            c.recv(4096)
            c.sendall(reply(b"half", b""))
            os.close(c.detach())  # no close_notify
    threading.Thread(target=loop, daemon=True).start()
    lab.fails("close message", s.getsockname()[1], "-S", "-t", "3")
    s.close()


# ---- what must fail -----------------------------------------------------------------------------------------------

@case
def refused(lab):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    lab.fails("cannot connect: Connection refused", port)


@case
def silent(lab):
    """Connects and says nothing: the timeout covers it."""
    with server(lambda c, _: time.sleep(10)) as (port, _):
        r = lab.fails("timeout", port, "-t", "0.5", within=1.5)
        check(r.took > 0.4, "gave up after %.2f s" % r.took)


@case
def silent_tls(lab):
    with socket.socket() as s:  # accepts in the kernel, nobody answers the handshake
        s.bind(("127.0.0.1", 0))
        s.listen(4)
        lab.fails("timeout while TLS handshake", s.getsockname()[1], "-S", "-t", "0.5", within=1.5)


@case
def unconnectable(lab):
    """The queue of the listener is full: connect itself waits."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        fillers = []
        for _ in range(4):
            f = socket.socket()
            f.setblocking(False)
            f.connect_ex(s.getsockname())
            fillers.append(f)
        time.sleep(0.1)
        lab.fails("timeout while connecting", s.getsockname()[1], "-t", "0.5", within=1.5)
        for f in fillers:
            f.close()


@case
def drip_for_ever(lab):
    """A byte now and then must not hold it beyond the timeout, in headers or in the body."""
    with server(says(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 200, pause=0.05)) as (port, _):
        lab.fails("timeout", port, "-t", "1", within=2)
    with server(says(reply(b"", b"Content-Length: 1000\r\n"), *[b"x"] * 200, pause=0.05)) as (port, _):
        lab.fails("timeout", port, "-t", "1", within=2)


@case
def flood_for_ever(lab):
    """A body that never ends and never pauses."""
    def talk(c, _):
        c.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            c.sendall(b"x" * 65536)
    with server(talk) as (port, _):
        lab.fails("timeout", port, "-t", "1", within=2)


@case
def truncated(lab):
    for data in (b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Le", reply(b"half", b"Content-Length: 8\r\n")):
        with server(says(*[data] if data else [])) as (port, _):
            lab.fails("closed", port)
    with server(says(reply(b"5\r\nhel", b"Transfer-Encoding: chunked\r\n"))) as (port, _):
        lab.fails("closed before the end", port, "-P", "1.1")


@case
def reset_by_server(lab):
    def talk(c, _):
        c.sendall(reply(b"half", b"Content-Length: 8\r\n"))
        time.sleep(0.1)
        reset(c)
    with server(talk) as (port, _):
        lab.fails("reset", port)
    with server(lambda c, _: reset(c)) as (port, _):
        lab.fails("reset", port)


@case
def garbage(lab):
    for data in (b"SSH-2.0-OpenSSH_9.2", os.urandom(4096), b"\0" * 100, b"HTTP/1.1 999999\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A" * 200000,
                 reply(b"x", b"Content-Length: -1\r\n"), reply(b"x", b"Content-Length: 1\r\nContent-Length: 2\r\n")):
        def talk(c, _, data=data):
            c.sendall(data)
            time.sleep(0.2)
        with server(talk) as (port, _):
            r = lab.get(port, "-t", "2")
            check(r.status == 2 and r.out == "" and r.err.startswith("genhash: no hash of / from 127.0.0.1 port"), "%r: %s" % (data[:40], r))


# ---- command line -------------------------------------------------------------------------------------------------

@case
def usage(lab):
    """Every wrong line ends with the usage on stderr and 1, and connects to nobody."""
    with server(says(reply(b"x"))) as (port, seen):
        ok = ["-s", "127.0.0.1", "-p", str(port), "-u", "/"]
        for args in (["-h"], ["--help"], [], ok[2:], ok[:2] + ok[4:], ok[:4], ok + ["-z"], ok + ["extra"], ok + ["-P", "2"], ok + ["-t", "0"],
                     ok + ["-t", "x"], ok + ["-t", "nan"], ok + ["-m", "-1"], ok + ["-m", "4294967296"], ok + ["-p", "0"], ok + ["-p", "65536"],
                     ok + ["-p", "80x"], ok + ["-s", "localhost"], ok + ["-s", "127.0.0.1/8"], ok + ["-u", "/a b"], ok + ["-u", ""],
                     ok + ["-u", "/\r\nX: y"], ok + ["-V", "a\nb"], ok + ["-I"], ok + ["-I", "-V", "x"], ok + ["-S", "-I"]):
            r = lab.run(*args)
            check(r.status == 1 and r.out == "" and "Usage: genhash" in r.err, "%r: %s" % (args, r))
        check(not seen, "asked %r" % (seen,))


@case
def long_options(lab):
    with server(says(reply(b"x"))) as (port, seen):
        r = lab.run("--server", "127.0.0.1", "--port", port, "--url", "/l", "--use-virtualhost=v.example", "--protocol=1.1", "--timeout=3")
        check(r.out == md5(b"x") + "\n", str(r))
        check(seen[0].startswith(b"GET /l HTTP/1.1\r\n") and b"Host: v.example\r\n" in seen[0], repr(seen))


@case
def fwmark(lab):
    """The mark is on the socket; without the privilege a clear error."""
    if os.geteuid() != 0:
        raise Skip("needs root")

    def talk(c, _):
        time.sleep(0.5)
        c.sendall(reply(b"x"))
    with server(talk) as (port, _):
        p = subprocess.Popen([lab.genhash, "-s", "127.0.0.1", "-p", str(port), "-u", "/", "-m", "0x1f"], stdout=subprocess.PIPE)
        time.sleep(0.25)
        table = subprocess.run(["ss", "-Htne", "dst", "127.0.0.1:%d" % port], capture_output=True, text=True).stdout
        out = p.communicate()[0].decode()
        check(out == md5(b"x") + "\n" and p.returncode == 0, "status %d, out %r" % (p.returncode, out))
        check("fwmark:0x1f" in table, "ss says %r" % table)
        r = Run(["setpriv", "--bounding-set", "-net_admin,-net_raw", "--reuid", "65534", "--regid", "65534", "--clear-groups", lab.genhash,
                 "-s", "127.0.0.1", "-p", str(port), "-u", "/", "-m", "31"])
        check(r.status == 2 and r.out == "" and "CAP_NET_ADMIN" in r.err, str(r))


@case
def like_the_incumbent(lab):
    """The same line from the same server, where the incumbent is installed."""
    other = shutil.which("genhash", path="/usr/bin:/usr/sbin")
    if not other or b"KeepAliveClient" not in open(other, "rb").read():
        raise Skip("no genhash of the incumbent here")
    for data, args in ((reply(BODY), []), (reply(b"page", status=b"404 No"), []), (reply(b"he", b"Content-Length: 2\r\n") + b"llo", []),
                       (reply(b"until close", b""), []), (reply(b"5\r\nhello\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\n"), []),
                       (reply(b"v"), ["-V", "a.example", "-P", "1.1"])):
        with server(says(data)) as (port, seen):
            ours = lab.get(port, *args)
            theirs = Run([other, "-s", "127.0.0.1", "-p", str(port), "-u", "/", *args])
            check(ours.out == theirs.out and ours.status == theirs.status == 0, "ours %s, theirs %s" % (ours, theirs))
            check(seen[0] == seen[1], "asked %r and %r" % tuple(seen))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--genhash", default=os.path.join(HERE, "../../build/genhash"))
    p.add_argument("--only", default="*")
    p.add_argument("--list", action="store_true")
    o = p.parse_args()
    if not os.access(o.genhash, os.X_OK):
        sys.exit("%s: no such program (build it first: make)" % o.genhash)
    with tempfile.TemporaryDirectory(prefix="genhash-") as folder:
        os.chmod(folder, 0o755)
        copy = os.path.join(folder, "genhash")  # reachable for the unprivileged user, wherever the build tree is
        shutil.copy(o.genhash, copy)
        os.chmod(copy, 0o755)
        lab = Lab(copy, folder)
        tests = [("genhash-" + f.__name__, f) for f in CASES if fnmatch.fnmatch(f.__name__, o.only)]
        if o.list:
            print(*(f.__name__ for _, f in tests), sep="\n")
            return 0
        return 1 if suite.each(tests, lambda _: lab) else 0


if __name__ == "__main__":
    sys.exit(main())
