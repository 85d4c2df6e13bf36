/*
 * notify.h - who is told of what: an event of an instance, group, server or service becomes FIFO lines and
 * scripts, in order, from the parent's own slice. The children say only that object N is in state S. Called
 * by hear.c (through lifecycle.c) and reload.c.
 */
#ifndef HOLDFAST_PARENT_NOTIFY_H
#define HOLDFAST_PARENT_NOTIFY_H

#include <stdbool.h>

#include "common/proto.h"

struct parent;
struct config;

/* c: the configuration the ids are of. */
void notify_inst_event(struct parent *p, struct config *c, const struct msg_inst_event *e);
void notify_rs_event(struct parent *p, struct config *c, const struct msg_rs_event *e);
void notify_vs_event(struct parent *p, struct config *c, const struct msg_vs_event *e);
/* A reload is complete: what is gone is told so; states are told again where that is wanted. */
void notify_reloaded(struct parent *p, struct config *old, struct config *now);

#endif
