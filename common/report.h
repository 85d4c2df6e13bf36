/*
 * report.h - what a child tells an operator, asked by the parent (report): written piece by piece into the
 * descriptor that came along, never for longer than half a millisecond in one turn, so that no advert and no
 * check is late because somebody looks. Text: sections "[kind name]" and lines "key=value". Called by
 * child.c; a role supplies one function that writes the next piece.
 */
#ifndef HOLDFAST_REPORT_H
#define HOLDFAST_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/chan.h"
#include "common/ev.h"
#include "common/slice.h"

#define REPORT_LINE_MAX 500 /* longest value; what is longer is cut */

/* Writes the next piece (one object or so) and moves *cursor, which begins at 0. obj: only this one; 0: all.
 * False: there was nothing left to write. */
typedef bool report_fn(enum report_what what, uint32_t obj, size_t *cursor, FILE *f, void *arg);

struct reports;

struct reports *report_new(struct ev *ev, report_fn *fn, void *arg);
void report_free(struct reports *r);
/* Takes the descriptor of the message. -1: more of them at once than a parent that keeps to the rules asks
 * for. */
int report_begin(struct reports *r, struct chan *parent, const struct chan_msg *m);
/* Ids mean something else from now on: what is under way ends as not ok, and is asked for again. */
void report_void(struct reports *r);

/* A section's head and its lines. Whatever would end a line early is replaced: a value cannot forge another.
 */
void report_section(FILE *f, const char *kind, const char *name);
void report_line(FILE *f, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void report_time(FILE *f, const char *key, uint64_t ns); /* seconds with microseconds; 0: no line */

/* REPORT_WHAT_CONFIG: the objects of a slice as they are in force, secrets left out. A report_fn's work. */
bool report_slice(const struct slice *s, uint32_t obj, size_t *cursor, FILE *f);

#endif
