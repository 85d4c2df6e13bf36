/*
 * resolve_lvs.c - virtual and real servers: families, ports, forwarding, inherited check parameters, defaults
 * that are applied with a warning as the incumbent applies them. Linear in the number of servers. Called by
 * resolve.c.
 */
#include <stdio.h>
#include <string.h>

#include "parent/conf/resolve.h"

#define SECOND UINT64_C(1000000)

/* Parameters every checker inherits: virtual server, real server, checker. */
static const struct {
    enum kw vs, rs;
} inherited[] = {
    { KW_VS_RETRY, KW_RS_RETRY },
    { KW_VS_DELAY_BEFORE_RETRY, KW_RS_DELAY_BEFORE_RETRY },
    { KW_VS_WARMUP, KW_RS_WARMUP },
    { KW_VS_CONNECT_TIMEOUT, KW_RS_CONNECT_TIMEOUT },
    { KW_VS_DELAY_LOOP, KW_RS_DELAY_LOOP },
    { KW_VS_ALPHA, KW_RS_ALPHA },
    { KW_VS_VIRTUALHOST, KW_RS_VIRTUALHOST },
    { KW_VS_INHIBIT_ON_FAILURE, KW_RS_INHIBIT_ON_FAILURE },
};

static const struct {
    enum blk blk;
    enum kw retry, delay_before_retry, warmup, connect_timeout, delay_loop, alpha, virtualhost, ip, port;
    uint64_t dflt_retry, dflt_delay;
} checker[] = {
    { BLK_HTTP, KW_HTTP_RETRY, KW_HTTP_DELAY_BEFORE_RETRY, KW_HTTP_WARMUP, KW_HTTP_CONNECT_TIMEOUT,
      KW_HTTP_DELAY_LOOP, KW_HTTP_ALPHA, KW_HTTP_VIRTUALHOST, KW_HTTP_CONNECT_IP, KW_HTTP_CONNECT_PORT, 1,
      3 },
    { BLK_SSLGET, KW_SSLGET_RETRY, KW_SSLGET_DELAY_BEFORE_RETRY, KW_SSLGET_WARMUP, KW_SSLGET_CONNECT_TIMEOUT,
      KW_SSLGET_DELAY_LOOP, KW_SSLGET_ALPHA, KW_SSLGET_VIRTUALHOST, KW_SSLGET_CONNECT_IP,
      KW_SSLGET_CONNECT_PORT, 1, 3 },
    { BLK_TCP, KW_TCP_RETRY, KW_TCP_DELAY_BEFORE_RETRY, KW_TCP_WARMUP, KW_TCP_CONNECT_TIMEOUT,
      KW_TCP_DELAY_LOOP, KW_TCP_ALPHA, KW_NONE, KW_TCP_CONNECT_IP, KW_TCP_CONNECT_PORT, 1, 1 },
    { BLK_SMTP, KW_SMTP_RETRY, KW_SMTP_DELAY_BEFORE_RETRY, KW_SMTP_WARMUP, KW_SMTP_CONNECT_TIMEOUT,
      KW_SMTP_DELAY_LOOP, KW_SMTP_ALPHA, KW_NONE, KW_SMTP_CONNECT_IP, KW_SMTP_CONNECT_PORT, 1, 1 },
    { BLK_DNS, KW_DNS_RETRY, KW_DNS_DELAY_BEFORE_RETRY, KW_DNS_WARMUP, KW_DNS_CONNECT_TIMEOUT,
      KW_DNS_DELAY_LOOP, KW_DNS_ALPHA, KW_NONE, KW_DNS_CONNECT_IP, KW_DNS_CONNECT_PORT, 3, 0 },
    { BLK_MISC, KW_MISC_RETRY, KW_MISC_DELAY_BEFORE_RETRY, KW_MISC_WARMUP, KW_NONE, KW_MISC_DELAY_LOOP,
      KW_MISC_ALPHA, KW_NONE, KW_NONE, KW_NONE, 0, 1 },
    { BLK_PING, KW_PING_RETRY, KW_PING_DELAY_BEFORE_RETRY, KW_PING_WARMUP, KW_PING_CONNECT_TIMEOUT,
      KW_PING_DELAY_LOOP, KW_PING_ALPHA, KW_NONE, KW_PING_CONNECT_IP, KW_NONE, 1, 1 },
    { BLK_UDP, KW_UDP_RETRY, KW_UDP_DELAY_BEFORE_RETRY, KW_UDP_WARMUP, KW_UDP_CONNECT_TIMEOUT,
      KW_UDP_DELAY_LOOP, KW_UDP_ALPHA, KW_NONE, KW_UDP_CONNECT_IP, KW_UDP_CONNECT_PORT, 1, 1 },
};

static void take(struct conf *c, struct conf_obj *to, enum kw kw, const struct conf_obj *from,
                 enum kw from_kw)
{
    const struct conf_value *v;
    if (kw == KW_NONE || conf_get(to, kw) != NULL || (v = conf_get(from, from_kw)) == NULL)
        return;
    struct conf_value *mine = conf_set(c, to, kw);
    mine->v = v->v;
    mine->form = v->form;
    mine->len = v->len;
}

static void dflt(struct conf *c, struct conf_obj *o, enum kw kw, uint64_t v)
{
    if (kw != KW_NONE && conf_get(o, kw) == NULL)
        conf_set_uint(c, o, kw, v);
}

/* Old form of SMTP_CHECK: what a host block says about timers counts for the checker, what the checker says
 * about addresses is the default of its hosts. Before the checker itself inherits. */
static void smtp_hosts(struct conf *c, struct conf_obj *rs, struct conf_obj *k)
{
    static const struct {
        enum kw smtp, host;
    } timers[] = { { KW_SMTP_RETRY, KW_SMTPHOST_RETRY },
                   { KW_SMTP_DELAY_BEFORE_RETRY, KW_SMTPHOST_DELAY_BEFORE_RETRY },
                   { KW_SMTP_WARMUP, KW_SMTPHOST_WARMUP },
                   { KW_SMTP_DELAY_LOOP, KW_SMTPHOST_DELAY_LOOP },
                   { KW_SMTP_ALPHA, KW_SMTPHOST_ALPHA },
                   { KW_SMTP_LOG_ALL_FAILURES, KW_SMTPHOST_LOG_ALL_FAILURES } },
      dest[] = { { KW_SMTP_CONNECT_IP, KW_SMTPHOST_CONNECT_IP },
                 { KW_SMTP_CONNECT_PORT, KW_SMTPHOST_CONNECT_PORT },
                 { KW_SMTP_BINDTO, KW_SMTPHOST_BINDTO },
                 { KW_SMTP_BIND_PORT, KW_SMTPHOST_BIND_PORT },
                 { KW_SMTP_BIND_IF, KW_SMTPHOST_BIND_IF },
                 { KW_SMTP_CONNECT_TIMEOUT, KW_SMTPHOST_CONNECT_TIMEOUT },
                 { KW_SMTP_FWMARK, KW_SMTPHOST_FWMARK } };
    for (struct conf_obj *h = NULL; (h = conf_next(k, h, BLK_SMTPHOST)) != NULL;) {
        for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
            take(c, k, timers[i].smtp, h, timers[i].host);
        for (size_t i = 0; i < sizeof dest / sizeof *dest; i++)
            take(c, h, dest[i].host, k, dest[i].smtp);
        take(c, h, KW_SMTPHOST_CONNECT_IP, rs, KW_RS_X_IP);
        take(c, h, KW_SMTPHOST_CONNECT_PORT, rs, KW_RS_X_PORT);
        take(c, h, KW_SMTPHOST_CONNECT_TIMEOUT, rs, KW_RS_CONNECT_TIMEOUT);
        dflt(c, h, KW_SMTPHOST_CONNECT_TIMEOUT, 5 * SECOND);
    }
}

/* A script that is not done when its next run is due is late: misc_timeout 0 or none means delay_loop. The
 * parent, who runs it, finds the time with the command. */
static void misc_timeout(struct conf *c, struct conf_obj *k)
{
    uint64_t us = conf_uint(k, KW_MISC_MISC_TIMEOUT, 0);
    if (us == 0)
        us = conf_uint(k, KW_MISC_DELAY_LOOP, 60 * SECOND);
    conf_set_uint(c, k, KW_MISC_MISC_TIMEOUT, us);
    for (struct conf_obj *cmd = NULL; (cmd = conf_next(k, cmd, BLK_CMD)) != NULL;)
        conf_set_uint(c, cmd, KW_CMD_X_TIMEOUT, us);
}

/* Checks that follow what others tell: no timers, no address. */
static void follower(struct conf *c, struct conf_obj *rs, struct conf_obj *k)
{
    const char *name = conf_str(k, KW_FILE_TRACK_FILE, NULL);
    struct conf_obj *file = name != NULL ? conf_find(c, BLK_TFILE, name) : NULL;
    if (k->blk == BLK_BFDCHK)
        take(c, k, KW_BFDCHK_ALPHA, rs, KW_RS_ALPHA);
    if (k->blk != BLK_FILE || file == NULL || conf_get(k, KW_FILE_WEIGHT) != NULL)
        return;
    take(c, k, KW_FILE_WEIGHT, file, KW_TFILE_WEIGHT);
    take(c, k, KW_FILE_X_REVERSE, file, KW_TFILE_X_REVERSE);
    dflt(c, k, KW_FILE_WEIGHT, 1);
}

static void one_checker(struct conf *c, struct conf_obj *rs, struct conf_obj *k)
{
    follower(c, rs, k);
    size_t i = 0, n = sizeof checker / sizeof *checker;
    while (i < n && checker[i].blk != k->blk)
        i++;
    if (i == n)
        return;
    if (k->blk == BLK_SMTP)
        smtp_hosts(c, rs, k);
    take(c, k, checker[i].retry, rs, KW_RS_RETRY);
    take(c, k, checker[i].delay_before_retry, rs, KW_RS_DELAY_BEFORE_RETRY);
    take(c, k, checker[i].warmup, rs, KW_RS_WARMUP);
    take(c, k, checker[i].connect_timeout, rs, KW_RS_CONNECT_TIMEOUT);
    take(c, k, checker[i].delay_loop, rs, KW_RS_DELAY_LOOP);
    take(c, k, checker[i].alpha, rs, KW_RS_ALPHA);
    take(c, k, checker[i].virtualhost, rs, KW_RS_VIRTUALHOST);
    take(c, k, checker[i].ip, rs, KW_RS_X_IP);
    take(c, k, checker[i].port, rs, KW_RS_X_PORT);
    dflt(c, k, checker[i].delay_loop, 60 * SECOND);
    dflt(c, k, checker[i].retry, checker[i].dflt_retry);
    uint64_t loop = conf_uint(k, checker[i].delay_loop, 60 * SECOND);
    dflt(c, k, checker[i].delay_before_retry,
         checker[i].dflt_delay > 0 ? checker[i].dflt_delay * SECOND : loop);
    dflt(c, k, checker[i].warmup, loop);
    dflt(c, k, checker[i].connect_timeout, 5 * SECOND);
    if (k->blk == BLK_MISC)
        misc_timeout(c, k);
}

/* A server without a port takes the service's. */
static void rs_port(struct conf *c, struct conf_obj *vs, struct conf_obj *rs)
{
    const struct conf_value *vport = conf_get(vs, KW_VS_X_PORT);
    if (vport == NULL && conf_get(vs, KW_VS_X_FWMARK) == NULL && conf_get(vs, KW_VS_X_GROUP) == NULL)
        return;
    dflt(c, rs, KW_RS_X_PORT, vport != NULL ? vport->v.u : 0);
}

/* DR and TUN cannot change the port. The checks have the one that was written by now, as in the incumbent. */
static void rs_port_served(struct conf *c, struct conf_obj *vs, struct conf_obj *rs, uint64_t method)
{
    const struct conf_value *vport = conf_get(vs, KW_VS_X_PORT), *mine = conf_get(rs, KW_RS_X_PORT);
    if (vport != NULL && mine != NULL && method != 0 && mine->v.u != vport->v.u) {
        CONF_WARN(c, conf_pos_obj(rs), "HF-PORT",
                  "real_server %s: lb_kind %s cannot change the port; %llu of the service is used", rs->name,
                  schema_word(ENUM_METHOD, (int64_t)method), (unsigned long long)vport->v.u);
        conf_set_uint(c, rs, KW_RS_X_PORT, vport->v.u);
    }
}

/* The options of TUN become an object of their own below the server, from where its method was written. */
static void rs_tunnel(struct conf *c, struct conf_obj *vs, struct conf_obj *rs)
{
    static const enum kw tunnel[] = { KW_LBKIND_TYPE, KW_LBKIND_PORT, KW_LBKIND_NOCSUM, KW_LBKIND_CSUM,
                                      KW_LBKIND_REMCSUM };
    const struct conf_obj *from = conf_written(rs, KW_RS_LVS_METHOD) ? rs : vs;
    if (rs->opener == KW_VS_SORRY_SERVER && conf_get(vs, KW_VS_SORRY_SERVER_LVS_METHOD) != NULL)
        for (struct conf_obj *k = NULL; (k = conf_next(vs, k, BLK_LBKIND)) != NULL;)
            from = k;
    struct conf_obj *t = conf_obj_new(c, rs, BLK_LBKIND, "tunnel", rs->line);
    for (size_t i = 0; i < sizeof tunnel / sizeof *tunnel; i++)
        take(c, t, tunnel[i], from, tunnel[i]);
}

static void one_rs(struct conf *c, struct conf_obj *vs, struct conf_obj *rs, uint64_t family)
{
    char text[IPADDR_STRLEN];
    const struct ipaddr *ip = conf_ip(rs, KW_RS_X_IP);
    bool sorry = rs->opener == KW_VS_SORRY_SERVER;
    for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
        take(c, rs, inherited[i].rs, vs, inherited[i].vs);
    if (sorry)
        take(c, rs, KW_RS_LVS_METHOD, vs, KW_VS_SORRY_SERVER_LVS_METHOD);
    else
        take(c, rs, KW_RS_WEIGHT, vs, KW_VS_WEIGHT);
    dflt(c, rs, KW_RS_WEIGHT, 1);
    take(c, rs, KW_RS_LVS_METHOD, vs, KW_VS_LB_KIND);
    uint64_t method = conf_uint(rs, KW_RS_LVS_METHOD, 0);
    if (method == 2)
        rs_tunnel(c, vs, rs);
    if (conf_get(rs, KW_RS_SMTP_ALERT) == NULL && !sorry) {
        uint64_t all = conf_uint(c->global, KW_GLOBAL_SMTP_ALERT, 1);
        conf_set_uint(c, rs, KW_RS_SMTP_ALERT, conf_uint(c->global, KW_GLOBAL_SMTP_ALERT_CHECKER, all));
    }
    if (ip != NULL && family != 0 && ip->family != family && method != 2) {
        CONF_ERR(c, conf_pos_obj(rs), "HF-FAMILY",
                 "%s %s is IPv%u but the virtual_server is IPv%llu (only lb_kind TUN can mix)",
                 sorry ? "sorry_server" : "real_server", ipaddr_str(ip, text), ip->family,
                 (unsigned long long)family);
        rs->drop = true;
        return;
    }
    rs_port(c, vs, rs);
    for (struct conf_obj *k = rs->child; k != NULL; k = k->sibling)
        one_checker(c, rs, k);
    rs_port_served(c, vs, rs, method);
}

/* A service of a mark serves the family of its servers. Tunnels leave it open: then persistence_granularity
 * says it, a netmask IPv4, a length IPv6; servers of both families mean IPv4. */
static uint64_t servers_family(struct conf_obj *vs)
{
    const struct conf_value *mask = conf_get(vs, KW_VS_PERSISTENCE_GRANULARITY);
    uint64_t family = 0, method = conf_uint(vs, KW_VS_LB_KIND, 0);
    bool mixed = false, tunnels = true;
    for (struct conf_obj *rs = NULL; (rs = conf_next(vs, rs, BLK_RS)) != NULL;) {
        const struct ipaddr *ip = rs->drop ? NULL : conf_ip(rs, KW_RS_X_IP);
        if (ip == NULL)
            continue;
        mixed = mixed || (family != 0 && family != ip->family);
        family = ip->family;
        tunnels = tunnels && conf_uint(rs, KW_RS_LVS_METHOD, method) == 2;
    }
    if (tunnels && mask != NULL && mask->line != NULL)
        return strchr(mask->line->words[mask->word].text, '.') != NULL ? 4 : 6;
    return mixed ? 4 : family;
}

static uint64_t vs_family(struct conf *c, struct conf_obj *vs)
{
    const struct ipaddr *ip = conf_ip(vs, KW_VS_X_IP);
    const struct conf_value *said = conf_get(vs, KW_VS_IP_FAMILY);
    uint64_t family = ip != NULL ? ip->family : said != NULL ? said->v.u : 0;
    if (ip != NULL && said != NULL && said->v.u != ip->family)
        CONF_WARN(c, conf_pos_value(said), "HF-NO-EFFECT",
                  "ip_family does not fit the address of the service and is ignored");
    const char *group = conf_str(vs, KW_VS_X_GROUP, NULL);
    struct conf_obj *g = group != NULL ? conf_find(c, BLK_VSG, group) : NULL;
    for (struct conf_obj *m = NULL; g != NULL && family == 0 && (m = conf_next(g, m, BLK_VSG_LINE)) != NULL;)
        family = conf_uint(m, KW_VSG_LINE_X_FAMILY, 0);
    if (family == 0)
        family = servers_family(vs);
    conf_set_uint(c, vs, KW_VS_X_FAMILY, family);
    return family;
}

static void vs_default(struct conf *c, struct conf_obj *vs, enum kw kw, uint64_t value, const char *text)
{
    if (conf_get(vs, kw) != NULL)
        return;
    if (!conf_failed(c, vs, kw))
        diag_help(CONF_WARN(c, conf_pos_missing(c, vs, kw), "HF-DEFAULT",
                            "virtual_server %s has no %s; %s is used", vs->name, schema_kw(kw)->name, text),
                  "write: %s %s", schema_kw(kw)->name, text);
    conf_set_uint(c, vs, kw, value);
}

/* A service of firewall marks alone speaks no protocol, whatever is written. */
static bool only_marks(const struct conf *c, const struct conf_obj *vs)
{
    const char *name = conf_str(vs, KW_VS_X_GROUP, NULL);
    struct conf_obj *group = name != NULL ? conf_find(c, BLK_VSG, name) : NULL;
    if (group == NULL)
        return conf_get(vs, KW_VS_X_FWMARK) != NULL;
    for (struct conf_obj *m = NULL; (m = conf_next(group, m, BLK_VSG_LINE)) != NULL;)
        if (conf_get(m, KW_VSG_LINE_FWMARK) == NULL)
            return false;
    return true;
}

/* The how many-th service of its group this one is, from 0: services of several protocols may share one. */
static uint64_t nth_of_group(struct conf *c, const struct conf_obj *vs, const char *group)
{
    uint64_t n = 0;
    for (struct conf_obj *v = NULL; (v = conf_next(c->top, v, BLK_VS)) != NULL && v != vs;)
        n += strcmp(conf_str(v, KW_VS_X_GROUP, ""), group) == 0;
    return n;
}

/* The form FIFO readers and mail filters know, as the incumbent's binary writes it: [ADDRESS]:tcp:PORT, FWM
 * N, [GROUP]:N; a server of a marks-only service is [ADDRESS]:none:PORT, of a mark without NAT
 * [ADDRESS]:none:0. */
static const char *label(struct conf *c, const struct ipaddr *ip, const char *protocol, uint64_t port)
{
    char text[IPADDR_STRLEN];
    return conf_fmt(c, "[%s]:%s:%llu", ipaddr_str(ip, text), protocol, (unsigned long long)port);
}

static void labels(struct conf *c, struct conf_obj *vs)
{
    uint64_t number = conf_uint(vs, KW_VS_PROTOCOL, 17);
    const char *protocol = only_marks(c, vs) ? "none" : number == 6 ? "tcp" : number == 132 ? "sctp" : "udp";
    const struct ipaddr *ip = conf_ip(vs, KW_VS_X_IP);
    const struct conf_value *mark = conf_get(vs, KW_VS_X_FWMARK);
    const char *text;
    if (ip != NULL)
        text = label(c, ip, protocol, conf_uint(vs, KW_VS_X_PORT, 0));
    else if (mark != NULL)
        text = conf_fmt(c, "FWM %llu", (unsigned long long)mark->v.u);
    else
        text = conf_fmt(c, "[%s]:%llu", conf_str(vs, KW_VS_X_GROUP, ""),
                        (unsigned long long)nth_of_group(c, vs, conf_str(vs, KW_VS_X_GROUP, "")));
    conf_set_str(c, vs, KW_VS_X_LABEL, text);
    for (struct conf_obj *rs = NULL; (rs = conf_next(vs, rs, BLK_RS)) != NULL;)
        if (conf_ip(rs, KW_RS_X_IP) != NULL)
            conf_set_str(c, rs, KW_RS_X_LABEL,
                         label(c, conf_ip(rs, KW_RS_X_IP), protocol,
                               mark != NULL && conf_uint(rs, KW_RS_LVS_METHOD, 0) != 0
                                   ? 0
                                   : conf_uint(rs, KW_RS_X_PORT, 0)));
}

static void one_vs(struct conf *c, struct conf_obj *vs)
{
    bool mark = conf_get(vs, KW_VS_X_FWMARK) != NULL;
    if (mark && conf_get(vs, KW_VS_PROTOCOL) != NULL) {
        CONF_WARN(c, conf_pos_value(conf_get(vs, KW_VS_PROTOCOL)), "HF-NO-EFFECT",
                  "protocol has no effect on a fwmark service");
        conf_unset(vs, KW_VS_PROTOCOL);
    }
    if (!mark)
        vs_default(c, vs, KW_VS_PROTOCOL, 17, "UDP");
    vs_default(c, vs, KW_VS_LB_ALGO, 4, "wlc");
    vs_default(c, vs, KW_VS_LB_KIND, 0, "NAT");
    if (conf_get(vs, KW_VS_PERSISTENCE_GRANULARITY) != NULL)
        dflt(c, vs, KW_VS_PERSISTENCE_TIMEOUT, 360);
    const struct conf_value *port = conf_get(vs, KW_VS_X_PORT);
    if (port != NULL && port->v.u == 0 && conf_get(vs, KW_VS_PERSISTENCE_TIMEOUT) == NULL && !vs->broken) {
        diag_help(CONF_WARN(c, conf_pos_obj(vs), "HF-PORT", "port 0 (all ports) needs persistence_timeout"),
                  "360 seconds are used; write: persistence_timeout 360");
        conf_set_uint(c, vs, KW_VS_PERSISTENCE_TIMEOUT, 360);
    } else if (port == NULL && conf_ip(vs, KW_VS_X_IP) != NULL &&
               conf_get(vs, KW_VS_PERSISTENCE_TIMEOUT) == NULL && !vs->broken) {
        diag_help(CONF_ERR(c, conf_pos_obj(vs), "HF-PORT", "virtual_server %s needs a port", vs->name),
                  "write: virtual_server %s 80 {", vs->name);
        vs->broken = true;
    } else if (port == NULL && conf_ip(vs, KW_VS_X_IP) != NULL) {
        conf_set_uint(c, vs, KW_VS_X_PORT, 0);
    }
    dflt(c, vs, KW_VS_QUORUM, 1);
    dflt(c, vs, KW_VS_HYSTERESIS, 0);
    uint64_t family = vs_family(c, vs);
    for (struct conf_obj *rs = NULL; (rs = conf_next(vs, rs, BLK_RS)) != NULL;)
        one_rs(c, vs, rs, family);
    labels(c, vs);
}

void resolve_lvs(struct conf *c)
{
    for (struct conf_obj *vs = NULL; (vs = conf_next(c->top, vs, BLK_VS)) != NULL;)
        one_vs(c, vs);
}
