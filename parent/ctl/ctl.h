/*
 * ctl.h - holdctl: the connection to the daemon and what every command gets. The commands are the rows of
 * commands.def, each a function cmd_WORD in a cmd_*.c file; main.c only finds the row. Runs as the caller,
 * without any privilege of its own; what the daemon says is trusted as far as its text (no control
 * characters).
 */
#ifndef HOLDFAST_PARENT_CTL_CTL_H
#define HOLDFAST_PARENT_CTL_CTL_H

#include <stdbool.h>

#include "common/proto.h"

#define CTL_SOCKET        "/run/holdfast/control"
#define CTL_SOCKET_STATUS "/run/holdfast/status" /* questions only: who is in the group holdfast */

/* Exit statuses of holdctl; a command may have more of its own. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2,
    CTL_NOT_RUNNING = 3, /* as init scripts say "not running" */
    CTL_WARNED = 4,      /* findings: warnings at most */
    CTL_BAD = 5,         /* findings: errors; the status of holdfast -t for a bad configuration */
};

struct ctl {
    const char *socket; /* -s; NULL: the read-only one for questions, the control socket for orders */
    bool json;          /* --json */
    int fd;             /* -1: not connected */
};

typedef int ctl_fn(struct ctl *c, int argc, char **argv); /* argv[0]: the first word behind the command */

#define CMD(word, fn, args, help) ctl_fn fn;
#include "parent/ctl/commands.def"

/* Says why on stderr; returns CTL_FAILED. */
int ctl_lost(const char *what) __attribute__((cold));

/* What the row says of its arguments, on stderr; returns CTL_USAGE. */
int ctl_misused(const char *word);

/* To ask this; by the read-only socket when that will do. 0, or an exit status when nobody answers (said on
 * stderr). What was open is closed. */
int ctl_connect_for(struct ctl *c, enum ctl_verb verb);
int ctl_send(const struct ctl *c, const struct msg_ctl_request *r);

/* One whole answer into *text (the caller frees it); the daemon's own verdict in *status. 0, or an exit
 * status. */
int ctl_receive(const struct ctl *c, char **text, int *status);

/* A piece of an answer, as it comes. 0, or an exit status. */
int ctl_receive_part(const struct ctl *c, struct msg_ctl_reply *r, int timeout_ms);

/* Connect, ask, receive; again as long as the daemon says that something came between. 0, or an exit status;
 * *text is set only with 0. */
int ctl_ask(struct ctl *c, const struct msg_ctl_request *r, char **text, int *status);

/* Asks, and prints what the daemon says. Its verdict, or the exit status of ctl_ask. */
int ctl_order(struct ctl *c, const struct msg_ctl_request *r);

void ctl_print(const char *text);

#endif
