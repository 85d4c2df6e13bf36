/*
 * show.h - what the commands that show something share: fetching, the one screen, the exit. Used by
 * cmd_show.c, cmd_daemon.c, cmd_cause.c, cmd_events.c and cmd_watch.c.
 */
#ifndef HOLDFAST_CTL_SHOW_H
#define HOLDFAST_CTL_SHOW_H

#include "parent/ctl/ctl.h"
#include "parent/ctl/doc.h"
#include "parent/ctl/out.h"

/* Each: 0, or an exit status (said on stderr); the answer is added to d. */
int show_status(struct ctl *c, struct doc *d, const char *name);
int show_report(struct ctl *c, struct doc *d, enum role r, enum report_what what, uint32_t obj,
                uint32_t generation);
/* The whole of `holdctl status`: the parent's view, and whom vrrpd hears. */
int show_fetch(struct ctl *c, struct doc *d);
void show_screen(const struct doc *d, const struct out *o);

/* What is called so: its ids in one generation. -1: nothing is (said on stderr). */
struct show_found {
    uint32_t generation;
    uint32_t instance, group, service; /* 0: none */
    const char *server;                /* its name, "": none */
};
int show_find(const struct doc *status, const char *name, struct show_found *out);

/* Out with it as JSON; the kinds in also are there even when empty. Returns CTL_OK. */
int show_json(const struct doc *d, const char *command, const char *const *also);
/* Only parts of these kinds stay. */
void show_keep(struct doc *d, const char *const *kinds);

/* --json may stand behind the command as well; it is taken out. */
void show_options(struct ctl *c, int *argc, char **argv);

#endif
