"""A reload touches what changed and nothing else."""
import os
import re
import signal
import subprocess
import time

import checks
from case import case, check, steady, strace_there
from kw_notify import Desk, Gate, Tap, balanced
from lab import Skip, conf, now

INTERVAL = 0.2


def text(priority=200, vips=conf.VIPS, interval=INTERVAL):
    return conf.whole(conf.instance(priority=priority, vips=vips, interval=interval))


@case("reload-unchanged", "SIGHUP with an unchanged file: no address, route or link event, no gratuitous ARP, no missing advert")
def unchanged(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        time.sleep(6)  # the second burst of gratuitous ARPs is 5 s after the first
        pid, since = d.role("vrrpd"), now()
        for _ in range(3):
            d.reload()
            time.sleep(0.8)
        events = lab.events(node="a", since=since)
        check(not events, "%d netlink events, first: %s", len(events), events[:1])
        check(not lab.seen("garp", "a", since), "gratuitous ARPs were sent")
        check(d.role("vrrpd") == pid, "vrrpd was replaced")
        return "3 reloads, 0 events, longest gap %.1f ms" % steady(lab, "a", since, INTERVAL)


@case("reload-unchanged-no-kernel-call", "the same, counted by strace on ipvsd: nothing is sent on any netlink socket")
def no_kernel_call(lane):
    if not strace_there():
        raise Skip("no strace here")
    with lane.master(interval=1) as (lab, d):
        pid = d.role("ipvsd")
        if not pid:
            raise Skip("this daemon has no ipvsd")
        time.sleep(6)
        out = lab.root + "/strace"
        tracer = subprocess.Popen(["strace", "-f", "-yy", "-e", "trace=sendmsg,sendto,sendmmsg,write", "-o", out, "-p", str(pid)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            lab.wait(lambda: "TracerPid:\t%d" % tracer.pid in open("/proc/%d/status" % pid).read(), 5, "strace attached")
            d.reload()
            time.sleep(2)
        finally:
            tracer.terminate()  # no SIGINT: it is ignored below a job in the background
            tracer.wait(5)
        calls = open(out).read().splitlines()
        netlink = [c for c in calls if re.search(r"<(NETLINK|RAW|PACKET)", c)]
        said = [c for c in calls if "SEQPACKET" in c or "UNIX" in c or "socket:" in c]
        check(said, "strace saw nothing at all, not even the answer to the parent: %s", calls[:3])
        check(not netlink, "%d calls, first: %s", len(netlink), netlink[:1])
        check(d.role("ipvsd") == pid, "ipvsd was replaced")
        return "0 kernel calls, %d messages to other rooms" % len(said)


@case("reload-addresses", "a reload that swaps one address leaves the others alone")
def addresses(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        new = (*conf.VIPS[:2], "10.77.0.150")
        since = d.reload(text(vips=new))
        lab.wait(lambda: "10.77.0.150" in lab.a.addresses() and conf.VIPS[2] not in lab.a.addresses(), 3, "the new set of addresses")
        time.sleep(1)
        events = lab.events("addr", "a", since=since)
        touched = {e.addr for e in events}
        check(touched == {"10.77.0.150", conf.VIPS[2]}, "also touched: %s", touched)
        last = lab.adverts("a")[-1]
        check(set(last.vips) == set(new), "advertised: %s", last.vips)
        took = max(e.ts for e in events) - since
        return "done in %.0f ms, longest gap %.1f ms" % (took / 1e6, steady(lab, "a", since, INTERVAL))


@case("reload-priority-interval", "priority and interval change on the wire, without a gap")
def priority(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        since = d.reload(text(priority=150, interval=0.1))
        first = lab.wait(lambda: lab.adverts("a", since, priority=150), 3, "the new priority")[0]
        time.sleep(1)
        check(not lab.events("addr", "a", since=since), "addresses moved")
        after = lab.adverts("a", first.ts)
        check(all(x.interval == 0.1 and x.priority == 150 for x in after) and len(after) > 7, "not the new timing: %d adverts", len(after))
        return "after %.0f ms" % ((first.ts - since) / 1e6)


@case("reload-broken", "a broken, empty-braced or missing file, or an unknown interface kind of error: the old configuration stays")
def broken(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        since, pid = now(), d.role("vrrpd")
        for bad in ("vrrp_instance VI_1 {\n", text().replace("priority 200", "priority 2000"), text().replace("interface", "interfase"),
                    text() + "}\n"):
            d.reload(bad)
            time.sleep(0.5)
        os.unlink(d.conf)
        d.signal(signal.SIGHUP)
        time.sleep(0.7)
        check(d.proc.poll() is None, "the daemon ended")
        check(not lab.events("addr", "a", since=since), "addresses moved")
        gap = steady(lab, "a", since, INTERVAL)
        check(d.role("vrrpd") == pid, "vrrpd was replaced")
        d.reload(text(priority=180))
        lab.wait(lambda: lab.adverts("a", since, priority=180), 3, "a good file taken after bad ones")
        return "4 broken files and a missing one, longest gap %.1f ms" % gap


@case("reload-proof", "a reload that names TLS files: the lean reader hands it on to the whole one, which judges as -t does; and back")
def proof(lane):
    def mail(ca):
        head = "global_defs {\n    notification_email { a@example.org }\n    notification_email_from b@example.org\n    smtp_server 10.77.0.9 25\n"
        return head + "    smtp_tls required\n    smtp_tls_ca %s\n}\n" % ca + text(priority=180)
    with lane.master(interval=INTERVAL) as (lab, d):
        ca, wrong = (os.path.join(os.path.dirname(d.conf), n) for n in ("ca.pem", "wrong.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=ca",
                        "-keyout", "/dev/null", "-out", ca], check=True, capture_output=True)
        with open(wrong, "w") as f:
            f.write("no certificate\n")
        since = d.reload(mail(wrong))
        time.sleep(0.7)
        check(not lab.adverts("a", since, priority=180), "a CA file without a certificate was taken")
        since = d.reload(mail(ca))
        lab.wait(lambda: lab.adverts("a", since, priority=180), 3, "a configuration with a CA file")
        since = d.reload(mail(wrong).replace("priority 180", "priority 170"))
        time.sleep(0.7)
        check(not lab.adverts("a", since, priority=170), "a CA file without a certificate was taken after a good one")
        d.reload(text(priority=160))
        lab.wait(lambda: lab.adverts("a", since, priority=160), 3, "a configuration without TLS again")
        return "refused twice, taken twice"


@case("reload-instances", "instances come and go by reload; the one that stays is not touched")
def instances(lane):
    second = conf.instance(name="VI_2", vrid=52, priority=200, interval=INTERVAL, vips=("10.77.0.120",))
    with lane.master(interval=INTERVAL) as (lab, d):
        since = d.reload(text() + second)
        lab.wait(lambda: lab.adverts("a", since, vrid=52) and "10.77.0.120" in lab.a.addresses(), 5, "the new instance")
        time.sleep(0.5)
        gone = d.reload(text())
        lab.wait(lambda: "10.77.0.120" not in lab.a.addresses(), 3, "the old instance's address gone")
        zero = lab.wait(lambda: lab.adverts("a", gone, vrid=52, priority=0), 2, "priority 0 of the removed instance")
        time.sleep(0.5)
        check(not lab.adverts("a", zero[-1].ts + 1, vrid=52), "it still advertises")
        stays = [x for x in lab.adverts("a", since) if x.vrid == 51]
        check(all(x.priority == 200 for x in stays), "the other instance said something else")
        touched = {e.addr for e in lab.events("addr", "a", since=since)}
        check(touched == {"10.77.0.120"}, "touched: %s", touched)
        gaps = [(y.ts - x.ts) / 1e6 for x, y in zip(stays, stays[1:])]
        check(max(gaps) < INTERVAL * 1e3 + 20, "the other instance left a gap of %.0f ms", max(gaps))
        return "longest gap of the other %.1f ms" % max(gaps)


def calm(lab, since, interval, vrids):
    """Since then no address moved and nobody resigned or fell silent."""
    touched = lab.events("addr", "a", since=since)
    check(not touched, "addresses were touched: %s", touched[:2])
    for vrid in vrids:
        seen = [x for x in lab.adverts("a", since - int(interval * 1e9)) if x.vrid == vrid]
        check(all(x.priority for x in seen), "VRID %d resigned", vrid)
        gaps = [(y.ts - x.ts) / 1e6 for x, y in zip(seen, seen[1:])]
        check(gaps and max(gaps) < interval * 1e3 + 20, "VRID %d left a gap of %s ms", vrid, gaps and round(max(gaps)))


@case("reload-names", "names that are swapped, or move on by one, leave the routers alone: they are known by VRID and interface then")
def names(lane):
    def file(*who):
        return conf.whole(*(conf.instance(name=name, vrid=vrid, priority=200, interval=INTERVAL, vips=("10.77.0.%d" % (vrid + 70),))
                            for name, vrid in who))
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, file(("A", 51), ("B", 60)))
        lab.wait(lambda: {"10.77.0.121", "10.77.0.130"} <= set(lab.a.addresses()), 5, "both addresses")
        time.sleep(0.5)
        since = d.reload(file(("B", 51), ("A", 60)))
        time.sleep(1.5)
        calm(lab, since, INTERVAL, (51, 60))
        since = d.reload(file(("C", 51), ("B", 60), ("A", 70)))
        lab.wait(lambda: "10.77.0.140" in lab.a.addresses(), 5, "the new router's address")
        touched = {e.addr for e in lab.events("addr", "a", since=since)}
        check(touched == {"10.77.0.140"}, "touched: %s", touched)
        check(not lab.adverts("a", since, priority=0), "somebody resigned")


@case("reload-version", "a MASTER goes on when a reload changes its VRRP version: no address moves, no resignation, the next advert speaks it")
def version(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=1, version=3)))
        lab.wait_master("a", conf.VIPS)
        time.sleep(1.2)
        for v in (2, 3):
            since = d.reload(conf.whole(conf.instance(priority=200, interval=1, version=v)))
            time.sleep(2.5)
            calm(lab, since, 1, (51,))
            spoken = {x.version for x in lab.adverts("a", since + int(0.3e9))}
            check(spoken == {v}, "versions spoken: %s", spoken)


@case("reload-fault", "a reload that changes what an advert holds and brings a fault with it: resigned in the new shape, nobody dies")
def fault(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(priority=200))
        lab.wait_master("a", conf.VIPS)
        pid = d.role("vrrpd")
        for version, vips in ((3, conf.VIPS + ("10.77.0.140",)), (2, conf.VIPS)):
            since = d.reload(conf.whole(conf.instance(priority=200, version=version, interval=1, vips=vips,
                                                      extra="track_interface {\n nosuch0\n }")))
            lab.wait(lambda: not set(conf.VIPS) & set(lab.a.addresses()), 3, "the addresses gone")
            zero = lab.wait(lambda: lab.adverts("a", since, priority=0), 2, "the resignation")[-1]
            check(zero.version == version and not zero.faults, "the resignation: version %d, %s", zero.version, zero.faults)
            check(d.role("vrrpd") == pid, "vrrpd was replaced: %s", d.read_log()[-400:])
            d.reload(text(priority=200))
            lab.wait_master("a", conf.VIPS)


@case("reload-storm", "thirty SIGHUPs in a second, the file changing under them: alive, on time, the last word counts")
def storm(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        since = now()
        for i in range(30):
            d.reload(text(priority=170 + i))
            time.sleep(0.033)
        lab.wait(lambda: lab.adverts("a", now() - 500_000_000, priority=199), 5, "the last configuration in force")
        check(not lab.events("addr", "a", since=since), "addresses moved")
        return "longest gap %.1f ms" % steady(lab, "a", since, INTERVAL)


@case("reload-death", "a room that dies while it prepares puts the reload off, no more")
def death(lane):
    if not strace_there():
        raise Skip("no strace here")
    with lane.master(interval=1) as (lab, d):
        for role, priority in (("ipvsd", 210), ("vrrpd", 220)):
            pid = d.role("vrrpd")
            slow = subprocess.Popen(["strace", "-f", "-o", lab.root + "/strace", "-e", "trace=recvmsg", "-e", "inject=recvmsg:delay_enter=300000",
                                     "-p", str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                lab.wait(lambda: "TracerPid:\t%d" % slow.pid in open("/proc/%d/status" % pid).read(), 5, "strace attached")
                time.sleep(1)  # seized, and then stopped at system calls
                mark, since = len(d.read_log()), now()
                d.reload(text(priority, interval=1))
                lab.wait(lambda: "reloading " in d.read_log()[mark:], 3, "the reload")
                time.sleep(0.1)
                os.kill(d.role(role), signal.SIGKILL)
                lab.wait(lambda: "died of" in d.read_log()[mark:], 3, "its death")
            finally:
                slow.terminate()
                slow.wait(5)
            lab.wait(lambda: lab.adverts("a", since, priority=priority), 5, "the new priority after the death of " + role)
            said = d.read_log()[mark:]
            check("reload refused" not in said and "will be read again" in said, "%s: %s", role, said)
        return "longest gap %.1f ms" % steady(lab, "a", since, 1, 60)


@case("reload-last-service", "a reload that removes the last service: what was up is told to scripts and the FIFO, as keepalived tells it; the next one starts it again")
def last_service(lane):
    with lane.lab("a") as lab:
        f = Desk(lab)
        gates = [Gate(lab.a, ip) for ip in checks.addresses(lab.a, 2)]
        gates[1].close()
        services = [balanced(n, "notify_up \"%s rs%d up\"\n notify_down \"%s rs%d down\"" % (f.say, n, f.say, n),
                             "quorum_up \"%s vs%d up\"\n quorum_down \"%s vs%d down\"" % (f.say, n, f.say, n)) for n in (1, 2)]
        fifo = "    script_user root\n    lvs_notify_fifo %s/lvs\n" % f.dir
        tap = Tap(f.dir + "/lvs")
        d = lab.a.start(lane.daemon, conf.whole(*services, glob=fifo))
        lab.wait(lambda: "root:root [rs2] [down]" in f.said(), 6, "the dead server's notify_down")
        lab.wait(lambda: f.said().count("root:root [vs2] [down]") == 1, 3, "the dead service's quorum_down")
        tap.take()
        f.put("out", "", 0o666)
        d.reload(conf.whole(glob=fifo))
        lab.wait(lambda: "reload complete" in d.read_log(), 5, "the reload")
        lab.wait(lambda: len(f.said()) >= 2, 3, "the scripts")
        time.sleep(0.3)
        check(sorted(f.said()) == ["root:root [rs1] [down]", "root:root [vs1] [down]"], "scripts: %s", f.said())
        lines = tap.take()
        check(lines == ["RS [10.98.0.1]:tcp:80 [10.99.0.1]:tcp:80 DOWN", "VS [10.99.0.1]:tcp:80 DOWN"], "the FIFO: %s", lines)
        d.reload(conf.whole(*services, glob=fifo))
        lab.wait(lambda: "root:root [vs1] [up]" in f.said(), 6, "the service that came back")
        return "told once"
