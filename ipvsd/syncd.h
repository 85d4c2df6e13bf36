/*
 * syncd.h - lvs_sync_daemon: the kernel's connection sync daemons follow an instance (master while it is
 * MASTER, backup otherwise) or both run for good. Reads what runs before it changes anything, so that a
 * successor of a dead ipvsd and a reload that changes nothing leave them alone. Called by main.c and
 * plan_dump.c.
 */
#ifndef HOLDFAST_IPVSD_SYNCD_H
#define HOLDFAST_IPVSD_SYNCD_H

#include <stdio.h>

#include "common/proto.h"
#include "common/slice.h"

struct ipvsd;
struct syncd;

struct syncd *syncd_new(struct ipvsd *d);
void syncd_free(struct syncd *y);
void syncd_configure(struct syncd *y, const struct slice *now);
/* What a commit of next would start and stop, with its instance (the name asked for) in this state then. */
const char *syncd_follows(const struct slice *next, char *buf, size_t size);
void syncd_foresee(struct syncd *y, const struct slice *next, enum vrrp_state then, FILE *f);
void syncd_turn(struct syncd *y);     /* end of a turn: the instance may have changed its state */
void syncd_handover(struct syncd *y); /* vrrpd is given up: no master any more */
void syncd_stop(struct syncd *y);     /* for good */
void syncd_dump(const struct syncd *y, int fd);

#endif
