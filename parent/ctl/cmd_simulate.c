/*
 * cmd_simulate.c - `holdctl check --simulate`: the tables of simulate.c for people and as JSON, and what is
 * wrong with them: a check whose failure never moves the VIP, one that does so only in company, a virtual
 * router without any MASTER. See check.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/ctl/check.h"
#include "parent/ctl/simulate.h"

#define SIMULATE_ROWS  64 /* of a table for people */
#define SIMULATE_WIDTH 52
#define SIMULATE_TEXT  1024

/* ---- names */

static void simulate_check_name(const struct sim *s, size_t k, char *out, size_t size)
{
    const struct sim_check *c = &s->check[k];
    snprintf(out, size, "%s%s%s %s", s->nnodes > 1 ? s->node[c->node]->label : "", s->nnodes > 1 ? ":" : "",
             track_kind_name(c->kind), c->name);
}

static void simulate_failed(const struct sim *s, uint64_t mask, char *out, size_t size)
{
    size_t n = 0;
    snprintf(out, size, "nothing");
    for (size_t k = 0; k < s->ncheck && n < size; k++) {
        char name[300];
        if (!(mask >> k & 1))
            continue;
        simulate_check_name(s, k, name, sizeof name);
        n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? ", " : "", name);
    }
}

static const struct node_vi *simulate_any(const struct sim_router *r)
{
    return r->vi[0] != NULL ? r->vi[0] : r->vi[1];
}

static void simulate_router(const struct sim *s, size_t r, char *out, size_t size)
{
    const struct node_vi *v = simulate_any(&s->router[r]);
    snprintf(out, size, "VRID %u (%s)", v->vrid, v->name);
}

static const char *simulate_who(const struct sim *s, enum sim_who w)
{
    switch (w) {
    case SIM_A:
    case SIM_B: return s->node[w]->label;
    case SIM_NOBODY: return "nobody";
    case SIM_EITHER: return "either";
    }
    return "?";
}

/* ---- JSON */

static json_t *simulate_json_result(const struct sim *s, uint64_t mask, const struct sim_result *x)
{
    json_t *j = json_object(), *failed = json_array(), *prio = json_object();
    for (size_t k = 0; k < s->ncheck; k++)
        if (mask >> k & 1)
            json_array_append_new(failed, json_integer((json_int_t)k));
    for (size_t n = 0; n < s->nnodes; n++)
        json_object_set_new(prio, s->node[n]->label,
                            x->priority[n] < 0 ? json_null()
                            : x->fault[n]      ? json_string("FAULT")
                                               : json_integer(x->priority[n]));
    json_object_set_new(j, "failed", failed);
    json_object_set_new(j, "priority", prio);
    if (s->nnodes > 1)
        json_object_set_new(j, "master",
                            x->master == SIM_NOBODY ? json_null() : json_string(simulate_who(s, x->master)));
    return j;
}

static json_t *simulate_json_checks(const struct sim *s)
{
    json_t *a = json_array();
    for (size_t k = 0; k < s->ncheck; k++) {
        const struct sim_check *c = &s->check[k];
        json_array_append_new(a, json_pack("{s:s,s:s,s:s,s:i}", "node", s->node[c->node]->label, "kind",
                                           track_kind_name(c->kind), "name", c->name, "line", c->line));
    }
    return a;
}

json_t *simulate_json(const struct sim *sets, size_t n)
{
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct sim *s = &sets[i];
        struct sim_result *x = xcalloc(s->nrouter, sizeof *x);
        json_t *checks = simulate_json_checks(s);
        for (size_t r = 0; r < s->nrouter; r++) {
            json_t *j = json_object(), *vi = json_object(), *rows = json_array();
            uint64_t mask;
            for (size_t k = 0; k < s->nnodes; k++)
                json_object_set_new(vi, s->node[k]->label,
                                    s->router[r].vi[k] != NULL ? json_string(s->router[r].vi[k]->name)
                                                               : json_null());
            for (size_t m = 0; sim_mask(s, m, &mask); m++) {
                sim_result(s, mask, x);
                json_array_append_new(rows, simulate_json_result(s, mask, &x[r]));
            }
            json_object_set_new(j, "vrid", json_integer(simulate_any(&s->router[r])->vrid));
            json_object_set_new(j, "family", json_integer(simulate_any(&s->router[r])->family));
            json_object_set_new(j, "instances", vi);
            json_object_set(j, "checks", checks);
            json_object_set_new(j, "results", rows);
            json_object_set_new(j, "complete", json_boolean(s->ncheck <= SIM_ALL_MAX && !s->cut));
            json_array_append_new(out, j);
        }
        json_decref(checks);
        free(x);
    }
    return out;
}

/* ---- for people */

static void simulate_cell(const struct sim_result *x, size_t n, char out[16])
{
    if (x->priority[n] < 0)
        snprintf(out, 16, "-");
    else if (x->fault[n])
        snprintf(out, 16, "FAULT");
    else
        snprintf(out, 16, "%d", x->priority[n]);
}

/* What people want to see: interfaces one by one, of checks all combinations when they are few, else pairs.
 */
static bool simulate_telling(const struct sim *s, uint64_t mask)
{
    size_t checks = 0, down = 0, links = 0;
    for (size_t k = 0; k < s->ncheck; k++) {
        bool failed = mask >> k & 1;
        checks += !s->check[k].own;
        down += failed;
        links += failed && s->check[k].own;
    }
    return links > 0 ? down == 1 : down <= 2 || checks <= 4;
}

static void simulate_row(const struct sim *s, const struct sim_result *x, enum sim_who normal,
                         const char *failed, FILE *out)
{
    char cell[16];
    size_t wide = strlen(failed);
    fprintf(out, "    %-*s", SIMULATE_WIDTH, failed);
    if (wide > SIMULATE_WIDTH)
        fprintf(out, "\n    %-*s", SIMULATE_WIDTH, "");
    for (size_t n = 0; n < s->nnodes; n++) {
        simulate_cell(x, n, cell);
        fprintf(out, " %6s", cell);
    }
    if (s->nnodes > 1)
        fprintf(out, "   %s%s", simulate_who(s, x->master), x->master != normal ? "  (moved)" : "");
    fputc('\n', out);
}

static void simulate_table(const struct sim *s, size_t r, FILE *out)
{
    struct sim_result *x = xcalloc(s->nrouter, sizeof *x);
    char text[SIMULATE_TEXT];
    uint64_t mask;
    size_t rows = 0, more = 0;
    simulate_router(s, r, text, sizeof text);
    fprintf(out, "\n%s", text);
    for (size_t n = 0; n < s->nnodes; n++) {
        const struct node_vi *v = s->router[r].vi[n];
        fprintf(out, "  %s %s%s%s", n > 0 ? "|" : "", s->node[n]->label, v != NULL ? ": " : ": none",
                v != NULL ? v->name : "");
        if (v != NULL && v->nopreempt)
            fprintf(out, " nopreempt");
    }
    fprintf(out, "\n    %-*s", SIMULATE_WIDTH, "failed");
    for (size_t n = 0; n < s->nnodes; n++)
        fprintf(out, " %6s", s->node[n]->label);
    fprintf(out, "%s\n", s->nnodes > 1 ? "   MASTER" : "");
    sim_result(s, 0, x);
    enum sim_who normal = x[r].master;
    for (size_t m = 0; sim_mask(s, m, &mask); m++) {
        if (!simulate_telling(s, mask) || rows == SIMULATE_ROWS) {
            more++;
            continue;
        }
        sim_result(s, mask, x);
        simulate_failed(s, mask, text, sizeof text);
        simulate_row(s, &x[r], normal, text, out);
        rows++;
    }
    if (more > 0)
        fprintf(out, "    and %zu more combinations (--json has all)\n", more);
    free(x);
}

void simulate_print(const struct sim *s, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < s[i].nrouter; r++)
            simulate_table(&s[i], r, out);
    fputc('\n', out);
}

/* ---- judgement */

static void simulate_idle(const struct sim *s, size_t r, size_t k, const char *about, const char *name,
                          struct findings *l)
{
    const struct sim_check *c = &s->check[k];
    const struct node_vi *v = s->router[r].vi[c->node];
    bool owner = v->priority == 255;
    struct finding *f =
        finding_add(l, FINDING_ERROR, "HS-IDLE", about, "%s fails and nothing happens: %s", name,
                    owner ? "the priority of an address owner (255) never changes"
                          : "weights of members have no effect in a sync group");
    if (owner)
        finding_remedy(f, "give %s a priority below 255", v->name);
    else
        finding_remedy(f, "add sync_group_tracking_weight to %s, track it in the group, or use weight 0",
                       v->sync);
}

/* Why it did not move, in numbers. */
static void simulate_stays(const struct sim *s, size_t r, size_t k, const char *about, const char *name,
                           enum sim_effect effect, struct findings *l)
{
    struct sim_result *x = xcalloc(s->nrouter, sizeof *x);
    int node = s->check[k].node, other = 1 - node, before, after;
    bool faults;
    sim_cost(s, r, k, &before, &after, &faults);
    sim_result(s, 0, x);
    const struct node_vi *peer = s->router[r].vi[other];
    int theirs = x[r].priority[other];
    free(x);
    struct finding *f = finding_add(
        l, effect == SIM_NEVER ? FINDING_ERROR : FINDING_WARNING,
        effect == SIM_NEVER ? "HS-NEVER" : "HS-TOGETHER", about, "%s fails, but the VIP does not move%s",
        name, effect == SIM_NEVER ? ", whatever else fails" : "; only together with other failures it does");
    if (after < theirs && peer->nopreempt) {
        finding_evidence(f, "priority %d -> %d is below the %d of %s, which must not preempt (nopreempt)",
                         before, after, theirs, s->node[other]->label);
        finding_remedy(f, "use weight 0, so that the failure is a FAULT, or drop nopreempt on %s",
                       s->node[other]->label);
    } else {
        finding_evidence(f, "priority %d -> %d, %s has %d", before, after, s->node[other]->label, theirs);
        finding_remedy(f, "use a weight below -%d, or 0 (failure is FAULT)", before - theirs);
    }
}

/* One file: the other router is not known. */
static void simulate_single(const struct sim *s, size_t r, size_t k, const char *about, const char *name,
                            struct findings *l)
{
    int before, after;
    bool faults;
    sim_cost(s, r, k, &before, &after, &faults);
    if (faults)
        return;
    if (before - after < 2) {
        struct finding *f =
            finding_add(l, FINDING_ERROR, "HS-NEVER", about,
                        "%s fails, but the VIP does not move, whatever the other router's priority", name);
        finding_evidence(f, "priority %d -> %d: no priority lies between", before, after);
        finding_remedy(f, "use a larger weight, or 0 (failure is FAULT)");
        return;
    }
    struct finding *f = finding_add(l, FINDING_NOTE, "HS-RANGE", about,
                                    "%s moves the VIP only to a router whose priority is between %d and %d",
                                    name, after + 1, before - 1);
    finding_remedy(f, "holdctl check --simulate A.conf B.conf says it of both configurations");
}

static void simulate_nobody(const struct sim *s, size_t r, const char *about, struct findings *l)
{
    struct sim_result *x = xcalloc(s->nrouter, sizeof *x);
    char text[SIMULATE_TEXT];
    uint64_t mask;
    for (size_t m = 0; s->nnodes > 1 && sim_mask(s, m, &mask); m++) {
        bool links = false;
        for (size_t k = 0; k < s->ncheck; k++)
            links = links || ((mask >> k & 1) && s->check[k].kind == TRACK_IF);
        sim_result(s, mask, x);
        if (links || x[r].master != SIM_NOBODY)
            continue;
        simulate_failed(s, mask, text, sizeof text);
        struct finding *f =
            finding_add(l, FINDING_NOTE, "HS-NOBODY", about,
                        "nobody is MASTER and the VIP is gone when all of these fail: %s", text);
        finding_remedy(f,
                       "if a VIP without its service is better than none, use weights instead of weight 0");
        break;
    }
    free(x);
}

/* Members of a group that the numbers would send to different nodes. */
static void simulate_torn(const struct sim *s, struct findings *l)
{
    struct sim_result *x = xcalloc(s->nrouter, sizeof *x);
    char text[SIMULATE_TEXT], about[128];
    uint64_t mask;
    bool said = false;
    for (size_t m = 0; s->nrouter > 1 && !said && sim_mask(s, m, &mask); m++) {
        sim_result(s, mask, x);
        for (size_t r = 1; r < s->nrouter && !said; r++) {
            if (x[r].master == x[0].master || x[r].master < 0 || x[0].master < 0)
                continue;
            simulate_router(s, r, about, sizeof about);
            simulate_failed(s, mask, text, sizeof text);
            struct finding *f =
                finding_add(l, FINDING_ERROR, "HS-TORN", about,
                            "the members of its sync group want different masters: the group changes "
                            "hands for ever");
            finding_evidence(f, "failed: %s; %s goes to %s, %s to %s", text,
                             simulate_any(&s->router[0])->name, simulate_who(s, x[0].master),
                             simulate_any(&s->router[r])->name, simulate_who(s, x[r].master));
            finding_remedy(f, "give all members of a group the same order of priorities on both nodes");
            said = true;
        }
    }
    free(x);
}

static void simulate_judge_check(const struct sim *s, size_t r, size_t k, struct findings *l)
{
    const struct node_track *t = sim_line(s, r, k);
    char name[300], about[128];
    if (t == NULL)
        return;
    simulate_router(s, r, about, sizeof about);
    simulate_check_name(s, k, name, sizeof name);
    if (t->idle) {
        simulate_idle(s, r, k, about, name, l);
        return;
    }
    if (t->own)
        return;
    if (s->nnodes < 2) {
        simulate_single(s, r, k, about, name, l);
        return;
    }
    enum sim_effect e = sim_effect(s, r, k);
    if (e == SIM_NEVER || e == SIM_TOGETHER)
        simulate_stays(s, r, k, about, name, e, l);
}

void simulate_judge(const struct sim *sets, size_t n, struct findings *l)
{
    char about[128];
    for (size_t i = 0; i < n; i++) {
        for (size_t r = 0; r < sets[i].nrouter; r++) {
            for (size_t k = 0; k < sets[i].ncheck; k++)
                simulate_judge_check(&sets[i], r, k, l);
            simulate_router(&sets[i], r, about, sizeof about);
            simulate_nobody(&sets[i], r, about, l);
        }
        if (sets[i].nnodes > 1)
            simulate_torn(&sets[i], l);
        if (sets[i].cut)
            finding_add(l, FINDING_NOTE, "HS-CUT", "",
                        "more than %d checks belong together; the others are left out", SIM_CHECKS);
    }
}
