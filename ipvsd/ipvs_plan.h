/*
 * ipvs_plan.h - from what is wanted and what the kernel is known to hold to the operations between. Pure: it
 * changes neither. Within a service what helps comes first (new servers, higher weights), what takes away
 * last, so that a sorry server leaves only after servers are in and the other way round. Called by
 * ipvs_apply.c, ipvs_life.c, ipvs_read.c, plan_ipvs.c and the unit test.
 */
#ifndef HOLDFAST_IPVSD_IPVS_PLAN_H
#define HOLDFAST_IPVSD_IPVS_PLAN_H

#include "ipvsd/ipvs_model.h"

enum ipvs_op_kind {
    IPVS_OP_SVC_ADD,
    IPVS_OP_SVC_SET,
    IPVS_OP_SVC_DEL,
    IPVS_OP_DEST_ADD,
    IPVS_OP_DEST_SET,
    IPVS_OP_DEST_DEL,
    IPVS_OP_MAX
};

struct ipvs_op {
    enum ipvs_op_kind kind;
    struct ipvs_ks *ks; /* NULL: a service that is not configured (any more), by key */
    uint32_t slot;      /* of the server; IPVS_NONE: one that is not configured, by dkey */
    uint32_t by;        /* ADD, SET: the slot whose specification and weight are meant */
    union {
        struct ipvs_key key;
        struct ipvs_dkey dkey;
    };
};

struct ipvs_plan {
    struct ipvs_op *v;
    size_t n, cap;
};

/* What one slot shall be: nobody wants it in, or the specification of slot by with its weight. */
struct ipvs_want {
    bool in;
    uint32_t by, weight;
};
struct ipvs_want ipvs_plan_want(const struct ipvs_ks *ks, uint32_t canon);

/* The whole of a service that has been read. stale: servers it holds that nobody configured. */
void ipvs_plan_service(struct ipvs_plan *p, struct ipvs_ks *ks, const struct ipvs_dkey *stale, size_t nstale);
/* Only these slots of a service that is in the kernel. */
void ipvs_plan_slots(struct ipvs_plan *p, struct ipvs_ks *ks, const uint32_t *slot, size_t n);
/* Take a service of ours away, its servers first or with it. */
void ipvs_plan_remove(struct ipvs_plan *p, struct ipvs_ks *ks, bool servers_first);
void ipvs_plan_remove_key(struct ipvs_plan *p, const struct ipvs_key *key);
void ipvs_plan_free(struct ipvs_plan *p);

#endif
