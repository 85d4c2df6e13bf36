/*
 * snapshot.h - the bytes the parent keeps for our successor: one blob an instance (state, time grid, learned
 * master, counters) under the natural key name + VRID + family + interface, and one heartbeat under key 0
 * that says until when this process was alive. Pure encode/decode, versioned, canonical
 * (decode then encode gives the same bytes). The decoder trusts nothing: a snapshot may come from another
 * build.
 */
#ifndef HOLDFAST_VRRPD_SNAPSHOT_H
#define HOLDFAST_VRRPD_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "vrrpd/checks.h"
#include "vrrpd/engine.h"

#define SNAPSHOT_MAX 512 /* proto.def: snapshot.data */
#define SNAPSHOT_NAME_MAX                                                                                    \
    77 /* longer instance names are cut: VRID, family and interface still tell them apart */
#define SNAPSHOT_IFACE_MAX 15
#define SNAPSHOT_KEY_ALIVE 0

struct snapshot {
    char name[SNAPSHOT_NAME_MAX + 1];
    char iface[SNAPSHOT_IFACE_MAX + 1];
    uint8_t vrid, family;
    struct engine_saved saved;
    struct check_stats stats;
    uint64_t auth_own; /* signed adverts: the mark said last */
    struct auth_sender senders[AUTH_SENDERS];
};

void snapshot_auth_take(struct snapshot *s, const struct auth_state *st);
void snapshot_auth_give(const struct snapshot *s, struct auth_state *st);

int snapshot_encode(const struct snapshot *s, uint8_t buf[SNAPSHOT_MAX]);  /* length */
int snapshot_decode(const uint8_t *buf, size_t len, struct snapshot *out); /* 0; -1 EINVAL */

int snapshot_alive_encode(uint64_t alive_at, uint8_t buf[SNAPSHOT_MAX]);
int snapshot_alive_decode(const uint8_t *buf, size_t len, uint64_t *alive_at);

#endif
