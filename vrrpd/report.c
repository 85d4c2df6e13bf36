/*
 * report.c - what vrrpd knows, for holdctl: instances with whom they hear, their trackers and the arithmetic
 * of their priority; groups, trackers, interfaces. One object a piece (common/report.h): nothing here may
 * take longer than an advert can wait. Facts only; what follows from them says holdctl. Secrets never appear.
 * Called by life.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/report.h"
#include "vrrpd/vrrpd.h"

static const char *report_yes(bool b)
{
    return b ? "yes" : "no";
}

static void report_seconds(FILE *f, const char *key, uint64_t ns)
{
    fprintf(f, "%s=%" PRIu64 ".%06" PRIu64 "\n", key, ns / NS_PER_SEC, ns % NS_PER_SEC / 1000);
}

/* A moment of the monotonic clock as one of the calendar; 0: never, no line. */
static void report_moment(FILE *f, const char *key, uint64_t at)
{
    uint64_t now = clock_monotonic_ns(), wall = clock_realtime_ns();
    if (at != 0)
        report_time(f, key, at < now ? wall - (now - at) : wall);
}

/* ---- an instance */

static void report_inst_config(FILE *f, const struct inst *i)
{
    static const char *const auth[] = { "none", "PASS", "AH" };
    const struct bind_vi *b = i->b;
    char a[IPADDR_STRLEN];
    fprintf(f, "vrid=%u\nfamily=%u\nversion=%u\n", b->vrid, b->family, b->engine.version);
    report_line(f, "interface", "%s", b->iface);
    if (b->vmac[0] != '\0')
        report_line(f, "vmac", "%s", b->vmac);
    report_line(f, "socket", "%s", b->sock);
    report_seconds(f, "advert_interval", b->engine.interval);
    fprintf(f, "base_priority=%u\ndown_timer_adverts=%u\n", b->engine.priority, b->engine.down_adverts);
    fprintf(f, "nopreempt=%s\nstart_master=%s\nstrict=%s\naccept=%s\n", report_yes(b->engine.nopreempt),
            report_yes(b->start_master), report_yes(b->strict), report_yes(b->accept));
    report_seconds(f, "preempt_delay", b->engine.preempt_delay);
    report_line(f, "auth", "%s",
                auth_kind(b->sign) == AUTH_HMAC ? "HMAC"
                : b->check.auth_type <= 2       ? auth[b->check.auth_type]
                                                : "?");
    if (b->group != NULL)
        report_line(f, "group", "%s", b->group);
    for (size_t n = 0; n < b->check.naddrs; n++)
        report_line(f, "address", "%s", ipaddr_str(&b->addrs[n], a));
    for (size_t n = 0; b->check.unicast && n < b->check.npeers; n++)
        report_line(f, "peer", "%s", ipaddr_str(&b->peers[n].addr, a));
    if (!b->check.unicast)
        report_line(f, "multicast_group", "%s", ipaddr_str(&b->check.group, a));
}

static void report_inst_state(FILE *f, const struct inst *i)
{
    const struct engine *e = &i->e;
    char a[IPADDR_STRLEN];
    uint64_t now = clock_monotonic_ns(), due = engine_deadline(e);
    report_line(f, "state", "%s", vrrp_state_name(e->state));
    report_time(f, "since", i->changed_at);
    fprintf(f, "priority=%u\n", e->cfg.priority);
    if (i->waiting)
        report_line(f, "waiting", "yes");
    if (i->order != INST_ORDER_NONE)
        fprintf(f, "order=%s\norder_adds=%u\n", i->order == INST_ORDER_YIELD ? "yield" : "takeover",
                i->raise);
    if (i->fault != NULL)
        report_line(f, "fault", "%s", i->fault);
    if (e->src.family != 0)
        report_line(f, "source", "%s", ipaddr_str(&e->src, a));
    if (e->master.family != 0) {
        report_line(f, "master", "%s", ipaddr_str(&e->master, a));
        fprintf(f, "master_priority=%u\n", e->master_priority);
        report_seconds(f, "master_interval", e->master_interval);
    }
    report_moment(f, "master_heard_at", e->heard_at);
    report_seconds(f, "master_down_interval", engine_down_interval(&e->cfg, e->master_interval));
    if (due != TIME_NEVER)
        report_seconds(f, "timer_in", due > now ? due - now : 0);
    if (e->state == VRRP_STATE_MASTER)
        report_moment(f, "advert_sent_at", e->last_tx);
    if (e->state == VRRP_STATE_BACKUP) {
        fprintf(f, "held_by_group=%s\npreempting=%s\n", report_yes(e->held), report_yes(e->discarding));
        if (e->preempt_at > now)
            report_seconds(f, "preempt_in", e->preempt_at - now);
    }
}

static void report_inst_counters(FILE *f, const struct inst *i)
{
    const struct check_stats bad = check_stats(&i->chk), *c = &bad;
    const struct {
        const char *key;
        uint64_t n;
    } rejected[] = { { "length", c->length },
                     { "ttl", c->ttl },
                     { "version", c->version },
                     { "type", c->type },
                     { "interval", c->interval },
                     { "address_list", c->addr_list },
                     { "checksum", c->checksum },
                     { "auth_unknown", c->auth_unknown },
                     { "auth_mismatch", c->auth_mismatch },
                     { "auth_failure", c->auth_failure },
                     { "hmac_missing", c->ext_missing },
                     { "hmac_malformed", c->ext_malformed },
                     { "hmac_key", c->ext_key },
                     { "hmac_wrong", c->ext_hmac },
                     { "hmac_stale", c->ext_stale },
                     { "hmac_replay", c->ext_replay },
                     { "owner_ignored", c->owner_ignored },
                     { "stranger", c->peer } };
    const struct engine_stats *e = &i->e.stats;
    fprintf(f,
            "adverts_received=%" PRIu64 "\nadverts_sent=%" PRIu64 "\nbecame_master=%" PRIu64
            "\nreleased_master=%" PRIu64 "\npriority_zero_received=%" PRIu64 "\npriority_zero_sent=%" PRIu64
            "\nsend_errors=%" PRIu64 "\naddresses_repaired=%" PRIu64 "\n",
            c->received, e->adverts_sent, e->became_master, e->released_master, e->prio_zero_rcvd,
            e->prio_zero_sent, i->send_errors, i->repaired);
    if (i->send_error != 0)
        report_line(f, "send_error", "%s", strerror(i->send_error));
    for (size_t n = 0; n < sizeof rejected / sizeof *rejected; n++)
        fprintf(f, "rejected_%s=%" PRIu64 "\n", rejected[n].key, rejected[n].n);
}

static void report_heard(FILE *f, const struct inst *i)
{
    char a[IPADDR_STRLEN];
    for (size_t n = 0; n < i->heard.n; n++) {
        const struct heard_one *o = &i->heard.one[n];
        report_section(f, "sender", ipaddr_str(&o->src, a));
        fprintf(f, "instance_id=%u\n", i->b->id);
        report_line(f, "instance", "%s", i->b->name);
        fprintf(f, "accepted=%" PRIu64 "\nrejected=%" PRIu64 "\n", o->accepted, o->rejected);
        report_moment(f, "accepted_at", o->accepted_at);
        if (o->accepted != 0) {
            fprintf(f, "priority=%u\n", o->priority);
            report_seconds(f, "interval", o->interval);
        }
        report_moment(f, "rejected_at", o->rejected_at);
        if (o->rejected != 0)
            report_line(f, "reason", "%s", check_text(o->why));
    }
}

static const char *report_result(const struct track_view *t)
{
    static const char *const words[] = {
        [TRACK_UNKNOWN] = "unknown", [TRACK_FAIL] = "failed", [TRACK_OK] = "ok"
    };
    return words[t->result];
}

static void report_tracker(FILE *f, const struct track_view *t)
{
    char text[96] = "";
    fprintf(f, "result=%s\n", report_result(t));
    report_time(f, "changed", t->changed_at);
    if (t->kind == TRACK_FILE || t->kind == TRACK_PROC)
        fprintf(f, "value=%d\n", t->value);
    if (t->delayed)
        fprintf(f, "delayed=yes\n");
    if (t->kind != TRACK_SCRIPT)
        return;
    fprintf(f, "running=%s\nrise=%u\nfall=%u\nstreak=%u\n", report_yes(t->running), t->rise, t->fall,
            t->streak);
    report_seconds(f, "interval", t->interval);
    if (t->ran == NULL)
        return;
    track_ran_text(t->ran, text, sizeof text);
    report_line(f, "last", "%s", text);
    report_time(f, "last_at", t->ran_at);
}

static void report_tracks(FILE *f, const struct inst *i)
{
    struct track_sum sum = { 0 };
    for (size_t n = 0; n < i->b->nlines; n++) {
        const struct track_line *l = &i->b->lines[n];
        struct track_view t;
        struct track_say say = track_line_view(i, n, &t);
        track_add(&sum, say);
        report_section(f, "track", l->name);
        fprintf(f, "instance_id=%u\n", i->b->id);
        report_line(f, "instance", "%s", i->b->name);
        report_line(f, "kind", "%s", track_kind_name(l->kind));
        fprintf(f, "weight=%d\nreverse=%s\nof_group=%s\nadds=%d\nfault=%s\nwaits=%s\n", l->weight,
                report_yes(l->reverse), report_yes(l->of_group), say.delta, report_yes(say.fault),
                report_yes(say.wait));
        report_tracker(f, &t);
    }
    report_section(f, "arithmetic", i->b->name);
    fprintf(f, "instance_id=%u\nbase=%u\nadded=%ld\nsum=%ld\ntracked=%u\neffective=%u\nowner=%s\n", i->b->id,
            i->b->engine.priority, sum.delta, (long)i->b->engine.priority + sum.delta,
            track_priority(i->b->engine.priority, &sum), i->e.cfg.priority,
            report_yes(i->b->engine.priority == ENGINE_OWNER));
}

static void report_inst(FILE *f, const struct inst *i)
{
    report_section(f, "vrrp_instance", i->b->name);
    fprintf(f, "id=%u\n", i->b->id);
    report_inst_state(f, i);
    report_inst_config(f, i);
    report_inst_counters(f, i);
    report_heard(f, i);
    report_tracks(f, i);
}

/* ---- the rest */

static void report_links(FILE *f, const struct vrrpd *v)
{
    char a[IPADDR_STRLEN];
    for (const struct vlink *l = v->links; l != NULL; l = l->next) {
        report_section(f, "interface", l->name);
        fprintf(f, "ifindex=%u\nup=%s\nrunning=%s\nmtu=%u\n", l->ifindex, report_yes(l->up),
                report_yes(l->running), l->mtu);
        if (l->a4.family != 0)
            report_line(f, "address4", "%s", ipaddr_str(&l->a4, a));
        if (l->a6.family != 0)
            report_line(f, "address6", "%s", ipaddr_str(&l->a6, a));
    }
}

static void report_trackers(FILE *f, const struct vrrpd *v)
{
    struct track_view t;
    for (const struct tracked *k = NULL; (k = track_next(v, k, &t)) != NULL;) {
        report_section(f, "tracker", t.name);
        fprintf(f, "id=%u\n", t.id);
        report_line(f, "kind", "%s", track_kind_name(t.kind));
        report_tracker(f, &t);
    }
}

/* All: instances one by one, then the rest in one piece, which is short. */
bool vrrpd_report(struct vrrpd *v, uint32_t obj, size_t *cursor, FILE *f)
{
    if (obj != 0) {
        const struct inst *i = inst_by_id(v, obj);
        if (i != NULL)
            report_inst(f, i);
        else
            group_report(v, obj, f);
        return false;
    }
    if (*cursor < v->ninst) {
        report_inst(f, v->inst[(*cursor)++]);
        return true;
    }
    group_report(v, 0, f);
    report_trackers(f, v);
    report_links(f, v);
    return false;
}
