/*
 * test_checks_net.c - SMTP, DNS and UDP checks under the real engine, against scripted servers on the
 * loopback in the same event loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "checkd/conn.h"
#include "test/unit/check_bench.h"

/* ---- servers ----------------------------------------------------------------------------------- */

static int bound(int type, uint16_t *port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

/* Says script[0] at once and the next piece for each line it hears. NULL: silence; "!": closes. */
struct mta {
    struct ev *ev;
    int fd, conn;
    uint16_t port;
    struct ev_io *accept, *io;
    const char *const *script;
    size_t at, connections;
    char heard[512];
    size_t nheard;
};

static void mta_hang_up(struct mta *m)
{
    if (m->io != NULL) {
        ev_io_del(m->ev, m->io);
        close(m->conn);
    }
    m->io = NULL;
}

static void mta_say(struct mta *m)
{
    const char *text = m->script[m->at];

    if (text == NULL)
        return;
    m->at++;
    if (strcmp(text, "!") == 0)
        mta_hang_up(m);
    else
        assert_int_equal(send(m->conn, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void mta_io(struct ev_io *w, unsigned int got, void *arg)
{
    struct mta *m = arg;
    ssize_t n = recv(m->conn, m->heard + m->nheard, sizeof m->heard - 1 - m->nheard, 0);

    (void)w;
    (void)got;
    if (n <= 0) {
        mta_hang_up(m);
        return;
    }
    for (ssize_t i = 0; i < n && m->io != NULL; i++)
        if (m->heard[m->nheard + (size_t)i] == '\n')
            mta_say(m);
    m->nheard += (size_t)n;
}

static void mta_accept(struct ev_io *w, unsigned int got, void *arg)
{
    struct mta *m = arg;

    (void)w;
    (void)got;
    mta_hang_up(m);
    m->conn = accept4(m->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(m->conn >= 0);
    m->io = ev_io_add(m->ev, m->conn, EV_READ, mta_io, m);
    m->at = 0;
    m->connections++;
    mta_say(m);
}

static void mta_open(struct mta *m, struct ev *ev, const char *const *script)
{
    *m = (struct mta){ .ev = ev, .script = script };
    m->fd = bound(SOCK_STREAM, &m->port);
    assert_int_equal(listen(m->fd, 8), 0);
    m->accept = ev_io_add(ev, m->fd, EV_READ, mta_accept, m);
}

static void mta_close(struct mta *m)
{
    mta_hang_up(m);
    ev_io_del(m->ev, m->accept);
    close(m->fd);
}

/* ---- SMTP -------------------------------------------------------------------------------------- */

static void smtp_begin(struct bench *b, struct mta *m, const char *const *script)
{
    bench_begin(b);
    mta_open(m, b->ev, script);
    slice_put_obj(b->w, BLK_SMTP, b->rs, "", 5);
    put_dest(b->w, KW_SMTP_CONNECT_IP, KW_SMTP_CONNECT_PORT, m->port, KW_SMTP_CONNECT_TIMEOUT);
    slice_put_us(b->w, KW_SMTP_WARMUP, 0);
}

static void smtp_good(const char *const *script, const char *dialogue)
{
    struct bench b;
    struct mta m;

    smtp_begin(&b, &m, script);
    slice_put_str(b.w, KW_SMTP_HELO_NAME, "probe.test");
    bench_go(&b);
    bench_attempts(&b, 1);
    for (int i = 0; i < 5; i++) /* QUIT may be on its way */
        ev_turn(b.ev, NS_PER_MS);
    assert_string_equal(m.heard, dialogue);
    mta_close(&m);
    expect_up(&b);
}

static void smtp_bad(const char *const *script, const char *why)
{
    struct bench b;
    struct mta m;

    smtp_begin(&b, &m, script);
    bench_go(&b);
    bench_attempts(&b, 1);
    mta_close(&m);
    expect_down(&b, why);
}

#define SCRIPT(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_smtp(void **state)
{
    static const char whole[] = "HELO probe.test\r\nQUIT\r\n";

    (void)state;
    smtp_good(SCRIPT("220 hello\r\n", "250 ok\r\n", "221 bye\r\n"), whole);
    smtp_good(SCRIPT("220-a\r\n220-b\r\n220 c\r\n", "250-x\r\n250 y\r\n", "221 bye\r\n"), whole);
    smtp_good(SCRIPT("220 hello\r\n", "250 ok\r\n", "!"), whole);
    smtp_good(SCRIPT("220 hello\r\n", "250 ok\r\n", "500 what\r\n"), whole);
    smtp_good(SCRIPT("220 hello\r\n", "250 ok\r\n"), whole); /* never answers QUIT: up all the same */
    smtp_bad(SCRIPT("554 no\r\n"), "greeting: 554, wanted 220 (no)");
    smtp_bad(SCRIPT("220 hello\r\n", "550 go away\r\n"), "answer to HELO: 550, wanted 250 (go away)");
    smtp_bad(SCRIPT("220 hello\r\n", "!"), "answer to HELO: connection closed");
    smtp_bad(SCRIPT("!"), "connection closed");
    smtp_bad(SCRIPT("HTTP/1.0 400 Bad Request\r\n"), "no SMTP code");
    smtp_bad(SCRIPT("220 hello\r\n"), "no answer from 127.0.0.1");
    smtp_bad(SCRIPT("220-hello\r\n"), "no answer from 127.0.0.1");
    smtp_bad((const char *const[]){ NULL }, "(greeting)");
}

static void test_smtp_refused(void **state)
{
    struct bench b;
    struct mta m;

    (void)state;
    smtp_begin(&b, &m, SCRIPT("220 x\r\n"));
    mta_close(&m);
    bench_go(&b);
    expect_down(&b, "Connection refused");
}

static void smtp_hosts(const char *const *second, bool up)
{
    struct bench b;
    struct mta m, h[2];

    smtp_begin(&b, &m, SCRIPT("220 x\r\n"));
    mta_open(&h[0], b.ev, SCRIPT("220 a\r\n", "250 a\r\n", "221 a\r\n"));
    mta_open(&h[1], b.ev, second);
    uint32_t smtp = b.rs + 1;
    for (int i = 0; i < 2; i++) {
        slice_put_obj(b.w, BLK_SMTPHOST, smtp, "", 6);
        put_dest(b.w, KW_SMTPHOST_CONNECT_IP, KW_SMTPHOST_CONNECT_PORT, h[i].port,
                 KW_SMTPHOST_CONNECT_TIMEOUT);
    }
    bench_go(&b);
    bench_attempts(&b, 1);
    assert_int_equal(m.connections, 0); /* with host blocks only they are asked */
    assert_int_equal(h[0].connections, 1);
    assert_int_equal(h[1].connections, 1);
    mta_close(&m);
    mta_close(&h[0]);
    mta_close(&h[1]);
    if (up)
        expect_up(&b);
    else
        expect_down(&b, "greeting: 554");
}

static void test_smtp_hosts(void **state)
{
    (void)state;
    smtp_hosts(SCRIPT("220 b\r\n", "250 b\r\n", "221 b\r\n"), true);
    smtp_hosts(SCRIPT("554 b\r\n"), false);
}

/* ---- datagrams --------------------------------------------------------------------------------- */

struct udp_server {
    struct ev *ev;
    int fd;
    uint16_t port;
    struct ev_io *io;
    void (*answer)(struct udp_server *u, uint8_t *q, size_t len, const struct sockaddr_in *to);
    uint8_t heard[600];
    size_t nheard;
    const char *reply; /* of answer_text */
    size_t nreply;
};

static void udp_on_io(struct ev_io *w, unsigned int got, void *arg)
{
    struct udp_server *u = arg;
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(u->fd, u->heard, sizeof u->heard, 0, (struct sockaddr *)&from, &len);

    (void)w;
    (void)got;
    if (n < 0)
        return;
    u->nheard = (size_t)n;
    if (u->answer != NULL)
        u->answer(u, u->heard, u->nheard, &from);
}

static void udp_open(struct udp_server *u, struct ev *ev)
{
    *u = (struct udp_server){ .ev = ev };
    u->fd = bound(SOCK_DGRAM, &u->port);
    u->io = ev_io_add(ev, u->fd, EV_READ, udp_on_io, u);
}

static void udp_close(struct udp_server *u)
{
    ev_io_del(u->ev, u->io);
    close(u->fd);
}

static void udp_send(struct udp_server *u, const void *p, size_t len, const struct sockaddr_in *to)
{
    assert_int_equal(sendto(u->fd, p, len, 0, (const struct sockaddr *)to, sizeof *to), (ssize_t)len);
}

static void dns_begin(struct bench *b, struct udp_server *u,
                      void (*answer)(struct udp_server *, uint8_t *, size_t, const struct sockaddr_in *))
{
    bench_begin(b);
    udp_open(u, b->ev);
    u->answer = answer;
    slice_put_obj(b->w, BLK_DNS, b->rs, "", 5);
    put_dest(b->w, KW_DNS_CONNECT_IP, KW_DNS_CONNECT_PORT, u->port, KW_DNS_CONNECT_TIMEOUT);
    slice_put_us(b->w, KW_DNS_WARMUP, 0);
}

static void dns_ok(struct udp_server *u, uint8_t *q, size_t len, const struct sockaddr_in *to)
{
    q[2] |= 0x80;
    udp_send(u, q, len, to);
}

static void dns_servfail(struct udp_server *u, uint8_t *q, size_t len, const struct sockaddr_in *to)
{
    q[2] |= 0x80;
    q[3] = 2;
    udp_send(u, q, len, to);
}

static void dns_echo(struct udp_server *u, uint8_t *q, size_t len, const struct sockaddr_in *to)
{
    udp_send(u, q, len, to);
}

static void dns_wrong_id(struct udp_server *u, uint8_t *q, size_t len, const struct sockaddr_in *to)
{
    q[0] ^= 0x55;
    dns_ok(u, q, len, to);
}

/* A wrong answer first, a refusal under a wrong id, then the right one: only the last counts. */
static void dns_late(struct udp_server *u, uint8_t *q, size_t len, const struct sockaddr_in *to)
{
    q[0] ^= 0x55;
    dns_servfail(u, q, len, to);
    q[0] ^= 0x55;
    q[3] = 0;
    dns_ok(u, q, len, to);
}

static void dns_run(void (*answer)(struct udp_server *, uint8_t *, size_t, const struct sockaddr_in *),
                    const char *why)
{
    struct bench b;
    struct udp_server u;

    dns_begin(&b, &u, answer);
    bench_go(&b);
    bench_attempts(&b, 1);
    udp_close(&u);
    if (why == NULL)
        expect_up(&b);
    else
        expect_down(&b, why);
}

static void test_dns(void **state)
{
    (void)state;
    dns_run(dns_ok, NULL);
    dns_run(dns_late, NULL);
    dns_run(dns_servfail, "rcode 2 SERVFAIL");
    dns_run(dns_wrong_id, "1 datagrams with another id");
    dns_run(dns_echo, "no answer from");
    dns_run(NULL, "no answer from");
}

static void test_dns_question(void **state)
{
    struct bench b;
    struct udp_server u;

    (void)state;
    dns_begin(&b, &u, NULL);
    slice_put_str(b.w, KW_DNS_NAME, "a.test");
    slice_put_uint(b.w, KW_DNS_TYPE, 28);
    bench_go(&b);
    bench_attempts(&b, 1);
    assert_int_equal(u.nheard, 24);
    assert_memory_equal(u.heard + 2, "\1\0\0\1\0\0\0\0\0\0\1a\4test\0\0\x1c\0\1", 22);
    udp_close(&u);
    expect_down(&b, "no answer");
    dns_begin(&b, &u, NULL);
    bench_go(&b);
    bench_attempts(&b, 1);
    assert_int_equal(u.nheard, 17);
    assert_memory_equal(u.heard + 12, "\0\0\6\0\1", 5);
    udp_close(&u);
    expect_down(&b, "no answer");
}

static void test_dns_refused(void **state)
{
    struct bench b;
    struct udp_server u;

    (void)state;
    dns_begin(&b, &u, NULL);
    udp_close(&u);
    bench_go(&b);
    expect_down(&b, "Connection refused");
}

static void answer_text(struct udp_server *u, uint8_t *q, size_t len, const struct sockaddr_in *to)
{
    (void)q;
    (void)len;
    udp_send(u, u->reply, u->nreply, to);
}

static void udp_begin(struct bench *b, struct udp_server *u, const char *require, const char *reply,
                      size_t nreply)
{
    bench_begin(b);
    udp_open(u, b->ev);
    u->answer = reply != NULL ? answer_text : NULL;
    u->reply = reply;
    u->nreply = nreply;
    slice_put_obj(b->w, BLK_UDP, b->rs, "", 5);
    put_dest(b->w, KW_UDP_CONNECT_IP, KW_UDP_CONNECT_PORT, u->port, KW_UDP_CONNECT_TIMEOUT);
    slice_put_us(b->w, KW_UDP_WARMUP, 0);
    if (require != NULL)
        slice_put_raw(b->w, KW_UDP_REQUIRE_REPLY, require, strlen(require) + 1);
}

static void udp_run(const char *require, const char *reply, size_t nreply, const char *why)
{
    struct bench b;
    struct udp_server u;

    udp_begin(&b, &u, require, reply, nreply);
    slice_put_uint(b.w, KW_UDP_MIN_REPLY_LENGTH, 4);
    slice_put_uint(b.w, KW_UDP_MAX_REPLY_LENGTH, 10);
    bench_go(&b);
    bench_attempts(&b, 1);
    assert_int_equal(u.nheard, 32); /* the built-in payload */
    udp_close(&u);
    if (why == NULL)
        expect_up(&b);
    else
        expect_down(&b, why);
}

static void test_udp(void **state)
{
    static char large[60000];

    (void)state;
    udp_run(NULL, NULL, 0, NULL); /* silence is fine */
    udp_run(NULL, "whatever it is, it is fine", 26, NULL);
    udp_run("", NULL, 0, "no answer from");
    udp_run("", "x", 1, NULL); /* no bytes wanted: lengths do not matter */
    udp_run("01xx03", "\x01\xa7\x03tail", 7, NULL);
    udp_run("01xx03", "\x01\xa7\x04tail", 7, "does not begin");
    udp_run("01xx03", "\x01\xa7\x03", 3, "reply of 3 bytes, wanted 4 to 10");
    udp_run("01xx03", "\x01\xa7\x03tttttttttttt", 15, "reply of 15 bytes, wanted 4 to 10");
    udp_run("01xx03", large, sizeof large, "reply of 60000 bytes");
    udp_run("01xx03", "", 0, "reply of 0 bytes");
    udp_run("01xx03", NULL, 0, "no answer from");
}

static void test_udp_payload(void **state)
{
    struct bench b;
    struct udp_server u;

    (void)state;
    udp_begin(&b, &u, NULL, NULL, 0);
    slice_put_raw(b.w, KW_UDP_PAYLOAD, "00ff100a", 9);
    bench_go(&b);
    bench_attempts(&b, 1);
    assert_int_equal(u.nheard, 4);
    assert_memory_equal(u.heard, "\0\xff\x10\x0a", 4);
    udp_close(&u);
    expect_up(&b);
}

static void test_udp_refused(void **state)
{
    struct bench b;
    struct udp_server u;

    (void)state;
    udp_begin(&b, &u, NULL, NULL, 0);
    udp_close(&u);
    bench_go(&b);
    expect_down(&b, "Connection refused");
}

/* In the middle of an attempt everything is released: the sanitizers look. */
static void test_cancel(void **state)
{
    struct bench b;
    struct udp_server u;
    struct mta m;

    (void)state;
    smtp_begin(&b, &m, SCRIPT("220 x\r\n"));
    bench_go(&b);
    while (m.nheard == 0)
        ev_turn(b.ev, NS_PER_MS);
    assert_int_equal(b.d.running, 1);
    mta_close(&m);
    bench_end(&b);
    dns_begin(&b, &u, NULL);
    bench_go(&b);
    while (u.nheard == 0)
        ev_turn(b.ev, NS_PER_MS);
    assert_int_equal(b.d.running, 1);
    udp_close(&u);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smtp),         cmocka_unit_test(test_smtp_refused),
        cmocka_unit_test(test_smtp_hosts),   cmocka_unit_test(test_dns),
        cmocka_unit_test(test_dns_question), cmocka_unit_test(test_dns_refused),
        cmocka_unit_test(test_udp),          cmocka_unit_test(test_udp_payload),
        cmocka_unit_test(test_udp_refused),  cmocka_unit_test(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
