/*
 * timed.h - files that go with a reload: reload_time_file (a reload at the time its first line says),
 * reload_file (there while a configuration is being read) and config_save_dir (a copy of every configuration
 * read). Called by main.c, lifecycle.c and conf_run.c.
 */
#ifndef HOLDFAST_PARENT_TIMED_H
#define HOLDFAST_PARENT_TIMED_H

#include <stdbool.h>

struct config;
struct parent;
struct timed;

struct timed *timed_new(struct parent *p);
void timed_free(struct timed *t);
void timed_begin(struct timed *t); /* a new configuration is about to be read */
void timed_save(struct timed *t, const struct config *c, int fd); /* its text; takes fd. c NULL: not usable */
void timed_end(struct timed *t, bool in_force);                   /* every room has it, or it was refused */

#endif
