/*
 * test_http_match.c - what is wanted of a reply: status sets, MD5, regular expressions over a body that comes
 * in pieces and may be larger than the window, and patterns that would run for years.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "checkd/http_match.h"
#include "common/schema/schema.h"

static uint64_t bit(enum kw kw)
{
    unsigned int n;

    return UINT64_C(1) << (schema_kw(kw) - schema_rows(BLK_REGEX, &n));
}

struct found {
    enum regex_answer answer;
    uint64_t at;
    char why[160];
};

static struct found search(const char *pattern, uint64_t options, uint64_t min, uint64_t max,
                           const char *body, size_t len, size_t piece)
{
    struct found f = { .at = 0 };
    char why[200];
    struct regex *r = regex_new(pattern, options, min, max, why, sizeof why);
    struct regex_run *run;

    assert_non_null(r);
    run = regex_run_new(r);
    for (size_t at = 0; at < len; at += piece)
        regex_run_feed(run, body + at, len - at < piece ? len - at : piece);
    f.answer = regex_run_end(run, &f.at);
    snprintf(f.why, sizeof f.why, "%s", regex_run_why(run));
    regex_run_free(run);
    regex_free(r);
    return f;
}

/* at -1: must not match. However it is cut, the answer is the same. */
static void expect(const char *pattern, uint64_t options, uint64_t min, uint64_t max, const char *body,
                   size_t len, long at)
{
    static const size_t sizes[] = { 1, 7, 1460, 16384, 1 << 20 };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct found f = search(pattern, options, min, max, body, len, sizes[i]);

        /* under a sanitizer some come near the limit of CPU time; a busy neighbour does the rest */
        for (int again = 0; again < 9 && f.answer == REGEX_FAILED && strstr(f.why, "too much time"); again++)
            f = search(pattern, options, min, max, body, len, sizes[i]);
        if (f.answer != (at >= 0 ? REGEX_MATCH : REGEX_NO_MATCH) || (at >= 0 && f.at != (uint64_t)at))
            fail_msg("%s in pieces of %zu: answer %d at %llu, wanted %ld %s", pattern, sizes[i], f.answer,
                     (unsigned long long)f.at, at, f.why);
    }
}

static void small(const char *pattern, uint64_t options, const char *body, long at)
{
    expect(pattern, options, 0, 0, body, strlen(body), at);
}

static void options(void **state)
{
    (void)state;
    small("AL[IJ]VE", 0, "status: ALIVE and well\n", 8);
    small("alive", 0, "status: ALIVE\n", -1);
    small("alive", bit(KW_REGEX_CASELESS), "status: ALIVE\n", 8);
    small("^well", 0, "ALIVE\nwell\n", -1);
    small("^well", bit(KW_REGEX_MULTILINE), "ALIVE\nwell\n", 6);
    small("E.w", 0, "ALIVE\nwell\n", -1);
    small("E.w", bit(KW_REGEX_DOTALL), "ALIVE\nwell\n", 4);
    small("A L I V E # comment", bit(KW_REGEX_EXTENDED), "ALIVE", 0);
    small("well", bit(KW_REGEX_FIRSTLINE), "ALIVE\nwell\n", -1);
    small("LIVE", bit(KW_REGEX_FIRSTLINE), "ALIVE\nwell\n", 1);
    small("l$", 0, "well\n", 3);
    small("l$", bit(KW_REGEX_DOLLAR_ENDONLY), "well\n", -1);
    small("a[]b", bit(KW_REGEX_ALLOW_EMPTY_CLASS), "xa]b", -1);
    small("a[]b]c", 0, "xa]c", 1);
    small("\303\244.\303\266", bit(KW_REGEX_UTF), "x\303\244\342\202\254\303\266", 1);
    small("^.$", bit(KW_REGEX_UTF), "\342\202\254", 0);
    small("^.$", 0, "\342\202\254", -1);
    small("a", bit(KW_REGEX_UTF), "\xff\xfe\x80 a", 4); /* what is no UTF-8 is no error */
    small("^$", 0, "", 0);
    small(".", 0, "", -1);
}

static void bad_patterns(void **state)
{
    static const char *const bad[] = { "ab(c", "[z-a]", "*", "(?<n>a)(?<n>b)", "\\", "(?<=a+)b" };
    char why[200];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        why[0] = '\0';
        assert_null(regex_new(bad[i], 0, 0, 0, why, sizeof why));
        assert_non_null(strstr(why, "at character"));
    }
    assert_null(regex_new("(*UTF)a", bit(KW_REGEX_NEVER_UTF), 0, 0, why, sizeof why));
    assert_null(regex_new("a\\Cb", bit(KW_REGEX_NEVER_BACKSLASH_C), 0, 0, why, sizeof why));
}

static void offsets(void **state)
{
    static const char body[] = "abc abc abc";

    (void)state;
    expect("abc", 0, 0, 0, body, 11, 0);
    expect("abc", 0, 1, 0, body, 11, 4);
    expect("abc", 0, 4, 4, body, 11, 4);
    expect("abc", 0, 1, 3, body, 11, -1);
    expect("abc", 0, 9, 0, body, 11, -1);
    expect("abc", 0, 4294967294u, 0, body, 11, -1);
    expect("^abc", 0, 4, 0, body, 11, -1);
    expect("(?<= )abc", 0, 4, 0, body, 11, 4); /* what stands before the offset may be looked at */
}

/* Text into the middle of a body, which has no end of its own. */
static void write_at(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
}

/* Bodies larger than the window, matches at its seams. */
static void windows(void **state)
{
    size_t len = 5 * REGEX_WINDOW / 2;
    char *body = malloc(len);

    (void)state;
    memset(body, 'x', len);
    expect("needle", 0, 0, 0, body, len, -1);
    for (long at = 4 * 1024 - 8; at < (long)len - 8; at += at < 2 * REGEX_WINDOW ? 4093 : 8191) {
        write_at(body + at, "needle");
        expect("nee+dle", 0, 0, 0, body, len, at);
        expect("^nee", 0, 0, 0, body, len, -1);
        expect("\\Anee", 0, 0, 0, body, len, -1);
        expect("(?<=x)needle(?!y)", 0, 0, 0, body, len, at);
        expect("(?<=^)n", 0, 0, 0, body, len, -1);
        expect("needle", 0, (uint64_t)at, (uint64_t)at, body, len, at);
        expect("needle", 0, 0, (uint64_t)at - 1, body, len, -1);
        write_at(body + at, "xxxxxx");
    }
    for (long at = REGEX_WINDOW - 3; at <= REGEX_WINDOW + 1; at++) {
        write_at(body + at, "nexxdle");
        expect("ne.*?dle", 0, 0, 0, body, len, at);
        write_at(body + at, "xxxxxxx");
        write_at(body + at, "\342\202\254");
        expect("x\342\202\254x", bit(KW_REGEX_UTF), 0, 0, body, len, at - 1);
        write_at(body + at, "xxx");
    }
    write_at(body + len - 6, "needle");
    expect("needle$", 0, 0, 0, body, len, (long)len - 6);
    write_at(body + 100, "<html>");
    write_at(body + 60000, "</html>");
    expect("<html>(.|\\n)*</html>", 0, 0, 0, body, len, 100);
    free(body);
}

static double seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Patterns that backtrack for ever, on bodies made for them: an end, soon, that is a failure with its reason
 * and never a match. */
static void catastrophes(void **state)
{
    static const struct {
        const char *pattern, *unit;
    } rows[] = {
        { "(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" },
        { "(x+x+)+y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" },
        { "(x+x+)+y", "xxxxxxxxxxz" },
        { "(a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" },
        { "((a|b)*c|d)*e", "abababababababababababcdcdabcd" },
        { "(.*)*(.*)*z$", "qqqqqqqqqqqqqqqqqqqqqqqq\n" },
        { "(?s)a.*b.*c.*d.*e$", "aaabbbccc" },
    };
    size_t len = 3 * REGEX_WINDOW;
    char *body = malloc(len);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t unit = strlen(rows[i].unit);
        double before;
        struct found f;

        for (size_t at = 0; at < len; at++)
            body[at] = rows[i].unit[at % unit];
        before = seconds();
        f = search(rows[i].pattern, 0, 0, 0, body, len, 16384);
        if (f.answer == REGEX_MATCH || seconds() - before > 2.5)
            fail_msg("%s: answer %d after %.2f s %s", rows[i].pattern, f.answer, seconds() - before, f.why);
        if (f.answer == REGEX_FAILED)
            assert_non_null(strstr(f.why, "too m"));
    }
    free(body);
}

static void status_sets(void **state)
{
    uint32_t ranges[] = { 200u << 16 | 204, 404u << 16 | 404 };
    struct http_want none = { .nstatus = 0 }, some = { .status = ranges, .nstatus = 2 };

    (void)state;
    assert_true(http_status_wanted(&none, 200));
    assert_true(http_status_wanted(&none, 299));
    assert_false(http_status_wanted(&none, 199));
    assert_false(http_status_wanted(&none, 300));
    assert_true(http_status_wanted(&some, 204));
    assert_false(http_status_wanted(&some, 205));
    assert_true(http_status_wanted(&some, 404));
    assert_false(http_status_wanted(&some, 403));
}

static bool verdict(const struct http_want *w, int status, const char *body, char *why, size_t size)
{
    struct http_match m;
    bool ok;

    http_match_begin(&m, w);
    for (const char *p = body; *p != '\0'; p++)
        http_match_body(&m, p, 1);
    ok = http_match_end(&m, status, why, size);
    http_match_free(&m);
    return ok;
}

static void digests(void **state)
{
    struct http_want w = { .has_digest = true };
    char why[300];

    (void)state;
    assert_int_equal(http_digest_parse("900150983CD24fb0d6963f7d28e17f7", w.digest), -1);
    assert_int_equal(http_digest_parse("900150983CD24fb0d6963f7d28e17f7g", w.digest), -1);
    assert_int_equal(http_digest_parse("900150983CD24fb0d6963f7d28e17f72", w.digest), 0);
    assert_true(verdict(&w, 200, "abc", why, sizeof why)); /* RFC 1321 */
    assert_false(verdict(&w, 200, "abd", why, sizeof why));
    assert_non_null(strstr(why, "4911e516e5aa21d327512e0c8b197616"));
    assert_false(verdict(&w, 500, "abc", why, sizeof why)); /* the status counts with a digest, too */
    assert_string_equal(why, "status 500, wanted 200-299");
}

static void all_together(void **state)
{
    struct http_want w = { .has_digest = true };
    char why[300];

    (void)state;
    http_digest_parse("900150983cd24fb0d6963f7d28e17f72", w.digest);
    w.regex = regex_new("b", 0, 0, 0, why, sizeof why);
    assert_true(verdict(&w, 200, "abc", why, sizeof why));
    w.no_match = true;
    assert_false(verdict(&w, 200, "abc", why, sizeof why));
    assert_non_null(strstr(why, "matches at byte 1"));
    w.has_digest = false;
    assert_true(verdict(&w, 200, "acc", why, sizeof why));
    w.no_match = false;
    assert_false(verdict(&w, 200, "acc", why, sizeof why));
    http_want_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options), cmocka_unit_test(bad_patterns), cmocka_unit_test(offsets),
        cmocka_unit_test(windows), cmocka_unit_test(catastrophes), cmocka_unit_test(status_sets),
        cmocka_unit_test(digests), cmocka_unit_test(all_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
