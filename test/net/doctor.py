"""holdctl doctor: each fault is made, found with its remedy, and no longer found once the remedy is applied."""
import json
import os

from case import case, check
from lab import Skip, Speaker, conf, in_netns, run

VIP = "10.77.0.200"
SERVICE = """virtual_server %s 80 {
    lb_algo rr
    lb_kind %%s
    protocol TCP
    real_server 10.77.0.2 80 {
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
""" % VIP
DROPS = """table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname "lo" accept
        tcp dport { 22, 80 } accept
        jump more
    }
    chain more {
        ip protocol icmp accept
        return
    }
}
"""


def doctor(lane, node, text, *args, before="true"):
    """Findings by id, of a configuration, in the node's namespace with a private /run."""
    tool = os.path.join(os.path.dirname(lane.daemon[0]), "holdctl")
    path = "%s/doctor-%s.conf" % (node.lab.root, node.name)
    with open(path, "w") as f:
        f.write(text)
    p = run(*node.argv(["sh", "-c", before + '; exec "$@"', "sh", tool, "doctor", "--json", *args, path]), check=False)
    try:
        answer = json.loads(p.stdout)
    except ValueError:
        check(False, "no JSON (status %d): %s%s", p.returncode, p.stdout, p.stderr)
    worst = {f["severity"] for f in answer["findings"]}
    want = 5 if "error" in worst else 4 if "warning" in worst else 0
    check(p.returncode == want == answer["status"], "exit status %d, not %d", p.returncode, want)
    out = {}
    for f in answer["findings"]:
        check(f["id"] and f["severity"] and f["text"], "a finding without words: %s", f)
        out.setdefault(f["id"], []).append(f)
    return out


def knob(node, path, value):
    with in_netns(node.ns), open("/proc/sys/net/" + path, "w") as f:
        f.write(str(value))


def nft(node, text):
    run("ip", "netns", "exec", node.ns, "nft", "-f", "-", text="flush ruleset\n" + text)


@case("doctor-firewall", "a firewall that drops protocol 112 is found by its rules and by listening; the line it gives mends it")
def firewall(lane):
    if not os.access("/usr/sbin/nft", os.X_OK):
        raise Skip("no nft here: apt install nftables")
    with lane.lab("ab") as lab:
        text = conf.whole(conf.instance(interval=0.2, vips=("10.77.0.100",)))
        s = Speaker(lab, "b", 0.2, vips=("10.77.0.100",)).start()
        open_wall = doctor(lane, lab.a, text, "--seconds", "2")
        check("HD-FIREWALL" not in open_wall and "HD-DEAF" not in open_wall, "without a firewall: %s", open_wall)
        nft(lab.a, DROPS)
        shut = doctor(lane, lab.a, text, "--seconds", "2")
        check("HD-FIREWALL" in shut and shut["HD-FIREWALL"][0]["severity"] == "error", "rules: %s", shut)
        check("policy drop" in shut["HD-FIREWALL"][0]["evidence"], "where: %s", shut["HD-FIREWALL"])
        check("HD-DEAF" in shut, "the probe heard nothing of it: %s", shut)
        line = next(r for r in shut["HD-FIREWALL"][0]["remedy"] if r.startswith("nft "))
        run("ip", "netns", "exec", lab.a.ns, *line.split())
        mended = doctor(lane, lab.a, text, "--seconds", "2")
        check("HD-FIREWALL" not in mended and "HD-DEAF" not in mended, "after %s: %s", line, mended)
        nft(lab.a, DROPS.replace("jump more", "ip saddr 10.77.0.0/24 meta mark 7 accept"))
        check(doctor(lane, lab.a, text, "--no-probe")["HD-FIREWALL"][0]["severity"] == "note", "what cannot be known is no error")
        s.stop()


@case("doctor-dr-arp", "a real server of LVS-DR that answers ARP for the VIP is found; realserver up there mends it")
def dr_arp(lane):
    with lane.lab("ab") as lab:
        lab.b.batch("link set lo up\naddr add %s/32 dev lo" % VIP)
        for k in "arp_ignore", "arp_announce":
            knob(lab.b, "ipv4/conf/all/" + k, 0)
        lab.a.batch("addr add %s/24 dev eth0" % VIP)
        got = doctor(lane, lab.a, SERVICE % "DR")
        check("HD-ARP-VIP" in got and "10.77.0.2" in got["HD-ARP-VIP"][0]["text"] and VIP == got["HD-ARP-VIP"][0]["about"], "found: %s", got)
        there = doctor(lane, lab.b, "", "--no-probe")
        check("HD-ARP-LO" in there and "realserver up" in there["HD-ARP-LO"][0]["remedy"][0], "on the real server: %s", there)
        tool = os.path.join(os.path.dirname(lane.daemon[0]), "holdctl")
        run("ip", "netns", "exec", lab.b.ns, tool, "realserver", "up", VIP)
        check("HD-ARP-VIP" not in doctor(lane, lab.a, SERVICE % "DR"), "it is still said")
        check("HD-ARP-LO" not in doctor(lane, lab.b, "", "--no-probe"), "it is still said there")
        run("ip", "netns", "exec", lab.b.ns, tool, "realserver", "down")


@case("doctor-sysctls-scripts", "forwarding for NAT only, script users and files, a missing interface, a bad configuration")
def sysctls(lane):
    with lane.lab("a") as lab:
        knob(lab.a, "ipv4/ip_forward", 0)
        check("HD-FORWARD" in doctor(lane, lab.a, SERVICE % "NAT", "--no-probe"), "NAT without forwarding")
        check("HD-FORWARD" not in doctor(lane, lab.a, SERVICE % "DR", "--no-probe"), "DR needs no forwarding")
        knob(lab.a, "ipv4/ip_forward", 1)
        check("HD-FORWARD" not in doctor(lane, lab.a, SERVICE % "NAT", "--no-probe"), "it is on")
        script = "vrrp_script s {\n    script /nowhere/check\n    user nobody_of_that_name\n}\n"
        got = doctor(lane, lab.a, conf.whole(script, conf.instance(interface="eth7", vips=("192.0.2.9",))), "--no-probe")
        check({"HD-SCRIPT-USER", "HD-SCRIPT-FILE", "HD-IFACE"} <= set(got), "scripts: %s", got)
        check("HD-CONF" in doctor(lane, lab.a, "vrrp_instance {\n", "--no-probe"), "a configuration with errors")


@case("doctor-link-owners", "systemd-networkd and NetworkManager that own the link, until they are told to leave our things alone")
def owners(lane):
    with lane.lab("a") as lab:
        text = conf.whole(conf.instance(extra="virtual_routes {\n        10.9.0.0/24 dev eth0\n    }"))
        state = ("mkdir -p /run/systemd/netif/links; i=$(cat /sys/class/net/eth0/ifindex); "
                 "printf 'ADMIN_STATE=configured\\nNETWORK_FILE=/run/10-eth0.network\\n' >/run/systemd/netif/links/$i; "
                 "printf '[Network]\\nDHCP=no\\n%s\\n' >/run/10-eth0.network")
        got = doctor(lane, lab.a, text, "--no-probe", before=state % "")
        check("HD-NETWORKD" in got and "HD-NETWORKD-FOREIGN" in got, "networkd: %s", got)
        check("HD-NETWORKD" not in doctor(lane, lab.a, text, "--no-probe", before=state % "KeepConfiguration=static"), "it keeps them")
        nm = "mkdir -p /run/NetworkManager/devices; printf '[device]\\nmanaged=%s\\n' >/run/NetworkManager/devices/$(cat /sys/class/net/eth0/ifindex)"
        check("HD-NM" in doctor(lane, lab.a, text, "--no-probe", before=nm % "true"), "NetworkManager")
        check("HD-NM" not in doctor(lane, lab.a, text, "--no-probe", before=nm % "false"), "unmanaged")


@case("doctor-firewall-legacy", "a rule of legacy iptables that drops VRRP, or the service, is found; so is one of nftables for the service; the lines given mend it", limit=60)
def legacy(lane):
    with lane.lab("a") as lab:
        text = conf.whole(conf.instance(interval=0.2, vips=(VIP,))) + SERVICE % "NAT"
        first = doctor(lane, lab.a, text, "--no-probe")
        check("HD-FIREWALL" not in first and "HD-FIREWALL-SERVICE" not in first, "without a firewall: %s", first)
        if os.access("/usr/sbin/nft", os.X_OK):
            nft(lab.a, DROPS.replace("22, 80", "22, 443"))
            got = doctor(lane, lab.a, text, "--no-probe")
            check(got.get("HD-FIREWALL-SERVICE", [{}])[0].get("about") == VIP + ":80", "nftables: %s", got)
            run("ip", "netns", "exec", lab.a.ns, *got["HD-FIREWALL-SERVICE"][0]["remedy"][0].split())
            check("HD-FIREWALL-SERVICE" not in doctor(lane, lab.a, text, "--no-probe"), "nftables: it is mended")
            nft(lab.a, "")
        tables = lambda *argv: run("ip", "netns", "exec", lab.a.ns, *argv, check=False)  # noqa: E731
        if not os.access("/usr/sbin/iptables-legacy", os.X_OK) or tables("iptables-legacy", "-S").returncode:
            raise Skip("no legacy iptables here")
        tables("iptables-legacy", "-N", "mine")
        tables("iptables-legacy", "-A", "INPUT", "-i", "eth+", "-m", "comment", "--comment", "a \"b -j ACCEPT", "-j", "mine")
        tables("iptables-legacy", "-A", "mine", "-p", "112", "-j", "DROP")
        tables("iptables-legacy", "-A", "mine", "-p", "tcp", "-m", "multiport", "--dports", "22,80,8000:8080", "-m", "conntrack", "--ctstate",
               "NEW", "-j", "REJECT")
        got = doctor(lane, lab.a, text, "--no-probe")
        f = got.get("HD-FIREWALL", [{"severity": ""}])[0]
        check(f["severity"] == "error" and "iptables-legacy chain mine, handle 1" in f["evidence"], "VRRP: %s", got)
        check("HD-FIREWALL-SERVICE" not in got, "whether it comes in by eth+ is not known: %s", got)
        run("ip", "netns", "exec", lab.a.ns, *f["remedy"][0].split())
        tables("iptables-legacy", "-A", "INPUT", "-j", "mine")
        got = doctor(lane, lab.a, text, "--no-probe")
        check("HD-FIREWALL" not in got and "handle 2" in got["HD-FIREWALL-SERVICE"][0]["evidence"], "the service: %s", got)
        run("ip", "netns", "exec", lab.a.ns, *got["HD-FIREWALL-SERVICE"][0]["remedy"][0].split())
        check("HD-FIREWALL-SERVICE" not in doctor(lane, lab.a, text, "--no-probe"), "it is mended")


@case("doctor-agents", "SNMP and D-Bus are asked for and nobody serves them: found, until the programs run", limit=60)
def agents(lane):
    with lane.lab("a") as lab:
        text = conf.whole("global_defs {\n    enable_snmp_rfcv3\n    enable_dbus\n    snmp_socket unix:%s/agentx\n}\n" % lab.root,
                          conf.instance())
        got = doctor(lane, lab.a, text, "--no-probe")
        check({"HD-SNMP", "HD-DBUS", "HD-SNMP-MASTER"} <= set(got), "found: %s", got)
        check("enable_snmp_rfcv3" in got["HD-SNMP"][0]["evidence"] and "systemctl" in got["HD-SNMP"][0]["remedy"][0], "it says %s", got["HD-SNMP"])
        check(not {"HD-SNMP", "HD-DBUS", "HD-SNMP-MASTER"} & set(doctor(lane, lab.a, conf.whole(conf.instance()), "--no-probe")), "nobody asks for them")
        here = os.path.dirname(lane.daemon[0])
        runs = "%s/holdfast-snmp -s /nowhere & %s/holdfast-dbus -s /nowhere & touch %s/agentx; sleep 0.5" % (here, here, lab.root)
        got = doctor(lane, lab.a, text, "--no-probe", before="{ %s; } >/dev/null 2>&1" % runs)
        check(not {"HD-SNMP", "HD-DBUS", "HD-SNMP-MASTER"} & set(got), "they run: %s", got)


@case("doctor-vip-taken", "somebody else answers for a VIP, by ARP or by neighbour discovery: found; its master's answers are not", limit=90)
def taken(lane):
    with lane.lab("abc") as lab:
        for vip, word in (("10.77.0.100", "ARP"), ("fd77::100", "neighbour discovery")):
            six = ":" in vip
            body = conf.whole(conf.instance(interval=0.2, vips=("fe80::100", vip) if six else (vip,)))
            add = "addr %%s %s/%d dev eth0%s" % (vip, 64 if six else 24, " nodad" if six else "")
            check("HD-VIP-TAKEN" not in doctor(lane, lab.a, body, "--seconds", "2"), "nobody has it")
            lab.b.batch(add % "add")
            s = Speaker(lab, "b", 0.2, vips=("fe80::100", vip) if six else (vip,)).start()
            got = doctor(lane, lab.a, body, "--seconds", "2")
            check("HD-VIP-TAKEN" not in got, "the master answers for its own: %s", got)
            s.stop()
            f = doctor(lane, lab.a, body, "--seconds", "2").get("HD-VIP-TAKEN", [{}])[0]
            check(f.get("about") == vip and word in f["evidence"] and "nobody advertises" in f["evidence"], "without adverts: %s", f)
            s = Speaker(lab, "c", 0.2, vips=("fe80::100", vip) if six else (vip,)).start()
            f = doctor(lane, lab.a, body, "--seconds", "2").get("HD-VIP-TAKEN", [{}])[0]
            check("another MAC" in f.get("evidence", ""), "beside the master: %s", f)
            s.stop()
            lab.b.batch((add % "del").replace(" nodad", ""))
