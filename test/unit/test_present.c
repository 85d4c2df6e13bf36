/*
 * test_present.c - whether addresses of services with ha_suspend are on the machine: several interfaces,
 * several services, dumps, reload.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/if_addr.h>

#include <cmocka.h>

#include "ipvsd/present.h"
#include "test/unit/conf_tree_util.h"

#define VS(where, more)                                                                                      \
    "virtual_server " where " {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n" more                            \
    " real_server 10.0.1.1 80 {\n weight 1\n }\n}\n"
#define VS6(where, more)                                                                                     \
    "virtual_server " where " {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n" more                            \
    " real_server fd00::1 80 {\n weight 1\n }\n}\n"

static struct slice *load(struct tree *t, const char *text)
{
    tree_load(t, text);
    struct slice *s = tree_slice(t, ROLE_IPVSD);
    assert_non_null(s);
    return s;
}

static uint32_t id(const struct slice *s, const char *name)
{
    const struct slice_obj *o = slice_find(s, BLK_VS, name);
    assert_non_null(o);
    return o->id;
}

static struct kevent_addr at(const char *addr, uint32_t ifindex)
{
    struct kevent_addr a = { .ifindex = ifindex };
    assert_int_equal(ipaddr_parse_prefix(addr, &a.addr), 0);
    return a;
}

static void come_and_go(void **state)
{
    struct tree t;
    (void)state;
    struct slice *s = load(&t, VS("10.0.0.1 80", " ha_suspend\n") VS("10.0.0.1 81", " ha_suspend\n")
                                   VS("10.0.0.2 80", "") VS6("fd00::5 80", " ha_suspend\n"));
    struct present *p = present_new(PRESENT_SERVICES);
    uint32_t a = id(s, "10.0.0.1:80:TCP"), b = id(s, "10.0.0.1:81:TCP"), c = id(s, "[fd00::5]:80:TCP");
    assert_true(present_configure(p, s));
    assert_false(present_is(p, a));
    struct kevent_addr one = at("10.0.0.1/24", 3), two = at("10.0.0.1/32", 4), six = at("fd00::5/128", 3),
                       other = at("10.0.0.9/24", 3);
    present_on_addr(p, &other);
    assert_false(present_is(p, a));
    present_on_addr(p, &one);
    present_on_addr(p, &one); /* flags changed, said twice */
    present_on_addr(p, &two);
    assert_true(present_is(p, a));
    assert_true(present_is(p, b));
    assert_false(present_is(p, c));
    present_on_addr_gone(p, &one);
    assert_true(present_is(p, a)); /* still on the other interface */
    present_on_link_gone(p, 4);
    assert_false(present_is(p, a));
    assert_false(present_is(p, b));
    present_on_addr(p, &six);
    assert_true(present_is(p, c));
    six.flags = IFA_F_DADFAILED;
    present_on_addr(p, &six);
    assert_false(present_is(p, c));
    assert_false(present_is(p, id(s, "10.0.0.2:80:TCP")));
    present_free(p);
    slice_free(s);
    tree_unload(&t);
}

static void dump(void **state)
{
    struct tree t;
    (void)state;
    struct slice *s = load(&t, VS("10.0.0.1 80", " ha_suspend\n") VS("10.0.0.2 80", " ha_suspend\n"));
    struct present *p = present_new(PRESENT_SERVICES);
    uint32_t a = id(s, "10.0.0.1:80:TCP"), b = id(s, "10.0.0.2:80:TCP");
    struct kevent_addr one = at("10.0.0.1/24", 3), two = at("10.0.0.2/24", 3), three = at("10.0.0.1/24", 5);
    present_configure(p, s);
    present_on_addr(p, &one);
    present_on_addr(p, &two);
    present_on_addr(p, &three);
    present_dump_begin(p);
    assert_true(present_is(p, a)); /* nothing is believed gone before the end of the dump */
    present_on_addr(p, &three);
    present_dump_end(p);
    assert_true(present_is(p, a));
    assert_false(present_is(p, b));
    present_on_addr_gone(p, &three);
    assert_false(present_is(p, a));
    present_free(p);
    slice_free(s);
    tree_unload(&t);
}

static void reload(void **state)
{
    struct tree t, u, v;
    (void)state;
    struct slice *s = load(&t, VS("10.0.0.1 80", " ha_suspend\n"));
    struct slice *n = load(&u, VS("10.0.0.7 80", "") VS("10.0.0.1 8080", " ha_suspend\n")
                                   VS("10.0.0.1 80", " ha_suspend\n"));
    struct slice *m = load(&v, VS("10.0.0.2 80", " ha_suspend\n"));
    struct present *p = present_new(PRESENT_SERVICES);
    struct kevent_addr one = at("10.0.0.1/24", 3);
    assert_true(present_configure(p, s));
    present_on_addr(p, &one);
    assert_false(present_configure(p, n)); /* no address that was not asked for before */
    assert_true(present_is(p, id(n, "10.0.0.1:80:TCP")));
    assert_true(present_is(p, id(n, "10.0.0.1:8080:TCP")));
    assert_false(present_is(p, id(n, "10.0.0.7:80:TCP")));
    assert_true(present_configure(p, m));
    assert_false(present_is(p, id(m, "10.0.0.2:80:TCP")));
    present_free(p);
    slice_free(s);
    slice_free(n);
    slice_free(m);
    tree_unload(&t);
    tree_unload(&u);
    tree_unload(&v);
}

static void nothing_to_wait_for(void **state)
{
    struct tree t;
    (void)state;
    struct slice *s = load(&t, VS("fwmark 7", " ha_suspend\n"));
    const struct slice_obj *o = slice_next(s, NULL, BLK_VS, SLICE_ANY_PARENT);
    struct present *p = present_new(PRESENT_SERVICES);
    assert_non_null(o);
    assert_false(present_configure(p, s));
    assert_true(!slice_bool(o, KW_VS_HA_SUSPEND, false) || present_is(p, o->id));
    present_free(p);
    slice_free(s);
    tree_unload(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(come_and_go),
        cmocka_unit_test(dump),
        cmocka_unit_test(reload),
        cmocka_unit_test(nothing_to_wait_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
