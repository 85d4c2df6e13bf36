/*
 * pulse.h - a child's sign of life without a message: one word in a shared page, written at the end of every
 * turn of its loop, read by the parent when it wonders. A busy child costs nothing to watch; only a silent
 * one is pinged. The page is sealed against resizing, so a taken-over child can lie about being alive but
 * cannot hurt the reader.
 */
#ifndef HOLDFAST_PULSE_H
#define HOLDFAST_PULSE_H

#include <stdbool.h>
#include <stdint.h>

struct pulse;

int pulse_create(void); /* a sealed memfd of one page; -1 errno */
struct pulse *
pulse_map(int fd, bool writer);    /* fd may be closed afterwards; refuses what is not sealed. NULL errno */
void pulse_unmap(struct pulse *p); /* NULL is fine */
void pulse_beat(struct pulse *p, uint64_t now_ns);
uint64_t pulse_last(const struct pulse *p); /* CLOCK_MONOTONIC ns of the last turn, 0: none yet */

#endif
