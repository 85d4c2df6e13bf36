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
#define LINES_MAX   4
#define TARGETS     2 /* of each kind: interfaces (besides our own), scripts, files, processes */
#define HOUSE_QUEUE 64
#define POST_MAX    4096
#define BYTES_MAX   96 /* of a datagram, its IPv4 header included */
#define TAPE_MAX    16 /* what the foe remembers of each virtual router of a house */
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
    uint8_t family, vrid;
    bool unicast, with_src, check_src; /* of unicast: a configured source; strangers are refused */
    enum auth_kind auth;
    bool monotonic;  /* anti_replay without a window, */
    uint64_t window; /* or with this one; 0: the default */
    unsigned int nlines;
    struct line_plan line[LINES_MAX];
};

struct plan {
    struct vi_plan vi[MEMBERS_MAX];
    bool group_weights; /* sync_group_tracking_weight */
    unsigned int nlines;
    struct line_plan line[LINES_MAX]; /* of the group */
    uint64_t script_interval, proc_delay, link_delay;
    unsigned int key_step;  /* of the rotation of keys: see plan_keys */
    unsigned int mode_step; /* of the way from unsigned adverts to signed ones, and back: see plan_mode */
    uint64_t bfd_tx;
    uint8_t bfd_mult, bfd_hops; /* hops: what a session over routers lets pass */
    bool bfd_passive;
};

struct keys_plan {
    uint8_t active, also; /* 0: one only */
};

enum plan_mode { MODE_ENFORCE, MODE_PERMISSIVE, MODE_RECEIVE_ONLY }; /* words.def: HMAC_MODE */

/* ---- the machine: survives its processes */

struct facts_false {
    bool own_link, link[TARGETS], script[TARGETS];
    int32_t file[TARGETS], proc[TARGETS];
};

/* A datagram on the wire, with what is true of it. */
struct datagram {
    uint8_t bytes[BYTES_MAX]; /* IPv4: with its header; BFD: what UDP carries */
    size_t len, pdu;          /* pdu: where the advert begins */
    struct ipaddr src, dst;
    uint8_t proto;
    int ttl;
    uint64_t at;
    unsigned int from, member;
    uint64_t mark, signed_at; /* signed ones: as auth.h has it; by the sender's wall clock */
    uint64_t wall_at;         /* as the receiver's kernel stamps it */
    uint8_t key;
    bool bare;        /* not signed, where others are (auth_hmac's mode) */
    bool far;         /* BFD: to the port of sessions over several hops */
    bool foe, forged; /* the foe has sent it; and nobody else ever has */
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
    uint64_t lower_delay;   /* and was this then */
    bool owes_master;       /* it has advertised as BACKUP: it has to be MASTER in the same turn */
};

/* What the rules remember of its signed adverts: heard last of whom, said last to whom ([HOUSES_MAX]: to
 * all). Kept: as far as the parent has been told. */
struct marks {
    uint64_t heard[HOUSES_MAX], kept[HOUSES_MAX];
    uint64_t said[HOUSES_MAX + 1], said_at[HOUSES_MAX + 1];
    uint64_t since;        /* this process began */
    uint64_t unkept_since; /* 0: the parent has been told of all that was heard */
};

struct house {
    struct town *t;
    unsigned int nr;
    struct ipaddr addr, addr6;
    unsigned int side; /* unicast peers of the other side are none of ours */
    int64_t skew;      /* of its wall clock, ns */
    int64_t right;     /* what is left of it when NTP has done what it can */
    uint64_t dice;     /* its kernel's random numbers */
    struct plan plan;
    struct facts_false facts;
    struct child child;
    struct chan parent, ipvsd;
    struct vrrpd *v; /* NULL: no process */
    uint32_t generation, boots;
    struct false_kept kept[FALSE_KEPT];
    struct datagram q[HOUSE_QUEUE], bfd_q[HOUSE_QUEUE];
    unsigned int nq, nbfd_q;
    bool hung;
    uint64_t wake; /* no process, or hung: goes on then */
    struct witness seen[MEMBERS_MAX];
    struct marks marks[MEMBERS_MAX];
    enum vrrp_state group_told;
};

/* ---- the town */

enum post_kind { POST_ADVERT, POST_BFD, POST_RAN };

struct post {
    uint64_t at, seq;
    enum post_kind kind;
    unsigned int to;
    uint32_t boots; /* ran: of the process that has asked */
    struct msg_ran ran;
    unsigned int script;
    struct datagram d;
    struct post *next_free;
};

struct town {
    uint64_t rng, now, seq, seed;
    uint64_t more_rng,
        foe_rng,  /* of what is planned beyond plain towns, and of the foe: those stay as they were */
        late_rng; /* of wall clocks, modes and hops */
    unsigned int nhouses, nmembers, nsides;
    bool crossed; /* the members of a group differ in priority: who is to have it all is not said */
    bool v6, unicast, signs, foe;
    bool modes, steps; /* auth_hmac's mode changes; wall clocks jump */
    bool remembers; /* and no machine forgets its snapshots: counters alone tell its signed adverts apart */
    bool quiet;     /* no trouble */
    int64_t noon;   /* what all clocks agree on is off by, ns */
    bool bfd[HOUSES_MAX][HOUSES_MAX], bfd6; /* who has a session with whom */
    bool far[HOUSES_MAX][HOUSES_MAX];       /* over several hops, */
    uint8_t hops, bfd_ttl;                  /* so many; all send with this TTL */
    struct house house[HOUSES_MAX];
    bool cut[HOUSES_MAX][HOUSES_MAX];
    unsigned int loss, doubles; /* percent */
    uint64_t delay, base;
    struct post post[POST_MAX], *heap[POST_MAX], *spare; /* heap by (at, seq) */
    size_t npost, nused;
    struct datagram tape[HOUSES_MAX][MEMBERS_MAX][TAPE_MAX];
    unsigned int ntape[HOUSES_MAX][MEMBERS_MAX];
    unsigned long transitions, adverts, events, boots, reloads, bfd_packets, forged, late;
    bool verbose;
};

/* town.c */
void town_run_seed(struct town *t, uint64_t seed);
uint64_t town_rnd(struct town *t, uint64_t n);
bool town_chance(struct town *t, unsigned int percent);
void town_post(struct town *t, const struct post *p);
/* What leaves a house: to one, or (to is HOUSES_MAX) to all others. */
void town_carry(struct town *t, enum post_kind kind, const struct datagram *d, unsigned int to);

/* plan.c */
void plan_town(struct town *t); /* all of it; nothing boots */
uint8_t plan_priority(struct town *t);
void plan_alike(const struct town *t, struct plan *p);
void plan_facts_good(struct facts_false *f);
struct keys_plan plan_keys(unsigned int step);
enum plan_mode plan_mode(unsigned int step);
void plan_key(uint8_t id, uint8_t out[16]);
bool plan_has_bfd(const struct house *h);
bool plan_bfd(const struct town *t); /* somebody has */

/* false.c */
void false_deliver(struct house *h,
                   const struct io_sock *only); /* what the kernel has queued; NULL: everywhere */

/* machine.c */
uint64_t machine_wall(const struct house *h, uint64_t at); /* its wall clock then */
void machine_step(struct house *h, int64_t skew);          /* its wall clock jumps */
void machine_deliver_bfd(struct house *h);

/* slice.c */
struct slice *house_slice(struct house *h);
void house_name(char *buf, size_t size, enum track_kind kind, unsigned int target);
void house_sock_name(char *buf, size_t size, const struct house *h, unsigned int member);
const struct ipaddr *house_addr(const struct house *h, uint8_t family);

/* foe.c */
void foe_hears(struct town *t, const struct datagram *d, unsigned int to);
void foe_hears_bfd(struct town *t, const struct datagram *d, unsigned int to);
void foe_sees_start(struct house *h);

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
void rule_on_send(struct house *h, const struct inst *i, const uint8_t *pdu, size_t len);
void rule_on_rx(struct house *h, const struct datagram *d);
unsigned int rule_member(const struct house *h, uint32_t id); /* MEMBERS_MAX: it is none */
void rule_on_boot(struct house *h);
void rule_turn(const struct house *h);
uint64_t rule_bound(const struct town *t); /* until everything has to be quiet */
/* The one who is MASTER, -1 nobody can be. Everything about a quiet town is asserted on the way. */
int rule_quiet(const struct town *t, unsigned int member, unsigned int side);

/* rules_wire.c: what may be said to whom, and what must not be believed */
unsigned int rule_member_of(const struct inst *i);
void rule_on_leave(struct house *h, const struct datagram *d, unsigned int to);
uint64_t rule_window(const struct vi_plan *p); /* of time; 0: none */
uint64_t rule_stamp_ns(uint64_t mark);         /* what time it is in a mark of auth_hmac */
bool rule_refuses(const struct house *h, const struct datagram *d);
bool rule_doubtful(const struct house *h,
                   const struct datagram *d); /* no rule can say: the foe must not send it */
void rule_deliver(struct house *h, const struct datagram *d, const struct packet_rx *rx);
void rule_deliver_bfd(struct house *h, const struct datagram *d);
void rule_on_keep(struct child *c, uint32_t key);
void rule_marks_boot(struct house *h, bool kept);
void rule_marks_turn(const struct house *h);
void rule_bfd_turn(const struct house *h);

#endif
