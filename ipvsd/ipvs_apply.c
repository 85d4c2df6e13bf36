/*
 * ipvs_apply.c - the work that waits, carried out in batches: services to be compared as a whole, servers
 * that changed, services to be taken out. Many requests travel in one message, the kernel answers refusals
 * only; each is told once with its object and a remedy. What turns out different from what we thought is read
 * again. Called by ipvs_life.c and ipvs_read.c.
 */
#include <errno.h>
#include <linux/ip_vs.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "ipvsd/ipvs.h"

#define APPLY_CHUNK 1024u /* requests in one batch */
#define APPLY_TRIES 3     /* readings in a row before a service is left to the next audit */

/* ---- what waits
 * -------------------------------------------------------------------------------------------------------- */

void ipvs_apply_queue(struct ipvs *v, struct ipvs_ks *ks)
{
    if (ks->queued)
        return;
    ks->queued = true;
    TAILQ_INSERT_TAIL(&v->todo, ks, next);
}

void ipvs_apply_moved(struct ipvs *v, struct ipvs_rs *rs)
{
    struct ipvs_vs *vs = rs->vs;
    if (rs->dirty)
        return;
    rs->dirty = true;
    STAILQ_INSERT_TAIL(&vs->dirty, rs, next_dirty);
    if (!vs->queued)
        TAILQ_INSERT_TAIL(&v->moved, vs, next);
    vs->queued = true;
}

static void apply_settle_vs(struct ipvs *v, struct ipvs_vs *vs)
{
    struct ipvs_rs *rs;
    while ((rs = STAILQ_FIRST(&vs->dirty)) != NULL) {
        STAILQ_REMOVE_HEAD(&vs->dirty, next_dirty);
        rs->dirty = false;
    }
    if (vs->queued)
        TAILQ_REMOVE(&v->moved, vs, next);
    vs->queued = false;
}

void ipvs_apply_forget(struct ipvs *v)
{
    struct ipvs_ks *ks;
    struct ipvs_vs *vs;
    while ((ks = TAILQ_FIRST(&v->todo)) != NULL) {
        TAILQ_REMOVE(&v->todo, ks, next);
        ks->queued = false;
    }
    while ((vs = TAILQ_FIRST(&v->moved)) != NULL)
        apply_settle_vs(v, vs);
}

/* ---- results
 * ------------------------------------------------------------------------------------------------------------
 */

static const char *apply_verb(enum ipvs_op_kind kind)
{
    static const char *const verb[] = {
        [IPVS_OP_SVC_ADD] = "service cannot be added",   [IPVS_OP_SVC_SET] = "service cannot be changed",
        [IPVS_OP_SVC_DEL] = "service cannot be removed", [IPVS_OP_DEST_ADD] = "server cannot be added",
        [IPVS_OP_DEST_SET] = "server cannot be changed", [IPVS_OP_DEST_DEL] = "server cannot be removed",
    };
    return verb[kind];
}

/* What the person reading the log can do. */
static const char *apply_remedy(const struct ipvs_op *op, int err)
{
    bool service = op->kind == IPVS_OP_SVC_ADD || op->kind == IPVS_OP_SVC_SET;
    if (err == ENOMEM)
        return "the kernel has no memory for it; it is tried again";
    if (err == EAFNOSUPPORT)
        return "the kernel was built without IPv6 for IPVS (CONFIG_IP_VS_IPV6)";
    if (err == ERANGE)
        return "uthreshold must not be below lthreshold";
    if (service && err == EPROTONOSUPPORT)
        return "the kernel's ip_vs does not balance this protocol";
    if (!service && err == EINVAL)
        return "the kernel refuses the address (multicast, broadcast), mixed address families without "
               "lb_kind TUN or "
               "with the sync daemon running, or gue without a port";
    return "it is tried again at the next audit";
}

static void apply_failed(struct ipvs *v, const struct ipvs_op *op, int err)
{
    char where[IPVS_TEXT_LEN], what[IPVS_TEXT_LEN] = "";
    const struct ipvs_svc *svc = &op->ks->svc;
    ipvs_key_text(&svc->key, where);
    v->count.failed++;
    if (op->slot != IPVS_NONE) {
        struct ipvs_dkey k = ipvs_model_dkey(op->ks, op->ks->slots[op->slot].rs);
        ipvs_dkey_text(&k, what);
    }
    bool module = err == ENOENT && (op->kind == IPVS_OP_SVC_ADD || op->kind == IPVS_OP_SVC_SET);
    if (module && svc->pe[0] != '\0')
        log_err("%s: %s: the kernel has no scheduler \"%s\" or no persistence engine \"%s\": modprobe "
                "ip_vs_%s ip_vs_pe_%s "
                "says which; the module must be installed for the running kernel",
                where, apply_verb(op->kind), svc->sched, svc->pe, svc->sched, svc->pe);
    else if (module)
        log_err("%s: %s: the kernel has no scheduler \"%s\": modprobe ip_vs_%s says why; the module must be "
                "installed for "
                "the running kernel, or take another lb_algo",
                where, apply_verb(op->kind), svc->sched, svc->sched);
    else
        log_err("%s%s%s: %s: %s; %s", where, what[0] != '\0' ? " -> " : "", what, apply_verb(op->kind),
                strerror(err), apply_remedy(op, err));
}

/* The kernel holds something else than we thought. */
static void apply_reread(struct ipvs *v, struct ipvs_ks *ks)
{
    char text[IPVS_TEXT_LEN];
    if (ks->state == IPVS_KS_UNREAD)
        return;
    ks->state = IPVS_KS_UNREAD;
    ks->listed = false;
    if (ks->tries++ < APPLY_TRIES)
        ipvs_apply_queue(v, ks);
    else
        log_warn(
            "%s: somebody else keeps changing this service at the same time: left alone until the next audit",
            ipvs_key_text(&ks->svc.key, text));
}

static void apply_done_svc(struct ipvs *v, const struct ipvs_op *op, int err)
{
    struct ipvs_ks *ks = op->ks;
    if (op->kind == IPVS_OP_SVC_DEL) {
        ipvs_read_absent(ks);
        return;
    }
    bool surprise = op->kind == IPVS_OP_SVC_ADD ? err == EEXIST : err == ESRCH;
    if (surprise) {
        apply_reread(v, ks);
    } else if (err != 0) {
        if (ks->error != err)
            apply_failed(v, op, err);
    } else {
        ks->state = IPVS_KS_PRESENT;
        ks->differs = false;
    }
    ks->error = (uint16_t)(surprise ? 0 : err);
    ks->known = true;
}

static void apply_done_slot(struct ipvs *v, const struct ipvs_op *op, int err)
{
    struct ipvs_ks *ks = op->ks;
    struct ipvs_slot *s = &ks->slots[op->slot];
    if (op->kind == IPVS_OP_DEST_DEL && (err == 0 || err == ENOENT)) {
        s->present = s->wrong = false;
        s->error = 0;
    } else if (err == 0) {
        s->present = true;
        s->wrong = false;
        s->by = op->by;
        s->weight = ks->slots[op->by].rs->weight;
        s->error = 0;
    } else if (ks->error != 0 && err == ESRCH) {
        return; /* its service could not be added: that was said */
    } else if (err == EEXIST || err == ENOENT || err == ESRCH) {
        apply_reread(v, ks);
    } else {
        if (s->error != err)
            apply_failed(v, op, err);
        s->error = (uint16_t)err;
    }
}

static void apply_done(struct ipvs *v, const struct ipvs_op *op, int err)
{
    if (err == 0)
        v->count.op[op->kind]++;
    if (op->ks == NULL)
        return;
    switch (op->kind) {
    case IPVS_OP_SVC_ADD:
    case IPVS_OP_SVC_SET:
    case IPVS_OP_SVC_DEL: apply_done_svc(v, op, err); break;
    case IPVS_OP_DEST_ADD:
    case IPVS_OP_DEST_SET:
    case IPVS_OP_DEST_DEL:
        if (op->slot != IPVS_NONE)
            apply_done_slot(v, op, err);
        break;
    case IPVS_OP_MAX: break;
    }
}

/* ---- sending
 * ------------------------------------------------------------------------------------------------------------
 */

static struct nl_msg *apply_encode_dest(const struct ipvs *v, const struct ipvs_op *op)
{
    const struct ipvs_ks *ks = op->ks;
    if (op->kind == IPVS_OP_DEST_DEL) {
        struct ipvs_dkey k = op->slot == IPVS_NONE ? op->dkey : ipvs_model_dkey(ks, ks->slots[op->slot].rs);
        return ipvs_codec_dkey(v->k.family, IPVS_CMD_DEL_DEST, &ks->svc.key, &k);
    }
    const struct ipvs_rs *rs = ks->slots[op->by].rs;
    struct ipvs_dest d = ipvs_model_dest(ks, rs);
    d.weight = rs->weight;
    return ipvs_codec_dest(v->k.family, op->kind == IPVS_OP_DEST_ADD ? IPVS_CMD_NEW_DEST : IPVS_CMD_SET_DEST,
                           &ks->svc.key, &d);
}

static struct nl_msg *apply_encode(const struct ipvs *v, const struct ipvs_op *op)
{
    switch (op->kind) {
    case IPVS_OP_SVC_ADD: return ipvs_codec_svc(v->k.family, IPVS_CMD_NEW_SERVICE, &op->ks->svc);
    case IPVS_OP_SVC_SET: return ipvs_codec_svc(v->k.family, IPVS_CMD_SET_SERVICE, &op->ks->svc);
    case IPVS_OP_SVC_DEL:
        return ipvs_codec_key(v->k.family, IPVS_CMD_DEL_SERVICE,
                              op->ks != NULL ? &op->ks->svc.key : &op->key);
    case IPVS_OP_DEST_ADD:
    case IPVS_OP_DEST_SET:
    case IPVS_OP_DEST_DEL: return apply_encode_dest(v, op);
    case IPVS_OP_MAX: break;
    }
    fatal("no such operation on IPVS: %d", (int)op->kind);
}

void ipvs_apply_execute(struct ipvs *v, bool quiet)
{
    struct nlbatch *b = &v->k.batch;
    for (size_t from = 0; from < v->plan.n;) {
        size_t to = from + APPLY_CHUNK < v->plan.n ? from + APPLY_CHUNK : v->plan.n;
        nlbatch_reset(b);
        for (size_t i = from; i < to; i++)
            nlbatch_add(b, apply_encode(v, &v->plan.v[i]));
        int rc = nlbatch_run(&v->k.sock, b);
        v->count.batches++;
        if (rc < 0)
            log_warn("answers of the kernel about IPVS were lost (%s): the services concerned are read again",
                     strerror(errno));
        for (size_t i = from; i < to; i++) {
            const struct ipvs_op *op = &v->plan.v[i];
            if (rc < 0 && op->ks != NULL)
                apply_reread(v, op->ks);
            else if (!quiet || b->err[i - from] == 0)
                apply_done(v, op, b->err[i - from]);
        }
        from = to;
    }
    v->plan.n = 0;
}

/* ---- gathering
 * ----------------------------------------------------------------------------------------------------------
 */

/* -1: the kernel could not be read. */
static int apply_gather_ks(struct ipvs *v, struct ipvs_ks *ks)
{
    struct ipvs_dkey *stale = NULL;
    size_t nstale = 0;
    TAILQ_REMOVE(&v->todo, ks, next);
    ks->queued = false;
    if (ks->state == IPVS_KS_UNREAD && ipvs_read_one(v, ks, &stale, &nstale) < 0) {
        free(stale);
        return -1;
    }
    ks->known = true;
    ipvs_plan_service(&v->plan, ks, stale, nstale);
    free(stale);
    return 0;
}

static int apply_cmp_u32(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The dirty servers of vs as slots of ks, ascending, each once. */
static size_t apply_slots(struct ipvs *v, const struct ipvs_vs *vs, const struct ipvs_ks *ks)
{
    const struct ipvs_rs *rs;
    size_t n = 0, unique = 0;
    bool ordered = true;
    if (v->cap_slots < vs->nrs) {
        v->cap_slots = vs->nrs;
        v->slots = xrealloc(v->slots, v->cap_slots * sizeof *v->slots);
    }
    STAILQ_FOREACH(rs, &vs->dirty, next_dirty)
    {
        v->slots[n] = ks->slots[ks->src[0].base + rs->index].canon;
        ordered = ordered && (n == 0 || v->slots[n] > v->slots[n - 1]);
        n++;
    }
    if (ordered)
        return n;
    qsort(v->slots, n, sizeof *v->slots, apply_cmp_u32);
    for (size_t i = 0; i < n; i++)
        if (unique == 0 || v->slots[i] != v->slots[unique - 1])
            v->slots[unique++] = v->slots[i];
    return unique;
}

static void apply_gather_vs(struct ipvs *v, struct ipvs_vs *vs)
{
    for (size_t i = 0; i < vs->nks; i++) {
        struct ipvs_ks *ks = vs->kss[i];
        /* a twin's slots are not this service's alone; and a group of thousands must not hold up the turn */
        if (ks->state != IPVS_KS_PRESENT || ks->nsrc > 1 || v->plan.n >= 4 * APPLY_CHUNK)
            ipvs_apply_queue(v, ks);
        else if (!ks->queued)
            ipvs_plan_slots(&v->plan, ks, v->slots, apply_slots(v, vs, ks));
    }
    apply_settle_vs(v, vs);
}

static void apply_gather_condemned(struct ipvs *v)
{
    while (v->gone < v->condemned.n && v->plan.n < APPLY_CHUNK)
        ipvs_plan_remove_key(&v->plan, &v->condemned.v[v->gone++]);
    if (v->gone < v->condemned.n || v->condemned.n == 0)
        return;
    v->condemned.n = v->gone = 0;
    ipvs_memory_state(v);
}

/* A batch of work in v->plan. -1: the kernel could not be read. */
static int apply_gather(struct ipvs *v, uint64_t end, bool moved)
{
    apply_gather_condemned(v);
    while (v->plan.n < APPLY_CHUNK && !TAILQ_EMPTY(&v->todo)) {
        if (apply_gather_ks(v, TAILQ_FIRST(&v->todo)) < 0)
            return -1;
        if (clock_monotonic_ns() >= end)
            return 0;
    }
    while (moved && v->plan.n < APPLY_CHUNK && !TAILQ_EMPTY(&v->moved))
        apply_gather_vs(v, TAILQ_FIRST(&v->moved));
    return 0;
}

bool ipvs_apply_run(struct ipvs *v, uint64_t budget_ns, bool moved)
{
    uint64_t end = clock_monotonic_ns() + budget_ns;
    do {
        int rc = apply_gather(v, end, moved);
        ipvs_apply_execute(v, false);
        if (rc < 0) {
            log_warn("the kernel's IPVS table cannot be read (%s): tried again at the next audit",
                     strerror(errno));
            ipvs_apply_forget(v);
            return false;
        }
        if (TAILQ_EMPTY(&v->todo) && (!moved || TAILQ_EMPTY(&v->moved)) && v->gone == v->condemned.n)
            return false;
    } while (clock_monotonic_ns() < end);
    return true;
}
