/*
 * kaddr.c - see kaddr.h. A chained hash by address, doubled when it is full.
 */
#include "ipvsd/kaddr.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/hash.h"

#define KADDR_BUCKETS 64

void kaddr_init(struct kaddr_table *t)
{
    t->nbuckets = KADDR_BUCKETS;
    t->n = 0;
    t->buckets = xcalloc(t->nbuckets, sizeof *t->buckets);
}

void kaddr_free(struct kaddr_table *t)
{
    free(t->buckets);
    t->buckets = NULL;
}

uint32_t kaddr_hash(const struct ipaddr *a)
{
    return hash_place(hash_bytes(HASH_START ^ a->family, a->b, ipaddr_len(a)));
}

bool kaddr_same(const struct ipaddr *a, const struct ipaddr *b)
{
    return ipaddr_same(a, b) && (a->family == 6 || a->plen == b->plen);
}

struct kaddr *kaddr_find(const struct kaddr_table *t, uint32_t ifindex, const struct ipaddr *a)
{
    struct kaddr *k;
    LIST_FOREACH (k, &t->buckets[kaddr_hash(a) & (t->nbuckets - 1)], hash)
        if (k->a.ifindex == ifindex && kaddr_same(&k->a.addr, a))
            return k;
    return NULL;
}

static void kaddr_grow(struct kaddr_table *t)
{
    struct kaddr_table bigger = { .nbuckets = t->nbuckets * 2, .n = t->n };
    bigger.buckets = xcalloc(bigger.nbuckets, sizeof *bigger.buckets);
    for (size_t i = 0; i < t->nbuckets; i++) {
        struct kaddr *k;
        while ((k = LIST_FIRST(&t->buckets[i])) != NULL) {
            LIST_REMOVE(k, hash);
            LIST_INSERT_HEAD(&bigger.buckets[kaddr_hash(&k->a.addr) & (bigger.nbuckets - 1)], k, hash);
        }
    }
    free(t->buckets);
    *t = bigger;
}

struct kaddr *kaddr_put(struct kaddr_table *t, struct kaddr_list *list, const struct kevent_addr *a)
{
    struct kaddr *k = kaddr_find(t, a->ifindex, &a->addr);
    if (k == NULL) {
        if (t->n >= t->nbuckets)
            kaddr_grow(t);
        k = xcalloc(1, sizeof *k);
        TAILQ_INSERT_TAIL(list, k, on_iface);
        LIST_INSERT_HEAD(&t->buckets[kaddr_hash(&a->addr) & (t->nbuckets - 1)], k, hash);
        t->n++;
    }
    k->a = *a;
    k->seen = true;
    return k;
}

void kaddr_drop(struct kaddr_table *t, struct kaddr_list *list, struct kaddr *k)
{
    TAILQ_REMOVE(list, k, on_iface);
    LIST_REMOVE(k, hash);
    t->n--;
    free(k);
}

void kaddr_drop_all(struct kaddr_table *t, struct kaddr_list *list)
{
    struct kaddr *k;
    while ((k = TAILQ_FIRST(list)) != NULL)
        kaddr_drop(t, list, k);
}
