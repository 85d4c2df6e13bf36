/* show.c - see show.h. */
#include "parent/ctl/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/ctl/render.h"

static int show_ask(struct ctl *c, const struct msg_ctl_request *r, struct doc *d)
{
    char *text;
    int status, rc = ctl_ask(c, r, &text, &status);
    if (rc != 0)
        return rc;
    if (status != 0)
        dprintf(STDERR_FILENO, "holdctl: %s", text[0] != '\0' ? text : "the daemon refuses\n");
    else
        doc_add(d, text);
    free(text);
    return status != 0 ? CTL_FAILED : 0;
}

int show_status(struct ctl *c, struct doc *d, const char *name)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_STATUS };
    if (strlen(name) >= sizeof r.name)
        return ctl_lost("that name is too long to be anybody's");
    memcpy(r.name, name, strlen(name) + 1);
    return show_ask(c, &r, d);
}

int show_report(struct ctl *c, struct doc *d, enum role role, enum report_what what, uint32_t obj,
                uint32_t generation)
{
    struct msg_ctl_request r = { .verb = CTL_VERB_REPORT,
                                 .role = (uint8_t)role,
                                 .what = (uint8_t)what,
                                 .obj = obj,
                                 .generation = generation };
    return show_ask(c, &r, d);
}

int show_fetch(struct ctl *c, struct doc *d)
{
    int rc = show_status(c, d, "");
    if (rc == 0 && doc_next(d, NULL, "instance") != NULL)
        (void)show_report(c, d, ROLE_VRRPD, REPORT_WHAT_STATE, 0, 0); /* without it the screen says less */
    return rc;
}

int show_find(const struct doc *s, const char *name, struct show_found *out)
{
    const struct doc_part *server = doc_next(s, NULL, "server"), *service = doc_named(s, "service", name);
    *out = (struct show_found){ .server = "" };
    out->generation = (uint32_t)doc_int(doc_next(s, NULL, "daemon"), "generation", 0);
    out->instance = (uint32_t)doc_int(doc_next(s, NULL, "instance"), "id", 0);
    out->group = (uint32_t)doc_int(doc_next(s, NULL, "group"), "id", 0);
    if (service == NULL)
        service = doc_next(s, NULL, "service"); /* by its natural key */
    if (service != NULL) {
        out->service = (uint32_t)doc_int(service, "id", 0);
    } else if (server != NULL) {
        out->service = (uint32_t)doc_int(server, "service_id", 0);
        out->server = server->name;
    }
    /* an empty name asked for everything: what came first has not been named */
    if (name[0] != '\0' && (out->instance != 0 || out->group != 0 || out->service != 0))
        return 0;
    dprintf(STDERR_FILENO, "holdctl: nothing here is called %s; holdctl status lists the names\n",
            name[0] != '\0' ? name : "\"\"");
    return -1;
}

int show_json(const struct doc *d, const char *command, const char *const *also)
{
    render_print(render_doc(d, command, also));
    return CTL_OK;
}

void show_keep(struct doc *d, const char *const *kinds)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        const char *const *k = kinds;
        while (*k != NULL && strcmp(*k, d->v[i].kind) != 0)
            k++;
        if (*k != NULL)
            d->v[n++] = d->v[i];
        else
            free(d->v[i].v);
    }
    d->n = n;
}

void show_options(struct ctl *c, int *argc, char **argv)
{
    int n = 0;
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            c->json = true;
        else
            argv[n++] = argv[i];
    }
    *argc = n;
}

/* ---- the one screen */

static void screen_head(const struct doc *d, const struct out *o)
{
    const struct doc_part *p = doc_next(d, NULL, "daemon"), *r = doc_next(d, NULL, "reload");
    char up[24], at[80];
    const char *phase = doc_str(p, "phase", "?");
    out_say(o, OUT_HEAD, "holdfast %s", doc_str(p, "version", ""));
    fputs("  ", o->f);
    out_say(o, strcmp(phase, "running") == 0 ? OUT_GOOD : OUT_WARN, "%s", phase);
    fprintf(o->f, "  pid %s, up %s, %s (generation %s", doc_str(p, "pid", "?"),
            out_ago(doc_real(p, "uptime_ms", 0) / 1000, up, sizeof up), doc_str(p, "config_file", ""),
            doc_str(p, "generation", "-"));
    if (doc_int(p, "config_warnings", 0) > 0)
        fprintf(o->f, ", %s warnings", doc_str(p, "config_warnings", ""));
    fputs(")\n", o->f);
    if (doc_int(p, "config_errors", 0) > 0)
        out_say(o, OUT_BAD, "%s statements of the configuration are errors and were left out (--lenient)\n",
                doc_str(p, "config_errors", ""));
    if (doc_int(r, "count", 0) > 0 && doc_int(r, "status", 0) != 0) {
        out_say(o, OUT_BAD, "the last reload, %s, was refused; the old configuration is in force:\n",
                out_when(o, doc_real(r, "at", 0), at, sizeof at));
        for (size_t i = 0; doc_at(r, "diagnosis", i) != NULL && i < 6; i++)
            fprintf(o->f, "    %s\n", doc_at(r, "diagnosis", i));
    }
}

static void screen_processes(const struct doc *d, const struct out *o)
{
    struct out_table t;
    char at[80];
    out_table(&t, (const char *[]){ "PROCESS", "STATE", "PID", "RESTARTS", "USER", "SINCE", NULL });
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "role")) != NULL;) {
        const char *state = doc_str(p, "state", "");
        out_cell(&t, OUT_PLAIN, "%s", p->name);
        out_cell(&t, out_state(state), "%s", state);
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "pid", "-"));
        out_cell(&t, doc_int(p, "restarts", 0) > 0 ? OUT_WARN : OUT_PLAIN, "%s", doc_str(p, "restarts", ""));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "jail_user", "-"));
        out_cell(&t, OUT_PLAIN, "%s", out_when(o, doc_real(p, "started", 0), at, sizeof at));
    }
    out_flush(o, &t);
}

static void screen_instances(const struct doc *d, const struct out *o)
{
    struct out_table t;
    char at[80];
    out_table(&t, (const char *[]){ "INSTANCE", "STATE", "PRIORITY", "VRID", "INTERFACE", "SINCE",
                                    "MASTER IS", "WHY", NULL });
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "instance")) != NULL;) {
        const struct doc_part *v = doc_with(d, NULL, "vrrp_instance", "id", doc_str(p, "id", ""));
        const char *state = doc_str(p, "state", ""), *master = doc_str(v, "master", "-");
        out_cell(&t, OUT_PLAIN, "%s", p->name);
        out_cell(&t, out_state(state), "%s", state);
        if (doc_int(p, "priority", 0) == doc_int(p, "base_priority", 0))
            out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "priority", ""));
        else
            out_cell(&t, OUT_WARN, "%s (of %s)", doc_str(p, "priority", ""), doc_str(p, "base_priority", ""));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "vrid", ""));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "interface", ""));
        out_cell(&t, OUT_PLAIN, "%s", out_when(o, doc_real(p, "since", 0), at, sizeof at));
        out_cell(&t, OUT_PLAIN, "%s",
                 strcmp(state, "MASTER") == 0   ? "this machine"
                 : strcmp(state, "BACKUP") == 0 ? master
                                                : "-");
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "cause", ""));
    }
    out_flush(o, &t);
    out_table(&t, (const char *[]){ "GROUP", "STATE", "SINCE", "WHY", NULL });
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "group")) != NULL;) {
        const char *state = doc_str(p, "state", "");
        out_cell(&t, OUT_PLAIN, "%s", p->name);
        out_cell(&t, out_state(state), "%s", state);
        out_cell(&t, OUT_PLAIN, "%s", out_when(o, doc_real(p, "since", 0), at, sizeof at));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "cause", ""));
    }
    out_flush(o, &t);
}

static void screen_row(const struct doc_part *p, const struct out *o, struct out_table *t, const char *count,
                       const char *indent)
{
    const char *state = doc_yes(p, "sorry") ? "sorry" : doc_str(p, "state", "");
    char at[80];
    out_cell(t, OUT_PLAIN, "%s%s", indent, p->name);
    out_cell(t, out_state(state), "%s", state);
    out_cell(t, OUT_PLAIN, "%s", count);
    out_cell(t, OUT_PLAIN, "%s", out_when(o, doc_real(p, "since", 0), at, sizeof at));
    out_cell(t, OUT_PLAIN, "%s", doc_str(p, "cause", ""));
}

static void screen_services(const struct doc *d, const struct out *o)
{
    struct out_table t;
    char count[60];
    long long omitted = doc_int(doc_next(d, NULL, "lvs"), "servers_omitted", 0);
    out_table(&t, (const char *[]){ "SERVICE / SERVER", "STATE", "UP / WEIGHT", "SINCE", "WHY", NULL });
    for (const struct doc_part *v = NULL, *p; (v = doc_next(d, v, "service")) != NULL;) {
        snprintf(count, sizeof count, "%.20s of %.20s", doc_str(v, "real_servers_up", ""),
                 doc_str(v, "real_servers", ""));
        screen_row(v, o, &t, count, "");
        for (p = NULL; (p = doc_with(d, p, "server", "service_id", doc_str(v, "id", ""))) != NULL;)
            screen_row(p, o, &t, doc_str(p, "weight", ""), "  ");
    }
    out_flush(o, &t);
    if (omitted > 0)
        fprintf(o->f, "%lld more servers are up: holdctl show lvs\n", omitted);
}

static void screen_orders(const struct doc *d, const struct out *o)
{
    struct out_table t;
    char at[80];
    out_table(&t, (const char *[]){ "ORDER", "FOR", "SERVICE", "SINCE", NULL });
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "order")) != NULL;) {
        out_cell(&t, OUT_WARN, "%s%s%s", doc_str(p, "kind", ""),
                 strcmp(doc_str(p, "kind", ""), "weight") == 0 ? " " : "",
                 strcmp(doc_str(p, "kind", ""), "weight") == 0 ? doc_str(p, "weight", "") : "");
        out_cell(&t, OUT_PLAIN, "%s", p->name);
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "service", ""));
        out_cell(&t, OUT_PLAIN, "%s", out_when(o, doc_real(p, "since", 0), at, sizeof at));
    }
    out_flush(o, &t);
}

void show_screen(const struct doc *d, const struct out *o)
{
    screen_head(d, o);
    fputc('\n', o->f);
    screen_processes(d, o);
    if (doc_next(d, NULL, "instance") != NULL)
        fputc('\n', o->f);
    screen_instances(d, o);
    if (doc_next(d, NULL, "service") != NULL)
        fputc('\n', o->f);
    screen_services(d, o);
    if (doc_next(d, NULL, "order") != NULL)
        fputc('\n', o->f);
    screen_orders(d, o);
}
