/* order.c - see order.h. Host byte order: the file lies below /run and never leaves the machine. */
#include "parent/order.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define ORDER_MAGIC   0x48464f31u /* "HFO1" */
#define ORDER_VERSION 1u

struct order_head {
    uint32_t magic, version, n, zero;
};

struct order_record {
    uint64_t since;
    uint32_t weight;
    uint16_t scope_len, name_len; /* without NUL */
    uint8_t kind, raise;
    uint8_t zero[6];
};

_Static_assert(sizeof(struct order_head) == 16 && sizeof(struct order_record) == 24, "no hidden padding");

void orders_free(struct orders *o)
{
    free(o->v);
    *o = (struct orders){ 0 };
}

struct order *orders_add(struct orders *o)
{
    if (o->n == ORDER_MOST)
        return NULL;
    if (o->n == o->cap) {
        o->cap = 2 * o->cap + 8;
        o->v = xrealloc(o->v, o->cap * sizeof *o->v);
    }
    o->v[o->n] = (struct order){ 0 };
    return &o->v[o->n++];
}

void orders_remove(struct orders *o, size_t i)
{
    o->n--;
    memmove(&o->v[i], &o->v[i + 1], (o->n - i) * sizeof *o->v);
}

struct order *orders_find(const struct orders *o, enum order_kind kind, const char *scope, const char *name)
{
    for (size_t i = 0; i < o->n; i++) {
        struct order *k = &o->v[i];
        bool weight = k->kind == ORDER_WEIGHT;
        if (weight == (kind == ORDER_WEIGHT) && strcmp(k->name, name) == 0 &&
            (!weight || strcmp(k->scope, scope) == 0))
            return k;
    }
    return NULL;
}

void *orders_encode(const struct orders *o, size_t *len)
{
    size_t size = sizeof(struct order_head);
    for (size_t i = 0; i < o->n; i++)
        size += sizeof(struct order_record) + strlen(o->v[i].scope) + strlen(o->v[i].name);
    uint8_t *buf = xmalloc(size), *p = buf;
    struct order_head h = { .magic = ORDER_MAGIC, .version = ORDER_VERSION, .n = (uint32_t)o->n };
    memcpy(p, &h, sizeof h);
    p += sizeof h;
    for (size_t i = 0; i < o->n; i++) {
        const struct order *k = &o->v[i];
        struct order_record r = { .since = k->since,
                                  .weight = k->weight,
                                  .scope_len = (uint16_t)strlen(k->scope),
                                  .name_len = (uint16_t)strlen(k->name),
                                  .kind = (uint8_t)k->kind,
                                  .raise = k->raise };
        memcpy(p, &r, sizeof r);
        p += sizeof r;
        memcpy(p, k->scope, r.scope_len);
        p += r.scope_len;
        memcpy(p, k->name, r.name_len);
        p += r.name_len;
    }
    *len = size;
    return buf;
}

/* A name is printed one day: no control characters in it, and no NUL. */
static bool order_text(char *out, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] < 0x20 || p[i] == 0x7f)
            return false;
    memcpy(out, p, len);
    out[len] = '\0';
    return true;
}

/* Bytes read; 0: it makes no sense. */
static size_t order_read(struct order *k, const uint8_t *p, size_t left)
{
    static const uint8_t zero[sizeof((struct order_record *)0)->zero] = { 0 };
    struct order_record r;
    if (left < sizeof r)
        return 0;
    memcpy(&r, p, sizeof r);
    size_t need = sizeof r + r.scope_len + r.name_len;
    bool weight = r.kind == ORDER_WEIGHT;
    if (r.kind > ORDER_TAKEOVER || r.scope_len > ORDER_NAME_MAX || r.name_len > ORDER_NAME_MAX ||
        r.name_len == 0 || left < need || r.weight > INT32_MAX || memcmp(r.zero, zero, sizeof zero) != 0)
        return 0;
    if ((!weight && (r.scope_len != 0 || r.weight != 0)) || (r.kind != ORDER_TAKEOVER && r.raise != 0) ||
        r.raise > 254)
        return 0;
    k->kind = (enum order_kind)r.kind;
    k->raise = r.raise;
    k->weight = r.weight;
    k->since = r.since;
    return order_text(k->scope, p + sizeof r, r.scope_len) &&
                   order_text(k->name, p + sizeof r + r.scope_len, r.name_len)
               ? need
               : 0;
}

static int orders_read(struct orders *o, const uint8_t *p, size_t left)
{
    struct order_head h;
    if (left < sizeof h)
        return -1;
    memcpy(&h, p, sizeof h);
    if (h.magic != ORDER_MAGIC || h.version != ORDER_VERSION || h.zero != 0 || h.n > ORDER_MOST)
        return -1;
    p += sizeof h;
    left -= sizeof h;
    for (uint32_t i = 0; i < h.n; i++) {
        struct order k = { 0 };
        size_t n = order_read(&k, p, left);
        if (n == 0 || orders_find(o, k.kind, k.scope, k.name) != NULL)
            return -1;
        *orders_add(o) = k;
        p += n;
        left -= n;
    }
    return left == 0 ? 0 : -1;
}

int orders_decode(struct orders *o, const void *buf, size_t len)
{
    if (orders_read(o, buf, len) == 0)
        return 0;
    orders_free(o);
    errno = EINVAL;
    return -1;
}
