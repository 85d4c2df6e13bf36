/* test_corepattern.c - -M: another core pattern while we run, and what was there put back, unless somebody
 * else changed it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "parent/corepattern.h"

static char file[40];

static void put(const char *text)
{
    int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static const char *got(void)
{
    static char text[100];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void test_there_and_back(void **state)
{
    struct corepattern c = { 0 };
    (void)state;
    put("|/usr/lib/collect %p\n");
    assert_int_equal(corepattern_set(&c, file, "/cores/%e"), 0);
    assert_string_equal(got(), "/cores/%e");
    corepattern_restore(&c);
    assert_string_equal(got(), "|/usr/lib/collect %p");
    put("other");
    corepattern_restore(&c); /* once */
    assert_string_equal(got(), "other");
}

static void test_somebody_else(void **state)
{
    struct corepattern c = { 0 };
    (void)state;
    put("core\n");
    assert_int_equal(corepattern_set(&c, file, "/cores/%e"), 0);
    put("theirs\n");
    corepattern_restore(&c);
    assert_string_equal(got(), "theirs\n");
    put("\n"); /* none at all is a pattern, too */
    assert_int_equal(corepattern_set(&c, file, "core"), 0);
    corepattern_restore(&c);
    assert_string_equal(got(), "\n");
    assert_int_equal(corepattern_set(&c, "/tmp/none/of/that", "core"), -1);
    assert_int_equal(errno, ENOENT);
    corepattern_restore(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_there_and_back),
                                        cmocka_unit_test(test_somebody_else) };
    snprintf(file, sizeof file, "/tmp/corepatternXXXXXX");
    int fd = mkstemp(file);
    close(fd);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file);
    return rc;
}
