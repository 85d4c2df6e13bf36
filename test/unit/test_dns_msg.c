/*
 * test_dns_msg.c - the DNS question as it leaves and the head of a reply as it is judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "checkd/dns_msg.h"

static void name_is(const char *text, const void *want, size_t len)
{
    uint8_t out[DNS_NAME_MAX];

    assert_int_equal(dns_name_encode(text, out, sizeof out), (int)len);
    assert_memory_equal(out, want, len);
}

static int name_len(const char *text)
{
    uint8_t out[DNS_NAME_MAX];

    return dns_name_encode(text, out, sizeof out);
}

static void test_names(void **state)
{
    (void)state;
    name_is("", "\0", 1);
    name_is(".", "\0", 1);
    name_is("www.example.test", "\3www\7example\4test", 18);
    name_is("www.example.test.", "\3www\7example\4test", 18);
    name_is("a", "\1a", 3); /* one letter: the incumbent goes wrong here */
    name_is("a.b.c", "\1a\1b\1c", 7);
    assert_int_equal(name_len(".."), -1);
    assert_int_equal(name_len(".a"), -1);
    assert_int_equal(name_len("a..b"), -1);
    assert_int_equal(name_len("a.b.."), -1);
}

static void test_long_names(void **state)
{
    char label[80], name[300] = "";
    uint8_t small[8];

    (void)state;
    memset(label, 'x', sizeof label);
    label[63] = '\0';
    assert_int_equal(name_len(label), 65);
    label[63] = 'x';
    label[64] = '\0';
    assert_int_equal(name_len(label), -1);
    label[63] = '\0';
    for (int i = 0; i < 3; i++) {
        strcat(name, label);
        strcat(name, ".");
    }
    label[61] = '\0';
    strcat(name, label); /* 3 * 64 + 62 + 1 = 255: the longest there is */
    assert_int_equal(name_len(name), 255);
    strcat(name, "x");
    assert_int_equal(name_len(name), -1);
    assert_int_equal(dns_name_encode("abc.defg", small, sizeof small), -1);
    assert_int_equal(dns_name_encode("abcdef", small, sizeof small), 8);
    assert_int_equal(dns_name_encode("", small, 0), -1);
}

static void test_query(void **state)
{
    uint8_t out[DNS_QUERY_MAX], name[DNS_NAME_MAX];
    int n = dns_name_encode("www.example.test", name, sizeof name);
    static const uint8_t want[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\4test\0\0\x1c\0\1";

    (void)state;
    assert_int_equal(dns_query_encode(0x1234, name, (size_t)n, 28, out, sizeof out), 34);
    assert_memory_equal(out, want, 34);
    assert_int_equal(dns_query_encode(0x1234, name, (size_t)n, 28, out, 33), -1);
    assert_int_equal(dns_query_encode(0x1234, name, (size_t)n, 28, out, 34), 34);
    assert_int_equal(dns_query_encode(0x1234, (const uint8_t *)"", 1, 6, out, sizeof out), 17);
    assert_memory_equal(out + 12, "\0\0\6\0\1", 5);
}

static enum dns_verdict judge(const char *bytes, size_t len, struct dns_reply *r)
{
    uint8_t *copy = malloc(len); /* exactly len bytes: a sanitizer sees reads behind them */
    enum dns_verdict v;

    memcpy(copy, bytes, len);
    v = dns_reply_decode(copy, len, 0x1234, r);
    free(copy);
    return v;
}

static void test_replies(void **state)
{
    struct dns_reply r;

    (void)state;
    assert_int_equal(judge("\x12\x34\x81\x80\0\1\0\2\0\0\0\0", 12, &r), DNS_ANSWER);
    assert_int_equal(r.answers, 2);
    assert_false(r.truncated);
    assert_int_equal(judge("\x12\x34\x80\x00\0\0\0\0\0\0\0\0", 12, &r),
                     DNS_ANSWER); /* no answers, no RA: fine */
    assert_int_equal(judge("\x12\x34\x83\x80\0\1\0\0\0\0\0\0", 12, &r), DNS_ANSWER);
    assert_true(r.truncated);
    assert_int_equal(judge("\x12\x34\x81\x82\0\1\0\0\0\0\0\0", 12, &r), DNS_REFUSED);
    assert_int_equal(r.rcode, 2);
    assert_string_equal(dns_rcode_name(r.rcode), "SERVFAIL");
    assert_int_equal(judge("\x12\x34\x81\x83\0\1\0\0\0\0\0\0", 12, &r), DNS_REFUSED);
    assert_string_equal(dns_rcode_name(r.rcode), "NXDOMAIN");
    assert_null(dns_rcode_name(15));
}

static void test_not_ours(void **state)
{
    struct dns_reply r;

    (void)state;
    assert_int_equal(judge("\x47\x34\x81\x80\0\1\0\1\0\0\0\0", 12, &r), DNS_NOT_OURS); /* another id */
    assert_int_equal(judge("\x34\x12\x81\x80\0\1\0\1\0\0\0\0", 12, &r), DNS_NOT_OURS);
    assert_int_equal(judge("\x12\x34\x01\x00\0\1\0\0\0\0\0\0", 12, &r),
                     DNS_NOT_OURS); /* our own query, echoed */
    assert_int_equal(judge("\x12\x34\xa9\x80\0\1\0\1\0\0\0\0", 12, &r), DNS_NOT_OURS); /* opcode UPDATE */
    assert_int_equal(judge("\x12\x34\x81\x80\0\1\0\1\0\0\0", 11, &r), DNS_NOT_OURS);
    assert_int_equal(judge("", 0, &r), DNS_NOT_OURS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_long_names), cmocka_unit_test(test_query),
        cmocka_unit_test(test_replies), cmocka_unit_test(test_not_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
