/*
 * bfd_snapshot.h - the bytes the parent keeps of one BFD session for our successor, under the natural key
 * name
 * + addresses + hops. Pure encode/decode, little endian, versioned, canonical (decode then encode gives the
 * same bytes). The decoder trusts nothing: a snapshot may come from another build. Called by bfd_life.c,
 * tests and the fuzzer.
 */
#ifndef HOLDFAST_VRRPD_BFD_SNAPSHOT_H
#define HOLDFAST_VRRPD_BFD_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "vrrpd/bfd.h"

#define BFD_NAME_MAX     31
#define BFD_SNAPSHOT_MAX 256
#define BFD_SNAPSHOT_KEY 0x80000000u /* or-ed to the session's id: apart from those of instances */

struct bfd_snapshot {
    char name[BFD_NAME_MAX + 1];
    struct ipaddr src, dst; /* src: family 0 when the kernel chooses */
    bool multihop;
    struct bfd_saved saved;
};

bool bfd_snapshot_is(const uint8_t *buf, size_t len); /* one of ours, not of an instance */
int bfd_snapshot_encode(const struct bfd_snapshot *s, uint8_t buf[BFD_SNAPSHOT_MAX]); /* length */
int bfd_snapshot_decode(const uint8_t *buf, size_t len, struct bfd_snapshot *out);    /* 0; -1 EINVAL */

#endif
