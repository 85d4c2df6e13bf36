/*
 * ipvs_read.c - what the kernel holds, noted beside what is configured. Linear: services and servers are
 * found by hash. A difference from what we last knew is somebody else's doing and is said. Called by
 * ipvs_apply.c and ipvs_life.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "ipvsd/ipvs.h"

void ipvs_read_absent(struct ipvs_ks *ks)
{
    ks->state = IPVS_KS_ABSENT;
    ks->differs = false;
    for (uint32_t i = 0; i < ks->nslots; i++)
        ks->slots[i].present = ks->slots[i].wrong = false;
}

/* ---- the list of services
 * --------------------------------------------------------------------------------------------- */

struct read_list {
    struct ipvs *v;
    struct ipvs_keys *strangers;
};

static void read_differs(struct ipvs *v, struct ipvs_ks *ks, const struct ipvs_svc *have)
{
    char text[IPVS_TEXT_LEN];
    bool differs = !ipvs_svc_same(&ks->svc, have);
    if (differs && ks->known && ks->state == IPVS_KS_PRESENT && !ks->differs) {
        v->count.drifted++;
        log_notice("%s: scheduler or options were changed by somebody else (now %s): put right",
                   ipvs_key_text(&ks->svc.key, text), have->sched);
    }
    ks->differs = differs;
}

static void read_on_service(const struct ipvs_answer *a, void *arg)
{
    struct read_list *l = arg;
    if (a->kind != IPVS_ANSWER_SVC)
        return;
    struct ipvs_ks *ks = ipvs_model_ks(l->v->model, &a->svc.key);
    if (ks == NULL) {
        if (l->strangers != NULL)
            ipvs_keys_add(l->strangers, &a->svc.key);
        return;
    }
    ks->listed = true;
    read_differs(l->v, ks, &a->svc);
}

int ipvs_read_all(struct ipvs *v, struct ipvs_keys *strangers)
{
    struct read_list l = { v, strangers };
    for (size_t i = 0; i < v->model->nks; i++)
        v->model->kss[i]->listed = false;
    if (ipvs_kernel_services(&v->k, read_on_service, &l) < 0 && errno != EINTR)
        return -1;
    for (size_t i = 0; i < v->model->nks; i++) {
        struct ipvs_ks *ks = v->model->kss[i];
        /* A list may leave one out while other namespaces change theirs: what we had is asked for by name. */
        if (ks->listed || (ks->known && ks->state != IPVS_KS_ABSENT))
            ks->state = IPVS_KS_UNREAD;
        else
            ipvs_read_absent(ks);
        ks->tries = 0;
        ipvs_apply_queue(v, ks);
    }
    return 0;
}

/* ---- one service
 * ------------------------------------------------------------------------------------------------------ */

struct read_one {
    struct ipvs_ks *ks;
    struct ipvs_index index;
    struct ipvs_dkey *stale;
    size_t nstale, cap;
};

static void read_stale(struct read_one *r, const struct ipvs_dkey *key)
{
    if (r->nstale == r->cap) {
        r->cap = 2 * r->cap + 8;
        r->stale = xrealloc(r->stale, r->cap * sizeof *r->stale);
    }
    r->stale[r->nstale++] = *key;
}

static void read_on_dest(const struct ipvs_answer *a, void *arg)
{
    struct read_one *r = arg;
    if (a->kind != IPVS_ANSWER_DEST)
        return;
    struct ipvs_dest d = a->dest;
    if (d.key.family == 0)
        d.key.family = r->ks->svc.key.family;
    uint32_t i = ipvs_index_find(&r->index, &d.key);
    if (i == IPVS_NONE) {
        read_stale(r, &d.key);
        return;
    }
    struct ipvs_slot *s = &r->ks->slots[i];
    struct ipvs_want w = ipvs_plan_want(r->ks, i);
    s->present = true;
    s->weight = d.weight;
    s->by = w.by;
    s->wrong = !ipvs_dest_same(&r->ks->slots[w.by].rs->spec, &d);
}

/* How many servers are not as they were left. */
static size_t read_drift(const struct ipvs_ks *ks, const struct ipvs_slot *before)
{
    size_t n = 0;
    for (uint32_t i = 0; i < ks->nslots; i++) {
        const struct ipvs_slot *s = &ks->slots[i], *b = &before[i];
        if (s->canon == i)
            n += s->present != b->present ||
                 (s->present && (s->weight != b->weight || (s->wrong && !b->wrong)));
    }
    return n;
}

static int read_dests(struct ipvs *v, struct ipvs_ks *ks, struct read_one *r)
{
    char text[IPVS_TEXT_LEN];
    size_t size = (ks->nslots + 1) * sizeof *ks->slots;
    struct ipvs_slot *before = xmalloc(size);
    memcpy(before, ks->slots, size);
    for (uint32_t i = 0; i < ks->nslots; i++)
        ks->slots[i].present = ks->slots[i].wrong = false;
    ipvs_index_build(&r->index, ks);
    int rc = ipvs_kernel_dests(&v->k, &ks->svc.key, read_on_dest, r);
    ipvs_index_free(&r->index);
    size_t drift = ks->known ? read_drift(ks, before) + r->nstale : 0;
    free(before);
    if (rc < 0 && errno != EINTR)
        return -1;
    if (drift > 0) {
        v->count.drifted += drift;
        log_notice("%s: %zu servers were added, changed or removed by somebody else: put right",
                   ipvs_key_text(&ks->svc.key, text), drift);
    }
    return 0;
}

static void read_gone(struct ipvs *v, struct ipvs_ks *ks)
{
    char text[IPVS_TEXT_LEN];
    if (ks->known) {
        v->count.drifted++;
        log_notice("%s: the service was removed by somebody else: put back",
                   ipvs_key_text(&ks->svc.key, text));
    }
    ipvs_read_absent(ks);
}

int ipvs_read_one(struct ipvs *v, struct ipvs_ks *ks, struct ipvs_dkey **stale, size_t *nstale)
{
    struct read_one r = { .ks = ks };
    struct ipvs_svc have;
    *stale = NULL;
    *nstale = 0;
    if (!ks->listed) {
        if (ipvs_kernel_service(&v->k, &ks->svc.key, &have) < 0) {
            if (errno != ESRCH)
                return -1;
            read_gone(v, ks);
            return 0;
        }
        read_differs(v, ks, &have);
    }
    v->count.read++;
    int rc = read_dests(v, ks, &r);
    ks->listed = false;
    ks->state = IPVS_KS_PRESENT;
    *stale = r.stale;
    *nstale = r.nstale;
    return rc;
}
