/*
 * test_conf_habits.c - what people write who come from another language, another tool or the clipboard: the
 * mistake is named once, with the word that was meant; and what only looks odd draws nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/unit/conf_tree_util.h"

/* One error, at this line, of this code; its help or its suggestion holds part. */
static void expect_remedy(const char *text, const char *code, uint32_t line, const char *part)
{
    struct tree s;
    bool ok = false;
    tree_load(&s, text);
    for (size_t i = 0; i < diag_total(s.d); i++) {
        struct diag_view v;
        diag_view(s.d, i, &v);
        ok = ok || (v.severity == DIAG_ERROR && strcmp(v.code, code) == 0 && v.line == line &&
                    (part == NULL ? v.help == NULL && v.suggest == NULL
                                  : (v.help != NULL && strstr(v.help, part) != NULL) ||
                                        (v.suggest != NULL && strcmp(v.suggest, part) == 0)));
    }
    ok = ok && tree_errors(&s) == 1;
    if (!ok) {
        print_error("wanted one %s at line %u with %s of:\n%s", code, line, part != NULL ? part : "no remedy",
                    text);
        tree_show(&s);
    }
    tree_unload(&s);
    assert_true(ok);
}

#define VI(extra) VI_TEXT("V", "51", extra VIPS("10.0.0.1/24\n"))
#define RS(check)                                                                                            \
    "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n"                               \
    " real_server 10.0.0.2 80 {\n" check " }\n}\n"

static void other_names(void **state)
{
    (void)state;
    expect_remedy("global_defs {\n lvs_id X\n}\n", "HF-KEYWORD", 2, "router_id");
    expect_remedy("track_process p {\n process x\n}\n", "HF-KEYWORD", 1, "vrrp_track_process");
    expect_remedy("track_file f {\n path /etc/hostname\n file /etc/hostname\n}\n", "HF-KEYWORD", 2, "file");
    expect_remedy(VI(" vmac_addr 1\n"), "HF-KEYWORD", 6, "use_vmac_addr");
    expect_remedy(RS("  TCP_CHECK {\n timeout 3\n }\n"), "HF-KEYWORD", 7, "connect_timeout");
    expect_remedy(RS("  HTTPS_GET {\n }\n"), "HF-KEYWORD", 6, "SSL_GET");
    expect_remedy(RS("  ICMP_CHECK {\n }\n"), "HF-KEYWORD", 6, "PING_CHECK");
}

/* Of another block, and no slip of a word of this one. */
static void other_places(void **state)
{
    (void)state;
    expect_remedy("interface eth0\n", "HF-KEYWORD-PLACE", 1, NULL);
    expect_remedy("virtual_ipaddress\n", "HF-KEYWORD-PLACE", 1, NULL);
    expect_remedy(VI(" auth_type PASS\n"), "HF-KEYWORD-PLACE", 6, NULL);
}

/* The sentence has its word. */
static void a_server_in_a_server(void **state)
{
    (void)state;
    struct tree s;
    tree_load(&s, RS("  TCP_CHECK {\n }\n real_server 10.0.0.3 80 {\n TCP_CHECK {\n }\n }\n"));
    assert_true(tree_said(&s, DIAG_ERROR, "HF-KEYWORD-PLACE", 8,
                          "real_server belongs inside virtual_server 10.0.0.1 80"));
    tree_unload(&s);
}

static void other_languages(void **state)
{
    (void)state;
    expect_remedy(VI(" \"nopreempt\"\n"), "HF-KEYWORD", 6, "without quotes");
    expect_remedy(VI(" // nopreempt\n"), "HF-KEYWORD", 6, "begins with #");
    expect_remedy("--\n" VI(""), "HF-KEYWORD", 1, "begins with #");
    expect_remedy("```\n" VI(""), "HF-KEYWORD", 1, "copying");
    expect_remedy("vrrp_instance = V {\n interface eth0\n virtual_router_id 51\n" VIPS("10.0.0.1/24\n") "}\n",
                  "HF-NAME-MISSING", 1, "write: vrrp_instance V {");
    expect_remedy("vrrp_instance : {\n interface eth0\n virtual_router_id 51\n" VIPS("10.0.0.1/24\n") "}\n",
                  "HF-NAME-MISSING", 1, "write: vrrp_instance NAME {");
}

/* DECISIONS.md D13: the argument of a flag is understood, or an error. */
static void flags_with_words(void **state)
{
    (void)state;
    struct tree s;
    expect_remedy(VI(" nopreempt maybe\n"), "HF-BOOL", 6, "write one of");
    expect_remedy(VI(" nopreempt 0\n"), "HF-BOOL", 6, "write one of");
    tree_load(&s, VI(" nopreempt 1\n")); /* seen in the wild */
    assert_int_equal(tree_errors(&s), 0);
    assert_int_equal(conf_uint(conf_find(s.c, BLK_VI, "V"), KW_VI_NOPREEMPT, 9), 1);
    tree_unload(&s);
}

/* One word to a shell is one word to us. */
static void quotes_of_either_kind(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "vrrp_script s {\n script '/usr/bin/test -e x'\n}\n",
        "vrrp_script s {\n script \"/usr/bin/test -e x\"\n}\n",
        RS("  MISC_CHECK {\n misc_path '/usr/bin/test -e x'\n }\n"),
        RS("  HTTP_GET {\n url {\n path /\n regex 'a b c'\n }\n }\n"),
        RS("  HTTP_GET {\n url {\n path /\n regex '\"status\":\\s*\"UP\"'\n }\n }\n"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct tree s;
        tree_load(&s, texts[i]);
        if (tree_said(&s, DIAG_WARNING, "HF-EXTRA", 0, "")) {
            tree_show(&s);
            fail_msg("an untrue warning for\n%s", texts[i]);
        }
        assert_int_equal(tree_errors(&s), 0);
        tree_unload(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_names),          cmocka_unit_test(other_places),
        cmocka_unit_test(other_languages),      cmocka_unit_test(flags_with_words),
        cmocka_unit_test(a_server_in_a_server), cmocka_unit_test(quotes_of_either_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
