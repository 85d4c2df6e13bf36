/*
 * test_verdict.c - the arithmetic of verdicts: clamped weights, quorum at its edges, what the table should
 * hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "checkd/verdict.h"

static void test_weight(void **state)
{
    (void)state;
    assert_int_equal(verdict_weight(10, 0), 10);
    assert_int_equal(verdict_weight(10, -10), 0);
    assert_int_equal(verdict_weight(10, -11), 0);
    assert_int_equal(verdict_weight(10, 5), 15);
    assert_int_equal(verdict_weight(INT32_MAX, 1), INT32_MAX);
    assert_int_equal(verdict_weight(0, INT64_MAX), INT32_MAX);
    assert_int_equal(verdict_weight(INT32_MAX, INT64_MIN), 0);
    assert_true(verdict_adjust(INT64_MAX, 1) == INT64_MAX);
    assert_true(verdict_adjust(INT64_MIN, -1) == INT64_MIN);
    assert_true(verdict_adjust(-5, 3) == -2);
}

static void test_quorum(void **state)
{
    (void)state;
    /* gained at quorum + hysteresis, not one less */
    assert_false(verdict_quorum(false, 24, 20, 5));
    assert_true(verdict_quorum(false, 25, 20, 5));
    /* lost below quorum - hysteresis, not at it */
    assert_true(verdict_quorum(true, 15, 20, 5));
    assert_false(verdict_quorum(true, 14, 20, 5));
    /* no live weight is no quorum, whatever the margin */
    assert_false(verdict_quorum(true, 0, 1, 1));
    assert_false(verdict_quorum(true, 0, 5, 100));
    assert_false(verdict_quorum(false, 0, 0, 0));
    assert_true(verdict_quorum(false, 1, 1, 0));
    /* nothing wraps */
    assert_false(verdict_quorum(false, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX));
    assert_true(verdict_quorum(true, 1, 5, UINT64_MAX));
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(verdict_quorum_limit(5, 3), 3);
    assert_int_equal(verdict_quorum_limit(2, 3), 2);
    assert_int_equal(verdict_quorum_limit(5, 0), 5);
    assert_int_equal(verdict_quorum_limit(0, 0), 1);
    assert_int_equal(verdict_hysteresis_limit(3, 3), 2);
    assert_int_equal(verdict_hysteresis_limit(2, 3), 2);
    assert_int_equal(verdict_hysteresis_limit(9, 1), 0);
}

static void wanted(struct verdict_wanted w, int in, uint32_t weight)
{
    assert_int_equal(w.in, in);
    assert_int_equal(w.weight, weight);
}

static void test_server(void **state)
{
    const struct verdict_service up = { .up = true, .sorry = true }, lost = { .sorry = true }, alone = { 0 },
                                 kept = { .sorry = true, .sorry_inhibit = true },
                                 ready = { .up = true, .sorry = true, .sorry_inhibit = true };

    (void)state;
    wanted(verdict_server(true, 7, false, &up), 1, 7);
    wanted(verdict_server(true, 0, false, &up), 1, 0); /* weight 0 keeps its place */
    wanted(verdict_server(false, 7, false, &up), 0, 0);
    wanted(verdict_server(false, 7, true, &up), 1, 0);
    wanted(verdict_server(true, 7, false, &lost), 0, 0); /* makes room for the sorry server */
    wanted(verdict_server(true, 7, true, &lost), 1, 0);
    wanted(verdict_server(true, 7, false, &kept), 0, 0); /* sorry_server_inhibit is about the sorry server */
    wanted(verdict_server(false, 7, false, &kept), 0, 0);
    wanted(verdict_server(true, 7, false, &alone), 1, 7); /* nobody to make room for */
    wanted(verdict_sorry(3, &up), 0, 0);
    wanted(verdict_sorry(3, &lost), 1, 3);
    wanted(verdict_sorry(3, &ready), 1, 0); /* the incumbent's binary says so, and its manual */
    wanted(verdict_sorry(3, &kept), 1, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weight),
        cmocka_unit_test(test_quorum),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
