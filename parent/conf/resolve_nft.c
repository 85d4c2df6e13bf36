/*
 * resolve_nft.c - what no_accept means for the rest of the configuration: its tables want names of their own,
 * and a service at an address that accepts nothing is no service. Called by resolve.c, at the end.
 */
#include <string.h>

#include "parent/conf/resolve.h"

#define NFT_VRRP  "keepalived" /* names when none is written */
#define NFT_IPVS  "keepalived_ipvs"
#define NFT_VMAC  "keepalived_vmac" /* of a daemon without nftables NAME */
#define NFT_SPARE "keepalived_vrrp"

#define NFT_IPVS_HOOK 98 /* NF_IP_PRI_NAT_SRC - 2 */

static bool silent(const struct conf_obj *vi)
{
    return !vi->drop && conf_get(vi, KW_VI_ACCEPT) != NULL && !conf_flag(vi, KW_VI_ACCEPT);
}

static const char *table(const struct conf *c, enum kw kw, const char *otherwise)
{
    const char *name = conf_str(c->global, kw, "");
    return name[0] != '\0' ? name : otherwise;
}

/* The incumbent shares one table; ours are replaced as a whole, so each needs its own. */
static void names(struct conf *c)
{
    const struct conf_value *own = conf_get(c->global, KW_GLOBAL_NFTABLES);
    const struct conf_value *ipvs = conf_get(c->global, KW_GLOBAL_NFTABLES_IPVS);
    const char *name = table(c, KW_GLOBAL_NFTABLES, NFT_VRRP), *taken = DIAG_ID("macvlans have");
    bool clash = strcmp(name, NFT_VMAC) == 0;
    if (!clash && ipvs != NULL) {
        clash = strcmp(name, table(c, KW_GLOBAL_NFTABLES_IPVS, NFT_IPVS)) == 0;
        taken = DIAG_ID("nftables_ipvs has");
    }
    if (!clash)
        return;
    const char *other = strcmp(name, NFT_VRRP) == 0 ? NFT_SPARE : NFT_VRRP;
    const struct conf_value *at = own != NULL ? own : ipvs;
    struct diag_item *it = CONF_WARN(c, conf_pos_value(at), "HF-CONFLICT",
                                     "%s the nftables table %s already; the one for no_accept is called %s",
                                     diag_tr(c->diag, taken), name, other);
    diag_help(it, "give it a name of its own: nftables NAME");
    conf_set_str(c, c->global, KW_GLOBAL_NFTABLES, other);
}

static const struct conf_obj *silencer(const struct conf *c, const struct ipaddr *ip)
{
    for (const struct conf_obj *vi = NULL; (vi = conf_next(c->top, vi, BLK_VI)) != NULL;) {
        if (!silent(vi))
            continue;
        for (const struct conf_obj *a = NULL; (a = conf_next(vi, a, BLK_ADDR)) != NULL;) {
            const struct ipaddr *vip = conf_ip(a, KW_ADDR_ADDRESS);
            if (vip != NULL && ipaddr_same(vip, ip))
                return vi;
        }
    }
    return NULL;
}

static const char *refusal(struct conf *c, const struct conf_obj *vi)
{
    if (conf_flag(vi, KW_VI_STRICT_MODE))
        return diag_tr(c->diag, "strict mode");
    return conf_written(vi, KW_VI_NO_ACCEPT) || !conf_flag(vi, KW_VI_RFC_DEFAULTS) ? "no_accept"
                                                                                   : "rfc_defaults";
}

/* The packets are dropped before IPVS sees them, with the incumbent as with us, unless the chain comes later.
 */
static void services(struct conf *c)
{
    const struct conf_value *priority = conf_get(c->global, KW_GLOBAL_NFTABLES_PRIORITY);
    if (priority != NULL && priority->v.i > NFT_IPVS_HOOK)
        return;
    for (struct conf_obj *vs = NULL; (vs = conf_next(c->top, vs, BLK_VS)) != NULL;) {
        const struct ipaddr *ip = conf_ip(vs, KW_VS_X_IP);
        const struct conf_obj *vi = ip != NULL ? silencer(c, ip) : NULL;
        if (vi == NULL)
            continue;
        struct diag_item *it = CONF_WARN(c, conf_pos_obj(vs), "HF-NO-ACCEPT",
                                         "nothing reaches this service: packets to its address are dropped, "
                                         "because vrrp_instance %s does not accept them (%s)",
                                         vi->name, refusal(c, vi));
        if (conf_flag(vi, KW_VI_RFC_DEFAULTS) && !conf_written(vi, KW_VI_NO_ACCEPT))
            diag_help(it, "write accept in %s", vi->name);
        else if (!conf_flag(vi, KW_VI_STRICT_MODE))
            diag_help(it, "remove no_accept from %s", vi->name);
        else if (conf_uint(vi, KW_VI_VERSION, 2) == 3)
            diag_help(it, "write accept in %s, or remove vrrp_strict", vi->name);
        else
            diag_help(it, "remove vrrp_strict, or write strict_mode off in %s", vi->name);
    }
}

void resolve_nft(struct conf *c)
{
    bool any = false;
    for (const struct conf_obj *vi = NULL; !any && (vi = conf_next(c->top, vi, BLK_VI)) != NULL;)
        any = silent(vi);
    if (!any)
        return;
    names(c);
    services(c);
}
