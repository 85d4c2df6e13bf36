/*
 * route_apply.c - see route_apply.h. Only what the configuration names is ever put in; only what carries our
 * protocol, or was put in by us, is taken out.
 */
#include "ipvsd/route_apply.h"

#include <errno.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>

#include "common/compat.h"
#include "common/err.h"
#include "ipvsd/addr_apply.h"
#include "ipvsd/model.h"
#include "ipvsd/route_kernel.h"
#include "ipvsd/route_model.h"

static const char *route_owner(const struct route_entry *e)
{
    return e->inst->obj != NULL ? e->inst->obj->name : e->rule ? "static_rules" : "static_routes";
}

static bool route_wanted(const struct route_entry *e)
{
    return e->inst->state == VRRP_STATE_MASTER;
}

static bool route_shared(const struct ipvsd *d, const struct route_entry *e)
{
    for (struct route_entry *o = NULL; (o = route_model_slot(&d->model->routes, o, &e->want)) != NULL;)
        if (o != e && route_wanted(o) && route_fact_fulfils(&e->want, &o->want) &&
            route_fact_fulfils(&o->want, &e->want))
            return true;
    return false;
}

static void route_request(struct ipvsd *d, struct route_entry *e, bool add, bool orphan)
{
    struct nl_msg *m = route_model_msg(d, e, add);
    if (m != NULL && add && e->renew)
        nlmsg_hdr(m)->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
    if (m != NULL)
        addr_apply_route(d, orphan ? NULL : e, m, add);
    else if (errno != ENODEV)
        fatal("no memory for a netlink request");
}

void route_apply_dels(struct ipvsd *d, struct inst *i)
{
    if (!i->known && !d->synced)
        return;
    for (size_t n = i->nroutes; n-- > 0;) {
        struct route_entry *e = &i->routes[n];
        bool there = e->known ? e->present || e->renew : e->maimed;
        if (!(there || e->relict != NULL) || !e->ours || route_wanted(e) || route_shared(d, e))
            continue;
        if (e->relict != NULL)
            addr_apply_route(d, NULL, e->relict, false);
        e->relict = NULL;
        route_request(d, e, false, false);
    }
}

void route_apply_adds(struct ipvsd *d, struct inst *i)
{
    for (size_t n = 0; n < i->nroutes; n++) {
        struct route_entry *e = &i->routes[n];
        bool up = e->iface == NULL || (e->iface->flags & IFF_UP) != 0;
        if (!route_wanted(e) || e->present || e->abandoned || !e->known || !up)
            continue;
        if (e->repair.held_until > ev_now(d->ev))
            addr_apply_wake_at(d, e->repair.held_until);
        else
            route_request(d, e, true, false);
    }
}

void route_apply_orphan(struct ipvsd *d, struct route_entry *e)
{
    bool keep = child_keep_addresses(d->child) && d->stopping;
    if (!keep && e->ours && (route_wanted(e) || e->inst->known || d->succeeding))
        route_request(d, e, false, true);
}

void route_apply_forgive(struct inst *i)
{
    for (size_t n = 0; n < i->nroutes; n++) {
        i->routes[n].abandoned = i->routes[n].lost = false;
        i->routes[n].repair.held_until = 0;
    }
}

/* ---- answers
 * -------------------------------------------------------------------------------------------------------- */

static void route_failed(struct ipvsd *d, struct route_entry *e, bool add, int err)
{
    char text[128];
    bool say = repair_refused(&e->repair, ev_now(d->ev));
    addr_apply_wake_at(d, e->repair.held_until);
    route_model_text(e, text, sizeof text);
    if (say)
        log_err("%s: %s cannot be %s: %s; trying again every second", route_owner(e), text,
                add ? "added" : "removed", strerror(err));
}

/* Somebody took it away and it is back. */
static void route_repaired(struct ipvsd *d, struct route_entry *e)
{
    char text[128];
    e->lost = false;
    d->repairs++;
    repair_count(&e->repair, ev_now(d->ev));
    route_model_text(e, text, sizeof text);
    repair_say(&e->repair, ev_now(d->ev), route_owner(e), text);
}

void route_apply_answer(struct ipvsd *d, struct route_entry *e, bool add, int err)
{
    bool absent = err == ESRCH || err == ENOENT || err == ENODEV || err == ENETDOWN;
    if (e == NULL) {
        if (err != 0 && !absent)
            log_err("a route or rule that is no longer configured cannot be removed: %s", strerror(err));
        return;
    }
    if (!add && (err == 0 || absent)) {
        e->present = e->ours = e->renew = e->maimed = false;
        return;
    }
    if (!(err == 0 || (add && err == EEXIST))) { /* what is to be replaced still is there */
        route_failed(d, e, add, err);
        return;
    }
    e->renew = false;
    nlmsg_free(e->relict);
    e->relict = NULL;
    e->present = true;
    e->ours = e->ours || err == 0;
    if (e->lost && err == 0)
        route_repaired(d, e);
    e->lost = false;
}
