/* conf_run.c - see conf_run.h. */
#include "parent/conf_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/chan.h"
#include "common/ev.h"
#include "common/log.h"
#include "parent/conf/program.h"
#include "parent/parent.h"
#include "parent/spawn.h"
#include "parent/timed.h"

#define CONF_RUN_LIMIT    (120 * NS_PER_SEC)
#define CONF_RUN_TEXT_MAX (256u << 10)
#define CONF_RUN_LOG_MAX  200 /* lines; the rest with -t */
#define CONF_RUN_FDS      4
#define CONF_RUN_CRASHED  70
#define CONF_RUN_ARGS     16

struct conf_run {
    struct parent *p;
    uint32_t generation;
    bool whole;         /* holdfast-conf itself, not the lean one */
    conf_done_fn *done; /* NULL once told */
    void *arg;
    pid_t pid;
    int pidfd, chfd, errfd;
    struct ev_io *pidio, *chio, *errio;
    struct ev_timer limit;
    char *text;
    size_t len;
};

/* ---- arguments
 * ------------------------------------------------------------------------------------------------- */

struct conf_args {
    char *v[CONF_RUN_ARGS];
    size_t n;
};

static void conf_arg(struct conf_args *a, const char *s)
{
    if (a->n == CONF_RUN_ARGS - 1)
        fatal("too many arguments for holdfast-conf");
    a->v[a->n++] = xstrdup(s);
    a->v[a->n] = NULL;
}

static void conf_args_common(struct conf_args *a, const char *name, const struct options *o, const char *file)
{
    conf_arg(a, name);
    conf_arg(a, "-f");
    conf_arg(a, file);
    if (o->config_id != NULL) {
        conf_arg(a, "-i");
        conf_arg(a, o->config_id);
    }
    if (o->strict_includes)
        conf_arg(a, "-e");
    if (o->lenient)
        conf_arg(a, "--lenient");
    if (o->no_bfd)
        conf_arg(a, "--no-bfd");
}

static void conf_args_free(struct conf_args *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->v[i]);
}

/* ---- the end of a run
 * ------------------------------------------------------------------------------------------- */

static void conf_run_close(struct conf_run *c)
{
    struct ev *ev = c->p->ev;
    if (c->pidio != NULL)
        ev_io_del(ev, c->pidio);
    if (c->chio != NULL)
        ev_io_del(ev, c->chio);
    if (c->errio != NULL)
        ev_io_del(ev, c->errio);
    ev_timer_stop(ev, &c->limit);
    close(c->pidfd);
    close(c->chfd);
    close(c->errfd);
    c->pidio = c->chio = c->errio = NULL;
    c->pidfd = c->chfd = c->errfd = -1;
}

static void conf_run_free(struct conf_run *c)
{
    conf_run_close(c);
    free(c->text);
    free(c);
}

/* False: nothing more now. */
static bool conf_run_read_text(struct conf_run *c)
{
    char buf[4096];
    ssize_t n = read(c->errfd, buf, sizeof buf);
    if (n == 0 && c->errio != NULL) {
        ev_io_del(c->p->ev, c->errio);
        c->errio = NULL;
    }
    if (n <= 0)
        return false;
    size_t room = CONF_RUN_TEXT_MAX - c->len, take = (size_t)n < room ? (size_t)n : room;
    memcpy(c->text + c->len, buf, take);
    c->len += take;
    return true;
}

static void conf_run_tell(struct conf_run *c, struct config *config, int status)
{
    while (conf_run_read_text(c))
        ;
    struct conf_result r = { .config = config, .status = status, .text = c->text, .len = c->len };
    conf_done_fn *done = c->done;
    c->done = NULL;
    if (c->chio != NULL)
        ev_io_del(c->p->ev, c->chio);
    c->chio = NULL;
    if (done != NULL)
        done(c->arg, &r);
    else
        config_free(config);
}

static void conf_run_close_fds(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

/* One datagram: "OK errors warnings\n" and four descriptors. */
static struct config *conf_run_accept(struct conf_run *c, const char *payload, const int *fds, size_t nfds)
{
    struct err e = { 0 };
    unsigned int errors, warnings;
    bool saved = nfds == CONF_RUN_FDS + 1; /* the text for config_save_dir */
    if ((nfds != CONF_RUN_FDS && !saved) || sscanf(payload, "OK %u %u", &errors, &warnings) != 2) {
        conf_run_close_fds(fds, nfds);
        log_err("holdfast-conf answered something else than four slices");
        return NULL;
    }
    struct config *config = config_new(c->generation, fds, &e);
    if (saved)
        timed_save(c->p->timed, config, fds[CONF_RUN_FDS]);
    if (config == NULL) {
        log_err("the slice for the parent cannot be used: %s", e.text);
        return NULL;
    }
    config->whole = c->whole;
    config->errors = errors;
    config->warnings = warnings;
    return config;
}

/* True: the datagram was there. */
static bool conf_run_receive(struct conf_run *c)
{
    char payload[64];
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(2 * CONF_RUN_FDS * sizeof(int))];
    } control;
    struct iovec iov = { payload, sizeof payload - 1 };
    struct msghdr mh = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    int fds[2 * CONF_RUN_FDS];
    size_t nfds = 0;
    ssize_t n = recvmsg(c->chfd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n <= 0)
        return false;
    payload[n] = '\0';
    for (struct cmsghdr *cm = CMSG_FIRSTHDR(&mh); cm != NULL; cm = CMSG_NXTHDR(&mh, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
            continue;
        size_t k = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < k && nfds < 2 * CONF_RUN_FDS; i++)
            memcpy(&fds[nfds++], CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
    }
    struct config *config = conf_run_accept(c, payload, fds, nfds);
    conf_run_tell(c, config, config != NULL ? 0 : CONF_RUN_CRASHED);
    return true;
}

static void conf_run_on_chan(struct ev_io *w, unsigned int got, void *arg)
{
    struct conf_run *c = arg;
    (void)got;
    if (!conf_run_receive(c) && c->chio == w) { /* closed without a word: the exit status will tell */
        ev_io_del(c->p->ev, w);
        c->chio = NULL;
    }
}

static void conf_run_on_text(struct ev_io *w, unsigned int got, void *arg)
{
    (void)w;
    (void)got;
    conf_run_read_text(arg);
}

static int conf_run_again(struct conf_run *c);

static void conf_run_on_death(struct ev_io *w, unsigned int got, void *arg)
{
    struct conf_run *c = arg;
    siginfo_t si = { 0 };
    (void)w;
    (void)got;
    if (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
        return;
    if (c->done != NULL && !conf_run_receive(c)) {
        if (!c->whole && si.si_code == CLD_EXITED && si.si_status == CONF_EXIT_WHOLE &&
            conf_run_again(c) == 0)
            return;
        int status = si.si_code == CLD_EXITED && si.si_status != 0 ? si.si_status : CONF_RUN_CRASHED;
        if (si.si_code != CLD_EXITED)
            log_err("holdfast-conf died of signal %d (%s)", si.si_status, strsignal(si.si_status));
        conf_run_tell(c, NULL, status);
    }
    conf_run_free(c);
}

static void conf_run_on_limit(struct ev_timer *t, uint64_t now, void *arg)
{
    struct conf_run *c = arg;
    (void)t;
    (void)now;
    log_err("holdfast-conf did not finish within %llu s and is killed",
            (unsigned long long)(CONF_RUN_LIMIT / NS_PER_SEC));
    syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

void conf_run_cancel(struct conf_run *c)
{
    if (c == NULL)
        return;
    c->done = NULL; /* its death frees it */
    syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

/* ---- the beginning
 * ------------------------------------------------------------------------------------------------ */

static int conf_run_spawn(struct conf_run *c, int chan_fd, int err_fd)
{
    const char *name = c->whole ? role_binary(ROLE_CONF) : CONF_BINARY_LEAN;
    char path[PATH_MAX], gen[16];
    struct conf_args a = { .n = 0 };
    conf_args_common(&a, name, &c->p->opt, c->p->config_file);
    snprintf(gen, sizeof gen, "%u", c->generation);
    conf_arg(&a, "--generation");
    conf_arg(&a, gen);
    char **envp = spawn_env_conf();
    int rc = spawn_path(path, sizeof path, c->p->libexec, name);
    if (rc == 0)
        c->pidfd = spawn_process(path, a.v, envp, chan_fd, err_fd, -1, &c->pid);
    int saved = errno;
    spawn_env_free(envp);
    conf_args_free(&a);
    errno = saved;
    return rc < 0 || c->pidfd < 0 ? -1 : 0;
}

static void conf_run_watch(struct conf_run *c)
{
    struct ev *ev = c->p->ev;
    c->pidio = ev_io_add(ev, c->pidfd, EV_READ, conf_run_on_death, c);
    c->chio = ev_io_add(ev, c->chfd, EV_READ, conf_run_on_chan, c);
    c->errio = ev_io_add(ev, c->errfd, EV_READ, conf_run_on_text, c);
    ev_timer_init(&c->limit, conf_run_on_limit, c);
    ev_timer_at(ev, &c->limit, clock_monotonic_ns() + CONF_RUN_LIMIT);
}

static int conf_run_open(struct conf_run *c)
{
    int ch[2], err[2];
    if (chan_pair(ch) < 0)
        return -1;
    if (pipe2(err, O_CLOEXEC) < 0) {
        close(ch[0]);
        close(ch[1]);
        return -1;
    }
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    fcntl(ch[1], F_SETFL, 0); /* its end may block: it has nothing else to do */
    int rc = conf_run_spawn(c, ch[1], err[1]);
    int saved = errno;
    close(ch[1]);
    close(err[1]);
    if (rc < 0) {
        close(ch[0]);
        close(err[0]);
        errno = saved;
        return -1;
    }
    c->chfd = ch[0];
    c->errfd = err[0];
    conf_run_watch(c);
    return 0;
}

/* What was configured last time needed the libraries: this will too, most likely. */
int conf_run_start(struct conf_run **out, struct parent *p, uint32_t generation, conf_done_fn *done,
                   void *arg)
{
    struct conf_run *c = xcalloc(1, sizeof *c);
    *c = (struct conf_run){ .p = p, .generation = generation, .done = done, .arg = arg, .pidfd = -1 };
    c->whole = p->cur != NULL && p->cur->whole;
    if (conf_run_open(c) < 0) {
        int saved = errno;
        free(c);
        errno = saved;
        return -1;
    }
    c->text = xmalloc(CONF_RUN_TEXT_MAX);
    *out = c;
    return 0;
}

/* The lean one gave no verdict. -1: logged. */
static int conf_run_again(struct conf_run *c)
{
    conf_run_close(c);
    c->len = 0;
    c->whole = true;
    if (conf_run_open(c) == 0)
        return 0;
    log_err("%s/%s cannot be started: %s", c->p->libexec, role_binary(ROLE_CONF), strerror(errno));
    return -1;
}

void conf_log_text(const char *text, size_t len, int is_error)
{
    enum log_level level = is_error ? LOG_LEVEL_ERR : LOG_LEVEL_WARNING;
    const char *p = text, *end = text + len;
    for (int lines = 0; p < end; lines++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl != NULL ? nl : end) - p);
        if (lines == CONF_RUN_LOG_MAX) {
            log_emit(level, "... and more; holdfast -t shows all of it");
            return;
        }
        if (n > 0)
            log_emit(level, "%.*s", (int)(n < LOG_LINE_MAX ? n : LOG_LINE_MAX), p);
        p = nl != NULL ? nl + 1 : end;
    }
}

/* ---- -t
 * --------------------------------------------------------------------------------------------------------------
 */

int conf_test(const char *libexec, const struct options *o)
{
    char path[PATH_MAX];
    struct conf_args a = { .n = 0 };
    conf_args_common(&a, role_binary(ROLE_CONF), o, o->config_file);
    conf_arg(&a, "--test");
    if (o->json)
        conf_arg(&a, "--json");
    if (o->warnings_are_errors)
        conf_arg(&a, "--warnings-are-errors");
    if (o->portable)
        conf_arg(&a, "--portable");
    if (o->test_log != NULL) {
        int fd = open(o->test_log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
            dprintf(STDERR_FILENO, "holdfast: %s cannot be opened: %s\n", o->test_log, strerror(errno));
            return 1;
        }
    }
    if (spawn_path(path, sizeof path, libexec, role_binary(ROLE_CONF)) == 0)
        execve(path, a.v, spawn_env_conf());
    dprintf(STDERR_FILENO, "holdfast: %s cannot be run: %s\n", path, strerror(errno));
    return CONF_RUN_CRASHED;
}
