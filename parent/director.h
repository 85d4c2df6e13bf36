/*
 * director.h - services and real servers as checkd last told of them: for the status. Belongs to one
 * generation of the configuration (config.h) and holds nothing but what people ask for: is it up, since when,
 * why.
 */
#ifndef HOLDFAST_PARENT_DIRECTOR_H
#define HOLDFAST_PARENT_DIRECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/proto.h"
#include "common/slice.h"

struct director;

struct director *director_new(const struct slice *s); /* s outlives it */
void director_free(struct director *d);               /* NULL: nothing */
/* What stood there before. */
struct director_change {
    const char *label, *service; /* service: of a server */
    bool known, was_up;
    uint32_t was_weight;
};
/* False: the id is unknown, which is nobody's news. */
bool director_server_event(struct director *d, const struct msg_rs_event *e, struct director_change *was);
bool director_service_event(struct director *d, const struct msg_vs_event *e, struct director_change *was);
/* Every service with its sums; of the servers all while they are few, else those that are down. name: only
 * what is called so (label or natural key) and what belongs to it; "": all of this. */
void director_status(const struct director *d, const char *name, FILE *f);
void director_sums(const struct director *d, size_t *services_up, size_t *servers_up);

#endif
