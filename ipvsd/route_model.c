/* route_model.c - see route_model.h. */
#include "ipvsd/route_model.h"

#include <errno.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/compat.h"
#include "common/err.h"
#include "common/hash.h"
#include "ipvsd/link.h"
#include "ipvsd/model.h"
#include "ipvsd/route_apply.h"
#include "ipvsd/route_kernel.h"

/* ---- building
 * ----------------------------------------------------------------------------------------------------- */

uint32_t *route_model_preferences(const struct slice *s)
{
    uint32_t *p = xcalloc(slice_count(s) + 1, sizeof *p);
    uint32_t next[2] = { RULE_FIRST_PREFERENCE, RULE_FIRST_PREFERENCE };
    for (const struct slice_obj *o = NULL; (o = slice_next(s, o, BLK_RULE, SLICE_ANY_PARENT)) != NULL;)
        if (!slice_has(o, KW_RULE_PREFERENCE))
            p[slice_index(s, o)] = next[rule_spec_family(o) == 6]--;
    return p;
}

static uint64_t route_digest(const struct slice *s, const struct slice_obj *o, uint64_t h)
{
    static const enum blk parts[] = { BLK_NEXTHOP, BLK_ENCAP };
    uint32_t blk = (uint32_t)o->blk;
    h = hash_bytes(h, &blk, sizeof blk);
    h = hash_bytes(h, o->body, o->body_len);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (const struct slice_obj *in = NULL; (in = slice_next(s, in, parts[i], o->id)) != NULL;)
            h = route_digest(s, in, h);
    return h;
}

static void route_build_one(const struct slice *s, struct inst *i, const struct slice_obj *o, uint32_t spare)
{
    struct route_entry *e = &i->routes[i->nroutes++];
    e->inst = i;
    e->obj = o;
    e->rule = o->blk == BLK_RULE;
    e->digest = route_digest(s, o, HASH_START ^ spare);
    if (e->rule)
        rule_spec_read(o, spare, &e->policy);
    else
        route_spec_read(s, o, &e->route);
    e->no_track = e->rule ? e->policy.no_track : e->route.no_track;
}

void route_model_build(const struct slice *s, struct inst *i, uint32_t parent, const uint32_t *preferences)
{
    size_t n = 0;
    const struct slice_obj *o = NULL;
    while ((o = slice_next(s, o, BLK_ROUTE, parent)) != NULL)
        n++;
    while ((o = slice_next(s, o, BLK_RULE, parent)) != NULL)
        n++;
    i->routes = n > 0 ? xcalloc(n, sizeof *i->routes) : NULL;
    while ((o = slice_next(s, o, BLK_ROUTE, parent)) != NULL)
        route_build_one(s, i, o, 0);
    while ((o = slice_next(s, o, BLK_RULE, parent)) != NULL)
        route_build_one(s, i, o, preferences[slice_index(s, o)]);
}

void route_model_free_inst(struct inst *i)
{
    for (size_t k = 0; k < i->nroutes; k++)
        nlmsg_free(i->routes[k].relict);
    free(i->routes);
    i->routes = NULL;
    i->nroutes = 0;
}

void route_model_hash_init(struct route_model *m, size_t n)
{
    m->n = n;
    for (m->nbuckets = 16; m->nbuckets < n; m->nbuckets *= 2)
        ;
    m->buckets = xcalloc(m->nbuckets, sizeof *m->buckets);
}

void route_model_free(struct route_model *m)
{
    free(m->buckets);
    memset(m, 0, sizeof *m);
}

struct route_entry *route_model_slot(const struct route_model *m, const struct route_entry *prev,
                                     const struct route_fact *f)
{
    if (m->buckets == NULL)
        return NULL;
    struct route_entry *e = prev != NULL ? LIST_NEXT(prev, hash)
                                         : LIST_FIRST(&m->buckets[route_fact_hash(f) & (m->nbuckets - 1)]);
    while (e != NULL && !route_fact_same_slot(&e->want, f))
        e = LIST_NEXT(e, hash);
    return e;
}

/* ---- the kernel's numbers
 * ------------------------------------------------------------------------------------------- */

static uint32_t route_ifindex(const char *name, void *arg)
{
    const struct iface *i = link_find(arg, name);
    return i != NULL ? i->ifindex : 0;
}

static uint32_t route_vrf(const char *name, void *arg)
{
    return route_kernel_vrf(arg, name);
}

struct nl_msg *route_model_msg(struct ipvsd *d, const struct route_entry *e, bool add)
{
    const struct route_names names = { .ifindex = route_ifindex, .vrf_table = route_vrf, .arg = d };
    return e->rule ? rule_spec_msg(&e->policy, add) : route_spec_msg(&e->route, add, &names);
}

/* An interface of its paths is gone. IPv4 lets go of such a route, IPv6 of the path. */
static bool route_is_parted(const struct route_entry *e)
{
    return !e->rule && e->route.family == 6 && (e->present || e->renew) && e->want.npaths > 1;
}

/* Its interface may be another one than before, or gone: what it was in the kernel is found by a dump. */
void route_model_resolve(struct ipvsd *d, struct route_model *m, struct inst *i)
{
    for (size_t k = 0; k < i->nroutes; k++) {
        struct route_entry *e = &i->routes[k];
        struct nl_msg *msg = route_model_msg(d, e, true);
        if (e->known)
            LIST_REMOVE(e, hash);
        e->known = msg != NULL && route_fact_read(nlmsg_hdr(msg), &e->want) == 0;
        if (!e->rule)
            e->iface = link_find(d, slice_str(e->obj, KW_ROUTE_DEV, NULL));
        e->maimed = !e->known && (e->maimed || route_is_parted(e));
        if (e->known)
            LIST_INSERT_HEAD(&m->buckets[route_fact_hash(&e->want) & (m->nbuckets - 1)], e, hash);
        else
            e->present = e->renew = false;
        nlmsg_free(msg);
    }
}

void route_model_text(const struct route_entry *e, char *buf, size_t size)
{
    if (e->rule)
        snprintf(buf, size, "rule of preference %u", e->policy.preference);
    else
        snprintf(buf, size, "route to %s", e->obj->name);
}

/* ---- reload
 * ----------------------------------------------------------------------------------------------------------
 */

static void route_take_over(struct route_entry *was, struct route_entry *e)
{
    e->present = was->present;
    e->ours = was->ours;
    e->renew = was->renew;
    e->relict = was->relict;
    was->relict = NULL;
    e->maimed = was->maimed;
    e->abandoned = was->abandoned;
    e->lost = was->lost;
    e->repair = was->repair;
    was->taken = true;
}

/* Mostly the same ones in the same order. */
void route_model_move(struct inst *from, struct inst *to)
{
    size_t next = 0;
    for (size_t k = 0; k < to->nroutes; k++)
        for (size_t n = 0; n < from->nroutes; n++) {
            size_t at = (next + n) % from->nroutes;
            struct route_entry *was = &from->routes[at];
            if (was->taken || was->digest != to->routes[k].digest)
                continue;
            route_take_over(was, &to->routes[k]);
            next = at + 1;
            break;
        }
}

/* What tells two routes apart in a slot (route_fact) is less than what a line may say of one: its metrics,
 * its source, its encapsulation. The same in the kernel is only what is asked for in the same bytes. */
static bool route_same_request(struct ipvsd *d, const struct route_entry *a, const struct route_entry *b)
{
    struct nl_msg *m[2] = { route_model_msg(d, a, true), route_model_msg(d, b, true) };
    const struct nlmsghdr *h[2] = { m[0] != NULL ? nlmsg_hdr(m[0]) : NULL,
                                    m[1] != NULL ? nlmsg_hdr(m[1]) : NULL };
    bool same = h[0] != NULL && h[1] != NULL && h[0]->nlmsg_len == h[1]->nlmsg_len &&
                memcmp(h[0], h[1], h[0]->nlmsg_len) == 0;
    nlmsg_free(m[0]);
    nlmsg_free(m[1]);
    return same;
}

/* Of two generations' IPv6 routes in one slot nobody can tell which one a dead predecessor left: a path of
 * the one may be a path of the other. The new one is put in its place, whatever is there. False: there is
 * none. IPv4 takes away nothing but what is asked for. */
static bool route_renew(struct ipvsd *d, const struct route_model *m, const struct route_entry *e)
{
    bool shares = !e->rule && e->route.family == 6;
    struct route_entry *heir = shares ? route_model_slot(m, NULL, &e->want) : NULL;
    if (heir == NULL || route_model_slot(m, heir, &e->want) != NULL)
        return false;
    heir->renew = heir->ours = true;
    nlmsg_free(heir->relict);
    heir->relict = route_model_msg(d, e, false);
    return true;
}

void route_model_retire(struct ipvsd *d, const struct route_model *m, struct inst *i)
{
    for (size_t k = i->nroutes; k-- > 0;) {
        struct route_entry *e = &i->routes[k], *heir = NULL;
        bool whole = e->present && e->known;
        if (e->taken || !(whole || e->renew || e->maimed))
            continue;
        while (
            whole && (heir = route_model_slot(m, heir, &e->want)) != NULL &&
            !(route_fact_fulfils(&e->want, &heir->want) && !heir->present && route_same_request(d, e, heir)))
            ;
        if (heir != NULL) /* moved to another instance; who does not want it takes it out */
            heir->present = heir->ours = true;
        else if (!d->succeeding || !route_renew(d, m, e))
            route_apply_orphan(d, e);
    }
}
