"""holdctl realserver: what the tutorials' realserver.sh does, twice without harm, and all of it undone."""
import json
import os
import socket

from case import case, check
from lab import in_netns, run

VIP, VIP2, VIP6 = "10.77.0.200", "10.77.0.201", "fd77::200"
KNOBS = {"all/arp_ignore": 0, "all/arp_announce": 1, "lo/arp_ignore": 0, "lo/arp_announce": 0}


def realserver(lane, node, *words, status=0):
    tool = os.path.join(os.path.dirname(lane.daemon[0]), "holdctl")
    p = run("ip", "netns", "exec", node.ns, tool, "--json", "realserver", *words, check=False)
    check(p.returncode == status, "realserver %s: exit status %d: %s%s", " ".join(words), p.returncode, p.stdout, p.stderr)
    return json.loads(p.stdout) if p.stdout else p.stderr


def knobs(node, values=None):
    out = {}
    with in_netns(node.ns):
        for k in KNOBS:
            if values:
                with open("/proc/sys/net/ipv4/conf/" + k, "w") as f:
                    f.write(str(values[k]))
            with open("/proc/sys/net/ipv4/conf/" + k) as f:
                out[k] = int(f.read())
    return out


def answers(lab, vip):
    """Does anybody answer for the address, asked afresh? A closed port refuses at once when there is a neighbour."""
    run("ip", "-n", lab.a.ns, "neigh", "flush", "dev", "eth0", check=False)
    with in_netns(lab.a.ns):
        s = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(1.2)
    try:
        s.connect((vip, 9))
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    finally:
        s.close()
    return True


@case("realserver-up-down", "VIPs on lo, no ARP answer; again changes nothing; undone to the values of before; IPv6 too")
def up_down(lane):
    with lane.lab("ar") as lab:
        lab.r.batch("link set lo up\naddr add %s/32 dev lo" % VIP)
        knobs(lab.r, KNOBS)
        check(answers(lab, VIP), "the trap is not set: an address on lo is answered for by default")
        got = realserver(lane, lab.r, "up", VIP, VIP2, VIP6)
        check(got["vips"] == [VIP, VIP2, VIP6], "vips: %s", got)
        check(knobs(lab.r) == {"all/arp_ignore": 1, "all/arp_announce": 2, "lo/arp_ignore": 1, "lo/arp_announce": 2}, "sysctls: %s", knobs(lab.r))
        shown = run("ip", "-n", lab.r.ns, "-o", "addr", "show", "dev", "lo").stdout
        check(VIP + "/32" in shown and VIP2 + "/32" in shown and VIP6 + "/128" in shown, "lo: %s", shown)
        check("deprecated" in next(line for line in shown.splitlines() if VIP6 in line), "IPv6 may become a source: %s", shown)
        for vip in VIP, VIP2, VIP6:
            check(not answers(lab, vip), "%s is answered for", vip)
        again = realserver(lane, lab.r, "up", VIP, VIP2, VIP6)
        check(again["changes"] == 0 and again["sysctls_before"] == got["sysctls_before"], "again: %s", again)
        check(realserver(lane, lab.r, "show")["vips"] == [VIP, VIP2, VIP6], "show")
        one = realserver(lane, lab.r, "down", VIP)
        check(one["vips"] == [VIP2, VIP6] and knobs(lab.r)["all/arp_ignore"] == 1, "one gone: %s", one)
        end = realserver(lane, lab.r, "down")
        check(end["vips"] == [] and end["sysctls_before"] == {}, "all gone: %s", end)
        check(knobs(lab.r) == KNOBS, "not as before: %s", knobs(lab.r))
        left = [a for a in lab.r.addresses() if a in (VIP, VIP2, VIP6)]
        check(not left, "still there: %s", left)
        check(realserver(lane, lab.r, "down")["changes"] == 0, "down again changes something")


@case("realserver-not-on-director", "an address that this machine serves as director is refused; sysctls somebody changed meanwhile stay")
def refused(lane):
    with lane.lab("r") as lab:
        lab.r.batch("addr add %s/24 dev eth0" % VIP)
        knobs(lab.r, KNOBS)
        said = realserver(lane, lab.r, "up", VIP, status=1)
        check("eth0" in str(said) or said["vips"] == [], "said: %s", said)
        check(run("ip", "-n", lab.r.ns, "-o", "addr", "show", "dev", "lo").stdout.find(VIP) < 0, "it is on lo")
        realserver(lane, lab.r, "down")
        check(knobs(lab.r) == KNOBS, "sysctls: %s", knobs(lab.r))
        realserver(lane, lab.r, "up", VIP2)
        knobs(lab.r, {**KNOBS, "all/arp_ignore": 8})
        realserver(lane, lab.r, "down", VIP2)
        check(knobs(lab.r)["all/arp_ignore"] == 8, "somebody's own value is gone")
