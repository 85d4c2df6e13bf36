/*
 * control.h - the two sockets of the operator. "control": root (or who the daemon runs as) asks and orders.
 * "status": who is in the group holdfast asks, and orders nothing. Both are checked by SO_PEERCRED whatever
 * the file says. Requests are small, enumerated and decoded like every other message; answers leave piece by
 * piece as the reader takes them, and never block. control.c: sockets and who may; control_serve.c: answers.
 */
#ifndef HOLDFAST_PARENT_CONTROL_H
#define HOLDFAST_PARENT_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"
#include "common/role.h"

struct control;
struct control_client;
struct parent;

#define CONTROL_SOCKET "control"
#define CONTROL_STATUS "status"   /* the read-only one, beside it */
#define CONTROL_GROUP  "holdfast" /* who may read */

/* NULL with errno: the daemon runs without. */
struct control *control_new(struct parent *p, const char *dir);
void control_free(struct control *c);
void control_on_reload_done(struct control *c);
void control_on_reported(struct control *c, enum role who, const struct msg_reported *m);
void control_on_death(struct control *c, enum role who);

/* For orders that are carried out elsewhere: the answer to the client of this number, whose request waits for
 * it (waits_for_order), and with it the exit status of holdctl. A client that has left: nothing. */
void control_answer(struct control *c, uint32_t client, int status, const char *text, size_t len);

#endif
