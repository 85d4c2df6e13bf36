/* hist.c - see hist.h. */
#include "common/hist.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

#define HIST_SLOTS 16 /* a histogram's: its buckets and, last, its sum */
#define HIST_SUM   (HIST_SLOTS - 1)

struct hist_some {
    uint64_t have[HIST_SET_MAX * HIST_SLOTS / 64]; /* slots, bits */
    uint64_t n[];                                  /* of each, ascending */
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

static bool hist_has(const struct hist_some *s, unsigned int slot)
{
    return (s->have[slot / 64] & UINT64_C(1) << slot % 64) != 0;
}

/* How many are there before it. */
static unsigned int hist_place(const struct hist_some *s, unsigned int slot)
{
    unsigned int n = 0;
    for (unsigned int w = 0; w < slot / 64; w++)
        n += (unsigned int)__builtin_popcountll(s->have[w]);
    if (slot % 64 > 0)
        n += (unsigned int)__builtin_popcountll(s->have[slot / 64] & ((UINT64_C(1) << slot % 64) - 1));
    return n;
}

static uint64_t *hist_slot(struct hist_set *h, unsigned int slot)
{
    if (h->some == NULL)
        h->some = xcalloc(1, sizeof *h->some);
    unsigned int at = hist_place(h->some, slot);
    if (!hist_has(h->some, slot)) {
        unsigned int n = hist_place(h->some, HIST_SET_MAX * HIST_SLOTS);
        h->some = xrealloc(h->some, sizeof *h->some + (n + 1) * sizeof h->some->n[0]);
        memmove(&h->some->n[at + 1], &h->some->n[at], (n - at) * sizeof h->some->n[0]);
        h->some->n[at] = 0;
        h->some->have[slot / 64] |= UINT64_C(1) << slot % 64;
    }
    return &h->some->n[at];
}

void hist_set_add(struct hist_set *s, unsigned int which, enum hist_scale scale, uint64_t value)
{
    ++*hist_slot(s, which * HIST_SLOTS + hist_bucket(scale, value));
    *hist_slot(s, which * HIST_SLOTS + HIST_SUM) += value;
}

static uint64_t hist_read(const struct hist_some *s, unsigned int slot)
{
    return hist_has(s, slot) ? s->n[hist_place(s, slot)] : 0;
}

struct hist hist_of_set(const struct hist_set *s, unsigned int which)
{
    struct hist out = { 0 };
    if (s->some == NULL)
        return out;
    out.sum = hist_read(s->some, which * HIST_SLOTS + HIST_SUM);
    for (unsigned int i = 0; i <= HIST_BUCKETS; i++)
        out.bucket[i] = hist_read(s->some, which * HIST_SLOTS + i);
    return out;
}

void hist_set_free(struct hist_set *s)
{
    free(s->some);
    s->some = NULL;
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
