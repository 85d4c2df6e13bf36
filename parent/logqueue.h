/*
 * logqueue.h - lines that a log does not take at once wait here, up to a bound; what does not fit is counted.
 * Never blocks: send is a call that does not. Used by logsink.c (syslog) and logfile.c.
 */
#ifndef HOLDFAST_PARENT_LOGQUEUE_H
#define HOLDFAST_PARENT_LOGQUEUE_H

#include <stddef.h>
#include <stdint.h>

#define LOGQUEUE_LINES 512

/* 1 gone, 0 try later, -1 lost. */
typedef int logqueue_send_fn(void *arg, const char *text, size_t len);

struct logqueue_line {
    size_t len;
    char *text;
};

struct logqueue {
    logqueue_send_fn *send;
    void *arg;
    struct logqueue_line line[LOGQUEUE_LINES];
    size_t head, n;
    uint64_t lost;
};

void logqueue_put(struct logqueue *q, const char *text, size_t len); /* n > 0 then: drain it later */
void logqueue_drain(struct logqueue *q);
void logqueue_free(struct logqueue *q);

#endif
