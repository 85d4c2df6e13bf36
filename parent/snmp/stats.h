/*
 * stats.h - which rows of the kernel's IPVS table belong to a virtual_server, and their sums: a group is
 * several services there, all of them count. Pure. Used by fill_check.c.
 */
#ifndef HOLDFAST_SNMP_STATS_H
#define HOLDFAST_SNMP_STATS_H

#include "parent/snmp/view.h"

/* How the configuration calls the line of a group. */
#define STATS_MEMBER "one member of a virtual_server_group a line"

struct stats_member {
    struct ipaddr first, last; /* first.family 0: a mark */
    uint32_t more;             /* addresses behind the first */
    uint32_t mark;
    uint16_t port;
};

struct stats_service {
    const struct table_row **v; /* services and servers */
    size_t n;
};

struct stats_sum {
    bool any;
    uint64_t n[TABLE_NUMBERS];
};

int stats_member(const char *text, struct stats_member *out); /* "ADDRESS[-LAST] PORT", "fwmark N" */
void stats_find(const struct view *v, const struct doc_part *service, struct stats_service *out);
void stats_free(struct stats_service *s);
void stats_sum(const struct stats_service *s, struct stats_sum *out);
void stats_server(const struct stats_service *s, const char *name,
                  struct stats_sum *out); /* "[ADDR]:proto:PORT" */

#endif
