"""A mail server that does as it is told: takes mail into a file, one JSON line each, or misbehaves. Run in a node's namespace:

    post.py PORT OUT [key=value ...]

    cert=FILE key=FILE   offers STARTTLS;  implicit=1: TLS from the first byte
    auth=USER:PASSWORD   wants AUTH (offers=PLAIN|LOGIN|"PLAIN LOGIN")
    deny=ADDRESS         RCPT refused for good;  grey=ADDRESS put off with 450 the first time it comes in a mail
    busy=N               the first N connections are greeted with 421
    mode=...             silent drip garbage flood endless inject close-STEP: hostile in the ways their functions say
"""
import base64
import json
import socket
import ssl
import sys
import threading
import time


class End(Exception):
    pass


class Talk:
    def __init__(self, post, s):
        self.post, self.s, self.f = post, s, None
        self.tls, self.user = False, None
        self.envelope()

    def envelope(self):
        self.sender, self.rcpt = None, []

    def wrap(self):
        self.s = self.post.context.wrap_socket(self.s, server_side=True)
        self.tls = True
        self.f = self.s.makefile("rb")

    def say(self, text):
        self.s.sendall(text.encode() + b"\r\n")

    def hear(self):
        line = self.f.readline(4096)
        if not line:
            raise End
        self.post.note("C: " + line.decode("latin-1").rstrip())
        return line.decode("latin-1").rstrip("\r\n")

    def run(self):
        o = self.post.o
        self.f = self.s.makefile("rb")
        if o.get("implicit"):
            self.wrap()
        if self.post.connections <= int(o.get("busy", 0)):
            self.say("421 busy")
            return
        if o.get("mode") and not o["mode"].startswith(("close-", "inject")):
            getattr(self, o["mode"])()
            return
        self.say("220-post.example ESMTP\r\n220 ready")
        while True:
            line = self.hear()
            verb = line.split(" ")[0].upper()
            if o.get("mode") == "close-" + verb:
                return
            getattr(self, "on_" + verb.lower(), self.on_unknown)(line)

    def on_unknown(self, line):
        self.say("500 what?")

    def on_ehlo(self, line):
        o, caps = self.post.o, ["post.example", "PIPELINING"]
        if o.get("cert") and not self.tls and not o.get("implicit"):
            caps.append("STARTTLS")
        if o.get("auth") and (self.tls or not o.get("cert") or o.get("clear")):
            caps.append("AUTH " + o.get("offers", "PLAIN LOGIN"))
        self.say("\r\n".join("250%s%s" % ("-" if i + 1 < len(caps) else " ", c) for i, c in enumerate(caps)))

    def on_helo(self, line):
        self.say("250 post.example")

    def on_starttls(self, line):
        if self.post.o.get("mode") == "inject":
            self.s.sendall(b"220 go ahead\r\n250-evil\r\n250 AUTH PLAIN\r\n")
        else:
            self.say("220 go ahead")
        self.wrap()
        self.envelope()

    def on_auth(self, line):
        word = line.split(" ")
        if word[1].upper() == "PLAIN":
            _, user, password = base64.b64decode(word[2]).decode().split("\0")
        else:
            self.say("334 VXNlcm5hbWU6")
            user = base64.b64decode(self.hear()).decode()
            self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(self.hear()).decode()
        if "%s:%s" % (user, password) != self.post.o["auth"]:
            self.say("535 no")
            return
        self.user = user
        self.say("235 welcome")

    def on_mail(self, line):
        if self.post.o.get("auth") and not self.user:
            self.say("530 authenticate first")
            return
        self.sender = line
        self.say("250 ok")

    def on_rcpt(self, line):
        address = line[line.index("<") + 1:line.index(">")]
        if address == self.post.o.get("deny"):
            self.say("550 nobody of that name")
        elif address == self.post.o.get("grey") and address not in self.post.seen:
            self.post.seen.add(address)
            self.say("450 come again")
        else:
            self.rcpt.append(address)
            self.say("250 ok")

    def on_data(self, line):
        if not self.rcpt:
            self.say("503 to whom?")
            return
        self.say("354 go on")
        lines = []
        while True:
            raw = self.f.readline(65536)
            if not raw:
                raise End
            if raw == b".\r\n":
                break
            lines.append(raw[1:] if raw.startswith(b".") else raw)
        if self.post.o.get("mode") == "close-BODY":
            raise End
        self.post.take({"from": self.sender, "to": self.rcpt, "tls": self.tls, "user": self.user, "at": time.time(),
                        "bare": any(not x.endswith(b"\r\n") for x in lines), "text": b"".join(lines).decode("utf-8", "replace")})
        self.envelope()
        self.say("250 taken")

    def on_rset(self, line):
        self.envelope()
        self.say("250 ok")

    def on_quit(self, line):
        self.say("221 bye")
        raise End

    def silent(self):
        time.sleep(3600)

    def drip(self):
        for c in "220 " + "x" * 100000:
            self.s.sendall(c.encode())
            time.sleep(0.05)

    def garbage(self):
        self.s.sendall(bytes(range(256)) * 64)
        time.sleep(1)

    def flood(self):
        while True:
            self.s.sendall(b"220-" + b"y" * 60000)

    def endless(self):
        while True:
            self.s.sendall(b"220-still not done\r\n" * 1000)


class Post:
    def __init__(self, argv):
        self.port, self.out = int(argv[0]), argv[1]
        self.o = dict(a.split("=", 1) for a in argv[2:])
        self.connections, self.seen, self.lock = 0, set(), threading.Lock()
        self.context = None
        if self.o.get("cert"):
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(self.o["cert"], self.o["key"])

    def note(self, text):
        with self.lock:
            print(text, flush=True)

    def take(self, mail):
        with self.lock, open(self.out, "a") as f:
            f.write(json.dumps(mail) + "\n")

    def serve(self, s):
        try:
            Talk(self, s).run()
        except (End, OSError, ssl.SSLError) as e:
            self.note("end: %r" % e)
        finally:
            s.close()

    def run(self):
        a = socket.socket(socket.AF_INET6)
        a.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        a.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        a.bind(("::", self.port))
        a.listen(16)
        self.note("listening")
        while True:
            s, _ = a.accept()
            self.connections += 1
            self.note("connection %d" % self.connections)
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()


if __name__ == "__main__":
    Post(sys.argv[1:]).run()
