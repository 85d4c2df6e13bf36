/* dump.c - see dump.h. */
#include "parent/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "parent/parent.h"
#include "parent/status.h"

#define DUMP_WHATS 4

struct dumps {
    struct parent *p;
    int dir; /* kept open: the name may change its meaning, the directory does not */
    char dirname[PATH_MAX];
    char tmp[ROLE_MAX][DUMP_WHATS][64]; /* "" = nothing under way */
};

/* NULL: this room does not write that. */
static const char *dump_name(enum role r, enum dump_what what)
{
    static const char *const data[ROLE_MAX] = { [ROLE_PARENT] = "keepalived_parent.data",
                                                [ROLE_VRRPD] = "keepalived.data",
                                                [ROLE_CHECKD] = "keepalived_check.data",
                                                [ROLE_IPVSD] = "keepalived_ipvs.data" };
    switch (what) {
    case DUMP_WHAT_DATA: return data[r];
    case DUMP_WHAT_STATS:
    case DUMP_WHAT_STATS_CLEAR: return r == ROLE_VRRPD ? "keepalived.stats" : NULL;
    case DUMP_WHAT_JSON: return r == ROLE_VRRPD ? "keepalived.json" : NULL;
    }
    return NULL;
}

struct dumps *dump_new(struct parent *p)
{
    struct dumps *d = xcalloc(1, sizeof *d);
    const char *dir = getenv("TMPDIR");
    struct stat st;
    d->p = p;
    if (dir == NULL || dir[0] != '/' || strlen(dir) >= PATH_MAX || stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        dir = "/tmp";
    snprintf(d->dirname, sizeof d->dirname, "%s", dir);
    d->dir = open(d->dirname, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

static int dump_create(struct dumps *d, enum role r, enum dump_what what)
{
    char *tmp = d->tmp[r][what];
    uint64_t random = 0;
    for (int tries = 0; tries < 16; tries++) {
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            return -1;
        snprintf(tmp, sizeof d->tmp[r][what], ".%s.%016llx", dump_name(r, what), (unsigned long long)random);
        int mask = d->p->opt.umask >= 0 ? d->p->opt.umask : 0177;
        int fd = openat(d->dir, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0)
            return fchmod(fd, (mode_t)(0666 & ~mask)) == 0 ? fd : -1;
        if (errno != EEXIST)
            break;
    }
    tmp[0] = '\0';
    return -1;
}

static void dump_publish(struct dumps *d, enum role r, enum dump_what what)
{
    char *tmp = d->tmp[r][what];
    const char *name = dump_name(r, what);
    struct stat st;
    if (fstatat(d->dir, tmp, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0) {
        unlinkat(d->dir, tmp, 0); /* an older dump is worth more than an empty one; the room has said why */
        log_info("%s has nothing to write to %s/%s", role_name(r), d->dirname, name);
    } else if (renameat(d->dir, tmp, d->dir, name) < 0) {
        log_err("%s/%s cannot be written: %s; remove what is in the way", d->dirname, name, strerror(errno));
        unlinkat(d->dir, tmp, 0);
    } else {
        log_info("%s written to %s/%s", role_name(r), d->dirname, name);
    }
    tmp[0] = '\0';
}

static void dump_room(struct dumps *d, struct room *m, enum dump_what what)
{
    struct msg_dump msg = { .what = (uint8_t)what };
    if (dump_name(m->role, what) == NULL || m->state != ROOM_STARTED || d->tmp[m->role][what][0] != '\0')
        return;
    int fd = dump_create(d, m->role, what);
    if (fd < 0) {
        log_err("no dump of %s: %s", role_name(m->role), strerror(errno));
        return;
    }
    chan_send(m->ch, MSG_dump, &msg, &fd, 1);
}

static void dump_parent(struct dumps *d)
{
    int fd = dump_create(d, ROLE_PARENT, DUMP_WHAT_DATA);
    if (fd < 0) {
        log_err("no dump of the parent: %s", strerror(errno));
        return;
    }
    status_write_fd(d->p, fd);
    close(fd);
    dump_publish(d, ROLE_PARENT, DUMP_WHAT_DATA);
}

void dump_request(struct dumps *d, enum dump_what what)
{
    if (d->dir < 0) {
        log_err("no dump: %s cannot be opened", d->dirname);
        return;
    }
    if (what == DUMP_WHAT_DATA)
        dump_parent(d);
    for (int r = ROLE_VRRPD; r <= ROLE_IPVSD; r++)
        dump_room(d, &d->p->room[r], what);
}

int dump_on_dumped(struct dumps *d, enum role who, enum dump_what what)
{
    if (d->tmp[who][what][0] == '\0')
        return -1;
    dump_publish(d, who, what);
    return 0;
}

void dump_on_death(struct dumps *d, enum role who)
{
    for (int w = 0; w < DUMP_WHATS; w++) {
        if (d->tmp[who][w][0] != '\0')
            unlinkat(d->dir, d->tmp[who][w], 0);
        d->tmp[who][w][0] = '\0';
    }
}
