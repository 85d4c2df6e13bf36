/*
 * nft_batch.h - the nftables tables of nftables_ipvs as netlink messages: one transaction, all of it or
 * nothing. Pure: values in, bytes out, through libnftnl. Called by nft_ipvs.c.
 *
 *   table ip NAME { map tcp_map { ADDR . PORT : mark } ...  chain in { filter hook input; daddr . dport map
 * @tcp_map } }
 */
#ifndef HOLDFAST_IPVSD_NFT_BATCH_H
#define HOLDFAST_IPVSD_NFT_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "ipvsd/nft_marks.h"

struct nft_batch {
    uint8_t *buf;
    size_t len, cap;
    uint32_t seq;      /* of the next message */
    uint32_t last_seq; /* of the one that is acknowledged: everything before it has been done then */
};

/* seq: of the first message. gone: a table of this name goes (may be NULL). m NULL or off: nothing comes. */
void nft_batch_build(struct nft_batch *b, uint32_t seq, const char *gone, const struct nft_marks *m);
void nft_batch_free(struct nft_batch *b);

/* Is there a table of this name? One request, acknowledged. */
void nft_batch_ask(struct nft_batch *b, uint32_t seq, uint16_t family, const char *table);

/* News of the kernel (NFNLGRP_NFTABLES): does a message say that somebody else than portid took something out
 * of this table? buf is aligned for a netlink header. */
bool nft_batch_hurts(void *buf, size_t len, const char *table, uint32_t portid);

#endif
