/* route_kernel.c - see route_kernel.h. */
#include "ipvsd/route_kernel.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/compat.h"
#include "common/err.h"
#include "ipvsd/model.h"
#include "ipvsd/rcvbuf.h"
#include "ipvsd/route_model.h"

#define ROUTE_RCVBUF     (8 << 20)
#define ROUTE_BUFFER     (32u * 1024)
#define ROUTE_DUMP_TRIES 5
#define ROUTE_DUMP_PAUSE (100 * NS_PER_MS)
#define ROUTE_IPV6_RULES (1u << (RTNLGRP_IPV6_RULE - 1))

struct route_kernel {
    struct ipvsd *d;
    struct nlsock mon, ask;
    bool open, doubt, links;
    bool shaken; /* interfaces changed: what is missing went with them, nobody took it */
    bool first;  /* the first comparison: what a dead predecessor left is ours */
};

struct route_kernel *route_kernel_new(struct ipvsd *d)
{
    struct route_kernel *k = xcalloc(1, sizeof *k);
    k->d = d;
    k->doubt = k->first = true;
    return k;
}

void route_kernel_doubt(struct ipvsd *d)
{
    d->routes->doubt = true;
}

void route_kernel_links_changed(struct ipvsd *d)
{
    d->routes->doubt = d->routes->links = true;
}

bool route_kernel_pending(const struct ipvsd *d)
{
    return d->routes->doubt && d->model != NULL && d->model->routes.n > 0;
}

/* ---- news
 * ----------------------------------------------------------------------------------------------------------
 */

static void route_lost(struct ipvsd *d, struct route_entry *e, uint32_t portid)
{
    if (!e->present)
        return;
    e->present = e->ours = false;
    if (e->inst->state == VRRP_STATE_MASTER && portid != d->cmd.portid &&
        !(portid == 0 && d->routes->shaken)) {
        e->lost = true;
        e->repair.culprit = portid;
        e->abandoned = e->no_track;
    }
    model_touch(d, e->inst);
}

static void route_heard(struct ipvsd *d, struct nlmsghdr *h)
{
    struct route_fact f;
    bool gone = h->nlmsg_type == RTM_DELROUTE || h->nlmsg_type == RTM_DELRULE;
    if (h->nlmsg_pid == d->cmd.portid || route_fact_read(h, &f) < 0)
        return;
    for (struct route_entry *e = NULL; (e = route_model_slot(&d->model->routes, e, &f)) != NULL;) {
        if (!route_fact_fulfils(&f, &e->want))
            d->routes->doubt = d->routes->doubt || e->present; /* replaced, or one path of several */
        else if (gone)
            route_lost(d, e, h->nlmsg_pid);
        else
            e->present = true;
    }
}

static void route_drain(struct ipvsd *d)
{
    alignas(struct nlmsghdr) uint8_t buf[ROUTE_BUFFER];
    struct sockaddr_nl from;
    struct iovec iov = { buf, sizeof buf };
    for (;;) {
        struct msghdr mh = {
            .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1
        };
        ssize_t n = recvmsg(d->routes->mon.fd, &mh, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != ENOBUFS)
            return;
        if (n < 0 || (mh.msg_flags & MSG_TRUNC) != 0) {
            d->routes->doubt = true;
            continue;
        }
        int left = from.nl_pid == 0 ? (int)n : 0;
        for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; nlmsg_ok(h, left); h = nlmsg_next(h, &left))
            route_heard(d, h);
    }
}

static void route_on_readable(struct ev_io *w, unsigned int got, void *arg)
{
    (void)w;
    (void)got;
    route_drain(arg);
}

void route_kernel_rcvbuf(struct ipvsd *d)
{
    const struct slice *s = child_slice(d->child);
    if (!d->routes->open)
        return;
    rcvbuf_fit(s, RCVBUF_VRRP_MONITOR, d->routes->mon.fd, ROUTE_RCVBUF);
    rcvbuf_fit(s, RCVBUF_VRRP_CMD, d->routes->ask.fd, ROUTE_RCVBUF);
}

static int route_open(struct route_kernel *k)
{
    uint32_t groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | ROUTE_IPV6_RULES;
    int one = 1;
    if (k->open)
        return 0;
    if (nlsock_open(&k->mon, groups, ROUTE_RCVBUF) < 0)
        return -1;
    if (nlsock_open(&k->ask, 0, ROUTE_RCVBUF) < 0) {
        nlsock_close(&k->mon);
        return -1;
    }
    /* Dumps of one protocol only, where the kernel can: others may have a million routes. */
    setsockopt(k->ask.fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
    ev_io_add(k->d->ev, k->mon.fd, EV_READ, route_on_readable, k->d);
    k->open = true;
    route_kernel_rcvbuf(k->d);
    return 0;
}

/* ---- comparing
 * ------------------------------------------------------------------------------------------------------- */

struct route_walk {
    struct ipvsd *d;
    int error;
};

static int route_on_dump(void *buf, size_t len, uint32_t seq, void *arg)
{
    struct route_walk *w = arg;
    struct nlmsghdr *h = buf;
    int left = (int)len;
    for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
        struct route_fact f;
        if (h->nlmsg_seq != seq)
            continue;
        if (h->nlmsg_flags & NLM_F_DUMP_INTR)
            w->error = EINTR;
        if (h->nlmsg_type == NLMSG_ERROR)
            w->error = EIO;
        if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
            return 1;
        if (route_fact_read(h, &f) < 0)
            continue;
        for (struct route_entry *e = NULL; (e = route_model_slot(&w->d->model->routes, e, &f)) != NULL;) {
            e->seen = e->seen || route_fact_fulfils(&f, &e->want);
            e->remains = e->remains || route_fact_remains(&f, &e->want);
        }
    }
    return 0;
}

static int route_dump(struct ipvsd *d, bool rules, uint8_t af, uint8_t proto)
{
    struct rtmsg rt = { .rtm_family = af, .rtm_protocol = proto };
    struct fib_rule_hdr fr = { .family = af };
    struct route_walk w = { .d = d };
    struct nl_msg *m = nlmsg_alloc_simple(rules ? RTM_GETRULE : RTM_GETROUTE, 0);
    if (m == NULL ||
        nlmsg_append(m, rules ? (void *)&fr : (void *)&rt, rules ? sizeof fr : sizeof rt, NLMSG_ALIGNTO) < 0)
        fatal("no memory for a netlink request");
    if (nlsock_ask(&d->routes->ask, m, NLM_F_DUMP, route_on_dump, &w) < 0)
        return -1;
    errno = w.error;
    return w.error == 0 ? 0 : -1;
}

static int route_dump_retry(struct ipvsd *d, bool rules, uint8_t af, uint8_t proto)
{
    int rc = -1;
    for (int n = 0; n < ROUTE_DUMP_TRIES && rc < 0; n++) {
        rc = route_dump(d, rules, af, proto);
        if (rc < 0 && errno != EINTR)
            break;
    }
    return rc;
}

typedef void route_each_fn(struct ipvsd *d, struct route_entry *e, void *arg);

static void route_each(struct ipvsd *d, route_each_fn *fn, void *arg)
{
    for (size_t k = 0; k <= d->model->ninsts; k++) {
        struct inst *i = k < d->model->ninsts ? &d->model->insts[k] : &d->model->statics;
        for (size_t n = 0; n < i->nroutes; n++)
            fn(d, &i->routes[n], arg);
    }
}

struct route_needs {
    bool rule[2], proto[2][256]; /* by family */
};

static void route_need(struct ipvsd *d, struct route_entry *e, void *arg)
{
    struct route_needs *needs = arg;
    bool v6 = e->rule ? e->policy.family == 6 : e->route.family == 6;
    (void)d;
    e->seen = e->remains = false;
    if (e->rule)
        needs->rule[v6] = true;
    else
        needs->proto[v6][e->route.proto] = true;
}

/* What is left of it stands in the way of a second one: adding it says EEXIST. So it is replaced, or taken
 * out. Not when others of ours share the slot: a replacement takes all that is there. */
static void route_renew_remains(struct ipvsd *d, struct route_entry *e)
{
    const struct route_model *m = &d->model->routes;
    uint8_t proto = e->route.proto;
    if (!e->remains || !(e->ours || proto == COMPAT_PROTO_VRRP) || route_model_slot(m, NULL, &e->want) != e ||
        route_model_slot(m, e, &e->want) != NULL)
        return;
    e->renew = true;
}

static void route_compare(struct ipvsd *d, struct route_entry *e, void *arg)
{
    (void)arg;
    if (e->renew)
        return;
    if (!e->seen) {
        route_renew_remains(d, e);
        route_lost(d, e, 0);
        e->ours = e->ours || e->renew;
        if (e->renew)
            model_touch(d, e->inst);
        return;
    }
    uint8_t proto = e->rule ? e->policy.proto : e->route.proto;
    if (!e->present && d->routes->first && child_restarted(d->child))
        e->ours = true;
    e->ours = e->ours || proto == COMPAT_PROTO_VRRP;
    if (!e->present)
        model_touch(d, e->inst);
    e->present = true;
}

static void route_touch_missing(struct ipvsd *d, struct route_entry *e, void *arg)
{
    (void)arg;
    if (!e->present)
        model_touch(d, e->inst);
}

static void route_links(struct ipvsd *d)
{
    if (!d->routes->links)
        return;
    d->routes->links = false;
    for (size_t k = 0; k <= d->model->ninsts; k++)
        route_model_resolve(d, &d->model->routes,
                            k < d->model->ninsts ? &d->model->insts[k] : &d->model->statics);
    route_each(d, route_touch_missing, NULL);
}

void route_kernel_sync(struct ipvsd *d)
{
    static const uint8_t afs[2] = { AF_INET, AF_INET6 };
    struct route_needs needs = { 0 };
    int rc = 0;
    if (d->model == NULL || d->model->routes.n == 0)
        return;
    if (route_open(d->routes) < 0) {
        log_err("netlink socket for routes: %s", strerror(errno));
        return;
    }
    route_drain(d);
    d->routes->shaken = d->routes->links;
    route_links(d);
    if (!d->routes->doubt)
        return;
    d->routes->doubt = false;
    route_each(d, route_need, &needs);
    for (size_t f = 0; f < 2 && rc == 0; f++) {
        if (needs.rule[f])
            rc = route_dump_retry(d, true, afs[f], 0);
        for (unsigned int p = 0; p < 256 && rc == 0; p++)
            if (needs.proto[f][p])
                rc = route_dump_retry(d, false, afs[f], (uint8_t)p);
    }
    if (rc == 0) {
        route_each(d, route_compare, NULL);
        d->routes->first = d->succeeding; /* then the second one is the first of the new ones */
        d->routes->shaken = false;
        return;
    }
    log_err("reading routes and rules from the kernel: %s; trying again in 0.1 s", strerror(errno));
    d->routes->doubt = true;
    ev_timer_in(d->ev, &d->repair, ROUTE_DUMP_PAUSE);
}

/* ---- VRF
 * -----------------------------------------------------------------------------------------------------------
 */

static int route_on_vrf(void *buf, size_t len, uint32_t seq, void *arg)
{
    uint32_t *table = arg;
    struct nlmsghdr *h = buf;
    int left = (int)len;
    for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
        struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1], *vrf[IFLA_VRF_MAX + 1];
        if (h->nlmsg_seq != seq)
            continue;
        if (h->nlmsg_type == RTM_NEWLINK &&
            nlmsg_parse(h, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) == 0 && tb[IFLA_LINKINFO] != NULL &&
            nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) == 0 &&
            info[IFLA_INFO_KIND] != NULL && nla_strcmp(info[IFLA_INFO_KIND], "vrf") == 0 &&
            info[IFLA_INFO_DATA] != NULL &&
            nla_parse_nested(vrf, IFLA_VRF_MAX, info[IFLA_INFO_DATA], NULL) == 0 &&
            vrf[IFLA_VRF_TABLE] != NULL && nla_len(vrf[IFLA_VRF_TABLE]) == (int)sizeof *table)
            *table = nla_get_u32(vrf[IFLA_VRF_TABLE]);
        return 1;
    }
    return 0;
}

uint32_t route_kernel_vrf(struct ipvsd *d, const char *name)
{
    struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
    uint32_t table = 0;
    struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, 0);
    if (m == NULL || nlmsg_append(m, &ifi, sizeof ifi, NLMSG_ALIGNTO) < 0 ||
        nla_put_string(m, IFLA_IFNAME, name) < 0)
        fatal("no memory for a netlink request");
    if (route_open(d->routes) < 0) {
        nlmsg_free(m);
        return 0;
    }
    return nlsock_ask(&d->routes->ask, m, 0, route_on_vrf, &table) == 0 ? table : 0;
}
