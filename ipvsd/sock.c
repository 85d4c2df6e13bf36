/*
 * sock.c - see sock.h. A pair for each BLK_SOCKET: accept (also for sending) and reject. From socket() on the
 * kernel queues what matches the protocol, so a pair is emptied once its filter stands: nothing unfiltered is
 * ever passed. The filter is locked, vrrpd cannot take it off.
 */
#include "ipvsd/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "ipvsd/link.h"
#include "ipvsd/sockopt.h"
#include "ipvsd/vmac.h"
#include "ipvsd/vrrpfilter.h"

#define VRIDS              256
#define SOCK_PROTO_VRRP    112
#define SOCK_PROTO_AH      51
#define SOCK_TOS           0xc0 /* internetwork control */
#define SOCK_PRIORITY      6
#define SOCK_RCVBUF        (256 << 10)
#define SOCK_RCVBUF_LEAST  (16 << 10) /* of a written size: less would lose adverts that come at once */
#define SOCK_RCVBUF_MAX    (64 << 20)
#define SOCK_RCVBUF_REJECT (32 << 10) /* junk fills a bucket of its own, a small one */
#define SOCK_CHECKSUM_AT   6
#define SOCK_RETRY         NS_PER_SEC

enum sock_end { SOCK_ACCEPT, SOCK_REJECT, SOCK_ENDS };

struct vsock {
    const struct slice_obj *obj; /* in the current slice */
    struct iface *iface;
    struct iface *base; /* below iface, when that is a macvlan of ours; else NULL */
    bool bound;         /* to an interface, which must exist */
    bool unknown;       /* the reject filter lets unknown VRIDs through */
    uint32_t ifindex;   /* it was opened on */
    uint32_t below;     /* the group was joined there as well; 0: nowhere */
    int fd[SOCK_ENDS];
    int error;
    bool told;
};

/* What the slice says about one socket. */
struct sock_cfg {
    struct vrrpfilter_spec filter;
    struct ipaddr group; /* family 0: unicast */
    int rcvbuf, ttl;
    uint32_t base; /* ifindex below a macvlan of ours, 0: it is none */
};

static int sock_rcvbuf(const struct vsock *s)
{
    uint64_t mtu = s->iface != NULL ? s->iface->mtu : 0;
    uint64_t size =
        slice_uint(s->obj, KW_SOCKET_X_RCVBUF, 0) + mtu * slice_uint(s->obj, KW_SOCKET_X_RCVMTU, 0);
    if (size == 0)
        return SOCK_RCVBUF;
    return size < SOCK_RCVBUF_LEAST ? SOCK_RCVBUF_LEAST
           : size > SOCK_RCVBUF_MAX ? SOCK_RCVBUF_MAX
                                    : (int)size;
}

static struct sock_cfg sock_read(const struct vsock *s)
{
    const struct slice_obj *o = s->obj;
    struct sock_cfg c = { .ttl = (int)slice_uint(o, KW_SOCKET_X_TTL, 255) };
    uint64_t vrid[VRIDS];
    c.rcvbuf = sock_rcvbuf(s);
    c.filter.family = (uint8_t)slice_uint(o, KW_SOCKET_X_FAMILY, 4);
    c.filter.multicast = !slice_bool(o, KW_SOCKET_X_UNICAST, false);
    c.filter.ah = slice_bool(o, KW_SOCKET_X_AH, false);
    c.filter.unknown = s->unknown;
    c.base = s->base != NULL ? s->base->ifindex : 0;
    c.filter.versions = (uint8_t)slice_uint(o, KW_SOCKET_X_VERSIONS, 0);
    if (c.filter.multicast && slice_ip(o, KW_SOCKET_X_GROUP, &c.group))
        c.filter.dst = c.group;
    if (!c.filter.multicast && !slice_ip(o, KW_SOCKET_X_SRC, &c.filter.dst))
        c.filter.dst.family = 0;
    for (size_t n = slice_uints(o, KW_SOCKET_X_VRID, vrid, VRIDS); n > 0; n--)
        vrrpfilter_add_vrid(&c.filter, (uint8_t)vrid[n - 1]);
    return c;
}

/* ---- opening
 * -------------------------------------------------------------------------------------------------------- */

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* The source may be an address that this machine does not have (mcast_src_ip, one that was taken away): a
 * master that holds the addresses and is refused its adverts makes a second one. A kernel that refuses this
 * leaves us with the addresses that are there. */
static void sock_any_source(int fd, int level, int name)
{
    const struct sockopt o = { level, name, 1 };
    if (sockopt_set(fd, &o, 1) < 0)
        log_debug("a source address that is not here cannot be used: %s", strerror(errno));
}

/* Joins (or leaves) the group of c on an interface. */
static int sock_group(int fd, const struct ipaddr *group, uint32_t ifindex, bool join)
{
    struct ip_mreqn m4 = { .imr_ifindex = (int)ifindex };
    struct ipv6_mreq m6 = { .ipv6mr_interface = ifindex };
    if (group->family == 4) {
        memcpy(&m4.imr_multiaddr, group->b, 4);
        return setsockopt(fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &m4, sizeof m4);
    }
    memcpy(&m6.ipv6mr_multiaddr, group->b, 16);
    return setsockopt(fd, IPPROTO_IPV6, join ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP, &m6, sizeof m6);
}

/* Snooping switches hear of the group from the interface below: what the macvlan says is held back. */
static int sock_join(int fd, const struct sock_cfg *c, int ifindex)
{
    if (sock_group(fd, &c->group, (uint32_t)ifindex, true) < 0)
        return -1;
    return c->base == 0 ? 0 : sock_group(fd, &c->group, c->base, true);
}

static int sock_setup4(int fd, const struct sock_cfg *c, int ifindex)
{
    const struct sockopt o[] = {
        { IPPROTO_IP, IP_HDRINCL, 0 },
        { IPPROTO_IP, IP_TOS, SOCK_TOS },
        { IPPROTO_IP, IP_TTL, c->ttl },
        /* AH signs the IP header, so its id must be known before: with "don't fragment" it is 0 */
        { IPPROTO_IP, IP_MTU_DISCOVER, c->filter.ah ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT },
        { IPPROTO_IP, IP_MULTICAST_TTL, c->ttl },
        { IPPROTO_IP, IP_MULTICAST_LOOP, 0 },
    };
    if (sockopt_set(fd, o, N_OF(o)) < 0)
        return -1;
    sock_any_source(fd, IPPROTO_IP, IP_TRANSPARENT);
    if (c->group.family == 0)
        return 0;
    struct ip_mreqn m = { .imr_ifindex = ifindex };
    if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m) < 0)
        return -1;
    return sock_join(fd, c, ifindex);
}

static int sock_setup6(int fd, const struct sock_cfg *c, int ifindex)
{
    const struct sockopt o[] = {
        { IPPROTO_IPV6, IPV6_TCLASS, SOCK_TOS },       { IPPROTO_IPV6, IPV6_UNICAST_HOPS, c->ttl },
        { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, c->ttl }, { IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0 },
        { IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },         { IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
    };
    int at = SOCK_CHECKSUM_AT;
    if (sockopt_set(fd, o, N_OF(o)) < 0)
        return -1;
    sock_any_source(fd, IPPROTO_IPV6, IPV6_FREEBIND); /* with a macvlan it always is the base's */
    /* the kernel fills the checksum in and verifies it; with an authentication header it cannot */
    if (!c->filter.ah && setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &at, sizeof at) < 0)
        return -1;
    if (c->group.family == 0)
        return 0;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof ifindex) < 0)
        return -1;
    return sock_join(fd, c, ifindex);
}

/* What came between socket() and the filter. */
static void sock_empty(int fd)
{
    char byte;
    while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno == EINTR)
        ;
}

static int sock_setup(int fd, const struct sock_cfg *c, enum sock_end end, int ifindex)
{
    struct sock_filter code[VRRPFILTER_MAX];
    size_t n = end == SOCK_ACCEPT ? vrrpfilter_accept(&c->filter, code) : vrrpfilter_reject(&c->filter, code);
    struct sock_fprog prog = { .len = (unsigned short)n, .filter = code };
    const struct sockopt before[] = {
        { SOL_SOCKET, SO_RCVBUFFORCE, end == SOCK_ACCEPT ? c->rcvbuf : SOCK_RCVBUF_REJECT },
        { SOL_SOCKET, SO_TIMESTAMPNS, 1 },
    };
    const struct sockopt after[] = {
        { SOL_SOCKET, SO_PRIORITY, SOCK_PRIORITY }, /* behind IP_TOS, which sets one of its own */
        { SOL_SOCKET, SO_LOCK_FILTER, 1 },
    };
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) < 0)
        return -1;
    if (ifindex != 0 && setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &ifindex, sizeof ifindex) < 0)
        return -1;
    if (sockopt_set(fd, before, N_OF(before)) < 0)
        return -1;
    sock_empty(fd);
    if ((c->filter.family == 4 ? sock_setup4(fd, c, ifindex) : sock_setup6(fd, c, ifindex)) < 0)
        return -1;
    return sockopt_set(fd, after, N_OF(after));
}

static int sock_open_end(const struct sock_cfg *c, enum sock_end end, int ifindex)
{
    int af = c->filter.family == 4 ? AF_INET : AF_INET6;
    int fd =
        socket(af, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, c->filter.ah ? SOCK_PROTO_AH : SOCK_PROTO_VRRP);
    if (fd < 0)
        return -1;
    if (sock_setup(fd, c, end, ifindex) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Before its successor joins. vrrpd has the socket as well and may close it later: the kernel, which counts
 * by number of the interface, would take that for a leave of the successor when the interface has come back
 * under its old number (it was in another namespace), and nobody would hear the group any more. */
static void sock_leave(const struct vsock *s, int fd)
{
    struct ipaddr group;
    if (slice_bool(s->obj, KW_SOCKET_X_UNICAST, false) || !slice_ip(s->obj, KW_SOCKET_X_GROUP, &group))
        return;
    sock_group(fd, &group, s->ifindex, false); /* it may be gone, and the membership with it */
    if (s->below != 0)
        sock_group(fd, &group, s->below, false);
}

static void sock_close(struct vsock *s)
{
    for (int end = 0; end < SOCK_ENDS; end++) {
        if (s->fd[end] < 0)
            continue;
        sock_leave(s, s->fd[end]);
        close(s->fd[end]);
        s->fd[end] = -1;
    }
}

/* Opens what should be open. True: something is different for vrrpd. */
static bool sock_open(struct vsock *s)
{
    int had = s->error;
    uint32_t want = s->iface != NULL && vmac_usable(s->iface) ? s->iface->ifindex : 0;
    if (s->fd[SOCK_ACCEPT] >= 0 && s->ifindex == want)
        return false;
    sock_close(s);
    s->ifindex = want;
    s->error = 0;
    if (s->bound && want == 0) {
        s->error = ENODEV;
        return had != ENODEV;
    }
    struct sock_cfg c = sock_read(s);
    s->below = c.base;
    for (int end = 0; end < SOCK_ENDS && s->error == 0; end++) {
        s->fd[end] = sock_open_end(&c, (enum sock_end)end, (int)want);
        if (s->fd[end] < 0)
            s->error = errno;
    }
    if (s->error == 0)
        return true;
    sock_close(s);
    if (had != s->error)
        log_err("VRRP socket %s cannot be opened: %s; trying again every second", s->obj->name,
                strerror(s->error));
    return had != s->error;
}

/* ---- telling
 * ----------------------------------------------------------------------------------------------------------
 */

static void sock_tell(struct ipvsd *d, struct vsock *s)
{
    struct chan *ch = child_peer(d->child, ROLE_VRRPD);
    struct msg_sock m = { .sock = s->obj->id, .ok = s->error == 0, .error = (uint32_t)s->error };
    int fds[SOCK_ENDS] = { -1, -1 };
    if (ch == NULL)
        return;
    for (int end = 0; end < SOCK_ENDS && m.ok; end++) {
        fds[end] = fcntl(s->fd[end], F_DUPFD_CLOEXEC, 0);
        if (fds[end] >= 0)
            continue;
        m.ok = 0;
        m.error = (uint32_t)errno;
        if (end > 0)
            close(fds[0]);
        log_err("VRRP socket %s cannot be passed on: %s", s->obj->name, strerror(errno));
    }
    chan_send(ch, MSG_sock, &m, m.ok ? fds : NULL, m.ok ? SOCK_ENDS : 0);
    s->told = true;
}

void sock_tell_all(struct ipvsd *d)
{
    for (size_t i = 0; i < d->socks.n; i++)
        sock_tell(d, &d->socks.v[i]);
}

void sock_retry(struct ipvsd *d)
{
    bool broken = false;
    for (size_t i = 0; i < d->socks.n; i++) {
        struct vsock *s = &d->socks.v[i];
        if (sock_open(s) || !s->told)
            sock_tell(d, s);
        broken = broken || (s->error != 0 && s->error != ENODEV);
    }
    if (broken)
        ev_timer_in(d->ev, &d->socks.retry, SOCK_RETRY);
}

static void sock_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    sock_retry(arg);
}

void sock_init(struct ipvsd *d)
{
    ev_timer_init(&d->socks.retry, sock_on_timer, d);
}

/* ---- configuration
 * ---------------------------------------------------------------------------------------------------- */

/* Takes the descriptors of the socket that had this name and these properties. */
static void sock_inherit(struct vsocks *old, struct vsock *s)
{
    for (size_t i = 0; i < old->n; i++) {
        struct vsock *o = &old->v[i];
        if (strcmp(o->obj->name, s->obj->name) != 0)
            continue;
        if (slice_obj_same(o->obj, s->obj) && o->unknown == s->unknown) {
            memcpy(s->fd, o->fd, sizeof s->fd);
            s->ifindex = o->ifindex;
            s->below = o->below;
            s->error = o->error;
            s->told = o->told;
            o->fd[SOCK_ACCEPT] = o->fd[SOCK_REJECT] = -1;
        }
        return;
    }
}

void sock_configure(struct ipvsd *d, const struct slice *now)
{
    struct vsocks old = d->socks;
    const struct slice_obj *o = NULL, *g = slice_next(now, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    bool unknown = g != NULL && slice_bool(g, KW_GLOBAL_LOG_UNKNOWN_VRIDS, false);
    size_t n = 0;
    while ((o = slice_next(now, o, BLK_SOCKET, SLICE_ANY_PARENT)) != NULL)
        n++;
    d->socks.v = xcalloc(n + 1, sizeof *d->socks.v);
    d->socks.n = 0;
    while ((o = slice_next(now, o, BLK_SOCKET, SLICE_ANY_PARENT)) != NULL) {
        struct vsock *s = &d->socks.v[d->socks.n++];
        const char *name = slice_str(o, KW_SOCKET_X_IFACE, NULL);
        *s = (struct vsock){ .obj = o, .unknown = unknown, .bound = name != NULL, .fd = { -1, -1 } };
        s->iface = link_find(d, name);
        s->base = link_find(d, slice_str(o, KW_SOCKET_X_BASE, NULL));
        sock_inherit(&old, s);
    }
    /* The new ones listen before the old ones fall silent. */
    sock_retry(d);
    for (size_t i = 0; i < old.n; i++)
        sock_close(&old.v[i]);
    free(old.v);
}

struct vsock *sock_find(struct ipvsd *d, const char *name)
{
    for (size_t i = 0; name != NULL && i < d->socks.n; i++)
        if (strcmp(d->socks.v[i].obj->name, name) == 0)
            return &d->socks.v[i];
    return NULL;
}

int sock_fd(const struct vsock *s)
{
    return s->fd[SOCK_ACCEPT];
}

uint32_t sock_ifindex(const struct vsock *s)
{
    return s->ifindex;
}

void sock_dump(struct ipvsd *d, int fd)
{
    for (size_t i = 0; i < d->socks.n; i++) {
        const struct vsock *s = &d->socks.v[i];
        dprintf(fd, "  socket %s: %s\n", s->obj->name, s->error == 0 ? "open" : strerror(s->error));
    }
}
