/*
 * reread.c - the second tokenizer, for commands and regexes: '...', "..." and backslash escapes; and
 * positions of lines, words and parts of them. Pure functions on the text of struct conf_line. Called by the
 * parser.
 */
#include "parent/conf/text.h"

#include <string.h>

#define REREAD_WORDS_MAX 4096

struct conf_pos conf_pos_raw(const struct conf_line *l, uint32_t off, uint32_t len)
{
    uint32_t a, b;

    off = off < l->raw_len ? off : l->raw_len;
    len = len < l->raw_len - off ? len : l->raw_len - off;
    a = l->map ? l->map[off] : l->base + off;
    b = l->map ? l->map[off + len] : l->base + off + len;
    return (struct conf_pos){ .src = l->src, .via = l->via, .off = a, .len = b > a ? b - a : 1 };
}

struct conf_pos conf_pos_line(const struct conf_line *l)
{
    return conf_pos_raw(l, 0, l->raw_len);
}

struct conf_pos conf_pos_word(const struct conf_line *l, const struct conf_word *w)
{
    return conf_pos_raw(l, w->raw, w->raw_len);
}

struct conf_pos conf_pos_file(const struct conf_text *t)
{
    struct conf_src *src =
        t->main ? conf_arena_alloc(t->arena, sizeof(struct conf_src), sizeof(void *)) : NULL;

    if (!src)
        return (struct conf_pos){ .src = NULL };
    src->file = t->main; /* line 0: all of it */
    src->text = "";
    return (struct conf_pos){ .src = src };
}

/* There is a definition, and yet the use stayed as it is. The remedy must be the one that works. */
static bool undefined_known(const struct conf_text *t, const struct conf_line *l, const struct conf_word *w,
                            const struct def *def, bool braces, struct diag *d)
{
    struct diag_item *it;

    if (def->first && l >= t->lines && (size_t)(l - t->lines) < def->at) {
        it = diag_add(d, DIAG_ERROR, "HF-DEF-UNKNOWN", conf_pos_word(l, w),
                      "$%s is defined only further down", def->name);
        diag_related(it, (struct conf_pos){ .src = def->first, .len = def->first->len }, "defined here");
        diag_help(it, "move the definition (line %u) above its first use", def->first->line);
        return true;
    }
    if (braces && !def->multi)
        return false;
    it = diag_add(d, DIAG_ERROR, "HF-DEF-BRACES", conf_pos_word(l, w), "$%s is not expanded here", def->name);
    if (def->multi)
        diag_help(it, "a definition of several lines must be the last thing on its line");
    else
        diag_help(it,
                  "write ${%s}: without braces a definition must be followed by a blank, a comma or \")\"",
                  def->name);
    return true;
}

bool conf_word_undefined(const struct conf_text *t, const struct conf_line *l, const struct conf_word *w,
                         struct diag *d)
{
    const char *p = w->text, *name;
    size_t nlen, skip;
    const struct def *def;
    struct diag_item *it;

    if (!w->undefined)
        return false;
    if (l->bad)
        return true;
    while (*p && (p[0] != '$' || !def_name_len(p + 1 + (p[1] == '{'), strlen(p + 1 + (p[1] == '{')))))
        p++;
    if (!*p)
        return false;
    skip = p[1] == '{' ? 2 : 1;
    name = p + skip;
    nlen = def_name_len(name, strlen(name));
    if ((def = def_find(t->priv, name, nlen)) != NULL && undefined_known(t, l, w, def, skip == 2, d))
        return true;
    it = diag_add(d, DIAG_ERROR, "HF-DEF-UNKNOWN", conf_pos_word(l, w), "$%.*s is not defined", (int)nlen,
                  name);
    diag_help(it, "define it on a line before its use: $%.*s=VALUE (no blank before the =)", (int)nlen, name);
    return true;
}

const char *conf_word_use(const struct conf_text *t, const struct conf_word *w)
{
    for (const char *p = strchr(w->text, '$'); p; p = strchr(p + 1, '$')) {
        const struct def *def = def_find(t->priv, p + 1, def_name_len(p + 1, strlen(p + 1)));

        if (def)
            return def->name;
    }
    return NULL;
}

struct reread {
    struct conf_text *t;
    struct diag *d;
    const char *s;
    size_t len, i;
    bool resolve;
    char *out;
    size_t n;
    size_t open; /* offset + 1 of a quote that nobody closed */
};

static int reread_hex(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch |= 0x20;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* The escape at s[i], a backslash with at least one character behind it. A value of NUL is left out. */
static void reread_escape(struct reread *r)
{
    static const char from[] = "abEfnrtv", to[] = "\a\b\033\f\n\r\t\v";
    char ch = r->s[r->i + 1];
    const char *simple = strchr(from, ch);
    unsigned int v = 0, n = 0;

    r->i += 2;
    if (ch >= '0' && ch <= '7') {
        for (r->i--; n < 3 && r->i < r->len && r->s[r->i] >= '0' && r->s[r->i] <= '7'; n++)
            v = v * 8 + (unsigned int)(r->s[r->i++] - '0');
    } else if (ch == 'x' && r->i < r->len && reread_hex(r->s[r->i]) >= 0) {
        for (; n < 2 && r->i < r->len && reread_hex(r->s[r->i]) >= 0; n++)
            v = v * 16 + (unsigned int)reread_hex(r->s[r->i++]);
    } else if (ch == 'c' && r->i < r->len) {
        v = (unsigned char)r->s[r->i++] & 0x1f;
    } else {
        v = simple && ch ? (unsigned char)to[simple - from] : (unsigned char)ch;
    }
    if (v & 0xff)
        r->out[r->n++] = (char)v;
}

static void reread_word(struct reread *r)
{
    char quote = 0;
    size_t at = 0;

    for (; r->i < r->len; r->i++) {
        char ch = r->s[r->i];

        if (ch == '\\' && r->i + 1 < r->len) {
            char next = r->s[r->i + 1];

            if (r->resolve) {
                reread_escape(r);
                r->i--;
            } else if (quote == '"' && (next == '"' || next == '\\')) {
                r->out[r->n++] = r->s[++r->i]; /* as in a shell: it reaches the second pass as itself */
            } else {
                r->out[r->n++] = ch;
                r->out[r->n++] = r->s[++r->i];
            }
        } else if (quote && ch == quote) {
            quote = 0;
        } else if (!quote && (ch == '"' || ch == '\'')) {
            quote = ch;
            at = r->i + 1;
        } else if (!quote && text_blank(ch)) {
            break;
        } else {
            r->out[r->n++] = ch;
        }
    }
    if (quote && !r->open)
        r->open = at;
    r->out[r->n++] = '\0';
}

/* All words of r->s; 0, or -1 when a quote stays open. */
static int reread_all(struct reread *r, struct conf_args *out)
{
    char *start[REREAD_WORDS_MAX];
    const char **v;
    size_t n = 0;

    r->out = conf_arena_alloc(r->t->arena, r->len * 2 + 2, 1);
    while (n < REREAD_WORDS_MAX) {
        while (r->i < r->len && text_blank(r->s[r->i]))
            r->i++;
        if (r->i >= r->len)
            break;
        start[n++] = r->out + r->n;
        reread_word(r);
    }
    v = conf_arena_alloc(r->t->arena, (n + 1) * sizeof(*v), sizeof(void *));
    for (size_t i = 0; i < n; i++)
        v[i] = start[i];
    *out = (struct conf_args){ .v = v, .n = n };
    return r->open ? -1 : 0;
}

static void reread_say_open(struct diag *d, struct conf_pos pos)
{
    diag_help(diag_add(d, DIAG_ERROR, "HF-QUOTE-OPEN", pos, "a quote of the command is not closed"),
              "inside \"...\" write '...' or \\\"...\\\" for arguments with blanks, and '\"' or \\' for a "
              "quote that is meant as itself");
}

int conf_line_reread(struct conf_text *t, const struct conf_line *l, size_t first, bool resolve,
                     struct conf_args *out, struct diag *d)
{
    uint32_t from = first < l->nwords ? l->words[first].raw : l->raw_len;
    struct reread r = { .t = t, .d = d, .s = l->raw + from, .len = l->raw_len - from, .resolve = resolve };
    int rc = reread_all(&r, out);

    if (rc && !l->bad)
        reread_say_open(d, conf_pos_raw(l, from + (uint32_t)r.open - 1, 1));
    return rc;
}

int conf_split_command(struct conf_text *t, const char *cmd, struct conf_pos pos, struct conf_args *out,
                       struct diag *d)
{
    struct reread r = { .t = t, .d = d, .s = cmd, .len = strlen(cmd), .resolve = true };
    int rc = reread_all(&r, out);

    if (rc)
        reread_say_open(d, pos);
    return rc;
}
