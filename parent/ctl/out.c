/* out.c - see out.h. */
#include "parent/ctl/out.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "parent/ctl/finding.h"

static const char *const out_codes[] = {
    [OUT_PLAIN] = "",        [OUT_GOOD] = "\033[32m", [OUT_BAD] = "\033[31m",
    [OUT_WARN] = "\033[33m", [OUT_DIM] = "\033[2m",   [OUT_HEAD] = "\033[1m"
};

void out_init(struct out *o, FILE *f)
{
    struct winsize w = { 0 };
    *o = (struct out){ .f = f, .colour = finding_colour(f) };
    if (isatty(fileno(f)) && ioctl(fileno(f), TIOCGWINSZ, &w) == 0)
        *o = (struct out){ .f = f, .colour = o->colour, .width = w.ws_col, .height = w.ws_row };
    o->now = (double)clock_realtime_ns() / (double)NS_PER_SEC;
}

void out_say(const struct out *o, enum out_colour c, const char *fmt, ...)
{
    bool on = o->colour && c != OUT_PLAIN;
    va_list ap;
    if (on)
        fputs(out_codes[c], o->f);
    va_start(ap, fmt);
    vfprintf(o->f, fmt, ap);
    va_end(ap);
    if (on)
        fputs("\033[0m", o->f);
}

/* ---- columns */

static void out_put(struct out_table *t, enum out_colour c, char *text)
{
    if (t->cells % 64 == 0)
        t->v = xrealloc(t->v, (t->cells + 64) * sizeof *t->v);
    t->v[t->cells++] = (struct out_cell){ .text = text, .colour = c };
}

void out_table(struct out_table *t, const char *const *head)
{
    *t = (struct out_table){ 0 };
    for (; head[t->columns] != NULL && t->columns < OUT_COLUMNS; t->columns++)
        out_put(t, OUT_HEAD, xstrdup(head[t->columns]));
}

void out_cell(struct out_table *t, enum out_colour c, const char *fmt, ...)
{
    char *text;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        fatal("out of memory");
    va_end(ap);
    out_put(t, c, text);
}

/* Characters, not bytes: names may be in any script. */
static size_t out_length(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static size_t out_bytes(const char *s, size_t chars)
{
    size_t i = 0;
    for (; s[i] != '\0'; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80 && chars-- == 0)
            break;
    return i;
}

static void out_row(const struct out *o, const struct out_table *t, size_t row, const size_t *width)
{
    size_t at = 0;
    for (size_t c = 0; c < t->columns; c++) {
        const struct out_cell *cell = &t->v[row * t->columns + c];
        size_t n = out_length(cell->text), room = o->width > at ? o->width - at : 0;
        bool last = c + 1 == t->columns;
        if (o->width != 0 && n > room)
            n = room;
        out_say(o, cell->colour, "%.*s", (int)out_bytes(cell->text, n), cell->text);
        at += last ? n : width[c] + 2;
        bool more = false;
        for (size_t k = c + 1; k < t->columns; k++)
            more = more || t->v[row * t->columns + k].text[0] != '\0';
        if (!more)
            break;
        if (!last && (o->width == 0 || at < o->width))
            fprintf(o->f, "%*s", (int)(width[c] + 2 - n), "");
    }
    fputc('\n', o->f);
}

void out_flush(const struct out *o, struct out_table *t)
{
    size_t width[OUT_COLUMNS] = { 0 }, rows = t->columns != 0 ? t->cells / t->columns : 0;
    for (size_t i = 0; i < rows * t->columns; i++) {
        size_t n = out_length(t->v[i].text);
        if (n > width[i % t->columns])
            width[i % t->columns] = n;
    }
    for (size_t r = 0; rows > 1 && r < rows; r++)
        out_row(o, t, r, width);
    for (size_t i = 0; i < t->cells; i++)
        free(t->v[i].text);
    free(t->v);
    *t = (struct out_table){ 0 };
}

/* ---- words */

enum out_colour out_state(const char *state)
{
    static const struct {
        const char *word;
        enum out_colour colour;
    } words[] = { { "MASTER", OUT_GOOD },  { "UP", OUT_GOOD },      { "started", OUT_GOOD },
                  { "running", OUT_GOOD }, { "ok", OUT_GOOD },      { "FAULT", OUT_BAD },
                  { "DOWN", OUT_BAD },     { "failed", OUT_BAD },   { "off", OUT_DIM },
                  { "STOP", OUT_DIM },     { "unknown", OUT_WARN }, { "INIT", OUT_WARN } };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, state) == 0)
            return words[i].colour;
    return OUT_PLAIN;
}

const char *out_ago(double s, char *buf, size_t size)
{
    if (s < 0)
        s = 0;
    if (s < 10)
        snprintf(buf, size, "%.1f s", s);
    else if (s < 120)
        snprintf(buf, size, "%.0f s", s);
    else if (s < 7200)
        snprintf(buf, size, "%.0f min", s / 60);
    else if (s < 172800)
        snprintf(buf, size, "%.0f h", s / 3600);
    else
        snprintf(buf, size, "%.0f days", s / 86400);
    return buf;
}

static void out_local(const struct out *o, double at, const char *today, const char *other, char *buf,
                      size_t size)
{
    time_t t = (time_t)at, n = (time_t)o->now;
    struct tm tm, now;
    localtime_r(&t, &tm);
    localtime_r(&n, &now);
    bool same = tm.tm_yday == now.tm_yday && tm.tm_year == now.tm_year;
    if (strftime(buf, size, same ? today : other, &tm) == 0)
        buf[0] = '\0';
}

const char *out_when(const struct out *o, double at, char *buf, size_t size)
{
    char clock[40], ago[24];
    buf[0] = '\0';
    if (at <= 0)
        return buf;
    out_local(o, at, "%H:%M:%S", "%Y-%m-%d %H:%M", clock, sizeof clock);
    snprintf(buf, size, "%s (%s)", clock, out_ago(o->now - at, ago, sizeof ago));
    return buf;
}

const char *out_clock(const struct out *o, double at, char *buf, size_t size)
{
    char clock[40];
    out_local(o, at, "%H:%M:%S", "%Y-%m-%d %H:%M:%S", clock, sizeof clock);
    snprintf(buf, size, "%s.%03d", clock, (int)((at - (double)(long long)at) * 1000));
    return buf;
}
