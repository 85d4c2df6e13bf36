"""The checkers against real daemons: nginx, openssl s_server, dnsmasq, OpenSMTPD, a UDP responder, scripts. Each server dies and comes
back on its own, and the table must say so each time.
"""
import hashlib
import os
import socket
import time

from case import case, check, equal
from lab import servers
from lab.lan import VIP, Lan
from lvs_conf import check as checker
from lvs_conf import server, service, whole

HOST = "10.77.0.101"
ZONE = "www.lab.example"


def one(port, check_text, protocol="TCP"):
    """One service on the VIP with one server on the same port."""
    return service("%s %d" % (VIP, port), "alpha", server("%s %d" % (HOST, port), check_text), protocol=protocol)


def script(lan, name, text):
    path = "%s/%s" % (lan.root, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def told(lan, port, protocol="tcp"):
    return "%s %s:%d" % (protocol, VIP, port), {"%s:%d" % (HOST, port): 1}


@case("lvs-check-kinds", limit=400)
def kinds(lane):
    """HTTP_GET nginx (digest, regex), SSL_GET s_server, SMTP_CHECK OpenSMTPD, DNS_CHECK dnsmasq, UDP_CHECK, PING, MISC: up, down, up"""
    with Lan(servers=1) as lan:
        lan.behind("nat")
        page = "hello lvs\n"
        digest = hashlib.md5(page.encode()).hexdigest()
        flag = lan.root + "/flag"
        open(flag, "w").close()
        misc = script(lan, "misc", "test -e %s\n" % flag)
        http = checker("HTTP_GET", "url {\n path /sum\n digest %s\n status_code 200\n }" % digest,
                       "url {\n path /word\n regex \"gr(e|a)y\"\n regex_options caseless\n }")
        conf = whole(
            one(80, http), one(443, checker("SSL_GET", "url {\n path /index.html\n status_code 200\n }")),
            one(25, checker("SMTP_CHECK", "helo_name lab")), one(53, checker("DNS_CHECK", "type A", "name " + ZONE), "UDP"),
            one(7, checker("UDP_CHECK", "payload \"70696e67\"", "require_reply \"653a70696e67\""), "UDP"), one(9, checker("PING_CHECK"), "UDP"),
            one(8080, checker("MISC_CHECK", "misc_path " + misc, "misc_timeout 20")))
        make = {
            80: lambda: servers.nginx(lan.r1, "x", pages=[("/sum", "hello lvs\\n"), ("/word", "a GREY page")]),
            443: lambda: servers.s_server(lan.r1), 25: lambda: servers.smtpd(lan.r1),
            53: lambda: servers.dnsmasq(lan.r1, ZONE, "192.0.2.7"), 7: lambda: servers.udp_echo(lan.r1, "e", 7)}
        running = {port: start() for port, start in make.items()}
        lan.lb.start(lane.daemon, conf)
        kind = {53: "udp", 7: "udp", 9: "udp"}
        ports = (80, 443, 25, 53, 7, 9, 8080)
        for port in ports:
            lan.wait_servers(*told(lan, port, kind.get(port, "tcp")), timeout=90)
        ask(lan)
        for p in running.values():
            p.terminate()
        os.unlink(flag)
        for port in ports:
            name, up = told(lan, port, kind.get(port, "tcp"))
            lan.wait_servers(name, up if port == 9 else {}, timeout=40)  # the machine still answers pings
        lan.r1.cable(False)
        lan.wait_servers(told(lan, 9, "udp")[0], {}, timeout=90)
        lan.r1.cable(True)
        open(flag, "w").close()
        for start in make.values():
            start()
        for port in ports:
            lan.wait_servers(*told(lan, port, kind.get(port, "tcp")), timeout=90)
        ask(lan)


def ask(lan):
    """Clients through the UDP services: the name server's and the responder's answers come back from the service address."""
    for port, query, read in ((53, servers.dns_query(ZONE), servers.dns_answer), (7, b"hi", bytes.decode)):
        with lan.socket("cl", socket.SOCK_DGRAM) as s:
            s.connect((VIP, port))
            s.send(query)
            equal(read(s.recv(2048)), "192.0.2.7" if port == 53 else "e:hi", "answer through UDP service %d" % port)


@case("lvs-http-wrong")
def wrong(lane):
    """an nginx that answers 503, one with another text, one that hangs: each is out within its time, the good one stays"""
    with Lan(servers=4) as lan:
        lan.behind("nat")
        good = hashlib.md5(b"good\n").hexdigest()
        url = checker("HTTP_GET", "url {\n path /\n digest %s\n status_code 200\n }" % good)
        lan.lb.start(lane.daemon, whole(service(VIP + " 80", *[server("10.77.0.%d 80" % (101 + i), url) for i in range(4)])))
        servers.nginx(lan.r1, "good")
        servers.nginx(lan.r2, "good", status=503)
        servers.nginx(lan.r3, "evil")
        mute = lan.socket("r4")
        mute.bind(("10.77.0.104", 80))
        mute.listen(64)
        lan.wait_servers("tcp %s:80" % VIP, {HOST + ":80": 1}, timeout=90)
        time.sleep(3)
        equal(lan.table().servers("tcp %s:80" % VIP), {HOST + ":80": 1}, "servers three seconds later")
        mute.close()


@case("lvs-script-dynamic")
def dynamic(lane):
    """MISC_CHECK misc_dynamic: the exit status is the weight; notify_down and notify_up run once each, with the server's state"""
    with Lan(servers=1) as lan:
        status = lan.root + "/status"
        log = lan.root + "/told"

        def says(n):
            with open(status + ".new", "w") as f:
                f.write("%d\n" % n)
            os.rename(status + ".new", status)
        says(12)
        misc = script(lan, "misc", "exit $(cat %s)\n" % status)
        note = script(lan, "note", "echo $1 >>%s\n" % log)
        conf = whole(service(VIP + " 80", "alpha", server(HOST + " 80", "notify_up \"%s up\"" % note, "notify_down \"%s down\"" % note,
                                                          checker("MISC_CHECK", "misc_path " + misc, "misc_timeout 20", "misc_dynamic"))))
        lan.lb.start(lane.daemon, conf)
        name = "tcp %s:80" % VIP
        for n, weight in ((12, 10), (102, 100), (0, 1)):
            says(n)
            lan.wait_servers(name, {HOST + ":80": weight}, timeout=90)
        says(1)
        lan.wait_servers(name, {}, timeout=90)
        says(0)
        lan.wait_servers(name, {HOST + ":80": 1}, timeout=90)
        lan.wait(lambda: os.path.exists(log) and open(log).read().split() == ["up", "down", "up"], 40, "up, down, up by the scripts")


@case("lvs-mail")
def mail(lane):
    """smtp_alert: a real mail server gets one mail for the server's death and one for its return, addressed and worded as documented"""
    with Lan(servers=2) as lan:
        post = servers.smtpd(lan.r2)
        web = servers.nginx(lan.r1, "r1")
        text = service(VIP + " 80", "alpha", server(HOST + " 80", "smtp_alert", checker("TCP_CHECK")))
        lan.lb.start(lane.daemon, whole(text, extra="""    notification_email {
        admin@lab.example
    }
    notification_email_from lvs@lab.example
    smtp_server 10.77.0.102
    smtp_connect_timeout 10
"""))
        name = "tcp %s:80" % VIP
        lan.wait_servers(name, {HOST + ":80": 1})
        time.sleep(1)
        web.kill()
        lan.wait_servers(name, {})
        lan.wait(lambda: [m for m in servers.mails(post) if "DOWN" in m.split("\n\n")[0]], 90, "a mail that says DOWN")
        servers.nginx(lan.r1, "r1")
        lan.wait_servers(name, {HOST + ":80": 1})
        lan.wait(lambda: [m for m in servers.mails(post) if "UP" in m.split("\n\n")[0]], 90, "a mail that says UP")
        for m in servers.mails(post):
            check("admin@lab.example" in m and "lvs@lab.example" in m and HOST in m, "a mail lacks its addresses: %s", m)
