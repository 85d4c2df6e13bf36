/* test_dbus.c - what holdfast-dbus makes of the daemon's words: paths, texts, states, events in and out of
 * order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "parent/dbus/shown.h"

static const char *const status_text =
    "[daemon]\nlast_event=7\ngeneration=3\n"
    "[dbus]\nenabled=yes\nservice_name=org.keepalived.Vrrp1\nno_interface_name=none\nnet_namespace=red-"
    "1\ninstance=b\n"
    "[instance A]\nid=3\nstate=MASTER\n[instance B]\nid=4\nstate=BACKUP\n"
    "[vrrp_instance A]\nvrid=51\nfamily=4\ninterface=eth0.5\nstate=BACKUP\n"
    "[vrrp_instance B]\nvrid=51\nfamily=6\ninterface=eth0.5\nstate=BACKUP\n"
    "[vrrp_instance C]\nvrid=51\nfamily=6\ninterface=eth0_5\nstate=FAULT\n"
    "[vrrp_instance D]\nvrid=1\nfamily=4\nstate=WHAT\n";

static void load(struct shown *m, const char *text)
{
    struct doc d = { 0 };
    doc_add(&d, text);
    shown_load(m, &d);
    doc_free(&d);
}

static const struct shown_inst *event(struct shown *m, const char *name, unsigned int seq, const char *to)
{
    struct doc d = { 0 };
    char text[256];
    snprintf(text, sizeof text, "[event %u]\nseq=%u\nkind=instance\nobject=%s\nwhat=state\nto=%s\n", seq, seq,
             name, to);
    doc_add(&d, text);
    const struct shown_inst *i = shown_changed(m, doc_next(&d, NULL, "event"));
    doc_free(&d);
    return i;
}

static void test_load(void **state)
{
    struct shown m;
    (void)state;
    load(&m, status_text);
    assert_true(m.enabled);
    assert_int_equal(m.last, 7);
    assert_int_equal(m.generation, 3);
    assert_string_equal(m.vrrp, "/org/keepalived/Vrrp1/red_1/b/Vrrp");
    assert_int_equal(m.n, 3);
    assert_int_equal(m.same, 1); /* C's path is B's */
    assert_string_equal(m.v[0].path, "/org/keepalived/Vrrp1/red_1/b/Instance/eth0_5/51/IPv4");
    assert_int_equal(m.v[0].state, 2); /* as the parent has it: the events go on from there */
    assert_string_equal(m.v[1].path, "/org/keepalived/Vrrp1/red_1/b/Instance/eth0_5/51/IPv6");
    assert_string_equal(m.v[1].name, "B");
    assert_string_equal(m.v[2].path, "/org/keepalived/Vrrp1/red_1/b/Instance/none/1/IPv4");
    assert_int_equal(m.v[2].state, SHOWN_INIT);
    assert_ptr_equal(shown_at(&m, m.v[2].path), &m.v[2]);
    assert_null(shown_at(&m, "/org/keepalived/Vrrp1/red_1/b/Instance/none/1"));
    shown_free(&m);
    load(&m, "");
    assert_false(m.enabled);
    assert_int_equal(m.n, 0);
    shown_free(&m);
}

static void test_events(void **state)
{
    struct shown m, next;
    (void)state;
    load(&m, status_text);
    assert_null(event(&m, "A", 7, "BACKUP")); /* in the answer already */
    assert_null(event(&m, "nobody", 8, "BACKUP"));
    assert_null(event(&m, "A", 8, "ASLEEP"));
    assert_ptr_equal(event(&m, "A", 9, "FAULT"), &m.v[0]);
    assert_int_equal(m.v[0].state, 3);
    assert_null(event(&m, "A", 9, "MASTER"));
    assert_string_equal(shown_state_word(m.v[0].state), "Fault");
    load(&next, "[daemon]\nlast_event=20\n[dbus]\nenabled=yes\nnet_namespace=red-1\ninstance=b\n"
                "[instance A]\nstate=MASTER\n[instance E]\nstate=MASTER\n"
                "[vrrp_instance A]\nvrid=51\nfamily=4\ninterface=eth0.5\n"
                "[vrrp_instance E]\nvrid=9\nfamily=4\ninterface=eth0.5\n");
    shown_carry(&next, &m);
    assert_int_equal(next.v[0].state, 3); /* its events are on their way still */
    assert_ptr_equal(event(&next, "A", 15, "MASTER"), &next.v[0]);
    assert_int_equal(next.v[1].state, 2);
    assert_null(event(&next, "E", 15, "MASTER"));
    assert_ptr_equal(event(&next, "E", 21, "STOP"), &next.v[1]);
    assert_int_equal(next.v[1].state, SHOWN_STATE_MAX);
    shown_free(&next);
    shown_free(&m);
}

static void check_text(const char *in, const char *out, size_t size)
{
    char buf[64];
    memset(buf, 'x', sizeof buf);
    shown_text(buf, size, in);
    assert_string_equal(buf, out);
    assert_int_equal(buf[size], 'x');
}

static void test_text(void **state)
{
    (void)state;
    check_text("VI_1", "VI_1", 10);
    check_text("VI_1", "VI_", 4);
    check_text("\xc3\xbc\xe4\xb8\xad\xf0\x9f\x98\x80", "\xc3\xbc\xe4\xb8\xad\xf0\x9f\x98\x80", 20);
    check_text("a\xc3\xbc", "a", 3);            /* no half of a character */
    check_text("\xfcx", "?x", 10);              /* Latin-1 */
    check_text("\xc0\xaf", "??", 10);           /* overlong */
    check_text("\xed\xa0\x80", "???", 10);      /* a surrogate */
    check_text("\xf4\x90\x80\x80", "????", 10); /* beyond the last */
    check_text("\xe4\xb8", "??", 10);           /* it ends early */
    check_text("\xff\xfe", "??", 10);
}

static void test_path(void **state)
{
    char buf[12] = "/a";
    (void)state;
    shown_path_add(buf, sizeof buf, "");
    assert_string_equal(buf, "/a");
    shown_path_add(buf, sizeof buf, "b/.\xc3");
    assert_string_equal(buf, "/a/b___");
    shown_path_add(buf, sizeof buf, "0123456789");
    assert_string_equal(buf, "/a/b___/012");
    shown_path_add(buf, sizeof buf, "z");
    assert_string_equal(buf, "/a/b___/012");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
