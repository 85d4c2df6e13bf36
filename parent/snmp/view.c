/* view.c - see view.h. Everything of one refresh comes over one connection and within one deadline. */
#include "parent/snmp/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/err.h"
#include "parent/ctl/ask.h"

static void view_forget(struct view *v)
{
    doc_free(&v->vrrp);
    doc_free(&v->check);
    doc_free(&v->kernel);
    doc_free(&v->scripts);
    v->objects.n = 0;
    v->generation = v->pid = 0;
}

void view_free(struct view *v)
{
    view_forget(v);
    doc_free(&v->state);
    doc_free(&v->counts);
    free(v->by_id.v);
    free(v->objects.v);
    free(v->table);
    *v = (struct view){ 0 };
}

/* ---- finding */

static bool view_has_id(const char *kind)
{
    static const char *const kinds[] = { "vrrp_instance", "vrrp_group", "tracker",
                                         "lvs_service",   "lvs_server", "kernel_entry" };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i], kind) == 0)
            return true;
    return false;
}

static bool view_is_object(const char *kind)
{
    return strcmp(kind, "object") == 0;
}

static int view_order(const void *a, const void *b)
{
    const struct view_index *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void view_sort(struct view_list *l, const struct doc *d, bool (*has)(const char *kind))
{
    l->n = 0;
    l->v = xrealloc(l->v, (d->n + 1) * sizeof *l->v);
    for (size_t i = 0; i < d->n; i++) {
        const struct doc_part *p = &d->v[i];
        long long id = has(p->kind) ? doc_int(p, "id", 0) : 0;
        if (id > 0 && id <= UINT32_MAX)
            l->v[l->n++] = (struct view_index){ (uint32_t)id, p };
    }
    qsort(l->v, l->n, sizeof *l->v, view_order);
}

static const struct doc_part *view_find(const struct view_list *l, const char *kind, uint32_t id)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (l->v[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < l->n && l->v[low].id == id; low++)
        if (strcmp(l->v[low].part->kind, kind) == 0)
            return l->v[low].part;
    return NULL;
}

const struct doc_part *view_by_id(const struct view *v, const char *kind, uint32_t id)
{
    return view_find(&v->by_id, kind, id);
}

const struct doc_part *view_kernel(const struct view *v, uint32_t id)
{
    return view_find(&v->objects, "object", id);
}

/* ---- asking */

static int view_ask(const struct ask *a, struct doc *d, const struct msg_ctl_request *r)
{
    char *text;
    if (ask_text(a, r, &text) < 0)
        return -1;
    doc_add(d, text);
    free(text);
    return 0;
}

static int view_report(const struct ask *a, struct doc *d, enum role role, enum report_what what)
{
    const struct msg_ctl_request r = { .verb = CTL_VERB_REPORT,
                                       .role = (uint8_t)role,
                                       .what = (uint8_t)what };
    return view_ask(a, d, &r);
}

static bool view_needs(const struct doc *d, const char *role)
{
    return doc_yes(doc_named(d, "role", role), "needed");
}

/* A row of the table points at its service, which may move while the table grows: set when it is whole. */
static void view_row(const struct table_row *row, void *arg)
{
    struct view *v = arg;
    if (row->kind != TABLE_SERVICE && row->kind != TABLE_SERVER)
        return;
    if ((v->ntable & (v->ntable - 1)) == 0)
        v->table = xrealloc(v->table, (v->ntable == 0 ? 1 : 2 * v->ntable) * sizeof *v->table);
    v->table[v->ntable++] = *row;
}

static void view_table(struct view *v, const struct ask *a)
{
    const struct msg_ctl_request r = { .verb = CTL_VERB_REPORT,
                                       .role = ROLE_IPVSD,
                                       .what = REPORT_WHAT_IPVS };
    char *text;
    if (ask_text(a, &r, &text) < 0)
        return; /* no IPVS, or too many services: no statistics */
    table_read(text, view_row, v);
    free(text);
    const struct table_row *service = NULL;
    for (size_t i = 0; i < v->ntable; i++) {
        if (v->table[i].kind == TABLE_SERVICE)
            service = &v->table[i];
        v->table[i].service = v->table[i].kind == TABLE_SERVER ? service : NULL;
    }
}

/* The configuration in force, when it is not the one we have. */
static int view_config(struct view *v, const struct ask *a, const struct doc *state)
{
    const struct doc_part *d = doc_next(state, NULL, "daemon");
    const struct msg_ctl_request scripts = { .verb = CTL_VERB_SCRIPTS };
    long long generation = doc_int(d, "generation", 0), pid = doc_int(d, "pid", 0);
    if (v->generation == generation && v->pid == pid && pid != 0)
        return 0;
    view_forget(v);
    if ((view_needs(state, "vrrpd") && view_report(a, &v->vrrp, ROLE_VRRPD, REPORT_WHAT_CONFIG) < 0) ||
        (view_needs(state, "checkd") && view_report(a, &v->check, ROLE_CHECKD, REPORT_WHAT_CONFIG) < 0) ||
        (view_needs(state, "checkd") && view_report(a, &v->kernel, ROLE_IPVSD, REPORT_WHAT_CONFIG) < 0) ||
        view_ask(a, &v->scripts, &scripts) < 0) {
        view_forget(v);
        return -1;
    }
    view_sort(&v->objects, &v->kernel, view_is_object);
    v->generation = generation;
    v->pid = pid;
    return 0;
}

static int view_state(const struct ask *a, struct doc *state, struct doc *counts, bool kernel)
{
    const struct msg_ctl_request status = { .verb = CTL_VERB_STATUS };
    if (view_ask(a, state, &status) < 0)
        return -1;
    if (view_needs(state, "vrrpd") && (view_report(a, state, ROLE_VRRPD, REPORT_WHAT_STATE) < 0 ||
                                       view_report(a, counts, ROLE_VRRPD, REPORT_WHAT_METRICS) < 0))
        return -1;
    if (kernel && view_needs(state, "vrrpd"))
        (void)view_report(a, state, ROLE_IPVSD, REPORT_WHAT_STATE); /* without it that is not known */
    return view_needs(state, "checkd") ? view_report(a, state, ROLE_CHECKD, REPORT_WHAT_STATE) : 0;
}

int view_refresh(struct view *v, const char *socket, unsigned int wait_ms, unsigned int parts, bool *gone)
{
    struct doc state = { 0 }, counts = { 0 };
    struct timespec ts;
    struct ask a;
    *gone = ask_open(&a, socket, wait_ms) < 0;
    int rc = *gone ? -1 : view_state(&a, &state, &counts, (parts & VIEW_KERNEL) != 0);
    if (rc == 0)
        rc = view_config(v, &a, &state);
    int saved = errno;
    if (*gone || rc == 0) {
        doc_free(&v->state);
        doc_free(&v->counts);
        v->state = state;
        v->counts = counts;
        view_sort(&v->by_id, &v->state, view_has_id);
    } else {
        doc_free(&state);
        doc_free(&counts);
    }
    if (*gone || (rc == 0 && (parts & VIEW_TABLE)))
        v->ntable = 0;
    if (rc == 0 && (parts & VIEW_TABLE))
        view_table(v, &a);
    clock_gettime(CLOCK_REALTIME, &ts);
    v->now = (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
    ask_close(&a);
    errno = saved;
    return rc;
}

/* ---- reading */

static const struct doc_part *view_globals(const struct doc *d)
{
    return doc_with(d, NULL, "object", "block", "global_defs");
}

const char *view_global(const struct view *v, const char *key, const char *dflt)
{
    char option[100];
    snprintf(option, sizeof option, VIEW_OPTION "%s", key);
    const char *s = doc_str(view_globals(&v->vrrp), option, NULL);
    return s != NULL ? s : doc_str(view_globals(&v->check), option, dflt);
}

bool view_global_yes(const struct view *v, const char *key)
{
    return strcmp(view_global(v, key, "no"), "yes") == 0;
}

struct ipaddr view_addr(const char *text)
{
    struct ipaddr a;
    if (text == NULL || ipaddr_parse_prefix(text, &a) < 0)
        a = (struct ipaddr){ 0 };
    return a;
}

uint32_t view_ifindex(const struct view *v, const char *name)
{
    long long n = doc_int(doc_named(&v->state, "interface", name), "ifindex", 0);
    return n > 0 && n <= INT32_MAX ? (uint32_t)n : 0;
}

char *view_script(const struct view *v, const char *owner, const char *keyword)
{
    const struct doc_part *p = NULL;
    char *text;
    size_t len;
    while ((p = doc_with(&v->scripts, p, "script", "owner", owner)) != NULL &&
           strcmp(doc_str(p, "keyword", ""), keyword) != 0)
        ;
    if (p == NULL)
        return NULL;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        fatal("out of memory");
    const char *word;
    for (size_t i = 0; (word = doc_at(p, "argv", i)) != NULL; i++)
        fprintf(f, "%s'%s'", i > 0 ? " " : "", word);
    if (fclose(f) != 0)
        fatal("out of memory");
    return text;
}
