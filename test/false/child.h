/*
 * child.h - common/child.h for tests, false: the process around vrrpd as it sees it, without a process. One
 * file for the unit test of its life (test/unit/vrrpd_false.h) and for the simulation (test/sim). Who tests
 * owns the struct: the clock, the channels, the slice and what the parent keeps are given by him.
 */
#ifndef HOLDFAST_TEST_FALSE_CHILD_H
#define HOLDFAST_TEST_FALSE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/child.h"
#include "common/clock.h"
#include "common/slice.h"
#include "vrrpd/snapshot.h"

#define FALSE_KEPT 64

/* What the parent keeps: outlives the process. */
struct false_kept {
    bool used;
    uint32_t key;
    uint16_t len;
    uint8_t data[SNAPSHOT_MAX];
};

struct child_test; /* what a test hangs on it */

struct child {
    const struct child_ops *ops;
    void *arg;
    struct ev *ev;
    struct clock clock;
    struct slice *slice;
    struct chan *parent, *ipvsd, *checkd; /* NULL: not there */
    bool restarted, keep, stopped;
    struct false_kept *kept;                        /* FALSE_KEPT of them */
    void (*on_keep)(struct child *c, uint32_t key); /* something is kept, NULL: nobody asks */
    struct child_test *test;
};

/* Whose vrrpd_run it is, and who asks for the time of day; NULL asks. */
struct child *false_running(struct child *set);
struct false_kept *false_kept_find(struct false_kept *kept, uint32_t key); /* NULL: nothing */

#endif
