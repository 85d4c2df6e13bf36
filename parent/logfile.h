/*
 * logfile.h - -g: lines to the process that writes the log files (parent/filelog), and its life: it is
 * started when the names of the files are known, again when it dies, and again at a reload, so that files
 * which were moved away (logrotate) are made anew. The socket outlives it: no line is lost in between. Called
 * by logsink.c; never blocks but at the end, for half a second at most.
 */
#ifndef HOLDFAST_PARENT_LOGFILE_H
#define HOLDFAST_PARENT_LOGFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/ev.h"
#include "common/role.h"

struct logfile;

struct logfile_opts {
    const char *libexec;
    const char *file; /* NULL: the default */
    bool at_once;     /* --flush-log-file */
    mode_t mode;
};

/* A complaint about the files themselves: for every other log. */
typedef void logfile_tell_fn(void *arg, const char *text);

struct logfile *logfile_new(const struct logfile_opts *o, logfile_tell_fn *tell, void *arg); /* NULL errno */
/* The names are known (suffix: of namespace and instance): lines leave from now on. */
void logfile_begin(struct logfile *f, struct ev *ev, const char *suffix);
void logfile_line(struct logfile *f, enum role who, const char *line, size_t len); /* with its newline */
void logfile_again(struct logfile *f);
bool logfile_waits(const struct logfile *f); /* there are lines that were not taken: logfile_drain, later */
void logfile_drain(struct logfile *f);
uint64_t logfile_lost(const struct logfile *f);
void logfile_free(struct logfile *f);

#endif
