/*
 * early.c - see early.h. An id that names nothing is ignored: facts about things checkd does not follow do no
 * harm, and a peer cannot end us by naming one.
 */
#include "checkd/early.h"

#include <stdlib.h>
#include <string.h>

#include "checkd/conn.h"
#include "checkd/engine.h"

#define EARLY_MAX 65536 /* more than there are services and sessions: the peer floods */

/* All that may come early are a few words. */
struct early {
    struct early *next;
    uint32_t generation;
    enum msg_type type;
    union {
        struct msg_vs_present vs_present;
        struct msg_bfd_state bfd_state;
        struct msg_alert alert;
    } body;
};

static void on_vs_present(struct checkd *d, const struct msg_vs_present *m)
{
    struct service *v = service_by_id(d->now, m->vs);

    if (v != NULL)
        engine_present(d, v, m->present != 0);
}

/* 0 ends what is told behind the start. */
static void on_rs_order(struct checkd *d, const struct msg_rs_order *m)
{
    struct server *s = m->rs != 0 ? service_server_by_id(d->now, m->rs) : NULL;

    if (m->rs == 0)
        d->orders_heard = true;
    else if (s != NULL)
        engine_order(d, s, m->set != 0, m->weight);
}

static int handle(struct checkd *d, enum msg_type type, const union msg_any *body, int *fds)
{
    switch (type) {
    case MSG_vs_present: on_vs_present(d, &body->vs_present); return 0;
    case MSG_sock_ready: conn_sock_ready(d, &body->sock_ready, fds); return 0;
    case MSG_rs_order: on_rs_order(d, &body->rs_order); return 0;
    default: return kinds_message(d, type, body);
    }
}

int message_handle(struct checkd *d, const struct chan_msg *m)
{
    int none = -1;

    if (d->now == NULL)
        return -1;
    return handle(d, m->type, m->body, m->nfds > 0 ? m->fds : &none);
}

int early_keep(struct checkd *d, const struct chan_msg *m)
{
    struct early *e;

    if (m->type != MSG_vs_present && m->type != MSG_bfd_state && m->type != MSG_alert)
        return 0; /* an answer to nothing we asked: its socket is closed, nobody waits */
    if (d->nearly >= EARLY_MAX)
        return -1;
    e = xcalloc(1, sizeof *e);
    e->type = m->type;
    e->generation = m->generation;
    memcpy(&e->body, m->body, sizeof e->body);
    if (d->early == NULL)
        d->early_last = &d->early;
    *d->early_last = e;
    d->early_last = &e->next;
    d->nearly++;
    return 0;
}

void early_forget(struct checkd *d)
{
    while (d->early != NULL) {
        struct early *e = d->early;

        d->early = e->next;
        free(e);
    }
    d->nearly = 0;
}

void early_replay(struct checkd *d)
{
    for (struct early *e = d->early; e != NULL; e = e->next) {
        union msg_any body;
        int none = -1;

        memcpy(&body, &e->body, sizeof e->body);
        if (e->generation == child_generation(d->child))
            (void)handle(d, e->type, &body, &none); /* it was allowed when it came */
    }
    early_forget(d);
}
