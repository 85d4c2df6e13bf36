/*
 * resolve_sock.c - objects nobody writes: the VRRP sockets that instances share, and the interfaces somebody
 * names; and the defaults of scripts, files, processes and BFD sessions. Called by resolve.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/conf/resolve.h"

#define VRIDS 256

static struct conf_obj *derived(struct conf *c, enum blk blk, const char *name)
{
    struct conf_obj *o = conf_find(c, blk, name);
    if (o != NULL)
        return o;
    o = conf_obj_new(c, c->top, blk, conf_join(c, name), NULL);
    conf_hash_add(c, o);
    return o;
}

static void iface(struct conf *c, const char *name)
{
    if (name != NULL && name[0] != '\0')
        derived(c, BLK_IFACE, name);
}

/* The sockets and who they are for. Kept out of the objects until all are known: looking through hundreds of
 * numbers for each of the hundreds would take most of the time of a large configuration. */
struct sockets {
    struct conf_obj **obj; /* its id is its place here + 1 */
    uint64_t (*vrids)[VRIDS / 64];
    size_t n;
};

static void socket_vrid(struct sockets *all, struct conf_obj *s, uint64_t vrid)
{
    if (s->id == 0) {
        all->obj = xrealloc(all->obj, (all->n + 1) * sizeof(struct conf_obj *));
        all->vrids = xrealloc(all->vrids, (all->n + 1) * sizeof *all->vrids);
        memset(all->vrids[all->n], 0, sizeof *all->vrids);
        all->obj[all->n++] = s;
        s->id = (uint32_t)all->n;
    }
    if (vrid < VRIDS)
        all->vrids[s->id - 1][vrid / 64] |= UINT64_C(1) << vrid % 64;
}

/* Ascending: another order of the instances is no other socket. */
static void sockets_end(struct conf *c, struct sockets *all)
{
    for (size_t i = 0; i < all->n; i++)
        for (uint64_t vrid = 0; vrid < VRIDS; vrid++) {
            if ((all->vrids[i][vrid / 64] & UINT64_C(1) << vrid % 64) == 0)
                continue;
            struct conf_value *v = conf_add(c, all->obj[i], KW_SOCKET_X_VRID, NULL, 0);
            v->v.u = vrid;
            v->form = CONF_FORM_UINT;
            v->inherited = true;
        }
    free(all->obj);
    free(all->vrids);
}

static bool is_ah(const struct conf_obj *vi)
{
    const struct conf_obj *auth = conf_next(vi, NULL, BLK_VI_AUTH);
    return auth != NULL && conf_uint(auth, KW_VI_AUTH_AUTH_TYPE, 0) == 2;
}

/* Where its socket is bound: its interface, or the VRF of one that has none. */
static const char *bound_to(const struct conf_obj *vi)
{
    return conf_str(vi, KW_VI_INTERFACE, conf_str(vi, KW_VI_VRF, NULL));
}

/* Adverts leave by its macvlan and are heard there: the kernel gives frames from our own virtual MAC (the
 * other router's) to the macvlan alone. */
static bool own_macvlan(const struct conf_obj *vi)
{
    return conf_get(vi, KW_VI_X_VMAC) != NULL && !conf_flag(vi, KW_VI_VMAC_XMIT_BASE);
}

static const char *socket_name(struct conf *c, const struct conf_obj *vi, bool unicast)
{
    char text[IPADDR_STRLEN] = "";
    const struct ipaddr *a = conf_ip(vi, unicast ? KW_VI_X_SRC : KW_VI_MCAST_DST_IP);
    if (a != NULL)
        ipaddr_str(a, text);
    /* AH is another IP protocol: a socket of its own, also beside plain instances on the same interface. */
    const char *dev = own_macvlan(vi) ? conf_str(vi, KW_VI_X_VMAC, "") : bound_to(vi);
    return conf_join(c, dev != NULL ? dev : "", conf_uint(vi, KW_VI_X_FAMILY, 4) == 6 ? "/6/" : "/4/",
                     unicast ? "uni" : "mcast", is_ah(vi) ? "-ah" : "", "/", text);
}

static void socket_of(struct conf *c, struct sockets *all, struct conf_obj *vi)
{
    bool unicast = conf_next(vi, NULL, BLK_VI_PEER) != NULL;
    uint64_t family = conf_uint(vi, KW_VI_X_FAMILY, 4), version = conf_uint(vi, KW_VI_VERSION, 2);
    struct conf_obj *s = derived(c, BLK_SOCKET, socket_name(c, vi, unicast));
    const char *dev = bound_to(vi);
    if (own_macvlan(vi)) {
        conf_set_str(c, s, KW_SOCKET_X_IFACE, conf_str(vi, KW_VI_X_VMAC, ""));
        conf_set_str(c, s, KW_SOCKET_X_BASE, dev);
    } else if (dev != NULL) {
        conf_set_str(c, s, KW_SOCKET_X_IFACE, dev);
    }
    conf_set_uint(c, s, KW_SOCKET_X_FAMILY, family);
    if (!unicast && conf_ip(vi, KW_VI_MCAST_DST_IP) != NULL)
        conf_set_ip(c, s, KW_SOCKET_X_GROUP, conf_ip(vi, KW_VI_MCAST_DST_IP));
    if (unicast && conf_ip(vi, KW_VI_X_SRC) != NULL)
        conf_set_ip(c, s, KW_SOCKET_X_SRC, conf_ip(vi, KW_VI_X_SRC));
    socket_vrid(all, s, conf_uint(vi, KW_VI_VIRTUAL_ROUTER_ID, 0));
    conf_set_uint(c, s, KW_SOCKET_X_VERSIONS,
                  conf_uint(s, KW_SOCKET_X_VERSIONS, 0) | (version == 2 ? 4u : 8u));
    resolve_rx_buffer(c, vi, s);
    if (is_ah(vi))
        conf_set_uint(c, s, KW_SOCKET_X_AH, 1);
    conf_set_uint(c, s, KW_SOCKET_X_UNICAST, unicast);
    const struct conf_value *ttl = conf_get(vi, KW_VI_UNICAST_TTL);
    if (!unicast || family == 4 || ttl != NULL)
        conf_set_uint(c, s, KW_SOCKET_X_TTL, unicast && ttl != NULL ? ttl->v.u : 255);
    conf_set_str(c, vi, KW_VI_X_SOCKET, s->name);
    iface(c, dev);
    iface(c, conf_str(vi, KW_VI_X_VMAC, NULL));
}

static void line_ifaces(struct conf *c, const struct conf_obj *o)
{
    static const enum kw named[] = { KW_ADDR_DEV, KW_TRK_IF_IF,   KW_ROUTE_DEV,  KW_RULE_DEV,
                                     KW_RULE_OIF, KW_NEXTHOP_DEV, KW_VMAC_X_BASE };
    for (const struct conf_obj *a = o->child; a != NULL; a = a->sibling) {
        if (a->drop || a->blk == BLK_VS || a->blk == BLK_RS)
            continue;
        for (size_t i = 0; i < sizeof named / sizeof *named; i++)
            iface(c, conf_str(a, named[i], NULL));
        line_ifaces(c, a);
    }
}

/* The interface is a fault when it fails, so a weight cannot count as well; the incumbent drops it silently.
 */
static void without_weight(struct conf *c, const struct conf_obj *vi, struct conf_obj *t)
{
    const struct conf_value *w = conf_get(t, KW_TRK_IF_WEIGHT);
    if (w == NULL || w->v.i == 0)
        return;
    diag_help(CONF_WARN(c, conf_pos_obj(t), "HF-NO-EFFECT",
                        "%s carries addresses, routes or rules of %s: it is a fault when %s is down, and the "
                        "weight has no effect",
                        t->name, vi->name, t->name),
              "add no_track to those lines if the weight is meant to count");
    conf_unset(t, KW_TRK_IF_WEIGHT);
    conf_unset(t, KW_TRK_IF_X_REVERSE);
}

/* Where its addresses, routes and rules are is tracked like its own interface, unless a line says no_track.
 * Below a macvlan of ours is what can fail. */
static void implied_tracker(struct conf *c, struct conf_obj *vi, const char *dev)
{
    const struct conf_obj *vmac = dev != NULL ? conf_find(c, BLK_VMAC, dev) : NULL;
    if (vmac != NULL)
        dev = conf_str(vmac, KW_VMAC_X_BASE, NULL);
    if (dev == NULL || strcmp(dev, conf_str(vi, KW_VI_INTERFACE, "")) == 0 || strcmp(dev, "lo") == 0)
        return;
    for (struct conf_obj *t = NULL; (t = conf_next(vi, t, BLK_TRK_IF)) != NULL;)
        if (strcmp(t->name, dev) == 0) {
            without_weight(c, vi, t);
            return;
        }
    struct conf_obj *t = conf_obj_new(c, vi, BLK_TRK_IF, dev, NULL);
    conf_set_str(c, t, KW_TRK_IF_IF, dev);
}

static void implied_trackers(struct conf *c, struct conf_obj *vi)
{
    static const struct {
        enum blk blk;
        enum kw dev, no_track;
    } lines[] = { { BLK_ADDR, KW_ADDR_DEV, KW_ADDR_NO_TRACK },
                  { BLK_ROUTE, KW_ROUTE_DEV, KW_ROUTE_NO_TRACK },
                  { BLK_RULE, KW_RULE_DEV, KW_RULE_NO_TRACK } };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (struct conf_obj *o = NULL; (o = conf_next(vi, o, lines[i].blk)) != NULL;)
            if (!o->drop && !conf_flag(o, lines[i].no_track))
                implied_tracker(c, vi, conf_str(o, lines[i].dev, NULL));
}

void resolve_sockets(struct conf *c)
{
    struct sockets all = { .n = 0 };
    for (struct conf_obj *vi = NULL; (vi = conf_next(c->top, vi, BLK_VI)) != NULL;) {
        socket_of(c, &all, vi);
        implied_trackers(c, vi);
    }
    sockets_end(c, &all);
    struct conf_obj *last = c->top->last_child; /* IFACE objects are added behind it while we walk */
    for (struct conf_obj *o = c->top->child; o != NULL; o = o->sibling) {
        static const enum kw named[] = { KW_ADDR_DEV, KW_ROUTE_DEV, KW_RULE_DEV, KW_RULE_OIF };
        for (size_t i = 0; !o->drop && i < sizeof named / sizeof *named; i++)
            iface(c, conf_str(o, named[i], NULL));
        for (const struct conf_value *v = o->values; v != NULL; v = v->next)
            if (v->kw == KW_GARPG_INTERFACE || v->kw == KW_GARPG_INTERFACES || v->kw == KW_LINKBEAT_X_IF ||
                v->kw == KW_UPDOWN_IF)
                iface(c, v->v.s);
        if (!o->drop && o->blk != BLK_VS)
            line_ifaces(c, o);
        if (o == last)
            break;
    }
}

static void dflt(struct conf *c, struct conf_obj *o, enum kw kw, uint64_t v)
{
    if (conf_get(o, kw) == NULL)
        conf_set_uint(c, o, kw, v);
}

static void bfd_defaults(struct conf *c, struct conf_obj *b)
{
    const struct ipaddr *peer = conf_ip(b, KW_BFD_NEIGHBOR_IP), *src = conf_ip(b, KW_BFD_SOURCE_IP);
    if (c->env != NULL && c->env->no_bfd)
        conf_set_uint(c, b, KW_BFD_X_OFF, 1);
    dflt(c, b, KW_BFD_MIN_RX, 10000);
    dflt(c, b, KW_BFD_MIN_TX, 10000);
    dflt(c, b, KW_BFD_IDLE_TX, 1000000);
    dflt(c, b, KW_BFD_MULTIPLIER, 5);
    /* One hop away is what RFC 5881 says, in either family; further away as the incumbent. */
    dflt(c, b, KW_BFD_TTL, conf_flag(b, KW_BFD_MULTIHOP) && peer != NULL && peer->family == 6 ? 64 : 255);
    if (src != NULL && peer != NULL && src->family != peer->family)
        CONF_ERR(c, conf_pos_value(conf_get(b, KW_BFD_SOURCE_IP)), "HF-FAMILY",
                 "source_ip and neighbor_ip are of different families");
}

/* `delay` of a watched process sets both. */
static void process_defaults(struct conf *c, struct conf_obj *p)
{
    const struct conf_value *d = conf_get(p, KW_PROC_DELAY);
    dflt(c, p, KW_PROC_TERMINATE_DELAY, d != NULL ? d->v.u : 0);
    dflt(c, p, KW_PROC_FORK_DELAY, d != NULL ? d->v.u : 0);
    dflt(c, p, KW_PROC_QUORUM, 1);
    dflt(c, p, KW_PROC_WEIGHT, 0);
}

void resolve_trackers(struct conf *c)
{
    for (struct conf_obj *o = c->top->child; o != NULL; o = o->sibling) {
        if (o->blk == BLK_SCRIPT) {
            dflt(c, o, KW_SCRIPT_INTERVAL, 1000000);
            dflt(c, o, KW_SCRIPT_TIMEOUT, conf_uint(o, KW_SCRIPT_INTERVAL, 1000000));
            dflt(c, o, KW_SCRIPT_RISE, 1);
            dflt(c, o, KW_SCRIPT_FALL, 1);
            dflt(c, o, KW_SCRIPT_WEIGHT, 0);
        } else if (o->blk == BLK_TFILE) {
            dflt(c, o, KW_TFILE_WEIGHT, 1);
        } else if (o->blk == BLK_PROC) {
            process_defaults(c, o);
        } else if (o->blk == BLK_BFD) {
            bfd_defaults(c, o);
        }
    }
}
