/*
 * report.c - what checkd knows, for holdctl: services with their quorum, servers with what is wanted of them
 * and why, checks with their last result. One server a piece (common/report.h). Facts only; what follows from
 * them says holdctl. Called by main.c.
 */
#include "checkd/report.h"

#include <inttypes.h>

#include "checkd/engine.h"
#include "common/report.h"

#define REPORT_SERVERS_BITS 32 /* the cursor: service, and 1 + server in it */

static const char *report_yes(bool b)
{
    return b ? "yes" : "no";
}

static void report_seconds(FILE *f, const char *key, uint64_t ns)
{
    fprintf(f, "%s=%" PRIu64 ".%06" PRIu64 "\n", key, ns / NS_PER_SEC, ns % NS_PER_SEC / 1000);
}

static void report_checker(const struct checker *k, FILE *f, uint64_t now)
{
    report_section(f, "check", k->kind->name);
    fprintf(f, "id=%u\nserver_id=%u\n", k->id, k->server->id);
    report_line(f, "server", "%s", k->server->label);
    report_line(f, "service", "%s", k->server->vs->label);
    report_line(f, "state", "%s", k->up ? "UP" : "DOWN");
    fprintf(f, "checked=%s\nactive=%s\npassive=%s\nrunning=%s\nretries=%u\nretries_left=%u\nalpha=%s\n",
            report_yes(k->ever_done), report_yes(engine_active(k)), report_yes(k->kind->passive),
            report_yes(k->running), k->common.retry, k->left, report_yes(k->common.alpha));
    report_seconds(f, "delay_loop", k->common.delay_loop);
    report_seconds(f, "delay_before_retry", k->common.delay_before_retry);
    fprintf(f, "weight_adds=%" PRId64 "\nfailures=%" PRIu64 "\n", k->weight, k->failures);
    report_time(f, "passed_at", k->passed_at);
    report_time(f, "failed_at", k->failed_at);
    report_time(f, "changed", k->turned_at);
    if (k->evidence != NULL)
        report_line(f, "evidence", "%s", k->evidence);
    if (!k->running && ev_timer_armed(&k->due))
        report_seconds(f, "next_in", k->due.deadline > now ? k->due.deadline - now : 0);
}

static void report_server(const struct server *s, FILE *f, uint64_t now)
{
    struct verdict_wanted w = engine_wanted(s);
    report_section(f, "lvs_server", s->label);
    fprintf(f, "id=%u\nservice_id=%u\n", s->id, s->vs->id);
    report_line(f, "service", "%s", s->vs->label);
    fprintf(f,
            "sorry=%s\nalive=%s\nin_table=%s\ntable_weight=%u\nweight=%u\nconfigured_weight=%u\n"
            "inhibit_on_failure=%s\nchecks=%u\nchecks_failing=%u\n",
            report_yes(s->sorry), report_yes(s->alive), report_yes(w.in), w.in ? w.weight : 0, s->weight,
            s->configured, report_yes(s->inhibit), s->nchecks, s->down);
    if (s->ordered)
        fprintf(f, "ordered=yes\norder=%u\n", s->order);
    for (const struct checker *k = s->checkers; k != NULL; k = k->next)
        report_checker(k, f, now);
}

static void report_service(const struct service *v, FILE *f)
{
    report_section(f, "lvs_service", v->label);
    fprintf(f, "id=%u\n", v->id);
    report_line(f, "key", "%s", v->name);
    report_line(f, "state", "%s", v->up ? "UP" : "DOWN");
    fprintf(f,
            "servers=%u\nservers_alive=%u\nlive_weight=%" PRIu64 "\nquorum=%" PRIu64 "\nhysteresis=%" PRIu64
            "\nha_suspend=%s\npresent=%s\nomega=%s\nsorry_inhibit=%s\n",
            v->nservers, v->nalive, v->live, v->quorum, v->hysteresis, report_yes(v->ha_suspend),
            report_yes(v->present), report_yes(v->omega), report_yes(v->sorry_inhibit));
    if (v->sorry != NULL) {
        report_line(f, "sorry_server", "%s", v->sorry->label);
        fprintf(f, "sorry_serves=%s\n", report_yes(!v->up));
    }
}

static const struct service *report_at(const struct checkd *d, uint32_t obj, size_t i)
{
    if (obj != 0)
        return i == 0 ? service_by_id(d->now, obj) : NULL;
    return i < d->now->nservices ? &d->now->services[i] : NULL;
}

bool checkd_report(const struct checkd *d, uint32_t obj, size_t *cursor, FILE *f)
{
    size_t service = *cursor >> REPORT_SERVERS_BITS, server = *cursor & UINT32_MAX;
    const struct service *v = d->now != NULL ? report_at(d, obj, service) : NULL;
    const struct server *s;
    if (v == NULL)
        return false;
    if (server == 0)
        report_service(v, f);
    s = service_server_at(d->now, v, server);
    if (s != NULL) {
        report_server(s, f, ev_now(d->ev));
        ++*cursor;
    } else {
        *cursor = (service + 1) << REPORT_SERVERS_BITS;
    }
    return true;
}
