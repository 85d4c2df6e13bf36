/*
 * mail_lookup.c - see mail_lookup.h. What arrives is hostile: the socket is connected to the server asked,
 * the id is random, the question must come back as it was asked.
 */
#include "checkd/mail_lookup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#define LOOKUP_WAIT    (2 * NS_PER_SEC) /* for one answer */
#define LOOKUP_ROUNDS  2
#define LOOKUP_JUMPS   32  /* compression pointers in a name */
#define LOOKUP_RECORDS 128 /* looked at in an answer */

enum { DNS_TYPE_A = 1, DNS_TYPE_CNAME = 5, DNS_TYPE_AAAA = 28, DNS_CLASS_IN = 1 };

/* ---- reading (pure) */

struct msg {
    const uint8_t *p;
    size_t len;
};

static bool get16(const struct msg *m, size_t at, uint16_t *out)
{
    if (at + 2 > m->len)
        return false;
    *out = (uint16_t)(m->p[at] << 8 | m->p[at + 1]);
    return true;
}

/* The name at *at, uncompressed, into out; *at moves behind it. Its length, or 0. */
static size_t get_name(const struct msg *m, size_t *at, uint8_t out[DNS_NAME_MAX])
{
    size_t n = 0, p = *at;
    bool jumped = false;
    for (int jumps = 0; jumps <= LOOKUP_JUMPS && p < m->len;) {
        uint8_t c = m->p[p];
        if ((c & 0xc0) == 0xc0) {
            if (p + 2 > m->len)
                return 0;
            if (!jumped)
                *at = p + 2;
            jumped = true;
            jumps++;
            p = (size_t)(c & 0x3f) << 8 | m->p[p + 1];
            continue;
        }
        if ((c & 0xc0) != 0 || p + 1u + c > m->len || n + 1u + c > DNS_NAME_MAX)
            return 0;
        memcpy(out + n, m->p + p, 1u + c);
        n += 1u + c;
        p += 1u + c;
        if (c == 0) {
            if (!jumped)
                *at = p;
            return n;
        }
    }
    return 0;
}

static bool same_name(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
    if (alen != blen)
        return false;
    for (size_t i = 0; i < alen; i++) {
        uint8_t x = a[i], y = b[i];
        x = x >= 'A' && x <= 'Z' ? (uint8_t)(x | 32) : x;
        y = y >= 'A' && y <= 'Z' ? (uint8_t)(y | 32) : y;
        if (x != y)
            return false;
    }
    return true;
}

static bool get_question(const struct msg *m, size_t *at, const uint8_t *name, size_t name_len, uint16_t type)
{
    uint8_t got[DNS_NAME_MAX];
    uint16_t count, t, class;
    if (!get16(m, 4, &count) || count != 1)
        return false;
    size_t n = get_name(m, at, got);
    if (n == 0 || !same_name(got, n, name, name_len) || !get16(m, *at, &t) || !get16(m, *at + 2, &class))
        return false;
    *at += 4;
    return t == type && class == DNS_CLASS_IN;
}

struct record {
    uint16_t type, class, len;
    size_t data;
};

static bool get_record(const struct msg *m, size_t *at, uint8_t owner[DNS_NAME_MAX], size_t *owner_len,
                       struct record *r)
{
    *owner_len = get_name(m, at, owner);
    if (*owner_len == 0 || !get16(m, *at, &r->type) || !get16(m, *at + 2, &r->class) ||
        !get16(m, *at + 8, &r->len))
        return false;
    r->data = *at + 10;
    if (r->data + r->len > m->len)
        return false;
    *at = r->data + r->len;
    return true;
}

int mail_lookup_read(const void *buf, size_t len, uint16_t id, const uint8_t *name, size_t name_len,
                     uint16_t type, struct ipaddr *out, size_t max)
{
    struct msg m = { buf, len };
    struct dns_reply head;
    uint8_t wanted[DNS_NAME_MAX], owner[DNS_NAME_MAX];
    size_t at = 12, wanted_len = name_len, owner_len, n = 0;
    struct record r;
    if (name_len > sizeof wanted || dns_reply_decode(buf, len, id, &head) != DNS_ANSWER ||
        !get_question(&m, &at, name, name_len, type))
        return -1;
    memcpy(wanted, name, name_len);
    for (unsigned int i = 0; i < head.answers && i < LOOKUP_RECORDS; i++) {
        if (!get_record(&m, &at, owner, &owner_len, &r))
            return -1;
        if (r.class != DNS_CLASS_IN || !same_name(owner, owner_len, wanted, wanted_len))
            continue;
        size_t alias = r.data;
        if (r.type == DNS_TYPE_CNAME) { /* servers tell an alias before what it stands for */
            wanted_len = get_name(&m, &alias, wanted);
            if (wanted_len == 0)
                return -1;
        } else if (r.type == type && r.len == (type == DNS_TYPE_A ? 4 : 16) && n < max) {
            out[n] = (struct ipaddr){ .family = type == DNS_TYPE_A ? 4 : 6,
                                      .plen = type == DNS_TYPE_A ? 32 : 128 };
            memcpy(out[n++].b, m.p + r.data, r.len);
        }
    }
    return (int)n;
}

/* ---- asking */

static void lookup_close(struct mail_lookup *l)
{
    ev_timer_stop(l->ev, &l->timer);
    if (l->io != NULL)
        ev_io_del(l->ev, l->io);
    l->io = NULL;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

static void lookup_end(struct mail_lookup *l)
{
    lookup_close(l);
    l->active = false;
    l->fn(l->arg, l->found, l->nfound, l->nfound > 0 ? NULL : l->why);
}

static void lookup_ask(struct mail_lookup *l);

/* Has this spelling no address, has perhaps the next one. */
static void lookup_next_name(struct mail_lookup *l)
{
    l->answered = false;
    l->server = l->round = 0;
    l->type = DNS_TYPE_A;
    if (l->nfound > 0 || ++l->name == l->nnames)
        lookup_end(l);
    else
        lookup_ask(l);
}

/* This server has nothing to say: the next one, then another round. */
static void lookup_next_server(struct mail_lookup *l)
{
    lookup_close(l);
    if (++l->server < l->nservers) {
        lookup_ask(l);
    } else if (l->answered) { /* "refused" will not become an answer by asking again */
        lookup_next_name(l);
    } else if (++l->round < LOOKUP_ROUNDS) {
        l->server = 0;
        lookup_ask(l);
    } else {
        lookup_end(l);
    }
}

/* AAAA after A; the next spelling when this one has neither. */
static void lookup_next_question(struct mail_lookup *l)
{
    lookup_close(l);
    if (l->type == DNS_TYPE_A) {
        l->type = DNS_TYPE_AAAA;
        lookup_ask(l);
    } else {
        lookup_next_name(l);
    }
}

static void lookup_why(struct mail_lookup *l, const char *what)
{
    char who[IPADDR_STRLEN];
    snprintf(l->why, sizeof l->why, "%.80s: name server %s: %s", l->names[l->name],
             ipaddr_str(&l->servers[l->server], who), what);
}

static void lookup_on_io(struct ev_io *w, unsigned int got, void *arg)
{
    struct mail_lookup *l = arg;
    struct dns_reply head;
    uint8_t buf[4096];
    (void)w;
    (void)got;
    ssize_t n = recv(l->fd, buf, sizeof buf, 0);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return;
        lookup_why(l, strerror(errno));
        lookup_next_server(l);
        return;
    }
    enum dns_verdict v = dns_reply_decode(buf, (size_t)n, l->id, &head);
    if (v == DNS_NOT_OURS)
        return; /* the timer knows when to stop listening */
    l->answered = true;
    if (v == DNS_REFUSED && head.rcode != 3) {
        const char *name = dns_rcode_name(head.rcode);
        lookup_why(l, name != NULL ? name : "refused");
        lookup_next_server(l);
        return;
    }
    int found = v == DNS_ANSWER
                    ? mail_lookup_read(buf, (size_t)n, l->id, l->question, l->question_len, l->type,
                                       l->found + l->nfound, MAIL_LOOKUP_ADDRS - l->nfound)
                    : 0;
    if (found < 0) {
        lookup_why(l, "an answer that is none");
        lookup_next_server(l);
        return;
    }
    if (found == 0 && l->nfound == 0)
        lookup_why(l, "the name has no address");
    l->nfound += (size_t)found;
    lookup_next_question(l);
}

static void lookup_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct mail_lookup *l = arg;
    (void)t;
    (void)now;
    if (l->io != NULL)
        lookup_why(l, "no answer");
    lookup_next_server(l);
}

static void lookup_ask(struct mail_lookup *l)
{
    struct sockaddr_storage ss;
    uint8_t query[DNS_QUERY_MAX];
    socklen_t slen = ipaddr_sockaddr(&l->servers[l->server], l->port, 0, &ss);
    int name_len = dns_name_encode(l->names[l->name], l->question, sizeof l->question);
    if (getrandom(&l->id, sizeof l->id, 0) != sizeof l->id)
        l->id = 0;
    int n = name_len < 0
                ? -1
                : dns_query_encode(l->id, l->question, (size_t)name_len, l->type, query, sizeof query);
    ev_timer_in(l->ev, &l->timer, 0); /* unless it goes well: on to the next, from the loop */
    if (n < 0) {
        lookup_why(l, "this is no name of a host");
        return;
    }
    l->question_len = (size_t)name_len;
    l->fd = socket(ipaddr_af(&l->servers[l->server]), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&ss, slen) < 0 ||
        send(l->fd, query, (size_t)n, MSG_NOSIGNAL) != n) {
        lookup_why(l, strerror(errno));
        return;
    }
    l->io = ev_io_add(l->ev, l->fd, EV_READ, lookup_on_io, l);
    ev_timer_in(l->ev, &l->timer, LOOKUP_WAIT);
}

void mail_lookup_init(struct mail_lookup *l, struct ev *ev)
{
    *l = (struct mail_lookup){ .ev = ev, .fd = -1, .port = MAIL_LOOKUP_PORT };
    ev_timer_init(&l->timer, lookup_on_timer, l);
}

void mail_lookup_start(struct mail_lookup *l, const char *const *names, size_t nnames,
                       const struct ipaddr *servers, size_t nservers, mail_lookup_fn *fn, void *arg)
{
    l->names = names;
    l->nnames = nnames;
    l->servers = servers;
    l->nservers = nservers;
    l->fn = fn;
    l->arg = arg;
    l->name = l->server = l->round = l->nfound = 0;
    l->answered = false;
    l->type = DNS_TYPE_A;
    l->active = true;
    lookup_ask(l);
}

void mail_lookup_abandon(struct mail_lookup *l)
{
    lookup_close(l);
    l->active = false;
}
