/*
 * heard.h - who has been heard on a virtual router, and what became of it: the last few senders with their
 * counts, for "explain". Pure, of limited size, a handful of comparisons for an advert; whoever forges
 * senders can push out nobody who was accepted. Called by inst_rx.c (note) and inst.c (free); report.c reads
 * it.
 */
#ifndef HOLDFAST_VRRPD_HEARD_H
#define HOLDFAST_VRRPD_HEARD_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "vrrpd/checks.h"

#define HEARD_MOST 8

struct heard_one {
    struct ipaddr src;
    uint64_t accepted, rejected;
    uint8_t priority;                  /* of the last accepted one */
    uint64_t interval;                 /* ... as it says, ns */
    uint64_t accepted_at, rejected_at; /* CLOCK_MONOTONIC ns; 0: never */
    enum check_verdict why;            /* of the last rejected one */
};

struct heard_all {
    struct heard_one *one;
    size_t n; /* how many there are; a new sender allocates, up to HEARD_MOST */
};

/* a: what it said, with CHECK_OK. */
void heard_note(struct heard_all *h, const struct ipaddr *src, uint64_t at, enum check_verdict v,
                const struct engine_advert *a);
void heard_free(struct heard_all *h);

#endif
