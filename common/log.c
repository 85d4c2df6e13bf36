/*
 * log.c - formats a line and gives it to the sink; see log.h. The only process-wide state in the house: a log
 * must be reachable from everywhere, fatal() included. It holds no secret and no decision.
 */
#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    enum role who;
    enum log_level max_level;
    log_sink_fn *sink;
    void *sink_arg;
    void (*last_words)(void *arg);
    void *last_words_arg;
} log_state = { .who = ROLE_PARENT, .max_level = LOG_LEVEL_INFO };

static void log_to_stderr(enum role who, const char *text)
{
    char line[LOG_LINE_MAX + 64];
    int n = snprintf(line, sizeof line, "%s: %s\n", role_binary(who), text);
    if (n > 0) {
        ssize_t w = write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
        (void)w; /* nowhere left to complain */
    }
}

void log_init(enum role who, enum log_level max_level)
{
    log_state.who = who;
    log_state.max_level = max_level;
}

void log_sink(log_sink_fn *fn, void *arg)
{
    log_state.sink = fn;
    log_state.sink_arg = arg;
}

void log_set_level(enum log_level max_level)
{
    log_state.max_level = max_level;
}

/* A line is one line: whatever came in from outside cannot forge a second one. */
static void log_tame(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
}

void log_vemit(enum log_level level, const char *fmt, va_list ap)
{
    if (level > log_state.max_level)
        return;
    char text[LOG_LINE_MAX];
    vsnprintf(text, sizeof text, fmt, ap);
    log_tame(text);
    if (log_state.sink != NULL)
        log_state.sink(log_state.who, level, text, log_state.sink_arg);
    else
        log_to_stderr(log_state.who, text);
}

void log_emit(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_vemit(level, fmt, ap);
    va_end(ap);
}

void log_last_words_hook(void (*fn)(void *arg), void *arg)
{
    log_state.last_words = fn;
    log_state.last_words_arg = arg;
}

void log_last_words(void)
{
    if (log_state.last_words != NULL)
        log_state.last_words(log_state.last_words_arg);
}

bool log_allow(struct log_limit *l, uint64_t now_ns, uint64_t every_ns, uint64_t *suppressed)
{
    if (now_ns < l->next_ns) {
        l->suppressed++;
        return false;
    }
    *suppressed = l->suppressed;
    l->suppressed = 0;
    l->next_ns = now_ns + every_ns;
    return true;
}
