"""Trackers and sync groups on real frames: priorities, faults, results over a reload and a crash, common state, order of news."""
import os
import signal
import subprocess
import time

from case import case, check, steady
from lab import Speaker, conf, now
from mail import Office

INTERVAL = 0.2
VIPS, VIPS2 = conf.VIPS[:1], conf.VIPS[1:2]
SECURITY = "    script_user root\n    enable_script_security\n"


class Files:
    """Scripts and files of a case, in a directory nobody else may write to."""

    def __init__(self, lab):
        self.dir = lab.root + "/track"
        os.mkdir(self.dir, 0o755)

    def put(self, name, text, mode=0o644):
        path = "%s/%s" % (self.dir, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def script(self, name, text):
        return self.put(name, "#!/bin/sh\n%s\n" % text, 0o755)

    def read(self, name):
        try:
            with open("%s/%s" % (self.dir, name)) as f:
                return f.read()
        except FileNotFoundError:
            return ""


def wait_priority(lab, priority, timeout=5, **want):
    since = now()
    return lab.wait(lambda: [a for a in lab.adverts("a", since, priority=priority, **want)], timeout, "priority %d" % priority)[0]


def pair(extra1="", extra2="", group="", p1=200, p2=200, glob=SECURITY):
    """Two instances of one sync group on eth0, and what else the group is to have."""
    return conf.whole("vrrp_sync_group G1 {\n  group {\n    VI_1\n    VI_2\n  }\n%s}\n" % group,
                      conf.instance(priority=p1, interval=INTERVAL, vips=VIPS, extra=extra1),
                      conf.instance("VI_2", 52, priority=p2, interval=INTERVAL, vips=VIPS2, extra=extra2), glob=glob)


def one(extra, *blocks, glob=SECURITY, priority=100):
    return conf.whole(*blocks, conf.instance(priority=priority, interval=INTERVAL, vips=VIPS, extra=extra), glob=glob)


def states(lab, since):
    """Who of VRID 51 and 52 advertised since then."""
    return {a.vrid for a in lab.adverts("a", since) if a.priority}


@case("track-crash", "vrrpd is killed again and again: weights, faults and group states of before stand, nothing is told", alone=True)
def crash(lane):
    with lane.lab("a") as lab:
        f = Files(lab)
        ok = f.script("ok", "exit 0")
        value = f.put("value", "-7\n")
        fifo = f.dir + "/events"
        reader = f.script("reader", "exec cat \"$1\" > %s/told" % f.dir)
        track = "track_script {\n S\n}\ntrack_file {\n F\n}"
        d = lab.a.start(lane.daemon, pair(track, track, "  sync_group_tracking_weight\n",
                                          glob=SECURITY + "    vrrp_notify_fifo %s\n    vrrp_notify_fifo_script %s\n" % (fifo, reader)) +
                        "vrrp_script S {\n script %s\n interval 1\n weight 20\n}\ntrack_file F {\n file %s\n}\n" % (ok, value))
        lab.wait_master("a", VIPS + VIPS2, 8)
        wait_priority(lab, 213, vrid=51)
        wait_priority(lab, 213, vrid=52)
        since, told = now(), f.read("told")
        for _ in range(5):
            os.kill(d.role("vrrpd"), signal.SIGKILL)
            time.sleep(0.7)
        seen = lab.adverts("a", since)
        check({a.priority for a in seen} == {213}, "priorities after a crash: %s", sorted({a.priority for a in seen}))
        for vrid in (51, 52):
            times = [a.ts for a in seen if a.vrid == vrid]
            gap = max((b - a) / 1e6 for a, b in zip(times, times[1:]))
            check(gap < 3 * INTERVAL * 1e3, "an advert of VRID %d came %.0f ms after the last one", vrid, gap)
        check(f.read("told") == told, "a crash was told: %s", f.read("told")[len(told):])
        f.put("value", "3\n")
        wait_priority(lab, 223, vrid=52)
        return "%d adverts" % len(seen)


@case("track-reload", "a reload leaves results of scripts as they are; another command gives a new one; a removed tracker is no fault any more")
def over_reload(lane):
    with lane.lab("a") as lab:
        f = Files(lab)
        slow = f.script("slow", "echo x >> %s/runs; exit 0" % f.dir)
        bad = f.script("bad", "exit 1")

        def text(command, weight, more=""):
            return one("track_script {\n S weight %d\n}" % weight,
                       "vrrp_script S {\n script %s\n interval 30\n rise 2\n}\n" % command) + more
        d = lab.a.start(lane.daemon, text(slow, 30))
        lab.wait_master("a", VIPS)
        wait_priority(lab, 130)
        runs, since = f.read("runs"), now()
        d.reload(text(slow, 40))
        wait_priority(lab, 140)
        check(f.read("runs") == runs, "an unchanged script ran again because of a reload")
        check(all(a.priority in (130, 140) for a in lab.adverts("a", since)), "the priority fell in between")
        steady(lab, "a", since, INTERVAL)
        d.reload(text(bad, 40))
        wait_priority(lab, 100)
        d.reload(text(bad, 0))
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 5, "the fault")
        d.reload(one(""))
        lab.wait_master("a", VIPS, since=now())


@case("track-script-kinds", "a script that cannot run, hangs, or is told so fails; init_fail has to earn it; weight 0 reverse wants failure")
def kinds(lane):
    with lane.lab("a") as lab:
        f = Files(lab)
        hang, good = f.script("hang", "sleep 60"), f.script("good", "exit 0")
        count = f.script("count", "echo x >> %s/runs; exit 0" % f.dir)
        lab.a.start(lane.daemon, one(
            "track_script {\n HANG weight -10\n NONE weight -20\n COUNT weight 40\n GOOD weight 15 reverse\n BAD weight 0 reverse\n}",
            "vrrp_script HANG {\n script %s\n interval 1\n timeout 0.5\n}\n" % hang,
            "vrrp_script NONE {\n script %s/missing\n interval 1\n}\n" % f.dir,
            "vrrp_script COUNT {\n script %s\n interval 0.5\n rise 3\n init_fail\n}\n" % count,
            "vrrp_script GOOD {\n script %s\n}\n" % good,
            "vrrp_script BAD {\n script %s/missing\n}\n" % f.dir))
        lab.wait_master("a", VIPS, 8)
        wait_priority(lab, 95, 8)
        check(len(f.read("runs").split()) >= 3, "init_fail was not earned")
        early = [a.priority for a in lab.adverts("a")]
        check(105 not in early, "a failure counted late: %s", early)


@case("track-file-private", "a track_file in a directory only its owner enters is followed; one that cannot be read any more keeps its value, over a reload too; one that is gone is 0")
def private(lane):
    with lane.lab("a") as lab:
        f = Files(lab)
        home = f.dir + "/private"
        at = home + "/value"

        def put(text, mode=0o644):
            with open(at, "w") as out:
                out.write(text)
            os.chown(at, 65534, 65534)
            os.chmod(at, mode)
        os.mkdir(home, 0o700)
        put("1\n")
        os.chown(home, 65534, 65534)
        text = one("track_file {\n F weight 0\n}", "track_file F {\n file %s\n}\n" % at)
        d = lab.a.start(lane.daemon, text)
        lab.wait(lambda: "FAULT" in d.read_log(), 5, "the fault")
        put("2\n")
        lab.wait(lambda: "track_file F: 2" in d.read_log(), 3, "the new value")
        os.chmod(at, 0)
        lab.wait(lambda: "its last value 2 stays" in d.read_log(), 3, "the warning")
        d.reload(text)
        lab.wait(lambda: d.read_log().count("its last value 2 stays") == 2, 5, "the warning after a reload")
        time.sleep(1.5)
        check(VIPS[0] not in lab.a.addresses() and not lab.adverts("a"), "MASTER although the file said 2: %s", d.read_log()[-600:])
        os.chmod(at, 0o600)
        put("0\n")
        lab.wait_master("a", VIPS)
        put("1\n")
        lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 3, "the fault again")
        since = now()
        os.unlink(at)
        lab.wait_master("a", VIPS, since=since)


@case("track-process-names", "processes are counted as they come and go: weight, quorum, delays, a fault and its end")
def processes(lane):
    with lane.lab("a") as lab:
        f = Files(lab)
        name = "hftrk%d" % os.getpid()
        prog = f.dir + "/" + name
        with open("/bin/sleep", "rb") as src, open(prog, "wb") as dst:
            dst.write(src.read())
        os.chmod(prog, 0o755)
        running = []

        def begin(*args):
            running.append(subprocess.Popen([prog, *(args or ("100",))]))
            return running[-1]
        try:
            begin()
            lab.a.start(lane.daemon, one(
                "track_process {\n ONE\n TWO\n PARAM\n NONE\n NEED\n}",
                "vrrp_track_process ONE {\n process %s\n weight 10\n}\n" % name,
                "vrrp_track_process TWO {\n process %s\n weight 20\n quorum 2\n quorum_max 3\n}\n" % name,
                "vrrp_track_process PARAM {\n process %s 77\n weight 40\n fork_delay 0.5\n}\n" % prog,
                "vrrp_track_process NONE {\n process %s-absent\n weight -5\n quorum_max 0\n}\n" % name,
                "vrrp_track_process NEED {\n process %s\n terminate_delay 0.3\n}\n" % name))
            lab.wait_master("a", VIPS)
            wait_priority(lab, 110)
            second = begin()
            wait_priority(lab, 130)
            at, third = now(), begin("77")
            first = wait_priority(lab, 170)
            check((first.ts - at) / 1e9 > 0.45, "fork_delay 0.5 was over after %.2f s", (first.ts - at) / 1e9)
            begin()
            wait_priority(lab, 150)  # four are too many for TWO
            for p in (second, third):
                p.kill()
                p.wait()
            wait_priority(lab, 130)
            for p in running:
                p.kill()
                p.wait()
            lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 5, "the fault")
            begin()
            lab.wait_master("a", VIPS, since=now())
        finally:
            for p in running:
                p.kill()
                p.wait()


@case("sync-together", "a sync group takes over only when every member may, and all give up when one has to")
def together(lane):
    with lane.lab("ax") as lab:
        better = Speaker(lab, "x", INTERVAL, 250, VIPS2, vrid=52)
        better.start()
        try:
            time.sleep(0.3)
            lab.a.start(lane.daemon, pair())
            time.sleep(3)
            check(states(lab, 0) == set(), "VRIDs %s are MASTER although one of their group cannot be", states(lab, 0))
        finally:
            better.stop()
        lab.wait(lambda: states(lab, now() - int(1e9)) == {51, 52}, 5, "both MASTER")
        lab.wait(lambda: set(VIPS + VIPS2) <= set(lab.a.addresses()), 3, "the addresses")
        first = {v: min(a.ts for a in lab.adverts("a", vrid=v)) for v in (51, 52)}
        check(abs(first[51] - first[52]) < 50e6, "they took over %.0f ms apart", abs(first[51] - first[52]) / 1e6)
        since = now()
        better.once()
        lab.wait(lambda: not set(VIPS + VIPS2) & set(lab.a.addresses()), 2, "the end of both")
        lab.wait(lambda: lab.adverts("a", since, vrid=51, priority=0), 1, "the other member's last word")


@case("sync-news", "group and members: start, takeover, fault, recovery and stop are told in the incumbent's order")
def news(lane):
    with lane.lab("a") as lab:
        f = Files(lab)
        lab.a.batch("link add t0 type veth peer name t1\nlink set t1 up\nlink set t0 up")
        fifo = f.dir + "/events"
        reader = f.script("reader", "exec cat \"$1\" > %s/told" % f.dir)
        d = lab.a.start(lane.daemon, pair(group="  track_interface {\n    t0\n  }\n", glob=SECURITY +
                        "    vrrp_notify_fifo %s\n    vrrp_notify_fifo_script %s\n" % (fifo, reader)))
        lab.wait_master("a", VIPS + VIPS2)
        lab.a.batch("link set t1 down")
        lab.wait(lambda: '"G1" FAULT' in f.read("told"), 3, "the fault")
        lab.a.batch("link set t1 up")
        lab.wait(lambda: f.read("told").count('"G1" MASTER') == 2, 5, "MASTER again")
        d.stop()
        lab.wait(lambda: '"G1" STOP' in f.read("told"), 3, "the stop")
        lines = f.read("told").split("\n")[:-1]
        check(lines[0] == 'GROUP "G1" BACKUP 0', "first line: %s", lines[0])
        check(sorted(lines[1:3]) == ['INSTANCE "VI_1" BACKUP 200', 'INSTANCE "VI_2" BACKUP 200'], "start: %s", lines[:3])
        at = 3
        for word in ("MASTER", "FAULT", "BACKUP", "MASTER", "STOP"):
            part = lines[at:at + 3]
            check(sorted(part[:2]) == ['INSTANCE "VI_%d" %s 200' % (n, word) for n in (1, 2)] and
                  part[2:] == ['GROUP "G1" %s 0' % word], "%s: %s of %s", word, part, lines)
            at += 3
        check(len(lines) == at, "more lines: %s", lines[at:])


@case("fifo-private", "a FIFO in a directory only its owner enters: made by a reload too, kept over the next one, removed when it is not named any more and at the end")
def private_fifo(lane):
    with lane.lab("a") as lab:
        f = Files(lab)
        home = f.dir + "/private"
        os.mkdir(home, 0o700)
        os.chown(home, 65534, 65534)

        def text(name):
            return one("", glob=SECURITY + "    vrrp_notify_fifo %s/%s nobody\n" % (home, name))

        def there():
            return sorted(x for x in os.listdir(home))
        d = lab.a.start(lane.daemon, text("first"))
        lab.wait_master("a", VIPS)
        check(there() == ["first"], "after the start: %s", there())
        d.reload(text("second"))
        lab.wait(lambda: there() == ["second"], 5, "the other FIFO alone")
        st = os.stat(home + "/second")
        check((st.st_uid, st.st_mode & 0o777) == (65534, 0o600), "it is %s", st)
        tap = os.open(home + "/second", os.O_RDWR | os.O_NONBLOCK)
        d.reload(text("second"))
        lab.wait(lambda: d.read_log().count("is in force") >= 2, 5, "the second reload")
        check(os.stat(home + "/second").st_ino == st.st_ino, "made anew although nothing changed")
        d.stop()
        got = os.read(tap, 4096).decode().splitlines()
        check(got == ['INSTANCE "VI_1" STOP 100'], "lines: %s", got)
        check(there() == [], "left behind: %s", there())


@case("sync-reload", "an instance joins and leaves a sync group by reload; the group's state is common at once")
def joins(lane):
    with lane.lab("ax") as lab:
        alone = conf.whole(conf.instance(priority=200, interval=INTERVAL, vips=VIPS),
                           conf.instance("VI_2", 52, priority=100, interval=INTERVAL, vips=VIPS2), glob=SECURITY)
        better = Speaker(lab, "x", INTERVAL, 150, VIPS2, vrid=52)
        better.start()
        try:
            d = lab.a.start(lane.daemon, alone)
            lab.wait_master("a", VIPS)
            check(states(lab, 0) == {51}, "VI_2 is not to be MASTER")
            d.reload(pair(p2=100))
            lab.wait(lambda: VIPS[0] not in lab.a.addresses(), 5, "the end of VI_1: its mate is BACKUP")
            d.reload(alone)
            lab.wait_master("a", VIPS, since=now())
            check(VIPS2[0] not in lab.a.addresses(), "VI_2 took over from a better one")
        finally:
            better.stop()


@case("track-link-delays", "interface_up_down_delays: a short loss of carrier is not seen, a long one is after its delay, and so is the return")
def link_delays(lane):
    with lane.lab("a") as lab:
        lab.a.batch("link add t0 type veth peer name t1\nlink set t1 up\nlink set t0 up")
        lab.a.start(lane.daemon, one("track_interface {\n t0 weight 20\n}", "interface_up_down_delays {\n t0 1 0.5\n}\n"))
        lab.wait_master("a", VIPS)
        wait_priority(lab, 120)
        since = now()
        for _ in range(3):
            lab.a.batch("link set t1 down")
            time.sleep(0.4)
            lab.a.batch("link set t1 up")
            time.sleep(0.3)
        time.sleep(1)
        check({a.priority for a in lab.adverts("a", since)} == {120}, "a short loss was seen")
        since = now()
        lab.a.batch("link set t1 down")
        after = (wait_priority(lab, 100).ts - since) / 1e9
        check(0.95 < after < 1.6, "the loss was seen after %.2f s", after)
        since = now()
        lab.a.batch("link set t1 up")
        after = (wait_priority(lab, 120).ts - since) / 1e9
        check(0.45 < after < 1.1, "the return was seen after %.2f s", after)


@case("sync-priority-news", "notify_priority_changes of a group: its members' priorities are told to the FIFO, without a script and without an advert of their own")
def priority_news(lane):
    with lane.lab("a") as lab:
        f = Files(lab)
        value, zero = f.put("value", "0\n"), f.put("zero", "0\n")
        fifo = f.dir + "/events"
        reader = f.script("reader", "exec cat \"$1\" > %s/told" % f.dir)
        track = "track_file {\n F\n Z weight 0\n}"
        lab.a.start(lane.daemon, pair(track, "", "  sync_group_tracking_weight\n  notify_priority_changes\n", glob=SECURITY +
                    "    vrrp_notify_fifo %s\n    vrrp_notify_fifo_script %s\n" % (fifo, reader)) +
                    "track_file F {\n file %s\n}\ntrack_file Z {\n file %s\n}\n" % (value, zero))
        lab.wait_master("a", VIPS + VIPS2)
        f.put("value", "-20\n")
        lab.wait(lambda: 'INSTANCE "VI_1" MASTER_PRIORITY 180' in f.read("told"), 3, "the line")
        wait_priority(lab, 180, vrid=51)
        steady(lab, "a", now() - int(1e9), INTERVAL, 60)
        check("PRIORITY" not in f.read("told").replace('INSTANCE "VI_1" MASTER_PRIORITY 180', ""), "more: %s", f.read("told"))
        f.put("zero", "1\n")
        lab.wait(lambda: 'INSTANCE "VI_1" FAULT 180' in f.read("told"), 3, "the fault")
        f.put("value", "-10\n")
        lab.wait(lambda: 'INSTANCE "VI_1" BACKUP_PRIORITY 190' in f.read("told"), 3, "the line of one in FAULT")


@case("news-order", "what several instances and groups have to say in one moment, to the FIFO and by mail, is said in the order of the configuration")
def news_order(lane):
    names = ["VI_%d" % n for n in range(1, 7)]
    with lane.lab("ab") as lab:
        office, f = Office(lab), Files(lab)
        value = f.put("value", "0\n")
        fifo, groups = f.dir + "/events", ""
        reader = f.script("reader", "exec cat \"$1\" > %s/told" % f.dir)
        for n in (1, 2, 3):
            groups += "vrrp_sync_group G%d {\n group {\n  VI_%d\n  VI_%d\n }\n}\n" % (n, 2 * n - 1, 2 * n)
        d = lab.a.start(lane.daemon, conf.whole(
            "track_file Z {\n file %s\n weight 0\n}\n" % value, groups, *(conf.instance(name, 60 + n, interval=INTERVAL, vips=(
                "10.77.0.16%d" % n,), extra="smtp_alert\ntrack_file {\n Z\n}") for n, name in enumerate(names)),
            glob=SECURITY + "    vrrp_notify_fifo %s\n    vrrp_notify_fifo_script %s\n    notification_email {\n  ops@lab.example\n }\n"
            "    smtp_server 10.77.0.2 2525\n" % (fifo, reader)))

        def lines(what, state):
            return [line.split()[1].strip('"') for line in f.read("told").splitlines() if line.startswith(what) and state in line.split()]
        lab.wait(lambda: len(lines("GROUP", "MASTER")) == 3, 6, "MASTER")
        f.put("value", "1\n")
        lab.wait(lambda: len(lines("GROUP", "FAULT")) == 3, 3, "the fault")
        check(lines("GROUP", "FAULT") == ["G1", "G2", "G3"], "groups in FAULT: %s", lines("GROUP", "FAULT"))

        def mails():
            return [m["subject"].split()[3] for m in office.mails() if m["subject"].endswith("Entering FAULT state") and "Instance" in m["subject"]]
        lab.wait(lambda: len(mails()) == 6, 8, "the mails")
        check(mails() == names, "mails: %s", mails())
        d.stop()
        lab.wait(lambda: len(lines("GROUP", "STOP")) == 3, 3, "the end")
        check(lines("GROUP", "STOP") == ["G1", "G2", "G3"], "groups that stop: %s", lines("GROUP", "STOP"))


@case("sync-one-tracker", "of one thing a member has one tracker: what is a fault for the member stays one, else the group's weight takes the place of its own")
def one_tracker(lane):
    with lane.lab("a") as lab:
        lab.a.batch("link add t0 type veth peer name t1\nlink set t0 up\nlink set t1 up")
        f = Files(lab)
        value = f.put("value", "3\n")
        also = "track_file F {\n file %s\n}\n" % value
        on = "track_interface {\n %s\n}\ntrack_file {\n %s\n}"
        rows = (  # of the member, of the group, priorities of VI_1 and VI_2 over 100
            ("", on % ("eth0 weight 10", "F weight 2"), 6, 6),  # eth0 carries both: a fault
            ("dont_track_primary", on % ("eth0 weight 10", "F weight 2"), 16, 6),
            (on % ("t0 weight 5", "F weight 1"), on % ("t0 weight 10", "F weight 2"), 16, 16),
            (on % ("t0", "F weight 1"), on % ("t0 weight 10", "F weight 2"), 6, 16),
            (on % ("t0 weight 5", "F weight 1"), on % ("t0", "F weight 2"), 6, 6))
        d = None
        for member, group, first, second in rows:
            text = also + pair(member, "", "sync_group_tracking_weight\n%s\n" % group, 100, 100)
            if d:
                d.reload(text)
            d = d or lab.a.start(lane.daemon, text)
            wait_priority(lab, 100 + first, vrid=51)
            wait_priority(lab, 100 + second, vrid=52)
