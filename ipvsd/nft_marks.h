/*
 * nft_marks.h - nftables_ipvs: which groups are served by one firewall mark instead of a service for each
 * member, and which packets get that mark. Pure: a slice in, values out. Called by nft_ipvs.c, plan_nft.c,
 * and by ipvs_model.c, which makes the one service of the mark.
 */
#ifndef HOLDFAST_IPVSD_NFT_MARKS_H
#define HOLDFAST_IPVSD_NFT_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define NFT_MARKS_TABLE "keepalived_ipvs" /* as the incumbent calls it when the file does not */

/* A virtual_server of a group that is mapped. */
struct nft_mark {
    char *name; /* of the virtual_server, its natural key */
    uint32_t mark;
    uint8_t protocol;
    bool has[2]; /* members of IPv4, of IPv6: each has a service of its own */
};

/* Packets to these addresses and ports get this mark. Host order. */
struct nft_range {
    uint8_t protocol;
    struct ipaddr first, last;
    uint16_t port_first, port_last;
    uint32_t mark;
    uint32_t order; /* in the file */
};

struct nft_marks {
    bool on;
    bool counters;
    int32_t priority; /* of the chain */
    uint32_t start;   /* first mark handed out */
    char table[64];
    struct nft_mark *v;
    size_t n;
    struct nft_range *ranges; /* none overlaps another of its protocol */
    size_t nranges;
    size_t dropped; /* ranges that would have overlapped an earlier one */
    size_t left;    /* groups for which no mark was left */
};

/* prev (may be NULL): who had a mark keeps it, so that a reload cuts no connection. */
struct nft_marks *nft_marks_build(const struct slice *s, const struct nft_marks *prev);
void nft_marks_free(struct nft_marks *m);
/* NULL: not mapped; its members are services of their own. m may be NULL. */
const struct nft_mark *nft_marks_find(const struct nft_marks *m, const char *vs);
/* Of everything that reaches the kernel. */
uint64_t nft_marks_digest(const struct nft_marks *m);

#endif
