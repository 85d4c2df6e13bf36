/* test_repair.c - ipvsd/repair.h: ten repairs in a second are made at once, then one every 0.1 s; the log. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ipvsd/repair.h"

#define T0 (1000 * NS_PER_SEC)

static void test_repair_burst(void **state)
{
    (void)state;
    struct repair r = { 0 };
    for (uint64_t i = 0; i < REPAIR_BURST - 1; i++) {
        repair_count(&r, T0 + i * NS_PER_MS);
        assert_true(r.held_until == 0);
    }
    repair_count(&r, T0 + 50 * NS_PER_MS);
    assert_true(r.held_until == T0 + 150 * NS_PER_MS);
    repair_count(&r, T0 + 150 * NS_PER_MS);
    assert_true(r.held_until == T0 + 250 * NS_PER_MS);
}

static void test_repair_new_second(void **state)
{
    (void)state;
    struct repair r = { 0 };
    for (uint64_t i = 0; i < REPAIR_BURST; i++)
        repair_count(&r, T0);
    uint64_t held = r.held_until;
    repair_count(&r, T0 + NS_PER_SEC);
    assert_true(r.held_until == held && r.n == 1); /* the burst is had again */
}

static void test_repair_refused(void **state)
{
    (void)state;
    struct repair r = { 0 };
    assert_true(repair_refused(&r, T0));
    assert_true(r.held_until == T0 + REPAIR_FAILED);
    assert_false(repair_refused(&r, T0 + NS_PER_SEC)); /* tried again, not said again */
    assert_true(r.held_until == T0 + 2 * REPAIR_FAILED);
    assert_true(repair_refused(&r, T0 + 31 * NS_PER_SEC));
}

static void test_repair_culprit(void **state)
{
    (void)state;
    char who[64], small[8], want[64];
    repair_culprit(0, who, sizeof who);
    assert_string_equal(who, "the kernel or an unnamed process");
    repair_culprit((uint32_t)getpid(), who, sizeof who);
    snprintf(want, sizeof want, "netlink port %ld (test_repair)", (long)getpid());
    assert_string_equal(who, want);
    repair_culprit(UINT32_MAX, who, sizeof who); /* no such process: the number alone */
    assert_string_equal(who, "netlink port 4294967295");
    repair_culprit(UINT32_MAX, small, sizeof small);
    assert_int_equal(strlen(small), sizeof small - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair_burst),
        cmocka_unit_test(test_repair_new_second),
        cmocka_unit_test(test_repair_refused),
        cmocka_unit_test(test_repair_culprit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
