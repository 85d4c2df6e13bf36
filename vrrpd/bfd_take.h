/*
 * bfd_take.h - whose is this BFD packet, and does it count? No I/O: called by bfd_io.c, which has read it
 * from a socket, and by the simulation, which has not.
 */
#ifndef HOLDFAST_VRRPD_BFD_TAKE_H
#define HOLDFAST_VRRPD_BFD_TAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

struct bfd_life;

struct bfd_arrival {
    struct ipaddr src, dst;
    int ttl; /* -1: not told */
    bool multihop;
    uint64_t at;
    const uint8_t *bytes;
    size_t len;
};

void bfd_take(struct bfd_life *l, const struct bfd_arrival *a);

#endif
