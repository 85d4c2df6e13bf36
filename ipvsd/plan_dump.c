/* plan_dump.c - see plan_dump.h: addresses, routes, rules, interfaces, sockets, and (with
 * what their owners foresee) switches, sync daemons and nftables. */
#include "ipvsd/plan_dump.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipvsd/ipvsd.h"
#include "ipvsd/link.h"
#include "ipvsd/model.h"
#include "ipvsd/nft_accept.h"
#include "ipvsd/nft_ipvs.h"
#include "ipvsd/plan_nft.h"
#include "ipvsd/route_model.h"
#include "ipvsd/syncd.h"
#include "ipvsd/sysctl.h"
#include "ipvsd/vmac.h"

struct plan_walk {
    struct ipvsd *d;
    const struct slice *now, *next;
    FILE *f;
};

/* ---- who is who */

/* As vrrpd will see it: anything else makes it start over. */
static bool plan_same_router(const struct inst *a, const struct inst *b)
{
    static const enum kw numbers[] = { KW_VI_VIRTUAL_ROUTER_ID, KW_VI_X_FAMILY };
    static const enum kw texts[] = { KW_VI_INTERFACE, KW_VI_X_SOCKET, KW_VI_X_VMAC };
    if (a->obj == NULL || b->obj == NULL)
        return a->obj == b->obj;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (slice_uint(a->obj, numbers[i], 0) != slice_uint(b->obj, numbers[i], 0))
            return false;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(slice_str(a->obj, texts[i], ""), slice_str(b->obj, texts[i], "")) != 0)
            return false;
    return true;
}

static const struct inst *plan_inst(const struct model *m, size_t k)
{
    return k < m->ninsts ? &m->insts[k] : &m->statics;
}

/* It is MASTER and goes on. */
static bool plan_goes_on(const struct inst *i)
{
    return i->former != NULL && i->former->state == VRRP_STATE_MASTER && plan_same_router(i->former, i);
}

/* ---- addresses */

static const char *plan_dev(const struct vip *v)
{
    return slice_str(v->obj, KW_ADDR_DEV,
                     v->inst->obj != NULL ? slice_str(v->inst->obj, KW_VI_INTERFACE, "") : "");
}

/* Any address line of m that means the same one; of inst (NULL: of anybody). */
static const struct vip *plan_vip(const struct model *m, const struct inst *inst, const struct vip *v)
{
    struct vip *o;
    LIST_FOREACH (o, &m->buckets[kaddr_hash(&v->spec.addr) & (m->nbuckets - 1)], hash)
        if ((inst == NULL || o->inst == inst) && kaddr_same(&o->spec.addr, &v->spec.addr) &&
            strcmp(plan_dev(o), plan_dev(v)) == 0)
            return o;
    return NULL;
}

static bool plan_held(const struct plan_walk *w, const struct vip *v)
{
    const struct iface *i = link_find(w->d, plan_dev(v));
    return i != NULL && i->ifindex != 0 && kaddr_find(&w->d->links.addrs, i->ifindex, &v->spec.addr) != NULL;
}

static void plan_address(const struct plan_walk *w, const char *verb, const struct vip *v, const char *why)
{
    char text[IPADDR_STRLEN];
    fprintf(w->f, "%s address %s on %s (%s%s)\n", verb, ipaddr_prefix_str(&v->spec.addr, text), plan_dev(v),
            model_inst_name(v->inst), why);
}

static void plan_new_addresses(const struct plan_walk *w, const struct inst *i, const struct inst *was)
{
    bool on = plan_goes_on(i);
    for (size_t n = 0; n < i->nvips; n++) {
        const struct vip *v = &i->vips[n], *old = was != NULL ? plan_vip(w->d->model, was, v) : NULL;
        bool held = plan_held(w, v);
        if (on && !held)
            plan_address(w, "add", v, "");
        else if (on && old != NULL && !model_same_spec(&old->spec, &v->spec))
            plan_address(w, "replace", v, "");
        else if (!on && held && old != NULL && was->state == VRRP_STATE_MASTER)
            plan_address(w, "remove", v, ": starts over");
    }
}

static void plan_old_addresses(const struct plan_walk *w, const struct inst *was)
{
    for (size_t n = was->nvips; n-- > 0;) {
        const struct vip *v = &was->vips[n];
        if (was->state == VRRP_STATE_MASTER && plan_held(w, v) && plan_vip(w->d->next, NULL, v) == NULL)
            plan_address(w, "remove", v, "");
    }
}

/* ---- routes and rules */

static bool plan_has_route(const struct inst *i, uint64_t digest)
{
    for (size_t n = 0; i != NULL && n < i->nroutes; n++)
        if (i->routes[n].digest == digest)
            return true;
    return false;
}

static void plan_route(const struct plan_walk *w, const char *verb, const struct route_entry *e)
{
    char text[128];
    route_model_text(e, text, sizeof text);
    fprintf(w->f, "%s %s (%s)\n", verb, text, model_inst_name(e->inst));
}

/* What heir does not have, or no longer wants. */
static void plan_old_routes(const struct plan_walk *w, const struct inst *was, const struct inst *heir)
{
    bool on = heir != NULL && plan_goes_on(heir);
    for (size_t n = was->nroutes; n-- > 0;) {
        const struct route_entry *e = &was->routes[n];
        if (e->present && e->ours && (!on || !plan_has_route(heir, e->digest)))
            plan_route(w, "remove", e);
    }
}

static void plan_new_routes(const struct plan_walk *w, const struct inst *i, const struct inst *was)
{
    for (size_t n = 0; plan_goes_on(i) && n < i->nroutes; n++)
        if (!plan_has_route(was, i->routes[n].digest))
            plan_route(w, "add", &i->routes[n]);
}

/* ---- what is an object of its own in the slice */

struct plan_kind {
    enum blk blk;
    const char *come, *change, *go;
};

static const struct plan_kind plan_kinds[] = {
    { BLK_VMAC, "make interface", "make anew interface", "remove interface" },
    { BLK_SOCKET, "open VRRP socket", "change VRRP socket", "close VRRP socket" },
    { BLK_BFD, "open the sockets of BFD session", "open anew the sockets of BFD session",
      "close the sockets of BFD session" },
};

static void plan_objects(const struct plan_walk *w, const struct plan_kind *k)
{
    const struct slice_obj *o = NULL, *was;
    while ((o = slice_next(w->now, o, k->blk, SLICE_ANY_PARENT)) != NULL)
        if (slice_find(w->next, k->blk, o->name) == NULL)
            fprintf(w->f, "%s %s\n", k->go, o->name);
    while ((o = slice_next(w->next, o, k->blk, SLICE_ANY_PARENT)) != NULL) {
        was = slice_find(w->now, k->blk, o->name);
        if (was == NULL)
            fprintf(w->f, "%s %s\n", k->come, o->name);
        else if (!slice_obj_same(was, o))
            fprintf(w->f, "%s %s\n", k->change, o->name);
    }
}

/* ---- settings of the whole machine */

/* What the instance of this name will be told to be: one that is new, or starts over, begins as BACKUP. */
static enum vrrp_state plan_state(const struct ipvsd *d, const char *name)
{
    for (size_t k = 0; k < d->next->ninsts; k++) {
        const struct inst *i = &d->next->insts[k];
        if (strcmp(i->obj->name, name) == 0)
            return plan_goes_on(i) ? VRRP_STATE_MASTER : VRRP_STATE_BACKUP;
    }
    return VRRP_STATE_BACKUP;
}

static void plan_guards(const struct plan_walk *w)
{
    struct nft_accept_shape now, next;
    struct nft_accept_elems named = { 0 }, need = { 0 }, none = { 0 };
    const struct nft_accept_elems *held = nft_accept_standing(w->d->accept, &now);
    for (size_t k = 0; k < w->d->next->ninsts; k++) {
        const struct inst *i = &w->d->next->insts[k];
        for (size_t n = 0; !slice_bool(i->obj, KW_VI_ACCEPT, true) && n < i->nvips; n++) {
            nft_accept_elems_add(&named, &i->vips[n].spec.addr, plan_dev(&i->vips[n]));
            if (plan_goes_on(i))
                nft_accept_elems_add(&need, &i->vips[n].spec.addr, plan_dev(&i->vips[n]));
        }
    }
    nft_accept_elems_seal(&named, &none);
    nft_accept_elems_seal(&need, &none);
    nft_accept_shape_read(&next, w->next);
    nft_accept_elems_families(&named, false, next.family);
    plan_nft_accept(w->f, &now, held, &next, &need);
    nft_accept_elems_free(&named);
    nft_accept_elems_free(&need);
}

static void plan_globals(const struct plan_walk *w)
{
    const struct nft_marks *now, *next;
    const char *table;
    char inst[256];
    sysctl_foresee(w->d, w->next, w->f);
    syncd_follows(w->next, inst, sizeof inst);
    syncd_foresee(w->d->syncd, w->next, plan_state(w->d, inst), w->f);
    plan_guards(w);
    if (nft_ipvs_foresee(w->d->nft, &table, &now, &next))
        plan_nft_marks(w->f, table, now, next);
}

void plan_dump(struct ipvsd *d, const struct slice *next, int fd)
{
    struct plan_walk w = { .d = d, .now = child_slice(d->child), .next = next };
    char *text = NULL;
    size_t len;
    w.f = open_memstream(&text, &len);
    if (w.f == NULL)
        return;
    model_pair(d->model, d->next);
    for (size_t i = 0; i < sizeof plan_kinds / sizeof plan_kinds[0]; i++)
        plan_objects(&w, &plan_kinds[i]);
    vmac_foresee(d, next, w.f);
    plan_globals(&w);
    for (size_t k = 0; k <= d->model->ninsts; k++) {
        const struct inst *was = plan_inst(d->model, k), *heir = NULL;
        for (size_t n = 0; n <= d->next->ninsts && heir == NULL; n++)
            if (plan_inst(d->next, n)->former == was)
                heir = plan_inst(d->next, n);
        plan_old_routes(&w, was, heir);
        plan_old_addresses(&w, was);
    }
    for (size_t k = 0; k <= d->next->ninsts; k++) {
        const struct inst *i = plan_inst(d->next, k), *was = i->former;
        plan_new_addresses(&w, i, was);
        plan_new_routes(&w, i, was);
    }
    plan_ipvs(d, next, w.f);
    fclose(w.f);
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, text + done, len - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    free(text);
}
