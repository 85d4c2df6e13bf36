/*
 * child.h - the life every child shares, written once: jail, READY, START, peers, two-phase reload, ping,
 * dump, stop. A role supplies struct child_ops and its own messages; child_run() is the whole of its main().
 * What arrives from the parent is trusted, what arrives from a peer role is not: proto_decode has checked
 * form, sender and range, the role still looks ids up and refuses what is not allowed now.
 */
#ifndef HOLDFAST_CHILD_H
#define HOLDFAST_CHILD_H

#include <stdbool.h>
#include <stdio.h>

#include "common/chan.h"
#include "common/err.h"
#include "common/ev.h"
#include "common/slice.h"

struct child;

struct child_snapshot {
    uint32_t key; /* as said in child_snapshot() by the former incarnation */
    uint16_t len;
    const uint8_t *data;
};

struct child_ops {
    /* The configuration is here: begin. Peers may arrive before or after. The slice stays valid until a
     * commit, but see slice_rests. -1: fatal. */
    int (*on_start)(struct child *c, const struct slice *s, void *arg);
    /* Decode aside, change nothing that anybody can see. -1 with e: reject. on_commit or on_abort follows. */
    int (*on_prepare)(struct child *c, const struct slice *next, struct err *e, void *arg);
    /* May be NULL. Between on_prepare and on_abort: what a commit would do, a line each, nothing of it done.
     */
    void (*on_plan)(struct child *c, const struct slice *next, int fd, void *arg);
    void (*on_commit)(struct child *c, const struct slice *old, const struct slice *now,
                      void *arg); /* old freed after */
    void (*on_abort)(struct child *c, void *arg);
    /* A (new) channel to a peer is up; the old one, if any, is already freed. */
    void (*on_peer)(struct child *c, struct chan *ch, enum role peer, void *arg);
    void (*on_peer_dead)(struct child *c, enum role peer, void *arg); /* its channel is freed */
    /* Messages of the role itself, from peers or parent. -1: not allowed now (the peer is dropped). */
    int (*on_msg)(struct child *c, enum role from, const struct chan_msg *m, void *arg);
    /* Wind down, then call child_stopped(). STOP_WHY_PARENT_GONE: the parent's channel is gone, do it alone.
     */
    void (*on_stop)(struct child *c, enum stop_why why, void *arg);
    /* May be NULL. Descriptors pre_jail has opened that the jail leaves open: how many of max. */
    size_t (*keep_fds)(int *fds, size_t max, void *arg);
    void (*on_dump)(struct child *c, enum dump_what what, int fd,
                    void *arg); /* write; fd stays the caller's. May be NULL */
    bool (*on_ipvs)(struct child *c, size_t *cursor, FILE *f, void *arg); /* May be NULL. REPORT_WHAT_IPVS */
    /* May be NULL. REPORT_WHAT_STATE: the next piece (common/report.h); never called outside of a turn. */
    bool (*on_report)(struct child *c, uint32_t obj, size_t *cursor, FILE *f, void *arg);
    /* The same for REPORT_WHAT_METRICS, of everything. */
    bool (*on_metrics)(struct child *c, size_t *cursor, FILE *f, void *arg);
    bool slice_rests; /* the role keeps nothing that points into the slice beyond a turn: it may be closed */
};

/* The network namespace of net_namespace_ipvs (ROLE_NETNS_FD), -1: none. Before the jail only. checkd is in
 * it when pre_jail runs. */
int child_netns(void);

/* Enters the jail of the role, talks to the parent on fd 3, runs the loop. Returns the exit status. pre_jail
 * (may be NULL) runs before the jail: library initialisation that needs files. */
int child_run(enum role r, const struct child_ops *ops, int (*pre_jail)(void *arg), void *arg);

struct ev *child_ev(struct child *c);
struct chan *child_parent(struct child *c);               /* NULL once gone */
struct chan *child_peer(struct child *c, enum role peer); /* NULL: not connected now */
const struct slice *child_slice(struct child *c);         /* for this turn, with slice_rests */
void child_slice_read(struct child *c); /* long after the start: its pages go back again, soon */
uint32_t child_generation(struct child *c);
/* During on_start: the configuration before the present one, of which a predecessor that died about a reload
 * may have left things; NULL: none. */
const struct slice *child_former(struct child *c);
bool child_restarted(struct child *c);       /* this incarnation replaces one that died */
bool child_keep_addresses(struct child *c);  /* -V */
bool child_keep_ipvs(struct child *c);       /* -I */
bool child_watch_addresses(struct child *c); /* -a */

/* Snapshots of the former incarnation, valid during on_start. */
bool child_snapshot_next(struct child *c, size_t *cursor, struct child_snapshot *out);
void child_snapshot(struct child *c, uint32_t key, const void *data,
                    size_t len); /* keep this for my successor */
void child_snapshot_gone(struct child *c, uint32_t key);
void child_stopped(struct child *c); /* ends the loop after the last words have left */

#endif
