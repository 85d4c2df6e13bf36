/*
 * test_engine_resume.c - a state machine that goes on where a dead one stood: the grid of its adverts, whom
 * it heard, its preempt_delay, and whether what it knows is fresh enough.
 */
#include "test/unit/engine_bench.h"

static void test_fresh(void **state)
{
    (void)state;
    static const struct {
        uint8_t version;
        double interval, age;
        bool fresh;
    } rows[] = {
        { 3, 1, 0, true },       { 3, 1, 5, true },        { 3, 1, 5.001, false }, /* 3 + 1 (skew) + 1 (beat)
                                                                                    */
        { 3, 0.1, 1.4, true },   { 3, 0.1, 1.401, false }, { 2, 10, 32, true },    { 2, 10, 32.001, false },
        { 3, 1, -0.001, false }, /* from the future: another boot, or nonsense */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct engine_cfg c = config(rows[i].version, 100, rows[i].interval);
        uint64_t alive = (uint64_t)((int64_t)T0 - (int64_t)(rows[i].age * 1e9));
        assert_int_equal(engine_fresh(&c, alive, NS_PER_SEC, T0), rows[i].fresh);
    }
}

struct resume_row {
    double since_grid; /* now - saved.adv_at */
    double alive;      /* alive - saved.adv_at */
    unsigned int adverts;
    double next; /* next grid point - now */
};

static void test_resume_master(void **state)
{
    (void)state;
    static const struct resume_row rows[] = {
        { -0.4, -0.5, 0, 0.4 }, /* the point is still ahead */
        { 0.3, -0.1, 1, 0.7 },  /* it passed while nobody was there: at once, then on the grid */
        { 2.3, 2.1, 0, 0.7 },   /* the predecessor sent that one */
        { 2.3, 1.95, 1, 0.7 },  /* not that one */
        { 7.25, 4.5, 1, 0.75 }, /* several missed: one advert */
        { -50, -60, 1, 1 },     /* a grid that makes no sense: speak */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        bench_init(&b, config(3, 128, 1));
        uint64_t grid = (uint64_t)((int64_t)T0 - (int64_t)(rows[i].since_grid * 1e9));
        struct engine_saved s = { .state = VRRP_STATE_MASTER, .adv_at = grid };
        engine_resume(&b.e, &s, T0);
        engine_resume_end(&b.e, T0, (uint64_t)((int64_t)grid + (int64_t)(rows[i].alive * 1e9)));
        assert_int_equal(b.e.state, VRRP_STATE_MASTER);
        assert_int_equal(b.transitions, 0);
        assert_int_equal(b.adverts, rows[i].adverts);
        assert_in_range(b.armed, T0 + S(rows[i].next) - 1000, T0 + S(rows[i].next) + 1000);
    }
}

static void test_resume_meets_others(void **state)
{
    (void)state;
    static const struct {
        uint8_t priority;
        bool nopreempt;
        enum vrrp_state then;
    } rows[] = {
        { 200, false, VRRP_STATE_BACKUP },
        { 50, false, VRRP_STATE_MASTER },
        { 50, true, VRRP_STATE_BACKUP }, /* it took over while we were dead, and nopreempt means it stays */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct engine_cfg c = config(3, 128, 1);
        struct bench b;
        c.nopreempt = rows[i].nopreempt;
        bench_init(&b, c);
        struct engine_saved s = { .state = VRRP_STATE_MASTER, .adv_at = T0 - S(0.5) };
        engine_resume(&b.e, &s, T0);
        bench_rx(&b, "10.0.0.9", rows[i].priority, 1);
        engine_resume_end(&b.e, T0, T0 - S(1));
        assert_int_equal(b.e.state, rows[i].then);
    }
}

static void test_resume_backup(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, config(3, 128, 0.2));
    struct engine_saved s = { .state = VRRP_STATE_BACKUP, .master_interval = S(0.8), .master_priority = 200 };
    ipaddr_parse("10.0.0.9", &s.master);
    engine_resume(&b.e, &s, T0);
    engine_resume_end(&b.e, T0, T0);
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_int_equal(b.transitions, 0);
    assert_true(b.armed == T0 + S(2.8)); /* the master's interval is remembered */
}

/* A crash in the middle of a preempt_delay does not begin it anew. */
static void test_resume_preempt_delay(void **state)
{
    (void)state;
    struct engine_cfg c = config(3, 128, 0.2);
    struct engine_saved s;
    struct bench a, b;
    c.preempt_delay = S(2);
    bench_start(&a, c);
    bench_rx(&a, "10.0.0.9", 50, 0.2);
    bench_run(&a, T0 + S(0.1));
    a.learned = 0;
    bench_rx(&a, "10.0.0.9", 50, 0.2);
    assert_int_equal(a.learned, 0); /* nothing new to be kept */
    bench_rx(&a, "10.0.0.9", 200, 0.2);
    engine_save(&a.e, a.now, &s);
    assert_true(s.preempt_at == 0);
    bench_rx(&a, "10.0.0.9", 50, 0.2);
    engine_save(&a.e, a.now, &s);
    for (int i = 0; i < 3; i++) {
        static const double at[] = { 1, 2.5, 1 }, end[] = { 2.1, 2.1, 0 };
        c.preempt_delay =
            S(i == 2 ? 0.5 : 2); /* one that ends later than a new one would is not of this file */
        bench_init(&b, c);
        engine_resume(&b.e, &s, T0 + S(at[i]));
        engine_resume_end(&b.e, T0 + S(at[i]), T0 + S(at[i]));
        assert_true(b.e.preempt_at == (i == 2 ? 0 : T0 + S(end[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_resume_master),
        cmocka_unit_test(test_resume_meets_others),
        cmocka_unit_test(test_resume_backup),
        cmocka_unit_test(test_resume_preempt_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
