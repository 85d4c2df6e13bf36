"""Keywords of the configuration's text: where it comes from (include in all its forms), what it becomes (conditions, definitions,
generators), which files a reload leaves. Also what the other kw_ cases of the daemon share."""
import os
import platform
import re
import subprocess
import time

from case import case, check
from lab import conf, process_name
from lab.daemon import children

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


@case("kw-reload-file", "reload_file alone is beside the pid file, with the instance's name; tmp_config_directory: no copy there, no change by a reload")
def reload_file(lane):
    big = "".join("! %s\n" % ("x" * 200) for _ in range(40000))  # so that reading takes a while
    with lane.lab("a") as lab:
        os.mkdir(lab.root + "/tmp")
        glob_ = ["tmp_config_directory %s/tmp" % lab.root, "reload_file"]
        d = lab.a.start(bare(lane), text(glob_, top="instance x\n"))
        lab.wait_master("a", conf.VIPS, 8)
        path = inside(d, "/run/holdfast/holdfast_x.reload")
        check(not os.path.exists(path), "there after the start")
        d.reload(text(glob_, top="instance x\n", priority=190) + big)
        lab.wait(lambda: os.path.exists(path), 4, path, step=0.0005)
        lab.wait(lambda: not os.path.exists(path) and lab.adverts("a", priority=190), 5, "the file gone, the reload in force")
        check(not os.listdir(lab.root + "/tmp"), "files: %s", os.listdir(lab.root + "/tmp"))
        d.reload(text(["tmp_config_directory /tmp", "reload_file"], top="instance x\n"))
        lab.wait(lambda: re.search("reload refused.*tmp_config_directory", d.read_log()), 4, "a refused reload")
        d.reload(text(["tmp_config_directory %s/tmp" % lab.root], top="instance x\n") + big)
        lab.wait(lambda: d.read_log().count("reload complete") == 2, 5, "a reload")
        d.reload(text(["tmp_config_directory %s/tmp" % lab.root], top="instance x\n", priority=180) + big)
        while not lab.adverts("a", priority=180):
            check(not os.path.exists(path), "it is made without reload_file")
            time.sleep(0.001)
        return "holdfast_x.reload"
