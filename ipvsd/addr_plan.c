/*
 * addr_plan.c - see addr_plan.h.
 */
#include "ipvsd/addr_plan.h"

#include "common/compat.h"

bool addr_plan_removable(const struct addr_case *c)
{
    return c->proto == COMPAT_PROTO_VRRP || c->ours || (c->proto == 0 && !c->owner);
}

enum addr_op addr_plan_decide(const struct addr_case *c)
{
    if (!c->link_exists)
        return ADDR_OP_NONE;
    if (!c->wanted)
        return c->present && !c->shared && addr_plan_removable(c) ? ADDR_OP_DEL : ADDR_OP_NONE;
    if (c->held_back)
        return ADDR_OP_NONE;
    /* The kernel drops IPv6 addresses with the link and would drop a new one again: they return with it. */
    if (!c->present)
        return c->ipv6 && !c->link_up ? ADDR_OP_NONE : ADDR_OP_ADD;
    if ((c->changed || !c->plen_equal) && addr_plan_removable(c))
        return ADDR_OP_REPLACE;
    return ADDR_OP_NONE;
}
