/*
 * garp_space.h - how close together announcements may leave: vrrp_garp_interval and vrrp_gna_interval for
 * each physical interface (its macvlans share it), garp_group for several interfaces together. Called by
 * garp.c.
 */
#ifndef HOLDFAST_IPVSD_GARP_SPACE_H
#define HOLDFAST_IPVSD_GARP_SPACE_H

#include "ipvsd/ipvsd.h"

void garp_space_configure(struct ipvsd *d, const struct slice *s); /* after link_configure */
/* May interface i send one now? False: not yet, and *wake is when, if that is sooner. */
bool garp_space_free(const struct iface *i, enum garp_kind kind, uint64_t now, uint64_t *wake);
void garp_space_used(struct iface *i, enum garp_kind kind, uint64_t now);

#endif
