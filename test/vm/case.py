"""The list of cases of the vm lane, and what a case is given. A case is a function (lane) -> figures; it raises Failure or Skip.
Everything here is about ten times slower than the machine, so limits are wide and figures are for reading only.
"""
import os

from lab import Skip, check

CASES = []
SLOW = float(os.environ.get("HOLDFAST_SLOW", "1"))  # a busy machine: multiplies every waiting limit


class Case:
    def __init__(self, name, fn, alone, limit):
        self.name, self.doc, self.fn, self.alone, self.limit = "vm-" + name, fn.__doc__.split("\n")[0], fn, alone, limit * SLOW


class Lane:
    """The daemon under test, and whether it is ours (a role of its own for each job)."""

    def __init__(self, daemon, ours, keep):
        self.daemon, self.ours, self.keep = daemon, ours, keep


def case(name, alone=False, limit=300):
    """Registers fn(lane). alone: nobody else may touch the kernel's IPVS, or the figures need the processor."""
    def wrap(fn):
        CASES.append(Case(name, fn, alone, limit))
        return fn
    return wrap


def equal(have, want, what):
    check(have == want, "%s: have %r, want %r", what, have, want)


def need_ours(lane):
    if not lane.ours:
        raise Skip("only for a daemon with a process for each job")
