/*
 * seq.c - lines that generate lines: ~SEQ, ~SEQx, ~LST. Each value is a definition while the rest of the line
 * is processed, so the rest may be another generator. Bounded: a million lines a generator, and the limits of
 * the whole. Called by expand.c with hostile text.
 */
#include "parent/conf/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define SEQ_ARGS_MAX 4096 /* values of one ~LST */
#define SEQ_VARS_MAX 64   /* variables of one ~LST */

struct seq_arg {
    const char *s;
    size_t len;
};

struct seq {
    struct conf_ctx *c;
    const struct conf_src *src;
    struct xstr text; /* what is repeated */
    struct xstr args; /* expanded */
    struct conf_pos pos;
    struct seq_arg *v;
    size_t n;
};

static void seq_say(const struct seq *q, const char *why, const char *help)
{
    struct diag_item *it = diag_add(q->c->d, DIAG_ERROR, "HF-SEQ", q->pos, "%s; the line generates nothing",
                                    diag_tr(q->c->d, why));

    diag_help(it, "%s", diag_tr(q->c->d, help));
}

/* Splits s at commas that are not inside braces; trims each piece. False: too many, or braces do not match.
 */
static bool seq_split(const char *s, size_t len, struct seq_arg *v, size_t max, size_t *n)
{
    size_t from = 0, depth = 0;

    *n = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && s[i] == '{')
            depth++;
        if (i < len && s[i] == '}' && depth-- == 0)
            return false;
        if (i < len && (s[i] != ',' || depth))
            continue;
        if (*n == max)
            return false;
        while (from < i && text_blank(s[from]))
            from++;
        v[*n] = (struct seq_arg){ .s = s + from, .len = i - from };
        while (v[*n].len && text_blank(s[from + v[*n].len - 1]))
            v[*n].len--;
        (*n)++;
        from = i + 1;
    }
    return depth == 0;
}

static bool seq_number(const struct seq_arg *a, long long *out)
{
    char buf[32], *end;

    if (!a->len || a->len >= sizeof(buf))
        return false;
    memcpy(buf, a->s, a->len);
    buf[a->len] = '\0';
    errno = 0;
    *out = strtoll(buf, &end, 0);
    return !*end && !errno && *out > -(1LL << 40) && *out < 1LL << 40;
}

static void seq_count(struct seq *q, bool hex)
{
    long long end, start = 1, step = 1, v;
    struct def *def;
    char buf[32];
    bool ok = q->n >= 2 && q->n <= 4 && def_name_len(q->v[0].s, q->v[0].len) == q->v[0].len && q->v[0].len;

    ok = ok && seq_number(&q->v[q->n - 1], &end);
    if (!ok || (q->n > 2 && !seq_number(&q->v[1], &start)) || (q->n > 3 && !seq_number(&q->v[2], &step))) {
        seq_say(q, DIAG_ID("~SEQ is not written like this"),
                DIAG_ID("write ~SEQ(NAME, END), ~SEQ(NAME, START, END) or ~SEQ(NAME, START, STEP, END)"));
        return;
    }
    if (q->n == 2 && end < 0)
        start = -1;
    if (q->n < 4 && end < start)
        step = -1;
    if (step == 0 || (step > 0 && end < start) || (step < 0 && end > start) ||
        (hex && (start < 0 || end < 0))) {
        seq_say(q, hex ? DIAG_ID("~SEQx cannot count like this") : DIAG_ID("~SEQ never reaches its end"),
                DIAG_ID("the step must lead from START to END; ~SEQx has no negative values"));
        return;
    }
    if ((end - start) / step >= TEXT_SEQ_MAX) {
        seq_say(q, DIAG_ID("~SEQ generates more than a million lines"), DIAG_ID("check START, STEP and END"));
        return;
    }
    def = def_bind(q->c, q->v[0].s, q->v[0].len);
    for (v = start; (step > 0 ? v <= end : v >= end) && !q->c->full; v += step) {
        int n = snprintf(buf, sizeof(buf), hex ? "%llx" : "%lld", (unsigned long long)v);

        def_bind_value(def, buf, (size_t)n);
        text_process(q->c, q->src, q->text);
    }
    def_unbind(q->c, def);
}

static bool seq_tuple(const struct seq_arg *a, struct seq_arg *v, size_t *n)
{
    if (a->len >= 2 && a->s[0] == '{' && a->s[a->len - 1] == '}')
        return seq_split(a->s + 1, a->len - 2, v, SEQ_VARS_MAX, n);
    v[0] = *a;
    *n = 1;
    return true;
}

static bool seq_bind_vars(struct seq *q, struct def **def, size_t *nvars)
{
    struct seq_arg var[SEQ_VARS_MAX];

    if (!seq_tuple(&q->v[0], var, nvars) || q->n < 2)
        return false;
    for (size_t i = 0; i < *nvars; i++) {
        if (!var[i].len || def_name_len(var[i].s, var[i].len) != var[i].len)
            return false;
    }
    for (size_t i = 0; i < *nvars; i++)
        def[i] = def_bind(q->c, var[i].s, var[i].len);
    return true;
}

static void seq_list(struct seq *q)
{
    struct seq_arg val[SEQ_VARS_MAX];
    struct def *def[SEQ_VARS_MAX];
    size_t nvars, nvals;

    if (!seq_bind_vars(q, def, &nvars)) {
        seq_say(q, DIAG_ID("~LST is not written like this"),
                DIAG_ID("write ~LST(NAME, VALUE, VALUE...) or ~LST({A,B}, {A1,B1}, {A2,B2}...)"));
        return;
    }
    for (size_t i = 1; i < q->n && !q->c->full; i++) {
        if (!seq_tuple(&q->v[i], val, &nvals) || nvals > nvars) {
            seq_say(q, DIAG_ID("~LST has more values than variables in one of its groups"),
                    DIAG_ID("each {...} has at most one value a variable"));
            break;
        }
        for (size_t j = 0; j < nvars; j++)
            def_bind_value(def[j], j < nvals ? val[j].s : "", j < nvals ? val[j].len : 0);
        text_process(q->c, q->src, q->text);
    }
    for (size_t j = nvars; j-- > 0;)
        def_unbind(q->c, def[j]);
}

static void seq_run(struct seq *q, bool list, bool hex)
{
    struct def *multi;
    size_t room = 1;

    if (memchr(q->args.s, '"', q->args.len)) {
        seq_say(q, DIAG_ID("~SEQ and ~LST do not take quoted values"),
                DIAG_ID("use a definition for a value with blanks"));
        return;
    }
    def_expand(q->c, q->src, &q->args, &multi);
    for (size_t i = 0; i < q->args.len && room < SEQ_ARGS_MAX; i++)
        room += q->args.s[i] == ',';
    q->v = xcalloc(room, sizeof(*q->v));
    if (!seq_split(q->args.s, q->args.len, q->v, room, &q->n))
        seq_say(q, DIAG_ID("the list in parentheses is too long or its braces do not match"),
                DIAG_ID("check commas and braces"));
    else if (list)
        seq_list(q);
    else
        seq_count(q, hex);
    free(q->v);
}

static bool seq_keyword(const struct xstr *x, const char *name, size_t *n)
{
    *n = strlen(name);
    if (x->len < *n || memcmp(x->s, name, *n))
        return false;
    while (*n < x->len && text_blank(x->s[*n]))
        (*n)++;
    return *n < x->len && x->s[*n] == '(';
}

bool seq_statement(struct conf_ctx *c, const struct conf_src *src, const struct xstr *x)
{
    struct seq q = { .c = c, .src = src, .text = *x, .args = *x };
    bool list = false, hex = false;
    const char *close;
    size_t n;

    if (!x->len || x->s[0] != '~')
        return false;
    if (seq_keyword(x, "~LST", &n))
        list = true;
    else if (seq_keyword(x, "~SEQx", &n))
        hex = true;
    else if (!seq_keyword(x, "~SEQ", &n))
        return false;
    q.pos = xstr_pos(c, src, x, 0, n);
    close = memchr(x->s + n, ')', x->len - n);
    if (!close || c->nest >= TEXT_NEST_MAX) {
        seq_say(&q, close ? DIAG_ID("generators are nested too deep") : DIAG_ID("\")\" is missing"),
                DIAG_ID("write ~SEQ(NAME, START, END) text"));
        return true;
    }
    xstr_skip(&q.args, n + 1);
    q.args.len = (uint32_t)(close - q.args.s);
    xstr_skip(&q.text, (size_t)(close - x->s) + 1);
    xstr_trim(&q.text);
    c->nest++;
    seq_run(&q, list, hex);
    c->nest--;
    return true;
}
