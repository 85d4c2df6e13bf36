/*
 * test_vrrpd_marks.c - what is remembered of signed adverts over a restart. Found by the simulation
 * (test/sim, seed 174): a new sender took the place of the first one remembered, whose former adverts counted
 * again. And of clocks that are set: back by an hour on all machines (each took the others' adverts for
 * replays until the hour was over), and shortly before a crash (the successor repeated the marks of its
 * predecessor).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "vrrpd/auth.h"
#include "vrrpd/snapshot.h"

static struct auth *keys(void)
{
    static const uint8_t key[] = { 1, 's', 'e', 'c', 'r', 'e', 't' };
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 1);
    struct auth *a;
    struct err e;
    size_t len;
    slice_put_obj(w, BLK_VI_HMAC, slice_put_obj(w, BLK_VI, 0, "A", 1), "", 2);
    slice_put_raw(w, KW_VI_HMAC_KEY, key, sizeof key);
    slice_put_uint(w, KW_VI_HMAC_ACTIVE_KEY, 1);
    const void *bytes = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(bytes, len, ROLE_VRRPD, &e);
    assert_non_null(s);
    slice_writer_free(w);
    assert_int_equal(auth_new(s, slice_find(s, BLK_VI, "A"), NS_PER_SEC, &a, &e), 0);
    slice_free(s);
    return a;
}

static struct ipaddr sender(uint8_t last)
{
    return (struct ipaddr){ .family = 4, .plen = 32, .b = { 10, 0, 0, last } };
}

static uint64_t mark_of(const struct auth_state *st, const struct ipaddr *who)
{
    for (size_t i = 0; i < AUTH_SENDERS; i++)
        if (ipaddr_same(&st->few[i].addr, who))
            return st->few[i].mark;
    return 0;
}

static void test_new_sender_takes_a_free_place(void **state)
{
    (void)state;
    struct auth *a = keys();
    struct auth_state was = { 0 }, st = { 0 };
    struct snapshot s = { 0 };
    struct ipaddr first = sender(1), second = sender(2);
    auth_heard(a, &was, &first, 1000);
    snapshot_auth_take(&s, &was);
    snapshot_auth_give(&s, &st);
    assert_true(mark_of(&st, &first) == 1000);
    auth_heard(a, &st, &second, 5);
    assert_true(mark_of(&st, &second) == 5);
    assert_true(mark_of(&st, &first) == 1000);
    auth_free(a);
}

#define NOON (UINT64_C(1700000000) * NS_PER_SEC)
#define HOUR (3600 * NS_PER_SEC)

/* An advert of 12 bytes, signed by `who` with that mark, that arrives at `at`. */
static enum auth_result hear(const struct auth *a, struct auth_state *st, uint64_t mark, uint64_t at)
{
    static const uint8_t advert[12] = { 0x31, 1, 100, 1, 0, 100, 0, 0, 10, 0, 0, 9 };
    uint8_t buf[sizeof advert + AUTH_TRAILER];
    struct ipaddr who = sender(1), dst = { .family = 4, .plen = 32, .b = { 224, 0, 0, 18 } };
    int64_t skew;
    memcpy(buf, advert, sizeof advert);
    auth_sign(a, mark, &who, &dst, buf, sizeof advert);
    struct packet_rx rx = {
        .src = who, .dst = dst, .family = 4, .ttl = 255, .payload = buf, .len = sizeof buf, .real_at = at
    };
    enum auth_result r = auth_verify(a, st, &rx, sizeof advert, &mark, &skew);
    if (r == AUTH_OK)
        auth_heard(a, st, &who, mark);
    return r;
}

/* Both machines have started with a clock that is an hour ahead; NTP sets both. */
static void test_clocks_set_back(void **state)
{
    (void)state;
    struct auth *a = keys();
    struct auth_state says = { 0 }, hears = { 0 };
    uint64_t mark = auth_mark(a, &says, NOON + HOUR);
    assert_int_equal(hear(a, &hears, mark, NOON + HOUR), AUTH_OK);
    assert_int_equal(hear(a, &hears, mark, NOON + HOUR), AUTH_REPLAY);
    mark = auth_mark(a, &says, NOON);
    assert_int_equal(hear(a, &hears, mark, NOON), AUTH_OK);
    assert_int_equal(hear(a, &hears, mark, NOON), AUTH_REPLAY);
    auth_free(a);
}

/* By less than a window: the marks go on, and what was heard before is a replay. */
static void test_clocks_set_back_a_little(void **state)
{
    (void)state;
    struct auth *a = keys();
    struct auth_state says = { 0 }, hears = { 0 };
    uint64_t first = auth_mark(a, &says, NOON);
    assert_int_equal(hear(a, &hears, first, NOON), AUTH_OK);
    uint64_t second = auth_mark(a, &says, NOON - 2 * NS_PER_SEC);
    assert_true(second > first);
    assert_int_equal(hear(a, &hears, second, NOON - 2 * NS_PER_SEC), AUTH_OK);
    assert_int_equal(hear(a, &hears, first, NOON - 2 * NS_PER_SEC), AUTH_REPLAY);
    auth_free(a);
}

/* Ten seconds of adverts after the snapshot the clock goes back by three, and the process dies. */
static void test_successor_after_a_set_clock(void **state)
{
    (void)state;
    struct auth *a = keys();
    struct auth_state was = { 0 }, st = { 0 };
    struct snapshot s = { 0 };
    uint64_t up = HOUR, said = 0;
    auth_mark(a, &was, NOON);
    auth_state_kept(&was, up);
    snapshot_auth_take(&s, &was);
    for (unsigned int n = 1; n <= 10; n++)
        said = auth_mark(a, &was, NOON + n * NS_PER_SEC);
    assert_false(auth_state_ahead(a, &was, up + 10 * NS_PER_SEC));
    snapshot_auth_give(&s, &st);
    auth_state_age(a, &st, 10 * NS_PER_SEC);
    assert_true(auth_mark(a, &st, NOON + 7 * NS_PER_SEC) > said);
    auth_mark(a, &was, NOON + HOUR); /* forward: what the successor reckons is too little */
    assert_true(auth_state_ahead(a, &was, up + 11 * NS_PER_SEC));
    auth_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_new_sender_takes_a_free_place),
                                        cmocka_unit_test(test_clocks_set_back),
                                        cmocka_unit_test(test_clocks_set_back_a_little),
                                        cmocka_unit_test(test_successor_after_a_set_clock) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
