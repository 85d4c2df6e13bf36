"""Every word of address, route and rule lines, against what ip(8) makes of the same words in another namespace of this kernel."""
import os
import re
import signal
import time

from case import case, check
from lab import Speaker, conf, run

NAMES = {"rt_tables": "177 kwtable\n", "rt_realms": "17 kwrealm\n", "rt_scopes": "153 kwscope\n", "rt_dsfield": "0x18 kwfield\n",
         "group": "27 kwgroup\n", "rt_protos": "117 kwproto\n"}

# (the line, the same for ip(8) where it says it otherwise, the line without the word it is about); {d} is a destination of its own.
PLAIN = "{d} dev eth0"
ROUTES4 = [
    (PLAIN, None, None),
    ("to {d} dev eth0", PLAIN, None),
    ("inet {d} dev eth0", PLAIN, None),
    ("inet to {d} dev eth0", PLAIN, None),
    ("to unreachable {d}", "unreachable {d}", None),
    ("{d} oif eth1", "{d} dev eth1", PLAIN),
    ("src 10.77.0.1 to {d} dev eth0", "{d} dev eth0 src 10.77.0.1", PLAIN),
    ("{d} via 10.77.0.99", None, PLAIN),
    ("{d} gw 10.77.0.99", "{d} via 10.77.0.99", PLAIN),
    ("{d} via inet 10.77.0.99", "{d} via 10.77.0.99", PLAIN),
    ("{d} via inet6 fe80::99 dev eth0", None, PLAIN),
    ("{d} via 10.77.0.98 or 10.77.0.99", "{d} nexthop via 10.77.0.98 nexthop via 10.77.0.99", "{d} via 10.77.0.98"),
    ("{d} via 10.77.0.98 or 10.77.0.99 dev eth0",
     "{d} nexthop via 10.77.0.98 dev eth0 nexthop via 10.77.0.99 dev eth0", "{d} via 10.77.0.98"),
    ("{d} dev eth0 table 77", None, PLAIN),
    ("{d} dev eth0 table 4000000000", None, PLAIN),
    ("{d} dev eth0 table kwtable", "{d} dev eth0 table 177", PLAIN),
    ("{d} dev eth0 protocol static no_track", "{d} dev eth0 proto static", PLAIN),
    ("{d} dev eth0 no_track protocol kwproto", "{d} dev eth0 proto 117", PLAIN),
    ("{d} dev eth0 scope link", None, PLAIN),
    ("{d} dev eth0 scope kwscope", "{d} dev eth0 scope 153", PLAIN),
    ("{d} dev eth0 metric 12", None, PLAIN),
    ("{d} dev eth0 priority 13", "{d} dev eth0 metric 13", PLAIN),
    ("{d} dev eth0 preference 4294967295", "{d} dev eth0 metric 4294967295", PLAIN),
    ("{d} dev eth0 tos 0x10", None, PLAIN),
    ("{d} dev eth0 dsfield kwfield", "{d} dev eth0 tos 0x18", PLAIN),
    ("{d} dev eth0 mtu 1400", None, PLAIN),
    ("{d} dev eth0 mtu lock 1400", None, "{d} dev eth0 mtu 1400"),
    ("{d} dev eth0 advmss 1300", None, PLAIN),
    ("{d} dev eth0 advmss lock 1300", None, "{d} dev eth0 advmss 1300"),
    ("{d} dev eth0 hoplimit 9", None, PLAIN),
    ("{d} dev eth0 rtt 2000", None, PLAIN),
    ("{d} dev eth0 rtt 30ms", "{d} dev eth0 rtt 200ms", PLAIN),
    ("{d} dev eth0 rtt 121s", "{d} dev eth0 rtt 120s", PLAIN),
    ("{d} dev eth0 rtt lock 300ms", None, "{d} dev eth0 rtt 300ms"),
    ("{d} dev eth0 rtt 1.5s", None, PLAIN),
    ("{d} dev eth0 rttvar 1200", None, PLAIN),
    ("{d} dev eth0 rttvar lock 250msec", "{d} dev eth0 rttvar lock 250ms", "{d} dev eth0 rttvar 250ms"),
    ("{d} dev eth0 reordering 4", None, PLAIN),
    ("{d} dev eth0 reordering lock 4", None, "{d} dev eth0 reordering 4"),
    ("{d} dev eth0 window 5000", None, PLAIN),
    ("{d} dev eth0 cwnd lock 10", None, PLAIN),
    ("{d} dev eth0 cwnd 10", None, PLAIN),
    ("{d} dev eth0 ssthresh 7", None, PLAIN),
    ("{d} dev eth0 ssthresh lock 7", None, "{d} dev eth0 ssthresh 7"),
    ("{d} dev eth0 realms 3/4", None, PLAIN),
    ("{d} dev eth0 realms kwrealm", "{d} dev eth0 realms 17", PLAIN),
    ("{d} dev eth0 rto_min lock 300", "{d} dev eth0 rto_min 300ms", PLAIN),
    ("{d} dev eth0 initcwnd 11", None, PLAIN),
    ("{d} dev eth0 initrwnd 12", None, PLAIN),
    ("{d} dev eth0 features ecn", None, PLAIN),
    ("{d} dev eth0 quickack 1", None, PLAIN),
    ("{d} dev eth0 congctl cubic", None, PLAIN),
    ("{d} dev eth0 congctl lock cubic", None, "{d} dev eth0 congctl cubic"),
    ("{d} dev eth0 fastopen_no_cookie 1", None, PLAIN),
    ("{d} via 10.99.9.9 dev eth0 onlink", None, PLAIN),
    ("unicast {d} dev eth0", None, None),
    ("local {d} dev eth0", None, PLAIN),
    ("broadcast {d} dev eth0", None, PLAIN),
    ("brd {d} dev eth0 table 78", "broadcast {d} dev eth0 table 78", PLAIN),
    ("anycast {d} dev eth0", None, PLAIN),
    ("multicast {d} dev eth0", None, PLAIN),
    ("blackhole {d}", None, PLAIN),
    ("unreachable {d} metric 5", None, "{d} dev eth0 metric 5"),
    ("prohibit {d}", None, PLAIN),
    ("throw {d} table 79", None, "{d} dev eth0 table 79"),
    ("{d} nexthop via 10.77.0.98 dev eth0 weight 3 nexthop via 10.77.0.99 weight 256", None,
     "{d} nexthop via 10.77.0.98 dev eth0 nexthop via 10.77.0.99"),
    ("{d} nexthop via 10.98.0.1 dev eth0 onlink nexthop via inet6 fe80::9 dev eth1", None, PLAIN),
    ("{d} nexthop via 10.77.0.98 realms 3/4 nexthop via 10.77.0.99 realms 5/6", None,
     "{d} nexthop via 10.77.0.98 nexthop via 10.77.0.99"),
    ("{d} metric 3 mtu 1333 nexthop dev eth0 nexthop dev eth1", None, PLAIN),
    ("{d} encap ip id 5 dst 10.9.9.9 src 10.9.9.8 tos 0x10 ttl 7 dev eth0", None, PLAIN),
    ("{d} encap ip6 id 6 dst fd00::9 src fd00::8 tc 32 hoplimit 8 dev eth0", "{d} encap ip6 id 6 dst fd00::9 src fd00::8 tc 0x20 hoplimit 8 dev eth0", PLAIN),
    ("{d} nexthop encap ip id 7 dst 10.9.9.9 dev eth0 nexthop dev eth1", None, "{d} nexthop dev eth0 nexthop dev eth1"),
    ("{d} add dev eth0", PLAIN, None),
    ("default dev eth0 table {n}", None, None),
    ("any dev eth0 table {n}", "default dev eth0 table {n}", None),
    ("all dev eth0 table {n}", "default dev eth0 table {n}", None),
]
ROUTES6 = [
    (PLAIN, None, None),
    ("to {d} dev eth0", PLAIN, None),
    ("inet6 {d} dev eth0", PLAIN, None),
    ("inet6 default dev eth0 table {n}", "default dev eth0 table {n}", None),
    ("default6 dev eth0 table {n}", "default dev eth0 table {n}", None),
    ("inet6 any dev eth0 table {n}", "default dev eth0 table {n}", None),
    ("{d} oif eth1", "{d} dev eth1", PLAIN),
    ("src fd77::1 {d} dev eth0", "{d} dev eth0 src fd77::1", PLAIN),
    ("{d} via fd77::99", None, PLAIN),
    ("{d} gw fe80::99 dev eth0", "{d} via fe80::99 dev eth0", PLAIN),
    ("{d} via inet6 fd77::99", "{d} via fd77::99", PLAIN),
    ("{d} via fd77::98 or fd77::99", "{d} nexthop via fd77::98 nexthop via fd77::99", "{d} via fd77::98"),
    ("{d} from 2001:db8:77::/48 dev eth0", None, PLAIN),
    ("{d} dev eth0 table kwtable", "{d} dev eth0 table 177", PLAIN),
    ("{d} dev eth0 protocol static no_track", "{d} dev eth0 proto static", PLAIN),
    ("{d} dev eth0 metric 12", None, PLAIN),
    ("{d} dev eth0 priority 13", "{d} dev eth0 metric 13", PLAIN),
    ("{d} dev eth0 preference 14", "{d} dev eth0 metric 14", PLAIN),
    ("{d} dev eth0 mtu 1400", None, PLAIN),
    ("{d} dev eth0 mtu lock 1400", None, "{d} dev eth0 mtu 1400"),
    ("{d} dev eth0 advmss lock 1300", None, PLAIN),
    ("{d} dev eth0 hoplimit 9", None, PLAIN),
    ("{d} dev eth0 rtt 300ms", None, PLAIN),
    ("{d} dev eth0 rttvar 250ms", None, PLAIN),
    ("{d} dev eth0 reordering 4", None, PLAIN),
    ("{d} dev eth0 window 5000", None, PLAIN),
    ("{d} dev eth0 cwnd lock 10", None, PLAIN),
    ("{d} dev eth0 ssthresh 7", None, PLAIN),
    ("{d} dev eth0 rto_min lock 300", "{d} dev eth0 rto_min 300ms", PLAIN),
    ("{d} dev eth0 initcwnd 11", None, PLAIN),
    ("{d} dev eth0 initrwnd 12", None, PLAIN),
    ("{d} dev eth0 features ecn", None, PLAIN),
    ("{d} dev eth0 quickack 1", None, PLAIN),
    ("{d} dev eth0 congctl lock cubic", None, "{d} dev eth0 congctl cubic"),
    ("{d} dev eth0 fastopen_no_cookie 1", None, PLAIN),
    ("{d} dev eth0 pref high", None, PLAIN),
    ("{d} dev eth0 pref low", None, PLAIN),
    ("{d} dev eth0 expires 1000", None, PLAIN),
    ("{d} via 2001:db8:ff::1 dev eth0 onlink", None, PLAIN),
    ("local {d} dev eth0", None, PLAIN),
    ("anycast {d} dev eth0", None, PLAIN),
    ("multicast ff05::{n}/128 dev eth0", None, None),
    ("blackhole {d}", None, PLAIN),
    ("unreachable {d} metric 5", None, "{d} dev eth0 metric 5"),
    ("prohibit {d}", None, PLAIN),
    ("throw {d} table 79", None, "{d} dev eth0 table 79"),
    ("{d} nexthop via fd77::98 dev eth0 weight 3 nexthop via fd77::99 weight 5", None,
     "{d} nexthop via fd77::98 dev eth0 nexthop via fd77::99"),
    ("{d} nexthop via fd98::1 dev eth0 onlink nexthop via fe80::9 dev eth1", None, PLAIN),
    ("{d} encap ip6 id 6 dst fd00::9 src fd00::8 tc 32 hoplimit 8 dev eth0", "{d} encap ip6 id 6 dst fd00::9 src fd00::8 tc 0x20 hoplimit 8 dev eth0", PLAIN),
    ("{d} encap ip id 5 dst 10.9.9.9 src 10.9.9.8 tos 0x10 ttl 7 dev eth0", None, PLAIN),
    ("{d} add dev eth0", PLAIN, None),
    ("2001:{n}::1/32 dev eth0", None, None),
]
# {f} and {t} are networks of its own; the preference is appended
RULES4 = [
    ("from {f} table 77", None, None),
    ("from {f} lookup 77", None, None),
    ("from {f} table kwtable", "from {f} table 177", None),
    ("from {f} to {t} table 77", None, "from {f} table 77"),
    ("from all to {t} table 77", None, None),
    ("inet to all fwmark 9 table 77", "fwmark 9 table 77", None),
    ("not from {f} table 77", None, "from {f} table 77"),
    ("from {f} iif eth0 table 77", None, "from {f} table 77"),
    ("from {f} dev eth1 table 77", "from {f} iif eth1 table 77", "from {f} table 77"),
    ("from {f} oif eth0 table 77", None, "from {f} table 77"),
    ("from {f} fwmark 0x5 table 77", None, "from {f} table 77"),
    ("from {f} fwmark 5/0xff table 77", None, "from {f} fwmark 5 table 77"),
    ("from {f} fwmark 010/017 table 77", None, "from {f} table 77"),
    ("from {f} tos 0x10 table 77", None, "from {f} table 77"),
    ("from {f} dsfield kwfield table 77", "from {f} tos 0x18 table 77", "from {f} table 77"),
    ("from {f} ipproto udp table 77", None, "from {f} table 77"),
    ("from {f} ipproto 47 table 77", None, "from {f} table 77"),
    ("from {f} sport 10-20 table 77", None, "from {f} table 77"),
    ("from {f} dport 20-30 table 77", None, "from {f} table 77"),
    ("from {f} sport 53 table 77", None, "from {f} table 77"),
    ("from {f} uidrange 5-10 table 77", None, "from {f} table 77"),
    ("from {f} l3mdev", None, "from {f} table 77"),
    ("from {f} realms 3/kwrealm table 77", "from {f} realms 3/17 table 77", "from {f} table 77"),
    ("from {f} goto 30000", None, "from {f} table 77"),
    ("from {f} nop", "from {f} type nop", "from {f} table 77"),
    ("from {f} type nop", None, "from {f} table 77"),
    ("from {f} blackhole", None, "from {f} table 77"),
    ("from {f} type prohibit", "from {f} prohibit", "from {f} table 77"),
    ("from {f} unreachable", None, "from {f} table 77"),
    ("from {f} table 77 suppress_prefixlength 24", None, "from {f} table 77"),
    ("from {f} table 77 sup_pl 0", "from {f} table 77 suppress_prefixlength 0", "from {f} table 77"),
    ("from {f} table 77 suppress_ifgroup 26", None, "from {f} table 77"),
    ("from {f} table 77 sup_group kwgroup", "from {f} table 77 suppress_ifgroup 27", "from {f} table 77"),
    ("from {f} tunnel-id 12345678901 table 77", "from {f} tun_id 12345678901 table 77", "from {f} table 77"),
    ("from {f} table 77 protocol static no_track", "from {f} table 77 protocol static", "from {f} table 77"),
    ("from {f} table 77 no_track", "from {f} table 77", None),
    ("from {f} priority {own} table 77", "from {f} table 77 preference {own}", None),
    ("order {own} from {f} table 77", "from {f} table 77 preference {own}", None),
]
RULES6 = [line for line in RULES4 if "realms" not in line[0] and not line[0].startswith("inet ")] + [
    ("inet6 fwmark 9 table 77", "fwmark 9 table 77", None),
    ("inet6 from all iif eth0 table 77", "iif eth0 table 77", None),
    ("from all inet6 table 79 to all", "table 79", None),
]
# {a} is an address of its own, {p} one beside it, {n} a number
ADDRESSES4 = [
    ("{a}/24 dev eth0", None, None),
    ("{a}", "{a}/32 dev eth0", None),
    ("{a}/24 dev eth1", None, "{a}/24 dev eth0"),
    ("{a}/24 brd {p}", "{a}/24 brd {p} dev eth0", "{a}/24 dev eth0"),
    ("{a}/25 brd +", "{a}/25 brd + dev eth0", "{a}/25 dev eth0"),
    ("{a}/25 broadcast -", "{a}/25 brd - dev eth0", "{a}/25 dev eth0"),
    ("{a}/30 broadcast {p}", "{a}/30 brd {p} dev eth0", "{a}/30 dev eth0"),
    ("{a}/24 scope link", "{a}/24 scope link dev eth0", "{a}/24 dev eth0"),
    ("{a}/24 scope kwscope dev eth1", "{a}/24 scope 153 dev eth1", "{a}/24 dev eth1"),
    ("{a}/24 label eth0:{n}", "{a}/24 label eth0:{n} dev eth0", "{a}/24 dev eth0"),
    ("{a} peer {p}", "{a} peer {p} dev eth0", "{a}/32 dev eth0"),
    ("{a}/24 peer {p}", "{a}/24 peer {p} dev eth0", None),
    ("{a}/32 peer {p}/24", "{a} peer {p}/24 dev eth0", "{a}/32 dev eth0"),
    ("{a}/24 noprefixroute", "{a}/24 noprefixroute dev eth0", "{a}/24 dev eth0"),
    ("{a}/24 preferred_lft 0", "{a}/24 preferred_lft 0 dev eth0", "{a}/24 dev eth0"),
    ("{a}/24 preferred_lft 5000", "{a}/24 preferred_lft 5000 dev eth0", None),
    ("{a}/24 preferred_lft forever", "{a}/24 dev eth0", None),
    ("239.77.{n}/32 autojoin", "239.77.{n}/32 autojoin dev eth0", None),
    ("{a}/24 no_track", "{a}/24 dev eth0", None),
    ("{a}/24 home mngtmpaddr -nodad", "{a}/24 dev eth0", None),
]
ADDRESSES6 = [
    ("{a}/64", "{a}/64 nodad dev eth0", None),
    ("{a}", "{a}/128 nodad preferred_lft 0 dev eth0", None),
    ("{a}/128 preferred_lft forever", "{a}/128 nodad dev eth0", "{a}/128 nodad preferred_lft 0 dev eth0"),
    ("{a}/64 dev eth1", "{a}/64 nodad dev eth1", "{a}/64 nodad dev eth0"),
    ("{a}/64 -nodad", "{a}/64 dev eth0", "{a}/64 nodad dev eth0"),
    ("{a}/64 home", "{a}/64 home nodad dev eth0", "{a}/64 nodad dev eth0"),
    ("{a}/64 mngtmpaddr", "{a}/64 mngtmpaddr nodad dev eth0", "{a}/64 nodad dev eth0"),
    ("{a}/64 noprefixroute", "{a}/64 noprefixroute nodad dev eth0", "{a}/64 nodad dev eth0"),
    ("{a}/64 preferred_lft 0", "{a}/64 preferred_lft 0 nodad dev eth0", "{a}/64 nodad dev eth0"),
    ("{a}/64 preferred_lft 5000", "{a}/64 preferred_lft 5000 nodad dev eth0", "{a}/64 nodad dev eth0"),
    ("{a} peer {p}", "{a} peer {p} nodad preferred_lft 0 dev eth0", None),
    ("{a}/64 peer {p}", "{a}/64 peer {p} nodad preferred_lft 0 dev eth0", None),
    ("{a}/128 peer {p}/64 preferred_lft forever", "{a} peer {p}/64 nodad dev eth0", None),
    ("ff05::77:{n}/128 autojoin", "ff05::77:{n}/128 autojoin nodad preferred_lft 0 dev eth0", None),
    ("{a}/64 scope link label x", "{a}/64 nodad dev eth0", None),
]
SHOW = {"address": ("addr", "show"), "route": ("route", "show", "table", "all"), "rule": ("rule", "show")}
BLOCKS = {"address": ("static_ipaddress", "virtual_ipaddress_excluded"), "route": ("static_routes", "virtual_routes"), "rule": ("static_rules", "virtual_rules")}
TABLES = {"address": (ADDRESSES4, ADDRESSES6), "route": (ROUTES4, ROUTES6), "rule": (RULES4, RULES6)}
NETS = (90, 91)  # static lines have destinations of their own, virtual ones too


def filled(words, six, net, n):
    dst = "2001:db8:%x:%%x::/64" % net if six else "10.%d.%%d.0/24" % net
    own = "fd%x::%x:%%d" % (net, n) if six else "10.%d.%d.%%d" % (net, n)
    number = "%d.%d" % (net, n) if words.startswith("239.") else 100 * net + n
    return words.format(d=dst % n, f=dst % n, t=dst % (100 + n), n=number, a=own % 1, p=own % 2, own="{own}")


def preference(line, n):
    """A rule's line with a preference of its own; a target must stand behind it."""
    own = "preference %d" % (1000 + n)
    if "{own}" in line:
        return line.replace("{own}", own.split()[1])
    return line.replace("goto", own + " goto") if "goto" in line else "%s %s" % (line, own)


class Grammar:
    """The lines of one kind in both families: as the file has them and as ip(8) is told them."""

    def __init__(self, kind, four, six):
        self.kind, self.tables, self.names = kind, (four, six), ""

    def write_names(self, lab):
        self.names = lab.root + "/names"
        os.mkdir(self.names)
        for name, line in NAMES.items():
            with open("%s/%s" % (self.names, name), "w") as f:
                f.write(line)
        for base, _, files in os.walk(self.names):
            for path in [base] + ["%s/%s" % (base, f) for f in files]:
                os.chmod(path, 0o755)

    def lines(self, which, where):
        """which: 0 the lines, 2 the same without the word; where: 0 static, 1 virtual."""
        for six, table in enumerate(self.tables):
            for n, entry in enumerate(table):
                line = entry[which].replace(" nodad", "") if which and entry[which] else entry[0]  # ours has no duplicate detection
                words = filled(line, six, NETS[where], n)
                yield preference(words, n + 100 * where) if self.kind == "rule" else words

    def file(self, which, where):
        return "%s {\n    %s\n}\n" % (BLOCKS[self.kind][where], "\n    ".join(self.lines(which, where)))

    def commands(self, which, where):
        for six, table in enumerate(self.tables):
            for n, (line, said, without) in enumerate(table):
                words = filled((without or said or line) if which else said or line, six, NETS[where], n)
                if self.kind == "rule":
                    words = rule_command(words, n + 100 * where)
                else:
                    words = route_command(words, six) if self.kind == "route" else "addr add " + words
                yield "-6" if six else "-4", words


def rule_command(words, n):
    return "rule add %s%s" % (preference(words, n), "" if " protocol " in words else " protocol 18")


def route_command(words, six):
    """What ip(8) makes of a missing scope or protocol is not ours."""
    add = ""
    if not six and " scope " not in words and words.split()[0] not in ("local", "broadcast", "anycast", "multicast"):
        add = " scope global"
    if " proto " not in words:
        add += " proto 18"
    head, hop, tail = words.partition(" nexthop")
    return "route prepend " + head + add + hop + tail


def told(node, kind):
    """What the kernel holds, as ip(8) tells it, apart from what it has of its own accord."""
    out = []
    for family in "-4", "-6":
        out += run("ip", "-n", node.ns, "-o", family, "-d", *SHOW[kind]).stdout.split("\n")
        if kind == "address":  # what an address joins the kernel tells elsewhere
            out += [line for line in run("ip", "-n", node.ns, "-o", family, "maddr").stdout.split("\n") if re.search(r" (239|ff05)[.:]", line)]
    lines = [re.sub(r"(expires|lft) [1-9]\d*sec", r"\1", re.sub(r"\s+", " ", line)).strip() for line in out]
    own = re.compile(r" proto kernel( |$)|^$|^\d+: (eth2|lo|\S+ inet6 fe80:|\S+ inet 10.77.0.200/)")
    return sorted(line for line in lines if not own.search(line) and not line.startswith("multicast ff00::/8"))


def same(got, want, what):
    check(got == want, "%s: only the kernel: %s; only ip(8): %s", what, [x for x in got if x not in want],
          [x for x in want if x not in got])


def prepare(lab):
    """Nodes alike in all that a route can name: two interfaces with neighbours."""
    for node in lab.nodes.values():
        node.batch("link add eth1 type veth peer name eth2\nlink set eth1 up\nlink set eth2 up\naddr flush dev eth0 scope global\n"
                   "addr add 10.77.0.1/24 dev eth0\naddr add fd77::1/64 dev eth0 nodad")


def speak(node, grammar, which, where):
    """ip(8) with the same words, on a node without a daemon."""
    said = list(grammar.commands(which, where))
    for family in "-4", "-6":
        run("ip", "-n", node.ns, family, "-batch", "-", text="".join(words + "\n" for f, words in said if f == family))


def text(grammar, which):
    """A file with all the lines, as static and as virtual ones."""
    virtual = grammar.file(which, 1).replace("\n", "\n    ")
    return conf.whole(grammar.file(which, 0), conf.instance(priority=100, interval=0.2, vips=["10.77.0.200"], extra=virtual),
                      glob="    iproute_etc_dir %s\n" % grammar.names)


def judged(grammar, with_words, without):
    """Each word makes a difference in what is compared here."""
    for where in 0, 1:
        for six, table in enumerate(grammar.tables):
            for n, entry in enumerate(table):
                if not entry[2]:
                    continue
                mark = filled("{a}", six, NETS[where], n)[:-1] if grammar.kind == "address" else filled("{d}", six, NETS[where], n)
                pick = [[line for line in lines if mark in line] for lines in (with_words, without)]
                check(pick[0] and pick[1] and pick[0] != pick[1], "%s: its word makes no difference: %s", entry[0], pick[0])


@case("route-words", "every word of a route line: the kernel has what ip(8) makes of it; reloaded without it; as BACKUP", kind="route")
@case("rule-words", "every word of a rule line: the kernel has what ip(8) makes of it; reloaded without it; as BACKUP", kind="rule")
@case("address-words", "every word of an address line: the kernel has what ip(8) makes of it; reloaded without it; as BACKUP", kind="address")
def words(lane, kind):
    grammar = Grammar(kind, *TABLES[kind])
    with lane.lab("abc") as lab:
        prepare(lab)
        grammar.write_names(lab)
        before, want = told(lab.a, kind), []
        for which, node in ((0, lab.b), (2, lab.c)):
            for where in 0, 1:
                speak(node, grammar, which, where)
                want.append(told(node, kind))
        static, whole, _, without = want
        judged(grammar, whole, without)
        d = lab.a.start(lane.daemon, text(grammar, 0))

        def become(lines, what):
            deadline = time.monotonic() + 6
            while told(lab.a, kind) != lines and time.monotonic() < deadline:
                time.sleep(0.1)
            same(told(lab.a, kind), lines, what)
        become(whole, "as master")
        d.reload(text(grammar, 2))
        become(without, "reloaded without the words")
        d.reload(text(grammar, 0))
        become(whole, "reloaded with the words")
        speaker = Speaker(lab, "b", 0.2, vips=["10.77.0.200"]).start()
        become(static, "as backup")
        speaker.stop()
        become(whole, "as master again")
        os.kill(d.role("ipvsd"), signal.SIGKILL)
        time.sleep(0.5)
        become(whole, "after a crash")
        check("cannot be added" not in d.read_log(), "not known again after the crash: %s", d.read_log()[-500:])
        d.kill_all()
        speaker.start()
        d = lab.a.start(lane.daemon, text(grammar, 0))
        mine = lambda lines: [line for line in lines if not re.search(r"proto (static|117)( |$)", line)]  # with another's mark: another's
        lab.wait(lambda: mine(told(lab.a, kind)) == mine(static), 6, "what a backup has, after the daemon was killed as master")
        check(d.stop()[0] == 0, "exit status")
        speaker.stop()
        same(mine(told(lab.a, kind)), before, "after the end")
        return "%d lines" % len(whole)


ORDERED = [
    # two lines of one destination; which of them the kernel asks first, or has at all
    ("{d} via 10.77.0.98", "{d} via 10.77.0.99", "99 98"),
    ("{d} via 10.77.0.98", "{d} via 10.77.0.99 prepend", "99 98"),
    ("{d} via 10.77.0.98", "{d} via 10.77.0.99 append", "98 99"),
    ("{d} via 10.77.0.98", "{d} via 10.77.0.99 add", "98"),
    ("{d} via fd77::98", "{d} via fd77::99", "98 99"),  # IPv6 makes paths of one route of them
    ("{d} via fd77::98", "{d} via fd77::99 append", "98 99"),
    ("{d} via fd77::98", "{d} via fd77::99 add", "98"),
]


@case("route-insertion", "prepend, append and add: the place of a second route to the same destination; append again after a theft")
def insertion(lane):
    lines = [filled(line, "fd77" in line, NETS[0], n) for n, entry in enumerate(ORDERED) for line in entry[:2]]
    lines.append("2001:db8:77::1/48 dev eth0")  # IPv6 clears the host bits
    with lane.lab("a") as lab:
        before = told(lab.a, "route")
        d = lab.a.start(lane.daemon, conf.whole("static_routes {\n    %s\n}\n" % "\n    ".join(lines), conf.instance()))

        def gateways(n):
            six = "fd77" in ORDERED[n][0]
            out = run("ip", "-n", lab.a.ns, "-6" if six else "-4", "route", "show", filled("{d}", six, NETS[0], n)).stdout
            found = re.findall(r"via \S+?(9[89])\s", out)
            return " ".join(sorted(found, key=int) if six else found)

        def all_there():
            masked = any(" 2001:db8:77::/48 " in line for line in told(lab.a, "route"))
            return masked and [gateways(n) for n in range(len(ORDERED))] == [entry[2] for entry in ORDERED]
        lab.wait(all_there, 4, "their order")
        for n, gateway in (2, "10.77.0.99"), (4, "fd77::99"), (5, "fd77::98"):
            lab.a.batch("route del %s via %s" % (filled("{d}", ":" in gateway, NETS[0], n), gateway))
        lab.a.batch("route del 2001:db8:77::/48")
        lab.wait(all_there, 4, "the appended one at its place again")
        time.sleep(1.2)  # what "add" could not do is not tried again for ever
        check(all_there(), "now: %s", [gateways(n) for n in range(len(ORDERED))])
        check(d.stop()[0] == 0, "exit status")
        same(told(lab.a, "route"), before, "after the end")


@case("line-no-track", "no_track: who is taken away stays away, whose interface is lost is no fault; the others are put back and are one")
def no_track(lane):
    virtual = ("virtual_ipaddress_excluded {\n 192.0.2.1/32 dev t1 no_track\n 192.0.2.2/32\n}\n"
               "virtual_routes {\n 10.90.1.0/24 dev t2 no_track\n 10.90.2.0/24 dev eth0\n}\n"
               "virtual_rules {\n from 10.90.1.0/24 iif t3 table 77 preference 1001 no_track\n from 10.90.2.0/24 table 77 preference 1002\n}")
    static = ("static_ipaddress {\n 192.0.3.1/32 dev eth0 no_track\n 192.0.3.2/32 dev eth0\n}\n"
              "static_routes {\n 10.91.1.0/24 dev eth0 no_track\n 10.91.2.0/24 dev eth0\n}\n"
              "static_rules {\n from 10.91.1.0/24 table 77 preference 1101 no_track\n from 10.91.2.0/24 table 77 preference 1102\n}\n")
    with lane.lab("a") as lab:
        lab.a.batch("".join("link add t%d type veth peer name u%d\nlink set t%d up\nlink set u%d up\n" % (n, n, n, n) for n in (1, 2, 3)))
        lab.a.start(lane.daemon, conf.whole(static, conf.instance(priority=200, interval=0.2, vips=["10.77.0.200"], extra=virtual)))

        def there():
            held = "\n".join(told(lab.a, "address") + told(lab.a, "route") + told(lab.a, "rule"))
            marks = ["inet 192.0.%d.%d/", "unicast 10.9%d.%d.0/24", "from 10.9%d.%d.0/24"]
            return [n for n in (1, 2) for where in (0, 1) for k, m in enumerate(marks)
                    if m % (where + 2 if k == 0 else where, n) in held]
        lab.wait(lambda: there() == [1] * 6 + [2] * 6, 5, "all of them")
        lab.a.batch("addr del 192.0.2.1/32 dev t1\nroute del 10.90.1.0/24\nrule del preference 1001\n"
                    "addr del 192.0.3.1/32 dev eth0\nroute del 10.91.1.0/24\nrule del preference 1101")
        since = time.time_ns()
        time.sleep(1)
        check(there() == [2] * 6, "after the theft of those without a track: %s", there())
        lab.a.batch("addr del 192.0.2.2/32 dev eth0\nroute del 10.90.2.0/24\nrule del preference 1002\n"
                    "addr del 192.0.3.2/32 dev eth0\nroute del 10.91.2.0/24\nrule del preference 1102")
        lab.wait(lambda: there() == [2] * 6, 4, "the tracked ones back")
        for n in (1, 2, 3):
            lab.a.batch("link set u%d down" % n)
        time.sleep(1)
        check(not lab.adverts("a", since, priority=0) and len(lab.adverts("a", since)) > 8, "an interface without a track was a fault")


def placed(node):
    """address -> (interface, the one below it, its MAC)"""
    links = {m[0]: (m[1] or "", m[2]) for m in re.findall(r"^\d+: ([^@:]+)@?(\S*): .*link/ether (\S+)",
                                                          run("ip", "-n", node.ns, "-o", "link").stdout, re.M)}
    out = [line.split() for line in run("ip", "-n", node.ns, "-o", "addr").stdout.splitlines()]
    return {w[3].split("/")[0]: (w[1], links[w[1]][0] if "vrrp" in w[1] else "", links[w[1]][1]) for w in out if w[1] in links}


@case("address-use-vmac", "use_vmac on an address; dev with the instance's own interface means its macvlan; announced with the MAC it lives on")
def use_vmac(lane):
    four, six, own = "00:00:5e:00:01:33", "00:00:5e:00:02:33", "02:00:00:00:00:01"
    lines = ("virtual_ipaddress_excluded {\n 10.78.0.1/24 dev eth1 use_vmac\n 10.78.0.9/24 dev eth1\n 10.78.1.1/24 use_vmac\n"
             " 10.78.1.9/24 dev eth0\n fd78::1/64 dev eth1 use_vmac\n}\n")
    with lane.lab("a") as lab:
        lab.a.batch("link add eth1 type veth peer name eth2\nlink set eth1 address 02:00:00:00:01:01 up\nlink set eth2 up")

        def text(extra):
            return conf.whole(conf.instance(priority=200, interval=0.2, vips=["10.77.0.200"], extra=extra))

        def become(want):
            def there():
                have = placed(lab.a)
                return {a: have.get(a, ("", "", ""))[1:] for a in want}
            lab.wait(lambda: there() == want, 6, "%s, not %s" % (want, there()))
        d = lab.a.start(lane.daemon, text(lines))
        plain, other = ("", own), ("", "02:00:00:00:01:01")
        become({"10.77.0.200": plain, "10.78.0.1": ("eth1", four), "10.78.0.9": other, "10.78.1.1": ("eth0", four), "10.78.1.9": plain,
                "fd78::1": ("eth1", six)})
        lab.wait(lambda: {(four, "10.78.1.1"), (own, "10.78.1.9")} <= {(f.eth_src, f.sender) for f in lab.seen("garp")}, 3, "announcements")
        d.reload(text(lines.replace(" use_vmac", "")))
        become({"10.78.0.1": other, "10.78.0.9": other, "10.78.1.1": plain, "10.78.1.9": plain, "fd78::1": other})
        lab.wait(lambda: "macvlan" not in run("ip", "-n", lab.a.ns, "-d", "link").stdout, 3, "the end of the macvlans")
        d.reload(text(lines + "use_vmac\n"))
        below = ("eth0", four)
        become({"10.77.0.200": below, "10.78.0.1": ("eth1", four), "10.78.0.9": other, "10.78.1.1": below, "10.78.1.9": below,
                "fd78::1": ("eth1", six)})
        status, _ = d.stop()
        left = [a for a in placed(lab.a) if a.startswith(("10.78.", "fd78"))]
        check(status == 0 and not left, "exit status %d, left behind: %s", status, left)
