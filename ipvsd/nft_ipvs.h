/*
 * nft_ipvs.h - nftables_ipvs in the kernel: the tables that put a group's mark on its packets. Made and
 * changed in one transaction; a successor of a dead ipvsd that wants the same leaves them alone; what others
 * tear down comes back. Called by main.c, plan_dump.c and ipvs_life.c, which takes the marks to ipvs_model.c.
 */
#ifndef HOLDFAST_IPVSD_NFT_IPVS_H
#define HOLDFAST_IPVSD_NFT_IPVS_H

#include "ipvsd/nft_marks.h"

struct ipvsd;
struct nft_ipvs;

struct nft_ipvs *nft_ipvs_new(struct ipvsd *d);
/* The marks of the next configuration, built aside: start and prepare. Ours until commit or abort. */
const struct nft_marks *nft_ipvs_prepare(struct nft_ipvs *n, const struct slice *next);
void nft_ipvs_commit(struct nft_ipvs *n); /* in force, and into the kernel */
void nft_ipvs_abort(struct nft_ipvs *n);
/* Between prepare and commit; table: what is in the kernel, "" nothing. False: nothing is prepared. */
bool nft_ipvs_foresee(const struct nft_ipvs *n, const char **table, const struct nft_marks **now,
                      const struct nft_marks **next);
void nft_ipvs_stop(struct nft_ipvs *n); /* the tables go */
void nft_ipvs_dump(const struct nft_ipvs *n, int fd);

#endif
