/*
 * test_conf_checks.c - what holdfast-conf works out for the checks other than TCP and HTTP: inheritance of
 * host blocks, time-outs of scripts, weights of tracked files, names and limits that make no sense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/addr.h"
#include "parent/conf/conf_int.h"
#include "test/unit/conf_tree_util.h"

#define VS(rest)                                                                                             \
    "virtual_server 10.0.0.1 25 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n delay_loop 6\n"                \
    " real_server 10.0.0.2 26 {\n" rest " }\n}\n"

static const struct conf_obj *check_of(const struct tree *s, enum blk blk)
{
    const struct conf_obj *vs = conf_next(conf_top(s->c), NULL, BLK_VS);

    return conf_next(conf_next(vs, NULL, BLK_RS), NULL, blk);
}

static void ip_is(const struct conf_obj *o, enum kw kw, const char *want)
{
    char text[IPADDR_STRLEN];

    assert_non_null(conf_ip(o, kw));
    assert_string_equal(ipaddr_str(conf_ip(o, kw), text), want);
}

static void smtp_hosts(void **state)
{
    struct tree s;
    const struct conf_obj *k, *h;

    (void)state;
    tree_load(&s, VS("  SMTP_CHECK {\n   connect_timeout 2\n   fwmark 9\n   host {\n    connect_ip 10.0.0.7\n"
                     "    retry 4\n    delay_loop 3\n   }\n   host {\n    connect_port 27\n    fwmark 8\n"
                     "    connect_timeout 1\n   }\n  }\n"));
    assert_int_equal(tree_errors(&s), 0);
    k = check_of(&s, BLK_SMTP);
    assert_int_equal(conf_uint(k, KW_SMTP_RETRY, 0), 4);
    assert_int_equal(conf_uint(k, KW_SMTP_DELAY_LOOP, 0), 3000000);
    h = conf_next(k, NULL, BLK_SMTPHOST);
    ip_is(h, KW_SMTPHOST_CONNECT_IP, "10.0.0.7");
    assert_int_equal(conf_uint(h, KW_SMTPHOST_CONNECT_PORT, 0), 26);
    assert_int_equal(conf_uint(h, KW_SMTPHOST_CONNECT_TIMEOUT, 0), 2000000);
    assert_int_equal(conf_uint(h, KW_SMTPHOST_FWMARK, 0), 9);
    h = conf_next(k, h, BLK_SMTPHOST);
    ip_is(h, KW_SMTPHOST_CONNECT_IP, "10.0.0.2");
    assert_int_equal(conf_uint(h, KW_SMTPHOST_CONNECT_PORT, 0), 27);
    assert_int_equal(conf_uint(h, KW_SMTPHOST_CONNECT_TIMEOUT, 0), 1000000);
    assert_int_equal(conf_uint(h, KW_SMTPHOST_FWMARK, 0), 8);
    tree_unload(&s);
}

/* The parent runs the script: it finds the time-out with the command. */
static void script_time(void **state)
{
    struct tree s;
    const struct conf_obj *k;

    (void)state;
    tree_load(&s, VS("  MISC_CHECK {\n   misc_path /bin/true\n  }\n"));
    k = check_of(&s, BLK_MISC);
    assert_int_equal(conf_uint(k, KW_MISC_MISC_TIMEOUT, 0), 6000000);
    assert_int_equal(conf_uint(k, KW_MISC_RETRY, 9), 0);
    assert_int_equal(conf_uint(conf_next(k, NULL, BLK_CMD), KW_CMD_X_TIMEOUT, 0), 6000000);
    tree_unload(&s);
    tree_load(&s, VS("  MISC_CHECK {\n   misc_timeout 3\n   misc_path /bin/true\n  }\n"));
    k = check_of(&s, BLK_MISC);
    assert_int_equal(conf_uint(k, KW_MISC_MISC_TIMEOUT, 0), 3000000);
    assert_int_equal(conf_uint(conf_next(k, NULL, BLK_CMD), KW_CMD_X_TIMEOUT, 0), 3000000);
    tree_unload(&s);
    tree_load(&s, VS("  MISC_CHECK {\n   misc_timeout 0\n   misc_path /bin/true\n   delay_loop 4\n  }\n"));
    k = check_of(&s, BLK_MISC);
    assert_int_equal(conf_uint(k, KW_MISC_MISC_TIMEOUT, 0), 4000000);
    tree_unload(&s);
}

static int64_t weight(const struct tree *s, enum kw kw)
{
    const struct conf_value *v = conf_get(check_of(s, BLK_FILE), kw);

    return v != NULL ? v->v.i : 0;
}

static void file_weight(void **state)
{
    struct tree s;

    (void)state;
    tree_load(
        &s, VS("  FILE_CHECK {\n   track_file f\n  }\n") "track_file f {\n file /x\n weight 3 reverse\n}\n");
    assert_int_equal(tree_errors(&s), 0);
    assert_int_equal(weight(&s, KW_FILE_WEIGHT), 3);
    assert_int_equal(weight(&s, KW_FILE_X_REVERSE), 1);
    tree_unload(&s);
    tree_load(
        &s,
        VS("  FILE_CHECK {\n   track_file f\n   dynamic\n   weight 0\n  }\n") "track_file f {\n file /x\n "
                                                                              "weight 3 reverse\n}\n");
    assert_int_equal(tree_errors(&s), 0); /* dynamic: an old word without effect */
    assert_true(tree_said(&s, DIAG_WARNING, "HF-OBSOLETE", 0, "dynamic"));
    assert_int_equal(weight(&s, KW_FILE_WEIGHT), 0);
    assert_int_equal(weight(&s, KW_FILE_X_REVERSE), 0);
    tree_unload(&s);
    tree_load(&s, VS("  FILE_CHECK {\n   track_file f\n  }\n") "track_file f {\n file /x\n}\n");
    assert_int_equal(weight(&s, KW_FILE_WEIGHT), 1);
    tree_unload(&s);
}

static void bfd_alpha(void **state)
{
    struct tree s;

    (void)state;
    tree_load(&s,
              VS("  alpha\n  BFD_CHECK {\n   name B\n  }\n") "bfd_instance B {\n neighbor_ip 10.0.0.3\n}\n");
    assert_int_equal(tree_errors(&s), 0);
    assert_true(conf_flag(check_of(&s, BLK_BFDCHK), KW_BFDCHK_ALPHA));
    tree_unload(&s);
}

static void said(const char *text, enum diag_severity severity, const char *code, const char *part)
{
    struct tree s;

    tree_load(&s, text);
    assert_true(tree_said(&s, severity, code, 0, part));
    tree_unload(&s);
}

static void mistakes(void **state)
{
    struct tree s;

    (void)state;
    said(VS("  DNS_CHECK {\n   name a..b\n  }\n"), DIAG_ERROR, "HF-DNS-NAME", "a label is empty");
    said(VS("  DNS_CHECK {\n   name aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg\n  }\n"),
         DIAG_ERROR, "HF-DNS-NAME", "longer than 63");
    said(VS("  UDP_CHECK {\n   min_reply_length 300\n  }\n"), DIAG_ERROR, "HF-RANGE",
         "below min_reply_length");
    said(VS("  UDP_CHECK {\n   require_reply\n   min_reply_length 3\n  }\n"), DIAG_WARNING, "HF-NO-EFFECT",
         "only with the bytes");
    said(VS("  SMTP_CHECK {\n   host {\n    bindto ::1\n   }\n  }\n"), DIAG_ERROR, "HF-FAMILY",
         "bindto is IPv6");
    tree_load(&s, VS("  DNS_CHECK {\n   name a.b.\n   type aaaa\n  }\n  DNS_CHECK {\n   name .\n  }\n"
                     "  UDP_CHECK {\n   require_reply 01 xx\n   max_reply_length 3\n  }\n"));
    assert_int_equal(tree_errors(&s), 0);
    assert_false(tree_said(&s, DIAG_WARNING, "HF-NO-EFFECT", 0, "reply"));
    assert_int_equal(conf_uint(check_of(&s, BLK_DNS), KW_DNS_TYPE, 0), 28);
    tree_unload(&s);
}

static void hex_is(const char *text, const char *want)
{
    struct tree s;
    char conf[512];
    const struct conf_value *v;

    snprintf(conf, sizeof conf, VS("  UDP_CHECK {\n   require_reply %s\n  }\n"), text);
    tree_load(&s, conf);
    assert_int_equal(tree_errors(&s), 0);
    v = conf_get(check_of(&s, BLK_UDP), KW_UDP_REQUIRE_REPLY);
    assert_int_equal(v->len, strlen(want) + 1);
    assert_memory_equal(v->v.raw, want, v->len);
    tree_unload(&s);
}

/* Two digits a byte; one alone before a blank is a byte of its own. */
static void hex(void **state)
{
    (void)state;
    hex_is("00ff10 a", "00ff100a");
    hex_is("1 2 3", "010203");
    hex_is("AbC", "ab0c");
    hex_is("01 xX 03", "01xx03");
    hex_is("x", "0x");
    said(VS("  UDP_CHECK {\n   payload 0g\n  }\n"), DIAG_ERROR, "HF-HEX", "\"g\" is no hexadecimal digit");
    said(VS("  UDP_CHECK {\n   payload 0x\n  }\n"), DIAG_ERROR, "HF-HEX", "\"x\" is no hexadecimal digit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smtp_hosts), cmocka_unit_test(script_time), cmocka_unit_test(file_weight),
        cmocka_unit_test(bfd_alpha),  cmocka_unit_test(mistakes),    cmocka_unit_test(hex),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
