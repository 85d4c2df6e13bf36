/*
 * present.c - see present.h. A row for each service, ascending by address, so that one look finds all
 * services of an address. Interfaces are not looked at by name: the address may be anywhere.
 */
#include "ipvsd/present.h"

#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

struct present_at {
    uint32_t ifindex;
    bool seen; /* by the dump that is running */
};

struct present_row {
    uint32_t vs;
    struct ipaddr
        addr; /* family 0: a service without one (a group, a mark), for which there is nothing to wait */
    struct present_at *at;
    size_t n;
    bool told; /* what checkd believes is in said */
    bool said;
};

struct present {
    struct present_row *v;
    size_t n;
};

struct present *present_new(void)
{
    return xcalloc(1, sizeof(struct present));
}

static void present_clear(struct present *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->v[i].at);
    free(p->v);
    p->v = NULL;
    p->n = 0;
}

void present_free(struct present *p)
{
    if (p == NULL)
        return;
    present_clear(p);
    free(p);
}

static int present_addr_cmp(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->family != b->family ? (a->family > b->family) - (a->family < b->family)
                                  : memcmp(a->b, b->b, sizeof a->b);
}

static int present_cmp(const void *x, const void *y)
{
    const struct present_row *a = x, *b = y;
    int c = present_addr_cmp(&a->addr, &b->addr);
    return c != 0 ? c : (a->vs > b->vs) - (a->vs < b->vs);
}

/* First row of the address; p->n when there is none. */
static size_t present_first(const struct present *p, const struct ipaddr *a)
{
    size_t lo = 0, hi = p->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (present_addr_cmp(&p->v[mid].addr, a) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->n && present_addr_cmp(&p->v[lo].addr, a) == 0 ? lo : p->n;
}

static bool present_row_is(const struct present_row *r)
{
    return r->addr.family == 0 || r->n > 0;
}

/* ---- configuration
 * -------------------------------------------------------------------------------------------------- */

bool present_configure(struct present *p, const struct slice *now)
{
    struct present old = *p;
    bool news = false;
    const struct slice_obj *o = NULL;
    p->v = NULL;
    p->n = 0;
    while ((o = slice_next(now, o, BLK_VS, SLICE_ANY_PARENT)) != NULL) {
        if (!slice_bool(o, KW_VS_HA_SUSPEND, false))
            continue;
        struct present_row r = { .vs = o->id };
        if (!slice_ip(o, KW_VS_X_IP, &r.addr))
            r.addr.family = 0;
        size_t was = r.addr.family != 0 ? present_first(&old, &r.addr) : old.n;
        if (was < old.n) {
            r.n = old.v[was].n;
            r.at = xcalloc(r.n + 1, sizeof *r.at);
            if (r.n > 0)
                memcpy(r.at, old.v[was].at, r.n * sizeof *r.at);
        }
        news = news || (r.addr.family != 0 && was == old.n);
        p->v = xrealloc(p->v, (p->n + 1) * sizeof *p->v);
        p->v[p->n++] = r;
    }
    if (p->n > 0)
        qsort(p->v, p->n, sizeof *p->v, present_cmp);
    present_clear(&old);
    return news;
}

/* ---- news
 * ------------------------------------------------------------------------------------------------------ */

static struct present_at *present_at_find(const struct present_row *r, uint32_t ifindex)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->at[i].ifindex == ifindex)
            return &r->at[i];
    return NULL;
}

static void present_at_drop(struct present_row *r, struct present_at *at)
{
    *at = r->at[--r->n];
}

void present_on_addr(struct present *p, const struct kevent_addr *a)
{
    if (a->flags & IFA_F_DADFAILED) { /* another machine has it */
        present_on_addr_gone(p, a);
        return;
    }
    for (size_t i = present_first(p, &a->addr); i < p->n; i++) {
        struct present_row *r = &p->v[i];
        if (present_addr_cmp(&r->addr, &a->addr) != 0)
            return;
        struct present_at *at = present_at_find(r, a->ifindex);
        if (at == NULL) {
            r->at = xrealloc(r->at, (r->n + 1) * sizeof *r->at);
            at = &r->at[r->n++];
            at->ifindex = a->ifindex;
        }
        at->seen = true;
    }
}

void present_on_addr_gone(struct present *p, const struct kevent_addr *a)
{
    for (size_t i = present_first(p, &a->addr); i < p->n; i++) {
        struct present_row *r = &p->v[i];
        if (present_addr_cmp(&r->addr, &a->addr) != 0)
            return;
        struct present_at *at = present_at_find(r, a->ifindex);
        if (at != NULL)
            present_at_drop(r, at);
    }
}

void present_on_link_gone(struct present *p, uint32_t ifindex)
{
    for (size_t i = 0; i < p->n; i++) {
        struct present_at *at = present_at_find(&p->v[i], ifindex);
        if (at != NULL)
            present_at_drop(&p->v[i], at);
    }
}

void present_dump_begin(struct present *p)
{
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->v[i].n; k++)
            p->v[i].at[k].seen = false;
}

void present_dump_end(struct present *p)
{
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = p->v[i].n; k-- > 0;)
            if (!p->v[i].at[k].seen)
                present_at_drop(&p->v[i], &p->v[i].at[k]);
}

/* ---- telling
 * --------------------------------------------------------------------------------------------------- */

bool present_is(const struct present *p, uint32_t vs)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].vs == vs)
            return present_row_is(&p->v[i]);
    return false;
}

void present_tell(struct present *p, struct chan *ch, bool all)
{
    for (size_t i = 0; i < p->n; i++) {
        struct present_row *r = &p->v[i];
        bool is = present_row_is(r);
        if (ch == NULL) {
            r->told = false;
            continue;
        }
        if (!all && r->told && r->said == is)
            continue;
        r->told = true;
        r->said = is;
        struct msg_vs_present m = { .vs = r->vs, .present = is };
        chan_send(ch, MSG_vs_present, &m, NULL, 0);
    }
}
