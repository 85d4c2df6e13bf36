/*
 * track_bind.c - from a slice to the trackers of an instance: its own lines and those of its sync group,
 * weights resolved, what a group or an owner cannot use made harmless as reference/behaviour.md section 10
 * says. holdfast-conf has checked the names and warned of weights without effect. Called by bind.c.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vrrpd/bind.h"

/* Where the lines of a kind and the defaults of what they name stand. */
static const struct track_row {
    enum blk line, target;
    enum kw weight, reverse, own_weight, own_reverse;
} track_rows[TRACK_KINDS] = {
    [TRACK_IF] = { BLK_TRK_IF, BLK_NONE, KW_TRK_IF_WEIGHT, KW_TRK_IF_X_REVERSE, KW_NONE, KW_NONE },
    [TRACK_SCRIPT] = { BLK_TRK_SCRIPT, BLK_SCRIPT, KW_TRK_SCRIPT_WEIGHT, KW_TRK_SCRIPT_X_REVERSE,
                       KW_SCRIPT_WEIGHT, KW_SCRIPT_X_REVERSE },
    [TRACK_FILE] = { BLK_TRK_FILE, BLK_TFILE, KW_TRK_FILE_WEIGHT, KW_TRK_FILE_X_REVERSE, KW_TFILE_WEIGHT,
                     KW_TFILE_X_REVERSE },
    [TRACK_PROC] = { BLK_TRK_PROC, BLK_PROC, KW_TRK_PROC_WEIGHT, KW_TRK_PROC_X_REVERSE, KW_PROC_WEIGHT,
                     KW_PROC_X_REVERSE },
    [TRACK_BFD] = { BLK_TRK_BFD, BLK_BFD, KW_TRK_BFD_WEIGHT, KW_TRK_BFD_X_REVERSE, KW_BFD_WEIGHT,
                    KW_BFD_X_REVERSE },
};

static void bind_weight(struct track_line *l, const struct slice *s, const struct slice_obj *o)
{
    const struct track_row *r = &track_rows[l->kind];
    const struct slice_obj *target = r->target != BLK_NONE ? slice_find(s, r->target, o->name) : NULL;
    /* a weight of its own without reverse or noreverse keeps the direction of what is tracked */
    bool reverse = target != NULL && slice_bool(target, r->own_reverse, false);
    l->reverse = slice_bool(o, r->reverse, reverse);
    if (slice_has(o, r->weight) || target == NULL)
        l->weight = (int)slice_int(o, r->weight, 0);
    else
        l->weight = (int)slice_int(target, r->own_weight, l->kind == TRACK_FILE ? 1 : 0);
}

/* Of one thing an instance has one tracker: what is a fault for the instance stays one, otherwise the line of
 * the group takes the place of its own. True: nothing is to be added. */
static bool bind_stands(struct bind_vi *b, const struct track_line *l, const char *name)
{
    if (l->kind == TRACK_IF && !b->dont_track_primary && strcmp(name, b->iface) == 0)
        return true;
    for (size_t n = 0; n < b->nlines; n++) {
        struct track_line *own = &b->lines[n];
        if (own->kind != l->kind || own->of_static || strcmp(own->name, name) != 0)
            continue;
        if (own->weight != 0 || own->neutral) {
            own->weight = l->weight;
            own->reverse = l->reverse;
        }
        return true;
    }
    return false;
}

/* neutral: weights of members are not wanted in this group. */
static void bind_lines(struct bind_vi *b, const struct slice *s, uint32_t parent, bool of_group, bool neutral)
{
    for (int k = 0; k < TRACK_KINDS; k++)
        for (const struct slice_obj *o = slice_next(s, NULL, track_rows[k].line, parent); o != NULL;
             o = slice_next(s, o, track_rows[k].line, parent)) {
            struct track_line l = { .kind = (enum track_kind)k, .of_group = of_group };
            bind_weight(&l, s, o);
            l.neutral = neutral && l.weight != 0;
            if ((neutral && !track_neutralise(l.kind, b->engine.priority == ENGINE_OWNER, &l.weight)) ||
                (of_group && bind_stands(b, &l, o->name)))
                continue;
            l.name = xstrdup(o->name);
            b->lines = xrealloc(b->lines, (b->nlines + 1) * sizeof *b->lines);
            b->lines[b->nlines++] = l;
        }
}

static bool bind_member(const struct slice_obj *g, const char *name)
{
    const char *member;
    for (size_t i = 0; (member = slice_str_at(g, KW_TRACK_GROUP_GROUP, i)) != NULL; i++)
        if (strcmp(member, name) == 0)
            return true;
    return false;
}

/* The interface of a static entry counts like one of its own, once. */
static void bind_static(struct bind_vi *b, const char *dev)
{
    for (size_t n = 0; n < b->nlines; n++)
        if (b->lines[n].of_static && strcmp(b->lines[n].name, dev) == 0)
            return;
    b->lines = xrealloc(b->lines, (b->nlines + 1) * sizeof *b->lines);
    b->lines[b->nlines++] = (struct track_line){ .kind = TRACK_IF, .name = xstrdup(dev), .of_static = true };
}

/* Static addresses, routes and rules whose track_group lists this instance. */
static void bind_statics(struct bind_vi *b, const struct slice *s)
{
    static const struct {
        enum blk blk;
        enum kw group, dev;
    } rows[] = { { BLK_ADDR, KW_ADDR_TRACK_GROUP, KW_ADDR_DEV },
                 { BLK_ROUTE, KW_ROUTE_TRACK_GROUP, KW_ROUTE_DEV },
                 { BLK_RULE, KW_RULE_TRACK_GROUP, KW_RULE_DEV } };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        for (const struct slice_obj *o = NULL; (o = slice_next(s, o, rows[k].blk, 0)) != NULL;) {
            const char *group = slice_str(o, rows[k].group, NULL), *dev = slice_str(o, rows[k].dev, NULL);
            const struct slice_obj *g = group != NULL ? slice_find(s, BLK_TRACK_GROUP, group) : NULL;
            if (g != NULL && dev != NULL && bind_member(g, b->name))
                bind_static(b, dev);
        }
}

/* May the whole group be MASTER at once? */
static bool bind_all_own(const struct slice *s, const struct slice_obj *g)
{
    const char *member;
    for (size_t i = 0; (member = slice_str_at(g, KW_SYNC_GROUP, i)) != NULL; i++) {
        const struct slice_obj *vi = slice_find(s, BLK_VI, member);
        if (vi != NULL && slice_uint(vi, KW_VI_PRIORITY, 100) != ENGINE_OWNER)
            return false;
    }
    return true;
}

void track_bind(struct bind_vi *b, const struct slice *s, const struct slice_obj *o)
{
    const char *name = slice_str(o, KW_VI_X_SYNC, NULL);
    const struct slice_obj *g = name != NULL ? slice_find(s, BLK_SYNC, name) : NULL;
    bool owner = b->engine.priority == ENGINE_OWNER;
    bool neutral = owner || (g != NULL && !slice_bool(g, KW_SYNC_SYNC_GROUP_TRACKING_WEIGHT, false) &&
                             !slice_bool(g, KW_SYNC_GLOBAL_TRACKING, false));
    bind_lines(b, s, o->id, false, neutral);
    bind_statics(b, s);
    if (g == NULL)
        return;
    b->group = xstrdup(name);
    b->engine.start_backup = !bind_all_own(s, g);
    bind_lines(b, s, g->id, true, false);
}

void track_bind_free(struct bind_vi *b)
{
    for (size_t n = 0; n < b->nlines; n++)
        free(b->lines[n].name);
    free(b->lines);
    free(b->group);
}

bool track_bind_same(const struct bind_vi *a, const struct bind_vi *b)
{
    if (a->nlines != b->nlines || (a->group == NULL) != (b->group == NULL) ||
        (a->group != NULL && strcmp(a->group, b->group) != 0))
        return false;
    for (size_t n = 0; n < a->nlines; n++) {
        const struct track_line *x = &a->lines[n], *y = &b->lines[n];
        if (x->kind != y->kind || x->weight != y->weight || x->reverse != y->reverse ||
            strcmp(x->name, y->name) != 0)
            return false;
    }
    return true;
}
