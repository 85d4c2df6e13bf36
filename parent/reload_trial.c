/*
 * reload_trial.c - see reload.h, reload_int.h: a reload on trial. The configuration before it is kept, and is
 * made a generation of its own when nobody confirms the new one in time. Called by reload.c and
 * control_serve.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/operator.h"
#include "parent/reload_int.h"

#define RELOAD_TRIAL_AGAIN NS_PER_SEC

/* The old configuration waits for its return, or is history. */
void reload_keep(struct reload *r, int status)
{
    if (status == 0 && r->trial > 0 && r->old != NULL) {
        r->kept = r->old;
        r->old = NULL;
        r->kept_for = r->trial;
        ev_timer_in(r->p->ev, &r->patience, r->trial);
        log_notice("it is taken back in %llu s unless it is confirmed (holdctl confirm)",
                   (unsigned long long)(r->trial / NS_PER_SEC));
    } else if (r->back && status == RELOAD_FAILED) { /* a room died in the middle of it */
        ev_timer_in(r->p->ev, &r->patience, RELOAD_TRIAL_AGAIN);
    } else if (r->back) {
        config_free(r->kept);
        r->kept = NULL;
    }
    r->last.rolled_back = r->back && status == 0;
    r->trial = 0;
    r->back = false;
    if (status == 0 && r->kept == NULL)
        operator_reloaded(r->p->operator);
}

int reload_on_trial(struct reload *r, uint64_t ns)
{
    if (r->kept != NULL || r->trial_next > 0)
        return -1;
    r->trial_next = ns;
    return 0;
}

int reload_confirm(struct reload *r)
{
    if (r->kept == NULL || r->back)
        return -1;
    ev_timer_stop(r->p->ev, &r->patience);
    config_free(r->kept);
    r->kept = NULL;
    log_notice("generation %u is confirmed: it stays", r->p->cur->generation);
    operator_reloaded(r->p->operator);
    return 0;
}

/* The slices we kept, as a generation of their own. NULL with e. */
static struct config *reload_kept_again(const struct reload *r, struct err *e)
{
    static const enum role order[4] = { ROLE_PARENT, ROLE_VRRPD, ROLE_CHECKD, ROLE_IPVSD };
    int fds[4];
    for (size_t i = 0; i < 4; i++) {
        fds[i] = slice_again(r->kept->fd[order[i]], r->generation);
        if (fds[i] >= 0)
            continue;
        err_set(e, "HF-INTERNAL", "", "%s", strerror(errno));
        while (i-- > 0)
            close(fds[i]);
        return NULL;
    }
    struct config *c = config_new(r->generation, fds, e);
    if (c != NULL) {
        c->errors = r->kept->errors;
        c->warnings = r->kept->warnings;
    }
    return c;
}

void reload_on_patience(struct ev_timer *t, uint64_t now, void *arg)
{
    struct reload *r = arg;
    struct parent *p = r->p;
    struct err e = { 0 };
    char text[160];
    if (p->phase == PARENT_PHASE_STOPPING || r->kept == NULL)
        return;
    if (r->stage != RELOAD_IDLE || !supervise_all_started(p)) {
        ev_timer_at(p->ev, t, now + RELOAD_TRIAL_AGAIN);
        return;
    }
    snprintf(text, sizeof text, "the reload of generation %u was not confirmed within %llu s: taken back\n",
             p->cur->generation, (unsigned long long)(r->kept_for / NS_PER_SEC));
    reload_next_generation(r);
    r->back = true;
    sdnotify_reloading(&p->sd);
    reload_set_text(r, text, strlen(text));
    log_warn("%.*s; %s still holds what was taken back", (int)strlen(text) - 1, text, p->config_file);
    r->next = reload_kept_again(r, &e);
    if (r->next == NULL)
        reload_refuse(r, RELOAD_FAILED, "the former configuration cannot be used again: %s", e.text);
    else
        reload_prepare(r);
}
