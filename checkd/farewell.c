/*
 * farewell.c - servers and services a reload removes: the parent hears that they are down, under the ids of
 * the generation that still knows them, so that their scripts run and their lines are written a last time, as
 * the incumbent does. Called by main.c at commit, while both tables stand, and at the end of a checkd that
 * the reload leaves nothing to do for.
 */
#include "checkd/farewell.h"

#include <stdio.h>
#include <stdlib.h>

#include "checkd/checkd.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define FAREWELL_CAUSE "removed from the configuration"
#define FAREWELL_TELL  (EVENT_TELL_FIFO | EVENT_TELL_SCRIPT)

struct farewell {
    struct chan *to;
    struct mail *mail;
    bool *service_kept, *server_kept;
    size_t unsaid;
};

static void farewell_mark(struct farewell *f, const struct service_table *next,
                          const struct service_table *cur)
{
    if (next == NULL)
        return;
    for (size_t i = 0; i < next->nservices; i++)
        if (next->services[i].former != NULL)
            f->service_kept[next->services[i].former - cur->services] = true;
    for (size_t i = 0; i < next->nservers; i++)
        if (next->servers[i].former != NULL)
            f->server_kept[next->servers[i].former - cur->servers] = true;
}

/* What does not fit is nobody's state any more: it is counted, not kept. */
static bool farewell_room(struct farewell *f)
{
    if (chan_room(f->to) > 0)
        return true;
    f->unsaid++;
    return false;
}

static void farewell_servers(struct farewell *f, const struct service_table *cur)
{
    for (size_t i = 0; i < cur->nservers; i++) {
        const struct server *s = &cur->servers[i];
        struct msg_rs_event m = {
            .rs = s->id, .tell = FAREWELL_TELL, .at = clock_realtime_ns(), .cause = FAREWELL_CAUSE
        };
        if (f->server_kept[i] || s->sorry || !s->told)
            continue;
        if (farewell_room(f))
            chan_send(f->to, MSG_rs_event, &m, NULL, 0);
        mail_server_event(f->mail, s->id, false, FAREWELL_CAUSE);
    }
}

static void farewell_services(struct farewell *f, const struct service_table *cur)
{
    for (size_t i = 0; i < cur->nservices; i++) {
        const struct service *v = &cur->services[i];
        struct msg_vs_event m = {
            .vs = v->id, .tell = FAREWELL_TELL, .at = clock_realtime_ns(), .cause = FAREWELL_CAUSE
        };
        if (f->service_kept[i] || !v->told)
            continue;
        if (farewell_room(f))
            chan_send(f->to, MSG_vs_event, &m, NULL, 0);
        mail_service_event(f->mail, v->id, false, &(struct mail_quorum){ 0, v->quorum, v->hysteresis });
    }
}

void farewell_say(struct chan *to, struct mail *mail, const struct service_table *next,
                  const struct service_table *cur, uint32_t old_generation, uint32_t generation)
{
    struct farewell f = { .to = to, .mail = mail };
    if (to == NULL)
        return;
    f.service_kept = xcalloc(cur->nservices + 1, sizeof *f.service_kept);
    f.server_kept = xcalloc(cur->nservers + 1, sizeof *f.server_kept);
    farewell_mark(&f, next, cur);
    chan_set_generation(to, old_generation);
    farewell_servers(&f, cur);
    farewell_services(&f, cur);
    chan_set_generation(to, generation);
    if (f.unsaid > 0)
        log_warn("%zu of the servers this reload removed went without a word: their scripts did not run, the "
                 "parent is too "
                 "far behind",
                 f.unsaid);
    free(f.service_kept);
    free(f.server_kept);
}
