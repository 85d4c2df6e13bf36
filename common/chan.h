/*
 * chan.h - one end of a SEQPACKET socketpair between two roles. Never blocks: messages queue and leave
 * together at the end of the turn (sendmmsg), small ones without descriptors many to a datagram; what the
 * peer does not read is treated by the message's policy. Incoming messages are decoded by proto_decode, one
 * after the other; a peer that breaks a rule is reported through on_dead and never heard again.
 */
#ifndef HOLDFAST_CHAN_H
#define HOLDFAST_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ev.h"
#include "common/proto.h"

struct chan;

/* One decoded message. Descriptors belong to the handler, which must close or keep each one (chan closes what
 * stays >= 0). */
struct chan_msg {
    enum msg_type type;
    uint32_t generation;
    uint32_t seq;
    const union msg_any *body;
    int *fds; /* set an entry to -1 to keep it */
    unsigned int nfds;
};

enum chan_end { CHAN_END_EOF, CHAN_END_PROTOCOL, CHAN_END_ERROR, CHAN_END_OVERFLOW };

struct chan_ops {
    /* 0: fine. -1: the message is not allowed at this moment -> protocol error. */
    int (*on_msg)(struct chan *c, const struct chan_msg *m, void *arg);
    /* The channel is finished (called once, from the loop, never from inside chan_send). why: text for the
     * log. The handler may chan_free it. */
    void (*on_dead)(struct chan *c, enum chan_end how, const char *why, void *arg);
};

int chan_pair(int fd[2]); /* socketpair(SEQPACKET, CLOEXEC, NONBLOCK) */
struct chan *chan_new(struct ev *ev, int fd, enum role self, enum role peer, const struct chan_ops *ops,
                      void *arg);
void chan_free(struct chan *c); /* closes; queued messages are lost. NULL is fine */
/* Messages may wait this long (default 0: the end of the turn) unless chan_flush is called: for news that
 * must not compete with the work they tell about. */
void chan_linger(struct chan *c, uint64_t ns);
void chan_set_generation(struct chan *c, uint32_t gen);
enum role chan_peer(const struct chan *c);
bool chan_alive(const struct chan *c); /* false also from a failed send on: what the peer said before still
                                          arrives, then on_dead */

/* Queues a message; fds are duplicated by the kernel when it leaves, so they must stay open until then: chan
 * takes ownership and closes them. body is a struct msg_TYPE. -1: not alive or not encodable (a bug: logged).
 */
int chan_send(struct chan *c, enum msg_type t, const void *body, const int *fds, unsigned int nfds);
/* How many messages a considerate sender may queue now: 0 while the peer lags or is gone. Who tells thousands
 * of things keeps them in a list of his own and asks here, again after the next turn. */
size_t chan_room(const struct chan *c);
int chan_flush(struct chan *c); /* try to empty the queue now: 0 empty, 1 something remains, -1 dead */
int chan_flush_wait(struct chan *c, unsigned int timeout_ms); /* for the last words of a dying process */

#endif
