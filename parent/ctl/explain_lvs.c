/* explain_lvs.c - why a service has its quorum or not, a server its weight. See explain.h. */
#include "parent/ctl/explain.h"

#include <string.h>

static void explain_quorum(const struct explain *x, const struct doc_part *v)
{
    long long live = doc_int(v, "live_weight", 0), quorum = doc_int(v, "quorum", 0),
              hyst = doc_int(v, "hysteresis", 0);
    long long keep = quorum > hyst ? quorum - hyst : 0;
    bool up = strcmp(doc_str(v, "state", ""), "UP") == 0;
    explain_because(x, "live weight %lld of %s alive servers (of %s); quorum %lld, hysteresis %lld", live,
                    doc_str(v, "servers_alive", "0"), doc_str(v, "servers", "0"), quorum, hyst);
    if (up)
        explain_because(
            x, "it is UP and stays so while live weight > 0 and >= quorum - hysteresis = %lld: %lld >= %lld",
            keep, live, keep);
    else
        explain_because(x, "it is DOWN until live weight > 0 and >= quorum + hysteresis = %lld: %lld < %lld",
                        quorum + hyst, live, quorum + hyst);
    if (doc_yes(v, "sorry_serves"))
        explain_because(x, "without its quorum the sorry server %s serves", doc_str(v, "sorry_server", ""));
    if (doc_yes(v, "ha_suspend"))
        explain_because(x, doc_yes(v, "present")
                               ? "ha_suspend: its address is on this machine, checks run"
                               : "ha_suspend: its address is not on this machine, so checks pause "
                                 "and the servers keep their state");
}

void explain_service(const struct explain *x, const struct doc_part *v)
{
    const char *id = doc_str(v, "id", "");
    const struct doc_part *p = doc_with(x->d, NULL, "service", "id", id);
    char when[80];
    fprintf(x->f, "[explanation %s]\nkind=service\nstate=%s\nheadline=service %s is %s\n", v->name,
            doc_str(v, "state", ""), v->name, doc_str(v, "state", ""));
    if (doc_str(p, "cause", NULL) != NULL)
        explain_because(x, "it became so at %s: %s",
                        out_when(x->o, doc_real(p, "since", 0), when, sizeof when), doc_str(p, "cause", ""));
    explain_quorum(x, v);
    for (const struct doc_part *s = NULL; (s = doc_with(x->d, s, "lvs_server", "service_id", id)) != NULL;)
        explain_because(x, "server %s%s: %s, %s, weight %s", s->name, doc_yes(s, "sorry") ? " (sorry)" : "",
                        doc_yes(s, "alive") ? "alive" : "down",
                        doc_yes(s, "in_table") ? "in the table" : "out of it",
                        doc_str(s, "table_weight", ""));
}

/* ---- a server */

static void explain_check(const struct explain *x, const struct doc_part *k)
{
    char ago[40], failed[40];
    bool up = strcmp(doc_str(k, "state", ""), "UP") == 0;
    if (!doc_yes(k, "checked")) {
        explain_because(x, "%s has no result yet%s", k->name,
                        doc_yes(k, "alpha") ? ", and alpha says down until proved up"
                                            : ": believed in until then");
        return;
    }
    explain_because(x, "%s says %s: last passed %s, last failed %s", k->name, up ? "up" : "down",
                    explain_ago(x, k, "passed_at", ago, sizeof ago),
                    explain_ago(x, k, "failed_at", failed, sizeof failed));
    if (doc_str(k, "evidence", NULL) != NULL)
        explain_because(x, "  evidence of its last failure: %s", doc_str(k, "evidence", ""));
    if (up && doc_int(k, "retries_left", 0) < doc_int(k, "retries", 0))
        explain_because(x, "  it fails now, but %s of %s retries are left before that counts",
                        doc_str(k, "retries_left", ""), doc_str(k, "retries", ""));
    if (!doc_yes(k, "active") && !doc_yes(k, "passive"))
        explain_because(x, "  it makes no attempts now: ha_suspend, the address of the service is elsewhere");
    if (doc_int(k, "weight_adds", 0) != 0)
        explain_because(x, "  it moves the weight by %+lld", doc_int(k, "weight_adds", 0));
}

/* Why no new connection reaches it. */
static void explain_zero(const struct explain *x, const struct doc_part *s, const struct doc_part *v)
{
    bool alive = doc_yes(s, "alive"), in = doc_yes(s, "in_table");
    if (doc_yes(s, "ordered")) {
        explain_because(x, "its weight is %s by order of the operator", doc_str(s, "order", "0"));
        explain_advice(x, "holdctl enable %s ends that", s->name);
    } else if (!alive && doc_yes(s, "inhibit_on_failure")) {
        explain_because(
            x, "it is down and inhibit_on_failure is set: it stays in the table with weight 0, so its "
               "connections live and it gets no new ones");
    } else if (!alive && !doc_yes(s, "sorry")) {
        explain_because(x, "it is down: it is taken out of the table");
    } else if (!in && doc_yes(s, "sorry")) {
        explain_because(x, "a sorry server is in the table only while its service has no quorum");
    } else if (alive && doc_yes(v, "sorry_serves")) {
        explain_because(x, "it is alive, but its service has no quorum and the sorry server serves%s",
                        in ? "; it keeps its place with weight 0 (sorry_server_inhibit)" : "");
    } else if (doc_int(s, "configured_weight", 1) == 0) {
        explain_because(x, "it is configured with weight 0");
    } else {
        explain_because(x, "its checks have brought its weight down to 0");
    }
}

void explain_server(const struct explain *x, const struct doc_part *s)
{
    const char *id = doc_str(s, "id", "");
    const struct doc_part *p = doc_with(x->d, NULL, "server", "id", id);
    const struct doc_part *v = doc_with(x->d, NULL, "lvs_service", "id", doc_str(s, "service_id", ""));
    char when[80];
    fprintf(x->f, "[explanation %s]\nkind=server\nstate=%s\nheadline=%s %s of %s is %s, %s\n", s->name,
            doc_yes(s, "alive") ? "UP" : "DOWN", doc_yes(s, "sorry") ? "sorry server" : "server", s->name,
            doc_str(s, "service", ""), doc_yes(s, "alive") ? "UP" : "DOWN",
            doc_yes(s, "in_table") ? "in the table" : "out of the table");
    if (doc_str(p, "cause", NULL) != NULL)
        explain_because(x, "it became so at %s: %s",
                        out_when(x->o, doc_real(p, "since", 0), when, sizeof when), doc_str(p, "cause", ""));
    explain_because(x, "%s of its %s checks fail; it is alive when none does",
                    doc_str(s, "checks_failing", "0"), doc_str(s, "checks", "0"));
    for (const struct doc_part *k = NULL; (k = doc_with(x->d, k, "check", "server_id", id)) != NULL;)
        explain_check(x, k);
    explain_because(x, "weight in the table: %s (configured %s, in force while it is alive %s)",
                    doc_str(s, "table_weight", ""), doc_str(s, "configured_weight", ""),
                    doc_str(s, "weight", ""));
    if (doc_int(s, "table_weight", 0) == 0)
        explain_zero(x, s, v);
    explain_quorum(x, v);
}
