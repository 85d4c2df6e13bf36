/*
 * check_util.h - what the tests of checkd's engine share: a slice written in a few words, a clock by hand, a
 * kind of check whose attempts the test ends itself. The engine is the real one; only the network is not
 * there.
 */
#ifndef TEST_UNIT_CHECK_UTIL_H
#define TEST_UNIT_CHECK_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "checkd/engine.h"

#define S  NS_PER_SEC
#define MS NS_PER_MS

struct rig {
    uint64_t now;
    struct clock clk;
    struct checkd d;
    struct slice *slice, *old;
    struct slice_writer *w;
    uint32_t generation;
};

static uint64_t rig_clock(void *arg)
{
    return ((struct rig *)arg)->now;
}

/* An attempt just runs until the test says how it ends. */
static void fake_start(struct checker *k)
{
    (void)k;
}

static struct checker_kind fake_kind = {
    .blk = BLK_TCP, .name = "TCP_CHECK", .start = fake_start, .cancel = fake_start
};

static void rig_init(struct rig *r)
{
    *r = (struct rig){ .now = 1000 * S };
    log_set_level(LOG_LEVEL_ERR); /* what is judged is tested, not how it reads */
    r->clk = (struct clock){ .now = rig_clock, .arg = r };
    r->d.ev = ev_new(&r->clk);
    r->d.random = 42;
    r->w = slice_writer_new(ROLE_CHECKD, ++r->generation);
}

static uint32_t put_vs(struct rig *r, const char *name, unsigned int quorum, unsigned int hysteresis)
{
    uint32_t id = slice_put_obj(r->w, BLK_VS, 0, name, 1);

    slice_put_uint(r->w, KW_VS_QUORUM, quorum);
    slice_put_uint(r->w, KW_VS_HYSTERESIS, hysteresis);
    return id;
}

static uint32_t put_rs(struct rig *r, uint32_t vs, const char *name, unsigned int weight)
{
    uint32_t id = slice_put_obj(r->w, BLK_RS, vs, name, 2);

    slice_put_uint(r->w, KW_RS_WEIGHT, weight);
    return id;
}

struct timers {
    double loop, before_retry, warmup;
    unsigned int retry, port;
    bool alpha;
};

static uint32_t put_check(struct rig *r, uint32_t rs, const struct timers *t)
{
    uint32_t id = slice_put_obj(r->w, BLK_TCP, rs, "", 3);
    struct ipaddr ip;

    ipaddr_parse("127.0.0.1", &ip);
    slice_put_ip(r->w, KW_TCP_CONNECT_IP, &ip);
    slice_put_uint(r->w, KW_TCP_CONNECT_PORT, t->port != 0 ? t->port : 80);
    slice_put_us(r->w, KW_TCP_DELAY_LOOP, (uint64_t)(t->loop * 1e6));
    slice_put_us(r->w, KW_TCP_DELAY_BEFORE_RETRY, (uint64_t)(t->before_retry * 1e6));
    slice_put_us(r->w, KW_TCP_WARMUP, (uint64_t)(t->warmup * 1e6));
    slice_put_uint(r->w, KW_TCP_RETRY, t->retry);
    if (t->alpha)
        slice_put_bool(r->w, KW_TCP_ALPHA, true);
    return id;
}

/* The table of what has been put; its checks are the fake kind. */
static struct service_table *rig_table(struct rig *r)
{
    struct err e = { 0 };
    size_t len;
    const void *p = slice_writer_bytes(r->w, &len);
    struct slice *s = slice_parse(p, len, ROLE_CHECKD, &e);
    struct service_table *t;

    assert_non_null(s);
    slice_writer_free(r->w);
    r->w = NULL;
    t = service_table_new(s, &e);
    assert_non_null(t);
    assert_int_equal(engine_build(&r->d, t, s, &e), 0);
    for (size_t i = 0; i < t->ncheckers; i++)
        t->checkers[i].kind = &fake_kind;
    r->old = r->slice;
    r->slice = s;
    return t;
}

static inline void rig_reload_begin(struct rig *r)
{
    r->w = slice_writer_new(ROLE_CHECKD, ++r->generation);
}

static inline void rig_reload(struct rig *r)
{
    struct service_table *next = rig_table(r);
    struct service_change change;

    service_table_adopt(next, r->d.now, &change);
    engine_take_over(&r->d, next, r->d.now);
    engine_settle(&r->d);
    slice_free(r->old);
    r->old = NULL;
}

static void rig_free(struct rig *r)
{
    engine_drop(&r->d, r->d.now);
    slice_free(r->slice);
    ev_free(r->d.ev);
}

static void rig_go(struct rig *r, uint64_t ns)
{
    r->now += ns;
    ev_now_refresh(r->d.ev);
    ev_timers_run(r->d.ev, r->now);
    engine_settle(&r->d);
}

static void rig_start(struct rig *r)
{
    struct service_change change;

    r->d.now = rig_table(r);
    service_table_adopt(r->d.now, NULL, &change);
    engine_begin(&r->d, false);
    engine_settle(&r->d);
    rig_go(r, ENGINE_MARGIN_NS);
}

static struct checker *rig_check(struct rig *r, size_t i)
{
    return &r->d.now->checkers[i];
}

static struct server *rig_server(struct rig *r, size_t i)
{
    return &r->d.now->servers[i];
}

static void rig_pass(struct rig *r, size_t i)
{
    assert_true(rig_check(r, i)->running);
    checker_passed(rig_check(r, i), "connected");
    engine_settle(&r->d);
}

static void rig_fail(struct rig *r, size_t i)
{
    assert_true(rig_check(r, i)->running);
    checker_failed(rig_check(r, i), "refused");
    engine_settle(&r->d);
}

/* In ms from now until the check's next attempt. */
static inline uint64_t rig_next(struct rig *r, size_t i)
{
    assert_true(ev_timer_armed(&rig_check(r, i)->due));
    return (rig_check(r, i)->due.deadline - r->now) / MS;
}

#endif
