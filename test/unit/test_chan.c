/*
 * test_chan.c - the channel between two roles: order, descriptors, and what a peer that does not read costs
 * by policy.
 */
#include "test/unit/chan_util.h"

#include <errno.h>
#include <fcntl.h>

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

/* Small messages share datagrams, in their order; one with descriptors is alone, and everything for a tool.
 */
static size_t datagrams(enum role peer, size_t messages, size_t *bytes)
{
    struct msg_inst_done m = { .inst = 1, .seq = 1 };
    struct msg_ctl_reply r = { .last = 1 };
    struct end e = { .ev = ev_new(NULL) };
    uint8_t buf[PROTO_MAX_SIZE];
    size_t n = 0;
    int pair[2];
    ssize_t got;

    assert_int_equal(chan_pair(pair), 0);
    e.c = chan_new(e.ev, pair[0], peer == ROLE_CTL ? ROLE_PARENT : ROLE_IPVSD, peer, &OPS, &e);
    for (size_t k = 0; k < messages; k++)
        if (peer == ROLE_CTL)
            assert_int_equal(chan_send(e.c, MSG_ctl_reply, &r, NULL, 0), 0);
        else if (k == 20)
            assert_int_equal(chan_send(e.c, MSG_sock, &(struct msg_sock){ .sock = 3 }, (int[]){ dup(0) }, 1),
                             0);
        else
            assert_int_equal(chan_send(e.c, MSG_inst_done, &m, NULL, 0), 0);
    turns(&e, 1);
    for (*bytes = 0; (got = recv(pair[1], buf, sizeof buf, MSG_DONTWAIT)) > 0; n++)
        *bytes += (size_t)got;
    shut(&e);
    close(pair[1]);
    return n;
}

static void test_packed(void **state)
{
    size_t one, many;

    (void)state;
    assert_int_equal(datagrams(ROLE_VRRPD, 1, &one), 1);
    assert_int_equal(datagrams(ROLE_VRRPD, 20, &many), 1);
    assert_int_equal(many, 20 * one);
    assert_int_equal(datagrams(ROLE_VRRPD, 21, &many), 2); /* the last has a descriptor */
    assert_int_equal(datagrams(ROLE_VRRPD, 30, &many), 3);
    assert_in_range(datagrams(ROLE_VRRPD, 1000, &many), 16, 40);
    assert_int_equal(datagrams(ROLE_CTL, 20, &many), 20);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_fds),
        cmocka_unit_test(test_refused_send),
        cmocka_unit_test(test_must_keeps_all),
        cmocka_unit_test(test_coalesce),
        cmocka_unit_test(test_coalesce_newest),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_flush_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
