/* config.c - see config.h. */
#include "parent/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/director.h"
#include "parent/script.h"

/* ---- causes */

static struct cause *config_cause_ref(struct cause *k)
{
    if (k != NULL)
        k->refs++;
    return k;
}

static void config_cause_unref(struct cause *k)
{
    if (k != NULL && --k->refs == 0)
        free(k);
}

void config_cause_set(struct config *c, struct config_inst *n, const char *text)
{
    if (c->said == NULL || strcmp(c->said->text, text) != 0) {
        size_t len = strlen(text) + 1;
        config_cause_unref(c->said);
        c->said = xmalloc(sizeof *c->said + len);
        c->said->refs = 1;
        memcpy(c->said->text, text, len);
    }
    config_cause_unref(n->cause);
    n->cause = config_cause_ref(c->said);
}

const char *config_cause(const struct config_inst *n)
{
    return n->cause != NULL ? n->cause->text : "";
}

static void config_causes_free(struct config_inst *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        config_cause_unref(v[i].cause);
}

static void config_read_instances(struct config *c)
{
    size_t n = 0;
    const struct slice_obj *o = NULL;
    while ((o = slice_next(c->slice, o, BLK_VI, SLICE_ANY_PARENT)) != NULL)
        n++;
    c->inst = xcalloc(n > 0 ? n : 1, sizeof *c->inst);
    while ((o = slice_next(c->slice, o, BLK_VI, SLICE_ANY_PARENT)) != NULL) {
        unsigned int prio = (unsigned int)slice_uint(o, KW_VI_PRIORITY, 100);
        c->inst[c->ninst++] = (struct config_inst){
            .id = o->id,
            .name = o->name,
            .iface = slice_str(o, KW_VI_INTERFACE, ""),
            .vrid = (unsigned int)slice_uint(o, KW_VI_VIRTUAL_ROUTER_ID, 0),
            .base_priority = prio,
            .priority = prio,
            .state = VRRP_STATE_INIT,
        };
    }
}

static void config_read_groups(struct config *c)
{
    size_t n = 0;
    const struct slice_obj *o = NULL;
    while ((o = slice_next(c->slice, o, BLK_SYNC, SLICE_ANY_PARENT)) != NULL)
        n++;
    c->group = xcalloc(n > 0 ? n : 1, sizeof *c->group);
    while ((o = slice_next(c->slice, o, BLK_SYNC, SLICE_ANY_PARENT)) != NULL)
        c->group[c->ngroup++] =
            (struct config_inst){ .id = o->id, .name = o->name, .iface = "", .state = VRRP_STATE_INIT };
}

struct config *config_new(uint32_t generation, const int fds[4], struct err *e)
{
    static const enum role order[4] = { ROLE_PARENT, ROLE_VRRPD, ROLE_CHECKD, ROLE_IPVSD };
    struct config *c = xcalloc(1, sizeof *c);
    c->generation = generation;
    for (int r = 0; r < ROLE_MAX; r++)
        c->fd[r] = -1;
    for (int i = 0; i < 4; i++)
        c->fd[order[i]] = fds[i];
    c->slice = slice_open(c->fd[ROLE_PARENT], ROLE_PARENT, e);
    if (c->slice == NULL) {
        config_free(c);
        return NULL;
    }
    if (slice_generation(c->slice) != generation) {
        err_set(e, "HF-SLICE", "", "the slice is of generation %u, expected %u", slice_generation(c->slice),
                generation);
        config_free(c);
        return NULL;
    }
    c->top = slice_next(c->slice, NULL, BLK_TOP, SLICE_ANY_PARENT);
    config_read_instances(c);
    config_read_groups(c);
    c->director = director_new(c->slice);
    c->scripts = scripts_new(c->slice);
    return c;
}

void config_free(struct config *c)
{
    if (c == NULL)
        return;
    for (int r = 0; r < ROLE_MAX; r++)
        if (c->fd[r] >= 0)
            close(c->fd[r]);
    scripts_unref(c->scripts);
    director_free(c->director);
    slice_free(c->slice);
    config_causes_free(c->inst, c->ninst);
    config_causes_free(c->group, c->ngroup);
    config_cause_unref(c->said);
    free(c->inst);
    free(c->group);
    free(c);
}

bool config_needs(const struct config *c, enum role r)
{
    switch (r) {
    case ROLE_VRRPD: return config_top_bool(c, KW_TOP_X_NEED_VRRP);
    case ROLE_CHECKD: return config_top_bool(c, KW_TOP_X_NEED_CHECK);
    case ROLE_IPVSD: return config_top_bool(c, KW_TOP_X_NEED_IPVS);
    case ROLE_PARENT:
    case ROLE_CONF:
    case ROLE_CTL:
    case ROLE_MAX: break;
    }
    return false;
}

int config_dup_slice(const struct config *c, enum role r)
{
    return fcntl(c->fd[r], F_DUPFD_CLOEXEC, 3);
}

static struct config_inst *config_search(struct config_inst *in, size_t n, uint32_t id)
{
    size_t lo = 0, hi = n; /* the slice is ascending by id */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (in[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && in[lo].id == id ? &in[lo] : NULL;
}

struct config_inst *config_inst(struct config *c, uint32_t id)
{
    return config_search(c->inst, c->ninst, id);
}

struct config_inst *config_group(struct config *c, uint32_t id)
{
    return config_search(c->group, c->ngroup, id);
}

static void config_carry_one(struct config_inst *n, const struct config_inst *old)
{
    if (old == NULL || n->at != 0)
        return;
    n->state = old->state;
    n->priority = old->priority;
    n->at = old->at;
    config_cause_unref(n->cause);
    n->cause = config_cause_ref(old->cause);
}

void config_carry_states(struct config *to, const struct config *from)
{
    const struct slice_obj *o;
    for (size_t i = 0; i < to->ninst; i++)
        if ((o = slice_find(from->slice, BLK_VI, to->inst[i].name)) != NULL)
            config_carry_one(&to->inst[i], config_search(from->inst, from->ninst, o->id));
    for (size_t i = 0; i < to->ngroup; i++)
        if ((o = slice_find(from->slice, BLK_SYNC, to->group[i].name)) != NULL)
            config_carry_one(&to->group[i], config_search(from->group, from->ngroup, o->id));
}

static void config_carry_news_one(struct config_inst *n, const struct config_inst *old)
{
    if (n == NULL || old == NULL)
        return;
    n->at = 0; /* what was carried over before is not the latest */
    config_carry_one(n, old);
}

void config_carry_news(struct config *to, const struct config *from, uint32_t id)
{
    const struct config_inst *old = config_search(from->inst, from->ninst, id);
    const struct config_inst *group = config_search(from->group, from->ngroup, id);
    const struct slice_obj *o;
    if (old != NULL && (o = slice_find(to->slice, BLK_VI, old->name)) != NULL)
        config_carry_news_one(config_inst(to, o->id), old);
    if (group != NULL && (o = slice_find(to->slice, BLK_SYNC, group->name)) != NULL)
        config_carry_news_one(config_group(to, o->id), group);
}

uint64_t config_top_ns(const struct config *c, enum kw kw, uint64_t dflt)
{
    return c != NULL && c->top != NULL ? slice_ns(c->top, kw, dflt) : dflt;
}

uint64_t config_top_uint(const struct config *c, enum kw kw, uint64_t dflt)
{
    return c != NULL && c->top != NULL ? slice_uint(c->top, kw, dflt) : dflt;
}

bool config_top_bool(const struct config *c, enum kw kw)
{
    return c != NULL && c->top != NULL && slice_bool(c->top, kw, false);
}

const char *config_top_str(const struct config *c, enum kw kw)
{
    return c != NULL && c->top != NULL ? slice_str(c->top, kw, NULL) : NULL;
}

static bool config_field_same(const struct slice_obj *a, const struct slice_obj *b, enum kw kw)
{
    size_t la = 0, lb = 0;
    const void *pa = a != NULL ? slice_raw(a, kw, 0, &la) : NULL;
    const void *pb = b != NULL ? slice_raw(b, kw, 0, &lb) : NULL;
    if (pa == NULL || pb == NULL)
        return pa == pb;
    return la == lb && memcmp(pa, pb, la) == 0;
}

const char *config_frozen_change(const struct config *old, const struct config *new)
{
    for (int k = KW_NONE + 1; k < KW_MAX; k++) {
        const struct kw_row *row = schema_kw((enum kw)k);
        if (row == NULL || (row->flags & KWF_NO_RELOAD) == 0 || (row->roles & ROLE_BIT(ROLE_PARENT)) == 0)
            continue;
        const struct slice_obj *a = slice_next(old->slice, NULL, row->blk, SLICE_ANY_PARENT);
        const struct slice_obj *b = slice_next(new->slice, NULL, row->blk, SLICE_ANY_PARENT);
        if (!config_field_same(a, b, row->kw))
            return row->name;
    }
    return NULL;
}
