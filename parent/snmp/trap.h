/*
 * trap.h - the daemon's events as notifications, and what they tell of the past: since when an instance runs,
 * why it is MASTER. Events are asked for by number, so none is told twice; those from before this program's
 * start are learnt from, not told. Called by snmp.c.
 */
#ifndef HOLDFAST_SNMP_TRAP_H
#define HOLDFAST_SNMP_TRAP_H

#include "parent/snmp/fill.h"

struct trap_on {
    bool vrrp, check, rfc2, rfc3;
};

struct trap_past {
    char *name;
    struct fill_past past;
};

struct traps {
    struct trap_past *v;
    size_t n;
    unsigned long long last;
    bool known; /* last is a number of this daemon's */
};

/* The answer to an events question, in order. event is called for each new one; with NULL they are only
 * learnt from. */
typedef void trap_event_fn(const struct doc_part *event, void *arg);
void traps_read(struct traps *t, const struct doc *d, trap_event_fn *fn, void *arg);
void traps_past(const char *instance, struct fill_past *out, void *traps);

/* Notifications of one event, with values out of this image and state of this view. */
void trap_send(const struct trap_on *on, const struct fill *f, const struct doc_part *event);

#endif
