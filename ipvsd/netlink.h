/*
 * netlink.h - rtnetlink without waiting: many requests in one sendmsg, a dump, the monitor. The kernel
 * answers inside the system call, so nothing here blocks longer than the kernel works. Called by whoever
 * talks to the kernel: link.c, addr_apply.c, route_kernel.c, vmac.c, nft_link.c, ipvs_kernel.c, ipvs_apply.c,
 * syncd.c, list.c.
 */
#ifndef HOLDFAST_IPVSD_NETLINK_H
#define HOLDFAST_IPVSD_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include "ipvsd/kevent.h"

struct nl_msg;

struct nlsock {
    int fd;
    uint32_t portid; /* what the kernel calls us in notifications */
    uint32_t seq;
};

/* groups: bit mask of RTMGRP_; rcvbuf: bytes, forced. -1 errno. */
int nlsock_open(struct nlsock *s, uint32_t groups, int rcvbuf);
int nlsock_open_fd(struct nlsock *s, int fd, uint32_t groups,
                   int rcvbuf); /* a socket of any netlink protocol */
void nlsock_close(struct nlsock *s);

/* Requests that travel together. Zero-initialise; reusable after nlbatch_reset. */
struct nlbatch {
    uint8_t *buf;
    size_t len, cap;
    size_t n;
    uint32_t *at; /* offset of request i */
    int *err;     /* after nlbatch_run: 0 or errno of request i */
    size_t slots;
};

size_t nlbatch_add(struct nlbatch *b, struct nl_msg *m); /* its number; m is freed */
int nlbatch_run(struct nlsock *s, struct nlbatch *b); /* -1: answers were lost, the state must be read anew */
void nlbatch_reset(struct nlbatch *b);
void nlbatch_free(struct nlbatch *b);

/* type RTM_GETLINK or RTM_GETADDR. -1 errno; EINTR: the table changed meanwhile (what came is usable, not
 * complete). */
int nlsock_dump(struct nlsock *s, uint16_t type, kevent_fn *fn, void *arg);

/* One request (m is freed) with NLM_F_ flags besides REQUEST; fn gets every datagram that comes and says 1
 * once the answer to seq is whole. -1 errno: not sent, or the answer was lost. */
typedef int nlsock_walk_fn(void *buf, size_t len, uint32_t seq, void *arg);
int nlsock_ask(struct nlsock *s, struct nl_msg *m, uint16_t flags, nlsock_walk_fn *fn, void *arg);

/* Everything that waits. -1 ENOBUFS: something was lost, read the state anew. */
int nlsock_drain(struct nlsock *s, kevent_fn *fn, void *arg);

#endif
