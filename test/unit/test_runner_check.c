/*
 * test_runner_check.c - scripts that checkd asks for: one at a time for an object, an answer to the last
 * question only, ids that move with a reload. The test is checkd. Needs root (scripts change their user) and
 * skips without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/log.h"
#include "parent/parent.h"
#include "parent/runner.h"
#include "parent/runner_check.h"

struct bench {
    struct parent p;
    struct chan *child;
    struct config cf[2];
    char dir[64];
    struct msg_ran heard[8];
    size_t nheard;
};

static void quiet(enum role who, enum log_level level, const char *text, void *arg)
{
    (void)who;
    (void)level;
    (void)text;
    (void)arg;
}

static int parent_msg(struct chan *c, const struct chan_msg *m, void *arg)
{
    (void)c;
    (void)m;
    (void)arg;
    return -1;
}

static int child_msg(struct chan *c, const struct chan_msg *m, void *arg)
{
    struct bench *b = arg;

    (void)c;
    assert_int_equal(m->type, MSG_ran);
    assert_true(b->nheard < 8);
    b->heard[b->nheard++] = m->body->ran;
    return 0;
}

static void dead(struct chan *c, enum chan_end how, const char *why, void *arg)
{
    (void)c;
    (void)how;
    (void)why;
    (void)arg;
}

static const struct chan_ops parent_ops = { .on_msg = parent_msg, .on_dead = dead };
static const struct chan_ops child_ops = { .on_msg = child_msg, .on_dead = dead };

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    int fd[2];

    log_sink(quiet, NULL);
    snprintf(b->dir, sizeof b->dir, "/run/hf-test-XXXXXX");
    *state = b;
    if (geteuid() == 0 && (mkdtemp(b->dir) == NULL || chmod(b->dir, 0777) != 0))
        return -1;
    b->p.ev = ev_new(NULL);
    b->p.runner = runner_new(b->p.ev, 022);
    if (chan_pair(fd) < 0)
        return -1;
    b->p.room[ROLE_CHECKD].ch = chan_new(b->p.ev, fd[0], ROLE_PARENT, ROLE_CHECKD, &parent_ops, b);
    b->child = chan_new(b->p.ev, fd[1], ROLE_CHECKD, ROLE_PARENT, &child_ops, b);
    b->p.checks = checks_new(&b->p);
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    char cmd[128];

    checks_free(b->p.checks);
    chan_free(b->p.room[ROLE_CHECKD].ch);
    chan_free(b->child);
    for (size_t i = 0; i < 2; i++)
        scripts_unref(b->cf[i].scripts);
    runner_free(b->p.runner);
    ev_free(b->p.ev);
    snprintf(cmd, sizeof cmd, "rm -rf %s", b->dir);
    if (geteuid() == 0 && system(cmd) != 0)
        return -1;
    free(b);
    return 0;
}

/* One MISC_CHECK for each name, each of a server of that name; ids[i] becomes its id. */
static void configure(struct bench *b, size_t which, const char *const *names, const char *text,
                      uint32_t *ids)
{
    struct slice_writer *w = slice_writer_new(ROLE_PARENT, (uint32_t)which + 1);
    struct slice *s;
    struct err e;
    size_t len;
    const void *bytes;
    uint32_t vs;

    slice_put_obj(w, BLK_GLOBAL, 0, "", 1);
    vs = slice_put_obj(w, BLK_VS, 0, "10.0.0.1:80:TCP", 2);
    for (size_t i = 0; names[i] != NULL; i++) {
        uint32_t rs = slice_put_obj(w, BLK_RS, vs, names[i], 3);

        ids[i] = slice_put_obj(w, BLK_MISC, rs, "", 4);
        slice_put_obj(w, BLK_CMD, ids[i], "cmd", 5);
        slice_put_raw(w, KW_CMD_X_ARGV, "/bin/sh", 8);
        slice_put_raw(w, KW_CMD_X_ARGV, "-c", 3);
        slice_put_raw(w, KW_CMD_X_ARGV, text, strlen(text) + 1);
        slice_put_raw(w, KW_CMD_X_ARGV, b->dir, strlen(b->dir) + 1);
        slice_put_raw(w, KW_CMD_X_USER, "root", 5);
        slice_put_uint(w, KW_CMD_X_KW, KW_MISC_MISC_PATH);
        slice_put_uint(w, KW_CMD_X_TIMEOUT, 20000000);
    }
    bytes = slice_writer_bytes(w, &len);
    s = slice_parse(bytes, len, ROLE_PARENT, &e);
    assert_non_null(s);
    b->cf[which] = (struct config){ .generation = (uint32_t)which + 1, .scripts = scripts_new(s) };
    slice_free(s);
    slice_writer_free(w);
}

static int ask(struct bench *b, size_t which, uint32_t obj, uint32_t token)
{
    struct msg_run m = { .obj = obj, .token = token };

    return checks_run(b->p.checks, ROLE_CHECKD, &b->cf[which], &m);
}

static void cancel(struct bench *b, size_t which, uint32_t obj)
{
    struct msg_run_cancel m = { .obj = obj };

    assert_int_equal(checks_cancel(b->p.checks, ROLE_CHECKD, &b->cf[which], &m), 0);
}

static void turn(struct bench *b, size_t answers, uint64_t ns)
{
    uint64_t end = clock_monotonic_ns() + ns;

    while (b->nheard < answers && clock_monotonic_ns() < end)
        ev_turn(b->p.ev, 10 * NS_PER_MS);
}

static void answer_is(const struct bench *b, size_t i, uint32_t obj, uint32_t token, uint32_t value)
{
    assert_true(i < b->nheard);
    assert_int_equal(b->heard[i].obj, obj);
    assert_int_equal(b->heard[i].token, token);
    assert_int_equal(b->heard[i].how, RUN_END_EXIT);
    assert_int_equal(b->heard[i].value, value);
}

#define NEED_ROOT()                                                                                          \
    do {                                                                                                     \
        if (geteuid() != 0)                                                                                  \
            skip();                                                                                          \
    } while (0)

/* Ends with 7 when another one runs at the same time. */
#define ALONE                                                                                                \
    "trap 'sleep 0.2; rmdir $0/lock; exit 9' TERM; mkdir $0/lock || exit 7; "                                \
    "for i in 1 2 3 4 5; do sleep 0.1; done; rmdir $0/lock"

static void test_one_at_a_time(void **state)
{
    struct bench *b = *state;
    uint32_t id[1];

    NEED_ROOT();
    configure(b, 0, (const char *const[]){ "a", NULL }, ALONE, id);
    assert_int_equal(ask(b, 0, id[0], 1), 0);
    turn(b, 1, 200 * NS_PER_MS);
    assert_int_equal(b->nheard, 0);
    assert_int_equal(ask(b, 0, id[0], 2), 0); /* the former one is stopped, this one waits for its end */
    assert_int_equal(ask(b, 0, id[0], 3), 0); /* and this takes the place of the one that waits */
    turn(b, 1, 10 * NS_PER_SEC);
    answer_is(b, 0, id[0], 3, 0);
    turn(b, 2, 300 * NS_PER_MS);
    assert_int_equal(b->nheard, 1);
    assert_int_equal(ask(b, 0, id[0] + 1, 4), -1); /* no object with a command */
}

static void test_cancelled(void **state)
{
    struct bench *b = *state;
    uint32_t id[1];

    NEED_ROOT();
    configure(b, 0, (const char *const[]){ "a", NULL }, ALONE, id);
    assert_int_equal(ask(b, 0, id[0], 1), 0);
    cancel(b, 0, id[0]);
    cancel(b, 0, id[0]);
    assert_int_equal(ask(b, 0, id[0], 2), 0);
    turn(b, 1, 10 * NS_PER_SEC);
    answer_is(b, 0, id[0], 2, 0);
    assert_int_equal(b->nheard, 1);
}

/* The run of what stays goes on and answers under its new id; that of what went is stopped and says nothing.
 */
static void test_renumbered(void **state)
{
    struct bench *b = *state;
    uint32_t was[2], is[1];

    NEED_ROOT();
    configure(b, 0, (const char *const[]){ "a", "b", NULL }, "sleep 0.5; exit 3", was);
    configure(b, 1, (const char *const[]){ "b", NULL }, "sleep 0.5; exit 3", is);
    assert_int_equal(is[0], was[0]); /* the id of a means b now */
    assert_int_equal(ask(b, 0, was[0], 1), 0);
    assert_int_equal(ask(b, 0, was[1], 2), 0);
    turn(b, 1, 100 * NS_PER_MS);
    checks_renumber(b->p.checks, ROLE_CHECKD, &b->cf[1]);
    turn(b, 1, 10 * NS_PER_SEC);
    answer_is(b, 0, is[0], 2, 3);
    turn(b, 2, 700 * NS_PER_MS);
    assert_int_equal(b->nheard, 1);
}

/* checkd has changed its mind about b (another kind of verdict from the same script) and asks anew: that is
 * no broken rule, although the run of the former generation lives. */
static void test_asked_anew_after_reload(void **state)
{
    struct bench *b = *state;
    uint32_t was[2], is[1];

    NEED_ROOT();
    configure(b, 0, (const char *const[]){ "a", "b", NULL }, ALONE, was);
    configure(b, 1, (const char *const[]){ "b", NULL }, ALONE, is);
    assert_int_equal(ask(b, 0, was[1], 1), 0);
    turn(b, 1, 100 * NS_PER_MS);
    assert_int_equal(ask(b, 1, is[0], 2), 0);
    turn(b, 1, 10 * NS_PER_SEC);
    answer_is(b, 0, is[0], 2, 0);
    assert_int_equal(b->nheard, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renumbered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asked_anew_after_reload, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
