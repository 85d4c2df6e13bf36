/*
 * check_ping.c - PING_CHECK: an ICMP echo with a fresh random token; the reply to exactly that within
 * connect_timeout passes. The raw socket comes from ipvsd, connected and fenced to echo replies with an
 * identifier of its own; it is kept from check to check, because ipvsd hands out only so many a second, and
 * given back for a new one when it breaks or when many requests in a row found no answer (the way it was
 * bound to may be gone). Replies are judged by icmp_echo.c (pure). Called by engine.c through checker.h.
 */
#include "checkd/check_ping.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "checkd/conn.h"
#include "checkd/icmp_echo.h"

enum { READS_A_TURN = 16, MISSES_A_SOCKET = 8 };

/* From the first attempt on, as long as the socket is good. */
struct ping_line {
    struct checker *k;
    struct conn conn;
    struct ev_timer deadline;
    struct icmp_echo echo;
    uint32_t misses; /* requests without an answer, in a row */
    bool waiting;    /* for the answer to echo */
};

struct check_ping {
    struct checker_dest dest;
    struct ping_line *line; /* NULL: none */
};

static void ping_hang_up(struct check_ping *s)
{
    struct ping_line *l = s->line;

    if (l == NULL)
        return;
    ev_timer_stop(checker_ev(l->k), &l->deadline);
    conn_close(&l->conn);
    s->line = NULL;
    free(l);
}

/* The attempt is over, the socket stays. */
static void ping_rest(struct ping_line *l)
{
    l->waiting = false;
    ev_timer_stop(checker_ev(l->k), &l->deadline);
}

static void ping_fail(struct ping_line *l, const char *what)
{
    struct checker *k = l->k;
    struct check_ping *s = k->state;
    char where[IPADDR_STRLEN], why[160];

    snprintf(why, sizeof why, "echo to %s: %s", ipaddr_str(&s->dest.to, where), what);
    ping_rest(l);
    checker_failed(k, "%s", why);
}

/* An error of the socket itself, not of the way: it is of no more use. */
static bool ping_is_broken(int error)
{
    return error != ECONNREFUSED && error != EHOSTUNREACH && error != ENETUNREACH && error != EHOSTDOWN &&
           error != ENETDOWN && error != ENOBUFS && error != EPERM && error != EACCES && error != EPROTO;
}

static void ping_error(struct ping_line *l, int error)
{
    struct check_ping *s = l->k->state;
    bool waiting = l->waiting;

    if (waiting)
        ping_fail(l, strerror(error));
    if (ping_is_broken(error))
        ping_hang_up(s);
}

static void ping_on_deadline(struct ev_timer *t, uint64_t now, void *arg)
{
    struct ping_line *l = arg;
    struct check_ping *s = l->k->state;
    char what[64];

    (void)t;
    (void)now;
    snprintf(what, sizeof what, "no reply within %g s",
             (double)l->k->common.connect_timeout / (double)NS_PER_SEC);
    l->misses++;
    ping_fail(l, what);
    if (l->misses >= MISSES_A_SOCKET)
        ping_hang_up(s);
}

static void ping_say(struct ping_line *l)
{
    struct check_ping *s = l->k->state;
    uint8_t out[ICMP_ECHO_LEN];

    if (getrandom(l->echo.token, sizeof l->echo.token, GRND_NONBLOCK) != sizeof l->echo.token)
        for (size_t i = 0; i < sizeof l->echo.token; i++)
            l->echo.token[i] = (uint8_t)checker_random(l->k, 256);
    l->echo.ident = l->conn.icmp_ident;
    l->echo.seq++;
    icmp_echo_encode(s->dest.to.family, &l->echo, out);
    l->waiting = true;
    ev_timer_in(checker_ev(l->k), &l->deadline, l->k->common.connect_timeout);
    if (send(conn_fd(&l->conn), out, sizeof out, MSG_NOSIGNAL) < 0)
        ping_error(l, errno);
}

/* Also between attempts: late replies and errors are read and forgotten. */
static void ping_io(struct conn *c, unsigned int got, void *arg)
{
    struct ping_line *l = arg;
    uint8_t buf[60 + ICMP_ECHO_LEN + 4]; /* the longest IP header; what is longer is no reply of ours */

    (void)got;
    for (int i = 0; i < READS_A_TURN; i++) {
        ssize_t n = recv(conn_fd(c), buf, sizeof buf, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            ping_error(l, errno);
            return;
        }
        if (l->waiting && icmp_echo_is_reply(c->dest->to.family, buf, (size_t)n, &l->echo)) {
            l->misses = 0;
            ping_rest(l);
            checker_passed(l->k, "echo reply");
            return;
        }
    }
}

static void ping_connected(struct conn *c, void *arg)
{
    struct ping_line *l = arg;

    ev_timer_stop(checker_ev(l->k), &c->deadline); /* the line has its own, which does not close the socket */
    conn_want(c, EV_READ);
    ping_say(l);
}

static void ping_failed(struct conn *c, const char *why, void *arg)
{
    struct ping_line *l = arg;
    struct checker *k = l->k;
    char text[200];

    (void)c;
    snprintf(text, sizeof text, "%s", why);
    ping_hang_up(k->state);
    checker_failed(k, "%s", text);
}

static const struct conn_ops ping_ops = { .connected = ping_connected, .failed = ping_failed, .io = ping_io };

/* ---- the kind ---------------------------------------------------------------------------------- */

static int ping_build(struct checker *k, const struct slice *sl, const struct slice_obj *o, struct err *e)
{
    struct check_ping *s = xcalloc(1, sizeof *s);

    (void)sl;
    k->state = s;
    return checker_dest_read(&s->dest, o, e);
}

static void ping_start(struct checker *k)
{
    struct check_ping *s = k->state;

    if (s->line != NULL) {
        ping_say(s->line);
        return;
    }
    s->line = xcalloc(1, sizeof *s->line);
    s->line->k = k;
    ev_timer_init(&s->line->deadline, ping_on_deadline, s->line);
    conn_open(&s->line->conn, k, &s->dest, CONN_ICMP, &ping_ops, s->line);
}

static void ping_cancel(struct checker *k)
{
    ping_hang_up(k->state);
}

static void ping_free(struct checker *k)
{
    if (k->state != NULL)
        ping_hang_up(k->state);
}

const struct checker_kind *check_ping_kind(void)
{
    static const struct checker_kind kind = { .blk = BLK_PING,
                                              .name = "PING_CHECK",
                                              .build = ping_build,
                                              .start = ping_start,
                                              .cancel = ping_cancel,
                                              .free = ping_free };

    return &kind;
}
