/*
 * engine_table.c - the engine's table: built aside at prepare, begun at start, taken over at a reload.
 * Nothing flaps by a reload: what is the same by what it checks (identity.c) keeps its state, its retries and
 * its place in time. Called by main.c; trusts the slice's form. Linear but for the sort of a server's few
 * checks.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/engine.h"
#include "checkd/evidence.h"
#include "checkd/mail.h"

/* ---- building
 * -------------------------------------------------------------------------------------------------- */

static const struct checker_kind *kind_of(enum blk blk)
{
    const struct checker_kind *kind;

    for (size_t i = 0; (kind = checker_kind_at(i)) != NULL; i++)
        if (kind->blk == blk)
            return kind;
    return NULL;
}

static void link_server(struct server *r, struct checker *k)
{
    struct checker **at = &r->checkers;

    while (*at != NULL)
        at = &(*at)->next;
    *at = k;
}

/* How many of the same server's checkers before k have its identity. */
static uint32_t twins(const struct slice *s, const struct checker *k, uint64_t first)
{
    uint32_t nth = 0;

    for (const struct checker *o = k->server->checkers; o != k; o = o->next)
        if (o->kind == k->kind && identity_of(s, o->obj, o->server, 0) == first)
            nth++;
    return nth;
}

static int build_one(struct checkd *d, struct service_table *t, const struct slice *s,
                     const struct slice_obj *o, struct err *e)
{
    const struct checker_kind *kind = kind_of(o->blk);
    struct server *r = service_server_by_id(t, o->parent);
    struct checker *k = &t->checkers[t->ncheckers];
    uint64_t identity;
    uint32_t nth;

    if (r == NULL)
        return err_set(e, "HF-SLICE", o->name,
                       "check (line %u) outside of a real server: a bug of holdfast-conf", o->line);
    if (kind == NULL)
        return err_set(e, "HF-SLICE", r->label, "line %u: no engine for %s in this build", o->line,
                       schema_blk(o->blk)->name);
    *k = (struct checker){ .kind = kind, .d = d, .server = r, .id = o->id, .obj = o };
    checker_common_read(&k->common, o, r->obj, d->log_all);
    ev_timer_init(&k->due, engine_due, k);
    k->left = k->common.retry;
    k->up = !k->common.alpha;
    link_server(r, k);
    t->ncheckers++; /* from here on engine_drop frees it */
    identity = identity_of(s, o, r, 0);
    nth = twins(s, k, identity);
    k->identity = nth == 0 ? identity : identity_of(s, o, r, nth);
    return kind->build(k, s, o, e);
}

static void build_chunks(struct service_table *t)
{
    t->nevidence = t->nchecks / CHUNK_EVIDENCE + 1;
    if (t->nevidence > EVIDENCE_CHUNKS)
        t->nevidence = EVIDENCE_CHUNKS;
    t->chunks = xcalloc(t->nchecks / CHUNK_CHECKERS + 1, sizeof *t->chunks);
    t->service_chunks = xcalloc(t->nservices / CHUNK_SERVICES + 1, sizeof *t->service_chunks);
    t->evidence_chunks = xcalloc(t->nevidence, sizeof *t->evidence_chunks);
    for (size_t i = 0; i < t->nchecks / CHUNK_CHECKERS + 1; i++)
        t->chunks[i].item.owner = &t->chunks[i];
    for (size_t i = 0; i < t->nservices / CHUNK_SERVICES + 1; i++) {
        t->service_chunks[i].item.owner = &t->service_chunks[i];
        t->service_chunks[i].item.service = true;
    }
    for (size_t i = 0; i < t->nevidence; i++)
        t->evidence_chunks[i].item.owner = &t->evidence_chunks[i];
}

int engine_build(struct checkd *d, struct service_table *t, const struct slice *s, struct err *e)
{
    t->checkers = xcalloc(t->nchecks + 1, sizeof *t->checkers);
    build_chunks(t);
    for (size_t i = 0; i < slice_count(s); i++) { /* in order of ids: the table stays sorted */
        const struct slice_obj *o = slice_at(s, i);

        if (service_is_check(o->blk) && t->ncheckers < t->nchecks && build_one(d, t, s, o, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- counting
 * ---------------------------------------------------------------------------------------------------- */

/* Sums from the checkers' states, without telling anybody. */
static void count_server(struct server *s)
{
    int64_t adjust = 0;

    s->down = 0;
    for (const struct checker *k = s->checkers; k != NULL; k = k->next) {
        s->down += k->up ? 0 : 1;
        adjust = verdict_adjust(adjust, k->weight);
    }
    s->alive = s->down == 0;
    s->weight = s->ordered ? s->order : verdict_weight(s->configured, adjust);
    if (s->sorry || !s->alive)
        return;
    s->vs->live += s->weight;
    s->vs->nalive++;
}

/* The checkers are in their initial states here: what that makes of each service. */
static void initial_services(struct service_table *t)
{
    for (size_t i = 0; i < t->nservers; i++)
        count_server(&t->servers[i]);
    for (size_t i = 0; i < t->nservices; i++) {
        struct service *v = &t->services[i];

        v->present = !v->ha_suspend;
        v->initial = v->up = verdict_quorum(false, v->live, v->quorum, v->hysteresis);
    }
}

static void recount(struct service_table *t)
{
    for (size_t i = 0; i < t->nservices; i++) {
        t->services[i].live = 0;
        t->services[i].nalive = 0;
    }
    for (size_t i = 0; i < t->nservers; i++)
        count_server(&t->servers[i]);
}

/* ---- start
 * -------------------------------------------------------------------------------------------------------- */

/* A service that is new and has its quorum is told as if it had just gained it: quorum_up may be what
 * announces its address. */
static void announce_service(struct checkd *d, struct service *v)
{
    if (!v->up)
        return;
    v->told = false;
    feed_service_event(d, v, EVENT_TELL_FIFO | EVENT_TELL_SCRIPT, "it has its quorum from the start");
    mail_service_event(
        d->mail, v->id, true,
        &(struct mail_quorum){ .live = v->live, .quorum = v->quorum, .hysteresis = v->hysteresis });
}

/* All servers are told as they are; with rs_init_notifies as if each had just become so. */
static void announce(struct checkd *d, bool restart)
{
    bool notify = d->init_notifies && !restart;
    struct service_table *t = d->now;

    for (size_t i = 0; i < t->nservers; i++)
        t->servers[i].told = notify ? !t->servers[i].alive : t->servers[i].alive;
    for (size_t i = 0; i < t->nservices; i++)
        t->services[i].told = t->services[i].up;
    feed_status_all(d);
    for (size_t i = 0; !restart && i < t->nservices; i++)
        announce_service(d, &t->services[i]);
    for (size_t i = 0; notify && i < t->nservers; i++)
        if (!t->servers[i].sorry)
            feed_server_event(d, &t->servers[i], EVENT_TELL_FIFO | EVENT_TELL_SCRIPT, "initial state");
}

void engine_begin(struct checkd *d, bool restart)
{
    struct service_table *t = d->now;
    bool restored;

    initial_services(t);
    for (size_t i = 0; i < t->nservers; i++)
        t->servers[i].unproven = !restart && !t->servers[i].alive;
    restored = restart && state_restore(d);
    if (restored)
        recount(t);
    for (size_t i = 0; i < t->ncheckers; i++) {
        struct checker *k = &t->checkers[i];
        uint64_t loop = k->common.delay_loop;

        k->ever_done |= restored; /* the former incarnation has looked: retries count */
        engine_first(d, k, restored || !k->up ? 0 : ENGINE_MARGIN_NS, restored ? loop : k->common.warmup);
    }
    feed_init(d);
    announce(d, restart);
    for (size_t i = 0; i < t->nservices; i++)
        engine_judge_later(d, &t->services[i]);
}

/* ---- reload
 * -------------------------------------------------------------------------------------------------------- */

static struct checker *former_of(const struct server *s, uint64_t identity)
{
    struct checker *k = s->former != NULL ? s->former->checkers : NULL;

    while (k != NULL && k->identity != identity)
        k = k->next;
    return k;
}

static void timers_take_over(struct checkd *d, struct checker *k, struct checker *o)
{
    uint64_t now = ev_now(d->ev), loop = k->common.delay_loop;

    if (!engine_active(k)) {
        engine_cancel(d, o);
        return;
    }
    if (o->running && k->kind->take_over != NULL && k->kind->take_over(k, o)) {
        k->running = true;
        k->began = o->began;
        o->running = false;
    } else if (o->running) {
        engine_cancel(d, o);
        engine_schedule(d, k, now);
    } else if (ev_timer_armed(&o->due) && o->began <= now + loop) {
        engine_schedule(d, k, o->began);
    } else {
        engine_first(d, k, 0, loop); /* it ran more seldom, or not at all */
    }
}

static void checker_take_over(struct checkd *d, struct checker *k, struct checker *o)
{
    k->up = o->up;
    k->left = o->left < k->common.retry ? o->left : k->common.retry;
    if (o->left == o->common.retry)
        k->left = k->common.retry;
    k->ever_done = o->ever_done;
    k->passed_at = o->passed_at;
    k->failed_at = o->failed_at;
    k->turned_at = o->turned_at;
    k->failures = o->failures;
    k->evidence = o->evidence;
    o->evidence = NULL;
    k->ever_passed = o->ever_passed;
    k->weight = o->weight;
    if (k->kind->weighs && k->weight != 0) /* the weight a script gave holds until it gives another */
        k->weight += (int64_t)o->server->configured - (int64_t)k->server->configured;
    k->meter = o->meter;
    timers_take_over(d, k, o);
}

/* A dead server whose failing checks are all replaced is not put back unseen: the new ones must pass first.
 * A live one is believed in until a new check fails, alpha or not: alpha is for servers nobody has seen yet,
 * and an edited check would take all of them out of service for a delay_loop.
 */
static void server_take_over(struct checkd *d, struct server *s)
{
    bool failing = false, fresh = false, live = s->former != NULL && s->former->down == 0;

    for (struct checker *k = s->checkers; k != NULL; k = k->next) {
        struct checker *o = former_of(s, k->identity);

        if (o != NULL) {
            checker_take_over(d, k, o);
            failing |= !k->up;
        } else {
            fresh = true;
            k->up |= live;
            engine_first(d, k, 0, k->common.warmup);
        }
    }
    if (!fresh || failing || s->former == NULL || live)
        return;
    for (struct checker *k = s->checkers; k != NULL; k = k->next)
        if (former_of(s, k->identity) == NULL)
            k->up = false;
}

static void services_take_over(struct service_table *next)
{
    initial_services(next);
    for (size_t i = 0; i < next->nservices; i++) {
        struct service *v = &next->services[i];

        if (v->former == NULL)
            continue;
        v->up = v->former->up;
        if (v->ha_suspend && v->former->ha_suspend)
            v->present = v->former->present;
    }
}

/* What changed by the reload itself is an event; what waited to be told still waits. */
static void announce_changes(struct checkd *d)
{
    struct service_table *t = d->now;

    for (size_t i = 0; i < t->nservices; i++) {
        struct service *v = &t->services[i];

        v->told = v->former != NULL ? v->former->told : v->up;
        if (v->former == NULL)
            announce_service(d, v);
        else if (v->told != v->up)
            feed_service_event(d, v, EVENT_TELL_FIFO | EVENT_TELL_SCRIPT, v->former->cause);
        engine_judge_later(d, v);
    }
    for (size_t i = 0; i < t->nservers; i++) {
        struct server *s = &t->servers[i];

        s->told = s->former != NULL ? s->former->told : s->alive;
        if (s->former == NULL || s->told == s->alive)
            continue;
        feed_server_event(d, s, EVENT_TELL_FIFO | EVENT_TELL_SCRIPT,
                          s->former->cause != NULL ? s->former->cause : "the reload changed its checks");
    }
}

static void forget_former(struct service_table *t)
{
    for (size_t i = 0; i < t->nservices; i++)
        t->services[i].former = NULL;
    for (size_t i = 0; i < t->nservers; i++)
        t->servers[i].former = NULL;
}

void engine_take_over(struct checkd *d, struct service_table *next, struct service_table *cur)
{
    services_take_over(next);
    d->judge = NULL; /* all services of next are judged anew */
    for (size_t i = 0; i < next->nservers; i++)
        server_take_over(d, &next->servers[i]);
    recount(next);
    d->now = next;
    feed_init(d);
    feed_status_all(d);
    announce_changes(d);
    forget_former(next);
    engine_drop(d, cur);
}

/* ---- end
 * ----------------------------------------------------------------------------------------------------------
 */

void engine_drop(struct checkd *d, struct service_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->ncheckers; i++) {
        engine_cancel(d, &t->checkers[i]);
        free(t->checkers[i].evidence);
        if (t->checkers[i].kind->free != NULL)
            t->checkers[i].kind->free(&t->checkers[i]);
        free(t->checkers[i].state);
    }
    service_table_free(t);
}

void engine_omega(struct checkd *d)
{
    for (size_t i = 0; i < d->now->nservers; i++) {
        struct server *s = &d->now->servers[i];

        if (!s->vs->omega || s->sorry || !s->alive)
            continue;
        s->alive = false;
        feed_server_event(d, s, EVENT_TELL_FIFO | EVENT_TELL_SCRIPT, "holdfast stops");
    }
    for (size_t i = 0; i < d->now->nservices; i++) {
        struct service *v = &d->now->services[i];

        if (!v->omega || !v->up)
            continue;
        v->up = false;
        feed_service_event(d, v, EVENT_TELL_FIFO | EVENT_TELL_SCRIPT, "holdfast stops");
    }
}
