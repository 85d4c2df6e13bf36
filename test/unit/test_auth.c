/*
 * test_auth.c - signed adverts against bytes made by an independent implementation (Python's hmac), every way
 * to refuse one, what is remembered of whom, and the marks over restarts and clock steps. Through the receive
 * checks too: a signed packet that is refused moves its own counter and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "vrrpd/auth.h"
#include "vrrpd/checks.h"

#define KEY1                                                                                                 \
    "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18"   \
    "\x19\x1a\x1b\x1c\x1d\x1e\x1f"
#define KEY2 "another key of thirty-two bytes!"
#define NOW  (UINT64_C(1000000000) * NS_PER_SEC + NS_PER_SEC / 2) /* stamp 3b9aca00 8000 0000 */

static const char pdu2[] = "2133640102016e660a0000640000000000000000";
static const char icv2[] = "978800668e20e2a9b63231c1";
static const char icv2_unicast[] = "63b190240e95ee037be5eaba"; /* to 10.0.0.9; TTL counts as 0 */
static const char pdu3[] = "31336401006475720a000064";
static const char trailer3[] = "010100003b9aca0080000000604af10db29180a5b0e30d3dea796eec";
static const char pdu6[] = "3133640100640000fe800000000000000000000000000100";
static const char trailer6[] = "010100003b9aca0080000000c448979b729c6f4ed13c92fb06dbb80e";

static size_t unhex(const char *s, uint8_t *out)
{
    size_t n = strlen(s) / 2;
    for (size_t i = 0; i < n; i++) {
        char two[3] = { s[2 * i], s[2 * i + 1], 0 };
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}

static struct ipaddr ip(const char *s)
{
    struct ipaddr a;
    assert_int_equal(ipaddr_parse(s, &a), 0);
    return a;
}

/* ---- an instance's keys */

struct hmac_conf {
    unsigned int active, mode, monotonic, window; /* window: seconds, 0: default */
    bool second, only_second;
};

static struct auth *make(struct slice_writer *w, uint64_t interval)
{
    size_t len;
    struct err e = { 0 };
    struct auth *a;
    const void *image = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(image, len, ROLE_VRRPD, &e);
    assert_non_null(s);
    int rc = auth_new(s, slice_find(s, BLK_VI, "V"), interval, &a, &e);
    slice_free(s);
    slice_writer_free(w);
    return rc == 0 ? a : NULL;
}

static struct auth *hmac_of(struct hmac_conf c)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 1);
    uint32_t vi = slice_put_obj(w, BLK_VI, 0, "V", 1);
    slice_put_obj(w, BLK_VI_HMAC, vi, "", 2);
    if (!c.only_second)
        slice_put_raw(w, KW_VI_HMAC_KEY, "\x01" KEY1, 33);
    if (c.second || c.only_second)
        slice_put_raw(w, KW_VI_HMAC_KEY, "\x02" KEY2, 33);
    slice_put_uint(w, KW_VI_HMAC_ACTIVE_KEY, c.active > 0 ? c.active : 1);
    slice_put_uint(w, KW_VI_HMAC_MODE, c.mode);
    slice_put_uint(w, KW_VI_HMAC_ANTI_REPLAY, c.monotonic);
    if (c.window > 0)
        slice_put_us(w, KW_VI_HMAC_TIME_WINDOW, c.window * UINT64_C(1000000));
    return make(w, NS_PER_SEC);
}

static struct auth *ah_of(const char *pass)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 1);
    uint32_t vi = slice_put_obj(w, BLK_VI, 0, "V", 1);
    slice_put_obj(w, BLK_VI_AUTH, vi, "", 2);
    slice_put_uint(w, KW_VI_AUTH_AUTH_TYPE, PACKET_AUTH_AH);
    slice_put_str(w, KW_VI_AUTH_AUTH_PASS, pass);
    return make(w, NS_PER_SEC);
}

/* ---- packets */

struct wire {
    uint8_t b[20 + PACKET_AH_LEN + PACKET_MAX];
    struct packet_rx rx;
    size_t pdu; /* bytes of the advert */
};

/* IPv4: header, payload as given. */
static void wire4(struct wire *w, uint8_t proto, const char *from, const uint8_t *payload, size_t len,
                  size_t pdu)
{
    struct ipaddr src = ip(from), dst = ip("224.0.0.18");
    memset(w, 0, sizeof *w);
    w->b[0] = 0x45;
    w->b[1] = 0xc0; /* what must not count */
    w->b[2] = (uint8_t)((20 + len) >> 8);
    w->b[3] = (uint8_t)(20 + len);
    w->b[6] = 0x40;
    w->b[8] = 255;
    w->b[9] = proto;
    w->b[10] = 0xab;
    memcpy(w->b + 12, src.b, 4);
    memcpy(w->b + 16, dst.b, 4);
    memcpy(w->b + 20, payload, len);
    assert_int_equal(packet_split4(w->b, 20 + len, &w->rx), 0);
    w->rx.real_at = NOW;
    w->pdu = pdu;
}

static void wire_signed(struct wire *w, const struct auth *a, uint64_t mark, const char *from)
{
    uint8_t buf[256] = { 0 };
    bool ah = auth_kind(a) == AUTH_AH;
    struct ipaddr src = ip(from), dst = ip("224.0.0.18");
    size_t len = unhex(ah ? pdu2 : pdu3, buf + auth_before(a));
    auth_sign(a, mark, &src, &dst, buf, len);
    wire4(w, ah ? 51 : 112, from, buf, auth_before(a) + len + auth_behind(a), len);
    assert_int_equal(packet_unwrap(&w->rx), 0);
}

static enum auth_result verify(const struct auth *a, struct auth_state *st, struct wire *w, bool take)
{
    uint64_t mark;
    int64_t skew;
    enum auth_result r = auth_verify(a, st, &w->rx, w->pdu, &mark, &skew);
    if (take && r == AUTH_OK)
        auth_heard(a, st, &w->rx.src, mark);
    return r;
}

static uint64_t stamp(int64_t seconds)
{
    return (uint64_t)(INT64_C(1000000000) + seconds) << 32 | 0x80000000u;
}

/* ---- tests */

static void vectors(void **state)
{
    (void)state;
    uint8_t buf[256], want[64];
    struct ipaddr src = ip("10.0.0.2"), dst = ip("224.0.0.18"), src6 = ip("fe80::2"), dst6 = ip("ff02::12");
    struct auth_state st = { 0 };
    struct auth *a = ah_of("s3cr3t");
    size_t len = unhex(pdu2, buf + PACKET_AH_LEN);
    assert_int_equal(auth_before(a), 24);
    assert_int_equal(auth_behind(a), 0);
    for (int i = 0; i < 2; i++) { /* twice: the context is used again */
        auth_sign(a, 7, &src, &dst, buf, len);
        unhex("700400000a00000200000007", want);
        assert_memory_equal(buf, want, 12);
        unhex(icv2, want);
        assert_memory_equal(buf + 12, want, 12);
    }
    struct ipaddr peer = ip("10.0.0.9");
    auth_sign(a, 7, &src, &peer, buf, len);
    unhex(icv2_unicast, want);
    assert_memory_equal(buf + 12, want, 12);
    auth_free(a);
    a = hmac_of((struct hmac_conf){ 0 });
    assert_int_equal(auth_behind(a), 28);
    uint64_t mark = auth_mark(a, &st, NOW);
    len = unhex(pdu3, buf);
    auth_sign(a, mark, &src, &dst, buf, len);
    unhex(trailer3, want);
    assert_memory_equal(buf + len, want, 28);
    len = unhex(pdu6, buf);
    auth_sign(a, mark, &src6, &dst6, buf, len);
    unhex(trailer6, want);
    assert_memory_equal(buf + len, want, 28);
    auth_free(a);
}

static void ah_refusals(void **state)
{
    (void)state;
    struct auth_state st = { 0 };
    struct wire w;
    struct auth *a = ah_of("s3cr3t"), *other = ah_of("other");
    wire_signed(&w, a, 7, "10.0.0.2");
    assert_int_equal(verify(a, &st, &w, true), AUTH_OK);
    assert_int_equal(verify(a, &st, &w, true), AUTH_REPLAY);
    assert_int_equal(verify(other, &st, &w, true), AUTH_INVALID);
    wire_signed(&w, a, 6, "10.0.0.2");
    assert_int_equal(verify(a, &st, &w, true), AUTH_REPLAY);
    wire_signed(&w, a, 6, "10.0.0.3"); /* another sender has a memory of its own */
    assert_int_equal(verify(a, &st, &w, true), AUTH_OK);
    for (size_t i = 0; i < 20 + 24 + 20; i++) { /* any byte but those that routers change */
        static const bool free_to_change[20] = {
            [1] = true, [6] = true, [7] = true, [10] = true, [11] = true
        };
        if (i < 20 && (free_to_change[i] || i == 0))
            continue;
        wire_signed(&w, a, 1000, "10.0.0.2");
        w.b[i] ^= 1;
        if (i >= 12 && i < 16)
            memcpy(w.rx.src.b, w.b + 12, 4);
        assert_int_equal(verify(a, &st, &w, false), AUTH_INVALID);
    }
    uint8_t plain[64];
    size_t len = unhex(pdu2, plain);
    wire4(&w, 112, "10.0.0.2", plain, len, len);
    assert_int_equal(verify(a, &st, &w, false), AUTH_MALFORMED);
    auth_free(a);
    auth_free(other);
}

static void unwrapping(void **state)
{
    (void)state;
    struct wire w;
    uint8_t ah[64] = { 112, 4 };
    static const struct {
        size_t len;
        uint8_t next, words;
        int want;
    } t[] = { { 44, 112, 4, 0 }, { 24, 112, 4, 0 }, { 23, 112, 4, -1 },
              { 0, 112, 4, -1 }, { 44, 6, 4, -1 },  { 44, 112, 5, -1 } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        ah[0] = t[i].next;
        ah[1] = t[i].words;
        wire4(&w, 51, "10.0.0.2", ah, t[i].len, 0);
        assert_int_equal(packet_unwrap(&w.rx), t[i].want);
        if (t[i].want == 0) {
            assert_int_equal(w.rx.len, t[i].len - 24);
            assert_int_equal(packet_unwrap(&w.rx), -1); /* once only */
        }
    }
}

static void hmac_refusals(void **state)
{
    (void)state;
    struct auth_state st = { 0 };
    struct wire w;
    struct auth *a = hmac_of((struct hmac_conf){ 0 }),
                *b = hmac_of((struct hmac_conf){ .only_second = true, .active = 2 });
    wire_signed(&w, a, stamp(0), "10.0.0.2");
    assert_int_equal(verify(a, &st, &w, true), AUTH_OK);
    assert_int_equal(verify(a, &st, &w, true), AUTH_REPLAY);
    wire_signed(&w, a, stamp(0) + 1, "10.0.0.2");
    assert_int_equal(verify(a, &st, &w, true), AUTH_OK);
    wire_signed(&w, b, stamp(1), "10.0.0.2");
    assert_int_equal(verify(a, &st, &w, false), AUTH_UNKNOWN_KEY);
    for (size_t i = 0; i < 12 + 28; i++) {
        enum auth_result want = i == 12 || i == 14 || i == 15 ? AUTH_MALFORMED
                                : i == 13                     ? AUTH_UNKNOWN_KEY
                                                              : AUTH_INVALID;
        if (i == 6 || i == 7) /* the checksum is not signed */
            continue;
        wire_signed(&w, a, stamp(2), "10.0.0.2");
        w.b[20 + i] ^= i == 13 ? 4 : 1;
        assert_int_equal(verify(a, &st, &w, false), want);
    }
    wire_signed(&w, a, stamp(2), "10.0.0.2");
    w.rx.src = ip("10.0.0.9");
    assert_int_equal(verify(a, &st, &w, false), AUTH_INVALID);
    w.rx.src = ip("10.0.0.2");
    w.rx.len -= 28; /* unsigned */
    assert_int_equal(verify(a, &st, &w, false), AUTH_MISSING);
    auth_free(a);
    auth_free(b);
}

static void windows(void **state)
{
    (void)state;
    static const struct {
        struct hmac_conf c;
        int64_t at;
        enum auth_result want;
    } t[] = {
        { { 0 }, 5, AUTH_OK },
        { { 0 }, -5, AUTH_OK },
        { { 0 }, 6, AUTH_STALE },
        { { 0 }, -6, AUTH_STALE },
        { { .window = 60 }, 60, AUTH_OK },
        { { .window = 60 }, -61, AUTH_STALE },
        { { .monotonic = 1 }, -86400, AUTH_OK },
        { { .monotonic = 1 }, 86400, AUTH_OK },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct auth *a = hmac_of(t[i].c);
        struct auth_state st = { 0 };
        struct wire w;
        wire_signed(&w, a, stamp(t[i].at), "10.0.0.2");
        assert_int_equal(verify(a, &st, &w, true), t[i].want);
        if (t[i].want == AUTH_OK) { /* whatever the window: never twice */
            assert_int_equal(verify(a, &st, &w, true), AUTH_REPLAY);
            wire_signed(&w, a, stamp(t[i].at) - 1, "10.0.0.2");
            assert_int_not_equal(verify(a, &st, &w, true), AUTH_OK);
        }
        auth_free(a);
    }
}

/* Both keys known, the active one signs: a rotation without a gap in any order. */
static void rotation(void **state)
{
    (void)state;
    struct auth *old = hmac_of((struct hmac_conf){ 0 }),
                *both1 = hmac_of((struct hmac_conf){ .second = true }),
                *both2 = hmac_of((struct hmac_conf){ .second = true, .active = 2 });
    struct auth_state st = { 0 };
    struct wire w;
    wire_signed(&w, both1, stamp(0), "10.0.0.2");
    assert_int_equal(verify(old, &st, &w, true), AUTH_OK);
    assert_int_equal(verify(both2, &st, &w, false), AUTH_REPLAY);
    wire_signed(&w, both2, stamp(1), "10.0.0.2");
    assert_int_equal(w.rx.payload[12 + 1], 2);
    assert_int_equal(verify(both1, &st, &w, false), AUTH_OK);
    assert_int_equal(verify(old, &st, &w, false), AUTH_UNKNOWN_KEY);
    assert_false(auth_same(both1, both2));
    assert_false(auth_same(old, both1));
    assert_true(auth_same(NULL, NULL));
    assert_false(auth_same(old, NULL));
    struct auth *again = hmac_of((struct hmac_conf){ .second = true });
    assert_true(auth_same(both1, again));
    auth_free(again);
    auth_free(old);
    auth_free(both1);
    auth_free(both2);
    assert_null(hmac_of((struct hmac_conf){ .active = 9 })); /* never unsigned for want of a key */
}

static void modes(void **state)
{
    (void)state;
    for (unsigned int mode = 0; mode < 3; mode++) {
        struct auth *a = hmac_of((struct hmac_conf){ .mode = mode }),
                    *signer = hmac_of((struct hmac_conf){ 0 });
        struct auth_state st = { 0 };
        struct wire w;
        assert_int_equal(auth_signs(a), mode < 2);
        assert_int_equal(auth_behind(a), mode < 2 ? 28 : 0);
        wire_signed(&w, signer, stamp(0), "10.0.0.2");
        assert_int_equal(verify(a, &st, &w, true), AUTH_OK);
        wire_signed(&w, signer, stamp(1), "10.0.0.2");
        w.b[20 + 39] ^= 1;
        assert_int_equal(verify(a, &st, &w, true), AUTH_INVALID); /* a bad signature in every mode */
        w.rx.len -= 28;
        assert_int_equal(verify(a, &st, &w, true), mode == 0 ? AUTH_MISSING : AUTH_OK);
        wire_signed(&w, signer, stamp(0), "10.0.0.2");
        assert_int_equal(verify(a, &st, &w, true), AUTH_REPLAY); /* the unsigned one has not changed that */
        auth_free(a);
        auth_free(signer);
    }
}

static void memory(void **state)
{
    (void)state;
    struct auth *a = hmac_of((struct hmac_conf){ 0 });
    struct auth_state st = { 0 };
    struct wire w;
    char who[16];
    for (int round = 0; round < 2; round++)
        for (int i = 1; i <= AUTH_SENDERS; i++) {
            snprintf(who, sizeof who, "10.0.0.%d", i);
            wire_signed(&w, a, stamp(round), who);
            assert_int_equal(verify(a, &st, &w, true), AUTH_OK);
        }
    wire_signed(&w, a, stamp(0), "10.0.0.1");
    assert_int_equal(verify(a, &st, &w, true), AUTH_REPLAY);
    wire_signed(&w, a, stamp(0), "10.0.0.200"); /* a fifth one: the longest silent is forgotten */
    assert_int_equal(verify(a, &st, &w, true), AUTH_OK);
    wire_signed(&w, a, stamp(1), "10.0.0.2");
    assert_int_equal(verify(a, &st, &w, true), AUTH_REPLAY);
    auth_state_resize(&st, 100); /* as many as there are peers; what is known stays */
    assert_int_equal(verify(a, &st, &w, true), AUTH_REPLAY);
    for (int i = 1; i <= 100; i++) {
        snprintf(who, sizeof who, "10.0.1.%d", i);
        wire_signed(&w, a, stamp(0), who);
        assert_int_equal(verify(a, &st, &w, true), AUTH_OK);
    }
    wire_signed(&w, a, stamp(0), "10.0.1.1");
    assert_int_equal(verify(a, &st, &w, true), AUTH_REPLAY);
    auth_state_resize(&st, 0);
    auth_state_free(&st);
    auth_free(a);
}

static void marks(void **state)
{
    (void)state;
    struct auth *ah = ah_of("x"), *t = hmac_of((struct hmac_conf){ 0 }),
                *m = hmac_of((struct hmac_conf){ .monotonic = 1 });
    struct auth_state st = { 0 };
    struct ipaddr peer = ip("10.0.0.9");
    assert_int_equal(auth_mark(ah, &st, NOW), 1000000000);
    assert_int_equal(auth_mark(ah, &st, NOW + 9 * NS_PER_SEC), 1000000001);
    auth_heard(ah, &st, &peer, 1000000500); /* one sequence for all */
    assert_int_equal(auth_mark_ahead(ah, &st, NOW, NS_PER_SEC), 1000000565);
    assert_int_equal(auth_mark(ah, &st, NOW), 1000000501);
    auth_state_resume(ah, &st, NOW);
    assert_true(auth_mark(ah, &st, NOW) > 1000000565); /* also above a will of ours */
    st = (struct auth_state){ 0 };
    uint64_t a = auth_mark(t, &st, NOW), b = auth_mark(t, &st, NOW), c = auth_mark(t, &st, NOW - NS_PER_SEC);
    assert_int_equal(a, stamp(0));
    assert_true(a < b && b < c); /* within the window a clock that goes back does not */
    assert_true(auth_mark_ahead(t, &st, NOW, 2 * NS_PER_SEC) == stamp(2));
    assert_int_equal(auth_mark(t, &st, NOW - 3600 * NS_PER_SEC),
                     stamp(-3600)); /* set right: nobody believed it */
    st = (struct auth_state){ 0 };
    a = auth_mark(m, &st, NOW);
    b = auth_mark(m, &st, NOW - 3600 * NS_PER_SEC);
    assert_true(b == a + 1);
    auth_free(ah);
    auth_free(t);
    auth_free(m);
}

/* ---- through the receive checks */

static void counted(void **state)
{
    (void)state;
    struct ipaddr vip = ip("10.0.0.100");
    struct auth *a = hmac_of((struct hmac_conf){ 0 }),
                *b = hmac_of((struct hmac_conf){ .only_second = true, .active = 2 });
    struct check_cfg c = { .family = 4,
                           .version = 3,
                           .priority = 100,
                           .interval = NS_PER_SEC,
                           .sign = a,
                           .group = ip("224.0.0.18"),
                           .addrs = &vip,
                           .naddrs = 1 };
    struct auth_state memory = { 0 };
    struct check_state st = { .auth = &memory };
    struct engine_advert out;
    unsigned int remarks;
    struct wire w;
    wire_signed(&w, a, stamp(0), "10.0.0.2");
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_OK);
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_OK); /* not used yet: no replay */
    check_taken(&c, &st, &w.rx);
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_EXT_REPLAY);
    check_taken(&c, &st, &w.rx); /* a refused one has no mark */
    wire_signed(&w, a, stamp(4), "10.0.0.2");
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_OK);
    assert_int_equal(remarks, CHECK_REMARK_SKEW);
    wire_signed(&w, a, stamp(6), "10.0.0.2");
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_EXT_STALE);
    wire_signed(&w, b, stamp(1), "10.0.0.2");
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_EXT_KEY);
    wire_signed(&w, a, stamp(1), "10.0.0.2");
    w.b[20 + 39] ^= 1;
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_EXT_HMAC);
    w.b[20 + 12] = 9;
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_EXT_MALFORMED);
    w.rx.len -= 1; /* neither with nor without a trailer */
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_LENGTH);
    uint8_t plain[64];
    size_t len = unhex(pdu3, plain);
    wire4(&w, 112, "10.0.0.2", plain, len, len);
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_EXT_MISSING);
    const struct check_stats want = { .received = 3,
                                      .length = 1,
                                      .ext_missing = 1,
                                      .ext_malformed = 1,
                                      .ext_key = 1,
                                      .ext_hmac = 1,
                                      .ext_stale = 1,
                                      .ext_replay = 1 };
    const struct check_stats have = check_stats(&st);
    assert_memory_equal(&have, &want, sizeof want);
    c.sign = NULL; /* without auth_hmac a trailer is too long an advert */
    wire_signed(&w, a, stamp(0), "10.0.0.2");
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_LENGTH);
    check_stats_free(&st);
    auth_free(a);
    auth_free(b);
}

static void counted_ah(void **state)
{
    (void)state;
    struct ipaddr vip = ip("10.0.0.100");
    struct auth *a = ah_of("s3cr3t"), *b = ah_of("other");
    struct check_cfg c = { .family = 4,
                           .version = 2,
                           .priority = 100,
                           .interval = NS_PER_SEC,
                           .sign = a,
                           .auth_type = PACKET_AUTH_AH,
                           .group = ip("224.0.0.18"),
                           .addrs = &vip,
                           .naddrs = 1 };
    struct auth_state memory = { 0 };
    struct check_state st = { .auth = &memory };
    struct engine_advert out;
    unsigned int remarks;
    struct wire w;
    uint8_t plain[64];
    wire_signed(&w, a, 9, "10.0.0.2");
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_OK);
    check_taken(&c, &st, &w.rx);
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_AUTH_REPLAY);
    wire_signed(&w, b, 10, "10.0.0.2");
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_AUTH_FAIL);
    size_t len = unhex(pdu2, plain);
    wire4(&w, 112, "10.0.0.2", plain, len, len);
    assert_int_equal(check_packet(&c, &st, &w.rx, &out, &remarks), CHECK_AH);
    const struct check_stats want = { .received = 1, .auth_failure = 2, .auth_mismatch = 1 };
    const struct check_stats have = check_stats(&st);
    assert_memory_equal(&have, &want, sizeof want);
    check_stats_free(&st);
    auth_free(a);
    auth_free(b);
}

static int init(void **state)
{
    (void)state;
    return auth_init(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors), cmocka_unit_test(ah_refusals), cmocka_unit_test(unwrapping),
        cmocka_unit_test(windows), cmocka_unit_test(rotation),    cmocka_unit_test(hmac_refusals),
        cmocka_unit_test(modes),   cmocka_unit_test(memory),      cmocka_unit_test(marks),
        cmocka_unit_test(counted), cmocka_unit_test(counted_ah),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
