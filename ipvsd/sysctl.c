/*
 * sysctl.c - see sysctl.h. Original values survive us in snapshots (key = place in the list): a successor
 * that finds the switch already set still knows what to put back.
 */
#include "ipvsd/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipvsd/link.h"

#define SYSCTL_PER_SNAPSHOT 24
#define SYSCTL_KEY_MAX      1024
#define SYSCTL_IGMP_KEY     0x49474d50u
#define SYSCTL_IGMP         "/proc/sys/net/ipv4/igmp_link_local_mcast_reports"

struct sysctl_saved {
    char name[IFNAMSIZ];
    uint8_t value;
};

/* Interface names come from the slice, but a name with a slash or of dots would still be a path. */
static int sysctl_path(char *buf, size_t size, const char *family, const char *name, const char *leaf)
{
    if (strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -1;
    int n = snprintf(buf, size, "/proc/sys/net/%s/conf/%s/%s", family, name, leaf);
    return n > 0 && (size_t)n < size ? 0 : -1;
}

/* -1: cannot be read. Values above 9 do not occur. */
static int sysctl_get(const char *path)
{
    char c = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, &c, 1);
    close(fd);
    return n == 1 && c >= '0' && c <= '9' ? c - '0' : -1;
}

static int sysctl_put(const char *path, int value)
{
    char c = (char)('0' + value);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, &c, 1);
    int saved = errno;
    close(fd);
    errno = saved;
    return n == 1 ? 0 : -1;
}

int sysctl_read(const char *family, const char *name, const char *leaf)
{
    char path[128];
    return sysctl_path(path, sizeof path, family, name, leaf) < 0 ? -1 : sysctl_get(path);
}

int sysctl_write(const char *family, const char *name, const char *leaf, int value)
{
    char path[128];
    return sysctl_path(path, sizeof path, family, name, leaf) < 0 ? -1 : sysctl_put(path, value);
}

void sysctl_line(FILE *f, const char *family, const char *name, const char *leaf, int was, int value)
{
    char path[128];
    if (was != value && sysctl_path(path, sizeof path, family, name, leaf) == 0)
        fprintf(f, "set %s\t%d\t%d\n", path, was, value);
}

static void sysctl_snapshot_part(struct ipvsd *d, uint32_t key, const struct sysctl_saved *v, size_t n)
{
    if (n > 0)
        child_snapshot(d->child, key, v, n * sizeof *v);
    else
        child_snapshot_gone(d->child, key);
}

static void sysctl_snapshot(struct ipvsd *d)
{
    struct sysctl_saved part[SYSCTL_PER_SNAPSHOT];
    size_t n = 0;
    uint32_t key = 0;
    memset(part, 0, sizeof part);
    for (size_t k = 0; k < d->links.n; k++) {
        const struct iface *i = d->links.v[k];
        if (i->promote_saved < 0)
            continue;
        memcpy(part[n].name, i->name, sizeof i->name);
        part[n++].value = (uint8_t)i->promote_saved;
        if (n == SYSCTL_PER_SNAPSHOT) {
            sysctl_snapshot_part(d, key++, part, n);
            n = 0;
        }
    }
    sysctl_snapshot_part(d, key, part, n);
}

void sysctl_restore_snapshot(struct ipvsd *d)
{
    struct child_snapshot s;
    size_t cursor = 0;
    while (child_snapshot_next(d->child, &cursor, &s)) {
        struct sysctl_saved v;
        if (s.key == SYSCTL_IGMP_KEY && s.len == 1 && s.data[0] >= 1 && s.data[0] <= 10)
            d->igmp_was = s.data[0];
        if (s.key > SYSCTL_KEY_MAX)
            continue;
        for (size_t off = 0; off + sizeof v <= s.len; off += sizeof v) {
            memcpy(&v, s.data + off, sizeof v);
            v.name[sizeof v.name - 1] = '\0';
            struct iface *i = link_find(d, v.name);
            if (i != NULL && v.value <= 9)
                i->promote_saved = v.value;
        }
    }
}

static void sysctl_promote_set(struct ipvsd *d, struct iface *i)
{
    int now = sysctl_read("ipv4", i->name, "promote_secondaries");
    if (now == 1) {
        return;
    }
    if (now < 0 || sysctl_write("ipv4", i->name, "promote_secondaries", 1) < 0) {
        log_warn("%s: promote_secondaries cannot be set: %s; removing a primary address will take its "
                 "secondaries along",
                 i->name, strerror(errno));
        return;
    }
    if (i->promote_saved < 0) {
        i->promote_saved = now;
        sysctl_snapshot(d);
    }
    log_info("%s: promote_secondaries set, it was %d", i->name, now);
}

static void sysctl_promote_unset(struct iface *i)
{
    if (i->promote_saved >= 0 && i->ifindex != 0)
        sysctl_write("ipv4", i->name, "promote_secondaries", i->promote_saved);
    i->promote_saved = -1;
}

void sysctl_promote(struct ipvsd *d, struct iface *i, bool hold)
{
    if (hold) {
        if (i->promote_refs++ == 0 && i->ifindex != 0)
            sysctl_promote_set(d, i);
        return;
    }
    if (i->promote_refs > 0 && --i->promote_refs == 0 && i->promote_saved >= 0) {
        sysctl_promote_unset(i);
        sysctl_snapshot(d);
    }
}

void sysctl_iface_there(struct ipvsd *d, struct iface *i)
{
    if (i->promote_refs > 0)
        sysctl_promote_set(d, i);
}

void sysctl_iface_gone(struct iface *i)
{
    i->promote_saved = -1;
    i->router_at = 0;
}

/* Reports of 224.0.0.x are of no use to routers, and some switches choke on them. */
void sysctl_igmp(struct ipvsd *d, const struct slice *s)
{
    const struct slice_obj *o = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    if (o == NULL || !slice_bool(o, KW_GLOBAL_DISABLE_LOCAL_IGMP, false) || d->igmp_was != 0)
        return;
    int was = sysctl_get(SYSCTL_IGMP);
    if (was < 0 || (was != 0 && sysctl_put(SYSCTL_IGMP, 0) < 0)) {
        log_warn("disable_local_igmp: %s: %s; the kernel goes on reporting link-local groups", SYSCTL_IGMP,
                 strerror(errno));
        return;
    }
    d->igmp_was = (uint8_t)(was + 1);
    child_snapshot(d->child, SYSCTL_IGMP_KEY, &d->igmp_was, 1);
}

/* Of the i-th instance of m: the interface it wants promote_secondaries on, NULL: none, or one before it. */
static const char *sysctl_promoted(const struct model *m, size_t i)
{
    const char *name = slice_str(m->insts[i].obj, KW_VI_INTERFACE, NULL);
    if (name == NULL || !slice_bool(m->insts[i].obj, KW_VI_PROMOTE_SECONDARIES, false))
        return NULL;
    for (size_t k = 0; k < i; k++)
        if (slice_bool(m->insts[k].obj, KW_VI_PROMOTE_SECONDARIES, false) &&
            strcmp(slice_str(m->insts[k].obj, KW_VI_INTERFACE, ""), name) == 0)
            return NULL;
    return name;
}

static bool sysctl_stays(const struct model *m, const char *name)
{
    for (size_t k = 0; k < m->ninsts; k++)
        if (slice_bool(m->insts[k].obj, KW_VI_PROMOTE_SECONDARIES, false) &&
            strcmp(slice_str(m->insts[k].obj, KW_VI_INTERFACE, ""), name) == 0)
            return true;
    return false;
}

void sysctl_foresee(struct ipvsd *d, const struct slice *s, FILE *f)
{
    const struct slice_obj *o = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    int was = sysctl_get(SYSCTL_IGMP);
    if (o != NULL && slice_bool(o, KW_GLOBAL_DISABLE_LOCAL_IGMP, false) && d->igmp_was == 0 && was > 0)
        fprintf(f, "set " SYSCTL_IGMP "\t%d\t0\n", was);
    for (size_t k = 0; k < d->links.n; k++) {
        const struct iface *i = d->links.v[k];
        if (i->promote_refs > 0 && i->promote_saved >= 0 && i->ifindex != 0 &&
            !sysctl_stays(d->next, i->name))
            sysctl_line(f, "ipv4", i->name, "promote_secondaries",
                        sysctl_read("ipv4", i->name, "promote_secondaries"), i->promote_saved);
    }
    for (size_t k = 0; k < d->next->ninsts; k++) {
        const char *name = sysctl_promoted(d->next, k);
        const struct iface *i = name != NULL ? link_find(d, name) : NULL;
        int now = name != NULL ? sysctl_read("ipv4", name, "promote_secondaries") : -1;
        if (now >= 0 && (i == NULL || i->promote_refs == 0))
            sysctl_line(f, "ipv4", name, "promote_secondaries", now, 1);
    }
}

void sysctl_restore_all(struct ipvsd *d)
{
    if (d->igmp_was > 1 && sysctl_put(SYSCTL_IGMP, d->igmp_was - 1) < 0)
        log_warn("%s: %s; it stays 0", SYSCTL_IGMP, strerror(errno));
    d->igmp_was = 0;
    for (size_t k = 0; k < d->links.n; k++)
        sysctl_promote_unset(d->links.v[k]);
}

bool sysctl_forwarding6(struct ipvsd *d, struct iface *i)
{
    uint64_t now = ev_now(d->ev);
    if (i->router_at == 0 || now - i->router_at >= NS_PER_SEC) {
        i->router_at = now;
        i->router = sysctl_read("ipv6", i->name, "forwarding") > 0;
    }
    return i->router;
}
