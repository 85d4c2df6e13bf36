/*
 * engine_int.h - what the engine files say to each other. engine.c: adverts, time, trackers, reload;
 * engine_resume.c: after a crash.
 */
#ifndef HOLDFAST_VRRPD_ENGINE_INT_H
#define HOLDFAST_VRRPD_ENGINE_INT_H

#include "vrrpd/engine.h"

void engine_arm(struct engine *e);
void engine_send(struct engine *e, bool resign, uint64_t now);
void engine_wait(struct engine *e, uint64_t from); /* the master-down interval starts over there */
void engine_adapt(struct engine *e); /* it ends as the configuration says, from where it began */
bool engine_nopreempt(const struct engine *e);
/* The next point of the grid after now: a late process skips, it never bursts. */
uint64_t engine_grid(uint64_t at, uint64_t interval, uint64_t now);

#endif
