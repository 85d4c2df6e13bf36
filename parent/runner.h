/*
 * runner.h - processes of scripts from start to end: one struct run each, its time limit (TERM to the process
 * group, KILL two seconds later), its death through a pidfd. Who runs what and when is decided by
 * runner_check.c (what children ask for), notify_queue.c (what events start), fifo.c (readers) and
 * script_life.c (start and stop scripts).
 */
#ifndef HOLDFAST_PARENT_RUNNER_H
#define HOLDFAST_PARENT_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ev.h"
#include "common/proto.h"
#include "parent/script.h"

struct runner;
struct run;

struct runner_end {
    enum run_end how;
    unsigned int value; /* exit status, signal, or errno */
    char why[400];      /* RUN_END_NOT_RUN: a line for the log */
};

typedef void runner_done_fn(void *arg, const struct runner_end *e);

struct runner_job {
    struct script *script;
    const char *const *extra; /* appended arguments; needed during the call only */
    size_t nextra;
    uint64_t limit_ns; /* 0: as long as it likes */
    bool dies_with_us;
    runner_done_fn *done; /* NULL: nobody waits for it */
    void *arg;
};

struct runner *runner_new(struct ev *ev, mode_t umask);
void runner_free(struct runner *r); /* what still runs is left alone */
void runner_umask(struct runner *r, mode_t mask);
/* NULL: it could not be started, e says why, done is not called. The reason is logged when it is a new one.
 */
struct run *runner_start(struct runner *r, const struct runner_job *job, struct runner_end *e);
void runner_terminate(struct run *x); /* TERM now, KILL later; done is called when it is dead */
void runner_forget(struct run *x);    /* done is never called */
pid_t runner_pid(const struct run *x);
size_t runner_dying(const struct runner *r); /* how many have been told to end and have not */
void runner_kill_dying(struct runner *r);    /* the daemon ends: no more patience with these */
uint64_t runner_started(const struct runner *r);

#endif
