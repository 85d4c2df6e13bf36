/*
 * plan.h - what a reload would do, gathered from the rooms: each writes lines into a descriptor of its own
 * while it holds the new configuration aside. The lines come from processes that may be taken over: printable
 * text and a bounded amount of it is all that is believed. Called by reload.c.
 */
#ifndef HOLDFAST_PARENT_PLAN_H
#define HOLDFAST_PARENT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/role.h"

struct plan;
struct room;

struct plan *plan_new(void);
void plan_free(struct plan *p);                                    /* NULL: nothing */
int plan_fd(struct plan *p, enum role r);                          /* a descriptor to send away; -1 errno */
void plan_diagnosis(struct plan *p, const char *text, size_t len); /* of the new configuration */
void plan_refused(struct plan *p, const char *why);                /* there is nothing to do but to say why */
/* What room m has written, or that it would be started or stopped. */
void plan_gather(struct plan *p, const struct room *m, bool takes_part, bool wanted);
/* "ROLE\tTEXT" or "ROLE\tTEXT\tOLD\tNEW" lines, or the diagnosis and why it was refused. The caller frees. */
char *plan_end(struct plan *p, size_t *len);

#endif
