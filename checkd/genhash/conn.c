/*
 * conn.c - genhash's one connection, plain or TLS, every step under one deadline. Called by fetch.c.
 * Certificates are not verified: the question is what the page hashes to, as the incumbent answers it.
 */
#include "checkd/genhash/genhash.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"

struct genhash_conn {
    int fd;
    uint64_t deadline;
    SSL_CTX *ctx;
    SSL *ssl;
};

static int say(char *why, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int say(char *why, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, size, fmt, ap);
    va_end(ap);
    return -1;
}

static int wait_for(struct genhash_conn *c, short events, const char *what, char *why, size_t size)
{
    for (;;) {
        uint64_t now = clock_monotonic_ns();
        uint64_t left = now < c->deadline ? c->deadline - now : 0;
        struct timespec ts = { (time_t)(left / NS_PER_SEC), (long)(left % NS_PER_SEC) };
        struct pollfd p = { .fd = c->fd, .events = events };
        int n = ppoll(&p, 1, &ts, NULL);

        if (n > 0)
            return 0;
        if (n == 0)
            return say(why, size, "timeout while %s (longer with --timeout)", what);
        if (errno != EINTR)
            return say(why, size, "poll: %s", strerror(errno));
    }
}

static int tcp_open(struct genhash_conn *c, const struct genhash_options *o, char *why, size_t size)
{
    struct sockaddr_storage sa;
    socklen_t salen = ipaddr_sockaddr(&o->server, o->port, o->scope, &sa), elen = sizeof(int);
    int error = 0;

    c->fd = socket(ipaddr_af(&o->server), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return say(why, size, "cannot open a socket: %s", strerror(errno));
    if (o->has_mark && setsockopt(c->fd, SOL_SOCKET, SO_MARK, &o->mark, sizeof o->mark) < 0)
        return say(why, size, "cannot set firewall mark %u: %s%s", o->mark, strerror(errno),
                   errno == EPERM ? " (needs CAP_NET_ADMIN: run as root)" : "");
    if (connect(c->fd, (struct sockaddr *)&sa, salen) < 0) {
        if (errno != EINPROGRESS)
            return say(why, size, "cannot connect: %s", strerror(errno));
        if (wait_for(c, POLLOUT, "connecting", why, size) < 0)
            return -1;
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &elen) < 0 || error != 0)
            return say(why, size, "cannot connect: %s", strerror(error != 0 ? error : errno));
    }
    return 0;
}

static int tls_error(int code, const char *what, char *why, size_t size)
{
    unsigned long e = ERR_peek_error();
    int saved = errno;

    if (code == SSL_ERROR_SYSCALL && e == 0)
        return say(why, size, "%s: %s", what,
                   saved != 0 ? strerror(saved) : "connection closed by the server");
    if (ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return say(why, size, "%s: closed without the TLS close message: the page may be cut short", what);
    return say(why, size, "%s: %s", what, e != 0 ? ERR_reason_error_string(e) : "TLS failure");
}

/* After an SSL call that returned n <= 0: 0 = again, 1 = closed orderly, -1 = why. */
static int tls_retry(struct genhash_conn *c, int n, const char *what, char *why, size_t size)
{
    int code = SSL_get_error(c->ssl, n);

    if (code == SSL_ERROR_WANT_READ)
        return wait_for(c, POLLIN, what, why, size);
    if (code == SSL_ERROR_WANT_WRITE)
        return wait_for(c, POLLOUT, what, why, size);
    if (code == SSL_ERROR_ZERO_RETURN)
        return 1;
    return tls_error(code, what, why, size);
}

/* The name for the handshake: the virtual host without its port. */
static int tls_set_name(struct genhash_conn *c, const char *vhost)
{
    char name[256];
    size_t n = strcspn(vhost, ":");

    if (n == 0 || n >= sizeof name)
        return -1;
    memcpy(name, vhost, n);
    name[n] = '\0';
    return SSL_set_tlsext_host_name(c->ssl, name) == 1 ? 0 : -1;
}

static int tls_open(struct genhash_conn *c, const struct genhash_options *o, char *why, size_t size)
{
    int n, again;

    c->ctx = SSL_CTX_new(TLS_client_method());
    if (c->ctx == NULL)
        return tls_error(SSL_ERROR_SSL, "TLS cannot be set up", why, size);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_NONE, NULL);
    c->ssl = SSL_new(c->ctx);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
        return tls_error(SSL_ERROR_SSL, "TLS cannot be set up", why, size);
    if (o->sni && tls_set_name(c, o->vhost) < 0)
        return say(why, size, "\"%s\" cannot be named in the TLS handshake", o->vhost);
    for (;;) {
        ERR_clear_error();
        errno = 0;
        n = SSL_connect(c->ssl);
        if (n == 1)
            return 0;
        again = tls_retry(c, n, "TLS handshake", why, size);
        if (again == 1)
            return say(why, size, "TLS handshake: connection closed by the server");
        if (again < 0)
            return -1;
    }
}

struct genhash_conn *genhash_conn_open(const struct genhash_options *o, char *why, size_t size)
{
    struct genhash_conn *c = xcalloc(1, sizeof *c);

    c->deadline = clock_monotonic_ns() + o->timeout_ns;
    if (tcp_open(c, o, why, size) < 0 || (o->ssl && tls_open(c, o, why, size) < 0)) {
        genhash_conn_close(c);
        return NULL;
    }
    return c;
}

void genhash_conn_close(struct genhash_conn *c)
{
    if (c->ssl != NULL)
        SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0)
        close(c->fd);
    free(c);
}

/* One step of writing: bytes, 0 = again, -1 = why. */
static long write_some(struct genhash_conn *c, const char *p, size_t len, char *why, size_t size)
{
    ssize_t n;

    if (c->ssl != NULL) {
        int again;

        ERR_clear_error();
        errno = 0;
        n = SSL_write(c->ssl, p, (int)len);
        if (n > 0)
            return n;
        again = tls_retry(c, (int)n, "sending the request", why, size);
        return again == 1 ? say(why, size, "sending the request: connection closed by the server") : again;
    }
    n = send(c->fd, p, len, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    if (errno == EAGAIN)
        return wait_for(c, POLLOUT, "sending the request", why, size);
    return errno == EINTR ? 0 : say(why, size, "sending the request: %s", strerror(errno));
}

int genhash_conn_write(struct genhash_conn *c, const void *p, size_t len, char *why, size_t size)
{
    const char *at = p;

    while (len > 0) {
        long n = write_some(c, at, len, why, size);

        if (n < 0)
            return -1;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

long genhash_conn_read(struct genhash_conn *c, void *p, size_t len, char *why, size_t size)
{
    static const char what[] = "reading the reply";

    for (;;) {
        ssize_t n;

        if (clock_monotonic_ns() >= c->deadline) /* also when the server always has a byte ready */
            return say(why, size, "timeout while %s (longer with --timeout)", what);
        if (c->ssl != NULL) {
            int again;

            ERR_clear_error();
            errno = 0;
            n = SSL_read(c->ssl, p, (int)len);
            if (n > 0)
                return n;
            again = tls_retry(c, (int)n, what, why, size);
            if (again != 0)
                return again == 1 ? 0 : -1;
            continue;
        }
        n = recv(c->fd, p, len, 0);
        if (n >= 0)
            return n;
        if (errno != EAGAIN && errno != EINTR)
            return say(why, size, "%s: %s", what, strerror(errno));
        if (errno == EAGAIN && wait_for(c, POLLIN, what, why, size) < 0)
            return -1;
    }
}
