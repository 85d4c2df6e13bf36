/*
 * include.c - which files are read: the main pattern, include and its five strict forms. Braces are expanded
 * here (and bounded), wildcards by glob(3); every failure is told with path and errno; loops are found by
 * device and inode. Called by expand.c and main entry points; the pattern is hostile, what it names even more
 * so.
 */
#include "parent/conf/text.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"

#define INCLUDE_ALTERNATIVES_MAX 1024

struct include {
    struct conf_ctx *c;
    const struct conf_src *src; /* NULL: the main file */
    struct conf_pos pos;
    unsigned int level; /* CONF_INCLUDE_* that are errors */
    const char *word;   /* as written, for messages */
    char **alt;
    size_t nalt;
    bool braces;
    size_t opened;
};

static bool include_wild(const char *s)
{
    return strpbrk(s, "*?[") != NULL;
}

/* a{b,c}d: the first group, its alternatives, the rest again. False: too many. */
static bool include_braces(struct include *in, const char *s)
{
    const char *open = strchr(s, '{'), *p, *from;
    unsigned int depth = 0;

    for (p = open; p && *p; p++) {
        depth += *p == '{';
        if (*p == '}' && --depth == 0)
            break;
    }
    if (!open || !*p) {
        if (in->nalt == INCLUDE_ALTERNATIVES_MAX)
            return false;
        in->alt = xrealloc(in->alt, (in->nalt + 1) * sizeof(*in->alt));
        in->alt[in->nalt++] = xstrdup(s);
        return true;
    }
    in->braces = true;
    from = open + 1;
    for (const char *q = from; q <= p; q++) {
        size_t len;
        char *one;
        bool ok;

        depth += *q == '{';
        if (q < p && *q == '}')
            depth--;
        if (q < p && (*q != ',' || depth))
            continue;
        len = (size_t)(open - s) + (size_t)(q - from) + strlen(p + 1) + 1;
        one = xmalloc(len);
        snprintf(one, len, "%.*s%.*s%s", (int)(open - s), s, (int)(q - from), from, p + 1);
        ok = include_braces(in, one);
        free(one);
        if (!ok)
            return false;
        from = q + 1;
    }
    return true;
}

static struct diag_item *include_say(struct include *in, enum diag_severity sev, const char *code,
                                     const char *name, const char *why)
{
    struct diag_item *it;

    if (in->src)
        it = diag_add(in->c->d, sev, code, in->pos, "include %s: %s", name, diag_tr(in->c->d, why));
    else
        it = diag_add(in->c->d, sev, code, text_pos_file(in->c, text_new_file(in->c, name, NULL)), "%s",
                      diag_tr(in->c->d, why));
    if (sev == DIAG_ERROR) {
        diag_class(it, DIAG_CLASS_FILE);
        if (!in->src || in->level & ~in->c->include_level)
            diag_strict(it); /* the incumbent does not run with this either */
    }
    return it;
}

static void include_say_errno(struct include *in, const char *name, int err, bool plain)
{
    char why[128];
    struct diag_item *it;

    if (err == ENOENT && in->braces && plain && !(in->level & CONF_INCLUDE_BRACE) && in->src) {
        include_say(in, DIAG_NOTE, "HF-INCLUDE-MISSING", name,
                    DIAG_ID("no such file (one of the alternatives in braces)"));
        return;
    }
    snprintf(why, sizeof(why), "%s (errno %d)",
             err == ENOENT   ? diag_tr(in->c->d, "no such file")
             : err == EACCES ? diag_tr(in->c->d, "permission denied")
                             : diag_tr(in->c->d, strerror(err)),
             err);
    it = include_say(in, DIAG_ERROR, in->src ? "HF-INCLUDE-FILE" : "HF-MAIN-FILE", name, why);
    if (err == ENOENT)
        diag_help(
            it, in->src ? "relative names start from the directory of the file that includes them; a pattern "
                          "like *.conf may match nothing"
                        : DIAG_ID("give the path of the configuration with -f"));
    else if (err == EACCES)
        diag_help(it, "make it readable for the user holdfast-conf runs as, or run as root");
}

static void include_say_kind(struct include *in, const char *name, const struct source *s, bool plain)
{
    switch (s->kind) {
    case SOURCE_OK: return;
    case SOURCE_ERRNO: include_say_errno(in, name, s->err, plain); return;
    case SOURCE_DIR:
        if (!plain && !(in->level & CONF_INCLUDE_READ))
            include_say(in, DIAG_NOTE, "HF-INCLUDE-KIND", name, DIAG_ID("is a folder, passed over"));
        else
            diag_help(include_say(in, DIAG_ERROR, "HF-INCLUDE-KIND", name, DIAG_ID("is a folder")),
                      "write %s/*.conf to read the files in it", name);
        return;
    case SOURCE_NOT_REGULAR:
        diag_help(include_say(in, DIAG_ERROR, "HF-INCLUDE-KIND", name, DIAG_ID("not a regular file")),
                  "pipes, sockets and devices are not read: copy the text into a file");
        return;
    case SOURCE_TOO_BIG:
        diag_help(include_say(in, DIAG_ERROR, "HF-INCLUDE-SIZE", name, "larger than 64 MiB"),
                  "split it with include, if it really is a configuration");
        return;
    }
}

static bool include_loop(struct include *in, const struct source *s, const char *name)
{
    const struct frame *f = in->c->frame, *hit = f;
    const char *chain[TEXT_NEST_MAX + 2];
    struct diag_item *it;
    char path[900];
    size_t n = 0, at = 0;

    while (hit && (hit->dev != s->dev || hit->ino != s->ino || !s->ino))
        hit = hit->up;
    if (!hit)
        return false;
    for (; n < TEXT_NEST_MAX; f = f->up) {
        chain[n++] = f->file->name;
        if (f == hit)
            break;
    }
    for (size_t i = n; i-- > 0 && at < sizeof(path) - 260;)
        at += (size_t)snprintf(path + at, sizeof(path) - at, "%.200s -> ", chain[i]);
    snprintf(path + at, sizeof(path) - at, "%.200s", name);
    it = diag_add(in->c->d, DIAG_ERROR, "HF-INCLUDE-LOOP", in->pos, "include loop: %s", path);
    diag_help(it, "a file cannot contain itself; take this include out");
    return true;
}

/* Where a relative name starts from, as a prefix; escaped for glob when wild. */
static char *include_path(const struct include *in, const char *name, bool wild)
{
    const char *dir = in->src ? in->src->file->dir : "";
    size_t room = strlen(dir) * 2 + strlen(name) + 2, n = 0;
    char *p = xmalloc(room);

    if (name[0] != '/' && dir[0]) {
        for (const char *d = dir; *d; d++) {
            if (wild && strchr("*?[\\", *d))
                p[n++] = '\\';
            p[n++] = *d;
        }
        if (p[n - 1] != '/')
            p[n++] = '/';
    }
    memcpy(p + n, name, strlen(name) + 1);
    return p;
}

/* shown: the name for complaints at the include statement; path: what is opened and what diagnostics inside
 * say. */
static void include_open(struct include *in, const char *shown, const char *path, bool plain)
{
    struct conf_ctx *c = in->c;
    struct source s;
    struct frame f = { .up = c->frame, .depth = c->frame ? c->frame->depth + 1 : 0 };

    if (c->full)
        return;
    source_read(path, &s);
    if (s.kind != SOURCE_OK) {
        include_say_kind(in, shown, &s, plain);
    } else if (f.depth >= TEXT_NEST_MAX || c->file_count >= TEXT_FILES_MAX) {
        diag_class(diag_add(c->d, DIAG_ERROR, "HF-INCLUDE-DEEP", in->pos, "include %s: %s", shown,
                            f.depth >= TEXT_NEST_MAX ? diag_tr(c->d, "includes are nested too deep")
                                                     : diag_tr(c->d, "more than 10000 files")),
                   DIAG_CLASS_FILE);
    } else if (!include_loop(in, &s, path)) {
        f.file = text_new_file(c, path, in->src);
        f.dev = s.dev;
        f.ino = s.ino;
        in->opened++;
        if (s.executable)
            diag_help(diag_add(c->d, DIAG_NOTE, "HF-FILE-EXEC", text_pos_file(c, f.file),
                               "the configuration file is executable"),
                      "chmod a-x: the incumbent would silently pass over this file");
        unsigned int level = c->include_level; /* include_check in there holds there */
        text_file(c, &f, s.buf, s.len);
        c->include_level = level;
    }
    free(s.buf);
}

/* False: nothing is called like that. */
static bool include_glob(struct include *in, const char *name)
{
    char *pattern = include_path(in, name, true);
    glob_t g = { .gl_pathc = 0 };
    int rc = glob(pattern, 0, NULL, &g);

    if (rc == 0) {
        if (!in->src && g.gl_pathc > 1)
            diag_add(in->c->d, DIAG_NOTE, "HF-MAIN-SEVERAL", (struct conf_pos){ .src = NULL },
                     "%zu files match %s, all are read in this order: %s ...", (size_t)g.gl_pathc, name,
                     g.gl_pathv[0]);
        for (size_t i = 0; i < g.gl_pathc; i++)
            include_open(in, g.gl_pathv[i], g.gl_pathv[i], false);
        globfree(&g);
    }
    free(pattern);
    return rc == 0;
}

static void include_say_empty(struct include *in, const char *name, bool all)
{
    bool error = (all && in->level & CONF_INCLUDE_WILDCARD) || (in->braces && in->level & CONF_INCLUDE_BRACE);
    struct diag_item *it;

    if (!in->src) {
        include_say_errno(in, name, ENOENT, false);
        return;
    }
    it = diag_add(in->c->d, error ? DIAG_ERROR : DIAG_WARNING, "HF-INCLUDE-EMPTY", in->pos,
                  "include %s matches no file", name);
    if (error) {
        diag_class(it, DIAG_CLASS_FILE);
        diag_strict(it);
    }
}

/* Of a pattern with braces the whole must match something, which is known only at the end. */
static void include_each(struct include *in)
{
    bool *empty = xcalloc(in->nalt, sizeof(*empty)), any = false;

    for (size_t i = 0; i < in->nalt && !in->c->full; i++) {
        if (include_wild(in->alt[i])) {
            empty[i] = !include_glob(in, in->alt[i]);
            any = any || !empty[i];
        } else {
            char *path = include_path(in, in->alt[i], false);

            include_open(in, in->alt[i], path, true);
            free(path);
        }
    }
    for (size_t i = 0; i < in->nalt; i++)
        if (empty[i])
            include_say_empty(in, in->alt[i], !any && in->opened == 0);
    free(empty);
}

static void include_run(struct include *in, const char *pattern)
{
    if (include_braces(in, pattern))
        include_each(in);
    else
        diag_class(include_say(in, DIAG_ERROR, "HF-INCLUDE-BRACES", pattern,
                               DIAG_ID("more than 1024 alternatives in braces")),
                   DIAG_CLASS_FILE);
    for (size_t i = 0; i < in->nalt; i++)
        free(in->alt[i]);
    free(in->alt);
}

int include_main(struct conf_ctx *c, const char *pattern)
{
    struct include in = { .c = c,
                          .level = CONF_INCLUDE_READ | CONF_INCLUDE_MATCH | CONF_INCLUDE_WILDCARD,
                          .word = pattern };

    if (access(pattern, F_OK) == 0 || errno == EACCES)
        include_open(&in, pattern, pattern, true);
    else
        include_run(&in, pattern);
    return in.opened ? 0 : -1;
}

/* Which include it is: the bits of its letter, -1 when the word is no include. */
static int include_variant(const char *s, size_t len, unsigned int plain)
{
    static const struct {
        char letter;
        unsigned int level;
    } forms[] = {
        { 'r', CONF_INCLUDE_READ },
        { 'm', CONF_INCLUDE_READ | CONF_INCLUDE_MATCH },
        { 'w', CONF_INCLUDE_READ | CONF_INCLUDE_MATCH | CONF_INCLUDE_WILDCARD },
        { 'b', CONF_INCLUDE_READ | CONF_INCLUDE_BRACE },
        { 'a', CONF_INCLUDE_ALL },
    };

    if (len == 7)
        return (int)plain;
    for (size_t i = 0; len == 8 && i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (s[7] == forms[i].letter)
            return (int)forms[i].level;
    }
    return -1;
}

bool include_statement(struct conf_ctx *c, const struct conf_src *src, const struct xstr *x)
{
    struct include in = { .c = c, .src = src };
    struct xstr p = *x;
    size_t n = 0, len = 0;
    char *pattern;
    int level;

    if (x->len < 7 || memcmp(x->s, "include", 7))
        return false;
    while (n < x->len && !text_blank(x->s[n]))
        n++;
    level = include_variant(x->s, n, c->include_level);
    if (level < 0)
        return false;
    in.level = (unsigned int)level;
    in.pos = xstr_pos(c, src, x, 0, x->len);
    xstr_skip(&p, n);
    xstr_trim(&p);
    if (p.len > 1 && p.s[0] == '"') {
        xstr_skip(&p, 1);
        while (len < p.len && p.s[len] != '"')
            len++;
    } else {
        while (len < p.len && !text_blank(p.s[len]))
            len++;
    }
    if (!len || c->o->no_files) {
        diag_class(diag_add(c->d, DIAG_ERROR, "HF-INCLUDE-FILE", in.pos,
                            len ? "include is not available here" : DIAG_ID("include needs a file name")),
                   DIAG_CLASS_FILE);
        return true;
    }
    in.pos = xstr_pos(c, src, &p, 0, len);
    pattern = xmalloc(len + 1);
    memcpy(pattern, p.s, len);
    pattern[len] = '\0';
    in.word = pattern;
    include_run(&in, pattern);
    free(pattern);
    return true;
}

/* global_defs' include_check: from here on a plain include is held to this. Its words are checked by the
 * parser. */
void include_check_statement(struct conf_ctx *c, const struct conf_line *l)
{
    static const struct {
        const char *name;
        unsigned int bit;
    } bits[] = {
        { "read", CONF_INCLUDE_READ },
        { "readable", CONF_INCLUDE_READ }, /* the manual's word for it */
        { "match", CONF_INCLUDE_MATCH },
        { "wildcard_match", CONF_INCLUDE_WILDCARD },
        { "brace_match", CONF_INCLUDE_BRACE },
    };

    if (l->nwords == 1) {
        c->include_level = CONF_INCLUDE_ALL;
        return;
    }
    if (l->words[1].text[0] != '+' && l->words[1].text[0] != '-')
        c->include_level = CONF_INCLUDE_READ; /* each of them includes it */
    for (size_t i = 1; i < l->nwords; i++) {
        const char *w = l->words[i].text;
        bool off = w[0] == '-';

        w += off || w[0] == '+';
        for (size_t j = 0; j < sizeof(bits) / sizeof(bits[0]); j++) {
            if (!strcmp(w, bits[j].name))
                c->include_level = off ? c->include_level & ~bits[j].bit : c->include_level | bits[j].bit;
        }
    }
}
