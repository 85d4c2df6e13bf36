/*
 * cmd_servers.c - holdctl drain, enable, weight: what a real server weighs by order. Addresses are brought
 * into the form of the natural keys here; the daemon only compares. Waiting for a drained server to be idle
 * is asking again and again: the daemon has nothing to remember.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/err.h"
#include "parent/ctl/amount.h"
#include "parent/ctl/ctl.h"
#include "parent/ctl/table.h"

#define SERVERS_BUSY   4 /* exit status: the deadline has passed, connections are left */
#define SERVERS_POLL_S 1

struct servers_opts {
    const char *service;
    bool until_idle;
    uint64_t deadline_s; /* UINT64_MAX: none */
};

/* "10.0.0.1 80", "fd00::1:443" is ambiguous and left alone; "[fd00::1]:80", "10.0.0.1:80" as they are. -1:
 * too long. */
static int servers_key(const char *word, const char *port, char *out, size_t size)
{
    struct ipaddr a;
    char text[IPADDR_STRLEN];
    int n;
    if (ipaddr_parse(word, &a) == 0) {
        const char *form = a.family == 6 ? "[%s]%s%s" : "%s%s%s";
        n = snprintf(out, size, form, ipaddr_str(&a, text), port != NULL ? ":" : "",
                     port != NULL ? port : "");
    } else {
        n = snprintf(out, size, "%s%s%s", word, port != NULL ? ":" : "", port != NULL ? port : "");
    }
    return n > 0 && (size_t)n < size ? 0 : -1;
}

/* 0, or the exit status of a misuse. */
static int servers_options(const char *word, int argc, char **argv, struct servers_opts *o, int *words)
{
    static const struct option longs[] = {
        { "service", required_argument, NULL, 's' },
        { "until", required_argument, NULL, 'u' },
        { "deadline", required_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 },
    };
    bool drain = strcmp(word, "drain") == 0;
    *o = (struct servers_opts){ .deadline_s = UINT64_MAX };
    optind = 0; /* main.c has used getopt before */
    for (int k; (k = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (k == 's')
            o->service = optarg;
        else if (k == 'u' && drain && strcmp(optarg, "idle") == 0)
            o->until_idle = true;
        else if (k == 'd' && drain && amount_seconds(optarg, &o->deadline_s) == 0)
            o->until_idle = true;
        else
            return ctl_misused(word);
    }
    *words = optind;
    return 0;
}

/* ---- until idle */

struct servers_left {
    const struct msg_ctl_request *r;
    uint64_t active, inactive, persistent;
    size_t found;
};

static void servers_count(const struct table_row *row, void *arg)
{
    struct servers_left *l = arg;
    const char *scope = l->r->scope;
    if (row->kind != TABLE_SERVER || !table_called(row, l->r->name))
        return;
    if (scope[0] != '\0' && !table_serves(row->service, scope))
        return;
    l->found++;
    l->active += row->n[TABLE_ACTIVE];
    l->inactive += row->n[TABLE_INACTIVE];
    l->persistent += row->n[TABLE_PERSISTENT];
}

/* 0: idle; SERVERS_BUSY; or what went wrong. */
static int servers_look(struct ctl *c, struct servers_left *l)
{
    char *text;
    struct servers_left now = { .r = l->r };
    int rc = table_ask(c, &text);
    if (rc != 0)
        return rc;
    table_read(text, servers_count, &now);
    free(text);
    *l = now;
    return now.active > 0 ? SERVERS_BUSY : 0;
}

static int servers_wait(struct ctl *c, const struct msg_ctl_request *r, uint64_t deadline_s)
{
    struct servers_left l = { .r = r };
    uint64_t last = UINT64_MAX;
    struct timespec began, now;
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (;;) {
        int rc = servers_look(c, &l);
        clock_gettime(CLOCK_MONOTONIC, &now);
        uint64_t s = (uint64_t)(now.tv_sec - began.tv_sec);
        if (rc == 0) {
            printf("idle after %llu s: no active connection is left (%llu are ending)\n",
                   (unsigned long long)s, (unsigned long long)l.inactive);
            return CTL_OK;
        }
        if (rc != SERVERS_BUSY)
            return rc;
        if (l.active != last)
            printf("%llu active connections\n", (unsigned long long)l.active);
        fflush(stdout);
        last = l.active;
        if (s >= deadline_s)
            break;
        sleep(SERVERS_POLL_S);
    }
    printf("not idle after %llu s: %llu active connections are left%s\n", (unsigned long long)deadline_s,
           (unsigned long long)l.active,
           l.persistent > 0
               ? "; clients the service remembers keep coming until its persistence_timeout, unless "
                 "net.ipv4.vs.expire_quiescent_template is 1"
               : "");
    return SERVERS_BUSY;
}

/* ---- the commands */

static int servers_run(struct ctl *c, const char *word, uint8_t action, uint32_t weight, int argc,
                       char **argv, const struct servers_opts *o)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_SERVER, .action = action, .number = weight };
    if (argc < 1 || argc > 2)
        return ctl_misused(word);
    if (servers_key(argv[0], argc == 2 ? argv[1] : NULL, r.name, sizeof r.name) < 0 ||
        (o->service != NULL && servers_key(o->service, NULL, r.scope, sizeof r.scope) < 0))
        return ctl_lost("that name is too long");
    int rc = ctl_order(c, &r);
    return rc == 0 && o->until_idle ? servers_wait(c, &r, o->deadline_s) : rc;
}

int cmd_drain(struct ctl *c, int argc, char **argv)
{
    struct servers_opts o;
    int at = 0, rc = servers_options("drain", argc + 1, argv - 1, &o, &at);
    return rc != 0 ? rc : servers_run(c, "drain", CTL_ACTION_DRAIN, 0, argc + 1 - at, argv - 1 + at, &o);
}

int cmd_enable(struct ctl *c, int argc, char **argv)
{
    struct servers_opts o;
    int at = 0, rc = servers_options("enable", argc + 1, argv - 1, &o, &at);
    return rc != 0 ? rc : servers_run(c, "enable", CTL_ACTION_ENABLE, 0, argc + 1 - at, argv - 1 + at, &o);
}

int cmd_weight(struct ctl *c, int argc, char **argv)
{
    struct servers_opts o;
    uint64_t weight;
    int at = 0, rc = servers_options("weight", argc + 1, argv - 1, &o, &at);
    if (rc != 0)
        return rc;
    int n = argc + 1 - at;
    if (n < 2 || amount_number(argv[argc - 1], INT32_MAX, &weight) < 0)
        return ctl_misused("weight");
    return servers_run(c, "weight", CTL_ACTION_WEIGHT, (uint32_t)weight, n - 1, argv - 1 + at, &o);
}
