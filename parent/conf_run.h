/*
 * conf_run.h - one run of holdfast-conf from the event loop: its diagnostics, its slices, its exit status.
 * The process reads hostile text in a jail of its own; we take from it sealed memfds (checked by slice_open)
 * and text for the log. Called by lifecycle.c at start and by reload.c; conf_test (-t) by main.c.
 */
#ifndef HOLDFAST_PARENT_CONF_RUN_H
#define HOLDFAST_PARENT_CONF_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "parent/config.h"
#include "parent/options.h"

struct parent;
struct conf_run;

struct conf_result {
    struct config *config; /* the handler's from now on; NULL: refused */
    int status;            /* exit status for the daemon or holdctl when refused */
    const char *text;      /* diagnostics, lines */
    size_t len;
};

typedef void conf_done_fn(void *arg, const struct conf_result *r);

/* done is called once, from the loop; the run frees itself. -1 errno. */
int conf_run_start(struct conf_run **out, struct parent *p, uint32_t generation, conf_done_fn *done,
                   void *arg);
void conf_run_cancel(struct conf_run *c);
/* Lines of text to the log, bounded. */
void conf_log_text(const char *text, size_t len, int is_error);

/* -t: becomes holdfast-conf. Returns the exit status when that failed. */
int conf_test(const char *libexec, const struct options *o);

#endif
