/*
 * lex.c - from an expanded line to logical lines: braces outside quotes cut it, blanks and double quotes make
 * words. Called by expand.c for every line; bounded by the limits of the whole, which are told once.
 */
#include "parent/conf/text.h"

#include <string.h>

#include "common/err.h"

static struct conf_line *lex_line(struct conf_ctx *c, const struct conf_src *src, const struct xstr *x)
{
    struct conf_text *t = c->t;
    struct conf_line *l;

    if (t->nlines == c->lines_cap) {
        c->lines_cap = c->lines_cap ? c->lines_cap * 2 : 1024;
        t->lines = xrealloc(t->lines, c->lines_cap * sizeof(*t->lines));
    }
    l = &t->lines[t->nlines++];
    *l = (struct conf_line){ .bad = x->bad,
                             .src = src,
                             .via = c->via,
                             .raw = x->s,
                             .raw_len = x->len,
                             .map = x->map,
                             .base = x->base };
    c->bytes += sizeof(*l) + x->len;
    if (t->nlines >= c->max_lines || c->bytes >= c->max_bytes) {
        c->full = true;
        diag_help(diag_add(c->d, DIAG_ERROR, "HF-TEXT-LIMIT", xstr_pos(c, src, x, 0, x->len),
                           "the configuration is too large: %zu lines and %zu MiB so far", t->nlines,
                           c->bytes >> 20),
                  "the rest is not read; does a generator or an include multiply?");
    }
    return l;
}

/* Index of the quote that closes the one at s[i]; len when none does. A backslash protects, and stays. */
static size_t lex_quote_end(const char *s, size_t len, size_t i)
{
    for (i++; i < len && s[i] != '"'; i++) {
        if (s[i] == '\\' && i + 1 < len)
            i++;
    }
    return i < len ? i : len;
}

/* Length of a word that starts at i outside quotes; ${NAME} and {{ template }} are kept whole. */
static size_t lex_word_end(const char *s, size_t len, size_t i)
{
    for (; i < len; i++) {
        if (s[i] == '\\' && i + 1 < len && !text_blank(s[i + 1]))
            i++;
        else if (text_blank(s[i]) || s[i] == '"' || s[i] == '{' || s[i] == '}')
            break;
        else if (s[i] == '$') {
            const char *name;
            size_t nlen, use = def_use(s + i, len - i, &name, &nlen);

            i += use && s[i + 1] == '{' ? use - 1 : 0;
        }
    }
    return i;
}

static bool lex_undefined(const char *s, size_t len)
{
    const char *p = memchr(s, '$', len);

    if (!p)
        return false;
    if (p == s && len > 1 && def_name_len(s + 1, len - 1))
        return true;
    while (p) {
        const char *name;
        size_t nlen;

        if (def_use(p, len - (size_t)(p - s), &name, &nlen) && p[1] == '{')
            return true;
        p = memchr(p + 1, '$', len - (size_t)(p + 1 - s));
    }
    return false;
}

static void lex_add_word(struct conf_ctx *c, size_t n, const struct conf_word *w)
{
    if (n == c->words_cap) {
        c->words_cap = c->words_cap ? c->words_cap * 2 : 64;
        c->words = xrealloc(c->words, c->words_cap * sizeof(*c->words));
    }
    c->words[n] = *w;
}

/* The text of a word: \# and \! lose their backslash outside quotes, everything else stays. */
static uint32_t lex_copy(char *to, const char *s, uint32_t len, bool quoted)
{
    uint32_t n = 0;

    if (quoted || !memchr(s, '\\', len)) {
        memcpy(to, s, len);
        return len;
    }
    for (uint32_t i = 0; i < len; i++) {
        if (s[i] == '\\' && i + 1 < len && (s[i + 1] == '#' || s[i + 1] == '!'))
            i++;
        else if (s[i] == '\\' && i + 1 < len)
            to[n++] = s[i++];
        to[n++] = s[i];
    }
    return n;
}

static void lex_finish_words(struct conf_ctx *c, struct conf_line *l, size_t n)
{
    size_t room = 0;
    struct conf_word *w;
    char *text;

    for (size_t i = 0; i < n; i++)
        room += c->words[i].len + 1;
    w = conf_arena_alloc(c->a, n * sizeof(*w), sizeof(void *));
    text = conf_arena_alloc(c->a, room, 1);
    for (size_t i = 0; i < n; i++) {
        uint32_t used;

        w[i] = c->words[i];
        used = lex_copy(text, c->words[i].text, w[i].len, w[i].quoted);
        w[i].text = text;
        w[i].len = used;
        text += used + 1;
    }
    l->words = w;
    l->nwords = (uint16_t)n;
    c->bytes += n * sizeof(*w) + room;
    if (w[0].len == 13 && !memcmp(w[0].text, "include_check", 13))
        include_check_statement(c, l);
    if (n > 1 && w[0].len == 11 && !memcmp(w[0].text, "random_seed", 11))
        predef_seed(c, w[1].text, w[1].len);
}

/* A piece between braces, blanks around it already off. */
static void lex_words(struct conf_ctx *c, const struct conf_src *src, const struct xstr *x)
{
    struct conf_line *l;
    size_t n = 0, i = 0;

    if (!x->len || c->full)
        return;
    while (i < x->len && n < UINT16_MAX) {
        struct conf_word w = { .raw = (uint32_t)i };
        size_t end;

        if (text_blank(x->s[i])) {
            i++;
            continue;
        }
        if (x->s[i] == '"') {
            end = lex_quote_end(x->s, x->len, i);
            w.quoted = true;
            w.text = x->s + i + 1;
            w.len = (uint32_t)(end - i - 1);
            end += end < x->len;
        } else {
            end = lex_word_end(x->s, x->len, i);
            if (end == i) /* a brace of a template: kept as part of the word */
                end = i + 1;
            w.text = x->s + i;
            w.len = (uint32_t)(end - i);
            w.undefined = lex_undefined(w.text, w.len);
        }
        w.raw_len = (uint32_t)(end - i);
        lex_add_word(c, n++, &w);
        i = end;
    }
    l = lex_line(c, src, x);
    lex_finish_words(c, l, n);
}

static void lex_piece(struct conf_ctx *c, const struct conf_src *src, const struct xstr *x, size_t from,
                      size_t to)
{
    struct xstr p = *x;

    xstr_skip(&p, from);
    p.len = (uint32_t)(to - from);
    xstr_trim(&p);
    lex_words(c, src, &p);
}

/* {{ name }} and {% if %}: a template that nobody rendered. Its length, 0 when it is none. */
static size_t lex_template(const char *s, size_t len)
{
    char close = len > 1 ? (s[1] == '{' ? '}' : s[1] == '%' ? '%' : 0) : 0;

    if (!close)
        return 0;
    for (size_t i = 2; i + 1 < len && i < 1024; i++) {
        if (s[i] == close && s[i + 1] == '}')
            return i + 2;
    }
    return 0;
}

static void lex_say_template(struct conf_ctx *c, const struct conf_src *src, struct xstr *x, size_t off,
                             size_t len)
{
    struct diag_item *it;

    if (!x->bad) {
        it = diag_add(c->d, DIAG_ERROR, "HF-TEXT-TEMPLATE", xstr_pos(c, src, x, off, len),
                      "\"%.2s\": this looks like a template that was not rendered", x->s + off);
        diag_help(it, "render the template (Ansible, Jinja, Go) and test the result");
    }
    x->bad = true;
}

void lex_emit(struct conf_ctx *c, const struct conf_src *src, const struct xstr *line)
{
    struct xstr x = *line;
    size_t from = 0, i = 0;

    while (i < x.len && !c->full) {
        size_t skip;

        if (text_blank(x.s[i])) {
            i++;
            continue;
        }
        if (x.s[i] == '"') {
            i = lex_quote_end(x.s, x.len, i);
            i += i < x.len;
            continue;
        }
        if (x.s[i] != '{' && x.s[i] != '}') {
            i = lex_word_end(x.s, x.len, i);
            continue;
        }
        skip = x.s[i] == '{' ? lex_template(x.s + i, x.len - i) : 0;
        if (skip) {
            lex_say_template(c, src, &x, i, skip);
            i += skip;
            continue;
        }
        lex_piece(c, src, &x, from, i);
        if (!c->full) {
            struct xstr b = x;

            xstr_skip(&b, i);
            b.len = 1;
            lex_line(c, src, &b)->kind = b.s[0] == '{' ? CONF_LINE_OPEN : CONF_LINE_CLOSE;
        }
        from = ++i;
    }
    lex_piece(c, src, &x, from, x.len);
}
