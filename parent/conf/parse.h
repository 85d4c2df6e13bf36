/*
 * parse.h - inside of the parser: the stack of open blocks. Shared by parse*.c, script.c, and validate.c, for
 * the old names of keywords.
 */
#ifndef HOLDFAST_CONF_PARSE_H
#define HOLDFAST_CONF_PARSE_H

#include "parent/conf/conf_int.h"

struct parse_frame {
    struct parse_frame *up;
    const struct conf_line *opener; /* NULL: the file itself */
    const struct kw_row *row;       /* keyword that opened it */
    struct conf_obj *obj;           /* for data: the object that holds the lines */
    enum blk blk;                   /* BLK_NONE: data lines */
    size_t count;                   /* data lines seen */
    bool closed;                    /* its "}" is missing; unwind to the frame that is meant */
};

void parse_block(struct conf *c, struct parse_frame *f);
void parse_data(struct conf *c, struct parse_frame *f);
void parse_enter(struct conf *c, struct parse_frame *f, const struct kw_row *row, const struct conf_line *l,
                 struct conf_obj *obj);
void parse_no_block(struct conf *c, const struct kw_row *row);
bool parse_open_follows(const struct conf *c);
void parse_skip_block(struct conf *c);
/* parse_kw.c */
void parse_statement(struct conf *c, struct parse_frame *f, const struct kw_row *row,
                     const struct conf_line *l);
void parse_words(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l,
                 size_t from);
void parse_extra(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t from);
/* The same where only an option can follow: then the word is an error, as any unknown option. */
void parse_extra_option(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t from);
/* A place for a value; NULL: a duplicate that was reported and does not count. Synonyms share the row of the
 * main word. */
struct conf_value *parse_put(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                             const struct conf_line *l, size_t word);
const struct kw_row *parse_canonical(const struct kw_row *row);
void parse_notyet(struct conf *c, const struct kw_row *row, const struct conf_line *l);
/* parse_open.c: a block's head; never NULL */
struct conf_obj *parse_head(struct conf *c, struct parse_frame *f, const struct kw_row *row,
                            const struct conf_line *l);
/* parse_open.c: "[" and "(" that open a block become "{", with an error each; before anything is parsed. */
void parse_brackets(struct conf *c);
/* parse_line.c: data lines of value blocks, and the options behind a keyword */
void conf_parse_data(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l);
/* One option word and its value; *word moves on. subject: what it stands behind. false: reported, the rest is
 * unclear. */
bool parse_option(struct conf *c, struct conf_obj *o, enum blk blk, const struct conf_line *l, size_t *word,
                  const char *subject);
void parse_options(struct conf *c, struct conf_obj *o, enum blk blk, const struct conf_line *l, size_t from,
                   const char *subject);
void parse_option_unknown(struct conf *c, enum blk blk, const struct conf_line *l, size_t word,
                          const char *subject);
/* parse_route.c, parse_lvs.c, parse_special.c: grammars of their own. -1: reported. */
int parse_route_option(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                       const struct conf_line *l, size_t *word);
void parse_route_line(struct conf *c, struct conf_obj *o, const struct conf_line *l);
void parse_rule_line(struct conf *c, struct conf_obj *o, const struct conf_line *l);
void parse_vsg_line(struct conf *c, struct conf_obj *o, const struct conf_line *l);
bool parse_lvs_special(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                       const struct conf_line *l);
void parse_special(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l);
void parse_hex(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l);
/* script.c */
void parse_script(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l);
void parse_user(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l);
/* Several NUL-terminated words as one raw value. */
void parse_put_words(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l,
                     size_t from, size_t most);
/* parse_near.c */
bool parse_known_elsewhere(const char *word);
const char *parse_near(enum blk blk, const char *word);

#endif
