"""Options of the command line with a life of their own: log files (-g), address monitoring (-a), SNMP (-x -A), core pattern (-M)."""
import json
import os
import re
import signal
import subprocess
import time

from case import case, check, steady
from lab import conf, now, process_name, run, shells
from lab.daemon import children
from metrics import SERVICE, beside, socket_of, status_of
from snmp import KA, V2, V3, VI, Master

INTERVAL = 0.2
LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (holdfast\S*)\[(\d+)\]: .+$")


def start(lane, lab, *args, cmd=(), **kw):
    d = lab.a.start([*cmd, *lane.daemon], conf.whole(conf.instance(**{"priority": 200, "interval": INTERVAL, **kw})), args)
    lab.wait_master("a", conf.VIPS)
    return d


def writer(lab, d):
    return lab.wait(lambda: [p for p in children(d.pid) if process_name(p) == "holdfast-log"], 5, "holdfast-log")[0]


def read(d, path):
    """As the daemon's mount namespace has it; "" when it is not there."""
    try:
        with open("/proc/%d/root%s" % (d.pid, path), errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def until(lab, d, path, text, timeout=5):
    lab.wait(lambda: text in read(d, path), timeout, "'%s' in %s" % (text, path), 0.05)


@case("log-files", "-g: a file a process, mode 600, written by a process without any right; moved away: made anew at a reload; killed: no line lost")
def log_files(lane):
    with lane.lab("a") as lab:
        at = lab.root + "/ka.log"
        d = start(lane, lab, "-g" + at, "--flush-log-file")
        names = {"": "holdfast", "_vrrp": "holdfast-vrrpd", "_ipvs": "holdfast-ipvsd", "_healthcheckers": None}
        until(lab, d, at, "startup complete")
        until(lab, d, at.replace(".", "_vrrp."), "BACKUP -> MASTER")
        for more, who in names.items():
            path = at.replace(".", more + ".")
            st = os.stat(path)
            check(st.st_mode & 0o777 == 0o600 and st.st_uid == 0, "%s: mode %o of %d", path, st.st_mode, st.st_uid)
            lines = [LINE.match(x) for x in read(d, path).splitlines()]
            check(all(lines) and {m.group(1) for m in lines} <= {who}, "%s: %s", path, read(d, path)[:300])
        pid = writer(lab, d)
        st = status_of(pid)
        check(st["Uid"].split()[0] != "0" and int(st["CapEff"], 16) == int(st["CapPrm"], 16) == 0, "not unprivileged: %s", st["Uid"])
        check(st["NoNewPrivs"].strip() == "1" and st["Seccomp"].strip() == "2", "no jail")
        os.rename(at, at + ".1")
        d.reload()
        until(lab, d, at, "is in force")
        check("is in force" not in read(d, at + ".1") and "reloading" in read(d, at), "the reload stands in the old file")
        check(writer(lab, d) != pid, "the same process")
        os.kill(writer(lab, d), signal.SIGKILL)
        d.reload()
        lab.wait(lambda: read(d, at).count("is in force") == 2, 8, "the lines of a reload while nobody wrote", 0.05)
        status, _ = d.stop()
        check(status == 0, "exit status %d", status)
        lab.wait(lambda: "stopped after" in open(at).read(), 1, "the last line")
        check(not d.processes(), "processes left: %s", d.processes())
        return "4 files, 2 processes of them"


@case("log-files-gathered", "-g without --flush-log-file: lines come within two seconds and not at once; all are there after a stop, also of a start that failed")
def gathered(lane):
    with lane.lab("a") as lab:
        at = lab.root + "/ka.log"
        d = start(lane, lab, "-g" + at)
        time.sleep(1.5)
        before = read(d, at)
        d.reload()
        lab.wait(lambda: "is in force" in d.read_log(), 3, "the reload")
        soon = read(d, at)
        check(soon == before, "written at once: %s", soon[len(before):])
        until(lab, d, at, "is in force", 2)
        d.stop()
        lab.wait(lambda: "stopped after" in open(at).read(), 1, "the last line")
        bad = lab.root + "/bad.log"
        d = lab.a.start(lane.daemon, "nonsense\n", ("-g" + bad,))
        check(d.proc.wait(8) == 5, "it ran with nonsense")
        check("nonsense" in open(bad).read() and "stopped after" in open(bad).read(), "the reason is not in the log file")
        return "a second"


@case("log-file-refused", "-g: a link, a foreign file, a folder anybody can write to: refused with the reason, the daemon works, root's files stay as they are")
def refused(lane):
    with lane.lab("a") as lab:
        victim, at = lab.root + "/victim", lab.root + "/ka.log"
        open(victim, "w").close()
        os.symlink(victim, at.replace(".", "_vrrp."))
        d = start(lane, lab, "-g" + at)
        lab.wait(lambda: "ka_vrrp.log: Too many levels of symbolic links" in d.read_log(), 3, "the complaint")
        check(os.path.getsize(victim) == 0, "the link was followed")
        os.unlink(at.replace(".", "_vrrp."))
        d.reload()  # which looks again
        until(lab, d, at, "startup complete")
        d.stop()
        os.unlink(at)
        open(at, "w").close()
        os.chown(at, 65534, 65534)
        d = start(lane, lab, "-g" + at)
        lab.wait(lambda: "a log file is a plain file of root" in d.read_log(), 3, "the complaint about a foreign file")
        d.stop()
        check(os.path.getsize(at) == 0, "a foreign file was written to")
        folder = lab.root + "/open"
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        d = start(lane, lab, "-g%s/x.log" % folder)
        lab.wait(lambda: "log file: %s: Operation not permitted" % folder in d.read_log(), 3, "the complaint about the folder")
        check(os.listdir(folder) == [], "files in it: %s", os.listdir(folder))
        return "3 refusals"


@case("log-file-stalls", "-g: the writer hangs under thousands of lines, the disk is full: not an advert late, what is lost is counted and told", alone=True, limit=90)
def stalls(lane):
    with lane.lab("a") as lab:
        small = lab.root + "/small"
        os.mkdir(small)
        at = small + "/ka.log"
        d = start(lane, lab, "-a", "-g" + at, "--flush-log-file",
                  cmd=["sh", "-c", 'mount -t tmpfs -o size=512k,mode=755 none "$0" && exec "$@"', small])
        pid = writer(lab, d)
        lines = ["10.%d.%d.%d/32" % (88 + i // 65536, i // 256 % 256, i % 256) for i in range(3000)]
        since = now()
        os.kill(pid, signal.SIGSTOP)
        for _ in range(8):  # the kernel's news may overflow before our queue does, and is read anew without lines
            lab.a.batch("\n".join("addr add %s dev lo" % x for x in lines))
            lab.a.batch("\n".join("addr del %s dev lo" % x for x in lines))
            time.sleep(1)
            out = json.loads(run(beside(lane, "holdctl"), "-s", socket_of(d), "--json", "status").stdout)
            if out["daemon"]["log_lines_lost"] > 0:
                break
        lab.adverts()  # the recorder's own work with so much news must not count
        late = steady(lab, "a", since, INTERVAL)
        check(out["daemon"]["log_lines_lost"] > 0, "nothing was lost: the queue has no bound")
        os.kill(pid, signal.SIGCONT)
        until(lab, d, at.replace(".", "_ipvs."), "added to lo")
        root = "/proc/%d/root%s" % (d.pid, small)
        since = now()
        with open(root + "/filler", "wb") as f:
            try:
                f.write(b"x" * (1 << 20))
            except OSError:
                pass
        lab.a.batch("\n".join("addr add %s dev lo" % x for x in lines[:500]))
        lab.wait(lambda: "No space left on device" in d.read_log(), 12, "the complaint about the disk", 0.1)
        time.sleep(3 * INTERVAL)
        lab.adverts()
        late = max(late, steady(lab, "a", since, INTERVAL))
        os.unlink(root + "/filler")
        lab.a.batch("addr del 10.88.0.1/32 dev lo")
        until(lab, d, at.replace(".", "_ipvs."), "lines are missing here: No space left on device")
        return "longest gap %.0f ms, %d lines lost" % (late, out["daemon"]["log_lines_lost"])


@case("address-monitoring", "-a: what comes and goes on any interface, in the incumbent's words, with who did it; without -a nothing")
def monitoring(lane):
    with lane.lab("a") as lab:
        d = start(lane, lab, "-a")
        log = d.read_log
        check("reports IP 127.0.0.1 present on lo (/8)" in log(), "the interface nobody names is missing")
        check(re.search(r"reports IP %s added to eth0 \(/\d+, by this daemon\)" % re.escape(conf.VIPS[0]), log()), "our own address")
        lab.a.batch("addr add 10.88.0.1/24 dev lo\naddr add fd88::1/64 dev lo nodad\naddr del 10.88.0.1/24 dev lo")
        for text in (r"10\.88\.0\.1 added to lo \(/24, by netlink port \d+", r"fd88::1 added to lo \(/64",
                     r"10\.88\.0\.1 removed from lo \(/24, by netlink port \d+"):
            lab.wait(lambda t=text: re.search("Netlink reflector reports IP " + t, log()), 3, text)
        lab.a.batch("link add veth7 type veth peer name veth8\nlink set veth7 up\naddr add 10.89.0.1/24 dev veth7\nlink del veth7")
        lab.wait(lambda: "10.89.0.1 removed from veth7" in log(), 3, "an address that went with its interface")
        os.kill(d.role("ipvsd"), signal.SIGKILL)
        lab.wait(lambda: log().count("127.0.0.1 present on lo") == 2, 5, "the successor watches, too")
        d.stop()
        d = start(lane, lab)
        lab.a.batch("addr add 10.88.0.2/24 dev lo")
        d.reload()
        lab.wait(lambda: "is in force" in d.read_log(), 3, "a reload")
        check("Netlink reflector" not in d.read_log(), "without -a")
        return "6 kinds of news"


@case("snmp-options", "holdfast -x -A: holdfast-snmp shows everything at that socket without a word in the configuration; without them nothing", limit=90)
def snmp_options(lane):
    with lane.lab("a") as lab:
        d = start(lane, lab, "-x", "-A", "unix:%s/a.agentx" % lab.root)
        out = json.loads(run(beside(lane, "holdctl"), "-s", socket_of(d), "--json", "status").stdout)["snmp"]
        check(out == {"all": True, "agent_socket": "unix:%s/a.agentx" % lab.root}, "status: %s", out)
        with Master(lane, lab, d, traps=False) as m:
            m.until(V3)
            check(m.walk(KA).get(VI + "2.1") == "VI_1", "KEEPALIVED-MIB: %s", m.walk(VI))
        d.stop()
        d = start(lane, lab)
        with Master(lane, lab, d, more=("-A", "unix:%s/a.agentx" % lab.root), traps=False) as m:
            time.sleep(4)
            check(not any(m.walk(root) for root in (KA, V2, V3)), "shown without -x: %s", m.walk(KA))
        return "3 MIBs"


@case("core-pattern", "-M: the kernel's core pattern is set, and put back at the end; somebody else's stays; -M without a word is 'core'")
def core_pattern(lane):
    with lane.lab("a") as lab:
        fake = lab.root + "/core_pattern"  # over the real one, which is the whole machine's

        def begin(*args, text="|/bin/theirs %p\n"):
            with open(fake, "w") as f:
                f.write(text)
            return start(lane, lab, *args, cmd=["sh", "-c", 'mount --bind "$0" /proc/sys/kernel/core_pattern && exec "$@"', fake])

        def pattern():
            with open(fake) as f:
                return f.read().strip()

        d = begin("-M/cores/%e.%p")
        check(pattern() == "/cores/%e.%p", "while it runs: %s", pattern())
        with open("/proc/%d/limits" % d.pid) as f:
            check(re.search(r"Max core file size +unlimited", f.read()), "-M is not -m as well")
        d.stop()
        check(pattern() == "|/bin/theirs %p", "afterwards: %s", pattern())
        d = begin("-M")
        check(pattern() == "core", "the default: %s", pattern())
        with open(fake, "w") as f:
            f.write("another\n")
        d.stop()
        check(pattern() == "another", "somebody else's: %s", pattern())
        d = begin("-m")
        check(pattern() == "|/bin/theirs %p", "-m alone set it")
        d.stop()
        p = subprocess.run([*lane.daemon, "-M" + "x" * 127], capture_output=True, text=True)
        check(p.returncode == 1 and "bad core pattern" in p.stderr, "too long: %d %s", p.returncode, p.stderr)
        return "3 starts"


@case("options-senseless", "what is no option is named and ignored; what belongs to a test, genhash out of its place, a file without a name: no daemon, status 1, a sentence")
def senseless(lane):
    with lane.lab("a") as lab:
        at = lab.root + "/good.conf"
        with open(at, "w") as f:
            f.write(conf.whole(conf.instance()))

        def ask(*args):
            p = subprocess.run([*lane.daemon, *args], capture_output=True, text=True, timeout=20)
            return p.returncode, p.stderr
        status, err = ask("-t", "one.conf", "-f", at, "two.conf")
        want = "".join("holdfast: argument '%s.conf' is ignored (a configuration is named with -f %s.conf)\n" % (x, x) for x in ("one", "two"))
        check(status == 0 and err.startswith(want), "%d: %s", status, err)
        status, err = ask("-t", "-f", at)
        check(status == 0 and "ignored" not in err, "%d: %s", status, err)
        rows = ((("--json", "-f", at), "--json belongs to a configuration test"), (("--portable", "-n"), "--portable belongs to"),
                (("-n", "--warnings-are-errors"), "--warnings-are-errors belongs to"), (("-t", "-T"), "must be the first option"),
                (("-t", "--use-file="), "needs the name of a configuration file"))
        for args, words in rows:
            status, err = ask(*args)
            check(status == 1 and words in err, "%s: %d: %s", args, status, err)
        return "%d refusals" % len(rows)


@case("completion-names", "bash, zsh and fish complete names of the running daemon: instances, services, servers with their colons; without a daemon nothing, at once")
def completion(lane):
    there = [s for s in shells.SHELLS if not shells.missing([s])]
    with lane.lab("a") as lab:
        text = conf.whole(conf.instance(priority=200, interval=INTERVAL), SERVICE)
        d = lab.a.start(lane.daemon, text)
        lab.wait_master("a", conf.VIPS)
        holdctl, sock = beside(lane, "holdctl"), socket_of(d)
        lvs = json.loads(run(holdctl, "-s", sock, "--json", "show", "lvs").stdout)
        servers, service = sorted(x["name"] for x in lvs["lvs_servers"]), lvs["lvs_services"][0]["name"]
        check(len(servers) == 2 and all(":" in x for x in servers), "servers: %s", servers)
        for shell in there:
            names_in(shell, lambda line, to=sock: shells.complete(shell, run(holdctl, "completion", shell).stdout, "%s -s %s %s" % (holdctl, to, line)), servers, service)
        d.stop()
        for shell in there:
            at = time.monotonic()
            none = shells.complete(shell, run(holdctl, "completion", shell).stdout, "%s -s %s/nobody takeover " % (holdctl, lab.root))
            check(none == [], "%s without a daemon: %s", shell, none)
            check(time.monotonic() - at < 5, "%s took long", shell)
        return "%d servers, %s" % (len(servers), ", ".join([*there, *("no " + s for s in shells.missing())]))


def names_in(shell, complete, servers, service):
    def offers(line, *words, rest=False):
        offered = [x for x in complete(line) if not rest or (x[0] != "-" and x != "idle")]
        check(offered == sorted(words), "%s: '%s': %s, not %s", shell, line, offered, words)
    offers("takeover V", "VI_1")
    check(set(complete("explain ")) >= {"VI_1", service, *servers}, "%s: explain: %s", shell, complete("explain "))
    offers("drain ", *servers, rest=True)
    offers("drain %s --service " % servers[0], service)
    half = servers[0][:servers[0].rindex(":") + 3]  # behind the colon: bash wants what follows the last one
    offers("drain " + half, *(x.rsplit(":", 1)[1] if shell == "bash" else x for x in servers))
