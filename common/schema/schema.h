/*
 * schema.h - one row a keyword. schema.def is the list; enum blk, enum kw and the tables here are generated
 * from it. Walked by holdfast-conf (parse, range check, "did you mean", slices), by slice.c (kinds), by dumps
 * and documentation.
 *
 *   BLOCK(id, "spelling", parent, flags, "one line of help")
 *       begins a block; rows follow until the next BLOCK. Line grammars (address, route, rule, track, peer
 * ...) are blocks too: one object a line, the option words are their rows. Derived kinds of objects (SOCKET,
 * IFACE) have no spelling (""). KW(id, "name", kind, arg, min, max, "default", flags, roles, "one line of
 * help") id is KW_<BLOCK>_<NAME> (upper case, '-' and '.' become '_'). Derived rows are <BLOCK>_X_<NAME>,
 * name "". arg depends on kind (enumeration table, unit, referenced block).
 */
#ifndef HOLDFAST_SCHEMA_H
#define HOLDFAST_SCHEMA_H

#include <stdint.h>

enum kw_kind {
    KIND_FLAG,    /* no argument; stored as bool 1 */
    KIND_BOOL,    /* optional true|on|yes / false|off|no; no argument = true */
    KIND_UINT,    /* decimal unsigned; min..max */
    KIND_INT,     /* decimal signed; min..max */
    KIND_CNUM,    /* C notation unsigned (0x, 0); min..max */
    KIND_TIME,    /* seconds with decimals; stored as microseconds; min..max in microseconds; arg = decimals
                     allowed */
    KIND_MSTIME,  /* milliseconds with decimals; stored as microseconds */
    KIND_WORD,    /* one word or quoted string; arg = longest */
    KIND_IFNAME,  /* at most 15 characters */
    KIND_IP,      /* address without prefix */
    KIND_PREFIX,  /* address with optional /N */
    KIND_ENUM,    /* a word of an enumeration; stored as its number */
    KIND_SCRIPT,  /* SCRIPT [USER [GROUP]]: stored as raw struct, see conf */
    KIND_USER,    /* USER [GROUP] */
    KIND_WORDS,   /* every word of the line (or of the value block) is an entry: a list */
    KIND_REF,     /* name of an object of block arg, defined anywhere */
    KIND_HEX,     /* hexadecimal digits, blanks allowed */
    KIND_BLOCK,   /* opens block arg */
    KIND_LINES,   /* opens a value block; each line is an object of block arg */
    KIND_SPECIAL, /* its own little grammar, parsed by a named function in parent/conf/ */
    KIND_SYNTAX,  /* lexical pseudo keyword (include, $NAME, ~SEQ ...): documentation only */
    KIND_DERIVED, /* computed by holdfast-conf, never written by a person */
    KIND_NAMETAB, /* a number, or a name of the iproute2 table arg (enum schema_names); max = largest */
    KIND_WEIGHT,  /* signed min..max, then optional reverse|noreverse, kept in row arg; stored as int */
};

enum kw_flags {
    KWF_REPEAT = 1 << 0, /* may be given several times: a list */
    KWF_REQUIRED = 1 << 1,
    KWF_DEPRECATED = 1 << 2, /* works, says the modern name */
    KWF_OBSOLETE = 1 << 3,   /* accepted, no effect, warns with a sentence */
    KWF_NOTYET = 1 << 4,     /* accepted and checked, its engine is not there yet: HF-NOTYET */
    KWF_FIRST_WINS = 1 << 5,
    KWF_NO_RELOAD = 1 << 6,   /* cannot change at reload */
    KWF_SECRET = 1 << 7,      /* never shown in dumps or diagnostics */
    KWF_OURS = 1 << 8,        /* not in the incumbent: listed by -t --portable */
    KWF_NAMED = 1 << 9,       /* block flag: takes a name */
    KWF_OPTVALUE = 1 << 10,   /* the value may be left out; numbers: arg is meant then */
    KWF_POSITIONAL = 1 << 11, /* the name is a place holder (IP, NAME): never matched as a word */
    KWF_ZERO_OFF = 1 << 12,   /* 0 means off and draws a warning */
    KWF_ZERO_ONE = 1 << 13,   /* 0 is read as 1 and draws a warning */
    KWF_TACIT = 1 << 14, /* off and 0 go without saying: no slice carries them, absent is off to every role */
};

enum blk {
    BLK_NONE,
#define BLOCK(id, name, parent, flags, help) BLK_##id,
#define KW(id, name, kind, arg, min, max, dflt, flags, roles, help)
#include "common/schema/schema.def"
#undef BLOCK
#undef KW
    BLK_MAX
};

enum kw {
    KW_NONE,
#define BLOCK(id, name, parent, flags, help)
#define KW(id, name, kind, arg, min, max, dflt, flags, roles, help) KW_##id,
#include "common/schema/schema.def"
#undef BLOCK
#undef KW
    KW_MAX
};

/* Tables of words for KIND_ENUM (words.def) and of names for KIND_NAMETAB. */
enum schema_enum {
    ENUM_NONE,
#define ENUM(id) ENUM_##id,
#define WORD(word, value)
#include "common/schema/words.def"
#undef ENUM
#undef WORD
    ENUM_MAX
};

enum schema_names {
    NAMES_NONE,
    NAMES_TABLE,
    NAMES_SCOPE,
    NAMES_DSFIELD,
    NAMES_GROUP,
    NAMES_PROTO,
    NAMES_REALM,
    NAMES_IPPROTO,
    NAMES_PREF
};

struct kw_row {
    enum kw kw;
    enum blk blk;
    const char *name;
    enum kw_kind kind;
    int arg;
    int64_t min, max;
    const char *dflt; /* "" = none */
    unsigned int flags;
    unsigned int roles; /* ROLE_BITs of the slices that carry it */
    const char *help;
};

struct blk_row {
    enum blk blk;
    const char *name;
    enum blk parent;
    unsigned int flags;
    const char *help;
};

const struct kw_row *schema_kw(enum kw kw);
const struct blk_row *schema_blk(enum blk blk);
const struct kw_row *schema_find(enum blk blk, const char *name); /* NULL: unknown in this block */
const struct kw_row *schema_rows(enum blk blk, unsigned int *n);  /* the rows of a block, n of them */
const char *schema_word(enum schema_enum e, int64_t value);       /* NULL: no such value */
int schema_word_find(enum schema_enum e, const char *word, int64_t *value); /* exact; -1: unknown */
const char *schema_word_at(enum schema_enum e, unsigned int i);             /* NULL past the end */
const char *schema_argument(const struct kw_row *r); /* what stands behind it, in words for a person */
uint64_t schema_hash(void); /* of the ids and names: slices of another build are refused */

#endif
