/*
 * model.c - see model.h. Built aside from a slice (nothing anybody can see), then adopted: what has the same
 * natural key in the old and the new configuration keeps its state, so that an unchanged object costs no
 * kernel call.
 */
#include "ipvsd/model.h"

#include <stdlib.h>
#include <string.h>

#include "ipvsd/addr_apply.h"
#include "ipvsd/garp.h"
#include "ipvsd/link.h"
#include "ipvsd/route_kernel.h"
#include "ipvsd/route_model.h"
#include "ipvsd/sysctl.h"
#include "ipvsd/will.h"

#define MODEL_OWNER 255

const char *model_inst_name(const struct inst *i)
{
    return i->obj != NULL ? i->obj->name : "static_ipaddress";
}

bool model_wanted(const struct vip *v)
{
    return v->inst->state == VRRP_STATE_MASTER;
}

struct inst *model_inst(const struct model *m, uint32_t id)
{
    size_t lo = 0, hi = m != NULL ? m->ninsts : 0;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->insts[mid].id == id)
            return &m->insts[mid];
        if (m->insts[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

struct vip *model_vip(const struct model *m, const struct vip *prev, const struct iface *i,
                      const struct ipaddr *a)
{
    if (m == NULL)
        return NULL;
    struct vip *v =
        prev != NULL ? LIST_NEXT(prev, hash) : LIST_FIRST(&m->buckets[kaddr_hash(a) & (m->nbuckets - 1)]);
    while (v != NULL && !(v->iface == i && kaddr_same(&v->spec.addr, a)))
        v = LIST_NEXT(v, hash);
    return v;
}

void model_touch(struct ipvsd *d, struct inst *i)
{
    if (i->dirty)
        return;
    i->dirty = true;
    TAILQ_INSERT_TAIL(&d->dirty, i, next_dirty);
}

/* ---- building
 * ----------------------------------------------------------------------------------------------------- */

static int model_build_vips(const struct slice *s, struct inst *i, uint32_t parent, struct err *e)
{
    size_t n = 0;
    const struct slice_obj *o = NULL;
    while ((o = slice_next(s, o, BLK_ADDR, parent)) != NULL)
        n++;
    i->vips = n > 0 ? xcalloc(n, sizeof *i->vips) : NULL;
    while ((o = slice_next(s, o, BLK_ADDR, parent)) != NULL) {
        struct vip *v = &i->vips[i->nvips++];
        v->inst = i;
        v->obj = o;
        v->no_track = slice_bool(o, KW_ADDR_NO_TRACK, false);
        if (addr_spec_read(o, &v->spec) < 0)
            return err_set(e, "HF-INTERNAL", o->name, "address without an address in the slice");
    }
    return 0;
}

static void model_hash(struct model *m)
{
    size_t total = m->statics.nvips;
    for (size_t k = 0; k < m->ninsts; k++)
        total += m->insts[k].nvips;
    for (m->nbuckets = 16; m->nbuckets < total; m->nbuckets *= 2)
        ;
    m->buckets = xcalloc(m->nbuckets, sizeof *m->buckets);
    for (size_t k = 0; k <= m->ninsts; k++) {
        struct inst *i = k < m->ninsts ? &m->insts[k] : &m->statics;
        for (size_t n = 0; n < i->nvips; n++) {
            struct vip *v = &i->vips[n];
            LIST_INSERT_HEAD(&m->buckets[kaddr_hash(&v->spec.addr) & (m->nbuckets - 1)], v, hash);
        }
    }
}

static void model_build_routes(const struct slice *s, struct model *m)
{
    uint32_t *preferences = route_model_preferences(s);
    size_t n = 0;
    for (size_t k = 0; k <= m->ninsts; k++) {
        struct inst *i = k < m->ninsts ? &m->insts[k] : &m->statics;
        route_model_build(s, i, i->id, preferences);
        n += i->nroutes;
    }
    route_model_hash_init(&m->routes, n);
    free(preferences);
}

struct model *model_build(const struct slice *s, struct err *e)
{
    struct model *m = xcalloc(1, sizeof *m);
    const struct slice_obj *o = NULL;
    size_t n = 0;
    while ((o = slice_next(s, o, BLK_VI, SLICE_ANY_PARENT)) != NULL)
        n++;
    m->insts = xcalloc(n + 1, sizeof *m->insts);
    while ((o = slice_next(s, o, BLK_VI, SLICE_ANY_PARENT)) != NULL) {
        struct inst *i = &m->insts[m->ninsts++];
        i->obj = o;
        i->id = o->id;
        i->owner = slice_uint(o, KW_VI_PRIORITY, 0) == MODEL_OWNER;
        i->state = VRRP_STATE_INIT;
        i->rule = will_rule(s, o);
        garp_init_inst(i);
        if (model_build_vips(s, i, o->id, e) < 0) {
            model_free(m);
            return NULL;
        }
    }
    garp_init_inst(&m->statics);
    m->statics.state = VRRP_STATE_MASTER;
    m->statics.known = true;
    m->statics.owner = true; /* one that was there before us belongs to the host and stays at stop */
    if (model_build_vips(s, &m->statics, 0, e) < 0) {
        model_free(m);
        return NULL;
    }
    model_hash(m);
    model_build_routes(s, m);
    return m;
}

void model_free(struct model *m)
{
    if (m == NULL)
        return;
    for (size_t k = 0; k < m->ninsts; k++) {
        free(m->insts[k].vips);
        free(m->insts[k].will);
        route_model_free_inst(&m->insts[k]);
    }
    route_model_free_inst(&m->statics);
    route_model_free(&m->routes);
    free(m->statics.vips);
    free(m->insts);
    free(m->buckets);
    free(m);
}

/* ---- adopting
 * ------------------------------------------------------------------------------------------------------- */

static void model_resolve(struct ipvsd *d, struct inst *i)
{
    const char *dflt = i->obj != NULL ? slice_str(i->obj, KW_VI_INTERFACE, NULL) : NULL;
    i->d = d;
    for (size_t k = 0; k < i->nvips; k++) {
        struct vip *v = &i->vips[k];
        v->iface = link_find(d, slice_str(v->obj, KW_ADDR_DEV, dflt));
    }
}

static bool model_same_ip(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->family == b->family && (a->family == 0 || (a->plen == b->plen && ipaddr_same(a, b)));
}

/* Would the kernel hold the same thing? */
bool model_same_spec(const struct addr_spec *a, const struct addr_spec *b)
{
    return model_same_ip(&a->addr, &b->addr) && model_same_ip(&a->peer, &b->peer) &&
           model_same_ip(&a->brd, &b->brd) && a->flags == b->flags && a->preferred == b->preferred &&
           a->scope == b->scope &&
           strcmp(a->label != NULL ? a->label : "", b->label != NULL ? b->label : "") == 0;
}

static void model_move_vip(struct ipvsd *d, struct vip *from, struct vip *to)
{
    to->changed = from->changed || !model_same_spec(&from->spec, &to->spec);
    to->ours = from->ours;
    to->abandoned = from->abandoned && to->no_track;
    to->lost = from->lost;
    to->failed = from->failed;
    to->repair = from->repair;
    garp_move_vip(d, from, to);
    from->iface = NULL; /* taken over */
}

static void model_move_inst(struct ipvsd *d, const struct model *old, struct inst *from, struct inst *to)
{
    if (to->obj != NULL) {
        to->state = from->state;
        to->known = from->known;
        to->seq = from->seq;
        will_move(from, to);
        garp_move(d, from, to);
    }
    for (size_t k = 0; k < to->nvips; k++) {
        struct vip *v = &to->vips[k], *was = NULL;
        if (v->iface == NULL)
            continue;
        while ((was = model_vip(old, was, v->iface, &v->spec.addr)) != NULL && was->inst != from)
            ;
        if (was != NULL)
            model_move_vip(d, was, v);
    }
    route_model_move(from, to);
}

static int model_cmp_name(const void *a, const void *b)
{
    const struct inst *const *x = a, *const *y = b;
    return strcmp((*x)->obj->name, (*y)->obj->name);
}

static bool model_same_router(const struct inst *a, const struct inst *b)
{
    return slice_uint(a->obj, KW_VI_VIRTUAL_ROUTER_ID, 0) == slice_uint(b->obj, KW_VI_VIRTUAL_ROUTER_ID, 0) &&
           slice_uint(a->obj, KW_VI_X_FAMILY, 0) == slice_uint(b->obj, KW_VI_X_FAMILY, 0) &&
           strcmp(slice_str(a->obj, KW_VI_INTERFACE, ""), slice_str(b->obj, KW_VI_INTERFACE, "")) == 0;
}

/* The instances of a generation by name. Files change little: the next one is usually where the last one
 * was, and nothing need be sorted. */
struct model_names {
    struct model *m;
    struct inst **sorted; /* NULL: not needed so far */
    size_t hint;
};

static struct inst *model_by_name(struct model_names *n, const struct inst *key)
{
    struct model *m = n->m;
    if (n->hint < m->ninsts && strcmp(m->insts[n->hint].obj->name, key->obj->name) == 0)
        return &m->insts[n->hint++];
    if (m->ninsts == 0)
        return NULL;
    if (n->sorted == NULL) {
        n->sorted = xcalloc(m->ninsts, sizeof(struct inst *));
        for (size_t k = 0; k < m->ninsts; k++)
            n->sorted[k] = &m->insts[k];
        qsort(n->sorted, m->ninsts, sizeof(struct inst *), model_cmp_name);
    }
    struct inst **hit = bsearch(&key, n->sorted, m->ninsts, sizeof(struct inst *), model_cmp_name);
    if (hit != NULL)
        n->hint = (size_t)(*hit - m->insts) + 1;
    return hit != NULL ? *hit : NULL;
}

static void model_pair_by_name(struct model_names *names, struct model *m, bool same_router)
{
    for (size_t k = 0; k < m->ninsts; k++) {
        struct inst *i = &m->insts[k], *was = i->former == NULL ? model_by_name(names, i) : NULL;
        if (was == NULL || was->paired || (same_router && !model_same_router(was, i)))
            continue;
        was->paired = true;
        i->former = was;
    }
}

/* As vrrpd pairs them: by name and router, by router, by name. */
void model_pair(struct model *old, struct model *m)
{
    struct model_names names = { .m = old };
    for (size_t n = 0; n < old->ninsts; n++)
        old->insts[n].paired = false;
    for (size_t k = 0; k < m->ninsts; k++)
        m->insts[k].former = NULL;
    m->statics.former = &old->statics;
    model_pair_by_name(&names, m, true);
    for (size_t k = 0; k < m->ninsts; k++) {
        for (size_t n = 0; n < old->ninsts && m->insts[k].former == NULL; n++) {
            if (old->insts[n].paired || !model_same_router(&old->insts[n], &m->insts[k]))
                continue;
            old->insts[n].paired = true;
            m->insts[k].former = &old->insts[n];
        }
    }
    names.hint = 0;
    model_pair_by_name(&names, m, false);
    free(names.sorted);
}

static void model_match(struct ipvsd *d, struct model *old, struct model *m)
{
    model_pair(old, m);
    for (size_t k = 0; k <= m->ninsts; k++) {
        struct inst *i = k < m->ninsts ? &m->insts[k] : &m->statics;
        if (i->former != NULL)
            model_move_inst(d, old, i->former, i);
        i->former = NULL; /* gone in a moment */
    }
}

static void model_promote(struct ipvsd *d, const struct model *m, bool hold)
{
    for (size_t k = 0; k < m->ninsts; k++) {
        const struct inst *i = &m->insts[k];
        struct iface *f = link_find(d, slice_str(i->obj, KW_VI_INTERFACE, NULL));
        if (f != NULL && slice_bool(i->obj, KW_VI_PROMOTE_SECONDARIES, false))
            sysctl_promote(d, f, hold);
    }
}

/* The old generation lets go: clockwork off, addresses nobody names any more are taken out. */
static void model_retire(struct ipvsd *d, struct model *old, const struct model *m)
{
    for (size_t k = 0; k <= old->ninsts; k++) {
        struct inst *i = k < old->ninsts ? &old->insts[k] : &old->statics;
        if (i->dirty)
            TAILQ_REMOVE(&d->dirty, i, next_dirty);
        route_model_retire(d, &m->routes, i);
        for (size_t n = i->nvips; n-- > 0;) {
            struct vip *v = &i->vips[n];
            if (v->iface == NULL)
                continue;
            garp_clear(d, v);
            if (model_vip(m, NULL, v->iface, &v->spec.addr) == NULL)
                addr_apply_orphan(d, v);
        }
        garp_stop(d, i);
    }
}

void model_adopt(struct ipvsd *d, struct model *m)
{
    struct model *old = d->model;
    for (size_t k = 0; k < m->ninsts; k++)
        model_resolve(d, &m->insts[k]);
    model_resolve(d, &m->statics);
    for (size_t k = 0; k <= m->ninsts; k++)
        route_model_resolve(d, &m->routes, k < m->ninsts ? &m->insts[k] : &m->statics);
    model_promote(d, m, true);
    if (old != NULL) {
        model_match(d, old, m);
        model_promote(d, old, false);
        model_retire(d, old, m);
    }
    d->model = m;
    model_free(old);
    for (size_t k = 0; k < m->ninsts; k++)
        model_touch(d, &m->insts[k]);
    model_touch(d, &m->statics);
}
