/*
 * report_slice.c - the configuration in force, as "show config" has it: every object of a slice with what
 * stands in it, by the rows of the schema. Secrets are named, never shown; what holdfast-conf derived is left
 * out. See report.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/addr.h"
#include "common/report.h"

#define REPORT_KEY      80
#define REPORT_SKIP_MAX 256 /* objects passed over in one piece */

/* Text of a field without a form of its own; words lie behind each other, each with its NUL. */
static void report_words(FILE *f, const char *key, const char *p, size_t len)
{
    char text[REPORT_LINE_MAX];
    size_t n = 0;
    for (; n < len && n + 1 < sizeof text; n++) {
        if (p[n] != '\0' && ((unsigned char)p[n] < 0x20 || p[n] == 0x7f)) {
            report_line(f, key, "(%zu bytes)", len);
            return;
        }
        text[n] = p[n] != '\0' ? p[n] : n + 1 < len ? ' ' : '\0';
    }
    text[n] = '\0';
    report_line(f, key, "%s", text);
}

static void report_number(FILE *f, const char *key, const struct kw_row *row, uint64_t v)
{
    const char *word;
    switch (row->kind) {
    case KIND_FLAG:
    case KIND_BOOL: report_line(f, key, "%s", v != 0 ? "yes" : "no"); return;
    case KIND_INT:
    case KIND_WEIGHT: report_line(f, key, "%" PRId64, (int64_t)v); return;
    case KIND_TIME:
    case KIND_MSTIME: report_line(f, key, "%" PRIu64 ".%06" PRIu64, v / 1000000, v % 1000000); return;
    case KIND_ENUM:
        word = schema_word((enum schema_enum)row->arg, (int64_t)v);
        if (word != NULL) {
            report_line(f, key, "%s", word);
            return;
        }
        break;
    case KIND_UINT:
    case KIND_CNUM:
    case KIND_NAMETAB:
    case KIND_WORD:
    case KIND_IFNAME:
    case KIND_IP:
    case KIND_PREFIX:
    case KIND_SCRIPT:
    case KIND_USER:
    case KIND_WORDS:
    case KIND_REF:
    case KIND_HEX:
    case KIND_BLOCK:
    case KIND_LINES:
    case KIND_SPECIAL:
    case KIND_SYNTAX:
    case KIND_DERIVED: break;
    }
    report_line(f, key, "%" PRIu64, v);
}

static void report_ip(FILE *f, const char *key, const void *p, bool prefix)
{
    struct ipaddr a;
    char text[IPADDR_STRLEN];
    memcpy(&a, p, sizeof a);
    if (prefix)
        report_line(f, key, "%s/%u", ipaddr_str(&a, text), a.plen);
    else
        report_line(f, key, "%s", ipaddr_str(&a, text));
}

static const char *report_key(char key[REPORT_KEY], const struct kw_row *row)
{
    snprintf(key, REPORT_KEY, "option.%.70s", row->name);
    return key;
}

static void report_field(FILE *f, const struct slice_obj *o, const struct kw_row *row, size_t i)
{
    char key[REPORT_KEY];
    size_t len = 0;
    uint64_t v;
    const void *p = slice_raw(o, row->kw, i, &len);
    report_key(key, row);
    if (row->flags & KWF_SECRET)
        report_line(f, key, "(secret)");
    else if ((row->kind == KIND_IP || row->kind == KIND_PREFIX) && len == sizeof(struct ipaddr))
        report_ip(f, key, p, row->kind == KIND_PREFIX);
    else if (row->kind != KIND_SCRIPT && row->kind != KIND_USER && row->kind != KIND_WORD &&
             row->kind != KIND_WORDS && row->kind != KIND_IFNAME && row->kind != KIND_REF &&
             slice_uint_at(o, row->kw, i, &v))
        report_number(f, key, row, v);
    else
        report_words(f, key, p, len);
}

static bool report_is(enum kw kw, const enum kw *of, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (of[i] == kw)
            return true;
    return false;
}

static bool report_has_lines(enum blk blk)
{
    return blk == BLK_ADDR || blk == BLK_ROUTE || blk == BLK_NEXTHOP || blk == BLK_RULE;
}

/* mtu lock 1400: bits by RTAX number. */
static bool report_locked(const struct slice_obj *o, enum kw kw)
{
    static const struct {
        enum kw kw;
        unsigned int bit;
    } metrics[] = { { KW_ROUTE_MTU, 2 },        { KW_ROUTE_RTT, 4 },       { KW_ROUTE_RTTVAR, 5 },
                    { KW_ROUTE_SSTHRESH, 6 },   { KW_ROUTE_CWND, 7 },      { KW_ROUTE_ADVMSS, 8 },
                    { KW_ROUTE_REORDERING, 9 }, { KW_ROUTE_HOPLIMIT, 10 }, { KW_ROUTE_RTO_MIN, 13 } };
    uint64_t locks = 0;
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        if (metrics[i].kw == kw && slice_uint_at(o, KW_ROUTE_X_LOCK, 0, &locks))
            return (locks >> metrics[i].bit & 1) != 0;
    return false;
}

/* Values with a form of their own (parent/conf/parse_route.c), as a person writes them. */
static bool report_special(FILE *f, const char *key, const struct slice_obj *o, const struct kw_row *row)
{
    static const enum kw via[] = { KW_ROUTE_VIA, KW_NEXTHOP_VIA, KW_ADDR_BRD };
    static const enum kw realms[] = { KW_ROUTE_REALMS, KW_NEXTHOP_REALMS, KW_RULE_REALMS };
    static const enum kw ranges[] = { KW_RULE_UIDRANGE, KW_RULE_SPORT, KW_RULE_DPORT };
    size_t len = 0;
    uint64_t v = 0, mask;
    const void *p = slice_raw(o, row->kw, 0, &len);
    if (report_is(row->kw, via, 3) && len == sizeof(struct ipaddr)) {
        report_ip(f, key, p, false);
        return true;
    }
    if (!slice_uint_at(o, row->kw, 0, &v))
        return false;
    uint64_t high = v >> 16, low = v & UINT16_MAX;
    if (report_is(row->kw, ranges, 3))
        report_line(f, key, "%" PRIu64 "-%" PRIu64, v >> 32, v & UINT32_MAX);
    else if (report_is(row->kw, realms, 3) && high != 0)
        report_line(f, key, "%" PRIu64 "/%" PRIu64, high, low);
    else if (row->kw == KW_RULE_FWMARK && slice_uint_at(o, KW_RULE_X_FWMASK, 0, &mask))
        report_line(f, key, "%" PRIu64 "/%" PRIu64, v, mask);
    else if (report_locked(o, row->kw))
        report_line(f, key, "lock %" PRIu64, v);
    else
        return false;
    return true;
}

/* How a person opens it: the block, or the keyword whose lines they are. NULL: nobody wrote it. */
static const char *report_block(enum blk blk)
{
    unsigned int n;
    const struct blk_row *b = schema_blk(blk);
    if (b == NULL || blk == BLK_TOP)
        return b == NULL ? NULL : "top";
    if (b->name[0] != '\0')
        return b->name;
    const struct kw_row *row = schema_rows(b->parent, &n);
    for (unsigned int r = 0; b->parent != BLK_NONE && r < n; r++)
        if (row[r].kind == KIND_LINES && row[r].arg == (int)blk)
            return row[r].name;
    return b->parent != BLK_NONE ? b->help : NULL;
}

static void report_obj(FILE *f, const struct slice_obj *o)
{
    unsigned int n;
    size_t len;
    char key[REPORT_KEY];
    const struct kw_row *row = schema_rows(o->blk, &n);
    report_section(f, "object", o->name);
    report_line(f, "id", "%u", o->id);
    report_line(f, "parent", "%u", o->parent);
    report_line(f, "block", "%s", report_block(o->blk));
    report_line(f, "line", "%u", o->line);
    for (unsigned int r = 0; r < n; r++)
        for (size_t i = 0; row[r].name[0] != '\0' && slice_raw(o, row[r].kw, i, &len) != NULL; i++)
            if (i > 0 || !report_has_lines(o->blk) ||
                !report_special(f, report_key(key, &row[r]), o, &row[r]))
                report_field(f, o, &row[r], i);
}

static bool report_below(const struct slice *s, const struct slice_obj *o, uint32_t id)
{
    while (o != NULL && o->id != id)
        o = o->parent != 0 ? slice_by_id(s, o->parent) : NULL;
    return o != NULL;
}

bool report_slice(const struct slice *s, uint32_t obj, size_t *cursor, FILE *f)
{
    const struct slice_obj *o;
    for (unsigned int n = 0; n < REPORT_SKIP_MAX && (o = slice_at(s, *cursor)) != NULL; n++) {
        ++*cursor;
        if (report_block(o->blk) == NULL || (obj != 0 && !report_below(s, o, obj)))
            continue; /* derived kinds are not what a person wrote */
        report_obj(f, o);
        return true;
    }
    return slice_at(s, *cursor) != NULL;
}
