/*
 * vmac_spec.c - see vmac_spec.h. What we make is marked with an alias: a successor, after whatever death,
 * knows by it what may be removed at stop and what belongs to the administrator.
 */
#include "ipvsd/vmac_spec.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <string.h>

#define VMAC_MSG_SIZE 512

static int vmac_spec_name(char out[IFNAMSIZ], const char *s)
{
    size_t n = s != NULL ? strlen(s) : 0;
    memset(out, 0, IFNAMSIZ);
    if (n == 0 || n >= IFNAMSIZ || strchr(s, '/') != NULL)
        return -1;
    memcpy(out, s, n);
    return 0;
}

int vmac_spec_read(const struct slice_obj *o, struct vmac_spec *out)
{
    uint64_t mac = slice_uint(o, KW_VMAC_X_MAC, 0), families = slice_uint(o, KW_VMAC_X_FAMILIES, 0);
    memset(out, 0, sizeof *out);
    if (vmac_spec_name(out->name, o->name) < 0 ||
        vmac_spec_name(out->base, slice_str(o, KW_VMAC_X_BASE, NULL)) < 0 || mac >> 48 != 0)
        return -1;
    for (int i = 0; i < 6; i++)
        out->mac[i] = (uint8_t)(mac >> (8 * (5 - i)));
    out->v4 = (families & 1) != 0;
    out->v6 = (families & 2) != 0;
    out->grouped = slice_has(o, KW_VMAC_X_GROUP);
    out->group = (uint32_t)slice_uint(o, KW_VMAC_X_GROUP, 0);
    uint64_t flags = slice_uint(o, KW_VMAC_X_IPVLAN, 0);
    out->ipvlan = slice_has(o, KW_VMAC_X_IPVLAN);
    out->flags = (uint16_t)(flags & (IPVLAN_F_PRIVATE | IPVLAN_F_VEPA));
    if (out->ipvlan)
        return mac == 0 && flags == out->flags ? 0 : -1;
    /* An address of a group, or none, is no address of an interface. */
    return (out->mac[0] & 1) != 0 || mac == 0 ? -1 : 0;
}

bool vmac_spec_same(const struct vmac_spec *a, const struct vmac_spec *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->base, b->base) == 0 &&
           memcmp(a->mac, b->mac, sizeof a->mac) == 0 && a->ipvlan == b->ipvlan && a->flags == b->flags &&
           a->v4 == b->v4 && a->v6 == b->v6 && a->grouped == b->grouped && a->group == b->group;
}

const char *vmac_spec_kind(const struct vmac_spec *s)
{
    return s->ipvlan ? "ipvlan" : "macvlan";
}

enum vmac_fit vmac_spec_fit(const struct vmac_spec *s, uint32_t base, const struct kevent_macvlan *is,
                            const uint8_t *mac, uint8_t mac_len)
{
    if (is->lower != base)
        return VMAC_FIT_OTHER;
    if (s->ipvlan)
        return !is->ipvlan || is->mode != IPVLAN_MODE_L2 ? VMAC_FIT_OTHER
               : is->flags == s->flags                   ? VMAC_FIT_YES
                                                         : VMAC_FIT_MAC;
    if (!is->macvlan || is->mode != MACVLAN_MODE_PRIVATE)
        return VMAC_FIT_OTHER;
    return mac_len == sizeof s->mac && memcmp(mac, s->mac, sizeof s->mac) == 0 ? VMAC_FIT_YES : VMAC_FIT_MAC;
}

static struct nl_msg *vmac_spec_begin(uint16_t type, int flags, uint32_t ifindex, bool up)
{
    struct ifinfomsg ifi = { .ifi_index = (int)ifindex,
                             .ifi_flags = up ? IFF_UP : 0u,
                             .ifi_change = up ? IFF_UP : 0u };
    struct nl_msg *m = nlmsg_alloc_size(VMAC_MSG_SIZE);
    if (m == NULL)
        return NULL;
    if (nlmsg_put(m, 0, 0, type, 0, flags) == NULL || nlmsg_append(m, &ifi, sizeof ifi, NLMSG_ALIGNTO) < 0) {
        nlmsg_free(m);
        return NULL;
    }
    return m;
}

static struct nl_msg *vmac_spec_end(struct nl_msg *m, int rc)
{
    if (rc == 0)
        return m;
    nlmsg_free(m);
    return NULL;
}

/* Kind and mode. */
static int vmac_spec_info(const struct vmac_spec *s, struct nl_msg *m)
{
    struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO);
    if (info == NULL || nla_put_string(m, IFLA_INFO_KIND, vmac_spec_kind(s)) < 0)
        return -1;
    struct nlattr *data = nla_nest_start(m, IFLA_INFO_DATA);
    if (data == NULL)
        return -1;
    int rc = s->ipvlan ? nla_put_u16(m, IFLA_IPVLAN_MODE, IPVLAN_MODE_L2)
                       : nla_put_u32(m, IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE);
    if (rc == 0 && s->ipvlan)
        rc = nla_put_u16(m, IFLA_IPVLAN_FLAGS, s->flags);
    nla_nest_end(m, data);
    nla_nest_end(m, info);
    return rc;
}

struct nl_msg *vmac_spec_create(const struct vmac_spec *s, uint32_t base)
{
    struct nl_msg *m = vmac_spec_begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, false);
    if (m == NULL)
        return NULL;
    int rc = nla_put_string(m, IFLA_IFNAME, s->name);
    if (rc == 0 && !s->ipvlan)
        rc = nla_put(m, IFLA_ADDRESS, sizeof s->mac, s->mac);
    if (rc == 0)
        rc = nla_put_u32(m, IFLA_LINK, base);
    if (rc == 0 && s->grouped)
        rc = nla_put_u32(m, IFLA_GROUP, s->group);
    return vmac_spec_end(m, rc == 0 ? vmac_spec_info(s, m) : rc);
}

struct nl_msg *vmac_spec_raise(const struct vmac_spec *s, uint32_t ifindex, const struct vmac_change *x)
{
    struct nl_msg *m = vmac_spec_begin(RTM_NEWLINK, 0, ifindex, true);
    int rc = 0;
    if (m != NULL && x->ours)
        rc = nla_put_string(m, IFLA_IFALIAS, KEVENT_OUR_ALIAS);
    if (m != NULL && rc == 0 && x->move)
        rc = nla_put_u32(m, IFLA_MASTER, x->vrf);
    if (m != NULL && rc == 0 && x->near)
        rc = s->ipvlan ? vmac_spec_info(s, m) : nla_put(m, IFLA_ADDRESS, sizeof s->mac, s->mac);
    return m == NULL ? NULL : vmac_spec_end(m, rc);
}

struct nl_msg *vmac_spec_delete(uint32_t ifindex)
{
    return vmac_spec_begin(RTM_DELLINK, 0, ifindex, false);
}
