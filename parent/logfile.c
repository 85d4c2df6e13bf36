/* logfile.c - see logfile.h. */
#include "parent/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/filelog/filelog.h"
#include "parent/logqueue.h"
#include "parent/spawn.h"

#define LOGFILE_BINARY  "holdfast-log"
#define LOGFILE_SOCKET  (256 << 10)
#define LOGFILE_RETRY   NS_PER_SEC        /* it died */
#define LOGFILE_REFUSED (30 * NS_PER_SEC) /* it cannot open the files */
#define LOGFILE_END_MS  500

struct logfile {
    struct logfile_opts o;
    logfile_tell_fn *tell;
    void *arg;
    struct ev *ev;
    struct logqueue queue;
    int out, in; /* our end; its end, kept for its successor */
    pid_t pid;   /* 0: it does not run */
    int pidfd, errfd;
    struct ev_io *pidio, *errio;
    struct ev_timer retry;
    bool begun;
    char suffix[64];
    char said[400]; /* the last complaint: once is enough */
};

static int logfile_send(void *arg, const char *text, size_t len)
{
    struct logfile *f = arg;
    if (send(f->out, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return 1;
    return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? 0 : -1;
}

static void logfile_on_retry(struct ev_timer *t, uint64_t now, void *arg);

struct logfile *logfile_new(const struct logfile_opts *o, logfile_tell_fn *tell, void *arg)
{
    int fd[2], size = LOGFILE_SOCKET;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
        return NULL;
    setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    struct logfile *f = xcalloc(1, sizeof *f);
    f->o = *o;
    f->tell = tell;
    f->arg = arg;
    f->out = fd[0];
    f->in = fd[1];
    f->pidfd = f->errfd = -1;
    f->queue.send = logfile_send;
    f->queue.arg = f;
    ev_timer_init(&f->retry, logfile_on_retry, f);
    return f;
}

/* ---- the process
 * ---------------------------------------------------------------------------------------------------------
 */

static void logfile_say(struct logfile *f, const char *text)
{
    if (strcmp(text, f->said) == 0)
        return;
    snprintf(f->said, sizeof f->said, "%s", text);
    f->tell(f->arg, text);
}

/* What it has to say about its files. */
static void logfile_listen(struct logfile *f)
{
    char text[400], line[440];
    ssize_t n = read(f->errfd, text, sizeof text - 1);
    if (n <= 0)
        return;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    snprintf(line, sizeof line, "log file: %s", text);
    logfile_say(f, line);
}

static void logfile_bury(struct logfile *f)
{
    if (f->pidio != NULL)
        ev_io_del(f->ev, f->pidio);
    if (f->errio != NULL)
        ev_io_del(f->ev, f->errio);
    f->pidio = f->errio = NULL;
    close(f->pidfd);
    close(f->errfd);
    f->pidfd = f->errfd = -1;
    f->pid = 0;
}

static void logfile_start(struct logfile *f);

static void logfile_on_end(struct ev_io *w, unsigned int got, void *arg)
{
    struct logfile *f = arg;
    siginfo_t si = { 0 };
    (void)w;
    (void)got;
    if (waitid(P_PID, (id_t)f->pid, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
        return;
    logfile_listen(f);
    logfile_bury(f);
    bool exited = si.si_code == CLD_EXITED;
    if (exited && si.si_status == 0) {
        f->said[0] = '\0'; /* what was complained about is worth a new complaint */
        logfile_start(f);
        return;
    }
    char text[120];
    snprintf(text, sizeof text,
             "the process of the log file (" LOGFILE_BINARY ") ended with %s %d; it is started again",
             exited ? "status" : "signal", si.si_status);
    bool refused = exited && si.si_status == FILELOG_REFUSED;
    if (!refused)
        logfile_say(f, text);
    ev_timer_in(f->ev, &f->retry, refused ? LOGFILE_REFUSED : LOGFILE_RETRY);
}

static void logfile_on_word(struct ev_io *w, unsigned int got, void *arg)
{
    struct logfile *f = arg;
    if ((got & EV_READ) != 0) {
        logfile_listen(f);
    } else {
        ev_io_del(f->ev, w);
        f->errio = NULL;
    }
}

static int logfile_spawn(struct logfile *f, int err_fd)
{
    char path[PATH_MAX], mode[16], name[] = LOGFILE_BINARY, dash[] = "-", file[PATH_MAX];
    char at_once[] = "at-once", gathered[] = "gathered";
    snprintf(mode, sizeof mode, "%o", (unsigned int)f->o.mode);
    snprintf(file, sizeof file, "%s", f->o.file != NULL ? f->o.file : "");
    char *argv[] = { name, f->o.file != NULL ? file : dash,   f->suffix,
                     mode, f->o.at_once ? at_once : gathered, NULL };
    if (spawn_path(path, sizeof path, f->o.libexec, LOGFILE_BINARY) < 0)
        return -1;
    char **envp = spawn_env_clean();
    f->pidfd = spawn_process(path, argv, envp, f->in, err_fd, -1, &f->pid);
    int saved = errno;
    spawn_env_free(envp);
    errno = saved;
    return f->pidfd < 0 ? -1 : 0;
}

static void logfile_start(struct logfile *f)
{
    int err[2];
    if (f->pid != 0)
        return;
    int rc = pipe2(err, O_CLOEXEC | O_NONBLOCK);
    if (rc == 0 && (rc = logfile_spawn(f, err[1])) < 0) {
        int saved = errno;
        close(err[0]);
        close(err[1]);
        errno = saved;
    }
    if (rc < 0) {
        char text[120];
        snprintf(text, sizeof text, LOGFILE_BINARY " cannot be started: %s", strerror(errno));
        f->pid = 0;
        logfile_say(f, text);
        if (f->ev != NULL)
            ev_timer_in(f->ev, &f->retry, LOGFILE_REFUSED);
        return;
    }
    close(err[1]);
    f->errfd = err[0];
    if (f->ev != NULL) {
        f->pidio = ev_io_add(f->ev, f->pidfd, EV_READ, logfile_on_end, f);
        f->errio = ev_io_add(f->ev, f->errfd, EV_READ, logfile_on_word, f);
    }
}

static void logfile_on_retry(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    logfile_start(arg);
}

/* ---- lines
 * ----------------------------------------------------------------------------------------------------------
 */

void logfile_begin(struct logfile *f, struct ev *ev, const char *suffix)
{
    if (f->begun)
        return;
    f->begun = true;
    f->ev = ev;
    snprintf(f->suffix, sizeof f->suffix, "%s", suffix);
    logfile_start(f);
}

void logfile_line(struct logfile *f, enum role who, const char *line, size_t len)
{
    static const enum filelog_file of[ROLE_MAX] = {
        [ROLE_VRRPD] = FILELOG_VRRP, [ROLE_CHECKD] = FILELOG_CHECK, [ROLE_IPVSD] = FILELOG_IPVS
    };
    char m[FILELOG_MESSAGE];
    if (len > sizeof m - 2)
        len = sizeof m - 2;
    m[0] = FILELOG_LINE;
    m[1] = (char)of[who]; /* whoever has no file of its own writes into the parent's */
    memcpy(m + 2, line, len);
    logqueue_put(&f->queue, m, len + 2);
}

void logfile_again(struct logfile *f)
{
    static const char word[] = { FILELOG_AGAIN };
    if (f->pid != 0)
        logqueue_put(&f->queue, word, sizeof word);
    else if (f->begun)
        logfile_start(f); /* the reason why it did not live may be gone */
}

bool logfile_waits(const struct logfile *f)
{
    return f->queue.n > 0;
}

void logfile_drain(struct logfile *f)
{
    logqueue_drain(&f->queue);
}

uint64_t logfile_lost(const struct logfile *f)
{
    return f->queue.lost;
}

/* The end: what was said on the way out shall be read. A writer that hangs is left to itself. */
void logfile_free(struct logfile *f)
{
    if (f == NULL)
        return;
    if (f->ev != NULL)
        ev_timer_stop(f->ev, &f->retry);
    if (!f->begun)
        logfile_start(f);
    logqueue_drain(&f->queue);
    close(f->out);
    close(f->in);
    struct pollfd p = { .fd = f->pidfd, .events = POLLIN };
    if (f->pid != 0) {
        if (poll(&p, 1, LOGFILE_END_MS) > 0)
            waitpid(f->pid, NULL, 0);
        logfile_listen(f);
        logfile_bury(f);
    }
    logqueue_free(&f->queue);
    free(f);
}
