/*
 * diag.h - what holdfast-conf has to say about a configuration: gathered while it is read, parsed, resolved
 * and validated, sorted by position, then rendered once as text or JSON. Nothing here ever stops the reading:
 * all mistakes of a configuration come in one run. Source text is borrowed from struct conf_text: render
 * before conf_text_free(). Called by every file of parent/conf. Everything shown is hostile bytes: rendering
 * escapes what a terminal obeys, and what follows auth_pass in a source line is masked without being asked.
 */
#ifndef HOLDFAST_CONF_DIAG_H
#define HOLDFAST_CONF_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One reading of one file. Read twice through two includes = two of these. */
struct conf_file {
    const char *name;            /* as the administrator would write it from where -f was written */
    const char *dir;             /* for relative includes and ${_PWD} */
    uint32_t index;              /* order of opening, from 0 */
    const struct conf_src *from; /* the include statement; NULL for a main file */
};

/* One physical line. */
struct conf_src {
    const struct conf_file *file;
    uint32_t line;    /* from 1; 0 = the file as a whole */
    uint32_t len;     /* bytes, without the line end */
    const char *text; /* original bytes, not terminated */
    bool secret;      /* never shown (value of a definition that auth_pass uses) */
};

/* Where something is. off/len are bytes of src->text: columns (in characters) are counted when rendered. via:
 * the line whose use of a definition brought this line of a multi-line definition in, NULL otherwise. */
struct conf_pos {
    const struct conf_src *src; /* NULL: nowhere in particular */
    const struct conf_src *via;
    uint32_t off;
    uint32_t len;
};

enum diag_severity { DIAG_NOTE, DIAG_WARNING, DIAG_ERROR };

/* What kind of error: the exit status of the configuration test. */
enum diag_class {
    DIAG_CLASS_CONFIG,   /* 5 */
    DIAG_CLASS_FILE,     /* 4: main file or include missing, unreadable, of the wrong kind */
    DIAG_CLASS_SECURITY, /* 6: key readable by others, unsafe script under enable_script_security */
};

struct diag;
struct diag_item;
struct locale;

struct diag *diag_new(void);
void diag_free(struct diag *d);
void diag_set_brief(struct diag *d, bool on);   /* text: one line each, no source line, no help */
void diag_set_lenient(struct diag *d, bool on); /* --lenient: errors become warnings, unless diag_strict() */
/* Texts added and rendered from now on are in the language of l (locale.h; borrowed; NULL: English). */
void diag_set_locale(struct diag *d, const struct locale *l);

/* Formats given to the functions below are translated there; xgettext finds them (etc/po/update). A word or
 * phrase that goes into one as an argument is translated here; where xgettext cannot see a literal (one
 * branch of
 * ?:, a table), DIAG_ID() marks it. Never for what becomes a name or goes into a slice. */
const char *diag_tr(const struct diag *d, const char *id);
const char *diag_format(const struct diag *d, const char *id) __attribute__((format_arg(2)));
#define DIAG_ID(id) id

/* Adds one. code is a literal "HF-...". Message: one line, no full stop, no secret. Never NULL; valid until
 * diag_free. */
struct diag_item *diag_add(struct diag *d, enum diag_severity sev, const char *code, struct conf_pos pos,
                           const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Refinements of an item just added; each may be left out. */
void diag_help(struct diag_item *it, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));                 /* the remedy */
void diag_suggest(struct diag_item *it, const char *word); /* "did you mean WORD?" */
void diag_related(struct diag_item *it, struct conf_pos pos, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))); /* "first defined here"; at most 4 */
void diag_hide(struct diag_item *it);      /* do not show the source line */
void diag_class(struct diag_item *it, enum diag_class c);
void diag_strict(
    struct diag_item *it); /* stays an error under --lenient: the incumbent would not run with it either */

size_t diag_count(const struct diag *d, enum diag_severity sev);
/* 0 nothing wrong (or notes and warnings), 5 errors or warnings_are_errors and warnings, 4, 6: see
 * DECISIONS.md */
int diag_exit_status(const struct diag *d, bool warnings_are_errors);

/* Sorts by file, line, column (stable), then renders. Returns -1 when the stream failed. */
int diag_print_text(struct diag *d, FILE *out);
int diag_print_json(struct diag *d, FILE *out, int status);

/* Walking, for tests. i < diag_total(). In the order of the last rendering, of adding before. */
struct diag_view {
    enum diag_severity severity;
    const char *code;
    const char *message;
    const char *help;    /* NULL: none */
    const char *suggest; /* NULL: none */
    const char *file;    /* "" when nowhere */
    uint32_t line;
    uint32_t column; /* from 1; 0 = the whole line or file */
    uint32_t length; /* of the caret, in characters */
};
size_t diag_total(const struct diag *d);
void diag_view(const struct diag *d, size_t i, struct diag_view *out);

#endif
