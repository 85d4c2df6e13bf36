/*
 * nft_vmac.h - what macvlans must not say themselves: membership reports from the virtual MAC would teach
 * switches that it lives at the port of a backup, so they leave by the interface below (two nftables tables
 * of their own, keepalived_vmac; nftables NAME makes it NAME_vmac, for two daemons in one namespace). The
 * bytes are made purely; sending is separate. Called by vmac.c.
 */
#ifndef HOLDFAST_IPVSD_NFT_VMAC_H
#define HOLDFAST_IPVSD_NFT_VMAC_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"
#include "ipvsd/nft_msg.h"

#define NFT_VMAC_NAME 80 /* the schema's 63 letters and ours */

struct nft_vmac_pair {
    uint32_t vmac, base; /* ifindexes */
};

/* nftables, nftables_priority and nftables_counters. */
struct nft_vmac_form {
    char table[NFT_VMAC_NAME];
    int32_t priority;
    bool counters;
};
bool nft_vmac_form_read(struct nft_vmac_form *form, const struct slice *s); /* true: it is another one */

/* One transaction: the tables with these pairs take the place of those before; n 0: they go. */
void nft_vmac_build(struct nft_msgs *b, uint32_t seq, const struct nft_vmac_form *form,
                    const struct nft_vmac_pair *pairs, size_t n);
/* -1 errno: the kernel has changed nothing. */
int nft_vmac_apply(const struct nft_vmac_form *form, const struct nft_vmac_pair *pairs, size_t n);

#endif
