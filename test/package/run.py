#!/usr/bin/env python3
"""The packages on a clean root file system: built, installed, upgraded, removed, purged, beside keepalived and in its place; then
booted with systemd in the VM (boot.sh). One line a test; SKIP where debhelper, debootstrap or the mirror are missing.

    run.py [--build build] [--only PATTERN,...] [--no-boot]

Each root is an overlay over one minimal Debian under /var/cache/holdfast-package (base.sh), in a mount namespace of our own: what
a test leaves is the overlay's upper folder, and goes with us. No test has a network.
"""
import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("HOLDFAST_PACKAGE", "/var/cache/holdfast-package")
KERNEL = os.environ.get("HOLDFAST_VM", "/var/cache/holdfast-vm")
INSIDE = "HOLDFAST_PACKAGE_INSIDE"
# What `systemd-analyze security` of Debian 12 gives the units at most, here and in the VM.
EXPOSURE = {"holdfast": 4.5, "holdfast-metrics": 1.4, "holdfast-dbus": 0.7, "holdfast-snmp": 1.6}
USERS = re.findall(r"(?m)^u (\S+)", open(TOP + "/etc/holdfast.sysusers").read())
SAMPLE = "/usr/share/doc/holdfast/holdfast.conf.sample"
APT = "apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "
# What any package's coming and going writes; and the users, which stay.
KEPT = re.compile(r"/(var/(lib/(dpkg|apt|systemd/(catalog|deb-systemd-helper-(enabled|masked)))|log|cache)|root|tmp|run|dev|proc|deb)(/|$)"
                  r"|/etc/(passwd|group|g?shadow|sub[ug]id|ld\.so\.cache|\.pwd\.lock)-?$")


class Failed(Exception):
    pass


def need(ok, why):
    if not ok:
        raise Failed(why)


class Root:
    """A clean Debian: its folder is self.at, what differs from the base is below self.upper."""

    def __init__(self, work, debs):
        self.folder = tempfile.mkdtemp(dir=work)
        self.at, self.upper = self.folder + "/root", self.folder + "/upper"
        for d in ("root", "upper", "work"):
            os.mkdir(self.folder + "/" + d)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", "lowerdir=%s/base,upperdir=%s,workdir=%s/work"
                        % (CACHE, self.upper, self.folder), self.at], check=True)
        os.mkdir(self.at + "/deb")
        for d in debs:
            shutil.copy(d, self.at + "/deb/")

    def try_run(self, command, limit=120):
        argv = ["unshare", "-m", "-p", "-f", "-n", "--kill-child", "sh", "-c",
                'mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/run" && ip link set lo up && exec chroot "$0" sh -c "$1"', self.at, command]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
        p = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           errors="replace", timeout=limit)
        return p.returncode, p.stdout

    def run(self, command, limit=120):
        status, out = self.try_run(command, limit)
        need(status == 0, "%s: status %d: %s" % (command, status, out[-1500:]))
        return out

    def has(self, path):
        return os.path.lexists(self.at + path)

    def configure(self):
        os.makedirs(self.at + "/etc/keepalived", exist_ok=True)
        with open(self.at + SAMPLE) as sample, open(self.at + "/etc/keepalived/keepalived.conf", "w") as f:
            f.write(sample.read())

    def left(self):
        """Files and folders that are not the base's any more, or not any more what they were there."""
        out = []
        for folder, folders, files in os.walk(self.upper):
            for name in files + folders:
                path = os.path.join(folder, name)
                told = path[len(self.upper):]
                copied_up = os.path.isdir(path) and not os.path.islink(path) and os.path.isdir(CACHE + "/base" + told)
                if not KEPT.match(told) and not copied_up:
                    out.append(told)
        return sorted(out)


class Lane:
    def __init__(self, o, work):
        self.o, self.work = o, work
        debs = os.path.join(os.path.abspath(o.build), "deb")
        self.version = re.search(r'OPTIONS_VERSION\s+"(.*)"', open(TOP + "/parent/options.h").read())[1]
        arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True).stdout.strip()
        self.deb = "%s/holdfast_%s_%s.deb" % (debs, self.version, arch)
        self.snmp = "%s/holdfast-snmp_%s_%s.deb" % (debs, self.version, arch)
        self.dbus = "%s/holdfast-dbus_%s_%s.deb" % (debs, self.version, arch)
        self.clients = [self.snmp, self.dbus]  # of a package each
        self.link = "%s/holdfast-keepalived_%s_all.deb" % (debs, self.version)
        self.newer, self.other = [], []  # holdfast and its clients, which go together

    def root(self):
        return Root(self.work, [self.deb, *self.clients, self.link, *self.newer, *self.other])

    def repacked(self, deb, version, contract=None):
        """The same package as a later version; with another contract: one whose processes the running parent does not know."""
        name = os.path.basename(deb).split("_")[0]
        tree = os.path.join(self.work, "tree-%s-%s" % (name, version))
        out = os.path.join(self.work, "%s_%s.deb" % (name, version))
        subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
        control = open(tree + "/DEBIAN/control").read()
        control = re.sub("(?m)^Version: .*", "Version: " + version, control)
        with open(tree + "/DEBIAN/control", "w") as f:
            f.write(control.replace("holdfast (= %s)" % self.version, "holdfast (= %s)" % version))
        if contract:
            with open(tree + "/usr/share/holdfast/contract", "w") as f:
                f.write(contract + "\n")
        subprocess.run(["dpkg-deb", "-b", tree, out], check=True, stdout=subprocess.DEVNULL)
        return out


def newest_source():
    out = 0
    for part in ("CHANGELOG.md", "LICENSE", "Makefile", "README.md", "checkd", "common", "doc", "etc", "ipvsd", "parent", "vrrpd"):
        for folder, _, files in os.walk(os.path.join(TOP, part)):
            out = max([out] + [os.path.getmtime(os.path.join(folder, f)) for f in files])
        if os.path.isfile(os.path.join(TOP, part)):
            out = max(out, os.path.getmtime(os.path.join(TOP, part)))
    return out


def inside(*debs):
    return " ".join("/deb/" + os.path.basename(d) for d in debs)


# ---- tests, in this order -----------------------------------------------------------------------------------------

def test_make_deb(lane):
    if not (os.path.exists(lane.deb) and os.path.getmtime(lane.deb) > newest_source()):
        p = subprocess.run(["make", "--no-print-directory", "B=" + os.path.abspath(lane.o.build), "deb"], cwd=TOP,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        need(p.returncode == 0, p.stdout[-3000:])
    for deb in (lane.deb, *lane.clients, lane.link):
        need(os.path.exists(deb), deb + " was not made")
    lane.newer = [lane.repacked(deb, lane.version + "+1") for deb in (lane.deb, *lane.clients)]
    lane.other = [lane.repacked(lane.deb, lane.version + "+2", contract="0" * 64), *(lane.repacked(deb, lane.version + "+2") for deb in lane.clients)]


def test_lintian(lane):
    if not shutil.which("lintian"):
        return "lintian is not installed"
    p = subprocess.run(["lintian", "--fail-on", "error", lane.deb, *lane.clients, lane.link], capture_output=True, text=True)
    need(p.returncode == 0, p.stdout + p.stderr)


def test_install(lane):
    root = lane.root()
    root.run(APT + "/deb/" + os.path.basename(lane.deb))
    for user in USERS:
        need(root.run("getent passwd " + user).strip().endswith("/usr/sbin/nologin"), user + " can log in")
    root.run("getent group holdfast")
    need(lane.version in root.run("holdfast --version"), "holdfast --version does not say " + lane.version)
    root.run("holdfast --genhash --help 2>&1 | grep -q Usage")
    for f in ("sbin/keepalived", "bin/genhash"):
        need(not root.has("/usr/" + f), "/usr/%s is keepalived's" % f)
    for library in "libsnmp", "libsystemd":
        need(library not in root.run("dpkg-query -W -f '${Depends}' holdfast"), "the daemon's package asks for " + library)
    wants = "/etc/systemd/system/multi-user.target.wants/"
    need(not root.has(wants + "holdfast.service"), "the service was enabled by its installation")


def test_sample_is_valid(lane):
    root = lane.root()
    root.run("dpkg --unpack --force-depends /deb/%s >/dev/null" % os.path.basename(lane.deb))
    need(root.has(SAMPLE), "no sample")
    root.run(APT + "-f >/dev/null; ip link add eth0 type veth peer name peer0 && holdctl check " + SAMPLE + " && holdfast -t -f " + SAMPLE)


def test_runs_there(lane):
    """Without systemd: it starts, takes the address of the sample, answers, and leaves nothing on the interface."""
    root = lane.root()
    root.run(APT + "/deb/" + os.path.basename(lane.deb))
    root.configure()
    out = root.run("""ip link add eth0 type veth peer name peer0; ip link set eth0 up; ip link set peer0 up
        ip address add 192.0.2.1/24 dev eth0
        holdfast -n -l >/tmp/log 2>&1 & pid=$!
        up=no; i=0; while [ $i -lt 200 ]; do ip -o address show eth0 | grep -q 192.0.2.10/ && up=yes && break; sleep 0.1; i=$((i+1)); done
        echo up=$up; holdctl status; echo status=$?
        kill $pid; wait $pid; echo ended=$?; ip -o address show eth0 | grep -c 192.0.2.10/; cat /tmp/log""")
    need("up=yes" in out and "status=0" in out, out[-2000:])
    need("ended=0\n0\n" in out, "after SIGTERM: " + out[-2000:])


def test_upgrade(lane):
    root = lane.root()
    root.run(APT + "/deb/" + os.path.basename(lane.deb))
    root.configure()
    before = root.run("md5sum /etc/keepalived/keepalived.conf; getent passwd | grep holdfast")
    out = root.run(APT + "/deb/" + os.path.basename(lane.newer[0]))
    need(root.run("dpkg-query -W -f '${Version} ${Status}' holdfast") == lane.version + "+1 install ok installed", out)
    need(root.run("md5sum /etc/keepalived/keepalived.conf; getent passwd | grep holdfast") == before, "the upgrade changed files that are not its own")


def test_purge_leaves_nothing(lane):
    root = lane.root()
    root.run(APT + inside(lane.deb, *lane.clients, lane.link))
    need("/usr/sbin/holdfast" in root.left(), "left() sees nothing of an installed package: %s" % root.left())
    root.run("systemctl enable holdfast.service holdfast-metrics.service holdfast-dbus.service holdfast-snmp.service")
    root.run("apt-get purge -y -qq holdfast holdfast-snmp holdfast-dbus holdfast-keepalived && apt-get autoremove --purge -y -qq")
    need(not root.left(), "left: " + " ".join(root.left()))
    found = root.run("find / -xdev \\( -name '*holdfast*' -o -name '*keepalived*' \\) -not -path '/deb/*' -not -path '/var/cache/apt/*'"
                     " -not -path '/proc/*'").split()
    need(not found, "left: " + " ".join(found))
    need("holdfast" not in root.run("cat /var/lib/dpkg/status"), "dpkg still knows it")


def apart(lane, deb, name, *more):
    """A client's package: its own files, and it goes alone."""
    root, program = lane.root(), "/usr/libexec/holdfast/" + name
    root.run(APT + inside(lane.deb))
    need(not root.has(program), "the daemon's package has " + name)
    root.run(APT + inside(deb))
    files = [f for f in root.run("dpkg -L " + name).split() if os.path.isfile(root.at + f) and not f.startswith(("/usr/share/doc/", "/usr/share/man/"))]
    need(sorted(files) == sorted(["/lib/systemd/system/%s.service" % name, program, *more]), " ".join(files))
    need(not root.has("/etc/systemd/system/multi-user.target.wants/%s.service" % name), "the service was enabled by its installation")
    need("/usr/share/man/man8/%s.8.gz\n" % name in root.run("dpkg -L " + name), "its manual page is not in it")
    root.run("apt-get purge -y -qq " + name)
    need(not any(root.has(f) for f in files), "left of: " + " ".join(files))
    need(lane.version in root.run("holdfast --version"), "holdfast does not start any more")


def test_snmp_apart(lane):
    """The AgentX client's package, with the library as its own dependency."""
    apart(lane, lane.snmp, "holdfast-snmp", "/usr/lib/tmpfiles.d/holdfast-snmp.conf")


def test_dbus_apart(lane):
    """The bus client's package, with the library as its own dependency."""
    apart(lane, lane.dbus, "holdfast-dbus", "/usr/share/dbus-1/system.d/holdfast-dbus.conf")


def test_removal_keeps_the_configuration(lane):
    root = lane.root()
    root.run(APT + "/deb/" + os.path.basename(lane.deb))
    root.configure()
    root.run("apt-get purge -y -qq holdfast")
    need(root.has("/etc/keepalived/keepalived.conf"), "the administrator's configuration is gone")


def test_beside_keepalived(lane):
    root = lane.root()
    root.run(APT + "keepalived")
    root.run(APT + "/deb/" + os.path.basename(lane.deb))
    for path, owner in (("/usr/bin/genhash", "keepalived"), ("/usr/sbin/keepalived", "keepalived"), ("/usr/sbin/holdfast", "holdfast")):
        need(root.run("dpkg -S " + path).split(":")[0] == owner, path + " is not " + owner + "'s")
    root.run("keepalived --version && holdfast --version")
    root.run("apt-get purge -y -qq holdfast && keepalived --version")


def test_in_the_place_of_keepalived(lane):
    root = lane.root()
    root.run(APT + "keepalived /deb/" + os.path.basename(lane.deb))
    root.configure()
    out = root.run("ip link add eth0 type veth peer name peer0; " + APT + "/deb/" + os.path.basename(lane.link))
    need(root.run("dpkg-query -W -f '${db:Status-Status}' keepalived") != "installed", "keepalived is still there")
    need("holdfast" in root.run("keepalived --version 2>&1; readlink -f /usr/sbin/keepalived"), "/usr/sbin/keepalived is not ours")
    root.run("genhash --help 2>&1 | grep -q Usage")
    need(os.readlink(root.at + "/lib/systemd/system/keepalived.service") == "holdfast.service", "no alias of the unit")
    need(not root.has("/etc/systemd/system/keepalived.service"), "keepalived's name is still masked")
    need(root.has("/etc/systemd/system/multi-user.target.wants/holdfast.service"), "not enabled with a valid configuration: " + out)
    root.run(APT + "keepalived")
    need(root.run("dpkg-query -W -f '${db:Status-Status}' keepalived holdfast") == "installedinstalled", "there is no way back")
    need(root.has("/etc/keepalived/keepalived.conf"), "the configuration is gone")
    root.run("systemctl -q disable holdfast.service; ip link add eth0 type veth peer name peer0; " + APT + inside(lane.link))
    need(root.has("/etc/systemd/system/multi-user.target.wants/holdfast.service"), "the second time keepalived went and nothing came")


def test_not_enabled_with_mistakes(lane):
    root = lane.root()
    root.run(APT + "/deb/" + os.path.basename(lane.deb))
    root.configure()
    with open(root.at + "/etc/keepalived/keepalived.conf", "a") as f:
        f.write("vrrp_instance broken {\n    virtual_router_id 999\n}\n")
    root.run(APT + "/deb/" + os.path.basename(lane.link))
    need(not root.has("/etc/systemd/system/multi-user.target.wants/holdfast.service"), "enabled with a configuration that is refused")


def test_hardening(lane):
    """The figures of the README, and no worse."""
    if not shutil.which("systemd-analyze"):
        return "systemd-analyze is not installed"
    tree = os.path.join(lane.work, "units")
    for deb in (lane.deb, *lane.clients):
        subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    for unit, most in EXPOSURE.items():
        path = "%s/lib/systemd/system/%s.service" % (tree, unit)
        p = subprocess.run(["systemd-analyze", "security", "--offline=yes", path], capture_output=True, text=True)
        m = re.search(r"exposure level for \S+: ([\d.]+)", p.stdout)
        need(m and float(m[1]) <= most, "%s: %s, more than %s\n%s" % (unit, m and m[1], most, p.stderr[-500:]))


TESTS = [test_make_deb, test_lintian, test_hardening, test_install, test_sample_is_valid, test_runs_there, test_upgrade,
         test_purge_leaves_nothing, test_snmp_apart, test_dbus_apart, test_removal_keeps_the_configuration, test_beside_keepalived, test_in_the_place_of_keepalived,
         test_not_enabled_with_mistakes]


def boot(lane):
    """systemd as process 1 of a VM whose root is one of our roots; boot.sh speaks for itself there."""
    made = subprocess.run([TOP + "/test/vm/kernel.sh", KERNEL], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        print("SKIP boot: no test kernel here: " + (made.stdout.strip().splitlines() or ["?"])[-1])
        return 0
    root = lane.root()
    root.run(APT + inside(lane.deb, *lane.clients) + " dbus snmpd snmp", limit=300)
    modules = KERNEL + "/image/lib/modules"
    os.makedirs(root.at + modules)
    subprocess.run(["mount", "--bind", modules, root.at + modules], check=True)
    for script in ("boot.sh", "clients.sh", "switch.sh"):
        shutil.copy(HERE + "/" + script, root.at + "/deb/" + script)
    os.remove(root.at + "/usr/sbin/policy-rc.d")
    with open(root.at + "/deb/names", "w") as f:
        for name, debs in (("deb", [lane.deb]), ("newer", lane.newer), ("other", lane.other), ("link", [lane.link])):
            f.write("%s='%s'\n" % (name, inside(*debs)))
        for unit, most in EXPOSURE.items():
            f.write("most_%s=%s\n" % (unit.replace("-", "_"), most))
    run = subprocess.Popen([TOP + "/test/vm/vmrun", "-t", str(lane.o.boot_limit), "-m", "1G", "-r", root.at, "-g", HERE + "/init.sh"],
                           stdout=subprocess.PIPE, text=True, errors="replace")
    seen = bad = 0
    for line in run.stdout:
        line = re.sub(r"^.*\x1b\[[0-9;]*m\W*(?=(PASS|FAIL) )", "", line)  # the console's colours, before the first verdict
        seen += bool(re.match("(PASS|FAIL) ", line))
        bad += line.startswith("FAIL ")
        print(line, end="", flush=True)
    status = run.wait()
    if status in (124, 125) and not seen:
        print("SKIP boot: the emulated machine did not come up here (status %d)" % status)
    elif status != 0 and not bad:
        print("FAIL boot: the guest ended with status %d" % status)
        bad = 1
    return bad


def unable():
    if os.geteuid() != 0:
        return "needs root"
    for tool, package in (("dpkg-buildpackage", "dpkg-dev"), ("dh", "debhelper"), ("unshare", "util-linux")):
        if not shutil.which(tool):
            return "%s is not installed (package %s)" % (tool, package)
    p = subprocess.run([HERE + "/base.sh", CACHE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if p.returncode:
        return "no clean root file system can be had: " + (p.stdout.strip().splitlines() or ["?"])[-1]
    return None


def one(test, lane):
    name = test.__name__[5:].replace("_", "-")
    try:
        why = test(lane)
        print("SKIP %s: %s" % (name, why) if why else "PASS " + name, flush=True)
        return 0
    except (Failed, OSError, subprocess.SubprocessError) as e:
        print("FAIL %s: %s" % (name, str(e).replace("\n", "\n    ")), flush=True)
        return 1


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=TOP + "/build")
    p.add_argument("--only", default="*")
    p.add_argument("--no-boot", action="store_true")
    p.add_argument("--boot-limit", type=int, default=2400)
    o = p.parse_args()
    if INSIDE not in os.environ:
        why = unable()
        if why:
            print("SKIP package: " + why)
            return 0
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])
    wanted = lambda name: any(fnmatch.fnmatch(name, pattern) for pattern in o.only.split(","))
    with tempfile.TemporaryDirectory(prefix="holdfast-package-") as work:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", work], check=True)
        lane = Lane(o, work)
        bad = one(test_make_deb, lane)
        if not bad:
            bad += sum(one(t, lane) for t in TESTS[1:] if wanted(t.__name__[5:].replace("_", "-")))
            if not o.no_boot and wanted("boot"):
                bad += boot(lane)
        subprocess.run(["umount", "-R", "-l", work], check=False)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
