/*
 * reload_int.h - the reload under way, shared by the files that do it: reload.c (the way from the reading to
 * the last room's answer) and reload_trial.c (a reload that is taken back unless somebody confirms it).
 * Nobody else looks inside.
 */
#ifndef HOLDFAST_PARENT_RELOAD_INT_H
#define HOLDFAST_PARENT_RELOAD_INT_H

#include "parent/parent.h"
#include "parent/reload.h"

#define RELOAD_FAILED   1
#define RELOAD_REJECTED 5 /* as a configuration test with errors */

enum reload_stage {
    RELOAD_IDLE,
    RELOAD_READING,
    RELOAD_PREPARING,
    RELOAD_LEAVING,    /* rooms the new configuration does not need wind down */
    RELOAD_COMMITTING, /* one room after the other */
    RELOAD_ARRIVING,   /* rooms the new configuration needs begin */
};

struct reload {
    struct parent *p;
    enum reload_stage stage;
    struct conf_run *run;
    struct config *next, *old;
    bool takes_part[ROLE_MAX], waiting[ROLE_MAX];
    size_t turn; /* in reload_order */
    uint32_t generation;
    struct ev_timer limit;
    struct reload_report last;
    char *text;
    struct plan *plan;          /* nothing is to be done, only said; NULL: a real one */
    uint32_t planner;           /* the client who wants to know */
    bool back;                  /* to the configuration before a trial */
    bool again;                 /* the second try: a room died in the first */
    uint64_t trial_next, trial; /* ns: the next, the present reload is on trial; 0: for good */
    struct config *kept;        /* what a trial that is not confirmed goes back to */
    uint64_t kept_for;
    struct ev_timer patience;
    int former; /* ipvsd's slice before the last commit, -1: none; see reload_former */
    struct ev_timer forget;
};

void reload_next_generation(struct reload *r);
void reload_prepare(struct reload *r); /* r->next, in every room */
void reload_set_text(struct reload *r, const char *text, size_t len);
/* The text says why in one line; diagnostics, if any, are in r->text already. */
void reload_refuse(struct reload *r, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- reload_trial.c */
void reload_keep(struct reload *r, int status); /* at the end of every reload */
void reload_on_patience(struct ev_timer *t, uint64_t now, void *arg);

#endif
