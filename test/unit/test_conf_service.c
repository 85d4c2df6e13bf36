/*
 * test_conf_service.c - what a virtual server hands to IPVS where keywords depend on each other: what has no
 * effect is said and taken out, so that the kernel's table shows what is in force.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/unit/conf_tree_util.h"

#define RS(ip)               " real_server " ip " 80 {\n }\n"
#define VS(head, body)       "virtual_server " head " {\n lb_algo rr\n lb_kind NAT\n" body RS("10.0.0.2") "}\n"
#define TUN(head, body, ...) "virtual_server " head " {\n lb_algo rr\n lb_kind TUN\n" body __VA_ARGS__ "}\n"

static const struct conf_obj *service(struct tree *s, const char *text)
{
    tree_load(s, text);
    assert_int_equal(tree_errors(s), 0);
    return conf_next(conf_top(s->c), NULL, BLK_VS);
}

static void keeps(const char *text, enum kw kw, bool kept)
{
    struct tree s;
    assert_int_equal(conf_get(service(&s, text), kw) != NULL, kept);
    assert_int_equal(tree_said(&s, DIAG_WARNING, "HF-NO-EFFECT", 0, schema_kw(kw)->name), !kept);
    tree_unload(&s);
}

static void without_effect(void **state)
{
    (void)state;
    keeps(VS("10.0.0.1 80", " protocol UDP\n ops\n"), KW_VS_OPS, true);
    keeps(VS("fwmark 7", " ops\n"), KW_VS_OPS, true);
    keeps(VS("10.0.0.1 80", " protocol TCP\n ops\n"), KW_VS_OPS, false);
    keeps(VS("10.0.0.1 80", " protocol UDP\n persistence_engine sip\n persistence_timeout 9\n"),
          KW_VS_PERSISTENCE_ENGINE, true);
    keeps(VS("10.0.0.1 80", " protocol UDP\n persistence_engine sip\n persistence_granularity 24\n"),
          KW_VS_PERSISTENCE_ENGINE, true);
    keeps(VS("10.0.0.1 80", " protocol UDP\n persistence_engine sip\n"), KW_VS_PERSISTENCE_ENGINE, false);
}

static uint64_t family(const char *text)
{
    struct tree s;
    uint64_t f = conf_uint(service(&s, text), KW_VS_X_FAMILY, 0);
    tree_unload(&s);
    return f;
}

/* The incumbent's table of a fwmark service says the same of each. */
static void families(void **state)
{
    (void)state;
    assert_int_equal(family(VS("fwmark 7", "")), 4);
    assert_int_equal(family(TUN("fwmark 7", "", RS("2001:db8::1"))), 6);
    assert_int_equal(family(TUN("fwmark 7", "", RS("10.0.0.2") RS("2001:db8::1"))), 4);
    assert_int_equal(family(TUN("fwmark 7", "", RS("2001:db8::1") RS("10.0.0.2"))), 4);
    assert_int_equal(family(TUN("fwmark 7", " ip_family inet6\n", RS("10.0.0.2"))), 6);
    assert_int_equal(family(TUN("fwmark 7", " ip_family inet\n", RS("2001:db8::1"))), 4);
    assert_int_equal(family(TUN("fwmark 7", " persistence_granularity 64\n", RS("10.0.0.2"))), 6);
    assert_int_equal(family(TUN("fwmark 7", " persistence_granularity 255.255.0.0\n", RS("2001:db8::1"))), 4);
    assert_int_equal(family(VS("fwmark 7", " persistence_granularity 24\n")), 4);
    assert_int_equal(
        family(TUN("fwmark 7", " persistence_granularity 64\n ip_family inet\n", RS("10.0.0.2"))), 4);
    assert_int_equal(family(TUN("10.0.0.1 80", " protocol TCP\n", RS("2001:db8::1"))), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(without_effect), cmocka_unit_test(families) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
