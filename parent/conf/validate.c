/*
 * validate.c - objects against each other: what is missing, given twice, or points to nothing on this
 * machine. This file: the order, mandatory keywords, interfaces. Called by program.c through conf_validate,
 * after conf_resolve.
 */
#include <stdio.h>
#include <string.h>

#include "parent/conf/conf_int.h"
#include "parent/conf/parse.h"

bool conf_if_exists(const struct conf *c, const char *name)
{
    if (c->env == NULL || !c->env->known || conf_netns(c) != NULL)
        return true;
    for (size_t i = 0; i < c->env->nif; i++)
        if (strcmp(c->env->ifname[i], name) == 0)
            return true;
    return false;
}

struct diag_item *conf_warn_iface(struct conf *c, struct conf_pos pos, const char *what, const char *name,
                                  const char *then)
{
    enum diag_severity sev =
        conf_get(c->global, KW_GLOBAL_DYNAMIC_INTERFACES) != NULL ? DIAG_NOTE : DIAG_WARNING;
    struct diag_item *it = diag_add(c->diag, sev, "HF-IFACE-MISSING", pos, "%s %s does not exist now%s%s",
                                    what, name, then[0] ? "; " : "", then);
    for (size_t i = 0; c->env != NULL && i < c->env->nif;
         i++) { /* ens3 for ens33, Eth0 for eth0; not eth1 for eth0 */
        const char *there = c->env->ifname[i];
        size_t a = strlen(there), b = strlen(name), least = a < b ? a : b;
        if (least > 2 && (a == b ? strcasecmp(there, name) == 0
                                 : a + b - 2 * least == 1 && strncmp(there, name, least) == 0))
            diag_suggest(it, there);
    }
    return it;
}

/* Keywords without which the block means nothing. The interface of an instance is judged elsewhere. */
static void mandatory(struct conf *c, struct conf_obj *o)
{
    unsigned int n;
    const struct kw_row *r = schema_rows(o->blk, &n);
    for (unsigned int i = 0; i < n; i++) {
        if (!(r[i].flags & KWF_REQUIRED) || (r[i].flags & KWF_POSITIONAL) || r[i].kw == KW_VI_INTERFACE ||
            parse_canonical(&r[i]) != &r[i] || conf_get(o, r[i].kw) != NULL)
            continue;
        if (conf_failed(c, o, r[i].kw)) { /* said; under --lenient the block goes with the line */
            o->drop = o->drop || o->blk != BLK_VI;
            continue;
        }
        CONF_ERR(c, conf_pos_missing(c, o, r[i].kw), "HF-MISSING", "%s has no %s", conf_label(c, o),
                 r[i].name);
        o->drop = true;
    }
}

static void each_mandatory(struct conf *c, struct conf_obj *o)
{
    for (struct conf_obj *in = o->child; in != NULL; in = in->sibling) {
        if (in->drop)
            continue;
        mandatory(c, in);
        each_mandatory(c, in);
    }
}

static bool same_ip(const struct ipaddr *a, const struct ipaddr *b)
{
    return a == NULL || b == NULL ? a == b : ipaddr_same(a, b);
}

/* Packets say no more than addresses and port before a session is up: two sessions must differ in them. */
static void session(struct conf *c, const struct conf_obj *o)
{
    for (const struct conf_obj *b = c->top->child; b != o; b = b->sibling) {
        if (b->blk != BLK_BFD || b->drop || conf_flag(b, KW_BFD_MULTIHOP) != conf_flag(o, KW_BFD_MULTIHOP) ||
            !same_ip(conf_ip(b, KW_BFD_NEIGHBOR_IP), conf_ip(o, KW_BFD_NEIGHBOR_IP)) ||
            !same_ip(conf_ip(b, KW_BFD_SOURCE_IP), conf_ip(o, KW_BFD_SOURCE_IP)))
            continue;
        struct diag_item *it =
            CONF_ERR(c, conf_pos_obj(o), "HF-DUP",
                     "bfd_instance %s has the neighbour, the source and the port of %s", o->name, b->name);
        diag_related(it, conf_pos_obj(b), "the other one");
        diag_help(it, "follow one session from both places, or give them different source addresses");
        return;
    }
}

static void trackers(struct conf *c)
{
    for (struct conf_obj *o = c->top->child; o != NULL; o = o->sibling) {
        if (o->drop)
            continue;
        if (o->blk == BLK_PROC && conf_get(o, KW_PROC_QUORUM_MAX) != NULL &&
            conf_uint(o, KW_PROC_QUORUM_MAX, 0) < conf_uint(o, KW_PROC_QUORUM, 1) &&
            conf_written(o, KW_PROC_QUORUM))
            CONF_ERR(c, conf_pos_value(conf_get(o, KW_PROC_QUORUM_MAX)), "HF-RANGE",
                     "quorum_max is below quorum");
        if (o->blk == BLK_BFD)
            session(c, o);
        if (o->blk == BLK_BFD && conf_written(o, KW_BFD_MAX_HOPS) &&
            conf_get(o, KW_BFD_MAX_HOPS)->v.i > (int64_t)conf_uint(o, KW_BFD_TTL, 255))
            CONF_ERR(c, conf_pos_value(conf_get(o, KW_BFD_MAX_HOPS)), "HF-RANGE", "max_hops is above ttl");
        if ((o->blk == BLK_LINKBEAT || o->blk == BLK_UPDOWN) && !conf_if_exists(c, o->name))
            conf_warn_iface(c, conf_pos_obj(o), "interface", o->name, "");
    }
}

/* Names of programs and the like that no two may share. */
static void global(struct conf *c)
{
    char text[IPADDR_STRLEN];
    const struct conf_value *a = conf_get(c->global, KW_GLOBAL_VRRP_MCAST_GROUP4),
                            *b = conf_get(c->global, KW_GLOBAL_VRRP_MCAST_GROUP6);
    if (a != NULL && (a->v.ip->family != 4 || !ipaddr_is_multicast(a->v.ip)))
        CONF_ERR(c, conf_pos_value(a), "HF-ADDR", "vrrp_mcast_group4 %s is not an IPv4 multicast address",
                 ipaddr_str(a->v.ip, text));
    if (b != NULL && (b->v.ip->family != 6 || !ipaddr_is_multicast(b->v.ip)))
        CONF_ERR(c, conf_pos_value(b), "HF-ADDR", "vrrp_mcast_group6 %s is not an IPv6 multicast address",
                 ipaddr_str(b->v.ip, text));
    else if (b != NULL && (b->v.ip->b[1] & 0x0f) != 2)
        CONF_WARN(c, conf_pos_value(b), "HF-ADDR", "vrrp_mcast_group6 %s is not of link-local scope",
                  ipaddr_str(b->v.ip, text));
    for (struct conf_obj *s = NULL; (s = conf_next(c->global, s, BLK_SYNCD)) != NULL;)
        if (conf_get(c->top, KW_TOP_NET_NAMESPACE_IPVS) == NULL && !conf_if_exists(c, s->name))
            conf_warn_iface(c, conf_pos_obj(s), "lvs_sync_daemon: interface", s->name, "");
}

bool conf_unproven(const struct conf *c)
{
    return c->unproven;
}

void conf_validate(struct conf *c, const struct conf_prove *prove)
{
    c->prove = prove;
    each_mandatory(c, c->top);
    global(c);
    trackers(c);
    conf_validate_vrrp(c);
    conf_validate_lvs(c);
    conf_validate_tls(c);
    conf_validate_scripts(c);
    conf_validate_process(c);
    conf_count(c);
    /* of a file without a line the reader has said it */
    if (conf_is_empty(c) && c->text->nlines > 0 && diag_count(c->diag, DIAG_ERROR) == 0) {
        struct diag_item *it = CONF_WARN(c, conf_pos_file(c->text), "HF-EMPTY",
                                         "nothing is configured: no VRRP instance, no virtual server");
        diag_help(it, "the daemon starts and has nothing to do");
    }
}
