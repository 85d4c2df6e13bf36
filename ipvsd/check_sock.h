/*
 * check_sock.h - ready-made sockets for checks (sock_want, sock_ready). checkd names a checker, what the
 * socket is like stands in our own slice. So many a second and no more: whoever asks faster waits, and each
 * check waits once, so a taken-over checkd costs us neither memory nor the time of VRRP. Called by main.c.
 */
#ifndef HOLDFAST_IPVSD_CHECK_SOCK_H
#define HOLDFAST_IPVSD_CHECK_SOCK_H

#include "common/chan.h"
#include "common/slice.h"

struct ipvsd;
struct check_sock;

struct check_sock *check_sock_new(struct ipvsd *d);
void check_sock_configure(struct check_sock *c,
                          const struct slice *now); /* who waited is forgotten: it asks again */
int check_sock_want(struct check_sock *c, const struct msg_sock_want *m); /* -1: there is no such check */
void check_sock_new_peer(struct check_sock *c);                           /* nobody waits any more */
/* Pure: how many may be served at time now, of a bucket filled up to *tokens at *at. */
uint32_t check_sock_allowance(uint32_t *tokens, uint64_t *at, uint64_t now);
void check_sock_dump(const struct check_sock *c, int fd);

#endif
