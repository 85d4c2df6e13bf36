/*
 * rule_spec.h - one configured policy rule as the kernel wants to hear it: from slice object to netlink
 * request. Pure. The slice is trusted. Called by route_model.c and the unit test.
 */
#ifndef HOLDFAST_IPVSD_RULE_SPEC_H
#define HOLDFAST_IPVSD_RULE_SPEC_H

#include <stdint.h>

#include "common/slice.h"

struct nl_msg;

#define RULE_FIRST_PREFERENCE 16384u /* of those that have none: counting down */

struct rule_spec {
    const struct slice_obj *obj;
    uint8_t family; /* 4 or 6 */
    uint8_t proto;
    uint32_t preference;
    bool no_track;
};

uint8_t rule_spec_family(const struct slice_obj *o);
/* spare: preference when the line has none. */
void rule_spec_read(const struct slice_obj *o, uint32_t spare, struct rule_spec *out);
struct nl_msg *rule_spec_msg(const struct rule_spec *r, bool add); /* NULL: out of memory */

#endif
