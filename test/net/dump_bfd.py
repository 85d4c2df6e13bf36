"""keepalived_bfd.data: what SIGUSR1 writes of BFD sessions, line by line next to the incumbent's own."""
import os
import re
import signal
import time

from case import case, check
from dumps import Dumps
from lab import Skip

# addresses in the incumbent's memory and timers it saves over a reload: nothing of ours answers to them
THEIRS = re.compile(r" *(thread_|sands_)")
# numbers that are another's in every life
OWN = re.compile(r" *(fd_in|fd_out|local discriminator|remote discriminator|last seen)")

CONF = """bfd_instance B1 {
    neighbor_ip 10.77.0.2
    source_ip 10.77.0.1
    min_rx 100
    min_tx 120
    idle_tx 1000
    multiplier 4
}
bfd_instance B2 {
    neighbor_ip 10.77.0.77
    source_ip 10.77.0.1
    passive
    ttl 60
    max_hops 3
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    version 3
    priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.77.0.100
    }
}
"""
PEER = "bfd_instance P {\n neighbor_ip 10.77.0.1\n source_ip 10.77.0.2\n min_rx 50\n min_tx 70\n idle_tx 1000\n}\n"


def sessions(text):
    """Lines from the first section of BFD on, without the incumbent's innards; values that must differ left out."""
    lines = [x for x in text[text.index("------< BFD Data"):].splitlines() if not THEIRS.match(x)]
    return [re.split(r" ?= ?| 0x| \d+$", x)[0] if OWN.match(x) else x for x in lines if not x.startswith(" fd_in")]


def of(lane, cmd, ips):
    """While B1 is up, and after its peer has died."""
    with lane.lab("ab") as lab:
        check((lab.a.ip, lab.b.ip) == ips, "addresses of the lab: %s %s", lab.a.ip, lab.b.ip)
        peer = lab.b.start(lane.daemon, PEER)
        d = Dumps(lane, lab, cmd, CONF)
        lab.wait(lambda: "local state = Up" in d.ask(signal.SIGUSR1, "keepalived_bfd.data"), 15, "the session", 0.3)
        up = d.ask(signal.SIGUSR1, "keepalived_bfd.data")
        before = time.time()
        peer.kill_all()
        lab.wait(lambda: "local state = Up" not in d.ask(signal.SIGUSR1, "keepalived_bfd.data"), 10, "its end", 0.3)
        return up, d.ask(signal.SIGUSR1, "keepalived_bfd.data"), before


@case("dump-bfd", "keepalived_bfd.data line by line as the incumbent's, up and after the peer died; when it was last heard; none without sessions", limit=120)
def dump_bfd(lane):
    if not lane.incumbent:
        raise Skip("the incumbent is not installed")
    ips = ("10.77.0.1", "10.77.0.2")
    ours, theirs = of(lane, lane.daemon, ips), of(lane, lane.incumbent, ips)
    check(sessions(ours[0]) == sessions(theirs[0]), "up: %s\ntheirs: %s", ours[0], theirs[0])
    for text in (ours[1], theirs[1]):
        check("   local state = Down\n" in text and "   local diag = Control Detection Time Expired\n" in text, "down: %s", text)
    last, words = re.search(r"last seen = ([0-9.]+) \((.*)\)", ours[1]).groups()
    check(0 <= ours[2] - float(last) + 0.5 < 2, "last heard %s, the peer died at %s", last, ours[2])
    check(words == time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(int(float(last)))) + "." + last.split(".")[1], "%s is not %s", words, last)
    with lane.lab("a") as lab:
        d = Dumps(lane, lab, lane.daemon, CONF[CONF.index("vrrp_instance"):])
        d.ask(signal.SIGUSR1, "keepalived.data")
        d.ask(signal.SIGUSR1, "keepalived_parent.data")

        check(not os.path.exists(d.dir + "/keepalived_bfd.data") and "nothing to write" not in d.daemon.read_log(), "a dump of no sessions")
    return "%d lines the same" % len(sessions(ours[0]))
