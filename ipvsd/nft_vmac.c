/*
 * nft_vmac.c - see nft_vmac.h.
 *
 *   table ip keepalived_vmac { map vmac_map { oif : oif }  chain out { hook output; ip protocol igmp
 *     dup to ip daddr device oif map @vmac_map drop } }     and the same for MLD in table ip6
 */
#include "ipvsd/nft_vmac.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "ipvsd/kevent.h"

#define VMAC_ROOM     16384u
#define VMAC_ELEMS    200u /* in one message */
#define VMAC_PRIORITY (-1)
#define VMAC_MAP      "vmac_map"
#define VMAC_REG_KEY  1u /* NFT_REG_1 ... */
#define VMAC_REG_DEV  2u
#define VMAC_REG_ADDR 3u
#define VMAC_TYPE_IF  17u  /* nft(8): iface_index */
#define VMAC_MLD2     143u /* version 2 membership report */
#define VMAC_PATIENCE 200
#define VMAC_SNDBUF   (4 << 20)

static const struct vmac_family {
    uint16_t nf;
    uint32_t daddr, alen;
} families[] = { { NFPROTO_IPV4, 16, 4 }, { NFPROTO_IPV6, 24, 16 } };
#define VMAC_FAMILIES (sizeof families / sizeof *families)

static void *must(void *p)
{
    if (p == NULL)
        fatal("out of memory");
    return p;
}

static struct nlmsghdr *vmac_msg(struct nft_vmac_bytes *b, uint16_t type, uint16_t nf, uint16_t flags)
{
    if (b->len + VMAC_ROOM > b->cap) {
        b->cap = 2 * b->cap + 2 * VMAC_ROOM;
        b->buf = xrealloc(b->buf, b->cap);
    }
    memset(b->buf + b->len, 0, VMAC_ROOM);
    return nftnl_nlmsg_build_hdr((char *)b->buf + b->len, type, nf, flags, b->seq);
}

static void vmac_take(struct nft_vmac_bytes *b, const struct nlmsghdr *h)
{
    if (h->nlmsg_len > VMAC_ROOM)
        fatal("an nftables message does not fit");
    b->len += NLMSG_ALIGN(h->nlmsg_len);
    b->seq++;
}

static void vmac_edge(struct nft_vmac_bytes *b, bool begin)
{
    if (b->len + VMAC_ROOM > b->cap) {
        b->cap = 2 * b->cap + 2 * VMAC_ROOM;
        b->buf = xrealloc(b->buf, b->cap);
    }
    char *at = (char *)b->buf + b->len;
    vmac_take(b, begin ? nftnl_batch_begin(at, b->seq) : nftnl_batch_end(at, b->seq));
}

static void vmac_table(struct nft_vmac_bytes *b, uint16_t type, uint16_t nf, uint16_t flags)
{
    struct nftnl_table *t = must(nftnl_table_alloc());
    nftnl_table_set_str(t, NFTNL_TABLE_NAME, NFT_VMAC_TABLE);
    struct nlmsghdr *h = vmac_msg(b, type, nf, flags);
    nftnl_table_nlmsg_build_payload(h, t);
    vmac_take(b, h);
    nftnl_table_free(t);
}

static struct nftnl_set *vmac_set_new(uint32_t id)
{
    struct nftnl_set *s = must(nftnl_set_alloc());
    nftnl_set_set_str(s, NFTNL_SET_TABLE, NFT_VMAC_TABLE);
    nftnl_set_set_str(s, NFTNL_SET_NAME, VMAC_MAP);
    nftnl_set_set_u32(s, NFTNL_SET_ID, id);
    return s;
}

static void vmac_map(struct nft_vmac_bytes *b, uint16_t nf, uint32_t id, const struct nft_vmac_pair *pairs,
                     size_t n)
{
    struct nftnl_set *s = vmac_set_new(id);
    nftnl_set_set_u32(s, NFTNL_SET_FAMILY, nf);
    nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_MAP);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, VMAC_TYPE_IF);
    nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, sizeof(uint32_t));
    nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, VMAC_TYPE_IF);
    nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
    struct nlmsghdr *h = vmac_msg(b, NFT_MSG_NEWSET, nf, NLM_F_CREATE);
    nftnl_set_nlmsg_build_payload(h, s);
    vmac_take(b, h);
    nftnl_set_free(s);
    for (size_t at = 0; at < n; at += VMAC_ELEMS) {
        s = vmac_set_new(id);
        for (size_t i = at; i < n && i < at + VMAC_ELEMS; i++) {
            struct nftnl_set_elem *e = must(nftnl_set_elem_alloc());
            nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, &pairs[i].vmac, sizeof pairs[i].vmac);
            nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, &pairs[i].base, sizeof pairs[i].base);
            nftnl_set_elem_add(s, e);
        }
        h = vmac_msg(b, NFT_MSG_NEWSETELEM, nf, NLM_F_CREATE);
        nftnl_set_elems_nlmsg_build_payload(h, s);
        vmac_take(b, h);
        nftnl_set_free(s);
    }
}

static void vmac_chain(struct nft_vmac_bytes *b, uint16_t nf)
{
    struct nftnl_chain *c = must(nftnl_chain_alloc());
    nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, NFT_VMAC_TABLE);
    nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, "out");
    nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
    nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, NF_INET_LOCAL_OUT);
    nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, VMAC_PRIORITY);
    nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
    struct nlmsghdr *h = vmac_msg(b, NFT_MSG_NEWCHAIN, nf, NLM_F_CREATE);
    nftnl_chain_nlmsg_build_payload(h, c);
    vmac_take(b, h);
    nftnl_chain_free(c);
}

/* ---- the rule
 * ---------------------------------------------------------------------------------------------------------
 */

static struct nftnl_expr *rule_expr(struct nftnl_rule *r, const char *name)
{
    struct nftnl_expr *e = must(nftnl_expr_alloc(name));
    nftnl_rule_add_expr(r, e);
    return e;
}

static void rule_equal(struct nftnl_rule *r, uint8_t value)
{
    struct nftnl_expr *e = rule_expr(r, "cmp");
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, VMAC_REG_KEY);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, &value, sizeof value);
}

static void rule_meta(struct nftnl_rule *r, uint32_t key)
{
    struct nftnl_expr *e = rule_expr(r, "meta");
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, VMAC_REG_KEY);
}

static void rule_load(struct nftnl_rule *r, uint32_t base, uint32_t off, uint32_t len, uint32_t reg)
{
    struct nftnl_expr *e = rule_expr(r, "payload");
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, off);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

/* A report that leaves by a macvlan: a copy by the interface below, then no further. */
static void rule_move(struct nftnl_rule *r, const struct vmac_family *f, uint32_t id)
{
    rule_meta(r, NFT_META_OIF);
    struct nftnl_expr *e = rule_expr(r, "lookup");
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, VMAC_REG_KEY);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, VMAC_REG_DEV);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, VMAC_MAP);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, id);
    rule_load(r, NFT_PAYLOAD_NETWORK_HEADER, f->daddr, f->alen, VMAC_REG_ADDR);
    e = rule_expr(r, "dup");
    nftnl_expr_set_u32(e, NFTNL_EXPR_DUP_SREG_ADDR, VMAC_REG_ADDR);
    nftnl_expr_set_u32(e, NFTNL_EXPR_DUP_SREG_DEV, VMAC_REG_DEV);
    e = rule_expr(r, "immediate");
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, NF_DROP);
}

static void vmac_rule(struct nft_vmac_bytes *b, const struct vmac_family *f, uint32_t id)
{
    struct nftnl_rule *r = must(nftnl_rule_alloc());
    nftnl_rule_set_str(r, NFTNL_RULE_TABLE, NFT_VMAC_TABLE);
    nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, "out");
    nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, f->nf);
    rule_meta(r, NFT_META_L4PROTO);
    rule_equal(r, f->nf == NFPROTO_IPV4 ? IPPROTO_IGMP : IPPROTO_ICMPV6);
    if (f->nf == NFPROTO_IPV6) {
        rule_load(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, VMAC_REG_KEY);
        rule_equal(r, VMAC_MLD2);
    }
    rule_move(r, f, id);
    struct nlmsghdr *h = vmac_msg(b, NFT_MSG_NEWRULE, f->nf, NLM_F_CREATE | NLM_F_APPEND);
    nftnl_rule_nlmsg_build_payload(h, r);
    vmac_take(b, h);
    nftnl_rule_free(r);
}

void nft_vmac_build(struct nft_vmac_bytes *b, uint32_t seq, const struct nft_vmac_pair *pairs, size_t n)
{
    *b = (struct nft_vmac_bytes){ .seq = seq };
    vmac_edge(b, true);
    for (size_t i = 0; i < VMAC_FAMILIES; i++) {
        /* made, so that it can be removed whether it was there or not */
        vmac_table(b, NFT_MSG_NEWTABLE, families[i].nf, NLM_F_CREATE);
        b->last_seq = b->seq;
        vmac_table(b, NFT_MSG_DELTABLE, families[i].nf, NLM_F_ACK);
        if (n == 0)
            continue;
        vmac_table(b, NFT_MSG_NEWTABLE, families[i].nf, NLM_F_CREATE);
        vmac_map(b, families[i].nf, (uint32_t)i + 1, pairs, n);
        vmac_chain(b, families[i].nf);
        vmac_rule(b, &families[i], (uint32_t)i + 1);
    }
    vmac_edge(b, false);
}

/* ---- the kernel
 * ------------------------------------------------------------------------------------------------------ */

struct vmac_wait {
    uint32_t last_seq;
    int error;
    bool done;
};

static void vmac_on_ack(uint32_t seq, int err, void *arg)
{
    struct vmac_wait *w = arg;
    if (err != 0 && w->error == 0)
        w->error = err;
    w->done = w->done || err != 0 || seq == w->last_seq;
}

static int vmac_talk(int fd, const struct nft_vmac_bytes *b)
{
    alignas(struct nlmsghdr) uint8_t buf[VMAC_ROOM];
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct vmac_wait w = { .last_seq = b->last_seq };
    int size = VMAC_SNDBUF;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    if (sendto(fd, b->buf, b->len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return -1;
    while (!w.done) {
        ssize_t got = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        if (got > 0)
            kevent_acks(buf, (size_t)got, vmac_on_ack, &w);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (got < 0 && errno != EINTR && (errno != EAGAIN || poll(&p, 1, VMAC_PATIENCE) <= 0))
            return -1;
    }
    errno = w.error;
    return w.error == 0 ? 0 : -1;
}

int nft_vmac_apply(const struct nft_vmac_pair *pairs, size_t n)
{
    struct nft_vmac_bytes b;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
    if (fd < 0)
        return -1;
    nft_vmac_build(&b, 1, pairs, n);
    int rc = vmac_talk(fd, &b), saved = errno;
    close(fd);
    free(b.buf);
    errno = saved;
    return rc;
}
