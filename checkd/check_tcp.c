/*
 * check_tcp.c - TCP_CHECK: a connection is made, or not, within connect_timeout. Nothing is read or written,
 * so nothing a server sends is looked at. Called by engine.c through checker.h.
 */
#include "checkd/check_tcp.h"

#include "checkd/conn.h"

struct check_tcp {
    struct checker_dest dest;
    struct conn conn;
};

static void tcp_connected(struct conn *c, void *arg)
{
    conn_close(c);
    checker_passed(arg, "connected");
}

static void tcp_failed(struct conn *c, const char *why, void *arg)
{
    (void)c;
    checker_failed(arg, "%s", why);
}

/* Never wanted: the connection is closed as soon as it stands. */
static void tcp_io(struct conn *c, unsigned int got, void *arg)
{
    (void)c;
    (void)got;
    (void)arg;
}

static const struct conn_ops tcp_ops = { .connected = tcp_connected, .failed = tcp_failed, .io = tcp_io };

static int tcp_build(struct checker *k, const struct slice *s, const struct slice_obj *o, struct err *e)
{
    struct check_tcp *t = xcalloc(1, sizeof *t);

    (void)s;
    k->state = t;
    return checker_dest_read(&t->dest, o, e);
}

static void tcp_start(struct checker *k)
{
    struct check_tcp *t = k->state;

    conn_open(&t->conn, k, &t->dest, CONN_TCP, &tcp_ops, k);
}

static void tcp_cancel(struct checker *k)
{
    struct check_tcp *t = k->state;

    conn_close(&t->conn);
}

static bool tcp_take_over(struct checker *now, struct checker *old)
{
    struct check_tcp *t = now->state, *o = old->state;

    conn_move(&t->conn, &o->conn, now, &t->dest, now);
    return true;
}

const struct checker_kind *check_tcp_kind(void)
{
    static const struct checker_kind kind = { .blk = BLK_TCP,
                                              .name = "TCP_CHECK",
                                              .build = tcp_build,
                                              .start = tcp_start,
                                              .cancel = tcp_cancel,
                                              .take_over = tcp_take_over };

    return &kind;
}
