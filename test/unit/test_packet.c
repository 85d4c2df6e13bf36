/*
 * test_packet.c - bytes of adverts against vectors made by an independent implementation (the acceptance
 * suite's packet builder), and every receive check with the one counter it may move.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "vrrpd/checks.h"
#include "vrrpd/packet.h"

struct vector {
    const char *name, *hex;
    uint8_t family, version, vrid, priority;
    uint64_t interval;
    enum packet_auth auth;
    const char *pass;
    bool plain;
    const char *src, *dst;
    const char *addrs[3];
};

static const struct vector vectors[] = {
    { "v2",
      "21339602000134000a0000640a0000650000000000000000",
      4,
      2,
      51,
      150,
      NS_PER_SEC,
      PACKET_AUTH_NONE,
      "",
      false,
      "10.0.0.1",
      "224.0.0.18",
      { "10.0.0.100", "10.0.0.101" } },
    { "v2 with password",
      "2107ff010103cae90a0000647333637233000000",
      4,
      2,
      7,
      255,
      3 * NS_PER_SEC,
      PACKET_AUTH_PASS,
      "s3cr3",
      false,
      "10.0.0.1",
      "224.0.0.18",
      { "10.0.0.100" } },
    { "v3",
      "31336401001975be0a000064",
      4,
      3,
      51,
      100,
      250 * NS_PER_MS,
      PACKET_AUTH_NONE,
      "",
      false,
      "10.0.0.1",
      "224.0.0.18",
      { "10.0.0.100" } },
    { "v3 without pseudo header",
      "313364010019604e0a000064",
      4,
      3,
      51,
      100,
      250 * NS_PER_MS,
      PACKET_AUTH_NONE,
      "",
      true,
      "10.0.0.1",
      "224.0.0.18",
      { "10.0.0.100" } },
    { "v3 IPv6",
      "313378020fff4b1afe800000000000000000000000000100fd000000000000000000000000000100",
      6,
      3,
      51,
      120,
      40950 * NS_PER_MS,
      PACKET_AUTH_NONE,
      "",
      false,
      "fe80::1",
      "ff02::12",
      { "fe80::100", "fd00::100" } },
    { "v2 IPv6, as keepalived 2.2.7 sends it",
      "2133640200018145fe800000000000000000000000000100fd770000000000000000000000000100",
      6,
      2,
      51,
      100,
      NS_PER_SEC,
      PACKET_AUTH_NONE,
      "",
      false,
      "fd77::1",
      "fd77::2",
      { "fe80::100", "fd77::100" } },
    { "resignation without addresses",
      "31ff00000064e310",
      4,
      3,
      255,
      0,
      NS_PER_SEC,
      PACKET_AUTH_NONE,
      "",
      false,
      "10.0.0.1",
      "224.0.0.18",
      { NULL } },
};
#define NVECTORS (sizeof vectors / sizeof vectors[0])

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned int v;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
    return n;
}

static struct ipaddr ip(const char *s)
{
    struct ipaddr a;
    assert_int_equal(ipaddr_parse(s, &a), 0);
    return a;
}

static size_t vector_spec(const struct vector *t, struct packet_spec *s, struct ipaddr addrs[3])
{
    size_t n = 0;
    while (n < 3 && t->addrs[n] != NULL) {
        addrs[n] = ip(t->addrs[n]);
        n++;
    }
    *s = (struct packet_spec){ .family = t->family,
                               .version = t->version,
                               .vrid = t->vrid,
                               .priority = t->priority,
                               .interval_ns = t->interval,
                               .auth_type = t->auth,
                               .plain_checksum = t->plain,
                               .src = ip(t->src),
                               .dst = ip(t->dst),
                               .addrs = addrs,
                               .naddrs = n };
    memcpy(s->auth, t->pass, strlen(t->pass));
    return n;
}

static void test_build_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < NVECTORS; i++) {
        struct packet_spec s;
        struct ipaddr addrs[3];
        uint8_t want[256], got[256];
        vector_spec(&vectors[i], &s, addrs);
        size_t n = unhex(vectors[i].hex, want);
        print_message("%s\n", vectors[i].name);
        assert_int_equal(packet_build(&s, got, sizeof got), n);
        assert_memory_equal(got, want, n);
        assert_int_equal(packet_build(&s, got, n - 1), -1);
    }
}

static void test_parse_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < NVECTORS; i++) {
        const struct vector *t = &vectors[i];
        struct packet_view v;
        uint8_t b[256];
        size_t n = unhex(t->hex, b);
        assert_int_equal(packet_parse(t->family, b, n, &v), 0);
        assert_int_equal(v.version, t->version);
        assert_int_equal(v.type, 1);
        assert_int_equal(v.vrid, t->vrid);
        assert_int_equal(v.priority, t->priority);
        assert_true(v.interval_ns == t->interval);
        assert_int_equal(v.need, n);
        for (size_t cut = 0; cut < n; cut++) { /* every shorter one is refused or shows no body */
            int rc = packet_parse(t->family, b, cut, &v);
            assert_int_equal(rc, cut < 8 ? -1 : 0);
            if (rc == 0) {
                assert_null(v.addrs);
                assert_null(v.auth);
            }
        }
    }
}

static void test_build_limits(void **state)
{
    static struct ipaddr many[256];
    static uint8_t buf[PACKET_MAX + 64];
    (void)state;
    for (size_t i = 0; i < 256; i++)
        many[i] = ip("2001:db8::1");
    struct packet_spec s = { .family = 6,
                             .version = 3,
                             .vrid = 1,
                             .priority = 1,
                             .interval_ns = 99 * NS_PER_SEC,
                             .src = ip("fe80::1"),
                             .dst = ip("ff02::12"),
                             .addrs = many,
                             .naddrs = 255 };
    assert_int_equal(packet_build(&s, buf, sizeof buf), 8 + 255 * 16);
    assert_int_equal(buf[4] << 8 | buf[5], 0x0fff); /* 40.95 s is the most a version 3 advert can say */
    s.naddrs = 256;
    assert_int_equal(packet_build(&s, buf, sizeof buf), -1);
    s.naddrs = 1;
    many[0] = ip("10.0.0.1");
    assert_int_equal(packet_build(&s, buf, sizeof buf), -1);
}

static void test_split4(void **state)
{
    (void)state;
    uint8_t b[64] = { 0x46, 0xc0, 0, 36, 0, 1, 0, 0, 255, 112, 0, 0, 10, 0, 0, 1, 224, 0, 0, 18, 1, 1, 1, 1 };
    struct packet_rx rx;
    assert_int_equal(packet_split4(b, 36, &rx), 0);
    assert_int_equal(rx.ip_hlen, 24);
    assert_int_equal(rx.len, 12);
    assert_int_equal(rx.total_len, 36);
    assert_int_equal(rx.ttl, 255);
    assert_int_equal(packet_split4(b, 23, &rx), -1);
    b[0] = 0x44;
    assert_int_equal(packet_split4(b, 36, &rx), -1);
    b[0] = 0x65;
    assert_int_equal(packet_split4(b, 36, &rx), -1);
    assert_int_equal(packet_split4(b, 0, &rx), -1);
}

/* ---- receive checks */

struct bench {
    struct check_cfg cfg;
    struct check_state st;
    struct check_stats bad; /* of st */
    struct packet_rx rx;
    struct packet_spec spec;
    struct ipaddr addrs[3];
    struct check_peer peers[2];
    uint8_t buf[512];
};

static void bench_init(struct bench *b, uint8_t version)
{
    memset(b, 0, sizeof *b);
    b->st.bad = &b->bad;
    b->addrs[0] = ip("10.0.0.100");
    b->addrs[1] = ip("10.0.0.101");
    b->spec = (struct packet_spec){ .family = 4,
                                    .version = version,
                                    .vrid = 51,
                                    .priority = 200,
                                    .interval_ns = NS_PER_SEC,
                                    .src = ip("10.0.0.2"),
                                    .dst = ip("224.0.0.18"),
                                    .addrs = b->addrs,
                                    .naddrs = 2 };
    b->cfg = (struct check_cfg){ .family = 4,
                                 .version = version,
                                 .priority = 100,
                                 .interval = NS_PER_SEC,
                                 .group = ip("224.0.0.18"),
                                 .addrs = b->addrs,
                                 .naddrs = 2 };
    b->rx = (struct packet_rx){ .src = b->spec.src,
                                .dst = b->spec.dst,
                                .family = 4,
                                .proto = 112,
                                .ttl = 255,
                                .ip_hlen = 20,
                                .payload = b->buf };
}

static void bench_build(struct bench *b)
{
    int n = packet_build(&b->spec, b->buf, sizeof b->buf);
    assert_true(n > 0);
    b->rx.len = (size_t)n;
    b->rx.total_len = (uint16_t)(20 + n);
}

static unsigned int bench_remarks;

static void bench_resum(struct bench *b)
{
    b->buf[6] = b->buf[7] = 0;
    uint16_t sum = b->buf[0] >> 4 == 2 ? packet_checksum_plain(b->buf, b->rx.len)
                                       : packet_checksum(&b->rx.src, &b->rx.dst, b->buf, b->rx.len);
    b->buf[6] = (uint8_t)(sum >> 8);
    b->buf[7] = (uint8_t)sum;
}

/* The verdict is this one, and only this counter moved, by one. */
static void bench_expect(struct bench *b, enum check_verdict want, const uint64_t *counter)
{
    struct engine_advert a;
    struct check_stats before = check_stats(&b->st);
    uint64_t old = counter != NULL ? *counter : 0;
    enum check_verdict got = check_packet(&b->cfg, &b->st, &b->rx, &a, &bench_remarks);
    assert_string_equal(check_text(got), check_text(want));
    if (counter != NULL) {
        assert_true(*counter == old + 1);
        *(uint64_t *)(uintptr_t)counter = old;
    }
    const struct check_stats now = check_stats(&b->st);
    assert_memory_equal(&before, &now, sizeof before);
    if (got == CHECK_OK) {
        assert_int_equal(a.priority, b->spec.priority);
        assert_true(ipaddr_same(&a.src, &b->rx.src));
        assert_true(ipaddr_same(&b->st.last_ok, &b->rx.src));
    } else {
        assert_int_equal(bench_remarks, 0);
    }
}

static void test_check_good(void **state)
{
    (void)state;
    for (uint8_t version = 2; version <= 3; version++) {
        struct bench b;
        bench_init(&b, version);
        bench_build(&b);
        bench_expect(&b, CHECK_OK, &b.st.received);
        assert_int_equal(bench_remarks, 0);
        struct ipaddr swap = b.addrs[0]; /* another order is the same set */
        uint8_t keep[512];
        memcpy(keep, b.buf, sizeof keep);
        b.addrs[0] = b.addrs[1];
        b.addrs[1] = swap;
        bench_expect(&b, CHECK_OK, &b.st.received);
        assert_int_equal(bench_remarks, 0);
    }
}

static void test_check_form(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, 3);
    bench_build(&b);
    b.rx.ttl = 254;
    bench_expect(&b, CHECK_TTL, &b.bad.ttl);
    b.rx.ttl = -1;
    bench_expect(&b, CHECK_TTL, &b.bad.ttl);
    b.rx.ttl = 255;
    size_t len = b.rx.len;
    for (size_t cut = 0; cut < len; cut++) {
        b.rx.len = cut;
        b.rx.total_len = (uint16_t)(20 + cut);
        bench_expect(&b, CHECK_LENGTH, &b.bad.length);
    }
    for (size_t more = 1; more < 64; more++) {
        b.rx.len = len + more;
        b.rx.total_len = (uint16_t)(20 + b.rx.len);
        if (b.rx.len == 26) /* Ethernet's padding inside the IP length */
            bench_expect(&b, CHECK_OK, &b.st.received);
        else
            bench_expect(&b, CHECK_LENGTH, &b.bad.length);
    }
    bench_build(&b);
    b.rx.proto = 51;
    bench_expect(&b, CHECK_AH, &b.bad.auth_mismatch);
    b.rx.proto = 112;
    b.rx.total_len++;
    bench_expect(&b, CHECK_TOTAL_LENGTH, &b.bad.length);
    b.rx.total_len--;
    for (unsigned int type = 0; type < 16; type++) {
        b.buf[0] = (uint8_t)(0x30 | type);
        bench_resum(&b);
        if (type == 1)
            bench_expect(&b, CHECK_OK, &b.st.received);
        else
            bench_expect(&b, CHECK_TYPE, &b.bad.type);
    }
    for (unsigned int version = 0; version < 16; version++) {
        b.buf[0] = (uint8_t)(version << 4 | 1);
        bench_resum(&b);
        if (version == 2) /* would carry authentication data: the length is judged first */
            bench_expect(&b, CHECK_LENGTH, &b.bad.length);
        else if (version == 3)
            bench_expect(&b, CHECK_OK, &b.st.received);
        else
            bench_expect(&b, CHECK_VERSION, &b.bad.version);
    }
}

static void test_check_checksum(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, 3);
    bench_build(&b);
    for (size_t bit = 0; bit < 16; bit++) {
        b.buf[6 + bit / 8] ^= (uint8_t)(1u << (bit % 8));
        bench_expect(&b, CHECK_CHECKSUM, &b.bad.checksum);
        b.buf[6 + bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    b.spec.plain_checksum = true;
    bench_build(&b);
    bench_expect(&b, CHECK_CHECKSUM, &b.bad.checksum);
    b.cfg.plain_checksum = true; /* then either form, but one of them must be right */
    bench_expect(&b, CHECK_OK, &b.st.received);
    b.spec.plain_checksum = false;
    bench_build(&b);
    bench_expect(&b, CHECK_OK, &b.st.received);
    b.buf[6] ^= 1;
    bench_expect(&b, CHECK_CHECKSUM, &b.bad.checksum);
}

static void test_check_v2(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, 2);
    b.cfg.auth_type = PACKET_AUTH_PASS;
    memcpy(b.cfg.auth, "s3cr3t\0\0", 8);
    b.spec.auth_type = PACKET_AUTH_PASS;
    memcpy(b.spec.auth, "s3cr3t\0\0", 8);
    bench_build(&b);
    bench_expect(&b, CHECK_OK, &b.st.received);
    memcpy(b.spec.auth, "s3cr3t77", 8);
    bench_build(&b);
    bench_expect(&b, CHECK_AUTH_FAIL, &b.bad.auth_failure);
    memcpy(b.spec.auth, "s3cr3t\0\0", 8);
    for (unsigned int type = 0; type < 256; type++) {
        bench_build(&b);
        b.buf[4] = (uint8_t)type;
        bench_resum(&b);
        if (type == 1)
            bench_expect(&b, CHECK_OK, &b.st.received);
        else if (type > 2)
            bench_expect(&b, CHECK_AUTH_UNKNOWN, &b.bad.auth_unknown);
        else
            bench_expect(&b, CHECK_AUTH_TYPE, &b.bad.auth_mismatch);
    }
    for (unsigned int secs = 0; secs < 256; secs++) {
        bench_build(&b);
        b.buf[5] = (uint8_t)secs;
        bench_resum(&b);
        if (secs == 1)
            bench_expect(&b, CHECK_OK, &b.st.received);
        else
            bench_expect(&b, CHECK_INTERVAL, &b.bad.interval);
    }
    b.cfg.auth_type = PACKET_AUTH_NONE;
    bench_build(&b);
    bench_expect(&b, CHECK_AUTH_TYPE, &b.bad.auth_mismatch);
}

static void test_check_cast_and_owner(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, 2); /* version 2: the sum does not cover the destination */
    bench_build(&b);
    b.rx.dst = ip("10.0.0.1");
    bench_expect(&b, CHECK_CAST, &b.bad.addr_list);
    b.rx.dst = ip("224.0.0.19");
    bench_expect(&b, CHECK_CAST, &b.bad.addr_list);
    b.rx.dst = ip("224.0.0.18");
    b.cfg.owner_ignore = true;
    bench_expect(&b, CHECK_OK, &b.st.received);
    b.cfg.priority = 255;
    bench_expect(&b, CHECK_OWNER, &b.bad.owner_ignored);
}

static void test_check_remarks(void **state)
{
    struct bench b;
    struct engine_advert a;
    unsigned int remarks;
    (void)state;
    bench_init(&b, 3);
    b.spec.interval_ns = 2 * NS_PER_SEC;
    bench_build(&b);
    bench_expect(&b, CHECK_OK, &b.st.received);
    assert_int_equal(bench_remarks, CHECK_REMARK_INTERVAL);
    b.spec.interval_ns = NS_PER_SEC;
    b.spec.naddrs = 1;
    bench_build(&b);
    assert_int_equal(check_packet(&b.cfg, &b.st, &b.rx, &a, &remarks), CHECK_OK);
    assert_int_equal(remarks, CHECK_REMARK_ADDRS);
    assert_true(b.bad.addr_list == 1);
    b.cfg.skip_addrs = true; /* the same sender: not compared again */
    assert_int_equal(check_packet(&b.cfg, &b.st, &b.rx, &a, &remarks), CHECK_OK);
    assert_int_equal(remarks, 0);
    b.st.last_ok = ip("10.0.0.9");
    assert_int_equal(check_packet(&b.cfg, &b.st, &b.rx, &a, &remarks), CHECK_OK);
    assert_int_equal(remarks, CHECK_REMARK_ADDRS);
}

static void test_check_unicast(void **state)
{
    struct bench b;
    struct engine_advert a;
    unsigned int remarks;
    (void)state;
    bench_init(&b, 3);
    b.cfg.unicast = true;
    b.cfg.peers = b.peers;
    b.cfg.npeers = 1;
    b.peers[0] = (struct check_peer){ .addr = ip("10.0.0.2"), .min_ttl = 0, .max_ttl = 255 };
    b.spec.dst = b.rx.dst = ip("10.0.0.1");
    bench_build(&b);
    b.rx.ttl = 7; /* not judged without a range */
    bench_expect(&b, CHECK_OK, &b.st.received);
    b.peers[0] =
        (struct check_peer){ .addr = ip("10.0.0.2"), .min_ttl = 100, .max_ttl = 200, .has_ttl = true };
    static const struct {
        int ttl;
        enum check_verdict want;
    } range[] = { { 99, CHECK_PEER_TTL }, { 100, CHECK_OK }, { 200, CHECK_OK }, { 201, CHECK_PEER_TTL } };
    for (size_t i = 0; i < 4; i++) {
        b.rx.ttl = range[i].ttl;
        assert_int_equal(check_packet(&b.cfg, &b.st, &b.rx, &a, &remarks), range[i].want);
    }
    b.peers[0] = (struct check_peer){ .addr = ip("10.0.0.3"), .max_ttl = 255 };
    assert_int_equal(check_packet(&b.cfg, &b.st, &b.rx, &a, &remarks), CHECK_OK);
    b.cfg.check_unicast_src = true;
    assert_int_equal(check_packet(&b.cfg, &b.st, &b.rx, &a, &remarks), CHECK_PEER);
    b.cfg.check_unicast_src = false;
    /* the historical checksum over the multicast group */
    b.spec.dst = ip("224.0.0.18");
    bench_build(&b);
    assert_int_equal(check_packet(&b.cfg, &b.st, &b.rx, &a, &remarks), CHECK_OK);
    assert_int_equal(remarks, CHECK_REMARK_OLD_CHECKSUM);
    b.cfg.old_checksum = CHECK_OLD_NEVER;
    assert_int_equal(check_packet(&b.cfg, &b.st, &b.rx, &a, &remarks), CHECK_CHECKSUM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build_vectors),        cmocka_unit_test(test_parse_vectors),
        cmocka_unit_test(test_build_limits),         cmocka_unit_test(test_split4),
        cmocka_unit_test(test_check_good),           cmocka_unit_test(test_check_form),
        cmocka_unit_test(test_check_checksum),       cmocka_unit_test(test_check_v2),
        cmocka_unit_test(test_check_cast_and_owner), cmocka_unit_test(test_check_remarks),
        cmocka_unit_test(test_check_unicast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
