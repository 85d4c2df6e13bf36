"""What ipvsd does with the kernel's table beyond one service and its servers: what the kernel refuses, services that a reload takes out
while ipvsd dies, time-outs that outlive a crash, groups that two services share.
"""
import time

from case import case, check, equal, need_ours
from lab import Skip, run
from lab.ipvs import GET_CONFIG, number, parse
from lab.lan import VIP, Lan
from lvs_conf import server, service, whole

WEB, ALT = "tcp %s:80" % VIP, "tcp %s:81" % VIP
R1, R2 = "10.77.0.101:80", "10.77.0.102:80"


def timeouts(lan):
    a = parse(lan.table().ask(GET_CONFIG)[0])
    return {"tcp": number(a[4]), "tcpfin": number(a[5]), "udp": number(a[6])}


@case("lvs-refused")
def refused(lane):
    """a scheduler the kernel does not have: an error that names the module, everything else is served, a reload mends it"""
    need_ours(lane)
    if run("modprobe", "-n", "ip_vs_twos", check=False).returncode == 0:
        raise Skip("this kernel has the scheduler twos")
    with Lan(servers=2) as lan:
        good = service(VIP + " 80", server("10.77.0.101 80"))
        d = lan.lb.start(lane.daemon, whole(good, service(VIP + " 81", server("10.77.0.102 80"), scheduler="twos")))
        lan.wait_servers(WEB, {R1: 1})
        lan.wait(lambda: "modprobe ip_vs_twos" in d.read_log(), 20, "the remedy in the log")
        equal(lan.table().servers(ALT), None, "the service without a scheduler")
        check(d.role("ipvsd") is not None, "ipvsd died of it")
        equal(d.read_log().count("modprobe ip_vs_twos"), 1, "times it was said")
        d.reload(whole(good, service(VIP + " 81", server("10.77.0.102 80"), scheduler="wrr")))
        lan.wait_servers(ALT, {R2: 1})
        equal(lan.table().servers(WEB), {R1: 1}, "the other service")


@case("lvs-reload-death")
def death(lane):
    """ipvsd dies at any moment of a reload that takes a service out: it is out in the end, a stranger's stays"""
    need_ours(lane)
    with Lan(servers=2) as lan:
        one = service(VIP + " 80", server("10.77.0.101 80"))
        two = one + service(VIP + " 81", server("10.77.0.102 80"))
        run("ip", "netns", "exec", lan.lb.ns, "ipvsadm", "-A", "-t", "10.77.0.222:99", "-s", "rr")
        d = lan.lb.start(lane.daemon, whole(two))
        for step in range(4):
            lan.wait_servers(ALT, {R2: 1})
            time.sleep(1)
            d.reload(whole(one))
            time.sleep(0.15 * step)
            lan.crash(d, "ipvsd", 30)
            took = []

            def out():
                have = lan.table().table()
                took[:] = [have]
                return ALT not in have
            try:
                lan.wait(out, 20, "the service that is no longer configured")
            except Exception:
                # the death undid the reload: the old configuration is in force as a whole, until it is asked for again
                d.reload(whole(one))
                lan.wait(out, 20, "the service to go with the second reload; the table is %s" % took)
            equal(lan.table().table(), {WEB: {R1: 1}, "tcp 10.77.0.222:99": {}}, "table")
            d.reload(whole(two))
        lan.wait_servers(ALT, {R2: 1})
        status, _ = d.stop(30)
        equal((status, lan.table().table()), (0, {"tcp 10.77.0.222:99": {}}), "exit status and what is left")


@case("lvs-timeouts-crash")
def timeouts_crash(lane):
    """lvs_timeouts outlive the death of ipvsd, follow a reload, and the values from before are back at the end"""
    need_ours(lane)
    with Lan(servers=2) as lan:
        before = timeouts(lan)
        web = service(VIP + " 80", server("10.77.0.101 80"))
        d = lan.lb.start(lane.daemon, whole(web, extra="    lvs_timeouts tcp 1234 udp 77\n"))
        lan.wait_servers(WEB, {R1: 1})
        set_ = {**before, "tcp": 1234, "udp": 77}
        equal(timeouts(lan), set_, "time-outs")
        lan.crash(d, "ipvsd", 30)
        time.sleep(3)
        equal(timeouts(lan), set_, "time-outs after the crash")
        d.reload(whole(web, extra="    lvs_timeouts tcp 999\n"))
        lan.wait(lambda: timeouts(lan) == {**before, "tcp": 999}, 20, "the time-outs of the new configuration")
        status, _ = d.stop(30)
        equal((status, timeouts(lan)), (0, before), "exit status and time-outs after the end")


@case("lvs-shared-group")
def shared(lane):
    """a mark and an address in a group that a TCP and a UDP service share: servers of both under the mark, one can go by reload"""
    with Lan(servers=2) as lan:
        group = "virtual_server_group g {\n    10.77.0.210-211 53\n    fwmark 7\n}\n"
        tcp = service("group g", server("10.77.0.101 53"), timers=(), method="DR")
        udp = service("group g", server("10.77.0.102 53", "weight 5"), timers=(), method="DR", protocol="UDP")
        d = lan.lb.start(lane.daemon, whole(group + tcp + udp))
        a, b = {"10.77.0.101:53": 1}, {"10.77.0.102:53": 5}
        both = {"tcp 10.77.0.210:53": a, "tcp 10.77.0.211:53": a, "udp 10.77.0.210:53": b, "udp 10.77.0.211:53": b,
                "fwm 7": {"10.77.0.101:0": 1, "10.77.0.102:0": 5}}
        lan.wait(lambda: lan.table().table() == both, 30, "the whole group")
        time.sleep(1)
        d.reload(whole(group + udp))
        left = {"udp 10.77.0.210:53": b, "udp 10.77.0.211:53": b, "fwm 7": {"10.77.0.102:0": 5}}
        lan.wait(lambda: lan.table().table() == left, 30, "the group without TCP")
