"""The list of cases of the net lane, and what a case is given. A case is a function (lane) -> figures; it raises Failure or Skip."""
import contextlib
import os
import time

from lab import Lab, check, conf

CASES = []


class Case:
    def __init__(self, name, doc, fn, alone, limit):
        self.name, self.doc, self.fn, self.alone, self.limit = name, doc, fn, alone, limit


def case(name, doc, alone=False, limit=60, **fixed):
    """Registers fn(lane, **fixed). alone: not beside other cases (it needs the processor)."""
    def wrap(fn):
        CASES.append(Case(name, doc, lambda lane: fn(lane, **fixed), alone, limit))
        return fn
    return wrap


class Lane:
    """What every case may use: the daemon under test, a peer of another make, tools, and a place for logs."""

    def __init__(self, daemon, incumbent, flood, keep, name):
        self.daemon, self.incumbent, self.flood, self.keep, self.name = daemon, incumbent, flood, keep, name

    def lab(self, names="a", **kw):
        return Lab(names, keep_log=self.keep and "%s-%s" % (self.keep, self.name), **kw)

    @contextlib.contextmanager
    def master(self, names="a", interval=0.2, priority=200, vips=conf.VIPS, version=3, auth=None, args=(), env=None, out=None,
               extra=""):
        """A lab whose node a runs the daemon as master. Yields (lab, daemon)."""
        text = conf.whole(conf.instance(priority=priority, interval=interval, vips=vips, version=version, auth=auth, extra=extra))
        with self.lab(names) as lab:
            d = lab.a.start(self.daemon, text, args, env, out)
            lab.wait_master("a", vips, 4 * interval + 8)
            yield lab, d


def gaps_ms(adverts):
    times = [a.ts for a in adverts]
    return [(b - a) / 1e6 for a, b in zip(times, times[1:])]


def steady(lab, node, since, interval, slack_ms=20):
    """Node has advertised since then without a gap, as itself. Returns the longest gap in ms."""
    seen = lab.adverts(node, since - int(1e9 * interval))
    check(len(seen) >= 2, "%s does not advertise", node)
    check(all(a.priority and not a.faults for a in seen), "%s sent priority 0 or a broken advert", node)
    longest = max(gaps_ms(seen) + [(time.time_ns() - seen[-1].ts) / 1e6])
    check(longest < interval * 1e3 + slack_ms, "an advert of %s came %.0f ms after the last one", node, longest)
    return longest


def strace_there():
    return any(os.access(os.path.join(p, "strace"), os.X_OK) for p in os.environ.get("PATH", "").split(":"))
