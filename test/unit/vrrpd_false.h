/*
 * vrrpd_false.h - a false parent and a false ipvsd around vrrpd's own code, on a clock the test owns:
 * slices, facts, adverts; the process itself is test/false/child.h. For test_vrrpd*.c.
 */
#ifndef HOLDFAST_TEST_VRRPD_FALSE_H
#define HOLDFAST_TEST_VRRPD_FALSE_H

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

#include "common/clock.h"
#include "test/false/child.h"
#include "vrrpd/bfd_life.h"
#include "vrrpd/packet.h"
#include "vrrpd/snapshot.h"
#include "vrrpd/vrrpd.h"

#define T0 (1000 * NS_PER_SEC)

/* What was heard on a channel, newest state a key. */
struct heard {
    char text[4096]; /* "state 3 MASTER 7;" ... */
    uint32_t seq[64];
};

struct child_test {
    uint64_t now;
    struct chan *parent_far, *ipvsd_far, *checkd_far; /* the test's ends */
    struct heard to_parent, to_ipvsd, to_checkd;
    struct false_kept kept[FALSE_KEPT];
    int accept_far, reject_far; /* what is written here vrrpd receives */
};

/* ---- the other ends */

static void hear(struct heard *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void hear(struct heard *h, const char *fmt, ...)
{
    size_t n = strlen(h->text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(h->text + n, sizeof h->text - n, fmt, ap);
    va_end(ap);
}

static inline int on_msg(struct chan *c, const struct chan_msg *m, void *arg)
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
        if (m->body->inst_event.kind == INST_EVENT_STATE)
            hear(h, "%u=%s ", m->body->inst_event.inst,
                 vrrp_state_name((enum vrrp_state)m->body->inst_event.state));
        else
            hear(h, "%u:%s%u ", m->body->inst_event.inst,
                 m->body->inst_event.kind == INST_EVENT_PRIORITY ? "priority" : "lower",
                 m->body->inst_event.priority);
        break;
    case MSG_alert:
        hear(h, "%u=%s ", m->body->alert.obj, vrrp_state_name((enum vrrp_state)m->body->alert.state));
        break;
    case MSG_run: break; /* a script: the test says how it ended */
    default: fail_msg("unexpected message %s", proto_name(m->type));
    }
    return 0;
}

static inline void on_dead(struct chan *c, enum chan_end how, const char *why, void *arg)
{
    (void)c;
    (void)how;
    (void)why;
    (void)arg;
}

static const struct chan_ops far_ops = { on_msg, on_dead };

static inline int ours_msg(struct chan *ch, const struct chan_msg *m, void *arg)
{
    struct child *c = arg;
    return c->ops->on_msg(c, chan_peer(ch), m, c->arg);
}

static const struct chan_ops near_ops = { ours_msg, on_dead };

static inline void connect_pair(struct child *c, enum role peer, struct chan **near_end,
                                struct chan **far_end, struct heard *h)
{
    int fd[2];
    assert_int_equal(chan_pair(fd), 0);
    *near_end = chan_new(c->ev, fd[0], ROLE_VRRPD, peer, &near_ops, c);
    *far_end = chan_new(c->ev, fd[1], peer, ROLE_VRRPD, &far_ops, h);
    chan_set_generation(*near_end, child_generation(c));
    chan_set_generation(*far_end, child_generation(c));
}

static inline uint64_t clock_now(void *arg)
{
    return ((struct child *)arg)->test->now;
}

static inline void turns(struct child *c)
{
    for (int i = 0; i < 6; i++)
        ev_turn(c->ev, 0);
}

/* Time passes, deadline by deadline. */
static inline void pass(struct child *c, uint64_t until)
{
    turns(c);
    while (ev_next_deadline(c->ev) <= until) {
        if (ev_next_deadline(c->ev) > c->test->now)
            c->test->now = ev_next_deadline(c->ev);
        ev_turn(c->ev, 0);
    }
    c->test->now = until;
    turns(c);
}

/* ---- configuration */

struct vi {
    const char *name, *iface;
    uint8_t vrid, priority;
    uint64_t interval_us;
    const char *addr;
};

static inline struct slice *make_slice(uint32_t generation, const struct vi *vi, size_t n)
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

static inline uint32_t id_of(const struct child *c, enum blk blk, const char *name)
{
    const struct slice_obj *o = slice_find(c->slice, blk, name);
    assert_non_null(o);
    return o->id;
}

/* ---- the false ipvsd speaks */

static inline void tell_link(struct child *c, const char *iface, bool up)
{
    struct msg_link m = { .iface = id_of(c, BLK_IFACE, iface),
                          .ifindex = 7,
                          .up = up,
                          .running = up,
                          .mtu = 1500,
                          .multicast = 1,
                          .addr4_len = 4,
                          .addr4 = { 10, 0, 0, 5 } };
    chan_send(c->test->ipvsd_far, MSG_link, &m, NULL, 0);
}

static inline void tell_sock(struct child *c, const char *iface)
{
    char name[64];
    int a[2], r[2];
    snprintf(name, sizeof name, "%s/4/mcast/224.0.0.18", iface);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, a), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, r), 0);
    struct msg_sock m = { .sock = id_of(c, BLK_SOCKET, name), .ok = 1 };
    chan_send(c->test->ipvsd_far, MSG_sock, &m, (int[2]){ a[0], r[0] }, 2);
    if (c->test->accept_far >= 0)
        close(c->test->accept_far);
    if (c->test->reject_far >= 0)
        close(c->test->reject_far);
    c->test->accept_far = a[1];
    c->test->reject_far = r[1];
}

static inline void tell_done(struct child *c)
{
    struct msg_facts_done m = { .generation = child_generation(c) };
    chan_send(c->test->ipvsd_far, MSG_facts_done, &m, NULL, 0);
}

static inline void advert_from(int fd, uint8_t vrid, uint8_t priority, const char *addr, const char *src)
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
    ipaddr_parse(src, &s.src);
    memcpy(b + 12, s.src.b, 4);
    ipaddr_parse("224.0.0.18", &s.dst);
    int n = packet_build(&s, b + 20, sizeof b - 20);
    assert_true(n > 0);
    b[3] = (uint8_t)(20 + n);
    assert_int_equal(send(fd, b, (size_t)(20 + n), 0), 20 + n);
}

static inline void advert_to(int fd, uint8_t vrid, uint8_t priority, const char *addr)
{
    advert_from(fd, vrid, priority, addr, "10.0.0.9");
}

static inline void tell_file(struct child *c, uint32_t value)
{
    struct msg_file_value m = { .file = id_of(c, BLK_TFILE, "F"), .ok = 1, .value = value };
    chan_send(c->test->parent_far, MSG_file_value, &m, NULL, 0);
}

/* ---- life */

static inline struct child *start(struct slice *s, const struct child *former)
{
    struct child *c = calloc(1, sizeof *c);
    c->test = calloc(1, sizeof *c->test);
    c->test->now = former != NULL ? former->test->now : T0;
    c->test->accept_far = c->test->reject_far = -1;
    c->clock = (struct clock){ clock_now, c };
    c->ev = ev_new(&c->clock);
    c->slice = s;
    c->kept = c->test->kept;
    if (former != NULL) {
        memcpy(c->kept, former->kept, sizeof c->test->kept);
        c->restarted = true;
    }
    false_running(c);
    assert_int_equal(vrrpd_run(), 0);
    connect_pair(c, ROLE_PARENT, &c->parent, &c->test->parent_far, &c->test->to_parent);
    assert_int_equal(c->ops->on_start(c, s, c->arg), 0);
    return c;
}

static inline void meet_ipvsd(struct child *c)
{
    connect_pair(c, ROLE_IPVSD, &c->ipvsd, &c->test->ipvsd_far, &c->test->to_ipvsd);
    c->ops->on_peer(c, c->ipvsd, ROLE_IPVSD, c->arg);
}

static inline void lose_ipvsd(struct child *c)
{
    chan_free(c->ipvsd);
    chan_free(c->test->ipvsd_far);
    c->ipvsd = c->test->ipvsd_far = NULL;
    c->ops->on_peer_dead(c, ROLE_IPVSD, c->arg);
}

static inline void meet_checkd(struct child *c)
{
    connect_pair(c, ROLE_CHECKD, &c->checkd, &c->test->checkd_far, &c->test->to_checkd);
    c->ops->on_peer(c, c->checkd, ROLE_CHECKD, c->arg);
}

static inline void commit(struct child *c, struct slice *next)
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

static inline enum vrrp_state state_of(const struct child *c, size_t n)
{
    return ((struct vrrpd *)c->arg)->inst[n]->e.state;
}

static inline void
finish(struct child *c) /* what a process leaves to the kernel is given back here, for the sanitizer */
{
    struct vrrpd *v = c->arg;
    for (size_t n = 0; n < v->ninst; n++)
        inst_free(v->inst[n]);
    free(v->inst);
    track_end(v);
    group_end(v);
    bfd_life_free(v->bfd);
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
    chan_free(c->test->parent_far);
    chan_free(c->ipvsd);
    chan_free(c->checkd);
    chan_free(c->test->checkd_far);
    chan_free(c->test->ipvsd_far);
    if (c->test->accept_far >= 0)
        close(c->test->accept_far);
    if (c->test->reject_far >= 0)
        close(c->test->reject_far);
    ev_free(c->ev);
    slice_free(c->slice);
    free(c->test);
    free(c);
}

static inline void quiet(enum role who, enum log_level level, const char *text, void *arg)
{
    (void)who;
    (void)level;
    (void)arg;
    if (getenv("TEST_LOG") != NULL)
        printf("  log: %s\n", text);
}

#endif
