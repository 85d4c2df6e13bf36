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

static void report_field(FILE *f, const struct slice_obj *o, const struct kw_row *row, size_t i)
{
    char key[80];
    size_t len = 0;
    uint64_t v;
    const void *p = slice_raw(o, row->kw, i, &len);
    snprintf(key, sizeof key, "option.%.70s", row->name);
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
    const struct kw_row *row = schema_rows(o->blk, &n);
    report_section(f, "object", o->name);
    report_line(f, "id", "%u", o->id);
    report_line(f, "parent", "%u", o->parent);
    report_line(f, "block", "%s", report_block(o->blk));
    report_line(f, "line", "%u", o->line);
    for (unsigned int r = 0; r < n; r++)
        for (size_t i = 0; row[r].name[0] != '\0' && slice_raw(o, row[r].kw, i, &len) != NULL; i++)
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
