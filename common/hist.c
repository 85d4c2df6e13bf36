/* hist.c - see hist.h. */
#include "common/hist.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

struct hist_some {
    uint64_t sum;
    uint32_t have;  /* buckets, bits; */
    uint32_t nhave; /* how many */
    uint64_t n[];   /* of each, ascending */
};

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

static unsigned int hist_bucket(enum hist_scale scale, uint64_t value)
{
    const uint64_t *le = hist_bounds(scale);
    unsigned int i = 0;
    while (i < HIST_BUCKETS && value > le[i])
        i++;
    return i;
}

void hist_add(struct hist *h, enum hist_scale scale, uint64_t value)
{
    h->bucket[hist_bucket(scale, value)]++;
    h->sum += value;
}

/* Place of a bucket among those that are there. */
static unsigned int hist_place(uint32_t have, unsigned int bucket)
{
    unsigned int n = 0;
    for (uint32_t below = have & ((UINT32_C(1) << bucket) - 1); below != 0; below &= below - 1)
        n++;
    return n;
}

static struct hist_some *hist_more(struct hist_some *s, unsigned int bucket)
{
    uint32_t had = s != NULL ? s->nhave : 0, have = s != NULL ? s->have : 0;
    unsigned int at = hist_place(have, bucket);
    s = xrealloc(s, sizeof *s + (had + 1) * sizeof s->n[0]);
    if (had == 0)
        s->sum = 0;
    memmove(&s->n[at + 1], &s->n[at], (had - at) * sizeof s->n[0]);
    s->n[at] = 0;
    s->have = have | UINT32_C(1) << bucket;
    s->nhave = had + 1;
    return s;
}

void hist_few_add(struct hist_few *h, enum hist_scale scale, uint64_t value)
{
    unsigned int i = hist_bucket(scale, value);
    if (h->some == NULL || (h->some->have & UINT32_C(1) << i) == 0)
        h->some = hist_more(h->some, i);
    h->some->n[hist_place(h->some->have, i)]++;
    h->some->sum += value;
}

struct hist hist_of_few(const struct hist_few *h)
{
    struct hist out = { 0 };
    if (h->some == NULL)
        return out;
    out.sum = h->some->sum;
    for (unsigned int i = 0; i <= HIST_BUCKETS; i++)
        if (h->some->have & UINT32_C(1) << i)
            out.bucket[i] = h->some->n[hist_place(h->some->have, i)];
    return out;
}

void hist_few_free(struct hist_few *h)
{
    free(h->some);
    h->some = NULL;
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
