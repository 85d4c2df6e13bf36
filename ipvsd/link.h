/*
 * link.h - the monitor: links and addresses as they are, and the facts vrrpd may know. Trusts the kernel.
 * Called by main.c (drain and facts, at the end of a turn), model.c (which interfaces) and everyone who asks
 * for an interface.
 */
#ifndef HOLDFAST_IPVSD_LINK_H
#define HOLDFAST_IPVSD_LINK_H

#include "ipvsd/ipvsd.h"

void link_rcvbuf(struct ipvsd *d); /* as the configuration in force says */
int link_open(struct ipvsd *d);    /* sockets; -1 errno */
void link_configure(struct ipvsd *d,
                    const struct slice *s); /* names the interfaces; new ones: resync is set */
void link_forget_unnamed(struct ipvsd *d);  /* after every user has let go */
struct iface *link_find(struct ipvsd *d, const char *name);     /* NULL: not configured */
struct iface *link_by_index(struct ipvsd *d, uint32_t ifindex); /* NULL: not there or not ours */
void link_drain(struct ipvsd *d);                               /* reads all news */
void link_resync(struct ipvsd *d);                              /* dumps and compares */
void link_tell(struct ipvsd *d, bool all);  /* facts to vrrpd; all: also what it was told before */
bool link_announces(const struct iface *i); /* ARP and NA make sense on it */
struct ipaddr link_source(struct ipvsd *d, struct iface *i,
                          uint8_t family); /* primary / link-local; family 0: none */

#endif
