/*
 * test_config_news.c - the parent's view of instances over a reload: what vrrpd says of the old generation
 * after the parent has taken the new one belongs to the new one too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parent/config.h"
#include "test/unit/conf_tree_util.h"

#define VI(name, vrid)                                                                                       \
    "vrrp_instance " name " {\n interface eth0\n virtual_router_id " #vrid                                   \
    "\n virtual_ipaddress {\n 10.0.0." #vrid "/24\n }\n}\n"

static struct config *load(const char *text, uint32_t generation)
{
    struct tree t;
    struct err e = { 0 };
    int fds[4] = { -1, -1, -1, -1 };
    tree_load(&t, text);
    fds[0] = conf_emit(t.c, ROLE_PARENT, generation);
    tree_unload(&t);
    assert_true(fds[0] >= 0);
    struct config *c = config_new(generation, fds, &e);
    assert_non_null(c);
    return c;
}

static struct config_inst *named(struct config *c, const char *name)
{
    for (size_t i = 0; i < c->ninst; i++)
        if (strcmp(c->inst[i].name, name) == 0)
            return &c->inst[i];
    return NULL;
}

static void says(struct config_inst *i, enum vrrp_state state, uint64_t at, unsigned int priority)
{
    i->state = state;
    i->at = at;
    i->priority = priority;
}

static void late_news(void **state)
{
    (void)state;
    struct config *old = load(VI("A", 51) VI("B", 52) VI("C", 53), 1);
    struct config *now = load(VI("X", 54) VI("B", 52) VI("A", 51), 2); /* other ids */
    says(named(old, "A"), VRRP_STATE_MASTER, 100, 100);
    says(named(old, "B"), VRRP_STATE_MASTER, 100, 100);
    config_carry_states(now, old);
    assert_int_equal(named(now, "A")->state, VRRP_STATE_MASTER);
    says(named(old, "A"), VRRP_STATE_FAULT, 200, 90);
    config_carry_news(now, old, named(old, "A")->id);
    assert_int_equal(named(now, "A")->state, VRRP_STATE_FAULT);
    assert_int_equal(named(now, "A")->at, 200);
    assert_int_equal(named(now, "A")->priority, 90);
    assert_int_equal(named(now, "B")->state, VRRP_STATE_MASTER);
    named(old, "B")->priority = 80; /* a change of priority has no time of its own */
    config_carry_news(now, old, named(old, "B")->id);
    assert_int_equal(named(now, "B")->priority, 80);
    config_carry_news(now, old, named(old, "C")->id); /* no longer there */
    config_carry_news(now, old, 4711);
    assert_int_equal(named(now, "X")->state, VRRP_STATE_INIT);
    config_free(old);
    config_free(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(late_news) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
