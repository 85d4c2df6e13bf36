/*
 * test_vrrpd_marks.c - what is remembered of signed adverts over a restart. Found by the simulation
 * (test/sim, seed 174): a new sender took the place of the first one remembered, whose former adverts counted
 * again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_new_sender_takes_a_free_place) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
