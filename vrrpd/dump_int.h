/*
 * dump_int.h - what the files of the dumps share: dump.c (statistics, dispatch), dump_json.c, dump_data.c,
 * dump_bfd.c, dump_lines.c (addresses, routes and rules as text). Of the others only metrics.c includes it,
 * for what it counts.
 */
#ifndef HOLDFAST_VRRPD_DUMP_INT_H
#define HOLDFAST_VRRPD_DUMP_INT_H

#include <stdio.h>

#include "common/slice.h"
#include "vrrpd/vrrpd.h"

void dump_put_json(struct vrrpd *v, FILE *f);
void dump_put_data(struct vrrpd *v, FILE *f);
void dump_put_bfd(struct vrrpd *v, FILE *f); /* dump_bfd.c; nothing when there are no sessions */

/* One BLK_ADDR, BLK_ROUTE or BLK_RULE the way iproute2 and the incumbent write it; set: the kernel holds it.
 * Without the newline. Caller frees. */
char *dump_line(const struct slice *s, const struct slice_obj *o, bool set);

/* The kernel holds its addresses. */
bool dump_set(const struct inst *i);
enum vrrp_state dump_wants(const struct inst *i);
/* The i-th word of a list that lies in one field, NULL past the end. */
const char *dump_word(const struct slice_obj *o, enum kw kw, size_t n);

#endif
