/* image.c - see image.h. */
#include "parent/snmp/image.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

void image_free(struct image *m)
{
    free(m->v);
    free(m->bytes);
    *m = (struct image){ 0 };
}

/* ---- rows */

size_t image_oid(const char *text, uint32_t *out, size_t max)
{
    size_t n = 0;
    for (const char *p = text; n < max;) {
        char *end;
        if (*p < '0' || *p > '9')
            return 0;
        out[n++] = (uint32_t)strtoul(p, &end, 10);
        if (*end == '\0')
            return n;
        if (*end != '.')
            return 0;
        p = end + 1;
    }
    return 0;
}

struct image_row image_row(struct image *m, const char *entry)
{
    struct image_row r = { .m = m };
    r.nentry = image_oid(entry, r.entry, IMAGE_ENTRY_MAX);
    if (r.nentry == 0)
        fatal("no object identifier: %s", entry);
    return r;
}

void image_index(struct image_row *r, uint32_t n)
{
    if (r->nindex >= IMAGE_INDEX_MAX)
        fatal("an index of more than %d numbers", IMAGE_INDEX_MAX);
    r->index[r->nindex++] = n;
}

void image_index_addr(struct image_row *r, const struct ipaddr *a, bool with_length)
{
    size_t n = ipaddr_len(a);
    if (with_length)
        image_index(r, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        image_index(r, a->b[i]);
}

/* ---- cells */

static struct image_cell *image_new(const struct image_row *r, uint32_t column, enum image_type t)
{
    struct image *m = r->m;
    if ((m->n & (m->n - 1)) == 0)
        m->v = xrealloc(m->v, (m->n == 0 ? 1 : 2 * m->n) * sizeof *m->v);
    struct image_cell *c = &m->v[m->n++];
    *c = (struct image_cell){ .type = t };
    if (r->nentry + 1 + r->nindex > IMAGE_OID_MAX)
        fatal("an object identifier of more than %d numbers", IMAGE_OID_MAX);
    memcpy(c->oid, r->entry, r->nentry * sizeof *c->oid);
    c->oid[r->nentry] = column;
    if (r->nindex > 0)
        memcpy(c->oid + r->nentry + 1, r->index, r->nindex * sizeof *c->oid);
    c->n = (uint8_t)(r->nentry + 1 + r->nindex);
    return c;
}

void image_number(const struct image_row *r, uint32_t column, enum image_type t, uint64_t value)
{
    image_new(r, column, t)->number = t == IMAGE_COUNTER64 ? value : value & UINT32_MAX; /* counters wrap */
}

void image_int(const struct image_row *r, uint32_t column, int64_t value)
{
    int64_t v = value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : value;
    image_new(r, column, IMAGE_INT)->number = (uint64_t)v;
}

void image_gauge(const struct image_row *r, uint32_t column, uint64_t value)
{
    image_new(r, column, IMAGE_GAUGE)->number = value > UINT32_MAX ? UINT32_MAX : value; /* gauges stay */
}

void image_yes(const struct image_row *r, uint32_t column, bool yes)
{
    image_int(r, column, yes ? 1 : 2);
}

static void image_put(const struct image_row *r, uint32_t column, enum image_type t, const void *p,
                      size_t len)
{
    struct image_cell *c = image_new(r, column, t);
    struct image *m = r->m;
    c->at = m->used;
    c->len = len;
    if (len == 0)
        return;
    m->bytes = xrealloc(m->bytes, m->used + len);
    memcpy(m->bytes + m->used, p, len);
    m->used += len;
}

void image_bytes(const struct image_row *r, uint32_t column, const void *p, size_t len)
{
    image_put(r, column, IMAGE_BYTES, p, len);
}

void image_text(const struct image_row *r, uint32_t column, const char *s)
{
    size_t n = s != NULL ? strlen(s) : 0;
    if (s != NULL)
        image_bytes(r, column, s, n > 255 ? 255 : n); /* DisplayString */
}

void image_addr(const struct image_row *r, uint32_t column, const struct ipaddr *a)
{
    if (ipaddr_len(a) > 0)
        image_bytes(r, column, a->b, ipaddr_len(a));
}

void image_ip(const struct image_row *r, uint32_t column, const struct ipaddr *a)
{
    static const uint8_t none[4];
    image_put(r, column, IMAGE_IP, a->family == 4 ? a->b : none, sizeof none);
}

/* ---- searching */

static int image_compare(const uint32_t *a, size_t an, const uint32_t *b, size_t bn)
{
    for (size_t i = 0; i < an && i < bn; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return an < bn ? -1 : an > bn;
}

static int image_order(const void *a, const void *b)
{
    const struct image_cell *x = a, *y = b;
    int c = image_compare(x->oid, x->n, y->oid, y->n);
    return c != 0 ? c : x->at < y->at ? -1 : x->at > y->at;
}

void image_sort(struct image *m)
{
    size_t kept = 0;
    if (m->n == 0)
        return;
    qsort(m->v, m->n, sizeof *m->v, image_order);
    for (size_t i = 1; i < m->n; i++)
        if (image_compare(m->v[kept].oid, m->v[kept].n, m->v[i].oid, m->v[i].n) != 0)
            m->v[++kept] = m->v[i];
    m->n = kept + 1;
}

const struct image_cell *image_next(const struct image *m, const uint32_t *oid, size_t n, bool inclusive)
{
    size_t low = 0, high = m->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = image_compare(m->v[mid].oid, m->v[mid].n, oid, n);
        if (c < 0 || (c == 0 && !inclusive))
            low = mid + 1;
        else
            high = mid;
    }
    return low < m->n ? &m->v[low] : NULL;
}

const struct image_cell *image_get(const struct image *m, const uint32_t *oid, size_t n)
{
    const struct image_cell *c = image_next(m, oid, n, true);
    return c != NULL && image_compare(c->oid, c->n, oid, n) == 0 ? c : NULL;
}

const uint8_t *image_data(const struct image *m, const struct image_cell *c)
{
    return c->len > 0 ? m->bytes + c->at : (const uint8_t *)"";
}

bool image_below(const struct image_cell *c, const uint32_t *root, size_t n)
{
    return c->n >= n && memcmp(c->oid, root, n * sizeof *root) == 0;
}
