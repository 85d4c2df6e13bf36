/* bind.c - see bind.h. */
#include "vrrpd/bind.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define BIND_GROUP4 "224.0.0.18"
#define BIND_GROUP6 "ff02::12"

static size_t bind_count(const struct slice *s, enum blk blk, uint32_t parent)
{
    size_t n = 0;
    for (const struct slice_obj *o = slice_next(s, NULL, blk, parent); o != NULL;
         o = slice_next(s, o, blk, parent))
        n++;
    return n;
}

/* The advertised addresses, in the order of the file. */
static int bind_addrs(struct bind_vi *b, const struct slice *s, struct err *e)
{
    size_t n = 0, most = bind_count(s, BLK_ADDR, b->id);
    for (const struct slice_obj *o = slice_next(s, NULL, BLK_ADDR, b->id); o != NULL && n < most;
         o = slice_next(s, o, BLK_ADDR, b->id)) {
        struct ipaddr a;
        if (slice_bool(o, KW_ADDR_X_EXCLUDED, false) || !slice_ip(o, KW_ADDR_ADDRESS, &a))
            continue;
        if (a.family != b->family)
            return err_set(e, "HF-VRRPD", b->name, "virtual address %s is of another family", o->name);
        if (n == PACKET_ADDRS_MAX)
            return err_set(e, "HF-VRRPD", b->name, "more than %d addresses do not fit into an advert",
                           PACKET_ADDRS_MAX);
        a.plen = a.family == 4 ? 32 : 128;
        b->addrs[n++] = a;
    }
    b->check.addrs = b->addrs;
    b->check.naddrs = b->listed = n;
    return 0;
}

static void bind_peers(struct bind_vi *b, const struct slice *s)
{
    size_t n = 0, most = bind_count(s, BLK_VI_PEER, b->id);
    b->peers = most > 0 ? xcalloc(most, sizeof *b->peers) : NULL;
    for (const struct slice_obj *o = slice_next(s, NULL, BLK_VI_PEER, b->id); o != NULL && n < most;
         o = slice_next(s, o, BLK_VI_PEER, b->id)) {
        struct check_peer *p = &b->peers[n];
        if (!slice_ip(o, KW_VI_PEER_IP, &p->addr))
            continue;
        p->min_ttl = (uint8_t)slice_uint(o, KW_VI_PEER_MIN_TTL, 0);
        p->max_ttl = (uint8_t)slice_uint(o, KW_VI_PEER_MAX_TTL, 255);
        p->has_ttl = p->min_ttl > 0 || p->max_ttl < 255;
        n++;
    }
    b->check.peers = b->peers;
    b->check.npeers = n;
    b->check.unicast = n > 0;
}

static void bind_auth(struct bind_vi *b, const struct slice *s)
{
    const struct slice_obj *o = slice_next(s, NULL, BLK_VI_AUTH, b->id);
    if (o == NULL || b->engine.version != 2 || b->strict)
        return;
    b->check.auth_type = (enum packet_auth)slice_uint(o, KW_VI_AUTH_AUTH_TYPE, PACKET_AUTH_NONE);
    const char *pass = slice_str(o, KW_VI_AUTH_AUTH_PASS, "");
    for (size_t i = 0; i < PACKET_AUTH_LEN && pass[i] != '\0'; i++)
        b->check.auth[i] = (uint8_t)pass[i];
}

/* Keys; without them the instance would run unsigned, which nobody has asked for. */
static int bind_sign(struct bind_vi *b, const struct slice *s, const struct slice_obj *o, struct err *e)
{
    if (auth_new(s, o, b->engine.interval, &b->sign, e) < 0)
        return -1;
    if (auth_kind(b->sign) == AUTH_AH && (b->check.auth_type != PACKET_AUTH_AH || b->family != 4)) {
        auth_free(b->sign); /* another version, or strict: no authentication, as said at the test */
        b->sign = NULL;
    }
    b->check.sign = b->sign;
    return 0;
}

static void bind_timing(struct bind_vi *b, const struct slice_obj *o)
{
    struct engine_cfg *c = &b->engine;
    c->version = (uint8_t)slice_uint(o, KW_VI_VERSION, b->family == 6 ? 3 : 2);
    c->priority = (uint8_t)slice_uint(o, KW_VI_PRIORITY, 100);
    c->interval = slice_ns(o, KW_VI_ADVERT_INT, NS_PER_SEC);
    c->down_adverts = (uint8_t)(b->strict ? 3 : slice_uint(o, KW_VI_DOWN_TIMER_ADVERTS, 3));
    b->start_master = slice_uint(o, KW_VI_STATE, VRRP_STATE_BACKUP) == VRRP_STATE_MASTER;
    c->nopreempt = slice_bool(o, KW_VI_NOPREEMPT, false) && !b->start_master;
    bool delay = !c->nopreempt && !b->start_master && !b->strict;
    c->preempt_delay = delay ? slice_ns(o, KW_VI_PREEMPT_DELAY, 0) : 0;
    c->expired = (uint8_t)(c->nopreempt ? slice_uint(o, KW_VI_TIMER_EXPIRED_BACKUP, 0) : 0);
    c->lower_prio_no_advert = b->strict || slice_bool(o, KW_VI_LOWER_PRIO_NO_ADVERT, false);
    c->higher_prio_send_advert = !b->strict && slice_bool(o, KW_VI_HIGHER_PRIO_SEND_ADVERT, false);
}

/* Where its adverts go. Unicast: what the historical checksum was over. */
static void bind_group(struct bind_vi *b, const struct slice *s, const struct slice_obj *o)
{
    const struct slice_obj *g = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    enum kw global = b->family == 6 ? KW_GLOBAL_VRRP_MCAST_GROUP6 : KW_GLOBAL_VRRP_MCAST_GROUP4;
    if (slice_ip(o, KW_VI_MCAST_DST_IP, &b->check.group))
        return;
    if (g == NULL || !slice_ip(g, global, &b->check.group) || b->check.group.family != b->family)
        ipaddr_parse(b->family == 6 ? BIND_GROUP6 : BIND_GROUP4, &b->check.group);
}

static void bind_check(struct bind_vi *b, const struct slice_obj *o)
{
    struct check_cfg *c = &b->check;
    c->family = b->family;
    c->version = b->engine.version;
    c->priority = b->engine.priority;
    c->interval = b->engine.interval;
    c->skip_addrs = slice_bool(o, KW_VI_SKIP_CHECK_ADV_ADDR, false);
    c->owner_ignore = slice_bool(o, KW_VI_OWNER_IGNORE_ADVERTS, false);
    c->plain_checksum = slice_bool(o, KW_VI_V3_CHECKSUM_AS_V2, false);
    c->check_unicast_src = slice_bool(o, KW_VI_CHECK_UNICAST_SRC, false);
    c->old_checksum = (enum check_old_checksum)slice_uint(o, KW_VI_OLD_UNICAST_CHECKSUM, CHECK_OLD_AUTO);
}

static void bind_show(struct bind_vi *b, const struct slice_obj *o)
{
    b->accept = slice_bool(o, KW_VI_ACCEPT, true);
    b->promote_secondaries = slice_bool(o, KW_VI_PROMOTE_SECONDARIES, false);
    b->garp_delay = slice_ns(o, KW_VI_GARP_MASTER_DELAY, 5 * NS_PER_SEC);
    b->garp_refresh = slice_ns(o, KW_VI_GARP_MASTER_REFRESH, 0);
    b->garp_lower_delay = slice_ns(o, KW_VI_GARP_LOWER_PRIO_DELAY, b->garp_delay);
    b->garp_repeat = (uint32_t)slice_uint(o, KW_VI_GARP_MASTER_REPEAT, 5);
    b->garp_refresh_repeat = (uint32_t)slice_uint(o, KW_VI_GARP_MASTER_REFRESH_REPEAT, 1);
    b->garp_lower_repeat = (uint32_t)slice_uint(o, KW_VI_GARP_LOWER_PRIO_REPEAT, b->garp_repeat);
    b->rx_buf = (uint32_t)slice_uint(o, KW_VI_KERNEL_RX_BUF_SIZE, 0);
    b->debug = (uint32_t)slice_uint(o, KW_VI_DEBUG, 0);
}

/* One piece of memory for both and the addresses that will come. */
static void bind_names(struct bind_vi *b, const char *name, const char *sock, size_t addrs)
{
    size_t n = strlen(name) + 1, k = strlen(sock) + 1;
    b->addrs = xcalloc(1, addrs * sizeof *b->addrs + n + k);
    b->name = (char *)(b->addrs + addrs);
    b->sock = b->name + n;
    memcpy(b->name, name, n);
    memcpy(b->sock, sock, k);
}

struct bind_vi *bind_vi_new(const struct slice *s, const struct slice_obj *o, struct err *e)
{
    struct bind_vi *b = xcalloc(1, sizeof *b);
    b->id = o->id;
    bind_names(b, o->name, slice_str(o, KW_VI_X_SOCKET, ""), bind_count(s, BLK_ADDR, o->id));
    const char *iface = slice_str(o, KW_VI_INTERFACE, "");
    memcpy(b->iface, iface, strnlen(iface, sizeof b->iface - 1));
    const char *vmac = slice_str(o, KW_VI_X_VMAC, "");
    memcpy(b->vmac, vmac, strnlen(vmac, sizeof b->vmac - 1));
    b->ipvlan = slice_has(o, KW_VI_USE_IPVLAN);
    b->xmit_base = slice_bool(o, KW_VI_VMAC_XMIT_BASE, false);
    b->vrid = (uint8_t)slice_uint(o, KW_VI_VIRTUAL_ROUTER_ID, 0);
    b->family = (uint8_t)slice_uint(o, KW_VI_X_FAMILY, 4);
    b->strict = slice_bool(o, KW_VI_STRICT_MODE, false);
    b->smtp_alert = slice_bool(o, KW_VI_SMTP_ALERT, false);
    b->dont_track_primary = slice_bool(o, KW_VI_DONT_TRACK_PRIMARY, false);
    bind_timing(b, o);
    bind_check(b, o);
    bind_group(b, s, o);
    bind_peers(b, s);
    bind_auth(b, s);
    bind_show(b, o);
    track_bind(b, s, o);
    if (!slice_ip(o, KW_VI_X_SRC, &b->src))
        memset(&b->src, 0, sizeof b->src);
    b->track_src = b->src.family != 0 && slice_bool(o, KW_VI_TRACK_SRC_IP, false);
    b->needs_src = b->track_src || (b->src.family != 0 && b->check.unicast);
    if (!b->check.unicast && slice_bool(o, KW_VI_UNICAST_FAULT_NO_PEER, false))
        b->broken = "it has no unicast_peer (unicast_fault_no_peer)";
    /* also where it is not written: whoever shares the socket may have written another */
    b->ttl = b->check.unicast ? (int)slice_uint(o, KW_VI_UNICAST_TTL, 255) : -1;
    int bad = bind_sign(b, s, o, e);
    if (bad == 0)
        bad = bind_addrs(b, s, e);
    if (bad == 0 && (b->vrid == 0 || (b->family != 4 && b->family != 6) || b->engine.interval == 0 ||
                     b->engine.priority == 0 || b->engine.down_adverts == 0))
        bad = err_set(e, "HF-VRRPD", b->name, "VRID, family, priority or interval is missing from the slice");
    if (bad == 0 && slice_find(s, BLK_SOCKET, b->sock) == NULL)
        bad = err_set(e, "HF-VRRPD", b->name, "its socket \"%s\" is missing from the slice", b->sock);
    if (bad < 0) {
        bind_vi_free(b);
        return NULL;
    }
    return b;
}

void bind_vi_free(struct bind_vi *b)
{
    if (b == NULL)
        return;
    auth_free(b->sign);
    track_bind_free(b);
    free(b->addrs); /* with the names behind them */
    free(b->peers);
    free(b);
}

static bool bind_same_peers(const struct bind_vi *a, const struct bind_vi *b)
{
    return a->check.npeers == b->check.npeers &&
           (a->check.npeers == 0 || memcmp(a->peers, b->peers, a->check.npeers * sizeof *a->peers) == 0);
}

static bool bind_same_check(const struct check_cfg *a, const struct check_cfg *b)
{
    return a->auth_type == b->auth_type && auth_same(a->sign, b->sign) &&
           memcmp(a->auth, b->auth, sizeof a->auth) == 0 && a->check_unicast_src == b->check_unicast_src &&
           a->skip_addrs == b->skip_addrs && a->owner_ignore == b->owner_ignore &&
           a->plain_checksum == b->plain_checksum && a->old_checksum == b->old_checksum &&
           ipaddr_same(&a->group, &b->group);
}

static bool bind_same_engine(const struct engine_cfg *a, const struct engine_cfg *b)
{
    return a->version == b->version && a->priority == b->priority && a->down_adverts == b->down_adverts &&
           a->nopreempt == b->nopreempt && a->expired == b->expired && a->start_backup == b->start_backup &&
           a->lower_prio_no_advert == b->lower_prio_no_advert &&
           a->higher_prio_send_advert == b->higher_prio_send_advert && a->interval == b->interval &&
           a->preempt_delay == b->preempt_delay;
}

static bool bind_same_source(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->family == b->family && ipaddr_cmp(a, b) == 0;
}

bool bind_vi_same_router(const struct bind_vi *a, const struct bind_vi *b)
{
    return a->vrid == b->vrid && a->family == b->family && strcmp(a->iface, b->iface) == 0 &&
           strcmp(a->sock, b->sock) == 0 && strcmp(a->vmac, b->vmac) == 0 &&
           a->check.unicast == b->check.unicast;
}

bool bind_vi_same_packet(const struct bind_vi *a, const struct bind_vi *b)
{
    return bind_vi_same_router(a, b) && a->engine.version == b->engine.version &&
           a->engine.priority == b->engine.priority && a->engine.interval == b->engine.interval &&
           bind_same_check(&a->check, &b->check) && bind_same_peers(a, b) &&
           bind_same_source(&a->src, &b->src) && a->ttl == b->ttl && a->listed == b->listed &&
           (a->listed == 0 || memcmp(a->addrs, b->addrs, a->listed * sizeof *a->addrs) == 0);
}

bool bind_vi_same(const struct bind_vi *a, const struct bind_vi *b)
{
    return strcmp(a->name, b->name) == 0 && bind_vi_same_packet(a, b) &&
           bind_same_engine(&a->engine, &b->engine) && track_bind_same(a, b) && a->strict == b->strict &&
           a->track_src == b->track_src && a->dont_track_primary == b->dont_track_primary &&
           a->start_master == b->start_master && a->broken == b->broken && a->accept == b->accept &&
           a->promote_secondaries == b->promote_secondaries && a->garp_delay == b->garp_delay &&
           a->garp_refresh == b->garp_refresh && a->garp_lower_delay == b->garp_lower_delay &&
           a->garp_repeat == b->garp_repeat && a->garp_refresh_repeat == b->garp_refresh_repeat &&
           a->garp_lower_repeat == b->garp_lower_repeat && a->rx_buf == b->rx_buf && a->debug == b->debug;
}

void bind_global(const struct slice *s, struct bind_global *out)
{
    memset(out, 0, sizeof *out);
    const struct slice_obj *o = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    if (o == NULL)
        return;
    out->startup_delay = slice_ns(o, KW_GLOBAL_VRRP_STARTUP_DELAY, 0);
    out->delay_after_boot = slice_ns(o, KW_GLOBAL_VRRP_DELAY_AFTER_BOOT, 0);
    out->log_unknown_vrids = slice_bool(o, KW_GLOBAL_LOG_UNKNOWN_VRIDS, false);
}
