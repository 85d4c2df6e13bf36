/* test_snapshots.c - the parent's memory of its children: order, replacement, limits, and the bytes handed
 * over. */
#include <setjmp.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "parent/snapshots.h"

static void test_order_and_bytes(void **state)
{
    struct snapshots *s = snapshots_new(10);
    (void)state;
    assert_int_equal(snapshots_put(s, 2, 7, "seven", 5), 0);
    assert_int_equal(snapshots_put(s, 2, 3, "abcd", 4), 0);
    assert_int_equal(snapshots_put(s, 1, 9, "", 0), 0);
    assert_int_equal(snapshots_put(s, 2, 7, "SEVEN!", 6), 0); /* replaced, longer */
    assert_int_equal(snapshots_count(s), 3);
    size_t len;
    uint8_t *b = snapshots_bytes(s, &len);
    static const uint8_t want[] = { 9, 0, 0, 0, 0, 0, 0, 0,                     /* older generation first */
                                    3, 0, 0, 0, 4, 0, 0, 0, 'a', 'b', 'c', 'd', /* then by key */
                                    7, 0, 0, 0, 6, 0, 0, 0, 'S', 'E', 'V', 'E', 'N', '!', 0, 0 };
    assert_int_equal(len, sizeof want);
    assert_memory_equal(b, want, sizeof want);
    free(b);
    snapshots_free(s);
}

static void test_forget(void **state)
{
    struct snapshots *s = snapshots_new(10);
    (void)state;
    for (uint32_t g = 1; g <= 3; g++)
        for (uint32_t k = 1; k <= 3; k++)
            assert_int_equal(snapshots_put(s, g, k, &k, sizeof k), 0);
    snapshots_remove(s, 2, 2);
    snapshots_remove(s, 2, 99); /* not there: fine */
    assert_int_equal(snapshots_count(s), 8);
    snapshots_forget_before(s, 2);
    assert_int_equal(snapshots_count(s), 5);
    snapshots_forget_before(s, 2);
    assert_int_equal(snapshots_count(s), 5);
    snapshots_clear(s);
    assert_int_equal(snapshots_count(s), 0);
    snapshots_free(s);
}

/* A taken-over child cannot fill the parent's memory, and what is there can still be replaced. */
static void test_limit(void **state)
{
    struct snapshots *s = snapshots_new(4);
    (void)state;
    for (uint32_t k = 0; k < 4; k++)
        assert_int_equal(snapshots_put(s, 1, k, "x", 1), 0);
    assert_int_equal(snapshots_put(s, 1, 4, "x", 1), -1);
    assert_int_equal(snapshots_put(s, 1, 0, "yy", 2), 0);
    assert_int_equal(snapshots_count(s), 4);
    snapshots_free(s);
}

static void test_memfd(void **state)
{
    struct snapshots *s = snapshots_new(4);
    char b[32];
    (void)state;
    assert_int_equal(snapshots_put(s, 1, 1, "hello", 5), 0);
    int fd = snapshots_memfd(s);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, b, sizeof b, 0), 16);
    assert_memory_equal(b + 8, "hello", 5);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1); /* sealed */
    assert_int_equal(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
    close(fd);
    snapshots_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bytes),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_memfd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
