/*
 * test_check_slice.c - which checks ipvsd hears of: those whose socket checkd may not open itself, and of
 * those only what a socket needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parent/conf/conf_int.h"
#include "test/unit/conf_tree_util.h"

#define SERVER(addr, check) " real_server " addr " 80 {\n  weight 1\n" check " }\n"

static const char text[] =
    "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n ha_suspend\n" SERVER(
        "10.0.1.1", "  TCP_CHECK {\n   connect_port 81\n  }\n")
        SERVER("10.0.1.2", "  TCP_CHECK {\n   fwmark 7\n   connect_port 82\n  }\n") SERVER(
            "10.0.1.3",
            "  HTTP_GET {\n   bindto 10.0.9.9\n   bind_port 900\n   url {\n    path /\n   }\n  }\n")
            SERVER("10.0.1.4",
                   "  HTTP_GET {\n   bindto 10.0.9.9\n   bind_port 9000\n   url {\n    path /\n   }\n  }\n")
                SERVER("10.0.1.5", "  PING_CHECK {\n  }\n")
                    SERVER("10.0.1.6",
                           "  SMTP_CHECK {\n   host {\n    connect_ip 10.0.2.6\n    fwmark 9\n   }\n  }\n")
                        SERVER("10.0.1.7", "  SMTP_CHECK {\n   host {\n    connect_ip 10.0.2.7\n   }\n  }\n")
                            SERVER("10.0.1.8", "  MISC_CHECK {\n   misc_path /bin/true\n  }\n") "}\n";

static size_t count(const struct slice *s, enum blk blk)
{
    size_t n = 0;
    for (const struct slice_obj *o = NULL; (o = slice_next(s, o, blk, SLICE_ANY_PARENT)) != NULL;)
        n++;
    return n;
}

static void only_what_needs_privilege(void **state)
{
    struct tree t;
    struct ipaddr ip;
    (void)state;
    tree_load(&t, text);
    struct slice *s = tree_slice(&t, ROLE_IPVSD);
    assert_non_null(s);
    assert_int_equal(count(s, BLK_TCP), 1);
    assert_int_equal(count(s, BLK_HTTP), 1);
    assert_int_equal(count(s, BLK_URL), 0);
    assert_int_equal(count(s, BLK_PING), 1);
    assert_int_equal(count(s, BLK_SMTP), 1);
    assert_int_equal(count(s, BLK_SMTPHOST), 1);
    assert_int_equal(count(s, BLK_MISC), 0);
    const struct slice_obj *tcp = slice_next(s, NULL, BLK_TCP, SLICE_ANY_PARENT);
    assert_int_equal(slice_uint(tcp, KW_TCP_FWMARK, 0), 7);
    assert_true(slice_ip(tcp, KW_TCP_CONNECT_IP, &ip));
    assert_int_equal(ip.b[3], 2);
    assert_false(slice_has(tcp, KW_TCP_CONNECT_PORT)); /* checkd connects */
    assert_false(slice_has(tcp, KW_TCP_DELAY_LOOP));
    const struct slice_obj *http = slice_next(s, NULL, BLK_HTTP, SLICE_ANY_PARENT);
    assert_int_equal(slice_uint(http, KW_HTTP_BIND_PORT, 0), 900);
    const struct slice_obj *vs = slice_next(s, NULL, BLK_VS, SLICE_ANY_PARENT);
    assert_true(slice_bool(vs, KW_VS_HA_SUSPEND, false));
    slice_free(s);
    tree_unload(&t);
}

static void ids_are_those_of_checkd(void **state)
{
    struct tree t;
    (void)state;
    tree_load(&t, text);
    struct slice *i = tree_slice(&t, ROLE_IPVSD), *c = tree_slice(&t, ROLE_CHECKD);
    const struct slice_obj *ping = slice_next(i, NULL, BLK_PING, SLICE_ANY_PARENT);
    const struct slice_obj *same = slice_by_id(c, ping->id);
    assert_non_null(same);
    assert_int_equal(same->blk, BLK_PING);
    assert_int_equal(count(c, BLK_TCP), 2);
    slice_free(i);
    slice_free(c);
    tree_unload(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_needs_privilege),
        cmocka_unit_test(ids_are_those_of_checkd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
