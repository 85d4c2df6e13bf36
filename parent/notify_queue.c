/*
 * notify_queue.c - see notify_queue.h. A script that never ends (some people start a service that way) must
 * not keep the next event's script from running: after NOTIFY_PATIENCE the next one starts beside it.
 */
#include "parent/notify_queue.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/hash.h"
#include "common/log.h"

#define NOTIFY_MOST     32 /* at once, counting those the queues still wait for */
#define NOTIFY_A_TURN   8
#define NOTIFY_PATIENCE (5 * NS_PER_SEC)
#define NOTIFY_LONGEST  64 /* waiting in one queue; then the oldest news are worth nothing */
#define NOTIFY_BUCKETS  256
#define NOTIFY_TRIES    5 /* when the machine is short of something */
#define NOTIFY_AGAIN    (2 * NS_PER_SEC)

struct notify_item {
    struct notify_item *next;
    struct script *script;
    struct scripts *all; /* our reference */
    unsigned int tries;
    size_t nextra;
    char *extra[]; /* one allocation each */
};

struct notify_queue {
    struct notify_queues *all;
    struct notify_queue *next;       /* in its bucket */
    struct notify_queue *ready_next; /* among those that could start one */
    bool ready;
    char *key;
    struct notify_item *first, *last;
    size_t waiting, dropped;
    struct run *run; /* the one it waits for */
    struct script *running;
    struct ev_timer patience;
};

struct notify_queues {
    struct ev *ev;
    struct runner *runner;
    struct notify_queue *bucket[NOTIFY_BUCKETS];
    struct notify_queue *ready_first, *ready_last;
    size_t queues, waiting, running;
    bool hurry;
    struct ev_timer more;
};

static void notify_start_some(struct notify_queues *q);

static void notify_on_more(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    notify_start_some(arg);
}

struct notify_queues *notify_queues_new(struct ev *ev, struct runner *r)
{
    struct notify_queues *q = xcalloc(1, sizeof *q);
    q->ev = ev;
    q->runner = r;
    ev_timer_init(&q->more, notify_on_more, q);
    return q;
}

static void item_free(struct notify_item *i)
{
    for (size_t n = 0; n < i->nextra; n++)
        free(i->extra[n]);
    scripts_unref(i->all);
    free(i);
}

static struct notify_item *queue_pop(struct notify_queue *u)
{
    struct notify_item *i = u->first;
    u->first = i->next;
    if (u->first == NULL)
        u->last = NULL;
    u->waiting--;
    u->all->waiting--;
    return i;
}

static struct notify_queue **queue_bucket(struct notify_queues *q, const char *key)
{
    return &q->bucket[hash_place(hash_text(HASH_START, key)) % NOTIFY_BUCKETS];
}

static void queue_free(struct notify_queue *u)
{
    struct notify_queue **at = queue_bucket(u->all, u->key);
    while (u->first != NULL)
        item_free(queue_pop(u));
    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    if (u->run != NULL)
        runner_forget(u->run);
    ev_timer_stop(u->all->ev, &u->patience);
    u->all->queues--;
    free(u->key);
    free(u);
}

void notify_queues_free(struct notify_queues *q)
{
    if (q == NULL)
        return;
    for (size_t i = 0; i < NOTIFY_BUCKETS; i++)
        while (q->bucket[i] != NULL)
            queue_free(q->bucket[i]);
    ev_timer_stop(q->ev, &q->more);
    free(q);
}

/* ---- starting */

static void queue_make_ready(struct notify_queue *u)
{
    struct notify_queues *q = u->all;
    if (u->ready)
        return;
    u->ready = true;
    u->ready_next = NULL;
    *(q->ready_last != NULL ? &q->ready_last->ready_next : &q->ready_first) = u;
    q->ready_last = u;
}

/* Its script has ended, or is not waited for any longer: the next, or the end of the queue. */
static void queue_go_on(struct notify_queue *u)
{
    struct notify_queues *q = u->all;
    u->run = NULL;
    q->running--;
    ev_timer_stop(q->ev, &u->patience);
    queue_make_ready(u); /* an empty one is buried there */
    notify_start_some(q);
}

static void queue_on_end(void *arg, const struct runner_end *e)
{
    struct notify_queue *u = arg;
    if (e->how == RUN_END_EXIT && e->value != 0)
        log_info("%s: ended with status %u", u->running->label, e->value);
    else if (e->how == RUN_END_SIGNAL)
        log_notice("%s: died of signal %u", u->running->label, e->value);
    queue_go_on(u);
}

static void queue_on_patience(struct ev_timer *t, uint64_t now, void *arg)
{
    struct notify_queue *u = arg;
    (void)t;
    (void)now;
    if (u->run == NULL) { /* it could not be started a moment ago */
        queue_make_ready(u);
        notify_start_some(u->all);
        return;
    }
    if (u->first == NULL && u->all->running < NOTIFY_MOST)
        return; /* nobody waits for it; an event to come will ask again */
    log_notice("%s (pid %d) still runs after %u s: what comes next starts beside it", u->running->label,
               (int)runner_pid(u->run), (unsigned int)(NOTIFY_PATIENCE / NS_PER_SEC));
    runner_forget(u->run);
    queue_go_on(u);
}

/* Not the script's fault, and it may pass. True: the item is first again. */
static bool queue_try_again(struct notify_queue *u, struct notify_item *i, unsigned int error)
{
    bool short_of =
        error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE || error == ETIMEDOUT;
    if (!short_of || u->all->hurry || ++i->tries >= NOTIFY_TRIES)
        return false;
    i->next = u->first;
    u->first = i;
    if (u->last == NULL)
        u->last = i;
    u->waiting++;
    u->all->waiting++;
    ev_timer_in(u->all->ev, &u->patience, NOTIFY_AGAIN);
    return true;
}

static void queue_start_one(struct notify_queue *u)
{
    struct notify_item *i = queue_pop(u);
    struct runner_job job = { .script = i->script,
                              .extra = (const char *const *)i->extra,
                              .nextra = i->nextra,
                              .done = queue_on_end,
                              .arg = u };
    struct runner_end e;
    u->running = i->script;
    u->run = runner_start(u->all->runner, &job, &e);
    if (u->run != NULL) {
        u->all->running++;
        ev_timer_in(u->all->ev, &u->patience, NOTIFY_PATIENCE);
    } else if (queue_try_again(u, i, e.value)) {
        return;
    } else {
        queue_make_ready(u);
    }
    item_free(i); /* the run holds its own reference on what u->running points into */
}

static void notify_start_some(struct notify_queues *q)
{
    size_t budget = NOTIFY_A_TURN;
    while (q->ready_first != NULL && q->running < NOTIFY_MOST && !q->hurry) {
        struct notify_queue *u = q->ready_first;
        if (u->first != NULL && budget-- == 0) {
            if (!ev_timer_armed(&q->more))
                ev_timer_in(q->ev, &q->more, 0);
            return;
        }
        q->ready_first = u->ready_next;
        if (q->ready_first == NULL)
            q->ready_last = NULL;
        u->ready = false;
        if (u->first != NULL)
            queue_start_one(u);
        else
            queue_free(u);
    }
}

/* ---- events */

static struct notify_queue *queue_of(struct notify_queues *q, const char *key)
{
    struct notify_queue **at = queue_bucket(q, key);
    for (struct notify_queue *u = *at; u != NULL; u = u->next)
        if (strcmp(u->key, key) == 0)
            return u;
    struct notify_queue *u = xcalloc(1, sizeof *u);
    u->all = q;
    u->key = xstrdup(key);
    u->next = *at;
    *at = u;
    ev_timer_init(&u->patience, queue_on_patience, u);
    q->queues++;
    return u;
}

static void queue_shorten(struct notify_queue *u)
{
    if (u->waiting <= NOTIFY_LONGEST)
        return;
    item_free(queue_pop(u));
    if (u->dropped++ == 0)
        log_warn("%s: events come faster than its scripts end; of more than %u waiting ones the oldest are "
                 "dropped",
                 u->key, NOTIFY_LONGEST);
}

void notify_queue_add(struct notify_queues *q, const char *key, struct script *s, const char *const *extra,
                      size_t nextra)
{
    struct notify_queue *u = queue_of(q, key);
    struct notify_item *i = xcalloc(1, sizeof *i + nextra * sizeof i->extra[0]);
    i->script = s;
    i->all = scripts_ref(s->all);
    for (; i->nextra < nextra; i->nextra++)
        i->extra[i->nextra] = xstrdup(extra[i->nextra]);
    *(u->last != NULL ? &u->last->next : &u->first) = i;
    u->last = i;
    u->waiting++;
    q->waiting++;
    queue_shorten(u);
    if (u->run == NULL && !ev_timer_armed(&u->patience))
        queue_make_ready(u);
    else if (u->run != NULL && !ev_timer_armed(&u->patience))
        ev_timer_in(q->ev, &u->patience, 0); /* it had its time already */
    if (!ev_timer_armed(&q->more))
        ev_timer_in(q->ev, &q->more, 0); /* behind what else this turn has to do */
}

bool notify_queues_idle(const struct notify_queues *q)
{
    return q->waiting == 0 && q->running == 0;
}

void notify_queues_hurry(struct notify_queues *q)
{
    q->hurry = true;
    for (size_t i = 0; i < NOTIFY_BUCKETS; i++)
        for (struct notify_queue *u = q->bucket[i]; u != NULL; u = u->next)
            while (u->first != NULL) {
                if (u->run != NULL)
                    runner_forget(u->run);
                queue_start_one(u);
            }
}
