/*
 * test_simulate.c - `holdctl check` on real texts: through the parser to the model, then lint and simulation.
 * Who is MASTER, which check never moves the VIP, what makes two configurations refuse each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_tree_util.h"
#include "parent/conf/model.h"
#include "parent/ctl/check.h"
#include "parent/ctl/simulate.h"

#define SCRIPT(name, extra) "vrrp_script " name " {\n script /bin/true\n interval 1\n" extra "}\n"
#define ROUTER(vrid, prio, extra)                                                                            \
    "vrrp_instance VI_1 {\n state BACKUP\n interface eth0\n virtual_router_id " vrid "\n priority " prio     \
    "\n virtual_ipaddress {\n 192.0.2.9\n }\n" extra "}\n"
#define TRACKS(name) " track_script {\n " name "\n }\n"

struct pair {
    struct tree t[2];
    json_t *doc[2];
    struct node node[2];
    size_t n;
    struct findings l;
    struct sim *sim;
    size_t nsim;
};

static const uint8_t key[MODEL_KEY_LEN] = { 1, 2, 3 };

static void load_one(struct pair *p, const char *text)
{
    static const char *const labels[] = { "A", "B" };
    char *out = NULL;
    size_t len, i = p->n++;
    tree_load(&p->t[i], text);
    if (tree_errors(&p->t[i]) != 0)
        tree_show(&p->t[i]);
    assert_int_equal(tree_errors(&p->t[i]), 0);
    FILE *f = open_memstream(&out, &len);
    assert_int_equal(conf_model_print(p->t[i].c, key, sizeof key, f), 0);
    fclose(f);
    p->doc[i] = json_loadb(out, len, 0, NULL);
    free(out);
    assert_non_null(p->doc[i]);
    node_read(&p->node[i], labels[i], "t.conf", json_object_get(p->doc[i], "model"));
}

static struct pair *load(struct pair *p, const char *a, const char *b)
{
    *p = (struct pair){ 0 };
    load_one(p, a);
    if (b != NULL)
        load_one(p, b);
    const struct node *nodes[] = { &p->node[0], &p->node[1] };
    p->nsim = sim_build(nodes, p->n, &p->sim);
    simulate_judge(p->sim, p->nsim, &p->l);
    if (b != NULL)
        lint_pair(nodes[0], nodes[1], &p->l);
    return p;
}

static void unload(struct pair *p)
{
    sim_free(p->sim, p->nsim);
    findings_free(&p->l);
    for (size_t i = 0; i < p->n; i++) {
        node_free(&p->node[i]);
        json_decref(p->doc[i]);
        tree_unload(&p->t[i]);
    }
}

static bool found(const struct pair *p, const char *id)
{
    return finding_is(&p->l, id, NULL);
}

/* Who is MASTER of the first router when these checks have failed. */
static enum sim_who master(const struct pair *p, uint64_t failed)
{
    struct sim_result x[4];
    assert_true(p->sim[0].nrouter <= 4);
    sim_result(&p->sim[0], failed, x);
    return x[0].master;
}

static uint64_t bit(const struct pair *p, int node, const char *name)
{
    for (size_t k = 0; k < p->sim[0].ncheck; k++)
        if (p->sim[0].check[k].node == node && strcmp(p->sim[0].check[k].name, name) == 0)
            return UINT64_C(1) << k;
    fail_msg("no check %s", name);
    return 0;
}

static void test_moves(void **state)
{
    struct pair p;
    (void)state;
    load(&p, SCRIPT("s", " weight -20\n") ROUTER("51", "100", TRACKS("s")),
         SCRIPT("s", " weight -20\n") ROUTER("51", "90", TRACKS("s")));
    assert_int_equal(master(&p, 0), SIM_A);
    assert_int_equal(master(&p, bit(&p, 0, "s")), SIM_B);
    assert_int_equal(master(&p, bit(&p, 0, "s") | bit(&p, 1, "s")), SIM_A);
    assert_int_equal(master(&p, bit(&p, 0, "eth0")), SIM_B);
    assert_int_equal(master(&p, bit(&p, 0, "eth0") | bit(&p, 1, "eth0")), SIM_NOBODY);
    assert_int_equal(p.l.n, 0);
    unload(&p);
}

static void test_never(void **state)
{
    struct pair p;
    (void)state;
    load(&p, SCRIPT("s", " weight -5\n") ROUTER("51", "100", TRACKS("s")), ROUTER("51", "90", ""));
    assert_true(found(&p, "HS-NEVER"));
    assert_int_equal(master(&p, bit(&p, 0, "s")), SIM_A);
    unload(&p);
    /* exactly as low as the other: a tie stays where it is */
    load(&p, SCRIPT("s", " weight -10\n") ROUTER("51", "100", TRACKS("s")), ROUTER("51", "90", ""));
    assert_true(found(&p, "HS-NEVER"));
    unload(&p);
    /* low enough, but the other must not preempt */
    load(&p, SCRIPT("s", " weight -20\n") ROUTER("51", "100", TRACKS("s")),
         ROUTER("51", "90", " nopreempt\n"));
    assert_true(found(&p, "HS-NEVER"));
    assert_int_equal(master(&p, bit(&p, 0, "s")), SIM_A);
    unload(&p);
    load(&p, SCRIPT("s", "") ROUTER("51", "100", TRACKS("s")), ROUTER("51", "90", " nopreempt\n"));
    assert_false(found(&p, "HS-NEVER"));
    assert_int_equal(master(&p, bit(&p, 0, "s")), SIM_B);
    unload(&p);
}

static void test_together(void **state)
{
    struct pair p;
    (void)state;
    load(&p,
         SCRIPT("s", " weight -6\n") SCRIPT("t", " weight -6\n")
             ROUTER("51", "100", " track_script {\n s\n t\n }\n"),
         ROUTER("51", "90", ""));
    assert_true(found(&p, "HS-TOGETHER"));
    assert_false(found(&p, "HS-NEVER"));
    assert_int_equal(master(&p, bit(&p, 0, "s")), SIM_A);
    assert_int_equal(master(&p, bit(&p, 0, "s") | bit(&p, 0, "t")), SIM_B);
    unload(&p);
}

static void test_positive(void **state)
{
    /* A weight above 0 counts while the check is fine; one below while it fails, and reverse raises then. */
    struct pair p;
    (void)state;
    load(&p, SCRIPT("s", " weight 20\n") ROUTER("51", "90", TRACKS("s")), ROUTER("51", "100", ""));
    assert_int_equal(master(&p, 0), SIM_A);
    assert_int_equal(master(&p, bit(&p, 0, "s")), SIM_B);
    unload(&p);
    load(&p, SCRIPT("s", " weight -20 reverse\n") ROUTER("51", "90", TRACKS("s")), ROUTER("51", "100", ""));
    assert_int_equal(master(&p, 0), SIM_B);
    assert_int_equal(master(&p, bit(&p, 0, "s")), SIM_A);
    unload(&p);
}

static void test_single(void **state)
{
    struct pair p;
    (void)state;
    load(&p, SCRIPT("s", " weight -1\n") ROUTER("51", "100", TRACKS("s")), NULL);
    assert_true(found(&p, "HS-NEVER"));
    unload(&p);
    load(&p, SCRIPT("s", " weight -20\n") ROUTER("51", "100", TRACKS("s")), NULL);
    assert_true(found(&p, "HS-RANGE"));
    unload(&p);
    load(&p, SCRIPT("s", " weight -20\n") ROUTER("51", "255", TRACKS("s")), NULL);
    assert_true(found(&p, "HS-IDLE"));
    unload(&p);
}

static void test_sync(void **state)
{
    struct pair p;
    (void)state;
    const char *a = SCRIPT("s", " weight -20\n") ROUTER("51", "100", TRACKS("s"))
        VI_TEXT("VI_2", "52", VIPS(" 192.0.2.10\n")) "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n";
    const char *b =
        ROUTER("51", "90", "") "vrrp_instance VI_2 {\n state BACKUP\n interface eth1\n virtual_router_id 52\n"
                               " priority 90\n virtual_ipaddress {\n 192.0.2.10\n }\n}\n"
                               "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n";
    load(&p, a, b);
    assert_int_equal(p.nsim, 1); /* one set of two routers */
    assert_int_equal(p.sim[0].nrouter, 2);
    assert_true(found(&p, "HS-IDLE")); /* weights of members do not count */
    assert_false(found(&p, "HS-TORN"));
    struct sim_result x[2];
    sim_result(&p.sim[0], bit(&p, 1, "eth1"), x);
    assert_true(x[0].fault[1] && x[1].fault[1]); /* one in FAULT takes the other along */
    unload(&p);
    load(&p,
         VI_TEXT("VI_1", "51", VIPS(" 192.0.2.9\n")) VI_TEXT(
             "VI_2", "52", VIPS(" 192.0.2.10\n")) "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n",
         "vrrp_instance VI_1 {\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority 50\n"
         " virtual_ipaddress {\n 192.0.2.9\n }\n}\n"
         "vrrp_instance VI_2 {\n state BACKUP\n interface eth0\n virtual_router_id 52\n priority 150\n"
         " virtual_ipaddress {\n 192.0.2.10\n }\n}\nvrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n");
    assert_true(found(&p, "HS-TORN"));
    unload(&p);
}

struct lint_case {
    const char *id, *a, *b;
};

static void test_lint(void **state)
{
    static const char auth1[] =
        ROUTER("51", "90", " authentication {\n auth_type PASS\n auth_pass 1111\n }\n");
    static const struct lint_case cases[] = {
        { "HL-VRID", ROUTER("51", "100", ""), ROUTER("52", "90", "") },
        { "HL-ALONE", ROUTER("51", "100", ""), VI_TEXT("VI_9", "60", VIPS(" 192.0.2.77\n")) },
        { "HL-VERSION", ROUTER("51", "100", " version 3\n"), ROUTER("51", "90", "") },
        { "HL-CHECKSUM", ROUTER("51", "100", " version 3\n v3_checksum_as_v2\n"),
          ROUTER("51", "90", " version 3\n") },
        { "HL-INTERVAL", ROUTER("51", "100", " advert_int 2\n"), ROUTER("51", "90", "") },
        { "HL-AUTH", ROUTER("51", "100", " authentication {\n auth_type PASS\n auth_pass 1112\n }\n"),
          auth1 },
        { "HL-AUTH", ROUTER("51", "100", ""), auth1 },
        { "HL-PRIORITY", ROUTER("51", "100", ""), ROUTER("51", "100", "") },
        { "HL-STATE", ROUTER("51", "100", " state MASTER\n"), ROUTER("51", "90", " state MASTER\n") },
        { "HL-STATE", ROUTER("51", "90", " state MASTER\n"), ROUTER("51", "100", "") },
        { "HL-UNICAST", ROUTER("51", "100", " unicast_peer {\n 198.51.100.2\n }\n"), ROUTER("51", "90", "") },
        { "HL-PEER",
          ROUTER("51", "100", " unicast_src_ip 198.51.100.1\n unicast_peer {\n 198.51.100.2\n }\n"),
          ROUTER("51", "90", " unicast_src_ip 198.51.100.3\n unicast_peer {\n 198.51.100.1\n }\n") },
        { "HL-GROUP", ROUTER("51", "100", " mcast_dst_ip 224.0.0.99\n"), ROUTER("51", "90", "") },
        { "HL-EXCLUDED", ROUTER("51", "100", " virtual_ipaddress_excluded {\n 192.0.2.50\n }\n"),
          ROUTER("51", "90", "") },
        { "HL-VIP", VI_TEXT("VI_1", "51", VIPS(" 192.0.2.9\n")),
          VI_TEXT("VI_1", "51", VIPS(" 192.0.2.8\n")) },
        { "HL-PREFIX", VI_TEXT("VI_1", "51", VIPS(" 192.0.2.9/24\n")),
          VI_TEXT("VI_1", "51", VIPS(" 192.0.2.9\n")) },
        { "HL-WEIGHT", SCRIPT("s", " weight -30\n") ROUTER("51", "100", TRACKS("s")),
          SCRIPT("s", " weight -40\n") ROUTER("51", "90", TRACKS("s")) },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        load(&p, cases[i].a, cases[i].b);
        if (!found(&p, cases[i].id))
            findings_print(&p.l, stderr);
        assert_true(found(&p, cases[i].id));
        unload(&p);
    }
    struct pair p;
    load(&p, auth1, ROUTER("51", "100", " authentication {\n auth_type PASS\n auth_pass 1111\n }\n"));
    assert_int_equal(p.l.n, 0); /* a sound pair draws nothing */
    unload(&p);
}

static void test_secrets(void **state)
{
    struct pair p;
    (void)state;
    load(&p, ROUTER("51", "100", " authentication {\n auth_type PASS\n auth_pass geheim17\n }\n"), NULL);
    char *text = json_dumps(p.doc[0], 0);
    assert_null(strstr(text, "geheim"));
    free(text);
    unload(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),    cmocka_unit_test(test_never),   cmocka_unit_test(test_together),
        cmocka_unit_test(test_positive), cmocka_unit_test(test_single),  cmocka_unit_test(test_sync),
        cmocka_unit_test(test_lint),     cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
