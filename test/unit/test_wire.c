/*
 * test_wire.c - `holdctl vrrp watch` without a wire: frames to adverts, and which rows of adverts are two
 * masters. Adverts are built by vrrpd's own builder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "parent/ctl/ctl.h"
#include "parent/ctl/wire.h"

struct frame {
    uint8_t b[256];
    size_t n;
};

static void ip4_sum(struct frame *f, const char *src, uint8_t priority, uint8_t ttl, bool plain)
{
    struct packet_spec s = {
        .family = 4,
        .version = 3,
        .vrid = 51,
        .priority = priority,
        .interval_ns = NS_PER_SEC,
        .plain_checksum = plain,
    };
    struct ipaddr vip;
    ipaddr_parse("10.0.0.100", &vip);
    ipaddr_parse(src, &s.src);
    ipaddr_parse("224.0.0.18", &s.dst);
    s.addrs = &vip;
    s.naddrs = 1;
    memset(f, 0, sizeof *f);
    int n = packet_build(&s, f->b + 20, sizeof f->b - 20);
    assert_true(n > 0);
    f->b[0] = 0x45;
    f->b[3] = (uint8_t)(20 + n);
    f->b[8] = ttl;
    f->b[9] = PACKET_PROTO;
    memcpy(f->b + 12, s.src.b, 4);
    memcpy(f->b + 16, s.dst.b, 4);
    f->n = 20 + (size_t)n;
}

static void ip4(struct frame *f, const char *src, uint8_t priority, uint8_t ttl)
{
    ip4_sum(f, src, priority, ttl, false);
}

static enum wire_news hear_sum(struct wire *w, const char *src, uint8_t priority, bool plain, size_t *who)
{
    static const uint8_t mac[WIRE_MAC] = { 2 };
    struct wire_advert a;
    struct frame f;
    ip4_sum(&f, src, priority, 255, plain);
    assert_int_equal(wire_decode(0x0800, f.b, f.n, &a), 0);
    assert_false(a.bad_checksum);
    assert_int_equal(a.plain, plain);
    return wire_hear(w, &a, mac, false, w->adverts + 1, who);
}

static enum wire_news hear(struct wire *w, const char *src, uint8_t priority, size_t *who)
{
    return hear_sum(w, src, priority, false, who);
}

static void test_decode(void **state)
{
    struct frame f, tagged = { .b = { 0x20, 0x0a, 0x08, 0x00 } };
    struct wire_advert a;
    (void)state;
    ip4(&f, "10.0.0.1", 100, 255);
    assert_int_equal(wire_decode(0x0800, f.b, f.n, &a), 0);
    assert_int_equal(a.view.vrid, 51);
    assert_false(a.bad_checksum || a.bad_length || a.bad_ttl || a.trailer || a.ah);
    assert_int_equal(wire_decode(0x0800, f.b, 46, &a), 0); /* what Ethernet added */
    assert_false(a.bad_length);
    memcpy(tagged.b + 4, f.b, f.n);
    assert_int_equal(wire_decode(0x8100, tagged.b, f.n + 4, &a), 0);
    assert_int_equal(a.vlan, 10);
    f.b[30] ^= 1;
    assert_int_equal(wire_decode(0x0800, f.b, f.n, &a), 0);
    assert_true(a.bad_checksum);
    ip4(&f, "10.0.0.1", 100, 254);
    assert_int_equal(wire_decode(0x0800, f.b, f.n, &a), 0);
    assert_true(a.bad_ttl && !a.bad_checksum);
    for (size_t n = 0; n < 28; n++)
        assert_int_equal(wire_decode(0x0800, f.b, n, &a), -1);
    f.b[9] = 17;
    assert_int_equal(wire_decode(0x0800, f.b, f.n, &a), -1);
    assert_int_equal(wire_decode(0x86dd, f.b, f.n, &a), -1);
}

static void test_takeover(void **state)
{
    /* Preemption, with the last word of the old master, and back again much later. */
    struct wire w = { 0 };
    struct findings l = { 0 };
    size_t who;
    (void)state;
    assert_int_equal(hear(&w, "10.0.0.1", 100, &who), WIRE_NEW);
    for (int i = 0; i < 5; i++)
        assert_int_equal(hear(&w, "10.0.0.1", 100, &who), WIRE_SAME);
    assert_int_equal(hear(&w, "10.0.0.2", 200, &who), WIRE_NEW);
    assert_int_equal(hear(&w, "10.0.0.1", 100, &who), WIRE_SAME);
    for (int i = 0; i < 5; i++)
        assert_int_equal(hear(&w, "10.0.0.2", 200, &who), WIRE_SAME);
    assert_int_equal(hear(&w, "10.0.0.2", 0, &who), WIRE_RESIGNED);
    assert_int_equal(hear(&w, "10.0.0.1", 100, &who), WIRE_SAME);
    assert_int_equal(hear(&w, "10.0.0.2", 200, &who), WIRE_SAME);
    wire_judge(&w, "eth0", &l);
    assert_int_equal(l.n, 0);
    findings_free(&l);
    wire_free(&w);
}

static void test_split(void **state)
{
    struct wire w = { 0 };
    struct findings l = { 0 };
    size_t who, splits = 0;
    char text[64];
    (void)state;
    for (int i = 0; i < 6; i++) {
        splits += hear(&w, "10.0.0.1", 100, &who) == WIRE_SPLIT;
        splits += hear(&w, "10.0.0.2", 200, &who) == WIRE_SPLIT;
    }
    assert_int_equal(splits, 1); /* said when it begins */
    wire_judge(&w, "eth0", &l);
    assert_true(finding_is(&l, "HW-SPLIT", NULL));
    assert_int_equal(findings_exit(&l), CTL_BAD);
    wire_free_vrids(&w, text, sizeof text);
    assert_string_equal(text, "1-50 52-255");
    findings_free(&l);
    wire_free(&w);
}

/* Two masters, one of RFC 5798 and one of RFC 9568: not a firewall. */
static void test_checksum_forms(void **state)
{
    struct wire w = { 0 };
    struct findings l = { 0 };
    size_t who;
    (void)state;
    for (int i = 0; i < 6; i++) {
        hear_sum(&w, "10.0.0.1", 100, true, &who);
        hear_sum(&w, "10.0.0.2", 200, false, &who);
    }
    wire_judge(&w, "eth0", &l);
    assert_int_equal(l.n, 1);
    assert_true(finding_is(&l, "HW-SPLIT", NULL));
    json_t *said = findings_json(&l);
    char *text = json_dumps(said, JSON_COMPACT);
    assert_non_null(strstr(text, "checksum of 10.0.0.1 leaves out the pseudo header"));
    free(text);
    json_decref(said);
    findings_free(&l);
    wire_free(&w);
}

static void test_bounded(void **state)
{
    struct wire w = { 0 };
    struct findings l = { 0 };
    char src[32];
    size_t who;
    (void)state;
    for (int i = 0; i < WIRE_SENDERS + 100; i++) {
        snprintf(src, sizeof src, "10.1.%d.%d", i / 250, i % 250 + 1);
        hear(&w, src, 100, &who);
        assert_true(who < w.n);
    }
    assert_int_equal(w.n, WIRE_SENDERS);
    assert_int_equal(w.ignored, 100);
    wire_judge(&w, "eth0", &l);
    assert_true(finding_is(&l, "HW-MANY", "eth0"));
    findings_free(&l);
    wire_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_decode), cmocka_unit_test(test_takeover),
                                        cmocka_unit_test(test_split), cmocka_unit_test(test_checksum_forms),
                                        cmocka_unit_test(test_bounded) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
