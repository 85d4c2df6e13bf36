/*
 * mail_queue.c - see mail_queue.h. Trusts its callers (mail.c, mail_office.c); keys and texts are copied.
 */
#include "checkd/mail_queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/hash.h"

#define QUEUE_BUCKETS 64 /* at first; a power of 2 */

struct mail_queue_state {
    struct mail_queue_state *next;
    unsigned int state;
    uint32_t waiting; /* entries of it in the queue */
    char key[];
};

/* ---- what objects were last queued for */

static size_t bucket_of(const struct mail_queue *q, const char *key)
{
    return hash_place(hash_text(HASH_START, key)) & (q->nbuckets - 1);
}

static struct mail_queue_state **state_of(const struct mail_queue *q, const char *key)
{
    struct mail_queue_state **s = &q->states[bucket_of(q, key)];
    while (*s != NULL && strcmp((*s)->key, key) != 0)
        s = &(*s)->next;
    return s;
}

static void states_grow(struct mail_queue *q)
{
    struct mail_queue_state **old = q->states;
    size_t n = q->nbuckets;
    q->nbuckets = n > 0 ? 4 * n : QUEUE_BUCKETS;
    q->states = xcalloc(q->nbuckets, sizeof(struct mail_queue_state *));
    for (size_t i = 0; i < n; i++)
        for (struct mail_queue_state *s = old[i], *next; s != NULL; s = next) {
            struct mail_queue_state **at = &q->states[bucket_of(q, s->key)];
            next = s->next;
            s->next = *at;
            *at = s;
        }
    free(old);
}

static struct mail_queue_state *state_set(struct mail_queue *q, const char *key, unsigned int state)
{
    struct mail_queue_state **at = state_of(q, key);
    if (*at == NULL) {
        if (q->nstates >= 2 * q->nbuckets) {
            states_grow(q);
            at = state_of(q, key);
        }
        size_t len = strlen(key) + 1;
        *at = xcalloc(1, sizeof **at + len);
        memcpy((*at)->key, key, len);
        q->nstates++;
    }
    (*at)->state = state;
    return *at;
}

void mail_queue_forget(struct mail_queue *q, const char *key)
{
    struct mail_queue_state **at = state_of(q, key), *gone = *at;
    if (gone == NULL)
        return;
    *at = gone->next;
    q->nstates--;
    free(gone);
}

void mail_queue_forget_all(struct mail_queue *q)
{
    for (size_t i = 0; i < q->nbuckets; i++)
        while (q->states[i] != NULL) {
            struct mail_queue_state *s = q->states[i];
            q->states[i] = s->next;
            free(s);
        }
    q->nstates = 0;
}

/* ---- the queue */

static void item_free(struct mail_item *i)
{
    free(i->key);
    free(i->subject);
    free(i->text);
    free(i);
}

void mail_queue_init(struct mail_queue *q, size_t limit, uint64_t max_age)
{
    *q = (struct mail_queue){ .limit = limit, .max_age = max_age };
    q->last = &q->first;
    states_grow(q);
}

void mail_queue_free(struct mail_queue *q)
{
    while (q->first != NULL) {
        struct mail_item *i = q->first;
        q->first = i->next;
        item_free(i);
    }
    mail_queue_forget_all(q);
    free(q->states);
    *q = (struct mail_queue){ 0 };
}

void mail_queue_done(struct mail_queue *q, struct mail_item *i)
{
    struct mail_item **at = &q->first;
    while (*at != NULL && *at != i)
        at = &(*at)->next;
    if (*at == NULL)
        fatal("mail: an entry that is not in the queue is done");
    struct mail_queue_state *s = *state_of(q, i->key);
    if (s != NULL && s->waiting > 0)
        s->waiting--;
    *at = i->next;
    if (q->last == &i->next)
        q->last = at;
    q->count--;
    item_free(i);
}

/* The oldest that nobody is talking about. */
static bool drop_oldest(struct mail_queue *q)
{
    struct mail_item *i = q->first;
    while (i != NULL && i->busy)
        i = i->next;
    if (i == NULL)
        return false;
    mail_queue_done(q, i);
    q->overflowed++;
    return true;
}

void mail_queue_limits(struct mail_queue *q, size_t limit, uint64_t max_age)
{
    q->limit = limit;
    q->max_age = max_age;
    while (q->count > q->limit && drop_oldest(q))
        ;
    for (struct mail_item *i = q->first; i != NULL; i = i->next)
        i->done = 0;
}

static void item_news(struct mail_item *i, const struct mail_entry *e)
{
    free(i->subject);
    free(i->text);
    i->state = e->state;
    i->subject = xstrdup(e->subject);
    i->text = xstrdup(e->text);
    i->real_ns = e->real_ns;
}

/* The latest entry of an object that already has an earlier one: only the latest news of it counts. */
static struct mail_item *second_of(struct mail_queue *q, const char *key)
{
    struct mail_item *latest = NULL;
    size_t n = 0;
    for (struct mail_item *i = q->first; i != NULL; i = i->next)
        if (!i->busy && strcmp(i->key, key) == 0) {
            latest = i;
            n++;
        }
    return n > 1 ? latest : NULL;
}

enum mail_put mail_queue_put(struct mail_queue *q, uint64_t now, const struct mail_entry *e)
{
    struct mail_queue_state *s = *state_of(q, e->key);
    if (s != NULL && s->state == e->state) {
        q->repeated++;
        return MAIL_PUT_REPEATED;
    }
    /* An object never queued before, or forgotten, has nothing to be merged with. */
    struct mail_item *i = s != NULL && s->waiting > 1 ? second_of(q, e->key) : NULL;
    if (i != NULL) {
        item_news(i, e);
        i->merged++;
        q->merged++;
        s->state = e->state;
        return MAIL_PUT_MERGED;
    }
    while (q->count >= q->limit && drop_oldest(q))
        ;
    i = xcalloc(1, sizeof *i);
    i->key = xstrdup(e->key);
    i->queued_at = now;
    i->serial = ++q->serial;
    item_news(i, e);
    *q->last = i;
    q->last = &i->next;
    q->count++;
    q->queued++;
    state_set(q, e->key, e->state)->waiting++;
    return MAIL_PUT_QUEUED;
}

size_t mail_queue_expire(struct mail_queue *q, uint64_t now)
{
    size_t n = 0;
    for (struct mail_item *i = q->first, *next; i != NULL; i = next) {
        next = i->next;
        if (i->busy || now < i->queued_at + q->max_age)
            continue;
        mail_queue_done(q, i);
        n++;
    }
    q->expired += n;
    return n;
}

struct mail_item *mail_queue_next(struct mail_queue *q, uint64_t now)
{
    for (struct mail_item *i = q->first; i != NULL; i = i->next)
        if (!i->busy && i->not_before <= now)
            return i;
    return NULL;
}

uint64_t mail_queue_due(const struct mail_queue *q)
{
    uint64_t due = UINT64_MAX;
    for (const struct mail_item *i = q->first; i != NULL; i = i->next) {
        uint64_t end = i->queued_at + q->max_age, at = i->not_before < end ? i->not_before : end;
        if (!i->busy && at < due)
            due = at;
    }
    return due;
}
