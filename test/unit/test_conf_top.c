/*
 * test_conf_top.c - what stands at the top of the file and reaches into instances (resolve_top.c), as vrrpd
 * and ipvsd read it: track_group, garp_group with its spacing, garp_extra_if, the old sync daemon,
 * unicast_fault_no_peer, track_src_ip, timer_expired_backup.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "ipvsd/garp_space.h"
#include "ipvsd/link.h"
#include "parent/conf/conf_int.h"
#include "test/unit/conf_tree_util.h"
#include "vrrpd/bind.h"

#define VI(name, vrid, more)                                                                                 \
    "vrrp_instance " name " {\n interface eth0\n virtual_router_id " vrid                                    \
    "\n virtual_ipaddress {\n  10.0.0." vrid "\n }\n" more "}\n"

static void expect(const char *text, enum diag_severity sev, const char *code, const char *part)
{
    assert_true(tree_gets(text, sev, code, part));
}

static struct slice *slice_for(const char *text, enum role r)
{
    struct tree s;
    tree_load(&s, text);
    if (tree_errors(&s) != 0)
        tree_show(&s);
    assert_int_equal(tree_errors(&s), 0);
    struct slice *sl = tree_slice(&s, r);
    assert_non_null(sl);
    tree_unload(&s);
    return sl;
}

static struct bind_vi *bound(struct slice *s, const char *name)
{
    struct err e = { 0 };
    struct bind_vi *b = bind_vi_new(s, slice_find(s, BLK_VI, name), &e);
    if (b == NULL)
        print_error("%s: %s\n", e.object, e.text);
    assert_non_null(b);
    return b;
}

/* ---- track_group */

#define STATICS                                                                                              \
    "static_ipaddress {\n 10.8.0.1/24 dev eth1 track_group TG\n 10.8.1.1/24 dev eth1 track_group TG\n"       \
    " 10.8.2.1/24 dev eth0\n}\n"                                                                             \
    "static_routes {\n 10.9.0.0/16 dev eth1 track_group OTHER\n}\n"                                          \
    "static_rules {\n from 10.9.0.0/16 table 5 preference 5 iif eth0 track_group TG\n}\n"

static void track_group(void **state)
{
    (void)state;
    struct slice *s = slice_for(STATICS "track_group TG {\n group {\n  A\n }\n}\n"
                                        "track_group OTHER {\n group {\n  A\n  B\n }\n}\n" VI(
                                            "A", "51", " track_interface {\n  eth1 weight 5\n }\n")
                                            VI("B", "52", "") VI("C", "53", ""),
                                ROLE_VRRPD);
    struct bind_vi *a = bound(s, "A"), *b = bound(s, "B"), *c = bound(s, "C");
    assert_int_equal(a->nlines, 3); /* its own, eth1 once, eth0 */
    assert_false(a->lines[0].of_static);
    assert_int_equal(a->lines[0].weight, 5);
    for (size_t n = 1; n < 3; n++) {
        assert_true(a->lines[n].of_static);
        assert_int_equal(a->lines[n].kind, TRACK_IF);
        assert_int_equal(a->lines[n].weight, 0);
    }
    assert_string_equal(a->lines[1].name, "eth1");
    assert_string_equal(a->lines[2].name, "eth0");
    assert_int_equal(b->nlines, 1);
    assert_string_equal(b->lines[0].name, "eth1");
    assert_int_equal(c->nlines, 0);
    assert_false(bind_vi_same(a, b));
    bind_vi_free(a);
    bind_vi_free(b);
    bind_vi_free(c);
    slice_free(s);
}

static void track_group_void(void **state)
{
    (void)state;
    expect("static_ipaddress {\n 10.8.0.1/24 dev eth1 track_group NONE\n}\n" VI("A", "51", ""), DIAG_ERROR,
           "HF-REF", "NONE");
    expect(
        "track_group TG {\n group {\n  A\n }\n}\nvrrp_instance A {\n interface eth0\n virtual_router_id 51\n"
        " virtual_ipaddress {\n  10.0.0.1 track_group TG\n }\n}\n",
        DIAG_WARNING, "HF-NO-EFFECT", "static ones");
    expect("track_group TG {\n group {\n  A\n }\n}\nstatic_routes {\n 10.9.0.0/16 via 10.0.0.9 track_group "
           "TG\n}\n" VI("A", "51", ""),
           DIAG_WARNING, "HF-NO-EFFECT", "without dev");
}

/* ---- garp_group */

static struct iface ifaces[3];
static struct iface *sorted[3];

static void machine(struct ipvsd *d, const char *const *names)
{
    memset(d, 0, sizeof *d);
    memset(ifaces, 0, sizeof ifaces);
    for (size_t k = 0; k < 3; k++) {
        sorted[k] = &ifaces[k];
        memcpy(ifaces[k].name, names[k], strlen(names[k]));
        ifaces[k].named = true;
    }
    d->links.v = sorted;
    d->links.n = 3;
}

static void garp_group(void **state)
{
    (void)state;
    static const char *const names[] = { "eth0", "eth1", "vrrp.51" };
    struct ipvsd d;
    uint64_t wake = UINT64_MAX;
    struct slice *s =
        slice_for("global_defs {\n vrrp_garp_interval 0.5\n vrrp_gna_interval 0.25\n}\n"
                  "garp_group {\n garp_interval 0.1\n interface eth1\n}\n" VI("A", "51", " use_vmac\n"),
                  ROLE_IPVSD);
    machine(&d, names);
    garp_space_configure(&d, s);
    assert_ptr_equal(ifaces[0].space, ifaces[2].space); /* a macvlan and what is below it */
    assert_ptr_not_equal(ifaces[0].space, ifaces[1].space);
    assert_true(ifaces[1].space->interval[GARP_KIND_ARP] == 100 * NS_PER_MS);
    assert_true(ifaces[1].space->interval[GARP_KIND_NA] == 250 * NS_PER_MS); /* not said: the global one */
    assert_true(ifaces[0].space->interval[GARP_KIND_ARP] == 500 * NS_PER_MS);
    garp_space_used(&ifaces[2], GARP_KIND_ARP, NS_PER_SEC);
    assert_false(garp_space_free(&ifaces[0], GARP_KIND_ARP, NS_PER_SEC + 499 * NS_PER_MS, &wake));
    assert_true(wake == NS_PER_SEC + 500 * NS_PER_MS);
    assert_true(garp_space_free(&ifaces[0], GARP_KIND_ARP, wake, &wake));
    assert_true(garp_space_free(&ifaces[0], GARP_KIND_NA, NS_PER_SEC, &wake));
    assert_true(garp_space_free(&ifaces[1], GARP_KIND_ARP, NS_PER_SEC, &wake));
    garp_space_used(&ifaces[1], GARP_KIND_ARP, NS_PER_SEC);
    struct slice *both = slice_for(
        "garp_group {\n garp_interval 1\n interfaces {\n  eth0\n  eth1\n }\n}\n" VI("A", "51", " use_vmac\n"),
        ROLE_IPVSD);
    garp_space_configure(&d, both);
    assert_ptr_equal(ifaces[0].space, ifaces[1].space);
    assert_ptr_equal(ifaces[0].space, ifaces[2].space);
    /* what the group had to wait for before the reload it still has to */
    assert_false(garp_space_free(&ifaces[1], GARP_KIND_ARP, NS_PER_SEC, &wake));
    struct slice *none = slice_for(VI("A", "51", ""), ROLE_IPVSD);
    garp_space_configure(&d, none);
    assert_ptr_not_equal(ifaces[0].space, ifaces[1].space);
    assert_true(ifaces[0].space->interval[GARP_KIND_ARP] == 0);
    free(d.garp.groups);
    slice_free(none);
    slice_free(both);
    slice_free(s);
}

static void garp_group_void(void **state)
{
    (void)state;
    expect("garp_group {\n garp_interval 1\n}\n" VI("A", "51", ""), DIAG_WARNING, "HF-EMPTY", "no interface");
    expect("garp_group {\n interface eth0\n}\n" VI("A", "51", ""), DIAG_WARNING, "HF-NO-EFFECT", "interval");
    expect("garp_group {\n garp_interval 1\n interface eth0\n}\ngarp_group {\n garp_interval 2\n interface "
           "eth0\n}\n" VI("A", "51", ""),
           DIAG_WARNING, "HF-TWICE", "another garp_group");
}

static uint64_t extra_of(const char *text)
{
    struct slice *s = slice_for(text, ROLE_IPVSD);
    uint64_t v = slice_uint(slice_find(s, BLK_VI, "A"), KW_VI_GARP_EXTRA_IF, 0);
    slice_free(s);
    return v;
}

static void garp_extra(void **state)
{
    (void)state;
    const uint64_t all = UINT64_C(1) << 63;
    assert_true(extra_of(VI("A", "51", "")) == 0);
    assert_true(extra_of(VI("A", "51", " garp_extra_if 3\n")) == 3000000);
    assert_true(extra_of(VI("A", "51", " vmac_garp_intvl all 3\n")) == (3000000 | all));
    assert_true(extra_of("global_defs {\n vrrp_garp_extra_if all 2\n}\n" VI("A", "51", "")) ==
                (2000000 | all));
    assert_true(extra_of("global_defs {\n vrrp_garp_extra_if 2\n}\n" VI("A", "51", " garp_extra_if 0\n")) ==
                0);
}

/* ---- the sync daemon in its old place */

static void sync_daemon(void **state)
{
    (void)state;
    struct slice *s =
        slice_for(VI("A", "51", "") VI("B", "52", " lvs_sync_daemon_interface eth1\n"), ROLE_IPVSD);
    const struct slice_obj *y = slice_next(s, NULL, BLK_SYNCD, SLICE_ANY_PARENT);
    assert_non_null(y);
    assert_string_equal(y->name, "eth1");
    assert_string_equal(slice_str(y, KW_SYNCD_INST, ""), "B");
    slice_free(s);
    expect(
        "global_defs {\n lvs_sync_daemon eth0 inst A\n}\n" VI("A", "51", " lvs_sync_daemon_interface eth1\n"),
        DIAG_WARNING, "HF-NO-EFFECT", "one sync daemon");
    expect(VI("A", "51", " lvs_sync_daemon_interface eth1\n"), DIAG_WARNING, "HF-DEPRECATED",
           "lvs_sync_daemon");
}

/* ---- an instance */

static void instance(void **state)
{
    (void)state;
    struct slice *s = slice_for(
        VI("A", "51", " unicast_fault_no_peer\n") VI(
            "B", "52", " unicast_fault_no_peer\n unicast_src_ip 10.0.0.9\n unicast_peer {\n  10.0.0.8\n }\n")
            VI("C", "53", " mcast_src_ip 10.0.0.9\n track_src_ip\n") VI("D", "54", " track_src_ip\n")
                VI("E", "55", " nopreempt\n timer_expired_backup 99\n"),
        ROLE_VRRPD);
    struct bind_vi *a = bound(s, "A"), *b = bound(s, "B"), *c = bound(s, "C"), *d = bound(s, "D"),
                   *e = bound(s, "E");
    assert_non_null(a->broken);
    assert_null(b->broken);
    assert_true(b->needs_src && !b->track_src);
    assert_true(c->needs_src && c->track_src);
    assert_false(d->needs_src); /* there is no configured source to track */
    assert_int_equal(e->engine.expired, 99);
    assert_int_equal(d->engine.expired, 0);
    bind_vi_free(a);
    bind_vi_free(b);
    bind_vi_free(c);
    bind_vi_free(d);
    bind_vi_free(e);
    slice_free(s);
    expect(VI("A", "51", " unicast_fault_no_peer\n"), DIAG_WARNING, "HF-UNICAST-NO-PEER", "stays in FAULT");
    static const char *const names[] = { "a/b", "/a", "..", "." }; /* of the daemon: a start with one fails */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "instance %s\n", names[i]);
        expect(text, DIAG_ERROR, "HF-NAME", "cannot be part of a file's name");
    }
    assert_false(tree_gets("instance a..b.c\n", DIAG_ERROR, "HF-NAME", "instance"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(track_group),     cmocka_unit_test(track_group_void), cmocka_unit_test(garp_group),
        cmocka_unit_test(garp_group_void), cmocka_unit_test(garp_extra),       cmocka_unit_test(sync_daemon),
        cmocka_unit_test(instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
