/*
 * status.h - what the parent knows, as lines of text: "[section name]" and "key=value". holdctl makes JSON of
 * it.
 */
#ifndef HOLDFAST_PARENT_STATUS_H
#define HOLDFAST_PARENT_STATUS_H

#include <stddef.h>

struct parent;

char *status_text(const struct parent *p, size_t *len); /* caller frees, as of all */
/* Only what is called so; "": everything. */
char *status_named(const struct parent *p, const char *name, size_t *len);
char *status_scripts(const struct parent *p, size_t *len); /* the registered commands */
void status_write_fd(const struct parent *p, int fd);
void status_line(const struct parent *p, char *buf, size_t size); /* one line, for systemd */

#endif
