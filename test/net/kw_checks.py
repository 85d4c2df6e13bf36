"""Keywords of the checks, each judged by what it changes on the wire or in a verdict. No IPVS is needed: verdicts are read from the log.
"""
import contextlib
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
from checks import Server, addresses, certificate, expect, reply, say, service, url, whole
from lab import watch

# pattern, options, page, with the options, without them: True matches, None is refused as a pattern
REGEX = [
    (r"^a[^]b]c", "allow_empty_class", b"axb]c", True, False),
    (r"^a\xz$", "alt_bsux", b"axz", True, False),
    (r"^(a)(b)$", "auto_callout", b"ab", True, True),
    (r"it lives", "caseless", b"It LIVES", True, False),
    (r"lives$", "dollar_endonly", b"it lives\n", False, True),
    (r"a.b", "dotall", b"a\nb", True, False),
    (r"^((?<n>a)|(?<n>b))$", "dupnames", b"b", True, None),
    (r"a b # comment", "extended", b"ab", True, False),
    (r"two", "firstline", b"one\ntwo", False, True),
    (r"^(a)?\1b", "match_unset_backref", b"b", True, False),
    (r"^two", "multiline", b"one\ntwo", True, False),
    (r"(*UCP)x", "never_ucp", b"x", None, True),
    (r"(*UTF)x", "never_utf", b"x", None, True),
    (r"^(a)(?<n>b)\1$", "no_auto_capture", b"abb", True, False),
    (r"^a+b$", "no_auto_possess", b"aab", True, True),
    (r".*lives", "no_dotstar_anchor", b"it lives", True, True),
    (r"(*COMMIT)ABC", "no_start_optimize", b"DEFABC", False, True),
    (r"^\w+$", "utf ucp", "é".encode(), True, False),
    (r"^(?>a*)ab$", "ungreedy", b"ab", True, False),
    (r"^.$", "utf", "é".encode(), True, False),
    (r"a\Cb", "never_backslash_c", b"axb", None, True),
    (r"x\n^", "multiline alt_circumflex", b"x\n", True, False),
    (r"^(?:(*:a\)[b)c])$", "alt_verbnames", b"c]", True, False),
    (r"a+", "use_offset_limit", b"baaa", True, True),
    (r"^it", "dotall caseless", b"no\nIT", False, False),
    (r"^it.x", "dotall caseless multiline", b"no\nIT\nx", True, False),
]
EDGES = [  # pattern, further lines, page, matches
    ("NEEDLE", ("regex_min_offset 5",), b"abcdeNEEDLE", True),
    ("NEEDLE", ("regex_min_offset 6",), b"abcdeNEEDLE", False),
    ("NEEDLE", ("regex_max_offset 5",), b"abcdeNEEDLE", True),
    ("NEEDLE", ("regex_max_offset 4",), b"abcdeNEEDLE", False),
    ("NEEDLE", ("regex_min_offset 5", "regex_max_offset 5", "regex_options use_offset_limit", "regex_stack 8192 65536"), b"abcdeNEEDLE", True),
    ("NEEDLE", ("regex_no_match",), b"abcdeNEEDLE", False),
    ("NEEDLE", ("regex_no_match", "regex_max_offset 4"), b"abcdeNEEDLE", True),
    ("needle", ("regex_no_match", "regex_options caseless"), b"NEEDLE", False),
]


@case("kw-check-regex", "each word of regex_options with a page that tells it from its absence; regex_no_match, offsets, stack", limit=60)
def regex(lane):
    rows, refused = [], []
    for pattern, options, page, given, absent in REGEX:
        for line, want in (("regex_options " + options, given), ("", absent)):
            (refused if want is None else rows).append(((pattern, line, page), want))
    rows += [((pattern, "\n ".join(lines), page), want) for pattern, lines, page, want in EDGES]
    with lane.lab("a") as lab:
        ips = addresses(lab.a, len(rows))
        blocks, want = [], []
        for ip, ((pattern, line, page), good) in zip(ips, rows):
            Server(lab.a, ip, 80, say(reply(page)))
            blocks.append(service(ip, 80, url('regex "%s"' % pattern.replace("\\", "\\\\"), line), extra=("log_all_failures",)))
            want.append((ip, 80, "up" if good else "the pattern matches" if "no_match" in line else "does not match"))
        d = lab.a.start(lane.daemon, whole(blocks))
        try:
            expect(lab, d, want, 20)
        except Exception as e:
            wrong = {ip: row for ip, row in zip(ips, rows) if "'%s'" % ip in str(e)}
            raise type(e)("%s\n%s" % (e, wrong)) from e
        return "%d patterns" % len(rows)


@case("kw-check-regex-refused", "words of regex_options that forbid what a pattern uses, or are needed by it, make it refused", limit=30)
def regex_refused(lane):
    with lane.lab("a") as lab:
        n = 0
        for pattern, options, _, given, absent in REGEX:
            for line, want in (("regex_options " + options, given), ("", absent)):
                if None in (given, absent):
                    path = "%s/conf%d" % (lab.root, n)
                    with open(path, "w") as f:
                        f.write(whole([service("10.98.0.1", 80, url('regex "%s"' % pattern.replace("\\", "\\\\"), line))]))
                    p = subprocess.run([*lane.daemon, "-t", "-f", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                    check(("HF-REGEX" in p.stdout) == (want is None), "%s with '%s': %s", pattern, line, p.stdout[-300:])
                    n += 1
        check(n == 8, "%d patterns", n)


def virtual(n, servers, *lines, ip="10.99.0.%d"):
    """The n-th virtual server: quick, nothing retried."""
    quick = ("delay_loop 1", "retry 0", "connect_timeout 1")
    first = [x for x in quick if not any(y.startswith(x.split()[0]) for y in lines)]
    return "virtual_server %s 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n warmup 0\n alpha\n %s\n%s\n}\n" % (
        ip % n, "\n ".join([*first, *lines]), "\n".join(servers))


def real(ip, port, *lines):
    return " real_server %s %d {\n  %s\n }" % (ip, port, "\n  ".join(lines))


def checker(kind, *lines):
    return "%s {\n   log_all_failures\n   %s\n  }" % (kind, "\n   ".join(lines))


GLOBAL = "global_defs {\n router_id LAB\n}\n"
AGENT = b"User-Agent: KeepAliveClient\r\n"
CLOSE = b"Connection: close\r\n"


@case("kw-check-http-request", "virtualhost of url, checker, server and service, the nearest counts; http_protocol, path, connect_ip, connect_port on the wire", limit=60)
def request(lane):
    path = "url {\n path %s\n %s\n }"
    rows = [  # virtualhost of service and server, lines of the checker, the request
        ("", "", (path % ("/", ""),), b"GET / HTTP/1.0\r\n" + AGENT + b"Host: %(ip)s:80\r\n\r\n"),
        ("virtualhost vs.test", "", (path % ("/", ""),), b"GET / HTTP/1.0\r\n" + AGENT + b"Host: vs.test\r\n\r\n"),
        ("virtualhost vs.test", "virtualhost rs.test", (path % ("/", ""),), b"GET / HTTP/1.0\r\n" + AGENT + b"Host: rs.test\r\n\r\n"),
        ("virtualhost vs.test", "virtualhost rs.test", ("virtualhost check.test", path % ("/", "")),
         b"GET / HTTP/1.0\r\n" + AGENT + b"Host: check.test\r\n\r\n"),
        ("virtualhost vs.test", "virtualhost rs.test", ("virtualhost check.test", path % ("/", "virtualhost url.test:81")),
         b"GET / HTTP/1.0\r\n" + AGENT + b"Host: url.test:81\r\n\r\n"),
        ("", "", ("http_protocol 1.0", path % ("/a?b=c&d=%20", "")), b"GET /a?b=c&d=%%20 HTTP/1.0\r\n" + AGENT + b"Host: %(ip)s:80\r\n\r\n"),
        ("", "", ("http_protocol 1.0C", path % ('"/with/quotes"', "")), b"GET /with/quotes HTTP/1.0\r\n" + AGENT + CLOSE + b"Host: %(ip)s:80\r\n\r\n"),
        ("", "", ("http_protocol 1.1", path % ("/", "virtualhost v.test")), b"GET / HTTP/1.1\r\n" + AGENT + CLOSE + b"Host: v.test\r\n\r\n"),
        ("", "", ("connect_port 81", path % ("/", "")), b"GET / HTTP/1.0\r\n" + AGENT + b"Host: %(ip)s:81\r\n\r\n"),
        ("", "", ("connect_ip 10.98.0.99", "connect_port 82", path % ("/", "")), b"GET / HTTP/1.0\r\n" + AGENT + b"Host: 10.98.0.99:82\r\n\r\n"),
    ]
    with lane.lab("a") as lab:
        ips = addresses(lab.a, len(rows))
        lab.a.batch("addr add 10.98.0.99/32 dev lo")
        seen, text = [], GLOBAL
        for n, (ip, (vs, rs, lines, _)) in enumerate(zip(ips, rows)):
            where = ("10.98.0.99", 82) if "connect_ip" in lines[0] else (ip, 81) if "connect_port" in lines[0] else (ip, 80)
            seen.append(Server(lab.a, *where, say(reply())))
            text += virtual(n + 1, [real(ip, 80, rs, checker("HTTP_GET", *lines))], vs)
        d = lab.a.start(lane.daemon, text)
        expect(lab, d, [(ip, 80, "up") for ip in ips])
        for ip, server, (_, _, lines, want) in zip(ips, seen, rows):
            want = want.replace(b"%(ip)s", ip.encode()).replace(b"%%", b"%")
            check(server.log[0]["request"] == want, "%s: the request was %r, not %r", lines, server.log[0]["request"], want)
        return "%d requests" % len(rows)


@case("kw-check-http-verdict", "status_code in lists and ranges, digest in either case, all conditions of a url together", limit=60)
def verdict_of_url(lane):
    md5 = hashlib.md5(b"page").hexdigest()
    rows = [  # status, page, lines, wanted
        (204, b"", (), "up"), (299, b"page", (), "up"), (300, b"page", (), "status 300"), (199, b"page", (), "down"),
        (404, b"page", ("status_code 404",), "up"), (200, b"page", ("status_code 404",), "status 200, wanted 404"),
        (405, b"page", ("status_code 200-204 404-410 503",), "up"), (503, b"page", ("status_code 200-204 404-410 503",), "up"),
        (205, b"page", ("status_code 200-204 404-410 503",), "status 205"), (411, b"page", ("status_code 200-204 404-410",), "status 411"),
        (200, b"page", ("digest " + md5,), "up"), (200, b"page", ("digest " + md5.upper(),), "up"), (200, b"pagf", ("digest " + md5,), "digest"),
        (500, b"page", ("digest " + md5,), "status 500"), (500, b"page", ("status_code 500", "digest " + md5), "up"),
        (200, b"page", ("digest " + md5, 'regex "eg"'), "does not match"), (200, b"page", ("digest " + md5, 'regex "ag"', "status_code 200"), "up"),
    ]
    with lane.lab("a") as lab:
        ips = addresses(lab.a, len(rows))
        for ip, (status, page, _, _) in zip(ips, rows):
            Server(lab.a, ip, 80, say(reply(page, status)))
        d = lab.a.start(lane.daemon, whole([service(ip, 80, url(*lines), extra=("log_all_failures",)) for ip, (_, _, lines, _) in zip(ips, rows)]))
        expect(lab, d, [(ip, 80, "" if want == "down" else want) for ip, (_, _, _, want) in zip(ips, rows)])
        return "%d pages" % len(rows)


def ending(c, rec):
    """Answers, then notes how the client ends the session: with a close notification, or without one."""
    c.sendall(reply())
    try:
        rec["end"] = "notified" if c.recv(100) == b"" else "data"
    except ssl.SSLError as e:  # an SSLEOFError in newer pythons
        rec["end"] = "cut" if "EOF" in str(e) else repr(e)
    except OSError as e:
        rec["end"] = repr(e)


@case("kw-check-tls", "tls_compliant of SSL_GET and of a url: the end of the session is told; enable_sni, sni_name, sni and which virtualhost is the name", limit=60)
def tls(lane):
    path = "url {\n path /\n %s\n }"
    rows = [  # virtualhost of the service, lines of the checker, of the url, end of the session, name sent
        ("", (), "", "cut", None), ("", ("tls_compliant",), "", "notified", None), ("", ("tls_compliant on",), "tls_compliant off", "cut", None),
        ("", (), "tls_compliant", "notified", None), ("", ("tls_compliant no",), "", "cut", None),
        ("", (), "virtualhost url.test", "cut", None), ("", ("enable_sni",), "virtualhost url.test", "cut", "url.test"),
        ("", ("enable_sni off",), "virtualhost url.test", "cut", None), ("", ("enable_sni", "virtualhost check.test"), "", "cut", "check.test"),
        ("virtualhost vs.test", ("enable_sni true",), "", "cut", "vs.test"), ("virtualhost vs.test:8443", ("enable_sni",), "", "cut", "vs.test"),
        ("virtualhost vs.test", ("sni_name given.test",), "", "cut", "given.test"), ("virtualhost vs.test", ("sni_name",), "", "cut", "vs.test"),
        ("virtualhost vs.test", ("enable_sni", "sni_name given.test"), "virtualhost url.test", "cut", "given.test"), ("", ("enable_sni",), "", "cut", None),
    ]
    with lane.lab("a") as lab:
        path_of = certificate(lab.root)

        def wrap(c, rec):
            own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            own.options &= ~0x80  # SSL_OP_IGNORE_UNEXPECTED_EOF, which Debian's python sets
            own.load_cert_chain(path_of + ".pem", path_of + ".key")
            own.sni_callback = lambda so, name, cx: rec.__setitem__("sni", name)
            return own.wrap_socket(c, server_side=True, suppress_ragged_eofs=False)
        ips = addresses(lab.a, len(rows))
        seen, text = [], GLOBAL
        for n, (ip, (vs, lines, of_url, _, _)) in enumerate(zip(ips, rows)):
            seen.append(Server(lab.a, ip, 443, ending, wrap))
            text += virtual(n + 1, [real(ip, 443, checker("SSL_GET", *lines, path % of_url))], vs)
        d = lab.a.start(lane.daemon, text)
        expect(lab, d, [(ip, 443, "up") for ip in ips])
        lab.wait(lambda: all("end" in s.log[0] for s in seen), 5, "the end of every session")
        for server, (vs, lines, of_url, end, name) in zip(seen, rows):
            have = server.log[0]["end"], server.log[0]["sni"]
            check(have == (end, name), "'%s' %s '%s': have %s, want %s", vs, lines, of_url, have, (end, name))
        return "%d sessions" % len(rows)


class Peer:
    """Whatever a kind of check wants at the other end, on node, port; from whom it was asked is in log."""

    def __init__(self, node, kind, port, ip="0.0.0.0", context=None):
        self.kind, self.log, self.context = kind, [], context
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        with watch.in_netns(node.ns):
            if kind == "PING_CHECK":
                self.s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6)
            else:
                self.s = socket.socket(family, socket.SOCK_DGRAM if kind in ("DNS_CHECK", "UDP_CHECK") else socket.SOCK_STREAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind != "PING_CHECK":
            self.s.bind((ip, port))
        if self.s.type == socket.SOCK_STREAM:
            self.s.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            if self.s.type != socket.SOCK_STREAM:
                data, peer = self.s.recvfrom(65536)
                self.log.append(peer[:2])
                if self.kind == "DNS_CHECK":
                    self.s.sendto(data[:2] + b"\x81\x80" + data[4:], peer)
                elif self.kind == "UDP_CHECK":
                    self.s.sendto(data, peer)
                continue
            c, peer = self.s.accept()
            self.log.append(peer[:2])
            threading.Thread(target=self._talk, args=(c,), daemon=True).start()

    def _talk(self, c):
        with contextlib.suppress(OSError), c:
            c.settimeout(5)
            if self.kind == "SSL_GET":
                c = self.context.wrap_socket(c, server_side=True)
            if self.kind.endswith("_GET"):
                c.recv(4096)
                c.sendall(reply())
            elif self.kind == "SMTP_CHECK":
                for line in (b"220 lab\r\n", b"250 lab\r\n", b"221 bye\r\n"):
                    c.sendall(line)
                    c.recv(4096)


def lines_of(kind, lines):
    """A check of this kind with these lines; SMTP_CHECK host is the old form."""
    if kind.endswith("_GET"):
        return checker(kind, "url {\n path /\n }", *lines)
    if kind == "SMTP_CHECK host":
        return checker("SMTP_CHECK", "host {\n %s\n }" % "\n ".join(lines))
    if kind == "UDP_CHECK":
        return checker(kind, "payload 00", "require_reply", *lines)
    return checker(kind, *lines)


KINDS = ("TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "SMTP_CHECK host", "DNS_CHECK", "UDP_CHECK", "PING_CHECK")
SOURCE, MARKED = "10.77.0.61", "10.97.0.1"


def told(d, head):
    """What the log says of the only server of the service with this head: up, down or None."""
    words = re.findall(r"real server \S+ of virtual server \[%s\]:\S+ is (up|down)" % re.escape(head), d.read_log())
    return words[-1] if words else None


@case("kw-check-source", "bindto, bind_port, fwmark, connect_ip, connect_port and bind_if with a link-local address, of every kind of check", limit=60)
def source(lane):
    with lane.lab("ab") as lab:
        path = certificate(lab.root)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path + ".pem", path + ".key")
        lab.b.batch("addr add %s/32 dev lo" % MARKED)
        lab.a.batch("addr add %s/24 dev eth0\nroute add %s/32 via %s table 100\nrule add fwmark 7 lookup 100" % (SOURCE, MARKED, lab.b.ip))
        text, rows, n = GLOBAL, [], 0

        def row(kind, lines, want, v6=False):
            """want(peers of it) is None, or what is wrong."""
            nonlocal text, n
            n += 1
            port = 3000 + n
            peer = Peer(lab.b, kind.split()[0], port, "::" if v6 else MARKED if "fwmark 7" in lines else "0.0.0.0", context)
            head = "fd99::%x" % n if v6 else "10.99.0.%d" % n
            lines = ["connect_port %d" % port, *lines]
            text += virtual(n, [real("fd98::%x" % n if v6 else "10.98.0.%d" % n, 80, lines_of(kind, lines))], ip="fd99::%x" if v6 else "10.99.0.%d")
            rows.append((kind, lines, head, peer, want))

        def by(ip, port=None):
            return lambda peers: any(p == ip and port in (None, q) for p, q in peers)
        for i, kind in enumerate(KINDS):
            ping = kind == "PING_CHECK"
            row(kind, ["connect_ip " + lab.b.ip], by(lab.a.ip))
            row(kind, ["connect_ip " + lab.b.ip, "bindto " + SOURCE], by(SOURCE))
            row(kind, ["connect_ip " + lab.b.ip, "bindto " + SOURCE, "bind_port %d" % (5000 + i)], by(SOURCE, None if ping else 5000 + i))
            row(kind, ["connect_ip " + lab.b.ip, "bindto " + SOURCE, "bind_port %d" % (700 + i)], by(SOURCE, None if ping else 700 + i))
            row(kind, ["connect_ip " + MARKED, "fwmark 7"], by(lab.a.ip))
            row(kind, ["connect_ip " + lab.b.link_local, "bind_if eth0"], by(lab.a.link_local), True)
            row(kind, ["connect_ip " + lab.b.link_local, "bindto " + lab.a.link_local, "bind_if eth0", "bind_port %d" % (800 + i)],
                by(lab.a.link_local, None if ping else 800 + i), True)
            row(kind, ["connect_ip " + MARKED], None)
            row(kind, ["connect_ip " + lab.b.link_local], None, True)
            row(kind, ["connect_ip " + lab.b.ip, "bind_if lo"], None)
        d = lab.a.start(lane.daemon, text)

        def wrong():
            return [(kind, lines, told(d, head)) for kind, lines, head, _, want in rows
                    if (told(d, head) == "up") != bool(want) or not want and not re.search(r"%s\]\S*, failed" % re.escape(head), d.read_log())]
        end = time.monotonic() + 12
        while wrong() and time.monotonic() < end:
            time.sleep(0.2)
        check(not wrong(), "%s", wrong())
        for kind, lines, _, peer, want in rows:
            if want:
                check(want(list(peer.log)), "%s %s: asked from %s", kind, lines, peer.log)
        return "%d checks" % len(rows)


def clock(line):
    h, m, s = re.match(r"\w+ +\d+ (\d+):(\d+):([\d.]+)", line).groups()
    return int(h) * 3600 + int(m) * 60 + float(s)


def failures_of(d, head):
    """(seconds, what came of it, the line) of each failure in the service with this head."""
    out = []
    for line in d.read_log().splitlines():
        if "[%s]:" % head in line and ("failed: " in line or " is down" in line):
            word = "again" if "it is tried again" in line else "already" if "it is down already" in line else "down"
            out.append((clock(line), word, line))
    return out


TIMERS = ("retry 2", "delay_before_retry 0.4", "delay_loop 1.2", "connect_timeout 0.3")
DECOYS = ("retry 0", "delay_before_retry 3", "delay_loop 0.5", "connect_timeout 2")


@case("kw-check-timers", "retry, delay_before_retry, delay_loop, connect_timeout of service, server and check, the nearest counts, in every kind of check", limit=60)
def timers(lane):
    with lane.lab("ab") as lab:
        path = certificate(lab.root)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path + ".pem", path + ".key")
        flag, script = lab.root + "/flag", lab.root + "/misc"
        for name, content in ((flag, ""), (script, "#!/bin/sh\ntest -e %s\n" % flag)):
            with open(name, "w") as f:
                f.write(content)
        os.chmod(script, 0o755)
        text, rows, n = GLOBAL.replace("}", " script_user root\n enable_script_security\n}"), [], 0
        for kind in (*KINDS, "MISC_CHECK"):
            for level in range(3):
                n += 1
                sets = [(), (), ()]
                for outer in range(level):
                    sets[outer] = DECOYS
                sets[level] = TIMERS
                own = list(sets[2])
                if kind == "MISC_CHECK":
                    own = ["misc_path " + script, *(x for x in own if "connect" not in x)]
                else:
                    own += ["connect_ip " + lab.b.ip, "connect_port %d" % (3000 + n)]
                    Peer(lab.b, kind.split()[0], 3000 + n, context=context)
                text += virtual(n, [real("10.98.0.%d" % n, 80, *sets[1], lines_of(kind, own))], *sets[0])
                rows.append((kind, level, "10.99.0.%d" % n))
        d = lab.a.start(lane.daemon, text)
        lab.wait(lambda: all(told(d, head) == "up" for _, _, head in rows), 15, "every server up")
        os.unlink(flag)
        with watch.in_netns(lab.b.ns):
            subprocess.run(["nft", "add table inet f; add chain inet f c { type filter hook input priority 0; policy drop; }"], check=True)
        lab.wait(lambda: all(sum(w == "already" for _, w, _ in failures_of(d, head)) >= 2 for _, _, head in rows), 12, "every server down, and checked again")
        for kind, level, head in rows:
            seen = failures_of(d, head)
            words = [w for _, w, _ in seen]
            check(words[:5] == ["again", "again", "down", "already", "already"], "%s, level %d: retries: %s", kind, level, words)
            gaps = [b[0] - a[0] for a, b in zip(seen, seen[1:])]
            misc = kind == "MISC_CHECK"
            for have, want in zip(gaps, [0.4 if misc else 0.7] * 2 + [1.2] * 2):
                check(abs(have - want) < 0.3, "%s, level %d: %.2f s between two attempts, wanted %.1f: %s", kind, level, have, want, gaps)
            check(misc or all("within 0.3 s" in line for _, _, line in seen), "%s, level %d: connect_timeout: %s", kind, level, seen[0][2])
        return "%d checks" % len(rows)


@case("kw-check-warmup", "warmup of service, server and check spreads the first attempts, 0 does not; without it delay_loop spreads them", limit=60)
def warmup(lane):
    long, none = "warmup 2.5", "warmup 0"
    groups = [  # lines of the service, the server, the check; are the first attempts spread?
        ((long,), (), (), True), ((long,), (none,), (), False), ((none,), (long,), (), True), ((long,), (long,), (none,), False),
        ((none,), (none,), (long,), True), (("delay_loop 2.5",), (), (), True), ((none, "delay_loop 2.5"), (), (), False)]
    with lane.lab("a") as lab:
        ips = addresses(lab.a, 12 * len(groups))
        peers, text = [], GLOBAL
        for n, (vs, rs, own, _) in enumerate(groups):
            mine = ips[12 * n:12 * (n + 1)]
            peers.append([Server(lab.a, ip, 80, say(reply())) for ip in mine])
            text += virtual(n + 1, [real(ip, 80, *rs, lines_of("HTTP_GET", own)) for ip in mine], *vs).replace(" warmup 0\n alpha", " alpha", 1)
        lab.a.start(lane.daemon, text)
        lab.wait(lambda: all(p.log for group in peers for p in group), 10, "a first attempt everywhere")
        spread = [max(p.log[0]["t"] for p in group) - min(p.log[0]["t"] for p in group) for group in peers]
        for (vs, rs, own, wide), have in zip(groups, spread):  # twelve within a third of the time: once in 50,000 runs
            check((0.8 < have < 3) if wide else have < 0.6, "%s %s %s: first attempts within %.2f s", vs, rs, own, have)
        return "spread over %s s" % " ".join("%.2f" % x for x in spread)


@case("kw-check-udp", "payload, require_reply with x, min_reply_length, max_reply_length; silence; DNS_CHECK type and name as asked; SMTP_CHECK helo_name, several hosts", limit=60)
def answers(lane):
    def name(text):
        return b"".join(bytes([len(x)]) + x.encode() for x in text.split(".") if x) + b"\0"
    types = (("A", 1), ("NS", 2), ("CNAME", 5), ("SOA", 6), ("MX", 15), ("TXT", 16), ("AAAA", 28))
    asked = [(("type %s" % t, "name www.lab.test"), name("www.lab.test") + struct.pack(">HH", n, 1)) for t, n in types]
    asked += [((), b"\0\0\x06\0\x01"), (("name lab.test.",), name("lab.test") + b"\0\x06\0\x01")]
    udp = [  # the reply, lines, wanted, the payload
        (b"abc", ("require_reply",), "up", None), (b"", ("require_reply",), "up", None), (None, ("require_reply",), "within 1 s", None), (None, (), "up", None),
        (b"abc", ("require_reply 616263",), "up", None), (b"abd", ("require_reply 616263",), "does not begin", None), (b"abcd", ("require_reply 616263",), "up", None),
        (b"axc", ("require_reply 61xX63",), "up", None), (b"axd", ("require_reply 61xX63",), "does not begin", None), (b"\x6f", ("require_reply 6x",), "up", None),
        (b"ab", ("require_reply 616263",), "up", None), (b"", ("require_reply 616263",), "up", None), (b"ad", ("require_reply 616263",), "does not begin", None),
        (b"ab", ("require_reply 616263", "min_reply_length 3"), "wanted 3 to 255", None),
        (b"abc", ("require_reply 61", "min_reply_length 3"), "up", None), (b"abc", ("require_reply 61", "min_reply_length 4"), "wanted 4 to 255", None),
        (b"abc", ("require_reply 61", "max_reply_length 3"), "up", None), (b"abc", ("require_reply 61", "max_reply_length 2"), "wanted 0 to 2", None),
        (b"a" * 255, ("require_reply 61",), "up", None), (b"a" * 256, ("require_reply 61",), "wanted 0 to 255", None), (b"a" * 256, ("require_reply 61", "max_reply_length 256"), "up", None),
        (b"x", ("payload Ab12f 3 456 546443123", "require_reply"), "up", bytes.fromhex("ab120f03450654644312 03")),
        (b"x", ('payload "70696e67"', "require_reply"), "up", b"ping"),
    ]
    with lane.lab("a") as lab:
        ips, text, checks, want = addresses(lab.a, len(asked) + len(udp) + 4), GLOBAL, [], []

        def server(kind, lines, port, wanted, peer):
            nonlocal text
            ip = ips[len(checks)]
            checks.append((lines, [peer(ip)] if peer else []))
            text += virtual(len(checks), [real(ip, port, checker(kind, *lines))])
            want.append((ip, port, wanted))
            return checks[-1][1]
        for lines, _ in asked:
            server("DNS_CHECK", lines, 53, "up", lambda ip: Datagrams(lab.a, ip, 53, lambda q: q[:2] + b"\x81\x80" + q[4:]))
        for answer, lines, wanted, _ in udp:
            server("UDP_CHECK", lines, 53, wanted, lambda ip, a=answer: Datagrams(lab.a, ip, 53, lambda q: a))
        mail = [server("SMTP_CHECK", (), 25, "up", lambda ip: Dialogue(lab.a, ip, 25)), server("SMTP_CHECK", ("helo_name lab.test",), 25, "up", lambda ip: Dialogue(lab.a, ip, 25))]
        both = server("SMTP_CHECK", ("host {\n connect_port 25\n }\n host {\n connect_port 26\n }",), 25, "up", lambda ip: Dialogue(lab.a, ip, 25))
        both.append(Dialogue(lab.a, ips[len(checks) - 1], 26))
        server("SMTP_CHECK", ("host {\n connect_port 25\n }\n host {\n connect_port 26\n }",), 25, ":26: Connection refused", lambda ip: Dialogue(lab.a, ip, 25))
        d = lab.a.start(lane.daemon, text)

        def verdicts():
            out = []
            for (lines, _), (ip, _, wanted), n in zip(checks, want, range(1, len(want) + 1)):
                said = [line for _, _, line in failures_of(d, "10.99.0.%d" % n)]
                good = told(d, "10.99.0.%d" % n) == "up" if wanted == "up" else told(d, "10.99.0.%d" % n) != "up" and any(wanted in x for x in said)
                out += [] if good else [(lines, wanted, said[-1:])]
            return out
        end = time.monotonic() + 10
        while verdicts() and time.monotonic() < end:
            time.sleep(0.2)
        check(not verdicts(), "%s", verdicts())
        for (lines, (peer, *_)), (_, question) in zip(checks, asked):
            query = peer.log[0]
            check(query[2:12] == b"\x01\x00\0\x01\0\0\0\0\0\0" and query[12:] == question, "%s: the question was %r", lines, query)
        for (lines, (peer, *_)), (_, _, _, payload) in zip(checks[len(asked):], udp):
            check(payload in (None, peer.log[0]), "%s: the payload was %r", lines, peer.log[0])
        said = [b"".join(p[0].log[0]) for p in mail] + [b"".join(p.log[0]) for p in both]
        check(said == [b"HELO %s\r\nQUIT\r\n" % x for x in (b"smtpchecker.keepalived.org", b"lab.test", *[b"smtpchecker.keepalived.org"] * 2)], "SMTP dialogues: %s", said)
        return "%d checks" % len(checks)


class Datagrams:
    """Answers each datagram with answer(it), or not at all (None)."""

    def __init__(self, node, ip, port, answer):
        self.answer, self.log = answer, []
        with watch.in_netns(node.ns):
            self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((ip, port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            data, peer = self.s.recvfrom(65536)
            self.log.append(data)
            answer = self.answer(data)
            if answer is not None:
                self.s.sendto(answer, peer)


class Dialogue:
    """An SMTP server as far as a check goes; what was said to it is in log, one list a session."""

    def __init__(self, node, ip, port):
        self.log = []
        with watch.in_netns(node.ns):
            self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind((ip, port))
        self.s.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            c, _ = self.s.accept()
            lines = []
            self.log.append(lines)
            with contextlib.suppress(OSError), c:
                c.settimeout(5)
                for line in (b"220 lab\r\n", b"250 lab\r\n", b"221 bye\r\n"):
                    c.sendall(line)
                    lines.append(c.recv(4096))
