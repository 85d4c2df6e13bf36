"""Adverts under storms: 255 routers at 100 ms while syslog, the log's reader and the scripts are stalled or run wild. Called by run.py, one
after another. A function returns its figures as text; it raises Failure only when adverts stand still, never because a machine is slow.
"""
import contextlib
import os
import socket
import time

from lab import Failure, Lab, conf, now, packet, report, watch

ROUTERS, INTERVAL, SECONDS = 255, 0.1, 12
BOUND_MS = 10      # what p99.99 is meant to stay below; printed, not judged
STANDSTILL_MS = 5000  # a room that waits for what is stalled waits to the end; a busy machine does not do that
SCRIPT = "#!/bin/sh\necho $$ >>%s\nsleep 1\n"


def texts(script):
    out = []
    for n in range(1, ROUTERS + 1):
        extra = "lower_prio_no_advert\ngarp_lower_prio_repeat 0\ngarp_master_delay 0\ngarp_master_repeat 1\n"
        extra += "notify_master_rx_lower_pri %s\nnotify_master %s\n" % (script, script) if script else ""
        out.append(conf.instance("VI_%d" % n, n, priority=200, interval=INTERVAL, vips=("10.77.%d.1" % n,), extra=extra))
    return conf.whole(*out, glob="    script_user root\n    enable_script_security\n" if script else "")


class Stalled:
    """A syslog nobody reads and a pipe nobody reads, both full before the daemon is started."""

    def __init__(self, lab, syslog, pipe):
        self.env, self.out, self.keep = None, None, []
        if syslog:
            path = lab.root + "/deaf"
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.bind(path)
            os.chmod(path, 0o666)
            self.keep.append(s)
            self.env = {"HFLAB_LOG": path}
            self.talker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.talker.setblocking(False)
            self.talker.connect(path)
        if pipe:
            self.keep_r, self.out = os.pipe()
            os.set_blocking(self.out, True)  # as a shell hands it over
        self.syslog, self.pipe = syslog, pipe
        self.fill()

    def fill(self):
        """True: both took something more, so they were not full."""
        took = 0
        if self.syslog:
            with contextlib.suppress(BlockingIOError):
                while True:
                    took += self.talker.send(b"<13>full") > 0
        if self.pipe:
            other = os.open("/proc/self/fd/%d" % self.out, os.O_WRONLY | os.O_NONBLOCK)
            with contextlib.suppress(BlockingIOError):
                while True:
                    took += os.write(other, b"x" * 4096) > 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    took += os.write(other, b"x") > 0
            os.close(other)
        return took > 0


def lower_adverts(lab):
    """From node x, one for each router and of two senders in turn, ready to be sent: each is a line in the log (other addresses than
    ours, another sender than the last one) and runs a script; none changes a state."""
    n = lab.nodes["x"]
    with watch.in_netns(n.ns):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.bind(("eth0", 0))
        mute = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
    frames = [[packet.ip_frame(n.mac, src, packet.advert(src, ("10.78.0.1",), vrid=v, priority=1, interval=INTERVAL))
               for v in range(1, ROUTERS + 1)] for src in (n.ip, "10.77.0.99")]
    return s, mute, frames


def lateness(lab, since, until):
    """How much later than an interval after the one before each advert came, ms, over all routers."""
    by = {}
    for a in lab.adverts("a", since, until):
        if a.priority == 0:
            raise Failure("VRID %d resigned" % a.vrid)
        by.setdefault(a.vrid, []).append(a.ts)
    if len(by) != ROUTERS:
        raise Failure("only %d of %d routers advertise" % (len(by), ROUTERS))
    out = []
    for times in by.values():
        out += [max(0.0, (b - a) / 1e6 - INTERVAL * 1e3) for a, b in zip(times, times[1:])]
        out.append(max(0.0, (until - times[-1]) / 1e6 - INTERVAL * 1e3))
    return out


def figures(late, more):
    p = [report.percentile(late, q) for q in (50, 99, 99.9, 99.99)]
    return "%d adverts; late by p50 %.2f p99 %.2f p99.9 %.2f p99.99 %.2f max %.1f ms (%s %d ms)%s" % (
        len(late), *p, max(late), "within" if p[3] <= BOUND_MS else "above the meant", BOUND_MS, more)


def storm(spec, syslog=False, pipe=False, scripts=False):
    with Lab("ax", keep_log=spec.get("keep")) as lab:
        ran, script = lab.root + "/ran", None
        if scripts:
            os.mkdir(lab.root + "/bin", 0o755)
            script = lab.root + "/bin/notify"
            with open(script, "w") as f:
                f.write(SCRIPT % ran)
            os.chmod(script, 0o755)
            open(ran, "w").close()
        stall = Stalled(lab, syslog, pipe)
        d = lab.a.start(spec["daemon"], texts(script), env=stall.env, out=stall.out)
        lab.wait(lambda: len({a.vrid for a in lab.adverts("a")}) == ROUTERS, 30, "all routers MASTER", step=0.2)
        time.sleep(3)
        sock, _mute, turns = lower_adverts(lab)
        before, since = (os.path.getsize(ran) if scripts else 0), now()
        for n in range(SECONDS if syslog or pipe or scripts else 0):
            for frame in turns[n % 2]:
                sock.send(frame)
            time.sleep(1)
        if not (syslog or pipe or scripts):
            time.sleep(SECONDS)
        until = now() - int(2e8 * INTERVAL)
        more = ""
        if scripts:
            with open(ran) as f:
                f.seek(before)
                n = len(f.read().split())
            if n < ROUTERS:
                raise Failure("only %d scripts ran: no storm" % n)
            more = "; %d scripts" % n
        if (syslog or pipe) and stall.fill():
            raise Failure("somebody has read what was to be stalled")
        if lab.watch.lost:
            raise Failure("the witness lost frames")
        if d.proc.poll() is not None:
            raise Failure("the daemon ended")
        late = lateness(lab, since, until)
        text = figures(late, more)
        if report.percentile(late, 99.99) >= STANDSTILL_MS:
            raise Failure("adverts stand still: " + text)
        return text


def storm_quiet(spec):
    return storm(spec)


def storm_syslog(spec):
    return storm(spec, syslog=True)


def storm_log(spec):
    return storm(spec, pipe=True)


def storm_scripts(spec):
    return storm(spec, scripts=True)


def storm_all(spec):
    return storm(spec, syslog=True, pipe=True, scripts=True)
