/*
 * validate_vrrp.c - instances among each other: virtual router ids, addresses, interfaces, sync groups,
 * trackers. Called by validate.c.
 */
#include <stdio.h>
#include <string.h>

#include "parent/conf/conf_int.h"

#define VIP_MAX 255

static void duplicate_vrid(struct conf *c, struct conf_obj *vi)
{
    const struct conf_value *vrid = conf_get(vi, KW_VI_VIRTUAL_ROUTER_ID);
    if (vrid == NULL)
        return;
    /* A macvlan of its own changes the socket, not the network. */
    const char *sock = strchr(conf_str(vi, KW_VI_X_SOCKET, "/"), '/');
    const char *key =
        conf_fmt(c, "vrid/%s%s/%llu", conf_str(vi, KW_VI_INTERFACE, conf_str(vi, KW_VI_VRF, "")),
                 sock != NULL ? sock : "", (unsigned long long)vrid->v.u);
    const struct conf_obj *other = NULL;
    const struct conf_obj *peer = conf_next(vi, NULL, BLK_VI_PEER);
    if (peer == NULL || conf_ip(vi, KW_VI_X_SRC) == NULL)
        other = conf_once(c, key, vi);
    for (; peer != NULL && other == NULL && conf_ip(vi, KW_VI_X_SRC) != NULL;
         peer = conf_next(vi, peer, BLK_VI_PEER))
        other = conf_once(c, conf_join(c, key, "/", peer->name), vi);
    if (other == NULL || other == vi)
        return;
    const struct conf_value *first = conf_get(other, KW_VI_VIRTUAL_ROUTER_ID);
    struct diag_item *it = CONF_ERR(c, conf_pos_value(vrid), "HF-VRID-DUP",
                                    "virtual_router_id %llu is already used on %s by %s (line %u)",
                                    (unsigned long long)vrid->v.u,
                                    conf_str(vi, KW_VI_INTERFACE, diag_tr(c->diag, "this source")),
                                    other->name, conf_lineno(first->line));
    diag_related(it, conf_pos_value(first), "first used here");
    diag_help(it, "two virtual routers on one network need different ids");
    vi->drop = true;
}

/* The network of a VIP is on another interface that exists: then the name is wrong, not early. The interface
 * of the default route proves nothing: on a single-homed machine every network the machine knows is there. */
static const char *network_elsewhere(const struct conf *c, const struct conf_obj *vi)
{
    if (c->env == NULL)
        return NULL;
    for (const struct conf_obj *a = NULL; (a = conf_next(vi, a, BLK_ADDR)) != NULL;) {
        const struct ipaddr *ip = conf_ip(a, KW_ADDR_ADDRESS);
        for (size_t i = 0; ip != NULL && i < c->env->naddrs; i++) {
            const struct ipaddr *net = &c->env->addrs[i].addr;
            bool same = net->family == ip->family && net->plen > 0 && net->plen < ipaddr_len(net) * 8 &&
                        !ipaddr_is_linklocal6(net);
            for (unsigned int bit = 0; same && bit < net->plen; bit++)
                same = ((net->b[bit / 8] ^ ip->b[bit / 8]) & (0x80u >> bit % 8)) == 0;
            if (same && !c->env->addrs[i].uplink && strcmp(c->env->addrs[i].ifname, "lo") != 0)
                return c->env->addrs[i].ifname;
        }
    }
    return NULL;
}

static void interface(struct conf *c, struct conf_obj *vi)
{
    const struct conf_value *v = conf_get(vi, KW_VI_INTERFACE);
    bool unicast = conf_next(vi, NULL, BLK_VI_PEER) != NULL;
    if (v == NULL) {
        const struct conf_value *vrf = conf_get(vi, KW_VI_VRF);
        if (vrf != NULL && !conf_if_exists(c, vrf->v.s))
            conf_warn_iface(
                c, conf_pos_value(vrf), "vrf", vrf->v.s,
                conf_fmt(c, diag_format(c->diag, "%s stays in FAULT until it appears"), vi->name));
        if ((unicast && conf_ip(vi, KW_VI_X_SRC) != NULL) || conf_failed(c, vi, KW_VI_INTERFACE))
            return;
        struct diag_item *it = CONF_ERR(c, conf_pos_missing(c, vi, KW_VI_INTERFACE), "HF-MISSING",
                                        "vrrp_instance %s has no interface", vi->name);
        if (unicast)
            diag_help(it, "add interface, or unicast_src_ip");
        vi->drop = true;
        return;
    }
    if (conf_get(vi, KW_VI_VRF) != NULL)
        diag_help(CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_VRF)), "HF-NO-EFFECT",
                            "%s: vrf has no effect beside interface, which says it already", vi->name),
                  "vrf is for unicast instances without interface");
    if (strcmp(v->v.s, "lo") == 0) {
        CONF_ERR(c, conf_pos_value(v), "HF-IFACE", "%s: the loopback interface cannot carry VRRP", vi->name);
        vi->drop = true;
        return;
    }
    if (conf_if_exists(c, v->v.s))
        return;
    const char *there = network_elsewhere(c, vi);
    if (there != NULL && conf_get(c->global, KW_GLOBAL_DYNAMIC_INTERFACES) == NULL) {
        struct diag_item *it =
            CONF_ERR(c, conf_pos_value(v), "HF-IFACE-WRONG",
                     "interface %s does not exist, and the network of %s's addresses is on %s", v->v.s,
                     vi->name, there);
        diag_help(it, "write: interface %s; or, if %s is still to appear, dynamic_interfaces in global_defs",
                  there, v->v.s);
        return;
    }
    conf_warn_iface(c, conf_pos_value(v), "interface", v->v.s,
                    conf_fmt(c, diag_format(c->diag, "%s stays in FAULT until it appears"), vi->name));
}

static void address_iface(struct conf *c, const struct conf_obj *a, const struct conf_obj *vi)
{
    const struct conf_value *dev = conf_get(a, KW_ADDR_DEV);
    if (dev == NULL || a->line == NULL || (vi != NULL && !conf_written(a, KW_ADDR_DEV)) ||
        conf_if_exists(c, dev->v.s))
        return;
    conf_warn_iface(c, dev->line != NULL ? conf_pos_value(dev) : conf_pos_obj(a), "interface", dev->v.s,
                    diag_tr(c->diag, "the address waits for it"));
}

static void address_twice(struct conf *c, struct conf_obj *a, const struct conf_obj *vi)
{
    const struct conf_obj *other = conf_once(c, conf_join(c, "addr/", a->name), a);
    if (other == NULL || a->line == NULL || other->line == NULL)
        return; /* one is use_ipvlan's */
    const char *as_written = a->line->words[0].text;
    const struct conf_obj *owner = other->parent;
    struct diag_item *it;
    if (owner == a->parent && owner->blk == BLK_VI) {
        it = CONF_WARN(c, conf_pos_obj(a), "HF-ADDR-TWICE", "%s is listed twice in %s", as_written, vi->name);
        a->drop = true;
    } else if (owner->blk == BLK_VI) {
        it = CONF_WARN(c, conf_pos_obj(a), "HF-ADDR-TWICE", "%s is already an address of %s (line %u)",
                       as_written, owner->name, conf_lineno(other->line));
    } else {
        it = CONF_WARN(c, conf_pos_obj(a), "HF-ADDR-TWICE", "%s is already in static_ipaddress (line %u)",
                       as_written, conf_lineno(other->line));
        a->drop = vi == NULL;
    }
    bool before = other->opener == a->opener || owner->blk != BLK_VI || owner != a->parent;
    diag_related(it, conf_pos_obj(other),
                 before ? DIAG_ID("first listed here") : DIAG_ID("advertised, as listed here"));
}

/* virtual_ipaddress comes before virtual_ipaddress_excluded, whichever the file has first: its addresses are
 * the ones that are advertised, that an address in both counts as, and the primary ones of their networks. */
static void advertised_first(struct conf_obj *vi)
{
    struct conf_obj *lists[2] = { NULL, NULL }, **ends[2] = { &lists[0], &lists[1] };
    struct conf_obj *last[2] = { NULL, NULL };
    for (struct conf_obj *o = vi->child, *next; o != NULL; o = next) {
        int late = o->blk == BLK_ADDR && o->opener == KW_VI_VIRTUAL_IPADDRESS_EXCLUDED;
        next = o->sibling;
        o->sibling = NULL;
        *ends[late] = o;
        ends[late] = &o->sibling;
        last[late] = o;
    }
    *ends[0] = lists[1];
    vi->child = lists[0];
    vi->last_child = last[1] != NULL ? last[1] : last[0];
}

static void addresses(struct conf *c, struct conf_obj *vi)
{
    size_t n = 0;
    advertised_first(vi);
    for (struct conf_obj *a = NULL; (a = conf_next(vi, a, BLK_ADDR)) != NULL;) {
        address_iface(c, a, vi);
        address_twice(c, a, vi);
        if (a->drop || a->opener != KW_VI_VIRTUAL_IPADDRESS)
            continue;
        if (n++ == VIP_MAX)
            CONF_WARN(c, conf_pos_obj(a), "HF-VIP-MANY",
                      "%s has more than %d addresses: from here on they are treated as excluded", vi->name,
                      VIP_MAX);
        if (n > VIP_MAX)
            conf_set_uint(c, a, KW_ADDR_X_EXCLUDED, 1);
    }
    if (n > 0 || conf_failed(c, vi, KW_VI_VIRTUAL_IPADDRESS) || conf_flag(vi, KW_VI_NO_VIRTUAL_IPADDRESS))
        return;
    for (const struct conf_obj *a = vi->child; a != NULL; a = a->sibling)
        if (a->blk == BLK_ADDR && a->opener == KW_VI_VIRTUAL_IPADDRESS && a->drop)
            return; /* there was one, and it was refused */
    bool strict = conf_flag(vi, KW_VI_STRICT_MODE), v3 = conf_uint(vi, KW_VI_VERSION, 2) == 3;
    if (strict || v3)
        diag_help(CONF_ERR(c, conf_pos_obj(vi), "HF-VIP-NONE",
                           "vrrp_instance %s has no virtual_ipaddress, which %s needs", vi->name,
                           strict ? diag_tr(c->diag, "strict mode") : diag_tr(c->diag, "VRRP version 3")),
                  strict ? "add virtual_ipaddress { ADDRESS }"
                         : DIAG_ID("add virtual_ipaddress { ADDRESS }, or no_virtual_ipaddress"));
    else
        CONF_WARN(c, conf_pos_obj(vi), "HF-VIP-NONE", "vrrp_instance %s has no virtual_ipaddress", vi->name);
}

/* Trackers of an instance or of a sync group. */
static void tracked(struct conf *c, struct conf_obj *o)
{
    static const enum blk kinds[] = { BLK_TRK_IF, BLK_TRK_SCRIPT, BLK_TRK_FILE, BLK_TRK_PROC, BLK_TRK_BFD };
    const char *own = o->blk == BLK_VI ? conf_str(o, KW_VI_INTERFACE, "") : "";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (struct conf_obj *t = NULL; (t = conf_next(o, t, kinds[i])) != NULL;) {
            if (t->line == NULL)
                continue; /* implied by an address, which is told itself */
            if (conf_once(c,
                          conf_fmt(c, "track/%s/%s/%d/%s", schema_blk(o->blk)->name, o->name, (int)kinds[i],
                                   t->name),
                          t) != NULL) {
                CONF_WARN(c, conf_pos_obj(t), "HF-TWICE", "%s is tracked twice in %s", t->name, o->name);
                t->drop = true;
            } else if (kinds[i] == BLK_TRK_IF && strcmp(t->name, own) == 0) {
                CONF_WARN(c, conf_pos_obj(t), "HF-NO-EFFECT", "%s is the interface of %s and tracked anyway",
                          t->name, o->name);
                t->drop = true;
            } else if (kinds[i] == BLK_TRK_IF && !conf_if_exists(c, t->name)) {
                conf_warn_iface(c, conf_pos_obj(t), diag_tr(c->diag, "tracked interface"), t->name,
                                diag_tr(c->diag, "it counts as down"));
            }
        }
}

/* What becomes of the tracker without its weight is not the same for all: an interface then stops the group.
 */
static void sync_weight_say(struct conf *c, const struct conf_obj *t, const struct conf_obj *g)
{
    struct diag_item *it;
    if (t->blk == BLK_TRK_IF)
        it = CONF_WARN(c, conf_pos_obj(t), "HF-SYNC-WEIGHT",
                       "%s: in a sync group the weight of an interface becomes 0: when it goes down, all of "
                       "%s goes to FAULT",
                       t->name, g->name);
    else
        it = CONF_WARN(c, conf_pos_obj(t), "HF-SYNC-WEIGHT",
                       "%s: in a sync group a weighted %s is not tracked at all", t->name,
                       t->blk == BLK_TRK_BFD ? "bfd_instance" : "vrrp_script");
    diag_help(it, "add sync_group_tracking_weight to %s if all members have equal priorities", g->name);
}

/* Weights of members of a sync group work only with sync_group_tracking_weight. */
static void sync_weights(struct conf *c, const struct conf_obj *vi)
{
    static const struct {
        enum blk blk;
        enum kw weight;
    } kinds[] = { { BLK_TRK_IF, KW_TRK_IF_WEIGHT },
                  { BLK_TRK_SCRIPT, KW_TRK_SCRIPT_WEIGHT },
                  { BLK_TRK_BFD, KW_TRK_BFD_WEIGHT } };
    const char *group = conf_str(vi, KW_VI_X_SYNC, NULL);
    const struct conf_obj *g = group != NULL ? conf_find(c, BLK_SYNC, group) : NULL;
    if (g == NULL || conf_flag(g, KW_SYNC_SYNC_GROUP_TRACKING_WEIGHT))
        return;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (struct conf_obj *t = NULL; (t = conf_next(vi, t, kinds[i].blk)) != NULL;) {
            const struct conf_value *w = conf_get(t, kinds[i].weight);
            const struct conf_obj *s =
                kinds[i].blk == BLK_TRK_SCRIPT ? conf_find(c, BLK_SCRIPT, t->name) : NULL;
            if (w == NULL && s != NULL)
                w = conf_get(s, KW_SCRIPT_WEIGHT);
            if (w != NULL && w->v.i != 0)
                sync_weight_say(c, t, g);
        }
}

void conf_validate_vrrp(struct conf *c)
{
    for (struct conf_obj *a = NULL; (a = conf_next(c->top, a, BLK_ADDR)) != NULL;) {
        address_iface(c, a, NULL);
        address_twice(c, a, NULL);
    }
    for (struct conf_obj *vi = NULL; (vi = conf_next(c->top, vi, BLK_VI)) != NULL;) {
        interface(c, vi);
        duplicate_vrid(c, vi);
        addresses(c, vi);
        tracked(c, vi);
        sync_weights(c, vi);
    }
    for (struct conf_obj *s = NULL; (s = conf_next(c->top, s, BLK_SYNC)) != NULL;)
        tracked(c, s);
}
