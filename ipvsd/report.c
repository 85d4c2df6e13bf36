/*
 * report.c - what of the configuration the kernel holds now: a line for each address, route and rule. Told
 * when somebody asks (common/report.h), a few entries a turn. See report.h.
 */
#include "ipvsd/report.h"

#include <inttypes.h>

#include "common/report.h"
#include "ipvsd/kaddr.h"
#include "ipvsd/route_model.h"

#define REPORT_ENTRY_BITS 32 /* of the cursor: the rest counts instances, the last one is what is static */

static void report_entry(FILE *f, const struct inst *i, const struct slice_obj *o, const char *kind, bool set)
{
    report_section(f, "kernel_entry", o->name);
    fprintf(f, "id=%" PRIu32 "\ninstance_id=%" PRIu32 "\n", o->id, i->obj != NULL ? i->id : 0);
    report_line(f, "kind", "%s", kind);
    report_line(f, "set", "%s", set ? "yes" : "no");
}

static bool report_one(const struct ipvsd *d, const struct inst *i, size_t n, FILE *f)
{
    if (n < i->nvips) {
        const struct vip *v = &i->vips[n];
        report_entry(f, i, v->obj, "address",
                     v->iface != NULL && v->iface->ifindex != 0 &&
                         kaddr_find(&d->links.addrs, v->iface->ifindex, &v->spec.addr) != NULL);
        return true;
    }
    n -= i->nvips;
    if (n >= i->nroutes)
        return false;
    const struct route_entry *e = &i->routes[n];
    report_entry(f, i, e->obj, e->rule ? "rule" : "route", e->present);
    if (e->rule)
        fprintf(f, "preference=%" PRIu32 "\n", e->policy.preference);
    return true;
}

bool report_kernel(const struct ipvsd *d, uint32_t obj, size_t *cursor, FILE *f)
{
    size_t at = *cursor >> REPORT_ENTRY_BITS, n = *cursor & UINT32_MAX;
    const struct model *m = d->model;
    if (m == NULL || at > m->ninsts)
        return false;
    const struct inst *i = at == m->ninsts ? &m->statics : &m->insts[at];
    if ((obj == 0 || (i->obj != NULL && i->id == obj)) && report_one(d, i, n, f))
        *cursor += 1;
    else
        *cursor = (at + 1) << REPORT_ENTRY_BITS;
    return true;
}
