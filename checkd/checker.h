/*
 * checker.h - the contract between the engine and the kinds of checks. A checker is one check block of one
 * server. The engine (engine.c) owns its timers, retries and verdict; a kind knows how one attempt goes and
 * says passed or failed, with the evidence. Nothing a server sends can do more than fail its own check.
 *
 * An attempt: the engine calls kind->start; the kind ends it with exactly one checker_passed() or
 * checker_failed(), from inside start or later. Time-outs are the kind's (struct conn has one). The engine
 * may call cancel at any time between: everything of the attempt is released, no verdict follows.
 */
#ifndef HOLDFAST_CHECKD_CHECKER_H
#define HOLDFAST_CHECKD_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "checkd/meter.h"
#include "common/addr.h"
#include "common/err.h"
#include "common/ev.h"
#include "common/slice.h"

struct checkd;
struct checker;
struct server;

/* What every kind reads the same way; times in ns. */
struct checker_common {
    uint64_t delay_loop, delay_before_retry, warmup, connect_timeout;
    uint32_t retry;
    bool alpha, log_all_failures;
};

/* Where to, from where. Read once by checker_dest_read. */
struct checker_dest {
    struct ipaddr to;
    uint16_t port;
    struct ipaddr bindto; /* family 0: none */
    uint16_t bind_port;
    char bind_if[16]; /* IFNAMSIZ; "" none */
    uint32_t fwmark;
    bool ready_made;  /* fwmark or a privileged source port: the socket comes from ipvsd */
    uint32_t id;      /* of the block it was read from: what ipvsd is asked for */
    uint64_t timeout; /* of each step, ns; 0: the checker's connect_timeout (host blocks have their own) */
};

struct checker_kind {
    enum blk blk;
    const char *name; /* "TCP_CHECK" */
    /* Reads the options into k->state, one piece of the heap that is freed with k (may be NULL). At prepare:
     * nothing outside k may change. -1 with e: the configuration is rejected. k and the slice stay where they
     * are until free. */
    int (*build)(struct checker *k, const struct slice *s, const struct slice_obj *o, struct err *e);
    void (*start)(struct checker *k);
    void (*cancel)(struct checker *k);
    /* May be NULL. What k->state (may be NULL) holds, but for itself; never while an attempt runs. */
    void (*free)(struct checker *k);
    bool passive; /* FILE_CHECK, BFD_CHECK: no attempts, the verdict follows from what others tell */
    bool weighs; /* MISC_CHECK: what it tells is the weight itself, not what is added to the configured one */
    /* May be NULL. After a reload: now takes over the attempt old is in the middle of (old is not cancelled
     * then, it must let go of everything). Both are the same by their options. NULL, or false: the engine
     * cancels and now begins anew at once. */
    bool (*take_over)(struct checker *now, struct checker *old);
    /* May be NULL. What the kind knows besides, for the state dump: lines "       Name = value". */
    void (*dump)(const struct checker *k, FILE *f);
};

struct checker {
    const struct checker_kind *kind;
    struct checkd *d;
    struct server *server;
    uint32_t id; /* of the block, in the generation in force */
    struct checker_common common;
    void *state; /* of the kind */
    struct meter meter;
    /* ---- the engine's own; kinds do not touch ---- */
    const struct slice_obj *obj;
    struct ev_timer due;
    uint32_t left; /* retries left before a failure counts */
    bool up, running, ever_passed, ever_done;
    int64_t weight;       /* what it adds to the server's weight */
    uint64_t began;       /* the attempt; its next one is counted from here */
    uint64_t identity;    /* hash of what is checked, timers left out: see identity.c */
    struct checker *next; /* of the same server */
    struct checker *overdue_next;
    bool overdue; /* due, waits for a turn with room */
    /* for explain; CLOCK_REALTIME ns, 0: never */
    uint64_t passed_at, failed_at, turned_at;
    uint64_t failures;
    char *evidence; /* of the last failure; NULL: none yet */
};

/* For kinds. reason: one line without newline, for the log and the status: what was seen ("connect
 * to 10.0.0.1:80: Connection refused", "status 503, wanted 200-299"). */
void checker_passed(struct checker *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void checker_failed(struct checker *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The attempt passed, but is not the whole of the matter: no verdict, the next attempt after delay_ns (HTTP:
 * a server that is down is up again when all urls have passed in a row). */
void checker_continues(struct checker *k, uint64_t delay_ns, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* This checker's share of the server's weight: absolute (MISC_CHECK dynamic: replaces the configured weight)
 * or added (FILE_CHECK). */
void checker_weight_set(struct checker *k, uint32_t weight);
void checker_weight_add(struct checker *k, int64_t delta);
void checker_weight_clear(struct checker *k);
struct ev *checker_ev(struct checker *k);
const char *checker_server_label(const struct checker *k);  /* "[10.0.0.1]:tcp:80" */
uint64_t checker_random(struct checker *k, uint64_t below); /* not for secrets */

/* Reads CONNECT_IP, CONNECT_PORT, BINDTO, BIND_PORT, BIND_IF, FWMARK of the block, by the names of its rows.
 */
int checker_dest_read(struct checker_dest *d, const struct slice_obj *o, struct err *e);

/* The i-th kind, NULL past the end (kinds.c; a kind adds a line there). */
const struct checker_kind *checker_kind_at(size_t i);
/* The timers and flags of a check block o of the server rs (kinds.c). */
void checker_common_read(struct checker_common *c, const struct slice_obj *o, const struct slice_obj *rs,
                         bool log_all);

#endif
