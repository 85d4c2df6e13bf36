/*
 * image.h - what an agent shows, as one list in the order of object identifiers: built whole from what the
 * daemon says, then searched. Pure; fill_*.c build it, agent.c answers from it, trap.c takes values out of
 * it. The numbers of the MIBs are in fill_*.c only.
 */
#ifndef HOLDFAST_SNMP_IMAGE_H
#define HOLDFAST_SNMP_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

#define IMAGE_OID_MAX   40
#define IMAGE_ENTRY_MAX 20
#define IMAGE_INDEX_MAX 20

enum image_type {
    IMAGE_INT, /* Integer32, enumerations, truth values */
    IMAGE_GAUGE,
    IMAGE_COUNTER,
    IMAGE_COUNTER64,
    IMAGE_TICKS,
    IMAGE_BYTES, /* strings, InetAddress, MacAddress */
    IMAGE_IP     /* IpAddress: four bytes */
};

struct image_cell {
    uint32_t oid[IMAGE_OID_MAX];
    uint8_t n;
    enum image_type type;
    uint64_t number;
    size_t at, len; /* bytes, in the image's own memory */
};

struct image {
    struct image_cell *v;
    size_t n;
    uint8_t *bytes;
    size_t used;
};

void image_free(struct image *m); /* what it held; it may be filled again */

/* A conceptual row: cells are entry.column.index. A scalar's index is 0. */
struct image_row {
    struct image *m;
    uint32_t entry[IMAGE_ENTRY_MAX], index[IMAGE_INDEX_MAX];
    size_t nentry, nindex;
};

struct image_row image_row(struct image *m, const char *entry); /* "1.3.6.1..." */
void image_index(struct image_row *r, uint32_t n);
void image_index_addr(struct image_row *r, const struct ipaddr *a, bool with_length);

void image_number(const struct image_row *r, uint32_t column, enum image_type t, uint64_t value);
void image_int(const struct image_row *r, uint32_t column, int64_t value);
void image_gauge(const struct image_row *r, uint32_t column, uint64_t value);
void image_yes(const struct image_row *r, uint32_t column,
               bool yes); /* 1 or 2, as all of these MIBs have it */
void image_bytes(const struct image_row *r, uint32_t column, const void *p, size_t len);
void image_text(const struct image_row *r, uint32_t column, const char *s);          /* NULL: no cell */
void image_addr(const struct image_row *r, uint32_t column, const struct ipaddr *a); /* no family: no cell */
void image_ip(const struct image_row *r, uint32_t column, const struct ipaddr *a);   /* not IPv4: 0.0.0.0 */

void image_sort(struct image *m); /* once, when it is full; of equal ones the first stays */

const struct image_cell *image_get(const struct image *m, const uint32_t *oid, size_t n);
/* The first one behind this identifier (or it itself, when inclusive); NULL: none. */
const struct image_cell *image_next(const struct image *m, const uint32_t *oid, size_t n, bool inclusive);
const uint8_t *image_data(const struct image *m, const struct image_cell *c);
bool image_below(const struct image_cell *c, const uint32_t *root, size_t n);
/* "1.3.6" as numbers; how many, 0: not an identifier. */
size_t image_oid(const char *text, uint32_t *out, size_t max);

#endif
