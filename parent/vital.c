/*
 * vital.c - see vital.h. A child winds up a switch (deadman.h) that wakes us when it has run down; until then
 * we sleep. vrrpd must not hang longer than its peers' patience; the others work in the kernel's or a disk's
 * time and have longer. Who seems silent is pinged before anything is done to him. Where there is no switch
 * we look now and then whether the pulse moved.
 */
#include "parent/vital.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/deadman.h"
#include "common/log.h"
#include "parent/parent.h"

#define VITAL_SLOW          NS_PER_SEC
#define VITAL_OTHERS        (2 * NS_PER_SEC)
#define VITAL_OTHERS_LIMIT  (5 * NS_PER_SEC) /* with two pings 8 s, as by the clock */
#define VITAL_FAST          (100 * NS_PER_MS)
#define VITAL_MISSED_VRRPD  1 /* pings */
#define VITAL_MISSED_OTHERS 2
#define VITAL_STARVE_MOST   (10 * NS_PER_SEC)
#define VITAL_STARVE_SAY    (10 * NS_PER_SEC)

/* A MASTER turns once an interval, a BACKUP hears one. */
static uint64_t vital_interval(const struct room *m)
{
    if (m->role != ROLE_VRRPD)
        return VITAL_OTHERS;
    uint64_t adv = config_top_ns(m->p->cur, KW_TOP_X_MIN_ADVERT_INT, VITAL_SLOW);
    return adv < VITAL_FAST ? VITAL_FAST : adv > VITAL_SLOW ? VITAL_SLOW : adv;
}

/* With the ping's time (below) two intervals: back before the peers' three are over. */
static uint64_t vital_limit(const struct room *m)
{
    if (m->role != ROLE_VRRPD)
        return VITAL_OTHERS_LIMIT;
    uint64_t i = vital_interval(m);
    return i + i / 4;
}

static uint64_t vital_ping_wait(const struct room *m)
{
    uint64_t i = vital_interval(m);
    return m->deadman >= 0 ? i - i / 4 : i;
}

/* ---- hanging or starving: what the kernel says of a silent one (proc(5): stat, schedstat) */

static ssize_t vital_read(const struct room *m, const char *what, char *buf, size_t size)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)m->pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    buf[n > 0 ? n : 0] = '\0';
    return n;
}

static void vital_look(const struct room *m, struct vital_sight *s)
{
    char buf[512];
    *s = (struct vital_sight){ .at = clock_monotonic_ns() };
    if (vital_read(m, "schedstat", buf, sizeof buf) > 0)
        s->cpu = strtoull(buf, NULL, 10);
    if (vital_read(m, "stat", buf, sizeof buf) > 0) {
        const char *paren = strrchr(buf, ')');
        s->runnable = paren != NULL && paren[1] == ' ' && paren[2] == 'R';
    }
}

/* It would run if it were let: to kill it would make it no faster, and its successor would starve as well.
 * One that has had time and did not turn spins. */
static bool vital_starves(const struct room *m)
{
    struct vital_sight now;
    vital_look(m, &now);
    return now.runnable && now.cpu - m->suspected.cpu < vital_interval(m) / 4 &&
           now.at - m->suspected.at < VITAL_STARVE_MOST;
}

static void vital_say_starves(struct room *m, uint64_t now)
{
    uint64_t suppressed = 0;
    if (log_allow(&m->said_starves, now, VITAL_STARVE_SAY, &suppressed))
        log_warn("%s (pid %d) has not been given a processor for %llu ms: the machine is overloaded; give it "
                 "priority "
                 "(vrrp_priority, vrrp_rt_priority, max_auto_priority) or less to do",
                 role_name(m->role), (int)m->pid, (unsigned long long)((now - m->suspected.at) / NS_PER_MS));
}

static void vital_ping(struct room *m)
{
    struct msg_ping ping = { .nonce = ++m->nonce };
    if (m->missed == 0)
        vital_look(m, &m->suspected);
    m->pinged = true;
    chan_send(m->ch, MSG_ping, &ping, NULL, 0);
}

static void vital_hangs(struct room *m)
{
    char why[80];
    uint64_t silent = (m->deadman >= 0 ? vital_limit(m) : vital_interval(m)) + m->missed * vital_ping_wait(m);
    snprintf(why, sizeof why, "it hangs: no sign of life for %llu ms",
             (unsigned long long)(silent / NS_PER_MS));
    supervise_kill(m, why);
}

/* Since we looked last. */
static bool vital_turned(struct room *m)
{
    uint64_t beat = pulse_last(m->pulse);
    bool turned = beat != m->pulse_seen;
    m->pulse_seen = beat;
    return turned;
}

static void vital_on_ping(struct ev_timer *t, uint64_t now, void *arg)
{
    struct room *m = arg;
    bool we_were_late =
        now - t->deadline > vital_ping_wait(m) / 2; /* a machine that slept is not a child that hangs */
    bool turned = vital_turned(m);
    if (m->heard || turned)
        m->missed = 0;
    else if (m->pinged && !we_were_late)
        m->missed++;
    if (m->missed >= (m->role == ROLE_VRRPD ? VITAL_MISSED_VRRPD : VITAL_MISSED_OTHERS)) {
        if (!vital_starves(m)) {
            vital_hangs(m);
            return;
        }
        vital_say_starves(m, now);
    }
    m->pinged = false;
    if (m->deadman >= 0 && (m->heard || turned))
        return; /* the switch wakes us again */
    m->heard = false;
    if (!turned)
        vital_ping(m);
    ev_timer_at(m->p->ev, t, now + vital_ping_wait(m));
}

static void vital_on_deadman(struct ev_io *w, unsigned int got, void *arg)
{
    struct room *m = arg;
    uint64_t times;
    (void)got;
    if (read(ev_io_fd(w), &times, sizeof times) != (ssize_t)sizeof times || m->state != ROOM_STARTED)
        return;
    if (ev_timer_armed(&m->ping))
        return;
    vital_turned(m);
    m->heard = false;
    vital_ping(m);
    ev_timer_in(m->p->ev, &m->ping, vital_ping_wait(m));
}

void vital_init(struct room *m)
{
    m->deadman = -1;
    ev_timer_init(&m->ping, vital_on_ping, m);
}

/* Without one it is pinged like any silent child. */
int vital_pulse(struct room *m)
{
    int fd = pulse_create();
    m->pulse = fd >= 0 ? pulse_map(fd, false) : NULL;
    m->pulse_seen = 0;
    if (m->pulse == NULL)
        log_warn("no pulse page for %s (%s): it is watched by pings alone", role_name(m->role),
                 strerror(errno));
    return fd;
}

int vital_deadman(struct room *m)
{
    m->deadman = deadman_create();
    int theirs = m->deadman >= 0 ? fcntl(m->deadman, F_DUPFD_CLOEXEC, 0) : -1;
    if (theirs >= 0)
        return theirs;
    log_warn("no dead man's switch for %s (%s): it is looked at by the clock", role_name(m->role),
             strerror(errno));
    if (m->deadman >= 0)
        close(m->deadman);
    m->deadman = -1;
    return -1;
}

void vital_begin(struct room *m)
{
    m->missed = 0;
    m->heard = m->pinged = false;
    if (m->deadman < 0) {
        ev_timer_in(m->p->ev, &m->ping, vital_interval(m));
        return;
    }
    m->deadman_io = ev_io_add(m->p->ev, m->deadman, EV_READ, vital_on_deadman, m);
    deadman_set(m->deadman, vital_limit(m));
}

void vital_retime(struct parent *p)
{
    for (int r = 0; r < ROLE_MAX; r++)
        if (p->room[r].deadman >= 0)
            deadman_set(p->room[r].deadman, vital_limit(&p->room[r]));
}

void vital_end(struct room *m)
{
    ev_timer_stop(m->p->ev, &m->ping);
    if (m->deadman_io != NULL)
        ev_io_del(m->p->ev, m->deadman_io);
    if (m->deadman >= 0) {
        deadman_set(m->deadman, 0);
        close(m->deadman);
    }
    m->deadman_io = NULL;
    m->deadman = -1;
    pulse_unmap(m->pulse);
    m->pulse = NULL;
}
