/* render.c - see render.h. The JSON library lives here, in the operator's tool, and not in the daemon that
 * holds root. */
#include "parent/ctl/render.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* Calls section for "[a b]" (name "" when there is none) and pair for "key=value". */
struct render_ops {
    void (*section)(void *arg, const char *kind, const char *name);
    void (*pair)(void *arg, const char *key, const char *value);
    void *arg;
};

static void render_line(char *line, const struct render_ops *o)
{
    size_t n = strlen(line);
    if (n > 1 && line[0] == '[' && line[n - 1] == ']') {
        line[n - 1] = '\0';
        char *space = strchr(line + 1, ' ');
        if (space != NULL)
            *space = '\0';
        o->section(o->arg, line + 1, space != NULL ? space + 1 : "");
        return;
    }
    char *eq = strchr(line, '=');
    if (eq == NULL)
        return;
    *eq = '\0';
    o->pair(o->arg, line, eq + 1);
}

static void render_lines(char *text, const struct render_ops *o)
{
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        render_line(line, o);
}

/* ---- JSON
 * ---------------------------------------------------------------------------------------------------------
 */

struct render_json {
    json_t *root, *section;
};

static void render_json_section(void *arg, const char *kind, const char *name)
{
    struct render_json *j = arg;
    j->section = json_object();
    if (name[0] == '\0') {
        json_object_set_new(j->root, kind, j->section);
        return;
    }
    char list[64];
    snprintf(list, sizeof list, "%ss", kind);
    json_t *l = json_object_get(j->root, list);
    if (l == NULL) {
        l = json_array();
        json_object_set_new(j->root, list, l);
    }
    json_object_set_new(j->section, "name", json_string(name));
    json_array_append_new(l, j->section);
}

static bool render_is_number(const char *key, const char *value)
{
    size_t n = strspn(value, "0123456789");
    return n > 0 && n < 16 && value[n] == '\0' && strstr(key, "cap_") == NULL && strcmp(key, "cause") != 0 &&
           strcmp(key, "interface") != 0 && strcmp(key, "version") != 0;
}

static void render_json_pair(void *arg, const char *key, const char *value)
{
    struct render_json *j = arg;
    if (j->section == NULL)
        return;
    json_t *v = render_is_number(key, value) ? json_integer(strtoll(value, NULL, 10)) : json_string(value);
    if (v == NULL)
        v = json_string("(not UTF-8)");
    json_object_set_new(j->section, key, v);
}

char *render_json(char *text)
{
    struct render_json j = { .root = json_object() };
    struct render_ops o = { render_json_section, render_json_pair, &j };
    char *out, *line;
    render_lines(text, &o);
    out = json_dumps(j.root, JSON_INDENT(2));
    json_decref(j.root);
    if (out == NULL || asprintf(&line, "%s\n", out) < 0)
        fatal("out of memory");
    free(out);
    return line;
}

/* ---- people
 * ------------------------------------------------------------------------------------------------------- */

static void render_people_section(void *arg, const char *kind, const char *name)
{
    fprintf(arg, "%s%s%s\n", kind, name[0] != '\0' ? " " : "", name);
}

static void render_people_pair(void *arg, const char *key, const char *value)
{
    fprintf(arg, "    %-18s %s\n", key, value);
}

char *render_people(char *text)
{
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);
    struct render_ops o = { render_people_section, render_people_pair, f };
    if (f != NULL)
        render_lines(text, &o);
    if (f == NULL || fclose(f) != 0)
        fatal("out of memory");
    return out;
}
