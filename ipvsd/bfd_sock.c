/*
 * bfd_sock.c - see bfd_sock.h. The receiving sockets share their port with those of a former ipvsd, which
 * vrrpd may still hold (SO_REUSEPORT: the same user only), and their filter is replaced in place when
 * neighbours come and go; vrrpd cannot take it off, it has no setsockopt.
 */
#include "ipvsd/bfd_sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/hash.h"
#include "ipvsd/ipvsd.h"
#include "ipvsd/sockopt.h"

#define BFD_SOCK_PORT       3784
#define BFD_SOCK_PORT_MULTI 4784
#define BFD_SOCK_PORT_FIRST 49152 /* of ours, RFC 5881 section 4 */
#define BFD_SOCK_PORTS      16384
#define BFD_SOCK_TRIES      64
#define BFD_SOCK_STEP       7919u
#define BFD_SOCK_TOS        0xc0 /* internetwork control */
#define BFD_SOCK_PRIORITY   6
#define BFD_SOCK_RCVBUF     (256 << 10)
#define BFD_SOCK_RETRY      NS_PER_SEC
#define BFD_SOCK_PROBE      (5 * NS_PER_SEC) /* has the kernel another mind about our source? */
#define BFD_SOCK_BODY       8                /* behind the UDP header, with which the filter's view begins */
#define N_OF(a)             (sizeof(a) / sizeof((a)[0]))

enum { BFD_SOCK_KINDS = 4 }; /* family * hops */

struct bfd_sock_tx {
    const struct slice_obj *obj; /* in the current slice */
    struct bfd_sock_spec spec;
    struct ipaddr local;
    uint16_t port;
    int fd, error;
    uint64_t probe_at;
    bool told;
};

struct bfd_sock_rx {
    bool wanted;
    int fd, error;
};

struct bfd_socks {
    struct ipvsd *d;
    struct bfd_sock_tx *v;
    size_t n;
    struct bfd_sock_rx rx[BFD_SOCK_KINDS];
    struct sock_filter *code;
    struct ev_timer timer;
};

static uint8_t bfd_sock_family(size_t kind)
{
    return kind & 1 ? 6 : 4;
}

static bool bfd_sock_multihop(size_t kind)
{
    return (kind & 2) != 0;
}

static uint16_t bfd_sock_port(bool multihop)
{
    return multihop ? BFD_SOCK_PORT_MULTI : BFD_SOCK_PORT;
}

bool bfd_sock_read(struct bfd_sock_spec *s, const struct slice_obj *o)
{
    int64_t hops = slice_int(o, KW_BFD_MAX_HOPS, 0);
    memset(s, 0, sizeof *s);
    if (slice_uint(o, KW_BFD_X_OFF, 0) != 0 || !slice_ip(o, KW_BFD_NEIGHBOR_IP, &s->dst))
        return false;
    if (!slice_ip(o, KW_BFD_SOURCE_IP, &s->src))
        s->src.family = 0;
    s->multihop = slice_bool(o, KW_BFD_MULTIHOP, false);
    s->ttl = (uint8_t)slice_uint(o, KW_BFD_TTL, 255);
    s->min_ttl = hops < 0 || hops > s->ttl ? 0 : (uint8_t)(s->ttl - hops);
    return true;
}

/* ---- the filter ---------------------------------------------------------------------------------------- */

#define OP(c, v)                                                                                             \
    (struct sock_filter)                                                                                     \
    {                                                                                                        \
        .code = (uint16_t)(c), .k = (uint32_t)(v)                                                            \
    }
#define JUMP(c, v, yes, no)                                                                                  \
    (struct sock_filter)                                                                                     \
    {                                                                                                        \
        .code = (uint16_t)(BPF_JMP | (c) | BPF_K), .jt = (yes), .jf = (no), .k = (uint32_t)(v)               \
    }

#define BFD_SOCK_RULE4  5
#define BFD_SOCK_RULE6  11
#define BFD_SOCK_FIXED  8
#define BFD_SOCK_ACCEPT 0x40000

static uint32_t bfd_sock_word(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Of this neighbour and near enough: accepted. Else the instruction behind. */
static size_t bfd_sock_rule(const struct bfd_sock_spec *s, struct sock_filter *out)
{
    size_t words = ipaddr_len(&s->dst) / 4, n = 0, at = words == 1 ? 12 : 8;
    size_t len = words == 1 ? BFD_SOCK_RULE4 : BFD_SOCK_RULE6;
    for (size_t w = 0; w < words; w++) {
        out[n++] = OP(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + (int)(at + 4 * w));
        out[n] = JUMP(BPF_JEQ, bfd_sock_word(s->dst.b + 4 * w), 0, (uint8_t)(len - n - 1));
        n++;
    }
    out[n++] = OP(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF + (words == 1 ? 8 : 7));
    out[n++] = JUMP(BPF_JGE, s->min_ttl, 0, 1);
    out[n++] = OP(BPF_RET | BPF_K, BFD_SOCK_ACCEPT);
    return n;
}

size_t bfd_sock_filter(uint8_t family, bool multihop, const struct bfd_sock_spec *v, size_t n,
                       struct sock_filter *out)
{
    size_t at = 0, rules = 0, each = family == 4 ? BFD_SOCK_RULE4 : BFD_SOCK_RULE6;
    /* version 1 in the first byte; shorter than that ends the program with a refusal */
    out[at++] = OP(BPF_LD | BPF_B | BPF_ABS, BFD_SOCK_BODY);
    out[at++] = OP(BPF_ALU | BPF_RSH | BPF_K, 5);
    out[at++] = JUMP(BPF_JEQ, 1, 1, 0);
    out[at++] = OP(BPF_RET | BPF_K, 0);
    for (size_t i = 0; i < n; i++)
        rules += v[i].dst.family == family && v[i].multihop == multihop;
    if (rules * each + BFD_SOCK_FIXED > BFD_SOCK_FILTER_MAX) {
        out[at++] = OP(BPF_RET | BPF_K, BFD_SOCK_ACCEPT);
        return at;
    }
    for (size_t i = 0; i < n; i++)
        if (v[i].dst.family == family && v[i].multihop == multihop)
            at += bfd_sock_rule(&v[i], out + at);
    out[at++] = OP(BPF_RET | BPF_K, 0);
    return at;
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static int bfd_sock_close(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int bfd_sock_attach(struct bfd_socks *b, size_t kind, int fd)
{
    struct bfd_sock_spec *v = xcalloc(b->n + 1, sizeof *v);
    for (size_t i = 0; i < b->n; i++)
        v[i] = b->v[i].spec;
    size_t n = bfd_sock_filter(bfd_sock_family(kind), bfd_sock_multihop(kind), v, b->n, b->code);
    struct sock_fprog prog = { .len = (unsigned short)n, .filter = b->code };
    free(v);
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog);
}

static int bfd_sock_setup_rx(struct bfd_socks *b, size_t kind, int fd)
{
    const struct sockopt all[] = { { SOL_SOCKET, SO_REUSEPORT, 1 },
                                   { SOL_SOCKET, SO_RCVBUFFORCE, BFD_SOCK_RCVBUF },
                                   { SOL_SOCKET, SO_TIMESTAMPNS, 1 } };
    const struct sockopt four[] = { { IPPROTO_IP, IP_RECVTTL, 1 }, { IPPROTO_IP, IP_PKTINFO, 1 } };
    const struct sockopt six[] = { { IPPROTO_IPV6, IPV6_V6ONLY, 1 },
                                   { IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
                                   { IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 } };
    bool is4 = bfd_sock_family(kind) == 4;
    struct ipaddr any = { .family = bfd_sock_family(kind) };
    struct sockaddr_storage sa;
    if (bfd_sock_attach(b, kind, fd) < 0 || sockopt_set(fd, all, N_OF(all)) < 0 ||
        sockopt_set(fd, is4 ? four : six, is4 ? N_OF(four) : N_OF(six)) < 0)
        return -1;
    socklen_t len = ipaddr_sockaddr(&any, bfd_sock_port(bfd_sock_multihop(kind)), 0, &sa);
    return bind(fd, (struct sockaddr *)&sa, len);
}

static int bfd_sock_open_rx(struct bfd_socks *b, size_t kind)
{
    int fd =
        socket(bfd_sock_family(kind) == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    return bfd_sock_setup_rx(b, kind, fd) == 0 ? fd : bfd_sock_close(fd);
}

/* The same session has the same port in every life of ours, as its neighbour may demand (RFC 5881 section 4):
 * a number made of what it is, or another one when that is taken. */
static uint32_t bfd_sock_hash(const struct bfd_sock_tx *t)
{
    uint32_t h = HASH_START32;
    for (const char *p = t->obj->name; *p != '\0'; p++)
        h = hash_byte32(h, (uint8_t)*p);
    for (size_t i = 0; i < sizeof t->spec.dst.b; i++)
        h = hash_byte32(hash_byte32(h, t->spec.dst.b[i]), t->spec.src.b[i]);
    return h;
}

/* SO_REUSEPORT lets us in beside our own sockets: those of other sessions are no place for this one. */
static bool bfd_sock_taken(const struct bfd_socks *b, const struct bfd_sock_tx *t, uint16_t port)
{
    for (size_t i = 0; i < b->n; i++)
        if (&b->v[i] != t && b->v[i].fd >= 0 && b->v[i].port == port)
            return true;
    return false;
}

static int bfd_sock_bind_tx(const struct bfd_socks *b, struct bfd_sock_tx *t, int fd)
{
    struct ipaddr any = { .family = t->spec.dst.family };
    uint32_t h = bfd_sock_hash(t);
    errno = EADDRINUSE;
    for (uint32_t i = 0; i < BFD_SOCK_TRIES; i++) {
        struct sockaddr_storage sa;
        uint16_t port = (uint16_t)(BFD_SOCK_PORT_FIRST + (h + i * BFD_SOCK_STEP) % BFD_SOCK_PORTS);
        if (bfd_sock_taken(b, t, port))
            continue;
        socklen_t len = ipaddr_sockaddr(t->spec.src.family != 0 ? &t->spec.src : &any, port, 0, &sa);
        t->port = port;
        if (bind(fd, (struct sockaddr *)&sa, len) == 0)
            return 0;
        if (errno != EADDRINUSE)
            return -1;
    }
    return -1;
}

static int bfd_sock_setup_tx(const struct bfd_socks *b, struct bfd_sock_tx *t, int fd)
{
    const struct bfd_sock_spec *s = &t->spec;
    bool is4 = s->dst.family == 4;
    const struct sockopt o[] = {
        { is4 ? IPPROTO_IP : IPPROTO_IPV6, is4 ? IP_TTL : IPV6_UNICAST_HOPS, s->ttl },
        { is4 ? IPPROTO_IP : IPPROTO_IPV6, is4 ? IP_TOS : IPV6_TCLASS, BFD_SOCK_TOS },
        { SOL_SOCKET, SO_PRIORITY, BFD_SOCK_PRIORITY },
        { SOL_SOCKET, SO_LOCK_FILTER, 1 },
        { SOL_SOCKET, SO_REUSEPORT, 1 }, /* beside that of a former ipvsd, which vrrpd may hold */
    };
    struct sock_filter deaf = OP(BPF_RET | BPF_K, 0);
    struct sock_fprog prog = { .len = 1, .filter = &deaf };
    struct sockaddr_storage sa;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) < 0 ||
        sockopt_set(fd, o, N_OF(o)) < 0 || bfd_sock_bind_tx(b, t, fd) < 0)
        return -1;
    socklen_t len = ipaddr_sockaddr(&s->dst, bfd_sock_port(s->multihop), 0, &sa);
    if (connect(fd, (struct sockaddr *)&sa, len) < 0)
        return -1;
    len = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return -1;
    return ipaddr_from_sockaddr((struct sockaddr *)&sa, &t->local);
}

static int bfd_sock_open_tx(const struct bfd_socks *b, struct bfd_sock_tx *t)
{
    int fd = socket(ipaddr_af(&t->spec.dst), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    return bfd_sock_setup_tx(b, t, fd) == 0 ? fd : bfd_sock_close(fd);
}

/* Without source_ip the kernel's choice may have changed since. True: there is another socket now. */
static bool bfd_sock_probe(const struct bfd_socks *b, struct bfd_sock_tx *t, uint64_t now)
{
    struct ipaddr was = t->local;
    if (t->spec.src.family != 0 || now < t->probe_at)
        return false;
    t->probe_at = now + BFD_SOCK_PROBE;
    int fd = bfd_sock_open_tx(b, t);
    if (fd < 0 || ipaddr_same(&was, &t->local)) { /* no way at all now: the old one may do again later */
        if (fd >= 0)
            close(fd);
        t->local = was;
        return false;
    }
    close(t->fd);
    t->fd = fd;
    return true;
}

/* True: vrrpd is to be told. */
static bool bfd_sock_try_tx(const struct bfd_socks *b, struct bfd_sock_tx *t, uint64_t now)
{
    char text[IPADDR_STRLEN];
    int had = t->error;
    if (t->fd >= 0)
        return bfd_sock_probe(b, t, now);
    t->fd = bfd_sock_open_tx(b, t);
    t->error = t->fd < 0 ? errno : 0;
    t->probe_at = now + BFD_SOCK_PROBE;
    if (t->fd < 0 && t->error != had)
        log_warn("bfd_instance %s: no socket to %s: %s; the session is down, trying again every second",
                 t->obj->name, ipaddr_str(&t->spec.dst, text), strerror(t->error));
    return t->error != had || t->fd >= 0;
}

static bool bfd_sock_try_rx(struct bfd_socks *b, size_t kind)
{
    struct bfd_sock_rx *r = &b->rx[kind];
    int had = r->error;
    if (!r->wanted || r->fd >= 0)
        return false;
    r->fd = bfd_sock_open_rx(b, kind);
    r->error = r->fd < 0 ? errno : 0;
    if (r->fd < 0 && r->error != had)
        log_err("UDP port %u for BFD over IPv%u cannot be opened: %s; is another BFD daemon running? Trying "
                "again "
                "every second",
                bfd_sock_port(bfd_sock_multihop(kind)), bfd_sock_family(kind), strerror(r->error));
    return r->error != had || r->fd >= 0;
}

/* ---- telling ------------------------------------------------------------------------------------------- */

/* A duplicate to pass on, or -1: *error says why there is none. */
static int bfd_sock_dup(int fd, int *error)
{
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy < 0 && fd >= 0)
        *error = errno;
    return copy;
}

static void bfd_sock_tell_rx(struct bfd_socks *b, size_t kind)
{
    struct chan *ch = child_peer(b->d->child, ROLE_VRRPD);
    struct msg_bfd_rx m = { .family = bfd_sock_family(kind), .multihop = bfd_sock_multihop(kind) };
    int error = b->rx[kind].error;
    if (ch == NULL || !b->rx[kind].wanted)
        return;
    int fd = bfd_sock_dup(b->rx[kind].fd, &error);
    m.ok = fd >= 0;
    m.error = (uint32_t)error;
    chan_send(ch, MSG_bfd_rx, &m, m.ok ? &fd : NULL, m.ok);
}

static void bfd_sock_tell_tx(struct bfd_socks *b, struct bfd_sock_tx *t, bool fresh)
{
    struct chan *ch = child_peer(b->d->child, ROLE_VRRPD);
    struct msg_bfd_tx m = { .bfd = t->obj->id, .fresh = fresh };
    int error = t->error;
    if (ch == NULL)
        return;
    int fd = bfd_sock_dup(t->fd, &error);
    m.ok = fd >= 0;
    m.error = (uint32_t)error;
    chan_send(ch, MSG_bfd_tx, &m, m.ok ? &fd : NULL, m.ok);
    t->told = true;
}

void bfd_sock_tell_all(struct bfd_socks *b)
{
    for (size_t k = 0; k < BFD_SOCK_KINDS; k++)
        bfd_sock_tell_rx(b, k);
    for (size_t i = 0; i < b->n; i++)
        bfd_sock_tell_tx(b, &b->v[i], false);
}

void bfd_sock_retry(struct bfd_socks *b)
{
    uint64_t now = ev_now(b->d->ev);
    for (size_t k = 0; k < BFD_SOCK_KINDS; k++)
        if (bfd_sock_try_rx(b, k))
            bfd_sock_tell_rx(b, k);
    for (size_t i = 0; i < b->n; i++)
        if (bfd_sock_try_tx(b, &b->v[i], now) || !b->v[i].told)
            bfd_sock_tell_tx(b, &b->v[i], true);
    if (b->n > 0 && !ev_timer_armed(&b->timer))
        ev_timer_in(b->d->ev, &b->timer, BFD_SOCK_RETRY);
}

static void bfd_sock_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    bfd_sock_retry(arg);
}

/* ---- configuration ------------------------------------------------------------------------------------- */

struct bfd_socks *bfd_sock_new(struct ipvsd *d)
{
    struct bfd_socks *b = xcalloc(1, sizeof *b);
    b->d = d;
    b->code = xcalloc(BFD_SOCK_FILTER_MAX, sizeof *b->code);
    for (size_t k = 0; k < BFD_SOCK_KINDS; k++)
        b->rx[k].fd = -1;
    ev_timer_init(&b->timer, bfd_sock_on_timer, b);
    return b;
}

static bool bfd_sock_same(const struct bfd_sock_spec *a, const struct bfd_sock_spec *b)
{
    return ipaddr_same(&a->src, &b->src) && ipaddr_same(&a->dst, &b->dst) && a->ttl == b->ttl &&
           a->multihop == b->multihop;
}

/* Takes the socket of the session that had this name and these properties. */
static void bfd_sock_inherit(struct bfd_sock_tx *old, size_t n, struct bfd_sock_tx *t)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(old[i].obj->name, t->obj->name) != 0 || !bfd_sock_same(&old[i].spec, &t->spec))
            continue;
        t->fd = old[i].fd;
        t->error = old[i].error;
        t->local = old[i].local;
        t->port = old[i].port;
        t->probe_at = old[i].probe_at;
        t->told = old[i].told;
        old[i].fd = -1;
        return;
    }
}

/* Which ports are needed; the filters of those that are open learn the new neighbours. */
static void bfd_sock_ports(struct bfd_socks *b)
{
    for (size_t k = 0; k < BFD_SOCK_KINDS; k++) {
        struct bfd_sock_rx *r = &b->rx[k];
        r->wanted = false;
        for (size_t i = 0; i < b->n; i++)
            r->wanted = r->wanted || (b->v[i].spec.dst.family == bfd_sock_family(k) &&
                                      b->v[i].spec.multihop == bfd_sock_multihop(k));
        if (r->wanted && r->fd >= 0 && bfd_sock_attach(b, k, r->fd) < 0)
            log_err("the filter of the BFD port cannot be replaced: %s; new neighbours are not heard",
                    strerror(errno));
        if (!r->wanted && r->fd >= 0) {
            close(r->fd);
            r->fd = -1;
        }
    }
}

void bfd_sock_configure(struct bfd_socks *b, const struct slice *now)
{
    struct bfd_sock_tx *old = b->v;
    size_t nold = b->n, n = 0;
    const struct slice_obj *o = NULL;
    while ((o = slice_next(now, o, BLK_BFD, SLICE_ANY_PARENT)) != NULL)
        n++;
    b->v = xcalloc(n + 1, sizeof *b->v);
    b->n = 0;
    while ((o = slice_next(now, o, BLK_BFD, SLICE_ANY_PARENT)) != NULL) {
        struct bfd_sock_tx *t = &b->v[b->n];
        *t = (struct bfd_sock_tx){ .obj = o, .fd = -1 };
        if (!bfd_sock_read(&t->spec, o))
            continue;
        bfd_sock_inherit(old, nold, t);
        b->n++;
    }
    bfd_sock_ports(b);
    for (size_t i = 0; i < nold; i++)
        if (old[i].fd >= 0)
            close(old[i].fd);
    free(old);
    ev_timer_stop(b->d->ev, &b->timer);
    bfd_sock_retry(b);
}

void bfd_sock_dump(const struct bfd_socks *b, int fd)
{
    char to[IPADDR_STRLEN], from[IPADDR_STRLEN];
    for (size_t i = 0; i < b->n; i++)
        dprintf(fd, "  bfd socket %s: %s to %s: %s\n", b->v[i].obj->name,
                b->v[i].fd >= 0 ? ipaddr_str(&b->v[i].local, from) : "none",
                ipaddr_str(&b->v[i].spec.dst, to), b->v[i].fd >= 0 ? "open" : strerror(b->v[i].error));
}
