/*
 * world.h - the simulated world: routers, their virtual routers, a wire that delays and loses. Shared by
 * sim.c (life, trouble, judgement) and wire.c (chance, the wire).
 */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vrrpd/engine.h"
#include "vrrpd/snapshot.h"

#define ROUTERS_MAX 6
#define VRIDS_MAX   3
#define QUEUE_MAX   64
#define WIRE_MAX    4096

struct world;

struct queued {
    struct engine_advert a;
    uint64_t at;
};

/* One virtual router on one machine. */
struct node {
    struct world *w;
    unsigned int router, vrid;
    struct engine e;
    struct engine_cfg cfg;
    struct ipaddr addr;
    uint64_t deadline;
    bool dead, deaf, resigning;
    uint64_t wake;              /* dead or hung: comes back then */
    struct queued q[QUEUE_MAX]; /* the kernel's: survives the process */
    unsigned int nq;
    uint8_t snap[SNAPSHOT_MAX]; /* the parent's */
    size_t snap_len;
    bool dirty;
    uint64_t died_at;
    bool keeps_snapshot;
};

struct letter {
    uint64_t at, seq;
    struct node *to;
    struct engine_advert a;
};

struct world {
    uint64_t rng, now, seq, seed;
    unsigned int nrouters, nvrids;
    struct node node[VRIDS_MAX][ROUTERS_MAX];
    bool cut[ROUTERS_MAX][ROUTERS_MAX]; /* from, to */
    unsigned int loss;                  /* percent */
    uint64_t delay;                     /* at most */
    struct letter wire[WIRE_MAX];       /* heap by (at, seq) */
    size_t nwire;
    unsigned long transitions, adverts, events;
    bool verbose;
    bool groups; /* what one router has of all VRIDs is a sync group, and dies, hangs and fails together */
};

uint64_t rnd_of(uint64_t *state, uint64_t n); /* below n; a seed means the same everywhere */
uint64_t rnd(struct world *w, uint64_t n);
bool chance(struct world *w, unsigned int percent);
_Noreturn void die(struct world *w, const char *what); /* prints the seed and everybody's state */
void wire_put(struct world *w, const struct letter *m);
struct letter wire_take(struct world *w); /* the next by time; not from an empty wire */

#endif
