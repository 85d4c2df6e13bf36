/* logsink.c - see logsink.h. */
#include "parent/logsink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/logfile.h"
#include "parent/logqueue.h"

#define LOGSINK_LINE  (LOG_LINE_MAX + 128)
#define LOGSINK_RETRY (50 * NS_PER_MS)

struct logsink {
    struct logsink_opts o;
    struct ev *ev;
    struct ev_timer retry;
    int fd;      /* /dev/log, -1: not connected */
    int console; /* our own non-blocking description of stderr */
    bool socket; /* the console is a socket */
    pid_t pid[ROLE_MAX];
    char suffix[64];
    struct logqueue queue; /* for syslog */
    struct logfile *file;  /* -g; NULL: none */
    uint64_t lost, told;   /* lost: on the console */
    bool inside, apart;    /* apart: a line about the log file, not for it */
};

/* A description of our own, so that O_NONBLOCK does not reach the terminal we share with others. */
static int logsink_open_console(bool *is_socket)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st) < 0)
        return -1;
    *is_socket = S_ISSOCK(st.st_mode);
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
        int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0)
            return fd;
    }
    return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
}

static void logsink_connect(struct logsink *s)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0 && connect(s->fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        close(s->fd);
        s->fd = -1;
    }
}

static void logsink_on_retry(struct ev_timer *t, uint64_t now, void *arg);

/* A logqueue_send_fn. */
static int logsink_send(void *arg, const char *text, size_t len)
{
    struct logsink *s = arg;
    for (int tries = 0; tries < 2; tries++) {
        if (s->fd < 0)
            logsink_connect(s);
        if (s->fd < 0)
            return -1; /* nobody listens: no reason to remember */
        if (send(s->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return 1;
        if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
            return 0;
        close(s->fd); /* syslog was restarted: the new one has a new socket */
        s->fd = -1;
    }
    return -1;
}

struct logsink *logsink_new(const struct logsink_opts *o)
{
    struct logsink *s = xcalloc(1, sizeof *s);
    s->o = *o;
    s->fd = -1;
    s->console = o->console ? logsink_open_console(&s->socket) : -1;
    s->pid[ROLE_PARENT] = getpid();
    s->queue.send = logsink_send;
    s->queue.arg = s;
    tzset();
    ev_timer_init(&s->retry, logsink_on_retry, s);
    if (o->syslog)
        logsink_connect(s);
    return s;
}

/* Whatever waits is tried again in a moment. */
static void logsink_later(struct logsink *s)
{
    bool waits = s->queue.n > 0 || (s->file != NULL && logfile_waits(s->file));
    if (waits && s->ev != NULL && !ev_timer_armed(&s->retry))
        ev_timer_in(s->ev, &s->retry, LOGSINK_RETRY);
}

static void logsink_on_retry(struct ev_timer *t, uint64_t now, void *arg)
{
    struct logsink *s = arg;
    (void)t;
    (void)now;
    logqueue_drain(&s->queue);
    if (s->file != NULL)
        logfile_drain(s->file);
    uint64_t lost = s->lost + s->queue.lost - s->told;
    if (s->queue.n == 0 && lost > 0) {
        s->told += lost;
        log_warn("%llu log lines were lost: syslog did not take them", (unsigned long long)lost);
    }
    logsink_later(s);
}

static size_t logsink_clip(int n, size_t size)
{
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

/* ---- the log file
 * ---------------------------------------------------------------------------------------------------------
 */

static void logsink_on_complaint(void *arg, const char *text)
{
    struct logsink *s = arg;
    s->apart = true;
    log_warn("%s", text);
    s->apart = false;
}

void logsink_file(struct logsink *s, const struct logfile_opts *o)
{
    s->file = logfile_new(o, logsink_on_complaint, s);
    if (s->file == NULL)
        log_warn("no log file: %s", strerror(errno));
}

void logsink_reopen(struct logsink *s)
{
    if (s->file != NULL)
        logfile_again(s->file);
    logsink_later(s);
}

static void logsink_to_file(struct logsink *s, enum role who, const char *text, const struct tm *tm, long ms)
{
    char line[LOGSINK_LINE], stamp[40];
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", tm);
    int n = snprintf(line, sizeof line - 1, "%s.%03ld %s%s[%d]: %s", stamp, ms, role_binary(who), s->suffix,
                     (int)s->pid[who], text);
    size_t len = logsink_clip(n, sizeof line - 1);
    line[len++] = '\n';
    logfile_line(s->file, who, line, len);
}

void logsink_attach(struct logsink *s, struct ev *ev)
{
    s->ev = ev;
    s->pid[ROLE_PARENT] = getpid();
}

void logsink_free(struct logsink *s)
{
    if (s == NULL)
        return;
    logfile_free(s->file);
    logqueue_drain(&s->queue);
    if (s->ev != NULL)
        ev_timer_stop(s->ev, &s->retry);
    logqueue_free(&s->queue);
    if (s->fd >= 0)
        close(s->fd);
    if (s->console >= 0)
        close(s->console);
    free(s);
}

void logsink_set_pid(struct logsink *s, enum role r, pid_t pid)
{
    s->pid[r] = pid;
}

void logsink_set_suffix(struct logsink *s, const char *suffix)
{
    snprintf(s->suffix, sizeof s->suffix, "%s", suffix);
    if (s->file != NULL)
        logfile_begin(s->file, s->ev, suffix);
}

static void logsink_console(struct logsink *s, enum role who, const char *text, const struct tm *tm, long ms)
{
    char line[LOGSINK_LINE], stamp[40] = "";
    if (s->o.stamps) {
        size_t n = strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", tm);
        snprintf(stamp + n, sizeof stamp - n, ".%03ld ", ms);
    }
    size_t len = logsink_clip(
        snprintf(line, sizeof line, "%s%s%s: %s\n", stamp, role_binary(who), s->suffix, text), sizeof line);
    ssize_t w =
        s->socket ? send(s->console, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) : write(s->console, line, len);
    if (w < 0)
        s->lost++;
}

void logsink_line(struct logsink *s, enum role who, enum log_level level, const char *text)
{
    if (s->inside) /* a line about the log itself */
        return;
    s->inside = true;
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    if (s->o.syslog) {
        char line[LOGSINK_LINE], stamp[32];
        strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &tm);
        int n = snprintf(line, sizeof line, "<%d>%s %s%s[%d]: %s", s->o.facility * 8 + (int)level, stamp,
                         role_binary(who), s->suffix, (int)s->pid[who], text);
        logqueue_put(&s->queue, line, logsink_clip(n, sizeof line));
    }
    if (s->file != NULL && !s->apart)
        logsink_to_file(s, who, text, &tm, ts.tv_nsec / 1000000);
    if (s->console >= 0)
        logsink_console(s, who, text, &tm, ts.tv_nsec / 1000000);
    logsink_later(s);
    s->inside = false;
}

void logsink_emit(enum role who, enum log_level level, const char *text, void *sink)
{
    logsink_line(sink, who, level, text);
}

uint64_t logsink_lost(const struct logsink *s)
{
    return s->lost + s->queue.lost + (s->file != NULL ? logfile_lost(s->file) : 0);
}
