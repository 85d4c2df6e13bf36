/*
 * test_group.c - sync groups: the rules of vrrpd/group.c on plain states, and the engine's part of them: held
 * back, released, stepping down, a priority that trackers move.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vrrpd/engine.h"
#include "vrrpd/group.h"

#define INIT                                                                                                 \
    {                                                                                                        \
        VRRP_STATE_INIT, false                                                                               \
    }
#define BACKUP                                                                                               \
    {                                                                                                        \
        VRRP_STATE_BACKUP, false                                                                             \
    }
#define WANTS                                                                                                \
    {                                                                                                        \
        VRRP_STATE_BACKUP, true                                                                              \
    }
#define MASTER                                                                                               \
    {                                                                                                        \
        VRRP_STATE_MASTER, false                                                                             \
    }
#define FAULT                                                                                                \
    {                                                                                                        \
        VRRP_STATE_FAULT, false                                                                              \
    }
#define STOP                                                                                                 \
    {                                                                                                        \
        VRRP_STATE_STOP, false                                                                               \
    }

#define COMMON(...)                                                                                          \
    group_common((const struct group_member[]){ __VA_ARGS__ },                                               \
                 sizeof((const struct group_member[]){ __VA_ARGS__ }) / sizeof(struct group_member))
#define TORN(...)                                                                                            \
    group_torn((const struct group_member[]){ __VA_ARGS__ },                                                 \
               sizeof((const struct group_member[]){ __VA_ARGS__ }) / sizeof(struct group_member))

static void test_common(void **state)
{
    (void)state;
    assert_int_equal(COMMON(MASTER, MASTER), VRRP_STATE_MASTER);
    assert_int_equal(COMMON(MASTER, WANTS), VRRP_STATE_BACKUP);
    assert_int_equal(COMMON(BACKUP, BACKUP), VRRP_STATE_BACKUP);
    assert_int_equal(COMMON(MASTER, FAULT), VRRP_STATE_FAULT);
    assert_int_equal(COMMON(INIT, FAULT), VRRP_STATE_FAULT);
    assert_int_equal(COMMON(INIT, BACKUP), VRRP_STATE_INIT);
    assert_int_equal(COMMON(STOP, STOP), VRRP_STATE_STOP);
    assert_int_equal(group_common(NULL, 0), VRRP_STATE_INIT);
}

static void test_may_lead(void **state)
{
    (void)state;
    const struct group_member ready[] = { BACKUP, WANTS, MASTER }, not_ready[] = { BACKUP, WANTS, BACKUP },
                              broken[] = { BACKUP, FAULT }, early[] = { BACKUP, INIT };
    assert_true(group_may_lead(ready, 3, 0));
    assert_false(group_may_lead(ready, 3, 2)); /* the first one does not want to */
    assert_false(group_may_lead(not_ready, 3, 0));
    assert_false(group_may_lead(broken, 2, 0));
    assert_false(group_may_lead(early, 2, 0));
    assert_true(group_may_lead(ready, 1, 0)); /* alone */
}

static void test_torn(void **state)
{
    (void)state;
    assert_true(TORN(MASTER, BACKUP));
    assert_true(TORN(MASTER, WANTS, MASTER));
    assert_false(TORN(MASTER, MASTER));
    assert_false(TORN(BACKUP, BACKUP));
    assert_false(TORN(MASTER, FAULT));
    assert_false(TORN(MASTER, INIT, BACKUP));
}

/* ---- the engine's part */

struct bench {
    struct engine e;
    bool hold;
    unsigned int asked, sent, resigned;
    uint64_t deadline;
    char cause[ENGINE_CAUSE_MAX];
};

static void on_send(void *arg, bool resign)
{
    struct bench *b = arg;
    b->sent++;
    b->resigned += resign;
}

static void on_state(void *arg, enum vrrp_state from, const char *cause)
{
    struct bench *b = arg;
    (void)from;
    memset(b->cause, 0, sizeof b->cause);
    memcpy(b->cause, cause, strnlen(cause, sizeof b->cause - 1));
}

static void on_any(void *arg)
{
    (void)arg;
}

/* When the wait ends; that a silence is looked at before is not these tests' matter. */
static void on_arm(void *arg, uint64_t deadline)
{
    struct bench *b = arg;
    b->deadline = engine_deadline(&b->e);
    assert_true(deadline <= b->deadline);
}

static bool on_hold(void *arg)
{
    struct bench *b = arg;
    b->asked++;
    return b->hold;
}

static const struct engine_ops ops = {
    .send = on_send, .state = on_state, .garp = on_any, .learned = on_any, .arm = on_arm, .hold = on_hold
};

static const struct engine_cfg cfg = {
    .version = 3, .priority = 100, .down_adverts = 3, .interval = NS_PER_SEC
};

static struct engine_advert from(const char *src, uint8_t priority)
{
    struct engine_advert a = { .priority = priority, .interval = NS_PER_SEC };
    assert_int_equal(ipaddr_parse(src, &a.src), 0);
    return a;
}

static void begin(struct bench *b, const struct engine_cfg *c)
{
    struct ipaddr me;
    memset(b, 0, sizeof *b);
    assert_int_equal(ipaddr_parse("10.0.0.1", &me), 0);
    engine_init(&b->e, c, &ops, b);
    engine_set_source(&b->e, &me);
    engine_start(&b->e, NS_PER_SEC, NS_PER_SEC);
}

static void test_held(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, &cfg);
    b.hold = true;
    uint64_t at = b.deadline;
    engine_timer(&b.e, at);
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_true(b.e.held);
    assert_true(b.deadline == TIME_NEVER); /* nobody spins */
    assert_int_equal(b.sent, 0);
    engine_release(&b.e, at + NS_PER_SEC);
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    assert_false(b.e.held);
    assert_int_equal(b.sent, 1);
    assert_int_equal(b.asked, 1);
}

/* Whoever is held and hears a better master does not want to be it any more. */
static void test_held_hears_master(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, &cfg);
    b.hold = true;
    uint64_t at = b.deadline;
    engine_timer(&b.e, at);
    struct engine_advert low = from("10.0.0.2", 50), zero = from("10.0.0.2", 0), high = from("10.0.0.2", 150);
    engine_rx(&b.e, &low, at + 1, at + 1);
    assert_true(b.e.held); /* it would preempt that one */
    engine_rx(&b.e, &zero, at + 2, at + 2);
    assert_true(b.e.held);
    engine_rx(&b.e, &high, at + 3, at + 3);
    assert_false(b.e.held);
    assert_true(b.deadline > at + 3 * NS_PER_SEC && b.deadline < at + 4 * NS_PER_SEC);
    engine_release(&b.e, at + 4); /* not held: nothing to release */
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
}

static void test_step_down(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, &cfg);
    engine_timer(&b.e, b.deadline);
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    engine_step_down(&b.e, 10 * NS_PER_SEC, "the other one is BACKUP");
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_int_equal(b.resigned, 1);
    assert_string_equal(b.cause, "the other one is BACKUP");
    assert_true(b.deadline > 13 * NS_PER_SEC);
    engine_step_down(&b.e, 11 * NS_PER_SEC, "again");
    assert_int_equal(b.resigned, 1);
}

static void test_owner_among_others(void **state)
{
    (void)state;
    struct bench b;
    struct engine_cfg c = cfg;
    c.priority = ENGINE_OWNER;
    begin(&b, &c);
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    c.start_backup = true;
    begin(&b, &c);
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_true(b.deadline >= 4 * NS_PER_SEC); /* the full time */
}

static void test_priority_moves(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, &cfg);
    uint64_t low = b.deadline;
    engine_set_priority(&b.e, 200);
    assert_true(b.deadline < low);
    assert_int_equal(b.sent, 0);
    engine_timer(&b.e, b.deadline);
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    uint64_t next = b.deadline;
    engine_set_priority(&b.e, 60);
    assert_int_equal(b.sent, 1); /* no advert of its own */
    assert_true(b.deadline == next);
    struct engine_advert a = from("10.0.0.2", 100);
    engine_rx(&b.e, &a, next - 1, next - 1);
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
}

static void test_asked_again(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, &cfg);
    b.hold = true;
    uint64_t at = b.deadline;
    engine_timer(&b.e, at);
    b.hold = false; /* it has left its group */
    engine_ask_again(&b.e);
    assert_true(b.deadline == at);
    engine_timer(&b.e, at + 1);
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    engine_ask_again(&b.e);
    assert_int_equal(b.asked, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_common),
        cmocka_unit_test(test_may_lead),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_held_hears_master),
        cmocka_unit_test(test_step_down),
        cmocka_unit_test(test_owner_among_others),
        cmocka_unit_test(test_priority_moves),
        cmocka_unit_test(test_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
