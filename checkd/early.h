/*
 * early.h - the messages for checkd: one small handler a type, and those that come before their time (of a
 * generation whose commit has not reached us) kept until it does. Called by main.c.
 */
#ifndef HOLDFAST_CHECKD_EARLY_H
#define HOLDFAST_CHECKD_EARLY_H

#include "checkd/checkd.h"

int message_handle(struct checkd *d,
                   const struct chan_msg *m);               /* of the generation in force; -1: not allowed */
int early_keep(struct checkd *d, const struct chan_msg *m); /* of a later one; -1: not allowed */
void early_replay(struct checkd *d);                        /* after our commit */
void early_forget(struct checkd *d);

#endif
