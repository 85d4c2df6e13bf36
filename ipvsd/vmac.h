/*
 * vmac.h - the private macvlans that carry virtual MACs: made before the sockets and addresses that need
 * them, taken over from a dead predecessor, made again when their interface comes back, removed at stop.
 * Called by main.c, link.c (news), sock.c and plan_dump.c.
 */
#ifndef HOLDFAST_IPVSD_VMAC_H
#define HOLDFAST_IPVSD_VMAC_H

#include <stdio.h>

#include "ipvsd/ipvsd.h"

struct vmacs *vmac_new(struct ipvsd *d);
void vmac_configure(struct ipvsd *d, const struct slice *now); /* links are known: makes what is missing */
void vmac_touch(struct ipvsd *d);                              /* a link came, went or came up */
/* The interface that was i is called name now: one that we made goes. */
void vmac_renamed(struct ipvsd *d, const struct iface *i, const char *name);
void vmac_turn(struct ipvsd *d); /* what news ask for; what nobody needs any more */
void vmac_stop(struct ipvsd *d); /* ours go, switches are put back */
/* False: a macvlan of the configuration that is not as it must be yet. Any other interface: true. */
bool vmac_usable(const struct iface *i);
/* Something else has the name of a macvlan of the configuration: that one is not there. */
bool vmac_taken(const struct ipvsd *d, const struct iface *i);
/* What a commit of next would do besides to the switches and to the tables of nft_vmac.h. */
void vmac_foresee(struct ipvsd *d, const struct slice *next, FILE *f);
void vmac_dump(const struct ipvsd *d, int fd);

#endif
