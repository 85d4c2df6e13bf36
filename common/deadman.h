/*
 * deadman.h - a dead man's switch: a timer both sides hold. The child winds it up again while its loop turns,
 * the parent sleeps until it runs down (timerfd_create(2), CLOCK_MONOTONIC). How far it is wound up is the
 * parent's choice and stands in the timer itself (it_interval), so a reload needs no message. A taken-over
 * child can wind it up for ever, as it can lie in its pulse page (pulse.h); it can do no more.
 */
#ifndef HOLDFAST_DEADMAN_H
#define HOLDFAST_DEADMAN_H

#include <stdint.h>

struct deadman {
    int fd; /* -1: none */
    uint64_t wound_at, limit;
};

int deadman_create(void);                              /* the parent's; -1 errno */
void deadman_set(int fd, uint64_t limit_ns);           /* wind it up anew, and so from now on; 0 stops it */
void deadman_beat(struct deadman *d, uint64_t now_ns); /* the child's, at every turn: rarely a system call */
/* Who has nothing to do must turn by then, or the parent wakes up to ask. TIME_NEVER: the switch is off. */
uint64_t deadman_due(const struct deadman *d);

#endif
