/* addrwatch.c - see addrwatch.h. */
#include "ipvsd/addrwatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/err.h"
#include "common/log.h"
#include "ipvsd/kaddr.h"
#include "ipvsd/repair.h"

#define ADDRWATCH_BUCKETS 256

struct addrwatch_link {
    LIST_ENTRY(addrwatch_link) chain;
    uint32_t ifindex;
    char name[IFNAMSIZ];
    struct kaddr_list addrs;
};

struct addrwatch {
    LIST_HEAD(, addrwatch_link) links[ADDRWATCH_BUCKETS];
    struct kaddr_table addrs;
    uint32_t own;
    bool first;   /* the first dump runs, or is still to come */
    bool dumping; /* what comes now is an answer to us: that does not say who did it */
};

struct addrwatch *addrwatch_new(uint32_t own)
{
    struct addrwatch *w = xcalloc(1, sizeof *w);
    w->own = own;
    w->first = true;
    kaddr_init(&w->addrs);
    return w;
}

void addrwatch_free(struct addrwatch *w)
{
    struct addrwatch_link *l;
    if (w == NULL)
        return;
    for (size_t k = 0; k < ADDRWATCH_BUCKETS; k++)
        while ((l = LIST_FIRST(&w->links[k])) != NULL) {
            LIST_REMOVE(l, chain);
            kaddr_drop_all(&w->addrs, &l->addrs);
            free(l);
        }
    kaddr_free(&w->addrs);
    free(w);
}

static struct addrwatch_link *addrwatch_find(struct addrwatch *w, uint32_t ifindex)
{
    struct addrwatch_link *l;
    LIST_FOREACH (l, &w->links[ifindex % ADDRWATCH_BUCKETS], chain)
        if (l->ifindex == ifindex)
            return l;
    return NULL;
}

/* An address may be heard of before its interface is. */
static struct addrwatch_link *addrwatch_link(struct addrwatch *w, uint32_t ifindex)
{
    struct addrwatch_link *l = addrwatch_find(w, ifindex);
    if (l != NULL)
        return l;
    l = xcalloc(1, sizeof *l);
    l->ifindex = ifindex;
    snprintf(l->name, sizeof l->name, "if%u", ifindex % 1000000000u);
    TAILQ_INIT(&l->addrs);
    LIST_INSERT_HEAD(&w->links[ifindex % ADDRWATCH_BUCKETS], l, chain);
    return l;
}

static void addrwatch_by(const struct addrwatch *w, uint32_t portid, char *buf, size_t size)
{
    char who[64];
    if (portid == 0 || w->dumping) {
        buf[0] = '\0'; /* a process that has ended, an interface that went, the kernel itself */
    } else if (portid == w->own) {
        snprintf(buf, size, ", by this daemon");
    } else {
        repair_culprit(portid, who, sizeof who);
        snprintf(buf, size, ", by %s", who);
    }
}

static void addrwatch_say(const struct addrwatch *w, const struct addrwatch_link *l, const struct ipaddr *a,
                          const char *what, uint32_t portid)
{
    char text[IPADDR_STRLEN], by[80];
    addrwatch_by(w, portid, by, sizeof by);
    log_info("Netlink reflector reports IP %s %s %s (/%u%s)", ipaddr_str(a, text), what, l->name, a->plen,
             by);
}

static void addrwatch_on_addr(struct addrwatch *w, const struct kevent_addr *a, uint32_t portid)
{
    struct addrwatch_link *l = addrwatch_link(w, a->ifindex);
    bool known = kaddr_find(&w->addrs, a->ifindex, &a->addr) != NULL;
    kaddr_put(&w->addrs, &l->addrs, a);
    if (!known)
        addrwatch_say(w, l, &a->addr, w->first ? "present on" : "added to", portid);
}

static void addrwatch_on_gone(struct addrwatch *w, uint32_t ifindex, const struct ipaddr *a, uint32_t portid)
{
    struct kaddr *k = kaddr_find(&w->addrs, ifindex, a);
    if (k == NULL)
        return;
    struct addrwatch_link *l = addrwatch_link(w, ifindex);
    addrwatch_say(w, l, a, "removed from", portid);
    kaddr_drop(&w->addrs, &l->addrs, k);
}

/* With what was on it: the kernel says so of IPv4 only when the interface was up. */
static void addrwatch_on_link_gone(struct addrwatch *w, uint32_t ifindex, uint32_t portid)
{
    struct addrwatch_link *l = addrwatch_find(w, ifindex);
    struct kaddr *k;
    if (l == NULL)
        return;
    while ((k = TAILQ_FIRST(&l->addrs)) != NULL) {
        addrwatch_say(w, l, &k->a.addr, "removed from", portid);
        kaddr_drop(&w->addrs, &l->addrs, k);
    }
    LIST_REMOVE(l, chain);
    free(l);
}

void addrwatch_on_event(struct addrwatch *w, const struct kevent *e)
{
    if (w == NULL)
        return;
    switch (e->kind) {
    case KEVENT_LINK:
        memcpy(addrwatch_link(w, e->link.ifindex)->name, e->link.name, sizeof e->link.name);
        break;
    case KEVENT_LINK_GONE: addrwatch_on_link_gone(w, e->link.ifindex, e->portid); break;
    case KEVENT_ADDR: addrwatch_on_addr(w, &e->addr, e->portid); break;
    case KEVENT_ADDR_GONE: addrwatch_on_gone(w, e->addr.ifindex, &e->addr.addr, e->portid); break;
    }
}

void addrwatch_dump_begin(struct addrwatch *w)
{
    struct addrwatch_link *l;
    struct kaddr *k;
    if (w == NULL)
        return;
    w->dumping = true;
    for (size_t b = 0; b < ADDRWATCH_BUCKETS; b++)
        LIST_FOREACH (l, &w->links[b], chain)
            TAILQ_FOREACH (k, &l->addrs, on_iface)
                k->seen = false;
}

void addrwatch_dump_end(struct addrwatch *w)
{
    struct addrwatch_link *l;
    if (w == NULL)
        return;
    for (size_t b = 0; b < ADDRWATCH_BUCKETS; b++) {
        LIST_FOREACH (l, &w->links[b], chain) {
            struct kaddr *k = TAILQ_FIRST(&l->addrs);
            while (k != NULL) {
                struct kaddr *next = TAILQ_NEXT(k, on_iface);
                if (!k->seen) {
                    addrwatch_say(w, l, &k->a.addr, "removed from", 0);
                    kaddr_drop(&w->addrs, &l->addrs, k);
                }
                k = next;
            }
        }
    }
    w->first = w->dumping = false;
}
