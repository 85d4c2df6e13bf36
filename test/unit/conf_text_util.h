/*
 * conf_text_util.h - shared by the unit tests of the text side: loads a text, renders its logical lines as
 * one string
 * ("word|word;{;word;}"), finds diagnostics by code. Each test links it as source.
 */
#ifndef TEST_CONF_TEXT_UTIL_H
#define TEST_CONF_TEXT_UTIL_H

#include <stdio.h>
#include <string.h>

#include "parent/conf/lex.h"

struct loaded {
    struct conf_text t;
    struct diag *d;
    int rc;
    char lines[65536];
};

static inline void loaded_render(struct loaded *l)
{
    size_t at = 0;

    l->lines[0] = '\0';
    for (size_t i = 0; i < l->t.nlines && at + 256 < sizeof(l->lines); i++) {
        const struct conf_line *line = &l->t.lines[i];

        if (i)
            l->lines[at++] = ';';
        if (line->kind != CONF_LINE_WORDS)
            at += (size_t)snprintf(l->lines + at, 4, "%s", line->kind == CONF_LINE_OPEN ? "{" : "}");
        for (size_t w = 0; w < line->nwords && at + 256 < sizeof(l->lines); w++)
            at += (size_t)snprintf(l->lines + at, 200, "%s%s%.150s%s", w ? "|" : "",
                                   line->words[w].quoted ? "'" : "", line->words[w].text,
                                   line->words[w].quoted ? "'" : "");
    }
    l->lines[at] = '\0';
}

static inline struct loaded *load_bytes(struct loaded *l, const char *s, size_t len,
                                        const struct conf_text_opts *o)
{
    l->d = diag_new();
    l->rc = conf_text_load_buf(&l->t, "t.conf", s, len, o, l->d);
    loaded_render(l);
    return l;
}

static inline struct loaded *load_file(struct loaded *l, const char *path, const struct conf_text_opts *o)
{
    l->d = diag_new();
    l->rc = conf_text_load(&l->t, path, o, l->d);
    loaded_render(l);
    return l;
}

static inline void unload(struct loaded *l)
{
    diag_free(l->d);
    conf_text_free(&l->t);
}

/* The text is read without error as these lines. */
static inline void expect_lines(const char *text, const char *want, const struct conf_text_opts *o)
{
    struct loaded l;

    load_bytes(&l, text, strlen(text), o);
    assert_string_equal(l.lines, want);
    assert_int_equal(diag_count(l.d, DIAG_ERROR), 0);
    unload(&l);
}

/* The n-th diagnostic (from 0) with this code; false: there is none. */
static inline bool find_diag(const struct loaded *l, const char *code, size_t n, struct diag_view *out)
{
    for (size_t i = 0; i < diag_total(l->d); i++) {
        diag_view(l->d, i, out);
        if (!strcmp(out->code, code) && n-- == 0)
            return true;
    }
    return false;
}

#endif
