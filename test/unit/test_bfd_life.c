/*
 * test_bfd_life.c - BFD in vrrpd around the machine: sessions of a slice, sockets by message, who hears of
 * what, reloads and a crash. The parent is a table of snapshots, ipvsd and the neighbours are the test, on
 * loopback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/err.h"
#include "vrrpd/bfd_int.h"
#include "vrrpd/vrrpd.h"

#define T0   (1000 * NS_PER_SEC)
#define KEYS 8

struct child {
    struct {
        bool used;
        uint32_t key;
        uint16_t len;
        uint8_t data[BFD_SNAPSHOT_MAX];
    } snap[KEYS];
};

struct chan *child_peer(struct child *c, enum role peer)
{
    (void)c;
    (void)peer;
    return NULL;
}

bool child_restarted(struct child *c)
{
    (void)c;
    return false;
}

void child_snapshot(struct child *c, uint32_t key, const void *data, size_t len)
{
    size_t at = 0;
    assert_true(len <= BFD_SNAPSHOT_MAX);
    while (at < KEYS && c->snap[at].used && c->snap[at].key != key)
        at++;
    assert_true(at < KEYS);
    c->snap[at].used = true;
    c->snap[at].key = key;
    c->snap[at].len = (uint16_t)len;
    memcpy(c->snap[at].data, data, len);
}

void child_snapshot_gone(struct child *c, uint32_t key)
{
    for (size_t i = 0; i < KEYS; i++)
        if (c->snap[i].used && c->snap[i].key == key)
            c->snap[i].used = false;
}

/* ---- the stage */

struct stage {
    struct child child;
    uint64_t now;
    struct clock clock;
    struct vrrpd v;
    struct bfd_life *l;
    struct slice *slice;
    int peer;                /* the neighbour's socket, 127.0.0.2 */
    struct sockaddr_in hear; /* where the receiving port is in this test */
    char said[256];          /* "B1+ B1- ..." */
};

static struct stage *playing; /* bfd_watch_fn has no argument of its own: the context is in vrrpd */

static uint64_t clock_now(void *arg)
{
    return ((struct stage *)arg)->now;
}

static void watch(struct vrrpd *v, const char *name, bool up)
{
    assert_ptr_equal(v, &playing->v);
    size_t n = strlen(playing->said);
    snprintf(playing->said + n, sizeof playing->said - n, "%s%c ", name, up ? '+' : '-');
}

struct row {
    const char *name;
    uint32_t ms;
    uint64_t ttl;
    bool checker;
};

/* before: objects in front, so that ids shift. */
static struct slice *make_slice(uint32_t generation, unsigned int before, const struct row *r, size_t n)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, generation);
    struct err e = { 0 };
    struct ipaddr dst, src;
    size_t len;
    ipaddr_parse("127.0.0.2", &dst);
    ipaddr_parse("127.0.0.1", &src);
    for (unsigned int i = 0; i < before; i++)
        slice_put_obj(w, BLK_IFACE, 0, i == 0 ? "eth0" : "eth1", 1);
    for (size_t i = 0; i < n; i++) {
        slice_put_obj(w, BLK_BFD, 0, r[i].name, 1);
        slice_put_ip(w, KW_BFD_NEIGHBOR_IP, &dst);
        slice_put_ip(w, KW_BFD_SOURCE_IP, &src);
        slice_put_us(w, KW_BFD_MIN_RX, r[i].ms * 1000);
        slice_put_us(w, KW_BFD_MIN_TX, r[i].ms * 1000);
        slice_put_us(w, KW_BFD_IDLE_TX, 300000);
        slice_put_uint(w, KW_BFD_MULTIPLIER, 3);
        slice_put_uint(w, KW_BFD_TTL, r[i].ttl);
        if (r[i].checker)
            slice_put_bool(w, KW_BFD_CHECKER, true);
    }
    const void *image = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(image, len, ROLE_VRRPD, &e);
    assert_non_null(s);
    slice_writer_free(w);
    return s;
}

static void commit(struct stage *s, struct slice *next)
{
    struct err e = { 0 };
    assert_int_equal(bfd_life_prepare(next, &e), 0);
    bfd_life_commit(s->l, next);
    slice_free(s->slice);
    s->slice = next;
}

/* A process: old is the one before, whose snapshots it is given; NULL: the first. */
static struct stage *begin(struct slice *slice, const struct stage *old)
{
    struct stage *s = calloc(1, sizeof *s);
    playing = s;
    s->now = old != NULL ? old->now : T0;
    s->clock = (struct clock){ .now = clock_now, .arg = s };
    s->v.child = &s->child;
    s->v.ev = ev_new(&s->clock);
    s->l = s->v.bfd = bfd_life_new(&s->v);
    bfd_life_watch(s->l, watch);
    for (size_t i = 0; old != NULL && i < KEYS; i++) {
        struct child_snapshot cs = { .key = old->child.snap[i].key,
                                     .len = old->child.snap[i].len,
                                     .data = old->child.snap[i].data };
        if (old->child.snap[i].used)
            assert_true(bfd_life_snapshot(s->l, &cs));
    }
    s->peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in me = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002) };
    int ttl = 255;
    assert_int_equal(bind(s->peer, (struct sockaddr *)&me, sizeof me), 0);
    assert_int_equal(setsockopt(s->peer, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl), 0);
    commit(s, slice);
    return s;
}

static void finish(struct stage *s)
{
    bfd_life_free(s->l);
    slice_free(s->slice);
    ev_free(s->v.ev);
    close(s->peer);
    free(s);
}

static int say(struct stage *s, enum msg_type type, union msg_any *body, int fd)
{
    struct chan_msg m = { .type = type, .body = body, .fds = &fd, .nfds = fd >= 0 };
    int rc = bfd_life_msg(s->l, &m);
    if (fd >= 0)
        close(fd); /* not taken */
    return rc;
}

static void give_rx(struct stage *s)
{
    union msg_any b = { .bfd_rx = { .family = 4, .ok = 1 } };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    socklen_t len = sizeof s->hear;
    s->hear = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(bind(fd, (struct sockaddr *)&s->hear, sizeof s->hear), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&s->hear, &len), 0);
    setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
    assert_int_equal(say(s, MSG_bfd_rx, &b, fd), 0);
}

/* A socket to the neighbour; its local port. */
static uint16_t give_tx(struct stage *s, const char *name, bool fresh)
{
    union msg_any b = { .bfd_tx = {
                            .bfd = slice_find(s->slice, BLK_BFD, name)->id, .ok = 1, .fresh = fresh } };
    struct sockaddr_in to, me = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof to;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(getsockname(s->peer, (struct sockaddr *)&to, &len), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&me, sizeof me), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    len = sizeof me;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&me, &len), 0);
    assert_int_equal(say(s, MSG_bfd_tx, &b, fd), 0);
    return me.sin_port;
}

/* The last packet the neighbour has heard, and from which port; false: none. */
static bool heard(struct stage *s, struct bfd_packet *p, uint16_t *port)
{
    uint8_t buf[64];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    bool any = false;
    for (ssize_t n; (n = recvfrom(s->peer, buf, sizeof buf, 0, (struct sockaddr *)&from, &len)) >= 0;
         any = true) {
        assert_int_equal(bfd_packet_decode(buf, (size_t)n, p), BFD_FAULT_NONE);
        *port = from.sin_port;
    }
    return any;
}

static void turn(struct stage *s)
{
    for (int i = 0; i < 3; i++)
        ev_turn(s->v.ev, 0);
}

static void post(struct stage *s, enum bfd_state st, uint32_t your)
{
    struct bfd_packet p = {
        .state = st, .mult = 3, .my_disc = 77, .your_disc = your, .min_tx = 100000, .min_rx = 100000
    };
    uint8_t wire[BFD_PACKET_LEN];
    bfd_packet_encode(&p, wire);
    assert_int_equal(sendto(s->peer, wire, sizeof wire, 0, (struct sockaddr *)&s->hear, sizeof s->hear),
                     (ssize_t)sizeof wire);
}

static void speak(struct stage *s, enum bfd_state st, uint32_t your)
{
    post(s, st, your);
    turn(s);
}

static struct stage *up(const struct row *r, size_t n)
{
    struct stage *s = begin(make_slice(1, 0, r, n), NULL);
    give_rx(s);
    for (size_t i = 0; i < n; i++)
        give_tx(s, r[i].name, true);
    speak(s, BFD_DOWN, 0);
    speak(s, BFD_UP, s->l->sess[0]->b.disc);
    assert_int_equal(s->l->sess[0]->b.state, BFD_UP);
    return s;
}

/* ---- tests */

static const struct row b1 = { "B1", 100, 255, false };

static void test_life(void **state)
{
    bool known;
    (void)state;
    struct stage *s = begin(make_slice(1, 0, &b1, 1), NULL);
    assert_false(bfd_up(s->l, "B1", &known));
    assert_false(known);
    give_tx(s, "B1", true);
    turn(s);
    assert_int_equal(s->l->sess[0]->b.state, BFD_ADMIN_DOWN); /* half of its sockets */
    give_rx(s);
    assert_int_equal(s->l->sess[0]->b.state, BFD_DOWN);
    finish(s);
    s = up(&b1, 1);
    assert_string_equal(s->said, "B1+ ");
    assert_true(bfd_up(s->l, "B1", &known) && known);
    /* We are late, but it has spoken: its packet waits in the queue when the timer fires. */
    struct bfd_packet p;
    uint16_t port;
    assert_true(heard(s, &p, &port));
    post(s, BFD_UP, p.my_disc);
    s->now += 350 * NS_PER_MS;
    ev_now_refresh(s->v.ev);
    ev_timers_run(s->v.ev, s->now);
    assert_string_equal(s->said, "B1+ ");
    s->now += 200 * NS_PER_MS;
    turn(s);
    assert_string_equal(s->said, "B1+ ");
    s->now += 200 * NS_PER_MS;
    turn(s);
    assert_string_equal(s->said, "B1+ B1- ");
    finish(s);
}

static void test_no_socket(void **state)
{
    union msg_any none = { .bfd_tx = { .ok = 0, .error = 99 } };
    (void)state;
    struct stage *s = begin(make_slice(1, 0, &b1, 1), NULL);
    give_rx(s);
    none.bfd_tx.bfd = s->l->sess[0]->id;
    assert_int_equal(say(s, MSG_bfd_tx, &none, -1), 0);
    assert_int_equal(say(s, MSG_bfd_tx, &none, -1), 0);
    assert_string_equal(s->said, "B1- "); /* fails closed, said once */
    give_tx(s, "B1", true);
    assert_int_equal(s->l->sess[0]->b.state, BFD_DOWN);
    /* what ipvsd must not say */
    none.bfd_tx.bfd = 4711;
    assert_int_equal(say(s, MSG_bfd_tx, &none, -1), -1);
    none.bfd_tx.bfd = s->l->sess[0]->id;
    none.bfd_tx.ok = 1;
    assert_int_equal(say(s, MSG_bfd_tx, &none, -1), -1);
    finish(s);
}

static void test_far_and_foreign(void **state)
{
    int ttl = 254;
    (void)state;
    struct stage *s = up(&b1, 1);
    uint32_t disc = s->l->sess[0]->b.disc;
    setsockopt(s->peer, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    speak(s, BFD_DOWN, disc);
    assert_int_equal(s->l->sess[0]->far, 1);
    ttl = 255;
    setsockopt(s->peer, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    speak(s, BFD_DOWN, disc + 1);
    assert_int_equal(s->l->unknown, 1);
    int peer = s->peer; /* the right discriminator from another address */
    s->peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(s->peer, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    speak(s, BFD_DOWN, disc);
    close(s->peer);
    s->peer = peer;
    assert_int_equal(s->l->unknown, 2);
    assert_int_equal(s->l->sess[0]->b.state, BFD_UP);
    finish(s);
}

static void test_reload(void **state)
{
    const struct row more[] = { { "AA", 100, 255, false }, { "B1", 50, 255, false } };
    const struct row low = { "B1", 50, 64, true };
    struct bfd_packet p;
    uint16_t port;
    (void)state;
    struct stage *s = up(&b1, 1);
    uint32_t disc = s->l->sess[0]->b.disc;
    assert_true(heard(s, &p, &port));
    commit(s, make_slice(2, 2, more, 2));
    turn(s);
    assert_int_equal(s->l->n, 2);
    assert_int_equal(s->l->sess[1]->b.disc, disc);
    assert_int_equal(s->l->sess[1]->b.state, BFD_UP);
    assert_true(s->l->sess[1]->b.polling);
    give_tx(s, "B1", false); /* told again: the port stays */
    s->now += 100 * NS_PER_MS;
    turn(s);
    uint16_t again;
    assert_true(heard(s, &p, &again));
    assert_int_equal(again, port);
    assert_int_equal(p.flags & BFD_FLAG_POLL, BFD_FLAG_POLL);
    assert_int_equal(p.min_tx, 50000);
    commit(s, make_slice(3, 0, &low, 1)); /* another TTL: the next socket is another one; for checks alone */
    assert_int_equal(s->l->sess[0]->b.disc, disc);
    port = give_tx(s, "B1", false);
    s->now += 100 * NS_PER_MS;
    turn(s);
    assert_true(heard(s, &p, &again));
    assert_int_equal(again, port);
    bool known;
    bfd_up(s->l, "B1", &known);
    assert_false(known);
    unsigned int kept = 0;
    for (size_t i = 0; i < KEYS; i++)
        kept += s->child.snap[i].used;
    assert_int_equal(kept, 1); /* those of ids that are gone are forgotten */
    commit(s, make_slice(4, 1, NULL, 0));
    assert_int_equal(s->l->n, 0);
    turn(s);
    finish(s);
}

static void test_crash(void **state)
{
    struct bfd_packet p;
    uint16_t port;
    bool known;
    (void)state;
    struct stage *old = up(&b1, 1);
    uint32_t disc = old->l->sess[0]->b.disc;
    old->now += 150 * NS_PER_MS;
    struct stage *s = begin(make_slice(1, 0, &b1, 1), old);
    finish(old);
    playing = s;
    assert_true(bfd_up(s->l, "B1", &known) && known); /* before the sockets are there */
    assert_string_equal(s->said, "B1+ ");
    turn(s);
    give_rx(s);
    give_tx(s, "B1", false);
    turn(s);
    assert_true(heard(s, &p, &port)); /* at once */
    assert_int_equal(p.state, BFD_UP);
    assert_int_equal(p.my_disc, disc);
    assert_int_equal(p.your_disc, 77);
    speak(s, BFD_UP, disc);
    assert_int_equal(s->l->sess[0]->b.stats.received, 3);
    s->now += 400 * NS_PER_MS;
    turn(s);
    assert_string_equal(s->said, "B1+ B1- ");
    finish(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_no_socket),
        cmocka_unit_test(test_far_and_foreign),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
