/* simulate.c - see simulate.h. */
#include "parent/ctl/simulate.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static bool sim_same_check(const struct sim_check *c, int node, const struct node_track *t)
{
    return c->node == node && c->kind == t->kind && strcmp(c->name, t->name) == 0;
}

static void sim_add_check(struct sim *s, int node, const struct node_track *t)
{
    for (size_t i = 0; i < s->ncheck; i++)
        if (sim_same_check(&s->check[i], node, t))
            return;
    if (s->ncheck == SIM_CHECKS) {
        s->cut = true;
        return;
    }
    s->check[s->ncheck++] =
        (struct sim_check){ .node = node, .kind = t->kind, .name = t->name, .line = t->line, .own = t->own };
}

/* ---- which routers belong together */

static bool sim_same_sync(const struct sim_router *a, const struct sim_router *b, size_t nnodes)
{
    for (size_t n = 0; n < nnodes; n++) {
        const struct node_vi *x = a->vi[n], *y = b->vi[n];
        if (x != NULL && y != NULL && x->sync != NULL && y->sync != NULL && strcmp(x->sync, y->sync) == 0)
            return true;
    }
    return false;
}

static size_t sim_routers(const struct node *const nodes[], size_t nnodes, struct sim_router **out)
{
    size_t n = 0;
    struct sim_router *r = xcalloc(nodes[0]->nvi + (nnodes > 1 ? nodes[1]->nvi : 0) + 1, sizeof *r);
    for (size_t i = 0; i < nodes[0]->nvi; i++) {
        r[n].vi[0] = &nodes[0]->vi[i];
        if (nnodes > 1)
            r[n].vi[1] = node_partner(&nodes[0]->vi[i], nodes[1]);
        n++;
    }
    for (size_t i = 0; nnodes > 1 && i < nodes[1]->nvi; i++) {
        bool known = false;
        for (size_t k = 0; k < n; k++)
            known = known || r[k].vi[1] == &nodes[1]->vi[i];
        if (!known)
            r[n++].vi[1] = &nodes[1]->vi[i];
    }
    *out = r;
    return n;
}

static void sim_fill_checks(struct sim *s)
{
    for (size_t node = 0; node < s->nnodes; node++)
        for (size_t r = 0; r < s->nrouter; r++) {
            const struct node_vi *v = s->router[r].vi[node];
            for (size_t t = 0; v != NULL && t < v->ntracks; t++)
                sim_add_check(s, (int)node, &v->tracks[t]);
        }
}

size_t sim_build(const struct node *const nodes[], size_t nnodes, struct sim **out)
{
    struct sim_router *all;
    size_t n = sim_routers(nodes, nnodes, &all), sets = 0;
    struct sim *s = xcalloc(n + 1, sizeof *s);
    size_t *set = xcalloc(n + 1, sizeof *set);
    for (size_t i = 0; i < n; i++)
        set[i] = i;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            if (set[i] != set[k] && sim_same_sync(&all[i], &all[k], nnodes))
                for (size_t from = set[k], m = 0; m < n; m++)
                    set[m] = set[m] == from ? set[i] : set[m];
    for (size_t i = 0; i < n; i++) {
        if (set[i] != i) /* the first of a set has its number */
            continue;
        struct sim *t = &s[sets++];
        t->nnodes = nnodes;
        t->router = xcalloc(n, sizeof *t->router);
        for (size_t k = 0; k < nnodes; k++)
            t->node[k] = nodes[k];
        for (size_t k = 0; k < n; k++)
            if (set[k] == i)
                t->router[t->nrouter++] = all[k];
        sim_fill_checks(t);
    }
    free(set);
    free(all);
    *out = s;
    return sets;
}

void sim_free(struct sim *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(s[i].router);
    free(s);
}

/* ---- one combination */

/* A file counts by its number: here 0, and the number that lowers the priority by one weight. */
static struct track_say sim_say(const struct node_track *t, bool failed)
{
    if (t->kind != TRACK_FILE)
        return track_of_result(failed ? TRACK_FAIL : TRACK_OK, t->weight, t->reverse);
    int bad = t->weight > 0 ? -1 : 1;
    return track_of_file(true, !failed ? 0 : t->reverse ? -bad : bad, t->weight, t->reverse);
}

static void sim_judge(const struct sim *s, int node, const struct node_vi *v, uint64_t failed,
                      struct sim_result *out)
{
    struct track_sum sum = { 0 };
    for (size_t t = 0; t < v->ntracks; t++) {
        bool down = false;
        if (v->tracks[t].idle)
            continue;
        for (size_t k = 0; k < s->ncheck; k++)
            if (sim_same_check(&s->check[k], node, &v->tracks[t]))
                down = failed >> k & 1;
        track_add(&sum, sim_say(&v->tracks[t], down));
    }
    out->fault[node] = sum.fault;
    out->priority[node] = track_priority(v->priority, &sum);
}

/* A member in FAULT takes its whole group along. */
static void sim_groups(const struct sim *s, struct sim_result *out)
{
    for (size_t node = 0; node < s->nnodes; node++)
        for (size_t i = 0; i < s->nrouter; i++)
            for (size_t k = 0; k < s->nrouter; k++) {
                const struct node_vi *a = s->router[i].vi[node], *b = s->router[k].vi[node];
                if (a != NULL && b != NULL && a->sync != NULL && b->sync != NULL &&
                    strcmp(a->sync, b->sync) == 0 && out[i].fault[node])
                    out[k].fault[node] = true;
            }
}

static enum sim_who sim_elect(const struct sim_router *r, const struct sim_result *x, enum sim_who was)
{
    bool a = r->vi[0] != NULL && !x->fault[0], b = r->vi[1] != NULL && !x->fault[1];
    if (!a || !b)
        return a ? SIM_A : b ? SIM_B : SIM_NOBODY;
    bool held = was == SIM_A || was == SIM_B;
    if (x->priority[0] == x->priority[1]) {
        if (held)
            return was;
        if (r->vi[0]->src.family == 0 || r->vi[1]->src.family == 0)
            return SIM_EITHER;
        return ipaddr_cmp(&r->vi[0]->src, &r->vi[1]->src) > 0 ? SIM_A : SIM_B;
    }
    enum sim_who better = x->priority[0] > x->priority[1] ? SIM_A : SIM_B;
    if (held && better != was && r->vi[better]->nopreempt)
        return was;
    return better;
}

void sim_step(const struct sim *s, uint64_t failed, const enum sim_who *was, struct sim_result *out)
{
    for (size_t i = 0; i < s->nrouter; i++) {
        out[i] = (struct sim_result){ .priority = { -1, -1 } };
        for (size_t node = 0; node < s->nnodes; node++)
            if (s->router[i].vi[node] != NULL)
                sim_judge(s, (int)node, s->router[i].vi[node], failed, &out[i]);
    }
    sim_groups(s, out);
    for (size_t i = 0; i < s->nrouter; i++)
        out[i].master = sim_elect(&s->router[i], &out[i], was[i]);
}

void sim_result(const struct sim *s, uint64_t failed, struct sim_result *out)
{
    enum sim_who *was = xcalloc(s->nrouter, sizeof *was);
    for (size_t i = 0; i < s->nrouter; i++)
        was[i] = SIM_NOBODY;
    sim_step(s, 0, was, out);
    if (failed != 0) {
        for (size_t i = 0; i < s->nrouter; i++)
            was[i] = out[i].master;
        sim_step(s, failed, was, out);
    }
    free(was);
}

bool sim_mask(const struct sim *s, size_t i, uint64_t *mask)
{
    size_t n = s->ncheck;
    if (n <= SIM_ALL_MAX) {
        *mask = i;
        return i < (size_t)1 << n;
    }
    *mask = 0;
    if (i == 0)
        return true;
    if (i <= n) {
        *mask = UINT64_C(1) << (i - 1);
        return true;
    }
    i -= n + 1;
    for (size_t a = 0; a < n; a++) {
        size_t pairs = n - a - 1;
        if (i < pairs) {
            *mask = UINT64_C(1) << a | UINT64_C(1) << (a + 1 + i);
            return true;
        }
        i -= pairs;
    }
    return false;
}

const struct node_track *sim_line(const struct sim *s, size_t r, size_t k)
{
    const struct node_vi *v = s->router[r].vi[s->check[k].node];
    for (size_t t = 0; v != NULL && t < v->ntracks; t++)
        if (sim_same_check(&s->check[k], s->check[k].node, &v->tracks[t]))
            return &v->tracks[t];
    return NULL;
}

enum sim_effect sim_effect(const struct sim *s, size_t r, size_t k)
{
    struct sim_result *x = xcalloc(s->nrouter, sizeof *x);
    enum sim_who *was = xcalloc(s->nrouter, sizeof *was);
    uint64_t mask, bit = UINT64_C(1) << k;
    int node = s->check[k].node;
    bool held = false, moved = false, alone = false, first = false;
    for (size_t i = 0; sim_mask(s, i, &mask); i++) {
        if (mask & bit)
            continue;
        sim_result(s, mask, x);
        bool here = (int)x[r].master == node || x[r].master == SIM_EITHER;
        if (!here || s->router[r].vi[1 - node] == NULL || x[r].fault[1 - node])
            continue; /* nobody who could take it */
        held = true;
        first = first || mask == 0;
        for (size_t n = 0; n < s->nrouter; n++)
            was[n] = x[n].master == SIM_EITHER ? (enum sim_who)node : x[n].master;
        sim_step(s, mask | bit, was, x);
        if ((int)x[r].master != node) {
            moved = true;
            alone = alone || mask == 0;
        }
    }
    free(x);
    free(was);
    if (!held)
        return SIM_NOT_ASKED;
    if (!moved)
        return SIM_NEVER;
    return alone || !first ? SIM_MOVES : SIM_TOGETHER;
}

void sim_cost(const struct sim *s, size_t r, size_t k, int *before, int *after, bool *faults)
{
    struct sim_result *x = xcalloc(s->nrouter, sizeof *x);
    int node = s->check[k].node;
    sim_result(s, 0, x);
    *before = x[r].priority[node];
    sim_result(s, UINT64_C(1) << k, x);
    *after = x[r].priority[node];
    *faults = x[r].fault[node];
    free(x);
}
