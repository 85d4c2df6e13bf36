/*
 * control_int.h - what control.c and control_serve.c share. Nobody else includes it.
 */
#ifndef HOLDFAST_PARENT_CONTROL_INT_H
#define HOLDFAST_PARENT_CONTROL_INT_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/un.h>

#include "common/chan.h"
#include "common/ev.h"
#include "parent/control.h"

/* What a client still gets: text, then what stands in fd (a child's report), then the status. */
struct control_answer {
    char *text; /* NULL: none */
    size_t len, done;
    int fd; /* -1: none */
    off_t at;
    int status;
};

struct control_client {
    struct control *ctl;
    struct chan *ch;
    bool reader; /* came by the read-only socket */
    uint32_t id; /* never given twice */
    bool waits_for_reload, waits_for_order;
    bool answering;
    struct control_answer answer;
    bool waits_for_report;
    enum role reporter;
    uint32_t token;
    int report; /* what the child writes into */
    bool follows;
    uint64_t seen; /* last event it was told */
    struct control_client *next;
};

struct control_door {
    struct control *ctl;
    bool reader;
    int fd; /* -1: closed */
    struct ev_io *io;
    struct sockaddr_un sa;
};

struct control {
    struct parent *p;
    struct control_door door[2]; /* orders, reading */
    bool has_group;
    gid_t group;
    struct control_client *clients;
    size_t n[2]; /* of each door */
    uint32_t token, last_id;
    struct ev_timer pump; /* somebody has an answer to get */
};

/* control_serve.c */
int control_serve(struct control_client *c, const struct msg_ctl_request *r); /* -1: against the rules */
void control_on_pump(struct ev_timer *t, uint64_t now, void *arg);
void control_on_event(void *arg);
void control_answer_end(struct control_client *c);
void control_reply(struct control_client *c, int status, const char *text, size_t len);
void control_say(struct control_client *c, int status, const char *text);

#endif
