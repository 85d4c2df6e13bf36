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

/* One that dies in a silence of the master, again and again, begins nothing anew. */
static void test_resume_silence(void **state)
{
    (void)state;
    static const struct {
        bool resigned;
        double died[3];
        double takeover;
    } rows[] = {
        { false, { 2, 2.5, 3 }, 3.5 },    /* told once it was overdue */
        { false, { 0.5, 2, 2.5 }, 4 },    /* not known at the first death: counted from there */
        { false, { 2, 2.5, 3.7 }, 3.7 },  /* it ended meanwhile */
        { true, { 0.1, 0.2, 0.4 }, 0.5 }, /* skew */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct engine_cfg c = config(3, 128, 1);
        struct engine_saved s;
        struct bench b;
        bench_start(&b, c);
        bench_rx(&b, "10.0.0.9", rows[i].resigned ? 0 : 200, 1);
        for (size_t k = 0; k < 3; k++) {
            uint64_t now = T0 + S(rows[i].died[k]);
            if (now >= engine_overdue_at(&b.e))
                engine_timer(&b.e, engine_overdue_at(&b.e));
            engine_save(&b.e, now, &s);
            bench_init(&b, c);
            b.now = now;
            engine_resume(&b.e, &s, now);
            engine_resume_end(&b.e, now, now);
        }
        assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
        bench_run(&b, T0 + S(rows[i].takeover) - 10);
        assert_int_equal(b.e.state, i == 2 ? VRRP_STATE_MASTER : VRRP_STATE_BACKUP);
        bench_run(&b, T0 + S(rows[i].takeover) + 10);
        assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    }
}

/* What a successor is told of a silence is taken back with the first advert, before it is believed. */
static void test_silence_ends(void **state)
{
    (void)state;
    struct engine_saved s;
    struct bench b;
    bench_start(&b, config(3, 128, 1));
    bench_rx(&b, "10.0.0.9", 200, 1);
    b.learned = 0;
    engine_timer(&b.e, engine_overdue_at(&b.e) - 1);
    assert_int_equal(b.learned, 0);
    b.now = engine_overdue_at(&b.e);
    engine_timer(&b.e, b.now);
    assert_int_equal(b.learned, 1);
    assert_true(engine_overdue_at(&b.e) == TIME_NEVER);
    engine_save(&b.e, b.now, &s);
    assert_true(s.down_from == T0);
    bench_rx(&b, "10.0.0.9", 200, 1);
    assert_int_equal(b.learned, 2);
    engine_save(&b.e, b.now, &s);
    assert_true(s.down_from == 0);
    engine_resume(&b.e, &(struct engine_saved){ .state = VRRP_STATE_BACKUP, .down_from = T0 }, b.now);
    bench_rx(&b, "10.0.0.9", 200, 1); /* it waited in the queue */
    engine_resume_end(&b.e, b.now, b.now);
    assert_true(b.armed == b.now + S(3.5));
    assert_true(engine_overdue_at(&b.e) != TIME_NEVER);
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
        cmocka_unit_test(test_resume_silence),
        cmocka_unit_test(test_silence_ends),
        cmocka_unit_test(test_resume_preempt_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
