/*
 * kevent.c - see kevent.h. Attribute walking is libnl's, with a policy for every attribute that is looked at.
 */
#include "ipvsd/kevent.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "common/compat.h"

#define ADDR_ATTR_MAX COMPAT_IFA_PROTO
#define LINK_ATTR_MAX IFLA_LINK_NETNSID

static int kevent_ip(const struct nlattr *a, uint8_t af, uint8_t plen, struct ipaddr *out)
{
    size_t want = af == AF_INET ? 4 : 16;
    if (a == NULL || (size_t)nla_len(a) != want || plen > want * 8)
        return -1;
    memset(out, 0, sizeof *out);
    out->family = af == AF_INET ? 4 : 6;
    out->plen = plen;
    memcpy(out->b, nla_data(a), want);
    return 0;
}

static int kevent_addr(struct nlmsghdr *h, struct kevent_addr *out)
{
    static struct nla_policy policy[ADDR_ATTR_MAX + 1] = {
        [IFA_FLAGS] = { .type = NLA_U32 },
        [COMPAT_IFA_PROTO] = { .type = NLA_U8 },
    };
    struct nlattr *tb[ADDR_ATTR_MAX + 1];
    const struct ifaddrmsg *m = nlmsg_data(h);
    if (nlmsg_parse(h, sizeof *m, tb, ADDR_ATTR_MAX, policy) < 0)
        return -1;
    if (m->ifa_family != AF_INET && m->ifa_family != AF_INET6)
        return -1;
    /* With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL ours; IPv6 without a peer has only IFA_ADDRESS. */
    struct nlattr *own = tb[IFA_LOCAL] != NULL ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
    memset(out, 0, sizeof *out);
    if (kevent_ip(own, m->ifa_family, m->ifa_prefixlen, &out->addr) < 0)
        return -1;
    out->ifindex = m->ifa_index;
    out->flags = tb[IFA_FLAGS] != NULL ? nla_get_u32(tb[IFA_FLAGS]) : m->ifa_flags;
    out->scope = m->ifa_scope;
    out->proto = tb[COMPAT_IFA_PROTO] != NULL ? nla_get_u8(tb[COMPAT_IFA_PROTO]) : 0;
    return 0;
}

static void kevent_macvlan(struct nlattr *data, struct kevent_macvlan *out)
{
    static struct nla_policy policy[IFLA_MACVLAN_MODE + 1] = { [IFLA_MACVLAN_MODE] = { .type = NLA_U32 } };
    struct nlattr *in[IFLA_MACVLAN_MODE + 1];
    if (nla_parse_nested(in, IFLA_MACVLAN_MODE, data, policy) < 0 || in[IFLA_MACVLAN_MODE] == NULL)
        return;
    out->macvlan = true;
    out->mode = nla_get_u32(in[IFLA_MACVLAN_MODE]);
}

static void kevent_ipvlan(struct nlattr *data, struct kevent_macvlan *out)
{
    static struct nla_policy policy[IFLA_IPVLAN_FLAGS + 1] = {
        [IFLA_IPVLAN_MODE] = { .type = NLA_U16 },
        [IFLA_IPVLAN_FLAGS] = { .type = NLA_U16 },
    };
    struct nlattr *in[IFLA_IPVLAN_FLAGS + 1];
    if (nla_parse_nested(in, IFLA_IPVLAN_FLAGS, data, policy) < 0 || in[IFLA_IPVLAN_MODE] == NULL)
        return;
    out->ipvlan = true;
    out->mode = nla_get_u16(in[IFLA_IPVLAN_MODE]);
    out->flags = in[IFLA_IPVLAN_FLAGS] != NULL ? nla_get_u16(in[IFLA_IPVLAN_FLAGS]) : 0;
}

/* What kind of link it is, and of what kind what it belongs to, as far as it matters to us. */
static void kevent_kind(struct nlattr *info, struct nlattr *master, struct kevent_macvlan *out)
{
    static struct nla_policy policy[IFLA_INFO_SLAVE_KIND + 1] = {
        [IFLA_INFO_KIND] = { .type = NLA_STRING, .minlen = 1 },
        [IFLA_INFO_DATA] = { .type = NLA_NESTED },
        [IFLA_INFO_SLAVE_KIND] = { .type = NLA_STRING, .minlen = 1 },
    };
    struct nlattr *tb[IFLA_INFO_SLAVE_KIND + 1];
    if (info == NULL || nla_parse_nested(tb, IFLA_INFO_SLAVE_KIND, info, policy) < 0)
        return;
    if (master != NULL && tb[IFLA_INFO_SLAVE_KIND] != NULL &&
        nla_strcmp(tb[IFLA_INFO_SLAVE_KIND], "vrf") == 0)
        out->vrf = nla_get_u32(master);
    if (tb[IFLA_INFO_KIND] == NULL || tb[IFLA_INFO_DATA] == NULL)
        return;
    if (nla_strcmp(tb[IFLA_INFO_KIND], "macvlan") == 0)
        kevent_macvlan(tb[IFLA_INFO_DATA], out);
    else if (nla_strcmp(tb[IFLA_INFO_KIND], "ipvlan") == 0)
        kevent_ipvlan(tb[IFLA_INFO_DATA], out);
}

static int kevent_link(struct nlmsghdr *h, struct kevent_link *out)
{
    static struct nla_policy policy[LINK_ATTR_MAX + 1] = {
        [IFLA_IFNAME] = { .type = NLA_STRING, .minlen = 1, .maxlen = IFNAMSIZ },
        [IFLA_MTU] = { .type = NLA_U32 },
        [IFLA_LINK] = { .type = NLA_U32 },
        [IFLA_MASTER] = { .type = NLA_U32 },
        [IFLA_IFALIAS] = { .type = NLA_STRING, .minlen = 1 },
    };
    struct nlattr *tb[LINK_ATTR_MAX + 1];
    const struct ifinfomsg *m = nlmsg_data(h);
    if (nlmsg_parse(h, sizeof *m, tb, LINK_ATTR_MAX, policy) < 0)
        return -1;
    /* AF_BRIDGE speaks about ports of a bridge with the same message type: not a link of ours */
    if (m->ifi_family != AF_UNSPEC || m->ifi_index <= 0 || tb[IFLA_IFNAME] == NULL)
        return -1;
    memset(out, 0, sizeof *out);
    out->ifindex = (uint32_t)m->ifi_index;
    out->flags = m->ifi_flags;
    out->type = m->ifi_type;
    size_t n = (size_t)nla_len(tb[IFLA_IFNAME]);
    memcpy(out->name, nla_data(tb[IFLA_IFNAME]), n < sizeof out->name ? n : sizeof out->name - 1);
    out->mtu = tb[IFLA_MTU] != NULL ? nla_get_u32(tb[IFLA_MTU]) : 0;
    if (tb[IFLA_ADDRESS] != NULL && (size_t)nla_len(tb[IFLA_ADDRESS]) <= sizeof out->mac) {
        out->mac_len = (uint8_t)nla_len(tb[IFLA_ADDRESS]);
        memcpy(out->mac, nla_data(tb[IFLA_ADDRESS]), out->mac_len);
    }
    kevent_kind(tb[IFLA_LINKINFO], tb[IFLA_MASTER], &out->vlan);
    /* An index of another namespace says nothing here. */
    out->vlan.lower = tb[IFLA_LINK] != NULL && tb[IFLA_LINK_NETNSID] == NULL ? nla_get_u32(tb[IFLA_LINK]) : 0;
    out->vlan.ours = tb[IFLA_IFALIAS] != NULL && nla_strcmp(tb[IFLA_IFALIAS], KEVENT_OUR_ALIAS) == 0;
    return 0;
}

/* 0: e is filled. -1: nothing for us. */
static int kevent_parse(struct nlmsghdr *h, struct kevent *e)
{
    e->portid = h->nlmsg_pid;
    switch (h->nlmsg_type) {
    case RTM_NEWLINK: e->kind = KEVENT_LINK; return kevent_link(h, &e->link);
    case RTM_DELLINK: e->kind = KEVENT_LINK_GONE; return kevent_link(h, &e->link);
    case RTM_NEWADDR: e->kind = KEVENT_ADDR; return kevent_addr(h, &e->addr);
    case RTM_DELADDR: e->kind = KEVENT_ADDR_GONE; return kevent_addr(h, &e->addr);
    default: return -1; /* other news of the groups we joined */
    }
}

/* errno of an NLMSG_ERROR, 0 for an acknowledgement, -1: it is neither. */
static int kevent_errno(struct nlmsghdr *h)
{
    const struct nlmsgerr *err = nlmsg_data(h);
    if (h->nlmsg_type != NLMSG_ERROR || (size_t)nlmsg_datalen(h) < sizeof *err)
        return -1;
    return err->error == 0 ? 0 : err->error < 0 && err->error > -4096 ? -err->error : EPROTO;
}

void kevent_walk(void *buf, size_t len, kevent_fn *fn, void *arg, struct kevent_end *end)
{
    struct nlmsghdr *h = buf;
    int left = len > INT32_MAX ? 0 : (int)len;
    while (nlmsg_ok(h, left)) {
        struct kevent e;
        int err = kevent_errno(h);
        if (h->nlmsg_flags & NLM_F_DUMP_INTR)
            end->interrupted = 1;
        if (h->nlmsg_type == NLMSG_DONE)
            end->done = 1;
        else if (err > 0)
            end->error = err;
        else if (h->nlmsg_type >= NLMSG_MIN_TYPE && kevent_parse(h, &e) == 0)
            fn(&e, arg);
        else if (h->nlmsg_type >= NLMSG_MIN_TYPE)
            end->strange++;
        h = nlmsg_next(h, &left);
    }
}

void kevent_acks(void *buf, size_t len, kevent_ack_fn *fn, void *arg)
{
    struct nlmsghdr *h = buf;
    int left = len > INT32_MAX ? 0 : (int)len;
    while (nlmsg_ok(h, left)) {
        int err = kevent_errno(h);
        if (err >= 0)
            fn(h->nlmsg_seq, err, arg);
        h = nlmsg_next(h, &left);
    }
}
