/*
 * test_conf_lex.c - comments, quotes, braces, words, positions, odd characters, and the second tokenizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/conf_text_util.h"

static const struct conf_text_opts opts = { .config_id = "me", .no_files = true };

static void expect(const char *text, const char *want)
{
    expect_lines(text, want, &opts);
}

static void expect_error(const char *text, const char *code, uint32_t line, uint32_t column)
{
    struct diag_view v;
    struct loaded l;

    load_bytes(&l, text, strlen(text), &opts);
    assert_true(find_diag(&l, code, 0, &v));
    assert_int_equal(v.severity, DIAG_ERROR);
    assert_int_equal(v.line, line);
    assert_int_equal(v.column, column);
    assert_int_equal(diag_count(l.d, DIAG_ERROR), 1);
    assert_int_equal(diag_exit_status(l.d, false), 5);
    unload(&l);
}

static void test_words(void **state)
{
    (void)state;
    expect("a b\tc\n", "a|b|c");
    expect("  a  \n\n# c\n! d\nfoo#bar baz\nx!y\n", "a;foo;x");
    expect("k\"x y\" z\"\"\n", "k|'x y'|z|''");
    expect("router_id \"a # b { c } ! d\" # gone\n", "router_id|'a # b { c } ! d'");
    expect("last line without newline", "last|line|without|newline");
    expect("a\r\nb\r\n", "a;b");
    expect("a\rb\nc\n", "a|b;c");
    expect("50% %s %n\n", "50%|%s|%n");
}

static void test_escapes_keep_protection(void **state)
{
    (void)state;
    expect("esc\\#aped \\! a\\b\\\n", "esc#aped|!|a\\b\\");
    expect("\"in\\#quotes\"\n", "'in\\#quotes'");
    expect("\\\\# comment\n", "\\\\");
    expect("script \"sh -c \\\"a # {b}\\\"\" # c\n", "script|'sh -c \\\"a # {b}\\\"'");
}

static void test_braces(void **state)
{
    (void)state;
    expect("a { b }\n", "a;{;b;}");
    expect("a\n{\nb c}\n", "a;{;b|c;}");
    expect("a{b{c}}d\n", "a;{;b;{;c;};};d");
    expect("x ${undefined_name} { y }\n", "x|${undefined_name};{;y;}");
}

static void test_quote_open(void **state)
{
    (void)state;
    expect_error("a {\n  script \"/bin/true\n}\n", "HF-QUOTE-OPEN", 2, 10);
    expect_error("a \"x\" y\" # c\n", "HF-QUOTE-OPEN", 1, 8);
}

static void test_odd_characters(void **state)
{
    (void)state;
    expect_error("a \xe2\x80\x9cx\xe2\x80\x9d\n", "HF-TEXT-TWIN", 1, 3);
    expect_error("v {\n a \xef\xbd\x9b\n}\n}\n", "HF-TEXT-TWIN", 2, 4);
    expect_error("priority \xef\xbc\x91\xef\xbc\x90\n", "HF-TEXT-DIGIT", 1, 10);
    expect_error("\n \xe2\x80\x8bstate X\n", "HF-TEXT-INVISIBLE", 2, 2);
    expect_error("id \xc3\xa4\xc3\xb6 {{ x }}\n", "HF-TEXT-TEMPLATE", 1, 7); /* columns are characters */
    /* as text in comments and quotes all of that is fine */
    expect("a \"\xe2\x80\x9c\xef\xbd\x9b\xef\xbc\x91\" # \xe2\x80\x9d \xe2\x80\x8b\n",
           "a|'\xe2\x80\x9c\xef\xbd\x9b\xef\xbc\x91'");
    expect("a \xb0\xa1 \xff\n", "a|\xb0\xa1|\xff"); /* not UTF-8: bytes of a word */
}

static void test_odd_characters_are_repaired(void **state)
{
    const char *text =
        "a \xe2\x80\x9cx y\xe2\x80\x9d \xef\xbd\x9b\nb \xef\xbc\x91\xef\xbc\x90\n\xe2\x80\x8bz\n}\n";
    struct loaded l;

    (void)state;
    load_bytes(&l, text, strlen(text), &opts);
    assert_string_equal(l.lines, "a|'x y';{;b|10;z;}");
    assert_true(l.t.lines[0].bad && l.t.lines[2].bad && l.t.lines[3].bad);
    unload(&l);
}

static void test_blanks_are_counted(void **state)
{
    const char *text = "a\xc2\xa0"
                       "b\n\xc2\xa0\xe3\x80\x80x\ny\n";
    struct diag_view v;
    struct loaded l;

    (void)state;
    load_bytes(&l, text, strlen(text), &opts);
    assert_string_equal(l.lines, "a|b;x;y");
    assert_int_equal(diag_count(l.d, DIAG_WARNING), 2);
    assert_true(find_diag(&l, "HF-TEXT-BLANK", 0, &v));
    assert_int_equal(v.line, 1);
    assert_int_equal(v.column, 2);
    assert_non_null(strstr(v.message, "U+00A0"));
    assert_non_null(strstr(v.help, "2 in this file"));
    assert_true(find_diag(&l, "HF-TEXT-BLANK", 1, &v));
    assert_int_equal(v.line, 2);
    assert_non_null(strstr(v.message, "U+3000"));
    unload(&l);
}

static void test_not_text(void **state)
{
    static const char utf16[] = "\xff\xfe"
                                "a\0 \0b\0\n\0";
    static const char nul[] = "router_id a\0b and enough text around it to be a text file\n";
    char junk[600];
    struct loaded l;
    struct diag_view v;

    (void)state;
    load_bytes(&l, utf16, sizeof(utf16) - 1, &opts);
    assert_true(find_diag(&l, "HF-FILE-UTF16", 0, &v));
    assert_int_equal(l.t.nlines, 0);
    unload(&l);
    load_bytes(&l, nul, sizeof(nul) - 1, &opts);
    assert_true(find_diag(&l, "HF-TEXT-NUL", 0, &v));
    assert_int_equal(v.column, 12);
    unload(&l);
    for (size_t i = 0; i < sizeof(junk); i++)
        junk[i] = (char)(i * 37 % 251);
    load_bytes(&l, junk, sizeof(junk), &opts);
    assert_true(find_diag(&l, "HF-FILE-BINARY", 0, &v));
    assert_int_equal(diag_total(l.d), 1);
    unload(&l);
    load_bytes(&l, "a\rb {\r}\r", 8, &opts);
    assert_true(find_diag(&l, "HF-FILE-CR", 0, &v));
    assert_int_equal(v.line, 0);
    assert_string_equal(l.lines, "a;b;{;}");
    unload(&l);
}

static void test_notes(void **state)
{
    struct diag_view v;
    struct loaded l;

    (void)state;
    load_bytes(&l, "\xef\xbb\xbfrouter_id x\r\ny\r\n", 19, &opts);
    assert_string_equal(l.lines, "router_id|x;y");
    assert_true(find_diag(&l, "HF-FILE-BOM", 0, &v));
    assert_int_equal(v.severity, DIAG_NOTE);
    assert_true(find_diag(&l, "HF-FILE-CRLF", 0, &v));
    assert_false(find_diag(&l, "HF-FILE-CRLF", 1, &v));
    assert_int_equal(diag_exit_status(l.d, true), 0);
    unload(&l);
    load_bytes(&l, "# nothing\n", 10, &opts);
    assert_true(find_diag(&l, "HF-EMPTY", 0, &v));
    assert_int_equal(diag_exit_status(l.d, false), 0);
    assert_int_equal(diag_exit_status(l.d, true), 5);
    unload(&l);
}

static void test_long_lines(void **state)
{
    size_t n = 1000000;
    char *s = malloc(n + 64);
    struct diag_view v;
    struct loaded l;

    (void)state;
    memset(s, 'x', n);
    memcpy(s, "# ", 2);
    memcpy(s + n, "\na\n", 4);
    load_bytes(&l, s, n + 3, &opts);
    assert_string_equal(l.lines, "a");
    assert_int_equal(diag_total(l.d), 0);
    unload(&l);
    s[0] = 'y';
    load_bytes(&l, s, n + 3, &opts);
    assert_string_equal(l.lines, "a");
    assert_true(find_diag(&l, "HF-LINE-LONG", 0, &v));
    assert_int_equal(v.line, 1);
    unload(&l);
    memset(s, 'x', 60000);
    s[60000] = '\n';
    load_bytes(&l, s, 60001, &opts);
    assert_int_equal(l.t.nlines, 1);
    assert_int_equal(l.t.lines[0].words[0].len, 60000);
    unload(&l);
    free(s);
}

static void test_positions(void **state)
{
    struct conf_pos p;
    struct loaded l;

    (void)state;
    load_bytes(&l, "$A=xyz\n  ab \"c d\" ${A}e f { g }\n", 33, &opts);
    p = conf_pos_word(&l.t.lines[0], &l.t.lines[0].words[1]);
    assert_int_equal(p.src->line, 2);
    assert_int_equal(p.off, 5);
    assert_int_equal(p.len, 5);
    p = conf_pos_word(&l.t.lines[0], &l.t.lines[0].words[2]);
    assert_int_equal(p.off, 11);
    assert_int_equal(p.len, 5); /* ${A}e */
    p = conf_pos_word(&l.t.lines[0], &l.t.lines[0].words[3]);
    assert_int_equal(p.off, 17);
    p = conf_pos_line(&l.t.lines[1]);
    assert_int_equal(p.off, 19);
    assert_int_equal(p.len, 1);
    unload(&l);
}

static void expect_command(const char *text, size_t nargs, const char *const *want)
{
    struct conf_args word, arg;
    struct loaded l;

    load_bytes(&l, text, strlen(text), &opts);
    assert_int_equal(conf_line_reread(&l.t, &l.t.lines[0], 1, false, &word, l.d), 0);
    assert_true(word.n >= 1);
    assert_int_equal(conf_split_command(&l.t, word.v[0], conf_pos_line(&l.t.lines[0]), &arg, l.d), 0);
    assert_int_equal(arg.n, nargs);
    for (size_t i = 0; i < nargs; i++)
        assert_string_equal(arg.v[i], want[i]);
    assert_null(arg.v[nargs]);
    unload(&l);
}

static void test_second_tokenizer(void **state)
{
    const char *const shell[] = { "/bin/bash", "-c", "if [[ $(ps | wc -l) -eq 0 ]] ; then exit 1;fi" };
    const char *const mixed[] = { "/x", "two words", "a\tb", "A", "A", "q q", "opt=1 2" };
    const char *const quotes[] = { "/x", "\"a\" b", "c\"d", "e'f", "" };
    struct conf_args word;
    struct loaded l;

    (void)state;
    expect_command("script \"/bin/bash -c 'if [[ $(ps | wc -l) -eq 0 ]] ; then exit 1;fi'\"\n", 3, shell);
    expect_command("script \"/x 'two words' a\\tb \\101 \\x41 \\\"q q\\\" opt='1 2'\"\n", 7, mixed);
    expect_command("script \"/x '\\\"a\\\" b' c\\\\\\\"d e\\'f \\\"\\\"\"\n", 5, quotes);
    load_bytes(&l, "notify '/x y' user group\n", 25, &opts);
    assert_int_equal(conf_line_reread(&l.t, &l.t.lines[0], 1, false, &word, l.d), 0);
    assert_int_equal(word.n, 3);
    assert_string_equal(word.v[0], "/x y");
    assert_string_equal(word.v[2], "group");
    unload(&l);
}

static void test_second_tokenizer_quote_open(void **state)
{
    struct conf_args word;
    struct diag_view v;
    struct loaded l;

    (void)state;
    load_bytes(&l, "regex 'abc\n", 11, &opts);
    assert_int_equal(conf_line_reread(&l.t, &l.t.lines[0], 1, true, &word, l.d), -1);
    assert_true(find_diag(&l, "HF-QUOTE-OPEN", 0, &v));
    assert_int_equal(v.column, 7);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_escapes_keep_protection),
        cmocka_unit_test(test_braces),
        cmocka_unit_test(test_quote_open),
        cmocka_unit_test(test_odd_characters),
        cmocka_unit_test(test_odd_characters_are_repaired),
        cmocka_unit_test(test_blanks_are_counted),
        cmocka_unit_test(test_not_text),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_second_tokenizer),
        cmocka_unit_test(test_second_tokenizer_quote_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
