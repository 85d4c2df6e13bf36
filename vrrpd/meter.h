/*
 * meter.h - what the metrics tell of an instance beyond its counters: how evenly adverts come and go, how
 * close a time-out was, how long a take-over took, how late our timers are. Cheap enough for the path of an
 * advert: some additions, no clock of its own, memory only for what is measured for the first time. Called by
 * inst*.c and facts.c; read by metrics.c.
 */
#ifndef HOLDFAST_VRRPD_METER_H
#define HOLDFAST_VRRPD_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hist.h"
#include "vrrpd/engine.h"

#define METER_LATE (20 * NS_PER_MS) /* a timer later than this is counted: the promise of DESIGN 3 */

enum meter_hist {
    METER_JITTER_RX, /* distance of two adverts from what the interval says */
    METER_JITTER_TX,
    METER_MARGIN_RX, /* share of the master-down interval that was left: ours */
    METER_MARGIN_TX, /* ... our peers' */
    METER_TAKEOVER,  /* from the decision until addresses stand */
    METER_FAILOVER,  /* from the last advert heard */
};

struct meter {
    struct hist_set hist;             /* METER_ */
    uint64_t least_rx, least_tx;      /* ns: smallest margins since the last change of state; TIME_NEVER */
    uint32_t to[VRRP_STATE_STOP + 1]; /* changes of state, by the new one */
    uint64_t heard_at, sent_at;       /* last advert of another router, last one of ours; 0: none */
    uint64_t decided_at;              /* MASTER, addresses not yet confirmed; 0: nothing is awaited */
};

struct meter_all {
    struct hist late; /* every timer of an instance */
    uint64_t late_timers;
};

void meter_init(struct meter *m);
void meter_free(struct meter *m);
void meter_heard(struct meter *m, const struct engine *e, const struct engine_advert *a, uint64_t rx_at);
void meter_sent(struct meter *m, const struct engine *e, bool resign, uint64_t now);
void meter_state(struct meter *m, enum vrrp_state to, uint64_t now);
void meter_done(struct meter *m, uint64_t now); /* the kernel holds the addresses of the newest state */
void meter_timer(struct meter_all *all, uint64_t deadline, uint64_t now);

#endif
