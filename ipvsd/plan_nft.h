/*
 * plan_nft.h - what a commit would do to our nftables tables, a line a step: tables that come, go or are put
 * in anew, elements by their sets. Pure but for the stream. A value that changes is written "WHAT\tOLD\tNEW".
 * Called by plan_dump.c and the unit test.
 */
#ifndef HOLDFAST_IPVSD_PLAN_NFT_H
#define HOLDFAST_IPVSD_PLAN_NFT_H

#include <stdio.h>

#include "ipvsd/nft_accept_plan.h"
#include "ipvsd/nft_marks.h"

/* shape: families of what stands now, none: nothing. next: with the families that will be. need: sealed,
 * every element that will be in. */
void plan_nft_accept(FILE *f, const struct nft_accept_shape *shape, const struct nft_accept_elems *now,
                     const struct nft_accept_shape *next, const struct nft_accept_elems *need);
/* table: what stands now, "": nothing. now and next may be off. */
void plan_nft_marks(FILE *f, const char *table, const struct nft_marks *now, const struct nft_marks *next);

#endif
