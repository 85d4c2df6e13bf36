/* fill.c - see fill.h: what the parts have in common, and the scalars of KEEPALIVED-MIB's global part. */
#include "parent/snmp/fill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fill_state(const char *state)
{
    static const char *const names[] = { "INIT", "BACKUP", "MASTER", "FAULT", "", "STOP" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], state) == 0)
            return (int)i;
    return 4; /* unknown */
}

bool fill_is(const struct doc_part *p, const char *key, const char *value)
{
    return strcmp(doc_str(p, key, ""), value) == 0;
}

const char *fill_option(const struct doc_part *object, const char *key, const char *dflt)
{
    char option[100];
    snprintf(option, sizeof option, VIEW_OPTION "%s", key);
    return doc_str(object, option, dflt);
}

long long fill_option_int(const struct doc_part *object, const char *key, long long dflt)
{
    char option[100];
    snprintf(option, sizeof option, VIEW_OPTION "%s", key);
    return doc_int(object, option, dflt);
}

double fill_option_real(const struct doc_part *object, const char *key, double dflt)
{
    char option[100];
    snprintf(option, sizeof option, VIEW_OPTION "%s", key);
    return doc_real(object, option, dflt);
}

bool fill_option_yes(const struct doc_part *object, const char *key)
{
    return strcmp(fill_option(object, key, "no"), "yes") == 0;
}

uint32_t fill_id(const struct doc_part *p, const char *key)
{
    long long id = doc_int(p, key, 0);
    return id > 0 && id <= UINT32_MAX ? (uint32_t)id : 0;
}

void fill_script(const struct fill *f, const struct image_row *r, uint32_t column, const char *owner,
                 const char *keyword)
{
    char *text = view_script(f->view, owner, keyword);
    image_text(r, column, text);
    free(text);
}

const struct doc_part *fill_next(const struct doc *d, const struct doc_part *prev, const char *block)
{
    return doc_with(d, prev, "object", "block", block);
}

const struct doc_part *fill_child(const struct doc *d, const struct doc_part *of, const struct doc_part *prev,
                                  const char *block)
{
    uint32_t id = fill_id(of, "id"), level = fill_id(of, "parent");
    for (const struct doc_part *p = (prev != NULL ? prev : of) + 1; p < d->v + d->n; p++) {
        uint32_t parent = fill_id(p, "parent");
        if (parent == level)
            return NULL;
        if (parent == id && fill_is(p, "block", block))
            return p;
    }
    return NULL;
}

struct fill_past fill_past(const struct fill *f, const char *instance)
{
    struct fill_past past = { 0 };
    if (f->past != NULL)
        f->past(instance, &past, f->arg);
    return past;
}

bool fill_addresses_set(const struct fill *f, const char *instance)
{
    return doc_int(doc_named(&f->view->counts, "instance", instance), "addresses_set", 0) > 0;
}

int fill_scope(long long scope, const struct ipaddr *a)
{
    if (a->family == 6 && ipaddr_is_linklocal6(a))
        return 2;
    return scope == 254 ? 1 : scope == 253 ? 2 : scope == 200 ? 5 : 14;
}

static const struct doc_part *fill_syncd(const struct fill *f)
{
    const struct doc_part *o = fill_next(&f->view->kernel, NULL, "options of lvs_sync_daemon");
    return o != NULL ? o : fill_next(&f->view->vrrp, NULL, "options of lvs_sync_daemon");
}

const char *fill_sync_interface(const struct fill *f)
{
    const struct doc_part *o = fill_syncd(f); /* its name is the interface */
    return o != NULL && o->name[0] != '\0' ? o->name : NULL;
}

const char *fill_sync_instance(const struct fill *f)
{
    return fill_option(fill_syncd(f), "inst", NULL);
}

/* ---- global */

static void fill_mail(const struct fill *f)
{
    static const struct {
        uint32_t column;
        const char *key;
    } alerts[] = { { 8, "smtp_alert" }, { 9, "smtp_alert_vrrp" }, { 10, "smtp_alert_checker" } };
    const struct view *v = f->view;
    struct image_row r = image_row(f->image, FILL_GLOBAL ".3"), e = image_row(f->image, FILL_GLOBAL ".3.5.1");
    struct ipaddr a = view_addr(view_global(v, "smtp_server", NULL));
    image_index(&r, 0);
    if (a.family != 0) {
        image_int(&r, 1, a.family == 6 ? 2 : 1);
        image_addr(&r, 2, &a);
    }
    image_gauge(&r, 3, (uint64_t)strtod(view_global(v, "smtp_connect_timeout", "30"), NULL));
    image_text(&r, 4, view_global(v, "notification_email_from", NULL));
    image_yes(&r, 7, !view_global_yes(v, "no_email_faults"));
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++) {
        const char *said = view_global(v, alerts[i].key, NULL);
        image_int(&r, alerts[i].column, said == NULL ? 3 : strcmp(said, "yes") == 0 ? 1 : 2);
    }
    const struct doc *d =
        doc_with(&v->vrrp, NULL, "object", "block", "global_defs") != NULL ? &v->vrrp : &v->check;
    const struct doc_part *g = doc_with(d, NULL, "object", "block", "global_defs");
    const char *to;
    for (size_t i = 0; (to = doc_at(g, VIEW_OPTION "notification_email", i)) != NULL; i++) {
        e.nindex = 0;
        image_index(&e, (uint32_t)i + 1);
        image_text(&e, 2, to);
    }
}

void fill_global(const struct fill *f)
{
    const struct view *v = f->view;
    struct image_row r = image_row(f->image, FILL_GLOBAL);
    const struct doc_part *d = doc_next(&v->state, NULL, "daemon");
    char version[128];
    if (d == NULL)
        return; /* nobody is there */
    image_index(&r, 0);
    snprintf(version, sizeof version, "holdfast %s", doc_str(d, "version", ""));
    image_text(&r, 1, version);
    image_text(&r, 2, view_global(v, "router_id", NULL));
    fill_mail(f);
    image_yes(&r, 4, f->traps);
    image_int(&r, 5, 1); /* links are heard of by netlink */
    image_int(&r, 6, 2); /* the table is never flushed */
    image_yes(&r, 7, true);
    image_text(&r, 8, view_global(v, "net_namespace", ""));
    image_yes(&r, 9, false);
    image_yes(&r, 10, view_global_yes(v, "dynamic_interfaces"));
    image_int(&r, 11, 2);
}
