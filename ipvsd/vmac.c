/*
 * vmac.c - see vmac.h. Everything asked at one moment travels in one exchange: deletions, creations, then,
 * with the switches of each new interface set, what raises them. A macvlan is not handed to sockets before it
 * is as it must be (struct iface, fit). One that carries our alias is ours, whoever of us made it.
 */
#include "ipvsd/vmac.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ipvsd/link.h"
#include "ipvsd/nft_vmac.h"
#include "ipvsd/sock.h"
#include "ipvsd/sysctl.h"
#include "ipvsd/vmac_spec.h"
#include "ipvsd/vmac_switch.h"

#define VMAC_RETRY     NS_PER_SEC
#define VMAC_SAY_EVERY (30 * NS_PER_SEC)

enum vmac_ask { VMAC_ASK_NOTHING, VMAC_ASK_DELETE, VMAC_ASK_CREATE, VMAC_ASK_RAISE };

struct vmac {
    struct vmac_spec spec;
    struct iface *iface, *base;
    enum vmac_ask ask; /* in the exchange that is being prepared */
    struct log_limit said;
};

/* No longer configured; goes when vrrpd has said its farewell through it. */
struct vmac_doomed {
    char name[IFNAMSIZ];
    uint32_t ifindex;
};

struct vmacs {
    struct vmac *v;
    size_t n;
    struct vmac_doomed *doomed;
    size_t ndoomed;
    bool dirty;
    struct ev_timer retry;
    struct nlbatch batch;
    struct vmac_switches *switches;
    uint64_t made, removed;
    struct nft_vmac_pair *pairs; /* what the firewall knows */
    size_t npairs;
    bool pairs_said;
    struct nft_vmac_form form; /* how it is told */
    bool reform;
};

static void vmac_on_timer(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    vmac_touch(arg);
}

struct vmacs *vmac_new(struct ipvsd *d)
{
    struct vmacs *m = xcalloc(1, sizeof *m);
    ev_timer_init(&m->retry, vmac_on_timer, d);
    m->switches = vmac_switches_new(d);
    return m;
}

bool vmac_usable(const struct iface *i)
{
    return !i->vmac || (i->ifindex != 0 && i->fit == i->ifindex);
}

void vmac_touch(struct ipvsd *d)
{
    if (d->vmacs != NULL)
        d->vmacs->dirty = true;
}

/* ---- one exchange
 * ---------------------------------------------------------------------------------------------------- */

/* The kernel puts a macvlan on a macvlan onto what is below that; ipvlans likewise. */
static uint32_t vmac_lower(const struct vmac *v)
{
    const struct kevent_macvlan *base = &v->base->vlan;
    return (v->spec.ipvlan ? base->ipvlan : base->macvlan) ? base->lower : v->base->ifindex;
}

static enum vmac_fit vmac_fit(const struct vmac *v)
{
    return vmac_spec_fit(&v->spec, vmac_lower(v), &v->iface->vlan, v->iface->mac, v->iface->mac_len);
}

static bool vmac_there(const struct vmac *v)
{
    return v->base != NULL && v->iface != NULL && v->base->ifindex != 0;
}

bool vmac_taken(const struct ipvsd *d, const struct iface *i)
{
    if (d->vmacs == NULL || !i->vmac || i->ifindex == 0)
        return false;
    for (size_t k = 0; k < d->vmacs->n; k++) {
        const struct vmac *v = &d->vmacs->v[k];
        if (v->iface == i)
            return vmac_there(v) && vmac_fit(v) == VMAC_FIT_OTHER;
    }
    return false;
}

static const char *vmac_hint(const struct vmac *v, int err)
{
    return err == EOPNOTSUPP
               ? (v->spec.ipvlan ? " (this kernel has no ipvlan)" : " (this kernel has no macvlan)")
           : err == EBUSY ? " (macvlans and ipvlans, or a bridge, exclude each other on one interface)"
                          : "";
}

static void vmac_failed(struct ipvsd *d, struct vmac *v, const char *what, int err)
{
    uint64_t suppressed = 0;
    ev_timer_in(d->ev, &d->vmacs->retry, VMAC_RETRY);
    if (log_allow(&v->said, ev_now(d->ev), VMAC_SAY_EVERY, &suppressed))
        log_err("%s %s on %s cannot be %s: %s%s; its instance waits in FAULT, trying again every second",
                vmac_spec_kind(&v->spec), v->spec.name, v->spec.base, what, strerror(err), vmac_hint(v, err));
}

/* A macvlan belongs to the VRF of the interface below. What an administrator made stays where he put it. */
static bool vmac_elsewhere(const struct vmac *v)
{
    return v->iface->vlan.ours && v->iface->vlan.vrf != v->base->vlan.vrf;
}

static void vmac_request(struct vmac *v, struct nlbatch *b)
{
    struct nl_msg *m = NULL;
    struct vmac_change x = { 0 };
    switch (v->ask) {
    case VMAC_ASK_NOTHING: return;
    case VMAC_ASK_DELETE: m = vmac_spec_delete(v->iface->ifindex); break;
    case VMAC_ASK_CREATE: m = vmac_spec_create(&v->spec, v->base->ifindex); break;
    case VMAC_ASK_RAISE:
        x.near = vmac_fit(v) == VMAC_FIT_MAC;
        x.ours = v->iface->vlan.ours;
        x.move = vmac_elsewhere(v);
        x.vrf = v->base->vlan.vrf;
        m = vmac_spec_raise(&v->spec, v->iface->ifindex, &x);
        break;
    }
    if (m == NULL)
        fatal("no memory for a netlink request");
    nlbatch_add(b, m);
}

static void vmac_answer(struct ipvsd *d, struct vmac *v, int err)
{
    static const char *const what[] = { "", "removed", "made", "set up" };
    /* An interface that is down lets nothing above it go up: its coming up is news that leads here. */
    if (err == ENETDOWN && v->ask == VMAC_ASK_RAISE)
        err = 0;
    if (err != 0 && !(err == ENODEV && v->ask == VMAC_ASK_DELETE)) {
        vmac_failed(d, v, what[v->ask], err);
        return;
    }
    if (v->ask == VMAC_ASK_CREATE) {
        d->vmacs->made++;
        if (v->spec.ipvlan)
            log_notice("ipvlan %s made on %s", v->spec.name, v->spec.base);
        else
            log_notice("macvlan %s made on %s, address %02x:%02x:%02x:%02x:%02x:%02x", v->spec.name,
                       v->spec.base, v->spec.mac[0], v->spec.mac[1], v->spec.mac[2], v->spec.mac[3],
                       v->spec.mac[4], v->spec.mac[5]);
    }
}

/* Sends what is asked. True: something was, and the news of it have been read. */
static bool vmac_exchange(struct ipvsd *d)
{
    struct vmacs *m = d->vmacs;
    size_t at = 0;
    for (size_t k = 0; k < m->n; k++)
        vmac_request(&m->v[k], &m->batch);
    if (m->batch.n == 0)
        return false;
    int rc = nlbatch_run(&d->cmd, &m->batch);
    if (rc < 0) {
        log_err("netlink exchange about %zu virtual interfaces: %s; trying again in a second", m->batch.n,
                strerror(errno));
        ev_timer_in(d->ev, &m->retry, VMAC_RETRY);
        d->resync = true;
    }
    for (size_t k = 0; k < m->n; k++)
        if (m->v[k].ask != VMAC_ASK_NOTHING) {
            if (rc == 0)
                vmac_answer(d, &m->v[k], m->batch.err[at++]);
            m->v[k].ask = VMAC_ASK_NOTHING;
        }
    nlbatch_reset(&m->batch);
    link_drain(d);
    return true;
}

/* ---- from what is there to what is wanted
 * ---------------------------------------------------------------------------- */

static void vmac_plan_delete(struct ipvsd *d, struct vmac *v)
{
    uint64_t suppressed = 0;
    if (!vmac_there(v) || v->iface->ifindex == 0 || vmac_fit(v) != VMAC_FIT_OTHER)
        return;
    v->iface->fit = 0;
    if (v->iface->vlan.ours) {
        v->ask = VMAC_ASK_DELETE;
        return;
    }
    ev_timer_in(d->ev, &d->vmacs->retry, VMAC_RETRY);
    if (log_allow(&v->said, ev_now(d->ev), VMAC_SAY_EVERY, &suppressed))
        log_err("there is an interface %s already, which is no %s on %s and was not made by holdfast: its "
                "instance waits in FAULT; remove it, or give %s another name",
                v->spec.name, v->spec.ipvlan ? "ipvlan" : "private macvlan", v->spec.base,
                v->spec.ipvlan ? "use_ipvlan" : "use_vmac");
}

/* Of the right kind, on the right interface and with the virtual MAC itself, before we have touched any: what
 * a director left that did not come to its end. keepalived takes it for its own as well, and removes it. */
static bool vmac_left_over(const struct ipvsd *d, const struct vmac *v)
{
    bool first = d->model == NULL && !d->succeeding && !child_restarted(d->child);
    return first && !v->spec.ipvlan && !v->iface->vlan.ours && vmac_fit(v) == VMAC_FIT_YES;
}

/* What is new, down or has another address. Ours is marked with the same request. */
static void vmac_plan_raise(struct ipvsd *d, struct vmac *v, bool made)
{
    uint64_t more = 0;
    if (!vmac_there(v) || v->iface->ifindex == 0 || vmac_fit(v) == VMAC_FIT_OTHER)
        return;
    bool known = v->iface->fit == v->iface->ifindex;
    bool up = (v->iface->flags & IFF_UP) != 0;
    if (known && !up && v->base->flags & IFF_UP && log_allow(&v->said, ev_now(d->ev), VMAC_SAY_EVERY, &more))
        log_warn("%s was set down by somebody: it is set up again", v->spec.name);
    if (known && up && vmac_fit(v) == VMAC_FIT_YES && !vmac_elsewhere(v))
        return;
    made = made || (!known && !up && child_restarted(d->child)); /* the half work of a dead predecessor */
    if (!known && !made && vmac_left_over(d, v)) {
        made = true;
        log_info("macvlan %s was there already, with the virtual MAC: it is taken over, and removed at stop",
                 v->spec.name);
    }
    if (!known && !made && !v->iface->vlan.ours)
        log_info("%s %s was there already: it is used, and left at stop", vmac_spec_kind(&v->spec),
                 v->spec.name);
    v->iface->vlan.ours = v->iface->vlan.ours || made;
    v->ask = VMAC_ASK_RAISE;
}

/* Reports of memberships must not come from the virtual MAC; see nft_vmac.h. */
static void vmac_hush(struct ipvsd *d)
{
    struct vmacs *m = d->vmacs;
    struct nft_vmac_pair *now = xcalloc(m->n + 1, sizeof *now);
    size_t n = 0;
    for (size_t k = 0; k < m->n; k++)
        if (!m->v[k].spec.ipvlan && vmac_there(&m->v[k]) && m->v[k].iface->ifindex != 0 &&
            vmac_fit(&m->v[k]) != VMAC_FIT_OTHER)
            now[n++] = (struct nft_vmac_pair){ m->v[k].iface->ifindex, m->v[k].base->ifindex };
    bool asked = (m->reform && n > 0) || d->succeeding; /* what a predecessor told is not known */
    if (!asked && n == m->npairs && (n == 0 || memcmp(now, m->pairs, n * sizeof *now) == 0)) {
        free(now);
        return;
    }
    free(m->pairs);
    m->pairs = now;
    m->npairs = n;
    m->reform = false;
    if (nft_vmac_apply(&m->form, now, n) == 0 || m->pairs_said)
        return;
    m->pairs_said = true;
    log_warn(
        "nftables: %s; reports of multicast memberships leave with virtual MACs: switches that snoop may "
        "learn them at the port of a backup",
        strerror(errno));
}

static void vmac_unhush(const struct nft_vmac_form *form)
{
    if (nft_vmac_apply(form, NULL, 0) < 0)
        log_warn("nftables: table %s cannot be removed: %s", form->table, strerror(errno));
}

static void vmac_settle(struct ipvsd *d)
{
    struct vmacs *m = d->vmacs;
    bool *made = xcalloc(m->n + 1, sizeof *made), opened = false;
    m->dirty = false;
    for (size_t k = 0; k < m->n; k++)
        vmac_plan_delete(d, &m->v[k]);
    vmac_exchange(d);
    for (size_t k = 0; k < m->n; k++) {
        struct vmac *v = &m->v[k];
        made[k] = vmac_there(v) && v->iface->ifindex == 0;
        v->ask = made[k] ? VMAC_ASK_CREATE : VMAC_ASK_NOTHING;
    }
    vmac_exchange(d);
    for (size_t k = 0; k < m->n; k++) {
        struct vmac *v = &m->v[k];
        vmac_plan_raise(d, v, made[k]);
        if (v->ask == VMAC_ASK_RAISE && v->iface->fit != v->iface->ifindex) {
            vmac_switch_own(v->spec.name, v->spec.v4, v->spec.v6);
            v->iface->fit = v->iface->ifindex;
            opened = true;
        }
        if (vmac_there(v) && v->spec.v4 && !v->spec.ipvlan)
            vmac_switch_base(m->switches, v->base);
    }
    vmac_hush(d); /* before they are up */
    vmac_exchange(d);
    vmac_switches_save(m->switches);
    free(made);
    if (opened)
        sock_retry(d);
}

/* ---- configuration
 * --------------------------------------------------------------------------------------------------- */

static void vmac_doom(struct vmacs *m, const struct iface *i, const char *name)
{
    if (i == NULL || i->ifindex == 0 || !i->vlan.ours)
        return;
    m->doomed = xrealloc(m->doomed, (m->ndoomed + 1) * sizeof *m->doomed);
    struct vmac_doomed *x = &m->doomed[m->ndoomed++];
    memset(x->name, 0, sizeof x->name);
    memcpy(x->name, name, strnlen(name, sizeof x->name - 1));
    x->ifindex = i->ifindex;
}

static void vmac_pardon(struct vmacs *m, const char *name)
{
    for (size_t k = 0; k < m->ndoomed; k++)
        if (strcmp(m->doomed[k].name, name) == 0)
            m->doomed[k--] = m->doomed[--m->ndoomed];
}

static void vmac_read(struct ipvsd *d, struct vmac *v, const struct slice_obj *o)
{
    memset(v, 0, sizeof *v);
    if (vmac_spec_read(o, &v->spec) < 0)
        fatal("virtual interface %s in the slice is none",
              o->name); /* holdfast-conf makes them, nobody else */
    v->iface = link_find(d, v->spec.name);
    v->base = link_find(d, v->spec.base);
    if (v->iface != NULL)
        v->iface->vmac = true;
    vmac_pardon(d->vmacs, v->spec.name);
}

/* Its addresses of a family may be new: the switches are looked at again. */
static bool vmac_known(const struct vmac *old, size_t n, const struct vmac *v, bool *same)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(old[k].spec.name, v->spec.name) == 0) {
            *same = vmac_spec_same(&old[k].spec, &v->spec);
            return true;
        }
    return false;
}

void vmac_configure(struct ipvsd *d, const struct slice *now)
{
    struct vmacs *m = d->vmacs;
    struct vmac *old = m->v;
    size_t nold = m->n, n = 0;
    const struct slice_obj *o = NULL;
    bool same = false;
    if (old == NULL)
        vmac_switches_restore_snapshot(m->switches);
    while ((o = slice_next(now, o, BLK_VMAC, SLICE_ANY_PARENT)) != NULL)
        n++;
    m->v = xcalloc(n + 1, sizeof *m->v);
    m->n = 0;
    for (size_t k = 0; k < nold; k++)
        if (old[k].iface != NULL)
            old[k].iface->vmac = false;
    vmac_switches_begin(m->switches);
    while ((o = slice_next(now, o, BLK_VMAC, SLICE_ANY_PARENT)) != NULL) {
        struct vmac *v = &m->v[m->n++];
        vmac_read(d, v, o);
        if (v->iface != NULL && (!vmac_known(old, nold, v, &same) || !same))
            v->iface->fit = 0;
        if (v->base != NULL && v->spec.v4 && !v->spec.ipvlan)
            vmac_switch_base(m->switches, v->base);
    }
    for (size_t k = 0; k < nold; k++)
        if (!vmac_known(m->v, m->n, &old[k], &same))
            vmac_doom(m, old[k].iface, old[k].spec.name);
    free(old);
    vmac_switches_end(m->switches);
    struct nft_vmac_form was = m->form;
    bool told = m->npairs > 0 || d->succeeding;
    m->reform = nft_vmac_form_read(&m->form, now) || m->reform;
    if (d->succeeding && d->model == NULL) /* the former configuration: it is only looked at */
        return;
    vmac_settle(d);
    if (told && strcmp(was.table, m->form.table) != 0)
        vmac_unhush(&was);
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------------
 */

static void vmac_remove(struct ipvsd *d, const char *name, uint32_t ifindex)
{
    struct nl_msg *msg = vmac_spec_delete(ifindex);
    struct vmacs *m = d->vmacs;
    if (msg == NULL)
        fatal("no memory for a netlink request");
    nlbatch_add(&m->batch, msg);
    int rc = nlbatch_run(&d->cmd, &m->batch), err = rc < 0 ? errno : m->batch.err[0];
    nlbatch_reset(&m->batch);
    m->removed += err == 0;
    if (err == 0)
        log_notice("%s removed", name);
    else if (err != ENODEV)
        log_err("%s cannot be removed: %s; remove it by hand: ip link del %s", name, strerror(err), name);
}

void vmac_renamed(struct ipvsd *d, const struct iface *i, const char *name)
{
    if (d->vmacs == NULL || !i->vmac || strcmp(i->name, name) == 0)
        return;
    if (i->vlan.ours)
        log_warn("%s was renamed to %s by somebody: it is removed, and made again under its own name",
                 i->name, name);
    vmac_doom(d->vmacs, i, name);
}

void vmac_turn(struct ipvsd *d)
{
    struct vmacs *m = d->vmacs;
    if (m->dirty && !d->stopping)
        vmac_settle(d);
    if (!d->synced)
        return; /* vrrpd may still have to resign through one */
    for (size_t k = 0; k < m->ndoomed; k++)
        vmac_remove(d, m->doomed[k].name, m->doomed[k].ifindex);
    m->ndoomed = 0;
}

void vmac_stop(struct ipvsd *d)
{
    struct vmacs *m = d->vmacs;
    for (size_t k = 0; k < m->n; k++)
        vmac_doom(m, m->v[k].iface, m->v[k].spec.name);
    for (size_t k = 0; k < m->ndoomed; k++)
        vmac_remove(d, m->doomed[k].name, m->doomed[k].ifindex);
    m->ndoomed = 0;
    if (m->npairs > 0)
        vmac_unhush(&m->form);
    m->npairs = 0;
    vmac_switches_begin(m->switches);
    vmac_switches_end(m->switches);
}

/* ---- what would be
 * --------------------------------------------------------------------------------------------------- */

static const struct vmac *vmac_former(const struct vmacs *m, const struct vmac_spec *s)
{
    for (size_t k = 0; k < m->n; k++)
        if (strcmp(m->v[k].spec.name, s->name) == 0)
            return &m->v[k];
    return NULL;
}

/* True: its interface is another one then, or not the same as now. */
static bool vmac_foresee_own(struct ipvsd *d, const struct vmac_spec *s, FILE *f)
{
    const struct vmac *was = vmac_former(d->vmacs, s);
    const struct iface *i = link_find(d, s->name), *base = link_find(d, s->base);
    bool there = i != NULL && i->ifindex != 0;
    if (was != NULL && there && vmac_spec_same(&was->spec, s) && i->fit == i->ifindex)
        return false;
    struct vmac v = { .spec = *s, .base = link_find(d, s->base), .iface = link_find(d, s->name) };
    bool fresh = !there || base == NULL || vmac_fit(&v) == VMAC_FIT_OTHER;
    vmac_switch_own_foresee(s->name, s->v4, s->v6, fresh, f);
    return fresh;
}

static void vmac_foresee_tables(const struct vmacs *m, const struct slice *next, size_t n, bool moved,
                                FILE *f)
{
    struct nft_vmac_form form = m->form;
    const char *verb = m->npairs == 0 ? "add" : n == 0 ? "remove" : "put in anew";
    bool other = nft_vmac_form_read(&form, next) && n > 0;
    if ((n == 0 && m->npairs == 0) || (!moved && !other && n == m->npairs))
        return;
    fprintf(f, "%s nftables table ip %s (%zu macvlans)\n", verb, form.table, n);
    fprintf(f, "%s nftables table ip6 %s (%zu macvlans)\n", verb, form.table, n);
}

void vmac_foresee(struct ipvsd *d, const struct slice *next, FILE *f)
{
    const struct slice_obj *o = NULL;
    size_t n = 0, pairs = 0, all = 0;
    bool moved = false;
    while ((o = slice_next(next, o, BLK_VMAC, SLICE_ANY_PARENT)) != NULL)
        all++;
    struct vmac_spec *spec = xcalloc(all + 1, sizeof *spec);
    const char **bases = xcalloc(all + 1, sizeof *bases);
    for (size_t k = 0; (o = slice_next(next, o, BLK_VMAC, SLICE_ANY_PARENT)) != NULL; k++) {
        if (vmac_spec_read(o, &spec[k]) < 0 || sysctl_read("ipv4", spec[k].base, "arp_ignore") < 0)
            continue; /* its interface is not there: nothing is made yet */
        bool other = vmac_foresee_own(d, &spec[k], f);
        if (spec[k].ipvlan)
            continue;
        pairs++;
        moved = moved || other;
        if (spec[k].v4)
            bases[n++] = spec[k].base;
    }
    vmac_switch_bases_foresee(d->vmacs->switches, bases, n, f);
    vmac_foresee_tables(d->vmacs, next, pairs, moved, f);
    free(bases);
    free(spec);
}

void vmac_dump(const struct ipvsd *d, int fd)
{
    const struct vmacs *m = d->vmacs;
    for (size_t k = 0; k < m->n; k++) {
        const struct vmac *v = &m->v[k];
        dprintf(fd, "  %s %s on %s: %s%s\n", vmac_spec_kind(&v->spec), v->spec.name, v->spec.base,
                v->iface == NULL || v->iface->ifindex == 0 ? "missing"
                : vmac_usable(v->iface)                    ? "in use"
                                                           : "not as it must be",
                v->iface != NULL && v->iface->vlan.ours ? ", ours" : "");
    }
    dprintf(fd, "  virtual interfaces made %llu, removed %llu\n", (unsigned long long)m->made,
            (unsigned long long)m->removed);
}
