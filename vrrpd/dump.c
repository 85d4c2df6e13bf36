/*
 * dump.c - what an operator may read: the statistics file (form of the incumbent, reference/cli.md section 5)
 * and a line oriented state dump. Secrets never appear. Called by life.c on a dump message; the fd stays the
 * caller's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vrrpd/bfd_life.h"
#include "vrrpd/vrrpd.h"

static void dump_stats_one(FILE *f, const struct inst *i)
{
    const struct check_stats *c = &i->chk.stats;
    const struct engine_stats *e = &i->e.stats;
    fprintf(f,
            "VRRP Instance: %s\n"
            "  Advertisements:\n    Received: %" PRIu64 "\n    Sent: %" PRIu64 "\n"
            "  Became master: %" PRIu64 "\n  Released master: %" PRIu64 "\n",
            i->b->name, c->received, e->adverts_sent, e->became_master, e->released_master);
    fprintf(f,
            "  Packet Errors:\n    Length: %" PRIu64 "\n    TTL: %" PRIu64 "\n    Invalid Type: %" PRIu64
            "\n    Advertisement Interval: %" PRIu64 "\n    Address List: %" PRIu64 "\n",
            c->length, c->ttl, c->type, c->interval, c->addr_list);
    fprintf(f,
            "  Authentication Errors:\n    Invalid Type: %" PRIu64 "\n    Type Mismatch: %" PRIu64
            "\n    Failure: %" PRIu64 "\n",
            c->auth_unknown, c->auth_mismatch, c->auth_failure);
    fprintf(f,
            "  Authentication Extension Errors:\n    Missing: %" PRIu64 "\n    Malformed: %" PRIu64
            "\n    Unknown Key: %" PRIu64 "\n    Invalid HMAC: %" PRIu64 "\n    Stale: %" PRIu64
            "\n    Replay: %" PRIu64 "\n",
            c->ext_missing, c->ext_malformed, c->ext_key, c->ext_hmac, c->ext_stale, c->ext_replay);
    fprintf(f, "  Priority Zero:\n    Received: %" PRIu64 "\n    Sent: %" PRIu64 "\n", e->prio_zero_rcvd,
            e->prio_zero_sent);
}

static double dump_secs(uint64_t ns)
{
    return (double)ns / (double)NS_PER_SEC;
}

static double dump_left(uint64_t at, uint64_t now)
{
    return at == TIME_NEVER || at <= now ? 0.0 : dump_secs(at - now);
}

static const char *dump_yes(bool b)
{
    return b ? "yes" : "no";
}

static void dump_data_config(FILE *f, const struct bind_vi *b)
{
    char a[IPADDR_STRLEN];
    static const char *const auth[] = { "none", "PASS", "AH" };
    fprintf(f, "  interface = %s\n  family = IPv%u\n  version = %u\n  virtual_router_id = %u\n", b->iface,
            b->family, b->engine.version, b->vrid);
    fprintf(f, "  priority = %u\n  advert_int = %.3f\n  down_timer_adverts = %u\n", b->engine.priority,
            dump_secs(b->engine.interval), b->engine.down_adverts);
    fprintf(f, "  nopreempt = %s\n  preempt_delay = %.3f\n  strict_mode = %s\n  accept = %s\n",
            dump_yes(b->engine.nopreempt), dump_secs(b->engine.preempt_delay), dump_yes(b->strict),
            dump_yes(b->accept));
    fprintf(f, "  lower_prio_no_advert = %s\n  higher_prio_send_advert = %s\n  owner_ignore_adverts = %s\n",
            dump_yes(b->engine.lower_prio_no_advert), dump_yes(b->engine.higher_prio_send_advert),
            dump_yes(b->check.owner_ignore));
    fprintf(f, "  skip_check_adv_addr = %s\n  v3_checksum_as_v2 = %s\n  dont_track_primary = %s\n",
            dump_yes(b->check.skip_addrs), dump_yes(b->check.plain_checksum),
            dump_yes(b->dont_track_primary));
    fprintf(f, "  garp_master_delay = %.3f\n  garp_master_repeat = %u\n  garp_master_refresh = %.3f\n",
            dump_secs(b->garp_delay), b->garp_repeat, dump_secs(b->garp_refresh));
    fprintf(f, "  auth_hmac = %s\n", auth_kind(b->sign) == AUTH_HMAC ? "yes" : "no");
    fprintf(f, "  auth_type = %s\n", b->check.auth_type <= PACKET_AUTH_AH ? auth[b->check.auth_type] : "?");
    if (b->check.unicast)
        for (size_t n = 0; n < b->check.npeers; n++)
            fprintf(f, "  unicast_peer = %s\n", ipaddr_str(&b->peers[n].addr, a));
    else
        fprintf(f, "  group = %s\n", ipaddr_str(&b->check.group, a));
    for (size_t n = 0; n < b->check.naddrs; n++)
        fprintf(f, "  virtual_ipaddress = %s\n", ipaddr_str(&b->addrs[n], a));
}

static void dump_data_one(FILE *f, const struct inst *i, uint64_t now)
{
    char a[IPADDR_STRLEN];
    const struct check_stats *c = &i->chk.stats;
    fprintf(f, "VRRP Instance = %s\n  state = %s\n", i->b->name, vrrp_state_name(i->e.state));
    fprintf(f, "  effective_priority = %u\n", i->e.cfg.priority);
    if (i->b->group != NULL)
        fprintf(f, "  sync_group = %s\n", i->b->group);
    if (i->fault[0] != '\0')
        fprintf(f, "  fault = %s\n", i->fault);
    fprintf(f, "  last_transition = %" PRIu64 ".%06" PRIu64 "\n", i->changed_at / NS_PER_SEC,
            i->changed_at % NS_PER_SEC / 1000);
    dump_data_config(f, i->b);
    fprintf(f, "  socket = %s\n  source = %s\n", i->sock->name,
            i->e.src.family != 0 ? ipaddr_str(&i->e.src, a) : "none");
    if (i->e.master.family != 0)
        fprintf(f, "  master = %s\n  master_priority = %u\n", ipaddr_str(&i->e.master, a),
                i->e.master_priority);
    fprintf(f, "  master_adver_int = %.3f\n  next_timer = %.3f\n", dump_secs(i->e.master_interval),
            dump_left(engine_deadline(&i->e), now));
    fprintf(f,
            "  version_errors = %" PRIu64 "\n  checksum_errors = %" PRIu64 "\n  owner_ignored = %" PRIu64
            "\n  stranger_errors = %" PRIu64 "\n  send_errors = %" PRIu64 "\n  vip_repaired = %" PRIu64 "\n",
            c->version, c->checksum, c->owner_ignored, c->peer, i->send_errors, i->repaired);
}

static void dump_data(FILE *f, struct vrrpd *v)
{
    fprintf(f, "VRRP process\n  generation = %u\n  instances = %zu\n  ipvsd = %s\n",
            child_generation(v->child), v->ninst,
            child_peer(v->child, ROLE_IPVSD) != NULL ? "connected" : "away");
    for (const struct vlink *l = v->links; l != NULL; l = l->next)
        fprintf(f, "Interface = %s\n  ifindex = %u\n  up = %s\n  running = %s\n  mtu = %u\n", l->name,
                l->ifindex, dump_yes(l->up), dump_yes(l->running), l->mtu);
    track_dump(v, f);
    group_dump(v, f);
    for (size_t n = 0; n < v->ninst; n++)
        dump_data_one(f, v->inst[n], ev_now(v->ev));
    bfd_life_dump(v->bfd, f);
}

static void dump_clear(struct vrrpd *v)
{
    for (size_t n = 0; n < v->ninst; n++) {
        memset(&v->inst[n]->chk.stats, 0, sizeof v->inst[n]->chk.stats);
        memset(&v->inst[n]->e.stats, 0, sizeof v->inst[n]->e.stats);
        v->inst[n]->snap = true;
        vrrpd_dirty(v->inst[n]);
    }
}

static void dump_put(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n <= 0) {
            log_warn("dump is incomplete: %zu bytes could not be written", len);
            return;
        }
        p += n;
        len -= (size_t)n;
    }
}

void dump_write(struct vrrpd *v, enum dump_what what, int fd)
{
    char *text = NULL;
    size_t len = 0;
    if (what == DUMP_WHAT_JSON) {
        log_warn("the JSON dump is not available in this version: use the statistics or the state dump");
        return;
    }
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return;
    if (what == DUMP_WHAT_DATA)
        dump_data(f, v);
    else
        for (size_t n = 0; n < v->ninst; n++)
            dump_stats_one(f, v->inst[n]);
    fclose(f);
    dump_put(fd, text, len);
    free(text);
    if (what == DUMP_WHAT_STATS_CLEAR)
        dump_clear(v);
}
