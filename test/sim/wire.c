/*
 * wire.c - see world.h: splitmix64 for chance, a heap of what is under way, the end of a seed that fails.
 * Called by sim.c.
 */
#include "test/sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- chance: splitmix64, so that a seed means the same everywhere */

uint64_t rnd_of(uint64_t *state, uint64_t n)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return n == 0 ? 0 : (z ^ (z >> 31)) % n;
}

uint64_t rnd(struct world *w, uint64_t n)
{
    return rnd_of(&w->rng, n);
}

bool chance(struct world *w, unsigned int percent)
{
    return rnd(w, 100) < percent;
}

void die(struct world *w, const char *what)
{
    printf("FAIL seed %" PRIu64 " at %.6f s: %s\n", w->seed, (double)w->now / 1e9, what);
    for (unsigned int v = 0; v < w->nvrids; v++)
        for (unsigned int r = 0; r < w->nrouters; r++) {
            const struct node *n = &w->node[v][r];
            printf("  vrid %u router %u: %s priority %u interval %.2f s%s%s\n", v + 1, r,
                   vrrp_state_name(n->e.state), n->cfg.priority, (double)n->cfg.interval / 1e9,
                   n->cfg.nopreempt ? " nopreempt" : "", n->dead ? " (dead)" : "");
        }
    exit(1);
}

/* ---- the wire */

static bool wire_before(const struct letter *a, const struct letter *b)
{
    return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static void wire_swap(struct world *w, size_t i, size_t j)
{
    struct letter t = w->wire[i];
    w->wire[i] = w->wire[j];
    w->wire[j] = t;
}

void wire_put(struct world *w, const struct letter *m)
{
    if (w->nwire == WIRE_MAX)
        die(w, "the wire is full: somebody floods");
    size_t i = w->nwire++;
    w->wire[i] = *m;
    for (; i > 0 && wire_before(&w->wire[i], &w->wire[(i - 1) / 2]); i = (i - 1) / 2)
        wire_swap(w, i, (i - 1) / 2);
}

struct letter wire_take(struct world *w)
{
    struct letter top = w->wire[0];
    w->wire[0] = w->wire[--w->nwire];
    for (size_t i = 0, kid; (kid = 2 * i + 1) < w->nwire; i = kid) {
        if (kid + 1 < w->nwire && wire_before(&w->wire[kid + 1], &w->wire[kid]))
            kid++;
        if (!wire_before(&w->wire[kid], &w->wire[i]))
            break;
        wire_swap(w, i, kid);
    }
    return top;
}
