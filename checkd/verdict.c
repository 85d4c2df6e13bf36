/*
 * verdict.c - see verdict.h. Pure; sums are wide enough that no configuration overflows them (2^32 servers of
 * 2^31 each).
 */
#include "checkd/verdict.h"

uint32_t verdict_weight(uint32_t configured, int64_t adjust)
{
    int64_t w = verdict_adjust((int64_t)configured, adjust);

    return w < 0 ? 0 : w > VERDICT_WEIGHT_MAX ? VERDICT_WEIGHT_MAX : (uint32_t)w;
}

int64_t verdict_adjust(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

bool verdict_quorum(bool up, uint64_t live, uint64_t quorum, uint64_t hysteresis)
{
    uint64_t gain = quorum > UINT64_MAX - hysteresis ? UINT64_MAX : quorum + hysteresis;
    uint64_t keep = quorum > hysteresis ? quorum - hysteresis : 0;

    if (up)
        return live > 0 && live >= keep;
    return live > 0 && live >= gain;
}

uint64_t verdict_quorum_limit(uint64_t quorum, uint64_t total)
{
    if (total > 0 && quorum > total)
        quorum = total;
    return quorum > 0 ? quorum : 1;
}

uint64_t verdict_hysteresis_limit(uint64_t hysteresis, uint64_t quorum)
{
    return hysteresis < quorum ? hysteresis : quorum - 1;
}

struct verdict_wanted verdict_server(bool alive, uint32_t weight, bool inhibit,
                                     const struct verdict_service *v)
{
    if (!alive)
        return (struct verdict_wanted){ .in = inhibit };
    if (v->up || !v->sorry)
        return (struct verdict_wanted){ .in = true, .weight = weight };
    return (struct verdict_wanted){ .in = inhibit };
}

struct verdict_wanted verdict_drained(bool alive, bool inhibit)
{
    return (struct verdict_wanted){ .in = alive || inhibit };
}

struct verdict_wanted verdict_sorry(uint32_t weight, const struct verdict_service *v)
{
    if (!v->up)
        return (struct verdict_wanted){ .in = true, .weight = weight };
    return (struct verdict_wanted){ .in = v->sorry_inhibit };
}
