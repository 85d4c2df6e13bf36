/*
 * diag_int.h - inside of the diagnostics, shared by diag*.c, and by clean.c and model.c for the cleaning of
 * what is shown.
 */
#ifndef HOLDFAST_CONF_DIAG_INT_H
#define HOLDFAST_CONF_DIAG_INT_H

#include "parent/conf/diag.h"

#define DIAG_TEXT_MAX    1024
#define DIAG_KEEP_MAX    20000
#define DIAG_RELATED_MAX 4
#define DIAG_SHOW_MAX    200 /* characters of a source line */

struct diag_related {
    struct conf_pos pos;
    char *text;
};

struct diag_item {
    struct diag *owner;
    enum diag_severity severity;
    enum diag_class class;
    const char *code;
    struct conf_pos pos;
    size_t order;
    bool hidden;
    bool demoted; /* an error that --lenient made a warning */
    char *message, *help, *suggest;
    struct diag_related related[DIAG_RELATED_MAX];
    size_t nrelated;
};

struct diag {
    struct diag_item **items;
    size_t n, cap;
    struct diag_item *spare; /* the last of those that were only counted */
    size_t dropped;
    size_t added;
    size_t count[3];
    bool class_seen[3];
    bool lenient, brief;
    const struct locale *locale;
};

struct diag_place {
    const char *file; /* "" when nowhere */
    uint32_t line, column, length;
};

/* A source line made safe to show: valid UTF-8, no control characters, secrets masked, cut to a window around
 * the position. column: where the caret goes, in columns of a terminal, from 0; caret: its length. */
struct diag_excerpt {
    char text[DIAG_SHOW_MAX * 8];
    uint32_t column, caret;
};

void diag_sort(struct diag *d);
/* Sorted item i says the same of the same place as the one before it (a generated or multi-line definition's
 * line): it counts, but is not shown again. */
bool diag_repeats(const struct diag *d, size_t i);
void diag_place(const struct conf_pos *pos, struct diag_place *out);
bool diag_excerpt(const struct diag_item *it, struct diag_excerpt *out); /* false: nothing to show */
const char *diag_severity_name(enum diag_severity s);
/* Cleans any text for showing: like the excerpt, but all of it. Terminated; cut at size. */
void diag_clean(const char *s, size_t len, char *out, size_t size);
/* One UTF-8 character at s[0..len): its length, and its code point, or 1 and -1 for a byte that is not UTF-8.
 */
size_t diag_utf8(const char *s, size_t len, int32_t *cp);

#endif
