/* plan_nft.c - see plan_nft.h. */
#include "ipvsd/plan_nft.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static const char *const nft_families[2] = { "ip", "ip6" };

static void plan_table(FILE *f, const char *verb, size_t family, const char *table, const char *why)
{
    fprintf(f, "%s nftables table %s %s (%s)\n", verb, nft_families[family], table, why);
}

/* ---- no_accept */

static void plan_elem(FILE *f, const char *verb, const char *table, const struct nft_accept_elem *e)
{
    char a[IPADDR_STRLEN];
    fprintf(f, "%s element %s%s%s %s nftables set %s %s %s\n", verb, ipaddr_str(&e->addr, a),
            e->dev[0] != '\0' ? " . " : "", e->dev, verb[0] == 'a' ? "to" : "from",
            nft_families[e->addr.family == 6], table, e->dev[0] != '\0' ? "vips_link_local" : "vips");
}

static const struct nft_accept_elem *plan_find(const struct nft_accept_elems *all,
                                               const struct nft_accept_elem *e)
{
    return nft_accept_elems_find(all, &e->addr, e->dev);
}

void plan_nft_accept(FILE *f, const struct nft_accept_shape *shape, const struct nft_accept_elems *now,
                     const struct nft_accept_shape *next, const struct nft_accept_elems *need)
{
    bool renamed = strcmp(shape->table, next->table) != 0, same = nft_accept_shape_same(shape, next);
    for (size_t i = 0; i < 2; i++) {
        if (shape->family[i] && (renamed || !next->family[i]))
            plan_table(f, "remove", i, shape->table, "no_accept");
        if (next->family[i] && (renamed || !shape->family[i]))
            plan_table(f, "add", i, next->table, "no_accept");
        else if (next->family[i] && !same)
            plan_table(f, "put in anew", i, next->table, "no_accept");
    }
    for (size_t i = 0; i < now->n; i++) {
        const struct nft_accept_elem *e = &now->v[i];
        size_t fam = e->addr.family == 6;
        if (e->in && shape->family[fam] && next->family[fam] && !renamed && plan_find(need, e) == NULL)
            plan_elem(f, "remove", next->table, e);
    }
    for (size_t i = 0; i < need->n; i++) {
        const struct nft_accept_elem *e = &need->v[i], *old = plan_find(now, e);
        if (renamed || !shape->family[e->addr.family == 6] || old == NULL || !old->in)
            plan_elem(f, "add", next->table, e);
    }
}

/* ---- nftables_ipvs */

static int plan_cmp_addr(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->family != b->family ? (a->family < b->family ? -1 : 1) : memcmp(a->b, b->b, ipaddr_len(a));
}

static int plan_cmp_key(const void *va, const void *vb)
{
    const struct nft_range *a = va, *b = vb;
    int c = plan_cmp_addr(&a->first, &b->first);
    if (a->protocol != b->protocol)
        return a->protocol < b->protocol ? -1 : 1;
    if (c == 0)
        c = plan_cmp_addr(&a->last, &b->last);
    if (c == 0)
        c = a->port_first - b->port_first;
    return c != 0 ? c : a->port_last - b->port_last;
}

static struct nft_range *plan_sorted(const struct nft_marks *m, size_t n)
{
    struct nft_range *v = xcalloc(n + 1, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = m->ranges[i];
    qsort(v, n, sizeof *v, plan_cmp_key);
    return v;
}

/* Without its newline: there may be two values behind it. */
static void plan_range(FILE *f, const char *verb, const char *table, const struct nft_range *r)
{
    char a[IPADDR_STRLEN], b[IPADDR_STRLEN];
    const char *map = r->protocol == IPPROTO_TCP   ? "tcp_map"
                      : r->protocol == IPPROTO_UDP ? "udp_map"
                                                   : "sctp_map";
    fprintf(f, "%s nftables map %s %s %s: %s", verb, nft_families[r->first.family == 6], table, map,
            ipaddr_str(&r->first, a));
    if (plan_cmp_addr(&r->first, &r->last) != 0)
        fprintf(f, "-%s", ipaddr_str(&r->last, b));
    fprintf(f, " . %u", r->port_first);
    if (r->port_first != r->port_last)
        fprintf(f, "-%u", r->port_last);
}

static void plan_ranges(FILE *f, const struct nft_range *a, size_t na, const struct nft_range *b, size_t nb,
                        const char *table)
{
    for (size_t i = 0, k = 0; i < na || k < nb;) {
        int c = i == na ? 1 : k == nb ? -1 : plan_cmp_key(&a[i], &b[k]);
        if (c < 0) {
            plan_range(f, "remove from", table, &a[i++]);
            fputc('\n', f);
        } else if (c > 0) {
            plan_range(f, "add to", table, &b[k]);
            fprintf(f, " : mark %u\n", b[k++].mark);
        } else {
            if (a[i].mark != b[k].mark) {
                plan_range(f, "change in", table, &b[k]);
                fprintf(f, " : mark\t%u\t%u\n", a[i].mark, b[k].mark);
            }
            i++, k++;
        }
    }
}

static bool plan_has(const struct nft_range *v, size_t n, size_t family)
{
    for (size_t i = 0; i < n; i++)
        if ((v[i].first.family == 6) == (family == 1))
            return true;
    return false;
}

void plan_nft_marks(FILE *f, const char *table, const struct nft_marks *now, const struct nft_marks *next)
{
    bool wanted = next->on && next->nranges > 0, stands = table[0] != '\0';
    if (!wanted && !stands)
        return;
    if (wanted && stands && strcmp(table, next->table) == 0 &&
        nft_marks_digest(now) == nft_marks_digest(next))
        return;
    /* a table of another name is nothing to compare with */
    bool renamed = wanted && stands && strcmp(table, next->table) != 0;
    size_t nold = stands && now->on ? now->nranges : 0, nnew = wanted ? next->nranges : 0;
    struct nft_range *a = plan_sorted(now, nold), *b = plan_sorted(next, nnew);
    for (size_t i = 0; i < 2; i++) {
        bool was = plan_has(a, nold, i), will = plan_has(b, nnew, i);
        if (was && (renamed || !will))
            plan_table(f, "remove", i, table, "nftables_ipvs");
        if (will && (renamed || !was))
            plan_table(f, "add", i, next->table, "nftables_ipvs");
        else if (will)
            plan_table(f, "put in anew", i, next->table, "nftables_ipvs");
    }
    if (wanted)
        plan_ranges(f, a, renamed ? 0 : nold, b, nnew, next->table);
    free(a);
    free(b);
}
