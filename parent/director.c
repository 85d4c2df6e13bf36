/* director.c - see director.h. What checkd says is stored unread but for its numbers; names come from the
 * slice. */
#include "parent/director.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/report.h"

#define DIRECTOR_ALL_SERVERS 200 /* up to here a person wants to see each */
#define DIRECTOR_MOST        200 /* of more: as many that are down */

struct director_state {
    uint32_t id;
    bool known, up;
    uint64_t at; /* CLOCK_REALTIME ns of the last news, 0: none */
    char *cause;
    const char *label, *name;
};

struct director_service {
    struct director_state s;
    size_t servers, up;
};

struct director_server {
    struct director_state s;
    struct director_service *service;
    uint32_t weight;
    bool sorry;
};

struct director {
    struct director_service *services; /* both ascending by id */
    size_t nservices;
    struct director_server *servers;
    size_t nservers;
};

static size_t director_count(const struct slice *s, enum blk blk)
{
    size_t n = 0;
    for (const struct slice_obj *o = NULL; (o = slice_next(s, o, blk, SLICE_ANY_PARENT)) != NULL;)
        n++;
    return n;
}

/* The state begins each element. */
static void *director_find(void *base, size_t n, size_t size, uint32_t id)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct director_state *s = (const void *)((char *)base + mid * size);
        if (s->id == id)
            return (char *)base + mid * size;
        if (s->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

struct director *director_new(const struct slice *s)
{
    struct director *d = xcalloc(1, sizeof *d);
    d->services = xcalloc(director_count(s, BLK_VS) + 1, sizeof *d->services);
    d->servers = xcalloc(director_count(s, BLK_RS) + 1, sizeof *d->servers);
    for (const struct slice_obj *o = NULL; (o = slice_next(s, o, BLK_VS, SLICE_ANY_PARENT)) != NULL;)
        d->services[d->nservices++].s = (struct director_state){
            .id = o->id, .label = slice_str(o, KW_VS_X_LABEL, o->name), .name = o->name
        };
    for (const struct slice_obj *o = NULL; (o = slice_next(s, o, BLK_RS, SLICE_ANY_PARENT)) != NULL;) {
        struct director_service *v = director_find(d->services, d->nservices, sizeof *d->services, o->parent);
        if (v == NULL)
            continue;
        bool sorry = slice_bool(o, KW_RS_X_SORRY, false);
        v->servers += !sorry;
        d->servers[d->nservers++] = (struct director_server){
            .s = { .id = o->id, .label = slice_str(o, KW_RS_X_LABEL, o->name), .name = o->name },
            .service = v,
            .sorry = sorry
        };
    }
    return d;
}

void director_free(struct director *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->nservices; i++)
        free(d->services[i].s.cause);
    for (size_t i = 0; i < d->nservers; i++)
        free(d->servers[i].s.cause);
    free(d->services);
    free(d->servers);
    free(d);
}

static void director_note(struct director_state *s, bool up, uint64_t at, const char *cause)
{
    if (s->known && s->up == up && cause[0] == '\0')
        return;
    s->known = true;
    s->up = up;
    s->at = at;
    free(s->cause);
    s->cause = cause[0] != '\0' ? xstrdup(cause) : NULL;
}

static void director_before(struct director_change *was, const struct director_state *s)
{
    *was = (struct director_change){ .label = s->label, .known = s->known, .was_up = s->up };
}

bool director_server_event(struct director *d, const struct msg_rs_event *e, struct director_change *was)
{
    struct director_server *r = director_find(d->servers, d->nservers, sizeof *d->servers, e->rs);
    if (r == NULL)
        return false;
    director_before(was, &r->s);
    was->service = r->service->s.label;
    was->was_weight = r->weight;
    if (!r->sorry) {
        r->service->up -= r->s.known && r->s.up;
        r->service->up += e->up != 0;
    }
    r->weight = e->weight;
    director_note(&r->s, e->up != 0, e->at, e->cause);
    return true;
}

bool director_service_event(struct director *d, const struct msg_vs_event *e, struct director_change *was)
{
    struct director_service *v = director_find(d->services, d->nservices, sizeof *d->services, e->vs);
    if (v == NULL)
        return false;
    director_before(was, &v->s);
    director_note(&v->s, e->up != 0, e->at, e->cause);
    return true;
}

static void director_print(FILE *f, const struct director_state *s)
{
    report_line(f, "state", "%s", !s->known ? "not told yet" : s->up ? "UP" : "DOWN");
    report_time(f, "since", s->at);
    if (s->cause != NULL)
        report_line(f, "cause", "%s", s->cause);
}

static bool director_called(const struct director_state *s, const char *name)
{
    return strcmp(s->label, name) == 0 || strcmp(s->name, name) == 0;
}

static void director_print_service(const struct director_service *v, FILE *f)
{
    report_section(f, "service", v->s.label);
    fprintf(f, "id=%u\n", v->s.id);
    director_print(f, &v->s);
    fprintf(f, "real_servers=%zu\nreal_servers_up=%zu\n", v->servers, v->up);
}

static void director_print_server(const struct director_server *r, FILE *f)
{
    report_section(f, "server", r->s.label);
    fprintf(f, "id=%u\nsorry=%s\n", r->s.id, r->sorry ? "yes" : "no");
    report_line(f, "service", "%s", r->service->s.label);
    fprintf(f, "service_id=%u\n", r->service->s.id);
    if (r->sorry)
        return;
    director_print(f, &r->s);
    fprintf(f, "weight=%u\n", r->weight);
}

static bool director_wants(const struct director *d, const struct director_server *r, const char *name)
{
    if (name[0] != '\0')
        return director_called(&r->s, name) || director_called(&r->service->s, name);
    return d->nservers <= DIRECTOR_ALL_SERVERS || (!r->sorry && r->s.known && !r->s.up);
}

void director_status(const struct director *d, const char *name, FILE *f)
{
    size_t shown = 0, omitted = 0;
    for (size_t i = 0; i < d->nservices; i++)
        if (name[0] == '\0' || director_called(&d->services[i].s, name))
            director_print_service(&d->services[i], f);
    for (size_t i = 0; i < d->nservers; i++) {
        const struct director_server *r = &d->servers[i];
        if (!director_wants(d, r, name) || shown >= DIRECTOR_MOST) {
            omitted++;
            continue;
        }
        director_print_server(r, f);
        shown++;
    }
    if (name[0] == '\0')
        fprintf(f, "[lvs]\nservers_omitted=%zu\n", omitted);
}

void director_sums(const struct director *d, size_t *services_up, size_t *servers_up)
{
    *services_up = *servers_up = 0;
    for (size_t i = 0; i < d->nservices; i++) {
        *services_up += d->services[i].s.known && d->services[i].s.up;
        *servers_up += d->services[i].up;
    }
}
