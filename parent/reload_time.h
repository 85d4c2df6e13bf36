/*
 * reload_time.h - the one line of a reload_time_file: HH:MM:SS, YY-MM-DD HH:MM:SS or YYYY-MM-DD HH:MM:SS, an
 * optional Z, nothing else. Pure functions on whoever's bytes may write that file. Called by timed.c, tests
 * and the fuzzer.
 */
#ifndef HOLDFAST_PARENT_RELOAD_TIME_H
#define HOLDFAST_PARENT_RELOAD_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELOAD_TIME_MAX 32 /* bytes of the first line that are looked at */

struct reload_time {
    bool dated, utc;
    int year, month, day; /* month and day from 1; dated only */
    int hour, minute, second;
};

/* False: the first line is something else. */
bool reload_time_parse(const char *buf, size_t len, struct reload_time *t);
/* When it comes next, seconds since the epoch; local time is the machine's now. False: it has passed. */
bool reload_time_next(const struct reload_time *t, int64_t now, int64_t *at);

#endif
