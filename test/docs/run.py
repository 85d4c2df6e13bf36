#!/usr/bin/env python3
"""The documents cannot rot: what README.md, CHANGELOG.md, doc/*.md and the manual pages name exists, configurations in them are accepted,
commands in them run.

    run.py [--build DIR] [--only NAME,NAME]

In the documents: ```conf is a whole configuration (holdfast -t accepts it); ```sh run is executed, each line with its exit status (0, or what
"# status N" says at its end); ```sh lab the same beside a daemon with the configuration block above it. Any other ```sh is read only: commands,
options and targets in it exist. What a line needs is made here: eth0, eth1, /etc/keepalived/keepalived.conf, lvs1.conf and lvs2.conf (README's
first configuration and the same as BACKUP), all in namespaces that are gone afterwards.
"""
import argparse
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(TOP, "test")]
from lab import Failure, Skip, check, suite  # noqa: E402

ROOMS = "common|parent|vrrpd|checkd|ipvsd|test|doc|etc"
LANES = ("net", "jail", "script", "unit", "fuzz", "chaos", "tools")
ID = "lvs1"  # the machine the documents are read on
WORLD = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /etc/keepalived
ip link set lo up
for i in 0 1; do
    ip link add eth$i type veth peer name far$i
    ip link set eth$i up
    ip link set far$i up
done
ip addr add 192.168.65.11/24 dev eth0
ip addr add 10.0.0.11/24 dev eth1
cp main.conf /etc/keepalived/keepalived.conf
"""
DAEMON = """
holdfast -n -l -G -i %s >log 2>&1 &
daemon=$!
for n in $(seq 100); do
    if holdctl status >/dev/null 2>&1; then break; fi
    kill -0 $daemon || { cat log; exit 99; }
    sleep 0.1
done
"""
AFTER = """
kill -TERM $daemon
wait $daemon
"""


def nothing(bad):
    check(not bad, "%s", "; ".join(bad))


def text(path):
    with open(os.path.join(TOP, path), errors="replace") as f:
        return f.read()


def files(pattern):
    return sorted(os.path.relpath(p, TOP) for p in glob.glob(os.path.join(TOP, pattern)))


def documents():
    return ["README.md", "CHANGELOG.md", *files("doc/*.md")]


def blocks(path):
    """(line, words behind the fence, text) of each fenced block."""
    at, info, got = 0, None, []
    for n, line in enumerate(text(path).split("\n"), 1):
        if not line.startswith("```"):
            got.append(line)
        elif info is None:
            at, info, got = n, line[3:].split(), []
        else:
            yield at, info, "\n".join(got) + "\n"
            info = None
    check(info is None, "%s:%d: the block does not end", path, at)


def prose(path):
    return re.sub(r"^```.*?^```$", "", text(path), flags=re.M | re.S)


def spans(path):
    """Everything in backticks outside blocks."""
    return re.findall(r"`([^`\n]+)`", prose(path))


def shell_lines(path):
    for at, info, body in blocks(path):
        if info[:1] == ["sh"]:
            for n, line in enumerate(body.split("\n"), at + 1):
                if line.strip():
                    yield n, line.split("  #")[0].split(" # ")[0].strip()


class Docs:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.env = dict(os.environ, PATH=build + ":/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL="C.UTF-8")

    def run(self, *argv, **kw):
        return subprocess.run(argv, capture_output=True, text=True, env=self.env, timeout=60, **kw)

    def write(self, name, body):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(body)
        os.chmod(path, 0o644)
        return path


def schema_rows():
    """(name, kind) of every keyword, read independently of the C preprocessor."""
    for f in files("common/schema/*.def"):
        for m in re.finditer(r'^KW\(\w+, "([^"]*)", (KIND_\w+),', text(f), re.M):
            yield m[1], m[2]


def commands():
    return dict(re.findall(r'^CMD\((\w+), \w+, "(.*?)", "', text("parent/ctl/commands.def"), re.M))


def test_configurations(t):
    """Every configuration in the documents is accepted, on the one machine and on the other."""
    bad, n = [], 0
    for path in documents():
        for at, info, body in blocks(path):
            if info != ["conf"]:
                if re.search(r"^\s*(vrrp_instance|virtual_server) .*\{", body, re.M):
                    bad.append("%s:%d: a configuration that is not marked as conf" % (path, at))
                continue
            conf = t.write("block.conf", body)
            for who in (ID, "other"):
                n += 1
                p = t.run("holdfast", "-t", "-i", who, "-f", conf)
                if p.returncode:
                    bad.append("%s:%d: status %d\n%s" % (path, at, p.returncode, (p.stdout + p.stderr)[-1500:]))
    nothing(bad)
    check(n >= 10, "only %d seen", n)
    return "%d" % n


def judge_command(words, rows, options, targets):
    """What is wrong with the words of one command line, or None."""
    if words[0] == "sudo":
        words = words[1:]
    if words[:1] == ["holdctl"]:
        words = [w for w in words[1:] if w != "--json"]
        if not words or words[0] not in rows:
            return "holdctl has no such command" if words and not words[0].startswith("-") else None
        unknown = [w for w in words[1:] if re.match(r"--?\w", w) and w not in rows[words[0]] and words[0] != "check"]
        return "unknown option %s" % unknown[0] if unknown else None
    if words[:1] == ["holdfast"]:
        unknown = [w for w in words[1:] if w.startswith("-") and w.split("=")[0] not in options]
        return "unknown option %s" % unknown[0] if unknown else None
    if words[:1] == ["make"]:
        unknown = [w for w in words[1:] if re.match(r"[a-z]+$", w) and w not in targets]
        return "no target %s" % unknown[0] if unknown else None
    return None


def split(line):
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def test_commands(t):
    """holdctl's commands and options, the daemon's options and make's targets that are named exist."""
    helped = t.run("holdfast", "--help")
    options = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", helped.stdout + helped.stderr))
    targets = set(re.search(r"^\.PHONY:(.*)$", text("Makefile"), re.M)[1].split())
    rows, bad, n = commands(), [], 0
    check(len(options) > 40 and len(targets) > 10, "%d options, %d targets", len(options), len(targets))
    for path in documents():
        for where, line in [*shell_lines(path), *((0, s) for s in spans(path))]:
            for part in re.split(r"; |&& ", line):
                words = split(part)
                if words and words[0] in ("sudo", "holdctl", "holdfast", "make"):
                    n += 1
                    why = judge_command(words, rows, options, targets)
                    if why:
                        bad.append("%s:%d: %s: %s" % (path, where, part, why))
    nothing(bad)
    check(n > 40, "only %d seen", n)
    check(judge_command(split("holdctl reload --later"), rows, options, targets), "an unknown option is not seen")
    return "%d" % n


def script_of(body):
    """A shell script that runs line by line and stops at the first whose status is another."""
    out = []
    for line in body.split("\n"):
        m = re.search(r"# status (\d+)\s*$", line)
        if line.strip():
            out.append("set +e\n%s\ngot=$?\nset -e\n[ $got = %s ] || { echo \"status $got of: \"%s; exit 98; }" % (
                line, m[1] if m else 0, shlex.quote(line)))
    return "\n".join(out) + "\n"


def play(t, where, conf, body, daemon):
    first = next(b for _, info, b in blocks("README.md") if info == ["conf"])
    t.write("main.conf", conf)
    t.write("lvs1.conf", first)
    t.write("lvs2.conf", first.replace("state MASTER", "state BACKUP").replace("priority 150", "priority 100"))
    script = WORLD + (DAEMON % ID if daemon else "") + script_of(body) + (AFTER if daemon else "")
    p = t.run("unshare", "-n", "-m", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script, cwd=t.folder)
    log = os.path.join(t.folder, "log")
    said = open(log).read()[-1500:] if daemon and os.path.exists(log) else ""
    check(p.returncode == 0, "%s: status %d\n%s%s%s", where, p.returncode, p.stdout[-2000:], p.stderr[-2000:], said)


def test_examples(t):
    """What is marked as runnable runs, beside a daemon where it says so."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    if not os.path.isdir("/etc/keepalived"):
        raise Skip("there is no /etc/keepalived to mount the examples on")
    lines = 0
    for path in documents():
        conf = None
        for at, info, body in blocks(path):
            if info == ["conf"]:
                conf = body
            elif info[:1] == ["sh"] and len(info) > 1:
                check(info[1] in ("run", "lab"), "%s:%d: what is \"%s\"?", path, at, " ".join(info))
                fallback = next(b for _, i, b in blocks("README.md") if i == ["conf"])
                play(t, "%s:%d" % (path, at), conf or fallback, body, info[1] == "lab")
                lines += len([x for x in body.split("\n") if x.strip()])
    check(lines >= 8, "only %d lines are executed", lines)
    try:
        play(t, "control", fallback, "holdctl explain nobody\n", True)
    except Failure:
        return "%d lines" % lines
    raise Failure("a line that fails is not noticed")


def test_links(t):
    """Links, paths and source files that are named exist."""
    known = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, capture_output=True, text=True).stdout.split("\n")
    names = {os.path.basename(f) for f in known}
    bad, n = [], 0
    for path in documents():
        for target in re.findall(r"\]\(([^)#:]+)\)", prose(path)):
            n += 1
            if not os.path.exists(os.path.join(TOP, os.path.dirname(path), target)):
                bad.append("%s: link to %s" % (path, target))
        for span in spans(path):
            for word in re.split(r"[\s,;:]+", "" if span.startswith("/") else span):
                if re.match(r"(%s)/[\w./*-]+$" % ROOMS, word):
                    n += 1
                    if not glob.glob(os.path.join(TOP, word)) and not is_test(t, word):
                        bad.append("%s: there is no %s" % (path, word))
                elif re.match(r"[\w]+\.(c|h|def|py)$", word):
                    n += 1
                    if word not in names:
                        bad.append("%s: no file is called %s" % (path, word))
    nothing(bad)
    check(n > 60, "only %d seen", n)
    return "%d" % n


def test_functions(t):
    """Functions that are named exist, in the file that the line names before them."""
    sources = {f: text(f) for room in ROOMS.split("|") for f in files(room + "/**/*.[ch]") + files(room + "/*.[ch]") + files(room + "/*/*.c")}
    bad, n = [], 0
    for path in documents():
        for line in prose(path).split("\n"):
            here = None
            for span in re.findall(r"`([^`]+)`", line):
                if span in sources:
                    here = span
                m = re.match(r"(\w+)\(\)$", span)
                if not m:
                    continue
                n += 1
                define = re.compile(r"^[a-z][\w ]*[ *]%s\([^;]*?\)\n\{" % m[1], re.M | re.S)
                if not any(define.search(s) for f, s in sources.items() if f.endswith(".c")):
                    bad.append("%s: %s is nowhere" % (path, span))
                elif here and not define.search(sources[here]) and not re.search(r"`; |`\), ", line):
                    bad.append("%s: %s is not in %s" % (path, span, here))
    nothing(bad)
    check(n > 40, "only %d seen", n)
    return "%d" % n


def net_cases():
    p = subprocess.run([sys.executable, os.path.join(TOP, "test/net/run.py"), "--list"], capture_output=True, text=True, check=True)
    return {line.split()[0] for line in p.stdout.split("\n") if line.strip()}


def is_test(t, name):
    lane, _, rest = name.partition("/")
    if lane not in LANES or not rest:
        return False
    if lane == "net":
        t.net = getattr(t, "net", None) or net_cases()
        return rest in t.net
    if lane == "fuzz":
        return os.path.exists(os.path.join(TOP, "test/fuzz/fuzz_%s.c" % rest))
    if lane == "unit":
        f, _, fn = rest.partition("/")
        f = "test/unit/%s.c" % f
        return os.path.exists(os.path.join(TOP, f)) and (not fn or re.search(r"cmocka_unit_test\w*\(%s\b" % fn, text(f)) is not None)
    if lane == "tools":
        return re.match(r"holdctl-\w+$", rest) is not None and "def test_%s(" % rest[8:] in text("test/tools/run.py")
    if lane == "script":
        return "\n@case\ndef %s(" % rest.replace("-", "_") in text("test/script/run.py")
    if lane == "chaos":
        return any(re.search(r'"%s-|def %s\(' % (re.escape(rest), rest.replace("-", "_")), text(f)) for f in files("test/chaos/*.py"))
    role, _, what = rest.partition("/")  # jail
    if role not in ("vrrpd", "checkd", "ipvsd", "conf", "parent", "house", "control"):
        return False
    general = re.sub(r"\b(vrrpd|checkd|ipvsd)\b", "%s", what)
    return any(s in text(f) for f in files("test/jail/*.[cp]*") for s in ('"%s"' % what, "ROW(%s," % what, '/%s"' % general, '/%s"' % what))


def test_tests(t):
    """Tests that are named exist: every claim of the security model has at least one."""
    bad, n = [], 0
    for path in documents():
        for span in spans(path):
            if re.match(r"(%s)/[\w.-]+(/[\w.-]+)?$" % "|".join(LANES), span):
                n += 1
                if not is_test(t, span):
                    bad.append("%s: there is no test %s" % (path, span))
    nothing(bad)
    check(n > 60, "only %d seen", n)
    check(not is_test(t, "net/no-such-test") and not is_test(t, "jail/vrrpd/no_such") and not is_test(t, "unit/test_slice/nothing"), "anything is a test")
    return "%d" % n


def pages(t):
    got = sorted(glob.glob(os.path.join(t.build, "man", "*.[158]")))
    want = ["genhash.1", "holdctl.8", "holdfast.8", "holdfast.conf.5", *("%s.8" % p for p in beside(t))]
    check([os.path.basename(p) for p in got] == sorted(want), "pages: %s", got)
    return got


def beside(t):
    """The programs beside the daemon that this build has."""
    return [p for p in ("holdfast-dbus", "holdfast-metrics", "holdfast-snmp") if os.path.exists(os.path.join(t.build, p))]


def test_man_clean(t):
    """mandoc and groff find nothing to complain about in the manual pages."""
    bad, tools = [], [x for x in ("mandoc", "groff") if shutil.which(x)]
    if not tools:
        raise Skip("neither mandoc nor groff is installed: make deps")
    for page in pages(t):
        if "mandoc" in tools:
            p = t.run("mandoc", "-Tlint", "-Wwarning", page)
            bad += [p.stdout[:1500]] if p.returncode or p.stdout else []
        if "groff" in tools:
            p = t.run("groff", "-ww", "-man", "-mdoc", "-Tutf8", page)
            bad += [p.stderr[:1500]] if p.stderr else []
        if "@" in re.sub(r"@\^?ID", "", open(page).read()):
            bad.append(page + ": a mark was not replaced")
    nothing(bad)
    return " ".join(tools)


def test_man_whole(t):
    """Every keyword, command, option and none else of what the programs know stands in their pages."""
    page = {os.path.basename(p): open(p).read().replace("\\&", "").replace("\\e", "\\") for p in pages(t)}
    said = [m for m in re.findall(r'^\.It (?:Ic|Ar) "((?:[^"]|"")*)"', page["holdfast.conf.5"], re.M)]
    want = {name for name, kind in schema_rows() if name and kind != "KIND_DERIVED"}
    nothing(["holdfast.conf(5) lacks %s" % sorted(want - set(said))] if want - set(said) else [])
    check(len(want) > 500, "only %d keywords", len(want))
    nothing(["holdctl(8) lacks %s" % w for w in commands() if '.It Ic "%s"' % w not in page["holdctl.8"]])
    p = t.run("holdfast", "--help")
    nothing(["holdfast(8) lacks --%s" % w for w in re.findall(r"(?<!\w)--([a-z][\w-]*)", p.stdout + p.stderr) if "Fl -%s" % w not in page["holdfast.8"]])
    p = t.run("genhash", "--help")
    options = re.findall(r"^  -(\w), --([\w-]+)", p.stdout + p.stderr, re.M)
    check(len(options) > 8, "genhash: %s", options)
    nothing(["genhash(1) lacks -%s" % s for s, w in options if ".It Fl %s , Fl -%s" % (s, w) not in page["genhash.1"]])
    for name in beside(t):
        p = t.run(name, "--help")
        said = page[name + ".8"]
        options = re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", p.stdout, re.I)
        check(len(options) >= 2, "%s: %s", name, p.stdout)
        nothing(["%s(8) lacks %s" % (name, w) for w in options if not re.search(r"Fl %s\b" % re.escape(w[1:]), said)])
    return "%d keywords" % len(want)


def test_index(t):
    """doc/README.md lists every document, README.md leads there; doc/JSON.md has what holdctl schema prints."""
    index = text("doc/README.md")
    nothing(["doc/README.md does not list " + f for f in files("doc/*.md") if f != "doc/README.md" and "(%s)" % f[4:] not in index])
    check("doc/README.md" in text("README.md"), "README.md does not lead to doc/README.md")
    told = " ".join(spans("README.md"))
    nothing(["README.md does not name holdctl " + w for w in commands() if not re.search(r"(?<![\w-])%s(?![\w-])" % w, told)])
    p = t.run("holdctl", "schema")
    check(len(p.stdout) > 1000 and p.stdout in text("doc/JSON.md"), "doc/JSON.md does not contain what holdctl schema prints")


def test_in_force(t):
    """README.md and CHANGELOG.md say "Not yet: A, B." of exactly the keywords that the schema calls so."""
    rows = {m[1] for f in files("common/schema/*.def") for m in re.finditer(r'^KW\(\w+, "([^"]*)", .*KWF_NOTYET', text(f), re.M)}
    for path in ("README.md", "CHANGELOG.md"):
        said = {x.strip(" `") for m in re.findall(r"^Not yet: ([^.]*)\.", text(path), re.M) for x in m.split(",")}
        check(said == rows, "%s: not yet are %s, and it says %s", path, sorted(rows) or "none", sorted(said) or "none")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default=os.path.join(TOP, "build"))
    p.add_argument("--only", default="")
    o = p.parse_args()
    tests = [("docs-" + n[5:].replace("_", "-"), f) for n, f in globals().items()
             if n.startswith("test_") and (not o.only or n[5:] in o.only.split(","))]
    return 1 if suite.each(tests, lambda folder: Docs(os.path.abspath(o.build), folder)) else 0


if __name__ == "__main__":
    sys.exit(main())
