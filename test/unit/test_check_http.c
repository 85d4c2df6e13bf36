/*
 * test_check_http.c - HTTP_GET and SSL_GET attempts under the real engine, with the server's end in the
 * test's hand: an attempt carried over a reload, one that is dropped in each phase, what the kinds keep.
 * Built to be run with AddressSanitizer: the slice of the former configuration is gone while the attempt goes
 * on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "checkd/tls.h"
#include "test/unit/check_bench.h"

struct server_end {
    int listen, fd;
    uint16_t port;
};

static void server_open(struct server_end *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;

    s->fd = -1;
    s->listen = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(s->listen, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->listen, 8), 0);
    assert_int_equal(getsockname(s->listen, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
}

static void server_close(struct server_end *s)
{
    close(s->listen);
    if (s->fd >= 0)
        close(s->fd);
}

/* The loop turns until the server has a connection and these bytes. */
static void server_accept(struct server_end *s, struct bench *b)
{
    for (int i = 0; i < 500 && s->fd < 0; i++) {
        ev_turn(b->ev, 10 * NS_PER_MS);
        s->fd = accept4(s->listen, NULL, NULL, SOCK_NONBLOCK);
    }
    assert_true(s->fd >= 0);
}

static void server_read(struct server_end *s, struct bench *b, char *buf, size_t size)
{
    ssize_t n = -1;

    for (int i = 0; i < 500 && n < 0; i++) {
        ev_turn(b->ev, 10 * NS_PER_MS);
        n = read(s->fd, buf, size - 1);
    }
    assert_true(n > 0);
    buf[n] = '\0';
}

static void server_say(struct server_end *s, struct bench *b, const char *text)
{
    assert_int_equal(write(s->fd, text, strlen(text)), (ssize_t)strlen(text));
    for (int i = 0; i < 5; i++) {
        ev_turn(b->ev, 5 * NS_PER_MS);
        engine_settle(&b->d);
    }
}

static void put_check(struct slice_writer *w, uint32_t rs, enum blk blk, uint16_t port)
{
    static const char digest[] = "900150983cd24fb0d6963f7d28e17f72"; /* of "abc" */
    uint32_t id = slice_put_obj(w, blk, rs, "", 5);

    if (blk == BLK_HTTP)
        put_dest(w, KW_HTTP_CONNECT_IP, KW_HTTP_CONNECT_PORT, port, KW_HTTP_CONNECT_TIMEOUT);
    else
        put_dest(w, KW_SSLGET_CONNECT_IP, KW_SSLGET_CONNECT_PORT, port, KW_SSLGET_CONNECT_TIMEOUT);
    slice_put_bool(w, blk == BLK_HTTP ? KW_HTTP_ALPHA : KW_SSLGET_ALPHA, true);
    slice_put_str(w, blk == BLK_HTTP ? KW_HTTP_VIRTUALHOST : KW_SSLGET_VIRTUALHOST, "www.example.test:8080");
    slice_put_obj(w, BLK_URL, id, "", 6);
    slice_put_str(w, KW_URL_PATH, "/a");
    slice_put_str(w, KW_URL_DIGEST, digest);
    slice_put_raw(w, KW_URL_REGEX, "b+c$", 5);
}

static void begin(struct bench *b, struct server_end *s, enum blk blk)
{
    server_open(s);
    bench_begin(b);
    b->d.tls = tls_store_new();
    put_check(b->w, b->rs, blk, s->port);
    bench_go(b);
}

static void end(struct bench *b, struct server_end *s)
{
    struct tls_store *st = b->d.tls;

    bench_end(b);
    tls_store_free(st);
    server_close(s);
}

/* The same check in a slice of its own; the former slice goes. */
static void reload(struct bench *b, uint16_t port)
{
    struct slice_writer *w = slice_writer_new(ROLE_CHECKD, 2);
    struct service_change change;
    struct service_table *next;
    struct err e = { 0 };
    struct slice *s;
    const void *p;
    uint32_t vs, rs;
    size_t len;

    slice_put_obj(w, BLK_BFD, 0, "B1", 1); /* other ids than before */
    vs = slice_put_obj(w, BLK_VS, 0, "10.0.0.1:25:TCP", 3);
    slice_put_uint(w, KW_VS_QUORUM, 1);
    rs = slice_put_obj(w, BLK_RS, vs, "10.0.0.2:25", 4);
    slice_put_uint(w, KW_RS_WEIGHT, 10);
    put_check(w, rs, b->k->kind->blk, port);
    p = slice_writer_bytes(w, &len);
    s = slice_parse(p, len, ROLE_CHECKD, &e);
    assert_non_null(s);
    slice_writer_free(w);
    next = service_table_new(s, &e);
    assert_non_null(next);
    assert_int_equal(engine_build(&b->d, next, s, &e), 0);
    service_table_adopt(next, b->d.now, &change);
    engine_take_over(&b->d, next, b->d.now);
    engine_settle(&b->d);
    slice_free(b->s);
    b->s = s;
    b->k = &b->d.now->checkers[0];
}

static void over_a_reload(void **state)
{
    struct server_end s;
    struct bench b;
    char req[512];

    (void)state;
    begin(&b, &s, BLK_HTTP);
    server_accept(&s, &b);
    server_read(&s, &b, req, sizeof req);
    assert_string_equal(
        req, "GET /a HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: www.example.test:8080\r\n\r\n");
    server_say(&s, &b, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na");
    assert_true(b.k->running);
    reload(&b, s.port);
    assert_true(b.k->running);
    server_say(&s, &b, "bc");
    assert_false(b.k->running);
    assert_true(b.k->up);
    assert_int_equal(b.d.attempts, 1);
    end(&b, &s);
}

/* In each phase the process may be told to stop: nothing is left behind, nothing is said. */
static void dropped(void **state)
{
    static const char *const said[] = { NULL, "", "HTTP/1.0 200 OK\r\n", "HTTP/1.0 200 OK\r\n\r\nab" };
    static const enum blk kinds[] = { BLK_HTTP, BLK_SSLGET };

    (void)state;
    for (size_t kind = 0; kind < 2; kind++)
        for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
            struct server_end s;
            struct bench b;

            begin(&b, &s, kinds[kind]);
            if (said[i] != NULL) {
                server_accept(&s, &b);
                if (kinds[kind] == BLK_HTTP)
                    server_say(&s, &b, said[i]);
                assert_true(b.k->running);
            } else {
                ev_turn(b.ev, NS_PER_MS);
            }
            end(&b, &s);
        }
}

/* A server that says something wrong: down, and why. */
static void wrong(void **state)
{
    static const struct {
        const char *reply, *why;
    } rows[] = {
        { "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabd", "digest of the body" },
        { "HTTP/1.0 503 Away\r\nContent-Length: 100000\r\n\r\n",
          "status 503" }, /* without waiting for its body */
        { "HTTP/1.0 204 Empty\r\n\r\n", "digest of the body" },
        { "SSH-2.0-OpenSSH_9.2\r\n", "status line" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct server_end s;
        struct bench b;
        char req[512];

        begin(&b, &s, BLK_HTTP);
        b.k->up = true; /* so that the failure is a change */
        b.k->server->down = 0;
        b.k->server->alive = true;
        server_accept(&s, &b);
        server_read(&s, &b, req, sizeof req);
        server_say(&s, &b, rows[i].reply);
        assert_false(b.k->up);
        if (strstr(last_line, rows[i].why) == NULL)
            fail_msg("wanted %s: %s", rows[i].why, last_line);
        end(&b, &s);
    }
}

/* Not TLS: the reason says so, and the descriptor that is closed first is not written to. */
static void no_tls(void **state)
{
    struct server_end s;
    struct bench b;
    char hello[4096];

    (void)state;
    begin(&b, &s, BLK_SSLGET);
    server_accept(&s, &b);
    server_read(&s, &b, hello, sizeof hello);
    assert_int_equal(hello[0], 0x16);
    server_say(&s, &b, "HTTP/1.0 400 Bad Request\r\n\r\n");
    assert_int_equal(b.d.failures, 1);
    end(&b, &s);
    begin(&b, &s, BLK_SSLGET); /* and one that says nothing at all */
    server_accept(&s, &b);
    bench_attempts(&b, 1);
    assert_int_equal(b.d.failures, 1);
    end(&b, &s);
}

/* A server that streams as fast as it can gets about 20 MiB a second of us, not a whole processor: what it
 * was rid of in half a second is within the rests' arithmetic and what sockets hold (it was some 500 MiB). */
static void a_flood_of_body(void **state)
{
    static const char block[65536];
    static const char head[] = "HTTP/1.0 200 OK\r\nContent-Length: 4294967296\r\n\r\n";
    const uint64_t mib = 1 << 20, sockets = 16 * mib;
    uint64_t began, took, sent = 0;
    struct server_end s;
    struct bench b;
    char req[512];

    (void)state;
    begin(&b, &s, BLK_HTTP);
    server_accept(&s, &b);
    server_read(&s, &b, req, sizeof req);
    server_say(&s, &b, head);
    began = ev_now(b.ev);
    do {
        ssize_t n = write(s.fd, block, sizeof block);

        sent += n > 0 ? (uint64_t)n : 0;
        ev_turn(b.ev, NS_PER_MS);
        ev_now_refresh(b.ev);
        took = ev_now(b.ev) - began;
    } while (took < 500 * NS_PER_MS);
    assert_true(b.k->running);
    assert_true(sent > mib);
    assert_true(sent < sockets + 2 * mib + took / NS_PER_MS * 30 * mib / 1000);
    end(&b, &s);
}

static int setup(void **state)
{
    struct err e = { 0 };

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return tls_init(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_a_reload), cmocka_unit_test(dropped),         cmocka_unit_test(wrong),
        cmocka_unit_test(no_tls),        cmocka_unit_test(a_flood_of_body),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
