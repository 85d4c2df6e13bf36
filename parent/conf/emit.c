/*
 * emit.c - the slices: which objects a role gets, under which name, with which fields. The rows of the schema
 * say who may see what, so secrets and commands go to one room only. Numbers the objects once for all roles.
 * Called by program.c through conf_emit, once a role.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/slice.h"
#include "parent/conf/conf_int.h"

/* Roles that have a field of this block; objects without fields of their own are told by hand. */
static unsigned int block_roles(enum blk blk)
{
    unsigned int n, roles = 0;
    const struct kw_row *r = schema_rows(blk, &n);
    for (unsigned int i = 0; i < n; i++)
        if (r[i].kind != KIND_BLOCK && r[i].kind != KIND_LINES && r[i].kind != KIND_SYNTAX)
            roles |= r[i].roles;
    if (blk == BLK_IFACE)
        roles = ROLE_BIT(ROLE_VRRPD) | ROLE_BIT(ROLE_IPVSD);
    if (blk == BLK_VSG)
        roles = ROLE_BIT(ROLE_CHECKD) | ROLE_BIT(ROLE_IPVSD);
    if (blk == BLK_TOP || blk == BLK_GLOBAL)
        roles = ROLE_BIT(ROLE_PARENT) | ROLE_BIT(ROLE_VRRPD) | ROLE_BIT(ROLE_CHECKD) | ROLE_BIT(ROLE_IPVSD);
    return roles;
}

/* Stable: a list keeps the order in which it was written. */
static struct conf_value *merge(struct conf_value *a, struct conf_value *b)
{
    struct conf_value *first = NULL, **at = &first;
    while (a != NULL && b != NULL) {
        struct conf_value **least = b->kw < a->kw ? &b : &a;
        *at = *least;
        *least = (*least)->next;
        at = &(*at)->next;
    }
    *at = a != NULL ? a : b;
    return first;
}

/* Takes the run of ascending keywords at the head of *rest. */
static struct conf_value *take_run(struct conf_value **rest)
{
    struct conf_value *run = *rest, *last = run;
    while (last->next != NULL && last->next->kw >= last->kw)
        last = last->next;
    *rest = last->next;
    last->next = NULL;
    return run;
}

/* By keyword, as the slices have them: once, not once a role. Sums of runs, the longer the further left. */
static void sort_values(struct conf_obj *o)
{
    struct conf_value *sum[32] = { NULL }, *rest = o->values, *all = NULL;
    while (rest != NULL) {
        struct conf_value *run = take_run(&rest);
        size_t i = 0;
        for (; i < 31 && sum[i] != NULL; i++) {
            run = merge(sum[i], run);
            sum[i] = NULL;
        }
        sum[i] = sum[i] != NULL ? merge(sum[i], run) : run;
    }
    for (size_t i = 0; i < 32; i++)
        all = merge(sum[i], all);
    o->values = all;
    for (o->last_value = all; o->last_value != NULL && o->last_value->next != NULL;)
        o->last_value = o->last_value->next;
}

/* Under --lenient: what lost the thing it is about. */
static bool hollow(const struct conf_obj *o)
{
    switch (o->blk) {
    case BLK_VI: return conf_get(o, KW_VI_VIRTUAL_ROUTER_ID) == NULL;
    case BLK_ADDR: return conf_get(o, KW_ADDR_ADDRESS) == NULL || conf_get(o, KW_ADDR_DEV) == NULL;
    case BLK_VI_PEER: return conf_get(o, KW_VI_PEER_IP) == NULL;
    case BLK_RS: return conf_get(o, KW_RS_X_IP) == NULL;
    case BLK_VS:
        return conf_get(o, KW_VS_X_IP) == NULL && conf_get(o, KW_VS_X_FWMARK) == NULL &&
               conf_get(o, KW_VS_X_GROUP) == NULL;
    default: return false;
    }
}

static void number(struct conf_obj *o, uint32_t *next)
{
    o->id = (*next)++;
    o->lineno = conf_lineno(o->line);
    o->hollow = hollow(o);
    sort_values(o);
    for (struct conf_obj *in = o->child; in != NULL; in = in->sibling)
        if (!in->drop)
            number(in, next);
}

/* ADDRESS:PORT:PROTOCOL, fwmark:N or group:NAME:PROTOCOL. */
static const char *vs_key(struct conf *c, const struct conf_obj *vs)
{
    char text[IPADDR_STRLEN];
    const struct ipaddr *ip = conf_ip(vs, KW_VS_X_IP);
    const char *proto = schema_word(ENUM_PROTOCOL, (int64_t)conf_uint(vs, KW_VS_PROTOCOL, 17));
    if (ip != NULL)
        return conf_fmt(c, ip->family == 4 ? "%s:%llu:%s" : "[%s]:%llu:%s", ipaddr_str(ip, text),
                        (unsigned long long)conf_uint(vs, KW_VS_X_PORT, 0), proto);
    if (conf_get(vs, KW_VS_X_FWMARK) != NULL)
        return conf_fmt(c, "fwmark:%llu:inet%s", (unsigned long long)conf_uint(vs, KW_VS_X_FWMARK, 0),
                        conf_uint(vs, KW_VS_X_FAMILY, 4) == 6 ? "6" : "");
    return conf_fmt(c, "group:%s:%s", conf_str(vs, KW_VS_X_GROUP, ""), proto);
}

static const char *rs_key(struct conf *c, const struct conf_obj *rs)
{
    char text[IPADDR_STRLEN];
    const struct ipaddr *ip = conf_ip(rs, KW_RS_X_IP);
    if (ip == NULL)
        return rs->name;
    return conf_fmt(c, ip->family == 4 ? "%s%s:%llu" : "%s[%s]:%llu",
                    rs->opener == KW_VS_SORRY_SERVER ? "sorry:" : "", ipaddr_str(ip, text),
                    (unsigned long long)conf_uint(rs, KW_RS_X_PORT, 0));
}

static const char *natural_key(struct conf *c, const struct conf_obj *o)
{
    switch (o->blk) {
    case BLK_VS: return vs_key(c, o);
    case BLK_RS: return rs_key(c, o);
    default: return o->name != NULL ? o->name : "";
    }
}

static bool is_number(const struct conf_value *v)
{
    return v->len == 0 && v->form != CONF_FORM_STR && v->form != CONF_FORM_IP;
}

static void put_formless(struct slice_writer *w, const struct conf_value *v)
{
    if (v->len > 0)
        slice_put_raw(w, v->kw, v->v.raw, v->len);
    else if (v->form == CONF_FORM_IP)
        slice_put_ip(w, v->kw, v->v.ip);
    else if (v->form == CONF_FORM_STR)
        slice_put_str(w, v->kw, v->v.s);
    else if (is_number(v))
        slice_put_uint(w, v->kw, v->v.u);
}

static void put_value(struct slice_writer *w, const struct kw_row *row, const struct conf_value *v)
{
    switch (row->kind) {
    case KIND_FLAG:
    case KIND_BOOL: slice_put_bool(w, v->kw, v->v.u != 0); break;
    case KIND_UINT:
    case KIND_CNUM:
    case KIND_ENUM:
    case KIND_NAMETAB: slice_put_uint(w, v->kw, v->v.u); break;
    case KIND_INT:
    case KIND_WEIGHT: slice_put_int(w, v->kw, v->v.i); break;
    case KIND_TIME:
    case KIND_MSTIME: slice_put_us(w, v->kw, v->v.u); break;
    case KIND_WORD:
    case KIND_IFNAME:
    case KIND_REF:
    case KIND_WORDS: slice_put_str(w, v->kw, v->v.s); break;
    case KIND_IP:
    case KIND_PREFIX:
        if (v->v.ip->family != 0) /* "default" and "all" of no family: nothing is said, nothing is told */
            slice_put_ip(w, v->kw, v->v.ip);
        break;
    case KIND_SCRIPT: slice_put_raw(w, v->kw, v->v.s, strlen(v->v.s) + 1); break;
    case KIND_USER:
    case KIND_HEX:
    case KIND_SPECIAL:
    case KIND_DERIVED: put_formless(w, v); break;
    case KIND_BLOCK:
    case KIND_LINES:
    case KIND_SYNTAX: break;
    }
}

/* The parent needs of checks only those with a command. */
static bool has_command(const struct conf_obj *o)
{
    for (const struct conf_obj *in = o->child; in != NULL; in = in->sibling)
        if (!in->drop && in->blk == BLK_CMD)
            return true;
    return false;
}

/* Kinds of checks that have a socket, and what makes it one that checkd may not open itself. */
static const struct {
    enum blk blk;
    enum kw fwmark, bind_port;
} check_socket[] = {
    { BLK_HTTP, KW_HTTP_FWMARK, KW_HTTP_BIND_PORT },
    { BLK_SSLGET, KW_SSLGET_FWMARK, KW_SSLGET_BIND_PORT },
    { BLK_TCP, KW_TCP_FWMARK, KW_TCP_BIND_PORT },
    { BLK_SMTP, KW_SMTP_FWMARK, KW_SMTP_BIND_PORT },
    { BLK_SMTPHOST, KW_SMTPHOST_FWMARK, KW_SMTPHOST_BIND_PORT },
    { BLK_DNS, KW_DNS_FWMARK, KW_DNS_BIND_PORT },
    { BLK_UDP, KW_UDP_FWMARK, KW_UDP_BIND_PORT },
};

/* ipvsd opens the sockets of these checks: a mark, a privileged source port, raw ICMP. */
static bool has_ready_socket(const struct conf_obj *o, size_t i)
{
    uint64_t port = conf_uint(o, check_socket[i].bind_port, 0);
    return conf_uint(o, check_socket[i].fwmark, 0) != 0 || (port > 0 && port < IPPORT_RESERVED);
}

/* Of the other checks it need not know; an SMTP_CHECK is told for the sake of its host blocks. */
static bool ipvsd_needs(const struct conf_obj *o)
{
    size_t i = 0, n = sizeof check_socket / sizeof *check_socket;
    while (i < n && check_socket[i].blk != o->blk)
        i++;
    if (i == n || has_ready_socket(o, i))
        return true;
    for (const struct conf_obj *in = o->child; in != NULL; in = in->sibling)
        if (!in->drop && in->blk == BLK_SMTPHOST && ipvsd_needs(in))
            return true;
    return false;
}

struct emit {
    struct conf *c;
    struct slice_writer *w;
    enum role role;
    unsigned int roles[BLK_MAX];
};

static void emit_obj(struct emit *e, const struct conf_obj *o, uint32_t parent)
{
    bool mine = (e->roles[o->blk] & ROLE_BIT(e->role)) != 0;
    if (e->role == ROLE_PARENT && o->blk == BLK_MISC)
        mine = has_command(o);
    if (e->role == ROLE_IPVSD)
        mine = mine && ipvsd_needs(o);
    if (!mine || o->hollow)
        return;
    slice_put_obj_id(e->w, o->id, o->blk, parent, natural_key(e->c, o), o->lineno);
    for (const struct conf_value *v = o->values; v != NULL; v = v->next) {
        const struct kw_row *row = schema_kw(v->kw);
        /* words of a line kept beside the block's own (lb_kind TUN ...) travel as an object of their kind */
        if (row->blk == o->blk && row->roles & ROLE_BIT(e->role) && !conf_tacit(row, v))
            put_value(e->w, row, v);
    }
    uint32_t id = o->blk == BLK_TOP ? 0 : o->id;
    for (const struct conf_obj *in = o->child; in != NULL; in = in->sibling)
        if (!in->drop)
            emit_obj(e, in, id);
}

int conf_emit(struct conf *c, enum role role, uint32_t generation)
{
    if (c->unproven)
        fatal("a configuration nobody has proven is not handed out");
    if (!c->numbered) {
        uint32_t next = 1;
        number(c->top, &next);
        c->numbered = true;
    }
    struct emit e = { .c = c, .w = slice_writer_new(role, generation), .role = role };
    for (int b = BLK_NONE + 1; b < BLK_MAX; b++)
        e.roles[b] = block_roles((enum blk)b);
    emit_obj(&e, c->top, 0);
    return slice_writer_finish(e.w);
}
