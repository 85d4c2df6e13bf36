/*
 * route_spec.c - see route_spec.h. What the line leaves open is filled in as ip(8) does, so that a line that
 * was tried there does the same here.
 */
#include "ipvsd/route_spec.h"

#include <errno.h>
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <string.h>

#include "common/compat.h"
#include "ipvsd/route_encap.h"

#define ROUTE_MSG_SIZE (64u * 1024) /* hundreds of paths */

/* ---- reading
 * -------------------------------------------------------------------------------------------------------- */

static uint8_t route_family(const struct slice *s, const struct slice_obj *o)
{
    static const enum kw telling[] = { KW_ROUTE_TO,  KW_ROUTE_FROM, KW_ROUTE_SRC,
                                       KW_ROUTE_VIA, KW_ROUTE_GW,   KW_ROUTE_OR };
    struct ipaddr a;
    if (slice_bool(o, KW_ROUTE_INET6, false))
        return 6;
    if (slice_bool(o, KW_ROUTE_INET, false))
        return 4;
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
        if (slice_ip(o, telling[i], &a) && a.family != 0)
            return a.family;
    for (const struct slice_obj *n = NULL; (n = slice_next(s, n, BLK_NEXTHOP, o->id)) != NULL;)
        if (slice_ip(n, KW_NEXTHOP_VIA, &a) && a.family != 0)
            return a.family;
    return 4;
}

static uint8_t route_scope(const struct route_spec *r)
{
    if (r->family == 6)
        return RT_SCOPE_UNIVERSE;
    if (r->type == RTN_LOCAL || r->type == RTN_NAT)
        return RT_SCOPE_HOST;
    if (r->type == RTN_BROADCAST || r->type == RTN_MULTICAST || r->type == RTN_ANYCAST)
        return RT_SCOPE_LINK;
    return RT_SCOPE_UNIVERSE; /* as the incumbent, where ip(8) makes it link without a gateway */
}

static uint32_t route_table(uint8_t type)
{
    return type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_NAT || type == RTN_ANYCAST
               ? RT_TABLE_LOCAL
               : RT_TABLE_MAIN;
}

void route_spec_read(const struct slice *s, const struct slice_obj *o, struct route_spec *out)
{
    memset(out, 0, sizeof *out);
    out->slice = s;
    out->obj = o;
    out->family = route_family(s, o);
    out->type = (uint8_t)slice_uint(o, KW_ROUTE_TYPE, RTN_UNICAST);
    out->tos = (uint8_t)slice_uint(o, KW_ROUTE_TOS, 0);
    out->table = (uint32_t)slice_uint(o, KW_ROUTE_TABLE, route_table(out->type));
    out->no_track = slice_bool(o, KW_ROUTE_NO_TRACK, false);
    /* What is tracked must be known for ours again: the protocol tells. */
    out->proto = COMPAT_PROTO_VRRP;
    if (out->no_track)
        out->proto = (uint8_t)slice_uint(o, KW_ROUTE_PROTOCOL, COMPAT_PROTO_VRRP);
    if (!slice_ip(o, KW_ROUTE_TO, &out->dst) || out->dst.family == 0)
        out->dst = (struct ipaddr){ .family = out->family };
    if (!slice_ip(o, KW_ROUTE_FROM, &out->src))
        out->src.family = 0;
    if (!slice_ip(o, KW_ROUTE_SRC, &out->prefsrc))
        out->prefsrc.family = 0;
    out->scope = (uint8_t)slice_uint(o, KW_ROUTE_SCOPE, route_scope(out));
}

/* ---- writing
 * -------------------------------------------------------------------------------------------------------- */

static int route_put_gateway(struct nl_msg *m, uint8_t family, const struct ipaddr *a)
{
    uint8_t via[sizeof(uint16_t) + 16];
    uint16_t af = (uint16_t)ipaddr_af(a);
    if (a->family == family)
        return nla_put(m, RTA_GATEWAY, (int)ipaddr_len(a), a->b);
    memcpy(via, &af, sizeof af);
    memcpy(via + sizeof af, a->b, ipaddr_len(a));
    return nla_put(m, RTA_VIA, (int)(sizeof af + ipaddr_len(a)), via);
}

/* Rows of metrics and the kernel's numbers for them. */
static int route_put_metrics(struct nl_msg *m, const struct slice_obj *o)
{
    static const struct {
        enum kw kw;
        int rtax;
    } metric[] = {
        { KW_ROUTE_MTU, RTAX_MTU },
        { KW_ROUTE_WINDOW, RTAX_WINDOW },
        { KW_ROUTE_RTT, RTAX_RTT },
        { KW_ROUTE_RTTVAR, RTAX_RTTVAR },
        { KW_ROUTE_SSTHRESH, RTAX_SSTHRESH },
        { KW_ROUTE_CWND, RTAX_CWND },
        { KW_ROUTE_ADVMSS, RTAX_ADVMSS },
        { KW_ROUTE_REORDERING, RTAX_REORDERING },
        { KW_ROUTE_HOPLIMIT, RTAX_HOPLIMIT },
        { KW_ROUTE_INITCWND, RTAX_INITCWND },
        { KW_ROUTE_FEATURES, RTAX_FEATURES },
        { KW_ROUTE_RTO_MIN, RTAX_RTO_MIN },
        { KW_ROUTE_INITRWND, RTAX_INITRWND },
        { KW_ROUTE_QUICKACK, RTAX_QUICKACK },
        { KW_ROUTE_FASTOPEN_NO_COOKIE, RTAX_FASTOPEN_NO_COOKIE },
    };
    struct nlattr *nest = nla_nest_start(m, RTA_METRICS);
    const char *cc = slice_str(o, KW_ROUTE_CONGCTL, NULL);
    uint32_t lock = (uint32_t)slice_uint(o, KW_ROUTE_X_LOCK, 0);
    bool any = cc != NULL || lock != 0;
    int rc = nest == NULL ? -1 : 0;
    if (rc == 0 && lock != 0)
        rc = nla_put_u32(m, RTAX_LOCK, lock);
    for (size_t i = 0; i < sizeof metric / sizeof *metric && rc == 0; i++)
        if (slice_has(o, metric[i].kw)) {
            rc = nla_put_u32(m, metric[i].rtax, (uint32_t)slice_uint(o, metric[i].kw, 0));
            any = true;
        }
    if (rc == 0 && cc != NULL)
        rc = nla_put_string(m, RTAX_CC_ALGO, cc);
    if (rc == 0 && any)
        nla_nest_end(m, nest);
    else if (nest != NULL)
        nla_nest_cancel(m, nest);
    return rc;
}

static int route_begin_path(struct nl_msg *m, struct rtnexthop **hop)
{
    *hop = nlmsg_reserve(m, sizeof **hop, NLMSG_ALIGNTO);
    if (*hop == NULL)
        return -1;
    memset(*hop, 0, sizeof **hop);
    return 0;
}

static void route_end_path(struct nl_msg *m, struct rtnexthop *hop)
{
    hop->rtnh_len = (uint16_t)((char *)nlmsg_tail(nlmsg_hdr(m)) - (char *)hop);
}

static int route_put_path(struct nl_msg *m, const struct route_spec *r, const struct slice_obj *n,
                          const struct route_names *names)
{
    struct rtnexthop *hop;
    struct ipaddr via;
    const char *dev = slice_str(n, KW_NEXTHOP_DEV, NULL);
    const struct slice_obj *encap = slice_next(r->slice, NULL, BLK_ENCAP, n->id);
    uint32_t oif = dev != NULL ? names->ifindex(dev, names->arg) : 0;
    if (dev != NULL && oif == 0) {
        errno = ENODEV;
        return -1;
    }
    if (route_begin_path(m, &hop) < 0)
        return -1;
    hop->rtnh_ifindex = (int)oif;
    hop->rtnh_hops = (uint8_t)(slice_uint(n, KW_NEXTHOP_WEIGHT, 1) - 1);
    hop->rtnh_flags = slice_bool(n, KW_NEXTHOP_ONLINK, false) ? RTNH_F_ONLINK : 0;
    if (slice_ip(n, KW_NEXTHOP_VIA, &via) && route_put_gateway(m, r->family, &via) < 0)
        return -1;
    if (slice_has(n, KW_NEXTHOP_REALMS) &&
        nla_put_u32(m, RTA_FLOW, (uint32_t)slice_uint(n, KW_NEXTHOP_REALMS, 0)) < 0)
        return -1;
    if (encap != NULL && route_encap_put(m, encap) < 0)
        return -1;
    route_end_path(m, hop);
    return 0;
}

static uint32_t route_oif(const struct route_spec *r, const struct route_names *names)
{
    const char *dev = slice_str(r->obj, KW_ROUTE_DEV, NULL);
    return dev != NULL ? names->ifindex(dev, names->arg) : 0;
}

/* via A or B: two paths of equal share. The interface belongs to them: of the whole the kernel refuses it. */
static int route_put_either(struct nl_msg *m, const struct route_spec *r, const struct route_names *names)
{
    struct rtnexthop *hop;
    struct ipaddr a;
    static const enum kw both[] = { KW_ROUTE_VIA, KW_ROUTE_OR };
    for (size_t i = 0; i < 2; i++) {
        if (!slice_ip(r->obj, both[i], &a))
            continue;
        if (route_begin_path(m, &hop) < 0)
            return -1;
        hop->rtnh_ifindex = (int)route_oif(r, names);
        if (route_put_gateway(m, r->family, &a) < 0)
            return -1;
        route_end_path(m, hop);
    }
    return 0;
}

/* A path whose interface is gone went with it: the others can be removed without it. */
static int route_put_hops(struct nl_msg *m, const struct route_spec *r, bool add,
                          const struct route_names *names)
{
    size_t put = 0;
    const struct slice_obj *n = NULL;
    while ((n = slice_next(r->slice, n, BLK_NEXTHOP, r->obj->id)) != NULL) {
        if (route_put_path(m, r, n, names) == 0)
            put++;
        else if (add || errno != ENODEV)
            return -1;
    }
    errno = ENODEV;
    return put > 0 ? 0 : -1;
}

static int route_put_paths(struct nl_msg *m, const struct route_spec *r, bool add,
                           const struct route_names *names)
{
    bool either = slice_has(r->obj, KW_ROUTE_OR);
    const struct slice_obj *n = slice_next(r->slice, NULL, BLK_NEXTHOP, r->obj->id);
    if (n == NULL && !either)
        return 0;
    struct nlattr *nest = nla_nest_start(m, RTA_MULTIPATH);
    int rc = nest == NULL ? -1 : 0;
    if (rc == 0 && either)
        rc = route_put_either(m, r, names);
    if (rc == 0 && n != NULL)
        rc = route_put_hops(m, r, add, names);
    if (rc == 0)
        nla_nest_end(m, nest);
    return rc;
}

static int route_put_addresses(struct nl_msg *m, const struct route_spec *r)
{
    struct ipaddr via;
    if (r->dst.plen > 0 && nla_put(m, RTA_DST, (int)ipaddr_len(&r->dst), r->dst.b) < 0)
        return -1;
    if (r->src.family != 0 && nla_put(m, RTA_SRC, (int)ipaddr_len(&r->src), r->src.b) < 0)
        return -1;
    if (r->prefsrc.family != 0 && nla_put(m, RTA_PREFSRC, (int)ipaddr_len(&r->prefsrc), r->prefsrc.b) < 0)
        return -1;
    if (slice_has(r->obj, KW_ROUTE_OR))
        return 0;
    if (slice_ip(r->obj, KW_ROUTE_VIA, &via) || slice_ip(r->obj, KW_ROUTE_GW, &via))
        return route_put_gateway(m, r->family, &via);
    return 0;
}

static int route_put_where(struct nl_msg *m, const struct route_spec *r, const struct route_names *names)
{
    const struct slice_obj *o = r->obj;
    const char *dev = slice_str(o, KW_ROUTE_DEV, NULL), *vrf = slice_str(o, KW_ROUTE_VRF, NULL);
    uint32_t oif = route_oif(r, names);
    uint32_t table = vrf != NULL ? names->vrf_table(vrf, names->arg) : r->table;
    if ((dev != NULL && oif == 0) || (vrf != NULL && table == 0)) {
        errno = ENODEV;
        return -1;
    }
    int rc = nla_put_u32(m, RTA_TABLE, table);
    if (rc == 0 && oif != 0 && !slice_has(o, KW_ROUTE_OR))
        rc = nla_put_u32(m, RTA_OIF, oif);
    if (rc == 0 && slice_has(o, KW_ROUTE_METRIC))
        rc = nla_put_u32(m, RTA_PRIORITY, (uint32_t)slice_uint(o, KW_ROUTE_METRIC, 0));
    return rc;
}

static int route_put_more(struct nl_msg *m, const struct route_spec *r)
{
    const struct slice_obj *o = r->obj, *encap = slice_next(r->slice, NULL, BLK_ENCAP, o->id);
    int rc = route_put_metrics(m, o);
    if (rc == 0 && slice_has(o, KW_ROUTE_REALMS))
        rc = nla_put_u32(m, RTA_FLOW, (uint32_t)slice_uint(o, KW_ROUTE_REALMS, 0));
    if (rc == 0 && slice_has(o, KW_ROUTE_PREF))
        rc = nla_put_u8(m, RTA_PREF, (uint8_t)slice_uint(o, KW_ROUTE_PREF, 0));
    if (rc == 0 && slice_has(o, KW_ROUTE_EXPIRES))
        rc = nla_put_u32(m, RTA_EXPIRES, (uint32_t)slice_uint(o, KW_ROUTE_EXPIRES, 0));
    if (rc == 0 && slice_has(o, KW_ROUTE_TTL_PROPAGATE))
        rc = nla_put_u8(m, RTA_TTL_PROPAGATE, (uint8_t)slice_uint(o, KW_ROUTE_TTL_PROPAGATE, 0));
    if (rc == 0 && encap != NULL)
        rc = route_encap_put(m, encap);
    return rc;
}

static int route_insertion(const struct slice_obj *o)
{
    if (slice_bool(o, KW_ROUTE_ADD, false))
        return NLM_F_CREATE | NLM_F_EXCL;
    return slice_bool(o, KW_ROUTE_APPEND, false) ? NLM_F_CREATE | NLM_F_APPEND : NLM_F_CREATE;
}

struct nl_msg *route_spec_msg(const struct route_spec *r, bool add, const struct route_names *names)
{
    struct rtmsg rt = { .rtm_family = r->family == 6 ? AF_INET6 : AF_INET,
                        .rtm_dst_len = r->dst.plen,
                        .rtm_src_len = r->src.family != 0 ? r->src.plen : 0,
                        .rtm_tos = r->tos,
                        .rtm_table = RT_TABLE_UNSPEC,
                        .rtm_protocol = r->proto,
                        .rtm_scope = r->scope,
                        .rtm_type = r->type,
                        .rtm_flags = slice_bool(r->obj, KW_ROUTE_ONLINK, false) ? RTNH_F_ONLINK : 0 };
    struct nl_msg *m = nlmsg_alloc_size(ROUTE_MSG_SIZE);
    errno = ENOMEM;
    if (m == NULL)
        return NULL;
    if (nlmsg_put(m, 0, 0, add ? RTM_NEWROUTE : RTM_DELROUTE, 0, add ? route_insertion(r->obj) : 0) != NULL &&
        nlmsg_append(m, &rt, sizeof rt, NLMSG_ALIGNTO) == 0 && route_put_addresses(m, r) == 0 &&
        route_put_where(m, r, names) == 0 && (!add || route_put_more(m, r) == 0) &&
        route_put_paths(m, r, add, names) == 0)
        return m;
    int saved = errno;
    nlmsg_free(m);
    errno = saved;
    return NULL;
}
