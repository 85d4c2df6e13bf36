/*
 * test_snapshot.c - what vrrpd leaves to its successor: whole round trip, every truncation and every foreign
 * byte refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vrrpd/snapshot.h"

static struct snapshot sample(void)
{
    struct snapshot s = { .name = "VI_1", .iface = "eth0", .vrid = 51, .family = 4 };
    s.saved = (struct engine_saved){ .state = VRRP_STATE_MASTER,
                                     .adv_at = 0x0123456789abcdefu,
                                     .taken_at = 77,
                                     .master_priority = 99,
                                     .master_interval = 250000000,
                                     .preempt_at = 78 };
    ipaddr_parse("10.0.0.7", &s.saved.master);
    s.saved.stats = (struct engine_stats){ 1, 2, 3, 4, 5 };
    s.stats = (struct check_stats){ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 };
    s.auth_own = 0xfedcba9876543210u;
    ipaddr_parse("10.0.0.8", &s.senders[0].addr);
    s.senders[0].mark = 21;
    ipaddr_parse("fe80::9", &s.senders[2].addr);
    s.senders[2].mark = 22;
    return s;
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const masters[] = { "10.0.0.7", "fe80::7", NULL };
    for (size_t i = 0; i < 3; i++) {
        struct snapshot a = sample(), b;
        uint8_t buf[SNAPSHOT_MAX];
        memset(&a.saved.master, 0, sizeof a.saved.master);
        if (masters[i] != NULL)
            ipaddr_parse(masters[i], &a.saved.master);
        int n = snapshot_encode(&a, buf);
        assert_true(n > 0);
        assert_int_equal(snapshot_decode(buf, (size_t)n, &b), 0);
        assert_string_equal(a.name, b.name);
        assert_string_equal(a.iface, b.iface);
        assert_int_equal(a.vrid, b.vrid);
        assert_int_equal(a.family, b.family);
        assert_int_equal(a.saved.state, b.saved.state);
        assert_true(a.saved.adv_at == b.saved.adv_at && a.saved.taken_at == b.saved.taken_at);
        assert_true(a.saved.master_interval == b.saved.master_interval);
        assert_true(a.saved.preempt_at == b.saved.preempt_at && !b.saved.resigned);
        assert_int_equal(a.saved.master_priority, b.saved.master_priority);
        assert_memory_equal(&a.saved.master, &b.saved.master, sizeof a.saved.master);
        assert_memory_equal(&a.saved.stats, &b.saved.stats, sizeof a.saved.stats);
        assert_memory_equal(&a.stats, &b.stats, sizeof a.stats);
        assert_true(a.auth_own == b.auth_own);
        assert_memory_equal(a.senders, b.senders, sizeof a.senders);
    }
}

static void test_backup(void **state)
{
    (void)state;
    struct snapshot a = sample(), b;
    uint8_t buf[SNAPSHOT_MAX];
    a.saved.state = VRRP_STATE_BACKUP;
    a.saved.down_from = 0x0123456789abcdefu;
    a.saved.resigned = true;
    int n = snapshot_encode(&a, buf);
    assert_true(n > 0);
    assert_int_equal(snapshot_decode(buf, (size_t)n, &b), 0);
    assert_true(b.saved.down_from == a.saved.down_from && b.saved.resigned && b.saved.adv_at == 0);
}

static void test_longest_fits(void **state)
{
    (void)state;
    struct snapshot a = sample(), b;
    uint8_t buf[SNAPSHOT_MAX];
    memset(a.name, 'n', SNAPSHOT_NAME_MAX);
    memset(a.iface, 'i', SNAPSHOT_IFACE_MAX);
    ipaddr_parse("fe80::7", &a.saved.master);
    memset(&a.stats, 0xff, sizeof a.stats);
    memset(&a.saved.stats, 0xff, sizeof a.saved.stats);
    a.saved.adv_at = a.saved.taken_at = a.saved.master_interval = a.auth_own = UINT64_MAX;
    a.saved.preempt_at = UINT64_MAX;
    for (int i = 0; i < AUTH_SENDERS; i++)
        ipaddr_parse("fe80::9", &a.senders[i].addr);
    int n = snapshot_encode(&a, buf);
    assert_true(n > 0 && n <= SNAPSHOT_MAX);
    assert_int_equal(snapshot_decode(buf, (size_t)n, &b), 0);
    assert_string_equal(a.name, b.name);
}

static void test_refused(void **state)
{
    (void)state;
    struct snapshot a = sample(), b;
    uint8_t buf[SNAPSHOT_MAX + 1] = { 0 };
    int n = snapshot_encode(&a, buf);
    assert_true(n > 0);
    for (size_t cut = 0; cut < (size_t)n; cut++)
        assert_int_equal(snapshot_decode(buf, cut, &b), -1);
    assert_int_equal(snapshot_decode(buf, (size_t)n + 1, &b), -1);
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {
        { 0, 'X' }, /* magic */
        { 1, 1 },   /* version of another build */
        { 2, 200 }, /* name longer than there is room */
        { 4, 0 },   /* NUL inside a name */
        { 7, 16 },  /* interface name too long */
        { 14, 5 },  /* no such state */
        { 16, 5 },  /* no such family */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t keep = buf[bad[i].at];
        buf[bad[i].at] = bad[i].value;
        assert_int_equal(snapshot_decode(buf, (size_t)n, &b), -1);
        buf[bad[i].at] = keep;
        assert_int_equal(snapshot_decode(buf, (size_t)n, &b), 0);
    }
}

/* A counter has one form only, the shortest, and 64 bits; its bytes are behind the address of the master. */
static void test_counters(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        bool good;
    } rows[] = {
        { "\x00", 1, true },
        { "\x7f", 1, true },
        { "\x80\x01", 2, true },
        { "\x80\x00", 2, false },
        { "\xff\x80\x00", 3, false },
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true },
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, false },
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11, false },
    };
    struct snapshot a = sample(), b;
    uint8_t buf[SNAPSHOT_MAX], other[SNAPSHOT_MAX];
    a.saved.adv_at = 5;
    memset(&a.saved.master, 0, sizeof a.saved.master);
    int n = snapshot_encode(&a, buf);
    size_t at = 2 + 1 + strlen(a.name) + 1 + strlen(a.iface) + 6;
    assert_true(n > 0 && buf[at] == 5);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = (size_t)n - 1 + rows[i].n;
        memcpy(other, buf, at);
        memcpy(other + at, rows[i].bytes, rows[i].n);
        memcpy(other + at + rows[i].n, buf + at + 1, (size_t)n - at - 1);
        assert_int_equal(snapshot_decode(other, len, &b), rows[i].good ? 0 : -1);
        if (rows[i].good)
            assert_true(snapshot_encode(&b, buf) == (int)len && memcmp(buf, other, len) == 0);
        n = snapshot_encode(&a, buf);
    }
}

static void test_alive(void **state)
{
    (void)state;
    uint8_t buf[SNAPSHOT_MAX];
    uint64_t at = 0;
    int n = snapshot_alive_encode(UINT64_C(0xfedcba9876543210), buf);
    assert_int_equal(n, 10);
    assert_int_equal(snapshot_alive_decode(buf, 10, &at), 0);
    assert_true(at == UINT64_C(0xfedcba9876543210));
    assert_int_equal(snapshot_alive_decode(buf, 9, &at), -1);
    buf[0] = 'V';
    assert_int_equal(snapshot_alive_decode(buf, 10, &at), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_backup),
        cmocka_unit_test(test_longest_fits), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_counters),     cmocka_unit_test(test_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
