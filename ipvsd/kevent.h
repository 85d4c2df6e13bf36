/*
 * kevent.h - what the kernel says about links and addresses, as values. Pure functions on (buffer, length):
 * the kernel is believed, its bytes are checked all the same. Called by netlink.c, nft_msg.c and the fuzzer.
 */
#ifndef HOLDFAST_IPVSD_KEVENT_H
#define HOLDFAST_IPVSD_KEVENT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

enum kevent_kind { KEVENT_LINK, KEVENT_LINK_GONE, KEVENT_ADDR, KEVENT_ADDR_GONE };

#define KEVENT_OUR_ALIAS "holdfast" /* marks what we have made */

struct kevent_macvlan {
    bool macvlan, ours; /* ours: has our alias */
    bool ipvlan;
    uint32_t lower; /* ifindex of the interface below */
    uint32_t mode;
    uint16_t flags; /* an ipvlan's: IPVLAN_F_ */
    uint32_t vrf;   /* ifindex of the VRF it belongs to, 0: none */
};

struct kevent_link {
    uint32_t ifindex;
    char name[IFNAMSIZ];
    uint32_t flags; /* IFF_ */
    uint16_t type;  /* ARPHRD_ */
    uint32_t mtu;
    uint8_t mac[32];
    uint8_t mac_len;
    struct kevent_macvlan vlan;
};

struct kevent_addr {
    uint32_t ifindex;
    struct ipaddr addr; /* with the prefix length */
    uint32_t flags;     /* IFA_F_ */
    uint8_t scope;
    uint8_t proto;
};

struct kevent {
    enum kevent_kind kind;
    uint32_t portid; /* who caused it; 0: the kernel, or it does not say */
    union {
        struct kevent_link link;
        struct kevent_addr addr;
    };
};

/* What a walk met besides events. */
struct kevent_end {
    int done;        /* NLMSG_DONE */
    int interrupted; /* the dump saw a table that changed meanwhile */
    int error;       /* errno of NLMSG_ERROR */
    size_t strange;  /* messages that could not be read */
};

typedef void kevent_fn(const struct kevent *e, void *arg);

/* Every event of a datagram, in order. buf is aligned for a netlink header. */
void kevent_walk(void *buf, size_t len, kevent_fn *fn, void *arg, struct kevent_end *end);

/* Every answer to a request: err 0 is an acknowledgement. */
typedef void kevent_ack_fn(uint32_t seq, int err, void *arg);
void kevent_acks(void *buf, size_t len, kevent_ack_fn *fn, void *arg);

#endif
