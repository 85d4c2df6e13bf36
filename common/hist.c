/* hist.c - see hist.h. */
#include "common/hist.h"

#include <inttypes.h>

#include "common/clock.h"

static const uint64_t *hist_bounds(enum hist_scale scale)
{
    static const uint64_t fine[HIST_BUCKETS] = { 100 * NS_PER_US, 250 * NS_PER_US,  500 * NS_PER_US,
                                                 NS_PER_MS,       2500 * NS_PER_US, 5 * NS_PER_MS,
                                                 10 * NS_PER_MS,  20 * NS_PER_MS,   50 * NS_PER_MS,
                                                 100 * NS_PER_MS, 250 * NS_PER_MS,  500 * NS_PER_MS,
                                                 NS_PER_SEC,      5 * NS_PER_SEC };
    static const uint64_t work[HIST_BUCKETS] = { NS_PER_MS,       2500 * NS_PER_US, 5 * NS_PER_MS,
                                                 10 * NS_PER_MS,  25 * NS_PER_MS,   50 * NS_PER_MS,
                                                 100 * NS_PER_MS, 250 * NS_PER_MS,  500 * NS_PER_MS,
                                                 NS_PER_SEC,      2500 * NS_PER_MS, 5 * NS_PER_SEC,
                                                 10 * NS_PER_SEC, 30 * NS_PER_SEC };
    static const uint64_t ratio[HIST_BUCKETS] = { 50 * NS_PER_MS,  100 * NS_PER_MS, 200 * NS_PER_MS,
                                                  300 * NS_PER_MS, 400 * NS_PER_MS, 500 * NS_PER_MS,
                                                  600 * NS_PER_MS, 650 * NS_PER_MS, 700 * NS_PER_MS,
                                                  750 * NS_PER_MS, 800 * NS_PER_MS, 900 * NS_PER_MS,
                                                  950 * NS_PER_MS, NS_PER_SEC };
    switch (scale) {
    case HIST_FINE: return fine;
    case HIST_WORK: return work;
    case HIST_RATIO: break;
    }
    return ratio;
}

void hist_add(struct hist *h, enum hist_scale scale, uint64_t value)
{
    const uint64_t *le = hist_bounds(scale);
    unsigned int i = 0;
    while (i < HIST_BUCKETS && value > le[i])
        i++;
    h->bucket[i]++;
    h->sum += value;
}

uint64_t hist_count(const struct hist *h)
{
    uint64_t n = 0;
    for (unsigned int i = 0; i <= HIST_BUCKETS; i++)
        n += h->bucket[i];
    return n;
}

void hist_write(FILE *f, const char *key, const struct hist *h, enum hist_scale scale)
{
    const uint64_t *le = hist_bounds(scale);
    uint64_t n = hist_count(h), sofar = 0;
    if (n == 0)
        return;
    fprintf(f, "%s=%" PRIu64 ".%09" PRIu64 " %" PRIu64, key, h->sum / NS_PER_SEC, h->sum % NS_PER_SEC, n);
    for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
        sofar += h->bucket[i];
        fprintf(f, " %g:%" PRIu64, (double)le[i] / (double)NS_PER_SEC, sofar);
    }
    fprintf(f, " +Inf:%" PRIu64 "\n", n);
}
