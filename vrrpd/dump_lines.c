/*
 * dump_lines.c - addresses, routes and rules as text, for the dumps; see dump_int.h. Addresses in the
 * incumbent's words, since exporters take the first and third one; the others by the rows of the schema.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "vrrpd/dump_int.h"

static const char *dump_scope(uint64_t scope)
{
    switch (scope) {
    case 0: return "global";
    case 200: return "site";
    case 253: return "link";
    case 254: return "host";
    case 255: return "nowhere";
    default: return NULL;
    }
}

static void dump_ip(FILE *f, const struct ipaddr *a)
{
    char text[IPADDR_STRLEN];
    fputs(a->plen < 8 * ipaddr_len(a) ? ipaddr_prefix_str(a, text) : ipaddr_str(a, text), f);
}

static void dump_addr(FILE *f, const struct slice_obj *o, bool set)
{
    struct ipaddr a;
    uint64_t scope = slice_uint(o, KW_ADDR_SCOPE, 0), lft = slice_uint(o, KW_ADDR_PREFERRED_LFT, 0);
    const char *word = dump_scope(scope), *label = slice_str(o, KW_ADDR_LABEL, NULL);
    if (!slice_ip(o, KW_ADDR_ADDRESS, &a))
        return;
    dump_ip(f, &a);
    fprintf(f, " dev %s", slice_str(o, KW_ADDR_DEV, "(none)"));
    if (word != NULL)
        fprintf(f, " scope %s", word);
    else
        fprintf(f, " scope %" PRIu64, scope);
    if (slice_ip(o, KW_ADDR_BRD, &a)) {
        fputs(" broadcast ", f);
        dump_ip(f, &a);
    }
    if (slice_ip(o, KW_ADDR_PEER, &a)) {
        fputs(" peer ", f);
        dump_ip(f, &a);
    }
    if (label != NULL)
        fprintf(f, " label %s", label);
    if (slice_has(o, KW_ADDR_PREFERRED_LFT) && lft == 0)
        fputs(" deprecated", f);
    else if (slice_has(o, KW_ADDR_PREFERRED_LFT) && lft == UINT32_MAX)
        fputs(" preferred_lft forever", f);
    else if (slice_has(o, KW_ADDR_PREFERRED_LFT))
        fprintf(f, " preferred_lft %" PRIu64, lft);
    fputs(set ? " set" : "", f);
}

/* A field without a form of its own: an address, a number or words. */
static void dump_special(FILE *f, const void *p, size_t len)
{
    struct ipaddr a;
    uint64_t n;
    if (len == sizeof a && (memcpy(&a, p, sizeof a), a.family == 4 || a.family == 6)) {
        dump_ip(f, &a);
    } else if (len == sizeof n) {
        memcpy(&n, p, sizeof n);
        fprintf(f, "%" PRIu64, n);
    } else {
        const char *s = p;
        for (size_t i = 0; i < len && (s[i] != '\0' || i + 1 < len); i++)
            fputc(s[i] == '\0' ? ' ' : (unsigned char)s[i] < 0x20 ? '?' : s[i], f);
    }
}

static void dump_value(FILE *f, const struct kw_row *row, const void *p, size_t len)
{
    const char *word;
    uint64_t n = 0;
    if (len == sizeof n)
        memcpy(&n, p, sizeof n);
    switch (row->kind) {
    case KIND_ENUM:
        word = schema_word((enum schema_enum)row->arg, (int64_t)n);
        fputs(word != NULL ? word : "?", f);
        break;
    case KIND_INT:
    case KIND_WEIGHT: fprintf(f, "%" PRId64, (int64_t)n); break;
    case KIND_IP:
    case KIND_PREFIX:
    case KIND_UINT:
    case KIND_CNUM:
    case KIND_NAMETAB:
    case KIND_WORD:
    case KIND_IFNAME:
    case KIND_REF:
    case KIND_WORDS:
    case KIND_SPECIAL:
    case KIND_HEX:
    case KIND_SCRIPT:
    case KIND_USER:
    case KIND_TIME:
    case KIND_MSTIME: dump_special(f, p, len); break;
    case KIND_FLAG:
    case KIND_BOOL:
    case KIND_BLOCK:
    case KIND_LINES:
    case KIND_SYNTAX:
    case KIND_DERIVED: break;
    }
}

static void dump_rows(FILE *f, const struct slice_obj *o)
{
    unsigned int n;
    const struct kw_row *rows = schema_rows(o->blk, &n);
    const char *gap = "";
    for (unsigned int i = 0; i < n; i++) {
        const struct kw_row *r = &rows[i];
        size_t len;
        const void *p = slice_raw(o, r->kw, 0, &len);
        if (p == NULL || r->kind == KIND_DERIVED)
            continue;
        bool flag = r->kind == KIND_FLAG || r->kind == KIND_BOOL;
        if (flag && !slice_bool(o, r->kw, false))
            continue;
        bool place = (r->flags & KWF_POSITIONAL) != 0;
        fprintf(f, "%s%s%s", gap, place ? "" : r->name, place || flag ? "" : " ");
        if (!flag)
            dump_value(f, r, p, len);
        gap = " ";
    }
}

static void dump_route(FILE *f, const struct slice *s, const struct slice_obj *o)
{
    dump_rows(f, o);
    for (const struct slice_obj *n = slice_next(s, NULL, BLK_NEXTHOP, o->id); n != NULL;
         n = slice_next(s, n, BLK_NEXTHOP, o->id)) {
        fputs(" nexthop ", f);
        dump_rows(f, n);
    }
}

char *dump_line(const struct slice *s, const struct slice_obj *o, bool set)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        fatal("out of memory");
    if (o->blk == BLK_ADDR)
        dump_addr(f, o, set);
    else
        dump_route(f, s, o);
    if (fclose(f) != 0)
        fatal("out of memory");
    return text;
}

bool dump_set(const struct inst *i)
{
    return i->e.state == VRRP_STATE_MASTER && i->done_seq == i->seq;
}

enum vrrp_state dump_wants(const struct inst *i)
{
    return i->e.state == VRRP_STATE_MASTER ||
                   (i->e.state == VRRP_STATE_FAULT && i->e.cfg.priority == ENGINE_OWNER)
               ? VRRP_STATE_MASTER
               : VRRP_STATE_BACKUP;
}

const char *dump_word(const struct slice_obj *o, enum kw kw, size_t n)
{
    size_t len = 0;
    const char *p = slice_raw(o, kw, 0, &len);
    if (p == NULL || len == 0 || p[len - 1] != '\0')
        return NULL;
    for (const char *end = p + len; p < end; p += strlen(p) + 1)
        if (n-- == 0)
            return p;
    return NULL;
}
