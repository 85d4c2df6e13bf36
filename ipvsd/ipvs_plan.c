/* ipvs_plan.c - see ipvs_plan.h. */
#include "ipvsd/ipvs_plan.h"

#include <stdlib.h>

#include "common/err.h"

static struct ipvs_op *plan_put(struct ipvs_plan *p, enum ipvs_op_kind kind, struct ipvs_ks *ks)
{
    if (p->n == p->cap) {
        p->cap = 2 * p->cap + 64;
        p->v = xrealloc(p->v, p->cap * sizeof *p->v);
    }
    struct ipvs_op *op = &p->v[p->n++];
    *op = (struct ipvs_op){ .kind = kind, .ks = ks, .slot = IPVS_NONE, .by = IPVS_NONE };
    return op;
}

static void plan_put_slot(struct ipvs_plan *p, enum ipvs_op_kind kind, struct ipvs_ks *ks, uint32_t slot,
                          uint32_t by)
{
    struct ipvs_op *op = plan_put(p, kind, ks);
    op->slot = slot;
    op->by = by;
}

struct ipvs_want ipvs_plan_want(const struct ipvs_ks *ks, uint32_t canon)
{
    struct ipvs_want w = { .by = canon };
    for (uint32_t i = canon; i != IPVS_NONE; i = ks->slots[i].alias) {
        const struct ipvs_rs *rs = ks->slots[i].rs;
        if (!rs->in || (w.in && rs->weight <= w.weight))
            continue;
        w = (struct ipvs_want){ .in = true, .by = i, .weight = rs->weight };
    }
    return w;
}

/* Is what the kernel holds of the slot another thing than w says, apart from the weight? */
static bool plan_wrong(const struct ipvs_ks *ks, const struct ipvs_slot *s, const struct ipvs_want *w)
{
    return s->wrong ||
           (s->by != w->by && !ipvs_dest_same(&ks->slots[s->by].rs->spec, &ks->slots[w->by].rs->spec));
}

/* What helps. */
static void plan_give(struct ipvs_plan *p, struct ipvs_ks *ks, uint32_t i)
{
    const struct ipvs_slot *s = &ks->slots[i];
    struct ipvs_want w = ipvs_plan_want(ks, i);
    if (!w.in)
        return;
    if (!s->present)
        plan_put_slot(p, IPVS_OP_DEST_ADD, ks, i, w.by);
    else if (w.weight > s->weight || (w.weight == s->weight && plan_wrong(ks, s, &w)))
        plan_put_slot(p, IPVS_OP_DEST_SET, ks, i, w.by);
}

/* What takes away. */
static void plan_take(struct ipvs_plan *p, struct ipvs_ks *ks, uint32_t i)
{
    const struct ipvs_slot *s = &ks->slots[i];
    struct ipvs_want w = ipvs_plan_want(ks, i);
    if (!s->present)
        return;
    if (!w.in)
        plan_put_slot(p, IPVS_OP_DEST_DEL, ks, i, IPVS_NONE);
    else if (w.weight < s->weight)
        plan_put_slot(p, IPVS_OP_DEST_SET, ks, i, w.by);
}

void ipvs_plan_service(struct ipvs_plan *p, struct ipvs_ks *ks, const struct ipvs_dkey *stale, size_t nstale)
{
    if (ks->state == IPVS_KS_ABSENT)
        plan_put(p, IPVS_OP_SVC_ADD, ks);
    else if (ks->differs)
        plan_put(p, IPVS_OP_SVC_SET, ks);
    for (uint32_t i = 0; i < ks->nslots; i++)
        if (ks->slots[i].canon == i)
            plan_give(p, ks, i);
    /* The kernel's list begins with the newest server: backwards each one is found at once. */
    for (uint32_t i = ks->nslots; i-- > 0;)
        if (ks->slots[i].canon == i)
            plan_take(p, ks, i);
    for (size_t i = 0; i < nstale; i++)
        plan_put(p, IPVS_OP_DEST_DEL, ks)->dkey = stale[i];
}

void ipvs_plan_slots(struct ipvs_plan *p, struct ipvs_ks *ks, const uint32_t *slot, size_t n)
{
    for (size_t i = 0; i < n; i++)
        plan_give(p, ks, slot[i]);
    for (size_t i = n; i-- > 0;)
        plan_take(p, ks, slot[i]);
}

void ipvs_plan_remove(struct ipvs_plan *p, struct ipvs_ks *ks, bool servers_first)
{
    for (uint32_t i = ks->nslots; servers_first && i-- > 0;)
        if (ks->slots[i].canon == i && ks->slots[i].present)
            plan_put_slot(p, IPVS_OP_DEST_DEL, ks, i, IPVS_NONE);
    plan_put(p, IPVS_OP_SVC_DEL, ks);
}

void ipvs_plan_remove_key(struct ipvs_plan *p, const struct ipvs_key *key)
{
    plan_put(p, IPVS_OP_SVC_DEL, NULL)->key = *key;
}

void ipvs_plan_free(struct ipvs_plan *p)
{
    free(p->v);
    *p = (struct ipvs_plan){ 0 };
}
