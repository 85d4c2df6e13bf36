/*
 * lifecycle.h - start, run, stop of the whole house; see doc/ARCHITECTURE.md. Called by main.c (signals),
 * supervise (what happened to a room), reload and control.
 */
#ifndef HOLDFAST_PARENT_LIFECYCLE_H
#define HOLDFAST_PARENT_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/proto.h"
#include "common/role.h"

struct config;
struct parent;

int lifecycle_begin(struct parent *p);   /* children and holdfast-conf are on their way. -1: logged */
void lifecycle_reload(struct parent *p); /* SIGHUP, holdctl: now, or as soon as possible */
void lifecycle_stop(struct parent *p);   /* SIGTERM: after a start that has begun, or at once */
void lifecycle_end(struct parent *p, int status); /* orderly stop; a second call hurries */
void lifecycle_close(struct parent *p);           /* after the loop: files, sockets, memory */

bool lifecycle_needs(const struct parent *p, const struct config *c, enum role r);
void lifecycle_fit_rooms(struct parent *p); /* starts what is missing, stops what is not needed */
uint64_t lifecycle_child_wait(const struct parent *p);

void lifecycle_on_spawned(struct parent *p, enum role r);
void lifecycle_on_started(struct parent *p, enum role r);
void lifecycle_on_stopped(struct parent *p, enum role r);
void lifecycle_on_gone(struct parent *p, enum role r);
void lifecycle_on_reload_done(struct parent *p, int status);
void lifecycle_on_inst_event(struct parent *p, struct config *c, const struct msg_inst_event *e);

#endif
