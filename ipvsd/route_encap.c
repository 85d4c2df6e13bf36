/* route_encap.c - see route_encap.h. */
#include "ipvsd/route_encap.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/ila.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#define ENCAP_LABELS       32 /* more than any kernel takes */
#define ENCAP_LABEL_SHIFT  12
#define ENCAP_LABEL_BOTTOM 0x100u

static int encap_mpls(struct nl_msg *m, const struct slice_obj *o)
{
    uint32_t stack[ENCAP_LABELS];
    uint64_t label;
    int n = 0;
    while (n < ENCAP_LABELS && slice_uint_at(o, KW_ENCAP_LABELS, (size_t)n, &label))
        stack[n++] = htonl((uint32_t)label << ENCAP_LABEL_SHIFT);
    if (n > 0)
        stack[n - 1] |= htonl(ENCAP_LABEL_BOTTOM);
    return nla_put(m, MPLS_IPTUNNEL_DST, n * (int)sizeof *stack, stack);
}

static int encap_ila(struct nl_msg *m, const struct slice_obj *o)
{
    return nla_put_u64(m, ILA_ATTR_LOCATOR, htobe64(slice_uint(o, KW_ENCAP_LOCATOR, 0)));
}

/* ip and ip6 number their attributes alike; what is called ttl and tos in one is hoplimit and tc in the
 * other. */
static int encap_ip(struct nl_msg *m, const struct slice_obj *o, bool v6)
{
    enum kw ttl = v6 ? KW_ENCAP_HOPLIMIT : KW_ENCAP_TTL, tos = v6 ? KW_ENCAP_TC : KW_ENCAP_TOS;
    struct ipaddr a;
    int rc = 0;
    if (slice_has(o, KW_ENCAP_ID))
        rc = nla_put_u64(m, LWTUNNEL_IP_ID, htobe64(slice_uint(o, KW_ENCAP_ID, 0)));
    if (rc == 0 && slice_ip(o, KW_ENCAP_DST, &a))
        rc = nla_put(m, LWTUNNEL_IP_DST, (int)ipaddr_len(&a), a.b);
    if (rc == 0 && slice_ip(o, KW_ENCAP_SRC, &a))
        rc = nla_put(m, LWTUNNEL_IP_SRC, (int)ipaddr_len(&a), a.b);
    if (rc == 0 && slice_has(o, ttl))
        rc = nla_put_u8(m, LWTUNNEL_IP_TTL, (uint8_t)slice_uint(o, ttl, 0));
    if (rc == 0 && slice_has(o, tos))
        rc = nla_put_u8(m, LWTUNNEL_IP_TOS, (uint8_t)slice_uint(o, tos, 0));
    if (rc == 0 && slice_has(o, KW_ENCAP_FLAGS))
        rc = nla_put_u16(m, LWTUNNEL_IP_FLAGS, htons((uint16_t)slice_uint(o, KW_ENCAP_FLAGS, 0)));
    return rc;
}

int route_encap_put(struct nl_msg *m, const struct slice_obj *o)
{
    uint16_t type = (uint16_t)slice_uint(o, KW_ENCAP_X_TYPE, LWTUNNEL_ENCAP_NONE);
    if (nla_put_u16(m, RTA_ENCAP_TYPE, type) < 0)
        return -1;
    struct nlattr *nest = nla_nest_start(m, RTA_ENCAP);
    if (nest == NULL)
        return -1;
    int rc = -1;
    if (type == LWTUNNEL_ENCAP_MPLS)
        rc = encap_mpls(m, o);
    else if (type == LWTUNNEL_ENCAP_ILA)
        rc = encap_ila(m, o);
    else if (type == LWTUNNEL_ENCAP_IP || type == LWTUNNEL_ENCAP_IP6)
        rc = encap_ip(m, o, type == LWTUNNEL_ENCAP_IP6);
    nla_nest_end(m, nest);
    return rc;
}
