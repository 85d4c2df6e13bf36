/* check_sock.c - see check_sock.h. */
#include "ipvsd/check_sock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "ipvsd/check_open.h"
#include "ipvsd/ipvsd.h"

#define CHECK_SOCK_RATE  10000u /* a second; each costs some ten microseconds */
#define CHECK_SOCK_BURST 500u
#define CHECK_SOCK_EPOCH 24 /* bits of an order's number that say which row: more than a slice holds */
#define CHECK_SOCK_AGAIN (20 * NS_PER_MS)

struct check_sock_row {
    uint32_t id;
    uint32_t token;
    bool waiting;
    bool pending;     /* ordered in the other namespace */
    uint32_t ordered; /* ... under this number */
    struct check_open spec;
    TAILQ_ENTRY(check_sock_row) next;
};
TAILQ_HEAD(check_sock_queue, check_sock_row);

struct check_sock {
    struct ipvsd *d;
    struct check_sock_row *v; /* ascending by id */
    size_t n;
    struct check_sock_queue queue;
    struct ev_timer due;
    uint32_t tokens;
    uint64_t filled_at;
    uint16_t ident;      /* of the last raw socket */
    uint8_t epoch;       /* of orders */
    struct ev_io *goods; /* what comes from the other namespace */
    struct log_limit said;
    uint64_t made, failed, delayed; /* for the dump */
};

uint32_t check_sock_allowance(uint32_t *tokens, uint64_t *at, uint64_t now)
{
    const uint64_t each = NS_PER_SEC / CHECK_SOCK_RATE;
    uint64_t more = now > *at ? (now - *at) / each : 0;
    if (more >= CHECK_SOCK_BURST - *tokens) {
        *tokens = CHECK_SOCK_BURST;
        *at = now;
    } else {
        *tokens += (uint32_t)more;
        *at += more * each; /* the rest of the time counts later */
    }
    return *tokens;
}

/* ---- one socket ------------------------------------------------------------------------------------------
 */

/* Takes the fresh socket fd (-1: errno says why there is none). A descriptor, or -1 errno. */
static int check_sock_setup(struct check_sock *c, const struct check_open *spec, int fd)
{
    if (fd < 0)
        return -1;
    if (check_open_setup(spec, fd, c->ident) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static void check_sock_say(struct check_sock *c, const struct check_sock_row *r, int error)
{
    char text[IPADDR_STRLEN];
    uint64_t more = 0;
    c->failed++;
    if (!log_allow(&c->said, ev_now(c->d->ev), 10 * NS_PER_SEC, &more))
        return;
    log_warn(
        "the socket of a check of %s cannot be made (mark %u, source %s, port %u, interface %s): %s; the "
        "check counts as failed%s",
        ipaddr_str(&r->spec.to, text), r->spec.fwmark, r->spec.bindto.family != 0 ? "given" : "any",
        r->spec.bind_port, r->spec.bind_if[0] != '\0' ? r->spec.bind_if : "any", strerror(error),
        more > 0 ? "; others went the same way" : "");
}

/* fd: fresh, or -1 with errno. */
static void check_sock_answer(struct check_sock *c, struct check_sock_row *r, int fd)
{
    struct chan *ch = child_peer(c->d->child, ROLE_CHECKD);
    struct msg_sock_ready m = { .check = r->id, .token = r->token };
    if (ch == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    if (r->spec.type == CHECK_OPEN_ICMP)
        m.ident = ++c->ident;
    fd = check_sock_setup(c, &r->spec, fd);
    m.ok = fd >= 0;
    if (fd < 0) {
        m.error = (uint32_t)errno;
        check_sock_say(c, r, errno);
    } else {
        c->made++;
    }
    chan_send(ch, MSG_sock_ready, &m, m.ok ? &fd : NULL, m.ok ? 1 : 0);
}

/* False: the other namespace cannot take more orders now. */
static bool check_sock_serve(struct check_sock *c, struct check_sock_row *r)
{
    int domain, type, protocol;
    r->waiting = false;
    check_open_kind(&r->spec, &domain, &type, &protocol);
    if (!c->d->other.on) {
        check_sock_answer(c, r, socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
        return true;
    }
    /* An order of before a reload or of a former checkd must not be taken for one of now. */
    r->ordered = (uint32_t)c->epoch << CHECK_SOCK_EPOCH | (uint32_t)(r - c->v);
    r->pending = true;
    if (other_ns_order(&c->d->other, r->ordered, domain, type, protocol) == 0)
        return true;
    r->pending = false;
    if (errno == EAGAIN) {
        r->waiting = true;
        TAILQ_INSERT_HEAD(&c->queue, r, next);
        return false;
    }
    check_sock_answer(c, r, -1);
    return true;
}

static void check_sock_on_goods(struct ev_io *w, unsigned int got, void *arg)
{
    struct check_sock *c = arg;
    uint32_t number;
    int fd, error, rc;
    (void)w;
    (void)got;
    while ((rc = other_ns_goods(&c->d->other, &number, &fd, &error)) > 0) {
        size_t i = number & ((1u << CHECK_SOCK_EPOCH) - 1);
        if (i >= c->n || !c->v[i].pending || c->v[i].ordered != number) { /* nobody waits any more */
            if (fd >= 0)
                close(fd);
            continue;
        }
        c->v[i].pending = false;
        errno = error;
        check_sock_answer(c, &c->v[i], fd);
    }
    if (rc < 0)
        fatal("the helper in the network namespace of net_namespace_ipvs is gone");
}

static void check_sock_run(struct check_sock *c)
{
    struct check_sock_row *r;
    check_sock_allowance(&c->tokens, &c->filled_at, ev_now(c->d->ev));
    while (c->tokens > 0 && (r = TAILQ_FIRST(&c->queue)) != NULL) {
        TAILQ_REMOVE(&c->queue, r, next);
        c->tokens--;
        if (!check_sock_serve(c, r))
            break;
    }
    if (!TAILQ_EMPTY(&c->queue) && !ev_timer_armed(&c->due))
        ev_timer_in(c->d->ev, &c->due, CHECK_SOCK_AGAIN);
}

static void check_sock_on_due(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    check_sock_run(arg);
}

/* ---- called by main.c
 * -------------------------------------------------------------------------------------- */

struct check_sock *check_sock_new(struct ipvsd *d)
{
    struct check_sock *c = xcalloc(1, sizeof *c);
    c->d = d;
    c->tokens = CHECK_SOCK_BURST;
    TAILQ_INIT(&c->queue);
    ev_timer_init(&c->due, check_sock_on_due, c);
    if (d->other.on)
        c->goods = ev_io_add(d->ev, d->other.factory, EV_READ, check_sock_on_goods, c);
    /* Somewhere: a successor must not use the identifiers of requests that are still under way. */
    if (getrandom(&c->ident, sizeof c->ident, GRND_NONBLOCK) != (ssize_t)sizeof c->ident)
        c->ident = (uint16_t)(clock_monotonic_ns() >> 10);
    return c;
}

void check_sock_configure(struct check_sock *c, const struct slice *now)
{
    size_t n = slice_count(now);
    check_sock_new_peer(c);
    free(c->v);
    c->v = NULL;
    c->n = 0;
    for (size_t i = 0; i < n; i++) { /* ascending by id */
        struct check_open spec;
        const struct slice_obj *o = slice_at(now, i);
        if (!check_open_read(&spec, now, o))
            continue;
        if ((c->n & (c->n - 1)) == 0)
            c->v = xrealloc(c->v, (c->n == 0 ? 1 : 2 * c->n) * sizeof *c->v);
        c->v[c->n++] = (struct check_sock_row){ .id = o->id, .spec = spec };
    }
}

static int check_sock_cmp(const void *key, const void *row)
{
    const uint32_t *id = key;
    const struct check_sock_row *r = row;
    return (*id > r->id) - (*id < r->id);
}

int check_sock_want(struct check_sock *c, const struct msg_sock_want *m)
{
    struct check_sock_row *r = c->n > 0 ? bsearch(&m->check, c->v, c->n, sizeof *c->v, check_sock_cmp) : NULL;
    if (r == NULL)
        return -1;
    r->token = m->token; /* of the newest attempt: who asks again has given the former one up */
    if (!r->waiting) {
        r->waiting = true;
        TAILQ_INSERT_TAIL(&c->queue, r, next);
    }
    check_sock_run(c);
    c->delayed += r->waiting;
    return 0;
}

void check_sock_new_peer(struct check_sock *c)
{
    struct check_sock_row *r;
    while ((r = TAILQ_FIRST(&c->queue)) != NULL) {
        TAILQ_REMOVE(&c->queue, r, next);
        r->waiting = false;
    }
    for (size_t i = 0; i < c->n; i++)
        c->v[i].pending = false;
    c->epoch++;
    ev_timer_stop(c->d->ev, &c->due);
}

void check_sock_dump(const struct check_sock *c, int fd)
{
    dprintf(fd, "  check sockets: %zu checks, %llu made, %llu failed, %llu delayed\n", c->n,
            (unsigned long long)c->made, (unsigned long long)c->failed, (unsigned long long)c->delayed);
}
