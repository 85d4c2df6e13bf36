/* io.c - see io.h. */
#include "vrrpd/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "vrrpd/rxmeta.h"

#define IO_BATCH         32
#define IO_BUF           (60 + PACKET_MAX + 64) /* IPv4 header with options, the longest advert, a little more */
#define IO_CONTROL       128
#define IO_ACCEPT_BUDGET 256 /* datagrams a turn: timers wait for no flood */
#define IO_POLL_BUDGET   4096
#define IO_REJECT_BUDGET 64
#define IO_REJECT_REST   (10 * NS_PER_MS)
#define IO_BUSY_WINDOW   (64 * NS_PER_MS)
#define IO_BUSY_WAKES    32 /* so many wake-ups in a window, and the sockets are read by the clock, */
#define IO_BUSY_LEAST                                                                                        \
    (3 * NS_PER_MS) /* this often. Deadlines count from kernel receive time: nothing shifts */
#define IO_BUSY_MOST  (10 * NS_PER_MS)
#define IO_BUSY_PART  16 /* of the shortest interval: what is dear is the wake-up, not the advert */
#define IO_BUSY_FEW   64 /* datagrams a tick: a flood would fill the socket in a longer one */
#define IO_BUSY_TICKS 32 /* after so many it is asked again whether that pays */
#define IO_BUSY_EMPTY 4  /* so many in a row without a datagram: it does not */

struct io {
    struct ev *ev;
    const struct io_ops *ops;
    void *arg;
    struct io_sock *tx_head;
    struct io_sock *open;
    size_t nopen;
    struct ev_timer busy;        /* armed: many adverts, read by the clock and not one by one */
    uint64_t every;              /* by the clock, ns; in a flood oftener */
    uint64_t window_at, woke_at; /* of the wake-ups that are counted; the last turn that was one */
    unsigned int wakes;          /* in the window */
    unsigned int ticks, empty,
        got; /* busy: since it was last asked; without a datagram, in a row; datagrams */
    struct mmsghdr rx[IO_BATCH];
    struct iovec rx_iov[IO_BATCH];
    struct sockaddr_storage rx_from[IO_BATCH];
    uint8_t rx_control[IO_BATCH][IO_CONTROL] __attribute__((aligned(16)));
    uint8_t rx_buf[IO_BATCH][IO_BUF];
};

/* ---- prepared datagrams */

void io_out_set(struct io_out *o, void *owner, uint8_t *buf, size_t len, const struct io_out_spec *s)
{
    if (len > UINT16_MAX || s->ttl > INT16_MAX)
        fatal("a prepared advert of %zu bytes, TTL %d", len, s->ttl);
    *o = (struct io_out){ .owner = owner,
                          .buf = buf,
                          .ifindex = s->ifindex,
                          .len = (uint16_t)len,
                          .ttl = (int16_t)s->ttl,
                          .src = *s->src,
                          .dst = *s->dst,
                          .queued = o->queued };
}

/* ---- sending */

void io_send(struct io_sock *s, struct io_out *o)
{
    if (o->queued || s->accept_fd < 0)
        return;
    if (s->ntx == s->cap_tx) { /* grows to the number of destinations, then never again */
        s->cap_tx = s->cap_tx > 0 ? 2 * s->cap_tx : 16;
        s->tx = xrealloc(s->tx, s->cap_tx * sizeof(struct io_out *));
    }
    s->tx[s->ntx++] = o;
    o->queued = true;
    if (!s->in_tx) {
        s->in_tx = true;
        s->next_tx = s->io->tx_head;
        s->io->tx_head = s;
    }
}

void io_forget(struct io_sock *s, const void *owner)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->ntx; i++) {
        if (s->tx[i]->owner == owner)
            s->tx[i]->queued = false;
        else
            s->tx[kept++] = s->tx[i];
    }
    s->ntx = kept;
}

/* What sendmmsg wants to be told of one, made on the stack: kept, it would be most of what an instance
 * needs. */
struct io_envelope {
    struct iovec iov;
    struct sockaddr_storage to;
    _Alignas(struct cmsghdr) uint8_t control[96];
    size_t control_len;
};

static void io_cmsg_add(struct io_envelope *v, int level, int type, const void *data, size_t len)
{
    struct cmsghdr c = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };
    if (v->control_len + CMSG_SPACE(len) > sizeof v->control)
        fatal("control buffer of an advert is too small");
    memset(v->control + v->control_len, 0, CMSG_SPACE(len));
    memcpy(v->control + v->control_len, &c, sizeof c);
    memcpy(v->control + v->control_len + CMSG_LEN(0), data, len);
    v->control_len += CMSG_SPACE(len);
}

static void io_fill_control(struct io_envelope *v, const struct io_out *o)
{
    int ttl = o->ttl;
    v->control_len = 0;
    if (o->dst.family == 4) {
        struct in_pktinfo pi = { .ipi_ifindex = (int)o->ifindex };
        memcpy(&pi.ipi_spec_dst, o->src.b, 4);
        io_cmsg_add(v, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi);
        if (ttl >= 0)
            io_cmsg_add(v, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    } else {
        struct in6_pktinfo pi = { .ipi6_ifindex = o->ifindex };
        memcpy(&pi.ipi6_addr, o->src.b, 16);
        io_cmsg_add(v, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi);
        if (ttl >= 0)
            io_cmsg_add(v, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof ttl);
    }
}

static void io_fill(struct mmsghdr *m, struct io_envelope *v, const struct io_out *o)
{
    uint32_t scope = ipaddr_is_multicast(&o->dst) || ipaddr_is_linklocal6(&o->dst) ? o->ifindex : 0;
    socklen_t to_len = ipaddr_sockaddr(&o->dst, 0, scope, &v->to);
    v->iov = (struct iovec){ .iov_base = o->buf, .iov_len = o->len };
    io_fill_control(v, o);
    memset(m, 0, sizeof *m);
    m->msg_hdr = (struct msghdr){ .msg_name = &v->to,
                                  .msg_namelen = to_len,
                                  .msg_iov = &v->iov,
                                  .msg_iovlen = 1,
                                  .msg_control = v->control,
                                  .msg_controllen = v->control_len };
}

/* Sends n prepared ones; the one that fails is reported and stepped over. */
static void io_send_batch(struct io_sock *s, struct io_out **out, unsigned int n)
{
    struct mmsghdr m[IO_BATCH];
    struct io_envelope env[IO_BATCH];
    for (unsigned int i = 0; i < n; i++)
        io_fill(&m[i], &env[i], out[i]);
    for (unsigned int at = 0; at < n;) {
        int got = sendmmsg(s->accept_fd, m + at, n - at, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        int error = got < 0 ? errno : 0;
        unsigned int done = got < 0 ? 1u : (unsigned int)got;
        for (unsigned int i = at; i < at + done; i++)
            s->io->ops->sent(out[i], error, s->io->arg);
        at += done;
    }
}

static void io_sock_flush(struct io_sock *s)
{
    size_t n = s->ntx;
    for (size_t i = 0; i < n; i++)
        s->tx[i]->queued = false;
    s->ntx = 0;
    for (size_t at = 0; at < n && s->accept_fd >= 0; at += IO_BATCH)
        io_send_batch(s, s->tx + at, (unsigned int)(n - at < IO_BATCH ? n - at : IO_BATCH));
}

void io_flush(struct io *io)
{
    while (io->tx_head != NULL) {
        struct io_sock *s = io->tx_head;
        io->tx_head = s->next_tx;
        s->in_tx = false;
        io_sock_flush(s);
    }
}

/* ---- receiving */

struct io_times {
    uint64_t mono, real; /* now, on both clocks */
};

static uint64_t io_mono(const struct io *io)
{
    const struct clock *c = ev_clock(io->ev);
    return c->now(c->arg);
}

static void io_rx_one(struct io_sock *s, unsigned int i, const struct io_times *t, bool rejected)
{
    struct io *io = s->io;
    struct msghdr *h = &io->rx[i].msg_hdr;
    size_t len = io->rx[i].msg_len;
    struct packet_rx rx = { 0 };
    if (h->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) { /* no advert is that long */
        s->rx_bytes_lost++;
        return;
    }
    if (s->family == 4) {
        if (packet_split4(io->rx_buf[i], len, &rx) < 0)
            return;
    } else {
        rx = (struct packet_rx){
            .family = 6, .proto = PACKET_PROTO, .ttl = -1, .payload = io->rx_buf[i], .len = len
        };
        if (ipaddr_from_sockaddr((struct sockaddr *)h->msg_name, &rx.src) < 0)
            return;
    }
    struct rxmeta m = rxmeta_read(h);
    if (s->family == 6) { /* IPv4 has both in the packet */
        rx.ttl = m.ttl;
        rx.dst = m.dst;
    }
    rx.real_at = m.stamp != 0 ? m.stamp : t->real;
    io->ops->packet(s, &rx, rxmeta_time(m.stamp, t->mono, t->real, s->empty_at), rejected, io->arg);
}

/* Reads at most budget datagrams. True: the queue was emptied. */
static bool io_read(struct io_sock *s, bool rejected, unsigned int budget)
{
    struct io *io = s->io;
    while (budget > 0) {
        int fd = rejected ? s->reject_fd : s->accept_fd;
        if (fd < 0)
            return true;
        unsigned int want = budget < IO_BATCH ? budget : IO_BATCH;
        for (unsigned int i = 0; i < want; i++) {
            io->rx_iov[i] = (struct iovec){ .iov_base = io->rx_buf[i], .iov_len = IO_BUF };
            io->rx[i].msg_hdr = (struct msghdr){ .msg_name = &io->rx_from[i],
                                                 .msg_namelen = sizeof io->rx_from[i],
                                                 .msg_iov = &io->rx_iov[i],
                                                 .msg_iovlen = 1,
                                                 .msg_control = io->rx_control[i],
                                                 .msg_controllen = IO_CONTROL };
        }
        struct io_times t = { .mono = io_mono(io) };
        int n = recvmmsg(fd, io->rx, want, MSG_DONTWAIT, NULL);
        if (n <= 0) {
            if (n < 0 && errno == EINTR)
                continue;
            if (!rejected)
                s->empty_at = t.mono;
            return true; /* EAGAIN, or an error of the interface the link facts will tell about */
        }
        if (!rejected)
            s->received += (unsigned int)n;
        uint64_t before = t.mono;
        t.mono = io_mono(io);
        t.real = clock_realtime_ns();
        for (int i = 0; i < n; i++)
            io_rx_one(s, (unsigned int)i, &t, rejected);
        budget -= (unsigned int)n;
        if ((unsigned int)n < want) {
            if (!rejected)
                s->empty_at = before;
            return true;
        }
    }
    return false;
}

/* ---- busy
 * A wake-up an advert is most of what hundreds of instances cost; a few adverts a wake-up cost little more
 * than one. Whether they come by one interface or by many: all are read by the clock then. */

/* A socket more costs a call more at each tick: what is saved has to be worth that. */
static unsigned int io_busy_worth(const struct io *io, unsigned int least)
{
    return least + 2 * (unsigned int)io->nopen;
}

static void io_busy_watch(struct io *io, unsigned int want)
{
    for (struct io_sock *s = io->open; s != NULL; s = s->next_open)
        ev_io_want(io->ev, s->accept_io, want);
    io->wakes = io->ticks = io->empty = io->got = 0;
}

static void io_busy_wake(struct io *io, uint64_t now)
{
    if (now == io->woke_at || ev_timer_armed(&io->busy))
        return;
    io->woke_at = now;
    if (now - io->window_at > IO_BUSY_WINDOW) {
        io->window_at = now;
        io->wakes = 0;
    }
    if (++io->wakes < io_busy_worth(io, IO_BUSY_WAKES))
        return;
    io_busy_watch(io, 0);
    ev_timer_in(io->ev, &io->busy, IO_BUSY_LEAST);
}

static void io_on_accept(struct ev_io *w, unsigned int got, void *arg)
{
    struct io_sock *s = arg;
    (void)w;
    (void)got;
    if (io_read(s, false, IO_ACCEPT_BUDGET))
        io_busy_wake(s->io, ev_now(s->io->ev));
}

static void io_on_busy(struct ev_timer *t, uint64_t now, void *arg)
{
    struct io *io = arg;
    unsigned int got = 0;
    bool emptied = true;
    for (struct io_sock *s = io->open, *next; s != NULL; s = next) {
        uint64_t before = s->received;
        next = s->next_open;
        emptied = io_read(s, false, IO_ACCEPT_BUDGET) && emptied;
        got += (unsigned int)(s->received - before);
    }
    io->got += got;
    io->empty = got == 0 ? io->empty + 1 : 0;
    bool asked = ++io->ticks == IO_BUSY_TICKS, pays = !asked || io->got >= io_busy_worth(io, IO_BUSY_TICKS);
    if (asked)
        io->ticks = io->got = 0;
    if (emptied && pays && io->empty < IO_BUSY_EMPTY)
        ev_timer_at(io->ev, t, now + (got < IO_BUSY_FEW ? io->every : IO_BUSY_LEAST));
    else
        io_busy_watch(io, EV_READ); /* quiet again, or a flood that wants every turn */
}

static void io_on_reject(struct ev_io *w, unsigned int got, void *arg)
{
    struct io_sock *s = arg;
    (void)got;
    if (io_read(s, true, IO_REJECT_BUDGET))
        return;
    ev_io_want(s->io->ev, w, 0);
    ev_timer_in(s->io->ev, &s->reject_rest, IO_REJECT_REST);
}

static void io_on_rested(struct ev_timer *t, uint64_t now, void *arg)
{
    struct io_sock *s = arg;
    (void)t;
    (void)now;
    if (s->reject_io != NULL)
        ev_io_want(s->io->ev, s->reject_io, EV_READ);
}

/* ---- life of a socket */

struct io *io_new(struct ev *ev, const struct io_ops *ops, void *arg)
{
    struct io *io = xcalloc(1, sizeof *io);
    io->ev = ev;
    io->ops = ops;
    io->arg = arg;
    io->every = IO_BUSY_LEAST;
    ev_timer_init(&io->busy, io_on_busy, io);
    return io;
}

void io_patience(struct io *io, uint64_t interval, uint64_t skew)
{
    uint64_t part = interval / IO_BUSY_PART < skew ? interval / IO_BUSY_PART : skew;
    io->every = part < IO_BUSY_LEAST ? IO_BUSY_LEAST : part > IO_BUSY_MOST ? IO_BUSY_MOST : part;
}

void io_sock_init(struct io *io, struct io_sock *s, uint8_t family, void *arg)
{
    memset(s, 0, sizeof *s);
    s->io = io;
    s->arg = arg;
    s->family = family;
    s->accept_fd = -1;
    s->reject_fd = -1;
    ev_timer_init(&s->reject_rest, io_on_rested, s);
}

bool io_sock_ready(const struct io_sock *s)
{
    return s->accept_fd >= 0;
}

static void io_sock_opened(struct io_sock *s)
{
    s->next_open = s->io->open;
    s->io->open = s;
    s->io->nopen++;
}

static void io_sock_closed(struct io_sock *s)
{
    for (struct io_sock **p = &s->io->open; *p != NULL; p = &(*p)->next_open) {
        if (*p == s) {
            *p = s->next_open;
            s->io->nopen--;
            break;
        }
    }
}

static void io_sock_close(struct io_sock *s)
{
    ev_timer_stop(s->io->ev, &s->reject_rest);
    io_sock_closed(s);
    if (s->accept_io != NULL)
        ev_io_del(s->io->ev, s->accept_io);
    if (s->reject_io != NULL)
        ev_io_del(s->io->ev, s->reject_io);
    if (s->accept_fd >= 0)
        close(s->accept_fd);
    if (s->reject_fd >= 0)
        close(s->reject_fd);
    s->accept_io = s->reject_io = NULL;
    s->accept_fd = s->reject_fd = -1;
}

void io_sock_attach(struct io_sock *s, int accept_fd, int reject_fd)
{
    if (s->accept_fd >= 0)
        io_read(s, false, IO_POLL_BUDGET);
    io_sock_close(s);
    s->empty_at = 0; /* the new queue may be older than we are */
    s->accept_fd = accept_fd;
    s->reject_fd = reject_fd;
    s->accept_io =
        ev_io_add(s->io->ev, accept_fd, ev_timer_armed(&s->io->busy) ? 0 : EV_READ, io_on_accept, s);
    io_sock_opened(s);
    if (reject_fd >= 0)
        s->reject_io = ev_io_add(s->io->ev, reject_fd, EV_READ, io_on_reject, s);
}

void io_sock_detach(struct io_sock *s)
{
    io_sock_flush(s);
    io_sock_close(s);
}

void io_sock_release(struct io_sock *s)
{
    io_sock_detach(s);
    for (struct io_sock **p = &s->io->tx_head; *p != NULL; p = &(*p)->next_tx) {
        if (*p == s) {
            *p = s->next_tx;
            break;
        }
    }
    s->in_tx = false;
    free(s->tx);
    s->tx = NULL;
    s->cap_tx = 0;
}

void io_sock_poll(struct io_sock *s)
{
    uint64_t turn = ev_now(s->io->ev);
    if (s->accept_fd < 0 || s->polled_at == turn)
        return;
    s->polled_at = turn;
    io_read(s, false, IO_POLL_BUDGET);
}
