/*
 * main.c - holdfast-checkd: judges the health of the real servers. Unprivileged, in its jail, told everything
 * by the parent. Here: the life of the process and who gets which message; the work is in engine.c and the
 * kinds. The parent is trusted; ipvsd and vrrpd may have been taken over: what they say is looked up, a wrong
 * id is ignored or refused, and nothing they say can make a failed check a passed one.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkd/conn.h"
#include "checkd/dump.h"
#include "checkd/early.h"
#include "checkd/engine.h"
#include "checkd/farewell.h"
#include "checkd/mail.h"
#include "checkd/plan.h"
#include "checkd/metrics.h"
#include "checkd/report.h"
#include "checkd/tls.h"

#define MAIL_LAST_NS    (2 * NS_PER_SEC) /* at a stop, for the mails that wait */
#define MAIL_RESTART_NS (NS_PER_SEC / 2) /* at a restart: nobody checks meanwhile */
#define FEED_AGAIN_NS   (2 * NS_PER_MS)  /* a receiver lags: so often it is looked whether it reads again */

static void read_global(struct checkd *d, const struct slice *s)
{
    const struct slice_obj *g = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);

    d->log_all = g != NULL && slice_bool(g, KW_GLOBAL_CHECKER_LOG_ALL_FAILURES, false);
    d->init_notifies = g != NULL && slice_bool(g, KW_GLOBAL_RS_INIT_NOTIFIES, false);
}

static struct service_table *table_new(struct checkd *d, const struct slice *s, struct err *e)
{
    struct service_table *t = service_table_new(s, e);

    if (t != NULL && mail_prepare(d->mail, s, e) < 0) {
        service_table_free(t);
        return NULL;
    }
    if (t != NULL && engine_build(d, t, s, e) < 0) {
        engine_drop(d, t);
        return NULL;
    }
    return t;
}

/* End of every turn: quorums, then the news of the turn. */
static void checkd_turn(void *arg)
{
    struct checkd *d = arg;
    bool more;

    if (d->now == NULL || !d->orders_heard)
        return;
    more = engine_settle(d);
    if (!feed_run(d))
        ev_timer_in(d->ev, &d->feed_timer, FEED_AGAIN_NS);
    if (more)
        ev_timer_in(d->ev, &d->feed_timer, 0);
}

/* It only has to wake the loop: the end of the turn does the rest. */
static void feed_again(struct ev_timer *t, uint64_t now, void *arg)
{
    (void)t;
    (void)now;
    (void)arg;
}

static int checkd_start(struct child *c, const struct slice *s, void *arg)
{
    struct checkd *d = arg;
    struct service_change change;
    struct err e = { 0 };

    d->child = c;
    d->ev = child_ev(c);
    d->random = clock_monotonic_ns() ^ ((uint64_t)getpid() << 32);
    ev_timer_init(&d->feed_timer, feed_again, d);
    read_global(d, s);
    d->mail = mail_new(d->ev, d->tls);
    d->now = table_new(d, s, &e);
    if (d->now == NULL) {
        log_err("%s: %s", e.object, e.text);
        return -1;
    }
    mail_commit(d->mail, s);
    service_table_adopt(d->now, NULL, &change);
    engine_begin(d, child_restarted(c));
    ev_hook_add(d->ev, checkd_turn, d);
    log_info("%zu virtual servers, %zu real servers, %zu sorry servers, %zu checks", d->now->nservices,
             d->now->nservers - d->now->nsorry, d->now->nsorry, d->now->ncheckers);
    return 0;
}

static int checkd_prepare(struct child *c, const struct slice *next, struct err *e, void *arg)
{
    struct checkd *d = arg;

    (void)c;
    read_global(d, next);
    d->next = table_new(d, next, e);
    if (d->next == NULL)
        read_global(d, child_slice(c));
    return d->next == NULL ? -1 : 0;
}

static void checkd_commit(struct child *c, const struct slice *old, const struct slice *now, void *arg)
{
    struct checkd *d = arg;
    struct service_table *next = d->next;
    struct service_change change;

    d->next = NULL;
    service_table_adopt(next, d->now, &change);
    farewell_say(child_parent(c), d->mail, next, d->now, slice_generation(old), slice_generation(now));
    mail_commit(d->mail, now);         /* behind the last words, which need the old names */
    engine_take_over(d, next, d->now); /* d->now is next now; the former one and its names are gone */
    early_replay(d);
    log_info("configuration %u: virtual servers %zu kept, %zu added, %zu removed; real servers %zu kept, %zu "
             "added, %zu removed",
             slice_generation(now), change.services_kept, change.services_added, change.services_removed,
             change.servers_kept, change.servers_added, change.servers_removed);
}

static void checkd_plan(struct child *c, const struct slice *next, int fd, void *arg)
{
    (void)c;
    (void)next;
    plan_write(arg, fd);
}

static void checkd_abort(struct child *c, void *arg)
{
    struct checkd *d = arg;

    engine_drop(d, d->next);
    d->next = NULL;
    mail_abort(d->mail);
    early_forget(d);
    read_global(d, child_slice(c));
}

static void checkd_peer(struct child *c, struct chan *ch, enum role peer, void *arg)
{
    struct checkd *d = arg;

    (void)c;
    (void)ch;
    if (peer != ROLE_IPVSD)
        return;
    feed_tell_all(d);
    conn_ask_again(d);
}

/* The last mails have left, or will not. */
static void checkd_stopped(void *arg)
{
    struct checkd *d = arg;

    child_stopped(d->child);
}

static void checkd_stop(struct child *c, enum stop_why why, void *arg)
{
    struct checkd *d = arg;

    if (why == STOP_WHY_SHUTDOWN && child_parent(c) != NULL) {
        engine_omega(d);
        feed_run(d);
        chan_flush_wait(child_parent(c), 500);
    }
    if (why == STOP_WHY_RELOAD_REMOVED && child_parent(c) != NULL && d->now != NULL) {
        feed_run(d); /* a change of this turn is not lost, nor told behind its end */
        farewell_say(child_parent(c), d->mail, NULL, d->now, child_generation(c), child_generation(c));
        chan_flush_wait(child_parent(c), 500);
    }
    engine_drop(d, d->now);
    engine_drop(d, d->next);
    early_forget(d);
    d->now = d->next = NULL;
    d->stopping = true;
    if (d->mail != NULL)
        mail_stop(d->mail, why == STOP_WHY_RESTART ? MAIL_RESTART_NS : MAIL_LAST_NS, checkd_stopped, d);
    else
        child_stopped(c);
}

static void checkd_dump(struct child *c, enum dump_what what, int fd, void *arg)
{
    (void)c;
    struct checkd *d = arg;

    if (what != DUMP_WHAT_DATA || d->now == NULL)
        return;
    dump_data(d, fd);
    mail_dump(d->mail, fd);
}

static bool checkd_on_report(struct child *c, uint32_t obj, size_t *cursor, FILE *f, void *arg)
{
    (void)c;
    return checkd_report(arg, obj, cursor, f);
}

static int checkd_msg(struct child *c, enum role from, const struct chan_msg *m, void *arg)
{
    struct checkd *d = arg;

    if (d->stopping) /* of what is still said, only the last alerts matter */
        return m->type == MSG_alert && m->generation == child_generation(c)
                   ? kinds_message(d, m->type, m->body)
                   : 0;
    /* ipvsd and vrrpd commit before us: what they say of the next configuration waits for ours; what they
     * said of the last one is void, its ids mean other things now. */
    if (from != ROLE_PARENT && m->generation != child_generation(c)) /* the parent's come in order */
        return m->generation > child_generation(c) ? early_keep(d, m) : 0;
    return message_handle(d, m);
}

static bool checkd_metrics(struct child *c, size_t *cursor, FILE *f, void *arg)
{
    (void)c;
    return metrics_checks(arg, cursor, f);
}

/* What the libraries need files for. */
static int checkd_pre_jail(void *arg)
{
    struct err e = { 0 };

    (void)arg;
    mail_pre_jail();
    if (tls_init(&e) == 0)
        return 0;
    log_err("%s", e.text);
    return -1;
}

int main(void)
{
    static const struct child_ops ops = {
        .on_start = checkd_start,
        .on_prepare = checkd_prepare,
        .on_commit = checkd_commit,
        .on_abort = checkd_abort,
        .on_plan = checkd_plan,
        .on_peer = checkd_peer,
        .on_msg = checkd_msg,
        .on_stop = checkd_stop,
        .on_dump = checkd_dump,
        .on_report = checkd_on_report,
        .on_metrics = checkd_metrics,
    };
    struct checkd d = { .tls = tls_store_new() };

    return child_run(ROLE_CHECKD, &ops, checkd_pre_jail, &d);
}
