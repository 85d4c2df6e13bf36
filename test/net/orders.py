"""The operator's orders between two directors: planned switching, reloads that are only planned or on trial, drained servers."""
import json
import os
import signal
import time

from case import case, check, steady
from lab import conf, now, run

INTERVAL = 0.2
VIP = conf.VIPS[0]


class Ctl:
    """holdctl against one daemon."""

    def __init__(self, lane, daemon):
        self.program = os.path.join(os.path.dirname(lane.daemon[0]), "holdctl")
        self.socket = "/proc/%d/root/run/holdfast/control" % daemon.pid

    def __call__(self, *argv, status=0):
        p = run(self.program, "-s", self.socket, *argv, check=False)
        check(p.returncode == status, "holdctl %s: status %d, wanted %d: %s", " ".join(argv), p.returncode, status, p.stdout + p.stderr)
        return p.stdout

    def json(self, *argv):
        return json.loads(self("--json", *argv))

    def state(self):
        """Of the first instance; None before the daemon answers."""
        p = run(self.program, "-s", self.socket, "--json", "status", check=False)
        found = json.loads(p.stdout).get("instances") if p.returncode == 0 else None
        return found[0]["state"] if found else None

    def orders(self):
        return {o["name"]: o for o in self.json("status").get("orders", [])}


def pair(lane, lab, a=200, b=100, **kw):
    """a is MASTER, b BACKUP; (daemon, holdctl) of each."""
    out = []
    for node, priority in (("a", a), ("b", b)):
        d = lab.nodes[node].start(lane.daemon, conf.whole(conf.instance(priority=priority, interval=INTERVAL, **kw)))
        out.append((d, Ctl(lane, d)))
        if node == "a":
            lab.wait_master("a", conf.VIPS)
    lab.wait(lambda: out[1][1].state() == "BACKUP", 8, "b in BACKUP")
    time.sleep(3 * INTERVAL)  # b has heard a
    return out


def only_master(lab, node, other, since, vips=conf.VIPS):
    """node has taken over since then, and the other one is silent and without addresses."""
    lab.wait_master(node, vips, 8, since)
    lab.wait(lambda: not set(vips) & set(lab.nodes[other].addresses()), 5, "no address on " + other)
    time.sleep(4 * INTERVAL)
    late = [x for x in lab.adverts(other, now() - int(3 * INTERVAL * 1e9)) if x.priority]
    check(not late, "%s advertises too: two masters", other)


@case("operator-yield", "yield: priority 0, the lower one is MASTER and stays so, over a crash and a reload of the yielding one; when it dies the first takes over")
def yields(lane):
    with lane.lab("ab") as lab:
        (da, a), (db, b) = pair(lane, lab)
        since = now()
        check("resigned" in a("yield", "VI_1"), "it does not say that it resigned")
        zero = lab.wait(lambda: lab.adverts("a", since, priority=0), 2, "priority 0 of a")[0]
        first = lab.wait_master("b", conf.VIPS, 5, since)
        only_master(lab, "b", "a", since)
        check(a.orders()["VI_1"]["kind"] == "yield", "status does not show the order")
        lab.crash(da, "vrrpd")
        time.sleep(6 * INTERVAL)
        a("restart", "vrrpd")
        time.sleep(1)
        da.reload()
        time.sleep(6 * INTERVAL)
        check(not [x for x in lab.adverts("a", zero.ts + 1) if x.priority], "a advertised although it yields")
        check(a.state() == "BACKUP" and "VI_1" in a.orders(), "the order was lost")
        died = db.kill_all()
        lab.wait_master("a", conf.VIPS, 8, died)
        lab.wait(lambda: not a.orders(), 3, "the order over once a is MASTER again")
        return "b was MASTER %.0f ms after the resignation" % ((first.ts - zero.ts) / 1e6)


@case("operator-yield-alone", "yield without a peer: the address comes back by itself after one master-down interval")
def yield_alone(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        ctl, since = Ctl(lane, d), now()
        ctl("yield", "VI_1")
        lab.wait(lambda: VIP not in lab.a.addresses(), 2, "the address gone")
        back = lab.wait_master("a", conf.VIPS, 5, lab.adverts("a", since, priority=0)[0].ts + 1)
        took = (back.ts - since) / 1e9
        check(took >= 3 * INTERVAL, "after %.2f s: it did not wait for others", took)
        lab.wait(lambda: not ctl.orders(), 3, "the order over")
        return "back after %.2f s" % took


@case("operator-takeover", "takeover by the lower one: MASTER at once with a raised priority, the higher one gives way and does not preempt; yield gives back")
def takeover(lane):
    with lane.lab("ab") as lab:
        (_, a), (db, b) = pair(lane, lab)
        since = now()
        check("raised to 200" in b("takeover", "VI_1"), "it does not say what it raised")
        first = lab.wait(lambda: lab.adverts("b", since, priority=200), 2, "an advert of b with 200")[0]
        only_master(lab, "b", "a", since)
        lab.crash(db, "vrrpd")
        time.sleep(8 * INTERVAL)
        check(all(x.priority == 200 for x in lab.adverts("b", first.ts)), "b changed its priority when it crashed")
        check(not [x for x in lab.adverts("a", first.ts + int(2e8)) if x.priority], "a took over when b's vrrpd died")
        gone = [e for e in lab.events("addr-", "b", VIP, first.ts)]
        check(not gone, "the address left b")
        check(b.orders()["VI_1"]["priority_raise"] == 100, "status does not show what was raised")
        back = now()
        b("yield", "VI_1")
        lab.wait_master("a", conf.VIPS, 5, back)
        only_master(lab, "a", "b", back)
        check(b.orders()["VI_1"]["kind"] == "yield", "b does not yield")
        b("takeover", "VI_1")
        b("yield", "VI_1")
        return "MASTER %.0f ms after the order" % ((first.ts - since) / 1e6)


@case("operator-takeover-refused", "takeover against an owner, in FAULT, or of what does not exist: refused with the reason, nothing moves")
def refused(lane):
    with lane.lab("ab") as lab:
        (_, a), (_, b) = pair(lane, lab, a=255)
        since = now()
        check("order yield there" in b("takeover", "VI_1", status=1), "no reason given")
        check("is called that" in b("takeover", "VI_9", status=1), "an unknown name was accepted")
        time.sleep(4 * INTERVAL)
        check(not lab.adverts("b", since), "b advertised")
        lab.b.batch("link set eth0 down")
        lab.wait(lambda: b.state() == "FAULT", 5, "FAULT of b")
        check("FAULT" in b("takeover", "VI_1", status=1), "no FAULT in the answer")
        check("FAULT" in b("yield", "VI_1", status=1), "no FAULT in the answer")
        return "longest gap %.1f ms" % steady(lab, "a", since, INTERVAL)


@case("operator-group", "yield and takeover of a member or of the group by name: all members move together")
def groups(lane):
    vi = [(51, ("10.77.0.100",)), (52, ("10.77.0.120",))]
    vips = [v for _, vs in vi for v in vs]

    def text(priority):
        return conf.whole("vrrp_sync_group G {\n    group {\n        VI_51\n        VI_52\n    }\n}\n",
                          *[conf.instance(name="VI_%d" % vrid, vrid=vrid, priority=priority, interval=INTERVAL, vips=vs) for vrid, vs in vi])
    with lane.lab("ab") as lab:
        a = Ctl(lane, lab.a.start(lane.daemon, text(200)))
        lab.wait_master("a", vips)
        b = Ctl(lane, lab.b.start(lane.daemon, text(100)))
        lab.wait(lambda: b.state() and {i["state"] for i in b.json("status")["instances"]} == {"BACKUP"}, 8, "b in BACKUP")
        time.sleep(3 * INTERVAL)
        since = now()
        a("yield", "G")
        only_master(lab, "b", "a", since, vips)
        check(set(a.orders()) == {"VI_51", "VI_52"}, "orders: %s", a.orders())
        since = now()
        a("takeover", "VI_52")
        only_master(lab, "a", "b", since, vips)
        since = now()
        b("takeover", "G")
        only_master(lab, "b", "a", since, vips)
        return "three times"


@case("operator-yield-restart", "an order outlives the daemon: after a restart the yielding one does not preempt")
def restart(lane):
    with lane.lab("ab") as lab:
        (da, a), (_, b) = pair(lane, lab)
        since = now()
        a("yield", "VI_1")
        only_master(lab, "b", "a", since)
        # its /run is a mount of its own: what the file system keeps over a restart is carried by hand here
        with open("/proc/%d/root/run/holdfast/orders" % da.pid, "rb") as f:
            kept = f.read()
        da.stop()
        script = "mkdir -p /run/holdfast && chmod 755 /run/holdfast && printf '%s' >/run/holdfast/orders && chmod 600 /run/holdfast/orders && exec \"$@\"" % (
            "".join("\\%03o" % c for c in kept))
        again = lab.a.start(["sh", "-c", script, "sh", *lane.daemon], conf.whole(conf.instance(priority=200, interval=INTERVAL)))
        time.sleep(0.5)
        ctl = Ctl(lane, again)
        lab.wait(lambda: os.path.exists(ctl.socket), 5, "the control socket")
        began = now()
        time.sleep(10 * INTERVAL)
        check(not lab.adverts("a", began), "it preempted")
        check(ctl.orders()["VI_1"]["kind"] == "yield", "the order is not listed")
        moved = now()
        ctl("takeover", "VI_1")
        only_master(lab, "a", "b", moved)
        return "stayed BACKUP"


@case("operator-plan", "reload --plan: the very addresses the reload then adds and removes, nothing done meanwhile; an unchanged file plans nothing")
def plan(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        time.sleep(6)  # the second burst of gratuitous ARPs
        ctl, since = Ctl(lane, d), now()
        check("nothing would be done" in ctl("reload", "--plan"), "an unchanged file: %s", ctl("reload", "--plan"))
        new = (*conf.VIPS[:2], "10.77.0.150")
        d.write(conf.whole(conf.instance(priority=200, vips=new, interval=INTERVAL)))
        said = ctl.json("reload", "--plan")["plan"]
        time.sleep(1)
        check(not lab.events(node="a", since=since), "the plan was carried out")
        check(ctl.json("status")["daemon"]["generation"] == 1, "the plan was put in force")
        gap = steady(lab, "a", since, INTERVAL, 60)  # holdfast-conf runs beside it
        does = [x["does"] for x in said if x["process"] == "ipvsd"]
        check(any("add" in x and "10.77.0.150/24" in x for x in does) and any("remove" in x and conf.VIPS[2] in x for x in does),
              "planned: %s", said)
        check(len([x for x in does if "address" in x]) == 2, "planned: %s", does)
        at = now()
        ctl("reload")
        time.sleep(0.5)
        touched = {e.addr for e in lab.events("addr", "a", since=at)}
        check(touched == {"10.77.0.150", conf.VIPS[2]}, "done: %s", touched)
        d.write("vrrp_instance X {\n")
        check("X" in ctl("reload", "--plan", status=5), "a broken file has no diagnosis")
        return "%d steps, longest gap %.1f ms" % (len(said), gap)


@case("operator-confirm", "reload --confirm: taken back by itself, the address returns without a gap in adverts; confirmed: it stays")
def confirm(lane):
    with lane.master(interval=INTERVAL) as (lab, d):
        ctl, since = Ctl(lane, d), now()
        new = (*conf.VIPS[:2], "10.77.0.150")
        changed = conf.whole(conf.instance(priority=200, vips=new, interval=INTERVAL))
        d.write(changed)
        check("no reload waits" in ctl("confirm", status=1), "confirmed what was not there")
        ctl("reload", "--confirm", "3s")
        lab.wait(lambda: "10.77.0.150" in lab.a.addresses() and conf.VIPS[2] not in lab.a.addresses(), 3, "the new addresses")
        check("confirm_left_s" in ctl.json("status")["reload"], "status does not say that it waits")
        check("waits to be confirmed" in ctl("reload", status=1), "another reload was accepted")
        os.kill(d.role("vrrpd"), signal.SIGKILL)
        lab.wait(lambda: conf.VIPS[2] in lab.a.addresses() and "10.77.0.150" not in lab.a.addresses(), 8, "the old addresses back")
        lab.wait(lambda: "taken back" in ctl.json("status")["reload"]["result"], 3, "the status says so")
        check(ctl.json("status")["daemon"]["generation"] > 2, "it is not a generation of its own")
        time.sleep(0.5)
        check(set(lab.adverts("a")[-1].vips) == set(conf.VIPS), "advertised: %s", lab.adverts("a")[-1].vips)
        ctl("reload", "--confirm", "2s")
        check("stays" in ctl("confirm"), "not confirmed")
        time.sleep(3)
        check("10.77.0.150" in lab.a.addresses(), "taken back although it was confirmed")
        ctl("reload")
        return "longest gap %.1f ms" % steady(lab, "a", since, INTERVAL, 60)


@case("operator-drain", "drain, weight, enable: what checkd wants of a server follows the order, over crashes, reloads and a restart; no quorum without servers")
def drain(lane):
    text = """virtual_server 10.77.0.100 80 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 10.77.0.201 80 {
        weight 3
    }
    real_server 10.77.0.202 80 {
        weight 2
    }
}
virtual_server 10.77.0.100 443 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 10.77.0.201 443 {
        weight 5
    }
}
"""

    def weights(ctl):
        return {(s["service"], s["name"]): s["weight"] for s in ctl.json("status")["servers"]}

    with lane.lab("a") as lab:
        d = lab.a.start(lane.daemon, conf.whole(text))
        ctl = Ctl(lane, d)
        lab.wait(lambda: os.path.exists(ctl.socket) and "servers" in ctl.json("status"), 8, "the services")
        web, web2, tls = [("[10.77.0.100]:tcp:%d" % p, "[10.77.0.%d]:tcp:%d" % (h, p)) for h, p in ((201, 80), (202, 80), (201, 443))]
        lab.wait(lambda: weights(ctl) == {web: 3, web2: 2, tls: 5}, 5, "the configured weights")
        check("drained" in ctl("drain", "10.77.0.201:80"), "not drained")
        lab.wait(lambda: weights(ctl) == {web: 0, web2: 2, tls: 5}, 3, "weight 0")
        check("no real server" in ctl("drain", "10.77.0.209:80", status=1), "drained what is not there")
        ctl("weight", "10.77.0.202", "80", "9", "--service", "10.77.0.100:80")
        lab.wait(lambda: weights(ctl) == {web: 0, web2: 9, tls: 5}, 3, "weight 9")
        for role in ("checkd", "ipvsd", "vrrpd"):
            old = d.role(role)
            if old is None:
                continue
            os.kill(old, signal.SIGKILL)
            lab.wait(lambda r=role, o=old: d.role(r) not in (None, o), 5, "a new " + role)
        time.sleep(0.5)
        lab.wait(lambda: weights(ctl) == {web: 0, web2: 9, tls: 5}, 5, "the weights after crashes")
        d.reload(conf.whole(text + text.replace("443", "8443").split("}\n}\n", 1)[1]))
        lab.wait(lambda: len(weights(ctl)) == 4, 5, "the new service")
        lab.wait(lambda: {k: w for k, w in weights(ctl).items() if "8443" not in k[0]} == {web: 0, web2: 9, tls: 5}, 5, "the weights after a reload")
        ctl("drain", "10.77.0.201")
        lab.wait(lambda: weights(ctl)[tls] == 0, 3, "every port of an address drained")
        lab.wait(lambda: [s for s in ctl.json("status")["services"] if s["name"] == tls[0]][0]["state"] == "DOWN", 3, "no quorum without a server")
        ctl("enable", "10.77.0.201")
        ctl("enable", "10.77.0.202:80")
        lab.wait(lambda: {k: w for k, w in weights(ctl).items() if "8443" not in k[0]} == {web: 3, web2: 2, tls: 5}, 5, "the configured weights again")
        check(not ctl.orders(), "orders are left: %s", ctl.orders())
        return "three orders"
