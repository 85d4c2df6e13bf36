/*
 * test_smtp_reply.c - the SMTP reply reader: every case is fed whole, byte by byte and in pieces of 3, and
 * must come out the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "checkd/smtp_reply.h"

struct result {
    enum smtp_progress got;
    struct smtp_reply r;
    size_t used;
};

static struct result run(const char *text, size_t len, size_t piece)
{
    struct result x = { .got = SMTP_MORE };

    smtp_reply_init(&x.r);
    for (size_t at = 0; at < len && x.got == SMTP_MORE; at += piece) {
        size_t used, n = len - at < piece ? len - at : piece;
        char *copy = malloc(n); /* exactly n bytes: a sanitizer sees reads behind them */

        memcpy(copy, text + at, n);
        x.got = smtp_reply_feed(&x.r, copy, n, &used);
        free(copy);
        x.used += used;
    }
    return x;
}

static struct result run_all(const char *text, size_t len)
{
    struct result a = run(text, len, len + 1);

    for (size_t piece = 1; piece <= 3; piece += 2) {
        struct result b = run(text, len, piece);

        assert_int_equal(a.got, b.got);
        assert_int_equal(a.used, b.used);
        assert_int_equal(a.r.code, b.r.code);
        assert_int_equal(a.r.error, b.r.error);
        assert_string_equal(a.r.text, b.r.text);
    }
    return a;
}

static void good(const char *text, int code, size_t used, const char *kept)
{
    struct result x = run_all(text, strlen(text));

    assert_int_equal(x.got, SMTP_DONE);
    assert_int_equal(x.r.code, code);
    assert_int_equal(x.used, used);
    assert_string_equal(x.r.text, kept);
}

static void bad(const char *text, enum smtp_error e)
{
    struct result x = run_all(text, strlen(text));

    assert_int_equal(x.got, SMTP_FAILED);
    assert_int_equal(x.r.error, e);
    assert_int_equal(x.r.code, 0);
}

static void test_single(void **state)
{
    (void)state;
    good("220 mail.example.test ESMTP\r\n", 220, 29, "mail.example.test ESMTP");
    good("250 ok\n", 250, 7, "ok");
    good("250\r\n", 250, 5, "");
    good("250\n", 250, 4, "");
    good("250 \r\n", 250, 6, "");
    good("554 no\r\n250 ok\r\n", 554, 8, "no"); /* the rest is the next reply's */
}

static void test_lines(void **state)
{
    (void)state;
    good("220-first\r\n220-second\r\n220 third\r\n", 220, 34, "third");
    good("250-mail.example.test\n250-SIZE 1000\n250 HELP\n", 250, 45, "HELP");
    good("250-a\r\n250\r\n", 250, 12, "");
    bad("220-first\r\n250 second\r\n", SMTP_ERROR_MIXED);
    bad("220-first\r\nsecond\r\n", SMTP_ERROR_CODE);
}

static void test_not_yet(void **state)
{
    static const char *const part[] = { "2",          "220",          "220 ",        "220 text",
                                        "220 text\r", "220-text\r\n", "220-a\r\n220" };

    (void)state;
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
        assert_int_equal(run_all(part[i], strlen(part[i])).got, SMTP_MORE);
    assert_int_equal(run_all("", 0).got, SMTP_MORE);
}

static void test_broken(void **state)
{
    (void)state;
    bad("HTTP/1.1 400 Bad Request\r\n", SMTP_ERROR_CODE);
    bad("SSH-2.0-OpenSSH\r\n", SMTP_ERROR_CODE);
    bad("120 x\r\n", SMTP_ERROR_CODE);
    bad("620 x\r\n", SMTP_ERROR_CODE);
    bad("22\r\n", SMTP_ERROR_CODE);
    bad("\r\n", SMTP_ERROR_CODE);
    bad("\n", SMTP_ERROR_CODE);
    bad("2200 x\r\n", SMTP_ERROR_SEPARATOR);
    bad("220x\r\n", SMTP_ERROR_SEPARATOR);
    assert_int_equal(run_all("220\0x\r\n", 8).r.error, SMTP_ERROR_SEPARATOR);
}

/* What a server says gets into the log, so it must not steer a terminal or break a line. */
static void test_text(void **state)
{
    static const char hostile[] = "220 a\033[2Jb\0c\r\xff\r\n";
    char line[400];
    struct result x = run_all(hostile, sizeof hostile - 1);

    (void)state;
    assert_int_equal(x.got, SMTP_DONE);
    assert_string_equal(x.r.text, "a?[2Jb?c?");
    memset(line, 'y', sizeof line);
    memcpy(line, "220 ", 4);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    x = run_all(line, sizeof line);
    assert_int_equal(x.got, SMTP_DONE);
    assert_int_equal(strlen(x.r.text), SMTP_TEXT_MAX - 1);
}

/* Without end: 100 MB of greeting are a failure after 64 KiB. */
static void test_endless(void **state)
{
    size_t len = SMTP_REPLY_MAX + 1;
    char *big = malloc(len);
    struct result x;

    (void)state;
    memset(big, 'z', len);
    memcpy(big, "220 ", 4);
    x = run(big, len, len);
    assert_int_equal(x.got, SMTP_FAILED);
    assert_int_equal(x.r.error, SMTP_ERROR_TOO_LARGE);
    big[SMTP_REPLY_MAX - 1] = '\n';
    x = run(big, len, 4096);
    assert_int_equal(x.got, SMTP_DONE);
    for (size_t i = 0; i + 8 <= len; i += 8)
        memcpy(big + i, "220-xy\r\n", 8);
    x = run(big, len, len);
    assert_int_equal(x.r.error, SMTP_ERROR_TOO_LARGE);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single), cmocka_unit_test(test_lines), cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_broken), cmocka_unit_test(test_text),  cmocka_unit_test(test_endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
