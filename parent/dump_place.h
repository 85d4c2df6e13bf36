/*
 * dump_place.h - where a dump goes: the names of the incumbent, moved by state_dump_file, stats_dump_file,
 * json_dump_file and data_use_instance. Pure. Called by dump.c and tests.
 */
#ifndef HOLDFAST_PARENT_DUMP_PLACE_H
#define HOLDFAST_PARENT_DUMP_PLACE_H

#include <limits.h>
#include <stdbool.h>

#include "common/proto.h"
#include "common/role.h"

struct dump_place {
    char dir[PATH_MAX]; /* absolute, no trailing '/' but for "/" itself */
    char name[NAME_MAX + 1];
    bool in_tmp; /* the directory is the temporary one */
};

struct dump_wish {
    const char *tmp;      /* temporary directory */
    const char *file;     /* the keyword's value, NULL: not given */
    const char *instance; /* NS_INSTANCE with data_use_instance, NULL: not wanted */
};

/* False: this room does not write that. *too_long (then false too): the names do not fit. */
bool dump_place(enum role r, enum dump_what what, const struct dump_wish *w, struct dump_place *out,
                bool *too_long);

#endif
