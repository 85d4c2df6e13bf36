/*
 * track.h - what trackers mean for a virtual router, pure: from the results of what is watched to priority,
 * fault or "wait for the first result"; how often a script must fail before it counts; when a number of
 * processes is right. No I/O, no clock, no memory of its own. Called by track_bind.c (lines), track_life.c,
 * inst_judge.c, reports and metrics, by simulation and lint of holdctl, and the unit tests.
 */
#ifndef HOLDFAST_VRRPD_TRACK_H
#define HOLDFAST_VRRPD_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACK_NAME_MAX   255
#define TRACK_FILE_FAULT (-254) /* a contribution of a file this low is a fault */

enum track_kind { TRACK_IF, TRACK_SCRIPT, TRACK_FILE, TRACK_PROC, TRACK_BFD, TRACK_KINDS };
enum track_result { TRACK_UNKNOWN, TRACK_FAIL, TRACK_OK };

/* A line of track_interface, track_script ... */
struct track_line {
    enum track_kind kind;
    char *name;
    int weight;
    bool reverse;
    bool of_group;  /* written in the sync group, not in the instance */
    bool of_static; /* the interface of a static entry with track_group */
    bool neutral;   /* its weight was taken away: track_neutralise() */
};

/* What a tracker says about an instance. */
struct track_say {
    int delta;
    bool fault, wait; /* wait: nothing is known yet, and a fault is possible */
};

/* Everything a virtual router's trackers say together. */
struct track_sum {
    long delta;
    bool fault, wait;
};

struct track_say track_of_result(enum track_result r, int weight, bool reverse);
struct track_say track_of_file(bool known, int32_t value, int weight, bool reverse);
void track_add(struct track_sum *s, struct track_say say);
uint8_t track_priority(uint8_t base, const struct track_sum *s); /* an owner's never changes */

/* Weights of an owner, or of a member of a sync group that does not allow them. False: the line goes
 * altogether. */
bool track_neutralise(enum track_kind kind, bool owner, int *weight);

/* Results in a row. The first one decides alone, unless a failure was assumed (init_fail). */
struct track_debounce {
    enum track_result result;
    uint32_t streak; /* results in a row that say otherwise */
};
bool track_debounce(struct track_debounce *d, bool ok, uint32_t rise, uint32_t fall); /* true: changed */

/* quorum <= count <= quorum_max; a largest number of 0 wants none at all. */
bool track_quorum(uint32_t count, uint32_t quorum, bool limited, uint32_t quorum_max);

const char *track_kind_name(enum track_kind k); /* "script" ... */

#endif
