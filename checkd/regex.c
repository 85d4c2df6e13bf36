/*
 * regex.c - patterns of regex.h: compiled with the options of the schema, without JIT. Trusts its caller for
 * the pattern (the administrator wrote it), nobody for its being one.
 */
#include "checkd/regex_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/schema/schema.h"

/* firstline is ours: PCRE2's would count from where a piece of the window begins. */
static const struct {
    enum kw kw;
    uint32_t option;
} table[] = {
    { KW_REGEX_ALLOW_EMPTY_CLASS, PCRE2_ALLOW_EMPTY_CLASS },
    { KW_REGEX_ALT_BSUX, PCRE2_ALT_BSUX },
    { KW_REGEX_AUTO_CALLOUT, PCRE2_AUTO_CALLOUT },
    { KW_REGEX_CASELESS, PCRE2_CASELESS },
    { KW_REGEX_DOLLAR_ENDONLY, PCRE2_DOLLAR_ENDONLY },
    { KW_REGEX_DOTALL, PCRE2_DOTALL },
    { KW_REGEX_DUPNAMES, PCRE2_DUPNAMES },
    { KW_REGEX_EXTENDED, PCRE2_EXTENDED },
    { KW_REGEX_FIRSTLINE, 0 },
    { KW_REGEX_MATCH_UNSET_BACKREF, PCRE2_MATCH_UNSET_BACKREF },
    { KW_REGEX_MULTILINE, PCRE2_MULTILINE },
    { KW_REGEX_NEVER_UCP, PCRE2_NEVER_UCP },
    { KW_REGEX_NEVER_UTF, PCRE2_NEVER_UTF },
    { KW_REGEX_NO_AUTO_CAPTURE, PCRE2_NO_AUTO_CAPTURE },
    { KW_REGEX_NO_AUTO_POSSESS, PCRE2_NO_AUTO_POSSESS },
    { KW_REGEX_NO_DOTSTAR_ANCHOR, PCRE2_NO_DOTSTAR_ANCHOR },
    { KW_REGEX_NO_START_OPTIMIZE, PCRE2_NO_START_OPTIMIZE },
    { KW_REGEX_UCP, PCRE2_UCP },
    { KW_REGEX_UNGREEDY, PCRE2_UNGREEDY },
    { KW_REGEX_UTF, PCRE2_UTF },
    { KW_REGEX_NEVER_BACKSLASH_C, PCRE2_NEVER_BACKSLASH_C },
    { KW_REGEX_ALT_CIRCUMFLEX, PCRE2_ALT_CIRCUMFLEX },
    { KW_REGEX_ALT_VERBNAMES, PCRE2_ALT_VERBNAMES },
    { KW_REGEX_USE_OFFSET_LIMIT, PCRE2_USE_OFFSET_LIMIT },
};

static uint32_t compile_options(uint64_t bits, bool *firstline)
{
    unsigned int n;
    const struct kw_row *first = schema_rows(BLK_REGEX, &n);
    uint32_t options = PCRE2_USE_OFFSET_LIMIT;

    *firstline = false;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct kw_row *row = schema_kw(table[i].kw);

        if ((bits & UINT64_C(1) << (row - first)) == 0)
            continue;
        options |= table[i].option;
        *firstline = *firstline || table[i].kw == KW_REGEX_FIRSTLINE;
    }
    return options;
}

static pcre2_code *compile(const char *pattern, uint32_t options, char *why, size_t size)
{
    unsigned char text[160];
    PCRE2_SIZE at;
    int error;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &at, NULL);

    if (code != NULL)
        return code;
    pcre2_get_error_message(error, text, sizeof text);
    snprintf(why, size, "%s (at character %zu of the pattern)", (const char *)text, at + 1);
    return NULL;
}

struct regex *regex_new(const char *pattern, uint64_t options, uint64_t min, uint64_t max, char *why,
                        size_t size)
{
    struct regex *r = xcalloc(1, sizeof *r);
    uint32_t all, bits = compile_options(options, &r->firstline), behind = 0;

    r->min = min;
    r->max = max > 0 ? max + 1 : UINT64_MAX;
    r->code = compile(pattern, bits, why, size);
    if (r->code == NULL) {
        free(r);
        return NULL;
    }
    pcre2_pattern_info(r->code, PCRE2_INFO_ALLOPTIONS, &all);
    r->utf = (all & PCRE2_UTF) != 0;
    if (r->utf) {
        /* A body is bytes: what is no UTF-8 in it matches nothing, but is no error. */
        pcre2_code_free(r->code);
        r->code = compile(pattern, bits | PCRE2_MATCH_INVALID_UTF, why, size);
        if (r->code == NULL) {
            free(r);
            return NULL;
        }
    }
    pcre2_pattern_info(r->code, PCRE2_INFO_MAXLOOKBEHIND, &behind);
    /* One character more than a match may look back stays in front of it, so that the start of a later window
     * is never taken for the start of the body. */
    r->behind = behind < REGEX_WINDOW / 32 ? (behind + 1) * (r->utf ? 4u : 1u) : REGEX_WINDOW / 8;
    return r;
}

void regex_free(struct regex *r)
{
    if (r == NULL)
        return;
    pcre2_code_free(r->code);
    free(r);
}
