/* prio.c - see prio.h. */
#include "parent/prio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/jail.h"
#include "common/log.h"
#include "parent/parent.h"
#include "parent/spawn.h"

#define PRIO_BINARY    "holdfast-prio"
#define PRIO_LIMIT     (10 * NS_PER_SEC)
#define PRIO_STEP      (100 * NS_PER_MS) /* between two steps up: the last one shall show what it is worth */
#define PRIO_PATIENCE  6                 /* doublings */
#define PRIO_ARGS      8
#define PRIO_CPUS_TEXT (5 * 1024)
#define PRIO_TEXT      400

struct prio_run {
    struct room *m; /* NULL: that process is gone */
    struct parent *p;
    struct prio_set set;
    pid_t pid;
    int pidfd, errfd;
    struct ev_io *io;
    struct ev_timer limit;
};

void prio_init(struct parent *p)
{
    struct rlimit l;
    (void)p;
    if (getrlimit(RLIMIT_MEMLOCK, &l) < 0 || l.rlim_max == RLIM_INFINITY)
        return;
    l.rlim_max =
        RLIM_INFINITY; /* a room asked to lock its memory raises its own; scripts keep what they had */
    if (setrlimit(RLIMIT_MEMLOCK, &l) < 0)
        log_debug("RLIMIT_MEMLOCK stays limited (%s): no_swap will not be possible", strerror(errno));
}

void prio_own(struct parent *p)
{
    const struct slice_obj *o = slice_find(p->cur->slice, BLK_PROCESS, role_name(ROLE_PARENT));
    prctl(PR_SET_NAME, o != NULL ? slice_str(o, KW_PROCESS_X_COMM, "holdfast") : "holdfast", 0, 0, 0);
}

/* ---- what shall be
 * ---------------------------------------------------------------------------------------------- */

static uint64_t prio_number(const struct room *m, enum kw kw)
{
    const struct slice_obj *o = slice_find(m->p->cur->slice, BLK_PROCESS, role_name(m->role));
    return o != NULL ? slice_uint(o, kw, 0) : 0;
}

static unsigned int prio_most(const struct room *m)
{
    return (unsigned int)prio_number(m, KW_PROCESS_X_AUTO);
}

static void prio_wanted(const struct room *m, struct prio_set *s)
{
    const struct slice_obj *o = slice_find(m->p->cur->slice, BLK_PROCESS, role_name(m->role));
    *s = (struct prio_set){ .nice = jail_nice(m->role) };
    if (o == NULL)
        return;
    s->nice = (int)slice_uint(o, KW_PROCESS_X_NICE, (uint64_t)s->nice + 20) - 20;
    s->rt = (unsigned int)slice_uint(o, KW_PROCESS_X_RT, 0);
    unsigned int most = (unsigned int)slice_uint(o, KW_PROCESS_X_AUTO, 0);
    unsigned int risen = m->prio.risen < most ? m->prio.risen : most;
    if (risen > s->rt)
        s->rt = risen;
    if (s->rt > 0)
        s->rttime_us = slice_uint(o, KW_PROCESS_X_RTTIME, 0) << m->prio.patience;
    uint64_t cpu;
    for (size_t i = 0; slice_uint_at(o, KW_PROCESS_X_CPU, i, &cpu); i++)
        if (cpu < CPU_SETSIZE)
            CPU_SET((size_t)cpu, &s->cpus);
}

static bool prio_same(const struct prio_set *a, const struct prio_set *b)
{
    return a->nice == b->nice && a->rt == b->rt && a->rttime_us == b->rttime_us &&
           CPU_EQUAL(&a->cpus, &b->cpus);
}

/* ---- the program that does it
 * ----------------------------------------------------------------------------------- */

/* "0,2,3"; what we may use ourselves when none are named. */
static void prio_cpus_text(const cpu_set_t *named, char *text, size_t size)
{
    cpu_set_t own;
    const cpu_set_t *set = named;
    size_t n = 0;
    if (CPU_COUNT(named) == 0 && sched_getaffinity(0, sizeof own, &own) == 0)
        set = &own;
    text[0] = '\0';
    for (unsigned int i = 0; i < CPU_SETSIZE && n < size; i++)
        if (CPU_ISSET(i, set))
            n += (size_t)snprintf(text + n, size - n, "%s%u", n > 0 ? "," : "", i);
}

static int prio_spawn(struct prio_run *r, int pidfd, pid_t pid, int err_fd)
{
    char path[PATH_MAX], v[5][24], cpus[PRIO_CPUS_TEXT];
    char *argv[PRIO_ARGS] = { NULL };
    snprintf(v[0], sizeof v[0], "%d", (int)pid);
    snprintf(v[1], sizeof v[1], "%s", jail_user(r->m->role));
    snprintf(v[2], sizeof v[2], "%d", r->set.nice + 20);
    snprintf(v[3], sizeof v[3], "%u", r->set.rt);
    snprintf(v[4], sizeof v[4], "%llu", (unsigned long long)r->set.rttime_us);
    prio_cpus_text(&r->set.cpus, cpus, sizeof cpus);
    if (spawn_path(path, sizeof path, r->p->libexec, PRIO_BINARY) < 0)
        return -1;
    argv[0] = path;
    for (size_t i = 0; i < 5; i++)
        argv[i + 1] = v[i];
    argv[6] = cpus;
    char **envp = spawn_env_clean();
    r->pidfd = spawn_process(path, argv, envp, pidfd, err_fd, -1, &r->pid);
    int saved = errno;
    spawn_env_free(envp);
    errno = saved;
    return r->pidfd < 0 ? -1 : 0;
}

static void prio_on_end(struct ev_io *w, unsigned int got, void *arg);

static void prio_on_limit(struct ev_timer *t, uint64_t now, void *arg)
{
    struct prio_run *r = arg;
    (void)t;
    (void)now;
    syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0); /* its death ends the run */
}

static int prio_start(struct room *m, const struct prio_set *set)
{
    int err[2];
    if (pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    struct prio_run *r = xcalloc(1, sizeof *r);
    *r = (struct prio_run){ .m = m, .p = m->p, .set = *set, .pidfd = -1, .errfd = err[0] };
    int rc = prio_spawn(r, m->pidfd, m->pid, err[1]);
    int saved = errno;
    close(err[1]);
    if (rc < 0) {
        close(err[0]);
        free(r);
        errno = saved;
        return -1;
    }
    r->io = ev_io_add(m->p->ev, r->pidfd, EV_READ, prio_on_end, r);
    ev_timer_init(&r->limit, prio_on_limit, r);
    ev_timer_at(m->p->ev, &r->limit, clock_monotonic_ns() + PRIO_LIMIT);
    m->prio.run = r;
    return 0;
}

/* ---- how it ended
 * ------------------------------------------------------------------------------------------------- */

static void prio_log(const struct room *m, const struct prio_set *s)
{
    char rt[80] = "", cpus[PRIO_CPUS_TEXT] = "";
    if (s->rt > 0)
        snprintf(rt, sizeof rt, ", SCHED_RR priority %u (limit %llu us)", s->rt,
                 (unsigned long long)s->rttime_us);
    if (CPU_COUNT(&s->cpus) > 0)
        prio_cpus_text(&s->cpus, cpus, sizeof cpus);
    log_info("%s (pid %d): nice %d%s%s%.200s", role_name(m->role), (int)m->pid, s->nice, rt,
             cpus[0] != '\0' ? ", processors " : "", cpus);
}

static void prio_complain(const struct prio_run *r, const siginfo_t *si)
{
    char text[PRIO_TEXT];
    ssize_t n = read(r->errfd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (n > 0)
        log_warn("%s is not scheduled as configured: %s", role_name(r->m->role), text);
    else
        log_warn("%s is not scheduled as configured: %s ended with %s %d", role_name(r->m->role), PRIO_BINARY,
                 si->si_code == CLD_EXITED ? "status" : "signal", si->si_status);
}

static void prio_on_end(struct ev_io *w, unsigned int got, void *arg)
{
    struct prio_run *r = arg;
    struct room *m = r->m;
    siginfo_t si = { 0 };
    (void)got;
    if (waitid(P_PID, (id_t)r->pid, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
        return;
    if (m != NULL) {
        m->prio.run = NULL;
        m->prio.has = r->set; /* also when it was refused: once is enough until something else is wanted */
        if (si.si_code == CLD_EXITED && si.si_status == 0)
            prio_log(m, &r->set);
        else
            prio_complain(r, &si);
    }
    ev_io_close(r->p->ev, w);
    ev_timer_stop(r->p->ev, &r->limit);
    close(r->errfd);
    free(r);
    if (m != NULL)
        prio_apply(m); /* something else may be wanted by now */
}

/* ---- when
 * ---------------------------------------------------------------------------------------------------------
 */

void prio_born(struct room *m)
{
    m->prio.has = (struct prio_set){ .nice = jail_nice(m->role) };
}

void prio_gone(struct room *m, int signo)
{
    if (m->prio.run != NULL)
        m->prio.run->m = NULL;
    m->prio.run = NULL;
    if (signo != SIGXCPU || m->prio.patience == PRIO_PATIENCE)
        return;
    m->prio.patience++;
    log_warn(
        "%s used more real-time processor time at once than its limit of %llu us; its successor gets %llu "
        "us: raise the rlimit_rttime of that process in global_defs",
        role_name(m->role), (unsigned long long)m->prio.has.rttime_us,
        (unsigned long long)m->prio.has.rttime_us * 2);
}

/* Another limit: what happened under the old one says nothing. */
static void prio_new_limit(struct room *m)
{
    uint64_t written = prio_number(m, KW_PROCESS_X_RTTIME);
    if (m->prio.written_us != 0 && m->prio.written_us != written)
        m->prio.patience = 0;
    m->prio.written_us = written;
}

void prio_apply(struct room *m)
{
    struct prio_set set;
    if (m->p->cur == NULL || m->state != ROOM_STARTED || m->pidfd < 0 || m->prio.run != NULL)
        return;
    prio_new_limit(m);
    prio_wanted(m, &set);
    if (prio_same(&set, &m->prio.has))
        return;
    if (prio_start(m, &set) < 0)
        log_warn("%s is not scheduled as configured: %s cannot be started: %s", role_name(m->role),
                 PRIO_BINARY, strerror(errno));
}

void prio_apply_all(struct parent *p)
{
    static const enum role rooms[] = { ROLE_VRRPD, ROLE_CHECKD, ROLE_IPVSD };
    prio_own(p);
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        struct room *m = &p->room[rooms[i]];
        unsigned int most = prio_most(m);
        if (m->prio.risen > most)
            m->prio.risen = most;
        m->prio.said_top = false;
        prio_apply(m);
    }
}

/* The word of a room, which may be taken over: it gets what the administrator allows, a step at a time. */
void prio_late(struct room *m, uint32_t us)
{
    struct prio_set now;
    double ms = us / 1e3;
    unsigned int most = prio_most(m);
    if (m->state != ROOM_STARTED || most == 0 || m->prio.run != NULL ||
        (m->prio.rose_ns != 0 && ev_now(m->p->ev) - m->prio.rose_ns < PRIO_STEP))
        return;
    prio_wanted(m, &now);
    if (now.rt >= most) {
        if (!m->prio.said_top)
            log_warn("%s: a timer ran %.3f ms late although it has real-time priority %u, as much as "
                     "max_auto_priority allows: the machine is too busy",
                     role_name(m->role), ms, now.rt);
        m->prio.said_top = true;
        return;
    }
    m->prio.risen = now.rt + 1;
    m->prio.rose_ns = ev_now(m->p->ev);
    log_notice("%s: a timer ran %.3f ms late: real-time priority %u of at most %u", role_name(m->role), ms,
               m->prio.risen, most);
    prio_apply(m);
}
