/*
 * test_engine_late.c - a master that has overslept (timer_expired_backup) and two owners of one address: who
 * gives way, when, and who does not. The engine alone, on a clock of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vrrpd/engine.h"

#define S(x) ((uint64_t)((x)*1e9 + 0.5))
#define T0   S(1000)

struct bench {
    struct engine e;
    uint64_t now;
    unsigned int adverts, resigns;
    char cause[ENGINE_CAUSE_MAX];
};

static void on_send(void *arg, bool resign)
{
    struct bench *b = arg;
    b->adverts += !resign;
    b->resigns += resign;
}

static void on_state(void *arg, enum vrrp_state from, const char *cause)
{
    struct bench *b = arg;
    (void)from;
    strncpy(b->cause, cause, sizeof b->cause - 1);
}

static void on_nothing(void *arg)
{
    (void)arg;
}

static void on_arm(void *arg, uint64_t deadline)
{
    (void)arg;
    (void)deadline;
}

static const struct engine_ops ops = { on_send, on_state, on_nothing, on_nothing, on_arm, NULL };

static void bench_master(struct bench *b, struct engine_cfg c)
{
    struct ipaddr src;
    memset(b, 0, sizeof *b);
    b->now = T0;
    engine_init(&b->e, &c, &ops, b);
    ipaddr_parse("10.0.0.5", &src);
    engine_set_source(&b->e, &src);
    engine_start(&b->e, T0, T0);
    if (b->e.state == VRRP_STATE_BACKUP) {
        b->now = b->e.down_at;
        engine_timer(&b->e, b->now);
    }
    assert_int_equal(b->e.state, VRRP_STATE_MASTER);
    b->adverts = b->resigns = 0;
}

static void bench_rx(struct bench *b, const char *src, uint8_t priority)
{
    struct engine_advert a = { .priority = priority, .interval = S(1) };
    ipaddr_parse(src, &a.src);
    engine_rx(&b->e, &a, b->now, b->now);
}

static struct engine_cfg careful(uint8_t expired)
{
    return (struct engine_cfg){ .version = 3,
                                .priority = 200,
                                .down_adverts = 3,
                                .interval = S(1),
                                .nopreempt = true,
                                .expired = expired };
}

/* Three intervals and the skew of the best of the others are the limit, from the last advert on. */
static void test_overslept(void **state)
{
    (void)state;
    static const struct {
        uint8_t expired;
        double late; /* behind the last advert */
        enum vrrp_state then;
        unsigned int adverts;
    } rows[] = {
        { 0, 100, VRRP_STATE_MASTER, 1 },
        { 128, 3.49, VRRP_STATE_MASTER, 1 },
        { 128, 3.51, VRRP_STATE_BACKUP, 0 },
        { 254, 3.0, VRRP_STATE_MASTER, 1 },
        { 254, 3 + 2.1 / 256, VRRP_STATE_BACKUP, 0 },
        { 1, 3.99, VRRP_STATE_MASTER, 1 },
        { 1, 4.0, VRRP_STATE_BACKUP, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        bench_master(&b, careful(rows[i].expired));
        engine_timer(&b.e, b.now + S(rows[i].late));
        assert_int_equal(b.e.state, rows[i].then);
        assert_int_equal(b.adverts, rows[i].adverts);
        assert_int_equal(b.resigns, 0); /* whoever took over is not to be told that nobody is there */
        if (rows[i].then == VRRP_STATE_BACKUP)
            assert_non_null(strstr(b.cause, "timer_expired_backup"));
    }
}

/* The queue is read before the timer fires: the lower master in it must not be answered first. */
static void test_overslept_hears(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, careful(150));
    b.now += S(5);
    bench_rx(&b, "10.0.0.9", 100);
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_int_equal(b.adverts, 0);
    assert_int_equal(b.e.master_priority, 100);
    assert_true(b.e.down_at > b.now + S(3));
    struct bench c;
    bench_master(&c, careful(0)); /* without the word it answers */
    c.now += S(5);
    bench_rx(&c, "10.0.0.9", 100);
    assert_int_equal(c.e.state, VRRP_STATE_MASTER);
    assert_int_equal(c.adverts, 1);
}

static void test_overslept_alone(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, careful(150));
    engine_timer(&b.e, b.now + S(5));
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    b.now = b.e.down_at; /* nobody has taken over: back after a whole master-down interval */
    engine_timer(&b.e, b.now);
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
}

static struct engine_cfg owner(void)
{
    return (struct engine_cfg){ .version = 3, .priority = 255, .down_adverts = 3, .interval = S(1) };
}

static void test_owner_gives_way(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, owner());
    bench_rx(&b, "10.0.0.9", 255); /* a higher address: at once */
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
}

static void test_owner_rogue(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, owner());
    uint64_t begin = b.now;
    for (int k = 0; b.e.state == VRRP_STATE_MASTER && k < 40; k++) {
        b.now = begin + (uint64_t)k * S(0.25);
        if (b.now >= b.e.adv_at)
            engine_timer(&b.e, b.now);
        bench_rx(&b, "10.0.0.4", 255);
    }
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_true(b.now >= begin + S(1.2) && b.now <= begin + S(1.5));
    assert_true(b.adverts >= 2);
    assert_non_null(strstr(b.cause, "does not give way"));
}

/* One that comes by now and then, or stops in time, is none. */
static void test_owner_rogue_rare(void **state)
{
    (void)state;
    struct bench b;
    bench_master(&b, owner());
    for (int k = 0; k < 10; k++) {
        b.now += S(10);
        engine_timer(&b.e, b.now);
        bench_rx(&b, "10.0.0.4", 255);
        assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    }
    b.now += S(0.5);
    bench_rx(&b, "10.0.0.4", 255);
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
}

/* Equal priorities below 255 are another matter: the higher address stays for ever. */
static void test_equal_is_no_owner(void **state)
{
    (void)state;
    struct bench b;
    struct engine_cfg c = owner();
    c.priority = 200;
    bench_master(&b, c);
    for (int k = 0; k < 40; k++) {
        b.now += S(0.25);
        if (b.now >= b.e.adv_at)
            engine_timer(&b.e, b.now);
        bench_rx(&b, "10.0.0.4", 200);
        assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overslept),         cmocka_unit_test(test_overslept_hears),
        cmocka_unit_test(test_overslept_alone),   cmocka_unit_test(test_owner_gives_way),
        cmocka_unit_test(test_owner_rogue),       cmocka_unit_test(test_owner_rogue_rare),
        cmocka_unit_test(test_equal_is_no_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
