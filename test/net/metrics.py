"""Metrics: every line is right by a strict reader, the figures are those of the lab, and dashboard and alerts name nothing else."""
import json
import os
import re
import signal
import socket
import threading
import time

from case import case, check
from lab import Failure, conf, now, openmetrics, run, watch

ETC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../etc")
DEF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../parent/ctl/metrics.def")
SERVICE = """virtual_server 10.77.0.200 80 {
    delay_loop 1
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    quorum 2
    real_server 10.77.0.1 8080 {
        weight 3
        TCP_CHECK {
            connect_timeout 1
        }
        TCP_CHECK {
            connect_timeout 1
            connect_port 8080
        }
    }
    real_server 10.77.0.1 8081 {
        weight 1
        TCP_CHECK {
            connect_timeout 1
        }
    }
}
"""


def beside(lane, name):
    return os.path.join(os.path.dirname(lane.daemon[0]), name)


def socket_of(d, name="status"):
    return "/proc/%d/root/run/holdfast/%s" % (d.pid, name)


def metrics(lane, d, status=0):
    p = run(beside(lane, "holdctl"), "-s", socket_of(d), "metrics", check=False)
    check(p.returncode == status, "holdctl metrics: %d %s", p.returncode, p.stderr)
    return openmetrics.parse(p.stdout)


def listen(node, port):
    with watch.in_netns(node.ns):
        s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((node.ip, port))
    s.listen(64)

    def serve():
        while True:
            s.accept()[0].close()
    threading.Thread(target=serve, daemon=True).start()


def families():
    """Names of metrics.def with their types."""
    with open(DEF) as f:
        return {m.group(1): m.group(2) for m in
                re.finditer(r'^M\(\w+, "[\w]+", "[\w.]+", "(\w+)", (\w+),', f.read(), re.M)}


@case("metrics-vrrp", "two nodes, one master: states, adverts, jitter, margins; a fail-over is measured; a refused advert has its reason", limit=90)
def vrrp(lane):
    text = conf.whole(conf.instance(priority=200, interval=0.2))
    low = conf.whole(conf.instance(priority=100, interval=0.2))
    with lane.lab("ab") as lab:
        a, b = lab.a.start(lane.daemon, text), lab.b.start(lane.daemon, low)
        lab.wait_master("a", conf.VIPS)
        time.sleep(3)
        m, n = metrics(lane, a), metrics(lane, b)
        vi = {"instance": "VI_1"}
        check(m["holdfast_up"].value() == 1 and m["holdfast"].value("_info") == 1, "not up")
        for which, state in ((m, "master"), (n, "backup")):
            f = which["holdfast_vrrp_instance_state"]
            on = [labels["state"] for _, labels, v in f.samples if v == 1]
            check(on == [state], "states %s, not %s", on, state)
        check(m["holdfast_vrrp_instance"].value("_info", instance="VI_1", interface="eth0", vrid="51", family="ipv4", version="3") == 1, "info")
        check(m["holdfast_vrrp_effective_priority"].value(**vi) == 200, "priority")
        check(m["holdfast_vrrp_transitions"].value("_total", to="master") == 1, "transitions")
        check(abs(m["holdfast_vrrp_last_transition_timestamp_seconds"].value(**vi) - time.time()) < 60, "last transition")
        sent = m["holdfast_vrrp_adverts_sent"].value("_total")
        got = n["holdfast_vrrp_adverts_received"].value("_total")
        seen = len(lab.adverts("a"))
        check(10 <= sent <= seen + 1 and got >= 10, "%d sent, %d received, %d on the wire", sent, got, seen)
        check(m["holdfast_vrrp_addresses_set"].value() == 1 and n["holdfast_vrrp_addresses_set"].value() == 0, "addresses")
        for which, direction in ((m, "sent"), (n, "received")):
            jitter, margin = which["holdfast_vrrp_advert_jitter_seconds"], which["holdfast_vrrp_timeout_margin_ratio"]
            check(jitter.value("_count", direction=direction) >= 8, "jitter %s", direction)
            count, total = margin.value("_count", direction=direction), margin.value("_sum", direction=direction)
            check(count >= 8 and 0.3 < total / count < 0.8, "margin %s: %g of %d", direction, total, count)
            least = which["holdfast_vrrp_timeout_margin_least_seconds"].value(direction=direction)
            check(0 <= least < 0.66, "least margin %s: %g", direction, least)
        check(m["holdfast_vrrp_takeover_seconds"].value("_count") == 1, "take-over")
        check(m["holdfast_process_up"].value(role="vrrpd") == 1 and m["holdfast_process_needed"].value(role="checkd") == 0, "processes")
        a.kill_all()
        lab.wait_master("b", conf.VIPS, since=now())
        time.sleep(0.5)
        n = metrics(lane, b)
        over = n["holdfast_vrrp_failover_seconds"]
        check(over.value("_count") == 1 and 0.5 < over.value("_sum") < 5, "fail-over %s", over.samples)
        check(n["holdfast_vrrp_transitions"].value("_total", to="master") == 1, "transitions of b")
        check(n["holdfast_vrrp_timer_lateness_seconds"].value("_count") > 0, "timers")
        return "fail-over %.2f s, take-over %.1f ms" % (over.value("_sum"), 1e3 * n["holdfast_vrrp_takeover_seconds"].value("_sum"))


@case("metrics-rejected", "an advert that is refused is counted with its reason")
def rejected(lane):
    other = conf.whole(conf.instance(priority=100, interval=1, version=2, auth="geheim12"))
    with lane.lab("ab") as lab:
        a = lab.a.start(lane.daemon, conf.whole(conf.instance(priority=200, interval=1, version=2)))
        lab.wait_master("a", conf.VIPS)
        lab.b.start(lane.daemon, other)
        lab.wait_master("b", conf.VIPS)
        time.sleep(2.5)
        f = metrics(lane, a)["holdfast_vrrp_adverts_rejected"]
        bad = {labels["reason"]: v for _, labels, v in f.samples if v}
        check(set(bad) == {"auth_type_mismatch"} and bad["auth_type_mismatch"] >= 2, "rejected: %s", bad)


@case("metrics-checks", "services, servers, checks: verdicts, counts, durations; two checks of one kind are two series; restarts and reloads are counted", limit=90)
def checks(lane):
    text = conf.whole(conf.instance(priority=200, interval=0.2), SERVICE)
    with lane.lab("a") as lab:
        listen(lab.a, 8080)
        d = lab.a.start(lane.daemon, text)
        lab.wait_master("a", conf.VIPS)
        svc = {"service": "[10.77.0.200]:tcp:80"}

        def ready():
            m = metrics(lane, d)
            if "holdfast_check_results" not in m:
                return None
            f = m["holdfast_check_results"]
            return m if f.value("_total", server="[10.77.0.1]:tcp:8081", result="failed") >= 2 else None
        m = lab.wait(ready, 20, "two failures", 0.3)
        check(m["holdfast_service_up"].value(**svc) == 1, "quorum")
        check(m["holdfast_service_live_weight"].value(**svc) == 3 and m["holdfast_service_servers_up"].value(**svc) == 1, "sums")
        check(m["holdfast_server_up"].value(server="[10.77.0.1]:tcp:8080") == 1, "the living server")
        check(m["holdfast_server_up"].value(server="[10.77.0.1]:tcp:8081") == 0, "the dead server")
        names = sorted(x["check"] for _, x, _ in m["holdfast_check_up"].samples if x["server"].endswith(":8080"))
        check(names == ["TCP_CHECK", "TCP_CHECK#2"], "checks %s", names)
        took = m["holdfast_check_duration_seconds"]
        check(took.value("_count", kind="TCP_CHECK") >= 3, "durations")
        before = m["holdfast_process_restarts"].value("_total", role="checkd")
        os.kill(d.role("checkd"), signal.SIGKILL)
        d.reload()
        lab.wait(lambda: metrics(lane, d)["holdfast_process_restarts"].value("_total", role="checkd") == before + 1, 10, "the restart", 0.2)

        def reloaded():
            r = metrics(lane, d).get("holdfast_last_reload_successful")
            return r and r.value() == 1
        lab.wait(reloaded, 15, "the reload", 0.2)
        d.reload(text.replace("delay_loop 1", "delay_lop 1"))
        lab.wait(lambda: metrics(lane, d)["holdfast_last_reload_successful"].value() == 0, 15, "the refused reload", 0.2)
        m = metrics(lane, d)
        check(m["holdfast_config_generation"].value() == 2 and m["holdfast_reloads"].value("_total") >= 2, "generations")
        with open(lab.root + "/x.prom", "w") as f:
            f.write("old")
        p = run(beside(lane, "holdctl"), "-s", socket_of(d), "metrics", "-o", lab.root + "/x.prom", check=False)
        check(p.returncode == 0 and p.stdout == "", "-o: %s", p.stderr)
        openmetrics.parse(open(lab.root + "/x.prom").read())
        check(os.stat(lab.root + "/x.prom").st_mode & 0o777 == 0o644, "the collector cannot read it")
        check([x for x in os.listdir(lab.root) if x.startswith("x.prom.")] == [], "a temporary file stays")


@case("metrics-away", "no daemon: holdfast_up 0, and the exit status says so")
def away(lane):
    p = run(beside(lane, "holdctl"), "-s", "/nonexistent/socket", "metrics", check=False)
    check(p.returncode == 3, "status %d", p.returncode)
    m = openmetrics.parse(p.stdout)
    check(m["holdfast_up"].value() == 0 and list(m) == ["holdfast_up"], "says %s", p.stdout)


@case("metrics-strict", "the reader of this lane refuses what is wrong")
def strict(lane):
    good = "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds x\na_seconds{l=\"v\"} 1.5\n# EOF\n"
    openmetrics.parse(good)
    for wrong in (good.replace("# EOF\n", ""), good.replace("# HELP a_seconds x\n", ""), good.replace("# UNIT a_seconds seconds\n", ""),
                  good.replace("1.5", "x"), good.replace('"v"', '"v'), good.replace("gauge", "counter"), good.replace("a_seconds{", "b{"),
                  good.replace("1.5\n", "1.5\na_seconds{l=\"v\"} 2\n"), good.replace("{l=\"v\"}", "{}")):
        try:
            openmetrics.parse(wrong)
        except openmetrics.Bad:
            continue
        raise Failure("taken: " + wrong)
