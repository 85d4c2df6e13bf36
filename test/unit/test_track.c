/*
 * test_track.c - vrrpd/track.c and track_saved.c: what results mean for priority and fault, clamping, results
 * in a row, quorum, what a sync group's members lose, and the bytes kept for a successor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vrrpd/track_life.h"

static void says(struct track_say s, int delta, bool fault, bool wait)
{
    assert_int_equal(s.delta, delta);
    assert_int_equal(s.fault, fault);
    assert_int_equal(s.wait, wait);
}

static void test_results(void **state)
{
    (void)state;
    says(track_of_result(TRACK_OK, 0, false), 0, false, false);
    says(track_of_result(TRACK_FAIL, 0, false), 0, true, false);
    says(track_of_result(TRACK_UNKNOWN, 0, false), 0, false, true);
    says(track_of_result(TRACK_OK, 20, false), 20, false, false);
    says(track_of_result(TRACK_FAIL, 20, false), 0, false, false);
    says(track_of_result(TRACK_OK, -30, false), 0, false, false);
    says(track_of_result(TRACK_FAIL, -30, false), -30, false, false);
    says(track_of_result(TRACK_UNKNOWN, -30, false), 0, false, false);
    says(track_of_result(TRACK_UNKNOWN, 20, true), 0, false, false);
}

static void test_reverse(void **state)
{
    (void)state;
    says(track_of_result(TRACK_OK, 0, true), 0, true, false);
    says(track_of_result(TRACK_FAIL, 0, true), 0, false, false);
    says(track_of_result(TRACK_FAIL, 20, true), 0, false, false);
    says(track_of_result(TRACK_OK, 20, true), -20, false, false);
    says(track_of_result(TRACK_OK, -30, true), 0, false, false);
    says(track_of_result(TRACK_FAIL, -30, true), 30, false, false);
}

static void test_file(void **state)
{
    (void)state;
    says(track_of_file(false, 0, 1, false), 0, false, true);
    says(track_of_file(true, -15, 2, false), -30, false, false);
    says(track_of_file(true, 10, 2, false), 20, false, false);
    says(track_of_file(true, 10, 2, true), -20, false, false);
    says(track_of_file(true, 0, 0, false), 0, false, false);
    says(track_of_file(true, -1, 0, false), 0, true, false);
    says(track_of_file(true, 0, 0, true), 0, true, false);
    says(track_of_file(true, -253, 1, false), -253, false, false);
    says(track_of_file(true, -254, 1, false), 0, true, false);
    says(track_of_file(true, INT32_MIN, 254, false), 0, true, false);
    says(track_of_file(true, INT32_MAX, 254, false), 253, false, false);
    says(track_of_file(true, INT32_MIN, -254, true), 0, true, false);
    says(track_of_file(true, INT32_MIN, -254, false), 253, false, false);
}

static uint8_t with(uint8_t base, int delta)
{
    struct track_sum s = { 0 };
    track_add(&s, (struct track_say){ .delta = delta });
    return track_priority(base, &s);
}

static void test_priority(void **state)
{
    (void)state;
    assert_int_equal(with(100, 20), 120);
    assert_int_equal(with(100, -253), 1);
    assert_int_equal(with(100, 253), 254);
    assert_int_equal(with(1, -1), 1);
    assert_int_equal(with(254, 1), 254);
    assert_int_equal(with(255, -100), 255);
    struct track_sum s = { 0 };
    for (int i = 0; i < 1000; i++)
        track_add(&s, (struct track_say){ .delta = 253 });
    track_add(&s, (struct track_say){ .fault = true });
    assert_int_equal(track_priority(100, &s), 254);
    assert_true(s.fault && !s.wait);
}

static void test_debounce(void **state)
{
    (void)state;
    struct track_debounce d = { 0 };
    assert_true(track_debounce(&d, true, 5, 3)); /* the first one decides */
    assert_int_equal(d.result, TRACK_OK);
    assert_false(track_debounce(&d, false, 5, 3));
    assert_false(track_debounce(&d, false, 5, 3));
    assert_false(track_debounce(&d, true, 5, 3)); /* not in a row */
    assert_false(track_debounce(&d, false, 5, 3));
    assert_false(track_debounce(&d, false, 5, 3));
    assert_true(track_debounce(&d, false, 5, 3));
    assert_int_equal(d.result, TRACK_FAIL);
    for (int i = 0; i < 4; i++)
        assert_false(track_debounce(&d, true, 5, 3));
    assert_true(track_debounce(&d, true, 5, 3));
    struct track_debounce assumed = { .result = TRACK_FAIL }; /* init_fail */
    assert_false(track_debounce(&assumed, true, 2, 1));
    assert_true(track_debounce(&assumed, true, 2, 1));
    struct track_debounce fails = { 0 };
    assert_true(track_debounce(&fails, false, 1, 10));
    assert_int_equal(fails.result, TRACK_FAIL);
}

static void test_quorum(void **state)
{
    (void)state;
    assert_false(track_quorum(0, 1, false, 0));
    assert_true(track_quorum(1, 1, false, 0));
    assert_true(track_quorum(60000, 1, false, 0));
    assert_false(track_quorum(1, 2, true, 3));
    assert_true(track_quorum(3, 2, true, 3));
    assert_false(track_quorum(4, 2, true, 3));
    assert_true(track_quorum(0, 1, true, 0));
    assert_false(track_quorum(1, 1, true, 0));
}

static void neutral(enum track_kind k, bool owner, int weight, bool stays, int then)
{
    assert_int_equal(track_neutralise(k, owner, &weight), stays);
    if (stays)
        assert_int_equal(weight, then);
}

static void test_neutralise(void **state)
{
    (void)state;
    neutral(TRACK_IF, false, 20, true, 0);
    neutral(TRACK_IF, false, 0, true, 0);
    neutral(TRACK_IF, true, 20, false, 0);
    neutral(TRACK_IF, true, 0, true, 0);
    neutral(TRACK_SCRIPT, false, 20, false, 0);
    neutral(TRACK_SCRIPT, false, 0, true, 0);
    neutral(TRACK_BFD, false, -5, false, 0);
    neutral(TRACK_BFD, false, 0, true, 0);
    neutral(TRACK_FILE, false, 1, true, 0);
    neutral(TRACK_FILE, false, 0, true, 0);
    neutral(TRACK_FILE, false, 2, false, 0);
    neutral(TRACK_PROC, false, 7, false, 0);
}

static void test_saved(void **state)
{
    (void)state;
    struct track_saved s = { .kind = TRACK_FILE, .result = TRACK_OK, .value = -15, .at = UINT64_C(1) << 40 };
    struct track_saved back;
    uint8_t buf[TRACK_SAVED_MAX];
    memset(s.name, 'n', TRACK_NAME_MAX);
    size_t len = track_saved_encode(&s, buf);
    assert_true(len <= sizeof buf);
    assert_int_equal(track_saved_decode(buf, len, &back), 0);
    assert_int_equal(back.kind, TRACK_FILE);
    assert_int_equal(back.result, TRACK_OK);
    assert_int_equal(back.value, -15);
    assert_true(back.at == s.at);
    assert_string_equal(back.name, s.name);
    for (size_t n = 0; n < len; n++)
        assert_int_equal(track_saved_decode(buf, n, &back), -1);
    buf[2] = TRACK_KINDS;
    assert_int_equal(track_saved_decode(buf, len, &back), -1);
    buf[2] = TRACK_FILE;
    buf[20] = 0;
    assert_int_equal(track_saved_decode(buf, len, &back), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),    cmocka_unit_test(test_reverse),  cmocka_unit_test(test_file),
        cmocka_unit_test(test_priority),   cmocka_unit_test(test_debounce), cmocka_unit_test(test_quorum),
        cmocka_unit_test(test_neutralise), cmocka_unit_test(test_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
