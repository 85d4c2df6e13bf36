/* test_proc_match.c - ipvsd/proc_match.c: names and command lines as anybody may write them, kernel's events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#include "ipvsd/proc_match.h"

#define WANT(h, ...)                                                                                         \
    (&(struct proc_want){ .how = (h),                                                                        \
                          .word = (const char *const[]){ __VA_ARGS__ },                                      \
                          .nwords = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) })
#define CMD(w, text)            proc_cmdline_matches((w), (text), sizeof(text) - 1, false)
#define STAT(text, comm, alive) proc_stat_parse((text), sizeof(text) - 1, (comm), (alive))

static void test_stat(void **state)
{
    (void)state;
    char comm[PROC_COMM_MAX + 1];
    bool alive;
    assert_true(STAT("123 (sleep) S 1 2", comm, &alive));
    assert_string_equal(comm, "sleep");
    assert_true(alive);
    assert_true(STAT("123 (a) Z) (b) Z 1", comm, &alive)); /* a name made to mislead */
    assert_string_equal(comm, "a) Z) (b");
    assert_false(alive);
    assert_false(STAT("123 sleep S", comm, &alive));
    assert_false(STAT("123 )(", comm, &alive));
    assert_false(STAT("123 (sleep)", comm, &alive));
    assert_false(STAT("123 (sleep) ", comm, &alive));
    assert_false(STAT("1 (a name that is too long) S", comm, &alive));
    assert_false(STAT("", comm, &alive));
}

static void test_name(void **state)
{
    (void)state;
    assert_true(proc_name_matches(WANT(PROC_NAME, "sleep"), "sleep"));
    assert_false(proc_name_matches(WANT(PROC_NAME, "sleep"), "sleeper"));
    assert_true(proc_name_matches(WANT(PROC_NAME, "a-very-long-process"), "a-very-long-pro"));
}

static void test_cmdline(void **state)
{
    (void)state;
    assert_true(CMD(WANT(PROC_EXACT, "/bin/x", "-a"), "/bin/x\0-a\0"));
    assert_false(CMD(WANT(PROC_EXACT, "/bin/x", "-a"), "/bin/x\0-a\0-b\0"));
    assert_false(CMD(WANT(PROC_EXACT, "/bin/x", "-a"), "/bin/x\0"));
    assert_false(CMD(WANT(PROC_EXACT, "/bin/x", "-a"), "/bin/x\0-ab\0"));
    assert_true(CMD(WANT(PROC_PARTIAL, "/bin/x", "-a"), "/bin/x\0-a\0-b\0"));
    assert_false(CMD(WANT(PROC_PARTIAL, "/bin/x", "-a"), "/bin/x\0-ab\0"));
    assert_true(CMD(WANT(PROC_INITIAL, "/bin/x", "-a"), "/bin/x\0-ab\0-c\0"));
    assert_false(CMD(WANT(PROC_INITIAL, "/bin/x"), "/bin/xy\0"));
    assert_true(CMD(WANT(PROC_EXACT, "x", "y"), "x\0y")); /* a process may take the last NUL away */
    assert_false(proc_cmdline_matches(WANT(PROC_EXACT, "x"), "x\0", 2, true));
    assert_false(CMD(WANT(PROC_PARTIAL, "x"), "")); /* kernel threads */
}

static size_t event(uint8_t *buf, uint32_t what, int pid, int tgid)
{
    struct cn_msg cn = { .id = { CN_IDX_PROC, CN_VAL_PROC }, .len = sizeof(struct proc_event) };
    struct proc_event ev;
    memset(&ev, 0, sizeof ev);
    memcpy(&ev.what, &what, sizeof ev.what);
    if (what == 0x00000001) { /* fork */
        ev.event_data.fork.child_pid = pid;
        ev.event_data.fork.child_tgid = tgid;
    } else {
        ev.event_data.exit.process_pid = pid;
        ev.event_data.exit.process_tgid = tgid;
    }
    memset(buf, 0, NLMSG_HDRLEN);
    memcpy(buf + NLMSG_HDRLEN, &cn, sizeof cn);
    memcpy(buf + NLMSG_HDRLEN + sizeof cn, &ev, sizeof ev);
    return NLMSG_HDRLEN + sizeof cn + sizeof ev;
}

static void test_events(void **state)
{
    (void)state;
    uint8_t buf[256];
    uint32_t pid = 0;
    size_t len = event(buf, 0x00000001, 77, 77);
    assert_int_equal(proc_event_parse(buf, len, &pid), PROC_NEWS_FORK);
    assert_int_equal(pid, 77);
    for (size_t n = 0; n < NLMSG_HDRLEN + sizeof(struct cn_msg) + 16; n++)
        assert_int_equal(proc_event_parse(buf, n, &pid), PROC_NEWS_NONE);
    len = event(buf, 0x00000001, 78, 77); /* a thread */
    assert_int_equal(proc_event_parse(buf, len, &pid), PROC_NEWS_NONE);
    len = event(buf, 0x00000002, 5, 5);
    assert_int_equal(proc_event_parse(buf, len, &pid), PROC_NEWS_LOOK);
    len = event(buf, 0x80000000, 5, 5);
    assert_int_equal(proc_event_parse(buf, len, &pid), PROC_NEWS_GONE);
    len = event(buf, 0x80000000, 6, 5);
    assert_int_equal(proc_event_parse(buf, len, &pid), PROC_NEWS_NONE);
    len = event(buf, 0x40000000, 5, 5); /* core dump */
    assert_int_equal(proc_event_parse(buf, len, &pid), PROC_NEWS_NONE);
    buf[NLMSG_HDRLEN] ^= 0xff; /* somebody else's */
    assert_int_equal(proc_event_parse(buf, len, &pid), PROC_NEWS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stat),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_cmdline),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
