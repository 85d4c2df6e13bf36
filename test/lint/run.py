#!/usr/bin/env python3
"""Lint lane: the rules of the house (DESIGN section 9), one test a rule. PASS rule / FAIL rule: where.

    run.py [--build DIR] [--only RULE,RULE]
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOMS = ["common", "parent", "vrrpd", "checkd", "ipvsd", "test"]
MAX_FILE, MAX_FUNCTION = 600, 60
TIDY = ",".join(["-*", "bugprone-*", "clang-analyzer-*", "misc-redundant-expression", "misc-misplaced-const",
                 "-bugprone-easily-swappable-parameters",  # (a, b) of one type is how C says it
                 "-bugprone-reserved-identifier", "-bugprone-narrowing-conversions",  # -Wconversion does it
                 "-bugprone-assignment-in-if-condition", "-bugprone-macro-parentheses",  # X macros cannot have them
                 "-bugprone-sizeof-expression",  # objects to sizeof of an array of pointers
                 "-bugprone-branch-clone",  # a switch that lists every value on purpose
                 "-bugprone-suspicious-string-compare",  # !strcmp and strncmp() == 0 are both read well here
                 "-bugprone-implicit-widening-of-multiplication-result",  # -Wconversion does it where it matters
                 "-clang-analyzer-optin.performance.Padding",
                 "-clang-analyzer-valist.Uninitialized",  # clang 14 forgets va_start when given several files
                 "-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling",  # wants memcpy_s
                 ])


def sources(*suffixes):
    """What git knows or would take: no build products."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *ROOMS], cwd=TOP, capture_output=True,
                         text=True, check=True).stdout.split("\n")
    return sorted(f for f in out if f.endswith(suffixes) and os.path.exists(os.path.join(TOP, f)))


def text(path):
    with open(os.path.join(TOP, path), errors="replace") as f:
        return f.read()


def need(tool):
    if not shutil.which(tool):
        raise RuntimeError("%s is not installed: make deps" % tool)


def rule_format(o):
    """clang-format changes nothing."""
    need("clang-format")
    bad = []
    files = sources(".c", ".h")
    p = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=TOP, capture_output=True, text=True)
    for line in p.stderr.split("\n"):
        if "error:" in line:
            bad.append(line.split(":")[0])
    bad = ["%s (%d places)" % (f, bad.count(f)) for f in sorted(set(bad))]
    return bad or ([p.stderr[-500:]] if p.returncode else [])


def rule_file_length(o):
    """No file above 600 lines."""
    return ["%s has %d lines" % (f, n) for f in sources(".c", ".h", ".py") for n in [text(f).count("\n")] if n > MAX_FILE]


def rule_function_length(o):
    """No function above 60 lines."""
    need("ctags")
    bad = []
    p = subprocess.run(["ctags", "-x", "--_xformat=%F %N %n %e", "--fields=+ne", "--kinds-C=f", *sources(".c")], cwd=TOP,
                       capture_output=True, text=True, check=True)
    for line in p.stdout.split("\n"):
        m = re.match(r"(\S+) (\S+) (\d+) (\d+)$", line)
        if m and int(m[4]) - int(m[3]) + 1 > MAX_FUNCTION:
            bad.append("%s:%s %s has %d lines" % (m[1], m[3], m[2], int(m[4]) - int(m[3]) + 1))
    return bad


def rule_preprocessor(o):
    """Conditional compilation only in common/compat.h; header guards are no conditions."""
    bad = []
    for f in sources(".c", ".h", ".def"):
        if f == "common/compat.h":
            continue
        hits = [(i + 1, line) for i, line in enumerate(text(f).split("\n")) if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line)]
        if f.endswith(".h") and hits and re.match(r"#ifndef (HOLDFAST|TEST)_\w+_H$", hits[0][1]):
            hits = hits[1:]
        bad += ["%s:%d %s" % (f, n, line.strip()) for n, line in hits]
    return bad


def rule_header_guard(o):
    """Every header has its guard."""
    return [f for f in sources(".h") if not re.search(r"^#ifndef ((?:HOLDFAST|TEST)_\w+_H)\n#define \1$", text(f), re.M)]


def rule_head_comment(o):
    """Each file begins with a comment that says what it is for."""
    return [f for f in sources(".c", ".h", ".def") if not text(f).startswith("/*")]


def rule_no_extern(o):
    """No extern variable is declared."""
    return ["%s: %s" % (f, m[0].strip()) for f in sources(".c", ".h") for m in re.finditer(r"^\s*extern\s+[^(;]*;", text(f), re.M)]


def rule_no_todo(o):
    """Nothing is left to do in a comment."""
    word = re.compile(r"\b(TODO|FIXME|XXX)\b")
    return ["%s:%d" % (f, i + 1) for f in sources(".c", ".h", ".def", ".py") if f != "test/lint/run.py"
            for i, line in enumerate(text(f).split("\n")) if word.search(line)]


def rule_tacit(o):
    """Of a keyword whose off goes without saying (KWF_TACIT) every role supposes off where it finds nothing."""
    rows = "".join(text(f) for f in sources(".def") if f.startswith("common/schema/"))
    tacit = set(re.findall(r"^KW\((\w+),.*\bKWF_TACIT\b", rows, re.M))
    off = {"false", "0", "CHECK_OLD_AUTO", "RT_SCOPE_UNIVERSE"}
    bad = [] if tacit else ["no row is tacit: this rule looks for the wrong thing"]
    for f in sources(".c"):
        for m in re.finditer(r"\b\w+\([^()]*\bKW_(\w+),\s*([^(),]+)\)", text(f)):
            if m[0].startswith(("slice_", "garp_")) and m[1] in tacit and m[2].strip() not in off and f[:5] != "test/":
                bad.append("%s: %s" % (f, " ".join(m[0].split())))
    return bad


def rule_no_typedef_struct(o):
    """Structs have no typedef."""
    return [f for f in sources(".c", ".h") if re.search(r"^typedef\s+struct\b", text(f), re.M)]


def rule_scripts(o):
    """Python compiles, shell parses."""
    bad = []
    with tempfile.TemporaryDirectory() as d:
        for f in sources(".py") + ["test/run"]:
            try:
                compile(text(f), f, "exec")
            except SyntaxError as e:
                bad.append("%s: %s" % (f, e))
    for f in [".ci/run", "test/deps"] + sources(".sh"):
        p = subprocess.run(["bash", "-n", f], cwd=TOP, capture_output=True, text=True)
        bad += [p.stderr.strip()] if p.returncode else []
    return bad


def rule_both_compilers(o):
    """The whole tree, tests included, builds without a warning with gcc and with clang."""
    bad = []
    for cc in ("gcc", "clang"):
        need(cc)
        # gcc's build is there already (-Werror let no warning pass); clang sees what it sees without optimizing
        how = ["B=" + o.build] if cc == "gcc" else ["B=" + o.build + "/lint-clang", "OPT=-O0", "HARDEN="]
        p = subprocess.run(["make", "--no-print-directory", "-k", "-j%d" % (os.cpu_count() or 1), "CC=" + cc, *how, "all", "unit-bins",
                            "sim-bin", "jail-bin"], cwd=TOP,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        bad += ["%s: %s" % (cc, line) for line in p.stdout.split("\n") if re.search(r"(error|warning|undefined reference):? ", line)]
        if p.returncode and not bad:
            bad.append("%s: make failed: %s" % (cc, p.stdout[-500:]))
    return bad


def rule_no_global(o):
    """No object file of a room defines a variable that others could see and change."""
    bad = []
    objects = sorted(glob.glob(os.path.join(TOP, o.build, "o/**/*.o"), recursive=True))
    if not objects:
        return ["no object file to look at"]
    for f in objects:
        source = os.path.relpath(f, os.path.join(TOP, o.build, "o"))[:-2] + ".c"
        if source.startswith("test/") or not os.path.exists(os.path.join(TOP, source)):  # the second: of a file since deleted
            continue
        p = subprocess.run(["nm", "-g", "--defined-only", f], capture_output=True, text=True)
        bad += ["%s: %s" % (os.path.relpath(f, TOP), m[1]) for m in re.finditer(r"^\S+ [BDCSG] (\S+)$", p.stdout, re.M)]
    return bad


def rule_cppcheck(o):
    """cppcheck finds nothing."""
    need("cppcheck")
    work = os.path.join(TOP, o.build, "cppcheck")
    shutil.rmtree(work, ignore_errors=True)  # what it kept of files as they were it takes for true, and finds ghosts
    os.makedirs(work)
    queue = ["--include=" + f for f in glob.glob("/usr/include/*/sys/queue.h") + glob.glob("/usr/include/sys/queue.h")]
    p = subprocess.run(["cppcheck", "-q", "--std=c11", "--library=" + os.path.join(TOP, "test/lint/cppcheck.cfg"), *queue, "--enable=warning,portability,performance", "--inline-suppr",
                        "-j%d" % (os.cpu_count() or 1), "--cppcheck-build-dir=" + work, "-I.", "-D_GNU_SOURCE",
                        "--suppress=missingInclude", "--suppress=*:test/*", "--template={file}:{line} {severity} {id}: {message}",
                        *[f for f in sources(".c") if not f.startswith("test/")]], cwd=TOP, capture_output=True, text=True)
    return [x for x in (p.stderr + p.stdout).split("\n") if re.match(r"\S+:\d+ ", x)]


def rule_clang_tidy(o):
    """clang-tidy's bugprone and analyzer checks find nothing in the rooms."""
    need("clang-tidy")
    flags = ["--", "-std=c17", "-D_GNU_SOURCE", "-I."]
    flags += subprocess.run(["pkg-config", "--cflags", "libnl-3.0"], capture_output=True, text=True).stdout.split()
    todo = [f for f in sources(".c") if not f.startswith("test/")]
    bad, live, used = set(), [], set()
    known = {tuple(x.strip() for x in line.split("|")[:2]) for line in text("test/lint/known.txt").split("\n")
             if "|" in line and not line.startswith("#")}
    jobs = os.cpu_count() or 1
    while todo or live:
        while todo and len(live) < jobs:
            chunk, todo = todo[:4], todo[4:]
            live.append(subprocess.Popen(["clang-tidy", "--quiet", "--checks=" + TIDY, *chunk, *flags], cwd=TOP,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        p = live.pop(0)
        for m in re.finditer(r"^(\S+):(\d+):\d+: (?:warning|error): (.*) \[([\w.,-]+)\]$", p.communicate()[0], re.M):
            file = os.path.relpath(m[1], TOP)
            if (file, m[4]) in known:
                used.add((file, m[4]))
            else:
                bad.add("%s:%s %s [%s]" % (file, m[2], m[3], m[4]))
    return sorted(bad) + ["test/lint/known.txt: %s %s is not found any more" % k for k in sorted(known - used)]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default="build")
    p.add_argument("--only", default="")
    o = p.parse_args()
    rules = [(n[5:].replace("_", "-"), f) for n, f in globals().items() if n.startswith("rule_")]
    failed = 0
    for name, fn in rules:
        if o.only and name not in o.only.split(","):
            continue
        try:
            bad = fn(o)
        except Exception as e:  # a rule that cannot look has not found everything in order
            bad = ["cannot check: %s" % e]
        failed += bool(bad)
        print("FAIL %s: %s" % (name, "; ".join(bad[:40]) + (" ... %d in all" % len(bad) if len(bad) > 40 else ""))
              if bad else "PASS %s" % name, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
