/*
 * mail_wire.c - the transport of a mail session: one non-blocking socket, TLS over it when asked, one reply
 * at a time, a deadline for each step. Hostile bytes end in smtp_reply.c; what does not fit ends the session.
 */
#include "checkd/mail_wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIRE_READS 16 /* reads a turn: a server that floods us shares the process with the checks */

static void wire_close(struct mail_session *s, bool notify)
{
    ev_timer_stop(s->ev, &s->deadline);
    tls_close(s->tls, notify);
    s->tls = NULL;
    if (s->io != NULL)
        ev_io_del(s->ev, s->io);
    s->io = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->step = MAIL_STEP_IDLE;
    explicit_bzero(s->command, sizeof s->command);
}

void mail_wire_end(struct mail_session *s, const char *why)
{
    bool asked = s->step == MAIL_STEP_QUIT;
    wire_close(s, asked);
    s->in_hand = false;
    s->ops->ended(s->arg, asked ? NULL : why);
}

void mail_wire_fail(struct mail_session *s, const char *fmt, ...)
{
    char why[MAIL_WHY_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    mail_wire_end(s, why);
}

static void wire_on_deadline(struct ev_timer *t, uint64_t now, void *arg)
{
    struct mail_session *s = arg;
    (void)t;
    (void)now;
    mail_wire_fail(s, "%s: no answer within %llu s", mail_session_step_name(s),
                   (unsigned long long)(s->server->timeout / NS_PER_SEC));
}

static void wire_step(struct mail_session *s)
{
    ev_timer_in(s->ev, &s->deadline, s->server->timeout);
}

/* ---- TLS or not */

enum wire_done { WIRE_OK, WIRE_AGAIN_READ, WIRE_AGAIN_WRITE, WIRE_EOF, WIRE_BROKEN };

static enum wire_done wire_tls_step(struct mail_session *s, enum tls_step step)
{
    switch (step) {
    case TLS_OK: return WIRE_OK;
    case TLS_WANT_READ: return WIRE_AGAIN_READ;
    case TLS_WANT_WRITE: return WIRE_AGAIN_WRITE;
    case TLS_CLOSED: return WIRE_EOF;
    case TLS_FAILED: break;
    }
    mail_wire_fail(s, "%s: %s", mail_session_step_name(s), tls_why(s->tls));
    return WIRE_BROKEN;
}

static enum wire_done wire_errno(struct mail_session *s, enum wire_done again)
{
    if (errno == EAGAIN || errno == EINTR)
        return again;
    mail_wire_fail(s, "%s: %s", mail_session_step_name(s), strerror(errno));
    return WIRE_BROKEN;
}

static enum wire_done wire_write(struct mail_session *s, size_t *n)
{
    *n = 0;
    if (s->tls != NULL)
        return wire_tls_step(s, tls_write(s->tls, s->out, s->out_len, n));
    ssize_t r = send(s->fd, s->out, s->out_len, MSG_NOSIGNAL);
    if (r < 0)
        return wire_errno(s, WIRE_AGAIN_WRITE);
    *n = (size_t)r;
    return WIRE_OK;
}

static enum wire_done wire_read(struct mail_session *s, char *buf, size_t size, size_t *n)
{
    *n = 0;
    if (s->tls != NULL)
        return wire_tls_step(s, tls_read(s->tls, buf, size, n));
    ssize_t r = recv(s->fd, buf, size, 0);
    if (r < 0)
        return wire_errno(s, WIRE_AGAIN_READ);
    *n = (size_t)r;
    return r == 0 ? WIRE_EOF : WIRE_OK;
}

/* ---- in and out */

static void wire_want(struct mail_session *s, enum wire_done again)
{
    ev_io_want(s->ev, s->io, again == WIRE_AGAIN_WRITE ? EV_WRITE : EV_READ);
}

/* What a call of the socket or of TLS has come to: on with it? */
static bool wire_on(struct mail_session *s, enum wire_done d)
{
    switch (d) {
    case WIRE_OK: return true;
    case WIRE_BROKEN: break; /* said, and ended */
    case WIRE_EOF:
        mail_wire_fail(s, "%s: the server has closed the connection", mail_session_step_name(s));
        break;
    case WIRE_AGAIN_READ:
    case WIRE_AGAIN_WRITE: wire_want(s, d); break;
    }
    return false;
}

static void wire_out(struct mail_session *s)
{
    size_t n;
    while (s->out_len > 0) {
        if (!wire_on(s, wire_write(s, &n)))
            return;
        s->out += n;
        s->out_len -= n;
    }
    wire_want(s, WIRE_AGAIN_READ);
}

static void wire_keep_caps(struct mail_session *s, const char *buf, size_t len)
{
    size_t room = sizeof s->caps - 1 - s->caps_len;
    if (s->step != MAIL_STEP_HELLO)
        return;
    if (len > room)
        len = room;
    memcpy(s->caps + s->caps_len, buf, len);
    s->caps_len += len;
}

/* Nothing is said before it is asked: what stands behind a reply was put there by somebody who wants it to be
 * taken for the answer to a later question (after STARTTLS: for an answer under TLS). */
static bool wire_fed(struct mail_session *s, const char *buf, size_t len)
{
    size_t used;
    enum smtp_progress p = smtp_reply_feed(&s->reply, buf, len, &used);
    wire_keep_caps(s, buf, used);
    if (p == SMTP_MORE)
        return true;
    if (p == SMTP_FAILED)
        mail_wire_fail(s, "%s: the server's answer is no SMTP: %s", mail_session_step_name(s),
                       smtp_error_text(s->reply.error));
    else if (used < len)
        mail_wire_fail(s, "%s: the server says more than was asked", mail_session_step_name(s));
    else {
        int code = s->reply.code;
        ev_timer_stop(s->ev, &s->deadline);
        mail_session_reply(s, code);
    }
    return false;
}

static void wire_in(struct mail_session *s)
{
    char buf[2048];
    size_t n;
    for (int i = 0; i < WIRE_READS; i++) {
        if (!wire_on(s, wire_read(s, buf, sizeof buf, &n)) || !wire_fed(s, buf, n))
            return;
    }
}

static void wire_handshake(struct mail_session *s)
{
    enum wire_done d = wire_tls_step(s, tls_handshake(s->tls));
    if (d == WIRE_BROKEN)
        return;
    if (d == WIRE_EOF) {
        mail_wire_fail(s, "TLS handshake: the server has closed the connection");
        return;
    }
    if (d != WIRE_OK) {
        wire_want(s, d);
        return;
    }
    s->secure = true;
    mail_session_up(s);
}

static void wire_connected(struct mail_session *s)
{
    int e = 0;
    socklen_t len = sizeof e;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
        e = errno;
    if (e != 0)
        mail_wire_fail(s, "connect: %s", strerror(e));
    else if (s->server->tls == MAIL_TLS_IMPLICIT)
        mail_wire_secure(s);
    else
        mail_session_up(s);
}

static void wire_on_io(struct ev_io *w, unsigned int got, void *arg)
{
    struct mail_session *s = arg;
    (void)w;
    (void)got;
    if (s->step == MAIL_STEP_CONNECT)
        wire_connected(s);
    else if (s->step == MAIL_STEP_HANDSHAKE)
        wire_handshake(s);
    else if (s->out_len > 0)
        wire_out(s);
    else
        wire_in(s);
}

void mail_wire_say(struct mail_session *s, const char *p, size_t len)
{
    smtp_reply_init(&s->reply);
    s->out = p;
    s->out_len = len;
    wire_step(s);
    wire_out(s);
}

void mail_wire_listen(struct mail_session *s)
{
    smtp_reply_init(&s->reply);
    wire_step(s);
    wire_want(s, WIRE_AGAIN_READ);
}

void mail_wire_secure(struct mail_session *s)
{
    char why[MAIL_WHY_MAX];
    bool verify = s->server->tls == MAIL_TLS_REQUIRED || s->server->tls == MAIL_TLS_IMPLICIT;
    struct tls_opts o = { .sni = s->server->tls_name,
                          .verify = verify,
                          .verify_name = s->server->tls_name,
                          .verify_ip = &s->addr };
    s->step = MAIL_STEP_HANDSHAKE;
    s->tls = tls_open(s->server->ctx, s->fd, &o, why, sizeof why);
    if (s->tls == NULL) {
        mail_wire_fail(s, "TLS: %s", why);
        return;
    }
    wire_step(s);
    wire_handshake(s);
}

/* ---- begin */

void mail_session_init(struct mail_session *s, struct ev *ev)
{
    *s = (struct mail_session){ .ev = ev, .fd = -1 };
    ev_timer_init(&s->deadline, wire_on_deadline, s);
}

bool mail_session_active(const struct mail_session *s)
{
    return s->step != MAIL_STEP_IDLE;
}

void mail_session_start(struct mail_session *s, const struct mail_server *server, const struct ipaddr *addr,
                        const struct mail_session_ops *ops, void *arg)
{
    struct sockaddr_storage ss;
    socklen_t len = ipaddr_sockaddr(addr, server->port, 0, &ss);
    s->server = server;
    s->ops = ops;
    s->arg = arg;
    s->addr = *addr;
    s->secure = s->greeted = s->in_hand = false;
    s->out_len = 0;
    s->step = MAIL_STEP_CONNECT;
    s->fd = socket(ipaddr_af(addr), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        mail_wire_fail(s, "socket: %s", strerror(errno));
        return;
    }
    if (connect(s->fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) {
        mail_wire_fail(s, "connect: %s", strerror(errno));
        return;
    }
    s->io = ev_io_add(s->ev, s->fd, EV_WRITE, wire_on_io, s);
    wire_step(s);
}

void mail_session_abandon(struct mail_session *s)
{
    wire_close(s, false);
    s->in_hand = false;
}
