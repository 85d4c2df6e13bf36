/*
 * false.c - what vrrpd sees of the world, false: common/chan.h and vrrpd/io.h (common/child.h: test/false),
 * so that many of them live in one process without a system call. The library's own are not linked then.
 * Everything is handed on at once: messages to the rules, datagrams to the town. Called by vrrpd's own code.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "test/sim/house.h"

#define FALSE_IP4 20 /* an IPv4 header */

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

#define FALSE_OUT 64

struct false_queued {
    struct io_out *o;
    struct io_sock *s;
};

struct io {
    const struct io_ops *ops;
    struct vrrpd *v;
    struct ev *ev;
    struct false_queued out[FALSE_OUT];
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
    *o = (struct io_out){ .owner = owner,
                          .buf = buf,
                          .len = (uint16_t)len,
                          .ttl = (int16_t)(s->ttl >= 0 ? s->ttl : 255),
                          .src = *s->src,
                          .dst = *s->dst,
                          .queued = o->queued };
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
    (void)reject_fd;
    s->accept_fd = accept_fd;
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

static bool false_is_ah(const struct io_sock *s)
{
    return strstr(((const struct vsock *)s->arg)->name, "-ah/") != NULL;
}

void io_send(struct io_sock *s, struct io_out *o)
{
    struct io *io = s->io;
    struct house *h = false_house(io);
    size_t before = false_is_ah(s) ? PACKET_AH_LEN : 0;
    if (s->accept_fd < 0)
        return;
    if (o->len < before + PACKET_HEADER || o->len > BYTES_MAX - FALSE_IP4)
        rule_broken(h->t, "house %u: an advert of %u bytes", h->nr, o->len);
    rule_on_send(h, o->owner, o->buf + before, o->len - before);
    if (o->queued)
        return;
    if (io->n == FALSE_OUT)
        rule_broken(h->t, "house %u: more to send than there is", h->nr);
    io->out[io->n++] = (struct false_queued){ o, s };
    o->queued = true;
}

void io_forget(struct io_sock *s, const void *owner)
{
    struct io *io = s->io;
    size_t kept = 0;
    for (size_t i = 0; i < io->n; i++) {
        if (io->out[i].o->owner == owner)
            io->out[i].o->queued = false;
        else
            io->out[kept++] = io->out[i];
    }
    io->n = kept;
}

/* ---- as the kernel makes a datagram of it */

static void false_head4(struct datagram *d)
{
    uint8_t *p = d->bytes;
    memset(p, 0, FALSE_IP4);
    p[0] = 0x45;
    p[1] = 0xc0;
    p[2] = (uint8_t)(d->len >> 8);
    p[3] = (uint8_t)d->len;
    p[6] = 0x40;
    p[8] = (uint8_t)d->ttl;
    p[9] = d->proto;
    memcpy(p + 12, d->src.b, 4);
    memcpy(p + 16, d->dst.b, 4);
}

static void false_sum6(struct datagram *d)
{
    d->bytes[6] = d->bytes[7] = 0;
    uint16_t sum = packet_checksum(&d->src, &d->dst, d->bytes, d->len);
    d->bytes[6] = (uint8_t)(sum >> 8);
    d->bytes[7] = (uint8_t)sum;
}

static uint64_t false_number(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t k = 0; k < n; k++)
        v = v << 8 | p[k];
    return v;
}

/* What its receivers may hold it to. */
static void false_truth(struct datagram *d, const struct house *h, const struct vi_plan *p)
{
    struct packet_view v;
    size_t len = d->len - d->pdu;
    if (packet_parse(d->src.family, d->bytes + d->pdu, len, &v) < 0)
        rule_broken(h->t, "house %u sends what is no advert", h->nr);
    d->bare = p->auth == AUTH_HMAC && len == v.need;
    if (p->auth == AUTH_AH) {
        d->mark = false_number(d->bytes + d->pdu - PACKET_AH_LEN + 8, 4);
    } else if (p->auth == AUTH_HMAC && !d->bare) {
        const uint8_t *trailer = d->bytes + d->len - AUTH_TRAILER;
        d->key = trailer[1];
        d->mark = false_number(trailer + 4, 8);
        d->signed_at = rule_stamp_ns(d->mark);
    }
}

static void false_leave(struct house *h, const struct io_out *o, const struct io_sock *s)
{
    struct town *t = h->t;
    size_t head = s->family == 4 ? FALSE_IP4 : 0;
    unsigned int to = 0;
    struct datagram d = { .src = o->src,
                          .dst = o->dst,
                          .ttl = o->ttl,
                          .proto = false_is_ah(s) ? PACKET_PROTO_AH : PACKET_PROTO,
                          .from = h->nr,
                          .member = rule_member_of(o->owner),
                          .len = head + o->len };
    d.pdu = head + (d.proto == PACKET_PROTO_AH ? PACKET_AH_LEN : 0);
    memcpy(d.bytes + head, o->buf, o->len);
    if (s->family == 4)
        false_head4(&d);
    else
        false_sum6(&d);
    false_truth(&d, h, &h->plan.vi[d.member]);
    while (to < t->nhouses && !ipaddr_same(house_addr(&t->house[to], s->family), &d.dst))
        to++;
    if (to == t->nhouses)
        to = HOUSES_MAX;
    t->adverts++;
    rule_on_leave(h, &d, to);
    town_carry(t, POST_ADVERT, &d, to);
    if (t->foe)
        foe_hears(t, &d, to);
}

void io_patience(struct io *io, uint64_t interval, uint64_t skew)
{
    (void)io; /* our wire hands over at once */
    (void)interval;
    (void)skew;
}

void io_flush(struct io *io)
{
    struct false_queued out[FALSE_OUT];
    size_t n = io->n;
    if (n == 0)
        return;
    memcpy(out, io->out, n * sizeof *out);
    io->n = 0;
    for (size_t i = 0; i < n; i++) {
        out[i].o->queued = false;
        false_leave(false_house(io), out[i].o, out[i].s);
        io->ops->sent(out[i].o, 0, io->v);
    }
}

/* ---- as the kernel hands it over */

static void false_hand(struct house *h, struct datagram *d)
{
    struct packet_rx rx = { .src = d->src,
                            .dst = d->dst,
                            .family = d->src.family,
                            .proto = d->proto,
                            .ttl = d->ttl,
                            .payload = d->bytes,
                            .len = d->len };
    if (d->src.family == 4 && packet_split4(d->bytes, d->len, &rx) < 0)
        rule_broken(h->t, "what is no IPv4 datagram has arrived");
    rx.real_at = d->wall_at;
    rule_deliver(h, d, &rx);
}

void false_deliver(struct house *h, const struct io_sock *only)
{
    struct datagram q[HOUSE_QUEUE];
    unsigned int n = h->nq;
    memcpy(q, h->q, n * sizeof *q);
    h->nq = 0;
    for (unsigned int i = 0; i < n; i++) {
        if (only == NULL || only == &h->v->inst[q[i].member]->sock->io)
            false_hand(h, &q[i]);
        else
            h->q[h->nq++] = q[i];
    }
}

void io_sock_poll(struct io_sock *s)
{
    uint64_t turn = ev_now(s->io->ev);
    if (s->accept_fd < 0 || s->polled_at == turn)
        return;
    s->polled_at = turn;
    if (false_house(s->io)->nq > 0)
        false_deliver(false_house(s->io), s);
}
