/* place.c - names and opening of the log files; see filelog.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parent/filelog/filelog.h"

#define PLACE_BASE "keepalived"
#define PLACE_EXT  ".log"

int filelog_place(const char *file, const char *suffix, struct filelog_place *out)
{
    static const char *const whose[FILELOG_FILES] = { [FILELOG_PARENT] = "",
                                                      [FILELOG_VRRP] = "_vrrp",
                                                      [FILELOG_CHECK] = "_healthcheckers",
                                                      [FILELOG_IPVS] = "_ipvs" };
    const char *name = file != NULL ? file : PLACE_BASE PLACE_EXT, *slash = strrchr(name, '/');
    int dlen = slash != NULL ? (int)(slash - name) : 0, d;
    if (slash == NULL)
        d = snprintf(out->dir, sizeof out->dir, "%s", FILELOG_TMP);
    else if (name[0] == '/')
        d = snprintf(out->dir, sizeof out->dir, "%.*s", dlen > 0 ? dlen : 1, name);
    else
        d = snprintf(out->dir, sizeof out->dir, "%s/%.*s", FILELOG_TMP, dlen, name);
    name = slash != NULL ? slash + 1 : name;
    const char *dot = strrchr(name, '.'), *ext = dot != NULL && dot != name ? dot : "";
    int base = (int)(strlen(name) - strlen(ext));
    errno = ENAMETOOLONG;
    if (d < 0 || (size_t)d >= sizeof out->dir)
        return -1;
    for (int i = 0; i < FILELOG_FILES; i++) {
        int n = snprintf(out->name[i], sizeof out->name[i], "%.*s%s%s%s", base, name, whose[i], suffix, ext);
        if (n < 0 || (size_t)n >= sizeof out->name[i])
            return -1;
    }
    errno = EISDIR;
    return name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? -1 : 0;
}

static bool place_sound(const struct stat *st)
{
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return false;
    return S_ISLNK(st->st_mode) || (st->st_mode & S_IWOTH) == 0 || (st->st_mode & S_ISVTX) != 0;
}

/* One component: a link counts by itself (who owns it says where it goes), then by what it leads to. */
static int place_step(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return -1;
    errno = EPERM;
    if (!place_sound(&st))
        return -1;
    if (stat(path, &st) < 0)
        return -1;
    errno = S_ISDIR(st.st_mode) ? EPERM : ENOTDIR;
    return S_ISDIR(st.st_mode) && place_sound(&st) ? 0 : -1;
}

/* Every directory of path, from the root on. */
static int place_walk(const char *path, char *bad, size_t size)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    for (size_t i = 1; i <= n; i++) {
        if (i > 1 && i < n && path[i] != '/')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (place_step(part) < 0) {
            snprintf(bad, size, "%s", part);
            return -1;
        }
    }
    return 0;
}

int filelog_open_dir(const char *dir, char *bad, size_t size)
{
    char real[PATH_MAX];
    snprintf(bad, size, "%s", dir);
    if (place_walk(dir, bad, size) < 0 || realpath(dir, real) == NULL || place_walk(real, bad, size) < 0)
        return -1;
    return open(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int filelog_open(int dirfd, const char *name, mode_t mode)
{
    struct stat st;
    int fd = openat(dirfd, name,
                    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
    if (fd < 0)
        return -1;
    errno = EPERM;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}
