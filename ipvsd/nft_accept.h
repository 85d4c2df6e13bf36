/*
 * nft_accept.h - no_accept in the kernel: packets to and from the virtual addresses of a MASTER that does not
 * accept are dropped, but neighbour discovery (ARP is none of it). An address goes in after its element and
 * its element out after the address, in every life of this process: until somebody has said what an instance
 * is, its addresses count as needed. While the tables do not stand, no such address is put in, and vrrpd is
 * told (guard) so that the instance waits in FAULT. Called by main.c, addr_apply.c and plan_dump.c.
 */
#ifndef HOLDFAST_IPVSD_NFT_ACCEPT_H
#define HOLDFAST_IPVSD_NFT_ACCEPT_H

#include "ipvsd/ipvsd.h"
#include "ipvsd/nft_accept_plan.h"

struct nft_accept;

struct nft_accept *nft_accept_new(struct ipvsd *d);
/* After the model has been adopted, before its addresses are looked at. */
void nft_accept_configure(struct nft_accept *n, const struct slice *now);
void nft_accept_tell(struct nft_accept *n, struct chan *ch); /* to a new vrrpd or generation */

void nft_accept_raise(struct nft_accept *n, struct inst *i); /* before its addresses go in, then flush(up) */
void nft_accept_lower(struct nft_accept *n, struct inst *i); /* after they went out, then flush(!up) */
void nft_accept_flush(struct nft_accept *n, bool up);
bool nft_accept_holds(const struct nft_accept *n, const struct vip *v); /* it may be put in */

/* What stands in the kernel now; a shape of no family: nothing does. */
const struct nft_accept_elems *nft_accept_standing(const struct nft_accept *n, struct nft_accept_shape *out);
void nft_accept_stop(struct nft_accept *n); /* the tables go: the addresses have gone */
void nft_accept_dump(const struct nft_accept *n, int fd);

#endif
