/*
 * mourn.c - life signs and deaths of a room; see supervise.h. A death is complete when the process is reaped
 * and its channel has been read to the end: the last snapshot and the last log line count.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/control.h"
#include "parent/dump.h"
#include "parent/lifecycle.h"
#include "parent/news.h"
#include "parent/operator.h"
#include "parent/parent.h"
#include "parent/reload.h"
#include "parent/room.h"
#include "parent/runner_check.h"
#include "parent/vital.h"

#define ROOM_EOF_LIMIT      (100 * NS_PER_MS) /* a dead process' channel ends by itself; if not, we end it */
#define ROOM_AFTER_HANDOVER (5 * NS_PER_SEC)  /* the new master shall settle first */
#define ROOM_RETRY          (100 * NS_PER_MS)

/* ---- life signs
 * ------------------------------------------------------------------------------------------------ */

void room_started(struct room *m)
{
    m->state = ROOM_STARTED;
    m->started_ns = clock_monotonic_ns();
    m->ever_started = true;
    news_process(m->p, m->role, "started", m->restarts > 0 ? "in place of the one before" : NULL);
    ev_timer_stop(m->p->ev, &m->limit);
    vital_begin(m);
}

/* ---- deaths
 * ---------------------------------------------------------------------------------------------------- */

void room_bury(struct room *m)
{
    struct ev *ev = m->p->ev;
    if (m->pidio != NULL)
        ev_io_del(ev, m->pidio);
    if (m->errio != NULL)
        ev_io_del(ev, m->errio);
    m->pidio = m->errio = NULL;
    if (m->pidfd >= 0)
        close(m->pidfd);
    if (m->errfd >= 0)
        close(m->errfd);
    m->pidfd = m->errfd = -1;
    chan_free(m->ch);
    m->ch = NULL;
    vital_end(m);
    m->pid = 0;
    ev_timer_stop(ev, &m->limit);
    for (int r = 0; r < ROLE_MAX; r++)
        m->p->room[r].linked[m->role] = m->linked[r] = false;
}

static void room_again(struct room *m)
{
    m->state = ROOM_OFF;
    m->restarts++;
    if (supervise_spawn(m->p, m->role) == 0) {
        lifecycle_on_spawned(m->p, m->role);
        return;
    }
    log_err("%s cannot be started: %s; trying again", role_binary(m->role), strerror(errno));
    m->state = ROOM_DELAYED;
    ev_timer_in(m->p->ev, &m->delay, ROOM_RETRY);
}

static void room_on_delay(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    room_again(arg);
}

static void room_handover(struct room *m)
{
    struct parent *p = m->p;
    log_err("%s does not live: %d deaths within 30 s", role_name(m->role), BACKOFF_LOOP_DEATHS);
    if (m->role != ROLE_VRRPD)
        return; /* addresses and adverts go on without it; we keep trying */
    struct room *ipvsd = &p->room[ROLE_IPVSD];
    struct msg_handover h = { .role = (uint8_t)m->role };
    if (chan_alive(ipvsd->ch)) {
        log_err("mastership is handed over: priority 0 for every master, addresses withdrawn; see the lines "
                "above for the cause");
        chan_send(ipvsd->ch, MSG_handover, &h, NULL, 0);
    }
    snapshots_clear(m->snaps); /* the next one begins as BACKUP */
}

static void room_respawn(struct room *m)
{
    uint64_t now = clock_monotonic_ns();
    if (m->planned) {
        room_again(m);
        return;
    }
    uint64_t lived = m->started_ns != 0 ? now - m->started_ns : 0;
    struct backoff_verdict v = backoff_death(&m->backoff, now, lived, !m->outside);
    if (v.crash_loop) {
        room_handover(m);
        if (m->role == ROLE_VRRPD)
            v.delay_ns = ROOM_AFTER_HANDOVER;
    }
    if (v.delay_ns == 0) {
        room_again(m);
        return;
    }
    log_notice("%s is started again in %llu ms", role_name(m->role),
               (unsigned long long)(v.delay_ns / NS_PER_MS));
    m->state = ROOM_DELAYED;
    ev_timer_in(m->p->ev, &m->delay, v.delay_ns);
}

static void room_cause(const struct room *m, const siginfo_t *si, char *buf, size_t size)
{
    if (m->why[0] != '\0')
        snprintf(buf, size, "was killed: %s", m->why);
    else if (m->planned)
        snprintf(buf, size, "was replaced on request");
    else if (si->si_code == CLD_EXITED)
        snprintf(buf, size, "ended with status %d", si->si_status);
    else
        snprintf(buf, size, "died of signal %d (%s)", si->si_status, strsignal(si->si_status));
}

static void room_obituary(const struct room *m, const siginfo_t *si)
{
    bool wanted = m->wanted && !m->planned && !m->dropped && m->p->phase != PARENT_PHASE_STOPPING;
    enum log_level level = wanted ? LOG_LEVEL_ERR : LOG_LEVEL_DEBUG;
    const char *name = role_name(m->role);
    char cause[200];
    room_cause(m, si, cause, sizeof cause);
    news_process(m->p, m->role, wanted ? "died" : "ended", cause);
    const char *next = wanted && m->ever_started && !m->p->opt.no_respawn
                           ? "; it is started again, addresses and connections stay"
                           : "";
    log_emit(level, "%s (pid %d) %s%s", name, (int)m->pid, cause, next);
}

static void room_after_death(struct room *m, const siginfo_t *si)
{
    struct parent *p = m->p;
    bool first = !m->ever_started && p->phase == PARENT_PHASE_STARTING;
    m->state = ROOM_OFF;
    control_on_death(p->control, m->role);
    operator_on_death(p->operator, m->role);
    checks_drop(p->checks, m->role); /* its successor asks again */
    if (m->dropped || !m->wanted || p->phase == PARENT_PHASE_STOPPING) {
        lifecycle_on_gone(p, m->role);
        return;
    }
    if (first) {
        log_err("%s could not begin its work; the lines above say why", role_name(m->role));
        lifecycle_end(p, si->si_code == CLD_EXITED && si->si_status != 0 ? si->si_status : 1);
        return;
    }
    dump_on_death(p->dumps, m->role);
    if (p->opt.no_respawn && !m->planned) {
        lifecycle_end(p, 1);
        return;
    }
    room_respawn(m);
    reload_on_death(p->reload, m->role); /* behind the respawn: it may look for rooms that are off */
}

static void room_reap(struct room *m)
{
    siginfo_t si = { 0 };
    if (waitid(P_PID, (id_t)m->pid, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
        return;
    bool ordered = si.si_status == SIGKILL || si.si_status == SIGTERM;
    if (si.si_code != CLD_EXITED && ordered && m->why[0] == '\0')
        m->outside = true; /* an administrator or the kernel, short of memory */
    room_stderr_drain(m);
    room_obituary(m, &si);
    prio_gone(m, si.si_code == CLD_EXITED ? 0 : si.si_status);
    room_bury(m);
    room_after_death(m, &si);
}

void room_on_pidfd(struct ev_io *w, unsigned int got, void *arg)
{
    struct room *m = arg;
    (void)got;
    if (m->ch == NULL) {
        room_reap(m);
        return;
    }
    ev_io_del(m->p->ev, w);
    m->pidio = NULL;
    ev_timer_in(m->p->ev, &m->limit, ROOM_EOF_LIMIT);
}

void room_channel_dead(struct room *m, enum chan_end how, const char *why)
{
    bool dead = m->pidio == NULL;
    chan_free(m->ch);
    m->ch = NULL;
    ev_timer_stop(m->p->ev, &m->ping);
    if (dead) {
        room_reap(m);
        return;
    }
    if (how != CHAN_END_EOF) {
        log_err("%s broke the protocol (%s)", role_name(m->role), why);
        supervise_kill(m, why);
    } else if (m->state != ROOM_STOPPING) {
        /* It is dying (the usual case: the descriptor closes before the process is a zombie) or has lost its
         * mind. */
        ev_timer_in(m->p->ev, &m->limit, ROOM_EOF_LIMIT);
    }
}

static void room_on_limit(struct ev_timer *t, uint64_t now, void *arg)
{
    struct room *m = arg;
    (void)t;
    (void)now;
    if (m->pidio == NULL && m->pid != 0) { /* dead, but somebody else holds its channel open */
        chan_free(m->ch);
        m->ch = NULL;
        room_reap(m);
        return;
    }
    char why[80];
    snprintf(why, sizeof why, "%s (state %s)", m->ch == NULL ? "it closed its channel" : "it took too long",
             room_state_name(m->state));
    supervise_kill(m, why);
}

void room_timers_init(struct room *m)
{
    ev_timer_init(&m->delay, room_on_delay, m);
    ev_timer_init(&m->limit, room_on_limit, m);
    vital_init(m);
}
