/*
 * diag_json.c - diagnostics as one JSON document, for editors and CI (`-t --json`). libjansson writes it:
 * strings are cleaned to valid UTF-8 first, so it never refuses one. Called once, by program.c, in the whole
 * program only.
 */
#include "parent/conf/diag_int.h"

#include <jansson.h>
#include <string.h>

static json_t *diag_json_str(const char *s)
{
    char buf[DIAG_TEXT_MAX * 4];

    diag_clean(s, strlen(s), buf, sizeof(buf));
    return json_string(buf);
}

static void diag_json_place(json_t *o, const struct conf_pos *pos)
{
    struct diag_place p;

    diag_place(pos, &p);
    if (!p.file[0])
        return;
    json_object_set_new(o, "file", diag_json_str(p.file));
    if (!p.line)
        return;
    json_object_set_new(o, "line", json_integer(p.line));
    json_object_set_new(o, "column", json_integer(p.column));
    json_object_set_new(o, "length", json_integer(p.length));
}

static void diag_json_chain(json_t *o, const struct diag_item *it)
{
    const struct conf_src *s = it->pos.via ? it->pos.via : it->pos.src;
    json_t *chain;

    if (it->pos.via) {
        json_t *via = json_object();

        diag_json_place(via, &(struct conf_pos){ .src = it->pos.via, .len = it->pos.via->len });
        json_object_set_new(o, "definition_used_at", via);
    }
    if (!s || !s->file->from)
        return;
    chain = json_array();
    for (s = s->file->from; s; s = s->file->from) {
        json_t *e = json_object();

        json_object_set_new(e, "file", diag_json_str(s->file->name));
        json_object_set_new(e, "line", json_integer(s->line));
        json_array_append_new(chain, e);
    }
    json_object_set_new(o, "included_from", chain);
}

static json_t *diag_json_item(const struct diag_item *it)
{
    json_t *o = json_object();
    struct diag_excerpt e;

    json_object_set_new(o, "severity", json_string(diag_severity_name(it->severity)));
    json_object_set_new(o, "code", json_string(it->code));
    json_object_set_new(o, "message", diag_json_str(it->message));
    diag_json_place(o, &it->pos);
    if (it->demoted)
        json_object_set_new(o, "dropped", json_true());
    if (it->suggest)
        json_object_set_new(o, "suggestion", diag_json_str(it->suggest));
    if (it->help)
        json_object_set_new(o, "help", diag_json_str(it->help));
    if (diag_excerpt(it, &e))
        json_object_set_new(o, "source", json_string(e.text));
    if (it->nrelated) {
        json_t *rel = json_array();

        for (size_t i = 0; i < it->nrelated; i++) {
            json_t *r = json_object();

            json_object_set_new(r, "message", diag_json_str(it->related[i].text));
            diag_json_place(r, &it->related[i].pos);
            json_array_append_new(rel, r);
        }
        json_object_set_new(o, "related", rel);
    }
    diag_json_chain(o, it);
    return o;
}

int diag_print_json(struct diag *d, FILE *out, int status)
{
    json_t *root = json_object(), *list = json_array();
    int rc;

    diag_sort(d);
    for (size_t i = 0; i < d->n; i++) {
        if (!diag_repeats(d, i))
            json_array_append_new(list, diag_json_item(d->items[i]));
    }
    json_object_set_new(root, "format", json_integer(1));
    json_object_set_new(root, "status", json_integer(status));
    json_object_set_new(root, "errors", json_integer((json_int_t)d->count[DIAG_ERROR]));
    json_object_set_new(root, "warnings", json_integer((json_int_t)d->count[DIAG_WARNING]));
    json_object_set_new(root, "notes", json_integer((json_int_t)d->count[DIAG_NOTE]));
    json_object_set_new(root, "not_shown", json_integer((json_int_t)d->dropped));
    json_object_set_new(root, "diagnostics", list);
    rc = json_dumpf(root, out, JSON_INDENT(2));
    json_decref(root);
    if (rc || fputc('\n', out) == EOF || fflush(out))
        return -1;
    return 0;
}
