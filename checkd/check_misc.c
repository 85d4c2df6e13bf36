/*
 * check_misc.c - MISC_CHECK: the parent runs the registered command and tells how it ended; here its end
 * becomes a verdict. Whatever is no orderly end with a good status is a failure with its reason: not
 * runnable, killed, too long. Runs of one check never overlap. The parent is trusted, yet an answer that does
 * not come at all is a failure too: a guard does not stay passed because nobody looked. Called by engine.c
 * through checker.h and by kinds.c for the answers.
 */
#include "checkd/check_misc.h"

#include <string.h>

#include "checkd/checkd.h"

#define MISC_PATIENCE (30 * NS_PER_SEC) /* beyond twice the time limit: many scripts may wait their turn */

enum { STATUS_UP, STATUS_DOWN, STATUS_WEIGHT_BASE, STATUS_MOST = 255 };

struct check_misc {
    struct checker *k;
    uint64_t limit; /* misc_timeout, ns: the parent stops the script then */
    struct ev_timer silence;
    uint32_t token;
    uint32_t generation; /* k->id is of */
    bool asked;          /* a run is on its way */
    bool dynamic;
};

static void misc_tell_parent(struct checker *k, enum msg_type type, const void *body)
{
    struct chan *parent = k->d->child != NULL ? child_parent(k->d->child) : NULL;

    if (parent != NULL && chan_alive(parent))
        chan_send(parent, type, body, NULL, 0);
}

static uint32_t misc_generation(const struct checker *k)
{
    return k->d->child != NULL ? child_generation(k->d->child) : 0;
}

static void misc_over(struct check_misc *s)
{
    s->asked = false;
    ev_timer_stop(checker_ev(s->k), &s->silence);
}

/* 0 and, dynamic, 2 to 255 are good. */
static void misc_status(struct check_misc *s, uint32_t status)
{
    struct checker *k = s->k;

    if (status == STATUS_UP) {
        if (s->dynamic)
            checker_weight_clear(k);
        checker_passed(k, "script ended with status 0");
    } else if (s->dynamic && status != STATUS_DOWN && status <= STATUS_MOST) {
        checker_weight_set(k, status - STATUS_WEIGHT_BASE);
        checker_passed(k, "script ended with status %u, weight %u", status, status - STATUS_WEIGHT_BASE);
    } else {
        checker_failed(k, "script ended with status %u", status);
    }
}

static void misc_ended(struct check_misc *s, enum run_end how, uint32_t value)
{
    struct checker *k = s->k;

    misc_over(s);
    switch (how) {
    case RUN_END_EXIT: misc_status(s, value); return;
    case RUN_END_SIGNAL: checker_failed(k, "script was killed by signal %u", value); return;
    case RUN_END_TIMEOUT:
        checker_failed(k, "script did not end within %g s and was stopped",
                       (double)s->limit / (double)NS_PER_SEC);
        return;
    case RUN_END_NOT_RUN: checker_failed(k, "script cannot be run: %s", strerror((int)value)); return;
    }
    checker_failed(k, "script ended in an unknown way (%u)", (unsigned int)how);
}

static bool misc_is(const struct checker *k, uint32_t token)
{
    const struct check_misc *s = k != NULL && k->kind == check_misc_kind() ? k->state : NULL;

    return s != NULL && s->asked && s->token == token;
}

void check_misc_ran(struct checkd *d, const struct msg_ran *m)
{
    struct checker *k = checkd_checker(d, m->obj);

    if (!misc_is(k, m->token)) { /* asked for under another generation's id, or given up */
        k = NULL;
        while ((k = checkd_next_checker(d, check_misc_kind(), k)) != NULL && !misc_is(k, m->token))
            ;
    }
    if (k != NULL)
        misc_ended(k->state, (enum run_end)m->how, m->value);
}

/* ---- the kind ---------------------------------------------------------------------------------- */

/* What a commit leaves behind carries an id of the former generation, which means another check now: the
 * parent has compared both configurations itself and stops what the new one does not have. */
static void misc_give_up(struct check_misc *s)
{
    struct msg_run_cancel m = { .obj = s->k->id };

    misc_over(s);
    if (s->generation == misc_generation(s->k))
        misc_tell_parent(s->k, MSG_run_cancel, &m);
}

static void misc_on_silence(struct ev_timer *t, uint64_t now, void *arg)
{
    struct check_misc *s = arg;

    (void)t;
    (void)now;
    misc_give_up(s);
    checker_failed(s->k, "script: no word from the parent within %g s",
                   (double)(2 * s->limit + MISC_PATIENCE) / (double)NS_PER_SEC);
}

static int misc_build(struct checker *k, const struct slice *sl, const struct slice_obj *o, struct err *e)
{
    struct check_misc *s = xcalloc(1, sizeof *s);

    (void)sl;
    (void)e;
    k->state = s;
    s->k = k;
    s->dynamic = slice_bool(o, KW_MISC_MISC_DYNAMIC, false);
    s->limit = slice_ns(o, KW_MISC_MISC_TIMEOUT, 0);
    if (s->limit == 0)
        s->limit = k->common.delay_loop;
    ev_timer_init(&s->silence, misc_on_silence, s);
    return 0;
}

static void misc_start(struct checker *k)
{
    struct check_misc *s = k->state;
    struct msg_run m = { .obj = k->id, .token = ++k->d->token };

    s->token = m.token;
    s->generation = misc_generation(k);
    s->asked = true;
    ev_timer_in(checker_ev(k), &s->silence, 2 * s->limit + MISC_PATIENCE);
    misc_tell_parent(k, MSG_run, &m);
}

static void misc_cancel(struct checker *k)
{
    struct check_misc *s = k->state;

    if (s->asked)
        misc_give_up(s);
}

/* The parent lets the script run on over a reload and knows it by its new id; its answer is known by the
 * token. */
static bool misc_take_over(struct checker *now, struct checker *old)
{
    struct check_misc *s = now->state, *o = old->state;

    s->asked = o->asked;
    s->token = o->token;
    s->generation = misc_generation(now);
    misc_over(o);
    ev_timer_in(checker_ev(now), &s->silence, 2 * s->limit + MISC_PATIENCE);
    return true;
}

const struct checker_kind *check_misc_kind(void)
{
    static const struct checker_kind kind = { .blk = BLK_MISC,
                                              .name = "MISC_CHECK",
                                              .weighs = true,
                                              .build = misc_build,
                                              .start = misc_start,
                                              .cancel = misc_cancel,
                                              .take_over = misc_take_over };

    return &kind;
}
