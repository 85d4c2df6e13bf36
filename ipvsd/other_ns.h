/*
 * other_ns.h - net_namespace_ipvs: ipvsd lives where VRRP is and works in a second network namespace: its
 * IPVS table, the nftables in front of it, the sockets of its checks. What is needed once is opened there
 * before the jail; sockets of checks come from a helper process that stays there, in the same jail, and can
 * do nothing but socket(2). Called by main.c before the jail; the rest by whoever needs a socket. Without the
 * keyword all of it is off.
 */
#ifndef HOLDFAST_IPVSD_OTHER_NS_H
#define HOLDFAST_IPVSD_OTHER_NS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum other_ns_use { OTHER_NS_IPVS, OTHER_NS_SYNCD, OTHER_NS_NFT, OTHER_NS_NFT_NEWS, OTHER_NS_USES };

struct other_ns {
    bool on;
    int fd[OTHER_NS_USES];
    int factory; /* SEQPACKET: other_ns_order goes out, other_ns_goods come back */
};

/* nsfd < 0: off. -1: logged. Before the jail, as root. */
int other_ns_open(struct other_ns *o, int nsfd);
size_t other_ns_keep(const struct other_ns *o, int *fds, size_t max); /* for the jail */

/* A socket for this use into *fd, the caller's: a duplicate; -1 when off, the caller makes its own. -1 errno.
 */
int other_ns_take(const struct other_ns *o, enum other_ns_use use, int *fd);

/* Asks the helper for a socket; the answer comes later, under the same number. -1 errno: EAGAIN, too many at
 * once. */
int other_ns_order(const struct other_ns *o, uint32_t number, int domain, int type, int protocol);
/* One answer that waits. 1: *number, and *fd or, with *fd -1, *error. 0: none waits. -1: the helper is gone.
 */
int other_ns_goods(const struct other_ns *o, uint32_t *number, int *fd, int *error);

#endif
