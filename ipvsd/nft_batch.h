/*
 * nft_batch.h - the nftables tables of nftables_ipvs as netlink messages: one transaction, all of it or
 * nothing. Pure: values in, bytes out, through libnftnl. Called by nft_ipvs.c.
 *
 *   table ip NAME { map tcp_map { ADDR . PORT : mark } ...  chain in { filter hook input; daddr . dport map
 * @tcp_map } }
 */
#ifndef HOLDFAST_IPVSD_NFT_BATCH_H
#define HOLDFAST_IPVSD_NFT_BATCH_H

#include <stdint.h>

#include "ipvsd/nft_marks.h"
#include "ipvsd/nft_msg.h"

/* seq: of the first message. gone: a table of this name goes (may be NULL). m NULL or off: nothing comes. */
void nft_batch_build(struct nft_msgs *b, uint32_t seq, const char *gone, const struct nft_marks *m);

#endif
