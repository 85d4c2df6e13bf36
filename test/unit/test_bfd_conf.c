/*
 * test_bfd_conf.c - bfd_instance through holdfast-conf: defaults, what is started for it, what is refused,
 * and who is told what in the slices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/unit/conf_tree_util.h"

#define B(name, rest) "bfd_instance " name " {\n" rest "}\n"

static struct conf_obj *only(struct tree *s, const char *text)
{
    tree_load(s, text);
    if (tree_errors(s) != 0)
        tree_show(s);
    assert_int_equal(tree_errors(s), 0);
    struct conf_obj *o = conf_next(conf_top(s->c), NULL, BLK_BFD);
    assert_non_null(o);
    return o;
}

static void defaults(void **state)
{
    struct tree s;
    (void)state;
    struct conf_obj *o = only(&s, B("B", "neighbor_ip 10.0.0.3\n"));
    assert_int_equal(conf_uint(o, KW_BFD_MIN_RX, 0), 10000);
    assert_int_equal(conf_uint(o, KW_BFD_MIN_TX, 0), 10000);
    assert_int_equal(conf_uint(o, KW_BFD_IDLE_TX, 0), 1000000);
    assert_int_equal(conf_uint(o, KW_BFD_MULTIPLIER, 0), 5);
    assert_int_equal(conf_uint(o, KW_BFD_TTL, 0), 255);
    assert_int_equal(conf_uint(conf_top(s.c), KW_TOP_X_NEED_VRRP, 9), 1); /* nothing else needs it */
    tree_unload(&s);
    o = only(&s, B("B", "neighbor_ip fd00::3\n")); /* RFC 5881, unlike the incumbent's 64 */
    assert_int_equal(conf_uint(o, KW_BFD_TTL, 0), 255);
    tree_unload(&s);
    o = only(&s, B("B", "neighbor_ip fd00::3\nmultihop\n"));
    assert_int_equal(conf_uint(o, KW_BFD_TTL, 0), 64);
    tree_unload(&s);
    o = only(&s, B("B", "neighbour_ip fd00::3\nhoplimit 64\nidle_tx 300\nmin_rx 20.5\n"));
    assert_int_equal(conf_uint(o, KW_BFD_TTL, 0), 64);
    assert_int_equal(conf_uint(o, KW_BFD_IDLE_TX, 0), 300000);
    assert_int_equal(conf_uint(o, KW_BFD_MIN_RX, 0), 20500);
    tree_unload(&s);
}

static void said(const char *text, const char *code, const char *part)
{
    struct tree s;
    tree_load(&s, text);
    assert_true(tree_said(&s, DIAG_ERROR, code, 0, part));
    tree_unload(&s);
}

static void refused(void **state)
{
    struct tree s;
    (void)state;
    said(B("A", "neighbor_ip 10.0.0.3\n") B("B", "neighbor_ip 10.0.0.3\n"), "HF-DUP", "the port of A");
    said(B("A", "neighbor_ip 10.0.0.3\nsource_ip 10.0.0.1\n")
             B("B", "source_ip 10.0.0.1\nneighbor_ip 10.0.0.3\n"),
         "HF-DUP", "the port of A");
    only(&s, B("A", "neighbor_ip 10.0.0.3\n") B("B", "neighbor_ip 10.0.0.3\nsource_ip 10.0.0.1\n")
                 B("C", "neighbor_ip 10.0.0.3\nmultihop\n") B("D", "neighbor_ip 10.0.0.4\n"));
    tree_unload(&s);
    said(B("A", "neighbor_ip 10.0.0.3\nsource_ip fd00::1\n"), "HF-FAMILY", "different families");
    said(B("A", "neighbor_ip 10.0.0.3\nttl 3\nmax_hops 4\n"), "HF-RANGE", "max_hops");
    said(B("A", "neighbor_ip 10.0.0.3\nmultiplier 0\n"), "HF-RANGE", "");
}

/* vrrpd runs them, ipvsd needs what a socket is made of, checkd the name alone. */
static void slices(void **state)
{
    struct tree s;
    (void)state;
    only(&s, B("B", "neighbor_ip 10.0.0.3\nsource_ip 10.0.0.1\nmax_hops 2\nchecker\nmin_rx 20\n"));
    for (enum role r = ROLE_PARENT; r <= ROLE_IPVSD; r++) {
        struct err e = { 0 };
        int fd = conf_emit(s.c, r, 1);
        assert_true(fd >= 0);
        struct slice *sl = slice_open(fd, r, &e);
        close(fd);
        assert_non_null(sl);
        const struct slice_obj *o = slice_find(sl, BLK_BFD, "B");
        assert_int_equal(o != NULL, r != ROLE_PARENT);
        if (o != NULL) {
            assert_int_equal(slice_has(o, KW_BFD_NEIGHBOR_IP), r != ROLE_CHECKD);
            assert_int_equal(slice_has(o, KW_BFD_TTL), r != ROLE_CHECKD);
            assert_int_equal(slice_has(o, KW_BFD_MAX_HOPS), r != ROLE_CHECKD);
            assert_int_equal(slice_has(o, KW_BFD_MIN_RX), r == ROLE_VRRPD);
            assert_int_equal(slice_bool(o, KW_BFD_CHECKER, false), r != ROLE_IPVSD);
        }
        slice_free(sl);
    }
    tree_unload(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(defaults), cmocka_unit_test(refused),
                                        cmocka_unit_test(slices) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
