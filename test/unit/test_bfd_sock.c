/*
 * test_bfd_sock.c - what ipvsd makes of a bfd_instance: addresses, hops, and the filter of the receiving
 * port, run here on real UDP sockets by the kernel; and the bytes of a session's snapshot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/slice.h"
#include "ipvsd/bfd_sock.h"
#include "vrrpd/bfd_snapshot.h"

static struct ipaddr ip(const char *s)
{
    struct ipaddr a;
    assert_int_equal(ipaddr_parse(s, &a), 0);
    return a;
}

/* ---- the filter, by the kernel */

struct wire {
    int rx, tx;
    struct sockaddr_storage to;
    socklen_t len;
};

static bool open_wire(struct wire *w, const struct bfd_sock_spec *v, size_t n, bool multihop)
{
    static struct sock_filter code[BFD_SOCK_FILTER_MAX];
    uint8_t family = v[0].dst.family;
    struct ipaddr lo = ip(family == 4 ? "127.0.0.1" : "::1");
    struct sock_fprog prog = { .len = (unsigned short)bfd_sock_filter(family, multihop, v, n, code),
                               .filter = code };
    w->rx = socket(ipaddr_af(&lo), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    w->tx = socket(ipaddr_af(&lo), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(w->rx >= 0 && w->tx >= 0);
    w->len = ipaddr_sockaddr(&lo, 0, 0, &w->to);
    assert_int_equal(setsockopt(w->rx, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog), 0);
    if (bind(w->rx, (struct sockaddr *)&w->to, w->len) < 0)
        return false; /* no IPv6 here */
    assert_int_equal(getsockname(w->rx, (struct sockaddr *)&w->to, &w->len), 0);
    return true;
}

static bool passes(const struct wire *w, int ttl, const uint8_t *bytes, size_t len)
{
    uint8_t got[64];
    bool six = w->to.ss_family == AF_INET6;
    assert_int_equal(setsockopt(w->tx, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_UNICAST_HOPS : IP_TTL,
                                &ttl, sizeof ttl),
                     0);
    assert_int_equal(sendto(w->tx, bytes, len, 0, (const struct sockaddr *)&w->to, w->len), (ssize_t)len);
    return recv(w->rx, got, sizeof got, 0) == (ssize_t)len;
}

static void close_wire(struct wire *w)
{
    close(w->rx);
    close(w->tx);
}

static void check_filter(const char *self, const char *other)
{
    uint8_t good[BFD_PACKET_LEN] = { 0x20, 0x40, 3, 24 };
    uint8_t old[BFD_PACKET_LEN] = { 0x00, 0x40, 3, 24 };
    struct bfd_sock_spec v[3] = { { .dst = ip(other), .ttl = 255, .min_ttl = 0 },
                                  { .dst = ip(self), .ttl = 255, .min_ttl = 253 },
                                  { .dst = ip(self), .ttl = 255, .min_ttl = 0, .multihop = true } };
    struct wire w;
    if (!open_wire(&w, v, 3, false)) {
        close_wire(&w);
        return;
    }
    assert_true(passes(&w, 255, good, sizeof good));
    assert_true(passes(&w, 253, good, sizeof good));
    assert_false(passes(&w, 252, good, sizeof good));
    assert_false(passes(&w, 255, old, sizeof old));
    assert_false(passes(&w, 255, good, 0));
    close_wire(&w);
    assert_true(open_wire(&w, v, 1, false)); /* nobody knows the sender */
    assert_false(passes(&w, 255, good, sizeof good));
    close_wire(&w);
    assert_true(open_wire(&w, v, 3, true)); /* another port, another rule */
    assert_true(passes(&w, 1, good, sizeof good));
    close_wire(&w);
    v[0] = v[1]; /* two sessions with one neighbour: the patient one decides */
    v[0].min_ttl = 255;
    assert_true(open_wire(&w, v, 2, false));
    assert_true(passes(&w, 253, good, sizeof good));
    close_wire(&w);
}

static void test_filter(void **state)
{
    (void)state;
    check_filter("127.0.0.1", "127.0.0.2");
    check_filter("::1", "::2");
}

/* More neighbours than a program can name: the kernel must still take it, and vrrpd sorts them out. */
static void test_filter_full(void **state)
{
    static struct bfd_sock_spec v[2000];
    uint8_t good[BFD_PACKET_LEN] = { 0x20, 0x40, 3, 24 };
    struct wire w;
    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        v[i] = (struct bfd_sock_spec){ .dst = ip("10.0.0.1"), .ttl = 255, .min_ttl = 255 };
        v[i].dst.b[2] = (uint8_t)(i >> 8);
        v[i].dst.b[3] = (uint8_t)i;
    }
    v[700].dst = ip("127.0.0.1");
    assert_true(open_wire(&w, v, 701, false));
    assert_true(passes(&w, 255, good, sizeof good));
    assert_false(passes(&w, 254, good, sizeof good));
    close_wire(&w);
    assert_true(open_wire(&w, v, 2000, false));
    assert_true(passes(&w, 1, good, sizeof good));
    close_wire(&w);
}

/* ---- the slice */

static struct bfd_sock_spec read_one(int64_t hops, uint64_t ttl)
{
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    struct bfd_sock_spec s;
    struct err e = { 0 };
    struct ipaddr dst = ip("10.0.0.2");
    size_t len;
    slice_put_obj(w, BLK_BFD, 0, "B1", 1);
    slice_put_ip(w, KW_BFD_NEIGHBOR_IP, &dst);
    slice_put_uint(w, KW_BFD_TTL, ttl);
    slice_put_int(w, KW_BFD_MAX_HOPS, hops);
    const void *image = slice_writer_bytes(w, &len);
    struct slice *sl = slice_parse(image, len, ROLE_IPVSD, &e);
    assert_non_null(sl);
    assert_true(bfd_sock_read(&s, slice_find(sl, BLK_BFD, "B1")));
    slice_free(sl);
    slice_writer_free(w);
    return s;
}

static void test_hops(void **state)
{
    (void)state;
    assert_int_equal(read_one(0, 255).min_ttl, 255);
    assert_int_equal(read_one(2, 255).min_ttl, 253);
    assert_int_equal(read_one(0, 64).min_ttl, 64);
    assert_int_equal(read_one(64, 64).min_ttl, 0);
    assert_int_equal(read_one(-1, 255).min_ttl, 0);
}

/* ---- snapshots */

static void test_snapshot(void **state)
{
    uint8_t buf[BFD_SNAPSHOT_MAX], again[BFD_SNAPSHOT_MAX];
    struct bfd_snapshot s = { .name = "B1", .src = ip("10.0.0.1"), .dst = ip("10.0.0.2"), .multihop = true },
                        t;
    (void)state;
    s.saved = (struct bfd_saved){
        .state = BFD_UP,
        .diag = 3,
        .disc = 1,
        .remote = { .state = BFD_INIT, .disc = 2, .min_tx = 3, .min_rx = 4, .mult = 5, .demand = true },
        .tx_us = 6,
        .rx_us = 7,
        .known = true,
        .up = true,
        .stats = { 8, 9, 10, 11 }
    };
    int len = bfd_snapshot_encode(&s, buf);
    assert_true(len > 0);
    assert_true(bfd_snapshot_is(buf, (size_t)len));
    assert_int_equal(bfd_snapshot_decode(buf, (size_t)len, &t), 0);
    assert_string_equal(t.name, "B1");
    assert_true(ipaddr_same(&t.dst, &s.dst) && ipaddr_same(&t.src, &s.src) && t.multihop);
    assert_int_equal(t.saved.remote.min_rx, 4);
    assert_int_equal(t.saved.stats.downs, 11);
    assert_int_equal(bfd_snapshot_encode(&t, again), len);
    assert_memory_equal(buf, again, (size_t)len);
    for (int cut = 0; cut < len; cut++)
        assert_int_equal(bfd_snapshot_decode(buf, (size_t)cut, &t), -1);
    buf[len] = 0;
    assert_int_equal(bfd_snapshot_decode(buf, (size_t)len + 1, &t), -1);
    s.src.family = 0;
    memset(s.name, 'x', BFD_NAME_MAX);
    s.dst = ip("fe80::1");
    len = bfd_snapshot_encode(&s, buf);
    assert_int_equal(bfd_snapshot_decode(buf, (size_t)len, &t), 0);
    assert_int_equal(strlen(t.name), BFD_NAME_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_filter_full),
        cmocka_unit_test(test_hops),
        cmocka_unit_test(test_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
