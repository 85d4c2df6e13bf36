/*
 * reload.h - a new configuration in two phases: read and check aside, every room prepares, then all commit;
 * or nothing has changed. One reload at a time; a second request is remembered by lifecycle.c.
 */
#ifndef HOLDFAST_PARENT_RELOAD_H
#define HOLDFAST_PARENT_RELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/role.h"

struct config;
struct parent;
struct reload;

struct reload_report {
    unsigned int count;  /* reloads tried so far */
    int status;          /* of the last: 0 in force, else what -t would say, or 1 */
    uint32_t generation; /* that was tried */
    uint64_t at;         /* CLOCK_REALTIME ns */
    const char *text;    /* diagnostics and reason */
    size_t len;
    bool rolled_back;      /* the last was one nobody confirmed, taken back */
    uint64_t confirm_left; /* ns; 0: no reload waits to be confirmed */
};

struct reload *reload_new(struct parent *p);
void reload_free(struct reload *r);
int reload_begin(struct reload *r); /* -1: one is running */
bool reload_busy(const struct reload *r);
bool reload_preparing(const struct reload *r); /* who becomes ready now must wait for the outcome */
void reload_cancel(struct reload *r);          /* the daemon stops */
/* The next reload is on trial: taken back by itself after that long, unless it is confirmed. -1: one is. */
int reload_on_trial(struct reload *r, uint64_t ns);
int reload_confirm(struct reload *r); /* -1: nothing waits for it */
/* What a reload would do, none of it done; control_answer(client) says it. -1: one is running. */
int reload_plan(struct reload *r, uint32_t client);
/* The configuration of this generation: the one in force, or while a reload commits the one before. NULL:
 * neither. */
struct config *reload_config_of(const struct reload *r, uint32_t generation);
/* A duplicate of the slice ipvsd had before a reload that is under way or hardly over: should it die about
 * it, its successor finds with this what is to go. -1 errno; ENOENT: none. */
int reload_former(const struct reload *r);
void reload_report(const struct reload *r, struct reload_report *out);

/* From hear.c and lifecycle.c. -1: not allowed now. */
int reload_on_prepared(struct reload *r, enum role who, uint32_t generation);
int reload_on_reject(struct reload *r, enum role who, uint32_t generation, const char *reason);
int reload_on_committed(struct reload *r, enum role who, uint32_t generation);
void reload_on_death(struct reload *r, enum role who);
void reload_on_gone(struct reload *r, enum role who);
void reload_on_started(struct reload *r);

#endif
