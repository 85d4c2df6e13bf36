/*
 * dumpgap.h - what a child leaves open in a dump because only the parent knows it: the commands of scripts. A
 * gap is DUMPGAP_SIZE bytes: NUL (no dump holds one otherwise), a kind, an object id. The parent fills gaps
 * from its own slice when it writes the file, so commands never reach a child. Also the one way JSON strings
 * are written.
 */
#ifndef HOLDFAST_DUMPGAP_H
#define HOLDFAST_DUMPGAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DUMPGAP_SIZE 6

enum dumpgap_kind {
    DUMPGAP_NONE,
    DUMPGAP_JSON_SCRIPTS, /* of an instance: ,"script_master":"..." and so on, nothing when there are none */
    DUMPGAP_JSON_COMMAND, /* of a vrrp_script: a JSON string */
    DUMPGAP_TEXT_SCRIPTS, /* lines of the state dump */
    DUMPGAP_TEXT_COMMAND, /* the rest of a line */
    DUMPGAP_KINDS
};

void dumpgap_put(FILE *f, enum dumpgap_kind kind, uint32_t obj);
/* Pure. The kind of the gap at p, of which len bytes are there; DUMPGAP_NONE: it is none. */
enum dumpgap_kind dumpgap_read(const uint8_t *p, size_t len, uint32_t *obj);

/* A JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD. */
void dumpgap_json(FILE *f, const char *s);

#endif
