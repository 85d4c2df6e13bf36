/* deadman.c - see deadman.h. */
#include "common/deadman.h"

#include <sys/timerfd.h>

#include "common/clock.h"

#define DEADMAN_PARTS 4  /* wound up again when this part of the limit is over */
#define DEADMAN_SPARE 10 /* at the latest when this part is left */

static struct timespec deadman_time(uint64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_SEC), .tv_nsec = (long)(ns % NS_PER_SEC) };
}

int deadman_create(void)
{
    return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

void deadman_set(int fd, uint64_t limit_ns)
{
    struct itimerspec t = { .it_value = deadman_time(limit_ns), .it_interval = deadman_time(limit_ns) };
    timerfd_settime(fd, 0, &t, NULL);
}

static uint64_t deadman_limit(const struct itimerspec *t)
{
    return (uint64_t)t->it_interval.tv_sec * NS_PER_SEC + (uint64_t)t->it_interval.tv_nsec;
}

/* Winding up says how far it was wound up before: the parent may have chosen another limit meanwhile. Where
 * it had stopped it, it stays so. */
void deadman_beat(struct deadman *d, uint64_t now_ns)
{
    struct itimerspec t;
    if (d->fd < 0 || (d->limit > 0 && now_ns - d->wound_at < d->limit / DEADMAN_PARTS))
        return;
    d->wound_at = now_ns;
    if (d->limit == 0) {
        if (timerfd_gettime(d->fd, &t) < 0 || (d->limit = deadman_limit(&t)) == 0)
            return;
    }
    struct itimerspec mine = { .it_value = deadman_time(d->limit), .it_interval = deadman_time(d->limit) };
    if (timerfd_settime(d->fd, 0, &mine, &t) < 0 || deadman_limit(&t) == d->limit)
        return;
    d->limit = deadman_limit(&t);
    deadman_set(d->fd, d->limit);
}

uint64_t deadman_due(const struct deadman *d)
{
    return d->fd >= 0 && d->limit > 0 ? d->wound_at + d->limit - d->limit / DEADMAN_SPARE : TIME_NEVER;
}
