/*
 * test_script_run.c - scripts from start to end, for real: who may run what, what a script sees, how it is
 * stopped, in which order events are told. Needs root (users are changed) and skips without.
 */
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/slice.h"
#include "parent/notify_queue.h"
#include "parent/runner.h"

struct bench {
    char dir[64];
    struct ev *ev;
    struct runner *r;
    struct scripts *all;
    struct runner_end end;
    bool ended;
};

static void quiet(enum role who, enum log_level level, const char *text, void *arg)
{
    (void)who;
    (void)level;
    (void)text;
    (void)arg;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    log_sink(quiet, NULL);
    snprintf(b->dir, sizeof b->dir, "/run/hf-test-XXXXXX");
    b->ev = ev_new(NULL);
    b->r = runner_new(b->ev, 022);
    *state = b;
    return geteuid() != 0 || (mkdtemp(b->dir) != NULL && chmod(b->dir, 0755) == 0) ? 0 : -1;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", b->dir);
    scripts_unref(b->all);
    runner_free(b->r);
    ev_free(b->ev);
    if (geteuid() == 0 && system(cmd) != 0)
        return -1;
    free(b);
    return 0;
}

#define NEED_ROOT()                                                                                          \
    do {                                                                                                     \
        if (geteuid() != 0)                                                                                  \
            skip();                                                                                          \
    } while (0)

static void file(const struct bench *b, const char *name, const char *text, mode_t mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", b->dir, name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static char *content(const struct bench *b, const char *name, char *buf, size_t size)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", b->dir, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : 0;
    if (fd >= 0)
        close(fd);
    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

/* One command, as the notify script of an instance. argv[0] without a slash is meant below b->dir with '@'.
 */
static struct script *script(struct bench *b, const char *user, bool secure, const char *a0, const char *a1)
{
    struct slice_writer *w = slice_writer_new(ROLE_PARENT, 1);
    struct err e;
    char path[PATH_MAX];
    size_t len;
    slice_put_obj(w, BLK_GLOBAL, 0, "", 1);
    if (secure)
        slice_put_bool(w, KW_GLOBAL_ENABLE_SCRIPT_SECURITY, true);
    uint32_t vi = slice_put_obj(w, BLK_VI, 0, "V", 2);
    slice_put_obj(w, BLK_CMD, vi, "cmd", 3);
    snprintf(path, sizeof path, "%s%s", a0[0] == '@' ? b->dir : "", a0[0] == '@' ? a0 + 1 : a0);
    slice_put_raw(w, KW_CMD_X_ARGV, path, strlen(path) + 1);
    if (a1 != NULL)
        slice_put_raw(w, KW_CMD_X_ARGV, a1, strlen(a1) + 1);
    if (user != NULL)
        slice_put_raw(w, KW_CMD_X_USER, user, strlen(user) + 1);
    slice_put_uint(w, KW_CMD_X_KW, KW_VI_NOTIFY);
    const void *bytes = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(bytes, len, ROLE_PARENT, &e);
    assert_non_null(s);
    scripts_unref(b->all);
    b->all = scripts_new(s);
    struct script *x = scripts_find(b->all, vi, KW_VI_NOTIFY);
    assert_non_null(x);
    slice_free(s);
    slice_writer_free(w);
    return x;
}

static void on_end(void *arg, const struct runner_end *e)
{
    struct bench *b = arg;
    b->end = *e;
    b->ended = true;
}

static void until(struct bench *b, uint64_t ns)
{
    uint64_t end = clock_monotonic_ns() + ns;
    while (!b->ended && clock_monotonic_ns() < end)
        ev_turn(b->ev, 20 * NS_PER_MS);
}

static void run(struct bench *b, struct script *s, uint64_t limit)
{
    struct runner_job job = { .script = s, .limit_ns = limit, .done = on_end, .arg = b };
    b->ended = false;
    memset(&b->end, 0, sizeof b->end);
    if (runner_start(b->r, &job, &b->end) == NULL)
        return;
    until(b, 20 * NS_PER_SEC);
    assert_true(b->ended);
}

static void ends(struct bench *b, struct script *s, enum run_end how, unsigned int value)
{
    run(b, s, 0);
    if (b->end.how != how || b->end.value != value)
        fail_msg("how %d value %u: %s", (int)b->end.how, b->end.value, b->end.why);
}

static void refused(struct bench *b, struct script *s, int error, const char *word)
{
    run(b, s, 0);
    assert_int_equal(b->end.how, RUN_END_NOT_RUN);
    assert_int_equal(b->end.value, error);
    if (strstr(b->end.why, word) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", b->end.why, word);
}

static void test_statuses(void **state)
{
    struct bench *b = *state;
    NEED_ROOT();
    ends(b, script(b, "root", true, "/bin/true", NULL), RUN_END_EXIT, 0);
    ends(b, script(b, "nobody", true, "/bin/false", NULL), RUN_END_EXIT, 1);
    ends(b, script(b, "nobody", true, "true", NULL), RUN_END_EXIT, 0); /* found in the search path */
    file(b, "s7", "#!/bin/sh\nexit 7\n", 0755);
    ends(b, script(b, "nobody", true, "@/s7", NULL), RUN_END_EXIT, 7);
    file(b, "kill", "#!/bin/sh\nkill -9 $$\n", 0755);
    ends(b, script(b, "nobody", true, "@/kill", NULL), RUN_END_SIGNAL, SIGKILL);
    file(b, "text", "exit 5\n", 0755); /* no #!: a shell runs it */
    ends(b, script(b, "nobody", true, "@/text", NULL), RUN_END_EXIT, 5);
    file(b, "inner", "#!/bin/sh -e\n[ \"$2\" = one ] && exit 9\n", 0755);
    char outer[128];
    snprintf(outer, sizeof outer, "#!%s/inner\n", b->dir);
    file(b, "outer", outer, 0755); /* an interpreter that is a script */
    ends(b, script(b, "nobody", true, "@/outer", "one"), RUN_END_EXIT, 9);
}

static void test_not_run(void **state)
{
    struct bench *b = *state;
    NEED_ROOT();
    refused(b, script(b, "root", true, "@/none", NULL), ENOENT, "cannot be reached");
    refused(b, script(b, "root", true, "no-such-command-hf", NULL), ENOENT, "cannot be reached");
    refused(b, script(b, "no-such-user-hf", true, "/bin/true", NULL), ENOENT, "there is no user");
    refused(b, script(b, "root", true, "/bin", NULL), EACCES, "not a regular file");
    refused(b, script(b, "root", false, "/dev/null", NULL), EACCES, "not a regular file");
    file(b, "crlf", "#!/bin/sh\r\nexit 0\r\n", 0755);
    refused(b, script(b, "root", true, "@/crlf", NULL), ENOENT, "CRLF");
    file(b, "gone", "#!/no/such/interpreter\n", 0755);
    refused(b, script(b, "root", true, "@/gone", NULL), ENOENT, "interpreter");
    file(b, "relative", "#!sh\n", 0755);
    refused(b, script(b, "root", true, "@/relative", NULL), ENOENT, "interpreter");
    file(b, "empty", "#!\n", 0755);
    refused(b, script(b, "root", true, "@/empty", NULL), ENOEXEC, "without an interpreter");
    file(b, "mode", "#!/bin/sh\n", 0644);
    refused(b, script(b, "root", true, "@/mode", NULL), EACCES, "not executable");
    file(b, "private", "#!/bin/sh\n", 0700);
    refused(b, script(b, "nobody", true, "@/private", NULL), EACCES, "not executable");
    char self[128];
    snprintf(self, sizeof self, "#!%s/loop\n", b->dir);
    file(b, "loop", self, 0755);
    refused(b, script(b, "root", true, "@/loop", NULL), ELOOP, "too many");
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/circle", b->dir);
    assert_int_equal(symlink(path, path), 0);
    refused(b, script(b, "root", true, "@/circle", NULL), ELOOP, "cannot be reached");
}

/* What root runs must be nobody else's to change, whatever the path looks like. */
static void test_unsafe(void **state)
{
    struct bench *b = *state;
    char path[PATH_MAX], link[PATH_MAX];
    NEED_ROOT();
    uid_t nobody = getpwnam("nobody")->pw_uid;
    file(b, "ok", "#!/bin/sh\nexit 3\n", 0755);
    ends(b, script(b, "root", true, "@/ok", NULL), RUN_END_EXIT, 3);
    file(b, "w", "#!/bin/sh\nexit 3\n", 0757);
    refused(b, script(b, "root", true, "@/w", NULL), EPERM, "others can change");
    ends(b, script(b, "root", false, "@/w", NULL), RUN_END_EXIT, 3); /* as the incumbent: only said */
    ends(b, script(b, "nobody", true, "@/w", NULL), RUN_END_EXIT, 3);
    file(b, "owned", "#!/bin/sh\nexit 3\n", 0755);
    snprintf(path, sizeof path, "%s/owned", b->dir);
    assert_int_equal(chown(path, nobody, 0), 0);
    refused(b, script(b, "root", true, "@/owned", NULL), EPERM, "others can change");
    snprintf(path, sizeof path, "%s/open", b->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(chmod(path, 0777), 0);
    file(b, "open/s", "#!/bin/sh\nexit 3\n", 0755);
    refused(b, script(b, "root", true, "@/open/s", NULL), EPERM, "/open ");
    snprintf(link, sizeof link, "%s/link", b->dir);
    assert_int_equal(symlink("open/s", link), 0); /* a safe link to an unsafe place */
    refused(b, script(b, "root", true, "@/link", NULL), EPERM, "/open ");
    snprintf(link, sizeof link, "%s/open/back", b->dir);
    assert_int_equal(symlink("../ok", link), 0); /* an unsafe place with a link to a safe file */
    refused(b, script(b, "root", true, "@/open/back", NULL), EPERM, "/open ");
    assert_int_equal(chmod(path, 01777), 0); /* sticky: only what is root's in it counts */
    ends(b, script(b, "root", true, "@/open/back", NULL), RUN_END_EXIT, 3);
    assert_int_equal(lchown(link, nobody, 0), 0); /* a link that is somebody else's */
    refused(b, script(b, "root", true, "@/open/back", NULL), EPERM, "others can change");
    file(b, "interp", "#!/bin/sh\nexit 3\n", 0757);
    char text[128];
    snprintf(text, sizeof text, "#!%s/interp\n", b->dir);
    file(b, "weakly", text, 0755); /* a safe script with an unsafe interpreter */
    refused(b, script(b, "root", true, "@/weakly", NULL), EPERM, "/interp ");
}

/* A failure on a machine we cannot reach is understood only if it shows what the script saw. */
static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("the script did not print \"%s\" but:\n%s", part, text);
}

static void lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("the script printed \"%s\" in:\n%s", part, text);
}

static void test_surroundings(void **state)
{
    struct bench *b = *state;
    char text[4096], line[256];
    NEED_ROOT();
    file(b, "out", "", 0666);
    snprintf(
        line, sizeof line,
        "#!/bin/sh\nexec >%s/out 2>&1\nls -l /proc/self/fd\nid -u; id -g; id -G; pwd; umask; echo $0 $*\n"
        "grep -E 'Sig(Blk|Ign)|NoNewPrivs|CapEff' /proc/self/status\nexport -p\n",
        b->dir);
    file(b, "info", line, 0755);
    int leak = open("/etc/passwd", O_RDONLY); /* not even close-on-exec */
    assert_true(leak > 2);
    assert_int_equal(setenv("HF_SECRET", "x", 1), 0);
    /* as make leaves behind what it starts (glibc hides 33 from its callers), and a shell's background job */
    uint64_t ignore[8] = { 1 }, was[8] = { 0 };
    assert_int_equal(syscall(SYS_rt_sigaction, 33, ignore, was, sizeof(uint64_t)), 0);
    signal(SIGQUIT, SIG_IGN);
    runner_free(b->r);
    b->r = runner_new(b->ev, 022); /* it looks once, at its beginning */
    ends(b, script(b, "nobody", true, "@/info", "a b"), RUN_END_EXIT, 0);
    syscall(SYS_rt_sigaction, 33, was, NULL, sizeof(uint64_t));
    signal(SIGQUIT, SIG_DFL);
    close(leak);
    content(b, "out", text, sizeof text);
    lacks(text, "/etc/passwd");
    lacks(text, "HF_SECRET");
    has(text, "0 -> /dev/null");
    lacks(text, "pipe:");
    snprintf(line, sizeof line, "\n%u\n", (unsigned int)getpwnam("nobody")->pw_uid);
    has(text, line);
    has(text, "\n/\n0022\n");
    snprintf(line, sizeof line, "%s/info a b\n", b->dir);
    has(text, line);
    has(text, "SigBlk:\t0000000000000000");
    has(text, "SigIgn:\t0000000000000000");
    has(text, "CapEff:\t0000000000000000");
    /* The administrator chose the user: sudo is his matter. As we were started, then. */
    has(text, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "NoNewPrivs:\t1" : "NoNewPrivs:\t0");
    has(text, "PATH=");
}

static void test_default_user(void **state)
{
    struct bench *b = *state;
    char text[4096];
    NEED_ROOT();
    if (getpwnam("holdfast_script") == NULL && getpwnam("keepalived_script") == NULL)
        skip();
    file(b, "out", "", 0666);
    snprintf(text, sizeof text, "#!/bin/sh\nexec >%s/out\nid -u\ngrep NoNewPrivs /proc/self/status\n",
             b->dir);
    file(b, "who", text, 0755);
    ends(b, script(b, NULL, true, "@/who", NULL), RUN_END_EXIT, 0);
    content(b, "out", text, sizeof text);
    assert_true(strtoul(text, NULL, 10) > 0); /* never root */
    assert_non_null(strstr(text, "NoNewPrivs:\t1"));
}

static void test_time_limit(void **state)
{
    struct bench *b = *state;
    char text[256];
    NEED_ROOT();
    file(b, "out", "", 0666);
    snprintf(text, sizeof text, "#!/bin/sh\ntrap 'echo term >>%s/out; exit 0' TERM\nsleep 30 & wait\n",
             b->dir);
    file(b, "polite", text, 0755);
    run(b, script(b, "nobody", true, "@/polite", NULL), 150 * NS_PER_MS);
    assert_int_equal(b->end.how, RUN_END_TIMEOUT);
    assert_string_equal(content(b, "out", text, sizeof text), "term\n");
    /* Deaf, with a child in its group that is as deaf: both go. */
    snprintf(text, sizeof text, "#!/bin/sh\ntrap '' TERM\nsleep 31 &\necho $! >%s/out\nwait\nsleep 32\n",
             b->dir);
    file(b, "deaf", text, 0755);
    uint64_t began = clock_monotonic_ns();
    run(b, script(b, "nobody", true, "@/deaf", NULL), 150 * NS_PER_MS);
    uint64_t took = clock_monotonic_ns() - began;
    assert_int_equal(b->end.how, RUN_END_TIMEOUT);
    assert_true(took > 2 * NS_PER_SEC && took < 6 * NS_PER_SEC);
    pid_t orphan = (pid_t)strtol(content(b, "out", text, sizeof text), NULL, 10);
    assert_true(orphan > 1);
    for (int i = 0; i < 100 && kill(orphan, 0) == 0;
         i++) { /* dead; its new parent may still have to notice */
        snprintf(text, sizeof text, "/proc/%d/stat", (int)orphan);
        char st[128] = "";
        int fd = open(text, O_RDONLY);
        if (fd < 0 || read(fd, st, sizeof st - 1) <= 0 || strstr(st, ") Z ") != NULL) {
            close(fd);
            return;
        }
        close(fd);
        usleep(10000);
    }
    assert_int_equal(kill(orphan, 0), -1);
}

static void test_probe(void **state)
{
    struct bench *b = *state;
    NEED_ROOT();
    file(b, "there", "", 0600);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "<%s/there", b->dir);
    ends(b, script(b, "root", true, path, NULL), RUN_END_EXIT, 0);
    ends(b, script(b, "nobody", true, path, NULL), RUN_END_EXIT, 1);
}

/* Order is kept within an object whatever its scripts cost; another object does not wait. */
static void test_queue(void **state)
{
    struct bench *b = *state;
    char text[4096];
    NEED_ROOT();
    file(b, "out", "", 0666);
    snprintf(text, sizeof text, "#!/bin/sh\nsleep 0.$1\necho $2 >>%s/out\n", b->dir);
    file(b, "note", text, 0755);
    struct script *s = script(b, "nobody", true, "@/note", NULL);
    struct notify_queues *q = notify_queues_new(b->ev, b->r);
    for (int i = 4; i >= 1; i--) {
        char wait[16], word[16];
        snprintf(wait, sizeof wait, "%d", i);
        snprintf(word, sizeof word, "a%d", i);
        const char *extra[] = { wait, word };
        notify_queue_add(q, "a", s, extra, 2);
    }
    const char *other[] = { "05", "b" };
    notify_queue_add(q, "b", s, other, 2);
    uint64_t end = clock_monotonic_ns() + 15 * NS_PER_SEC;
    while (!notify_queues_idle(q) && clock_monotonic_ns() < end)
        ev_turn(b->ev, 20 * NS_PER_MS);
    assert_true(notify_queues_idle(q));
    assert_string_equal(content(b, "out", text, sizeof text), "b\na4\na3\na2\na1\n");
    notify_queues_free(q);
}

/* A storm: bounded in number, all of them run, and none gets lost. */
static void test_storm(void **state)
{
    struct bench *b = *state;
    NEED_ROOT();
    struct script *s = script(b, "nobody", true, "/bin/true", NULL);
    struct notify_queues *q = notify_queues_new(b->ev, b->r);
    uint64_t before = runner_started(b->r), most = 0, end = clock_monotonic_ns() + 60 * NS_PER_SEC;
    for (int i = 0; i < 255; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        notify_queue_add(q, key, s, NULL, 0);
    }
    while (!notify_queues_idle(q) && clock_monotonic_ns() < end) {
        uint64_t t0 = clock_monotonic_ns();
        ev_turn(b->ev, 20 * NS_PER_MS);
        uint64_t turn = clock_monotonic_ns() - t0;
        most = turn > most ? turn : most;
    }
    assert_true(notify_queues_idle(q));
    assert_int_equal(runner_started(b->r) - before, 255);
    notify_queues_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsafe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_surroundings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_probe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_storm, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
