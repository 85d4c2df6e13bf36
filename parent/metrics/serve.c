/*
 * serve.c - see serve.h. The daemon is asked at most once a second: whoever scrapes faster is told the same
 * again. A client that dawdles is dropped, and so is the eldest when all places are taken.
 */
#include "parent/metrics/serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "parent/ctl/metrics.h"

#define SERVE_CLIENTS  16
#define SERVE_PATIENCE (5 * NS_PER_SEC)
#define SERVE_FRESH    NS_PER_SEC
#define SERVE_ASK_MS   8000
#define SERVE_TYPE     "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct serve_client {
    int fd; /* -1: free */
    uint64_t until, born;
    uint8_t request[SERVE_REQUEST_MAX];
    size_t got;
    char *answer; /* head and body */
    size_t len, sent;
};

struct serve {
    const struct serve_opts *o;
    struct serve_client client[SERVE_CLIENTS];
    char *text; /* what the daemon said last */
    size_t len;
    uint64_t asked_at;
};

static void serve_drop(struct serve_client *c)
{
    close(c->fd);
    free(c->answer);
    c->fd = -1;
    c->answer = NULL;
    c->len = c->sent = c->got = 0;
}

static void serve_refresh(struct serve *s)
{
    uint64_t now = clock_monotonic_ns();
    if (s->text != NULL && now - s->asked_at < SERVE_FRESH)
        return;
    free(s->text);
    metrics_collect(s->o->daemon, SERVE_ASK_MS, &s->text, &s->len);
    s->asked_at = clock_monotonic_ns();
}

static void serve_answer(struct serve_client *c, const char *status, const char *type, const char *body,
                         size_t len, bool head)
{
    char h[512];
    int n = snprintf(h, sizeof h,
                     "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
                     "X-Content-Type-Options: nosniff\r\n\r\n",
                     status, type, len);
    size_t hl = (size_t)n, bl = head ? 0 : len;
    c->answer = xmalloc(hl + bl + 1);
    memcpy(c->answer, h, hl);
    memcpy(c->answer + hl, body, bl);
    c->len = hl + bl;
}

static void serve_say(struct serve_client *c, const char *status, const char *text)
{
    serve_answer(c, status, "text/plain; charset=utf-8", text, strlen(text), false);
}

static void serve_grant(struct serve *s, struct serve_client *c, enum serve_wish wish)
{
    switch (wish) {
    case SERVE_MORE: return;
    case SERVE_METRICS:
    case SERVE_HEAD:
        serve_refresh(s);
        serve_answer(c, "200 OK", SERVE_TYPE, s->text, s->len, wish == SERVE_HEAD);
        break;
    case SERVE_HELLO: serve_say(c, "200 OK", "holdfast: the metrics are at /metrics\n"); break;
    case SERVE_NOWHERE: serve_say(c, "404 Not Found", "only /metrics is here\n"); break;
    case SERVE_METHOD: serve_say(c, "405 Method Not Allowed", "GET is all there is\n"); break;
    case SERVE_BAD: serve_say(c, "400 Bad Request", "this is HTTP\n"); break;
    case SERVE_LONG: serve_say(c, "431 Request Header Fields Too Large", "too long\n"); break;
    }
    c->until = clock_monotonic_ns() + SERVE_PATIENCE;
}

static void serve_read(struct serve *s, struct serve_client *c)
{
    ssize_t n = recv(c->fd, c->request + c->got, sizeof c->request - c->got, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        serve_drop(c);
        return;
    }
    c->got += (size_t)n;
    serve_grant(s, c, serve_request(c->request, c->got));
}

static void serve_write(struct serve_client *c)
{
    ssize_t n = send(c->fd, c->answer + c->sent, c->len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->sent += n > 0 ? (size_t)n : 0;
    if (n > 0 && c->sent < c->len) {
        c->until = clock_monotonic_ns() + SERVE_PATIENCE;
        return;
    }
    if (n > 0)
        shutdown(c->fd, SHUT_WR); /* all of it is on its way, also when something unread is thrown away */
    serve_drop(c);
}

static void serve_accept(struct serve *s, uint64_t now)
{
    struct serve_client *c = NULL, *eldest = &s->client[0];
    int fd = accept4(s->o->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (size_t i = 0; i < SERVE_CLIENTS; i++) {
        if (s->client[i].fd < 0)
            c = &s->client[i];
        else if (s->client[i].born < eldest->born)
            eldest = &s->client[i];
    }
    if (c == NULL) {
        serve_drop(eldest);
        c = eldest;
    }
    c->fd = fd;
    c->born = now;
    c->until = now + SERVE_PATIENCE;
}

static void serve_turn(struct serve *s, const struct pollfd *p, uint64_t now)
{
    for (size_t i = 0; i < SERVE_CLIENTS; i++) {
        struct serve_client *c = &s->client[i];
        if (c->fd < 0 || c->fd != p[i + 1].fd)
            continue;
        if (p[i + 1].revents != 0 && c->answer == NULL)
            serve_read(s, c);
        else if (p[i + 1].revents != 0)
            serve_write(c);
        else if (now >= c->until)
            serve_drop(c);
    }
    if (p[0].revents != 0)
        serve_accept(s, now);
}

int serve_run(const struct serve_opts *o)
{
    struct serve s = { .o = o };
    struct pollfd p[SERVE_CLIENTS + 1];
    for (size_t i = 0; i < SERVE_CLIENTS; i++)
        s.client[i].fd = -1;
    for (;;) {
        bool any = false;
        p[0] = (struct pollfd){ .fd = o->listener, .events = POLLIN };
        for (size_t i = 0; i < SERVE_CLIENTS; i++) {
            const struct serve_client *c = &s.client[i];
            p[i + 1] = (struct pollfd){ .fd = c->fd, .events = c->answer != NULL ? POLLOUT : POLLIN };
            any |= c->fd >= 0;
        }
        if (poll(p, SERVE_CLIENTS + 1, any ? 1000 : -1) < 0 && errno != EINTR)
            return 1;
        serve_turn(&s, p, clock_monotonic_ns());
    }
}
