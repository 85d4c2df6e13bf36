"""Dump files: what SIGUSR1, SIGUSR2 and the JSON signal write, read the way exporters read it, next to the incumbent's own."""
import json
import os
import re
import signal
import stat
import time

from case import case, check
from lab import Skip, run

JSON_SIGNAL = signal.SIGRTMIN + 2
CLEAR_SIGNAL = signal.SIGRTMAX - 1
# what 2.4 says and Debian's 2.2.7 does not yet (reference/cli.md section 6)
NEW_STATS = {"auth_ext_missing", "auth_ext_malformed", "auth_ext_unknown_key", "auth_ext_invalid_hmac", "auth_ext_stale",
             "auth_ext_replay"}
NEW_DATA = {"track_process"}

FULL = """global_defs {
    router_id LAB
    script_user root
}
vrrp_script chk {
    script "%(dir)s/ok.sh a 'b c'"
    interval 1
    weight 5
}
vrrp_track_process ps {
    process sleep
    weight 3
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.3
    version 3
    garp_master_delay 2
    track_script {
        chk
    }
    track_interface {
        lo weight 2
    }
    track_process {
        ps
    }
    virtual_ipaddress {
        10.77.0.100/24 dev eth0 label eth0:1
        10.77.0.101
    }
    virtual_ipaddress_excluded {
        10.77.0.110/24
    }
    virtual_routes {
        10.99.0.0/24 via 10.77.0.250 dev eth0
    }
    virtual_rules {
        from 10.77.0.100 table 100 priority 1000
    }
    notify "%(dir)s/ok.sh any thing"
    notify_master "%(dir)s/ok.sh 'quoted x'"
    notify_backup %(dir)s/ok.sh
    notify_fault %(dir)s/ok.sh
    notify_stop %(dir)s/ok.sh
}
vrrp_instance VI_2 {
    state BACKUP
    interface eth0
    virtual_router_id 52
    priority 90
    advert_int 60
    version 2
    authentication {
        auth_type PASS
        auth_pass geheim12
    }
    virtual_ipaddress {
        10.77.0.120
    }
}
vrrp_instance VI_6 {
    state BACKUP
    interface eth0
    virtual_router_id 53
    priority 90
    advert_int 1
    version 3
    virtual_ipaddress {
        fe80::100
        fd77::500/64
    }
}
"""


class Dumps:
    """A daemon with a temporary directory of its own."""

    def __init__(self, lane, lab, cmd, text=FULL, name="tmp", ready=("10.77.0.100",)):
        self.lab, self.dir = lab, "%s/%s" % (lab.root, name)
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o1777)
        with open(lab.root + "/ok.sh", "w") as f:
            f.write("#!/bin/sh\nexit 0\n")
        os.chmod(lab.root + "/ok.sh", 0o755)
        self.daemon = lab.a.start(cmd, text % {"dir": lab.root}, env={"TMPDIR": self.dir})
        lab.wait(lambda: set(ready) <= set(lab.a.addresses()), 15, "the addresses")
        time.sleep(1)

    def ask(self, sig, name, folder=None):
        path = os.path.join(folder or self.dir, name)
        before = os.stat(path).st_ino if os.path.exists(path) else None
        self.daemon.signal(sig)
        self.lab.wait(lambda: os.path.exists(path) and os.stat(path).st_ino != before, 5, name)
        with open(path) as f:
            return f.read()


def shape(v):
    """Keys in order, types, nesting; strings and numbers stand for themselves by kind. Whole and broken numbers are one type."""
    if isinstance(v, dict):
        return {k: shape(x) for k, x in v.items()}
    if isinstance(v, list):
        return [shape(v[0])] if v else []
    return "number" if isinstance(v, (int, float)) and not isinstance(v, bool) else type(v).__name__


def same_shape(ours, theirs, extra, where):
    """Their keys in their order, of their types; ours besides only those of extra."""
    check(isinstance(ours, dict) == isinstance(theirs, dict), "%s: %s", where, ours)
    check([k for k in ours if k in theirs] == list(theirs), "%s: keys %s, theirs %s", where, list(ours), list(theirs))
    check(set(ours) - set(theirs) <= extra, "%s: more keys: %s", where, set(ours) - set(theirs))
    for k, t in theirs.items():
        check(ours[k] == t, "%s.%s is %s, theirs %s", where, k, ours[k], t)


def incumbents(lane):
    if not lane.incumbent:
        raise Skip("the incumbent is not installed")
    with lane.lab("a") as lab:
        d = Dumps(lane, lab, lane.incumbent)
        asked = (JSON_SIGNAL, "keepalived.json"), (signal.SIGUSR2, "keepalived.stats"), (signal.SIGUSR1, "keepalived.data")
        for sig, name in asked:
            d.ask(sig, name)
        time.sleep(0.5)  # it writes into the file where it stands; ours is there whole or not at all
        return [open(os.path.join(d.dir, name)).read() for _, name in asked]


@case("dump-json-incumbent", "JSON: the incumbent's keys, order, types and nesting for the same configuration, its values where both know them", limit=120)
def json_incumbent(lane):
    theirs = json.loads(incumbents(lane)[0])
    with lane.lab("a") as lab:
        text = Dumps(lane, lab, lane.daemon).ask(JSON_SIGNAL, "keepalived.json")
        root = lab.root
    check(not re.search(r'[\n\t]|": |", "', text), "not compact: %s", text[:200])
    ours = json.loads(text)
    check(isinstance(ours, list) and len(ours) == len(theirs) == 3, "%d instances", len(ours))
    for o, t in zip(ours, theirs):
        check(list(o) == ["data", "stats"], "parts %s", list(o))
        same_shape(shape(o["data"]), shape(t["data"]), NEW_DATA, t["data"]["iname"] + ".data")
        same_shape(shape(o["stats"]), shape(t["stats"]), NEW_STATS, t["data"]["iname"] + ".stats")
        free = {"effective_priority",  # theirs knows of a tracked process only a while after its start
                "last_transition", "auth_data", "vroutes", "vrules", "master_priority", "garp_lower_prio_delay"}
        for k in set(t["data"]) - free:
            mine, his = json.dumps(o["data"][k]), re.sub(r"/[^' ]*/ok", root + "/ok", json.dumps(t["data"][k]))
            check(mine == his, "%s.%s: %s, theirs %s", t["data"]["iname"], k, mine, his)
    check(ours[1]["data"]["auth_data"] == "********" and "geheim" not in text, "the password is shown")
    return "%d keys of an instance compared" % len(theirs[0]["data"])


@case("dump-json-2", "json_version 2: the instances in an object, tracked processes beside them")
def json_two(lane):
    with lane.lab("a") as lab:
        d = Dumps(lane, lab, lane.daemon, FULL.replace("script_user root", "script_user root\n    json_version 2"))
        ours = json.loads(d.ask(JSON_SIGNAL, "keepalived.json"))
        check(list(ours) == ["vrrp", "track_process"], "parts %s", list(ours))
        check([x["data"]["iname"] for x in ours["vrrp"]] == ["VI_1", "VI_2", "VI_6"], "instances")
        p = ours["track_process"][0]
        check(list(p) == ["process", "parameters", "param_match", "min_processes", "max_processes", "current_processes", "have_quorum",
                          "weight", "terminate_delay", "fork_delay", "fork_delay_timer_running", "terminate_delay_timer_running",
                          "full_command"], "keys %s", list(p))
        check(p["process"] == "sleep" and p["weight"] == 3 and isinstance(p["have_quorum"], bool), "process %s", p)


# ---- the way a public exporter (mehdy/keepalived-exporter) reads the text files: its rules, in our words
def exporter_data(text):
    out, at, key = {}, None, ""
    for line in text.split("\n"):
        if line.startswith(" VRRP Instance") and "=" in line:
            at = out[line.split("=")[1].strip()] = {"VIPs": []}
        elif line.startswith("   ") and at is not None:
            if line.startswith("     "):
                value = line.strip()
            elif "=" in line or ":" in line:
                parts = line.strip().split("=" if "=" in line else ":")
                key, value = parts[0].strip(), parts[1].strip()
                if key == "Virtual IP":
                    continue
            else:
                continue
            if (key.startswith("Virtual IP (") or key == "Virtual IP") and value:
                at["VIPs"].append(value)
            if key in ("State", "Wantstate"):
                at[key] = ["INIT", "BACKUP", "MASTER", "FAULT"].index(value)
            if key in ("Interface", "Listening device"):
                at["Interface"] = value
            if key in ("Gratuitous ARP delay", "Virtual Router ID"):
                at[key] = int(value)
        elif not line.startswith((" VRRP Version", " VRRP Script")):
            at = None
    return out


def exporter_scripts(text):
    out, at = {}, None
    for line in text.split("\n"):
        if line.startswith(" VRRP Script") and "=" in line:
            at = out[line.split("=")[1].strip()] = {}
        elif line.startswith("   ") and at is not None:
            if "=" in line:
                key, value = line.strip().split("=")[:2]
                if key.strip() in ("Status", "State"):
                    at[key.strip()] = value.strip()
        else:
            at = None
    return out


def exporter_stats(text):
    out, at, section = {}, None, ""
    for line in text.split("\n"):
        if line.startswith("VRRP Instance") and ":" in line:
            at = out[line.split(":")[1].strip()] = {}
        elif line.startswith("  ") and line.endswith(":"):
            section = line.strip()[:-1]
        elif line.startswith("    ") and section:
            key, value = line.strip().split(":")
            at[section + "/" + key] = int(value)
        elif line.startswith("  "):
            key, value = line.strip().split(":")
            section, at[key] = "", int(value)
    return out


@case("dump-exporter", "keepalived.data and .stats, read by the rules of a public exporter: the same instances, addresses, scripts and counters as the incumbent's", limit=120)
def exporter(lane):
    _, their_stats, their_data = incumbents(lane)
    with lane.lab("a") as lab:
        d = Dumps(lane, lab, lane.daemon)
        data, stats = d.ask(signal.SIGUSR1, "keepalived.data"), d.ask(signal.SIGUSR2, "keepalived.stats")
        for name in ("keepalived_parent.data", "keepalived.data"):
            check(stat.S_IMODE(os.stat(d.dir + "/" + name).st_mode) == 0o600, "mode of %s", name)
        check("geheim" not in data and "geheim" not in open(d.dir + "/keepalived_parent.data").read(), "the password is shown")
    check(exporter_data(data) == exporter_data(their_data), "data: %s, theirs %s", exporter_data(data), exporter_data(their_data))
    check(exporter_scripts(data) == exporter_scripts(their_data) == {"chk": {"Status": "GOOD", "State": "idle"}}, "scripts: %s",
          exporter_scripts(data))
    check("Command = '%s/ok.sh' 'a' 'b c'" % lab.root in data, "the command of the script")
    ours, theirs = exporter_stats(stats), exporter_stats(their_stats)
    check(list(ours) == list(theirs), "instances %s", list(ours))
    for name in theirs:
        mine = [k for k in ours[name] if not k.startswith("Authentication Extension")]
        check(mine == list(theirs[name]), "counters %s, theirs %s", mine, list(theirs[name]))


@case("dump-places", "state_dump_file, stats_dump_file, json_dump_file, data_use_instance, umask; SIGRTMAX-1 clears the counters")
def places(lane):
    with lane.lab("a") as lab:
        os.mkdir(lab.root + "/state")
        more = ("script_user root\n    state_dump_file %(dir)s/state/\n    stats_dump_file my.stats\n    json_dump_file %(dir)s/state/all.json\n"
                "    data_use_instance\n    umask 0137")
        d = Dumps(lane, lab, lane.daemon, "instance lab1\n" + FULL.replace("script_user root", more))
        d.ask(signal.SIGUSR1, "keepalived.lab1.data", lab.root + "/state")
        d.ask(signal.SIGUSR1, "keepalived_parent.lab1.data", lab.root + "/state")
        json.loads(d.ask(JSON_SIGNAL, "all.json", lab.root + "/state"))
        first = exporter_stats(d.ask(CLEAR_SIGNAL, "my.stats"))
        check(first["VI_1"]["Advertisements/Sent"] > 2, "sent %s", first)
        second = exporter_stats(d.ask(signal.SIGUSR2, "my.stats"))
        check(second["VI_1"]["Advertisements/Sent"] < first["VI_1"]["Advertisements/Sent"], "not cleared: %s", second)
        check(stat.S_IMODE(os.stat(lab.root + "/state/all.json").st_mode) == 0o640, "umask")
        left = os.listdir(d.dir) + os.listdir(lab.root + "/state")
        check(sorted(left) == sorted(["my.stats", "all.json", "keepalived.lab1.data", "keepalived_parent.lab1.data"]), "left: %s", left)


@case("dump-safe", "a link or a directory where a dump belongs is not followed; what is in the way is named; reload moves the files")
def safe(lane):
    with lane.lab("a") as lab:
        victim = lab.root + "/victim"
        with open(victim, "w") as f:
            f.write("precious")
        d = Dumps(lane, lab, lane.daemon)
        for name in ("keepalived.json", "keepalived.data", "keepalived_parent.data"):
            os.symlink(victim, d.dir + "/" + name)
        json.loads(d.ask(JSON_SIGNAL, "keepalived.json"))
        d.ask(signal.SIGUSR1, "keepalived.data")
        for name in ("keepalived.json", "keepalived.data", "keepalived_parent.data"):
            check(not os.path.islink(d.dir + "/" + name), "%s is still the link", name)
        check(open(victim).read() == "precious", "the link was followed")
        os.mkdir(d.dir + "/keepalived.stats")
        d.daemon.signal(signal.SIGUSR2)
        lab.wait(lambda: "keepalived.stats cannot be written" in d.daemon.read_log(), 5, "the complaint")
        check([x for x in os.listdir(d.dir) if x.startswith(".")] == [], "temporary files stay: %s", os.listdir(d.dir))
        d.daemon.reload((FULL % {"dir": lab.root}).replace("script_user root", "script_user root\n    json_dump_file elsewhere.json"))
        lab.wait(lambda: d.daemon.signal(JSON_SIGNAL) and os.path.exists(d.dir + "/elsewhere.json"), 10, "the file at its new place", 0.3)


@case("dump-signum", "--signum names the numbers the incumbent names")
def signum(lane):
    for word, number in (("DATA", 10), ("STATS", 12), ("STATS_CLEAR", 63), ("JSON", 36), ("STOP", 15), ("RELOAD", 1)):
        p = run(lane.daemon[0], "--signum=" + word, check=False)
        check(p.returncode == 0 and p.stdout.strip() == str(number), "%s: %s", word, p.stdout)
    check(run(lane.daemon[0], "--signum=NONSENSE", check=False).returncode == 1, "a word nobody knows")
