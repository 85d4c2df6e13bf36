/* doc.c - see doc.h. */
#include "parent/ctl/doc.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static struct doc_part *doc_section(struct doc *d, char *line, size_t n)
{
    line[n - 1] = '\0';
    char *space = strchr(line + 1, ' ');
    if (space != NULL)
        *space = '\0';
    if ((d->n & (d->n - 1)) == 0)
        d->v = xrealloc(d->v, (d->n == 0 ? 1 : 2 * d->n) * sizeof *d->v);
    d->v[d->n] = (struct doc_part){ .kind = line + 1, .name = space != NULL ? space + 1 : "" };
    return &d->v[d->n++];
}

static void doc_line(struct doc_part *p, char *line)
{
    char *eq = strchr(line, '=');
    if (p == NULL || eq == NULL || eq == line)
        return;
    *eq = '\0';
    if ((p->n & (p->n - 1)) == 0)
        p->v = xrealloc(p->v, (p->n == 0 ? 1 : 2 * p->n) * sizeof *p->v);
    p->v[p->n++] = (struct doc_pair){ .key = line, .value = eq + 1 };
}

void doc_add(struct doc *d, const char *text)
{
    char *copy = xstrdup(text), *save = NULL;
    struct doc_part *p = NULL;
    for (char *c = copy; *c != '\0'; c++)
        if (((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7f)
            *c = '?';
    d->text = xrealloc(d->text, (d->ntext + 1) * sizeof *d->text);
    d->text[d->ntext++] = copy;
    for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        size_t n = strlen(line);
        if (n > 2 && line[0] == '[' && line[n - 1] == ']')
            p = doc_section(d, line, n);
        else
            doc_line(p, line);
    }
}

void doc_free(struct doc *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->v[i].v);
    for (size_t i = 0; i < d->ntext; i++)
        free(d->text[i]);
    free(d->v);
    free(d->text);
    *d = (struct doc){ 0 };
}

const struct doc_part *doc_next(const struct doc *d, const struct doc_part *prev, const char *kind)
{
    for (size_t i = prev != NULL ? (size_t)(prev - d->v) + 1 : 0; i < d->n; i++)
        if (strcmp(d->v[i].kind, kind) == 0)
            return &d->v[i];
    return NULL;
}

const struct doc_part *doc_named(const struct doc *d, const char *kind, const char *name)
{
    const struct doc_part *p = NULL;
    while ((p = doc_next(d, p, kind)) != NULL && strcmp(p->name, name) != 0)
        ;
    return p;
}

const struct doc_part *doc_with(const struct doc *d, const struct doc_part *prev, const char *kind,
                                const char *key, const char *value)
{
    const struct doc_part *p = prev;
    while ((p = doc_next(d, p, kind)) != NULL && strcmp(doc_str(p, key, ""), value) != 0)
        ;
    return p;
}

const char *doc_at(const struct doc_part *p, const char *key, size_t i)
{
    for (size_t k = 0; p != NULL && k < p->n; k++)
        if (strcmp(p->v[k].key, key) == 0 && i-- == 0)
            return p->v[k].value;
    return NULL;
}

const char *doc_str(const struct doc_part *p, const char *key, const char *dflt)
{
    const char *v = doc_at(p, key, 0);
    return v != NULL ? v : dflt;
}

long long doc_int(const struct doc_part *p, const char *key, long long dflt)
{
    const char *v = doc_at(p, key, 0);
    return v != NULL ? strtoll(v, NULL, 10) : dflt;
}

double doc_real(const struct doc_part *p, const char *key, double dflt)
{
    const char *v = doc_at(p, key, 0);
    return v != NULL ? strtod(v, NULL) : dflt;
}

bool doc_yes(const struct doc_part *p, const char *key)
{
    return strcmp(doc_str(p, key, ""), "yes") == 0;
}
