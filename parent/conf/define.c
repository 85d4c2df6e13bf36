/*
 * define.c - $NAME=value: keeping definitions and replacing their uses. A value is kept as written and
 * expanded when used, so a definition may use one that comes later. Loops are named, and what multiplies is
 * stopped at 64 KiB. Called by expand.c and seq.c; the text is hostile, the work and the output are bounded.
 */
#include "parent/conf/text.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/hash.h"

static size_t def_bucket(const char *name, size_t len)
{
    return hash_place(hash_bytes(HASH_START, name, len)) % TEXT_DEF_BUCKETS;
}

struct def *def_find(struct def *const *table, const char *name, size_t len)
{
    struct def *def = table[def_bucket(name, len)];

    while (def && (strlen(def->name) != len || memcmp(def->name, name, len)))
        def = def->next;
    return def;
}

static struct def *def_new(struct conf_ctx *c, const char *name, size_t len)
{
    struct def *def = conf_arena_alloc(c->a, sizeof(*def), sizeof(void *));
    size_t b = def_bucket(name, len);

    def->name = conf_arena_strndup(c->a, name, len);
    def->next = c->defs[b];
    c->defs[b] = def;
    return def;
}

size_t def_name_len(const char *s, size_t len)
{
    size_t n = 0;

    while (n < len && (s[n] == '_' || (s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') ||
                       (n && s[n] >= '0' && s[n] <= '9')))
        n++;
    return n;
}

size_t def_use(const char *s, size_t len, const char **name, size_t *nlen)
{
    bool braced = len > 1 && s[1] == '{';
    size_t from = braced ? 2 : 1, n;

    if (len < 2)
        return 0;
    n = def_name_len(s + from, len - from);
    *name = s + from;
    *nlen = n;
    if (!n)
        return 0;
    if (!braced) {
        char next = from + n < len ? s[from + n] : ' ';

        return text_blank(next) || next == ',' || next == ')' || next == '$' ? from + n : 0;
    }
    while (from + n < len && (text_blank(s[from + n]) || def_name_len(s + from + n, 1) ||
                              s[from + n] == '-' || (s[from + n] >= '0' && s[from + n] <= '9')))
        n++;
    if (from + n >= len || s[from + n] != '}')
        return 0;
    *nlen = n;
    return from + n + 1;
}

static void def_add_line(struct conf_ctx *c, struct def *def, const struct conf_src *src, struct xstr x)
{
    if (def->n == def->cap) {
        size_t cap = def->cap ? def->cap * 2 : 1;
        struct def_line *l = conf_arena_alloc(c->a, cap * sizeof(*l), sizeof(void *));

        if (def->n)
            memcpy(l, def->lines, def->n * sizeof(*l));
        def->lines = l;
        def->cap = cap;
    }
    def->lines[def->n++] = (struct def_line){ .x = x, .src = src };
}

/* Takes a "\" off the end. True: the value goes on. */
static bool def_cut_backslash(struct xstr *x)
{
    if (!x->len || x->s[x->len - 1] != '\\')
        return false;
    x->len--;
    xstr_trim(x);
    return true;
}

/* "$NAME = value" with no such definition before it was meant as one. It is taken as such, so that its uses
 * do not complain too. */
static void def_say_blank(struct conf_ctx *c, const struct conf_src *src, const struct xstr *x, size_t n,
                          size_t is)
{
    struct diag_item *it =
        diag_add(c->d, DIAG_ERROR, "HF-DEF-UNKNOWN", xstr_pos(c, src, x, 0, is + 1),
                 "$%.*s is not defined by this line: a blank stands before the =", (int)n, x->s + 1);

    diag_help(it, "write: $%.*s=VALUE", (int)n, x->s + 1);
}

bool def_statement(struct conf_ctx *c, struct conf_src *src, const struct xstr *x)
{
    size_t n = x->len > 2 && x->s[0] == '$' ? def_name_len(x->s + 1, x->len - 1) : 0, is = n + 1;
    struct def *def;
    struct xstr v = *x;

    while (n && is < x->len && text_blank(x->s[is]))
        is++;
    if (!n || is >= x->len || x->s[is] != '=')
        return false;
    def = def_find(c->defs, x->s + 1, n);
    if (is > n + 1 && def)
        return false;
    if (is > n + 1)
        def_say_blank(c, src, x, n, is);
    if (!def) {
        def = def_new(c, x->s + 1, n);
        def->first = src;
        def->at = c->t->nlines;
    }
    def->lines = NULL;
    def->n = def->cap = 0;
    def->src = src;
    def->loop_said = def->secret = false;
    xstr_skip(&v, is + 1);
    xstr_trim(&v);
    def->multi = def->open = def_cut_backslash(&v);
    if (!def->multi || v.len)
        def_add_line(c, def, src, v);
    c->open_def = def->open ? def : NULL;
    return true;
}

void def_continue(struct conf_ctx *c, const struct conf_src *src, const struct xstr *x)
{
    struct xstr v = *x;

    c->open_def->open = def_cut_backslash(&v);
    if (v.len)
        def_add_line(c, c->open_def, src, v);
    if (!c->open_def->open)
        c->open_def = NULL;
}

void def_end(struct conf_ctx *c)
{
    if (c->open_def)
        c->open_def->open = false;
    c->open_def = NULL;
}

struct def *def_bind(struct conf_ctx *c, const char *name, size_t nlen)
{
    struct def *def = def_new(c, name, nlen);

    def->lines = conf_arena_alloc(c->a, sizeof(*def->lines), sizeof(void *));
    def->n = def->cap = 1;
    return def;
}

void def_bind_value(struct def *def, const char *value, size_t vlen)
{
    def->lines[0].x = (struct xstr){ .s = value, .len = (uint32_t)vlen };
}

void def_unbind(struct conf_ctx *c, struct def *def)
{
    struct def **p = &c->defs[def_bucket(def->name, strlen(def->name))];

    while (*p != def)
        p = &(*p)->next;
    *p = def->next;
}

static struct conf_pos def_pos(const struct def *def)
{
    return def->src ? (struct conf_pos){ .src = def->src, .len = def->src->len }
                    : (struct conf_pos){ .src = NULL };
}

static void def_say_loop(struct conf_ctx *c, struct conf_pos use, struct def *def,
                         const struct def_chain *chain)
{
    const struct def *names[TEXT_NEST_MAX + 2] = { NULL };
    struct diag_item *it;
    char path[512];
    size_t n = 0, at = 0;

    for (const struct def_chain *k = chain; k && n < TEXT_NEST_MAX; k = k->up) {
        names[n++] = k->def;
        if (k->def == def)
            break;
    }
    for (size_t i = n; i-- > 0 && at < sizeof(path) - 80;)
        at += (size_t)snprintf(path + at, sizeof(path) - at, "$%.64s -> ", names[i]->name);
    snprintf(path + at, sizeof(path) - at, "$%.64s", def->name);
    if (n == 1)
        it = diag_add(c->d, DIAG_ERROR, "HF-DEF-LOOP", def_pos(def), "definition $%s uses itself", def->name);
    else
        it = diag_add(c->d, DIAG_ERROR, "HF-DEF-LOOP", def_pos(chain->def), "definition loop: %s", path);
    diag_related(it, use, "used here");
    diag_help(it,
              "a definition is expanded when it is used, so it can never contain itself: use another name");
}

bool def_looping(struct conf_ctx *c, struct conf_pos use, struct def *def, const struct def_chain *chain)
{
    const struct def_chain *k = chain;
    size_t depth = 0;
    bool said = false;

    for (; k && k->def != def; k = k->up)
        depth++;
    if (!k && depth < TEXT_NEST_MAX)
        return false;
    for (const struct def_chain *j = chain; j; j = j->up) {
        said = said || j->def->loop_said;
        j->def->loop_said = true;
    }
    if (said)
        return true;
    if (k) {
        def_say_loop(c, use, def, chain);
    } else {
        diag_help(diag_add(c->d, DIAG_ERROR, "HF-DEF-DEEP", use, "definitions nested more than %d deep",
                           TEXT_NEST_MAX),
                  "the last one was $%s", def->name);
    }
    return true;
}

/* One line being expanded. */
struct expander {
    struct conf_ctx *c;
    const struct conf_src *src;
    const struct xstr *x;
    size_t use_off, use_len; /* outermost use, in x */
    uint32_t n;
    bool over;   /* too long */
    bool bad;    /* a loop */
    bool secret; /* for auth_pass */
    struct def *multi;
};

static void expand_put(struct expander *e, const char *s, size_t len, size_t off, bool literal)
{
    if (e->over || e->n + len > CONF_LINE_CONTENT_MAX) {
        e->over = true;
        return;
    }
    memcpy(e->c->exp + e->n, s, len);
    for (size_t i = 0; i < len; i++) {
        size_t o = literal ? off + i : e->use_off;

        e->c->exp_map[e->n + i] = e->x->map ? e->x->map[o] : e->x->base + (uint32_t)o;
    }
    e->n += (uint32_t)len;
}

static void expand_str(struct expander *e, const char *s, size_t len, bool top, bool last,
                       const struct def_chain *chain);

/* One use of len ulen at s. False: it stays as it is. */
static bool expand_use(struct expander *e, const char *name, size_t nlen, bool last,
                       const struct def_chain *chain)
{
    char value[512];
    int n = predef_value(e->c, name, nlen, value, sizeof(value));
    struct def_chain here = { .up = chain };

    if (++e->c->steps > TEXT_STEPS_MAX)
        e->over = true;
    if (n >= 0) {
        expand_put(e, value, (size_t)n, 0, false);
        return true;
    }
    here.def = def_find(e->c->defs, name, nlen);
    if (!here.def || here.def->open || (here.def->multi && !last))
        return false;
    if (def_looping(e->c, xstr_pos(e->c, e->src, e->x, e->use_off, e->use_len), here.def, chain)) {
        e->bad = true;
        return false;
    }
    here.def->secret = here.def->secret || e->secret;
    if (e->secret && here.def->src)
        here.def->src->secret = true;
    if (here.def->multi) {
        e->multi = here.def;
        return true;
    }
    e->bad = e->bad || here.def->lines[0].x.bad;
    expand_str(e, here.def->lines[0].x.s, here.def->lines[0].x.len, false, last, &here);
    return true;
}

static void expand_str(struct expander *e, const char *s, size_t len, bool top, bool last,
                       const struct def_chain *chain)
{
    for (size_t i = 0; i < len && !e->over;) {
        const char *dollar = memchr(s + i, '$', len - i), *name;
        size_t at = dollar ? (size_t)(dollar - s) : len, ulen, nlen;

        expand_put(e, s + i, at - i, i, top);
        if (at == len)
            return;
        ulen = def_use(s + at, len - at, &name, &nlen);
        if (top) {
            e->use_off = at;
            e->use_len = ulen ? ulen : 1;
        }
        if (!ulen || !expand_use(e, name, nlen, last && at + ulen == len, chain))
            expand_put(e, s + at, ulen ? ulen : 1, at, top);
        i = at + (ulen ? ulen : 1);
    }
}

static void expand_say_over(struct expander *e)
{
    struct diag_item *it;
    const char *name;
    size_t nlen = 0;
    struct conf_pos pos = xstr_pos(e->c, e->src, e->x, e->use_off, e->use_len);

    if (e->use_len < 2 || !def_use(e->x->s + e->use_off, e->x->len - e->use_off, &name, &nlen))
        name = "?";
    it = diag_add(e->c->d, DIAG_ERROR, "HF-DEF-BOMB", pos, "$%.*s expands to more than 64 KiB", (int)nlen,
                  name);
    diag_help(it, "a line may not be longer than that; definitions that use others several times multiply");
    if (e->c->steps > TEXT_STEPS_MAX)
        e->c->full = true;
}

void def_expand(struct conf_ctx *c, const struct conf_src *src, struct xstr *x, struct def **multi)
{
    struct expander e = { .c = c, .src = src, .x = x };
    struct xstr out = { .bad = x->bad };

    *multi = NULL;
    if (!memchr(x->s, '$', x->len))
        return;
    if (!c->exp) {
        c->exp = xmalloc(CONF_LINE_CONTENT_MAX);
        c->exp_map = xmalloc((CONF_LINE_CONTENT_MAX + 1) * sizeof(uint32_t));
    }
    e.secret = memmem(x->s, x->len, "auth_pass", 9) != NULL;
    expand_str(&e, x->s, x->len, true, true, c->chain);
    if (e.over) {
        expand_say_over(&e);
        x->bad = true;
        return;
    }
    c->exp_map[e.n] = x->map ? x->map[x->len] : x->base + x->len;
    out.bad = x->bad || e.bad;
    out.len = e.n;
    out.s = conf_arena_strndup(c->a, c->exp, e.n);
    out.map = memcpy(conf_arena_alloc(c->a, (e.n + 1) * sizeof(uint32_t), sizeof(uint32_t)), c->exp_map,
                     (e.n + 1) * sizeof(uint32_t));
    c->bytes += (size_t)e.n * 5;
    *x = out;
    *multi = e.multi;
}
