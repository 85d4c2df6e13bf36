"""Cases that go by chance, run by themselves for as long as one likes: reload_any.py and churn.py."""
import argparse
import os
import random
import shlex
import time

from lab import Failure, need_root, report

HERE = os.path.dirname(os.path.abspath(__file__))


class Alone:
    """What a case is given when it runs by itself."""

    def __init__(self, daemon, keep=None):
        self.daemon, self.keep = daemon, keep


def chosen(variable):
    """A seed: that of the environment, or any."""
    return int(os.environ.get(variable, random.SystemRandom().randrange(1 << 30)))


def holdctl(lane):
    return os.path.join(os.path.dirname(lane.daemon[0]), "holdctl")


def main(name, doc, start):
    """start: (lane, seed, seconds, say) -> figures. The exit status."""
    p = argparse.ArgumentParser(description=doc.split("\n", maxsplit=1)[0])
    p.add_argument("--daemon", default=os.path.join(HERE, "../../build/holdfast"))
    p.add_argument("--seconds", type=float, default=600)
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    p.add_argument("--keep")
    p.add_argument("--verbose", action="store_true")
    o = p.parse_args()
    need_root()
    argv = shlex.split(o.daemon)
    argv[0] = os.path.abspath(argv[0])
    say = (lambda text: print("%.3f %s" % (time.time(), text), flush=True)) if o.verbose else lambda text: None
    try:
        report.line("PASS", name, start(Alone(argv, o.keep), o.seed, o.seconds, say))
    except Failure as e:
        report.line("FAIL", name, str(e))
        return 1
    return 0
