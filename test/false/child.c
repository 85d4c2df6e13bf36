/* child.c - see child.h. The library's own are not linked then. Called by vrrpd's own code. */
#include "test/false/child.h"

#include <string.h>

#include "common/err.h"

struct child *false_running(struct child *set)
{
    static struct child *now;
    if (set != NULL)
        now = set;
    return now;
}

/* What has to be done before a jail is done to a process of the kernel: all of ours are in one. */
static bool false_prepared(int (*pre_jail)(void *arg), void *arg)
{
    static bool done;
    done = done || pre_jail(arg) == 0;
    return done;
}

int child_run(enum role r, const struct child_ops *ops, int (*pre_jail)(void *arg), void *arg)
{
    struct child *c = false_running(NULL);
    if (r != ROLE_VRRPD || !false_prepared(pre_jail, arg))
        fatal("%s cannot be run here", role_name(r));
    c->ops = ops;
    c->arg = arg;
    return 0;
}

struct ev *child_ev(struct child *c)
{
    return c->ev;
}

struct chan *child_parent(struct child *c)
{
    return c->parent;
}

struct chan *child_peer(struct child *c, enum role peer)
{
    return peer == ROLE_IPVSD ? c->ipvsd : peer == ROLE_CHECKD ? c->checkd : NULL;
}

const struct slice *child_slice(struct child *c)
{
    return c->slice;
}

uint32_t child_generation(struct child *c)
{
    return slice_generation(c->slice);
}

bool child_restarted(struct child *c)
{
    return c->restarted;
}

bool child_keep_addresses(struct child *c)
{
    return c->keep;
}

void child_stopped(struct child *c)
{
    c->stopped = true;
}

/* ---- snapshots */

struct false_kept *false_kept_find(struct false_kept *kept, uint32_t key)
{
    for (size_t k = 0; k < FALSE_KEPT; k++)
        if (kept[k].used && kept[k].key == key)
            return &kept[k];
    return NULL;
}

static struct false_kept *false_kept_free(struct false_kept *kept)
{
    for (size_t k = 0; k < FALSE_KEPT; k++)
        if (!kept[k].used)
            return &kept[k];
    fatal("more snapshots than a test has room for");
}

bool child_snapshot_next(struct child *c, size_t *cursor, struct child_snapshot *out)
{
    while (*cursor < FALSE_KEPT && !c->kept[*cursor].used)
        ++*cursor;
    if (*cursor >= FALSE_KEPT)
        return false;
    const struct false_kept *k = &c->kept[(*cursor)++];
    *out = (struct child_snapshot){ .key = k->key, .len = k->len, .data = k->data };
    return true;
}

void child_snapshot(struct child *c, uint32_t key, const void *data, size_t len)
{
    struct false_kept *k = false_kept_find(c->kept, key);
    if (len > SNAPSHOT_MAX)
        fatal("a snapshot of %zu bytes under key %u", len, key);
    if (k == NULL)
        k = false_kept_free(c->kept);
    k->used = true;
    k->key = key;
    k->len = (uint16_t)len;
    memcpy(k->data, data, len);
    if (c->on_keep != NULL)
        c->on_keep(c, key);
}

void child_snapshot_gone(struct child *c, uint32_t key)
{
    struct false_kept *k = false_kept_find(c->kept, key);
    if (k != NULL)
        k->used = false;
}
