/*
 * checks.h - the receive checks of one virtual router, in the order of reference/behaviour.md section 3, with
 * their counters. Pure: hostile bytes in, a verdict and (only when it is CHECK_OK) an advert out. A packet
 * that fails is counted and nothing else: it moves no timer and no state. Called by inst_rx.c, report.c
 * (names), tests and fuzzers.
 */
#ifndef HOLDFAST_VRRPD_CHECKS_H
#define HOLDFAST_VRRPD_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vrrpd/auth.h"
#include "vrrpd/engine.h"
#include "vrrpd/packet.h"

enum check_verdict {
    CHECK_OK,
    CHECK_AH,     /* AH header without being configured, or the reverse */
    CHECK_LENGTH, /* not the length its own count says */
    CHECK_TTL,    /* multicast from beyond this link */
    CHECK_VERSION,
    CHECK_AUTH_UNKNOWN, /* no such authentication type */
    CHECK_AUTH_TYPE,    /* not the one configured */
    CHECK_AUTH_FAIL,    /* wrong password, or check value of AH */
    CHECK_AUTH_REPLAY,  /* AH: a sequence number that was heard before */
    CHECK_EXT_MISSING,  /* auth_hmac: unsigned */
    CHECK_EXT_MALFORMED,
    CHECK_EXT_KEY,      /* a key id we do not have */
    CHECK_EXT_HMAC,     /* wrong signature */
    CHECK_EXT_STALE,    /* outside the time window */
    CHECK_EXT_REPLAY,   /* not newer than the last one of this sender */
    CHECK_INTERVAL,     /* version 2: another interval */
    CHECK_TYPE,         /* not an advertisement */
    CHECK_TOTAL_LENGTH, /* IPv4 total length is not what arrived */
    CHECK_CHECKSUM,
    CHECK_CAST,     /* multicast to a unicast instance or the reverse */
    CHECK_OWNER,    /* owner_ignore_adverts */
    CHECK_PEER,     /* check_unicast_src: a stranger */
    CHECK_PEER_TTL, /* outside the peer's TTL range */
    CHECK_MAX
};

/* Remarks about an advert that is used all the same; bits. */
enum check_remark {
    CHECK_REMARK_ADDRS = 1,
    CHECK_REMARK_INTERVAL = 2,
    CHECK_REMARK_OLD_CHECKSUM = 4,
    CHECK_REMARK_SKEW = 16, /* signed by a clock more than half the window off; 8 is inst.c's own */
};

struct check_peer {
    struct ipaddr addr;
    uint8_t min_ttl, max_ttl;
    bool has_ttl;
};

enum check_old_checksum { CHECK_OLD_AUTO, CHECK_OLD_FORCE, CHECK_OLD_NEVER };

struct check_cfg {
    uint8_t family, version, priority;
    uint64_t interval;
    enum packet_auth auth_type;
    uint8_t auth[PACKET_AUTH_LEN];
    const struct auth *sign; /* AH or auth_hmac; NULL: neither. Of bind.c */
    bool unicast, check_unicast_src, skip_addrs, owner_ignore, plain_checksum;
    enum check_old_checksum
        old_checksum;    /* unicast version 3 IPv4: historical sum over the multicast group */
    struct ipaddr group; /* multicast destination; for unicast: the default group (old checksum) */
    const struct ipaddr *addrs;
    size_t naddrs;
    const struct check_peer *peers;
    size_t npeers;
};

struct check_stats {
    uint64_t received, length, ttl, type, interval, addr_list, auth_unknown, auth_mismatch, auth_failure;
    uint64_t version, checksum, owner_ignored, peer; /* beyond the incumbent's list */
    uint64_t ext_missing, ext_malformed, ext_key, ext_hmac, ext_stale, ext_replay;
};

struct check_state {
    uint64_t received;
    struct check_stats *bad; /* the others; NULL: all 0, as with nearly everybody */
    struct ipaddr last_ok;   /* last accepted sender */
    struct auth_state *auth; /* of the owner; needed by whoever is configured to verify */
    uint64_t mark;           /* of the advert that was CHECK_OK last; check_taken makes it count */
};

struct check_stats check_stats(const struct check_state *st);
void check_stats_set(struct check_state *st, const struct check_stats *s);
struct check_stats *check_bad(struct check_state *st); /* to count on; allocates when it is the first */
void check_stats_free(struct check_state *st);

const char *check_text(enum check_verdict v); /* for the log */

/* remarks: enum check_remark bits, set only with CHECK_OK. What comes from a reject socket is run through
 * this for the counters alone: its caller ignores out. */
enum check_verdict check_packet(const struct check_cfg *c, struct check_state *st, const struct packet_rx *rx,
                                struct engine_advert *out, unsigned int *remarks);
/* The advert that was CHECK_OK just now is used: the like of it will be a replay. */
void check_taken(const struct check_cfg *c, struct check_state *st, const struct packet_rx *rx);

#endif
