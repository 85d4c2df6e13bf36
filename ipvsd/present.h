/*
 * present.h - is the address of a service with ha_suspend (for checkd), or the source of a unicast instance
 * or of one with track_src_ip (for vrrpd), on this machine, on any interface? Fed by the monitor and the
 * dumps of link.c, told at connect, after commit and at every change; a table for each of the two. Called by
 * main.c and link.c. Pure but for present_tell: the rest is a table.
 */
#ifndef HOLDFAST_IPVSD_PRESENT_H
#define HOLDFAST_IPVSD_PRESENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/chan.h"
#include "common/slice.h"
#include "ipvsd/kevent.h"

struct present;

enum present_kind { PRESENT_SERVICES, PRESENT_SOURCES };

struct present *present_new(enum present_kind kind);
void present_free(struct present *p);
/* True: an address is asked for that was not before, so the kernel's table must be read again. */
bool present_configure(struct present *p, const struct slice *now);

void present_on_addr(struct present *p, const struct kevent_addr *a);
void present_on_addr_gone(struct present *p, const struct kevent_addr *a);
void present_on_link_gone(struct present *p, uint32_t ifindex);
/* A dump of all addresses: what it did not show is gone. */
void present_dump_begin(struct present *p);
void present_dump_end(struct present *p);

bool present_is(const struct present *p, uint32_t id); /* false also for an id nobody asks about */
/* ch NULL: who wants to know is not there, and will be told all of it. */
void present_tell(struct present *p, struct chan *ch, bool all);

#endif
