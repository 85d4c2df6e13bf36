/* runner.c - see runner.h. */
#include "parent/runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/script_exec.h"

#define RUNNER_KILL_AFTER (2 * NS_PER_SEC)

struct runner {
    struct ev *ev;
    struct script_exec *exec; /* made when first needed */
    mode_t umask;
    struct run *head; /* all that run */
    size_t dying;
    uint64_t started;
};

struct run {
    struct runner *r;
    struct run *next, **link;
    struct script *script;
    struct scripts *all; /* our reference */
    pid_t pid;
    int pidfd;
    struct ev_io *io;
    struct ev_timer timer;
    runner_done_fn *done;
    void *arg;
    uint64_t limit_ns;
    bool timed_out, dying;
};

struct runner *runner_new(struct ev *ev, mode_t umask)
{
    struct runner *r = xcalloc(1, sizeof *r);
    r->ev = ev;
    r->umask = umask;
    return r;
}

void runner_umask(struct runner *r, mode_t mask)
{
    r->umask = mask;
}

static void run_free(struct run *x)
{
    *x->link = x->next;
    if (x->next != NULL)
        x->next->link = x->link;
    ev_io_del(x->r->ev, x->io);
    ev_timer_stop(x->r->ev, &x->timer);
    close(x->pidfd);
    x->r->dying -= x->dying;
    scripts_unref(x->all);
    free(x);
}

void runner_free(struct runner *r)
{
    if (r == NULL)
        return;
    while (r->head != NULL)
        run_free(r->head);
    script_exec_free(r->exec);
    free(r);
}

/* The leader is not reaped yet, so the number can be nobody else's. */
static void run_signal(const struct run *x, int sig)
{
    if (kill(-x->pid, sig) < 0 && errno != ESRCH)
        log_err("%s: signal %d to process group %d: %s", x->script->label, sig, (int)x->pid, strerror(errno));
}

static void run_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct run *x = arg;
    (void)now;
    if (x->dying) {
        run_signal(x, SIGKILL);
        return;
    }
    x->timed_out = true;
    log_info("%s (pid %d) still runs after %.3f s: it gets SIGTERM, %u s later SIGKILL", x->script->label,
             (int)x->pid, (double)x->limit_ns / (double)NS_PER_SEC,
             (unsigned int)(RUNNER_KILL_AFTER / NS_PER_SEC));
    runner_terminate(x);
    (void)t;
}

static void run_on_death(struct ev_io *w, unsigned int got, void *arg)
{
    struct run *x = arg;
    siginfo_t si = { 0 };
    (void)w;
    (void)got;
    if (waitid(P_PID, (id_t)x->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0)
        return;
    if (x->dying)
        run_signal(x, SIGKILL); /* its leader is gone; what it started and did not listen goes as well */
    waitid(P_PID, (id_t)x->pid, &si, WEXITED);
    struct runner_end e = { .value = (unsigned int)si.si_status };
    e.how = x->timed_out ? RUN_END_TIMEOUT : si.si_code == CLD_EXITED ? RUN_END_EXIT : RUN_END_SIGNAL;
    runner_done_fn *done = x->done;
    void *done_arg = x->arg;
    struct scripts *all = scripts_ref(x->all); /* whoever is told may still name the script */
    run_free(x);
    if (done != NULL)
        done(done_arg, &e);
    scripts_unref(all);
}

/* ---- start */

static void run_complain(struct script *s, enum log_level level, const char *text)
{
    if (strcmp(s->said, text) == 0)
        return;
    snprintf(s->said, sizeof s->said, "%s", text);
    log_emit(level, "%s: %s", s->label, text);
}

static struct run *run_refused(struct script *s, const struct script_failure *f, struct runner_end *e)
{
    char text[sizeof s->said];
    script_failure_text(f, s, text, sizeof text);
    run_complain(s, LOG_LEVEL_ERR, text);
    e->how = RUN_END_NOT_RUN;
    e->value = (unsigned int)f->error;
    snprintf(e->why, sizeof e->why, "%s", text);
    return NULL;
}

static void run_praise(struct script *s, const struct script_started *st)
{
    char text[sizeof s->said];
    if (st->unsafe)
        snprintf(
            text, sizeof text,
            "others than root and its user can change %.100s, and with it what runs; chown and chmod go-w it",
            st->weak);
    else if (st->shell)
        snprintf(text, sizeof text, "%.120s has no #! line; /bin/sh runs it", s->argv[0]);
    else if (s->said[0] != '\0')
        snprintf(text, sizeof text, "runs again");
    else
        return;
    run_complain(s, st->unsafe ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, text);
    if (!st->unsafe && !st->shell)
        s->said[0] = '\0';
}

static struct run *run_new(struct runner *r, const struct runner_job *job, const struct script_started *st)
{
    struct run *x = xcalloc(1, sizeof *x);
    x->r = r;
    x->script = job->script;
    x->all = scripts_ref(job->script->all);
    x->pid = st->pid;
    x->pidfd = st->pidfd;
    x->done = job->done;
    x->arg = job->arg;
    x->limit_ns = job->limit_ns;
    x->next = r->head;
    x->link = &r->head;
    if (x->next != NULL)
        x->next->link = &x->next;
    r->head = x;
    x->io = ev_io_add(r->ev, x->pidfd, EV_READ, run_on_death, x);
    ev_timer_init(&x->timer, run_on_timer, x);
    if (x->limit_ns > 0)
        ev_timer_in(r->ev, &x->timer, x->limit_ns);
    return x;
}

struct run *runner_start(struct runner *r, const struct runner_job *job, struct runner_end *e)
{
    struct script_launch l = { .script = job->script,
                               .extra = job->extra,
                               .nextra = job->nextra,
                               .dies_with_us = job->dies_with_us,
                               .umask = r->umask };
    struct script_started st;
    struct script_failure f = { .stage = SCRIPT_STAGE_START };
    if (r->exec == NULL && (r->exec = script_exec_new()) == NULL) {
        f.error = errno;
        return run_refused(job->script, &f, e);
    }
    r->started++;
    if (script_exec_start(r->exec, &l, &st, &f) < 0)
        return run_refused(job->script, &f, e);
    run_praise(job->script, &st);
    return run_new(r, job, &st);
}

/* ---- end */

void runner_terminate(struct run *x)
{
    if (x->dying)
        return;
    x->dying = true;
    x->r->dying++;
    run_signal(x, SIGTERM);
    run_signal(x, SIGCONT); /* a stopped one hears it too */
    ev_timer_in(x->r->ev, &x->timer, RUNNER_KILL_AFTER);
}

void runner_forget(struct run *x)
{
    x->done = NULL;
}

pid_t runner_pid(const struct run *x)
{
    return x->pid;
}

size_t runner_dying(const struct runner *r)
{
    return r->dying;
}

void runner_kill_dying(struct runner *r)
{
    for (struct run *x = r->head; x != NULL; x = x->next)
        if (x->dying)
            run_signal(x, SIGKILL);
}

uint64_t runner_started(const struct runner *r)
{
    return r->started;
}
