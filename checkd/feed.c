/*
 * feed.c - see feed.h. The queues are lists through the things themselves, so they cost nothing to fill and
 * cannot overflow. What is told is what is true when it leaves: a server that fell and rose again while the
 * parent was busy is no news. Order between servers and services is kept: a server's event comes before that
 * of the quorum it cost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkd/engine.h"
#include "checkd/evidence.h"

#define FEED_STATUS  4u /* with the EVENT_TELL_ bits: tell it even when nothing has changed */
#define FEED_TELL    3u
#define FEED_DOWN    8u /* down, which the parent took for granted, is news */
#define KEY_RUNNING  0u
#define KEY_CHECKERS 1u /* + 2 * chunk */
#define KEY_SERVICES 2u
/* Snapshots of evidence, a second: a server that gives another reason at each attempt is no load. */
#define EVIDENCE_WINDOW   (100 * NS_PER_MS)
#define EVIDENCE_A_WINDOW 100u

void feed_queue_add(struct feed_queue *q, struct feed_item *i)
{
    if (i->queued)
        return;
    i->queued = true;
    i->next = NULL;
    if (q->head == NULL)
        q->head = i;
    else
        q->last->next = i;
    q->last = i;
}

struct feed_item *feed_queue_take(struct feed_queue *q)
{
    struct feed_item *i = q->head;

    if (i == NULL)
        return NULL;
    q->head = i->next;
    i->next = NULL;
    i->queued = false;
    return i;
}

/* ---- marking
 * --------------------------------------------------------------------------------------------------- */

void feed_init(struct checkd *d)
{
    struct service_table *t = d->now;

    d->feed.state = d->feed.event = d->feed.snap = d->feed.evidence = (struct feed_queue){ 0 };
    for (size_t i = 0; i < t->ncheckers; i += CHUNK_CHECKERS)
        feed_checker_snap(d, i);
    for (size_t i = 0; i < t->nservices; i += CHUNK_SERVICES)
        feed_service_snap(d, i);
    for (size_t i = 0; i < t->ncheckers; i++)
        if (evidence_any(&t->checkers[i]))
            feed_checker_evidence(d, i);
    d->feed.snap_running = true;
    feed_tell_all(d);
}

void feed_tell_all(struct checkd *d)
{
    d->feed.sweep = 0;
    d->feed.sweeping = true;
    while (feed_queue_take(&d->feed.state) != NULL)
        ; /* the sweep tells them */
}

void feed_status_all(struct checkd *d)
{
    struct service_table *t = d->now;

    for (size_t i = 0; i < t->nservers; i++)
        if (!t->servers[i].sorry)
            feed_server_event(d, &t->servers[i], 0, NULL);
    for (size_t i = 0; i < t->nservices; i++)
        feed_service_event(d, &t->services[i], 0, NULL);
}

void feed_server_state(struct checkd *d, struct server *s)
{
    feed_queue_add(&d->feed.state, &s->state);
}

static void set_cause(char **cause, const char *text)
{
    if (text == NULL)
        return;
    free(*cause);
    *cause = xstrdup(text);
}

void feed_server_event(struct checkd *d, struct server *s, unsigned int tell, const char *cause)
{
    s->tell |= (uint8_t)(tell | (tell == 0 ? FEED_STATUS : 0));
    set_cause(&s->cause, cause);
    feed_queue_add(&d->feed.event, &s->event);
}

void feed_server_down(struct checkd *d, struct server *s, const char *cause)
{
    feed_server_event(d, s, FEED_TELL | FEED_DOWN, cause);
}

void feed_service_event(struct checkd *d, struct service *v, unsigned int tell, const char *cause)
{
    v->tell |= (uint8_t)(tell | (tell == 0 ? FEED_STATUS : 0));
    set_cause(&v->cause, cause);
    feed_queue_add(&d->feed.event, &v->event);
}

void feed_checker_snap(struct checkd *d, size_t checker)
{
    feed_queue_add(&d->feed.snap, &d->now->chunks[checker / CHUNK_CHECKERS].item);
}

void feed_service_snap(struct checkd *d, size_t service)
{
    feed_queue_add(&d->feed.snap, &d->now->service_chunks[service / CHUNK_SERVICES].item);
}

void feed_checker_evidence(struct checkd *d, size_t checker)
{
    size_t chunk = checker / CHUNK_EVIDENCE;

    if (chunk < d->now->nevidence)
        feed_queue_add(&d->feed.evidence, &d->now->evidence_chunks[chunk].item);
}

/* ---- telling ipvsd
 * ----------------------------------------------------------------------------------------------- */

static void tell_state(struct checkd *d, struct chan *to, struct server *s, bool anyway)
{
    struct verdict_wanted w = engine_wanted(s);
    struct msg_rs_state m = { .rs = s->id, .in = w.in, .weight = w.weight };

    if (!anyway && s->told_in == w.in && s->told_weight == w.weight)
        return;
    s->told_in = w.in;
    s->told_weight = w.weight;
    chan_send(to, MSG_rs_state, &m, NULL, 0);
    d->feed.told_states++;
}

/* True when nothing waits. */
static bool run_states(struct checkd *d)
{
    struct chan *to = child_peer(d->child, ROLE_IPVSD);
    struct service_table *t = d->now;
    struct feed_item *i;
    size_t room;

    if (to == NULL)
        return true; /* its successor gets everything */
    for (room = chan_room(to); d->feed.sweeping && room > 0; room--) {
        struct msg_lvs_sync m = { .generation = child_generation(d->child) };

        if (d->feed.sweep < t->nservers) {
            tell_state(d, to, &t->servers[d->feed.sweep++], true);
            continue;
        }
        chan_send(to, MSG_lvs_sync, &m, NULL, 0);
        d->feed.sweeping = false;
    }
    for (; !d->feed.sweeping && room > 0 && (i = feed_queue_take(&d->feed.state)) != NULL; room--)
        tell_state(d, to, i->owner, false);
    chan_flush(to); /* a verdict does not wait for the next turn */
    return !d->feed.sweeping && d->feed.state.head == NULL;
}

/* ---- telling the parent
 * ------------------------------------------------------------------------------------------- */

static void tell_server(struct checkd *d, struct chan *to, struct server *s)
{
    struct msg_rs_event m = { .rs = s->id, .up = s->alive, .weight = s->weight, .at = clock_realtime_ns() };
    bool news = s->alive != s->told || (!s->alive && (s->tell & FEED_DOWN) != 0);

    if (news)
        m.tell = s->tell & FEED_TELL;
    if (news || (s->tell & FEED_STATUS) != 0) {
        snprintf(m.cause, sizeof m.cause, "%s", s->cause != NULL ? s->cause : "");
        chan_send(to, MSG_rs_event, &m, NULL, 0);
        d->feed.told_events++;
    }
    s->told = s->alive;
    s->tell = 0;
    free(s->cause);
    s->cause = NULL;
}

static void tell_service(struct checkd *d, struct chan *to, struct service *v)
{
    struct msg_vs_event m = { .vs = v->id, .up = v->up, .at = clock_realtime_ns() };
    bool news = v->up != v->told;

    if (news)
        m.tell = v->tell & FEED_TELL;
    if (news || (v->tell & FEED_STATUS) != 0) {
        snprintf(m.cause, sizeof m.cause, "%s", v->cause != NULL ? v->cause : "");
        chan_send(to, MSG_vs_event, &m, NULL, 0);
        d->feed.told_events++;
    }
    v->told = v->up;
    v->tell = 0;
    free(v->cause);
    v->cause = NULL;
}

static void tell_snapshot(struct checkd *d, struct chunk *c)
{
    struct service_table *t = d->now;
    bool service = c->item.service;
    size_t at = (size_t)(service ? c - t->service_chunks : c - t->chunks);
    uint32_t key = (uint32_t)(at * 2 + (service ? KEY_SERVICES : KEY_CHECKERS));
    uint8_t buf[512];
    size_t len = service ? state_encode_services(t, at, buf, sizeof buf)
                         : state_encode_checkers(t, at, buf, sizeof buf);

    if (len > 0)
        child_snapshot(d->child, key, buf, len);
    else if (c->told)
        child_snapshot_gone(d->child, key);
    c->told = len > 0;
    d->feed.told_snaps++;
}

static void tell_evidence(struct checkd *d, struct chunk *c)
{
    size_t at = (size_t)(c - d->now->evidence_chunks);
    uint8_t buf[512];
    size_t len = evidence_encode(d->now, at, buf, sizeof buf);

    if (len > 0)
        child_snapshot(d->child, EVIDENCE_KEY + (uint32_t)at, buf, len);
    else if (c->told)
        child_snapshot_gone(d->child, EVIDENCE_KEY + (uint32_t)at);
    c->told = len > 0;
}

/* Behind everything else. True when nothing waits. */
static bool run_evidence(struct checkd *d, size_t room)
{
    uint64_t now = ev_now(d->ev);
    struct feed_item *i;

    if (now >= d->feed.evidence_window) {
        d->feed.evidence_window = now + EVIDENCE_WINDOW;
        d->feed.evidence_left = EVIDENCE_A_WINDOW;
    }
    for (; room > 0 && d->feed.evidence_left > 0 && (i = feed_queue_take(&d->feed.evidence)) != NULL;
         room--) {
        d->feed.evidence_left--;
        tell_evidence(d, i->owner);
    }
    return d->feed.evidence.head == NULL;
}

static bool run_parent(struct checkd *d)
{
    struct chan *to = child_parent(d->child);
    struct feed_item *i;
    size_t room;

    if (to == NULL)
        return true;
    room = chan_room(to);
    for (; room > 0 && (i = feed_queue_take(&d->feed.event)) != NULL; room--) {
        if (i->service)
            tell_service(d, to, i->owner);
        else
            tell_server(d, to, i->owner);
    }
    for (; room > 0 && (i = feed_queue_take(&d->feed.snap)) != NULL; room--)
        tell_snapshot(d, i->owner);
    if (d->feed.snap_running && d->feed.snap.head == NULL && room > 0) { /* complete: see state.c */
        uint8_t buf[8];

        child_snapshot(d->child, KEY_RUNNING, buf, state_encode_running(buf, sizeof buf));
        d->feed.snap_running = false;
    }
    if (!d->feed.snap_running && !run_evidence(d, chan_room(to)))
        return false;
    return d->feed.event.head == NULL && d->feed.snap.head == NULL && !d->feed.snap_running;
}

bool feed_run(struct checkd *d)
{
    bool states, parent;

    if (d->now == NULL)
        return true;
    states = run_states(d);
    parent = run_parent(d);
    return states && parent;
}
