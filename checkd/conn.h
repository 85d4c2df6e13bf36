/*
 * conn.h - one connection attempt of a check: socket (own, or ready-made from ipvsd), bind, connect,
 * deadline. What comes after the connection is the kind's: it takes over reading and writing through
 * conn_want. Every errno of connect is a failed check. Called by the kinds; answers come from the loop, never
 * from inside conn_open.
 */
#ifndef HOLDFAST_CHECKD_CONN_H
#define HOLDFAST_CHECKD_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "checkd/checker.h"

struct conn;

/* Zero-initialise; embedded in the kind's state. */
struct conn_ops {
    void (*connected)(struct conn *c, void *arg); /* conn_fd(c) is connected (UDP, ICMP: ready) */
    void (*failed)(struct conn *c, const char *why, void *arg); /* why: "connect to A:P: Connection refused",
                                                                   time-out ...; c is closed already */
    void (*io)(struct conn *c, unsigned int got,
               void *arg); /* EV_READ | EV_WRITE | EV_HUP as wanted, after connected */
};

enum conn_type { CONN_TCP, CONN_UDP, CONN_ICMP };

struct conn {
    struct checker *k;
    const struct checker_dest *dest;
    const struct conn_ops *ops;
    void *arg;
    int fd;                        /* -1 or, zero-initialised with open=false, unused */
    bool open, connected, waiting; /* waiting: for a ready-made socket */
    uint32_t token;
    uint16_t icmp_ident; /* ready-made ICMP sockets */
    struct ev_io *io;
    struct ev_timer deadline; /* of this step; or of the next try when sockets have run out */
    /* ---- conn.c's own ---- */
    enum conn_type type;
    int pending;       /* result at hand, told from the loop: errno, or -1 for "connected" */
    bool exhausted;    /* no socket to be had now: tried again soon */
    struct conn *next; /* that waits for ready-made sockets */
};

/* Starts; the deadline is k->common.connect_timeout from now. */
void conn_open(struct conn *c, struct checker *k, const struct checker_dest *dest, enum conn_type type,
               const struct conn_ops *ops, void *arg);
int conn_fd(const struct conn *c);
void conn_want(struct conn *c, unsigned int ev_flags);
/* A step was made: the deadline is connect_timeout from now again (each read and each step has its own, as
 * the incumbent's). The kind decides what a step is: a byte dripped is none. */
void conn_step(struct conn *c);
void conn_close(struct conn *c); /* also fine when not open; no callback follows */

/* For main.c and the engine. sock_ready: takes the descriptor (sets *fd to -1) when somebody waits for it. */
struct msg_sock_ready;
void conn_sock_ready(struct checkd *d, const struct msg_sock_ready *m, int *fd);
void conn_ask_again(struct checkd *d); /* ipvsd is new: everybody who waits asks it */
/* The attempt goes on under another checker (take_over): c is where from was, whose owner forgets it. */
void conn_move(struct conn *c, struct conn *from, struct checker *k, const struct checker_dest *dest,
               void *arg);

#endif
