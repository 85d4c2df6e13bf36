/*
 * test_conf_expand.c - definitions, conditions, generators, include: what they produce, how they fail, that
 * they end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/conf_text_util.h"

static char *const env[] = { (char *)"NAME=value of it", (char *)"N=1", NULL };
static const struct conf_text_opts opts = { .config_id = "me", .no_files = true, .env = env };

static void expect(const char *text, const char *want)
{
    expect_lines(text, want, &opts);
}

static void expect_error(const char *text, const char *code, uint32_t line, const char *message)
{
    struct diag_view v;
    struct loaded l;

    load_bytes(&l, text, strlen(text), &opts);
    assert_true(find_diag(&l, code, 0, &v));
    assert_int_equal(v.line, line);
    if (!strstr(v.message, message))
        fail_msg("\"%s\" is not in \"%s\"", message, v.message);
    assert_false(find_diag(&l, code, 1, &v));
    unload(&l);
}

static void test_definitions(void **state)
{
    (void)state;
    expect("$A=1 2\nx $A y\n", "x|1|2|y");
    expect("$A=1\n$B=${A}2\nx $B, ($A) \"$A ${B}\"\n", "x|12,|(1)|'1 12'");
    expect("$A=1\nx \"$A\" $Abar $A/24 ${A}/24\n",
           "x|'$A'|$Abar|$A/24|1/24"); /* only before blank , ) $ end */
    expect("$B=$A\n$A=later\nx $B\n", "x|later");
    expect("$A=1\n$A=2\nx $A\n", "x|2");
    expect("$E=\nx ${E}y $E\n", "x|y");
    expect("$A=a { b }\nx $A\n", "x|a;{;b;}");
    expect("x ${_HASH} y\n${_BANG} z\nw ${_ENV NAME} ${_ENV NONE}${_ENV N} ${_INSTANCE}\n",
           "x;w|value|of|it|1|me");
    expect("x ${_RANDOM 7 7}\n", "x|7");
    expect("x $1 $(cmd) a$ $\n", "x|$1|$(cmd)|a$|$");
}

static void test_multi_line(void **state)
{
    (void)state;
    expect("$M= \\\n  a $N { \\\n b\\\n }\n$N=1\n$M\npre $M\n", "a|1;{;b;};pre|a|1;{;b;}");
    expect("$M=a\\\nb\\\n\nc\n$M\n", "c;a;b"); /* a blank line ends the value */
    expect("$M=a\\\nb\n$M x\n", "$M|x");       /* not the last thing on the line */
    expect("@me $M=a\\\n b\n@other $M=c\\\n d\n$M\n", "a;b");
}

static void test_undefined_words(void **state)
{
    static const char text[] = "$A=1\nk $NOPE \"$NOPE\" a$NOPE x${NOPE} $A/24 '$NOPE'\n";
    static const bool want[] = { false, true, false, false, true, true, false };
    struct diag_view v;
    struct loaded l;

    (void)state;
    load_bytes(&l, text, sizeof(text) - 1, &opts);
    assert_int_equal(l.t.lines[0].nwords, 7);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(l.t.lines[0].words[i].undefined, want[i]);
    assert_int_equal(diag_total(l.d), 0); /* the parser decides */
    assert_true(conf_word_undefined(&l.t, &l.t.lines[0], &l.t.lines[0].words[1], l.d));
    assert_true(find_diag(&l, "HF-DEF-UNKNOWN", 0, &v));
    assert_string_equal(v.message, "$NOPE is not defined");
    assert_int_equal(v.column, 3);
    assert_true(conf_word_undefined(&l.t, &l.t.lines[0], &l.t.lines[0].words[5], l.d));
    assert_true(find_diag(&l, "HF-DEF-BRACES", 0, &v));
    assert_false(conf_word_undefined(&l.t, &l.t.lines[0], &l.t.lines[0].words[2], l.d));
    unload(&l);
}

/* The remedy is told that works: braces, another place, a line of its own, or no blank. */
static void says_of_use(const char *text, size_t line, size_t word, const char *code, const char *message,
                        const char *help)
{
    struct diag_view v;
    struct loaded l;

    load_bytes(&l, text, strlen(text), &opts);
    assert_true(conf_word_undefined(&l.t, &l.t.lines[line], &l.t.lines[line].words[word], l.d));
    assert_true(find_diag(&l, code, 0, &v));
    assert_string_equal(v.message, message);
    assert_non_null(strstr(v.help, help));
    unload(&l);
}

static void test_remedies(void **state)
{
    struct diag_view v;
    struct loaded l;
    static const char blank[] = "$VIP = 1\nx $VIP\ny $VIP\n";

    (void)state;
    says_of_use("x $VIP\n$VIP=1\n", 0, 1, "HF-DEF-UNKNOWN", "$VIP is defined only further down",
                "move the definition (line 2) above");
    says_of_use("x ${VIP}\n$VIP=1\n", 0, 1, "HF-DEF-UNKNOWN", "$VIP is defined only further down",
                "move the definition (line 2) above");
    says_of_use("$VIP=1\nx $VIP/24\n$VIP=2\n", 0, 1, "HF-DEF-BRACES", "$VIP is not expanded here", "${VIP}");
    says_of_use("$M=a\\\nb\n\nx $M y\n", 0, 1, "HF-DEF-BRACES", "$M is not expanded here",
                "must be the last thing on its line");
    says_of_use("$M=a\\\nb\n\nx ${M} y\n", 0, 1, "HF-DEF-BRACES", "$M is not expanded here",
                "must be the last thing on its line");
    load_bytes(&l, blank, sizeof(blank) - 1, &opts);
    assert_int_equal(diag_count(l.d, DIAG_ERROR), 1);
    assert_true(find_diag(&l, "HF-DEF-UNKNOWN", 0, &v));
    assert_int_equal(v.line, 1);
    assert_string_equal(v.message, "$VIP is not defined by this line: a blank stands before the =");
    assert_int_equal(l.t.nlines, 2);
    assert_false(l.t.lines[0].words[1].undefined); /* told once */
    unload(&l);
    expect("$K=priority\n$K = 5\n", "priority|=|5"); /* a use */
}

static void test_loops_and_bombs(void **state)
{
    char bomb[4096] = "$A=aaaaaaaaaaaaaaaaaaaa\n", deep[8192] = "$V0=x\n";
    size_t at = strlen(bomb), dat = strlen(deep);

    (void)state;
    expect_error("$X=a$X\nx $X\ny $X\n", "HF-DEF-LOOP", 1, "$X uses itself");
    expect_error("$A=$B\n$B=$A\nx $A\n", "HF-DEF-LOOP", 2, "$A -> $B -> $A");
    expect_error("$M=a\\\nb $M\n$M\n", "HF-DEF-LOOP", 1, "$M uses itself");
    for (char c = 'B'; c <= 'I'; c++) {
        at += (size_t)snprintf(bomb + at, sizeof(bomb) - at, "$%c=", c);
        for (int i = 0; i < 10; i++)
            at += (size_t)snprintf(bomb + at, sizeof(bomb) - at, "${%c}", c - 1);
        bomb[at++] = '\n';
    }
    snprintf(bomb + at, sizeof(bomb) - at, "x $I\n");
    expect_error(bomb, "HF-DEF-BOMB", 10, "$I expands to more than 64 KiB");
    memcpy(bomb, "$A= #", 5); /* nothing, many times: the work is bounded, too */
    expect_error(bomb, "HF-DEF-BOMB", 10, "$I expands");
    for (int i = 1; i < 200; i++)
        dat += (size_t)snprintf(deep + dat, sizeof(deep) - dat, "$V%d=$V%d\n", i, i - 1);
    snprintf(deep + dat, sizeof(deep) - dat, "x $V199\n");
    expect_error(deep, "HF-DEF-DEEP", 201, "64 deep");
}

static void test_conditions(void **state)
{
    (void)state;
    expect("@me a\n@^me b\n@you c\n@^you d\n@me\n  @me @^you e\n", "a;d;e");
    expect("$C=@you x\n$C\n$D=@me y\n$D\n", "y");
    expect("a @me\n", "a|@me");
}

static void test_generators(void **state)
{
    (void)state;
    expect("~SEQ(i, 3) x $i\n", "x|1;x|2;x|3");
    expect("~SEQ(i, -2) ${i}y\n~SEQ(i,3,2) $i\n", "-1y;-2y;3;2");
    expect("~SEQ(i, 0, 0x4, 010) $i\n", "0;4;8");
    expect("~SEQx(i, 9, 11) a$i ${i}\n", "a9|9;aa|a;ab|b");
    expect("~SEQ(i,2) ~SEQ(j,2) ${i}.${j}\n", "1.1;1.2;2.1;2.2");
    expect("~LST(v, a, b) $v {\n", "a;{;b;{");
    expect("~LST({a,b}, {p,q}, {r}) $a $b;\n", "p|$b;;r|$b;");
    expect("~LST({a,b}, {p,q}, {r}) ${a}-${b}\n", "p-q;r-");
    expect("$N=2\n$i=x\n~SEQ(i, ${N}) $i\ny $i\n", "1;2;y|x"); /* shadows, then the old one is back */
    expect_error("~SEQ(i, 1, 0, 5) x\n", "HF-SEQ", 1, "never reaches its end");
    expect_error("~SEQ(i, 1, -1, 5) x\n", "HF-SEQ", 1, "never reaches its end");
    expect_error("\n~SEQ(i, 5 x\n", "HF-SEQ", 2, "missing");
    expect_error("~SEQ(i, abc) x\n", "HF-SEQ", 1, "not written");
    expect_error("~LST(v, \"a\") x\n", "HF-SEQ", 1, "quoted");
    expect_error("~LST({a,b}, {1,2,3}) x\n", "HF-SEQ", 1, "more values");
    expect_error("~SEQ(i, 99999999) x\n", "HF-SEQ", 1, "million");
}

static void test_limits(void **state)
{
    struct conf_text_opts o = opts;
    struct diag_view v;
    struct loaded l;

    (void)state;
    o.max_lines = 1000;
    load_bytes(&l, "~SEQ(i,900) ~SEQ(j,900) x $i $j\nlast\n", 37, &o);
    assert_true(find_diag(&l, "HF-TEXT-LIMIT", 0, &v));
    assert_int_equal(l.t.nlines, 1000);
    unload(&l);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* In the directory of test_include. */
static void check_include_check(const struct conf_text_opts *files)
{
    struct diag_view v;
    struct loaded l;

    put("include_check.conf", "include_check -match\ninclude_check +wildcard_match\ninclude sub/none*\n");
    load_file(&l, "include_check.conf", files);
    assert_true(find_diag(&l, "HF-INCLUDE-EMPTY", 0, &v));
    assert_int_equal(v.severity, DIAG_ERROR);
    unload(&l);

    put("chk.inc", "include_check\ninclude sub/none*\n"); /* holds in there only */
    put("main.conf", "include chk.inc\ninclude sub/none*\ninclude_check match\ninclude sub*\n"
                     "includew {sub/y.inc,sub/none*}\nincludew {sub/no*,sub/non*}\n");
    load_file(&l, "main.conf", files);
    const enum diag_severity empty[] = { DIAG_ERROR, DIAG_WARNING, DIAG_WARNING, DIAG_ERROR, DIAG_ERROR };
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        assert_true(find_diag(&l, "HF-INCLUDE-EMPTY", (unsigned int)i, &v));
        assert_int_equal(v.severity, empty[i]);
    }
    assert_true(find_diag(&l, "HF-INCLUDE-KIND", 0, &v));
    assert_int_equal(v.severity, DIAG_ERROR);
    unload(&l);
}

static void test_include(void **state)
{
    static const struct conf_text_opts files = { .config_id = "me" };
    char dir[] = "/tmp/hf-conf-XXXXXX", cmd[64];
    struct diag_view v;
    struct loaded l;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    mkdir("sub", 0755);
    put("main.conf", "a\ninclude sub/*.conf\ninclude \"sub/x 1.inc\"\nb\n@me include "
                     "sub/{y,z}.inc\nincludea sub/{y,q}.inc\n");
    put("sub/1.conf", "one $D\n$D=1\ninclude y.inc\n");
    put("sub/2.conf", "two $D\n");
    put("sub/y.inc", "y\n");
    put("sub/z.inc", "z\n");
    load_file(&l, "main.conf", &files);
    assert_string_equal(l.lines, "a;one|$D;y;two|1;b;y;z;y");
    assert_true(find_diag(&l, "HF-INCLUDE-FILE", 0, &v));
    assert_int_equal(v.line, 3);
    assert_true(find_diag(&l, "HF-INCLUDE-FILE", 1, &v));
    assert_int_equal(v.line, 6);
    assert_int_equal(diag_exit_status(l.d, false), 4);
    unload(&l);

    put("main.conf", "include sub/none*.conf\ninclude sub\ninclude a.inc\nincludew no*.x\n");
    put("a.inc", "include b.inc\n");
    put("b.inc", "\ninclude a.inc\nx\n");
    load_file(&l, "main.conf", &files);
    assert_string_equal(l.lines, "x");
    assert_true(find_diag(&l, "HF-INCLUDE-EMPTY", 0, &v));
    assert_int_equal(v.severity, DIAG_WARNING);
    assert_true(find_diag(&l, "HF-INCLUDE-EMPTY", 1, &v));
    assert_int_equal(v.severity, DIAG_ERROR);
    assert_true(find_diag(&l, "HF-INCLUDE-KIND", 0, &v));
    assert_true(find_diag(&l, "HF-INCLUDE-LOOP", 0, &v));
    assert_string_equal(v.file, "b.inc");
    assert_int_equal(v.line, 2);
    unload(&l);

    check_include_check(&files);

    load_file(&l, "sub/*.inc", &files); /* several main files */
    assert_string_equal(l.lines, "y;z");
    assert_int_equal(l.t.nfiles, 2);
    unload(&l);
    snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(cmd), 0);
}

static void test_main_file(void **state)
{
    static const struct conf_text_opts files = { .config_id = "me" };
    static const struct {
        const char *path, *say;
        int rc, status;
    } cases[] = {
        { "/nonexistent/x.conf", "no such file", -1, 4 },
        { "/nonexistent/*.conf", "no such file", -1, 4 },
        { "/tmp", "is a folder", -1, 4 },
        { "/dev/zero", "not a regular file", -1, 4 },
        { "/dev/null", "nothing is configured", 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct diag_view v;
        struct loaded l;

        load_file(&l, cases[i].path, &files);
        assert_int_equal(l.rc, cases[i].rc);
        assert_int_equal(diag_total(l.d), 1);
        diag_view(l.d, 0, &v);
        assert_non_null(strstr(v.message, cases[i].say));
        assert_int_equal(diag_exit_status(l.d, false), cases[i].status);
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions),     cmocka_unit_test(test_multi_line),
        cmocka_unit_test(test_undefined_words), cmocka_unit_test(test_remedies),
        cmocka_unit_test(test_loops_and_bombs), cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_generators),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_include),         cmocka_unit_test(test_main_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
