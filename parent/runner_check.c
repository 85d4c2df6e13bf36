/* runner_check.c - see runner_check.h. What asks may be taken over: it can make registered commands run, each
 * once at a time, and nothing else. */
#include "parent/runner_check.h"

#include <stdlib.h>

#include "common/chan.h"
#include "common/err.h"
#include "common/log.h"
#include "parent/parent.h"
#include "parent/runner.h"

#define CHECKS_MOST    256 /* at once; the others wait */
#define CHECKS_A_TURN  8   /* starts between two looks at everything else */
#define CHECKS_BUCKETS 1024

struct check {
    struct checks *c;
    struct check *next;                  /* in its bucket */
    struct check *wait_next, *wait_prev; /* in the queue of those not started */
    enum role who;
    uint32_t obj, token;
    struct script *script;
    struct scripts *all; /* our reference */
    struct run *run;     /* NULL: it waits */
    bool dying;          /* cancelled: its end interests nobody, but its successor has to wait for it */
};

struct checks {
    struct parent *p;
    struct check *bucket[CHECKS_BUCKETS];
    struct check *first, *last; /* waiting */
    size_t running;
    uint32_t generation[ROLE_MAX]; /* that the ids of a role's checks are of */
    struct ev_timer more;
};

static struct check **check_bucket(struct checks *c, uint32_t obj)
{
    return &c->bucket[obj * UINT32_C(2654435761) >> 22];
}

static void checks_start_some(struct checks *c);

static void checks_on_more(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    checks_start_some(arg);
}

struct checks *checks_new(struct parent *p)
{
    struct checks *c = xcalloc(1, sizeof *c);
    c->p = p;
    ev_timer_init(&c->more, checks_on_more, c);
    return c;
}

static void check_unlink(struct check *k)
{
    struct check **at = check_bucket(k->c, k->obj);
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
}

static void check_link(struct check *k)
{
    struct check **at = check_bucket(k->c, k->obj);
    k->next = *at;
    *at = k;
}

static void check_wait(struct check *k)
{
    struct checks *c = k->c;
    k->wait_prev = c->last;
    *(c->last != NULL ? &c->last->wait_next : &c->first) = k;
    c->last = k;
}

static void check_unwait(struct check *k)
{
    struct checks *c = k->c;
    *(k->wait_prev != NULL ? &k->wait_prev->wait_next : &c->first) = k->wait_next;
    *(k->wait_next != NULL ? &k->wait_next->wait_prev : &c->last) = k->wait_prev;
    k->wait_prev = k->wait_next = NULL;
}

static void check_free(struct check *k)
{
    check_unlink(k);
    if (k->run == NULL)
        check_unwait(k);
    else
        k->c->running--;
    scripts_unref(k->all);
    free(k);
}

void checks_free(struct checks *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < CHECKS_BUCKETS; i++)
        while (c->bucket[i] != NULL) {
            if (c->bucket[i]->run != NULL)
                runner_forget(c->bucket[i]->run);
            check_free(c->bucket[i]);
        }
    ev_timer_stop(c->p->ev, &c->more);
    free(c);
}

/* ---- answers */

static void check_tell(const struct check *k, const struct runner_end *e)
{
    struct room *m = &k->c->p->room[k->who];
    struct msg_ran r = {
        .obj = k->obj, .token = k->token, .how = (uint8_t)e->how, .value = e->value <= 4095 ? e->value : 4095
    };
    if (!k->dying && chan_alive(m->ch))
        chan_send(m->ch, MSG_ran, &r, NULL, 0);
}

static void check_on_end(void *arg, const struct runner_end *e)
{
    struct check *k = arg;
    struct checks *c = k->c;
    check_tell(k, e);
    check_free(k);
    checks_start_some(c);
}

/* Another run of the same object has not ended yet. */
static const struct check *check_before(const struct check *k)
{
    for (const struct check *o = *check_bucket(k->c, k->obj); o != NULL; o = o->next)
        if (o != k && o->obj == k->obj && o->who == k->who && o->run != NULL)
            return o;
    return NULL;
}

static void check_start(struct check *k)
{
    struct runner_job job = { .script = k->script,
                              .limit_ns = k->script->limit_ns,
                              .dies_with_us = true,
                              .done = check_on_end,
                              .arg = k };
    struct runner_end e;
    struct run *run = runner_start(k->c->p->runner, &job, &e);
    if (run == NULL) {
        check_tell(k, &e);
        check_free(k);
        return;
    }
    check_unwait(k);
    k->run = run;
    k->c->running++;
}

static void checks_start_some(struct checks *c)
{
    size_t budget = CHECKS_A_TURN;
    for (struct check *k = c->first, *next; k != NULL && c->running < CHECKS_MOST; k = next) {
        next = k->wait_next;
        if (check_before(k) != NULL)
            continue;
        if (budget-- == 0) {
            if (!ev_timer_armed(&c->more))
                ev_timer_in(c->p->ev, &c->more, 0);
            return;
        }
        check_start(k);
    }
}

/* ---- questions */

/* True: k is gone. */
static bool check_give_up(struct check *k)
{
    if (k->run == NULL) {
        check_free(k);
        return true;
    }
    k->dying = true;
    runner_terminate(k->run);
    return false;
}

/* The run of this object whose end is still awaited. */
static struct check *check_live(struct checks *c, enum role who, uint32_t obj)
{
    struct check *k = *check_bucket(c, obj);
    while (k != NULL && (k->obj != obj || k->who != who || k->dying))
        k = k->next;
    return k;
}

/* Its first word of a new generation may come before it says that it has committed. */
static void checks_follow(struct checks *c, enum role who, struct config *cf)
{
    if (cf->generation > c->generation[who])
        checks_renumber(c, who, cf);
}

int checks_run(struct checks *c, enum role who, struct config *cf, const struct msg_run *m)
{
    checks_follow(c, who, cf);
    struct script *s = scripts_check(cf->scripts, m->obj);
    if (s == NULL || (s->kw == KW_MISC_MISC_PATH) != (who == ROLE_CHECKD))
        return -1;
    struct check *former = check_live(c, who, m->obj);
    if (former != NULL) /* one at a time: over a reload its check may have become another one */
        check_give_up(former);
    struct check *k = xcalloc(1, sizeof *k);
    *k = (struct check){
        .c = c, .who = who, .obj = m->obj, .token = m->token, .script = s, .all = scripts_ref(s->all)
    };
    check_link(k);
    check_wait(k);
    checks_start_some(c);
    return 0;
}

int checks_cancel(struct checks *c, enum role who, struct config *cf, const struct msg_run_cancel *m)
{
    checks_follow(c, who, cf);
    struct check *k = check_live(c, who, m->obj);
    if (k != NULL)
        check_give_up(k);
    return 0; /* NULL: its answer crossed the question */
}

static struct check *checks_take_all(struct checks *c, enum role who)
{
    struct check *list = NULL;
    for (size_t i = 0; i < CHECKS_BUCKETS; i++)
        for (struct check **at = &c->bucket[i]; *at != NULL;) {
            struct check *k = *at;
            if (k->who != who) {
                at = &k->next;
                continue;
            }
            *at = k->next;
            k->next = list;
            list = k;
        }
    return list;
}

void checks_renumber(struct checks *c, enum role who, struct config *now)
{
    if (now->generation == c->generation[who])
        return;
    c->generation[who] = now->generation;
    for (struct check *k = checks_take_all(c, who), *next; k != NULL; k = next) {
        next = k->next;
        struct script *s = scripts_like(now->scripts, k->script);
        k->obj = 0; /* nobody's, unless it is found */
        if (s != NULL) {
            k->obj = s->obj;
            scripts_ref(now->scripts);
            scripts_unref(k->all);
            k->all = now->scripts;
            k->script = s;
        }
        check_link(k);
        if (s == NULL && !k->dying)
            check_give_up(k);
    }
}

void checks_drop(struct checks *c, enum role who)
{
    for (size_t i = 0; i < CHECKS_BUCKETS; i++)
        for (struct check *k = c->bucket[i], *next; k != NULL; k = next) {
            next = k->next;
            if (k->who == who && !k->dying)
                check_give_up(k);
        }
}
