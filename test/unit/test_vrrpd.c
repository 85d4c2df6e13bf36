/*
 * test_vrrpd.c - vrrpd's life with a false parent and a false ipvsd: start, facts, takeover, reload with
 * shifting ids, a crash with snapshots, an ipvsd that dies, stop in the right order. This file supplies
 * common/child.h itself, so the role's own code runs as it is, on a clock the test owns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/clock.h"
#include "vrrpd/packet.h"
#include "vrrpd/snapshot.h"
#include "vrrpd/vrrpd.h"

#define T0   (1000 * NS_PER_SEC)
#define KEYS 16

struct stored {
    bool used;
    uint16_t len;
    uint8_t data[SNAPSHOT_MAX];
};

/* What was heard on a channel, newest state a key. */
struct heard {
    char text[4096]; /* "state 3 MASTER 7;" ... */
    uint32_t seq[64];
};

struct child {
    const struct child_ops *ops;
    void *arg;
    struct ev *ev;
    uint64_t now;
    struct slice *slice;
    struct chan *parent, *ipvsd;         /* vrrpd's ends */
    struct chan *parent_far, *ipvsd_far; /* the test's ends */
    struct heard to_parent, to_ipvsd;
    struct stored snap[KEYS];
    bool restarted, keep, stopped;
    int accept_far, reject_far; /* what is written here vrrpd receives */
};

/* ---- common/child.h, false */

static struct child *running;

int child_run(enum role r, const struct child_ops *ops, int (*pre_jail)(void *arg), void *arg)
{
    assert_int_equal(r, ROLE_VRRPD);
    assert_null(pre_jail);
    running->ops = ops;
    running->arg = arg;
    return 0;
}

struct ev *child_ev(struct child *c)
{
    return c->ev;
}

struct chan *child_parent(struct child *c)
{
    return c->parent;
}

struct chan *child_peer(struct child *c, enum role peer)
{
    return peer == ROLE_IPVSD ? c->ipvsd : NULL;
}

const struct slice *child_slice(struct child *c)
{
    return c->slice;
}

uint32_t child_generation(struct child *c)
{
    return slice_generation(c->slice);
}

bool child_restarted(struct child *c)
{
    return c->restarted;
}

bool child_keep_addresses(struct child *c)
{
    return c->keep;
}

bool child_snapshot_next(struct child *c, size_t *cursor, struct child_snapshot *out)
{
    while (*cursor < KEYS && !c->snap[*cursor].used)
        ++*cursor;
    if (*cursor >= KEYS)
        return false;
    *out = (struct child_snapshot){ .key = (uint32_t)*cursor,
                                    .len = c->snap[*cursor].len,
                                    .data = c->snap[*cursor].data };
    ++*cursor;
    return true;
}

void child_snapshot(struct child *c, uint32_t key, const void *data, size_t len)
{
    assert_true(key < KEYS && len <= SNAPSHOT_MAX);
    c->snap[key] = (struct stored){ .used = true, .len = (uint16_t)len };
    memcpy(c->snap[key].data, data, len);
}

void child_snapshot_gone(struct child *c, uint32_t key)
{
    assert_true(key < KEYS);
    c->snap[key].used = false;
}

void child_stopped(struct child *c)
{
    c->stopped = true;
}

/* ---- the other ends */

static void hear(struct heard *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void hear(struct heard *h, const char *fmt, ...)
{
    size_t n = strlen(h->text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(h->text + n, sizeof h->text - n, fmt, ap);
    va_end(ap);
}

static int on_msg(struct chan *c, const struct chan_msg *m, void *arg)
{
    struct heard *h = arg;
    (void)c;
    switch (m->type) {
    case MSG_inst_state:
        h->seq[m->body->inst_state.inst] = m->body->inst_state.seq;
        hear(h, "g%u:%u=%s ", m->generation, m->body->inst_state.inst,
             vrrp_state_name((enum vrrp_state)m->body->inst_state.state));
        break;
    case MSG_sync: hear(h, "g%u:sync ", m->generation); break;
    case MSG_will: hear(h, "will%u ", m->body->will.inst); break;
    case MSG_garp: hear(h, "garp%u ", m->body->garp.inst); break;
    case MSG_inst_event:
        hear(h, "%u=%s ", m->body->inst_event.inst,
             vrrp_state_name((enum vrrp_state)m->body->inst_event.state));
        break;
    default: fail_msg("unexpected message %s", proto_name(m->type));
    }
    return 0;
}

static void on_dead(struct chan *c, enum chan_end how, const char *why, void *arg)
{
    (void)c;
    (void)how;
    (void)why;
    (void)arg;
}

static const struct chan_ops far_ops = { on_msg, on_dead };

static int ours_msg(struct chan *ch, const struct chan_msg *m, void *arg)
{
    struct child *c = arg;
    return c->ops->on_msg(c, chan_peer(ch), m, c->arg);
}

static const struct chan_ops near_ops = { ours_msg, on_dead };

static void connect_pair(struct child *c, enum role peer, struct chan **near_end, struct chan **far_end,
                         struct heard *h)
{
    int fd[2];
    assert_int_equal(chan_pair(fd), 0);
    *near_end = chan_new(c->ev, fd[0], ROLE_VRRPD, peer, &near_ops, c);
    *far_end = chan_new(c->ev, fd[1], peer, ROLE_VRRPD, &far_ops, h);
    chan_set_generation(*near_end, child_generation(c));
    chan_set_generation(*far_end, child_generation(c));
}

static uint64_t clock_now(void *arg)
{
    return ((struct child *)arg)->now;
}

static void turns(struct child *c)
{
    for (int i = 0; i < 6; i++)
        ev_turn(c->ev, 0);
}

/* Time passes, deadline by deadline. */
static void pass(struct child *c, uint64_t until)
{
    turns(c);
    while (ev_next_deadline(c->ev) <= until) {
        if (ev_next_deadline(c->ev) > c->now)
            c->now = ev_next_deadline(c->ev);
        ev_turn(c->ev, 0);
    }
    c->now = until;
    turns(c);
}

/* ---- configuration */

struct vi {
    const char *name, *iface;
    uint8_t vrid, priority;
    uint64_t interval_us;
    const char *addr;
};

static struct slice *make_slice(uint32_t generation, const struct vi *vi, size_t n)
{
    struct slice_writer *w = slice_writer_new(ROLE_VRRPD, generation);
    struct err e;
    char name[64];
    for (size_t i = 0; i < n;
         i++) { /* a real one has each once: the tests use an interface each, or the first */
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first = first && strcmp(vi[k].iface, vi[i].iface) != 0;
        if (!first)
            continue;
        slice_put_obj(w, BLK_IFACE, 0, vi[i].iface, 0);
        snprintf(name, sizeof name, "%s/4/mcast/224.0.0.18", vi[i].iface);
        slice_put_obj(w, BLK_SOCKET, 0, name, 0);
        slice_put_uint(w, KW_SOCKET_X_FAMILY, 4);
        slice_put_str(w, KW_SOCKET_X_IFACE, vi[i].iface);
    }
    for (size_t i = 0; i < n; i++) {
        struct ipaddr a;
        uint32_t id = slice_put_obj(w, BLK_VI, 0, vi[i].name, 1);
        snprintf(name, sizeof name, "%s/4/mcast/224.0.0.18", vi[i].iface);
        slice_put_uint(w, KW_VI_VIRTUAL_ROUTER_ID, vi[i].vrid);
        slice_put_uint(w, KW_VI_PRIORITY, vi[i].priority);
        slice_put_uint(w, KW_VI_VERSION, 3);
        slice_put_uint(w, KW_VI_X_FAMILY, 4);
        slice_put_str(w, KW_VI_INTERFACE, vi[i].iface);
        slice_put_str(w, KW_VI_X_SOCKET, name);
        slice_put_us(w, KW_VI_ADVERT_INT, vi[i].interval_us);
        slice_put_obj(w, BLK_ADDR, id, vi[i].addr, 2);
        assert_int_equal(ipaddr_parse_prefix(vi[i].addr, &a), 0);
        slice_put_ip(w, KW_ADDR_ADDRESS, &a);
    }
    size_t len;
    const void *bytes = slice_writer_bytes(w, &len);
    struct slice *s = slice_parse(bytes, len, ROLE_VRRPD, &e);
    assert_non_null(s);
    slice_writer_free(w);
    return s;
}

static uint32_t id_of(const struct child *c, enum blk blk, const char *name)
{
    const struct slice_obj *o = slice_find(c->slice, blk, name);
    assert_non_null(o);
    return o->id;
}

/* ---- the false ipvsd speaks */

static void tell_link(struct child *c, const char *iface, bool up)
{
    struct msg_link m = { .iface = id_of(c, BLK_IFACE, iface),
                          .ifindex = 7,
                          .up = up,
                          .running = up,
                          .mtu = 1500,
                          .multicast = 1,
                          .addr4_len = 4,
                          .addr4 = { 10, 0, 0, 5 } };
    chan_send(c->ipvsd_far, MSG_link, &m, NULL, 0);
}

static void tell_sock(struct child *c, const char *iface)
{
    char name[64];
    int a[2], r[2];
    snprintf(name, sizeof name, "%s/4/mcast/224.0.0.18", iface);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, a), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, r), 0);
    struct msg_sock m = { .sock = id_of(c, BLK_SOCKET, name), .ok = 1 };
    chan_send(c->ipvsd_far, MSG_sock, &m, (int[2]){ a[0], r[0] }, 2);
    if (c->accept_far >= 0)
        close(c->accept_far);
    if (c->reject_far >= 0)
        close(c->reject_far);
    c->accept_far = a[1];
    c->reject_far = r[1];
}

static void tell_done(struct child *c)
{
    struct msg_facts_done m = { .generation = child_generation(c) };
    chan_send(c->ipvsd_far, MSG_facts_done, &m, NULL, 0);
}

static void advert_to(int fd, uint8_t vrid, uint8_t priority, const char *addr)
{
    uint8_t b[256] = { 0x45, 0xc0, 0, 0, 0, 1, 0, 0, 255, 112, 0, 0, 10, 0, 0, 9, 224, 0, 0, 18 };
    struct ipaddr a;
    struct packet_spec s = { .family = 4,
                             .version = 3,
                             .vrid = vrid,
                             .priority = priority,
                             .interval_ns = NS_PER_SEC,
                             .addrs = &a,
                             .naddrs = 1 };
    ipaddr_parse(addr, &a);
    ipaddr_parse("10.0.0.9", &s.src);
    ipaddr_parse("224.0.0.18", &s.dst);
    int n = packet_build(&s, b + 20, sizeof b - 20);
    assert_true(n > 0);
    b[3] = (uint8_t)(20 + n);
    assert_int_equal(send(fd, b, (size_t)(20 + n), 0), 20 + n);
}

/* ---- life */

static struct child *start(struct slice *s, const struct child *former)
{
    struct child *c = calloc(1, sizeof *c);
    c->now = former != NULL ? former->now : T0;
    c->accept_far = c->reject_far = -1;
    c->ev = ev_new(&(struct clock){ clock_now, c });
    /* ev keeps the pointer: give it one that lives as long */
    static struct clock clocks[64];
    static size_t nclocks;
    assert_true(nclocks < 64);
    clocks[nclocks] = (struct clock){ clock_now, c };
    ev_free(c->ev);
    c->ev = ev_new(&clocks[nclocks++]);
    c->slice = s;
    if (former != NULL) {
        memcpy(c->snap, former->snap, sizeof c->snap);
        c->restarted = true;
    }
    running = c;
    assert_int_equal(vrrpd_run(), 0);
    connect_pair(c, ROLE_PARENT, &c->parent, &c->parent_far, &c->to_parent);
    assert_int_equal(c->ops->on_start(c, s, c->arg), 0);
    return c;
}

static void meet_ipvsd(struct child *c)
{
    connect_pair(c, ROLE_IPVSD, &c->ipvsd, &c->ipvsd_far, &c->to_ipvsd);
    c->ops->on_peer(c, c->ipvsd, ROLE_IPVSD, c->arg);
}

static void lose_ipvsd(struct child *c)
{
    chan_free(c->ipvsd);
    chan_free(c->ipvsd_far);
    c->ipvsd = c->ipvsd_far = NULL;
    c->ops->on_peer_dead(c, ROLE_IPVSD, c->arg);
}

static const struct vi one[] = { { "VI_1", "eth0", 51, 128, 1000000, "10.0.0.100/24" } };

static struct child *master(void)
{
    struct child *c = start(make_slice(1, one, 1), NULL);
    meet_ipvsd(c);
    tell_link(c, "eth0", true);
    tell_sock(c, "eth0");
    tell_done(c);
    turns(c);
    pass(c, T0 + 3600 * NS_PER_MS);
    memset(c->to_parent.text, 0, sizeof c->to_parent.text);
    memset(c->to_ipvsd.text, 0, sizeof c->to_ipvsd.text);
    return c;
}

static void
finish(struct child *c) /* what a process leaves to the kernel is given back here, for the sanitizer */
{
    struct vrrpd *v = c->arg;
    for (size_t n = 0; n < v->ninst; n++)
        inst_free(v->inst[n]);
    free(v->inst);
    while (v->socks != NULL) {
        struct vsock *k = v->socks;
        v->socks = k->next;
        io_sock_release(&k->io);
        free(k->name);
        free(k);
    }
    while (v->links != NULL) {
        struct vlink *l = v->links;
        v->links = l->next;
        free(l);
    }
    reload_abort(v);
    free(v->snaps);
    free(v->io);
    free(v);
    chan_free(c->parent);
    chan_free(c->parent_far);
    chan_free(c->ipvsd);
    chan_free(c->ipvsd_far);
    if (c->accept_far >= 0)
        close(c->accept_far);
    if (c->reject_far >= 0)
        close(c->reject_far);
    ev_free(c->ev);
    slice_free(c->slice);
    free(c);
}

static uint64_t stat_of(struct child *c, const char *name)
{
    char buf[4096] = { 0 };
    int fd = memfd_create("stats", MFD_CLOEXEC);
    assert_true(fd >= 0);
    c->ops->on_dump(c, DUMP_WHAT_STATS, fd, c->arg);
    assert_true(pread(fd, buf, sizeof buf - 1, 0) > 0);
    close(fd);
    const char *at = strstr(buf, name);
    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 10);
}

/* ---- tests */

static void test_cold_start(void **state)
{
    (void)state;
    struct child *c = start(make_slice(1, one, 1), NULL);
    meet_ipvsd(c);
    tell_link(c, "eth0", true);
    tell_sock(c, "eth0");
    turns(c);
    assert_string_equal(c->to_ipvsd.text,
                        ""); /* nothing is known to be wanted before everything has been told */
    assert_string_equal(c->to_parent.text, "");
    tell_done(c);
    turns(c);
    uint32_t id = id_of(c, BLK_VI, "VI_1");
    char want[128];
    snprintf(want, sizeof want, "%u=BACKUP ", id);
    assert_string_equal(c->to_parent.text, want);
    snprintf(want, sizeof want, "g1:%u=BACKUP g1:sync ", id);
    assert_string_equal(c->to_ipvsd.text, want);
    pass(c, T0 + 3499 * NS_PER_MS);
    assert_string_equal(c->to_ipvsd.text, want);
    assert_true(stat_of(c, "Sent: ") == 0);
    pass(c, T0 + 3501 * NS_PER_MS);
    snprintf(want, sizeof want, "g1:%u=BACKUP g1:sync g1:%u=MASTER will%u ", id, id, id);
    assert_string_equal(c->to_ipvsd.text, want);
    assert_true(stat_of(c, "Sent: ") == 1);
    pass(c, T0 + 13501 * NS_PER_MS);
    assert_true(stat_of(c, "Sent: ") == 11);
    finish(c);
}

static void test_facts_decide(void **state)
{
    (void)state;
    struct child *c = start(make_slice(1, one, 1), NULL);
    uint32_t id = id_of(c, BLK_VI, "VI_1");
    char want[128];
    meet_ipvsd(c);
    tell_link(c, "eth0", false);
    tell_sock(c, "eth0");
    tell_done(c);
    turns(c);
    snprintf(want, sizeof want, "%u=FAULT ", id);
    assert_string_equal(c->to_parent.text, want);
    pass(c, T0 + 100 * NS_PER_SEC);
    assert_true(stat_of(c, "Sent: ") == 0);
    tell_link(c, "eth0", true);
    pass(c, T0 + 110 * NS_PER_SEC);
    snprintf(want, sizeof want, "%u=FAULT %u=BACKUP %u=MASTER ", id, id, id);
    assert_string_equal(c->to_parent.text, want);
    tell_link(c, "eth0", false);
    turns(c);
    assert_true(stat_of(c, "Priority Zero:\n    Received: 0\n    Sent: ") == 1);
    finish(c);
}

static void test_packets(void **state)
{
    (void)state;
    struct child *c = master();
    uint32_t id = id_of(c, BLK_VI, "VI_1");
    char want[128];
    advert_to(c->reject_far, 51, 200, "10.0.0.100"); /* a perfect advert, but not where adverts come in */
    advert_to(c->accept_far, 52, 200, "10.0.0.100"); /* nobody's VRID */
    turns(c);
    assert_string_equal(c->to_parent.text, "");
    for (int i = 0; i < 200; i++)
        advert_to(c->reject_far, 51, 200, "10.0.0.100");
    pass(c, c->now + 5 * NS_PER_SEC);
    assert_string_equal(c->to_parent.text, "");
    uint64_t sent = stat_of(c, "Sent: ");
    advert_to(c->accept_far, 51, 50, "10.0.0.100"); /* lower: answered and announced again */
    turns(c);
    snprintf(want, sizeof want, "garp%u ", id);
    assert_string_equal(c->to_ipvsd.text, want);
    assert_true(stat_of(c, "Sent: ") == sent + 1);
    advert_to(c->accept_far, 51, 200, "10.0.0.100");
    turns(c);
    snprintf(want, sizeof want, "%u=BACKUP ", id);
    assert_string_equal(c->to_parent.text, want);
    snprintf(want, sizeof want, "garp%u g1:%u=BACKUP ", id, id);
    assert_string_equal(c->to_ipvsd.text, want);
    finish(c);
}

static const struct vi three[] = {
    { "NEW", "eth1", 9, 50, 1000000, "10.1.0.100/24" },
    { "VI_1", "eth0", 51, 140, 300000, "10.0.0.100/24" },
    { "VI_2", "eth0", 52, 140, 1000000, "10.0.0.102/24" },
};

static void commit(struct child *c, struct slice *next)
{
    struct err e;
    struct slice *old = c->slice;
    assert_int_equal(c->ops->on_prepare(c, next, &e, c->arg), 0);
    c->slice = next;
    chan_set_generation(c->parent, child_generation(c));
    chan_set_generation(c->ipvsd, child_generation(c));
    c->ops->on_commit(c, old, next, c->arg);
    slice_free(old);
}

static void test_reload_shifts_ids(void **state)
{
    (void)state;
    struct child *c = master();
    struct slice *next = make_slice(2, three, 3);
    uint32_t was = id_of(c, BLK_VI, "VI_1");
    uint64_t sent = stat_of(c, "Sent: ");
    struct slice *old = c->slice;
    /* ipvsd commits first and speaks in the new generation before we are told to commit */
    c->slice = next;
    chan_set_generation(c->ipvsd_far, 2);
    tell_link(c, "eth1", true);
    tell_sock(c, "eth1");
    tell_done(c);
    c->slice = old;
    turns(c);
    assert_string_equal(c->to_parent.text, "");
    commit(c, next);
    turns(c);
    uint32_t new_id = id_of(c, BLK_VI, "NEW"), id1 = id_of(c, BLK_VI, "VI_1"), id2 = id_of(c, BLK_VI, "VI_2");
    assert_int_not_equal(was, id1);
    char want[256];
    snprintf(want, sizeof want, "%u=BACKUP %u=BACKUP ", id2, new_id);
    char other[256];
    snprintf(other, sizeof other, "%u=BACKUP %u=BACKUP ", new_id, id2);
    assert_true(strcmp(c->to_parent.text, want) == 0 || strcmp(c->to_parent.text, other) == 0);
    snprintf(want, sizeof want, "g2:%u=BACKUP g2:%u=MASTER will%u g2:%u=BACKUP g2:sync ", new_id, id1, id1,
             id2);
    assert_string_equal(c->to_ipvsd.text, want);
    assert_true(stat_of(c, "VI_1\n  Advertisements:\n    Received: 0\n    Sent: ") == sent + 1); /* at once */
    pass(c, c->now + 3 * NS_PER_SEC);
    assert_true(stat_of(c, "VI_1\n  Advertisements:\n    Received: 0\n    Sent: ") == sent + 11);
    /* and back: the others resign, VI_1 stays */
    pass(c, c->now + 10 * NS_PER_SEC);
    memset(c->to_parent.text, 0, sizeof c->to_parent.text);
    memset(c->to_ipvsd.text, 0, sizeof c->to_ipvsd.text);
    chan_set_generation(c->ipvsd_far, 3);
    commit(c, make_slice(3, &three[1], 1));
    turns(c);
    assert_string_equal(c->to_parent.text, "");
    snprintf(want, sizeof want, "g3:%u=MASTER will%u g3:sync ", id_of(c, BLK_VI, "VI_1"),
             id_of(c, BLK_VI, "VI_1"));
    assert_string_equal(c->to_ipvsd.text, want);
    size_t kept = 0;
    for (size_t k = 1; k < KEYS; k++)
        kept += c->snap[k].used;
    assert_int_equal(kept, 1);
    finish(c);
}

static void test_reload_unchanged(void **state)
{
    (void)state;
    struct child *c = master();
    uint64_t sent = stat_of(c, "Sent: ");
    chan_set_generation(c->ipvsd_far, 2);
    commit(c, make_slice(2, one, 1));
    turns(c);
    assert_true(stat_of(c, "Sent: ") == sent);
    assert_string_equal(c->to_parent.text, "");
    struct vi renumbered = one[0];
    renumbered.vrid = 52; /* another virtual router: the old one resigns, the new one starts over */
    chan_set_generation(c->ipvsd_far, 3);
    commit(c, make_slice(3, &renumbered, 1));
    turns(c);
    char want[64];
    snprintf(want, sizeof want, "%u=BACKUP ", id_of(c, BLK_VI, "VI_1"));
    assert_string_equal(c->to_parent.text, want);
    finish(c);
}

static struct child *successor(struct child *dead, uint64_t after)
{
    dead->now += after;
    struct child *c = start(make_slice(1, one, 1), dead);
    meet_ipvsd(c);
    tell_link(c, "eth0", true);
    tell_sock(c, "eth0");
    tell_done(c);
    return c;
}

static void test_crash(void **state)
{
    (void)state;
    char want[128];
    static const struct {
        uint64_t after;
        uint8_t heard; /* priority of an advert in the queue, 0: none */
        const char *parent, *ipvsd;
    } rows[] = {
        { 50 * NS_PER_MS, 0, "", "g1:%u=MASTER will%u g1:sync " },
        { 2000 * NS_PER_MS, 0, "", "g1:%u=MASTER will%u g1:sync " },
        { 50 * NS_PER_MS, 50, "", "garp%u g1:%u=MASTER will%u g1:sync " },
        { 50 * NS_PER_MS, 200, "%u=BACKUP ", "g1:%u=BACKUP g1:sync " },
        { 30 * NS_PER_SEC, 0, "%u=BACKUP ", "g1:%u=BACKUP g1:sync " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct child *dead = master();
        uint32_t id = id_of(dead, BLK_VI, "VI_1");
        struct child *c = successor(dead, rows[i].after);
        if (rows[i].heard != 0)
            advert_to(c->accept_far, 51, rows[i].heard, "10.0.0.100");
        turns(c);
        snprintf(want, sizeof want, rows[i].parent, id);
        assert_string_equal(c->to_parent.text, want);
        snprintf(want, sizeof want, rows[i].ipvsd, id, id, id);
        assert_string_equal(c->to_ipvsd.text, want);
        finish(c);
        finish(dead);
    }
}

static void test_crash_keeps_the_grid(void **state)
{
    (void)state;
    struct child *dead = master(); /* MASTER at 3.5 s, the next point of the grid is 4.5 s; now 3.6 s */
    struct child *c = successor(dead, 400 * NS_PER_MS);
    turns(c);
    uint64_t sent = stat_of(c, "Sent: ");
    pass(c, T0 + 4499 * NS_PER_MS);
    assert_true(stat_of(c, "Sent: ") == sent);
    pass(c, T0 + 4501 * NS_PER_MS);
    assert_true(stat_of(c, "Sent: ") == sent + 1);
    finish(c);
    finish(dead);
}

static void test_ipvsd_dies(void **state)
{
    (void)state;
    struct child *c = master();
    uint32_t id = id_of(c, BLK_VI, "VI_1");
    char want[128];
    uint64_t sent = stat_of(c, "Sent: ");
    lose_ipvsd(c);
    pass(c, c->now + 5 * NS_PER_SEC);
    assert_true(stat_of(c, "Sent: ") == sent + 5); /* the sockets at hand go on */
    meet_ipvsd(c);
    turns(c);
    snprintf(want, sizeof want, "g1:%u=MASTER will%u g1:sync ", id, id);
    assert_string_equal(c->to_ipvsd.text, want);
    advert_to(c->accept_far, 51, 200, "10.0.0.100"); /* still in the old queue when the new sockets come */
    tell_sock(c, "eth0");
    turns(c);
    snprintf(want, sizeof want, "%u=BACKUP ", id);
    assert_string_equal(c->to_parent.text, want);
    finish(c);
}

static void test_stop(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) { /* confirmed, not confirmed, -V, without ipvsd */
        struct child *c = master();
        uint32_t id = id_of(c, BLK_VI, "VI_1");
        uint64_t sent = stat_of(c, "Sent: ");
        char want[64];
        c->keep = how == 2;
        if (how == 3)
            lose_ipvsd(c);
        c->ops->on_stop(c, STOP_WHY_SHUTDOWN, c->arg);
        turns(c);
        snprintf(want, sizeof want, "g1:%u=STOP ", id);
        assert_string_equal(c->to_ipvsd.text, how >= 2 ? "" : want);
        if (how < 2) { /* the addresses go before priority 0 leaves */
            assert_false(c->stopped);
            assert_true(stat_of(c, "Sent: ") == sent);
        }
        if (how == 0) {
            struct msg_inst_done m = { .inst = id, .seq = c->to_ipvsd.seq[id] };
            chan_send(c->ipvsd_far, MSG_inst_done, &m, NULL, 0);
            turns(c);
        } else if (how == 1) {
            pass(c, c->now + 101 * NS_PER_MS);
        }
        assert_true(c->stopped);
        assert_true(stat_of(c, "Sent: ") == sent + 1);
        assert_true(stat_of(c, "Priority Zero:\n    Received: 0\n    Sent: ") == 1);
        pass(c, c->now + 5 * NS_PER_SEC);
        assert_true(stat_of(c, "Sent: ") == sent + 1);
        finish(c);
    }
}

static void test_restart_on_purpose(void **state)
{
    (void)state;
    struct child *dead = master();
    dead->ops->on_stop(dead, STOP_WHY_RESTART, dead->arg);
    turns(dead);
    assert_true(dead->stopped);
    assert_string_equal(dead->to_ipvsd.text, "");
    assert_true(stat_of(dead, "Priority Zero:\n    Received: 0\n    Sent: ") == 0);
    struct child *c = successor(dead, 30 * NS_PER_MS);
    turns(c);
    assert_string_equal(c->to_parent.text, "");
    finish(c);
    finish(dead);
}

static void quiet(enum role who, enum log_level level, const char *text, void *arg)
{
    (void)who;
    (void)level;
    (void)arg;
    if (getenv("TEST_LOG") != NULL)
        printf("  log: %s\n", text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cold_start),
        cmocka_unit_test(test_facts_decide),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_reload_shifts_ids),
        cmocka_unit_test(test_reload_unchanged),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_crash_keeps_the_grid),
        cmocka_unit_test(test_ipvsd_dies),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_restart_on_purpose),
    };
    log_init(ROLE_VRRPD, LOG_LEVEL_DEBUG);
    log_sink(quiet, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
