"""Keywords of IPVS services and of what stands around the table that no other case looks at: each is seen in the kernel's own words
(ipvsadm, nft), next to its absence.
"""
import re
import subprocess

from case import case, check, equal
from lab import run
from lab.lan import VIP, Lan
from lvs_conf import server, service, whole

R1, R2, SIX = "10.77.0.101 80", "10.77.0.102 80", "fd77::65 80"


def mark(n, *lines):
    return service("fwmark %d" % n, *lines, protocol="", method="TUN").replace("    protocol \n", "")


def told(lan, *args):
    return run("ip", "netns", "exec", lan.lb.ns, *args, check=False).stdout


def saved(lan):
    """service -> (its line, its servers' lines), as ipvsadm would restore them."""
    out = {}
    for line in told(lan, "ipvsadm", "-Sn").splitlines():
        flag, kind, name, rest = (line.split(None, 3) + [""])[:4]
        head = out.setdefault(kind + " " + name, ["", []])
        if flag == "-A":
            head[0] = rest
        else:
            head[1].append(rest)
    return out


@case("lvs-keywords-service")
def services(lane):
    """persistence_engine, ip_family and what decides the family of a mark, ops, thresholds, granularity, one in each service; changed by reload"""
    text = [
        service(VIP + " 5060", "persistence_engine sip", "persistence_timeout 100", server(R1), protocol="UDP"),
        service(VIP + " 5061", "persistence_engine sip", server(R1), protocol="UDP"),
        service(VIP + " 80", "persistence_granularity 255.255.255.0", server(R1, "uthreshold 50", "lthreshold 20")),
        service(VIP + " 53", "ops", server(R1), protocol="UDP"),
        service(VIP + " 54", "ops", server(R1)),
        mark(5, server(R1), "ip_family inet6"), mark(6, server(SIX), "ip_family inet"), mark(7, server(SIX)), mark(8, server(R1)),
        mark(9, server(SIX) + server(R1)), mark(10, server(R1), "persistence_granularity 64"), mark(11, server(SIX), "persistence_granularity 255.255.0.0"),
    ]
    with Lan(servers=1) as lan:
        lan.modprobe("ip_vs_pe_sip", "ipip", "ip6_tunnel")
        d = lan.lb.start(lane.daemon, whole(*text))
        lan.wait(lambda: len(saved(lan)) == len(text) and all(x[1] for x in saved(lan).values()), 60, "all services")
        have = {name: line for name, (line, _) in saved(lan).items()}
        equal(have, {"-u %s:5060" % VIP: "-s rr -p 100 --pe sip", "-u %s:5061" % VIP: "-s rr", "-t %s:80" % VIP: "-s rr -p 360 -M 255.255.255.0",
                     "-u %s:53" % VIP: "-s rr -o", "-t %s:54" % VIP: "-s rr", "-f 5": "-6 -s rr", "-f 6": "-s rr", "-f 7": "-6 -s rr", "-f 8": "-s rr",
                     "-f 9": "-s rr", "-f 10": "-6 -s rr -p 360 -M 64", "-f 11": "-s rr -p 360 -M 255.255.0.0"}, "services")
        check("50 20" in re.sub(" +", " ", told(lan, "ipvsadm", "-Ln", "--thresholds")), "no thresholds: %s", told(lan, "ipvsadm", "-Ln", "--thresholds"))
        d.reload(whole(service(VIP + " 5060", "persistence_timeout 100", server(R1), protocol="UDP"), mark(5, server(R1), "ip_family inet")))
        lan.wait(lambda: {n: x[0] for n, x in saved(lan).items()} == {"-u %s:5060" % VIP: "-s rr -p 100", "-f 5": "-s rr"}, 60,
                 "the engine and the family gone by reload: %s" % saved(lan))


def daemons(lan):
    """The sync daemons with their parameters, without those nobody gave."""
    out = []
    for kind, args in re.findall(r"(master|backup) sync daemon \(([^)]*)\)", told(lan, "ipvsadm", "-Ln", "--daemon")):
        have = dict(x.strip().split("=", 1) for x in args.split(","))
        out.append((kind, *(have.get(k) for k in ("mcast", "syncid", "group", "port", "ttl")), have.get("maxlen")))
    return sorted(out)


@case("lvs-keywords-sync", alone=True)
def sync(lane):
    """lvs_sync_daemon: alone, with id, all options, IPv6 group; an instance in both spellings, its VRID as id, or one of its own"""
    inst = ("vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 33\n priority 200\n advert_int 1\n"
            " virtual_ipaddress {\n 10.77.0.222\n }\n}\n")
    web = service(VIP + " 80", server(R1))

    def line(kind, ident, group="224.0.0.81", port="8848", ttl="1"):
        return (kind, "eth0", ident, group, port, ttl)
    both = lambda *a: [line("backup", *a), line("master", *a)]  # noqa: E731
    forms = [
        ("eth0", "", both("0"), None), ("eth0 id 7", "", both("7"), None),
        ("eth0 id 8 maxlen 1200 port 8900 ttl 3 group 224.0.0.90", "", both("8", "224.0.0.90", "8900", "3"), "1200"),
        ("eth0 id 9 group ff02::81 ttl 2", "", both("9", "ff02::81", "8848", "2"), None),
        ("eth0 VI_1", inst, [line("master", "33")], None), ("eth0 VI_1 44", inst, [line("master", "44")], None),
        ("eth0 inst VI_1", inst, [line("master", "33")], None), ("eth0 inst VI_1 id 45 ttl 9", inst, [line("master", "45", "224.0.0.81", "8848", "9")], None),
    ]
    with Lan(servers=1) as lan:
        d = None
        for form, more, want, maxlen in forms:
            text = whole(web, more, extra="    lvs_sync_daemon %s\n" % form)
            if d is None:
                d = lan.lb.start(lane.daemon, text)
            else:
                d.reload(text)
            try:
                lan.wait(lambda: [x[:6] for x in daemons(lan)] == want, 20, "lvs_sync_daemon %s" % form)  # noqa: B023
            except Exception as e:
                e.args = ("%s: have %s" % (e, daemons(lan)),)
                raise
            check(maxlen is None or {x[6] for x in daemons(lan)} == {maxlen}, "%s: maxlen: %s", form, daemons(lan))
        status, _ = d.stop(60)
        equal((status, daemons(lan)), (0, []), "exit status and daemons at the end")


@case("lvs-keywords-nft")
def nft(lane):
    """nftables_ipvs NAME, nftables_ipvs_priority, nftables_ipvs_start_fwmark: table, hook and marks; without nftables_ipvs they do nothing"""
    group = "virtual_server_group %s {\n    %s 80\n}\n"
    text = (group % ("g", VIP)) + (group % ("h", "10.77.0.201")) + service("group g", server(R1)) + service("group h", server(R2))
    options = "    nftables_ipvs_priority -77\n    nftables_ipvs_start_fwmark 5000\n"
    with Lan(servers=2) as lan:
        d = lan.lb.start(lane.daemon, whole(text, extra="    nftables_ipvs lab\n" + options))
        lan.wait(lambda: set(lan.table().table()) == {"fwm 5000", "fwm 5001"}, 60, "marks from 5000 on")
        have = told(lan, "nft", "list", "ruleset")
        for part in ("table ip lab {", "hook input priority -77;", VIP + " . 80 : 0x00001388", "10.77.0.201 . 80 : 0x00001389"):
            check(part in have, "not in nft's list: %s\n%s", part, have)
        d.stop(60)
        equal(told(lan, "nft", "list", "ruleset"), "", "rules after the end")
        d = lan.lb.start(lane.daemon, whole(text, extra=options))
        lan.wait(lambda: set(lan.table().table()) == {"tcp %s:80" % VIP, "tcp 10.77.0.201:80"}, 60, "no marks without nftables_ipvs")
        equal(told(lan, "nft", "list", "ruleset"), "", "rules without nftables_ipvs")


STRANGER = "tcp 10.77.0.222:99"


@case("lvs-keywords-flush")
def flush(lane):
    """lvs_flush_on_stop and its old name: a stranger's service goes with the daemon, not with a reload; with VS, and without it, it stays; lvs_flush takes it at start"""
    with Lan(servers=1) as lan:
        for line, left in (("lvs_flush_onstop", {}), ("lvs_flush_on_stop", {}), ("lvs_flush_onstop VS", {STRANGER: {}}), ("lvs_flush_on_stop VS", {STRANGER: {}}),
                           ("", {STRANGER: {}}), ("lvs_flush", None)):
            subprocess.run(["ip", "netns", "exec", lan.lb.ns, "ipvsadm", "-A", "-t", "10.77.0.222:99", "-s", "rr"], stderr=subprocess.DEVNULL, check=False)
            d = lan.lb.start(lane.daemon, whole(service(VIP + " 80", server(R1)), extra="    %s\n" % line if line else ""))
            mine = {"tcp %s:80" % VIP: {"10.77.0.101:80": 1}}
            lan.wait(lambda: lan.table().table() == (mine if left is None else {STRANGER: {}, **mine}), 60, "the table under '%s'" % line)  # noqa: B023
            status, _ = d.stop(60)
            equal((status, lan.table().table()), (0, left or {}), "exit status and table after '%s'" % line)
        d = lan.lb.start(lane.daemon, whole(service(VIP + " 80", server(R1)), extra="    lvs_flush_on_stop\n"))
        subprocess.run(["ip", "netns", "exec", lan.lb.ns, "ipvsadm", "-A", "-t", "10.77.0.222:99", "-s", "rr"], stderr=subprocess.DEVNULL, check=False)
        lan.wait(lambda: lan.table().table() == {STRANGER: {}, **mine}, 60, "both services")
        d.reload(whole(extra="    lvs_flush_on_stop\n"))
        lan.wait(lambda: "tcp %s:80" % VIP not in lan.table().table(), 60, "a reload without services")
        equal(lan.table().table(), {STRANGER: {}}, "table after a reload that leaves no service: it is not the stop")
        equal(d.stop(60)[0], 0, "exit status")
