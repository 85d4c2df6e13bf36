/*
 * script_life.h - scripts in the life of the daemon: what is made at start, read at load, waited for at the
 * end. Called by main.c, lifecycle.c and reload.c.
 */
#ifndef HOLDFAST_PARENT_SCRIPT_LIFE_H
#define HOLDFAST_PARENT_SCRIPT_LIFE_H

#include <stdbool.h>

struct parent;

void script_life_init(struct parent *p);
void script_life_free(struct parent *p);
/* A configuration has come into force: FIFOs, tracked files, users. */
void script_life_load(struct parent *p, bool first);
/* startup_script; next is called when it has ended, was too slow, or there is none. */
void script_life_startup(struct parent *p, void (*next)(struct parent *p));
/* The daemon begins to stop: what children asked for is not wanted any more. */
void script_life_stop(struct parent *p);
/* The rooms are off: scripts of the last events get a moment, then shutdown_script its time, then done. */
void script_life_wind_down(struct parent *p, void (*done)(struct parent *p));
void script_life_hurry(struct parent *p); /* asked to stop again */

#endif
