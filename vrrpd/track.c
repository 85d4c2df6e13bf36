/* track.c - see track.h. */
#include "vrrpd/track.h"

#define TRACK_PRIO_MIN 1
#define TRACK_PRIO_MAX 254
#define TRACK_OWNER    255

struct track_say track_of_result(enum track_result r, int weight, bool reverse)
{
    struct track_say s = { 0 };
    if (r == TRACK_UNKNOWN) {
        s.wait = weight == 0;
        return s;
    }
    bool good = r == TRACK_OK;
    if (weight == 0)
        s.fault = good == reverse;
    else if (good == (weight > 0))
        s.delta = reverse ? -weight : weight; /* the adjustment is turned round, not what causes it */
    return s;
}

struct track_say track_of_file(bool known, int32_t value, int weight, bool reverse)
{
    struct track_say s = { 0 };
    if (!known) {
        s.wait = true; /* any value may be a fault */
        return s;
    }
    if (weight == 0) {
        s.fault = (value != 0) != reverse;
        return s;
    }
    int64_t d = (int64_t)value * weight;
    if (reverse)
        d = -d;
    s.fault = d <= TRACK_FILE_FAULT;
    s.delta = s.fault ? 0 : d > TRACK_PRIO_MAX - 1 ? TRACK_PRIO_MAX - 1 : (int)d;
    return s;
}

void track_add(struct track_sum *s, struct track_say say)
{
    s->delta += say.delta;
    s->fault |= say.fault;
    s->wait |= say.wait;
}

uint8_t track_priority(uint8_t base, const struct track_sum *s)
{
    long p = (long)base + s->delta;
    if (base == TRACK_OWNER)
        return base;
    return (uint8_t)(p < TRACK_PRIO_MIN ? TRACK_PRIO_MIN : p > TRACK_PRIO_MAX ? TRACK_PRIO_MAX : p);
}

bool track_neutralise(enum track_kind kind, bool owner, int *weight)
{
    switch (kind) {
    case TRACK_IF:
        if (!owner) /* an owner's must not become a fault: its priority moves for nothing */
            *weight = 0;
        return *weight == 0;
    case TRACK_FILE:
        if (*weight == 1)
            *weight = 0;
        return *weight == 0;
    case TRACK_SCRIPT:
    case TRACK_PROC:
    case TRACK_BFD: return *weight == 0;
    case TRACK_KINDS: break;
    }
    return false;
}

bool track_debounce(struct track_debounce *d, bool ok, uint32_t rise, uint32_t fall)
{
    enum track_result says = ok ? TRACK_OK : TRACK_FAIL;
    if (says == d->result) {
        d->streak = 0;
        return false;
    }
    d->streak++;
    if (d->result != TRACK_UNKNOWN && d->streak < (ok ? rise : fall))
        return false;
    d->result = says;
    d->streak = 0;
    return true;
}

bool track_quorum(uint32_t count, uint32_t quorum, bool limited, uint32_t quorum_max)
{
    if (limited && quorum_max < quorum)
        quorum = quorum_max; /* only "none" can be meant: 0 */
    return count >= quorum && (!limited || count <= quorum_max);
}

const char *track_kind_name(enum track_kind k)
{
    switch (k) {
    case TRACK_IF: return "interface";
    case TRACK_SCRIPT: return "script";
    case TRACK_FILE: return "file";
    case TRACK_PROC: return "process";
    case TRACK_BFD: return "BFD session";
    case TRACK_KINDS: break;
    }
    return "?";
}
