/*
 * life.c - the order of events in vrrpd: start, peers, end of a turn, stop. Uses common/child.c for what
 * every child does. The end of a turn says things in the order the network must see them: adverts first, then
 * the states that make ipvsd move addresses, then what our successor needs.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vrrpd/bfd_life.h"
#include "vrrpd/vrrpd.h"

#define LIFE_STOP_WAIT      (100 * NS_PER_MS)
#define LIFE_ORPHAN_WAIT    (200 * NS_PER_MS)
#define LIFE_BRACE          (200 * NS_PER_US)
#define LIFE_BRACE_MORE     (200 * NS_PER_US) /* for the adverts in front of the states */
#define LIFE_OWE_MAX        (5 * NS_PER_MS)
#define LIFE_COUNTERS_EVERY 10 /* heartbeats */

/* ---- end of a turn */

void vrrpd_dirty(struct inst *i)
{
    if (i->dirty)
        return;
    struct vrrpd *v = i->v;
    if (v->dirty == NULL)
        v->dirty_end = &v->dirty;
    i->dirty = true;
    i->next_dirty = NULL;
    *v->dirty_end = i;
    v->dirty_end = &i->next_dirty;
}

static void life_say_state(struct inst *i, struct chan *ipvsd)
{
    struct msg_inst_state m = { .inst = i->b->id, .state = (uint8_t)i->e.state, .seq = ++i->seq };
    i->say_state = false;
    chan_send(ipvsd, MSG_inst_state, &m, NULL, 0);
}

void vrrpd_say_all(struct vrrpd *v)
{
    struct chan *ipvsd = child_peer(v->child, ROLE_IPVSD);
    struct msg_sync sync = { .generation = child_generation(v->child) };
    if (ipvsd == NULL)
        return;
    io_flush(v->io);
    for (size_t n = 0; n < v->ninst; n++) {
        life_say_state(v->inst[n], ipvsd);
        if (v->inst[n]->e.state == VRRP_STATE_MASTER)
            inst_will(v->inst[n]);
        v->inst[n]->say_will = false;
    }
    chan_send(ipvsd, MSG_sync, &sync, NULL, 0);
    chan_flush(ipvsd);
    v->sync_owed = false;
}

static bool life_any_master(const struct vrrpd *v)
{
    for (size_t n = 0; n < v->ninst; n++)
        if (v->inst[n]->e.state == VRRP_STATE_MASTER)
            return true;
    return false;
}

/* A signed last will ages: its mark must stay above those of the adverts that have left since. */
static void life_wills(struct vrrpd *v)
{
    for (size_t n = 0; n < v->ninst; n++)
        if (v->inst[n]->e.state == VRRP_STATE_MASTER && auth_signs(v->inst[n]->b->sign))
            inst_will(v->inst[n]);
}

/* Of no use once every instance has begun: what is without one by then belongs to none. */
static void life_snapshots_used(struct vrrpd *v)
{
    if (v->snaps == NULL)
        return;
    for (size_t n = 0; n < v->ninst; n++)
        if (v->inst[n]->snapshot != NULL)
            return;
    free(v->snaps);
    v->snaps = NULL;
    v->nsnaps = 0;
}

/* Cheap on purpose, it must not show in the cost of an advert: one word a second while somebody is MASTER,
 * one instance's counters (they move without transitions) every ten. */
static void life_heartbeat(struct vrrpd *v, uint64_t now)
{
    uint8_t buf[SNAPSHOT_MAX];
    v->heartbeat_at = now + LIFE_HEARTBEAT;
    alert_say_all(v); /* what found no room before */
    life_snapshots_used(v);
    group_alert_say_all(v);
    life_wills(v);
    if (life_any_master(v)) {
        int len = snapshot_alive_encode(now, buf);
        child_snapshot(v->child, SNAPSHOT_KEY_ALIVE, buf, (size_t)len);
    }
    if (v->ninst > 0 && ++v->heartbeats % LIFE_COUNTERS_EVERY == 0)
        inst_snapshot(v->inst[v->heartbeats / LIFE_COUNTERS_EVERY % v->ninst]);
    if (child_parent(v->child) != NULL)
        chan_flush(child_parent(v->child)); /* the adverts have left: no other wake-up for it */
}

/* All states of the turn in one burst: ipvsd makes one exchange with the kernel of what it reads in one turn.
 */
static void life_say_states(struct vrrpd *v, struct chan *ipvsd)
{
    bool said = false;
    for (struct inst *i = v->dirty; i != NULL; i = i->next_dirty) {
        if (i->say_state) {
            life_say_state(i, ipvsd);
            said = true;
        }
    }
    if (said)
        chan_flush(ipvsd);
}

/* Hundreds of timers run out within a few milliseconds: what only our successor needs waits for the last of
 * them, though not for long. */
static bool life_more_due(struct vrrpd *v)
{
    const struct clock *c = ev_clock(v->ev);
    if (v->dirty == NULL || v->stopping)
        return false;
    uint64_t now = c->now(c->arg);
    if (v->owing_since == 0)
        v->owing_since = now;
    if (ev_next_deadline(v->ev) <= now && now - v->owing_since < LIFE_OWE_MAX)
        return true;
    v->owing_since = 0;
    return false;
}

void vrrpd_settle(struct vrrpd *v)
{
    struct chan *ipvsd = child_peer(v->child, ROLE_IPVSD);
    /* Before everything was told once, silence is right: "not MASTER" would take addresses away. */
    bool tell = ipvsd != NULL && v->running && !v->sync_owed;
    group_settle(v);
    if (v->ordered)
        operator_settle(v);
    io_flush(v->io);
    if (tell)
        life_say_states(v, ipvsd);
    if (life_more_due(v))
        return;
    while (v->dirty != NULL) {
        struct inst *i = v->dirty;
        v->dirty = i->next_dirty;
        i->dirty = false;
        if (tell && i->say_will && i->e.state == VRRP_STATE_MASTER)
            inst_will(i);
        i->say_will = false;
        if (i->snap)
            inst_snapshot(i);
        i->snap = false;
        alert_say(i);
    }
    if (v->running && !v->stopping && ev_now(v->ev) >= v->heartbeat_at)
        life_heartbeat(v, ev_now(v->ev));
}

static void life_hook(void *arg)
{
    struct vrrpd *v = arg;
    vrrpd_settle(v);
}

/* ---- a take-over is near
 * The hop to ipvsd costs most when both are asleep. A BACKUP whose master has been silent almost to the end
 * of the master-down interval is awake before the end, and so is ipvsd: the adverts leave on the deadline and
 * the addresses follow without a wake-up in between. A quick oscillation must not keep two processors busy.
 */

static void life_brace(void *arg)
{
    struct vrrpd *v = arg;
    struct chan *ipvsd = child_peer(v->child, ROLE_IPVSD);
    struct msg_brace m = { .for_ns = LIFE_BRACE + LIFE_BRACE_MORE };
    if (ipvsd == NULL || !v->running)
        return;
    chan_send(ipvsd, MSG_brace, &m, NULL, 0);
    chan_flush(ipvsd);
}

/* ---- start */

static void life_snapshots(struct vrrpd *v)
{
    struct child_snapshot cs;
    size_t cursor = 0, cap = 0;
    while (child_snapshot_next(v->child, &cursor, &cs)) {
        if (bfd_life_snapshot(v->bfd, &cs))
            continue;
        if (cs.key == SNAPSHOT_KEY_ALIVE) {
            if (snapshot_alive_decode(cs.data, cs.len, &v->alive_at) < 0)
                v->alive_at = 0;
            continue;
        }
        if (track_snapshot_take(v, &cs))
            continue;
        if (v->nsnaps == cap) {
            cap = cap > 0 ? 2 * cap : 16;
            v->snaps = xrealloc(v->snaps, cap * sizeof *v->snaps);
        }
        if (snapshot_decode(cs.data, cs.len, &v->snaps[v->nsnaps]) == 0)
            v->nsnaps++;
        else
            log_warn("a stored snapshot is of another build: its instance starts as BACKUP");
    }
}

/* By natural key; of two (a crash in the middle of a reload) the newer. */
static const struct snapshot *life_snapshot_of(const struct vrrpd *v, const struct bind_vi *b)
{
    const struct snapshot *best = NULL;
    for (size_t n = 0; n < v->nsnaps; n++) {
        const struct snapshot *s = &v->snaps[n];
        if (s->vrid == b->vrid && s->family == b->family && strcmp(s->iface, b->iface) == 0 &&
            strncmp(s->name, b->name, SNAPSHOT_NAME_MAX) == 0 &&
            (best == NULL || s->saved.taken_at > best->saved.taken_at))
            best = s;
    }
    return best;
}

static void life_delays(struct vrrpd *v)
{
    uint64_t now = ev_now(v->ev);
    uint64_t after_start = now + v->global.startup_delay;
    v->start_at = after_start > v->global.delay_after_boot ? after_start : v->global.delay_after_boot;
}

static const struct io_ops life_io_ops = { .packet = inst_packet, .sent = inst_sent };

static int life_start(struct child *c, const struct slice *s, void *arg)
{
    struct vrrpd *v = arg;
    struct err e = { 0 };
    v->child = c;
    v->ev = child_ev(c);
    v->io = io_new(v->ev, &life_io_ops, v);
    v->bfd = bfd_life_new(v);
    bfd_life_watch(v->bfd, track_bfd_changed);
    ev_hook_add(v->ev, life_hook, v);
    ev_brace(v->ev, LIFE_BRACE, life_brace, v);
    bind_global(s, &v->global);
    life_delays(v);
    life_snapshots(v);
    if (bfd_life_prepare(s, &e) < 0 || reload_prepare(v, s, &e) < 0) {
        log_err("%s: %s", e.object, e.text);
        return -1;
    }
    reload_commit(v, s);
    bfd_life_commit(v->bfd, s);
    track_snapshots_done(v);
    track_snapshots(v, NULL);
    v->generation = child_generation(c);
    for (size_t n = 0; n < v->ninst; n++) {
        struct inst *i = v->inst[n];
        i->snapshot = life_snapshot_of(v, i->b);
        if (i->snapshot == NULL)
            continue;
        check_stats_set(&i->chk, &i->snapshot->stats);
        if (i->chk.auth == NULL)
            continue;
        snapshot_auth_give(i->snapshot, i->chk.auth);
        uint64_t now = ev_now(v->ev), taken = i->snapshot->saved.taken_at;
        auth_state_resume(i->b->sign, i->chk.auth, clock_realtime_ns());
        auth_state_age(i->b->sign, i->chk.auth, now > taken ? now - taken : 0);
    }
    return 0;
}

static void life_peer(struct child *c, struct chan *ch, enum role peer, void *arg)
{
    struct vrrpd *v = arg;
    (void)c;
    if (peer == ROLE_CHECKD) {
        alert_peer(v, ch);
        bfd_life_tell(v->bfd);
    }
    if (peer != ROLE_IPVSD)
        return;
    v->sync_owed = true;
    if (v->running)
        vrrpd_say_all(v);
}

static void life_peer_dead(struct child *c, enum role peer, void *arg)
{
    struct vrrpd *v = arg;
    (void)c;
    if (peer != ROLE_IPVSD)
        return;
    log_notice(
        "ipvsd is gone: adverts go on with the sockets at hand, its successor is told everything again");
    for (size_t n = 0; n < v->ninst && v->stopping; n++)
        if (v->inst[n]->stop_wait)
            vrrpd_stop_done(v, v->inst[n]); /* nobody is left to wait for */
}

static int life_msg(struct child *c, enum role from, const struct chan_msg *m, void *arg)
{
    (void)c;
    if (from == ROLE_PARENT && m->type == MSG_file_value)
        return track_on_file(arg, m);
    if (from == ROLE_PARENT && m->type == MSG_ran)
        return track_on_ran(arg, &m->body->ran);
    if (from == ROLE_PARENT && m->type == MSG_inst_order)
        return operator_on_order(arg, &m->body->inst_order);
    return from == ROLE_IPVSD ? facts_msg(arg, m) : -1;
}

/* ---- reload */

static int life_prepare(struct child *c, const struct slice *next, struct err *e, void *arg)
{
    (void)c;
    return bfd_life_prepare(next, e) < 0 ? -1 : reload_prepare(arg, next, e);
}

static void life_commit(struct child *c, const struct slice *old, const struct slice *now, void *arg)
{
    struct vrrpd *v = arg;
    bind_global(now, &v->global);
    reload_commit(v, now);
    bfd_life_commit(v->bfd, now);
    track_snapshots(v, old);
    v->generation = child_generation(c);
    facts_stash_replay(v);
    io_flush(v->io);
    vrrpd_say_all(v);
}

static void life_plan(struct child *c, const struct slice *next, int fd, void *arg)
{
    (void)c;
    (void)next;
    plan_write(arg, fd);
}

static void life_abort(struct child *c, void *arg)
{
    (void)c;
    reload_abort(arg);
}

/* ---- stop: addresses away, then priority 0, then silence */

static void life_resign(struct vrrpd *v)
{
    ev_timer_stop(v->ev, &v->stop_timer);
    v->stop_waiting = 0;
    for (size_t n = 0; n < v->ninst; n++)
        if (v->inst[n]->stop_wait)
            engine_resign(&v->inst[n]->e);
    io_flush(v->io);
    bfd_life_stop(v->bfd);
    for (struct vsock *k = v->socks; k != NULL; k = k->next)
        io_sock_detach(&k->io); /* nothing can be advertised after this */
    child_stopped(v->child);
}

static void life_on_stop_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct vrrpd *v = arg;
    (void)t;
    (void)now;
    log_warn("ipvsd has not confirmed the removal of %zu instances' addresses in time: resigning now",
             v->stop_waiting);
    life_resign(v);
}

void vrrpd_stop_done(struct vrrpd *v, struct inst *i)
{
    (void)i;
    if (v->stop_waiting > 0 && --v->stop_waiting == 0)
        life_resign(v);
}

/* A restart on purpose is the crash path: say what the successor needs, resign nothing. */
static void life_pause(struct vrrpd *v)
{
    for (size_t n = 0; n < v->ninst; n++)
        inst_snapshot(v->inst[n]);
    bfd_life_pause(v->bfd);
    life_heartbeat(v, ev_now(v->ev));
    child_stopped(v->child);
}

static void life_stop(struct child *c, enum stop_why why, void *arg)
{
    struct vrrpd *v = arg;
    bool orphan = why == STOP_WHY_PARENT_GONE;
    if (why == STOP_WHY_RESTART) {
        life_pause(v);
        return;
    }
    track_stop(v);
    for (size_t n = 0; n < v->ninst; n++) {
        struct inst *i = v->inst[n];
        i->stop_wait = engine_stop(&i->e, orphan ? "the parent process is gone" : "stopping");
        v->stop_waiting += i->stop_wait;
        if (child_keep_addresses(c))
            i->say_state = false; /* -V: ipvsd must not hear of the end */
    }
    bool wait = v->stop_waiting > 0 && !child_keep_addresses(c) && child_peer(c, ROLE_IPVSD) != NULL;
    vrrpd_settle(v);
    v->stopping = true;
    if (!wait) {
        life_resign(v);
        return;
    }
    ev_timer_init(&v->stop_timer, life_on_stop_timer, v);
    ev_timer_in(v->ev, &v->stop_timer, orphan ? LIFE_ORPHAN_WAIT : LIFE_STOP_WAIT);
}

static void life_dump(struct child *c, enum dump_what what, int fd, void *arg)
{
    (void)c;
    dump_write(arg, what, fd);
}

static bool life_report(struct child *c, uint32_t obj, size_t *cursor, FILE *f, void *arg)
{
    (void)c;
    return vrrpd_report(arg, obj, cursor, f);
}

static bool life_metrics(struct child *c, size_t *cursor, FILE *f, void *arg)
{
    (void)c;
    return metrics_vrrp(arg, cursor, f);
}

/* OpenSSL reads its configuration when it is first used; in the jail there is none. */
static int life_pre_jail(void *arg)
{
    struct err e = { 0 };
    (void)arg;
    if (auth_init(&e) == 0)
        return 0;
    log_err("%s", e.text);
    return -1;
}

int vrrpd_run(void)
{
    static const struct child_ops ops = {
        .on_start = life_start,
        .on_prepare = life_prepare,
        .on_commit = life_commit,
        .on_abort = life_abort,
        .on_plan = life_plan,
        .on_peer = life_peer,
        .on_peer_dead = life_peer_dead,
        .on_msg = life_msg,
        .on_stop = life_stop,
        .on_dump = life_dump,
        .on_report = life_report,
        .on_metrics = life_metrics,
        .slice_rests = true,
    };
    return child_run(ROLE_VRRPD, &ops, life_pre_jail, xcalloc(1, sizeof(struct vrrpd)));
}
