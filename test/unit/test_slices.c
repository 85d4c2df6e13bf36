/*
 * test_slices.c - from text to the fields each role reads: names, parents, ids, and who may see what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parent/conf/conf_int.h"
#include "test/unit/conf_tree_util.h"

static const char text[] =
    "global_defs {\n router_id r1\n script_user root\n enable_script_security\n vrrp_garp_interval 0.001\n"
    " log_unknown_vrids\n}\n"
    "child_wait_time 3\n"
    "static_ipaddress {\n 10.8.0.1/24 dev eth1\n}\n"
    "vrrp_instance A {\n state MASTER\n interface eth0\n virtual_router_id 51\n priority 150\n advert_int 2\n"
    " authentication {\n  auth_type PASS\n  auth_pass secret42\n }\n"
    " virtual_ipaddress {\n  10.0.0.1/24 label eth0:1\n  10.0.0.2/24 dev eth1 no_track\n }\n"
    " virtual_ipaddress_excluded {\n  2001:db8::1/64 -nodad\n }\n"
    " notify_master \"/bin/sh -c 'exit 0'\"\n}\n"
    "vrrp_instance B {\n interface eth0\n version 3\n virtual_router_id 52\n advert_int 0.1\n"
    " unicast_src_ip 10.0.0.9\n unicast_peer {\n  10.0.0.8 min_ttl 3\n  10.0.0.7\n }\n"
    " virtual_ipaddress {\n  10.0.0.3\n }\n}\n"
    "vrrp_instance C {\n interface eth0\n virtual_router_id 53\n virtual_ipaddress {\n  10.0.0.4\n }\n}\n"
    "SSL {\n password tlssecret\n key /etc/key.pem\n}\n"
    "virtual_server 10.0.0.1 80 {\n lb_algo wrr\n lb_kind DR\n protocol TCP\n"
    " real_server 10.0.1.1 80 {\n  weight 3\n  notify_up \"/bin/sh -c up\"\n  HTTP_GET {\n   url {\n    path "
    "/\n"
    "    status_code 200 301-303\n   }\n  }\n }\n}\n";

static struct tree s;
static struct slice *sl[ROLE_MAX];

static int setup(void **state)
{
    (void)state;
    tree_load(&s, text);
    if (tree_errors(&s) != 0) {
        tree_show(&s);
        return -1;
    }
    for (int r = ROLE_PARENT; r <= ROLE_IPVSD; r++)
        if ((sl[r] = tree_slice(&s, (enum role)r)) == NULL)
            return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int r = ROLE_PARENT; r <= ROLE_IPVSD; r++)
        slice_free(sl[r]);
    tree_unload(&s);
    return 0;
}

static void instances(void **state)
{
    (void)state;
    const struct slice_obj *a = slice_find(sl[ROLE_VRRPD], BLK_VI, "A"),
                           *b = slice_find(sl[ROLE_VRRPD], BLK_VI, "B");
    struct ipaddr ip;
    char buf[IPADDR_STRLEN];
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->parent, 0);
    assert_int_equal(slice_uint(a, KW_VI_STATE, 0), 2);
    assert_int_equal(slice_uint(a, KW_VI_PRIORITY, 0), 150);
    assert_int_equal(slice_uint(a, KW_VI_VIRTUAL_ROUTER_ID, 0), 51);
    assert_int_equal(slice_uint(a, KW_VI_X_FAMILY, 0), 4);
    assert_true(slice_ns(a, KW_VI_ADVERT_INT, 0) == UINT64_C(2000000000));
    assert_string_equal(slice_str(a, KW_VI_INTERFACE, ""), "eth0");
    assert_string_equal(slice_str(a, KW_VI_X_SOCKET, ""), "eth0/4/mcast/224.0.0.18");
    assert_true(slice_ip(a, KW_VI_MCAST_DST_IP, &ip));
    assert_string_equal(ipaddr_str(&ip, buf), "224.0.0.18");
    assert_false(slice_has(a, KW_VI_X_SRC));
    static const enum kw always[] = { KW_VI_DOWN_TIMER_ADVERTS,         KW_VI_ACCEPT,
                                      KW_VI_GARP_MASTER_DELAY,          KW_VI_GARP_MASTER_REPEAT,
                                      KW_VI_GARP_MASTER_REFRESH_REPEAT, KW_VI_GARP_LOWER_PRIO_DELAY,
                                      KW_VI_GARP_LOWER_PRIO_REPEAT };
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        unsigned int roles = schema_kw(always[i])->roles;
        assert_int_equal(slice_has(a, always[i]), (roles & ROLE_BIT(ROLE_VRRPD)) != 0);
        assert_int_equal(slice_has(slice_find(sl[ROLE_IPVSD], BLK_VI, "A"), always[i]),
                         (roles & ROLE_BIT(ROLE_IPVSD)) != 0);
    }
    assert_int_equal(slice_uint(b, KW_VI_VERSION, 0), 3);
    assert_true(slice_ns(b, KW_VI_ADVERT_INT, 0) == UINT64_C(100000000));
    assert_string_equal(slice_str(b, KW_VI_X_SOCKET, ""), "eth0/4/uni/10.0.0.9");
    assert_false(slice_has(b, KW_VI_MCAST_DST_IP));
    assert_true(slice_bool(b, KW_VI_CHECK_UNICAST_SRC, false));
}

static void children(void **state)
{
    (void)state;
    const struct slice *v = sl[ROLE_VRRPD];
    const struct slice_obj *a = slice_find(v, BLK_VI, "A"), *b = slice_find(v, BLK_VI, "B"), *o;
    o = slice_next(v, NULL, BLK_VI_AUTH, a->id);
    assert_int_equal(slice_uint(o, KW_VI_AUTH_AUTH_TYPE, 0), 1);
    assert_string_equal(slice_str(o, KW_VI_AUTH_AUTH_PASS, ""), "secret42");
    o = slice_next(v, NULL, BLK_ADDR, a->id);
    assert_string_equal(o->name, "10.0.0.1/24@eth0");
    assert_false(slice_bool(o, KW_ADDR_X_EXCLUDED, false));
    o = slice_next(v, o, BLK_ADDR, a->id);
    assert_string_equal(o->name, "10.0.0.2/24@eth1");
    assert_true(slice_bool(o, KW_ADDR_NO_TRACK, false));
    o = slice_next(v, o, BLK_ADDR, a->id);
    assert_string_equal(o->name, "2001:db8::1/64@eth0");
    assert_true(slice_bool(o, KW_ADDR_X_EXCLUDED, false));
    assert_null(slice_next(v, o, BLK_ADDR, a->id));
    o = slice_next(sl[ROLE_IPVSD], NULL, BLK_ADDR, 0);
    assert_string_equal(o->name, "10.8.0.1/24@eth1");
    o = slice_next(sl[ROLE_IPVSD], NULL, BLK_ADDR, a->id);
    assert_string_equal(slice_str(o, KW_ADDR_LABEL, ""), "eth0:1");
    assert_string_equal(slice_str(o, KW_ADDR_DEV, ""), "eth0");
    struct ipaddr ip;
    char buf[IPADDR_STRLEN];
    o = slice_next(v, NULL, BLK_VI_PEER, b->id);
    assert_true(slice_ip(o, KW_VI_PEER_IP, &ip));
    assert_string_equal(ipaddr_str(&ip, buf), "10.0.0.8");
    assert_int_equal(slice_uint(o, KW_VI_PEER_MIN_TTL, 9), 3);
    assert_int_equal(slice_uint(o, KW_VI_PEER_MAX_TTL, 9), 255);
}

static void sockets(void **state)
{
    (void)state;
    const struct slice_obj *m = slice_find(sl[ROLE_IPVSD], BLK_SOCKET, "eth0/4/mcast/224.0.0.18"),
                           *u = slice_find(sl[ROLE_IPVSD], BLK_SOCKET, "eth0/4/uni/10.0.0.9");
    uint64_t vrid;
    struct ipaddr ip;
    assert_non_null(m);
    assert_non_null(u);
    assert_string_equal(slice_str(m, KW_SOCKET_X_IFACE, ""), "eth0");
    assert_int_equal(slice_uint(m, KW_SOCKET_X_FAMILY, 0), 4);
    assert_true(slice_uint_at(m, KW_SOCKET_X_VRID, 0, &vrid));
    assert_int_equal(vrid, 51);
    assert_true(slice_uint_at(m, KW_SOCKET_X_VRID, 1, &vrid));
    assert_int_equal(vrid, 53);
    assert_false(slice_uint_at(m, KW_SOCKET_X_VRID, 2, &vrid));
    assert_int_equal(slice_uint(m, KW_SOCKET_X_VERSIONS, 0), 4);
    assert_false(slice_bool(m, KW_SOCKET_X_UNICAST, true));
    assert_int_equal(slice_uint(m, KW_SOCKET_X_TTL, 0), 255);
    assert_true(slice_ip(m, KW_SOCKET_X_GROUP, &ip));
    assert_int_equal(slice_uint(u, KW_SOCKET_X_VERSIONS, 0), 8);
    assert_true(slice_bool(u, KW_SOCKET_X_UNICAST, false));
    assert_true(slice_ip(u, KW_SOCKET_X_SRC, &ip));
    assert_false(slice_has(u, KW_SOCKET_X_GROUP));
    assert_non_null(slice_find(sl[ROLE_VRRPD], BLK_IFACE, "eth0"));
    assert_non_null(slice_find(sl[ROLE_IPVSD], BLK_IFACE, "eth1"));
}

static void one_id_for_all_roles(void **state)
{
    (void)state;
    assert_int_equal(slice_generation(sl[ROLE_VRRPD]), 7);
    size_t shared = 0;
    for (size_t i = 0; i < slice_count(sl[ROLE_VRRPD]); i++) {
        const struct slice_obj *o = slice_at(sl[ROLE_VRRPD], i);
        for (int r = ROLE_PARENT; r <= ROLE_IPVSD; r++) {
            const struct slice_obj *same = slice_by_id(sl[r], o->id);
            if (same == NULL)
                continue;
            shared += r != ROLE_VRRPD;
            assert_int_equal(same->blk, o->blk);
            assert_string_equal(same->name, o->name);
        }
    }
    assert_true(shared > 10);
}

/* Does the slice hold these bytes anywhere? */
static bool holds(const struct slice *v, const char *needle)
{
    for (size_t i = 0; i < slice_count(v); i++) {
        const struct slice_obj *o = slice_at(v, i);
        if (memmem(o->body, o->body_len, needle, strlen(needle)) != NULL || strstr(o->name, needle) != NULL)
            return true;
    }
    return false;
}

static void secrets_stay_in_their_room(void **state)
{
    (void)state;
    assert_true(holds(sl[ROLE_VRRPD], "secret42"));
    assert_false(holds(sl[ROLE_CHECKD], "secret42"));
    assert_false(holds(sl[ROLE_IPVSD], "secret42"));
    assert_false(holds(sl[ROLE_PARENT], "secret42"));
    assert_true(holds(sl[ROLE_CHECKD], "tlssecret"));
    assert_false(holds(sl[ROLE_VRRPD], "tlssecret"));
    assert_false(holds(sl[ROLE_IPVSD], "tlssecret"));
    assert_false(holds(sl[ROLE_PARENT], "tlssecret"));
    assert_true(holds(sl[ROLE_PARENT], "/bin/sh"));
    assert_false(holds(sl[ROLE_VRRPD], "/bin/sh"));
    assert_false(holds(sl[ROLE_CHECKD], "/bin/sh"));
    assert_false(holds(sl[ROLE_IPVSD], "/bin/sh"));
}

static void the_parent_knows_what_to_start(void **state)
{
    (void)state;
    const struct slice *p = sl[ROLE_PARENT];
    const struct slice_obj *top = slice_find(p, BLK_TOP, ""), *cmd, *a = slice_find(p, BLK_VI, "A");
    assert_non_null(top);
    assert_true(slice_bool(top, KW_TOP_X_NEED_VRRP, false));
    assert_true(slice_bool(top, KW_TOP_X_NEED_CHECK, false));
    assert_int_equal(slice_uint(top, KW_TOP_X_INSTANCES, 0), 3);
    assert_int_equal(slice_uint(top, KW_TOP_X_SERVICES, 0), 1);
    assert_int_equal(slice_uint(top, KW_TOP_X_REAL_SERVERS, 0), 1);
    assert_true(slice_ns(top, KW_TOP_X_MIN_ADVERT_INT, 0) == UINT64_C(100000000));
    assert_true(slice_ns(top, KW_TOP_CHILD_WAIT_TIME, 0) == UINT64_C(3000000000));
    assert_int_equal(slice_uint(a, KW_VI_PRIORITY, 0), 150);
    cmd = slice_next(p, NULL, BLK_CMD, a->id);
    assert_non_null(cmd);
    assert_string_equal(slice_str_at(cmd, KW_CMD_X_ARGV, 0), "/bin/sh");
    assert_string_equal(slice_str_at(cmd, KW_CMD_X_ARGV, 2), "exit 0");
    assert_string_equal(slice_str(slice_find(sl[ROLE_VRRPD], BLK_VI, "A"), KW_VI_NOTIFY_MASTER, ""),
                        cmd->name);
}

static void services(void **state)
{
    (void)state;
    const struct slice *i = sl[ROLE_IPVSD], *k = sl[ROLE_CHECKD];
    const struct slice_obj *vs = slice_find(i, BLK_VS, "10.0.0.1:80:TCP"), *rs, *h, *u;
    uint32_t range;
    size_t len;
    assert_non_null(vs);
    assert_int_equal(slice_uint(vs, KW_VS_LB_ALGO, 0), 2);
    assert_int_equal(slice_uint(vs, KW_VS_LB_KIND, 0), 3);
    assert_int_equal(slice_uint(vs, KW_VS_X_PORT, 0), 80);
    rs = slice_next(i, NULL, BLK_RS, vs->id);
    assert_string_equal(rs->name, "10.0.1.1:80");
    assert_int_equal(slice_int(rs, KW_RS_WEIGHT, 0), 3);
    assert_int_equal(slice_uint(rs, KW_RS_LVS_METHOD, 0), 3);
    h = slice_next(k, NULL, BLK_HTTP, rs->id);
    assert_true(slice_ns(h, KW_HTTP_DELAY_LOOP, 0) == UINT64_C(60000000000));
    u = slice_next(k, NULL, BLK_URL, h->id);
    assert_string_equal(slice_str(u, KW_URL_PATH, ""), "/");
    const void *raw = slice_raw(u, KW_URL_STATUS_CODE, 1, &len);
    assert_int_equal(len, sizeof range);
    memcpy(&range, raw, sizeof range);
    assert_int_equal(range, 301u << 16 | 303u);
}

/* What is off goes without saying: an instance that says so is the same as one that does not, so a reload
 * that adds the words changes nothing; whatever was to be inherited. */
static void off_goes_without_saying(void **state)
{
    (void)state;
    static const char *const off[] = { "check_unicast_src off",
                                       "promote_secondaries off",
                                       "v3_checksum_as_v2 off",
                                       "skip_check_adv_addr off",
                                       "strict_mode off",
                                       "rfc_defaults off",
                                       "preempt_delay 0",
                                       "smtp_alert off",
                                       "garp_master_refresh 0",
                                       "garp_extra_if 0",
                                       "lower_prio_no_advert off",
                                       "higher_prio_send_advert off",
                                       "notify_priority_changes off" };
    static const char fmt[] = "%svrrp_instance C {\n interface eth0\n virtual_router_id 53\n %s\n"
                              " virtual_ipaddress {\n  10.0.0.4\n }\n}\n";
    static const char on[] = "global_defs {\n vrrp_skip_check_adv_addr\n vrrp_lower_prio_no_advert\n"
                             " vrrp_higher_prio_send_advert\n vrrp_notify_priority_changes\n"
                             " vrrp_garp_master_refresh 3\n vrrp_garp_extra_if 3\n}\n";
    unsigned int rows, seen = 0;
    const struct kw_row *row = schema_rows(BLK_VI, &rows);
    char buf[2048], all[1024] = "";
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s\n", off[i]);
    for (int r = ROLE_PARENT; r <= ROLE_IPVSD; r++) {
        struct tree t;
        snprintf(buf, sizeof buf, fmt, on, all);
        tree_load(&t, buf);
        assert_int_equal(tree_errors(&t), 0);
        struct slice *said = tree_slice(&t, (enum role)r);
        const struct slice_obj *plain = slice_find(sl[r], BLK_VI, "C");
        assert_true(slice_obj_same(plain, slice_find(said, BLK_VI, "C")));
        for (unsigned int k = 0; k < rows; k++)
            if (row[k].flags & KWF_TACIT) {
                assert_false(slice_has(plain, row[k].kw));
                seen++;
            }
        slice_free(said);
        tree_unload(&t);
    }
    assert_true(seen >= 4 * sizeof off / sizeof *off);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances),
        cmocka_unit_test(children),
        cmocka_unit_test(off_goes_without_saying),
        cmocka_unit_test(sockets),
        cmocka_unit_test(one_id_for_all_roles),
        cmocka_unit_test(secrets_stay_in_their_room),
        cmocka_unit_test(the_parent_knows_what_to_start),
        cmocka_unit_test(services),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
