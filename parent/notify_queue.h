/*
 * notify_queue.h - scripts that events start: one queue an object, so that they run in the order of the
 * events, each when its predecessor has ended (or has had enough time). A bounded number runs at once; a
 * storm waits here and delays nobody. Called by notify.c; at the beginning and the end of the daemon by
 * script_life.c.
 */
#ifndef HOLDFAST_PARENT_NOTIFY_QUEUE_H
#define HOLDFAST_PARENT_NOTIFY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/ev.h"
#include "parent/runner.h"

struct notify_queues;

struct notify_queues *notify_queues_new(struct ev *ev, struct runner *r);
void notify_queues_free(struct notify_queues *q);
/* key: whose queue, a natural key: it outlives generations. extra is copied. */
void notify_queue_add(struct notify_queues *q, const char *key, struct script *s, const char *const *extra,
                      size_t nextra);
bool notify_queues_idle(const struct notify_queues *q); /* nothing waits, nothing runs */
/* The daemon ends: what still waits starts now, in order, and is left to itself. */
void notify_queues_hurry(struct notify_queues *q);

#endif
