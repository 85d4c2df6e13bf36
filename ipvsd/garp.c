/*
 * garp.c - see garp.h. Each interface has two queues, ARP and NA, each in two halves: what has not been said
 * yet goes before every repetition, over all interfaces and instances. Without spacing all of it leaves in
 * this turn, repetitions in portions so that a thousand addresses do not hold up the loop.
 */
#include "ipvsd/garp.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "ipvsd/garp_frame.h"
#include "ipvsd/garp_space.h"
#include "ipvsd/link.h"
#include "ipvsd/model.h"
#include "ipvsd/sysctl.h"

#define GARP_SNAPSHOT_KEY 0x47415250u
#define GARP_BATCH        64
#define GARP_TURN_REPEATS 16              /* in one turn: who becomes MASTER meanwhile goes first */
#define GARP_RETRY        (2 * NS_PER_MS) /* the device's queue was full */

struct garp_batch {
    struct mmsghdr mm[GARP_BATCH];
    struct iovec iov[GARP_BATCH];
    struct sockaddr_ll to[GARP_BATCH];
    uint8_t frame[GARP_BATCH][GARP_FRAME_MAX];
    unsigned int n, sent;
};

/* ---- frames out
 * --------------------------------------------------------------------------------------------------- */

/* True: all gone. */
static bool garp_push(struct garp *g)
{
    struct garp_batch *b = g->batch;
    while (b->sent < b->n) {
        int rc = sendmmsg(g->fd, b->mm + b->sent, b->n - b->sent, MSG_DONTWAIT);
        if (rc > 0) {
            b->sent += (unsigned int)rc;
            g->sent += (unsigned int)rc;
        } else if (rc < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            return false;
        } else if (rc == 0 || errno != EINTR) {
            b->sent++; /* this interface cannot send now: the others can */
            g->dropped++;
        }
    }
    b->n = b->sent = 0;
    return true;
}

static void garp_frame(struct ipvsd *d, struct iface *i, const struct ipaddr *a)
{
    struct garp_batch *b = d->garp.batch;
    unsigned int k = b->n++;
    bool v4 = a->family == 4;
    size_t len = v4 ? garp_frame_arp(b->frame[k], i->mac, a)
                    : garp_frame_na(b->frame[k], i->mac, a, sysctl_forwarding6(d, i));
    b->to[k] = (struct sockaddr_ll){ .sll_family = AF_PACKET,
                                     .sll_protocol = htons(v4 ? ETH_P_ARP : ETH_P_IPV6),
                                     .sll_ifindex = (int)i->ifindex,
                                     .sll_halen = 6 };
    memcpy(b->to[k].sll_addr, b->frame[k], 6);
    b->iov[k] = (struct iovec){ b->frame[k], len };
    b->mm[k].msg_hdr = (struct msghdr){
        .msg_name = &b->to[k], .msg_namelen = sizeof b->to[k], .msg_iov = &b->iov[k], .msg_iovlen = 1
    };
}

/* ---- queues
 * ------------------------------------------------------------------------------------------------------- */

static struct garp_queue *garp_queue_of(const struct vip *v)
{
    return &v->iface->garp[v->spec.addr.family == 4 ? GARP_KIND_ARP : GARP_KIND_NA];
}

void garp_clear(struct ipvsd *d, struct vip *v)
{
    (void)d;
    v->pend = v->owed = 0;
    if (v->queued_first)
        TAILQ_REMOVE(&garp_queue_of(v)->first, v, queue);
    else if (v->queued_again)
        TAILQ_REMOVE(&garp_queue_of(v)->again, v, queue);
    v->queued_first = v->queued_again = false;
}

static void garp_put(struct ipvsd *d, struct vip *v, bool first)
{
    struct garp_queue *q = garp_queue_of(v);
    if (first)
        TAILQ_INSERT_TAIL(&q->first, v, queue);
    else
        TAILQ_INSERT_TAIL(&q->again, v, queue);
    v->queued_first = first;
    v->queued_again = !first;
    if (!v->iface->garp_active) {
        v->iface->garp_active = true;
        TAILQ_INSERT_TAIL(&d->garp.active, v->iface, garp_next);
    }
}

/* n announcements of v, as soon as it can be announced. */
static void garp_ask(struct ipvsd *d, struct vip *v, uint32_t n)
{
    if (n == 0 || v->iface == NULL)
        return;
    const struct kaddr *k =
        v->iface->ifindex != 0 ? kaddr_find(&d->links.addrs, v->iface->ifindex, &v->spec.addr) : NULL;
    bool usable = k != NULL && ((k->a.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0 ||
                                (k->a.flags & IFA_F_OPTIMISTIC) != 0);
    if (!usable || !link_announces(v->iface)) {
        v->owed = n;
        return;
    }
    v->owed = 0;
    if (v->queued_again)
        garp_clear(d, v); /* its first announcement is new again */
    if (n > v->pend)
        v->pend = n;
    if (!v->queued_first)
        garp_put(d, v, true);
}

static void garp_ask_all(struct ipvsd *d, struct inst *i, uint32_t n)
{
    for (size_t k = 0; k < i->nvips; k++)
        garp_ask(d, &i->vips[k], n);
}

/* Takes one announcement out of a queue. False: nothing, or not yet (then *wake is when). */
static bool garp_take(struct ipvsd *d, struct iface *i, enum garp_kind kind, bool first, uint64_t *wake)
{
    struct garp_queue *q = &i->garp[kind];
    uint64_t now = ev_now(d->ev);
    struct vip *v = TAILQ_FIRST(first ? &q->first : &q->again);
    if (v == NULL)
        return false;
    if (!garp_space_free(i, kind, now, wake))
        return false;
    uint32_t left = v->pend > 0 ? v->pend - 1 : 0, owed = v->owed;
    d->garp.firsts += first;
    garp_frame(d, i, &v->spec.addr);
    garp_clear(d, v);
    v->owed = owed;
    v->pend = left;
    if (left > 0)
        garp_put(d, v, false);
    garp_space_used(i, kind, now);
    return true;
}

/* True: the device takes no more now. */
static bool garp_round(struct ipvsd *d, bool first, unsigned int budget, uint64_t *wake)
{
    struct iface *i;
    TAILQ_FOREACH (i, &d->garp.active, garp_next) {
        for (int kind = 0; kind < GARP_KIND_MAX; kind++) {
            while (budget > 0 && garp_take(d, i, (enum garp_kind)kind, first, wake)) {
                budget--;
                if (d->garp.batch->n == GARP_BATCH && !garp_push(&d->garp))
                    return true;
            }
        }
    }
    if (budget == 0)
        *wake = ev_now(d->ev);
    return !garp_push(&d->garp);
}

static void garp_retire(struct ipvsd *d)
{
    struct iface *i = TAILQ_FIRST(&d->garp.active);
    while (i != NULL) {
        struct iface *next = TAILQ_NEXT(i, garp_next);
        bool idle = true;
        for (int k = 0; k < GARP_KIND_MAX; k++)
            idle = idle && TAILQ_EMPTY(&i->garp[k].first) && TAILQ_EMPTY(&i->garp[k].again);
        if (idle) {
            TAILQ_REMOVE(&d->garp.active, i, garp_next);
            i->garp_active = false;
        }
        i = next;
    }
}

/* Interfaces that share a spacing take turns. */
static void garp_rotate(struct ipvsd *d)
{
    struct iface *i = TAILQ_FIRST(&d->garp.active);
    if (i == NULL || TAILQ_NEXT(i, garp_next) == NULL)
        return;
    TAILQ_REMOVE(&d->garp.active, i, garp_next);
    TAILQ_INSERT_TAIL(&d->garp.active, i, garp_next);
}

void garp_firsts(struct ipvsd *d)
{
    uint64_t wake = TIME_NEVER; /* the end of the turn asks again */
    if (!TAILQ_EMPTY(&d->garp.active) && garp_push(&d->garp))
        garp_round(d, true, UINT32_MAX, &wake);
}

void garp_flush(struct ipvsd *d)
{
    uint64_t wake = TIME_NEVER;
    struct garp *g = &d->garp;
    if (g->burst_news)
        child_snapshot(d->child, GARP_SNAPSHOT_KEY, &g->burst_until, sizeof g->burst_until);
    g->burst_news = false;
    if (TAILQ_EMPTY(&g->active) && g->batch->n == 0)
        return;
    bool full = !garp_push(g) || garp_round(d, true, UINT32_MAX, &wake);
    if (!full && g->firsts == g->firsts_before)
        full = garp_round(d, false, GARP_TURN_REPEATS, &wake);
    else
        wake = ev_now(d->ev); /* the next turn may bring more that has not been said at all */
    g->firsts_before = g->firsts;
    if (full)
        wake = ev_now(d->ev) + GARP_RETRY;
    garp_retire(d);
    garp_rotate(d);
    if (wake != TIME_NEVER)
        ev_timer_at(d->ev, &g->timer, wake);
}

/* ---- clockwork
 * ------------------------------------------------------------------------------------------------------ */

/* The second announcement reads the whole configuration once more, seconds after everybody is done with it.
 */
static const struct slice_obj *garp_obj(const struct inst *i)
{
    if (i->obj != NULL)
        child_slice_read(i->d->child);
    return i->obj;
}

static uint32_t garp_uint(const struct inst *i, enum kw kw, uint32_t dflt)
{
    const struct slice_obj *o = garp_obj(i);
    return o != NULL ? (uint32_t)slice_uint(o, kw, dflt) : dflt;
}

static uint64_t garp_uint64(const struct inst *i, enum kw kw)
{
    const struct slice_obj *o = garp_obj(i);
    return o != NULL ? slice_uint(o, kw, 0) : 0;
}

static uint64_t garp_ns(const struct inst *i, enum kw kw, uint64_t dflt)
{
    const struct slice_obj *o = garp_obj(i);
    return o != NULL ? slice_ns(o, kw, dflt) : dflt;
}

static uint32_t garp_repeat(const struct inst *i)
{
    return garp_uint(i, KW_VI_GARP_MASTER_REPEAT, 5);
}

static uint64_t garp_delay(const struct inst *i)
{
    return garp_ns(i, KW_VI_GARP_MASTER_DELAY, 5 * NS_PER_SEC);
}

static void garp_on_burst(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    struct inst *i = arg;
    garp_ask_all(i->d, i, garp_repeat(i));
}

static void garp_on_lower(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    struct inst *i = arg;
    garp_ask_all(i->d, i, garp_uint(i, KW_VI_GARP_LOWER_PRIO_REPEAT, garp_repeat(i)));
}

static void garp_on_refresh(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)now;
    struct inst *i = arg;
    uint64_t every = garp_ns(i, KW_VI_GARP_MASTER_REFRESH, 0);
    if (every == 0)
        return;
    garp_ask_all(i->d, i, garp_uint(i, KW_VI_GARP_MASTER_REFRESH_REPEAT, 1));
    ev_timer_at(i->d->ev, t,
                t->deadline + every > ev_now(i->d->ev) ? t->deadline + every : ev_now(i->d->ev) + every);
}

/* ---- garp_extra_if: switches shall not forget macvlans that only answer
 * ------------------------------------------------------------------------------------------------------ */

#define GARP_EXTRA_ALL (UINT64_C(1) << 63) /* the word "all", beside the microseconds */

static uint64_t garp_extra_every(const struct inst *i)
{
    return (garp_uint64(i, KW_VI_GARP_EXTRA_IF) & ~GARP_EXTRA_ALL) * NS_PER_US;
}

/* One address of each interface its addresses are on, besides its own. */
static void garp_extra_ask(struct ipvsd *d, struct inst *i)
{
    const struct iface *own =
        link_find(d, slice_str(i->obj, KW_VI_X_VMAC, slice_str(i->obj, KW_VI_INTERFACE, NULL)));
    bool all = (garp_uint64(i, KW_VI_GARP_EXTRA_IF) & GARP_EXTRA_ALL) != 0;
    uint64_t round = ++d->garp.extra_rounds;
    for (size_t k = 0; k < i->nvips; k++) {
        struct iface *f = i->vips[k].iface;
        if (f == NULL || f == own || f->extra_round == round || !(all || f->vmac || f->vlan.macvlan))
            continue;
        f->extra_round = round;
        garp_ask(d, &i->vips[k], 1);
    }
}

static void garp_on_extra(struct ev_timer *t, uint64_t now, void *arg)
{
    struct inst *i = arg;
    uint64_t every = garp_extra_every(i);
    if (every == 0)
        return;
    garp_extra_ask(i->d, i);
    ev_timer_at(i->d->ev, t, t->deadline + every > now ? t->deadline + every : now + every);
}

static void garp_extra_from(struct ipvsd *d, struct inst *i)
{
    uint64_t every = garp_extra_every(i);
    if (every > 0)
        ev_timer_in(d->ev, &i->extra, every);
}

void garp_init_inst(struct inst *i)
{
    ev_timer_init(&i->extra, garp_on_extra, i);
    ev_timer_init(&i->burst, garp_on_burst, i);
    ev_timer_init(&i->lower, garp_on_lower, i);
    ev_timer_init(&i->refresh, garp_on_refresh, i);
}

static void garp_refresh_from(struct ipvsd *d, struct inst *i, uint64_t delay)
{
    uint64_t every = garp_ns(i, KW_VI_GARP_MASTER_REFRESH, 0);
    if (every > 0)
        ev_timer_in(d->ev, &i->refresh, delay + every);
}

void garp_resume(struct ipvsd *d, struct inst *i)
{
    if (d->garp.burst_until > ev_now(d->ev))
        ev_timer_at(d->ev, &i->burst, d->garp.burst_until);
    garp_refresh_from(d, i, 0);
    garp_extra_from(d, i);
}

void garp_master(struct ipvsd *d, struct inst *i)
{
    uint64_t delay = garp_delay(i), until = ev_now(d->ev) + delay;
    garp_ask_all(d, i, garp_repeat(i));
    garp_refresh_from(d, i, delay);
    garp_extra_from(d, i);
    if (delay == 0)
        return;
    ev_timer_at(d->ev, &i->burst, until);
    if (until > d->garp.burst_until) {
        d->garp.burst_until = until;
        d->garp.burst_news = true;
    }
}

void garp_lower(struct ipvsd *d, struct inst *i)
{
    uint32_t n = garp_uint(i, KW_VI_GARP_LOWER_PRIO_REPEAT, garp_repeat(i));
    uint64_t delay = garp_ns(i, KW_VI_GARP_LOWER_PRIO_DELAY, garp_delay(i));
    garp_ask_all(d, i, n);
    if (n > 0 && delay > 0)
        ev_timer_in(d->ev, &i->lower, delay);
}

void garp_again(struct ipvsd *d, struct inst *i)
{
    garp_ask_all(d, i, garp_repeat(i));
}

/* True: the address can be used on that interface now. */
static bool garp_has(const struct iface *f, const struct ipaddr *a)
{
    const struct kaddr *k;
    TAILQ_FOREACH (k, &f->addrs, on_iface)
        if (ipaddr_same(&k->a.addr, a))
            return (k->a.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0;
    return false;
}

/* While it was away a peer may have learnt another card, or a switch forgotten the port: unicast adverts
 * would go nowhere, and this router take over beside a living master. One frame, so none to be spaced. */
void garp_source(struct ipvsd *d, struct inst *i)
{
    const struct slice_obj *o = garp_obj(i);
    struct iface *f = o != NULL ? link_find(d, slice_str(o, KW_VI_INTERFACE, NULL)) : NULL;
    struct ipaddr src;
    if (f == NULL || !link_announces(f))
        return;
    if (!slice_ip(o, KW_VI_X_SRC, &src))
        src = link_source(d, f, (uint8_t)slice_uint(o, KW_VI_X_FAMILY, 4));
    if (!garp_has(f, &src) || (d->garp.batch->n == GARP_BATCH && !garp_push(&d->garp)))
        return;
    garp_frame(d, f, &src);
}

void garp_added(struct ipvsd *d, struct vip *v)
{
    garp_ask(d, v, garp_repeat(v->inst));
}

void garp_usable(struct ipvsd *d, struct vip *v)
{
    if (v->owed > 0 && model_wanted(v))
        garp_ask(d, v, v->owed);
}

void garp_returned(struct ipvsd *d, struct vip *v)
{
    if (v->inst->obj != NULL && model_wanted(v))
        garp_added(d, v);
}

void garp_stop(struct ipvsd *d, struct inst *i)
{
    ev_timer_stop(d->ev, &i->burst);
    ev_timer_stop(d->ev, &i->lower);
    ev_timer_stop(d->ev, &i->refresh);
    ev_timer_stop(d->ev, &i->extra);
    for (size_t k = 0; k < i->nvips; k++)
        garp_clear(d, &i->vips[k]);
}

void garp_clear_iface(struct ipvsd *d, struct iface *i)
{
    for (int k = 0; k < GARP_KIND_MAX; k++) {
        struct vip *v;
        while ((v = TAILQ_FIRST(&i->garp[k].first)) != NULL || (v = TAILQ_FIRST(&i->garp[k].again)) != NULL)
            garp_clear(d, v);
    }
    if (i->garp_active)
        TAILQ_REMOVE(&d->garp.active, i, garp_next);
    i->garp_active = false;
}

static void garp_move_timer(struct ev *ev, struct ev_timer *from, struct ev_timer *to)
{
    if (!ev_timer_armed(from))
        return;
    ev_timer_at(ev, to, from->deadline);
    ev_timer_stop(ev, from);
}

void garp_move(struct ipvsd *d, struct inst *from, struct inst *to)
{
    uint64_t every = garp_ns(to, KW_VI_GARP_MASTER_REFRESH, 0);
    garp_move_timer(d->ev, &from->burst, &to->burst);
    garp_move_timer(d->ev, &from->lower, &to->lower);
    garp_move_timer(d->ev, &from->refresh, &to->refresh);
    garp_move_timer(d->ev, &from->extra, &to->extra);
    if (to->state == VRRP_STATE_MASTER && every > 0 && !ev_timer_armed(&to->refresh))
        ev_timer_in(d->ev, &to->refresh, every);
    if (to->state == VRRP_STATE_MASTER && !ev_timer_armed(&to->extra))
        garp_extra_from(d, to);
}

void garp_move_vip(struct ipvsd *d, struct vip *from, struct vip *to)
{
    bool queued = from->queued_first || from->queued_again;
    uint32_t pend = from->pend;
    to->owed = from->owed;
    garp_clear(d, from);
    if (!queued)
        return;
    to->pend = pend;
    garp_put(d, to, false);
}

/* ---- start
 * ----------------------------------------------------------------------------------------------------------
 */

static void garp_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    (void)arg; /* the end of this turn flushes */
}

/* Of our predecessor: when the last second burst was due. */
static void garp_read_snapshot(struct ipvsd *d)
{
    struct child_snapshot s;
    size_t cursor = 0;
    while (child_snapshot_next(d->child, &cursor, &s))
        if (s.key == GARP_SNAPSHOT_KEY && s.len == sizeof d->garp.burst_until)
            memcpy(&d->garp.burst_until, s.data, sizeof d->garp.burst_until);
}

int garp_open(struct ipvsd *d)
{
    garp_read_snapshot(d);
    TAILQ_INIT(&d->garp.active);
    ev_timer_init(&d->garp.timer, garp_on_timer, d);
    d->garp.batch = xcalloc(1, sizeof *d->garp.batch);
    /* protocol 0: it sends, it never receives */
    d->garp.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return d->garp.fd < 0 ? -1 : 0;
}

void garp_configure(struct ipvsd *d, const struct slice *s)
{
    garp_space_configure(d, s);
}
