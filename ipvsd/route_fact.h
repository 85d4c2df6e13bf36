/*
 * route_fact.h - what a netlink message says about a route or a rule, as far as it tells one from another.
 * What is wanted and what the kernel tells go through the same function and are compared as values. Pure, on
 * (buffer, length): the kernel is believed, its bytes are checked all the same. Called by route_model.c
 * (wanted), route_kernel.c (told), route_apply.c, the unit test and the fuzzer.
 */
#ifndef HOLDFAST_IPVSD_ROUTE_FACT_H
#define HOLDFAST_IPVSD_ROUTE_FACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <net/if.h>

#include "common/addr.h"

#define ROUTE_FACT_PATHS 16 /* those beyond are counted, not compared */

struct nlmsghdr;

struct route_path {
    struct ipaddr via; /* family 0: none */
    uint32_t oif;
    uint8_t hops; /* weight - 1 */
};

struct route_fact_rule {
    char iif[IFNAMSIZ], oif[IFNAMSIZ];
    uint32_t fwmark, fwmask, flow, suppress_plen, suppress_group, go_to, uid_first, uid_last;
    uint64_t tunnel;
    uint16_t sport[2], dport[2];
    uint8_t ipproto, l3mdev, invert;
};

struct route_fact {
    bool rule;
    uint8_t family, type, tos, proto; /* type: of the route, action of the rule */
    uint32_t table, priority;
    struct ipaddr dst, src; /* family 0: any */
    struct ipaddr prefsrc;
    size_t npaths;
    struct route_path path[ROUTE_FACT_PATHS];
    struct route_fact_rule r;
};

/* h: a whole message of type RTM_NEW/DELROUTE or RTM_NEW/DELRULE within its buffer. -1: not one we could
 * know. */
int route_fact_read(struct nlmsghdr *h, struct route_fact *out);
/* One slot of the kernel's table? What else is in it may differ. */
bool route_fact_same_slot(const struct route_fact *a, const struct route_fact *b);
uint32_t route_fact_hash(const struct route_fact *f); /* equal for one slot */
/* Is what the kernel has what is wanted? What want leaves open (interface, source) the kernel fills in. */
bool route_fact_fulfils(const struct route_fact *have, const struct route_fact *want);
/* Is it what IPv6 left of the wanted one? With an address it takes it out of the routes that have it for
 * their source, with an interface (or by a foreign hand) one path of several, and keeps the rest. */
bool route_fact_remains(const struct route_fact *have, const struct route_fact *want);

#endif
