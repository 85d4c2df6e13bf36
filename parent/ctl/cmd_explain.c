/*
 * cmd_explain.c - `holdctl check --explain`: which user runs which command, which statement says so, when it
 * runs, and whether it can. Everything stands in the resolved model; see check.h.
 */
#include <string.h>

#include "parent/ctl/check.h"
#include "parent/ctl/tool.h"

static const struct {
    const char *file, *means;
} explain_files[] = {
    { "ok", "can be executed; nobody but root can change it" },
    { "missing", "does not exist: counts as failed until it does" },
    { "not-a-file", "is no regular file: counts as failed" },
    { "not-executable", "is not executable (chmod +x): counts as failed" },
    { "unsafe", "can be changed by others" },
    { "elsewhere", "is of another machine: not looked at" },
    { "unseen", "cannot be looked at by this user; the daemon judges it" },
};

static const char *explain_means(const char *file)
{
    for (size_t i = 0; i < sizeof explain_files / sizeof *explain_files; i++)
        if (strcmp(explain_files[i].file, file) == 0)
            return explain_files[i].means;
    return "";
}

static const char *explain_text(const json_t *runs, const char *key)
{
    const char *s = json_string_value(json_object_get(runs, key));
    return s != NULL ? s : "";
}

/* When: the interval of a check, or the event's name. */
static void explain_when(const json_t *owner, const char *keyword, char *out, size_t size)
{
    long long every = model_int(owner, "interval", 0), loop = model_int(owner, "delay_loop", 0);
    long long us = strcmp(keyword, "script") == 0 ? every : strcmp(keyword, "misc_path") == 0 ? loop : 0;
    if (us > 0)
        snprintf(out, size, "every %g s, at most %g s", (double)us / 1e6,
                 (double)model_int(owner, "timeout", model_int(owner, "misc_timeout", us)) / 1e6);
    else
        snprintf(out, size, "%s", keyword);
}

static json_t *explain_one(const json_t *owner, const json_t *cmd)
{
    char when[128];
    json_t *runs = json_object_get(cmd, "runs"), *j = json_deep_copy(runs);
    explain_when(owner, explain_text(runs, "keyword"), when, sizeof when);
    json_object_set_new(j, "when", json_string(when));
    json_object_set(j, "argv", model_list(cmd, "x_argv"));
    json_object_set_new(j, "file_means", json_string(explain_means(explain_text(runs, "file"))));
    json_object_set_new(j, "defined_at_line", json_integer(model_line(cmd)));
    return j;
}

static void explain_walk(const json_t *o, json_t *out)
{
    size_t i;
    json_t *in;
    json_array_foreach (json_object_get(o, "children"), i, in) {
        const char *kind = json_string_value(json_object_get(in, "kind"));
        if (kind != NULL && strcmp(kind, "cmd") == 0)
            json_array_append_new(out, explain_one(o, in));
        else
            explain_walk(in, out);
    }
}

json_t *explain_json(const json_t *top)
{
    json_t *out = json_array();
    explain_walk(top, out);
    return out;
}

static void explain_argv(const json_t *argv, FILE *out)
{
    size_t i;
    json_t *w;
    json_array_foreach (argv, i, w)
        fprintf(out, "%s%s", i > 0 ? " " : "", json_string_value(w));
}

void explain_print(const json_t *top, const char *file, FILE *out)
{
    json_t *list = explain_json(top), *j;
    size_t i;
    fprintf(out, "%s: %zu command%s\n", file, json_array_size(list), json_array_size(list) == 1 ? "" : "s");
    json_array_foreach (list, i, j) {
        const char *state = explain_text(j, "file"), *group = explain_text(j, "group");
        long long line = json_integer_value(json_object_get(j, "line"));
        fprintf(out, "\n%s (line %lld)\n    runs     ", explain_text(j, "of"),
                (long long)json_integer_value(json_object_get(j, "defined_at_line")));
        explain_argv(json_object_get(j, "argv"), out);
        fprintf(out, "\n    when     %s\n    as       %s%s%s%s\n", explain_text(j, "when"),
                explain_text(j, "user"), group[0] != '\0' ? " " : "", group,
                json_is_true(json_object_get(j, "user_exists"))
                    ? ""
                    : " (there is no such user: counts as failed)");
        fprintf(out, "    because  %s", explain_text(j, "because"));
        if (line > 0)
            fprintf(out, " (line %lld)", line);
        fprintf(out, "\n    file     %s%s%s", explain_text(j, "path"),
                explain_text(j, "path")[0] != '\0' ? " " : "", explain_means(state));
        if (strcmp(state, "unsafe") == 0) {
            bool refused = json_is_true(json_object_get(j, "root")) &&
                           json_is_true(json_object_get(j, "script_security"));
            fprintf(out, " (%s)%s", explain_text(j, "part"),
                    refused ? ": refused as root under enable_script_security, counts as failed" : "");
        }
        fputc('\n', out);
    }
    json_decref(list);
}
