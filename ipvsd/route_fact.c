/*
 * route_fact.c - see route_fact.h. Attribute walking is libnl's, with a policy for every attribute that is
 * looked at.
 */
#include "ipvsd/route_fact.h"

#include <endian.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "common/hash.h"

#define FACT_V6_METRIC 1024u /* what the kernel makes of none */

/* ---- addresses
 * ------------------------------------------------------------------------------------------------------- */

static int fact_ip(const struct nlattr *a, uint8_t family, unsigned int plen, struct ipaddr *out)
{
    size_t want = family == 4 ? 4 : 16;
    if (a == NULL)
        return 0;
    if ((size_t)nla_len(a) != want || plen > 8 * want)
        return -1;
    out->family = family;
    out->plen = (uint8_t)plen;
    memcpy(out->b, nla_data(a), want);
    return 0;
}

/* IPv6 takes a destination with host bits set and clears them. */
static void fact_clear_host(struct ipaddr *a)
{
    for (size_t i = a->plen; a->family == 6 && i < 128; i++)
        a->b[i / 8] = (uint8_t)(a->b[i / 8] & ~(0x80u >> i % 8));
}

static int fact_gateway(struct nlattr *const *tb, uint8_t family, struct ipaddr *out)
{
    unsigned int plen = family == 4 ? 32 : 128;
    const struct nlattr *via = tb[RTA_VIA];
    uint16_t af;
    if (via == NULL)
        return fact_ip(tb[RTA_GATEWAY], family, plen, out);
    if ((size_t)nla_len(via) < sizeof af)
        return -1;
    memcpy(&af, nla_data(via), sizeof af);
    size_t n = (size_t)nla_len(via) - sizeof af;
    if (!(af == AF_INET && n == 4) && !(af == AF_INET6 && n == 16))
        return -1;
    out->family = af == AF_INET ? 4 : 6;
    out->plen = (uint8_t)(8 * n);
    memcpy(out->b, (const uint8_t *)nla_data(via) + sizeof af, n);
    return 0;
}

/* ---- routes
 * ---------------------------------------------------------------------------------------------------------
 */

static struct nla_policy *fact_route_policy(void)
{
    static struct nla_policy policy[RTA_MAX + 1] = {
        [RTA_OIF] = { .type = NLA_U32 },
        [RTA_PRIORITY] = { .type = NLA_U32 },
        [RTA_TABLE] = { .type = NLA_U32 },
    };
    return policy;
}

static int fact_path(const struct rtnexthop *hop, uint8_t family, struct route_path *out)
{
    struct nlattr *tb[RTA_MAX + 1];
    const uint8_t *attrs = (const uint8_t *)hop + sizeof *hop;
    memset(out, 0, sizeof *out);
    out->oif = (uint32_t)hop->rtnh_ifindex;
    out->hops = hop->rtnh_hops;
    if (nla_parse(tb, RTA_MAX, (struct nlattr *)(uintptr_t)attrs, (int)(hop->rtnh_len - sizeof *hop),
                  fact_route_policy()) < 0)
        return -1;
    return fact_gateway(tb, family, &out->via);
}

static int fact_paths(const struct nlattr *multi, struct route_fact *f)
{
    const uint8_t *p = nla_data(multi);
    size_t left = (size_t)nla_len(multi);
    while (left >= sizeof(struct rtnexthop)) {
        const struct rtnexthop *hop = (const struct rtnexthop *)(const void *)p;
        if (hop->rtnh_len < sizeof *hop || hop->rtnh_len > left)
            return -1;
        if (f->npaths < ROUTE_FACT_PATHS && fact_path(hop, f->family, &f->path[f->npaths]) < 0)
            return -1;
        f->npaths++;
        size_t step = NLMSG_ALIGN((size_t)hop->rtnh_len);
        p += step < left ? step : left;
        left -= step < left ? step : left;
    }
    return 0;
}

static int fact_route(struct nlmsghdr *h, struct route_fact *f)
{
    struct nlattr *tb[RTA_MAX + 1];
    const struct rtmsg *rt = nlmsg_data(h);
    if (nlmsg_parse(h, sizeof *rt, tb, RTA_MAX, fact_route_policy()) < 0)
        return -1;
    if ((rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6) || (rt->rtm_flags & RTM_F_CLONED) != 0)
        return -1;
    f->family = rt->rtm_family == AF_INET ? 4 : 6;
    f->type = rt->rtm_type;
    f->tos = rt->rtm_tos;
    f->proto = rt->rtm_protocol;
    f->table = tb[RTA_TABLE] != NULL ? nla_get_u32(tb[RTA_TABLE]) : rt->rtm_table;
    f->priority = tb[RTA_PRIORITY] != NULL ? nla_get_u32(tb[RTA_PRIORITY]) : 0;
    if (f->family == 6 && f->priority == 0)
        f->priority = FACT_V6_METRIC;
    if (fact_ip(tb[RTA_DST], f->family, rt->rtm_dst_len, &f->dst) < 0 ||
        fact_ip(tb[RTA_SRC], f->family, rt->rtm_src_len, &f->src) < 0 ||
        fact_ip(tb[RTA_PREFSRC], f->family, f->family == 4 ? 32 : 128, &f->prefsrc) < 0)
        return -1;
    fact_clear_host(&f->dst);
    fact_clear_host(&f->src);
    if (tb[RTA_MULTIPATH] != NULL && fact_paths(tb[RTA_MULTIPATH], f) < 0)
        return -1;
    if (f->npaths == 1)
        f->path[0].hops = 0; /* the kernel makes a plain route of it */
    if (f->npaths > 0)
        return 0;
    f->npaths = 1;
    f->path[0].oif = tb[RTA_OIF] != NULL ? nla_get_u32(tb[RTA_OIF]) : 0;
    return fact_gateway(tb, f->family, &f->path[0].via);
}

/* ---- rules
 * ----------------------------------------------------------------------------------------------------------
 */

static uint32_t fact_u32(const struct nlattr *a, uint32_t dflt)
{
    return a != NULL ? nla_get_u32(a) : dflt;
}

static void fact_pair(const struct nlattr *a, uint16_t out[2])
{
    if (a != NULL && (size_t)nla_len(a) == 2 * sizeof *out)
        memcpy(out, nla_data(a), 2 * sizeof *out);
}

static void fact_name(struct nlattr *a, char out[IFNAMSIZ])
{
    if (a != NULL)
        nla_strlcpy(out, a, IFNAMSIZ);
}

static void fact_rule_more(struct nlattr *const *tb, struct route_fact_rule *r)
{
    struct fib_rule_uid_range u = { 0, UINT32_MAX };
    fact_name(tb[FRA_IIFNAME], r->iif);
    fact_name(tb[FRA_OIFNAME], r->oif);
    r->fwmark = fact_u32(tb[FRA_FWMARK], 0);
    r->fwmask = fact_u32(tb[FRA_FWMASK], r->fwmark != 0 ? UINT32_MAX : 0);
    r->flow = fact_u32(tb[FRA_FLOW], 0);
    r->suppress_plen = fact_u32(tb[FRA_SUPPRESS_PREFIXLEN], UINT32_MAX);
    r->suppress_group = fact_u32(tb[FRA_SUPPRESS_IFGROUP], UINT32_MAX);
    r->go_to = fact_u32(tb[FRA_GOTO], 0);
    if (tb[FRA_UID_RANGE] != NULL && (size_t)nla_len(tb[FRA_UID_RANGE]) == sizeof u)
        memcpy(&u, nla_data(tb[FRA_UID_RANGE]), sizeof u);
    r->uid_first = u.start;
    r->uid_last = u.end;
    if (tb[FRA_TUN_ID] != NULL)
        r->tunnel = nla_get_u64(tb[FRA_TUN_ID]);
    fact_pair(tb[FRA_SPORT_RANGE], r->sport);
    fact_pair(tb[FRA_DPORT_RANGE], r->dport);
    r->ipproto = tb[FRA_IP_PROTO] != NULL ? nla_get_u8(tb[FRA_IP_PROTO]) : 0;
    r->l3mdev = tb[FRA_L3MDEV] != NULL ? nla_get_u8(tb[FRA_L3MDEV]) : 0;
}

static int fact_rule(struct nlmsghdr *h, struct route_fact *f)
{
    static struct nla_policy policy[FRA_MAX + 1] = {
        [FRA_PRIORITY] = { .type = NLA_U32 },
        [FRA_FWMARK] = { .type = NLA_U32 },
        [FRA_FWMASK] = { .type = NLA_U32 },
        [FRA_FLOW] = { .type = NLA_U32 },
        [FRA_TUN_ID] = { .type = NLA_U64 },
        [FRA_SUPPRESS_IFGROUP] = { .type = NLA_U32 },
        [FRA_SUPPRESS_PREFIXLEN] = { .type = NLA_U32 },
        [FRA_TABLE] = { .type = NLA_U32 },
        [FRA_GOTO] = { .type = NLA_U32 },
        [FRA_L3MDEV] = { .type = NLA_U8 },
        [FRA_PROTOCOL] = { .type = NLA_U8 },
        [FRA_IP_PROTO] = { .type = NLA_U8 },
    };
    struct nlattr *tb[FRA_MAX + 1];
    const struct fib_rule_hdr *r = nlmsg_data(h);
    if (nlmsg_parse(h, sizeof *r, tb, FRA_MAX, policy) < 0)
        return -1;
    if (r->family != AF_INET && r->family != AF_INET6)
        return -1;
    f->rule = true;
    f->family = r->family == AF_INET ? 4 : 6;
    f->type = r->action;
    f->tos = r->tos;
    f->table = fact_u32(tb[FRA_TABLE], r->table);
    f->priority = fact_u32(tb[FRA_PRIORITY], 0);
    f->proto = tb[FRA_PROTOCOL] != NULL ? nla_get_u8(tb[FRA_PROTOCOL]) : 0;
    f->r.invert = (r->flags & FIB_RULE_INVERT) != 0;
    fact_rule_more(tb, &f->r);
    return fact_ip(tb[FRA_DST], f->family, r->dst_len, &f->dst) < 0 ||
                   fact_ip(tb[FRA_SRC], f->family, r->src_len, &f->src) < 0
               ? -1
               : 0;
}

int route_fact_read(struct nlmsghdr *h, struct route_fact *out)
{
    memset(out, 0, sizeof *out);
    if (h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE)
        return fact_route(h, out);
    if (h->nlmsg_type == RTM_NEWRULE || h->nlmsg_type == RTM_DELRULE)
        return fact_rule(h, out);
    return -1;
}

/* ---- comparing
 * ------------------------------------------------------------------------------------------------------- */

static bool fact_same_ip(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->family == b->family && a->plen == b->plen && memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool route_fact_same_slot(const struct route_fact *a, const struct route_fact *b)
{
    return a->rule == b->rule && a->family == b->family && a->table == b->table &&
           a->priority == b->priority && fact_same_ip(&a->dst, &b->dst);
}

uint32_t route_fact_hash(const struct route_fact *f)
{
    uint64_t h = hash_u64(HASH_START, (uint64_t)f->table << 32 | f->priority);
    h = hash_u64(h, (uint64_t)f->rule << 8 | f->dst.plen);
    return hash_place(hash_bytes(h, f->dst.b, sizeof f->dst.b));
}

static bool fact_same_rule(const struct route_fact_rule *a, const struct route_fact_rule *b)
{
    return strcmp(a->iif, b->iif) == 0 && strcmp(a->oif, b->oif) == 0 && a->fwmark == b->fwmark &&
           a->fwmask == b->fwmask && a->flow == b->flow && a->suppress_plen == b->suppress_plen &&
           a->suppress_group == b->suppress_group && a->go_to == b->go_to && a->uid_first == b->uid_first &&
           a->uid_last == b->uid_last && a->tunnel == b->tunnel && a->sport[0] == b->sport[0] &&
           a->sport[1] == b->sport[1] && a->dport[0] == b->dport[0] && a->dport[1] == b->dport[1] &&
           a->ipproto == b->ipproto && a->l3mdev == b->l3mdev && a->invert == b->invert;
}

/* The kernel may list the paths in another order (IPv6). */
static bool fact_has_path(const struct route_fact *have, const struct route_path *p)
{
    for (size_t i = 0; i < have->npaths && i < ROUTE_FACT_PATHS; i++) {
        const struct route_path *q = &have->path[i];
        if (fact_same_ip(&q->via, &p->via) && (p->oif == 0 || p->oif == q->oif) && p->hops == q->hops)
            return true;
    }
    return false;
}

static bool fact_same_head(const struct route_fact *have, const struct route_fact *want)
{
    return route_fact_same_slot(have, want) && have->type == want->type && have->tos == want->tos &&
           have->proto == want->proto && fact_same_ip(&have->src, &want->src);
}

bool route_fact_fulfils(const struct route_fact *have, const struct route_fact *want)
{
    if (!fact_same_head(have, want))
        return false;
    if (want->rule)
        return fact_same_rule(&have->r, &want->r);
    if (want->prefsrc.family != 0 && !fact_same_ip(&have->prefsrc, &want->prefsrc))
        return false;
    /* IPv6 makes one route of several with the same destination and metric. */
    if (want->family == 6 ? have->npaths < want->npaths : have->npaths != want->npaths)
        return false;
    for (size_t i = 0; i < want->npaths && i < ROUTE_FACT_PATHS; i++)
        if (!fact_has_path(have, &want->path[i]))
            return false;
    return true;
}

static bool fact_wants_path(const struct route_fact *want, const struct route_path *p)
{
    for (size_t i = 0; i < want->npaths && i < ROUTE_FACT_PATHS; i++) {
        const struct route_path *q = &want->path[i];
        if (fact_same_ip(&q->via, &p->via) && (q->oif == 0 || p->oif == q->oif))
            return true; /* the last one left has no weight any more */
    }
    return false;
}

bool route_fact_remains(const struct route_fact *have, const struct route_fact *want)
{
    if (want->rule || want->family != 6 || !fact_same_head(have, want) || have->npaths > want->npaths ||
        route_fact_fulfils(have, want))
        return false;
    for (size_t i = 0; i < have->npaths && i < ROUTE_FACT_PATHS; i++)
        if (!fact_wants_path(want, &have->path[i]))
            return false;
    return true;
}
