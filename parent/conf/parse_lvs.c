/*
 * parse_lvs.c - grammars of the LVS side: members of a virtual_server_group, forwarding methods with their
 * tunnel options, sorry servers, status codes, regular expressions, hexadecimal payloads. Called by
 * parse_kw.c and parse_line.c.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "parent/conf/parse.h"

static struct conf_value *put_ip(struct conf *c, struct conf_obj *o, enum kw kw, const struct conf_line *l,
                                 size_t word, const struct ipaddr *a)
{
    struct ipaddr *copy = conf_arena_alloc(c->arena, sizeof *copy, _Alignof(struct ipaddr));
    *copy = *a;
    struct conf_value *v = conf_add(c, o, kw, l, word);
    v->v.ip = copy;
    v->form = CONF_FORM_IP;
    return v;
}

#define VSG_LINE_MAX 65536 /* addresses in one line: each is a service of the kernel */

/* Distance from a to b, which has the same family; -1: b is below a, or farther than any line may reach. */
static int64_t vsg_distance(const struct ipaddr *a, const struct ipaddr *b)
{
    size_t n = ipaddr_len(a);
    int64_t d = 0;
    for (size_t i = 0; i < n; i++) {
        d = d * 256 + b->b[i] - a->b[i];
        if (d < -1 || d > VSG_LINE_MAX)
            return -1;
    }
    return d;
}

/* The end of a range: a whole address, or N in place of the last octet, or of the last 16 bits in
 * hexadecimal. */
static int vsg_end(struct conf *c, const struct ipaddr *a, const char *text, struct ipaddr *end)
{
    int64_t n;
    if (ipaddr_parse(text, end) == 0)
        return end->family == a->family ? 0 : -1;
    char *hex = conf_fmt(c, "0x%.8s", text);
    *end = *a;
    if (conf_number(a->family == 4 ? text : hex, a->family == 6, &n) < 0 || n < 0 ||
        n > (a->family == 4 ? 255 : 65535))
        return -1;
    end->b[a->family == 4 ? 3 : 15] = (uint8_t)n;
    if (a->family == 6)
        end->b[14] = (uint8_t)(n >> 8);
    return 0;
}

/* A.B.C.D-N, X::Y-HEX, or two whole addresses, over whatever octets. */
static bool vsg_range(struct conf *c, struct conf_obj *m, const struct conf_line *l, const char *dash)
{
    const char *w = l->words[0].text;
    char *first = conf_arena_strndup(c->arena, w, (size_t)(dash - w));
    struct ipaddr a, end;
    struct conf_pos pos = conf_pos_word(l, &l->words[0]);
    if (ipaddr_parse_prefix(first, &a) < 0) {
        CONF_ERR(c, pos, "HF-ADDR", "%s is not an IP address", first);
        return false;
    }
    if (vsg_end(c, &a, dash + 1, &end) < 0) {
        CONF_ERR(c, pos, "HF-RANGE", "%s: the end of the range is neither an IPv%u address nor in %s", w,
                 a.family, a.family == 4 ? "0-255" : "0-ffff");
        return false;
    }
    int64_t n = vsg_distance(&a, &end);
    if (n < 0 || n >= VSG_LINE_MAX) {
        CONF_ERR(c, pos, "HF-RANGE", "%s: the range ends before it begins, or has more than %d addresses", w,
                 VSG_LINE_MAX);
        return false;
    }
    a.plen = a.family == 4 ? 32 : 128;
    put_ip(c, m, KW_VSG_LINE_RANGE, l, 0, &a);
    conf_set_uint(c, m, KW_VSG_LINE_X_COUNT, (uint64_t)n + 1);
    conf_set_uint(c, m, KW_VSG_LINE_X_FAMILY, a.family);
    return true;
}

static void vsg_fwmark(struct conf *c, struct conf_obj *m, const struct conf_line *l)
{
    int64_t mark, family;
    if (l->nwords < 2 || conf_number(l->words[1].text, true, &mark) < 0 || mark < 1 || mark > UINT32_MAX) {
        CONF_ERR(c, conf_pos_line(l), "HF-RANGE", "fwmark %s is not in 1-4294967295",
                 l->nwords > 1 ? l->words[1].text : diag_tr(c->diag, "without a number"));
        m->drop = true;
        return;
    }
    conf_set_uint(c, m, KW_VSG_LINE_FWMARK, (uint64_t)mark);
    if (l->nwords > 2 && schema_word_find(ENUM_FAMILY, l->words[2].text, &family) == 0)
        conf_set_uint(c, m, KW_VSG_LINE_X_FAMILY, (uint64_t)family);
    else if (l->nwords > 2)
        parse_option_unknown(c, BLK_VSG_LINE, l, 2, "fwmark");
}

void parse_vsg_line(struct conf *c, struct conf_obj *o, const struct conf_line *l)
{
    struct conf_obj *m = conf_obj_new(c, o, BLK_VSG_LINE, l->words[0].text, l);
    m->name = l->nwords > 1 ? conf_fmt(c, "%s %s", l->words[0].text, l->words[1].text) : l->words[0].text;
    if (strcmp(l->words[0].text, "fwmark") == 0) {
        vsg_fwmark(c, m, l);
        return;
    }
    const char *dash = strchr(l->words[0].text, '-');
    struct ipaddr a;
    uint16_t port = 0;
    if (conf_word_undefined(c->text, l, &l->words[0], c->diag)) {
        m->drop = true;
    } else if (dash != NULL && strspn(l->words[0].text, "0123456789abcdefABCDEF.:-/") == l->words[0].len) {
        m->drop = !vsg_range(c, m, l, dash);
    } else if (conf_word_ip(c, l, 0, true, &a) < 0) {
        m->drop = true;
    } else if (ipaddr_len(&a) * 8 - a.plen > 16) {
        CONF_ERR(c, conf_pos_word(l, &l->words[0]), "HF-RANGE",
                 "%s has more than %d addresses, each a service", l->words[0].text, VSG_LINE_MAX);
        m->drop = true;
    } else {
        put_ip(c, m, KW_VSG_LINE_IP, l, 0, &a);
        conf_set_uint(c, m, KW_VSG_LINE_X_FAMILY, a.family);
    }
    if (l->nwords > 1 && conf_word_port(c, l, 1, &port) < 0)
        m->drop = true;
    conf_set_uint(c, m, KW_VSG_LINE_X_PORT, port);
    parse_extra(c, schema_kw(KW_VSG_LINE_IP), l, 2);
    o->broken = o->broken || m->drop;
}

/* lb_kind NAT|DR|TUN [type ipip|gue|gre] [port N] [nocsum|csum|remcsum] */
static void special_method(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                           const struct conf_line *l)
{
    int64_t method;
    if (l->nwords < 2) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs a value (NAT, DR or TUN)", row->name);
        return;
    }
    const char *w = l->words[1].text;
    if (conf_word_undefined(c->text, l, &l->words[1], c->diag) || conf_diag_text(c, l, 1, row->name))
        return;
    if (schema_word_find(ENUM_METHOD, w, &method) < 0) {
        struct diag_item *it = CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-WORD",
                                        "%s %s is not known (NAT, DR or TUN, in capitals)", row->name, w);
        for (unsigned int i = 0; i < 3; i++)
            if (strcasecmp(schema_word_at(ENUM_METHOD, i), w) == 0)
                diag_help(it, "write: %s %s", row->name, schema_word_at(ENUM_METHOD, i));
        return;
    }
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v != NULL) {
        v->v.i = method;
        v->form = CONF_FORM_UINT;
    }
    if (method != 2) {
        parse_extra(c, row, l, 2);
        return;
    }
    struct conf_obj *tunnel = o;
    if (row->kw == KW_VS_SORRY_SERVER_LVS_METHOD)
        tunnel = conf_obj_new(c, o, BLK_LBKIND, "sorry", l);
    parse_options(c, tunnel, BLK_LBKIND, l, 2, w);
    bool gue = conf_uint(tunnel, KW_LBKIND_TYPE, 0) == 1;
    if (gue != (conf_get(tunnel, KW_LBKIND_PORT) != NULL))
        CONF_ERR(c, conf_pos_line(l), "HF-CONFLICT",
                 gue ? "%s TUN type gue needs port N" : DIAG_ID("%s TUN: only type gue has a port"),
                 row->name);
}

/* sorry_server IP [PORT]: becomes a real server object of its own. */
static void special_sorry(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                          const struct conf_line *l)
{
    struct ipaddr a;
    uint16_t port = 0;
    if (l->nwords < 2) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "sorry_server needs IP [PORT]");
        return;
    }
    if (conf_word_undefined(c->text, l, &l->words[1], c->diag) || conf_word_ip(c, l, 1, false, &a) < 0 ||
        (l->nwords > 2 && conf_word_port(c, l, 2, &port) < 0))
        return;
    parse_extra(c, row, l, 3);
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v == NULL)
        return;
    struct ipaddr *copy = conf_arena_alloc(c->arena, sizeof *copy, _Alignof(struct ipaddr));
    *copy = a;
    v->v.raw = copy;
    v->len = sizeof *copy;
    for (struct conf_obj *old = o->child; old != NULL; old = old->sibling)
        if (old->blk == BLK_RS && old->opener == KW_VS_SORRY_SERVER)
            old->drop = true;
    struct conf_obj *rs = conf_obj_new(
        c, o, BLK_RS, l->nwords > 2 ? conf_fmt(c, "%s %u", l->words[1].text, port) : l->words[1].text, l);
    rs->opener = KW_VS_SORRY_SERVER;
    conf_set_ip(c, rs, KW_RS_X_IP, &a);
    conf_set_uint(c, rs, KW_RS_X_SORRY, 1);
    if (l->nwords > 2)
        conf_set_uint(c, rs, KW_RS_X_PORT, port);
}

static void special_granularity(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                                const struct conf_line *l)
{
    struct ipaddr mask;
    int64_t plen = -1;
    if (l->nwords < 2) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "persistence_granularity needs a netmask");
        return;
    }
    if (conf_number(l->words[1].text, false, &plen) < 0) {
        bool ended = false;
        if (ipaddr_parse(l->words[1].text, &mask) == 0 && mask.family == 4) {
            plen = 0;
            for (unsigned int i = 0; i < 32; i++) {
                bool bit = (mask.b[i / 8] & (0x80u >> i % 8)) != 0;
                if (bit && ended)
                    plen = -1;
                ended = ended || !bit;
                if (bit && plen >= 0)
                    plen++;
            }
        }
    }
    if (plen < 1 || plen > 128) {
        CONF_ERR(c, conf_pos_word(l, &l->words[1]), "HF-RANGE",
                 "persistence_granularity %s is neither a netmask nor a prefix length", l->words[1].text);
        return;
    }
    parse_extra(c, row, l, 2);
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v == NULL)
        return;
    uint64_t *p = conf_arena_alloc(c->arena, sizeof *p, 8);
    *p = (uint64_t)plen;
    v->v.raw = p;
    v->len = sizeof *p;
}

/* status_code 200 301-303 ...: a list of ranges, low << 16 | high. */
static void special_status(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                           const struct conf_line *l)
{
    if (l->nwords < 2)
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "status_code needs a value (100-599)");
    for (size_t i = 1; i < l->nwords; i++) {
        const char *w = l->words[i].text, *dash = strchr(w, '-');
        int64_t lo, hi;
        char *first = conf_arena_strndup(c->arena, w, dash != NULL ? (size_t)(dash - w) : strlen(w));
        if (conf_diag_text(c, l, i, row->name))
            continue;
        if (conf_number(first, false, &lo) < 0 ||
            conf_number(dash != NULL ? dash + 1 : first, false, &hi) < 0 || lo < row->min || hi > row->max ||
            hi < lo) {
            CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-RANGE", "status_code %s is not in 100-599", w);
            continue;
        }
        uint32_t *p = conf_arena_alloc(c->arena, sizeof *p, 4);
        *p = (uint32_t)lo << 16 | (uint32_t)hi;
        struct conf_value *v = conf_add(c, o, row->kw, l, i);
        v->v.raw = p;
        v->len = sizeof *p;
    }
}

static void special_regex(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                          const struct conf_line *l)
{
    struct conf_args args;
    if (conf_line_reread(c->text, l, 1, true, &args, c->diag) < 0)
        return;
    if (args.n == 0) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "regex needs a pattern in quotes");
        return;
    }
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v == NULL)
        return;
    v->v.raw = args.v[0];
    v->len = (uint16_t)(strlen(args.v[0]) + 1);
    if (args.n > 1)
        parse_extra(c, row, l, 2);
}

static void special_regex_options(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                                  const struct conf_line *l)
{
    uint64_t *bits = conf_arena_alloc(c->arena, sizeof *bits, 8);
    unsigned int n;
    const struct kw_row *first = schema_rows(BLK_REGEX, &n);
    for (size_t i = 1; i < l->nwords; i++) {
        const struct kw_row *r = schema_find(BLK_REGEX, l->words[i].text);
        if (r != NULL)
            *bits |= UINT64_C(1) << (r - first);
        else
            parse_option_unknown(c, BLK_REGEX, l, i, "regex_options");
    }
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v != NULL) {
        v->v.raw = bits;
        v->len = sizeof *bits;
    }
}

static void special_regex_stack(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                                const struct conf_line *l)
{
    int64_t lo, hi;
    if (l->nwords < 3 || conf_number(l->words[1].text, false, &lo) < 0 ||
        conf_number(l->words[2].text, false, &hi) < 0 || lo < 1 || hi > UINT32_MAX || lo > hi) {
        CONF_ERR(c, conf_pos_line(l), "HF-RANGE", "regex_stack needs START MAX, START not above MAX");
        return;
    }
    parse_extra(c, row, l, 3);
    uint64_t *p = conf_arena_alloc(c->arena, sizeof *p, 8);
    *p = (uint64_t)lo << 32 | (uint64_t)hi;
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v != NULL) {
        v->v.raw = p;
        v->len = sizeof *p;
    }
}

/* Hexadecimal digits, two a byte; a digit alone before a blank is a byte, too; arg 1: x stands for any digit.
 * Kept as lower-case text of an even number of digits. */
void parse_hex(struct conf *c, struct conf_obj *o, const struct kw_row *row, const struct conf_line *l)
{
    size_t n = 0, most = 1;
    for (size_t i = 1; i < l->nwords; i++)
        most += strlen(l->words[i].text) + 1;
    char *text = conf_arena_alloc(c->arena, most, 1);
    if (l->nwords < 2 && !(row->flags & KWF_OPTVALUE)) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs hexadecimal digits", row->name);
        return;
    }
    for (size_t i = 1; i < l->nwords; i++)
        for (const char *s = l->words[i].text; *s != '\0'; s++) {
            char low = *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : *s;
            if (strchr(row->arg == 1 ? "0123456789abcdefx" : "0123456789abcdef", low) == NULL) {
                CONF_ERR(c, conf_pos_word(l, &l->words[i]), "HF-HEX", "%s: \"%c\" is no hexadecimal digit",
                         row->name, *s);
                return;
            }
            if (n % 2 == 0 && s[1] == '\0')
                text[n++] = '0';
            text[n++] = low;
        }
    if (n >= UINT16_MAX) {
        CONF_ERR(c, conf_pos_line(l), "HF-RANGE", "%s: %zu bytes are more than a datagram holds", row->name,
                 n / 2);
        return;
    }
    struct conf_value *v = parse_put(c, o, row, l, 1);
    if (v != NULL) {
        v->v.raw = text;
        v->len = (uint16_t)(n + 1);
    }
}

bool parse_lvs_special(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                       const struct conf_line *l)
{
    static const struct {
        enum kw kw;
        void (*fn)(struct conf *, struct conf_obj *, const struct kw_row *, const struct conf_line *);
    } table[] = {
        { KW_VS_LB_KIND, special_method },
        { KW_VS_LVS_METHOD, special_method },
        { KW_RS_LVS_METHOD, special_method },
        { KW_VS_SORRY_SERVER_LVS_METHOD, special_method },
        { KW_VS_SORRY_SERVER, special_sorry },
        { KW_VS_PERSISTENCE_GRANULARITY, special_granularity },
        { KW_URL_STATUS_CODE, special_status },
        { KW_URL_REGEX, special_regex },
        { KW_URL_REGEX_OPTIONS, special_regex_options },
        { KW_URL_REGEX_STACK, special_regex_stack },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].kw == row->kw) {
            table[i].fn(c, o, row, l);
            return true;
        }
    return false;
}
