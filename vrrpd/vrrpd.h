/*
 * vrrpd.h - the one context of the process and what its files say to each other. vrrpd decides who is MASTER;
 * it opens nothing, configures nothing and holds no privilege: sockets and facts come from ipvsd, wishes go
 * there by id. life.c: order of events; facts.c: what ipvsd says; inst*.c: one instance in real life;
 * reload.c; dump.c.
 */
#ifndef HOLDFAST_VRRPD_VRRPD_H
#define HOLDFAST_VRRPD_VRRPD_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/child.h"
#include "common/log.h"
#include "vrrpd/bind.h"
#include "vrrpd/checks.h"
#include "vrrpd/engine.h"
#include "vrrpd/group.h"
#include "vrrpd/heard.h"
#include "vrrpd/io.h"
#include "vrrpd/meter.h"
#include "vrrpd/snapshot.h"
#include "vrrpd/track_life.h"

#define LIFE_HEARTBEAT NS_PER_SEC /* between signs of life for our successor */

struct vrrpd;
struct inst;
struct group;
struct track_life;

/* An interface somebody names, as far as ipvsd has told. */
struct vlink {
    uint32_t id;
    char name[IF_NAMESIZE];
    bool told, up, running;
    uint32_t ifindex, mtu;
    struct ipaddr a4, a6; /* family 0: none */
    struct vrrpd *v;
    uint64_t down_delay, up_delay; /* interface_up_down_delays: what ipvsd says counts only after them */
    bool real_up, real_running;    /* what ipvsd says */
    struct ev_timer delay;
    struct vlink *next;
};

/* A shared VRRP socket. */
struct vsock {
    struct io_sock io;
    uint32_t id;
    char *name;
    bool told;
    int error;                 /* why ipvsd could not open it, errno */
    struct inst *vrid[256];    /* chained by next_vrid: unicast instances told apart by their peers */
    struct log_limit *unknown; /* log_unknown_vrids: one a VRID, once there was one */
    struct vsock *next;
};

/* The prepared adverts of an instance, one for each destination; their bytes behind them. */
struct wire {
    struct io_out *out;
    struct io_out *resign; /* with priority 0; NULL: none was needed yet */
    uint32_t ndest;
    uint32_t ifindex;  /* they leave by */
    uint16_t len, pdu; /* pdu: the advert itself, between the parts of a signature */
};

struct inst {
    struct vrrpd *v;
    struct bind_vi *b;
    struct vsock *sock;
    struct vlink *link; /* NULL: unicast without interface */
    struct vlink *vmac; /* its macvlan, NULL: none */
    struct engine e;
    struct check_state chk;
    struct heard_all heard; /* for explain */
    struct ev_timer timer;
    struct meter meter;
    struct wire wire;
    struct inst *next_vrid;
    struct inst *next_dirty;
    struct group *group;                   /* NULL: none */
    bool obstructed;                       /* it could not run now, whatever its group does */
    bool pending;                          /* nothing is against it, but a tracker has not spoken */
    bool say_alert;                        /* to checkd, for the mail */
    bool dirty, say_state, say_will, snap; /* what end-of-turn owes: to ipvsd, to the parent */
    bool waiting;                          /* INIT: engine not begun, facts are missing */
    bool src_told, src_here;               /* what ipvsd says of the configured source address */
    bool src_seen;                         /* it has been here: its end counts with track_src_ip alone */
    bool old_checksum;                     /* a unicast peer was heard with the historical checksum */
    bool removed;                          /* gone from the configuration: its id means somebody else now */
    bool stop_wait;                        /* inst_done for its STOP is awaited */
    uint8_t raise;                         /* TAKEOVER: added to the priority */
    enum inst_order_what order;            /* of the operator, in force */
    uint32_t seq, done_seq;
    uint32_t said; /* verdicts and remarks already logged, bits */
    int send_error;
    uint64_t send_errors, repaired;
    uint64_t changed_at;             /* CLOCK_REALTIME of the last transition */
    uint64_t lower_paid;             /* telling the parent of lower adverts is paid for until then */
    const struct snapshot *snapshot; /* of the former incarnation, until it is used */
    char *fault;                     /* why it cannot run now; NULL: nothing */
};

struct vrrpd_stash;
struct bfd_life;

struct vrrpd {
    struct child *child;
    struct ev *ev;
    struct io *io;
    struct bind_global global;
    struct inst **inst; /* ascending by id */
    size_t ninst;
    struct vlink *links;
    struct vsock *socks;
    struct inst *dirty, **dirty_end; /* in the order in which they had something to say */
    struct track_life *track;
    struct group *groups;
    struct bind_vi **next; /* prepared, not committed */
    size_t nnext;
    struct snapshot *snaps; /* decoded, of the former incarnation */
    size_t nsnaps;
    uint64_t alive_at; /* last heartbeat of the former incarnation */
    uint64_t start_at; /* startup delays end */
    bool running, sync_owed, stopping;
    bool ordered;              /* some instance is under an order of the operator */
    uint32_t generation;       /* committed to last */
    int guard_error;           /* why ipvsd cannot drop packets for no_accept; 0: it does */
    uint32_t facts_generation; /* ipvsd has told everything of this generation */
    struct vrrpd_stash *stash; /* messages of a generation we have not committed to yet */
    uint64_t heartbeat_at, heartbeats;
    struct bfd_life *bfd;
    struct meter_all meter;
    struct ev_timer stop_timer;
    size_t stop_waiting;
    uint64_t owing_since; /* snapshots wait for timers that are due; 0: none does */
};

/* life.c */
int vrrpd_run(void);                /* the whole of main */
void vrrpd_settle(struct vrrpd *v); /* end of turn: adverts, then states, then snapshots */
void vrrpd_dirty(struct inst *i);
void vrrpd_stop_done(struct vrrpd *v, struct inst *i); /* its addresses are gone */
void vrrpd_say_all(struct vrrpd *v);                   /* every wanted state, then sync */

/* facts.c */
int facts_msg(struct vrrpd *v, const struct chan_msg *m);
void facts_tables(struct vrrpd *v,
                  const struct slice *s); /* links and sockets of a slice; known ones keep what they know */
void facts_tables_sweep(struct vrrpd *v);
void facts_index(struct vrrpd *v); /* VRID tables of the sockets */
void facts_done(struct vrrpd *v, uint32_t generation);
void facts_stash_replay(struct vrrpd *v);
struct vlink *facts_link(struct vrrpd *v, const char *name);
struct vsock *facts_sock(struct vrrpd *v, const char *name);

/* inst.c, inst_wire.c, inst_rx.c, inst_judge.c */
struct inst *inst_new(struct vrrpd *v, struct bind_vi *b); /* takes b */
void inst_free(struct inst *i);
void inst_auth_state(struct inst *i); /* after another configuration: what its authentication remembers */
void inst_evaluate(struct inst *i);   /* begin, fault or clear, as the facts say */
void inst_rebuild(struct inst *i);    /* prepared adverts */
void inst_fit(struct inst *i);        /* how many addresses an advert has room for */
void inst_judge_only(struct inst *i); /* before the first evaluation: what stands against it */
void inst_packet(struct io_sock *s, const struct packet_rx *got, uint64_t rx_at, bool rejected, void *arg);
void inst_sent(struct io_out *o, int error, void *arg);
void inst_snapshot(struct inst *i);
void inst_will(struct inst *i);
void inst_garp_lower(struct inst *i); /* somebody of lower priority speaks: announce again */
struct inst *inst_by_id(struct vrrpd *v, uint32_t id);

/* reload.c */
int reload_prepare(struct vrrpd *v, const struct slice *next, struct err *e);
/* former (n of them; set to NULL where taken) and v->next paired: match[k] belongs to v->next[k], or is NULL.
 */
void reload_match(const struct vrrpd *v, struct inst **former, size_t n, struct inst **match);
void reload_abort(struct vrrpd *v);
void reload_commit(struct vrrpd *v, const struct slice *now);

/* alert.c */
void alert_mark(struct inst *i); /* it has changed state */
void alert_say(struct inst *i);
void alert_say_all(struct vrrpd *v);
void alert_peer(struct vrrpd *v, struct chan *checkd);
void alert_deleted(struct inst *i); /* gone from the configuration */

bool vrrpd_report(struct vrrpd *v, uint32_t obj, size_t *cursor, FILE *f);

/* metrics.c: the next piece; false: there is none */
bool metrics_vrrp(struct vrrpd *v, size_t *cursor, FILE *f);

/* plan.c: what a commit of v->next would mean */
void plan_write(const struct vrrpd *v, int fd);

/* operator.c */
int operator_on_order(struct vrrpd *v, const struct msg_inst_order *m);
uint8_t operator_priority(const struct inst *i, uint8_t priority); /* with what an order adds */
void operator_settle(struct vrrpd *v);                             /* end of turn: orders that are over */

/* dump.c */
void dump_write(struct vrrpd *v, enum dump_what what, int fd);

#endif
