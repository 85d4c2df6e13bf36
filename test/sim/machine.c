/*
 * machine.c - the machine of a house beside its VRRP sockets, false: the wall clock and the random numbers of
 * its kernel, and vrrpd/bfd_io.h's part of vrrpd/bfd_int.h. The library's own are not linked then. Called by
 * vrrpd's own code and by house.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "test/sim/house.h"
#include "test/sim/world.h"
#include "vrrpd/bfd_int.h"
#include "vrrpd/bfd_take.h"

#define MACHINE_EPOCH (UINT64_C(1700000000) * NS_PER_SEC)

/* ---- common/clock.h */

static struct house *machine_of(const struct child *c)
{
    return c->clock.arg;
}

uint64_t machine_wall(const struct house *h, uint64_t at)
{
    return (uint64_t)((int64_t)(MACHINE_EPOCH + at) + h->skew);
}

void machine_step(struct house *h, int64_t skew)
{
    if (h->t->verbose)
        printf("%12.6f house %u: its wall clock jumps by %.3f s\n", (double)h->t->now / 1e9, h->nr,
               (double)(skew - h->skew) / 1e9);
    h->skew = skew;
}

uint64_t clock_realtime_ns(void)
{
    const struct child *c = false_running(NULL);
    return c != NULL ? machine_wall(machine_of(c), machine_of(c)->t->now) : MACHINE_EPOCH;
}

uint64_t clock_monotonic_ns(void)
{
    const struct child *c = false_running(NULL);
    return c != NULL ? machine_of(c)->t->now : 0;
}

static uint64_t machine_now(void *arg)
{
    (void)arg;
    return clock_monotonic_ns();
}

const struct clock *clock_system(void)
{
    static const struct clock system = { machine_now, NULL };
    return &system;
}

/* Of the kernel: a seed has to mean the same again. */
ssize_t getrandom(void *buf, size_t len, unsigned int flags)
{
    struct child *c = false_running(NULL);
    uint8_t *p = buf;
    uint64_t none = 1;
    (void)flags;
    for (size_t k = 0; k < len; k++)
        p[k] = (uint8_t)rnd_of(c != NULL ? &machine_of(c)->dice : &none, 256);
    return (ssize_t)len;
}

/* ---- BFD */

struct bfd_rx *bfd_io_rx(struct bfd_life *l, uint8_t family, bool multihop)
{
    return &l->rx[(family == 6 ? 1 : 0) + (multihop ? 2 : 0)];
}

void bfd_io_attach(struct bfd_rx *r, int fd)
{
    r->fd = fd;
}

void bfd_io_detach(struct bfd_rx *r)
{
    r->fd = -1;
}

/* Of one port, or (NULL) of all that are open; the rest waits. */
static void machine_hand_bfd(struct house *h, const struct bfd_rx *only)
{
    struct datagram q[HOUSE_QUEUE];
    unsigned int n = h->nbfd_q;
    memcpy(q, h->bfd_q, n * sizeof *q);
    h->nbfd_q = 0;
    for (unsigned int k = 0; k < n; k++) {
        const struct bfd_rx *r = bfd_io_rx(h->v->bfd, h->t->bfd6 ? 6 : 4, q[k].far);
        if (r->fd >= 0 && (only == NULL || only == r))
            rule_deliver_bfd(h, &q[k]);
        else if (!q[k].foe)
            h->bfd_q[h->nbfd_q++] = q[k];
    }
}

void machine_deliver_bfd(struct house *h)
{
    machine_hand_bfd(h, NULL);
}

void bfd_io_poll(struct bfd_rx *r)
{
    struct house *h = machine_of(r->l->v->child);
    uint64_t turn = ev_now(r->l->ev);
    if (r->fd < 0 || r->polled_at == turn)
        return;
    r->polled_at = turn;
    if (h->nbfd_q > 0)
        machine_hand_bfd(h, r);
}

int bfd_io_send(struct bfd_sess *s, const struct bfd_packet *p)
{
    struct house *h = machine_of(s->l->v->child);
    struct datagram d = { .src = *house_addr(h, s->dst.family),
                          .dst = s->dst,
                          .ttl = s->ttl,
                          .from = h->nr,
                          .len = BFD_PACKET_LEN };
    unsigned int to = 0;
    bfd_packet_encode(p, d.bytes);
    while (to < h->t->nhouses && !ipaddr_same(house_addr(&h->t->house[to], s->dst.family), &s->dst))
        to++;
    if (to == h->t->nhouses || !h->t->bfd[h->nr][to])
        rule_broken(h->t, "house %u: a BFD packet to a stranger", h->nr);
    d.far = h->t->far[h->nr][to];
    if (s->multihop != d.far || d.ttl != h->t->bfd_ttl)
        rule_broken(h->t, "house %u: a BFD packet to house %u by the wrong port, or with TTL %d", h->nr, to,
                    d.ttl);
    d.ttl -= d.far ? h->t->hops : 0;
    h->t->bfd_packets++;
    town_carry(h->t, POST_BFD, &d, to);
    foe_hears_bfd(h->t, &d, to);
    return 0;
}
