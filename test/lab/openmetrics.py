"""A strict reader of OpenMetrics text (openmetrics.io 1.0): every line has to be right, or Bad is raised with the line."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r"(%s)(\{(.*)\})? (-?[0-9]+(\.[0-9]+)?|\+Inf|NaN)$" % NAME)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SUFFIXES = {"gauge": ("",), "counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",)}


class Bad(Exception):
    pass


class Family:
    def __init__(self, name, kind):
        self.name, self.kind, self.unit, self.help, self.samples = name, kind, None, None, []

    def value(self, suffix="", **labels):
        """The one sample with these labels; KeyError when there is none."""
        found = [v for s, have, v in self.samples if s == suffix and all(have.get(k) == w for k, w in labels.items())]
        if len(found) != 1:
            raise KeyError("%s%s %s: %d samples" % (self.name, suffix, labels, len(found)))
        return found[0]


def _labels(text, line):
    out, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        if not m or m.group(1) in out or (m.end() == len(text)) != (m.group(3) == ""):
            raise Bad("labels: " + line)
        out[m.group(1)] = m.group(2).replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
        at = m.end()
    return out


def _meta(families, now, line):
    m = re.match(r"# (TYPE|UNIT|HELP) (%s) (.+)$" % NAME, line)
    if not m:
        raise Bad("comment: " + line)
    what, name, rest = m.groups()
    if what == "TYPE":
        if name in families or rest not in SUFFIXES:
            raise Bad("type: " + line)
        families[name] = Family(name, rest)
        return families[name]
    if not now or now.name != name or now.samples:
        raise Bad("out of place: " + line)
    if what == "UNIT":
        if not name.endswith("_" + rest) or now.unit:
            raise Bad("unit: " + line)
        now.unit = rest
    else:
        now.help = rest
    return now


def _histogram(f):
    series = {}
    for suffix, labels, value in f.samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        series.setdefault(key, {"_bucket": []})
        if suffix == "_bucket":
            le = labels["le"]
            if le != "+Inf" and "." not in le:
                raise Bad("%s: le=%s is no float" % (f.name, le))
            series[key]["_bucket"].append((float(le), value))
        else:
            series[key][suffix] = value
    for key, s in series.items():
        b = s["_bucket"]
        if not b or b[-1][0] != float("inf") or b != sorted(b) or [v for _, v in b] != sorted(v for _, v in b):
            raise Bad("%s %s: buckets %s" % (f.name, key, b))
        if s.get("_count") != b[-1][1] or "_sum" not in s or s["_sum"] < 0:
            raise Bad("%s %s: count or sum" % (f.name, key))


def _check(f):
    if f.help is None or not f.samples:
        raise Bad("%s: no HELP or no samples" % f.name)
    if f.kind == "counter" and (f.name.endswith("_total") or any(v < 0 for _, _, v in f.samples)):
        raise Bad("%s: a counter" % f.name)
    if re.search(r"_(seconds|bytes|ratio)$", f.name) and not f.unit:
        raise Bad("%s: no UNIT" % f.name)
    if re.search(r"(^|_)(ms|milliseconds|minutes|percent)(_|$)", f.name):
        raise Bad("%s: not a base unit" % f.name)
    if f.kind == "histogram":
        _histogram(f)


def parse(text):
    """{family name: Family}; Bad."""
    families, now, seen = {}, None, set()
    lines = text.split("\n")
    if lines[-2:] != ["# EOF", ""]:
        raise Bad("does not end with # EOF")
    for line in lines[:-2]:
        if line.startswith("#"):
            now = _meta(families, now, line)
            continue
        m = SAMPLE.match(line)
        if not m or not now or not m.group(1).startswith(now.name):
            raise Bad("sample: " + line)
        suffix, labels = m.group(1)[len(now.name):], _labels(m.group(3) or "", line)
        if suffix not in SUFFIXES[now.kind] or (m.group(2) == "{}") or (suffix == "_bucket") != ("le" in labels):
            raise Bad("sample of a %s: %s" % (now.kind, line))
        key = (m.group(1), tuple(sorted(labels.items())))
        if key in seen:
            raise Bad("twice: " + line)
        seen.add(key)
        now.samples.append((suffix, labels, float(m.group(4))))
    for f in families.values():
        _check(f)
    return families
