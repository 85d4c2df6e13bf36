/*
 * house.h - the second world: whole vrrpd processes (struct vrrpd with its groups, trackers, reloads and
 * snapshots, nothing of it modelled), each in a false house: the process around it (test/false, false.c), the
 * machine under it (house.c), the rules it is held to (rules.c), the town of them with its trouble (town.c).
 */
#ifndef TEST_SIM_HOUSE_H
#define TEST_SIM_HOUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"
#include "test/false/child.h"
#include "vrrpd/vrrpd.h"

#define HOUSES_MAX  4
#define MEMBERS_MAX 4
#define LINES_MAX   3
#define TARGETS     2 /* of each kind: interfaces (besides our own), scripts, files, processes */
#define HOUSE_QUEUE 64
#define POST_MAX    4096
#define ADVERT_MAX  32
#define SCRIPT_RISE 2
#define SCRIPT_FALL 3

struct town;
struct house;

/* ---- what is configured */

struct line_plan {
    enum track_kind kind;
    unsigned int target;
    int weight;
    bool reverse;
};

struct vi_plan {
    uint8_t version, priority;
    uint64_t interval; /* ns */
    uint64_t preempt_delay;
    bool nopreempt, lower_no_advert, higher_advert, grouped;
    unsigned int nlines;
    struct line_plan line[LINES_MAX];
};

struct plan {
    struct vi_plan vi[MEMBERS_MAX];
    bool group_weights; /* sync_group_tracking_weight */
    unsigned int nlines;
    struct line_plan line[LINES_MAX]; /* of the group */
    uint64_t script_interval, proc_delay, link_delay;
};

/* ---- the machine: survives its processes */

struct facts_false {
    bool own_link, link[TARGETS], script[TARGETS];
    int32_t file[TARGETS], proc[TARGETS];
};

struct heard_datagram {
    uint8_t bytes[ADVERT_MAX];
    size_t len;
    struct ipaddr src;
    uint64_t at;
};

/* common/chan.h, false: what is sent is looked at where it stands. */
struct chan {
    struct house *h;
    enum role peer;
};

/* What the rules remember of an instance. */
struct witness {
    enum vrrp_state state; /* as told to the parent last */
    enum vrrp_state to_ipvsd;
    uint32_t seq;
    uint64_t respect_until; /* a master it has to respect was heard, and may be missing before */
    uint64_t lower_since;   /* preempt_delay counts from */
    bool owes_master;       /* it has advertised as BACKUP: it has to be MASTER in the same turn */
};

struct house {
    struct town *t;
    unsigned int nr;
    struct ipaddr addr;
    struct plan plan;
    struct facts_false facts;
    struct child child;
    struct chan parent, ipvsd;
    struct vrrpd *v; /* NULL: no process */
    uint32_t generation, boots;
    struct false_kept kept[FALSE_KEPT];
    struct heard_datagram q[HOUSE_QUEUE];
    unsigned int nq;
    bool hung;
    uint64_t wake; /* no process, or hung: goes on then */
    struct witness seen[MEMBERS_MAX];
    enum vrrp_state group_told;
};

/* ---- the town */

enum post_kind { POST_ADVERT, POST_RAN };

struct post {
    uint64_t at, seq;
    enum post_kind kind;
    unsigned int to;
    uint32_t boots; /* ran: of the process that has asked */
    struct msg_ran ran;
    unsigned int script;
    struct heard_datagram d;
};

struct town {
    uint64_t rng, now, seq, seed;
    unsigned int nhouses, nmembers;
    bool crossed; /* the members of a group differ in priority: who is to have it all is not said */
    struct house house[HOUSES_MAX];
    bool cut[HOUSES_MAX][HOUSES_MAX];
    unsigned int loss, doubles; /* percent */
    uint64_t delay, base;
    struct post post[POST_MAX]; /* heap by (at, seq) */
    size_t npost;
    unsigned long transitions, adverts, events, boots, reloads;
    bool verbose;
};

/* town.c */
void town_run_seed(struct town *t, uint64_t seed);
uint64_t town_rnd(struct town *t, uint64_t n);
bool town_chance(struct town *t, unsigned int percent);
void town_post(struct town *t, struct post *p);

/* false.c */
void false_deliver(struct house *h); /* what the kernel has queued */

/* house.c */
void house_boot(struct house *h);
void house_crash(struct house *h, uint64_t down, bool keep);
void house_stop(struct house *h, uint64_t down);
void house_reload(struct house *h);
void house_end(struct house *h); /* the kernel takes back what a process had */
void house_turn(struct house *h);
void house_tell_link(struct house *h, int target); /* -1: our own */
void house_tell_file(struct house *h, unsigned int target);
void house_tell_proc(struct house *h, unsigned int target);
void house_ran(struct house *h, const struct post *p);
uint64_t house_deadline(const struct house *h);

/* rules.c */
_Noreturn void rule_broken(const struct town *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rule_on_event(struct house *h, const struct msg_inst_event *m);
void rule_on_state(struct house *h, const struct msg_inst_state *m);
void rule_on_send(struct house *h, const struct inst *i, const uint8_t *bytes, size_t len);
void rule_on_rx(struct house *h, const struct heard_datagram *d);
void rule_on_boot(struct house *h);
void rule_turn(const struct house *h);
uint64_t rule_bound(const struct town *t); /* until everything has to be quiet */
/* The one who is MASTER, -1 nobody can be. Everything about a quiet town is asserted on the way. */
int rule_quiet(const struct town *t, unsigned int member);

#endif
