/*
 * timed.c - see timed.h. The directory of the time file is watched, so it may come, go and be replaced at
 * will; a clock that is set makes the time be looked at again. Both files are the administrator's and may lie
 * in somebody else's directory: nothing is followed, truncated or removed there that this somebody could not
 * reach.
 */
#include "parent/timed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "parent/asuser.h"
#include "parent/lifecycle.h"
#include "parent/parent.h"
#include "parent/reload_time.h"
#include "parent/save_dir.h"

#define TIMED_MASK                                                                                           \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct timed {
    struct parent *p;
    char *path; /* of the time file; NULL: none */
    char base[NAME_MAX + 1];
    bool repeat;
    int fd, clock;
    struct ev_io *io, *clockio;
    int64_t at; /* armed for; 0: not */
    struct save_dir *save;
    char *marker; /* reload_file, as long as it is there by our doing */
};

static const struct slice_obj *timed_global(const struct parent *p)
{
    return p->cur != NULL ? slice_next(p->cur->slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT) : NULL;
}

/* ---- the time
 * ----------------------------------------------------------------------------------------------------- */

static void timed_arm(struct timed *t, int64_t at)
{
    struct itimerspec its = { .it_value = { .tv_sec = (time_t)at } };
    t->at = at;
    if (t->clock >= 0)
        timerfd_settime(t->clock, at != 0 ? TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET : 0, &its, NULL);
}

static void timed_say(const struct timed *t, int64_t at)
{
    char text[40] = "";
    struct tm tm;
    time_t when = (time_t)at;
    if (localtime_r(&when, &tm) != NULL)
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &tm);
    log_notice("%s: the configuration is read again at %s", t->path, text);
}

/* 1: read; 0: there is no such file; -1: it is nothing to read, errno */
static int timed_open(const struct timed *t, char *buf, size_t size, size_t *len)
{
    struct stat st;
    int fd = asuser_open(t->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    ssize_t n = -1;
    errno = EINVAL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = pread(fd, buf, size, 0);
    int saved = errno;
    close(fd);
    errno = saved;
    *len = n > 0 ? (size_t)n : 0;
    return n < 0 ? -1 : 1;
}

static void timed_read(struct timed *t)
{
    char buf[RELOAD_TIME_MAX];
    struct reload_time when;
    size_t len = 0;
    int64_t at = 0, was = t->at;
    int got = timed_open(t, buf, sizeof buf, &len);
    if (got < 0)
        log_warn("%s cannot be read: %s; no reload is planned", t->path, strerror(errno));
    else if (got > 0 && len > 0 && !reload_time_parse(buf, len, &when))
        log_warn("%s: its first line is not HH:MM:SS, YY-MM-DD HH:MM:SS or YYYY-MM-DD HH:MM:SS with an "
                 "optional Z; no "
                 "reload is planned",
                 t->path);
    else if (got > 0 && len > 0 &&
             !reload_time_next(&when, (int64_t)(clock_realtime_ns() / NS_PER_SEC), &at)) {
        log_warn("%s: that time has passed; no reload is planned", t->path);
        at = 0;
    }
    timed_arm(t, at);
    if (at != 0 && at != was)
        timed_say(t, at);
    else if (at == 0 && was != 0 && got == 0)
        log_notice("%s is gone: no reload is planned any more", t->path);
}

static void timed_on_clock(struct ev_io *w, unsigned int got, void *arg)
{
    struct timed *t = arg;
    uint64_t ticks;
    (void)w;
    (void)got;
    ssize_t n = read(t->clock, &ticks, sizeof ticks);
    if (n < 0 && errno == ECANCELED) {
        timed_read(t); /* somebody set the clock */
        return;
    }
    if (n != (ssize_t)sizeof ticks || t->at == 0)
        return;
    log_notice("%s: it is time", t->path);
    t->at = 0;
    if (t->repeat)
        timed_read(t);
    else if (asuser_unlink(t->path) < 0)
        log_warn("%s cannot be removed: %s; remove it, or it will be obeyed again", t->path, strerror(errno));
    lifecycle_reload(t->p);
}

/* ---- its directory
 * ------------------------------------------------------------------------------------------------ */

static void timed_on_dir(struct ev_io *w, unsigned int got, void *arg)
{
    struct timed *t = arg;
    _Alignas(struct inotify_event) char buf[4096];
    ssize_t n = read(t->fd, buf, sizeof buf);
    bool changed = false, lost = false;
    (void)w;
    (void)got;
    for (ssize_t at = 0; n > 0 && at < n;) {
        const struct inotify_event *e = (const struct inotify_event *)(const void *)(buf + at);
        changed = changed || (e->mask & IN_Q_OVERFLOW) != 0 || (e->len > 0 && strcmp(e->name, t->base) == 0);
        lost = lost || (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
        at += (ssize_t)(sizeof *e + e->len);
    }
    if (lost) {
        log_warn("the directory of %s is gone: no reload is planned until the next one by hand", t->path);
        timed_arm(t, 0);
    } else if (changed) {
        timed_read(t);
    }
}

static int timed_watch(struct timed *t)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(t->path, '/');
    if (slash == NULL || slash[1] == '\0' || strlen(slash + 1) > NAME_MAX || strlen(t->path) >= sizeof dir) {
        errno = EINVAL;
        return -1;
    }
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - t->path), t->path);
    snprintf(t->base, sizeof t->base, "%s", slash + 1);
    t->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    t->clock = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (t->fd < 0 || t->clock < 0)
        return -1;
    t->io = ev_io_add(t->p->ev, t->fd, EV_READ, timed_on_dir, t);
    t->clockio = ev_io_add(t->p->ev, t->clock, EV_READ, timed_on_clock, t);
    return asuser_watch(t->fd, dir[0] != '\0' ? dir : "/", TIMED_MASK) < 0 ? -1 : 0;
}

static void timed_forget(struct timed *t)
{
    if (t->io != NULL)
        ev_io_del(t->p->ev, t->io);
    if (t->clockio != NULL)
        ev_io_del(t->p->ev, t->clockio);
    if (t->fd >= 0)
        close(t->fd);
    if (t->clock >= 0)
        close(t->clock);
    t->io = t->clockio = NULL;
    t->fd = t->clock = -1;
    t->at = 0;
    free(t->path);
    t->path = NULL;
}

static void timed_load(struct timed *t)
{
    const struct slice_obj *g = timed_global(t->p);
    const char *path = g != NULL ? slice_str(g, KW_GLOBAL_RELOAD_TIME_FILE, NULL) : NULL;
    int64_t was = t->at;
    timed_forget(t);
    if (path == NULL)
        return;
    t->path = xstrdup(path);
    t->repeat = slice_bool(g, KW_GLOBAL_RELOAD_REPEAT, false);
    if (timed_watch(t) < 0) {
        log_warn("reload_time_file %s cannot be watched: %s; make its directory and reload", path,
                 strerror(errno));
        timed_forget(t);
        return;
    }
    t->at = was; /* what was said is not said again */
    timed_read(t);
}

/* ---- reload_file
 * -------------------------------------------------------------------------------------------------- */

/* Without a name: the parent's pid file with another ending. */
static char *timed_marker(const struct parent *p)
{
    const struct slice_obj *g = timed_global(p);
    const char *path = g != NULL ? slice_str(g, KW_GLOBAL_RELOAD_FILE, NULL) : NULL;
    char *made;
    if (path == NULL || path[0] == '/')
        return path != NULL ? xstrdup(path) : NULL;
    size_t n = strlen(p->pids.parent);
    if (n > 4 && strcmp(p->pids.parent + n - 4, ".pid") == 0)
        n -= 4;
    if (asprintf(&made, "%.*s.reload", (int)n, p->pids.parent) < 0)
        fatal("out of memory");
    return made;
}

/* A link in somebody's directory must not make root empty another file. */
static int timed_truncate(const char *path)
{
    struct stat st;
    int fd = asuser_open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    errno = EPERM;
    int rc = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 ? ftruncate(fd, 0) : -1;
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

void timed_begin(struct timed *t)
{
    save_dir_before(t->save);
    if (t->marker != NULL)
        return;
    t->marker = timed_marker(t->p);
    if (t->marker == NULL)
        return;
    int fd = open(t->marker, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    int rc = fd < 0 ? -1 : 0;
    if (fd >= 0)
        close(fd);
    else if (errno == EEXIST)
        rc = timed_truncate(t->marker);
    if (rc < 0)
        log_warn("reload_file %s cannot be made: %s", t->marker, strerror(errno));
}

static void timed_unmark(struct timed *t)
{
    struct stat st;
    char *path =
        t->marker != NULL ? t->marker : timed_marker(t->p); /* at start somebody may have put it there */
    t->marker = NULL;
    if (path == NULL)
        return;
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        log_warn("reload_file %s is not removed: it is not a regular file", path);
    else if (asuser_unlink(path) < 0 && errno != ENOENT)
        log_warn("reload_file %s cannot be removed: %s", path, strerror(errno));
    free(path);
}

/* ---- a reading, from its beginning to its end
 * ---------------------------------------------------------------------- */

void timed_save(struct timed *t, const struct config *c, int fd)
{
    save_dir_text(t->save, c, fd);
}

void timed_end(struct timed *t, bool in_force)
{
    timed_unmark(t);
    if (!in_force)
        return;
    save_dir_after(t->save);
    timed_load(t);
}

struct timed *timed_new(struct parent *p)
{
    struct timed *t = xcalloc(1, sizeof *t);
    t->p = p;
    t->fd = t->clock = -1;
    t->save = save_dir_new(p);
    return t;
}

void timed_free(struct timed *t)
{
    if (t == NULL)
        return;
    timed_forget(t);
    if (t->marker != NULL)
        timed_unmark(t);
    save_dir_free(t->save);
    free(t);
}
