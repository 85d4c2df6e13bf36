/*
 * dump.c - what checkd knows, for SIGUSR1 and the operator: services with their quorum, servers with their
 * verdict, checks with where they stand. "name = value" in sections, as the other dumps. Called by main.c.
 */
#include "checkd/dump.h"

#include <fcntl.h>
#include <stdio.h>

#include "checkd/engine.h"

static void dump_checker(const struct checker *k, FILE *f, uint64_t now)
{
    fprintf(f, "     %s = %s%s\n       Id = %u\n       Attempts left = %u\n       Weight adjustment = %lld\n",
            k->kind->name, k->up ? "up" : "down", k->ever_done ? "" : " (not checked yet)", k->id, k->left,
            (long long)k->weight);
    if (k->running)
        fprintf(f, "       Running = yes\n");
    else if (ev_timer_armed(&k->due))
        fprintf(f, "       Next in = %.3f s\n",
                k->due.deadline > now ? (double)(k->due.deadline - now) / (double)NS_PER_SEC : 0.0);
    if (k->kind->dump != NULL)
        k->kind->dump(k, f);
}

static void dump_server(const struct server *s, FILE *f, uint64_t now)
{
    struct verdict_wanted w = engine_wanted(s);

    fprintf(f,
            "   %s = %s\n     Id = %u\n     State = %s\n     Wanted = %s\n     Weight = %u (configured %u)\n"
            "     Known since generation = %u\n     Checks failing = %u of %u\n",
            s->sorry ? "Sorry server" : "Real server", s->label, s->id, s->alive ? "up" : "down",
            !w.in           ? "out of the table"
            : w.weight == 0 ? "in, weight 0"
                            : "in",
            s->weight, s->configured, s->since, s->down, s->nchecks);
    for (const struct checker *k = s->checkers; k != NULL; k = k->next)
        dump_checker(k, f, now);
}

static void dump_service(const struct checkd *d, const struct service *v, FILE *f, uint64_t now)
{
    struct server *s;

    fprintf(f,
            " Virtual server = %s\n   Id = %u\n   Known since generation = %u\n   Real servers = %u\n"
            "   Servers up = %u\n   Live weight = %llu\n   Quorum = %llu\n   Hysteresis = %llu\n   Has "
            "quorum = %s\n",
            v->name, v->id, v->since, v->nservers, v->nalive, (unsigned long long)v->live,
            (unsigned long long)v->quorum, (unsigned long long)v->hysteresis, v->up ? "yes" : "no");
    if (v->ha_suspend)
        fprintf(f, "   Address on this machine = %s\n", v->present ? "yes" : "no, checks pause");
    for (size_t i = 0; (s = service_server_at(d->now, v, i)) != NULL; i++)
        dump_server(s, f, now);
}

void dump_data(struct checkd *d, int fd)
{
    FILE *f = d->now != NULL ? fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 0), "w") : NULL;
    uint64_t now = ev_now(d->ev);

    if (f == NULL)
        return;
    fprintf(f, "------< Health checks >------\n Generation = %u\n Restarted = %s\n",
            child_generation(d->child), child_restarted(d->child) ? "yes" : "no");
    fprintf(f,
            " Virtual servers = %zu\n Real servers = %zu\n Sorry servers = %zu\n Checks configured = %zu\n"
            " Attempts = %llu\n Failed attempts = %llu\n Attempts running = %zu\n Late attempts = %llu\n"
            " Worst lateness = %.3f ms\n States told = %llu\n Events told = %llu\n Snapshots told = %llu\n",
            d->now->nservices, d->now->nservers - d->now->nsorry, d->now->nsorry, d->now->ncheckers,
            (unsigned long long)d->attempts, (unsigned long long)d->failures, d->running,
            (unsigned long long)d->late, (double)d->latest / (double)NS_PER_MS,
            (unsigned long long)d->feed.told_states, (unsigned long long)d->feed.told_events,
            (unsigned long long)d->feed.told_snaps);
    for (size_t i = 0; i < d->now->nservices && ferror(f) == 0; i++)
        dump_service(d, &d->now->services[i], f, now);
    fclose(f); /* the reader is gone or its disk is full: not our trouble */
}
