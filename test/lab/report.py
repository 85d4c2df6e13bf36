"""One line a test: PASS name (figures) / FAIL name: why / SKIP name: why. And the small statistics the lanes need."""
import math
import os
import sys


def colour(text, code, stream=sys.stdout):
    if stream.isatty() and not os.environ.get("NO_COLOR"):
        return "\033[%sm%s\033[0m" % (code, text)
    return text


def line(verdict, name, text=""):
    code = {"PASS": "32", "FAIL": "1;31", "SKIP": "33"}[verdict]
    if verdict == "PASS":
        tail = " (%s)" % text if text else ""
    else:
        tail = ": " + text
    print("%s %s%s" % (colour(verdict, code), name, tail), flush=True)


def median(values):
    return percentile(values, 50)


def percentile(values, p):
    """Nearest rank; p=50 of an even number is the mean of the two in the middle."""
    s = sorted(values)
    if not s:
        return float("nan")
    if p == 50 and len(s) % 2 == 0:
        return (s[len(s) // 2 - 1] + s[len(s) // 2]) / 2
    return s[min(len(s) - 1, max(0, math.ceil(p / 100 * len(s)) - 1))]
