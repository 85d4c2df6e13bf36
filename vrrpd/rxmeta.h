/*
 * rxmeta.h - what the kernel tells beside a datagram: when it came, how many hops were left to it, what it
 * was sent to. Nothing in it is the sender's word but the TTL. Called by io.c (adverts) and bfd_io.c.
 */
#ifndef HOLDFAST_VRRPD_RXMETA_H
#define HOLDFAST_VRRPD_RXMETA_H

#include <stdint.h>
#include <sys/socket.h>

#include "common/addr.h"

struct rxmeta {
    uint64_t stamp;    /* CLOCK_REALTIME of its arrival, ns; 0: not told */
    int ttl;           /* -1: not told */
    struct ipaddr dst; /* family 0: not told */
};

struct rxmeta rxmeta_read(struct msghdr *h);

/* That time on our clock; mono, real: now on both. The wall clock may have been stepped: never in the future,
 * never before the moment the queue was last seen empty. */
uint64_t rxmeta_time(uint64_t stamp, uint64_t mono, uint64_t real, uint64_t empty_at);

#endif
