/*
 * watch.h - holdfast-dbus's two ways to the daemon: a question for everything (status, vrrpd's report), and
 * the stream of events. Both over the read-only socket; no order can be given here. Called by main.c.
 */
#ifndef HOLDFAST_PARENT_DBUS_WATCH_H
#define HOLDFAST_PARENT_DBUS_WATCH_H

#include "parent/ctl/ask.h"
#include "parent/dbus/shown.h"

#define WATCH_SOCKET "/run/holdfast/status"

struct watch {
    const char *socket;
    struct ask stream; /* fd -1: nobody is followed */
    char *text;        /* begun, not complete */
    size_t len;
};

int watch_load(const struct watch *w, struct shown *m); /* -1 errno: nobody answers, or not now */
int watch_follow(struct watch *w, uint64_t since);      /* -1 errno */
/* Blocks when nothing is there. 1: events are in d (the caller frees it); 0: not yet; -1: the daemon ended.
 */
int watch_read(struct watch *w, struct doc *d);
void watch_end(struct watch *w);

#endif
