/*
 * test_ctl_table.c - holdctl reads what a process that may be taken over says of IPVS, and what the kernel
 * says of its connections: only lines that make sense come through. And its amounts of time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "parent/ctl/amount.h"
#include "parent/ctl/conns.h"
#include "parent/ctl/ipvs_text.h"
#include "parent/ctl/table.h"

#define TEN " 1 2 3 4 5 6 7 8 9 10"

static void test_rows(void **state)
{
    struct table_row r;
    (void)state;
    assert_int_equal(table_parse("I 66049 4096", &r), 0);
    assert_int_equal(r.version, 66049);
    assert_int_equal(table_parse("S tcp 10.0.0.1 80 0 wlc 1 300 4294967295 -" TEN, &r), 0);
    assert_string_equal(r.sched, "wlc");
    assert_string_equal(r.pe, "");
    assert_int_equal(r.n[TABLE_OUTBPS], 10);
    assert_int_equal(table_parse("D fd00::1 80 3 5 1 2 3 0 0 0 0 0" TEN, &r), 0);
    assert_true(r.v6);
    assert_int_equal(r.n[TABLE_INACTIVE], 2);
    assert_int_equal(table_parse("N", &r), 0);
}

static void test_rows_refused(void **state)
{
    static const char *const lines[] = {
        "",
        " ",
        "X 1",
        "S",
        "I 1",
        "I 1 2 3",
        "I 1 -2",
        "I 99999999999 1",
        "I 1  2",
        "I 1 2 ",
        "S tcp 10.0.0.300 80 0 wlc 1 300 0 -" TEN,
        "S tcp 10.0.0.1 80000 0 wlc 1 300 0 -" TEN,
        "S tcp 10.0.0.1 80 0 w\x1b[2Jlc 1 300 0 -" TEN,
        "S tcp 10.0.0.1 80 0 wlc 1 300 0 - 1 2 3 4 5 6 7 8 9",
        "D 10.0.0.1 80 9 5 1 2 3 0 0 0 0 0" TEN,
        "S tcp 10.0.0.1 80 0 "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        " 1 300 0 -" TEN,
    };
    struct table_row r;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_int_equal(table_parse(lines[i], &r), -1);
}

static void count(const struct table_row *row, void *arg)
{
    size_t *n = arg;
    if (row->kind == TABLE_SERVER)
        assert_non_null(row->service);
    ++*n;
}

static void test_read(void **state)
{
    char text[] = "D 10.0.0.9 80 3 5 1 2 3 0 0 0 0 0" TEN "\nS udp 10.0.0.1 53 0 rr 0 0 0 -" TEN
                  "\nD 10.0.0.9 80 3 5 1 2 3 0 0 0 0 0" TEN "\ngarbage\n";
    size_t n = 0;
    (void)state;
    table_read(text, count, &n);
    assert_int_equal(n, 2); /* a server of no service is nobody's */
}

static void test_called(void **state)
{
    struct table_row r, v = { .kind = TABLE_SERVICE, .proto = "tcp", .addr = "10.0.0.100", .port = 80 };
    (void)state;
    assert_int_equal(table_parse("D 10.0.0.1 80 3 5 1 2 3 0 0 0 0 0" TEN, &r), 0);
    assert_true(table_called(&r, "10.0.0.1:80"));
    assert_true(table_called(&r, "10.0.0.1"));
    assert_false(table_called(&r, "10.0.0"));
    assert_false(table_called(&r, "10.0.0.1:8"));
    assert_int_equal(table_parse("D fd00::1 80 3 5 1 2 3 0 0 0 0 0" TEN, &r), 0);
    assert_true(table_called(&r, "[fd00::1]:80"));
    assert_true(table_called(&r, "[fd00::1]"));
    assert_false(table_called(&r, "[fd00"));
    assert_true(table_serves(&v, "10.0.0.100:80:tcp"));
    assert_true(table_serves(&v, "10.0.0.100:80"));
    assert_false(table_serves(&v, "10.0.0.100:8"));
    v.mark = 7;
    assert_true(table_serves(&v, "fwmark:7"));
}

static void test_text(void **state)
{
    char line[IPVS_TEXT_LINE];
    struct table_row r;
    (void)state;
    assert_int_equal(table_parse("S tcp 10.0.0.1 80 0 wlc 1 300 4294967040 sip" TEN, &r), 0);
    ipvs_text_row(IPVS_TEXT_TABLE, false, &r, line);
    assert_string_equal(line, "TCP  10.0.0.1:80 wlc persistent 300 mask 255.255.255.0 pe sip\n");
    assert_int_equal(table_parse("D 10.0.0.1 80 3 5 1 2 3 0 0 0 0 0" TEN, &r), 0);
    ipvs_text_row(IPVS_TEXT_TABLE, false, &r, line);
    assert_string_equal(line, "  -> 10.0.0.1:80                  Route   5      1          2         \n");
}

static void test_conns(void **state)
{
    struct conns_row r;
    (void)state;
    assert_int_equal(conns_parse("TCP 0A4D000A A1B2 0A4D00C8 0050 0A4D0065 0050 ESTABLISHED     899", &r), 0);
    assert_string_equal(r.end[0], "10.77.0.10:41394");
    assert_string_equal(r.end[2], "10.77.0.101:80");
    assert_int_equal(r.expires, 899);
    assert_int_equal(
        conns_parse("TCP fd77:0000:0000:0000:0000:0000:0000:000a A1B2 fd77::c8 0050 fd77::65 0050 "
                    "SYN_RECV      59",
                    &r),
        0);
    assert_string_equal(r.end[0], "[fd77::a]:41394");
    assert_int_equal(
        conns_parse("Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData", &r),
        -1);
    assert_int_equal(conns_parse("TCP 0A4D000A A1B2 0A4D00C8 0050 0A4D0065", &r), -1);
    assert_int_equal(conns_parse("TCP 0A4D000 A1B2 0A4D00C8 0050 0A4D0065 0050 ESTABLISHED 899", &r), -1);
    assert_int_equal(conns_parse("TCP 0A4D000A A1B2 0A4D00C8 0050 0A4D0065 10050 ESTABLISHED 899", &r), -1);
}

static void test_amounts(void **state)
{
    uint64_t v;
    (void)state;
    assert_int_equal(amount_seconds("90", &v), 0);
    assert_int_equal(v, 90);
    assert_int_equal(amount_seconds("5m", &v), 0);
    assert_int_equal(v, 300);
    assert_int_equal(amount_seconds("1h", &v), 0);
    assert_int_equal(v, 3600);
    static const char *const bad[] = { "", "s", "-1", "1d", "1ss", "99999999999999999999", "31622401" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(amount_seconds(bad[i], &v), -1);
    assert_int_equal(amount_number("12", 12, &v), 0);
    assert_int_equal(amount_number("13", 12, &v), -1);
    assert_int_equal(amount_number("1x", 12, &v), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_rows_refused), cmocka_unit_test(test_read),
        cmocka_unit_test(test_called),  cmocka_unit_test(test_text),         cmocka_unit_test(test_conns),
        cmocka_unit_test(test_amounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
