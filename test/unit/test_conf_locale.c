/*
 * test_conf_locale.c - the language of diagnostics: which one an environment means, catalogs good and
 * damaged, formats that may and may not stand for another, and what the renderer makes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parent/conf/locale.h"
#include "test/unit/conf_text_util.h"

#define ENTRIES 4

/* In order, as msgfmt sorts them. */
static const char *const pairs[ENTRIES][2] = {
    { "%s has %u", "%2$u \xe4\xb8\xaa: %1$s" },
    { "error", "\xe9\x94\x99\xe8\xaf\xaf" },
    { "evil %s", "%s%s" },
    { "one", "\xe4\xb8\x80" },
};

static void put32(unsigned char *at, uint32_t v, bool swap)
{
    v = swap ? __builtin_bswap32(v) : v;
    memcpy(at, &v, 4);
}

/* A catalog as msgfmt writes it. Returns its length. */
static size_t build(unsigned char *buf, size_t size, bool swap)
{
    uint32_t head[7] = { 0x950412de, 0, ENTRIES, 28, 28 + ENTRIES * 8, 0, 0 };
    size_t at = 28 + ENTRIES * 16;

    for (size_t i = 0; i < 7; i++)
        put32(buf + i * 4, head[i], swap);
    for (size_t i = 0; i < ENTRIES * 2; i++) {
        const char *s = pairs[i % ENTRIES][i / ENTRIES];
        size_t n = strlen(s);

        assert_true(at + n < size);
        put32(buf + 28 + i * 8, (uint32_t)n, swap);
        put32(buf + 28 + i * 8 + 4, (uint32_t)at, swap);
        memcpy(buf + at, s, n + 1);
        at += n + 1;
    }
    return at;
}

static void test_choose(void **state)
{
    static const struct {
        const char *env[3];
        bool chinese;
    } cases[] = {
        { { NULL }, false },
        { { "LANG=zh_CN.UTF-8" }, true },
        { { "LANG=zh_CN" }, true },
        { { "LANG=zh" }, true },
        { { "LANG=zh_CN.utf8@x" }, true },
        { { "LANG=zh_CN.GB18030" }, false },
        { { "LANG=zho" }, false },
        { { "LANG=en_US.UTF-8", "LC_MESSAGES=zh_CN.UTF-8" }, true },
        { { "LANG=zh_CN.UTF-8", "LC_ALL=C" }, false },
        { { "LANG=zh_CN.UTF-8", "LC_ALL=" }, true }, /* empty is not set */
        { { "LANG=en_US.UTF-8", "LANGUAGE=de:zh_CN:en" }, true },
        { { "LANG=zh_CN.UTF-8", "LANGUAGE=de:en:zh_CN" }, false },
        { { "LANG=zh_CN.UTF-8", "LANGUAGE=:" }, false },
        { { "LANG=C.UTF-8", "LANGUAGE=zh_CN" }, false },
        { { "LANGX=zh_CN.UTF-8" }, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = locale_choose(cases[i].env);

        assert_int_equal(got != NULL, cases[i].chinese);
        if (got)
            assert_string_equal(got, "zh_CN");
    }
    assert_null(locale_choose(NULL));
}

static void test_catalog(void **state)
{
    unsigned char buf[512];

    (void)state;
    for (int swap = 0; swap < 2; swap++) {
        size_t len = build(buf, sizeof(buf), swap);
        struct locale *l = locale_from_memory(buf, len);

        assert_non_null(l);
        for (size_t i = 0; i < ENTRIES; i++)
            assert_string_equal(locale_text(l, pairs[i][0]), pairs[i][1]);
        assert_string_equal(locale_text(l, "on"), "on");
        assert_string_equal(locale_text(l, ""), "");
        assert_string_equal(locale_format(l, "%s has %u"), pairs[0][1]);
        assert_string_equal(locale_format(l, "evil %s"), "evil %s");
        locale_free(l);
    }
    assert_string_equal(locale_text(NULL, "one"), "one");
    assert_string_equal(locale_format(NULL, "one %d"), "one %d");
    assert_null(locale_open(NULL));
}

/* Every byte wrong, every length too short: refused, or read without a step outside (the sanitizer looks). */
static void test_damaged(void **state)
{
    unsigned char good[512], buf[512];
    size_t len = build(good, sizeof(good), false);

    (void)state;
    for (size_t n = 0; n < len; n++)
        assert_null(locale_from_memory(good, n));
    for (size_t i = 0; i < len; i++) {
        struct locale *l;

        memcpy(buf, good, len);
        buf[i] = 0xff;
        l = locale_from_memory(buf, len);
        if (i < 4)
            assert_null(l);
        for (size_t k = 0; l && k < ENTRIES; k++)
            assert_non_null(locale_format(l, pairs[k][0]));
        locale_free(l);
    }
}

static void test_formats(void **state)
{
    static const struct {
        const char *id, *text;
        bool same;
    } cases[] = {
        { "plain", "anders", true },
        { "%s %u", "%2$u %1$s", true },
        { "%s %u", "%u %s", false },
        { "%s %s", "%s", false },
        { "%s", "%s %s", false },
        { "100%% %s", "%s 100%%", true },
        { "%s", "%1$s %1$s", false },
        { "%s %s", "%1$s %s", false },
        { "%s", "%2$s", false },
        { "%llu", "%lu", false },
        { "%04X", "%X", false },
        { "%.*s", "x %.*s", true },
        { "%s %.*s", "%2$.*s %1$s", false },
        { "%s", "%n", false },
        { "%n", "%n", false },
        { "one", "%s", false },
        { "one", "one %", false },
        { "%s", "%0$s", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(locale_same_format(cases[i].id, cases[i].text), cases[i].same);
}

static void test_rendered(void **state)
{
    static const struct conf_text_opts opts = { .no_files = true };
    /* two full-width characters, a combining one, then the word: the caret stands under it */
    static const char text[] = "\xe4\xbc\x98\xe5\x85\x88 e\xcc\x81 bad\xef\xbc\xa1\n";
    unsigned char buf[512];
    struct locale *l = locale_from_memory(buf, build(buf, sizeof(buf), false));
    struct loaded f;
    char *s = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&s, &len);

    (void)state;
    load_bytes(&f, text, sizeof(text) - 1, &opts);
    diag_set_locale(f.d, l);
    diag_add(f.d, DIAG_ERROR, "HF-A", conf_pos_word(&f.t.lines[0], &f.t.lines[0].words[2]), "%s has %u",
             "word", 3u);
    assert_int_equal(diag_print_text(f.d, out), 0);
    fclose(out);
    assert_string_equal(s, "t.conf:1:7: \xe9\x94\x99\xe8\xaf\xaf: 3 \xe4\xb8\xaa: word [HF-A]\n"
                           "    \xe4\xbc\x98\xe5\x85\x88 e\xcc\x81 bad\xef\xbc\xa1\n"
                           "           ^~~~~\n");
    free(s);
    unload(&f);
    locale_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose),  cmocka_unit_test(test_catalog),  cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_formats), cmocka_unit_test(test_rendered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
