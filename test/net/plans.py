"""reload --plan says what the reload then does: switches, nftables, sets and values, compared with the kernel before and after; a plan
changes nothing and says nothing that does not happen.
"""
import re
import subprocess
import time

from case import case, check
from holdctl import Ctl
from lab import conf, run

INTERVAL = 0.2
LEAFS = ("promote_secondaries", "arp_ignore", "arp_filter", "rp_filter", "accept_local", "disable_ipv6", "addr_gen_mode", "accept_ra",
         "router_solicitations")


def switches(node):
    """Path -> value of every switch of interfaces that are ever touched, in the node's namespace."""
    what = " ".join("ipv[46]/conf/*/%s" % x for x in LEAFS) + " ipv4/igmp_link_local_mcast_reports"
    text = run("ip", "netns", "exec", node.ns, "sh", "-c", "cd /proc/sys/net; grep -H . %s 2>/dev/null" % what, check=False).stdout
    return {"/proc/sys/net/" + k: v for k, v in (x.split(":", 1) for x in text.splitlines())}


def rules(node):
    """Table -> its elements by set: everything nft lists, handles and counters left out."""
    out = {}
    text = run("ip", "netns", "exec", node.ns, "nft", "list", "ruleset").stdout
    for name, body in re.findall(r"^table (\S+ \S+) \{\n(.*?)^\}", text, re.M | re.S):
        sets = {}
        for kind, s, inner in re.findall(r"^\t(set|map) (\S+) \{\n(.*?)^\t\}", body, re.M | re.S):
            m = re.search(r"elements = \{(.*?)\}", inner, re.S)
            sets[s] = {" ".join(e.split()) for e in m.group(1).split(",")} if m else set()
        prio = re.findall(r"priority ([^;]*);", body)
        out[name] = (sets, prio)
    return out


class Watch:
    """nft monitor: what is told of while it runs."""

    def __init__(self, node):
        self.p = subprocess.Popen(["ip", "netns", "exec", node.ns, "nft", "monitor"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(0.5)

    def end(self):
        self.p.terminate()
        return [x for x in self.p.communicate()[0].splitlines() if x and not x.startswith("#")]


def said(plan):
    """The plan as what may be compared: values by path, elements and tables."""
    values = {x["does"][4:]: (x["from"], x["to"]) for x in plan if x["does"].startswith("set /proc/")}
    add = {(m[2], m[3], m[1]) for m in (re.match(r"add element (.*) to nftables set (\S+ \S+) (\S+)$", x["does"]) for x in plan) if m}
    gone = {(m[2], m[3], m[1]) for m in (re.match(r"remove element (.*) from nftables set (\S+ \S+) (\S+)$", x["does"]) for x in plan) if m}
    tables = {(m[1], m[2]) for m in (re.match(r"(add|remove|put in anew) nftables table (\S+ \S+) ", x["does"]) for x in plan) if m}
    return values, add, gone, tables


def elements(state):
    return {(t, s, e) for t, (sets, _) in state.items() for s, es in sets.items() for e in es if s.startswith("vips")}


def step(lab, ctl, node, text, settle):
    """One reload: plan it, see that nothing moved, do it, compare."""
    ctl.d.write(text)
    before, nft = switches(node), rules(node)
    w = Watch(node)
    plan = ctl.json("reload", "--plan")["plan"]
    again = ctl.json("reload", "--plan")["plan"]
    moved = w.end()
    check(plan == again, "planned twice: %s then %s", plan, again)
    check(switches(node) == before and rules(node) == nft and not moved, "the plan was carried out: %s", moved)
    w = Watch(node)
    ctl.run("reload")
    lab.wait(lambda: settle(), 10, "the reload's end")
    time.sleep(1)
    news = w.end()
    after, now = switches(node), rules(node)
    values, add, gone, tables = said(plan)
    really = {k: (before.get(k), after.get(k)) for k in before.keys() | after.keys() if before.get(k) != after.get(k)}
    for k, (old, new) in values.items():
        check(after.get(k) == new, "%s: planned %s -> %s, it is %s; plan %s", k, old, new, after.get(k), plan)
        check(k not in before or before[k] == old, "%s: said to be %s, it was %s", k, old, before.get(k))
    # what changed though nobody said so: only values of an interface that came or went take part in nothing
    quiet = {k: v for k, v in really.items() if k not in values and None not in v}
    check(not quiet, "not in the plan: %s; plan %s", quiet, plan)
    kept = {t for t in nft if t in now}
    check({t for v, t in tables if v == "add"} == now.keys() - nft.keys(), "tables that came: %s; plan %s", now.keys() - nft.keys(), plan)
    check({t for v, t in tables if v == "remove"} == nft.keys() - now.keys(), "tables that went: %s; plan %s", nft.keys() - now.keys(), plan)
    renewed = {m[1] for m in (re.match(r"(?:add|delete) table (\S+ \S+)", x) for x in news) if m} & kept
    check({t for v, t in tables if v == "put in anew"} == renewed, "tables anew: %s; plan %s", renewed, plan)
    check(add == elements(now) - elements(nft), "elements that came: %s; plan %s", elements(now) - elements(nft), plan)
    check(gone == {x for x in elements(nft) - elements(now) if x[0] in now}, "elements that went: %s; plan %s",
          elements(nft) - elements(now), plan)
    return len(values) + len(add) + len(gone) + len(tables)


def inst(vips, extra=""):
    return conf.instance(priority=200, interval=INTERVAL, vips=vips, extra=extra)


@case("plan-kernel", "switches and nftables: the plan of each reload against what the kernel shows before and after; planning touches nothing", limit=150)
def plan_kernel(lane):
    V1, V2 = ("10.77.0.100",), ("10.77.0.100", "10.77.0.101")
    with lane.lab("a") as lab:
        ctl = Ctl(lane, lab.a.start(lane.daemon, conf.whole(inst(V1))))
        lab.wait_master("a", V1, 10)
        has = lambda v: lambda: set(v) <= set(lab.a.addresses())  # noqa: E731
        n = 0
        for text, vips in ((conf.whole(inst(V1, "no_accept")), V1), (conf.whole(inst(V2, "no_accept")), V2),
                           (conf.whole(inst(V1, "no_accept")), V1), (conf.whole(inst(V1, "no_accept"), glob="    nftables_priority 7\n"), V1),
                           (conf.whole(inst(V1, "no_accept"), glob="    nftables mine\n"), V1), (conf.whole(inst(V1)), V1),
                           (conf.whole(inst(V1, "promote_secondaries")), V1), (conf.whole(inst(V1)), V1),
                           (conf.whole(inst(V1), glob="    disable_local_igmp\n"), V1), (conf.whole(inst(V1, "use_vmac")), V1),
                           (conf.whole(inst(V1, "use_vmac"), glob="    nftables_counters\n"), V1), (conf.whole(inst(V1)), V1)):
            n += step(lab, ctl, lab.a, text, has(vips))
        check(n > 20, "only %d things were planned", n)
        people = ctl.run("reload", "--plan")
        check("nothing would be done" in people, "an unchanged file: %s", people)
        return "%d things planned and done" % n
