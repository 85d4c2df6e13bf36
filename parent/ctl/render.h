/*
 * render.h - the parent's lines ("[section name]", "key=value") for people or as JSON. Pure functions on
 * text.
 */
#ifndef HOLDFAST_CTL_RENDER_H
#define HOLDFAST_CTL_RENDER_H

#include <stddef.h>

/* Both return malloc'ed text ending in a newline. text is modified. */
char *render_json(char *text);
char *render_people(char *text);

#endif
