/*
 * parse.c - walks the logical lines: blocks, braces, and the recovery that makes one mistake one error. What
 * a statement means is parse_kw.c's business. Uses indentation only to say where a missing or surplus brace
 * belongs, and only when the braces of the whole text do not balance. Called by program.c through conf_parse.
 */
#include <string.h>

#include "parent/conf/parse.h"

/* Column of the first character of a logical line when nothing but blanks stands before it, else -1. */
static int indent_of(const struct conf_line *l)
{
    struct conf_pos pos = conf_pos_line(l);
    int column = 0;
    if (l == NULL || pos.src == NULL)
        return -1;
    for (uint32_t i = 0; i < pos.off && i < pos.src->len; i++) {
        char ch = pos.src->text[i];
        if (ch == '\t')
            column = column / 8 * 8 + 8;
        else if (ch == ' ')
            column++;
        else
            return -1;
    }
    return column;
}

static const struct conf_line *line_at(const struct conf *c, size_t i)
{
    return i < c->text->nlines ? &c->text->lines[i] : NULL;
}

bool parse_open_follows(const struct conf *c)
{
    const struct conf_line *l = line_at(c, c->at);
    return l != NULL && l->kind == CONF_LINE_OPEN;
}

/* {{ name }} or {% tag %}: the lexer took the braces apart. Standing at an OPEN: true when reported and
 * skipped. */
static bool template_here(struct conf *c)
{
    const struct conf_line *a = line_at(c, c->at), *b = line_at(c, c->at + 1);
    if (a == NULL || b == NULL || a->kind != CONF_LINE_OPEN || a->src != b->src)
        return false;
    uint32_t off = conf_pos_line(a).off;
    if (off + 1 >= a->src->len || (a->src->text[off + 1] != '{' && a->src->text[off + 1] != '%'))
        return false;
    struct diag_item *it =
        CONF_ERR(c, conf_pos_line(a), "HF-TEMPLATE",
                 "\"{%c\": this looks like a template that was not rendered", a->src->text[off + 1]);
    diag_help(it, "give holdfast the output of the template engine");
    const struct conf_src *src = a->src;
    for (; line_at(c, c->at) != NULL && line_at(c, c->at)->src == src; c->at++)
        c->surplus -= line_at(c, c->at)->kind == CONF_LINE_OPEN    ? 1
                      : line_at(c, c->at)->kind == CONF_LINE_CLOSE ? -1
                                                                   : 0;
    return true;
}

/* Standing at an OPEN: over the whole block, silently; a missing end was or will be reported by who is
 * outside. */
void parse_skip_block(struct conf *c)
{
    long depth = 0;
    if (!parse_open_follows(c))
        return;
    do {
        const struct conf_line *l = line_at(c, c->at++);
        depth += l->kind == CONF_LINE_OPEN ? 1 : l->kind == CONF_LINE_CLOSE ? -1 : 0;
    } while (depth > 0 && c->at < c->text->nlines);
}

static const char *frame_label(struct conf *c, const struct parse_frame *f)
{
    if (f->opener == NULL)
        return diag_tr(c->diag, "the file");
    if (f->row->kind == KIND_BLOCK && f->obj->name != NULL && f->obj->name[0] != '\0')
        return conf_fmt(c, "%s %s", f->row->name, f->obj->name);
    return f->row->name;
}

static void never_closed(struct conf *c, const struct parse_frame *f, bool at_end)
{
    struct diag_item *it = CONF_ERR(
        c, conf_pos_line(f->opener), "HF-BRACE-CLOSE", "block %s is never closed%s", frame_label(c, f),
        at_end ? diag_tr(c->diag, " (a \"}\" is missing at the end of the file)") : "");
    diag_help(it, "add a line with \"}\" where the block ends");
    diag_strict(it);
    c->surplus--;
    if (f->obj != NULL)
        f->obj->broken = true;
}

/* With a "}" too many, one that stands in another file than its "{" is it. */
static bool close_foreign(struct conf *c, const struct parse_frame *f, const struct conf_line *l)
{
    const struct conf_src *open = f->opener->src;
    if (c->surplus >= 0 || open == NULL || l->src == NULL || l->src->file == open->file || l->via != NULL ||
        f->opener->via != NULL)
        return false;
    struct diag_item *it = CONF_ERR(c, conf_pos_line(l), "HF-BRACE-EXTRA", "\"}\" closes nothing");
    diag_related(it, conf_pos_line(f->opener), "opened here");
    c->surplus++;
    return true;
}

/* A closing brace in frame f. */
enum parse_close { CLOSE_THIS, CLOSE_IGNORED, CLOSE_OUTER };
static enum parse_close close_meaning(struct conf *c, const struct parse_frame *f, const struct conf_line *l)
{
    int mine = indent_of(f->opener), its = indent_of(l);
    if (close_foreign(c, f, l))
        return CLOSE_IGNORED;
    if (mine < 0 || its < 0 || mine == its)
        return CLOSE_THIS;
    if (c->surplus > 0 && its < mine)
        for (const struct parse_frame *up = f->up; up != NULL && up->opener != NULL; up = up->up)
            if (indent_of(up->opener) == its) {
                never_closed(c, f, false);
                return CLOSE_OUTER;
            }
    if (c->surplus < 0 && its > mine) {
        CONF_ERR(c, conf_pos_line(l), "HF-BRACE-EXTRA", "\"}\" closes nothing");
        c->surplus++;
        return CLOSE_IGNORED;
    }
    return CLOSE_THIS;
}

/* At a brace in a frame. 1: the frame ends here; 0: consumed, go on. */
static int at_brace(struct conf *c, struct parse_frame *f, const struct conf_line *l)
{
    if (l->kind == CONF_LINE_OPEN) {
        if (template_here(c)) {
            if (f->row != NULL)
                conf_fail(c, f->obj, f->row->kw);
            return 0;
        }
        CONF_ERR(c, conf_pos_line(l), "HF-BRACE-OPEN", "\"{\" without a keyword before it");
        if (c->surplus > 0) {
            c->surplus--;
            c->at++;
        } else {
            parse_skip_block(c);
        }
        return 0;
    }
    if (f->opener == NULL) {
        c->at++;
        if (!l->bad && !c->early)
            CONF_ERR(c, conf_pos_line(l), "HF-BRACE-EXTRA", "\"}\" closes nothing");
        c->early = false;
        c->surplus++;
        return 0;
    }
    switch (close_meaning(c, f, l)) {
    case CLOSE_IGNORED: c->at++; return 0;
    case CLOSE_OUTER: return 1;
    case CLOSE_THIS:
        c->at++;
        if (f->up->opener == NULL && f->row->kind == KIND_BLOCK) {
            c->shut = l;
            c->shut_obj = f->obj;
        }
        return 1;
    }
    return 1;
}

/* Does this word begin a statement of a block further out? Then a "}" has been forgotten (or the block is
 * misplaced). */
static const struct parse_frame *outer_frame(const struct parse_frame *f, const char *word,
                                             const struct kw_row **row)
{
    for (const struct parse_frame *up = f->up; up != NULL; up = up->up)
        if (up->blk != BLK_NONE && (*row = schema_find(up->blk, word)) != NULL)
            return up;
    return NULL;
}

static bool forgot_close(struct conf *c, struct parse_frame *f, const struct conf_line *l)
{
    const struct kw_row *row;
    const struct parse_frame *up = outer_frame(f, l->words[0].text, &row);
    if (up == NULL || c->surplus <= 0)
        return false;
    struct diag_item *it = CONF_ERR(c, conf_pos_word(l, &l->words[0]), "HF-BRACE-CLOSE",
                                    "%s inside %s: is the \"}\" of the block opened at line %u missing?",
                                    l->words[0].text, frame_label(c, f), conf_lineno(f->opener));
    diag_related(it, conf_pos_line(f->opener), "opened here");
    diag_strict(it);
    for (; f != up; f = f->up) {
        f->closed = true;
        c->surplus--;
    }
    return true;
}

/* Balanced braces, but a block of an outer level stands here: it is taken as if it stood there, one error. */
static bool misplaced_block(struct conf *c, struct parse_frame *f, const struct conf_line *l)
{
    const struct kw_row *row;
    const struct parse_frame *up = outer_frame(f, l->words[0].text, &row);
    if (up == NULL || row->kind != KIND_BLOCK)
        return false;
    struct diag_item *it = CONF_ERR(
        c, conf_pos_word(l, &l->words[0]), "HF-KEYWORD-PLACE", "%s belongs %s, not inside %s", row->name,
        up->opener == NULL ? diag_tr(c->diag, "at the top level")
                           : conf_fmt(c, diag_format(c->diag, "inside %s"), frame_label(c, up)),
        frame_label(c, f));
    diag_help(it, "move the block out of %s", frame_label(c, f));
    struct parse_frame at = *up;
    c->at++;
    parse_statement(c, &at, row, l);
    return true;
}

/* A statement of the block that has just been closed, and there is a "}" too many: then it was that one, and
 * what the block lacks comes now. */
static bool closed_early(struct conf *c, const struct parse_frame *f, const struct conf_line *l)
{
    if (l->bad || c->surplus >= 0 || f->opener != NULL || c->spilled || c->shut == NULL || c->shut->bad ||
        schema_find(c->shut_obj->blk, l->words[0].text) == NULL)
        return false;
    struct diag_item *it = CONF_ERR(c, conf_pos_line(c->shut), "HF-BRACE-EXTRA",
                                    "\"}\" closes %s too early: %s follows in line %u",
                                    conf_label(c, c->shut_obj), l->words[0].text, conf_lineno(l));
    diag_related(it, conf_pos_obj(c->shut_obj), "opened here");
    c->shut_obj->broken = c->spilled = c->early = true;
    return true;
}

static void unknown_statement(struct conf *c, struct parse_frame *f, const struct conf_line *l)
{
    if (closed_early(c, f, l) || (!l->bad && c->surplus < 0 && f->opener == NULL && c->spilled &&
                                  parse_known_elsewhere(l->words[0].text))) {
        c->at++; /* the rest of a block that a surplus brace closed too early: said once */
        parse_skip_block(c);
        return;
    }
    c->at++;
    if (!l->bad)
        conf_unknown(c, f->obj, l);
    if (f->opener == NULL && c->surplus < 0)
        c->spilled = true;
    if (f->obj != NULL)
        f->obj->broken = true;
    if (f->opener == NULL && l->nwords > 1 && parse_open_follows(c))
        conf_lost_add(c, l->words[1].text);
    if (parse_open_follows(c) && !template_here(c))
        parse_skip_block(c);
}

/* Something was said of this line: the value it did not give is not missing as well, and what stands behind
 * it unread is missing there. */
static void said_of(struct conf *c, const struct parse_frame *f, const struct kw_row *row,
                    const struct conf_line *l)
{
    if (row->kind == KIND_BLOCK)
        return;
    if (conf_get(f->obj, parse_canonical(row)->kw) == NULL)
        conf_fail(c, f->obj, parse_canonical(row)->kw);
    for (size_t i = 1; i < l->nwords; i++) {
        const struct kw_row *r = l->words[i].quoted ? NULL : schema_find(f->blk, l->words[i].text);
        if (r != NULL && conf_get(f->obj, parse_canonical(r)->kw) == NULL)
            conf_unread(c, f->obj, parse_canonical(r)->kw, l, i);
    }
}

void parse_block(struct conf *c, struct parse_frame *f)
{
    const struct conf_line *l;
    while (!f->closed && (l = line_at(c, c->at)) != NULL) {
        if (l->kind != CONF_LINE_WORDS) {
            if (at_brace(c, f, l) != 0)
                return;
            continue;
        }
        const struct kw_row *row = l->words[0].quoted ? NULL : schema_find(f->blk, l->words[0].text);
        if (row != NULL && f->blk == BLK_URL && row->kw == KW_URL_TLS_COMPLIANT &&
            f->obj->parent->blk == BLK_HTTP)
            row = NULL;
        if (row != NULL) {
            size_t before = diag_total(c->diag);
            c->at++;
            parse_statement(c, f, row, l);
            if (diag_total(c->diag) != before)
                said_of(c, f, row, l);
        } else if (!forgot_close(c, f, l) && !misplaced_block(c, f, l)) {
            unknown_statement(c, f, l);
        }
    }
    if (!f->closed && f->opener != NULL && c->at >= c->text->nlines)
        never_closed(c, f, true);
}

/* Data lines. A line with an opening brace behind it, or a keyword of the enclosing block, is no data. */
static bool not_data(struct conf *c, const struct parse_frame *f, const struct conf_line *l)
{
    const struct conf_line *next = line_at(c, c->at + 1);
    const struct kw_row *row;
    if (next != NULL && next->kind == CONF_LINE_OPEN && next->src != NULL) {
        const struct conf_line *after = line_at(c, c->at + 2);
        if (after != NULL && after->kind == CONF_LINE_OPEN && after->src == next->src)
            return false; /* a template */
        return outer_frame(f, l->words[0].text, &row) != NULL;
    }
    return c->surplus > 0 && outer_frame(f, l->words[0].text, &row) != NULL;
}

void parse_data(struct conf *c, struct parse_frame *f)
{
    const struct conf_line *l;
    while (!f->closed && (l = line_at(c, c->at)) != NULL) {
        if (l->kind != CONF_LINE_WORDS) {
            if (at_brace(c, f, l) != 0)
                return;
            continue;
        }
        if (not_data(c, f, l) && (forgot_close(c, f, l) || misplaced_block(c, f, l)))
            continue;
        c->at++;
        if (parse_open_follows(c) && template_here(c)) {
            conf_fail(c, f->obj, f->row->kw);
            continue;
        }
        f->count++;
        if (f->row->kind == KIND_WORDS)
            parse_words(c, f->obj, f->row, l, 0);
        else
            conf_parse_data(c, f->obj, f->row, l);
    }
    if (!f->closed && c->at >= c->text->nlines)
        never_closed(c, f, true);
}

/* Behind a block keyword: is there a "{"? Without one, does the content follow all the same? */
static bool expect_open(struct conf *c, struct parse_frame *f, const struct kw_row *row,
                        const struct conf_line *l, const char *label)
{
    if (parse_open_follows(c)) {
        if (template_here(c))
            return false;
        c->at++;
        return true;
    }
    struct diag_item *it = CONF_ERR(c, conf_pos_line(l), "HF-BRACE-OPEN", "\"{\" expected after %s", label);
    diag_help(it, "write: %s {", label);
    const struct conf_line *next = line_at(c, c->at);
    if (c->surplus >= 0 || next == NULL || next->kind != CONF_LINE_WORDS)
        return false;
    bool inner = row->kind == KIND_BLOCK && schema_find((enum blk)row->arg, next->words[0].text) != NULL;
    bool outer = schema_find(f->blk, next->words[0].text) != NULL;
    if (!inner && (outer || row->kind == KIND_BLOCK))
        return false;
    c->surplus++;
    return true;
}

void parse_enter(struct conf *c, struct parse_frame *f, const struct kw_row *row, const struct conf_line *l,
                 struct conf_obj *obj)
{
    struct parse_frame in = { .up = f, .opener = l, .row = row, .obj = obj };
    const char *label = frame_label(c, &in);
    if (row->kind == KIND_BLOCK)
        in.blk = (enum blk)row->arg;
    if (!expect_open(c, f, row, l, label)) {
        obj->broken = true;
        return;
    }
    if (row->kind == KIND_BLOCK) {
        parse_block(c, &in);
        return;
    }
    parse_data(c, &in);
    if (in.count == 0 && (row->kind == KIND_WORDS || row->kw == KW_VI_UNICAST_PEER)) /* without: multicast */
        CONF_WARN(c, conf_pos_line(l), "HF-EMPTY", "%s is empty", row->name);
}

/* A "{" behind a keyword that is no block. */
void parse_no_block(struct conf *c, const struct kw_row *row)
{
    if (!parse_open_follows(c) || template_here(c))
        return;
    const struct conf_line *l = line_at(c, c->at);
    struct diag_item *it = CONF_ERR(c, conf_pos_line(l), "HF-BRACE-OPEN",
                                    "%s is not a block, \"{\" is not allowed here", row->name);
    diag_strict(it);
    if (c->surplus > 0) {
        c->surplus--;
        c->at++;
    } else {
        parse_skip_block(c);
    }
}

void conf_parse(struct conf *c)
{
    struct parse_frame top = { .blk = BLK_TOP, .obj = c->top };
    parse_brackets(c);
    for (size_t i = 0; i < c->text->nlines; i++)
        c->surplus += c->text->lines[i].kind == CONF_LINE_OPEN    ? 1
                      : c->text->lines[i].kind == CONF_LINE_CLOSE ? -1
                                                                  : 0;
    parse_block(c, &top);
}
