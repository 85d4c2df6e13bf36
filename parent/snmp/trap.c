/*
 * trap.c - see trap.h. Which objects go with which notification is the MIBs' word; KEEPALIVED-MIB's are named
 * by their column alone, as keepalived does it and as its users' trap handlers expect.
 */
#include "parent/snmp/trap.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/snmp/agent.h"

/* ---- what happened before */

static struct trap_past *trap_find(struct traps *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->v[i].name, name) == 0)
            return &t->v[i];
    t->v = xrealloc(t->v, (t->n + 1) * sizeof *t->v);
    t->v[t->n] = (struct trap_past){ .name = xstrdup(name) };
    return &t->v[t->n++];
}

void traps_past(const char *instance, struct fill_past *out, void *traps)
{
    const struct traps *t = traps;
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->v[i].name, instance) == 0)
            *out = t->v[i].past;
}

static bool trap_runs(const char *state)
{
    return strcmp(state, "BACKUP") == 0 || strcmp(state, "MASTER") == 0;
}

/* The engine's words (vrrpd/engine.c): a master that fell silent, one of lower priority; else (resigned,
 * owner) it is priority. */
static enum fill_reason trap_reason(const char *cause)
{
    return strncmp(cause, "no advert", 9) == 0 ? FILL_NO_RESPONSE
           : strstr(cause, "preempt") != NULL  ? FILL_PREEMPTED
                                               : FILL_PRIORITY;
}

static void trap_learn(struct traps *t, const struct doc_part *e)
{
    const char *to = doc_str(e, "to", ""), *from = doc_str(e, "from", "");
    if (!fill_is(e, "kind", "instance") || !fill_is(e, "what", "state"))
        return;
    struct trap_past *p = trap_find(t, doc_str(e, "object", ""));
    if (!trap_runs(to))
        p->past.up_since = 0;
    else if (!trap_runs(from) || p->past.up_since <= 0)
        p->past.up_since = doc_real(e, "at", 0);
    if (strcmp(to, "MASTER") == 0)
        p->past.reason = trap_reason(doc_str(e, "cause", ""));
}

void traps_read(struct traps *t, const struct doc *d, trap_event_fn *fn, void *arg)
{
    const struct doc_part *head = doc_next(d, NULL, "events");
    unsigned long long last = t->last;
    if (head == NULL)
        return;
    if (doc_yes(head, "restarted"))
        last = 0;
    for (const struct doc_part *e = NULL; (e = doc_next(d, e, "event")) != NULL;) {
        unsigned long long seq = strtoull(e->name, NULL, 10);
        if (seq <= last)
            continue;
        last = seq;
        trap_learn(t, e);
        if (fn != NULL && t->known)
            fn(e, arg);
    }
    t->last = last;
    t->known = true;
}

/* ---- notifications */

static void trap_router_id(const struct fill *f, struct image *m)
{
    struct image_row r = image_row(m, FILL_GLOBAL);
    image_index(&r, 0);
    image_text(&r, 2, view_global(f->view, "router_id", ""));
}

static const struct doc_part *trap_instance(const struct fill *f, const char *name)
{
    return doc_named(&f->view->state, "vrrp_instance", name);
}

/* vrrpTrapNewMaster, vrrpv3NewMaster: cells of the image that answers questions. */
static void trap_new_master(const struct trap_on *on, const struct fill *f, const struct doc_part *s)
{
    uint32_t ifindex = view_ifindex(f->view, doc_str(s, "vmac", ""));
    uint32_t vrid = (uint32_t)doc_int(s, "vrid", 0);
    struct ipaddr source = view_addr(doc_str(s, "source", NULL));
    struct image m = { 0 };
    if (ifindex == 0)
        ifindex = view_ifindex(f->view, doc_str(s, "interface", ""));
    if (on->rfc2 && doc_int(s, "version", 2) == 2 && doc_int(s, "family", 4) == 4) {
        struct image_row r = image_row(&m, FILL_V2_ROUTERS);
        image_index(&r, ifindex);
        image_index(&r, vrid);
        image_ip(&r, 7, &source);
        agent_notify(FILL_VRRP_MIB ".0.1", &m);
        image_free(&m);
    }
    if (!on->rfc3)
        return;
    struct image_row r = image_row(&m, FILL_V3_ROUTERS), why = image_row(&m, FILL_V3_STATS);
    image_index(&r, ifindex);
    image_index(&r, vrid);
    image_index(&r, doc_int(s, "family", 4) == 6 ? 2 : 1);
    memcpy(why.index, r.index, sizeof why.index);
    why.nindex = r.nindex;
    image_addr(&r, 3, &source);
    image_int(&why, 2, fill_past(f, s->name).reason);
    agent_notify(FILL_VRRPV3_MIB ".0.1", &m);
    image_free(&m);
}

static void trap_on_instance(const struct trap_on *on, const struct fill *f, const struct doc_part *e)
{
    const char *name = doc_str(e, "object", ""), *to = doc_str(e, "to", "");
    const struct doc_part *s = trap_instance(f, name);
    struct image m = { 0 };
    if (on->vrrp) {
        struct image_row r = image_row(&m, FILL_INSTANCES);
        image_text(&r, 2, name);
        image_int(&r, 4, fill_state(to));
        image_int(&r, 5, doc_yes(s, "start_master") ? 2 : 1);
        trap_router_id(f, &m);
        agent_notify(FILL_VRRP ".10.0.2", &m);
        image_free(&m);
    }
    if (s != NULL && strcmp(to, "MASTER") == 0)
        trap_new_master(on, f, s);
}

static void trap_on_group(const struct fill *f, const struct doc_part *e)
{
    struct image m = { 0 };
    struct image_row r = image_row(&m, FILL_GROUPS);
    image_text(&r, 2, doc_str(e, "object", ""));
    image_int(&r, 3, fill_state(doc_str(e, "to", "")));
    trap_router_id(f, &m);
    agent_notify(FILL_VRRP ".10.0.1", &m);
    image_free(&m);
}

/* Of a virtual_server by its name: what both of check's notifications say of it. */
static void trap_service(const struct fill *f, struct image *m, const char *name, bool quorum)
{
    const struct doc_part *s = doc_named(&f->view->state, "lvs_service", name), *o = NULL;
    struct image_row r = image_row(m, FILL_SERVICES);
    while ((o = fill_next(&f->view->check, o, "virtual_server")) != NULL &&
           fill_id(o, "id") != fill_id(s, "id"))
        ;
    if (s == NULL || o == NULL)
        return;
    fill_service_name(&r, o);
    if (quorum)
        image_gauge(&r, 22, (uint64_t)doc_int(s, "quorum", 0));
    image_gauge(&r, 21, (uint64_t)doc_int(s, "servers_alive", 0));
    image_gauge(&r, 20, (uint64_t)doc_int(s, "servers", 0));
}

static void trap_on_server(const struct fill *f, const struct doc_part *e)
{
    struct image m = { 0 };
    struct image_row r = image_row(&m, FILL_SERVERS);
    fill_server_name(&r, doc_str(e, "object", ""));
    image_yes(&r, 6, fill_is(e, "to", "UP"));
    trap_service(f, &m, doc_str(e, "service", ""), false);
    trap_router_id(f, &m);
    agent_notify(FILL_CHECK ".5.0.1", &m);
    image_free(&m);
}

static void trap_on_quorum(const struct fill *f, const struct doc_part *e)
{
    struct image m = { 0 };
    struct image_row r = image_row(&m, FILL_SERVICES);
    image_yes(&r, 23, fill_is(e, "to", "UP"));
    trap_service(f, &m, doc_str(e, "object", ""), true);
    trap_router_id(f, &m);
    agent_notify(FILL_CHECK ".5.0.2", &m);
    image_free(&m);
}

void trap_send(const struct trap_on *on, const struct fill *f, const struct doc_part *e)
{
    bool state = fill_is(e, "what", "state");
    if (fill_is(e, "kind", "instance") && state)
        trap_on_instance(on, f, e);
    else if (on->vrrp && fill_is(e, "kind", "group") && state)
        trap_on_group(f, e);
    else if (on->check && fill_is(e, "kind", "server") && state)
        trap_on_server(f, e);
    else if (on->check && fill_is(e, "kind", "service") && fill_is(e, "what", "quorum"))
        trap_on_quorum(f, e);
}
