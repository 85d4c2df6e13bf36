/*
 * reload.c - see reload.h. Up to the first commit everything can be taken back: the old configuration is in
 * force and a room that dies is started with it. From the first commit on the way is only forward: a room
 * that dies is started with the new one.
 */
#include "parent/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/check_log.h"
#include "parent/conf_run.h"
#include "parent/control.h"
#include "parent/lifecycle.h"
#include "parent/notify.h"
#include "parent/operator.h"
#include "parent/parent.h"
#include "parent/plan.h"
#include "parent/reload_int.h"
#include "parent/runner_check.h"
#include "parent/script_life.h"
#include "parent/trackfile.h"
#include "parent/vital.h"

#define RELOAD_PREPARE_LIMIT (30 * NS_PER_SEC)
#define RELOAD_FORGET        (10 * NS_PER_SEC) /* ipvsd has long finished what a commit leaves to do */

static const enum role reload_order[] = { ROLE_IPVSD, ROLE_VRRPD, ROLE_CHECKD };
#define RELOAD_ROLES (sizeof reload_order / sizeof reload_order[0])

static void reload_on_limit(struct ev_timer *t, uint64_t now, void *arg);

static void reload_forget(struct reload *r)
{
    ev_timer_stop(r->p->ev, &r->forget);
    if (r->former >= 0)
        close(r->former);
    r->former = -1;
}

static void reload_on_forget(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    reload_forget(arg);
}

int reload_former(const struct reload *r)
{
    if (r != NULL && r->former >= 0)
        return fcntl(r->former, F_DUPFD_CLOEXEC, 3);
    errno = ENOENT;
    return -1;
}

struct reload *reload_new(struct parent *p)
{
    struct reload *r = xcalloc(1, sizeof *r);
    r->p = p;
    ev_timer_init(&r->limit, reload_on_limit, r);
    ev_timer_init(&r->patience, reload_on_patience, r);
    ev_timer_init(&r->forget, reload_on_forget, r);
    r->former = -1;
    return r;
}

void reload_free(struct reload *r)
{
    if (r == NULL)
        return;
    reload_cancel(r);
    reload_forget(r);
    config_free(r->next);
    config_free(r->old);
    config_free(r->kept);
    plan_free(r->plan);
    free(r->text);
    free(r);
}

bool reload_busy(const struct reload *r)
{
    return r != NULL && r->stage != RELOAD_IDLE;
}

bool reload_preparing(const struct reload *r)
{
    return r != NULL && (r->stage == RELOAD_PREPARING || r->stage == RELOAD_LEAVING);
}

struct config *reload_config_of(const struct reload *r, uint32_t generation)
{
    struct config *cur = r->p->cur;
    if (cur != NULL && cur->generation == generation)
        return cur;
    return r->old != NULL && r->old->generation == generation ? r->old : NULL;
}

void reload_report(const struct reload *r, struct reload_report *out)
{
    uint64_t now = clock_monotonic_ns();
    *out = r->last;
    if (r->kept != NULL && ev_timer_armed(&r->patience))
        out->confirm_left = r->patience.deadline > now ? r->patience.deadline - now : 1;
}

void reload_cancel(struct reload *r)
{
    conf_run_cancel(r->run);
    r->run = NULL;
    ev_timer_stop(r->p->ev, &r->limit);
    ev_timer_stop(r->p->ev, &r->patience);
    r->stage = RELOAD_IDLE;
}

/* ---- the outcome
 * ------------------------------------------------------------------------------------------------- */

void reload_set_text(struct reload *r, const char *text, size_t len)
{
    if (r->plan != NULL) {
        plan_diagnosis(r->plan, text, len);
        return;
    }
    free(r->text);
    r->text = xmalloc(len + 1);
    memcpy(r->text, text, len);
    r->text[len] = '\0';
    r->last.text = r->text;
    r->last.len = len;
}

/* Nothing was done and nothing has changed. */
static void reload_plan_finish(struct reload *r, int status)
{
    struct parent *p = r->p;
    struct plan *plan = r->plan;
    r->stage = RELOAD_IDLE;
    r->plan = NULL;
    ev_timer_stop(p->ev, &r->limit);
    config_free(r->next);
    r->next = NULL;
    size_t len;
    char *text = plan_end(plan, &len);
    control_answer(p->control, r->planner, status, text, len);
    free(text);
    supervise_begin(p);
    if (p->hup_waiting)
        lifecycle_reload(p);
}

static void reload_finish(struct reload *r, int status)
{
    if (r->plan != NULL) {
        reload_plan_finish(r, status);
        return;
    }
    r->stage = RELOAD_IDLE;
    r->again = false;
    r->last.status = status;
    r->last.generation = r->generation;
    r->last.at = clock_realtime_ns();
    r->last.count++;
    ev_timer_stop(r->p->ev, &r->limit);
    if (status == 0 && r->old != NULL)
        notify_reloaded(r->p, r->old, r->p->cur);
    reload_keep(r, status);
    if (r->former >= 0)
        ev_timer_in(r->p->ev, &r->forget, RELOAD_FORGET);
    config_free(r->next);
    config_free(r->old);
    r->next = r->old = NULL;
    lifecycle_on_reload_done(r->p, status);
}

void reload_refuse(struct reload *r, int status, const char *fmt, ...)
{
    char why[400], *all;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (r->plan != NULL) {
        plan_refused(r->plan, why);
        reload_finish(r, status);
        return;
    }
    log_err("reload refused: %s; the old configuration stays in force", why);
    int n = asprintf(&all, "%s%s\n", r->text != NULL ? r->text : "", why);
    if (n < 0)
        fatal("out of memory");
    reload_set_text(r, all, (size_t)n);
    free(all);
    reload_finish(r, status);
}

static void reload_abort(struct reload *r)
{
    struct msg_abort a = { .generation = r->generation };
    for (size_t i = 0; i < RELOAD_ROLES; i++) {
        struct room *m = &r->p->room[reload_order[i]];
        if (r->takes_part[m->role] && m->state == ROOM_STARTED && chan_alive(m->ch))
            chan_send(m->ch, MSG_abort, &a, NULL, 0);
        r->waiting[m->role] = r->takes_part[m->role] = false;
    }
}

static void reload_on_limit(struct ev_timer *t, uint64_t now, void *arg)
{
    struct reload *r = arg;
    (void)t;
    (void)now;
    if (r->stage != RELOAD_PREPARING)
        return;
    for (size_t i = 0; i < RELOAD_ROLES; i++)
        if (r->waiting[reload_order[i]])
            supervise_kill(&r->p->room[reload_order[i]],
                           "it did not answer whether it can use a new configuration");
}

/* ---- forward
 * ------------------------------------------------------------------------------------------------------- */

static bool reload_wanted(const struct reload *r, enum role who)
{
    return lifecycle_needs(r->p, r->next != NULL ? r->next : r->p->cur, who);
}

static void reload_arrive(struct reload *r)
{
    struct parent *p = r->p;
    r->stage = RELOAD_ARRIVING;
    lifecycle_fit_rooms(p);
    supervise_begin(p);
    reload_on_started(r);
}

static void reload_commit_next(struct reload *r)
{
    struct msg_commit c = { .generation = r->generation };
    for (; r->turn < RELOAD_ROLES; r->turn++) {
        struct room *m = &r->p->room[reload_order[r->turn]];
        if (!r->takes_part[m->role] || m->state != ROOM_STARTED || !chan_alive(m->ch))
            continue;
        snapshots_forget_before(m->snaps, r->old->generation);
        chan_set_generation(m->ch, r->generation);
        chan_send(m->ch, MSG_commit, &c, NULL, 0);
        operator_tell(r->p->operator, m->role, false);
        chan_flush(m->ch);
        r->waiting[m->role] = true;
        return;
    }
    reload_arrive(r);
}

/* The point of no return. */
static void reload_commit(struct reload *r)
{
    struct parent *p = r->p;
    r->stage = RELOAD_COMMITTING;
    r->turn = 0;
    config_carry_states(r->next, p->cur);
    reload_forget(r);
    r->former = config_dup_slice(p->cur, ROLE_IPVSD); /* -1: what a crash now leaves stays */
    r->old = p->cur;
    p->cur = r->next;
    vital_retime(p);
    r->next = NULL;
    ev_timer_stop(p->ev, &r->limit);
    script_life_load(p, false);
    reload_commit_next(r);
}

/* Rooms that are not needed any more go before the others change: vrrpd resigns through ipvsd under the old
 * ids. */
static void reload_leave(struct reload *r)
{
    struct parent *p = r->p;
    bool waiting = false;
    r->stage = RELOAD_LEAVING;
    for (size_t i = 0; i < RELOAD_ROLES; i++) {
        struct room *m = &p->room[reload_order[i]];
        if (m->role == ROLE_IPVSD || m->state == ROOM_OFF || reload_wanted(r, m->role))
            continue;
        r->takes_part[m->role] = false;
        supervise_stop(p, m->role, STOP_WHY_RELOAD_REMOVED, lifecycle_child_wait(p));
        waiting = waiting || m->state != ROOM_OFF;
    }
    if (!waiting)
        reload_commit(r);
}

static bool reload_all_answered(const struct reload *r)
{
    for (size_t i = 0; i < RELOAD_ROLES; i++)
        if (r->waiting[reload_order[i]])
            return false;
    return true;
}

/* All have said what they would do. */
static void reload_planned(struct reload *r)
{
    for (size_t i = 0; i < RELOAD_ROLES; i++)
        plan_gather(r->plan, &r->p->room[reload_order[i]], r->takes_part[reload_order[i]],
                    reload_wanted(r, reload_order[i]));
    reload_abort(r);
    reload_finish(r, 0);
}

static void reload_prepared(struct reload *r)
{
    if (r->plan != NULL)
        reload_planned(r);
    else
        reload_leave(r);
}

/* fds: what the message carries. How many; -1 errno. */
static int reload_prepare_fds(struct reload *r, enum role who, int fds[2])
{
    fds[0] = config_dup_slice(r->next, who);
    if (fds[0] < 0 || r->plan == NULL)
        return fds[0] < 0 ? -1 : 1;
    fds[1] = plan_fd(r->plan, who);
    if (fds[1] >= 0)
        return 2;
    int saved = errno;
    close(fds[0]);
    errno = saved;
    return -1;
}

void reload_prepare(struct reload *r)
{
    struct msg_prepare m = { .generation = r->generation, .plan = r->plan != NULL };
    r->stage = RELOAD_PREPARING;
    for (size_t i = 0; i < RELOAD_ROLES; i++) {
        struct room *room = &r->p->room[reload_order[i]];
        bool in = room->state == ROOM_STARTED && chan_alive(room->ch) && reload_wanted(r, room->role);
        r->takes_part[room->role] = r->waiting[room->role] = in;
        if (!in)
            continue;
        int fds[2], n = reload_prepare_fds(r, room->role, fds);
        if (n < 0) {
            reload_abort(r);
            reload_refuse(r, RELOAD_FAILED, "no descriptor left: %s", strerror(errno));
            return;
        }
        chan_send(room->ch, MSG_prepare, &m, fds, (unsigned int)n);
        chan_flush(room->ch);
    }
    ev_timer_in(r->p->ev, &r->limit, RELOAD_PREPARE_LIMIT);
    if (reload_all_answered(r))
        reload_prepared(r);
}

static void reload_on_conf(void *arg, const struct conf_result *res)
{
    struct reload *r = arg;
    r->run = NULL;
    reload_set_text(r, res->text, res->len);
    if (r->plan == NULL) {
        conf_log_text(res->text, res->len, res->config == NULL);
        check_log_write(r->p->cur, res->text, res->len);
    }
    if (res->config == NULL) {
        reload_refuse(r, res->status, "the new configuration has errors (holdfast -t shows them)");
        return;
    }
    r->next = res->config;
    const char *frozen = config_frozen_change(r->p->cur, r->next);
    if (frozen != NULL) {
        reload_refuse(r, RELOAD_REJECTED, "%s cannot be changed by a reload; restart the daemon", frozen);
        return;
    }
    reload_prepare(r);
}

void reload_next_generation(struct reload *r)
{
    uint32_t cur = r->p->cur->generation;
    r->stage = RELOAD_READING;
    r->generation = cur + 1 > r->generation ? cur + 1 : r->generation + 1;
    reload_set_text(r, "", 0);
}

int reload_begin(struct reload *r)
{
    struct parent *p = r->p;
    if (r->stage != RELOAD_IDLE)
        return -1;
    reload_next_generation(r);
    r->trial = r->trial_next;
    r->trial_next = 0;
    sdnotify_reloading(&p->sd);
    log_notice("reloading %s", p->config_file);
    if (r->kept != NULL)
        reload_refuse(
            r, RELOAD_FAILED,
            "the last reload waits to be confirmed: holdctl confirm, or wait until it is taken back");
    else if (conf_run_start(&r->run, p, r->generation, reload_on_conf, r) < 0)
        reload_refuse(r, RELOAD_FAILED, "holdfast-conf cannot be started: %s", strerror(errno));
    return 0;
}

/* ---- answers
 * -------------------------------------------------------------------------------------------------------- */

/* Its answer crossed our abort; the next reload may have begun since. */
static bool reload_answer_late(const struct reload *r, uint32_t generation)
{
    return generation < r->generation || (generation == r->generation && r->stage != RELOAD_PREPARING);
}

int reload_on_prepared(struct reload *r, enum role who, uint32_t generation)
{
    if (reload_answer_late(r, generation))
        return 0;
    if (generation != r->generation || !r->waiting[who])
        return -1;
    r->waiting[who] = false;
    if (reload_all_answered(r))
        reload_prepared(r);
    return 0;
}

int reload_on_reject(struct reload *r, enum role who, uint32_t generation, const char *reason)
{
    if (reload_answer_late(r, generation))
        return 0;
    if (generation != r->generation || !r->waiting[who])
        return -1;
    reload_abort(r);
    reload_refuse(r, RELOAD_REJECTED, "%s cannot use it: %s", role_name(who), reason);
    supervise_begin(r->p);
    return 0;
}

int reload_on_committed(struct reload *r, enum role who, uint32_t generation)
{
    if (r->stage != RELOAD_COMMITTING || generation != r->generation || !r->waiting[who])
        return -1;
    r->waiting[who] = false;
    checks_renumber(r->p->checks, who, r->p->cur);
    trackfiles_tell(r->p->tracks, who);
    r->turn++;
    reload_commit_next(r);
    return 0;
}

/* A death may be none of the new configuration's doing: once, the file is read again when a successor works.
 * A second death is, so far as anybody can tell. */
static void reload_put_off(struct reload *r, enum role who)
{
    log_warn(
        "%s died while it prepared the new configuration, which will be read again when its successor works",
        role_name(who));
    ev_timer_stop(r->p->ev, &r->limit);
    config_free(r->next);
    r->next = NULL;
    r->stage = RELOAD_IDLE;
    r->again = true;
    r->trial_next = r->trial;
    r->p->hup_waiting = true; /* lifecycle_on_started() */
}

void reload_on_death(struct reload *r, enum role who)
{
    if (r->stage == RELOAD_PREPARING && r->takes_part[who]) {
        r->takes_part[who] = false;
        reload_abort(r);
        if (r->plan == NULL && !r->back && !r->again)
            reload_put_off(r, who);
        else
            reload_refuse(r, RELOAD_FAILED, "%s died while it prepared the new configuration: reload again",
                          role_name(who));
        supervise_begin(r->p);
    } else if (r->stage == RELOAD_COMMITTING && r->waiting[who]) {
        r->waiting[who] = false; /* its successor begins with the new configuration */
        r->turn++;
        reload_commit_next(r);
    }
}

void reload_on_gone(struct reload *r, enum role who)
{
    (void)who;
    if (r->stage != RELOAD_LEAVING)
        return;
    for (size_t i = 0; i < RELOAD_ROLES; i++) {
        const struct room *m = &r->p->room[reload_order[i]];
        if (m->role != ROLE_IPVSD && m->state != ROOM_OFF && !reload_wanted(r, m->role))
            return;
    }
    reload_commit(r);
}

void reload_on_started(struct reload *r)
{
    if (r->stage != RELOAD_ARRIVING || !supervise_all_started(r->p))
        return;
    log_notice("%s: generation %u is in force",
               r->back ? "rolled back to the configuration before the reload nobody confirmed"
                       : "reload complete",
               r->generation);
    reload_finish(r, 0);
}

/* ---- plan
 * --------------------------------------------------------------------------------------------------- */

int reload_plan(struct reload *r, uint32_t client)
{
    struct parent *p = r->p;
    if (r->stage != RELOAD_IDLE)
        return -1;
    r->planner = client;
    r->plan = plan_new();
    reload_next_generation(r);
    if (conf_run_start(&r->run, p, r->generation, reload_on_conf, r) < 0)
        reload_refuse(r, RELOAD_FAILED, "holdfast-conf cannot be started: %s", strerror(errno));
    return 0;
}
