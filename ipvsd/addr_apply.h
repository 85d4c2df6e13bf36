/*
 * addr_apply.h - the one place where addresses are put into the kernel and taken out. What a turn gathered
 * leaves as one exchange. Called by main.c at the end of a turn, by model.c for addresses that are no longer
 * configured.
 */
#ifndef HOLDFAST_IPVSD_ADDR_APPLY_H
#define HOLDFAST_IPVSD_ADDR_APPLY_H

#include "ipvsd/ipvsd.h"

void addr_apply_init(struct ipvsd *d);
void addr_apply_orphan(struct ipvsd *d,
                       const struct vip *v); /* taken out with the next exchange, if it is ours */
void addr_apply(struct ipvsd *d);            /* brings every touched instance in line and reports inst_done */

#endif
