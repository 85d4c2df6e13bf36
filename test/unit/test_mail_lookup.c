/*
 * test_mail_lookup.c - reading the answers of name servers: aliases, both kinds of addresses, compression,
 * and what must not be believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "checkd/mail_lookup.h"

/* post.a: CNAME mx.a, A 10.0.0.2 and 10.0.0.3; someone else's address in between. */
static const uint8_t answer[] = {
    0x12, 0x34, 0x81, 0x80, 0,   1, 0,   4, 0, 0,  0, 0,                         /* head */
    4,    'p',  'o',  's',  't', 1, 'a', 0, 0, 1,  0, 1,                         /* 12: question */
    0xc0, 12,   0,    5,    0,   1, 0,   0, 0, 60, 0, 5, 2,  'm', 'x', 0xc0, 17, /* 24: alias; mx at 36 */
    0xc0, 36,   0,    1,    0,   1, 0,   0, 0, 60, 0, 4, 10, 0,   0,   2,        /* 41 */
    0xc0, 17,   0,    1,    0,   1, 0,   0, 0, 60, 0, 4, 10, 9,   9,   9,        /* "a": not asked for */
    0xc0, 36,   0,    1,    0,   1, 0,   0, 0, 60, 0, 4, 10, 0,   0,   3,
};
static const uint8_t name[] = { 4, 'P', 'o', 's', 't', 1, 'a', 0 };

static int read_it(const void *buf, size_t len, uint16_t id, uint16_t type, struct ipaddr *out)
{
    return mail_lookup_read(buf, len, id, name, sizeof name, type, out, 4);
}

static void believed(void **state)
{
    (void)state;
    struct ipaddr a[4];
    char text[IPADDR_STRLEN];
    assert_int_equal(read_it(answer, sizeof answer, 0x1234, 1, a), 2);
    assert_string_equal(ipaddr_str(&a[0], text), "10.0.0.2");
    assert_string_equal(ipaddr_str(&a[1], text), "10.0.0.3");
    assert_int_equal(mail_lookup_read(answer, sizeof answer, 0x1234, name, sizeof name, 1, a, 1), 1);
}

static void ipv6(void **state)
{
    (void)state;
    uint8_t m[12 + 12 + 12 + 16] = { 1,   2,   0x81, 0x80, 0, 1,   0, 1, 0,  0,  0,    0,    4,
                                     'p', 'o', 's',  't',  1, 'a', 0, 0, 28, 0,  1,    0xc0, 12,
                                     0,   28,  0,    1,    0, 0,   0, 1, 0,  16, 0xfd, 0x77 };
    struct ipaddr a[4];
    char text[IPADDR_STRLEN];
    m[sizeof m - 1] = 9;
    assert_int_equal(read_it(m, sizeof m, 0x102, 28, a), 1);
    assert_string_equal(ipaddr_str(&a[0], text), "fd77::9");
    m[35] = 15; /* a length that is none */
    assert_int_equal(read_it(m, sizeof m, 0x102, 28, a), 0);
}

static void not_believed(void **state)
{
    (void)state;
    struct ipaddr a[4];
    uint8_t m[sizeof answer];
    assert_int_equal(read_it(answer, sizeof answer, 0x1235, 1, a), -1);  /* another id */
    assert_int_equal(read_it(answer, sizeof answer, 0x1234, 28, a), -1); /* another question */
    for (size_t len = 0; len < sizeof answer; len++)                     /* cut anywhere */
        assert_int_equal(read_it(answer, len, 0x1234, 1, a), -1);
    memcpy(m, answer, sizeof m);
    m[13] = 'q'; /* the question of somebody else */
    assert_int_equal(read_it(m, sizeof m, 0x1234, 1, a), -1);
    memcpy(m, answer, sizeof m);
    m[24 + 1] = 24; /* a pointer to itself */
    assert_int_equal(read_it(m, sizeof m, 0x1234, 1, a), -1);
    memcpy(m, answer, sizeof m);
    m[5] = 0; /* no question at all */
    assert_int_equal(read_it(m, sizeof m, 0x1234, 1, a), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(believed),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
