"""Metrics: every line is right by a strict reader, the figures are those of the lab, and dashboard and alerts name nothing else."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from case import case, check
from lab import Failure, conf, now, openmetrics, run, servers, watch

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
    s = servers.listen(node, port)

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
        vi = {"vrrp_instance": "VI_1"}
        check(m["holdfast_up"].value() == 1 and m["holdfast"].value("_info") == 1, "not up")
        for which, state in ((m, "master"), (n, "backup")):
            f = which["holdfast_vrrp_instance_state"]
            on = [labels["state"] for _, labels, v in f.samples if v == 1]
            check(on == [state], "states %s, not %s", on, state)
        check(m["holdfast_vrrp_instance"].value("_info", vrrp_instance="VI_1", interface="eth0", vrid="51", family="ipv4", version="3") == 1, "info")
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


class Server:
    """holdfast-metrics beside a daemon: in its network and mount namespaces."""

    def __init__(self, lane, lab, d, listen_on, more=()):
        self.lab, self.d = lab, d
        self.proc = subprocess.Popen(["nsenter", "-t", str(d.pid), "-m", "-n", beside(lane, "holdfast-metrics"),
                                      "-l", listen_on, *more],
                                     stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        self.proc.stderr.close()


def fetch(node, request=b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", port=9650, hold=None):
    with watch.in_netns(node.ns):
        s = socket.socket()
    s.settimeout(10)
    s.connect(("127.0.0.1", port))
    s.sendall(request)
    if hold is not None:
        hold.append(s)
        return None
    out = b""
    while True:
        got = s.recv(65536)
        if not got:
            return out.decode()
        out += got


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.split(":\t", 1) for line in f.read().split("\n") if ":\t" in line)


@case("metrics-server", "holdfast-metrics: a jail of its own, the same text over HTTP, hostile and dawdling clients, the daemon's death and return", limit=90)
def server(lane):
    for need, what in (("_holdfast_metrics", "passwd"), ("holdfast", "group")):
        if run("getent", what, need, check=False).returncode:
            raise Failure("no %s %s: run test/deps" % (what, need))
    with lane.master("a") as (lab, d), Server(lane, lab, d, "127.0.0.1:9650") as s:
        def up():
            check(s.proc.poll() is None, "it ended: %s", s.proc.stderr.read() if s.proc.poll() is not None else "")
            try:
                return fetch(lab.a)
            except OSError:
                return None
        head, body = lab.wait(up, 10, "the server", 0.1).split("\r\n\r\n", 1)
        check(head.startswith("HTTP/1.1 200 OK") and "application/openmetrics-text; version=1.0.0" in head, "head %s", head)
        m = openmetrics.parse(body)
        check(m["holdfast_up"].value() == 1 and m["holdfast_vrrp_effective_priority"].value(vrrp_instance="VI_1") == 200, "body")
        st = status_of(s.proc.pid)
        check(st["Uid"].split()[0] != "0" and int(st["CapEff"], 16) == int(st["CapPrm"], 16) == 0, "not unprivileged: %s", st["Uid"])
        check(st["NoNewPrivs"].strip() == "1" and st["Seccomp"].strip() == "2", "no jail")
        for request, answer in ((b"GET / HTTP/1.0\r\n\r\n", "200"), (b"GET /x HTTP/1.0\r\n\r\n", "404"), (b"PUT /metrics HTTP/1.0\r\n\r\n", "405"),
                                (b"\0\xff\r\n\r\n", "400"), (b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 5000, "431")):
            got = fetch(lab.a, request)
            check(got.startswith("HTTP/1.1 " + answer), "%s: %s", request[:20], got[:40])
        head = fetch(lab.a, b"HEAD /metrics HTTP/1.1\r\n\r\n")
        check(head.startswith("HTTP/1.1 200") and head.endswith("\r\n\r\n"), "HEAD has a body")
        held = []
        for _ in range(40):  # more than it has places for
            fetch(lab.a, b"GET /metr", hold=held)
        openmetrics.parse(fetch(lab.a).split("\r\n\r\n", 1)[1])
        for h in held:
            h.close()
        d.kill_all()
        time.sleep(1.2)
        m = openmetrics.parse(fetch(lab.a).split("\r\n\r\n", 1)[1])
        check(m["holdfast_up"].value() == 0, "up without a daemon")
        check(s.proc.poll() is None, "the server ended")


@case("metrics-listen", "holdfast-metrics: an address that is not loopback has to be meant, a file that is no socket is left alone")
def listening(lane):
    exe = beside(lane, "holdfast-metrics")
    with lane.lab("a") as lab:
        for where in ("10.77.0.1:9650", "0.0.0.0:9650", "[::]:9650"):
            p = run("ip", "netns", "exec", lab.a.ns, exe, "-l", where, check=False)
            check(p.returncode == 1 and "--anywhere" in p.stderr, "%s: %d %s", where, p.returncode, p.stderr)
        with open(lab.root + "/file", "w") as f:
            f.write("precious")
        p = run(exe, "-l", "unix:" + lab.root + "/file", check=False)
        check(p.returncode == 1 and open(lab.root + "/file").read() == "precious", "the file: %s", p.stderr)
        check(run(exe, "-l", "nonsense", check=False).returncode == 1 and run(exe, "--what", check=False).returncode == 2, "bad options")


@case("metrics-etc", "dashboard and alert rules: valid, and every metric they name is one of ours, with its suffix")
def etc(lane):
    known = set()
    for name, kind in families().items():
        known |= {name + s for s in openmetrics.SUFFIXES[kind.lower()]}
    with open(ETC + "/grafana/holdfast.json") as f:
        board = json.load(f)
    panels = [p for p in board["panels"] if p.get("type") != "row"]
    queries = [t["expr"] for p in panels for t in p["targets"]]
    check(len(panels) >= 12 and all(p["title"] and p["gridPos"] for p in panels) and len({p["id"] for p in board["panels"]}) == len(board["panels"]),
          "panels")
    with open(ETC + "/prometheus/holdfast.rules.yml") as f:
        rules = f.read()
    alerts = re.findall(r"^      - alert: (\w+)$", rules, re.M)
    check(len(alerts) >= 10 and len(set(alerts)) == len(alerts), "alerts %s", alerts)
    check("\t" not in rules and rules.count("        expr: ") == rules.count("          summary: ") == len(alerts), "a rule lacks a part")
    try:
        import yaml
        groups = yaml.safe_load(rules)["groups"]
        check(sum(len(g["rules"]) for g in groups) == len(alerts), "rules")
    except ImportError:
        pass
    used = set()
    for text in [*queries, *re.findall(r"^        expr: (.+)$", rules, re.M), *[v.get("query", "") for v in board["templating"]["list"]]]:
        text = text if isinstance(text, str) else text["query"]
        used |= set(re.findall(r"\bholdfast_\w+", text))
        check(text.count("(") == text.count(")") and text.count("{") == text.count("}"), "brackets: %s", text)
    check(not used - known, "no such metrics: %s", sorted(used - known))
    return "%d panels, %d alerts, %d metrics" % (len(panels), len(alerts), len(used))
