/*
 * check_udp.c - UDP_CHECK: a datagram leaves. An ICMP error is a failure; silence until connect_timeout is
 * success, unless a reply is required. With bytes in require_reply the reply must begin with them and be of
 * an allowed length; the first reply decides. Matching is pure (udp_match.c). Called by engine.c through
 * checker.h.
 */
#include "checkd/check_udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "checkd/conn.h"
#include "checkd/udp_match.h"

enum { UDP_DEFAULT_MAX = 255, UDP_LONGEST = 65535, UDP_LONGEST_PAYLOAD = 65507 };

struct udp_attempt {
    struct checker *k;
    struct conn conn;
    bool sent;
};

struct check_udp {
    struct checker_dest dest;
    struct udp_attempt *attempt;
    bool require; /* a reply must come */
    uint16_t npayload, npattern;
    uint32_t min, max; /* length of a reply, with a pattern */
    uint8_t bytes[];   /* payload, pattern, mask of the pattern */
};

static void udp_end(struct udp_attempt *a)
{
    struct check_udp *s = a->k->state;

    conn_close(&a->conn);
    s->attempt = NULL;
    free(a);
}

static void udp_fail(struct udp_attempt *a, const char *what)
{
    struct checker *k = a->k;
    char where[IPADDR_STRLEN], why[160];

    snprintf(why, sizeof why, "%s port %u: %s", ipaddr_str(&a->conn.dest->to, where), a->conn.dest->port,
             what);
    udp_end(a);
    checker_failed(k, "%s", why);
}

/* len is the whole datagram's, buf holds as much of it as a pattern can need. */
static void udp_judge(struct udp_attempt *a, const uint8_t *buf, size_t len)
{
    struct checker *k = a->k;
    const struct check_udp *s = k->state;
    const uint8_t *pattern = s->bytes + s->npayload;
    char what[96];

    if (s->npattern > 0 && (len < s->min || len > s->max)) {
        snprintf(what, sizeof what, "reply of %zu bytes, wanted %u to %u", len, s->min, s->max);
        udp_fail(a, what);
    } else if (s->npattern > 0 && !udp_match(buf, len, pattern, pattern + s->npattern, s->npattern)) {
        snprintf(what, sizeof what, "reply of %zu bytes does not begin as require_reply says", len);
        udp_fail(a, what);
    } else {
        udp_end(a);
        checker_passed(k, "reply of %zu bytes", len);
    }
}

static void udp_io(struct conn *c, unsigned int got, void *arg)
{
    struct udp_attempt *a = arg;
    uint8_t buf[UDP_LONGEST];
    ssize_t n = recv(conn_fd(c), buf, sizeof buf, MSG_TRUNC);

    (void)got;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        udp_fail(a, strerror(errno));
    else
        udp_judge(a, buf, (size_t)n < sizeof buf ? (size_t)n : sizeof buf);
}

static void udp_connected(struct conn *c, void *arg)
{
    struct udp_attempt *a = arg;
    const struct check_udp *s = a->k->state;

    if (send(conn_fd(c), s->bytes, s->npayload, MSG_NOSIGNAL) < 0) {
        udp_fail(a, strerror(errno));
        return;
    }
    a->sent = true;
    conn_want(c, EV_READ);
}

/* Once the datagram has left, the only way here is the deadline: errors of the network come through udp_io.
 */
static void udp_failed(struct conn *c, const char *why, void *arg)
{
    struct udp_attempt *a = arg;
    struct checker *k = a->k;
    const struct check_udp *s = k->state;
    bool silence = a->sent && !s->require;

    (void)c;
    udp_end(a);
    if (silence)
        checker_passed(k, "no error came back");
    else
        checker_failed(k, "%s", why);
}

static const struct conn_ops udp_ops = { .connected = udp_connected, .failed = udp_failed, .io = udp_io };

/* ---- the kind ---------------------------------------------------------------------------------- */

/* The text of a KIND_HEX row, its NUL not counted. */
static const char *udp_text(const struct slice_obj *o, enum kw kw, size_t *len)
{
    const char *text = slice_raw(o, kw, 0, len);

    if (text == NULL)
        *len = 0;
    else
        *len = strnlen(text, *len);
    return text;
}

static int udp_build(struct checker *k, const struct slice *sl, const struct slice_obj *o, struct err *e)
{
    static const char probe[] = "holdfast UDP_CHECK: are you up ?"; /* 32 bytes */
    size_t npayload, npattern;
    const char *payload = udp_text(o, KW_UDP_PAYLOAD, &npayload);
    const char *pattern = udp_text(o, KW_UDP_REQUIRE_REPLY, &npattern);
    size_t payload_size = payload != NULL ? npayload / 2 : sizeof probe - 1;
    struct check_udp *s;

    (void)sl;
    if (payload_size > UDP_LONGEST_PAYLOAD || npattern / 2 > UDP_LONGEST)
        return err_set(e, "HF-HEX", o->name, "line %u: longer than a datagram", o->line);
    s = xcalloc(1, sizeof *s + payload_size + npattern);
    k->state = s;
    s->require = pattern != NULL;
    s->npayload = (uint16_t)payload_size;
    s->npattern = (uint16_t)(npattern / 2);
    s->min = (uint32_t)slice_uint(o, KW_UDP_MIN_REPLY_LENGTH, 0);
    s->max = (uint32_t)slice_uint(o, KW_UDP_MAX_REPLY_LENGTH, UDP_DEFAULT_MAX);
    if (payload == NULL)
        memcpy(s->bytes, probe, sizeof probe - 1);
    else if (udp_hex_decode(payload, npayload, s->bytes, NULL, payload_size) < 0)
        return err_set(e, "HF-HEX", o->name, "line %u: payload is not hexadecimal", o->line);
    if (udp_hex_decode(pattern != NULL ? pattern : "", npattern, s->bytes + payload_size,
                       s->bytes + payload_size + npattern / 2, npattern / 2) < 0)
        return err_set(e, "HF-HEX", o->name, "line %u: require_reply is not hexadecimal", o->line);
    return checker_dest_read(&s->dest, o, e);
}

static void udp_start(struct checker *k)
{
    struct check_udp *s = k->state;

    s->attempt = xcalloc(1, sizeof *s->attempt);
    s->attempt->k = k;
    conn_open(&s->attempt->conn, k, &s->dest, CONN_UDP, &udp_ops, s->attempt);
}

static void udp_cancel(struct checker *k)
{
    struct check_udp *s = k->state;

    if (s->attempt != NULL)
        udp_end(s->attempt);
}

const struct checker_kind *check_udp_kind(void)
{
    static const struct checker_kind kind = {
        .blk = BLK_UDP, .name = "UDP_CHECK", .build = udp_build, .start = udp_start, .cancel = udp_cancel
    };

    return &kind;
}
