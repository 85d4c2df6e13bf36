/*
 * test_order.c - the operator's orders: the file that carries them, what an engine does under them, what a
 * drained server is worth, and the slices a reload on trial goes back to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkd/verdict.h"
#include "common/slice.h"
#include "parent/order.h"
#include "vrrpd/engine.h"

#define S(x) ((uint64_t)((x)*1e9 + 0.5))
#define T0   S(1000)

/* ---- the file */

static void put(struct orders *o, enum order_kind kind, const char *scope, const char *name, uint32_t weight,
                uint8_t raise)
{
    struct order *k = orders_add(o);
    assert_non_null(k);
    k->kind = kind;
    k->weight = weight;
    k->raise = raise;
    k->since = 7;
    strcpy(k->scope, scope);
    strcpy(k->name, name);
}

static void test_round_trip(void **state)
{
    struct orders a = { 0 }, b = { 0 };
    size_t len, again;
    (void)state;
    put(&a, ORDER_WEIGHT, "10.0.0.100:80:tcp", "10.0.0.1:80", 0, 0);
    put(&a, ORDER_WEIGHT, "10.0.0.100:443:tcp", "10.0.0.1:80", 9, 0);
    put(&a, ORDER_YIELD, "", "VI_1", 0, 0);
    put(&a, ORDER_TAKEOVER, "", "VI_2", 0, 101);
    uint8_t *p = orders_encode(&a, &len);
    assert_int_equal(orders_decode(&b, p, len), 0);
    assert_int_equal(b.n, 4);
    assert_int_equal(orders_find(&b, ORDER_WEIGHT, "10.0.0.100:443:tcp", "10.0.0.1:80")->weight, 9);
    assert_null(orders_find(&b, ORDER_WEIGHT, "10.0.0.100:8080:tcp", "10.0.0.1:80"));
    assert_int_equal(orders_find(&b, ORDER_YIELD, "", "VI_2")->raise, 101); /* one order an instance */
    uint8_t *q = orders_encode(&b, &again);
    assert_int_equal(len, again);
    assert_memory_equal(p, q, len);
    orders_free(&b);
    for (size_t cut = 0; cut < len; cut++) { /* what is torn is refused whole */
        assert_int_equal(orders_decode(&b, p, cut), -1);
        assert_int_equal(b.n, 0);
    }
    for (size_t i = 0; i < len; i++) { /* no byte is looked at without being checked */
        uint8_t *bad = malloc(len);
        memcpy(bad, p, len);
        bad[i] ^= 0x80;
        if (orders_decode(&b, bad, len) == 0)
            orders_free(&b);
        free(bad);
    }
    free(p);
    free(q);
    orders_free(&a);
}

static void test_file_refused(void **state)
{
    static const struct {
        enum order_kind kind;
        const char *scope, *name;
        uint32_t weight;
        uint8_t raise;
    } rows[] = {
        { ORDER_YIELD, "", "", 0, 0 },        { ORDER_YIELD, "x", "VI", 0, 0 },
        { ORDER_YIELD, "", "VI", 5, 0 },      { ORDER_YIELD, "", "VI", 0, 5 },
        { ORDER_TAKEOVER, "", "VI", 0, 255 }, { ORDER_WEIGHT, "v", "a\nb", 0, 0 },
        { ORDER_WEIGHT, "v", "s", 0, 1 },     { ORDER_WEIGHT, "v", "s", 0x80000000u, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct orders a = { 0 }, b = { 0 };
        size_t len;
        put(&a, rows[i].kind, rows[i].scope, rows[i].name, rows[i].weight, rows[i].raise);
        void *p = orders_encode(&a, &len);
        assert_int_equal(orders_decode(&b, p, len), -1);
        free(p);
        orders_free(&a);
    }
    struct orders a = { 0 }, b = { 0 };
    size_t len;
    put(&a, ORDER_YIELD, "", "VI", 0, 0);
    put(&a, ORDER_TAKEOVER, "", "VI", 0, 1); /* two orders for one instance */
    void *p = orders_encode(&a, &len);
    assert_int_equal(orders_decode(&b, p, len), -1);
    free(p);
    orders_free(&a);
}

static void test_remove(void **state)
{
    struct orders a = { 0 };
    (void)state;
    put(&a, ORDER_YIELD, "", "A", 0, 0);
    put(&a, ORDER_YIELD, "", "B", 0, 0);
    put(&a, ORDER_YIELD, "", "C", 0, 0);
    orders_remove(&a, 1);
    assert_int_equal(a.n, 2);
    assert_null(orders_find(&a, ORDER_YIELD, "", "B"));
    assert_non_null(orders_find(&a, ORDER_YIELD, "", "C"));
    orders_free(&a);
}

/* ---- the engine */

struct bench {
    struct engine e;
    unsigned int adverts, resigns;
};

static void on_send(void *arg, bool resign)
{
    struct bench *b = arg;
    b->adverts += !resign;
    b->resigns += resign;
}

static void on_state(void *arg, enum vrrp_state from, const char *cause)
{
    (void)arg;
    (void)from;
    assert_true(strlen(cause) > 0);
}

static void on_nothing(void *arg)
{
    (void)arg;
}

static void on_arm(void *arg, uint64_t deadline)
{
    (void)arg;
    (void)deadline;
}

static const struct engine_ops ops = { on_send, on_state, on_nothing, on_nothing, on_arm, NULL };

static void bench_start(struct bench *b, uint8_t priority)
{
    struct engine_cfg c = { .version = 3, .priority = priority, .down_adverts = 3, .interval = S(1) };
    struct ipaddr src;
    memset(b, 0, sizeof *b);
    engine_init(&b->e, &c, &ops, b);
    ipaddr_parse("10.0.0.5", &src);
    engine_set_source(&b->e, &src);
    engine_start(&b->e, T0, T0);
}

static void hear(struct bench *b, uint64_t at, uint8_t priority)
{
    struct engine_advert a = { .priority = priority, .interval = S(1) };
    ipaddr_parse("10.0.0.9", &a.src);
    engine_rx(&b->e, &a, at, at);
}

static void test_give_way(void **state)
{
    struct bench b;
    uint64_t t = T0 + S(4);
    (void)state;
    bench_start(&b, 200);
    engine_timer(&b.e, t);
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    engine_give_way(&b.e, t, "ordered");
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_int_equal(b.resigns, 1);
    for (int i = 0; i < 20; i++) { /* a lower master is respected as long as it speaks */
        t += S(1);
        hear(&b, t, 100);
        engine_timer(&b.e, t);
        assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    }
    engine_timer(&b.e, t + S(3.0)); /* 3 intervals + 56/256: not yet */
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    engine_timer(&b.e, t + S(3.3));
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    assert_false(b.e.gives_way); /* and with that it is over: a lower master is preempted again */
}

/* Nobody else is there: the service comes back after one master-down interval. */
static void test_give_way_alone(void **state)
{
    struct bench b;
    uint64_t t = T0 + S(4);
    (void)state;
    bench_start(&b, 200);
    engine_timer(&b.e, t);
    engine_give_way(&b.e, t, "ordered");
    engine_timer(&b.e, t + S(3));
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    engine_timer(&b.e, t + S(3.3));
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
}

/* It was about to preempt when the order came. */
static void test_give_way_in_time(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b, 200);
    hear(&b, T0 + S(3), 100);
    assert_true(b.e.discarding);
    engine_give_way(&b.e, T0 + S(3.1), "ordered");
    engine_timer(&b.e, T0 + S(3.3));
    assert_int_equal(b.e.state, VRRP_STATE_BACKUP);
    assert_int_equal(b.resigns, 0);
}

static void test_take(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b, 100);
    hear(&b, T0 + S(1), 150);
    engine_set_priority(&b.e, 151);
    engine_take(&b.e, T0 + S(1.5), "ordered");
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    assert_int_equal(b.adverts, 1);
    hear(&b, T0 + S(1.6), 150); /* the former master has not heard us yet */
    assert_int_equal(b.e.state, VRRP_STATE_MASTER);
    engine_take(&b.e, T0 + S(2), "again"); /* nothing to do */
    engine_fault(&b.e, T0 + S(3), "link");
    engine_take(&b.e, T0 + S(4), "in a fault");
    assert_int_equal(b.e.state, VRRP_STATE_FAULT);
}

/* ---- verdicts */

static void test_drained(void **state)
{
    (void)state;
    assert_true(verdict_drained(true, false).in); /* whatever the sorry server does */
    assert_int_equal(verdict_drained(true, false).weight, 0);
    assert_false(verdict_drained(false, false).in); /* a dead one goes as ever */
    assert_true(verdict_drained(false, true).in);
    assert_int_equal(verdict_drained(false, true).weight, 0);
}

/* ---- a slice again */

static void test_slice_again(void **state)
{
    struct err e = { 0 };
    (void)state;
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 3);
    for (int i = 0; i < 5000; i++) { /* longer than a piece */
        slice_put_obj(w, BLK_VI, 0, "VI_1", 1);
        slice_put_uint(w, KW_VI_PRIORITY, 150);
    }
    int fd = slice_writer_finish(w), again = slice_again(fd, 9);
    assert_true(fd >= 0 && again >= 0);
    struct slice *a = slice_open(fd, ROLE_VRRPD, &e), *b = slice_open(again, ROLE_VRRPD, &e);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(slice_generation(a), 3);
    assert_int_equal(slice_generation(b), 9);
    assert_int_equal(slice_count(a), slice_count(b));
    for (size_t i = 0; i < slice_count(a); i++)
        assert_true(slice_obj_same(slice_at(a, i), slice_at(b, i)));
    slice_free(a);
    slice_free(b);
    close(fd);
    close(again);
    assert_int_equal(slice_again(-1, 9), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_file_refused),
        cmocka_unit_test(test_remove),         cmocka_unit_test(test_give_way),
        cmocka_unit_test(test_give_way_alone), cmocka_unit_test(test_give_way_in_time),
        cmocka_unit_test(test_take),           cmocka_unit_test(test_drained),
        cmocka_unit_test(test_slice_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
