/*
 * test_check_reload.c - what survives a reload and a restart of checkd: nothing flaps, nothing dead comes
 * back unseen, a foreign or broken snapshot says nothing.
 */
#include "check_util.h"

#include "checkd/evidence.h"

static const struct timers quick = { .loop = 1, .before_retry = 1, .retry = 1 };
static const struct timers careful = { .loop = 1, .before_retry = 1, .retry = 1, .alpha = true };

static void two(struct rig *r, const struct timers *t)
{
    uint32_t vs;

    rig_init(r);
    vs = put_vs(r, "10.0.0.1:80:tcp", 1, 0);
    put_check(r, put_rs(r, vs, "10.1.0.1:80", 1), t);
    put_check(r, put_rs(r, vs, "10.1.0.2:80", 1), t);
    rig_start(r);
    rig_go(r, 0);
}

static void test_timers_change(void **state)
{
    struct timers t = careful;
    struct rig r;
    uint32_t vs;

    (void)state;
    two(&r, &careful);
    rig_pass(&r, 0);
    rig_fail(&r, 1);
    t.loop = 3;
    t.retry = 5;
    rig_reload_begin(&r);
    put_vs(&r, "10.0.0.0:80:tcp", 1, 0); /* all ids move */
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    put_check(&r, put_rs(&r, vs, "10.1.0.1:80", 1), &t);
    put_check(&r, put_rs(&r, vs, "10.1.0.2:80", 1), &t);
    put_check(&r, put_rs(&r, vs, "10.1.0.3:80", 1), &t);
    rig_reload(&r);
    assert_true(rig_server(&r, 0)->alive); /* alpha, live, timers changed: stays */
    assert_false(rig_server(&r, 1)->alive);
    assert_false(rig_server(&r, 2)->alive); /* new and alpha */
    assert_true(rig_server(&r, 0)->vs->up);
    assert_int_equal(rig_check(&r, 0)->left, 5);
    assert_true(rig_server(&r, 1)->told == rig_server(&r, 1)->alive); /* nobody hears of it again */
    assert_int_equal(rig_server(&r, 1)->tell & 3, 0);
    assert_true(rig_next(&r, 0) <= 3000);
    rig_free(&r);
}

static void test_unchanged_keeps_time(void **state)
{
    struct rig r;
    uint64_t due;
    uint32_t vs;

    (void)state;
    two(&r, &quick);
    rig_pass(&r, 0);
    rig_pass(&r, 1);
    rig_go(&r, 300 * MS);
    due = rig_check(&r, 0)->due.deadline;
    rig_reload_begin(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    put_check(&r, put_rs(&r, vs, "10.1.0.1:80", 1), &quick);
    put_check(&r, put_rs(&r, vs, "10.1.0.2:80", 1), &quick);
    rig_reload(&r);
    assert_true(rig_check(&r, 0)->due.deadline == due);
    rig_go(&r, 700 * MS);
    rig_fail(&r, 0);
    assert_true(rig_server(&r, 0)->alive); /* it has been seen alive: retries count */
    rig_free(&r);
}

static void test_attempt_running(void **state)
{
    struct rig r;
    uint32_t vs;

    (void)state;
    two(&r, &quick);
    assert_int_equal(r.d.running, 2);
    rig_reload_begin(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    put_check(&r, put_rs(&r, vs, "10.1.0.1:80", 1), &quick);
    rig_reload(&r);
    assert_int_equal(r.d.running, 0); /* both cancelled, one server is gone */
    rig_go(&r, 4 * MS);
    assert_int_equal(r.d.running, 1);
    rig_free(&r);
}

/* The failing check is replaced by another: the server must pass it before it is back. */
static void test_dead_stays_dead(void **state)
{
    struct timers t = quick;
    struct rig r;
    uint32_t vs;

    (void)state;
    two(&r, &quick);
    rig_fail(&r, 0);
    rig_pass(&r, 1);
    t.port = 8080;
    rig_reload_begin(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    put_check(&r, put_rs(&r, vs, "10.1.0.1:80", 1), &t);
    put_check(&r, put_rs(&r, vs, "10.1.0.2:80", 1), &t);
    rig_reload(&r);
    assert_false(rig_server(&r, 0)->alive);
    assert_true(rig_server(&r, 1)->alive); /* no alpha: a new check of a live server is believed in */
    rig_go(&r, 4 * MS);
    rig_pass(&r, 0);
    assert_true(rig_server(&r, 0)->alive);
    rig_free(&r);
}

/* alpha is for servers nobody has seen: an edited check must not take a live one out of service. */
static void test_edited_alpha(void **state)
{
    struct timers t = careful;
    struct rig r;
    uint32_t vs;

    (void)state;
    two(&r, &careful);
    rig_pass(&r, 0);
    rig_fail(&r, 1);
    t.port = 8080;
    rig_reload_begin(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    put_check(&r, put_rs(&r, vs, "10.1.0.1:80", 1), &t);
    put_check(&r, put_rs(&r, vs, "10.1.0.2:80", 1), &t);
    rig_reload(&r);
    assert_true(rig_server(&r, 0)->alive);
    assert_true(rig_server(&r, 0)->vs->up);
    assert_false(rig_server(&r, 1)->alive);
    rig_go(&r, 4 * MS);
    rig_fail(&r, 0); /* the first look of the new check: no retries */
    assert_false(rig_server(&r, 0)->alive);
    rig_free(&r);
}

/* A weight that a script gave is the server's weight: a reload that changes the configured one moves it
 * neither up nor, worse, to 0. */
static void test_given_weight(void **state)
{
    struct rig r;
    uint32_t vs;

    (void)state;
    two(&r, &quick);
    rig_pass(&r, 0);
    fake_kind.weighs = true;
    checker_weight_set(rig_check(&r, 0), 18);
    engine_settle(&r.d);
    assert_int_equal(rig_server(&r, 0)->weight, 18);
    rig_reload_begin(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    put_check(&r, put_rs(&r, vs, "10.1.0.1:80", 40), &quick);
    put_check(&r, put_rs(&r, vs, "10.1.0.2:80", 30), &quick);
    rig_reload(&r);
    assert_int_equal(rig_server(&r, 0)->weight, 18);
    assert_int_equal(rig_server(&r, 1)->weight, 30); /* none was given */
    fake_kind.weighs = false;
    assert_int_equal(rig_server(&r, 0)->vs->live, 48);
    rig_free(&r);
}

static void test_twins(void **state)
{
    struct rig r;
    uint32_t rs;

    (void)state;
    rig_init(&r);
    rs = put_rs(&r, put_vs(&r, "10.0.0.1:80:tcp", 1, 0), "10.1.0.1:80", 1);
    put_check(&r, rs, &quick);
    put_check(&r, rs, &quick); /* the same twice: two checkers all the same */
    rig_start(&r);
    assert_true(rig_check(&r, 0)->identity != rig_check(&r, 1)->identity);
    rig_free(&r);
}

/* ---- snapshots
 * ----------------------------------------------------------------------------------------------- */

static void test_snapshot(void **state)
{
    uint8_t buf[512];
    bool running = false;
    struct rig r, n;
    size_t len;

    (void)state;
    two(&r, &quick);
    assert_int_equal(state_encode_checkers(r.d.now, 0, buf, sizeof buf),
                     0); /* as configured: nothing to say */
    rig_fail(&r, 0);
    checker_weight_add(rig_check(&r, 1), 7);
    len = state_encode_checkers(r.d.now, 0, buf, sizeof buf);
    assert_int_equal(len, 4 + 9 + 17);

    two(&n, &quick);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(state_decode(n.d.now, 1, buf, cut, &running), -1);
    assert_int_equal(state_decode(n.d.now, 2, buf, len, &running), -1); /* under the key of services */
    assert_true(rig_check(&n, 0)->up);
    assert_int_equal(state_decode(n.d.now, 1 + 2 * 9999u, buf, len, &running),
                     0); /* of another place: nobody */
    assert_true(rig_check(&n, 0)->up);
    assert_int_equal(state_decode(n.d.now, 1, buf, len, &running), 0);
    assert_false(rig_check(&n, 0)->up);
    assert_true(rig_check(&n, 1)->up);
    assert_true(rig_check(&n, 1)->weight == 7);
    assert_false(running);
    len = state_encode_running(buf, sizeof buf);
    assert_int_equal(state_decode(n.d.now, 0, buf, len, &running), 0);
    assert_true(running);
    rig_free(&r);
    rig_free(&n);
}

static void test_snapshot_foreign(void **state)
{
    struct timers t = quick;
    uint8_t buf[512];
    bool running;
    struct rig r, n;
    size_t len;

    (void)state;
    two(&r, &quick);
    rig_fail(&r, 0);
    len = state_encode_checkers(r.d.now, 0, buf, sizeof buf);
    t.port = 4711; /* the same place, another check */
    two(&n, &t);
    assert_int_equal(state_decode(n.d.now, 1, buf, len, &running), 0);
    assert_true(rig_check(&n, 0)->up);
    rig_free(&r);
    rig_free(&n);
}

/* The parent keeps the snapshots of two generations, for a death in the middle of a reload. Once the younger
 * one is complete, what only the older one says was so before, and is no more. */
static void test_snapshot_generations(void **state)
{
    uint8_t buf[512], complete[8];
    bool running = false;
    struct rig r, n;
    size_t len;

    (void)state;
    two(&r, &quick);
    rig_fail(&r, 0);
    rig_fail(&r, 1);
    two(&n, &quick);
    len = state_encode_checkers(r.d.now, 0, buf, sizeof buf);
    assert_int_equal(state_decode(n.d.now, 1, buf, len, &running), 0);
    len = state_encode_services(r.d.now, 0, buf, sizeof buf);
    assert_int_equal(state_decode(n.d.now, 2, buf, len, &running), 0);
    assert_false(rig_check(&n, 0)->up || rig_check(&n, 1)->up || n.d.now->services[0].up);
    rig_check(&r, 0)->up = true; /* the younger generation's verdicts */
    len = state_encode_running(complete, sizeof complete);
    assert_int_equal(state_decode(n.d.now, 0, complete, len, &running), 0);
    len = state_encode_checkers(r.d.now, 0, buf, sizeof buf);
    assert_int_equal(state_decode(n.d.now, 1, buf, len, &running), 0);
    assert_true(rig_check(&n, 0)->up && n.d.now->services[0].up);
    assert_false(rig_check(&n, 1)->up);
    rig_free(&r);
    rig_free(&n);
}

static void test_snapshot_full(void **state)
{
    uint8_t buf[512];
    struct rig r;
    uint32_t vs;

    (void)state;
    rig_init(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    for (int i = 0; i < 60; i++) {
        char name[32];

        snprintf(name, sizeof name, "10.1.0.%d:80", i);
        put_check(&r, put_rs(&r, vs, name, 1), &quick);
    }
    rig_start(&r);
    for (size_t i = 0; i < 60; i++)
        checker_weight_add(rig_check(&r, i), 100);
    assert_int_equal(state_encode_checkers(r.d.now, 0, buf, sizeof buf), 4 + 28 * 17); /* the worst fits */
    assert_int_equal(state_encode_checkers(r.d.now, 2, buf, sizeof buf), 4 + 4 * 17);
    rig_free(&r);
}

static void test_snapshot_service(void **state)
{
    uint8_t buf[512];
    bool running;
    struct rig r, n;
    size_t len;

    (void)state;
    two(&r, &quick);
    assert_int_equal(state_encode_services(r.d.now, 0, buf, sizeof buf), 0);
    rig_fail(&r, 0);
    rig_fail(&r, 1);
    len = state_encode_services(r.d.now, 0, buf, sizeof buf);
    assert_int_equal(len, 4 + 9);
    two(&n, &quick);
    assert_true(n.d.now->services[0].up);
    assert_int_equal(state_decode(n.d.now, 2, buf, len, &running), 0);
    assert_false(n.d.now->services[0].up);
    rig_free(&r);
    rig_free(&n);
}

/* ---- evidence
 * ------------------------------------------------------------------------------------------------ */

/* Since when and why: what a successor says is what its predecessor said. */
static void test_evidence(void **state)
{
    uint8_t buf[512];
    bool running;
    struct rig r, n;
    size_t len;

    (void)state;
    two(&r, &quick);
    assert_int_equal(evidence_encode(r.d.now, 0, buf, sizeof buf), 0); /* nothing has failed */
    rig_pass(&r, 1);
    rig_check(&r, 0)->passed_at = 4711;
    assert_int_equal(evidence_encode(r.d.now, 0, buf, sizeof buf), 0); /* what passes says nothing */
    rig_fail(&r, 0);
    len = evidence_encode(r.d.now, 0, buf, sizeof buf);
    assert_int_equal(len, 4 + 41 + strlen(rig_check(&r, 0)->evidence));

    two(&n, &quick);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(state_decode(n.d.now, EVIDENCE_KEY, buf, cut, &running), -1);
    assert_int_equal(state_decode(n.d.now, EVIDENCE_KEY, buf, len + 1, &running), -1);
    assert_int_equal(state_decode(n.d.now, 1, buf, len, &running), -1); /* under the key of verdicts */
    assert_int_equal(state_decode(n.d.now, UINT32_MAX, buf, len, &running), 0); /* of no place: nobody */
    assert_null(rig_check(&n, 0)->evidence);
    assert_int_equal(state_decode(n.d.now, EVIDENCE_KEY, buf, len, &running), 0);
    assert_string_equal(rig_check(&n, 0)->evidence, rig_check(&r, 0)->evidence);
    assert_true(rig_check(&n, 0)->turned_at == rig_check(&r, 0)->turned_at);
    assert_true(rig_check(&n, 0)->passed_at == rig_check(&r, 0)->passed_at);
    assert_true(rig_check(&n, 0)->failed_at == rig_check(&r, 0)->failed_at);
    assert_true(rig_check(&n, 0)->failures == rig_check(&r, 0)->failures && rig_check(&n, 0)->failures > 0);
    assert_true(rig_check(&n, 0)->up); /* evidence is no verdict */
    assert_null(rig_check(&n, 1)->evidence);
    evidence_settle(n.d.now, rig_check(&r, 0)->turned_at);
    assert_true(rig_check(&n, 0)->turned_at != 0);
    evidence_settle(n.d.now, rig_check(&r, 0)->turned_at - 1);
    assert_true(rig_check(&n, 0)->turned_at == 0); /* ahead of a clock that was set back */
    rig_free(&r);
    rig_free(&n);
}

/* What a hostile server makes of a reason: cut and printable when it leaves; anything else is refused whole.
 */
static void test_evidence_hostile(void **state)
{
    static const size_t at[] = { 0, 1, 60, 119 };
    uint8_t buf[512], bad[512];
    char text[200];
    bool running;
    struct rig r, n;
    size_t len;

    (void)state;
    two(&r, &quick);
    rig_fail(&r, 0);
    memset(text, 0x1b, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text, "\xff\n\tok\x7f", 6);
    free(rig_check(&r, 0)->evidence);
    rig_check(&r, 0)->evidence = xstrdup(text);
    len = evidence_encode(r.d.now, 0, buf, sizeof buf);
    assert_int_equal(len, 4 + 41 + EVIDENCE_TEXT);

    two(&n, &quick);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        for (int c = 0; c < 256; c++) {
            bool good = c >= 0x20 && c < 0x7f;

            memcpy(bad, buf, len);
            bad[4 + 41 + at[i]] = (uint8_t)c;
            assert_int_equal(state_decode(n.d.now, EVIDENCE_KEY, bad, len, &running), good ? 0 : -1);
            assert_true((rig_check(&n, 0)->evidence != NULL) == (i > 0 || c >= 0x20));
        }
    memcpy(bad, buf, len);
    bad[4 + 40] = EVIDENCE_TEXT + 1; /* a longer reason than there may be, though it is all there */
    bad[len] = 'x';
    assert_int_equal(state_decode(n.d.now, EVIDENCE_KEY, bad, len + 1, &running), -1);
    memcpy(bad, buf, len);
    bad[2] = CHUNK_EVIDENCE + 1;
    assert_int_equal(state_decode(n.d.now, EVIDENCE_KEY, bad, len, &running), -1);
    assert_int_equal(state_decode(n.d.now, EVIDENCE_KEY, buf, len, &running), 0);
    assert_memory_equal(rig_check(&n, 0)->evidence, "???ok?????", 10);
    rig_free(&r);
    rig_free(&n);
}

static void test_evidence_full(void **state)
{
    uint8_t buf[512];
    char text[200];
    struct rig r;
    uint32_t vs;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    rig_init(&r);
    vs = put_vs(&r, "10.0.0.1:80:tcp", 1, 0);
    for (int i = 0; i < 4; i++) {
        char name[32];

        snprintf(name, sizeof name, "10.1.0.%d:80", i);
        put_check(&r, put_rs(&r, vs, name, 1), &quick);
    }
    rig_start(&r);
    for (size_t i = 0; i < 4; i++)
        rig_check(&r, i)->evidence = xstrdup(text);
    assert_int_equal(evidence_encode(r.d.now, 0, buf, sizeof buf), 4 + 3 * (41 + EVIDENCE_TEXT)); /* fits */
    assert_int_equal(evidence_encode(r.d.now, 1, buf, sizeof buf), 4 + 41 + EVIDENCE_TEXT);
    assert_int_equal(evidence_encode(r.d.now, 2, buf, sizeof buf), 0);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_change),
        cmocka_unit_test(test_unchanged_keeps_time),
        cmocka_unit_test(test_attempt_running),
        cmocka_unit_test(test_dead_stays_dead),
        cmocka_unit_test(test_edited_alpha),
        cmocka_unit_test(test_given_weight),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_snapshot_foreign),
        cmocka_unit_test(test_snapshot_generations),
        cmocka_unit_test(test_snapshot_full),
        cmocka_unit_test(test_snapshot_service),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_evidence_hostile),
        cmocka_unit_test(test_evidence_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
