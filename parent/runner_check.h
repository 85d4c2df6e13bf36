/*
 * runner_check.h - scripts that children ask for by the id of an object (run, run_cancel) and whose end they
 * are told (ran): MISC_CHECK for checkd, vrrp_script for vrrpd. One at a time for an object, a bounded number
 * altogether; what must wait waits in the order asked. Called by hear.c, reload.c, script_life.c,
 * mourn.c.
 */
#ifndef HOLDFAST_PARENT_RUNNER_CHECK_H
#define HOLDFAST_PARENT_RUNNER_CHECK_H

#include <stdint.h>

#include "common/proto.h"
#include "common/role.h"

struct parent;
struct checks;
struct config;

struct checks *checks_new(struct parent *p);
void checks_free(struct checks *c);
/* c: the configuration the message speaks of. -1: a child that keeps to the rules does not say this. */
int checks_run(struct checks *c, enum role who, struct config *cf, const struct msg_run *m);
int checks_cancel(struct checks *c, enum role who, struct config *cf, const struct msg_run_cancel *m);
/* The role speaks of another configuration from now on: what runs keeps running under its new id, and is
 * forgotten where the new one does not have it. */
void checks_renumber(struct checks *c, enum role who, struct config *now);
void checks_drop(struct checks *c, enum role who); /* the asker is gone, or the daemon stops */

#endif
