/*
 * node.h - the virtual routers of one configuration as lint and simulation want them, read from the resolved
 * model. Weights are made harmless where the engine would do so (sync groups, owners), with the engine's own
 * function. Pointers of text live as long as the model. Used by cmd_check.c, cmd_doctor.c, cmd_lint.c,
 * simulate.c; tests fill it by hand.
 */
#ifndef HOLDFAST_PARENT_CTL_NODE_H
#define HOLDFAST_PARENT_CTL_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "vrrpd/track.h"

struct node_track {
    enum track_kind kind;
    const char *name;
    int weight;
    int given; /* weight as written, when it is not used */
    bool reverse, of_group;
    bool idle; /* a sync group or priority 255 makes it count for nothing */
    bool own;  /* the instance's own interface */
    int line;
};

struct node_vi {
    const char *name, *iface, *sync; /* sync NULL: none */
    int line;
    uint8_t vrid, family, version, priority;
    uint64_t interval_us;
    bool master, nopreempt, strict, skip_addrs, vmac, plain_sum;
    const char *auth, *secret;              /* auth "none", "PASS", "AH", "HMAC"; secret: a digest, "" */
    struct ipaddr src;                      /* family 0: the interface's own */
    const char *group;                      /* multicast; NULL: unicast */
    const char **vips, **excluded, **peers; /* sorted */
    size_t nvips, nexcluded, npeers;
    struct node_track *tracks;
    size_t ntracks;
};

struct node {
    const char *label; /* "A" */
    const char *file, *router_id;
    const json_t *top;
    struct node_vi *vi;
    size_t nvi;
};

void node_read(struct node *n, const char *label, const char *file, const json_t *top);
void node_free(struct node *n);

/* The router of b that is meant as partner of this one: same VRID, best by name and addresses. NULL. */
const struct node_vi *node_partner(const struct node_vi *a, const struct node *b);
bool node_same_address(const char *a, const char *b); /* whatever their prefix lengths */
bool node_share_vip(const struct node_vi *a, const struct node_vi *b);

#endif
