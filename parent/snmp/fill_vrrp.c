/* fill_vrrp.c - see fill.h: KEEPALIVED-MIB vrrp(2): instances, sync groups, their members and addresses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/snmp/fill.h"

#define FILL_MEMBERS   FILL_VRRP ".2.1"
#define FILL_ADDRESSES FILL_VRRP ".6.1"

struct fill_notify {
    uint32_t column;
    const char *keyword;
};

/* Columns of the scripts; any: whether there is one at all. */
static void fill_notifies(const struct fill *f, const struct image_row *r, const char *owner,
                          const struct fill_notify *n, size_t count, uint32_t any)
{
    for (size_t i = 0; i < count; i++)
        fill_script(f, r, n[i].column, owner, n[i].keyword);
    image_yes(r, any, doc_with(&f->view->scripts, NULL, "script", "owner", owner) != NULL);
}

static void fill_group(const struct fill *f, const struct doc_part *g, uint32_t n)
{
    static const struct fill_notify scripts[] = { { 6, "notify_master" },
                                                  { 7, "notify_backup" },
                                                  { 8, "notify_fault" },
                                                  { 9, "notify" },
                                                  { 11, "notify_stop" } };
    struct image_row r = image_row(f->image, FILL_GROUPS), m = image_row(f->image, FILL_MEMBERS);
    char owner[300];
    const char *member;
    image_index(&r, n);
    image_text(&r, 2, g->name);
    image_int(&r, 3,
              fill_state(doc_str(view_by_id(f->view, "vrrp_group", fill_id(g, "id")), "state", "INIT")));
    image_yes(&r, 4, fill_option_yes(g, "smtp_alert"));
    snprintf(owner, sizeof owner, "vrrp_sync_group %s", g->name);
    fill_notifies(f, &r, owner, scripts, sizeof scripts / sizeof *scripts, 5);
    image_yes(&r, 10, fill_option_yes(g, "sync_group_tracking_weight"));
    for (size_t i = 0; (member = doc_at(g, VIEW_OPTION "group", i)) != NULL; i++) {
        m.nindex = 0;
        image_index(&m, n);
        image_index(&m, (uint32_t)i + 1);
        image_text(&m, 2, member);
    }
}

/* ---- addresses */

/* The addresses of an instance's adverts, sorted. */
struct fill_adverts {
    struct ipaddr *v;
    size_t n;
};

static int fill_order(const void *a, const void *b)
{
    return ipaddr_cmp(a, b);
}

static struct fill_adverts fill_adverts(const struct doc_part *state)
{
    struct fill_adverts a = { 0 };
    while (doc_at(state, "address", a.n) != NULL)
        a.n++;
    a.v = xcalloc(a.n + 1, sizeof *a.v);
    size_t n = 0;
    for (size_t i = 0; i < state->n && n < a.n; i++)
        if (strcmp(state->v[i].key, "address") == 0) {
            a.v[n] = view_addr(state->v[i].value);
            a.v[n++].plen = 0;
        }
    qsort(a.v, a.n, sizeof *a.v, fill_order);
    return a;
}

static bool fill_advertised(const struct fill_adverts *in, struct ipaddr a)
{
    a.plen = 0;
    return in != NULL && in->n > 0 && bsearch(&a, in->v, in->n, sizeof a, fill_order) != NULL;
}

static const char *fill_address_text(const struct doc_part *p)
{
    return fill_option(p, "ADDRESS[/LEN]", p->name);
}

/* state NULL: of no instance, index 0. */
static void fill_address(const struct fill *f, const struct doc_part *p, const struct doc_part *state,
                         bool advertised, uint32_t vi, uint32_t n)
{
    struct image_row r = image_row(f->image, FILL_ADDRESSES);
    const char *dev = fill_option(p, "dev", doc_str(state, "interface", NULL));
    struct ipaddr a = view_addr(fill_address_text(p)), peer = view_addr(fill_option(p, "peer", NULL));
    struct ipaddr brd = view_addr(fill_option(p, "brd", NULL));
    if (a.family == 0)
        return;
    image_index(&r, vi);
    image_index(&r, n);
    image_int(&r, 2, a.family == 6 ? 2 : 1);
    image_addr(&r, 3, &a);
    if (a.family == 4 && brd.family == 0)
        brd.family = 4; /* 0.0.0.0: none */
    image_addr(&r, 4, &brd);
    image_gauge(&r, 5, a.plen);
    image_int(&r, 6, fill_scope(fill_option_int(p, "scope", 0), &a));
    if (dev != NULL && view_ifindex(f->view, dev) != 0)
        image_int(&r, 7, view_ifindex(f->view, dev));
    image_text(&r, 8, dev);
    image_text(&r, 9, fill_option(p, "label", NULL));
    fill_set(f, &r, 10, p);
    image_yes(&r, 11, advertised);
    image_addr(&r, 12, &peer);
}

/* Those in the adverts first, then virtual_ipaddress_excluded, wherever that is written. */
static void fill_addresses(const struct fill *f, const struct doc_part *o, const struct doc_part *state,
                           uint32_t vi)
{
    struct fill_adverts adverts = fill_adverts(state);
    uint32_t n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (const struct doc_part *p = NULL;
             (p = fill_child(&f->view->vrrp, o, p, "virtual_ipaddress")) != NULL;)
            if (fill_advertised(&adverts, view_addr(fill_address_text(p))) == (pass == 0))
                fill_address(f, p, state, pass == 0, vi, ++n);
    free(adverts.v);
}

/* ---- instances */

static void fill_timing(const struct image_row *r, const struct doc_part *o, const struct doc_part *s)
{
    double interval = doc_real(s, "advert_interval", 0);
    bool v3 = doc_int(s, "version", 2) == 3;
    image_gauge(r, 12, (uint64_t)(v3 ? interval * 100 + 0.5 : interval + 0.5));
    image_int(r, 13, doc_yes(s, "nopreempt") ? 2 : 1);
    image_gauge(r, 14, (uint64_t)(doc_real(s, "preempt_delay", 0) + 0.5));
    image_int(r, 15, fill_is(s, "auth", "PASS") ? 1 : fill_is(s, "auth", "AH") ? 2 : 0);
    image_gauge(r, 19, (uint64_t)(fill_option_real(o, "garp_master_delay", 5) + 0.5));
    image_int(r, 30, doc_int(s, "version", 2));
}

static void fill_instance(const struct fill *f, const struct doc_part *o, uint32_t n)
{
    static const struct fill_notify scripts[] = {
        { 22, "notify_master" }, { 23, "notify_backup" }, { 24, "notify_fault" },
        { 25, "notify_stop" },   { 26, "notify" },        { 31, "notify_master_rx_lower_pri" },
        { 32, "notify_deleted" }
    };
    const struct doc_part *s = view_by_id(f->view, "vrrp_instance", fill_id(o, "id"));
    struct image_row r = image_row(f->image, FILL_INSTANCES);
    struct ipaddr group = view_addr(doc_str(s, "multicast_group", NULL));
    char owner[300];
    if (s == NULL)
        return; /* a reload came between */
    int state = fill_state(doc_str(s, "state", ""));
    bool all = fill_addresses_set(f, o->name);
    image_index(&r, n);
    image_text(&r, 2, o->name);
    image_gauge(&r, 3, (uint64_t)doc_int(s, "vrid", 0));
    image_int(&r, 4, state);
    image_int(&r, 5, doc_yes(s, "start_master") ? 2 : 1);
    image_int(&r, 6, fill_is(s, "order", "yield") ? 1 : fill_is(s, "order", "takeover") ? 2 : state);
    image_int(&r, 7, doc_int(s, "base_priority", 0));
    image_int(&r, 8, doc_int(s, "priority", 0));
    image_yes(&r, 9, all);
    image_text(&r, 10, doc_str(s, "interface", NULL));
    image_yes(&r, 11, !fill_option_yes(o, "dont_track_primary") && doc_str(s, "interface", NULL) != NULL);
    fill_timing(&r, o, s);
    const char *follows = fill_sync_instance(f);
    bool sync = fill_sync_interface(f) != NULL && follows != NULL && strcmp(follows, o->name) == 0;
    image_yes(&r, 16, sync);
    image_text(&r, 17, sync ? fill_sync_interface(f) : NULL);
    image_text(&r, 18, doc_str(s, "group", NULL));
    image_yes(&r, 20, fill_option_yes(o, "smtp_alert"));
    snprintf(owner, sizeof owner, "vrrp_instance %s", o->name);
    fill_notifies(f, &r, owner, scripts, sizeof scripts / sizeof *scripts, 21);
    image_yes(&r, 27, doc_yes(s, "accept"));
    image_yes(&r, 28, fill_option_yes(o, "promote_secondaries"));
    image_yes(&r, 29, false); /* links are never polled */
    image_yes(&r, 33, fill_option_yes(o, "notify_deleted"));
    if (group.family != 0) {
        image_int(&r, 34, group.family == 6 ? 2 : 1);
        image_addr(&r, 35, &group);
    }
    fill_addresses(f, o, s, n);
}

void fill_vrrp(const struct fill *f)
{
    const struct doc *d = &f->view->vrrp;
    uint32_t n = 0;
    for (const struct doc_part *g = NULL; (g = fill_next(d, g, "vrrp_sync_group")) != NULL;)
        fill_group(f, g, ++n);
    n = 0;
    for (const struct doc_part *p = NULL; (p = fill_next(d, p, "virtual_ipaddress")) != NULL;)
        if (fill_id(p, "parent") == 0) /* static_ipaddress */
            fill_address(f, p, NULL, false, 0, ++n);
    n = 0;
    for (const struct doc_part *o = NULL; (o = fill_next(d, o, "vrrp_instance")) != NULL;)
        fill_instance(f, o, ++n);
}
