/*
 * nft_accept_batch.h - the tables of no_accept as one transaction: whole, or what has changed in them. Pure:
 * values in, bytes out. Called by nft_accept.c. The layout is the incumbent's, so that rules of others that
 * speak of it go on to work:
 *
 *   table ip NAME  { set vips { ADDR }
 *     chain in  { filter hook input;  ip daddr @vips drop }    chain out { filter hook output; ip saddr ... }
 * } table ip6 NAME { the same, behind: icmpv6 type @neighbor-discovery accept ip6 daddr fe80::/10 goto
 * in_link_local { ip6 daddr . iif @vips_link_local drop } }
 */
#ifndef HOLDFAST_IPVSD_NFT_ACCEPT_BATCH_H
#define HOLDFAST_IPVSD_NFT_ACCEPT_BATCH_H

#include "ipvsd/nft_accept_plan.h"
#include "ipvsd/nft_msg.h"

/* The tables with every element that is needed take the place of what there is. gone: tables of this name go
 * too (may be NULL, may be sh's). sh of no family: nothing comes. */
void nft_accept_build(struct nft_msgs *b, uint32_t seq, const char *gone, const struct nft_accept_shape *sh,
                      const struct nft_accept_elems *e);
/* Only what comes (up), or what goes (a move is one of both, and up). Returns how many. */
size_t nft_accept_change(struct nft_msgs *b, uint32_t seq, const struct nft_accept_shape *sh,
                         const struct nft_accept_elems *e, bool up);

#endif
