/*
 * resolve_vrrp.c - one vrrp_instance: family, version, owner, intervals, gratuitous ARP, unicast;
 * contradictions that are settled the incumbent's way are warnings. Called by resolve.c for each instance,
 * whatever the order of blocks.
 */
#include <stdio.h>
#include <string.h>

#include "parent/conf/resolve.h"

#define SECOND UINT64_C(1000000)

/* instance, else global, else dflt. */
static void inherit(struct conf *c, struct conf_obj *vi, enum kw kw, enum kw global, uint64_t dflt)
{
    if (conf_get(vi, kw) == NULL)
        conf_set_uint(c, vi, kw, global != KW_NONE ? conf_uint(c->global, global, dflt) : dflt);
}

/* The same for what is off unless somebody says on: off is not written down (KWF_TACIT). */
static void inherit_on(struct conf *c, struct conf_obj *vi, enum kw kw, enum kw global)
{
    if (conf_uint(c->global, global, 0) != 0)
        inherit(c, vi, kw, global, 0);
}

static void family_from(const struct conf_obj *o, enum kw kw, uint8_t *family)
{
    const struct ipaddr *a = conf_ip(o, kw);
    if (*family == 0 && a != NULL)
        *family = a->family;
}

static uint8_t family_of(struct conf *c, struct conf_obj *vi)
{
    uint8_t family = conf_flag(vi, KW_VI_NATIVE_IPV6) ? 6 : 0;
    for (struct conf_obj *a = NULL; family == 0 && (a = conf_next(vi, a, BLK_ADDR)) != NULL;)
        if (a->opener == KW_VI_VIRTUAL_IPADDRESS)
            family_from(a, KW_ADDR_ADDRESS, &family);
    family_from(vi, KW_VI_UNICAST_SRC_IP, &family);
    family_from(vi, KW_VI_MCAST_SRC_IP, &family);
    for (struct conf_obj *p = NULL; family == 0 && (p = conf_next(vi, p, BLK_VI_PEER)) != NULL;)
        family_from(p, KW_VI_PEER_IP, &family);
    if (family == 0)
        family = resolve_ipvlan_family(c, vi);
    family_from(vi, KW_VI_MCAST_DST_IP, &family);
    return family != 0 ? family : 4;
}

static void wrong_family(struct conf *c, struct conf_obj *vi, enum kw kw, uint8_t family)
{
    const struct ipaddr *a = conf_ip(vi, kw);
    char text[IPADDR_STRLEN];
    if (a == NULL || a->family == family)
        return;
    CONF_ERR(c, conf_pos_value(conf_get(vi, kw)), "HF-FAMILY", "%s %s is IPv%u but %s is IPv%u",
             schema_kw(kw)->name, ipaddr_str(a, text), a->family, vi->name, family);
    conf_unset(vi, kw);
}

static void check_families(struct conf *c, struct conf_obj *vi, uint8_t family)
{
    char text[IPADDR_STRLEN];
    wrong_family(c, vi, KW_VI_UNICAST_SRC_IP, family);
    wrong_family(c, vi, KW_VI_MCAST_SRC_IP, family);
    wrong_family(c, vi, KW_VI_MCAST_DST_IP, family);
    for (struct conf_obj *a = NULL; (a = conf_next(vi, a, BLK_ADDR)) != NULL;) {
        const struct ipaddr *ip = conf_ip(a, KW_ADDR_ADDRESS);
        if (a->opener != KW_VI_VIRTUAL_IPADDRESS || ip == NULL || ip->family == family)
            continue;
        struct diag_item *it =
            CONF_ERR(c, conf_pos_value(conf_get(a, KW_ADDR_ADDRESS)), "HF-FAMILY",
                     "%s is IPv%u but %s is IPv%u", ipaddr_str(ip, text), ip->family, vi->name, family);
        diag_help(it, "put it into virtual_ipaddress_excluded, or into an instance of its own");
        a->drop = true;
    }
    for (struct conf_obj *p = NULL; (p = conf_next(vi, p, BLK_VI_PEER)) != NULL;) {
        const struct ipaddr *ip = conf_ip(p, KW_VI_PEER_IP);
        if (ip == NULL || ip->family == family)
            continue;
        CONF_ERR(c, conf_pos_obj(p), "HF-FAMILY", "peer %s is IPv%u but %s is IPv%u", ipaddr_str(ip, text),
                 ip->family, vi->name, family);
        p->drop = true;
    }
}

static void version_of(struct conf *c, struct conf_obj *vi, uint8_t family)
{
    bool strict = conf_flag(vi, KW_VI_STRICT_MODE);
    uint64_t version = conf_uint(vi, KW_VI_VERSION, 0);
    if (family == 6 && version == 2 && strict) {
        CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_VERSION)), "HF-STRICT",
                  "strict mode: IPv6 needs version 3, which is used");
        version = 3;
    }
    if (version == 2 && conf_flag(vi, KW_VI_NATIVE_IPV6)) {
        CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_VERSION)), "HF-VERSION",
                  "native_ipv6 means version 3, which is used");
        version = 3;
    }
    if (version == 0)
        version = family == 6 ? 3 : conf_uint(c->global, KW_GLOBAL_VRRP_VERSION, 2);
    conf_set_uint(c, vi, KW_VI_VERSION, version);
}

static void advert_interval(struct conf *c, struct conf_obj *vi)
{
    struct conf_value *v = conf_get(vi, KW_VI_ADVERT_INT);
    uint64_t version = conf_uint(vi, KW_VI_VERSION, 2), step = version == 2 ? SECOND : 10000;
    if (v == NULL) {
        conf_set_uint(c, vi, KW_VI_ADVERT_INT, SECOND);
        return;
    }
    const char *text = v->line != NULL && v->word < v->line->nwords ? v->line->words[v->word].text : "";
    if (version == 2 && v->v.u < SECOND) {
        struct diag_item *it = CONF_ERR(c, conf_pos_value(v), "HF-RANGE",
                                        "advert_int %s is not in 1-255 seconds (VRRP version 2)", text);
        diag_help(it, "intervals below a second need `version 3` on every router");
        v->v.u = SECOND;
    } else if (version == 3 && v->v.u > 40950000) {
        CONF_ERR(c, conf_pos_value(v), "HF-RANGE",
                 "advert_int %s is not in 0.01-40.95 seconds (VRRP version 3)", text);
        v->v.u = 40950000;
    } else if (v->v.u % step != 0) {
        v->v.u = (v->v.u + step / 2) / step * step;
        CONF_WARN(c, conf_pos_value(v), "HF-ROUNDED", "advert_int %s is rounded to %s", text,
                  version == 2 ? diag_tr(c->diag, "whole seconds (VRRP version 2)")
                               : diag_tr(c->diag, "hundredths of a second"));
    }
}

static void state_and_priority(struct conf *c, struct conf_obj *vi)
{
    uint64_t state = conf_uint(vi, KW_VI_STATE, 0), priority = conf_uint(vi, KW_VI_PRIORITY, 0);
    if (priority == 0)
        priority = state == 2 && !conf_failed(c, vi, KW_VI_PRIORITY) ? 255 : 100;
    if (state == 2 && priority == 255 && conf_get(vi, KW_VI_PRIORITY) == NULL)
        diag_help(CONF_NOTE(c, conf_pos_obj(vi), "HF-DEFAULT",
                            "%s: state MASTER without priority means 255, the owner", vi->name),
                  "write: priority 255");
    if (state == 0)
        state = priority == 255 ? 2 : 1;
    conf_set_uint(c, vi, KW_VI_STATE, state);
    conf_set_uint(c, vi, KW_VI_PRIORITY, priority);
}

/* `preempt` after `nopreempt` clears it. */
static bool preempt_later(const struct conf_obj *vi)
{
    const struct conf_value *p = conf_get(vi, KW_VI_PREEMPT), *n = conf_get(vi, KW_VI_NOPREEMPT);
    return p != NULL && p->v.u != 0 && n != NULL && p->line != NULL && n->line != NULL && p->line > n->line;
}

static void preemption(struct conf *c, struct conf_obj *vi)
{
    bool no = conf_flag(vi, KW_VI_NOPREEMPT) && !preempt_later(vi),
         owner = conf_uint(vi, KW_VI_PRIORITY, 100) == 255, master = conf_uint(vi, KW_VI_STATE, 1) == 2,
         strict = conf_flag(vi, KW_VI_STRICT_MODE);
    const char *why = owner ? DIAG_ID("with priority 255") : DIAG_ID("with state MASTER; use state BACKUP");
    why = diag_tr(c->diag, why);
    if (no && (owner || master)) {
        CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_NOPREEMPT)), "HF-NO-EFFECT",
                  "nopreempt has no effect %s", why);
        no = false;
    }
    if (conf_get(vi, KW_VI_NOPREEMPT) != NULL)
        conf_set_uint(c, vi, KW_VI_NOPREEMPT, no);
    struct conf_value *delay = conf_get(vi, KW_VI_PREEMPT_DELAY);
    if (delay != NULL && delay->v.u != 0 && (no || master || owner || strict)) {
        CONF_WARN(c, conf_pos_value(delay), "HF-NO-EFFECT", "preempt_delay has no effect %s",
                  no       ? diag_tr(c->diag, "with nopreempt")
                  : strict ? diag_tr(c->diag, "in strict mode")
                           : why);
        delay->v.u = 0;
    }
    if (conf_get(vi, KW_VI_TIMER_EXPIRED_BACKUP) != NULL && !no) {
        CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_TIMER_EXPIRED_BACKUP)), "HF-NO-EFFECT",
                  "timer_expired_backup has no effect without nopreempt");
        conf_unset(vi, KW_VI_TIMER_EXPIRED_BACKUP);
    }
}

/* Gratuitous ARP: instance, global, default; vrrp_min_garp replaces what nobody set. */
static void garp_one(struct conf *c, struct conf_obj *vi, enum kw kw, enum kw global, uint64_t dflt,
                     uint64_t least)
{
    bool min = conf_flag(c->global, KW_GLOBAL_VRRP_MIN_GARP);
    inherit(c, vi, kw, global, min ? least : dflt);
}

/* Kept as eight bytes: microseconds and the word all. */
static void garp_extra(struct conf *c, struct conf_obj *vi)
{
    const struct conf_value *g = conf_get(c->global, KW_GLOBAL_VRRP_GARP_EXTRA_IF);
    uint64_t us = 0;
    if (conf_get(vi, KW_VI_GARP_EXTRA_IF) != NULL)
        return;
    if (g != NULL && g->len == sizeof us)
        memcpy(&us, g->v.raw, sizeof us);
    if (us != 0)
        conf_set_uint(c, vi, KW_VI_GARP_EXTRA_IF, us);
}

static void garp(struct conf *c, struct conf_obj *vi)
{
    garp_one(c, vi, KW_VI_GARP_MASTER_DELAY, KW_GLOBAL_VRRP_GARP_MASTER_DELAY, 5 * SECOND, 0);
    garp_one(c, vi, KW_VI_GARP_MASTER_REPEAT, KW_GLOBAL_VRRP_GARP_MASTER_REPEAT, 5, 1);
    inherit_on(c, vi, KW_VI_GARP_MASTER_REFRESH, KW_GLOBAL_VRRP_GARP_MASTER_REFRESH);
    garp_one(c, vi, KW_VI_GARP_MASTER_REFRESH_REPEAT, KW_GLOBAL_VRRP_GARP_MASTER_REFRESH_REPEAT, 1, 1);
    garp_extra(c, vi);
    inherit(c, vi, KW_VI_GARP_LOWER_PRIO_DELAY, KW_GLOBAL_VRRP_GARP_LOWER_PRIO_DELAY,
            conf_uint(vi, KW_VI_GARP_MASTER_DELAY, 0));
    inherit(c, vi, KW_VI_GARP_LOWER_PRIO_REPEAT, KW_GLOBAL_VRRP_GARP_LOWER_PRIO_REPEAT,
            conf_uint(vi, KW_VI_GARP_MASTER_REPEAT, 0));
}

static void owner_ignore(struct conf *c, struct conf_obj *vi)
{
    bool owner = conf_uint(vi, KW_VI_PRIORITY, 100) == 255, strict = conf_flag(vi, KW_VI_STRICT_MODE);
    struct conf_value *v = conf_get(vi, KW_VI_OWNER_IGNORE_ADVERTS);
    if (v == NULL) {
        const struct conf_value *g = conf_get(c->global, KW_GLOBAL_VRRP_OWNER_IGNORE_ADVERTS);
        if (owner && (strict || (g != NULL && g->v.u != 0)))
            conf_set_uint(c, vi, KW_VI_OWNER_IGNORE_ADVERTS, 1);
        return;
    }
    if (v->v.u != 0 && !owner) {
        CONF_WARN(c, conf_pos_value(v), "HF-NO-EFFECT",
                  "owner_ignore_adverts has no effect without priority 255");
        v->v.u = 0;
    } else if (v->v.u == 0 && owner && strict) {
        CONF_WARN(c, conf_pos_value(v), "HF-STRICT",
                  "strict mode: an owner ignores adverts, owner_ignore_adverts off has no effect");
        v->v.u = 1;
    }
}

static void accept_mode(struct conf *c, struct conf_obj *vi)
{
    bool owner = conf_uint(vi, KW_VI_PRIORITY, 100) == 255, strict = conf_flag(vi, KW_VI_STRICT_MODE),
         on = true;
    const struct conf_value *yes = conf_get(vi, KW_VI_ACCEPT), *no = conf_get(vi, KW_VI_NO_ACCEPT);
    bool said = yes != NULL && yes->v.u != 0,
         denied = (no != NULL && no->v.u != 0) || (yes != NULL && yes->v.u == 0);
    if (said && no != NULL && no->v.u != 0)
        CONF_WARN(c, conf_pos_value(no), "HF-CONFLICT",
                  "accept and no_accept are both given; no_accept counts");
    if (strict && said && conf_uint(vi, KW_VI_VERSION, 2) == 2 && !owner) {
        CONF_WARN(c, conf_pos_value(yes), "HF-STRICT", "strict mode with version 2 does not allow accept");
        said = false;
    }
    if (denied && owner)
        CONF_WARN(c, conf_pos_value(no != NULL ? no : yes), "HF-NO-EFFECT",
                  "no_accept has no effect on the address owner");
    if (!owner && (denied || (strict && !said)))
        on = false;
    conf_set_uint(c, vi, KW_VI_ACCEPT, on);
}

static bool has_peers(const struct conf_obj *vi)
{
    return conf_next(vi, NULL, BLK_VI_PEER) != NULL;
}

static void without_peers(struct conf *c, struct conf_obj *vi)
{
    static const enum kw unicast_only[] = { KW_VI_UNICAST_SRC_IP, KW_VI_CHECK_UNICAST_SRC,
                                            KW_VI_OLD_UNICAST_CHECKSUM };
    if (conf_failed(c, vi, KW_VI_UNICAST_PEER))
        return;
    if (conf_flag(vi, KW_VI_UNICAST_FAULT_NO_PEER)) {
        diag_help(CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_UNICAST_FAULT_NO_PEER)),
                            "HF-UNICAST-NO-PEER",
                            "%s has no unicast_peer and stays in FAULT (unicast_fault_no_peer)", vi->name),
                  "add unicast_peer { ADDRESS } with the addresses of the other routers");
        return;
    }
    for (size_t i = 0; i < sizeof unicast_only / sizeof *unicast_only; i++)
        if (conf_written(vi, unicast_only[i])) {
            struct diag_item *it = CONF_WARN(
                c, conf_pos_value(conf_get(vi, unicast_only[i])), "HF-UNICAST-NO-PEER",
                "%s without unicast_peer: %s uses multicast", schema_kw(unicast_only[i])->name, vi->name);
            diag_help(it, "add unicast_peer { ADDRESS } with the addresses of the other routers");
            break;
        }
    if (conf_written(vi, KW_VI_UNICAST_TTL)) {
        CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_UNICAST_TTL)), "HF-NO-EFFECT",
                  "unicast_ttl has no effect without unicast_peer");
        conf_unset(vi, KW_VI_UNICAST_TTL);
    }
}

/* What the kernel refuses to send. */
static void ttl_of_nothing(struct conf *c, struct conf_obj *vi)
{
    if (conf_uint(vi, KW_VI_UNICAST_TTL, 255) != 0)
        return;
    CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_UNICAST_TTL)), "HF-NO-EFFECT",
              "unicast_ttl 0 cannot be sent; adverts leave with 255");
    conf_unset(vi, KW_VI_UNICAST_TTL);
}

static void multicast_group(struct conf *c, struct conf_obj *vi, uint8_t family)
{
    struct ipaddr group;
    enum kw global = family == 4 ? KW_GLOBAL_VRRP_MCAST_GROUP4 : KW_GLOBAL_VRRP_MCAST_GROUP6;
    const struct ipaddr *given = conf_ip(vi, KW_VI_MCAST_DST_IP), *def = conf_ip(c->global, global);
    if (given != NULL && !ipaddr_is_multicast(given)) {
        CONF_ERR(c, conf_pos_value(conf_get(vi, KW_VI_MCAST_DST_IP)), "HF-ADDR",
                 "mcast_dst_ip is not a multicast address");
        given = NULL;
    }
    if (given != NULL && family == 6 && (given->b[1] & 0x0f) != 2) {
        CONF_ERR(c, conf_pos_value(conf_get(vi, KW_VI_MCAST_DST_IP)), "HF-ADDR",
                 "mcast_dst_ip is not of link-local scope (ff02::/16)");
        given = NULL;
    }
    if (given != NULL)
        return;
    if (def == NULL || def->family != family || !ipaddr_is_multicast(def)) {
        ipaddr_parse(family == 4 ? "224.0.0.18" : "ff02::12", &group);
        def = &group;
    }
    conf_unset(vi, KW_VI_MCAST_DST_IP);
    conf_set_ip(c, vi, KW_VI_MCAST_DST_IP, def);
}

static void peers(struct conf *c, struct conf_obj *vi, uint8_t family)
{
    bool unicast = has_peers(vi), ttl = false;
    enum kw src = unicast ? KW_VI_UNICAST_SRC_IP : KW_VI_MCAST_SRC_IP,
            other = unicast ? KW_VI_MCAST_SRC_IP : KW_VI_UNICAST_SRC_IP;
    const struct ipaddr *a = conf_ip(vi, src) != NULL ? conf_ip(vi, src) : conf_ip(vi, other);
    for (struct conf_obj *p = NULL; (p = conf_next(vi, p, BLK_VI_PEER)) != NULL;) {
        uint64_t min = conf_uint(p, KW_VI_PEER_MIN_TTL, 0), max = conf_uint(p, KW_VI_PEER_MAX_TTL, 255);
        ttl = ttl || conf_get(p, KW_VI_PEER_MIN_TTL) != NULL || conf_get(p, KW_VI_PEER_MAX_TTL) != NULL;
        if (min > max)
            CONF_ERR(c, conf_pos_obj(p), "HF-RANGE", "peer %s: min_ttl is above max_ttl", p->name);
        conf_set_uint(c, p, KW_VI_PEER_MIN_TTL, min);
        conf_set_uint(c, p, KW_VI_PEER_MAX_TTL, max);
        if (conf_once(c, conf_fmt(c, "peer/%p/%s", (void *)vi, p->name), p) != NULL) {
            CONF_WARN(c, conf_pos_obj(p), "HF-TWICE", "peer %s is listed twice in %s", p->name, vi->name);
            p->drop = true;
        }
        if (a != NULL && conf_ip(p, KW_VI_PEER_IP) != NULL && ipaddr_same(a, conf_ip(p, KW_VI_PEER_IP)))
            CONF_WARN(c, conf_pos_obj(p), "HF-PEER-SELF", "peer %s is the instance's own source address",
                      p->name);
    }
    if (a != NULL)
        conf_set_ip(c, vi, KW_VI_X_SRC, a);
    inherit_on(c, vi, KW_VI_CHECK_UNICAST_SRC, KW_GLOBAL_VRRP_CHECK_UNICAST_SRC);
    if (ttl)
        conf_set_uint(c, vi, KW_VI_CHECK_UNICAST_SRC, 1);
    if (unicast) {
        ttl_of_nothing(c, vi);
        conf_unset(vi, KW_VI_MCAST_DST_IP);
    } else {
        without_peers(c, vi);
        multicast_group(c, vi, family);
    }
}

void resolve_instance(struct conf *c, struct conf_obj *vi)
{
    inherit_on(c, vi, KW_VI_STRICT_MODE, KW_GLOBAL_VRRP_STRICT);
    uint8_t family = family_of(c, vi);
    conf_set_uint(c, vi, KW_VI_X_FAMILY, family);
    check_families(c, vi, family);
    version_of(c, vi, family);
    advert_interval(c, vi);
    state_and_priority(c, vi);
    resolve_strict(c, vi);
    inherit_on(c, vi, KW_VI_RFC_DEFAULTS, KW_GLOBAL_VRRP_RFC_DEFAULTS);
    resolve_rfc(c, vi);
    preemption(c, vi);
    inherit(c, vi, KW_VI_DOWN_TIMER_ADVERTS, KW_GLOBAL_VRRP_DOWN_TIMER_ADVERTS, 3);
    inherit_on(c, vi, KW_VI_LOWER_PRIO_NO_ADVERT, KW_GLOBAL_VRRP_LOWER_PRIO_NO_ADVERT);
    inherit_on(c, vi, KW_VI_HIGHER_PRIO_SEND_ADVERT, KW_GLOBAL_VRRP_HIGHER_PRIO_SEND_ADVERT);
    inherit_on(c, vi, KW_VI_SKIP_CHECK_ADV_ADDR, KW_GLOBAL_VRRP_SKIP_CHECK_ADV_ADDR);
    inherit_on(c, vi, KW_VI_V3_CHECKSUM_AS_V2, KW_GLOBAL_V3_CHECKSUM_AS_V2);
    inherit_on(c, vi, KW_VI_NOTIFY_PRIORITY_CHANGES, KW_GLOBAL_VRRP_NOTIFY_PRIORITY_CHANGES);
    if (conf_get(vi, KW_VI_SMTP_ALERT) == NULL) {
        uint64_t all = conf_uint(c->global, KW_GLOBAL_SMTP_ALERT, 0);
        if (conf_uint(c->global, KW_GLOBAL_SMTP_ALERT_VRRP, all) != 0)
            conf_set_uint(c, vi, KW_VI_SMTP_ALERT, 1);
    }
    owner_ignore(c, vi);
    accept_mode(c, vi);
    garp(c, vi);
    if (conf_flag(vi, KW_VI_STRICT_MODE))
        conf_set_uint(c, vi, KW_VI_GARP_LOWER_PRIO_REPEAT, 0);
    peers(c, vi, family);
    resolve_auth(c, vi);
}
