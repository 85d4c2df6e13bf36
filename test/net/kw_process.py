"""Keywords of the daemon itself, each judged by what it does: in which namespace and under which names the rooms live, the scripts
around them, name tables of routes, tables of nftables, the rooms as processes, the agents."""
import json
import os
import re
import resource
import signal
import socket
import subprocess
import time

import dbus
import snmp
from case import case, check
from kw_text import bare, inside, put, read, room, text, verdict
from lab import alive, conf, now, process_name, run
from lab.daemon import Hang
from lab.sockets import buffers
from process import becomes, field, own_cpus


# ---- where the rooms live

def there(pid):
    return os.readlink("/proc/%d/ns/net" % pid)


def other_netns(lab, node, name):
    """Shell commands that give the daemon, in its private /run, a namespace of that name, and what it is."""
    p = node.spawn(["sleep", "600"])
    lab.wait(lambda: process_name(p.pid) == "sleep", 5, "a process in the other namespace")
    return "mkdir -p /run/netns; : >/run/netns/%s; mount --bind /proc/%d/ns/net /run/netns/%s" % (name, p.pid, name), there(p.pid)


@case("kw-net-namespace", "net_namespace: adverts, addresses and checks from that namespace alone, pid files of its own, a successor too; no change by a reload")
def net_namespace(lane):
    with lane.lab("ab") as lab:
        make, ns = other_netns(lab, lab.b, "other")
        top = "net_namespace other\nnamespace_with_ipsets\n"
        where = put(lab.root + "/where", "#!/bin/sh\nreadlink /proc/self/ns/net >>%s/out\n" % lab.root, 0o755)
        scripts = "notify_master %s" % where
        d = lab.a.start(bare(lane, make), text(["script_user root", "startup_script " + where], conf.SERVICE, top=top, extra=scripts))
        lab.wait_master("b", conf.VIPS, 8)
        lab.wait(lambda: room(d, "checkd"), 3, "checkd")
        check(there(room(d, "ipvsd")) == ns and there(room(d, "checkd")) == ns, "ipvsd or checkd is elsewhere")
        for name, pid in (("holdfast", d.pid), ("vrrp", room(d, "vrrpd")), ("checkers", room(d, "checkd"))):
            got = read(inside(d, "/run/holdfast/other/%s.pid" % name))
            check(got == "%d\n" % pid, "%s.pid: %s, not %d", name, got, pid)
        old = room(d, "ipvsd")
        os.kill(old, signal.SIGKILL)
        lab.wait(lambda: room(d, "ipvsd") not in (None, old), 4, "a new ipvsd")
        check(there(room(d, "ipvsd")) == ns, "the new ipvsd is elsewhere")
        d.reload(text((), conf.SERVICE, top=top.replace("other", "another")))
        lab.wait(lambda: re.search("reload refused.*net_namespace", d.read_log()), 4, "a refused reload")
        d.reload(text(["script_user root", "startup_script " + where], conf.SERVICE, top=top, priority=190, extra=scripts))
        lab.wait(lambda: lab.adverts("b", priority=190), 4, "the priority of a reload")
        check(read(lab.root + "/out") == 2 * (ns + "\n"), "scripts ran in %s", read(lab.root + "/out"))
        check(not lab.adverts("a") and not set(conf.VIPS) & set(lab.a.addresses()), "node a takes part")
        d.stop()
        lab.wait(lambda: not set(conf.VIPS) & set(lab.b.addresses()), 3, "no address left")
        return "node b by a daemon started in a"


@case("kw-net-namespace-ipvs", "net_namespace_ipvs: checks from that namespace, VRRP stays; without a name it is that of PID 1")
def net_namespace_ipvs(lane):
    with lane.lab("ab") as lab:
        make, ns = other_netns(lab, lab.b, "lb")
        tries = [("net_namespace_ipvs lb\n", ns), ("", None)]
        try:
            tries.append(("net_namespace_ipvs\n", there(1)))
        except PermissionError:  # nobody's to enter in here, so the daemon does not start
            d = lab.a.start(bare(lane, make), text((), conf.SERVICE, top="net_namespace_ipvs\n"))
            check(d.proc.wait(5) == 1 and "namespace of PID 1 cannot be opened" in d.read_log(), "a start with %d", d.proc.returncode)
        for top, want in tries:
            d = lab.a.start(bare(lane, make), text((), conf.SERVICE, top=top))
            lab.wait_master("a", conf.VIPS, 8)
            lab.wait(lambda: room(d, "checkd"), 3, "checkd")
            home = there(room(d, "ipvsd"))
            check(home == there(d.pid), "ipvsd has moved")
            check(there(room(d, "checkd")) == (want or home), "%s: checkd is in %s", top.strip(), there(room(d, "checkd")))
            d.stop()
            lab.wait(lambda: not set(conf.VIPS) & set(lab.a.addresses()), 3, "no address left")
        return "%d places" % len(tries)


@case("kw-instance", "instance: two daemons in one namespace, pid files with its name; the same name twice is refused; use_pid_dir alone")
def instances(lane):
    with lane.lab("a") as lab:
        one = put(lab.root + "/one.conf", text(vips=("10.77.0.100",), vrid=61, top="instance one\n"))
        again = "\"$1\" -f %s -n -l >%s/again 2>&1; echo status $? >>%s/again" % (one, lab.root, lab.root)
        before = ("\"$1\" -f %s -n -l -D &\nwhile [ ! -s /run/holdfast/holdfast_one.pid ]; do sleep 0.05; done; %s" % (one, again))
        d = lab.a.start(bare(lane, before), text(vips=("10.77.0.101",), vrid=62, top="instance two\n"))
        lab.wait(lambda: {"10.77.0.100", "10.77.0.101"} <= set(lab.a.addresses()), 10, "both addresses")
        check({a.vrid for a in lab.adverts("a") if a.priority} == {61, 62}, "VRIDs %s", {a.vrid for a in lab.adverts("a")})
        check("already running" in read(lab.root + "/again") and "status 0" in read(lab.root + "/again"), "the second of that name: %s",
              read(lab.root + "/again"))
        for name, pid in (("holdfast", d.pid), ("vrrp", room(d, "vrrpd"))):
            got = read(inside(d, "/run/holdfast/%s_two.pid" % name))
            check(got == "%d\n" % pid, "%s_two.pid: %s, not %d", name, got, pid)
        pid = int(read(inside(d, "/run/holdfast/holdfast_one.pid")))
        check(pid != d.pid and process_name(pid) == "holdfast", "holdfast_one.pid: %d", pid)
        d.reload(text(vips=("10.77.0.101",), vrid=62, top="instance three\n"))
        lab.wait(lambda: re.search("reload refused.*instance", d.read_log()), 4, "a refused reload")
        os.kill(pid, signal.SIGTERM)
        d.stop()
        for top, place in (("use_pid_dir\n", "/run/holdfast/holdfast.pid"), ("", "/run/holdfast.pid")):
            d = lab.a.start(bare(lane), text(top=top))
            lab.wait(lambda: read(inside(d, place)) == "%d\n" % d.pid, 5, place)
            d.stop()
        return "two, neither in the other's way"


# ---- scripts around the rooms

@case("kw-start-stop-scripts", "startup_script before the first advert, shutdown_script after the last, as their user, each ended at its time limit; not at a reload")
def start_stop(lane):
    with lane.lab("a") as lab:
        def script(name, seconds):
            return put("%s/%s" % (lab.root, name), "#!/bin/sh\necho $$ >%s/out/%s.pid\n"
                       "echo $(date +%%s%%N) $(id -un) \"$@\" >>%s/out/%s\nexec sleep %g\n" % (lab.root, name, lab.root, name, seconds), 0o755)

        def wrote(name):
            return [line.split() for line in (read("%s/out/%s" % (lab.root, name)) or "").splitlines()]

        os.mkdir(lab.root + "/out")
        os.chmod(lab.root + "/out", 0o777)
        up, down, slow_up, slow_down = script("up", 0.7), script("down", 0), script("slow-up", 30), script("slow-down", 30)
        d = lab.a.start(lane.daemon, text(["startup_script \"%s 'a b' c\" nobody nogroup" % up, "shutdown_script %s nobody" % down]))
        first = lab.wait_master("a", conf.VIPS, 8)
        (at, *words), = wrote("up")
        check(words == ["nobody", "a", "b", "c"], "startup_script says %s", words)
        check(first.ts - int(at) > 0.7e9, "an advert %.0f ms after its begin", (first.ts - int(at)) / 1e6)
        check(not lab.events("addr+", "a", addr=conf.VIPS[0], until=int(at) + int(0.7e9)), "an address before its end")
        d.reload()
        lab.wait(lambda: "reload complete" in d.read_log(), 4, "a reload")
        check(len(wrote("up")) == 1 and not wrote("down"), "scripts ran at a reload")
        d.stop()
        (at, *words), = wrote("down")
        check(words == ["nobody"] and int(at) > lab.adverts("a")[-1].ts, "shutdown_script: %s", words)
        check(lab.adverts("a")[-1].priority == 0 and not set(conf.VIPS) & set(lab.a.addresses()), "not all was over")
        began = now()
        d = lab.a.start(lane.daemon, text(["startup_script " + slow_up, "startup_script_timeout 1", "shutdown_script " + slow_down, "shutdown_script_timeout 1", "script_user root"]))
        lab.wait(lambda: wrote("slow-up"), 5, "the slow script")
        at = int(wrote("slow-up")[0][0])
        first = lab.wait_master("a", conf.VIPS, 8, since=began)
        check(1e9 < first.ts - at < 3e9, "an advert %.0f ms after its begin", (first.ts - at) / 1e6)
        check("startup_script did not end in time" in d.read_log(), "nothing was said of it")
        status, seconds = d.stop()
        check(status == 0 and 1 < seconds < 3, "the stop takes %.1f s, status %d", seconds, status)
        check(wrote("slow-down"), "shutdown_script did not run")
        d = lab.a.start(lane.daemon, text(["startup_script " + slow_up, "shutdown_script " + down, "script_user root"]))
        lab.wait(lambda: len(wrote("slow-up")) == 2, 5, "the slow script again")
        pid = int(read(lab.root + "/out/slow-up.pid"))
        status, seconds = d.stop()
        check(status == 0 and seconds < 2 and len(wrote("down")) == 2, "a stop during startup_script: status %d, %.1f s", status, seconds)
        lab.wait(lambda: not alive(pid), 3, "the end of startup_script")
        return "in their order"


# ---- names of iproute2

TABLES = """
    virtual_routes {
        192.168.7.0/24 via 10.77.0.2 table blue protocol mine no_track
        192.168.8.0/24 dev eth0 table red scope near
        192.168.9.0/24 dev eth0 table both
        192.168.10.0/24 dev eth0 table more realms kingdom
    }
    virtual_rules {
        from 10.9.0.0/16 table blue preference 1000
        from 10.8.0.0/16 dsfield gold table red suppress_ifgroup crowd preference 1001
    }
"""


@case("kw-iproute-dirs", "iproute_etc_dir and iproute_usr_dir: names of tables, protocols, scopes, realms, dsfield and groups come from there; etc first; a reload reads them again")
def iproute_dirs(lane):
    with lane.lab("a") as lab:
        etc, usr = lab.root + "/etc", lab.root + "/usr"
        for path, content in ((etc + "/rt_tables", "# mine\n100 blue\n300 both\n"), (etc + "/rt_tables.d/more.conf", "0x190 more\n"),
                              (usr + "/rt_tables", "200 red\n999 both\n"), (etc + "/rt_protos", "77 mine\n"), (usr + "/rt_scopes", "201\tnear\n"),
                              (etc + "/rt_realms", "5 kingdom\n"), (usr + "/rt_dsfield", "0x10 gold\n"), (etc + "/group", "9 crowd\n")):
            put(path, content)

        def routes(table):
            return run("ip", "-n", lab.a.ns, "-N", "route", "show", "table", str(table), check=False).stdout.splitlines()

        dirs = ["iproute_etc_dir " + etc, "iproute_usr_dir " + usr]
        d = lab.a.start(lane.daemon, text(dirs, extra=TABLES))
        lab.wait_master("a", conf.VIPS, 8)
        lab.wait(lambda: routes(400), 3, "the last route")
        got = {t: routes(t) for t in (100, 200, 300, 400, 999)}
        check([len(got[t]) for t in got] == [1, 1, 1, 1, 0], "routes %s", got)
        for table, dst, word in ((100, "192.168.7.0/24", "proto 77"), (200, "192.168.8.0/24", "scope 201"), (300, "192.168.9.0/24", ""), (400, "192.168.10.0/24", "realm 5")):
            check(got[table][0].startswith(dst) and word in got[table][0], "table %d: %s", table, got[table])
        rules = run("ip", "-n", lab.a.ns, "-N", "rule", "show").stdout
        check(re.search(r"1000:.*10\.9\.0\.0/16.*lookup 100", rules), "rules: %s", rules)
        check(re.search(r"1001:.*10\.8\.0\.0/16.*tos 0x10.*lookup 200 suppress_ifgroup 9", rules), "rules: %s", rules)
        put(etc + "/rt_tables", "101 blue\n301 both\n")
        d.reload()
        lab.wait(lambda: routes(101) and routes(301) and not routes(100) and not routes(300), 4, "the routes in their new tables")
        check("lookup 101" in run("ip", "-n", lab.a.ns, "-N", "rule", "show").stdout, "the rule stayed")
        main = put(lab.root + "/t.conf", text(extra=TABLES))
        check(verdict(lane, main)[0] == 5, "names of nobody's are accepted: %s", verdict(lane, main))
        return "six kinds of names"


@case("kw-default-interface", "default_interface: static addresses without dev are there, without it on eth0; a reload moves them")
def default_interface(lane):
    static = "static_ipaddress {\n    10.88.0.1/24\n    fd88::1/64\n    10.89.0.1/24 dev eth0\n}\n"
    with lane.lab("a") as lab:
        def where():
            links = json.loads(run("ip", "-n", lab.a.ns, "-j", "addr").stdout)
            return {a["local"]: link["ifname"] for link in links for a in link["addr_info"] if a["local"].startswith(("10.8", "fd88"))}

        def wait(dev):
            want = {"10.88.0.1": dev, "fd88::1": dev, "10.89.0.1": "eth0"}
            lab.wait(lambda: where() == want, 5, "static addresses on %s, they are %s" % (dev, where()))

        lab.a.batch("link add dum0 type veth peer name dum1\nlink set dum0 up\nlink set dum1 up")
        d = lab.a.start(lane.daemon, text(["default_interface dum0"], static))
        lab.wait_master("a", conf.VIPS, 8)
        wait("dum0")
        check({link["ifname"] for link in json.loads(run("ip", "-n", lab.a.ns, "-j", "addr").stdout)
               for a in link["addr_info"] if a["local"] in conf.VIPS} == {"eth0"}, "virtual addresses elsewhere")
        d.reload(text(["default_interface dum1"], static))
        wait("dum1")
        d.reload(text([], static))
        wait("eth0")
        return "dum0, dum1, eth0"


# ---- users and paths of scripts

@case("kw-script-user", "set_supplementary_groups gives a script its user's groups; use_symlink_paths runs it by the path that is written")
def script_user(lane):
    with lane.lab("a") as lab:
        out = lab.root + "/out"
        os.mkdir(out)
        os.chmod(out, 0o777)
        real = put(lab.root + "/bin/real", "#!/bin/sh\necho \"$0 $(id -G | tr ' ' ,)\" >>%s/said\n" % out, 0o755)
        link = lab.root + "/bin/link"
        os.symlink(real, link)
        group = put(lab.root + "/group", read("/etc/group") + "kwone:x:64001:nobody\nkwtwo:x:64002:nobody\n")
        cmd = ["sh", "-c", "mount --bind %s /etc/group; exec \"$@\"" % group, "sh", *lane.daemon]
        nogroup = int(run("id", "-g", "nobody").stdout)
        every = {(): (real, {nogroup}), ("set_supplementary_groups", "use_symlink_paths on"): (link, {nogroup, 64001, 64002}),
                 ("set_supplementary_groups off", "use_symlink_paths off"): (real, {nogroup})}
        d = None
        for n, (words, want) in enumerate(every.items(), 1):
            whole = text(["script_user nobody", *words], vips=("10.77.0.100",), extra="notify_master \"%s\"\nnotify_backup \"%s\"" % (link, link), priority=200)
            d = lab.a.start(cmd, whole) if d is None else d
            if n > 1:
                d.reload(whole)
                lab.wait(lambda: d.read_log().count("reload complete") == n - 1, 4, "a reload")
                os.unlink(out + "/said")
                run("ip", "-n", lab.a.ns, "link", "set", "eth0", "down")
                lab.wait(lambda: "10.77.0.100" not in lab.a.addresses() or "FAULT" in d.read_log(), 4, "a fault")
                run("ip", "-n", lab.a.ns, "link", "set", "eth0", "up")
            lab.wait(lambda: read(out + "/said"), 8, "the script's words")
            path, groups = read(out + "/said").split("\n")[0].split()
            check((path, set(map(int, groups.split(",")))) == want, "%s: %s %s, not %s", words, path, groups, want)
        return "%d forms" % len(every)


@case("kw-log-names", "net_namespace and instance are part of the name in the system log, of the parent and of a room")
def log_names(lane):
    with lane.lab("a") as lab, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(lab.root + "/mylog")
        os.chmod(lab.root + "/mylog", 0o666)
        log.settimeout(0.2)
        make, _ = other_netns(lab, lab.a, "blue")
        names = {}
        for top, suffix in (("net_namespace blue\ninstance one\n", "_blue_one"), ("instance two\n", "_two"), ("", "")):
            cmd = ["sh", "-c", make + "\nexec \"$1\" -f \"$3\" -n -D", "sh", *lane.daemon]
            d = lab.a.start(cmd, text(top=top), env={"HFLAB_LOG": lab.root + "/mylog"})
            seen, end = set(), time.monotonic() + 8
            want = {"holdfast" + suffix, "holdfast-vrrpd" + suffix}
            while not want <= seen and time.monotonic() < end:
                try:
                    m = re.search(rb" ([\w-]+)(?:\[\d+\])?: ", log.recv(9000))
                    seen |= {m.group(1).decode()} if m else set()
                except TimeoutError:
                    pass
            check(want <= seen, "%s: the log knows %s, not %s", top, seen, want)
            names[suffix] = seen
            d.stop()
            try:
                while log.recv(9000):
                    pass
            except TimeoutError:
                pass
        check(not any("_" in n for n in names[""]), "a suffix of nobody's: %s", names[""])
        return str(names)


# ---- nftables

def nft(node, *argv):
    return run("ip", "netns", "exec", node.ns, "nft", *argv, check=False).stdout


@case("kw-nftables-names", "nftables NAME: two daemons in one namespace, each with tables of its own, for addresses and for macvlans; vrrp_iptables and vrrp_ipsets mean nftables")
def nftables_names(lane):
    def whole(n, *glob_):
        return text(glob_, vips=("10.77.0.10%d" % n,), vrid=60 + n, extra="no_accept\nuse_vmac", top="instance i%d\n" % n)

    def of(n):
        """Addresses silenced and reports moved by daemon n."""
        return set(re.findall(r"10\.77\.0\.10\d", nft(lab.a, "list", "set", "ip", "t%d" % n, "vips"))), \
            set(re.findall(r"vrrp\.6\d", nft(lab.a, "list", "map", "ip", "t%d_vmac" % n, "vmac_map")))

    with lane.lab("a") as lab:
        one = put(lab.root + "/one.conf", whole(1, "nftables t1"))
        d = lab.a.start(bare(lane, "\"$1\" -f %s -n -l -D & sleep 0.3" % one), whole(2, "nftables t2"))
        lab.wait(lambda: {"10.77.0.101", "10.77.0.102"} <= set(lab.a.addresses()), 10, "both addresses")
        want = {n: ({"10.77.0.10%d" % n}, {"vrrp.6%d" % n}) for n in (1, 2)}
        lab.wait(lambda: {n: of(n) for n in (1, 2)} == want, 3, "tables of their own: %s" % nft(lab.a, "list", "ruleset"))
        os.kill(int(read(inside(d, "/run/holdfast/holdfast_i1.pid"))), signal.SIGTERM)
        lab.wait(lambda: of(1) == (set(), set()) and of(2) == want[2], 5, "the first one's tables gone, the second one's there")
        d.stop()
        check(not nft(lab.a, "list", "tables"), "left behind: %s", nft(lab.a, "list", "tables"))
        for glob_, table in ((["vrrp_iptables"], "keepalived"), (["vrrp_iptables IN OUT", "vrrp_ipsets a b c"], "keepalived"),
                             (["vrrp_iptables", "nftables mine"], "mine"), (["nftables"], "keepalived")):
            d = lab.a.start(lane.daemon, text(glob_, extra="no_accept"))
            lab.wait_master("a", conf.VIPS, 8)
            lab.wait(lambda: set(conf.VIPS) <= set(re.findall(r"[\d.]{9,}", nft(lab.a, "list", "set", "ip", table, "vips"))), 3,
                     "%s: the addresses in table %s" % (glob_, table))
            check(("vrrp_iptables: nftables is used instead" in d.read_log()) == ("vrrp_iptables" in glob_[0]), "the log: %s", d.read_log())
            d.stop()
        return "two daemons, four ways to say it"


# ---- the rooms as processes

@case("kw-process-rows", "checker_* and bfd_* rows, old *_rlimit_rtime, names of a daemon with BFD alone: in force, changed and taken away by a reload")
def process_rows(lane):
    mine = sorted(os.sched_getaffinity(0))
    one, all_ = str(mine[-1]), own_cpus()
    bfd = "bfd_instance B {\n    neighbor_ip 10.77.0.99\n    min_rx 500\n    min_tx 500\n}\n"
    idle = "OTHER", 0
    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, text(["checker_cpu_affinity " + one, "checker_rt_priority 3", "checker_rlimit_rtime 80000", "checker_priority -4",
                                           "vrrp_rt_priority 4", "vrrp_rlimit_rtime 90000"], conf.SERVICE))
        lab.wait_master("a", conf.VIPS, 8)
        becomes(lab, d, "checkd", ("RR", 3, -4, one, "80000"))
        becomes(lab, d, "vrrpd", ("RR", 4, -10, all_, "90000"))
        d.reload(text(["checker_process_name lbchecks", "bfd_process_name unused"], conf.SERVICE))
        becomes(lab, d, "checkd", (*idle, 0, all_, "unlimited"))
        lab.wait(lambda: (process_name(d.role("checkd")), process_name(d.role("vrrpd"))) == ("lbchecks", "holdfast-vrrpd"), 3, "the name")
        d.stop()
        glob_ = ["bfd_cpu_affinity " + one, "bfd_rt_priority 6", "bfd_rlimit_rtime 70000", "bfd_priority -8", "bfd_process_name onlybfd", "bfd_no_swap"]
        d = lab.a.start(lane.daemon, conf.whole(bfd, glob="".join("    %s\n" % g for g in glob_)))
        becomes(lab, d, "vrrpd", ("RR", 6, -8, one, "70000"), 8)
        lab.wait(lambda: process_name(d.role("vrrpd")) == "onlybfd", 3, "the name")
        if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY:
            check(int(field(d.role("vrrpd"), "VmLck").split()[0]) > 1000, "bfd_no_swap: nothing is locked")
        else:
            check("LimitMEMLOCK=infinity" in d.read_log(), "bfd_no_swap: nothing is said")
        d.reload(conf.whole(bfd, glob="    process_names\n"))
        becomes(lab, d, "vrrpd", (*idle, -10, all_, "unlimited"))
        lab.wait(lambda: process_name(d.role("vrrpd")) == "keepalived_bfd", 3, "the usual name")
        return "as written"


@case("kw-netlink-buffers", "vrrp_netlink_monitor, vrrp_netlink_cmd and lvs_netlink_monitor buffers: the larger one, forced or held to what the system allows; a reload changes them")
def netlink_buffers(lane):
    routes = "virtual_routes {\n        192.168.7.0/24 via 10.77.0.2\n    }"  # whoever has routes listens for them too
    with lane.lab("a") as lab:
        most = int(read("/proc/sys/net/core/rmem_max"))

        def wait(size, there=True):
            lab.wait(lambda: d.role("ipvsd") and (size in buffers(d.role("ipvsd")).get(("AF_NETLINK", 0), [])) == there, 4,
                     "a buffer of %d%s" % (size, "" if there else " no more"))

        d = lab.a.start(lane.daemon, text(["vrrp_netlink_monitor_rcv_bufs 20345678", "vrrp_netlink_monitor_rcv_bufs_force", "lvs_netlink_monitor_rcv_bufs 30345678",
                                           "lvs_netlink_monitor_rcv_bufs_force"], extra=routes))
        lab.wait_master("a", conf.VIPS, 8)
        wait(30345678)
        wait(20345678)
        d.reload(text(["vrrp_netlink_monitor_rcv_bufs 40345678", "vrrp_netlink_monitor_rcv_bufs_force on", "vrrp_netlink_cmd_rcv_bufs 9345678"]))
        wait(40345678)
        wait(30345678, False)
        check(9345678 <= most or 9345678 not in buffers(d.role("ipvsd"))[("AF_NETLINK", 0)], "beyond rmem_max without _force")
        if most < 9345678:
            check(re.search(r"vrrp_netlink_cmd_rcv_bufs 9345678: the system allows \d+ .*vrrp_netlink_cmd_rcv_bufs_force", d.read_log()), "nothing is said")
        d.reload(text(["vrrp_netlink_cmd_rcv_bufs 9345678", "vrrp_netlink_cmd_rcv_bufs_force"]))
        wait(9345678)
        d.reload(text())
        wait(9345678, False)
        return "rmem_max is %d" % most


@case("kw-child-wait-time", "child_wait_time: a room that does not end is killed after it, and the daemon ends", limit=60)
def child_wait(lane):
    with lane.lab("a") as lab:
        took = {}
        for words, seconds in (("child_wait_time 1", 1), ("child_wait_time 3", 3)):
            d = lab.a.start(lane.daemon, text(top="%s\n" % words))
            lab.wait_master("a", conf.VIPS, 8)
            hang = Hang(d.role("ipvsd"))
            try:
                d.signal(signal.SIGTERM)
                began = time.monotonic()
                while d.proc.poll() is None and time.monotonic() - began < 10:
                    hang.reap()
                    time.sleep(0.02)
            finally:
                hang.release()
            took[seconds] = time.monotonic() - began
            check(d.proc.poll() is not None and seconds - 0.1 < took[seconds] < seconds + 1, "child_wait_time %g: ended after %.1f s", seconds, took[seconds])
            run("ip", "-n", lab.a.ns, "addr", "flush", "dev", "eth0", "to", "10.77.0.100/30")
        return str(took)


# ---- the agents

@case("kw-dbus-names", "dbus_service_name, dbus_no_interface_name, instance and net_namespace: the name on the bus and the paths; a reload changes the names", limit=90)
def dbus_names(lane):
    free = "vrrp_instance VI_u {\n    state BACKUP\n    version 3\n    virtual_router_id 77\n    priority 100\n    advert_int 0.2\n    unicast_src_ip 10.77.0.1\n" \
           "    unicast_peer {\n        10.77.0.9\n    }\n    virtual_ipaddress {\n        10.77.0.177/24 dev eth0\n    }\n}\n"

    def whole(*glob_):
        return text(["enable_dbus", *glob_], free, top="instance site\n")

    def paths(name):
        return {p for p in bus.busctl("tree", "--list", name, status=False).stdout.split() if re.search("/(IPv4|Vrrp)$", p)}

    with lane.lab("a") as lab, dbus.Bus(lane) as bus:
        with open(dbus.POLICY) as f, open(bus.dir + "/other.conf", "w") as g:
            g.write(f.read().replace(dbus.NAME, "net.example.Two"))
        with open(bus.dir + "/conf") as f:
            more = f.read().replace("</busconfig>", "<include>%s/other.conf</include></busconfig>" % bus.dir)
        with open(bus.dir + "/conf", "w") as f:
            f.write(more)
        bus.stop()
        bus.start()
        d = lab.a.start(lane.daemon, whole("dbus_service_name net.example.Two", "dbus_no_interface_name nowhere"))
        lab.wait_master("a", conf.VIPS, 8)
        bus.programs.append(subprocess.Popen(["nsenter", "-t", str(d.pid), "-m", "-n", dbus.beside(lane, "holdfast-dbus"), "-a", bus.address,
                                              "-s", "/run/holdfast/site/status"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        root = dbus.ROOT + "/site"
        want = {root + "/Vrrp", root + "/Instance/eth0/51/IPv4"}
        lab.wait(lambda: paths("net.example.Two") == {*want, root + "/Instance/nowhere/77/IPv4"}, 10, "the paths", 0.1)
        check(dbus.NAME not in bus.busctl("list").stdout.split(), "the usual name is on the bus")
        d.reload(whole())
        lab.wait(lambda: paths(dbus.NAME) == {*want, root + "/Instance/none/77/IPv4"}, 15, "the usual name and paths", 0.1)
        check("net.example.Two" not in bus.busctl("list").stdout.split(), "the other name is still on the bus")
        return "two names"


@case("kw-snmp-mibs", "enable_snmp_keepalived, enable_snmp_rfcv2, _rfcv3, _rfc: each shows its own MIBs, with or without the others", limit=90)
def snmp_mibs(lane):
    with lane.lab("a") as lab:
        def whole(*words):
            return text([*snmp.on(lab, "a", *words)], extra="", priority=200).replace("version 3", "version 2").replace("advert_int 0.2", "advert_int 1")

        d = lab.a.start(lane.daemon, whole("enable_snmp_keepalived"))
        lab.wait_master("a", conf.VIPS)
        with snmp.Master(lane, lab, d, traps=False) as m:
            def shown():
                return tuple(bool(m.walk(root)) for root in (snmp.VI + "2", snmp.V2, snmp.V3, snmp.KA + ".3"))

            for words, want in ((("enable_snmp_keepalived",), (True, False, False, False)), (("enable_snmp_rfcv2",), (False, True, False, False)),
                                (("enable_snmp_rfcv3",), (False, False, True, False)), (("enable_snmp_rfc",), (False, True, True, False))):
                d.reload(whole(*words))
                lab.wait(lambda: shown() == want, 15, "%s: %s, it is %s" % (words, want, shown()), 0.3)
        return "four sets"
