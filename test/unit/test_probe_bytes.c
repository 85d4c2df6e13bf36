/*
 * test_probe_bytes.c - the bytes of the datagram probes: UDP_CHECK's patterns and ICMP echo.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "checkd/icmp_echo.h"
#include "checkd/udp_match.h"

static void test_hex(void **state)
{
    uint8_t b[4], m[4];

    (void)state;
    assert_int_equal(udp_hex_decode("00ff100a", 8, b, NULL, sizeof b), 4);
    assert_memory_equal(b, "\0\xff\x10\x0a", 4);
    assert_int_equal(udp_hex_decode("0AfF", 4, b, NULL, sizeof b), 2);
    assert_memory_equal(b, "\x0a\xff", 2);
    assert_int_equal(udp_hex_decode("", 0, b, NULL, sizeof b), 0);
    assert_int_equal(udp_hex_decode("0", 1, b, NULL, sizeof b), -1);
    assert_int_equal(udp_hex_decode("0g", 2, b, m, sizeof b), -1);
    assert_int_equal(udp_hex_decode("0x", 2, b, NULL, sizeof b), -1);
    assert_int_equal(udp_hex_decode("0011223344", 10, b, NULL, sizeof b), -1);
    assert_int_equal(udp_hex_decode("01xx3Xx4", 8, b, m, sizeof b), 4);
    assert_memory_equal(b, "\x01\x00\x30\x04", 4);
    assert_memory_equal(m, "\xff\x00\xf0\x0f", 4);
}

static void test_match(void **state)
{
    uint8_t b[8], m[8];
    int n = udp_hex_decode("01xX03x4", 8, b, m, sizeof b);

    (void)state;
    assert_int_equal(n, 4);
    assert_true(udp_match("\x01\xa7\x03\xf4tail", 8, b, m, 4));
    assert_true(udp_match("\x01\x00\x03\x04", 4, b, m, 4));
    assert_false(udp_match("\x01\xa7\x04\xf4tail", 8, b, m, 4));
    assert_false(udp_match("\x01\xa7\x03\xf5", 4, b, m, 4));
    assert_true(udp_match("\x01\xa7\x03", 3, b, m, 4)); /* as far as it goes, as the manual says */
    assert_false(udp_match("\x01\xa7\x04", 3, b, m, 4));
    assert_true(udp_match("", 0, b, m, 4));
    assert_true(udp_match("", 0, b, m, 0));
}

static const struct icmp_echo echo = { .ident = 0x4711, .seq = 7, .token = "0123456789abcde" };

/* The reply a host makes of our request: other type, fresh checksum, an IPv4 header in front. */
static size_t reply4(uint8_t out[20 + ICMP_ECHO_LEN])
{
    uint32_t sum = 0;
    uint8_t *p = out + 20;

    memset(out, 0, 20);
    out[0] = 0x45;
    out[9] = 1;
    icmp_echo_encode(4, &echo, p);
    p[0] = 0;
    p[2] = p[3] = 0;
    for (size_t i = 0; i < ICMP_ECHO_LEN; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    p[2] = (uint8_t)(~sum >> 8);
    p[3] = (uint8_t)~sum;
    return 20 + ICMP_ECHO_LEN;
}

static void test_request(void **state)
{
    uint8_t p[ICMP_ECHO_LEN];
    uint32_t sum = 0;

    (void)state;
    icmp_echo_encode(4, &echo, p);
    assert_memory_equal(p, "\x08\0", 2);
    assert_memory_equal(p + 4,
                        "\x47\x11\0\7"
                        "0123456789abcde",
                        20);
    for (size_t i = 0; i < ICMP_ECHO_LEN; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    assert_int_equal(sum, 0xffff);
    icmp_echo_encode(6, &echo, p);
    assert_memory_equal(p, "\x80\0\0\0", 4);
}

static void test_reply4(void **state)
{
    uint8_t p[20 + ICMP_ECHO_LEN + 4];
    struct icmp_echo other = echo;
    size_t len = reply4(p);

    (void)state;
    assert_true(icmp_echo_is_reply(4, p, len, &echo));
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut);

        memcpy(copy, p, cut);
        assert_false(icmp_echo_is_reply(4, copy, cut, &echo));
        free(copy);
    }
    assert_false(icmp_echo_is_reply(4, p, len + 1, &echo));
    other.seq++;
    assert_false(icmp_echo_is_reply(4, p, len, &other));
    other = echo;
    other.ident++;
    assert_false(icmp_echo_is_reply(4, p, len, &other));
    other = echo;
    other.token[15] ^= 1;
    assert_false(icmp_echo_is_reply(4, p, len, &other));
    for (size_t i = 20; i < len; i++) { /* any byte of the message changed: no reply */
        p[i] ^= 0x20;
        assert_false(icmp_echo_is_reply(4, p, len, &echo));
        p[i] ^= 0x20;
    }
    p[9] = 17;
    assert_false(icmp_echo_is_reply(4, p, len, &echo));
    p[9] = 1;
    p[7] = 1; /* a fragment */
    assert_false(icmp_echo_is_reply(4, p, len, &echo));
    p[7] = 0;
    p[0] = 0x65;
    assert_false(icmp_echo_is_reply(4, p, len, &echo));
    p[0] = 0x4f; /* header longer than what is there leaves room for */
    assert_false(icmp_echo_is_reply(4, p, len, &echo));
    p[0] = 0x44;
    assert_false(icmp_echo_is_reply(4, p, len, &echo));
}

/* An echo of our own request (loopback shows it to the same socket) is no reply. */
static void test_own_request(void **state)
{
    uint8_t p[20 + ICMP_ECHO_LEN] = { 0x45, [9] = 1 };

    (void)state;
    icmp_echo_encode(4, &echo, p + 20);
    assert_false(icmp_echo_is_reply(4, p, sizeof p, &echo));
    icmp_echo_encode(6, &echo, p);
    assert_false(icmp_echo_is_reply(6, p, ICMP_ECHO_LEN, &echo));
}

static void test_reply6(void **state)
{
    uint8_t p[ICMP_ECHO_LEN];

    (void)state;
    icmp_echo_encode(6, &echo, p);
    p[0] = 129;
    assert_true(icmp_echo_is_reply(6, p, sizeof p, &echo));
    p[2] = 0xab; /* the kernel's checksum: checked there */
    assert_true(icmp_echo_is_reply(6, p, sizeof p, &echo));
    assert_false(icmp_echo_is_reply(6, p, sizeof p - 1, &echo));
    assert_false(icmp_echo_is_reply(6, p, 0, &echo));
    assert_false(icmp_echo_is_reply(4, p, sizeof p, &echo));
    p[1] = 1;
    assert_false(icmp_echo_is_reply(6, p, sizeof p, &echo));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex),    cmocka_unit_test(test_match),       cmocka_unit_test(test_request),
        cmocka_unit_test(test_reply4), cmocka_unit_test(test_own_request), cmocka_unit_test(test_reply6),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
