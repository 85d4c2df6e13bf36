/* syncd_codec.c - see syncd_codec.h. */
#include "ipvsd/syncd_codec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

#include "ipvsd/genlput.h"

#define SYNCD_VERSION 1
#define SYNCD_SIZE    256u
/* What the kernel takes when nothing is said. */
#define SYNCD_PORT 8848
#define SYNCD_TTL  1

static const uint32_t syncd_states[SYNCD_KINDS] = { IP_VS_STATE_MASTER, IP_VS_STATE_BACKUP };

/* ---- configuration
 * -------------------------------------------------------------------------------------------------- */

static void syncd_copy(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size - 1);
    memcpy(to, from, n);
    to[n] = '\0';
}

void syncd_read(struct syncd_wish *w, const struct slice *s)
{
    const struct slice_obj *o = slice_next(s, NULL, BLK_SYNCD, SLICE_ANY_PARENT);
    memset(w, 0, sizeof *w);
    if (o == NULL)
        return;
    w->configured = true;
    syncd_copy(w->p.ifname, sizeof w->p.ifname, o->name);
    syncd_copy(w->inst, sizeof w->inst, slice_str(o, KW_SYNCD_INST, ""));
    const struct slice_obj *vi = w->inst[0] != '\0' ? slice_find(s, BLK_VI, w->inst) : NULL;
    uint64_t vrid = vi != NULL ? slice_uint(vi, KW_VI_VIRTUAL_ROUTER_ID, 0) : 0;
    w->p.id = (uint8_t)slice_uint(o, KW_SYNCD_ID, vrid);
    w->p.maxlen = (uint16_t)slice_uint(o, KW_SYNCD_MAXLEN, 0);
    w->p.port = (uint16_t)slice_uint(o, KW_SYNCD_PORT, 0);
    w->p.ttl = (uint8_t)slice_uint(o, KW_SYNCD_TTL, 0);
    if (!slice_ip(o, KW_SYNCD_GROUP, &w->p.group))
        w->p.group.family = 0;
}

static bool syncd_group_same(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->family == b->family && (a->family == 0 || ipaddr_same(a, b));
}

bool syncd_wish_same(const struct syncd_wish *a, const struct syncd_wish *b)
{
    const struct syncd_params *p = &a->p, *q = &b->p;
    return a->configured == b->configured && strcmp(a->inst, b->inst) == 0 &&
           strcmp(p->ifname, q->ifname) == 0 && p->id == q->id && p->maxlen == q->maxlen &&
           p->port == q->port && p->ttl == q->ttl && syncd_group_same(&p->group, &q->group);
}

bool syncd_fits(const struct syncd_params *wish, const struct syncd_params *running)
{
    struct ipaddr group = { .family = 4, .plen = 32, .b = { 224, 0, 0, 81 } };
    if (wish->group.family != 0)
        group = wish->group;
    /* a message longer than the interface carries is cut to it, without one its length decides */
    bool length = wish->maxlen == 0 || running->maxlen == 0 || running->maxlen <= wish->maxlen;
    /* kernels before 4.3 do not say more than interface and id */
    bool port = running->port == 0 || running->port == (wish->port != 0 ? wish->port : SYNCD_PORT);
    bool ttl = running->ttl == 0 || running->ttl == (wish->ttl != 0 ? wish->ttl : SYNCD_TTL);
    bool where = running->group.family == 0 || ipaddr_same(&running->group, &group);
    return strcmp(wish->ifname, running->ifname) == 0 && wish->id == running->id && length && port && ttl &&
           where;
}

struct syncd_plan syncd_plan(const struct syncd_params *wish, const bool want[SYNCD_KINDS],
                             const struct syncd_running have[SYNCD_KINDS], bool mine)
{
    struct syncd_plan p = { 0 };
    for (int k = 0; k < SYNCD_KINDS; k++) {
        bool good = have[k].there && syncd_fits(wish, &have[k].p);
        p.stop[k] = have[k].there && (want[k] ? !good : mine);
        p.start[k] = want[k] && !good;
    }
    return p;
}

/* ---- requests
 * --------------------------------------------------------------------------------------------------- */

static struct nl_msg *syncd_new(uint16_t family, uint8_t cmd)
{
    return genlput_new(family, cmd, SYNCD_VERSION, SYNCD_SIZE);
}

struct nl_msg *syncd_msg_start(uint16_t family, enum syncd_kind k, const struct syncd_params *p)
{
    struct nl_msg *m = syncd_new(family, IPVS_CMD_NEW_DAEMON);
    struct nlattr *nest = genlput_nest(m, IPVS_CMD_ATTR_DAEMON);
    uint16_t port = p->port; /* in host order, as the kernel has it */
    genlput_u32(m, IPVS_DAEMON_ATTR_STATE, syncd_states[k]);
    genlput(m, IPVS_DAEMON_ATTR_MCAST_IFN, p->ifname, strlen(p->ifname) + 1);
    genlput_u32(m, IPVS_DAEMON_ATTR_SYNC_ID, p->id);
    if (p->maxlen != 0)
        genlput(m, IPVS_DAEMON_ATTR_SYNC_MAXLEN, &p->maxlen, sizeof p->maxlen);
    if (port != 0)
        genlput(m, IPVS_DAEMON_ATTR_MCAST_PORT, &port, sizeof port);
    if (p->ttl != 0)
        genlput(m, IPVS_DAEMON_ATTR_MCAST_TTL, &p->ttl, sizeof p->ttl);
    if (p->group.family == 4)
        genlput(m, IPVS_DAEMON_ATTR_MCAST_GROUP, p->group.b, 4);
    else if (p->group.family == 6)
        genlput(m, IPVS_DAEMON_ATTR_MCAST_GROUP6, p->group.b, 16);
    nla_nest_end(m, nest);
    return m;
}

struct nl_msg *syncd_msg_stop(uint16_t family, enum syncd_kind k, const struct syncd_params *p)
{
    struct nl_msg *m = syncd_new(family, IPVS_CMD_DEL_DAEMON);
    struct nlattr *nest = genlput_nest(m, IPVS_CMD_ATTR_DAEMON);
    genlput_u32(m, IPVS_DAEMON_ATTR_STATE, syncd_states[k]);
    genlput(m, IPVS_DAEMON_ATTR_MCAST_IFN, p->ifname, strlen(p->ifname) + 1);
    genlput_u32(m, IPVS_DAEMON_ATTR_SYNC_ID, p->id);
    nla_nest_end(m, nest);
    return m;
}

struct nl_msg *syncd_msg_dump(uint16_t family)
{
    return syncd_new(family, IPVS_CMD_GET_DAEMON);
}

/* ---- answers
 * ---------------------------------------------------------------------------------------------------- */

static void syncd_read_group(struct nlattr *a4, struct nlattr *a6, struct ipaddr *out)
{
    struct nlattr *a = a4 != NULL ? a4 : a6;
    size_t n = a4 != NULL ? 4 : 16;
    if (a == NULL || (size_t)nla_len(a) < n)
        return;
    out->family = a4 != NULL ? 4 : 6;
    out->plen = a4 != NULL ? 32 : 128;
    memcpy(out->b, nla_data(a), n);
}

static void syncd_read_daemon(struct nlmsghdr *h, struct syncd_walk *w)
{
    static const struct nla_policy outer[IPVS_CMD_ATTR_MAX + 1] = {
        [IPVS_CMD_ATTR_DAEMON] = { .type = NLA_NESTED },
    };
    static const struct nla_policy policy[IPVS_DAEMON_ATTR_MAX + 1] = {
        [IPVS_DAEMON_ATTR_STATE] = { .type = NLA_U32 },
        [IPVS_DAEMON_ATTR_MCAST_IFN] = { .type = NLA_STRING, .minlen = 1, .maxlen = IFNAMSIZ },
        [IPVS_DAEMON_ATTR_SYNC_ID] = { .type = NLA_U32 },
        [IPVS_DAEMON_ATTR_SYNC_MAXLEN] = { .type = NLA_U16 },
        [IPVS_DAEMON_ATTR_MCAST_PORT] = { .type = NLA_U16 },
        [IPVS_DAEMON_ATTR_MCAST_TTL] = { .type = NLA_U8 },
    };
    struct nlattr *tb[IPVS_CMD_ATTR_MAX + 1], *at[IPVS_DAEMON_ATTR_MAX + 1];
    if (nlmsg_parse(h, GENL_HDRLEN, tb, IPVS_CMD_ATTR_MAX, outer) < 0 || tb[IPVS_CMD_ATTR_DAEMON] == NULL)
        return;
    if (nla_parse_nested(at, IPVS_DAEMON_ATTR_MAX, tb[IPVS_CMD_ATTR_DAEMON], policy) < 0 ||
        at[IPVS_DAEMON_ATTR_STATE] == NULL || at[IPVS_DAEMON_ATTR_MCAST_IFN] == NULL)
        return;
    uint32_t state = nla_get_u32(at[IPVS_DAEMON_ATTR_STATE]);
    for (int k = 0; k < SYNCD_KINDS; k++) {
        struct syncd_running *r = &w->have[k];
        if ((state & syncd_states[k]) == 0)
            continue;
        struct nlattr *name = at[IPVS_DAEMON_ATTR_MCAST_IFN];
        size_t n = (size_t)nla_len(name);
        memset(r, 0, sizeof *r);
        r->there = true;
        memcpy(r->p.ifname, nla_data(name), n < IFNAMSIZ ? n : IFNAMSIZ - 1);
        if (at[IPVS_DAEMON_ATTR_SYNC_ID] != NULL)
            r->p.id = (uint8_t)nla_get_u32(at[IPVS_DAEMON_ATTR_SYNC_ID]);
        if (at[IPVS_DAEMON_ATTR_SYNC_MAXLEN] != NULL)
            r->p.maxlen = nla_get_u16(at[IPVS_DAEMON_ATTR_SYNC_MAXLEN]);
        if (at[IPVS_DAEMON_ATTR_MCAST_PORT] != NULL)
            r->p.port = nla_get_u16(at[IPVS_DAEMON_ATTR_MCAST_PORT]);
        if (at[IPVS_DAEMON_ATTR_MCAST_TTL] != NULL)
            r->p.ttl = nla_get_u8(at[IPVS_DAEMON_ATTR_MCAST_TTL]);
        syncd_read_group(at[IPVS_DAEMON_ATTR_MCAST_GROUP], at[IPVS_DAEMON_ATTR_MCAST_GROUP6], &r->p.group);
    }
}

void syncd_walk(void *buf, size_t len, struct syncd_walk *w)
{
    struct nlmsghdr *h = buf;
    int left = len > INT32_MAX ? 0 : (int)len;
    for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
        const struct nlmsgerr *e = nlmsg_data(h);
        if (h->nlmsg_seq != w->seq)
            continue; /* the tail of something given up */
        if (h->nlmsg_type == NLMSG_DONE) {
            w->done = true;
        } else if (h->nlmsg_type == NLMSG_ERROR) {
            bool whole = (size_t)nlmsg_datalen(h) >= sizeof *e && e->error <= 0 && e->error >= -4095;
            w->error = whole ? -e->error : EPROTO;
            w->done = true;
        } else if (h->nlmsg_type >= NLMSG_MIN_TYPE) {
            syncd_read_daemon(h, w);
        }
    }
}
