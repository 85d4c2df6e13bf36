/*
 * plan_dump.h - what a commit of the prepared configuration would do to the kernel, a line a step, none of it
 * done (holdctl reload --plan). Reads the two models and what the kernel is known to hold, with the same
 * rules the commit has. A value that changes is written "WHAT\tOLD\tNEW" (reload --plan --json: from, to).
 * Called by main.c between prepare and abort.
 */
#ifndef HOLDFAST_IPVSD_PLAN_DUMP_H
#define HOLDFAST_IPVSD_PLAN_DUMP_H

#include <stdio.h>

#include "common/slice.h"

struct ipvsd;

void plan_dump(struct ipvsd *d, const struct slice *next, int fd);
void plan_ipvs(struct ipvsd *d, const struct slice *next, FILE *f); /* plan_ipvs.c */

#endif
