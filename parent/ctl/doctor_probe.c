/*
 * doctor_probe.c - what only the wire tells: do adverts that arrive also reach a socket (or does something
 * drop them in between), are there two masters, do real servers of LVS-DR answer ARP for the VIP. Sends ARP
 * questions, nothing else. Sockets are opened as root; then every right is dropped, then bytes of others are
 * read.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "parent/ctl/arp_bytes.h"
#include "parent/ctl/doctor.h"
#include "parent/ctl/listen.h"
#include "parent/ctl/nd_bytes.h"
#include "parent/ctl/tool.h"

#define PROBE_LINKS 64
#define PROBE_ASKED 512
#define PROBE_AGAIN (NS_PER_SEC / 2)
#define PROBE_TIMES 3

/* A link with VRRP: what comes in, and what a socket like ours gets of it. */
struct probe_link {
    char name[IF_NAMESIZE];
    int tap, four, six;
    struct wire wire;
    unsigned long came4, came6, got4, got6;
};

/* Whom we ask for, and who answered. */
struct probe_asked {
    struct ipaddr ip, vip,
        own;                  /* vip: the service it is a real server of; the VIP's own entry has ip = vip */
    const struct node_vi *vi; /* whose VIP it is; NULL: of no instance */
    unsigned int ifindex;
    uint8_t mac[4][ARP_MAC];
    size_t nmac;
};

struct doctor_probe {
    struct probe_link *link;
    size_t nlink;
    struct probe_asked *asked;
    size_t nasked;
    int arp, nd;
};

/* ---- opening, as root */

static int probe_raw(const char *ifname, unsigned int family, const char *group)
{
    int af = family == 6 ? AF_INET6 : AF_INET;
    struct ipaddr g;
    struct ifreq ifr = { 0 };
    int fd = socket(af, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, PACKET_PROTO);
    if (fd < 0)
        return -1;
    memcpy(ifr.ifr_name, ifname, strnlen(ifname, IFNAMSIZ - 1));
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, &ifr, sizeof ifr);
    if (group == NULL || ipaddr_parse(group, &g) < 0)
        return fd;
    if (family == 6) {
        struct ipv6_mreq m = { .ipv6mr_interface = if_nametoindex(ifname) };
        memcpy(&m.ipv6mr_multiaddr, g.b, 16);
        setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof m);
    } else {
        struct ip_mreqn m = { .imr_ifindex = (int)if_nametoindex(ifname) };
        memcpy(&m.imr_multiaddr, g.b, 4);
        setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m);
    }
    return fd;
}

static int probe_nd(void)
{
    const int hops = 255;
    struct icmp6_filter only;
    int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
    if (fd < 0)
        return -1;
    ICMP6_FILTER_SETBLOCKALL(&only);
    ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &only);
    setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only, sizeof only);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
    return fd;
}

static struct probe_link *probe_link(struct doctor_probe *p, const char *ifname)
{
    for (size_t i = 0; i < p->nlink; i++)
        if (strcmp(p->link[i].name, ifname) == 0)
            return &p->link[i];
    if (p->nlink == PROBE_LINKS || if_nametoindex(ifname) == 0)
        return NULL;
    struct probe_link *l = &p->link[p->nlink];
    *l = (struct probe_link){ .four = -1, .six = -1 };
    snprintf(l->name, sizeof l->name, "%s", ifname);
    l->tap = listen_open(ifname);
    if (l->tap < 0)
        return NULL;
    p->nlink++;
    return l;
}

/* NULL: more than are asked for. */
static struct probe_asked *probe_ask_for(struct doctor_probe *p, const struct ipaddr *ip,
                                         const struct ipaddr *vip, unsigned int ifindex,
                                         const struct ipaddr *own)
{
    for (size_t i = 0; i < p->nasked; i++)
        if (ipaddr_same(&p->asked[i].ip, ip) && ipaddr_same(&p->asked[i].vip, vip))
            return &p->asked[i];
    if (p->nasked == PROBE_ASKED)
        return NULL;
    p->asked[p->nasked] = (struct probe_asked){ .ip = *ip, .vip = *vip, .own = *own, .ifindex = ifindex };
    return &p->asked[p->nasked++];
}

static void probe_vips(struct doctor_probe *p, const struct node_vi *v)
{
    for (size_t i = 0; i < v->nvips && v->iface[0] != '\0'; i++) {
        struct ipaddr vip, own = { .family = 4 };
        if (ipaddr_parse_prefix(v->vips[i], &vip) < 0 || if_nametoindex(v->iface) == 0)
            continue;
        if (doctor_onlink(&vip, &own) != 0 && doctor_onlink(&vip, &own) != if_nametoindex(v->iface))
            continue; /* by another interface: whose MACs would be others */
        struct probe_asked *a = probe_ask_for(p, &vip, &vip, if_nametoindex(v->iface), &own);
        if (a != NULL)
            a->vi = v;
    }
}

static void probe_service(struct doctor_probe *p, const json_t *vs)
{
    struct ipaddr vip, ip, own;
    json_t *rs;
    const char *text = model_str(vs, "x_ip", NULL);
    if (text == NULL || ipaddr_parse(text, &vip) < 0)
        return;
    for (size_t i = 0; (rs = model_next(vs, "rs", &i)) != NULL;) {
        if (model_int(rs, "lvs_method", 0) != DOCTOR_METHOD_DR ||
            ipaddr_parse(model_str(rs, "x_ip", ""), &ip) < 0 || ip.family != vip.family || doctor_is_own(&ip))
            continue;
        unsigned int ifindex = doctor_onlink(&ip, &own);
        if (ifindex == 0)
            continue;
        probe_ask_for(p, &ip, &vip, ifindex, &own);
        probe_ask_for(p, &vip, &vip, ifindex, &own);
    }
}

struct doctor_probe *doctor_probe_open(struct doctor *d)
{
    struct doctor_probe *p = xcalloc(1, sizeof *p);
    json_t *vs;
    p->arp = p->nd = -1;
    p->link = xcalloc(PROBE_LINKS, sizeof *p->link);
    p->asked = xcalloc(PROBE_ASKED, sizeof *p->asked);
    for (size_t i = 0; d->seconds > 0 && i < d->node.nvi; i++) {
        const struct node_vi *v = &d->node.vi[i];
        struct probe_link *l = v->iface[0] != '\0' ? probe_link(p, v->iface) : NULL;
        if (l == NULL)
            continue;
        int *fd = v->family == 6 ? &l->six : &l->four;
        if (*fd < 0)
            *fd = probe_raw(l->name, v->family, v->group);
        probe_vips(p, v);
    }
    for (size_t i = 0; d->seconds > 0 && (vs = model_next(d->top, "vs", &i)) != NULL;)
        probe_service(p, vs);
    if (p->nasked > 0) {
        p->arp = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ARP));
        p->nd = probe_nd();
    }
    return p;
}

void doctor_probe_free(struct doctor_probe *p)
{
    for (size_t i = 0; i < p->nlink; i++) {
        int fds[] = { p->link[i].tap, p->link[i].four, p->link[i].six };
        for (size_t k = 0; k < 3; k++)
            if (fds[k] >= 0)
                close(fds[k]);
        wire_free(&p->link[i].wire);
    }
    if (p->arp >= 0)
        close(p->arp);
    if (p->nd >= 0)
        close(p->nd);
    free(p->link);
    free(p->asked);
    free(p);
}

/* ---- listening, as nobody */

static void probe_drain_tap(struct probe_link *l)
{
    uint8_t buf[9216], mac[WIRE_MAC];
    struct wire_advert a;
    size_t who;
    bool own;
    int rc;
    while ((rc = listen_read(l->tap, buf, sizeof buf, &a, mac, &own)) >= 0) {
        if (rc == 0)
            continue;
        wire_hear(&l->wire, &a, mac, own, clock_monotonic_ns(), &who);
        if (own || a.vlan != 0 || a.ah)
            continue;
        l->came4 += a.rx.family == 4;
        l->came6 += a.rx.family == 6;
    }
}

static unsigned long probe_drain_raw(int fd)
{
    char buf[9216];
    unsigned long n = 0;
    while (fd >= 0 && recv(fd, buf, sizeof buf, MSG_DONTWAIT) >= 0)
        n++;
    return n;
}

static void probe_ask_nd(int fd, const struct probe_asked *a, const uint8_t mac[ARP_MAC])
{
    struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_scope_id = a->ifindex };
    uint8_t q[ND_LEN];
    struct ipaddr group;
    nd_question(mac, &a->ip, q, &group);
    memcpy(&to.sin6_addr, group.b, 16);
    if (fd >= 0)
        sendto(fd, q, sizeof q, 0, (struct sockaddr *)&to, sizeof to);
}

static void probe_ask(struct doctor_probe *p)
{
    uint8_t own_mac[ARP_MAC] = { 0 }, q[ARP_LEN];
    for (size_t i = 0; p->arp >= 0 && i < p->nasked; i++) {
        const struct probe_asked *a = &p->asked[i];
        struct sockaddr_ll to = { .sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ARP),
                                  .sll_halen = ARP_MAC,
                                  .sll_ifindex = (int)a->ifindex };
        struct sockaddr_ll me = { .sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ARP),
                                  .sll_ifindex = (int)a->ifindex };
        socklen_t len = sizeof me;
        memset(to.sll_addr, 0xff, ARP_MAC);
        int s = p->arp;
        if (bind(s, (struct sockaddr *)&me, sizeof me) == 0 &&
            getsockname(s, (struct sockaddr *)&me, &len) == 0)
            memcpy(own_mac, me.sll_addr, ARP_MAC);
        if (a->ip.family == 6) {
            probe_ask_nd(p->nd, a, own_mac);
            continue;
        }
        arp_question(own_mac, &a->own, &a->ip, q);
        sendto(s, q, sizeof q, 0, (struct sockaddr *)&to, sizeof to);
    }
}

static void probe_answered(struct doctor_probe *p, const struct ipaddr *who, const uint8_t mac[ARP_MAC])
{
    for (size_t i = 0; i < p->nasked; i++) {
        struct probe_asked *a = &p->asked[i];
        bool known = !ipaddr_same(&a->ip, who) || a->nmac == sizeof a->mac / sizeof *a->mac;
        for (size_t k = 0; k < a->nmac; k++)
            known = known || memcmp(a->mac[k], mac, ARP_MAC) == 0;
        if (!known)
            memcpy(a->mac[a->nmac++], mac, ARP_MAC);
    }
}

static void probe_drain_answers(struct doctor_probe *p)
{
    uint8_t buf[256], mac[ARP_MAC];
    struct ipaddr who;
    ssize_t n;
    while (p->arp >= 0 && (n = recv(p->arp, buf, sizeof buf, MSG_DONTWAIT)) >= 0)
        if (arp_answer(buf, (size_t)n, mac, &who) == 0)
            probe_answered(p, &who, mac);
    while (p->nd >= 0 && (n = recv(p->nd, buf, sizeof buf, MSG_DONTWAIT)) >= 0)
        if (nd_answer(buf, (size_t)n, mac, &who) == 0)
            probe_answered(p, &who, mac);
}

/* ---- judgement */

static void probe_deaf(struct doctor *d, const struct probe_link *l, unsigned int family, unsigned long came,
                       unsigned long got)
{
    if (came < 2 || got > 0)
        return;
    struct finding *f = finding_add(
        d->l, FINDING_ERROR, "HD-DEAF", l->name,
        "adverts (IPv%u) arrive, but none reaches a socket: something on this machine drops them", family);
    finding_evidence(f, "%lu came in from the wire, a raw socket of protocol 112 got none", came);
    wire_firewall(f, family, false);
    if (family == 4)
        finding_remedy(f,
                       "or the reverse path filter: sysctl net.ipv4.conf.%s.rp_filter, log_martians=1 tells",
                       l->name);
}

static const struct probe_asked *probe_vip(const struct doctor_probe *p, const struct ipaddr *vip)
{
    for (size_t i = 0; i < p->nasked; i++)
        if (ipaddr_same(&p->asked[i].ip, vip) && ipaddr_same(&p->asked[i].vip, vip))
            return &p->asked[i];
    return NULL;
}

static void probe_judge_arp(struct doctor *d, const struct doctor_probe *p)
{
    char vip[IPADDR_STRLEN], rs[IPADDR_STRLEN];
    for (size_t i = 0; i < p->nasked; i++) {
        const struct probe_asked *a = &p->asked[i], *v = probe_vip(p, &a->vip);
        bool same = false;
        if (v == NULL || a == NULL || v == a)
            continue;
        for (size_t k = 0; k < a->nmac; k++)
            for (size_t m = 0; m < v->nmac; m++)
                same = same || memcmp(a->mac[k], v->mac[m], ARP_MAC) == 0;
        if (!same)
            continue;
        ipaddr_str(&a->vip, vip);
        ipaddr_str(&a->ip, rs);
        struct finding *f =
            finding_add(d->l, FINDING_ERROR, "HD-ARP-VIP", vip,
                        "the real server %s answers %s for it: clients reach it instead of the director", rs,
                        a->ip.family == 6 ? "neighbour discovery" : "ARP");
        finding_evidence(f, "the same MAC %02x:%02x:%02x:%02x:%02x:%02x answers for %s and for %s",
                         a->mac[0][0], a->mac[0][1], a->mac[0][2], a->mac[0][3], a->mac[0][4], a->mac[0][5],
                         rs, vip);
        finding_remedy(f, "on %s: holdctl realserver up %s (VIP on lo, arp_ignore 1, arp_announce 2)", rs,
                       vip);
    }
}

/* Whoever advertises this virtual router here, or its virtual MAC. */
static bool probe_is_master(const struct doctor_probe *p, const struct node_vi *v, const uint8_t mac[ARP_MAC],
                            bool *heard)
{
    const uint8_t shared[ARP_MAC] = { 0, 0, 0x5e, 0, v->family == 6 ? 2 : 1, v->vrid };
    bool is = memcmp(mac, shared, ARP_MAC) == 0;
    for (size_t i = 0; i < p->nlink; i++)
        for (size_t k = 0; k < p->link[i].wire.n && strcmp(p->link[i].name, v->iface) == 0; k++) {
            const struct wire_sender *s = &p->link[i].wire.s[k];
            if (s->vrid != v->vrid || s->family != v->family)
                continue;
            *heard = true;
            is = is || memcmp(s->mac, mac, ARP_MAC) == 0 || s->two_macs;
        }
    return is;
}

static void probe_judge_vip(struct doctor *d, const struct doctor_probe *p, const struct probe_asked *a)
{
    char vip[IPADDR_STRLEN];
    bool heard = false, own = doctor_is_own(&a->ip);
    bool long_enough = d->seconds * 1e6 >= 3.0 * (double)a->vi->interval_us;
    for (size_t i = 0; i < a->nmac; i++) {
        const uint8_t *m = a->mac[i];
        if (probe_is_master(p, a->vi, m, &heard) || (!heard && !own && !long_enough) ||
            (!own && a->vi->group == NULL))
            continue; /* a unicast master's adverts may come by a router */
        struct finding *f =
            finding_add(d->l, FINDING_ERROR, "HD-VIP-TAKEN", ipaddr_str(&a->ip, vip),
                        "somebody answers for it who is no master of %s: clients reach that machine instead",
                        a->vi->name);
        finding_evidence(f, "%02x:%02x:%02x:%02x:%02x:%02x answers %s on %s%s", m[0], m[1], m[2], m[3], m[4],
                         m[5], a->ip.family == 6 ? "neighbour discovery" : "ARP", a->vi->iface,
                         own     ? ", and this machine has the address"
                         : heard ? ", the adverts come from another MAC"
                                 : ", and nobody advertises the virtual router");
        finding_remedy(f,
                       "find the machine with that MAC (switch tables, ip neigh) and take %s from it, or "
                       "choose another address",
                       vip);
    }
}

void doctor_probe_run(struct doctor *d, struct doctor_probe *p)
{
    uint64_t start = clock_monotonic_ns(), now = start, ask = start;
    uint64_t end = start + (uint64_t)(d->seconds * NS_PER_SEC);
    int asked = 0;
    if (p->nlink == 0 && p->arp < 0 && p->nd < 0)
        return;
    for (; now < end; now = clock_monotonic_ns()) {
        if (p->nlink == 0 && now > start + PROBE_TIMES * PROBE_AGAIN)
            break; /* questions only: their answers come at once */
        if (asked < PROBE_TIMES && now >= ask) {
            probe_ask(p);
            asked++;
            ask = now + PROBE_AGAIN;
        }
        poll(NULL, 0, 50);
        probe_drain_answers(p);
        for (size_t i = 0; i < p->nlink; i++) {
            probe_drain_tap(&p->link[i]);
            p->link[i].got4 += probe_drain_raw(p->link[i].four);
            p->link[i].got6 += probe_drain_raw(p->link[i].six);
        }
    }
    for (size_t i = 0; i < p->nlink; i++) {
        const struct probe_link *l = &p->link[i];
        if (l->four >= 0)
            probe_deaf(d, l, 4, l->came4, l->got4);
        if (l->six >= 0)
            probe_deaf(d, l, 6, l->came6, l->got6);
        wire_judge(&l->wire, l->name, d->l);
    }
    probe_judge_arp(d, p);
    for (size_t i = 0; i < p->nasked; i++)
        if (p->asked[i].vi != NULL)
            probe_judge_vip(d, p, &p->asked[i]);
}
