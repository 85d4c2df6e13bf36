"""What the person sees: events on a timeline, facts under them, and the strip of what the client met."""
import time

from lab import report

COLOURS = {"1": "32", "2": "36", "3": "35", "S": "33", "x": "1;31"}


class Show:
    """What the person sees."""

    def __init__(self):
        self.start, self.broken = time.monotonic(), []

    def say(self, text, code=None):
        print(report.colour(text, code) if code else text, flush=True)

    def at(self, what, code="1"):
        self.say("\n%6.1f s  %s" % (time.monotonic() - self.start, report.colour(what, code)))

    def fact(self, ok, text):
        mark = report.colour("ok  ", "32") if ok else report.colour("FAIL", "1;31")
        self.say("          %s %s" % (mark, text))
        if not ok:
            self.broken.append(text)

    def strip(self, cells, n):
        """cells: {number: character}; what is not there is blank."""
        line = "".join(cells.get(i, " ") for i in range(n))
        self.say("          " + "".join(report.colour(c, COLOURS[c]) if c in COLOURS else c for c in line))

    def end(self):
        """The last lines and the exit status."""
        took = time.monotonic() - self.start
        if self.broken:
            self.say("\n%d promises broken in %.0f s:\n  %s" % (len(self.broken), took, "\n  ".join(self.broken)), "1;31")
            return 1
        self.say("\nEvery promise held (%.0f s). All of it is gone from this machine: namespaces, processes, files." % took, "1;32")
        return 0
