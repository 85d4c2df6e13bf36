/*
 * prio.h - scheduling of the rooms: nice value, real-time priority, processors, real-time limit. The parent
 * has no capability for that, and no room may do it to itself: a one-shot program (parent/prio/main.c), born
 * with CAP_SYS_NICE, does it to one process and ends. It runs once a room has started, and only when
 * something is to be different from what the room was born with; the same after a reload. A room whose timers
 * are late asks for more (MSG_late): one step of real-time priority each time, up to max_auto_priority, kept
 * over its deaths.
 */
#ifndef HOLDFAST_PARENT_PRIO_H
#define HOLDFAST_PARENT_PRIO_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/ev.h"

struct parent;
struct room;

/* What a process has or shall have. */
struct prio_set {
    int nice;
    unsigned int rt;    /* SCHED_RR priority, 0: none */
    uint64_t rttime_us; /* 0: no limit */
    cpu_set_t cpus;     /* empty: all we may use ourselves */
};

struct prio_run;

struct prio {
    struct prio_set has;
    struct prio_run *run;  /* under way */
    unsigned int risen;    /* automatic priority; outlives the process */
    unsigned int patience; /* the real-time limit is doubled so often: it died of it */
    uint64_t written_us;   /* the limit without that */
    uint64_t rose_ns;
    bool said_top;
};

void prio_init(struct parent *p);          /* as root with all capabilities: what only then can be done */
void prio_own(struct parent *p);           /* a configuration is in force: the parent's own name */
void prio_born(struct room *m);            /* a new process, scheduled as the jail table says */
void prio_gone(struct room *m, int signo); /* it is dead; signo: of what, 0: it ended */
void prio_apply(struct room *m);           /* it has started, or a reload is complete */
void prio_apply_all(struct parent *p);
void prio_late(struct room *m, uint32_t us);

#endif
