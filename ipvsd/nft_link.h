/*
 * nft_link.h - two sockets to nftables: one for transactions, one that hears what others do to our tables.
 * Called by nft_ipvs.c and nft_accept.c; only the kernel speaks on them.
 */
#ifndef HOLDFAST_IPVSD_NFT_LINK_H
#define HOLDFAST_IPVSD_NFT_LINK_H

#include "common/ev.h"
#include "ipvsd/netlink.h"
#include "ipvsd/nft_msg.h"

struct nft_link {
    struct ev *ev;
    struct nlsock cmd, mon;
    struct ev_io *news;
    bool open;
};

/* What others did to a table. */
struct nft_link_news {
    bool hurt;    /* something was taken out */
    bool lost;    /* news were lost: nobody knows */
    uint32_t who; /* with hurt: the port id of who did it */
};

/* Takes both descriptors over; one may be -1 with errno. -1 errno: nothing is open. */
int nft_link_open(struct nft_link *l, int cmd, int mon, ev_io_fn *fn, void *arg);
void nft_link_close(struct nft_link *l);
/* Frees b. -1 errno: the kernel has changed nothing. */
int nft_link_send(struct nft_link *l, struct nft_msgs *b);
/* Reads all there is. */
struct nft_link_news nft_link_read(struct nft_link *l, const char *table);

#endif
