/*
 * test_chan.c - the channel between two roles: what a peer that does not read costs by policy, descriptors,
 * every way a peer can break the rules, callbacks that free the channel, and the last words of a peer that
 * dies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

static int end_msg(struct chan *c, const struct chan_msg *m, void *arg)
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

static void end_dead(struct chan *c, enum chan_end how, const char *why, void *arg)
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
static void open_raw(struct end *e, int *fd)
{
    int pair[2];

    *e = (struct end){ .ev = ev_new(NULL) };
    assert_int_equal(chan_pair(pair), 0);
    e->c = chan_new(e->ev, pair[0], ROLE_IPVSD, ROLE_VRRPD, &OPS, e);
    *fd = pair[1];
}

static void open_both(struct end *v, struct end *i)
{
    int pair[2];

    *v = (struct end){ .ev = ev_new(NULL) };
    *i = (struct end){ .ev = ev_new(NULL) };
    assert_int_equal(chan_pair(pair), 0);
    v->c = chan_new(v->ev, pair[0], ROLE_VRRPD, ROLE_IPVSD, &OPS, v);
    i->c = chan_new(i->ev, pair[1], ROLE_IPVSD, ROLE_VRRPD, &OPS, i);
}

static void shut(struct end *e)
{
    chan_free(e->c);
    ev_free(e->ev);
}

static void turns(struct end *e, int n)
{
    while (n-- > 0)
        ev_turn(e->ev, 0);
}

static void say_state(struct end *e, uint32_t inst, uint8_t state, uint32_t seq)
{
    struct msg_inst_state m = { .inst = inst, .state = state, .seq = seq };

    e->inside_send = true;
    chan_send(e->c, MSG_inst_state, &m, NULL, 0);
    e->inside_send = false;
}

static void say_sync(struct end *e, uint32_t generation)
{
    struct msg_sync m = { .generation = generation };

    e->inside_send = true;
    chan_send(e->c, MSG_sync, &m, NULL, 0);
    e->inside_send = false;
}

static void raw_state(int fd, uint32_t inst)
{
    struct msg_inst_state m = { .inst = inst, .state = VRRP_STATE_MASTER, .seq = 1 };
    uint8_t buf[PROTO_MAX_SIZE];
    int len = proto_encode(MSG_inst_state, &m, 1, 9, 0, buf, sizeof buf);

    assert_int_equal(send(fd, buf, (size_t)len, 0), len);
}

static int open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* A raw datagram with descriptors. */
static void raw_send_fds(int fd, const void *p, size_t len, int what, unsigned int nfds)
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

/* ---- the good case
 * ----------------------------------------------------------------------------------------- */

static void test_talk(void **state)
{
    struct end v, i;

    (void)state;
    open_both(&v, &i);
    chan_set_generation(v.c, 42);
    assert_int_equal(chan_peer(v.c), ROLE_IPVSD);
    for (uint32_t k = 1; k <= 500; k++)
        say_state(&v, k, VRRP_STATE_MASTER, k);
    turns(&i, 1);
    assert_int_equal(i.n, 0); /* leaves at the end of the sender's turn, not before */
    for (int k = 0; k < 100 && i.n < 500; k++) {
        turns(&v, 1);
        turns(&i, 1);
    }
    assert_int_equal(i.n, 500);
    for (uint32_t k = 0; k < 500; k++) {
        assert_int_equal(i.first[k], k + 1);
        assert_int_equal(i.seq[k], k + 1);
    }
    assert_int_equal(i.generation, 42);
    assert_int_equal(v.dead + i.dead, 0);
    shut(&v);
    turns(&i, 2);
    assert_int_equal(i.dead, 1);
    assert_int_equal(i.how, CHAN_END_EOF);
    shut(&i);
}

static void test_fds(void **state)
{
    struct msg_sock m = { .sock = 3, .ok = 1 };
    struct end v, i;
    int before = open_fds(), p[2], q[2];
    char c = 0;

    (void)state;
    open_both(&v, &i);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(pipe(q), 0);
    v.keep_fds = true;
    assert_int_equal(chan_send(i.c, MSG_sock, &m, (int[]){ p[1], q[1] }, 2),
                     0); /* they are the channel's now */
    turns(&i, 1);
    turns(&v, 1);
    assert_int_equal(v.n, 1);
    assert_int_equal(v.nkept, 2);
    assert_true(fcntl(v.kept[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(v.kept[1], "q", 1), 1);
    assert_int_equal(read(q[0], &c, 1), 1);
    assert_int_equal(c, 'q');
    close(v.kept[0]);
    close(v.kept[1]);
    assert_int_equal(read(p[0], &c, 1), 0); /* nobody else held it: the sender's copy is closed */
    v.keep_fds = false;
    assert_int_equal(chan_send(i.c, MSG_sock, &m, (int[]){ dup(p[0]), dup(q[0]) }, 2), 0);
    turns(&i, 1);
    turns(&v, 1);
    assert_int_equal(v.n, 2); /* the handler kept nothing: closed by the channel */
    assert_int_equal(chan_send(i.c, MSG_sock, &m, (int[]){ dup(p[0]) }, 1), 0); /* queued, never sent */
    close(p[0]);
    close(q[0]);
    shut(&v);
    shut(&i);
    assert_int_equal(open_fds(), before);
}

static void test_refused_send(void **state)
{
    struct msg_inst_state bad = { .inst = 0, .state = 2, .seq = 1 };
    struct msg_log log = { .level = 99 };
    struct end v, i;
    int before = open_fds();

    (void)state;
    open_both(&v, &i);
    assert_int_equal(chan_send(v.c, MSG_log, &log, NULL, 0), -1); /* not encodable, channel stays */
    assert_int_equal(errno, EINVAL);
    assert_int_equal(chan_send(v.c, MSG_inst_state, &bad, (int[]){ dup(0) }, 1), -1);
    assert_true(chan_alive(v.c));
    say_sync(&v, 1);
    turns(&v, 1);
    turns(&i, 1);
    assert_int_equal(i.n, 1);
    shut(&v);
    shut(&i);
    assert_int_equal(chan_send(NULL, MSG_sync, &bad, (int[]){ dup(0) }, 1), -1);
    assert_false(chan_alive(NULL));
    chan_free(NULL);
    assert_int_equal(open_fds(), before);
}

/* ---- a peer that does not read
 * ------------------------------------------------------------------------------ */

/* Fills the socket until the kernel takes no more. Returns how many messages were said. */
static uint32_t stall(struct end *v)
{
    uint32_t n = 0;

    while (chan_flush(v->c) == 0 && n < 5000)
        say_sync(v, ++n);
    assert_true(n < 5000);
    return n;
}

static void drain(struct end *v, struct end *i)
{
    for (int k = 0; k < 500; k++) {
        turns(i, 1);
        turns(v, 1);
    }
}

static void test_must_keeps_all(void **state)
{
    static struct end v, i;
    uint32_t n;

    (void)state;
    open_both(&v, &i);
    n = stall(&v);
    for (int k = 0; k < 1000; k++)
        say_sync(&v, ++n);
    drain(&v, &i);
    assert_int_equal(i.n, n);
    for (uint32_t k = 0; k < n; k++)
        assert_int_equal(i.first[k], k + 1);
    assert_int_equal(chan_flush(v.c), 0);
    shut(&v);
    shut(&i);
}

static void test_coalesce(void **state)
{
    static struct end v, i;
    uint32_t n, last[11] = { 0 };
    size_t states = 0;

    (void)state;
    open_both(&v, &i);
    n = stall(&v);
    for (uint32_t k = 0; k < 1000; k++)
        say_state(&v, k % 10 + 1, VRRP_STATE_MASTER, k + 1);
    drain(&v, &i);
    for (size_t k = 0; k < i.n; k++) {
        if (i.type[k] != MSG_inst_state)
            continue;
        states++;
        last[i.first[k]]++;
    }
    assert_int_equal(i.n - states, n); /* the MUST ones are all there */
    assert_int_equal(states, 10);      /* of each key the newest only */
    for (int k = 1; k <= 10; k++)
        assert_int_equal(last[k], 1);
    shut(&v);
    shut(&i);
}

static int coalesced_seq(struct chan *c, const struct chan_msg *m, void *arg)
{
    (void)c;
    if (m->type == MSG_inst_state)
        *(uint32_t *)arg = m->body->inst_state.seq;
    return 0;
}

static void nobody_dies(struct chan *c, enum chan_end how, const char *why, void *arg)
{
    (void)c;
    (void)how;
    (void)arg;
    fail_msg("%s", why);
}

/* What is left of many is the newest, not the oldest. */
static void test_coalesce_newest(void **state)
{
    static const struct chan_ops ops = { coalesced_seq, nobody_dies };
    static struct end v;
    struct ev *ev = ev_new(NULL);
    uint32_t seq = 0;
    struct chan *c;
    int pair[2];

    (void)state;
    v = (struct end){ .ev = ev_new(NULL) };
    assert_int_equal(chan_pair(pair), 0);
    v.c = chan_new(v.ev, pair[0], ROLE_VRRPD, ROLE_IPVSD, &OPS, &v);
    c = chan_new(ev, pair[1], ROLE_IPVSD, ROLE_VRRPD, &ops, &seq);
    stall(&v);
    for (uint32_t k = 1; k <= 50; k++)
        say_state(&v, 7, VRRP_STATE_BACKUP, k);
    for (int k = 0; k < 200; k++) {
        ev_turn(ev, 0);
        turns(&v, 1);
    }
    assert_int_equal(seq, 50);
    chan_free(c);
    ev_free(ev);
    shut(&v);
}

static void test_drop(void **state)
{
    struct msg_vip_repaired m = { .inst = 1 };
    static struct end v, i;
    size_t dropped = 0;

    (void)state;
    open_both(&v, &i);
    for (uint32_t k = 0; chan_flush(i.c) == 0 && k < 5000; k++) {
        struct msg_inst_done d = { .inst = k + 1, .seq = 1 };

        chan_send(i.c, MSG_inst_done, &d, NULL, 0);
    }
    for (int k = 0; k < 20000; k++)
        assert_int_equal(chan_send(i.c, MSG_vip_repaired, &m, NULL, 0), 0);
    drain(&i, &v);
    for (size_t k = 0; k < v.n; k++)
        dropped += v.type[k] == MSG_vip_repaired;
    assert_in_range(dropped, 1, 1000); /* a few queued, the flood dropped, nobody hurt */
    assert_int_equal(v.dead + i.dead, 0);
    shut(&v);
    shut(&i);
}

static void test_overflow(void **state)
{
    static struct end v, i;

    (void)state;
    open_both(&v, &i);
    stall(&v);
    for (uint32_t k = 0; k < 200000 && chan_alive(v.c); k++)
        say_sync(&v, k + 1);
    assert_false(chan_alive(v.c)); /* bounded: a peer that never reads does not eat our memory */
    assert_int_equal(v.dead, 0);   /* but not told from inside chan_send */
    turns(&v, 2);
    assert_int_equal(v.dead, 1);
    assert_int_equal(v.how, CHAN_END_OVERFLOW);
    shut(&v);
    shut(&i);
}

static void test_flush_wait(void **state)
{
    static struct end v, i;
    uint64_t t0, took;

    (void)state;
    open_both(&v, &i);
    say_sync(&v, 1);
    assert_int_equal(chan_flush_wait(v.c, 1000), 0); /* goes at once, without a turn of the loop */
    turns(&i, 1);
    assert_int_equal(i.n, 1);
    stall(&v);
    t0 = clock_monotonic_ns();
    assert_int_equal(chan_flush_wait(v.c, 100), 1);
    took = clock_monotonic_ns() - t0;
    assert_true(took >= 100 * NS_PER_MS && took < 1000 * NS_PER_MS);
    shut(&i);
    assert_int_equal(chan_flush_wait(v.c, 100), -1);
    shut(&v);
}

/* ---- a peer that breaks the rules
 * --------------------------------------------------------------------------- */

/* What the bytes lead to: one on_dead with PROTOCOL, no message, and silence after it. */
static void broken(const void *p, size_t len, const char *why)
{
    static struct end e;
    int fd;

    open_raw(&e, &fd);
    assert_int_equal(send(fd, p, len, 0), (ssize_t)len);
    raw_state(fd, 1); /* said after the offence: never heard */
    turns(&e, 3);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_PROTOCOL);
    if (strstr(e.why, why) == NULL)
        fail_msg("%s, wanted %s", e.why, why);
    assert_int_equal(e.n, 0);
    assert_int_equal(chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0),
                     -1);
    turns(&e, 2);
    assert_int_equal(e.dead, 1);
    shut(&e);
    close(fd);
}

static void test_protocol(void **state)
{
    struct msg_inst_done done = { .inst = 1, .seq = 1 };
    static uint8_t buf[PROTO_MAX_SIZE + 100];
    int len;

    (void)state;
    broken("", 0, "empty message");
    broken("x", 1, "cut short");
    memset(buf, 0, sizeof buf);
    broken(buf, 100, "magic");
    len = proto_encode(MSG_inst_done, &done, 1, 1, 0, buf, sizeof buf); /* ipvsd's own word, said by vrrpd */
    broken(buf, (size_t)len, "may not say");
    broken(buf, sizeof buf, "truncated");
}

static void test_not_allowed_now(void **state)
{
    static struct end e;
    int fd;

    (void)state;
    open_raw(&e, &fd);
    e.answer = -1;
    raw_state(fd, 1);
    raw_state(fd, 2);
    turns(&e, 3);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_PROTOCOL);
    shut(&e);
    close(fd);
}

/* Descriptors nobody asked for, a few and too many: all closed. */
static void test_foreign_fds(void **state)
{
    struct msg_inst_state m = { .inst = 1, .state = 1, .seq = 1 };
    const unsigned int counts[] = { 1, 4, 8, 9, 32 };
    int before = open_fds();

    (void)state;
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        static struct end e;
        uint8_t buf[PROTO_MAX_SIZE];
        int fd, len = proto_encode(MSG_inst_state, &m, 1, 9, 0, buf, sizeof buf);

        open_raw(&e, &fd);
        raw_send_fds(fd, buf, (size_t)len, 0, counts[k]);
        turns(&e, 2);
        assert_int_equal(e.n, 0);
        assert_int_equal(e.dead, 1);
        assert_int_equal(e.how, CHAN_END_PROTOCOL);
        shut(&e);
        close(fd);
        assert_int_equal(open_fds(), before);
    }
}

/* ---- callbacks that free
 * ------------------------------------------------------------------------------------ */

static void test_free_inside(void **state)
{
    static struct end e;
    int fd, before = open_fds();

    (void)state;
    open_raw(&e, &fd);
    e.free_on_msg = true;
    raw_state(fd, 1);
    raw_state(fd, 2);
    turns(&e, 3);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.dead, 0); /* it freed the channel itself: nothing to tell */
    shut(&e);
    close(fd);

    open_raw(&e, &fd);
    e.free_on_msg = true;
    e.answer = -1;
    raw_state(fd, 1);
    turns(&e, 3);
    assert_int_equal(e.dead, 0);
    shut(&e);
    close(fd);

    open_raw(&e, &fd);
    e.free_on_dead = true;
    close(fd);
    turns(&e, 3);
    assert_int_equal(e.dead, 1);
    assert_null(e.c);
    shut(&e);
    assert_int_equal(open_fds(), before);
}

/* ---- last words -------------------------------------------------------------------------------------------
 */

/* A peer that dies with our messages unread: the kernel says ECONNRESET first, its last words wait behind
 * that. */
static void test_last_words_reset(void **state)
{
    static struct end e;
    int fd;

    (void)state;
    open_raw(&e, &fd);
    assert_int_equal(chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0),
                     0);
    turns(&e, 1); /* in the peer's queue now, never to be read */
    raw_state(fd, 5);
    raw_state(fd, 6);
    close(fd);
    turns(&e, 4);
    assert_int_equal(e.n, 2);
    assert_int_equal(e.first[1], 6);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_EOF);
    shut(&e);
}

/* We speak first and find the peer gone: what it said before is heard all the same. */
static void test_last_words_pipe(void **state)
{
    static struct end e;
    int fd;

    (void)state;
    open_raw(&e, &fd);
    raw_state(fd, 5);
    close(fd);
    assert_int_equal(chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0),
                     0);
    assert_int_equal(chan_flush(e.c), -1);
    assert_false(chan_alive(e.c)); /* nobody listens any more */
    assert_int_equal(chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0),
                     -1);
    turns(&e, 4);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.first[0], 5);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_EOF);
    shut(&e);
}

/* Many more than one turn reads. */
static void test_last_words_many(void **state)
{
    static struct end e;
    int fd;

    (void)state;
    open_raw(&e, &fd);
    for (uint32_t k = 1; k <= 200; k++)
        raw_state(fd, k);
    close(fd);
    chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0);
    turns(&e, 6);
    assert_int_equal(e.n, 200);
    assert_int_equal(e.dead, 1);
    assert_int_equal(e.how, CHAN_END_EOF);
    shut(&e);
}

/* It only stops its ears and lives on: as good as gone, whatever it said before, also when that is just what
 * a turn reads. */
static void test_deaf(void **state)
{
    (void)state;
    for (uint32_t words = 0; words <= 130; words++) {
        static struct end e;
        int fd;

        open_raw(&e, &fd);
        for (uint32_t k = 1; k <= words; k++)
            raw_state(fd, k);
        shutdown(fd, SHUT_RD);
        chan_send(e.c, MSG_inst_done, &(struct msg_inst_done){ .inst = 1, .seq = 1 }, NULL, 0);
        chan_flush(e.c);
        turns(&e, 5);
        assert_int_equal(e.n, words);
        assert_int_equal(e.dead, 1);
        assert_int_equal(e.how, CHAN_END_EOF);
        shut(&e);
        close(fd);
    }
}

/* The kernel limits descriptors in flight (an unprivileged sender: RLIMIT_NOFILE of them): the rest waits,
 * nobody dies. */
static void in_flight(void)
{
    struct msg_sock m = { .sock = 3, .ok = 1 };
    static struct end v, i;
    struct rlimit few = { 60, 60 };
    unsigned int said = 0;

    open_both(&v, &i);
    if (setrlimit(RLIMIT_NOFILE, &few) < 0 || (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0)))
        _exit(3);
    for (; said < 60; said++) {
        int a = dup(0), b = dup(0);

        if (a < 0 || b < 0)
            _exit(4);
        chan_send(i.c, MSG_sock, &m, (int[]){ a, b }, 2);
        chan_flush(i.c);
        if (!chan_alive(i.c))
            _exit(5);
        if (said >= 36)
            turns(&v, said % 2); /* a reader who lags */
    }
    drain(&i, &v);
    _exit(v.n == 60 && v.dead + i.dead == 0 ? 0 : 6);
}

static void test_in_flight(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0)
        in_flight();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_fds),
        cmocka_unit_test(test_refused_send),
        cmocka_unit_test(test_must_keeps_all),
        cmocka_unit_test(test_coalesce),
        cmocka_unit_test(test_coalesce_newest),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_flush_wait),
        cmocka_unit_test(test_protocol),
        cmocka_unit_test(test_not_allowed_now),
        cmocka_unit_test(test_foreign_fds),
        cmocka_unit_test(test_free_inside),
        cmocka_unit_test(test_last_words_reset),
        cmocka_unit_test(test_last_words_pipe),
        cmocka_unit_test(test_last_words_many),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_deaf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
