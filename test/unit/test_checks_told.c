/*
 * test_checks_told.c - MISC, FILE and BFD checks under the real engine; the parent and vrrpd are played by
 * the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <signal.h>
#include <cmocka.h>

#include "checkd/check_bfd.h"
#include "checkd/check_file.h"
#include "checkd/check_misc.h"
#include "test/unit/check_bench.h"

/* ---- told by others ---------------------------------------------------------------------------- */

static void misc_begin(struct bench *b, bool dynamic)
{
    bench_begin(b);
    slice_put_obj(b->w, BLK_MISC, b->rs, "", 5);
    slice_put_us(b->w, KW_MISC_DELAY_LOOP, 20000);
    slice_put_us(b->w, KW_MISC_WARMUP, 0);
    slice_put_us(b->w, KW_MISC_MISC_TIMEOUT, 3000000);
    if (dynamic)
        slice_put_bool(b->w, KW_MISC_MISC_DYNAMIC, true);
    bench_go(b);
}

/* Waits for the next question and answers it. */
static void misc_answer(struct bench *b, enum run_end how, uint32_t value)
{
    struct msg_ran m = { .obj = b->k->id, .how = (uint8_t)how, .value = value };
    uint64_t end = clock_monotonic_ns() + 5 * NS_PER_SEC;

    while (b->d.running == 0 && clock_monotonic_ns() < end)
        ev_turn(b->ev, NS_PER_MS);
    assert_int_equal(b->d.running, 1);
    m.token = b->d.token + 1; /* not ours: nothing happens */
    check_misc_ran(&b->d, &m);
    assert_int_equal(b->d.running, 1);
    m.token = b->d.token;
    m.obj = b->k->id + 100; /* an id of another generation: the token tells */
    check_misc_ran(&b->d, &m);
    assert_int_equal(b->d.running, 0);
    check_misc_ran(&b->d, &m); /* twice: the second is nobody's */
    assert_int_equal(b->d.running, 0);
}

static void misc_is(struct bench *b, bool up, uint32_t weight)
{
    assert_int_equal(b->k->up, up);
    if (up)
        assert_int_equal(b->k->server->weight, weight);
}

static void test_misc(void **state)
{
    struct bench b;

    (void)state;
    misc_begin(&b, false);
    misc_answer(&b, RUN_END_EXIT, 0);
    misc_is(&b, true, 10);
    misc_answer(&b, RUN_END_EXIT, 1);
    misc_is(&b, false, 0);
    assert_non_null(strstr(last_line, "script ended with status 1"));
    misc_answer(&b, RUN_END_EXIT, 0);
    misc_answer(&b, RUN_END_EXIT, 2);
    misc_is(&b, false, 0);
    misc_answer(&b, RUN_END_EXIT, 0);
    misc_answer(&b, RUN_END_SIGNAL, 9);
    misc_is(&b, false, 0);
    assert_non_null(strstr(last_line, "signal 9"));
    misc_answer(&b, RUN_END_EXIT, 0);
    misc_answer(&b, RUN_END_TIMEOUT, 0);
    misc_is(&b, false, 0);
    assert_non_null(strstr(last_line, "did not end within 3 s"));
    misc_answer(&b, RUN_END_EXIT, 0);
    misc_answer(&b, RUN_END_NOT_RUN, ENOENT);
    misc_is(&b, false, 0);
    assert_non_null(strstr(last_line, "cannot be run: No such file"));
    bench_end(&b);
}

static void test_misc_dynamic(void **state)
{
    struct bench b;

    (void)state;
    misc_begin(&b, true);
    misc_answer(&b, RUN_END_EXIT, 12);
    misc_is(&b, true, 10);
    misc_answer(&b, RUN_END_EXIT, 255);
    misc_is(&b, true, 253);
    misc_answer(&b, RUN_END_EXIT, 2);
    misc_is(&b, true, 0);
    misc_answer(&b, RUN_END_EXIT, 0);
    misc_is(&b, true, 10);
    misc_answer(&b, RUN_END_EXIT, 52);
    misc_is(&b, true, 50);
    misc_answer(&b, RUN_END_TIMEOUT, 0);
    misc_is(&b, false, 0);
    misc_answer(&b, RUN_END_EXIT, 32); /* absolute: nothing is left of the 50 */
    misc_is(&b, true, 30);
    misc_answer(&b, RUN_END_EXIT, 1);
    misc_is(&b, false, 0);
    misc_answer(&b, RUN_END_EXIT, 256); /* no exit status there is */
    misc_is(&b, false, 0);
    bench_end(&b);
}

static void test_file_judge(void **state)
{
    static const struct {
        int32_t value;
        int64_t weight;
        bool reverse, up;
        int64_t add;
    } rows[] = { { 4, 2, false, true, 8 },
                 { -2, 2, false, true, -4 },
                 { 4, 2, true, true, -8 },
                 { 0, 5, false, true, 0 },
                 { 0, 0, false, true, 0 },
                 { 1, 0, false, false, 0 },
                 { -1, 0, false, false, 0 },
                 { 0, 0, true, false, 0 },
                 { 1, 0, true, true, 0 },
                 { INT32_MIN, 1, false, false, 0 },
                 { INT32_MIN, -1, false, false, 0 },
                 { INT32_MAX, -2, false, false, 0 },
                 { INT32_MAX, 2147483647, false, true, INT32_MAX },
                 { INT32_MIN, 2147483647, false, false, 0 },
                 { INT32_MAX, -1, false, true, -INT32_MAX } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct check_file_verdict v = check_file_judge(rows[i].value, rows[i].weight, rows[i].reverse);

        assert_int_equal(v.up, rows[i].up);
        assert_true(v.add == rows[i].add);
    }
}

static void test_file(void **state)
{
    struct bench b;
    struct msg_file_value m = { .ok = 1, .value = 4 };

    (void)state;
    bench_begin(&b);
    slice_put_obj(b.w, BLK_FILE, b.rs, "", 5);
    slice_put_str(b.w, KW_FILE_TRACK_FILE, "f");
    slice_put_int(b.w, KW_FILE_WEIGHT, 2);
    bench_go(&b);
    m.file = 2; /* another object: nobody follows it */
    check_file_value(&b.d, &m);
    assert_int_equal(b.k->server->weight, 10);
    m.file = 1;
    check_file_value(&b.d, &m);
    assert_int_equal(b.k->server->weight, 18);
    m.value = (uint32_t)-20;
    check_file_value(&b.d, &m);
    assert_true(b.k->up);
    assert_int_equal(b.k->server->weight, 0);
    m.value = (uint32_t)INT32_MIN;
    check_file_value(&b.d, &m);
    assert_false(b.k->up);
    m.value = 1;
    check_file_value(&b.d, &m);
    assert_true(b.k->up);
    assert_int_equal(b.k->server->weight, 12);
    m.ok = 0;
    check_file_value(&b.d, &m);
    assert_false(b.k->up);
    assert_non_null(strstr(last_line, "cannot be read"));
    bench_end(&b);
}

static void test_bfd(void **state)
{
    struct bench b;
    struct msg_bfd_state m = { .bfd = 2, .up = 0 };

    (void)state;
    bench_begin(&b);
    slice_put_obj(b.w, BLK_BFDCHK, b.rs, "", 5);
    slice_put_str(b.w, KW_BFDCHK_NAME, "B1");
    slice_put_bool(b.w, KW_BFDCHK_ALPHA, true);
    bench_go(&b);
    assert_false(b.k->up);
    m.bfd = 1;
    m.up = 1;
    check_bfd_state(&b.d, &m); /* not a session */
    assert_false(b.k->up);
    m.bfd = 2;
    check_bfd_state(&b.d, &m);
    assert_true(b.k->up);
    m.up = 0;
    check_bfd_state(&b.d, &m);
    assert_false(b.k->up);
    assert_non_null(strstr(last_line, "session B1 is down"));
    bench_end(&b);
}

/* In the middle of a run everything is released. */
static void test_misc_cancel(void **state)
{
    struct bench b;

    (void)state;
    misc_begin(&b, false);
    while (b.d.running == 0)
        ev_turn(b.ev, NS_PER_MS);
    bench_end(&b);
}

/* A reload while the script runs: another server stands first now, so the ids have moved; the answer to the
 * question of before is taken by its token and judges the same check. */
static void test_misc_reload(void **state)
{
    struct bench b;
    struct slice_writer *w;
    struct service_change change;
    struct service_table *next;
    struct err e = { 0 };
    struct msg_ran m = { .how = RUN_END_EXIT, .value = 1 };
    size_t len;

    (void)state;
    misc_begin(&b, false);
    while (b.d.running == 0)
        ev_turn(b.ev, NS_PER_MS);
    m.obj = b.k->id;
    m.token = b.d.token;
    w = slice_writer_new(ROLE_CHECKD, 2);
    uint32_t vs = slice_put_obj(w, BLK_VS, 0, "10.0.0.1:25:TCP", 3);
    slice_put_uint(w, KW_VS_QUORUM, 1);
    slice_put_obj(w, BLK_RS, vs, "10.0.0.1:25", 4);
    uint32_t rs = slice_put_obj(w, BLK_RS, vs, "10.0.0.2:25", 5);
    slice_put_uint(w, KW_RS_WEIGHT, 10);
    slice_put_obj(w, BLK_MISC, rs, "", 6);
    slice_put_us(w, KW_MISC_DELAY_LOOP, 20000);
    slice_put_us(w, KW_MISC_WARMUP, 0);
    slice_put_us(w, KW_MISC_MISC_TIMEOUT, 3000000);
    const void *p = slice_writer_bytes(w, &len);
    struct slice *old = b.s;
    b.s = slice_parse(p, len, ROLE_CHECKD, &e);
    assert_non_null(b.s);
    next = service_table_new(b.s, &e);
    assert_int_equal(engine_build(&b.d, next, b.s, &e), 0);
    service_table_adopt(next, b.d.now, &change);
    engine_take_over(&b.d, next, b.d.now);
    slice_free(old);
    slice_writer_free(w);
    b.k = &b.d.now->checkers[0];
    assert_int_not_equal(b.k->id, m.obj);
    assert_int_equal(b.d.running, 1);
    check_misc_ran(&b.d, &m);
    assert_int_equal(b.d.running, 0);
    misc_is(&b, false, 0);
    misc_answer(&b, RUN_END_EXIT, 0);
    misc_is(&b, true, 10);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_misc),        cmocka_unit_test(test_misc_dynamic),
        cmocka_unit_test(test_misc_cancel), cmocka_unit_test(test_misc_reload),
        cmocka_unit_test(test_file_judge),  cmocka_unit_test(test_file),
        cmocka_unit_test(test_bfd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
