/*
 * regex_int.h - inside of the regular expressions: shared by regex.c (patterns) and regex_run.c (matching).
 */
#ifndef HOLDFAST_CHECKD_REGEX_INT_H
#define HOLDFAST_CHECKD_REGEX_INT_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>

#include "checkd/regex.h"

struct regex {
    pcre2_code *code;
    uint64_t min, max; /* a match begins in [min, max) */
    uint32_t behind;   /* bytes a match may look back */
    bool utf, firstline;
};

#endif
