/*
 * verdict.h - the arithmetic of verdicts, pure functions on numbers: what a server weighs, whether a service
 * has its quorum, what the table should hold. Called by engine.c; nothing here knows a clock, a list or a
 * message.
 */
#ifndef HOLDFAST_CHECKD_VERDICT_H
#define HOLDFAST_CHECKD_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#define VERDICT_WEIGHT_MAX INT32_MAX

/* What ipvsd is told of a server. in with weight 0: kept for its connections, gets no new ones. */
struct verdict_wanted {
    bool in;
    uint32_t weight;
};

/* The service's side of the question. */
struct verdict_service {
    bool up;            /* has its quorum */
    bool sorry;         /* a sorry server stands by */
    bool sorry_inhibit; /* while it does not serve it keeps its place with weight 0 */
};

/* Configured weight plus what the checkers add (MISC_CHECK's weight is told as its distance from the
 * configured one), within 0..2^31-1. */
uint32_t verdict_weight(uint32_t configured, int64_t adjust);
/* Sum of two adjustments that never wraps. */
int64_t verdict_adjust(int64_t a, int64_t b);

/* Gained at live >= quorum + hysteresis; lost at 0 or below quorum - hysteresis; between them nothing
 * changes. */
bool verdict_quorum(bool up, uint64_t live, uint64_t quorum, uint64_t hysteresis);
/* What a configuration asks that no servers could fulfil, or that would never be lost: as the configuration
 * test says it. total: sum of the configured weights. */
uint64_t verdict_quorum_limit(uint64_t quorum, uint64_t total);
uint64_t verdict_hysteresis_limit(uint64_t hysteresis, uint64_t quorum);

struct verdict_wanted verdict_server(bool alive, uint32_t weight, bool inhibit,
                                     const struct verdict_service *v);
/* Drained by the operator: it keeps its place and its connections also while the sorry server serves. */
struct verdict_wanted verdict_drained(bool alive, bool inhibit);
struct verdict_wanted verdict_sorry(uint32_t weight, const struct verdict_service *v);

#endif
