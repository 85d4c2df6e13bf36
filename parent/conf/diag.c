/*
 * diag.c - the list of diagnostics: adding, refining, counting, sorting. Rendering is in diag_text.c and
 * diag_json.c. Called by all of parent/conf; the texts come from code, the values in them are hostile and are
 * cleaned when rendered.
 */
#include "parent/conf/diag_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/conf/locale.h"

struct diag *diag_new(void)
{
    return xcalloc(1, sizeof(struct diag));
}

static void diag_item_free(struct diag_item *it)
{
    free(it->message);
    free(it->help);
    free(it->suggest);
    for (size_t i = 0; i < it->nrelated; i++)
        free(it->related[i].text);
    free(it);
}

void diag_free(struct diag *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++)
        diag_item_free(d->items[i]);
    if (d->spare)
        diag_item_free(d->spare);
    free(d->items);
    free(d);
}

void diag_set_lenient(struct diag *d, bool on)
{
    d->lenient = on;
}

void diag_set_brief(struct diag *d, bool on)
{
    d->brief = on;
}

void diag_set_locale(struct diag *d, const struct locale *l)
{
    d->locale = l;
}

const char *diag_tr(const struct diag *d, const char *id)
{
    return locale_text(d->locale, id);
}

const char *diag_format(const struct diag *d, const char *id)
{
    return locale_format(d->locale, id);
}

static char *diag_vformat(const struct diag *d, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static char *diag_vformat(const struct diag *d, const char *fmt, va_list ap)
{
    char buf[DIAG_TEXT_MAX];
    int n = vsnprintf(buf, sizeof(buf), diag_format(d, fmt), ap);

    if (n >= (int)sizeof(buf))
        memcpy(buf + sizeof(buf) - 4, "...", 4);
    return xstrdup(n < 0 ? "" : buf);
}

/* Past DIAG_KEEP_MAX only the numbers go on: a configuration of millions of mistakes is told as that. */
static struct diag_item *diag_slot(struct diag *d)
{
    struct diag_item *it = xcalloc(1, sizeof(*it));

    if (d->n >= DIAG_KEEP_MAX) {
        if (d->spare)
            diag_item_free(d->spare);
        d->dropped++;
        d->spare = it;
        return it;
    }
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 64;
        d->items = xrealloc(d->items, d->cap * sizeof(d->items[0]));
    }
    d->items[d->n++] = it;
    return it;
}

struct diag_item *diag_add(struct diag *d, enum diag_severity sev, const char *code, struct conf_pos pos,
                           const char *fmt, ...)
{
    struct diag_item *it = diag_slot(d);
    va_list ap;

    it->owner = d;
    it->code = code;
    it->pos = pos;
    it->order = d->added++;
    it->severity = sev;
    if (sev == DIAG_ERROR && d->lenient) {
        it->severity = DIAG_WARNING;
        it->demoted = true;
    }
    d->count[it->severity]++;
    va_start(ap, fmt);
    it->message = diag_vformat(d, fmt, ap);
    va_end(ap);
    return it;
}

void diag_help(struct diag_item *it, const char *fmt, ...)
{
    va_list ap;

    free(it->help);
    va_start(ap, fmt);
    it->help = diag_vformat(it->owner, fmt, ap);
    va_end(ap);
}

void diag_suggest(struct diag_item *it, const char *word)
{
    free(it->suggest);
    it->suggest = word ? xstrdup(word) : NULL;
}

void diag_related(struct diag_item *it, struct conf_pos pos, const char *fmt, ...)
{
    struct diag_related *r;
    va_list ap;

    if (it->nrelated >= DIAG_RELATED_MAX)
        return;
    r = &it->related[it->nrelated++];
    r->pos = pos;
    va_start(ap, fmt);
    r->text = diag_vformat(it->owner, fmt, ap);
    va_end(ap);
}

void diag_hide(struct diag_item *it)
{
    it->hidden = true;
}

void diag_class(struct diag_item *it, enum diag_class c)
{
    it->class = c;
    if (it->severity == DIAG_ERROR)
        it->owner->class_seen[c] = true;
}

void diag_strict(struct diag_item *it)
{
    if (!it->demoted)
        return;
    it->demoted = false;
    it->owner->count[DIAG_WARNING]--;
    it->owner->count[DIAG_ERROR]++;
    it->severity = DIAG_ERROR;
    it->owner->class_seen[it->class] = true;
}

size_t diag_count(const struct diag *d, enum diag_severity sev)
{
    return d->count[sev];
}

int diag_exit_status(const struct diag *d, bool warnings_are_errors)
{
    if (!d->count[DIAG_ERROR])
        return warnings_are_errors && d->count[DIAG_WARNING] ? 5 : 0;
    if (d->class_seen[DIAG_CLASS_SECURITY])
        return 6;
    return d->class_seen[DIAG_CLASS_FILE] ? 4 : 5;
}

static int diag_order_u32(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

static int diag_compare(const void *pa, const void *pb)
{
    const struct diag_item *a = *(struct diag_item *const *)pa, *b = *(struct diag_item *const *)pb;
    const struct conf_src *sa = a->pos.src, *sb = b->pos.src;
    int c;

    if (!sa != !sb)
        return sa ? -1 : 1; /* what has no position comes last */
    if (sa) {
        c = diag_order_u32(sa->file->index, sb->file->index);
        if (!c)
            c = diag_order_u32(sa->line, sb->line);
        if (!c)
            c = diag_order_u32(a->pos.off, b->pos.off);
        if (c)
            return c;
    }
    return a->order < b->order ? -1 : 1;
}

void diag_sort(struct diag *d)
{
    if (d->n)
        qsort(d->items, d->n, sizeof(d->items[0]), diag_compare);
}

bool diag_repeats(const struct diag *d, size_t i)
{
    const struct diag_item *a, *b = d->items[i];

    if (!i)
        return false;
    a = d->items[i - 1];
    return b->pos.src && a->pos.src == b->pos.src && a->pos.off == b->pos.off && a->severity == b->severity &&
           !strcmp(a->code, b->code) && !strcmp(a->message, b->message);
}

size_t diag_total(const struct diag *d)
{
    return d->n;
}

void diag_view(const struct diag *d, size_t i, struct diag_view *out)
{
    const struct diag_item *it = d->items[i];
    struct diag_place p;

    diag_place(&it->pos, &p);
    *out = (struct diag_view){ .severity = it->severity,
                               .code = it->code,
                               .message = it->message,
                               .help = it->help,
                               .suggest = it->suggest,
                               .file = p.file,
                               .line = p.line,
                               .column = p.column,
                               .length = p.length };
}
