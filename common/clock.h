/*
 * clock.h - time, injectable. All times are nanoseconds (uint64_t) on CLOCK_MONOTONIC unless a name says
 * otherwise; deadlines are absolute, so lateness never accumulates. Simulation supplies its own clock.
 */
#ifndef HOLDFAST_CLOCK_H
#define HOLDFAST_CLOCK_H

#include <stdint.h>

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_US  UINT64_C(1000)
#define TIME_NEVER UINT64_MAX

struct clock {
    uint64_t (*now)(void *arg);
    void *arg;
};

const struct clock *clock_system(void); /* CLOCK_MONOTONIC */
uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_ns(void);

#endif
