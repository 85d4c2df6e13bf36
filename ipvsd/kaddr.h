/*
 * kaddr.h - a mirror of the kernel's addresses on the interfaces we care about. Pure table: fed by kernel
 * events and by what the kernel acknowledged, read by addr_apply.c (what to do about each is addr_plan.c's to
 * say), link.c and whoever asks whether an address is there. Order of arrival on an interface is kept (first
 * primary).
 */
#ifndef HOLDFAST_IPVSD_KADDR_H
#define HOLDFAST_IPVSD_KADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ipvsd/kevent.h"

struct kaddr {
    struct kevent_addr a;
    bool seen; /* by the dump that is running */
    TAILQ_ENTRY(kaddr) on_iface;
    LIST_ENTRY(kaddr) hash;
};

TAILQ_HEAD(kaddr_list, kaddr);
LIST_HEAD(kaddr_bucket, kaddr);

struct kaddr_table {
    struct kaddr_bucket *buckets;
    size_t nbuckets, n;
};

void kaddr_init(struct kaddr_table *t);
void kaddr_free(struct kaddr_table *t); /* entries must be gone */

/* The kernel's notion of "the same address": IPv4 address and prefix length, IPv6 address alone. */
bool kaddr_same(const struct ipaddr *a, const struct ipaddr *b);
struct kaddr *kaddr_find(const struct kaddr_table *t, uint32_t ifindex, const struct ipaddr *a);

/* Adds or updates; list is the interface's. */
struct kaddr *kaddr_put(struct kaddr_table *t, struct kaddr_list *list, const struct kevent_addr *a);
void kaddr_drop(struct kaddr_table *t, struct kaddr_list *list, struct kaddr *k);
void kaddr_drop_all(struct kaddr_table *t, struct kaddr_list *list);

uint32_t kaddr_hash(const struct ipaddr *a); /* of the address without its prefix length */

#endif
