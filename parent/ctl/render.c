/* render.c - see render.h. */
#include "parent/ctl/render.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

enum render_type {
    RENDER_TEXT,
    RENDER_WHOLE,
    RENDER_REAL,
    RENDER_YES,
    RENDER_TEXTS,
    RENDER_TIME,
    RENDER_SPAN,
    RENDER_SECTION,       /* not a field: the section behind follows */
    RENDER_SECTION_SINGLE /* ... which is one object, not a list */
};

/* A row of fields.def; of a section key is its kind. */
struct render_row {
    enum render_type type;
    const char *key, *member, *help;
};

static const struct render_row render_rows[] = {
#define PART(kind, member, many, help) { many ? RENDER_SECTION : RENDER_SECTION_SINGLE, #kind, member, help },
#define FIELD(key, type, help)         { RENDER_##type, #key, "", help },
#include "parent/ctl/fields.def"
};

#define RENDER_ROWS (sizeof render_rows / sizeof render_rows[0])

static bool render_is_section(const struct render_row *r)
{
    return r->type == RENDER_SECTION || r->type == RENDER_SECTION_SINGLE;
}

static const struct render_row *render_section(const char *kind)
{
    for (size_t i = 0; i < RENDER_ROWS; i++)
        if (render_is_section(&render_rows[i]) && strcmp(render_rows[i].key, kind) == 0)
            return &render_rows[i];
    return NULL;
}

/* Unknown keys are texts: a newer daemon tells more than this tool knows. */
static enum render_type render_type(const struct render_row *section, const char *key)
{
    for (const struct render_row *r = section != NULL ? section + 1 : render_rows + RENDER_ROWS;
         r < render_rows + RENDER_ROWS && !render_is_section(r); r++)
        if (strcmp(r->key, key) == 0)
            return r->type;
    return RENDER_TEXT;
}

static json_t *render_text(const char *s)
{
    json_t *t = json_string(s);
    return t != NULL ? t : json_string("(not UTF-8)");
}

static json_t *render_value(enum render_type t, const char *value)
{
    switch (t) {
    case RENDER_WHOLE: return json_integer(strtoll(value, NULL, 10));
    case RENDER_REAL:
    case RENDER_TIME:
    case RENDER_SPAN: return json_real(strtod(value, NULL));
    case RENDER_YES: return json_boolean(strcmp(value, "yes") == 0);
    case RENDER_TEXT:
    case RENDER_TEXTS:
    case RENDER_SECTION:
    case RENDER_SECTION_SINGLE: break;
    }
    return render_text(value);
}

/* A second value of the same key makes it a list. */
static void render_put(json_t *o, const char *key, json_t *v, bool list)
{
    json_t *was = json_object_get(o, key);
    if (was != NULL && json_is_array(was)) {
        json_array_append_new(was, v);
    } else if (was != NULL || list) {
        json_t *l = json_array();
        if (was != NULL)
            json_array_append(l, was);
        json_array_append_new(l, v);
        json_object_set_new(o, key, l);
    } else {
        json_object_set_new(o, key, v);
    }
}

/* Keywords of an object of the configuration: any, so not in fields.def. */
static void render_option(json_t *o, const char *key, const char *value)
{
    json_t *options = json_object_get(o, "options");
    if (options == NULL) {
        options = json_object();
        json_object_set_new(o, "options", options);
    }
    render_put(options, key, render_text(value), false);
}

json_t *render_part(const struct doc_part *p)
{
    static const char option[] = "option.";
    const struct render_row *section = render_section(p->kind);
    json_t *o = json_object();
    if (p->name[0] != '\0' || (section != NULL && section->type == RENDER_SECTION))
        json_object_set_new(o, "name", render_text(p->name));
    for (size_t i = 0; i < p->n; i++) {
        const struct doc_pair *v = &p->v[i];
        enum render_type t = render_type(section, v->key);
        if (strncmp(v->key, option, sizeof option - 1) == 0)
            render_option(o, v->key + sizeof option - 1, v->value);
        else
            render_put(o, v->key, render_value(t, v->value), t == RENDER_TEXTS);
    }
    return o;
}

json_t *render_doc(const struct doc *d, const char *command, const char *const *also)
{
    json_t *root = json_object();
    json_object_set_new(root, "schema", json_integer(RENDER_SCHEMA));
    if (command != NULL)
        json_object_set_new(root, "command", json_string(command));
    for (; also != NULL && *also != NULL; also++) {
        const struct render_row *s = render_section(*also);
        json_object_set_new(root, s != NULL ? s->member : *also, json_array());
    }
    for (size_t i = 0; i < d->n; i++) {
        const struct render_row *s = render_section(d->v[i].kind);
        json_t *o = render_part(&d->v[i]);
        if (s != NULL && s->type == RENDER_SECTION_SINGLE)
            json_object_set_new(root, s->member, o);
        else
            render_put(root, s != NULL ? s->member : d->v[i].kind, o, true);
    }
    return root;
}

char *render_dump(json_t *root, size_t flags)
{
    char *out = json_dumps(root, flags | JSON_REAL_PRECISION(16)), *line;
    json_decref(root);
    if (out == NULL || asprintf(&line, "%s\n", out) < 0)
        fatal("out of memory");
    free(out);
    return line;
}

void render_print(json_t *root)
{
    char *text = render_dump(root, JSON_INDENT(2));
    fputs(text, stdout);
    fflush(stdout);
    free(text);
}

void render_schema(FILE *f)
{
    static const char *const types[] = { [RENDER_TEXT] = "text",
                                         [RENDER_WHOLE] = "integer",
                                         [RENDER_REAL] = "number",
                                         [RENDER_YES] = "boolean",
                                         [RENDER_TEXTS] = "texts",
                                         [RENDER_TIME] = "time",
                                         [RENDER_SPAN] = "seconds",
                                         [RENDER_SECTION] = "array of objects",
                                         [RENDER_SECTION_SINGLE] = "object" };
    for (size_t i = 0; i < RENDER_ROWS; i++) {
        const struct render_row *r = &render_rows[i];
        if (!render_is_section(r)) {
            fprintf(f, "| `%s` | %s | %s |\n", r->key, types[r->type], r->help);
            continue;
        }
        fprintf(f, "\n### `%s`: %s\n\n%s.\n\n| member | type | |\n|---|---|---|\n", r->member, types[r->type],
                r->help);
        if (r->type == RENDER_SECTION)
            fprintf(f, "| `name` | text | |\n");
    }
}
