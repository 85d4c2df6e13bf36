/*
 * logsink.h - where log lines end: syslog datagrams to /dev/log, with -l stderr, with -g files (logfile.h).
 * Never blocks: what the receiver does not take waits in a bounded queue, what does not fit there is counted
 * and the count is told.
 * Lines come from our own log_emit and from children's messages; their text has no newline (proto_decode,
 * log.c).
 */
#ifndef HOLDFAST_PARENT_LOGSINK_H
#define HOLDFAST_PARENT_LOGSINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/ev.h"
#include "common/log.h"

struct logfile_opts;
struct logsink;

struct logsink_opts {
    bool syslog, console, stamps; /* stamps: console lines begin with the time */
    int facility;
};

struct logsink *logsink_new(const struct logsink_opts *o);
void logsink_free(struct logsink *s); /* pushes out what is left, as far as that does not block */
void logsink_attach(struct logsink *s, struct ev *ev); /* from now on waiting lines leave by themselves */
void logsink_set_pid(struct logsink *s, enum role r, pid_t pid);
/* Instance and namespace, "" = none. Log files, if there are any, are opened now. */
void logsink_set_suffix(struct logsink *s, const char *suffix);
void logsink_file(struct logsink *s, const struct logfile_opts *o); /* -g; strings stay the caller's */
void logsink_reopen(struct logsink *s);                             /* the files: they may have been moved */
void logsink_line(struct logsink *s, enum role who, enum log_level level, const char *text);
void logsink_emit(enum role who, enum log_level level, const char *text, void *sink); /* a log_sink_fn */
uint64_t logsink_lost(const struct logsink *s);

#endif
