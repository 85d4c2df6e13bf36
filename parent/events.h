/*
 * events.h - what has happened, in order: the last thousand events, each with a number that only grows. The
 * parent hears of everything that counts (states, verdicts, deaths, reloads); "holdctl events" reads it here.
 * events.c is the ring and knows nobody; news.c makes events of messages.
 */
#ifndef HOLDFAST_PARENT_EVENTS_H
#define HOLDFAST_PARENT_EVENTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EVENTS_KEPT 1000

enum event_kind {
    EVENT_INSTANCE,
    EVENT_GROUP,
    EVENT_SERVICE,
    EVENT_SERVER,
    EVENT_PROCESS,
    EVENT_RELOAD,
    EVENT_DAEMON,
    EVENT_OPERATOR
};

struct event {
    enum event_kind kind;
    uint64_t at;      /* CLOCK_REALTIME ns; 0: now */
    const char *name; /* of what; never NULL */
    const char *what; /* one word: "state", "priority", "died" ... */
    /* may be NULL, as everything below */
    const char *of; /* a server's service */
    const char *from, *to;
    const char *cause;
};

struct events;

struct events *events_new(void);
void events_free(struct events *e);
void events_add(struct events *e, const struct event *n); /* e NULL: nobody keeps them */
/* Called after each; it must only remember that there is something. */
void events_hook(struct events *e, void (*fn)(void *arg), void *arg);
uint64_t events_first(const struct events *e); /* oldest kept; last + 1 when there is none */
uint64_t events_last(const struct events *e);  /* 0: none yet */
/* At most max events with a number above since, as sections "[event N]"; returns the last number printed, or
 * since. What has been overwritten is passed over. */
uint64_t events_print(const struct events *e, uint64_t since, size_t max, FILE *f);
const char *events_kind_name(enum event_kind k);

#endif
