/*
 * check_dns.c - DNS_CHECK: one question over UDP with a fresh random id. A reply with that id passes when its
 * rcode is 0, answers or not; any other rcode fails. What is no reply to our question (wrong id, our query
 * echoed, junk) is passed over until connect_timeout, so nobody can fail a server by throwing datagrams.
 * Encoding and judging are pure (dns_msg.c). Called by engine.c through checker.h.
 */
#include "checkd/check_dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "checkd/conn.h"
#include "checkd/dns_msg.h"

enum { DNS_DEFAULT_TYPE = 6, READS_A_TURN = 16 };

struct dns_attempt {
    struct checker *k;
    struct conn conn;
    uint16_t id;
    uint32_t passed_over; /* datagrams that were no reply to the question */
};

struct check_dns {
    struct checker_dest dest;
    struct dns_attempt *attempt;
    uint16_t type;
    uint16_t name_len;
    uint8_t name[]; /* encoded */
};

static void dns_end(struct dns_attempt *a)
{
    struct check_dns *s = a->k->state;

    conn_close(&a->conn);
    s->attempt = NULL;
    free(a);
}

static void dns_fail(struct dns_attempt *a, const char *what)
{
    struct checker *k = a->k;
    char where[IPADDR_STRLEN], why[160];

    snprintf(why, sizeof why, "%s port %u: %s", ipaddr_str(&a->conn.dest->to, where), a->conn.dest->port,
             what);
    dns_end(a);
    checker_failed(k, "%s", why);
}

/* true: the attempt is over. */
static bool dns_judge(struct dns_attempt *a, const uint8_t *buf, size_t len)
{
    struct checker *k = a->k;
    struct dns_reply r;
    const char *name;
    char what[64];

    switch (dns_reply_decode(buf, len, a->id, &r)) {
    case DNS_ANSWER:
        dns_end(a);
        checker_passed(k, "reply with %u answers", r.answers);
        return true;
    case DNS_REFUSED:
        name = dns_rcode_name(r.rcode);
        snprintf(what, sizeof what, "reply says rcode %u%s%s", r.rcode, name != NULL ? " " : "",
                 name != NULL ? name : "");
        dns_fail(a, what);
        return true;
    case DNS_NOT_OURS: break;
    }
    a->passed_over++;
    return false;
}

static void dns_io(struct conn *c, unsigned int got, void *arg)
{
    struct dns_attempt *a = arg;
    uint8_t buf[512];

    (void)got;
    for (int i = 0; i < READS_A_TURN; i++) { /* a flood gets no more than this of a turn */
        ssize_t n = recv(conn_fd(c), buf, sizeof buf, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            dns_fail(a, strerror(errno));
            return;
        }
        if (dns_judge(a, buf, (size_t)n))
            return;
    }
}

static void dns_connected(struct conn *c, void *arg)
{
    struct dns_attempt *a = arg;
    struct check_dns *s = a->k->state;
    uint8_t query[DNS_QUERY_MAX];
    int len = dns_query_encode(a->id, s->name, s->name_len, s->type, query, sizeof query);

    if (len < 0)
        fatal("a DNS name of %u bytes makes no query", s->name_len);
    if (send(conn_fd(c), query, (size_t)len, MSG_NOSIGNAL) < 0) {
        dns_fail(a, strerror(errno));
        return;
    }
    conn_want(c, EV_READ);
}

static void dns_failed(struct conn *c, const char *why, void *arg)
{
    struct dns_attempt *a = arg;
    struct checker *k = a->k;
    uint32_t junk = a->passed_over;

    (void)c;
    dns_end(a);
    if (junk > 0)
        checker_failed(k, "%.160s (%u datagrams with another id passed over)", why, junk);
    else
        checker_failed(k, "%s", why);
}

static const struct conn_ops dns_ops = { .connected = dns_connected, .failed = dns_failed, .io = dns_io };

/* ---- the kind ---------------------------------------------------------------------------------- */

static int dns_build(struct checker *k, const struct slice *sl, const struct slice_obj *o, struct err *e)
{
    const char *text = slice_str(o, KW_DNS_NAME, "");
    uint8_t name[DNS_NAME_MAX];
    int len = dns_name_encode(text, name, sizeof name);
    struct check_dns *s;

    (void)sl;
    if (len < 0)
        return err_set(e, "HF-DNS-NAME", o->name, "line %u: %.100s is no DNS name", o->line, text);
    s = xcalloc(1, sizeof *s + (size_t)len);
    s->name_len = (uint16_t)len;
    memcpy(s->name, name, (size_t)len);
    s->type = (uint16_t)slice_uint(o, KW_DNS_TYPE, DNS_DEFAULT_TYPE);
    k->state = s;
    return checker_dest_read(&s->dest, o, e);
}

static void dns_start(struct checker *k)
{
    struct check_dns *s = k->state;
    struct dns_attempt *a = xcalloc(1, sizeof *a);

    a->k = k;
    if (getrandom(&a->id, sizeof a->id, GRND_NONBLOCK) != sizeof a->id)
        a->id = (uint16_t)checker_random(k, UINT16_MAX + 1u);
    s->attempt = a;
    conn_open(&a->conn, k, &s->dest, CONN_UDP, &dns_ops, a);
}

static void dns_cancel(struct checker *k)
{
    struct check_dns *s = k->state;

    if (s->attempt != NULL)
        dns_end(s->attempt);
}

const struct checker_kind *check_dns_kind(void)
{
    static const struct checker_kind kind = {
        .blk = BLK_DNS, .name = "DNS_CHECK", .build = dns_build, .start = dns_start, .cancel = dns_cancel
    };

    return &kind;
}
