"""Keywords of the daemon itself, each judged by what it does: where the text comes from, in which namespace and under which names the rooms
live, the scripts around them, name tables of routes, files of a reload."""
import json
import os
import platform
import re
import resource
import signal
import subprocess
import time

from case import case, check
from lab import conf, now, process_name, run
from lab.daemon import Hang, children
from process import becomes, buffers, field, own_cpus

INTERVAL = 0.2


def text(glob_=(), *blocks, vips=conf.VIPS, extra="", priority=200, vrid=51, top=""):
    return top + conf.whole(conf.instance(priority=priority, interval=INTERVAL, extra=extra, vips=vips, vrid=vrid), *blocks,
                            glob="".join("    %s\n" % line for line in glob_))


def put(path, content, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(content)
    os.chmod(path, mode)
    return path


def verdict(lane, path, *args):
    """(status, what was said) of the configuration test."""
    p = subprocess.run([*lane.daemon, "-t", "-f", path, *args], capture_output=True, text=True, timeout=20)
    return p.returncode, p.stderr + p.stdout


def room(d, role):
    """By its name: these daemons choose their pid files themselves."""
    return next((p for p in children(d.pid) if process_name(p) == "holdfast-" + role), None)


def inside(d, path):
    """A file as the daemon sees it: it has a /run of its own."""
    return "/proc/%d/root%s" % (d.pid, path)


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return None


def bare(lane, before=""):
    """The daemon without the options for pid files, after some shell commands."""
    return ["sh", "-c", before + "\nexec \"$1\" -f \"$3\" -n -l -D", "sh", *lane.daemon]


# ---- where the text comes from

INCLUDES = (("include none.conf", 4), ("include none*.conf", 0), ("include {part,none}.conf", 0), ("include dir.conf", 4),
            ("include d*.conf", 0), ("includer none*.conf", 0), ("includer d*.conf", 4), ("includem none*.conf", 0),
            ("includem none.conf", 4), ("includem d*.conf", 4), ("includew none*.conf", 4), ("includew {part,none}.conf", 0),
            ("includew {part,none*}.conf", 0), ("includew {none*,nix*}.conf", 4), ("includew p*.conf", 0), ("includeb none*.conf", 0),
            ("includeb {part,none}.conf", 4), ("includeb {part,other}.conf", 0), ("includea none*.conf", 4),
            ("includea {part,none}.conf", 4), ("includea {part,other}.conf", 0))
CHECKS = (("read", "include d*.conf", 4), ("readable", "include d*.conf", 4), ("read", "include none*.conf", 0),
          ("match", "include d*.conf", 4), ("match", "include none*.conf", 0), ("wildcard_match", "include none*.conf", 4),
          ("wildcard_match", "include {part,none}.conf", 0), ("brace_match", "include {part,none}.conf", 4),
          ("", "include none*.conf", 4), ("", "include {part,none}.conf", 4), ("wildcard_match\ninclude_check -wildcard_match", "include none*.conf", 0),
          ("brace_match\ninclude_check +wildcard_match", "include {part,none}.conf", 4), ("sometimes", "include p*.conf", 5))


@case("kw-includes", "include and its five strict forms, include_check: which missing file is an error, in -t, at a start and at a reload")
def includes(lane):
    with lane.lab("a") as lab:
        main = lab.root + "/conf/main.conf"
        put(lab.root + "/conf/part.conf", "! nothing\n")
        put(lab.root + "/conf/other.conf", "! nothing\n")
        put(lab.root + "/conf/strict.conf", "global_defs {\n    include_check\n}\n")
        os.mkdir(lab.root + "/conf/dir.conf")
        tries = [(line, line, want) for line, want in INCLUDES]
        tries += [("include_check %s, %s" % (word, line), "global_defs {\n    include_check %s\n}\n%s" % (word, line), want)
                  for word, line, want in CHECKS]
        tries += [("include_check in an included file holds there only", "include strict.conf\ninclude none*.conf", 0)]
        for name, lines, want in tries:
            put(main, text() + lines + "\n")
            got, said = verdict(lane, main)
            check(got == want, "%s: status %d, not %d: %s", name, got, want, said)
        d = lab.a.start(lane.daemon, text() + "includew %s/conf/none*.conf\n" % lab.root)
        check(d.proc.wait(10) == 4, "a start ends with %d", d.proc.returncode)
        vip = put(lab.root + "/vips/one.conf", "10.77.0.100/24\n")
        whole = text(vips=()).replace("virtual_ipaddress {\n        \n", "virtual_ipaddress {\n        includew %s/vips/*.conf\n" % lab.root)
        check("includew" in whole, "the test's own text is wrong")
        d = lab.a.start(lane.daemon, whole)
        lab.wait_master("a", ("10.77.0.100",), 8)
        os.unlink(vip)
        d.reload()
        lab.wait(lambda: "reload refused" in d.read_log(), 4, "a refused reload")
        check("10.77.0.100" in lab.a.addresses(), "the address is gone after a refused reload")
        put(lab.root + "/vips/two.conf", "10.77.0.101/24\n")
        d.reload()
        lab.wait(lambda: {"10.77.0.100", "10.77.0.101"} & set(lab.a.addresses()) == {"10.77.0.101"}, 4, "the other address")
        return "%d forms" % len(tries)


EXPANDED = """
global_defs {
    router_id LAB
}
vrrp_instance VI_${_INSTANCE} {
    state BACKUP
    interface eth0
    version 3
    virtual_router_id ${_ENV KW_VRID}
    @one priority 150
    @two priority 160
    @^one advert_int 3
    @^two advert_int 0.2
    virtual_ipaddress {
        ~SEQ(i, 100, 2, 104) 10.77.0.${i}/24
        include ${_PWD}/sub/${_INSTANCE}.conf
        10.77.0.120/24 ${_HASH} dev nowhere
        10.77.0.121/24 ${_BANG} dev nowhere
        ${_HASH} 10.77.0.122/24
    }
    virtual_ipaddress_excluded {
        ~SEQx(h, 9, 11) fd77::${h}/64
        ~LST({a, n}, {10.77.1.1, 32}, {10.77.2.2, 31}) ${a}/$n
        ~LST(a, 5, 6) ~SEQ(b, 2) 10.77.${a}.${b}/32
        ${_ENV KW_NOTHING}10.77.7.1/32
    }
}
"""


@case("kw-expansion", "@ID and @^ID, _PWD, _INSTANCE, _ENV, _HASH, _BANG, ~SEQ, ~SEQx, ~LST: on the wire and on the interface")
def expansion(lane):
    with lane.lab("a") as lab:
        before = set(lab.a.addresses())
        main = put(lab.root + "/t/main.conf", EXPANDED)
        put(lab.root + "/t/sub/one.conf", "include ${_PWD}/deeper/x.conf\n")
        put(lab.root + "/t/sub/deeper/x.conf", "10.77.0.110/24\n")
        d = lab.a.start(lane.daemon, "include %s\n" % main, args=["-i", "one"], env={"KW_VRID": "77"})
        first = lab.wait_master("a", ("10.77.0.100",), 8)
        check((first.vrid, first.priority) == (77, 150), "VRID %d, priority %d", first.vrid, first.priority)
        want = {"10.77.0.%d" % n for n in (100, 102, 104, 110, 120, 121)} | {"fd77::9", "fd77::a", "fd77::b", "10.77.1.1", "10.77.2.2"}
        want |= {"10.77.%d.%d" % (a, b) for a in (5, 6) for b in (1, 2)} | {"10.77.7.1"}
        lab.wait(lambda: set(lab.a.addresses()) - before == want, 3, "addresses %s, they are %s" % (want, set(lab.a.addresses()) - before))
        check("VI_one: BACKUP -> MASTER" in d.read_log(), "the instance is not called VI_one")
        host = platform.node().split(".")[0]
        for line, status in (("@%s nonsense" % host, 5), ("@^%s nonsense" % host, 0)):
            got, said = verdict(lane, put(lab.root + "/id.conf", text() + line + "\n"))
            check(got == status, "%s: status %d: %s", line, got, said)
        return "%d addresses" % len(want)


@case("kw-random", "${_RANDOM}: the same again with the same random_seed, other numbers with another and without, in the range that is written")
def randoms(lane):
    line = "    router_id R${_RANDOM}.${_RANDOM 5 9}.${_RANDOM 32000}.${_RANDOM 0 2000000}\n"
    with lane.lab("a") as lab:
        path = lab.root + "/saved"

        def whole(seed):
            return text([seed, "config_save_dir " + path]).replace("    router_id LAB\n", "").replace("}\n", line + "}\n", 1)

        d = lab.a.start(lane.daemon, whole("random_seed 7"))
        got = []
        for n, seed in enumerate(("random_seed 7", "random_seed 8", "", "", "random_seed 7")):
            lab.wait(lambda: len(re.findall("startup complete|reload complete", d.read_log())) == n + 1, 5, "reading %d" % n)
            saved = read("%s/keepalived.conf.%d.%d" % (path, d.pid, n))
            got.append(tuple(map(int, re.search(r"router_id R(\d+)\.(\d+)\.(\d+)\.(\d+)", saved).groups())))
            d.reload(whole(seed))
        check(got[0] == got[1], "the same seed gives %s, then %s", got[0], got[1])
        check(len(set(got[1:])) == 4, "not four times something else: %s", got)
        for a, b, c, big in got:
            check(a <= 32767 and 5 <= b <= 9 and 32000 <= c <= 32767 and big <= 2000000, "out of range: %s", got)
        return str(got)


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
        d = lab.a.start(bare(lane, make), text((), conf.SERVICE, top=top))
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
        d.reload(text((), conf.SERVICE, top=top, priority=190))
        lab.wait(lambda: lab.adverts("b", priority=190), 4, "the priority of a reload")
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
            return put("%s/%s" % (lab.root, name), "#!/bin/sh\necho $(date +%%s%%N) $(id -un) \"$@\" >>%s/out/%s\nexec sleep %g\n" % (lab.root, name, seconds), 0o755)

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
        return "in their order"


# ---- files of a reload

@case("kw-reload-check-log", "reload_check_config LOGFILE: what the check of the last reload said, for root alone; empty after a good one; no link is followed")
def check_log(lane):
    with lane.lab("a") as lab:
        path, victim = lab.root + "/check.log", put(lab.root + "/victim", "precious")
        glob_ = ["reload_check_config " + path]
        d = lab.a.start(lane.daemon, text(glob_))
        lab.wait_master("a", conf.VIPS, 8)
        check(not os.path.exists(path), "there is a file already")
        for word in ("nonsense", "rubbish"):
            d.reload(text(glob_) + word + " 1\n")
            lab.wait(lambda: "unknown keyword " + word in (read(path) or ""), 4, "%s in %s" % (word, path))
        check("nonsense" not in read(path) and os.stat(path).st_mode & 0o777 == 0o600, "mode %o: %s", os.stat(path).st_mode, read(path))
        d.reload(text(glob_, priority=190))
        lab.wait(lambda: lab.adverts("a", priority=190) and read(path) == "", 4, "a good reload, an empty file")
        os.unlink(path)
        os.symlink(victim, path)
        d.reload(text(["reload_check_config"]) + "nonsense 1\n")
        lab.wait(lambda: "check.log cannot be written" in d.read_log(), 4, "the complaint about a link")
        check(read(victim) == "precious", "another file was emptied through a link")
        d.reload(text(["reload_check_config"]))
        lab.wait(lambda: d.read_log().count("reload complete") == 2, 4, "a reload")
        os.unlink(path)
        d.reload(text(["reload_check_config"]) + "nonsense 1\n")
        lab.wait(lambda: d.read_log().count("reload refused") == 4, 4, "the last refusal")
        check(not os.path.exists(path), "a file nobody asked for")
        return "the last check's words"


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
        for words, seconds in (("child_wait_time 0.8", 0.8), ("child_wait_time 2", 2)):
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
