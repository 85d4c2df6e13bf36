/*
 * parse_route.c - route and rule lines: destinations, types, gateways, encapsulations, paths, actions.
 * Accepts the documented forms where the incumbent's parser trips (inet before a word, to TYPE PREFIX, one
 * port). Called by parse_line.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "parent/conf/parse.h"

static bool next_word(struct conf *c, const struct conf_line *l, size_t *word, const char *keyword,
                      size_t *at)
{
    if (*word >= l->nwords) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs a value", keyword);
        return false;
    }
    *at = (*word)++;
    return true;
}

static void put_raw(struct conf *c, struct conf_obj *o, enum kw kw, const struct conf_line *l, size_t word,
                    const void *p, size_t len)
{
    void *copy = conf_arena_alloc(c->arena, len, 8);
    memcpy(copy, p, len);
    struct conf_value *v = conf_add(c, o, kw, l, word);
    v->v.raw = copy;
    v->len = (uint16_t)len;
}

/* via [inet|inet6] IP */
static void option_via(struct conf *c, struct conf_obj *o, enum kw kw, const struct conf_line *l,
                       size_t *word)
{
    size_t at;
    struct ipaddr a;
    if (*word < l->nwords &&
        (strcmp(l->words[*word].text, "inet") == 0 || strcmp(l->words[*word].text, "inet6") == 0))
        ++*word;
    if (next_word(c, l, word, "via", &at) && conf_word_ip(c, l, at, false, &a) == 0)
        put_raw(c, o, kw, l, at, &a, sizeof a);
}

/* The kernel's bounds of a retransmission time; the incumbent holds all three to them. */
static uint64_t kernel_time_bound(struct conf *c, const struct kw_row *row, const struct conf_line *l,
                                  size_t at, uint64_t value, uint64_t scale)
{
    uint64_t least = 200 * scale, most = 120000 * scale, held = value < least ? least : value;
    held = held > most ? most : held;
    if (held != value)
        CONF_WARN(c, conf_pos_word(l, &l->words[at]), "HF-RANGE",
                  "%s %s is not between 200 ms and 120 s, set to the nearest of them", row->name,
                  l->words[at].text);
    return held;
}

/* rtt, rttvar, rto_min: s, ms or the kernel's unit. Stored in the kernel's unit. */
static void option_kernel_time(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                               const struct conf_line *l, size_t *word)
{
    static const struct {
        const char *suffix;
        uint64_t us;
    } unit[] = { { "s", 1000000 }, { "sec", 1000000 }, { "secs", 1000000 },
                 { "ms", 1000 },   { "msec", 1000 },   { "msecs", 1000 } };
    size_t at;
    if (!next_word(c, l, word, row->name, &at))
        return;
    const char *w = l->words[at].text;
    size_t digits = strspn(w, "0123456789.");
    uint64_t scale = row->kw == KW_ROUTE_RTT ? 8 : row->kw == KW_ROUTE_RTTVAR ? 4 : 1, us = 0, value;
    char *number = conf_arena_strndup(c->arena, w, digits);
    bool ok = conf_seconds(number, 6, &us) >= 0;
    value = us / 1000000;
    if (ok && w[digits] != '\0') {
        ok = false;
        for (size_t i = 0; i < sizeof unit / sizeof *unit; i++)
            if (strcasecmp(unit[i].suffix, w + digits) == 0) {
                value = us * scale / 1000 * unit[i].us / 1000000;
                ok = true;
            }
    }
    if (!ok || value > UINT32_MAX) {
        CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-RANGE",
                 "%s %s is no time (a number, or with s or ms)", row->name, w);
        return;
    }
    value = kernel_time_bound(c, row, l, at, value, scale);
    put_raw(c, o, row->kw, l, at, &value, sizeof value);
}

/* realms [FROM/]TO */
static void option_realms(struct conf *c, struct conf_obj *o, enum kw kw, const struct conf_line *l,
                          size_t *word)
{
    size_t at;
    uint32_t from = 0, to = 0;
    if (!next_word(c, l, word, "realms", &at))
        return;
    const char *w = l->words[at].text, *slash = strchr(w, '/');
    bool ok = true;
    if (slash != NULL)
        ok = conf_name_lookup(c, NAMES_REALM, conf_arena_strndup(c->arena, w, (size_t)(slash - w)), &from) ==
             0;
    ok = ok && conf_name_lookup(c, NAMES_REALM, slash != NULL ? slash + 1 : w, &to) == 0;
    if (!ok || from > 65535 || to > 65535) {
        CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-NAME",
                 "realms %s is not [FROM/]TO of numbers or known names", w);
        return;
    }
    uint64_t v = (uint64_t)from << 16 | to;
    put_raw(c, o, kw, l, at, &v, sizeof v);
}

static void encap_labels(struct conf *c, struct conf_obj *e, const struct conf_line *l, size_t *word)
{
    size_t at;
    if (!next_word(c, l, word, "encap mpls", &at))
        return;
    for (const char *s = l->words[at].text; s != NULL;) {
        const char *slash = strchr(s, '/');
        int64_t v;
        char *one = conf_arena_strndup(c->arena, s, slash != NULL ? (size_t)(slash - s) : strlen(s));
        if (conf_number(one, true, &v) < 0 || v < 0 || v > 1048575) {
            CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-RANGE", "MPLS label %s is not in 0-1048575",
                     one);
            return;
        }
        uint64_t label = (uint64_t)v;
        put_raw(c, e, KW_ENCAP_LABELS, l, at, &label, sizeof label);
        s = slash != NULL ? slash + 1 : NULL;
    }
}

static void encap_locator(struct conf *c, struct conf_obj *e, const struct conf_line *l, size_t *word)
{
    size_t at;
    unsigned int part[4];
    char rest;
    if (!next_word(c, l, word, "encap ila", &at))
        return;
    if (sscanf(l->words[at].text, "%4x:%4x:%4x:%4x%c", &part[0], &part[1], &part[2], &part[3], &rest) != 4) {
        CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-ADDR", "%s is no ILA locator (X:X:X:X)",
                 l->words[at].text);
        return;
    }
    uint64_t v = (uint64_t)part[0] << 48 | (uint64_t)part[1] << 32 | (uint64_t)part[2] << 16 | part[3];
    put_raw(c, e, KW_ENCAP_LOCATOR, l, at, &v, sizeof v);
}

/* encap TYPE options...: ends at the first word that is no option of the encapsulation. */
static void option_encap(struct conf *c, struct conf_obj *o, const struct conf_line *l, size_t *word)
{
    size_t at;
    int64_t type;
    if (!next_word(c, l, word, "encap", &at))
        return;
    if (schema_word_find(ENUM_ENCAP, l->words[at].text, &type) < 0) {
        CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-WORD",
                 "encap %s is not known (ip, ip6, mpls or ila)", l->words[at].text);
        return;
    }
    struct conf_obj *e = conf_obj_new(c, o, BLK_ENCAP, l->words[at].text, l);
    uint64_t t = (uint64_t)type;
    put_raw(c, e, KW_ENCAP_X_TYPE, l, at, &t, sizeof t);
    if (type == 1)
        encap_labels(c, e, l, word);
    else if (type == 3)
        encap_locator(c, e, l, word);
    while (*word < l->nwords && schema_find(BLK_ENCAP, l->words[*word].text) != NULL &&
           (type == 2 || type == 4) && parse_option(c, e, BLK_ENCAP, l, word, "encap"))
        ;
    if ((type == 2 || type == 4) && conf_get(e, KW_ENCAP_ID) == NULL && conf_get(e, KW_ENCAP_DST) == NULL)
        CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-VALUE-MISSING", "encap %s needs id or dst",
                 l->words[at].text);
}

static void option_nexthop(struct conf *c, struct conf_obj *o, const struct conf_line *l, size_t *word)
{
    struct conf_obj *n = conf_obj_new(c, o, BLK_NEXTHOP, "", l);
    while (*word < l->nwords && strcmp(l->words[*word].text, "nexthop") != 0)
        if (!parse_option(c, n, BLK_NEXTHOP, l, word, "nexthop")) {
            *word = l->nwords;
            return;
        }
}

/* A-B, or for ports also A alone. */
static void option_range(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                         const struct conf_line *l, size_t *word, int64_t most)
{
    size_t at;
    int64_t a, b;
    if (!next_word(c, l, word, row->name, &at))
        return;
    const char *w = l->words[at].text, *dash = strchr(w, '-');
    char *first = conf_arena_strndup(c->arena, w, dash != NULL ? (size_t)(dash - w) : strlen(w));
    if (conf_number(first, false, &a) < 0 || conf_number(dash != NULL ? dash + 1 : first, false, &b) < 0 ||
        a < 0 || b < a || b > most || (dash == NULL && row->kw == KW_RULE_UIDRANGE)) {
        CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-RANGE", "%s %s is no range A-B within 0-%lld",
                 row->name, w, (long long)most);
        return;
    }
    uint64_t v = (uint64_t)a << 32 | (uint64_t)b;
    put_raw(c, o, row->kw, l, at, &v, sizeof v);
}

static void option_fwmark(struct conf *c, struct conf_obj *o, const struct conf_line *l, size_t *word)
{
    size_t at;
    int64_t mark, mask = UINT32_MAX;
    if (!next_word(c, l, word, "fwmark", &at))
        return;
    const char *w = l->words[at].text, *slash = strchr(w, '/');
    char *first = conf_arena_strndup(c->arena, w, slash != NULL ? (size_t)(slash - w) : strlen(w));
    if (conf_number(first, true, &mark) < 0 || mark < 0 || mark > UINT32_MAX ||
        (slash != NULL && (conf_number(slash + 1, true, &mask) < 0 || mask < 0 || mask > UINT32_MAX))) {
        CONF_ERR(c, conf_pos_word(l, &l->words[at]), "HF-RANGE", "fwmark %s is not N[/MASK] of 32 bits", w);
        return;
    }
    uint64_t v = (uint64_t)mark, m = (uint64_t)mask;
    put_raw(c, o, KW_RULE_FWMARK, l, at, &v, sizeof v);
    if (slash != NULL)
        put_raw(c, o, KW_RULE_X_FWMASK, l, at, &m, sizeof m);
}

int parse_route_option(struct conf *c, struct conf_obj *o, const struct kw_row *row,
                       const struct conf_line *l, size_t *word)
{
    size_t at;
    if (row->kw == KW_ROUTE_VIA || row->kw == KW_NEXTHOP_VIA)
        option_via(c, o, row->kw, l, word);
    else if (row->kw == KW_ROUTE_RTT || row->kw == KW_ROUTE_RTTVAR || row->kw == KW_ROUTE_RTO_MIN)
        option_kernel_time(c, o, row, l, word);
    else if (row->kw == KW_ROUTE_REALMS || row->kw == KW_RULE_REALMS || row->kw == KW_NEXTHOP_REALMS)
        option_realms(c, o, row->kw, l, word);
    else if (row->kw == KW_ROUTE_ENCAP || row->kw == KW_NEXTHOP_ENCAP)
        option_encap(c, o, l, word);
    else if (row->kw == KW_ROUTE_NEXTHOP)
        option_nexthop(c, o, l, word);
    else if (row->kw == KW_RULE_SPORT || row->kw == KW_RULE_DPORT)
        option_range(c, o, row, l, word, 65535);
    else if (row->kw == KW_RULE_UIDRANGE)
        option_range(c, o, row, l, word, UINT32_MAX);
    else if (row->kw == KW_RULE_FWMARK)
        option_fwmark(c, o, l, word);
    else if (row->kw == KW_ROUTE_AS) {
        if (*word < l->nwords && strcmp(l->words[*word].text, "to") == 0)
            ++*word;
        if (next_word(c, l, word, "as", &at))
            CONF_WARN(c, conf_pos_word(l, &l->words[at]), "HF-OBSOLETE",
                      "as: MPLS rewriting is not supported, ignored");
    }
    return 0;
}

/* default, any, all, default6 or a prefix. */
static bool destination(struct conf *c, struct conf_obj *o, enum kw kw, const struct conf_line *l, size_t at)
{
    static const char *const all[] = { "default", "any", "all", "default6" };
    struct ipaddr a = { 0 };
    for (size_t i = 0; i < 4; i++)
        if (strcmp(l->words[at].text, all[i]) == 0) {
            a.family = i == 3 ? 6 : 0;
            struct ipaddr *copy = conf_arena_alloc(c->arena, sizeof a, _Alignof(struct ipaddr));
            *copy = a;
            conf_add(c, o, kw, l, at)->v.ip = copy;
            return true;
        }
    if (conf_word_ip(c, l, at, true, &a) < 0)
        return false;
    struct ipaddr *copy = conf_arena_alloc(c->arena, sizeof a, _Alignof(struct ipaddr));
    *copy = a;
    conf_add(c, o, kw, l, at)->v.ip = copy;
    return true;
}

static bool family_clash(const struct ipaddr *a, const struct ipaddr *b)
{
    return a != NULL && b != NULL && a->family != 0 && b->family != 0 && a->family != b->family;
}

static const struct ipaddr *gateway(const struct conf_obj *o, enum kw kw)
{
    const struct conf_value *v = conf_get(o, kw);
    return v != NULL ? v->v.raw : NULL;
}

/* The family the route is made of: as ipvsd/route_spec.c reads it. */
static uint8_t route_family(const struct conf_obj *r)
{
    const struct ipaddr *telling[] = { conf_ip(r, KW_ROUTE_TO), conf_ip(r, KW_ROUTE_FROM),
                                       conf_ip(r, KW_ROUTE_SRC), gateway(r, KW_ROUTE_VIA),
                                       conf_ip(r, KW_ROUTE_OR) };
    if (conf_get(r, KW_ROUTE_INET6) != NULL)
        return 6;
    if (conf_get(r, KW_ROUTE_INET) != NULL)
        return 4;
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
        if (telling[i] != NULL && telling[i]->family != 0)
            return telling[i]->family;
    for (const struct conf_obj *n = NULL; (n = conf_next(r, n, BLK_NEXTHOP)) != NULL;)
        if (gateway(n, KW_NEXTHOP_VIA) != NULL)
            return gateway(n, KW_NEXTHOP_VIA)->family;
    return 4;
}

/* An IPv4 route may have a gateway of IPv6 (RTA_VIA); the kernel knows no such thing the other way round. */
static void route_gateway(struct conf *c, const struct conf_obj *r, const struct conf_line *l,
                          const struct ipaddr *via)
{
    char text[IPADDR_STRLEN];
    if (via != NULL && via->family == 4)
        CONF_ERR(c, conf_pos_line(l), "HF-FAMILY", "route %s: an IPv6 route cannot have the IPv4 gateway %s",
                 r->name, ipaddr_str(via, text));
}

static void route_families(struct conf *c, const struct conf_obj *r, const struct conf_line *l)
{
    static const enum kw only6[] = { KW_ROUTE_EXPIRES, KW_ROUTE_PREF, KW_ROUTE_FROM };
    const struct ipaddr whole = { .family = route_family(r) };
    if (family_clash(&whole, conf_ip(r, KW_ROUTE_SRC)))
        CONF_ERR(c, conf_pos_line(l), "HF-FAMILY",
                 "route %s: destination and source address are of different families", r->name);
    if (whole.family == 6) {
        route_gateway(c, r, l, gateway(r, KW_ROUTE_VIA));
        route_gateway(c, r, l, conf_ip(r, KW_ROUTE_OR));
        for (const struct conf_obj *n = NULL; (n = conf_next(r, n, BLK_NEXTHOP)) != NULL;)
            route_gateway(c, r, l, gateway(n, KW_NEXTHOP_VIA));
        return;
    }
    for (size_t i = 0; i < sizeof only6 / sizeof *only6; i++)
        if (conf_get(r, only6[i]) != NULL)
            CONF_ERR(c, conf_pos_line(l), "HF-FAMILY", "route %s: only IPv6 routes have %s", r->name,
                     schema_kw(only6[i])->name);
}

void parse_route_line(struct conf *c, struct conf_obj *o, const struct conf_line *l)
{
    struct conf_obj *r = conf_obj_new(c, o, BLK_ROUTE, "", l);
    int64_t type = 0;
    bool to = false;
    for (size_t w = 0; w < l->nwords;) {
        const char *t = l->words[w].text;
        if (strcmp(t, "to") == 0 && w + 1 < l->nwords) {
            w++;
            continue;
        }
        bool known = schema_find(BLK_ROUTE, t) != NULL;
        if (!to && !known && schema_word_find(ENUM_ROUTE_TYPE, t, &type) == 0) {
            struct conf_value *v = conf_add(c, r, KW_ROUTE_TYPE, l, w++);
            v->v.i = type;
        } else if (!to && !known) {
            to = true;
            if (!destination(c, r, KW_ROUTE_TO, l, w++))
                r->broken = r->drop = true;
            if (r->broken)
                return;
            r->name = t;
        } else if (!parse_option(c, r, BLK_ROUTE, l, &w, to ? r->name : "route")) {
            r->broken = r->drop = true;
            return;
        }
    }
    if (!to) {
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "a route needs a destination (IP/LEN or default)");
        r->drop = true;
        return;
    }
    if (!r->broken)
        route_families(c, r, l);
}

static bool rule_action(enum kw kw)
{
    static const enum kw action[] = { KW_RULE_TABLE,    KW_RULE_L3MDEV,      KW_RULE_BLACKHOLE,
                                      KW_RULE_PROHIBIT, KW_RULE_UNREACHABLE, KW_RULE_NOP,
                                      KW_RULE_GOTO };
    for (size_t i = 0; i < sizeof action / sizeof *action; i++)
        if (action[i] == kw)
            return true;
    return false;
}

/* What the kernel refuses of a rule whose words are good. */
static void rule_judge(struct conf *c, const struct conf_obj *r, const struct conf_line *l)
{
    static const enum kw suppress[] = { KW_RULE_SUPPRESS_PREFIXLENGTH, KW_RULE_SUPPRESS_IFGROUP };
    const struct conf_value *table = conf_get(r, KW_RULE_TABLE), *to = conf_get(r, KW_RULE_GOTO),
                            *pref = conf_get(r, KW_RULE_PREFERENCE);
    if (family_clash(conf_ip(r, KW_RULE_FROM), conf_ip(r, KW_RULE_TO)))
        CONF_ERR(c, conf_pos_line(l), "HF-FAMILY", "rule: from and to are of different families");
    if (table != NULL && table->v.u == 0)
        CONF_ERR(c, conf_pos_value(table), "HF-RANGE", "table 0 is no table that a rule can look up");
    if (to != NULL && pref != NULL && to->v.i <= pref->v.i)
        diag_help(CONF_ERR(c, conf_pos_value(to), "HF-RANGE", "goto %lld is not above preference %lld",
                           (long long)to->v.i, (long long)pref->v.i),
                  "a rule can only go on to one that comes after it");
    for (size_t i = 0; i < sizeof suppress / sizeof *suppress; i++)
        if (conf_get(r, suppress[i]) != NULL && table == NULL && conf_get(r, KW_RULE_L3MDEV) == NULL)
            CONF_ERR(c, conf_pos_line(l), "HF-CONFLICT", "%s has a meaning only with table or l3mdev",
                     schema_kw(suppress[i])->name);
}

/* One option. Of a second action nothing is kept: it is counted, and told as such. */
static bool rule_option(struct conf *c, struct conf_obj *r, const struct conf_line *l, size_t *w,
                        size_t *actions)
{
    const struct kw_row *row = schema_find(BLK_RULE, l->words[*w].text);
    if (row != NULL && rule_action(parse_canonical(row)->kw)) {
        ++*actions;
        if (conf_get(r, parse_canonical(row)->kw) != NULL) {
            *w += row->kind == KIND_FLAG ? 1 : 2;
            return true;
        }
    }
    return parse_option(c, r, BLK_RULE, l, w, DIAG_ID("the rule"));
}

void parse_rule_line(struct conf *c, struct conf_obj *o, const struct conf_line *l)
{
    struct conf_obj *r = conf_obj_new(c, o, BLK_RULE, l->words[0].text, l);
    size_t actions = 0;
    for (size_t w = 0; w < l->nwords;) {
        const struct kw_row *row = schema_find(BLK_RULE, l->words[w].text);
        if (row != NULL && row->kind == KIND_PREFIX) {
            if (++w >= l->nwords) {
                CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "%s needs an address or all", row->name);
                return;
            }
            if (!destination(c, r, row->kw, l, w++)) {
                r->broken = r->drop = true;
                return;
            }
        } else if (!rule_option(c, r, l, &w, &actions)) {
            r->broken = r->drop = true;
            return;
        }
    }
    if (!r->broken)
        rule_judge(c, r, l);
    if (actions == 0 && !r->broken)
        CONF_ERR(c, conf_pos_line(l), "HF-VALUE-MISSING", "a rule needs an action (table N, blackhole, ...)");
    else if (actions > 1)
        CONF_ERR(c, conf_pos_line(l), "HF-CONFLICT", "a rule has one action, this one has %zu", actions);
    if (conf_get(r, KW_RULE_PREFERENCE) == NULL && !r->broken)
        diag_help(CONF_WARN(c, conf_pos_line(l), "HF-DEFAULT",
                            "rule without preference: one is chosen, counting down from 16384"),
                  "add: preference N");
}
