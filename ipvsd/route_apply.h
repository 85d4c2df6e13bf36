/*
 * route_apply.h - routes and rules into the kernel and out of it, in the exchange of the addresses: out
 * before addresses go, in once they are there. Called by addr_apply.c, by instance.c, and by route_model.c
 * for what is no longer configured.
 */
#ifndef HOLDFAST_IPVSD_ROUTE_APPLY_H
#define HOLDFAST_IPVSD_ROUTE_APPLY_H

#include "ipvsd/ipvsd.h"

struct route_entry;

void route_apply_dels(struct ipvsd *d, struct inst *i);
void route_apply_adds(struct ipvsd *d, struct inst *i);
void route_apply_orphan(struct ipvsd *d, struct route_entry *e);
void route_apply_answer(struct ipvsd *d, struct route_entry *e, bool add, int err); /* e NULL: an orphan */
void route_apply_forgive(struct inst *i); /* its state changed: what was held back or given up counts again */

#endif
