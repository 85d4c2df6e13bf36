/*
 * refuse.h - what a manager wants to set and may not: nothing can be set here, because this program only has
 * the daemon's read-only socket and SNMP says nobody's name. The log says which object it was and what does
 * it instead. Called by snmp.c; the words are pure.
 */
#ifndef HOLDFAST_SNMP_REFUSE_H
#define HOLDFAST_SNMP_REFUSE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct refuse {
    uint64_t from, count; /* the second it counts in, and how many were not told */
};

/* One line, in one write; at most one a second. */
void refuse_log(struct refuse *r, uint64_t now_ns, const uint32_t *oid, size_t n, int fd);
/* What does it instead; "" when nothing does. */
const char *refuse_instead(const uint32_t *oid, size_t n);

#endif
