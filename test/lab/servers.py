"""Real daemons as real servers, each a process in a node's namespace: nginx, openssl s_server, dnsmasq, opensmtpd; and a UDP
responder of ten lines. Each function returns once the server answers, with the process; .kill() is its crash.
"""
import os
import shutil
import socket
import subprocess
import sys
import time

from . import watch
from .house import Failure, Skip, run

UDP_ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(sys.argv[3].encode() + b":" + data, peer)
"""


def need(program):
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not path:
        raise Skip("%s is not installed here (test/deps)" % program)
    return path


def listen(node, port):
    """A socket that listens on the node's address; nothing is accepted."""
    with watch.in_netns(node.ns):
        s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((node.ip, port))
    s.listen(64)
    return s


def place(node, kind):
    n = 0
    while True:
        path = "%s/%s-%s%d" % (node.lab.root, node.name, kind, n)
        try:
            os.mkdir(path)
        except FileExistsError:
            n += 1
            continue
        os.chmod(path, 0o755)
        return path


def spawn(node, argv, where):
    with open(where + "/log", "ab") as log:
        p = node.spawn(argv, stdout=log, stderr=subprocess.STDOUT)
    p.where = where
    return p


def answers(node, p, port, timeout=120, ip="127.0.0.1", kind=socket.SOCK_STREAM, ask=b""):
    """Waits until the server takes a connection (or answers a datagram)."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with watch.in_netns(node.ns):
            s = socket.socket(socket.AF_INET, kind)
        with s:
            s.settimeout(2)
            try:
                s.connect((ip, port))
                if kind == socket.SOCK_DGRAM:
                    s.send(ask)
                    s.recv(2048)
                return p
            except OSError:
                time.sleep(0.05)
        if p.poll() is not None:
            break
    with open(p.where + "/log", errors="replace") as f:
        raise Failure("the test's own server does not come up: %s" % f.read()[-500:])


def nginx(node, text, port=80, ip=None, pages=(), status=200):
    """Every path gives text, with the status; pages: (path, text) pairs."""
    d = place(node, "nginx")
    extra = "".join("location = %s { default_type text/plain; return 200 '%s'; }\n" % page for page in pages)
    with open(d + "/nginx.conf", "w") as f:
        f.write("""daemon off; master_process off; user root; pid %s/pid; error_log %s/log;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;
  server { listen %s%d reuseport; keepalive_timeout 300; %s
    location / { default_type text/plain; return %d '%s\\n'; } } }
""" % (d, d, d, d, d, d, d, ip + ":" if ip else "", port, extra, status, text))
    p = spawn(node, [need("nginx"), "-p", d, "-e", d + "/log", "-c", d + "/nginx.conf"], d)
    return answers(node, p, port, ip=ip or "127.0.0.1")


def certificate(folder):
    """(certificate, key) for the lab, made once."""
    crt, key = folder + "/lab.crt", folder + "/lab.key"
    if not os.path.exists(crt):
        run(need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=lab",
            "-days", "30", "-keyout", key, "-out", crt)
    return crt, key


def s_server(node, port=443, pages=()):
    """openssl s_server as a web server over the files given: (name, text) pairs."""
    d = place(node, "tls")
    crt, key = certificate(node.lab.root)
    for name, text in pages or [("index.html", "tls")]:
        os.makedirs(os.path.dirname("%s/%s" % (d, name)), exist_ok=True)
        with open("%s/%s" % (d, name), "w") as f:
            f.write(text)
    script = 'cd "$0" && exec "$@"'
    argv = ["sh", "-c", script, d, need("openssl"), "s_server", "-accept", str(port), "-cert", crt, "-key", key, "-WWW", "-quiet"]
    return answers(node, spawn(node, argv, d), port)


def dnsmasq(node, name, ip, port=53):
    d = place(node, "dns")
    argv = [need("dnsmasq"), "-k", "-C", "/dev/null", "-p", str(port), "-h", "-R", "--user=root", "--pid-file=" + d + "/pid",
            "--address=/%s/%s" % (name, ip), "--local-ttl=1", "--log-facility=-"]
    return answers(node, spawn(node, argv, d), port, kind=socket.SOCK_DGRAM, ask=dns_query(name))


def smtpd(node, port=25):
    """OpenSMTPD that takes everything and throws it into one maildir (where/mail)."""
    d = place(node, "smtp")
    os.mkdir(d + "/mail")
    os.chmod(d + "/mail", 0o777)
    with open(d + "/smtpd.conf", "w") as f:
        f.write("""table catch { "@" = "nobody" }
smtp max-message-size 1M
listen on 0.0.0.0 port %d
action "keep" maildir "%s/mail" virtual <catch>
match from any for any action "keep"
""" % (port, d))
    os.chmod(d + "/smtpd.conf", 0o644)
    return answers(node, spawn(node, [need("smtpd"), "-d", "-f", d + "/smtpd.conf"], d), port)


def mails(p):
    """The texts of what an smtpd() has taken."""
    out = []
    for base, _, files in os.walk(p.where + "/mail"):
        for name in files:
            if "/new" in base or "/cur" in base:
                with open(os.path.join(base, name), errors="replace") as f:
                    out.append(f.read())
    return out


def udp_echo(node, name, port, ip="0.0.0.0"):
    d = place(node, "udp")
    p = spawn(node, [sys.executable, "-S", "-E", "-c", UDP_ECHO, ip, str(port), name], d)
    return answers(node, p, port, kind=socket.SOCK_DGRAM, ask=b"?", ip="127.0.0.1" if ip == "0.0.0.0" else ip)


def dns_query(name, ident=0x4242):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return ident.to_bytes(2, "big") + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\0\x00\x01\x00\x01"


def dns_answer(reply):
    """The last four bytes of a reply with one A record, as an address."""
    return socket.inet_ntoa(reply[-4:]) if len(reply) > 16 and reply[3] & 15 == 0 else None
