/*
 * procset.h - a child as a process, as far as it can see to that from inside its jail: its name, its locked
 * memory, and whether its timers are late. Scheduling, processors and limits are the parent's to change
 * (parent/prio.c). Called by child.c; trusts the slice.
 */
#ifndef HOLDFAST_PROCSET_H
#define HOLDFAST_PROCSET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"
#include "common/slice.h"

struct procset {
    enum role role;
    bool may_lock; /* nothing limits how much */
    bool locked;
    uint64_t due, turned; /* the next timer as the last turn left it, and when that turn began */
    uint64_t late_ns;     /* from here on it is late */
    unsigned int most;    /* automatic priority may go up to this; 0: not at all */
    bool quiet;
    uint64_t told; /* when the parent was asked last */
    struct log_limit said;
};

/* Before the jail: what only the outside can tell. */
void procset_init(struct procset *s, enum role r);
/* A configuration is in force: begin, or change what is different. */
void procset_load(struct procset *s, const struct slice *slice);
/* A turn that began at now_ns is over, and the next timer is due at due_ns (TIME_NEVER: none). How late the
 * turn's timer was when the parent shall be asked for a higher priority, in microseconds; 0: all is well. */
uint32_t procset_turn(struct procset *s, uint64_t now_ns, uint64_t due_ns);

#endif
