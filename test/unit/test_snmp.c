/* test_snmp.c - the image an SNMP agent answers from, members of groups, words of a daemon that lie, and
 * what is said of a master agent that is away. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "parent/snmp/fill.h"
#include "parent/snmp/master.h"
#include "parent/snmp/stats.h"

static void test_oid(void **state)
{
    uint32_t o[4];
    (void)state;
    assert_int_equal(image_oid("1.3.6", o, 4), 3);
    assert_int_equal(o[2], 6);
    assert_int_equal(image_oid("1.3.6.1", o, 4), 4);
    assert_int_equal(image_oid("1.3.6.1.4", o, 4), 0);
    assert_int_equal(image_oid("", o, 4), 0);
    assert_int_equal(image_oid("1..3", o, 4), 0);
    assert_int_equal(image_oid("1.3.", o, 4), 0);
}

static void test_order(void **state)
{
    static const uint32_t want[][5] = {
        { 1, 3, 1, 9, 0 }, { 1, 3, 2, 1, 0 }, { 1, 3, 2, 2, 0 }, { 1, 3, 2, 10, 0 }
    };
    struct image m = { 0 };
    struct image_row r = image_row(&m, "1.3");
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        r.nindex = 0;
        image_index(&r, (uint32_t[]){ 10, 1, 2 }[i]);
        image_int(&r, 2, i);
    }
    r.nindex = 0;
    image_index(&r, 9);
    image_int(&r, 1, 7);
    image_int(&r, 1, 8); /* twice: the first stays */
    image_sort(&m);
    assert_int_equal(m.n, 4);
    for (size_t i = 0; i < 4; i++)
        assert_memory_equal(m.v[i].oid, want[i], 4 * sizeof(uint32_t));
    assert_ptr_equal(image_next(&m, want[0], 2, false), &m.v[0]);
    assert_ptr_equal(image_next(&m, want[0], 4, false), &m.v[1]);
    assert_ptr_equal(image_next(&m, want[0], 4, true), &m.v[0]);
    assert_null(image_next(&m, want[3], 4, false));
    assert_ptr_equal(image_get(&m, want[2], 4), &m.v[2]);
    assert_null(image_get(&m, want[2], 3));
    assert_null(image_get(&m, want[2], 5));
    assert_true(image_below(&m.v[3], want[3], 3));
    assert_false(image_below(&m.v[0], want[3], 3));
    image_free(&m);
    image_sort(&m);
    assert_null(image_next(&m, want[0], 1, true));
}

static void test_values(void **state)
{
    struct image m = { 0 };
    struct image_row r = image_row(&m, "1.3");
    char longer[400];
    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    image_gauge(&r, 1, UINT64_C(1) << 40);
    image_number(&r, 2, IMAGE_COUNTER, (UINT64_C(1) << 40) + 5);
    image_number(&r, 3, IMAGE_COUNTER64, UINT64_C(1) << 40);
    image_int(&r, 4, INT64_MIN);
    image_text(&r, 5, longer);
    image_text(&r, 6, NULL);
    image_text(&r, 7, "");
    assert_int_equal(m.n, 6);
    assert_int_equal(m.v[0].number, UINT32_MAX);
    assert_int_equal(m.v[1].number, 5);
    assert_int_equal(m.v[2].number, UINT64_C(1) << 40);
    assert_int_equal((int64_t)m.v[3].number, INT32_MIN);
    assert_int_equal(m.v[4].len, 255);
    assert_non_null(image_data(&m, &m.v[5]));
    image_free(&m);
}

static void test_members(void **state)
{
    struct stats_member m;
    (void)state;
    assert_int_equal(stats_member("10.0.0.250-255 80", &m), 0);
    assert_int_equal(m.more, 5);
    assert_int_equal(m.last.b[3], 255);
    assert_int_equal(m.port, 80);
    assert_int_equal(stats_member("fd00::10-20 443", &m), 0);
    assert_int_equal(m.more, 16);
    assert_int_equal(m.last.b[15], 0x20);
    assert_int_equal(stats_member("fwmark 7", &m), 0);
    assert_int_equal(m.mark, 7);
    assert_int_equal(m.first.family, 0);
    assert_int_equal(stats_member("10.0.0.250-256 80", &m), -1);
    assert_int_equal(stats_member("10.0.0.5-4 80", &m), -1);
    assert_int_equal(stats_member("fwmark", &m), -1);
    assert_int_equal(stats_member("", &m), -1);
}

/* A taken-over vrrpd: ids that are none, addresses that are none, the same object twice. */
static void test_lies(void **state)
{
    static const char conf[] = "[object A]\nid=7\nparent=0\nblock=vrrp_instance\n"
                               "[object nonsense]\nid=8\nparent=7\nblock=virtual_ipaddress\noption.dev=eth0\n"
                               "[object A]\nid=-3\nparent=x\nblock=vrrp_instance\n";
    static const char now[] =
        "[daemon]\nversion=1\npid=1\ngeneration=1\n"
        "[vrrp_instance A]\nid=7\nstate=WHAT\nvrid=70000\npriority=99999999999999\naddress=x\n"
        "interface=eth0\n[interface eth0]\nifindex=99999999999\n";
    struct view v = { 0 };
    struct image m = { 0 };
    struct fill f = { .view = &v, .image = &m };
    struct image_row server = image_row(&m, FILL_SERVERS);
    (void)state;
    doc_add(&v.vrrp, conf);
    doc_add(&v.state, now);
    v.by_id.v = calloc(1, sizeof *v.by_id.v);
    v.by_id.n = 1;
    v.by_id.v[0] = (struct view_index){ 7, doc_named(&v.state, "vrrp_instance", "A") };
    fill_global(&f);
    fill_vrrp(&f);
    fill_trackers(&f);
    fill_rfc2787(&f);
    fill_rfc6527(&f);
    fill_server_name(&server, "no address");
    fill_server_name(&server, "[]:");
    image_sort(&m);
    for (size_t i = 0; i < m.n; i++) {
        assert_true(m.v[i].n <= IMAGE_OID_MAX);
        assert_true(m.v[i].type == IMAGE_COUNTER64 || m.v[i].number <= UINT32_MAX ||
                    (int64_t)m.v[i].number < 0);
    }
    assert_int_equal(fill_state("WHAT"), 4);
    image_free(&m);
    view_free(&v);
}

/* lvs_sync_daemon is no option of global_defs in the daemon's report, but an object with the interface's
 * name. */
static void test_sync(void **state)
{
    static const char conf[] = "[object eth0]\nid=3\nparent=1\nblock=options of lvs_sync_daemon\n"
                               "option.inst=VI_1\noption.id=7\noption.maxlen=1400\n";
    static const uint32_t shown[] = { 1, 3, 6, 1, 4, 1, 9586, 100, 5, 3, 6, 1, 0 };
    static const uint32_t iface[] = { 1, 3, 6, 1, 4, 1, 9586, 100, 5, 3, 6, 2, 0 };
    struct view v = { 0 };
    struct image m = { 0 };
    struct fill f = { .view = &v, .image = &m };
    (void)state;
    doc_add(&v.kernel, conf);
    fill_lvs(&f);
    image_sort(&m);
    const struct image_cell *on = image_get(&m, shown, 13), *name = image_get(&m, iface, 13);
    assert_non_null(on);
    assert_int_equal(on->number, 1);
    assert_non_null(name);
    assert_int_equal(name->len, 4);
    assert_memory_equal(image_data(&m, name), "eth0", 4);
    assert_string_equal(fill_sync_instance(&f), "VI_1");
    image_free(&m);
    view_free(&v);
}

/* What master.c wrote since the last time. */
static const char *said(int fd, char *buf, size_t size)
{
    ssize_t n = read(fd, buf, size - 1);
    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

static void test_master(void **state)
{
    char buf[2000];
    int fds[2];
    uint64_t now = 1;
    struct master m = { .address = "unix:/nonexistent/master" };
    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    for (int i = 0; i < 100; i++)
        master_look(&m, false, now += NS_PER_SEC, fds[1]);
    const char *text = said(fds[0], buf, sizeof buf);
    assert_non_null(strstr(text, "no master agent at unix:/nonexistent/master (No such file or directory)"));
    assert_non_null(strstr(text, "\"agentXSocket unix:/nonexistent/master\""));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); /* once */
    master_tell(&m, MASTER_AWAY, ECONNREFUSED, fds[1]);            /* the same to do: said already */
    assert_string_equal(said(fds[0], buf, sizeof buf), "");
    master_tell(&m, MASTER_AWAY, EACCES, fds[1]);
    text = said(fds[0], buf, sizeof buf);
    assert_non_null(strstr(text, "agentXPerms 0660 0755 _holdfast_snmp"));
    assert_non_null(strstr(text, "chmod 0755 /nonexistent;"));
    for (int i = 0; i < 3; i++)
        master_look(&m, true, now += NS_PER_SEC, fds[1]);
    assert_string_equal(said(fds[0], buf, sizeof buf),
                        "holdfast-snmp: connected to the master agent at unix:/nonexistent/master\n");
    master_look(&m, false, now += 1, fds[1]); /* lost: at once */
    assert_non_null(strstr(said(fds[0], buf, sizeof buf), "no master agent"));
    close(fds[0]);
    close(fds[1]);
}

/* Of TCP nothing is known but that there is no session; one that comes back within moments is no news. */
static void test_master_silent(void **state)
{
    char buf[2000];
    int fds[2];
    uint64_t now = 1;
    struct master m = { .address = "tcp:localhost:705" };
    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    for (int i = 0; i < 9; i++)
        master_look(&m, false, now += NS_PER_SEC, fds[1]);
    assert_string_equal(said(fds[0], buf, sizeof buf), "");
    for (int i = 0; i < 20; i++)
        master_look(&m, false, now += NS_PER_SEC, fds[1]);
    const char *text = said(fds[0], buf, sizeof buf);
    assert_non_null(strstr(text, "no AgentX session with the master agent at tcp:localhost:705"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oid),     cmocka_unit_test(test_order),         cmocka_unit_test(test_values),
        cmocka_unit_test(test_members), cmocka_unit_test(test_lies),          cmocka_unit_test(test_sync),
        cmocka_unit_test(test_master),  cmocka_unit_test(test_master_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
