/*
 * resolve.c - after the whole text is read: names become references, defaults and global settings go into the
 * instances, so that no engine ever looks at a default. This file: the order of things, references,
 * addresses. Called by program.c through conf_resolve.
 */
#include "parent/conf/resolve.h"

#include <stdio.h>
#include <string.h>

/* A name that must be defined somewhere in the text. */
static bool reference(struct conf *c, struct conf_obj *o, const struct conf_value *v, enum blk blk,
                      const char *name)
{
    if (conf_find(c, blk, name) != NULL)
        return true;
    if (conf_lost(c, name))
        return false;
    struct conf_pos pos = v != NULL ? conf_pos_value(v) : conf_pos_obj(o);
    struct diag_item *it = CONF_ERR(c, pos, "HF-REF", "%s %s is not defined", schema_blk(blk)->name, name);
    const char *near = NULL;
    for (size_t i = 0; i < c->nhash && near == NULL; i++)
        for (struct conf_obj *n = c->hash[i]; n != NULL; n = n->hash_next)
            if (n->blk == blk && n->name[0] != '\0' && conf_close_words(n->name, name))
                near = n->name;
    if (near != NULL)
        diag_suggest(it, near);
    return false;
}

static void trackers(struct conf *c, struct conf_obj *o)
{
    static const struct {
        enum blk line, target;
    } table[] = { { BLK_TRK_SCRIPT, BLK_SCRIPT },
                  { BLK_TRK_FILE, BLK_TFILE },
                  { BLK_TRK_PROC, BLK_PROC },
                  { BLK_TRK_BFD, BLK_BFD } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (struct conf_obj *t = NULL; (t = conf_next(o, t, table[i].line)) != NULL;)
            if (!reference(c, t, NULL, table[i].target, t->name))
                t->broken = t->drop = true;
}

static void members(struct conf *c, struct conf_obj *group, enum kw kw)
{
    size_t n = 0;
    for (struct conf_value *v = group->values; v != NULL; v = v->next) {
        if (v->kw != kw)
            continue;
        n++;
        if (!reference(c, group, v, BLK_VI, v->v.s))
            group->broken = true;
        if (conf_once(c, conf_fmt(c, "member/%p/%d/%s", (void *)group, (int)kw, v->v.s), group) != NULL)
            CONF_WARN(c, conf_pos_value(v), "HF-TWICE", "%s is listed twice in %s", v->v.s,
                      conf_label(c, group));
    }
    if (n == 0 && !group->broken && conf_get(group, kw) == NULL) {
        CONF_WARN(c, conf_pos_obj(group), "HF-EMPTY", "%s has no members", conf_label(c, group));
        group->drop = true;
    } else if (n == 1 && kw == KW_SYNC_GROUP && !group->broken) {
        CONF_WARN(c, conf_pos_obj(group), "HF-SYNC-ONE", "%s has one member only", conf_label(c, group));
    }
}

/* An instance belongs to one sync group. */
static void member_twice(struct conf *c, struct conf_obj *group)
{
    for (struct conf_value *v = group->values; v != NULL; v = v->next) {
        struct conf_obj *vi = v->kw == KW_SYNC_GROUP ? conf_find(c, BLK_VI, v->v.s) : NULL;
        if (vi == NULL)
            continue;
        const struct conf_value *old = conf_get(vi, KW_VI_X_SYNC);
        if (old != NULL && strcmp(old->v.s, group->name) != 0)
            CONF_WARN(c, conf_pos_value(v), "HF-SYNC-TWO",
                      "%s is already in vrrp_sync_group %s, which counts", vi->name, old->v.s);
        else
            conf_set_str(c, vi, KW_VI_X_SYNC, group->name);
        /* told of members, who may say otherwise for themselves */
        const struct conf_value *says = conf_get(group, KW_SYNC_NOTIFY_PRIORITY_CHANGES);
        if ((old == NULL || strcmp(old->v.s, group->name) == 0) && says != NULL &&
            conf_get(vi, KW_VI_NOTIFY_PRIORITY_CHANGES) == NULL)
            conf_set_uint(c, vi, KW_VI_NOTIFY_PRIORITY_CHANGES,
                          says->v.u); /* off too: global_defs may say on */
    }
}

static void references(struct conf *c)
{
    for (struct conf_obj *o = c->top->child; o != NULL; o = o->sibling) {
        if (o->drop)
            continue;
        if (o->blk == BLK_SYNC) {
            members(c, o, KW_SYNC_GROUP);
            member_twice(c, o);
            trackers(c, o);
        } else if (o->blk == BLK_TRACK_GROUP) {
            members(c, o, KW_TRACK_GROUP_GROUP);
        } else if (o->blk == BLK_VI) {
            trackers(c, o);
        } else if (o->blk == BLK_GLOBAL) {
            struct conf_obj *s = conf_next(o, NULL, BLK_SYNCD);
            const struct conf_value *inst = s != NULL ? conf_get(s, KW_SYNCD_INST) : NULL;
            if (inst != NULL && !reference(c, s, inst, BLK_VI, inst->v.s))
                s->broken = true;
        }
        static const enum kw group_kw[] = { KW_ADDR_TRACK_GROUP, KW_ROUTE_TRACK_GROUP, KW_RULE_TRACK_GROUP };
        for (size_t i = 0; i < 3; i++) {
            const struct conf_value *v = conf_get(o, group_kw[i]);
            if (v != NULL)
                reference(c, o, v, BLK_TRACK_GROUP, v->v.s);
        }
    }
}

/* dev names the instance's own interface: what is meant is where the instance is, its macvlan. */
static const char *address_own(const struct conf_obj *vi, const struct ipaddr *ip, const char *dev)
{
    const char *own = conf_str(vi, KW_VI_X_VMAC, NULL);
    bool here = own != NULL && strcmp(dev, conf_str(vi, KW_VI_INTERFACE, "")) == 0 &&
                ip->family == conf_uint(vi, KW_VI_X_FAMILY, 4);
    return here ? own : dev;
}

/* An address line of an instance (vi) or of static_ipaddress (vi NULL). */
static void address(struct conf *c, struct conf_obj *a, const struct conf_obj *vi)
{
    const struct ipaddr *ip = conf_ip(a, KW_ADDR_ADDRESS), *other;
    const char *dev = conf_str(a, KW_ADDR_DEV, NULL);
    char text[IPADDR_STRLEN];
    if (ip == NULL)
        return;
    if (dev == NULL)
        dev = vi != NULL ? conf_str(vi, KW_VI_X_VMAC, conf_str(vi, KW_VI_INTERFACE, NULL))
                         : conf_str(c->global, KW_GLOBAL_DEFAULT_INTERFACE, "eth0");
    else if (vi != NULL)
        dev = address_own(vi, ip, dev);
    bool moved = conf_written(a, KW_ADDR_DEV) && strcmp(dev, conf_str(a, KW_ADDR_DEV, "")) != 0;
    if (dev != NULL)
        conf_set_str(c, a, KW_ADDR_DEV, dev);
    if (moved)
        conf_get(a, KW_ADDR_DEV)->inherited = true; /* nobody need warn that it is not there yet */
    if (a->opener == KW_VI_VIRTUAL_IPADDRESS_EXCLUDED)
        conf_set_uint(c, a, KW_ADDR_X_EXCLUDED, 1);
    a->name = conf_join(c, ipaddr_prefix_str(ip, text), "@", dev != NULL ? dev : "");
    if ((other = conf_ip(a, KW_ADDR_BRD)) != NULL && (ip->family != 4 || other->family != 4)) {
        CONF_ERR(c, conf_pos_obj(a), "HF-FAMILY", "brd is for IPv4 addresses only");
        conf_unset(a, KW_ADDR_BRD);
    }
    if ((other = conf_ip(a, KW_ADDR_PEER)) != NULL && other->family != ip->family)
        CONF_ERR(c, conf_pos_obj(a), "HF-FAMILY", "the address and its peer are of different families");
    if (ip->family == 4)
        return;
    if (conf_get(a, KW_ADDR_PREFERRED_LFT) == NULL)
        conf_set_uint(c, a, KW_ADDR_PREFERRED_LFT,
                      (other != NULL ? other->plen : ip->plen) == 128 ? 0 : UINT32_MAX);
    if (conf_get(a, KW_ADDR_LABEL) != NULL)
        CONF_WARN(c, conf_pos_obj(a), "HF-NO-EFFECT", "label has no effect on an IPv6 address");
    conf_unset(a, KW_ADDR_LABEL);
    conf_unset(a, KW_ADDR_SCOPE); /* the address itself says it */
}

static void addresses(struct conf *c)
{
    for (struct conf_obj *o = c->top->child; o != NULL; o = o->sibling) {
        if (o->blk == BLK_ADDR)
            address(c, o, NULL);
        if (o->blk != BLK_VI)
            continue;
        for (struct conf_obj *a = NULL; (a = conf_next(o, a, BLK_ADDR)) != NULL;)
            address(c, a, o);
    }
}

/* REMOTE is a name that stands for another spelling: same but for letter case, or one letter off. */
bool conf_close_words(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), pre = 0, post = 0;
    while (pre < la && pre < lb && (a[pre] | 32) == (b[pre] | 32))
        pre++;
    while (post + pre < la && post + pre < lb && (a[la - 1 - post] | 32) == (b[lb - 1 - post] | 32))
        post++;
    size_t left = la > lb ? la : lb;
    return left > 2 && left - pre - post <= 1;
}

/* What there is to run: after resolution, and again when validation has dropped something. */
void conf_count(struct conf *c)
{
    uint64_t least = UINT64_MAX, instances = 0, services = 0, servers = 0;
    bool statics = false, sessions = false;
    for (struct conf_obj *o = c->top->child; o != NULL; o = o->sibling) {
        if (o->drop)
            continue;
        sessions = sessions || (o->blk == BLK_BFD && !conf_flag(o, KW_BFD_X_OFF));
        if (o->blk == BLK_VI) {
            uint64_t us = conf_uint(o, KW_VI_ADVERT_INT, 1000000);
            least = us < least ? us : least;
            instances++;
        }
        statics = statics || o->blk == BLK_ADDR || o->blk == BLK_ROUTE || o->blk == BLK_RULE;
        if (o->blk != BLK_VS)
            continue;
        services++;
        for (struct conf_obj *r = NULL; (r = conf_next(o, r, BLK_RS)) != NULL;)
            servers += r->opener == KW_VS_REAL_SERVER;
    }
    c->nvi = instances;
    c->nvs = services;
    conf_set_uint(c, c->top, KW_TOP_X_NEED_VRRP, instances > 0 || statics || sessions);
    conf_set_uint(c, c->top, KW_TOP_X_NEED_CHECK, services > 0 || resolve_mail_needed(c));
    conf_set_uint(c, c->top, KW_TOP_X_NEED_IPVS, services > 0);
    conf_set_uint(c, c->top, KW_TOP_X_MIN_ADVERT_INT, instances > 0 ? least : 1000000);
    conf_set_uint(c, c->top, KW_TOP_X_INSTANCES, instances);
    conf_set_uint(c, c->top, KW_TOP_X_SERVICES, services);
    conf_set_uint(c, c->top, KW_TOP_X_REAL_SERVERS, servers);
    if (conf_get(c->top, KW_TOP_CHILD_WAIT_TIME) == NULL)
        conf_set_uint(c, c->top, KW_TOP_CHILD_WAIT_TIME, 5000000);
    if (conf_get(c->top, KW_TOP_INSTANCE) != NULL || conf_get(c->top, KW_TOP_NET_NAMESPACE) != NULL)
        conf_set_uint(c, c->top, KW_TOP_USE_PID_DIR, 1);
}

void conf_resolve(struct conf *c)
{
    conf_global(c);
    references(c);
    for (struct conf_obj *o = NULL; (o = conf_next(c->top, o, BLK_VI)) != NULL;)
        resolve_instance(c, o);
    resolve_vmacs(c);
    addresses(c);
    resolve_top(c);
    resolve_lvs(c);
    resolve_sockets(c);
    resolve_trackers(c);
    resolve_mail(c);
    resolve_nft(c);
    conf_count(c);
    resolve_processes(c);
}

bool conf_is_empty(const struct conf *c)
{
    return !conf_flag(c->top, KW_TOP_X_NEED_VRRP) && !conf_flag(c->top, KW_TOP_X_NEED_CHECK);
}

const char *conf_netns(const struct conf *c)
{
    return conf_str(c->top, KW_TOP_NET_NAMESPACE, NULL);
}

static void each_ours(const struct conf_obj *o, void (*fn)(const struct kw_row *, struct conf_pos, void *),
                      void *arg)
{
    for (const struct conf_value *v = o->values; v != NULL; v = v->next)
        if (v->line != NULL && (schema_kw(v->kw)->flags & KWF_OURS))
            fn(schema_kw(v->kw), conf_pos_line(v->line), arg);
    for (const struct conf_obj *in = o->child; in != NULL; in = in->sibling)
        each_ours(in, fn, arg);
}

void conf_each_ours(const struct conf *c, void (*fn)(const struct kw_row *, struct conf_pos, void *),
                    void *arg)
{
    each_ours(c->top, fn, arg);
}
