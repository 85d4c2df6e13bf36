/*
 * service.h - checkd's picture of the configuration: virtual servers and their real servers, by id, decoded
 * from the slice. A table is built aside at prepare and takes over from its predecessor at commit: what has
 * the same natural key (service name; server name within its service) keeps its identity and what is known
 * about it, whatever its new id.
 */
#ifndef HOLDFAST_CHECKD_SERVICE_H
#define HOLDFAST_CHECKD_SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/slice.h"

struct service {
    uint32_t id;
    const char *name;  /* in the slice the table was built from, which outlives the table */
    uint32_t since;    /* generation it appeared in */
    uint32_t nservers; /* sorry server not counted */
};

struct server {
    uint32_t id;
    uint32_t service; /* index of its service */
    const char *name;
    uint32_t since;
    uint32_t nchecks; /* configured checks */
    bool sorry;
};

struct service_table {
    size_t nservices, nservers;
    struct service *services; /* ascending by id */
    struct server *servers;   /* ascending by id */
    uint32_t *by_key;         /* indices of servers, ascending by service and name */
    size_t nchecks, nsorry;
};

/* What a reload did. */
struct service_change {
    size_t services_added, services_kept, services_removed;
    size_t servers_added, servers_kept, servers_removed;
};

/* NULL with e filled: the slice makes no sense to checkd. */
struct service_table *service_table_new(const struct slice *s, struct err *e);
void service_table_free(struct service_table *t);

/* next takes over from cur (NULL: there was none); looks nothing up by id across generations. */
void service_table_adopt(struct service_table *next, const struct service_table *cur,
                         struct service_change *change);

const struct service *service_by_id(const struct service_table *t, uint32_t id); /* NULL: none */
const struct server *service_server_by_id(const struct service_table *t, uint32_t id);

#endif
