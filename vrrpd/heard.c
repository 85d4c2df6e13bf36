/* heard.c - see heard.h. */
#include "vrrpd/heard.h"

#include <stdlib.h>

#include "common/err.h"

static uint64_t heard_last(const struct heard_one *o)
{
    return o->accepted_at > o->rejected_at ? o->accepted_at : o->rejected_at;
}

/* Whose place is taken: the longest silent of those never accepted, else the longest silent. */
static bool heard_worse(const struct heard_one *a, const struct heard_one *b)
{
    if ((a->accepted == 0) != (b->accepted == 0))
        return a->accepted == 0;
    return heard_last(a) < heard_last(b);
}

static struct heard_one *heard_place(struct heard_all *h, const struct ipaddr *src, bool accepted)
{
    struct heard_one *worst = NULL;
    for (size_t n = 0; n < h->n; n++) {
        if (ipaddr_same(&h->one[n].src, src))
            return &h->one[n];
        if (worst == NULL || heard_worse(&h->one[n], worst))
            worst = &h->one[n];
    }
    if (worst == NULL || h->n < HEARD_MOST) {
        h->one = xrealloc(h->one, (h->n + 1) * sizeof *h->one);
        h->one[h->n] = (struct heard_one){ .src = *src };
        return &h->one[h->n++];
    }
    if (worst->accepted != 0 && !accepted)
        return NULL;
    *worst = (struct heard_one){ .src = *src };
    return worst;
}

void heard_note(struct heard_all *h, const struct ipaddr *src, uint64_t at, enum check_verdict v,
                const struct engine_advert *a)
{
    struct heard_one *o = heard_place(h, src, v == CHECK_OK);
    if (o == NULL)
        return;
    if (v != CHECK_OK) {
        o->rejected++;
        o->rejected_at = at;
        o->why = v;
        return;
    }
    o->accepted++;
    o->accepted_at = at;
    o->priority = a->priority;
    o->interval = a->interval;
}

void heard_free(struct heard_all *h)
{
    free(h->one);
    *h = (struct heard_all){ 0 };
}
