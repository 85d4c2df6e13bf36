/*
 * slice.c - reads a role's share of the configuration. slice_parse is a pure decoder of hostile bytes: it
 * checks every length, order, parent, kind and termination before anything is exposed, so the getters may
 * walk without asking again. Called by every role at start and reload; slice_open additionally demands a
 * memfd nobody can change any more. Linear in the number of objects: look-ups go through one hash table by
 * (block, name) and one by (block, parent).
 */
#include "common/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/slice_format.h"

#define NONE UINT32_MAX /* no object: end of a chain, empty place in a table */

struct slice {
    uint8_t *buf; /* of malloc, or the sealed memfd itself */
    size_t len;
    bool mapped;
    uint32_t generation;
    uint32_t nobj;
    struct slice_obj *obj;
    uint32_t *next_kin; /* next object of the same block and parent */
    uint32_t *next_blk; /* next object of the same block */
    uint32_t first_blk[BLK_MAX];
    uint32_t *by_name; /* open addressing, mask places + 1 */
    uint32_t *by_kin;
    uint32_t mask;
};

static int refuse(struct err *e, const char *what, uint64_t at)
{
    return err_set(e, "HF-SLICE", "configuration slice",
                   "%s (at byte %llu): refused; this is a bug or a tampered message, the old "
                   "configuration stays",
                   what, (unsigned long long)at);
}

/* ---- validation ------------------------------------------------------------------------------------------
 */

static bool text_valid(const uint8_t *p, size_t len)
{
    return len > 0 && memchr(p, 0, len) == p + len - 1;
}

static bool ip_valid(const uint8_t *p, size_t len)
{
    static const uint8_t zero[12];
    struct ipaddr a;

    if (len != sizeof a)
        return false;
    memcpy(&a, p, sizeof a);
    if (a.family == 4)
        return a.plen <= 32 && memcmp(a.b + 4, zero, sizeof zero) == 0;
    return a.family == 6 && a.plen <= 128;
}

static bool field_valid(enum kw_kind kind, const uint8_t *p, size_t len)
{
    switch (slice_form(kind)) {
    case SLICE_FORM_BOOL: return len == 1 && p[0] <= 1;
    case SLICE_FORM_NUMBER: return len == sizeof(uint64_t);
    case SLICE_FORM_IP: return ip_valid(p, len);
    case SLICE_FORM_TEXT: return text_valid(p, len);
    case SLICE_FORM_ANY: return true;
    case SLICE_FORM_NEVER: return false;
    }
    return false;
}

static bool padding_zero(const uint8_t *p, size_t len)
{
    for (size_t i = len; i < slice_pad4(len); i++)
        if (p[i] != 0)
            return false;
    return true;
}

static uint64_t field_bit(unsigned int kw)
{
    return UINT64_C(1) << (kw % 64);
}

/* The fields of one object. */
static int body_check(struct slice_obj *o, size_t at, struct err *e)
{
    uint16_t last = 0;

    for (size_t pos = 0; pos < o->body_len;) {
        struct slice_field f;
        const struct kw_row *row;

        if (o->body_len - pos < sizeof f)
            return refuse(e, "field header cut short", at + pos);
        memcpy(&f, o->body + pos, sizeof f);
        pos += sizeof f;
        if (f.kw == KW_NONE || f.kw >= KW_MAX)
            return refuse(e, "unknown keyword number", at + pos);
        if (f.kw < last)
            return refuse(e, "fields out of order", at + pos);
        last = f.kw;
        o->has |= field_bit(f.kw);
        if (o->body_len - pos < slice_pad4(f.len))
            return refuse(e, "field cut short", at + pos);
        row = schema_kw((enum kw)f.kw);
        if (row == NULL || row->blk != o->blk)
            return refuse(e, "field of another kind of block", at + pos);
        if (!field_valid(row->kind, o->body + pos, f.len) || !padding_zero(o->body + pos, f.len))
            return refuse(e, "value does not fit its keyword", at + pos);
        pos += slice_pad4(f.len);
    }
    return 0;
}

static const struct slice_obj *obj_search(const struct slice_obj *obj, size_t n, uint32_t id)
{
    size_t lo = 0;

    while (lo < n) {
        size_t mid = lo + (n - lo) / 2;

        if (obj[mid].id == id)
            return &obj[mid];
        if (obj[mid].id < id)
            lo = mid + 1;
        else
            n = mid;
    }
    return NULL;
}

/* Object number i at *pos; moves *pos behind it. */
static int obj_parse(struct slice *s, uint32_t i, size_t *pos, struct err *e)
{
    struct slice_obj *o = &s->obj[i];
    struct slice_head_obj h;
    size_t at = *pos;

    if (s->len - at < sizeof h)
        return refuse(e, "object header cut short", at);
    memcpy(&h, s->buf + at, sizeof h);
    at += sizeof h;
    if (h.id == 0 || h.id >= SLICE_ANY_PARENT || (i > 0 && h.id <= s->obj[i - 1].id))
        return refuse(e, "object ids not ascending", at);
    if (h.parent != 0 && obj_search(s->obj, i, h.parent) == NULL)
        return refuse(e, "object whose parent does not precede it", at);
    if (h.blk == BLK_NONE || h.blk >= BLK_MAX)
        return refuse(e, "unknown kind of object", at);
    if (s->len - at < slice_pad4(h.namelen) || !text_valid(s->buf + at, h.namelen) ||
        !padding_zero(s->buf + at, h.namelen))
        return refuse(e, "object name cut short or not terminated", at);
    o->name = (const char *)s->buf + at;
    at += slice_pad4(h.namelen);
    if (h.bodylen % 4 != 0 || s->len - at < h.bodylen)
        return refuse(e, "object body cut short", at);
    o->id = h.id;
    o->parent = h.parent;
    o->blk = (enum blk)h.blk;
    o->line = h.line;
    o->body = s->buf + at;
    o->body_len = h.bodylen;
    *pos = at + h.bodylen;
    return body_check(o, at, e);
}

static int header_check(const struct slice_head *h, size_t len, enum role role, struct err *e)
{
    if (h->magic != SLICE_MAGIC || h->version != SLICE_VERSION)
        return refuse(e, "not a configuration slice of this version", 0);
    if (h->schema_hash != schema_hash())
        return err_set(e, "HF-SLICE-BUILD", "configuration slice",
                       "written by holdfast-conf of another build: install all binaries of "
                       "one version together, then restart");
    if (h->role != (uint32_t)role)
        return refuse(e, "the slice of another role", 0);
    if (h->length != len)
        return refuse(e, "length in the header is not the file's", 0);
    if (h->generation == 0)
        return refuse(e, "no generation", 0);
    if (h->nobj > (len - sizeof *h) / sizeof(struct slice_head_obj))
        return refuse(e, "more objects than bytes for them", 0);
    return 0;
}

/* ---- index -----------------------------------------------------------------------------------------------
 */

static uint32_t hash_name(enum blk blk, const char *name)
{
    return hash_place(hash_text(HASH_START ^ (uint64_t)blk, name));
}

static uint32_t hash_kin(enum blk blk, uint32_t parent)
{
    return hash_place(hash_u64(HASH_START, (uint64_t)blk << 32 | parent));
}

/* Place of (blk, name) in the table: where it is or where it would go. The table is never more than half
 * full. */
static uint32_t *place_name(const struct slice *s, enum blk blk, const char *name)
{
    uint32_t at = hash_name(blk, name) & s->mask;

    while (s->by_name[at] != NONE) {
        const struct slice_obj *o = &s->obj[s->by_name[at]];

        if (o->blk == blk && strcmp(o->name, name) == 0)
            break;
        at = (at + 1) & s->mask;
    }
    return &s->by_name[at];
}

static uint32_t *place_kin(const struct slice *s, enum blk blk, uint32_t parent)
{
    uint32_t at = hash_kin(blk, parent) & s->mask;

    while (s->by_kin[at] != NONE) {
        const struct slice_obj *o = &s->obj[s->by_kin[at]];

        if (o->blk == blk && o->parent == parent)
            break;
        at = (at + 1) & s->mask;
    }
    return &s->by_kin[at];
}

/* From the last object to the first, so that chains run in order of ids and the first of equal names is
 * found. */
static void index_build(struct slice *s)
{
    size_t places = 8;

    while (places < (size_t)s->nobj * 2)
        places *= 2;
    s->mask = (uint32_t)(places - 1);
    s->by_name = xmalloc(places * sizeof *s->by_name);
    s->by_kin = xmalloc(places * sizeof *s->by_kin);
    memset(s->by_name, 0xff, places * sizeof *s->by_name);
    memset(s->by_kin, 0xff, places * sizeof *s->by_kin);
    s->next_kin = xcalloc((size_t)s->nobj + 1, sizeof *s->next_kin);
    s->next_blk = xcalloc((size_t)s->nobj + 1, sizeof *s->next_blk);
    for (size_t b = 0; b < BLK_MAX; b++)
        s->first_blk[b] = NONE;
    for (uint32_t i = s->nobj; i-- > 0;) {
        const struct slice_obj *o = &s->obj[i];
        uint32_t *kin = place_kin(s, o->blk, o->parent);

        s->next_kin[i] = *kin;
        *kin = i;
        s->next_blk[i] = s->first_blk[o->blk];
        s->first_blk[o->blk] = i;
        *place_name(s, o->blk, o->name) = i;
    }
}

/* ---- opening ---------------------------------------------------------------------------------------------
 */

/* Takes buf over. */
static struct slice *slice_build(uint8_t *buf, size_t len, bool mapped, enum role role, struct err *e)
{
    struct slice *s = xcalloc(1, sizeof *s);
    struct slice_head h;
    size_t pos = sizeof h;

    s->buf = buf;
    s->len = len;
    s->mapped = mapped;
    if (len < sizeof h) {
        refuse(e, "header cut short", 0);
        goto bad;
    }
    memcpy(&h, buf, sizeof h);
    if (header_check(&h, len, role, e) < 0)
        goto bad;
    s->generation = h.generation;
    s->obj = xcalloc((size_t)h.nobj + 1, sizeof *s->obj);
    for (; s->nobj < h.nobj; s->nobj++)
        if (obj_parse(s, s->nobj, &pos, e) < 0)
            goto bad;
    if (pos != len) {
        refuse(e, "bytes after the last object", pos);
        goto bad;
    }
    index_build(s);
    return s;
bad:
    slice_free(s);
    return NULL;
}

struct slice *slice_parse(const void *buf, size_t len, enum role role, struct err *e)
{
    uint8_t *copy;

    if (len > SLICE_MAX_SIZE) {
        refuse(e, "larger than any configuration may be", len);
        return NULL;
    }
    copy = xmalloc(len + 1);
    if (len > 0)
        memcpy(copy, buf, len);
    return slice_build(copy, len, false, role, e);
}

struct slice *slice_open(int fd, enum role role, struct err *e)
{
    const int want = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    uint8_t *buf;

    if (seals < 0 || (seals & want) != want) {
        refuse(e, "not a sealed memfd", 0);
        return NULL;
    }
    if (fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size > SLICE_MAX_SIZE) {
        refuse(e, "larger than any configuration may be", 0);
        return NULL;
    }
    if (st.st_size == 0)
        return slice_parse("", 0, role, e);
    buf = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0); /* the seals: it cannot change */
    if (buf == MAP_FAILED) {
        err_set(e, "HF-SLICE", "configuration slice", "cannot be read: %s", strerror(errno));
        return NULL;
    }
    return slice_build(buf, (size_t)st.st_size, true, role, e);
}

/* The pages come back from the memfd when somebody looks. */
void slice_rest(const struct slice *s)
{
    if (s->mapped)
        madvise(s->buf, s->len, MADV_DONTNEED);
}

void slice_free(struct slice *s)
{
    if (s == NULL)
        return;
    if (s->mapped) {
        munmap(s->buf, s->len);
    } else {
        explicit_bzero(s->buf, s->len); /* may hold secrets */
        free(s->buf);
    }
    free(s->obj);
    free(s->next_kin);
    free(s->next_blk);
    free(s->by_name);
    free(s->by_kin);
    free(s);
}

/* ---- objects ---------------------------------------------------------------------------------------------
 */

uint32_t slice_generation(const struct slice *s)
{
    return s->generation;
}

size_t slice_count(const struct slice *s)
{
    return s->nobj;
}

const struct slice_obj *slice_at(const struct slice *s, size_t i)
{
    return i < s->nobj ? &s->obj[i] : NULL;
}

size_t slice_index(const struct slice *s, const struct slice_obj *o)
{
    return (size_t)(o - s->obj);
}

const struct slice_obj *slice_by_id(const struct slice *s, uint32_t id)
{
    return obj_search(s->obj, s->nobj, id);
}

const struct slice_obj *slice_find(const struct slice *s, enum blk blk, const char *name)
{
    uint32_t i = *place_name(s, blk, name);

    return i == NONE ? NULL : &s->obj[i];
}

const struct slice_obj *slice_next(const struct slice *s, const struct slice_obj *prev, enum blk blk,
                                   uint32_t parent)
{
    uint32_t i;

    if ((unsigned int)blk >= BLK_MAX)
        return NULL;
    if (parent == SLICE_ANY_PARENT)
        i = prev == NULL ? s->first_blk[blk] : s->next_blk[prev - s->obj];
    else
        i = prev == NULL ? *place_kin(s, blk, parent) : s->next_kin[prev - s->obj];
    return i == NONE ? NULL : &s->obj[i];
}

bool slice_obj_same(const struct slice_obj *a, const struct slice_obj *b)
{
    return a->blk == b->blk && a->body_len == b->body_len && strcmp(a->name, b->name) == 0 &&
           memcmp(a->body, b->body, a->body_len) == 0;
}

/* ---- fields ----------------------------------------------------------------------------------------------
 */

/* i-th field of this keyword; the body was validated, so its lengths are true. */
const void *slice_raw(const struct slice_obj *o, enum kw kw, size_t i, size_t *len)
{
    if ((o->has & field_bit(kw)) == 0)
        return NULL;
    for (size_t pos = 0; pos < o->body_len;) {
        struct slice_field f;

        memcpy(&f, o->body + pos, sizeof f);
        if (f.kw > (unsigned int)kw)
            return NULL;
        if (f.kw == (unsigned int)kw && i-- == 0) {
            *len = f.len;
            return o->body + pos + sizeof f;
        }
        pos += sizeof f + slice_pad4(f.len);
    }
    return NULL;
}

bool slice_has(const struct slice_obj *o, enum kw kw)
{
    size_t len;

    return slice_raw(o, kw, 0, &len) != NULL;
}

/* A number or a truth value: rows of no fixed form (derived, special) may hold either. */
bool slice_uint_at(const struct slice_obj *o, enum kw kw, size_t i, uint64_t *out)
{
    size_t len;
    const uint8_t *p = slice_raw(o, kw, i, &len);

    if (p == NULL || (len != 1 && len != sizeof *out))
        return false;
    if (len == 1)
        *out = p[0];
    else
        memcpy(out, p, sizeof *out);
    return true;
}

size_t slice_uints(const struct slice_obj *o, enum kw kw, uint64_t *out, size_t room)
{
    size_t len, n = 0;
    const uint8_t *p = slice_raw(o, kw, 0, &len), *end = o->body + o->body_len;
    struct slice_field f = { (uint16_t)kw, (uint16_t)(p != NULL ? len : 0) };

    while (p != NULL && n < room && f.kw == (unsigned int)kw) { /* equal keywords stand side by side */
        if (f.len == 1)
            out[n++] = p[0];
        else if (f.len == sizeof *out)
            memcpy(&out[n++], p, sizeof *out);
        p += slice_pad4(f.len);
        if (p == end)
            break;
        memcpy(&f, p, sizeof f);
        p += sizeof f;
    }
    return n;
}

uint64_t slice_uint(const struct slice_obj *o, enum kw kw, uint64_t dflt)
{
    uint64_t v;

    return slice_uint_at(o, kw, 0, &v) ? v : dflt;
}

int64_t slice_int(const struct slice_obj *o, enum kw kw, int64_t dflt)
{
    uint64_t v;

    return slice_uint_at(o, kw, 0, &v) ? (int64_t)v : dflt;
}

bool slice_bool(const struct slice_obj *o, enum kw kw, bool dflt)
{
    uint64_t v;

    return slice_uint_at(o, kw, 0, &v) ? v != 0 : dflt;
}

uint64_t slice_ns(const struct slice_obj *o, enum kw kw, uint64_t dflt_ns)
{
    uint64_t us;

    if (!slice_uint_at(o, kw, 0, &us))
        return dflt_ns;
    return us > UINT64_MAX / 1000 ? UINT64_MAX : us * 1000;
}

const char *slice_str_at(const struct slice_obj *o, enum kw kw, size_t i)
{
    size_t len;
    const uint8_t *p = slice_raw(o, kw, i, &len);

    return p != NULL && text_valid(p, len) ? (const char *)p : NULL;
}

const char *slice_str(const struct slice_obj *o, enum kw kw, const char *dflt)
{
    const char *s = slice_str_at(o, kw, 0);

    return s != NULL ? s : dflt;
}

bool slice_ip(const struct slice_obj *o, enum kw kw, struct ipaddr *out)
{
    size_t len;
    const uint8_t *p = slice_raw(o, kw, 0, &len);

    if (p == NULL || !ip_valid(p, len))
        return false;
    memcpy(out, p, sizeof *out);
    return true;
}
