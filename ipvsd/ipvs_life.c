/*
 * ipvs_life.c - see ipvs.h: start, reload, what checkd says, audits, stop.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "ipvsd/ipvs.h"
#include "ipvsd/ipvsd.h"
#include "ipvsd/nft_ipvs.h"
#include "ipvsd/rcvbuf.h"

#define LIFE_BUDGET (10 * NS_PER_MS)  /* of a turn; addresses wait no longer than this */
#define LIFE_AUDIT  (30 * NS_PER_SEC) /* between two looks at what others did */
#define LIFE_SHARE  100               /* ... and at least this many times what the last one took */
#define LIFE_GATHER NS_PER_MS         /* what checkd says of one service in one breath is done as one */
#define LIFE_RETRY  (10 * NS_PER_SEC) /* for a kernel without IPVS */
#define LIFE_SWEEPS 5                 /* a list of services may leave one out while others change theirs */

/* ---- the kernel
 * ---------------------------------------------------------------------------------------------------------
 */

/* Nobody loads ip_vs for a configuration that has nothing for it. */
static bool life_needs_kernel(const struct ipvs *v)
{
    return v->model->nks > 0 || v->model->has_timeouts || v->model->flush || v->condemned.n > v->gone ||
           v->timeouts_saved;
}

static void life_timeouts(struct ipvs *v)
{
    struct ipvs_timeouts now, set = { 0 };
    if (!v->model->has_timeouts && !v->timeouts_saved)
        return;
    if (ipvs_kernel_timeouts(&v->k, &now) < 0) {
        log_warn("lvs_timeouts: the kernel's values cannot be read: %s", strerror(errno));
        return;
    }
    if (!v->timeouts_saved) {
        v->saved = now;
        v->timeouts_saved = true;
        ipvs_memory_state(v);
    }
    for (int i = 0; i < 3; i++) {
        uint32_t want = v->model->timeouts.v[i] != 0 ? v->model->timeouts.v[i] : v->saved.v[i];
        set.v[i] = want != now.v[i] ? want : 0;
    }
    if ((set.v[0] | set.v[1] | set.v[2]) != 0 && ipvs_kernel_timeouts_set(&v->k, &set) < 0)
        log_err("lvs_timeouts: the kernel refuses them: %s", strerror(errno));
}

static void life_rcvbuf(struct ipvs *v)
{
    rcvbuf_fit(child_slice(v->child), RCVBUF_LVS_CMD, v->k.family != 0 ? v->k.sock.fd : -1,
               IPVS_KERNEL_RCVBUF);
}

static void life_open(struct ipvs *v)
{
    if (v->k.family != 0 || !life_needs_kernel(v))
        return;
    if (ipvs_kernel_open(&v->k, -1) == 0) {
        if (v->deaf)
            log_notice("the kernel has IPVS now");
        v->deaf = false;
        life_rcvbuf(v);
        life_timeouts(v);
        return;
    }
    if (!v->deaf)
        log_err(
            "the kernel has no IPVS%s%s, no service can be served: modprobe ip_vs says why; the kernel needs "
            "CONFIG_IP_VS, in a container the host must load the module; tried again every %d s",
            errno == ENOENT ? "" : ": ", errno == ENOENT ? "" : strerror(errno),
            (int)(LIFE_RETRY / NS_PER_SEC));
    v->deaf = true;
    ev_timer_in(v->ev, &v->retry, LIFE_RETRY);
}

static void life_on_retry(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    life_open(arg); /* the end of this turn does what is due */
}

/* ---- comparing
 * ----------------------------------------------------------------------------------------------------------
 */

static void life_on_audit(struct ev_timer *t, uint64_t now, void *arg)
{
    struct ipvs *v = arg;
    (void)t;
    (void)now;
    if (v->synced)
        v->due = true;
}

static void life_on_work(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    (void)arg; /* it only makes a turn */
}

/* lvs_flush: what is not configured goes. */
static int life_sweep(struct ipvs *v)
{
    size_t gone = 0;
    for (int i = 0; i < LIFE_SWEEPS; i++) {
        struct ipvs_keys strangers = { 0 };
        int rc = ipvs_read_all(v, &strangers);
        size_t n = rc == 0 ? strangers.n : 0;
        for (size_t k = 0; k < n; k++)
            ipvs_plan_remove_key(&v->plan, &strangers.v[k]);
        ipvs_apply_execute(v, true);
        ipvs_keys_free(&strangers);
        gone += n;
        if (rc < 0)
            return -1;
        if (n == 0)
            break;
    }
    if (gone > 0)
        log_notice("lvs_flush: %zu services that are not configured were taken out of the IPVS table", gone);
    v->flush_due = false;
    return 0;
}

static void life_compare(struct ipvs *v)
{
    v->due = false;
    v->auditing = true;
    v->spent = 0;
    if (!v->touched && v->model->nks > 0) {
        v->touched = true;
        ipvs_memory_all(v);
    }
    if ((v->flush_due ? life_sweep(v) : ipvs_read_all(v, NULL)) < 0)
        log_err("the kernel's list of IPVS services cannot be read (%s): tried again in %d s",
                strerror(errno), (int)(LIFE_AUDIT / NS_PER_SEC));
}

/* The end of a comparison checkd or a reload asked for. */
static void life_tell(struct ipvs *v)
{
    const uint64_t *n = v->count.op, *old = v->told.op;
    v->telling = false;
    log_notice("IPVS: %zu services as configured; added %llu, changed %llu, removed %llu; servers added "
               "%llu, changed %llu, "
               "removed %llu%s",
               v->model->nks, (unsigned long long)(n[IPVS_OP_SVC_ADD] - old[IPVS_OP_SVC_ADD]),
               (unsigned long long)(n[IPVS_OP_SVC_SET] - old[IPVS_OP_SVC_SET]),
               (unsigned long long)(n[IPVS_OP_SVC_DEL] - old[IPVS_OP_SVC_DEL]),
               (unsigned long long)(n[IPVS_OP_DEST_ADD] - old[IPVS_OP_DEST_ADD]),
               (unsigned long long)(n[IPVS_OP_DEST_SET] - old[IPVS_OP_DEST_SET]),
               (unsigned long long)(n[IPVS_OP_DEST_DEL] - old[IPVS_OP_DEST_DEL]),
               v->count.failed != v->told.failed ? "; what the kernel refused stands above" : "");
    v->told = v->count;
}

/* One breath of checkd may reach us in pieces: a sorry server that comes and the last server that goes. */
static bool life_gathered(struct ipvs *v)
{
    uint64_t now = ev_now(v->ev);
    if (TAILQ_EMPTY(&v->moved))
        return false;
    if (v->gather == 0)
        v->gather = now + LIFE_GATHER;
    return now >= v->gather;
}

void ipvs_turn(struct ipvsd *d)
{
    struct ipvs *v = d->ipvs;
    if (v->k.family == 0)
        return;
    uint64_t began = clock_monotonic_ns();
    bool gathered = life_gathered(v);
    if (v->due)
        life_compare(v);
    bool more = ipvs_apply_run(v, LIFE_BUDGET, gathered);
    if (TAILQ_EMPTY(&v->moved))
        v->gather = 0;
    v->spent += clock_monotonic_ns() - began;
    if (more)
        ev_timer_in(v->ev, &v->work, 0);
    else if (v->gather != 0)
        ev_timer_at(v->ev, &v->work, v->gather);
    if (more || !v->auditing)
        return;
    v->auditing = false;
    uint64_t pause = v->telling ? 0 : v->spent * LIFE_SHARE; /* what was written says nothing of reading */
    ev_timer_in(v->ev, &v->audit, pause > LIFE_AUDIT ? pause : LIFE_AUDIT);
    if (v->telling && v->synced)
        life_tell(v);
}

/* ---- what checkd says
 * ---------------------------------------------------------------------------------------------------- */

static int life_on_rs(struct ipvs *v, const struct msg_rs_state *m)
{
    struct ipvs_rs *rs = ipvs_model_rs(v->model, m->rs);
    if (rs == NULL)
        return -1;
    bool in = m->in != 0;
    bool same = rs->in == in && (!in || rs->weight == m->weight);
    rs->told = true;
    rs->in = in;
    rs->weight = m->weight;
    if (!same && v->synced)
        ipvs_apply_moved(v, rs);
    return 0;
}

static int life_on_sync(struct ipvs *v)
{
    for (size_t i = 0; i < v->model->nrs; i++)
        if (!v->model->rss[i].told)
            v->model->rss[i].in = false;
    v->synced = v->due = v->telling = true;
    return 0;
}

int ipvs_msg(struct ipvsd *d, const struct chan_msg *m)
{
    if (m->generation != child_generation(d->child))
        return 0; /* said before the reload reached it: it says everything again */
    switch (m->type) {
    case MSG_rs_state: return life_on_rs(d->ipvs, &m->body->rs_state);
    case MSG_lvs_sync: return life_on_sync(d->ipvs);
    default: return -1;
    }
}

void ipvs_peer(struct ipvsd *d)
{
    struct ipvs *v = d->ipvs;
    v->synced = false;
    v->met = true;
    for (size_t i = 0; i < v->model->nrs; i++)
        v->model->rss[i].told = false;
}

/* ---- start and reload
 * ---------------------------------------------------------------------------------------------------- */

int ipvs_start(struct ipvsd *d, const struct slice *s)
{
    struct ipvs *v = xcalloc(1, sizeof *v);
    struct err e = { 0 };
    d->ipvs = v;
    v->child = d->child;
    v->ev = d->ev;
    v->k.other = &d->other;
    v->k.use = OTHER_NS_IPVS;
    TAILQ_INIT(&v->todo);
    TAILQ_INIT(&v->moved);
    ev_timer_init(&v->work, life_on_work, v);
    ev_timer_init(&v->audit, life_on_audit, v);
    ev_timer_init(&v->retry, life_on_retry, v);
    v->model = ipvs_model_build(s, nft_ipvs_prepare(d->nft, s), &e);
    if (v->model == NULL) {
        log_err("%s: %s", e.object, e.text);
        return -1;
    }
    ipvs_memory_load(v);
    /* what was ours and is configured still, or again, stays */
    struct ipvs_keys all = v->condemned;
    v->condemned = (struct ipvs_keys){ 0 };
    for (size_t i = 0; i < all.n; i++)
        if (ipvs_model_ks(v->model, &all.v[i]) == NULL)
            ipvs_keys_add(&v->condemned, &all.v[i]);
    ipvs_keys_free(&all);
    if (v->touched)
        ipvs_memory_all(v); /* as this configuration has it */
    v->flush_due = v->model->flush && !child_restarted(v->child);
    life_open(v);
    return 0;
}

/* Into v->condemned: what was ours and is not in m. */
static void life_condemn(struct ipvs *v, const struct ipvs_model *m)
{
    struct ipvs_keys keep = { 0 };
    for (size_t i = v->gone; i < v->condemned.n; i++)
        if (ipvs_model_ks(m, &v->condemned.v[i]) == NULL)
            ipvs_keys_add(&keep, &v->condemned.v[i]);
    for (size_t i = 0; v->touched && i < v->model->nks; i++)
        if (ipvs_model_ks(m, &v->model->kss[i]->svc.key) == NULL)
            ipvs_keys_add(&keep, &v->model->kss[i]->svc.key);
    ipvs_keys_free(&v->condemned);
    v->condemned = keep;
    v->gone = 0;
}

int ipvs_prepare(struct ipvsd *d, const struct slice *next, struct err *e)
{
    struct ipvs *v = d->ipvs;
    v->next = ipvs_model_build(next, nft_ipvs_prepare(d->nft, next), e);
    if (v->next == NULL)
        return -1;
    return 0;
}

void ipvs_abort(struct ipvsd *d)
{
    struct ipvs *v = d->ipvs;
    ipvs_model_free(v->next);
    v->next = NULL;
}

void ipvs_commit(struct ipvsd *d)
{
    struct ipvs *v = d->ipvs;
    life_condemn(v, v->next);
    ipvs_apply_forget(v);
    ipvs_model_free(v->model);
    v->model = v->next;
    v->next = NULL;
    ipvs_memory_all(v); /* the parent forgets what was said under older generations */
    v->synced = v->due = v->auditing = false;
    v->gather = 0;
    ev_timer_stop(v->ev, &v->audit);
    life_rcvbuf(v);
    if (v->k.family != 0)
        life_timeouts(v);
    else
        life_open(v);
}

/* ---- the end
 * -------------------------------------------------------------------------------------------------------------
 */

static void life_remove_all(struct ipvs *v)
{
    ipvs_apply_forget(v);
    v->plan.n = 0;
    for (size_t i = v->gone; i < v->condemned.n; i++)
        ipvs_plan_remove_key(&v->plan, &v->condemned.v[i]);
    for (size_t i = 0; i < v->model->nks; i++)
        ipvs_plan_remove(&v->plan, v->model->kss[i], v->model->flush_on_stop != 2);
    ipvs_apply_execute(v, true);
    log_info("IPVS: the services of this configuration are taken out");
}

void ipvs_stop(struct ipvsd *d, enum stop_why why)
{
    struct ipvs *v = d->ipvs;
    if (v->k.family == 0 || why == STOP_WHY_RESTART || why == STOP_WHY_PARENT_GONE)
        return; /* entries stay: the successor goes on where we stood, or connections outlive the daemon */
    if (v->timeouts_saved && ipvs_kernel_timeouts_set(&v->k, &v->saved) < 0)
        log_warn("lvs_timeouts: the values from before cannot be put back: %s", strerror(errno));
    if (child_keep_ipvs(d->child) || !(v->touched || v->met))
        return;
    if (v->model->flush_on_stop != 1 || why == STOP_WHY_RELOAD_REMOVED) /* the daemon does not stop */
        life_remove_all(v);
    else if (ipvs_kernel_flush(&v->k) < 0)
        log_err("lvs_flush_on_stop: the kernel refuses to clear the IPVS table: %s", strerror(errno));
}

/* ---- for the operator
 * ---------------------------------------------------------------------------------------------------- */

static void life_dump_ks(const struct ipvs_ks *ks, int fd)
{
    static const char *const state[] = {
        [IPVS_KS_UNREAD] = "not read", [IPVS_KS_ABSENT] = "absent", [IPVS_KS_PRESENT] = "present"
    };
    char text[IPVS_TEXT_LEN];
    dprintf(fd, "  %s: %s, %s\n", ipvs_key_text(&ks->svc.key, text), ks->svc.sched, state[ks->state]);
    for (uint32_t i = 0; i < ks->nslots; i++) {
        const struct ipvs_slot *s = &ks->slots[i];
        struct ipvs_want w = ipvs_plan_want(ks, i);
        struct ipvs_dkey k = ipvs_model_dkey(ks, s->rs);
        if (s->canon == i)
            dprintf(fd, "    %s: %s, weight %u; kernel: %s, weight %u\n", ipvs_dkey_text(&k, text),
                    w.in ? "in" : "out", w.weight, s->present ? "in" : "out", s->present ? s->weight : 0);
    }
}

void ipvs_dump(const struct ipvsd *d, int fd)
{
    const struct ipvs *v = d->ipvs;
    const uint64_t *n = v->count.op;
    dprintf(
        fd,
        "ipvs: %zu services, %zu servers, %s, %s\n  services added %llu, changed %llu, removed %llu; servers "
        "added "
        "%llu, changed %llu, removed %llu; refused %llu, repaired %llu, batches %llu, services read %llu\n",
        v->model->nks, v->model->nrs, v->k.family != 0 ? "kernel open" : "no kernel",
        v->synced ? "in step with checkd" : "waiting for checkd", (unsigned long long)n[IPVS_OP_SVC_ADD],
        (unsigned long long)n[IPVS_OP_SVC_SET], (unsigned long long)n[IPVS_OP_SVC_DEL],
        (unsigned long long)n[IPVS_OP_DEST_ADD], (unsigned long long)n[IPVS_OP_DEST_SET],
        (unsigned long long)n[IPVS_OP_DEST_DEL], (unsigned long long)v->count.failed,
        (unsigned long long)v->count.drifted, (unsigned long long)v->count.batches,
        (unsigned long long)v->count.read);
    for (size_t i = 0; i < v->model->nks; i++)
        life_dump_ks(v->model->kss[i], fd);
}
