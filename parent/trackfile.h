/*
 * trackfile.h - track_file: the parent watches the files (the rooms see no file system) and tells vrrpd and
 * checkd the number in each: after their start, after a commit, at every change. Creates init_file ones at
 * start. Called by script_life.c, lifecycle.c and reload.c.
 */
#ifndef HOLDFAST_PARENT_TRACKFILE_H
#define HOLDFAST_PARENT_TRACKFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/role.h"

struct parent;
struct config;
struct trackfiles;

struct trackfiles *trackfiles_new(struct parent *p);
void trackfiles_free(struct trackfiles *t);
void trackfiles_load(struct trackfiles *t, const struct config *c, bool first);
void trackfiles_tell(struct trackfiles *t, enum role who); /* all values, under the ids in force */

/* Pure: the first line of a file is one decimal number of 32 bits. False: it is not. */
bool trackfile_parse(const char *buf, size_t len, int32_t *value);

#endif
