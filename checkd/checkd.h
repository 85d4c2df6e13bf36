/*
 * checkd.h - the one context of holdfast-checkd, passed down everywhere. main.c makes it; engine.c judges by
 * it; the kinds of checks reach the channels through it (child_parent, child_peer of common/child.h).
 */
#ifndef HOLDFAST_CHECKD_CHECKD_H
#define HOLDFAST_CHECKD_CHECKD_H

#include "checkd/checker.h"
#include "checkd/feed.h"
#include "checkd/service.h"
#include "common/child.h"
#include "common/ev.h"
#include "common/log.h"

#define CHECKD_WAITING 256 /* hash of connections that wait for a ready-made socket; a power of 2 */

struct conn;
struct mail;
struct tls_store;

struct checkd {
    struct child *child; /* NULL before the start */
    struct ev *ev;
    struct service_table *now;
    struct service_table *next; /* between prepare and commit or abort */
    struct feed feed;
    struct ev_timer feed_timer; /* a receiver lags: look again soon */
    struct service *judge;      /* services whose quorum is judged at the end of the turn */
    uint64_t random;            /* state of checker_random */
    struct conn *waiting[CHECKD_WAITING];
    uint32_t token;                    /* of the last sock_want */
    struct early *early, **early_last; /* said by peers that committed before us */
    size_t nearly;
    struct log_limit exhausted_limit;
    uint64_t lines_window; /* state changes are one line each, but a storm is counted instead of listed */
    uint32_t lines, lines_more;
    uint64_t attempts, failures, late; /* counters for the dump */
    uint64_t latest;                   /* ns: worst lateness of a check */
    struct meter_all meter;
    bool log_all, init_notifies; /* checker_log_all_failures, rs_init_notifies */
    size_t running;
    unsigned int starts;                     /* attempts begun in this turn */
    struct checker *overdue, **overdue_last; /* due, but the turn has begun enough */
    struct mail *mail;                       /* checkd/mail.h */
    bool stopping;
    bool orders_heard; /* the parent has told every order of the operator: before that nobody is told anything
                        */
    struct tls_store *tls; /* checkd/tls.h */
};

/* The checker with this id in the generation in force, NULL: none. Logarithmic. */
struct checker *checkd_checker(struct checkd *d, uint32_t id);
/* All checkers of a kind in the generation in force; prev NULL starts, NULL ends. */
struct checker *checkd_next_checker(struct checkd *d, const struct checker_kind *kind, struct checker *prev);

/* What the kinds and the mail are told: ran, file_value, bfd_state, alert (kinds.c). -1: not allowed now. */
int kinds_message(struct checkd *d, enum msg_type type, const union msg_any *body);

#endif
