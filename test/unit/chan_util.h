/*
 * chan_util.h - what the tests of the channel share: an end that notes what it hears, a raw other end, a
 * reader that stalls.
 */
#ifndef TEST_UNIT_CHAN_UTIL_H
#define TEST_UNIT_CHAN_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/chan.h"

#define SEEN_MAX 8192

/* One end and everything it heard. */
struct end {
    struct ev *ev;
    struct chan *c;
    size_t n;
    enum msg_type type[SEEN_MAX];
    uint32_t first[SEEN_MAX]; /* first field */
    uint32_t seq[SEEN_MAX];
    uint32_t generation;
    int kept[PROTO_MAX_FDS];
    unsigned int nkept;
    int dead;
    enum chan_end how;
    char why[128];
    int answer;        /* of on_msg */
    bool free_on_msg;  /* frees the channel inside on_msg */
    bool free_on_dead; /* ... inside on_dead */
    bool keep_fds;
    bool inside_send;
};

static inline int end_msg(struct chan *c, const struct chan_msg *m, void *arg)
{
    struct end *e = arg;

    assert_ptr_equal(c, e->c);
    assert_true(e->n < SEEN_MAX);
    e->type[e->n] = m->type;
    e->seq[e->n] = m->seq;
    e->first[e->n++] = proto_key(m->type, m->body);
    e->generation = m->generation;
    for (unsigned int i = 0; e->keep_fds && i < m->nfds; i++) {
        e->kept[e->nkept++] = m->fds[i];
        m->fds[i] = -1;
    }
    if (e->free_on_msg) {
        chan_free(c);
        e->c = NULL;
    }
    return e->answer;
}

static inline void end_dead(struct chan *c, enum chan_end how, const char *why, void *arg)
{
    struct end *e = arg;

    assert_ptr_equal(c, e->c);
    assert_false(e->inside_send);
    assert_false(chan_alive(c));
    e->dead++;
    e->how = how;
    snprintf(e->why, sizeof e->why, "%s", why);
    if (e->free_on_dead) {
        chan_free(c);
        e->c = NULL;
    }
}

static const struct chan_ops OPS = { end_msg, end_dead };

/* e is ipvsd listening to vrrpd, whose end the test holds raw in *fd; or both ends are channels. */
static inline void open_raw(struct end *e, int *fd)
{
    int pair[2];

    *e = (struct end){ .ev = ev_new(NULL) };
    assert_int_equal(chan_pair(pair), 0);
    e->c = chan_new(e->ev, pair[0], ROLE_IPVSD, ROLE_VRRPD, &OPS, e);
    *fd = pair[1];
}

static inline void open_both(struct end *v, struct end *i)
{
    int pair[2];

    *v = (struct end){ .ev = ev_new(NULL) };
    *i = (struct end){ .ev = ev_new(NULL) };
    assert_int_equal(chan_pair(pair), 0);
    v->c = chan_new(v->ev, pair[0], ROLE_VRRPD, ROLE_IPVSD, &OPS, v);
    i->c = chan_new(i->ev, pair[1], ROLE_IPVSD, ROLE_VRRPD, &OPS, i);
}

static inline void shut(struct end *e)
{
    chan_free(e->c);
    ev_free(e->ev);
}

static inline void turns(struct end *e, int n)
{
    while (n-- > 0)
        ev_turn(e->ev, 0);
}

static inline void say_state(struct end *e, uint32_t inst, uint8_t state, uint32_t seq)
{
    struct msg_inst_state m = { .inst = inst, .state = state, .seq = seq };

    e->inside_send = true;
    chan_send(e->c, MSG_inst_state, &m, NULL, 0);
    e->inside_send = false;
}

static inline void say_sync(struct end *e, uint32_t generation)
{
    struct msg_sync m = { .generation = generation };

    e->inside_send = true;
    chan_send(e->c, MSG_sync, &m, NULL, 0);
    e->inside_send = false;
}

static inline void raw_state(int fd, uint32_t inst)
{
    struct msg_inst_state m = { .inst = inst, .state = VRRP_STATE_MASTER, .seq = 1 };
    uint8_t buf[PROTO_MAX_SIZE];
    int len = proto_encode(MSG_inst_state, &m, 1, 9, 0, buf, sizeof buf);

    assert_int_equal(send(fd, buf, (size_t)len, 0), len);
}

static inline int open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* A raw datagram with descriptors. */
static inline void raw_send_fds(int fd, const void *p, size_t len, int what, unsigned int nfds)
{
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(32 * sizeof(int))];
    } control = { 0 };
    struct iovec iov = { (void *)(uintptr_t)p, len };
    struct msghdr mh = { .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = CMSG_SPACE(nfds * sizeof(int)) };
    struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

    cm->cmsg_level = SOL_SOCKET;
    cm->cmsg_type = SCM_RIGHTS;
    cm->cmsg_len = CMSG_LEN(nfds * sizeof(int));
    for (unsigned int i = 0; i < nfds; i++)
        memcpy(CMSG_DATA(cm) + i * sizeof(int), &what, sizeof(int));
    assert_int_equal(sendmsg(fd, &mh, 0), (ssize_t)len);
}

/* Fills the socket until the kernel takes no more. Returns how many messages were said. */
static inline uint32_t stall(struct end *v)
{
    uint32_t n = 0;

    while (chan_flush(v->c) == 0 && n < 5000)
        say_sync(v, ++n);
    assert_true(n < 5000);
    return n;
}

static inline void drain(struct end *v, struct end *i)
{
    for (int k = 0; k < 500; k++) {
        turns(i, 1);
        turns(v, 1);
    }
}

#endif
