/* test_supervise.c - the arithmetic of restarts, where pid files lie, what the clean environment holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "parent/backoff.h"
#include "parent/pidfile.h"
#include "parent/spawn.h"

#define MS NS_PER_MS
#define S  NS_PER_SEC

/* A child that worked is started again at once, as often as it takes; killed from outside it is no crash
 * loop. */
static void test_long_lives(void **state)
{
    struct backoff b = { 0 };
    (void)state;
    uint64_t now = 100 * S;
    for (int i = 0; i < 50; i++, now += 600 * MS) {
        struct backoff_verdict v = backoff_death(&b, now, 590 * MS, false);
        assert_int_equal(v.delay_ns, 0);
        assert_false(v.crash_loop);
    }
    for (int i = 0; i < 50; i++, now += 3 * S) {
        struct backoff_verdict v = backoff_death(&b, now, 2900 * MS, true);
        assert_int_equal(v.delay_ns, 0);
        assert_false(v.crash_loop);
    }
}

static void test_short_lives(void **state)
{
    static const uint64_t want[] = { 0,        0,        0,         0,         0,     100 * MS, 200 * MS,
                                     400 * MS, 800 * MS, 1600 * MS, 3200 * MS, 5 * S, 5 * S };
    struct backoff b = { 0 };
    (void)state;
    uint64_t now = S;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        struct backoff_verdict v = backoff_death(&b, now, 0, false);
        assert_int_equal(v.delay_ns, want[i]);
        now += v.delay_ns + 10 * MS;
    }
    now += 11 * S; /* quiet: forgotten */
    assert_int_equal(backoff_death(&b, now, 0, false).delay_ns, 0);
    assert_int_equal(backoff_death(&b, now + S, 600 * MS, false).delay_ns, 0); /* a decent life in between */
    for (unsigned int i = 0; i < 5; i++)
        assert_int_equal(backoff_death(&b, now + (2 + i) * S, 0, false).delay_ns, 0);
    assert_int_equal(backoff_death(&b, now + 7 * S, 0, false).delay_ns, 100 * MS);
}

static void test_crash_loop(void **state)
{
    struct backoff b = { 0 };
    (void)state;
    for (unsigned int i = 0; i < 4; i++)
        assert_false(backoff_death(&b, (1 + 2 * i) * S, S, true).crash_loop);
    assert_true(backoff_death(&b, 9 * S, S, true).crash_loop);
    assert_false(backoff_death(&b, 10 * S, S, true).crash_loop); /* said once */
    memset(&b, 0, sizeof b);
    for (unsigned int i = 0; i < 10; i++) /* five deaths need more than 30 s */
        assert_false(backoff_death(&b, (1 + 8 * i) * S, S, true).crash_loop);
}

static void test_pid_places(void **state)
{
    struct pidfiles p;
    struct pidfile_place at = { .rundir = "/run" };
    (void)state;
    pidfile_places(&p, &at);
    assert_string_equal(p.parent, "/run/holdfast.pid");
    assert_string_equal(p.vrrp, "/run/vrrp.pid");
    assert_string_equal(p.check, "/run/checkers.pid");
    at.use_pid_dir = 1;
    pidfile_places(&p, &at);
    assert_string_equal(p.parent, "/run/holdfast/holdfast.pid");
    at.instance = "blue";
    pidfile_places(&p, &at);
    assert_string_equal(p.parent, "/run/holdfast/holdfast_blue.pid");
    assert_string_equal(p.vrrp, "/run/holdfast/vrrp_blue.pid");
    at.netns = "ns1";
    pidfile_places(&p, &at);
    assert_string_equal(p.check, "/run/holdfast/ns1/checkers_blue.pid");
    assert_string_equal(p.bfd, ""); /* written when asked for */
    at.given_bfd = "/b.pid";
    at.given_parent = "/a.pid";
    pidfile_places(&p, &at);
    assert_string_equal(p.bfd, "/b.pid");
    assert_string_equal(p.parent, "/a.pid");
}

static const char *env_find(char **envp, const char *name)
{
    size_t n = strlen(name);
    for (; *envp != NULL; envp++)
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

static void test_environment(void **state)
{
    (void)state;
    setenv("LD_PRELOAD_TEST", "x", 1);
    setenv("NOTIFY_SOCKET", "/x", 1);
    setenv("SECRET", "s", 1);
    setenv("LANG", "C.UTF-8", 1);
    char **clean = spawn_env_clean(), **conf = spawn_env_conf();
    assert_string_equal(env_find(clean, "LANG"), "C.UTF-8");
    assert_non_null(env_find(clean, "PATH"));
    assert_null(env_find(clean, "SECRET"));
    assert_string_equal(env_find(conf, "SECRET"), "s");
    assert_null(env_find(conf, "LD_PRELOAD_TEST"));
    assert_null(env_find(conf, "NOTIFY_SOCKET"));
    spawn_env_free(clean);
    spawn_env_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_lives),  cmocka_unit_test(test_short_lives),
        cmocka_unit_test(test_crash_loop),  cmocka_unit_test(test_pid_places),
        cmocka_unit_test(test_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
