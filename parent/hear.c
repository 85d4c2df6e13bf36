/*
 * hear.c - what a room says to the parent, one handler a message; see supervise.h. The words come from a
 * process that may be taken over: state is changed only where the message fits the room's state, contents are
 * stored unread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/jail.h"
#include "common/log.h"
#include "parent/control.h"
#include "parent/dump.h"
#include "parent/lifecycle.h"
#include "parent/logsink.h"
#include "parent/notify.h"
#include "parent/operator.h"
#include "parent/parent.h"
#include "parent/reload.h"
#include "parent/room.h"
#include "parent/runner_check.h"

#define HEAR_LOG_WINDOW      NS_PER_SEC
#define HEAR_LOG_LINES       1000 /* a window; more is noise, or an attack on the disk */
#define HEAR_ACCUSATIONS_MAX 3

static int hear_ready(struct room *m, const struct chan_msg *msg)
{
    char why[200];
    if (m->state != ROOM_SPAWNED)
        return -1;
    m->report = msg->body->ready;
    if (jail_verify(m->role, &m->report, why, sizeof why) < 0) {
        log_err("the jail of %s is not what the table demands: %s", role_name(m->role), why);
        supervise_kill(m, "its jail does not match the table");
        return 0;
    }
    m->state = ROOM_READY;
    ev_timer_stop(m->p->ev, &m->limit);
    supervise_begin(m->p);
    return 0;
}

static int hear_started(struct room *m, const struct chan_msg *msg)
{
    if (m->state == ROOM_STOPPING)
        return 0; /* said while our stop was on its way */
    if (m->state != ROOM_TOLD || msg->body->started.generation != m->p->cur->generation)
        return -1;
    room_started(m);
    lifecycle_on_started(m->p, m->role);
    return 0;
}

static int hear_stopped(struct room *m)
{
    if (m->state != ROOM_STOPPING)
        return -1;
    m->said_stopped = true;
    lifecycle_on_stopped(m->p, m->role);
    return 0;
}

static int hear_snapshot(struct room *m, const struct chan_msg *msg)
{
    const struct msg_snapshot *s = &msg->body->snapshot;
    if (snapshots_put(m->snaps, msg->generation, s->key, s->data, s->data_len) < 0)
        log_debug("%s keeps more snapshots than there is room for", role_name(m->role));
    return 0;
}

static int hear_log(struct room *m, const struct chan_msg *msg)
{
    uint64_t now = ev_now(m->p->ev);
    if (now - m->log_window_ns >= HEAR_LOG_WINDOW) {
        if (m->log_dropped > 0)
            log_warn("%u lines of %s were not logged: more than %d a second", m->log_dropped,
                     role_name(m->role), HEAR_LOG_LINES);
        m->log_window_ns = now;
        m->log_lines = m->log_dropped = 0;
    }
    if (++m->log_lines > HEAR_LOG_LINES) {
        m->log_dropped++;
        return 0;
    }
    enum log_level level = (enum log_level)msg->body->log.level;
    if (level < LOG_LEVEL_DEBUG || m->p->opt.detail > 0)
        logsink_line(m->p->log, m->role, level, msg->body->log.text);
    return 0;
}

/* The accuser has closed its end already; both need a new channel, so the accused is replaced. Who accuses
 * again and again is the likelier culprit. */
static int hear_accuse(struct room *m, const struct chan_msg *msg)
{
    const struct msg_accuse *a = &msg->body->accuse;
    struct room *accused = &m->p->room[a->role];
    char why[240];
    if (accused == m || accused->pid == 0)
        return 0;
    if (++m->accusations > HEAR_ACCUSATIONS_MAX) {
        m->accusations = 0;
        snprintf(why, sizeof why, "it accuses %s again and again (%s)", role_name(accused->role), a->reason);
        supervise_kill(m, why);
        return 0;
    }
    snprintf(why, sizeof why, "%s says: %s", role_name(m->role), a->reason);
    supervise_kill(accused, why);
    return 0;
}

/* What names objects: in the configuration the sender speaks of. One that is gone for good is nobody's news.
 */
static int hear_objects(struct room *m, const struct chan_msg *msg)
{
    struct parent *p = m->p;
    struct config *c = reload_config_of(p->reload, msg->generation);
    if (c == NULL)
        return 0;
    switch (msg->type) {
    case MSG_inst_event:
        lifecycle_on_inst_event(p, c, &msg->body->inst_event);
        if (c != p->cur) /* vrrpd has not come to its commit yet */
            config_carry_news(p->cur, c, msg->body->inst_event.inst);
        return 0;
    case MSG_inst_held: operator_on_held(p->operator, c, &msg->body->inst_held); return 0;
    case MSG_rs_event: notify_rs_event(p, c, &msg->body->rs_event); return 0;
    case MSG_vs_event: notify_vs_event(p, c, &msg->body->vs_event); return 0;
    case MSG_run:
        if (p->phase == PARENT_PHASE_STOPPING)
            return 0;
        return checks_run(p->checks, m->role, c, &msg->body->run);
    case MSG_run_cancel: return checks_cancel(p->checks, m->role, c, &msg->body->run_cancel);
    default: return -1;
    }
}

static int hear_msg(struct chan *c, const struct chan_msg *msg, void *arg)
{
    struct room *m = arg;
    struct parent *p = m->p;
    (void)c;
    m->heard = true;
    if (m->dropped)
        return 0; /* the words of one who is dying already */
    switch (msg->type) {
    case MSG_ready: return hear_ready(m, msg);
    case MSG_log: return hear_log(m, msg);
    case MSG_pong: return 0;
    case MSG_started: return hear_started(m, msg);
    case MSG_stopped: return hear_stopped(m);
    default: break;
    }
    if (!m->told_start)
        return -1; /* a child that was told nothing has nothing else to say */
    switch (msg->type) {
    case MSG_prepared: return reload_on_prepared(p->reload, m->role, msg->body->prepared.generation);
    case MSG_reject:
        return reload_on_reject(p->reload, m->role, msg->body->reject.generation, msg->body->reject.reason);
    case MSG_committed: return reload_on_committed(p->reload, m->role, msg->body->committed.generation);
    case MSG_dumped: return dump_on_dumped(p->dumps, m->role, (enum dump_what)msg->body->dumped.what);
    case MSG_reported: control_on_reported(p->control, m->role, &msg->body->reported); return 0;
    case MSG_snapshot: return hear_snapshot(m, msg);
    case MSG_snapshot_gone:
        snapshots_remove(m->snaps, msg->generation, msg->body->snapshot_gone.key);
        return 0;
    case MSG_accuse: return hear_accuse(m, msg);
    case MSG_late: prio_late(m, msg->body->late.us); return 0;
    case MSG_inst_ordered: return operator_on_ordered(p->operator, & msg->body->inst_ordered);
    case MSG_inst_event:
    case MSG_inst_held:
    case MSG_rs_event:
    case MSG_vs_event:
    case MSG_run:
    case MSG_run_cancel: return hear_objects(m, msg);
    default: return -1;
    }
}

static void hear_dead(struct chan *c, enum chan_end how, const char *why, void *arg)
{
    (void)c;
    room_channel_dead(arg, how, why);
}

const struct chan_ops *room_chan_ops(void)
{
    static const struct chan_ops ops = { hear_msg, hear_dead };
    return &ops;
}

/* ---- stderr: last words, sanitizers, libraries
 * ------------------------------------------------------------------ */

static void hear_stderr_line(struct room *m)
{
    m->errline[m->errlen] = '\0';
    for (size_t i = 0; i < m->errlen; i++)
        if ((unsigned char)m->errline[i] < 0x20 || m->errline[i] == 0x7f)
            m->errline[i] = ' ';
    if (m->errlen > 0)
        logsink_line(m->p->log, m->role, LOG_LEVEL_ERR, m->errline);
    m->errlen = 0;
}

/* Reads a bounded share. False: nothing more now. */
static bool hear_stderr_read(struct room *m)
{
    char buf[1024];
    ssize_t n = read(m->errfd, buf, sizeof buf);
    for (ssize_t i = 0; i < n; i++) {
        if (buf[i] == '\n' || m->errlen == sizeof m->errline - 1)
            hear_stderr_line(m);
        if (buf[i] != '\n')
            m->errline[m->errlen++] = buf[i];
    }
    if (n == 0 && m->errio != NULL) {
        ev_io_del(m->p->ev, m->errio);
        m->errio = NULL;
    }
    return n > 0;
}

void room_on_stderr(struct ev_io *w, unsigned int got, void *arg)
{
    (void)w;
    (void)got;
    hear_stderr_read(arg);
}

void room_stderr_drain(struct room *m)
{
    for (int budget = 64; budget > 0 && hear_stderr_read(m);)
        budget--;
    if (m->errlen > 0)
        hear_stderr_line(m);
}
