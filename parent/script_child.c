/*
 * script_child.c - from the fork to the exec, in the child; see script_exec.h. Order: a session of its own,
 * descriptors, groups, the user's eyes (fsuid) for the walk, then the user himself at the very last moment:
 * before that he cannot signal or trace this process, which still shares memory with the parent (and is not
 * dumpable in between). Calls nothing but the kernel; writes nothing but its notes.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/compat.h"
#include "parent/script_child.h"

#define CHILD_NOEXEC  0x8                       /* ST_NOEXEC */
#define CHILD_ROOM    (3 * SCRIPT_NEST_MAX + 1) /* for what comes in front of the arguments */
#define CHILD_NOT_RUN 127

/* ---- who and where */

static int child_setup(struct script_notes *n)
{
    if (setsid() < 0 || dup2(n->devnull, STDIN_FILENO) < 0 || dup2(n->devnull, STDOUT_FILENO) < 0 ||
        dup2(n->devnull, STDERR_FILENO) < 0 || chdir("/") < 0)
        return script_fail(n, SCRIPT_STAGE_SETUP, errno, "");
    /* Every descriptor of the parent is close-on-exec by birth; this is for the day one is not. */
    syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, COMPAT_CLOSE_RANGE_CLOEXEC);
    umask(n->launch->umask);
    return 0;
}

static int child_eyes(struct script_notes *n)
{
    const struct script_who *w = n->launch->script->who;
    if (syscall(SYS_setgroups, w->ngroups, w->groups) < 0)
        return script_fail(n, SCRIPT_STAGE_USER, errno, "");
    setfsgid(w->gid);
    setfsuid(w->uid);
    return 0;
}

static int child_become(struct script_notes *n)
{
    const struct script_who *w = n->launch->script->who;
    const struct script_sigaction dfl = { 0 };
    sigset_t none;
    for (int s = 1; s <= SCRIPT_SIGNALS; s++)
        if ((n->not_default >> (s - 1) & 1) != 0)
            syscall(SYS_rt_sigaction, s, &dfl, NULL, sizeof(uint64_t));
    if (syscall(SYS_setresgid, w->gid, w->gid, w->gid) < 0 ||
        syscall(SYS_setresuid, w->uid, w->uid, w->uid) < 0)
        return script_fail(n, SCRIPT_STAGE_USER, errno, "");
    /* Nobody chose the default user for what set-user-id programs could give him. */
    if (w->user == NULL && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return script_fail(n, SCRIPT_STAGE_USER, errno, "");
    if (n->launch->dies_with_us && prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
        return script_fail(n, SCRIPT_STAGE_SETUP, errno, "");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    return 0;
}

/* ---- what */

static char *child_keep(struct script_notes *n, const void *text, size_t len)
{
    if (n->pooled + len + 1 > sizeof n->pool) {
        script_fail(n, SCRIPT_STAGE_NESTED, ENAMETOOLONG, "");
        return NULL;
    }
    char *s = n->pool + n->pooled;
    memcpy(s, text, len);
    s[len] = '\0';
    n->pooled += len + 1;
    return s;
}

/* Root without capabilities may run what has an x anywhere; the others are asked for by the kernel. */
static int child_executable(struct script_notes *n)
{
    const struct script_file *f = &n->file;
    struct statfs fs;
    bool may = n->safe.uid == 0 ? (f->st.st_mode & 0111) != 0
                                : syscall(SYS_faccessat2, f->fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) == 0;
    if (!may)
        return script_fail(n, SCRIPT_STAGE_MODE, EACCES, f->resolved);
    if (fstatfs(f->fd, &fs) == 0 && (fs.f_flags & CHILD_NOEXEC) != 0)
        return script_fail(n, SCRIPT_STAGE_MODE, EPERM, f->resolved);
    return 0;
}

static int child_reopen(const struct script_notes *n)
{
    char path[40] = "/proc/self/fd/", digits[12];
    size_t at = sizeof "/proc/self/fd/" - 1, d = 0;
    int fd = n->file.fd;
    do
        digits[d++] = (char)('0' + fd % 10);
    while ((fd /= 10) > 0);
    while (d > 0)
        path[at++] = digits[--d];
    path[at] = '\0';
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0 || errno != EACCES || n->safe.uid != 0)
        return fd;
    setfsuid(n->file.st.st_uid); /* see walk_open */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int saved = errno;
    setfsuid(0);
    errno = saved;
    return fd;
}

/* A program its user may run and not read is a program: its first bytes are the kernel's business. */
static enum script_kind child_kind(struct script_notes *n, struct script_shebang *s)
{
    int fd = child_reopen(n);
    if (fd < 0)
        return SCRIPT_KIND_PROGRAM;
    ssize_t len = pread(fd, n->head, sizeof n->head, 0);
    close(fd);
    return script_head_kind(n->head, len > 0 ? (size_t)len : 0, s);
}

static int child_prepend(struct script_notes *n, char *word)
{
    char **first = &n->argv[0];
    if (word == NULL)
        return -1;
    if (n->argv_at == first)
        return script_fail(n, SCRIPT_STAGE_NESTED, ELOOP, word);
    n->argv_at--;
    n->argv[n->argv_at - first] = word;
    return 0;
}

/* The interpreter's path, to be walked like any other; argv grows in front. NULL: failed. */
static const char *child_interpreter(struct script_notes *n, const struct script_shebang *s, bool text,
                                     char *script)
{
    char *name = text ? child_keep(n, SCRIPT_DEFAULT_SH, sizeof SCRIPT_DEFAULT_SH - 1)
                      : child_keep(n, n->head + s->at, s->len);
    if (script == NULL || name == NULL)
        return NULL;
    n->argv[n->argv_at - n->argv] = script;
    if (!text && s->arg_len > 0 && child_prepend(n, child_keep(n, n->head + s->arg_at, s->arg_len)) < 0)
        return NULL;
    if (child_prepend(n, name) < 0)
        return NULL;
    if (name[0] == '/')
        return name;
    script_fail(n, SCRIPT_STAGE_INTERPRETER, ENOENT, name);
    return NULL;
}

/* The interpreter does not get our descriptor (it would leak into everything the script starts) but the
 * resolved path: every component of it has just been judged, so whoever could change it is root or the user
 * himself. */
static char *child_script_path(struct script_notes *n, const char *configured, unsigned int depth)
{
    if (depth > 0)
        return n->argv[n->argv_at - n->argv];
    if (scripts_symlink_paths(n->launch->script->all))
        return child_keep(n, configured, strlen(configured));
    return child_keep(n, n->file.resolved, strlen(n->file.resolved));
}

static void child_note_weak(struct script_notes *n)
{
    if (!n->file.weak || n->weak)
        return;
    n->weak = true;
    memcpy(n->weak_part, n->file.weak_part, sizeof n->weak_part);
}

/* From the configured path to a program: n->file.fd. */
static int child_resolve(struct script_notes *n, const char *configured)
{
    for (unsigned int depth = 0;; depth++) {
        struct script_shebang s;
        child_note_weak(n);
        if (child_executable(n) < 0)
            return -1;
        enum script_kind kind = child_kind(n, &s);
        if (kind == SCRIPT_KIND_PROGRAM)
            return 0;
        if (kind == SCRIPT_KIND_BAD)
            return script_fail(n, SCRIPT_STAGE_INTERPRETER, ENOEXEC, n->file.resolved);
        if (kind == SCRIPT_KIND_SHEBANG && s.crlf)
            return script_fail(n, SCRIPT_STAGE_CRLF, ENOENT, n->file.resolved);
        if (depth == SCRIPT_NEST_MAX)
            return script_fail(n, SCRIPT_STAGE_NESTED, ELOOP, n->file.resolved);
        n->shell = n->shell || kind == SCRIPT_KIND_TEXT;
        const char *path =
            child_interpreter(n, &s, kind == SCRIPT_KIND_TEXT, child_script_path(n, configured, depth));
        if (path == NULL)
            return -1;
        if (script_walk(n, path) < 0) {
            return n->fail.stage != SCRIPT_STAGE_PATH
                       ? -1
                       : script_fail(n, SCRIPT_STAGE_INTERPRETER, n->fail.error, path);
        }
    }
}

/* A name without a slash: the fixed search path, as the user. */
static const char *child_search(struct script_notes *n, const char *name)
{
    static const char dirs[] = "/usr/local/sbin\0/usr/local/bin\0/usr/sbin\0/usr/bin\0/sbin\0/bin\0";
    size_t len = strlen(name);
    for (const char *d = dirs; *d != '\0'; d += strlen(d) + 1) {
        char path[PATH_MAX];
        size_t dlen = strlen(d);
        if (dlen + 1 + len >= sizeof path)
            break;
        memcpy(path, d, dlen);
        path[dlen] = '/';
        memcpy(path + dlen + 1, name, len + 1);
        if (script_walk(n, path) == 0)
            return child_keep(n, path, dlen + 1 + len);
        if (n->fail.error != ENOENT && n->fail.error != ENOTDIR)
            return NULL;
    }
    script_fail(n, SCRIPT_STAGE_PATH, ENOENT, name);
    return NULL;
}

static int child_arguments(struct script_notes *n)
{
    const struct script_launch *l = n->launch;
    const struct script *s = l->script;
    size_t at = CHILD_ROOM;
    if (s->argc + l->nextra > SCRIPT_ARGS_MAX - 1)
        return script_fail(n, SCRIPT_STAGE_ARGS, E2BIG, "");
    n->argv_at = &n->argv[at];
    for (size_t i = 0; i < s->argc; i++)
        n->argv[at++] = s->argv[i];
    for (size_t i = 0; i < l->nextra; i++)
        n->argv[at++] = (char *)(uintptr_t)l->extra[i];
    n->argv[at] = NULL;
    return 0;
}

static int child_execute(struct script_notes *n)
{
    const struct script *s = n->launch->script;
    const char *configured = s->argv[0];
    if (strchr(configured, '/') == NULL)
        configured = child_search(n, configured);
    else if (script_walk(n, configured) < 0)
        return -1;
    if (configured == NULL || child_arguments(n) < 0 || child_resolve(n, configured) < 0 ||
        child_become(n) < 0)
        return -1;
    n->fail.stage = SCRIPT_STAGE_NONE; /* what the search met on its way */
    syscall(SYS_execveat, n->file.fd, "", n->argv_at, s->who->envp, AT_EMPTY_PATH);
    return script_fail(n, SCRIPT_STAGE_EXEC, errno, n->file.resolved);
}

/* "</path": no program; it succeeds when the user can open the file. */
static _Noreturn void child_probe(struct script_notes *n)
{
    int fd = -1;
    if (child_become(n) == 0)
        fd = open(n->launch->script->argv[0] + 1, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    _exit(fd < 0);
}

int script_child(void *notes)
{
    struct script_notes *n = notes;
    const char *command = n->launch->script->argv[0];
    if (child_setup(n) == 0 && child_eyes(n) == 0) {
        if (command[0] == '<' && command[1] == '/')
            child_probe(n);
        child_execute(n);
    }
    _exit(CHILD_NOT_RUN);
}
