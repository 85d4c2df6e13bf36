"""Packets really forwarded: real clients through NAT, DR and TUN to nginx, the distribution counted."""
from case import case, check, equal
from lab import servers
from lab.lan import VIP, Lan
from lvs_conf import check as checker
from lvs_conf import server, service, whole

WEB = "tcp %s:80" % VIP


def real(i):
    return "10.77.0.%d" % (100 + i)


def web(lane, method, weights, *lines, scheduler="wrr"):
    return whole(service(VIP + " 80", "alpha", *lines, *[
        server("%s 80" % real(i + 1), "weight %d" % w, checker("HTTP_GET", "url {\n path /\n status_code 200\n }"))
        for i, w in enumerate(weights)], method=method, scheduler=scheduler))


def want(weights):
    return {"%s:80" % real(i + 1): w for i, w in enumerate(weights)}


def forward(lane, method, weights, scheduler):
    """All servers answer in the given proportion; one dies: nobody is sent there once it is gone; it comes back."""
    with Lan(servers=len(weights)) as lan:
        lan.behind(method.lower())
        web_servers = [servers.nginx(lan.nodes[r], r) for r in lan.reals]
        d = lan.lb.start(lane.daemon, web(lane, method, weights, scheduler=scheduler))
        lan.wait_servers(WEB, want(weights))
        n = 4 * sum(weights)
        equal(dict(lan.shares(n)), {r: 4 * w for r, w in zip(lan.reals, weights)}, "shares of %d requests" % n)
        web_servers[0].kill()
        out = lan.wait_servers(WEB, {k: w for k, w in want(weights).items() if k != real(1) + ":80"})
        seen = lan.shares(12)
        check("r1" not in seen and None not in seen, "requests after the verdict: %s", dict(seen))
        servers.nginx(lan.r1, "r1")
        back = lan.wait_servers(WEB, want(weights))
        equal(lan.shares(n)["r1"], 4 * weights[0], "share of the server that came back")
        status, _ = d.stop(30)
        equal((status, lan.table().services()), (0, {}), "exit status and what is left in the kernel")
        return "dead server out after %.1f s, back after %.1f s" % (out, back)


@case("lvs-nat")
def nat(lane):
    """NAT to nginx: wrr 3:2:1 counted to the request; a dead server is left out and comes back"""
    return forward(lane, "NAT", (3, 2, 1), "wrr")


@case("lvs-dr")
def dr(lane):
    """DR to nginx: servers hold the address on lo and answer the client themselves; rr counted"""
    return forward(lane, "DR", (1, 1, 1), "rr")


@case("lvs-tun")
def tun(lane):
    """TUN (ipip) to nginx: servers unwrap and answer themselves; wrr 2:1 counted"""
    return forward(lane, "TUN", (2, 1), "wrr")


@case("lvs-sorry")
def sorry(lane):
    """the sorry server answers while all servers are down and nobody else; with sorry_server_inhibit it stands by at weight 0"""
    with Lan(servers=3) as lan:
        lan.behind("nat")
        r1, r2, _ = (servers.nginx(lan.nodes[r], text) for r, text in (("r1", "r1"), ("r2", "r2"), ("r3", "sorry")))
        asleep, awake = {real(3) + ":80": 0}, {real(3) + ":80": 1}
        lan.lb.start(lane.daemon, web(lane, "NAT", (1, 1), "sorry_server %s 80" % real(3), "sorry_server_inhibit", "inhibit_on_failure"))
        lan.wait_servers(WEB, {**want((1, 1)), **asleep})
        r1.kill()
        lan.wait_servers(WEB, {**want((0, 1)), **asleep})
        r2.kill()
        lan.wait_servers(WEB, {**want((0, 0)), **awake})
        equal(lan.shares(4), {"sorry": 4}, "answers while all are down")
        servers.nginx(lan.r2, "r2")
        lan.wait_servers(WEB, {**want((0, 1)), **asleep})
        equal(lan.shares(4), {"r2": 4}, "answers when one is back")


@case("lvs-persistence")
def persistence(lane):
    """persistence: a client keeps its server over reload; a weight changed in place shifts only new clients"""
    with Lan(servers=2, clients=16) as lan:
        lan.behind("nat")
        for r in lan.reals:
            servers.nginx(lan.nodes[r], r)
        d = lan.lb.start(lane.daemon, web(lane, "NAT", (1, 1), "persistence_timeout 300"))
        lan.wait_servers(WEB, want((1, 1)))
        first = {c: lan.fetch(source=c) for c in lan.clients[:8]}
        equal(sorted(first.values()), ["r1"] * 4 + ["r2"] * 4, "eight clients, by turns")
        d.reload(web(lane, "NAT", (3, 1), "persistence_timeout 300"))
        lan.wait_servers(WEB, want((3, 1)))
        for _ in range(2):
            equal({c: lan.fetch(source=c) for c in first}, first, "the same clients after the reload")
        new = [lan.fetch(source=c) for c in lan.clients[8:]]
        equal(sorted(new), ["r1"] * 6 + ["r2"] * 2, "eight new clients at 3:1")
