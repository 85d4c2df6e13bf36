/*
 * slice_format.h - the bytes of a slice, for slice.c (reader) and slice_write.c (writer) only.
 */
#ifndef HOLDFAST_SLICE_FORMAT_H
#define HOLDFAST_SLICE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "common/schema/schema.h"

#define SLICE_MAGIC   0x48465331u /* "HFS1" */
#define SLICE_VERSION 1

struct slice_head {
    uint32_t magic;
    uint32_t version;
    uint32_t role;
    uint32_t generation;
    uint32_t nobj;
    uint32_t length; /* of the whole slice */
    uint64_t schema_hash;
};

struct slice_head_obj {
    uint32_t id;
    uint32_t parent;
    uint16_t blk;
    uint16_t namelen; /* with NUL */
    uint32_t line;
    uint32_t bodylen;
};

struct slice_field {
    uint16_t kw;
    uint16_t len; /* of the data, without padding */
};

_Static_assert(sizeof(struct slice_head) == 32 && sizeof(struct slice_head_obj) == 20 &&
                   sizeof(struct slice_field) == 4,
               "slice structures hold no padding");
_Static_assert((int)KW_MAX <= UINT16_MAX && (int)BLK_MAX <= UINT16_MAX,
               "keyword and block numbers fit their fields");

/* How values of a kind are stored. */
enum slice_form {
    SLICE_FORM_NEVER,  /* no value of this kind is ever in a slice */
    SLICE_FORM_BOOL,   /* one byte, 0 or 1 */
    SLICE_FORM_NUMBER, /* 8 bytes, host order; signed ones as two's complement */
    SLICE_FORM_IP,     /* struct ipaddr */
    SLICE_FORM_TEXT,   /* bytes and one NUL at the end */
    SLICE_FORM_ANY,    /* the keyword's own; its reader checks */
};

static inline enum slice_form slice_form(enum kw_kind kind)
{
    switch (kind) {
    case KIND_FLAG:
    case KIND_BOOL: return SLICE_FORM_BOOL;
    case KIND_UINT:
    case KIND_INT:
    case KIND_CNUM:
    case KIND_NAMETAB:
    case KIND_WEIGHT:
    case KIND_TIME:
    case KIND_MSTIME:
    case KIND_ENUM: return SLICE_FORM_NUMBER;
    case KIND_WORD:
    case KIND_IFNAME:
    case KIND_REF:
    case KIND_WORDS: return SLICE_FORM_TEXT;
    case KIND_IP:
    case KIND_PREFIX: return SLICE_FORM_IP;
    case KIND_SCRIPT:
    case KIND_USER:
    case KIND_HEX:
    case KIND_SPECIAL:
    case KIND_DERIVED: return SLICE_FORM_ANY;
    case KIND_BLOCK:
    case KIND_LINES:
    case KIND_SYNTAX: return SLICE_FORM_NEVER;
    }
    return SLICE_FORM_NEVER;
}

static inline size_t slice_pad4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

#endif
