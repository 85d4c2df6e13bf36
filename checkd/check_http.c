/*
 * check_http.c - attempts of HTTP_GET and SSL_GET, see check_http.h. Connect, TLS, send, headers, body: each
 * is a step with connect_timeout of its own; a byte dripped is no step (HTTP_STEP bytes of body are one), and
 * the whole attempt has a limit too. The body streams through http.c into http_match.c, HTTP_TURN bytes a
 * turn at most, so that a huge page keeps nobody else waiting, and behind HTTP_FREE bytes with a rest after
 * each turn, so that a server that streams without end gets about 20 MiB a second and not a whole processor
 * of the director. Whatever the server sends, its worst is that
 * its own check fails. Called by engine.c through checker.h.
 */
#include "checkd/check_http_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "checkd/checkd.h"

#define HTTP_READ       16384
#define HTTP_TURN       65536
#define HTTP_FREE       ((uint64_t)1 << 20) /* bytes of body that come as fast as they can */
#define HTTP_REST       (3 * NS_PER_MS)
#define HTTP_STEP       4096
#define HTTP_WHOLE_MIN  (60 * NS_PER_SEC) /* limit of the whole attempt: this, */
#define HTTP_WHOLE      10                /* or so many times connect_timeout */
#define HTTP_PATH_SHOWN 60
#define EXPIRY_NEAR_S   (14 * 86400)
#define EXPIRY_AGAIN_NS (86400 * NS_PER_SEC)

enum http_stage { STAGE_CONNECT, STAGE_TLS, STAGE_SEND, STAGE_HEAD, STAGE_BODY };

struct http_attempt {
    struct checker *k;
    struct check_http *c;
    const struct http_url *u;
    struct conn conn;
    struct tls *tls;
    struct http_match match;
    enum http_stage stage;
    size_t sent;
    uint64_t stepped; /* body bytes at the last step */
    uint64_t began;
    struct ev_timer rest; /* armed: the next bytes are read when it ends */
    struct http http;
};

static void attempt_free(struct http_attempt *a)
{
    a->c->attempt = NULL;
    ev_timer_stop(checker_ev(a->k), &a->rest);
    tls_close(a->tls, a->u->tls_notify && a->conn.open); /* never into a descriptor that is closed */
    conn_close(&a->conn);
    http_match_free(&a->match);
    free(a);
}

/* ---- the turn of the urls ------------------------------------------------------------------------------ */

static int path_len(const struct http_url *u)
{
    size_t len = strcspn(u->request + 4, " ");

    return (int)(len < HTTP_PATH_SHOWN ? len : HTTP_PATH_SHOWN);
}

static void attempt_passed(struct http_attempt *a)
{
    struct checker *k = a->k;
    struct check_http *c = a->c;
    const struct http_url *u = a->u;
    unsigned long long bytes = a->http.body_bytes;
    int status = a->http.status;

    attempt_free(a);
    c->at = (c->at + 1) % c->nurls;
    if (!k->up && ++c->passed < c->nurls) {
        checker_continues(k, c->fast_recovery ? 0 : k->common.delay_loop,
                          "GET %.*s: status %d; %u of %u urls pass", path_len(u), u->request + 4, status,
                          c->passed, c->nurls);
        return;
    }
    c->passed = 0;
    checker_passed(k, "GET %.*s: status %d, %llu bytes", path_len(u), u->request + 4, status, bytes);
}

static void attempt_failed(struct http_attempt *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void attempt_failed(struct http_attempt *a, const char *fmt, ...)
{
    struct checker *k = a->k;
    const struct http_url *u = a->u;
    char why[320];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    a->c->passed = 0;
    attempt_free(a);
    checker_failed(k, "GET %.*s: %s", path_len(u), u->request + 4, why);
}

/* ---- TLS ----------------------------------------------------------------------------------------------- */

static void expiry_note(struct http_attempt *a)
{
    struct check_http *c = a->c;
    uint64_t now = ev_now(checker_ev(a->k));
    char when[32];
    int64_t left;
    struct tm tm;
    time_t at;

    if (!tls_peer_expiry(a->tls, &c->expires))
        return;
    a->k->meter.expires = c->expires;
    left = c->expires - (int64_t)time(NULL);
    if (left > EXPIRY_NEAR_S || (c->expiry_said != 0 && now - c->expiry_said < EXPIRY_AGAIN_NS))
        return;
    c->expiry_said = now;
    at = (time_t)c->expires;
    gmtime_r(&at, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &tm);
    if (left > 0)
        log_warn("%s: SSL_GET: the certificate of the server expires in %lld days (%s): renew it",
                 checker_server_label(a->k), (long long)(left / 86400), when);
    else
        log_warn("%s: SSL_GET: the certificate of the server expired on %s: renew it%s",
                 checker_server_label(a->k), when, c->verify ? "" : " (the check accepts it: verify is off)");
}

static int tls_start(struct http_attempt *a)
{
    struct tls_opts o = { .sni = a->u->send_name ? a->u->name : NULL,
                          .verify = a->c->verify,
                          .verify_name = a->u->name,
                          .verify_ip = &a->c->dest.to,
                          .min_version = a->c->min_version };
    char why[160];

    a->stage = STAGE_TLS;
    a->tls = tls_open(a->c->tls, conn_fd(&a->conn), &o, why, sizeof why);
    if (a->tls != NULL)
        return 0;
    attempt_failed(a, "%s", why);
    return -1;
}

static unsigned int want_of(enum tls_step s)
{
    return s == TLS_WANT_WRITE ? EV_WRITE : EV_READ;
}

/* ---- steps: 1 goes on, 0 waits, -1 the attempt is over ------------------------------------------------- */

static int step_tls(struct http_attempt *a)
{
    enum tls_step s = tls_handshake(a->tls);

    switch (s) {
    case TLS_OK:
        expiry_note(a);
        a->stage = STAGE_SEND;
        conn_step(&a->conn);
        return 1;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE: conn_want(&a->conn, want_of(s)); return 0;
    case TLS_CLOSED:
    case TLS_FAILED: break;
    }
    attempt_failed(a, "%s", tls_why(a->tls));
    return -1;
}

static int step_send(struct http_attempt *a)
{
    const char *p = a->u->request + a->sent;
    size_t len = a->u->request_len - a->sent, n = 0;

    if (a->tls != NULL) {
        enum tls_step s = tls_write(a->tls, p, len, &n);

        if (s == TLS_FAILED || s == TLS_CLOSED) {
            attempt_failed(a, "%s", tls_why(a->tls));
            return -1;
        }
        if (s != TLS_OK) {
            conn_want(&a->conn, want_of(s));
            return 0;
        }
    } else {
        ssize_t rc = send(conn_fd(&a->conn), p, len, MSG_NOSIGNAL);

        if (rc < 0 && (errno == EAGAIN || errno == EINTR)) {
            conn_want(&a->conn, EV_WRITE);
            return 0;
        }
        if (rc < 0) {
            attempt_failed(a, "sending the request: %s", strerror(errno));
            return -1;
        }
        n = (size_t)rc;
    }
    a->sent += n;
    if (a->sent < a->u->request_len)
        return 1;
    a->stage = STAGE_HEAD;
    conn_step(&a->conn);
    conn_want(&a->conn, EV_READ);
    return 0;
}

static void on_body(const void *p, size_t len, void *arg)
{
    struct http_attempt *a = arg;

    http_match_body(&a->match, p, len);
}

static void reply_complete(struct http_attempt *a)
{
    char why[280];

    if (http_match_end(&a->match, a->http.status, why, sizeof why))
        attempt_passed(a);
    else
        attempt_failed(a, "%s", why);
}

/* What the reply has come to. 0: more is needed; -1: the attempt is over. */
static int reply_judge(struct http_attempt *a, enum http_progress got)
{
    uint64_t limit = HTTP_WHOLE * a->k->common.connect_timeout;

    if (got == HTTP_FAILED) {
        attempt_failed(a, "%s", http_error_text(a->http.error));
        return -1;
    }
    if (got == HTTP_DONE || (a->http.status != 0 && !http_status_wanted(&a->u->want, a->http.status))) {
        reply_complete(a); /* no body makes a wrong status right */
        return -1;
    }
    if (a->stage == STAGE_HEAD && a->http.status != 0) {
        a->stage = STAGE_BODY;
        conn_step(&a->conn);
    }
    if (a->http.body_bytes - a->stepped >= HTTP_STEP) {
        a->stepped = a->http.body_bytes;
        conn_step(&a->conn);
    }
    if (limit < HTTP_WHOLE_MIN)
        limit = HTTP_WHOLE_MIN;
    if (ev_now(checker_ev(a->k)) - a->began <= limit)
        return 0;
    attempt_failed(a, "the reply is not complete after %llu s (%llu bytes of body came)",
                   (unsigned long long)(limit / NS_PER_SEC), (unsigned long long)a->http.body_bytes);
    return -1;
}

/* The peer has closed. cut: without the TLS word for it. */
static void reply_closed(struct http_attempt *a, bool cut)
{
    if (cut && a->c->verify && a->http.phase == HTTP_PHASE_UNTIL_CLOSE) {
        attempt_failed(a, "closed without the TLS close message: the page may be cut short");
        return;
    }
    reply_judge(a, http_end(&a->http));
}

/* Bytes, 0: nothing now (the watcher is set), -1: the attempt is over. */
static long read_some(struct http_attempt *a, void *buf, size_t size)
{
    ssize_t rc;

    if (a->tls != NULL) {
        size_t n = 0;
        enum tls_step s = tls_read(a->tls, buf, size, &n);

        if (s == TLS_OK)
            return (long)n;
        if (s == TLS_WANT_READ || s == TLS_WANT_WRITE) {
            conn_want(&a->conn, want_of(s));
            return 0;
        }
        if (s == TLS_CLOSED)
            reply_closed(a, tls_cut(a->tls));
        else
            attempt_failed(a, "%s", tls_why(a->tls));
        return -1;
    }
    rc = recv(conn_fd(&a->conn), buf, size, 0);
    if (rc > 0)
        return rc;
    if (rc < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (rc == 0)
        reply_closed(a, false);
    else
        attempt_failed(a, "reading the reply: %s", strerror(errno));
    return -1;
}

static void step_read(struct http_attempt *a)
{
    char buf[HTTP_READ];
    size_t turn = 0;

    while (turn < HTTP_TURN || (a->tls != NULL && tls_pending(a->tls))) {
        long n = read_some(a, buf, sizeof buf);
        size_t used;

        if (n <= 0)
            return;
        if (reply_judge(a, http_feed(&a->http, buf, (size_t)n, &used)) < 0)
            return;
        if (a->tls == NULL && (size_t)n < sizeof buf)
            return; /* the socket is empty: the loop says when there is more */
        turn += (size_t)n;
    }
    if (a->http.body_bytes > HTTP_FREE) {
        conn_want(&a->conn, 0);
        ev_timer_in(checker_ev(a->k), &a->rest, HTTP_REST);
    }
}

static void rest_over(struct ev_timer *t, uint64_t now, void *arg)
{
    struct http_attempt *a = arg;

    (void)t;
    (void)now;
    conn_want(&a->conn, EV_READ);
    step_read(a);
}

static void attempt_drive(struct http_attempt *a)
{
    int go = 1;

    while (go > 0) {
        switch (a->stage) {
        case STAGE_CONNECT: return; /* conn.c's */
        case STAGE_TLS: go = step_tls(a); break;
        case STAGE_SEND: go = step_send(a); break;
        case STAGE_HEAD:
        case STAGE_BODY: step_read(a); return;
        }
    }
}

/* ---- connection ---------------------------------------------------------------------------------------- */

static void http_connected(struct conn *conn, void *arg)
{
    struct http_attempt *a = arg;

    (void)conn;
    a->stage = STAGE_SEND;
    if (a->c->tls != NULL && tls_start(a) < 0)
        return;
    attempt_drive(a);
}

static void http_io(struct conn *conn, unsigned int got, void *arg)
{
    (void)conn;
    (void)got;
    attempt_drive(arg);
}

/* Before the connection stands conn.c knows best; behind it only time can have run out. */
static void http_failed(struct conn *conn, const char *why, void *arg)
{
    struct http_attempt *a = arg;
    double s = (double)a->k->common.connect_timeout / (double)NS_PER_SEC;

    (void)conn;
    switch (a->stage) {
    case STAGE_CONNECT: attempt_failed(a, "%s", why); return;
    case STAGE_TLS: attempt_failed(a, "TLS handshake not done within %g s", s); return;
    case STAGE_SEND: attempt_failed(a, "request not taken within %g s", s); return;
    case STAGE_HEAD:
        attempt_failed(a, "no complete headers within %g s (%zu bytes came)", s, a->http.head_bytes);
        return;
    case STAGE_BODY:
        attempt_failed(a, "less than %d bytes of body within %g s (%llu in all)", HTTP_STEP, s,
                       (unsigned long long)a->http.body_bytes);
        return;
    }
}

static const struct conn_ops http_ops = { .connected = http_connected, .failed = http_failed, .io = http_io };

static void http_start(struct checker *k)
{
    struct check_http *c = k->state;
    struct http_attempt *a = xcalloc(1, sizeof *a);

    c->attempt = a;
    a->k = k;
    a->c = c;
    a->u = &c->urls[c->at];
    a->began = ev_now(checker_ev(k));
    ev_timer_init(&a->rest, rest_over, a);
    http_init(&a->http, c->v11, NULL, on_body, a);
    http_match_begin(&a->match, &a->u->want);
    conn_open(&a->conn, k, &c->dest, CONN_TCP, &http_ops, a);
}

static void http_cancel(struct checker *k)
{
    struct check_http *c = k->state;

    if (c->attempt != NULL)
        attempt_free(c->attempt);
}

/* The same options: the old state is as good as the new one and knows more. Only who owns it, and the id
 * ipvsd is asked for, are new. */
static bool http_take_over(struct checker *now, struct checker *old)
{
    struct check_http *mine = old->state, *fresh = now->state;

    if (mine->attempt == NULL || mine->attempt->conn.waiting)
        return false;
    mine->dest.id = fresh->dest.id;
    mine->attempt->k = now;
    mine->attempt->conn.k = now;
    now->state = mine;
    old->state = fresh;
    return true;
}

static void ssl_dump(const struct checker *k, FILE *f)
{
    const struct check_http *c = k->state;

    if (c->expires != 0)
        fprintf(f, "       Certificate expires = %lld (seconds of the epoch; %lld days left)\n",
                (long long)c->expires, (long long)((c->expires - (int64_t)time(NULL)) / 86400));
}

const struct checker_kind *check_http_kind(void)
{
    static const struct checker_kind kind = { .blk = BLK_HTTP,
                                              .name = "HTTP_GET",
                                              .build = check_http_build,
                                              .start = http_start,
                                              .cancel = http_cancel,
                                              .free = check_http_free,
                                              .take_over = http_take_over };

    return &kind;
}

const struct checker_kind *check_ssl_kind(void)
{
    static const struct checker_kind kind = { .blk = BLK_SSLGET,
                                              .name = "SSL_GET",
                                              .build = check_http_build,
                                              .start = http_start,
                                              .cancel = http_cancel,
                                              .free = check_http_free,
                                              .take_over = http_take_over,
                                              .dump = ssl_dump };

    return &kind;
}
