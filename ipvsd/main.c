/*
 * main.c - the life of holdfast-ipvsd, the only process with CAP_NET_ADMIN and CAP_NET_RAW. Start and reload
 * are the same code: name the interfaces, adopt the model, open what is missing, compare with the kernel at
 * the end of the turn.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ipvsd/addr_apply.h"
#include "ipvsd/addrwatch.h"
#include "ipvsd/bfd_sock.h"
#include "ipvsd/check_sock.h"
#include "ipvsd/garp.h"
#include "ipvsd/instance.h"
#include "ipvsd/ipvs.h"
#include "ipvsd/ipvsd.h"
#include "ipvsd/link.h"
#include "ipvsd/list.h"
#include "ipvsd/linkbeat.h"
#include "ipvsd/model.h"
#include "ipvsd/nft_accept.h"
#include "ipvsd/nft_ipvs.h"
#include "ipvsd/plan_dump.h"
#include "ipvsd/present.h"
#include "ipvsd/route_kernel.h"
#include "ipvsd/proctrack.h"
#include "ipvsd/report.h"
#include "ipvsd/sock.h"
#include "ipvsd/syncd.h"
#include "ipvsd/sysctl.h"
#include "ipvsd/vmac.h"
#include "ipvsd/will.h"

#define MAIN_FAREWELL (500 * NS_PER_MS) /* vrrpd's time to resign once the parent is gone */

/* ---- a turn
 * ---------------------------------------------------------------------------------------------------------
 */

static void main_turn(void *arg)
{
    struct ipvsd *d = arg;
    struct chan *ch = child_peer(d->child, ROLE_VRRPD);
    vmac_turn(d);
    addr_apply(d);
    garp_flush(d);
    link_tell(d, false);
    present_tell(d->sources, ch, false);
    if (ch != NULL)
        chan_flush(ch);
    ipvs_turn(d); /* after the addresses and what vrrpd waits for */
    syncd_turn(d->syncd);
    present_tell(d->present, child_peer(d->child, ROLE_CHECKD), false);
}

static int main_configure(struct ipvsd *d, const struct slice *s, struct model *m)
{
    link_configure(d, s);
    if (d->model == NULL)
        sysctl_restore_snapshot(d);
    garp_configure(d, s);
    if (present_configure(d->present, s))
        d->resync = true;
    if (present_configure(d->sources, s))
        d->resync = true;
    sysctl_igmp(d, s);
    check_sock_configure(d->check_socks, s);
    syncd_configure(d->syncd, s);
    proctrack_configure(d->proctrack, s);
    if (d->resync)
        link_resync(d);
    vmac_configure(d, s); /* before the addresses and sockets that need them */
    if (d->resync)
        link_resync(d);
    linkbeat_configure(d->linkbeat, s);
    model_adopt(d, m);
    nft_accept_configure(d->accept, s);
    sock_configure(d, s);
    bfd_sock_configure(d->bfd, s);
    addr_apply(d); /* what is no longer configured is gone before the parent hears "committed" */
    link_forget_unnamed(d);
    return 0;
}

/* Everything a vrrpd must know before it may begin. */
static void main_tell(struct ipvsd *d, struct chan *ch)
{
    struct msg_facts_done done = { .generation = child_generation(d->child) };
    link_tell(d, true);
    present_tell(d->sources, ch, true);
    proctrack_tell(d->proctrack, ch);
    nft_accept_tell(d->accept, ch);
    chan_send(ch, MSG_facts_done, &done, NULL, 0);
    chan_flush(ch);
}

/* ---- child_ops
 * ------------------------------------------------------------------------------------------------------ */

/* A predecessor died about a reload, and may have left what only its former configuration names: that is
 * looked for here, so that what follows as if by a commit finds it and takes it out. Nothing is made. */
static int main_succeed(struct ipvsd *d, const struct slice *former)
{
    struct err e = { 0 };
    struct model *m = model_build(former, &e);
    if (m == NULL) {
        log_err("the former configuration: %s: %s", e.object, e.text);
        return -1;
    }
    d->succeeding = true;
    link_configure(d, former);
    sysctl_restore_snapshot(d);
    link_resync(d);
    vmac_configure(d, former);
    model_adopt(d, m);
    route_kernel_sync(d);
    route_kernel_doubt(d); /* what the new ones are is read after these are gone */
    return 0;
}

static int main_start(struct child *c, const struct slice *s, void *arg)
{
    struct ipvsd *d = arg;
    struct err e = { 0 };
    d->child = c;
    d->ev = child_ev(c);
    addr_apply_init(d);
    sock_init(d);
    d->vmacs = vmac_new(d);
    d->check_socks = check_sock_new(d);
    d->bfd = bfd_sock_new(d);
    d->present = present_new(PRESENT_SERVICES);
    d->sources = present_new(PRESENT_SOURCES);
    d->linkbeat = linkbeat_new(d);
    d->syncd = syncd_new(d);
    d->nft = nft_ipvs_new(d);
    d->accept = nft_accept_new(d);
    d->routes = route_kernel_new(d);
    d->list = list_new(d);
    d->proctrack = proctrack_new(d);
    if (link_open(d) < 0 || garp_open(d) < 0) {
        log_err("netlink or packet socket: %s", strerror(errno));
        return -1;
    }
    if (child_watch_addresses(c)) {
        d->watch = addrwatch_new(d->cmd.portid);
        d->resync = true; /* also with nothing configured */
    }
    if (child_former(c) != NULL && main_succeed(d, child_former(c)) < 0)
        return -1;
    struct model *m = model_build(s, &e);
    if (m == NULL) {
        log_err("%s: %s", e.object, e.text);
        return -1;
    }
    if (ipvs_start(d, s) < 0)
        return -1;
    nft_ipvs_commit(d->nft);
    ev_hook_add(d->ev, main_turn, d);
    int rc = main_configure(d, s, m);
    d->succeeding = false;
    return rc;
}

static int main_prepare(struct child *c, const struct slice *next, struct err *e, void *arg)
{
    struct ipvsd *d = arg;
    (void)c;
    d->next = model_build(next, e);
    if (d->next != NULL && ipvs_prepare(d, next, e) == 0)
        return 0;
    model_free(d->next);
    d->next = NULL;
    return -1;
}

static void main_commit(struct child *c, const struct slice *old, const struct slice *now, void *arg)
{
    struct ipvsd *d = arg;
    struct model *m = d->next;
    struct chan *ch = child_peer(c, ROLE_VRRPD);
    (void)old;
    d->next = NULL;
    main_configure(d, now, m);
    link_rcvbuf(d);
    route_kernel_rcvbuf(d);
    ipvs_commit(d);
    nft_ipvs_commit(d->nft);
    instance_new_peer(d);
    if (ch != NULL)
        main_tell(d, ch);
}

static void main_plan(struct child *c, const struct slice *next, int fd, void *arg)
{
    (void)c;
    plan_dump(arg, next, fd);
}

static void main_abort(struct child *c, void *arg)
{
    struct ipvsd *d = arg;
    (void)c;
    model_free(d->next);
    d->next = NULL;
    ipvs_abort(d);
    nft_ipvs_abort(d->nft);
}

static void main_peer(struct child *c, struct chan *ch, enum role peer, void *arg)
{
    struct ipvsd *d = arg;
    (void)c;
    if (peer == ROLE_CHECKD) {
        ipvs_peer(d);
        check_sock_new_peer(d->check_socks);
        present_tell(d->present, ch, true);
    }
    if (peer != ROLE_VRRPD)
        return;
    instance_new_peer(d);
    sock_tell_all(d);
    bfd_sock_tell_all(d->bfd);
    main_tell(d, ch);
}

/* The end: what is in the kernel because of us goes, unless -V or a restart on purpose. */
static void main_wind_down(struct ipvsd *d)
{
    ev_timer_stop(d->ev, &d->farewell);
    if (!child_keep_addresses(d->child)) {
        will_owe(d);
        instance_withdraw_all(d);
    }
    d->model->statics.state = VRRP_STATE_STOP;
    model_touch(d, &d->model->statics);
    addr_apply(d);
    will_pay(d);
    if (!child_keep_addresses(d->child)) {
        nft_accept_stop(d->accept);
        vmac_stop(d);
    }
    sysctl_restore_all(d);
    syncd_stop(d->syncd);
    child_stopped(d->child);
}

static void main_on_farewell(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    log_warn("vrrpd did not finish in time after the parent's end: withdrawing every address");
    main_wind_down(arg);
}

static void main_peer_dead(struct child *c, enum role peer, void *arg)
{
    struct ipvsd *d = arg;
    (void)c;
    if (peer != ROLE_VRRPD)
        return;
    d->synced = false;
    if (d->stopping)
        main_wind_down(d);
}

static void main_stop(struct child *c, enum stop_why why, void *arg)
{
    struct ipvsd *d = arg;
    d->stopping = true;
    ipvs_stop(d, why);
    /* entries that stay are nothing without the marks of their packets */
    if (why != STOP_WHY_RESTART && why != STOP_WHY_PARENT_GONE && !child_keep_ipvs(c))
        nft_ipvs_stop(d->nft);
    if (why == STOP_WHY_RESTART) { /* the successor goes on where we stood */
        child_stopped(c);
        return;
    }
    if (why == STOP_WHY_PARENT_GONE && child_peer(c, ROLE_VRRPD) != NULL) {
        ev_timer_init(&d->farewell, main_on_farewell, d);
        ev_timer_in(d->ev, &d->farewell, MAIN_FAREWELL);
        return;
    }
    ev_timer_init(&d->farewell, main_on_farewell, d);
    main_wind_down(d);
}

/* vrrpd cannot be kept alive: its routers resign, their addresses go, the peers take over. */
static int main_handover(struct ipvsd *d, const struct msg_handover *m)
{
    if (m->role != ROLE_VRRPD)
        return 0;
    log_err("handing over in vrrpd's place: every address is withdrawn, priority 0 is sent for every MASTER");
    will_send_all(d);
    instance_withdraw_all(d);
    syncd_handover(d->syncd);
    return 0;
}

static int main_sock_want(struct ipvsd *d, const struct chan_msg *m)
{
    if (m->generation != child_generation(d->child))
        return 0; /* said before the reload reached it: who still wants one asks again */
    return check_sock_want(d->check_socks, &m->body->sock_want);
}

static int main_msg(struct child *c, enum role from, const struct chan_msg *m, void *arg)
{
    (void)c;
    if (from == ROLE_VRRPD)
        return instance_msg(arg, m);
    if (from == ROLE_CHECKD && (m->type == MSG_rs_state || m->type == MSG_lvs_sync))
        return ipvs_msg(arg, m);
    if (from == ROLE_CHECKD && m->type == MSG_sock_want)
        return main_sock_want(arg, m);
    if (from == ROLE_PARENT && m->type == MSG_handover)
        return main_handover(arg, &m->body->handover);
    return -1;
}

static void main_dump(struct child *c, enum dump_what what, int fd, void *arg)
{
    struct ipvsd *d = arg;
    (void)c;
    (void)what;
    dprintf(fd,
            "ipvsd: %zu instances, %zu interfaces, %zu addresses mirrored\n"
            "  added %llu, removed %llu, repaired %llu, exchanges %llu, resyncs %llu, announced %llu (%llu "
            "refused)\n",
            d->model->ninsts, d->links.n, d->links.addrs.n, (unsigned long long)d->adds,
            (unsigned long long)d->dels, (unsigned long long)d->repairs, (unsigned long long)d->exchanges,
            (unsigned long long)d->resyncs, (unsigned long long)d->garp.sent,
            (unsigned long long)d->garp.dropped);
    for (size_t k = 0; k < d->model->ninsts; k++)
        dprintf(fd, "  %s: %s, %zu addresses\n", model_inst_name(&d->model->insts[k]),
                vrrp_state_name(d->model->insts[k].state), d->model->insts[k].nvips);
    for (size_t k = 0; k < d->links.n; k++)
        dprintf(fd, "  interface %s: index %u, flags %x, mtu %u\n", d->links.v[k]->name,
                d->links.v[k]->ifindex, d->links.v[k]->flags, d->links.v[k]->mtu);
    sock_dump(d, fd);
    vmac_dump(d, fd);
    bfd_sock_dump(d->bfd, fd);
    check_sock_dump(d->check_socks, fd);
    syncd_dump(d->syncd, fd);
    proctrack_dump(d->proctrack, fd);
    nft_accept_dump(d->accept, fd);
    linkbeat_dump(d->linkbeat, fd);
    nft_ipvs_dump(d->nft, fd);
    ipvs_dump(d, fd);
}

static bool main_ipvs(struct child *c, size_t *cursor, FILE *f, void *arg)
{
    struct ipvsd *d = arg;
    (void)c;
    return list_report(d->list, cursor, f);
}

static bool main_report(struct child *c, uint32_t obj, size_t *cursor, FILE *f, void *arg)
{
    (void)c;
    return report_kernel(arg, obj, cursor, f);
}

/* Sockets in the namespace of net_namespace_ipvs, for which the jail leaves no way. */
static int main_pre_jail(void *arg)
{
    struct ipvsd *d = arg;
    return other_ns_open(&d->other, child_netns());
}

static size_t main_keep_fds(int *fds, size_t max, void *arg)
{
    const struct ipvsd *d = arg;
    return other_ns_keep(&d->other, fds, max);
}

int main(void)
{
    static const struct child_ops ops = {
        .on_start = main_start,
        .on_prepare = main_prepare,
        .on_commit = main_commit,
        .on_abort = main_abort,
        .on_plan = main_plan,
        .on_peer = main_peer,
        .on_peer_dead = main_peer_dead,
        .on_msg = main_msg,
        .on_stop = main_stop,
        .on_dump = main_dump,
        .on_ipvs = main_ipvs,
        .on_report = main_report,
        .keep_fds = main_keep_fds,
    };
    return child_run(ROLE_IPVSD, &ops, main_pre_jail, xcalloc(1, sizeof(struct ipvsd)));
}
