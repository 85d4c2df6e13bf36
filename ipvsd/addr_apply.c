/*
 * addr_apply.c - see addr_apply.h. Plan (addr_plan.c) every touched instance, run all requests in one
 * exchange, read the news that exchange caused, and look again: a primary that took its secondaries along, or
 * somebody who interfered meanwhile, is dealt with in the same turn. Only what the configuration names is
 * ever put in.
 */
#include "ipvsd/addr_apply.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/compat.h"
#include "common/err.h"
#include "ipvsd/addr_plan.h"
#include "ipvsd/garp.h"
#include "ipvsd/link.h"
#include "ipvsd/model.h"
#include "ipvsd/nft_accept.h"
#include "ipvsd/route_apply.h"
#include "ipvsd/route_kernel.h"

#define APPLY_KEEP   256 /* requests the next exchange has room for from the start */
#define APPLY_ROUNDS 4

struct addr_req {
    struct vip *vip; /* NULL: an orphan */
    bool add;
    struct iface *iface;
    uint32_t ifindex; /* it had then; the name may be another interface's when the answer comes */
    struct ipaddr addr;
    bool is_route;
    struct route_entry *route; /* NULL: an orphan */
};

/* ---- plan
 * -----------------------------------------------------------------------------------------------------------
 */

static bool apply_shared(const struct ipvsd *d, const struct vip *v)
{
    for (struct vip *o = model_vip(d->model, NULL, v->iface, &v->spec.addr); o != NULL;
         o = model_vip(d->model, o, v->iface, &v->spec.addr))
        if (o != v && model_wanted(o))
            return true;
    return false;
}

static struct addr_case apply_case(struct ipvsd *d, const struct vip *v)
{
    uint64_t now = ev_now(d->ev);
    struct addr_case c = { .wanted = model_wanted(v),
                           .changed = v->changed,
                           .ours = v->ours,
                           .owner = v->inst->owner,
                           .ipv6 = v->spec.addr.family == 6,
                           .held_back = v->abandoned || v->repair.held_until > now };
    const struct kaddr *k = NULL;
    if (v->iface != NULL && v->iface->ifindex != 0) {
        c.link_exists = true;
        c.link_up = (v->iface->flags & IFF_UP) != 0;
        k = kaddr_find(&d->links.addrs, v->iface->ifindex, &v->spec.addr);
    }
    if (k != NULL) {
        c.present = true;
        c.proto = k->a.proto;
        c.plen_equal = k->a.addr.plen == v->spec.addr.plen;
    }
    if (c.present && !c.wanted)
        c.shared = apply_shared(d, v);
    return c;
}

void addr_apply_wake_at(struct ipvsd *d, uint64_t when)
{
    if (!ev_timer_armed(&d->repair) || d->repair.deadline > when)
        ev_timer_at(d->ev, &d->repair, when);
}

static void apply_queue(struct ipvsd *d, struct nl_msg *m, struct addr_req r)
{
    nlbatch_add(&d->batch, m);
    if (d->nreqs == d->cap_reqs) {
        d->cap_reqs = 2 * d->cap_reqs + 32;
        d->reqs = xrealloc(d->reqs, d->cap_reqs * sizeof *d->reqs);
    }
    d->reqs[d->nreqs++] = r;
}

static void apply_request(struct ipvsd *d, struct vip *v, struct iface *i, const struct ipaddr *a, bool add)
{
    struct nl_msg *m = add ? addr_spec_add(&v->spec, i->ifindex) : addr_spec_del(a, i->ifindex);
    if (m == NULL)
        fatal("no memory for a netlink request");
    apply_queue(d, m,
                (struct addr_req){ .vip = v, .add = add, .iface = i, .ifindex = i->ifindex, .addr = *a });
}

void addr_apply_route(struct ipvsd *d, struct route_entry *e, struct nl_msg *m, bool add)
{
    apply_queue(d, m, (struct addr_req){ .add = add, .is_route = true, .route = e });
}

void addr_apply_orphan(struct ipvsd *d, const struct vip *v)
{
    struct addr_case c = apply_case(d, v);
    bool keep = child_keep_addresses(d->child) && d->stopping;
    bool let_go = c.wanted || v->inst->known || d->succeeding;
    if (c.present && !keep && let_go && addr_plan_removable(&c))
        apply_request(d, NULL, v->iface, &v->spec.addr, false);
}

static void apply_plan_decide(struct ipvsd *d, struct inst *i)
{
    bool told = i->known || d->synced;
    for (size_t n = 0; n < i->nvips; n++) {
        struct vip *v = &i->vips[n];
        struct addr_case c = apply_case(d, v);
        c.held_back = c.held_back || !nft_accept_holds(d->accept, v); /* not before its packets are dropped */
        v->op = told ? (uint8_t)addr_plan_decide(&c) : ADDR_OP_NONE;
        if (c.wanted && !c.present && v->repair.held_until > ev_now(d->ev))
            addr_apply_wake_at(d, v->repair.held_until);
        if (!c.wanted || c.present)
            v->lost = false;
    }
}

/* Secondaries go before any primary, which might take some along that are to stay or are about to go anyway.
 */
static void apply_plan_dels(struct ipvsd *d, struct inst *i, bool secondaries)
{
    for (size_t n = 0; n < i->nvips; n++) {
        struct vip *v = &i->vips[n];
        if (v->op != ADDR_OP_DEL && v->op != ADDR_OP_REPLACE)
            continue;
        const struct kaddr *k = kaddr_find(&d->links.addrs, v->iface->ifindex, &v->spec.addr);
        bool secondary = k != NULL && v->spec.addr.family == 4 && (k->a.flags & IFA_F_SECONDARY) != 0;
        if (secondary == secondaries)
            apply_request(d, v, v->iface, k != NULL ? &k->a.addr : &v->spec.addr, false);
    }
}

static void apply_plan_adds(struct ipvsd *d, struct inst *i)
{
    for (size_t n = 0; n < i->nvips; n++) {
        struct vip *v = &i->vips[n];
        if (v->op == ADDR_OP_ADD || v->op == ADDR_OP_REPLACE)
            apply_request(d, v, v->iface, &v->spec.addr, true);
    }
}

/* ---- repairs
 * ----------------------------------------------------------------------------------------------------------
 */

/* Somebody took it away and it is back. */
static void apply_repaired(struct ipvsd *d, struct vip *v)
{
    char addr[IPADDR_STRLEN], what[IPADDR_STRLEN + IFNAMSIZ + 16];
    uint64_t now = ev_now(d->ev);
    struct chan *ch = child_peer(d->child, ROLE_VRRPD);
    ipaddr_prefix_str(&v->spec.addr, addr);
    v->lost = false;
    if (v->repair.culprit == d->cmd.portid) {
        log_info("%s: address %s went along with a primary address of its subnet and has been put back",
                 model_inst_name(v->inst), addr);
        return;
    }
    d->repairs++;
    repair_count(&v->repair, now);
    if (v->inst->obj != NULL) {
        struct msg_vip_repaired m = { .inst = v->inst->id, .portid = v->repair.culprit };
        if (ch != NULL)
            chan_send(ch, MSG_vip_repaired, &m, NULL, 0);
    }
    snprintf(what, sizeof what, "address %s on %s", addr, v->iface->name);
    repair_say(&v->repair, now, model_inst_name(v->inst), what);
}

/* ---- results
 * ----------------------------------------------------------------------------------------------------------
 */

/* The acknowledgement is as good as the news of it, and may come first (IPv6). */
static void apply_mirror_add(struct ipvsd *d, const struct addr_req *r, bool ours)
{
    const struct addr_spec *s = &r->vip->spec;
    struct kevent_addr a;
    if (r->iface->ifindex != r->ifindex || kaddr_find(&d->links.addrs, r->ifindex, &s->addr) != NULL)
        return;
    memset(&a, 0, sizeof a);
    a.ifindex = r->iface->ifindex;
    a.addr = s->addr;
    a.flags = s->flags;
    if (s->addr.family == 6 && !(s->flags & IFA_F_NODAD))
        a.flags |= IFA_F_TENTATIVE;
    a.scope = s->scope;
    a.proto = ours ? COMPAT_PROTO_VRRP : 0;
    kaddr_put(&d->links.addrs, &r->iface->addrs, &a);
}

static void apply_failed(struct ipvsd *d, struct vip *v, bool add, int err)
{
    char addr[IPADDR_STRLEN];
    bool say = repair_refused(&v->repair, ev_now(d->ev));
    v->failed = true;
    addr_apply_wake_at(d, v->repair.held_until);
    if (say)
        log_err("%s: address %s cannot be %s %s: %s; trying again every second", model_inst_name(v->inst),
                ipaddr_prefix_str(&v->spec.addr, addr), add ? "added to" : "removed from", v->iface->name,
                strerror(err));
}

static void apply_added(struct ipvsd *d, const struct addr_req *r, int err)
{
    struct vip *v = r->vip;
    if (err != 0 && err != EEXIST) {
        apply_failed(d, v, true, err);
        return;
    }
    apply_mirror_add(d, r, err == 0);
    v->ours = err == 0;
    v->changed = false;
    v->failed = false;
    d->adds += err == 0;
    if (v->lost)
        apply_repaired(d, v);
    if (v->inst->obj != NULL && !v->inst->fresh)
        garp_added(d, v);
}

static void apply_removed(struct ipvsd *d, const struct addr_req *r, int err)
{
    struct vip *v = r->vip;
    char addr[IPADDR_STRLEN];
    if (err != 0 && err != EADDRNOTAVAIL && err != ENODEV) {
        if (v != NULL)
            apply_failed(d, v, false, err);
        else
            log_err("address %s is no longer configured, but cannot be removed from %s: %s",
                    ipaddr_prefix_str(&r->addr, addr), r->iface->name, strerror(err));
        return;
    }
    struct kaddr *k = kaddr_find(&d->links.addrs, r->ifindex, &r->addr);
    if (k != NULL && r->ifindex == r->iface->ifindex)
        kaddr_drop(&d->links.addrs, &r->iface->addrs, k);
    r->iface->dirty = true;
    d->dels += err == 0;
    route_kernel_doubt(d); /* the kernel takes routes with this source along */
    if (v != NULL)
        v->ours = v->failed = false;
}

/* One exchange. */
static void apply_exchange(struct ipvsd *d)
{
    int rc = nlbatch_run(&d->cmd, &d->batch);
    int saved = errno;
    d->exchanges++;
    if (rc < 0) {
        log_err("netlink exchange of %zu requests: %s; comparing with the kernel again", d->nreqs,
                strerror(saved));
        d->resync = true;
        route_kernel_doubt(d);
        ev_timer_in(d->ev, &d->repair, REPAIR_PAUSE);
    }
    for (size_t k = 0; k < d->nreqs && rc == 0; k++) {
        if (d->reqs[k].is_route)
            route_apply_answer(d, d->reqs[k].route, d->reqs[k].add, d->batch.err[k]);
        else if (d->reqs[k].add)
            apply_added(d, &d->reqs[k], d->batch.err[k]);
        else
            apply_removed(d, &d->reqs[k], d->batch.err[k]);
    }
    d->nreqs = 0;
    nlbatch_reset(&d->batch);
    if (d->cap_reqs >
        APPLY_KEEP) { /* a start or a failover of thousands: seldom, and larger than what stays */
        nlbatch_free(&d->batch);
        free(d->reqs);
        d->reqs = NULL;
        d->cap_reqs = 0;
    }
}

/* ---- the turn
 * ---------------------------------------------------------------------------------------------------------
 */

static bool apply_missing(const struct ipvsd *d, const struct vip *v)
{
    return model_wanted(v) && !v->abandoned &&
           (v->iface == NULL || v->iface->ifindex == 0 ||
            kaddr_find(&d->links.addrs, v->iface->ifindex, &v->spec.addr) == NULL);
}

static bool apply_failing(const struct ipvsd *d, const struct inst *i)
{
    for (size_t n = 0; n < i->nvips; n++)
        if (i->vips[n].failed || apply_missing(d, &i->vips[n]))
            return true;
    return false;
}

static void apply_announce(struct ipvsd *d, struct inst *i)
{
    if (i->fresh && i->state == VRRP_STATE_MASTER)
        garp_master(d, i);
    i->fresh = false;
}

static void apply_report(struct ipvsd *d, struct inst *i)
{
    bool failed = apply_failing(d, i);
    struct chan *ch = child_peer(d->child, ROLE_VRRPD);
    apply_announce(d, i);
    if (i->seq == 0)
        return;
    struct msg_inst_done m = { .inst = i->id, .seq = i->seq, .failed = failed };
    i->seq = 0;
    if (ch != NULL)
        chan_send(ch, MSG_inst_done, &m, NULL, 0);
}

void addr_apply(struct ipvsd *d)
{
    struct inst_queue settled = TAILQ_HEAD_INITIALIZER(settled);
    struct inst *i;
    if (TAILQ_EMPTY(&d->dirty) && d->nreqs == 0 && !d->resync && !route_kernel_pending(d))
        return;
    for (int round = 0; round < APPLY_ROUNDS; round++) {
        link_drain(d);
        if (d->resync && d->nreqs == 0) {
            link_resync(d);
            link_drain(d);
        }
        if (d->nreqs == 0)
            route_kernel_sync(d);
        struct inst_queue now = TAILQ_HEAD_INITIALIZER(now);
        TAILQ_CONCAT(&now, &d->dirty, next_dirty);
        TAILQ_FOREACH (i, &now, next_dirty)
            nft_accept_raise(d->accept, i);
        nft_accept_flush(d->accept, true);
        TAILQ_FOREACH (i, &now, next_dirty)
            apply_plan_decide(d, i);
        TAILQ_FOREACH (i, &now, next_dirty)
            route_apply_dels(d, i);
        TAILQ_FOREACH (i, &now, next_dirty)
            apply_plan_dels(d, i, true);
        TAILQ_FOREACH (i, &now, next_dirty)
            apply_plan_dels(d, i, false);
        TAILQ_FOREACH (i, &now, next_dirty)
            apply_plan_adds(d, i);
        TAILQ_FOREACH (i, &now, next_dirty)
            route_apply_adds(d, i);
        while ((i = TAILQ_FIRST(&now)) != NULL) {
            TAILQ_REMOVE(&now, i, next_dirty);
            i->dirty = false;
            if (!i->settling)
                TAILQ_INSERT_TAIL(&settled, i, next_settled);
            i->settling = true;
        }
        if (d->nreqs == 0 && !d->resync)
            break;
        if (d->nreqs > 0)
            apply_exchange(d);
        /* Acknowledged is enough to be announced: clients wait, the kernel's own news can be read after that.
         */
        TAILQ_FOREACH (i, &settled, next_settled)
            if (i->fresh && !apply_failing(d, i))
                apply_announce(d, i);
        garp_firsts(d);
    }
    while ((i = TAILQ_FIRST(&settled)) != NULL) {
        TAILQ_REMOVE(&settled, i, next_settled);
        i->settling = false;
        apply_report(d, i);
        nft_accept_lower(d->accept, i);
    }
    nft_accept_flush(d->accept, false);
    if (!TAILQ_EMPTY(&d->dirty))
        addr_apply_wake_at(d, ev_now(d->ev) + REPAIR_PAUSE); /* somebody works against us: not in this turn */
}

/* Something was held back: look at everything that is not as wanted. */
static void apply_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    struct ipvsd *d = arg;
    (void)t;
    (void)now;
    for (size_t k = 0; d->model != NULL && k <= d->model->ninsts; k++)
        model_touch(d, k < d->model->ninsts ? &d->model->insts[k] : &d->model->statics);
}

void addr_apply_init(struct ipvsd *d)
{
    TAILQ_INIT(&d->dirty);
    ev_timer_init(&d->repair, apply_on_timer, d);
}
