/*
 * check_bench.h - shared by the unit tests of the kinds of checks: one service, one server, one check under
 * the real engine. Each test links it as source; cmocka.h stands before it.
 */
#ifndef TEST_CHECK_BENCH_H
#define TEST_CHECK_BENCH_H

#include "checkd/engine.h"

#define TIMEOUT_US 300000

/* ---- the bench: one service, one server, one check --------------------------------------------- */

struct bench {
    struct ev *ev;
    struct checkd d;
    struct slice *s;
    struct slice_writer *w;
    uint32_t rs;
    struct checker *k;
    struct checker_common saved;
};

static char last_line[LOG_LINE_MAX]; /* of the log, about a real server */

static inline void hear(enum role who, enum log_level level, const char *text, void *arg)
{
    (void)who;
    (void)level;
    (void)arg;
    if (strncmp(text, "real server ", 12) == 0)
        snprintf(last_line, sizeof last_line, "%s", text);
}

static inline void bench_begin(struct bench *b)
{
    memset(b, 0, sizeof *b);
    last_line[0] = '\0';
    log_sink(hear, NULL);
    b->ev = ev_new(NULL);
    b->d.ev = b->ev;
    b->w = slice_writer_new(ROLE_CHECKD, 1);
    slice_put_obj(b->w, BLK_TFILE, 0, "f", 1);
    slice_put_obj(b->w, BLK_BFD, 0, "B1", 2);
    uint32_t vs = slice_put_obj(b->w, BLK_VS, 0, "10.0.0.1:25:TCP", 3);
    slice_put_uint(b->w, KW_VS_QUORUM, 1);
    b->rs = slice_put_obj(b->w, BLK_RS, vs, "10.0.0.2:25", 4);
    slice_put_uint(b->w, KW_RS_WEIGHT, 10);
}

static inline void bench_go(struct bench *b)
{
    struct err e = { 0 };
    struct service_change change;
    size_t len;
    const void *p = slice_writer_bytes(b->w, &len);

    b->s = slice_parse(p, len, ROLE_CHECKD, &e);
    if (b->s == NULL)
        print_error("%s\n", e.text);
    assert_non_null(b->s);
    slice_writer_free(b->w);
    b->d.now = service_table_new(b->s, &e);
    assert_non_null(b->d.now);
    if (engine_build(&b->d, b->d.now, b->s, &e) < 0)
        fail_msg("%s", e.text);
    service_table_adopt(b->d.now, NULL, &change);
    engine_begin(&b->d, false);
    b->k = &b->d.now->checkers[0];
    if (!b->k->kind->passive) /* not a second later, as at a real start */
        engine_schedule(&b->d, b->k, ev_now(b->ev));
}

static inline void bench_end(struct bench *b)
{
    engine_drop(&b->d, b->d.now);
    slice_free(b->s);
    ev_free(b->ev);
    log_sink(NULL, NULL);
}

/* Until n attempts have ended. */
static inline void bench_attempts(struct bench *b, uint64_t n)
{
    uint64_t end = clock_monotonic_ns() + 5 * NS_PER_SEC;

    while (b->d.attempts < n || b->d.running > 0) {
        if (clock_monotonic_ns() > end)
            fail_msg("%llu attempts, %zu running: no end", (unsigned long long)b->d.attempts, b->d.running);
        ev_turn(b->ev, 10 * NS_PER_MS);
        engine_settle(&b->d);
    }
}

/* The next check is far away: one attempt a bench unless a test says otherwise. */
static inline void put_dest(struct slice_writer *w, enum kw ip, enum kw port, uint16_t n, enum kw timeout)
{
    struct ipaddr a;

    ipaddr_parse("127.0.0.1", &a);
    slice_put_ip(w, ip, &a);
    if (port != KW_NONE)
        slice_put_uint(w, port, n);
    slice_put_us(w, timeout, TIMEOUT_US);
}

static inline void expect_up(struct bench *b)
{
    bench_attempts(b, 1);
    if (b->d.failures != 0 || !b->k->up)
        fail_msg("failed: %s", last_line);
    bench_end(b);
}

static inline void expect_down(struct bench *b, const char *why)
{
    bench_attempts(b, 1);
    assert_false(b->k->up);
    if (strstr(last_line, why) == NULL)
        fail_msg("\"%s\" not in: %s", why, last_line);
    bench_end(b);
}

#endif
