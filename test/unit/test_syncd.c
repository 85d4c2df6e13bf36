/*
 * test_syncd.c - the connection sync daemons: what the configuration asks for, what is done about what runs,
 * what the kernel says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include "ipvsd/ipvsd.h"
#include "ipvsd/syncd.h"
#include "ipvsd/syncd_codec.h"
#include "test/unit/conf_tree_util.h"

#define VI                                                                                                   \
    "vrrp_instance V {\n interface eth0\n virtual_router_id 9\n virtual_ipaddress {\n 10.9.9.9\n }\n}\n"

static struct syncd_wish wish(const char *global)
{
    struct syncd_wish w;
    struct tree t;
    char text[600];
    snprintf(text, sizeof text, "global_defs {\n %s\n}\n" VI, global);
    tree_load(&t, text);
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    assert_non_null(s);
    syncd_read(&w, s);
    slice_free(s);
    tree_unload(&t);
    return w;
}

static void configuration(void **state)
{
    char buf[IPADDR_STRLEN];
    (void)state;
    struct syncd_wish w = wish("router_id x");
    assert_false(w.configured);
    w = wish("lvs_sync_daemon eth0 inst V id 77 maxlen 1200 port 9000 ttl 7 group 224.0.0.99");
    assert_true(w.configured);
    assert_string_equal(w.p.ifname, "eth0");
    assert_string_equal(w.inst, "V");
    assert_int_equal(w.p.id, 77);
    assert_int_equal(w.p.maxlen, 1200);
    assert_int_equal(w.p.port, 9000);
    assert_int_equal(w.p.ttl, 7);
    assert_string_equal(ipaddr_str(&w.p.group, buf), "224.0.0.99");
    w = wish("lvs_sync_daemon eth0 inst V");
    assert_int_equal(w.p.id, 9); /* the VRID */
    w = wish("lvs_sync_daemon eth0");
    assert_int_equal(w.p.id, 0);
    assert_string_equal(w.inst, "");
    struct syncd_wish same = wish("lvs_sync_daemon eth0"), other = wish("lvs_sync_daemon eth0 id 1");
    assert_true(syncd_wish_same(&w, &same));
    assert_false(syncd_wish_same(&w, &other));
}

static void fits(void **state)
{
    (void)state;
    struct syncd_params all = { "eth0", 77, 7, 1200, 9000, { .family = 4, .b = { 224, 0, 0, 99 } } };
    struct syncd_params kernel = { "eth0", 5, 1, 1460, 8848, { .family = 4, .b = { 224, 0, 0, 81 } } };
    struct syncd_params plain = { .ifname = "eth0", .id = 5 }, r = all;
    assert_true(syncd_fits(&all, &r));
    assert_true(syncd_fits(&plain, &kernel)); /* defaults of the kernel */
    assert_false(syncd_fits(&plain, &r));
    r = kernel, r.port = 8849;
    assert_false(syncd_fits(&plain, &r));
    r = kernel, r.ttl = 2;
    assert_false(syncd_fits(&plain, &r));
    r = kernel, r.group.b[3] = 82;
    assert_false(syncd_fits(&plain, &r));
    r = kernel, r.id = 6;
    assert_false(syncd_fits(&plain, &r));
    r = kernel, r.ifname[3] = '1';
    assert_false(syncd_fits(&plain, &r));
    plain.maxlen = 9000; /* cut to the interface */
    assert_true(syncd_fits(&plain, &kernel));
    plain.maxlen = 500;
    assert_false(syncd_fits(&plain, &kernel));
}

static void plans(void **state)
{
    (void)state;
    const bool none[] = { false, false }, master[] = { true, false }, both[] = { true, true };
    struct syncd_params p = { .ifname = "eth0", .id = 5 };
    struct syncd_running have[SYNCD_KINDS] = { 0 };
    struct syncd_plan x = syncd_plan(&p, master, have, true);
    assert_true(x.start[SYNCD_MASTER] && !x.start[SYNCD_BACKUP] && !x.stop[SYNCD_MASTER] &&
                !x.stop[SYNCD_BACKUP]);
    have[SYNCD_BACKUP] = (struct syncd_running){ true, p };
    x = syncd_plan(&p, master, have, true);
    assert_true(x.start[SYNCD_MASTER] && x.stop[SYNCD_BACKUP]);
    x = syncd_plan(&p, both, have, true);
    assert_true(x.start[SYNCD_MASTER] && !x.start[SYNCD_BACKUP] && !x.stop[SYNCD_BACKUP]);
    have[SYNCD_MASTER] = (struct syncd_running){ true, p };
    x = syncd_plan(&p, both, have, true); /* a restart over what runs */
    assert_true(!x.start[0] && !x.start[1] && !x.stop[0] && !x.stop[1]);
    have[SYNCD_MASTER].p.id = 6;
    x = syncd_plan(&p, both, have, true);
    assert_true(x.stop[SYNCD_MASTER] && x.start[SYNCD_MASTER] && !x.stop[SYNCD_BACKUP]);
    x = syncd_plan(&p, none, have, true);
    assert_true(x.stop[0] && x.stop[1] && !x.start[0] && !x.start[1]);
    x = syncd_plan(&p, none, have, false); /* somebody else's */
    assert_true(!x.stop[0] && !x.stop[1]);
}

static void answers(void **state)
{
    (void)state;
    struct syncd_params p = {
        "hole", 77, 7, 1200, 9000, { .family = 4, .plen = 32, .b = { 224, 0, 0, 99 } }
    };
    struct syncd_walk w = { .seq = 4 };
    uint32_t buf[256];
    struct nl_msg *m = syncd_msg_start(30, SYNCD_BACKUP, &p);
    struct nlmsghdr *h = nlmsg_hdr(m);
    size_t n = h->nlmsg_len;
    h->nlmsg_seq = 4;
    h->nlmsg_type = 30;
    memcpy(buf, h, n);
    nlmsg_free(m);
    h = (struct nlmsghdr *)buf;
    syncd_walk(buf, n, &w);
    assert_false(w.done);
    assert_false(w.have[SYNCD_MASTER].there);
    assert_true(w.have[SYNCD_BACKUP].there);
    assert_memory_equal(&w.have[SYNCD_BACKUP].p, &p, sizeof p);
    assert_true(syncd_fits(&p, &w.have[SYNCD_BACKUP].p));
    /* the tail of something given up */
    struct syncd_walk stale = { .seq = 5 };
    syncd_walk(buf, n, &stale);
    assert_false(stale.have[SYNCD_BACKUP].there);
    /* cut anywhere: nothing is made of it */
    for (size_t cut = 0; cut < n; cut++) {
        struct syncd_walk c = { .seq = 4 };
        syncd_walk(buf, cut, &c);
        assert_false(c.have[SYNCD_BACKUP].there);
    }
    struct {
        struct nlmsghdr h;
        struct nlmsgerr e;
    } err = { .h = { .nlmsg_len = sizeof err, .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = 4 },
              .e = { .error = -ENODEV } };
    syncd_walk(&err, sizeof err, &w);
    assert_true(w.done);
    assert_int_equal(w.error, ENODEV);
}

/* reload --plan, where the kernel was never asked: nothing of ours runs, and it is not asked for the plan. */
static void foresee_is(const char *global, enum vrrp_state then, const char *want)
{
    struct ipvsd d = { 0 };
    struct tree t;
    char text[600], inst[256], *said = NULL;
    size_t len;
    snprintf(text, sizeof text, "global_defs {\n %s\n}\n" VI, global);
    tree_load(&t, text);
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    assert_non_null(s);
    d.ev = ev_new(NULL);
    struct syncd *y = syncd_new(&d);
    FILE *f = open_memstream(&said, &len);
    syncd_foresee(y, s, then, f);
    fclose(f);
    assert_string_equal(said, want);
    assert_string_equal(syncd_follows(s, inst, sizeof inst), strstr(global, "inst V") != NULL ? "V" : "");
    free(said);
    syncd_free(y);
    ev_free(d.ev);
    slice_free(s);
    tree_unload(&t);
}

static void foreseen(void **state)
{
    (void)state;
    foresee_is("router_id x", VRRP_STATE_MASTER, "");
    foresee_is("lvs_sync_daemon eth0 inst V", VRRP_STATE_MASTER,
               "start IPVS sync daemon master on eth0, sync id 9\n");
    foresee_is("lvs_sync_daemon eth0 inst V id 77", VRRP_STATE_FAULT,
               "start IPVS sync daemon backup on eth0, sync id 77\n");
    foresee_is("lvs_sync_daemon eth1 id 3", VRRP_STATE_BACKUP,
               "start IPVS sync daemon master on eth1, sync id 3\n"
               "start IPVS sync daemon backup on eth1, sync id 3\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration), cmocka_unit_test(fits),     cmocka_unit_test(plans),
        cmocka_unit_test(answers),       cmocka_unit_test(foreseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
