"""Alert mail: for instances, groups of addresses moving; through servers that are away, strict, slow or hostile."""
import email
import email.utils
import json
import os
import sys
import time

from case import case, check, steady
from lab import conf, now, run, servers

POST = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab", "post.py")
INTERVAL = 0.2
PORT = 2525


class Office:
    """A post.py in node b."""

    def __init__(self, lab, port=PORT, wait=True, **o):
        self.lab, self.dir = lab, servers.place(lab.b, "post")
        self.out, self.port = self.dir + "/mails", port
        o = ["%s=%s" % kv for kv in o.items()]
        self.p = servers.spawn(lab.b, [sys.executable, "-S", "-E", POST, str(port), self.out, *o], self.dir)
        if wait:
            lab.wait(lambda: "listening" in self.log(), 20, "the mail server listening")

    def log(self):
        with open(self.dir + "/log", errors="replace") as f:
            return f.read()

    def mails(self):
        try:
            with open(self.out) as f:
                got = [json.loads(line) for line in f]
        except FileNotFoundError:
            return []
        for m in got:
            m["m"] = email.message_from_string(m["text"])
            m["subject"] = str(email.header.make_header(email.header.decode_header(m["m"]["Subject"])))
        return got

    def kill(self):
        self.p.kill()
        self.p.wait(5)
        for pid in run("ip", "netns", "pids", self.lab.b.ns).stdout.split():
            with open("/proc/%s/cmdline" % pid) as f:
                if "post.py" in f.read():
                    os.kill(int(pid), 9)


def text(extra="", vi="smtp_alert", server="10.77.0.2 %d" % PORT, to=("ops@lab.example",), name="VI_1", priority=200):
    glob = """    notification_email {
        %s
    }
    notification_email_from "Lab, Balancer <lb@lab.example>"
    smtp_server %s
    smtp_connect_timeout 2
    %s
""" % ("\n        ".join('"%s"' % t for t in to), server, extra)
    return conf.whole(conf.instance(name=name, priority=priority, interval=INTERVAL, extra=vi), glob=glob)


def certificate(folder, name, san):
    """A self-signed certificate: (certificate, key)."""
    crt, key = "%s/%s.crt" % (folder, name), "%s/%s.key" % (folder, name)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=" + name, "-addext", "subjectAltName=" + san, "-keyout", key, "-out", crt)
    return crt, key


def subjects(office):
    return [m["subject"] for m in office.mails()]


def wait_subject(lab, office, part, seconds=15):
    lab.wait(lambda: [s for s in subjects(office) if part in s], seconds, "a mail that says \"%s\" (got: %s)" % (part, subjects(office)))


@case("mail-instance", "an instance's mails: MASTER, Stopping; headers, recipients, words as documented; nothing for one without smtp_alert")
def instance(lane):
    other = conf.instance(name="VI_2", vrid=52, priority=200, interval=INTERVAL, vips=("10.77.0.120",))
    with lane.lab("ab") as lab:
        office = Office(lab)
        d = lab.a.start(lane.daemon, text(to=("ops@lab.example", "Chief (night) <chief@lab.example>")) + other)
        wait_subject(lab, office, "Entering MASTER state")
        status, seconds = d.stop()
        check(status == 0, "exit status %d", status)
        got = office.mails()
        check([m["subject"] for m in got] == ["[LAB] VRRP Instance VI_1 - Entering BACKUP state",
                                              "[LAB] VRRP Instance VI_1 - Entering MASTER state",
                                              "[LAB] VRRP Instance VI_1 - Stopping"], "the mails: %s", [m["subject"] for m in got])
        for m in got:
            head = m["m"]
            when = email.utils.parsedate_to_datetime(head["Date"]).timestamp()
            check(abs(when - m["at"]) < 5, "Date %s, taken %s", head["Date"], time.ctime(m["at"]))
            check(head["From"] == '"Lab, Balancer" <lb@lab.example>', "From: %s", head["From"])
            check(email.utils.getaddresses([head["To"]]) == [("", "ops@lab.example"), ("Chief (night)", "chief@lab.example")],
                  "To: %s", head["To"])
            check(head["X-Mailer"] == "Keepalived" and head["Message-ID"], "headers: %s", head.items())
            check(m["to"] == ["ops@lab.example", "chief@lab.example"] and m["from"] == "MAIL FROM:<lb@lab.example>", "%s", m)
            check(head.get_payload().startswith("=> ") and head.get_payload().endswith(" <=\r\n") and not m["bare"],
                  "body: %r", head.get_payload())
        check(len({m["m"]["Message-ID"] for m in got}) == 3, "Message-IDs are not unique")
        check("C: HELO" in office.log() and "EHLO" not in office.log(), "a plain server is not greeted with HELO")
        return "3 mails; stop took %.0f ms" % (seconds * 1e3)


@case("mail-faults-and-reload", "FAULT and back; a deleted instance; no_email_faults; a reload changes recipients, what waits is kept", limit=90)
def faults(lane):
    second = conf.instance(name="VI_2", vrid=52, priority=200, interval=INTERVAL, vips=("10.77.0.120",), extra="smtp_alert")
    with lane.lab("ab") as lab:
        office = Office(lab)
        d = lab.a.start(lane.daemon, text() + second)
        wait_subject(lab, office, "VI_2 - Entering MASTER state")
        wait_subject(lab, office, "VI_1 - Entering MASTER state")
        d.reload(text())
        wait_subject(lab, office, "VI_2 - Deleted")
        lab.a.cable(False)
        lab.wait(lambda: "MASTER -> FAULT" in d.read_log(), 5, "FAULT")
        lab.a.cable(True)
        wait_subject(lab, office, "VI_1 - Entering FAULT state", 20)
        lab.wait(lambda: subjects(office)[-1].endswith("Entering MASTER state"), 20, "MASTER again")
        office.kill()
        pid = d.role("checkd")
        d.reload(text("no_email_faults", to=("new@lab.example",)))
        time.sleep(1)
        check(d.role("checkd") == pid, "checkd was replaced")
        since = len(office.mails())
        lab.a.batch("link set eth0 down")
        lab.wait(lambda: "MASTER -> FAULT" in d.read_log().split("new@lab")[-1], 5, "FAULT")
        lab.a.batch("link set eth0 up")
        lab.wait(lambda: conf.VIPS[0] in lab.a.addresses(), 10, "MASTER again")
        again = Office(lab)
        lab.wait(lambda: any(m["subject"].endswith("MASTER state") for m in again.mails()) or
                 any("BACKUP" in s for s in subjects(again)), 30, "a mail after the server's return")
        time.sleep(1)
        got = again.mails()
        check(since == len(office.mails()), "the dead server took mail")
        check(all(m["to"] == ["new@lab.example"] for m in got), "recipients: %s", [m["to"] for m in got])
        check(not [m for m in got if "FAULT" in m["subject"]], "no_email_faults: %s", subjects(again))
        return "%d mails, %d after the reload" % (since, len(got))


@case("mail-patience", "a mail server away, then busy: the mails wait and arrive, each once; refused and greylisted recipients", limit=90)
def patience(lane):
    with lane.lab("ab") as lab:
        d = lab.a.start(lane.daemon, text(to=("no@lab.example", "grey@lab.example", "ops@lab.example")))
        lab.wait_master("a", conf.VIPS, 10)
        time.sleep(1)
        since = now()
        office = Office(lab, busy=1, deny="no@lab.example", grey="grey@lab.example")
        lab.wait(lambda: sorted(x for m in office.mails() for x in m["to"]) == sorted(2 * ["grey@lab.example", "ops@lab.example"]),
                 45, "both mails to both (got: %s)" % [(m["to"], m["subject"]) for m in office.mails()])
        check("550" in d.read_log(), "the refused recipient is not in the log")
        gap = steady(lab, "a", since, INTERVAL, 80)
        return "delivered after %.0f s; longest advert gap %.1f ms" % ((now() - since) / 1e9, gap)


@case("mail-tls", "STARTTLS with a verified certificate and AUTH PLAIN and LOGIN, and TLS from the first byte")
def tls(lane):
    with lane.lab("ab") as lab:
        folder = servers.place(lab.b, "certs")
        crt, key = certificate(folder, "post.example", "DNS:post.example,IP:10.77.0.2")
        secret = folder + "/password"
        with open(secret, "w") as f:
            f.write("open sesame\n")
        os.chmod(secret, 0o600)
        for offers, port, extra, o in (
                ("PLAIN", 2601, "smtp_tls required\n smtp_tls_name post.example", {}),
                ("LOGIN", 2602, "", {}),
                ("PLAIN LOGIN", 2603, "smtp_tls implicit", {"implicit": 1})):
            office = Office(lab, port, cert=crt, key=key, auth="monitor:open sesame", offers=offers, **o)
            d = lab.a.start(lane.daemon, text("smtp_tls_ca %s\n smtp_user monitor\n smtp_password file:%s\n %s" % (crt, secret, extra),
                                              server="10.77.0.2 %d" % port))
            wait_subject(lab, office, "Entering MASTER state")
            check(all(m["tls"] and m["user"] == "monitor" for m in office.mails()), "%s", office.mails())
            d.stop()
            check("sesame" not in d.read_log(), "the password is in the log")
        return "three ways"


@case("mail-tls-refused", "a wrong certificate, an unknown authority, no STARTTLS: no mail, no password, the reason in the log")
def tls_refused(lane):
    with lane.lab("ab") as lab:
        folder = servers.place(lab.b, "certs")
        crt, key = certificate(folder, "post.example", "DNS:post.example,IP:10.77.0.2")
        other, _ = certificate(folder, "other.example", "DNS:other.example")
        secret = "smtp_user monitor\n smtp_password sesame"
        said = []
        for port, ca, extra, o, why in (
                (2611, other, secret, {"cert": crt, "key": key}, "certificate"),
                (2612, crt, secret + "\n smtp_tls_name wrong.example", {"cert": crt, "key": key}, "certificate"),
                (2613, crt, secret, {"clear": 1}, "STARTTLS"),
                (2614, crt, "smtp_tls starttls\n " + secret, {"clear": 1}, "STARTTLS"),
                (2615, crt, secret, {"cert": crt, "key": key, "mode": "inject"}, "more than was asked")):
            office = Office(lab, port, auth="monitor:sesame", **o)
            d = lab.a.start(lane.daemon, text("smtp_tls_ca %s\n %s" % (ca, extra), server="10.77.0.2 %d" % port))
            lab.wait(lambda: "mail server 10.77.0.2" in d.read_log(), 10, "a word about the failure")
            line = [x for x in d.read_log().splitlines() if "mail server 10.77.0.2" in x][0]
            check(why in line, "the reason: %s", line)
            d.stop()
            check(not office.mails() and "AUTH" not in office.log(), "it went through: %s", office.log())
            said.append(line)
        return "5 refusals"


@case("mail-hostile", "mail servers that say nothing, drip, flood, never end, talk garbage, hang up: adverts on time, memory flat, mail in the end", limit=150)
def hostile(lane):
    with lane.lab("ab") as lab:
        office, n = Office(lab, mode="flood"), 0
        d = lab.a.start(lane.daemon, text())
        lab.wait_master("a", conf.VIPS, 10)
        time.sleep(1)
        since, pid = now(), d.role("checkd")
        for mode in ("flood", "endless", "silent", "drip", "garbage", "close-MAIL", "close-DATA", "close-BODY"):
            office.kill()
            office = Office(lab, mode=mode)
            d.reload(text(to=("ops%d@lab.example" % n,)))  # another configuration is tried at once
            n += 1
            lab.wait(lambda: "connection 1" in office.log(), 10, "a connection in mode " + mode)
            time.sleep(3)
        gap = steady(lab, "a", since, INTERVAL, 80)
        check(d.role("checkd") == pid, "checkd was replaced")
        with open("/proc/%d/status" % pid) as f:
            rss = int([x for x in f if x.startswith("VmRSS")][0].split()[1])
        check(rss < 32768, "checkd holds %d KiB", rss)
        office.kill()
        office = Office(lab)
        d.reload(text(to=("last@lab.example",)))
        wait_subject(lab, office, "Entering MASTER state", 20)
        return "8 ways, longest advert gap %.1f ms, checkd %d KiB" % (gap, rss)


@case("mail-by-name", "smtp_server by a name only the DNS knows: asked anew when it moves; the first name server is dead")
def by_name(lane):
    with lane.lab("ab") as lab:
        office = Office(lab)
        dns = servers.dnsmasq(lab.b, "post.lab.example", "10.77.0.2")
        check(dns, "no dnsmasq")
        resolv = "/etc/netns/%s" % lab.a.ns
        os.makedirs(resolv, exist_ok=True)
        try:
            with open(resolv + "/resolv.conf", "w") as f:
                f.write("nameserver 10.77.0.1\nnameserver 10.77.0.2\nsearch nowhere.example lab.example\n")
            d = lab.a.start(lane.daemon, text(server="post %d" % PORT))
            wait_subject(lab, office, "Entering MASTER state", 20)
            d.stop()
        finally:
            os.unlink(resolv + "/resolv.conf")
            os.rmdir(resolv)
        return "%d mails" % len(office.mails())


@case("mail-real", "the mails arrive at a real server: OpenSMTPD")
def real(lane):
    with lane.lab("ab") as lab:
        post = servers.smtpd(lab.b)
        d = lab.a.start(lane.daemon, text(server="10.77.0.2"))
        lab.wait(lambda: [m for m in servers.mails(post) if "Entering MASTER state" in m], 30, "a mail in the maildir")
        d.stop()
        got = servers.mails(post)
        check(all("X-Mailer: Keepalived" in m and "=> " in m for m in got), "%s", got[:1])
        return "%d mails" % len(got)


@case("mail-checkd-killed", "kill -9 of checkd: it comes back, the next transition is mailed, nothing is mailed twice")
def killed(lane):
    with lane.lab("ab") as lab:
        office = Office(lab)
        d = lab.a.start(lane.daemon, text())
        wait_subject(lab, office, "Entering MASTER state")
        time.sleep(0.5)
        lab.crash(d, "checkd")
        time.sleep(1)
        check(len(office.mails()) == 2, "mailed again: %s", subjects(office))
        lab.a.batch("link set eth0 down")
        lab.a.batch("link set eth0 up")
        lab.wait(lambda: len(office.mails()) > 2, 30, "a mail of the new checkd")
        return "%d mails" % len(office.mails())
