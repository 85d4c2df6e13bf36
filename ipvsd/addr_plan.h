/*
 * addr_plan.h - wanted against present: what is to be done about one address. Pure, the whole policy in one
 * place: nothing is flushed, nothing foreign is taken away. Called by addr_apply.c and the unit test.
 */
#ifndef HOLDFAST_IPVSD_ADDR_PLAN_H
#define HOLDFAST_IPVSD_ADDR_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum addr_op { ADDR_OP_NONE, ADDR_OP_ADD, ADDR_OP_DEL, ADDR_OP_REPLACE };

struct addr_case {
    bool wanted;      /* by this instance, or static */
    bool shared;      /* another instance or static entry wants the same address on the same interface */
    bool changed;     /* the configuration of this address changed since it was installed */
    bool present;     /* in the kernel */
    bool plen_equal;  /* present with the configured prefix length (IPv6 may differ) */
    bool ours;        /* this process put it there */
    bool owner;       /* priority 255: the address may be the interface's own */
    bool link_exists; /* the interface is there */
    bool link_up;     /* administratively */
    bool ipv6;
    bool held_back; /* repaired too often, failed a moment ago, or given up (no_track) */
    uint8_t proto;  /* of the present one, as the kernel tells it; 0: not told */
};

/* May it be taken out? Marked as ours, put in by us, or unmarked and exactly what the configuration names (a
 * kernel without marks, or left behind by a predecessor) - but not an owner's, which is the interface's own
 * address. */
bool addr_plan_removable(const struct addr_case *c);
enum addr_op addr_plan_decide(const struct addr_case *c);

#endif
