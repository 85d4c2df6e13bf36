#!/usr/bin/env python3
"""Corpus lane: the configuration test over configurations that people wrote. One line a file.

    run.py [--daemon PATH] [--corpus DIR] [--only PATTERN] [--show] [PATH]

PATH is build/holdfast (run with -t) or build/holdfast-conf (run with --test). broken/: the verdict of column ideal, and
the line that column diagnosis names. real/ and seeds/: exit 0 exactly when every complaint of the incumbent is of a kind
that DECISIONS.md calls a warning (KINDS), except where OVERRIDES says why not. Machine and users differ from the
set-up the verdicts were taken in; what follows from that only (a missing interface, script or user) is a warning for us.
"""
import argparse
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
NOBODY = 65534

# kind of complaint (column kinds_2.4.3) -> is it an error for us?
WARNING, ERROR = "warning", "error"
KINDS = {
    # errors: DECISIONS.md, "Errors"
    "unknown-keyword": ERROR, "keyword-option-bad": ERROR,
    "block-close-extra": ERROR, "block-close-missing": ERROR, "block-open-extra": ERROR, "block-open-missing": ERROR,
    "number-bad": ERROR, "value-bad": ERROR, "weight-bad": ERROR, "state-bad": ERROR, "advert-bad": ERROR, "auth-bad": ERROR,
    "address-bad": ERROR, "family-mix": ERROR, "interface-name-bad": ERROR, "name-missing": ERROR, "name-duplicate": ERROR,
    "parameter-missing": ERROR, "vrid-missing": ERROR, "track-ref-missing": ERROR, "script-none": ERROR,
    "strict-conflict": ERROR, "file-missing": ERROR, "file-kind": ERROR, "vrid-duplicate": ERROR, "line-too-long": ERROR,
    # warnings: DECISIONS.md, "Warnings"
    "deprecated": WARNING, "auth-too-long": WARNING, "default-used": WARNING, "state-conflict": WARNING,
    "auth-conflict": WARNING, "already-set": WARNING, "real-server-duplicate": WARNING, "vip-duplicate": WARNING,
    "parameter-extra": WARNING, "sync-group": WARNING, "sync-weight": WARNING, "vip-missing": WARNING,
    "unicast-no-peer": WARNING, "empty-block": WARNING, "interface-missing": WARNING, "interface-own": WARNING,
    "interface-clash": WARNING, "host-unresolved": WARNING, "script-missing": WARNING, "script-security": WARNING,
    "user-missing": WARNING, "quorum": WARNING, "route-untracked": WARNING, "vmac-conflict": WARNING,
    "fwmark-conflict": WARNING,
    # unsafe script under enable_script_security is class 6; the scripts of the corpus do not exist here
    "script-insecure": WARNING,
}

# "folder/file": (what we say, why)
OBSOLETE = "the only unknown keywords are obsolete ones that tutorials still carry: rows of the schema, a warning"
GARP_ZERO = "the only bad number is vrrp_garp_interval 0 and its kin: off, with a warning (D7)"
USER_ONLY = "the tracked script is defined; the incumbent dropped it because its user is missing or it is unsafe (guards fail closed)"
NO_MATCH = "the missing file is a wildcard without a match (broken/119: a warning)"
OVERRIDES = {
    **{"real/" + f + ".conf": ("pass", OBSOLETE) for f in (
        "011-systemadministrator-explain", "012-systemadministrator-keepalived-b", "014-coregear-linux", "019-dxtywt-init",
        "040-topecongiro-etc-keepalived-conf-3", "041-topecongiro-etc-keepalived-conf-local", "071-outsrkem-script",
        "085-sangrealest-shell-10-122-76-215-80", "111-ka-tests-1338", "121-ka-tests-1889")},
    "seeds/004-2-numbers-removed.conf": ("pass", OBSOLETE),
    **{"real/" + f + ".conf": ("pass", GARP_ZERO) for f in (
        "020-k8s-container-default", "062-linux-install-4ceph-rgw-fence3", "065-linux-install-rabbitmq-fence20", "084-ansible",
        "088-shidg-note-lvs-keepalived", "165-sample-installed")},
    **{"real/" + f + ".conf": ("pass", OBSOLETE + "; " + GARP_ZERO) for f in (
        "060-mx-steve-nsd01-keepalived-conf-1", "129-ka-tests-938a")},
    **{"real/" + f + ".conf": ("pass", USER_ONLY) for f in (
        "051-keepalived-tools-valid-basic", "066-linode-netv4-keepalived", "083-oracletoolbox",
        "102-highlyavailablewebserver-install-script-here")},
    "real/023-middle-conf.conf": ("pass", USER_ONLY + "; " + GARP_ZERO),
    **{"real/" + f + ".conf": ("pass", NO_MATCH) for f in ("110-ka-tests-1275", "130-ka-tests-keepalived-conf-001")},
    "real/126-ka-tests-773c.conf": ("pass", "the bad numbers only have too many decimal places: rounded, so the statement works"),
    "real/063-linux-install-keepalived-nginx-fence0.conf":
        ("pass", "every error of the incumbent comes from U+3000, which is read as a blank, with a warning"),
    "real/008-haproxy-keepalived-master.conf": ("reject", "typographic quotes around commands: DECISIONS.md calls them errors"),
}

# "accept" in column ideal means silence; these say something because DECISIONS.md, which is newer, wants it.
SPOKEN = {"broken/139-old-garp-zero.conf": "D7: accept 0 = off, with a warning"}

# What only says how this machine or this stage differs: not a complaint about the file.
ENVIRONMENT = {"HF-NOTYET", "HF-IF-MISSING", "HF-IFACE-MISSING"}


class Case:
    def __init__(self, folder, row):
        self.folder, self.row, self.name = folder, row, "%s/%s" % (folder, row["file"])

    def wanted(self):
        """'accept', 'warn' or 'reject' ('pass' = exit 0, whatever is said), and why."""
        if self.folder == "broken":
            return self.row["ideal"], "column ideal"
        if self.name in OVERRIDES:
            return OVERRIDES[self.name]
        kinds = [k for k in self.row["kinds_2.4.3"].split(",") if k]
        bad = [k for k in kinds if KINDS.get(k, "unlisted") != WARNING]
        unlisted = [k for k in bad if k not in KINDS]
        if unlisted:
            return "unlisted", "kinds not in the table: " + ",".join(unlisted)
        return ("reject", "errors: " + ",".join(bad)) if bad else ("pass", "only warnings: " + ",".join(kinds))

    def line(self):
        """What column diagnosis points at: (file or None for the file tested, line or 0)."""
        m = re.match(r"(FILE|[\w./-]+?)(?::(\d+))?: ", self.row.get("diagnosis", "") + " ")
        return (None if m[1] == "FILE" else m[1], int(m[2] or 0)) if m else None


def read_index(folder):
    path = os.path.join(folder, "index.tsv")
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        head = f.readline().rstrip("\n").split("\t")
        for text in f:
            cells = text.rstrip("\n").split("\t")
            yield dict(zip(head, cells + [""] * (len(head) - len(cells))))


def make_file(case, source, folder):
    """Copies or generates the file under test into folder; returns its name."""
    gen, name = case.row.get("gen", ""), case.row["file"]
    path = os.path.join(folder, name)
    if gen.startswith("rename:"):
        path = os.path.join(folder, gen[7:])
    if gen == "dir":
        os.mkdir(path)
    elif gen == "fifo":
        os.mkfifo(path)
    elif gen.startswith("device:"):
        return gen[7:]
    elif gen.startswith("repeat:"):
        count, char, prefix = re.match(r"repeat:(\d+):(.):(.*)", gen).groups()
        with open(os.path.join(source, name), "rb") as f, open(path, "wb") as out:
            out.write(prefix.encode() + char.encode() * int(count) + b"\n" + f.read())
    elif gen != "missing":
        shutil.copyfile(os.path.join(source, name), path)
    if gen == "unreadable":
        os.chmod(path, 0)
    elif gen.startswith("mode:"):
        os.chmod(path, int(gen[5:], 8))
    elif gen in ("", "missing") or gen.startswith(("repeat:", "rename:")):
        if gen != "missing":
            os.chmod(path, 0o644)
    return path


def everybodys(daemon, folder):
    """The daemon and its reader where nobody can start them: a build below /root is root's alone."""
    bin_ = os.path.join(folder, "bin")
    os.mkdir(bin_)
    os.chmod(bin_, 0o755)
    for program in {daemon, os.path.join(os.path.dirname(daemon), "holdfast-conf")}:
        if os.path.exists(program):
            shutil.copy(program, bin_)
            os.chmod(os.path.join(bin_, os.path.basename(program)), 0o755)
    return os.path.join(bin_, os.path.basename(daemon))


class Run:
    def __init__(self, daemon, case, path, folder):
        conf = os.path.basename(daemon) == "holdfast-conf"
        drop = case.row.get("gen") == "unreadable" and os.geteuid() == 0  # root reads everything
        argv = [everybodys(daemon, folder) if drop else daemon, "-f", path] + (["--test", "--json"] if conf else ["-t", "--json"])
        who = dict(user=NOBODY, group=NOBODY, extra_groups=[]) if drop else {}
        p = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20,
                           stdin=subprocess.DEVNULL, **who)
        self.status, self.err = p.returncode, p.stderr.decode(errors="replace")
        try:
            self.items = json.loads(p.stdout)["diagnostics"]
        except (ValueError, KeyError):
            self.items = None

    def at(self, path, line, severities):
        """Is one of these said at this place?"""
        for d in self.items:
            same = d.get("file", "") == path or d.get("file", "").endswith("/" + path)
            if d["severity"] in severities and same and d.get("line", 0) == line:
                return True
        return False

    def complaints(self):
        return [d for d in self.items if d["severity"] != "note" and d["code"] not in ENVIRONMENT]

    def summary(self):
        said = ["%s:%s %s [%s]" % (os.path.basename(d.get("file", "-")), d.get("line", "-"), d["message"], d["code"])
                for d in self.items if d["severity"] == "error"] or [d["message"] for d in self.items]
        return "exit %d; %s" % (self.status, " | ".join(said[:4]) or "nothing said")


def lean(daemon, path, folder):
    """holdfast-conf-lean says what holdfast-conf says, to the letter, or asks for it (7). None when it does."""
    def said(program):
        p = subprocess.run([program, "-f", path, "--test"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        return p.returncode, p.stderr
    whole = os.path.join(os.path.dirname(daemon), "holdfast-conf")
    one, other = said(whole + "-lean"), said(whole)
    return None if one in (other, (7, b"")) else "holdfast-conf-lean: exit %d instead of %d, or other words" % (one[0], other[0])


def judge(case, run):
    """None when the verdict is right, else why it is not."""
    want, why = case.wanted()
    if run.items is None or run.status not in (0, 4, 5, 6):
        return "exit %d, %s" % (run.status, run.err.strip()[-300:] or "no JSON")
    if want == "unlisted":
        return why
    if want == "reject" and run.status == 0:
        return "accepted, but should be rejected (%s)" % why
    if want != "reject" and run.status != 0:
        return "rejected, but should not be (%s): %s" % (why, run.summary())
    if want == "accept" and run.complaints() and case.name not in SPOKEN:
        return "not silent: " + run.summary()
    if want == "warn" and not run.items:
        return "silent, but something should be said"
    return None


def named(case, run, path):
    """Is the mistake's own line named? None: the column names none."""
    place = case.line()
    if not place or run.items is None:
        return None
    severities = ("error",) if case.row["ideal"] == "reject" else ("note", "warning", "error")
    return run.at(place[0] or path, place[1], severities)


def run_folder(o, folder, tally):
    source = os.path.join(o.corpus, folder)
    for row in read_index(source):
        case = Case(folder, row)
        if not fnmatch.fnmatch(case.name, o.only):
            continue
        with tempfile.TemporaryDirectory() as tmp:
            os.chmod(tmp, 0o755)
            if os.path.isdir(os.path.join(source, "inc")):
                shutil.copytree(os.path.join(source, "inc"), os.path.join(tmp, "inc"), copy_function=shutil.copyfile)
                os.chmod(os.path.join(tmp, "inc"), 0o755)
            path = make_file(case, source, tmp)
            try:
                run = Run(o.daemon, case, path, tmp)
                apart = lean(o.daemon, path, tmp)
            except subprocess.TimeoutExpired:
                print("FAIL %s: still running after 20 s" % case.name)
                tally[folder][1] += 1
                continue
        wrong = judge(case, run) or apart
        hit = named(case, run, path) if folder == "broken" else None
        tally[folder][bool(wrong)] += 1
        if hit is not None:
            tally["line"][not hit] += 1
        note = "" if hit is not False else " (line not named: wanted \"%s\"; %s)" % (row["diagnosis"], run.summary())
        print(("FAIL %s: %s%s" % (case.name, wrong, note)) if wrong else "PASS %s%s" % (case.name, note), flush=True)
        if o.show and run.items is not None:
            print("     " + run.summary())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("path", nargs="?")
    p.add_argument("--daemon", default=os.path.join(TOP, "build/holdfast-conf"))
    p.add_argument("--corpus", default=os.path.join(os.path.dirname(TOP), "shared/corpus"))
    p.add_argument("--only", default="*", help="pattern on folder/file")
    p.add_argument("--show", action="store_true", help="say what was said, for every file")
    o = p.parse_args()
    o.daemon = os.path.abspath(o.path or o.daemon)
    if not os.path.isdir(o.corpus):
        print("SKIP corpus: %s is not here" % o.corpus)
        return 0
    tally = {k: [0, 0] for k in ("broken", "real", "seeds", "line")}
    for folder in ("broken", "real", "seeds"):
        run_folder(o, folder, tally)
    for k in ("broken", "real", "seeds"):
        print("corpus/%s: verdict right on %d of %d" % (k, tally[k][0], sum(tally[k])))
    lines = sum(tally["line"])
    share = 100.0 * tally["line"][0] / lines if lines else 100.0
    print("corpus/broken: the mistake's own line named in %d of %d (%.1f %%)" % (tally["line"][0], lines, share))
    if lines and o.only == "*":
        print("%s lines-named: %.1f %%, wanted 95 %%" % ("PASS" if share >= 95 else "FAIL", share))
    return 1 if share < 95 or any(tally[k][1] for k in ("broken", "real", "seeds")) else 0


if __name__ == "__main__":
    sys.exit(main())
