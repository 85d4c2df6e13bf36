/*
 * room.h - what supervise.c, mourn.c and hear.c share about one room. Nobody else includes it.
 */
#ifndef HOLDFAST_PARENT_ROOM_H
#define HOLDFAST_PARENT_ROOM_H

#include "parent/supervise.h"

const struct chan_ops *room_chan_ops(void); /* hear.c */

void room_timers_init(struct room *m);                                      /* mourn.c */
void room_on_pidfd(struct ev_io *w, unsigned int got, void *arg);           /* mourn.c: it is dead */
void room_on_stderr(struct ev_io *w, unsigned int got, void *arg);          /* hear.c */
void room_stderr_drain(struct room *m);                                     /* hear.c */
void room_started(struct room *m);                                          /* mourn.c: life signs begin */
void room_channel_dead(struct room *m, enum chan_end how, const char *why); /* mourn.c */
void room_bury(struct room *m); /* mourn.c: closes what is left of a process */
void room_tell(struct room *m); /* supervise.c */

#endif
