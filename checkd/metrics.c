/*
 * metrics.c - what checkd tells who collects metrics: report lines (common/report.h), names and units as
 * parent/ctl/metrics.def expects them; "l.NAME" is a label of what follows in the section. One service,
 * server or check a piece. Called by main.c.
 */
#include "checkd/metrics.h"

#include <inttypes.h>

#include "checkd/engine.h"
#include "common/report.h"

static void metrics_count(FILE *f, const char *key, uint64_t n)
{
    fprintf(f, "%s=%" PRIu64 "\n", key, n);
}

static void metrics_secs(FILE *f, const char *key, uint64_t ns)
{
    fprintf(f, "%s=%" PRIu64 ".%09" PRIu64 "\n", key, ns / NS_PER_SEC, ns % NS_PER_SEC);
}

static void metrics_process(const struct checkd *d, FILE *f)
{
    const struct checker_kind *k;
    char key[64];

    report_section(f, "checkd", "");
    metrics_count(f, "services", d->now->nservices);
    metrics_count(f, "servers", d->now->nservers - d->now->nsorry);
    metrics_count(f, "checks", d->now->ncheckers);
    metrics_count(f, "attempts", d->attempts);
    metrics_count(f, "failures", d->failures);
    metrics_count(f, "running", d->running);
    metrics_count(f, "late", d->late);
    metrics_secs(f, "latest", d->latest);
    hist_write(f, "start_lateness", &d->meter.late, HIST_FINE);
    for (size_t i = 0; i < METER_KINDS && (k = checker_kind_at(i)) != NULL; i++) {
        snprintf(key, sizeof key, "duration.%s", k->name);
        hist_write(f, key, &d->meter.took[i], HIST_WORK);
    }
}

static void metrics_service(const struct service *v, FILE *f)
{
    report_section(f, "service", v->label);
    metrics_count(f, "up", v->up);
    metrics_count(f, "quorum", v->quorum);
    metrics_count(f, "hysteresis", v->hysteresis);
    metrics_count(f, "live", v->live);
    metrics_count(f, "servers", v->nservers);
    metrics_count(f, "servers_up", v->nalive);
    if (v->ha_suspend)
        metrics_count(f, "present", v->present);
}

static void metrics_server(const struct server *s, FILE *f)
{
    struct verdict_wanted w = engine_wanted(s);

    report_section(f, s->sorry ? "sorry_server" : "server", s->label);
    report_line(f, "l.service", "%s", s->vs->label);
    if (!s->sorry)
        metrics_count(f, "up", s->alive);
    metrics_count(f, "in_table", w.in);
    metrics_count(f, "weight", w.in ? w.weight : 0);
}

/* The second TCP_CHECK of a server is TCP_CHECK#2: no two series may be called the same. */
static unsigned int metrics_nth(const struct checker *k)
{
    unsigned int n = 1;

    for (const struct checker *o = k->server->checkers; o != NULL && o != k; o = o->next)
        n += o->kind == k->kind;
    return n;
}

static void metrics_check(const struct checker *k, FILE *f)
{
    unsigned int nth = metrics_nth(k);

    report_section(f, "check", k->server->label);
    report_line(f, "l.service", "%s", k->server->vs->label);
    if (nth > 1)
        report_line(f, "l.check", "%s#%u", k->kind->name, nth);
    else
        report_line(f, "l.check", "%s", k->kind->name);
    metrics_count(f, "up", k->up);
    metrics_count(f, "result.passed", k->meter.passed);
    metrics_count(f, "result.failed", k->meter.failed);
    if (k->meter.took != 0)
        metrics_secs(f, "took", k->meter.took);
    if (k->meter.expires != 0)
        fprintf(f, "expires=%" PRId64 "\n", k->meter.expires);
}

bool metrics_checks(struct checkd *d, size_t *cursor, FILE *f)
{
    size_t at = (*cursor)++;

    if (d->now == NULL)
        return false;
    if (at == 0) {
        metrics_process(d, f);
        return true;
    }
    if (--at < d->now->nservices) {
        metrics_service(&d->now->services[at], f);
        return true;
    }
    at -= d->now->nservices;
    if (at < d->now->nservers) {
        metrics_server(&d->now->servers[at], f);
        return true;
    }
    at -= d->now->nservers;
    if (at >= d->now->ncheckers)
        return false;
    metrics_check(&d->now->checkers[at], f);
    return true;
}
