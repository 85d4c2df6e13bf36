/* nft_accept_batch.c - see nft_accept_batch.h. */
#include "ipvsd/nft_accept_batch.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "common/err.h"

#define ACCEPT_ND_SOLICIT 135
#define ACCEPT_ND_ADVERT  136
#define ACCEPT_ID_VIPS    1u /* of sets in a transaction: family * 4 + these */
#define ACCEPT_ID_LINK    2u
#define ACCEPT_ID_ND      3u
#define ACCEPT_VIPS       "vips"
#define ACCEPT_LINK       "vips_link_local"
#define ACCEPT_ND         "neighbor-discovery"

static const struct accept_family {
    uint16_t nf;
    uint8_t family;
    uint32_t alen, saddr, daddr, type, ids;
} accept_families[] = {
    { NFPROTO_IPV4, 4, 4, 12, 16, NFT_TYPE_IP4, 0 },
    { NFPROTO_IPV6, 6, 16, 8, 24, NFT_TYPE_IP6, 4 },
};
#define ACCEPT_FAMILIES (sizeof accept_families / sizeof *accept_families)

static const struct accept_way {
    const char *chain, *link_chain;
    uint32_t hook, ifindex, ifname;
    bool source;
} accept_ways[] = {
    { "out", "out_link_local", NF_INET_LOCAL_OUT, NFT_META_OIF, NFT_META_OIFNAME, true },
    { "in", "in_link_local", NF_INET_LOCAL_IN, NFT_META_IIF, NFT_META_IIFNAME, false },
};
#define ACCEPT_WAYS (sizeof accept_ways / sizeof *accept_ways)

/* ---- elements
 * -------------------------------------------------------------------------------------------------------- */

static void accept_put(struct nftnl_set *s, const void *key, uint32_t len)
{
    struct nftnl_set_elem *x = nftnl_set_elem_alloc();
    if (x == NULL)
        fatal("out of memory");
    nftnl_set_elem_set(x, NFTNL_SET_ELEM_KEY, key, len);
    nftnl_set_elem_add(s, x);
}

static void accept_put_elem(struct nftnl_set *s, const struct nft_accept_shape *sh,
                            const struct nft_accept_elem *e, uint32_t ifindex)
{
    uint8_t key[16 + IFNAMSIZ] = { 0 };
    uint32_t len = (uint32_t)ipaddr_len(&e->addr);
    memcpy(key, e->addr.b, len);
    if (e->dev[0] != '\0' && sh->by_index) {
        memcpy(key + len, &ifindex, sizeof ifindex);
        len += (uint32_t)sizeof ifindex;
    } else if (e->dev[0] != '\0') {
        memcpy(key + len, e->dev, strnlen(e->dev, IFNAMSIZ - 1));
        len += IFNAMSIZ;
    }
    accept_put(s, key, len);
}

enum accept_pick { ACCEPT_PICK_ALL, ACCEPT_PICK_COMES, ACCEPT_PICK_GOES };

static bool accept_picked(const struct nft_accept_shape *sh, const struct nft_accept_elem *e,
                          enum accept_pick pick, bool up)
{
    switch (pick) {
    case ACCEPT_PICK_ALL: return e->refs > 0 && nft_accept_elem_possible(sh, e);
    case ACCEPT_PICK_COMES: return nft_accept_elem_comes(sh, e);
    case ACCEPT_PICK_GOES: return nft_accept_elem_goes(sh, e) && (e->refs > 0) == up;
    }
    return false;
}

/* The picked ones of a family that belong to the one set or the other. Returns how many. */
static size_t accept_elems(struct nft_msgs *b, const struct accept_family *f,
                           const struct nft_accept_shape *sh, const struct nft_accept_elems *e, bool link,
                           enum accept_pick pick, bool up)
{
    uint16_t type = pick == ACCEPT_PICK_GOES ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM;
    uint32_t id = pick != ACCEPT_PICK_ALL ? 0 : f->ids + (link ? ACCEPT_ID_LINK : ACCEPT_ID_VIPS);
    struct nftnl_set *s = NULL;
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++) {
        const struct nft_accept_elem *x = &e->v[i];
        if (x->addr.family != f->family || (x->dev[0] != '\0') != link || !accept_picked(sh, x, pick, up))
            continue;
        if (s == NULL)
            s = nft_set_new(sh->table, link ? ACCEPT_LINK : ACCEPT_VIPS, id);
        accept_put_elem(s, sh, x, pick == ACCEPT_PICK_GOES ? x->in_index : x->ifindex);
        if (++n % NFT_MSGS_ELEMS != 0)
            continue;
        nft_msgs_elems(b, type, f->nf, s);
        s = NULL;
    }
    if (s != NULL)
        nft_msgs_elems(b, type, f->nf, s);
    return n;
}

/* ---- sets
 * ------------------------------------------------------------------------------------------------------------
 */

static void accept_set(struct nft_msgs *b, const struct accept_family *f, const struct nft_accept_shape *sh)
{
    struct nftnl_set *s = nft_set_new(sh->table, ACCEPT_VIPS, f->ids + ACCEPT_ID_VIPS);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, f->type);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, f->alen);
    nft_set_orders(s, NFT_ORDER_BIG, NFT_ORDER_NONE);
    nft_msgs_set(b, f->nf, s);
}

static void accept_set_link(struct nft_msgs *b, const struct accept_family *f,
                            const struct nft_accept_shape *sh)
{
    struct nftnl_set *s = nft_set_new(sh->table, ACCEPT_LINK, f->ids + ACCEPT_ID_LINK);
    uint32_t second = sh->by_index ? NFT_TYPE_IFINDEX : NFT_TYPE_IFNAME;
    nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, f->type << NFT_TYPE_BITS | second);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, f->alen + (sh->by_index ? (uint32_t)sizeof(uint32_t) : IFNAMSIZ));
    nft_set_orders(s, NFT_ORDER_BIG, NFT_ORDER_NONE);
    nft_msgs_set(b, f->nf, s);
}

/* Solicitations for a virtual address are answered, and its own duplicates found, like ARP for IPv4. */
static void accept_set_nd(struct nft_msgs *b, const struct accept_family *f,
                          const struct nft_accept_shape *sh)
{
    const uint8_t types[] = { ACCEPT_ND_SOLICIT, ACCEPT_ND_ADVERT };
    struct nftnl_set *s = nft_set_new(sh->table, ACCEPT_ND, f->ids + ACCEPT_ID_ND);
    nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_CONSTANT);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, NFT_TYPE_ICMP6);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, sizeof types[0]);
    nft_set_orders(s, NFT_ORDER_BIG, NFT_ORDER_NONE);
    nft_msgs_set(b, f->nf, s);
    s = nft_set_new(sh->table, ACCEPT_ND, f->ids + ACCEPT_ID_ND);
    for (size_t i = 0; i < sizeof types; i++)
        accept_put(s, &types[i], sizeof types[i]);
    nft_msgs_elems(b, NFT_MSG_NEWSETELEM, f->nf, s);
}

/* ---- rules
 * -----------------------------------------------------------------------------------------------------------
 */

static void accept_rule_end(struct nft_msgs *b, const struct accept_family *f,
                            const struct nft_accept_shape *sh, struct nftnl_rule *r, int verdict,
                            const char *chain)
{
    if (sh->counters)
        nft_rule_expr(r, "counter");
    nft_rule_verdict(r, verdict, chain);
    nft_msgs_rule(b, f->nf, r);
}

static void accept_rule_nd(struct nft_msgs *b, const struct accept_family *f,
                           const struct nft_accept_shape *sh, const struct accept_way *w)
{
    struct nftnl_rule *r = nft_rule_new(f->nf, sh->table, w->chain);
    const uint8_t protocol = IPPROTO_ICMPV6;
    nft_rule_meta(r, NFT_META_L4PROTO, NFT_REGISTER_1);
    nft_rule_equal(r, NFT_REGISTER_1, &protocol, sizeof protocol);
    nft_rule_load(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REGISTER_1);
    nft_rule_lookup(r, ACCEPT_ND, f->ids + ACCEPT_ID_ND, NFT_REGISTER_1, 0);
    accept_rule_end(b, f, sh, r, NF_ACCEPT, NULL);
}

static void accept_rule_link_local(struct nft_msgs *b, const struct accept_family *f,
                                   const struct nft_accept_shape *sh, const struct accept_way *w)
{
    static const uint8_t prefix[16] = { 0xfe, 0x80 }, mask[16] = { 0xff, 0xc0 }, zero[16];
    struct nftnl_rule *r = nft_rule_new(f->nf, sh->table, w->chain);
    nft_rule_load(r, NFT_PAYLOAD_NETWORK_HEADER, w->source ? f->saddr : f->daddr, f->alen, NFT_REGISTER_1);
    struct nftnl_expr *e = nft_rule_expr(r, "bitwise");
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REGISTER_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REGISTER_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof mask);
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, sizeof mask);
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, sizeof zero);
    nft_rule_equal(r, NFT_REGISTER_1, prefix, sizeof prefix);
    accept_rule_end(b, f, sh, r, NFT_GOTO, w->link_chain);
}

static void accept_rule_drop(struct nft_msgs *b, const struct accept_family *f,
                             const struct nft_accept_shape *sh, const struct accept_way *w)
{
    struct nftnl_rule *r = nft_rule_new(f->nf, sh->table, w->chain);
    nft_rule_load(r, NFT_PAYLOAD_NETWORK_HEADER, w->source ? f->saddr : f->daddr, f->alen, NFT_REGISTER_1);
    nft_rule_lookup(r, ACCEPT_VIPS, f->ids + ACCEPT_ID_VIPS, NFT_REGISTER_1, 0);
    accept_rule_end(b, f, sh, r, NF_DROP, NULL);
}

static void accept_rule_drop_link(struct nft_msgs *b, const struct accept_family *f,
                                  const struct nft_accept_shape *sh, const struct accept_way *w)
{
    struct nftnl_rule *r = nft_rule_new(f->nf, sh->table, w->link_chain);
    nft_rule_load(r, NFT_PAYLOAD_NETWORK_HEADER, w->source ? f->saddr : f->daddr, f->alen, NFT_REGISTER_1);
    nft_rule_meta(r, sh->by_index ? w->ifindex : w->ifname, NFT_REGISTER_2);
    nft_rule_lookup(r, ACCEPT_LINK, f->ids + ACCEPT_ID_LINK, NFT_REGISTER_1, 0);
    accept_rule_end(b, f, sh, r, NF_DROP, NULL);
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------------------- */

static void accept_way(struct nft_msgs *b, const struct accept_family *f, const struct nft_accept_shape *sh,
                       const struct accept_way *w)
{
    nft_msgs_hook(b, f->nf, sh->table, w->chain, w->hook, sh->priority);
    if (f->family == 6) {
        nft_msgs_chain(b, f->nf, sh->table, w->link_chain);
        accept_rule_nd(b, f, sh, w);
        accept_rule_link_local(b, f, sh, w);
        accept_rule_drop_link(b, f, sh, w);
    }
    accept_rule_drop(b, f, sh, w);
}

static void accept_family(struct nft_msgs *b, const struct accept_family *f,
                          const struct nft_accept_shape *sh, const struct nft_accept_elems *e)
{
    nft_msgs_table(b, f->nf, sh->table);
    accept_set(b, f, sh);
    if (f->family == 6) {
        accept_set_nd(b, f, sh);
        accept_set_link(b, f, sh);
    }
    for (size_t i = 0; i < ACCEPT_WAYS; i++)
        accept_way(b, f, sh, &accept_ways[i]);
    accept_elems(b, f, sh, e, false, ACCEPT_PICK_ALL, true);
    accept_elems(b, f, sh, e, true, ACCEPT_PICK_ALL, true);
}

void nft_accept_build(struct nft_msgs *b, uint32_t seq, const char *gone, const struct nft_accept_shape *sh,
                      const struct nft_accept_elems *e)
{
    nft_msgs_begin(b, seq);
    for (size_t i = 0; i < ACCEPT_FAMILIES; i++) {
        const struct accept_family *f = &accept_families[i];
        if (gone != NULL)
            nft_msgs_remove(b, f->nf, gone);
        if (nft_accept_shape_any(sh) && (gone == NULL || strcmp(gone, sh->table) != 0))
            nft_msgs_remove(b, f->nf, sh->table);
        if (sh->family[i])
            accept_family(b, f, sh, e);
    }
    nft_msgs_end(b);
}

size_t nft_accept_change(struct nft_msgs *b, uint32_t seq, const struct nft_accept_shape *sh,
                         const struct nft_accept_elems *e, bool up)
{
    size_t n = 0;
    nft_msgs_begin(b, seq);
    for (size_t i = 0; i < ACCEPT_FAMILIES; i++)
        for (int link = 0; link < 2; link++) {
            n += accept_elems(b, &accept_families[i], sh, e, link != 0, ACCEPT_PICK_GOES, up);
            if (up)
                n += accept_elems(b, &accept_families[i], sh, e, link != 0, ACCEPT_PICK_COMES, up);
        }
    nft_msgs_end(b);
    return n;
}
