/*
 * test_conf_diag.c - diagnostics: order, rendering, secrets, hostile bytes, JSON, exit status, leniency.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "test/unit/conf_text_util.h"

static const struct conf_text_opts opts = { .config_id = "me", .no_files = true };

static char *render(struct diag *d, bool json)
{
    char *buf = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&buf, &len);

    assert_int_equal(json ? diag_print_json(d, f, 5) : diag_print_text(d, f), 0);
    fclose(f);
    return buf;
}

static struct conf_pos word(const struct loaded *l, size_t line, size_t w)
{
    return conf_pos_word(&l->t.lines[line], &l->t.lines[line].words[w]);
}

static void test_text(void **state)
{
    struct diag_item *it;
    struct loaded l;
    char *s;

    (void)state;
    load_bytes(&l, "one\n\ttwo \xc3\xa4 prioritty 7\n", 24, &opts);
    it = diag_add(l.d, DIAG_WARNING, "HF-B", word(&l, 1, 2), "unknown keyword %s", "prioritty");
    diag_suggest(it, "priority");
    diag_help(it, "write it %d", 1);
    diag_related(it, word(&l, 0, 0), "the first");
    diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 0, 0), "before");
    s = render(l.d, false);
    assert_string_equal(s, "t.conf:1:1: error: before [HF-A]\n"
                           "    one\n"
                           "    ^~~\n"
                           "t.conf:2:8: warning: unknown keyword prioritty (did you mean priority?) [HF-B]\n"
                           "     two \xc3\xa4 prioritty 7\n"
                           "           ^~~~~~~~~\n"
                           "    = t.conf:1:1: the first\n"
                           "    = help: write it 1\n");
    free(s);
    diag_set_brief(l.d, true);
    s = render(l.d, false);
    assert_string_equal(s,
                        "t.conf:1:1: error: before [HF-A]\n"
                        "t.conf:2:8: warning: unknown keyword prioritty (did you mean priority?) [HF-B]\n");
    free(s);
    unload(&l);
}

static void test_secrets_and_hostile_bytes(void **state)
{
    static const char text[] =
        "auth_pass hunter2 x\nauth_type PASS y\n$P=topsecret\nauth_pass $P\nz \x1b[31m\xff\n"
        "a { auth_passs hidden }\n";
    struct loaded l;
    char *s;

    (void)state;
    load_bytes(&l, text, sizeof(text) - 1, &opts);
    diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 0, 1), "m\x1b%%s\x07");
    diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 0, 2), "m");
    diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 1, 2), "m");
    diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 2, 1), "m");
    diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 3, 1), "m");
    diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 6, 1), "m");
    diag_hide(diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 4, 0), "m"));
    for (int json = 0; json < 2; json++) {
        s = render(l.d, json);
        assert_null(strstr(s, "hunter2"));
        assert_null(strstr(s, "hidden"));
        assert_null(strstr(s, "topsecret"));
        assert_null(strchr(s, '\x1b'));
        assert_null(strchr(s, '\xff'));
        assert_non_null(strstr(s, "auth_pass ****"));
        assert_non_null(strstr(s, "auth_type PASS y"));
        free(s);
    }
    unload(&l);
}

static void test_secret_definition(void **state)
{
    static const char text[] = "$P=topsecret\nauth_pass $P\n$M=a\\\nb\n";
    struct loaded l;
    char *s;

    (void)state;
    load_bytes(&l, text, sizeof(text) - 1, &opts);
    assert_string_equal(l.lines, "auth_pass|topsecret");
    unload(&l);
    /* a complaint that points at the definition does not show its line */
    load_bytes(&l, "$P=topsecret $P\nauth_pass $P\n", 29, &opts);
    assert_int_equal(diag_count(l.d, DIAG_ERROR), 1);
    s = render(l.d, false);
    assert_null(strstr(s, "topsecret"));
    free(s);
    unload(&l);
}

static void test_long_source_line(void **state)
{
    char *text = malloc(30000), *s;
    struct loaded l;

    (void)state;
    memset(text, 'x', 30000);
    memcpy(text + 20000, " here ", 6);
    load_bytes(&l, text, 30000, &opts);
    diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 0, 1), "m");
    s = render(l.d, false);
    assert_non_null(strstr(s, "t.conf:1:20002: error: m"));
    assert_non_null(strstr(s, " here "));
    assert_true(strlen(s) < 800);
    free(s);
    free(text);
    unload(&l);
}

static void test_json(void **state)
{
    struct diag_item *it;
    struct loaded l;
    json_t *j, *e;
    char *s;

    (void)state;
    load_bytes(&l, "one \xff\ntwo\n", 10, &opts);
    it = diag_add(l.d, DIAG_ERROR, "HF-A", word(&l, 0, 1), "bad \"%s\"", "\xff");
    diag_related(it, word(&l, 1, 0), "there");
    diag_suggest(it, "x");
    s = render(l.d, true);
    j = json_loads(s, 0, NULL);
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(j, "errors")), 1);
    assert_int_equal(json_integer_value(json_object_get(j, "status")), 5);
    e = json_array_get(json_object_get(j, "diagnostics"), 0);
    assert_string_equal(json_string_value(json_object_get(e, "code")), "HF-A");
    assert_string_equal(json_string_value(json_object_get(e, "message")), "bad \"\\xff\"");
    assert_int_equal(json_integer_value(json_object_get(e, "column")), 5);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json_object_get(e, "related"), 0), "line")), 2);
    json_decref(j);
    free(s);
    unload(&l);
}

static void test_status(void **state)
{
    struct diag *d = diag_new();
    struct conf_pos nowhere = { .src = NULL };
    struct diag_item *it;

    (void)state;
    diag_add(d, DIAG_NOTE, "HF-A", nowhere, "m");
    assert_int_equal(diag_exit_status(d, true), 0);
    diag_class(diag_add(d, DIAG_WARNING, "HF-A", nowhere, "m"), DIAG_CLASS_SECURITY);
    assert_int_equal(diag_exit_status(d, false), 0);
    assert_int_equal(diag_exit_status(d, true), 5);
    diag_add(d, DIAG_ERROR, "HF-A", nowhere, "m");
    assert_int_equal(diag_exit_status(d, false), 5);
    it = diag_add(d, DIAG_ERROR, "HF-A", nowhere, "m");
    diag_class(it, DIAG_CLASS_FILE);
    assert_int_equal(diag_exit_status(d, false), 4);
    diag_class(diag_add(d, DIAG_ERROR, "HF-A", nowhere, "m"), DIAG_CLASS_SECURITY);
    assert_int_equal(diag_exit_status(d, false), 6);
    diag_free(d);

    d = diag_new();
    diag_set_lenient(d, true);
    it = diag_add(d, DIAG_ERROR, "HF-A", nowhere, "m");
    assert_int_equal(diag_exit_status(d, false), 0);
    assert_int_equal(diag_count(d, DIAG_WARNING), 1);
    diag_strict(it);
    assert_int_equal(diag_exit_status(d, false), 5);
    assert_int_equal(diag_count(d, DIAG_WARNING), 0);
    diag_free(d);
}

static void test_many(void **state)
{
    struct diag *d = diag_new();
    char *s;

    (void)state;
    for (int i = 0; i < 25000; i++)
        diag_help(diag_add(d, DIAG_ERROR, "HF-A", (struct conf_pos){ .src = NULL }, "m"), "h");
    assert_int_equal(diag_count(d, DIAG_ERROR), 25000);
    s = render(d, false);
    assert_non_null(strstr(s, "and 5000 more"));
    free(s);
    diag_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_secrets_and_hostile_bytes),
        cmocka_unit_test(test_secret_definition),
        cmocka_unit_test(test_long_source_line),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
