/* test_addr.c - addresses as values: what parses, what does not, and the order the VRRP tie-break relies on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/addr.h"

static void test_parses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t family, plen;
        const char *shown;
    } rows[] = {
        { "10.0.0.1", 4, 32, "10.0.0.1" },
        { "10.0.0.1/0", 4, 0, "10.0.0.1" },
        { "10.0.0.1/24", 4, 24, "10.0.0.1" },
        { "255.255.255.255/32", 4, 32, "255.255.255.255" },
        { "fe80::1", 6, 128, "fe80::1" },
        { "FE80:0:0::1/64", 6, 64, "fe80::1" },
        { "::", 6, 128, "::" },
        { "::ffff:10.0.0.1/128", 6, 128, "::ffff:10.0.0.1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipaddr a;
        char buf[IPADDR_STRLEN];
        assert_int_equal(ipaddr_parse_prefix(rows[i].text, &a), 0);
        assert_int_equal(a.family, rows[i].family);
        assert_int_equal(a.plen, rows[i].plen);
        assert_string_equal(ipaddr_str(&a, buf), rows[i].shown);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int error;
    } rows[] = {
        { "", EINVAL },
        { "10.0.0", EINVAL },
        { "10.0.0.256", EINVAL },
        { "10.0.0.1/33", ERANGE },
        { "10.0.0.1/", ERANGE },
        { "10.0.0.1/-1", ERANGE },
        { "10.0.0.1/+4", ERANGE },
        { "10.0.0.1/24x", ERANGE },
        { "::1/129", ERANGE },
        { "fe80::1%eth0", EINVAL },
        { "/24", EINVAL },
        { "10.0.0.1/0024", ERANGE },
        { "host", EINVAL },
        { "10.0.0.1 /24", EINVAL },
        { "1:2:3", EINVAL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipaddr a;
        assert_int_equal(ipaddr_parse_prefix(rows[i].text, &a), -1);
        assert_int_equal(errno, rows[i].error);
    }
}

static int order(const char *x, const char *y)
{
    struct ipaddr a, b;
    assert_int_equal(ipaddr_parse(x, &a), 0);
    assert_int_equal(ipaddr_parse(y, &b), 0);
    return ipaddr_cmp(&a, &b);
}

static void test_order(void **state)
{
    (void)state;
    assert_true(order("10.0.0.2", "10.0.0.10") < 0); /* numbers, not text */
    assert_true(order("200.0.0.1", "10.0.0.1") > 0); /* unsigned */
    assert_true(order("fe80::ff", "fe80::100") < 0);
    assert_int_equal(order("10.0.0.1", "10.0.0.1"), 0);
}

static void test_kinds(void **state)
{
    (void)state;
    struct ipaddr a, b;
    ipaddr_parse("224.0.0.18", &a);
    assert_true(ipaddr_is_multicast(&a));
    ipaddr_parse("ff02::12", &a);
    assert_true(ipaddr_is_multicast(&a));
    ipaddr_parse("223.255.255.255", &a);
    assert_false(ipaddr_is_multicast(&a));
    ipaddr_parse("febf::1", &a);
    assert_true(ipaddr_is_linklocal6(&a));
    ipaddr_parse("fec0::1", &a);
    assert_false(ipaddr_is_linklocal6(&a));
    ipaddr_parse("0.0.0.0", &a);
    ipaddr_parse("::", &b);
    assert_false(ipaddr_same(&a, &b)); /* equal bytes, other family */
}

static void test_sockaddr(void **state)
{
    (void)state;
    static const char *const texts[] = { "10.1.2.3", "2001:db8::5" };
    for (size_t i = 0; i < 2; i++) {
        struct ipaddr a, b;
        struct sockaddr_storage ss;
        ipaddr_parse(texts[i], &a);
        assert_true(ipaddr_sockaddr(&a, 112, 7, &ss) > 0);
        assert_int_equal(ipaddr_from_sockaddr((struct sockaddr *)&ss, &b), 0);
        assert_true(ipaddr_same(&a, &b));
    }
    struct sockaddr_storage unix_one = { .ss_family = AF_UNIX };
    struct ipaddr a;
    assert_int_equal(ipaddr_from_sockaddr((struct sockaddr *)&unix_one, &a), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parses), cmocka_unit_test(test_refuses),  cmocka_unit_test(test_order),
        cmocka_unit_test(test_kinds),  cmocka_unit_test(test_sockaddr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
