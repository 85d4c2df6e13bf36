/* script_life.c - see script_life.h. Trusts the configuration in force; no script's end is waited for without
 * a limit. */
#include "parent/script_life.h"

#include <stdlib.h>

#include "common/jail.h"
#include "common/log.h"
#include "parent/fifo.h"
#include "parent/notify_queue.h"
#include "parent/parent.h"
#include "parent/runner.h"
#include "parent/runner_check.h"
#include "parent/script.h"
#include "parent/trackfile.h"

#define LIFE_UMASK    022
#define LIFE_TIMEOUT  (10 * NS_PER_SEC)
#define LIFE_LOOK     (10 * NS_PER_MS)
#define LIFE_READERS  (300 * NS_PER_MS) /* to read what is left in the FIFO */
#define LIFE_PATIENCE NS_PER_SEC        /* for scripts of the last events, as ever */

enum life_step { LIFE_WORKING, LIFE_LAST_SCRIPTS, LIFE_SHUTDOWN_SCRIPT };

struct script_life {
    enum life_step step;
    uint64_t since;
    bool readers_told;
    void (*next)(struct parent *p);
};

static const struct slice_obj *life_global(const struct parent *p)
{
    return p->cur != NULL ? slice_next(p->cur->slice, NULL, BLK_GLOBAL, SLICE_ANY_PARENT) : NULL;
}

static void life_on_look(struct ev_timer *t, uint64_t now, void *arg);

void script_life_init(struct parent *p)
{
    p->life = xcalloc(1, sizeof *p->life);
    p->runner = runner_new(p->ev, LIFE_UMASK);
    p->checks = checks_new(p);
    p->notify = notify_queues_new(p->ev, p->runner);
    p->fifos = fifos_new(p);
    p->tracks = trackfiles_new(p);
    ev_timer_init(&p->wind_down, life_on_look, p);
}

void script_life_free(struct parent *p)
{
    checks_free(p->checks);
    notify_queues_free(p->notify);
    fifos_free(p->fifos);
    trackfiles_free(p->tracks);
    runner_free(p->runner);
    ev_timer_stop(p->ev, &p->wind_down);
    free(p->life);
}

void script_life_load(struct parent *p, bool first)
{
    const struct slice_obj *g = life_global(p);
    bool root = scripts_any_root(p->cur->scripts);
    bool given = p->opt.umask >= 0 || (g != NULL && slice_has(g, KW_GLOBAL_UMASK));
    uint64_t mask = p->opt.umask >= 0 ? (uint64_t)p->opt.umask
                    : g != NULL       ? slice_uint(g, KW_GLOBAL_UMASK, LIFE_UMASK)
                                      : LIFE_UMASK;
    runner_umask(p->runner, given ? (mode_t)mask : LIFE_UMASK);
    fifos_load(p->fifos, p->cur);
    trackfiles_load(p->tracks, p->cur, first);
    if (first)
        p->root_scripts = root;
    else if (root && !p->root_scripts)
        log_warn(
            "scripts that run as root are new in this configuration: they run without the capabilities that "
            "were given up for good at start; restart holdfast to give them to them");
}

/* ---- one script, waited for */

static void life_on_once(void *arg, const struct runner_end *e)
{
    struct parent *p = arg;
    const char *what = p->life->step == LIFE_SHUTDOWN_SCRIPT ? "shutdown_script" : "startup_script";
    p->once = NULL;
    p->first_script = false;
    if (e->how == RUN_END_TIMEOUT)
        log_warn("%s did not end in time and was stopped; going on", what);
    else if (e->how == RUN_END_SIGNAL)
        log_warn("%s died of signal %u; going on", what, e->value);
    else if (e->value != 0)
        log_warn("%s ended with status %u; going on", what, e->value);
    if (p->life->next != NULL)
        p->life->next(p);
}

/* False: there is none, or it cannot run; the reason is logged. */
static bool life_once(struct parent *p, enum kw script, enum kw timeout)
{
    const struct slice_obj *g = life_global(p);
    struct runner_job job = { .script = g != NULL ? scripts_find(p->cur->scripts, g->id, script) : NULL,
                              .limit_ns = g != NULL ? slice_ns(g, timeout, LIFE_TIMEOUT) : LIFE_TIMEOUT,
                              .done = life_on_once,
                              .arg = p };
    struct runner_end e;
    if (job.script == NULL)
        return false;
    log_info("%s runs", schema_kw(script)->name);
    p->once = runner_start(p->runner, &job, &e);
    return p->once != NULL;
}

void script_life_startup(struct parent *p, void (*next)(struct parent *p))
{
    p->life->next = next;
    p->first_script = life_once(p, KW_GLOBAL_STARTUP_SCRIPT, KW_GLOBAL_STARTUP_SCRIPT_TIMEOUT);
    if (!p->first_script)
        next(p);
}

/* ---- the end */

void script_life_stop(struct parent *p)
{
    if (p->once != NULL) { /* startup_script: nobody waits for it any more */
        runner_forget(p->once);
        runner_terminate(p->once);
    }
    p->once = NULL;
    checks_drop(p->checks, ROLE_CHECKD);
    checks_drop(p->checks, ROLE_VRRPD);
}

static void life_shutdown_script(struct parent *p)
{
    p->life->step = LIFE_SHUTDOWN_SCRIPT;
    if (!life_once(p, KW_GLOBAL_SHUTDOWN_SCRIPT, KW_GLOBAL_SHUTDOWN_SCRIPT_TIMEOUT))
        p->life->next(p);
}

/* How long has it been, and is anybody still at work? */
static void life_look(struct parent *p)
{
    struct script_life *l = p->life;
    uint64_t waited = ev_now(p->ev) - l->since;
    bool busy = !notify_queues_idle(p->notify) || runner_dying(p->runner) > 0 || fifos_readers(p->fifos);
    if (waited >= LIFE_READERS && !l->readers_told) {
        fifos_end_readers(p->fifos);
        l->readers_told = true;
    }
    if (busy && waited < LIFE_PATIENCE) {
        ev_timer_in(p->ev, &p->wind_down, LIFE_LOOK);
        return;
    }
    if (!notify_queues_idle(p->notify))
        log_notice("scripts of the last events still run after %u s; they are left to themselves",
                   (unsigned int)(LIFE_PATIENCE / NS_PER_SEC));
    notify_queues_hurry(p->notify);
    fifos_end_readers(p->fifos);
    runner_kill_dying(p->runner);
    life_shutdown_script(p);
}

static void life_on_look(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    life_look(arg);
}

void script_life_wind_down(struct parent *p, void (*done)(struct parent *p))
{
    struct script_life *l = p->life;
    if (l->step != LIFE_WORKING)
        return;
    l->step = LIFE_LAST_SCRIPTS;
    l->since = ev_now(p->ev);
    l->next = done;
    fifos_close(p->fifos);
    life_look(p);
}

void script_life_hurry(struct parent *p)
{
    if (p->life->step == LIFE_LAST_SCRIPTS)
        p->life->since = 0;
    if (p->once != NULL)
        runner_terminate(p->once);
}
