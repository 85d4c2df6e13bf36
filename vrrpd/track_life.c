/*
 * track_life.c - see track_life.h. A script never overlaps itself; what cannot be run has failed. A result
 * that changes makes the instances look at themselves again, nothing else.
 */
#include "vrrpd/track_life.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vrrpd/vrrpd.h"

#define TRACK_BFD_KEY UINT32_C(0x40000000) /* apart from ids, and from the session's own BFD_SNAPSHOT_KEY */

struct tracked {
    struct vrrpd *v;
    struct tracked *next;
    enum track_kind kind;
    uint32_t id;
    char *name;
    struct track_debounce st; /* what counts: of scripts, processes and BFD sessions */
    int32_t value;            /* files: the number; processes: how many */
    bool followed;            /* by the configuration in force */
    uint64_t changed_at;      /* CLOCK_REALTIME ns */
    struct ev_timer timer;    /* scripts: next run; processes: a delay */
    /* scripts */
    uint8_t *cmd;
    size_t cmd_len;
    uint64_t interval, started_at;
    uint32_t rise, fall, token;
    struct msg_ran ran; /* the last one's end, at ran_at (CLOCK_REALTIME; 0: none yet) */
    uint64_t ran_at;
    bool running, fresh; /* fresh: another command than the one that gave the result, the next one decides */
    /* processes */
    uint32_t quorum, quorum_max;
    bool limited;
    uint64_t fork_delay, terminate_delay;
    bool forked;              /* the last process that came */
    enum track_result coming; /* what becomes true when the delay ends */
};

struct track_life {
    struct tracked *head;
    struct track_saved *saved;
    size_t nsaved;
    uint32_t token;
    bool stopped;
};

static struct track_life *track_all(struct vrrpd *v)
{
    if (v->track == NULL)
        v->track = xcalloc(1, sizeof *v->track);
    return v->track;
}

static struct tracked *track_find(const struct vrrpd *v, enum track_kind kind, const char *name)
{
    struct tracked *t = v->track != NULL ? v->track->head : NULL;
    while (t != NULL && (t->kind != kind || strcmp(t->name, name) != 0))
        t = t->next;
    return t;
}

static struct tracked *track_by_id(const struct vrrpd *v, enum track_kind kind, uint32_t id)
{
    struct tracked *t = v->track != NULL ? v->track->head : NULL;
    while (t != NULL && (t->kind != kind || t->id != id))
        t = t->next;
    return t;
}

/* ---- results */

/* A BFD session is kept under its id as well, by bfd_life.c: ours stands beside it. */
static uint32_t track_key(enum track_kind kind, uint32_t id)
{
    return kind == TRACK_BFD ? id | TRACK_BFD_KEY : id;
}

static void track_save(struct tracked *t)
{
    struct track_saved s = {
        .kind = t->kind, .result = t->st.result, .value = t->value, .at = ev_now(t->v->ev)
    };
    uint8_t buf[TRACK_SAVED_MAX];
    memcpy(s.name, t->name, strnlen(t->name, TRACK_NAME_MAX));
    size_t len = track_saved_encode(&s, buf);
    child_snapshot(t->v->child, track_key(t->kind, t->id), buf, len);
}

/* A result has changed: whoever follows it looks at himself again. */
static void track_changed(struct tracked *t)
{
    struct vrrpd *v = t->v;
    t->changed_at = clock_realtime_ns();
    track_save(t);
    for (size_t n = 0; n < v->ninst; n++)
        for (size_t l = 0; l < v->inst[n]->b->nlines; l++) {
            const struct track_line *line = &v->inst[n]->b->lines[l];
            if (line->kind == t->kind && strcmp(line->name, t->name) == 0) {
                inst_evaluate(v->inst[n]);
                break;
            }
        }
}

static enum track_result track_link_result(const struct vrrpd *v, const char *name)
{
    const struct vlink *l = v->links;
    while (l != NULL && strcmp(l->name, name) != 0)
        l = l->next;
    if (l == NULL || !l->told)
        return TRACK_UNKNOWN;
    return l->ifindex != 0 && l->up && l->running ? TRACK_OK : TRACK_FAIL;
}

static struct track_say track_line_says(const struct vrrpd *v, const struct track_line *l)
{
    if (l->kind == TRACK_IF)
        return track_of_result(track_link_result(v, l->name), l->weight, l->reverse);
    const struct tracked *t = track_find(v, l->kind, l->name);
    if (l->kind == TRACK_FILE)
        return track_of_file(t != NULL && t->st.result != TRACK_UNKNOWN, t != NULL ? t->value : 0, l->weight,
                             l->reverse);
    return track_of_result(t != NULL ? t->st.result : TRACK_UNKNOWN, l->weight, l->reverse);
}

static void track_fault_text(const struct vrrpd *v, const struct track_line *l, char *buf, size_t size)
{
    const struct tracked *t = track_find(v, l->kind, l->name);
    const char *whose = l->of_group ? " of its sync group" : l->of_static ? " of a static entry" : "";
    if (l->kind == TRACK_FILE)
        snprintf(buf, size, "tracked file %.60s%s holds %d (weight %d)", l->name, whose,
                 t != NULL ? t->value : 0, l->weight);
    else if (l->kind == TRACK_PROC)
        snprintf(buf, size, "tracked process %.60s%s: %d running%s", l->name, whose, t != NULL ? t->value : 0,
                 l->reverse ? ", and they should not" : ", which is not its quorum");
    else
        snprintf(buf, size, "tracked %s %.60s%s is %s", track_kind_name(l->kind), l->name, whose,
                 l->reverse                ? "up, and should not be"
                 : l->kind == TRACK_SCRIPT ? "failing"
                                           : "down");
}

struct track_sum track_judge(const struct inst *i, char *buf, size_t size)
{
    struct track_sum sum = { 0 };
    buf[0] = '\0';
    for (size_t n = 0; n < i->b->nlines; n++) {
        struct track_say say = track_line_says(i->v, &i->b->lines[n]);
        if (say.fault && buf[0] == '\0')
            track_fault_text(i->v, &i->b->lines[n], buf, size);
        track_add(&sum, say);
    }
    return sum;
}

bool track_uses_link(const struct inst *i, const char *name)
{
    for (size_t n = 0; n < i->b->nlines; n++)
        if (i->b->lines[n].kind == TRACK_IF && strcmp(i->b->lines[n].name, name) == 0)
            return true;
    return false;
}

/* ---- scripts */

static void track_run(struct tracked *t)
{
    struct chan *parent = child_parent(t->v->child);
    struct msg_run m = { .obj = t->id, .token = ++t->v->track->token };
    if (parent == NULL || t->v->track->stopped)
        return;
    t->started_at = ev_now(t->v->ev);
    t->token = m.token;
    t->running = true;
    chan_send(parent, MSG_run, &m, NULL, 0);
}

/* The next point of the grid the last start is on. */
static void track_schedule(struct tracked *t)
{
    uint64_t now = ev_now(t->v->ev), next = t->started_at + t->interval;
    if (next <= now)
        next += ((now - next) / t->interval + 1) * t->interval;
    ev_timer_at(t->v->ev, &t->timer, next);
}

void track_ran_text(const struct msg_ran *m, char *buf, size_t size)
{
    switch ((enum run_end)m->how) {
    case RUN_END_EXIT: snprintf(buf, size, "exit status %u", m->value); return;
    case RUN_END_SIGNAL: snprintf(buf, size, "it died of signal %u", m->value); return;
    case RUN_END_TIMEOUT: snprintf(buf, size, "it took too long"); return;
    case RUN_END_NOT_RUN: snprintf(buf, size, "it could not be run: %s", strerror((int)m->value)); return;
    }
}

int track_on_ran(struct vrrpd *v, const struct msg_ran *m)
{
    char why[96] = "";
    struct tracked *t = v->track != NULL ? v->track->head : NULL;
    while (t != NULL && !(t->running && t->token == m->token))
        t = t->next;
    if (t == NULL)
        return 0; /* a run from before a reload */
    bool ok = m->how == RUN_END_EXIT && m->value == 0;
    t->running = false;
    t->ran = *m;
    t->ran_at = clock_realtime_ns();
    if (!v->track->stopped)
        track_schedule(t);
    uint32_t rise = t->fresh ? 1 : t->rise, fall = t->fresh ? 1 : t->fall;
    t->fresh = false;
    enum track_result was = t->st.result;
    if (!track_debounce(&t->st, ok, rise, fall))
        return 0;
    track_ran_text(m, why, sizeof why);
    if (ok && was == TRACK_UNKNOWN)
        log_info("vrrp_script %s: first result: succeeds", t->name);
    else
        log_notice("vrrp_script %s: now %s (%s)", t->name, ok ? "succeeds" : "fails", why);
    track_changed(t);
    return 0;
}

/* ---- files */

int track_on_file(struct vrrpd *v, const struct chan_msg *m)
{
    const struct msg_file_value *f = &m->body->file_value;
    if (m->generation != child_generation(v->child))
        return 0; /* told again after the commit */
    struct tracked *t = track_by_id(v, TRACK_FILE, f->file);
    if (t == NULL)
        return 0; /* the parent tells all files, also those nobody follows here */
    int32_t value = f->ok ? (int32_t)f->value : 0;
    if (t->st.result != TRACK_UNKNOWN && t->value == value)
        return 0;
    if (t->st.result != TRACK_UNKNOWN)
        log_info("track_file %s: %d, was %d", t->name, value, t->value);
    t->st.result = TRACK_OK;
    t->value = value;
    track_changed(t);
    return 0;
}

/* ---- processes */

static void track_proc_settle(struct tracked *t, enum track_result r)
{
    if (t->st.result == r)
        return;
    log_notice("vrrp_track_process %s: %s (%d running)", t->name,
               r == TRACK_OK ? "its quorum is met" : "its quorum is not met", t->value);
    t->st.result = r;
    track_changed(t);
}

static void track_proc_judge(struct tracked *t)
{
    struct ev *ev = t->v->ev;
    enum track_result r =
        track_quorum((uint32_t)t->value, t->quorum, t->limited, t->quorum_max) ? TRACK_OK : TRACK_FAIL;
    uint64_t delay = r != TRACK_OK ? t->terminate_delay : t->forked ? t->fork_delay : 0;
    if (t->st.result == r || t->st.result == TRACK_UNKNOWN || delay == 0) {
        ev_timer_stop(ev, &t->timer);
        track_proc_settle(t, r);
    } else if (!ev_timer_armed(&t->timer) || t->coming != r) {
        t->coming = r;
        ev_timer_in(ev, &t->timer, delay);
    }
}

int track_on_proc(struct vrrpd *v, const struct msg_proc_count *m)
{
    struct tracked *t = track_by_id(v, TRACK_PROC, m->proc);
    if (t == NULL)
        return 0; /* nobody follows it */
    t->value = m->ok ? (int32_t)m->count : 0;
    t->forked = m->forked;
    track_proc_judge(t);
    return 0;
}

/* ---- BFD */

void track_bfd_changed(struct vrrpd *v, const char *name, bool up)
{
    struct tracked *t = track_find(v, TRACK_BFD, name);
    enum track_result r = up ? TRACK_OK : TRACK_FAIL;
    if (t == NULL || t->st.result == r)
        return;
    t->st.result = r;
    track_changed(t);
}

/* ---- life */

static void track_on_timer(struct ev_timer *timer, uint64_t now, void *arg)
{
    struct tracked *t = arg;
    (void)timer;
    (void)now;
    if (t->kind == TRACK_PROC)
        track_proc_settle(t, t->coming);
    else if (!t->running)
        track_run(t);
}

static void track_free(struct tracked *t)
{
    ev_timer_stop(t->v->ev, &t->timer);
    free(t->name);
    free(t->cmd);
    free(t);
}

/* What the former incarnation knew. */
static bool track_restore(struct tracked *t)
{
    const struct track_life *all = t->v->track;
    const struct track_saved *best = NULL;
    for (size_t n = 0; n < all->nsaved; n++) {
        const struct track_saved *s = &all->saved[n];
        if (s->kind == t->kind && strncmp(s->name, t->name, TRACK_NAME_MAX) == 0 &&
            (best == NULL || s->at > best->at))
            best = s;
    }
    if (best == NULL || !child_restarted(t->v->child))
        return false;
    t->st.result = best->result;
    t->value = best->value;
    return true;
}

/* Times of scripts are at least a millisecond: what is asked for cannot become a busy loop. */
static void track_bind_script(struct tracked *t, const struct slice_obj *o, bool known)
{
    size_t len = 0;
    const void *cmd = slice_raw(o, KW_SCRIPT_SCRIPT, 0, &len);
    bool same = known && len == t->cmd_len && (len == 0 || memcmp(cmd, t->cmd, len) == 0);
    uint64_t was = t->interval;
    t->interval = slice_ns(o, KW_SCRIPT_INTERVAL, NS_PER_SEC);
    if (t->interval < NS_PER_MS)
        t->interval = NS_PER_MS;
    t->rise = (uint32_t)slice_uint(o, KW_SCRIPT_RISE, 1);
    t->fall = (uint32_t)slice_uint(o, KW_SCRIPT_FALL, 1);
    if (!same) {
        free(t->cmd);
        t->cmd = xcalloc(len + 1, 1);
        memcpy(t->cmd, cmd != NULL ? cmd : "", len);
        t->cmd_len = len;
        t->running = false;
        t->fresh = t->st.result != TRACK_UNKNOWN && known;
        ev_timer_in(t->v->ev, &t->timer, 0);
    } else if (was != t->interval && !t->running) {
        track_schedule(t);
    }
    if (!known && t->st.result == TRACK_UNKNOWN && slice_bool(o, KW_SCRIPT_INIT_FAIL, false))
        t->st.result = TRACK_FAIL;
}

static void track_bind_proc(struct tracked *t, const struct slice_obj *o)
{
    t->quorum = (uint32_t)slice_uint(o, KW_PROC_QUORUM, 1);
    t->limited = slice_has(o, KW_PROC_QUORUM_MAX);
    t->quorum_max = (uint32_t)slice_uint(o, KW_PROC_QUORUM_MAX, 0);
    t->fork_delay = slice_ns(o, KW_PROC_FORK_DELAY, 0);
    t->terminate_delay = slice_ns(o, KW_PROC_TERMINATE_DELAY, 0);
}

static void track_follow(struct vrrpd *v, enum track_kind kind, const struct slice_obj *o)
{
    struct tracked *t = track_find(v, kind, o->name);
    bool known = t != NULL;
    if (known && t->followed)
        return; /* another line has seen to it */
    if (!known) {
        t = xcalloc(1, sizeof *t);
        t->v = v;
        t->kind = kind;
        t->name = xstrdup(o->name);
        ev_timer_init(&t->timer, track_on_timer, t);
        t->next = v->track->head;
        v->track->head = t;
        if (!track_restore(t) && kind == TRACK_BFD)
            t->st.result = TRACK_FAIL; /* down until it is up */
    }
    t->id = o->id;
    t->followed = true;
    if (kind == TRACK_SCRIPT)
        track_bind_script(t, o, known);
    else if (kind == TRACK_PROC)
        track_bind_proc(t, o);
}

static void track_sweep(struct vrrpd *v)
{
    for (struct tracked **p = &v->track->head; *p != NULL;) {
        struct tracked *t = *p;
        if (t->followed) {
            p = &t->next;
            continue;
        }
        *p = t->next;
        track_free(t);
    }
}

void track_load(struct vrrpd *v, const struct slice *s)
{
    static const struct {
        enum blk line, target;
        enum track_kind kind;
    } kinds[] = { { BLK_TRK_SCRIPT, BLK_SCRIPT, TRACK_SCRIPT },
                  { BLK_TRK_FILE, BLK_TFILE, TRACK_FILE },
                  { BLK_TRK_PROC, BLK_PROC, TRACK_PROC },
                  { BLK_TRK_BFD, BLK_BFD, TRACK_BFD } };
    for (struct tracked *t = track_all(v)->head; t != NULL; t = t->next)
        t->followed = false;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (const struct slice_obj *l = slice_next(s, NULL, kinds[k].line, SLICE_ANY_PARENT); l != NULL;
             l = slice_next(s, l, kinds[k].line, SLICE_ANY_PARENT)) {
            const struct slice_obj *o = slice_find(s, kinds[k].target, l->name);
            if (o != NULL)
                track_follow(v, kinds[k].kind, o);
        }
    track_sweep(v);
}

void track_snapshots(struct vrrpd *v, const struct slice *old)
{
    static const struct {
        enum blk blk;
        enum track_kind kind;
    } kinds[] = { { BLK_SCRIPT, TRACK_SCRIPT },
                  { BLK_TFILE, TRACK_FILE },
                  { BLK_PROC, TRACK_PROC },
                  { BLK_BFD, TRACK_BFD } };
    for (size_t k = 0; old != NULL && k < sizeof kinds / sizeof *kinds; k++)
        for (const struct slice_obj *o = slice_next(old, NULL, kinds[k].blk, SLICE_ANY_PARENT); o != NULL;
             o = slice_next(old, o, kinds[k].blk, SLICE_ANY_PARENT))
            if (kinds[k].kind == TRACK_BFD || inst_by_id(v, o->id) == NULL)
                child_snapshot_gone(v->child, track_key(kinds[k].kind, o->id));
    for (struct tracked *t = track_all(v)->head; t != NULL; t = t->next)
        if (t->st.result != TRACK_UNKNOWN)
            track_save(t);
}

bool track_snapshot_take(struct vrrpd *v, const struct child_snapshot *cs)
{
    struct track_life *all = track_all(v);
    struct track_saved s;
    if (track_saved_decode(cs->data, cs->len, &s) < 0)
        return false;
    all->saved = xrealloc(all->saved, (all->nsaved + 1) * sizeof *all->saved);
    all->saved[all->nsaved++] = s;
    return true;
}

void track_snapshots_done(struct vrrpd *v)
{
    struct track_life *all = track_all(v);
    free(all->saved);
    all->saved = NULL;
    all->nsaved = 0;
}

void track_stop(struct vrrpd *v)
{
    struct track_life *all = track_all(v);
    all->stopped = true;
    for (struct tracked *t = all->head; t != NULL; t = t->next)
        ev_timer_stop(v->ev, &t->timer);
}

void track_end(struct vrrpd *v)
{
    for (struct tracked *t = track_all(v)->head; t != NULL; t = t->next)
        t->followed = false;
    track_sweep(v);
    track_snapshots_done(v);
    free(v->track);
    v->track = NULL;
}

static struct track_view track_view_of(const struct tracked *t)
{
    return (struct track_view){ .kind = t->kind,
                                .id = t->id,
                                .name = t->name,
                                .result = t->st.result,
                                .value = t->value,
                                .running = t->running,
                                .delayed = t->kind == TRACK_PROC && ev_timer_armed(&t->timer),
                                .coming = t->coming,
                                .changed_at = t->changed_at,
                                .rise = t->rise,
                                .fall = t->fall,
                                .streak = t->st.streak,
                                .interval = t->interval,
                                .ran_at = t->ran_at,
                                .ran = t->ran_at != 0 ? &t->ran : NULL };
}

const struct tracked *track_next(const struct vrrpd *v, const struct tracked *prev, struct track_view *out)
{
    const struct tracked *t = prev != NULL ? prev->next : v->track != NULL ? v->track->head : NULL;
    if (t != NULL)
        *out = track_view_of(t);
    return t;
}

struct track_say track_line_view(const struct inst *i, size_t n, struct track_view *out)
{
    const struct track_line *l = &i->b->lines[n];
    const struct tracked *t = l->kind != TRACK_IF ? track_find(i->v, l->kind, l->name) : NULL;
    *out = t != NULL ? track_view_of(t)
                     : (struct track_view){ .kind = l->kind,
                                            .name = l->name,
                                            .result = l->kind == TRACK_IF ? track_link_result(i->v, l->name)
                                                                          : TRACK_UNKNOWN };
    return track_line_says(i->v, l);
}
