/*
 * machine.c - the machine of a house beside its VRRP sockets, false: the wall clock and the random numbers of
 * its kernel, and vrrpd/bfd_io.h's part of vrrpd/bfd_int.h. The library's own are not linked then. Called by
 * vrrpd's own code and by house.c.
 */
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

bool machine_hears_bfd(const struct house *h)
{
    return bfd_io_rx(h->v->bfd, h->t->bfd6 ? 6 : 4, false)->fd >= 0;
}

void machine_deliver_bfd(struct house *h)
{
    struct datagram q[HOUSE_QUEUE];
    unsigned int n = h->nbfd_q;
    memcpy(q, h->bfd_q, n * sizeof *q);
    h->nbfd_q = 0;
    for (unsigned int k = 0; k < n; k++)
        rule_deliver_bfd(h, &q[k]);
}

void bfd_io_poll(struct bfd_rx *r)
{
    struct house *h = machine_of(r->l->v->child);
    uint64_t turn = ev_now(r->l->ev);
    if (r->fd < 0 || r->polled_at == turn)
        return;
    r->polled_at = turn;
    if (h->nbfd_q > 0)
        machine_deliver_bfd(h);
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
    h->t->bfd_packets++;
    town_carry(h->t, POST_BFD, &d, to);
    foe_hears_bfd(h->t, &d, to);
    return 0;
}
