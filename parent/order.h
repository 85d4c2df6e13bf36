/*
 * order.h - one order of the operator, and the file that carries orders over a restart of the daemon. The
 * codec is pure; the decoder trusts nothing, although only we write the file. Called by operator.c.
 */
#ifndef HOLDFAST_PARENT_ORDER_H
#define HOLDFAST_PARENT_ORDER_H

#include <stddef.h>
#include <stdint.h>

#define ORDER_NAME_MAX 255
#define ORDER_MOST     4096 /* a person gives dozens */
#define ORDER_FILE_MAX (4u << 20)

enum order_kind { ORDER_WEIGHT, ORDER_YIELD, ORDER_TAKEOVER };

/* Of a real server: its weight. Of an instance: it stays BACKUP while another one is MASTER, or it is MASTER
 * with a higher priority than configured. */
struct order {
    enum order_kind kind;
    uint8_t raise;                  /* TAKEOVER: what is added to the priority */
    uint32_t weight;                /* WEIGHT; 0: drained */
    uint64_t since;                 /* CLOCK_REALTIME ns */
    char scope[ORDER_NAME_MAX + 1]; /* WEIGHT: natural key of the virtual server */
    char name[ORDER_NAME_MAX + 1];  /* natural key */
};

struct orders {
    struct order *v;
    size_t n, cap;
};

void orders_free(struct orders *o);
struct order *orders_add(struct orders *o); /* zeroed; valid until the next one. NULL: too many */
void orders_remove(struct orders *o, size_t i);
/* WEIGHT looks for its kind, the others for each other: an instance is under one order at most. NULL: none.
 */
struct order *orders_find(const struct orders *o, enum order_kind kind, const char *scope, const char *name);

void *orders_encode(const struct orders *o, size_t *len); /* the caller frees */
int orders_decode(struct orders *o, const void *buf,
                  size_t len); /* into an empty one; -1 EINVAL: left empty */

#endif
