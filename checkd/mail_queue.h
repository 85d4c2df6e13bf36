/*
 * mail_queue.h - what waits for the mail server: bounded in number and age, oldest first. The state an object
 * was last queued for is remembered: the same state again is no news. An object has at most two entries
 * waiting, the first change and the latest one; what lay between is counted. No clock, no I/O: the time is
 * passed in (ns, monotonic).
 */
#ifndef HOLDFAST_CHECKD_MAIL_QUEUE_H
#define HOLDFAST_CHECKD_MAIL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mail_item {
    struct mail_item *next;
    char *key;          /* the object: "rs 10.0.0.1:80 of ..." */
    unsigned int state; /* of it */
    char *subject, *text;
    uint64_t queued_at, not_before;
    uint64_t real_ns; /* CLOCK_REALTIME of the event */
    uint64_t serial;  /* unique in this process */
    uint64_t done;    /* bits of recipients that need no further try */
    uint32_t merged, attempts;
    bool busy; /* in a dialogue now: neither merged nor given up */
};

struct mail_queue_state;

struct mail_queue {
    struct mail_item *first, **last;
    size_t count, limit;
    uint64_t max_age;
    uint64_t serial;
    struct mail_queue_state **states; /* hash of what each object was last queued for */
    size_t nbuckets, nstates;
    uint64_t queued, repeated, merged, overflowed, expired;
};

enum mail_put { MAIL_PUT_QUEUED, MAIL_PUT_REPEATED, MAIL_PUT_MERGED };

struct mail_entry {
    const char *key;
    unsigned int state;
    const char *subject, *text;
    uint64_t real_ns;
};

void mail_queue_init(struct mail_queue *q, size_t limit, uint64_t max_age);
void mail_queue_free(struct mail_queue *q);
/* New limits; what is too much now goes, oldest first. The recipients may have changed: nobody has got
 * anything yet. */
void mail_queue_limits(struct mail_queue *q, size_t limit, uint64_t max_age);

enum mail_put mail_queue_put(struct mail_queue *q, uint64_t now, const struct mail_entry *e);
/* Drops what is too old; the number. */
size_t mail_queue_expire(struct mail_queue *q, uint64_t now);
/* The oldest that may be tried now, NULL: none. */
struct mail_item *mail_queue_next(struct mail_queue *q, uint64_t now);
/* When the next one may be tried or given up; UINT64_MAX: nothing waits. */
uint64_t mail_queue_due(const struct mail_queue *q);
/* Delivered, or refused for good: gone. */
void mail_queue_done(struct mail_queue *q, struct mail_item *i);
/* Forgets what an object was last queued for: its next change is news whatever it is. */
void mail_queue_forget(struct mail_queue *q, const char *key);
/* The same for all objects. */
void mail_queue_forget_all(struct mail_queue *q);

#endif
