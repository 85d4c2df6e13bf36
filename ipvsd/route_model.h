/*
 * route_model.h - virtual and static routes and rules as the model holds them, and their identity across
 * generations. Called by model.c (build, adopt), route_kernel.c, route_apply.c and plan_dump.c.
 */
#ifndef HOLDFAST_IPVSD_ROUTE_MODEL_H
#define HOLDFAST_IPVSD_ROUTE_MODEL_H

#include "ipvsd/ipvsd.h"
#include "ipvsd/route_fact.h"
#include "ipvsd/route_spec.h"
#include "ipvsd/rule_spec.h"

/* A route or a rule of the configuration. */
struct route_entry {
    struct inst *inst;
    const struct slice_obj *obj;
    bool rule;
    union {
        struct route_spec route;
        struct rule_spec policy;
    };
    struct iface *iface;    /* a route's own dev; NULL: none */
    struct route_fact want; /* as the kernel will tell it */
    bool known;             /* want is: every interface it names is there */
    uint64_t digest;        /* of the configuration: the same entry in another generation */
    bool no_track, present, ours, abandoned, lost, seen, remains, taken;
    bool renew;  /* what the kernel has in this slot is of the former generation, or what is left of this */
    bool maimed; /* IPv6, an interface of its paths is gone: the other paths still are in the kernel */
    struct nl_msg
        *relict; /* renew: takes out the former generation's, should this one not be put in its place */
    struct repair repair;
    LIST_ENTRY(route_entry) hash;
};
LIST_HEAD(route_bucket, route_entry);

uint32_t *route_model_preferences(const struct slice *s); /* by slice_index, for rules that have none */
void route_model_build(const struct slice *s, struct inst *i, uint32_t parent, const uint32_t *preferences);
void route_model_free_inst(struct inst *i);
void route_model_hash_init(struct route_model *m, size_t n);
void route_model_free(struct route_model *m);
void route_model_resolve(struct ipvsd *d, struct route_model *m, struct inst *i); /* interfaces to numbers */
void route_model_move(struct inst *from, struct inst *to);
/* The old generation lets go of what no longer is configured. */
void route_model_retire(struct ipvsd *d, const struct route_model *m, struct inst *i);
/* Next entry in this slot; prev NULL begins. */
struct route_entry *route_model_slot(const struct route_model *m, const struct route_entry *prev,
                                     const struct route_fact *f);
struct nl_msg *route_model_msg(struct ipvsd *d, const struct route_entry *e, bool add); /* NULL errno */
void route_model_text(const struct route_entry *e, char *buf, size_t size);

#endif
