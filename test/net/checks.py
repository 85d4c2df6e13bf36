"""HTTP_GET and SSL_GET against servers that lie, dawdle and break off: each is a failed check with its reason, within its time;
honest ones next to them stay in, on time. The verdicts are read from the log and the state dump: no IPVS is needed.
"""
import hashlib
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

from case import case, check
from lab import Failure, now, watch

TIMEOUT = 1.0  # connect_timeout of every check here
PAGE = b"<html>it lives</html>\n" * 30


class Server:
    """A TCP server on an address of the node; handler(connection, request, log record)."""

    def __init__(self, node, ip, port, handler, tls=None, read=True):
        self.handler, self.tls, self.read, self.log = handler, tls, read, []
        with watch.in_netns(node.ns):
            self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind((ip, port))
        self.s.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            c, _ = self.s.accept()
            rec = {"t": time.monotonic(), "request": b"", "sni": None}
            self.log.append(rec)
            threading.Thread(target=self._serve, args=(c, rec), daemon=True).start()

    def _serve(self, c, rec):
        try:
            c.settimeout(60)
            if self.tls:
                c = self.tls(c, rec)
            while self.read and b"\r\n\r\n" not in rec["request"]:
                got = c.recv(65536)
                if not got:
                    return
                rec["request"] += got
            self.handler(c, rec)
        except OSError:
            pass
        finally:
            c.close()


def reply(body=PAGE, status=200, head=b"", length=True):
    size = b"Content-Length: %d\r\n" % len(body) if length else b""
    return b"HTTP/1.1 %d X\r\n%s%s\r\n" % (status, size, head) + body


def say(*parts, pause=0.0):
    def handler(c, rec):
        for p in parts:
            c.sendall(p)
            if pause:
                time.sleep(pause)
    return handler


def drip(data, pause, size=1):
    def handler(c, rec):
        for i in range(0, len(data), size):
            c.sendall(data[i:i + size])
            time.sleep(pause)
    return handler


def reset(c, rec):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_then_reset(c, rec):
    c.sendall(reply()[:200])
    time.sleep(0.1)
    reset(c, rec)


def endless(first, block):
    def handler(c, rec):
        c.sendall(first)
        while True:
            c.sendall(block)
    return handler


def hang(c, rec):
    time.sleep(30)


def chunked(*parts):
    return reply(b"", head=b"Transfer-Encoding: chunked\r\n", length=False) + b"".join(parts)


def certificate(folder, name="www.example.test", days=30, ca=None, key_mode=0o600, file="cert"):
    """Self-signed, or signed by ca (its file name without ending). Returns the common path without ending."""
    path = "%s/%s" % (folder, file)
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path + ".key", "-out", path + ".pem", "-days", str(days),
            "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:%s" % name]
    if ca:
        argv += ["-CA", ca + ".pem", "-CAkey", ca + ".key", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(argv, check=True, capture_output=True)
    os.chmod(path + ".key", key_mode)
    return path


def tls_of(path, version=None, client_ca=None, tickets=2):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(path + ".pem", path + ".key")
    ctx.num_tickets = tickets
    if version:
        ctx.set_ciphers("DEFAULT:@SECLEVEL=0")
        ctx.minimum_version = ctx.maximum_version = version
    if client_ca:
        ctx.verify_mode = ssl.CERT_REQUIRED
        ctx.load_verify_locations(client_ca + ".pem")

    def wrap(c, rec):
        ctx.sni_callback = lambda so, name, cx: rec.__setitem__("sni", name)
        return ctx.wrap_socket(c, server_side=True)
    return wrap


def url(*lines):
    return "url {\n path /page\n %s\n }" % "\n ".join(lines)


def service(ip, port, *checks, kind="HTTP_GET", extra=()):
    return """
 real_server %s %d {
  %s {
   %s
  }
 }""" % (ip, port, kind, "\n   ".join([*extra, *(checks or [url()])]))


def whole(servers, top="", timeout=TIMEOUT):
    return """
global_defs {
 router_id LAB
}
%s
virtual_server 10.99.0.1 80 {
 lb_algo rr
 lb_kind NAT
 protocol TCP
 delay_loop 1
 warmup 0
 retry 1
 delay_before_retry 0.2
 connect_timeout %g
 alpha
 %s
}
""" % (top, timeout, "\n".join(servers))


def verdict(d, ip, port):
    """The last word of the log about this server: ("up"|"down"|None, reason)."""
    last = None, ""
    for m in re.finditer(r"real server \[%s\]:tcp:%d of virtual server \S+ is (up|down)[^:]*: (.*)" % (re.escape(ip), port), d.read_log()):
        last = m.group(1), m.group(2)
    return last


def failures(d, ip, port):
    return re.findall(r"\S+_GET of real server \[%s\]:tcp:%d, virtual server \S+, failed: (.*)" % (re.escape(ip), port), d.read_log())


def addresses(node, n):
    ips = ["10.98.0.%d" % i for i in range(1, n + 1)]
    node.batch("\n".join("addr add %s/32 dev lo" % ip for ip in ips))
    return ips


def expect(lab, d, rows, timeout=20):
    """rows: (ip, port, wanted "up" or a piece of the reason of failure)."""
    def missing():
        out = []
        for ip, port, want in rows:
            if want == "up":
                if verdict(d, ip, port)[0] != "up":
                    out.append((ip, want, verdict(d, ip, port), failures(d, ip, port)[-1:]))
            elif verdict(d, ip, port)[0] == "up" or not any(want in f for f in failures(d, ip, port)):
                out.append((ip, want, verdict(d, ip, port), failures(d, ip, port)[-1:]))
        return out
    end = time.monotonic() + timeout
    while missing():
        if time.monotonic() > end:
            raise Failure("not as wanted: %s" % missing())
        if not d.role("parent"):
            raise Failure("the daemon is gone: %s" % d.read_log()[-800:])
        time.sleep(0.2)


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


LOUD = ("log_all_failures",)


@case("checks-http_hostile", "HTTP servers that drip, lie, break off and never end: each is down with its reason, honest ones are up and on time", limit=120)
def http_hostile(lane):
    md5 = hashlib.md5(PAGE).hexdigest()
    far = b"x" * 70000 + b"NEEDLE" + b"y" * 5000
    rows = [  # handler, url lines, checker lines, wanted
        (say(reply()), ("digest " + md5,), (), "up"),
        (say(reply(far)), ('regex "NEE?DLE"', "regex_min_offset 70000", "regex_max_offset 70001"), (), "up"),
        (say(chunked(b"5\r\nit li\r\n", b"3;ext=1\r\nves\r\n", b"0\r\n\r\n")), ('regex "^it lives$"',), ("http_protocol 1.1",), "up"),
        (say(reply(PAGE, length=False)), ("digest " + md5,), (), "up"),
        (drip(reply(b"slow but honest"), 0.02), (), (), "up"),
        (drip(reply(), 0.4), (), (), "no complete headers within 1 s"),
        (drip(reply(b"z" * 10000)[:50] + b"z" * 10000, 0.3, 20), (), (), "within 1 s"),
        (hang, (), (), "no complete headers within 1 s (0 bytes came)"),
        (reset, (), (), "Connection reset"),
        (half_then_reset, (), (), "Connection reset"),
        (say(), (), (), "closed without a reply"),
        (say(reply()[:25]), (), (), "closed before the end"),
        (say(reply()[:-10]), (), (), "closed before the end"),
        (say(bytes(range(256)) * 20), (), (), "status line"),
        (say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), (), (), "Content-Length"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X-More: and more and more and more\r\n" * 100), (), (), "headers larger"),
        (endless(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 4096), (), (), "headers larger"),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50), (), (), "headers larger"),
        (say(chunked(b"5\r\nhello\r\n", b"XYZ\r\nno\r\n", b"0\r\n\r\n")), (), ("http_protocol 1.1",), "chunked"),
        (say(chunked(b"ffffffffffffffffff\r\n")), (), ("http_protocol 1.1",), "chunked"),
        (say(chunked(b"5\r\nhello\r\n")), (), ("http_protocol 1.1",), "closed before the end"),
        (say(reply(status=503)), (), (), "status 503, wanted 200-299"),
        (say(reply(status=302)), ("status_code 200 404-410",), (), "status 302, wanted 200 404-410"),
        (say(reply(PAGE + b"!")), ("digest " + md5,), (), "digest of the body"),
        (say(reply()), ('regex "it dies"',), (), "does not match"),
        (say(reply()), ('regex "lives"', "regex_no_match"), (), "the pattern matches at byte 9"),
        (say(reply((b"a" * 26 + b"!") * 3000)), ('regex "(a+)+$"',), (), "too m"),
    ]
    with lane.lab("a") as lab:
        ips = addresses(lab.a, len(rows))
        servers, blocks, want = [], [], []
        for ip, (handler, lines, extra, wanted) in zip(ips, rows):
            servers.append(Server(lab.a, ip, 80, handler))
            blocks.append(service(ip, 80, url(*lines), extra=[*LOUD, *extra]))
            want.append((ip, 80, wanted))
        d = lab.a.start(lane.daemon, whole(blocks))
        expect(lab, d, want, 30)
        begin = time.monotonic()
        pid = d.role("checkd")
        time.sleep(8)
        times = [r["t"] for r in servers[0].log if r["t"] >= begin]
        gap = max(b - a for a, b in zip(times, times[1:]))
        check(gap < 1.6, "the honest server was asked %.2f s apart beside hostile ones", gap)
        check(d.role("checkd") == pid, "checkd was restarted")
        check(rss_kib(pid) < 40000, "checkd holds %d KiB", rss_kib(pid))
        return "%d servers; honest one asked at most %.2f s apart; RSS %d KiB" % (len(rows), gap, rss_kib(pid))


@case("checks-http_huge", "100 MB bodies to several checks at once: memory flat, another check keeps its pace", limit=120)
def http_huge(lane):
    def huge(c, rec):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
        block = b"x" * (1 << 20)
        for _ in range(100):
            c.sendall(block)
        rec["done"] = True

    with lane.lab("a") as lab:
        ips = addresses(lab.a, 4)
        big = [Server(lab.a, ip, 80, huge) for ip in ips[:3]]
        honest = Server(lab.a, ips[3], 80, say(reply()))
        blocks = [service(ips[0], 80, url(), extra=LOUD), service(ips[1], 80, url("digest " + hashlib.md5(b"x" * 104857600).hexdigest()), extra=LOUD),
                  service(ips[2], 80, url('regex "xxy"', "regex_no_match"), extra=LOUD), service(ips[3], 80, url(), extra=LOUD)]
        d = lab.a.start(lane.daemon, whole(blocks, timeout=10))
        lab.wait(lambda: verdict(d, ips[3], 80)[0] == "up", 10, "the honest server up")
        peak, end = 0, time.monotonic() + 60
        while not all(verdict(d, ip, 80)[0] == "up" for ip in ips):
            check(time.monotonic() < end, "the big pages are not through: %s %s", [verdict(d, ip, 80) for ip in ips], [failures(d, ip, 80)[-1:] for ip in ips])
            peak = max(peak, rss_kib(d.role("checkd")))
            time.sleep(0.05)
        times = [r["t"] for r in honest.log]
        gap = max([b - a for a, b in zip(times, times[1:])] + [0])
        check(peak < 20000, "checkd held %d KiB", peak)
        check(gap < 1.7, "the honest server was asked %.2f s apart", gap)
        check(all(any(r.get("done") for r in s.log) for s in big), "a big page was not read to its end")
        return "peak RSS %d KiB, honest one asked at most %.2f s apart" % (peak, gap)


@case("checks-ssl_hostile", "TLS: garbage, resets in every phase, slow handshakes, wrong names, strangers' certificates; verify, ca, sni, min_version, client certificate", limit=120)
def ssl_hostile(lane):
    with lane.lab("a") as lab:
        folder = lab.root
        ca = certificate(folder, "lab CA", file="ca")
        good = certificate(folder, ca=ca, file="good")
        alone = certificate(folder, file="alone")
        client = certificate(folder, "checker", ca=ca, file="client")
        old = certificate(folder, ca=ca, days=1, file="soon")
        ok = say(reply())

        def hello_then(what):
            """Answers the ClientHello with the first bytes of a real handshake, then breaks off."""
            def handler(c, rec):
                c.recv(4096)
                what(c)
            return handler

        verify = ("verify", "ca %s.pem" % ca, "sni www.example.test")
        rows = [  # tls, handler, read the request, checker lines, wanted
            (tls_of(good), ok, True, (), "up"),
            (tls_of(alone), ok, True, (), "up"),
            (tls_of(good), ok, True, verify, "up"),
            (tls_of(good), ok, True, ("verify", "ca %s.pem" % ca, "virtualhost www.example.test"), "up"),
            (tls_of(good, client_ca=ca), ok, True, verify, "up"),
            (tls_of(old), ok, True, (), "up"),
            (tls_of(alone), ok, True, verify, "certificate of the server refused"),
            (tls_of(good), ok, True, ("verify", "ca %s.pem" % ca, "sni other.example.test"), "certificate of the server refused"),
            (tls_of(good), ok, True, ("verify", "ca %s.pem" % ca), "certificate of the server refused"),
            (tls_of(good), ok, True, ("verify", "sni www.example.test"), "certificate of the server refused"),
            (tls_of(good, version=ssl.TLSVersion.TLSv1_2), ok, True, ("min_version 1.3",), "TLS handshake"),
            (tls_of(good, version=ssl.TLSVersion.TLSv1_2), ok, True, ("min_version 1.2",), "up"),
            (None, ok, True, (), "TLS handshake"),
            (None, say(b"\x16\x03\x03" + os.urandom(2000)), False, (), "TLS handshake"),
            (None, say(b"HTTP/1.0 400 Bad Request\r\n\r\n"), False, (), "no TLS behind this port"),
            (None, reset, False, (), "TLS handshake"),
            (None, hello_then(lambda c: reset(c, None)), False, (), "TLS handshake"),
            (None, hello_then(lambda c: None), False, (), "closed by the server"),
            (None, hello_then(lambda c: c.sendall(b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + os.urandom(100))), False, (), "TLS handshake"),
            (None, hang, False, (), "TLS handshake not done within 1 s"),
            (None, hello_then(lambda c: drip(b"\x15\x03\x01\x00\x02\x01\x00" * 500, 0.2)(c, None)), False, (), "TLS handshake"),
            (tls_of(good), hang, True, (), "no complete headers within 1 s"),
            (tls_of(good, tickets=300000), ok, True, (), "no complete headers within 1 s"),
            (tls_of(good), reset, True, (), "reset"),
            (tls_of(good), drip(reply(), 0.3), True, (), "no complete headers within 1 s"),
            (tls_of(good), endless(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n" * 200), True, (), "headers larger"),
        ]
        ips = addresses(lab.a, len(rows))
        servers, blocks, want = [], [], []
        for ip, (tls, handler, read, extra, wanted) in zip(ips, rows):
            servers.append(Server(lab.a, ip, 443, handler, tls, read))
            blocks.append(service(ip, 443, url(), kind="SSL_GET", extra=[*LOUD, *extra]))
            want.append((ip, 443, wanted))
        d = lab.a.start(lane.daemon, whole(blocks, "SSL {\n certificate %s.pem\n key %s.key\n}\n" % (client, client)))
        expect(lab, d, want, 40)
        check(servers[2].log[-1]["sni"] == "www.example.test", "sni was not sent: %s", servers[2].log[-1]["sni"])
        check(servers[3].log[-1]["sni"] == "www.example.test", "verify sent no name: %s", servers[3].log[-1]["sni"])
        check(servers[0].log[-1]["sni"] is None, "a name was sent unasked: %s", servers[0].log[-1]["sni"])
        check("the certificate of the server expires in 0 days" in d.read_log() or "expires in 1 days" in d.read_log(), "an expiring certificate is not mentioned")
        pid, begin = d.role("checkd"), time.monotonic()
        time.sleep(6)
        check(d.role("checkd") == pid, "checkd was restarted")
        times = [r["t"] for r in servers[0].log if r["t"] >= begin]
        gap = max(b - a for a, b in zip(times, times[1:]))
        status, took = d.stop()
        check(status == 0, "stop: status %d", status)
        check(gap < 1.7, "the honest server was asked %.2f s apart beside hostile ones", gap)
        return "%d servers; honest one asked at most %.2f s apart" % (len(rows), gap)


@case("checks-http_urls", "several urls: one a delay_loop, the failed one again first, all in a row before recovery; fast_recovery at once", limit=90)
def http_urls(lane):
    with lane.lab("a") as lab:
        ips = addresses(lab.a, 2)
        bad = set()

        def handler(c, rec):
            path = rec["request"].split(b" ")[1].decode()
            c.sendall(reply(status=500 if path in bad else 200))

        servers = [Server(lab.a, ip, 80, handler) for ip in ips]
        urls = ["url {\n path /%s\n }" % n for n in "abc"]
        d = lab.a.start(lane.daemon, whole([service(ips[0], 80, *urls, extra=LOUD), service(ips[1], 80, *urls, extra=[*LOUD, "fast_recovery"])]))

        def paths(s, since=0.0):
            return [(r["t"], r["request"].split(b" ")[1].decode()) for r in s.log if r["request"] and r["t"] >= since]

        lab.wait(lambda: all(verdict(d, ip, 80)[0] == "up" for ip in ips), 10, "both up")
        slow, fast = paths(servers[0])[:3], paths(servers[1])[:3]
        check([p for _, p in slow] == ["/a", "/b", "/c"] == [p for _, p in fast], "order %s %s", slow, fast)
        check(slow[2][0] - slow[0][0] > 1.5, "at start the urls came %.2f s apart", slow[2][0] - slow[0][0])
        check(fast[2][0] - fast[0][0] < 0.5, "fast_recovery took %.2f s", fast[2][0] - fast[0][0])
        bad.add("/b")
        lab.wait(lambda: all(verdict(d, ip, 80)[0] == "down" for ip in ips), 10, "both down")
        since = time.monotonic() + 0.2
        time.sleep(2.5)
        check({p for _, p in paths(servers[0], since)} == {"/b"}, "while /b fails these were asked: %s", paths(servers[0], since))
        bad.clear()
        since = time.monotonic()
        lab.wait(lambda: all(verdict(d, ip, 80)[0] == "up" for ip in ips), 10, "both up again")
        check([p for _, p in paths(servers[0], since)][:3] == ["/b", "/c", "/a"], "recovery asked %s", paths(servers[0], since))
        req = servers[0].log[0]["request"]
        check(req == b"GET /a HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: %s:80\r\n\r\n" % ips[0].encode(), "the request was %r", req)
        return "recovery took %.1f s in turn" % (now() / 1e9 - now() / 1e9 + paths(servers[0], since)[2][0] - since)
