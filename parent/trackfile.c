/*
 * trackfile.c - see trackfile.h. A directory is watched, not only a file: files are replaced by rename,
 * removed, come back. Writing is heard when the writer closes, so a half-written number is never seen. The
 * content is whoever's may write the file: a bounded read, a pure parser.
 */
#include "parent/trackfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/chan.h"
#include "common/err.h"
#include "common/log.h"
#include "parent/asuser.h"
#include "parent/parent.h"
#include "parent/script.h"

#define TRACK_READ  64
#define TRACK_RETRY (2 * NS_PER_SEC) /* a directory that is not there (yet), or not ours to watch */
#define TRACK_MASK                                                                                           \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |     \
     IN_MOVE_SELF | IN_ONLYDIR)

struct trackfile {
    uint32_t id;
    char *name, *path;
    int wd[2];                  /* of its directory, and of the one a symbolic link leads to; -1: none */
    char base[2][NAME_MAX + 1]; /* its name there */
    bool ok;
    int32_t value;
    char why[200]; /* logged once */
};

struct trackfiles {
    struct parent *p;
    struct trackfile *v;
    size_t n;
    int fd;
    struct ev_io *io;
    struct ev_timer retry;
};

bool trackfile_parse(const char *buf, size_t len, int32_t *value)
{
    size_t i = 0, digits = 0;
    int64_t v = 0;
    while (i < len && (buf[i] == ' ' || buf[i] == '\t'))
        i++;
    bool minus = i < len && buf[i] == '-';
    if (i < len && (buf[i] == '-' || buf[i] == '+'))
        i++;
    for (; i < len && buf[i] >= '0' && buf[i] <= '9'; i++, digits++) {
        v = 10 * v + (buf[i] - '0');
        if (v > (int64_t)INT32_MAX + 1)
            return false;
    }
    if (minus)
        v = -v;
    while (i < len && (buf[i] == ' ' || buf[i] == '\t' || buf[i] == '\r'))
        i++;
    if (digits == 0 || v > INT32_MAX || (i < len && buf[i] != '\n'))
        return false;
    *value = (int32_t)v;
    return true;
}

/* ---- reading */

static int track_open(const struct trackfile *f, struct stat *st)
{
    int p = asuser_path(f->path, 0);
    if (p < 0)
        return -1;
    int fd = -1;
    if (fstat(p, st) == 0 && !S_ISREG(st->st_mode))
        errno = EINVAL;
    else
        fd = asuser_reopen(p, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    int saved = errno;
    close(p);
    errno = saved;
    return fd;
}

/* True: this reason was not logged yet. */
static bool track_new_reason(struct trackfile *f, const char *why)
{
    if (strcmp(f->why, why) == 0)
        return false;
    snprintf(f->why, sizeof f->why, "%s", why);
    return why[0] != '\0';
}

static void track_bad(struct trackfile *f, const char *why)
{
    f->ok = false;
    f->value = 0;
    if (track_new_reason(f, why))
        log_warn("track_file %s: %s: %s; it counts as 0 for priorities and fails every FILE_CHECK on it "
                 "until that is corrected",
                 f->name, f->path, why);
}

/* It is there and cannot be read, which says nothing about its number: a changed mode must not end a fault.
 */
static void track_unreadable(struct trackfile *f, int error)
{
    bool gone = error == ENOENT || error == ENOTDIR;
    if (!f->ok || gone)
        track_bad(f, strerror(error));
    else if (track_new_reason(f, strerror(error)))
        log_warn("track_file %s: %s: %s; its last value %d stays until that is corrected", f->name, f->path,
                 strerror(error), f->value);
}

/* fresh: just created; its writer has not closed it, perhaps not even begun. */
static void track_read(struct trackfile *f, bool fresh)
{
    char buf[TRACK_READ];
    struct stat st;
    int32_t value;
    int fd = track_open(f, &st);
    if (fd < 0 && errno == EINVAL) {
        track_bad(f, "it is not a regular file");
        return;
    }
    ssize_t n = fd >= 0 ? pread(fd, buf, sizeof buf, 0) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        track_unreadable(f, error);
    } else if (n > 0 && trackfile_parse(buf, (size_t)n, &value)) {
        f->ok = true;
        f->value = value;
        f->why[0] = '\0';
    } else if (n > 0 || !fresh) {
        track_bad(f, "its first line is not a number of 32 bits");
    }
}

static void track_tell(const struct trackfiles *t, const struct trackfile *f, enum role who)
{
    struct room *m = &t->p->room[who];
    struct msg_file_value v = { .file = f->id, .ok = f->ok, .value = (uint32_t)f->value };
    if (m->state == ROOM_STARTED && chan_alive(m->ch))
        chan_send(m->ch, MSG_file_value, &v, NULL, 0);
}

static void track_again(struct trackfiles *t, struct trackfile *f, bool fresh)
{
    int32_t value = f->value;
    bool ok = f->ok;
    track_read(f, fresh);
    if (value == f->value && ok == f->ok)
        return;
    log_info("track_file %s: %d%s", f->name, f->value, f->ok ? "" : " (unreadable)");
    track_tell(t, f, ROLE_VRRPD);
    track_tell(t, f, ROLE_CHECKD);
}

/* ---- watching */

static void track_watch_path(const struct trackfiles *t, struct trackfile *f, size_t which, const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    f->wd[which] = -1;
    if (slash == NULL || strlen(slash + 1) > NAME_MAX || (size_t)(slash - path) >= sizeof dir)
        return;
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    snprintf(f->base[which], sizeof f->base[which], "%s", slash + 1);
    f->wd[which] = asuser_watch(t->fd, dir[0] != '\0' ? dir : "/", TRACK_MASK);
}

/* Where a symbolic link leads: realpath(), also behind directories root may not enter. */
static bool track_real(const char *path, char *real, size_t size)
{
    char link[40];
    int fd = asuser_path(path, 0);
    if (fd < 0)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, real, size - 1);
    close(fd);
    real[n > 0 ? n : 0] = '\0';
    return real[0] == '/';
}

/* Watching what is watched gives the same number again: this may be repeated at will. */
static void track_watch(struct trackfiles *t, struct trackfile *f)
{
    char real[PATH_MAX];
    track_watch_path(t, f, 0, f->path);
    f->wd[1] = -1;
    if (track_real(f->path, real, sizeof real) && strcmp(real, f->path) != 0)
        track_watch_path(t, f, 1, real);
    if (f->wd[0] < 0 && !ev_timer_armed(&t->retry))
        ev_timer_in(t->p->ev, &t->retry, TRACK_RETRY);
}

static void track_on_retry(struct ev_timer *timer, uint64_t now, void *arg)
{
    struct trackfiles *t = arg;
    (void)timer;
    (void)now;
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].wd[0] < 0) {
            track_watch(t, &t->v[i]);
            track_again(t, &t->v[i], false);
        }
}

static bool track_concerns(const struct trackfile *f, const struct inotify_event *e)
{
    for (size_t w = 0; w < 2; w++)
        if (f->wd[w] == e->wd && (e->len == 0 || strcmp(e->name, f->base[w]) == 0))
            return true;
    return false;
}

static void track_event(struct trackfiles *t, const struct inotify_event *e)
{
    bool lost = (e->mask & IN_Q_OVERFLOW) != 0;
    bool dir_gone = (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
    for (size_t i = 0; i < t->n; i++) {
        struct trackfile *f = &t->v[i];
        if (!lost && !track_concerns(f, e))
            continue;
        if (dir_gone && (e->mask & IN_MOVE_SELF) != 0)
            inotify_rm_watch(t->fd, e->wd);
        track_watch(t, f); /* a link may lead elsewhere now */
        track_again(t, f, (e->mask & IN_CREATE) != 0);
    }
}

static void track_on_inotify(struct ev_io *w, unsigned int got, void *arg)
{
    struct trackfiles *t = arg;
    _Alignas(struct inotify_event) char buf[8192];
    ssize_t n = read(t->fd, buf, sizeof buf);
    (void)w;
    (void)got;
    for (ssize_t at = 0; n > 0 && at < n;) {
        const struct inotify_event *e = (const struct inotify_event *)(const void *)(buf + at);
        track_event(t, e);
        at += (ssize_t)(sizeof *e + e->len);
    }
}

/* ---- init_file */

static int track_write(int fd, int64_t value)
{
    char line[24];
    int n = snprintf(line, sizeof line, "%lld\n", (long long)value);
    int rc = ftruncate(fd, 0) == 0 && pwrite(fd, line, (size_t)n, 0) == n ? 0 : -1;
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

/* A link in somebody's directory must not make root write elsewhere. */
static int track_overwrite(const char *path, int64_t value)
{
    struct stat st;
    int fd = asuser_open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
        return track_write(fd, value);
    close(fd);
    errno = EPERM;
    return -1;
}

static void track_init(struct trackfile *f, const struct slice_obj *o)
{
    int64_t value = slice_int(o, KW_TFILE_INIT_FILE, 0);
    int fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644), rc = 0;
    if (fd >= 0)
        rc = track_write(fd, value);
    else if (errno != EEXIST)
        rc = -1;
    else if (slice_uint(o, KW_TFILE_X_OVERWRITE, 0) != 0)
        rc = track_overwrite(f->path, value);
    if (rc < 0)
        log_warn("track_file %s: %s cannot be initialised: %s", f->name, f->path, strerror(errno));
}

/* ---- life */

struct trackfiles *trackfiles_new(struct parent *p)
{
    struct trackfiles *t = xcalloc(1, sizeof *t);
    t->p = p;
    t->fd = -1;
    ev_timer_init(&t->retry, track_on_retry, t);
    return t;
}

static void track_free(struct trackfile *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].name);
        free(v[i].path);
    }
    free(v);
}

/* The files themselves belong to the caller from now on. */
static void track_clear(struct trackfiles *t)
{
    t->v = NULL;
    t->n = 0;
    if (t->io != NULL)
        ev_io_del(t->p->ev, t->io);
    t->io = NULL;
    if (t->fd >= 0)
        close(t->fd); /* and every watch with it */
    t->fd = -1;
    ev_timer_stop(t->p->ev, &t->retry);
}

void trackfiles_free(struct trackfiles *t)
{
    if (t == NULL)
        return;
    track_free(t->v, t->n);
    track_clear(t);
    free(t);
}

/* What was read before a reload holds after it, should the file not be readable now. */
static void track_inherit(struct trackfile *f, const struct trackfile *old, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(old[i].path, f->path) == 0) {
            f->ok = old[i].ok;
            f->value = old[i].value;
        }
}

static void track_add(struct trackfiles *t, const struct slice_obj *o, bool first,
                      const struct trackfile *old, size_t nold)
{
    struct trackfile *f = &t->v[t->n++];
    f->id = o->id;
    f->name = xstrdup(o->name);
    f->path = xstrdup(slice_str(o, KW_TFILE_FILE, ""));
    track_inherit(f, old, nold);
    if (first && slice_has(o, KW_TFILE_INIT_FILE))
        track_init(f, o);
    track_watch(t, f);
    track_read(f, false);
}

static void track_listen(struct trackfiles *t)
{
    t->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (t->fd < 0)
        log_err("track_file: changes will not be seen: %s; raise fs.inotify.max_user_instances",
                strerror(errno));
    else
        t->io = ev_io_add(t->p->ev, t->fd, EV_READ, track_on_inotify, t);
}

void trackfiles_load(struct trackfiles *t, const struct config *c, bool first)
{
    const struct slice_obj *o = NULL;
    struct trackfile *old = t->v;
    size_t n = 0, nold = t->n;
    track_clear(t);
    while ((o = slice_next(c->slice, o, BLK_TFILE, SLICE_ANY_PARENT)) != NULL)
        n++;
    if (n > 0) {
        track_listen(t);
        t->v = xcalloc(n, sizeof *t->v);
    }
    while ((o = slice_next(c->slice, o, BLK_TFILE, SLICE_ANY_PARENT)) != NULL)
        track_add(t, o, first, old, nold);
    track_free(old, nold);
}

void trackfiles_tell(struct trackfiles *t, enum role who)
{
    if (who != ROLE_VRRPD && who != ROLE_CHECKD)
        return;
    for (size_t i = 0; i < t->n; i++)
        track_tell(t, &t->v[i], who);
}
