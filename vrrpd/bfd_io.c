/*
 * bfd_io.c - BFD packets in and out of the sockets ipvsd gave us: when they came, from how far, where to.
 * Whose they are is bfd_take.c's to say. Called by bfd_life.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "vrrpd/bfd_int.h"
#include "vrrpd/bfd_take.h"
#include "vrrpd/rxmeta.h"
#include "vrrpd/vrrpd.h"

#define BFD_IO_BATCH       32
#define BFD_IO_BUF         128 /* longer is none of ours; the packet's own length field counts */
#define BFD_IO_CONTROL     128
#define BFD_IO_BUDGET      256 /* a turn: timers wait for no flood */
#define BFD_IO_POLL_BUDGET 4096

struct bfd_rx *bfd_io_rx(struct bfd_life *l, uint8_t family, bool multihop)
{
    return &l->rx[(family == 6 ? 1 : 0) + (multihop ? 2 : 0)];
}

/* ---- receiving */

static uint64_t bfd_io_mono(const struct bfd_life *l)
{
    const struct clock *c = ev_clock(l->ev);
    return c->now(c->arg);
}

struct bfd_io_batch {
    struct mmsghdr m[BFD_IO_BATCH];
    struct iovec iov[BFD_IO_BATCH];
    struct sockaddr_storage from[BFD_IO_BATCH];
    uint8_t control[BFD_IO_BATCH][BFD_IO_CONTROL] __attribute__((aligned(16)));
    uint8_t buf[BFD_IO_BATCH][BFD_IO_BUF];
};

static void bfd_io_room(struct bfd_io_batch *b)
{
    memset(b->m, 0, sizeof b->m);
    for (size_t i = 0; i < BFD_IO_BATCH; i++) {
        b->iov[i] = (struct iovec){ .iov_base = b->buf[i], .iov_len = BFD_IO_BUF };
        b->m[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i],
                                           .msg_namelen = sizeof b->from[i],
                                           .msg_iov = &b->iov[i],
                                           .msg_iovlen = 1,
                                           .msg_control = b->control[i],
                                           .msg_controllen = BFD_IO_CONTROL };
    }
}

static void bfd_io_read(struct bfd_rx *r, int budget)
{
    struct bfd_io_batch b;
    bool multihop = r >= &r->l->rx[2];
    while (budget > 0 && r->fd >= 0) {
        uint64_t before = bfd_io_mono(r->l);
        bfd_io_room(&b);
        int n = recvmmsg(r->fd, b.m, BFD_IO_BATCH, MSG_DONTWAIT, NULL);
        if (n <= 0) {
            if (n < 0 && errno == EINTR)
                continue;
            r->empty_at = before;
            return;
        }
        uint64_t mono = bfd_io_mono(r->l), real = clock_realtime_ns();
        for (int i = 0; i < n; i++) {
            struct rxmeta m = rxmeta_read(&b.m[i].msg_hdr);
            struct bfd_arrival a = { .dst = m.dst,
                                     .ttl = m.ttl,
                                     .multihop = multihop,
                                     .at = rxmeta_time(m.stamp, mono, real, r->empty_at),
                                     .bytes = b.buf[i],
                                     .len = b.m[i].msg_len };
            if (ipaddr_from_sockaddr((struct sockaddr *)&b.from[i], &a.src) < 0)
                continue;
            bfd_take(r->l, &a);
        }
        budget -= n;
        if (n < BFD_IO_BATCH) {
            r->empty_at = before;
            return;
        }
    }
}

static void bfd_io_on_readable(struct ev_io *w, unsigned int got, void *arg)
{
    (void)w;
    (void)got;
    bfd_io_read(arg, BFD_IO_BUDGET);
}

void bfd_io_poll(struct bfd_rx *r)
{
    uint64_t turn = ev_now(r->l->ev);
    if (r->fd < 0 || r->polled_at == turn)
        return;
    r->polled_at = turn;
    bfd_io_read(r, BFD_IO_POLL_BUDGET);
}

void bfd_io_detach(struct bfd_rx *r)
{
    if (r->io != NULL)
        ev_io_del(r->l->ev, r->io);
    if (r->fd >= 0)
        close(r->fd);
    r->io = NULL;
    r->fd = -1;
}

void bfd_io_attach(struct bfd_rx *r, int fd)
{
    bfd_io_read(r, BFD_IO_POLL_BUDGET);
    bfd_io_detach(r);
    r->empty_at = 0; /* the new queue may be older than we are */
    r->fd = fd;
    r->io = ev_io_add(r->l->ev, fd, EV_READ, bfd_io_on_readable, r);
}

/* ---- sending */

int bfd_io_send(struct bfd_sess *s, const struct bfd_packet *p)
{
    uint8_t bytes[BFD_PACKET_LEN];
    bfd_packet_encode(p, bytes);
    /* A connected socket reports the neighbour's "port unreachable" here, once, and has sent nothing then. */
    for (int i = 0; i < 3; i++) {
        if (send(s->fd, bytes, sizeof bytes, MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != ECONNREFUSED && errno != EINTR)
            return errno;
    }
    return errno;
}
