/*
 * conf_int.h - inside of the table side: shared by the files that make, judge and write the tree (parse*.c,
 * value.c, names.c, tree.c, resolve*.c, validate*.c, tls_files.c, emit.c, model.c, save.c), and by tests.
 */
#ifndef HOLDFAST_CONF_CONF_INT_H
#define HOLDFAST_CONF_CONF_INT_H

#include "parent/conf/conf.h"

struct conf_names; /* iproute2 name tables, read when first needed */

struct conf {
    struct conf_text *text;
    struct diag *diag;
    const struct conf_env *env;
    struct conf_arena *arena;
    struct conf_obj *top;
    struct conf_obj *global; /* one, made when first needed */
    struct conf_obj **hash;  /* named objects by (block, name) */
    size_t nhash, nnamed;
    struct conf_names *names;
    size_t at;    /* parser: next line */
    long surplus; /* parser: opening braces minus closing braces still to be explained */
    uint8_t notyet[KW_MAX / 8 + 1];
    bool numbered;
    bool spilled; /* parser: a surplus brace has thrown statements out of their block */
    bool early;   /* parser: ... and was named, so that the "}" left over at the end is explained */
    const struct conf_line *shut; /* parser: "}" of the last block at the top level, and the block */
    struct conf_obj *shut_obj;
    size_t nvi, nvs, nrs;
    struct conf_fail *failed; /* keywords whose value was refused: not also "missing" */
    const struct conf_prove *prove;
    bool unproven;
};

struct conf_fail {
    struct conf_fail *next;
    const struct conf_obj *obj;
    const struct conf_line *line; /* not refused: it stands behind another keyword, where it is not read */
    size_t word;
    enum kw kw;
};

/* tree.c */
void conf_fail(struct conf *c, const struct conf_obj *o, enum kw kw);
bool conf_failed(const struct conf *c, const struct conf_obj *o,
                 enum kw kw); /* refused, or the object is broken */
void conf_unread(struct conf *c, const struct conf_obj *o, enum kw kw, const struct conf_line *l,
                 size_t word);
/* Where to say that o has no kw: at the word behind another keyword, else at o. */
struct conf_pos conf_pos_missing(const struct conf *c, const struct conf_obj *o, enum kw kw);
/* A block of unknown kind defines this name: what it was to be nobody knows, but it is not undefined. */
void conf_lost_add(struct conf *c, const char *name);
bool conf_lost(struct conf *c, const char *name);
/* First to use this key: NULL, and o is remembered; else who did before. */
const struct conf_obj *conf_once(struct conf *c, const char *key, struct conf_obj *o);
struct conf_obj *conf_obj_new(struct conf *c, struct conf_obj *parent, enum blk blk, const char *name,
                              const struct conf_line *line);
struct conf_obj *conf_global(struct conf *c); /* never NULL */
void conf_hash_add(struct conf *c, struct conf_obj *o);
struct conf_value *conf_add(struct conf *c, struct conf_obj *o, enum kw kw, const struct conf_line *l,
                            size_t word);
struct conf_value *conf_set(struct conf *c, struct conf_obj *o,
                            enum kw kw); /* derived: found or made, no line */
void conf_set_uint(struct conf *c, struct conf_obj *o, enum kw kw, uint64_t v);
void conf_set_str(struct conf *c, struct conf_obj *o, enum kw kw, const char *s);
void conf_set_ip(struct conf *c, struct conf_obj *o, enum kw kw, const struct ipaddr *a);
void conf_unset(struct conf_obj *o, enum kw kw);
const struct ipaddr *conf_ip(const struct conf_obj *o, enum kw kw);
bool conf_flag(const struct conf_obj *o, enum kw kw);
bool conf_tacit(const struct kw_row *row, const struct conf_value *v); /* off, which goes without saying */
bool conf_written(const struct conf_obj *o, enum kw kw); /* given by the administrator in this object */
struct conf_pos conf_pos_value(const struct conf_value *v);
struct conf_pos conf_pos_obj(const struct conf_obj *o);
uint32_t conf_lineno(const struct conf_line *l);
const char *conf_label(struct conf *c, const struct conf_obj *o); /* "vrrp_instance VI_1" */
char *conf_join_all(struct conf *c, size_t n, const char *const *s);
/* Texts one behind the other, in the arena. */
#define conf_join(c, ...)                                                                                    \
    conf_join_all(c, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *),                    \
                  (const char *const[]){ __VA_ARGS__ })
char *conf_fmt(struct conf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* in the arena */

/* parse_near.c: what an unknown word may have meant */
void conf_unknown(struct conf *c, const struct conf_obj *o, const struct conf_line *l);
bool conf_diag_text(struct conf *c, const struct conf_line *l, size_t word,
                    const char *what); /* true: reported */

/* value.c: one word (or two) by the kind of the row. *word moves behind what was taken. Reports; -1: nothing
 * taken. */
int conf_value(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t *word,
               struct conf_value *out);
int conf_number(const char *s, bool c_notation, int64_t *out);        /* -1 EINVAL, ERANGE */
int conf_seconds(const char *s, unsigned int decimals, uint64_t *us); /* -1 EINVAL, ERANGE; 1: rounded */
int conf_bool_word(const char *s);                                    /* 1, 0, -1 no boolean */
int conf_word_ip(struct conf *c, const struct conf_line *l, size_t word, bool prefix,
                 struct ipaddr *out);                                                      /* reports */
int conf_word_port(struct conf *c, const struct conf_line *l, size_t word, uint16_t *out); /* reports */
const char *conf_range_text(struct conf *c,
                            const struct kw_row *row); /* "1-255", "-253..253", "0.01-255 seconds" */
/* names.c */
int conf_name_lookup(struct conf *c, enum schema_names which, const char *word, uint32_t *out);
void conf_names_free(struct conf *c);

/* resolve.c */
void conf_count(struct conf *c);
/* validate_*.c */
void conf_validate_vrrp(struct conf *c);
void conf_validate_lvs(struct conf *c);
void conf_validate_scripts(struct conf *c);
void conf_validate_tls(struct conf *c);                               /* validate_http.c */
void conf_validate_regex(struct conf *c, const struct conf_obj *url); /* validate_http.c */
void conf_validate_process(struct conf *c);                           /* validate_process.c */
struct diag_item *conf_warn_iface(struct conf *c, struct conf_pos pos, const char *what, const char *name,
                                  const char *then);
bool conf_if_exists(const struct conf *c, const char *name); /* true when nobody can know */

/* A word: is there one, and its text. */
static inline bool conf_has_word(const struct conf_line *l, size_t i)
{
    return i < l->nwords;
}

#define CONF_ERR(c, pos, code, ...)  diag_add((c)->diag, DIAG_ERROR, code, pos, __VA_ARGS__)
#define CONF_WARN(c, pos, code, ...) diag_add((c)->diag, DIAG_WARNING, code, pos, __VA_ARGS__)
#define CONF_NOTE(c, pos, code, ...) diag_add((c)->diag, DIAG_NOTE, code, pos, __VA_ARGS__)

#endif
