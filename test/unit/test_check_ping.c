/*
 * test_check_ping.c - PING_CHECK under the real engine: the kernel answers on the loopback, the test is
 * ipvsd. Needs to open raw sockets; skipped where it may not.
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

/* ---- PING: the kernel answers, the test is ipvsd ----------------------------------------------- */

static void ping_begin(struct bench *b, const char *to)
{
    struct ipaddr a;

    bench_begin(b);
    slice_put_obj(b->w, BLK_PING, b->rs, "", 5);
    ipaddr_parse(to, &a);
    slice_put_ip(b->w, KW_PING_CONNECT_IP, &a);
    slice_put_us(b->w, KW_PING_CONNECT_TIMEOUT, TIMEOUT_US);
    slice_put_us(b->w, KW_PING_DELAY_LOOP, 100000);
    slice_put_us(b->w, KW_PING_WARMUP, 0);
    bench_go(b);
    while (b->d.running == 0)
        ev_turn(b->ev, NS_PER_MS);
}

static int raw_socket(int af, int proto)
{
    int fd = socket(af, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);

    if (fd < 0 && (errno == EPERM || errno == EAFNOSUPPORT))
        skip();
    assert_true(fd >= 0);
    return fd;
}

static void ping_hand_over(struct bench *b, int fd, uint32_t error)
{
    struct msg_sock_ready m = {
        .check = b->k->id, .token = b->d.token, .ok = fd >= 0, .error = error, .ident = 0x4711
    };

    conn_sock_ready(&b->d, &m, &fd);
    assert_int_equal(fd, -1);
}

static void ping_loopback(const char *to, int af, int proto)
{
    struct bench b;
    uint32_t asked;
    int fd = raw_socket(af, proto);

    ping_begin(&b, to);
    asked = b.d.token;
    ping_hand_over(&b, fd, 0);
    bench_attempts(&b, 4);
    assert_int_equal(b.d.failures, 0);
    assert_int_equal(b.d.token, asked); /* one socket for all checks */
    bench_end(&b);
}

static void test_ping(void **state)
{
    (void)state;
    ping_loopback("127.0.0.1", AF_INET, IPPROTO_ICMP);
}

static void test_ping6(void **state)
{
    (void)state;
    ping_loopback("::1", AF_INET6, IPPROTO_ICMPV6);
}

static void test_ping_failures(void **state)
{
    struct bench b;

    (void)state;
    ping_begin(&b, "127.0.0.1"); /* ipvsd says no */
    ping_hand_over(&b, -1, EACCES);
    expect_down(&b, "Permission denied");
    ping_begin(&b, "127.0.0.1"); /* ipvsd says nothing */
    expect_down(&b, "no socket for 127.0.0.1 from ipvsd");
}

/* A socket nobody answers on, then a broken one: the check fails, gives it back and asks for a new one. */
static void test_ping_silence(void **state)
{
    struct bench b;
    uint32_t asked;
    int fd = raw_socket(AF_INET, IPPROTO_ICMP);

    (void)state;
    ping_begin(&b, "127.0.0.1");
    asked = b.d.token;
    assert_int_equal(shutdown(fd, SHUT_RD) == 0 || errno == ENOTCONN, 1);
    static const struct {
        uint32_t mask;
    } nothing = { UINT32_MAX }; /* struct icmp_filter: all blocked */
    assert_int_equal(setsockopt(fd, SOL_RAW, 1, &nothing, sizeof nothing), 0);
    ping_hand_over(&b, fd, 0);
    bench_attempts(&b, 1);
    assert_false(b.k->up);
    assert_non_null(strstr(last_line, "echo to 127.0.0.1: no reply within 0.3 s"));
    bench_attempts(&b, 8);
    assert_int_equal(b.d.token, asked);
    while (b.d.attempts < 9)
        ev_turn(b.ev, NS_PER_MS);
    assert_int_equal(b.d.token, asked + 1);
    ping_hand_over(&b, raw_socket(AF_INET, IPPROTO_ICMP), 0);
    bench_attempts(&b, 9);
    assert_true(b.k->up);
    bench_end(&b);
}

/* In the middle of an attempt everything is released. */
static void test_ping_cancel(void **state)
{
    struct bench b;

    (void)state;
    ping_begin(&b, "127.0.0.1");
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping),          cmocka_unit_test(test_ping6),
        cmocka_unit_test(test_ping_failures), cmocka_unit_test(test_ping_silence),
        cmocka_unit_test(test_ping_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
