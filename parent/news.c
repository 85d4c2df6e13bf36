/* news.c - see news.h. */
#include "parent/news.h"

#include <stdio.h>
#include <string.h>

#include "parent/director.h"
#include "parent/events.h"
#include "parent/options.h"
#include "parent/parent.h"
#include "parent/reload.h"

static void news_state(struct config *c, struct config_inst *n, const struct msg_inst_event *e)
{
    if (e->kind == INST_EVENT_STATE) {
        n->at = e->at;
        config_cause_set(c, n, e->cause);
    }
    n->state = (enum vrrp_state)e->state;
    n->priority = e->priority;
}

void news_instance(struct parent *p, struct config *c, const struct msg_inst_event *e)
{
    struct config_inst *group = config_group(c, e->inst);
    struct config_inst *n = group != NULL ? group : config_inst(c, e->inst);
    char from[12], to[12];
    if (n == NULL)
        return;
    struct event v = { .kind = group != NULL ? EVENT_GROUP : EVENT_INSTANCE,
                       .name = n->name,
                       .cause = e->cause,
                       .from = from,
                       .to = to };
    switch ((enum inst_event_kind)e->kind) {
    case INST_EVENT_STATE:
        v.what = "state";
        v.at = e->at;
        snprintf(from, sizeof from, "%s", vrrp_state_name(n->state));
        snprintf(to, sizeof to, "%s", vrrp_state_name((enum vrrp_state)e->state));
        break;
    case INST_EVENT_PRIORITY:
        v.what = "priority";
        snprintf(from, sizeof from, "%u", n->priority);
        snprintf(to, sizeof to, "%u", e->priority);
        break;
    case INST_EVENT_RX_LOWER:
        v.what = "lower_heard";
        v.from = v.to = NULL;
        break;
    }
    news_state(c, n, e);
    events_add(p->events, &v);
}

static const char *news_up(bool up)
{
    return up ? "UP" : "DOWN";
}

void news_server(struct parent *p, struct config *c, const struct msg_rs_event *e)
{
    char from[12], to[12];
    struct director_change ch;
    if (!director_server_event(c->director, e, &ch))
        return;
    struct event v = {
        .kind = EVENT_SERVER, .at = e->at, .name = ch.label, .of = ch.service, .cause = e->cause
    };
    if (e->tell != 0 || (ch.known && ch.was_up != (e->up != 0))) {
        v.what = "state";
        v.from = ch.known ? news_up(ch.was_up) : NULL;
        v.to = news_up(e->up != 0);
        events_add(p->events, &v);
    }
    if (ch.known && ch.was_weight != e->weight) {
        v.what = "weight";
        snprintf(from, sizeof from, "%u", ch.was_weight);
        snprintf(to, sizeof to, "%u", e->weight);
        v.from = from;
        v.to = to;
        events_add(p->events, &v);
    }
}

void news_service(struct parent *p, struct config *c, const struct msg_vs_event *e)
{
    struct director_change ch;
    if (!director_service_event(c->director, e, &ch) ||
        (e->tell == 0 && !(ch.known && ch.was_up != (e->up != 0))))
        return;
    events_add(p->events, &(struct event){ .kind = EVENT_SERVICE,
                                           .at = e->at,
                                           .name = ch.label,
                                           .what = "quorum",
                                           .from = ch.known ? news_up(ch.was_up) : NULL,
                                           .to = news_up(e->up != 0),
                                           .cause = e->cause });
}

void news_process(struct parent *p, enum role r, const char *what, const char *cause)
{
    events_add(p->events,
               &(struct event){ .kind = EVENT_PROCESS, .name = role_name(r), .what = what, .cause = cause });
}

void news_reload(struct parent *p)
{
    struct reload_report r;
    char line[200] = "";
    reload_report(p->reload, &r);
    if (r.status != 0) /* the first line says what is wrong; the status has the rest */
        snprintf(line, sizeof line, "%.*s", (int)strnlen(r.text, r.len < 190 ? r.len : 190), r.text);
    line[strcspn(line, "\n")] = '\0';
    events_add(p->events, &(struct event){ .kind = EVENT_RELOAD,
                                           .name = p->config_file,
                                           .what = r.status == 0 ? "in_force" : "refused",
                                           .cause = line });
}

void news_daemon(struct parent *p, const char *what, const char *cause)
{
    events_add(p->events,
               &(struct event){
                   .kind = EVENT_DAEMON, .name = "holdfast " OPTIONS_VERSION, .what = what, .cause = cause });
}
