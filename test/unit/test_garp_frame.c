/*
 * test_garp_frame.c - announcements byte by byte; the ICMPv6 checksum is verified by an independent sum.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipvsd/garp_frame.h"

static const uint8_t mac[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };

static void arp(void **state)
{
    (void)state;
    uint8_t buf[GARP_FRAME_MAX];
    static const uint8_t want[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x11, 0x22, 0x33, 0x44,
                                    0x55, 0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,
                                    0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 10,   0,    0,    100,  0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 10,   0,    0,    100 };
    struct ipaddr ip;
    assert_int_equal(ipaddr_parse("10.0.0.100", &ip), 0);
    assert_int_equal(garp_frame_arp(buf, mac, &ip), sizeof want);
    assert_memory_equal(buf, want, sizeof want);
}

/* RFC 1071 the slow way: end-around carry after every addition */
static unsigned int slow_sum(unsigned int sum, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum += i % 2 ? b[i] : (unsigned int)b[i] << 8;
        if (sum > 0xffff)
            sum -= 0xffff;
    }
    return sum;
}

static void na_of(const char *text, bool router)
{
    uint8_t buf[GARP_FRAME_MAX], pseudo[8] = { 0, 0, 0, 32, 0, 0, 0, 58 };
    static const uint8_t eth[] = { 0x33, 0x33, 0, 0, 0, 1, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x86, 0xdd };
    static const uint8_t ip6[] = { 0x60, 0, 0, 0, 0, 32, 58, 255 };
    static const uint8_t option[] = { 2, 1, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };
    struct ipaddr ip, all;
    assert_int_equal(ipaddr_parse(text, &ip), 0);
    assert_int_equal(ipaddr_parse("ff02::1", &all), 0);
    assert_int_equal(garp_frame_na(buf, mac, &ip, router), 86);
    assert_memory_equal(buf, eth, sizeof eth);
    assert_memory_equal(buf + 14, ip6, sizeof ip6);
    assert_memory_equal(buf + 22, ip.b, 16);
    assert_memory_equal(buf + 38, all.b, 16);
    assert_int_equal(buf[54], 136);
    assert_int_equal(buf[55], 0);
    assert_int_equal(buf[58], router ? 0xa0 : 0x20);
    assert_memory_equal(buf + 62, ip.b, 16);
    assert_memory_equal(buf + 78, option, sizeof option);
    unsigned int sum = slow_sum(slow_sum(slow_sum(0, buf + 22, 32), pseudo, 8), buf + 54, 32);
    assert_int_equal(sum, 0xffff);
}

static void na(void **state)
{
    (void)state;
    na_of("fe80::1:2:3", false);
    na_of("fd00::100", true);
    na_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true);
    na_of("::", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(arp), cmocka_unit_test(na) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
