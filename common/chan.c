/*
 * chan.c - see chan.h. Outgoing messages wait in a queue and leave together (sendmmsg) once the turn's work
 * is done, small ones many to a datagram; incoming ones are decoded one by one. Nothing here blocks, but for
 * chan_flush_wait, the last words of a process.
 */
#include "common/chan.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"

#define CHAN_READ_BUDGET 1024      /* messages a turn: nobody starves the timers */
#define CHAN_SEND_BATCH  32        /* datagrams a sendmmsg */
#define CHAN_PACK        3584      /* bytes of messages that share a datagram: one page in the kernel */
#define CHAN_PACK_COUNT  64        /* as many at most */
#define CHAN_QUEUE_MAX   65536     /* messages; a peer this far behind is not coming back */
#define CHAN_QUEUE_KEEP  64        /* room kept for the next ones when all have left */
#define CHAN_ROOM        4096      /* what chan_room grants: far below the limit above */
#define CHAN_DROP_AT     256       /* DROP messages are not queued beyond this */
#define CHAN_RETRY_NS    NS_PER_MS /* the kernel is short of something no EV_WRITE will announce */

struct chan_out {
    enum msg_type type;
    uint32_t key;
    size_t len;
    unsigned int nfds;
    int fds[PROTO_MAX_FDS];
    uint8_t *buf;
};

struct chan {
    struct ev *ev;
    struct ev_io *io;
    struct ev_timer
        flush; /* armed at "now" by the first message of a turn: fires behind the turn's own timers */
    int fd;
    enum role self, peer;
    const struct chan_ops *ops;
    void *arg;
    uint32_t generation, seq;
    uint64_t linger;    /* how long a message may wait for company */
    struct chan_out *q; /* q[head..tail) */
    size_t head, tail, cap;
    bool stalled; /* the kernel took no more: waiting for EV_WRITE */
    bool mute;    /* the peer hears no more: what it said before is still read, then it is dead */
    bool dead, told;
    bool busy, doomed; /* inside a callback; freed when it returns */
    enum chan_end how;
    const char *why;
};

int chan_pair(int fd[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd);
}

static void chan_out_free(struct chan_out *o)
{
    for (unsigned int i = 0; i < o->nfds; i++)
        close(o->fds[i]);
    free(o->buf);
}

static void chan_destroy(struct chan *c)
{
    for (size_t i = c->head; i < c->tail; i++)
        chan_out_free(&c->q[i]);
    free(c->q);
    ev_timer_stop(c->ev, &c->flush);
    if (c->io != NULL)
        ev_io_del(c->ev, c->io);
    close(c->fd);
    free(c);
}

void chan_free(struct chan *c)
{
    if (c == NULL)
        return;
    c->dead = true;
    c->told = true;
    if (c->busy)
        c->doomed = true;
    else
        chan_destroy(c);
}

/* From now on silent; on_dead follows from the loop. */
static void chan_die(struct chan *c, enum chan_end how, const char *why)
{
    if (c->dead)
        return;
    c->dead = true;
    c->how = how;
    c->why = why;
    if (c->io != NULL) {
        ev_io_del(c->ev, c->io);
        c->io = NULL;
    }
    ev_timer_at(c->ev, &c->flush, ev_now(c->ev));
}

static void chan_tell(struct chan *c)
{
    if (c->told)
        return;
    c->told = true;
    c->busy = true;
    c->ops->on_dead(c, c->how, c->why, c->arg);
    c->busy = false;
    if (c->doomed)
        chan_destroy(c);
}

/* ---- sending
 * -------------------------------------------------------------------------------------------------- */

static void chan_out_header(const struct chan_out *o, struct mmsghdr *mm, struct iovec *iov, size_t niov,
                            void *control, size_t size)
{
    mm->msg_hdr = (struct msghdr){ .msg_iov = iov, .msg_iovlen = niov };
    if (o->nfds == 0)
        return;
    memset(control, 0, size);
    mm->msg_hdr.msg_control = control;
    mm->msg_hdr.msg_controllen = CMSG_SPACE(o->nfds * sizeof(int));
    struct cmsghdr *cm = CMSG_FIRSTHDR(&mm->msg_hdr);
    cm->cmsg_level = SOL_SOCKET;
    cm->cmsg_type = SCM_RIGHTS;
    cm->cmsg_len = CMSG_LEN(o->nfds * sizeof(int));
    memcpy(CMSG_DATA(cm), o->fds, o->nfds * sizeof(int));
}

/* The messages from q[i] on that share a datagram; one with descriptors, and all for a tool, travel alone.
 * How many. */
static size_t chan_pack(const struct chan *c, size_t i, struct iovec iov[CHAN_PACK_COUNT])
{
    size_t n = 0, size = 0;
    do {
        const struct chan_out *o = &c->q[i + n];
        size += o->len;
        iov[n++] = (struct iovec){ .iov_base = o->buf, .iov_len = o->len };
    } while (c->peer != ROLE_CTL && n < CHAN_PACK_COUNT && i + n < c->tail && c->q[i].nfds == 0 &&
             c->q[i + n].nfds == 0 && size + c->q[i + n].len <= CHAN_PACK);
    return n;
}

/* How many datagrams left the queue; -1 with errno. */
static int chan_send_batch(struct chan *c)
{
    struct mmsghdr mm[CHAN_SEND_BATCH];
    struct iovec iov[CHAN_SEND_BATCH][CHAN_PACK_COUNT];
    size_t count[CHAN_SEND_BATCH] = { 0 };
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(PROTO_MAX_FDS * sizeof(int))];
    } control[CHAN_SEND_BATCH];
    unsigned int n = 0;
    for (size_t i = c->head; i < c->tail && n < CHAN_SEND_BATCH; n++) {
        count[n] = chan_pack(c, i, iov[n]);
        chan_out_header(&c->q[i], &mm[n], iov[n], count[n], &control[n], sizeof control[n]);
        i += count[n];
    }
    int sent = sendmmsg(c->fd, mm, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    for (int i = 0; i < sent; i++)
        for (size_t k = 0; k < count[i]; k++)
            chan_out_free(&c->q[c->head++]);
    return sent;
}

/* A peer that died has closed its ears, but its last words may still wait here: read them before it is
 * buried. */
static void chan_mute(struct chan *c)
{
    for (; c->head < c->tail; c->head++)
        chan_out_free(&c->q[c->head]);
    c->head = c->tail = 0;
    c->mute = true;
    ev_io_want(c->ev, c->io, EV_READ);
    ev_timer_at(c->ev, &c->flush, ev_now(c->ev));
}

/* After a failed send: 1 wait, -1 no more. */
static int chan_send_failed(struct chan *c, int error)
{
    switch (error) {
    case EAGAIN:
        c->stalled = true;
        ev_io_want(c->ev, c->io, EV_READ | EV_WRITE);
        return 1;
    case ENOBUFS:
    case ENOMEM:
    case ETOOMANYREFS: /* descriptors in flight are limited; they come free when the peer reads */
        c->stalled = true;
        ev_timer_at(c->ev, &c->flush, ev_now(c->ev) + CHAN_RETRY_NS);
        return 1;
    case EPIPE:
    case ECONNRESET: chan_mute(c); return -1;
    default: chan_die(c, CHAN_END_ERROR, "sending failed"); return -1;
    }
}

int chan_flush(struct chan *c)
{
    while (!c->dead && c->head < c->tail) {
        if (chan_send_batch(c) >= 0 || errno == EINTR)
            continue;
        return chan_send_failed(c, errno);
    }
    if (c->dead || c->mute)
        return -1;
    c->head = c->tail = 0;
    if (c->cap > CHAN_QUEUE_KEEP) { /* a start or a reload was told; the like of it is rare */
        free(c->q);
        c->q = NULL;
        c->cap = 0;
    }
    ev_timer_stop(c->ev, &c->flush); /* nothing is left to wake up for */
    if (c->stalled) {
        c->stalled = false;
        ev_io_want(c->ev, c->io, EV_READ);
    }
    return 0;
}

int chan_flush_wait(struct chan *c, unsigned int timeout_ms)
{
    uint64_t end = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
    for (;;) {
        int rc = chan_flush(c);
        uint64_t now = clock_monotonic_ns();
        if (rc <= 0 || now >= end)
            return rc;
        struct pollfd p = { .fd = c->fd, .events = POLLOUT };
        poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1);
    }
}

static struct chan_out *chan_queued(struct chan *c, enum msg_type t, uint32_t key)
{
    for (size_t i = c->tail; i > c->head; i--)
        if (c->q[i - 1].type == t && c->q[i - 1].key == key)
            return &c->q[i - 1];
    return NULL;
}

static struct chan_out *chan_slot(struct chan *c)
{
    if (c->head > 0 && c->tail == c->cap) {
        memmove(c->q, c->q + c->head, (c->tail - c->head) * sizeof *c->q);
        c->tail -= c->head;
        c->head = 0;
    }
    if (c->tail == c->cap) {
        c->cap = c->cap > 0 ? 2 * c->cap : 16;
        c->q = xrealloc(c->q, c->cap * sizeof *c->q);
    }
    return &c->q[c->tail++];
}

static void chan_close_all(const int *fds, unsigned int nfds)
{
    for (unsigned int i = 0; i < nfds; i++)
        close(fds[i]);
}

int chan_send(struct chan *c, enum msg_type t, const void *body, const int *fds, unsigned int nfds)
{
    uint8_t buf[PROTO_MAX_SIZE];
    if (!chan_alive(c) || nfds > PROTO_MAX_FDS) {
        chan_close_all(fds, nfds);
        errno = EPIPE;
        return -1;
    }
    enum msg_policy policy = proto_policy(t);
    size_t waiting = c->tail - c->head;
    if (policy == MSG_POLICY_DROP && c->stalled && waiting >= CHAN_DROP_AT) {
        chan_close_all(fds, nfds);
        return 0;
    }
    int len = proto_encode(t, body, ++c->seq, c->generation, nfds, buf, sizeof buf);
    if (len < 0) {
        int saved = errno;
        chan_close_all(fds, nfds);
        if (t != MSG_log)
            log_err("message %s to %s cannot be encoded: %s", proto_name(t), role_name(c->peer),
                    strerror(saved));
        errno = saved;
        return -1;
    }
    uint32_t key = proto_key(t, body);
    struct chan_out *o = NULL;
    /* Only a reader who lags makes coalescing worth a search; else everything leaves at the end of the turn
     * anyway. */
    if (policy == MSG_POLICY_COALESCE && c->stalled && (o = chan_queued(c, t, key)) != NULL) {
        chan_out_free(o);
    } else if (waiting >= CHAN_QUEUE_MAX) {
        chan_close_all(fds, nfds);
        chan_die(c, CHAN_END_OVERFLOW, "the peer does not read");
        errno = ENOBUFS;
        return -1;
    } else {
        o = chan_slot(c);
    }
    *o = (struct chan_out){
        .type = t, .key = key, .len = (size_t)len, .nfds = nfds, .buf = xmalloc((size_t)len)
    };
    memcpy(o->buf, buf, (size_t)len);
    for (unsigned int i = 0; i < nfds; i++)
        o->fds[i] = fds[i];
    if (!c->stalled && !ev_timer_armed(&c->flush))
        ev_timer_at(c->ev, &c->flush, ev_now(c->ev) + c->linger);
    return 0;
}

size_t chan_room(const struct chan *c)
{
    if (!chan_alive(c) || c->stalled || c->tail - c->head >= CHAN_ROOM)
        return 0;
    return CHAN_ROOM - (c->tail - c->head);
}

/* ---- receiving
 * ------------------------------------------------------------------------------------------------- */

struct chan_in {
    uint8_t buf[PROTO_MAX_SIZE];
    ssize_t len;
    int flags;
    int fds[PROTO_MAX_FDS * 2];
    unsigned int nfds;
};

static int chan_receive(struct chan *c, struct chan_in *in)
{
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(sizeof in->fds)];
    } control;
    struct iovec iov = { .iov_base = in->buf, .iov_len = sizeof in->buf };
    struct msghdr mh = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    in->nfds = 0;
    in->len = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (in->len < 0)
        return -1;
    in->flags = mh.msg_flags;
    for (struct cmsghdr *cm = CMSG_FIRSTHDR(&mh); cm != NULL; cm = CMSG_NXTHDR(&mh, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && in->nfds < PROTO_MAX_FDS * 2; i++)
            memcpy(&in->fds[in->nfds++], CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
    }
    return 0;
}

/* The message at the head of what is left: its length by its own word, if that can be true. */
static size_t chan_frame(const struct chan_in *in, size_t at)
{
    size_t left = (size_t)in->len - at;
    struct msg_header h;
    if (in->nfds > 0 || left < sizeof h)
        return left; /* descriptors belong to a message that is alone */
    memcpy(&h, in->buf + at, sizeof h);
    return h.length >= sizeof h && h.length < left ? h.length : left;
}

/* The handler's share of one message. Returns NULL, or why the peer is finished. */
static const char *chan_handle(struct chan *c, struct chan_in *in, size_t at, size_t len)
{
    struct msg_header h;
    union msg_any body;
    if (in->flags & (MSG_TRUNC | MSG_CTRUNC))
        return "truncated message";
    enum proto_error pe = proto_decode(in->buf + at, len, c->peer, c->self, in->nfds, &h, &body);
    if (pe != PROTO_OK)
        return proto_error_name(pe);
    struct chan_msg m = { .type = (enum msg_type)h.type,
                          .generation = h.generation,
                          .seq = h.seq,
                          .body = &body,
                          .fds = in->fds,
                          .nfds = in->nfds };
    c->busy = true;
    int rc = c->ops->on_msg(c, &m, c->arg);
    c->busy = false;
    return rc < 0 ? "message not allowed now" : NULL;
}

/* All messages of one datagram, until one is the last the peer may say. How many. */
static int chan_handle_all(struct chan *c, struct chan_in *in)
{
    int n = 0;
    for (size_t at = 0, len; at < (size_t)in->len && !c->dead; at += len, n++) {
        len = chan_frame(in, at);
        const char *why = chan_handle(c, in, at, len);
        if (why != NULL)
            chan_die(c, CHAN_END_PROTOCOL, why);
    }
    return n;
}

static bool chan_hung_up(const struct chan *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

/* One datagram: how many messages it was (a nudge counts as one). 0: do not go on reading. */
static int chan_read_one(struct chan *c)
{
    struct chan_in in;
    int n = 1;
    if (chan_receive(c, &in) < 0) {
        if (errno == ECONNRESET)
            return n; /* it died with our words unread; said once, its own last words stand behind */
        if (errno == EAGAIN && c->mute)
            chan_die(c, CHAN_END_EOF, "closed by the peer");
        else if (errno != EAGAIN && errno != EINTR)
            chan_die(c, CHAN_END_ERROR, "receiving failed");
        return 0;
    }
    if (in.len == 0) {
        bool eof = in.nfds == 0 && chan_hung_up(c);
        chan_die(c, eof ? CHAN_END_EOF : CHAN_END_PROTOCOL, eof ? "closed by the peer" : "empty message");
    } else {
        n = chan_handle_all(c, &in);
    }
    for (unsigned int i = 0; i < in.nfds; i++)
        if (in.fds[i] >= 0)
            close(in.fds[i]);
    return c->dead ? 0 : n;
}

static void chan_read(struct chan *c)
{
    for (int budget = CHAN_READ_BUDGET, n = 1; budget > 0 && n > 0; budget -= n)
        n = chan_read_one(c);
}

/* At the end of every callback of the loop. */
static void chan_settle(struct chan *c)
{
    if (c->doomed)
        chan_destroy(c);
    else if (c->dead)
        chan_tell(c);
}

static void chan_on_io(struct ev_io *w, unsigned int got, void *arg)
{
    (void)w;
    struct chan *c = arg;
    if ((got & EV_WRITE) && !c->dead)
        chan_flush(c);
    if ((got & (EV_READ | EV_HUP)) && !c->dead)
        chan_read(c);
    chan_settle(c);
}

static void chan_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    struct chan *c = arg;
    if (!c->dead)
        chan_flush(c);
    if (c->mute && !c->dead) {
        chan_read(c);
        ev_timer_at(c->ev, &c->flush, now + 1); /* next turn: until it is read empty */
    }
    chan_settle(c);
}

struct chan *chan_new(struct ev *ev, int fd, enum role self, enum role peer, const struct chan_ops *ops,
                      void *arg)
{
    struct chan *c = xcalloc(1, sizeof *c);
    c->ev = ev;
    c->fd = fd;
    c->self = self;
    c->peer = peer;
    c->ops = ops;
    c->arg = arg;
    ev_timer_init(&c->flush, chan_on_timer, c);
    c->io = ev_io_add(ev, fd, EV_READ, chan_on_io, c);
    return c;
}

void chan_linger(struct chan *c, uint64_t ns)
{
    c->linger = ns;
}

void chan_set_generation(struct chan *c, uint32_t gen)
{
    if (c != NULL)
        c->generation = gen;
}

enum role chan_peer(const struct chan *c)
{
    return c->peer;
}

bool chan_alive(const struct chan *c)
{
    return c != NULL && !c->dead && !c->mute;
}
