"""Figures of the director, called by run.py: checks on this machine's own kernel (checkd needs no ip_vs to judge, so no emulation
distorts its cost; the incumbent does need it and is measured in the VM by the project's harness), and 50,000 servers that die at once.

    lvs.py [--daemon CMD] [--out FOLDER] [--only checks,mass] [--mass N] [--delay S]

Where the kernel has ip_vs, as in the test VM, the mass is also counted in the kernel's own table: what is reported down is withdrawn too.
An emulated processor is some ten times slower than this one: there --delay 60.

The daemon's processes share one CPU, the simulated servers have another.
"""
import argparse
import json
import os
import select
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE)]

from lab import Lab, need_root, process_name  # noqa: E402

PORT = 9000
TCP = "TCP_CHECK {\n   connect_timeout 5\n   retry 0\n  }"
HTTP = "HTTP_GET {\n   url {\n    path /\n    status_code 200\n   }\n   connect_timeout 5\n   retry 0\n  }"


def build(folder):
    out = os.path.join(folder, "peers")
    subprocess.run(["cc", "-O2", "-std=c17", "-D_GNU_SOURCE", "-o", out, HERE + "/peers.c"], check=True)
    return out


def address(i):
    return "127.%d.%d.%d" % (1 + i // 62500, i % 62500 // 250, 1 + i % 250)


def conf(n, per, delay, check, fifo=""):
    out = ["global_defs {\n router_id BENCH\n script_user root\n%s}\n" % (" lvs_notify_fifo %s\n" % fifo if fifo else "")]
    for v in range((n + per - 1) // per):
        out.append("virtual_server 10.%d.%d.1 80 {\n delay_loop %d\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n" % (100 + v // 250, v % 250, delay))
        out += [" real_server %s %d {\n  weight 1\n  %s\n }\n" % (address(i), PORT, check) for i in range(v * per, min(n, (v + 1) * per))]
        out.append("}\n")
    return "".join(out)


class Peers:
    def __init__(self, lab, program, mode, period, before=()):
        self.proc = subprocess.Popen(lab.a.argv(["taskset", "-c", "0", *before, program, mode, str(PORT), str(period * 1000)], lab.new_cgroup()),
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                     env=dict(os.environ, HFLAB_LOG=lab.log_path))
        self.answer()

    def answer(self):
        return json.loads(self.proc.stdout.readline())

    def say(self, what):
        self.proc.stdin.write(what + "\n")
        return self.answer()


def cpu(daemon):
    """Seconds of all processes, from the cgroup."""
    with open(daemon.cgroup + "/cpu.stat") as f:
        return int(f.readline().split()[1]) / 1e6


def pss(daemon):
    """{process: KiB}"""
    out = {}
    for pid in daemon.processes():
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                out[process_name(pid)] = next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return out


def wait_for(test, limit, step=0.2):
    end = time.monotonic() + limit
    while not test():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


def started(lab, o, n, per, delay, check, fifo=""):
    d = lab.a.start(["taskset", "-c", str((os.cpu_count() or 2) - 1), *o.before, *o.daemon], conf(n, per, delay, check, fifo))
    return d


def settle(peers, n, limit):
    """Until every server has been asked once."""
    return wait_for(lambda: peers.say("report")["servers"] >= n, limit, 0.5)


def say(what, value):
    print("  %-66s %s" % (what, value), flush=True)


def checks(o, results):
    print("\nChecks, this machine's kernel, one CPU (holdfast alone)")
    base = {}
    for name, mode, n, delay, text, seconds in (("10 HTTP, 1 s", "http", 10, 1, HTTP, 4), ("200 TCP, 1 s", "tcp", 200, 1, TCP, 10),
                                                ("2,000 TCP, 1 s", "tcp", 2000, 1, TCP, 15), ("1,000 HTTP, 1 s", "http", 1000, 1, HTTP, 15),
                                                ("2,000 HTTP, 1 s", "http", 2000, 1, HTTP, 15)):
        with Lab("a") as lab:
            peers = Peers(lab, o.peers, mode, delay, o.before)
            d = started(lab, o, n, 20, delay, text)
            if not settle(peers, n, 60):
                say(name, "not all servers were asked within 60 s")
                continue
            time.sleep(3)
            peers.say("report")
            c0, t0 = cpu(d), time.monotonic()
            time.sleep(seconds)
            c1, seen, took = cpu(d), peers.say("report"), time.monotonic() - t0
            mem = pss(d)
            base[name] = sum(mem.values())
            results["checks " + name] = {**seen, "cpu_ms_per_1000": (c1 - c0) / max(1, seen["checks"]) * 1e6, "seconds": took, "pss_kib": mem}
            say(name + ": CPU per 1,000 checks; share of one core", "%.1f ms; %.1f %%" % ((c1 - c0) / max(1, seen["checks"]) * 1e6, (c1 - c0) / took * 100))
            say("  checks a second; late: median, 99 %, most", "%.0f; %d, %d, %d ms (%d above 50 ms)" % (
                seen["checks"] / took, seen["late_p50"], seen["late_p99"], seen["late_max"], seen["late_over_50ms"]))
    if "10 HTTP, 1 s" in base and "2,000 HTTP, 1 s" in base:
        each = (base["2,000 HTTP, 1 s"] - base["10 HTTP, 1 s"]) / 1990
        results["memory per server, KiB"] = each
        say("memory per server (2,000 HTTP at work, all processes, PSS)", "%.2f KiB" % each)


def count_lines(fd, want, limit):
    """Reads the FIFO until want lines that say a server is down; (seconds until half, until all) since the call, or None."""
    began, seen, rest, half = time.monotonic(), 0, b"", None
    while seen < want:
        left = began + limit - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return None, seen
        *lines, rest = (rest + os.read(fd, 1 << 20)).split(b"\n")
        seen += sum(line.startswith(b"RS ") and line.endswith(b" DOWN") for line in lines)
        if half is None and seen >= want / 2:
            half = time.monotonic() - began
    return (half, time.monotonic() - began), seen


def table(daemon):
    """Servers with a weight in the IPVS table of the daemon's kernel; None without ip_vs."""
    try:
        with open("/proc/%d/net/ip_vs" % daemon.processes()[0]) as f:
            return sum(line.startswith("  -> ") and not line.startswith("  -> Remote") and line.split()[3] != "0" for line in f)
    except OSError:
        return None


def mass(o, results):
    n, delay = o.mass, o.delay
    print("\n%s servers in one director, TCP_CHECK each %d s, all dying at once (simulated servers on loopback)" % (format(n, ","), delay))
    with Lab("a") as lab:
        fifo = lab.root + "/fifo"
        os.mkfifo(fifo)
        fd = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        peers = Peers(lab, o.peers, "tcp", delay, o.before)
        began = time.monotonic()
        d = started(lab, o, n, 100, delay, TCP, fifo)
        if not settle(peers, n, 170 + delay):
            say("not all servers were asked within %d s:" % (170 + delay), "%s" % peers.say("report"))
            return
        say("start -> every server asked once", "%.1f s" % (time.monotonic() - began))
        time.sleep(delay)
        peers.say("report")
        c0, t0 = cpu(d), time.monotonic()
        time.sleep(2 * delay)
        seen, took, used = peers.say("report"), time.monotonic() - t0, cpu(d) - c0
        say("checks a second; share of one core; late: 99 %, most", "%.0f; %.0f %%; %d, %d ms" % (
            seen["checks"] / took, used / took * 100, seen["late_p99"], seen["late_max"]))
        in_kernel = table(d)
        if in_kernel is not None:
            say("servers in the kernel's table", in_kernel)
        before = pss(d)
        say("memory (PSS)", "%.1f MiB: %s" % (sum(before.values()) / 1024, ", ".join("%s %.1f" % (k, v / 1024) for k, v in before.items())))
        while select.select([fd], [], [], 0)[0]:
            os.read(fd, 1 << 20)
        c0, died = cpu(d), time.monotonic()
        peers.say("fail")
        times, down = count_lines(fd, n, 6 * delay)
        if times:
            say("all dead -> half, all of them reported down", "%.1f, %.1f s (two check intervals: %d s); CPU %.2f s" % (
                *times, 2 * delay, cpu(d) - c0))
        else:
            say("reported down within %d s" % (6 * delay), "%d of %d" % (down, n))
        gone = None
        if in_kernel is not None:
            gone = time.monotonic() - died if wait_for(lambda: table(d) == 0, 6 * delay, 0.5) else None
            say("all dead -> none left in the kernel's table", "%.1f s" % gone if gone else "%d are left" % table(d))
        after = pss(d)
        say("memory afterwards (PSS)", "%.1f MiB: %s" % (sum(after.values()) / 1024, ", ".join("%s %.1f" % (k, v / 1024) for k, v in after.items())))
        results["mass"] = {"servers": n, "delay": delay, "steady": seen, "pss_before": before, "pss_after": after, "down_s": times, "down": down,
                           "in_kernel": in_kernel, "withdrawn_s": gone}
        os.close(fd)
        with open(d.log, errors="replace") as f:
            told = [line.strip() for line in f if "FIFO" in line or "fifo" in line]
        if told:
            say("the daemon on its FIFO", told[-1])


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--daemon", default=os.path.join(TOP, "build/holdfast"))
    p.add_argument("--out", default=os.path.join(TOP, "build/bench"))
    p.add_argument("--only", default="checks,mass")
    p.add_argument("--mass", type=int, default=50000)
    p.add_argument("--delay", type=int, default=10, help="delay_loop of the mass, seconds")
    p.add_argument("--before", default="", help="a prefix for the daemon and the simulated servers, such as chrt -f 5 on a busy machine")
    o = p.parse_args()
    need_root()
    os.makedirs(o.out, exist_ok=True)
    o.before = o.before.split()
    o.daemon, o.peers, results = [os.path.abspath(o.daemon)], build(o.out), {}
    for what in o.only.split(","):
        {"checks": checks, "mass": mass}[what](o, results)
    with open(os.path.join(o.out, "lvs.json"), "w") as f:
        json.dump(results, f, indent=1)


if __name__ == "__main__":
    main()
