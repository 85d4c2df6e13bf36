/* spawn.c - see spawn.h. */
#include "parent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/err.h"
#include "common/role.h"

#define SPAWN_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

int spawn_path(char *path, size_t size, const char *dir, const char *name)
{
    int n = snprintf(path, size, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= size) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

int spawn_find_libexec(char *dir, size_t size)
{
    char self[PATH_MAX], probe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return -1;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL) {
        errno = ENOENT;
        return -1;
    }
    *slash = '\0';
    if (spawn_path(probe, sizeof probe, self, role_binary(ROLE_CONF)) == 0 && access(probe, X_OK) == 0)
        return spawn_path(dir, size, self, ".");
    if (spawn_path(dir, size, self, "../libexec/holdfast") < 0)
        return -1;
    if (spawn_path(probe, sizeof probe, dir, role_binary(ROLE_CONF)) < 0)
        return -1;
    return access(probe, X_OK);
}

static char **spawn_env_add(char **envp, size_t *n, const char *s)
{
    envp = xrealloc(envp, (*n + 2) * sizeof *envp);
    envp[(*n)++] = xstrdup(s);
    envp[*n] = NULL;
    return envp;
}

static bool spawn_env_is(const char *entry, const char *name)
{
    size_t n = strlen(name);
    return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

char **spawn_env_clean(void)
{
    size_t n = 0;
    char **envp = spawn_env_add(NULL, &n, SPAWN_PATH);
    for (char **e = environ; e != NULL && *e != NULL; e++)
        if (spawn_env_is(*e, "LANG") || spawn_env_is(*e, "TZ"))
            envp = spawn_env_add(envp, &n, *e);
    return envp;
}

char **spawn_env_conf(void)
{
    size_t n = 0;
    char **envp = spawn_env_add(NULL, &n, SPAWN_PATH);
    for (char **e = environ; e != NULL && *e != NULL; e++) {
        if (strncmp(*e, "LD_", 3) == 0 || strncmp(*e, "MALLOC_", 7) == 0 || strncmp(*e, "GLIBC_", 6) == 0 ||
            spawn_env_is(*e, "PATH") || spawn_env_is(*e, "NOTIFY_SOCKET") || spawn_env_is(*e, "IFS"))
            continue;
        envp = spawn_env_add(envp, &n, *e);
    }
    return envp;
}

void spawn_env_free(char **envp)
{
    for (char **e = envp; e != NULL && *e != NULL; e++)
        free(*e);
    free(envp);
}

static int spawn_attributes(posix_spawnattr_t *at)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc =
        posix_spawnattr_setflags(at, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(at, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(at, &all);
    return rc;
}

/* Sources lie at 10 and above, so that no dup2 runs over one that is still to come. */
static int spawn_actions(posix_spawn_file_actions_t *fa, int chan_fd, int err_fd, int netns_fd)
{
    int rc = posix_spawn_file_actions_addopen(fa, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(fa, STDIN_FILENO, STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(fa, err_fd, STDERR_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(fa, chan_fd, ROLE_PARENT_FD);
    if (rc == 0 && netns_fd >= 0)
        rc = posix_spawn_file_actions_adddup2(fa, netns_fd, ROLE_NETNS_FD);
    return rc;
}

static int spawn_now(const char *path, char *const argv[], char *const envp[], int chan_fd, int err_fd,
                     int netns_fd, pid_t *pid)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&at);
    int rc = spawn_attributes(&at);
    if (rc == 0)
        rc = spawn_actions(&fa, chan_fd, err_fd, netns_fd);
    if (rc == 0)
        rc = posix_spawn(pid, path, &fa, &at, argv, envp);
    posix_spawnattr_destroy(&at);
    posix_spawn_file_actions_destroy(&fa);
    return rc;
}

int spawn_process(const char *path, char *const argv[], char *const envp[], int chan_fd, int err_fd,
                  int netns_fd, pid_t *pid)
{
    int c = fcntl(chan_fd, F_DUPFD_CLOEXEC, 10);
    int e = fcntl(err_fd, F_DUPFD_CLOEXEC, 10);
    int n = netns_fd >= 0 ? fcntl(netns_fd, F_DUPFD_CLOEXEC, 10) : -1;
    int rc = c < 0 || e < 0 || (netns_fd >= 0 && n < 0) ? errno : spawn_now(path, argv, envp, c, e, n, pid);
    if (n >= 0)
        close(n);
    if (c >= 0)
        close(c);
    if (e >= 0)
        close(e);
    if (rc != 0) {
        errno = rc;
        return -1;
    }
    int pidfd =
        (int)syscall(SYS_pidfd_open, *pid, 0); /* ours and not reaped: the number cannot be anybody else's */
    if (pidfd < 0) { /* no descriptor left, or a kernel before 5.3: a child we cannot watch must not live */
        int saved = errno;
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
        errno = saved;
    }
    return pidfd;
}
