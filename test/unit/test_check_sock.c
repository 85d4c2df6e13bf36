/*
 * test_check_sock.c - ready-made check sockets: what the slice says about them, the fence around a raw one
 * (run by the kernel), the bucket that bounds how many are made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipvsd/check_open.h"
#include "ipvsd/check_sock.h"
#include "test/unit/conf_tree_util.h"

/* ---- what the slice says ----------------------------------------------------------------------------------
 */

static const char text[] =
    "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n"
    " real_server 10.0.1.2 80 {\n  TCP_CHECK {\n   fwmark 7\n   bindto 10.0.9.9\n   bind_port 99\n   bind_if "
    "eth1\n  }\n }\n"
    " real_server 10.0.1.3 80 {\n  PING_CHECK {\n  }\n }\n"
    " real_server 10.0.1.4 80 {\n  DNS_CHECK {\n   connect_ip 2001:db8::4\n   fwmark 8\n  }\n }\n"
    " real_server 10.0.1.5 25 {\n  SMTP_CHECK {\n   connect_ip 10.0.7.7\n   host {\n    fwmark 9\n   }\n  "
    "}\n }\n}\n";

static struct check_open read_one(const struct slice *s, enum blk blk)
{
    struct check_open c;
    const struct slice_obj *o = slice_next(s, NULL, blk, SLICE_ANY_PARENT);
    assert_non_null(o);
    assert_true(check_open_read(&c, s, o));
    return c;
}

static void options(void **state)
{
    char buf[IPADDR_STRLEN];
    struct tree t;
    struct check_open c;
    int domain, type, protocol;
    (void)state;
    tree_load(&t, text);
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    c = read_one(s, BLK_TCP);
    assert_string_equal(ipaddr_str(&c.to, buf), "10.0.1.2");
    assert_string_equal(ipaddr_str(&c.bindto, buf), "10.0.9.9");
    assert_int_equal(c.bind_port, 99);
    assert_int_equal(c.fwmark, 7);
    assert_string_equal(c.bind_if, "eth1");
    check_open_kind(&c, &domain, &type, &protocol);
    assert_int_equal(domain, AF_INET);
    assert_int_equal(type, SOCK_STREAM);
    c = read_one(s, BLK_PING);
    assert_string_equal(ipaddr_str(&c.to, buf), "10.0.1.3");
    check_open_kind(&c, &domain, &type, &protocol);
    assert_int_equal(type, SOCK_RAW);
    assert_int_equal(protocol, IPPROTO_ICMP);
    c = read_one(s, BLK_DNS);
    check_open_kind(&c, &domain, &type, &protocol);
    assert_int_equal(domain, AF_INET6);
    assert_int_equal(type, SOCK_DGRAM);
    c = read_one(s, BLK_SMTPHOST);
    assert_string_equal(ipaddr_str(&c.to, buf), "10.0.7.7");
    assert_int_equal(c.fwmark, 9);
    assert_false(check_open_read(&c, s, slice_next(s, NULL, BLK_RS, SLICE_ANY_PARENT)));
    slice_free(s);
    tree_unload(&t);
}

/* ---- the fence
 * ---------------------------------------------------------------------------------------------- */

/* Does a packet get through? A filter on a unix socket sees the bytes from the first on, as on a raw socket.
 */
static bool passes(uint8_t family, uint16_t ident, const void *pkt, size_t len)
{
    struct sock_filter code[CHECK_OPEN_FILTER_MAX];
    size_t n = check_open_filter(family, ident, code);
    assert_true(n <= CHECK_OPEN_FILTER_MAX);
    struct sock_fprog prog = { .len = (unsigned short)n, .filter = code };
    int fd[2];
    char got[256];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
    assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog), 0);
    ssize_t sent = send(fd[1], pkt, len, MSG_DONTWAIT);
    (void)sent; /* what a filter refuses may or may not be an error to the sender */
    bool through = recv(fd[0], got, sizeof got, MSG_DONTWAIT) == (ssize_t)len;
    close(fd[0]);
    close(fd[1]);
    return through;
}

static void fence4(void **state)
{
    /* header of 24 bytes (one option word), then the ICMP header */
    uint8_t p[40] = { [0] = 0x46, [9] = 1, [24] = 0, [28] = 0x12, [29] = 0x34 };
    (void)state;
    assert_true(passes(4, 0x1234, p, sizeof p));
    assert_false(passes(4, 0x1235, p, sizeof p));
    assert_false(passes(4, 0x3412, p, sizeof p));
    assert_false(passes(4, 0x1234, p, 29)); /* cut within the identifier */
    p[24] = 8;                              /* a request */
    assert_false(passes(4, 0x1234, p, sizeof p));
    p[24] = 5; /* a redirect */
    assert_false(passes(4, 0x1234, p, sizeof p));
}

static void fence6(void **state)
{
    uint8_t p[16] = { [0] = 129, [4] = 0x12, [5] = 0x34 };
    (void)state;
    assert_true(passes(6, 0x1234, p, sizeof p));
    assert_false(passes(6, 0x1235, p, sizeof p));
    assert_false(passes(6, 0x1234, p, 5));
    p[0] = 128;
    assert_false(passes(6, 0x1234, p, sizeof p));
    p[0] = 134; /* a router's advertisement */
    assert_false(passes(6, 0x1234, p, sizeof p));
}

/* ---- the bucket -------------------------------------------------------------------------------------------
 */

static void bucket(void **state)
{
    uint32_t tokens = 0;
    uint64_t at = 1000, now = at;
    unsigned int served = 0;
    (void)state;
    /* ten seconds in steps of 0.3 ms: what is taken is never more than the rate, nor less for want of whole
     * steps */
    for (const uint64_t end = now + 10 * NS_PER_SEC; now < end; now += 300000) {
        served += check_sock_allowance(&tokens, &at, now);
        tokens = 0;
    }
    assert_in_range(served, 99900, 100000);
    /* a long silence saves up no more than one burst */
    now += 3600 * NS_PER_SEC;
    assert_int_equal(check_sock_allowance(&tokens, &at, now), 500);
    assert_int_equal(check_sock_allowance(&tokens, &at, now), 500);
    tokens = 0;
    assert_int_equal(check_sock_allowance(&tokens, &at, now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options),
        cmocka_unit_test(fence4),
        cmocka_unit_test(fence6),
        cmocka_unit_test(bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
