/*
 * operator.h - what the operator ordered: weights of real servers (drain), mastership of instances (yield,
 * takeover). Kept here by natural key, so that an order outlives a reload and the death of any room, and in a
 * file below /run, so that it outlives the daemon. Names come from holdctl (root) and are compared with those
 * of the slice; rooms hear ids. Called by control_serve.c, supervise.c,
 * mourn.c, lifecycle.c, hear.c, reload.c, status.c.
 */
#ifndef HOLDFAST_PARENT_OPERATOR_H
#define HOLDFAST_PARENT_OPERATOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/proto.h"
#include "common/role.h"

struct config;
struct operator;
struct parent;

struct operator* operator_new(struct parent *p);
void operator_free(struct operator* o); /* NULL: nothing */
void operator_load(struct operator* o); /* the file, once p->rundir is known */

/* Behind start and behind commit of a room: every order it follows, under the ids of p->cur. */
void operator_tell(struct operator* o, enum role r, bool starting);

/* A request of holdctl; the answer goes to control_answer(client), now or when the room has spoken. */
void operator_server(struct operator* o, uint32_t client, const struct msg_ctl_request *r);
void operator_switch(struct operator* o, uint32_t client, const struct msg_ctl_request *r);

/* From hear.c. -1: not allowed. */
int operator_on_ordered(struct operator* o, const struct msg_inst_ordered *m);
void operator_on_held(struct operator* o, const struct config *c, const struct msg_inst_held *m);
void operator_on_death(struct operator* o, enum role r); /* who waits for its answer is told */

void operator_reloaded(struct operator* o); /* what is not configured any more is forgotten */
/* name: only what is called so; "" everything */
void operator_status(const struct operator* o, const char *name, FILE *f);

#endif
