/* test_deadman.c - the dead man's switch: wound up by the child, as far as the parent wants it at the time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/deadman.h"

static struct itimerspec seen(int fd)
{
    struct itimerspec t;
    assert_int_equal(timerfd_gettime(fd, &t), 0);
    return t;
}

static void test_winding(void **state)
{
    (void)state;
    struct deadman d = { .fd = deadman_create() };
    uint64_t now = 1000 * NS_PER_SEC;
    assert_true(d.fd >= 0);
    assert_true(deadman_due(&d) == TIME_NEVER);
    deadman_beat(&d, now);
    assert_int_equal(seen(d.fd).it_value.tv_nsec, 0); /* nobody has chosen a limit: it stands */
    deadman_set(d.fd, 100 * NS_PER_SEC);
    deadman_beat(&d, ++now);
    assert_int_equal(d.limit, 100 * NS_PER_SEC);
    struct itimerspec low = { .it_value = { .tv_sec = 50 }, .it_interval = { .tv_sec = 100 } };
    assert_int_equal(timerfd_settime(d.fd, 0, &low, NULL), 0); /* half run down */
    assert_true(deadman_due(&d) == now + 90 * NS_PER_SEC);     /* before it runs down, however idle */
    deadman_beat(&d, now + 20 * NS_PER_SEC);
    assert_true(deadman_due(&d) == now + 90 * NS_PER_SEC); /* nothing was wound up */
    assert_true(seen(d.fd).it_value.tv_sec < 51);          /* not a system call at every turn */
    deadman_beat(&d, now + 30 * NS_PER_SEC);
    assert_true(seen(d.fd).it_value.tv_sec > 90);
    deadman_set(d.fd, 10 * NS_PER_SEC); /* the parent thinks otherwise */
    deadman_beat(&d, now + 60 * NS_PER_SEC);
    assert_int_equal(seen(d.fd).it_interval.tv_sec, 10);
    assert_true(seen(d.fd).it_value.tv_sec < 11);
    assert_int_equal(d.limit, 10 * NS_PER_SEC);
    assert_true(deadman_due(&d) == now + 69 * NS_PER_SEC);
    deadman_set(d.fd, 0);
    deadman_beat(&d, now + 90 * NS_PER_SEC);
    deadman_beat(&d, now + 120 * NS_PER_SEC);
    assert_int_equal(seen(d.fd).it_value.tv_sec, 0); /* stopped means stopped */
    assert_int_equal(seen(d.fd).it_value.tv_nsec, 0);
    assert_true(deadman_due(&d) == TIME_NEVER);
    close(d.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_winding) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
