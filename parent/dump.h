/*
 * dump.h - state, statistics and JSON files on request (SIGUSR1, SIGUSR2 ...). The room writes into memory
 * (message dump), the parent writes a new file that nobody else can have prepared and gives it its name
 * (dump_place.h) when it is whole.
 */
#ifndef HOLDFAST_PARENT_DUMP_H
#define HOLDFAST_PARENT_DUMP_H

#include "common/proto.h"
#include "common/role.h"

struct parent;
struct dumps;

struct dumps *dump_new(struct parent *p);
void dump_free(struct dumps *d);
void dump_request(struct dumps *d, enum dump_what what);
/* What a SIGUSR1 would write of this room, to path, where nothing is yet and root alone may look
 * (config_save_dir). */
void dump_save(struct dumps *d, enum role who, const char *path);
int dump_on_dumped(struct dumps *d, enum role who, enum dump_what what); /* -1: was not asked */
void dump_on_death(struct dumps *d, enum role who);

#endif
