/*
 * out.c - lines into one log file; see filelog.h. A write that fails costs what the buffer holds; the next
 * one that succeeds begins with how many lines are missing there. May block: that is what this process is
 * for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "parent/filelog/filelog.h"

/* 0: all of it; -1 errno, and torn says whether a piece is there. */
static int out_write(struct filelog_out *o, const char *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(o->fd, data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = EIO;
            return -1;
        }
        done += (size_t)n;
        o->torn = data[done - 1] != '\n';
    }
    return 0;
}

static int out_gap(struct filelog_out *o)
{
    char line[120];
    if (o->missing == 0)
        return 0;
    int n = snprintf(line, sizeof line, "%s--- %llu lines are missing here: %s\n", o->torn ? "\n" : "",
                     (unsigned long long)o->missing, strerror(o->error));
    if (out_write(o, line, (size_t)n) < 0)
        return -1;
    o->missing = 0;
    return 0;
}

void filelog_flush(struct filelog_out *o)
{
    if (o->len == 0)
        return;
    if (out_gap(o) < 0 || out_write(o, o->buf, o->len) < 0) {
        o->error = errno;
        o->missing += o->lines;
        o->lost += o->lines;
    }
    o->len = o->lines = 0;
}

void filelog_put(struct filelog_out *o, const char *line, size_t len, bool at_once)
{
    if (len > sizeof o->buf)
        len = sizeof o->buf;
    if (o->len + len > sizeof o->buf)
        filelog_flush(o);
    memcpy(o->buf + o->len, line, len);
    o->len += len;
    o->lines++;
    if (at_once)
        filelog_flush(o);
}
