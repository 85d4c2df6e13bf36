/* test_process.c - the rooms as processes: what global_defs become for each, and when a timer counts as late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/procset.h"
#include "parent/conf/conf_int.h"
#include "test/unit/conf_tree_util.h"

#define MS NS_PER_MS

static const char vi[] =
    "vrrp_instance A {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  10.0.0.1\n  "
    "10.0.0.2\n }\n}\n"
    "vrrp_instance B {\n interface eth0\n version 3\n virtual_router_id 52\n virtual_ipaddress {\n  "
    "10.0.0.3\n }\n}\n";
static const char bfd[] = "bfd_instance X {\n neighbor_ip 10.0.0.9\n}\n";

static void load(struct tree *s, const char *globals, const char *more)
{
    char text[4096];
    snprintf(text, sizeof text, "global_defs {\n%s\n}\n%s%s", globals, vi, more);
    tree_load(s, text);
}

static const struct conf_obj *room(const struct tree *s, enum role r)
{
    const struct conf_obj *o = conf_find(s->c, BLK_PROCESS, role_name(r));
    assert_non_null(o);
    return o;
}

static void nothing_written(void **state)
{
    struct tree s;
    (void)state;
    load(&s, " router_id x", "");
    for (int r = ROLE_PARENT; r <= ROLE_IPVSD; r++) {
        const struct conf_obj *o = room(&s, (enum role)r);
        assert_null(conf_get(o, KW_PROCESS_X_NICE));
        assert_null(conf_get(o, KW_PROCESS_X_CPU));
        assert_null(conf_get(o, KW_PROCESS_X_COMM));
        assert_int_equal(conf_uint(o, KW_PROCESS_X_RT, 0), 0);
        assert_int_equal(conf_uint(o, KW_PROCESS_X_LOCK, 0), 0);
        assert_int_equal(conf_uint(o, KW_PROCESS_X_AUTO, 0), 0);
    }
    assert_int_equal(conf_uint(room(&s, ROLE_VRRPD), KW_PROCESS_X_RTTIME, 0), 10200); /* two instances */
    tree_unload(&s);
}

static void one_family_each(void **state)
{
    struct tree s;
    (void)state;
    load(&s,
         " vrrp_priority -20\n vrrp_rt_priority 50\n vrrp_no_swap\n vrrp_cpu_affinity 3 1 3\n "
         "vrrp_rlimit_rtime 77\n"
         " checker_priority 19\n checker_rt_priority 1\n max_auto_priority\n min_auto_priority_delay 5000\n "
         "process_names\n"
         " bfd_rt_priority 99\n bfd_process_name b",
         "");
    const struct conf_obj *v = room(&s, ROLE_VRRPD), *k = room(&s, ROLE_CHECKD), *i = room(&s, ROLE_IPVSD);
    assert_int_equal(conf_uint(v, KW_PROCESS_X_NICE, 99), 0);
    assert_int_equal(conf_uint(v, KW_PROCESS_X_RT, 0), 50); /* no bfd_instance: bfd_* are nobody's */
    assert_int_equal(conf_uint(v, KW_PROCESS_X_RTTIME, 0), 77);
    assert_int_equal(conf_uint(v, KW_PROCESS_X_LOCK, 0), 1);
    uint64_t cpus = 0;
    for (const struct conf_value *x = v->values; x != NULL; x = x->next)
        cpus += x->kw == KW_PROCESS_X_CPU ? UINT64_C(1) << (8 * x->v.u) : 0;
    assert_true(cpus == (UINT64_C(1) << 24) + (UINT64_C(1) << 8)); /* each once */
    assert_int_equal(conf_uint(i, KW_PROCESS_X_RT, 0), 50);
    assert_int_equal(conf_uint(i, KW_PROCESS_X_RTTIME, 0), 7700);
    assert_int_equal(conf_uint(k, KW_PROCESS_X_NICE, 99), 39);
    assert_int_equal(conf_uint(k, KW_PROCESS_X_RT, 0), 1);
    assert_int_equal(conf_uint(k, KW_PROCESS_X_LOCK, 0), 0);
    assert_int_equal(conf_uint(k, KW_PROCESS_X_AUTO, 0), 99);
    assert_int_equal(conf_uint(k, KW_PROCESS_X_LATE, 0), 5000);
    assert_string_equal(conf_str(v, KW_PROCESS_X_COMM, ""), "keepalived_vrrp");
    assert_string_equal(conf_str(k, KW_PROCESS_X_COMM, ""), "keepalived_lvs");
    assert_null(conf_get(i, KW_PROCESS_X_COMM));
    tree_unload(&s);
}

static void bfd_joins(void **state)
{
    struct tree s;
    (void)state;
    load(
        &s,
        " vrrp_priority -2\n bfd_priority -9\n vrrp_rt_priority 5\n bfd_rt_priority 4\n vrrp_cpu_affinity 0\n"
        " bfd_cpu_affinity 1\n bfd_no_swap\n max_auto_priority -1",
        bfd);
    const struct conf_obj *v = room(&s, ROLE_VRRPD), *i = room(&s, ROLE_IPVSD);
    unsigned int cpus = 0;
    for (const struct conf_value *x = v->values; x != NULL; x = x->next)
        cpus += x->kw == KW_PROCESS_X_CPU;
    assert_int_equal(cpus, 2);
    assert_int_equal(conf_uint(v, KW_PROCESS_X_NICE, 99), 11);
    assert_int_equal(conf_uint(v, KW_PROCESS_X_RT, 0), 5);
    assert_int_equal(conf_uint(v, KW_PROCESS_X_LOCK, 0), 1);
    assert_int_equal(conf_uint(v, KW_PROCESS_X_AUTO, 0), 0);
    assert_int_equal(conf_uint(v, KW_PROCESS_X_QUIET, 0), 1);
    assert_int_equal(conf_uint(i, KW_PROCESS_X_NICE, 99), 18);
    assert_int_equal(conf_uint(i, KW_PROCESS_X_LOCK, 0), 0);
    tree_unload(&s);
    tree_load(&s, "global_defs {\n vrrp_process_name v\n bfd_process_name b\n}\nbfd_instance X {\n "
                  "neighbor_ip 10.0.0.9\n}\n");
    assert_string_equal(conf_str(room(&s, ROLE_VRRPD), KW_PROCESS_X_COMM, ""), "b"); /* BFD is all it does */
    tree_unload(&s);
}

static uint64_t rcvbuf(const char *globals, const char *want_iface, uint64_t *mtus)
{
    struct tree s;
    load(&s, globals, "");
    const struct conf_obj *o = conf_find(s.c, BLK_SOCKET, want_iface);
    assert_non_null(o);
    *mtus = conf_uint(o, KW_SOCKET_X_RCVMTU, 0);
    uint64_t bytes = conf_uint(o, KW_SOCKET_X_RCVBUF, 0);
    tree_unload(&s);
    return bytes;
}

/* Two instances share the socket: 44 and 32 bytes an advert. */
static void receive_buffers(void **state)
{
    static const char sock[] = "eth0/4/mcast/224.0.0.18";
    uint64_t mtus;
    (void)state;
    assert_int_equal(rcvbuf(" router_id x", sock, &mtus), 0);
    assert_int_equal(rcvbuf(" vrrp_rx_bufs_policy 70000", sock, &mtus), 140000);
    assert_int_equal(mtus, 0);
    assert_int_equal(rcvbuf(" vrrp_rx_bufs_policy advert", sock, &mtus),
                     3 * (44 + 768) / 2 + 3 * (32 + 768) / 2);
    assert_int_equal(rcvbuf(" vrrp_rx_bufs_policy ADVERT MTU\n vrrp_rx_bufs_multiplier 7", sock, &mtus), 0);
    assert_int_equal(mtus, 14);
}

static void paths(void **state)
{
    struct tree s;
    (void)state;
    load(&s, " reload_time_file when", "");
    assert_int_equal(diag_count(s.d, DIAG_ERROR), 1);
    tree_unload(&s);
    load(&s, " reload_file\n config_save_dir /var/tmp/x", "");
    assert_int_equal(diag_count(s.d, DIAG_ERROR), 0);
    assert_int_equal(diag_count(s.d, DIAG_WARNING), 0);
    tree_unload(&s);
}

/* ---- late timers */

static void late(void **state)
{
    struct procset s = { .role = ROLE_VRRPD, .late_ns = 10 * MS, .due = TIME_NEVER, .most = 5 };
    (void)state;
    assert_int_equal(procset_turn(&s, 1000 * MS, 1100 * MS), 0); /* the first turn knows of none */
    assert_int_equal(procset_turn(&s, 1109 * MS, 1200 * MS), 0); /* 9 ms are not enough */
    assert_int_equal(procset_turn(&s, 1210 * MS, 1300 * MS), 10000);
    assert_int_equal(procset_turn(&s, 1250 * MS, 1300 * MS),
                     0);                                 /* woken before it was due, by something else */
    assert_int_equal(procset_turn(&s, 1305 * MS, 0), 0); /* "at once": armed in the past */
    assert_int_equal(procset_turn(&s, 1306 * MS, TIME_NEVER), 0); /* ... and run at once */
    assert_int_equal(procset_turn(&s, 9999 * MS, 10000 * MS), 0); /* no timer, so nothing late */
    assert_int_equal(procset_turn(&s, 10020 * MS, 10030 * MS), 20000);
    assert_int_equal(procset_turn(&s, 10050 * MS, 10300 * MS), 0); /* asked a moment ago */
    assert_int_equal(procset_turn(&s, 20300 * MS, 20400 * MS), 10000000);
}

static void late_but_nobody_wants_to_know(void **state)
{
    struct procset s = { .role = ROLE_VRRPD, .late_ns = 10 * MS, .due = TIME_NEVER, .quiet = true };
    (void)state;
    procset_turn(&s, 1000 * MS, 1100 * MS);
    assert_int_equal(procset_turn(&s, 2000 * MS, 2100 * MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_written),
        cmocka_unit_test(one_family_each),
        cmocka_unit_test(bfd_joins),
        cmocka_unit_test(receive_buffers),
        cmocka_unit_test(paths),
        cmocka_unit_test(late),
        cmocka_unit_test(late_but_nobody_wants_to_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
