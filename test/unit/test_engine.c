/*
 * test_engine.c - the state machine against the formulas of the RFCs and reference/behaviour.md section 4;
 * each row of a table is one check. What it is after a crash: test_engine_resume.c.
 */
#include "test/unit/engine_bench.h"

/* ---- arithmetic */

static void test_intervals(void **state)
{
    (void)state;
    static const struct {
        uint8_t version, priority, adverts;
        double master, skew, down;
    } rows[] = {
        { 2, 100, 3, 1, 156.0 / 256, 3 + 156.0 / 256 },
        { 2, 200, 3, 1, 56.0 / 256, 3 + 56.0 / 256 },
        { 2, 255, 3, 1, 1.0 / 256, 3 + 1.0 / 256 },
        { 2, 1, 3, 10, 255.0 / 256,
          30 + 255.0 / 256 }, /* version 2: the skew does not grow with the interval */
        { 3, 100, 3, 1, 156.0 / 256, 3 + 156.0 / 256 },
        { 3, 100, 3, 0.5, 78.0 / 256, 1.5 + 78.0 / 256 },
        { 3, 128, 3, 0.8, 0.4, 2.8 },
        { 3, 1, 3, 40.95, 40.95 * 255 / 256, 122.85 + 40.95 * 255 / 256 },
        { 3, 254, 3, 0.01, 0.02 / 256, 0.03 + 0.02 / 256 },
        { 3, 100, 1, 1, 156.0 / 256, 1 + 156.0 / 256 },
        { 3, 100, 100, 1, 156.0 / 256, 100 + 156.0 / 256 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct engine_cfg c = config(rows[i].version, rows[i].priority, 1);
        c.down_adverts = rows[i].adverts;
        uint64_t skew = engine_skew(&c, S(rows[i].master)),
                 down = engine_down_interval(&c, S(rows[i].master));
        assert_in_range(skew, S(rows[i].skew) - 2, S(rows[i].skew) + 2);
        assert_in_range(down, S(rows[i].down) - 2, S(rows[i].down) + 2);
    }
}

/* ---- start */

static void test_start(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, config(3, 100, 0.5));
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_true(b.armed == T0 + S(1.5 + 78.0 / 256));
    engine_timer(&b.e, b.armed - 1);
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    bench_run(&b, b.armed);
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    assert_string_equal(b.order,
                        "sas"); /* BACKUP; then the advert before the state that brings the addresses */
    bench_start(&b, config(3, 255, 0.5));
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    assert_int_equal(b.adverts, 1);
    bench_init(&b, config(3, 100, 0.5)); /* a delay: deaf and silent until then */
    engine_start(&b.e, T0, T0 + S(2));
    bench_rx(&b, "10.0.0.9", 200, 0.5);
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP); /* told at once, as keepalived does */
    assert_int_equal(b.learned, 0);
    assert_true(b.armed == T0 + S(3.5 + 78.0 / 256));
    bench_run(&b, T0 + S(2));
    bench_rx(&b, "10.0.0.9", 200, 0.5);
    assert_int_equal(b.learned, 1);
    bench_init(&b, config(3, 100, 0.5)); /* a fault meanwhile does not end it */
    engine_start(&b.e, T0, T0 + S(2));
    engine_fault(&b.e, T0, "down");
    engine_fault_clear(&b.e, T0 + S(1), "up");
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_true(b.armed == T0 + S(3.5 + 78.0 / 256));
    bench_init(&b, config(3, 255, 0.5)); /* an owner says nothing before */
    engine_start(&b.e, T0, T0 + S(2));
    assert_int_equal(b.e.state, VRRP_STATE_INIT);
    bench_run(&b, T0 + S(2));
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
}

/* ---- BACKUP */

struct backup_row {
    uint8_t priority; /* heard 0.1 s after the start, from 10.0.0.9 */
    bool nopreempt;
    double delay;
    double heard_interval;
    uint8_t version;
    double takeover; /* after the start */
};

static void test_backup_hears(void **state)
{
    (void)state;
    static const struct backup_row rows[] = {
        { 200, false, 0, 1, 3, 0.1 + 3.5 },   /* higher: the interval starts over */
        { 128, false, 0, 1, 3, 0.1 + 3.5 },   /* equal too */
        { 50, false, 0, 1, 3, 3.5 },          /* lower: ignored, preemption */
        { 50, true, 0, 1, 3, 0.1 + 3.5 },     /* ... unless nopreempt */
        { 50, false, 5, 1, 3, 0.1 + 3.5 },    /* ... or its delay runs */
        { 200, false, 0, 0.2, 3, 0.1 + 0.7 }, /* version 3 follows the master's interval */
        { 200, false, 0, 4, 3, 0.1 + 14 },
        { 50, false, 0, 4, 3, 3.5 },        /* ... but not that of one it ignores */
        { 200, false, 0, 0, 3, 0.1 + 3.5 }, /* an interval of nothing is not believed */
        { 200, false, 0, 4, 2, 0.1 + 3.5 }, /* version 2 has its own */
        { 0, false, 0, 1, 3, 0.1 + 0.5 },   /* priority 0: skew only */
        { 0, true, 0, 1, 3, 0.1 + 0.5 },
        { 0, false, 0, 1, 2, 0.1 + 0.5 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct backup_row *r = &rows[i];
        struct engine_cfg c = config(r->version, 128, 1);
        struct bench b;
        c.nopreempt = r->nopreempt;
        c.preempt_delay = S(r->delay);
        bench_start(&b, c);
        bench_run(&b, T0 + S(0.1));
        bench_rx(&b, "10.0.0.9", r->priority, r->heard_interval);
        assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
        assert_in_range(b.armed, T0 + S(r->takeover) - 2, T0 + S(r->takeover) + 2);
        bench_run(&b, b.armed);
        assert_int_equal(b.e.state, VRRP_STATE_MASTER);
        assert_true(b.armed == b.now + S(1)); /* as a master it uses its own interval again */
        assert_true(b.e.master_interval == S(1));
    }
}

static void test_backup_resign_repeats(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, config(3, 128, 1));
    bench_rx(&b, "10.0.0.9", 200, 1);
    for (int i = 1; i <= 4; i++) { /* repeats do not put the takeover off */
        bench_run(&b, T0 + S(0.1) * (uint64_t)i);
        bench_rx(&b, "10.0.0.9", 0, 1);
    }
    assert_true(b.armed == T0 + S(0.6));
    bench_run(&b, T0 + S(0.5));
    bench_rx(&b, "10.0.0.8", 129, 1); /* somebody better is there after all */
    assert_true(b.armed == T0 + S(0.5) + S(3.5));
}

static void test_preempt_delay(void **state)
{
    (void)state;
    struct engine_cfg c = config(3, 128, 0.2);
    struct bench b;
    c.preempt_delay = S(2);
    bench_start(&b, c);
    uint64_t t = T0;
    while (b.e.state == VRRP_STATE_BACKUP && t < T0 + S(10)) {
        t += S(0.1);
        bench_run(&b, t);
        bench_rx(&b, "10.0.0.9", 50, 0.2);
    }
    /* first heard at 0.1 s, respected until 2.1 s (last time at 2.0), then one down interval of 0.7 s */
    assert_in_range(t, T0 + S(2.7) - 1000, T0 + S(2.8) + 1000);
    bench_start(&b, c); /* an equal or higher one cancels the delay */
    bench_rx(&b, "10.0.0.9", 50, 0.2);
    bench_run(&b, T0 + S(0.5));
    bench_rx(&b, "10.0.0.8", 200, 0.2);
    bench_run(&b, T0 + S(1));
    bench_rx(&b, "10.0.0.9", 50, 0.2);
    assert_true(b.e.preempt_at == T0 + S(3));
}

/* It counts from the reload that changes it, as the incumbent's does; one that changes something else leaves
 * it. */
static void test_preempt_delay_reload(void **state)
{
    (void)state;
    struct engine_cfg c = config(3, 128, 0.2);
    struct bench b;
    c.preempt_delay = S(2);
    bench_start(&b, c);
    bench_rx(&b, "10.0.0.9", 50, 0.2);
    bench_run(&b, T0 + S(0.5));
    c.lower_prio_no_advert = true;
    engine_reconfigure(&b.e, &c, b.now, false);
    bench_rx(&b, "10.0.0.9", 50, 0.2);
    assert_true(b.e.preempt_at == T0 + S(2));
    c.preempt_delay = S(4);
    engine_reconfigure(&b.e, &c, b.now, false);
    bench_rx(&b, "10.0.0.9", 50, 0.2);
    assert_true(b.e.preempt_at == T0 + S(4.5));
    c.nopreempt = true; /* has no delay, and leaves none behind */
    c.preempt_delay = 0;
    engine_reconfigure(&b.e, &c, b.now, false);
    assert_true(b.e.preempt_at == 0);
}

static void test_backup_late_timer(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, config(3, 128, 1));
    b.now = T0 + S(20); /* asleep for 20 s, but an advert came 1 s ago: the queue is read first */
    struct engine_advert a = { .priority = 200, .interval = S(1) };
    ipaddr_parse("10.0.0.9", &a.src);
    engine_rx(&b.e, &a, T0 + S(19), b.now);
    engine_timer(&b.e, b.now);
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_true(b.armed == T0 + S(22.5));
    engine_rx(&b.e, &a, b.now + S(100), b.now); /* a receive time in the future is not believed */
    assert_true(b.armed == b.now + S(3.5));
}

/* ---- MASTER */

static void test_master_hears(void **state)
{
    (void)state;
    static const struct {
        const char *src;
        uint8_t priority;
        bool no_answer, last_word;
        enum vrrp_state then;
        unsigned int adverts, garps;
    } rows[] = {
        { "10.0.0.9", 129, false, false, VRRP_STATE_BACKUP, 0, 0 },
        { "10.0.0.1", 129, false, false, VRRP_STATE_BACKUP, 0, 0 },
        { "10.0.0.9", 129, false, true, VRRP_STATE_BACKUP, 1, 0 },
        { "10.0.0.9", 128, false, false, VRRP_STATE_BACKUP, 0, 0 }, /* tie: higher address wins */
        { "10.0.0.4", 128, false, false, VRRP_STATE_MASTER, 1, 1 },
        { "9.255.255.255", 128, false, false, VRRP_STATE_MASTER, 1, 1 },
        { "10.0.0.5", 128, false, false, VRRP_STATE_MASTER, 0, 0 }, /* our own address: stay, say nothing */
        { "10.0.0.9", 127, false, false, VRRP_STATE_MASTER, 1, 1 },
        { "10.0.0.9", 127, true, false, VRRP_STATE_MASTER, 0, 1 },
        { "10.0.0.9", 0, false, false, VRRP_STATE_MASTER, 1, 0 },
        { "10.0.0.9", 0, true, false, VRRP_STATE_MASTER, 1, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct engine_cfg c = config(3, 128, 1);
        struct bench b;
        c.lower_prio_no_advert = rows[i].no_answer;
        c.higher_prio_send_advert = rows[i].last_word;
        bench_master(&b, c);
        bench_run(&b, b.now + S(0.3));
        uint64_t grid = b.e.adv_at;
        bench_rx(&b, rows[i].src, rows[i].priority, 1);
        assert_int_equal(b.e.state, rows[i].then);
        assert_int_equal(b.adverts, rows[i].adverts);
        assert_int_equal(b.garps, rows[i].garps);
        assert_int_equal(b.resigns, 0);
        if (rows[i].then == VRRP_STATE_MASTER)
            assert_true(b.armed == grid); /* an answer does not move the grid */
        else
            assert_true(b.armed == b.now + S(3.5));
    }
}

static void test_master_yields_and_learns(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, config(3, 128, 1));
    bench_rx(&b, "10.0.0.9", 129, 4);
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_true(b.armed == b.now + S(14)); /* 3 x 4 s and a skew of 2 s: the new master's interval counts */
    assert_int_equal(b.e.master_priority, 129);
    assert_int_equal(b.learned, 1);
}

static void test_master_flood(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, config(3, 128, 1));
    uint64_t begin = b.now;
    for (int i = 0; i < 100000; i++) { /* a second of lower adverts, one each 10 us */
        bench_run(&b, begin + (uint64_t)i * 10 * NS_PER_US);
        bench_rx(&b, "10.0.0.4", 1, 1);
    }
    assert_in_range(b.adverts, 95, 102);
    assert_in_range(b.garps, 9, 11);
}

static void test_master_grid(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, config(3, 128, 0.01));
    uint64_t begin = b.now;
    /* each wake-up up to 0.9 ms late: after 1000 intervals not a nanosecond of drift */
    for (unsigned int i = 1; i <= 1000; i++) {
        b.now = b.armed + i % 10 * 100 * NS_PER_US;
        engine_timer(&b.e, b.now);
    }
    assert_int_equal(b.adverts, 1000);
    assert_true(b.armed == begin + 1001 * S(0.01));
    b.adverts = 0;
    b.now = b.armed + S(0.0347); /* late by more than an interval: one advert, then on the grid again */
    uint64_t due = b.armed;
    engine_timer(&b.e, b.now);
    assert_int_equal(b.adverts, 1);
    assert_true(b.armed == due + S(0.04));
}

/* ---- fault, stop, reload, crash */

static void test_fault(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, config(3, 128, 1));
    engine_fault(&b.e, b.now, "interface is down");
    assert_string_equal(b.order, "rs");
    assert_true(b.armed == TIME_NEVER);
    bench_rx(&b, "10.0.0.9", 200, 1);
    engine_timer(&b.e, b.now + S(100));
    assert_int_equal(b.e.state, VRRP_STATE_FAULT);
    assert_int_equal(b.adverts, 0);
    b.now += S(100);
    engine_fault_clear(&b.e, b.now, "interface is up");
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_true(b.armed == b.now + S(3.5));
    engine_fault(&b.e, b.now, "down again");
    assert_int_equal(b.resigns, 1);
}

static void test_stop(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, config(3, 128, 1));
    assert_true(engine_stop(&b.e, "stopping"));
    assert_string_equal(b.order, "s"); /* the addresses go first */
    engine_resign(&b.e);
    assert_string_equal(b.order, "sr");
    bench_rx(&b, "10.0.0.9", 0, 1);
    engine_timer(&b.e, b.now + S(10));
    assert_int_equal(b.adverts, 0);
    assert_false(engine_stop(&b.e, "again"));
    bench_start(&b, config(3, 128, 1));
    assert_false(engine_stop(&b.e, "a backup has nothing to resign"));
}

static void test_reconfigure(void **state)
{
    (void)state;
    struct bench b;
    struct engine_cfg c = config(3, 128, 1);
    bench_master(&b, c);
    bench_run(&b, b.now + S(0.4));
    uint64_t grid = b.armed;
    engine_reconfigure(&b.e, &c, b.now, false); /* nothing new: nothing moves */
    assert_true(b.armed == grid && b.adverts == 0);
    c.priority = 140;
    c.interval = S(0.3);
    engine_reconfigure(&b.e, &c, b.now, true);
    assert_int_equal(b.adverts, 1);
    assert_true(b.armed == b.now + S(0.3));
    assert_int_equal(b.transitions, 0);
    c = config(3, 128, 1);
    bench_start(&b, c); /* a backup's time already waited counts */
    bench_run(&b, T0 + S(1));
    c.priority = 192;
    engine_reconfigure(&b.e, &c, b.now, true);
    assert_true(b.armed == T0 + S(3.25));
    bench_rx(&b, "10.0.0.9", 200, 2);
    c.interval = S(0.5); /* our interval is not what counts while the master's is known */
    engine_reconfigure(&b.e, &c, b.now, true);
    assert_true(b.armed == b.now + S(6.5));
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_backup_hears),
        cmocka_unit_test(test_backup_resign_repeats),
        cmocka_unit_test(test_preempt_delay),
        cmocka_unit_test(test_preempt_delay_reload),
        cmocka_unit_test(test_backup_late_timer),
        cmocka_unit_test(test_master_hears),
        cmocka_unit_test(test_master_flood),
        cmocka_unit_test(test_master_yields_and_learns),
        cmocka_unit_test(test_master_grid),
        cmocka_unit_test(test_fault),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_reconfigure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
