/*
 * vmac_spec.h - a macvlan or ipvlan as the slice wants it, as netlink requests, and whether a link that is
 * there is it. Pure. Called by vmac.c and the unit test.
 */
#ifndef HOLDFAST_IPVSD_VMAC_SPEC_H
#define HOLDFAST_IPVSD_VMAC_SPEC_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"
#include "ipvsd/kevent.h"

struct nl_msg;

struct vmac_spec {
    char name[IFNAMSIZ], base[IFNAMSIZ];
    uint8_t mac[6];
    bool v4, v6;    /* addresses of these families will be on it */
    bool ipvlan;    /* no macvlan: it has the address of the interface below */
    uint16_t flags; /* an ipvlan's */
    bool grouped;
    uint32_t group;
};

enum vmac_fit {
    VMAC_FIT_YES,
    VMAC_FIT_MAC,   /* the right one, but for its address, or an ipvlan's flags */
    VMAC_FIT_OTHER, /* something else of this name */
};

int vmac_spec_read(const struct slice_obj *o, struct vmac_spec *out); /* -1: not what holdfast-conf writes */
bool vmac_spec_same(const struct vmac_spec *a, const struct vmac_spec *b);
enum vmac_fit vmac_spec_fit(const struct vmac_spec *s, uint32_t base, const struct kevent_macvlan *is,
                            const uint8_t *mac, uint8_t mac_len);

const char *vmac_spec_kind(const struct vmac_spec *s); /* "macvlan", "ipvlan" */
/* NULL: no memory. */
struct nl_msg *vmac_spec_create(const struct vmac_spec *s, uint32_t base);
/* What a request to raise changes besides. */
struct vmac_change {
    bool near; /* VMAC_FIT_MAC: that is put right */
    bool ours; /* it gets our mark */
    bool move; /* into this VRF, 0: out of any */
    uint32_t vrf;
};
struct nl_msg *vmac_spec_raise(const struct vmac_spec *s, uint32_t ifindex, const struct vmac_change *x);
struct nl_msg *vmac_spec_delete(uint32_t ifindex);

#endif
