/*
 * present.c - see present.h. A row for each who asks, ascending by address, so that one look finds
 * all of an address. Interfaces are not looked at by name: the address may be anywhere.
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
    uint32_t id;
    struct ipaddr
        addr; /* family 0: a service without one (a group, a mark), for which there is nothing to wait */
    struct present_at *at;
    size_t n;
    bool told; /* what they believe is in said */
    bool said;
};

struct present {
    enum present_kind kind;
    struct present_row *v;
    size_t n;
};

struct present *present_new(enum present_kind kind)
{
    struct present *p = xcalloc(1, sizeof *p);
    p->kind = kind;
    return p;
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
    return c != 0 ? c : (a->id > b->id) - (a->id < b->id);
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

static const struct present_source {
    enum blk blk;
    enum kw asks, addr;
} present_rows[] = { [PRESENT_SERVICES] = { BLK_VS, KW_VS_HA_SUSPEND, KW_VS_X_IP },
                     [PRESENT_SOURCES] = { BLK_VI, KW_VI_TRACK_SRC_IP, KW_VI_X_SRC } };

/* A unicast router cannot speak before its source is there, whether it tracks it or not. */
static bool present_asks(const struct present *p, const struct slice *s, const struct slice_obj *o)
{
    if (p->kind == PRESENT_SOURCES && !slice_has(o, KW_VI_X_SRC))
        return false;
    return slice_bool(o, present_rows[p->kind].asks, false) ||
           (p->kind == PRESENT_SOURCES && slice_next(s, NULL, BLK_VI_PEER, o->id) != NULL);
}

bool present_configure(struct present *p, const struct slice *now)
{
    struct present old = *p;
    bool news = false;
    const struct slice_obj *o = NULL;
    p->v = NULL;
    p->n = 0;
    while ((o = slice_next(now, o, present_rows[p->kind].blk, SLICE_ANY_PARENT)) != NULL) {
        if (!present_asks(p, now, o))
            continue;
        struct present_row r = { .id = o->id };
        if (!slice_ip(o, present_rows[p->kind].addr, &r.addr))
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

bool present_is(const struct present *p, uint32_t id)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].id == id)
            return present_row_is(&p->v[i]);
    return false;
}

static void present_say(const struct present *p, struct chan *ch, uint32_t id, bool is)
{
    switch (p->kind) {
    case PRESENT_SERVICES:
        chan_send(ch, MSG_vs_present, &(struct msg_vs_present){ .vs = id, .present = is }, NULL, 0);
        break;
    case PRESENT_SOURCES:
        chan_send(ch, MSG_src_present, &(struct msg_src_present){ .inst = id, .present = is }, NULL, 0);
        break;
    }
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
        present_say(p, ch, r->id, is);
    }
}
