/*
 * test_holdctl.c - holdctl without a daemon: answers taken apart, JSON after the schema, columns, colours,
 * and the sentences of explain from given facts; the events' ring and its numbers; doc/JSON.md says what
 * fields.def says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/report.h"
#include "parent/ctl/explain.h"
#include "parent/ctl/render.h"
#include "parent/events.h"
#include "vrrpd/heard.h"

static const char FACTS[] =
    "[daemon]\npid=7\nphase=running\nuptime_ms=1500\n"
    "[instance VI_1]\nid=8\nstate=MASTER\npriority=130\nbase_priority=150\nsince=1000.5\ncause=no advert\n"
    "[vrrp_instance VI_1]\nid=8\nstate=MASTER\npriority=130\nnopreempt=no\nadvert_sent_at=1001.0\n"
    "address=10.0.0.1\naddress=10.0.0.2\n"
    "[track chk]\ninstance=VI_1\nkind=script\nweight=-20\nadds=-20\nresult=failed\nfault=no\n"
    "last=exit status 1\nlast_at=1002\n"
    "[arithmetic VI_1]\nbase=150\nadded=-20\nsum=130\ntracked=130\neffective=130\nowner=no\n";

static char *explained(const char *facts, const char *name)
{
    struct doc d = { 0 };
    struct out o = { .now = 1003 };
    char *text = NULL;
    size_t len;
    doc_add(&d, facts);
    struct explain x = { .d = &d, .o = &o, .f = open_memstream(&text, &len) };
    const struct doc_part *s = doc_next(&d, NULL, "lvs_server");
    if (s != NULL)
        explain_server(&x, s);
    else
        explain_instance(&x, name);
    fclose(x.f);
    doc_free(&d);
    return text;
}

static void test_doc(void **state)
{
    struct doc d = { 0 };
    (void)state;
    doc_add(&d, "noise\n[a b c]\nk=1\nk=2\nx\n=y\nz==\n[[1.2.3.4]:tcp:80]\n[server "
                "[1.2.3.4]:tcp:80]\ni=\033[31m\n[]\n[");
    assert_int_equal(d.n, 3);
    assert_string_equal(d.v[0].kind, "a");
    assert_string_equal(d.v[0].name, "b c");
    assert_string_equal(doc_at(&d.v[0], "k", 1), "2");
    assert_null(doc_at(&d.v[0], "k", 2));
    assert_string_equal(doc_str(&d.v[0], "z", ""), "=");
    assert_string_equal(d.v[2].name, "[1.2.3.4]:tcp:80");
    assert_string_equal(doc_str(&d.v[2], "i", ""), "?[31m"); /* no escape reaches a terminal */
    assert_string_equal(doc_str(NULL, "i", "none"), "none");
    doc_free(&d);
}

static void test_json(void **state)
{
    static const char *const also[] = { "instance", "service", NULL };
    struct doc d = { 0 };
    (void)state;
    doc_add(&d, FACTS);
    json_t *j = render_doc(&d, "status", also), *v, *i;
    assert_int_equal(json_integer_value(json_object_get(j, "schema")), RENDER_SCHEMA);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "daemon"), "pid")), 7);
    i = json_array_get(json_object_get(j, "instances"), 0);
    assert_true(json_is_real(json_object_get(i, "since")));
    assert_string_equal(json_string_value(json_object_get(i, "cause")), "no advert");
    v = json_array_get(json_object_get(j, "vrrp_instances"), 0);
    assert_true(json_is_false(json_object_get(v, "nopreempt")));
    assert_int_equal(json_array_size(json_object_get(v, "address")), 2);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json_object_get(j, "tracks"), 0), "adds")), -20);
    assert_int_equal(json_array_size(json_object_get(j, "services")), 0); /* asked for, empty */
    assert_true(json_is_array(json_object_get(j, "services")));
    json_decref(j);
    doc_free(&d);
}

/* One value is a list too when the schema says list; options of the configuration are as they come. */
static void test_json_lists(void **state)
{
    struct doc d = { 0 };
    (void)state;
    doc_add(&d, "[vrrp_instance A]\naddress=1\n[object B]\nid=3\noption.x=1\noption.y=2\noption.y=3\n");
    json_t *j = render_doc(&d, NULL, NULL);
    json_t *a = json_array_get(json_object_get(j, "vrrp_instances"), 0);
    json_t *o = json_object_get(json_array_get(json_object_get(j, "objects"), 0), "options");
    assert_int_equal(json_array_size(json_object_get(a, "address")), 1);
    assert_true(json_is_string(json_object_get(o, "x")));
    assert_int_equal(json_array_size(json_object_get(o, "y")), 2);
    json_decref(j);
    doc_free(&d);
}

static char *table(bool colour, size_t width)
{
    char *text = NULL;
    size_t len;
    struct out_table t;
    struct out o = { .f = open_memstream(&text, &len), .colour = colour, .width = width };
    out_table(&t, (const char *[]){ "NAME", "STATE", "WHY", NULL });
    out_cell(&t, OUT_PLAIN, "主机");
    out_cell(&t, out_state("MASTER"), "MASTER");
    out_cell(&t, OUT_PLAIN, "a long reason");
    out_flush(&o, &t);
    out_table(&t, (const char *[]){ "EMPTY", NULL });
    out_flush(&o, &t);
    fclose(o.f);
    return text;
}

static void test_columns(void **state)
{
    (void)state;
    char *t = table(false, 0);
    assert_string_equal(t, "NAME  STATE   WHY\n主机    MASTER  a long reason\n");
    free(t);
    t = table(false, 20);
    assert_string_equal(t, "NAME  STATE   WHY\n主机    MASTER  a long\n");
    free(t);
    t = table(true, 0);
    assert_non_null(strstr(t, "\033[32mMASTER\033[0m"));
    free(t);
}

/* The support thread: the check failed, but the VIP did not move. */
static void test_not_moved(void **state)
{
    char text[2000];
    (void)state;
    char *t = explained(FACTS, "VI_1");
    assert_non_null(strstr(t, "because=effective priority 130 = 150 (configured) - 20 (script chk) = 130\n"));
    assert_non_null(strstr(t, "because=script chk fails, and the address stays here"));
    assert_non_null(strstr(t, "its last run: exit status 1, 1.0 s ago"));
    assert_non_null(strstr(t, "advice=let the weight be larger"));
    free(t);
    snprintf(text, sizeof text, "%s[sender 10.0.0.9]\ninstance=VI_1\naccepted=4\npriority=120\nrejected=0\n",
             FACTS);
    t = explained(text, "VI_1");
    assert_non_null(strstr(t, "the highest priority heard from others is 120 (10.0.0.9): not above 130"));
    free(t);
    t = explained("[instance VI_1]\nstate=MASTER\n[vrrp_instance VI_1]\nstate=MASTER\npriority=100\n",
                  "VI_1");
    assert_null(strstr(t, "stays here"));
    free(t);
}

static void test_backup(void **state)
{
    (void)state;
    char *t = explained(
        "[instance VI_1]\nid=1\nstate=BACKUP\n[vrrp_instance VI_1]\nid=1\nstate=BACKUP\npriority=150\n"
        "nopreempt=yes\nmaster=10.0.0.2\nmaster_priority=100\nmaster_heard_at=1002.7\n"
        "[sender 10.0.0.3]\ninstance=VI_1\naccepted=0\nrejected=2\nrejected_at=1001\nreason=wrong password\n",
        "VI_1");
    assert_non_null(strstr(t, "nopreempt keeps us from taking over"));
    assert_non_null(strstr(t, "MASTER is 10.0.0.2 with priority 100, heard 0.3 s ago"));
    assert_non_null(strstr(t, "rejected from 10.0.0.3: 2 adverts, the last 2.0 s ago: wrong password"));
    assert_non_null(strstr(t, "advice=holdctl takeover VI_1"));
    free(t);
}

static void test_weight_zero(void **state)
{
    static const struct {
        const char *server, *service, *says;
    } cases[] = {
        { "alive=no\nin_table=yes\ninhibit_on_failure=yes\n", "", "inhibit_on_failure is set" },
        { "alive=no\nin_table=no\n", "", "it is taken out of the table" },
        { "alive=yes\nin_table=no\n", "sorry_serves=yes\n", "the sorry server serves" },
        { "alive=yes\nin_table=yes\nconfigured_weight=0\n", "", "configured with weight 0" },
        { "alive=yes\nin_table=yes\nconfigured_weight=5\n", "", "checks have brought its weight down" },
        { "alive=yes\nin_table=yes\nordered=yes\norder=0\n", "", "by order of the operator" },
        { "alive=yes\nin_table=yes\nconfigured_weight=0\n", "ha_suspend=yes\npresent=no\n", "checks pause" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600];
        snprintf(
            text, sizeof text,
            "[lvs_service S]\nid=1\nstate=UP\nquorum=2\nhysteresis=1\nlive_weight=3\n%s[lvs_server R]\nid=2\n"
            "service_id=1\ntable_weight=0\n%s[check TCP_CHECK]\nserver_id=2\nstate=DOWN\nchecked=yes\n"
            "evidence=connect to 10.0.0.1:80: Connection refused\n",
            cases[i].service, cases[i].server);
        char *t = explained(text, NULL);
        assert_non_null(strstr(t, cases[i].says));
        assert_non_null(
            strstr(t, "evidence of its last failure: connect to 10.0.0.1:80: Connection refused"));
        assert_non_null(strstr(t, ">= quorum - hysteresis = 1: 3 >= 1"));
        free(t);
    }
}

static char *events_of(struct events *e, uint64_t since, uint64_t *last)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    *last = events_print(e, since, EVENTS_KEPT, f);
    fclose(f);
    return text;
}

static void events_count(void *arg)
{
    ++*(int *)arg;
}

static void test_events(void **state)
{
    struct events *e = events_new();
    uint64_t last;
    int told = 0;
    (void)state;
    char *t = events_of(e, 0, &last);
    assert_string_equal(t, "");
    assert_int_equal(last, 0);
    free(t);
    events_hook(e, events_count, &told);
    for (int i = 0; i < EVENTS_KEPT + 5; i++)
        events_add(e, &(struct event){ .kind = EVENT_SERVER, .name = "a\nb=c", .what = "state", .to = "UP" });
    assert_int_equal(told, EVENTS_KEPT + 5);
    assert_int_equal(events_first(e), 6);
    t = events_of(e, 0, &last);
    assert_int_equal(last, EVENTS_KEPT + 5);
    assert_int_equal(strncmp(t, "[event 6]\nseq=6\n", 16), 0);
    assert_non_null(strstr(t, "object=a?b=c\n")); /* a name cannot forge a line */
    free(t);
    t = events_of(e, EVENTS_KEPT + 4, &last);
    assert_int_equal(strncmp(t, "[event 1005]\n", 13), 0);
    free(t);
    events_free(e);
}

/* Forged senders push nobody out who was accepted. */
static void test_heard(void **state)
{
    struct heard_all h = { 0 };
    struct ipaddr a = { .family = 4, .plen = 32, .b = { 10, 0, 0, 1 } };
    struct engine_advert ad = { .priority = 99, .interval = NS_PER_SEC };
    (void)state;
    heard_note(&h, &a, 5, CHECK_OK, &ad);
    assert_int_equal(h.n, 1);
    for (uint8_t i = 2; i < 100; i++) {
        struct ipaddr b = a;
        b.b[3] = i;
        heard_note(&h, &b, 10u + i, CHECK_TTL, NULL);
    }
    assert_true(ipaddr_same(&h.one[0].src, &a));
    assert_int_equal(h.one[0].priority, 99);
    heard_note(&h, &a, 500, CHECK_CHECKSUM, NULL);
    assert_int_equal(h.one[0].rejected, 1);
    assert_int_equal(h.one[0].accepted_at, 5);
    assert_int_equal(h.n, HEARD_MOST);
    for (size_t i = 1; i < HEARD_MOST; i++)
        assert_int_equal(h.one[i].why, CHECK_TTL);
    heard_free(&h);
}

/* show config: what is secret is named and never shown; what belongs to an object comes with it. */
static void test_secrets(void **state)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 1);
    char *text = NULL;
    size_t len, cursor = 0, size;
    (void)state;
    uint32_t vi = slice_put_obj(w, BLK_VI, 0, "VI_1", 3);
    slice_put_uint(w, KW_VI_PRIORITY, 150);
    slice_put_us(w, KW_VI_ADVERT_INT, 200000);
    slice_put_obj(w, BLK_VI_AUTH, vi, "", 5);
    slice_put_str(w, KW_VI_AUTH_AUTH_PASS, "swordfish");
    slice_put_obj(w, BLK_VI, 0, "VI_2", 9);
    const void *p = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(p, len, ROLE_VRRPD, NULL);
    assert_non_null(s);
    FILE *f = open_memstream(&text, &size);
    while (report_slice(s, vi, &cursor, f))
        ;
    fclose(f);
    assert_non_null(strstr(text, "option.priority=150\noption.advert_int=0.200000\n"));
    assert_non_null(strstr(text, "block=authentication\n"));
    assert_non_null(strstr(text, "option.auth_pass=(secret)\n"));
    assert_null(strstr(text, "swordfish"));
    assert_null(strstr(text, "VI_2"));
    free(text);
    slice_free(s);
    slice_writer_free(w);
}

/* doc/JSON.md is what fields.def says: holdctl schema writes its second half. */
static void test_documented(void **state)
{
    char *want = NULL, *have = NULL;
    size_t len, room;
    (void)state;
    FILE *f = open_memstream(&want, &len), *doc = fopen("doc/JSON.md", "r");
    if (doc == NULL)
        skip(); /* not run from the tree */
    render_schema(f);
    fclose(f);
    assert_true(getdelim(&have, &room, '\0', doc) > 0);
    fclose(doc);
    assert_non_null(strstr(have, want));
    free(have);
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doc),         cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_lists),  cmocka_unit_test(test_columns),
        cmocka_unit_test(test_not_moved),   cmocka_unit_test(test_backup),
        cmocka_unit_test(test_weight_zero), cmocka_unit_test(test_events),
        cmocka_unit_test(test_heard),       cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
