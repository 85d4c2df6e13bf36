/*
 * main.c - holdfast-checkd: judges the health of the real servers. Unprivileged, in its jail, told everything
 * by the parent. It takes its slice, keeps the table of services and servers through reloads and reports it;
 * the checks themselves are not in force yet (HF-NOTYET, said at every start), so it gives no verdict at all:
 * nothing here may ever report a server as passed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "checkd/service.h"
#include "common/child.h"
#include "common/log.h"

struct checkd {
    struct service_table *now;
    struct service_table *next; /* between prepare and commit or abort */
};

/* Once a start: whoever configured checks must not believe that somebody looks. */
static void say_not_yet(const struct service_table *t)
{
    log_warn("HF-NOTYET: %zu checks of %zu real servers in %zu virtual servers are configured, but health "
             "checks are not in force "
             "in this version: no server is checked, none is added or removed for its health; use the "
             "balancer only with a "
             "monitoring of your own",
             t->nchecks, t->nservers - t->nsorry, t->nservices);
}

static int checkd_start(struct child *c, const struct slice *s, void *arg)
{
    struct checkd *d = arg;
    struct service_change change;
    struct err e = { 0 };

    (void)c;
    d->now = service_table_new(s, &e);
    if (d->now == NULL) {
        log_err("%s: %s", e.object, e.text);
        return -1;
    }
    service_table_adopt(d->now, NULL, &change);
    say_not_yet(d->now);
    return 0;
}

static int checkd_prepare(struct child *c, const struct slice *next, struct err *e, void *arg)
{
    struct checkd *d = arg;

    (void)c;
    d->next = service_table_new(next, e);
    return d->next == NULL ? -1 : 0;
}

static void checkd_commit(struct child *c, const struct slice *old, const struct slice *now, void *arg)
{
    struct checkd *d = arg;
    struct service_change change;

    (void)c;
    (void)old;
    service_table_adopt(d->next, d->now, &change);
    service_table_free(d->now); /* its names stand in the old slice, which goes after this */
    d->now = d->next;
    d->next = NULL;
    log_info("configuration %u: virtual servers %zu kept, %zu added, %zu removed; real servers %zu kept, %zu "
             "added, %zu removed",
             slice_generation(now), change.services_kept, change.services_added, change.services_removed,
             change.servers_kept, change.servers_added, change.servers_removed);
    if (change.services_added + change.servers_added > 0)
        say_not_yet(d->now);
}

static void checkd_abort(struct child *c, void *arg)
{
    struct checkd *d = arg;

    (void)c;
    service_table_free(d->next);
    d->next = NULL;
}

/* No message is for checkd yet: whoever says something breaks the protocol. */
static int checkd_msg(struct child *c, enum role from, const struct chan_msg *m, void *arg)
{
    (void)c;
    (void)from;
    (void)m;
    (void)arg;
    return -1;
}

static void checkd_stop(struct child *c, enum stop_why why, void *arg)
{
    struct checkd *d = arg;

    (void)why;
    service_table_free(d->now);
    service_table_free(d->next);
    d->now = d->next = NULL;
    child_stopped(c);
}

/* "name = value" in sections, as the other dumps. */
static void checkd_dump(struct child *c, enum dump_what what, int fd, void *arg)
{
    struct checkd *d = arg;

    if (what != DUMP_WHAT_DATA || d->now == NULL)
        return;
    dprintf(fd, "------< Health checks >------\n Generation = %u\n Restarted = %s\n", child_generation(c),
            child_restarted(c) ? "yes" : "no");
    dprintf(fd,
            " Checks in force = no (HF-NOTYET)\n Virtual servers = %zu\n Real servers = %zu\n Sorry servers "
            "= %zu\n Checks "
            "configured = %zu\n",
            d->now->nservices, d->now->nservers - d->now->nsorry, d->now->nsorry, d->now->nchecks);
    for (size_t i = 0; i < d->now->nservices; i++) {
        const struct service *v = &d->now->services[i];

        if (dprintf(
                fd,
                " Virtual server = %s\n   Id = %u\n   Known since generation = %u\n   Real servers = %u\n",
                v->name, v->id, v->since, v->nservers) < 0)
            return; /* the reader is gone or its disk is full: not our trouble */
    }
}

int main(void)
{
    static const struct child_ops ops = {
        .on_start = checkd_start,
        .on_prepare = checkd_prepare,
        .on_commit = checkd_commit,
        .on_abort = checkd_abort,
        .on_msg = checkd_msg,
        .on_stop = checkd_stop,
        .on_dump = checkd_dump,
    };
    struct checkd d = { 0 };

    return child_run(ROLE_CHECKD, &ops, NULL, &d);
}
