/*
 * script_exec.h - the one place where something outside the house is executed: fork, become the user, check
 * every component of the path, execute the very descriptor that was checked. Called by runner.c only.
 *
 * The child shares the parent's memory until its exec (no page table is copied, however big the slices are),
 * on a stack and with notes of its own; meanwhile the parent does nothing but wait, and never for long: a
 * child that hangs before its exec (a stalled disk, a SIGSTOP from the script's own user) is killed.
 */
#ifndef HOLDFAST_PARENT_SCRIPT_EXEC_H
#define HOLDFAST_PARENT_SCRIPT_EXEC_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "parent/script.h"

enum script_stage {
    SCRIPT_STAGE_NONE,
    SCRIPT_STAGE_START,  /* no process, no pipe */
    SCRIPT_STAGE_USER,   /* the user is unknown, or ids cannot be set */
    SCRIPT_STAGE_SETUP,  /* descriptors, session */
    SCRIPT_STAGE_PATH,   /* a component cannot be reached */
    SCRIPT_STAGE_UNSAFE, /* others could change it */
    SCRIPT_STAGE_KIND,   /* not a regular file */
    SCRIPT_STAGE_MODE,   /* not executable by the user */
    SCRIPT_STAGE_READ,   /* a script its user cannot read */
    SCRIPT_STAGE_CRLF,
    SCRIPT_STAGE_INTERPRETER, /* the path behind #! */
    SCRIPT_STAGE_NESTED,      /* interpreters of interpreters of ... */
    SCRIPT_STAGE_ARGS,
    SCRIPT_STAGE_EXEC,
    SCRIPT_STAGE_HUNG,
};

struct script_failure {
    enum script_stage stage;
    int error;           /* errno */
    char what[PATH_MAX]; /* the path or component it is about */
};

struct script_launch {
    struct script *script;
    const char *const *extra; /* arguments after the configured ones */
    size_t nextra;
    bool dies_with_us; /* SIGTERM when the parent dies */
    mode_t umask;
};

struct script_started {
    pid_t pid; /* also its process group and session */
    int pidfd;
    bool unsafe;         /* started although others can change what runs: */
    char weak[PATH_MAX]; /* this component */
    bool shell;          /* no #! line: /bin/sh runs it */
};

struct script_exec;

struct script_exec *script_exec_new(void); /* NULL: errno */
void script_exec_free(struct script_exec *x);
/* 0: it runs. -1: f says why not. */
int script_exec_start(struct script_exec *x, const struct script_launch *l, struct script_started *out,
                      struct script_failure *f);
/* One line: what, why, what to do. */
void script_failure_text(const struct script_failure *f, const struct script *s, char *buf, size_t size);

#endif
