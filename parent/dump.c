/*
 * dump.c - see dump.h. A child writes into memory of its own, sealed off from every file system: a full disk
 * or a slow one is the parent's trouble, never an advert's. What it wrote is not trusted: it is copied, its
 * gaps are filled (dump_fill.c), and it gets a name by rename only when it is whole.
 */
#include "parent/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/writeall.h"
#include "parent/dump_fill.h"
#include "parent/dump_place.h"
#include "parent/netns.h"
#include "parent/parent.h"
#include "parent/status.h"

#define DUMP_WHATS 5
#define DUMP_MAX   (16u << 20) /* as the jails' file size */
#define DUMP_UMASK 0177

struct dump_order {
    bool waits;
    int fd; /* what the child writes into */
    uint32_t generation;
    char *save; /* dump_save: where to; NULL: dump_place.h says so */
};

struct dumps {
    struct parent *p;
    int dir; /* kept open: the name may change its meaning, the directory does not */
    char tmp[PATH_MAX];
    struct dump_order order[ROLE_MAX][DUMP_WHATS];
};

struct dumps *dump_new(struct parent *p)
{
    struct dumps *d = xcalloc(1, sizeof *d);
    const char *dir = getenv("TMPDIR");
    struct stat st;
    d->p = p;
    if (dir == NULL || dir[0] != '/' || strlen(dir) >= PATH_MAX || stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        dir = "/tmp";
    snprintf(d->tmp, sizeof d->tmp, "%s", dir);
    d->dir = open(d->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return d;
}

void dump_free(struct dumps *d)
{
    if (d == NULL)
        return;
    for (int r = 0; r < ROLE_MAX; r++)
        dump_on_death(d, (enum role)r);
    if (d->dir >= 0)
        close(d->dir);
    free(d);
}

/* ---- where to, and how it may be read */

static const struct slice_obj *dump_global(const struct dumps *d)
{
    const struct config *c = d->p->cur;
    return c != NULL ? slice_next(c->slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT) : NULL;
}

/* NAMESPACE_INSTANCE, as far as there are any. */
static void dump_instance(const struct dumps *d, char *buf, size_t size)
{
    const struct parent *p = d->p;
    const char *ns = p->opt.netns != NULL ? p->opt.netns : config_top_str(p->cur, KW_TOP_NET_NAMESPACE);
    const char *inst = config_top_str(p->cur, KW_TOP_INSTANCE);
    ns = ns != NULL ? netns_short_name(ns) : "";
    inst = inst != NULL ? inst : "";
    snprintf(buf, size, "%s%s%s", ns, ns[0] != '\0' && inst[0] != '\0' ? "_" : "", inst);
}

static bool dump_where(const struct dumps *d, enum role r, enum dump_what what, struct dump_place *out)
{
    static const enum kw file[DUMP_WHATS] = { KW_GLOBAL_STATE_DUMP_FILE, KW_GLOBAL_STATS_DUMP_FILE,
                                              KW_GLOBAL_STATS_DUMP_FILE, KW_GLOBAL_JSON_DUMP_FILE,
                                              KW_GLOBAL_STATE_DUMP_FILE };
    const struct slice_obj *g = dump_global(d);
    char inst[NAME_MAX + 1];
    bool too_long;
    struct dump_wish w = { .tmp = d->tmp };
    dump_instance(d, inst, sizeof inst);
    if (g != NULL) {
        w.file = slice_str(g, file[what], NULL);
        w.instance = slice_bool(g, KW_GLOBAL_DATA_USE_INSTANCE, false) ? inst : NULL;
    }
    if (dump_place(r, what, &w, out, &too_long))
        return true;
    if (too_long)
        log_err("no dump of %s: its file name is too long; shorten %s", role_name(r),
                schema_kw(file[what])->name);
    return false;
}

static mode_t dump_mode(const struct dumps *d)
{
    const struct slice_obj *g = dump_global(d);
    mode_t mask = g != NULL ? (mode_t)slice_uint(g, KW_GLOBAL_UMASK, DUMP_UMASK) : DUMP_UMASK;
    if (d->p->opt.umask >= 0)
        mask = (mode_t)d->p->opt.umask;
    return 0666 & ~mask;
}

/* ---- the file */

/* A name nobody can have put there before us. */
static int dump_create(int dir, const char *name, mode_t mode, char *tmp, size_t size)
{
    uint64_t random = 0;
    for (int tries = 0; tries < 16; tries++) {
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            return -1;
        snprintf(tmp, size, ".%.200s.%016llx", name, (unsigned long long)random);
        int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 && fchmod(fd, mode) == 0)
            return fd;
        if (fd >= 0) {
            close(fd);
            unlinkat(dir, tmp, 0);
            return -1;
        }
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

static int dump_publish(int dir, const struct dump_place *at, mode_t mode, const char *text, size_t len)
{
    char tmp[NAME_MAX + 1];
    int fd = dump_create(dir, at->name, mode, tmp, sizeof tmp);
    if (fd < 0)
        return -1;
    int rc = write_all(fd, text, len);
    if (close(fd) < 0)
        rc = -1;
    if (rc == 0)
        rc = renameat(dir, tmp, dir, at->name);
    if (rc < 0) {
        int saved = errno;
        unlinkat(dir, tmp, 0);
        errno = saved;
    }
    return rc;
}

static void dump_put(struct dumps *d, enum role r, enum dump_what what, const char *text, size_t len)
{
    struct dump_place at;
    if (!dump_where(d, r, what, &at))
        return;
    if (len == 0 && what == DUMP_WHAT_BFD)
        return;     /* there are no sessions */
    if (len == 0) { /* an older dump is worth more than an empty one; the room has said why */
        log_info("%s has nothing to write to %s/%s", role_name(r), at.dir, at.name);
        return;
    }
    int dir = at.in_tmp ? d->dir : open(at.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || dump_publish(dir, &at, dump_mode(d), text, len) < 0)
        log_err("%s/%s cannot be written: %s", at.dir, at.name, strerror(errno));
    else
        log_info("%s written to %s/%s", role_name(r), at.dir, at.name);
    if (dir >= 0 && !at.in_tmp)
        close(dir);
}

/* ---- orders */

static void dump_order(struct dumps *d, struct room *m, enum dump_what what, const char *save)
{
    struct dump_order *o = &d->order[m->role][what];
    struct msg_dump msg = { .what = (uint8_t)what };
    struct dump_place at;
    if (m->state != ROOM_STARTED || o->waits || (save == NULL && !dump_where(d, m->role, what, &at)))
        return;
    int fd = memfd_create("dump", MFD_CLOEXEC);
    int theirs = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (theirs < 0) {
        log_err("no dump of %s: %s", role_name(m->role), strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    *o = (struct dump_order){ .waits = true,
                              .fd = fd,
                              .generation = d->p->cur->generation,
                              .save = save != NULL ? xstrdup(save) : NULL };
    chan_send(m->ch, MSG_dump, &msg, &theirs, 1);
}

static void dump_drop(struct dump_order *o)
{
    if (o->waits)
        close(o->fd);
    free(o->save);
    *o = (struct dump_order){ 0 };
}

/* The child may still hold the memory: it is read, never mapped. */
static uint8_t *dump_read(int fd, size_t *len)
{
    struct stat st;
    *len = 0;
    if (fstat(fd, &st) < 0 || st.st_size <= 0)
        return NULL;
    size_t size = st.st_size < (off_t)DUMP_MAX ? (size_t)st.st_size : DUMP_MAX;
    uint8_t *buf = xcalloc(1, size);
    while (*len < size) {
        ssize_t n = pread(fd, buf + *len, size - *len, (off_t)*len);
        if (n <= 0)
            break;
        *len += (size_t)n;
    }
    return buf;
}

static void dump_parent(struct dumps *d)
{
    size_t len = 0;
    int fd = memfd_create("dump", MFD_CLOEXEC);
    if (fd < 0) {
        log_err("no dump of the parent: %s", strerror(errno));
        return;
    }
    status_write_fd(d->p, fd);
    uint8_t *text = dump_read(fd, &len);
    dump_put(d, ROLE_PARENT, DUMP_WHAT_DATA, (const char *)text, len);
    free(text);
    close(fd);
}

void dump_request(struct dumps *d, enum dump_what what)
{
    if (d->p->cur == NULL)
        return;
    if (what == DUMP_WHAT_DATA)
        dump_parent(d);
    for (int r = ROLE_VRRPD; r <= ROLE_IPVSD; r++)
        dump_order(d, &d->p->room[r], what, NULL);
    if (what == DUMP_WHAT_DATA)
        dump_order(d, &d->p->room[ROLE_VRRPD], DUMP_WHAT_BFD, NULL);
}

void dump_save(struct dumps *d, enum role who, const char *path)
{
    dump_order(d, &d->p->room[who], DUMP_WHAT_DATA, path);
}

static void dump_put_saved(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, text, len) < 0)
        log_warn("%s cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

int dump_on_dumped(struct dumps *d, enum role who, enum dump_what what)
{
    struct dump_order *o = what < DUMP_WHATS ? &d->order[who][what] : NULL;
    if (o == NULL || !o->waits)
        return -1;
    if (o->generation != d->p->cur->generation) { /* ids meant something else when it was asked */
        bool again = o->save == NULL;
        dump_drop(o);
        if (again)
            dump_order(d, &d->p->room[who], what, NULL);
        return 0;
    }
    size_t len, outlen = 0;
    char *out = NULL;
    uint8_t *raw = dump_read(o->fd, &len);
    FILE *f = open_memstream(&out, &outlen);
    if (f != NULL)
        dump_fill(d->p->cur->scripts, raw, len, f);
    if (f == NULL || fclose(f) != 0)
        fatal("out of memory");
    if (o->save != NULL)
        dump_put_saved(o->save, out, outlen);
    else
        dump_put(d, who, what, out, outlen);
    free(out);
    free(raw);
    dump_drop(o);
    return 0;
}

void dump_on_death(struct dumps *d, enum role who)
{
    for (int w = 0; w < DUMP_WHATS; w++)
        dump_drop(&d->order[who][w]);
}
