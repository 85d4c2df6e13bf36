/*
 * fifo.c - see fifo.h. A reader that stops reading loses lines in the end (linequeue.h), never delays us. A
 * reader script of ours that ends is started again, later and later.
 */
#include "parent/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "parent/asuser.h"
#include "parent/linequeue.h"
#include "parent/parent.h"
#include "parent/runner.h"

#define FIFO_MODE        0644 /* & ~umask */
#define FIFO_UMASK       0177
#define FIFO_AGAIN_LEAST NS_PER_SEC
#define FIFO_AGAIN_MOST  (60 * NS_PER_SEC)
#define FIFO_LONG_LIFE   (60 * NS_PER_SEC)

enum fifo_place { FIFO_PLACE_ALL, FIFO_PLACE_VRRP, FIFO_PLACE_LVS, FIFO_PLACES };

struct fifo {
    struct fifos *all;
    enum fifo_place place;
    char *path; /* NULL: not configured */
    int fd;     /* -1: not open */
    uid_t uid;
    gid_t gid;
    dev_t dev;
    ino_t ino;
    bool created; /* by us: removed by us */
    struct linequeue lines;
    struct script *script; /* its reader; scripts holds the reference */
    struct scripts *scripts;
    struct run *run;
    uint64_t run_since, again_after;
    struct ev_timer again;
};

struct fifos {
    struct parent *p;
    struct fifo v[FIFO_PLACES];
    bool closing;
};

static const struct {
    enum kw path, script;
} fifo_rows[FIFO_PLACES] = {
    [FIFO_PLACE_ALL] = { KW_GLOBAL_NOTIFY_FIFO, KW_GLOBAL_NOTIFY_FIFO_SCRIPT },
    [FIFO_PLACE_VRRP] = { KW_GLOBAL_VRRP_NOTIFY_FIFO, KW_GLOBAL_VRRP_NOTIFY_FIFO_SCRIPT },
    [FIFO_PLACE_LVS] = { KW_GLOBAL_LVS_NOTIFY_FIFO, KW_GLOBAL_LVS_NOTIFY_FIFO_SCRIPT },
};

static void fifo_reader_start(struct fifo *o);

static void fifo_on_again(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    fifo_reader_start(arg);
}

struct fifos *fifos_new(struct parent *p)
{
    struct fifos *f = xcalloc(1, sizeof *f);
    f->p = p;
    for (enum fifo_place i = 0; i < FIFO_PLACES; i++) {
        f->v[i].all = f;
        f->v[i].place = i;
        f->v[i].fd = -1;
        ev_timer_init(&f->v[i].again, fifo_on_again, &f->v[i]);
    }
    return f;
}

/* ---- readers */

static void fifo_on_reader_end(void *arg, const struct runner_end *e)
{
    struct fifo *o = arg;
    uint64_t now = ev_now(o->all->p->ev);
    o->run = NULL;
    if (o->all->closing || o->fd < 0)
        return;
    if (now - o->run_since >= FIFO_LONG_LIFE || o->again_after == 0)
        o->again_after = FIFO_AGAIN_LEAST;
    log_warn("%s: the reader of %s has ended (%s %u); it is started again in %llu s", o->script->label,
             o->path, e->how == RUN_END_EXIT ? "status" : "signal", e->value,
             (unsigned long long)(o->again_after / NS_PER_SEC));
    ev_timer_in(o->all->p->ev, &o->again, o->again_after);
    o->again_after = 2 * o->again_after < FIFO_AGAIN_MOST ? 2 * o->again_after : FIFO_AGAIN_MOST;
}

static void fifo_reader_start(struct fifo *o)
{
    struct parent *p = o->all->p;
    const char *extra[] = { o->path };
    struct runner_job job = { .script = o->script,
                              .extra = extra,
                              .nextra = 1,
                              .dies_with_us = true,
                              .done = fifo_on_reader_end,
                              .arg = o };
    struct runner_end e;
    if (o->script == NULL || o->fd < 0 || o->run != NULL || o->all->closing)
        return;
    o->run = runner_start(p->runner, &job, &e);
    o->run_since = ev_now(p->ev);
    if (o->run == NULL) /* the reason is logged; it may go away */
        ev_timer_in(p->ev, &o->again, FIFO_AGAIN_MOST);
}

static void fifo_reader_stop(struct fifo *o)
{
    ev_timer_stop(o->all->p->ev, &o->again);
    if (o->run != NULL) {
        runner_forget(o->run);
        runner_terminate(o->run);
    }
    o->run = NULL;
    o->again_after = 0;
    o->script = NULL;
    scripts_unref(o->scripts);
    o->scripts = NULL;
}

static bool fifo_reader_same(const struct script *a, const struct script *b)
{
    if (a == NULL || b == NULL || a->argc != b->argc || a->who->uid != b->who->uid ||
        a->who->gid != b->who->gid)
        return false;
    for (size_t i = 0; i < a->argc; i++)
        if (strcmp(a->argv[i], b->argv[i]) != 0)
            return false;
    return true;
}

/* moved: another FIFO lies under the path, so the old reader reads from nowhere. */
static void fifo_reader_load(struct fifo *o, struct script *s, bool moved)
{
    bool same = fifo_reader_same(o->script, s) && !moved;
    if (!same)
        fifo_reader_stop(o);
    if (s == NULL)
        return;
    struct scripts *old = o->scripts;
    o->script = s;
    o->scripts = scripts_ref(s->all);
    scripts_unref(old);
    if (!ev_timer_armed(&o->again))
        fifo_reader_start(o);
}

/* ---- open, create */

static int fifo_try(struct fifo *o)
{
    struct stat st;
    int p = asuser_path(o->path, O_NOFOLLOW);
    if (p < 0)
        return -1;
    if (fstat(p, &st) < 0 || !S_ISFIFO(st.st_mode) || (st.st_uid != 0 && st.st_uid != o->uid)) {
        errno = S_ISFIFO(st.st_mode) ? EPERM : EEXIST;
        close(p);
        return -1;
    }
    o->fd = asuser_reopen(p, O_RDWR | O_NONBLOCK);
    int saved = errno;
    close(p);
    errno = saved;
    o->dev = st.st_dev;
    o->ino = st.st_ino;
    if (o->fd < 0)
        return -1;
    linequeue_open(&o->lines, o->all->p->ev, o->fd, o->path);
    return 0;
}

static mode_t fifo_umask(const struct parent *p)
{
    const struct slice_obj *g = slice_next(p->cur->slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    if (p->opt.umask >= 0)
        return (mode_t)p->opt.umask;
    return g != NULL ? (mode_t)slice_uint(g, KW_GLOBAL_UMASK, FIFO_UMASK) : FIFO_UMASK;
}

static void fifo_open(struct fifo *o)
{
    const char *name = schema_kw(fifo_rows[o->place].path)->name;
    o->created = false;
    if (fifo_try(o) == 0)
        return;
    if (errno == ENOENT) {
        mode_t mode = FIFO_MODE & ~fifo_umask(o->all->p);
        o->created = asuser_mkfifo(o->path, o->uid, o->gid, mode) == 0;
        if (o->created && fifo_try(o) == 0)
            return;
    }
    const char *why = errno == EEXIST ? "it exists and is not a FIFO; remove it"
                      : errno == EPERM
                          ? "it belongs neither to root nor to the user configured for it; chown or remove it"
                          : strerror(errno);
    log_err("%s %s cannot be used: %s; its events are lost", name, o->path, why);
}

/* Under its path lies what we opened. */
static bool fifo_still_there(const struct fifo *o)
{
    struct stat st;
    int p = asuser_path(o->path, O_NOFOLLOW);
    bool same = p >= 0 && fstat(p, &st) == 0 && st.st_dev == o->dev && st.st_ino == o->ino;
    if (p >= 0)
        close(p);
    return same;
}

static void fifo_shut(struct fifo *o)
{
    if (o->fd >= 0) {
        linequeue_close(&o->lines);
        close(o->fd);
    }
    o->fd = -1;
    if (o->created && fifo_still_there(o) && asuser_unlink(o->path) < 0)
        log_warn("%s cannot be removed: %s", o->path, strerror(errno));
    o->created = false;
}

/* ---- load */

static const char *fifo_path(const struct slice_obj *g, enum fifo_place i)
{
    const char *path = scripts_word(g, fifo_rows[i].path, 0);
    const char *all = scripts_word(g, KW_GLOBAL_NOTIFY_FIFO, 0);
    if (i != FIFO_PLACE_ALL && path != NULL && all != NULL && strcmp(path, all) == 0)
        return NULL; /* notify_fifo brings its lines already */
    return path;
}

static struct script *fifo_script(const struct config *c, const struct slice_obj *g, enum fifo_place i)
{
    struct script *s = g != NULL ? scripts_find(c->scripts, g->id, fifo_rows[i].script) : NULL;
    const char *vrrp = fifo_path(g, FIFO_PLACE_VRRP), *lvs = fifo_path(g, FIFO_PLACE_LVS);
    bool shared = i == FIFO_PLACE_LVS && vrrp != NULL && lvs != NULL && strcmp(vrrp, lvs) == 0;
    if (s != NULL && shared && scripts_find(c->scripts, g->id, KW_GLOBAL_VRRP_NOTIFY_FIFO_SCRIPT) != NULL)
        return NULL; /* one reader is enough */
    return s;
}

static void fifo_load(struct fifo *o, const struct config *c, const struct slice_obj *g)
{
    const char *path = fifo_path(g, o->place);
    if (path == NULL) {
        fifo_reader_stop(o);
        if (o->path != NULL)
            fifo_shut(o);
        free(o->path);
        o->path = NULL;
        return;
    }
    const struct script_who *w = scripts_who(c->scripts, scripts_word(g, fifo_rows[o->place].path, 1),
                                             scripts_word(g, fifo_rows[o->place].path, 2));
    uid_t uid = w->known ? w->uid : 0;
    gid_t gid = w->known ? w->gid : 0;
    bool same = o->path != NULL && strcmp(o->path, path) == 0 && o->uid == uid && o->gid == gid &&
                o->fd >= 0 && fifo_still_there(o);
    if (!same) {
        if (o->path != NULL)
            fifo_shut(o);
        free(o->path);
        o->path = xstrdup(path);
        o->uid = uid;
        o->gid = gid;
        fifo_open(o);
    }
    fifo_reader_load(o, fifo_script(c, g, o->place), !same);
}

void fifos_load(struct fifos *f, const struct config *c)
{
    const struct slice_obj *g = slice_next(c->slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    for (enum fifo_place i = 0; i < FIFO_PLACES; i++)
        fifo_load(&f->v[i], c, g);
}

/* ---- lines */

static void fifo_write(struct fifo *o, const char *line, size_t len)
{
    if (o->fd >= 0)
        linequeue_put(&o->lines, line, len);
}

void fifos_line(struct fifos *f, enum fifo_kind kind, const char *line)
{
    size_t len = strlen(line);
    fifo_write(&f->v[FIFO_PLACE_ALL], line, len);
    fifo_write(&f->v[kind == FIFO_VRRP ? FIFO_PLACE_VRRP : FIFO_PLACE_LVS], line, len);
}

bool fifos_wanted(const struct fifos *f, enum fifo_kind kind)
{
    return f->v[FIFO_PLACE_ALL].fd >= 0 || f->v[kind == FIFO_VRRP ? FIFO_PLACE_VRRP : FIFO_PLACE_LVS].fd >= 0;
}

/* ---- end */

void fifos_close(struct fifos *f)
{
    f->closing = true;
    for (enum fifo_place i = 0; i < FIFO_PLACES; i++)
        if (f->v[i].path != NULL)
            fifo_shut(&f->v[i]);
}

bool fifos_readers(const struct fifos *f)
{
    for (enum fifo_place i = 0; i < FIFO_PLACES; i++)
        if (f->v[i].run != NULL)
            return true;
    return false;
}

void fifos_end_readers(struct fifos *f)
{
    for (enum fifo_place i = 0; i < FIFO_PLACES; i++)
        fifo_reader_stop(&f->v[i]);
}

void fifos_free(struct fifos *f)
{
    if (f == NULL)
        return;
    fifos_close(f);
    fifos_end_readers(f);
    for (enum fifo_place i = 0; i < FIFO_PLACES; i++)
        free(f->v[i].path);
    free(f);
}
