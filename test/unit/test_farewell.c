/*
 * test_farewell.c - what a reload removes is told DOWN under its former id and generation; what stays, what
 * was down and sorry servers are not.
 */
#include "chan_util.h"

#include "checkd/farewell.h"

static struct slice *slice_of(struct slice_writer *w)
{
    size_t len;
    const void *p = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(p, len, ROLE_CHECKD, NULL);
    assert_non_null(s);
    slice_writer_free(w);
    return s;
}

static struct slice *slice_old(uint32_t id[6])
{
    struct slice_writer *w = slice_writer_new(ROLE_CHECKD, 1);
    id[0] = slice_put_obj(w, BLK_VS, 0, "10.0.1.1:80:TCP", 1);
    id[1] = slice_put_obj(w, BLK_RS, id[0], "10.0.0.1:80", 2);
    id[2] = slice_put_obj(w, BLK_RS, id[0], "10.0.0.2:80", 3);
    id[3] = slice_put_obj(w, BLK_RS, id[0], "10.0.0.3:80", 4);
    id[4] = slice_put_obj(w, BLK_VS, 0, "10.0.1.2:80:TCP", 5);
    id[5] = slice_put_obj(w, BLK_RS, id[4], "10.0.0.1:80", 6);
    uint32_t sorry = slice_put_obj(w, BLK_RS, id[4], "sorry:10.0.0.9:80", 7);
    slice_put_bool(w, KW_RS_X_SORRY, true);
    assert_int_not_equal(sorry, 0);
    return slice_of(w);
}

static struct slice *slice_new(void)
{
    struct slice_writer *w = slice_writer_new(ROLE_CHECKD, 2);
    uint32_t vs = slice_put_obj(w, BLK_VS, 0, "10.0.1.1:80:TCP", 1);
    slice_put_obj(w, BLK_RS, vs, "10.0.0.1:80", 2);
    return slice_of(w);
}

static void meet(struct end *checkd, struct end *parent)
{
    int pair[2];
    assert_int_equal(chan_pair(pair), 0);
    checkd->ev = ev_new(NULL);
    parent->ev = ev_new(NULL);
    checkd->c = chan_new(checkd->ev, pair[0], ROLE_CHECKD, ROLE_PARENT, &OPS, checkd);
    parent->c = chan_new(parent->ev, pair[1], ROLE_PARENT, ROLE_CHECKD, &OPS, parent);
}

static void test_removed(void **state)
{
    uint32_t id[6];
    struct slice *a = slice_old(id), *b = slice_new();
    struct service_table *cur = service_table_new(a, NULL), *next = service_table_new(b, NULL);
    struct service_change change;
    struct end checkd = { 0 }, parent = { 0 };
    (void)state;
    for (size_t i = 0; i < cur->nservers; i++)
        cur->servers[i].told = cur->servers[i].id != id[3]; /* that one was down */
    for (size_t i = 0; i < cur->nservices; i++)
        cur->services[i].told = true;
    meet(&checkd, &parent);
    service_table_adopt(next, cur, &change);
    farewell_say(checkd.c, NULL, next, cur, 1, 2);
    turns(&checkd, 2);
    turns(&parent, 2);
    assert_int_equal(parent.n, 3);
    assert_int_equal(parent.type[0], MSG_rs_event);
    assert_int_equal(parent.first[0], id[2]);
    assert_int_equal(parent.first[1], id[5]);
    assert_int_equal(parent.type[2], MSG_vs_event);
    assert_int_equal(parent.first[2], id[4]);
    assert_int_equal(parent.generation, 1);
    shut(&checkd);
    shut(&parent);
    service_table_free(cur);
    service_table_free(next);
    slice_free(a);
    slice_free(b);
}

/* A reload that leaves no service ends checkd: everything that was up is told, under the one generation there
 * is. */
static void test_all_removed(void **state)
{
    uint32_t id[6];
    struct slice *a = slice_old(id);
    struct service_table *cur = service_table_new(a, NULL);
    struct end checkd = { 0 }, parent = { 0 };
    (void)state;
    for (size_t i = 0; i < cur->nservers; i++)
        cur->servers[i].told = true;
    cur->services[0].told = true;
    meet(&checkd, &parent);
    farewell_say(checkd.c, NULL, NULL, cur, 1, 1);
    turns(&checkd, 2);
    turns(&parent, 2);
    assert_int_equal(parent.n, 5); /* four servers, not the sorry server; one service of the two was up */
    assert_int_equal(parent.first[0], id[1]);
    assert_int_equal(parent.first[3], id[5]);
    assert_int_equal(parent.type[4], MSG_vs_event);
    assert_int_equal(parent.first[4], id[0]);
    assert_int_equal(parent.generation, 1);
    shut(&checkd);
    shut(&parent);
    service_table_free(cur);
    slice_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_removed), cmocka_unit_test(test_all_removed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
