/* linkbeat.c - see linkbeat.h. A question a second and interface; what it says replaces IFF_RUNNING of the
 * news, whether the interface is there and up the news say all the same. */
#include "ipvsd/linkbeat.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/mii.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "ipvsd/link.h"

#define LINKBEAT_EVERY NS_PER_SEC

struct linkbeat {
    struct ipvsd *d;
    int fd; /* any socket: the requests go to the interface they name */
    size_t polled;
    struct ev_timer timer;
};

const char *linkbeat_method_name(enum linkbeat_method m)
{
    switch (m) {
    case LINKBEAT_PROBE: return "probe";
    case LINKBEAT_MII: return "MII";
    case LINKBEAT_ETHTOOL: return "ETHTOOL";
    case LINKBEAT_IOCTL: return "IOCTL";
    }
    return "?";
}

bool linkbeat_running(const struct iface *i)
{
    return i->beat.polled && i->beat.known ? i->beat.up : (i->flags & IFF_RUNNING) != 0;
}

/* ---- asking: 1 carrier, 0 none, -1 errno
 * ------------------------------------------------------------------------------------------------------ */

static int linkbeat_mii(int fd, const char *name)
{
    struct ifreq r = { 0 };
    struct mii_ioctl_data m = { 0 };
    memcpy(r.ifr_name, name, sizeof r.ifr_name);
    if (ioctl(fd, SIOCGMIIPHY, &r) < 0)
        return -1;
    memcpy(&m, &r.ifr_data, sizeof m);
    m.reg_num = MII_BMSR;
    for (int twice = 0; twice < 2; twice++) { /* the bit remembers a loss until it is read */
        memcpy(&r.ifr_data, &m, sizeof m);
        if (ioctl(fd, SIOCGMIIREG, &r) < 0)
            return -1;
        memcpy(&m, &r.ifr_data, sizeof m);
    }
    return (m.val_out & BMSR_LSTATUS) != 0;
}

static int linkbeat_ethtool(int fd, const char *name)
{
    struct ifreq r = { 0 };
    struct ethtool_value v = { .cmd = ETHTOOL_GLINK };
    memcpy(r.ifr_name, name, sizeof r.ifr_name);
    r.ifr_data = (void *)&v;
    return ioctl(fd, SIOCETHTOOL, &r) < 0 ? -1 : v.data != 0;
}

static int linkbeat_ioctl(int fd, const char *name)
{
    struct ifreq r = { 0 };
    memcpy(r.ifr_name, name, sizeof r.ifr_name);
    return ioctl(fd, SIOCGIFFLAGS, &r) < 0 ? -1 : (r.ifr_flags & IFF_RUNNING) != 0;
}

static int linkbeat_ask(int fd, const char *name, enum linkbeat_method m)
{
    switch (m) {
    case LINKBEAT_MII: return linkbeat_mii(fd, name);
    case LINKBEAT_ETHTOOL: return linkbeat_ethtool(fd, name);
    case LINKBEAT_IOCTL: return linkbeat_ioctl(fd, name);
    case LINKBEAT_PROBE: break;
    }
    errno = EINVAL;
    return -1;
}

/* The first method that answers, the wanted one before the others. */
static int linkbeat_probe(struct linkbeat *b, struct iface *i)
{
    static const enum linkbeat_method order[] = { LINKBEAT_MII, LINKBEAT_ETHTOOL, LINKBEAT_IOCTL };
    enum linkbeat_method want = i->beat.want;
    int up = want != LINKBEAT_PROBE ? linkbeat_ask(b->fd, i->name, want) : -1, why = errno;
    i->beat.method = want;
    for (size_t k = 0; up < 0 && k < sizeof order / sizeof *order; k++) {
        i->beat.method = order[k];
        up = linkbeat_ask(b->fd, i->name, order[k]);
    }
    if (up < 0)
        i->beat.method = LINKBEAT_PROBE;
    else if (want != LINKBEAT_PROBE && want != i->beat.method)
        log_warn("interface %s: it cannot be polled by %s (%s), %s is used; change linkbeat_interfaces",
                 i->name, linkbeat_method_name(want), strerror(why), linkbeat_method_name(i->beat.method));
    else
        log_info("interface %s: its carrier is polled by %s", i->name, linkbeat_method_name(i->beat.method));
    return up;
}

/* What cannot be asked has no carrier: nobody could say that it has. */
static void linkbeat_poll(struct linkbeat *b, struct iface *i)
{
    bool was = linkbeat_running(i), known = i->beat.known;
    if (i->ifindex == 0) {
        i->beat.known = false;
        i->beat.method = LINKBEAT_PROBE; /* what comes back may be another device */
        return;
    }
    int up = i->beat.method != LINKBEAT_PROBE && i->beat.ifindex == i->ifindex
                 ? linkbeat_ask(b->fd, i->name, i->beat.method)
                 : linkbeat_probe(b, i);
    i->beat.ifindex = i->ifindex;
    i->beat.known = true;
    i->beat.up = up > 0;
    if (up < 0 && (was || !known))
        log_err("interface %s: its carrier cannot be polled: %s; it counts as lost", i->name,
                strerror(errno));
    if (i->beat.up == was)
        return;
    i->dirty = true; /* told at the end of the turn */
    if (up >= 0)
        log_notice("interface %s: carrier %s, says the poll (%s)", i->name, up ? "is there" : "lost",
                   linkbeat_method_name(i->beat.method));
}

static void linkbeat_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct linkbeat *b = arg;
    for (size_t k = 0; k < b->d->links.n; k++)
        if (b->d->links.v[k]->beat.polled)
            linkbeat_poll(b, b->d->links.v[k]);
    uint64_t next = t->deadline + LINKBEAT_EVERY;
    ev_timer_at(b->d->ev, t, next > now ? next : now + LINKBEAT_EVERY);
}

/* ---- configuration
 * ------------------------------------------------------------------------------------------------------ */

struct linkbeat *linkbeat_new(struct ipvsd *d)
{
    struct linkbeat *b = xcalloc(1, sizeof *b);
    b->d = d;
    b->fd = -1;
    ev_timer_init(&b->timer, linkbeat_on_timer, b);
    return b;
}

static enum linkbeat_method linkbeat_wanted(const struct slice_obj *o)
{
    return slice_bool(o, KW_LINKBEAT_MII, false)       ? LINKBEAT_MII
           : slice_bool(o, KW_LINKBEAT_ETHTOOL, false) ? LINKBEAT_ETHTOOL
           : slice_bool(o, KW_LINKBEAT_IOCTL, false)   ? LINKBEAT_IOCTL
                                                       : LINKBEAT_PROBE;
}

static void linkbeat_want(struct ipvsd *d, const char *name, enum linkbeat_method m)
{
    struct iface *i = link_find(d, name);
    if (i == NULL)
        return;
    if (i->beat.want != m)
        i->beat.method = LINKBEAT_PROBE;
    i->beat.want = m;
    i->beat.wanted = true;
}

/* Everybody, one by one, or the interface of an instance. A macvlan of ours has the carrier of what is below.
 */
static void linkbeat_read(struct ipvsd *d, const struct slice *s)
{
    const struct slice_obj *o = slice_next(s, NULL, BLK_TOP, SLICE_ANY_PARENT);
    bool all = o != NULL && slice_bool(o, KW_TOP_LINKBEAT_USE_POLLING, false);
    for (o = NULL; all && (o = slice_next(s, o, BLK_IFACE, SLICE_ANY_PARENT)) != NULL;)
        if (slice_find(s, BLK_VMAC, o->name) == NULL)
            linkbeat_want(d, o->name, LINKBEAT_PROBE);
    for (o = NULL; (o = slice_next(s, o, BLK_VI, SLICE_ANY_PARENT)) != NULL;)
        if (slice_bool(o, KW_VI_LINKBEAT_USE_POLLING, false))
            linkbeat_want(d, slice_str(o, KW_VI_INTERFACE, NULL), LINKBEAT_PROBE);
    for (o = NULL; (o = slice_next(s, o, BLK_LINKBEAT, SLICE_ANY_PARENT)) != NULL;)
        linkbeat_want(d, slice_str(o, KW_LINKBEAT_X_IF, NULL), linkbeat_wanted(o));
}

void linkbeat_configure(struct linkbeat *b, const struct slice *now)
{
    struct links *l = &b->d->links;
    b->polled = 0;
    for (size_t k = 0; k < l->n; k++)
        l->v[k]->beat.wanted = false;
    linkbeat_read(b->d, now);
    for (size_t k = 0; k < l->n; k++) {
        struct linkbeat_state *s = &l->v[k]->beat;
        s->polled = s->wanted;
        b->polled += s->polled;
        if (!s->polled)
            *s = (struct linkbeat_state){ 0 };
    }
    if (b->polled == 0) {
        ev_timer_stop(b->d->ev, &b->timer);
        return;
    }
    if (b->fd < 0)
        b->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (b->fd < 0)
        log_err("linkbeat: no socket: %s; polled interfaces count as without carrier", strerror(errno));
    for (size_t k = 0; k < l->n; k++)
        if (l->v[k]->beat.polled && !l->v[k]->beat.known)
            linkbeat_poll(b, l->v[k]);
    if (!ev_timer_armed(&b->timer))
        ev_timer_in(b->d->ev, &b->timer, LINKBEAT_EVERY);
}

void linkbeat_dump(const struct linkbeat *b, int fd)
{
    for (size_t k = 0; k < b->d->links.n; k++) {
        const struct iface *i = b->d->links.v[k];
        if (i->beat.polled)
            dprintf(fd, "  polled interface %s: %s, %s\n", i->name, linkbeat_method_name(i->beat.method),
                    linkbeat_running(i) ? "carrier" : "no carrier");
    }
}
