/*
 * repair.h - what every thing of ours in the kernel that somebody else takes away has in common, an address
 * or a route or a rule: who did it, how often of late, and how long it is left alone, so that two programs
 * that undo each other cost little. Called by addr_apply.c and route_apply.c, which do the putting back, and
 * by nft_accept.c and addrwatch.c.
 */
#ifndef HOLDFAST_IPVSD_REPAIR_H
#define HOLDFAST_IPVSD_REPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/log.h"

#define REPAIR_BURST  10 /* in a second, then one every: */
#define REPAIR_PAUSE  (100 * NS_PER_MS)
#define REPAIR_FAILED NS_PER_SEC /* after an attempt the kernel refused */

struct repair {
    uint32_t culprit; /* netlink port that took it away last; 0: the kernel, or nobody known */
    unsigned int n;   /* since: */
    uint64_t window, held_until;
    struct log_limit said;
};

/* It was taken away and is back. */
void repair_count(struct repair *r, uint64_t now);
/* The same in the log, at most once a second. owner: whose it is; what: the thing itself. */
void repair_say(struct repair *r, uint64_t now, const char *owner, const char *what);
/* The kernel refuses: again after a pause. True: this should be said, once in a while. */
bool repair_refused(struct repair *r, uint64_t now);

/* The port id of a command is its pid. Landlock or a quick end may hide the name. */
void repair_culprit(uint32_t portid, char *buf, size_t size);

#endif
