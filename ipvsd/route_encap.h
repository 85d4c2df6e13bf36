/*
 * route_encap.h - the light-weight tunnel of a route or of one of its paths as netlink attributes. Pure.
 * Called by route_spec.c.
 */
#ifndef HOLDFAST_IPVSD_ROUTE_ENCAP_H
#define HOLDFAST_IPVSD_ROUTE_ENCAP_H

#include "common/slice.h"

struct nl_msg;

int route_encap_put(struct nl_msg *m, const struct slice_obj *o); /* o: BLK_ENCAP; -1: no room */

#endif
