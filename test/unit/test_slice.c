/*
 * test_slice.c - slices: what is written comes back, what is broken is refused before anything of it is seen,
 * only a sealed memfd is opened, and 50,000 real servers take linear time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/slice.h"
#include "common/slice_format.h"

/* One interface, one instance with an address and two peers: ids 1, 5, 6, 7, 9. */
static struct slice_writer *sample(void)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 3);
    struct ipaddr a;

    assert_int_equal(slice_put_obj(w, BLK_IFACE, 0, "eth0", 1), 1);
    assert_int_equal(slice_put_obj_id(w, 5, BLK_VI, 0, "VI_1", 10), 5);
    slice_put_uint(w, KW_VI_PRIORITY, 150); /* not in the order of the keywords on purpose */
    slice_put_uint(w, KW_VI_VIRTUAL_ROUTER_ID, 51);
    slice_put_us(w, KW_VI_ADVERT_INT, 250000);
    slice_put_str(w, KW_VI_INTERFACE, "eth0");
    slice_put_bool(w, KW_VI_NOPREEMPT, true);
    slice_put_uint(w, KW_VI_X_FAMILY, 4);
    assert_int_equal(ipaddr_parse("224.0.0.18", &a), 0);
    slice_put_ip(w, KW_VI_MCAST_DST_IP, &a);
    assert_int_equal(slice_put_obj(w, BLK_ADDR, 5, "10.0.0.5/24@eth0", 12), 6);
    assert_int_equal(ipaddr_parse_prefix("10.0.0.5/24", &a), 0);
    slice_put_ip(w, KW_ADDR_ADDRESS, &a);
    assert_int_equal(slice_put_obj(w, BLK_VI_PEER, 5, "10.0.0.2", 13), 7);
    assert_int_equal(slice_put_obj_id(w, 9, BLK_VI_PEER, 5, "10.0.0.3", 14), 9);
    return w;
}

static struct slice *sample_open(void)
{
    struct slice_writer *w = sample();
    struct err e = { 0 };
    size_t len;
    const void *p = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(p, len, ROLE_VRRPD, &e);

    if (s == NULL)
        fail_msg("%s", e.text);
    slice_writer_free(w);
    return s;
}

static void test_fields(void **state)
{
    struct slice *s = sample_open();
    const struct slice_obj *o = slice_by_id(s, 5);
    struct ipaddr a;
    char buf[IPADDR_STRLEN];

    (void)state;
    assert_int_equal(slice_generation(s), 3);
    assert_int_equal(slice_count(s), 5);
    assert_string_equal(o->name, "VI_1");
    assert_int_equal(o->line, 10);
    assert_int_equal(slice_uint(o, KW_VI_PRIORITY, 1), 150);
    assert_int_equal(slice_uint(o, KW_VI_VIRTUAL_ROUTER_ID, 1), 51);
    assert_int_equal(slice_uint(o, KW_VI_X_FAMILY, 6), 4);
    assert_int_equal(slice_ns(o, KW_VI_ADVERT_INT, 1), 250 * NS_PER_MS);
    assert_int_equal(slice_ns(o, KW_VI_PREEMPT_DELAY, 77), 77);
    assert_string_equal(slice_str(o, KW_VI_INTERFACE, "?"), "eth0");
    assert_true(slice_bool(o, KW_VI_NOPREEMPT, false));
    assert_true(slice_bool(o, KW_VI_DONT_TRACK_PRIMARY, true));
    assert_false(slice_bool(o, KW_VI_DONT_TRACK_PRIMARY, false));
    assert_true(slice_has(o, KW_VI_PRIORITY));
    assert_false(slice_has(o, KW_VI_STATE));
    assert_int_equal(slice_int(o, KW_VI_STATE, -4), -4);
    assert_true(slice_ip(o, KW_VI_MCAST_DST_IP, &a));
    assert_string_equal(ipaddr_str(&a, buf), "224.0.0.18");
    assert_false(slice_ip(o, KW_VI_X_SRC, &a));
    assert_false(slice_ip(o, KW_VI_PRIORITY, &a)); /* a number is no address */
    assert_null(slice_str(o, KW_VI_PRIORITY, NULL));
    assert_true(slice_ip(slice_by_id(s, 6), KW_ADDR_ADDRESS, &a));
    assert_string_equal(ipaddr_prefix_str(&a, buf), "10.0.0.5/24");
    slice_free(s);
}

static void test_lookups(void **state)
{
    struct slice *s = sample_open();
    const struct slice_obj *o;

    (void)state;
    assert_null(slice_by_id(s, 0));
    assert_null(slice_by_id(s, 4));
    assert_null(slice_by_id(s, 10));
    assert_null(slice_at(s, 5));
    assert_int_equal(slice_at(s, 4)->id, 9);
    assert_int_equal(slice_find(s, BLK_VI, "VI_1")->id, 5);
    assert_null(slice_find(s, BLK_VI, "VI_2"));
    assert_null(slice_find(s, BLK_IFACE, "VI_1"));
    o = slice_next(s, NULL, BLK_VI_PEER, 5);
    assert_int_equal(o->id, 7);
    o = slice_next(s, o, BLK_VI_PEER, 5);
    assert_int_equal(o->id, 9);
    assert_null(slice_next(s, o, BLK_VI_PEER, 5));
    assert_null(slice_next(s, NULL, BLK_VI_PEER, 0));
    assert_null(slice_next(s, NULL, BLK_VI_PEER, 6));
    o = slice_next(s, NULL, BLK_VI_PEER, SLICE_ANY_PARENT);
    assert_int_equal(slice_next(s, o, BLK_VI_PEER, SLICE_ANY_PARENT)->id, 9);
    assert_null(slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT));
    assert_null(slice_next(s, NULL, BLK_MAX, SLICE_ANY_PARENT));
    slice_free(s);
}

static void test_list(void **state)
{
    struct slice_writer *w = slice_writer_new(ROLE_IPVSD, 1);
    struct slice *s;
    const struct slice_obj *o;
    uint64_t v, list[5];
    size_t len;
    const void *p;

    (void)state;
    slice_put_obj(w, BLK_SOCKET, 0, "eth0/4/mcast/224.0.0.18", 0);
    slice_put_uint(w, KW_SOCKET_X_VRID, 200);
    slice_put_uint(w, KW_SOCKET_X_FAMILY, 4);
    slice_put_uint(w, KW_SOCKET_X_VRID, 3);
    slice_put_uint(w, KW_SOCKET_X_VRID, 51);
    slice_put_bool(w, KW_SOCKET_X_UNICAST, false);
    p = slice_writer_bytes(w, &len);
    s = slice_parse(p, len, ROLE_IPVSD, NULL);
    assert_non_null(s);
    o = slice_at(s, 0);
    assert_true(slice_uint_at(o, KW_SOCKET_X_VRID, 0, &v) && v == 200);
    assert_true(slice_uint_at(o, KW_SOCKET_X_VRID, 1, &v) && v == 3);
    assert_true(slice_uint_at(o, KW_SOCKET_X_VRID, 2, &v) && v == 51);
    assert_false(slice_uint_at(o, KW_SOCKET_X_VRID, 3, &v));
    assert_int_equal(slice_uints(o, KW_SOCKET_X_VRID, list, 5), 3);
    assert_true(list[0] == 200 && list[1] == 3 && list[2] == 51);
    assert_int_equal(slice_uints(o, KW_SOCKET_X_VRID, list, 2), 2);
    assert_int_equal(slice_uints(o, KW_SOCKET_X_TTL, list, 5), slice_has(o, KW_SOCKET_X_TTL));
    assert_int_equal(slice_uints(o, KW_SOCKET_X_RCVMTU, list, 5), 0);
    assert_true(slice_has(o, KW_SOCKET_X_UNICAST));
    assert_false(slice_bool(o, KW_SOCKET_X_UNICAST, true));
    slice_free(s);
    slice_writer_free(w);
}

/* The same configuration put in another order under other ids is the same; one value changed is not. */
static void test_same(void **state)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 1);
    size_t len;
    const void *p;
    struct slice *s;

    (void)state;
    for (int i = 0; i < 3; i++) {
        slice_put_obj(w, BLK_VI, 0, "VI", (uint32_t)i);
        if (i == 1)
            slice_put_uint(w, KW_VI_PRIORITY, 100);
        slice_put_str(w, KW_VI_INTERFACE, "lan");
        if (i != 1)
            slice_put_uint(w, KW_VI_PRIORITY, i == 0 ? 100 : 101);
    }
    p = slice_writer_bytes(w, &len);
    s = slice_parse(p, len, ROLE_VRRPD, NULL);
    assert_true(slice_obj_same(slice_at(s, 0), slice_at(s, 1)));
    assert_false(slice_obj_same(slice_at(s, 0), slice_at(s, 2)));
    assert_int_equal(slice_find(s, BLK_VI, "VI")->id, 1); /* of equal names the first */
    slice_free(s);
    slice_writer_free(w);
}

/* ---- refused
 * ----------------------------------------------------------------------------------------------- */

struct image {
    uint8_t b[4096];
    size_t len;
};

static void image_sample(struct image *m)
{
    struct slice_writer *w = sample();
    const void *p = slice_writer_bytes(w, &m->len);

    assert_true(m->len < sizeof m->b);
    memcpy(m->b, p, m->len);
    slice_writer_free(w);
}

static bool accepted(const struct image *m)
{
    struct err e = { 0 };
    struct slice *s = slice_parse(m->b, m->len, ROLE_VRRPD, &e);

    if (s == NULL)
        assert_true(e.code != NULL && e.text[0] != 0); /* a refusal says why */
    slice_free(s);
    return s != NULL;
}

static void image_set_length(struct image *m)
{
    uint32_t len = (uint32_t)m->len;

    memcpy(m->b + offsetof(struct slice_head, length), &len, 4);
}

static void test_header_refused(void **state)
{
    struct image m;

    (void)state;
    for (size_t i = 0; i < sizeof(struct slice_head); i++) {
        image_sample(&m);
        m.b[i] ^= 0x40; /* every byte of the header matters, the generation excepted */
        if (i >= offsetof(struct slice_head, generation) && i < offsetof(struct slice_head, nobj))
            assert_true(accepted(&m));
        else
            assert_false(accepted(&m));
    }
    image_sample(&m);
    memset(m.b + offsetof(struct slice_head, generation), 0, 4);
    assert_false(accepted(&m));
    image_sample(&m);
    assert_null(slice_parse(m.b, m.len, ROLE_IPVSD, NULL)); /* another role's */
}

static void test_cut_refused(void **state)
{
    struct image m;
    size_t full;

    (void)state;
    image_sample(&m);
    full = m.len;
    assert_true(accepted(&m));
    for (m.len = 0; m.len < full; m.len++) {
        if (m.len >= sizeof(struct slice_head))
            image_set_length(&m);
        assert_false(accepted(&m));
    }
    m.len = full + 4;
    memset(m.b + full, 0, 4);
    image_set_length(&m);
    assert_false(accepted(&m));
}

/* A slice of one object with this header and body. */
static bool object_accepted(struct slice_head_obj h, const char *name, const void *body)
{
    struct image m = { .len = sizeof(struct slice_head) };
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 1);
    struct slice_head head;
    size_t n;

    memcpy(&head, slice_writer_bytes(w, &n), sizeof head);
    slice_writer_free(w);
    memcpy(m.b + m.len, &h, sizeof h);
    m.len += sizeof h;
    memcpy(m.b + m.len, name, h.namelen);
    m.len += slice_pad4(h.namelen);
    if (h.bodylen > 0)
        memcpy(m.b + m.len, body, h.bodylen);
    m.len += h.bodylen;
    head.nobj = 1;
    head.length = (uint32_t)m.len;
    memcpy(m.b, &head, sizeof head);
    return accepted(&m);
}

static void test_object_refused(void **state)
{
    const struct slice_head_obj good = { .id = 1, .blk = BLK_VI, .namelen = 3, .line = 1 };
    struct slice_head_obj h = good;

    (void)state;
    assert_true(object_accepted(good, "VI", NULL));
    assert_false(object_accepted(good, "VIX", NULL)); /* not terminated */
    assert_false(object_accepted(good, "V\0", NULL)); /* NUL inside */
    h.namelen = 0;
    assert_false(object_accepted(h, "", NULL));
    h = good, h.id = 0;
    assert_false(object_accepted(h, "VI", NULL));
    h = good, h.id = SLICE_ANY_PARENT;
    assert_false(object_accepted(h, "VI", NULL));
    h = good, h.parent = 1; /* its own parent */
    assert_false(object_accepted(h, "VI", NULL));
    h = good, h.parent = 7;
    assert_false(object_accepted(h, "VI", NULL));
    h = good, h.blk = BLK_NONE;
    assert_false(object_accepted(h, "VI", NULL));
    h = good, h.blk = BLK_MAX;
    assert_false(object_accepted(h, "VI", NULL));
}

/* One field of a VI (or what claims to be one). */
static bool field_accepted(unsigned int kw, const void *data, size_t len)
{
    uint8_t body[256] = { 0 };
    struct slice_field f = { (uint16_t)kw, (uint16_t)len };
    struct slice_head_obj h = { .id = 1, .blk = BLK_VI, .namelen = 1 };

    memcpy(body, &f, sizeof f);
    memcpy(body + sizeof f, data, len);
    h.bodylen = (uint32_t)(sizeof f + slice_pad4(len));
    return object_accepted(h, "", body);
}

static void test_field_refused(void **state)
{
    uint64_t n = 1;
    uint8_t ip[18] = { 4, 32, 10, 0, 0, 1 };

    (void)state;
    assert_true(field_accepted(KW_VI_PRIORITY, &n, 8));
    assert_false(field_accepted(KW_VI_PRIORITY, &n, 4));
    assert_false(field_accepted(KW_VI_PRIORITY, &n, 0));
    assert_true(field_accepted(KW_VI_NOPREEMPT, &n, 1));
    assert_false(field_accepted(KW_VI_NOPREEMPT, &n, 8));
    assert_false(field_accepted(KW_VI_NOPREEMPT, "\2", 1));
    assert_true(field_accepted(KW_VI_INTERFACE, "eth0", 5));
    assert_false(field_accepted(KW_VI_INTERFACE, "eth0", 4));
    assert_false(field_accepted(KW_VI_INTERFACE, "et\0h", 5));
    assert_false(field_accepted(KW_VI_INTERFACE, "", 0));
    assert_true(field_accepted(KW_VI_MCAST_DST_IP, ip, 18));
    assert_false(field_accepted(KW_VI_MCAST_DST_IP, ip, 17));
    ip[1] = 33;
    assert_false(field_accepted(KW_VI_MCAST_DST_IP, ip, 18));
    ip[1] = 32, ip[17] = 1; /* bytes behind an IPv4 address */
    assert_false(field_accepted(KW_VI_MCAST_DST_IP, ip, 18));
    ip[0] = 6, ip[1] = 128;
    assert_true(field_accepted(KW_VI_MCAST_DST_IP, ip, 18));
    ip[0] = 5;
    assert_false(field_accepted(KW_VI_MCAST_DST_IP, ip, 18));
    assert_false(field_accepted(KW_NONE, &n, 8));
    assert_false(field_accepted(KW_MAX, &n, 8));
    assert_false(field_accepted(UINT16_MAX, &n, 8));
    assert_false(field_accepted(KW_ADDR_ADDRESS, ip, 18)); /* belongs to another block */
}

static void test_field_order(void **state)
{
    struct {
        struct slice_field a;
        uint64_t va;
        struct slice_field b;
        uint64_t vb;
    } __attribute__((packed)) body = { { KW_VI_PRIORITY, 8 }, 1, { KW_VI_VIRTUAL_ROUTER_ID, 8 }, 2 };
    struct slice_head_obj h = { .id = 1, .blk = BLK_VI, .namelen = 1, .bodylen = sizeof body };
    bool up = KW_VI_PRIORITY < KW_VI_VIRTUAL_ROUTER_ID;

    (void)state;
    assert_int_equal(object_accepted(h, "", &body), up);
    body.a.kw = KW_VI_VIRTUAL_ROUTER_ID, body.b.kw = KW_VI_PRIORITY;
    assert_int_equal(object_accepted(h, "", &body), !up);
    body.b.kw = body.a.kw;
    assert_true(object_accepted(h, "", &body)); /* a list */
    body.b.len = 12;
    assert_false(object_accepted(h, "", &body)); /* runs over the end */
    body.b.len = UINT16_MAX;
    assert_false(object_accepted(h, "", &body));
}

/* ---- memfd
 * ------------------------------------------------------------------------------------------------- */

static void test_memfd(void **state)
{
    struct err e = { 0 };
    int fd = slice_writer_finish(sample());
    struct slice *s;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), -1);
    s = slice_open(fd, ROLE_VRRPD, &e);
    if (s == NULL)
        fail_msg("%s", e.text);
    close(fd);
    assert_string_equal(slice_find(s, BLK_VI, "VI_1")->name, "VI_1");
    slice_free(s);
}

static void test_seals(void **state)
{
    const int all[] = { F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL };
    char path[] = "/tmp/test_slice.XXXXXX";
    struct image m;
    int fd;

    (void)state;
    image_sample(&m);
    for (int leave_out = 0; leave_out <= 4; leave_out++) {
        struct slice *s;
        int seals = 0;

        for (int i = 0; i < 4; i++)
            if (i != leave_out)
                seals |= all[i];
        fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(write(fd, m.b, m.len), (ssize_t)m.len);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
        s = slice_open(fd, ROLE_VRRPD, NULL);
        if (leave_out == 4)
            assert_non_null(s);
        else
            assert_null(s);
        slice_free(s);
        close(fd);
    }
    fd = mkstemp(path);
    assert_int_equal(write(fd, m.b, m.len), (ssize_t)m.len);
    assert_null(slice_open(fd, ROLE_VRRPD, NULL)); /* the same bytes in a file */
    close(fd);
    unlink(path);
    assert_null(slice_open(-1, ROLE_VRRPD, NULL));
}

/* ---- writer
 * ------------------------------------------------------------------------------------------------ */

static void test_too_long(void **state)
{
    char *big = malloc(70000);
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 1);

    (void)state;
    memset(big, 'x', 69999);
    big[69999] = 0;
    slice_put_obj(w, BLK_VI, 0, "VI", 1);
    slice_put_str(w, KW_VI_INTERFACE, big);
    errno = 0;
    assert_int_equal(slice_writer_finish(w), -1);
    assert_int_equal(errno, E2BIG);
    w = slice_writer_new(ROLE_VRRPD, 1);
    slice_put_obj(w, BLK_VI, 0, big, 1);
    assert_int_equal(slice_writer_finish(w), -1);
    assert_int_equal(errno, E2BIG);
    w = slice_writer_new(ROLE_VRRPD, 1);
    assert_int_equal(slice_put_obj_id(w, 5, BLK_VI, 0, "a", 1), 5);
    assert_int_equal(slice_put_obj_id(w, 5, BLK_VI, 0, "b", 1), 0);
    assert_int_equal(slice_put_obj_id(w, 4, BLK_VI, 0, "b", 1), 0);
    slice_writer_free(w);
    free(big);
}

static void bug_block(struct slice_writer *w)
{
    slice_put_uint(w, KW_SOCKET_X_FAMILY, 4);
}

static void bug_kind(struct slice_writer *w)
{
    slice_put_str(w, KW_VI_PRIORITY, "high");
}

static void bug_range(struct slice_writer *w)
{
    slice_put_uint(w, KW_VI_NOPREEMPT, 2);
}

/* A value that has no place is a bug of holdfast-conf: it dies, nothing half-written is handed out. */
static void test_fatal(void **state)
{
    void (*const bugs[])(struct slice_writer *) = { bug_block, bug_kind, bug_range };

    (void)state;
    for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            struct rlimit none = { 0, 0 };
            struct slice_writer *w = slice_writer_new(ROLE_VRRPD, 1);

            setrlimit(RLIMIT_CORE, &none);
            signal(SIGABRT, SIG_DFL);
            if (freopen("/dev/null", "w", stderr) == NULL)
                _exit(2);
            slice_put_obj(w, BLK_VI, 0, "VI", 1);
            bugs[i](w);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

/* ---- size
 * -------------------------------------------------------------------------------------------------- */

static void name_rs(char name[32], int vs, int rs)
{
    snprintf(name, 32, "10.%d.%d.%d:80:tcp", vs, rs / 250, rs % 250 + 1);
}

/* 50 services of 1,000 servers with a check each, written, sealed, opened, indexed, every server found by
 * name and by walk. */
static void test_large(void **state)
{
    struct slice_writer *w = slice_writer_new(ROLE_CHECKD, 1);
    uint64_t t0 = clock_monotonic_ns();
    char name[32];
    int seen = 0;
    struct slice *s;
    int fd;

    (void)state;
    for (int v = 0; v < 50; v++) {
        uint32_t vs;

        snprintf(name, sizeof name, "192.0.2.%d:80:tcp", v);
        vs = slice_put_obj(w, BLK_VS, 0, name, 1);
        for (int r = 0; r < 1000; r++) {
            uint32_t rs;

            name_rs(name, v, r);
            rs = slice_put_obj(w, BLK_RS, vs, name, 1);
            slice_put_uint(w, KW_RS_X_PORT, 80);
            slice_put_obj(w, BLK_HTTP, rs, "", 1);
        }
    }
    fd = slice_writer_finish(w);
    s = slice_open(fd, ROLE_CHECKD, NULL);
    close(fd);
    assert_non_null(s);
    assert_int_equal(slice_count(s), 100050);
    for (const struct slice_obj *vs = NULL; (vs = slice_next(s, vs, BLK_VS, 0)) != NULL;) {
        for (const struct slice_obj *rs = NULL; (rs = slice_next(s, rs, BLK_RS, vs->id)) != NULL;) {
            assert_ptr_equal(slice_find(s, BLK_RS, rs->name), rs);
            assert_ptr_equal(slice_by_id(s, rs->id), rs);
            assert_non_null(slice_next(s, NULL, BLK_HTTP, rs->id));
            seen++;
        }
    }
    assert_int_equal(seen, 50000);
    slice_free(s);
    assert_true(clock_monotonic_ns() - t0 < 5 * NS_PER_SEC); /* quadratic would be minutes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),         cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_list),           cmocka_unit_test(test_same),
        cmocka_unit_test(test_header_refused), cmocka_unit_test(test_cut_refused),
        cmocka_unit_test(test_object_refused), cmocka_unit_test(test_field_refused),
        cmocka_unit_test(test_field_order),    cmocka_unit_test(test_memfd),
        cmocka_unit_test(test_seals),          cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_fatal),          cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
