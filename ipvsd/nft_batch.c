/* nft_batch.c - see nft_batch.h. The layout is the incumbent's, so that rules of others that speak of it go
 * on to work. */
#include "ipvsd/nft_batch.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

#include "common/err.h"

#define BATCH_REG32_1 9u /* NFT_REG32_01: behind a 4 byte address */

struct batch_family {
    uint16_t nf;
    uint8_t family; /* of struct ipaddr */
    uint32_t alen, daddr, port_reg, type;
};
static const struct batch_family batch_families[] = {
    { NFPROTO_IPV4, 4, 4, 16, BATCH_REG32_1, NFT_TYPE_IP4 },
    { NFPROTO_IPV6, 6, 16, 24, NFT_REGISTER_2, NFT_TYPE_IP6 },
};
#define BATCH_FAMILIES (sizeof batch_families / sizeof *batch_families)

static const struct batch_proto {
    uint8_t protocol;
    const char *map;
} batch_protos[] = { { IPPROTO_TCP, "tcp_map" }, { IPPROTO_UDP, "udp_map" }, { IPPROTO_SCTP, "sctp_map" } };
#define BATCH_PROTOS (sizeof batch_protos / sizeof *batch_protos)

/* ---- the map
 * --- */

static void batch_set(struct nft_msgs *b, const struct batch_family *f, const struct nft_marks *m,
                      const struct batch_proto *p, uint32_t id)
{
    const uint8_t lens[2] = { (uint8_t)f->alen, sizeof(uint16_t) };
    struct nftnl_set *s = nft_set_new(m->table, p->map, id);
    nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_MAP | NFT_SET_INTERVAL | NFT_SET_CONCAT);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, f->type << NFT_TYPE_BITS | NFT_TYPE_PORT);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, f->alen + 4);
    nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, NFT_TYPE_MARK);
    nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
    nftnl_set_set_data(s, NFTNL_SET_DESC_CONCAT, lens, sizeof lens);
    nft_set_orders(s, NFT_ORDER_BIG, NFT_ORDER_HOST);
    if (m->counters)
        nftnl_set_add_expr(s, nft_expr_new("counter"));
    nft_msgs_set(b, f->nf, s);
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
    struct nftnl_set_elem *e = nftnl_set_elem_alloc();
    uint8_t key[20];
    if (e == NULL)
        fatal("out of memory");
    uint32_t n = batch_key(f, &r->first, r->port_first, key);
    nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, n);
    n = batch_key(f, &r->last, r->port_last, key);
    nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY_END, key, n);
    nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, &r->mark, sizeof r->mark);
    nftnl_set_elem_add(s, e);
}

static void batch_elems(struct nft_msgs *b, const struct batch_family *f, const struct nft_marks *m,
                        const struct batch_proto *p, uint32_t id)
{
    struct nftnl_set *s = NULL;
    unsigned int n = 0;
    for (size_t i = 0; i < m->nranges; i++) {
        const struct nft_range *r = &m->ranges[i];
        if (r->protocol != p->protocol || r->first.family != f->family)
            continue;
        if (s == NULL)
            s = nft_set_new(m->table, p->map, id);
        batch_elem(s, f, r);
        if (++n % NFT_MSGS_ELEMS != 0)
            continue;
        nft_msgs_elems(b, NFT_MSG_NEWSETELEM, f->nf, s);
        s = NULL;
    }
    if (s != NULL)
        nft_msgs_elems(b, NFT_MSG_NEWSETELEM, f->nf, s);
}

/* ---- the rule: meta mark set ip daddr . tcp dport map @tcp_map [counter] return
 * -------------------------------------- */

static void batch_rule_match(struct nftnl_rule *r, const struct batch_family *f, const struct batch_proto *p,
                             uint32_t id)
{
    nft_rule_meta(r, NFT_META_L4PROTO, NFT_REGISTER_1);
    nft_rule_equal(r, NFT_REGISTER_1, &p->protocol, sizeof p->protocol);
    nft_rule_load(r, NFT_PAYLOAD_NETWORK_HEADER, f->daddr, f->alen, NFT_REGISTER_1);
    nft_rule_load(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(uint16_t), f->port_reg);
    nft_rule_lookup(r, p->map, id, NFT_REGISTER_1, NFT_REGISTER_1);
}

static void batch_rule(struct nft_msgs *b, const struct batch_family *f, const struct nft_marks *m,
                       const struct batch_proto *p, uint32_t id)
{
    struct nftnl_rule *r = nft_rule_new(f->nf, m->table, "in");
    batch_rule_match(r, f, p, id);
    struct nftnl_expr *e = nft_rule_expr(r, "meta");
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_MARK);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, NFT_REGISTER_1);
    if (m->counters)
        nft_rule_expr(r, "counter");
    nft_rule_verdict(r, NFT_RETURN, NULL);
    nft_msgs_rule(b, f->nf, r);
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

static void batch_remove(struct nft_msgs *b, const char *table)
{
    for (size_t i = 0; i < BATCH_FAMILIES; i++)
        nft_msgs_remove(b, batch_families[i].nf, table);
}

static void batch_family(struct nft_msgs *b, const struct batch_family *f, const struct nft_marks *m,
                         uint32_t *id)
{
    if (!batch_has(m, f->family, 0))
        return;
    nft_msgs_table(b, f->nf, m->table);
    nft_msgs_hook(b, f->nf, m->table, "in", NF_INET_LOCAL_IN, m->priority);
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

void nft_batch_build(struct nft_msgs *b, uint32_t seq, const char *gone, const struct nft_marks *m)
{
    uint32_t id = 0;
    nft_msgs_begin(b, seq);
    if (gone != NULL)
        batch_remove(b, gone);
    if (m != NULL && m->on && (gone == NULL || strcmp(gone, m->table) != 0))
        batch_remove(b, m->table);
    for (size_t i = 0; m != NULL && m->on && i < BATCH_FAMILIES; i++)
        batch_family(b, &batch_families[i], m, &id);
    nft_msgs_end(b);
}
