/*
 * metrics.c - what vrrpd tells who collects metrics: report lines (common/report.h), names and units as
 * parent/ctl/metrics.def expects them; "l.NAME" is a label of what follows in the section. One instance or
 * tracker a piece. Called by life.c.
 */
#include <inttypes.h>
#include <string.h>

#include "common/report.h"
#include "vrrpd/dump_int.h"

static void metrics_count(FILE *f, const char *key, uint64_t n)
{
    fprintf(f, "%s=%" PRIu64 "\n", key, n);
}

static void metrics_secs(FILE *f, const char *key, uint64_t ns)
{
    fprintf(f, "%s=%" PRIu64 ".%09" PRIu64 "\n", key, ns / NS_PER_SEC, ns % NS_PER_SEC);
}

static void metrics_process(struct vrrpd *v, FILE *f)
{
    report_section(f, "vrrpd", "");
    metrics_count(f, "instances", v->ninst);
    metrics_count(f, "late_timers", v->meter.late_timers);
    hist_write(f, "timer_lateness", &v->meter.late, HIST_FINE);
}

static void metrics_rejected(FILE *f, struct check_stats c)
{
    const struct {
        const char *reason;
        uint64_t n;
    } rows[] = { { "length", c.length },
                 { "ttl", c.ttl },
                 { "type", c.type },
                 { "version", c.version },
                 { "checksum", c.checksum },
                 { "interval", c.interval },
                 { "address_list", c.addr_list },
                 { "auth_type_unknown", c.auth_unknown },
                 { "auth_type_mismatch", c.auth_mismatch },
                 { "auth_failure", c.auth_failure },
                 { "auth_ext_missing", c.ext_missing },
                 { "auth_ext_malformed", c.ext_malformed },
                 { "auth_ext_unknown_key", c.ext_key },
                 { "auth_ext_invalid_hmac", c.ext_hmac },
                 { "auth_ext_stale", c.ext_stale },
                 { "auth_ext_replay", c.ext_replay },
                 { "owner", c.owner_ignored },
                 { "stranger", c.peer } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fprintf(f, "rejected.%s=%" PRIu64 "\n", rows[i].reason, rows[i].n);
}

static void metrics_hist(FILE *f, const char *key, const struct meter *m, enum meter_hist which,
                         enum hist_scale scale)
{
    struct hist h = hist_of_set(&m->hist, which);
    hist_write(f, key, &h, scale);
}

static void metrics_margins(FILE *f, const struct meter *m)
{
    metrics_hist(f, "jitter.received", m, METER_JITTER_RX, HIST_FINE);
    metrics_hist(f, "jitter.sent", m, METER_JITTER_TX, HIST_FINE);
    metrics_hist(f, "margin.received", m, METER_MARGIN_RX, HIST_RATIO);
    metrics_hist(f, "margin.sent", m, METER_MARGIN_TX, HIST_RATIO);
    if (m->least_rx != TIME_NEVER)
        metrics_secs(f, "margin_least.received", m->least_rx);
    if (m->least_tx != TIME_NEVER)
        metrics_secs(f, "margin_least.sent", m->least_tx);
    metrics_hist(f, "takeover", m, METER_TAKEOVER, HIST_WORK);
    metrics_hist(f, "failover", m, METER_FAILOVER, HIST_WORK);
}

static void metrics_instance(FILE *f, const struct inst *i)
{
    const struct engine_stats *e = &i->e.stats;
    static const char *const states[] = { "init", "backup", "master", "fault", "stop" };
    report_section(f, "instance", i->b->name);
    report_line(f, "i.interface", "%s", i->b->iface);
    fprintf(f, "i.vrid=%u\ni.family=ipv%u\ni.version=%u\ninfo=1\n", i->b->vrid, i->b->family,
            i->b->engine.version);
    for (unsigned int s = 0; s <= VRRP_STATE_STOP; s++)
        fprintf(f, "state.%s=%d\n", states[s], (unsigned int)i->e.state == s);
    for (unsigned int s = VRRP_STATE_BACKUP; s <= VRRP_STATE_STOP; s++)
        fprintf(f, "transitions.%s=%" PRIu32 "\n", states[s], i->meter.to[s]);
    metrics_secs(f, "last_transition", i->changed_at);
    metrics_count(f, "priority", i->e.cfg.priority);
    metrics_count(f, "base_priority", i->b->engine.priority);
    metrics_secs(f, "advert_interval", i->b->engine.interval);
    metrics_count(f, "addresses_set", dump_set(i));
    metrics_count(f, "sent", e->adverts_sent);
    metrics_count(f, "received", i->chk.received);
    metrics_count(f, "zero.sent", e->prio_zero_sent);
    metrics_count(f, "zero.received", e->prio_zero_rcvd);
    metrics_count(f, "send_errors", i->send_errors);
    metrics_count(f, "repaired", i->repaired);
    metrics_rejected(f, check_stats(&i->chk));
    metrics_margins(f, &i->meter);
}

/* The n-th tracker; false: there are not so many. */
static bool metrics_tracker(const struct vrrpd *v, size_t n, FILE *f)
{
    struct track_view t;
    const struct tracked *k = NULL;
    do
        k = track_next(v, k, &t);
    while (k != NULL && n-- > 0);
    if (k == NULL)
        return false;
    report_section(f, "tracker", t.name);
    report_line(f, "l.kind", "%s", track_kind_name(t.kind));
    if (t.result != TRACK_UNKNOWN)
        metrics_count(f, "up", t.result == TRACK_OK);
    if (t.kind == TRACK_FILE || t.kind == TRACK_PROC)
        fprintf(f, "value=%d\n", t.value);
    return true;
}

bool metrics_vrrp(struct vrrpd *v, size_t *cursor, FILE *f)
{
    size_t at = (*cursor)++;
    if (at == 0)
        metrics_process(v, f);
    else if (at <= v->ninst)
        metrics_instance(f, v->inst[at - 1]);
    else
        return metrics_tracker(v, at - 1 - v->ninst, f);
    return true;
}
