/*
 * cmd_cause.c - holdctl explain NAME: collects what the parent, vrrpd or checkd and the events say of one
 * object, has explain_*.c make sentences of it, and shows both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/ctl/explain.h"
#include "parent/ctl/show.h"

#define CAUSE_EVENTS 12 /* shown to people */

/* What belongs to this object; a server's also by its service. */
static int cause_events(struct ctl *c, struct doc *d, const char *name)
{
    static const char *const gone[] = { "daemon",        "instance",   "group",  "service",     "server",
                                        "vrrp_instance", "vrrp_group", "sender", "track",       "arithmetic",
                                        "lvs_service",   "lvs_server", "check",  "explanation", NULL };
    struct msg_ctl_request r = { .verb = CTL_VERB_EVENTS };
    char *text;
    int status, rc = ctl_ask(c, &r, &text, &status);
    size_t n = 0;
    if (rc != 0)
        return rc;
    doc_add(d, text);
    free(text);
    for (size_t i = 0; i < d->n; i++) {
        struct doc_part *p = &d->v[i];
        const char *const *k = gone;
        while (*k != NULL && strcmp(*k, p->kind) != 0)
            k++;
        bool mine = strcmp(p->kind, "event") == 0 && (strcmp(doc_str(p, "object", ""), name) == 0 ||
                                                      strcmp(doc_str(p, "service", ""), name) == 0);
        if (*k != NULL || mine)
            d->v[n++] = d->v[i];
        else
            free(p->v);
    }
    d->n = n;
    return 0;
}

static int cause_fetch(struct ctl *c, struct doc *d, const struct show_found *f)
{
    if (f->instance != 0)
        return show_report(c, d, ROLE_VRRPD, REPORT_WHAT_STATE, f->instance, f->generation);
    if (f->group != 0)
        return show_report(c, d, ROLE_VRRPD, REPORT_WHAT_STATE, 0, f->generation);
    if (f->server[0] == '\0')
        return show_report(c, d, ROLE_CHECKD, REPORT_WHAT_STATE, f->service, f->generation);
    int rc = 0;
    uint32_t last = 0;
    for (size_t i = 0, n = d->n; rc == 0 && i < n; i++) { /* every service it stands in */
        uint32_t id = (uint32_t)doc_int(&d->v[i], "service_id", 0);
        if (strcmp(d->v[i].kind, "server") != 0 || id == last)
            continue;
        last = id;
        rc = show_report(c, d, ROLE_CHECKD, REPORT_WHAT_STATE, id, f->generation);
    }
    return rc;
}

static void cause_explain(struct doc *d, const struct out *o, const struct show_found *f, const char *name)
{
    char *text = NULL;
    size_t len;
    struct explain x = { .d = d, .o = o, .f = open_memstream(&text, &len) };
    if (x.f == NULL)
        fatal("out of memory");
    if (f->instance != 0)
        explain_instance(&x, name);
    else if (f->group != 0)
        explain_group(&x, name);
    else if (f->server[0] == '\0')
        explain_service(&x, doc_next(d, NULL, "lvs_service"));
    else
        for (const struct doc_part *s = NULL; (s = doc_next(d, s, "lvs_server")) != NULL;)
            if (strcmp(s->name, f->server) == 0)
                explain_server(&x, s);
    if (fclose(x.f) != 0)
        fatal("out of memory");
    doc_add(d, text);
    free(text);
}

static void cause_print_list(const struct out *o, const struct doc_part *p, const char *key)
{
    const char *line;
    for (size_t i = 0; (line = doc_at(p, key, i)) != NULL; i++)
        fprintf(o->f, "  %s %s\n", line[0] == ' ' ? " " : "-", line);
}

static void cause_print(const struct doc *d, const struct out *o)
{
    struct out_table t;
    char at[80];
    size_t skip = 0;
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "explanation")) != NULL;) {
        out_say(o, OUT_HEAD, "%s\n", doc_str(p, "headline", ""));
        cause_print_list(o, p, "because");
        if (doc_at(p, "advice", 0) != NULL)
            out_say(o, OUT_WARN, "what to do\n");
        cause_print_list(o, p, "advice");
    }
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "event")) != NULL;)
        skip++;
    skip = skip > CAUSE_EVENTS ? skip - CAUSE_EVENTS : 0;
    out_table(&t, (const char *[]){ "WHEN", "WHAT", "FROM", "TO", "WHY", NULL });
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "event")) != NULL;) {
        if (skip > 0) {
            skip--;
            continue;
        }
        out_cell(&t, OUT_PLAIN, "%s", out_clock(o, doc_real(p, "at", 0), at, sizeof at));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "what", ""));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "from", ""));
        out_cell(&t, out_state(doc_str(p, "to", "")), "%s", doc_str(p, "to", ""));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "cause", ""));
    }
    out_flush(o, &t);
}

int cmd_explain(struct ctl *c, int argc, char **argv)
{
    static const char *const always[] = { "explanation", "event", NULL };
    struct doc d = { 0 };
    struct show_found found;
    struct out o;
    show_options(c, &argc, argv);
    if (argc != 1)
        return ctl_misused("explain");
    int rc = show_status(c, &d, argv[0]);
    if (rc == 0 && show_find(&d, argv[0], &found) < 0)
        rc = CTL_FAILED;
    if (rc == 0)
        rc = cause_fetch(c, &d, &found);
    if (rc == 0) {
        const struct doc_part *p = doc_next(&d, NULL, "service");
        const char *name = found.instance != 0 || found.group != 0 ? argv[0]
                           : found.server[0] != '\0'               ? found.server
                           : p != NULL                             ? p->name
                                                                   : argv[0];
        out_init(&o, stdout);
        cause_explain(&d, &o, &found, name);
        rc = cause_events(c, &d, name);
        if (rc == 0 && c->json)
            rc = show_json(&d, "explain", always);
        else if (rc == 0)
            cause_print(&d, &o);
    }
    doc_free(&d);
    return rc;
}
