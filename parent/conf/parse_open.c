/*
 * parse_open.c - the head of a block: its name, or the address of a virtual or real server; blocks given
 * twice. Always yields an object, so that the content is parsed and checked even when the head is wrong.
 * Also brackets written where a block has braces. Called by parse_kw.c, and by parse.c for the brackets.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#include "parent/conf/parse.h"

static void head_broken(struct conf_obj *o)
{
    o->broken = true;
    o->drop = true;
}

static struct conf_obj *head_named(struct conf *c, struct conf_obj *parent, enum blk blk,
                                   const struct kw_row *row, const struct conf_line *l)
{
    struct conf_obj *o;
    if (l->nwords < 2) {
        o = conf_obj_new(c, parent, blk, "", l);
        o->opener = row->kw;
        head_broken(o);
        if (!l->bad)
            diag_help(CONF_ERR(c, conf_pos_line(l), "HF-NAME-MISSING", "%s needs a name", row->name),
                      "write: %s NAME {", row->name);
        return o;
    }
    o = conf_obj_new(c, parent, blk, l->words[1].text, l);
    o->opener = row->kw;
    if (strcmp(l->words[1].text, "=") == 0 ||
        strcmp(l->words[1].text, ":") == 0) { /* a habit of other files */
        diag_help(CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-NAME-MISSING", "%s: \"%s\" is not a name",
                           row->name, l->words[1].text),
                  "write: %s %s {", row->name, l->nwords > 2 ? l->words[2].text : "NAME");
        o->broken = true;
        return o;
    }
    parse_extra(c, row, l, 2);
    if (conf_diag_text(c, l, 1, row->name) || conf_word_undefined(c->text, l, &l->words[1], c->diag))
        o->broken = true;
    size_t most = blk == BLK_BFD ? 31 : 255;
    if (l->words[1].len > most) {
        CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-LONG", "%s: a name has at most %zu characters",
                 row->name, most);
        o->broken = true;
    }
    struct conf_obj *first = conf_find(c, blk, o->name);
    if (first != NULL) {
        struct diag_item *it =
            CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-DUP", "%s %s is already defined at line %u",
                     row->name, o->name, conf_lineno(first->line));
        diag_related(it, conf_pos_obj(first), "first defined here");
        diag_help(it, "give one of them another name, or remove it");
        head_broken(o);
        return o;
    }
    conf_hash_add(c, o);
    return o;
}

/* IP [PORT]: of a virtual or real server. */
static void head_address(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                         const struct conf_line *l, enum kw ip, enum kw port)
{
    struct ipaddr a;
    uint16_t p = 0;
    o->name = l->nwords > 2 ? conf_fmt(c, "%s %s", l->words[1].text, l->words[2].text) : l->words[1].text;
    if (conf_word_undefined(c->text, l, &l->words[1], c->diag) || conf_word_ip(c, l, 1, false, &a) < 0) {
        o->broken = true;
    } else {
        conf_set_ip(c, o, ip, &a);
    }
    if (l->nwords > 2 &&
        (conf_word_undefined(c->text, l, &l->words[2], c->diag) || conf_word_port(c, l, 2, &p) < 0))
        o->broken = true;
    else if (l->nwords > 2)
        conf_set_uint(c, o, port, p);
    parse_extra(c, row, l, 3);
}

static struct conf_obj *head_vs(struct conf *c, struct conf_obj *parent, const struct kw_row *row,
                                const struct conf_line *l)
{
    struct conf_obj *o = conf_obj_new(c, parent, BLK_VS, "", l);
    o->opener = row->kw;
    if (l->nwords < 2) {
        o->broken = true;
        CONF_ERR(c, conf_pos_line(l), "HF-NAME-MISSING",
                 "virtual_server needs IP PORT, fwmark N or group NAME");
        return o;
    }
    bool fwmark = strcmp(l->words[1].text, "fwmark") == 0, group = strcmp(l->words[1].text, "group") == 0;
    if (!fwmark && !group) {
        head_address(c, o, row, l, KW_VS_X_IP, KW_VS_X_PORT);
        return o;
    }
    o->name = conf_fmt(c, "%s %s", l->words[1].text, l->nwords > 2 ? l->words[2].text : "");
    if (l->nwords < 3) {
        o->broken = true;
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "virtual_server %s needs a %s", l->words[1].text,
                 fwmark ? diag_tr(c->diag, "number") : diag_tr(c->diag, "name"));
        return o;
    }
    parse_extra(c, row, l, 3);
    int64_t mark;
    if (group)
        conf_set_str(c, o, KW_VS_X_GROUP, l->words[2].text);
    else if (conf_number(l->words[2].text, true, &mark) == 0 && mark > 0 && mark <= UINT32_MAX)
        conf_set_uint(c, o, KW_VS_X_FWMARK, (uint64_t)mark);
    else {
        o->broken = true;
        CONF_ERR(c, conf_pos_word(l, &l->words[2]), "HF-RANGE", "fwmark %s is not in 1-4294967295",
                 l->words[2].text);
    }
    return o;
}

static struct conf_obj *head_rs(struct conf *c, struct conf_obj *parent, const struct kw_row *row,
                                const struct conf_line *l)
{
    struct conf_obj *o = conf_obj_new(c, parent, BLK_RS, "", l);
    o->opener = row->kw;
    c->nrs++;
    if (l->nwords < 2) {
        o->broken = true;
        CONF_ERR(c, conf_pos_line(l), "HF-NAME-MISSING", "real_server needs IP [PORT]");
        return o;
    }
    head_address(c, o, row, l, KW_RS_X_IP, KW_RS_X_PORT);
    return o;
}

/* One object however often the block is given: global_defs adds, SSL and authentication replace. */
static struct conf_obj *head_single(struct conf *c, struct conf_obj *parent, enum blk blk,
                                    const struct kw_row *row, const struct conf_line *l)
{
    struct conf_obj *old = conf_next(parent, NULL, blk), *o;
    if (blk == BLK_GLOBAL) {
        o = conf_global(c);
        if (o->line == NULL)
            o->line = l;
    } else {
        o = conf_obj_new(c, parent, blk, "", l);
        if (old != NULL && (blk == BLK_SSL || blk == BLK_VI_AUTH || blk == BLK_VI_HMAC)) {
            struct diag_item *it = CONF_WARN(c, conf_pos_line(l), "HF-TWICE",
                                             "%s is given twice; the last one counts", row->name);
            diag_related(it, conf_pos_obj(old), "also given here");
            old->drop = true;
        }
    }
    o->opener = row->kw;
    parse_extra(c, row, l, 1);
    return o;
}

struct conf_obj *parse_head(struct conf *c, struct parse_frame *f, const struct kw_row *row,
                            const struct conf_line *l)
{
    enum blk blk = row->kind == KIND_BLOCK ? (enum blk)row->arg : BLK_VSG;
    if (blk == BLK_VS)
        return head_vs(c, f->obj, row, l);
    if (blk == BLK_RS)
        return head_rs(c, f->obj, row, l);
    if (schema_blk(blk)->flags & KWF_NAMED)
        return head_named(c, f->obj, blk, row, l);
    return head_single(c, f->obj, blk, row, l);
}

/* ---- brackets for braces */

static bool bracket(const struct conf_word *w, bool closing)
{
    static const char *const open[] = { "[", "(", "\xef\xbc\x88", "\xef\xbc\xbb" }, *const shut[] = {
        "]", ")", "\xef\xbc\x89", "\xef\xbc\xbd"
    };
    if (w->quoted || w->len > 3)
        return false;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (strcmp(w->text, closing ? shut[i] : open[i]) == 0)
            return true;
    return false;
}

static bool opens_block(const char *word)
{
    for (int blk = BLK_NONE + 1; blk < BLK_MAX; blk++) {
        const struct kw_row *r = schema_find((enum blk)blk, word);
        if (r != NULL && (r->kind == KIND_BLOCK || r->kind == KIND_LINES || r->kw == KW_SYNC_GROUP ||
                          r->kw == KW_TRACK_GROUP_GROUP || r->kw == KW_GARPG_INTERFACES ||
                          r->kw == KW_GLOBAL_NOTIFICATION_EMAIL))
            return true;
    }
    return false;
}

static void bracket_said(struct conf *c, const struct conf_line *l, const struct conf_word *w, char brace)
{
    if (!l->bad)
        diag_help(CONF_ERR(c, conf_pos_word(l, w), "HF-BRACE-OPEN", "\"%s\" where \"%c\" is expected",
                           w->text, brace),
                  "blocks are written with \"{\" and \"}\"");
}

/* The last word opens a block: where no "{" follows, since then it is a name. */
static bool bracket_opens(const struct conf_text *t, size_t i)
{
    const struct conf_line *l = &t->lines[i];
    return l->kind == CONF_LINE_WORDS && l->nwords > 1 && bracket(&l->words[l->nwords - 1], false) &&
           (i + 1 == t->nlines || l[1].kind != CONF_LINE_OPEN) && opens_block(l->words[0].text);
}

static bool bracket_closes(const struct conf_line *l)
{
    return l->kind == CONF_LINE_WORDS && l->nwords == 1 && bracket(&l->words[0], true);
}

/* Appends l without its last word, and that as a "{". */
static void bracket_split(struct conf *c, struct conf_line *out, const struct conf_line *l)
{
    const struct conf_word *w = &l->words[l->nwords - 1];
    bracket_said(c, l, w, '{');
    out[0] = out[1] = *l;
    out[0].nwords--;
    out[0].raw_len = w->raw;
    out[1].kind = CONF_LINE_OPEN;
    out[1].nwords = 0;
    out[1].raw += w->raw;
    out[1].raw_len = w->raw_len;
    out[1].base += w->raw;
    out[1].map = l->map != NULL ? l->map + w->raw : NULL;
}

void parse_brackets(struct conf *c)
{
    struct conf_text *t = c->text;
    size_t more = 0, open = 0, n = 0;
    bool any = false;
    for (size_t i = 0; i < t->nlines; i++) {
        more += bracket_opens(t, i);
        any = any || bracket_closes(&t->lines[i]);
    }
    if (more == 0 && !any)
        return;
    struct conf_line *out = xcalloc(t->nlines + more, sizeof *out);
    for (size_t i = 0; i < t->nlines; i++) {
        const struct conf_line *l = &t->lines[i];
        if (bracket_opens(t, i)) {
            bracket_split(c, out + n, l);
            n += 2;
            open++;
            continue;
        }
        out[n] = *l;
        if (bracket_closes(l)) {
            if (open > 0)
                open--; /* said where it was opened */
            else
                bracket_said(c, l, &l->words[0], '}');
            out[n].kind = CONF_LINE_CLOSE;
            out[n].nwords = 0;
        }
        n++;
    }
    free(t->lines);
    t->lines = out;
    t->nlines = n;
}
