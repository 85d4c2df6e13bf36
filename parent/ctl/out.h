/*
 * out.h - words for people: colours where a terminal wants them, columns that line up, times as one says
 * them. On a terminal the last column is cut to its width; into a pipe everything goes, without colours.
 */
#ifndef HOLDFAST_CTL_OUT_H
#define HOLDFAST_CTL_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum out_colour { OUT_PLAIN, OUT_GOOD, OUT_BAD, OUT_WARN, OUT_DIM, OUT_HEAD };

struct out {
    FILE *f;
    bool colour;
    size_t width, height; /* 0: without end */
    double now;           /* CLOCK_REALTIME seconds */
};

void out_init(struct out *o, FILE *f); /* looks at the terminal and NO_COLOR */
void out_say(const struct out *o, enum out_colour c, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define OUT_COLUMNS 10

struct out_table {
    size_t columns, cells;
    struct out_cell {
        char *text;
        enum out_colour colour;
    } * v;
};

/* The head is the first row: NULL ends it. */
void out_table(struct out_table *t, const char *const *head);
void out_cell(struct out_table *t, enum out_colour c, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void out_flush(const struct out *o,
               struct out_table *t); /* prints (when there is more than the head), frees */

enum out_colour out_state(const char *state); /* MASTER and UP are good ... */
/* "10:22:01 (3 min)"; "" when at is 0. */
const char *out_when(const struct out *o, double at, char *buf, size_t size);
const char *out_ago(double seconds, char *buf, size_t size);                   /* "3 min" */
const char *out_clock(const struct out *o, double at, char *buf, size_t size); /* "10:22:01.123" */

#endif
