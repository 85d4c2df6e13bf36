#!/usr/bin/env python3
"""The tools of holdctl that need neither root nor daemon: check of one and of two files, explanations, simulation, completion.

    run.py [--holdctl PROGRAM] [--only NAME,NAME]
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "test")]
from lab import Skip, check, shells, suite

SEEDS = os.path.join(TOP, "../shared/corpus/seeds")
SCRIPT = "vrrp_script chk {\n    script /bin/true\n    weight %d\n}\n"
VI = """vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority %d
    authentication {
        auth_type PASS
        auth_pass %s
    }
    virtual_ipaddress {
        192.0.2.9
    }
    track_script {
        chk
    }
}
"""


class Tools:
    def __init__(self, holdctl, folder):
        self.holdctl, self.folder = holdctl, folder

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def run(self, *args, status=0):
        p = subprocess.run([self.holdctl, *args], capture_output=True, text=True)
        check(p.returncode == status, "holdctl %s: exit status %d, not %d\n%s%s", " ".join(args), p.returncode, status, p.stdout, p.stderr)
        return p.stdout

    def json(self, *args, status=0):
        return json.loads(self.run("--json", *args, status=status))


def test_pair(t):
    """Two files that fit, and two whose passwords differ; the password is never shown."""
    a, b = t.file("a.conf", SCRIPT % -20 + VI % (100, "geheim")), t.file("b.conf", SCRIPT % -20 + VI % (90, "geheim"))
    good = t.json("check", a, b)
    check(good["findings"] == [] and [f["node"] for f in good["files"]] == ["A", "B"], "a sound pair: %s", good["findings"])
    bad = t.json("check", a, t.file("c.conf", SCRIPT % -20 + VI % (90, "anders")), status=5)
    check([f["id"] for f in bad["findings"]] == ["HL-AUTH"], "findings: %s", bad["findings"])
    check("anders" not in json.dumps(bad["findings"]), "a secret is shown")
    check("HL-AUTH" in t.run("check", a, t.folder + "/c.conf", status=5), "the text does not say it")


def test_simulate(t):
    """The weight that cannot move the VIP is found, the one that can is not; the table agrees."""
    a, b = t.file("a.conf", SCRIPT % -5 + VI % (100, "x")), t.file("b.conf", SCRIPT % -5 + VI % (90, "x"))
    weak = t.json("check", "--simulate", a, b, status=5)
    check("HS-NEVER" in [f["id"] for f in weak["findings"]], "findings: %s", weak["findings"])
    a, b = t.file("a.conf", SCRIPT % -20 + VI % (100, "x")), t.file("b.conf", SCRIPT % -20 + VI % (90, "x"))
    router = t.json("check", "--simulate", a, b)["virtual_routers"][0]
    check(router["complete"] and len(router["results"]) == 2 ** len(router["checks"]), "every combination: %s", router["results"])
    names = [c["node"] + ":" + c["name"] for c in router["checks"]]
    of = {frozenset(names[i] for i in r["failed"]): r for r in router["results"]}
    check(of[frozenset()]["master"] == "A" and of[frozenset(["A:chk"])]["master"] == "B", "masters: %s", router)
    check(of[frozenset(["A:chk"])]["priority"] == {"A": 80, "B": 90}, "priorities: %s", of)
    check(of[frozenset(["A:eth0", "B:eth0"])]["master"] is None, "nobody: %s", of)
    grouped = "vrrp_sync_group G {\n    group {\n        %s\n    }\n    track_interface {\n        eth0 weight 10\n        t0 weight 7\n    }\n}\n"
    name = re.search(r"vrrp_instance (\w+)", VI)[1]
    router = t.json("check", "--simulate", t.file("g.conf", grouped % name + SCRIPT % 0 + VI % (100, "x")))["virtual_routers"][0]
    check([r["priority"]["A"] for r in router["results"] if not r["failed"]] == [107], "the own interface has no weight: %s", router)


def test_explain(t):
    """Who runs what and why: the block's own user, script_user, the default; where it stands."""
    one = t.json("check", "--explain", t.file("e.conf", "global_defs {\n    script_user root\n}\n" + SCRIPT % 0 + VI % (100, "x")))["files"][0]["scripts"]
    check([s["user"] for s in one] == ["root"] and "script_user" in one[0]["because"] and one[0]["line"] == 2, "script_user: %s", one)
    own = (SCRIPT % 0).replace("weight 0", "user daemon")
    two = t.json("check", "--explain", t.file("e.conf", own + VI % (100, "x")))["files"][0]["scripts"]
    check(two[0]["user"] == "daemon" and "own block" in two[0]["because"], "own user: %s", two)
    three = t.json("check", "--explain", t.file("e.conf", SCRIPT % 0 + VI % (100, "x")))["files"][0]["scripts"]
    check(three[0]["user"] in ("holdfast_script", "keepalived_script") and not three[0]["root"], "the default: %s", three)


def test_plain(t):
    """As before: the verdict of holdfast -t, and its options."""
    t.run("check", t.file("p.conf", SCRIPT % 0 + VI % (100, "x")))
    t.run("check", "-f", t.file("q.conf", "vrrp_instance {\n"), status=5)
    check(t.json("check", t.folder + "/q.conf", status=5)["errors"] > 0, "JSON of -t")
    check(t.json("check", t.folder + "/p.conf", t.folder + "/q.conf", status=5)["files"][1]["diagnosis"]["errors"] > 0, "two, one of them bad")
    t.run("check", "a", "b", "c", status=2)


def test_seeds(t):
    """The tutorials' dual-master pair fits together, and no configuration of theirs breaks a tool."""
    if not os.path.isdir(SEEDS):
        return "no seeds here"
    pair = [os.path.join(SEEDS, f) for f in ("004-5-two-master.conf", "004-6-two-backup.conf")]
    check(t.json("check", "--simulate", *pair)["findings"] == [], "the pair of the tutorial")
    files = sorted(glob.glob(SEEDS + "/*.conf"))
    for f in files:
        p = subprocess.run([t.holdctl, "--json", "check", "--explain", "--simulate", f], capture_output=True, text=True)
        check(p.returncode in (0, 4, 5, 6), "%s: status %d %s", f, p.returncode, p.stderr)
        json.loads(p.stdout)
    return "%d files" % len(files)


def completes(t, shell):
    """A shell completes commands, options and words from the rows, and finds nothing to complain of without a daemon."""
    if shells.missing([shell]):
        raise Skip("%s is not installed (apt-get install %s)" % (shell, shell))
    text = t.run("completion", shell)
    rows = re.findall(r"^CMD\((\w+), \w+, \"(.*?)\", \"", open(os.path.join(TOP, "parent/ctl/commands.def")).read(), re.M)
    check(len(rows) > 8, "rows: %s", rows)

    def offered(line):
        return shells.complete(shell, text, "%s %s" % (t.holdctl, line))

    def offers(line, *words):
        check(offered(line) == sorted(words), "'%s': %s, not %s", line, offered(line), sorted(words))
    all_of_them = {w for w, _ in rows} | {"--help", "--json", "--socket"}
    check(all_of_them <= set(offered("")) | set(offered("--")), "missing: %s", all_of_them - set(offered("")))
    offers("restart ", "vrrpd", "checkd", "ipvsd")
    offers("--json -s restart stat", "status")  # a socket of a command's name is no command
    offers("-s %s restart v" % t.folder, "vrrpd")
    offers("takeover restart v")  # nor is an instance
    offers("check --sim", "--simulate")
    offers("vrrp watch l", "lo")
    check("virtual_router_id" in offered("keyword virtual_r"), "keywords: %s", offered("keyword virtual_r"))
    offers("explain ", "--json")
    offers("drain 10.")
    offers("drain 10.0.0.1 --service ")
    near = t.file("near.conf", "")
    check([os.path.basename(x) for x in offered("metrics -o " + near[:-2])] == ["near.conf"], "files: %s", offered("metrics -o " + near[:-2]))
    return "%d commands" % len(rows)


def test_completion_bash(t):
    """bash completes for real."""
    return completes(t, "bash")


def test_completion_zsh(t):
    """zsh completes for real."""
    return completes(t, "zsh")


def test_completion_fish(t):
    """fish completes for real."""
    return completes(t, "fish")


def test_keyword(t):
    """A keyword's meaning comes from its row; an unknown one is a failure."""
    out = t.run("keyword", "virtual_router_id")
    check("range 1 to 255" in out and "vrrp_instance" in out, "said: %s", out)
    t.run("keyword", "no_such_keyword", status=1)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--holdctl", default=os.path.join(TOP, "build/holdctl"))
    p.add_argument("--only", default="")
    o = p.parse_args()
    tests = [("holdctl-" + n[5:], f) for n, f in globals().items()
             if n.startswith("test_") and (not o.only or n[5:] in o.only.split(","))]
    return 1 if suite.each(tests, lambda folder: Tools(os.path.abspath(o.holdctl), folder)) else 0


if __name__ == "__main__":
    sys.exit(main())
