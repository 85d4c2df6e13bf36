/* test_reload_time.c - the one line of a reload_time_file: what it may be, and when that is next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "parent/reload_time.h"

static bool parse(const char *text, struct reload_time *t)
{
    return reload_time_parse(text, strlen(text), t);
}

static void forms(void **state)
{
    struct reload_time t;
    (void)state;
    assert_true(parse("23:59:58", &t));
    assert_false(t.dated || t.utc);
    assert_true(t.hour == 23 && t.minute == 59 && t.second == 58);
    assert_true(parse("00:00:00Z\n", &t));
    assert_true(t.utc && !t.dated);
    assert_true(parse("26-11-21 10:00:01", &t));
    assert_true(t.dated && t.year == 2026 && t.month == 11 && t.day == 21 && t.hour == 10 && t.second == 1);
    assert_true(parse("2028-02-29 10:00:01Z\nwhatever follows", &t));
    assert_true(t.dated && t.utc && t.year == 2028 && t.month == 2 && t.day == 29);
}

static void nothing_else(void **state)
{
    static const char *const bad[] = { "",
                                       "\n",
                                       "Z",
                                       "24:00:00",
                                       "12:60:00",
                                       "12:00:60",
                                       " 12:00:00",
                                       "12:00:00 ",
                                       "12:00:00\r\n",
                                       "12:00",
                                       "1:00:00",
                                       "12:00:00z",
                                       "12:00:00ZZ",
                                       "26-11-21  10:00:00",
                                       "26-11-21T10:00:00",
                                       "26-13-01 10:00:00",
                                       "26-00-01 10:00:00",
                                       "26-02-29 10:00:00",
                                       "2100-02-29 10:00:00",
                                       "26-04-31 10:00:00",
                                       "126-04-30 10:00:00",
                                       "1969-12-31 23:59:59",
                                       "tomorrow" };
    struct reload_time t;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (parse(bad[i], &t))
            fail_msg("%s was taken", bad[i]);
    assert_false(reload_time_parse("12:00:0\0", 8, &t));
}

static int64_t next(const char *text, int64_t now)
{
    struct reload_time t;
    int64_t at = -1;
    assert_true(parse(text, &t));
    return reload_time_next(&t, now, &at) ? at : -1;
}

/* 1700000000 is 2023-11-14 22:13:20 UTC, in Berlin 23:13:20. */
static void when(void **state)
{
    const int64_t now = 1700000000;
    (void)state;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    assert_int_equal(next("22:13:21Z", now), now + 1);
    assert_int_equal(next("22:13:20Z", now), now + 86400); /* now is over: never twice within its second */
    assert_int_equal(next("22:13:19Z", now), now + 86399);
    assert_int_equal(next("23:13:21", now), now + 1);
    assert_int_equal(next("23:13:20", now), now + 86400);
    assert_int_equal(next("2023-11-14 22:13:21Z", now), now + 1);
    assert_int_equal(next("23-11-14 23:13:21", now), now + 1);
    assert_int_equal(next("2023-11-14 22:13:20Z", now), -1);
    assert_int_equal(next("2022-11-14 22:13:21Z", now), -1);
    assert_int_equal(next("2023-11-15 00:00:00", now), now + 46 * 60 + 40);
}

/* The hour that is left out and the one that comes twice: some time follows, and it is later than now. */
static void clock_changes(void **state)
{
    (void)state;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    for (int64_t now = 1711846800 - 3 * 3600; now < 1711846800 + 3 * 3600;
         now += 607) { /* 2024-03-31 01:00 UTC */
        int64_t at = next("02:30:00", now);
        assert_true(at > now && at <= now + 26 * 3600);
    }
    for (int64_t now = 1729990800 - 3 * 3600; now < 1729990800 + 3 * 3600;
         now += 607) { /* 2024-10-27 01:00 UTC */
        int64_t at = next("02:30:00", now);
        assert_true(at > now && at <= now + 26 * 3600);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(nothing_else),
        cmocka_unit_test(when),
        cmocka_unit_test(clock_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
