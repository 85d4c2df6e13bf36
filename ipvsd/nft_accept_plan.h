/*
 * nft_accept_plan.h - no_accept: which addresses the kernel is to be told to drop, and what lies between what
 * it holds and what it must. Pure. Called by nft_accept.c, nft_accept_batch.c, plan_nft.c, plan_dump.c and
 * the unit test.
 */
#ifndef HOLDFAST_IPVSD_NFT_ACCEPT_PLAN_H
#define HOLDFAST_IPVSD_NFT_ACCEPT_PLAN_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/slice.h"

#define NFT_ACCEPT_TABLE "keepalived" /* as the incumbent calls it when the file does not */

/* The tables but for the addresses. */
struct nft_accept_shape {
    bool family[2]; /* IPv4, IPv6: is there a table of it */
    bool counters;
    bool by_index; /* link-local addresses: with the interface's index, not its name */
    int32_t priority;
    char table[64];
};

/* Packets to and from this address are dropped. A link-local one is one of an interface. */
struct nft_accept_elem {
    struct ipaddr addr;
    char dev[IFNAMSIZ]; /* link-local: of this interface; else "" */
    uint32_t ifindex;   /* of dev, now; 0: it is not there */
    bool named;         /* by the configuration in force */
    uint32_t refs;      /* configured addresses that need it now */
    bool in;            /* the kernel holds it */
    uint32_t in_index;  /* ... with this index */
};

struct nft_accept_elems {
    struct nft_accept_elem *v; /* sorted once sealed */
    size_t n, cap;
};

void nft_accept_shape_read(struct nft_accept_shape *sh, const struct slice *s); /* all but family */
bool nft_accept_shape_same(const struct nft_accept_shape *a, const struct nft_accept_shape *b);
bool nft_accept_shape_any(const struct nft_accept_shape *sh);

/* What a configuration names; then sealed: each once, and with what old says is in the kernel. What only old
 * has and is in the kernel comes along, not named. */
void nft_accept_elems_add(struct nft_accept_elems *e, const struct ipaddr *a, const char *dev);
void nft_accept_elems_seal(struct nft_accept_elems *e, const struct nft_accept_elems *old);
void nft_accept_elems_free(struct nft_accept_elems *e);
struct nft_accept_elem *nft_accept_elems_find(const struct nft_accept_elems *e, const struct ipaddr *a,
                                              const char *dev); /* NULL: none */
/* Families of what is named, or (all) of everything. */
void nft_accept_elems_families(const struct nft_accept_elems *e, bool all, bool family[2]);

/* An address of an instance that does not accept. */
struct nft_accept_case {
    bool known;   /* somebody has said what the instance is: until then it may be MASTER */
    bool master;  /* it is */
    bool present; /* in the kernel */
    bool leaving; /* it is ours and is to be taken out */
};
bool nft_accept_needed(const struct nft_accept_case *c);

/* What is to be done about an element. A move is both. */
bool nft_accept_elem_comes(const struct nft_accept_shape *sh, const struct nft_accept_elem *e);
bool nft_accept_elem_goes(const struct nft_accept_shape *sh, const struct nft_accept_elem *e);
bool nft_accept_elem_possible(const struct nft_accept_shape *sh, const struct nft_accept_elem *e);

#endif
