"""Start, stop, exit statuses, pid files, the service manager's socket, hung children."""
import contextlib
import fcntl
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

from case import case, check, steady
from lab import Failure, Hang, Skip, children, conf, now, process_state, report, run

INTERVAL = 0.2


@case("stop-order", "SIGTERM: 300 addresses gone before priority 0 leaves, exit within 0.2 s, status 0, pid files removed", alone=True)
def stop_order(lane):
    # Many addresses: their removal takes so long that the order shows through the witness's own lateness (below a millisecond).
    more = ["10.78.%d.%d" % (i // 100, i % 100 + 1) for i in range(300)]
    extra = "virtual_ipaddress_excluded {\n        %s\n    }" % "\n        ".join(m + "/32" for m in more)
    ahead, took = [], []
    for _ in range(4):
        with lane.master(interval=INTERVAL, extra=extra) as (lab, d):
            lab.wait(lambda: len(lab.a.addresses()) >= 300 + len(conf.VIPS), 3, "300 addresses")
            asked = now()
            status, seconds = d.stop()
            zero = lab.wait(lambda: lab.adverts("a", asked, priority=0), 1, "priority 0 after SIGTERM")[0]
            gone = [e.ts for e in lab.events("addr-", "a", since=asked)]
            check(status == 0, "exit status %d", status)
            check(len(gone) == 300 + len(conf.VIPS), "%d of %d addresses were removed", len(gone), 300 + len(conf.VIPS))
            late = (max(gone) - zero.ts) / 1e6
            check(late < 1, "addresses were still there when priority 0 was sent (the last went %.2f ms later)", late)
            left = [p for p in (d.pidfile, d.vrrp_pidfile, d.check_pidfile) if os.path.exists(p)]
            check(not left, "pid files left: %s", left)
            check(not d.processes(), "processes left: %s", d.processes())
            ahead.append(-late)
            took.append(seconds * 1e3)
    check(max(took) < 200, "SIGTERM to exit took %.0f ms", max(took))
    return "last address gone %.2f ms before priority 0 (least of 4); exit after %.0f ms (worst)" % (min(ahead), max(took))


@case("stop-during-start", "SIGTERM at 20 random moments of the first 80 ms: gone at once, nothing left behind")
def stop_during_start(lane):
    rng, worst, statuses = random.Random(3), 0, {}
    text = conf.whole(conf.instance(priority=255, state="MASTER", interval=INTERVAL))
    with lane.lab("a") as lab:
        for i in range(20):
            d = lab.a.start(lane.daemon, text)
            lab.wait(lambda: os.path.basename(os.readlink("/proc/%d/exe" % d.pid)) == os.path.basename(lane.daemon[0]), 3,
                     "the daemon's exec", step=0.0005)
            time.sleep(i * 0.004 + rng.uniform(0, 0.004))
            try:
                status, seconds = d.stop(4)
            except subprocess.TimeoutExpired:
                raise Failure("SIGTERM %.0f ms after the start was not obeyed within 4 s" % (i * 4))
            worst = max(worst, seconds)
            statuses[status] = statuses.get(status, 0) + 1
            lab.wait(lambda: not d.processes(), 1, "every process gone")
            check(not set(conf.VIPS) & set(lab.a.addresses()), "addresses left behind")
    check(set(statuses) <= {0, -signal.SIGTERM}, "exit statuses %s", statuses)
    check(worst < 1, "the slowest stop took %.2f s", worst)
    return "slowest stop %.0f ms, statuses %s" % (worst * 1e3, statuses)


@case("stop-after-crash", "kill -9 of a process and SIGTERM 0 to 20 ms behind it: addresses gone, priority 0 sent, status 0, nothing left", limit=90)
def stop_after_crash(lane):
    worst = 0
    text = conf.whole(conf.instance(priority=255, state="MASTER", interval=INTERVAL))
    with lane.lab("a") as lab:
        for role in ("ipvsd", "vrrpd"):
            for ms in (0, 0, 2, 5, 10, 15, 20):
                begun = now()
                d = lab.a.start(lane.daemon, text)
                lab.wait_master("a", conf.VIPS, since=begun)
                asked = now()
                os.kill(d.role(role), signal.SIGKILL)
                time.sleep(ms / 1e3)
                status, seconds = d.stop(4)
                worst = max(worst, seconds)
                what = "SIGTERM %d ms after the death of %s" % (ms, role)
                check(status == 0, "%s: exit status %d", what, status)
                check(not set(conf.VIPS) & set(lab.a.addresses()), "%s: addresses left behind:\n%s", what, d.read_log())
                check(not d.processes(), "%s: processes left: %s", what, d.processes())
                time.sleep(0.05)
                check(lab.adverts("a", asked, priority=0), "%s: no priority 0:\n%s", what, d.read_log())
    return "slowest stop %.0f ms" % (worst * 1e3)


def status_of(lane, lab, text, *args, name="t.conf"):
    path = lab.root + "/" + name
    if text is not None:
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)
    argv = lab.a.argv([*lane.daemon, *(a.replace("FILE", path) for a in args)], lab.new_cgroup())
    try:
        p = subprocess.run(argv, capture_output=True, text=True, timeout=8, stdin=subprocess.DEVNULL,
                           env=dict(os.environ, HFLAB_LOG=lab.log_path))
    except subprocess.TimeoutExpired:
        raise Failure("it runs, although it was to refuse: %s" % " ".join(args))
    return p.returncode, p.stdout + p.stderr


@case("exit-statuses", "-t: 0 good and warnings, 5 errors, 4 missing, 1 bad option; a start with errors refuses with the same")
def statuses(lane):
    good = conf.whole(conf.instance())
    bad = good.replace("priority 100", "priority 1000")
    wordy = conf.whole(conf.instance(version=2, auth="longer-than-eight"))
    with lane.lab("a") as lab:
        wanted = [("good", 0, good, ("-t", "-f", "FILE")), ("warning", 0, wordy, ("-t", "-f", "FILE")),
                  ("out of range", 5, bad, ("-t", "-f", "FILE")), ("unknown keyword", 5, good.replace("advert_int", "advert_imt"), ("-t", "-f", "FILE")),
                  ("open brace", 5, good.rstrip().rstrip("}"), ("-t", "-f", "FILE")),
                  ("bad option", 1, good, ("-t", "--no-such-option")), ("start with errors", 5, bad, ("-n", "-l", "-f", "FILE"))]
        for what, want, text, args in wanted:
            got, out = status_of(lane, lab, text, *args)
            check(got == want, "%s: status %d instead of %d: %s", what, got, want, out.strip()[-200:])
        got, out = status_of(lane, lab, None, "-t", "-f", "FILE", name="missing.conf")
        check(got == 4, "missing file: status %d instead of 4: %s", got, out.strip()[-200:])
        got, out = status_of(lane, lab, bad, "-t", "-f", "FILE")
        check("1000" in out and re.search(r"t\.conf:\d+", out), "the diagnosis names neither line nor value: %s", out[-200:])
        return "%d statuses" % (len(wanted) + 1)


@case("pid-files", "pid files hold the pids; a second start with the same files leaves the first alone")
def pid_files(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        main = open(d.pidfile).read()
        check(main == "%d\n" % d.pid, "the main pid file says %r, the process is %d", main, d.pid)
        check(os.stat(d.pidfile).st_mode & 0o777 == 0o644, "mode %o", os.stat(d.pidfile).st_mode & 0o777)
        vrrp = d.role("vrrpd")
        check(vrrp and vrrp != d.pid, "the VRRP pid file says %s", vrrp)
        since = now()
        argv = lab.a.argv([*lane.daemon, "-f", d.conf, "-n", "-l", "-p", d.pidfile, "-r", d.vrrp_pidfile, "-c", d.check_pidfile],
                          lab.new_cgroup())
        second = subprocess.run(argv, capture_output=True, timeout=10, stdin=subprocess.DEVNULL,
                                env=dict(os.environ, HFLAB_LOG=lab.log_path))
        check(second.returncode == 0, "the second start ended with %d", second.returncode)
        check(open(d.pidfile).read() == main and d.role("vrrpd") == vrrp, "the second start disturbed the pid files")
        check(not lab.events("addr", "a", since=since), "the second start touched addresses")
        os.kill(vrrp, signal.SIGKILL)
        lab.wait(lambda: d.role("vrrpd") not in (None, vrrp), 3, "the new vrrpd in the pid file")
        time.sleep(1)
        return "longest gap %.1f ms" % steady(lab, "a", since, INTERVAL, slack_ms=50)


@case("sd-notify", "READY, RELOADING and STOPPING reach the service manager, READY only when adverts can leave")
def sd_notify(lane):
    with lane.lab("a") as lab:
        path = lab.root + "/notify"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(path)
        os.chmod(path, 0o666)
        manager.settimeout(3)
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=255, state="MASTER", interval=INTERVAL)),
                        env={"NOTIFY_SOCKET": path})

        def heard(word):
            end = time.monotonic() + 4
            while time.monotonic() < end:
                try:
                    text = manager.recv(4096).decode()
                except socket.timeout:
                    break
                if word in text.split("\n"):
                    return text
            raise Failure("never heard " + word)

        heard("READY=1")
        ready = now()
        check(d.role("vrrpd"), "ready without vrrpd")
        heard_at = []
        for word in ("RELOADING=1", "READY=1"):
            if word == "RELOADING=1":
                d.reload()
            text = heard(word)
            heard_at.append(text)
        check("MONOTONIC_USEC=" in heard_at[0], "RELOADING without MONOTONIC_USEC: systemd (Type=notify-reload) wants it: %r", heard_at[0])
        d.signal(signal.SIGTERM)
        heard("STOPPING=1")
        check(d.proc.wait(5) == 0, "exit status %s", d.proc.returncode)
        return "ready %.0f ms after exec" % ((ready - d.started) / 1e6)


def hang(lane, role):
    """A child that answers nobody, though no signal said so, is killed and replaced; at 1 s intervals the peer never notices."""
    peer = lane.incumbent or lane.daemon
    texts = [conf.whole(conf.instance(priority=p, interval=1, version=2, auth="1111")) for p in (200, 100)]
    with lane.lab("ab") as lab:
        a = lab.a.start(lane.daemon, texts[0])
        lab.wait_master("a", conf.VIPS)
        lab.b.start(peer, texts[1])
        time.sleep(2)
        pid = a.role(role)
        if not pid:
            raise Skip("this daemon has no " + role)
        since = now()
        held = Hang(pid)
        try:
            lab.wait(lambda: held.reap() or a.role(role) not in (None, pid), 12, "a replacement of the hung %s" % role)
        finally:
            if process_state(pid) not in (None, "Z"):
                held.release()
        took = (now() - since) / 1e9
        time.sleep(3)
        check(not lab.events("addr", "a", since=since), "addresses moved")
        gaps = [(y.ts - x.ts) / 1e6 for x, y in zip(lab.adverts("a", since - 10**9), lab.adverts("a", since - 10**9)[1:])]
        check(not lab.adverts("b", since), "the peer took over (longest gap %.0f ms)", max(gaps))
        return "replaced after %.2f s, longest gap %.0f ms" % (took, max(gaps))


case("hung-vrrpd", "a vrrpd that hangs without being stopped is found by its missing heartbeat", role="vrrpd")(hang)
case("hung-ipvsd", "the same for ipvsd", role="ipvsd")(hang)


def switches(d):
    """How often the processes of a house have gone to sleep."""
    total = 0
    for pid in [d.pid, *children(d.pid)]:
        with open("/proc/%d/status" % pid) as f:
            total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M).group(1))
    return total


@case("idle-wakeups", "an idle house sleeps: a BACKUP wakes for adverts and hardly more, one in FAULT twice a second at most", alone=True)
def idle(lane):
    texts = [conf.whole(conf.instance(priority=p, interval=1)) for p in (200, 100)]
    with lane.lab("abc") as lab:
        lab.a.start(lane.daemon, texts[0])
        lab.wait_master("a", conf.VIPS)
        b = lab.b.start(lane.daemon, texts[1])
        c = lab.c.start(lane.daemon, conf.whole(conf.instance(interface="none0", vips=("10.99.0.1",))))
        time.sleep(4)
        check(all(d.role("vrrpd") and d.role("ipvsd") for d in (b, c)), "a house does not run:\n%s", c.read_log()[-600:])
        since, before = time.monotonic(), [switches(d) for d in (b, c)]
        time.sleep(15)
        took = time.monotonic() - since
        backup, fault = ((switches(d) - n) / took for d, n in zip((b, c), before))
        check(backup < 1.6, "a BACKUP that hears an advert a second wakes %.2f times a second", backup)
        check(fault < 2, "an instance in FAULT wakes its house %.2f times a second", fault)
        return "%.2f/s as BACKUP, %.2f/s in FAULT" % (backup, fault)


@case("starved-vrrpd", "a vrrpd that the machine gives no processor does not hang: it is not killed, and the log names the cause")
def starved(lane):
    if os.cpu_count() < 2:
        raise Skip("one processor")
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=0.1)))
        lab.wait_master("a", conf.VIPS)
        pid = d.role("vrrpd")
        if not pid:
            raise Skip("this daemon has no vrrpd")
        # both on one processor, the other one in real time: what is left is 50 ms in a second
        os.sched_setaffinity(pid, {1})
        burner = subprocess.Popen([sys.executable, "-c", "import os\nos.sched_setaffinity(0, {1})\n"
                                   "os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))\nwhile True: pass"])
        try:
            lab.wait(lambda: "has not been given a processor" in d.read_log() or d.role("vrrpd") != pid, 20, "a word about the starving vrrpd")
        finally:
            burner.kill()
            burner.wait()
        time.sleep(1)
        check(d.role("vrrpd") == pid, "vrrpd was replaced:\n%s", d.read_log()[-600:])
        since = now()
        time.sleep(1)
        check(len(lab.adverts("a", since)) >= 3, "no adverts although it has a processor again")


@case("timers-honest", "a house that starts and waits for its master-down interval does not think that it was late: the lateness told is not a timer's that was moved")
def honest(lane):
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=1)))
        lab.wait_master("a", conf.VIPS, 8)
        time.sleep(2.5)
        late = [float(ms) for ms in re.findall(r"timer ran ([\d.]+) ms late", d.read_log())]
        check(not [ms for ms in late if ms > 900], "late by a second, says the log: %s", late)


SERVICE = """
virtual_server 10.77.0.100 80 {
    delay_loop 6
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.77.0.50 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
"""


@case("checkd-crash", "SIGKILL and SIGSTOP of checkd: replaced, and VRRP never notices")
def checkd_crash(lane):
    text = conf.whole(conf.instance(priority=200, interval=INTERVAL), SERVICE)
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text)
        lab.wait_master("a", conf.VIPS)
        pid = lab.wait(lambda: d.role("checkd"), 3, "a checkd process for a configuration with a virtual server")
        since, times = now(), []
        for sig in (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV):
            at = now()
            os.kill(pid, sig)
            new = lab.wait(lambda: d.role("checkd") not in (None, pid) and d.role("checkd"), 5, "a new checkd", step=0.002)
            times.append((now() - at) / 1e6)
            pid = new
            time.sleep(1)
        check(not lab.events("addr", "a", since=since), "addresses moved")
        return "back after %.0f ms (median), longest advert gap %.1f ms" % (report.median(times), steady(lab, "a", since, INTERVAL))


@case("stalled-log", "nobody reads the log, neither /dev/log nor the terminal: adverts, repairs and reloads go on in time")
def stalled_log(lane):
    r, w = os.pipe()
    fcntl.fcntl(w, 1031, 4096)  # F_SETPIPE_SZ
    with tempfile.TemporaryDirectory(prefix="hfnet-") as folder:
        os.chmod(folder, 0o755)
        deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.bind(folder + "/log")
        os.chmod(folder + "/log", 0o666)
        with lane.master(interval=INTERVAL, env={"HFLAB_LOG": folder + "/log"}, out=w) as (lab, d):
            since = now()
            for i in range(20):
                d.reload("vrrp_instance broken {\n" * (i + 1))
                time.sleep(0.05)
                with contextlib.suppress(RuntimeError):  # it may not be back yet
                    run("ip", "-n", lab.a.ns, "addr", "del", conf.VIPS[i % 3] + "/24", "dev", "eth0")
                time.sleep(0.05)
            d.reload(conf.whole(conf.instance(priority=190, interval=INTERVAL)))
            lab.wait(lambda: lab.adverts("a", since, priority=190), 3, "a reload while the log stands still")
            lab.wait(lambda: set(conf.VIPS) <= set(lab.a.addresses()), 3, "the addresses put back")
            gap = steady(lab, "a", since, INTERVAL)
            status, seconds = d.stop()
            check(status == 0 and seconds < 1, "status %d after %.2f s", status, seconds)
        os.close(r)
        os.close(w)
        return "longest gap %.1f ms" % gap


@case("no-stray-packets", "a start, 3 s of mastership and a stop send adverts, ARP, ND and IGMP alone")
def no_stray(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        time.sleep(3)
        d.stop()
        broken = [f for f in lab.watch.frames if f.kind == "broken" or (f.kind == "advert" and f.faults)]
        check(not broken, "%d broken frames", len(broken))
        zeros = lab.adverts("a", priority=0)
        check(1 <= len(zeros) <= 3, "%d adverts of priority 0", len(zeros))
        stray = [f for f in lab.watch.frames if f.kind == "arp" and f.sender in conf.VIPS]
        check(not stray, "ARP requests from a virtual address that are not gratuitous")
        garps = {v: len([g for g in lab.seen("garp", "a") if g.sender == v]) for v in conf.VIPS}
        check(all(n == 5 for n in garps.values()), "gratuitous ARPs in the first 3 s: %s (5 each expected)", garps)
        return "%d adverts, %d gratuitous ARPs" % (len(lab.adverts("a")), sum(garps.values()))
