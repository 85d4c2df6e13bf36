/*
 * bfd.h - the state machine of one BFD session (RFC 5880 section 6.8), pure: no I/O, no clock, no memory of
 * its own. Packets that reach it have been decoded and are known to be of this session (addresses, hop limit,
 * discriminator: bfd_life.c). Inputs are calls with the time, outputs go through struct bfd_ops, so tests run
 * sessions against each other on a virtual clock. Asynchronous mode; the peer may ask for demand mode, we
 * never do; no echo, no authentication.
 */
#ifndef HOLDFAST_VRRPD_BFD_H
#define HOLDFAST_VRRPD_BFD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "vrrpd/bfd_packet.h"

#define BFD_CAUSE_MAX 160
#define BFD_FINAL_GAP                                                                                        \
    NS_PER_MS /* answers to polls are not sent closer together: nobody makes us an amplifier */

struct bfd_cfg {
    uint32_t min_tx, min_rx, idle_tx; /* microseconds */
    uint8_t mult;
    bool passive;
};

struct bfd;
struct bfd_ops {
    void (*send)(void *arg, const struct bfd_packet *p);
    void (*state)(void *arg, enum bfd_state from, const char *cause); /* b->state is the new one */
    void (*event)(void *arg,
                  bool up); /* what users of the session hear; not of a peer that was put down by hand */
    void (*arm)(void *arg, uint64_t deadline); /* TIME_NEVER: none */
    uint32_t (*discriminator)(void *arg);      /* not 0, of no other session */
};

struct bfd_stats {
    uint64_t sent, received, ups, downs;
};

/* What the peer has said. */
struct bfd_remote {
    enum bfd_state state;
    uint32_t disc; /* 0: not heard */
    uint32_t min_tx, min_rx;
    uint8_t mult, diag;
    bool demand;
};

struct bfd {
    struct bfd_cfg cfg;
    const struct bfd_ops *ops;
    void *arg;
    enum bfd_state state;
    uint8_t diag;
    uint32_t disc;
    struct bfd_remote remote;
    bool polling;          /* a poll sequence of ours is under way */
    uint32_t tx_us, rx_us; /* in force; cfg's take over when the poll is answered (6.8.3) */
    uint64_t sent_at, heard_at;
    uint64_t tx_at;     /* next periodic packet, TIME_NEVER: none is due */
    uint64_t detect_at; /* silence until then: down, or (when not up) the peer is forgotten */
    uint64_t final_at;  /* last answer to a poll */
    bool final_owed;    /* one came too soon after it: answered with the next packet */
    uint64_t random;    /* of the jitter */
    bool known, up;     /* the last event */
    struct bfd_stats stats;
};

/* What a successor needs; all is of the session, nothing of the process. */
struct bfd_saved {
    enum bfd_state state;
    uint8_t diag;
    uint32_t disc;
    struct bfd_remote remote;
    uint32_t tx_us, rx_us;
    bool known, up;
    struct bfd_stats stats;
};

/* seed: anything, sessions should have different ones. Silent until bfd_start. */
void bfd_init(struct bfd *b, const struct bfd_cfg *cfg, const struct bfd_ops *ops, void *arg, uint64_t seed);
void bfd_start(struct bfd *b, uint64_t now);                             /* the socket is there: DOWN */
void bfd_stop(struct bfd *b, uint8_t diag, const char *why);             /* ADMIN_DOWN: silent and deaf */
void bfd_resume(struct bfd *b, const struct bfd_saved *s, uint64_t now); /* instead of bfd_start */
void bfd_save(const struct bfd *b, struct bfd_saved *out);
void bfd_rx(struct bfd *b, const struct bfd_packet *p, uint64_t rx_at, uint64_t now);
void bfd_timer(struct bfd *b, uint64_t now);
void bfd_reconfigure(struct bfd *b, const struct bfd_cfg *cfg, uint64_t now);

uint64_t bfd_detection_ns(const struct bfd *b); /* of the peer's silence; 0: it has not been heard */
uint64_t bfd_interval_ns(const struct bfd *b);  /* of our packets, before jitter */
uint64_t bfd_deadline(const struct bfd *b);
bool bfd_detect_due(const struct bfd *b, uint64_t now); /* read what waits in the queue first */

#endif
