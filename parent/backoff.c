/* backoff.c - see backoff.h. */
#include "parent/backoff.h"

#include "common/clock.h"

#define BACKOFF_SHORT_LIFE  (500 * NS_PER_MS) /* shorter: held back */
#define BACKOFF_FORGET      (10 * NS_PER_SEC) /* quiet for so long: a new story */
#define BACKOFF_FIRST       (100 * NS_PER_MS)
#define BACKOFF_MAX         (5 * NS_PER_SEC)
#define BACKOFF_LOOP_LIFE   (2 * NS_PER_SEC) /* a life this short counts towards a crash loop */
#define BACKOFF_LOOP_WINDOW (30 * NS_PER_SEC)

static uint64_t backoff_delay(unsigned int streak)
{
    if (streak <= BACKOFF_LOOP_DEATHS)
        return 0; /* a master with short intervals has no time to lose; the fifth death ends that anyway */
    uint64_t d = BACKOFF_FIRST;
    for (unsigned int i = BACKOFF_LOOP_DEATHS + 1; i < streak && d < BACKOFF_MAX; i++)
        d *= 2;
    return d < BACKOFF_MAX ? d : BACKOFF_MAX;
}

struct backoff_verdict backoff_death(struct backoff *b, uint64_t now_ns, uint64_t lived_ns, bool own_fault)
{
    struct backoff_verdict v = { 0 };
    if (lived_ns >= BACKOFF_SHORT_LIFE || (b->streak > 0 && now_ns - b->last_death > BACKOFF_FORGET))
        b->streak = 0;
    if (lived_ns < BACKOFF_SHORT_LIFE)
        b->streak++;
    b->last_death = now_ns;
    v.delay_ns = backoff_delay(b->streak);
    if (!own_fault || lived_ns >= BACKOFF_LOOP_LIFE)
        return v;
    b->deaths[b->ndeaths++ % BACKOFF_LOOP_DEATHS] = now_ns;
    if (b->ndeaths >= BACKOFF_LOOP_DEATHS) {
        uint64_t oldest = b->deaths[b->ndeaths % BACKOFF_LOOP_DEATHS];
        v.crash_loop = now_ns - oldest <= BACKOFF_LOOP_WINDOW;
    }
    if (v.crash_loop)
        b->ndeaths = 0; /* said once; the next five say it again */
    return v;
}
