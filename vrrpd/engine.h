/*
 * engine.h - the VRRP state machine of one virtual router, pure: no I/O, no clock, no memory of its own.
 * Adverts that reach it have passed every receive check. Inputs are calls with the time, outputs go through
 * struct engine_ops, so a simulation runs hundreds of them in one process. Deadlines are absolute: lateness
 * never accumulates. Called by the inst files (real life), group.c, operator.c and reload.c, test/sim and the
 * unit tests.
 */
#ifndef HOLDFAST_VRRPD_ENGINE_H
#define HOLDFAST_VRRPD_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/clock.h"
#include "common/proto.h"

#define ENGINE_LEARNED_MAX (4095 * NS_PER_SEC / 100) /* longest interval a version 3 advert can carry */
#define ENGINE_OWNER       255
#define ENGINE_CAUSE_MAX   160
#define ENGINE_ANSWER_GAP                                                                                    \
    (10 * NS_PER_MS) /* answers to lower masters are not sent closer together than this */
#define ENGINE_GARP_GAP                                                                                      \
    (100 * NS_PER_MS) /* nor announcements: a flood of lower adverts must not be amplified */

struct engine_cfg {
    uint8_t version;      /* 2: skew in seconds; 3: skew in intervals, interval learned from the master */
    uint8_t priority;     /* 255: address owner */
    uint8_t down_adverts; /* down_timer_adverts */
    bool nopreempt, lower_prio_no_advert, higher_prio_send_advert;
    bool start_backup; /* an owner, but not all of its sync group are: it has to listen first as well */
    uint8_t expired; /* timer_expired_backup: the best of the others; so late that it has taken over, we step
                        down. 0: off */
    uint64_t interval, preempt_delay; /* ns */
};

struct engine_advert {
    struct ipaddr src;
    uint8_t priority;
    uint64_t interval; /* as in the packet; version 2: equals ours */
};

struct engine_stats {
    uint64_t became_master, released_master, prio_zero_rcvd, prio_zero_sent, adverts_sent;
};

struct engine;

struct engine_ops {
    void (*send)(void *arg, bool resign); /* an advert now; resign: with priority 0 */
    void (*state)(void *arg, enum vrrp_state from, const char *cause); /* e->state is the new one */
    void (*garp)(void *arg);                   /* somebody lower spoke: announce again */
    void (*learned)(void *arg);                /* another master, priority or interval */
    void (*arm)(void *arg, uint64_t deadline); /* TIME_NEVER: none */
    /* It would take over now: true holds it back (the others of its sync group are not so far), until
     * engine_release. May be NULL. */
    bool (*hold)(void *arg);
};

struct engine {
    struct engine_cfg cfg;
    const struct engine_ops *ops;
    void *arg;
    uint64_t start_at;           /* nothing is sent or heard before; 0: no delay, TIME_NEVER: not started */
    uint64_t adv_at;             /* MASTER: next point of the grid */
    uint64_t answer_at;          /* MASTER: an answer is owed, TIME_NEVER when not */
    uint64_t last_tx, last_garp; /* last advert of any kind, last announcement because of a lower one */
    uint64_t down_from;          /* BACKUP: what the master-down interval counts from */
    uint64_t down_at;            /* BACKUP: when it ends */
    uint64_t preempt_at;         /* preempt_delay ends; 0: not begun */
    uint64_t master_interval;    /* version 3: learned; else ours */
    uint64_t heard_at;           /* its last advert, 0: never */
    uint64_t rogue_at; /* MASTER and owner: until then another owner may give way, 0: none is heard */
    enum vrrp_state state;
    struct ipaddr src;    /* our own: the tie break */
    struct ipaddr lower;  /* whose adverts are being ignored */
    struct ipaddr master; /* last one accepted; family 0: none */
    uint8_t lower_priority, master_priority;
    bool owe_advert, owe_garp; /* MASTER: what the answer is */
    bool held;                 /* BACKUP: the interval has ended, its sync group holds it back */
    bool resigned;             /* the master said priority 0: down_at is down_from + skew */
    bool silent;               /* BACKUP: overdue or resigned, and a successor has been told since when */
    bool discarding;           /* lower adverts are being ignored, so that the timer runs out: preemption */
    bool yield_lower;          /* resume under nopreempt: a lower master that took over meanwhile stays */
    bool gives_way; /* BACKUP by order: whoever is master stays, as with nopreempt, until none is */
    struct engine_stats stats;
};

/* What a successor needs; the times are CLOCK_MONOTONIC. */
struct engine_saved {
    enum vrrp_state state;
    uint64_t adv_at;    /* MASTER */
    uint64_t down_from; /* BACKUP: its master has been silent since; 0: it speaks */
    bool resigned;      /* BACKUP: with priority 0 */
    uint64_t taken_at;
    struct ipaddr master;
    uint8_t master_priority;
    uint64_t master_interval, preempt_at;
    struct engine_stats stats;
};

uint64_t engine_skew(const struct engine_cfg *c, uint64_t master_interval);
uint64_t engine_down_interval(const struct engine_cfg *c, uint64_t master_interval);

void engine_init(struct engine *e, const struct engine_cfg *cfg, const struct engine_ops *ops, void *arg);
void engine_set_source(struct engine *e, const struct ipaddr *src);

/* INIT -> BACKUP, or MASTER for an owner. Before start_at (startup delays) an owner stays INIT, and a BACKUP
 * neither hears nor counts. */
void engine_start(struct engine *e, uint64_t now, uint64_t start_at);

/* Takes up the predecessor's state without a transition. Then feed what waited in the queue, then resume_end:
 * a MASTER sends at once when a grid point since `alive` (predecessor's last sign of life) has passed, else
 * goes on on the grid. */
void engine_resume(struct engine *e, const struct engine_saved *s, uint64_t now);
void engine_resume_end(struct engine *e, uint64_t now, uint64_t alive);
/* May a saved MASTER be resumed? Only while its peers cannot have waited much longer than their master-down
 * interval. alive: the predecessor's last sign of life, given every beat. A wrong yes heals at the first
 * advert in the queue. */
bool engine_fresh(const struct engine_cfg *c, uint64_t alive, uint64_t beat, uint64_t now);
void engine_save(const struct engine *e, uint64_t now, struct engine_saved *out);

/* Of what arrived at that time nothing is heard. */
bool engine_deaf(const struct engine *e, uint64_t at);
void engine_rx(struct engine *e, const struct engine_advert *a, uint64_t rx_at, uint64_t now);
void engine_timer(struct engine *e, uint64_t now);
void engine_fault(struct engine *e, uint64_t now, const char *why);
void engine_fault_clear(struct engine *e, uint64_t now, const char *why);
void engine_reconfigure(struct engine *e, const struct engine_cfg *cfg, uint64_t now, bool packet_changed);

/* Trackers: another priority from now on. A backup's master-down interval is adapted, nothing is sent. */
void engine_set_priority(struct engine *e, uint8_t priority);

/* Sync groups: whoever is held back takes over; a MASTER gives up, with a priority 0; held back or not is
 * asked again. */
void engine_release(struct engine *e, uint64_t now);
void engine_step_down(struct engine *e, uint64_t now, const char *why);
void engine_ask_again(struct engine *e);

/* The operator's orders. A MASTER gives up (priority 0), and until it is MASTER again it respects every other
 * one; a BACKUP advertises at once, whoever is master. */
void engine_give_way(struct engine *e, uint64_t now, const char *why);
void engine_take(struct engine *e, uint64_t now, const char *why);

/* STOP: silent from now on; true: it was MASTER, and engine_resign is due once the addresses are gone. */
bool engine_stop(struct engine *e, const char *why);
void engine_resign(struct engine *e);

uint64_t engine_deadline(const struct engine *e);
/* When a successor should be told that the master has fallen silent: a crash must not begin the wait anew. */
uint64_t engine_overdue_at(const struct engine *e);

#endif
