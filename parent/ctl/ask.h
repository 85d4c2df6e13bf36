/*
 * ask.h - questions to the daemon behind its read-only socket, asked by a program that lives beside it
 * (metrics, SNMP, D-Bus) or for a shell that completes a name: all within one deadline, and without a word on
 * stderr. What comes back is text of the daemon and its children, which may say anything: for doc.h to take
 * apart. holdctl's other commands use link.c, which tells a person why.
 */
#ifndef HOLDFAST_PARENT_CTL_ASK_H
#define HOLDFAST_PARENT_CTL_ASK_H

#include <stdint.h>

#include "common/proto.h"

struct ask {
    int fd;
    uint64_t deadline; /* CLOCK_MONOTONIC ns */
};

/* -1 with errno: nobody is there. */
int ask_open(struct ask *a, const char *path, unsigned int wait_ms);
void ask_close(struct ask *a);
int ask_connect(const char *path); /* a descriptor, or -1 errno; nothing is said */
int ask_send(const struct ask *a, const struct msg_ctl_request *r);
/* One piece of an answer. -1 with errno. */
int ask_part(const struct ask *a, struct msg_ctl_reply *r);
/* 0: *text is the whole answer and the caller's; -1 with errno. A process that is just being replaced is
 * asked again for a moment. */
int ask_text(const struct ask *a, const struct msg_ctl_request *r, char **text);

#endif
