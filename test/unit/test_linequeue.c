/*
 * test_linequeue.c - lines for a reader who is slow, stops, comes back: in order, whole, and the lost ones
 * counted.
 */
#include <setjmp.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/linequeue.h"

struct bench {
    struct ev *ev;
    struct linequeue q;
    int fd[2];
    unsigned int put, got;
    char rest[64];
    size_t nrest;
    char said[256];
};

static void heard(enum role who, enum log_level level, const char *text, void *arg)
{
    struct bench *b = arg;
    (void)who;
    (void)level;
    snprintf(b->said, sizeof b->said, "%s", text);
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    log_sink(heard, b);
    b->ev = ev_new(NULL);
    *state = b;
    if (pipe2(b->fd, O_NONBLOCK) < 0)
        return -1;
    linequeue_open(&b->q, b->ev, b->fd[1], "the pipe");
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    linequeue_close(&b->q);
    log_sink(NULL, NULL);
    ev_free(b->ev);
    close(b->fd[0]);
    close(b->fd[1]);
    free(b);
    return 0;
}

static void put(struct bench *b, unsigned int n)
{
    char line[64];
    while (n-- > 0) {
        int len = snprintf(line, sizeof line, "RS [10.0.0.%u]:tcp:80 DOWN %u\n", b->put % 250, b->put);
        b->put++;
        linequeue_put(&b->q, line, (size_t)len);
    }
}

/* Reads what is there; every line must be the next one. */
static void take(struct bench *b, size_t most)
{
    char buf[8192];
    ssize_t n;
    while (most > 0 && (n = read(b->fd[0], buf, most < sizeof buf ? most : sizeof buf)) > 0) {
        most -= (size_t)n;
        for (ssize_t i = 0; i < n; i++) {
            assert_true(b->nrest < sizeof b->rest - 1);
            b->rest[b->nrest++] = buf[i];
            if (buf[i] != '\n')
                continue;
            char want[64];
            snprintf(want, sizeof want, "RS [10.0.0.%u]:tcp:80 DOWN %u\n", b->got % 250, b->got);
            b->rest[b->nrest] = '\0';
            assert_string_equal(b->rest, want);
            b->got++;
            b->nrest = 0;
        }
    }
}

static void test_slow_reader(void **state)
{
    struct bench *b = *state;
    put(b, 20000); /* ten times what a pipe holds */
    assert_int_equal(b->q.lost, 0);
    assert_non_null(b->q.io);
    for (int turn = 0; b->got < b->put && turn < 100000; turn++) {
        take(b, 1000);
        ev_turn(b->ev, 0);
        if (turn == 500)
            put(b, 1000);
    }
    assert_int_equal(b->got, 21000);
    assert_null(b->q.io);
    assert_null(b->q.buf);
    assert_string_equal(b->said, "");
}

static void test_no_reader(void **state)
{
    struct bench *b = *state;
    unsigned int before;
    while (b->q.lost == 0)
        put(b, 1);
    before = b->put - 1; /* the lines that were kept */
    assert_true(b->q.len - b->q.at <= LINEQUEUE_MAX);
    assert_non_null(strstr(b->said, "is full"));
    put(b, 41);
    assert_int_equal(b->q.lost, 42);
    for (int turn = 0; b->got < before && turn < 1000000; turn++) {
        take(b, 65536);
        ev_turn(b->ev, 0);
    }
    assert_int_equal(b->got, before);
    assert_non_null(strstr(b->said, "42 lines were lost"));
    b->put = b->got; /* and it goes on */
    put(b, 3);
    take(b, 65536);
    assert_int_equal(b->got, before + 3);
}

static void test_closed_with_rest(void **state)
{
    struct bench *b = *state;
    put(b, 20000);
    linequeue_close(&b->q);
    take(b, SIZE_MAX);
    assert_true(b->got > 1000 && b->got < 20000);
    char want[64];
    snprintf(want, sizeof want, "%u lines were lost", 20000 - b->got);
    assert_non_null(strstr(b->said, want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_with_rest, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
