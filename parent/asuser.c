/* asuser.c - see asuser.h. */
#include "parent/asuser.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/clock.h"

void asuser_begin(uid_t uid, gid_t gid)
{
    setfsgid(gid);
    setfsuid(uid);
}

void asuser_end(void)
{
    int saved = errno;
    setfsuid(0);
    setfsgid(0);
    errno = saved;
}

int asuser_reopen(int fd, int flags)
{
    struct stat st;
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int got = open(path, flags | O_CLOEXEC);
    if (got >= 0 || errno != EACCES || fstat(fd, &st) < 0 || st.st_uid == 0)
        return got;
    asuser_begin(st.st_uid, st.st_gid);
    got = open(path, flags | O_CLOEXEC);
    asuser_end();
    return got;
}

/* One component further. Where root's eyes see nothing: with those of the directory's owner. */
static int asuser_step(int dir, const char *name, int flags)
{
    struct stat st;
    int fd = openat(dir, name, O_PATH | O_CLOEXEC | flags);
    if (fd >= 0 || errno != EACCES || fstat(dir, &st) < 0 || st.st_uid == 0)
        return fd;
    asuser_begin(st.st_uid, st.st_gid);
    fd = openat(dir, name, O_PATH | O_CLOEXEC | flags);
    asuser_end();
    return fd;
}

static int asuser_walk(const char *path, int flags)
{
    char name[NAME_MAX + 1];
    int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (path += strspn(path, "/"); at >= 0 && *path != '\0'; path += strspn(path, "/")) {
        size_t n = strcspn(path, "/");
        bool last = path[n] == '\0';
        int next = -1;
        errno = ENAMETOOLONG;
        if (snprintf(name, sizeof name, "%.*s", (int)n, path) < (int)sizeof name)
            next = asuser_step(at, name, last ? flags : O_DIRECTORY);
        int saved = errno;
        close(at);
        errno = saved;
        at = next;
        path += n;
    }
    return at;
}

int asuser_path(const char *path, int flags)
{
    int fd = open(path, O_PATH | O_CLOEXEC | flags);
    if (fd >= 0 || errno != EACCES || path[0] != '/')
        return fd;
    return asuser_walk(path, flags);
}

int asuser_watch(int inotify, const char *dir, uint32_t mask)
{
    struct stat st;
    char path[40];
    int fd = asuser_path(dir, O_DIRECTORY);
    if (fd < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int wd = inotify_add_watch(inotify, path, mask);
    if (wd < 0 && errno == EACCES && fstat(fd, &st) == 0) {
        asuser_begin(st.st_uid, st.st_gid);
        wd = inotify_add_watch(inotify, path, mask);
        asuser_end();
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return wd;
}

int asuser_open(const char *path, int flags)
{
    int p = asuser_path(path, flags & O_NOFOLLOW);
    if (p < 0)
        return -1;
    int fd = asuser_reopen(p, flags & ~O_NOFOLLOW);
    int saved = errno;
    close(p);
    errno = saved;
    return fd;
}

/* The directory of path; *base is the last component, in path. */
static int asuser_parent(const char *path, const char **base)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash[1] == '\0' || (size_t)(slash - path) >= sizeof dir) {
        errno = EINVAL;
        return -1;
    }
    *base = slash + 1;
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    return asuser_path(dir[0] != '\0' ? dir : "/", O_DIRECTORY);
}

/* Root may not give a file away (no CAP_CHOWN). But it may make a room in its directory that only the user's
 * group enters, let the user make the FIFO there, and carry it out. */
static int asuser_mkfifo_carried(int dir, const char *base, uid_t uid, gid_t gid, mode_t mode)
{
    char room[40];
    snprintf(room, sizeof room, ".holdfast-%llx", (unsigned long long)clock_monotonic_ns());
    setfsgid(gid);
    int rc = mkdirat(dir, room, 0730);
    asuser_end();
    if (rc < 0)
        return -1;
    int fd = openat(dir, room, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        asuser_begin(uid, gid);
        rc = mknodat(fd, "fifo", S_IFIFO | mode, 0);
        asuser_end();
    }
    if (fd >= 0 && rc == 0)
        rc = renameat2(fd, "fifo", dir, base, RENAME_NOREPLACE);
    else
        rc = -1;
    int saved = errno;
    if (fd >= 0) {
        unlinkat(fd, "fifo", 0);
        close(fd);
    }
    unlinkat(dir, room, AT_REMOVEDIR);
    errno = saved;
    return rc;
}

int asuser_mkfifo(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
    const char *base;
    int dir = asuser_parent(path, &base);
    if (dir < 0)
        return -1;
    mode_t old = umask(0);
    asuser_begin(uid, gid);
    int rc = mknodat(dir, base, S_IFIFO | mode, 0);
    asuser_end();
    if (rc < 0 && errno == EACCES && uid != 0)
        rc = asuser_mkfifo_carried(dir, base, uid, gid, mode);
    int saved = errno;
    umask(old);
    close(dir);
    errno = saved;
    return rc;
}

int asuser_unlink(const char *path)
{
    const char *base;
    struct stat st;
    int dir = asuser_parent(path, &base);
    if (dir < 0)
        return -1;
    int rc = unlinkat(dir, base, 0);
    if (rc < 0 && errno == EACCES && fstat(dir, &st) == 0) {
        asuser_begin(st.st_uid, st.st_gid);
        rc = unlinkat(dir, base, 0);
        asuser_end();
    }
    int saved = errno;
    close(dir);
    errno = saved;
    return rc;
}
