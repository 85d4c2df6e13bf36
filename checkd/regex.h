/*
 * regex.h - the regular expressions of HTTP checks: PCRE2 over a body that arrives in pieces, through a
 * window of at most REGEX_WINDOW bytes. The pattern is the administrator's, the body is hostile: matching has
 * limits on steps, memory and CPU time, so no page can stall the process; a page that needs more is a failed
 * check. No JIT: the jail has no executable memory to give. Called by http_match.c, and by holdfast-conf to
 * prove a pattern.
 *
 * What a window means: a match may be as long as the window and stand anywhere in the body. A match that
 * would have to be longer is looked for as if the body ended where the window does.
 */
#ifndef HOLDFAST_CHECKD_REGEX_H
#define HOLDFAST_CHECKD_REGEX_H

#include <stddef.h>
#include <stdint.h>

#define REGEX_WINDOW 65536

struct regex;     /* compiled, never changes */
struct regex_run; /* one body */

/* options: bit i is the i-th row of BLK_REGEX. A match must begin at or behind min and not behind max (0:
 * no limit), counted in bytes of the body. NULL with why. */
struct regex *regex_new(const char *pattern, uint64_t options, uint64_t min, uint64_t max, char *why,
                        size_t size);
void regex_free(struct regex *r);

enum regex_answer { REGEX_MATCH, REGEX_NO_MATCH, REGEX_FAILED };

struct regex_run *regex_run_new(const struct regex *r);
void regex_run_feed(struct regex_run *run, const void *p, size_t len);
enum regex_answer regex_run_end(struct regex_run *run, uint64_t *at); /* at: where the match begins */
const char *regex_run_why(const struct regex_run *run);               /* of REGEX_FAILED */
void regex_run_free(struct regex_run *run);

#endif
