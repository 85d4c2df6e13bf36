/*
 * route_spec.h - one configured route line as the kernel wants to hear it: from slice objects (route, paths,
 * encapsulations) to a netlink request. Pure. The slice is trusted (checked when it was written). Called by
 * route_model.c and the unit test.
 */
#ifndef HOLDFAST_IPVSD_ROUTE_SPEC_H
#define HOLDFAST_IPVSD_ROUTE_SPEC_H

#include <stdint.h>

#include "common/addr.h"
#include "common/slice.h"

struct nl_msg;

struct route_spec {
    const struct slice *slice;
    const struct slice_obj *obj;
    uint8_t family; /* 4 or 6 */
    uint8_t type, scope, proto, tos;
    uint32_t table;
    struct ipaddr dst, src; /* src: of the packets; family 0: any */
    struct ipaddr prefsrc;
    bool no_track;
};

/* Interface and VRF names become numbers through these; 0: not there. */
struct route_names {
    uint32_t (*ifindex)(const char *name, void *arg);
    uint32_t (*vrf_table)(const char *name, void *arg);
    void *arg;
};

void route_spec_read(const struct slice *s, const struct slice_obj *o, struct route_spec *out);
/* add: RTM_NEWROUTE with all of it; else RTM_DELROUTE with what tells it from others. NULL, ENODEV: an
 * interface it names is not there; NULL, ENOMEM. */
struct nl_msg *route_spec_msg(const struct route_spec *r, bool add, const struct route_names *names);

#endif
