/*
 * simulate.h - who would be MASTER: every combination of failed checks of one or two routers, pure. The
 * arithmetic of weights is the engine's (vrrpd/track.c); the election is the rule of the RFC: the higher
 * priority preempts unless it must not (nopreempt), a tie stays where it is, or goes to the higher address.
 * Routers of a sync group are judged together. Called by cmd_check.c, cmd_simulate.c and the unit test.
 */
#ifndef HOLDFAST_PARENT_CTL_SIMULATE_H
#define HOLDFAST_PARENT_CTL_SIMULATE_H

#include "parent/ctl/node.h"

#define SIM_NODES   2
#define SIM_CHECKS  48 /* of one set of virtual routers; more are left out and said */
#define SIM_ALL_MAX 10 /* up to so many, every combination; above: none, each, each pair */

enum sim_who { SIM_A, SIM_B, SIM_NOBODY = -1, SIM_EITHER = -2 };

/* Something that can fail on one node. */
struct sim_check {
    int node;
    enum track_kind kind;
    const char *name;
    int line;
    bool own;
};

/* One virtual router: its instance on each node, NULL when it has none there. */
struct sim_router {
    const struct node_vi *vi[SIM_NODES];
};

/* Virtual routers that depend on each other: one, or those joined by sync groups. */
struct sim {
    const struct node *node[SIM_NODES];
    size_t nnodes;
    struct sim_router *router;
    size_t nrouter;
    struct sim_check check[SIM_CHECKS];
    size_t ncheck;
    bool cut; /* more checks than that */
};

/* What comes of one combination, for one router. */
struct sim_result {
    int priority[SIM_NODES]; /* -1: FAULT, or no instance */
    bool fault[SIM_NODES];
    enum sim_who master;
};

enum sim_effect {
    SIM_MOVES,     /* its failure alone moves the VIP */
    SIM_TOGETHER,  /* only together with others */
    SIM_NEVER,     /* in no combination */
    SIM_NOT_ASKED, /* this node never holds the VIP while the check is fine */
};

/* Sets of all virtual routers of one or two nodes; *out is an array of *n. */
size_t sim_build(const struct node *const nodes[], size_t nnodes, struct sim **out);
void sim_free(struct sim *s, size_t n);

/* was: who holds it before (one for each router; SIM_NOBODY at start). out: one for each router. */
void sim_step(const struct sim *s, uint64_t failed, const enum sim_who *was, struct sim_result *out);
/* From everything fine to this combination at once. */
void sim_result(const struct sim *s, uint64_t failed, struct sim_result *out);

/* The combinations to look at: i from 0; false past the end. */
bool sim_mask(const struct sim *s, size_t i, uint64_t *mask);

/* Router r, check k, which is of one of its nodes. */
enum sim_effect sim_effect(const struct sim *s, size_t r, size_t k);
/* Priority of that node with and without the check, everything else fine; *faults: it is FAULT then. */
void sim_cost(const struct sim *s, size_t r, size_t k, int *before, int *after, bool *faults);
/* The line of this check in router r, NULL: not tracked there. */
const struct node_track *sim_line(const struct sim *s, size_t r, size_t k);

#endif
