/*
 * test_check_engine.c - when is whose turn and what a failure means: retries, alpha, several checks, weights,
 * quorum with the sorry server, ha_suspend, jitter; on a clock turned by hand.
 */
#include "check_util.h"

static const struct timers quick = { .loop = 4, .before_retry = 2, .retry = 3 };

static void one(struct rig *r, const struct timers *t)
{
    rig_init(r);
    put_check(r, put_rs(r, put_vs(r, "10.0.0.1:80:tcp", 1, 0), "10.1.0.1:80", 1), t);
    rig_start(r);
}

static void test_first_failure_counts(void **state)
{
    struct rig r;

    (void)state;
    one(&r, &quick);
    assert_true(rig_server(&r, 0)->alive); /* no alpha: believed in from the start */
    rig_go(&r, 0);
    rig_fail(&r, 0);
    assert_false(rig_server(&r, 0)->alive);
    assert_int_equal(rig_next(&r, 0), 4000);
    rig_free(&r);
}

static void test_retries(void **state)
{
    struct rig r;

    (void)state;
    one(&r, &quick);
    rig_go(&r, 0);
    rig_go(&r, 500 * MS); /* a slow server: the grid does not move by it */
    rig_pass(&r, 0);
    assert_int_equal(rig_next(&r, 0), 3500);
    rig_go(&r, 3500 * MS);
    for (int i = 0; i < 3; i++) {
        rig_fail(&r, 0);
        assert_true(rig_server(&r, 0)->alive);
        assert_int_equal(rig_next(&r, 0), 2000);
        rig_go(&r, 2 * S);
    }
    rig_fail(&r, 0);
    assert_false(rig_server(&r, 0)->alive);
    rig_go(&r, 4 * S);
    rig_pass(&r, 0); /* one success is enough */
    assert_true(rig_server(&r, 0)->alive);
    rig_go(&r, 4 * S);
    rig_fail(&r, 0); /* and the retries are whole again */
    assert_true(rig_server(&r, 0)->alive);
    rig_go(&r, 2 * S);
    rig_pass(&r, 0);
    assert_int_equal(rig_check(&r, 0)->left, 3);
    rig_free(&r);
}

static void test_alpha(void **state)
{
    struct timers t = quick;
    struct rig r;

    (void)state;
    t.alpha = true;
    one(&r, &t);
    assert_false(rig_server(&r, 0)->alive);
    assert_false(rig_server(&r, 0)->vs->up);
    assert_false(engine_wanted(rig_server(&r, 0)).in);
    rig_go(&r, 0);
    rig_fail(&r, 0);
    assert_int_equal(rig_server(&r, 0)->tell & 3, 3); /* a fact now, which is told */
    assert_int_equal(rig_next(&r, 0), 4000);          /* down already: no retries, the loop */
    rig_go(&r, 4 * S);
    rig_pass(&r, 0);
    assert_true(rig_server(&r, 0)->alive);
    assert_true(rig_server(&r, 0)->vs->up);
    assert_int_equal(rig_server(&r, 0)->tell & 3, 3); /* FIFO and script hear of it */
    assert_false(rig_server(&r, 0)->told);
    rig_free(&r);
}

static void test_two_checks(void **state)
{
    struct timers t = { .loop = 1, .before_retry = 1, .retry = 0 };
    struct rig r;
    uint32_t rs;

    (void)state;
    rig_init(&r);
    rs = put_rs(&r, put_vs(&r, "10.0.0.1:80:tcp", 1, 0), "10.1.0.1:80", 1);
    put_check(&r, rs, &t);
    t.port = 81;
    put_check(&r, rs, &t);
    rig_start(&r);
    rig_go(&r, 0);
    rig_pass(&r, 0);
    rig_fail(&r, 1);
    assert_false(rig_server(&r, 0)->alive);
    rig_go(&r, 1 * S);
    rig_fail(&r, 0);
    rig_pass(&r, 1);
    assert_false(rig_server(&r, 0)->alive); /* the other one is down now */
    rig_go(&r, 1 * S);
    rig_pass(&r, 0);
    assert_true(rig_server(&r, 0)->alive);
    rig_free(&r);
}

static void test_jitter(void **state)
{
    struct timers t = { .loop = 10, .warmup = 10, .retry = 1 };
    size_t tenth[10] = { 0 };
    struct rig r;
    uint32_t vs;

    (void)state;
    rig_init(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    for (int i = 0; i < 1000; i++) {
        char name[32];

        snprintf(name, sizeof name, "10.1.0.%d:80", i);
        put_check(&r, put_rs(&r, vs, name, 1), &t);
    }
    rig_start(&r);
    for (size_t i = 0; i < 1000; i++)
        tenth[rig_next(&r, i) / 1001]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(tenth[i], 60, 140);
    rig_free(&r);
}

/* More is due than one turn begins: none is forgotten, none comes twice, and a pause takes them all back. */
static void test_overdue(void **state)
{
    struct timers t = { .loop = 10, .retry = 1 };
    struct rig r;
    uint32_t vs;

    (void)state;
    rig_init(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    for (int i = 0; i < 200; i++) {
        char name[32];

        snprintf(name, sizeof name, "10.1.0.%d:80", i);
        put_check(&r, put_rs(&r, vs, name, 1), &t);
    }
    rig_start(&r); /* the turn in which all are due, and its end */
    assert_in_range(r.d.running, 1, 100);
    assert_non_null(r.d.overdue);
    engine_cancel(&r.d, r.d.overdue); /* one of them is taken away: the others go back to their timers */
    assert_null(r.d.overdue);
    for (int i = 0; i < 20; i++)
        rig_go(&r, 1);
    assert_int_equal(r.d.running, 199);
    assert_int_equal(r.d.attempts, 199);
    assert_null(r.d.overdue);
    for (size_t i = 0; i < 200; i++)
        if (rig_check(&r, i)->running)
            rig_pass(&r, i);
    assert_int_equal(r.d.running, 0);
    rig_free(&r);
}

static void sorry_rig(struct rig *r, unsigned int quorum, bool inhibit)
{
    struct timers t = { .loop = 1, .before_retry = 1, .retry = 0 };
    uint32_t vs;

    rig_init(r);
    vs = put_vs(r, "10.0.0.1:80:tcp", quorum, 0);
    if (inhibit)
        slice_put_bool(r->w, KW_VS_SORRY_SERVER_INHIBIT, true);
    put_check(r, put_rs(r, vs, "10.1.0.1:80", 3), &t);
    put_check(r, put_rs(r, vs, "10.1.0.2:80", 3), &t);
    put_rs(r, vs, "sorry:10.1.0.9:80", 1);
    slice_put_bool(r->w, KW_RS_X_SORRY, true);
    rig_start(r);
    rig_go(r, 0);
}

static void test_sorry(void **state)
{
    struct rig r;

    (void)state;
    sorry_rig(&r, 4, false);
    assert_false(engine_wanted(rig_server(&r, 2)).in);
    rig_pass(&r, 0);
    rig_fail(&r, 1);
    assert_false(rig_server(&r, 0)->vs->up);
    assert_false(engine_wanted(rig_server(&r, 0)).in); /* alive, but it makes room */
    assert_true(engine_wanted(rig_server(&r, 2)).in);
    assert_true(rig_server(&r, 2)->state.queued);
    assert_true(rig_server(&r, 0)->state.queued);
    rig_go(&r, 1 * S);
    rig_pass(&r, 1);
    assert_true(rig_server(&r, 0)->vs->up);
    assert_int_equal(engine_wanted(rig_server(&r, 0)).weight, 3);
    assert_false(engine_wanted(rig_server(&r, 2)).in);
    rig_free(&r);

    sorry_rig(&r, 4,
              true); /* sorry_server_inhibit: it stands in the table with weight 0 while nobody needs it */
    assert_true(engine_wanted(rig_server(&r, 2)).in);
    assert_int_equal(engine_wanted(rig_server(&r, 2)).weight, 0);
    rig_pass(&r, 0);
    rig_fail(&r, 1);
    assert_int_equal(engine_wanted(rig_server(&r, 2)).weight, 1);
    assert_false(engine_wanted(rig_server(&r, 0)).in);
    assert_false(engine_wanted(rig_server(&r, 1)).in);
    rig_free(&r);
}

/* At the start a quorum must be gained, as at any other time: two of the four wanted are none. */
static void test_initial(void **state)
{
    struct timers t = { .loop = 1, .before_retry = 1, .retry = 0 }, alpha = t;

    (void)state;
    alpha.alpha = true;
    for (int i = 0; i < 2; i++) {
        struct rig r;
        uint32_t vs;

        rig_init(&r);
        vs = put_vs(&r, "10.0.0.1:80:tcp", 4, 2);
        put_check(&r, put_rs(&r, vs, "10.1.0.1:80", 3), &t);
        put_check(&r, put_rs(&r, vs, "10.1.0.2:80", 3), i == 0 ? &t : &alpha);
        rig_start(&r);
        assert_int_equal(rig_server(&r, 0)->vs->live, i == 0 ? 6 : 3);
        assert_int_equal(rig_server(&r, 0)->vs->up, i == 0);
        rig_free(&r);
    }
}

static void test_weights(void **state)
{
    struct rig r;
    struct server *s;

    (void)state;
    sorry_rig(&r, 4, false);
    s = rig_server(&r, 0);
    checker_weight_add(rig_check(&r, 0), 10);
    engine_settle(&r.d);
    assert_int_equal(s->weight, 13);
    assert_int_equal(s->vs->live, 16);
    checker_weight_set(rig_check(&r, 0), 0);
    checker_weight_set(rig_check(&r, 1), 0);
    engine_settle(&r.d);
    assert_true(s->alive);
    assert_int_equal(s->vs->live, 0);
    assert_false(s->vs->up); /* weight 0 does not count */
    checker_weight_clear(rig_check(&r, 0));
    checker_weight_clear(rig_check(&r, 1));
    engine_settle(&r.d);
    assert_true(s->vs->up);
    assert_int_equal(s->weight, 3);
    rig_fail(&r, 0);
    checker_weight_add(rig_check(&r, 0), 5); /* of a dead server: it counts when it is back */
    engine_settle(&r.d);
    assert_int_equal(s->vs->live, 3);
    rig_free(&r);
}

static void test_ha_suspend(void **state)
{
    struct timers t = { .loop = 1, .warmup = 1, .before_retry = 1, .retry = 0 };
    struct ipaddr ip;
    struct rig r;
    uint32_t vs;

    (void)state;
    rig_init(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    slice_put_bool(r.w, KW_VS_HA_SUSPEND, true);
    ipaddr_parse("10.0.0.1", &ip);
    slice_put_ip(r.w, KW_VS_X_IP, &ip);
    put_check(&r, put_rs(&r, vs, "10.1.0.1:80", 3), &t);
    rig_start(&r);
    assert_true(rig_server(&r, 0)->alive);
    assert_false(ev_timer_armed(&rig_check(&r, 0)->due));
    engine_present(&r.d, rig_server(&r, 0)->vs, true);
    rig_go(&r, 1 * S);
    assert_true(rig_check(&r, 0)->running);
    engine_present(&r.d, rig_server(&r, 0)->vs, false); /* in the middle of an attempt */
    assert_false(rig_check(&r, 0)->running);
    assert_false(ev_timer_armed(&rig_check(&r, 0)->due));
    engine_present(&r.d, rig_server(&r, 0)->vs, true);
    rig_go(&r, 1 * S);
    rig_fail(&r, 0);
    engine_present(&r.d, rig_server(&r, 0)->vs, false);
    assert_false(rig_server(&r, 0)->alive); /* keeps its last state */
    rig_free(&r);
}

static void test_no_checks(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    put_rs(&r, put_vs(&r, "10.0.0.1:80:tcp", 1, 0), "10.1.0.1:80", 5);
    put_vs(&r, "10.0.0.2:80:tcp", 1, 0);
    rig_start(&r);
    assert_true(rig_server(&r, 0)->alive);
    assert_true(r.d.now->services[0].up);
    assert_false(r.d.now->services[1].up); /* nobody there */
    rig_free(&r);
}

/* A server that went and came while nobody listened is no news; one that went is told once, before its
 * service. */
static void test_news(void **state)
{
    struct timers t = { .loop = 1, .before_retry = 1, .retry = 0 };
    struct rig r;
    struct feed_item *i;

    (void)state;
    one(&r, &t);
    while (feed_queue_take(&r.d.feed.event) != NULL)
        ;
    while (feed_queue_take(&r.d.feed.state) != NULL)
        ;
    rig_go(&r, 0);
    rig_fail(&r, 0);
    i = r.d.feed.event.head;
    assert_ptr_equal(i, &rig_server(&r, 0)->event);
    assert_ptr_equal(i->next, &r.d.now->services[0].event);
    assert_null(i->next->next);
    assert_ptr_equal(r.d.feed.state.head, &rig_server(&r, 0)->state);
    rig_go(&r, 1 * S);
    rig_pass(&r, 0);
    assert_null(r.d.feed.event.head->next->next); /* still two entries, not four */
    assert_true(rig_server(&r, 0)->alive == rig_server(&r, 0)->told);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_failure_counts),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_alpha),
        cmocka_unit_test(test_two_checks),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_overdue),
        cmocka_unit_test(test_sorry),
        cmocka_unit_test(test_initial),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_ha_suspend),
        cmocka_unit_test(test_no_checks),
        cmocka_unit_test(test_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
