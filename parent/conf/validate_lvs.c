/*
 * validate_lvs.c - services, servers and checkers: groups that exist, servers listed twice, quorum, what a
 * checker needs. Linear in the number of servers. Called by validate.c.
 */
#include <stdio.h>
#include <string.h>

#include "parent/conf/conf_int.h"

static void digest(struct conf *c, struct conf_obj *url)
{
    const struct conf_value *v = conf_get(url, KW_URL_DIGEST);
    if (v == NULL || (strlen(v->v.s) == 32 && strspn(v->v.s, "0123456789abcdefABCDEF") == 32))
        return;
    diag_help(CONF_ERR(c, conf_pos_value(v), "HF-DIGEST",
                       "digest %s is not an MD5 sum (32 hexadecimal digits)", v->v.s),
              "genhash -s SERVER -p PORT -u PATH prints it");
}

static void http(struct conf *c, struct conf_obj *k)
{
    size_t n = 0;
    for (struct conf_obj *u = k->child; u != NULL; u = u->sibling) {
        if (u->blk != BLK_URL)
            continue;
        n++;
        digest(c, u);
        conf_validate_regex(c, u);
    }
    if (n == 0 && !k->broken)
        diag_help(CONF_ERR(c, conf_pos_obj(k), "HF-MISSING", "%s has no url", schema_blk(k->blk)->name),
                  "add: url { path / }");
}

/* Source and destination of a check are of one family. */
static void bind_family(struct conf *c, struct conf_obj *k)
{
    static const struct {
        enum blk blk;
        enum kw bind, connect;
    } table[] = { { BLK_HTTP, KW_HTTP_BINDTO, KW_HTTP_CONNECT_IP },
                  { BLK_SSLGET, KW_SSLGET_BINDTO, KW_SSLGET_CONNECT_IP },
                  { BLK_TCP, KW_TCP_BINDTO, KW_TCP_CONNECT_IP },
                  { BLK_SMTP, KW_SMTP_BINDTO, KW_SMTP_CONNECT_IP },
                  { BLK_SMTPHOST, KW_SMTPHOST_BINDTO, KW_SMTPHOST_CONNECT_IP },
                  { BLK_DNS, KW_DNS_BINDTO, KW_DNS_CONNECT_IP },
                  { BLK_PING, KW_PING_BINDTO, KW_PING_CONNECT_IP },
                  { BLK_UDP, KW_UDP_BINDTO, KW_UDP_CONNECT_IP } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].blk != k->blk)
            continue;
        const struct ipaddr *from = conf_ip(k, table[i].bind), *to = conf_ip(k, table[i].connect);
        if (from != NULL && to != NULL && from->family != to->family)
            CONF_ERR(c, conf_pos_value(conf_get(k, table[i].bind)), "HF-FAMILY",
                     "bindto is IPv%u but the address checked is IPv%u", from->family, to->family);
    }
}

static void reference(struct conf *c, struct conf_obj *k, enum kw kw, enum blk blk)
{
    const struct conf_value *v = conf_get(k, kw);
    if (v != NULL && conf_find(c, blk, v->v.s) == NULL && !conf_lost(c, v->v.s))
        CONF_ERR(c, conf_pos_value(v), "HF-REF", "%s %s is not defined", schema_blk(blk)->name, v->v.s);
}

static void dns_name(struct conf *c, struct conf_obj *k)
{
    const struct conf_value *v = conf_get(k, KW_DNS_NAME);
    const char *s = v != NULL && strcmp(v->v.s, ".") != 0 ? v->v.s : "";
    size_t n, total = 1;
    for (; *s != '\0'; s += n + (s[n] == '.')) {
        n = strcspn(s, ".");
        total += n + 1;
        if (n == 0 || n > 63 || total > 255) {
            CONF_ERR(c, conf_pos_value(v), "HF-DNS-NAME", "%s is no DNS name: %s", v->v.s,
                     n == 0   ? diag_tr(c->diag, "a label is empty")
                     : n > 63 ? diag_tr(c->diag, "a label is longer than 63 characters")
                              : diag_tr(c->diag, "it is longer than 253 characters"));
            return;
        }
    }
}

static void udp_reply(struct conf *c, struct conf_obj *k)
{
    static const enum kw limit[] = { KW_UDP_MIN_REPLY_LENGTH, KW_UDP_MAX_REPLY_LENGTH };
    const struct conf_value *want = conf_get(k, KW_UDP_REQUIRE_REPLY);
    if (conf_uint(k, KW_UDP_MIN_REPLY_LENGTH, 0) > conf_uint(k, KW_UDP_MAX_REPLY_LENGTH, 255))
        CONF_ERR(c, conf_pos_obj(k), "HF-RANGE", "max_reply_length is below min_reply_length");
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++)
        if (conf_written(k, limit[i]) && (want == NULL || want->len <= 1))
            CONF_WARN(c, conf_pos_value(conf_get(k, limit[i])), "HF-NO-EFFECT",
                      "%s has an effect only with the bytes of a reply in require_reply",
                      schema_kw(limit[i])->name);
}

static void checker(struct conf *c, struct conf_obj *k)
{
    switch (k->blk) {
    case BLK_HTTP:
    case BLK_SSLGET: http(c, k); break;
    case BLK_FILE: reference(c, k, KW_FILE_TRACK_FILE, BLK_TFILE); break;
    case BLK_BFDCHK: reference(c, k, KW_BFDCHK_NAME, BLK_BFD); break;
    case BLK_DNS: dns_name(c, k); break;
    case BLK_UDP: udp_reply(c, k); break;
    case BLK_SMTP:
        for (struct conf_obj *h = NULL; (h = conf_next(k, h, BLK_SMTPHOST)) != NULL;)
            bind_family(c, h);
        break;
    default: break; /* nothing beyond the family */
    }
    bind_family(c, k);
}

static void server_twice(struct conf *c, struct conf_obj *vs, struct conf_obj *rs)
{
    char text[IPADDR_STRLEN];
    const struct ipaddr *ip = conf_ip(rs, KW_RS_X_IP);
    if (ip == NULL || rs->opener != KW_VS_REAL_SERVER)
        return;
    const char *key = conf_fmt(c, "rs/%p/%s/%llu", (const void *)vs, ipaddr_str(ip, text),
                               (unsigned long long)conf_uint(rs, KW_RS_X_PORT, 0));
    const struct conf_obj *other = conf_once(c, key, rs);
    if (other == NULL)
        return;
    diag_related(CONF_WARN(c, conf_pos_obj(rs), "HF-RS-TWICE", "real_server %s is listed twice", rs->name),
                 conf_pos_obj(other), "first listed here");
    rs->drop = true;
}

static bool group_has_mark(const struct conf_obj *g)
{
    struct conf_obj *m = NULL;
    while (g != NULL && (m = conf_next(g, m, BLK_VSG_LINE)) != NULL)
        if (conf_get(m, KW_VSG_LINE_FWMARK) != NULL)
            return true;
    return false;
}

/* Of a group the kernel knows these by their address alone, since their packets keep their port: of a mark
 * the service has none that a server could have another of, and DR and TUN do not change it. */
static void server_merged(struct conf *c, struct conf_obj *vs, struct conf_obj *rs)
{
    char text[IPADDR_STRLEN];
    const struct ipaddr *ip = conf_ip(rs, KW_RS_X_IP);
    if (ip == NULL || rs->drop)
        return;
    const char *key = conf_fmt(c, "merged/%p/%s", (const void *)vs, ipaddr_str(ip, text));
    const struct conf_obj *other = conf_once(c, key, rs);
    if (other == NULL)
        return;
    struct diag_item *it =
        CONF_WARN(c, conf_pos_obj(rs), "HF-RS-MERGED",
                  "real_server %s and %s are one server of virtual_server_group %s: packets keep their port "
                  "there (a firewall mark, DR or TUN)",
                  rs->name, other->name, conf_str(vs, KW_VS_X_GROUP, ""));
    diag_related(it, conf_pos_obj(other), "first listed here");
    diag_help(it, "list one of them, or write a virtual_server of its own for each port");
}

static void service_twice(struct conf *c, struct conf_obj *vs)
{
    char text[IPADDR_STRLEN] = "";
    const struct ipaddr *ip = conf_ip(vs, KW_VS_X_IP);
    if (ip != NULL)
        ipaddr_str(ip, text);
    const char *key =
        conf_fmt(c, "vs/%s/%llu/%lld/%s/%llu", text, (unsigned long long)conf_uint(vs, KW_VS_X_PORT, 0),
                 (long long)conf_uint(vs, KW_VS_X_FWMARK, UINT64_MAX), conf_str(vs, KW_VS_X_GROUP, ""),
                 (unsigned long long)conf_uint(vs, KW_VS_PROTOCOL, 0));
    const struct conf_obj *other = conf_once(c, key, vs);
    if (other != NULL && !vs->broken)
        diag_related(
            CONF_WARN(c, conf_pos_obj(vs), "HF-VS-TWICE", "virtual_server %s is defined twice", vs->name),
            conf_pos_obj(other), "first defined here");
}

static void quorum(struct conf *c, struct conf_obj *vs, uint64_t total)
{
    struct conf_value *q = conf_get(vs, KW_VS_QUORUM), *h = conf_get(vs, KW_VS_HYSTERESIS);
    if (q != NULL && !q->inherited && q->v.u > total && total > 0) {
        CONF_WARN(c, conf_pos_value(q), "HF-QUORUM",
                  "quorum %llu is more than the weights of all servers together (%llu, used instead)",
                  (unsigned long long)q->v.u, (unsigned long long)total);
        q->v.u = total;
    }
    if (q != NULL && h != NULL && !h->inherited && h->v.u >= q->v.u) {
        CONF_WARN(c, conf_pos_value(h), "HF-QUORUM", "hysteresis must be below quorum; %llu is used",
                  (unsigned long long)q->v.u - 1);
        h->v.u = q->v.u - 1;
    }
    if (q != NULL && h != NULL && h->v.u > 0 && q->v.u + h->v.u > total && total > 0)
        diag_help(
            CONF_WARN(c, conf_pos_value(h), "HF-QUORUM",
                      "quorum %llu and hysteresis %llu together are more than the weights of all servers "
                      "(%llu): the service never gains its quorum",
                      (unsigned long long)q->v.u, (unsigned long long)h->v.u, (unsigned long long)total),
            "lower one of them; until then nobody or the sorry_server answers");
}

static void scheduler(struct conf *c, struct conf_obj *vs)
{
    static const struct {
        enum kw kw;
        int64_t sched;
        const char *name;
    } table[] = { { KW_VS_SH_PORT, 7, "sh" },
                  { KW_VS_SH_FALLBACK, 7, "sh" },
                  { KW_VS_MH_PORT, 8, "mh" },
                  { KW_VS_MH_FALLBACK, 8, "mh" } };
    int64_t sched = (int64_t)conf_uint(vs, KW_VS_LB_ALGO, 4);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (conf_flag(vs, table[i].kw) && sched != table[i].sched)
            CONF_WARN(c, conf_pos_value(conf_get(vs, table[i].kw)), "HF-NO-EFFECT",
                      "%s has no effect without lb_algo %s", schema_kw(table[i].kw)->name, table[i].name);
    if (conf_flag(vs, KW_VS_OPS) && conf_get(vs, KW_VS_X_FWMARK) == NULL &&
        conf_uint(vs, KW_VS_PROTOCOL, 17) != 17) {
        CONF_WARN(c, conf_pos_value(conf_get(vs, KW_VS_OPS)), "HF-NO-EFFECT",
                  "ops has an effect on UDP only");
        conf_unset(vs, KW_VS_OPS);
    }
    if (conf_get(vs, KW_VS_PERSISTENCE_ENGINE) != NULL && conf_get(vs, KW_VS_PERSISTENCE_TIMEOUT) == NULL) {
        CONF_WARN(c, conf_pos_value(conf_get(vs, KW_VS_PERSISTENCE_ENGINE)), "HF-NO-EFFECT",
                  "persistence_engine has no effect without persistence_timeout");
        conf_unset(vs, KW_VS_PERSISTENCE_ENGINE);
    }
    if (conf_flag(vs, KW_VS_HA_SUSPEND) && conf_get(vs, KW_VS_X_FWMARK) != NULL)
        CONF_WARN(c, conf_pos_value(conf_get(vs, KW_VS_HA_SUSPEND)), "HF-NO-EFFECT",
                  "ha_suspend has no effect on a fwmark service");
    if (conf_get(vs, KW_VS_SORRY_SERVER_INHIBIT) != NULL && conf_get(vs, KW_VS_SORRY_SERVER) == NULL)
        CONF_WARN(c, conf_pos_value(conf_get(vs, KW_VS_SORRY_SERVER_INHIBIT)), "HF-NO-EFFECT",
                  "sorry_server_inhibit has no effect without sorry_server");
}

static void service(struct conf *c, struct conf_obj *vs)
{
    const struct conf_value *group = conf_get(vs, KW_VS_X_GROUP);
    const struct conf_obj *g = group != NULL ? conf_find(c, BLK_VSG, group->v.s) : NULL;
    bool marked = group_has_mark(g);
    uint64_t total = 0;
    size_t n = 0, refused = 0;
    if (group != NULL && g == NULL && !conf_lost(c, group->v.s))
        CONF_ERR(c, conf_pos_obj(vs), "HF-REF", "virtual_server_group %s is not defined", group->v.s);
    service_twice(c, vs);
    scheduler(c, vs);
    for (struct conf_obj *rs = vs->child; rs != NULL; rs = rs->sibling) {
        if (rs->blk != BLK_RS || rs->opener != KW_VS_REAL_SERVER)
            continue;
        server_twice(c, vs, rs);
        if (g != NULL && (marked || conf_uint(rs, KW_RS_LVS_METHOD, 0) != 0)) /* 0: NAT */
            server_merged(c, vs, rs);
        for (struct conf_obj *k = rs->child; k != NULL; k = k->sibling)
            checker(c, k);
        if (rs->drop || rs->broken) {
            refused++;
            continue;
        }
        n++;
        total += conf_uint(rs, KW_RS_WEIGHT, 1);
    }
    if (n == 0 && refused == 0 && !vs->broken) {
        CONF_WARN(c, conf_pos_obj(vs), "HF-VS-EMPTY", "virtual_server %s has no real_server", vs->name);
        vs->drop = true;
    }
    quorum(c, vs, total);
}

static void groups(struct conf *c)
{
    for (struct conf_obj *g = NULL; (g = conf_next(c->top, g, BLK_VSG)) != NULL;)
        if (conf_next(g, NULL, BLK_VSG_LINE) == NULL && !conf_failed(c, g, KW_TOP_VIRTUAL_SERVER_GROUP))
            CONF_WARN(c, conf_pos_obj(g), "HF-EMPTY", "virtual_server_group %s is empty", g->name);
}

void conf_validate_lvs(struct conf *c)
{
    groups(c);
    for (struct conf_obj *vs = NULL; (vs = conf_next(c->top, vs, BLK_VS)) != NULL;)
        service(c, vs);
}
