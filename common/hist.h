/*
 * hist.h - a histogram of fixed buckets, for the metrics: an add is a short walk over constants, nothing is
 * allocated (but see hist_set). Values are integers of a billionth (nanoseconds; ratios times 1e9). Not for
 * threads.
 */
#ifndef HOLDFAST_HIST_H
#define HOLDFAST_HIST_H

#include <stdint.h>
#include <stdio.h>

#define HIST_BUCKETS 14

enum hist_scale {
    HIST_FINE,  /* 100 us .. 5 s: jitter, lateness */
    HIST_WORK,  /* 1 ms .. 30 s: checks, fail-over */
    HIST_RATIO, /* 0.05 .. 1 */
};

struct hist {
    uint64_t sum, bucket[HIST_BUCKETS + 1]; /* each for itself, not cumulative; the last one has no bound */
};

/* Several of them, for owners by the thousand: in one piece of memory, only the buckets that have a value,
 * and nothing before the first one. The first value of a bucket allocates. Zero-initialise; hist_set_free. */
struct hist_set {
    struct hist_some *some;
};
#define HIST_SET_MAX 8

void hist_add(struct hist *h, enum hist_scale scale, uint64_t value);
uint64_t hist_count(const struct hist *h);
void hist_set_add(struct hist_set *s, unsigned int which, enum hist_scale scale, uint64_t value);
struct hist hist_of_set(const struct hist_set *s, unsigned int which);
void hist_set_free(struct hist_set *s);
/* "key=SUM COUNT LE:N LE:N ...", cumulative, ends with +Inf; nothing while it is empty. */
void hist_write(FILE *f, const char *key, const struct hist *h, enum hist_scale scale);

#endif
