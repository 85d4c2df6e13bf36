/*
 * test_bfd.c - BFD on a virtual clock: two sessions on a line that delays and loses, the machine's answers to
 * single packets, timers and jitter, poll sequences, demand, passive, resume.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vrrpd/bfd.h"

#define T0      (1000 * NS_PER_SEC)
#define FLIGHTS 64

struct end;
struct flight {
    bool used;
    uint64_t at;
    struct end *to;
    uint8_t bytes[BFD_PACKET_LEN];
};

struct line {
    uint64_t now, delay;
    bool cut;
    struct flight f[FLIGHTS];
};

struct end {
    struct line *line;
    struct end *peer; /* NULL: the test listens */
    struct bfd b;
    uint64_t deadline;
    uint32_t next_disc;
    struct bfd_packet last;
    unsigned int sent, polls, finals, ups, downs, states;
    uint64_t sent_at, gap_min, gap_max;
};

static void on_send(void *arg, const struct bfd_packet *p)
{
    struct end *e = arg;
    struct line *l = e->line;
    uint64_t gap = l->now - e->sent_at;
    if (e->sent > 0 && gap < e->gap_min)
        e->gap_min = gap;
    if (e->sent > 0 && gap > e->gap_max)
        e->gap_max = gap;
    e->last = *p;
    e->sent++;
    e->sent_at = l->now;
    e->polls += (p->flags & BFD_FLAG_POLL) != 0;
    e->finals += (p->flags & BFD_FLAG_FINAL) != 0;
    if (e->peer == NULL || l->cut)
        return;
    for (int i = 0; i < FLIGHTS; i++) {
        if (l->f[i].used)
            continue;
        l->f[i] = (struct flight){ .used = true, .at = l->now + l->delay, .to = e->peer };
        bfd_packet_encode(p, l->f[i].bytes);
        return;
    }
    fail_msg("too many packets under way");
}

static void on_state(void *arg, enum bfd_state from, const char *cause)
{
    struct end *e = arg;
    assert_true(from != e->b.state);
    assert_true(strlen(cause) > 0);
    e->states++;
}

static void on_event(void *arg, bool up)
{
    struct end *e = arg;
    e->ups += up;
    e->downs += !up;
}

static void on_arm(void *arg, uint64_t deadline)
{
    ((struct end *)arg)->deadline = deadline;
}

static uint32_t on_disc(void *arg)
{
    return ((struct end *)arg)->next_disc++;
}

static const struct bfd_ops ops = { on_send, on_state, on_event, on_arm, on_disc };
static const struct bfd_cfg fast = { .min_tx = 20000, .min_rx = 20000, .idle_tx = 300000, .mult = 3 };

static void forget_gaps(struct end *e)
{
    e->gap_min = UINT64_MAX;
    e->gap_max = 0;
}

static void begin(struct end *e, struct line *l, struct end *peer, const struct bfd_cfg *cfg, uint64_t seed)
{
    memset(e, 0, sizeof *e);
    e->line = l;
    e->peer = peer;
    e->deadline = TIME_NEVER;
    e->next_disc = (uint32_t)seed * 100;
    forget_gaps(e);
    bfd_init(&e->b, cfg, &ops, e, seed);
}

static void deliver(struct flight *f)
{
    struct bfd_packet p;
    f->used = false;
    assert_int_equal(bfd_packet_decode(f->bytes, sizeof f->bytes, &p), BFD_FAULT_NONE);
    if (p.your_disc != 0 && p.your_disc != f->to->b.disc)
        return; /* bfd_io.c finds no session for it */
    bfd_rx(&f->to->b, &p, f->at, f->at);
}

/* Everything up to then, in order of time. */
static void run(struct line *l, struct end *a, struct end *b, uint64_t until)
{
    for (;;) {
        uint64_t next = a->deadline;
        struct flight *first = NULL;
        if (b != NULL && b->deadline < next)
            next = b->deadline;
        for (int i = 0; i < FLIGHTS; i++)
            if (l->f[i].used && l->f[i].at <= next) {
                next = l->f[i].at;
                first = &l->f[i];
            }
        if (next > until)
            break;
        l->now = next > l->now ? next : l->now;
        if (first != NULL)
            deliver(first);
        else if (a->deadline <= l->now)
            bfd_timer(&a->b, l->now);
        else
            bfd_timer(&b->b, l->now);
    }
    l->now = until;
}

static void pair(struct line *l, struct end *a, struct end *b, const struct bfd_cfg *ca,
                 const struct bfd_cfg *cb)
{
    memset(l, 0, sizeof *l);
    l->now = T0;
    l->delay = NS_PER_MS / 2;
    begin(a, l, b, ca, 1);
    begin(b, l, a, cb, 2);
    bfd_start(&a->b, l->now);
    bfd_start(&b->b, l->now);
}

/* ---- two sessions */

static void test_up_and_loss(void **state)
{
    struct line l;
    struct end a, b;
    (void)state;
    pair(&l, &a, &b, &fast, &fast);
    run(&l, &a, &b, T0 + NS_PER_SEC);
    assert_int_equal(a.b.state, BFD_UP);
    assert_int_equal(b.b.state, BFD_UP);
    assert_int_equal(a.ups, 1);
    assert_int_equal(b.ups, 1);
    assert_false(a.b.polling); /* answered */
    assert_true(a.polls >= 1 && b.finals >= 1);
    assert_int_equal(bfd_detection_ns(&a.b), 60 * NS_PER_MS);
    forget_gaps(&a);
    run(&l, &a, &b, T0 + 3 * NS_PER_SEC);
    assert_true(a.gap_min >= 15 * NS_PER_MS && a.gap_max <= 18 * NS_PER_MS); /* 10 to 25 % less than 20 ms */
    assert_true(a.gap_max - a.gap_min > NS_PER_MS);                          /* and not always the same */
    l.cut = true;
    uint64_t cut = l.now;
    while (a.downs == 0 && l.now < cut + NS_PER_SEC)
        run(&l, &a, &b, l.now + NS_PER_MS);
    assert_true(l.now - cut >= 40 * NS_PER_MS && l.now - cut <= 62 * NS_PER_MS);
    assert_int_equal(a.b.diag, BFD_DIAG_EXPIRED);
    uint32_t disc = a.b.disc;
    assert_true(a.b.remote.disc != 0);
    run(&l, &a, &b, l.now + 61 * NS_PER_MS);
    assert_int_equal(a.b.remote.disc, 0); /* forgotten after another detection time */
    assert_true(a.b.disc != disc);
    forget_gaps(&a);
    run(&l, &a, &b, l.now + 3 * NS_PER_SEC);
    assert_true(a.gap_max <= 270 * NS_PER_MS && a.gap_max >= 225 * NS_PER_MS); /* idle_tx */
    l.cut = false;
    run(&l, &a, &b, l.now + NS_PER_SEC);
    assert_int_equal(a.b.state, BFD_UP);
    assert_int_equal(a.ups, 2);
    assert_int_equal(a.downs, 1);
}

static void test_passive(void **state)
{
    struct line l;
    struct end a, b;
    struct bfd_cfg quiet = fast;
    (void)state;
    quiet.passive = true;
    pair(&l, &a, &b, &quiet, &quiet);
    run(&l, &a, &b, T0 + 10 * NS_PER_SEC);
    assert_int_equal(a.sent + b.sent, 0);
    pair(&l, &a, &b, &quiet, &fast);
    run(&l, &a, &b, T0 + NS_PER_SEC);
    assert_int_equal(a.b.state, BFD_UP);
    l.cut = true;
    run(&l, &a, &b, T0 + 2 * NS_PER_SEC);
    unsigned int sent = a.sent;
    run(&l, &a, &b, T0 + 10 * NS_PER_SEC);
    assert_int_equal(a.sent, sent); /* silent again once the peer is forgotten */
}

/* Unequal wishes: each sends as the other can hear, each waits as the other sends. */
static void test_unequal(void **state)
{
    struct line l;
    struct end a, b;
    struct bfd_cfg slow = { .min_tx = 200000, .min_rx = 50000, .idle_tx = 300000, .mult = 5 };
    (void)state;
    pair(&l, &a, &b, &fast, &slow);
    run(&l, &a, &b, T0 + 5 * NS_PER_SEC);
    assert_int_equal(bfd_interval_ns(&a.b), 50 * NS_PER_MS);
    assert_int_equal(bfd_interval_ns(&b.b), 200 * NS_PER_MS);
    assert_int_equal(bfd_detection_ns(&a.b), 1000 * NS_PER_MS);
    assert_int_equal(bfd_detection_ns(&b.b), 150 * NS_PER_MS);
    assert_int_equal(a.downs + b.downs, 0);
}

static void test_reconfigure(void **state)
{
    struct line l;
    struct end a, b;
    struct bfd_cfg slow = fast;
    (void)state;
    pair(&l, &a, &b, &fast, &fast);
    run(&l, &a, &b, T0 + NS_PER_SEC);
    slow.min_tx = slow.min_rx = 100000;
    l.cut = true; /* nobody answers the poll yet: we must not slow down */
    bfd_reconfigure(&a.b, &slow, l.now);
    assert_true(a.b.polling);
    assert_int_equal(bfd_interval_ns(&a.b), 20 * NS_PER_MS);
    assert_int_equal(bfd_detection_ns(&a.b), 300 * NS_PER_MS);
    run(&l, &a, &b, l.now + 30 * NS_PER_MS);
    l.cut = false;
    run(&l, &a, &b, l.now + 2 * NS_PER_SEC);
    assert_int_equal(bfd_interval_ns(&a.b), 100 * NS_PER_MS);
    assert_int_equal(bfd_interval_ns(&b.b), 100 * NS_PER_MS); /* as we can hear */
    assert_int_equal(bfd_detection_ns(&b.b), 300 * NS_PER_MS);
    bfd_reconfigure(&a.b, &fast, l.now);
    assert_int_equal(bfd_interval_ns(&a.b), 20 * NS_PER_MS);   /* shorter is at once */
    assert_int_equal(bfd_detection_ns(&a.b), 300 * NS_PER_MS); /* but not our patience */
    run(&l, &a, &b, l.now + 2 * NS_PER_SEC);
    assert_int_equal(bfd_detection_ns(&a.b), 60 * NS_PER_MS);
    assert_int_equal(a.downs + b.downs, 0);
}

/* A crash: what was saved, a little silence, and the peer sees no change of state. */
static void test_resume(void **state)
{
    struct line l;
    struct end a, b, c;
    struct bfd_saved s;
    (void)state;
    pair(&l, &a, &b, &fast, &fast);
    run(&l, &a, &b, T0 + NS_PER_SEC);
    bfd_save(&a.b, &s);
    a.deadline = TIME_NEVER; /* gone */
    run(&l, &b, NULL, l.now + 35 * NS_PER_MS);
    begin(&c, &l, &b, &fast, 7);
    b.peer = &c;
    for (int i = 0; i < FLIGHTS; i++)
        l.f[i].used = false;
    bfd_resume(&c.b, &s, l.now);
    run(&l, &c, &b, l.now + 5 * NS_PER_SEC);
    assert_int_equal(c.b.state, BFD_UP);
    assert_int_equal(b.downs, 0);
    assert_int_equal(c.ups + c.downs, 0); /* no news for anybody */
    assert_int_equal(c.b.disc, s.disc);
    l.cut = true;
    run(&l, &c, &b, l.now + 100 * NS_PER_MS);
    assert_int_equal(c.downs, 1);
}

static void test_resume_dead_peer(void **state)
{
    struct line l;
    struct end a, b, c;
    struct bfd_saved s;
    (void)state;
    pair(&l, &a, &b, &fast, &fast);
    run(&l, &a, &b, T0 + NS_PER_SEC);
    bfd_save(&a.b, &s);
    begin(&c, &l, NULL, &fast, 7);
    bfd_resume(&c.b, &s, l.now);
    run(&l, &c, NULL, l.now + 59 * NS_PER_MS);
    assert_int_equal(c.downs, 0);
    run(&l, &c, NULL, l.now + 2 * NS_PER_MS);
    assert_int_equal(c.downs, 1);
}

/* ---- one session and a hand-made peer */

static void hear(struct end *e, enum bfd_state st, uint8_t flags, uint32_t min_rx)
{
    struct bfd_packet p = { .state = st,
                            .flags = flags,
                            .mult = 3,
                            .my_disc = 77,
                            .your_disc = e->b.disc,
                            .min_tx = 20000,
                            .min_rx = min_rx };
    bfd_rx(&e->b, &p, e->line->now, e->line->now);
}

static void alone(struct line *l, struct end *e, const struct bfd_cfg *cfg)
{
    memset(l, 0, sizeof *l);
    l->now = T0;
    begin(e, l, NULL, cfg, 3);
    bfd_start(&e->b, l->now);
}

static void up(struct line *l, struct end *e)
{
    alone(l, e, &fast);
    hear(e, BFD_DOWN, 0, 20000);
    l->now += NS_PER_MS;
    hear(e, BFD_UP, BFD_FLAG_FINAL, 20000);
    l->now += NS_PER_MS;
    hear(e, BFD_UP, BFD_FLAG_FINAL, 20000);
    assert_int_equal(e->b.state, BFD_UP);
    assert_false(e->b.polling);
}

/* RFC 5880 section 6.8.6: every state against every state heard. */
static void test_table(void **state)
{
    static const enum bfd_state want[4][4] = {
        /* heard:       ADMIN_DOWN      DOWN      INIT      UP */
        [BFD_ADMIN_DOWN] = { BFD_ADMIN_DOWN, BFD_ADMIN_DOWN, BFD_ADMIN_DOWN, BFD_ADMIN_DOWN },
        [BFD_DOWN] = { BFD_DOWN, BFD_INIT, BFD_UP, BFD_DOWN },
        [BFD_INIT] = { BFD_DOWN, BFD_INIT, BFD_UP, BFD_UP },
        [BFD_UP] = { BFD_DOWN, BFD_DOWN, BFD_UP, BFD_UP },
    };
    (void)state;
    for (int was = 0; was < 4; was++)
        for (int heard = 0; heard < 4; heard++) {
            struct line l;
            struct end e;
            alone(&l, &e, &fast);
            e.b.state = (enum bfd_state)was;
            hear(&e, (enum bfd_state)heard, 0, 20000);
            assert_int_equal(e.b.state, want[was][heard]);
        }
}

static void test_admin_down_is_no_event(void **state)
{
    struct line l;
    struct end e;
    (void)state;
    up(&l, &e);
    hear(&e, BFD_ADMIN_DOWN, 0, 20000);
    assert_int_equal(e.b.state, BFD_DOWN);
    assert_int_equal(e.b.diag, BFD_DIAG_NEIGHBOR);
    assert_int_equal(e.downs, 0);
    up(&l, &e);
    hear(&e, BFD_DOWN, 0, 20000);
    assert_int_equal(e.downs, 1);
    assert_int_equal(e.last.state, BFD_DOWN); /* told at once */
}

static void test_demand(void **state)
{
    struct line l;
    struct end e;
    (void)state;
    up(&l, &e);
    hear(&e, BFD_UP, BFD_FLAG_DEMAND, 20000);
    unsigned int sent = e.sent;
    run(&l, &e, NULL, l.now + 50 * NS_PER_MS); /* within the detection time */
    assert_int_equal(e.sent, sent);
    hear(&e, BFD_UP, BFD_FLAG_DEMAND | BFD_FLAG_POLL, 20000);
    assert_int_equal(e.sent, sent + 1);
    assert_int_equal(e.last.flags, BFD_FLAG_FINAL);
    hear(&e, BFD_UP, 0, 20000);
    run(&l, &e, NULL, l.now + 50 * NS_PER_MS);
    assert_true(e.sent > sent + 2);
}

static void test_peer_that_wants_nothing(void **state)
{
    struct line l;
    struct end e;
    (void)state;
    up(&l, &e);
    hear(&e, BFD_UP, 0, 0);
    unsigned int sent = e.sent;
    run(&l, &e, NULL, l.now + 50 * NS_PER_MS);
    assert_int_equal(e.sent, sent);
}

/* A flood of polls makes no flood of answers, and the last one is answered. */
static void test_polls(void **state)
{
    struct line l;
    struct end e;
    (void)state;
    up(&l, &e);
    unsigned int finals = e.finals;
    for (int i = 0; i < 1000; i++) {
        hear(&e, BFD_UP, BFD_FLAG_POLL, 20000);
        l.now += NS_PER_US;
    }
    assert_true(e.finals - finals >= 1 && e.finals - finals <= 2);
    finals = e.finals;
    run(&l, &e, NULL, l.now + 20 * NS_PER_MS);
    assert_int_equal(e.finals, finals + 1);
}

/* A peer that keeps changing its mind does not keep us from sending. */
static void test_restless_peer(void **state)
{
    struct line l;
    struct end e;
    (void)state;
    up(&l, &e);
    unsigned int sent = e.sent;
    for (int i = 0; i < 500; i++) {
        hear(&e, BFD_UP, 0, i % 2 ? 20000 : 21000);
        run(&l, &e, NULL, l.now + NS_PER_MS);
    }
    assert_true(e.sent - sent >= 25);
}

static void test_stop(void **state)
{
    struct line l;
    struct end e;
    (void)state;
    up(&l, &e);
    bfd_stop(&e.b, BFD_DIAG_PATH_DOWN, "no socket");
    assert_int_equal(e.downs, 1);
    assert_true(e.deadline == TIME_NEVER);
    bfd_start(&e.b, l.now);
    assert_int_equal(e.b.state, BFD_DOWN);
    /* never up, and it cannot look: that is a failure, said once */
    begin(&e, &l, NULL, &fast, 3);
    bfd_stop(&e.b, BFD_DIAG_PATH_DOWN, "no socket");
    bfd_stop(&e.b, BFD_DIAG_PATH_DOWN, "no socket");
    assert_int_equal(e.downs, 1);
}

/* A timer that is late by minutes neither hangs nor bursts. */
static void test_late(void **state)
{
    struct line l;
    struct end e;
    (void)state;
    up(&l, &e);
    unsigned int sent = e.sent;
    l.now += 600 * NS_PER_SEC;
    bfd_timer(&e.b, l.now);
    assert_int_equal(e.downs, 1);
    assert_true(e.sent - sent <= 2);
    assert_true(e.deadline > l.now);
}

static void test_packet(void **state)
{
    uint8_t buf[BFD_PACKET_LEN + 8];
    struct bfd_packet p, q = { .state = BFD_UP,
                               .diag = 3,
                               .flags = BFD_FLAG_POLL,
                               .mult = 5,
                               .my_disc = 0x01020304,
                               .your_disc = 0xa0b0c0d0,
                               .min_tx = 20000,
                               .min_rx = 30000,
                               .min_echo_rx = 1 };
    (void)state;
    static const uint8_t wire[BFD_PACKET_LEN] = { 0x23, 0xe0, 5,    24,   1, 2, 3,    4,
                                                  0xa0, 0xb0, 0xc0, 0xd0, 0, 0, 0x4e, 0x20,
                                                  0,    0,    0x75, 0x30, 0, 0, 0,    1 };
    bfd_packet_encode(&q, buf);
    assert_memory_equal(buf, wire, sizeof wire);
    for (size_t len = 0; len < BFD_PACKET_LEN; len++)
        assert_int_equal(bfd_packet_decode(buf, len, &p), BFD_FAULT_LENGTH);
    assert_int_equal(bfd_packet_decode(buf, BFD_PACKET_LEN, &p), BFD_FAULT_NONE);
    assert_int_equal(p.your_disc, q.your_disc);
    assert_int_equal(bfd_packet_decode(buf, sizeof buf, &p),
                     BFD_FAULT_NONE); /* padding is nobody's business */
    struct {
        size_t at;
        uint8_t value;
        enum bfd_fault f;
    } bad[] = { { 0, 0x03, BFD_FAULT_VERSION }, { 0, 0x43, BFD_FAULT_VERSION }, { 1, 0xe1, BFD_FAULT_FLAGS },
                { 1, 0xf0, BFD_FAULT_FLAGS },   { 1, 0xe4, BFD_FAULT_AUTH },    { 2, 0, BFD_FAULT_MULT },
                { 3, 23, BFD_FAULT_LENGTH },    { 3, 25, BFD_FAULT_LENGTH } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(buf, wire, sizeof wire);
        buf[bad[i].at] = bad[i].value;
        assert_int_equal(bfd_packet_decode(buf, BFD_PACKET_LEN, &p), bad[i].f);
        assert_int_equal(p.mult, 0); /* nothing leaks out of a refused one */
    }
    memcpy(buf, wire, sizeof wire);
    memset(buf + 4, 0, 4);
    assert_int_equal(bfd_packet_decode(buf, BFD_PACKET_LEN, &p), BFD_FAULT_DISC);
    memcpy(buf, wire, sizeof wire);
    memset(buf + 8, 0, 4);
    assert_int_equal(bfd_packet_decode(buf, BFD_PACKET_LEN, &p), BFD_FAULT_DISC);
    buf[1] = 0x40;
    assert_int_equal(bfd_packet_decode(buf, BFD_PACKET_LEN, &p), BFD_FAULT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_up_and_loss),
        cmocka_unit_test(test_passive),
        cmocka_unit_test(test_unequal),
        cmocka_unit_test(test_reconfigure),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_dead_peer),
        cmocka_unit_test(test_admin_down_is_no_event),
        cmocka_unit_test(test_demand),
        cmocka_unit_test(test_peer_that_wants_nothing),
        cmocka_unit_test(test_polls),
        cmocka_unit_test(test_restless_peer),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
