/* pidfile.c - see pidfile.h. */
#include "parent/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* With an instance, a namespace or use_pid_dir the files live in a directory of ours; a namespace has one of
 * its own. */
static void pidfile_place(char out[PATH_MAX], const char *given, const struct pidfile_place *at,
                          const char *base)
{
    bool ours = at->use_pid_dir || at->instance != NULL || at->netns != NULL;
    if (given != NULL) {
        snprintf(out, PATH_MAX, "%s", given);
        return;
    }
    snprintf(out, PATH_MAX, "%s%s%s%s/%s%s%s.pid", at->rundir, ours ? "/holdfast" : "",
             at->netns != NULL ? "/" : "", at->netns != NULL ? at->netns : "", base,
             at->instance != NULL ? "_" : "", at->instance != NULL ? at->instance : "");
}

void pidfile_places(struct pidfiles *p, const struct pidfile_place *at)
{
    p->lock = -1;
    pidfile_place(p->parent, at->given_parent, at, "holdfast");
    pidfile_place(p->vrrp, at->given_vrrp, at, "vrrp");
    pidfile_place(p->check, at->given_check, at, "checkers");
    p->bfd[0] = '\0';
    if (at->given_bfd != NULL)
        pidfile_place(p->bfd, at->given_bfd, at, "bfd");
}

static int pidfile_write(int fd, pid_t pid)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%d\n", (int)pid);
    if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) < 0 || fchmod(fd, 0644) < 0)
        return -1;
    return 0;
}

/* The name may have been unlinked or replaced between open and lock. */
static bool pidfile_same(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int pidfile_lock(struct pidfiles *p)
{
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    for (int tries = 0; tries < 10; tries++) {
        int fd = open(p->parent, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
            return -1;
        if (fcntl(fd, F_OFD_SETLK, &fl) < 0) {
            int saved = errno;
            close(fd);
            errno = saved;
            return saved == EAGAIN || saved == EACCES ? 1 : -1;
        }
        if (pidfile_same(fd, p->parent)) {
            p->lock = fd;
            return pidfile_write(fd, getpid());
        }
        close(fd);
    }
    errno = EBUSY;
    return -1;
}

static const char *pidfile_of(const struct pidfiles *p, enum role r)
{
    switch (r) {
    case ROLE_VRRPD: return p->vrrp;
    case ROLE_CHECKD: return p->check;
    case ROLE_PARENT:
    case ROLE_IPVSD: /* no counterpart in the files people's tools look for */
    case ROLE_CONF:
    case ROLE_CTL:
    case ROLE_MAX: break;
    }
    return NULL;
}

static int pidfile_put(const char *path, pid_t pid)
{
    char tmp[PATH_MAX + 8];
    if (path == NULL || path[0] == '\0')
        return 0;
    if (pid == 0)
        return unlink(path);
    snprintf(tmp, sizeof tmp, "%s.new", path);
    unlink(tmp);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -1;
    int rc = pidfile_write(fd, pid);
    close(fd);
    return rc == 0 ? rename(tmp, path) : rc;
}

int pidfile_child(struct pidfiles *p, enum role r, pid_t pid)
{
    int rc = pidfile_put(pidfile_of(p, r), pid);
    return r == ROLE_VRRPD && pidfile_put(p->bfd, pid) < 0 ? -1 : rc; /* the sessions live in vrrpd */
}

void pidfile_remove(struct pidfiles *p)
{
    if (p->lock < 0)
        return; /* not ours */
    unlink(p->vrrp);
    unlink(p->check);
    if (p->bfd[0] != '\0')
        unlink(p->bfd);
    unlink(p->parent);
    close(p->lock);
    p->lock = -1;
}
