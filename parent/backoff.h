/*
 * backoff.h - when a dead child is started again, and when its deaths are a crash loop. Pure arithmetic on
 * times. A child that had worked for a while is started again at once: the crash stays invisible. Only short
 * lives are held back, so that a child that cannot live does not burn the machine. Called by mourn.c.
 */
#ifndef HOLDFAST_PARENT_BACKOFF_H
#define HOLDFAST_PARENT_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_LOOP_DEATHS 5

struct backoff {
    uint64_t last_death;
    unsigned int streak;                  /* short lives in a row */
    uint64_t deaths[BACKOFF_LOOP_DEATHS]; /* ring of deaths that count towards a crash loop */
    unsigned int ndeaths;
};

struct backoff_verdict {
    uint64_t delay_ns; /* until the next start */
    bool crash_loop;
};

/* lived_ns: since it reported itself started (0: never did). own_fault: it crashed or hung, nobody killed it.
 */
struct backoff_verdict backoff_death(struct backoff *b, uint64_t now_ns, uint64_t lived_ns, bool own_fault);

#endif
