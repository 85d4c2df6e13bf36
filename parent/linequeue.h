/*
 * linequeue.h - lines into a pipe that somebody else reads, maybe slowly: what does not fit waits here, up to
 * a bound, then lines are lost, counted and logged. Never blocks. Lines are whole: one write of at most
 * PIPE_BUF bytes is not interleaved (pipe(7)). Used by fifo.c.
 */
#ifndef HOLDFAST_PARENT_LINEQUEUE_H
#define HOLDFAST_PARENT_LINEQUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "common/ev.h"

#define LINEQUEUE_MAX (4u << 20) /* bytes: some 80,000 lines of a director whose servers all die */

struct linequeue {
    struct ev *ev;
    int fd;           /* the pipe, non-blocking; the owner's. -1: closed */
    const char *name; /* for the log */
    struct ev_io *io; /* NULL: nothing waits */
    char *buf;
    size_t at, len, cap; /* buf[at..len) waits */
    uint64_t lost;
};

void linequeue_open(struct linequeue *q, struct ev *ev, int fd, const char *name);
void linequeue_put(struct linequeue *q, const char *line,
                   size_t len); /* len: at most PIPE_BUF, with its newline */
/* Writes what the pipe takes at once; the rest is lost, and said to be. The fd stays open. */
void linequeue_close(struct linequeue *q);

#endif
