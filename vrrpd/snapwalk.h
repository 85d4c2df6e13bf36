/*
 * snapwalk.h - the walk through the bytes of a snapshot, the same for writing and for reading, so that the
 * two cannot disagree: little endian, a byte for the kind and one for the version before all else. What is
 * read is trusted in nothing (it may come from another build): the first thing that is off makes the walk
 * bad, and a bad walk reads and writes no more. Called by snapshot.c and bfd_snapshot.c.
 */
#ifndef HOLDFAST_VRRPD_SNAPWALK_H
#define HOLDFAST_VRRPD_SNAPWALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

struct snapwalk {
    uint8_t *out;      /* writing */
    const uint8_t *in; /* reading, when out is NULL */
    size_t at, len;
    bool bad;
};

struct snapwalk snapwalk_write(uint8_t *buf, size_t room, uint8_t kind,
                               uint8_t version); /* room: 2 or more */
struct snapwalk snapwalk_read(const uint8_t *buf, size_t len, uint8_t kind, uint8_t version);
/* Length; -1 EINVAL: bad, or more was there than was read. */
int snapwalk_end(const struct snapwalk *w);

void snapwalk_u8(struct snapwalk *w, uint8_t *v);
void snapwalk_u32(struct snapwalk *w, uint32_t *v);
void snapwalk_u64(struct snapwalk *w, uint64_t *v);
/* Seven bits a byte: the parent keeps thousands of these, and most counters are small. Only the shortest form
 * is read. */
void snapwalk_count(struct snapwalk *w, uint64_t *v);
/* A byte of at most most; 0 when it is more. */
uint8_t snapwalk_small(struct snapwalk *w, uint8_t v, uint8_t most);
/* Length, then the text, cut to room (what s holds besides the NUL). */
void snapwalk_text(struct snapwalk *w, char *s, uint8_t room);
void snapwalk_addr(struct snapwalk *w, struct ipaddr *a); /* family 0: none; of one address, no prefix */

#endif
