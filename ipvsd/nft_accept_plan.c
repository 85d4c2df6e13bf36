/* nft_accept_plan.c - see nft_accept_plan.h. */
#include "ipvsd/nft_accept_plan.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* ---- the tables
 * ------------------------------------------------------------------------------------------------------ */

void nft_accept_shape_read(struct nft_accept_shape *sh, const struct slice *s)
{
    const struct slice_obj *g = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    const char *name = g != NULL ? slice_str(g, KW_GLOBAL_NFTABLES, "") : "";
    memset(sh, 0, sizeof *sh);
    sh->priority = -1;
    if (name[0] == '\0')
        name = NFT_ACCEPT_TABLE;
    memcpy(sh->table, name, strnlen(name, sizeof sh->table - 1));
    if (g == NULL)
        return;
    sh->priority = (int32_t)slice_int(g, KW_GLOBAL_NFTABLES_PRIORITY, -1);
    sh->counters = slice_bool(g, KW_GLOBAL_NFTABLES_COUNTERS, false);
    sh->by_index = slice_bool(g, KW_GLOBAL_NFTABLES_IFINDEX, false);
}

bool nft_accept_shape_any(const struct nft_accept_shape *sh)
{
    return sh->family[0] || sh->family[1];
}

bool nft_accept_shape_same(const struct nft_accept_shape *a, const struct nft_accept_shape *b)
{
    return a->family[0] == b->family[0] && a->family[1] == b->family[1] && a->counters == b->counters &&
           a->by_index == b->by_index && a->priority == b->priority && strcmp(a->table, b->table) == 0;
}

/* ---- the addresses
 * --------------------------------------------------------------------------------------------------- */

static int elem_cmp(const void *a, const void *b)
{
    const struct nft_accept_elem *x = a, *y = b;
    if (x->addr.family != y->addr.family)
        return x->addr.family < y->addr.family ? -1 : 1;
    int c = memcmp(x->addr.b, y->addr.b, ipaddr_len(&x->addr));
    return c != 0 ? c : strcmp(x->dev, y->dev);
}

/* Scope decides: elsewhere an address is the same on every interface. */
static struct nft_accept_elem elem_key(const struct ipaddr *a, const char *dev)
{
    struct nft_accept_elem e = { .addr = *a };
    if (dev != NULL && a->family == 6 && ipaddr_is_linklocal6(a))
        memcpy(e.dev, dev, strnlen(dev, sizeof e.dev - 1));
    return e;
}

static void elems_put(struct nft_accept_elems *e, const struct nft_accept_elem *x)
{
    if (e->n == e->cap) {
        e->cap = 2 * e->cap + 16;
        e->v = xrealloc(e->v, e->cap * sizeof *e->v);
    }
    e->v[e->n++] = *x;
}

void nft_accept_elems_add(struct nft_accept_elems *e, const struct ipaddr *a, const char *dev)
{
    struct nft_accept_elem x = elem_key(a, dev);
    x.named = true;
    elems_put(e, &x);
}

static void elems_sort(struct nft_accept_elems *e)
{
    size_t n = 0;
    if (e->n > 0)
        qsort(e->v, e->n, sizeof *e->v, elem_cmp);
    for (size_t i = 0; i < e->n; i++)
        if (n == 0 || elem_cmp(&e->v[n - 1], &e->v[i]) != 0)
            e->v[n++] = e->v[i];
    e->n = n;
}

static struct nft_accept_elem *elems_get(const struct nft_accept_elems *e, const struct nft_accept_elem *key)
{
    return e->n > 0 ? bsearch(key, e->v, e->n, sizeof *e->v, elem_cmp) : NULL;
}

void nft_accept_elems_seal(struct nft_accept_elems *e, const struct nft_accept_elems *old)
{
    elems_sort(e);
    size_t named = e->n;
    for (size_t i = 0; i < old->n; i++) {
        struct nft_accept_elems sorted = { .v = e->v, .n = named };
        struct nft_accept_elem *same = elems_get(&sorted, &old->v[i]), left = old->v[i];
        if (same != NULL) {
            same->in = left.in;
            same->in_index = left.in_index;
            same->ifindex = left.ifindex;
        } else if (left.in) {
            left.named = false;
            left.refs = 0;
            elems_put(e, &left);
        }
    }
    elems_sort(e);
}

void nft_accept_elems_free(struct nft_accept_elems *e)
{
    free(e->v);
    memset(e, 0, sizeof *e);
}

struct nft_accept_elem *nft_accept_elems_find(const struct nft_accept_elems *e, const struct ipaddr *a,
                                              const char *dev)
{
    struct nft_accept_elem key = elem_key(a, dev);
    return elems_get(e, &key);
}

void nft_accept_elems_families(const struct nft_accept_elems *e, bool all, bool family[2])
{
    family[0] = family[1] = false;
    for (size_t i = 0; i < e->n; i++)
        if (all || e->v[i].named)
            family[e->v[i].addr.family == 6] = true;
}

/* ---- what is to be done
 * ---------------------------------------------------------------------------------------------- */

bool nft_accept_needed(const struct nft_accept_case *c)
{
    return !c->known || c->master || (c->present && c->leaving);
}

bool nft_accept_elem_possible(const struct nft_accept_shape *sh, const struct nft_accept_elem *e)
{
    return !sh->by_index || e->dev[0] == '\0' || e->ifindex != 0;
}

static bool elem_moved(const struct nft_accept_shape *sh, const struct nft_accept_elem *e)
{
    return sh->by_index && e->dev[0] != '\0' && e->in_index != e->ifindex;
}

bool nft_accept_elem_comes(const struct nft_accept_shape *sh, const struct nft_accept_elem *e)
{
    return e->refs > 0 && (!e->in || elem_moved(sh, e)) && nft_accept_elem_possible(sh, e);
}

bool nft_accept_elem_goes(const struct nft_accept_shape *sh, const struct nft_accept_elem *e)
{
    return e->in && (e->refs == 0 || elem_moved(sh, e));
}
