/*
 * false.c - what vrrpd sees of the world, false: common/chan.h and vrrpd/io.h (common/child.h: test/false),
 * so that many of them live in one process without a system call. The library's own are not linked then.
 * Everything is handed on at once: messages to the rules, datagrams to the town. Called by vrrpd's own code.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "test/sim/house.h"

#define FALSE_FD 1000 /* a number only: nothing reads it */

/* ---- common/chan.h */

static void false_run(struct house *h, const struct msg_run *m)
{
    struct post p = { .at = h->t->now + town_rnd(h->t, h->plan.script_interval / 2),
                      .kind = POST_RAN,
                      .to = h->nr,
                      .boots = h->boots,
                      .ran = { .obj = m->obj, .token = m->token, .how = RUN_END_EXIT } };
    const struct slice_obj *o = slice_next(h->child.slice, NULL, BLK_SCRIPT, SLICE_ANY_PARENT);
    while (o != NULL && o->id != m->obj) {
        p.script++;
        o = slice_next(h->child.slice, o, BLK_SCRIPT, SLICE_ANY_PARENT);
    }
    if (o == NULL)
        rule_broken(h->t, "house %u: a run of an unknown script %u", h->nr, m->obj);
    town_post(h->t, &p);
}

int chan_send(struct chan *c, enum msg_type t, const void *body, const int *fds, unsigned int nfds)
{
    (void)fds;
    (void)nfds;
    if (t == MSG_inst_event)
        rule_on_event(c->h, body);
    else if (t == MSG_inst_state)
        rule_on_state(c->h, body);
    else if (t == MSG_run)
        false_run(c->h, body);
    return 0; /* wills, announcements and brace: not about who is MASTER */
}

size_t chan_room(const struct chan *c)
{
    (void)c;
    return SIZE_MAX;
}

int chan_flush(struct chan *c)
{
    (void)c;
    return 0;
}

void chan_linger(struct chan *c, uint64_t ns)
{
    (void)c;
    (void)ns;
}

void chan_set_generation(struct chan *c, uint32_t gen)
{
    (void)c;
    (void)gen;
}

/* ---- vrrpd/io.h: datagrams leave with the flush, and arrive with their time */

struct io {
    const struct io_ops *ops;
    struct vrrpd *v;
    struct ev *ev;
    struct io_out *out[4 * MEMBERS_MAX];
    size_t n;
};

static struct house *false_house(const struct io *io)
{
    return (struct house *)io->v->child->clock.arg;
}

struct io *io_new(struct ev *ev, const struct io_ops *ops, void *arg)
{
    struct io *io = xcalloc(1, sizeof *io);
    io->ops = ops;
    io->v = arg;
    io->ev = ev;
    return io;
}

void io_out_set(struct io_out *o, void *owner, uint8_t *buf, size_t len, const struct io_out_spec *s)
{
    (void)s;
    o->owner = owner;
    o->buf = buf;
    o->len = (uint16_t)len;
}

void io_sock_init(struct io *io, struct io_sock *s, uint8_t family, void *arg)
{
    memset(s, 0, sizeof *s);
    s->io = io;
    s->arg = arg;
    s->family = family;
    s->accept_fd = s->reject_fd = -1;
}

void io_sock_attach(struct io_sock *s, int accept_fd, int reject_fd)
{
    (void)accept_fd;
    (void)reject_fd;
    s->accept_fd = FALSE_FD;
}

void io_sock_detach(struct io_sock *s)
{
    io_flush(s->io);
    s->accept_fd = -1;
}

void io_sock_release(struct io_sock *s)
{
    io_sock_detach(s);
}

bool io_sock_ready(const struct io_sock *s)
{
    return s->accept_fd >= 0;
}

void io_send(struct io_sock *s, struct io_out *o)
{
    struct io *io = s->io;
    struct house *h = false_house(io);
    if (s->accept_fd < 0)
        return;
    rule_on_send(h, o->owner, o->buf, o->len);
    if (o->queued)
        return;
    if (io->n == sizeof io->out / sizeof *io->out || o->len > ADVERT_MAX)
        rule_broken(h->t, "house %u: more to send than there is", h->nr);
    io->out[io->n++] = o;
    o->queued = true;
}

void io_forget(struct io_sock *s, const void *owner)
{
    struct io *io = s->io;
    size_t kept = 0;
    for (size_t i = 0; i < io->n; i++) {
        if (io->out[i]->owner == owner)
            io->out[i]->queued = false;
        else
            io->out[kept++] = io->out[i];
    }
    io->n = kept;
}

static void false_leave(struct house *h, const struct io_out *o)
{
    struct town *t = h->t;
    t->adverts++;
    for (unsigned int to = 0; to < t->nhouses; to++) {
        if (to == h->nr || t->cut[h->nr][to] || town_chance(t, t->loss) || !t->house[to].facts.own_link ||
            !h->facts.own_link)
            continue;
        struct post p = { .at = t->now + 1 + town_rnd(t, t->delay), .kind = POST_ADVERT, .to = to };
        p.d.src = h->addr;
        p.d.len = o->len;
        memcpy(p.d.bytes, o->buf, o->len);
        town_post(t, &p);
        if (town_chance(t, t->doubles)) {
            p.at += town_rnd(t, t->delay);
            town_post(t, &p);
        }
    }
}

void io_flush(struct io *io)
{
    size_t n = io->n;
    io->n = 0;
    for (size_t i = 0; i < n; i++) {
        io->out[i]->queued = false;
        false_leave(false_house(io), io->out[i]);
        io->ops->sent(io->out[i], 0, io->v);
    }
}

void false_deliver(struct house *h)
{
    struct heard_datagram q[HOUSE_QUEUE];
    unsigned int n = h->nq;
    memcpy(q, h->q, n * sizeof *q);
    h->nq = 0;
    for (unsigned int i = 0; i < n; i++) {
        struct packet_rx rx = { .src = q[i].src,
                                .family = 4,
                                .proto = PACKET_PROTO,
                                .ttl = 255,
                                .total_len = (uint16_t)(20 + q[i].len),
                                .ip_hlen = 20,
                                .payload = q[i].bytes,
                                .len = q[i].len };
        ipaddr_parse("224.0.0.18", &rx.dst);
        rule_on_rx(h, &q[i]);
        inst_packet(&h->v->socks->io, &rx, q[i].at, false, h->v);
    }
}

void io_sock_poll(struct io_sock *s)
{
    uint64_t turn = ev_now(s->io->ev);
    if (s->accept_fd < 0 || s->polled_at == turn)
        return;
    s->polled_at = turn;
    false_deliver(false_house(s->io));
}
