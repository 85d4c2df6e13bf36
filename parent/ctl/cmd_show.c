/*
 * cmd_show.c - holdctl show: one subject in full, from the process that knows it; holdctl schema. See show.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/ctl/render.h"
#include "parent/ctl/show.h"

typedef void show_fn(const struct doc *d, const struct out *o);

struct show_topic {
    const char *word;
    unsigned int roles; /* asked for their state */
    enum report_what what;
    bool by_name, status, scripts;
    const char *kinds[8];
    show_fn *print;
};

static void show_pairs(const struct doc_part *p, const struct out *o, const char *const *leave)
{
    for (size_t i = 0; i < p->n; i++) {
        const char *key = p->v[i].key, *value = p->v[i].value;
        char when[80];
        bool skip = strncmp(key, "rejected_", 9) == 0 && strcmp(value, "0") == 0;
        for (const char *const *l = leave; *l != NULL; l++)
            skip = skip || strcmp(*l, key) == 0;
        if (skip)
            continue;
        size_t n = strlen(key);
        if (strcmp(key, "since") == 0 || strcmp(key, "changed") == 0 || strcmp(key, "started") == 0 ||
            (n > 3 && strcmp(key + n - 3, "_at") == 0))
            value = out_when(o, strtod(value, NULL), when, sizeof when);
        fprintf(o->f, "    %-24s %s\n", key, value);
    }
}

static void show_parts(const struct doc *d, const struct out *o, const char *kind, const char *title)
{
    static const char *const leave[] = { "state", NULL };
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, kind)) != NULL;) {
        const char *state = doc_str(p, "state", doc_str(p, "result", ""));
        out_say(o, OUT_HEAD, "%s %s", title, p->name);
        fputs("  ", o->f);
        out_say(o, out_state(state), "%s", state);
        fputc('\n', o->f);
        show_pairs(p, o, leave);
    }
}

static void show_vrrp(const struct doc *d, const struct out *o)
{
    struct out_table t;
    char at[80];
    show_parts(d, o, "vrrp_instance", "instance");
    show_parts(d, o, "vrrp_group", "group");
    out_table(&t,
              (const char *[]){ "TRACKED BY", "KIND", "NAME", "RESULT", "WEIGHT", "ADDS", "SINCE", NULL });
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "track")) != NULL;) {
        const char *result = doc_str(p, "result", "");
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "instance", ""));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "kind", ""));
        out_cell(&t, OUT_PLAIN, "%s", p->name);
        out_cell(&t, out_state(result), "%s", result);
        out_cell(&t, OUT_PLAIN, "%s%s", doc_str(p, "weight", ""), doc_yes(p, "reverse") ? " reverse" : "");
        out_cell(&t, OUT_PLAIN, "%s", doc_yes(p, "fault") ? "FAULT" : doc_str(p, "adds", ""));
        out_cell(&t, OUT_PLAIN, "%s", out_when(o, doc_real(p, "changed", 0), at, sizeof at));
    }
    out_flush(o, &t);
    out_table(&t,
              (const char *[]){ "HEARD ON", "FROM", "PRIORITY", "USED", "LAST", "REJECTED", "WHY", NULL });
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "sender")) != NULL;) {
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "instance", ""));
        out_cell(&t, OUT_PLAIN, "%s", p->name);
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "priority", "-"));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "accepted", ""));
        out_cell(&t, OUT_PLAIN, "%s", out_when(o, doc_real(p, "accepted_at", 0), at, sizeof at));
        out_cell(&t, doc_int(p, "rejected", 0) > 0 ? OUT_WARN : OUT_PLAIN, "%s", doc_str(p, "rejected", ""));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "reason", ""));
    }
    out_flush(o, &t);
}

static void show_checks(const struct doc *d, const struct out *o)
{
    struct out_table t;
    char at[80];
    out_table(
        &t, (const char *[]){ "CHECK", "SERVER", "SERVICE", "STATE", "PASSED", "FAILED", "EVIDENCE", NULL });
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "check")) != NULL;) {
        const char *state = doc_str(p, "state", "");
        out_cell(&t, OUT_PLAIN, "%s", p->name);
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "server", ""));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "service", ""));
        out_cell(&t, out_state(state), "%s", doc_yes(p, "checked") ? state : "not checked yet");
        out_cell(&t, OUT_PLAIN, "%s", out_when(o, doc_real(p, "passed_at", 0), at, sizeof at));
        out_cell(&t, OUT_PLAIN, "%s", out_when(o, doc_real(p, "failed_at", 0), at, sizeof at));
        out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "evidence", ""));
    }
    out_flush(o, &t);
}

static void show_lvs(const struct doc *d, const struct out *o)
{
    struct out_table t;
    for (const struct doc_part *v = NULL, *p; (v = doc_next(d, v, "lvs_service")) != NULL;) {
        const char *state = doc_str(v, "state", ""), *id = doc_str(v, "id", "");
        out_say(o, OUT_HEAD, "service %s", v->name);
        fputs("  ", o->f);
        out_say(o, out_state(state), "%s", state);
        fprintf(o->f, "  weight %s of %s/%s servers, quorum %s, hysteresis %s%s%s%s\n",
                doc_str(v, "live_weight", "0"), doc_str(v, "servers_alive", "0"), doc_str(v, "servers", "0"),
                doc_str(v, "quorum", ""), doc_str(v, "hysteresis", ""),
                doc_yes(v, "sorry_serves") ? "; the sorry server serves" : "",
                doc_yes(v, "ha_suspend") ? "; ha_suspend" : "",
                doc_yes(v, "ha_suspend") && !doc_yes(v, "present") ? ": its address is not here, checks pause"
                                                                   : "");
        out_table(&t, (const char *[]){ "  SERVER", "ALIVE", "TABLE", "WEIGHT", "CONFIGURED",
                                        "CHECKS FAILING", NULL });
        for (p = NULL; (p = doc_with(d, p, "lvs_server", "service_id", id)) != NULL;) {
            out_cell(&t, OUT_PLAIN, "  %s%s", p->name, doc_yes(p, "sorry") ? " (sorry)" : "");
            out_cell(&t, doc_yes(p, "alive") ? OUT_GOOD : OUT_BAD, "%s", doc_str(p, "alive", ""));
            out_cell(&t, OUT_PLAIN, "%s", doc_yes(p, "in_table") ? "in" : "out");
            out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "table_weight", ""));
            out_cell(&t, OUT_PLAIN, "%s", doc_str(p, "configured_weight", ""));
            out_cell(&t, OUT_PLAIN, "%s of %s", doc_str(p, "checks_failing", "0"), doc_str(p, "checks", "0"));
        }
        out_flush(o, &t);
    }
}

static void show_scripts(const struct doc *d, const struct out *o)
{
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "script")) != NULL;) {
        const char *word;
        out_say(o, OUT_HEAD, "%s", p->name);
        fprintf(o->f, "\n    runs as %s%s:", doc_str(p, "user", ""),
                doc_yes(p, "user_known") ? "" : " (UNKNOWN: it counts as failed)");
        for (size_t i = 0; (word = doc_at(p, "argv", i)) != NULL; i++)
            fprintf(o->f, strpbrk(word, " \t'\"") != NULL ? " '%s'" : " %s", word);
        fputc('\n', o->f);
        if (doc_str(p, "complaint", NULL) != NULL)
            out_say(o, OUT_BAD, "    %s\n", doc_str(p, "complaint", ""));
    }
    show_parts(d, o, "tracker", "tracker");
}

static void show_processes(const struct doc *d, const struct out *o)
{
    show_parts(d, o, "role", "process");
}

static void show_objects(const struct doc *d, const struct out *o)
{
    for (const struct doc_part *p = NULL; (p = doc_next(d, p, "object")) != NULL;) {
        out_say(o, OUT_HEAD, "%s %s", doc_str(p, "block", ""), p->name);
        out_say(o, OUT_DIM, "  line %s\n", doc_str(p, "line", "?"));
        for (size_t i = 0; i < p->n; i++)
            if (strncmp(p->v[i].key, "option.", 7) == 0)
                fprintf(o->f, "    %s %s\n", p->v[i].key + 7, p->v[i].value);
    }
}

#define VRRPD  ROLE_BIT(ROLE_VRRPD)
#define CHECKD ROLE_BIT(ROLE_CHECKD)
#define IPVSD  ROLE_BIT(ROLE_IPVSD)

static const struct show_topic show_topics[] = {
    { "vrrp",
      VRRPD,
      REPORT_WHAT_STATE,
      true,
      false,
      false,
      { "vrrp_instance", "sender", "track", "arithmetic", "vrrp_group", "tracker", "interface" },
      show_vrrp },
    { "lvs",
      CHECKD,
      REPORT_WHAT_STATE,
      true,
      false,
      false,
      { "lvs_service", "lvs_server", "check" },
      show_lvs },
    { "checks", CHECKD, REPORT_WHAT_STATE, true, false, false, { "check" }, show_checks },
    { "scripts", VRRPD, REPORT_WHAT_STATE, false, false, true, { "script", "tracker" }, show_scripts },
    { "processes", 0, REPORT_WHAT_STATE, false, true, false, { "daemon", "role" }, show_processes },
    { "config", VRRPD | CHECKD | IPVSD, REPORT_WHAT_CONFIG, false, false, false, { "object" }, show_objects },
};

/* ---- the configuration: the same object in several slices is one */

static int show_by_id(const void *a, const void *b)
{
    long long x = doc_int(a, "id", 0), y = doc_int(b, "id", 0);
    return x < y ? -1 : x > y;
}

static bool show_has(const struct doc_part *p, const struct doc_pair *v)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->v[i].key, v->key) == 0 && strcmp(p->v[i].value, v->value) == 0)
            return true;
    return false;
}

static void show_join(struct doc_part *into, struct doc_part *from)
{
    size_t had = into->n, n = into->n;
    into->v = realloc(into->v, (into->n + from->n + 1) * sizeof *into->v);
    if (into->v == NULL)
        abort();
    for (size_t i = 0; i < from->n; i++) {
        into->n = had; /* against what was there, not against its own repetitions */
        if (!show_has(into, &from->v[i]))
            into->v[n++] = from->v[i];
    }
    into->n = n;
    free(from->v);
    *from = (struct doc_part){ .kind = "", .name = "" };
}

static void show_merge(struct doc *d)
{
    size_t n = 0;
    if (d->n > 1)
        qsort(d->v, d->n, sizeof *d->v, show_by_id);
    for (size_t i = 0; i < d->n; i++) {
        if (n > 0 && doc_int(&d->v[n - 1], "id", 0) == doc_int(&d->v[i], "id", -1))
            show_join(&d->v[n - 1], &d->v[i]);
        else
            d->v[n++] = d->v[i];
    }
    d->n = n;
}

/* What is called so, and what stands in it. False: nothing is. */
static bool show_only(struct doc *d, const char *name)
{
    bool *keep = calloc(d->n + 1, sizeof *keep), any = false;
    size_t n = 0;
    for (size_t i = 0; keep != NULL && i < d->n; i++) { /* ascending: a parent comes before */
        keep[i] = strcmp(d->v[i].name, name) == 0 || strcmp(doc_str(&d->v[i], "block", ""), name) == 0;
        for (size_t k = 0; k < i && !keep[i]; k++)
            keep[i] = keep[k] && doc_int(&d->v[k], "id", 0) == doc_int(&d->v[i], "parent", -1);
        any = any || keep[i];
    }
    for (size_t i = 0; keep != NULL && i < d->n; i++) {
        if (keep[i])
            d->v[n++] = d->v[i];
        else
            free(d->v[i].v);
    }
    d->n = n;
    free(keep);
    return any;
}

/* ---- the command */

static int show_ask(struct ctl *c, const struct show_topic *t, const char *name, struct doc *d)
{
    struct show_found found = { 0 };
    struct doc status = { 0 };
    uint32_t obj = 0;
    int rc = t->status ? show_status(c, d, "") : 0;
    if (rc == 0 && t->by_name && name != NULL) {
        rc = show_status(c, &status, name);
        if (rc == 0 && show_find(&status, name, &found) < 0)
            rc = CTL_FAILED;
        obj = t->roles == VRRPD ? (found.instance != 0 ? found.instance : found.group) : found.service;
    }
    doc_free(&status);
    if (rc == 0 && t->by_name && name != NULL && obj == 0) {
        dprintf(2, "holdctl: %s is nothing that 'show %s' shows\n", name, t->word);
        return CTL_FAILED;
    }
    if (rc == 0 && t->scripts) {
        char *text;
        int status_of;
        struct msg_ctl_request r = { .verb = CTL_VERB_SCRIPTS };
        rc = ctl_ask(c, &r, &text, &status_of);
        if (rc == 0) {
            doc_add(d, text);
            free(text);
        }
    }
    for (enum role r = ROLE_VRRPD; rc == 0 && r <= ROLE_IPVSD; r++)
        if (t->roles & ROLE_BIT(r))
            rc = show_report(c, d, r, t->what, obj, found.generation);
    return rc;
}

static const struct show_topic *show_topic(const char *word)
{
    for (size_t i = 0; i < sizeof show_topics / sizeof *show_topics; i++)
        if (strcmp(show_topics[i].word, word) == 0)
            return &show_topics[i];
    return NULL;
}

int cmd_show(struct ctl *c, int argc, char **argv)
{
    struct doc d = { 0 };
    struct out o;
    show_options(c, &argc, argv);
    const struct show_topic *t = argc >= 1 && argc <= 2 ? show_topic(argv[0]) : NULL;
    if (t == NULL)
        return ctl_misused("show");
    const char *name = argc == 2 ? argv[1] : NULL;
    int rc = show_ask(c, t, name, &d);
    if (rc == 0) {
        show_keep(&d, t->kinds);
        if (t->what == REPORT_WHAT_CONFIG)
            show_merge(&d);
        if (name != NULL && t->what == REPORT_WHAT_CONFIG && !show_only(&d, name)) {
            dprintf(2, "holdctl: nothing in the configuration is called %s\n", name);
            rc = CTL_FAILED;
        }
    }
    if (rc == 0 && c->json) {
        char command[40];
        snprintf(command, sizeof command, "show %s", t->word);
        rc = show_json(&d, command, t->kinds);
    } else if (rc == 0) {
        out_init(&o, stdout);
        t->print(&d, &o);
    }
    doc_free(&d);
    return rc;
}

int cmd_schema(struct ctl *c, int argc, char **argv)
{
    (void)c;
    (void)argv;
    if (argc != 0)
        return ctl_misused("schema");
    render_schema(stdout);
    return CTL_OK;
}
