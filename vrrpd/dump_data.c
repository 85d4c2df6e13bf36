/*
 * dump_data.c - the state dump (SIGUSR1): sections and lines as the incumbent has them, because exporters
 * find instances, scripts and addresses by their words and their indentation, and what we know besides.
 * Secrets never appear; commands are left to the parent (common/dumpgap.h). Called by dump.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/dumpgap.h"
#include "vrrpd/bfd_life.h"
#include "vrrpd/dump_int.h"

static double data_secs(uint64_t ns)
{
    return (double)ns / (double)NS_PER_SEC;
}

static double data_left(uint64_t at, uint64_t now)
{
    return at == TIME_NEVER || at <= now ? 0.0 : data_secs(at - now);
}

static const char *data_able(bool b)
{
    return b ? "enabled" : "disabled";
}

static const char *data_true(bool b)
{
    return b ? "true" : "false";
}

static void data_state(FILE *f, const struct inst *i, uint64_t now)
{
    const struct bind_vi *b = i->b;
    char a[IPADDR_STRLEN];
    enum vrrp_state state = i->e.state == VRRP_STATE_STOP ? VRRP_STATE_FAULT : i->e.state;
    fprintf(f, " VRRP Instance = %s\n   VRRP Version = %u\n", b->name, b->engine.version);
    if (b->family == 6)
        fputs("   Using Native IPv6\n", f);
    fprintf(f, "   State = %s\n", vrrp_state_name(state));
    if (i->e.master.family != 0)
        fprintf(f, "   Master router = %s\n   Master priority = %u\n", ipaddr_str(&i->e.master, a),
                i->e.master_priority);
    fprintf(f, "   Wantstate = %s\n", vrrp_state_name(dump_wants(i)));
    if (i->fault != NULL)
        fprintf(f, "   Fault reason = %s\n", i->fault);
    if (b->group != NULL)
        fprintf(f, "   Sync group = %s\n", b->group);
    fprintf(f, "   Last transition = %" PRIu64 ".%06" PRIu64 "\n", i->changed_at / NS_PER_SEC,
            i->changed_at % NS_PER_SEC / 1000);
    fprintf(f, "   Next timer = %.6f secs\n   Master down timer = %" PRIu64 " usecs\n",
            data_left(engine_deadline(&i->e), now),
            engine_down_interval(&i->e.cfg, i->e.master_interval) / NS_PER_US);
}

static void data_wire(FILE *f, const struct inst *i)
{
    const struct bind_vi *b = i->b;
    char a[IPADDR_STRLEN];
    if (b->vmac[0] != '\0')
        fprintf(f, "   Use VMAC, i/f name %s, is_up = %s, xmit_base = %s\n   Interface = %s, vmac on %s\n",
                b->vmac, data_true(i->vmac != NULL && i->vmac->up), data_true(b->xmit_base), b->vmac,
                b->iface);
    else
        fprintf(f, "   Interface = %s\n", b->iface);
    if (b->strict)
        fputs("   Enforcing strict VRRP compliance\n", f);
    if (b->dont_track_primary)
        fputs("   VRRP interface tracking disabled\n", f);
    if (b->check.skip_addrs)
        fputs("   Skip checking advert IP addresses\n", f);
    fprintf(f, "   Using src_ip = %s\n", i->e.src.family != 0 ? ipaddr_str(&i->e.src, a) : "(none)");
    if (!b->check.unicast)
        fprintf(f, "   Multicast address %s\n", ipaddr_str(&b->check.group, a));
    fprintf(f, "   Socket = %s\n", i->sock->name);
}

static void data_garp(FILE *f, const struct bind_vi *b)
{
    fprintf(f,
            "   Gratuitous ARP delay = %" PRIu64 "\n   Gratuitous ARP repeat = %u\n"
            "   Gratuitous ARP refresh = %" PRIu64 "\n   Gratuitous ARP refresh repeat = %u\n"
            "   Gratuitous ARP lower priority delay = %" PRIu64 "\n"
            "   Gratuitous ARP lower priority repeat = %u\n",
            b->garp_delay / NS_PER_SEC, b->garp_repeat, b->garp_refresh / NS_PER_SEC, b->garp_refresh_repeat,
            b->garp_lower_delay / NS_PER_SEC, b->garp_lower_repeat);
    fprintf(f,
            "   Down timer adverts = %u\n   Send advert after receive lower priority advert = %s\n"
            "   Send advert after receive higher priority advert = %s\n",
            b->engine.down_adverts, data_true(!b->engine.lower_prio_no_advert),
            data_true(b->engine.higher_prio_send_advert));
}

static void data_vrrp(FILE *f, const struct inst *i)
{
    static const char *const auth[] = { NULL, "SIMPLE_PASSWORD", "IPSEC_AH" };
    const struct bind_vi *b = i->b;
    fprintf(
        f,
        "   Virtual Router ID = %u\n   Priority = %u\n   Effective priority = %u\n   Total priority = %u\n",
        b->vrid, b->engine.priority, i->e.cfg.priority, i->e.cfg.priority);
    if (b->engine.version == 2)
        fprintf(f, "   Advert interval = %g sec\n", data_secs(b->engine.interval));
    else
        fprintf(f, "   Advert interval = %g milli-sec\n   Master advert interval = %g milli-sec\n",
                data_secs(b->engine.interval) * 1e3, data_secs(i->e.master_interval) * 1e3);
    fprintf(f, "   Accept = %s\n   Preempt = %s\n", data_able(b->accept), data_able(!b->engine.nopreempt));
    if (b->engine.preempt_delay > 0)
        fprintf(f, "   Preempt delay = %g secs\n", data_secs(b->engine.preempt_delay));
    fprintf(f, "   Promote_secondaries = %s\n", data_able(b->promote_secondaries));
    if (b->rx_buf > 0)
        fprintf(f, "   Kernel rx buffer size = %" PRIu32 "\n", b->rx_buf);
    if (b->debug > 0)
        fprintf(f, "   Debug level = %" PRIu32 "\n", b->debug);
    if (b->check.auth_type != PACKET_AUTH_NONE && b->check.auth_type <= PACKET_AUTH_AH)
        fprintf(f, "   Authentication type = %s\n", auth[b->check.auth_type]);
    if (auth_kind(b->sign) == AUTH_HMAC)
        fputs("   Authentication extension = HMAC\n", f);
}

static void data_lines(FILE *f, const struct inst *i, const struct slice *s, enum blk blk, bool excluded,
                       const char *head)
{
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1 && blk == BLK_ADDR && !excluded)
            fprintf(f, "   Virtual IP (%zu):\n", n);
        else if (pass == 1 && n > 0)
            fprintf(f, "   %s :\n", head);
        for (const struct slice_obj *o = slice_next(s, NULL, blk, i->b->id); o != NULL;
             o = slice_next(s, o, blk, i->b->id)) {
            if (blk == BLK_ADDR && slice_bool(o, KW_ADDR_X_EXCLUDED, false) != excluded)
                continue;
            n++;
            if (pass == 0)
                continue;
            char *line = dump_line(s, o, dump_set(i));
            fprintf(f, "     %s\n", line);
            free(line);
        }
    }
}

static void data_peers(FILE *f, const struct bind_vi *b)
{
    char a[IPADDR_STRLEN];
    if (!b->check.unicast)
        return;
    fputs("   Unicast Peer :\n", f);
    for (size_t n = 0; n < b->check.npeers; n++)
        fprintf(f, "     %s min_ttl %u max_ttl %u\n", ipaddr_str(&b->peers[n].addr, a),
                b->peers[n].has_ttl ? b->peers[n].min_ttl : 0u,
                b->peers[n].has_ttl ? b->peers[n].max_ttl : 255u);
}

static void data_tracks(FILE *f, const struct bind_vi *b)
{
    static const char *const head[TRACK_KINDS] = { [TRACK_IF] = "Tracked interfaces",
                                                   [TRACK_SCRIPT] = "Tracked scripts",
                                                   [TRACK_FILE] = "Tracked files",
                                                   [TRACK_PROC] = "Tracked processes",
                                                   [TRACK_BFD] = "Tracked BFDs" };
    for (int k = 0; k < TRACK_KINDS; k++) {
        size_t n = 0;
        for (size_t l = 0; l < b->nlines; l++) {
            const struct track_line *t = &b->lines[l];
            if (t->kind != (enum track_kind)k)
                continue;
            if (n++ == 0)
                fprintf(f, "   %s :\n", head[k]);
            fprintf(f, "     %s weight %d%s%s\n", t->name, t->weight, t->reverse ? " reverse" : "",
                    t->of_group ? " of the sync group" : "");
        }
    }
}

static void data_instance(FILE *f, const struct inst *i, const struct slice *s, uint64_t now)
{
    const struct check_stats bad = check_stats(&i->chk), *c = &bad;
    data_state(f, i, now);
    data_wire(f, i);
    data_garp(f, i->b);
    data_vrrp(f, i);
    data_lines(f, i, s, BLK_ADDR, false, "");
    data_lines(f, i, s, BLK_ADDR, true, "Virtual IP Excluded");
    data_peers(f, i->b);
    data_lines(f, i, s, BLK_ROUTE, false, "Virtual Routes");
    data_lines(f, i, s, BLK_RULE, false, "Virtual Rules");
    data_tracks(f, i->b);
    fprintf(f, "   Using smtp notification = %s\n", i->b->smtp_alert ? "yes" : "no");
    dumpgap_put(f, DUMPGAP_TEXT_SCRIPTS, i->b->id);
    fprintf(f,
            "   Version errors = %" PRIu64 "\n   Checksum errors = %" PRIu64 "\n   Owner ignored = %" PRIu64
            "\n   Stranger errors = %" PRIu64 "\n   Send errors = %" PRIu64 "\n   VIPs repaired = %" PRIu64
            "\n",
            c->version, c->checksum, c->owner_ignored, c->peer, i->send_errors, i->repaired);
}

/* ---- what is tracked */

static void data_followers(FILE *f, const struct vrrpd *v, const struct track_view *t)
{
    fputs("   Tracking instances :\n", f);
    for (size_t n = 0; n < v->ninst; n++)
        for (size_t l = 0; l < v->inst[n]->b->nlines; l++) {
            const struct track_line *k = &v->inst[n]->b->lines[l];
            if (k->kind == t->kind && strcmp(k->name, t->name) == 0)
                fprintf(f, "     %s, weight %d%s\n", v->inst[n]->b->name, k->weight,
                        k->reverse ? " reverse" : "");
        }
}

static void data_script(FILE *f, const struct vrrpd *v, const struct slice *s, const struct track_view *t)
{
    const struct slice_obj *o = slice_find(s, BLK_SCRIPT, t->name);
    fprintf(f, " VRRP Script = %s\n", t->name);
    if (o != NULL) {
        fputs("   Command = ", f);
        dumpgap_put(f, DUMPGAP_TEXT_COMMAND, o->id);
        fprintf(f,
                "\n   Interval = %g sec\n   Weight = %" PRId64 "\n   Rise = %" PRIu64 "\n   Fall = %" PRIu64
                "\n",
                data_secs(slice_ns(o, KW_SCRIPT_INTERVAL, NS_PER_SEC)), slice_int(o, KW_SCRIPT_WEIGHT, 0),
                slice_uint(o, KW_SCRIPT_RISE, 1), slice_uint(o, KW_SCRIPT_FALL, 1));
    }
    fprintf(f, "   Status = %s\n", t->result == TRACK_OK ? "GOOD" : "BAD");
    if (t->result == TRACK_UNKNOWN)
        fputs("   Result = none yet\n", f);
    data_followers(f, v, t);
    fprintf(f, "   State = %s\n", t->running ? "running" : "idle");
}

static void data_other(FILE *f, const struct vrrpd *v, const struct track_view *t)
{
    static const char *const words[] = { "unknown", "failed", "ok" };
    static const char *const names[TRACK_KINDS] = { [TRACK_IF] = "Interface",
                                                    [TRACK_SCRIPT] = "VRRP Script",
                                                    [TRACK_FILE] = "Track file",
                                                    [TRACK_PROC] = "VRRP Track process",
                                                    [TRACK_BFD] = "BFD session" };
    fprintf(f, " %s = %s\n   Result = %s\n", names[t->kind], t->name, words[t->result]);
    if (t->kind == TRACK_PROC)
        fprintf(f, "   Current processes = %d\n   Have quorum = %s\n", t->value,
                data_true(t->result == TRACK_OK));
    else if (t->kind == TRACK_FILE)
        fprintf(f, "   Status = %d\n", t->value);
    data_followers(f, v, t);
}

static void data_tracked(FILE *f, const struct vrrpd *v, const struct slice *s)
{
    static const struct {
        enum track_kind kind;
        const char *head;
    } parts[] = { { TRACK_SCRIPT, "VRRP Scripts" },
                  { TRACK_FILE, "VRRP Track files" },
                  { TRACK_PROC, "VRRP Track processes" },
                  { TRACK_BFD, "VRRP Track BFDs" } };
    struct track_view t;
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        size_t n = 0;
        for (const struct tracked *k = NULL; (k = track_next(v, k, &t)) != NULL;) {
            if (t.kind != parts[p].kind)
                continue;
            if (n++ == 0)
                fprintf(f, "------< %s >------\n", parts[p].head);
            if (t.kind == TRACK_SCRIPT)
                data_script(f, v, s, &t);
            else
                data_other(f, v, &t);
        }
    }
}

static void data_links(FILE *f, const struct vrrpd *v)
{
    char a[IPADDR_STRLEN];
    fputs("------< Interfaces >------\n", f);
    for (const struct vlink *l = v->links; l != NULL; l = l->next) {
        fprintf(f, " Name = %s\n   index = %u\n   IPv4 address = %s\n", l->name, l->ifindex,
                l->a4.family != 0 ? ipaddr_str(&l->a4, a) : "(none)");
        fprintf(f, "   IPv6 address = %s\n   State = %s%s\n   MTU = %u\n",
                l->a6.family != 0 ? ipaddr_str(&l->a6, a) : "(none)", l->up ? "UP" : "DOWN",
                l->running ? ", RUNNING" : "", l->mtu);
    }
}

void dump_put_data(struct vrrpd *v, FILE *f)
{
    const struct slice *s = child_slice(v->child);
    fprintf(f, "------< VRRP process >------\n Generation = %u\n Instances = %zu\n ipvsd = %s\n",
            child_generation(v->child), v->ninst,
            child_peer(v->child, ROLE_IPVSD) != NULL ? "connected" : "away");
    fputs("------< VRRP Topology >------\n", f);
    for (size_t n = 0; n < v->ninst; n++)
        data_instance(f, v->inst[n], s, ev_now(v->ev));
    fputs("------< VRRP Sync groups >------\n", f);
    group_dump(v, f);
    data_tracked(f, v, s);
    data_links(f, v);
    fputs("------< BFD Topology >------\n", f);
    bfd_life_dump(v->bfd, f);
}
