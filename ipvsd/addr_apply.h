/*
 * addr_apply.h - the one place where addresses are put into the kernel and taken out. What a turn gathered
 * leaves as one exchange. Called by main.c at the end of a turn, by model.c and link.c for addresses that are
 * no longer configured or whose interface has another name now, by route_apply.c for what travels with them.
 */
#ifndef HOLDFAST_IPVSD_ADDR_APPLY_H
#define HOLDFAST_IPVSD_ADDR_APPLY_H

#include "ipvsd/ipvsd.h"

struct nl_msg;

void addr_apply_init(struct ipvsd *d);
void addr_apply_orphan(struct ipvsd *d,
                       const struct vip *v); /* taken out with the next exchange, if it is ours */
/* A request of route_apply.c for the same exchange; e NULL: its answer is of no interest but for the log. */
void addr_apply_route(struct ipvsd *d, struct route_entry *e, struct nl_msg *m, bool add);
void addr_apply_wake_at(struct ipvsd *d, uint64_t when); /* something is held back until then */
void addr_apply(struct ipvsd *d); /* brings every touched instance in line and reports inst_done */

#endif
