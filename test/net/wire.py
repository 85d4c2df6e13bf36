"""holdctl vrrp watch on real frames: senders, split brain with its cause, free VRIDs, no privilege while it listens."""
import json
import os
import time

from case import case, check
from lab import Speaker, conf, run  # noqa: F401

VIPS = ("10.77.0.100",)


def holdctl(lane):
    return os.path.join(os.path.dirname(lane.daemon[0]), "holdctl")


def watch(lane, node, seconds, status):
    """The JSON of `vrrp watch eth0`, and its exit status as wanted."""
    p = run("ip", "netns", "exec", node.ns, holdctl(lane), "vrrp", "watch", "eth0", "--json", "--seconds", str(seconds), check=False)
    check(p.returncode == status, "exit status %d, not %d: %s%s", p.returncode, status, p.stdout, p.stderr)
    return json.loads(p.stdout)


def found(answer, which):
    return [f for f in answer["findings"] if f["id"] == which]


def two_speakers(lane, one, two):
    """What is said of two who speak for VRID 51 at once."""
    with lane.lab("abw") as lab:
        speakers = [Speaker(lab, n, 0.2, vips=o.pop("vips", VIPS), **o).start() for n, o in (("a", dict(one)), ("b", dict(two)))]
        answer = watch(lane, lab.w, 2, 5)
        for s in speakers:
            s.stop()
        split = found(answer, "HW-SPLIT")
        check(len(split) == 1, "one split brain is to be found: %s", answer["findings"])
        check("SPLIT BRAIN" in split[0]["text"] and lab.a.ip in split[0]["text"] and lab.b.ip in split[0]["text"],
              "who it is: %s", split[0])
        return split[0], answer


@case("wire-split-firewall", "two masters that agree in everything: a firewall, with the lines for nft, iptables, firewalld, ufw")
def split_firewall(lane):
    split, answer = two_speakers(lane, {"priority": 200}, {"priority": 100})
    check("firewall" in split["evidence"] and "protocol 112" in split["evidence"], "cause: %s", split["evidence"])
    lines = "\n".join(split["remedy"])
    for tool in "nft ", "iptables ", "firewall-cmd ", "ufw":
        check(tool in lines, "no line for %s: %s", tool, lines)
    check(sorted(s["priority"] for s in answer["senders"]) == [100, 200], "senders: %s", answer["senders"])
    return split["text"]


@case("wire-split-causes", "two masters: other password, other version, other checksum, other addresses are named as what they are")
def split_causes(lane):
    split, _ = two_speakers(lane, {"version": 2, "auth": "1111"}, {"version": 2, "auth": "2222"})
    check("auth_pass" in split["evidence"], "password: %s", split["evidence"])
    check("1111" not in json.dumps(split), "the password is shown: %s", split)
    split, _ = two_speakers(lane, {"version": 2}, {"version": 3})
    check("version 2 and version 3" in split["evidence"] or "version 3 and version 2" in split["evidence"], "version: %s", split["evidence"])
    split, _ = two_speakers(lane, {"plain": True}, {})
    check("pseudo header" in split["evidence"] and "v3_checksum_as_v2" in "".join(split["remedy"]), "checksum: %s", split)
    split, answer = two_speakers(lane, {}, {"vips": ("10.77.0.200",)})
    check("two clusters" in split["evidence"], "clusters: %s", split["evidence"])
    check(51 not in answer["free_vrids"] and 52 in answer["free_vrids"] and len(answer["free_vrids"]) == 254, "free: %s", answer["free_vrids"])


@case("wire-healthy", "a take-over is no split brain; who speaks is named with its addresses; nothing is sent")
def healthy(lane):
    with lane.lab("abw") as lab:
        one = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=100, interval=0.2, vips=VIPS)))
        lab.wait_master("a", VIPS, 6)
        p = lab.w.spawn([holdctl(lane), "vrrp", "watch", "eth0", "--json", "--seconds", "5"], stdout=-1, text=True)
        time.sleep(1)
        with open("/proc/%d/status" % listener(lab, p)) as f:
            status = dict(line.split(":", 1) for line in f.read().splitlines())
        check(status["Uid"].split() == ["65534"] * 4 and status["Gid"].split() == ["65534"] * 4, "it runs as %s", status["Uid"])
        check(int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0 and status["NoNewPrivs"].strip() == "1", "privileges: %s", status)
        lab.b.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=0.2, vips=VIPS)))
        lab.wait_master("b", VIPS, 6)
        out, _ = p.communicate(timeout=20)
        check(p.returncode == 0, "exit status %d: %s", p.returncode, out)
        answer = json.loads(out)
        who = {s["source"]: s for s in answer["senders"]}
        check(set(who) == {lab.a.ip, lab.b.ip} and not answer["findings"], "heard: %s", out)
        b = who[lab.b.ip]
        check((b["priority"], b["version"], b["vrid"], b["vips"], b["mac"]) == (200, 3, 51, list(VIPS), lab.b.mac) and abs(b["interval"] - 0.2) < 1e-6,
              "what b says: %s", b)
        check(not lab.seen("advert", "w"), "the watcher speaks")
        one.stop()


def listener(lab, p):
    """The pid of holdctl itself, below the helpers that made its namespace."""
    from lab import descendants, process_name
    return next(pid for pid in [p.pid, *descendants(p.pid)] if process_name(pid) == "holdctl")


@case("wire-six-damaged", "IPv6 is heard; wrong checksums and a wrong TTL are warnings, with status 4")
def damaged(lane):
    from lab import packet
    with lane.lab("aw") as lab:
        s = Speaker(lab, "a", 0.2, vips=("fe80::100",))
        broken = bytearray(s.frame)
        broken[-1] ^= 1
        s.frame = bytes(broken)
        s.start()
        answer = watch(lane, lab.w, 1, 4)
        s.stop()
        check([f["id"] for f in answer["findings"]] == ["HW-CHECKSUM"] and answer["senders"][0]["family"] == 6, "IPv6: %s", answer)
        pdu = packet.advert(lab.a.ip, VIPS, version=3, vrid=7, priority=9, interval=1)
        s = Speaker(lab, "a", 0.2, vips=VIPS)
        s.frame = packet.ip_frame(lab.a.mac, lab.a.ip, pdu, ttl=254)
        s.start()
        answer = watch(lane, lab.w, 1, 4)
        s.stop()
        check([f["id"] for f in answer["findings"]] == ["HW-TTL"] and answer["senders"][0]["vrid"] == 7, "TTL: %s", answer)
