/* garp_space.c - see garp_space.h. Every interface points to the spacing it is subject to: its own, that of
 * the interface below it, or its group's. */
#include "ipvsd/garp_space.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ipvsd/link.h"

bool garp_space_free(const struct iface *i, enum garp_kind kind, uint64_t now, uint64_t *wake)
{
    const struct garp_space *s = i->space;
    if (s->interval[kind] == 0 || now >= s->next_at[kind])
        return true;
    if (s->next_at[kind] < *wake)
        *wake = s->next_at[kind];
    return false;
}

void garp_space_used(struct iface *i, enum garp_kind kind, uint64_t now)
{
    i->space->next_at[kind] = now + i->space->interval[kind];
}

static void garp_space_read(struct garp_space *s, const struct slice_obj *o, enum kw arp, enum kw na)
{
    s->interval[GARP_KIND_ARP] = slice_ns(o, arp, s->interval[GARP_KIND_ARP]);
    s->interval[GARP_KIND_NA] = slice_ns(o, na, s->interval[GARP_KIND_NA]);
}

/* The first group that names an interface counts, as holdfast-conf has said. */
static void garp_space_join(struct ipvsd *d, const struct slice_obj *o, enum kw kw, struct garp_space *group)
{
    const char *name;
    for (size_t k = 0; (name = slice_str_at(o, kw, k)) != NULL; k++) {
        struct iface *i = link_find(d, name);
        if (i != NULL && i->space == &i->own_space)
            i->space = group;
    }
}

static void garp_space_groups(struct ipvsd *d, const struct slice *s, const struct garp_space *global)
{
    const struct slice_obj *o = NULL;
    size_t n = 0, k = 0;
    while ((o = slice_next(s, o, BLK_GARPG, SLICE_ANY_PARENT)) != NULL)
        n++;
    struct garp_space *was = d->garp.groups;
    d->garp.groups = xcalloc(n + 1, sizeof *d->garp.groups);
    while ((o = slice_next(s, o, BLK_GARPG, SLICE_ANY_PARENT)) != NULL) {
        struct garp_space *g = &d->garp.groups[k];
        if (k < d->garp.ngroups)
            memcpy(g->next_at, was[k].next_at, sizeof g->next_at); /* a reload gives nothing away */
        memcpy(g->interval, global->interval, sizeof g->interval);
        garp_space_read(g, o, KW_GARPG_GARP_INTERVAL, KW_GARPG_GNA_INTERVAL);
        garp_space_join(d, o, KW_GARPG_INTERFACE, g);
        garp_space_join(d, o, KW_GARPG_INTERFACES, g);
        k++;
    }
    d->garp.ngroups = n;
    free(was);
}

void garp_space_configure(struct ipvsd *d, const struct slice *s)
{
    struct garp_space global = { 0 };
    const struct slice_obj *o = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    if (o != NULL)
        garp_space_read(&global, o, KW_GLOBAL_VRRP_GARP_INTERVAL, KW_GLOBAL_VRRP_GNA_INTERVAL);
    for (size_t k = 0; k < d->links.n; k++) {
        struct iface *i = d->links.v[k];
        memcpy(i->own_space.interval, global.interval, sizeof global.interval);
        i->space = &i->own_space;
    }
    garp_space_groups(d, s, &global);
    for (o = NULL; (o = slice_next(s, o, BLK_VMAC, SLICE_ANY_PARENT)) != NULL;) {
        struct iface *i = link_find(d, o->name), *base = link_find(d, slice_str(o, KW_VMAC_X_BASE, NULL));
        if (i != NULL && base != NULL && base->named && i->space == &i->own_space)
            i->space = base->space;
    }
}
