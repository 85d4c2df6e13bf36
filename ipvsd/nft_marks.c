/* nft_marks.c - see nft_marks.h. */
#include "ipvsd/nft_marks.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/hash.h"

struct marks_used {
    uint32_t *v; /* ascending once sorted */
    size_t n;
};

const struct nft_mark *nft_marks_find(const struct nft_marks *m, const char *vs)
{
    for (size_t i = 0; m != NULL && i < m->n; i++)
        if (strcmp(m->v[i].name, vs) == 0)
            return &m->v[i];
    return NULL;
}

void nft_marks_free(struct nft_marks *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n; i++)
        free(m->v[i].name);
    free(m->v);
    free(m->ranges);
    free(m);
}

/* ---- marks
 * ------------------------------------------------------------------------------------------------------------
 */

static int marks_cmp32(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void marks_use(struct marks_used *u, uint64_t mark)
{
    if ((u->n & (u->n + 1)) == 0)
        u->v = xrealloc(u->v, 2 * (u->n + 1) * sizeof *u->v);
    u->v[u->n++] = (uint32_t)mark;
}

static void marks_sort(struct marks_used *u)
{
    if (u->n > 0)
        qsort(u->v, u->n, sizeof *u->v, marks_cmp32);
}

/* given: marks the administrator has given away; used: those and what may be kept from before. */
static void marks_collect(const struct slice *s, const struct nft_marks *prev, struct marks_used *given,
                          struct marks_used *used)
{
    const struct slice_obj *o = NULL;
    while ((o = slice_next(s, o, BLK_VS, SLICE_ANY_PARENT)) != NULL)
        if (slice_has(o, KW_VS_X_FWMARK))
            marks_use(given, slice_uint(o, KW_VS_X_FWMARK, 0));
    while ((o = slice_next(s, o, BLK_VSG_LINE, SLICE_ANY_PARENT)) != NULL)
        if (slice_has(o, KW_VSG_LINE_FWMARK))
            marks_use(given, slice_uint(o, KW_VSG_LINE_FWMARK, 0));
    for (size_t i = 0; i < given->n; i++)
        marks_use(used, given->v[i]);
    for (size_t i = 0; prev != NULL && i < prev->n; i++)
        marks_use(used, prev->v[i].mark);
    marks_sort(given);
    marks_sort(used);
}

static bool marks_is_used(const struct marks_used *u, uint32_t mark)
{
    return u->n > 0 && bsearch(&mark, u->v, u->n, sizeof *u->v, marks_cmp32) != NULL;
}

/* 0: none is left. */
static uint32_t marks_next(const struct marks_used *u, uint32_t *next)
{
    while (*next != 0 && marks_is_used(u, *next))
        (*next)++;
    uint32_t mark = *next;
    if (mark != 0)
        (*next)++; /* past the last one it is 0, and stays so */
    return mark;
}

/* A group with a mark of its own is served as it is. */
static bool marks_mappable(const struct slice *s, const struct slice_obj *group)
{
    const struct slice_obj *line = NULL;
    bool any = false;
    while ((line = slice_next(s, line, BLK_VSG_LINE, group->id)) != NULL) {
        if (slice_has(line, KW_VSG_LINE_FWMARK))
            return false;
        any = true;
    }
    return any;
}

/* ---- ranges
 * -----------------------------------------------------------------------------------------------------------
 */

/* Lowest and highest address of a prefix. */
static void marks_prefix(const struct ipaddr *a, struct ipaddr *first, struct ipaddr *last)
{
    unsigned int bits = (unsigned int)ipaddr_len(a) * 8;
    *first = *last = *a;
    for (unsigned int i = a->plen; i < bits; i++) {
        uint8_t bit = (uint8_t)(0x80u >> i % 8);
        first->b[i / 8] &= (uint8_t)~bit;
        last->b[i / 8] |= bit;
    }
    first->plen = last->plen = (uint8_t)bits;
}

static struct ipaddr marks_add(const struct ipaddr *a, uint64_t n)
{
    struct ipaddr out = *a;
    for (size_t i = ipaddr_len(a); i-- > 0 && n != 0; n >>= 8) {
        n += out.b[i];
        out.b[i] = (uint8_t)n;
    }
    return out;
}

static void marks_line(struct nft_marks *m, struct nft_mark *k, const struct slice_obj *line)
{
    struct nft_range r = { .protocol = k->protocol, .mark = k->mark, .order = (uint32_t)m->nranges };
    struct ipaddr a;
    uint16_t port = (uint16_t)slice_uint(line, KW_VSG_LINE_X_PORT, 0);
    if (slice_ip(line, KW_VSG_LINE_RANGE, &r.first)) {
        uint64_t n = slice_uint(line, KW_VSG_LINE_X_COUNT, 1);
        r.last = marks_add(&r.first, n > 0 ? n - 1 : 0);
    } else if (slice_ip(line, KW_VSG_LINE_IP, &a)) {
        marks_prefix(&a, &r.first, &r.last);
    } else {
        return;
    }
    r.port_first = port;
    r.port_last = port != 0 ? port : UINT16_MAX; /* port 0: every port */
    k->has[r.first.family == 6] = true;
    if ((m->nranges & (m->nranges + 1)) == 0)
        m->ranges = xrealloc(m->ranges, 2 * (m->nranges + 1) * sizeof *m->ranges);
    m->ranges[m->nranges++] = r;
}

static int marks_by_place(const void *x, const void *y)
{
    const struct nft_range *a = x, *b = y;
    if (a->protocol != b->protocol)
        return a->protocol < b->protocol ? -1 : 1;
    if (a->first.family != b->first.family)
        return a->first.family < b->first.family ? -1 : 1;
    int c = memcmp(a->first.b, b->first.b, sizeof a->first.b);
    return c != 0 ? c : (a->order > b->order) - (a->order < b->order);
}

static int marks_by_order(const void *x, const void *y)
{
    const struct nft_range *a = x, *b = y;
    return (a->order > b->order) - (a->order < b->order);
}

static bool marks_overlap(const struct nft_range *a, const struct nft_range *b)
{
    return a->port_first <= b->port_last && b->port_first <= a->port_last;
}

/* The kernel takes no two that overlap. Of two the earlier in the file counts. A sweep over the addresses:
 * open[] holds those that reach as far as the next one begins. */
static void marks_part(struct nft_marks *m)
{
    size_t nopen = 0, kept = 0;
    if (m->nranges == 0)
        return;
    size_t *open = xcalloc(m->nranges, sizeof *open);
    bool *drop = xcalloc(m->nranges, sizeof *drop);
    qsort(m->ranges, m->nranges, sizeof *m->ranges, marks_by_place);
    for (size_t i = 0; i < m->nranges; i++) {
        struct nft_range *r = &m->ranges[i];
        size_t still = 0;
        for (size_t k = 0; k < nopen; k++) {
            struct nft_range *o = &m->ranges[open[k]];
            bool reaches = o->protocol == r->protocol && o->first.family == r->first.family &&
                           memcmp(o->last.b, r->first.b, sizeof r->first.b) >= 0;
            if (!reaches)
                continue;
            if (!drop[i] && marks_overlap(o, r)) {
                bool later = r->order > o->order;
                drop[later ? i : open[k]] = true;
                if (!later)
                    continue; /* closed */
            }
            open[still++] = open[k];
        }
        nopen = still;
        if (!drop[i])
            open[nopen++] = i;
    }
    for (size_t i = 0; i < m->nranges; i++)
        if (!drop[i])
            m->ranges[kept++] = m->ranges[i];
    m->dropped = m->nranges - kept;
    m->nranges = kept;
    qsort(m->ranges, m->nranges, sizeof *m->ranges, marks_by_order);
    free(open);
    free(drop);
}

/* ---- the whole
 * -------------------------------------------------------------------------------------------------------- */

static void marks_globals(const struct slice *s, struct nft_marks *m)
{
    const struct slice_obj *g = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    if (g == NULL || !slice_has(g, KW_GLOBAL_NFTABLES_IPVS))
        return;
    const char *name = slice_str(g, KW_GLOBAL_NFTABLES_IPVS, "");
    if (name[0] == '\0')
        name = NFT_MARKS_TABLE;
    m->on = true;
    memcpy(m->table, name, strnlen(name, sizeof m->table - 1));
    m->counters = slice_bool(g, KW_GLOBAL_NFTABLES_COUNTERS, false);
    m->priority = (int32_t)slice_int(g, KW_GLOBAL_NFTABLES_IPVS_PRIORITY, -1);
    m->start = (uint32_t)slice_uint(g, KW_GLOBAL_NFTABLES_IPVS_START_FWMARK, 1000);
}

static void marks_vs(struct nft_marks *m, const struct slice *s, const struct nft_marks *prev,
                     const struct slice_obj *vs, const struct marks_used *given,
                     const struct marks_used *used, uint32_t *next)
{
    const char *name = slice_str(vs, KW_VS_X_GROUP, NULL);
    const struct slice_obj *group = name != NULL ? slice_find(s, BLK_VSG, name) : NULL, *line = NULL;
    if (group == NULL || nft_marks_find(m, vs->name) != NULL || !marks_mappable(s, group))
        return;
    const struct nft_mark *had = nft_marks_find(prev, vs->name);
    bool keep = had != NULL && !marks_is_used(given, had->mark);
    uint32_t mark = keep ? had->mark : marks_next(used, next);
    if (mark == 0) {
        m->left++;
        return;
    }
    m->v = xrealloc(m->v, (m->n + 1) * sizeof *m->v);
    struct nft_mark *k = &m->v[m->n++];
    *k = (struct nft_mark){ .name = xstrdup(vs->name),
                            .mark = mark,
                            .protocol = (uint8_t)slice_uint(vs, KW_VS_PROTOCOL, IPPROTO_UDP) };
    while ((line = slice_next(s, line, BLK_VSG_LINE, group->id)) != NULL)
        marks_line(m, k, line);
}

struct nft_marks *nft_marks_build(const struct slice *s, const struct nft_marks *prev)
{
    struct nft_marks *m = xcalloc(1, sizeof *m);
    struct marks_used given = { 0 }, used = { 0 };
    const struct slice_obj *o = NULL;
    marks_globals(s, m);
    if (!m->on)
        return m;
    uint32_t next = m->start;
    if (prev != NULL && prev->start != m->start)
        prev = NULL;
    marks_collect(s, prev, &given, &used);
    while ((o = slice_next(s, o, BLK_VS, SLICE_ANY_PARENT)) != NULL)
        marks_vs(m, s, prev, o, &given, &used, &next);
    free(given.v);
    free(used.v);
    marks_part(m);
    return m;
}

uint64_t nft_marks_digest(const struct nft_marks *m)
{
    uint64_t h = HASH_START;
    h = hash_bytes(h, m->table, sizeof m->table);
    h = hash_bytes(h, &m->priority, sizeof m->priority);
    h = hash_bytes(h, &m->counters, sizeof m->counters);
    for (size_t i = 0; i < m->nranges; i++) {
        const struct nft_range *r = &m->ranges[i];
        h = hash_bytes(h, &r->protocol, sizeof r->protocol);
        h = hash_bytes(h, r->first.b, sizeof r->first.b);
        h = hash_bytes(h, r->last.b, sizeof r->last.b);
        h = hash_bytes(h, &r->port_first, sizeof r->port_first);
        h = hash_bytes(h, &r->port_last, sizeof r->port_last);
        h = hash_bytes(h, &r->mark, sizeof r->mark);
        h = hash_bytes(h, &r->first.family, sizeof r->first.family);
    }
    return h;
}
