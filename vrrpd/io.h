/*
 * io.h - the descriptors ipvsd gave us: bounded reading of what was accepted and what was refused, prepared
 * datagrams out. One recvmmsg reads many, one sendmmsg a socket and turn sends all. Neither allocates. The
 * sockets were opened, filtered and locked elsewhere; this room can only send and receive on them. Trusts the
 * kernel's ancillary data, nothing inside a datagram. Called by the inst files, facts.c, reload.c and life.c.
 */
#ifndef HOLDFAST_VRRPD_IO_H
#define HOLDFAST_VRRPD_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/addr.h"
#include "common/ev.h"
#include "vrrpd/packet.h"

struct io;

/* One prepared datagram. buf stays the owner's and must not move while prepared. */
struct io_out {
    void *owner;
    uint8_t *buf;
    uint32_t ifindex;
    uint16_t len;
    int16_t ttl;
    struct ipaddr src, dst;
    bool queued;
};

struct io_out_spec {
    const struct ipaddr *src, *dst;
    uint32_t ifindex; /* 0: any */
    int ttl;          /* -1: what the socket has */
};
void io_out_set(struct io_out *o, void *owner, uint8_t *buf, size_t len, const struct io_out_spec *s);

struct io_sock {
    struct io *io;
    void *arg;
    uint8_t family;
    int accept_fd, reject_fd; /* -1: none */
    struct ev_io *accept_io, *reject_io;
    struct ev_timer reject_rest; /* the reject socket is left alone until then */
    uint64_t received;           /* datagrams read from the accept socket */
    uint64_t empty_at;           /* when its queue was last seen empty: nothing in it is older */
    uint64_t polled_at;          /* turn of the last io_sock_poll */
    struct io_out **tx;
    size_t ntx, cap_tx;
    struct io_sock *next_open; /* list of those with descriptors */
    struct io_sock *next_tx;   /* list of those with something to send */
    bool in_tx;
    uint64_t rx_bytes_lost; /* truncated datagrams */
};

struct io_ops {
    /* rejected: from the reject socket, for the counters only. rx_at: kernel receive time, CLOCK_MONOTONIC.
     */
    void (*packet)(struct io_sock *s, const struct packet_rx *rx, uint64_t rx_at, bool rejected, void *arg);
    void (*sent)(struct io_out *o, int error, void *arg); /* error 0: left, else errno */
};

struct io *io_new(struct ev *ev, const struct io_ops *ops, void *arg);

void io_sock_init(struct io *io, struct io_sock *s, uint8_t family, void *arg);
/* Takes both fds. What waited in a former pair is read first, then that pair is closed. */
void io_sock_attach(struct io_sock *s, int accept_fd, int reject_fd);
void io_sock_detach(struct io_sock *s); /* sends what is queued, closes */
bool io_sock_ready(const struct io_sock *s);
void io_sock_poll(struct io_sock *s);    /* reads the accepted queue now, once a turn */
void io_sock_release(struct io_sock *s); /* detach, free memory */

void io_send(struct io_sock *s, struct io_out *o);    /* leaves with io_flush */
void io_forget(struct io_sock *s, const void *owner); /* whatever of this owner is queued */
void io_flush(struct io *io);
/* The shortest interval and the shortest skew time of our instances, ns (0: none): many adverts may wait in
 * the kernel for a small part of the one, not longer than the other. Who decides that a master is gone polls
 * first, so only news of others comes later by that; a resignation in time, as a successor waits its skew
 * time anyway. */
void io_patience(struct io *io, uint64_t interval, uint64_t skew);

#endif
