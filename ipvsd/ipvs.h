/*
 * ipvs.h - the IPVS part of ipvsd as main.c sees it, and its one context. Start, reload, restart, drift are
 * the same: read, compare, change differences. Of checkd it believes which of its servers are wanted and with
 * what weight; before lvs_sync no configured service is touched. What others put into the table is left alone
 * unless lvs_flush says otherwise.
 */
#ifndef HOLDFAST_IPVSD_IPVS_H
#define HOLDFAST_IPVSD_IPVS_H

#include "common/child.h"
#include "ipvsd/ipvs_kernel.h"
#include "ipvsd/ipvs_model.h"
#include "ipvsd/ipvs_plan.h"

struct ipvsd;

struct ipvs_keys {
    struct ipvs_key *v;
    size_t n, cap;
};

struct ipvs_counts {
    uint64_t op[IPVS_OP_MAX];
    uint64_t failed, drifted, batches, read;
};

struct ipvs {
    struct child *child;
    struct ev *ev;
    struct ipvs_kernel k;
    struct ipvs_model *model, *next;
    /* work */
    struct ipvs_ks_queue todo;  /* to be compared as a whole */
    struct ipvs_vs_queue moved; /* some of their servers changed */
    struct ipvs_keys condemned; /* services of an older configuration, to be taken out */
    size_t gone;                /* of them: done */
    struct ipvs_plan plan;
    uint32_t *slots; /* scratch */
    size_t cap_slots;
    struct ev_timer work, audit, retry;
    uint64_t gather; /* news of servers waits until then for what belongs to it; 0: there is none */
    uint64_t spent;  /* on the comparison under way */
    bool auditing;   /* ... which is not over */
    bool met;        /* a checkd was there: services of this configuration are ours to take out */
    bool synced;     /* the present checkd has told everything in this generation */
    bool due;        /* ... and the kernel has not been compared since */
    bool telling;    /* a comparison is under way whose end is worth a line */
    bool touched;    /* we or a predecessor have put something into the table */
    bool flush_due;  /* lvs_flush: strangers go with the first comparison */
    bool deaf;       /* the kernel has no IPVS; said once */
    bool timeouts_saved;
    struct ipvs_timeouts saved; /* before us */
    struct ipvs_counts count, told;
};

int ipvs_start(struct ipvsd *d, const struct slice *s); /* -1: the slice cannot be used; it was logged */
int ipvs_prepare(struct ipvsd *d, const struct slice *next, struct err *e);
void ipvs_commit(struct ipvsd *d);
void ipvs_abort(struct ipvsd *d);
void ipvs_peer(struct ipvsd *d); /* a new checkd: what it says counts from its lvs_sync on */
int ipvs_msg(struct ipvsd *d, const struct chan_msg *m); /* rs_state, lvs_sync */
void ipvs_turn(struct ipvsd *d);                         /* end of a turn: carry out what was gathered */
void ipvs_stop(struct ipvsd *d, enum stop_why why);
void ipvs_dump(const struct ipvsd *d, int fd);

/* ipvs_apply.c */
void ipvs_apply_queue(struct ipvs *v, struct ipvs_ks *ks);
void ipvs_apply_moved(struct ipvs *v, struct ipvs_rs *rs);
void ipvs_apply_forget(struct ipvs *v); /* empty the queues, the model is about to go */
/* moved: also what changed since the last comparison. True: work of this kind remains. */
bool ipvs_apply_run(struct ipvs *v, uint64_t budget_ns, bool moved);
void ipvs_apply_execute(struct ipvs *v,
                        bool quiet); /* carry out v->plan; quiet: what is gone already is fine */

/* ipvs_read.c */
int ipvs_read_all(struct ipvs *v,
                  struct ipvs_keys *strangers); /* the list of services; every one of ours is queued */
int ipvs_read_one(struct ipvs *v, struct ipvs_ks *ks, struct ipvs_dkey **stale, size_t *nstale);
void ipvs_read_absent(struct ipvs_ks *ks);

/* ipvs_memory.c: what a successor must know */
void ipvs_memory_load(struct ipvs *v);  /* into condemned: every service that was ours */
void ipvs_memory_state(struct ipvs *v); /* only what is not a key changed, or the condemned are gone */
void ipvs_memory_all(struct ipvs *v);
void ipvs_keys_add(struct ipvs_keys *k, const struct ipvs_key *key);
void ipvs_keys_free(struct ipvs_keys *k);

#endif
