/*
 * clean.c - a physical line: comment off, blanks off, odd characters named.
 * Quotes protect # and !; so does a backslash. Blanks of other scripts are read as blanks (counted, one
 * warning a kind and file); what looks like ASCII but is not, what cannot be seen, NUL and open quotes are
 * errors, and repaired in a copy so that one mistake is told once. Plain lines are never copied. Called by
 * expand.c for every line.
 */
#include "parent/conf/text.h"

#include <stdio.h>
#include <string.h>

#include "parent/conf/diag_int.h"

enum clean_class { CLEAN_PLAIN, CLEAN_MARK, CLEAN_ODD };

bool text_blank(char ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

void xstr_skip(struct xstr *x, size_t n)
{
    x->s += n;
    x->len -= (uint32_t)n;
    if (x->map)
        x->map += n;
    else
        x->base += (uint32_t)n;
}

void xstr_trim(struct xstr *x)
{
    size_t n = 0;

    while (n < x->len && text_blank(x->s[n]))
        n++;
    xstr_skip(x, n);
    while (x->len && text_blank(x->s[x->len - 1]))
        x->len--;
}

struct conf_pos xstr_pos(const struct conf_ctx *c, const struct conf_src *src, const struct xstr *x,
                         size_t off, size_t len)
{
    uint32_t a = x->map ? x->map[off] : x->base + (uint32_t)off;
    uint32_t b = x->map ? x->map[off + len] : x->base + (uint32_t)(off + len);

    return (struct conf_pos){ .src = src, .via = c->via, .off = a, .len = b > a ? b - a : 1 };
}

static enum clean_class clean_class(unsigned char ch)
{
    if (ch >= 0x80 || ch < '\t' || ch == 0x7f)
        return CLEAN_ODD;
    return ch == '"' || ch == '#' || ch == '!' || ch == '\\' ? CLEAN_MARK : CLEAN_PLAIN;
}

/* Length of s without its comment. *open: offset + 1 of a quote that is not closed; *odd: something to look
 * at. */
static size_t clean_length(const char *s, size_t len, size_t *open, bool *odd)
{
    *open = 0;
    *odd = false;
    for (size_t i = 0; i < len; i++) {
        switch (clean_class((unsigned char)s[i])) {
        case CLEAN_PLAIN: break;
        case CLEAN_ODD: *odd = true; break;
        case CLEAN_MARK:
            if (s[i] == '"')
                *open = *open ? 0 : i + 1;
            else if (s[i] == '\\')
                i++; /* in quotes too: "...\"..." is one quote */
            else if (!*open)
                return i;
        }
    }
    return len;
}

void clean_comment(struct xstr *x)
{
    size_t open;
    bool odd;

    x->len = (uint32_t)clean_length(x->s, x->len, &open, &odd);
    xstr_trim(x);
}

/* Unicode that is meant as ASCII. twin 0: invisible. */
struct clean_twin {
    int32_t lo, hi;
    char twin;
    const char *what;
};

static const struct clean_twin clean_twins[] = {
    { 0x00a0, 0x00a0, ' ', DIAG_ID("no-break space") },
    { 0x2000, 0x200a, ' ', DIAG_ID("typographic space") },
    { 0x202f, 0x202f, ' ', DIAG_ID("narrow no-break space") },
    { 0x205f, 0x205f, ' ', DIAG_ID("mathematical space") },
    { 0x3000, 0x3000, ' ', DIAG_ID("ideographic space") },
    { 0x1680, 0x1680, ' ', DIAG_ID("ogham space") },
    { 0x2028, 0x2029, ' ', DIAG_ID("line separator") },
    { 0x0085, 0x0085, ' ', DIAG_ID("next-line character") },
    { 0x00ad, 0x00ad, 0, DIAG_ID("invisible character") },
    { 0x180e, 0x180e, 0, DIAG_ID("invisible character") },
    { 0x200b, 0x200f, 0, DIAG_ID("invisible character") },
    { 0x202a, 0x202e, 0, DIAG_ID("invisible character") },
    { 0x2060, 0x2069, 0, DIAG_ID("invisible character") },
    { 0xfeff, 0xfeff, 0, DIAG_ID("invisible character") },
    { 0x201c, 0x201f, '"', DIAG_ID("typographic quote") },
    { 0x2033, 0x2033, '"', DIAG_ID("typographic quote") },
    { 0x00ab, 0x00ab, '"', DIAG_ID("typographic quote") },
    { 0x00bb, 0x00bb, '"', DIAG_ID("typographic quote") },
    { 0x2018, 0x201b, '\'', DIAG_ID("typographic quote") },
    { 0x2032, 0x2032, '\'', DIAG_ID("typographic quote") },
    { 0xff02, 0xff02, '"', DIAG_ID("full-width quote") },
    { 0xff07, 0xff07, '\'', DIAG_ID("full-width quote") },
    { 0xff5b, 0xff5b, '{', DIAG_ID("full-width brace") },
    { 0xff5d, 0xff5d, '}', DIAG_ID("full-width brace") },
    { 0xff10, 0xff19, '0', DIAG_ID("full-width digit") },
    { 0xff03, 0xff03, '#', DIAG_ID("full-width number sign") },
};

static const struct clean_twin *clean_find(int32_t cp, char *twin)
{
    for (size_t i = 0; i < sizeof(clean_twins) / sizeof(clean_twins[0]); i++) {
        const struct clean_twin *t = &clean_twins[i];

        if (cp < t->lo || cp > t->hi)
            continue;
        *twin = t->twin == '0' ? (char)('0' + (cp - t->lo)) : t->twin;
        return t;
    }
    return NULL;
}

static void clean_count_blank(struct conf_ctx *c, int32_t cp, struct conf_pos pos)
{
    struct frame *f = c->frame;
    size_t i = 0;

    while (i < f->nodd && f->odd[i].cp != cp)
        i++;
    if (i == TEXT_ODD_MAX)
        return;
    if (i == f->nodd) {
        f->odd[i] = (struct odd_blank){ .cp = cp, .first = pos };
        f->nodd++;
    }
    f->odd[i].count++;
}

void clean_file_end(struct conf_ctx *c)
{
    struct frame *f = c->frame;

    for (size_t i = 0; i < f->nodd; i++) {
        const struct odd_blank *o = &f->odd[i];
        struct diag_item *it;
        char twin;

        it = diag_add(c->d, DIAG_WARNING, "HF-TEXT-BLANK", o->first, "%s U+%04X is read as a blank%s",
                      diag_tr(c->d, clean_find(o->cp, &twin)->what), (unsigned int)o->cp,
                      o->count > 1 ? diag_tr(c->d, " (the first of several)") : "");
        diag_help(
            it,
            "replace it by an ordinary space (%zu in this file); the incumbent takes it for part of the word",
            o->count);
    }
}

struct cleaner {
    struct conf_ctx *c;
    const struct conf_src *src;
    char *out;
    uint32_t *map;
    uint32_t n;
    bool bad;
    char quote_said; /* a typographic quote has been reported on this line */
    bool digit_said, invisible_said;
};

static void clean_put(struct cleaner *k, char ch, size_t off)
{
    k->map[k->n] = (uint32_t)off;
    k->out[k->n++] = ch;
}

static struct conf_pos clean_pos(const struct cleaner *k, size_t off, size_t len)
{
    return (struct conf_pos){ .src = k->src, .off = (uint32_t)off, .len = (uint32_t)len };
}

/* The keyword or word an invisible character sits in, without it, for the message. */
static void clean_neighbour(const struct cleaner *k, size_t off, char *out, size_t size)
{
    const char *s = k->src->text;
    size_t from = off, to = off, at = 0;

    while (from && !text_blank(s[from - 1]) && off - from < 40)
        from--;
    while (to < k->src->len && !text_blank(s[to]) && to - off < 40)
        to++;
    for (size_t i = from; i < to && at + 1 < size; i++) {
        if ((unsigned char)s[i] > 0x20 && (unsigned char)s[i] < 0x7f)
            out[at++] = s[i];
    }
    out[at] = '\0';
}

static void clean_say_invisible(struct cleaner *k, size_t off, size_t n, int32_t cp)
{
    struct diag_item *it;
    char word[64];

    k->bad = true;
    if (k->invisible_said)
        return;
    k->invisible_said = true;
    clean_neighbour(k, off, word, sizeof(word));
    it = diag_add(k->c->d, DIAG_ERROR, "HF-TEXT-INVISIBLE", clean_pos(k, off, n),
                  "invisible character U+%04X in %s%s", (unsigned int)cp,
                  word[0] ? "" : diag_tr(k->c->d, "the line"), word);
    diag_help(it, "delete it: it is part of the word for any program; retyping the word is the surest way");
}

static void clean_say_twin(struct cleaner *k, const struct clean_twin *t, size_t off, size_t n, int32_t cp,
                           char twin)
{
    struct diag_item *it;

    k->bad = true;
    if ((twin == '"' || twin == '\'') && k->quote_said)
        return;
    if (t->twin == '0' && k->digit_said)
        return;
    k->quote_said = twin == '"' || twin == '\'' ? twin : k->quote_said;
    k->digit_said = k->digit_said || t->twin == '0';
    it = diag_add(k->c->d, DIAG_ERROR, t->twin == '0' ? "HF-TEXT-DIGIT" : "HF-TEXT-TWIN",
                  clean_pos(k, off, n), "%s U+%04X where %s%c is expected", diag_tr(k->c->d, t->what),
                  (unsigned int)cp, t->twin == '0' ? diag_tr(k->c->d, "the digit ") : "", twin);
    diag_help(it, "write the ASCII character %c instead", twin);
}

/* One character that is not ASCII, outside quotes. Returns its length; may change the quote state. */
static size_t clean_unicode(struct cleaner *k, size_t i, size_t len, int32_t *smart)
{
    const char *s = k->src->text;
    const struct clean_twin *t;
    int32_t cp;
    size_t n = diag_utf8(s + i, len - i, &cp);
    char twin = 0;

    t = clean_find(cp, &twin);
    if (!t) {
        for (size_t j = 0; j < n; j++)
            clean_put(k, s[i + j], i + j);
        return n;
    }
    if (twin == ' ') {
        clean_count_blank(k->c, cp, clean_pos(k, i, n));
        clean_put(k, ' ', i);
        return n;
    }
    if (!twin) {
        clean_say_invisible(k, i, n, cp);
        return n;
    }
    clean_say_twin(k, t, i, n, cp, twin);
    clean_put(k, twin, i);
    if (twin == '"')
        *smart = cp;
    return n;
}

static void clean_nul(struct cleaner *k, size_t i)
{
    struct diag_item *it;

    if (k->bad)
        return;
    k->bad = true;
    it = diag_add(k->c->d, DIAG_ERROR, "HF-TEXT-NUL", clean_pos(k, i, 1), "NUL byte in the line");
    diag_help(it, "delete it; a file system or an editor may have damaged the file, check the rest of it");
}

/* Closes a quote that nobody closed, so that the rest of the reading sees a sound line. */
static void clean_close(struct cleaner *k, size_t open, size_t len)
{
    struct diag_item *it;

    clean_put(k, '"', len);
    if (k->quote_said == '"')
        return;
    k->bad = true;
    it = diag_add(k->c->d, DIAG_ERROR, "HF-QUOTE-OPEN", clean_pos(k, open - 1, 1),
                  "the quote opened here is not closed on this line");
    diag_help(it,
              "add the closing \" at the end of the value; a quoted value cannot go on over several lines");
}

/* The copying way, for lines with anything odd in them. len: without the comment, as far as ASCII can tell.
 */
static void clean_copy(struct conf_ctx *c, const struct conf_src *src, size_t start, size_t len,
                       struct xstr *x)
{
    struct cleaner k = { .c = c, .src = src };
    size_t room = len - start + 2, open = 0, i = start, n;
    int32_t smart = 0;

    k.out = conf_arena_alloc(c->a, room, 1);
    k.map = conf_arena_alloc(c->a, (room + 1) * sizeof(uint32_t), sizeof(uint32_t));
    for (; i < len; i += n) {
        unsigned char ch = (unsigned char)src->text[i];

        n = 1;
        if (ch == 0) {
            clean_nul(&k, i);
        } else if (ch == '"') {
            smart = open ? 0 : smart;
            open = open ? 0 : i + 1;
            clean_put(&k, '"', i);
        } else if (ch >= 0x80 && (!open || smart)) {
            int32_t was = smart;

            n = clean_unicode(&k, i, len, &smart);
            if (smart && k.n && k.out[k.n - 1] == '"' && k.map[k.n - 1] == i) {
                open = open ? 0 : i + 1;
                smart = was ? 0 : smart;
            }
        } else if (ch == '\\' && i + 1 < len) {
            clean_put(&k, '\\', i);
            if ((unsigned char)src->text[i + 1] < 0x80 && src->text[i + 1]) {
                clean_put(&k, src->text[i + 1], i + 1);
                n = 2;
            }
        } else if ((ch == '#' || ch == '!') && !open) {
            break;
        } else {
            clean_put(&k, (char)ch, i);
        }
    }
    if (open)
        clean_close(&k, open, i);
    k.map[k.n] = (uint32_t)i;
    *x = (struct xstr){ .s = k.out, .len = k.n, .map = k.map, .bad = k.bad };
    xstr_trim(x);
}

void clean_line(struct conf_ctx *c, const struct conf_src *src, struct xstr *x)
{
    size_t start = 0, len = src->len, open;
    bool odd;

    while (start < len && text_blank(src->text[start]))
        start++;
    len = start + clean_length(src->text + start, len - start, &open, &odd);
    *x = (struct xstr){ .s = src->text + start, .len = (uint32_t)(len - start), .base = (uint32_t)start };
    if (x->len > CONF_LINE_CONTENT_MAX) {
        struct diag_item *it;

        it = diag_add(c->d, DIAG_ERROR, "HF-LINE-LONG",
                      (struct conf_pos){ .src = src, .off = (uint32_t)start, .len = 1 },
                      DIAG_ID("line longer than 64 KiB"));
        diag_help(it, "it is left out; comments may be up to 1 MiB, everything else must fit into 64 KiB");
        x->len = 0;
    } else if (odd || open) {
        clean_copy(c, src, start, open ? src->len : len, x);
    }
    xstr_trim(x);
}
