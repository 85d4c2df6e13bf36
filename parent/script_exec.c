/* script_exec.c - the parent's half of starting a script; see script_exec.h. */
#include "parent/script_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/compat.h"
#include "common/err.h"
#include "parent/script_child.h"

#define EXEC_STACK (128u << 10)
#define EXEC_GUARD 4096u
#define EXEC_LIMIT (10 * NS_PER_SEC) /* from fork to exec, on a machine that drowns */
#define EXEC_LOOK  (100 * NS_PER_MS)
#define EXEC_BURY  (200 * NS_PER_MS) /* from SIGKILL to the end */
#define EXEC_REST  (2 * NS_PER_SEC)  /* after such a child: others would hang as well */

struct script_exec {
    int devnull;
    uint8_t *stack; /* guard page, stack */
    struct script_notes *notes;
    uint64_t rest_until;
    uint64_t not_default; /* signals; the parent sets them once, before its first script */
};

static void *exec_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Shared, so that it also works where the child must get memory of its own. */
static int exec_memory(struct script_exec *x)
{
    x->stack = exec_map(EXEC_GUARD + EXEC_STACK);
    x->notes = exec_map(sizeof *x->notes);
    if (x->stack == NULL || x->notes == NULL)
        return -1;
    return mprotect(x->stack, EXEC_GUARD, PROT_NONE);
}

static void exec_unmap(struct script_exec *x)
{
    if (x->stack != NULL)
        munmap(x->stack, EXEC_GUARD + EXEC_STACK);
    if (x->notes != NULL)
        munmap(x->notes, sizeof *x->notes);
    x->stack = NULL;
    x->notes = NULL;
}

static uint64_t exec_signals(void)
{
    uint64_t bits = 0;
    for (int s = 1; s <= SCRIPT_SIGNALS; s++) {
        struct script_sigaction a = { 0 };
        if (syscall(SYS_rt_sigaction, s, NULL, &a, sizeof(uint64_t)) == 0 && a.handler != 0)
            bits |= UINT64_C(1) << (s - 1);
    }
    return bits;
}

struct script_exec *script_exec_new(void)
{
    struct script_exec *x = xcalloc(1, sizeof *x);
    x->not_default = exec_signals();
    x->devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (x->devnull >= 0 && exec_memory(x) == 0)
        return x;
    int saved = errno;
    script_exec_free(x);
    errno = saved;
    return NULL;
}

void script_exec_free(struct script_exec *x)
{
    if (x == NULL)
        return;
    exec_unmap(x);
    if (x->devnull >= 0)
        close(x->devnull);
    free(x);
}

static int exec_fail(struct script_failure *f, enum script_stage stage, int error)
{
    f->stage = stage;
    f->error = error;
    f->what[0] = '\0';
    return -1;
}

/* With fs.suid_dumpable=1 a process that changes its user stays traceable by him: then it must not share our
 * memory for a single moment. */
static bool exec_may_share(void)
{
    char c = '1';
    int fd = open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, &c, 1);
    close(fd);
    return n == 1 && c != '1';
}

static uint64_t exec_clock(void)
{
    return clock_monotonic_ns();
}

/* Somebody has stopped it: the script's user, in the moment in which he may. */
static bool exec_stopped(pid_t pid)
{
    siginfo_t si = { 0 };
    return waitid(P_PID, (id_t)pid, &si, WSTOPPED | WNOHANG | WNOWAIT) == 0 && si.si_pid == pid;
}

/* Until the descriptor says something, the process is stopped, or the time is over. errno is the child's to
 * spoil meanwhile. */
static bool exec_wait(int fd, pid_t pid, uint64_t limit_ns)
{
    uint64_t end = exec_clock() + limit_ns, now;
    while ((now = exec_clock()) < end) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        uint64_t left = end - now < EXEC_LOOK ? end - now : EXEC_LOOK;
        if (poll(&p, 1, (int)(left / NS_PER_MS + 1)) > 0)
            return true;
        if (exec_stopped(pid))
            return false;
    }
    return false;
}

static void exec_reap(const struct script_started *s)
{
    siginfo_t si;
    while (waitid(P_PID, (id_t)s->pid, &si, WEXITED) < 0 && errno == EINTR)
        continue;
    close(s->pidfd);
}

/* It did not come to its exec. When even SIGKILL does not end it, it sits in the kernel for good and never
 * comes back to our memory, except to what lies on its stack and in its notes: those are left to it. */
static void exec_hung(struct script_exec *x, const struct script_started *s)
{
    syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
    x->rest_until = exec_clock() + EXEC_REST;
    if (exec_wait(s->pidfd, s->pid, EXEC_BURY)) {
        exec_reap(s);
        return;
    }
    close(s->pidfd); /* reaped by init when we are gone; one zombie is the price */
    x->stack = NULL;
    x->notes = NULL;
    if (exec_memory(x) < 0)
        exec_unmap(x);
}

static int exec_fork(struct script_exec *x, struct script_started *out)
{
    int flags = CLONE_PIDFD | SIGCHLD | (exec_may_share() ? CLONE_VM : 0);
    void *top = x->stack + EXEC_GUARD + EXEC_STACK;
    return clone(script_child, top, flags, x->notes, &out->pidfd);
}

static void exec_notes(struct script_exec *x, const struct script_launch *l, int alive)
{
    struct script_notes *n = x->notes;
    const struct script_who *w = l->script->who;
    n->launch = l;
    n->safe = (struct script_safe){ scripts_secure(l->script->all), w->uid, w->gid };
    n->devnull = x->devnull;
    n->alive = alive;
    n->not_default = x->not_default;
    n->fail.stage = SCRIPT_STAGE_NONE;
    n->fail.error = 0;
    n->fail.what[0] = n->weak_part[0] = '\0';
    n->weak = n->shell = false;
    n->pooled = 0;
    n->file.fd = -1;
}

static int exec_outcome(struct script_exec *x, struct script_started *out, struct script_failure *f)
{
    const struct script_notes *n = x->notes;
    if (n->fail.stage != SCRIPT_STAGE_NONE) {
        *f = n->fail;
        exec_reap(out);
        return -1;
    }
    out->unsafe = n->weak;
    out->shell = n->shell;
    memcpy(out->weak, n->weak_part, sizeof out->weak);
    return 0;
}

int script_exec_start(struct script_exec *x, const struct script_launch *l, struct script_started *out,
                      struct script_failure *f)
{
    int pipefd[2];
    memset(out, 0, sizeof *out);
    if (!script_who_known(l->script->who, exec_clock()))
        return exec_fail(f, SCRIPT_STAGE_USER, ENOENT);
    if (exec_clock() < x->rest_until)
        return exec_fail(f, SCRIPT_STAGE_HUNG, EAGAIN);
    if (x->notes == NULL && exec_memory(x) < 0)
        return exec_fail(f, SCRIPT_STAGE_START, errno);
    if (pipe2(pipefd, O_CLOEXEC) < 0)
        return exec_fail(f, SCRIPT_STAGE_START, errno);
    exec_notes(x, l, pipefd[1]);
    out->pid = exec_fork(x, out);
    int error = errno;
    close(pipefd[1]);
    /* End of file: it has left our memory, by its exec or by its end. */
    bool in_time = out->pid > 0 && exec_wait(pipefd[0], out->pid, EXEC_LIMIT);
    close(pipefd[0]);
    if (out->pid < 0)
        return exec_fail(f, SCRIPT_STAGE_START, error);
    if (!in_time) {
        exec_hung(x, out);
        return exec_fail(f, SCRIPT_STAGE_HUNG, ETIMEDOUT);
    }
    return exec_outcome(x, out, f);
}

/* ---- words
 * ------------------------------------------------------------------------------------------------------ */

static const char *failure_remedy(const struct script_failure *f, const struct script *s)
{
    switch (f->stage) {
    case SCRIPT_STAGE_NONE: return "";
    case SCRIPT_STAGE_START: return "cannot be started: %s; too many processes or descriptors";
    case SCRIPT_STAGE_USER: return s->who->known ? "cannot run as its user: %s" : "has no user";
    case SCRIPT_STAGE_SETUP: return "cannot be started: %s";
    case SCRIPT_STAGE_PATH: return "cannot be reached: %s; correct the path, or the rights of its user on it";
    case SCRIPT_STAGE_UNSAFE:
        return "would run with root's rights, but others can change this; chown root and chmod go-w, or run "
               "it as "
               "another user (enable_script_security is set)";
    case SCRIPT_STAGE_KIND: return "is not a regular file";
    case SCRIPT_STAGE_MODE:
        return f->error == EPERM ? "lies on a file system mounted noexec"
                                 : "is not executable by its user; chmod +x, or another user";
    case SCRIPT_STAGE_READ: return "cannot be read: %s";
    case SCRIPT_STAGE_CRLF: return "has Windows line ends (CRLF) behind #!; dos2unix helps";
    case SCRIPT_STAGE_INTERPRETER:
        return f->error == ENOEXEC ? "has a first line without an interpreter"
                                   : "is the interpreter named behind #!, and it cannot be used: %s";
    case SCRIPT_STAGE_NESTED: return "names interpreters that name interpreters, too many";
    case SCRIPT_STAGE_ARGS: return "has too many arguments";
    case SCRIPT_STAGE_EXEC: return "cannot be executed: %s";
    case SCRIPT_STAGE_HUNG: return "did not come to its exec in time and was killed: is a disk stalled?";
    }
    return "";
}

void script_failure_text(const struct script_failure *f, const struct script *s, char *buf, size_t size)
{
    const char *what = f->what[0] != '\0' ? f->what : s->argv[0];
    const char *remedy = failure_remedy(f, s), *hole = strstr(remedy, "%s");
    int before = hole != NULL ? (int)(hole - remedy) : (int)strlen(remedy);
    int n = snprintf(buf, size, "%.200s %.*s%s%s", what, before, remedy,
                     hole != NULL ? strerror(f->error) : "", hole != NULL ? hole + 2 : "");
    if (f->stage == SCRIPT_STAGE_USER && !s->who->known && n > 0 && (size_t)n < size)
        snprintf(buf + n, size - (size_t)n, ": %s", s->who->why);
}
