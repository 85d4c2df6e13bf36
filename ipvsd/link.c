/*
 * link.c - see link.h. The mirror of links and addresses: fed by the monitor, by dumps when news were lost,
 * and by what addr_apply.c had acknowledged. Only interfaces the configuration names are kept.
 */
#include "ipvsd/link.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "common/compat.h"
#include "common/err.h"
#include "ipvsd/addr_apply.h"
#include "ipvsd/addrwatch.h"
#include "ipvsd/garp.h"
#include "ipvsd/linkbeat.h"
#include "ipvsd/model.h"
#include "ipvsd/present.h"
#include "ipvsd/rcvbuf.h"
#include "ipvsd/route_kernel.h"
#include "ipvsd/sock.h"
#include "ipvsd/sysctl.h"
#include "ipvsd/vmac.h"

#define LINK_MON_RCVBUF (16 << 20) /* news of thousands of addresses in one burst */
#define LINK_CMD_RCVBUF (1 << 20)
#define LINK_DUMP_TRIES 5
#define LINK_UNUSABLE   (IFA_F_TENTATIVE | IFA_F_DADFAILED)

/* ---- tables
 * ------------------------------------------------------------------------------------------------------- */

static void link_tell_one(struct ipvsd *d, struct chan *ch, struct iface *i, bool all);

static int link_cmp(const void *a, const void *b)
{
    const struct iface *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

struct iface *link_find(struct ipvsd *d, const char *name)
{
    struct iface key = { 0 };
    const struct iface *p = &key;
    if (name == NULL || strlen(name) >= sizeof key.name || d->links.n == 0)
        return NULL;
    memcpy(key.name, name, strlen(name));
    struct iface **hit = bsearch(&p, d->links.v, d->links.n, sizeof(struct iface *), link_cmp);
    return hit != NULL ? *hit : NULL;
}

struct iface *link_by_index(struct ipvsd *d, uint32_t ifindex)
{
    struct iface *i;
    LIST_FOREACH (i, &d->links.buckets[ifindex % LINKS_BUCKETS], by_index)
        if (i->ifindex == ifindex)
            return i;
    return NULL;
}

static struct iface *link_new(const char *name)
{
    struct iface *i = xcalloc(1, sizeof *i);
    memcpy(i->name, name, strnlen(name, sizeof i->name - 1));
    TAILQ_INIT(&i->addrs);
    for (int k = 0; k < GARP_KIND_MAX; k++) {
        TAILQ_INIT(&i->garp[k].first);
        TAILQ_INIT(&i->garp[k].again);
    }
    i->space = &i->own_space;
    i->promote_saved = -1;
    i->dirty = true;
    return i;
}

void link_configure(struct ipvsd *d, const struct slice *s)
{
    struct links *l = &d->links;
    size_t known = l->n;
    for (size_t k = 0; k < l->n; k++)
        l->v[k]->named = false;
    for (const struct slice_obj *o = slice_next(s, NULL, BLK_IFACE, SLICE_ANY_PARENT); o != NULL;
         o = slice_next(s, o, BLK_IFACE, SLICE_ANY_PARENT)) {
        struct iface key = { 0 }, *i = NULL;
        const struct iface *p = &key;
        memcpy(key.name, o->name, strnlen(o->name, sizeof key.name - 1));
        struct iface **hit = known > 0 ? bsearch(&p, l->v, known, sizeof(struct iface *), link_cmp) : NULL;
        if (hit == NULL) {
            i = link_new(o->name);
            l->v = xrealloc(l->v, (l->n + 1) * sizeof(struct iface *));
            l->v[l->n++] = i;
            d->resync = true;
        } else {
            i = *hit;
        }
        i->named = true;
        i->id = o->id;
        i->told = false; /* by its new id */
        i->dirty = true;
    }
    if (l->n > 0)
        qsort(l->v, l->n, sizeof(struct iface *), link_cmp);
}

static void link_detach(struct ipvsd *d, struct iface *i)
{
    if (i->ifindex == 0)
        return;
    LIST_REMOVE(i, by_index);
    kaddr_drop_all(&d->links.addrs, &i->addrs);
    i->ifindex = 0;
    i->flags = 0;
    route_kernel_links_changed(d);
    i->mac_len = 0;
    i->mtu = 0;
    i->dirty = true;
    memset(&i->vlan, 0, sizeof i->vlan);
    garp_clear_iface(d, i);
    sysctl_iface_gone(i);
    vmac_touch(d);
}

void link_forget_unnamed(struct ipvsd *d)
{
    size_t kept = 0;
    for (size_t k = 0; k < d->links.n; k++) {
        struct iface *i = d->links.v[k];
        if (i->named) {
            d->links.v[kept++] = i;
            continue;
        }
        link_detach(d, i);
        free(i);
    }
    d->links.n = kept;
}

/* ---- news
 * -----------------------------------------------------------------------------------------------------------
 */

static void link_touch_users(struct ipvsd *d, const struct iface *i, bool announce)
{
    struct model *m = d->model;
    for (size_t k = 0; m != NULL && k <= m->ninsts; k++) {
        struct inst *in = k < m->ninsts ? &m->insts[k] : &m->statics;
        bool uses = false;
        for (size_t n = 0; n < in->nvips; n++) {
            if (in->vips[n].iface != i)
                continue;
            uses = true;
            if (announce)
                garp_returned(d, &in->vips[n]);
        }
        if (uses)
            model_touch(d, in);
    }
}

/* vrrpd hears of it before it hears of the sockets that were bound to it: this is the reason it gives. */
static void link_gone(struct ipvsd *d, struct iface *i)
{
    struct chan *ch = child_peer(d->child, ROLE_VRRPD);
    link_detach(d, i);
    if (ch != NULL && i->named && i->told)
        link_tell_one(d, ch, i, false);
    sock_retry(d);
}

/* Its name is another one now: what we put on it must not stay there. */
static void link_leave(struct ipvsd *d, struct iface *i, const char *name)
{
    struct model *m = d->model;
    if (i->ifindex == 0)
        return;
    for (size_t k = 0; m != NULL && k <= m->ninsts; k++) {
        const struct inst *in = k < m->ninsts ? &m->insts[k] : &m->statics;
        for (size_t n = 0; n < in->nvips; n++)
            if (in->vips[n].iface == i)
                addr_apply_orphan(d, &in->vips[n]);
    }
    vmac_renamed(d, i, name);
    link_gone(d, i);
}

static void link_on_link(struct ipvsd *d, const struct kevent_link *e)
{
    struct iface *was = link_by_index(d, e->ifindex), *i = link_find(d, e->name);
    if (was != NULL && was != i)
        link_leave(d, was, e->name);
    if (i == NULL)
        return;
    if (i->ifindex != e->ifindex)
        link_leave(d, i, i->name); /* its own new name, if it is not gone, is not known yet */
    bool appeared = i->ifindex == 0;
    uint32_t before = i->flags;
    bool vrf = i->vlan.vrf != e->vlan.vrf;
    bool moved = appeared || i->mac_len != e->mac_len || memcmp(i->mac, e->mac, sizeof i->mac) != 0;
    i->vlan = e->vlan;
    if (vrf)
        vmac_touch(d); /* those above follow it */
    if (!moved && before == e->flags && i->mtu == e->mtu && i->type == e->type)
        return;
    i->flags = e->flags;
    i->type = e->type;
    i->mtu = e->mtu;
    i->mac_len = e->mac_len;
    memcpy(i->mac, e->mac, sizeof i->mac);
    i->dirty = true;
    if (appeared) {
        i->ifindex = e->ifindex;
        LIST_INSERT_HEAD(&d->links.buckets[e->ifindex % LINKS_BUCKETS], i, by_index);
        d->resync = true; /* its addresses are not known yet */
        sysctl_iface_there(d, i);
    }
    bool came_up = (e->flags & ~before & (IFF_UP | IFF_RUNNING)) != 0;
    if (appeared || ((e->flags ^ before) & (IFF_UP | IFF_RUNNING)) != 0)
        route_kernel_links_changed(d);
    if (appeared || came_up || moved)
        link_touch_users(d, i, link_announces(i));
    if (appeared || came_up)
        sock_retry(d);
    if (appeared || came_up || (i->vmac && (before & ~e->flags & IFF_UP) != 0))
        vmac_touch(d);
}

static void link_on_addr(struct ipvsd *d, const struct kevent_addr *e)
{
    struct iface *i = link_by_index(d, e->ifindex);
    if (i == NULL)
        return;
    struct kaddr *k = kaddr_find(&d->links.addrs, e->ifindex, &e->addr);
    if (k != NULL && memcmp(&k->a, e, sizeof *e) == 0) {
        k->seen = true;
        return;
    }
    bool tentative = (e->flags & LINK_UNUSABLE) != 0;
    kaddr_put(&d->links.addrs, &i->addrs, e);
    i->dirty = true;
    for (struct vip *v = model_vip(d->model, NULL, i, &e->addr); v != NULL;
         v = model_vip(d->model, v, i, &e->addr)) {
        model_touch(d, v->inst);
        if (!tentative)
            garp_usable(d, v);
    }
}

/* News of another prefix length are old: an IPv6 address of which we changed it, and the kernel does not say
 * that it was us. */
static void link_addr_lost(struct ipvsd *d, struct iface *i, const struct ipaddr *a, uint32_t portid)
{
    struct kaddr *k = kaddr_find(&d->links.addrs, i->ifindex, a);
    if (k == NULL || k->a.addr.plen != a->plen)
        return;
    kaddr_drop(&d->links.addrs, &i->addrs, k);
    i->dirty = true;
    route_kernel_doubt(d); /* the kernel takes routes with this source along */
    for (struct vip *v = model_vip(d->model, NULL, i, a); v != NULL; v = model_vip(d->model, v, i, a)) {
        if (model_wanted(v) && (i->flags & IFF_UP)) {
            v->lost = true;
            v->repair.culprit = portid;
            if (v->no_track && portid != d->cmd.portid)
                v->abandoned = true;
        }
        model_touch(d, v->inst);
    }
}

static void link_on_event(const struct kevent *e, void *arg)
{
    struct ipvsd *d = arg;
    addrwatch_on_event(d->watch, e);
    switch (e->kind) {
    case KEVENT_LINK: link_on_link(d, &e->link); break;
    case KEVENT_LINK_GONE: {
        struct iface *i = link_by_index(d, e->link.ifindex);
        if (i != NULL)
            link_gone(d, i);
        present_on_link_gone(d->present, e->link.ifindex);
        present_on_link_gone(d->sources, e->link.ifindex);
        break;
    }
    case KEVENT_ADDR:
        present_on_addr(d->present, &e->addr);
        present_on_addr(d->sources, &e->addr);
        link_on_addr(d, &e->addr);
        break;
    case KEVENT_ADDR_GONE: {
        present_on_addr_gone(d->present, &e->addr);
        present_on_addr_gone(d->sources, &e->addr);
        struct iface *i = link_by_index(d, e->addr.ifindex);
        if (i != NULL)
            link_addr_lost(d, i, &e->addr.addr, e->portid);
        break;
    }
    }
}

void link_drain(struct ipvsd *d)
{
    if (nlsock_drain(&d->mon, link_on_event, d) == 0)
        return;
    if (errno == ENOBUFS)
        log_warn("news of links and addresses were lost (buffer full): reading all of them again");
    else
        log_err("reading news of links and addresses: %s; reading all of them again", strerror(errno));
    d->resync = true;
}

static void link_on_readable(struct ev_io *w, unsigned int got, void *arg)
{
    (void)w;
    (void)got;
    link_drain(arg);
}

/* ---- dump
 * -------------------------------------------------------------------------------------------------------------
 */

struct link_dump {
    struct ipvsd *d;
    uint32_t *seen; /* ifindexes */
    size_t n, cap;
};

static void link_dump_event(const struct kevent *e, void *arg)
{
    struct link_dump *x = arg;
    if (e->kind == KEVENT_LINK) {
        if (x->n == x->cap) {
            x->cap = 2 * x->cap + 16;
            x->seen = xrealloc(x->seen, x->cap * sizeof *x->seen);
        }
        x->seen[x->n++] = e->link.ifindex;
    }
    link_on_event(e, x->d);
}

static int link_dump(struct ipvsd *d, uint16_t type, struct link_dump *x)
{
    for (int n = 0; n < LINK_DUMP_TRIES; n++) {
        x->n = 0;
        if (nlsock_dump(&d->cmd, type, link_dump_event, x) == 0)
            return 0;
        if (errno != EINTR)
            return -1;
    }
    return -1;
}

static void link_sweep_links(struct ipvsd *d, const struct link_dump *x)
{
    for (size_t k = 0; k < d->links.n; k++) {
        struct iface *i = d->links.v[k];
        bool there = false;
        for (size_t n = 0; n < x->n && !there; n++)
            there = x->seen[n] == i->ifindex;
        if (!there && i->ifindex != 0)
            link_gone(d, i);
    }
}

static void link_sweep_addrs(struct ipvsd *d)
{
    for (size_t k = 0; k < d->links.n; k++) {
        struct iface *i = d->links.v[k];
        struct kaddr *a = TAILQ_FIRST(&i->addrs);
        while (a != NULL) {
            struct kaddr *next = TAILQ_NEXT(a, on_iface);
            struct ipaddr addr = a->a.addr;
            if (!a->seen)
                link_addr_lost(d, i, &addr, 0);
            a = next;
        }
    }
}

void link_resync(struct ipvsd *d)
{
    struct link_dump x = { .d = d };
    d->resyncs++;
    if (link_dump(d, RTM_GETLINK, &x) < 0)
        goto failed;
    link_sweep_links(d, &x);
    for (size_t k = 0; k < d->links.n; k++) {
        struct kaddr *a;
        TAILQ_FOREACH (a, &d->links.v[k]->addrs, on_iface)
            a->seen = false;
    }
    d->resync = false;
    present_dump_begin(d->present);
    present_dump_begin(d->sources);
    addrwatch_dump_begin(d->watch);
    if (link_dump(d, RTM_GETADDR, &x) < 0)
        goto failed;
    link_sweep_addrs(d);
    present_dump_end(d->present);
    present_dump_end(d->sources);
    addrwatch_dump_end(d->watch);
    free(x.seen);
    return;
failed:
    free(x.seen);
    log_err("reading links and addresses from the kernel: %s; trying again in 0.1 s", strerror(errno));
    d->resync = true;
    ev_timer_in(d->ev, &d->repair, 100 * NS_PER_MS);
}

void link_rcvbuf(struct ipvsd *d)
{
    const struct slice *s = child_slice(d->child);
    rcvbuf_fit(s, RCVBUF_MONITOR, d->mon.fd, LINK_MON_RCVBUF);
    rcvbuf_fit(s, RCVBUF_VRRP_CMD, d->cmd.fd, LINK_CMD_RCVBUF);
}

int link_open(struct ipvsd *d)
{
    uint32_t groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    kaddr_init(&d->links.addrs);
    if (nlsock_open(&d->mon, groups, LINK_MON_RCVBUF) < 0 || nlsock_open(&d->cmd, 0, LINK_CMD_RCVBUF) < 0)
        return -1;
    link_rcvbuf(d);
    d->mon_io = ev_io_add(d->ev, d->mon.fd, EV_READ, link_on_readable, d);
    return 0;
}

/* ---- facts
 * ------------------------------------------------------------------------------------------------------------
 */

bool link_announces(const struct iface *i)
{
    return i->ifindex != 0 && i->type == ARPHRD_ETHER && i->mac_len == 6 &&
           (i->flags & (IFF_UP | IFF_RUNNING | IFF_NOARP | IFF_LOOPBACK)) == (IFF_UP | IFF_RUNNING);
}

/* How good an address is as a source. A virtual one of ours is none; an owner's is the interface's own and
 * is. A static one may have come before the interface's own, and yields. */
enum link_rank { LINK_RANK_NONE, LINK_RANK_STATIC, LINK_RANK_SECONDARY, LINK_RANK_OWN };

static enum link_rank link_rank(struct ipvsd *d, const struct iface *i, const struct kaddr *k)
{
    enum link_rank rank = LINK_RANK_OWN;
    /* a VIP of the same subnet may have become the primary */
    if (k->a.addr.family == 4 && (k->a.flags & IFA_F_SECONDARY) != 0)
        rank = LINK_RANK_SECONDARY;
    for (struct vip *v = model_vip(d->model, NULL, i, &k->a.addr); v != NULL;
         v = model_vip(d->model, v, i, &k->a.addr)) {
        bool made = v->ours || k->a.proto == COMPAT_PROTO_VRRP;
        if (v->inst->obj != NULL && (made || !v->inst->owner))
            return LINK_RANK_NONE;
        if (v->inst->obj == NULL && made)
            rank = LINK_RANK_STATIC;
    }
    return rank;
}

struct ipaddr link_source(struct ipvsd *d, struct iface *i, uint8_t family)
{
    const struct kaddr *k, *best = NULL;
    enum link_rank rank = LINK_RANK_NONE;
    TAILQ_FOREACH (k, &i->addrs, on_iface) {
        if (k->a.addr.family != family || (k->a.flags & LINK_UNUSABLE) != 0)
            continue;
        if (family == 6 && !ipaddr_is_linklocal6(&k->a.addr))
            continue;
        enum link_rank now = link_rank(d, i, k);
        if (now <= rank)
            continue; /* the first of its rank */
        best = k;
        rank = now;
    }
    return best != NULL ? best->a.addr : (struct ipaddr){ 0 };
}

static void link_tell_one(struct ipvsd *d, struct chan *ch, struct iface *i, bool all)
{
    struct msg_link m;
    struct ipaddr a4 = link_source(d, i, 4), a6 = link_source(d, i, 6);
    memset(&m, 0, sizeof m);
    m.iface = i->id;
    m.ifindex = vmac_taken(d, i) ? 0 : i->ifindex;
    m.up = (i->flags & IFF_UP) != 0;
    m.running = linkbeat_running(i);
    m.multicast = (i->flags & IFF_MULTICAST) != 0;
    m.mtu = i->mtu <= INT32_MAX ? i->mtu : INT32_MAX;
    m.mac_len = i->mac_len;
    memcpy(m.mac, i->mac, i->mac_len);
    m.addr4_len = (uint16_t)ipaddr_len(&a4);
    memcpy(m.addr4, a4.b, m.addr4_len);
    m.addr6_len = (uint16_t)ipaddr_len(&a6);
    memcpy(m.addr6, a6.b, m.addr6_len);
    if (!all && i->told && memcmp(&m, &i->last, sizeof m) == 0)
        return;
    i->last = m;
    i->told = true;
    chan_send(ch, MSG_link, &m, NULL, 0);
}

void link_tell(struct ipvsd *d, bool all)
{
    struct chan *ch = child_peer(d->child, ROLE_VRRPD);
    for (size_t k = 0; k < d->links.n; k++) {
        struct iface *i = d->links.v[k];
        if (!i->dirty && !all)
            continue;
        i->dirty = false;
        if (ch != NULL && i->named)
            link_tell_one(d, ch, i, all);
    }
}
