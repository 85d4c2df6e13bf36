/*
 * dump_fill.h - copies what a child wrote and fills its gaps (common/dumpgap.h) from the parent's own slice.
 * Pure but for reading the registered commands. Called by dump.c and tests.
 */
#ifndef HOLDFAST_PARENT_DUMP_FILL_H
#define HOLDFAST_PARENT_DUMP_FILL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct scripts;

/* buf is a child's: NULs in it that are no gaps, and gaps of objects that have no command, are left out. */
void dump_fill(struct scripts *s, const uint8_t *buf, size_t len, FILE *out);

#endif
