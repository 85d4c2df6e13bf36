/*
 * addr_spec.h - one configured address line as the kernel wants to hear it: from slice object to value to
 * netlink request. The slice is trusted (checked when it was written). Called by model.c and addr_apply.c.
 */
#ifndef HOLDFAST_IPVSD_ADDR_SPEC_H
#define HOLDFAST_IPVSD_ADDR_SPEC_H

#include <stdint.h>

#include "common/addr.h"
#include "common/slice.h"

struct nl_msg;

struct addr_spec {
    struct ipaddr addr; /* plen: what the kernel is told (the peer's, when a peer has one) */
    struct ipaddr peer; /* family 0: none */
    struct ipaddr brd;  /* family 0: none */
    uint32_t flags;     /* IFA_F_ */
    uint32_t preferred; /* seconds, UINT32_MAX: for ever */
    uint8_t scope;
    const char *label; /* points into the slice; NULL: none */
};

int addr_spec_read(const struct slice_obj *o, struct addr_spec *out); /* -1: no address in it */

/* Requests; NULL: out of memory. */
struct nl_msg *addr_spec_add(const struct addr_spec *s, uint32_t ifindex);
struct nl_msg *addr_spec_del(const struct ipaddr *a, uint32_t ifindex);

#endif
