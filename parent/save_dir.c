/* save_dir.c - see save_dir.h. */
#include "parent/save_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "parent/config.h"
#include "parent/dump.h"
#include "parent/parent.h"

#define SAVE_DIR_CHUNK (1u << 20)

struct save_dir {
    struct parent *p;
    unsigned int texts, reloads;
};

struct save_dir *save_dir_new(struct parent *p)
{
    struct save_dir *s = xcalloc(1, sizeof *s);
    s->p = p;
    return s;
}

void save_dir_free(struct save_dir *s)
{
    free(s);
}

/* NULL: not configured, or it cannot be made (logged). */
static const char *save_dir_path(const struct config *c)
{
    const struct slice_obj *g = c != NULL ? slice_next(c->slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT) : NULL;
    const char *dir = g != NULL ? slice_str(g, KW_GLOBAL_CONFIG_SAVE_DIR, NULL) : NULL;
    if (dir == NULL || mkdir(dir, 0700) == 0 || errno == EEXIST)
        return dir;
    log_warn("config_save_dir %s cannot be made: %s", dir, strerror(errno));
    return NULL;
}

static int save_dir_copy(int from, const char *path)
{
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t n = -1;
    off_t at = 0;
    if (to < 0)
        return -1;
    do
        n = sendfile(to, from, &at, SAVE_DIR_CHUNK);
    while (n > 0);
    int saved = errno;
    close(to);
    errno = saved;
    return n < 0 ? -1 : 0;
}

void save_dir_text(struct save_dir *s, const struct config *c, int fd)
{
    const char *dir = save_dir_path(c);
    char path[PATH_MAX + 64];
    if (dir != NULL) {
        snprintf(path, sizeof path, "%s/keepalived.conf.%d.%u", dir, (int)getpid(), s->texts++);
        if (save_dir_copy(fd, path) < 0)
            log_warn("%s cannot be written: %s", path, strerror(errno));
    }
    close(fd);
}

static void save_dir_dumps(struct save_dir *s, const char *when)
{
    static const struct {
        enum role role;
        const char *name;
    } rooms[] = { { ROLE_VRRPD, "vrrp" }, { ROLE_CHECKD, "check" }, { ROLE_IPVSD, "ipvs" } };
    const char *dir = save_dir_path(s->p->cur);
    char path[PATH_MAX + 64];
    for (size_t i = 0; dir != NULL && i < sizeof rooms / sizeof rooms[0]; i++) {
        const struct room *m = &s->p->room[rooms[i].role];
        if (m->pid == 0)
            continue;
        snprintf(path, sizeof path, "%s/keepalived_%s.%d.%u.%s", dir, rooms[i].name, (int)m->pid, s->reloads,
                 when);
        dump_save(s->p->dumps, rooms[i].role, path);
    }
}

void save_dir_before(struct save_dir *s)
{
    s->reloads++;
    save_dir_dumps(s, "pre");
}

void save_dir_after(struct save_dir *s)
{
    if (s->reloads > 0)
        save_dir_dumps(s, "post");
}
