/* test_hash.c - common/hash.h: numbers that other processes and other builds made must be made again. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/hash.h"

/* The values Fowler, Noll and Vo publish. */
static void test_hash_published(void **state)
{
    (void)state;
    assert_true(hash_bytes(HASH_START, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(hash_bytes(HASH_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(hash_bytes(HASH_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(hash_text(HASH_START, "foobar") == UINT64_C(0x85944171f73967e8));
    uint32_t h = HASH_START32;
    for (const char *p = "foobar"; *p != '\0'; p++)
        h = hash_byte32(h, (uint8_t)*p);
    assert_int_equal(h, UINT32_C(0xbf9cf968));
}

static void test_hash_bytes_above_127(void **state)
{
    (void)state;
    const uint8_t b = 0xff;
    assert_true(hash_bytes(HASH_START, &b, 1) == hash_u64(HASH_START, 0xff));
    assert_true(hash_text(HASH_START, "\xff") == hash_u64(HASH_START, 0xff));
}

static void test_hash_goes_on(void **state)
{
    (void)state;
    uint64_t h = hash_bytes(HASH_START, "foo", 3);
    assert_true(hash_bytes(h, "bar", 3) == hash_text(HASH_START, "foobar"));
    assert_true(hash_bytes(HASH_START, "foo", 4) == hash_u64(h, 0)); /* the end counts when it is given */
    assert_true(hash_u64(h, 0) != h);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Numbers that differ only above bit 32 (block and parent in one) go to different places in a small table. */
static void test_hash_place_spreads(void **state)
{
    (void)state;
    uint32_t at[64], places = 1;
    for (uint64_t i = 0; i < 64; i++)
        at[i] = hash_place(hash_u64(HASH_START, i << 32)) & 63;
    qsort(at, 64, sizeof *at, by_value);
    for (size_t i = 1; i < 64; i++)
        places += at[i] != at[i - 1];
    assert_true(places > 24); /* chance gives about 40, the low bits alone would give 1 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_published),
        cmocka_unit_test(test_hash_bytes_above_127),
        cmocka_unit_test(test_hash_goes_on),
        cmocka_unit_test(test_hash_place_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
