/*
 * fuzz_http_match.c - hostile bodies through the window of the regular expressions. Bytes: pattern, piece
 * size, how often the rest is repeated (so that small inputs fill many windows), the rest. However the body
 * is cut the answer must be the same; for patterns whose matches are shorter than the window it must be the
 * one PCRE2 gives on the whole body, unless a limit was hit.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "checkd/regex.h"
#include "common/schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct {
    const char *pattern;
    enum kw option; /* KW_NONE */
    uint32_t pcre;  /* the same for PCRE2 */
    uint64_t min, max;
    bool bounded; /* no match is longer than a window */
} rows[] = {
    { "abc", KW_NONE, 0, 0, 0, true },
    { "^a", KW_NONE, 0, 0, 0, true },
    { "^a", KW_REGEX_MULTILINE, PCRE2_MULTILINE, 0, 0, true },
    { "(?<=ab)c(?!d)", KW_NONE, 0, 0, 0, true },
    { "a.{1,30}b$", KW_NONE, 0, 0, 0, true },
    { "\\bx\\w{2}y\\b", KW_REGEX_CASELESS, PCRE2_CASELESS, 0, 0, true },
    { "q.z", KW_REGEX_UTF, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, 0, 0, true },
    { "abc", KW_NONE, 0, 70000, 0, true },
    { "[a-m]{3}\\z", KW_NONE, 0, 0, 0, true },
    { "(a+)+$", KW_NONE, 0, 0, 0, false },
    { "(?s)a.*b.*c", KW_NONE, 0, 0, 0, false },
    { "(x+x+)+y", KW_NONE, 0, 100, 90000, false },
    { "((a|b)*|c)*d", KW_REGEX_DOTALL, 0, 0, 0, false },
};

static enum regex_answer run(const struct regex *r, const char *body, size_t len, size_t piece, uint64_t *at)
{
    struct regex_run *run = regex_run_new(r);
    enum regex_answer a;

    for (size_t i = 0; i < len; i += piece)
        regex_run_feed(run, body + i, len - i < piece ? len - i : piece);
    a = regex_run_end(run, at);
    if (a == REGEX_FAILED && regex_run_why(run)[0] == '\0')
        abort();
    regex_run_free(run);
    return a;
}

static void compare(size_t row, const char *body, size_t len, enum regex_answer got, uint64_t at)
{
    int error;
    PCRE2_SIZE where;
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)rows[row].pattern, PCRE2_ZERO_TERMINATED, rows[row].pcre,
                                  &error, &where, NULL);
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);
    int rc;

    if (c == NULL || md == NULL)
        abort();
    rc = rows[row].min > len ? PCRE2_ERROR_NOMATCH
                             : pcre2_match(c, (PCRE2_SPTR)body, len, (PCRE2_SIZE)rows[row].min, 0, md, NULL);
    if ((rc >= 0) != (got == REGEX_MATCH) || (rc >= 0 && pcre2_get_startchar(md) != at))
        abort();
    pcre2_match_data_free(md);
    pcre2_code_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t row, piece, times, most, total = 0;
    uint64_t options = 0, at1 = 0, at2 = 0;
    enum regex_answer a1, a2;
    struct regex *r;
    char why[200], *body;

    if (len < 4 || len > 4096)
        return 0;
    row = data[0] % (sizeof rows / sizeof rows[0]);
    piece = (size_t)data[1] * 97 + 1;
    times = (size_t)data[2] * 4 + 1;
    data += 3;
    len -= 3;
    most = rows[row].bounded ? 2 * REGEX_WINDOW + REGEX_WINDOW / 4 : 4096; /* runaways are slow enough */
    if (len * times > most)
        times = most / len;
    if (times == 0)
        times = 1;
    body = malloc(len * times);
    for (size_t i = 0; i < times; i++, total += len)
        memcpy(body + total, data, len);
    if (rows[row].option != KW_NONE) {
        unsigned int n;

        options = UINT64_C(1) << (schema_kw(rows[row].option) - schema_rows(BLK_REGEX, &n));
    }
    r = regex_new(rows[row].pattern, options, rows[row].min, rows[row].max, why, sizeof why);
    if (r == NULL)
        abort();
    a1 = run(r, body, total, total, &at1);
    a2 = run(r, body, total, piece, &at2);
    if (a1 != REGEX_FAILED && a2 != REGEX_FAILED && (a1 != a2 || (a1 == REGEX_MATCH && at1 != at2)))
        abort();
    if (a1 != REGEX_FAILED && rows[row].bounded && rows[row].max == 0)
        compare(row, body, total, a1, at1);
    regex_free(r);
    free(body);
    return 0;
}
