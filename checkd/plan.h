/*
 * plan.h - see plan.c.
 */
#ifndef HOLDFAST_CHECKD_PLAN_H
#define HOLDFAST_CHECKD_PLAN_H

#include "checkd/checkd.h"

void plan_write(struct checkd *d, int fd);

#endif
