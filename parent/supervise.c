/*
 * supervise.c - see supervise.h: start, telling, links between rooms, stop. Death and life signs are in
 * mourn.c, what the rooms say is in hear.c.
 */
#include "parent/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "parent/logsink.h"
#include "parent/operator.h"
#include "parent/parent.h"
#include "parent/reload.h"
#include "parent/room.h"
#include "parent/spawn.h"
#include "parent/vital.h"

#define SUPERVISE_READY_LIMIT   (10 * NS_PER_SEC) /* to build a jail on a drowning machine */
#define SUPERVISE_STARTED_LIMIT (30 * NS_PER_SEC) /* to read a huge slice */
#define SUPERVISE_RESTART_LIMIT NS_PER_SEC
#define SUPERVISE_LINK_RETRY    (200 * NS_PER_MS)
#define SUPERVISE_SNAPSHOTS     15000 /* of 512 bytes at most: below what child.c takes back */

static const enum role supervise_rooms[] = { ROLE_IPVSD, ROLE_VRRPD, ROLE_CHECKD };
#define SUPERVISE_ROOMS (sizeof supervise_rooms / sizeof supervise_rooms[0])

const char *room_state_name(enum room_state s)
{
    static const char *const names[] = {
        "off", "delayed", "spawned", "ready", "told", "started", "stopping"
    };
    return names[s];
}

void supervise_free(struct parent *p)
{
    for (int r = 0; r < ROLE_MAX; r++) {
        struct room *m = &p->room[r];
        room_bury(m);
        snapshots_free(m->snaps);
        m->snaps = NULL;
    }
}

/* ---- start
 * --------------------------------------------------------------------------------------------------- */

static int room_exec(struct room *m, int chan_fd, int err_fd)
{
    char path[PATH_MAX];
    char name[32];
    snprintf(name, sizeof name, "%s", role_binary(m->role));
    char *argv[] = { name, NULL };
    if (spawn_path(path, sizeof path, m->p->libexec, name) < 0)
        return -1;
    char **envp = spawn_env_clean();
    bool elsewhere = m->p->has_netns_ipvs && (m->role == ROLE_CHECKD || m->role == ROLE_IPVSD);
    m->pidfd = spawn_process(path, argv, envp, chan_fd, err_fd, elsewhere ? m->p->netns_ipvs : -1, &m->pid);
    spawn_env_free(envp);
    return m->pidfd < 0 ? -1 : 0;
}

static void room_born(struct room *m, int chan_fd, int err_fd)
{
    struct ev *ev = m->p->ev;
    m->state = ROOM_SPAWNED;
    m->spawned_ns = clock_monotonic_ns();
    m->started_ns = 0;
    m->missed = 0;
    m->heard = m->pinged = m->said_stopped = m->outside = m->planned = m->told_start = m->dropped = false;
    m->why[0] = '\0';
    m->errlen = 0;
    memset(m->linked, 0, sizeof m->linked);
    m->pidio = ev_io_add(ev, m->pidfd, EV_READ, room_on_pidfd, m);
    m->errfd = err_fd;
    m->errio = ev_io_add(ev, err_fd, EV_READ, room_on_stderr, m);
    m->ch = chan_new(ev, chan_fd, ROLE_PARENT, m->role, room_chan_ops(), m);
    prio_born(m);
    ev_timer_at(ev, &m->limit, m->spawned_ns + SUPERVISE_READY_LIMIT);
    logsink_set_pid(m->p->log, m->role, m->pid);
}

int supervise_spawn(struct parent *p, enum role r)
{
    struct room *m = &p->room[r];
    int ch[2], err[2];
    m->wanted = true;
    if (m->pid != 0)
        fatal("%s is started twice", role_name(r));
    if (chan_pair(ch) < 0)
        return -1;
    if (pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0) {
        close(ch[0]);
        close(ch[1]);
        return -1;
    }
    int rc = room_exec(m, ch[1], err[1]);
    int saved = errno;
    close(ch[1]);
    close(err[1]);
    if (rc < 0) {
        close(ch[0]);
        close(err[0]);
        m->pid = 0;
        m->pidfd = -1;
        errno = saved;
        return -1;
    }
    room_born(m, ch[0], err[0]);
    return 0;
}

/* ---- telling
 * ------------------------------------------------------------------------------------------------- */

static bool room_linkable(const struct room *m)
{
    return (m->state == ROOM_TOLD || m->state == ROOM_STARTED) && chan_alive(m->ch);
}

/* No descriptor left, most likely: two rooms that do not hear each other are worth another try until it
 * works. */
static void room_link_again(struct parent *p)
{
    if (!ev_timer_armed(&p->link))
        ev_timer_in(p->ev, &p->link, SUPERVISE_LINK_RETRY);
}

static void room_link(struct room *a, struct room *b)
{
    int fd[2];
    if (chan_pair(fd) < 0) {
        log_err("no channel between %s and %s: %s", role_name(a->role), role_name(b->role), strerror(errno));
        room_link_again(a->p);
        return;
    }
    struct msg_peer to_a = { .role = (uint8_t)b->role }, to_b = { .role = (uint8_t)a->role };
    chan_send(a->ch, MSG_peer, &to_a, &fd[0], 1);
    chan_send(b->ch, MSG_peer, &to_b, &fd[1], 1);
    a->linked[b->role] = b->linked[a->role] = true;
}

static void room_link_all(struct parent *p, struct room *m)
{
    for (size_t i = 0; i < SUPERVISE_ROOMS; i++) {
        struct room *o = &p->room[supervise_rooms[i]];
        if (o != m && room_linkable(m) && room_linkable(o) && !m->linked[o->role])
            room_link(m, o);
    }
}

static void supervise_on_link(struct ev_timer *t, uint64_t now, void *arg)
{
    struct parent *p = arg;
    (void)t;
    (void)now;
    for (size_t i = 0; i < SUPERVISE_ROOMS; i++)
        room_link_all(p, &p->room[supervise_rooms[i]]);
}

void supervise_init(struct parent *p)
{
    ev_timer_init(&p->link, supervise_on_link, p);
    for (int r = 0; r < ROLE_MAX; r++) {
        struct room *m = &p->room[r];
        m->p = p;
        m->role = (enum role)r;
        m->pidfd = m->errfd = -1;
        m->snaps = snapshots_new(SUPERVISE_SNAPSHOTS);
        room_timers_init(m);
    }
}

static uint8_t room_log_level(const struct parent *p)
{
    return p->opt.detail > 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

/* The jail is verified and the configuration is here. */
void room_tell(struct room *m)
{
    struct parent *p = m->p;
    int fds[5];
    unsigned int n = 0;
    struct msg_start s = { .generation = p->cur->generation,
                           .restart = m->ever_started,
                           .log_level = room_log_level(p),
                           .keep_addresses = p->opt.keep_addresses,
                           .keep_ipvs = p->opt.keep_ipvs,
                           .watch_addresses = p->opt.watch_addresses };
    fds[n] = config_dup_slice(p->cur, m->role);
    if (fds[n++] < 0) {
        supervise_kill(m, "no descriptor left to hand it its configuration");
        return;
    }
    if (m->ever_started && snapshots_count(m->snaps) > 0) {
        fds[n] = snapshots_memfd(m->snaps);
        if (fds[n] >= 0) {
            s.has_snapshot = 1;
            n++;
        } else {
            log_warn("the snapshots of %s are lost: %s", role_name(m->role), strerror(errno));
        }
    }
    if ((fds[n] = vital_pulse(m)) >= 0) {
        s.has_pulse = 1;
        n++;
    }
    if ((fds[n] = vital_deadman(m)) >= 0) {
        s.has_deadman = 1;
        n++;
    }
    if (m->role == ROLE_IPVSD && m->ever_started && (fds[n] = reload_former(p->reload)) >= 0) {
        s.has_former = 1;
        n++;
    }
    chan_set_generation(m->ch, p->cur->generation);
    chan_send(m->ch, MSG_start, &s, fds, n);
    m->state = ROOM_TOLD;
    m->told_start = true;
    ev_timer_at(p->ev, &m->limit, clock_monotonic_ns() + SUPERVISE_STARTED_LIMIT);
    operator_tell(p->operator, m->role, true); /* before it meets the others */
    room_link_all(p, m);
    chan_flush(m->ch);
}

void supervise_begin(struct parent *p)
{
    for (size_t i = 0; i < SUPERVISE_ROOMS; i++) {
        struct room *m = &p->room[supervise_rooms[i]];
        if (m->state == ROOM_READY && m->wanted && p->cur != NULL && !p->first_script &&
            !reload_preparing(p->reload))
            room_tell(m);
    }
}

bool supervise_all_started(const struct parent *p)
{
    for (size_t i = 0; i < SUPERVISE_ROOMS; i++) {
        const struct room *m = &p->room[supervise_rooms[i]];
        if (m->wanted && m->state != ROOM_STARTED)
            return false;
    }
    return true;
}

bool supervise_begins(const struct parent *p, enum role r)
{
    const struct room *m = &p->room[r];
    return m->pid != 0 && (m->state == ROOM_SPAWNED || m->state == ROOM_READY || m->state == ROOM_TOLD);
}

bool supervise_at_work(const struct parent *p, enum role r)
{
    const struct room *m = &p->room[r];
    siginfo_t si = { 0 };
    if (!m->wanted)
        return true;
    bool dead =
        m->pid != 0 && waitid(P_PID, (id_t)m->pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid != 0;
    return m->state == ROOM_STARTED && !dead;
}

bool supervise_all_off(const struct parent *p)
{
    for (size_t i = 0; i < SUPERVISE_ROOMS; i++)
        if (p->room[supervise_rooms[i]].state != ROOM_OFF)
            return false;
    return true;
}

/* ---- stop
 * ---------------------------------------------------------------------------------------------------- */

void supervise_kill(struct room *m, const char *why)
{
    if (m->pid == 0)
        return;
    if (m->why[0] == '\0')
        snprintf(m->why, sizeof m->why, "%s", why);
    if (syscall(SYS_pidfd_send_signal, m->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        log_err("cannot kill %s: %s", role_name(m->role), strerror(errno));
}

void supervise_drop(struct parent *p, enum role r)
{
    struct room *m = &p->room[r];
    m->wanted = false;
    if (m->pid != 0) {
        m->dropped = true;
        m->state = ROOM_STOPPING;
        supervise_kill(m, "not needed as it was started");
    }
}

void supervise_stop(struct parent *p, enum role r, enum stop_why why, uint64_t limit_ns)
{
    struct room *m = &p->room[r];
    if (why != STOP_WHY_RESTART)
        m->wanted = false;
    if (m->state == ROOM_OFF || m->state == ROOM_STOPPING)
        return;
    if (m->state == ROOM_DELAYED) {
        ev_timer_stop(p->ev, &m->delay);
        m->state = ROOM_OFF;
        return;
    }
    if (!m->told_start || !chan_alive(m->ch)) {
        supervise_kill(m, m->told_start ? "" : "stopped before it began"); /* or it is dying already */
        return;
    }
    struct msg_stop s = { .why = (uint8_t)why };
    m->state = ROOM_STOPPING;
    ev_timer_stop(p->ev, &m->ping);
    ev_timer_in(p->ev, &m->limit, limit_ns);
    chan_send(m->ch, MSG_stop, &s, NULL, 0);
    chan_flush(m->ch);
}

int supervise_restart(struct parent *p, enum role r)
{
    struct room *m = &p->room[r];
    if (m->state != ROOM_STARTED)
        return -1;
    m->planned = true;
    log_notice("%s is restarted at the operator's wish", role_name(r));
    supervise_stop(p, r, STOP_WHY_RESTART, SUPERVISE_RESTART_LIMIT);
    return 0;
}

void supervise_on_sigchld(struct parent *p)
{
    for (size_t i = 0; i < SUPERVISE_ROOMS; i++) {
        struct room *m = &p->room[supervise_rooms[i]];
        siginfo_t si = { 0 };
        if (m->pid == 0 || waitid(P_PID, (id_t)m->pid, &si, WSTOPPED | WNOHANG) < 0 || si.si_pid == 0)
            continue;
        char why[64];
        snprintf(why, sizeof why, "somebody stopped it with signal %d", si.si_status);
        m->outside = true;
        supervise_kill(m, why);
    }
}
