/*
 * log.h - one line a state change: what happened, why, what to do.
 * A child sends its lines to the parent (message LOG, policy DROP); the parent writes syslog and console
 * without ever blocking. Before the channel is up, and in tools, lines go to stderr. Nobody calls syslog(3).
 */
#ifndef HOLDFAST_LOG_H
#define HOLDFAST_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/role.h"

enum log_level {
    LOG_LEVEL_ERR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

#define LOG_LINE_MAX 1024

/* Where lines go. text has no newline. */
typedef void log_sink_fn(enum role who, enum log_level level, const char *text, void *arg);

void log_init(enum role who, enum log_level max_level);
void log_sink(log_sink_fn *fn, void *arg); /* NULL = stderr */
void log_set_level(enum log_level max_level);
void log_emit(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vemit(enum log_level level, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

#define log_err(...)    log_emit(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)   log_emit(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_emit(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)   log_emit(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)  log_emit(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Called by fatal() before the process ends: gives the sink a chance to push the last line out. */
void log_last_words_hook(void (*fn)(void *arg), void *arg);
void log_last_words(void);

/* Aggregates repeats: true when this occurrence may be logged; then *suppressed says how many were not. */
struct log_limit {
    uint64_t next_ns;
    uint64_t suppressed;
};
bool log_allow(struct log_limit *l, uint64_t now_ns, uint64_t every_ns, uint64_t *suppressed);

#endif
