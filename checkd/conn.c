/*
 * conn.c - see conn.h. A connection that is made or refused at once costs no watcher; one that is made costs
 * one epoll_ctl and no getsockopt (an error would have come with EV_HUP). Sockets the jail forbids come from
 * ipvsd (sock_want, sock_ready), matched by token. Trusts nothing of the peer: only that the kernel tells
 * errno truly.
 */
#include "checkd/conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checkd/checkd.h"

#define CONN_CONNECTED     (-1)
#define CONN_RETRY_NS      (50 * NS_PER_MS) /* no socket to be had: so long, and as much again at random */
#define CONN_EXHAUSTED_LOG (10 * NS_PER_SEC)

static struct ev *conn_ev(const struct conn *c)
{
    return c->k->d->ev;
}

static uint64_t conn_limit(const struct conn *c)
{
    return c->dest->timeout != 0 ? c->dest->timeout : c->k->common.connect_timeout;
}

int conn_fd(const struct conn *c)
{
    return c->fd;
}

static void conn_forget_wait(struct conn *c)
{
    struct conn **p = &c->k->d->waiting[c->token % CHECKD_WAITING];

    while (*p != NULL && *p != c)
        p = &(*p)->next;
    if (*p == c)
        *p = c->next;
    c->next = NULL;
    c->waiting = false;
}

void conn_close(struct conn *c)
{
    if (!c->open)
        return;
    if (c->waiting)
        conn_forget_wait(c);
    if (c->io != NULL)
        ev_io_close(conn_ev(c), c->io);
    else if (c->fd >= 0)
        close(c->fd);
    ev_timer_stop(conn_ev(c), &c->deadline);
    c->io = NULL;
    c->fd = -1;
    c->open = c->connected = c->exhausted = false;
    c->pending = 0;
}

static const char *conn_where(const struct conn *c, char *buf, size_t size)
{
    char text[IPADDR_STRLEN];

    ipaddr_str(&c->dest->to, text);
    if (c->type == CONN_ICMP)
        snprintf(buf, size, "%s", text);
    else
        snprintf(buf, size, c->dest->to.family == 6 ? "[%s]:%u" : "%s:%u", text, c->dest->port);
    return buf;
}

/* The attempt is over for this connection; closed first, so that the kind may open it anew. */
static void conn_fail(struct conn *c, const char *what, int error)
{
    char where[IPADDR_STRLEN + 8], why[200];

    snprintf(why, sizeof why, "%s %s: %s", what, conn_where(c, where, sizeof where), strerror(error));
    conn_close(c);
    c->ops->failed(c, why, c->arg);
}

static void conn_time_out(struct conn *c)
{
    char where[IPADDR_STRLEN + 8], why[200];
    double s = (double)conn_limit(c) / (double)NS_PER_SEC;

    conn_where(c, where, sizeof where);
    if (c->waiting)
        snprintf(why, sizeof why, "no socket for %s from ipvsd within %g s", where, s);
    else if (c->connected)
        snprintf(why, sizeof why, "no answer from %s within %g s", where, s);
    else
        snprintf(why, sizeof why, "connect to %s: no answer within %g s", where, s);
    conn_close(c);
    c->ops->failed(c, why, c->arg);
}

static void conn_up(struct conn *c)
{
    c->connected = true;
    c->pending = 0;
    conn_step(c);
    c->ops->connected(c, c->arg);
}

static void conn_on_io(struct ev_io *w, unsigned int got, void *arg)
{
    struct conn *c = arg;
    int error = 0;
    socklen_t len = sizeof error;

    (void)w;
    if (c->connected) {
        c->ops->io(c, got, c->arg);
        return;
    }
    if (got & EV_HUP) { /* refused, unreachable, reset: only then there is something to ask for */
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
            error = errno;
        if (error != 0) {
            conn_fail(c, "connect to", error);
            return;
        }
    }
    conn_up(c);
}

void conn_want(struct conn *c, unsigned int ev_flags)
{
    if (!c->open || c->fd < 0)
        return;
    if (c->io != NULL)
        ev_io_want(conn_ev(c), c->io, ev_flags);
    else
        c->io = ev_io_add(conn_ev(c), c->fd, ev_flags, conn_on_io, c);
}

void conn_step(struct conn *c)
{
    if (c->open)
        ev_timer_in(conn_ev(c), &c->deadline, conn_limit(c));
}

/* A result that is known already is told from the loop, in the same turn. */
static void conn_soon(struct conn *c, int result)
{
    c->pending = result;
    ev_timer_at(conn_ev(c), &c->deadline, ev_now(conn_ev(c)));
}

static void conn_connect(struct conn *c)
{
    struct sockaddr_storage to;
    socklen_t len = ipaddr_sockaddr(&c->dest->to, c->type == CONN_ICMP ? 0 : c->dest->port, 0, &to);

    if (connect(c->fd, (struct sockaddr *)&to, len) == 0) {
        conn_soon(c, CONN_CONNECTED);
    } else if (errno == EINPROGRESS) {
        conn_want(c, EV_WRITE);
    } else {
        /* Every errno of connect() is the answer to "can this server be reached?", and it is no: also those a
         * local route, firewall or the end of the ephemeral ports gives. A guard fails closed; the retries
         * damp what passes. */
        conn_soon(c, errno);
    }
}

/* The kernel or our own limit is short of sockets. That says nothing about the server, so it is no failure of
 * its check: the attempt waits, and is said in the log. */
static bool conn_is_exhaustion(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void conn_later(struct conn *c, int error)
{
    struct checkd *d = c->k->d;
    uint64_t suppressed;

    if (log_allow(&d->exhausted_limit, ev_now(d->ev), CONN_EXHAUSTED_LOG, &suppressed))
        log_warn(
            "no socket for a check of %s now: %s; it is tried again soon and counts as no failure (%llu more "
            "since the last such line). Raise the limit of open files or spread the checks (delay_loop)",
            checker_server_label(c->k), strerror(error), (unsigned long long)suppressed);
    c->exhausted = true;
    ev_timer_in(d->ev, &c->deadline, CONN_RETRY_NS + checker_random(c->k, CONN_RETRY_NS));
}

/* Options and source. -1 with errno: what the check says of its source cannot be had, so it cannot be made.
 */
static int conn_bind(struct conn *c)
{
    const struct checker_dest *d = c->dest;
    static const int on = 1;
    static const struct linger at_once = { .l_onoff = 1 };
    struct sockaddr_storage from;
    socklen_t len;

    if (d->bind_if[0] != '\0' &&
        setsockopt(c->fd, SOL_SOCKET, SO_BINDTODEVICE, d->bind_if, (socklen_t)strlen(d->bind_if)) < 0)
        return -1;
    if (d->bindto.family == 0)
        return 0;
    if (d->bind_port != 0) { /* the next attempt needs the same port: nothing may linger on it */
        setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (c->type == CONN_TCP)
            setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    } else { /* the port is chosen at connect: the whole range for each server, not one for all */
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    }
    len = ipaddr_sockaddr(&d->bindto, d->bind_port, 0, &from);
    return bind(c->fd, (struct sockaddr *)&from, len);
}

static void conn_socket(struct conn *c)
{
    int kind = c->type == CONN_TCP ? SOCK_STREAM : SOCK_DGRAM;

    ev_timer_in(conn_ev(c), &c->deadline, conn_limit(c));
    c->fd = socket(ipaddr_af(&c->dest->to), kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        if (conn_is_exhaustion(errno))
            conn_later(c, errno);
        else
            conn_soon(c, errno);
        return;
    }
    if ((c->dest->bind_if[0] != '\0' || c->dest->bindto.family != 0) && conn_bind(c) < 0) {
        int error = errno;

        close(c->fd);
        c->fd = -1;
        conn_soon(c, error); /* told as "bind": no descriptor is left */
        return;
    }
    conn_connect(c);
}

static void conn_ask(struct conn *c)
{
    struct checkd *d = c->k->d;
    struct msg_sock_want want = { .check = c->dest->id, .token = c->token };
    struct chan *ipvsd = d->child != NULL ? child_peer(d->child, ROLE_IPVSD) : NULL;

    if (ipvsd != NULL) /* else on its return, see conn_ask_again */
        chan_send(ipvsd, MSG_sock_want, &want, NULL, 0);
}

static void conn_wait(struct conn *c)
{
    struct checkd *d = c->k->d;

    c->waiting = true;
    c->token = ++d->token;
    c->next = d->waiting[c->token % CHECKD_WAITING];
    d->waiting[c->token % CHECKD_WAITING] = c;
    ev_timer_in(d->ev, &c->deadline, conn_limit(c));
    conn_ask(c);
}

static void conn_on_deadline(struct ev_timer *t, uint64_t now, void *arg)
{
    struct conn *c = arg;
    int pending = c->pending;

    (void)t;
    (void)now;
    c->pending = 0;
    if (pending == CONN_CONNECTED) {
        conn_up(c);
    } else if (pending != 0) {
        conn_fail(c, c->fd >= 0 ? "connect to" : "no socket to reach", pending);
    } else if (c->exhausted) {
        c->exhausted = false;
        conn_socket(c);
    } else {
        conn_time_out(c);
    }
}

void conn_open(struct conn *c, struct checker *k, const struct checker_dest *dest, enum conn_type type,
               const struct conn_ops *ops, void *arg)
{
    conn_close(c);
    *c = (struct conn){ .k = k, .dest = dest, .ops = ops, .arg = arg, .fd = -1, .open = true, .type = type };
    ev_timer_init(&c->deadline, conn_on_deadline, c);
    if (dest->ready_made || type == CONN_ICMP)
        conn_wait(c);
    else
        conn_socket(c);
}

void conn_sock_ready(struct checkd *d, const struct msg_sock_ready *m, int *fd)
{
    struct conn *c = d->waiting[m->token % CHECKD_WAITING];

    while (c != NULL && (c->token != m->token || c->dest->id != m->check))
        c = c->next;
    if (c == NULL)
        return; /* nobody waits any more: its time was up */
    conn_forget_wait(c);
    if (!m->ok || *fd < 0) {
        conn_soon(c, m->error != 0 ? (int)m->error : EIO);
        return;
    }
    c->fd = *fd;
    *fd = -1;
    c->icmp_ident = m->ident;
    conn_connect(c);
}

void conn_ask_again(struct checkd *d)
{
    for (size_t i = 0; i < CHECKD_WAITING; i++)
        for (struct conn *c = d->waiting[i]; c != NULL; c = c->next)
            conn_ask(c);
}

void conn_move(struct conn *c, struct conn *from, struct checker *k, const struct checker_dest *dest,
               void *arg)
{
    uint64_t deadline = from->deadline.deadline;
    bool armed = ev_timer_armed(&from->deadline);
    unsigned int want = EV_WRITE;

    if (!from->open)
        return;
    if (from->waiting) /* its answer would carry the former generation's id: ask anew */
        conn_forget_wait(from);
    ev_timer_stop(conn_ev(from), &from->deadline);
    if (from->io != NULL) { /* the watcher knows its owner: a new one */
        ev_io_del(conn_ev(from), from->io);
        from->io = NULL;
    }
    *c = *from;
    from->open = false;
    from->fd = -1;
    c->k = k;
    c->dest = dest;
    c->arg = arg;
    ev_timer_init(&c->deadline, conn_on_deadline, c);
    if (armed)
        ev_timer_at(conn_ev(c), &c->deadline, deadline);
    if (c->fd >= 0 && c->pending == 0 && !c->connected)
        conn_want(c, want);
    if (c->fd < 0 && c->pending == 0 && !c->exhausted)
        conn_wait(c);
}
