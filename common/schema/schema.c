/*
 * schema.c - the tables generated from schema.def and words.def, and the look-ups on them.
 * Constant data, trusts nobody, called by holdfast-conf, the slice codec, dumps and tests.
 */
#include "common/schema/schema.h"

#include <stddef.h>
#include <string.h>

#include "common/hash.h"
#include "common/role.h"

#define P_ ROLE_BIT(ROLE_PARENT)
#define V_ ROLE_BIT(ROLE_VRRPD)
#define C_ ROLE_BIT(ROLE_CHECKD)
#define I_ ROLE_BIT(ROLE_IPVSD)

static const struct kw_row kw_table[KW_MAX] = {
#define BLOCK(id, name, parent, flags, help)
#define KW(id, name, kind, arg, min, max, dflt, flags, roles, help)                                          \
    [KW_##id] = { KW_##id, SCHEMA_BLK, name, kind, (int)(arg), min, max, dflt, flags, roles, help },
#include "common/schema/schema.def"
#undef BLOCK
#undef KW
};

static const struct blk_row blk_table[BLK_MAX] = {
#define BLOCK(id, name, parent, flags, help) [BLK_##id] = { BLK_##id, name, parent, flags, help },
#define KW(id, name, kind, arg, min, max, dflt, flags, roles, help)
#include "common/schema/schema.def"
#undef BLOCK
#undef KW
};

/* A block takes no number of its own here, so BLKPOS is the number of its first row. */
enum blk_pos {
    POS_NONE,
#define BLOCK(id, name, parent, flags, help)                        BLKPOS_##id, BLKPOS_BACK_##id = BLKPOS_##id - 1,
#define KW(id, name, kind, arg, min, max, dflt, flags, roles, help) KWPOS_##id,
#include "common/schema/schema.def"
#undef BLOCK
#undef KW
    POS_END
};

static const int blk_first[BLK_MAX + 1] = {
#define BLOCK(id, name, parent, flags, help) [BLK_##id] = BLKPOS_##id,
#define KW(id, name, kind, arg, min, max, dflt, flags, roles, help)
#include "common/schema/schema.def"
#undef BLOCK
#undef KW
    [BLK_MAX] = POS_END,
};

struct word_row {
    enum schema_enum e; /* ENUM_NONE: belongs to the one before */
    const char *word;
    int value;
};

static const struct word_row word_table[] = {
#define ENUM(id)          { ENUM_##id, NULL, 0 },
#define WORD(word, value) { ENUM_NONE, word, value },
#include "common/schema/words.def"
#undef ENUM
#undef WORD
    { ENUM_MAX, NULL, 0 },
};

const struct kw_row *schema_kw(enum kw kw)
{
    return kw > KW_NONE && kw < KW_MAX ? &kw_table[kw] : NULL;
}

const struct blk_row *schema_blk(enum blk blk)
{
    return blk > BLK_NONE && blk < BLK_MAX ? &blk_table[blk] : NULL;
}

const struct kw_row *schema_rows(enum blk blk, unsigned int *n)
{
    *n = 0;
    if (blk <= BLK_NONE || blk >= BLK_MAX)
        return NULL;
    *n = (unsigned int)(blk_first[blk + 1] - blk_first[blk]);
    return &kw_table[blk_first[blk]];
}

const struct kw_row *schema_find(enum blk blk, const char *name)
{
    unsigned int n;
    const struct kw_row *r = schema_rows(blk, &n);
    for (unsigned int i = 0; i < n; i++)
        if (r[i].name[0] == name[0] && name[0] != '\0' && strcmp(r[i].name, name) == 0 &&
            !(r[i].flags & KWF_POSITIONAL) && r[i].kind != KIND_SYNTAX)
            return &r[i];
    return NULL;
}

static const struct word_row *words_of(enum schema_enum e)
{
    for (const struct word_row *w = word_table; w->e != ENUM_MAX; w++)
        if (w->e == e && w->e != ENUM_NONE)
            return w + 1;
    return NULL;
}

const char *schema_word(enum schema_enum e, int64_t value)
{
    for (const struct word_row *w = words_of(e); w != NULL && w->word != NULL; w++)
        if (w->value == value)
            return w->word;
    return NULL;
}

int schema_word_find(enum schema_enum e, const char *word, int64_t *value)
{
    for (const struct word_row *w = words_of(e); w != NULL && w->word != NULL; w++)
        if (strcmp(w->word, word) == 0) {
            *value = w->value;
            return 0;
        }
    return -1;
}

const char *schema_word_at(enum schema_enum e, unsigned int i)
{
    for (const struct word_row *w = words_of(e); w != NULL && w->word != NULL; w++)
        if (i-- == 0)
            return w->word;
    return NULL;
}

uint64_t schema_hash(void)
{
    uint64_t h = HASH_START;
    for (int i = KW_NONE + 1; i < KW_MAX; i++) {
        h = hash_u64(hash_text(h, kw_table[i].name), 0xff);
        h = hash_u64(h, (uint64_t)kw_table[i].kind ^ (uint64_t)kw_table[i].blk << 8);
    }
    for (int i = BLK_NONE + 1; i < BLK_MAX; i++)
        h = hash_u64(hash_text(h, blk_table[i].name), 0xff);
    return h;
}

const char *schema_argument(const struct kw_row *r)
{
    switch (r->kind) {
    case KIND_FLAG: return "no value";
    case KIND_BOOL: return "[on|off]";
    case KIND_UINT:
    case KIND_INT:
    case KIND_CNUM: return "NUMBER";
    case KIND_TIME: return "SECONDS";
    case KIND_MSTIME: return "MILLISECONDS";
    case KIND_WORD:
    case KIND_REF: return "NAME";
    case KIND_IFNAME: return "INTERFACE";
    case KIND_IP: return "ADDRESS";
    case KIND_PREFIX: return "ADDRESS[/LENGTH]";
    case KIND_ENUM: return "one of";
    case KIND_SCRIPT: return "COMMAND [USER [GROUP]]";
    case KIND_USER: return "USER [GROUP]";
    case KIND_WORDS: return "WORD...";
    case KIND_HEX: return "HEXADECIMAL";
    case KIND_BLOCK:
    case KIND_LINES: return "{ block }";
    case KIND_NAMETAB: return "NUMBER or name of iproute2";
    case KIND_WEIGHT: return "NUMBER [reverse]";
    case KIND_SPECIAL:
    case KIND_SYNTAX: return "see the manual";
    case KIND_DERIVED: break;
    }
    return "";
}
