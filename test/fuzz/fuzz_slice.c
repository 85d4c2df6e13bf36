/*
 * fuzz_slice.c - slice_parse on hostile bytes; of what it accepts every object is walked with every getter
 * and every look-up must find it again. The second run repairs the header, so that seeds survive a change of
 * the schema and the fuzzer spends its time behind the hash.
 */
#include <stdlib.h>
#include <string.h>

#include "common/slice.h"
#include "common/slice_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static volatile uint64_t SINK; /* so that the walk is not optimised away */

static uint64_t field_walk(const struct slice_obj *o, enum kw kw)
{
    struct ipaddr a;
    uint64_t v, sum = 0;
    const char *s;
    const uint8_t *p;
    size_t n;

    if (!slice_has(o, kw))
        return 0;
    sum +=
        slice_uint(o, kw, 1) + (uint64_t)slice_int(o, kw, 1) + slice_bool(o, kw, true) + slice_ns(o, kw, 1);
    s = slice_str(o, kw, "");
    sum += strlen(s);
    if (slice_ip(o, kw, &a))
        sum += a.b[ipaddr_len(&a) - 1];
    for (size_t i = 0; i < 4 && (p = slice_raw(o, kw, i, &n)) != NULL; i++) {
        for (size_t k = 0; k < n; k++)
            sum += p[k];
        if (slice_uint_at(o, kw, i, &v))
            sum += v;
        if ((s = slice_str_at(o, kw, i)) != NULL)
            sum += strlen(s);
    }
    return sum;
}

static void walk(const uint8_t *data, size_t len, enum role role)
{
    struct err e;
    struct slice *s = slice_parse(data, len, role, &e);
    uint64_t sum = 0;

    if (s == NULL)
        return;
    for (size_t i = 0; i < slice_count(s); i++) {
        const struct slice_obj *o = slice_at(s, i), *f, *kin = NULL;

        if (slice_by_id(s, o->id) != o || (o->parent != 0 && slice_by_id(s, o->parent) == NULL))
            abort();
        f = slice_find(s, o->blk, o->name);
        if (f == NULL || f > o || strcmp(f->name, o->name) != 0)
            abort();
        do
            kin = slice_next(s, kin, o->blk, o->parent);
        while (kin != NULL && kin != o);
        if (kin == NULL || !slice_obj_same(o, o))
            abort();
        for (size_t pos = 0; pos < o->body_len;) {
            struct slice_field h;

            memcpy(&h, o->body + pos, sizeof h);
            sum += field_walk(o, (enum kw)h.kw);
            pos += sizeof h + slice_pad4(h.len);
        }
    }
    SINK = sum;
    slice_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice_head h;
    uint8_t *copy;

    walk(data, len, ROLE_VRRPD);
    if (len < sizeof h || len > 65536)
        return 0;
    copy = malloc(len);
    if (copy == NULL)
        abort();
    memcpy(copy, data, len);
    memcpy(&h, data, sizeof h);
    h.magic = SLICE_MAGIC;
    h.version = SLICE_VERSION;
    h.schema_hash = schema_hash();
    h.length = (uint32_t)len;
    memcpy(copy, &h, sizeof h);
    walk(copy, len, (enum role)(h.role % ROLE_MAX));
    free(copy);
    return 0;
}
