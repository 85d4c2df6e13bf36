/* finding.c - see finding.h. */
#include "parent/ctl/finding.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "parent/ctl/ctl.h"

struct finding {
    enum finding_severity sev;
    const char *id;
    char *about, *text, *evidence;
    char **remedy;
    size_t nremedy;
};

static const struct {
    const char *word, *colour;
} finding_words[] = {
    [FINDING_NOTE] = { "note", "36" },
    [FINDING_WARNING] = { "warning", "33" },
    [FINDING_ERROR] = { "error", "31" },
};

bool finding_colour(FILE *out)
{
    return isatty(fileno(out)) && getenv("NO_COLOR") == NULL;
}

/* Printable and valid: names come from files and from the wire. */
static char *finding_text(const char *fmt, va_list ap)
{
    char *s;
    if (vasprintf(&s, fmt, ap) < 0)
        fatal("out of memory");
    for (char *p = s; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
    return s;
}

static void finding_free(struct finding *f)
{
    for (size_t i = 0; i < f->nremedy; i++)
        free(f->remedy[i]);
    free(f->remedy);
    free(f->about);
    free(f->text);
    free(f->evidence);
    free(f);
}

struct finding *finding_add(struct findings *l, enum finding_severity sev, const char *id, const char *about,
                            const char *fmt, ...)
{
    struct finding *f = xcalloc(1, sizeof *f);
    va_list ap;
    va_start(ap, fmt);
    f->text = finding_text(fmt, ap);
    va_end(ap);
    f->sev = sev;
    f->id = id;
    f->about = xstrdup(about);
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i]->id, id) == 0 && strcmp(l->v[i]->about, about) == 0 &&
            strcmp(l->v[i]->text, f->text) == 0) {
            finding_free(f);
            return l->v[i];
        }
    l->v = xrealloc(l->v, (l->n + 1) * sizeof *l->v);
    l->v[l->n++] = f;
    return f;
}

void finding_evidence(struct finding *f, const char *fmt, ...)
{
    va_list ap;
    free(f->evidence);
    va_start(ap, fmt);
    f->evidence = finding_text(fmt, ap);
    va_end(ap);
}

void finding_remedy(struct finding *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *line = finding_text(fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < f->nremedy; i++)
        if (strcmp(f->remedy[i], line) == 0) {
            free(line);
            return;
        }
    f->remedy = xrealloc(f->remedy, (f->nremedy + 1) * sizeof *f->remedy);
    f->remedy[f->nremedy++] = line;
}

size_t findings_count(const struct findings *l, enum finding_severity sev)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += l->v[i]->sev == sev;
    return n;
}

bool finding_is(const struct findings *l, const char *id, const char *about)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i]->id, id) == 0 && (about == NULL || strcmp(l->v[i]->about, about) == 0))
            return true;
    return false;
}

static json_t *finding_json(const struct finding *f)
{
    json_t *j = json_object(), *r = json_array();
    json_object_set_new(j, "id", json_string(f->id));
    json_object_set_new(j, "severity", json_string(finding_words[f->sev].word));
    json_object_set_new(j, "about", json_string(f->about));
    json_object_set_new(j, "text", json_string(f->text));
    if (f->evidence != NULL)
        json_object_set_new(j, "evidence", json_string(f->evidence));
    for (size_t i = 0; i < f->nremedy; i++)
        json_array_append_new(r, json_string(f->remedy[i]));
    json_object_set_new(j, "remedy", r);
    return j;
}

json_t *findings_json(const struct findings *l)
{
    json_t *a = json_array();
    for (int sev = FINDING_ERROR; sev >= FINDING_NOTE; sev--)
        for (size_t i = 0; i < l->n; i++)
            if ((int)l->v[i]->sev == sev)
                json_array_append_new(a, finding_json(l->v[i]));
    return a;
}

void findings_print(const struct findings *l, FILE *out)
{
    bool colour = finding_colour(out);
    for (int sev = FINDING_ERROR; sev >= FINDING_NOTE; sev--)
        for (size_t i = 0; i < l->n; i++) {
            const struct finding *f = l->v[i];
            if ((int)f->sev != sev)
                continue;
            if (colour)
                fprintf(out, "\033[1;%sm%s\033[0m[%s] ", finding_words[sev].colour, finding_words[sev].word,
                        f->id);
            else
                fprintf(out, "%s[%s] ", finding_words[sev].word, f->id);
            fprintf(out, "%s%s%s\n", f->about, f->about[0] != '\0' ? ": " : "", f->text);
            if (f->evidence != NULL)
                fprintf(out, "    seen: %s\n", f->evidence);
            for (size_t k = 0; k < f->nremedy; k++)
                fprintf(out, "    %s %s\n", k == 0 ? "do:  " : "     ", f->remedy[k]);
        }
}

int findings_exit(const struct findings *l)
{
    if (findings_count(l, FINDING_ERROR) > 0)
        return CTL_BAD;
    return findings_count(l, FINDING_WARNING) > 0 ? CTL_WARNED : CTL_OK;
}

void findings_free(struct findings *l)
{
    for (size_t i = 0; i < l->n; i++)
        finding_free(l->v[i]);
    free(l->v);
    *l = (struct findings){ 0 };
}
