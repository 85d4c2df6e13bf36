"""holdctl against a live laboratory: every command's JSON, the two sockets and who may use them, events with replay and follow,
explanations of what support threads ask, and the screens on a real terminal (tmux).
"""
import json
import os
import re
import shutil
import signal
import subprocess
import time

from case import case, check
from lab import Skip, Speaker, conf, now, run, servers
from tracking import Files

INTERVAL = 0.2
VIP = conf.VIPS[:1]
HERE = os.path.dirname(os.path.abspath(__file__))
SECURITY = "    script_user root\n    enable_script_security\n"
SERVICE, UP, DOWN = "[10.77.0.100]:tcp:80", "[10.77.0.1]:tcp:8080", "[10.77.0.1]:tcp:8081"


class Ctl:
    """holdctl beside a daemon: in its mount namespace, where /run is its own."""

    def __init__(self, lane, d):
        self.tool, self.d = os.path.join(os.path.dirname(lane.daemon[0]), "holdctl"), d

    def argv(self, *args, who=()):
        return ["nsenter", "-t", str(self.d.pid), "-m", "--", *who, self.tool, *args]

    def run(self, *args, status=0, who=(), env=None):
        p = subprocess.run(self.argv(*args, who=who), capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                           env=dict(os.environ, **(env or {})))
        check(p.returncode == status, "holdctl %s: status %d: %s%s", " ".join(args), p.returncode, p.stdout, p.stderr)
        return p.stdout + (p.stderr if status else "")

    def json(self, *args):
        j = json.loads(self.run(*args, "--json"))
        check(j["schema"] == 1, "schema %s", j.get("schema"))
        return j

    def one(self, member, name, *args):
        found = [o for o in self.json(*args)[member] if o["name"] == name]
        check(len(found) == 1, "%d %s are called %s", len(found), member, name)
        return found[0]


def lvs(extra=""):
    server = "    real_server 10.77.0.1 %d {\n        weight 1\n%s        TCP_CHECK {\n            connect_timeout 1\n        }\n    }\n"
    return ("virtual_server 10.77.0.100 80 {\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n    delay_loop 1\n%s" % extra
            + server % (8080, "") + server % (8081, "        inhibit_on_failure\n") + "}\n")


def chk(files, weight=-20, fall=1):
    return "vrrp_script chk {\n    script \"%s\"\n    interval 1\n    weight %d\n    fall %d\n}\n" % (
        files.script("chk", "exit $(cat %s/rc)" % files.dir), weight, fall)


def all_of_it(lane, lab, fall=1, weight=-20):
    files = Files(lab)
    files.put("rc", "0")
    files.script("chk", "exit $(cat %s/rc)" % files.dir)
    text = conf.whole("vrrp_sync_group G1 {\n    group {\n        VI_1\n    }\n    sync_group_tracking_weight\n}\n", chk(files, weight, fall), lvs(),
                      conf.instance(priority=150, interval=INTERVAL, vips=VIP, extra="track_script {\n        chk\n    }"),
                      glob=SECURITY)
    d = lab.a.start(lane.daemon, text)
    lab.wait_master("a", VIP, 10)
    return Ctl(lane, d), files


def documented():
    """Member -> its fields, from doc/JSON.md."""
    out, member = {}, None
    with open(os.path.join(HERE, "../../doc/JSON.md")) as f:
        for line in f:
            m = re.match(r"### `(\w+)`", line)
            member = m.group(1) if m else member
            m = re.match(r"\| `(\w+)` \|", line)
            if m and member:
                out.setdefault(member, set()).add(m.group(1))
    return out


@case("holdctl-json", "every command's JSON against a live daemon; nothing in it that doc/JSON.md does not name", limit=90)
def holdctl_json(lane):
    with lane.lab("a") as lab:
        server = servers.listen(lab.a, 8080)
        ctl, _ = all_of_it(lane, lab)
        lab.wait(lambda: ctl.one("servers", DOWN, "status").get("state") == "DOWN", 20, "the refused server is down")
        known, seen = documented(), 0
        for args in (["status"], ["show", "vrrp"], ["show", "vrrp", "VI_1"], ["show", "vrrp", "G1"], ["show", "lvs"], ["show", "lvs", SERVICE],
                     ["show", "checks"], ["show", "scripts"], ["show", "processes"], ["show", "config"], ["explain", "VI_1"],
                     ["explain", "G1"], ["explain", SERVICE], ["explain", DOWN], ["events"]):
            for member, value in ctl.json(*args).items():
                if member in ("schema", "command"):
                    continue
                check(member in known, "%s: member %s is not documented", args, member)
                for o in value if isinstance(value, list) else [value]:
                    extra = set(o) - known[member] - {"options"}
                    check(not extra, "%s: %s has undocumented %s", args, member, extra)
                    seen += len(o)
        inst = ctl.one("instances", "VI_1", "status")
        check((inst["state"], inst["priority"], inst["vrid"], inst["interface"]) == ("MASTER", 150, 51, "eth0"), "%s", inst)
        check(abs(inst["since"] - time.time()) < 60 and "no advert heard" in inst["cause"], "%s", inst)
        check(ctl.one("groups", "G1", "status")["state"] == "MASTER", "the group is not MASTER")
        check({p["name"] for p in ctl.json("status")["processes"] if p["state"] == "started"} == {"vrrpd", "checkd", "ipvsd"}, "processes")
        v = ctl.one("vrrp_instances", "VI_1", "show", "vrrp")
        check(v["adverts_sent"] > 0 and v["address"] == list(VIP) and v["group"] == "G1", "%s", v)
        s = ctl.one("lvs_services", SERVICE, "show", "lvs")
        check((s["servers"], s["servers_alive"], s["live_weight"], s["quorum"], s["state"]) == (2, 1, 1, 1, "UP"), "%s", s)
        k = [c for c in ctl.json("show", "checks", DOWN)["checks"] if c["server"] == DOWN]
        check(len(k) == 1 and k[0]["state"] == "DOWN" and "Connection refused" in k[0]["evidence"] and k[0]["failures"] > 0, "%s", k)
        script = ctl.one("scripts", "vrrp_script chk, script", "show", "scripts")
        check(script["user"] == "root" and script["user_known"] and script["argv"][0].endswith("/chk"), "%s", script)
        obj = [o for o in ctl.json("show", "config", "VI_1")["objects"] if o["block"] == "vrrp_instance"]
        check(len(obj) == 1 and obj[0]["options"]["priority"] == "150" and obj[0]["options"]["advert_int"] == "0.200000", "%s", obj)
        check("no_such" in ctl.run("explain", "no_such", status=1), "an unknown name is not named")
        for args in (["explain", ""], ["show", "vrrp", ""]):
            check('is called ""' in ctl.run(*args, status=1), "%s: an empty name names something", args)
        ctl.run("show", "weather", status=2)
        server.close()
        return "%d values in documented places" % seen


@case("holdctl-doors", "the read-only socket: group holdfast asks and orders nothing, others neither; root orders by the other", limit=60)
def holdctl_doors(lane):
    run("getent", "group", "holdfast")
    as_group = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=holdfast", "--inh-caps=-all")
    as_nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all")
    with lane.master(interval=INTERVAL) as (lab, d):
        ctl = Ctl(lane, d)
        os.chmod(lab.root, 0o755)
        tool = "/proc/%d/root/run/holdctl" % d.pid  # where anybody may run it
        shutil.copy(ctl.tool, tool)
        ctl.tool = "/run/holdctl"
        mode = os.stat("/proc/%d/root/run/holdfast/status" % d.pid)
        check(mode.st_mode & 0o777 == 0o660, "mode %o", mode.st_mode)
        j = json.loads(ctl.run("status", "--json", who=as_group))
        check(j["instances"][0]["state"] == "MASTER" and j["vrrp_instances"], "the group sees %s", j)
        check("holdfast" in ctl.run("status", who=as_nobody, status=1), "nobody is not told what would help")
        check("root" in ctl.run("stop", who=as_group, status=1), "the group is not told who may")
        said = ctl.run("-s", "/run/holdfast/status", "reload", status=1)
        check("takes no orders" in said, "root gave an order by the read-only socket: %s", said)
        # the socket's own check, whatever the file says
        os.chmod("/proc/%d/root/run/holdfast/status" % d.pid, 0o666)
        os.chmod("/proc/%d/root/run/holdfast/control" % d.pid, 0o666)
        ctl.run("-s", "/run/holdfast/status", "status", who=as_nobody, status=1)
        ctl.run("-s", "/run/holdfast/control", "status", who=as_group, status=1)
        check("reload complete" in ctl.run("reload"), "root's reload")
        status, _ = d.stop()
        check(status == 0, "exit status %d", status)
        return "group asks, nobody does not, orders by control only"


@case("holdctl-events", "events: numbers without gaps, --since, --follow live, a thousand replayed, deaths and reloads in them", limit=90)
def holdctl_events(lane):
    with lane.lab("a") as lab:
        ctl, files = all_of_it(lane, lab)
        first = ctl.json("events")["events"]
        check([e["seq"] for e in first] == list(range(1, len(first) + 1)), "numbers %s", [e["seq"] for e in first])
        check(first[0]["kind"] == "daemon" and first[0]["what"] == "started", "%s", first[0])
        states = [(e["from"], e["to"]) for e in first if e["object"] == "VI_1" and e["what"] == "state"]
        check(states == [("INIT", "BACKUP"), ("BACKUP", "MASTER")], "%s", states)
        last = first[-1]["seq"]
        follow = subprocess.Popen(ctl.argv("events", "--follow", "--json", "--since", str(last)), stdout=subprocess.PIPE, text=True)
        files.put("rc", "1")
        prio = json.loads(follow.stdout.readline())
        while prio["what"] != "priority":
            prio = json.loads(follow.stdout.readline())
        check((prio["object"], prio["from"], prio["to"]) == ("VI_1", "150", "130") and prio["seq"] > last, "%s", prio)
        os.kill(ctl.d.role("checkd"), signal.SIGKILL)
        died = json.loads(follow.stdout.readline())
        while died["what"] != "died":
            died = json.loads(follow.stdout.readline())
        check(died["object"] == "checkd" and "signal 9" in died["cause"], "%s", died)
        ctl.run("reload")
        ctl.d.write(conf.whole("nonsense {\n}\n"))
        ctl.run("reload", status=5)
        kinds = [e["what"] for e in ctl.json("events", "--since", str(died["seq"]))["events"] if e["kind"] == "reload"]
        check(kinds == ["in_force", "refused"], "%s", kinds)
        follow.kill()
        follow.wait()
        again = ctl.json("events", "--since", "99999999")
        check(again["stream"]["restarted"] and again["events"][0]["seq"] == 1, "a number of another life: %s", again["stream"])
        return "%d events" % again["stream"]["last"]


@case("holdctl-explain", "the check failed but the VIP did not move: why, with the sum; then a rejected sender, a fault, quorum", limit=120)
def holdctl_explain(lane):
    with lane.lab("ab") as lab:
        ctl, files = all_of_it(lane, lab, fall=2)
        server = servers.listen(lab.a, 8080)
        other = lab.b.start(lane.daemon, conf.whole(conf.instance(priority=100, interval=INTERVAL, vips=VIP)))
        ctl_b = Ctl(lane, other)
        lab.wait(lambda: os.path.exists("/proc/%d/root/run/holdfast/status" % other.pid), 10, "b's socket")
        lab.wait(lambda: ctl_b.one("instances", "VI_1", "status")["state"] == "BACKUP", 10, "b is BACKUP")
        lab.wait(lambda: ctl_b.json("show", "vrrp")["senders"], 10, "b hears a")
        e = ctl_b.one("explanations", "VI_1", "explain", "VI_1")
        check(any("its priority is above ours (150 > 100)" in b for b in e["because"]), "%s", e)
        heard = [s for s in ctl_b.json("show", "vrrp")["senders"] if s["name"] == lab.a.ip]
        check(heard and heard[0]["accepted"] > 0 and heard[0]["priority"] == 150, "%s", heard)
        files.put("rc", "3")
        lab.wait(lambda: ctl.one("instances", "VI_1", "status")["priority"] == 130, 10, "the weight counts")
        j = ctl.json("explain", "VI_1")
        words = "\n".join(j["explanations"][0]["because"])
        check("150 (configured) - 20 (script chk) = 130" in words, "the sum is missing: %s", words)
        check("chk fails, and the address stays here" in words and "exit status 3" in words, "%s", words)
        check(any("weight" in a for a in j["explanations"][0]["advice"]), "no advice: %s", j["explanations"])
        a = j["arithmetic"][0]
        check((a["base"], a["added"], a["sum"], a["effective"]) == (150, -20, 130, 130), "%s", a)
        check([x["to"] for x in j["events"] if x["what"] == "state"][-1] == "MASTER", "the transitions are missing")
        # somebody speaks another version of the protocol: rejected, by reason
        stranger = Speaker(lab, "b", INTERVAL, priority=10, vips=VIP, version=2)
        lab.wait(lambda: stranger.once() and [x for x in ctl.json("show", "vrrp", "VI_1")["senders"] if x["rejected"]], 8,
                 "a rejected advert", step=0.2)
        j = ctl.json("explain", "VI_1")
        check(any("rejected from %s" % lab.b.ip in b and "version" in b for b in j["explanations"][0]["because"]), "%s", j["explanations"])
        check(j["vrrp_instances"][0]["rejected_version"] > 0, "the counter: %s", j["vrrp_instances"])
        lab.wait(lambda: ctl.one("servers", DOWN, "status").get("state") == "DOWN", 20, "the refused server is down")
        e = ctl.one("explanations", DOWN, "explain", DOWN)
        words = "\n".join(e["because"])
        check("Connection refused" in words and "inhibit_on_failure is set" in words, "%s", words)
        e = ctl.one("explanations", SERVICE, "explain", SERVICE)
        check(any(">= quorum - hysteresis" in b for b in e["because"]), "%s", e)
        lab.a.batch("link set eth0 down")
        lab.wait(lambda: ctl.one("instances", "VI_1", "status")["state"] == "FAULT", 5, "FAULT")
        e = ctl.one("explanations", "VI_1", "explain", "VI_1")
        check(any("interface eth0 is down" in b for b in e["because"]), "%s", e)
        server.close()
        return "sum, evidence, rejected sender, quorum, fault"


@case("holdctl-quiet", "twenty readers of a hundred instances at once: no advert is late, nothing is lost", alone=True, limit=60)
def holdctl_quiet(lane):
    many = [conf.instance("VI_%d" % n, n, priority=200, interval=INTERVAL, vips=("10.77.1.%d" % n,)) for n in range(1, 101)]
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, conf.whole(*many))
        ctl = Ctl(lane, d)
        lab.wait(lambda: [a for a in lab.adverts("a", 0) if a.vrid == 100], 15, "the last instance's advert")
        since = now()
        readers = [subprocess.Popen(ctl.argv("show", "vrrp", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(20)]
        good = 0
        for p in readers:
            out, err = p.communicate(timeout=40)
            good += p.returncode == 0 and len(json.loads(out)["vrrp_instances"]) == 100
        time.sleep(3 * INTERVAL)
        times = [a.ts for a in lab.adverts("a", since) if a.vrid == 1]
        longest = max(b - a for a, b in zip(times, times[1:])) / 1e6
        check(good == 20, "%d of 20 readers got all", good)
        check(longest < INTERVAL * 1e3 + 100, "an advert came %.0f ms after the last one", longest)
        return "20 readers of 100 instances; longest gap %.0f ms" % longest


@case("holdctl-terminal", "in tmux: status with colours and columns, NO_COLOR, watch redraws at an event and leaves the terminal as it was", limit=90)
def holdctl_terminal(lane):
    if not shutil.which("tmux"):
        raise Skip("tmux is not installed here (test/deps)")
    with lane.lab("a") as lab:
        ctl, files = all_of_it(lane, lab)
        sock = lab.root + "/tmux"

        def tmux(*args):
            return run("tmux", "-S", sock, "-f", "/dev/null", *args).stdout

        def screen(*args):
            return tmux("capture-pane", "-p", *args, "-t", "s")

        def typed(text):
            tmux("send-keys", "-t", "s", "-l", text)
            tmux("send-keys", "-t", "s", "Enter")

        tmux("new-session", "-d", "-s", "s", "-x", "110", "-y", "30", "env PS1='ready$ ' NO_COLOR= sh")
        try:
            line = " ".join(ctl.argv())
            typed("unset NO_COLOR; clear; stty -a | md5sum > %s/before" % lab.root)
            typed(line + " status")
            lab.wait(lambda: "VI_1" in screen(), 8, "the status on the screen")
            text = screen()
            head = [row for row in text.split("\n") if row.startswith("INSTANCE")][0]
            row = [row for row in text.split("\n") if row.startswith("VI_1")][0]
            check(head.index("STATE") == row.index("MASTER") and head.index("VRID") == row.index("51"), "columns: %s\n%s", head, row)
            check("\x1b[32mMASTER" in screen("-e"), "MASTER is not green: %r", screen("-e"))
            check(max(len(r) for r in text.split("\n")) <= 110, "a line is wider than the terminal")
            typed("clear; NO_COLOR=1 " + line + " status; echo seen-$((1+1))")  # before it is seen, what stands there is the old one
            lab.wait(lambda: "seen-2" in screen(), 8, "the status again")
            check("VI_1" in screen(), "no status: %s", screen())
            check("\x1b[32mMASTER" not in screen("-e"), "NO_COLOR is not heard")
            check("\x1b" not in ctl.run("status"), "colours in a pipe")
            typed("clear; echo marker")
            typed(line + " watch")
            lab.wait(lambda: "q leaves" in screen() and "VI_1" in screen(), 8, "watch draws")
            check("marker" not in screen(), "watch draws over what was there")
            at = time.monotonic()
            files.put("rc", "1")
            lab.wait(lambda: "130 (of 150)" in screen(), 8, "watch shows the new priority")
            took = time.monotonic() - at
            tmux("send-keys", "-t", "s", "q")
            lab.wait(lambda: "marker" in screen() and "q leaves" not in screen(), 5, "the old screen is back")
            typed("stty -a | md5sum > %s/after; echo done" % lab.root)
            lab.wait(lambda: os.path.exists(lab.root + "/after") and os.path.getsize(lab.root + "/after"), 5, "the settings")
            check(open(lab.root + "/before").read() == open(lab.root + "/after").read(), "the terminal's settings are not as before")
            check(tmux("display-message", "-p", "-t", "s", "#{cursor_flag}").strip() == "1", "the cursor stays hidden")
            return "the screen followed in %.1f s" % took
        finally:
            tmux("kill-server")
