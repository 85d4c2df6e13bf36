/*
 * service.h - checkd's picture of the configuration: virtual servers, their real servers and the checkers, by
 * id, decoded from the slice. A table is built aside at prepare and takes over from its predecessor at
 * commit: what has the same natural key (service name; server name within its service) keeps its identity and
 * what is known about it, whatever its new id. What is judged of it stands here too, and is engine.c's.
 */
#ifndef HOLDFAST_CHECKD_SERVICE_H
#define HOLDFAST_CHECKD_SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include "checkd/checker.h"
#include "checkd/feed.h"
#include "common/err.h"
#include "common/slice.h"

struct service {
    uint32_t id;
    const char *name;  /* in the slice the table was built from, which outlives the table */
    const char *label; /* "[10.0.0.1]:tcp:80" */
    const struct slice_obj *obj;
    uint32_t since;    /* generation it appeared in */
    uint32_t nservers; /* sorry server not counted */
    size_t first;      /* of its servers in by_key */
    struct server *sorry;
    uint64_t quorum, hysteresis; /* within what its servers can give */
    bool ha_suspend, omega, sorry_inhibit;
    /* ---- engine.c's ---- */
    bool present; /* its address is here, or it does not matter */
    bool up;      /* has its quorum */
    bool initial; /* what the configuration alone gives */
    bool told;    /* up, as the parent knows it */
    bool judging;
    uint8_t tell;
    uint64_t live; /* sum of the weights of its live servers */
    uint32_t nalive;
    struct service *judge_next;
    struct feed_item event;
    char *cause; /* of the event that waits */
    const struct service *former;
};

struct server {
    uint32_t id;
    uint32_t service; /* index of its service */
    const char *name;
    const char *label;
    const struct slice_obj *obj;
    uint32_t since;
    uint32_t nchecks; /* configured checks */
    bool sorry, inhibit;
    uint32_t configured; /* weight */
    bool ordered;        /* the operator says what it weighs, and nobody else */
    uint32_t order;      /* ... that; 0: drained */
    struct service *vs;
    /* ---- engine.c's ---- */
    struct checker *checkers; /* linked by next */
    uint32_t down;            /* checkers that are not up */
    uint32_t weight;          /* in force */
    bool alive;
    bool told;     /* alive, as the parent knows it */
    bool unproven; /* down by alpha since the start, and no check has said so */
    uint8_t tell;
    bool told_in; /* as ipvsd knows it */
    uint32_t told_weight;
    struct feed_item state, event;
    char *cause;
    const struct server *former;
};

/* A snapshot covers this many checkers or services, by their place in the table. */
#define CHUNK_CHECKERS 28
#define CHUNK_SERVICES 50
#define CHUNK_EVIDENCE 3 /* checkers, of evidence.h */

struct chunk {
    struct feed_item item;
    bool told; /* the parent keeps something under its key */
};

struct service_table {
    size_t nservices, nservers, ncheckers;
    struct service *services; /* ascending by id */
    struct server *servers;   /* ascending by id */
    uint32_t *by_key;         /* indices of servers, ascending by service and name */
    struct checker *checkers; /* ascending by id; empty until engine_build */
    struct chunk *chunks, *service_chunks;
    struct chunk *evidence_chunks; /* at most EVIDENCE_CHUNKS */
    size_t nevidence;
    size_t nchecks, nsorry;
};

/* What a reload did. */
struct service_change {
    size_t services_added, services_kept, services_removed;
    size_t servers_added, servers_kept, servers_removed;
};

/* NULL with e filled: the slice makes no sense to checkd. */
struct service_table *service_table_new(const struct slice *s, struct err *e);
void service_table_free(struct service_table *t); /* the checkers are gone before (engine_drop) */

/* next takes over from cur (NULL: there was none); looks nothing up by id across generations. What is the
 * same gets its former self: service->former, server->former, which live as long as cur. */
void service_table_adopt(struct service_table *next, const struct service_table *cur,
                         struct service_change *change);

struct service *service_by_id(const struct service_table *t, uint32_t id); /* NULL: none */
struct server *service_server_by_id(const struct service_table *t, uint32_t id);
struct checker *service_checker_by_id(const struct service_table *t, uint32_t id);
/* The servers of v, sorry server included: i from 0; NULL past the end. */
struct server *service_server_at(const struct service_table *t, const struct service *v, size_t i);
/* All blocks that are checks. */
bool service_is_check(enum blk blk);

#endif
