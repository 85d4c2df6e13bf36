/*
 * addr_spec.c - see addr_spec.h. Addresses carry protocol 18 so that a later incarnation knows them for its
 * own; a kernel that does not know the attribute (before 5.18) ignores it.
 */
#include "ipvsd/addr_spec.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <string.h>

#include "common/compat.h"

#define ADDR_MSG_SIZE 256 /* header 24, six attributes, cache info 20: at most 150 */

static uint32_t addr_spec_flags(const struct slice_obj *o, uint8_t family)
{
    uint32_t f = 0;
    if (slice_bool(o, KW_ADDR_NOPREFIXROUTE, false))
        f |= IFA_F_NOPREFIXROUTE;
    if (slice_bool(o, KW_ADDR_AUTOJOIN, false))
        f |= IFA_F_MCAUTOJOIN;
    if (family != 6)
        return f;
    /* The address moves between machines by protocol: detection would only delay it. "-nodad" asks for it all
     * the same. */
    if (!slice_bool(o, KW_ADDR_NODAD, false))
        f |= IFA_F_NODAD;
    if (slice_bool(o, KW_ADDR_HOME, false))
        f |= IFA_F_HOMEADDRESS;
    if (slice_bool(o, KW_ADDR_MNGTMPADDR, false))
        f |= IFA_F_MANAGETEMPADDR;
    return f;
}

int addr_spec_read(const struct slice_obj *o, struct addr_spec *out)
{
    memset(out, 0, sizeof *out);
    if (!slice_ip(o, KW_ADDR_ADDRESS, &out->addr) || ipaddr_len(&out->addr) == 0)
        return -1;
    if (slice_ip(o, KW_ADDR_PEER, &out->peer) && out->peer.family == out->addr.family) {
        /* As with iproute2 and the incumbent the prefix is the peer's, one address without a length. */
        out->addr.plen = out->peer.plen;
    } else {
        out->peer.family = 0;
    }
    if (out->addr.family != 4 || !slice_ip(o, KW_ADDR_BRD, &out->brd))
        out->brd.family = 0;
    out->flags = addr_spec_flags(o, out->addr.family);
    out->preferred = (uint32_t)slice_uint(o, KW_ADDR_PREFERRED_LFT, UINT32_MAX);
    if (out->addr.family == 4) {
        out->scope = (uint8_t)slice_uint(o, KW_ADDR_SCOPE, RT_SCOPE_UNIVERSE);
        out->label = slice_str(o, KW_ADDR_LABEL, NULL);
    }
    return 0;
}

static struct nl_msg *addr_spec_begin(uint16_t type, int flags, const struct ipaddr *a, uint32_t ifindex,
                                      uint8_t scope, uint32_t ifa_flags)
{
    struct ifaddrmsg ifa = { .ifa_family = (uint8_t)ipaddr_af(a),
                             .ifa_prefixlen = a->plen,
                             .ifa_flags = (uint8_t)ifa_flags,
                             .ifa_scope = scope,
                             .ifa_index = ifindex };
    struct nl_msg *m = nlmsg_alloc_size(ADDR_MSG_SIZE);
    if (m == NULL)
        return NULL;
    if (nlmsg_put(m, 0, 0, type, 0, flags) == NULL || nlmsg_append(m, &ifa, sizeof ifa, NLMSG_ALIGNTO) < 0 ||
        nla_put(m, IFA_LOCAL, (int)ipaddr_len(a), a->b) < 0) {
        nlmsg_free(m);
        return NULL;
    }
    return m;
}

struct nl_msg *addr_spec_add(const struct addr_spec *s, uint32_t ifindex)
{
    const struct ipaddr *far = s->peer.family != 0 ? &s->peer : &s->addr;
    struct nl_msg *m =
        addr_spec_begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &s->addr, ifindex, s->scope, s->flags);
    if (m == NULL)
        return NULL;
    int rc = nla_put(m, IFA_ADDRESS, (int)ipaddr_len(far), far->b);
    if (rc == 0 && s->brd.family != 0)
        rc = nla_put(m, IFA_BROADCAST, 4, s->brd.b);
    if (rc == 0 && s->label != NULL)
        rc = nla_put_string(m, IFA_LABEL, s->label);
    if (rc == 0 && s->flags != 0)
        rc = nla_put_u32(m, IFA_FLAGS, s->flags);
    if (rc == 0)
        rc = nla_put_u8(m, COMPAT_IFA_PROTO, COMPAT_PROTO_VRRP);
    if (rc == 0 && s->preferred != UINT32_MAX) {
        struct ifa_cacheinfo ci = { .ifa_prefered = s->preferred, .ifa_valid = UINT32_MAX };
        rc = nla_put(m, IFA_CACHEINFO, sizeof ci, &ci);
    }
    if (rc == 0)
        return m;
    nlmsg_free(m);
    return NULL;
}

struct nl_msg *addr_spec_del(const struct ipaddr *a, uint32_t ifindex)
{
    return addr_spec_begin(RTM_DELADDR, 0, a, ifindex, 0, 0);
}
