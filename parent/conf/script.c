/*
 * script.c - keywords that name a command: the second tokenizer's words become a CMD object whose argument
 * vector only the parent ever sees. Judging the file and its user is validate_script.c's business. Called by
 * parse_kw.c.
 */
#include <string.h>

#include "common/hash.h"
#include "parent/conf/parse.h"

static void cmd_list(struct conf *c, struct conf_obj *cmd, enum kw kw, const struct conf_line *l,
                     const char *s)
{
    struct conf_value *v = conf_add(c, cmd, kw, l, 1);
    size_t n = strlen(s) + 1;
    v->v.raw = s;
    v->len = n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

void parse_user(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l)
{
    if (l->nwords < 2) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs USER [GROUP]", row->name);
        return;
    }
    if (conf_diag_text(c, l, 1, row->name) || conf_word_undefined(c->text, l, &l->words[1], c->diag))
        return;
    parse_put_words(c, o, row, l, 1, 2);
}

/* The words themselves are the parent's secret; what checkd compares at a reload is this. */
static unsigned long long cmd_hash(const struct conf_args *argv)
{
    uint64_t h = HASH_START;
    for (size_t i = 0; i < argv->n; i++)
        h = hash_bytes(h, argv->v[i], strlen(argv->v[i]) + 1);
    return (unsigned long long)h;
}

static const char *cmd_name(struct conf *c, const struct conf_obj *o, const struct kw_row *row,
                            const struct conf_args *argv)
{
    if (o->blk == BLK_MISC || o->blk == BLK_SCRIPT || o->parent == NULL)
        return conf_fmt(c, "%s/%016llx", row->name, cmd_hash(argv));
    if (o->blk == BLK_RS)
        return conf_fmt(c, "%s/%s/%s", conf_label(c, o->parent), conf_label(c, o), row->name);
    return conf_fmt(c, "%s/%s", conf_label(c, o), row->name);
}

void parse_script(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l)
{
    struct conf_args words, argv;
    if (l->nwords < 2) {
        if (row->flags & KWF_OPTVALUE) {
            struct conf_value *v = parse_put(c, o, row, l, 0);
            if (v != NULL)
                v->v.s = "";
        } else if (!l->bad) {
            CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs a command in quotes", row->name);
        }
        return;
    }
    if (l->bad) { /* the statement is there, its words are not to be judged */
        parse_put(c, o, row, l, 1);
        conf_get(o, row->kw)->v.s = "";
        conf_fail(c, o, row->kw);
        return;
    }
    if (conf_line_reread(c->text, l, 1, false, &words, c->diag) < 0) {
        conf_fail(c, o, row->kw);
        return;
    }
    if (words.n == 0 ||
        conf_split_command(c->text, words.v[0], conf_pos_word(l, &l->words[1]), &argv, c->diag) < 0) {
        conf_fail(c, o, row->kw);
        return;
    }
    if (argv.n == 0 || argv.v[0][0] == '\0') {
        CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-VALUE-MISSING", "%s: the command is empty",
                 row->name);
        conf_fail(c, o, row->kw);
        return;
    }
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v == NULL)
        return;
    struct conf_obj *cmd = conf_obj_new(c, o, BLK_CMD, cmd_name(c, o, row, &argv), l);
    cmd->opener = row->kw;
    conf_set_uint(c, cmd, KW_CMD_X_KW, row->kw);
    for (struct conf_obj *old = o->child; old != cmd; old = old->sibling)
        if (old->blk == BLK_CMD && old->opener == row->kw)
            old->drop = true;
    v->v.s = cmd->name;
    for (size_t i = 0; i < argv.n; i++)
        cmd_list(c, cmd, KW_CMD_X_ARGV, l, argv.v[i]);
    if (row->arg == 0) { /* "COMMAND" USER GROUP; script and misc_path have `user` */
        if (words.n > 1)
            cmd_list(c, cmd, KW_CMD_X_USER, l, words.v[1]);
        if (words.n > 2)
            cmd_list(c, cmd, KW_CMD_X_GROUP, l, words.v[2]);
        parse_extra(c, row, l, words.n > 3 && l->nwords > 4 ? 4 : l->nwords);
    } else if (words.n > 1) { /* one word to a shell: quotes of either kind, escaped blanks */
        parse_extra(c, row, l, 2);
    }
}
