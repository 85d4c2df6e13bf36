"""Keywords of notification, one by one, as an administrator meets them: scripts with their arguments and users, FIFOs and their
readers, mail settings, what checks and trackers say. Each line here fails when its keyword is read and then forgotten.
"""
import os
import re
import socket
import stat
import subprocess
import threading
import time
import types

import checks
from case import case, check
from lab import Speaker, conf, watch
from mail import Office
from tracking import Files

INTERVAL = 0.2
ROOT = "    script_user root\n"


class Desk(Files):
    """Files, a script that writes down by whom and with which words it was run, and what it wrote."""

    def __init__(self, lab):
        super().__init__(lab)
        self.put("out", "", 0o666)
        self.say = self.script("say", 'l="$(id -un):$(id -gn)"; for a in "$@"; do l="$l [$a]"; done; printf "%%s\\n" "$l" >> %s/out'
                               % self.dir)

    def said(self):
        return self.read("out").splitlines()


class Tap:
    """A FIFO of our own and the lines that came through it."""

    def __init__(self, path, make=True):
        if make:
            os.mkfifo(path)
        self.path, self.fd, self.text = path, os.open(path, os.O_RDWR), b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            got = os.read(self.fd, 65536)
            self.text += got

    def lines(self):
        return self.text.decode().splitlines()

    def take(self):
        """Lines since the last take."""
        got, self.text = self.lines(), b""
        return got


def vi(n, extra="", priority=200, name=None):
    return conf.instance(name or "VI_%d" % n, 50 + n, priority, interval=INTERVAL, vips=("10.77.0.10%d" % n,), extra=extra)


def group(members, extra=""):
    return "vrrp_sync_group G1 {\n group {\n  %s\n }\n%s}\n" % ("\n  ".join("VI_%d" % n for n in members), extra)


def wait_lines(lab, get, want, what, seconds=6):
    """Until every line of want is among what get() gives."""
    def missing():
        have = get()
        return [w for w in want if w not in have]
    try:
        lab.wait(lambda: not missing(), seconds, what)
    except Exception:
        check(False, "%s: missing %s in %s", what, missing(), get())


@case("kwn-script-words", "a command's quotes and escapes reach the script as the incumbent has them; USER and GROUP behind it are who runs it")
def words(lane):
    forms = ((r'"%s 1 \"q  q\" z"', "[1] [q  q] [z]"), (r'''"%s 2 'd\"e' a'b c'd"''', '[2] [d"e] [ab cd]'), (r'"%s 3 f\\g \x41\102"', "[3] [fg] [AB]"),
             (r'''"%s 4 '' \"\" e"''', "[4] [] [] [e]"), (r'''"%s 5 \"a 'b' c\" 'a \"b\" c'"''', "[5] [a 'b' c] [a \"b\" c]"),
             (r"""'%s 6 "x y" z'""", "[6] [x y] [z]"), (r'"%s 7 \$HOME #x !y {b} * | ; `ls`"', "[7] [$HOME] [#x] [!y] [{b}] [*] [|] [;] [`ls`]"))
    with lane.lab("a") as lab:
        f = Desk(lab)
        blocks = [vi(n, "notify_backup " + form % f.say) for n, (form, _) in enumerate(forms, 1)]
        who = ("notify_backup %s nobody\nnotify \"%s any\" nobody daemon" % (f.say, f.say), "notify \"%s dflt\"" % f.say)
        d = lab.a.start(lane.daemon, conf.whole(*blocks, vi(8, who[0]), vi(9, who[1]), glob="    script_user daemon\n"))
        wait_lines(lab, f.said, ["daemon:daemon " + want for _, want in forms] +
                   ["nobody:nogroup", "nobody:daemon [any] [INSTANCE] [VI_8] [BACKUP] [200]", "daemon:daemon [dflt] [INSTANCE] [VI_9] [BACKUP] [200]"],
                   "what the scripts saw")
        d.reload(conf.whole(vi(8, who[0]), vi(9, who[1] + " daemon nogroup"), glob=ROOT))
        lab.wait(lambda: "reload complete" in d.read_log(), 5, "the reload")
        d.stop()
        wait_lines(lab, f.said, ["nobody:daemon [any] [INSTANCE] [VI_8] [STOP] [200]", "daemon:nogroup [dflt] [INSTANCE] [VI_9] [STOP] [200]"],
                   "users after a reload")
        return "%d forms" % len(forms)


@case("kwn-notify-scripts", "notify_* of instance and group: each at its state, in its order; stop; deleted with and without a script; a lower advert")
def scripts(lane):
    with lane.lab("ax") as lab:
        f = Desk(lab)

        def every(tag, *more):
            return "".join(" notify_%s \"%s %s %s\"\n" % (w, f.say, tag, w) for w in ("master", "backup", "fault", "stop", *more)) + \
                ' notify "%s %s"\n' % (f.say, tag)
        g = group((1, 2), every("g"))
        one, two = vi(1, every("i", "master_rx_lower_pri", "deleted")), vi(2)
        gone, plain = vi(3, every("d", "deleted")), vi(4, "notify_deleted\n" + every("p"))
        low = Speaker(lab, "x", INTERVAL, 50, ("10.77.0.101",), vrid=51)
        d = lab.a.start(lane.daemon, conf.whole(g, one, two, gone, plain, vi(5, every("f")), glob=ROOT))
        wait_lines(lab, f.said, ["root:root [%s] [%s]" % (t, w) for t in "gidpf" for w in ("backup", "master")] +
                   ["root:root [g] [GROUP] [G1] [%s] [0]" % w for w in ("BACKUP", "MASTER")] +
                   ["root:root [i] [INSTANCE] [VI_1] [%s] [200]" % w for w in ("BACKUP", "MASTER")], "backup and master")
        low.once()
        wait_lines(lab, f.said, ["root:root [i] [master_rx_lower_pri]"], "the lower advert")
        d.reload(conf.whole(g, one, two, glob=ROOT))
        wait_lines(lab, f.said, ["root:root [d] [deleted]", "root:root [d] [INSTANCE] [VI_3] [DELETED] [200]",
                                 "root:root [p] [INSTANCE] [VI_4] [DELETED] [200]", "root:root [f] [INSTANCE] [VI_5] [FAULT] [200]"], "the deletions")
        lab.a.batch("link set eth0 down")
        wait_lines(lab, f.said, ["root:root [g] [fault]", "root:root [i] [fault]", "root:root [i] [INSTANCE] [VI_1] [FAULT] [200]",
                                 "root:root [g] [GROUP] [G1] [FAULT] [0]"], "the fault")
        lab.a.batch("link set eth0 up")
        lab.wait(lambda: f.said().count("root:root [g] [master]") == 2, 6, "MASTER again")
        d.stop()
        wait_lines(lab, f.said, ["root:root [g] [stop]", "root:root [g] [GROUP] [G1] [STOP] [0]", "root:root [i] [stop]",
                                 "root:root [i] [INSTANCE] [VI_1] [STOP] [200]"], "the stop")
        said = f.said()
        check(not {"root:root [p] [fault]", "root:root [f] [fault]", "root:root [i] [deleted]"} & set(said), "too much was told: %s", said)
        check([s for s in said if s.startswith("root:root [i] ")][:4] == ["root:root [i] [backup]", "root:root [i] [INSTANCE] [VI_1] [BACKUP] [200]",
              "root:root [i] [master]", "root:root [i] [INSTANCE] [VI_1] [MASTER] [200]"], "the order: %s", said)
        return "%d runs" % len(said)


@case("kwn-fifos", "notify_fifo and vrrp_notify_fifo with owners and readers; priorities, lower adverts; states again on a reload only when asked for")
def fifos(lane):
    with lane.lab("ax") as lab:
        f = Desk(lab)
        os.chmod(f.dir, 0o777)
        value = f.put("value", "0\n")
        reader = f.script("reader", '%s "$@"; for p; do :; done; exec cat "$p" >> %s/read.$1' % (f.say, f.dir))
        again, changes = "    fifo_write_vrrp_states_on_reload\n", "    vrrp_notify_priority_changes\n"

        def text(more, *blocks, script=True):
            glob = ROOT + '    notify_fifo %s/all nobody\n    vrrp_notify_fifo %s/vrrp daemon nogroup\n' % (f.dir, f.dir) + more
            if script:
                glob += '    notify_fifo_script "%s all \'a b\'" nobody daemon\n    vrrp_notify_fifo_script "%s vrrp" daemon\n' % (reader, reader)
            return conf.whole("track_file V {\n file %s\n}\n" % value, group((1, 2)), vi(1), vi(2), *blocks, glob=glob)
        track = "track_file {\n V\n}\n"
        three, four, five = vi(3, track), vi(4, track + "notify_priority_changes off"), vi(5, track, 100)
        low = Speaker(lab, "x", INTERVAL, 50, ("10.77.0.103",), vrid=53)
        high = Speaker(lab, "x", INTERVAL, 240, ("10.77.0.105",), vrid=55).start()
        try:
            d = lab.a.start(lane.daemon, text(changes, three, four, five))
            told = lambda: f.read("read.vrrp").splitlines()
            wait_lines(lab, told, ['GROUP "G1" MASTER 0', 'INSTANCE "VI_3" MASTER 200', 'INSTANCE "VI_4" MASTER 200', 'INSTANCE "VI_5" BACKUP 100'], "start")
            for name, uid, gid in (("all", 65534, 65534), ("vrrp", 1, 65534)):
                st = os.stat("%s/%s" % (f.dir, name))
                check(stat.S_ISFIFO(st.st_mode) and (st.st_uid, st.st_gid, st.st_mode & 0o777) == (uid, gid, 0o600), "%s is %s", name, st)
            wait_lines(lab, f.said, ["nobody:daemon [all] [a b] [%s/all]" % f.dir, "daemon:daemon [vrrp] [%s/vrrp]" % f.dir], "the readers")
            f.put("value", "-20\n")
            wait_lines(lab, told, ['INSTANCE "VI_3" MASTER_PRIORITY 180', 'INSTANCE "VI_5" BACKUP_PRIORITY 80'], "priorities")
            low.once()
            wait_lines(lab, told, ['INSTANCE "VI_3" MASTER_RX_LOWER_PRI 180'], "the lower advert")
            check(not [x for x in told() if "VI_4" in x and "PRIORITY" in x], "notify_priority_changes off: %s", told())
            lab.wait(lambda: f.read("read.all") == f.read("read.vrrp"), 2, "the same lines through both")
            d.reload(text(again, three, four, five, script=False))
            lab.wait(lambda: "reload complete" in d.read_log(), 5, "the reload")
            taps = [Tap("%s/%s" % (f.dir, n), make=False) for n in ("all", "vrrp")]
            want = ['GROUP "G1" MASTER 0', 'INSTANCE "VI_1" MASTER 200', 'INSTANCE "VI_2" MASTER 200', 'INSTANCE "VI_3" MASTER 180',
                    'INSTANCE "VI_4" MASTER 180', 'INSTANCE "VI_5" BACKUP 80']
            for t in taps:
                lab.wait(lambda: t.lines() == want, 3, "the states again")
                t.take()
            f.put("value", "-30\n")
            lab.wait(lambda: lab.adverts("a", vrid=53, priority=170), 3, "the new priority")
            d.reload(text("", three, script=False))
            lab.wait(lambda: 'INSTANCE "VI_5" FAULT 70' in taps[0].lines(), 3, "the deletion")
            d.stop()
            got = taps[0].take()
            check(sorted(got[:2]) == ['INSTANCE "VI_4" FAULT 170', 'INSTANCE "VI_5" FAULT 70'] and
                  sorted(got[2:]) == ['GROUP "G1" STOP 0'] + ['INSTANCE "VI_%d" STOP %d' % p for p in ((1, 200), (2, 200), (3, 170))],
                  "without the words: %s", got)
            check(not os.path.exists(f.dir + "/all"), "the FIFO is left behind")
        finally:
            high.stop()
        return "%d lines" % len(told())


def mailed(extra, to="ops@lab.example", server="10.77.0.2 2525"):
    return "    notification_email {\n        %s\n    }\n    smtp_server %s\n%s" % (to, server, "".join("    %s\n" % e for e in extra))


@case("kwn-mail-envelope", "smtp_server with and without a port, of IPv6, by a name; HELO, sender and recipients as written, and their defaults")
def envelope(lane):
    host, alert = socket.gethostname(), vi(1, "smtp_alert")
    many = "a@x.example b@x.example\n \"C D <c@x.example>\"\n }\n notification_email {\n d@x.example"
    rows = ((mailed(["smtp_helo_name bal.example"], many, "10.77.0.2"), 25, "bal.example", "root@" + host, "abcd"),
            (mailed(["notification_email_from \"Me <me@x.example>\""], "a@x.example", "fd77::2 2525"), 2525, host, "me@x.example", "a"),
            (mailed([], "b@x.example", "localhost 2528"), 2528, host, "root@" + host, "b"))
    with lane.lab("ab") as lab:
        here = types.SimpleNamespace(b=lab.a, wait=lab.wait)  # an office in node a
        offices = [Office(here if port == 2528 else lab, port) for _, port, *_ in rows]
        d = None
        for office, (glob, port, helo, sender, to) in zip(offices, rows):
            if d is None:
                d = lab.a.start(lane.daemon, conf.whole(alert, glob=glob))
            else:
                d.reload(conf.whole(alert, vi(port % 7 + 2, "smtp_alert"), glob=glob))
            lab.wait(lambda: [m for m in office.mails() if "MASTER" in m["subject"]], 12, "a mail at port %d" % port)
            m = office.mails()[-1]
            check(m["from"] == "MAIL FROM:<%s>" % sender and m["to"] == [c + "@x.example" for c in to], "port %d: %s", port, m)
            check("C: HELO " + helo in office.log().splitlines(), "port %d: %s", port, office.log())
        return "%d servers" % len(rows)


@case("kwn-mail-timeout", "smtp_connect_timeout: a mail server that says nothing is left after it, not before")
def patience(lane):
    def silent(c, rec):
        c.recv(100)
        rec["end"] = time.monotonic()

    with lane.lab("ab") as lab:
        slow = [checks.Server(lab.b, "10.77.0.2", port, silent, read=False) for port in (2531, 2532)]
        for server, port, seconds in zip(slow, (2531, 2532), (1, 3)):
            d = lab.a.start(lane.daemon, conf.whole(vi(1, "smtp_alert"), glob=mailed(["smtp_connect_timeout %d" % seconds],
                                                                                     server="10.77.0.2 %d" % port)))
            lab.wait(lambda: server.log and "end" in server.log[0], 8, "the end of a silent talk")
            lasted = server.log[0]["end"] - server.log[0]["t"]
            check(seconds - 0.1 < lasted < seconds + 0.7, "smtp_connect_timeout %d: left after %.2f s", seconds, lasted)
            d.kill_all()
        return "1 and 3 s"


class Gate:
    """A TCP server that can be there or not."""

    def __init__(self, node, ip):
        self.node, self.ip, self.s = node, ip, None
        self.open()

    def open(self):
        with watch.in_netns(self.node.ns):
            self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind((self.ip, 80))
        self.s.listen(64)

    def close(self):
        self.s.close()


def balanced(n, server="", service="", check_="TCP_CHECK {\n }"):
    """A service with one server, 10.98.0.n, and its check."""
    return ("virtual_server 10.99.0.%d 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n delay_loop 0.3\n warmup 0\n retry 0\n connect_timeout 1\n"
            " %s\n real_server 10.98.0.%d 80 {\n %s\n %s\n }\n}\n" % (n, service, n, server, check_))


@case("kwn-mail-wanted", "smtp_alert of instances, groups, services and servers over smtp_alert_vrrp, smtp_alert_checker, smtp_alert; no_checker_emails")
def wanted(lane):
    on, off = "smtp_alert on", "smtp_alert off"

    def text(extra, value):  # the second check of server 3 fails with server 1
        many = [vi(n, "track_file {\n V weight 0\n}\n" + x) for n, x in enumerate((on, "", off, "", "", "", ""), 1)]
        groups = "".join("vrrp_sync_group G%d {\n group {\n  VI_%d\n  VI_%d\n }\n %s\n}\n" % (g, a, b, x) for g, a, b, x in
                         ((1, 4, 5, on), (2, 6, 7, "")))
        return conf.whole("track_file V {\n file %s\n}\n" % value, groups, *many, balanced(1), balanced(2, off, off), balanced(3, on, on, "TCP_CHECK {\n }\n TCP_CHECK {\n connect_ip 10.98.0.1\n }"),
                          glob=mailed(extra))

    vrrp, lvs = {"Instance VI_1", "Group G1"}, {"10.98.0.3", "10.99.0.3"}
    rest, rest_lvs = {"Instance VI_2", "Group G2"} | {"Instance VI_%d" % n for n in (4, 5, 6, 7)}, {"10.98.0.1", "10.99.0.1"}
    rows = (([on, "smtp_alert_vrrp off"], vrrp | lvs | rest_lvs, 2), ([on, "smtp_alert_checker no"], vrrp | rest | lvs, 2),
            (["no_checker_emails"], vrrp | lvs | {"10.98.0.1"}, 1),
            (["smtp_alert_vrrp", "smtp_alert_checker true", "no_checker_emails no"], vrrp | rest | lvs | rest_lvs, 2))
    with lane.lab("ab") as lab:
        office, f = Office(lab), Desk(lab)
        gates = [Gate(lab.a, ip) for ip in checks.addresses(lab.a, 3)]
        value = f.put("value", "0\n")
        d = None
        for extra, want, times in rows:
            if d is None:
                d = lab.a.start(lane.daemon, text(extra, value))
                lab.wait_master("a", ["10.77.0.10%d" % n for n in range(1, 8)], 8)
            else:
                reloads = d.read_log().count("reload complete")
                d.reload(text(extra, value))
                lab.wait(lambda: d.read_log().count("reload complete") > reloads, 5, "the reload")
            time.sleep(0.5)
            since = len(office.mails())
            f.put("value", "1\n")
            for g in gates:
                g.close()

            def named(since=since):
                return [re.search(r"(Instance \S+|Group \S+)|server \[?([0-9.]+)", m["subject"]) for m in office.mails()[since:]]
            try:
                lab.wait(lambda: want <= {m.group(1) or m.group(2) for m in named() if m}, 8, "mails")
            except Exception:
                check(False, "%s: %s, not %s", extra, sorted({m.group(1) or m.group(2) for m in named()}), sorted(want))
            time.sleep(0.4)
            got = [m.group(1) or m.group(2) for m in named()]
            check(set(got) == want, "%s: %s too", extra, set(got) - want)
            check(got.count("10.98.0.3") == times, "%s: %d mails of a server, not %d", extra, got.count("10.98.0.3"), times)
            for g in gates:
                g.open()
            f.put("value", "0\n")
            lab.wait(lambda: all(checks.verdict(d, g.ip, 80)[0] == "up" for g in gates), 6, "the servers")
            lab.wait_master("a", ["10.77.0.10%d" % n for n in range(1, 8)], 8, since=time.time_ns())
        since = len(office.mails())
        d.reload(conf.whole(vi(1), balanced(1), glob=mailed([])))
        lab.wait(lambda: {"[LAB] Realserver [10.98.0.3]:tcp:80 of virtual server [10.99.0.3]:tcp:80 - DOWN", "[LAB] Virtualserver [10.99.0.3]:tcp:80 - DOWN"} <=
                 {m["subject"] for m in office.mails()[since:]}, 5, "mails of what is removed")
        return "%d mails" % len(office.mails())


@case("kwn-mail-queue", "smtp_queue_limit, smtp_queue_age: of what waits for the server only the newest, and only what is young enough, is sent")
def queue(lane):
    blocks = [vi(n, "smtp_alert") for n in (1, 2, 3)]

    def text(n, extra):
        return conf.whole(*blocks, glob=mailed([*extra, "smtp_helo_name h%d" % n]))
    with lane.lab("ab") as lab:
        d = lab.a.start(lane.daemon, text(1, ["smtp_queue_limit 2"]))
        lab.wait_master("a", ["10.77.0.10%d" % n for n in (1, 2, 3)], 8)
        time.sleep(0.5)
        office = Office(lab)
        d.reload(text(2, ["smtp_queue_limit 2"]))  # another configuration is tried at once
        lab.wait(lambda: len(office.mails()) >= 3, 8, "mails")
        time.sleep(0.5)
        got = sorted(m["subject"] for m in office.mails())
        check(got[0] == "[LAB] Alert mails lost: 4" and len(got) == 3 and all("Entering MASTER" in s for s in got[1:]), "with a limit of 2: %s", got)
        office.kill()
        d.stop()
        seen = len(office.mails())
        d = lab.a.start(lane.daemon, text(3, ["smtp_queue_age 1"]))
        lab.wait_master("a", ["10.77.0.10%d" % n for n in (1, 2, 3)], 8, since=time.time_ns())
        time.sleep(1.5)
        again = Office(lab)
        d.reload(text(4, ["smtp_queue_age 1"]))
        time.sleep(1)
        check(len(office.mails()) == seen and not again.mails(), "an old mail was sent: %s", again.mails())
        d.stop()
        got = sorted(m["subject"] for m in again.mails())
        check(got == ["[LAB] Alert mails lost: 6"] + ["[LAB] VRRP Instance VI_%d - Stopping" % n for n in (1, 2, 3)], "the young ones: %s", got)
        return "2 of 6, 3 of 9"


@case("kwn-track-file", "track_file: init_file with its values and overwrite, once; weight and reverse of the file, of who tracks it; vrrp_track_file")
def track_files(lane):
    rows = (  # content before, init_file, weight of the file, of the instance, content after, priority
        (None, "init_file", "weight 2", "", "0", 100), (None, "init_file 5", "weight 2", "", "5", 110), ("3", "init_file 7", "", "", "3", 103),
        ("3", "init_file 9 overwrite", "", "weight -2", "9", 82), ("3", "init_file overwrite", "", "", "0", 100),
        ("4", "", "weight 3 reverse", "", "4", 88), ("4", "", "weight 3 reverse", "weight 2", "4", 92),
        ("4", "", "weight 3", "weight 2 reverse", "4", 92), ("4", "", "weight 3 reverse", "weight 2 noreverse", "4", 108))
    with lane.lab("a") as lab:
        f = Desk(lab)
        blocks = []
        for n, (before, init, weight, own, _, _) in enumerate(rows, 1):
            if before is not None:
                f.put("f%d" % n, before + "\n")
            blocks.append("%s F%d {\n file \"%s/f%d\"\n %s\n %s\n}\n" % ("vrrp_track_file" if n == 2 else "track_file", n, f.dir, n, weight, init))
            blocks.append(vi(n, "track_file {\n F%d %s\n}" % (n, own), 100))
        d = lab.a.start(lane.daemon, conf.whole(*blocks, glob=ROOT))

        def seen():
            return {n: (f.read("f%d" % n).strip(), ([a.priority for a in lab.adverts("a", vrid=50 + n)] or [0])[-1]) for n in range(1, len(rows) + 1)}
        want = {n: (row[4], row[5]) for n, row in enumerate(rows, 1)}
        try:
            lab.wait(lambda: seen() == want, 6, "priorities")
        except Exception:
            check(False, "%s, not %s", seen(), want)
        f.put("f4", "1\n")
        os.unlink(f.dir + "/f2")
        lab.wait(lambda: (seen()[2][1], seen()[4][1]) == (100, 98), 4, "the new contents")
        d.reload(conf.whole(*blocks, glob=ROOT + "    vrrp_garp_master_repeat 2\n"))
        lab.wait(lambda: "reload complete" in d.read_log(), 5, "the reload")
        time.sleep(0.3)
        check(f.read("f4") == "1\n" and f.read("f2") == "", "a reload wrote: %r %r", f.read("f4"), f.read("f2"))
        return "%d files" % len(rows)


@case("kwn-server-scripts", "notify_up, notify_down, quorum_up, quorum_down with words and users; lvs_notify_fifo and its reader; rs_init_notifies at a start only")
def server_scripts(lane):
    with lane.lab("a") as lab:
        f = Desk(lab)
        os.chmod(f.dir, 0o777)
        gates = [Gate(lab.a, ip) for ip in checks.addresses(lab.a, 2)]
        reader = f.script("reader", '%s "$@"; for p; do :; done; exec cat "$p" >> %s/read' % (f.say, f.dir))

        def text(extra):
            return conf.whole(*[balanced(n, 'notify_up "%s rs%d \\"is up\\"" nobody\n notify_down "%s rs%d \'is down\'" nobody daemon' % (f.say, n, f.say, n),
                                         'quorum_up "%s vs%d up"\n quorum_down "%s vs%d down" daemon\n %s' % (f.say, n, f.say, n, "alpha" if n == 2 else ""))
                                for n in (1, 2)], glob=ROOT + "".join("    %s\n" % x for x in (
                                    "notify_fifo %s/all" % f.dir, "lvs_notify_fifo %s/lvs daemon" % f.dir,
                                    "lvs_notify_fifo_script \"%s lvs 'a b'\" daemon" % reader, *extra)))
        gates[1].close()
        tap = Tap(f.dir + "/all")
        d = lab.a.start(lane.daemon, text(["rs_init_notifies"]))
        one, two = ("RS [10.98.0.%d]:tcp:80 [10.99.0.%d]:tcp:80 " % (n, n) for n in (1, 2))
        at_start = ["root:root [vs1] [up]", "nobody:nogroup [rs1] [is up]", "nobody:daemon [rs2] [is down]"]
        wait_lines(lab, f.said, at_start + ["daemon:daemon [lvs] [a b] [%s/lvs]" % f.dir], "the initial states")
        time.sleep(0.7)
        check(sorted(tap.lines()) == sorted([one + "UP", two + "DOWN", "VS [10.99.0.1]:tcp:80 UP"]), "at the start: %s", tap.lines())
        lab.wait(lambda: f.read("read").splitlines() == tap.lines(), 3, "the same lines through both FIFOs")
        st = os.stat(f.dir + "/lvs")
        check((st.st_uid, st.st_mode & 0o777) == (1, 0o600), "lvs_notify_fifo is %s", st)
        tap.take()
        gates[0].close()
        wait_lines(lab, f.said, ["nobody:daemon [rs1] [is down]", "daemon:daemon [vs1] [down]"], "the loss")
        gates[0].open()
        gates[1].open()
        lab.wait(lambda: f.said().count("root:root [vs1] [up]") == 2, 6, "quorum_up")
        wait_lines(lab, f.said, ["nobody:nogroup [rs2] [is up]", "root:root [vs2] [up]"], "the return")
        lab.wait(lambda: sorted(tap.lines()) == sorted([one + "DOWN", "VS [10.99.0.1]:tcp:80 DOWN", one + "UP", "VS [10.99.0.1]:tcp:80 UP", two + "UP",
                                                        "VS [10.99.0.2]:tcp:80 UP"]), 3, "six lines")
        lab.wait(lambda: f.said().count("nobody:nogroup [rs1] [is up]") == 2, 3, "notify_up again")
        d.reload(text(["rs_init_notifies", "checker_log_all_failures"]))
        lab.wait(lambda: "reload complete" in d.read_log(), 5, "the reload")
        d.stop()
        f.put("out", "", 0o666)
        tap.take()
        gates[1].close()
        d = lab.a.start(lane.daemon, text([]))
        lab.wait(lambda: "daemon:daemon [lvs] [a b] [%s/lvs]" % f.dir in f.said() and checks.verdict(d, "10.98.0.2", 80)[0] != "up", 5, "the start")
        time.sleep(1.2)
        check("root:root [vs1] [up]" in f.said() and "nobody:daemon [rs2] [is down]" in f.said() and "nobody:nogroup [rs1] [is up]" not in f.said() and
              sorted(tap.lines()) == [two + "DOWN", "VS [10.99.0.1]:tcp:80 UP"], "without rs_init_notifies: %s %s", f.said(), tap.lines())
        return "as configured"


@case("kwn-log-all-failures", "log_all_failures of every kind of check, on, off and left to checker_log_all_failures, which a reload changes")
def log_all(lane):
    kinds = {"HTTP_GET": "url {\n path /\n}", "SSL_GET": "url {\n path /\n}", "TCP_CHECK": "", "SMTP_CHECK": "", "DNS_CHECK": "",
             "MISC_CHECK": "misc_path /bin/false", "UDP_CHECK": "require_reply", "PING_CHECK": ""}
    with lane.lab("a") as lab:
        ips = checks.addresses(lab.a, 3 * len(kinds))
        wish, servers = {}, []
        for n, ip in enumerate(ips):
            kind = list(kinds)[n // 3]
            own = ("log_all_failures", "log_all_failures off", "")[n % 3]
            wish[(kind, ip)] = n % 3
            if kind == "PING_CHECK":
                lab.a.batch("addr del %s/32 dev lo" % ip)
            if kind == "SMTP_CHECK" and n % 3 == 0:
                own = "host {\n log_all_failures\n}"
            servers.append("real_server %s 53 {\n %s {\n %s\n %s\n }\n}" % (ip, kind, kinds[kind], own))

        def text(extra):
            return conf.whole("virtual_server 10.99.0.1 53 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n alpha\n delay_loop 0.4\n warmup 0\n retry 0\n"
                              " connect_timeout 0.5\n %s\n}\n" % "\n".join(servers), glob=ROOT + extra)

        def logged(d, after):
            return {m.groups() for m in re.finditer(r"(\w+) of real server \[([0-9.]+)\]:\S+ virtual server \S+, failed: ", d.read_log()[after:])}
        d = lab.a.start(lane.daemon, text(""))
        for extra, want in (("", {0}), ("    checker_log_all_failures\n", {0, 2}), ("    checker_log_all_failures off\n", {0})):
            if extra:
                reloads = d.read_log().count("reload complete")
                d.reload(text(extra))
                lab.wait(lambda: d.read_log().count("reload complete") > reloads, 5, "the reload")
            after, want = len(d.read_log()), {k for k, v in wish.items() if v in want}
            try:
                lab.wait(lambda: want <= logged(d, after), 5, "the lines")
            except Exception:
                check(False, "%s: not logged: %s", extra or "nothing global", sorted(want - logged(d, after)))
            check(logged(d, after) == want, "%s: logged too: %s", extra or "nothing global", sorted(logged(d, after) - want))
        return "%d checks" % len(ips)


@case("kwn-nb-get-retry", "nb_get_retry of HTTP_GET, SSL_GET and TCP_CHECK is retry: so many more attempts before a server is down, with a hint at the new name")
def nb_get_retry(lane):
    bad = []

    def answer(c, rec):
        c.sendall(checks.reply(status=503 if bad else 200))
    with lane.lab("a") as lab:
        ips = checks.addresses(lab.a, 4)
        web = [checks.Server(lab.a, ip, 80, answer, tls=tls) for ip, tls in zip(ips, (None, checks.tls_of(checks.certificate(lab.root)), None))]
        gate = Gate(lab.a, ips[3])
        body = "delay_before_retry 0.1\n log_all_failures\n"
        url = body + "url {\n path /\n }"
        kinds = ("HTTP_GET {\n nb_get_retry 2\n %s\n}" % url, "SSL_GET {\n nb_get_retry 3\n %s\n}" % url, "HTTP_GET {\n %s\n}" % url,
                 "TCP_CHECK {\n nb_get_retry 4\n %s\n}" % body)
        d = lab.a.start(lane.daemon, conf.whole(*[balanced(n, check_=k) for n, k in enumerate(kinds, 1)], glob=ROOT))
        lab.wait(lambda: all(len(w.log) > 1 for w in web), 8, "the first checks")
        time.sleep(0.3)
        bad.append(1)
        gate.close()
        lab.wait(lambda: all(checks.verdict(d, ip, 80)[0] == "down" for ip in ips), 8, "all down")
        got = [len(re.findall(r"real server \[%s\]:tcp:80, .* failed: .*tried again" % re.escape(ip), d.read_log())) for ip in ips]
        check(got == [2, 3, 0, 4], "retries: %s", got)
        check(d.read_log().count("nb_get_retry") >= 3, "no word about the old name")
        return "retries %s" % got


@case("kwn-script-timers", "vrrp_script: rise and fall results in a row, init_fail, timeout; user and group, of the script and of script_user")
def script_timers(lane):
    with lane.lab("a") as lab:
        f = Desk(lab)
        for n in (1, 2, 3):
            f.put("run%d" % n, "", 0o666)
            f.put("result%d" % n, "0\n" if n < 3 else "1\n")
        f.put("killed", "", 0o666)
        step = f.script("step", 'echo x >> %s/run$1; read r < %s/result$1; exit $r' % (f.dir, f.dir))
        slow = f.script("slow", 'trap "echo $1 >> %s/killed; exit 1" TERM; sleep 30 & wait' % f.dir)
        scripts_ = ('vrrp_script S1 {\n script "%s 1"\n interval 0.3\n rise 3\n fall 4\n weight 10\n}\n' % step,
                    'vrrp_script S2 {\n script "%s 2"\n interval 0.3\n rise 6\n init_fail\n weight 20\n}\n' % step,
                    'vrrp_script S3 {\n script "%s 3"\n interval 0.3\n rise 2\n fall 9\n weight -30\n}\n' % step,
                    'vrrp_script S4 {\n script "%s four"\n interval 0.3\n timeout 1.5\n fall 2\n weight -40\n}\n' % slow,
                    'vrrp_script U1 {\n script "%s u1"\n interval 60\n user nobody daemon\n}\n' % f.say,
                    'vrrp_script U2 {\n script "%s u2"\n interval 60\n user nobody\n}\n' % f.say,
                    'vrrp_script U3 {\n script "%s u3"\n interval 60\n}\n' % f.say)
        many = [vi(n, "track_script {\n S%d\n}" % n, 100) for n in (1, 2, 3, 4)] + [vi(5, "track_script {\n U1\n U2\n U3\n}", 100)]
        d = lab.a.start(lane.daemon, conf.whole(*scripts_, *many, glob="    script_user daemon nogroup\n"))

        def prio(n):
            return ([a.priority for a in lab.adverts("a", vrid=50 + n)] or [0])[-1]

        def runs(n):
            return len(f.read("run%d" % n))  // 2

        def turns(n, result, to, least):
            """The priority becomes to after least runs with the new result."""
            before = runs(n)
            f.put("result%d" % n, "%d\n" % result)
            lab.wait(lambda: prio(n) == to, 5, "priority %d of %d (it is %d)" % (to, n, prio(n)))
            done = runs(n) - before
            check(least <= done <= least + 2, "priority %d of VI_%d after %d runs, not %d", to, n, done, least)
        wait_lines(lab, f.said, ["nobody:daemon [u1]", "nobody:nogroup [u2]", "daemon:nogroup [u3]"], "users")
        lab.wait_master("a", ["10.77.0.10%d" % n for n in (1, 2, 3, 5)], 8)
        lab.wait(lambda: (prio(1), prio(2)) == (110, 120), 5, "the weights")
        first = [a.priority for a in lab.adverts("a", vrid=51)]
        check(100 not in first[2:], "rise counted although init_fail is not said: %s", first)
        check(lab.adverts("a", vrid=52)[0].priority == 100 and runs(2) >= 6, "init_fail was not to be earned: %d runs", runs(2))
        check(prio(3) == 70, "the first result of S3 did not count: %d", prio(3))
        lab.wait(lambda: prio(4) == 60, 5, "timeout (it is %d)" % prio(4))
        check(f.read("killed").split()[0] == "four", "the late one got no SIGTERM: %s", f.read("killed"))
        first = lab.adverts("a", vrid=54)
        check(first[0].priority == 100 and 1.4 < ([a.ts for a in first if a.priority == 60][0] - d.started) / 1e9 < 2.6, "timeout 1.5: %s",
              [(a.priority, (a.ts - d.started) / 1e9) for a in first[:12]])
        turns(1, 1, 100, 4)
        turns(1, 0, 110, 3)
        turns(3, 0, 100, 2)
        return "as written"


@case("kwn-track-process", "vrrp_track_process: words, param_match and full_command pick as the incumbent does; weight, reverse, quorum_max 0, delay")
def track_process(lane):
    rows = (("process NAME", 110), ("process PROG\n param_match initial", 110), ("process PROG\n param_match partial", 110),
            ("process PROG\n param_match", 100), ("process PROG 100", 100), ("process PROG 100\n param_match initial", 110),
            ("process PROG 100\n param_match partial", 110), ("process PROG 100 2\n param_match initial", 110),
            ("process PROG 100 2\n param_match partial", 100), ("process PROG 10\n param_match initial", 110),
            ("process PROG 10\n param_match partial", 100), ("process PROG 100 200", 110), ('process "SPACE" 100 "20"', 110),
            ("process PROG\n full_command", 110), ("process NAME 100 200\n full_command", 100), ("process NAME\n weight 10 reverse", 90),
            ("process nosuch\n weight 10 reverse", 100), ("process nosuch\n weight -10 reverse", 110), ("process NAME\n quorum_max 0", 100),
            ("process nosuch\n quorum_max 0", 110), ("process NAME\n delay 1.2", 110))
    with lane.lab("a") as lab:
        f, running = Files(lab), []
        name = "hfkw%d" % os.getpid()
        with open("/bin/sleep", "rb") as g:
            sleep = g.read()
        for n in (name, "a b"):
            with open("%s/%s" % (f.dir, n), "wb") as g:
                g.write(sleep)
            os.chmod("%s/%s" % (f.dir, n), 0o755)
        try:
            running.append(subprocess.Popen(["%s/%s" % (f.dir, name), "100", "200"]))
            running.append(subprocess.Popen([f.dir + "/a b", "100", "20"]))
            blocks = []
            for n, (line, _) in enumerate(rows, 1):
                line = line.replace("PROG", "%s/%s" % (f.dir, name)).replace("NAME", name).replace("SPACE", f.dir + "/a b")
                blocks.append("vrrp_track_process P%d {\n %s\n %s\n}\n" % (n, line, "" if " weight" in line else "weight 10"))
                blocks.append(conf.instance("VI_%d" % n, 50 + n, 100, interval=INTERVAL, vips=("10.77.0.1%02d" % n,), extra="track_process {\n P%d\n}" % n))
            lab.a.start(lane.daemon, conf.whole(*blocks, glob=ROOT))

            def seen():
                return [([a.priority for a in lab.adverts("a", vrid=50 + n)] or [0])[-1] for n in range(1, len(rows) + 1)]
            want = [p for _, p in rows]
            try:
                lab.wait(lambda: seen() == want, 6, "priorities")
            except Exception:
                check(False, "not as wanted: %s", [(r[0], p) for r, p in zip(rows, seen()) if p != r[1]])
            at = time.time_ns()
            running[0].kill()
            running[0].wait()
            lab.wait(lambda: seen()[-1] == 100, 4, "the end behind delay")
            late = ([a.ts for a in lab.adverts("a", at, vrid=50 + len(rows)) if a.priority == 100][0] - at) / 1e9
            check(late > 1.15 and seen()[0] == 100, "delay 1.2: gone after %.2f s", late)
            at = time.time_ns()
            running.append(subprocess.Popen(["%s/%s" % (f.dir, name), "100", "200"]))
            lab.wait(lambda: seen() == want, 4, "priorities again")
            late = ([a.ts for a in lab.adverts("a", at, vrid=50 + len(rows)) if a.priority == 110][0] - at) / 1e9
            check(late > 1.15, "delay 1.2: back after %.2f s", late)
        finally:
            for p in running:
                p.kill()
                p.wait()
        return "%d blocks" % len(rows)
