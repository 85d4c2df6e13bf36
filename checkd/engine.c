/*
 * engine.c - attempts and verdicts; see engine.h. Trusts the kinds to end each attempt once (anything else is
 * a bug and fatal), nobody else. Every step is a few operations however many servers there are; only a quorum
 * that is gained or lost touches all servers of its service.
 */
#include "checkd/engine.h"
#include "checkd/mail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Checks due within one step start in one turn: fewer wake-ups, which are most of what a check costs. The
 * steps are parts of a second, so that a loop of whole seconds is never longer or shorter than it should be.
 */
#define GRID_SLOW_NS   (20 * NS_PER_MS)
#define GRID_SLOW_FROM NS_PER_SEC
#define GRID_FAST_NS   (4 * NS_PER_MS)
#define GRID_FAST_FROM (100 * NS_PER_MS) /* faster loops keep their own time */
#define LATE_NS        (100 * NS_PER_MS)
#define LINES_A_SECOND 200
/* Attempts begun a turn. Less than the loop ends in one (EV_BATCH of ev.c): a machine that is late gets
 * later, it does not open sockets faster than it can close them. */
#define STARTS_A_TURN 32
#define TELL_ALL      (EVENT_TELL_FIFO | EVENT_TELL_SCRIPT)

/* ---- log: a line a change, a number when there are too many
 * --------------------------------------------------- */

static void lines_flush(struct checkd *d, uint64_t now)
{
    if (now < d->lines_window)
        return;
    if (d->lines_more > 0)
        log_notice("%u more changes of real servers are not listed one by one; the status has them all",
                   d->lines_more);
    d->lines_window = now + NS_PER_SEC;
    d->lines = d->lines_more = 0;
}

static bool lines_allow(struct checkd *d)
{
    lines_flush(d, ev_now(d->ev));
    if (d->lines < LINES_A_SECOND) {
        d->lines++;
        return true;
    }
    d->lines_more++;
    return false;
}

/* ---- verdicts
 * ------------------------------------------------------------------------------------------------ */

struct verdict_wanted engine_wanted(const struct server *s)
{
    struct verdict_service v = { .up = s->vs->up,
                                 .sorry = s->vs->sorry != NULL,
                                 .sorry_inhibit = s->vs->sorry_inhibit };

    if (s->sorry)
        return verdict_sorry(s->weight, &v);
    return s->ordered && s->order == 0 ? verdict_drained(s->alive, s->inhibit)
                                       : verdict_server(s->alive, s->weight, s->inhibit, &v);
}

void engine_judge_later(struct checkd *d, struct service *v)
{
    if (v->judging)
        return;
    v->judging = true;
    v->judge_next = d->judge;
    d->judge = v;
}

static void judge_service(struct checkd *d, struct service *v)
{
    bool up = verdict_quorum(v->up, v->live, v->quorum, v->hysteresis);
    char cause[160];
    struct server *s;

    if (up == v->up)
        return;
    v->up = up;
    snprintf(cause, sizeof cause, "weight %llu of %u live servers, quorum %llu, hysteresis %llu",
             (unsigned long long)v->live, v->nalive, (unsigned long long)v->quorum,
             (unsigned long long)v->hysteresis);
    log_notice("virtual server %s %s its quorum: %s%s", v->label, up ? "has" : "lost", cause,
               v->sorry == NULL ? ""
               : up             ? "; the sorry server leaves"
                                : "; the sorry server takes over");
    for (size_t i = 0; (s = service_server_at(d->now, v, i)) != NULL; i++)
        if (v->sorry != NULL)
            feed_server_state(d, s);
    feed_service_event(d, v, TELL_ALL, cause);
    mail_service_event(
        d->mail, v->id, up,
        &(struct mail_quorum){ .live = v->live, .quorum = v->quorum, .hysteresis = v->hysteresis });
    feed_service_snap(d, (size_t)(v - d->now->services));
}

static void log_server(struct checkd *d, const struct server *s, const char *cause)
{
    if (lines_allow(d))
        log_notice("real server %s of virtual server %s is %s: %s (%u of %u servers up)", s->label,
                   s->vs->label,
                   s->alive     ? "up"
                   : s->inhibit ? "down, weight 0"
                                : "down",
                   cause, s->vs->nalive, s->vs->nservers);
}

static uint32_t weight_of(const struct server *s)
{
    int64_t adjust = 0;

    for (const struct checker *k = s->checkers; k != NULL; k = k->next)
        adjust = verdict_adjust(adjust, k->weight);
    return s->ordered ? s->order : verdict_weight(s->configured, adjust);
}

void engine_judge_server(struct checkd *d, struct server *s, const char *cause)
{
    bool alive = s->down == 0;
    uint32_t weight = weight_of(s);
    bool changed = alive != s->alive;

    if (!changed && weight == s->weight)
        return;
    if (!s->sorry) {
        s->vs->live -= s->alive ? s->weight : 0;
        s->vs->live += alive ? weight : 0;
        if (changed && alive)
            s->vs->nalive++;
        else if (changed)
            s->vs->nalive--;
        engine_judge_later(d, s->vs);
    }
    if (weight != s->weight && !changed && lines_allow(d))
        log_info("real server %s of virtual server %s: weight %u, was %u (%s)", s->label, s->vs->label,
                 weight, s->weight, cause);
    s->alive = alive;
    s->weight = weight;
    feed_server_state(d, s);
    feed_server_event(d, s, changed ? TELL_ALL : 0, cause);
    if (!changed)
        return;
    log_server(d, s, cause);
    mail_server_event(d->mail, s->id, alive, cause);
}

void engine_order(struct checkd *d, struct server *s, bool set, uint32_t weight)
{
    bool same = s->ordered == set && (!set || s->order == weight);
    struct verdict_wanted was = engine_wanted(s);

    s->ordered = set;
    s->order = weight;
    if (same || s->sorry)
        return;
    engine_judge_server(d, s,
                        !set          ? "enabled by the operator"
                        : weight == 0 ? "drained by the operator"
                                      : "weight by order of the operator");
    if (was.in !=
        engine_wanted(s).in) /* of the same weight as before, but its place in the table is another */
        feed_server_state(d, s);
}

static void checker_turn(struct checker *k, bool up, const char *cause)
{
    struct server *s = k->server;
    struct checkd *d = k->d;
    bool was = s->alive;
    char text[240];

    if (k->up == up)
        return;
    k->up = up;
    k->turned_at = clock_realtime_ns();
    if (up)
        s->down--;
    else
        s->down++;
    feed_checker_snap(d, (size_t)(k - d->now->checkers));
    feed_checker_evidence(d, (size_t)(k - d->now->checkers));
    snprintf(text, sizeof text, "%s: %s", k->kind->name, cause);
    engine_judge_server(d, s, text);
    if (s->alive == was)
        mail_checker_event(d->mail, s->id, k->kind->name, up, cause);
    if (s->alive == was && lines_allow(d))
        log_info("%s of real server %s, virtual server %s, is %s: %s; the server stays down, %u of its %u "
                 "checks fail",
                 k->kind->name, s->label, s->vs->label, up ? "up" : "down", cause, s->down, s->nchecks);
}

/* ---- attempts
 * ------------------------------------------------------------------------------------------------ */

bool engine_active(const struct checker *k)
{
    return k->server->vs->present && !k->kind->passive;
}

void engine_schedule(struct checkd *d, struct checker *k, uint64_t at)
{
    uint64_t loop = k->common.delay_loop;
    uint64_t step = loop >= GRID_SLOW_FROM ? GRID_SLOW_NS : loop >= GRID_FAST_FROM ? GRID_FAST_NS : 1;

    k->began = at; /* the ideal time: what the grid adds never accumulates */
    at += (step - at % step) % step;
    ev_timer_at(d->ev, &k->due, at);
}

void engine_first(struct checkd *d, struct checker *k, uint64_t margin, uint64_t spread)
{
    if (engine_active(k))
        engine_schedule(d, k, ev_now(d->ev) + margin + checker_random(k, spread));
}

/* Back to their timers, which fire in the next turn: before one of them is taken away. */
static void overdue_return(struct checkd *d)
{
    while (d->overdue != NULL) {
        struct checker *k = d->overdue;

        d->overdue = k->overdue_next;
        k->overdue = false;
        ev_timer_at(d->ev, &k->due, k->due.deadline);
    }
}

void engine_cancel(struct checkd *d, struct checker *k)
{
    if (k->overdue)
        overdue_return(d);
    ev_timer_stop(d->ev, &k->due);
    if (!k->running)
        return;
    k->running = false;
    d->running--;
    k->kind->cancel(k);
}

static void attempt_begin(struct checkd *d, struct checker *k, uint64_t now)
{
    uint64_t late = now > k->due.deadline ? now - k->due.deadline : 0;

    if (late > d->latest)
        d->latest = late;
    if (late > LATE_NS) {
        d->late++;
        k->began = now; /* what was missed is not made up for in a burst */
    }
    d->starts++;
    d->attempts++;
    d->running++;
    k->running = true;
    meter_begin(d, k, late, now);
    k->kind->start(k);
}

void engine_due(struct ev_timer *t, uint64_t now, void *arg)
{
    struct checker *k = arg;
    struct checkd *d = k->d;

    (void)t;
    if (d->starts < STARTS_A_TURN) {
        attempt_begin(d, k, now);
        return;
    }
    if (d->overdue == NULL)
        d->overdue_last = &d->overdue;
    k->overdue = true;
    k->overdue_next = NULL;
    *d->overdue_last = k;
    d->overdue_last = &k->overdue_next;
}

/* The first come, first served; those due in the next turn queue behind. */
static void overdue_run(struct checkd *d)
{
    d->starts = 0;
    while (d->overdue != NULL && d->starts < STARTS_A_TURN) {
        struct checker *k = d->overdue;

        d->overdue = k->overdue_next;
        k->overdue = false;
        attempt_begin(d, k, ev_now(d->ev));
    }
}

bool engine_settle(struct checkd *d)
{
    overdue_run(d);
    while (d->judge != NULL) {
        struct service *v = d->judge;

        d->judge = v->judge_next;
        v->judging = false;
        judge_service(d, v);
    }
    if (d->lines_more > 0)
        lines_flush(d, ev_now(d->ev));
    return d->overdue != NULL;
}

/* On its own time grid; an attempt longer than its loop leaves the server a breath. */
static uint64_t next_time(const struct checker *k, uint64_t now)
{
    uint64_t loop = k->common.delay_loop, at;

    at = k->began < TIME_NEVER - loop ? k->began + loop : TIME_NEVER;
    return at > now + loop / 4 ? at : now + loop / 4;
}

static void attempt_end(struct checker *k)
{
    if (k->kind->passive)
        return;
    if (!k->running)
        fatal("%s of %s gave a verdict without an attempt", k->kind->name, checker_server_label(k));
    k->running = false;
    k->d->running--;
    meter_end(k->d, k, ev_now(k->d->ev));
}

void checker_passed(struct checker *k, const char *fmt, ...)
{
    char cause[160];
    va_list ap;

    attempt_end(k);
    k->ever_done = k->ever_passed = true;
    k->meter.passed++;
    k->passed_at = clock_realtime_ns();
    k->left = k->common.retry;
    if (engine_active(k))
        engine_schedule(k->d, k, next_time(k, ev_now(k->d->ev)));
    if (k->up)
        return; /* the usual case costs no text */
    va_start(ap, fmt);
    vsnprintf(cause, sizeof cause, fmt, ap);
    va_end(ap);
    checker_turn(k, true, cause);
}

void checker_continues(struct checker *k, uint64_t delay_ns, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    attempt_end(k);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_debug("%s of real server %s: %s", k->kind->name, k->server->label, text);
    if (engine_active(k))
        engine_schedule(k->d, k, ev_now(k->d->ev) + delay_ns);
}

/* Does this failure take the checker down? The very first attempt of a checker that was believed in has no
 * retries: nobody has seen the server alive yet. */
static bool counts(struct checker *k, bool first)
{
    if (k->kind->passive || first || k->left == 0)
        return true;
    k->left--;
    return false;
}

static void checker_note(struct checker *k, const char *evidence)
{
    k->failed_at = clock_realtime_ns();
    k->failures++;
    if (k->evidence != NULL && strcmp(k->evidence, evidence) == 0)
        return;
    free(k->evidence);
    k->evidence = xstrdup(evidence);
    if (!k->up)
        feed_checker_evidence(k->d, (size_t)(k - k->d->now->checkers));
}

/* alpha: the first failure of a server nobody has believed in makes its being down a fact, and that is told.
 */
static void still_down(struct checker *k, const char *cause)
{
    struct server *s = k->server;
    char text[240];

    if (!s->unproven || s->alive)
        return;
    s->unproven = false;
    snprintf(text, sizeof text, "%s: %s", k->kind->name, cause);
    if (!k->d->init_notifies) /* it has been told at the start */
        feed_server_down(k->d, s, text);
    log_server(k->d, s, text);
    mail_checker_event(k->d->mail, s->id, k->kind->name, false, cause);
}

void checker_failed(struct checker *k, const char *fmt, ...)
{
    struct checkd *d = k->d;
    bool first = !k->ever_done, was = k->up, down = true;
    char cause[200];
    va_list ap;

    attempt_end(k);
    d->failures++;
    k->meter.failed++;
    k->ever_done = true;
    va_start(ap, fmt);
    vsnprintf(cause, sizeof cause, fmt, ap);
    va_end(ap);
    checker_note(k, cause);
    if (was)
        down = counts(k, first);
    if (engine_active(k)) {
        uint64_t now = ev_now(d->ev);

        engine_schedule(d, k, was && !down ? now + k->common.delay_before_retry : next_time(k, now));
    }
    if (k->common.log_all_failures && !(was && down) && lines_allow(d))
        log_info("%s of real server %s, virtual server %s, failed: %s (%s)", k->kind->name, k->server->label,
                 k->server->vs->label, cause, was ? "it is tried again" : "it is down already");
    if (was && down)
        checker_turn(k, false, cause);
    else if (!was && first)
        still_down(k, cause);
}

void engine_present(struct checkd *d, struct service *v, bool present)
{
    struct server *s;

    if (!v->ha_suspend || v->present == present)
        return;
    v->present = present;
    log_info("virtual server %s: its address is %s this machine, checks %s", v->label,
             present ? "now on" : "not on", present ? "run" : "pause and the servers keep their state");
    for (size_t i = 0; (s = service_server_at(d->now, v, i)) != NULL; i++)
        for (struct checker *k = s->checkers; k != NULL; k = k->next) {
            if (present)
                engine_first(d, k, 0, k->common.warmup);
            else
                engine_cancel(d, k);
        }
}

/* ---- what the kinds ask
 * ---------------------------------------------------------------------------------------- */

static void weight_change(struct checker *k, int64_t weight)
{
    if (k->weight == weight)
        return;
    k->weight = weight;
    feed_checker_snap(k->d, (size_t)(k - k->d->now->checkers));
    engine_judge_server(k->d, k->server, k->kind->name);
}

/* Told as the distance from the configured weight: several checkers add up. */
void checker_weight_set(struct checker *k, uint32_t weight)
{
    weight_change(k, (int64_t)weight - (int64_t)k->server->configured);
}

void checker_weight_add(struct checker *k, int64_t delta)
{
    weight_change(k, delta);
}

void checker_weight_clear(struct checker *k)
{
    weight_change(k, 0);
}

struct ev *checker_ev(struct checker *k)
{
    return k->d->ev;
}

const char *checker_server_label(const struct checker *k)
{
    return k->server->label;
}

/* splitmix64: spreads well from any seed. */
uint64_t checker_random(struct checker *k, uint64_t below)
{
    uint64_t z = k->d->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return below > 0 ? z % below : 0;
}

struct checker *checkd_checker(struct checkd *d, uint32_t id)
{
    return d->now != NULL ? service_checker_by_id(d->now, id) : NULL;
}

struct checker *checkd_next_checker(struct checkd *d, const struct checker_kind *kind, struct checker *prev)
{
    size_t i;

    if (d->now == NULL)
        return NULL;
    for (i = prev == NULL ? 0 : (size_t)(prev - d->now->checkers) + 1; i < d->now->ncheckers; i++)
        if (d->now->checkers[i].kind == kind)
            return &d->now->checkers[i];
    return NULL;
}
