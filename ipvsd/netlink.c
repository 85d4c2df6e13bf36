/*
 * netlink.c - see netlink.h. Requests carry no NLM_F_ACK but the last of a chunk: the kernel answers a
 * failure in any case, so silence and the final acknowledgement together mean success, at a thousandth of the
 * answers.
 */
#include "ipvsd/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <poll.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"

#define NL_CHUNK    (48u * 1024) /* bytes of requests in one sendmsg; below the smallest send buffer */
#define NL_BUFFER   (16u * 1024) /* one datagram from the kernel */
#define NL_PATIENCE 200          /* ms without an answer mean that it was lost */

struct nl_buffer {
    alignas(struct nlmsghdr) uint8_t b[NL_BUFFER];
};

int nlsock_open(struct nlsock *s, uint32_t groups, int rcvbuf)
{
    return nlsock_open_fd(s, socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE),
                          groups, rcvbuf);
}

int nlsock_open_fd(struct nlsock *s, int fd, uint32_t groups, int rcvbuf)
{
    struct sockaddr_nl sa = { .nl_family = AF_NETLINK, .nl_groups = groups };
    socklen_t len = sizeof sa;
    s->fd = fd;
    /* One that was bound before is used as it is: the kernel binds once. */
    if (fd >= 0 && getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && sa.nl_pid != 0) {
        s->portid = sa.nl_pid;
        s->seq = 1;
        return 0;
    }
    sa = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_groups = groups };
    len = sizeof sa;
    if (s->fd < 0)
        return -1;
    int one = 1;
    /* An error answer must not carry the request back: 1000 refusals would not fit. */
    setsockopt(s->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
    if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf) < 0 ||
        bind(s->fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
        getsockname(s->fd, (struct sockaddr *)&sa, &len) < 0) {
        int saved = errno;
        nlsock_close(s);
        errno = saved;
        return -1;
    }
    s->portid = sa.nl_pid;
    s->seq = 1;
    return 0;
}

void nlsock_close(struct nlsock *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* One datagram of the kernel. >= 0 its length; -1 errno, EMSGSIZE: longer than any we know. */
static ssize_t nlsock_recv(struct nlsock *s, struct nl_buffer *buf)
{
    struct sockaddr_nl from = { 0 };
    struct iovec iov = { buf->b, sizeof buf->b };
    struct msghdr mh = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;
    do
        n = recvmsg(s->fd, &mh, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -1;
    if (from.nl_pid != 0)
        return 0; /* not the kernel: any process may write to a netlink port */
    if (mh.msg_flags & MSG_TRUNC) {
        errno = EMSGSIZE;
        return -1;
    }
    return n;
}

/* ---- batch
 * ------------------------------------------------------------------------------------------------------ */

size_t nlbatch_add(struct nlbatch *b, struct nl_msg *m)
{
    const struct nlmsghdr *h = nlmsg_hdr(m);
    size_t padded = NLMSG_ALIGN(h->nlmsg_len);
    if (b->len + padded > b->cap) {
        b->cap = 2 * b->cap + padded + 1024;
        b->buf = xrealloc(b->buf, b->cap);
    }
    if (b->n == b->slots) {
        b->slots = 2 * b->slots + 16;
        b->at = xrealloc(b->at, b->slots * sizeof *b->at);
        b->err = xrealloc(b->err, b->slots * sizeof *b->err);
    }
    memset(b->buf + b->len, 0, padded);
    memcpy(b->buf + b->len, h, h->nlmsg_len);
    b->at[b->n] = (uint32_t)b->len;
    b->err[b->n] = 0;
    b->len += padded;
    nlmsg_free(m);
    return b->n++;
}

struct nl_acks {
    struct nlbatch *b;
    uint32_t first_seq; /* of the whole batch */
    uint32_t last_seq;  /* the one that was asked for an acknowledgement */
    int done;
};

static void nlbatch_on_ack(uint32_t seq, int err, void *arg)
{
    struct nl_acks *a = arg;
    if (seq - a->first_seq < a->b->n)
        a->b->err[seq - a->first_seq] = err;
    if (seq == a->last_seq)
        a->done = 1;
}

static int nlbatch_answers(struct nlsock *s, struct nl_acks *a)
{
    struct nl_buffer buf;
    while (!a->done) {
        ssize_t n = nlsock_recv(s, &buf);
        if (n >= 0) {
            kevent_acks(buf.b, (size_t)n, nlbatch_on_ack, a);
            continue;
        }
        struct pollfd p = { .fd = s->fd, .events = POLLIN };
        if (errno != EAGAIN || poll(&p, 1, NL_PATIENCE) <= 0)
            return -1;
    }
    return 0;
}

/* Requests from..to-1 in one sendmsg. */
static int nlbatch_chunk(struct nlsock *s, struct nlbatch *b, uint32_t first_seq, size_t from, size_t to)
{
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    size_t end = to < b->n ? b->at[to] : b->len;
    struct iovec iov = { b->buf + b->at[from], end - b->at[from] };
    struct msghdr mh = {
        .msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = &iov, .msg_iovlen = 1
    };
    for (size_t i = from; i < to; i++) {
        struct nlmsghdr *h = (struct nlmsghdr *)(void *)(b->buf + b->at[i]);
        h->nlmsg_seq = first_seq + (uint32_t)i;
        h->nlmsg_pid = 0;
        h->nlmsg_flags |= NLM_F_REQUEST;
        if (i + 1 == to)
            h->nlmsg_flags |= NLM_F_ACK;
    }
    if (sendmsg(s->fd, &mh, 0) < 0)
        return -1;
    struct nl_acks a = { b, first_seq, first_seq + (uint32_t)to - 1, 0 };
    return nlbatch_answers(s, &a);
}

int nlbatch_run(struct nlsock *s, struct nlbatch *b)
{
    uint32_t first = s->seq;
    s->seq += (uint32_t)b->n;
    for (size_t from = 0; from < b->n;) {
        size_t to = from + 1;
        while (to < b->n && b->at[to] - b->at[from] < NL_CHUNK)
            to++;
        if (nlbatch_chunk(s, b, first, from, to) < 0)
            return -1;
        from = to;
    }
    return 0;
}

void nlbatch_reset(struct nlbatch *b)
{
    b->len = 0;
    b->n = 0;
}

void nlbatch_free(struct nlbatch *b)
{
    free(b->buf);
    free(b->at);
    free(b->err);
    memset(b, 0, sizeof *b);
}

/* ---- any other question
 * ------------------------------------------------------------------------------------------- */

int nlsock_ask(struct nlsock *s, struct nl_msg *m, uint16_t flags, nlsock_walk_fn *fn, void *arg)
{
    struct nl_buffer buf;
    struct nlmsghdr *h = nlmsg_hdr(m);
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    uint32_t seq = s->seq++;
    h->nlmsg_seq = seq;
    h->nlmsg_pid = 0;
    h->nlmsg_flags |= NLM_F_REQUEST | flags;
    ssize_t n = sendto(s->fd, h, h->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel);
    int sent = n == (ssize_t)h->nlmsg_len ? 0 : -1;
    nlmsg_free(m);
    while (sent == 0) {
        n = nlsock_recv(s, &buf);
        if (n >= 0 && fn(buf.b, (size_t)n, seq, arg) != 0)
            return 0;
        struct pollfd p = { .fd = s->fd, .events = POLLIN };
        if (n < 0 && (errno != EAGAIN || poll(&p, 1, NL_PATIENCE) <= 0))
            return -1;
    }
    return -1;
}

/* ---- dump and monitor
 * --------------------------------------------------------------------------------------------- */

static int nlsock_ask_dump(struct nlsock *s, uint16_t type)
{
    struct {
        struct nlmsghdr h;
        union {
            struct ifinfomsg link;
            struct ifaddrmsg addr;
        };
    } req = { .h = { .nlmsg_len = sizeof req,
                     .nlmsg_type = type,
                     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                     .nlmsg_seq = s->seq++ } };
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    ssize_t n = sendto(s->fd, &req, sizeof req, 0, (struct sockaddr *)&kernel, sizeof kernel);
    return n == (ssize_t)sizeof req ? 0 : -1;
}

int nlsock_dump(struct nlsock *s, uint16_t type, kevent_fn *fn, void *arg)
{
    struct nl_buffer buf;
    struct kevent_end end = { 0 };
    if (nlsock_ask_dump(s, type) < 0)
        return -1;
    while (!end.done && end.error == 0) {
        ssize_t n = nlsock_recv(s, &buf);
        if (n >= 0) {
            kevent_walk(buf.b, (size_t)n, fn, arg, &end);
            continue;
        }
        struct pollfd p = { .fd = s->fd, .events = POLLIN };
        if (errno != EAGAIN || poll(&p, 1, NL_PATIENCE) <= 0)
            return -1;
    }
    errno = end.error != 0 ? end.error : end.interrupted ? EINTR : 0;
    return errno == 0 ? 0 : -1;
}

int nlsock_drain(struct nlsock *s, kevent_fn *fn, void *arg)
{
    struct nl_buffer buf;
    struct kevent_end end = { 0 };
    int lost = 0;
    for (;;) {
        ssize_t n = nlsock_recv(s, &buf);
        if (n >= 0)
            kevent_walk(buf.b, (size_t)n, fn, arg, &end);
        else if (errno == ENOBUFS || errno == EMSGSIZE)
            lost = 1;
        else
            break;
    }
    errno = lost ? ENOBUFS : errno;
    return lost || (errno != EAGAIN && errno != EWOULDBLOCK) ? -1 : 0;
}
