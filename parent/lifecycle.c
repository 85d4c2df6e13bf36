/*
 * lifecycle.c - see lifecycle.h. Until every needed room has started, nothing outside has been told that we
 * exist: an error in the configuration ends the daemon with the status of the configuration test and the
 * world unchanged.
 */
#include "parent/lifecycle.h"

#include <errno.h>
#include <malloc.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/jail.h"
#include "common/loader.h"
#include "common/log.h"
#include "parent/conf_run.h"
#include "parent/control.h"
#include "parent/dump.h"
#include "parent/events.h"
#include "parent/logsink.h"
#include "parent/netns.h"
#include "parent/news.h"
#include "parent/notify.h"
#include "parent/operator.h"
#include "parent/parent.h"
#include "parent/reload.h"
#include "parent/script_life.h"
#include "parent/status.h"
#include "parent/timed.h"
#include "parent/trackfile.h"

#define LIFECYCLE_CHILD_WAIT    (5 * NS_PER_SEC)
#define LIFECYCLE_TELL          (100 * NS_PER_MS)
#define LIFECYCLE_HURRY         (100 * NS_PER_MS)
#define LIFECYCLE_STOP_PATIENCE (5 * NS_PER_SEC)
#define LIFECYCLE_RUN           "/run"
#define LIFECYCLE_RUNDIR        "/run/holdfast"
#define LIFECYCLE_NO_FILE       1

static const enum role lifecycle_rooms[] = { ROLE_VRRPD, ROLE_IPVSD, ROLE_CHECKD };
#define LIFECYCLE_ROOMS (sizeof lifecycle_rooms / sizeof lifecycle_rooms[0])

uint64_t lifecycle_child_wait(const struct parent *p)
{
    return config_top_ns(p->cur, KW_TOP_CHILD_WAIT_TIME, LIFECYCLE_CHILD_WAIT);
}

bool lifecycle_needs(const struct parent *p, const struct config *c, enum role r)
{
    const struct options *o = &p->opt;
    bool vrrp = options_want_vrrp(o) && (o->all_children || config_needs(c, ROLE_VRRPD));
    bool check = options_want_check(o) && (o->all_children || config_needs(c, ROLE_CHECKD));
    if (r == ROLE_VRRPD)
        return vrrp;
    if (r == ROLE_CHECKD)
        return check;
    return r == ROLE_IPVSD && (vrrp || check || (options_want_vrrp(o) && config_needs(c, ROLE_IPVSD)));
}

static void lifecycle_on_tell(struct ev_timer *t, uint64_t now, void *arg)
{
    struct parent *p = arg;
    char line[300];
    (void)t;
    (void)now;
    if (p->sd.fd < 0 || p->phase != PARENT_PHASE_RUNNING)
        return;
    status_line(p, line, sizeof line);
    sdnotify_send(&p->sd, "STATUS=%s", line);
}

/* Many instances change at once: one line says it. */
static void lifecycle_tell_status(struct parent *p)
{
    if (p->sd.fd >= 0 && !ev_timer_armed(&p->tell))
        ev_timer_in(p->ev, &p->tell, LIFECYCLE_TELL);
}

/* ---- start
 * ---------------------------------------------------------------------------------------------------------
 */

static void lifecycle_log_summary(const struct parent *p)
{
    const struct config *c = p->cur;
    log_info("configuration %s, generation %u: %zu VRRP instances, %llu virtual services, %llu real servers, "
             "%u warnings",
             p->config_file, c->generation, c->ninst,
             (unsigned long long)config_top_uint(c, KW_TOP_X_SERVICES, 0),
             (unsigned long long)config_top_uint(c, KW_TOP_X_REAL_SERVERS, 0), c->warnings);
    if (!p->opt.dump_conf)
        return;
    for (size_t i = 0; i < c->ninst; i++)
        log_info("instance %s: interface %s, virtual_router_id %u, priority %u", c->inst[i].name,
                 c->inst[i].iface, c->inst[i].vrid, c->inst[i].base_priority);
}

static int lifecycle_mkdir(const char *path)
{
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

/* Names of pid files and socket are known now. 0 go on; 1 another daemon runs; -1 logged. */
static int lifecycle_claim(struct parent *p)
{
    const char *netns = p->opt.netns != NULL ? p->opt.netns : config_top_str(p->cur, KW_TOP_NET_NAMESPACE);
    struct pidfile_place at = { .rundir = LIFECYCLE_RUN,
                                .instance = config_top_str(p->cur, KW_TOP_INSTANCE),
                                .netns = netns != NULL ? netns_short_name(netns) : NULL,
                                .use_pid_dir = config_top_bool(p->cur, KW_TOP_USE_PID_DIR),
                                .given_parent = p->opt.pid_file,
                                .given_vrrp = p->opt.vrrp_pid_file,
                                .given_check = p->opt.check_pid_file,
                                .given_bfd = p->opt.bfd_pid_file };
    char suffix[64];
    snprintf(p->rundir, sizeof p->rundir, "%s%s%s", LIFECYCLE_RUNDIR, at.netns != NULL ? "/" : "",
             at.netns != NULL ? at.netns : "");
    snprintf(suffix, sizeof suffix, "%s%s%s%s", at.netns != NULL ? "_" : "", at.netns != NULL ? at.netns : "",
             at.instance != NULL ? "_" : "", at.instance != NULL ? at.instance : "");
    logsink_set_suffix(p->log, suffix);
    if (lifecycle_mkdir(LIFECYCLE_RUNDIR) < 0 || lifecycle_mkdir(p->rundir) < 0)
        log_warn("%s cannot be made: %s", p->rundir, strerror(errno));
    if (at.instance != NULL) {
        size_t n = strlen(p->rundir);
        snprintf(p->rundir + n, sizeof p->rundir - n, "/%s", at.instance);
        if (lifecycle_mkdir(p->rundir) < 0)
            log_warn("%s cannot be made: %s", p->rundir, strerror(errno));
    }
    pidfile_places(&p->pids, &at);
    int rc = pidfile_lock(&p->pids);
    if (rc < 0)
        log_err("pid file %s: %s", p->pids.parent, strerror(errno));
    else if (rc > 0)
        log_notice("holdfast is already running: %s is locked", p->pids.parent);
    return rc;
}

/* The children so far were started in our namespace: those that will run are started again in the right one.
 */
static int lifecycle_enter_netns(struct parent *p)
{
    const char *name = config_top_str(p->cur, KW_TOP_NET_NAMESPACE);
    if (name == NULL || p->opt.netns != NULL)
        return 0;
    if (netns_enter(name) < 0) {
        log_err("network namespace %s cannot be entered: %s", name, strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < LIFECYCLE_ROOMS; i++)
        supervise_drop(p, lifecycle_rooms[i]);
    return 0;
}

/* checkd lives there; ipvsd lives here, where VRRP is, and keeps a door to it. Both are born with it. */
static int lifecycle_open_netns_ipvs(struct parent *p)
{
    const char *name = config_top_str(p->cur, KW_TOP_NET_NAMESPACE_IPVS);
    if (name == NULL)
        return 0;
    p->netns_ipvs = netns_open(name);
    if (p->netns_ipvs < 0) {
        log_err("net_namespace_ipvs: the network namespace %s cannot be opened: %s; ip netns add makes one",
                name[0] != '\0' ? name : "of PID 1", strerror(errno));
        return -1;
    }
    p->has_netns_ipvs = true;
    supervise_drop(p, ROLE_IPVSD);
    supervise_drop(p, ROLE_CHECKD);
    return 0;
}

void lifecycle_fit_rooms(struct parent *p)
{
    bool any = false;
    for (size_t i = 0; i < LIFECYCLE_ROOMS; i++) {
        struct room *m = &p->room[lifecycle_rooms[i]];
        bool need = lifecycle_needs(p, p->cur, m->role);
        any = any || need;
        if (!need && m->state != ROOM_OFF && m->wanted) {
            if (m->told_start)
                supervise_stop(p, m->role, STOP_WHY_RELOAD_REMOVED, lifecycle_child_wait(p));
            else
                supervise_drop(p, m->role);
        }
        if (!need || m->state != ROOM_OFF) {
            m->wanted = need; /* a dropped one that is needed after all is started again when it is gone */
            continue;
        }
        if (supervise_spawn(p, m->role) < 0)
            log_err("%s cannot be started: %s", role_binary(m->role), strerror(errno));
        else
            lifecycle_on_spawned(p, m->role);
    }
    if (!any)
        log_warn("the configuration names nothing to run: waiting for a reload");
}

static void lifecycle_check_started(struct parent *p);

static void lifecycle_go(struct parent *p)
{
    if (p->phase == PARENT_PHASE_STOPPING)
        return; /* while startup_script ran */
    script_life_load(p, true);
    prio_own(p);
    jail_parent(p->root_scripts);
    lifecycle_log_summary(p);
    operator_load(p->operator);
    p->control = control_new(p, p->rundir);
    if (p->control == NULL)
        log_warn("no control socket in %s: %s; holdctl will not reach this daemon", p->rundir,
                 strerror(errno));
    lifecycle_fit_rooms(p);
    for (size_t i = 0; i < LIFECYCLE_ROOMS; i++)
        if (p->room[lifecycle_rooms[i]].pid != 0)
            lifecycle_on_spawned(p, lifecycle_rooms[i]);
    supervise_begin(p);
    lifecycle_check_started(p);
}

static void lifecycle_on_conf(void *arg, const struct conf_result *r)
{
    struct parent *p = arg;
    p->conf = NULL;
    if (r->config == NULL && !p->opt.console && r->len > 0) { /* whoever started us still looks at stderr */
        ssize_t n = write(STDERR_FILENO, r->text, r->len);
        (void)n;
    }
    conf_log_text(r->text, r->len, r->config == NULL);
    if (r->config == NULL) {
        log_err("the configuration %s cannot be used: not started (status %d)", p->config_file, r->status);
        lifecycle_end(p, r->status);
        return;
    }
    p->cur = r->config;
    int rc = lifecycle_claim(p);
    if (rc != 0)
        lifecycle_end(p, rc > 0 ? 0 : LIFECYCLE_NO_FILE);
    else if (lifecycle_enter_netns(p) < 0 || lifecycle_open_netns_ipvs(p) < 0)
        lifecycle_end(p, 1);
    else
        script_life_startup(p, lifecycle_go);
}

int lifecycle_begin(struct parent *p)
{
    static const struct {
        enum role r;
        bool (*want)(const struct options *o);
    } early[] = { { ROLE_VRRPD, options_want_vrrp }, { ROLE_IPVSD, NULL } };
    ev_timer_init(&p->tell, lifecycle_on_tell, p);
    if (conf_run_start(&p->conf, p, 1, lifecycle_on_conf, p) < 0) {
        log_err("%s/%s cannot be started: %s", p->libexec, role_binary(ROLE_CONF), strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < sizeof early / sizeof early[0]; i++) {
        if (early[i].want != NULL && !early[i].want(&p->opt))
            continue;
        if (supervise_spawn(p, early[i].r) < 0) {
            log_err("%s/%s cannot be started: %s", p->libexec, role_binary(early[i].r), strerror(errno));
            return -1;
        }
    }
    return 0;
}

static void lifecycle_check_started(struct parent *p)
{
    if (p->phase != PARENT_PHASE_STARTING || p->cur == NULL || !supervise_all_started(p))
        return;
    p->phase = PARENT_PHASE_RUNNING;
    timed_end(p->timed, true);
    log_notice("startup complete after %llu ms",
               (unsigned long long)((clock_monotonic_ns() - p->began_ns) / NS_PER_MS));
    daemonise_release(&p->dm);
    sdnotify_ready(&p->sd);
    malloc_trim(0); /* what the start needed goes back */
    loader_rest();
    lifecycle_tell_status(p);
    if (p->stop_waiting)
        lifecycle_end(p, 0);
    else if (p->hup_waiting)
        lifecycle_reload(p);
}

/* ---- what happened to a room
 * ------------------------------------------------------------------------------------------ */

void lifecycle_on_spawned(struct parent *p, enum role r)
{
    if (p->pids.lock >= 0 && p->room[r].wanted && pidfile_child(&p->pids, r, p->room[r].pid) < 0)
        log_warn("pid file of %s cannot be written: %s", role_name(r), strerror(errno));
}

static void lifecycle_over(struct parent *p)
{
    ev_stop(p->ev, p->exit_status);
}

static void lifecycle_stop_step(struct parent *p)
{
    struct room *vrrpd = &p->room[ROLE_VRRPD];
    if (vrrpd->state == ROOM_STOPPING && !vrrpd->said_stopped)
        return;
    if (p->stop_again && supervise_begins(p, ROLE_IPVSD))
        return;
    supervise_stop(p, ROLE_CHECKD, STOP_WHY_SHUTDOWN, lifecycle_child_wait(p));
    supervise_stop(p, ROLE_IPVSD, STOP_WHY_SHUTDOWN, lifecycle_child_wait(p));
    if (supervise_all_off(p))
        script_life_wind_down(p, lifecycle_over);
}

void lifecycle_on_started(struct parent *p, enum role r)
{
    if (p->phase == PARENT_PHASE_STOPPING) {
        lifecycle_stop_step(p);
        return;
    }
    if (p->room[r].restarts > 0)
        log_notice("%s (pid %d) is back at work", role_name(r), (int)p->room[r].pid);
    prio_apply(&p->room[r]);
    trackfiles_tell(p->tracks, r);
    lifecycle_check_started(p);
    if (p->stop_waiting && p->phase == PARENT_PHASE_RUNNING && r == ROLE_IPVSD) {
        lifecycle_end(p, 0);
        return;
    }
    reload_on_started(p->reload);
    if (p->hup_waiting && p->phase == PARENT_PHASE_RUNNING && !reload_busy(p->reload))
        lifecycle_reload(p);
}

void lifecycle_on_stopped(struct parent *p, enum role r)
{
    (void)r;
    if (p->phase == PARENT_PHASE_STOPPING)
        lifecycle_stop_step(p);
}

/* ipvsd died of something else than us before it had taken out what is in the kernel: nobody else can, so a
 * successor is to, once. */
static bool lifecycle_stop_again(struct parent *p, const struct room *m)
{
    if (m->role != ROLE_IPVSD || !m->ever_started || m->said_stopped || m->why[0] != '\0' || p->stop_again ||
        p->hurried)
        return false;
    p->stop_again = supervise_spawn(p, ROLE_IPVSD) == 0;
    if (p->stop_again)
        log_notice("%s died before it had done its part of the stop: a successor does it",
                   role_name(m->role));
    return p->stop_again;
}

void lifecycle_on_gone(struct parent *p, enum role r)
{
    struct room *m = &p->room[r];
    dump_on_death(p->dumps, r);
    if (p->phase == PARENT_PHASE_STOPPING) {
        if (!lifecycle_stop_again(p, m))
            lifecycle_stop_step(p);
        return;
    }
    if (p->pids.lock >= 0)
        pidfile_child(&p->pids, r, 0);
    m->ever_started = false; /* whoever comes later is a first one */
    m->restarts = 0;
    snapshots_clear(m->snaps);
    reload_on_gone(p->reload, r);
    if (p->cur != NULL && m->state == ROOM_OFF && lifecycle_needs(p, p->cur, r) &&
        !reload_preparing(p->reload))
        lifecycle_fit_rooms(p);
}

void lifecycle_on_inst_event(struct parent *p, struct config *c, const struct msg_inst_event *e)
{
    notify_inst_event(p, c, e);
    news_instance(p, c, e);
    lifecycle_tell_status(p);
}

/* ---- reload
 * ------------------------------------------------------------------------------------------------------------
 */

static bool lifecycle_room_unsettled(const struct parent *p)
{
    for (size_t i = 0; i < LIFECYCLE_ROOMS; i++)
        if (p->room[lifecycle_rooms[i]].state == ROOM_TOLD)
            return true;
    return false;
}

void lifecycle_reload(struct parent *p)
{
    if (p->phase == PARENT_PHASE_STOPPING || p->stop_waiting)
        return;
    logsink_reopen(p->log); /* also when nothing comes of the reload: it is how logrotate says so */
    if (p->phase == PARENT_PHASE_STARTING || reload_busy(p->reload) || lifecycle_room_unsettled(p)) {
        p->hup_waiting = true;
        return;
    }
    p->hup_waiting = false;
    timed_begin(p->timed);
    reload_begin(p->reload);
}

void lifecycle_on_reload_done(struct parent *p, int status)
{
    if (status == 0)
        prio_apply_all(p);
    timed_end(p->timed, status == 0);
    if (p->phase != PARENT_PHASE_RUNNING)
        return;
    news_reload(p);
    sdnotify_ready(&p->sd);
    malloc_trim(0); /* the old configuration */
    lifecycle_tell_status(p);
    if (p->hup_waiting)
        lifecycle_reload(p); /* who asked meanwhile wants to know what comes of the newest file */
    else
        control_on_reload_done(p->control);
}

/* ---- stop
 * --------------------------------------------------------------------------------------------------------------
 */

static void lifecycle_hurry(struct parent *p)
{
    log_notice("asked again to stop: hurrying");
    p->hurried = true;
    script_life_hurry(p);
    for (size_t i = 0; i < LIFECYCLE_ROOMS; i++) {
        struct room *m = &p->room[lifecycle_rooms[i]];
        supervise_stop(p, m->role, STOP_WHY_SHUTDOWN, LIFECYCLE_HURRY);
        if (m->pid != 0)
            ev_timer_in(p->ev, &m->limit, LIFECYCLE_HURRY);
    }
}

static void lifecycle_on_patience(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    lifecycle_end(arg, 0);
}

/* What is in the kernel (IPVS entries, addresses, of this life or an earlier one) is taken out by children
 * that have begun; a stop in the middle of a start, or of a dead ipvsd's return, would leave it. So that is
 * finished first, which takes milliseconds, or until patience ends. A startup_script takes longer, and no
 * child has begun: that start is given up. */
void lifecycle_stop(struct parent *p)
{
    bool begun = p->phase == PARENT_PHASE_STOPPING ||
                 (p->phase == PARENT_PHASE_RUNNING && supervise_at_work(p, ROLE_IPVSD));
    if (begun || p->stop_waiting || p->first_script) {
        lifecycle_end(p, 0);
        return;
    }
    if (p->phase == PARENT_PHASE_RUNNING)
        log_notice("the stop waits for ipvsd, which is on its way back: it takes out what is in the kernel");
    p->stop_waiting = true;
    ev_timer_init(&p->stop_patience, lifecycle_on_patience, p);
    ev_timer_in(p->ev, &p->stop_patience, LIFECYCLE_STOP_PATIENCE);
}

void lifecycle_end(struct parent *p, int status)
{
    if (p->phase == PARENT_PHASE_STOPPING) {
        lifecycle_hurry(p);
        return;
    }
    if (p->stop_waiting)
        ev_timer_stop(p->ev, &p->stop_patience);
    log_notice("stopping");
    news_daemon(p, "stopping", NULL);
    p->phase = PARENT_PHASE_STOPPING;
    p->exit_status = status;
    p->stop_ns = clock_monotonic_ns();
    sdnotify_send(&p->sd, "STOPPING=1\nSTATUS=stopping");
    conf_run_cancel(p->conf);
    p->conf = NULL;
    reload_cancel(p->reload);
    script_life_stop(p);
    supervise_stop(p, ROLE_VRRPD, STOP_WHY_SHUTDOWN, lifecycle_child_wait(p));
    lifecycle_stop_step(p);
}

void lifecycle_close(struct parent *p)
{
    control_free(p->control);
    pidfile_remove(&p->pids);
    log_notice("stopped after %llu ms",
               (unsigned long long)((clock_monotonic_ns() - p->stop_ns) / NS_PER_MS));
    daemonise_fail(&p->dm, p->exit_status);
    sdnotify_close(&p->sd);
    timed_free(p->timed);
    dump_free(p->dumps);
    supervise_free(p);
    reload_free(p->reload);
    script_life_free(p);
    operator_free(p->operator);
    p->operator= NULL;
    config_free(p->cur);
    p->cur = NULL;
    events_free(p->events);
    p->events = NULL;
}
