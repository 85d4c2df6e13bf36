/*
 * reload.c - from one configuration to the next (the first one too: from nothing). Decode aside, then swap.
 * An instance keeps its identity by name and router, else by VRID, family and interface, else by name; what
 * did not change is not touched, what changed takes effect at once and a MASTER goes on without a gap. Called
 * by life.c.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vrrpd/vrrpd.h"

static size_t reload_count(const struct slice *s)
{
    size_t n = 0;
    for (const struct slice_obj *o = slice_next(s, NULL, BLK_VI, SLICE_ANY_PARENT); o != NULL;
         o = slice_next(s, o, BLK_VI, SLICE_ANY_PARENT))
        n++;
    return n;
}

void reload_abort(struct vrrpd *v)
{
    for (size_t n = 0; n < v->nnext; n++)
        bind_vi_free(v->next[n]);
    free(v->next);
    v->next = NULL;
    v->nnext = 0;
}

int reload_prepare(struct vrrpd *v, const struct slice *next, struct err *e)
{
    reload_abort(v);
    v->next = xcalloc(reload_count(next) + 1, sizeof(struct bind_vi *));
    for (const struct slice_obj *o = slice_next(next, NULL, BLK_VI, SLICE_ANY_PARENT); o != NULL;
         o = slice_next(next, o, BLK_VI, SLICE_ANY_PARENT)) {
        struct bind_vi *b = bind_vi_new(next, o, e);
        if (b == NULL) {
            reload_abort(v);
            return -1;
        }
        v->next[v->nnext++] = b;
    }
    return 0;
}

/* ---- matching */

struct reload_old {
    struct inst **inst; /* NULL once taken */
    size_t n, hint;     /* files change little: the next one is usually where the last one was */
};

static struct inst *reload_take(struct reload_old *old, size_t at)
{
    struct inst *i = old->inst[at];
    old->inst[at] = NULL;
    old->hint = at + 1;
    return i;
}

/* What other routers know it by. */
static bool reload_same_key(const struct bind_vi *a, const struct bind_vi *b)
{
    return a->vrid == b->vrid && a->family == b->family && strcmp(a->iface, b->iface) == 0;
}

static struct inst *reload_by_name(struct reload_old *old, const struct bind_vi *b, bool same_key)
{
    for (size_t k = 0; k < old->n; k++) {
        size_t at = (old->hint + k) % old->n;
        const struct bind_vi *o = old->inst[at] != NULL ? old->inst[at]->b : NULL;
        if (o != NULL && strcmp(o->name, b->name) == 0)
            return !same_key || reload_same_key(o, b) ? reload_take(old, at) : NULL;
    }
    return NULL;
}

static struct inst *reload_by_router(struct reload_old *old, const struct bind_vi *b)
{
    for (size_t at = 0; at < old->n; at++)
        if (old->inst[at] != NULL && reload_same_key(old->inst[at]->b, b))
            return reload_take(old, at);
    return NULL;
}

/* A name that went to another router does not take the router's own identity away: names may be swapped. */
void reload_match(const struct vrrpd *v, struct inst **former, size_t n, struct inst **match)
{
    struct reload_old old = { .inst = former, .n = n };
    for (size_t k = 0; k < v->nnext; k++)
        match[k] = reload_by_name(&old, v->next[k], true);
    for (size_t k = 0; k < v->nnext; k++)
        if (match[k] == NULL)
            match[k] = reload_by_router(&old, v->next[k]);
    for (size_t k = 0; k < v->nnext; k++)
        if (match[k] == NULL)
            match[k] = reload_by_name(&old, v->next[k], false);
}

/* ---- the three fates */

/* The same virtual router: state, timers and counters stay. */
static void reload_adopt(struct inst *i, struct bind_vi *b)
{
    struct bind_vi *was = i->b;
    bool changed = !bind_vi_same(was, b), packet = !bind_vi_same_packet(was, b);
    i->b = b;
    if (was->needs_src != b->needs_src || ipaddr_cmp(&was->src, &b->src) != 0)
        i->src_told = i->src_here = i->src_seen = false; /* ipvsd says it again */
    inst_auth_state(i);
    inst_fit(i);
    if (was->check.naddrs != b->check.naddrs)
        changed = packet = true;
    if (changed) {
        i->snap = true;
        vrrpd_dirty(i);
        if (strcmp(was->name, b->name) != 0)
            log_notice("%s: is now called %s", was->name, b->name);
        if (!was->check.unicast || was->check.npeers != b->check.npeers ||
            b->check.old_checksum == CHECK_OLD_NEVER)
            i->old_checksum = false;
        if (packet) { /* before it is judged: a fault resigns, and that advert is of the new shape already */
            io_flush(i->v->io);
            inst_rebuild(i);
        }
        inst_evaluate(i);
        struct engine_cfg cfg = b->engine;
        cfg.priority = i->e.cfg.priority; /* with what the trackers make of it */
        engine_reconfigure(&i->e, &cfg, ev_now(i->v->ev), packet);
        log_info("%s: changed by reload, goes on as %s", b->name, vrrp_state_name(i->e.state));
    }
    bind_vi_free(was);
}

static void reload_remove(struct inst *i, const char *why, bool deleted)
{
    i->removed = true;
    if (engine_stop(&i->e, why))
        engine_resign(&i->e);
    io_flush(i->v->io);
    if (deleted)
        alert_deleted(i);
    inst_free(i);
}

static void reload_gone_keys(struct vrrpd *v, const uint32_t *ids, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (inst_by_id(v, ids[k]) == NULL)
            child_snapshot_gone(v->child, ids[k]);
}

/* Before any of them is touched: a mate may make it speak before its own turn, and its former id may mean
 * somebody else now. */
static void reload_ids(struct vrrpd *v, struct inst *const *match, const struct reload_old *old)
{
    for (size_t n = 0; n < old->n; n++)
        if (old->inst[n] != NULL)
            old->inst[n]->removed = true;
    for (size_t n = 0; n < v->nnext; n++) {
        struct inst *i = match[n];
        if (i == NULL)
            continue;
        i->removed = !bind_vi_same_router(i->b, v->next[n]);
        if (i->removed || i->b->id == v->next[n]->id)
            continue;
        i->b->id = v->next[n]->id;
        i->snap = true;
        vrrpd_dirty(i);
    }
}

static struct inst *reload_one(struct vrrpd *v, struct inst *was, struct bind_vi *b)
{
    if (was != NULL && bind_vi_same_router(was->b, b)) {
        reload_adopt(was, b);
        return was;
    }
    struct inst *i = inst_new(v, b);
    if (was != NULL) {
        i->e.stats = was->e.stats;
        const struct check_stats had = check_stats(&was->chk);
        check_stats_set(&i->chk, &had);
        if (auth_kind(was->b->sign) == auth_kind(b->sign) && i->chk.auth != NULL && was->chk.auth != NULL)
            i->chk.auth->own = was->chk.auth->own;
        reload_remove(was, "reload: another VRID, interface or socket; starting over", false);
    }
    return i;
}

static void reload_patience(struct vrrpd *v)
{
    uint64_t interval = 0, skew = 0;
    for (size_t n = 0; n < v->ninst; n++) {
        const struct engine_cfg *c = &v->inst[n]->b->engine;
        uint64_t one = engine_skew(c, c->interval);
        if (interval == 0 || c->interval < interval)
            interval = c->interval;
        if (c->priority != ENGINE_OWNER && (skew == 0 || one < skew)) /* an owner waits for nobody */
            skew = one;
    }
    io_patience(v->io, interval, skew);
}

void reload_commit(struct vrrpd *v, const struct slice *now)
{
    struct reload_old old = { .inst = v->inst, .n = v->ninst };
    size_t total = v->nnext;
    uint32_t *ids = xcalloc(old.n + 1, sizeof *ids);
    struct inst **match = xcalloc(total + 1, sizeof(struct inst *));
    struct inst **inst = xcalloc(total + 1, sizeof(struct inst *));
    for (size_t n = 0; n < old.n; n++)
        ids[n] = old.inst[n]->b->id;
    facts_tables(v, now);
    track_load(v, now);
    reload_match(v, old.inst, old.n, match);
    reload_ids(v, match, &old);
    for (size_t n = 0; n < total; n++)
        inst[n] = reload_one(v, match[n], v->next[n]);
    for (size_t n = 0; n < old.n; n++)
        if (old.inst[n] != NULL)
            reload_remove(old.inst[n], "removed from the configuration", true);
    free(v->inst);
    free(match);
    free(v->next);
    v->next = NULL;
    v->nnext = 0;
    v->inst = inst;
    v->ninst = total;
    reload_patience(v);
    facts_index(v);
    facts_tables_sweep(v);
    reload_gone_keys(v, ids, old.n);
    free(ids);
    group_load(v, now);
    for (size_t n = 0; n < v->ninst; n++)
        inst_judge_only(v->inst[n]);
    for (size_t n = 0; n < v->ninst; n++)
        inst_evaluate(v->inst[n]);
}
