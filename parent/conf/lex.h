/*
 * lex.h - the text side of holdfast-conf: files, lines, definitions, conditions and generators become one
 * array of logical lines, each a list of words or one brace. The parser (parse.c) walks the array; it never
 * sees a file.
 *
 * What the parser may rely on:
 *  - order is the order of reading; `a { b }` on one line is the four lines WORDS(a) OPEN WORDS(b) CLOSE;
 *  - a WORDS line has at least one word; words are NUL-terminated, quotes removed, \# and \! resolved;
 *  - no NUL inside, no include, no definition, no condition, no ~SEQ/~LST left;
 *  - what was wrong with the text is already in struct diag. A line with bad set has had an error reported:
 *    take its statement as present, but do not complain about its words again.
 * Everything lives until conf_text_free(), in one arena.
 */
#ifndef HOLDFAST_CONF_LEX_H
#define HOLDFAST_CONF_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parent/conf/diag.h"

struct conf_word {
    const char *text;
    uint32_t len;
    uint32_t raw;     /* offset in line->raw of its first byte (the opening quote, when quoted) */
    uint32_t raw_len; /* with its quotes */
    bool quoted;      /* was in double quotes: never a keyword, never a number's garbage */
    bool undefined;   /* begins with $NAME or ${NAME} that no definition replaced, outside quotes */
};

enum conf_line_kind { CONF_LINE_WORDS, CONF_LINE_OPEN, CONF_LINE_CLOSE };

struct conf_line {
    enum conf_line_kind kind;
    bool bad;        /* an error in it has been reported */
    uint16_t nwords; /* 0 for braces */
    uint32_t raw_len;
    const struct conf_src *src; /* the physical line it comes from */
    const struct conf_src *via; /* see struct conf_pos */
    const char *raw;     /* this logical line after expansion, without comments and braces; not terminated */
    const uint32_t *map; /* offset in raw -> offset in src->text; NULL: add base */
    uint32_t base;
    const struct conf_word *words;
};

/* Chunked memory: thousands of small things, freed at once. Allocations are zeroed and never NULL. */
struct conf_arena;
struct conf_arena *conf_arena_new(void);
void conf_arena_free(struct conf_arena *a);
void *conf_arena_alloc(struct conf_arena *a, size_t n, size_t align);
char *conf_arena_strndup(struct conf_arena *a, const char *s, size_t n); /* terminated */

struct conf_text {
    struct conf_line *lines;
    size_t nlines;
    const struct conf_file *main; /* first main file; NULL when none could be read */
    size_t nfiles;                /* files read */
    const char *config_id;        /* what @ID is compared with */
    struct conf_arena *arena;     /* the parser may allocate from it, too */
    void *priv;
};

struct conf_text_opts {
    const char *config_id; /* -i; NULL: node name up to the first dot */
    unsigned int strict;   /* CONF_INCLUDE_* bits that a plain include is held to (-e: all) */
    char *const *env;      /* for ${_ENV NAME}; NULL: empty */
    bool no_files;         /* tests and fuzzing: include never opens anything */
    size_t max_lines;      /* logical lines; 0 = 8 million */
    size_t max_bytes;      /* expanded text; 0 = 512 MiB */
};

enum {
    CONF_INCLUDE_READ = 1,     /* unreadable, folder, not regular: error */
    CONF_INCLUDE_MATCH = 2,    /* plain name missing: error */
    CONF_INCLUDE_WILDCARD = 4, /* wildcard without match: error */
    CONF_INCLUDE_BRACE = 8,    /* one alternative of {a,b} missing: error */
    CONF_INCLUDE_ALL = 15,
};

#define CONF_LINE_CONTENT_MAX (64u << 10) /* a line without its comment, and what a line expands to */
#define CONF_LINE_MAX         (1u << 20)  /* a line with its comment */

/* Reads PATTERN and all it includes. Errors go to d; t is always usable afterwards (perhaps empty). 0, or -1
 * when no main file could be read (reported, class FILE). */
int conf_text_load(struct conf_text *t, const char *pattern, const struct conf_text_opts *o, struct diag *d);
/* The same from memory; name is what diagnostics call it. buf may be freed afterwards. */
int conf_text_load_buf(struct conf_text *t, const char *name, const char *buf, size_t len,
                       const struct conf_text_opts *o, struct diag *d);
void conf_text_free(struct conf_text *t);

/* Positions. */
struct conf_pos conf_pos_line(const struct conf_line *l); /* all of it */
struct conf_pos conf_pos_word(const struct conf_line *l, const struct conf_word *w);
struct conf_pos conf_pos_raw(const struct conf_line *l, uint32_t off, uint32_t len); /* part of l->raw */
struct conf_pos conf_pos_file(const struct conf_text *t); /* the main file as a whole */

/* The word is flagged undefined and its keyword takes a plain value (not a script, regex or secret): says so
 * (HF-DEF-UNKNOWN, or HF-DEF-BRACES when NAME exists but must be written ${NAME} here). True when it did. */
bool conf_word_undefined(const struct conf_text *t, const struct conf_line *l, const struct conf_word *w,
                         struct diag *d);

/* The definition whose use inside the word stayed as it is for want of braces; NULL: none. */
const char *conf_word_use(const struct conf_text *t, const struct conf_word *w);

/*
 * The second tokenizer: keywords that take a command or a regex are read again from l->raw, with '...', "..."
 * and backslash. Errors (unclosed quote) are reported; -1 then.
 */
struct conf_args {
    const char *const *v; /* NULL-terminated */
    size_t n;
};
/* Pass 1: from word `first` to the end of the line: quotes group and are removed, escapes are kept unless
 * resolve. Adjacent pieces join as in a shell: a"b c" is one word. */
int conf_line_reread(struct conf_text *t, const struct conf_line *l, size_t first, bool resolve,
                     struct conf_args *out, struct diag *d);
/* Pass 2: one command (a word of pass 1) into its arguments, escapes resolved. pos: for complaints. */
int conf_split_command(struct conf_text *t, const char *cmd, struct conf_pos pos, struct conf_args *out,
                       struct diag *d);

#endif
