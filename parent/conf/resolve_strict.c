/*
 * resolve_strict.c - what strict mode and authentication force upon an instance. Called by resolve_vrrp.c.
 */
#include <string.h>

#include "parent/conf/resolve.h"

/* Strict mode wants `value`; a different one that somebody wrote is named. */
static void force(struct conf *c, struct conf_obj *vi, enum kw kw, uint64_t value, const char *text)
{
    struct conf_value *v = conf_get(vi, kw);
    if (v != NULL && v->v.u != value && !v->inherited)
        CONF_WARN(c, conf_pos_value(v), "HF-STRICT", "strict mode: %s is %s", schema_kw(kw)->name, text);
    conf_set_uint(c, vi, kw, value);
}

static void strict_state(struct conf *c, struct conf_obj *vi)
{
    bool owner = conf_uint(vi, KW_VI_PRIORITY, 100) == 255, master = conf_uint(vi, KW_VI_STATE, 1) == 2;
    struct conf_value *state = conf_get(vi, KW_VI_STATE);
    if (owner == master || conf_failed(c, vi, KW_VI_STATE) || conf_failed(c, vi, KW_VI_PRIORITY))
        return;
    struct diag_item *it =
        CONF_WARN(c, conf_pos_value(state), "HF-STRICT", "strict mode: %s starts as %s",
                  owner ? "priority 255" : diag_tr(c->diag, "a router that is not the owner"),
                  owner ? "MASTER" : "BACKUP");
    diag_help(it, "write: state %s", owner ? "MASTER" : "BACKUP");
    state->v.u = owner ? 2 : 1;
}

static void strict_unicast(struct conf *c, struct conf_obj *vi)
{
    struct conf_obj *peer = conf_next(vi, NULL, BLK_VI_PEER);
    if (peer == NULL)
        return;
    struct diag_item *it =
        CONF_ERR(c, conf_pos_obj(peer), "HF-STRICT", "vrrp_strict does not allow unicast_peer");
    diag_help(it, "remove vrrp_strict from global_defs, or write strict_mode off in %s", vi->name);
}

static void strict_first_vip(struct conf *c, struct conf_obj *vi)
{
    struct conf_obj *a = conf_next(vi, NULL, BLK_ADDR);
    while (a != NULL && a->opener != KW_VI_VIRTUAL_IPADDRESS)
        a = conf_next(vi, a, BLK_ADDR);
    const struct ipaddr *ip = a != NULL ? conf_ip(a, KW_ADDR_ADDRESS) : NULL;
    if (ip != NULL && ip->family == 6 && !ipaddr_is_linklocal6(ip))
        diag_help(CONF_WARN(c, conf_pos_obj(a), "HF-STRICT",
                            "strict mode: the first IPv6 address must be link-local"),
                  "put an address of fe80::/10 first");
}

void resolve_strict(struct conf *c, struct conf_obj *vi)
{
    if (!conf_flag(vi, KW_VI_STRICT_MODE))
        return;
    strict_state(c, vi);
    strict_unicast(c, vi);
    strict_first_vip(c, vi);
    force(c, vi, KW_VI_DOWN_TIMER_ADVERTS, 3, "3");
    force(c, vi, KW_VI_LOWER_PRIO_NO_ADVERT, 1, "on");
    force(c, vi, KW_VI_HIGHER_PRIO_SEND_ADVERT, 0, "off");
    if (conf_flag(vi, KW_VI_VMAC_XMIT_BASE))
        force(c, vi, KW_VI_VMAC_XMIT_BASE, 0, "off");
    if (conf_flag(vi, KW_VI_NO_VIRTUAL_IPADDRESS)) {
        CONF_WARN(c, conf_pos_value(conf_get(vi, KW_VI_NO_VIRTUAL_IPADDRESS)), "HF-STRICT",
                  "strict mode: no_virtual_ipaddress is not allowed");
        conf_unset(vi, KW_VI_NO_VIRTUAL_IPADDRESS);
    }
}

/* The password: eight bytes, the rest never reaches the wire. */
static void auth_pass(struct conf *c, struct conf_obj *auth)
{
    struct conf_value *v = conf_get(auth, KW_VI_AUTH_AUTH_PASS);
    if (v == NULL || strlen(v->v.s) <= 8)
        return;
    struct diag_item *it = CONF_WARN(c, conf_pos_value(v), "HF-AUTH-LONG",
                                     "auth_pass is cut to its first 8 characters; shorten it on every peer");
    diag_hide(it);
    v->v.s = conf_arena_strndup(c->arena, v->v.s, 8);
}

/* Why this block has no effect; NULL: it has. */
static const char *auth_void(const struct conf_obj *vi)
{
    if (conf_uint(vi, KW_VI_VERSION, 2) == 3)
        return DIAG_ID("VRRP version 3 has no authentication; the block is ignored");
    if (conf_flag(vi, KW_VI_STRICT_MODE))
        return DIAG_ID("strict mode has no authentication; the block is ignored");
    if (conf_next(vi, NULL, BLK_VI_HMAC) != NULL)
        return DIAG_ID("auth_hmac replaces authentication; the block is ignored");
    return NULL;
}

void resolve_auth(struct conf *c, struct conf_obj *vi)
{
    struct conf_obj *auth = conf_next(vi, NULL, BLK_VI_AUTH);
    if (auth == NULL)
        return;
    const struct conf_value *type = conf_get(auth, KW_VI_AUTH_AUTH_TYPE),
                            *pass = conf_get(auth, KW_VI_AUTH_AUTH_PASS);
    const char *why = auth_void(vi);
    auth_pass(c, auth);
    if (why != NULL) {
        diag_hide(CONF_WARN(c, conf_pos_obj(auth), "HF-AUTH-VOID", "%s", diag_tr(c->diag, why)));
        auth->drop = true;
        return;
    }
    if (pass != NULL && *pass->v.s == '\0') { /* no password, not one of eight zeros */
        CONF_ERR(c, conf_pos_line(pass->line), "HF-AUTH-PASS", "authentication without auth_pass");
        auth->drop = true;
        return;
    }
    if (pass == NULL && !conf_failed(c, auth, KW_VI_AUTH_AUTH_PASS)) {
        CONF_ERR(c, type != NULL ? conf_pos_line(type->line) : conf_pos_obj(auth), "HF-AUTH-PASS",
                 "authentication without auth_pass");
        auth->drop = true;
        return;
    }
    if (type == NULL && !conf_failed(c, auth, KW_VI_AUTH_AUTH_TYPE)) {
        struct diag_item *it = CONF_WARN(c, conf_pos_obj(auth), "HF-AUTH-TYPE",
                                         "auth_pass without auth_type means no authentication");
        diag_help(it, "add: auth_type PASS");
        diag_hide(it);
    }
    if (type != NULL && type->v.u == 2 && conf_uint(vi, KW_VI_X_FAMILY, 4) == 6) {
        CONF_WARN(c, conf_pos_line(type->line), "HF-AUTH-VOID",
                  "auth_type AH is for IPv4 only; the block is ignored");
        auth->drop = true;
    }
    if (pass == NULL)
        auth->drop = true;
    conf_set_uint(c, auth, KW_VI_AUTH_AUTH_TYPE, type != NULL ? type->v.u : 0);
}
