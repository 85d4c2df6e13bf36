"""Words of address and route lines that only this kernel can hold: MPLS and ILA encapsulation, VRFs; against what ip(8) makes of them."""
import re
import time

from case import case, check
from lab import Lab, conf, run

# the line, the same for ip(8) where it says it otherwise
ROUTES = [
    ("10.90.1.0/24 encap mpls 100 via 10.77.0.99", None),
    ("10.90.2.0/24 encap mpls 100/200/1048575 via inet 10.77.0.99 dev eth0", "10.90.2.0/24 encap mpls 100/200/1048575 via 10.77.0.99 dev eth0"),
    ("10.90.3.0/24 ttl-propagate enabled dev eth0", "10.90.3.0/24 dev eth0"),
    ("10.90.4.0/24 nexthop encap mpls 30 via 10.77.0.98 dev eth0 nexthop encap mpls 31/32 via 10.77.0.99 dev eth0 weight 2", None),
    ("2001:db8:1::/64 encap mpls 77 via fd77::99", None),
    ("2001:db8:2:0:2000::1/128 encap ila 1:2:a:ffff via fd77::99 dev eth0", None),
    ("10.90.5.0/24 dev dummy0 vrf blue", "10.90.5.0/24 dev dummy0 table 10"),
    ("2001:db8:5::/64 dev dummy0 vrf blue metric 5", "2001:db8:5::/64 dev dummy0 table 10 metric 5"),
]


def told(node):
    lines = []
    for family in "-4", "-6":
        out = run("ip", "-n", node.ns, "-o", family, "-d", "route", "show", "table", "all", "proto", "18").stdout
        lines += [re.sub(r"\s+", " ", line).strip() for line in out.split("\n") if line.strip()]
    return sorted(lines)


def speak(node, line):
    head, hop, tail = line.partition(" nexthop")
    scope = "" if ":" in line.split()[0] else " scope global"
    run("ip", "-n", node.ns, "-6" if ":" in line.split()[0] else "-4", "route", "prepend", *(head + scope + " proto 18" + hop + tail).split())


@case("route-encap")
def encap(lane):
    """MPLS labels, ILA and vrf of static and virtual routes: the kernel has what ip(8) makes of them; gone with SIGTERM"""
    for module in "mpls_iptunnel", "mpls_router", "ila":
        run("modprobe", module)
    with Lab("ab") as lab:
        for node in lab.nodes.values():
            node.batch("link add blue type vrf table 10\nlink set blue up\nlink add dummy0 type dummy\nlink set dummy0 address "
                       "02:00:00:00:01:01\nlink set dummy0 master blue up\naddr flush dev eth0 scope global\n"
                       "addr add 10.77.0.1/24 dev eth0\naddr add fd77::1/64 dev eth0 nodad")
        other = [(a.replace("10.90.", "10.91.").replace("2001:db8:", "2001:db9:"), b and b.replace("10.90.", "10.91.").replace(
            "2001:db8:", "2001:db9:")) for a, b in ROUTES]
        for line, said in ROUTES + other:
            speak(lab.b, said or line)
        want = told(lab.b)
        block = "%s {\n    %s\n}\n"
        virtual = block % ("virtual_routes", "\n    ".join(line for line, _ in other))
        d = lab.a.start(lane.daemon, conf.whole(block % ("static_routes", "\n    ".join(line for line, _ in ROUTES)),
                                                conf.instance(vips=["10.77.0.200"], extra=virtual.replace("\n", "\n    "))))
        deadline = time.monotonic() + 60
        while told(lab.a) != want and time.monotonic() < deadline:
            time.sleep(1)
        have = told(lab.a)
        check(have == want, "only the kernel: %s; only ip(8): %s", [x for x in have if x not in want], [x for x in want if x not in have])
        status, _ = d.stop(60)
        check(status == 0 and not told(lab.a), "left behind, or exit status %d: %s", status, told(lab.a))
        return "%d routes" % len(want)
