/* fill_check.c - see fill.h: KEEPALIVED-MIB check(3): groups, virtual servers, real servers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/snmp/fill.h"
#include "parent/snmp/stats.h"

#define FILL_VSGS    FILL_CHECK ".1.1"
#define FILL_MEMBERS FILL_CHECK ".2.1"

/* lb_kind and lvs_method are written as the kernel has them. */
static int fill_method(const struct doc_part *o, const char *key)
{
    switch (fill_option_int(o, key, -1)) {
    case 0: return 1; /* NAT */
    case 2: return 3; /* TUN */
    case 3: return 2; /* DR */
    default: return 0;
    }
}

static int fill_scheduler(const char *name)
{
    static const char *const names[] = { "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh",
                                         "sh", "sed", "nq", "fo",  "ovf",  "mh",    "twos" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i + 1;
    return 99;
}

static int fill_protocol(const char *name)
{
    return strcmp(name, "TCP") == 0 ? 1 : strcmp(name, "UDP") == 0 ? 2 : strcmp(name, "SCTP") == 0 ? 3 : 4;
}

/* Seconds in one column, microseconds in another. */
static void fill_time(const struct image_row *r, const struct doc_part *o, const char *key, uint32_t seconds,
                      uint32_t usecs)
{
    double t = fill_option_real(o, key, -1);
    if (t < 0)
        return;
    image_gauge(r, seconds, (uint64_t)t);
    image_gauge(r, usecs, (uint64_t)(t * 1e6 + 0.5));
}

static void fill_end(const struct image_row *r, const char *addr, const char *port, uint32_t column)
{
    struct ipaddr a = view_addr(addr);
    if (a.family == 0)
        return;
    image_int(r, column, a.family == 6 ? 2 : 1);
    image_addr(r, column + 1, &a);
    image_gauge(r, column + 2, strtoul(port, NULL, 10));
}

void fill_service_name(const struct image_row *r, const struct doc_part *o)
{
    char key[300];
    snprintf(key, sizeof key, "%s", o->name);
    char *last = strrchr(key, ':');
    if (last == NULL)
        return;
    *last = '\0';
    if (strncmp(key, "group:", 6) == 0) {
        image_int(r, 2, 3);
        image_text(r, 3, key + 6);
    } else if (strncmp(key, "fwmark:", 7) == 0) {
        image_int(r, 2, 1);
        image_gauge(r, 4, strtoul(key + 7, NULL, 10));
    } else {
        char *port = strrchr(key, ':');
        if (port == NULL)
            return;
        *port = '\0';
        image_int(r, 2, 2);
        fill_end(r, key, port + 1, 5);
    }
    image_int(r, 8, fill_protocol(fill_option(o, "protocol", "")));
}

void fill_server_name(const struct image_row *r, const char *name)
{
    char copy[300];
    snprintf(copy, sizeof copy, "%s", name[0] == '[' ? name + 1 : name);
    char *end = strchr(copy, ']'), *port = strrchr(copy, ':');
    if (end == NULL || port == NULL || port < end)
        return;
    *end = '\0';
    fill_end(r, copy, port + 1, 3);
}

/* ---- statistics: the same numbers, in another order for services and servers */

static void fill_stats(const struct image_row *r, const struct stats_sum *s, const uint32_t *column,
                       uint32_t wide, uint32_t halves)
{
    static const enum table_number rates[] = { TABLE_CPS, TABLE_INPPS, TABLE_OUTPPS, TABLE_INBPS,
                                               TABLE_OUTBPS };
    if (!s->any)
        return;
    image_gauge(r, column[0], s->n[TABLE_CONNS]);
    image_number(r, column[1], IMAGE_COUNTER, s->n[TABLE_INPKTS]);
    image_number(r, column[2], IMAGE_COUNTER, s->n[TABLE_OUTPKTS]);
    image_number(r, column[3], IMAGE_COUNTER64, s->n[TABLE_INBYTES]);
    image_number(r, column[4], IMAGE_COUNTER64, s->n[TABLE_OUTBYTES]);
    for (uint32_t i = 0; i < 5; i++) {
        image_gauge(r, column[5] + i, s->n[rates[i]]);
        image_gauge(r, halves + 2 * i, s->n[rates[i]] & UINT32_MAX);
        image_gauge(r, halves + 2 * i + 1, s->n[rates[i]] >> 32);
    }
    for (uint32_t i = 0; i < 3; i++)
        image_number(r, wide + i, IMAGE_COUNTER64, s->n[TABLE_CONNS + i]);
}

/* ---- rows */

static void fill_server(const struct fill *f, const struct doc_part *o, const struct stats_service *in,
                        uint32_t service, uint32_t n)
{
    static const uint32_t columns[] = { 14, 18, 19, 20, 21, 22 };
    const struct doc_part *s = view_by_id(f->view, "lvs_server", fill_id(o, "id"));
    const struct doc_part *k = view_kernel(f->view, fill_id(o, "id"));
    struct image_row r = image_row(f->image, FILL_SERVERS);
    struct stats_sum sum;
    if (s == NULL)
        return;
    bool sorry = doc_yes(s, "sorry");
    image_index(&r, service);
    image_index(&r, n);
    image_int(&r, 2, sorry ? 2 : 1);
    fill_server_name(&r, s->name);
    if (!sorry) {
        image_yes(&r, 6, doc_yes(s, "alive"));
        image_int(&r, 7, doc_int(s, "weight", 0));
        image_gauge(&r, 8, (uint64_t)fill_option_int(k, "uthreshold", 0));
        image_gauge(&r, 9, (uint64_t)fill_option_int(k, "lthreshold", 0));
        image_int(&r, 10, doc_yes(s, "inhibit_on_failure") ? 2 : 1);
        image_gauge(&r, 13, (uint64_t)doc_int(s, "checks_failing", 0));
        image_yes(&r, 42, fill_option_yes(o, "alpha"));
        image_yes(&r, 47, fill_option_yes(o, "smtp_alert"));
    }
    stats_server(in, s->name, &sum);
    fill_stats(&r, &sum, columns, 27, 30);
    if (sum.any) {
        image_gauge(&r, 15, sum.n[TABLE_ACTIVE]);
        image_gauge(&r, 16, sum.n[TABLE_INACTIVE]);
        image_gauge(&r, 17, sum.n[TABLE_PERSISTENT]);
    }
    if (fill_method(k, "lvs_method") != 0)
        image_int(&r, 40, fill_method(k, "lvs_method"));
    image_text(&r, 41, fill_option(o, "virtualhost", NULL));
    if (fill_option(o, "retry", NULL) != NULL)
        image_gauge(&r, 43, (uint64_t)fill_option_int(o, "retry", 0));
    fill_time(&r, o, "delay_before_retry", 44, 48);
    fill_time(&r, o, "warmup", 45, 49);
    fill_time(&r, o, "delay_loop", 46, 50);
    image_text(&r, 55, fill_option(o, "snmp_name", NULL));
}

/* o: as checkd has it, k: as ipvsd. */
static void fill_options(const struct image_row *r, const struct doc_part *o, const struct doc_part *k)
{
    const char *timeout = fill_option(k, "persistence_timeout", NULL);
    image_int(r, 9, fill_scheduler(fill_option(k, "lb_algo", "")));
    if (fill_method(k, "lb_kind") != 0)
        image_int(r, 10, fill_method(k, "lb_kind"));
    image_text(r, 12, fill_option(o, "virtualhost", NULL));
    image_yes(r, 13, timeout != NULL);
    if (timeout != NULL)
        image_gauge(r, 14, strtoul(timeout, NULL, 10));
    fill_time(r, o, "delay_loop", 16, 64);
    image_yes(r, 18, fill_option_yes(o, "alpha"));
    image_yes(r, 19, fill_option_yes(o, "omega"));
    image_yes(r, 37, fill_option_yes(k, "ops"));
    if (fill_option(o, "retry", NULL) != NULL)
        image_gauge(r, 57, (uint64_t)fill_option_int(o, "retry", 0));
    fill_time(r, o, "delay_before_retry", 58, 65);
    fill_time(r, o, "warmup", 59, 66);
    image_yes(r, 61, fill_option_yes(o, "smtp_alert"));
    image_text(r, 71, fill_option(o, "snmp_name", NULL));
}

static void fill_service(const struct fill *f, const struct doc_part *o, uint32_t n)
{
    static const uint32_t columns[] = { 27, 28, 29, 30, 31, 32 };
    const struct doc_part *s = view_by_id(f->view, "lvs_service", fill_id(o, "id"));
    struct image_row r = image_row(f->image, FILL_SERVICES);
    struct stats_service in;
    struct stats_sum sum;
    if (s == NULL)
        return;
    image_index(&r, n);
    fill_service_name(&r, o);
    image_yes(&r, 11, doc_int(s, "servers_alive", 0) > 0 || doc_yes(s, "sorry_serves"));
    fill_options(&r, o, view_kernel(f->view, fill_id(o, "id")));
    image_yes(&r, 17, doc_yes(s, "ha_suspend"));
    image_gauge(&r, 20, (uint64_t)doc_int(s, "servers", 0));
    image_gauge(&r, 21, (uint64_t)doc_int(s, "servers_alive", 0));
    image_gauge(&r, 22, (uint64_t)doc_int(s, "quorum", 0));
    image_yes(&r, 23, fill_is(s, "state", "UP"));
    image_gauge(&r, 26, (uint64_t)doc_int(s, "hysteresis", 0));
    stats_find(f->view, o, &in);
    stats_sum(&in, &sum);
    fill_stats(&r, &sum, columns, 38, 41);
    uint32_t server = 0;
    for (const struct doc_part *p = NULL; (p = fill_child(&f->view->check, o, p, "real_server")) != NULL;)
        fill_server(f, p, &in, n, ++server);
    stats_free(&in);
}

static void fill_vsg(const struct fill *f, const struct doc_part *g, uint32_t n)
{
    struct image_row r = image_row(f->image, FILL_VSGS), m = image_row(f->image, FILL_MEMBERS);
    uint32_t i = 0;
    image_index(&r, n);
    image_text(&r, 2, g->name);
    for (const struct doc_part *p = NULL; (p = fill_child(&f->view->check, g, p, STATS_MEMBER)) != NULL;) {
        struct stats_member x;
        if (stats_member(p->name, &x) < 0)
            continue;
        m.nindex = 0;
        image_index(&m, n);
        image_index(&m, ++i);
        image_int(&m, 2, x.first.family == 0 ? 1 : x.more == 0 ? 2 : 3);
        if (x.first.family == 0) {
            image_gauge(&m, 3, x.mark);
            continue;
        }
        image_int(&m, 4, x.first.family == 6 ? 2 : 1);
        image_addr(&m, x.more == 0 ? 5 : 6, &x.first);
        if (x.more > 0)
            image_addr(&m, 7, &x.last);
        image_gauge(&m, 8, x.port);
    }
}

void fill_check(const struct fill *f)
{
    const struct doc *d = &f->view->check;
    uint32_t n = 0;
    for (const struct doc_part *g = NULL; (g = fill_next(d, g, "virtual_server_group")) != NULL;)
        fill_vsg(f, g, ++n);
    n = 0;
    for (const struct doc_part *o = NULL; (o = fill_next(d, o, "virtual_server")) != NULL;)
        fill_service(f, o, ++n);
}
