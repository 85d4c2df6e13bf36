/*
 * proto.c - the codec of the messages between processes, generated from proto.def: one descriptor table, one
 * encoder, one decoder that walk it. Used by chan.c and by tests. proto_decode trusts nothing about the bytes
 * it gets; proto_encode trusts that body is the struct of the type named. No heap, no state.
 *
 * A message has exactly one encoding: fields in the order of proto.def, tags counted from 1, padding zero. So
 * whatever the decoder accepts, the encoder writes again byte for byte (the fuzzer holds us to it).
 */
#include "common/proto.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define P ROLE_BIT(ROLE_PARENT)
#define V ROLE_BIT(ROLE_VRRPD)
#define C ROLE_BIT(ROLE_CHECKD)
#define I ROLE_BIT(ROLE_IPVSD)
#define F ROLE_BIT(ROLE_CONF)
#define T ROLE_BIT(ROLE_CTL)

enum field_kind { FIELD_SCALAR, FIELD_STR, FIELD_BLOB };

struct field {
    enum field_kind kind;
    size_t offset;
    size_t size;     /* of a scalar: exact; else the most it can hold */
    size_t len_at;   /* BLOB: where its length stands */
    uint64_t lo, hi; /* scalar: range */
};

struct fields {
    const struct field *f;
    size_t n;
    size_t body; /* sizeof struct msg_NAME */
};

struct message {
    const char *name;
    unsigned int senders, receivers;
    enum msg_policy policy;
    unsigned int max_fds;
};

static const struct message MESSAGES[MSG_TYPE_MAX] = {
    [MSG_TYPE_NONE] = { "none", 0, 0, MSG_POLICY_DROP, 0 },
#define MSG(name, from, to, policy, fds) [MSG_##name] = { #name, (from), (to), MSG_POLICY_##policy, (fds) },
#define U8(f, lo, hi)
#define U16(f, lo, hi)
#define U32(f, lo, hi)
#define U64(f, lo, hi)
#define STR(f, size)
#define BLOB(f, size)
#define END(name)
#include "common/proto.def"
};

/* The fields of a message. The typedef is local to each case: it lets a field row name the struct it belongs
 * to. */
#define SCALAR(f, lo, hi) { FIELD_SCALAR, offsetof(current, f), sizeof(((current *)0)->f), 0, (lo), (hi) },
#define MSG(name, from, to, policy, fds)                                                                     \
    case MSG_##name: {                                                                                       \
        typedef struct msg_##name current;                                                                   \
        static const struct field f[] = {
#define U8(f, lo, hi)  SCALAR(f, lo, hi)
#define U16(f, lo, hi) SCALAR(f, lo, hi)
#define U32(f, lo, hi) SCALAR(f, lo, hi)
#define U64(f, lo, hi) SCALAR(f, lo, hi)
#define STR(f, size)   { FIELD_STR, offsetof(current, f), (size), 0, 0, 0 },
#define BLOB(f, size)  { FIELD_BLOB, offsetof(current, f), (size), offsetof(current, f##_len), 0, 0 },
#define END(name)                                                                                            \
    }                                                                                                        \
    ;                                                                                                        \
    return (struct fields){ f, sizeof f / sizeof f[0], sizeof(current) };                                    \
    }
static struct fields message_fields(enum msg_type t)
{
    switch (t) {
#include "common/proto.def"
    case MSG_TYPE_NONE:
    case MSG_TYPE_MAX: break;
    }
    return (struct fields){ NULL, 0, 0 };
}
#undef SCALAR

static const struct message *message_row(enum msg_type t)
{
    return &MESSAGES[(unsigned int)t < MSG_TYPE_MAX ? t : MSG_TYPE_NONE];
}

const char *proto_name(enum msg_type t)
{
    return message_row(t)->name;
}
enum msg_policy proto_policy(enum msg_type t)
{
    return message_row(t)->policy;
}
unsigned int proto_senders(enum msg_type t)
{
    return message_row(t)->senders;
}
unsigned int proto_receivers(enum msg_type t)
{
    return message_row(t)->receivers;
}
unsigned int proto_max_fds(enum msg_type t)
{
    return message_row(t)->max_fds;
}

const char *vrrp_state_name(enum vrrp_state s)
{
    switch (s) {
    case VRRP_STATE_INIT: return "INIT";
    case VRRP_STATE_BACKUP: return "BACKUP";
    case VRRP_STATE_MASTER: return "MASTER";
    case VRRP_STATE_FAULT: return "FAULT";
    case VRRP_STATE_STOP: return "STOP";
    }
    return "?";
}

const char *proto_error_name(enum proto_error e)
{
    switch (e) {
    case PROTO_OK: return "ok";
    case PROTO_SHORT: return "cut short";
    case PROTO_MAGIC_BAD: return "wrong magic";
    case PROTO_VERSION_BAD: return "another version of the protocol";
    case PROTO_LENGTH: return "length in the header is not the datagram's";
    case PROTO_TYPE: return "unknown message type";
    case PROTO_SENDER: return "the sender may not say this";
    case PROTO_RECEIVER: return "not for this receiver";
    case PROTO_FDS: return "wrong number of descriptors";
    case PROTO_TAG: return "unknown field";
    case PROTO_TWICE: return "field given twice";
    case PROTO_SIZE: return "field of a wrong size";
    case PROTO_RANGE: return "value out of range";
    case PROTO_STRING: return "text unterminated or with control characters";
    case PROTO_MISSING: return "field missing or out of order";
    case PROTO_TRAILING: return "bytes after the last field";
    }
    return "?";
}

static uint64_t scalar_get(const void *p, size_t size)
{
    uint8_t v8;
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;

    switch (size) {
    case 1: memcpy(&v8, p, 1); return v8;
    case 2: memcpy(&v16, p, 2); return v16;
    case 4: memcpy(&v32, p, 4); return v32;
    default: memcpy(&v64, p, 8); return v64; /* the tables hold no other size */
    }
}

uint32_t proto_key(enum msg_type t, const void *body)
{
    struct fields fs = message_fields(t);

    if (fs.n == 0 || fs.f[0].kind != FIELD_SCALAR)
        return 0;
    return (uint32_t)scalar_get((const uint8_t *)body + fs.f[0].offset, fs.f[0].size);
}

/* Text without control characters, n bytes without the NUL. */
static bool text_ok(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return true;
}

static size_t pad4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* How many bytes of data the field of this body has on the wire; -1 when it must not be sent. */
static int field_measure(const struct field *f, const uint8_t *body, size_t *len)
{
    const uint8_t *at = body + f->offset;
    uint64_t v;

    switch (f->kind) {
    case FIELD_SCALAR:
        v = scalar_get(at, f->size);
        *len = f->size;
        return v < f->lo || v > f->hi ? -1 : 0;
    case FIELD_STR:
        *len = strnlen((const char *)at, f->size) + 1;
        return *len > f->size || !text_ok(at, *len - 1) ? -1 : 0;
    case FIELD_BLOB:
        *len = (size_t)scalar_get(body + f->len_at, sizeof(uint16_t));
        return *len > f->size ? -1 : 0;
    }
    return -1;
}

int proto_encode(enum msg_type t, const void *body, uint32_t seq, uint32_t gen, unsigned int nfds, void *buf,
                 size_t size)
{
    struct fields fs = message_fields(t);
    struct msg_header h = {
        .magic = PROTO_MAGIC, .version = PROTO_VERSION, .nfds = (uint8_t)nfds, .seq = seq, .generation = gen
    };
    uint8_t *out = buf;
    size_t pos = sizeof h;

    if (fs.n == 0 || nfds > proto_max_fds(t)) {
        errno = EINVAL;
        return -1;
    }
    if (size > PROTO_MAX_SIZE)
        size = PROTO_MAX_SIZE;
    for (size_t i = 0; i < fs.n; i++) {
        uint16_t tl[2];
        size_t len;

        if (field_measure(&fs.f[i], body, &len) < 0) {
            errno = EINVAL;
            return -1;
        }
        if (pos > size || size - pos < sizeof tl + pad4(len)) {
            errno = EMSGSIZE;
            return -1;
        }
        tl[0] = (uint16_t)(i + 1);
        tl[1] = (uint16_t)len;
        memcpy(out + pos, tl, sizeof tl);
        pos += sizeof tl;
        memcpy(out + pos, (const uint8_t *)body + fs.f[i].offset, len);
        memset(out + pos + len, 0, pad4(len) - len);
        pos += pad4(len);
    }
    h.type = (uint16_t)t;
    h.length = (uint32_t)pos;
    memcpy(out, &h, sizeof h);
    return (int)pos;
}

static enum proto_error field_read(const struct field *f, const uint8_t *data, size_t len, uint8_t *body)
{
    uint64_t v;
    uint16_t n;

    switch (f->kind) {
    case FIELD_SCALAR:
        if (len != f->size)
            return PROTO_SIZE;
        v = scalar_get(data, len);
        if (v < f->lo || v > f->hi)
            return PROTO_RANGE;
        break;
    case FIELD_STR:
        if (len == 0 || len > f->size)
            return PROTO_SIZE;
        if (data[len - 1] != 0 || !text_ok(data, len - 1)) /* text_ok also refuses a NUL inside */
            return PROTO_STRING;
        break;
    case FIELD_BLOB:
        if (len > f->size)
            return PROTO_SIZE;
        n = (uint16_t)len;
        memcpy(body + f->len_at, &n, sizeof n);
        break;
    }
    memcpy(body + f->offset, data, len);
    return PROTO_OK;
}

/* The TLVs, from after the header to the last byte. */
static enum proto_error body_decode(const struct fields *fs, const uint8_t *buf, size_t len, uint8_t *body)
{
    size_t done = 0; /* fields read so far: they come in order, so this is also the last tag */

    memset(body, 0, fs->body);
    for (size_t pos = 0; pos < len;) {
        uint16_t tl[2];
        enum proto_error e;
        size_t pad;

        if (len - pos < sizeof tl)
            return done == fs->n ? PROTO_TRAILING : PROTO_SHORT;
        memcpy(tl, buf + pos, sizeof tl);
        pos += sizeof tl;
        if (tl[0] >= 1 && tl[0] <= done)
            return PROTO_TWICE;
        if (done == fs->n)
            return PROTO_TRAILING;
        if (tl[0] == 0 || tl[0] > fs->n)
            return PROTO_TAG;
        if (tl[0] != done + 1)
            return PROTO_MISSING;
        if (len - pos < pad4(tl[1]))
            return PROTO_SHORT;
        e = field_read(&fs->f[done], buf + pos, tl[1], body);
        if (e != PROTO_OK)
            return e;
        for (pad = tl[1]; pad < pad4(tl[1]); pad++)
            if (buf[pos + pad] != 0)
                return PROTO_SIZE;
        pos += pad4(tl[1]);
        done++;
    }
    return done == fs->n ? PROTO_OK : PROTO_MISSING;
}

enum proto_error proto_decode(const void *buf, size_t len, enum role from, enum role to, unsigned int nfds,
                              struct msg_header *header, union msg_any *out)
{
    struct fields fs;
    enum msg_type t;

    if (len < sizeof *header)
        return PROTO_SHORT;
    memcpy(header, buf, sizeof *header);
    if (header->magic != PROTO_MAGIC)
        return PROTO_MAGIC_BAD;
    if (header->version != PROTO_VERSION)
        return PROTO_VERSION_BAD;
    if (header->length != len || len > PROTO_MAX_SIZE)
        return PROTO_LENGTH;
    if (header->type == MSG_TYPE_NONE || header->type >= MSG_TYPE_MAX)
        return PROTO_TYPE;
    t = (enum msg_type)header->type;
    if ((unsigned int)from >= ROLE_MAX || !(proto_senders(t) & ROLE_BIT(from)))
        return PROTO_SENDER;
    if ((unsigned int)to >= ROLE_MAX || !(proto_receivers(t) & ROLE_BIT(to)))
        return PROTO_RECEIVER;
    if (header->nfds != nfds || nfds > proto_max_fds(t))
        return PROTO_FDS;
    fs = message_fields(t);
    return body_decode(&fs, (const uint8_t *)buf + sizeof *header, len - sizeof *header, (uint8_t *)out);
}
