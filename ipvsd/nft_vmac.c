/*
 * nft_vmac.c - see nft_vmac.h.
 *
 *   table ip keepalived_vmac { map vmac_map { oif : oif }  chain out { hook output; ip protocol igmp
 *     dup to ip daddr device oif map @vmac_map drop } }     and the same for MLD in table ip6
 */
#include "ipvsd/nft_vmac.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"

#define VMAC_MAP  "vmac_map"
#define VMAC_MLD2 143u /* version 2 membership report */

static const struct vmac_family {
    uint16_t nf;
    uint32_t daddr, alen;
} families[] = { { NFPROTO_IPV4, 16, 4 }, { NFPROTO_IPV6, 24, 16 } };
#define VMAC_FAMILIES (sizeof families / sizeof *families)

static void vmac_elem(struct nftnl_set *s, const struct nft_vmac_pair *pair)
{
    struct nftnl_set_elem *e = nftnl_set_elem_alloc();
    if (e == NULL)
        fatal("out of memory");
    nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, &pair->vmac, sizeof pair->vmac);
    nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, &pair->base, sizeof pair->base);
    nftnl_set_elem_add(s, e);
}

static void vmac_map(struct nft_msgs *b, uint16_t nf, const char *table, uint32_t id,
                     const struct nft_vmac_pair *pairs, size_t n)
{
    struct nftnl_set *s = nft_set_new(table, VMAC_MAP, id);
    nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_MAP);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, NFT_TYPE_IFINDEX);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, sizeof(uint32_t));
    nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, NFT_TYPE_IFINDEX);
    nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
    nft_set_orders(s, NFT_ORDER_HOST, NFT_ORDER_HOST);
    nft_msgs_set(b, nf, s);
    for (size_t at = 0; at < n; at += NFT_MSGS_ELEMS) {
        s = nft_set_new(table, VMAC_MAP, id);
        for (size_t i = at; i < n && i < at + NFT_MSGS_ELEMS; i++)
            vmac_elem(s, &pairs[i]);
        nft_msgs_elems(b, NFT_MSG_NEWSETELEM, nf, s);
    }
}

/* ---- the rule
 * ---------------------------------------------------------------------------------------------------------
 */

/* A report that leaves by a macvlan: a copy by the interface below, then no further. */
static void rule_move(struct nftnl_rule *r, const struct vmac_family *f, uint32_t id, bool counters)
{
    nft_rule_meta(r, NFT_META_OIF, NFT_REGISTER_1);
    nft_rule_lookup(r, VMAC_MAP, id, NFT_REGISTER_1, NFT_REGISTER_2);
    nft_rule_load(r, NFT_PAYLOAD_NETWORK_HEADER, f->daddr, f->alen, NFT_REGISTER_3);
    if (counters)
        nft_rule_expr(r, "counter");
    struct nftnl_expr *e = nft_rule_expr(r, "dup");
    nftnl_expr_set_u32(e, NFTNL_EXPR_DUP_SREG_ADDR, NFT_REGISTER_3);
    nftnl_expr_set_u32(e, NFTNL_EXPR_DUP_SREG_DEV, NFT_REGISTER_2);
    nft_rule_verdict(r, NF_DROP, NULL);
}

static void vmac_rule(struct nft_msgs *b, const struct vmac_family *f, uint32_t id,
                      const struct nft_vmac_form *form)
{
    struct nftnl_rule *r = nft_rule_new(f->nf, form->table, "out");
    const uint8_t protocol = f->nf == NFPROTO_IPV4 ? IPPROTO_IGMP : IPPROTO_ICMPV6, report = VMAC_MLD2;
    nft_rule_meta(r, NFT_META_L4PROTO, NFT_REGISTER_1);
    nft_rule_equal(r, NFT_REGISTER_1, &protocol, sizeof protocol);
    if (f->nf == NFPROTO_IPV6) {
        nft_rule_load(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REGISTER_1);
        nft_rule_equal(r, NFT_REGISTER_1, &report, sizeof report);
    }
    rule_move(r, f, id, form->counters);
    nft_msgs_rule(b, f->nf, r);
}

bool nft_vmac_form_read(struct nft_vmac_form *form, const struct slice *s)
{
    const struct slice_obj *g = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    const char *name = g != NULL ? slice_str(g, KW_GLOBAL_NFTABLES, "") : "";
    struct nft_vmac_form was = *form;
    snprintf(form->table, sizeof form->table, "%s_vmac", name[0] != '\0' ? name : "keepalived");
    form->priority = g != NULL ? (int32_t)slice_int(g, KW_GLOBAL_NFTABLES_PRIORITY, -1) : -1;
    form->counters = g != NULL && slice_bool(g, KW_GLOBAL_NFTABLES_COUNTERS, false);
    return was.priority != form->priority || was.counters != form->counters ||
           strcmp(was.table, form->table) != 0;
}

void nft_vmac_build(struct nft_msgs *b, uint32_t seq, const struct nft_vmac_form *form,
                    const struct nft_vmac_pair *pairs, size_t n)
{
    nft_msgs_begin(b, seq);
    for (size_t i = 0; i < VMAC_FAMILIES; i++) {
        nft_msgs_remove(b, families[i].nf, form->table);
        if (n == 0)
            continue;
        nft_msgs_table(b, families[i].nf, form->table);
        vmac_map(b, families[i].nf, form->table, (uint32_t)i + 1, pairs, n);
        nft_msgs_hook(b, families[i].nf, form->table, "out", NF_INET_LOCAL_OUT, form->priority);
        vmac_rule(b, &families[i], (uint32_t)i + 1, form);
    }
    nft_msgs_end(b);
}

int nft_vmac_apply(const struct nft_vmac_form *form, const struct nft_vmac_pair *pairs, size_t n)
{
    struct nft_msgs b;
    int fd = nft_msgs_socket();
    if (fd < 0)
        return -1;
    nft_vmac_build(&b, 1, form, pairs, n);
    int rc = nft_msgs_talk(fd, &b), saved = errno;
    close(fd);
    nft_msgs_free(&b);
    errno = saved;
    return rc;
}
