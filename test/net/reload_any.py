#!/usr/bin/env python3
"""A reload must end where a start with the same file ends. Random configurations in a row: one daemon goes from each to the next by
SIGHUP (and now and then a room dies about it), another is started anew with it in a network of its own that looks the same; addresses, routes, rules, interfaces, nftables,
what is on the wire and what the daemon says of itself must become equal.

    reload_any.py [--daemon CMD] [--seconds N] [--seed S] [--verbose]      (also a case of the net lane, for 25 seconds)
"""
import difflib
import json
import os
import random
import re
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE), HERE]
import by_chance  # noqa: E402
from case import case  # noqa: E402
from lab import Failure, Lab, run  # noqa: E402

INTERVAL = 0.2
SETTLE = 8 * float(os.environ.get("HOLDFAST_SLOW", "1"))
SAID = ("name", "state", "priority", "source", "vrid", "family", "version", "interface", "vmac", "socket", "advert_interval", "base_priority",
        "down_timer_adverts", "nopreempt", "strict", "accept", "preempt_delay", "auth", "group", "address", "peer", "multicast_group")
TRACKED = ("instance", "kind", "name", "weight", "reverse", "of_group", "adds", "fault", "result", "rise", "fall", "interval")


class Maker:
    """Configurations by chance, of the words an administrator would change."""

    def __init__(self, rng):
        self.rng = rng

    def some(self, share, *of):
        return [w for w in of if self.rng.random() < share]

    def one(self, *of):
        return self.rng.choice(of)

    def block(self, word, lines):
        return "%s {\n        %s\n    }" % (word, "\n        ".join(lines)) if lines else ""

    def address(self, n, k, six):
        text = "fd77:%d:%d::1/64" % (n, k) if six else "10.77.%d.%d/24" % (n, k)
        options = self.some(0.2, "label eth0:%d%d" % (n, k) if not six else "", "noprefixroute", "scope link" if not six else "",
                            "dev t0", "preferred_lft 0" if six else "", "home" if six else "", "mngtmpaddr" if six else "")
        if "dev t0" in options:
            options = [o.replace("label eth0", "label t0") for o in options]
        if "scope link" in options:  # one subnet has one scope, says the kernel
            text = text.replace("/24", "/32")
        return " ".join([text, *[o for o in options if o]])

    def route(self, n, k, six):
        if six:
            return " ".join(["fd99:%d:%d::/64 dev %s" % (n, k, self.one("eth0", "t0")), *self.some(
                0.3, "metric %d" % self.one(7, 8), "table %d" % self.one(100, 101), "mtu 1300", "protocol static", "pref high")])
        way = self.one("dev eth0", "dev t0", "via 10.77.0.3", "via 10.77.0.4 dev eth0",
                       "nexthop via 10.77.0.3 weight 2 nexthop via 10.77.0.4 weight %d" % self.one(1, 3))
        return " ".join(["10.9%d.%d.0/24" % (n, k), *self.some(0.25, "metric %d" % self.one(7, 8), "table %d" % self.one(100, 101), "mtu %d" % self.one(1300, 1400),
                                          "protocol static", "src 10.77.0.1", "advmss %d" % self.one(1000, 1100), "initcwnd 20", "quickack 1", "tos 0x10"), way])

    def rule(self, n, k, six):
        base = "from %s table %d preference %d" % ("fd98:%d::/64" % n if six else "10.8%d.0.0/16" % n, self.one(100, 101), 1000 + 10 * n + k)
        return " ".join([base, *self.some(0.25, "iif eth0", "oif t0", "fwmark %d" % self.one(5, 6), "suppress_prefixlength 0", "ipproto tcp")])

    def tracks(self):
        return [self.block("track_interface", self.some(0.4, "t0 weight %d" % self.one(-7, 9, 0), "eth1")),
                self.block("track_script", self.some(0.5, "good weight %d" % self.one(-5, 4, 0))),
                self.block("track_file", self.some(0.4, "file weight %d" % self.one(1, -1, 2)))]

    def instance(self, n, grouped):
        rng, six = self.rng, n == 3
        version = 3 if six else self.one(2, 3)
        vrid = 50 + n + 10 * self.one(0, 0, 0, 1)
        vips = [self.address(n, k, six) for k in range(100, 100 + self.one(1, 2, 3))]
        if six:
            vips.insert(0, "fe80::%d/64" % vrid)
        rng.random() < 0.3 and vips.reverse() if not six else None
        unicast = rng.random() < 0.2
        lines = ["state %s" % self.one("MASTER", "BACKUP"), "interface %s" % self.one("eth0", "eth0", "t0"), "virtual_router_id %d" % vrid,
                 "priority %d" % self.one(100, 150, 200), "advert_int %g" % (1 if version == 2 else INTERVAL), "version %d" % version,
                 self.block("virtual_ipaddress", vips),
                 self.block("virtual_ipaddress_excluded", [self.address(n, k, self.one(False, True)) for k in range(200, 200 + self.one(0, 0, 1, 2))]),
                 self.block("virtual_routes", [self.route(n, k, six) for k in range(self.one(0, 1, 3))]),
                 self.block("virtual_rules", [self.rule(n, k, six) for k in range(self.one(0, 1, 2))]),
                 self.block("unicast_peer", ["fe80::99" if six else "10.77.0.9"]) if unicast else ""]
        lines += self.some(0.12, "use_vmac", "no_accept", "dont_track_primary", "promote_secondaries", "garp_master_delay 0", "garp_master_repeat 2",
                           "garp_master_refresh 1", "lower_prio_no_advert", "higher_prio_send_advert", "down_timer_adverts 5",
                           "skip_check_adv_addr", "preempt_delay 3", "rfc_defaults", "strict_mode off", "check_unicast_src", "smtp_alert")
        if "use_vmac" in lines:
            lines += self.some(0.4, "vmac_xmit_base") + self.some(0.3, "use_vmac_addr")
            lines[lines.index("use_vmac")] = self.one("use_vmac", "use_vmac mine%d" % n, "use_vmac 02:00:5e:00:01:%02x" % vrid)
        if version == 3 and not six:
            lines += self.some(0.2, "v3_checksum_as_v2")
        if not unicast and not six:
            lines += self.some(0.15, "mcast_dst_ip 224.0.0.99", "mcast_src_ip 10.77.0.1")
        if version == 2 and not six and rng.random() < 0.4:
            lines.append(self.block("authentication", ["auth_type %s" % self.one("PASS", "AH"), "auth_pass %s" % self.one("one", "two")]))
        if not grouped:
            lines += self.tracks()
        return "vrrp_instance V%d {\n    %s\n}\n" % (n, "\n    ".join(line for line in lines if line))

    def text(self):
        rng = self.rng
        members = sorted(rng.sample((1, 2, 3), self.one(1, 2, 3)))
        grouped = len(members) > 1 and rng.random() < 0.4
        out = ["global_defs {\n    router_id LAB\n    dynamic_interfaces\n    enable_script_security\n    script_user root\n    %s\n}\n" % "\n    ".join(
            self.some(0.15, "vrrp_rfc_defaults", "nftables other", "vmac_prefix vv", "vrrp_garp_master_repeat 1", "vrrp_strict off", "default_interface t0"))]
        out.append("vrrp_script good {\n    script /bin/true\n    interval %d\n    rise %d\n}\n" % (self.one(1, 2), self.one(1, 2)))
        out.append("track_file file {\n    file ROOT/number\n    weight 1\n}\n")
        out += [self.instance(n, grouped) for n in members]
        if grouped:
            out.append("vrrp_sync_group G {\n    %s\n    %s\n}\n" % (
                self.block("group", ["V%d" % n for n in members]), "\n    ".join(t for t in self.tracks() if t)))
        if rng.random() < 0.5:
            out.append("static_ipaddress {\n    10.66.0.%d/24 dev t0 %s\n    fd66::%d/64 dev t0\n}\n" % (
                self.one(1, 2), " ".join(self.some(0.4, "scope link", "noprefixroute")), self.one(1, 2)))
        if rng.random() < 0.5:
            out.append("static_routes {\n    %s\n    %s\n}\n" % (self.route(7, 1, False), self.route(7, 2, True)))
        if rng.random() < 0.5:
            out.append("static_rules {\n    %s\n    %s\n}\n" % (self.rule(7, 1, False), self.rule(7, 2, True)))
        return "\n".join(out)


def clean(value, drop=("ifindex", "link_index", "valid_life_time", "preferred_life_time", "expires", "handle", "link_netnsid", "stats64", "cacheinfo",
                       "uptime", "linkmode", "table_handle", "used", "age")):
    if isinstance(value, dict):
        out = {k: clean(v) for k, v in value.items() if k not in drop}
        if value.get("preferred_life_time") == 0:
            out["deprecated"] = True
        return out
    if isinstance(value, list):
        return [clean(v) for v in value]
    return value


def rows(what, value):
    return sorted("%s %s" % (what, json.dumps(one, sort_keys=True)) for one in clean(value))


class Side:
    """One of the two networks, and the daemon in it."""

    def __init__(self, lane, lab):
        self.lane, self.lab, self.d = lane, lab, None
        lab.a.batch("link add t0 address 02:00:00:00:07:00 type veth peer name t1\nlink add eth1 address 02:00:00:00:07:01 type veth peer name e1\n"
                    "link set t1 up\nlink set t0 up\nlink set e1 up\nlink set eth1 up\naddr add 10.78.0.1/24 dev t0")
        with open(lab.root + "/number", "w") as f:
            f.write("3\n")

    def own(self, text):
        return text.replace("ROOT", self.lab.root)

    def start(self, text):
        self.d = self.lab.a.start(self.lane.daemon, self.own(text))

    def ip(self, *argv):
        return json.loads(run("ip", "-n", self.lab.a.ns, "-j", *argv, check=False).stdout or "[]")

    def kernel(self):
        out = []
        for link in self.ip("-d", "addr"):
            if link["ifname"] in ("lo", "e1", "t1"):
                continue
            for a in link.pop("addr_info"):
                if not (a["local"].startswith("fe80") and a.get("protocol") in ("kernel_ll", None) and not a["local"].startswith("fe80::5")):
                    out += rows("address %s" % link["ifname"], [a])
            out += rows("link", [{k: link.get(k) for k in ("ifname", "address", "flags", "mtu", "linkinfo", "link", "master")}])
        for family in "-4", "-6":
            out += rows("route" + family, [r for r in self.ip(family, "route", "show", "table", "all")
                                           if "fe80::/64" not in r.get("dst", "") and not (r.get("table") == "local" and family == "-6")
                                           and not r.get("dst", "").startswith("ff00")])
            out += rows("rule" + family, self.ip(family, "rule"))
        nft = json.loads(run("ip", "netns", "exec", self.lab.a.ns, "nft", "-j", "list", "ruleset", check=False).stdout or '{"nftables":[]}')
        for one in nft["nftables"]:
            for kind in ("set", "map"):
                if "elem" in one.get(kind, {}):
                    one[kind]["elem"] = sorted(map(json.dumps, one[kind]["elem"]))
        return out + rows("nft", [one for one in nft["nftables"] if "metainfo" not in one])

    def said(self):
        answer = json.loads(run(self.lane.holdctl, "-s", "/proc/%d/root/run/holdfast/control" % self.d.pid, "--json", "show", "vrrp",
                                check=False).stdout or "{}")
        out = rows("instance", [{k: i.get(k) for k in SAID} for i in answer.get("vrrp_instances", [])])
        return out + rows("track", [{k: t.get(k) for k in TRACKED} for t in answer.get("tracks", [])])

    def wire(self, since):
        return sorted({"advert %s" % ((f.vrid, f.priority, f.version, f.eth_src, f.src, f.dst, f.ttl, f.interval, f.vips, f.auth_type, bool(f.ah_seq), f.faults),)
                       for f in self.lab.adverts("a", since)})

    def looks(self):
        return sorted(self.kernel()) + self.said()


class Pairs:
    def __init__(self, lane, seed, seconds, say):
        self.lane, self.seed, self.rng, self.seconds, self.say = lane, seed, random.Random(seed), seconds, say
        self.step = self.crashes = 0

    def settled(self, new, old, before, text):
        if new.d.proc.poll() is not None:
            raise Failure("seed %d, step %d: no start:\n%s\n%s" % (self.seed, self.step, text, new.d.read_log()[-2500:]))
        end, first = time.monotonic() + SETTLE, True
        while True:
            one, two = new.looks(), old.looks()
            there = any(row.startswith("instance") for row in one)  # else holdctl was not answered, and nothing is compared
            if one == two and there and not any('"state": "%s"' % s in row for row in one for s in ("INIT", "BACKUP")):
                mark = time.time_ns()
                time.sleep(1.15)  # version 2 advertises once a second
                wires = [s.wire(mark) for s in (new, old)]
                if wires[0] == wires[1]:  # of those on eth0; t0's cable is not listened to
                    return
                one, two = wires
            if time.monotonic() > end and not first:
                break
            first = False
            time.sleep(0.2)
        raise Failure("seed %d, step %d: a reload (+) ends elsewhere than a start (-):\n%s\n--- before:\n%s\n--- after:\n%s\n--- log:\n%s" % (
            self.seed, self.step, "\n".join(difflib.unified_diff(one, two, "started", "reloaded", n=0, lineterm="")) or "\n".join(one),
            before, text, old.d.read_log()[-2500:]))

    def reload(self, old, text):
        """A room that dies while it prepares puts the reload off, no more."""
        old.d.reload(text)
        self.crash(old)

    def crash(self, old):
        """Every third reload meets with an accident, before, amid or after."""
        if self.rng.random() < 0.33:
            role, after = self.rng.choice(("vrrpd", "ipvsd")), self.rng.choice((0, 0.003, 0.01, 0.03, 0.3))
            time.sleep(after)
            pid = old.d.role(role)
            if pid:
                os.kill(pid, signal.SIGKILL)
                self.crashes += 1
                self.say("%s killed %g s after the reload" % (role, after))
                return True
        return False

    def run(self):
        keep = self.lane.keep and self.lane.keep + "-any"
        with Lab("a", keep_log=keep) as fresh, Lab("a", keep_log=keep) as lived:
            new, old = Side(self.lane, fresh), Side(self.lane, lived)
            make, before, end = Maker(self.rng), None, time.monotonic() + self.seconds
            while time.monotonic() < end:
                text = make.text()
                self.step += 1
                new.start(text)
                if before is None:
                    old.start(text)
                else:
                    self.reload(old, old.own(text))
                self.settled(new, old, before, text)
                self.say("step %d: %d rows" % (self.step, len(new.looks())))
                new.d.stop()
                before = text
            old.d.stop()
        return "seed %d, %d reloads, %d of them with a crash" % (self.seed, self.step - 1, self.crashes)


def start(lane, seed, seconds, say=lambda text: None):
    lane.holdctl = by_chance.holdctl(lane)
    return Pairs(lane, seed, seconds, say).run()


@case("reload-any", "random configurations in a row: a reload ends where a start with the same file ends, in the kernel, on the wire, in holdctl", limit=120)
def reload_any(lane):
    return start(lane, by_chance.chosen("RELOAD_SEED"), 25)


if __name__ == "__main__":
    sys.exit(by_chance.main("reload-any", __doc__, start))
