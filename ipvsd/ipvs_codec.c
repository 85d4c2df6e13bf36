/* ipvs_codec.c - see ipvs_codec.h. Attribute walking is libnl's, with a policy for every attribute that is
 * looked at. */
#include "ipvsd/ipvs_codec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

#include "ipvsd/genlput.h"

#define CODEC_VERSION 1
#define CODEC_SIZE    384u /* the longest request, with room */

/* ---- requests
 * ------------------------------------------------------------------------------------------------------- */

static struct nl_msg *codec_new(uint16_t family, uint8_t cmd)
{
    return genlput_new(family, cmd, CODEC_VERSION, CODEC_SIZE);
}

static void codec_put_key(struct nl_msg *m, const struct ipvs_key *k)
{
    genlput_u16(m, IPVS_SVC_ATTR_AF, k->family == 6 ? AF_INET6 : AF_INET);
    if (k->fwmark != 0) {
        genlput_u32(m, IPVS_SVC_ATTR_FWMARK, k->fwmark);
        return;
    }
    genlput_u16(m, IPVS_SVC_ATTR_PROTOCOL, k->protocol);
    genlput(m, IPVS_SVC_ATTR_ADDR, k->addr, sizeof k->addr);
    genlput_u16(m, IPVS_SVC_ATTR_PORT, htons(k->port));
}

struct nl_msg *ipvs_codec_family(void)
{
    struct nl_msg *m = genlput_new(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, CODEC_SIZE);
    genlput(m, CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME, sizeof IPVS_GENL_NAME);
    return m;
}

struct nl_msg *ipvs_codec_plain(uint16_t family, uint8_t cmd)
{
    return codec_new(family, cmd);
}

struct nl_msg *ipvs_codec_key(uint16_t family, uint8_t cmd, const struct ipvs_key *key)
{
    struct nl_msg *m = codec_new(family, cmd);
    struct nlattr *n = genlput_nest(m, IPVS_CMD_ATTR_SERVICE);
    codec_put_key(m, key);
    nla_nest_end(m, n);
    return m;
}

struct nl_msg *ipvs_codec_svc(uint16_t family, uint8_t cmd, const struct ipvs_svc *svc)
{
    struct nl_msg *m = codec_new(family, cmd);
    struct nlattr *n = genlput_nest(m, IPVS_CMD_ATTR_SERVICE);
    struct ip_vs_flags flags = { .flags = svc->flags, .mask = ~0u };
    codec_put_key(m, &svc->key);
    genlput(m, IPVS_SVC_ATTR_SCHED_NAME, svc->sched, strlen(svc->sched) + 1);
    if (svc->pe[0] != '\0')
        genlput(m, IPVS_SVC_ATTR_PE_NAME, svc->pe, strlen(svc->pe) + 1);
    genlput(m, IPVS_SVC_ATTR_FLAGS, &flags, sizeof flags);
    genlput_u32(m, IPVS_SVC_ATTR_TIMEOUT, svc->timeout);
    genlput_u32(m, IPVS_SVC_ATTR_NETMASK, svc->netmask);
    nla_nest_end(m, n);
    return m;
}

static void codec_put_dkey(struct nl_msg *m, const struct ipvs_dkey *k)
{
    genlput(m, IPVS_DEST_ATTR_ADDR, k->addr, sizeof k->addr);
    genlput_u16(m, IPVS_DEST_ATTR_PORT, htons(k->port));
    genlput_u16(m, IPVS_DEST_ATTR_ADDR_FAMILY, k->family == 6 ? AF_INET6 : AF_INET);
}

struct nl_msg *ipvs_codec_dkey(uint16_t family, uint8_t cmd, const struct ipvs_key *key,
                               const struct ipvs_dkey *dest)
{
    struct nl_msg *m = ipvs_codec_key(family, cmd, key);
    struct nlattr *n = genlput_nest(m, IPVS_CMD_ATTR_DEST);
    codec_put_dkey(m, dest);
    nla_nest_end(m, n);
    return m;
}

struct nl_msg *ipvs_codec_dest(uint16_t family, uint8_t cmd, const struct ipvs_key *key,
                               const struct ipvs_dest *dest)
{
    struct nl_msg *m = ipvs_codec_key(family, cmd, key);
    struct nlattr *n = genlput_nest(m, IPVS_CMD_ATTR_DEST);
    codec_put_dkey(m, &dest->key);
    genlput_u32(m, IPVS_DEST_ATTR_FWD_METHOD, dest->method);
    genlput_u32(m, IPVS_DEST_ATTR_WEIGHT, dest->weight);
    genlput_u32(m, IPVS_DEST_ATTR_U_THRESH, dest->upper);
    genlput_u32(m, IPVS_DEST_ATTR_L_THRESH, dest->lower);
    if (dest->method == IP_VS_CONN_F_TUNNEL) {
        genlput(m, IPVS_DEST_ATTR_TUN_TYPE, &dest->tun_type, sizeof dest->tun_type);
        genlput_u16(m, IPVS_DEST_ATTR_TUN_PORT, htons(dest->tun_port));
        genlput_u16(m, IPVS_DEST_ATTR_TUN_FLAGS, dest->tun_flags);
    }
    nla_nest_end(m, n);
    return m;
}

struct nl_msg *ipvs_codec_timeouts(uint16_t family, const struct ipvs_timeouts *t)
{
    struct nl_msg *m = codec_new(family, IPVS_CMD_SET_CONFIG);
    for (int i = 0; i < 3; i++)
        if (t->v[i] != 0)
            genlput_u32(m, IPVS_CMD_ATTR_TIMEOUT_TCP + i, t->v[i]);
    return m;
}

/* ---- answers
 * -------------------------------------------------------------------------------------------------------- */

/* An address attribute is a union nf_inet_addr; an IPv4 one may be shorter. */
static int codec_addr(const struct nlattr *a, uint8_t family, uint8_t out[16])
{
    size_t want = family == 6 ? 16 : 4;
    memset(out, 0, 16);
    if (a == NULL || (size_t)nla_len(a) < want)
        return -1;
    memcpy(out, nla_data(a), want);
    return 0;
}

static int codec_af(const struct nlattr *a)
{
    switch (a != NULL ? nla_get_u16(a) : AF_UNSPEC) {
    case AF_INET: return 4;
    case AF_INET6: return 6;
    default: return -1; /* a family of the future is nothing of ours */
    }
}

static int codec_read_key(struct nlattr **tb, struct ipvs_key *k)
{
    int family = codec_af(tb[IPVS_SVC_ATTR_AF]);
    if (family < 0)
        return -1;
    memset(k, 0, sizeof *k);
    k->family = (uint8_t)family;
    k->fwmark = tb[IPVS_SVC_ATTR_FWMARK] != NULL ? nla_get_u32(tb[IPVS_SVC_ATTR_FWMARK]) : 0;
    if (k->fwmark != 0)
        return 0;
    if (tb[IPVS_SVC_ATTR_PROTOCOL] == NULL || tb[IPVS_SVC_ATTR_PORT] == NULL)
        return -1;
    k->protocol = (uint8_t)nla_get_u16(tb[IPVS_SVC_ATTR_PROTOCOL]);
    k->port = ntohs(nla_get_u16(tb[IPVS_SVC_ATTR_PORT]));
    return codec_addr(tb[IPVS_SVC_ATTR_ADDR], k->family, k->addr);
}

static void codec_name(struct nlattr *a, char out[IPVS_NAME_LEN])
{
    if (a != NULL)
        nla_strlcpy(out, a, IPVS_NAME_LEN);
}

/* The wide form; kernels before 4.1 have 32 bits of each, which nobody runs any more: zero there. */
static void codec_read_stats(struct nlattr *nest, uint64_t n[IPVS_NUMBERS])
{
    static const uint8_t type[IPVS_NUMBERS] = {
        [IPVS_CONNS] = IPVS_STATS_ATTR_CONNS,       [IPVS_INPKTS] = IPVS_STATS_ATTR_INPKTS,
        [IPVS_OUTPKTS] = IPVS_STATS_ATTR_OUTPKTS,   [IPVS_INBYTES] = IPVS_STATS_ATTR_INBYTES,
        [IPVS_OUTBYTES] = IPVS_STATS_ATTR_OUTBYTES, [IPVS_CPS] = IPVS_STATS_ATTR_CPS,
        [IPVS_INPPS] = IPVS_STATS_ATTR_INPPS,       [IPVS_OUTPPS] = IPVS_STATS_ATTR_OUTPPS,
        [IPVS_INBPS] = IPVS_STATS_ATTR_INBPS,       [IPVS_OUTBPS] = IPVS_STATS_ATTR_OUTBPS,
    };
    struct nlattr *tb[IPVS_STATS_ATTR_MAX + 1];
    if (nest == NULL || nla_parse_nested(tb, IPVS_STATS_ATTR_MAX, nest, NULL) < 0)
        return;
    for (size_t i = 0; i < IPVS_NUMBERS; i++)
        if (tb[type[i]] != NULL && (size_t)nla_len(tb[type[i]]) >= sizeof n[i])
            memcpy(&n[i], nla_data(tb[type[i]]), sizeof n[i]);
}

static int codec_read_svc(struct nlattr *nest, struct ipvs_svc *s, struct ipvs_numbers *num)
{
    static const struct nla_policy policy[IPVS_SVC_ATTR_MAX + 1] = {
        [IPVS_SVC_ATTR_AF] = { .type = NLA_U16 },
        [IPVS_SVC_ATTR_PROTOCOL] = { .type = NLA_U16 },
        [IPVS_SVC_ATTR_PORT] = { .type = NLA_U16 },
        [IPVS_SVC_ATTR_FWMARK] = { .type = NLA_U32 },
        [IPVS_SVC_ATTR_SCHED_NAME] = { .type = NLA_STRING, .maxlen = IPVS_NAME_LEN },
        [IPVS_SVC_ATTR_PE_NAME] = { .type = NLA_STRING, .maxlen = IPVS_NAME_LEN },
        [IPVS_SVC_ATTR_FLAGS] = { .type = NLA_UNSPEC, .minlen = sizeof(struct ip_vs_flags) },
        [IPVS_SVC_ATTR_TIMEOUT] = { .type = NLA_U32 },
        [IPVS_SVC_ATTR_NETMASK] = { .type = NLA_U32 },
        [IPVS_SVC_ATTR_STATS64] = { .type = NLA_NESTED },
    };
    struct nlattr *tb[IPVS_SVC_ATTR_MAX + 1];
    struct ip_vs_flags flags = { 0 };
    memset(s, 0, sizeof *s);
    if (nla_parse_nested(tb, IPVS_SVC_ATTR_MAX, nest, policy) < 0 || codec_read_key(tb, &s->key) < 0)
        return -1;
    codec_name(tb[IPVS_SVC_ATTR_SCHED_NAME], s->sched);
    codec_name(tb[IPVS_SVC_ATTR_PE_NAME], s->pe);
    if (tb[IPVS_SVC_ATTR_FLAGS] != NULL)
        memcpy(&flags, nla_data(tb[IPVS_SVC_ATTR_FLAGS]), sizeof flags);
    s->flags = flags.flags & ~(uint32_t)IP_VS_SVC_F_HASHED;
    s->timeout = tb[IPVS_SVC_ATTR_TIMEOUT] != NULL ? nla_get_u32(tb[IPVS_SVC_ATTR_TIMEOUT]) : 0;
    s->netmask = tb[IPVS_SVC_ATTR_NETMASK] != NULL ? nla_get_u32(tb[IPVS_SVC_ATTR_NETMASK]) : 0;
    if (num != NULL)
        codec_read_stats(tb[IPVS_SVC_ATTR_STATS64], num->n);
    return 0;
}

static uint32_t codec_get32(struct nlattr *a)
{
    return a != NULL ? nla_get_u32(a) : 0;
}

static int codec_read_dest(struct nlattr *nest, struct ipvs_dest *d, struct ipvs_numbers *num)
{
    static const struct nla_policy policy[IPVS_DEST_ATTR_MAX + 1] = {
        [IPVS_DEST_ATTR_PORT] = { .type = NLA_U16 },
        [IPVS_DEST_ATTR_FWD_METHOD] = { .type = NLA_U32 },
        [IPVS_DEST_ATTR_WEIGHT] = { .type = NLA_U32 },
        [IPVS_DEST_ATTR_U_THRESH] = { .type = NLA_U32 },
        [IPVS_DEST_ATTR_L_THRESH] = { .type = NLA_U32 },
        [IPVS_DEST_ATTR_ADDR_FAMILY] = { .type = NLA_U16 },
        [IPVS_DEST_ATTR_TUN_TYPE] = { .type = NLA_U8 },
        [IPVS_DEST_ATTR_TUN_PORT] = { .type = NLA_U16 },
        [IPVS_DEST_ATTR_TUN_FLAGS] = { .type = NLA_U16 },
        [IPVS_DEST_ATTR_ACTIVE_CONNS] = { .type = NLA_U32 },
        [IPVS_DEST_ATTR_INACT_CONNS] = { .type = NLA_U32 },
        [IPVS_DEST_ATTR_PERSIST_CONNS] = { .type = NLA_U32 },
        [IPVS_DEST_ATTR_STATS64] = { .type = NLA_NESTED },
    };
    struct nlattr *tb[IPVS_DEST_ATTR_MAX + 1];
    memset(d, 0, sizeof *d);
    if (nla_parse_nested(tb, IPVS_DEST_ATTR_MAX, nest, policy) < 0 || tb[IPVS_DEST_ATTR_PORT] == NULL)
        return -1;
    struct nlattr *af = tb[IPVS_DEST_ATTR_ADDR_FAMILY], *addr = tb[IPVS_DEST_ATTR_ADDR];
    if (af != NULL && codec_af(af) < 0)
        return -1;
    d->key.family = (uint8_t)(af != NULL ? codec_af(af) : 0);
    /* before Linux 3.18 no family: the union is whole, unused bytes are zero */
    if (codec_addr(addr, d->key.family == 0 && addr != NULL && nla_len(addr) >= 16 ? 6 : d->key.family,
                   d->key.addr) < 0)
        return -1;
    d->key.port = ntohs(nla_get_u16(tb[IPVS_DEST_ATTR_PORT]));
    d->method = (uint8_t)(codec_get32(tb[IPVS_DEST_ATTR_FWD_METHOD]) & IP_VS_CONN_F_FWD_MASK);
    d->weight = codec_get32(tb[IPVS_DEST_ATTR_WEIGHT]);
    d->upper = codec_get32(tb[IPVS_DEST_ATTR_U_THRESH]);
    d->lower = codec_get32(tb[IPVS_DEST_ATTR_L_THRESH]);
    if (tb[IPVS_DEST_ATTR_TUN_TYPE] != NULL)
        d->tun_type = nla_get_u8(tb[IPVS_DEST_ATTR_TUN_TYPE]);
    if (tb[IPVS_DEST_ATTR_TUN_PORT] != NULL)
        d->tun_port = ntohs(nla_get_u16(tb[IPVS_DEST_ATTR_TUN_PORT]));
    if (tb[IPVS_DEST_ATTR_TUN_FLAGS] != NULL)
        d->tun_flags = nla_get_u16(tb[IPVS_DEST_ATTR_TUN_FLAGS]);
    if (num == NULL)
        return 0;
    num->active = codec_get32(tb[IPVS_DEST_ATTR_ACTIVE_CONNS]);
    num->inactive = codec_get32(tb[IPVS_DEST_ATTR_INACT_CONNS]);
    num->persistent = codec_get32(tb[IPVS_DEST_ATTR_PERSIST_CONNS]);
    codec_read_stats(tb[IPVS_DEST_ATTR_STATS64], num->n);
    return 0;
}

static int codec_read_family(struct nlmsghdr *h, struct ipvs_answer *a)
{
    static const struct nla_policy policy[CTRL_ATTR_FAMILY_NAME + 1] = {
        [CTRL_ATTR_FAMILY_ID] = { .type = NLA_U16 },
    };
    struct nlattr *tb[CTRL_ATTR_FAMILY_NAME + 1];
    if (nlmsg_parse(h, GENL_HDRLEN, tb, CTRL_ATTR_FAMILY_NAME, policy) < 0 || tb[CTRL_ATTR_FAMILY_ID] == NULL)
        return -1;
    a->kind = IPVS_ANSWER_FAMILY;
    a->family = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
    return a->family >= GENL_MIN_ID ? 0 : -1;
}

static int codec_read_info(struct nlmsghdr *h, struct ipvs_answer *a)
{
    static const struct nla_policy policy[IPVS_INFO_ATTR_MAX + 1] = {
        [IPVS_INFO_ATTR_VERSION] = { .type = NLA_U32 },
        [IPVS_INFO_ATTR_CONN_TAB_SIZE] = { .type = NLA_U32 },
    };
    struct nlattr *tb[IPVS_INFO_ATTR_MAX + 1];
    if (nlmsg_parse(h, GENL_HDRLEN, tb, IPVS_INFO_ATTR_MAX, policy) < 0)
        return -1;
    a->kind = IPVS_ANSWER_INFO;
    a->info.version = codec_get32(tb[IPVS_INFO_ATTR_VERSION]);
    a->info.size = codec_get32(tb[IPVS_INFO_ATTR_CONN_TAB_SIZE]);
    return 0;
}

/* 0: a is filled. */
static int codec_read(struct nlmsghdr *h, struct ipvs_answer *a, bool numbers)
{
    static const struct nla_policy policy[IPVS_CMD_ATTR_MAX + 1] = {
        [IPVS_CMD_ATTR_SERVICE] = { .type = NLA_NESTED },
        [IPVS_CMD_ATTR_DEST] = { .type = NLA_NESTED },
        [IPVS_CMD_ATTR_TIMEOUT_TCP] = { .type = NLA_U32 },
        [IPVS_CMD_ATTR_TIMEOUT_TCP_FIN] = { .type = NLA_U32 },
        [IPVS_CMD_ATTR_TIMEOUT_UDP] = { .type = NLA_U32 },
    };
    struct nlattr *tb[IPVS_CMD_ATTR_MAX + 1];
    if ((size_t)nlmsg_datalen(h) < GENL_HDRLEN)
        return -1;
    const struct genlmsghdr *g = nlmsg_data(h);
    if (h->nlmsg_type == GENL_ID_CTRL)
        return codec_read_family(h, a);
    if (g->cmd == IPVS_CMD_SET_INFO)
        return codec_read_info(h, a);
    struct ipvs_numbers *num = numbers ? &a->num : NULL;
    if (numbers)
        memset(num, 0, sizeof *num);
    if (nlmsg_parse(h, GENL_HDRLEN, tb, IPVS_CMD_ATTR_MAX, policy) < 0)
        return -1;
    if (g->cmd == IPVS_CMD_NEW_SERVICE && tb[IPVS_CMD_ATTR_SERVICE] != NULL) {
        a->kind = IPVS_ANSWER_SVC;
        return codec_read_svc(tb[IPVS_CMD_ATTR_SERVICE], &a->svc, num);
    }
    if (g->cmd == IPVS_CMD_NEW_DEST && tb[IPVS_CMD_ATTR_DEST] != NULL) {
        a->kind = IPVS_ANSWER_DEST;
        return codec_read_dest(tb[IPVS_CMD_ATTR_DEST], &a->dest, num);
    }
    if (g->cmd != IPVS_CMD_SET_CONFIG)
        return -1;
    a->kind = IPVS_ANSWER_TIMEOUTS;
    for (int i = 0; i < 3; i++)
        a->timeouts.v[i] = codec_get32(tb[IPVS_CMD_ATTR_TIMEOUT_TCP + i]);
    return 0;
}

static void codec_walk_error(struct nlmsghdr *h, struct ipvs_walk *w)
{
    const struct nlmsgerr *err = nlmsg_data(h);
    if ((size_t)nlmsg_datalen(h) < sizeof *err || err->error > 0 || err->error < -4095)
        w->error = EPROTO;
    else
        w->error = -err->error;
    w->done = true;
}

void ipvs_codec_walk(void *buf, size_t len, struct ipvs_walk *w)
{
    struct nlmsghdr *h = buf;
    int left = len > INT32_MAX ? 0 : (int)len;
    for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
        struct ipvs_answer a;
        if (h->nlmsg_seq != w->seq)
            continue; /* the tail of something given up */
        if (h->nlmsg_flags & NLM_F_DUMP_INTR)
            w->interrupted = true;
        if (h->nlmsg_type == NLMSG_DONE)
            w->done = true;
        else if (h->nlmsg_type == NLMSG_ERROR)
            codec_walk_error(h, w);
        else if (h->nlmsg_type >= NLMSG_MIN_TYPE && codec_read(h, &a, w->numbers) == 0)
            w->fn(&a, w->arg);
        else
            w->strange++;
    }
}
