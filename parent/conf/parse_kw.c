/*
 * parse_kw.c - one statement by its row: old names, values, duplicates, what is not in force yet, surplus
 * words. Called by parse.c for every line that begins with a keyword of the block.
 */
#include <string.h>

#include "parent/conf/parse.h"

/* Words that mean the same; values are kept under the second. */
static const struct {
    enum kw from, to;
} synonyms[] = {
    { KW_VS_LVS_SCHED, KW_VS_LB_ALGO },
    { KW_VS_LVS_METHOD, KW_VS_LB_KIND },
    { KW_BFD_NEIGHBOUR_IP, KW_BFD_NEIGHBOR_IP },
    { KW_BFD_HOPLIMIT, KW_BFD_TTL },
    { KW_ADDR_BROADCAST, KW_ADDR_BRD },
    { KW_ROUTE_OIF, KW_ROUTE_DEV },
    { KW_ROUTE_DSFIELD, KW_ROUTE_TOS },
    { KW_ROUTE_PRIORITY, KW_ROUTE_METRIC },
    { KW_ROUTE_PREFERENCE, KW_ROUTE_METRIC },
    { KW_ROUTE_GW, KW_ROUTE_VIA },
    { KW_RULE_LOOKUP, KW_RULE_TABLE },
    { KW_RULE_ORDER, KW_RULE_PREFERENCE },
    { KW_RULE_PRIORITY, KW_RULE_PREFERENCE },
    { KW_RULE_DSFIELD, KW_RULE_TOS },
    { KW_RULE_SUP_PL, KW_RULE_SUPPRESS_PREFIXLENGTH },
    { KW_RULE_SUP_GROUP, KW_RULE_SUPPRESS_IFGROUP },
    { KW_RULE_IIF, KW_RULE_DEV },
    { KW_GLOBAL_LVS_PROCESS_NAME, KW_GLOBAL_CHECKER_PROCESS_NAME },
    { KW_GLOBAL_LVS_FLUSH_ONSTOP, KW_GLOBAL_LVS_FLUSH_ON_STOP },
    { KW_GLOBAL_VRRP_VMAC_GARP_INTVL, KW_GLOBAL_VRRP_GARP_EXTRA_IF },
    { KW_GLOBAL_VRRP_RLIMIT_RTIME, KW_GLOBAL_VRRP_RLIMIT_RTTIME },
    { KW_GLOBAL_CHECKER_RLIMIT_RTIME, KW_GLOBAL_CHECKER_RLIMIT_RTTIME },
    { KW_GLOBAL_BFD_RLIMIT_RTIME, KW_GLOBAL_BFD_RLIMIT_RTTIME },
    { KW_GLOBAL_ENABLE_SNMP_KEEPALIVED, KW_GLOBAL_ENABLE_SNMP_VRRP },
    { KW_SYNC_GLOBAL_TRACKING, KW_SYNC_SYNC_GROUP_TRACKING_WEIGHT },
    { KW_VI_THREAD_TIMER_EXPIRED, KW_VI_TIMER_EXPIRED_BACKUP },
    { KW_VI_VMAC_GARP_INTVL, KW_VI_GARP_EXTRA_IF },
    { KW_HTTP_NB_GET_RETRY, KW_HTTP_RETRY },
    { KW_SSLGET_NB_GET_RETRY, KW_SSLGET_RETRY },
    { KW_TCP_NB_GET_RETRY, KW_TCP_RETRY },
};

const struct kw_row *parse_canonical(const struct kw_row *row)
{
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (synonyms[i].from == row->kw)
            return schema_kw(synonyms[i].to);
    return row;
}

void parse_notyet(struct conf *c, const struct kw_row *row, const struct conf_line *l)
{
    if (!(row->flags & KWF_NOTYET) || (c->notyet[row->kw / 8] & (1u << row->kw % 8)))
        return;
    c->notyet[row->kw / 8] |= (uint8_t)(1u << row->kw % 8);
    struct diag_item *it =
        CONF_WARN(c, conf_pos_word(l, &l->words[0]), "HF-NOTYET",
                  "%s is understood and checked, but not in force in this version", row->name);
    diag_help(it, "nothing is done for it; do not rely on it yet");
}

void parse_extra(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t from)
{
    if (from >= l->nwords || l->bad)
        return;
    if (conf_diag_text(c, l, from, row->name))
        return;
    struct diag_item *it = CONF_WARN(c, conf_pos_word(l, &l->words[from]), "HF-EXTRA",
                                     from + 1 < l->nwords ? DIAG_ID("%s: extra words from %s ignored")
                                                          : DIAG_ID("%s: extra word %s ignored"),
                                     row->name, l->words[from].text);
    if (schema_find(row->blk, l->words[from].text) != NULL)
        diag_help(it, "one statement a line: put %s on its own line", l->words[from].text);
}

void parse_extra_option(struct conf *c, const struct kw_row *row, const struct conf_line *l, size_t from)
{
    if (from >= l->nwords || l->bad || conf_diag_text(c, l, from, row->name) ||
        conf_word_undefined(c->text, l, &l->words[from], c->diag))
        return;
    const char *w = l->words[from].text;
    struct diag_item *it = CONF_ERR(c, conf_pos_word(l, &l->words[from]), "HF-OPTION",
                                    "unknown option %s after %s", w, row->name);
    if (schema_find(row->blk, w) != NULL)
        diag_help(it, "one statement a line: put %s on its own line", w);
}

struct conf_value *parse_put(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                             const struct conf_line *l, size_t word)
{
    const struct kw_row *main = parse_canonical(row);
    struct conf_value *old = (row->flags & KWF_REPEAT) ? NULL : conf_get(o, main->kw);
    if (old == NULL)
        return conf_add(c, o, main->kw, l, word);
    bool first = (row->flags & KWF_FIRST_WINS) != 0;
    struct diag_item *it =
        CONF_WARN(c, conf_pos_word(l, &l->words[0]), "HF-TWICE", "%s is given twice; the %s one counts",
                  row->name, first ? diag_tr(c->diag, "first") : diag_tr(c->diag, "last"));
    if (old->line != NULL)
        diag_related(it, conf_pos_line(old->line), "also given here");
    if (row->flags & KWF_SECRET)
        diag_hide(it);
    if (first)
        return NULL;
    old->line = l;
    old->word = (uint16_t)word;
    return old;
}

static void statement_flag(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                           const struct conf_line *l)
{
    int on = 1;
    if (l->nwords > 1 && !l->bad) {
        on = conf_bool_word(l->words[1].text);
        struct conf_pos pos = conf_pos_word(l, &l->words[1]);
        if (on < 0 && conf_diag_text(c, l, 1, row->name))
            return;
        if (on < 0 && row->kind == KIND_FLAG &&
            strcmp(l->words[1].text, "1") == 0) { /* seen in the wild, and clear */
            parse_extra(c, row, l, 1);
            on = 1;
        } else if (on < 0) {
            diag_help(CONF_ERR(c, pos, "HF-BOOL", "%s %s is not on or off", row->name, l->words[1].text),
                      "write one of: on, true, yes, off, false, no (lower case)");
            return;
        } else {
            parse_extra(c, row, l, 2);
        }
    }
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v != NULL)
        v->v.u = (uint64_t)on;
}

void parse_words(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l,
                 size_t from)
{
    size_t n = 0;
    for (size_t i = from; i < l->nwords; i++, n++) {
        if (row->arg > 0 && n >= (size_t)row->arg) {
            parse_extra(c, row, l, i);
            return;
        }
        if (conf_diag_text(c, l, i, row->name) || conf_word_undefined(c->text, l, &l->words[i], c->diag))
            continue;
        if (row->max > 0) { /* a list of numbers */
            int64_t v;
            if (conf_number(l->words[i].text, false, &v) < 0 || v < 0 || v > row->max) {
                CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-RANGE", "%s: %s is not in 0-%lld", row->name,
                         l->words[i].text, (long long)row->max);
                continue;
            }
        }
        conf_add(c, o, row->kw, l, i)->v.s = l->words[i].text;
    }
}

static void statement_value(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                            const struct conf_line *l)
{
    struct conf_value got = { 0 };
    size_t word = 1;
    if (conf_value(c, row, l, &word, &got) < 0) {
        conf_fail(c, o, parse_canonical(row)->kw);
        return;
    }
    bool reverse = false, said = false;
    if (row->kind == KIND_WEIGHT && word < l->nwords && strcmp(l->words[word].text, "reverse") == 0)
        reverse = said = true, word++;
    else if (row->kind == KIND_WEIGHT && word < l->nwords && strcmp(l->words[word].text, "noreverse") == 0)
        said = true, word++;
    if (row->kind == KIND_WEIGHT && !said)
        parse_extra_option(c, row, l, word);
    else
        parse_extra(c, row, l, word);
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v == NULL)
        return;
    v->v = got.v;
    if (said)
        conf_set_uint(c, o, (enum kw)row->arg, reverse);
}

static void statement_list(struct conf *c, struct parse_frame *f, const struct kw_row *row,
                           const struct conf_line *l)
{
    struct conf_obj *o = f->obj;
    if ((row->flags & KWF_FIRST_WINS) && conf_get(o, row->kw) != NULL) {
        CONF_WARN(c, conf_pos_word(l, &l->words[0]), "HF-TWICE", "%s is given twice; both lists count",
                  row->name);
    }
    bool block = row->kw == KW_GLOBAL_NOTIFICATION_EMAIL || row->kw == KW_SYNC_GROUP ||
                 row->kw == KW_TRACK_GROUP_GROUP || row->kw == KW_GARPG_INTERFACES;
    if (block) {
        parse_extra(c, row, l, 1);
        parse_enter(c, f, row, l, o);
        return;
    }
    if (l->nwords == 1 && !(row->flags & KWF_OPTVALUE))
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs a value", row->name);
    if (l->nwords == 1)
        conf_add(c, o, row->kw, l, 0)->v.s = "";
    if (row->flags & KWF_OBSOLETE)
        return;
    parse_words(c, o, row, l, 1);
    parse_no_block(c, row);
}

static void old_name(struct conf *c, const struct kw_row *row, const struct conf_line *l)
{
    struct conf_pos pos = conf_pos_word(l, &l->words[0]);
    const char *is = "old name of ";
    if (row->flags & KWF_OBSOLETE) {
        CONF_WARN(c, pos, "HF-OBSOLETE", "%s %s", row->name, diag_tr(c->diag, row->help));
    } else if (row->flags & KWF_DEPRECATED) {
        const char *modern = strncmp(row->help, is, strlen(is)) == 0 ? row->help + strlen(is) : row->help;
        struct diag_item *it = CONF_WARN(c, pos, "HF-DEPRECATED", "%s is now called %s", row->name, modern);
        diag_help(it, "the line works; write %s in new files", modern);
    } else if (row->kw == KW_GLOBAL_VRRP_IPTABLES || row->kw == KW_GLOBAL_VRRP_IPSETS) {
        CONF_WARN(c, pos, "HF-OBSOLETE", "%s: nftables is used instead", row->name);
    }
}

void parse_statement(struct conf *c, struct parse_frame *f, const struct kw_row *row,
                     const struct conf_line *l)
{
    struct conf_obj *o = f->obj;
    old_name(c, row, l);
    parse_notyet(c, row, l);
    switch (row->kind) {
    case KIND_BLOCK: {
        struct conf_obj *in = parse_head(c, f, row, l);
        parse_enter(c, f, row, l, in);
        return;
    }
    case KIND_LINES:
        if (row->kw == KW_TOP_VIRTUAL_SERVER_GROUP) {
            parse_enter(c, f, row, l, parse_head(c, f, row, l));
            return;
        }
        parse_extra(c, row, l, 1);
        parse_enter(c, f, row, l, o);
        return;
    case KIND_WORDS: statement_list(c, f, row, l); return;
    case KIND_FLAG:
    case KIND_BOOL: statement_flag(c, o, row, l); break;
    case KIND_UINT:
    case KIND_INT:
    case KIND_CNUM:
    case KIND_TIME:
    case KIND_MSTIME:
    case KIND_WORD:
    case KIND_IFNAME:
    case KIND_IP:
    case KIND_PREFIX:
    case KIND_ENUM:
    case KIND_REF:
    case KIND_NAMETAB:
    case KIND_WEIGHT: statement_value(c, o, row, l); break;
    case KIND_SCRIPT: parse_script(c, o, row, l); break;
    case KIND_USER: parse_user(c, o, row, l); break;
    case KIND_HEX: parse_hex(c, o, row, l); break;
    case KIND_SPECIAL: parse_special(c, o, row, l); break;
    case KIND_SYNTAX:
    case KIND_DERIVED: break;
    }
    parse_no_block(c, row);
}
