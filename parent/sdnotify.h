/*
 * sdnotify.h - tells systemd how we are: one datagram on NOTIFY_SOCKET. Silent when there is none. Never
 * blocks.
 */
#ifndef HOLDFAST_PARENT_SDNOTIFY_H
#define HOLDFAST_PARENT_SDNOTIFY_H

#include <stdint.h>

struct sdnotify {
    int fd;               /* connected, -1: nobody to tell */
    uint64_t watchdog_ns; /* how often to say WATCHDOG=1; 0: not wanted */
};

void sdnotify_open(struct sdnotify *s); /* reads and removes the environment variables */
void sdnotify_close(struct sdnotify *s);
void sdnotify_send(const struct sdnotify *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sdnotify_ready(const struct sdnotify *s);
void sdnotify_reloading(const struct sdnotify *s);

#endif
