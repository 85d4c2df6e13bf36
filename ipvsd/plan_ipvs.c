/*
 * plan_ipvs.c - the IPVS part of plan_dump.h. The weight of a server that is there is checkd's word and
 * stays; one that is new comes with its configured weight, once checkd believes in it.
 */
#include <errno.h>
#include <string.h>

#include "ipvsd/ipvs.h"
#include "ipvsd/ipvsd.h"
#include "ipvsd/plan_dump.h"

static bool plan_sorry(const struct slice *s, const struct ipvs_rs *rs)
{
    const struct slice_obj *o = slice_by_id(s, rs->id);
    return o != NULL && slice_bool(o, KW_RS_X_SORRY, false);
}

static void plan_add_server(const struct ipvs_ks *ks, uint32_t slot, const struct slice *next, FILE *f)
{
    char where[IPVS_TEXT_LEN], what[IPVS_TEXT_LEN];
    const struct ipvs_rs *rs = ks->slots[slot].rs;
    struct ipvs_dkey key = ipvs_model_dkey(ks, rs);
    if (!plan_sorry(next, rs))
        fprintf(f, "add server %s to %s, weight %u, as soon as its checks allow it\n",
                ipvs_dkey_text(&key, what), ipvs_key_text(&ks->svc.key, where), rs->spec.weight);
}

static void plan_change_server(const struct ipvs_ks *was, uint32_t old, const struct ipvs_ks *ks,
                               uint32_t slot, FILE *f)
{
    char where[IPVS_TEXT_LEN], what[IPVS_TEXT_LEN];
    const struct ipvs_dest *a = &was->slots[old].rs->spec, *b = &ks->slots[slot].rs->spec;
    struct ipvs_want w = ipvs_plan_want(was, old);
    struct ipvs_dkey key = ipvs_model_dkey(ks, ks->slots[slot].rs);
    ipvs_key_text(&ks->svc.key, where);
    ipvs_dkey_text(&key, what);
    if (!ipvs_dest_same(a, b))
        fprintf(f, "change server %s of %s: forwarding or thresholds\n", what, where);
    if (a->weight != b->weight && w.in && w.weight == a->weight)
        fprintf(f, "change server %s of %s: weight\t%u\t%u\n", what, where, a->weight, b->weight);
}

static void plan_servers(const struct ipvs_ks *was, const struct ipvs_ks *ks, const struct slice *next,
                         FILE *f)
{
    char where[IPVS_TEXT_LEN], what[IPVS_TEXT_LEN];
    struct ipvs_index x;
    ipvs_index_build(&x, was);
    for (uint32_t i = 0; i < ks->nslots; i++) {
        struct ipvs_dkey key = ipvs_model_dkey(ks, ks->slots[i].rs);
        uint32_t old = ks->slots[i].canon == i ? ipvs_index_find(&x, &key) : i;
        if (ks->slots[i].canon != i)
            continue;
        if (old == IPVS_NONE)
            plan_add_server(ks, i, next, f);
        else
            plan_change_server(was, old, ks, i, f);
    }
    ipvs_index_free(&x);
    ipvs_index_build(&x, ks);
    for (uint32_t i = 0; i < was->nslots; i++) {
        struct ipvs_dkey key = ipvs_model_dkey(was, was->slots[i].rs);
        if (was->slots[i].canon == i && was->slots[i].present && ipvs_index_find(&x, &key) == IPVS_NONE)
            fprintf(f, "remove server %s from %s\n", ipvs_dkey_text(&key, what),
                    ipvs_key_text(&ks->svc.key, where));
    }
    ipvs_index_free(&x);
}

static void plan_service(const struct ipvs_ks *was, const struct ipvs_ks *ks, const struct slice *next,
                         FILE *f)
{
    char where[IPVS_TEXT_LEN];
    ipvs_key_text(&ks->svc.key, where);
    if (was != NULL) {
        if (!ipvs_svc_same(&was->svc, &ks->svc))
            fprintf(f, "change service %s: scheduler and its options\t%s\t%s\n", where, was->svc.sched,
                    ks->svc.sched);
        plan_servers(was, ks, next, f);
        return;
    }
    fprintf(f, "add service %s, scheduler %s\n", where, ks->svc.sched);
    for (uint32_t i = 0; i < ks->nslots; i++)
        if (ks->slots[i].canon == i)
            plan_add_server(ks, i, next, f);
}

/* As life_timeouts of ipvs_life.c. A kernel that was never asked is not asked now: it would load ip_vs. */
static void plan_timeouts(struct ipvs *v, FILE *f)
{
    static const char *const names[] = { "tcp", "tcpfin", "udp" };
    struct ipvs_timeouts now = { 0 };
    if (!v->next->has_timeouts && !v->timeouts_saved)
        return;
    if (v->k.family != 0 && ipvs_kernel_timeouts(&v->k, &now) < 0)
        fprintf(f, "lvs_timeouts: the kernel's values cannot be read: %s\n", strerror(errno));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t before = v->timeouts_saved ? v->saved.v[i] : now.v[i];
        uint32_t want = v->next->timeouts.v[i] != 0 ? v->next->timeouts.v[i] : before;
        if (want != now.v[i] && now.v[i] != 0)
            fprintf(f, "set IPVS timeout %s\t%u\t%u\n", names[i], now.v[i], want);
        else if (want != now.v[i])
            fprintf(f, "set IPVS timeout %s\tthe kernel's own\t%u\n", names[i], want);
    }
}

void plan_ipvs(struct ipvsd *d, const struct slice *next, FILE *f)
{
    const struct ipvs_model *now = d->ipvs->model, *m = d->ipvs->next;
    char where[IPVS_TEXT_LEN];
    plan_timeouts(d->ipvs, f);
    for (size_t i = 0; i < now->nks; i++)
        if (ipvs_model_ks(m, &now->kss[i]->svc.key) == NULL)
            fprintf(f, "remove service %s and its servers\n", ipvs_key_text(&now->kss[i]->svc.key, where));
    for (size_t i = 0; i < m->nks; i++)
        plan_service(ipvs_model_ks(now, &m->kss[i]->svc.key), m->kss[i], next, f);
}
