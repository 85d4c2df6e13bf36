"""Keywords of notification, one by one, as an administrator meets them: scripts with their arguments and users, FIFOs and their
readers, mail settings, what checks and trackers say. Each line here fails when its keyword is read and then forgotten.
"""
import os
import stat
import threading

from case import case, check
from lab import Speaker, conf
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
        check("root:root [p] [fault]" not in said and "root:root [i] [deleted]" not in said, "too much was told: %s", said)
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
