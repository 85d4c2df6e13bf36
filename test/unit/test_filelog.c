/* test_filelog.c - -g: names of the log files, which files and directories are refused, what a full disk
 * costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "parent/filelog/filelog.h"
#include "parent/logqueue.h"

static void test_names(void **state)
{
    struct filelog_place p;
    char longer[NAME_MAX];
    (void)state;
    assert_int_equal(filelog_place(NULL, "", &p), 0);
    assert_string_equal(p.dir, "/tmp");
    assert_string_equal(p.name[FILELOG_PARENT], "keepalived.log");
    assert_string_equal(p.name[FILELOG_VRRP], "keepalived_vrrp.log");
    assert_string_equal(p.name[FILELOG_CHECK], "keepalived_healthcheckers.log");
    assert_string_equal(p.name[FILELOG_IPVS], "keepalived_ipvs.log");
    assert_int_equal(filelog_place("/var/log/ka.one.txt", "_blue_two", &p), 0);
    assert_string_equal(p.dir, "/var/log");
    assert_string_equal(p.name[FILELOG_PARENT], "ka.one_blue_two.txt");
    assert_string_equal(p.name[FILELOG_VRRP], "ka.one_vrrp_blue_two.txt");
    assert_int_equal(filelog_place("/ka", "", &p), 0);
    assert_string_equal(p.dir, "/");
    assert_string_equal(p.name[FILELOG_VRRP], "ka_vrrp");
    assert_int_equal(filelog_place("sub.d/.ka", "", &p), 0);
    assert_string_equal(p.dir, "/tmp/sub.d");
    assert_string_equal(p.name[FILELOG_VRRP], ".ka_vrrp");
    assert_int_equal(filelog_place("/var/log/", "", &p), -1);
    assert_int_equal(filelog_place("/var/log/..", "", &p), -1);
    assert_int_equal(filelog_place("", "", &p), -1);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(filelog_place(longer, "", &p), -1);
}

/* A directory of our own below /tmp, which is sticky. */
static int folder(char *dir)
{
    char bad[PATH_MAX];
    strcpy(dir, "/tmp/filelogXXXXXX");
    assert_non_null(mkdtemp(dir));
    int fd = filelog_open_dir(dir, bad, sizeof bad);
    assert_true(fd >= 0);
    return fd;
}

static void away(const char *dir, int fd)
{
    char cmd[100];
    close(fd);
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    assert_int_equal(system(cmd), 0);
}

static void test_files(void **state)
{
    char dir[32];
    struct stat st;
    int at = folder(dir), fd;
    (void)state;
    assert_true((fd = filelog_open(at, "log", 0600)) >= 0);
    assert_int_equal(write(fd, "one\n", 4), 4);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    close(fd);
    assert_true((fd = filelog_open(at, "log", 0600)) >= 0); /* appended to, never cut */
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 4);
    close(fd);
    assert_int_equal(symlinkat("log", at, "link"), 0);
    assert_int_equal(filelog_open(at, "link", 0600), -1);
    assert_int_equal(symlinkat("/tmp/filelog-none", at, "dangling"), 0);
    assert_int_equal(filelog_open(at, "dangling", 0600), -1);
    assert_int_equal(access("/tmp/filelog-none", F_OK), -1);
    assert_int_equal(mkfifoat(at, "fifo", 0600), 0);
    assert_int_equal(filelog_open(at, "fifo", 0600), -1); /* and does not wait for a reader */
    assert_int_equal(mkdirat(at, "folder", 0700), 0);
    assert_int_equal(filelog_open(at, "folder", 0600), -1);
    assert_int_equal(linkat(at, "log", at, "second", 0), 0);
    assert_int_equal(filelog_open(at, "second", 0600), -1);
    if (geteuid() == 0) {
        assert_true((fd = openat(at, "foreign", O_WRONLY | O_CREAT | O_CLOEXEC, 0666)) >= 0);
        assert_int_equal(fchown(fd, 65534, 65534), 0);
        close(fd);
        assert_int_equal(filelog_open(at, "foreign", 0600), -1);
    }
    away(dir, at);
}

static int refused(const char *dir, const char *below, const char *want)
{
    char path[PATH_MAX], bad[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, below);
    int fd = filelog_open_dir(path, bad, sizeof bad);
    if (fd >= 0) {
        close(fd);
        return -1;
    }
    snprintf(path, sizeof path, "%s/%s", dir, want);
    return strcmp(path, bad);
}

static void test_directories(void **state)
{
    char dir[32];
    int at = folder(dir);
    (void)state;
    assert_int_equal(mkdirat(at, "good", 0755), 0);
    assert_int_equal(mkdirat(at, "good/deep", 0755), 0);
    assert_int_equal(mkdirat(at, "open", 0755), 0);
    assert_int_equal(mkdirat(at, "open/deep", 0755), 0);
    assert_int_equal(fchmodat(at, "open", 0777, 0), 0);
    assert_int_equal(symlinkat("good", at, "way"), 0);
    assert_int_equal(refused(dir, "good/deep", ""), -1);
    assert_int_equal(refused(dir, "way/deep", ""), -1); /* a link of root's to directories of root's */
    assert_int_equal(refused(dir, "open", "open"), 0);
    assert_int_equal(refused(dir, "open/deep", "open"), 0); /* anybody may put another "deep" there */
    assert_int_equal(fchmodat(at, "open", 01777, 0), 0);
    assert_int_equal(refused(dir, "open/deep", ""), -1);
    assert_int_equal(refused(dir, "none/deep", "none"), 0);
    if (geteuid() == 0) {
        assert_int_equal(fchownat(at, "good", 65534, 65534, 0), 0);
        assert_int_equal(refused(dir, "good/deep", "good"), 0); /* also when the last one is root's */
        assert_int_equal(refused(dir, "way/deep", "way"), 0);
        assert_int_equal(fchownat(at, "good", 0, 0, 0), 0);
        assert_int_equal(fchownat(at, "way", 65534, 65534, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(refused(dir, "way/deep", "way"), 0); /* whoever owns a link says where it goes */
    }
    away(dir, at);
}

static void content(int at, const char *name, char *out, size_t size)
{
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, out, size - 1);
    assert_true(n >= 0);
    out[n] = '\0';
    close(fd);
}

static void test_gathered(void **state)
{
    static struct filelog_out o;
    char dir[32], text[200];
    int at = folder(dir);
    (void)state;
    o = (struct filelog_out){ .fd = filelog_open(at, "log", 0600) };
    filelog_put(&o, "one\n", 4, false);
    content(at, "log", text, sizeof text);
    assert_string_equal(text, "");
    filelog_put(&o, "two\n", 4, true);
    content(at, "log", text, sizeof text);
    assert_string_equal(text, "one\ntwo\n");
    for (size_t i = 0; i < FILELOG_BUFFER / 4 + 1; i++) /* what does not fit is written before it */
        filelog_put(&o, "xyz\n", 4, false);
    assert_int_equal(lseek(o.fd, 0, SEEK_END), 8 + FILELOG_BUFFER);
    assert_int_equal(o.len, 4);
    close(o.fd);
    away(dir, at);
}

/* A disk that takes no more, in the middle of a line; and then there is room again. */
static void test_full(void **state)
{
    static struct filelog_out o;
    struct rlimit before, small = { 6, RLIM_INFINITY };
    char dir[32], text[400];
    int at = folder(dir);
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    o = (struct filelog_out){ .fd = filelog_open(at, "log", 0600) };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    filelog_put(&o, "one\n", 4, true);
    filelog_put(&o, "two\n", 4, true);
    filelog_put(&o, "three\n", 6, true);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(o.lost, 2);
    assert_int_equal(o.error, EFBIG);
    filelog_put(&o, "four\n", 5, true);
    content(at, "log", text, sizeof text);
    assert_string_equal(text, "one\ntw\n--- 2 lines are missing here: File too large\nfour\n");
    assert_int_equal(o.missing, 0);
    close(o.fd);
    o = (struct filelog_out){ .fd = open("/dev/full", O_WRONLY | O_CLOEXEC) };
    assert_true(o.fd >= 0);
    filelog_put(&o, "five\n", 5, true);
    assert_int_equal(o.lost, 1);
    assert_int_equal(o.error, ENOSPC);
    close(o.fd);
    away(dir, at);
}

/* ---- the queue before it */

struct taker {
    int answer;
    size_t taken;
    char last[16];
};

static int take(void *arg, const char *text, size_t len)
{
    struct taker *t = arg;
    if (t->answer > 0) {
        t->taken++;
        memcpy(t->last, text, len);
        t->last[len] = '\0';
    }
    return t->answer;
}

static void test_queue(void **state)
{
    static struct logqueue q;
    struct taker t = { .answer = 0 };
    char line[8];
    (void)state;
    q = (struct logqueue){ .send = take, .arg = &t };
    for (unsigned int i = 0; i < LOGQUEUE_LINES + 3; i++) {
        snprintf(line, sizeof line, "%u", i);
        logqueue_put(&q, line, strlen(line));
    }
    assert_int_equal(q.n, LOGQUEUE_LINES);
    assert_int_equal(q.lost, 3);
    t.answer = 1;
    logqueue_put(&q, "last", 4); /* what waited goes first */
    assert_int_equal(q.n, 0);
    assert_int_equal(t.taken, LOGQUEUE_LINES + 1);
    assert_string_equal(t.last, "last");
    t.answer = -1;
    logqueue_put(&q, "gone", 4);
    assert_int_equal(q.n, 0);
    assert_int_equal(q.lost, 4);
    logqueue_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_files), cmocka_unit_test(test_directories),
        cmocka_unit_test(test_gathered), cmocka_unit_test(test_full),  cmocka_unit_test(test_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
