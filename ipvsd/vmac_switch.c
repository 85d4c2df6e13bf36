/*
 * vmac_switch.c - see vmac_switch.h. The interface below must not answer ARP for addresses of its macvlans,
 * nor the macvlan for the interface's own; nothing else of the host's settings is touched: where
 * all.rp_filter is strict the macvlan alone is made loose, which the kernel lets win.
 */
#include "ipvsd/vmac_switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ipvsd/link.h"
#include "ipvsd/sysctl.h"

#define SWITCH_SNAPSHOT_KEY 0x564d0000u /* and the place in the list */
#define SWITCH_BASES_MAX    4096u
#define SWITCH_LOOSE        2 /* rp_filter */

static const char *const base_leafs[] = { "arp_ignore", "arp_filter" };
#define BASE_LEAFS (sizeof base_leafs / sizeof *base_leafs)

/* What the snapshot holds: values before us, -1: not taken. */
struct switch_saved {
    char name[IFNAMSIZ];
    int8_t value[BASE_LEAFS];
};

struct switch_base {
    struct switch_saved was;
    uint32_t ifindex; /* it was set on */
    bool used;
};

struct vmac_switches {
    struct ipvsd *d;
    struct switch_base *v;
    size_t n, saved;
    bool changed;
};

struct vmac_switches *vmac_switches_new(struct ipvsd *d)
{
    struct vmac_switches *s = xcalloc(1, sizeof *s);
    s->d = d;
    return s;
}

static struct switch_base *switch_find(struct vmac_switches *s, const char *name)
{
    for (size_t k = 0; k < s->n; k++)
        if (strcmp(s->v[k].was.name, name) == 0)
            return &s->v[k];
    s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
    struct switch_base *b = &s->v[s->n++];
    memset(b, 0, sizeof *b);
    memcpy(b->was.name, name, strnlen(name, sizeof b->was.name - 1));
    memset(b->was.value, -1, sizeof b->was.value);
    return b;
}

void vmac_switches_restore_snapshot(struct vmac_switches *s)
{
    struct child_snapshot x;
    size_t cursor = 0;
    while (child_snapshot_next(s->d->child, &cursor, &x)) {
        struct switch_saved v;
        if (x.key < SWITCH_SNAPSHOT_KEY || x.key - SWITCH_SNAPSHOT_KEY >= SWITCH_BASES_MAX ||
            x.len != sizeof v)
            continue;
        memcpy(&v, x.data, sizeof v);
        v.name[sizeof v.name - 1] = '\0';
        struct switch_base *b = switch_find(s, v.name);
        const struct iface *i = link_find(s->d, v.name);
        b->was = v;
        b->ifindex = i != NULL ? i->ifindex : 0;
        s->saved++;
    }
}

void vmac_switches_save(struct vmac_switches *s)
{
    if (!s->changed)
        return;
    s->changed = false;
    for (size_t k = 0; k < s->n && k < SWITCH_BASES_MAX; k++)
        child_snapshot(s->d->child, SWITCH_SNAPSHOT_KEY + (uint32_t)k, &s->v[k].was, sizeof s->v[k].was);
    for (size_t k = s->n; k < s->saved && k < SWITCH_BASES_MAX; k++)
        child_snapshot_gone(s->d->child, SWITCH_SNAPSHOT_KEY + (uint32_t)k);
    s->saved = s->n;
}

void vmac_switch_base(struct vmac_switches *s, const struct iface *base)
{
    struct switch_base *b = switch_find(s, base->name);
    b->used = true;
    if (base->ifindex == 0 || base->ifindex == b->ifindex)
        return;
    if (b->ifindex != 0)
        memset(b->was.value, -1, sizeof b->was.value); /* another interface of that name: its own values */
    b->ifindex = base->ifindex;
    for (size_t k = 0; k < BASE_LEAFS; k++) {
        int now = sysctl_read("ipv4", base->name, base_leafs[k]);
        if (now >= 1)
            continue; /* as strict, or stricter */
        if (now < 0 || sysctl_write("ipv4", base->name, base_leafs[k], 1) < 0) {
            log_warn("%s: %s cannot be set: %s; it may answer ARP for addresses of its macvlans", base->name,
                     base_leafs[k], strerror(errno));
            continue;
        }
        b->was.value[k] = (int8_t)now;
        s->changed = true;
        log_info("%s: %s set for the macvlans above it, it was %d", base->name, base_leafs[k], now);
    }
}

void vmac_switches_begin(struct vmac_switches *s)
{
    for (size_t k = 0; k < s->n; k++)
        s->v[k].used = false;
}

static void switch_back(struct vmac_switches *s, const struct switch_base *b)
{
    const struct iface *i = link_find(s->d, b->was.name);
    for (size_t k = 0; k < BASE_LEAFS; k++)
        if (b->was.value[k] >= 0 && b->was.value[k] <= 9 && (i == NULL || i->ifindex == b->ifindex))
            sysctl_write("ipv4", b->was.name, base_leafs[k], b->was.value[k]);
}

void vmac_switches_end(struct vmac_switches *s)
{
    size_t kept = 0;
    for (size_t k = 0; k < s->n; k++) {
        if (s->v[k].used) {
            s->v[kept++] = s->v[k];
            continue;
        }
        switch_back(s, &s->v[k]);
        s->changed = true;
    }
    s->n = kept;
    vmac_switches_save(s);
}

static void switch_set(const char *family, const char *name, const char *leaf, int value)
{
    if (sysctl_read(family, name, leaf) == value)
        return;
    if (sysctl_write(family, name, leaf, value) < 0)
        log_warn("%s: %s cannot be set to %d: %s", name, leaf, value, strerror(errno));
}

/* ---- on a macvlan or ipvlan itself */

struct switch_wish {
    const char *family, *leaf;
    int value;
};
#define SWITCH_WISHES 8u

/* from: whose values say what the machine is like. */
static size_t switch_wishes(const char *from, bool v4, bool v6, struct switch_wish out[SWITCH_WISHES])
{
    int all = sysctl_read("ipv4", "all", "rp_filter");
    size_t n = 0;
    out[n++] = (struct switch_wish){ "ipv4", "arp_ignore", 1 };
    out[n++] = (struct switch_wish){ "ipv4", "rp_filter", all == 1 ? SWITCH_LOOSE : 0 };
    if (v4) {
        out[n++] = (struct switch_wish){ "ipv4", "accept_local", 1 };
        out[n++] = (struct switch_wish){ "ipv4", "promote_secondaries", 1 };
    }
    if (sysctl_read("ipv6", from, "disable_ipv6") < 0)
        return n; /* a kernel without IPv6 */
    if (v6) {     /* before IPv6 is switched on: an interface that is up has its fe80:: at once */
        out[n++] = (struct switch_wish){ "ipv6", "addr_gen_mode", 1 };
        out[n++] = (struct switch_wish){ "ipv6", "accept_ra", 0 };
        out[n++] = (struct switch_wish){ "ipv6", "router_solicitations", 0 };
    }
    out[n++] = (struct switch_wish){ "ipv6", "disable_ipv6", v6 ? 0 : 1 };
    return n;
}

void vmac_switch_own(const char *name, bool v4, bool v6)
{
    struct switch_wish w[SWITCH_WISHES];
    size_t n = switch_wishes(name, v4, v6, w);
    for (size_t i = 0; i < n; i++)
        switch_set(w[i].family, name, w[i].leaf, w[i].value);
}

void vmac_switch_own_foresee(const char *name, bool v4, bool v6, bool fresh, FILE *f)
{
    struct switch_wish w[SWITCH_WISHES];
    const char *from = fresh ? "default" : name; /* what the kernel gives a new interface */
    size_t n = switch_wishes(from, v4, v6, w);
    for (size_t i = 0; i < n; i++)
        sysctl_line(f, w[i].family, name, w[i].leaf, sysctl_read(w[i].family, from, w[i].leaf), w[i].value);
}

static bool switch_named(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* As switch_back and vmac_switch_base do it. */
void vmac_switch_bases_foresee(const struct vmac_switches *s, const char *const *bases, size_t n, FILE *f)
{
    for (size_t k = 0; k < s->n; k++) {
        const struct switch_base *b = &s->v[k];
        const struct iface *i = link_find(s->d, b->was.name);
        for (size_t l = 0; l < BASE_LEAFS && !switch_named(bases, n, b->was.name); l++)
            if (b->was.value[l] >= 0 && b->was.value[l] <= 9 && (i == NULL || i->ifindex == b->ifindex))
                sysctl_line(f, "ipv4", b->was.name, base_leafs[l],
                            sysctl_read("ipv4", b->was.name, base_leafs[l]), b->was.value[l]);
    }
    for (size_t k = 0; k < n; k++) {
        const struct iface *i = link_find(s->d, bases[k]);
        bool held = switch_named(bases, k, bases[k]);
        for (size_t o = 0; o < s->n && !held; o++)
            held = strcmp(s->v[o].was.name, bases[k]) == 0 && i != NULL && i->ifindex == s->v[o].ifindex;
        for (size_t l = 0; l < BASE_LEAFS && !held; l++)
            if (sysctl_read("ipv4", bases[k], base_leafs[l]) == 0)
                sysctl_line(f, "ipv4", bases[k], base_leafs[l], 0, 1);
    }
}
