"""Keywords of the checks, each judged by what it changes on the wire or in a verdict. No IPVS is needed: verdicts are read from the log.
"""
import hashlib
import ssl
import subprocess

from case import case, check
from checks import Server, addresses, certificate, expect, reply, say, service, url, whole

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
    ("NEEDLE", ("regex_max_offset 6",), b"abcdeNEEDLE", True),
    ("NEEDLE", ("regex_max_offset 5",), b"abcdeNEEDLE", False),
    ("NEEDLE", ("regex_max_offset 6", "regex_options use_offset_limit", "regex_stack 8192 65536"), b"abcdeNEEDLE", True),
    ("NEEDLE", ("regex_no_match",), b"abcdeNEEDLE", False),
    ("NEEDLE", ("regex_no_match", "regex_max_offset 5"), b"abcdeNEEDLE", True),
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
    return "virtual_server %s 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n delay_loop 1\n warmup 0\n retry 0\n connect_timeout 1\n alpha\n %s\n%s\n}\n" % (
        ip % n, "\n ".join(lines), "\n".join(servers))


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
    except ssl.SSLEOFError:
        rec["end"] = "cut"
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
