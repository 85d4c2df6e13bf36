/*
 * engine_bench.h - the state machine on a clock of its own, for test_engine*.c. The bench records what the
 * engine says.
 */
#ifndef HOLDFAST_TEST_ENGINE_BENCH_H
#define HOLDFAST_TEST_ENGINE_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vrrpd/engine.h"

#define S(x) ((uint64_t)((x)*1e9 + 0.5))
#define T0   S(1000)

struct bench {
    struct engine e;
    uint64_t now, armed;
    unsigned int adverts, resigns, garps, learned, transitions;
    uint64_t last_advert;
    char order[16]; /* a: advert, r: resignation, s: state */
    size_t norder;
};

static inline void bench_mark(struct bench *b, char c)
{
    if (b->norder < sizeof b->order - 1)
        b->order[b->norder++] = c;
}

static inline void on_send(void *arg, bool resign)
{
    struct bench *b = arg;
    b->adverts += !resign;
    b->resigns += resign;
    b->last_advert = b->now;
    bench_mark(b, resign ? 'r' : 'a');
}

static inline void on_state(void *arg, enum vrrp_state from, const char *cause)
{
    struct bench *b = arg;
    assert_true(from != b->e.state);
    assert_true(strlen(cause) > 0);
    b->transitions++;
    bench_mark(b, 's');
}

static inline void on_garp(void *arg)
{
    ((struct bench *)arg)->garps++;
}

static inline void on_learned(void *arg)
{
    ((struct bench *)arg)->learned++;
}

/* A look before the end is not what these tests ask for; the end is. */
static inline void on_arm(void *arg, uint64_t deadline)
{
    struct bench *b = arg;
    uint64_t end = engine_deadline(&b->e), look = engine_overdue_at(&b->e);
    assert_true(deadline == (look < end ? look : end));
    b->armed = end;
}

static const struct engine_ops ops = { on_send, on_state, on_garp, on_learned, on_arm, NULL };

static inline struct engine_cfg config(uint8_t version, uint8_t priority, double interval)
{
    return (struct engine_cfg){
        .version = version, .priority = priority, .down_adverts = 3, .interval = S(interval)
    };
}

static inline void bench_init(struct bench *b, struct engine_cfg c)
{
    struct ipaddr src;
    memset(b, 0, sizeof *b);
    b->now = T0;
    b->armed = TIME_NEVER;
    engine_init(&b->e, &c, &ops, b);
    ipaddr_parse("10.0.0.5", &src);
    engine_set_source(&b->e, &src);
}

static inline void bench_start(struct bench *b, struct engine_cfg c)
{
    bench_init(b, c);
    engine_start(&b->e, T0, T0);
}

/* Lets time pass until t, firing the timer exactly when it is due. */
static inline void bench_run(struct bench *b, uint64_t t)
{
    while (b->armed <= t) {
        b->now = b->armed;
        engine_timer(&b->e, b->now);
    }
    b->now = t;
}

static inline void bench_rx(struct bench *b, const char *src, uint8_t priority, double interval)
{
    struct engine_advert a = { .priority = priority, .interval = S(interval) };
    ipaddr_parse(src, &a.src);
    engine_rx(&b->e, &a, b->now, b->now);
}

static inline void bench_master(struct bench *b, struct engine_cfg c)
{
    bench_start(b, c);
    bench_run(b, b->armed);
    assert_int_equal(b->e.state, VRRP_STATE_MASTER);
    b->adverts = b->resigns = b->transitions = b->garps = b->learned = 0;
    b->norder = 0;
    memset(b->order, 0, sizeof b->order);
}

#endif
