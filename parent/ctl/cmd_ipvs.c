/*
 * cmd_ipvs.c - holdctl ipvs: the kernel's IPVS table in the words of ipvsadm -Ln, so that a director needs no
 * second tool of root's. The table comes from ipvsd; connections are read here, from the file the kernel
 * shows in the network namespace of the process that works there.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/ctl/conns.h"
#include "parent/ctl/ctl.h"
#include "parent/ctl/ipvs_text.h"
#include "parent/ctl/render.h"
#include "parent/ctl/table.h"

struct ipvs_opts {
    enum ipvs_text_form form;
    bool connection, exact;
};

static int ipvs_options(struct ctl *c, int argc, char **argv, struct ipvs_opts *o)
{
    static const struct option longs[] = {
        { "stats", no_argument, NULL, 's' },      { "rate", no_argument, NULL, 'r' },
        { "connection", no_argument, NULL, 'c' }, { "exact", no_argument, NULL, 'e' },
        { "json", no_argument, NULL, 'j' },       { NULL, 0, NULL, 0 },
    };
    unsigned int forms = 0;
    *o = (struct ipvs_opts){ .form = IPVS_TEXT_TABLE };
    optind = 0; /* main.c has used getopt before */
    for (int k; (k = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (k) {
        case 's': o->form = IPVS_TEXT_STATS; break;
        case 'r': o->form = IPVS_TEXT_RATE; break;
        case 'c': o->connection = true; break;
        case 'e': o->exact = true; break;
        case 'j': c->json = true; break;
        default: return ctl_misused("ipvs");
        }
        forms += k != 'e' && k != 'j';
    }
    return optind == argc && forms <= 1 ? 0 : ctl_misused("ipvs");
}

/* ---- JSON */

struct ipvs_json {
    json_t *root, *services, *servers;
};

static json_t *ipvs_json_counters(const struct table_row *r)
{
    static const char *const names[TABLE_COUNTERS] = {
        "connections",       "packets_in",       "packets_out",       "bytes_in",       "bytes_out",
        "connections_per_s", "packets_in_per_s", "packets_out_per_s", "bytes_in_per_s", "bytes_out_per_s"
    };
    json_t *o = json_object();
    for (size_t i = 0; i < TABLE_COUNTERS; i++)
        json_object_set_new(o, names[i], json_integer((json_int_t)r->n[i]));
    return o;
}

static void ipvs_json_service(struct ipvs_json *j, const struct table_row *r)
{
    json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:s, s:i, s:i, s:i}", "protocol", r->proto, "address",
                          r->addr, "port", (int)r->port, "family", r->v6 ? 6 : 4, "scheduler", r->sched,
                          "flags", (int)r->flags, "persistence_timeout", (int)(r->flags & 1 ? r->timeout : 0),
                          "fwmark", (int)r->mark);
    j->servers = json_array();
    if (r->pe[0] != '\0')
        json_object_set_new(o, "persistence_engine", json_string(r->pe));
    json_object_set_new(o, "counters", ipvs_json_counters(r));
    json_object_set_new(o, "servers", j->servers);
    json_array_append_new(j->services, o);
}

static void ipvs_json_server(struct ipvs_json *j, const struct table_row *r)
{
    json_t *o = json_pack("{s:s, s:i, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "address", r->addr, "port",
                          (int)r->port, "family", r->v6 ? 6 : 4, "forward", table_method(r->method), "weight",
                          (json_int_t)r->n[TABLE_WEIGHT], "active", (json_int_t)r->n[TABLE_ACTIVE],
                          "inactive", (json_int_t)r->n[TABLE_INACTIVE], "persistent",
                          (json_int_t)r->n[TABLE_PERSISTENT], "upper_threshold",
                          (json_int_t)r->n[TABLE_UPPER], "lower_threshold", (json_int_t)r->n[TABLE_LOWER]);
    json_object_set_new(o, "counters", ipvs_json_counters(r));
    json_array_append_new(j->servers, o);
}

static void ipvs_json_row(const struct table_row *r, void *arg)
{
    struct ipvs_json *j = arg;
    switch (r->kind) {
    case TABLE_INFO: json_object_set_new(j->root, "connection_table_size", json_integer(r->size)); break;
    case TABLE_SERVICE: ipvs_json_service(j, r); break;
    case TABLE_SERVER: ipvs_json_server(j, r); break;
    case TABLE_TRUNCATED: json_object_set_new(j->root, "truncated", json_true()); break;
    case TABLE_NOTHING: break;
    }
}

static void ipvs_json_table(char *text)
{
    struct ipvs_json j = { .root = json_object(), .services = json_array() };
    json_object_set_new(j.root, "services", j.services);
    table_read_sorted(text, ipvs_json_row, &j);
    render_print(j.root);
}

/* ---- text */

struct ipvs_print {
    struct ipvs_opts o;
    bool titled;
};

static void ipvs_print_row(const struct table_row *r, void *arg)
{
    struct ipvs_print *p = arg;
    char line[IPVS_TEXT_LINE];
    if (r->kind == TABLE_INFO) {
        ipvs_text_title(p->o.form, r, stdout);
        p->titled = true;
    } else if (r->kind == TABLE_SERVICE || r->kind == TABLE_SERVER) {
        ipvs_text_row(p->o.form, p->o.exact, r, line);
        fputs(line, stdout);
    } else if (r->kind == TABLE_NOTHING) {
        printf("this daemon has opened no IPVS table: no virtual server is configured, or the kernel has no "
               "IPVS "
               "(holdctl doctor tells)\n");
    } else {
        printf("... and more than can be listed at once\n");
    }
}

/* ---- connections */

static void ipvs_json_conn(const struct conns_row *r, void *arg)
{
    json_array_append_new(arg, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s}", "protocol", r->proto, "state",
                                         r->state, "expires_s", (json_int_t)r->expires, "source", r->end[0],
                                         "virtual", r->end[1], "destination", r->end[2], "engine", r->pe));
}

static int ipvs_connections(struct ctl *c)
{
    char *text = NULL;
    int rc = conns_load(c, &text);
    if (rc != 0)
        return rc;
    if (c->json) {
        json_t *list = json_array();
        conns_read(text, ipvs_json_conn, list);
        render_print(json_pack("{s:o}", "connections", list));
    } else {
        conns_print(text, stdout);
    }
    free(text);
    return CTL_OK;
}

int cmd_ipvs(struct ctl *c, int argc, char **argv)
{
    struct ipvs_print p = { .titled = false };
    char *text;
    int rc = ipvs_options(c, argc + 1, argv - 1, &p.o);
    if (rc != 0)
        return rc;
    if (p.o.connection)
        return ipvs_connections(c);
    rc = table_ask(c, &text);
    if (rc != 0)
        return rc;
    if (c->json)
        ipvs_json_table(text);
    else
        table_read_sorted(text, ipvs_print_row, &p);
    free(text);
    return CTL_OK;
}
