/*
 * parse_line.c - data lines: addresses, peers, trackers, polled and debounced interfaces; and the loop over
 * option words that all line grammars share. Called by parse.c for each line of a value block.
 */
#include <string.h>

#include "parent/conf/parse.h"

/* A dotted mask behind an address, as other programs have it. On a line of its own it would be an address. */
static bool option_mask(struct diag_item *it, const struct conf_line *l, size_t word)
{
    struct ipaddr a, mask;
    int n = 0;
    if (word != 1 || ipaddr_parse(l->words[word].text, &mask) < 0 || mask.family != 4 || mask.b[0] != 255 ||
        ipaddr_parse(l->words[0].text, &a) < 0 || a.family != 4)
        return false;
    while (n < 32 && (mask.b[n / 8] & (0x80 >> n % 8)))
        n++;
    diag_help(it, "a dotted mask is not understood; write %.*s/%d", (int)l->words[0].len, l->words[0].text,
              n);
    return true;
}

void parse_option_unknown(struct conf *c, enum blk blk, const struct conf_line *l, size_t word,
                          const char *subject)
{
    const char *w = l->words[word].text;
    if (l->bad || conf_diag_text(c, l, word, NULL) ||
        conf_word_undefined(c->text, l, &l->words[word], c->diag))
        return;
    struct diag_item *it = CONF_ERR(c, conf_pos_word(l, &l->words[word]), "HF-OPTION",
                                    "unknown option %s after %s", w, diag_tr(c->diag, subject));
    const char *near = parse_near(blk, w);
    struct ipaddr a;
    if (near != NULL)
        diag_suggest(it, near);
    else if (!option_mask(it, l, word) && ipaddr_parse_prefix(w, &a) == 0)
        diag_help(it, "one entry a line: put %s on its own line", w);
}

/* brd IP, brd + (host bits one), brd - (host bits zero). The address came before. */
static void option_brd(struct conf *c, struct conf_obj *o, const struct conf_line *l, size_t *word)
{
    const struct ipaddr *a = conf_ip(o, KW_ADDR_ADDRESS);
    struct ipaddr b;
    if (*word >= l->nwords) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "brd needs an address, + or -");
        return;
    }
    size_t at = (*word)++;
    const char *w = l->words[at].text;
    if (strcmp(w, "+") != 0 && strcmp(w, "-") != 0) {
        if (conf_word_ip(c, l, at, false, &b) == 0)
            conf_set_ip(c, o, KW_ADDR_BRD, &b);
        return;
    }
    if (a == NULL)
        return;
    if (a->family != 4 || a->plen > 30) {
        CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-BRD",
                 "brd %s needs an IPv4 address with a prefix of at most 30", w);
        return;
    }
    b = *a;
    b.plen = 32;
    for (unsigned int i = a->plen; i < 32; i++) {
        if (*w == '+')
            b.b[i / 8] = (uint8_t)(b.b[i / 8] | 0x80u >> i % 8);
        else
            b.b[i / 8] = (uint8_t)(b.b[i / 8] & ~(0x80u >> i % 8));
    }
    conf_set_ip(c, o, KW_ADDR_BRD, &b);
}

static void option_lifetime(struct conf *c, struct conf_obj *o, const struct conf_line *l, size_t *word)
{
    int64_t v;
    if (*word >= l->nwords) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "preferred_lft needs seconds or forever");
        return;
    }
    size_t at = (*word)++;
    if (strcmp(l->words[at].text, "forever") == 0)
        v = UINT32_MAX;
    else if (conf_number(l->words[at].text, false, &v) < 0 || v < 0 || v > UINT32_MAX) {
        CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-RANGE",
                 "preferred_lft %s is neither 0-4294967295 nor forever", l->words[at].text);
        return;
    }
    conf_set_uint(c, o, KW_ADDR_PREFERRED_LFT, (uint64_t)v);
}

static void option_special(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                           const struct conf_line *l, size_t *word)
{
    const struct kw_row *main = parse_canonical(row);
    if (main->kw == KW_ADDR_BRD)
        option_brd(c, o, l, word);
    else if (main->kw == KW_ADDR_PREFERRED_LFT)
        option_lifetime(c, o, l, word);
    else
        parse_route_option(c, o, main, l, word);
}

/* Metrics that may be preceded by the word lock: remembered as a bit of ROUTE_X_LOCK (RTAX numbers). */
static void option_lock(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                        const struct conf_line *l, size_t *word)
{
    static const struct {
        enum kw kw;
        unsigned int rtax;
    } metric[] = {
        { KW_ROUTE_MTU, 2 },        { KW_ROUTE_RTT, 4 },      { KW_ROUTE_RTTVAR, 5 },
        { KW_ROUTE_SSTHRESH, 6 },   { KW_ROUTE_CWND, 7 },     { KW_ROUTE_ADVMSS, 8 },
        { KW_ROUTE_REORDERING, 9 }, { KW_ROUTE_RTO_MIN, 13 }, { KW_ROUTE_CONGCTL, 16 },
    };
    if (*word >= l->nwords || strcmp(l->words[*word].text, "lock") != 0)
        return;
    for (size_t i = 0; i < sizeof metric / sizeof *metric; i++)
        if (metric[i].kw == row->kw) {
            conf_set_uint(c, o, KW_ROUTE_X_LOCK,
                          conf_uint(o, KW_ROUTE_X_LOCK, 0) | UINT64_C(1) << metric[i].rtax);
            ++*word;
        }
}

bool parse_option(struct conf *c, struct conf_obj *o, enum blk blk, const struct conf_line *l, size_t *word,
                  const char *subject)
{
    const struct kw_row *row = schema_find(blk, l->words[*word].text), *main;
    if (row == NULL) {
        parse_option_unknown(c, blk, l, *word, subject);
        return false;
    }
    size_t at = (*word)++;
    main = parse_canonical(row);
    parse_notyet(c, row, l);
    if (row->flags & KWF_DEPRECATED)
        CONF_WARN(c, conf_pos_word(l, &l->words[at]), "HF-DEPRECATED", "%s is now called %s", row->name,
                  row->kw == KW_ROUTE_OR ? "nexthop" : main->name);
    if (row->kind == KIND_FLAG || row->kind == KIND_BOOL) {
        conf_set_uint(c, o, main->kw, 1);
        conf_get(o, main->kw)->inherited = false;
        return true;
    }
    if (blk == BLK_ROUTE)
        option_lock(c, o, main, l, word);
    if (row->kind == KIND_SPECIAL) {
        option_special(c, o, row, l, word);
        return true;
    }
    struct conf_value got = { 0 };
    if (conf_value(c, row, l, word, &got) < 0) {
        o->broken = true;
        return true;
    }
    if (!(row->flags & KWF_REPEAT) && conf_written(o, main->kw))
        CONF_WARN(c, conf_pos_word(l, &l->words[at]), "HF-TWICE",
                  "%s is given twice on this line; the last one counts", row->name);
    struct conf_value *v = conf_set(c, o, main->kw);
    v->v = got.v;
    v->line = l;
    v->word = (uint16_t)(*word - 1);
    v->inherited = false;
    if (row->kind != KIND_WEIGHT || *word >= l->nwords)
        return true;
    bool reverse = strcmp(l->words[*word].text, "reverse") == 0;
    if (reverse || strcmp(l->words[*word].text, "noreverse") == 0) {
        ++*word;
        conf_set_uint(c, o, (enum kw)row->arg, reverse);
    }
    return true;
}

void parse_options(struct conf *c, struct conf_obj *o, enum blk blk, const struct conf_line *l, size_t from,
                   const char *subject)
{
    for (size_t w = from; w < l->nwords;)
        if (!parse_option(c, o, blk, l, &w, subject)) {
            o->broken = true;
            return;
        }
}

static void line_address(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                         const struct conf_line *l)
{
    struct conf_obj *a = conf_obj_new(c, o, BLK_ADDR, l->words[0].text, l);
    struct ipaddr ip;
    a->opener = row->kw;
    if (conf_word_undefined(c->text, l, &l->words[0], c->diag) || conf_word_ip(c, l, 0, true, &ip) < 0) {
        a->broken = a->drop = true;
        return;
    }
    struct ipaddr *copy = conf_arena_alloc(c->arena, sizeof *copy, _Alignof(struct ipaddr));
    *copy = ip;
    conf_add(c, a, KW_ADDR_ADDRESS, l, 0)->v.ip = copy;
    char text[IPADDR_STRLEN];
    a->name = conf_join(c, ipaddr_prefix_str(&ip, text));
    parse_options(c, a, BLK_ADDR, l, 1, l->words[0].text);
}

static void line_peer(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l)
{
    struct conf_obj *p = conf_obj_new(c, o, BLK_VI_PEER, l->words[0].text, l);
    struct ipaddr ip;
    p->opener = row->kw;
    if (conf_word_undefined(c->text, l, &l->words[0], c->diag) || conf_word_ip(c, l, 0, false, &ip) < 0) {
        p->broken = p->drop = true;
        return;
    }
    char text[IPADDR_STRLEN];
    p->name = conf_join(c, ipaddr_str(&ip, text));
    conf_set_ip(c, p, KW_VI_PEER_IP, &ip);
    parse_options(c, p, BLK_VI_PEER, l, 1, l->words[0].text);
}

static void line_tracker(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                         const struct conf_line *l)
{
    enum blk blk = (enum blk)row->arg;
    struct conf_obj *t = conf_obj_new(c, o, blk, l->words[0].text, l);
    unsigned int n;
    const struct kw_row *name = schema_rows(blk, &n); /* the first row is the name */
    struct conf_value got = { 0 };
    size_t word = 0;
    t->opener = row->kw;
    if (conf_value(c, name, l, &word, &got) < 0) {
        t->broken = t->drop = true;
        return;
    }
    conf_add(c, t, name->kw, l, 0)->v = got.v;
    parse_options(c, t, blk, l, 1, l->words[0].text);
}

static void line_linkbeat(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                          const struct conf_line *l)
{
    struct conf_obj *b = conf_obj_new(c, o, BLK_LINKBEAT, l->words[0].text, l);
    b->opener = row->kw;
    conf_set_str(c, b, KW_LINKBEAT_X_IF, l->words[0].text);
    parse_options(c, b, BLK_LINKBEAT, l, 1, l->words[0].text);
}

static void line_updown(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                        const struct conf_line *l)
{
    struct conf_obj *b = conf_obj_new(c, o, BLK_UPDOWN, l->words[0].text, l);
    static const enum kw field[] = { KW_UPDOWN_X_DOWN, KW_UPDOWN_X_UP };
    b->opener = row->kw;
    conf_add(c, b, KW_UPDOWN_IF, l, 0)->v.s = l->words[0].text;
    if (l->nwords < 2)
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs DOWN_SECS [UP_SECS]", l->words[0].text);
    for (size_t i = 1; i < l->nwords && i <= 2; i++) {
        uint64_t us;
        if (conf_seconds(l->words[i].text, 6, &us) < 0 || us > UINT64_C(255000000))
            CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-RANGE", "delay %s is not in 0-255 seconds",
                     l->words[i].text);
        else
            conf_set_uint(c, b, field[i - 1], us);
    }
    parse_extra(c, row, l, 3);
}

void conf_parse_data(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l)
{
    enum blk blk = row->kw == KW_TOP_VIRTUAL_SERVER_GROUP ? BLK_VSG_LINE : (enum blk)row->arg;
    size_t before = diag_total(c->diag);
    if (l->bad || conf_diag_text(c, l, 0, NULL)) {
        conf_fail(c, o, row->kw);
        return;
    }
    if (blk == BLK_ADDR)
        line_address(c, o, row, l);
    else if (blk == BLK_VI_PEER)
        line_peer(c, o, row, l);
    else if (blk == BLK_LINKBEAT)
        line_linkbeat(c, o, row, l);
    else if (blk == BLK_UPDOWN)
        line_updown(c, o, row, l);
    else if (blk == BLK_ROUTE)
        parse_route_line(c, o, l);
    else if (blk == BLK_RULE)
        parse_rule_line(c, o, l);
    else if (blk == BLK_VSG_LINE)
        parse_vsg_line(c, o, l);
    else
        line_tracker(c, o, row, l);
    if (diag_total(c->diag) != before) /* a list with a line that was refused is not also empty */
        conf_fail(c, o, row->kw);
}
