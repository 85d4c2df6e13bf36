/*
 * garp.h - who is told when that an address lives here now: gratuitous ARP and unsolicited neighbour
 * advertisements, their bursts, refreshes and spacing. Called by main.c, instance.c, addr_apply.c, link.c and
 * model.c.
 */
#ifndef HOLDFAST_IPVSD_GARP_H
#define HOLDFAST_IPVSD_GARP_H

#include "ipvsd/ipvsd.h"

int garp_open(struct ipvsd *d);
void garp_configure(struct ipvsd *d, const struct slice *s);
void garp_init_inst(struct inst *i);

void garp_master(struct ipvsd *d,
                 struct inst *i); /* it became MASTER, its addresses are in: everything is announced */
void garp_resume(struct ipvsd *d, struct inst *i); /* it was MASTER before we were born: only the clockwork */
void garp_lower(struct ipvsd *d, struct inst *i);  /* somebody of lower priority spoke */
void garp_again(struct ipvsd *d, struct inst *i);  /* on demand */
void garp_source(struct ipvsd *d, struct inst *i); /* what it sends adverts from, once: it was away */
void garp_added(struct ipvsd *d, struct vip *v);   /* an address joined or came back while MASTER */
void garp_usable(struct ipvsd *d, struct vip *v);  /* duplicate detection is over: pay what is owed */
void garp_returned(struct ipvsd *d, struct vip *v); /* its interface can announce (again) */

void garp_stop(struct ipvsd *d, struct inst *i);
void garp_clear(struct ipvsd *d, struct vip *v);
void garp_clear_iface(struct ipvsd *d, struct iface *i);
void garp_move(struct ipvsd *d, struct inst *from, struct inst *to);   /* clockwork, at reload */
void garp_move_vip(struct ipvsd *d, struct vip *from, struct vip *to); /* what is queued, at reload */
void garp_firsts(struct ipvsd *d); /* now, what has not been said at all */
void garp_flush(struct ipvsd *d);  /* end of a turn */

#endif
