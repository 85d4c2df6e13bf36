/*
 * test_conf_parse.c - the parser by table: every kind of value, blocks and braces with one error a mistake,
 * hints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parent/conf/conf_int.h"
#include "parent/conf/parse.h"
#include "test/unit/conf_tree_util.h"

static void expect_one(const char *text, const char *code, uint32_t line, const char *part)
{
    struct tree s;
    tree_load(&s, text);
    bool ok = tree_errors(&s) == 1 && tree_said(&s, DIAG_ERROR, code, line, part);
    if (!ok) {
        print_error("wanted one %s at line %u (%s) of:\n%s", code, line, part, text);
        tree_show(&s);
    }
    tree_unload(&s);
    assert_true(ok);
}

static void expect_clean(const char *text)
{
    struct tree s;
    tree_load(&s, text);
    if (tree_errors(&s) != 0)
        tree_show(&s);
    size_t n = tree_errors(&s);
    tree_unload(&s);
    assert_int_equal(n, 0);
}

static void numbers(void **state)
{
    (void)state;
    int64_t v;
    assert_int_equal(conf_number("42", false, &v), 0);
    assert_int_equal(v, 42);
    assert_int_equal(conf_number("+7", false, &v), 0);
    assert_int_equal(v, 7);
    assert_int_equal(conf_number("-12", false, &v), 0);
    assert_int_equal(v, -12);
    assert_int_equal(conf_number("-9223372036854775808", false, &v), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(conf_number("9223372036854775808", false, &v), -1);
    assert_int_equal(conf_number("99999999999999999999999", false, &v), -1);
    assert_int_equal(conf_number("0x1f", true, &v), 0);
    assert_int_equal(v, 31);
    assert_int_equal(conf_number("0x1f", false, &v), -1);
    assert_int_equal(conf_number("010", true, &v), 0);
    assert_int_equal(v, 8);
    assert_int_equal(conf_number("010", false, &v), 0);
    assert_int_equal(v, 10);
    assert_int_equal(conf_number("", false, &v), -1);
    assert_int_equal(conf_number("-", false, &v), -1);
    assert_int_equal(conf_number("3x", false, &v), -1);
    assert_int_equal(conf_number("08", true, &v), -1);
}

static void times(void **state)
{
    (void)state;
    uint64_t us;
    assert_int_equal(conf_seconds("1", 6, &us), 0);
    assert_int_equal(us, 1000000);
    assert_int_equal(conf_seconds("0.01", 6, &us), 0);
    assert_int_equal(us, 10000);
    assert_int_equal(conf_seconds(".5", 6, &us), 0);
    assert_int_equal(us, 500000);
    assert_int_equal(conf_seconds("0.0000015", 6, &us), 1);
    assert_int_equal(us, 2);
    assert_int_equal(conf_seconds("4294.967295", 6, &us), 0);
    assert_true(us == UINT64_C(4294967295));
    assert_int_equal(conf_seconds("1s", 6, &us), -1);
    assert_int_equal(conf_seconds("", 6, &us), -1);
    assert_int_equal(conf_seconds(".", 6, &us), -1);
    assert_int_equal(conf_seconds("-1", 6, &us), -1);
    assert_int_equal(conf_seconds("99999999999999999999", 6, &us), -1);
}

static void values_and_ranges(void **state)
{
    (void)state;
    expect_clean(VI_TEXT("V", "51", VIPS("10.0.0.1/24\n")));
    expect_one(VI_TEXT("V", "256", VIPS("10.0.0.1/24\n")), "HF-RANGE", 4,
               "virtual_router_id 256 is not in 1-255");
    expect_one(VI_TEXT("V", "51", " advert_int 1s\n" VIPS("10.0.0.1/24\n")), "HF-RANGE", 6, "advert_int 1s");
    expect_one(VI_TEXT("V", "51", " garp_master_delay\n" VIPS("10.0.0.1/24\n")), "HF-VALUE-MISSING", 6,
               "needs a value");
    expect_one(VI_TEXT("V", "51", " preempt_delay = 3\n" VIPS("10.0.0.1/24\n")), "HF-VALUE", 6, "\"=\"");
    expect_one(VI_TEXT("V", "51", " garp_master_repeat 3;\n" VIPS("10.0.0.1/24\n")), "HF-VALUE", 6,
               "ends in");
    expect_one(VI_TEXT("V", "51", " smtp_alert maybe\n" VIPS("10.0.0.1/24\n")), "HF-BOOL", 6,
               "not on or off");
    expect_one(VI_TEXT("V", "51", VIPS("10.0.0.256/24\n")), "HF-ADDR", 7, "is not an IP address");
    expect_one(VI_TEXT("V", "51", VIPS("10.0.0.1/33\n")), "HF-ADDR-PREFIX", 7, "(0-32)");
    expect_one(VI_TEXT("V", "51", VIPS("10.0.0.1/255.255.255.0\n")), "HF-ADDR-PREFIX", 7, "prefix length");
    expect_one(VI_TEXT("V", "51", VIPS("10.0.0.1/24 devv eth1\n")), "HF-OPTION", 7, "devv");
    expect_one(VI_TEXT("V", "51", VIPS("www.example.com\n")), "HF-ADDR", 7, "a name where an address");
    expect_one("bfd_instance b {\n neighbor_ip 10.0.0.2\n min_rx 0\n}\n", "HF-RANGE", 3, "milliseconds");
}

static void flags(void **state)
{
    (void)state;
    struct tree s;
    tree_load(&s, VI_TEXT("V", "51",
                          " skip_check_adv_addr off\n nopreempt off\n preempt_delay 7\n" VIPS("10.0.0.1\n")));
    const struct conf_obj *vi = conf_find(s.c, BLK_VI, "V");
    assert_int_equal(tree_errors(&s), 0);
    assert_int_equal(conf_uint(vi, KW_VI_SKIP_CHECK_ADV_ADDR, 9), 0);
    assert_int_equal(conf_uint(vi, KW_VI_NOPREEMPT, 9), 0);
    assert_int_equal(conf_uint(vi, KW_VI_PREEMPT_DELAY, 9), 7000000);
    tree_unload(&s);
}

static void duplicates(void **state)
{
    (void)state;
    struct tree s;
    tree_load(&s, VI_TEXT("V", "51", " priority 120\n" VIPS("10.0.0.1\n")));
    assert_int_equal(conf_uint(conf_find(s.c, BLK_VI, "V"), KW_VI_PRIORITY, 0), 120);
    assert_true(tree_said(&s, DIAG_WARNING, "HF-TWICE", 6, "the last one counts"));
    tree_unload(&s);
    tree_load(&s, "instance a\ninstance b\n");
    assert_string_equal(conf_str(s.c->top, KW_TOP_INSTANCE, NULL), "a");
    assert_true(tree_said(&s, DIAG_WARNING, "HF-TWICE", 2, "the first one counts"));
    tree_unload(&s);
    expect_one(VI_TEXT("V", "51", VIPS("10.0.0.1\n")) VI_TEXT("V", "52", VIPS("10.0.0.2\n")), "HF-DUP", 10,
               "already defined at line 1");
}

static void braces(void **state)
{
    (void)state;
    const char *vip = VIPS("10.0.0.1\n");
    char text[1024];
    (void)vip;
    /* the } of the first instance is missing */
    expect_one(
        "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n  10.0.0.1\n }\n"
        "vrrp_instance B {\n interface eth0\n virtual_router_id 2\n virtual_ipaddress {\n  10.0.0.2\n }\n}\n",
        "HF-BRACE-CLOSE", 7, "opened at line 1");
    /* the } of an inner block is missing: indentation tells */
    expect_one(
        "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n  10.0.0.1\n}\n",
        "HF-BRACE-CLOSE", 4, "virtual_ipaddress is never closed");
    expect_one(
        "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n  10.0.0.1\n }\n",
        "HF-BRACE-CLOSE", 1, "vrrp_instance A is never closed");
    expect_one(
        "vrrp_instance A\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n  10.0.0.1\n }\n}\n",
        "HF-BRACE-OPEN", 1, "expected after vrrp_instance A");
    expect_one(
        "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress\n  10.0.0.1\n }\n}\n",
        "HF-BRACE-OPEN", 4, "expected after virtual_ipaddress");
    snprintf(text, sizeof text, "%s}\n", VI_TEXT("A", "1", VIPS("10.0.0.1\n")));
    expect_one(text, "HF-BRACE-EXTRA", 10, "closes nothing");
    expect_one(VI_TEXT("A", "1", " advert_int 1 {\n" VIPS("10.0.0.1\n")), "HF-BRACE-OPEN", 6, "not a block");
    expect_one(VI_TEXT("A", "1", " advert_int 1 {\n }\n" VIPS("10.0.0.1\n")), "HF-BRACE-OPEN", 6,
               "not a block");
    /* a surplus } deeper than its block, then the rest of the block */
    expect_one("vrrp_instance A {\n interface eth0\n   }\n virtual_router_id 1\n virtual_ipaddress {\n  "
               "10.0.0.1\n }\n}\n",
               "HF-BRACE-EXTRA", 3, "closes nothing");
    /* one line */
    expect_clean(
        "vrrp_instance A { \n interface eth0\n virtual_router_id 1\n virtual_ipaddress { 10.0.0.1/24 }\n}\n");
    expect_clean("vrrp_instance A\n{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress\n {\n "
                 "10.0.0.1\n }\n}\n");
}

static void unknown_words(void **state)
{
    (void)state;
    struct tree s;
    expect_one("global_defs {\n ruoter_id x\n}\n", "HF-KEYWORD", 2, "ruoter_id");
    expect_one("vrrp_instanse V {\n state MASTER\n foo {\n  bar\n }\n}\n", "HF-KEYWORD", 1, "vrrp_instanse");
    expect_one(VI_TEXT("V", "51", " State BACKUP\n" VIPS("10.0.0.1\n")), "HF-KEYWORD", 6, "State");
    expect_one(VI_TEXT("V", "51", " nopreempt: yes\n" VIPS("10.0.0.1\n")), "HF-KEYWORD", 6, "nopreempt:");
    expect_one("priority 100\n", "HF-KEYWORD-PLACE", 1, "belongs inside vrrp_instance");
    expect_one(
        VI_TEXT(
            "V", "51",
            VIPS("10.0.0.1\n") " vrrp_script s {\n  script \"/bin/true\"\n }\n track_script {\n  s\n }\n"),
        "HF-KEYWORD-PLACE", 9, "at the top level");
    tree_load(&s, "global_defs {\n ruoter_id x\n}\n");
    struct diag_view v;
    diag_view(s.d, 0, &v);
    assert_string_equal(v.suggest, "router_id");
    tree_unload(&s);
}

static void every_error_in_one_run(void **state)
{
    (void)state;
    struct tree s;
    tree_load(
        &s,
        "global_defs {\n ruoter_id x\n vrrp_version 9\n}\nvrrp_instance V {\n state MASTR\n interface eth0\n"
        " virtual_router_id 0\n priority 300\n virtual_ipaddress {\n  1.2.3\n 10.0.0.1 foo\n }\n "
        "track_script {\n  nope\n }\n}\n");
    static const uint32_t lines[] = { 2, 3, 6, 8, 9, 11, 12, 15 };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        size_t n = 0;
        for (size_t k = 0; k < diag_total(s.d); k++) {
            struct diag_view v;
            diag_view(s.d, k, &v);
            n += v.severity == DIAG_ERROR && v.line == lines[i];
        }
        assert_int_equal(n, 1);
    }
    assert_int_equal(tree_errors(&s), sizeof lines / sizeof *lines);
    tree_unload(&s);
}

static void order_never_matters(void **state)
{
    (void)state;
    struct tree s;
    tree_load(
        &s,
        VI_TEXT(
            "V", "51",
            VIPS("10.0.0.1\n") " track_script {\n  chk weight 5 reverse\n }\n") "vrrp_script chk {\n script "
                                                                                "\"/bin/"
                                                                                "true\"\n}\nglobal_defs {\n "
                                                                                "script_user root\n "
                                                                                "enable_script_security\n"
                                                                                " vrrp_garp_master_repeat "
                                                                                "2\n vrrp_version 3\n}\n");
    const struct conf_obj *vi = conf_find(s.c, BLK_VI, "V");
    const struct conf_obj *t = conf_next(vi, NULL, BLK_TRK_SCRIPT);
    if (tree_errors(&s) != 0)
        tree_show(&s);
    assert_int_equal(tree_errors(&s), 0);
    assert_int_equal(conf_uint(vi, KW_VI_VERSION, 0), 3);
    assert_int_equal(conf_uint(vi, KW_VI_GARP_MASTER_REPEAT, 0), 2);
    assert_non_null(t);
    assert_int_equal(conf_get(t, KW_TRK_SCRIPT_WEIGHT)->v.i, 5);
    assert_int_equal(conf_uint(t, KW_TRK_SCRIPT_X_REVERSE, 0), 1);
    tree_unload(&s);
}

static void line_grammars(void **state)
{
    (void)state;
    struct tree s;
    tree_load(
        &s, "static_routes {\n 192.168.100.0/24 table 6909 nexthop via 192.168.101.1 dev eth0 onlink weight "
            "1 nexthop via"
            " 192.168.101.2 dev eth0 weight 2\n blackhole 192.168.110.0/24\n to default via inet 10.0.0.1 "
            "mtu lock 1400"
            " rtt 300ms realms 1/2\n 10.1.0.0/16 dev eth1 encap mpls 100/200\n}\nstatic_rules {\n from "
            "10.0.0.0/8 table 7"
            " priority 100 no_track\n to 10.0.0.1 fwmark 0x10/0xff blackhole preference 5 sport 100-200\n}\n"
            "static_ipaddress {\n 10.9.9.9/24 dev eth1 brd + scope link label eth1:1\n 2001:db8::1 dev eth1 "
            "-nodad\n}\n");
    if (tree_errors(&s) != 0)
        tree_show(&s);
    assert_int_equal(tree_errors(&s), 0);
    const struct conf_obj *r = conf_next(conf_top(s.c), NULL, BLK_ROUTE), *a;
    assert_int_equal(conf_uint(r, KW_ROUTE_TABLE, 0), 6909);
    const struct conf_obj *n = conf_next(r, NULL, BLK_NEXTHOP);
    assert_int_equal(conf_uint(n, KW_NEXTHOP_WEIGHT, 0), 1);
    n = conf_next(r, n, BLK_NEXTHOP);
    assert_int_equal(conf_uint(n, KW_NEXTHOP_WEIGHT, 0), 2);
    r = conf_next(conf_top(s.c), r, BLK_ROUTE);
    assert_int_equal(conf_uint(r, KW_ROUTE_TYPE, 0), 6);
    r = conf_next(conf_top(s.c), r, BLK_ROUTE);
    assert_int_equal(conf_uint(r, KW_ROUTE_MTU, 0), 1400);
    assert_int_equal(conf_uint(r, KW_ROUTE_X_LOCK, 0), 1u << 2);
    assert_int_equal(*(const uint64_t *)conf_get(r, KW_ROUTE_RTT)->v.raw, 2400);
    assert_int_equal(*(const uint64_t *)conf_get(r, KW_ROUTE_REALMS)->v.raw, 65538);
    a = conf_next(conf_top(s.c), NULL, BLK_ADDR);
    char text[IPADDR_STRLEN];
    assert_string_equal(ipaddr_str(conf_ip(a, KW_ADDR_BRD), text), "10.9.9.255");
    assert_int_equal(conf_uint(a, KW_ADDR_SCOPE, 0), 253);
    a = conf_next(conf_top(s.c), a, BLK_ADDR);
    assert_int_equal(conf_uint(a, KW_ADDR_PREFERRED_LFT, 9), 0);
    assert_int_equal(conf_uint(a, KW_ADDR_NODAD, 0), 1);
    tree_unload(&s);
    expect_one("static_routes {\n 10.0.0.0/8 vai 10.0.0.1\n}\n", "HF-OPTION", 2, "vai");
    expect_one("static_rules {\n from 10.0.0.0/8 priority 3\n}\n", "HF-VALUE-MISSING", 2, "needs an action");
}

static void scripts(void **state)
{
    (void)state;
    struct tree s;
    tree_load(&s,
              VI_TEXT("V", "51",
                      VIPS("10.0.0.1\n") " notify_master \"/bin/echo 'two words' three\" nobody nogroup\n"));
    const struct conf_obj *cmd = conf_next(conf_find(s.c, BLK_VI, "V"), NULL, BLK_CMD);
    const char *want[] = { "/bin/echo", "two words", "three" };
    size_t n = 0;
    assert_int_equal(tree_errors(&s), 0);
    assert_non_null(cmd);
    for (const struct conf_value *v = cmd->values; v != NULL; v = v->next)
        if (v->kw == KW_CMD_X_ARGV) {
            assert_true(n < 3);
            assert_string_equal(v->v.raw, want[n++]);
        }
    assert_int_equal(n, 3);
    assert_string_equal(conf_get(cmd, KW_CMD_X_USER)->v.raw, "nobody");
    assert_string_equal(conf_get(cmd, KW_CMD_X_GROUP)->v.raw, "nogroup");
    tree_unload(&s);
    expect_one("vrrp_script s {\n interval 2\n}\n", "HF-MISSING", 1, "has no script");
}

/* The number and the word of init_file stand in either order; a word that is no option is an error. */
static void option_words(void **state)
{
    (void)state;
    static const char *const both[] = { "init_file 6 overwrite", "init_file overwrite 6" };
    for (size_t i = 0; i < 2; i++) {
        struct tree s;
        char text[128];
        snprintf(text, sizeof text, "track_file f {\n file \"/tmp/f\"\n %s\n}\n", both[i]);
        tree_load(&s, text);
        const struct conf_obj *f = conf_find(s.c, BLK_TFILE, "f");
        assert_int_equal(tree_errors(&s), 0);
        assert_false(tree_said(&s, DIAG_WARNING, "HF-EXTRA", 0, ""));
        assert_int_equal(*(const int64_t *)conf_get(f, KW_TFILE_INIT_FILE)->v.raw, 6);
        assert_non_null(conf_get(f, KW_TFILE_X_OVERWRITE));
        tree_unload(&s);
    }
    expect_one("track_file f {\n file \"/tmp/f\"\n init_file 5 foo\n}\n", "HF-OPTION", 3,
               "unknown option foo after init_file");
    expect_one("track_file f {\n file \"/tmp/f\"\n init_file foo\n}\n", "HF-RANGE", 3, "no number");
    expect_one("vrrp_script s {\n script \"/bin/true\"\n weight 5 foo\n}\n", "HF-OPTION", 3,
               "unknown option foo after weight");
    expect_clean("vrrp_script s {\n script \"/bin/true\"\n weight 5 reverse\n}\n");
    expect_one(VI_TEXT("V", "51", " old_unicast_checksum maybe\n" VIPS("10.0.0.1\n")), "HF-OPTION", 6,
               "unknown option maybe after old_unicast_checksum");
    expect_clean(VI_TEXT("V", "51", " old_unicast_checksum never\n" VIPS("10.0.0.1\n")));
}

/* What cannot be a mail server is found while the file is read, not when the first mail is due. */
static void mail_servers(void **state)
{
    (void)state;
#define MAILSRV(server) "global_defs {\n smtp_server " server "\n}\n"
    static const char *const good[] = { MAILSRV("192.0.2.30 25"),        MAILSRV("2001:db8::1"),
                                        MAILSRV("mail.example.org 587"), MAILSRV("localhost"),
                                        MAILSRV("fe80::1%eth0 25"),      MAILSRV("3com.example") };
    static const char *const bad[] = { MAILSRV("192.0.2.300 25"),      MAILSRV("127.0.0.1:25"),
                                       MAILSRV("mail.example.org:25"), MAILSRV("[2001:db8::1]:25"),
                                       MAILSRV("192.0.2.30/24"),       MAILSRV("smtp://mail.example.org") };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        expect_clean(good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_one(bad[i], "HF-ADDR", 2, "neither an IP address nor a host name");
    expect_one(MAILSRV("localhost 0"), "HF-PORT", 2, "port 0 is not in 1-65535");
#undef MAILSRV
    struct tree s;
    struct diag_view v;
    tree_load(&s, "global_defs {\n smtp_server [2001:db8::1]:25\n}\n");
    for (size_t i = 0; i < diag_total(s.d); i++) {
        diag_view(s.d, i, &v);
        if (v.severity == DIAG_ERROR)
            assert_string_equal(v.help, "write: smtp_server 2001:db8::1 25");
    }
    tree_unload(&s);
}

static void bad_line(const char *block, const char *line, const char *code, const char *part)
{
    char text[256];
    snprintf(text, sizeof text, "%s {\n %s\n}\n", block, line);
    expect_one(text, code, 2, part);
}

static void good_line(const char *block, const char *line)
{
    char text[256];
    snprintf(text, sizeof text, "%s {\n %s\n}\n", block, line);
    expect_clean(text);
}

static void rules_the_kernel_refuses(void **state)
{
    (void)state;
    bad_line("static_rules", "from 10.0.0.0/8 goto 5 preference 9", "HF-RANGE", "goto 5");
    bad_line("static_rules", "from 10.0.0.0/8 preference 9 goto 9", "HF-RANGE", "goto 9");
    bad_line("static_rules", "from 10.0.0.0/8 table 0 preference 9", "HF-RANGE", "table 0");
    bad_line("static_rules", "from 10.0.0.0/8 blackhole suppress_prefixlength 3 preference 9", "HF-CONFLICT",
             "suppress_prefixlength");
    bad_line("static_rules", "from 10.0.0.0/8 table 5 table 6 preference 9", "HF-CONFLICT", "one action");
    good_line("static_rules", "from 10.0.0.0/8 goto 10 preference 9");
    good_line("static_rules", "from 10.0.0.0/8 table 5 suppress_prefixlength 0 preference 9");
    good_line("static_rules", "from 10.0.0.0/8 l3mdev suppress_prefixlength 0 preference 9");
}

static void routes_of_one_family(void **state)
{
    (void)state;
    bad_line("static_routes", "2001:db8::/32 via 192.0.2.1 dev eth0", "HF-FAMILY", "192.0.2.1");
    bad_line("static_routes", "10.0.0.0/8 src 2001:db8::1 dev eth0", "HF-FAMILY", "source address");
    bad_line("static_routes", "2001:db8::/32 nexthop via 192.0.2.1 dev eth0 weight 1", "HF-FAMILY",
             "192.0.2.1");
    bad_line("static_routes", "10.0.0.0/8 dev eth0 expires 5", "HF-FAMILY", "expires");
    bad_line("static_routes", "10.0.0.0/8 dev eth0 pref high", "HF-FAMILY", "pref");
    bad_line("static_routes", "10.0.0.0/8 from 192.0.2.0/24 dev eth0", "HF-FAMILY", "from");
    good_line("static_routes", "2001:db8::/32 from 2001:db8:1::/48 via fe80::1 dev eth0 pref high expires 5");
    good_line("static_routes", "10.0.0.0/8 via inet6 2001:db8::1 dev eth0");
    good_line("static_routes", "10.0.0.0/8 nexthop via inet6 2001:db8::1 dev eth0 weight 1");
    good_line("static_routes", "default via 2001:db8::1 dev eth0 expires 5");
    good_line("static_routes", "10.0.0.0/8 src 192.0.2.1 dev eth0");
}

static void groups_and_macs(void **state)
{
    (void)state;
    bad_line("global_defs", "lvs_sync_daemon eth0 group 1.2.3.4", "HF-ADDR",
             "1.2.3.4 is not a multicast address");
    good_line("global_defs", "lvs_sync_daemon eth0 group 224.0.0.81");
    expect_one(VI_TEXT("V", "51", " use_vmac 02:zz\n" VIPS("10.0.0.1\n")), "HF-ADDR", 6,
               "02:zz is not a MAC address");
    expect_clean(VI_TEXT("V", "51", " use_vmac vm0 02:00:5e:00:01:33\n" VIPS("10.0.0.1\n")));
}

/* The first error's help says what to write. */
static void expect_help(const char *text, const char *help)
{
    struct tree s;
    struct diag_view v;
    tree_load(&s, text);
    assert_int_equal(tree_errors(&s), 1);
    diag_view(s.d, 0, &v);
    assert_string_equal(v.help, help);
    tree_unload(&s);
}

/* Put on its own line, as an address would have to be, the mask became one. */
static void dotted_mask(void **state)
{
    (void)state;
    expect_help(VI_TEXT("V", "51", VIPS("192.0.2.10 255.255.255.0\n")),
                "a dotted mask is not understood; write 192.0.2.10/24");
}

static void braces_inside_an_address(void **state)
{
    (void)state;
    expect_help("$NET=7\n" VI_TEXT("V", "51", VIPS("192.0.2.$NET/24\n")), "write ${NET}");
}

/* A word is put down under its main word, but read by its own kind: another one leaves nothing to find. */
static void synonyms_are_alike(void **state)
{
    (void)state;
    for (enum kw kw = (enum kw)(KW_NONE + 1); kw < KW_MAX; kw = (enum kw)(kw + 1)) {
        const struct kw_row *row = schema_kw(kw), *main_row = parse_canonical(row);
        if (row->kind != main_row->kind)
            fail_msg("%s is of another kind than %s", row->name, main_row->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(times),
        cmocka_unit_test(values_and_ranges),
        cmocka_unit_test(flags),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(braces),
        cmocka_unit_test(unknown_words),
        cmocka_unit_test(line_grammars),
        cmocka_unit_test(every_error_in_one_run),
        cmocka_unit_test(scripts),
        cmocka_unit_test(order_never_matters),
        cmocka_unit_test(synonyms_are_alike),
        cmocka_unit_test(option_words),
        cmocka_unit_test(mail_servers),
        cmocka_unit_test(rules_the_kernel_refuses),
        cmocka_unit_test(routes_of_one_family),
        cmocka_unit_test(groups_and_macs),
        cmocka_unit_test(dotted_mask),
        cmocka_unit_test(braces_inside_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
