/* nft_msg.c - see nft_msg.h. */
#include "ipvsd/nft_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <poll.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "ipvsd/kevent.h"

#define MSG_ROOM     16384u /* one message: an element list is closed well below */
#define MSG_PATIENCE 200    /* ms without an answer mean that it was lost */

static void *msg_must(void *p)
{
    if (p == NULL)
        fatal("out of memory");
    return p;
}

/* ---- messages
 * -------------------------------------------------------------------------------------------------------- */

static char *msg_room(struct nft_msgs *b)
{
    if (b->len + MSG_ROOM > b->cap) {
        b->cap = 2 * b->cap + 2 * MSG_ROOM;
        b->buf = xrealloc(b->buf, b->cap);
    }
    memset(b->buf + b->len, 0, MSG_ROOM);
    return (char *)b->buf + b->len;
}

static void msg_take(struct nft_msgs *b, const struct nlmsghdr *h)
{
    if (h->nlmsg_len > MSG_ROOM)
        fatal("an nftables message does not fit");
    b->len += NLMSG_ALIGN(h->nlmsg_len);
    b->seq++;
}

static struct nlmsghdr *msg_new(struct nft_msgs *b, uint16_t type, uint16_t nf, uint16_t flags)
{
    return nftnl_nlmsg_build_hdr(msg_room(b), type, nf, flags, b->seq);
}

void nft_msgs_begin(struct nft_msgs *b, uint32_t seq)
{
    memset(b, 0, sizeof *b);
    b->seq = seq;
    char *at = msg_room(b);
    msg_take(b, nftnl_batch_begin(at, b->seq));
}

void nft_msgs_end(struct nft_msgs *b)
{
    size_t last = 0;
    for (size_t at = 0; at < b->len;) {
        const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(b->buf + at);
        last = at;
        at += NLMSG_ALIGN(h->nlmsg_len);
    }
    struct nlmsghdr *h = (struct nlmsghdr *)(void *)(b->buf + last);
    h->nlmsg_flags |= NLM_F_ACK;
    b->last_seq = h->nlmsg_seq;
    char *at = msg_room(b);
    msg_take(b, nftnl_batch_end(at, b->seq));
}

void nft_msgs_free(struct nft_msgs *b)
{
    free(b->buf);
    memset(b, 0, sizeof *b);
}

/* ---- tables and chains
 * ------------------------------------------------------------------------------------------------ */

static void msg_table(struct nft_msgs *b, uint16_t type, uint16_t nf, const char *name, uint16_t flags,
                      const char *comment)
{
    struct nftnl_table *t = msg_must(nftnl_table_alloc());
    nftnl_table_set_str(t, NFTNL_TABLE_NAME, name);
    if (comment != NULL) {
        struct nftnl_udata_buf *u = msg_must(nftnl_udata_buf_alloc(64));
        nftnl_udata_put_strz(u, NFTNL_UDATA_TABLE_COMMENT, comment);
        nftnl_table_set_data(t, NFTNL_TABLE_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u));
        nftnl_udata_buf_free(u);
    }
    struct nlmsghdr *h = msg_new(b, type, nf, flags);
    nftnl_table_nlmsg_build_payload(h, t);
    msg_take(b, h);
    nftnl_table_free(t);
}

void nft_msgs_table(struct nft_msgs *b, uint16_t nf, const char *table)
{
    msg_table(b, NFT_MSG_NEWTABLE, nf, table, NLM_F_CREATE, KEVENT_OUR_ALIAS);
}

/* Made, so that it can be deleted. */
void nft_msgs_remove(struct nft_msgs *b, uint16_t nf, const char *table)
{
    msg_table(b, NFT_MSG_NEWTABLE, nf, table, NLM_F_CREATE, NULL);
    msg_table(b, NFT_MSG_DELTABLE, nf, table, 0, NULL);
}

void nft_msgs_ask(struct nft_msgs *b, uint32_t seq, uint16_t nf, const char *table)
{
    memset(b, 0, sizeof *b);
    b->seq = b->last_seq = seq;
    msg_table(b, NFT_MSG_GETTABLE, nf, table, NLM_F_ACK, NULL);
}

static struct nftnl_chain *msg_chain(const char *table, const char *chain)
{
    struct nftnl_chain *c = msg_must(nftnl_chain_alloc());
    nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, table);
    nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, chain);
    return c;
}

static void msg_chain_end(struct nft_msgs *b, uint16_t nf, struct nftnl_chain *c)
{
    struct nlmsghdr *h = msg_new(b, NFT_MSG_NEWCHAIN, nf, NLM_F_CREATE);
    nftnl_chain_nlmsg_build_payload(h, c);
    msg_take(b, h);
    nftnl_chain_free(c);
}

void nft_msgs_chain(struct nft_msgs *b, uint16_t nf, const char *table, const char *chain)
{
    msg_chain_end(b, nf, msg_chain(table, chain));
}

void nft_msgs_hook(struct nft_msgs *b, uint16_t nf, const char *table, const char *chain, uint32_t hook,
                   int32_t priority)
{
    struct nftnl_chain *c = msg_chain(table, chain);
    nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
    nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook);
    nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, priority);
    nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
    msg_chain_end(b, nf, c);
}

/* ---- sets
 * ------------------------------------------------------------------------------------------------------------
 */

struct nftnl_set *nft_set_new(const char *table, const char *name, uint32_t id)
{
    struct nftnl_set *s = msg_must(nftnl_set_alloc());
    nftnl_set_set_str(s, NFTNL_SET_TABLE, table);
    nftnl_set_set_str(s, NFTNL_SET_NAME, name);
    if (id != 0)
        nftnl_set_set_u32(s, NFTNL_SET_ID, id);
    return s;
}

void nft_set_orders(struct nftnl_set *s, enum nft_order key, enum nft_order data)
{
    struct nftnl_udata_buf *u = msg_must(nftnl_udata_buf_alloc(64));
    nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER, key);
    if (data != NFT_ORDER_NONE)
        nftnl_udata_put_u32(u, NFTNL_UDATA_SET_DATABYTEORDER, data);
    nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u));
    nftnl_udata_buf_free(u);
}

void nft_msgs_set(struct nft_msgs *b, uint16_t nf, struct nftnl_set *s)
{
    nftnl_set_set_u32(s, NFTNL_SET_FAMILY, nf);
    struct nlmsghdr *h = msg_new(b, NFT_MSG_NEWSET, nf, NLM_F_CREATE);
    nftnl_set_nlmsg_build_payload(h, s);
    msg_take(b, h);
    nftnl_set_free(s);
}

void nft_msgs_elems(struct nft_msgs *b, uint16_t type, uint16_t nf, struct nftnl_set *s)
{
    struct nlmsghdr *h = msg_new(b, type, nf, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
    nftnl_set_elems_nlmsg_build_payload(h, s);
    msg_take(b, h);
    nftnl_set_free(s);
}

/* ---- rules
 * -----------------------------------------------------------------------------------------------------------
 */

struct nftnl_rule *nft_rule_new(uint16_t nf, const char *table, const char *chain)
{
    struct nftnl_rule *r = msg_must(nftnl_rule_alloc());
    nftnl_rule_set_str(r, NFTNL_RULE_TABLE, table);
    nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
    nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, nf);
    return r;
}

void nft_msgs_rule(struct nft_msgs *b, uint16_t nf, struct nftnl_rule *r)
{
    struct nlmsghdr *h = msg_new(b, NFT_MSG_NEWRULE, nf, NLM_F_CREATE | NLM_F_APPEND);
    nftnl_rule_nlmsg_build_payload(h, r);
    msg_take(b, h);
    nftnl_rule_free(r);
}

struct nftnl_expr *nft_expr_new(const char *name)
{
    return msg_must(nftnl_expr_alloc(name));
}

struct nftnl_expr *nft_rule_expr(struct nftnl_rule *r, const char *name)
{
    struct nftnl_expr *e = nft_expr_new(name);
    nftnl_rule_add_expr(r, e);
    return e;
}

void nft_rule_meta(struct nftnl_rule *r, uint32_t key, enum nft_reg to)
{
    struct nftnl_expr *e = nft_rule_expr(r, "meta");
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, to);
}

void nft_rule_load(struct nftnl_rule *r, uint32_t base, uint32_t off, uint32_t len, uint32_t reg)
{
    struct nftnl_expr *e = nft_rule_expr(r, "payload");
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, off);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

void nft_rule_equal(struct nftnl_rule *r, enum nft_reg reg, const void *value, uint32_t len)
{
    struct nftnl_expr *e = nft_rule_expr(r, "cmp");
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, reg);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, value, len);
}

void nft_rule_lookup(struct nftnl_rule *r, const char *set, uint32_t id, enum nft_reg key, enum nft_reg to)
{
    struct nftnl_expr *e = nft_rule_expr(r, "lookup");
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, key);
    if (to != 0)
        nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, to);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, id);
}

void nft_rule_verdict(struct nftnl_rule *r, int verdict, const char *chain)
{
    struct nftnl_expr *e = nft_rule_expr(r, "immediate");
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
    if (chain != NULL)
        nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

/* ---- the kernel
 * ------------------------------------------------------------------------------------------------------ */

struct msg_wait {
    uint32_t last_seq;
    int error;
    bool done;
};

static void msg_on_ack(uint32_t seq, int err, void *arg)
{
    struct msg_wait *w = arg;
    if (err != 0 && w->error == 0)
        w->error = err;
    w->done = w->done || err != 0 || seq == w->last_seq;
}

/* What an exchange before this one left unread. */
static void msg_forget_answers(int fd)
{
    char byte;
    while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno == EINTR)
        ;
}

int nft_msgs_talk(int fd, const struct nft_msgs *b)
{
    return nft_msgs_converse(fd, b, NULL, NULL);
}

int nft_msgs_converse(int fd, const struct nft_msgs *b, nft_msgs_fn *fn, void *arg)
{
    alignas(struct nlmsghdr) uint8_t buf[MSG_ROOM];
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct msg_wait w = { .last_seq = b->last_seq };
    msg_forget_answers(fd);
    if (sendto(fd, b->buf, b->len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return -1;
    while (!w.done) {
        ssize_t got = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        if (got > 0 && fn != NULL)
            fn(buf, (size_t)got, arg);
        if (got > 0)
            kevent_acks(buf, (size_t)got, msg_on_ack, &w);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (got < 0 && errno != EINTR && (errno != EAGAIN || poll(&p, 1, MSG_PATIENCE) <= 0))
            return -1;
    }
    errno = w.error;
    return w.error == 0 ? 0 : -1;
}

int nft_msgs_socket(void)
{
    int size = NFT_MSGS_SNDBUF,
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    return fd;
}

/* ---- news
 * ------------------------------------------------------------------------------------------------------------
 */

/* The attribute that names the table has the same number in all of them. */
static bool msg_is_loss(uint16_t type)
{
    switch (type) {
    case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE:
    case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELCHAIN:
    case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE:
    case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSET:
    case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM: return true;
    default: return false; /* what others add is theirs */
    }
}

static bool msg_is_of(struct nlmsghdr *h, const char *table)
{
    struct nlattr *tb[NFTA_TABLE_NAME + 1];
    size_t n = strlen(table) + 1;
    if (nlmsg_parse(h, sizeof(struct nfgenmsg), tb, NFTA_TABLE_NAME, NULL) < 0 || tb[NFTA_TABLE_NAME] == NULL)
        return false;
    const struct nfgenmsg *g = nlmsg_data(h);
    if (g->nfgen_family != NFPROTO_IPV4 && g->nfgen_family != NFPROTO_IPV6)
        return false;
    return (size_t)nla_len(tb[NFTA_TABLE_NAME]) == n && memcmp(nla_data(tb[NFTA_TABLE_NAME]), table, n) == 0;
}

bool nft_msgs_ours(void *buf, size_t len)
{
    struct nlmsghdr *h = buf;
    int left = len > INT32_MAX ? 0 : (int)len;
    for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
        struct nlattr *tb[NFTA_TABLE_USERDATA + 1];
        const uint8_t *u;
        if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE) ||
            nlmsg_parse(h, sizeof(struct nfgenmsg), tb, NFTA_TABLE_USERDATA, NULL) < 0 ||
            tb[NFTA_TABLE_USERDATA] == NULL)
            continue;
        /* kind, length, text and its end */
        u = nla_data(tb[NFTA_TABLE_USERDATA]);
        if ((size_t)nla_len(tb[NFTA_TABLE_USERDATA]) == 2 + sizeof KEVENT_OUR_ALIAS &&
            u[0] == NFTNL_UDATA_TABLE_COMMENT && u[1] == sizeof KEVENT_OUR_ALIAS &&
            memcmp(u + 2, KEVENT_OUR_ALIAS, sizeof KEVENT_OUR_ALIAS) == 0)
            return true;
    }
    return false;
}

bool nft_msgs_hurts(void *buf, size_t len, const char *table, uint32_t portid, uint32_t *who)
{
    struct nlmsghdr *h = buf;
    int left = len > INT32_MAX ? 0 : (int)len;
    for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
        if (h->nlmsg_pid == portid || !msg_is_loss(h->nlmsg_type) || !msg_is_of(h, table))
            continue;
        if (who != NULL)
            *who = h->nlmsg_pid;
        return true;
    }
    return false;
}
