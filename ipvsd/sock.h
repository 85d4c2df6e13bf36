/*
 * sock.h - the VRRP sockets: opened, filtered, locked, passed to vrrpd, and a duplicate kept so that
 * memberships and queue outlive it. Called by main.c (configuration, peers), link.c and vmac.c (interfaces
 * come and go) and will.c.
 */
#ifndef HOLDFAST_IPVSD_SOCK_H
#define HOLDFAST_IPVSD_SOCK_H

#include "ipvsd/ipvsd.h"

void sock_init(struct ipvsd *d);
void sock_configure(
    struct ipvsd *d,
    const struct slice *now);        /* what did not change stays open; the rest is opened and told */
void sock_tell_all(struct ipvsd *d); /* to a new vrrpd */
void sock_retry(struct ipvsd *d);    /* an interface came, went or changed */

struct vsock *sock_find(struct ipvsd *d, const char *name); /* NULL: none */
int sock_fd(const struct vsock *s);                         /* for sending; -1: not open */
uint32_t sock_ifindex(const struct vsock *s);
void sock_dump(struct ipvsd *d, int fd);

#endif
