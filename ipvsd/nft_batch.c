/* nft_batch.c - see nft_batch.h. The layout is the incumbent's, so that rules of others that speak of it go
 * on to work. */
#include "ipvsd/nft_batch.h"

#include <arpa/inet.h>
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
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define BATCH_ROOM    16384u /* one message: an element list is closed well below */
#define BATCH_ELEMS   80u    /* elements in one message */
#define BATCH_REG_KEY 1u     /* NFT_REG_1: 16 bytes */
#define BATCH_REG32_1 9u     /* NFT_REG32_01: behind a 4 byte address */
#define BATCH_REG_2   2u     /* NFT_REG_2: behind a 16 byte address */

/* Data types as nft(8) numbers them, to be shown by name. */
enum {
    BATCH_TYPE_IP4 = 7,
    BATCH_TYPE_IP6 = 8,
    BATCH_TYPE_PORT = 13,
    BATCH_TYPE_MARK = 19,
    BATCH_TYPE_BITS = 6
};

enum { BATCH_ORDER_HOST = 1, BATCH_ORDER_BIG = 2 };

struct batch_family {
    uint16_t nf;
    uint8_t family; /* of struct ipaddr */
    uint32_t alen, daddr, port_reg, type;
};
static const struct batch_family batch_families[] = {
    { NFPROTO_IPV4, 4, 4, 16, BATCH_REG32_1, BATCH_TYPE_IP4 },
    { NFPROTO_IPV6, 6, 16, 24, BATCH_REG_2, BATCH_TYPE_IP6 },
};
#define BATCH_FAMILIES (sizeof batch_families / sizeof *batch_families)

static const struct batch_proto {
    uint8_t protocol;
    const char *map;
} batch_protos[] = { { IPPROTO_TCP, "tcp_map" }, { IPPROTO_UDP, "udp_map" }, { IPPROTO_SCTP, "sctp_map" } };
#define BATCH_PROTOS (sizeof batch_protos / sizeof *batch_protos)

/* ---- messages
 * -------------------------------------------------------------------------------------------------------- */

static char *batch_room(struct nft_batch *b)
{
    if (b->len + BATCH_ROOM > b->cap) {
        b->cap = 2 * b->cap + 2 * BATCH_ROOM;
        b->buf = xrealloc(b->buf, b->cap);
    }
    memset(b->buf + b->len, 0, BATCH_ROOM);
    return (char *)b->buf + b->len;
}

static void batch_take(struct nft_batch *b, const struct nlmsghdr *h)
{
    if (h->nlmsg_len > BATCH_ROOM)
        fatal("an nftables message does not fit");
    b->len += NLMSG_ALIGN(h->nlmsg_len);
    b->seq++;
}

static struct nlmsghdr *batch_msg(struct nft_batch *b, uint16_t type, uint16_t family, uint16_t flags)
{
    return nftnl_nlmsg_build_hdr(batch_room(b), type, family, flags, b->seq);
}

static void *batch_must(void *p)
{
    if (p == NULL)
        fatal("out of memory");
    return p;
}

static void batch_table(struct nft_batch *b, uint16_t type, uint16_t family, const char *name, uint16_t flags)
{
    struct nftnl_table *t = batch_must(nftnl_table_alloc());
    nftnl_table_set_str(t, NFTNL_TABLE_NAME, name);
    struct nlmsghdr *h = batch_msg(b, type, family, flags);
    nftnl_table_nlmsg_build_payload(h, t);
    batch_take(b, h);
    nftnl_table_free(t);
}

static void batch_chain(struct nft_batch *b, const struct batch_family *f, const struct nft_marks *m)
{
    struct nftnl_chain *c = batch_must(nftnl_chain_alloc());
    nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, m->table);
    nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, "in");
    nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
    nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, NF_INET_LOCAL_IN);
    nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, m->priority);
    nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
    struct nlmsghdr *h = batch_msg(b, NFT_MSG_NEWCHAIN, f->nf, NLM_F_CREATE);
    nftnl_chain_nlmsg_build_payload(h, c);
    batch_take(b, h);
    nftnl_chain_free(c);
}

/* ---- the map
 * ---------------------------------------------------------------------------------------------------------
 */

static struct nftnl_expr *batch_expr(const char *name)
{
    return batch_must(nftnl_expr_alloc(name));
}

static struct nftnl_set *batch_set_new(const struct nft_marks *m, const struct batch_proto *p, uint32_t id)
{
    struct nftnl_set *s = batch_must(nftnl_set_alloc());
    nftnl_set_set_str(s, NFTNL_SET_TABLE, m->table);
    nftnl_set_set_str(s, NFTNL_SET_NAME, p->map);
    nftnl_set_set_u32(s, NFTNL_SET_ID, id);
    return s;
}

/* For nft(8) to show: keys are in network order, marks in the machine's. */
static void batch_set_orders(struct nftnl_set *s)
{
    struct nftnl_udata_buf *u = batch_must(nftnl_udata_buf_alloc(64));
    nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER, BATCH_ORDER_BIG);
    nftnl_udata_put_u32(u, NFTNL_UDATA_SET_DATABYTEORDER, BATCH_ORDER_HOST);
    nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u));
    nftnl_udata_buf_free(u);
}

static void batch_set(struct nft_batch *b, const struct batch_family *f, const struct nft_marks *m,
                      const struct batch_proto *p, uint32_t id)
{
    const uint8_t lens[2] = { (uint8_t)f->alen, sizeof(uint16_t) };
    struct nftnl_set *s = batch_set_new(m, p, id);
    nftnl_set_set_u32(s, NFTNL_SET_FAMILY, f->nf);
    nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_MAP | NFT_SET_INTERVAL | NFT_SET_CONCAT);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, f->type << BATCH_TYPE_BITS | BATCH_TYPE_PORT);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, f->alen + 4);
    nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, BATCH_TYPE_MARK);
    nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
    nftnl_set_set_data(s, NFTNL_SET_DESC_CONCAT, lens, sizeof lens);
    batch_set_orders(s);
    if (m->counters)
        nftnl_set_add_expr(s, batch_expr("counter"));
    struct nlmsghdr *h = batch_msg(b, NFT_MSG_NEWSET, f->nf, NLM_F_CREATE);
    nftnl_set_nlmsg_build_payload(h, s);
    batch_take(b, h);
    nftnl_set_free(s);
}

/* Each field of a key begins at a multiple of four. */
static uint32_t batch_key(const struct batch_family *f, const struct ipaddr *a, uint16_t port,
                          uint8_t key[20])
{
    uint16_t be = htons(port);
    memset(key, 0, 20);
    memcpy(key, a->b, f->alen);
    memcpy(key + f->alen, &be, sizeof be);
    return f->alen + 4;
}

static void batch_elem(struct nftnl_set *s, const struct batch_family *f, const struct nft_range *r)
{
    struct nftnl_set_elem *e = batch_must(nftnl_set_elem_alloc());
    uint8_t key[20];
    uint32_t n = batch_key(f, &r->first, r->port_first, key);
    nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, n);
    n = batch_key(f, &r->last, r->port_last, key);
    nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY_END, key, n);
    nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, &r->mark, sizeof r->mark);
    nftnl_set_elem_add(s, e);
}

static void batch_elems_end(struct nft_batch *b, const struct batch_family *f, struct nftnl_set *s)
{
    struct nlmsghdr *h = batch_msg(b, NFT_MSG_NEWSETELEM, f->nf, NLM_F_CREATE);
    nftnl_set_elems_nlmsg_build_payload(h, s);
    batch_take(b, h);
    nftnl_set_free(s);
}

static void batch_elems(struct nft_batch *b, const struct batch_family *f, const struct nft_marks *m,
                        const struct batch_proto *p, uint32_t id)
{
    struct nftnl_set *s = NULL;
    unsigned int n = 0;
    for (size_t i = 0; i < m->nranges; i++) {
        const struct nft_range *r = &m->ranges[i];
        if (r->protocol != p->protocol || r->first.family != f->family)
            continue;
        if (s == NULL)
            s = batch_set_new(m, p, id);
        batch_elem(s, f, r);
        if (++n % BATCH_ELEMS != 0)
            continue;
        batch_elems_end(b, f, s);
        s = NULL;
    }
    if (s != NULL)
        batch_elems_end(b, f, s);
}

/* ---- the rule: meta mark set ip daddr . tcp dport map @tcp_map [counter] return
 * -------------------------------------- */

static void batch_rule_meta(struct nftnl_rule *r, uint32_t key, uint16_t which, uint32_t reg)
{
    struct nftnl_expr *e = batch_expr("meta");
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(e, which, reg);
    nftnl_rule_add_expr(r, e);
}

static void batch_rule_load(struct nftnl_rule *r, uint32_t base, uint32_t off, uint32_t len, uint32_t reg)
{
    struct nftnl_expr *e = batch_expr("payload");
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, off);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
    nftnl_rule_add_expr(r, e);
}

static void batch_rule_match(struct nftnl_rule *r, const struct batch_family *f, const struct batch_proto *p,
                             uint32_t id)
{
    struct nftnl_expr *e = batch_expr("cmp");
    batch_rule_meta(r, NFT_META_L4PROTO, NFTNL_EXPR_META_DREG, BATCH_REG_KEY);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, BATCH_REG_KEY);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, &p->protocol, sizeof p->protocol);
    nftnl_rule_add_expr(r, e);
    batch_rule_load(r, NFT_PAYLOAD_NETWORK_HEADER, f->daddr, f->alen, BATCH_REG_KEY);
    batch_rule_load(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(uint16_t), f->port_reg);
    e = batch_expr("lookup");
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, BATCH_REG_KEY);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, BATCH_REG_KEY);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, p->map);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, id);
    nftnl_rule_add_expr(r, e);
}

static void batch_rule(struct nft_batch *b, const struct batch_family *f, const struct nft_marks *m,
                       const struct batch_proto *p, uint32_t id)
{
    struct nftnl_rule *r = batch_must(nftnl_rule_alloc());
    nftnl_rule_set_str(r, NFTNL_RULE_TABLE, m->table);
    nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, "in");
    nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, f->nf);
    batch_rule_match(r, f, p, id);
    batch_rule_meta(r, NFT_META_MARK, NFTNL_EXPR_META_SREG, BATCH_REG_KEY);
    if (m->counters)
        nftnl_rule_add_expr(r, batch_expr("counter"));
    struct nftnl_expr *e = batch_expr("immediate");
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)NFT_RETURN);
    nftnl_rule_add_expr(r, e);
    struct nlmsghdr *h = batch_msg(b, NFT_MSG_NEWRULE, f->nf, NLM_F_CREATE | NLM_F_APPEND);
    nftnl_rule_nlmsg_build_payload(h, r);
    batch_take(b, h);
    nftnl_rule_free(r);
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------------------- */

static bool batch_has(const struct nft_marks *m, uint8_t family, uint8_t protocol)
{
    for (size_t i = 0; i < m->nranges; i++)
        if (m->ranges[i].first.family == family && (protocol == 0 || m->ranges[i].protocol == protocol))
            return true;
    return false;
}

/* Whether or not it is there: made, so that it can be deleted. */
static void batch_remove(struct nft_batch *b, const char *table)
{
    for (size_t i = 0; i < BATCH_FAMILIES; i++) {
        batch_table(b, NFT_MSG_NEWTABLE, batch_families[i].nf, table, NLM_F_CREATE);
        batch_table(b, NFT_MSG_DELTABLE, batch_families[i].nf, table, 0);
    }
}

static void batch_family(struct nft_batch *b, const struct batch_family *f, const struct nft_marks *m,
                         uint32_t *id)
{
    if (!batch_has(m, f->family, 0))
        return;
    batch_table(b, NFT_MSG_NEWTABLE, f->nf, m->table, NLM_F_CREATE);
    batch_chain(b, f, m);
    for (size_t i = 0; i < BATCH_PROTOS; i++) {
        const struct batch_proto *p = &batch_protos[i];
        if (!batch_has(m, f->family, p->protocol))
            continue;
        ++*id;
        batch_set(b, f, m, p, *id);
        batch_elems(b, f, m, p, *id);
        batch_rule(b, f, m, p, *id);
    }
}

static void batch_edge(struct nft_batch *b, uint16_t type)
{
    struct nlmsghdr *h = nftnl_nlmsg_build_hdr(batch_room(b), type, AF_UNSPEC, 0, b->seq);
    struct nfgenmsg *g = (struct nfgenmsg *)(void *)((char *)h + NLMSG_HDRLEN);
    h->nlmsg_type = type; /* not one of the subsystem */
    g->res_id = htons(NFNL_SUBSYS_NFTABLES);
    batch_take(b, h);
}

void nft_batch_build(struct nft_batch *b, uint32_t seq, const char *gone, const struct nft_marks *m)
{
    uint32_t id = 0;
    size_t last = 0;
    memset(b, 0, sizeof *b);
    b->seq = seq;
    batch_edge(b, NFNL_MSG_BATCH_BEGIN);
    if (gone != NULL)
        batch_remove(b, gone);
    if (m != NULL && m->on && (gone == NULL || strcmp(gone, m->table) != 0))
        batch_remove(b, m->table);
    for (size_t i = 0; m != NULL && m->on && i < BATCH_FAMILIES; i++)
        batch_family(b, &batch_families[i], m, &id);
    for (size_t at = 0; at < b->len;) { /* the last one before the end is acknowledged */
        struct nlmsghdr *h = (struct nlmsghdr *)(void *)(b->buf + at);
        last = at;
        at += NLMSG_ALIGN(h->nlmsg_len);
    }
    struct nlmsghdr *h = (struct nlmsghdr *)(void *)(b->buf + last);
    h->nlmsg_flags |= NLM_F_ACK;
    b->last_seq = h->nlmsg_seq;
    batch_edge(b, NFNL_MSG_BATCH_END);
}

void nft_batch_ask(struct nft_batch *b, uint32_t seq, uint16_t family, const char *table)
{
    memset(b, 0, sizeof *b);
    b->seq = b->last_seq = seq;
    batch_table(b, NFT_MSG_GETTABLE, family, table, NLM_F_ACK);
}

void nft_batch_free(struct nft_batch *b)
{
    free(b->buf);
    memset(b, 0, sizeof *b);
}

/* ---- news
 * ----------------------------------------------------------------------------------------------------------
 */

/* The attribute that names the table has the same number in all of them. */
static bool batch_is_loss(uint16_t type)
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

bool nft_batch_hurts(void *buf, size_t len, const char *table, uint32_t portid)
{
    struct nlmsghdr *h = buf;
    int left = len > INT32_MAX ? 0 : (int)len;
    for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
        struct nlattr *tb[NFTA_TABLE_NAME + 1];
        if (h->nlmsg_pid == portid || !batch_is_loss(h->nlmsg_type))
            continue;
        if (nlmsg_parse(h, sizeof(struct nfgenmsg), tb, NFTA_TABLE_NAME, NULL) < 0 ||
            tb[NFTA_TABLE_NAME] == NULL)
            continue;
        size_t n = strlen(table) + 1;
        if ((size_t)nla_len(tb[NFTA_TABLE_NAME]) == n && memcmp(nla_data(tb[NFTA_TABLE_NAME]), table, n) == 0)
            return true;
    }
    return false;
}
