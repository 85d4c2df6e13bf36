/*
 * addrwatch.h - option -a: a line in the log for every address that comes or goes, on any interface, whoever
 * did it, in the incumbent's words. A table of its own, because the mirror of link.c keeps named interfaces
 * only. Fed with all events of the monitor and the dumps by link.c; nothing is decided by it.
 */
#ifndef HOLDFAST_IPVSD_ADDRWATCH_H
#define HOLDFAST_IPVSD_ADDRWATCH_H

#include <stdint.h>

#include "ipvsd/kevent.h"

struct addrwatch;

/* own: netlink port id of our commands. */
struct addrwatch *addrwatch_new(uint32_t own);
void addrwatch_free(struct addrwatch *w);
/* All of these do nothing when w is NULL. */
void addrwatch_on_event(struct addrwatch *w, const struct kevent *e);
/* A dump of all addresses: what it did not show is gone. The first one says what there is. */
void addrwatch_dump_begin(struct addrwatch *w);
void addrwatch_dump_end(struct addrwatch *w);

#endif
