/* rule_spec.c - see rule_spec.h. */
#include "ipvsd/rule_spec.h"

#include <endian.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <string.h>

#include "common/compat.h"

#define RULE_MSG_SIZE 1024 /* all attributes together are below 300 */

uint8_t rule_spec_family(const struct slice_obj *o)
{
    struct ipaddr a;
    if (slice_bool(o, KW_RULE_INET6, false))
        return 6;
    if (slice_bool(o, KW_RULE_INET, false))
        return 4;
    if (slice_ip(o, KW_RULE_FROM, &a) && a.family != 0)
        return a.family;
    return slice_ip(o, KW_RULE_TO, &a) && a.family != 0 ? a.family : 4;
}

void rule_spec_read(const struct slice_obj *o, uint32_t spare, struct rule_spec *out)
{
    memset(out, 0, sizeof *out);
    out->obj = o;
    out->family = rule_spec_family(o);
    out->no_track = slice_bool(o, KW_RULE_NO_TRACK, false);
    out->preference = (uint32_t)slice_uint(o, KW_RULE_PREFERENCE, spare);
    out->proto = COMPAT_PROTO_VRRP;
    if (out->no_track)
        out->proto = (uint8_t)slice_uint(o, KW_RULE_PROTOCOL, COMPAT_PROTO_VRRP);
}

static uint8_t rule_action(const struct slice_obj *o)
{
    static const struct {
        enum kw kw;
        uint8_t action;
    } actions[] = {
        { KW_RULE_BLACKHOLE, FR_ACT_BLACKHOLE },
        { KW_RULE_PROHIBIT, FR_ACT_PROHIBIT },
        { KW_RULE_UNREACHABLE, FR_ACT_UNREACHABLE },
        { KW_RULE_NOP, FR_ACT_NOP },
    };
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (slice_bool(o, actions[i].kw, false))
            return actions[i].action;
    return slice_has(o, KW_RULE_GOTO) ? FR_ACT_GOTO : FR_ACT_TO_TBL;
}

static int rule_put_prefix(struct nl_msg *m, int attr, const struct slice_obj *o, enum kw kw, uint8_t *len)
{
    struct ipaddr a;
    if (!slice_ip(o, kw, &a) || a.family == 0 || a.plen == 0)
        return 0;
    *len = a.plen;
    return nla_put(m, attr, (int)ipaddr_len(&a), a.b);
}

static int rule_put_numbers(struct nl_msg *m, const struct slice_obj *o)
{
    static const struct {
        enum kw kw;
        int attr;
    } numbers[] = {
        { KW_RULE_REALMS, FRA_FLOW },
        { KW_RULE_SUPPRESS_PREFIXLENGTH, FRA_SUPPRESS_PREFIXLEN },
        { KW_RULE_SUPPRESS_IFGROUP, FRA_SUPPRESS_IFGROUP },
        { KW_RULE_GOTO, FRA_GOTO },
        { KW_RULE_TABLE, FRA_TABLE },
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && rc == 0; i++)
        if (slice_has(o, numbers[i].kw))
            rc = nla_put_u32(m, numbers[i].attr, (uint32_t)slice_uint(o, numbers[i].kw, 0));
    if (rc == 0 && slice_has(o, KW_RULE_FWMARK)) {
        rc = nla_put_u32(m, FRA_FWMARK, (uint32_t)slice_uint(o, KW_RULE_FWMARK, 0));
        if (rc == 0)
            rc = nla_put_u32(m, FRA_FWMASK, (uint32_t)slice_uint(o, KW_RULE_X_FWMASK, UINT32_MAX));
    }
    if (rc == 0 && slice_has(o, KW_RULE_TUNNEL_ID))
        rc = nla_put_u64(m, FRA_TUN_ID, htobe64(slice_uint(o, KW_RULE_TUNNEL_ID, 0)));
    return rc;
}

static int rule_put_port(struct nl_msg *m, int attr, const struct slice_obj *o, enum kw kw)
{
    uint64_t v = slice_uint(o, kw, 0);
    struct fib_rule_port_range r = { .start = (uint16_t)(v >> 32), .end = (uint16_t)v };
    return slice_has(o, kw) ? nla_put(m, attr, sizeof r, &r) : 0;
}

static int rule_put_selectors(struct nl_msg *m, const struct rule_spec *r)
{
    const struct slice_obj *o = r->obj;
    const char *iif = slice_str(o, KW_RULE_DEV, NULL), *oif = slice_str(o, KW_RULE_OIF, NULL);
    uint64_t uids = slice_uint(o, KW_RULE_UIDRANGE, 0);
    struct fib_rule_uid_range u = { .start = (uint32_t)(uids >> 32), .end = (uint32_t)uids };
    int rc = iif != NULL ? nla_put_string(m, FRA_IIFNAME, iif) : 0;
    if (rc == 0 && oif != NULL)
        rc = nla_put_string(m, FRA_OIFNAME, oif);
    if (rc == 0 && slice_has(o, KW_RULE_UIDRANGE))
        rc = nla_put(m, FRA_UID_RANGE, sizeof u, &u);
    if (rc == 0 && slice_bool(o, KW_RULE_L3MDEV, false))
        rc = nla_put_u8(m, FRA_L3MDEV, 1);
    if (rc == 0 && slice_has(o, KW_RULE_IPPROTO))
        rc = nla_put_u8(m, FRA_IP_PROTO, (uint8_t)slice_uint(o, KW_RULE_IPPROTO, 0));
    if (rc == 0)
        rc = rule_put_port(m, FRA_SPORT_RANGE, o, KW_RULE_SPORT);
    if (rc == 0)
        rc = rule_put_port(m, FRA_DPORT_RANGE, o, KW_RULE_DPORT);
    return rc;
}

struct nl_msg *rule_spec_msg(const struct rule_spec *r, bool add)
{
    const struct slice_obj *o = r->obj;
    struct fib_rule_hdr hdr = { .family = r->family == 6 ? AF_INET6 : AF_INET,
                                .tos = (uint8_t)slice_uint(o, KW_RULE_TOS, 0),
                                .action = rule_action(o),
                                .flags = slice_bool(o, KW_RULE_NOT, false) ? FIB_RULE_INVERT : 0 };
    struct nl_msg *m = nlmsg_alloc_size(RULE_MSG_SIZE);
    if (m == NULL)
        return NULL;
    if (nlmsg_put(m, 0, 0, add ? RTM_NEWRULE : RTM_DELRULE, 0, add ? NLM_F_CREATE | NLM_F_EXCL : 0) != NULL &&
        nlmsg_append(m, &hdr, sizeof hdr, NLMSG_ALIGNTO) == 0) {
        struct fib_rule_hdr *h = nlmsg_data(nlmsg_hdr(m));
        if (rule_put_prefix(m, FRA_SRC, o, KW_RULE_FROM, &h->src_len) == 0 &&
            rule_put_prefix(m, FRA_DST, o, KW_RULE_TO, &h->dst_len) == 0 &&
            nla_put_u32(m, FRA_PRIORITY, r->preference) == 0 && nla_put_u8(m, FRA_PROTOCOL, r->proto) == 0 &&
            rule_put_numbers(m, o) == 0 && rule_put_selectors(m, r) == 0)
            return m;
    }
    nlmsg_free(m);
    return NULL;
}
