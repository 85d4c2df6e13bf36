/*
 * auth.h - signed adverts: the authentication header of version 2 (protocol 51, HMAC-MD5-96) and the trailer
 * of auth_hmac (HMAC-SHA256-128, both versions and families). Keys come from the slice and never leave this
 * process. Signing and verifying are pure but for the key contexts; what was heard last of whom (against
 * replays) is kept beside them. Called by checks.c (verify), inst_wire.c (sign), bind.c (keys), and by
 * whoever keeps, reports or dumps marks.
 *
 * A mark is what grows from advert to advert: AH's 32-bit sequence number, or the trailer's stamp (seconds,
 * 1/65536 s, counter) read as one number. AH shares one sequence among the routers of a VRID: who hears a
 * higher one goes on from there. It begins at the time of day, so a restarted process does not fall behind.
 */
#ifndef HOLDFAST_VRRPD_AUTH_H
#define HOLDFAST_VRRPD_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/slice.h"
#include "vrrpd/packet.h"

#define AUTH_TRAILER 28
#define AUTH_KEY_MAX 64
#define AUTH_SENDERS 4 /* remembered of a multicast group, the most recent ones */

struct auth; /* keys and rules of one instance */

enum auth_kind { AUTH_NONE, AUTH_AH, AUTH_HMAC };

enum auth_result {
    AUTH_OK,
    AUTH_MISSING,
    AUTH_MALFORMED,
    AUTH_UNKNOWN_KEY,
    AUTH_INVALID,
    AUTH_STALE,
    AUTH_REPLAY,
};

struct auth_sender {
    struct ipaddr addr; /* family 0: free */
    uint64_t mark;
    uint64_t used; /* the higher, the more recent */
};

/* What was said and heard; survives a reload, its first AUTH_SENDERS senders also a restart. */
struct auth_state {
    uint64_t own;           /* last mark said, or heard (AH) */
    uint64_t kept, kept_at; /* own as our successor would find it, and since when (monotonic) */
    struct auth_sender few[AUTH_SENDERS];
    struct auth_sender *many; /* unicast with more peers than that; allocated */
    size_t nmany;
    uint64_t uses;
};

/* Before the jail: what OpenSSL loads when it is first used, unless that needs no file. 0, -1: said why in e.
 */
int auth_init(struct err *e);

/* From BLK_VI_AUTH (type AH) or BLK_VI_HMAC of this instance; *out NULL: neither. -1 with e: refused. */
int auth_new(const struct slice *s, const struct slice_obj *vi, uint64_t interval_ns, struct auth **out,
             struct err *e);
void auth_free(struct auth *a); /* NULL: nothing */
bool auth_same(const struct auth *a, const struct auth *b);
enum auth_kind auth_kind(const struct auth *a); /* NULL: AUTH_NONE */
bool auth_signs(const struct auth *a);          /* own adverts carry a signature */
size_t auth_before(const struct auth *a);       /* bytes in front of the advert: 24 for AH */
size_t auth_behind(const struct auth *a);       /* bytes behind it: 28 when signed by auth_hmac */

void auth_state_resize(struct auth_state *st, size_t senders); /* for so many unicast peers, 0: multicast */
void auth_state_free(struct auth_state *st);
/* As our predecessor left it: a mark surely above everything it has said (HMAC: in age_ns since). */
void auth_state_resume(const struct auth *a, struct auth_state *st, uint64_t now_real);
void auth_state_age(const struct auth *a, struct auth_state *st, uint64_t age_ns);
/* A snapshot has just been taken; own has gone further since than the time that has passed (a clock was set),
 * so that a successor would not get above it: take another. */
void auth_state_kept(struct auth_state *st, uint64_t now);
bool auth_state_ahead(const struct auth *a, const struct auth_state *st, uint64_t now);

/* The mark of the next advert. ahead_ns: of one that is prepared to be sent later (the last will), which
 * moves nothing. */
uint64_t auth_mark(const struct auth *a, struct auth_state *st, uint64_t now_real);
uint64_t auth_mark_ahead(const struct auth *a, const struct auth_state *st, uint64_t now_real,
                         uint64_t ahead_ns);
/* Signs the advert of len bytes at buf + auth_before(a); auth_behind(a) bytes are free behind it. dst matters
 * to AH only. */
void auth_sign(const struct auth *a, uint64_t mark, const struct ipaddr *src, const struct ipaddr *dst,
               uint8_t *buf, size_t len);

/* AH: the header stands before rx->payload (packet_unwrap). HMAC: the trailer, if there is one, begins at
 * payload + len. *mark: for auth_heard, once the advert is used. *skew_ns: how far the sender's clock is off
 * (HMAC with a time window), else 0. */
enum auth_result auth_verify(const struct auth *a, const struct auth_state *st, const struct packet_rx *rx,
                             size_t len, uint64_t *mark, int64_t *skew_ns);
void auth_heard(const struct auth *a, struct auth_state *st, const struct ipaddr *from, uint64_t mark);
uint64_t auth_window(const struct auth *a); /* ns; 0: none */

#endif
