"""Receive buffers of sockets that only this kernel has: IPVS's, and the process connector, which only the first namespace hears."""
import os
import re
import shutil
import subprocess
import time

from case import case, need_ours
from lab import Lab, check, conf, run
from lab.sockets import buffers

GENERIC, CONNECTOR = 16, 11
TRACK = """
vrrp_track_process PROC {
    process hfkwsleep
    weight 20
    quorum 1
}
"""


def whole(words, *blocks, **kw):
    return conf.whole(*blocks, conf.instance(vips=["10.77.8.200"], **kw), glob="".join("    %s\n" % w for w in words))


@case("rcv-bufs")
def rcv_bufs(lane):
    """lvs_netlink_cmd and process_monitor buffers as written, changed by a reload; the connector tells of a process at once"""
    need_ours(lane)
    with Lab("a") as lab:
        def wait(d, protocol, size, there=True):
            lab.wait(lambda: d.role("ipvsd") and (size in buffers(d.role("ipvsd")).get(("AF_NETLINK", protocol), [])) == there, 60,
                     "a buffer of %d%s" % (size, "" if there else " no more"), 0.3)

        d = lab.a.start(lane.daemon, whole(["lvs_netlink_cmd_rcv_bufs 17345678", "lvs_netlink_cmd_rcv_bufs_force"], conf.SERVICE))
        wait(d, GENERIC, 17345678)
        d.reload(whole(["lvs_netlink_cmd_rcv_bufs 18345678", "lvs_netlink_cmd_rcv_bufs_force on"], conf.SERVICE))
        wait(d, GENERIC, 18345678)
        d.reload(whole([], conf.SERVICE))
        wait(d, GENERIC, 18345678, False)
        d.stop(60)
        run("ip", "link", "add", "hfkw0", "type", "dummy")
        run("ip", "link", "set", "hfkw0", "up")
        run("ip", "addr", "add", "10.77.8.1/24", "dev", "hfkw0")
        try:
            on = dict(interface="hfkw0", extra="track_process {\n        PROC\n    }")
            d = lab.a.start(["nsenter", "-t", "1", "-n", *lane.daemon],
                            whole(["process_monitor_rcv_bufs 16345678", "process_monitor_rcv_bufs_force"], TRACK, **on))
            wait(d, CONNECTOR, 16345678)
            d.reload(whole(["process_monitor_rcv_bufs 19345678", "process_monitor_rcv_bufs_force"], TRACK, **on))
            wait(d, CONNECTOR, 19345678)
            shutil.copy(shutil.which("sleep"), lab.root + "/hfkwsleep")
            p = subprocess.Popen([lab.root + "/hfkwsleep", "600"])
            lab.wait(lambda: "priority 100 -> 120" in d.read_log(), 60, "the priority with the process", 0.3)
            p.kill()
            p.wait()
            lab.wait(lambda: "priority 120 -> 100" in d.read_log(), 60, "the priority without it", 0.3)
            d.stop(60)
        finally:
            run("ip", "link", "del", "hfkw0")
        return "IPVS and the connector"


@case("no-swap")
def no_swap(lane):
    """vrrp_no_swap, checker_no_swap and bfd_no_swap lock the memory of their rooms; a reload takes it back"""
    need_ours(lane)
    bfd = "bfd_instance B {\n    neighbor_ip 10.77.0.99\n    min_rx 5000\n    min_tx 5000\n}\n"

    def locked(d):
        out = set()
        for room in "vrrpd", "ipvsd", "checkd":
            with open("/proc/%d/status" % (d.role(room) or d.pid)) as f:
                out |= {room} if int(re.search(r"VmLck:\s+(\d+)", f.read()).group(1)) > 1000 else set()
        return out

    with Lab("a") as lab:
        d, other = None, "10.77.0.200"
        for words, want in ((["checker_no_swap"], {"checkd"}), (["vrrp_no_swap"], {"vrrpd", "ipvsd"}), (["bfd_no_swap"], {"vrrpd"}), ([], set())):
            text = conf.whole(conf.instance(vips=[other]), conf.SERVICE, bfd, glob="".join("    %s\n" % w for w in words))
            if d is None:
                d = lab.a.start(lane.daemon, text)
                lab.wait(lambda: "startup complete" in d.read_log(), 60, "the start", 0.3)
            else:
                d.reload(text)
            lab.wait(lambda: locked(d) == want, 60, "%s: locked %s, they are %s" % (words, want, locked(d)), 0.3)
        d.stop(60)


@case("fork-delay")
def fork_delay(lane):
    """A quorum gained by exec is there at once, one gained by a fork after fork_delay: only the connector tells them apart"""
    with Lab("a") as lab:
        name = "hfkwfork"
        prog, fifo = lab.root + "/" + name, lab.root + "/fifo"
        shutil.copy("/bin/sh", prog)
        os.mkfifo(fifo)
        track = "".join("vrrp_track_process %s {\n    process %s\n    quorum %d\n    weight %d\n    fork_delay 3\n}\n" % (w, name, n, 10 * n)
                        for n, w in ((1, "ONE"), (2, "TWO")))
        run("ip", "link", "add", "hfkw1", "type", "dummy")
        run("ip", "link", "set", "hfkw1", "up")
        run("ip", "addr", "add", "10.77.9.1/24", "dev", "hfkw1")
        p = None
        try:
            extra = "track_process {\n        ONE\n        TWO\n    }"
            d = lab.a.start(["nsenter", "-t", "1", "-n", *lane.daemon], whole([], track, interface="hfkw1", extra=extra))
            lab.wait(lambda: "BACKUP -> MASTER" in d.read_log(), 60, "MASTER", 0.3)
            at = time.monotonic()
            p = subprocess.Popen([prog, "-c", "read x; (read y < %s) & read x" % fifo], stdin=subprocess.PIPE)
            lab.wait(lambda: "priority 100 -> 110" in d.read_log(), 60, "the priority after an exec", 0.1)
            check(time.monotonic() - at < 2, "by exec: after %.1f s", time.monotonic() - at)
            at = time.monotonic()
            p.stdin.write(b"\n")
            p.stdin.flush()
            lab.wait(lambda: "priority 110 -> 130" in d.read_log(), 60, "the priority after a fork", 0.1)
            after = time.monotonic() - at
            check(after > 2.9, "by fork: after %.1f s", after)
            os.close(os.open(fifo, os.O_RDWR))  # which ends the subshell
            d.stop(60)
        finally:
            if p:
                p.kill()
                p.wait()
            run("ip", "link", "del", "hfkw1")
        return "%.1f s after a fork" % after
