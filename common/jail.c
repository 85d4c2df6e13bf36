/*
 * jail.c - the one function that locks a child up, its steps in the one order, and what the parent does to
 * itself. Runs before a role has read a byte from anybody; trusts the table and the parent that started it.
 * Fails closed: a step that does not succeed ends the process with the step's name, the reason and the
 * remedy.
 */
#include "common/jail.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/err.h"
#include "common/jail_table.h"
#include "common/log.h"

#define JAIL_EXIT_STATUS 71 /* EX_OSERR */
#define JAIL_PARENT_CAPS                                                                                     \
    (JAIL_BIT(CAP_SETUID) | JAIL_BIT(CAP_SETGID) | JAIL_BIT(CAP_KILL) | JAIL_BIT(CAP_SYS_CHROOT) |           \
     JAIL_BIT(CAP_SETPCAP))
/* What its children are born with, to build their jails and to do ipvsd's work. */
#define JAIL_CHILD_CAPS                                                                                      \
    (JAIL_BIT(CAP_NET_ADMIN) | JAIL_BIT(CAP_NET_RAW) | JAIL_BIT(CAP_NET_BIND_SERVICE) |                      \
     JAIL_BIT(CAP_SYS_ADMIN) | JAIL_BIT(CAP_DAC_READ_SEARCH) | JAIL_BIT(CAP_SYS_NICE))

static _Noreturn void jail_die(enum role r, const char *step, const char *remedy)
{
    log_err("jail of %s: step \"%s\" failed: %s; %s; the process ends rather than run outside its jail",
            role_name(r), step, strerror(errno), remedy);
    _exit(JAIL_EXIT_STATUS);
}

static int int_cmp(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int jail_close_range(int first, int last)
{
    if (first > last)
        return 0;
    return (int)syscall(SYS_close_range, (unsigned int)first, (unsigned int)last, 0u);
}

/* Closes every descriptor above 2 that is not listed. */
static int jail_close_fds(const struct jail_opts *o)
{
    int keep[16];
    if (o->nkeep > sizeof keep / sizeof keep[0]) {
        errno = E2BIG;
        return -1;
    }
    for (size_t i = 0; i < o->nkeep; i++)
        keep[i] = o->keep_fds[i];
    qsort(keep, o->nkeep, sizeof keep[0], int_cmp);
    int next = STDERR_FILENO + 1;
    for (size_t i = 0; i < o->nkeep; i++) {
        if (jail_close_range(next, keep[i] - 1) < 0)
            return -1;
        next = keep[i] >= next ? keep[i] + 1 : next;
    }
    return (int)syscall(SYS_close_range, (unsigned int)next, ~0u, 0u);
}

bool jail_dir_is_empty(const char *path)
{
    DIR *d = opendir(path);
    if (d == NULL)
        return false;
    bool empty = true;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        empty = empty && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
    closedir(d);
    return empty;
}

/* Opens the empty root and makes sure that it is one: nobody but root could ever put something there. */
static int jail_open_root(void)
{
    struct stat st;
    int fd = open(JAIL_EMPTY_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & 0222) == 0)
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

static int jail_enter_root(void)
{
    int fd = jail_open_root();
    if (fd < 0)
        return -1;
    int rc = fchdir(fd) == 0 && chroot(".") == 0 && chdir("/") == 0 ? 0 : -1;
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

static int jail_set_ids(const struct passwd *pw)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0)
        return -1;
    if (setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
        return -1;
    return prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
}

static void jail_caps_add(capng_type_t sets, uint64_t caps)
{
    for (unsigned int c = 0; c <= CAP_LAST_CAP; c++)
        if ((caps & JAIL_BIT(c)) != 0)
            capng_update(CAPNG_ADD, sets, c);
}

/* held: effective and permitted. bounding is dropped first, which takes CAP_SETPCAP for a moment. */
static int jail_set_caps(uint64_t held, uint64_t bounding, bool may_drop_bounding)
{
    const capng_type_t both = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
    if (may_drop_bounding) {
        capng_clear(CAPNG_SELECT_ALL);
        jail_caps_add(both, held | JAIL_BIT(CAP_SETPCAP));
        jail_caps_add(CAPNG_BOUNDING_SET, bounding);
        if (capng_apply(CAPNG_SELECT_CAPS) < 0 || capng_apply(CAPNG_SELECT_BOUNDS) < 0)
            return -1;
    }
    capng_clear(CAPNG_SELECT_ALL);
    jail_caps_add(both, held);
    if (capng_apply(CAPNG_SELECT_CAPS) < 0)
        return -1;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

/* Never above what the administrator's hard limit already is. */
static int jail_limit(int resource, rlim_t max)
{
    struct rlimit l;
    if (getrlimit((__rlimit_resource_t)resource, &l) < 0)
        return -1;
    l.rlim_max = l.rlim_max < max ? l.rlim_max : max;
    l.rlim_cur = l.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &l);
}

static int jail_set_limits(const struct jail_row *row)
{
    if (jail_limit(RLIMIT_NOFILE, row->nofile) < 0 || jail_limit(RLIMIT_NPROC, 0) < 0 ||
        jail_limit(RLIMIT_CORE, 0) < 0 || jail_limit(RLIMIT_FSIZE, row->fsize) < 0 ||
        jail_limit(RLIMIT_MEMLOCK, RLIM_INFINITY) < 0) /* as far as the hard limit lets it: no_swap */
        return -1;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Not a fence: when it is refused the role works as before, only less punctually on a busy machine. */
static void jail_set_nice(enum role r, const struct jail_row *row)
{
    if (row->nice != 0 && setpriority(PRIO_PROCESS, 0, row->nice) < 0)
        log_warn("%s: priority %d was refused (%s): on a busy machine adverts may be late; give holdfast "
                 "CAP_SYS_NICE",
                 role_name(r), row->nice, strerror(errno));
}

/* The steps only root can take: where the process lives and who it is. */
static void jail_leave_root(enum role r, const struct jail_row *row, const struct passwd *pw)
{
    jail_set_nice(r, row);
    if (row->own_netns && unshare(CLONE_NEWNET) < 0)
        jail_die(r, "network namespace",
                 "the kernel must allow new network namespaces (CAP_SYS_ADMIN at start)");
    if (row->empty_root && jail_enter_root() < 0)
        jail_die(r, "chroot", JAIL_EMPTY_DIR " must be an empty directory of root, mode 0555");
    if (jail_set_ids(pw) < 0)
        jail_die(r, "user and groups", "holdfast must be started as root with CAP_SETUID and CAP_SETGID");
}

static void jail_fence(enum role r, const struct jail_row *row, int abi)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        jail_die(r, "no_new_privs", "needs Linux 3.5 or later");
    if (abi == 0)
        log_warn(
            "jail of %s: this kernel has no Landlock; user, root directory and seccomp still confine it; "
            "a kernel with CONFIG_SECURITY_LANDLOCK and landlock in lsm= adds the missing fence",
            role_name(r));
    else if (jail_landlock_apply(row, abi) < 0)
        jail_die(r, "Landlock", "/proc must be mounted");
}

void jail_enter(enum role r, const struct jail_opts *o, struct msg_ready *report)
{
    const struct jail_row *row = jail_row(r);
    struct jail_report rep;
    struct msg_ready ready = { 0 };
    errno = 0;
    if (row == NULL)
        jail_die(r, "table", "this role has no jail: a bug");
    const struct passwd *pw = o->unprivileged ? NULL : getpwnam(row->user);
    if (pw == NULL && !o->unprivileged)
        jail_die(r, row->user, "create the system user (systemd-sysusers, or make deps)");
    if (jail_close_fds(o) < 0)
        jail_die(r, "close descriptors", "needs close_range, Linux 5.9 or later");
    if (jail_report_open(&rep) < 0)
        jail_die(r, "read /proc/self", "/proc must be mounted");
    if (capng_get_caps_process() < 0)
        jail_die(r, "read capabilities", "/proc must be mounted");
    if (!o->unprivileged)
        jail_leave_root(r, row, pw);
    uint64_t held = row->caps | (o->keep_dac_read && !o->unprivileged ? JAIL_BIT(CAP_DAC_READ_SEARCH) : 0);
    if (jail_set_caps(held, row->caps, !o->unprivileged) < 0)
        jail_die(r, "capabilities", "holdfast must be started with its full set (see the unit file)");
    if (jail_set_limits(row) < 0)
        jail_die(r, "limits", "setrlimit was refused");
    int abi = jail_landlock_abi();
    if (jail_report_before(&rep, &ready, abi) < 0)
        jail_die(r, "read back", "/proc must be mounted");
    jail_fence(r, row, abi);
    if (jail_seccomp_load(row) < 0)
        jail_die(r, "seccomp", "the kernel needs CONFIG_SECCOMP_FILTER");
    if (jail_report_after(&rep, &ready) < 0)
        jail_die(r, "read back", "/proc/self/status could not be read");
    if (report != NULL)
        *report = ready;
}

void jail_drop_dac(void)
{
    capng_clear(CAPNG_SELECT_CAPS);
    if (capng_apply(CAPNG_SELECT_CAPS) < 0)
        jail_die(ROLE_CONF, "drop CAP_DAC_READ_SEARCH", "capset was refused");
}

static int jail_make_dir(const char *path, mode_t mode, struct err *e)
{
    struct stat st;
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return err_set(e, "HF-JAIL-DIR", path, "cannot make %s: %s; holdfast must be started as root", path,
                       strerror(errno));
    if (lstat(path, &st) < 0)
        return err_set(e, "HF-JAIL-DIR", path, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode) || st.st_uid != 0)
        return err_set(e, "HF-JAIL-DIR", path, "%s is not a directory that belongs to root; remove it", path);
    if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0)
        return err_set(e, "HF-JAIL-DIR", path, "cannot set the mode of %s: %s", path, strerror(errno));
    return 0;
}

int jail_prepare(struct err *e)
{
    if (jail_make_dir("/run/holdfast", 0755, e) < 0 || jail_make_dir(JAIL_EMPTY_DIR, 0555, e) < 0)
        return -1;
    if (!jail_dir_is_empty(JAIL_EMPTY_DIR))
        return err_set(e, "HF-JAIL-DIR", JAIL_EMPTY_DIR, "%s is not empty; remove what is in it",
                       JAIL_EMPTY_DIR);
    for (enum role r = 0; r < ROLE_MAX; r++) {
        const struct jail_row *row = jail_row(r);
        if (row != NULL && getpwnam(row->user) == NULL)
            return err_set(
                e, "HF-JAIL-USER", row->user,
                "system user %s of %s does not exist; create it with systemd-sysusers or make deps",
                row->user, role_binary(r));
    }
    return 0;
}

void jail_parent(int root_scripts)
{
    errno = 0;
    if (capng_get_caps_process() < 0)
        jail_die(ROLE_PARENT, "read capabilities", "/proc must be mounted");
    uint64_t bounding = root_scripts ? ~UINT64_C(0) : JAIL_PARENT_CAPS | JAIL_CHILD_CAPS;
    if (jail_set_caps(JAIL_PARENT_CAPS, bounding, true) < 0)
        jail_die(ROLE_PARENT, "capabilities", "holdfast must be started as root (see the unit file)");
}

const char *jail_user(enum role r)
{
    const struct jail_row *row = jail_row(r);
    return row != NULL ? row->user : NULL;
}

int jail_nice(enum role r)
{
    const struct jail_row *row = jail_row(r);
    return row != NULL ? row->nice : 0;
}
