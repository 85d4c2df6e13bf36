/*
 * report.h - REPORT_WHAT_STATE of ipvsd: which addresses, routes and rules the kernel has, by the ids of the
 * configuration. Called by main.c.
 */
#ifndef HOLDFAST_IPVSD_REPORT_H
#define HOLDFAST_IPVSD_REPORT_H

#include "ipvsd/ipvsd.h"

/* The next piece; see report_fn. */
bool report_kernel(const struct ipvsd *d, uint32_t obj, size_t *cursor, FILE *f);

#endif
