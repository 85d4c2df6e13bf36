/*
 * vital.h - does a child still live? Its pulse page, its dead man's switch, pings, and the verdict "it
 * hangs". Called by supervise.c, mourn.c and, for another patience, reload.c. A death is the business of
 * mourn.c.
 */
#ifndef HOLDFAST_PARENT_VITAL_H
#define HOLDFAST_PARENT_VITAL_H

#include "parent/supervise.h"

void vital_init(struct room *m);
int vital_pulse(struct room *m);   /* a fresh page for this incarnation, to be passed on; -1: none (logged) */
int vital_deadman(struct room *m); /* the other end of its switch, to be passed on; -1: none */
void vital_begin(struct room *m);  /* it has started */
void vital_retime(struct parent *p); /* a reload may have changed the peers' patience */
void vital_end(struct room *m);      /* it is dead or about to be */

#endif
