/*
 * test_proto.c - the codec of the messages, walked generically: every message of proto.def, every pair of
 * roles, every rule the decoder states. The test has its own reading of proto.def, so a slip in proto.c's
 * tables shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "common/proto.h"

#define P ROLE_BIT(ROLE_PARENT)
#define V ROLE_BIT(ROLE_VRRPD)
#define C ROLE_BIT(ROLE_CHECKD)
#define I ROLE_BIT(ROLE_IPVSD)
#define F ROLE_BIT(ROLE_CONF)
#define T ROLE_BIT(ROLE_CTL)

enum what { SCALAR, TEXT, BYTES };

struct row {
    enum msg_type type;
    enum what what;
    size_t size;
    uint64_t lo, hi;
};

/* Every field of every message, in order. A row of size 0 begins a message. */
static const struct row ROWS[] = {
#define MSG(name, from, to, policy, fds) { MSG_##name, SCALAR, 0, 0, 0 },
#define U8(f, lo, hi)                    { MSG_TYPE_NONE, SCALAR, 1, (lo), (hi) },
#define U16(f, lo, hi)                   { MSG_TYPE_NONE, SCALAR, 2, (lo), (hi) },
#define U32(f, lo, hi)                   { MSG_TYPE_NONE, SCALAR, 4, (lo), (hi) },
#define U64(f, lo, hi)                   { MSG_TYPE_NONE, SCALAR, 8, (lo), (hi) },
#define STR(f, size)                     { MSG_TYPE_NONE, TEXT, (size), 0, 0 },
#define BLOB(f, size)                    { MSG_TYPE_NONE, BYTES, (size), 0, 0 },
#define END(name)
#include "common/proto.def"
};
#define NROWS (sizeof ROWS / sizeof ROWS[0])

struct who {
    unsigned int from, to, fds;
};

static const struct who WHO[MSG_TYPE_MAX] = {
#define MSG(name, from, to, policy, fds) [MSG_##name] = { (from), (to), (fds) },
#define U8(f, lo, hi)
#define U16(f, lo, hi)
#define U32(f, lo, hi)
#define U64(f, lo, hi)
#define STR(f, size)
#define BLOB(f, size)
#define END(name)
#include "common/proto.def"
};

enum fill { FILL_LOW, FILL_HIGH };

static const struct row *rows_of(enum msg_type t, size_t *n)
{
    for (size_t i = 0; i < NROWS; i++) {
        if (ROWS[i].size != 0 || ROWS[i].type != t)
            continue;
        *n = 0;
        while (i + 1 + *n < NROWS && ROWS[i + 1 + *n].size != 0)
            (*n)++;
        return &ROWS[i + 1];
    }
    fail_msg("message %d is not in the list", (int)t);
    return NULL;
}

static enum role first_role(unsigned int bits)
{
    for (int r = 0; r < ROLE_MAX; r++)
        if (bits & ROLE_BIT(r))
            return (enum role)r;
    fail_msg("nobody may say it");
    return ROLE_MAX;
}

/* One field as it stands on the wire. Returns the new position. */
static size_t wire_field(uint8_t *buf, size_t pos, unsigned int tag, const void *data, size_t len)
{
    uint16_t tl[2] = { (uint16_t)tag, (uint16_t)len };

    memcpy(buf + pos, tl, 4);
    memset(buf + pos + 4, 0, (len + 3) & ~(size_t)3);
    if (len > 0)
        memcpy(buf + pos + 4, data, len);
    return pos + 4 + ((len + 3) & ~(size_t)3);
}

static size_t wire_row(uint8_t *buf, size_t pos, unsigned int tag, const struct row *r, enum fill how)
{
    uint8_t data[PROTO_MAX_SIZE];
    uint64_t v = how == FILL_LOW ? r->lo : r->hi;

    if (r->what == SCALAR) {
        memcpy(data, &v, 8); /* the tests run on little-endian machines, as the daemon's fuzzers do */
        return wire_field(buf, pos, tag, data, r->size);
    }
    if (r->what == TEXT) {
        size_t n = how == FILL_LOW ? 1 : r->size;

        memset(data, 'x', n);
        data[n - 1] = 0;
        return wire_field(buf, pos, tag, data, n);
    }
    memset(data, 0xa5, r->size);
    return wire_field(buf, pos, tag, data, how == FILL_LOW ? 0 : r->size);
}

static void wire_seal(uint8_t *buf, size_t len, enum msg_type t, unsigned int nfds)
{
    struct msg_header h = { PROTO_MAGIC, PROTO_VERSION, (uint8_t)nfds, (uint16_t)t, 77, 5, (uint32_t)len };

    memcpy(buf, &h, sizeof h);
}

/* A correct datagram of type t, written by this file and not by proto.c. */
static size_t wire_message(uint8_t *buf, enum msg_type t, enum fill how)
{
    size_t n, pos = sizeof(struct msg_header);
    const struct row *r = rows_of(t, &n);

    for (size_t i = 0; i < n; i++)
        pos = wire_row(buf, pos, (unsigned int)i + 1, &r[i], how);
    wire_seal(buf, pos, t, 0);
    return pos;
}

static enum proto_error decode(const uint8_t *buf, size_t len, union msg_any *out)
{
    struct msg_header h;
    struct msg_header in;

    memcpy(&in, buf, sizeof in);
    return proto_decode(buf, len, first_role(WHO[in.type].from), first_role(WHO[in.type].to), 0, &h, out);
}

static void test_round_trip(void **state)
{
    static uint8_t buf[PROTO_MAX_SIZE], again[PROTO_MAX_SIZE];

    (void)state;
    for (int i = 1; i < MSG_TYPE_MAX; i++) {
        enum msg_type t = (enum msg_type)i;

        for (enum fill how = FILL_LOW; how <= FILL_HIGH; how++) {
            union msg_any out;
            struct msg_header h;
            size_t len = wire_message(buf, t, how);
            enum proto_error e =
                proto_decode(buf, len, first_role(WHO[t].from), first_role(WHO[t].to), 0, &h, &out);

            if (e != PROTO_OK)
                fail_msg("%s: %s", proto_name(t), proto_error_name(e));
            assert_int_equal(h.seq, 77);
            assert_int_equal(h.generation, 5);
            assert_int_equal(proto_encode(t, &out, 77, 5, 0, again, sizeof again), (int)len);
            assert_memory_equal(buf, again, len);
        }
    }
}

/* A hand-made case, so that round trips cannot hide two slips that cancel each other. */
static void test_values(void **state)
{
    struct msg_inst_event m = { .inst = 9,
                                .kind = INST_EVENT_RX_LOWER,
                                .state = VRRP_STATE_MASTER,
                                .priority = 200,
                                .at = UINT64_C(1) << 40,
                                .cause = "timer" };
    struct msg_link l = {
        .iface = 3, .ifindex = 4, .up = 1, .mtu = 1500, .mac_len = 6, .mac = { 2, 0, 0, 0, 0, 1 }
    };
    uint8_t buf[PROTO_MAX_SIZE];
    union msg_any out;
    struct msg_header h;
    int len;

    (void)state;
    len = proto_encode(MSG_inst_event, &m, 1, 2, 0, buf, sizeof buf);
    assert_int_equal(len, (int)sizeof h + 8 + 8 + 8 + 8 + 12 + 12);
    assert_int_equal(proto_decode(buf, (size_t)len, ROLE_VRRPD, ROLE_PARENT, 0, &h, &out), PROTO_OK);
    assert_int_equal(h.type, MSG_inst_event);
    assert_int_equal(out.inst_event.inst, 9);
    assert_int_equal(out.inst_event.kind, INST_EVENT_RX_LOWER);
    assert_int_equal(out.inst_event.state, VRRP_STATE_MASTER);
    assert_int_equal(out.inst_event.priority, 200);
    assert_true(out.inst_event.at == UINT64_C(1) << 40);
    assert_string_equal(out.inst_event.cause, "timer");
    len = proto_encode(MSG_link, &l, 1, 2, 0, buf, sizeof buf);
    assert_true(len > 0);
    assert_int_equal(proto_decode(buf, (size_t)len, ROLE_IPVSD, ROLE_VRRPD, 0, &h, &out), PROTO_OK);
    assert_int_equal(out.link.mac_len, 6);
    assert_memory_equal(out.link.mac, l.mac, 32);
    assert_int_equal(out.link.addr4_len, 0);
    assert_int_equal(out.link.mtu, 1500);
}

static void test_permissions(void **state)
{
    static uint8_t buf[PROTO_MAX_SIZE];

    (void)state;
    for (int i = 1; i < MSG_TYPE_MAX; i++) {
        size_t len = wire_message(buf, (enum msg_type)i, FILL_LOW);

        for (int from = 0; from <= ROLE_MAX; from++) {
            for (int to = 0; to <= ROLE_MAX; to++) {
                union msg_any out;
                struct msg_header h;
                enum proto_error want = !(WHO[i].from & ROLE_BIT(from)) ? PROTO_SENDER
                                        : !(WHO[i].to & ROLE_BIT(to))   ? PROTO_RECEIVER
                                                                        : PROTO_OK;

                assert_int_equal(proto_decode(buf, len, (enum role)from, (enum role)to, 0, &h, &out), want);
            }
        }
        assert_int_equal(proto_senders((enum msg_type)i), WHO[i].from);
        assert_int_equal(proto_receivers((enum msg_type)i), WHO[i].to);
    }
}

static void test_fds(void **state)
{
    static uint8_t buf[PROTO_MAX_SIZE];

    (void)state;
    for (int i = 1; i < MSG_TYPE_MAX; i++) {
        enum role from = first_role(WHO[i].from), to = first_role(WHO[i].to);
        size_t len = wire_message(buf, (enum msg_type)i, FILL_LOW);

        for (unsigned int said = 0; said <= PROTO_MAX_FDS + 1; said++) {
            for (unsigned int came = 0; came <= PROTO_MAX_FDS + 1; came++) {
                union msg_any out;
                struct msg_header h;

                wire_seal(buf, len, (enum msg_type)i, said);
                assert_int_equal(proto_decode(buf, len, from, to, came, &h, &out),
                                 said == came && came <= WHO[i].fds ? PROTO_OK : PROTO_FDS);
            }
        }
    }
}

static void test_header(void **state)
{
    uint8_t good[PROTO_MAX_SIZE], buf[PROTO_MAX_SIZE];
    size_t len = wire_message(good, MSG_ping, FILL_LOW);
    union msg_any out;
    struct msg_header h;

    (void)state;
    for (size_t n = 0; n < sizeof h; n++)
        assert_int_equal(proto_decode(good, n, ROLE_PARENT, ROLE_VRRPD, 0, &h, &out), PROTO_SHORT);
#define BROKEN(member, value, want)                                                                          \
    do {                                                                                                     \
        memcpy(&h, good, sizeof h);                                                                          \
        h.member = (value);                                                                                  \
        memcpy(buf, good, len);                                                                              \
        memcpy(buf, &h, sizeof h);                                                                           \
        assert_int_equal(proto_decode(buf, len, ROLE_PARENT, ROLE_VRRPD, 0, &h, &out), want);                \
    } while (0)
    BROKEN(magic, PROTO_MAGIC + 1, PROTO_MAGIC_BAD);
    BROKEN(version, PROTO_VERSION + 1, PROTO_VERSION_BAD);
    BROKEN(length, (uint32_t)len + 1, PROTO_LENGTH);
    BROKEN(length, (uint32_t)len - 1, PROTO_LENGTH);
    BROKEN(type, MSG_TYPE_NONE, PROTO_TYPE);
    BROKEN(type, MSG_TYPE_MAX, PROTO_TYPE);
    BROKEN(type, UINT16_MAX, PROTO_TYPE);
#undef BROKEN
}

static void test_too_long(void **state)
{
    static uint8_t buf[PROTO_MAX_SIZE + 8];
    union msg_any out;

    (void)state;
    wire_message(buf, MSG_ping, FILL_LOW);
    wire_seal(buf, sizeof buf, MSG_ping, 0);
    assert_int_equal(decode(buf, sizeof buf, &out), PROTO_LENGTH);
}

/* Each message cut at every length, with a header that says so: never accepted. */
static void test_cut(void **state)
{
    static uint8_t buf[PROTO_MAX_SIZE];

    (void)state;
    for (int i = 1; i < MSG_TYPE_MAX; i++) {
        size_t full = wire_message(buf, (enum msg_type)i, FILL_HIGH);

        for (size_t len = sizeof(struct msg_header); len < full; len++) {
            union msg_any out;
            enum proto_error e;

            wire_seal(buf, len, (enum msg_type)i, 0);
            e = decode(buf, len, &out);
            if (e != PROTO_SHORT && e != PROTO_MISSING)
                fail_msg("%s cut to %zu of %zu: %s", proto_name((enum msg_type)i), len, full,
                         proto_error_name(e));
        }
    }
}

enum spoil { SPOIL_OMIT, SPOIL_TWICE, SPOIL_SIZE, SPOIL_BELOW, SPOIL_ABOVE, SPOIL_MAX };

/* One field, spoilt; *want becomes what the decoder must say. A range that has no outside stays as it is. */
static size_t wire_spoilt(uint8_t *buf, size_t pos, unsigned int tag, const struct row *r, enum spoil how,
                          enum proto_error *want)
{
    static const uint8_t big[PROTO_MAX_SIZE];
    uint64_t v, top = r->what == SCALAR ? UINT64_MAX >> (64 - 8 * r->size) : 0;

    switch (how) {
    case SPOIL_OMIT: *want = PROTO_MISSING; return pos;
    case SPOIL_TWICE:
        *want = PROTO_TWICE;
        return wire_row(buf, wire_row(buf, pos, tag, r, FILL_LOW), tag, r, FILL_LOW);
    case SPOIL_SIZE: *want = PROTO_SIZE; return wire_field(buf, pos, tag, big, r->size + 1);
    case SPOIL_BELOW:
        if (r->what != SCALAR || r->lo == 0)
            break;
        *want = PROTO_RANGE;
        v = r->lo - 1;
        return wire_field(buf, pos, tag, &v, r->size);
    case SPOIL_ABOVE:
        if (r->what != SCALAR || r->hi == top)
            break;
        *want = PROTO_RANGE;
        v = r->hi + 1;
        return wire_field(buf, pos, tag, &v, r->size);
    case SPOIL_MAX: break;
    }
    *want = PROTO_OK;
    return wire_row(buf, pos, tag, r, FILL_LOW);
}

/* Each field of each message: left out, said twice, of another size, out of range. */
static void field_cases(enum msg_type t, const struct row *r, size_t n, size_t bad)
{
    static uint8_t buf[PROTO_MAX_SIZE];

    for (enum spoil how = SPOIL_OMIT; how < SPOIL_MAX; how++) {
        enum proto_error want = PROTO_OK, got;
        size_t pos = sizeof(struct msg_header);
        union msg_any out;

        for (size_t i = 0; i < n; i++) {
            unsigned int tag = (unsigned int)i + 1;

            pos = i == bad ? wire_spoilt(buf, pos, tag, &r[i], how, &want)
                           : wire_row(buf, pos, tag, &r[i], FILL_LOW);
        }
        wire_seal(buf, pos, t, 0);
        got = decode(buf, pos, &out);
        if (got != want)
            fail_msg("%s field %zu case %d: %s, wanted %s", proto_name(t), bad + 1, (int)how,
                     proto_error_name(got), proto_error_name(want));
    }
}

static void test_fields(void **state)
{
    (void)state;
    for (int i = 1; i < MSG_TYPE_MAX; i++) {
        size_t n;
        const struct row *r = rows_of((enum msg_type)i, &n);

        assert_true(n > 0);
        for (size_t f = 0; f < n; f++)
            field_cases((enum msg_type)i, r, n, f);
    }
}

static void test_trailing(void **state)
{
    static uint8_t buf[PROTO_MAX_SIZE];

    (void)state;
    for (int i = 1; i < MSG_TYPE_MAX; i++) {
        size_t n, len = wire_message(buf, (enum msg_type)i, FILL_LOW);
        union msg_any out;

        rows_of((enum msg_type)i, &n);
        memset(buf + len, 0, 8);
        for (size_t more = 1; more <= 8; more++) {
            wire_seal(buf, len + more, (enum msg_type)i, 0);
            assert_int_equal(decode(buf, len + more, &out), PROTO_TRAILING);
        }
        wire_field(buf, len, (unsigned int)n + 1, NULL, 0);
        wire_seal(buf, len + 4, (enum msg_type)i, 0);
        assert_int_equal(decode(buf, len + 4, &out), PROTO_TRAILING);
    }
}

static enum proto_error log_text(const char *text, size_t n)
{
    uint8_t buf[PROTO_MAX_SIZE], level = 6;
    size_t pos = wire_field(buf, sizeof(struct msg_header), 1, &level, 1);
    union msg_any out;

    pos = wire_field(buf, pos, 2, text, n);
    wire_seal(buf, pos, MSG_log, 0);
    return decode(buf, pos, &out);
}

static void test_strings(void **state)
{
    char big[1024];

    (void)state;
    memset(big, 'a', sizeof big);
    assert_int_equal(log_text("fine", 5), PROTO_OK);
    assert_int_equal(log_text("\xc3\xa4", 3), PROTO_OK);
    assert_int_equal(log_text("", 1), PROTO_OK);
    assert_int_equal(log_text("", 0), PROTO_SIZE);
    assert_int_equal(log_text("unterminated", 12), PROTO_STRING);
    assert_int_equal(log_text(big, sizeof big), PROTO_STRING);
    assert_int_equal(log_text("a\0b", 4), PROTO_STRING);
    assert_int_equal(log_text("a\nb", 4), PROTO_STRING);
    assert_int_equal(log_text("a\x1b[31mb", 8), PROTO_STRING);
    assert_int_equal(log_text("a\x7f", 3), PROTO_STRING);
}

static void test_tags(void **state)
{
    uint8_t buf[PROTO_MAX_SIZE], level = 6;
    union msg_any out;
    size_t pos, h = sizeof(struct msg_header);

    (void)state;
    pos = wire_field(buf, h, 0, &level, 1);
    wire_seal(buf, pos, MSG_log, 0);
    assert_int_equal(decode(buf, pos, &out), PROTO_TAG);
    pos = wire_field(buf, h, 3, &level, 1);
    wire_seal(buf, pos, MSG_log, 0);
    assert_int_equal(decode(buf, pos, &out), PROTO_TAG);
    pos = wire_field(buf, wire_field(buf, h, 2, "x", 2), 1, &level, 1); /* both there, order turned round */
    wire_seal(buf, pos, MSG_log, 0);
    assert_int_equal(decode(buf, pos, &out), PROTO_MISSING);
    pos = wire_field(buf, wire_field(buf, h, 1, &level, 1), 2, "x", 2);
    buf[pos - 1] = 1; /* padding is part of the one encoding */
    wire_seal(buf, pos, MSG_log, 0);
    assert_int_equal(decode(buf, pos, &out), PROTO_SIZE);
}

static void test_encode_refuses(void **state)
{
    uint8_t buf[PROTO_MAX_SIZE];
    struct msg_log l = { .level = 6, .text = "x" };
    struct msg_snapshot s = { .key = 1, .data_len = 513 };
    int len;

    (void)state;
    len = proto_encode(MSG_log, &l, 1, 1, 0, buf, sizeof buf);
    assert_true(len > 0);
    assert_int_equal(proto_encode(MSG_log, &l, 1, 1, 0, buf, (size_t)len), len);
    errno = 0;
    assert_int_equal(proto_encode(MSG_log, &l, 1, 1, 0, buf, (size_t)len - 1), -1);
    assert_int_equal(errno, EMSGSIZE);
    assert_int_equal(proto_encode(MSG_log, &l, 1, 1, 0, buf, 0), -1);
    l.level = 8;
    errno = 0;
    assert_int_equal(proto_encode(MSG_log, &l, 1, 1, 0, buf, sizeof buf), -1);
    assert_int_equal(errno, EINVAL);
    l.level = 7;
    l.text[0] = '\n';
    assert_int_equal(proto_encode(MSG_log, &l, 1, 1, 0, buf, sizeof buf), -1);
    memset(l.text, 'x', sizeof l.text);
    assert_int_equal(proto_encode(MSG_log, &l, 1, 1, 0, buf, sizeof buf), -1);
    assert_int_equal(proto_encode(MSG_snapshot, &s, 1, 1, 0, buf, sizeof buf), -1);
    assert_int_equal(proto_encode(MSG_TYPE_NONE, &s, 1, 1, 0, buf, sizeof buf), -1);
    assert_int_equal(proto_encode(MSG_TYPE_MAX, &s, 1, 1, 0, buf, sizeof buf), -1);
    s.data_len = 0;
    assert_int_equal(proto_encode(MSG_snapshot, &s, 1, 1, 1, buf, sizeof buf), -1); /* takes no descriptors */
}

static void test_tables(void **state)
{
    struct msg_inst_state st = { .inst = 42, .state = 2, .seq = 7 };
    struct msg_log l = { .level = 5 };

    (void)state;
    assert_int_equal(proto_key(MSG_inst_state, &st), 42);
    assert_int_equal(proto_key(MSG_log, &l), 5);
    assert_int_equal(proto_policy(MSG_inst_state), MSG_POLICY_COALESCE);
    assert_int_equal(proto_policy(MSG_start), MSG_POLICY_MUST);
    assert_int_equal(proto_policy(MSG_log), MSG_POLICY_DROP);
    assert_string_equal(proto_name(MSG_inst_state), "inst_state");
    assert_int_equal(proto_max_fds(MSG_start), 5);
    assert_int_equal(proto_senders((enum msg_type)999), 0);
    assert_string_equal(vrrp_state_name(VRRP_STATE_MASTER), "MASTER");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_permissions), cmocka_unit_test(test_fds),
        cmocka_unit_test(test_header),      cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_cut),         cmocka_unit_test(test_fields),
        cmocka_unit_test(test_trailing),    cmocka_unit_test(test_strings),
        cmocka_unit_test(test_tags),        cmocka_unit_test(test_encode_refuses),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
