/*
 * child.c - the life every child shares; see child.h. Runs with whatever the jail left. The parent's word is
 * law, a peer's word is checked by the role; a peer that breaks the protocol is accused and its channel
 * closed.
 */
#include "common/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/deadman.h"
#include "common/err.h"
#include "common/jail.h"
#include "common/loader.h"
#include "common/log.h"
#include "common/procset.h"
#include "common/pulse.h"
#include "common/report.h"

#define CHILD_START_WAIT_S    60 /* a configuration of this size is read by then, or the parent is lost */
#define CHILD_SNAPSHOT_MAX    (8 << 20) /* bytes */
#define CHILD_LINGER_NS       NS_PER_MS /* logs and events give way to adverts and addresses */
#define CHILD_LAST_WORDS_MS   50
#define CHILD_KEEP            12         /* descriptors a jail leaves open */
#define CHILD_SNAPSHOT_HEADER 8          /* u32 key, u16 len, u16 zero */
#define CHILD_REST_NS         NS_PER_SEC /* after the work of a start or a reload, its memory goes back */

struct child {
    enum role role;
    const struct child_ops *ops;
    void *arg;
    struct ev *ev;
    struct chan *parent;
    struct chan *peers[ROLE_MAX];
    int early[ROLE_MAX]; /* peer ends that came before start, unread: without a slice nothing can be said */
    struct slice *slice, *next; /* slice: NULL while it rests */
    int slice_fd, next_fd;      /* kept where it does rest */
    uint32_t generation;        /* of slice; 0: none yet */
    struct ev_timer rest;
    struct slice *former; /* during on_start */
    bool trim;            /* at the next rest */
    struct deadman deadman;
    struct ev_timer winder; /* a turn for its own sake */
    struct pulse *pulse;    /* the parent reads in it when we last finished a turn */
    uint32_t next_generation;
    uint8_t *snap; /* of the former incarnation */
    size_t snap_len;
    struct ev_timer start_wait;
    struct procset proc;
    struct reports *reports; /* what an operator asked for */
    bool started, restarted, keep_addresses, keep_ipvs, watch_addresses, stopping;
    bool logging; /* inside the sink: a failing channel must not log about logging */
};

struct ev *child_ev(struct child *c)
{
    return c->ev;
}

struct chan *child_parent(struct child *c)
{
    return c->parent;
}

struct chan *child_peer(struct child *c, enum role peer)
{
    return c->peers[peer];
}

/* ---- the configuration
 * What a role wants of it lies in its own structures; later dumps and reports alone look at the slice. */

static void child_on_rest(struct ev_timer *t, uint64_t now, void *arg)
{
    struct child *c = arg;
    (void)t;
    (void)now;
    if (c->slice != NULL)
        slice_rest(c->slice);
    if (c->slice_fd >= 0) {
        slice_free(c->slice);
        c->slice = NULL;
    }
    if (c->trim) {
        malloc_trim(0);
        loader_rest();
    }
    c->trim = false;
}

const struct slice *child_slice(struct child *c)
{
    struct err e = { 0 };
    if (c->slice != NULL || c->slice_fd < 0)
        return c->slice;
    c->slice = slice_open(c->slice_fd, c->role, &e);
    if (c->slice == NULL)
        fatal("the configuration slice cannot be read again: %s", e.text);
    ev_timer_in(c->ev, &c->rest, CHILD_REST_NS);
    return c->slice;
}

void child_slice_read(struct child *c)
{
    if (!ev_timer_armed(&c->rest))
        ev_timer_in(c->ev, &c->rest, CHILD_REST_NS);
}

/* It is in force; fd: where it comes from. */
static void child_slice_set(struct child *c, struct slice *s, uint32_t generation, int fd)
{
    c->slice = s;
    c->generation = generation;
    if (c->slice_fd >= 0)
        close(c->slice_fd);
    c->slice_fd = fd;
    c->trim = true;
    ev_timer_in(c->ev, &c->rest, CHILD_REST_NS);
}

static int child_slice_keep(const struct child *c, int fd)
{
    return c->ops->slice_rests ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
}

uint32_t child_generation(struct child *c)
{
    return c->generation;
}

const struct slice *child_former(struct child *c)
{
    return c->former;
}

bool child_restarted(struct child *c)
{
    return c->restarted;
}

bool child_keep_addresses(struct child *c)
{
    return c->keep_addresses;
}

bool child_keep_ipvs(struct child *c)
{
    return c->keep_ipvs;
}

bool child_watch_addresses(struct child *c)
{
    return c->watch_addresses;
}

/* ---- log: to the parent, or stderr once it is gone
 * -------------------------------------------------------------- */

static void child_log(enum role who, enum log_level level, const char *text, void *arg)
{
    (void)who;
    struct child *c = arg;
    if (c->logging || !chan_alive(c->parent))
        return;
    struct msg_log m = { .level = (uint8_t)level };
    snprintf(m.text, sizeof m.text, "%s", text);
    c->logging = true;
    chan_send(c->parent, MSG_log, &m, NULL, 0);
    c->logging = false;
}

static void child_last_words(void *arg)
{
    struct child *c = arg;
    if (chan_alive(c->parent))
        chan_flush_wait(c->parent, CHILD_LAST_WORDS_MS);
}

/* ---- snapshots
 * ---------------------------------------------------------------------------------------------------- */

bool child_snapshot_next(struct child *c, size_t *cursor, struct child_snapshot *out)
{
    if (c->snap_len - *cursor < CHILD_SNAPSHOT_HEADER)
        return false;
    const uint8_t *p = c->snap + *cursor;
    memcpy(&out->key, p, 4);
    memcpy(&out->len, p + 4, 2);
    size_t padded = ((size_t)out->len + 3) & ~(size_t)3;
    if (c->snap_len - *cursor - CHILD_SNAPSHOT_HEADER < padded)
        return false;
    out->data = p + CHILD_SNAPSHOT_HEADER;
    *cursor += CHILD_SNAPSHOT_HEADER + padded;
    return true;
}

void child_snapshot(struct child *c, uint32_t key, const void *data, size_t len)
{
    struct msg_snapshot m = { .key = key, .data_len = (uint16_t)len };
    if (len > sizeof m.data)
        fatal("snapshot of %zu bytes", len);
    memcpy(m.data, data, len);
    if (chan_alive(c->parent))
        chan_send(c->parent, MSG_snapshot, &m, NULL, 0);
}

void child_snapshot_gone(struct child *c, uint32_t key)
{
    struct msg_snapshot_gone m = { .key = key };
    if (chan_alive(c->parent))
        chan_send(c->parent, MSG_snapshot_gone, &m, NULL, 0);
}

static void child_snapshot_load(struct child *c, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > CHILD_SNAPSHOT_MAX)
        return;
    c->snap = xmalloc((size_t)st.st_size);
    ssize_t n = pread(fd, c->snap, (size_t)st.st_size, 0);
    c->snap_len = n > 0 ? (size_t)n : 0;
}

/* ---- peers
 * -------------------------------------------------------------------------------------------------------- */

static void child_accuse(struct child *c, enum role peer, const char *why)
{
    struct msg_accuse m = { .role = (uint8_t)peer };
    snprintf(m.reason, sizeof m.reason, "%s", why);
    if (chan_alive(c->parent))
        chan_send(c->parent, MSG_accuse, &m, NULL, 0);
}

static void child_peer_dead(struct chan *ch, enum chan_end how, const char *why, void *arg)
{
    struct child *c = arg;
    enum role peer = chan_peer(ch);
    if (how == CHAN_END_PROTOCOL || how == CHAN_END_OVERFLOW) {
        log_err("%s broke the protocol (%s): its channel is closed, the parent restarts it", role_name(peer),
                why);
        child_accuse(c, peer, why);
    } else if (!c->stopping) { /* a death is the parent's to tell; at a stop nobody is waited for */
        log_debug("%s is gone (%s)", role_name(peer), why);
    }
    if (c->peers[peer] == ch)
        c->peers[peer] = NULL;
    chan_free(ch);
    if (c->ops->on_peer_dead != NULL)
        c->ops->on_peer_dead(c, peer, c->arg);
}

static int child_peer_msg(struct chan *ch, const struct chan_msg *m, void *arg)
{
    struct child *c = arg;
    return c->ops->on_msg(c, chan_peer(ch), m, c->arg);
}

static const struct chan_ops child_peer_ops = { child_peer_msg, child_peer_dead };

static void child_peer_up(struct child *c, enum role peer, int fd)
{
    chan_free(c->peers[peer]);
    c->peers[peer] = chan_new(c->ev, fd, c->role, peer, &child_peer_ops, c);
    chan_set_generation(c->peers[peer], child_generation(c));
    if (c->ops->on_peer != NULL)
        c->ops->on_peer(c, c->peers[peer], peer, c->arg);
}

static int child_on_peer(struct child *c, const struct chan_msg *m)
{
    enum role peer = (enum role)m->body->peer.role;
    if (m->nfds != 1 || peer == c->role)
        return -1;
    int fd = m->fds[0];
    m->fds[0] = -1;
    if (c->started) {
        child_peer_up(c, peer, fd);
        return 0;
    }
    if (c->early[peer] >= 0)
        close(c->early[peer]);
    c->early[peer] = fd;
    return 0;
}

/* ---- the parent's orders
 * -------------------------------------------------------------------------------------------- */

static void child_set_generation(struct child *c)
{
    chan_set_generation(c->parent, child_generation(c));
    for (int r = 0; r < ROLE_MAX; r++)
        chan_set_generation(c->peers[r], child_generation(c));
}

static void child_beat(void *arg)
{
    struct child *c = arg;
    uint64_t now = ev_now(c->ev);
    if (c->pulse != NULL)
        pulse_beat(c->pulse, now);
    deadman_beat(&c->deadman, now);
    uint64_t due = deadman_due(&c->deadman);
    if (due == TIME_NEVER)
        ev_timer_stop(c->ev, &c->winder);
    else if (!ev_timer_armed(&c->winder) || c->winder.deadline != due)
        ev_timer_at(c->ev, &c->winder, due);
    /* last: what the winder was due for before is nothing to be late for */
    struct msg_late late = { .us = procset_turn(&c->proc, now, ev_next_deadline(c->ev)) };
    if (late.us != 0 && chan_alive(c->parent))
        chan_send(c->parent, MSG_late, &late, NULL, 0);
}

/* The turn is what it is for: its end winds up the dead man's switch. */
static void child_on_winder(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    (void)arg;
}

static int child_on_start(struct child *c, const struct chan_msg *m)
{
    const struct msg_start *s = &m->body->start;
    unsigned int n = 1;
    struct err e = { 0 };
    if (c->started || m->nfds != 1u + s->has_snapshot + s->has_pulse + s->has_deadman + s->has_former)
        return -1;
    struct slice *slice = slice_open(m->fds[0], c->role, &e);
    if (slice == NULL || slice_generation(slice) != s->generation)
        fatal("the configuration slice cannot be used: %s", slice == NULL ? e.text : "generation differs");
    child_slice_set(c, slice, s->generation, child_slice_keep(c, m->fds[0]));
    if (s->has_snapshot)
        child_snapshot_load(c, m->fds[n++]);
    if (s->has_pulse && (c->pulse = pulse_map(m->fds[n++], true)) == NULL)
        fatal("the pulse page cannot be mapped: %s", strerror(errno));
    if (s->has_deadman)
        c->deadman.fd = fcntl(m->fds[n++], F_DUPFD_CLOEXEC, 0);
    if (s->has_former && (c->former = slice_open(m->fds[n], c->role, &e)) == NULL)
        fatal("the former configuration slice cannot be used: %s", e.text);
    c->restarted = s->restart != 0;
    c->keep_addresses = s->keep_addresses != 0;
    c->keep_ipvs = s->keep_ipvs != 0;
    c->watch_addresses = s->watch_addresses != 0;
    log_set_level((enum log_level)s->log_level);
    ev_timer_stop(c->ev, &c->start_wait);
    child_set_generation(c);
    procset_load(&c->proc, c->slice);
    if (c->ops->on_start(c, c->slice, c->arg) < 0)
        fatal("start refused");
    ev_hook_add(c->ev, child_beat,
                c); /* after the role's own hooks: a turn ends when its adverts have left */
    c->started = true;
    slice_free(c->former);
    c->former = NULL;
    free(c->snap);
    c->snap = NULL;
    c->snap_len = 0;
    struct msg_started started = { .generation = s->generation };
    chan_send(c->parent, MSG_started, &started, NULL, 0);
    for (int r = 0; r < ROLE_MAX; r++) {
        if (c->early[r] >= 0)
            child_peer_up(c, (enum role)r, c->early[r]);
        c->early[r] = -1;
    }
    return 0;
}

static int child_on_prepare(struct child *c, const struct chan_msg *m)
{
    uint32_t gen = m->body->prepare.generation;
    struct err e = { 0 };
    if (!c->started || m->nfds != 1u + m->body->prepare.plan || c->next != NULL)
        return -1;
    struct slice *next = slice_open(m->fds[0], c->role, &e);
    if (next != NULL && slice_generation(next) == gen && c->ops->on_prepare(c, next, &e, c->arg) == 0) {
        c->next = next;
        c->next_fd = child_slice_keep(c, m->fds[0]);
        c->next_generation = gen;
        if (m->body->prepare.plan && c->ops->on_plan != NULL)
            c->ops->on_plan(c, next, m->fds[1], c->arg);
        struct msg_prepared ok = { .generation = gen };
        return chan_send(c->parent, MSG_prepared, &ok, NULL, 0);
    }
    slice_free(next);
    struct msg_reject no = { .generation = gen };
    snprintf(no.reason, sizeof no.reason, "%.239s", e.text[0] != '\0' ? e.text : "generation differs");
    return chan_send(c->parent, MSG_reject, &no, NULL, 0);
}

static int child_on_commit(struct child *c, uint32_t gen)
{
    if (c->next == NULL || gen != c->next_generation)
        return -1;
    child_slice(c);
    struct slice *old = c->slice;
    child_slice_set(c, c->next, c->next_generation, c->next_fd);
    c->next = NULL;
    report_void(c->reports);
    child_set_generation(c);
    c->ops->on_commit(c, old, c->slice, c->arg);
    slice_free(old);
    procset_load(&c->proc, c->slice);
    struct msg_committed done = { .generation = gen };
    return chan_send(c->parent, MSG_committed, &done, NULL, 0);
}

static int child_on_abort(struct child *c)
{
    if (c->next == NULL)
        return 0; /* we rejected it ourselves */
    c->ops->on_abort(c, c->arg);
    slice_free(c->next);
    c->next = NULL;
    if (c->next_fd >= 0)
        close(c->next_fd);
    return 0;
}

static int child_on_dump(struct child *c, const struct chan_msg *m)
{
    if (!c->started || m->nfds != 1)
        return -1;
    if (c->ops->on_dump != NULL)
        c->ops->on_dump(c, (enum dump_what)m->body->dump.what, m->fds[0], c->arg);
    struct msg_dumped done = { .what = m->body->dump.what };
    return chan_send(c->parent, MSG_dumped, &done, NULL, 0);
}

static bool child_report(enum report_what what, uint32_t obj, size_t *cursor, FILE *f, void *arg)
{
    struct child *c = arg;
    switch (what) {
    case REPORT_WHAT_CONFIG: return report_slice(child_slice(c), obj, cursor, f);
    case REPORT_WHAT_STATE: return c->ops->on_report != NULL && c->ops->on_report(c, obj, cursor, f, c->arg);
    case REPORT_WHAT_IPVS: return c->ops->on_ipvs != NULL && c->ops->on_ipvs(c, cursor, f, c->arg);
    case REPORT_WHAT_METRICS: return c->ops->on_metrics != NULL && c->ops->on_metrics(c, cursor, f, c->arg);
    }
    return false;
}

static int child_on_report(struct child *c, const struct chan_msg *m)
{
    if (!c->started)
        return -1;
    if (c->reports == NULL)
        c->reports = report_new(c->ev, child_report, c);
    return report_begin(c->reports, c->parent, m);
}

static void child_stop(struct child *c, enum stop_why why)
{
    if (c->stopping)
        return;
    c->stopping = true;
    report_free(c->reports); /* nobody is told about what is being taken apart */
    c->reports = NULL;
    if (c->started)
        c->ops->on_stop(c, why, c->arg);
    else
        child_stopped(c);
}

static int child_order(struct child *c, struct chan *ch, const struct chan_msg *m)
{
    switch (m->type) {
    case MSG_start: return child_on_start(c, m);
    case MSG_peer: return child_on_peer(c, m);
    case MSG_prepare: return child_on_prepare(c, m);
    case MSG_commit: return child_on_commit(c, m->body->commit.generation);
    case MSG_abort: return child_on_abort(c);
    case MSG_ping: {
        struct msg_pong pong = { .nonce = m->body->ping.nonce };
        return chan_send(ch, MSG_pong, &pong, NULL, 0);
    }
    case MSG_stop: child_stop(c, (enum stop_why)m->body->stop.why); return 0;
    case MSG_dump: return child_on_dump(c, m);
    case MSG_report: return c->stopping ? 0 : child_on_report(c, m);
    default: return c->started ? c->ops->on_msg(c, ROLE_PARENT, m, c->arg) : -1;
    }
}

/* What the parent asks is answered at once; news (log, events, snapshots) may linger. */
static int child_parent_msg(struct chan *ch, const struct chan_msg *m, void *arg)
{
    struct child *c = arg;
    int rc = child_order(c, ch, m);
    if (rc == 0 && c->parent == ch)
        chan_flush(ch);
    return rc;
}

static void child_parent_dead(struct chan *ch, enum chan_end how, const char *why, void *arg)
{
    struct child *c = arg;
    (void)how;
    c->parent = NULL;
    log_sink(NULL, NULL);
    chan_free(ch);
    if (!c->stopping)
        log_err("the parent is gone (%s): winding down alone", why);
    child_stop(c, STOP_WHY_PARENT_GONE);
}

static const struct chan_ops child_parent_ops = { child_parent_msg, child_parent_dead };

void child_stopped(struct child *c)
{
    struct msg_stopped m = { .why = STOP_WHY_SHUTDOWN };
    for (int r = 0; r < ROLE_MAX; r++)
        if (c->peers[r] != NULL)
            chan_flush_wait(c->peers[r], CHILD_LAST_WORDS_MS);
    if (chan_alive(c->parent)) {
        chan_send(c->parent, MSG_stopped, &m, NULL, 0);
        chan_flush_wait(c->parent, CHILD_LAST_WORDS_MS);
    }
    ev_stop(c->ev, 0);
}

/* ---- main
 * -----------------------------------------------------------------------------------------------------------
 */

/* What a terminal or a bored operator sends to the group belongs to the parent; SIGTERM to a child alone is a
 * crash. */
static void child_signals(void)
{
    static const int ignored[] = { SIGHUP, SIGINT, SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ };
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_no_start(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    (void)arg;
    fatal("no start from the parent within %d s", CHILD_START_WAIT_S);
}

int child_netns(void)
{
    /* everything else the parent holds is closed by exec: what lies there was put there */
    return ioctl(ROLE_NETNS_FD, NS_GET_NSTYPE) == CLONE_NEWNET ? ROLE_NETNS_FD : -1;
}

int child_run(enum role r, const struct child_ops *ops, int (*pre_jail)(void *arg), void *arg)
{
    int keep[CHILD_KEEP] = { ROLE_PARENT_FD };
    size_t nkeep = 1;
    struct child *c = xcalloc(1, sizeof *c);
    struct msg_ready ready = { 0 };
    c->role = r;
    c->deadman.fd = c->slice_fd = c->next_fd = -1;
    c->ops = ops;
    c->arg = arg;
    for (int i = 0; i < ROLE_MAX; i++)
        c->early[i] = -1;
    log_init(r, LOG_LEVEL_INFO);
    procset_init(&c->proc, r);
    child_signals();
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0); /* adverts leave on their deadline, not 50 us later */
    if (r == ROLE_CHECKD && child_netns() >= 0 && setns(ROLE_NETNS_FD, CLONE_NEWNET) < 0) {
        log_err("net_namespace_ipvs cannot be entered: %s", strerror(errno));
        return 1;
    }
    if (pre_jail != NULL && pre_jail(arg) < 0)
        return 1;
    if (ops->keep_fds != NULL)
        nkeep += ops->keep_fds(keep + 1, CHILD_KEEP - 1, arg);
    jail_enter(r, &(struct jail_opts){ .keep_fds = keep, .nkeep = nkeep }, &ready);
    c->ev = ev_new(NULL);
    c->parent = chan_new(c->ev, ROLE_PARENT_FD, r, ROLE_PARENT, &child_parent_ops, c);
    chan_linger(c->parent, CHILD_LINGER_NS);
    log_sink(child_log, c);
    log_last_words_hook(child_last_words, c);
    chan_send(c->parent, MSG_ready, &ready, NULL, 0);
    chan_flush(c->parent);
    ev_timer_init(&c->rest, child_on_rest, c);
    ev_timer_init(&c->winder, child_on_winder, c);
    ev_timer_init(&c->start_wait, child_no_start, c);
    ev_timer_in(c->ev, &c->start_wait, CHILD_START_WAIT_S * NS_PER_SEC);
    return ev_run(c->ev);
}
