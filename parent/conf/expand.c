/*
 * expand.c - from files to logical lines: walks the physical lines of a file and sends each through cleaning,
 * conditions, definitions, generators, includes, and last to lex.c. Holds the entry points conf_text_load*.
 * Trusts nothing in the text; all its recursion (includes, definitions, generators) is bounded.
 */
#include "parent/conf/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/clock.h"
#include "common/err.h"

struct conf_src *text_src(struct conf_ctx *c, const struct conf_file *f, uint32_t line, const char *s,
                          size_t len)
{
    struct conf_src *src = conf_arena_alloc(c->a, sizeof(*src), sizeof(void *));

    *src = (struct conf_src){ .file = f, .line = line, .text = s, .len = (uint32_t)len };
    return src;
}

struct conf_pos text_pos_file(struct conf_ctx *c, const struct conf_file *f)
{
    return (struct conf_pos){ .src = text_src(c, f, 0, "", 0) };
}

struct conf_file *text_new_file(struct conf_ctx *c, const char *name, const struct conf_src *from)
{
    struct conf_file *f = conf_arena_alloc(c->a, sizeof(*f), sizeof(void *));
    const char *slash = strrchr(name, '/');

    f->name = conf_arena_strndup(c->a, name, strlen(name));
    f->dir = conf_arena_strndup(c->a, name, slash ? (size_t)(slash - name) + (slash == name) : 0);
    f->index = c->file_count++;
    f->from = from;
    return f;
}

/* "@ID rest": x becomes rest. False: the condition does not hold, nothing is left. */
static bool text_condition(struct conf_ctx *c, const struct conf_src *src, struct xstr *x)
{
    bool negate = x->len > 1 && x->s[1] == '^';
    size_t from = negate ? 2 : 1, n = from;
    bool same;

    while (n < x->len && !text_blank(x->s[n]))
        n++;
    if (n == from && x->len > n) {
        diag_help(diag_add(c->d, DIAG_WARNING, "HF-COND-EMPTY", xstr_pos(c, src, x, 0, from),
                           "a condition without an id: the line is never used"),
                  "write @ID directly followed by the configuration id, without a blank");
        return false;
    }
    same = n - from == strlen(c->t->config_id) && !memcmp(x->s + from, c->t->config_id, n - from);
    if (n == from || same == negate)
        return false;
    xstr_skip(x, n);
    xstr_trim(x);
    return x->len > 0;
}

/* The lines of a multi-line definition, behind what stood before its use. */
static void text_multi(struct conf_ctx *c, const struct conf_src *src, const struct xstr *head,
                       struct def *def)
{
    const struct def_line *lines = def->lines;
    const struct conf_src *via = c->via;
    struct def_chain here = { .up = c->chain, .def = def };
    size_t n = def->n, i = 0;

    c->chain = &here;
    c->nest++;
    if (head->len && n) { /* joined to the first line, at the position of the use */
        struct xstr j = { .len = head->len + 1 + lines[0].x.len, .bad = head->bad || lines[0].x.bad };
        char *s = conf_arena_alloc(c->a, j.len + 1, 1);
        uint32_t *map = conf_arena_alloc(c->a, (j.len + 1) * sizeof(*map), sizeof(*map));

        memcpy(s, head->s, head->len);
        s[head->len] = ' ';
        memcpy(s + head->len + 1, lines[0].x.s, lines[0].x.len);
        for (size_t k = 0; k <= j.len; k++)
            map[k] = head->map[k < head->len ? k : head->len];
        j.s = s;
        j.map = map;
        c->bytes += (size_t)j.len * 5;
        text_process(c, src, j);
        i = 1;
    } else if (head->len) {
        lex_emit(c, src, head);
    }
    if (!c->via)
        c->via = src;
    for (; i < n && !c->full; i++)
        text_process(c, lines[i].src, lines[i].x);
    c->via = via;
    c->nest--;
    c->chain = here.up;
}

void text_process(struct conf_ctx *c, const struct conf_src *src, struct xstr x)
{
    struct def *multi = NULL;

    if (c->full || (x.len && x.s[0] == '@' && !text_condition(c, src, &x)) || seq_statement(c, src, &x))
        return;
    if (memchr(x.s, '$', x.len)) {
        def_expand(c, src, &x, &multi);
        clean_comment(&x);
        if (x.len && x.s[0] == '@' && !text_condition(c, src, &x))
            return;
        if (!multi && seq_statement(c, src, &x))
            return;
    }
    if (multi && c->nest >= TEXT_NEST_MAX)
        multi = NULL; /* def_looping tells about definitions; this is generators in them */
    if (multi)
        text_multi(c, src, &x, multi);
    else if (x.len && !include_statement(c, src, &x))
        lex_emit(c, src, &x);
}

/* One physical line with something on it. */
static void text_line(struct conf_ctx *c, struct conf_src *src)
{
    struct xstr x;

    clean_line(c, src, &x);
    if (c->skip_cont) {
        c->skip_cont = x.len && x.s[x.len - 1] == '\\';
        return;
    }
    if (c->open_def) {
        if (x.len)
            def_continue(c, src, &x);
        else
            def_end(c);
        return;
    }
    while (x.len && x.s[0] == '@') {
        bool goes_on = x.s[x.len - 1] == '\\' && memchr(x.s, '$', x.len) && memchr(x.s, '=', x.len);

        if (text_condition(c, src, &x))
            continue;
        c->skip_cont = goes_on;
        return;
    }
    if (x.len && !def_statement(c, src, &x))
        text_process(c, src, x);
}

static bool text_check(struct conf_ctx *c, const struct conf_file *f, char *s, size_t len)
{
    struct conf_src *first = text_src(c, f, 1, s, 0);

    switch (source_classify(s, len)) {
    case SOURCE_TEXT: return true;
    case SOURCE_TEXT_UTF16:
        diag_help(diag_add(c->d, DIAG_ERROR, "HF-FILE-UTF16", (struct conf_pos){ .src = first },
                           "the file is UTF-16; save it as UTF-8"),
                  "iconv -f UTF-16 -t UTF-8 OLD > NEW");
        return false;
    case SOURCE_TEXT_BINARY:
        diag_help(diag_add(c->d, DIAG_ERROR, "HF-FILE-BINARY", (struct conf_pos){ .src = first },
                           "not a text file"),
                  "it is full of control characters: compressed, encrypted or damaged?");
        return false;
    case SOURCE_TEXT_CR:
        diag_help(diag_add(c->d, DIAG_ERROR, "HF-FILE-CR", text_pos_file(c, f),
                           "the line ends are bare CR (old Mac); convert them"),
                  "tr '\\r' '\\n' < OLD > NEW");
        for (size_t i = 0; i < len; i++)
            s[i] = s[i] == '\r' ? '\n' : s[i];
        return true;
    }
    return false;
}

static void text_say_long(struct conf_ctx *c, const struct conf_file *f, uint32_t line, const char *s)
{
    struct diag_item *it = diag_add(c->d, DIAG_ERROR, "HF-LINE-LONG",
                                    (struct conf_pos){ .src = text_src(c, f, line, s, 80), .len = 1 },
                                    DIAG_ID("line longer than 1 MiB"));

    diag_help(it, "it is left out; is this a configuration file?");
}

static void text_lines(struct conf_ctx *c, struct frame *f, const char *s, size_t len)
{
    const char *end = s + len;
    uint32_t line = 0;
    bool crlf = false;

    while (s < end && !c->full) {
        const char *nl = memchr(s, '\n', (size_t)(end - s)), *stop = nl ? nl : end, *p = s;
        size_t n;

        while (stop > s && stop[-1] == '\r') {
            crlf = crlf || nl;
            stop--;
        }
        n = (size_t)(stop - s);
        line++;
        while (p < stop && text_blank(*p))
            p++;
        if (n > CONF_LINE_MAX) {
            text_say_long(c, f->file, line, s);
        } else if (p < stop && *p != '#' && *p != '!') {
            text_line(c, text_src(c, f->file, line, s, n));
        } else if (p == stop) {
            def_end(c);
            c->skip_cont = false;
        }
        s = nl ? nl + 1 : end;
    }
    if (crlf)
        diag_add(c->d, DIAG_NOTE, "HF-FILE-CRLF", text_pos_file(c, f->file), "Windows line ends");
}

void text_file(struct conf_ctx *c, struct frame *f, char *buf, size_t len)
{
    struct frame *up = c->frame;
    char *s = conf_arena_strndup(c->a, buf ? buf : "", len);

    c->frame = f;
    c->t->nfiles++;
    if (!c->t->main)
        c->t->main = f->file;
    c->bytes += len;
    if (len >= 3 && !memcmp(s, "\xef\xbb\xbf", 3)) {
        diag_add(c->d, DIAG_NOTE, "HF-FILE-BOM", (struct conf_pos){ .src = text_src(c, f->file, 1, s, 0) },
                 "byte order mark ignored");
        s += 3;
        len -= 3;
    }
    if (text_check(c, f->file, s, len))
        text_lines(c, f, s, len);
    def_end(c);
    c->skip_cont = false;
    clean_file_end(c);
    c->frame = up;
}

static void text_begin(struct conf_ctx *c, struct conf_text *t, const struct conf_text_opts *o,
                       struct diag *d)
{
    struct utsname u;

    *t = (struct conf_text){ .arena = conf_arena_new() };
    *c = (struct conf_ctx){ .t = t, .o = o, .d = d, .a = t->arena, .include_level = o->strict };
    c->max_lines = o->max_lines ? o->max_lines : 8000000;
    c->max_bytes = o->max_bytes ? o->max_bytes : (size_t)512 << 20;
    c->defs = conf_arena_alloc(c->a, TEXT_DEF_BUCKETS * sizeof(struct def *), sizeof(void *));
    c->random = clock_realtime_ns() | 1;
    t->priv = c->defs;
    if (o->config_id)
        t->config_id = conf_arena_strndup(c->a, o->config_id, strlen(o->config_id));
    else
        t->config_id = uname(&u) ? "" : conf_arena_strndup(c->a, u.nodename, strcspn(u.nodename, "."));
}

static void text_end(struct conf_ctx *c)
{
    free(c->words);
    free(c->exp);
    free(c->exp_map);
    if (c->t->main && !c->t->nlines && !diag_count(c->d, DIAG_ERROR)) {
        struct diag_item *it = diag_add(c->d, DIAG_WARNING, "HF-EMPTY", text_pos_file(c, c->t->main),
                                        "nothing is configured: no VRRP instance, no virtual server");

        diag_help(it,
                  "a configuration needs at least one vrrp_instance or virtual_server block to do anything");
    }
}

int conf_text_load(struct conf_text *t, const char *pattern, const struct conf_text_opts *o, struct diag *d)
{
    struct conf_ctx c;
    int rc;

    text_begin(&c, t, o, d);
    rc = include_main(&c, pattern);
    text_end(&c);
    return rc;
}

int conf_text_load_buf(struct conf_text *t, const char *name, const char *buf, size_t len,
                       const struct conf_text_opts *o, struct diag *d)
{
    struct conf_ctx c;
    struct frame f = { .depth = 0 };
    char *copy = xmalloc(len + 1);

    text_begin(&c, t, o, d);
    f.file = text_new_file(&c, name, NULL);
    memcpy(copy, buf, len);
    text_file(&c, &f, copy, len);
    free(copy);
    text_end(&c);
    return 0;
}

void conf_text_free(struct conf_text *t)
{
    free(t->lines);
    conf_arena_free(t->arena);
    *t = (struct conf_text){ .lines = NULL };
}
