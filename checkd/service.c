/*
 * service.c - see service.h. Called by checkd/main.c and engine.c at start and reload; trusts that slice.c
 * has checked the form of the slice, checks itself what form cannot say (a real server stands in a virtual
 * server). Linear but for one sort.
 */
#include "checkd/service.h"

#include <stdlib.h>
#include <string.h>

#include "checkd/verdict.h"

static const enum blk CHECK_BLOCKS[] = { BLK_HTTP, BLK_SSLGET, BLK_TCP, BLK_SMTP, BLK_DNS,
                                         BLK_MISC, BLK_PING,   BLK_UDP, BLK_FILE, BLK_BFDCHK };

static size_t count(const struct slice *s, enum blk blk)
{
    size_t n = 0;

    for (const struct slice_obj *o = NULL; (o = slice_next(s, o, blk, SLICE_ANY_PARENT)) != NULL;)
        n++;
    return n;
}

bool service_is_check(enum blk blk)
{
    for (size_t i = 0; i < sizeof CHECK_BLOCKS / sizeof CHECK_BLOCKS[0]; i++)
        if (CHECK_BLOCKS[i] == blk)
            return true;
    return false;
}

/* Both arrays begin with their id and ascend by it. */
static size_t id_search(const void *base, size_t n, size_t size, uint32_t id)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        uint32_t at;

        memcpy(&at, (const char *)base + mid * size, sizeof at);
        if (at == id)
            return mid;
        if (at < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return n;
}

struct service *service_by_id(const struct service_table *t, uint32_t id)
{
    size_t i = id_search(t->services, t->nservices, sizeof *t->services, id);

    return i < t->nservices ? &t->services[i] : NULL;
}

struct server *service_server_by_id(const struct service_table *t, uint32_t id)
{
    size_t i = id_search(t->servers, t->nservers, sizeof *t->servers, id);

    return i < t->nservers ? &t->servers[i] : NULL;
}

struct checker *service_checker_by_id(const struct service_table *t, uint32_t id)
{
    size_t lo = 0, hi = t->ncheckers;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (t->checkers[mid].id == id)
            return &t->checkers[mid];
        if (t->checkers[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

struct server *service_server_at(const struct service_table *t, const struct service *v, size_t i)
{
    size_t at = v->first + i;

    if (at >= t->nservers || t->servers[t->by_key[at]].vs != v)
        return NULL;
    return &t->servers[t->by_key[at]];
}

static int key_cmp(const void *va, const void *vb, void *arg)
{
    const struct service_table *t = arg;
    const struct server *a = &t->servers[*(const uint32_t *)va], *b = &t->servers[*(const uint32_t *)vb];
    int c;

    if (a->service != b->service)
        return a->service < b->service ? -1 : 1;
    if (a->sorry != b->sorry)
        return a->sorry ? 1 : -1;
    c = strcmp(a->name, b->name);
    return c != 0 ? c : a->id < b->id ? -1 : a->id > b->id;
}

static int server_add(struct service_table *t, const struct slice *s, const struct slice_obj *o,
                      struct err *e)
{
    struct server *r = &t->servers[t->nservers];
    size_t v = id_search(t->services, t->nservices, sizeof *t->services, o->parent);

    if (v == t->nservices)
        return err_set(e, "HF-SLICE", o->name,
                       "real server (line %u) outside of a virtual server: a bug of holdfast-conf", o->line);
    *r = (struct server){
        .id = o->id, .service = (uint32_t)v, .name = o->name, .obj = o, .since = slice_generation(s)
    };
    r->vs = &t->services[v];
    r->label = slice_str(o, KW_RS_X_LABEL, o->name);
    r->sorry = slice_bool(o, KW_RS_X_SORRY, false);
    r->inhibit =
        slice_bool(o, KW_RS_INHIBIT_ON_FAILURE, slice_bool(r->vs->obj, KW_VS_INHIBIT_ON_FAILURE, false));
    r->configured = (uint32_t)slice_uint(o, KW_RS_WEIGHT, 1);
    r->state.owner = r->event.owner = r;
    for (size_t i = 0; i < sizeof CHECK_BLOCKS / sizeof CHECK_BLOCKS[0]; i++)
        for (const struct slice_obj *k = NULL; (k = slice_next(s, k, CHECK_BLOCKS[i], o->id)) != NULL;)
            r->nchecks++;
    t->nchecks += r->nchecks;
    if (r->sorry) {
        t->nsorry++;
        r->vs->sorry = r;
    } else {
        r->vs->nservers++;
        r->vs->live += r->configured; /* for the limit of the quorum; the engine counts anew */
    }
    t->by_key[t->nservers] = (uint32_t)t->nservers;
    t->nservers++;
    return 0;
}

static void service_add(struct service_table *t, const struct slice *s, const struct slice_obj *o)
{
    struct service *v = &t->services[t->nservices++];

    *v = (struct service){ .id = o->id, .name = o->name, .obj = o, .since = slice_generation(s) };
    v->label = slice_str(o, KW_VS_X_LABEL, o->name);
    /* A group or a mark has no one address to wait for. */
    v->ha_suspend = slice_bool(o, KW_VS_HA_SUSPEND, false) && slice_has(o, KW_VS_X_IP);
    v->omega = slice_bool(o, KW_VS_OMEGA, false);
    v->sorry_inhibit = slice_bool(o, KW_VS_SORRY_SERVER_INHIBIT, false);
    v->event.owner = v;
    v->event.service = true;
}

/* After all servers: what the quorum can be, and where each service's servers begin. */
static void services_finish(struct service_table *t)
{
    for (size_t i = 0; i < t->nservices; i++) {
        struct service *v = &t->services[i];

        v->quorum = verdict_quorum_limit(slice_uint(v->obj, KW_VS_QUORUM, 1), v->live);
        v->hysteresis = verdict_hysteresis_limit(slice_uint(v->obj, KW_VS_HYSTERESIS, 0), v->quorum);
        v->live = 0;
        v->first = t->nservers;
    }
    for (size_t i = t->nservers; i-- > 0;)
        t->servers[t->by_key[i]].vs->first = i;
}

struct service_table *service_table_new(const struct slice *s, struct err *e)
{
    struct service_table *t = xcalloc(1, sizeof *t);
    size_t n = count(s, BLK_RS);

    t->services = xcalloc(count(s, BLK_VS) + 1, sizeof *t->services);
    t->servers = xcalloc(n + 1, sizeof *t->servers);
    t->by_key = xcalloc(n + 1, sizeof *t->by_key);
    for (const struct slice_obj *o = NULL; (o = slice_next(s, o, BLK_VS, SLICE_ANY_PARENT)) != NULL;)
        service_add(t, s, o);
    for (const struct slice_obj *o = NULL; (o = slice_next(s, o, BLK_RS, SLICE_ANY_PARENT)) != NULL;) {
        if (server_add(t, s, o, e) < 0) {
            service_table_free(t);
            return NULL;
        }
    }
    if (n > 1)
        qsort_r(t->by_key, n, sizeof *t->by_key, key_cmp, t);
    services_finish(t);
    return t;
}

void service_table_free(struct service_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->nservices; i++)
        free(t->services[i].cause);
    for (size_t i = 0; i < t->nservers; i++)
        free(t->servers[i].cause);
    free(t->services);
    free(t->servers);
    free(t->by_key);
    free(t->checkers);
    free(t->chunks);
    free(t->service_chunks);
    free(t->evidence_chunks);
    free(t);
}

/* ---- taking over -----------------------------------------------------------------------------------------
 */

static int name_cmp(const void *va, const void *vb, void *arg)
{
    const struct service_table *t = arg;
    uint32_t a = *(const uint32_t *)va, b = *(const uint32_t *)vb;
    int c = strcmp(t->services[a].name, t->services[b].name);

    return c != 0 ? c : a < b ? -1 : a > b;
}

/* The services' indices, ascending by name. The caller frees. */
static uint32_t *services_by_name(const struct service_table *t)
{
    uint32_t *order = xcalloc(t->nservices + 1, sizeof *order);

    for (uint32_t i = 0; i < t->nservices; i++)
        order[i] = i;
    if (t->nservices > 1)
        qsort_r(order, t->nservices, sizeof *order, name_cmp, (void *)(uintptr_t)t);
    return order;
}

/* Two services of one key: merge their servers, both in order of key. */
static void servers_adopt(struct service_table *next, uint32_t nv, const struct service_table *cur,
                          uint32_t cv, struct service_change *change)
{
    size_t i = next->services[nv].first, j = cur->services[cv].first;

    while (i < next->nservers && j < cur->nservers) {
        struct server *a = &next->servers[next->by_key[i]];
        const struct server *b = &cur->servers[cur->by_key[j]];
        int c;

        if (a->service != nv || b->service != cv)
            return;
        c = a->sorry != b->sorry ? (a->sorry ? 1 : -1) : strcmp(a->name, b->name);
        if (c == 0) {
            a->since = b->since;
            a->former = b;
            a->ordered = b->ordered;
            a->order = b->order;
            change->servers_kept++;
        }
        i += c <= 0;
        j += c >= 0;
    }
}

void service_table_adopt(struct service_table *next, const struct service_table *cur,
                         struct service_change *change)
{
    uint32_t *a, *b;
    size_t i = 0, j = 0;

    *change = (struct service_change){ 0 };
    if (cur != NULL) {
        a = services_by_name(next);
        b = services_by_name(cur);
        while (i < next->nservices && j < cur->nservices) {
            int c = strcmp(next->services[a[i]].name, cur->services[b[j]].name);

            if (c == 0) {
                next->services[a[i]].since = cur->services[b[j]].since;
                next->services[a[i]].former = &cur->services[b[j]];
                change->services_kept++;
                servers_adopt(next, a[i], cur, b[j], change);
            }
            i += c <= 0;
            j += c >= 0;
        }
        free(a);
        free(b);
        change->services_removed = cur->nservices - change->services_kept;
        change->servers_removed = cur->nservers - change->servers_kept;
    }
    change->services_added = next->nservices - change->services_kept;
    change->servers_added = next->nservers - change->servers_kept;
}
