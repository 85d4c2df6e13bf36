/*
 * identity.c - what makes a checker the same one over a reload and a restart: its kind, where it looks and
 * what it wants to see, in which server of which service. Not its timers, retries, alpha and logging: whoever
 * changes these means the same check. A 64-bit hash stands for all of it; the configuration is trusted, so
 * nobody aims at it. Called by engine_table.c and state.c.
 */
#include <string.h>

#include "checkd/engine.h"
#include "common/hash.h"
#include "common/slice_format.h"

static uint64_t part(uint64_t h, const void *p, size_t len)
{
    h = hash_bytes(h, p, len);
    return h ^ (h >> 29); /* a step between the parts: "ab" "c" is not "a" "bc" */
}

static bool is_engines(const struct kw_row *r)
{
    static const char *const names[] = { "retry", "nb_get_retry", "alpha", "log_all_failures" };

    if (r->kind == KIND_TIME)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(r->name, names[i]) == 0)
            return true;
    return false;
}

/* The body was validated by slice.c: its lengths are true. */
static uint64_t hash_obj(uint64_t h, const struct slice_obj *o)
{
    h = part(h, &o->blk, sizeof o->blk);
    h = part(h, o->name, strlen(o->name) + 1);
    for (size_t pos = 0; pos < o->body_len;) {
        struct slice_field f;
        const struct kw_row *r;

        memcpy(&f, o->body + pos, sizeof f);
        r = schema_kw((enum kw)f.kw);
        if (!is_engines(r))
            h = part(h, o->body + pos, sizeof f + f.len);
        pos += sizeof f + slice_pad4(f.len);
    }
    return h;
}

/* Everything below o: ids are given parents first, so one pass over what follows finds it. The depth of the
 * grammar is bounded, and so is this. */
static uint64_t hash_tree(uint64_t h, const struct slice *s, const struct slice_obj *o)
{
    h = hash_obj(h, o);
    for (size_t i = slice_index(s, o) + 1; i < slice_count(s); i++) {
        const struct slice_obj *in = slice_at(s, i);

        if (in->parent < o->id)
            break; /* the next thing on our own level or above */
        h = hash_obj(h, in);
    }
    return h;
}

uint64_t identity_of(const struct slice *s, const struct slice_obj *o, const struct server *r, uint32_t nth)
{
    uint64_t h = identity_of_service(r->vs);

    h = part(h, r->name, strlen(r->name) + 1);
    h = part(h, &r->sorry, sizeof r->sorry);
    h = part(h, &nth, sizeof nth);
    return hash_tree(h, s, o);
}

uint64_t identity_of_service(const struct service *v)
{
    return part(HASH_START, v->name, strlen(v->name) + 1);
}
