/*
 * render.h - the daemon's lines ("[section name]", "key=value") as JSON after fields.def, or plainly for
 * people. Pure functions on text; the JSON library lives here, in the operator's tool, and not in a daemon.
 */
#ifndef HOLDFAST_CTL_RENDER_H
#define HOLDFAST_CTL_RENDER_H

#include <jansson.h>
#include <stdio.h>

#include "parent/ctl/doc.h"

#define RENDER_SCHEMA 1 /* of --json: doc/JSON.md */

/* {"schema": 1, "command": command, members after fields.def}. Arrays of kinds in also (NULL ends; may be
 * NULL) are there even when they are empty. */
json_t *render_doc(const struct doc *d, const char *command, const char *const *also);
json_t *render_part(const struct doc_part *p); /* one section's object */
/* Its text with a newline; frees it. Caller frees the text. */
char *render_dump(json_t *root, size_t flags);
void render_print(json_t *root); /* the same, indented, on stdout */
/* What stands in fields.def, as doc/JSON.md has it. */
void render_schema(FILE *f);

#endif
