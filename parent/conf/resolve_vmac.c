/*
 * resolve_vmac.c - virtual MACs: which macvlan an instance or an address gets, its name, its address; and the
 * ipvlans of use_ipvlan, which are interfaces of the same kind without a MAC of their own. The interfaces
 * themselves are ipvsd's work; here are names only, given in the order of the file, so that every role and
 * every generation says the same. Called by resolve.c when all instances are known.
 */
#include <stdio.h>
#include <string.h>

#include "parent/conf/resolve.h"

#define VMAC_NAME_MAX  15
#define VMAC_FAMILY(f) ((f) == 6 ? 2u : 1u)

/* What `use_vmac` or `use_ipvlan` was given; the parser has checked the words. */
struct vmac_words {
    const char *name;
    bool mac_given, grouped;
    uint64_t mac;
    uint32_t group;
    struct ipaddr addr; /* use_ipvlan; family 0: none */
    int64_t mode;       /* use_ipvlan: flags of the kernel; -1: not given */
};

static int hex_digit(char ch)
{
    return ch >= '0' && ch <= '9'                 ? ch - '0'
           : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (ch | 32) - 'a' + 10
                                                  : -1;
}

/* 6 octets, or 5 with the VRID appended. False: no MAC. */
static bool mac_of(const char *s, uint64_t vrid, uint64_t *out)
{
    uint64_t mac = 0;
    int octets = 0;
    while (octets < 6) {
        unsigned int n = 0, v = 0;
        for (; hex_digit(*s) >= 0 && n < 2; n++, s++)
            v = v << 4 | (unsigned int)hex_digit(*s);
        if (n == 0)
            return false;
        mac = mac << 8 | v;
        octets++;
        if (*s != ':')
            break;
        s++;
    }
    if (*s != '\0' || octets < 5)
        return false;
    *out = octets == 6 ? mac : mac << 8 | vrid;
    return true;
}

static void words_of(struct conf *c, const struct conf_value *v, uint64_t vrid, struct vmac_words *out)
{
    const char *at = v->v.raw, *end = at + v->len;
    bool ipvlan = v->kw == KW_VI_USE_IPVLAN;
    memset(out, 0, sizeof *out);
    out->mode = -1;
    while (at < end && *at != '\0') {
        const char *w = at;
        at += strlen(at) + 1;
        if (strcmp(w, "netlink_notify_msg") == 0)
            continue; /* ipvsd looks itself after it has made one */
        if (strcmp(w, "group") == 0 && at < end) {
            out->grouped = conf_name_lookup(c, NAMES_GROUP, at, &out->group) == 0;
            at += strlen(at) + 1;
        } else if (strcmp(w, "name") == 0 && at < end) {
            out->name = at;
            at += strlen(at) + 1;
        } else if (ipvlan && (schema_word_find(ENUM_IPVLAN, w, &out->mode) == 0 ||
                              ipaddr_parse_prefix(w, &out->addr) == 0)) {
            continue;
        } else if (!ipvlan && mac_of(w, vrid, &out->mac)) {
            out->mac_given = true;
        } else {
            out->name = w;
        }
    }
}

static uint64_t rfc_mac(uint8_t family, uint64_t vrid)
{
    return UINT64_C(0x00005e000000) | (family == 6 ? UINT64_C(0x0200) : UINT64_C(0x0100)) | (vrid & 0xff);
}

static bool name_taken(struct conf *c, const char *name)
{
    if (conf_find(c, BLK_VMAC, name) != NULL)
        return true;
    for (const struct conf_obj *vi = NULL; (vi = conf_next(c->top, vi, BLK_VI)) != NULL;)
        if (strcmp(conf_str(vi, KW_VI_INTERFACE, ""), name) == 0)
            return true;
    return false;
}

/* vrrp.51; taken: vrrp6.51 for IPv6; then vrrp1.51, vrrp2.51 ... */
static const char *name_make(struct conf *c, const char *prefix, uint8_t family, uint64_t vrid)
{
    const char *name = conf_fmt(c, "%s.%llu", prefix, (unsigned long long)vrid);
    if (name_taken(c, name) && family == 6)
        name = conf_fmt(c, "%s6.%llu", prefix, (unsigned long long)vrid);
    for (unsigned int n = 1; name_taken(c, name); n++)
        name = conf_fmt(c, "%s%u.%llu", prefix, n, (unsigned long long)vrid);
    return name;
}

static struct conf_obj *vmac_new(struct conf *c, struct conf_obj *vi, const char *name, const char *base,
                                 uint64_t mac)
{
    struct conf_obj *o = conf_obj_new(c, vi, BLK_VMAC, name, NULL);
    conf_hash_add(c, o);
    conf_set_str(c, o, KW_VMAC_X_BASE, base);
    conf_set_uint(c, o, KW_VMAC_X_MAC, mac);
    return o;
}

static void vmac_family(struct conf *c, struct conf_obj *vmac, uint8_t family)
{
    conf_set_uint(c, vmac, KW_VMAC_X_FAMILIES, conf_uint(vmac, KW_VMAC_X_FAMILIES, 0) | VMAC_FAMILY(family));
}

/* The statement; the instance, when rfc_defaults stands in for it. */
static struct conf_pos vmac_pos(const struct conf_obj *vi, const struct conf_value *v)
{
    return v->line != NULL ? conf_pos_value(v) : conf_pos_obj(vi);
}

static bool name_fits(struct conf *c, struct conf_pos at, const char *name)
{
    if (strlen(name) <= VMAC_NAME_MAX && strchr(name, '/') == NULL && name[0] != '\0')
        return true;
    diag_help(CONF_ERR(c, at, "HF-IFACE-NAME", "%s is no name for an interface", name),
              "at most 15 characters, the number of the router included; see vmac_prefix");
    return false;
}

static bool usable(const struct conf_obj *vi)
{
    return !vi->drop && !vi->broken && conf_get(vi, KW_VI_VIRTUAL_ROUTER_ID) != NULL &&
           conf_get(vi, KW_VI_INTERFACE) != NULL;
}

/* ---- the instance's own
 * --------------------------------------------------------------------------------------------- */

static void unicast_forces_base(struct conf *c, struct conf_obj *vi, const struct conf_value *v)
{
    if (conf_next(vi, NULL, BLK_VI_PEER) == NULL || conf_flag(vi, KW_VI_VMAC_XMIT_BASE))
        return;
    diag_help(CONF_WARN(c, conf_pos_value(v), "HF-VMAC-UNICAST",
                        "%s: unicast adverts leave by %s, not by the macvlan", vi->name,
                        conf_str(vi, KW_VI_INTERFACE, diag_tr(c->diag, "its interface"))),
              "add vmac_xmit_base to say so");
    conf_set_uint(c, vi, KW_VI_VMAC_XMIT_BASE, 1);
}

/* The name that was chosen, or one that is free; NULL: it cannot be. */
static const char *own_name(struct conf *c, const struct conf_obj *vi, const struct conf_value *v,
                            const char *chosen)
{
    const char *name = chosen;
    if (name == NULL)
        name =
            name_make(c, conf_str(c->global, KW_GLOBAL_VMAC_PREFIX, "vrrp"),
                      (uint8_t)conf_uint(vi, KW_VI_X_FAMILY, 4), conf_uint(vi, KW_VI_VIRTUAL_ROUTER_ID, 0));
    if (!name_fits(c, vmac_pos(vi, v), name))
        return NULL;
    if (chosen == NULL || !name_taken(c, name))
        return name;
    CONF_ERR(c, vmac_pos(vi, v), "HF-VMAC-NAME", "%s: the name %s is already in use", vi->name, name);
    return NULL;
}

static void own_vmac(struct conf *c, struct conf_obj *vi)
{
    const struct conf_value *v = conf_get(vi, KW_VI_USE_VMAC);
    const char *base = conf_str(vi, KW_VI_INTERFACE, NULL);
    uint8_t family = (uint8_t)conf_uint(vi, KW_VI_X_FAMILY, 4);
    uint64_t vrid = conf_uint(vi, KW_VI_VIRTUAL_ROUTER_ID, 0);
    struct vmac_words w;
    words_of(c, v, vrid, &w);
    if (w.mac_given && conf_flag(vi, KW_VI_STRICT_MODE)) {
        CONF_WARN(c, conf_pos_value(v), "HF-STRICT", "strict mode: the MAC of use_vmac is the RFC's");
        w.mac_given = false;
    }
    const char *name = own_name(c, vi, v, w.name);
    if (name == NULL)
        return;
    struct conf_obj *o = vmac_new(c, vi, name, base, w.mac_given ? w.mac : rfc_mac(family, vrid));
    vmac_family(c, o, family);
    if (w.grouped)
        conf_set_uint(c, o, KW_VMAC_X_GROUP, w.group);
    conf_set_str(c, vi, KW_VI_X_VMAC, name);
    unicast_forces_base(c, vi, v);
}

/* ---- use_ipvlan
 * ------------------------------------------------------------------------------------------------------------
 */

/* Its address is there as long as the interface is, as a static one: what a MASTER has comes and goes. */
static void ipvlan_addr(struct conf *c, struct conf_obj *vi, const struct conf_value *v,
                        const struct ipaddr *addr, const char *dev)
{
    char text[IPADDR_STRLEN];
    for (struct conf_obj *a = NULL; (a = conf_next(vi, a, BLK_ADDR)) != NULL;) {
        const struct ipaddr *ip = conf_ip(a, KW_ADDR_ADDRESS);
        if (ip != NULL && ipaddr_same(ip, addr))
            CONF_ERR(c, conf_pos_value(v), "HF-IPVLAN-ADDR",
                     "%s: %s is a virtual address, and cannot be the ipvlan's own", vi->name,
                     ipaddr_str(addr, text));
    }
    struct conf_obj *a = conf_obj_new(c, c->top, BLK_ADDR, NULL, NULL);
    conf_set_ip(c, a, KW_ADDR_ADDRESS, addr);
    conf_set_str(c, a, KW_ADDR_DEV, dev);
    if (addr->family == 6)
        conf_set_uint(c, a, KW_ADDR_PREFERRED_LFT, UINT32_MAX);
    if (conf_get(vi, KW_VI_X_SRC) == NULL)
        conf_set_ip(c, vi, KW_VI_X_SRC, addr);
}

/* bridge, private and vepa belong to the interface below: the first that is written counts for all on it. */
static uint64_t ipvlan_mode(struct conf *c, const struct conf_obj *vi, const struct conf_value *v,
                            const struct vmac_words *w)
{
    const char *base = conf_str(vi, KW_VI_INTERFACE, "");
    for (const struct conf_obj *o = NULL; (o = conf_next(c->top, o, BLK_VI)) != NULL;) {
        const struct conf_value *is = conf_get(o, KW_VI_USE_IPVLAN);
        struct vmac_words first = { .mode = -1 };
        if (is != NULL && usable(o) && strcmp(conf_str(o, KW_VI_INTERFACE, ""), base) == 0)
            words_of(c, is, 0, &first);
        if (first.mode < 0)
            continue;
        if (w->mode >= 0 && w->mode != first.mode)
            CONF_WARN(c, conf_pos_value(v), "HF-IPVLAN-MODE",
                      "%s: all ipvlans on %s have one mode, that of %s counts", vi->name, base, o->name);
        return (uint64_t)first.mode;
    }
    return 0;
}

uint8_t resolve_ipvlan_family(struct conf *c, const struct conf_obj *vi)
{
    const struct conf_value *v = conf_get(vi, KW_VI_USE_IPVLAN);
    struct vmac_words w = { 0 };
    if (v != NULL)
        words_of(c, v, 0, &w);
    return w.addr.family;
}

static bool ipvlan_addressed(struct conf *c, const struct conf_obj *vi, const struct conf_value *v,
                             const struct ipaddr *addr, uint8_t family)
{
    char text[IPADDR_STRLEN];
    if (addr->family == 0 && family == 4) {
        diag_help(CONF_ERR(c, conf_pos_value(v), "HF-IPVLAN-ADDR",
                           "%s: use_ipvlan needs an IPv4 address, which its adverts come from", vi->name),
                  "write: use_ipvlan ADDRESS/LENGTH, an address that no other machine has");
        return false;
    }
    if (addr->family == 0 || addr->family == family)
        return true;
    CONF_ERR(c, conf_pos_value(v), "HF-FAMILY", "use_ipvlan: %s is IPv%u but %s is IPv%u",
             ipaddr_str(addr, text), addr->family, vi->name, family);
    return false;
}

static void own_ipvlan(struct conf *c, struct conf_obj *vi)
{
    const struct conf_value *v = conf_get(vi, KW_VI_USE_IPVLAN);
    const char *base = conf_str(vi, KW_VI_INTERFACE, NULL);
    uint8_t family = (uint8_t)conf_uint(vi, KW_VI_X_FAMILY, 4);
    struct vmac_words w;
    words_of(c, v, 0, &w);
    if (!ipvlan_addressed(c, vi, v, &w.addr, family))
        return;
    const char *name = own_name(c, vi, v, w.name);
    if (name == NULL)
        return;
    struct conf_obj *o = vmac_new(c, vi, name, base, 0);
    conf_set_uint(c, o, KW_VMAC_X_IPVLAN, ipvlan_mode(c, vi, v, &w));
    vmac_family(c, o, family);
    if (w.grouped)
        conf_set_uint(c, o, KW_VMAC_X_GROUP, w.group);
    conf_set_str(c, vi, KW_VI_X_VMAC, name);
    if (conf_written(vi, KW_VI_VMAC_XMIT_BASE))
        CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_VMAC_XMIT_BASE)), "HF-NO-EFFECT",
                  "vmac_xmit_base has no effect with use_ipvlan: its adverts leave by the ipvlan");
    conf_unset(vi, KW_VI_VMAC_XMIT_BASE);
    if (w.addr.family != 0)
        ipvlan_addr(c, vi, v, &w.addr, name);
}

/* ---- addresses on other interfaces
 * ------------------------------------------------------------------------------------ */

static struct conf_obj *vmac_on(const struct conf_obj *vi, const char *base, uint64_t mac)
{
    for (struct conf_obj *o = NULL; (o = conf_next(vi, o, BLK_VMAC)) != NULL;)
        if (strcmp(conf_str(o, KW_VMAC_X_BASE, ""), base) == 0 && conf_uint(o, KW_VMAC_X_MAC, 0) == mac)
            return o;
    return NULL;
}

static void addr_vmac(struct conf *c, struct conf_obj *vi, struct conf_obj *a, uint8_t family)
{
    const char *own = conf_str(vi, KW_VI_X_VMAC, NULL), *iface = conf_str(vi, KW_VI_INTERFACE, NULL);
    const char *dev = conf_str(a, KW_ADDR_DEV, own != NULL ? own : iface);
    uint64_t vrid = conf_uint(vi, KW_VI_VIRTUAL_ROUTER_ID, 0), mac = rfc_mac(family, vrid);
    bool foreign = family != conf_uint(vi, KW_VI_X_FAMILY, 4); /* the instance's macvlan has the other MAC */
    bool elsewhere = dev != NULL && (foreign || strcmp(dev, iface != NULL ? iface : "") != 0);
    bool wanted = conf_flag(a, KW_ADDR_USE_VMAC) || (conf_flag(vi, KW_VI_USE_VMAC_ADDR) && elsewhere);
    if (wanted && foreign && dev == own && conf_get(vi, KW_VI_USE_IPVLAN) == NULL)
        dev = iface;
    struct conf_obj *o = dev != NULL ? conf_find(c, BLK_VMAC, dev) : NULL;
    if (o != NULL) {
        vmac_family(c, o, family);
        return;
    }
    if (dev == NULL || !wanted)
        return;
    o = vmac_on(vi, dev, mac);
    if (o == NULL) {
        const char *prefix = conf_str(c->global, KW_GLOBAL_VMAC_ADDR_PREFIX,
                                      conf_str(c->global, KW_GLOBAL_VMAC_PREFIX, "vrrp"));
        const char *name = name_make(c, prefix, family, vrid);
        if (!name_fits(c, conf_pos_value(conf_get(a, KW_ADDR_ADDRESS)), name))
            return;
        o = vmac_new(c, vi, name, dev, mac);
    }
    vmac_family(c, o, family);
    conf_set_str(c, a, KW_ADDR_DEV, o->name);
    conf_get(a, KW_ADDR_DEV)->inherited = true; /* nobody need warn that it is not there yet */
}

void resolve_vmacs(struct conf *c)
{
    for (struct conf_obj *vi = NULL; (vi = conf_next(c->top, vi, BLK_VI)) != NULL;) {
        const struct conf_value *v = conf_get(vi, KW_VI_USE_IPVLAN);
        if (v == NULL || conf_get(vi, KW_VI_USE_VMAC) == NULL)
            continue;
        CONF_WARN(c, conf_pos_value(v), "HF-NO-EFFECT", "%s: use_ipvlan has no effect beside use_vmac",
                  vi->name);
        conf_unset(vi, KW_VI_USE_IPVLAN);
    }
    for (int named = 1; named >= 0; named--) /* names somebody chose are taken first */
        for (struct conf_obj *vi = NULL; (vi = conf_next(c->top, vi, BLK_VI)) != NULL;) {
            const struct conf_value *v = conf_get(vi, KW_VI_USE_VMAC);
            struct vmac_words w = { 0 };
            if (v == NULL)
                v = conf_get(vi, KW_VI_USE_IPVLAN);
            if (v == NULL || !usable(vi))
                continue;
            words_of(c, v, 0, &w);
            if ((w.name != NULL) != (named != 0))
                continue;
            if (v->kw == KW_VI_USE_VMAC)
                own_vmac(c, vi);
            else
                own_ipvlan(c, vi);
        }
    for (struct conf_obj *vi = NULL; (vi = conf_next(c->top, vi, BLK_VI)) != NULL;)
        for (struct conf_obj *a = NULL; usable(vi) && (a = conf_next(vi, a, BLK_ADDR)) != NULL;) {
            const struct ipaddr *ip = conf_ip(a, KW_ADDR_ADDRESS);
            if (ip != NULL && !a->drop)
                addr_vmac(c, vi, a, ip->family);
        }
    for (struct conf_obj *vi = NULL; (vi = conf_next(c->top, vi, BLK_VI)) != NULL;)
        if (conf_get(vi, KW_VI_X_VMAC) == NULL && conf_written(vi, KW_VI_VMAC_XMIT_BASE))
            CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_VMAC_XMIT_BASE)), "HF-NO-EFFECT",
                      "vmac_xmit_base has no effect without use_vmac");
}
