/*
 * test_service.c - checkd's table of services and servers: decoded by id, matched by natural key over a
 * reload, refused when a server stands nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "checkd/service.h"
#include "common/clock.h"

static struct slice *slice_of(struct slice_writer *w)
{
    size_t len;
    const void *p = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(p, len, ROLE_CHECKD, NULL);

    assert_non_null(s);
    slice_writer_free(w);
    return s;
}

static uint32_t put_vs(struct slice_writer *w, const char *name)
{
    return slice_put_obj(w, BLK_VS, 0, name, 1);
}

static uint32_t put_rs(struct slice_writer *w, uint32_t vs, const char *name, unsigned int checks, bool sorry)
{
    uint32_t rs = slice_put_obj(w, BLK_RS, vs, name, 2);

    if (sorry)
        slice_put_bool(w, KW_RS_X_SORRY, true);
    for (unsigned int i = 0; i < checks; i++)
        slice_put_obj(w, i % 2 ? BLK_HTTP : BLK_TCP, rs, "", 3);
    return rs;
}

static void test_decode(void **state)
{
    struct slice_writer *w = slice_writer_new(ROLE_CHECKD, 4);
    uint32_t a, b, b1, a2;
    struct service_table *t;
    struct err e = { 0 };
    struct slice *s;

    (void)state;
    a = put_vs(w, "10.0.0.1:80:tcp");
    put_rs(w, a, "10.1.0.1:80", 2, false);
    b = put_vs(w, "10.0.0.2:80:tcp");
    b1 = put_rs(w, b, "10.1.0.1:80", 3, false);
    a2 = put_rs(w, a, "10.1.0.9:80", 0, true); /* not beside its kin: order of ids, not of parents */
    s = slice_of(w);
    t = service_table_new(s, &e);
    assert_non_null(t);
    assert_int_equal(t->nservices, 2);
    assert_int_equal(t->nservers, 3);
    assert_int_equal(t->nchecks, 5);
    assert_int_equal(t->nsorry, 1);
    assert_string_equal(service_by_id(t, b)->name, "10.0.0.2:80:tcp");
    assert_int_equal(service_by_id(t, a)->nservers, 1); /* the sorry server is not counted */
    assert_int_equal(service_server_by_id(t, b1)->nchecks, 3);
    assert_true(service_server_by_id(t, a2)->sorry);
    assert_int_equal(t->services[service_server_by_id(t, a2)->service].id, a);
    assert_null(service_by_id(t, b1));
    assert_null(service_server_by_id(t, a));
    assert_null(service_server_by_id(t, 0));
    assert_null(service_server_by_id(t, 4711));
    service_table_free(t);
    slice_free(s);
}

static void test_reload(void **state)
{
    struct slice_writer *w = slice_writer_new(ROLE_CHECKD, 1);
    struct service_table *t1, *t2;
    struct service_change ch;
    struct slice *s1, *s2;
    uint32_t v, x, kept, sorry, fresh;

    (void)state;
    v = put_vs(w, "10.0.0.1:80:tcp");
    put_rs(w, v, "10.1.0.1:80", 1, false);
    put_rs(w, v, "10.1.0.2:80", 1, false);
    put_vs(w, "10.0.0.7:80:tcp");
    s1 = slice_of(w);
    t1 = service_table_new(s1, NULL);
    service_table_adopt(t1, NULL, &ch);
    assert_int_equal(ch.services_added, 2);
    assert_int_equal(ch.servers_added, 2);

    w = slice_writer_new(ROLE_CHECKD, 2);
    x = put_vs(w, "10.0.0.5:80:tcp"); /* new, before the old ones: every id moves */
    put_rs(w, x, "10.1.0.1:80", 1, false);
    v = put_vs(w, "10.0.0.1:80:tcp");
    fresh = put_rs(w, v, "10.1.0.0:80", 1, false);
    kept = put_rs(w, v, "10.1.0.2:80", 4, false);
    sorry =
        put_rs(w, v, "10.1.0.1:80", 0, true); /* the former server is the sorry server now: another thing */
    s2 = slice_of(w);
    t2 = service_table_new(s2, NULL);
    service_table_adopt(t2, t1, &ch);
    assert_int_equal(ch.services_kept, 1);
    assert_int_equal(ch.services_added, 1);
    assert_int_equal(ch.services_removed, 1);
    assert_int_equal(ch.servers_kept, 1);
    assert_int_equal(ch.servers_added, 3);
    assert_int_equal(ch.servers_removed, 1);
    assert_int_equal(service_by_id(t2, v)->since, 1);
    assert_int_equal(service_by_id(t2, x)->since, 2);
    assert_int_equal(service_server_by_id(t2, kept)->since, 1);
    assert_int_equal(service_server_by_id(t2, fresh)->since, 2);
    assert_int_equal(service_server_by_id(t2, sorry)->since, 2);
    service_table_free(t1);
    slice_free(s1);
    assert_string_equal(service_server_by_id(t2, kept)->name,
                        "10.1.0.2:80"); /* nothing points into the old slice */
    service_table_free(t2);
    slice_free(s2);
}

static void test_refused(void **state)
{
    struct slice_writer *w = slice_writer_new(ROLE_CHECKD, 1);
    struct err e = { 0 };
    struct slice *s;

    (void)state;
    put_vs(w, "10.0.0.1:80:tcp");
    put_rs(w, 0, "10.1.0.1:80", 0, false);
    s = slice_of(w);
    assert_null(service_table_new(s, &e));
    assert_string_equal(e.code, "HF-SLICE");
    slice_free(s);
}

/* Twice 50,000 servers, the second time in other order. */
static void test_large(void **state)
{
    struct service_table *t[2];
    struct service_change ch;
    struct slice *s[2];
    uint64_t t0 = clock_monotonic_ns();

    (void)state;
    for (unsigned int g = 0; g < 2; g++) {
        struct slice_writer *w = slice_writer_new(ROLE_CHECKD, g + 1);

        for (int v = 0; v < 50; v++) {
            char name[40];
            uint32_t vs;

            snprintf(name, sizeof name, "10.0.0.%d:80:tcp", g ? 49 - v : v);
            vs = put_vs(w, name);
            for (int r = 0; r < 1000; r++) {
                snprintf(name, sizeof name, "10.1.%d.%d:80", (g ? 999 - r : r) / 250,
                         (g ? 999 - r : r) % 250);
                put_rs(w, vs, name, 1, false);
            }
        }
        s[g] = slice_of(w);
        t[g] = service_table_new(s[g], NULL);
    }
    service_table_adopt(t[1], t[0], &ch);
    assert_int_equal(ch.servers_kept, 50000);
    assert_int_equal(ch.servers_added + ch.servers_removed, 0);
    for (int g = 0; g < 2; g++) {
        service_table_free(t[g]);
        slice_free(s[g]);
    }
    assert_true(clock_monotonic_ns() - t0 < 10 * NS_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
