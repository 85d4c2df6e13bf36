"""The rooms as processes: scheduling, processors, limits, locked memory, names, buffers; files that go with a reload. Read from /proc
and from the sockets themselves."""
import glob
import os
import re
import resource
import signal
import stat
import time

from case import case, check, steady
from lab import Skip, conf, now, process_name
from lab.sockets import buffers

INTERVAL = 0.2


def text(glob_, *blocks, extra=""):
    return conf.whole(conf.instance(priority=200, interval=INTERVAL, extra=extra), *blocks,
                      glob="".join("    %s\n" % line for line in glob_))


def field(pid, name):
    with open("/proc/%d/status" % pid) as f:
        return re.search(r"^%s:\s*(.*)$" % name, f.read(), re.M).group(1)


def limit(pid, name):
    with open("/proc/%d/limits" % pid) as f:
        return re.search(r"^%s +(\S+) +(\S+)" % name, f.read(), re.M).group(1)


def facts(pid):
    """(policy, priority, nice, processors, real-time limit)"""
    policy = os.sched_getscheduler(pid) & ~getattr(os, "SCHED_RESET_ON_FORK", 0x40000000)
    return ({os.SCHED_RR: "RR", os.SCHED_OTHER: "OTHER"}.get(policy, policy), os.sched_getparam(pid).sched_priority,
            os.getpriority(os.PRIO_PROCESS, pid), field(pid, "Cpus_allowed_list"), limit(pid, "Max realtime timeout"))


def becomes(lab, d, role, want, seconds=4):
    try:
        lab.wait(lambda: d.role(role) and facts(d.role(role)) == want, seconds, "%s %s" % (role, want))
    except Exception:
        check(False, "%s is %s, must be %s", role, facts(d.role(role)) if d.role(role) else None, want)


def own_cpus():
    return field(os.getpid(), "Cpus_allowed_list")


@case("process-scheduling", "real-time priority, nice value, processors and limit of each room: after start, SIGKILL, reload, and taken away again")
def scheduling(lane):
    mine = sorted(os.sched_getaffinity(0))
    one, other = str(mine[0]), str(mine[-1])
    glob_ = ["vrrp_rt_priority 20", "vrrp_priority -5", "vrrp_cpu_affinity " + one, "vrrp_rlimit_rttime 500000", "checker_priority 7"]
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(glob_, conf.SERVICE))
        lab.wait_master("a", conf.VIPS, 8)
        want = {"vrrpd": ("RR", 20, -5, one, "500000"), "ipvsd": ("RR", 20, -5, one, "50000000"),
                "checkd": ("OTHER", 0, 7, own_cpus(), "unlimited")}
        for role in want:
            becomes(lab, d, role, want[role])
        for role in want:
            lab.crash(d, role)
            becomes(lab, d, role, want[role])
        since = now()
        d.reload(text(["vrrp_rt_priority 31", "vrrp_priority -6", "vrrp_cpu_affinity %s %s" % (one, other), "vrrp_rlimit_rttime 700000",
                       "checker_rt_priority 2", "checker_rlimit_rttime 90000"], conf.SERVICE))
        becomes(lab, d, "vrrpd", ("RR", 31, -6, own_cpus() if len(mine) == 2 else "%s,%s" % (one, other), "700000"))
        becomes(lab, d, "checkd", ("RR", 2, 0, own_cpus(), "90000"))
        d.reload(text([], conf.SERVICE))
        becomes(lab, d, "vrrpd", ("OTHER", 0, -10, own_cpus(), "unlimited"))
        becomes(lab, d, "ipvsd", ("OTHER", 0, -10, own_cpus(), "unlimited"))
        becomes(lab, d, "checkd", ("OTHER", 0, 0, own_cpus(), "unlimited"))
        time.sleep(3 * INTERVAL)
        check(facts(d.pid)[:3] == ("OTHER", 0, os.getpriority(os.PRIO_PROCESS, 0)), "the parent was touched: %s", facts(d.pid))
        gap = steady(lab, "a", since, INTERVAL, slack_ms=60)
        return "three rooms, three deaths, two reloads; longest gap of adverts over the reloads %.0f ms" % gap


@case("process-scheduling-bad", "a processor this machine has not: the room runs on, and the log says why it is not scheduled as configured")
def scheduling_bad(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(["vrrp_cpu_affinity 1000"]))
        lab.wait_master("a", conf.VIPS, 8)
        lab.wait(lambda: "vrrpd is not scheduled as configured" in d.read_log(), 3, "the complaint")
        check("processors that this machine has" in d.read_log(), "no remedy in the log")
        return "said, and it is MASTER"


@case("process-bfd-rows", "bfd_* rows belong to vrrpd, the stronger of vrrp_* and bfd_* counts; without a bfd_instance they count nothing")
def bfd_rows(lane):
    glob_ = ["vrrp_rt_priority 10", "bfd_rt_priority 12", "bfd_priority -7", "vrrp_priority -3", "bfd_rlimit_rttime 60000",
             "vrrp_rlimit_rttime 50000"]
    bfd = "bfd_instance B {\n    neighbor_ip 10.77.0.99\n    min_rx 500\n    min_tx 500\n}\n"
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(glob_))
        lab.wait_master("a", conf.VIPS, 8)
        becomes(lab, d, "vrrpd", ("RR", 10, -3, own_cpus(), "50000"))
        d.reload(text(glob_, bfd))
        becomes(lab, d, "vrrpd", ("RR", 12, -7, own_cpus(), "60000"))
        becomes(lab, d, "ipvsd", ("RR", 10, -3, own_cpus(), "5000000"))
        return "10 -> 12"


@case("process-rttime", "who dies of its real-time limit is back at once, unseen, with a limit twice as large; the log says which row to change")
def rttime(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(["vrrp_rt_priority 5", "vrrp_rlimit_rttime 400000"]))
        lab.wait_master("a", conf.VIPS, 8)
        becomes(lab, d, "vrrpd", ("RR", 5, -10, own_cpus(), "400000"))
        since = now()
        for n in (2, 4):
            lab.crash(d, "vrrpd", sig=signal.SIGXCPU)
            becomes(lab, d, "vrrpd", ("RR", 5, -10, own_cpus(), str(n * 400000)))
        check("raise the rlimit_rttime" in d.read_log(), "no hint in the log")
        d.reload(text(["vrrp_rt_priority 6", "vrrp_rlimit_rttime 400000"]))
        becomes(lab, d, "vrrpd", ("RR", 6, -10, own_cpus(), "1600000"))
        d.reload(text(["vrrp_rt_priority 6", "vrrp_rlimit_rttime 500000"]))
        becomes(lab, d, "vrrpd", ("RR", 6, -10, own_cpus(), "500000"))
        time.sleep(1)
        gap = steady(lab, "a", since, INTERVAL, slack_ms=60)
        check(set(conf.VIPS) <= set(lab.a.addresses()) and not lab.events("addr-", "a", since=since), "an address left")
        return "two deaths, longest gap %.0f ms" % gap


@case("process-auto-priority", "late timers: one step of real-time priority at a time, no further than max_auto_priority, kept by the successor")
def auto_priority(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(["max_auto_priority 3", "min_auto_priority_delay 1"]))
        lab.wait_master("a", conf.VIPS, 8)
        lab.wait(lambda: facts(d.role("vrrpd"))[:2] == ("RR", 3), 8, "priority 3")
        log = d.read_log()
        for n in (1, 2, 3):
            check("vrrpd: a timer ran" in log and "real-time priority %d of at most 3" % n in log, "step %d is not in the log", n)
        check(limit(d.role("vrrpd"), "Max realtime timeout") == "10100", "limit %s", limit(d.role("vrrpd"), "Max realtime timeout"))
        time.sleep(1.5)
        check(facts(d.role("vrrpd"))[1] == 3, "beyond the limit: %s", facts(d.role("vrrpd")))
        lab.crash(d, "vrrpd")
        lab.wait(lambda: facts(d.role("vrrpd"))[:2] == ("RR", 3), 3, "priority 3 of the successor")
        d.reload(text(["max_auto_priority 2", "min_auto_priority_delay 10000000"]))
        lab.wait(lambda: facts(d.role("vrrpd"))[:2] == ("RR", 2), 3, "priority 2 after the reload")
        d.reload(text(["max_auto_priority -1"]))
        lab.wait(lambda: facts(d.role("vrrpd"))[:2] == ("OTHER", 0), 3, "ordinary scheduling")
        return "1, 2, 3 and no further"


@case("process-auto-priority-off", "without max_auto_priority a process frozen for 1.2 s stays as it is, and one line says what could be done")
def auto_off(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text([]))
        lab.wait_master("a", conf.VIPS, 8)
        pid = d.role("vrrpd")
        for still, seconds in ((True, 1.2), (False, 0.5)):
            lab.freeze(d, still)
            time.sleep(seconds)
        check("max_auto_priority in global_defs" in d.read_log(), "nothing was said")
        check(d.role("vrrpd") == pid and facts(pid)[:2] == ("OTHER", 0), "it is %s", facts(d.role("vrrpd")))
        return "said"


@case("process-no-swap", "no_swap locks the memory of vrrpd, ipvsd and checkd, also of a successor; where that is not possible the log says why")
def no_swap(lane):
    rooms = ("vrrpd", "ipvsd", "checkd")

    def locked(d):
        return {r: int(field(d.role(r), "VmLck").split()[0]) for r in rooms if d.role(r)}

    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(["vrrp_no_swap", "checker_no_swap"], conf.SERVICE))
        lab.wait_master("a", conf.VIPS, 8)
        lab.wait(lambda: d.role("checkd"), 3, "checkd")
        if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY and limit(d.pid, "Max locked memory +\\S+") != "unlimited":
            lab.wait(lambda: "LimitMEMLOCK=infinity" in d.read_log(), 3, "the reason")
            check(not any(locked(d).values()), "locked, and it was said that it is not: %s", locked(d))
            return "not possible here (RLIMIT_MEMLOCK, no CAP_SYS_RESOURCE): said with the remedy"
        lab.wait(lambda: len(locked(d)) == 3 and all(v > 1000 for v in locked(d).values()), 3, "locked memory: %s" % locked(d))
        first = locked(d)
        lab.crash(d, "vrrpd")
        lab.wait(lambda: locked(d).get("vrrpd", 0) > 1000, 3, "locked memory of the successor")
        d.reload(text(["checker_no_swap"], conf.SERVICE))
        lab.wait(lambda: locked(d)["vrrpd"] == 0 and locked(d)["checkd"] > 1000, 3, "vrrpd's memory free again")
        return "kB locked: %s" % first


@case("process-names", "process_names, each name by itself, a successor's, after a reload; the default again")
def names(lane):
    def seen(d):
        return tuple(process_name(d.role(r)) if d.role(r) else "" for r in ("parent", "vrrpd", "checkd", "ipvsd"))

    def wait(lab, d, want):
        lab.wait(lambda: seen(d) == want, 4, "names %s (they are %s)" % (want, seen(d)))

    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(["process_names", "lvs_process_name lb"], conf.SERVICE))
        lab.wait_master("a", conf.VIPS, 8)
        wait(lab, d, ("keepalived", "keepalived_vrrp", "lb", "holdfast-ipvsd"))
        lab.crash(d, "vrrpd")
        wait(lab, d, ("keepalived", "keepalived_vrrp", "lb", "holdfast-ipvsd"))
        d.reload(text(["process_name mum", "vrrp_process_name fifteenletters1"], conf.SERVICE))
        wait(lab, d, ("mum", "fifteenletters1", "holdfast-checkd", "holdfast-ipvsd"))
        d.reload(text([], conf.SERVICE))
        wait(lab, d, ("holdfast", "holdfast-vrrpd", "holdfast-checkd", "holdfast-ipvsd"))
        return "as written"


@case("process-buffers", "netlink and VRRP receive buffers as written, changed by a reload, those of a successor; never below what ipvsd needs")
def rcvbufs(lane):
    def glob_(cmd, mon, policy, times):
        return ["vrrp_netlink_cmd_rcv_bufs %d" % cmd, "vrrp_netlink_cmd_rcv_bufs_force", "lvs_netlink_monitor_rcv_bufs %d" % mon,
                "lvs_netlink_monitor_rcv_bufs_force on", "vrrp_rx_bufs_policy " + policy, "vrrp_rx_bufs_multiplier %d" % times]

    def wait(lab, d, netlink, raw):
        def have():
            b = buffers(d.role("ipvsd")) if d.role("ipvsd") else {}
            return all(n in b.get(("AF_NETLINK", 0), []) for n in netlink) and raw in b.get(("AF_INET", 112), [])
        try:
            lab.wait(have, 4, "buffers")
        except Exception:
            check(False, "buffers are %s, must hold %s and %d", buffers(d.role("ipvsd")), netlink, raw)

    # IPv4, version 3, three addresses: 20 + 8 + 12 bytes; with what the kernel counts for a packet 768 more; it doubles what it is told
    advert = (40 + 768) // 2
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(glob_(12345678, 23456788, "ADVERT", 100)))
        lab.wait_master("a", conf.VIPS, 8)
        wait(lab, d, [12345678, 23456788], 100 * advert)
        lab.crash(d, "ipvsd")
        wait(lab, d, [12345678, 23456788], 100 * advert)
        d.reload(text(glob_(4096, 34567890, "ADVERT", 100)))
        wait(lab, d, [1 << 20, 34567890], 100 * advert)
        d.stop()
        d = lab.a.start(lane.daemon, text(["vrrp_rx_bufs_policy MTU", "vrrp_rx_bufs_multiplier 40"]))
        lab.wait_master("a", conf.VIPS, 8)
        wait(lab, d, [1 << 20, 16 << 20], 40 * 1500)
        d.stop()
        d = lab.a.start(lane.daemon, text(["vrrp_rx_bufs_policy 1000"]))
        lab.wait_master("a", conf.VIPS, 8)
        wait(lab, d, [], 16 << 10)
        return "as written; 4096 is raised to what ipvsd needs, 1000 to 16384"


@case("reload-marker", "reload_file is there and empty while a configuration is read, gone afterwards; nothing else is ever emptied or removed")
def marker(lane):
    with lane.lab("a") as lab:
        path, victim = lab.root + "/reading", lab.root + "/victim"
        with open(path, "w") as f:
            f.write("not begun")
        d = lab.a.start(lane.daemon, text(["reload_file " + path]))
        lab.wait_master("a", conf.VIPS, 8)
        check(not os.path.exists(path), "still there after the start")
        with open(path, "w") as f:
            f.write("not begun")
        big = "".join("    ! %s\n" % ("x" * 200) for _ in range(40000))  # so that reading takes a while
        d.write(text(["reload_file " + path]) + big)
        os.kill(d.pid, signal.SIGHUP)
        lab.wait(lambda: not os.path.exists(path) or os.path.getsize(path) == 0, 3, "the file emptied", step=0.0005)
        check(os.path.exists(path), "it was not seen empty")
        lab.wait(lambda: not os.path.exists(path), 5, "the file gone")
        d.reload(text(["reload_file " + path]) + "vrrp_instance X {\n nonsense\n}\n")
        lab.wait(lambda: "reload refused" in d.read_log(), 4, "a refused reload")
        check(not os.path.exists(path), "there after a refused reload")
        with open(victim, "w") as f:
            f.write("precious")
        os.symlink(victim, path)
        d.reload(text(["reload_file " + path]))
        lab.wait(lambda: "cannot be made" in d.read_log(), 4, "the complaint about a link")
        os.path.lexists(path) and os.unlink(path)
        os.link(victim, path)
        d.reload(text(["reload_file " + path]))
        time.sleep(0.5)
        with open(victim) as f:
            check(f.read() == "precious", "another file was emptied through a link")
        return "start, reload, refused reload; links are not followed"


def count(d, what):
    return d.read_log().count(what)


@case("reload-time-file", "reload_time_file: a time, a date, UTC; replaced, removed, in the past, nonsense; removed after use, or kept by reload_repeat")
def reload_time(lane):
    done = "reload complete"
    with lane.lab("a") as lab:
        path = lab.root + "/when"

        def put(fmt, seconds, utc=False):
            at = time.time() + seconds
            with open(path + ".new", "w") as f:
                f.write(time.strftime(fmt, time.gmtime(at) if utc else time.localtime(at)))
            os.rename(path + ".new", path)
            return at

        d = lab.a.start(lane.daemon, text(["reload_time_file " + path]))
        lab.wait_master("a", conf.VIPS, 8)
        for n, (fmt, utc) in enumerate((("%H:%M:%S", False), ("%y-%m-%d %H:%M:%SZ\n", True), ("%Y-%m-%d %H:%M:%S\n", False)), 1):
            at = put(fmt, 3, utc)
            lab.wait(lambda: count(d, done) == n, 6, "reload %d" % n)
            check(-0.1 < time.time() - int(at) < 1.2, "reload at %.1f s from the time", time.time() - int(at))
            lab.wait(lambda: not os.path.exists(path), 1, "the file gone")
        put("%H:%M:%S", 3)
        put("%H:%M:%S", 300)
        time.sleep(3.5)
        put("%H:%M:%S", 2)
        os.unlink(path)
        put("%Y-%m-%d %H:%M:%S", -3600)
        lab.wait(lambda: "that time has passed" in d.read_log(), 2, "what is said of the past")
        put("tomorrow", 0)
        lab.wait(lambda: "its first line is not" in d.read_log(), 2, "what is said of nonsense")
        time.sleep(2.5)
        check(count(d, done) == 3, "%d reloads", count(d, done))
        os.unlink(path)
        d.reload(text(["reload_time_file " + path, "reload_repeat"]))
        lab.wait(lambda: count(d, done) == 4, 4, "the reload by hand")
        put("%H:%M:%S", 2)
        lab.wait(lambda: count(d, done) == 5, 5, "the repeated one")
        time.sleep(1.5)
        check(count(d, done) == 5 and os.path.exists(path), "%d reloads, file %s", count(d, done), os.path.exists(path))
        tomorrow = time.strftime("%Y-%m-%d", time.localtime(time.time() + 86400))
        check("the configuration is read again at " + tomorrow in d.read_log(), "it is not planned for tomorrow")
        return "four at their second, five others left undone"


@case("config-save-dir", "config_save_dir: each configuration read, its files included and definitions expanded, and the rooms' state around a reload, for root alone")
def save_dir(lane):
    with lane.lab("a") as lab:
        path, part = lab.root + "/saved", lab.root + "/part.conf"
        with open(part, "w") as f:
            f.write("! a comment\n$P=200\n" + conf.instance(priority=200, interval=INTERVAL).replace("priority 200", "priority $P"))
        d = lab.a.start(lane.daemon, conf.whole("include %s\n" % part, glob="    config_save_dir %s\n" % path))
        lab.wait_master("a", conf.VIPS, 8)
        vrrpd, ipvsd = d.role("vrrpd"), d.role("ipvsd")
        os.kill(d.pid, signal.SIGHUP)
        want = {"keepalived.conf.%d.0" % d.pid, "keepalived.conf.%d.1" % d.pid}
        want |= {"keepalived_%s.%d.1.%s" % (n, p, w) for n, p in (("vrrp", vrrpd), ("ipvs", ipvsd)) for w in ("pre", "post")}
        lab.wait(lambda: want <= set(os.listdir(path)), 4, "files")
        lab.wait(lambda: all(os.path.getsize(f) for f in glob.glob(path + "/*")), 2, "files with something in them")
        check(set(os.listdir(path)) == want, "files %s", os.listdir(path))
        check(stat.S_IMODE(os.stat(path).st_mode) == 0o700, "mode %o", os.stat(path).st_mode)
        check(all(stat.S_IMODE(os.stat(f).st_mode) == 0o600 for f in glob.glob(path + "/*")), "a file others may read")
        with open(path + "/keepalived.conf.%d.0" % d.pid) as f:
            saved = f.read()
        check("priority 200" in saved and "include" not in saved and "comment" not in saved and "$P" not in saved, "saved: %s", saved)
        d.reload(saved.replace("advert_int 0.2", "advert_int 0.3"))
        lab.wait(lambda: count(d, "reload complete") == 2, 4, "a reload of what was saved")
        with open(path + "/keepalived.conf.%d.2" % d.pid) as f:
            check(f.read() == saved.replace("advert_int 0.2", "advert_int 0.3"), "what was saved is read as something else")
        return "%d files" % len(want)


@case("process-stray-signals", "signals that mean nothing here end nothing: the parent names them in its log and the address stays; a script gets none of them blocked")
def stray_signals(lane):
    with lane.lab("a") as lab:
        mask = lab.root + "/mask"
        tell = lab.root + "/tell"
        with open(tell, "w") as f:
            f.write("#!/bin/sh\ngrep -E 'Sig(Blk|Ign)' /proc/self/status >%s\n" % mask)
        os.chmod(tell, 0o755)
        d = lab.a.start(lane.daemon, text(["script_user root"], extra="notify_master " + tell))
        lab.wait_master("a", conf.VIPS, 8)
        strays = [signal.SIGQUIT, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR, signal.SIGXCPU,
                  signal.SIGXFSZ, signal.SIGSTKFLT, signal.SIGRTMIN, signal.SIGRTMIN + 6, signal.SIGRTMAX]
        for s in strays:
            os.kill(d.pid, s)
            lab.wait(lambda: "signal %d received: it means nothing" % s in d.read_log(), 2, "word of signal %d" % s)
        os.kill(d.pid, signal.SIGHUP)
        lab.wait(lambda: count(d, "reload complete") == 1, 4, "a reload afterwards")
        check(set(conf.VIPS) <= set(lab.a.addresses()), "an address is gone")
        lab.wait(lambda: os.path.exists(mask) and os.path.getsize(mask), 3, "the script's word")
        with open(mask) as f:
            said = f.read().split()
        check(int(said[1], 16) == 0 and int(said[3], 16) == 0, "the script was started with %s", said)
        d.stop()
        return "%d signals" % len(strays)
