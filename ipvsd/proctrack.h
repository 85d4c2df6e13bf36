/*
 * proctrack.h - vrrp_track_process: counts the processes each one means and tells vrrpd the number. The
 * kernel's process connector says what begins and ends (first network namespace only); where it says nothing
 * /proc is read again and again. Called by main.c.
 */
#ifndef HOLDFAST_IPVSD_PROCTRACK_H
#define HOLDFAST_IPVSD_PROCTRACK_H

#include "common/chan.h"
#include "common/slice.h"

struct ipvsd;
struct proctrack;

struct proctrack *proctrack_new(struct ipvsd *d);
void proctrack_configure(struct proctrack *t, const struct slice *s);
void proctrack_tell(struct proctrack *t, struct chan *vrrpd); /* every number; before facts_done */
void proctrack_dump(const struct proctrack *t, int fd);

#endif
