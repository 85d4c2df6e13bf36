/*
 * regex_run.c - matching of regex.h. The body is gathered into a window; a full window is searched with
 * PCRE2's partial matching, what can neither match nor begin a match any more is dropped, and at the end the
 * rest is searched for good. Start positions are tried in strides, each call with few allowed steps; only
 * where those do not suffice every position gets many. CPU time is watched: RUN_CPU_NS for a body, and
 * RUN_CPU_WINDOW_NS more for each window it fills.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkd/regex_int.h"
#include "common/clock.h"
#include "common/err.h"

#define RUN_STRIDE        1024    /* start positions a call */
#define RUN_STEPS         2000    /* PCRE2 match limit (a start position) in strides */
#define RUN_STEPS_MAX     1000000 /* and for a single position */
#define RUN_HEAP_KIB      32768   /* backtracking memory, only while a call runs */
#define RUN_CPU_NS        (UINT64_C(200) * NS_PER_MS)
#define RUN_CPU_WINDOW_NS (UINT64_C(10) * NS_PER_MS)

struct regex_run {
    const struct regex *r;
    pcre2_match_context *mc;
    pcre2_match_data *md;
    char *buf;
    size_t len, cap;
    size_t from;   /* first start position not yet decided */
    uint64_t base; /* offset in the body of buf[0] */
    uint64_t max;  /* of start positions: configured, or the end of the first line */
    uint64_t cpu_start;
    bool timed, line_seen, done;
    enum regex_answer answer;
    uint64_t at;
    char why[160];
};

struct regex_run *regex_run_new(const struct regex *r)
{
    struct regex_run *run = xcalloc(1, sizeof *run);

    run->r = r;
    run->max = r->max;
    run->line_seen = !r->firstline;
    run->answer = REGEX_NO_MATCH;
    return run;
}

void regex_run_free(struct regex_run *run)
{
    if (run == NULL)
        return;
    pcre2_match_data_free(run->md);
    pcre2_match_context_free(run->mc);
    free(run->buf);
    free(run);
}

const char *regex_run_why(const struct regex_run *run)
{
    return run->why;
}

static bool finish(struct regex_run *run, enum regex_answer a)
{
    run->done = true;
    run->answer = a;
    return true;
}

static bool fail(struct regex_run *run, const char *text)
{
    snprintf(run->why, sizeof run->why, "%s", text);
    return finish(run, REGEX_FAILED);
}

static uint64_t cpu_now(void)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) < 0)
        fatal("no CPU clock");
    return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* True: this body has had its share. Looked at from the second call on. */
static bool out_of_time(struct regex_run *run)
{
    uint64_t now = cpu_now();

    if (!run->timed) {
        run->timed = true;
        run->cpu_start = now;
    }
    return now - run->cpu_start > RUN_CPU_NS + run->base / REGEX_WINDOW * RUN_CPU_WINDOW_NS;
}

static int match(struct regex_run *run, size_t end, size_t start, size_t last, uint32_t options,
                 uint32_t steps)
{
    if (run->mc == NULL) {
        run->mc = pcre2_match_context_create(NULL);
        run->md = pcre2_match_data_create(1, NULL);
        if (run->mc == NULL || run->md == NULL)
            fatal("out of memory");
        pcre2_set_heap_limit(run->mc, RUN_HEAP_KIB);
    }
    pcre2_set_match_limit(run->mc, steps);
    pcre2_set_offset_limit(run->mc, last);
    if (run->base > 0)
        options |= PCRE2_NOTBOL;
    return pcre2_match(run->r->code, (PCRE2_SPTR)(run->buf != NULL ? run->buf : ""), end, start, options,
                       run->md, run->mc);
}

static bool is_limit(int rc)
{
    return rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT;
}

/* Whole characters only: a sequence cut at the end of a window waits for its rest. */
static size_t whole_chars(const struct regex_run *run, size_t end)
{
    size_t i = end;

    if (!run->r->utf)
        return end;
    while (i > 0 && end - i < 3 && ((unsigned char)run->buf[i - 1] & 0xc0) == 0x80)
        i--;
    if (i > 0 && ((unsigned char)run->buf[i - 1] & 0xc0) == 0xc0)
        return i - 1;
    return end;
}

static size_t next_char(const struct regex_run *run, size_t at, size_t end)
{
    while (run->r->utf && at < end && ((unsigned char)run->buf[at] & 0xc0) == 0x80)
        at++;
    return at;
}

/* An answer that ends the search: 1; a partial match at *start: 2; nothing: 0; more steps wanted: -1. */
static int judge(struct regex_run *run, int rc, size_t *start)
{
    char text[120];

    if (rc >= 0) {
        run->at = run->base + pcre2_get_startchar(run->md);
        finish(run, REGEX_MATCH);
        return 1;
    }
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc == PCRE2_ERROR_PARTIAL) {
        *start = pcre2_get_startchar(run->md);
        return 2;
    }
    if (is_limit(rc))
        return -1;
    if (pcre2_get_error_message(rc, (unsigned char *)text, sizeof text) < 0)
        snprintf(text, sizeof text, "error %d", rc);
    fail(run, text);
    return 1;
}

/* Every start position of [*start, last] by itself. */
static int search_each(struct regex_run *run, size_t end, size_t *start, size_t last, uint32_t options)
{
    int got = 0;

    while (*start <= last && got == 0) {
        size_t at = *start;

        if (out_of_time(run)) {
            fail(run, "the pattern needs too much time on this page");
            return 1;
        }
        got = judge(run, match(run, end, at, at, options | PCRE2_ANCHORED, RUN_STEPS_MAX), start);
        if (got < 0) {
            fail(run, "the pattern needs too many steps or too much memory on this page");
            return 1;
        }
        if (got == 0)
            *start = next_char(run, at + 1, end);
    }
    return got;
}

static int search_stride(struct regex_run *run, size_t end, size_t *start, size_t last, uint32_t options)
{
    int got = judge(run, match(run, end, *start, last, options, RUN_STEPS), start);

    if (got < 0)
        return search_each(run, end, start, last, options);
    if (got == 0)
        *start = next_char(run, last + 1, end);
    return got;
}

/* The end of the first line behind the start limits where a match may begin. */
static void note_line(struct regex_run *run, size_t start, size_t end)
{
    const char *nl;

    if (run->line_seen || start >= end)
        return;
    nl = memchr(run->buf + start, '\n', end - start);
    if (nl == NULL)
        return;
    run->line_seen = true;
    if (run->base + (size_t)(nl - run->buf) + 1 < run->max)
        run->max = run->base + (size_t)(nl - run->buf) + 1;
}

/* Positions from run->from on; they are behind it afterwards, but for a partial match: true, it begins at
 * run->from. */
static bool search(struct regex_run *run, size_t end, uint32_t options)
{
    size_t start = run->from;
    bool first = true;

    if (run->base + start < run->r->min)
        start =
            run->r->min - run->base > end ? end + 1 : next_char(run, (size_t)(run->r->min - run->base), end);
    note_line(run, start, end);
    while (!run->done && start <= end) {
        size_t last = end - start < RUN_STRIDE ? end : start + RUN_STRIDE - 1;
        int got;

        if (run->base + start >= run->max)
            return !finish(run, REGEX_NO_MATCH);
        if (run->max - run->base - 1 < last)
            last = (size_t)(run->max - run->base - 1);
        if (!first && out_of_time(run))
            return !fail(run, "the pattern needs too much time on this page");
        first = false;
        got = search_stride(run, end, &start, last, options);
        if (got == 2) {
            run->from = start;
            return true;
        }
    }
    run->from = start <= end ? start : end;
    return false;
}

/* Drops what no match can need. */
static void compact(struct regex_run *run)
{
    size_t drop = run->from > run->r->behind ? run->from - run->r->behind : 0;

    if (drop > run->len)
        drop = run->len;
    while (run->r->utf && drop > 0 && ((unsigned char)run->buf[drop] & 0xc0) == 0x80)
        drop--;
    if (drop == 0)
        return;
    memmove(run->buf, run->buf + drop, run->len - drop);
    run->len -= drop;
    run->from -= drop;
    run->base += drop;
}

/* The window is full: decide as much as can be. */
static void window_full(struct regex_run *run)
{
    size_t end = whole_chars(run, run->len);
    bool partial;

    if (out_of_time(run)) {
        fail(run, "the pattern needs too much time on this page");
        return;
    }
    partial = search(run, end, PCRE2_PARTIAL_HARD);
    if (run->done)
        return;
    if (partial && run->from <= run->cap / 4) {
        /* A match that begins here would be longer than the window: is there one within it? */
        size_t at = run->from, start = at;

        if (search_stride(run, end, &start, at, PCRE2_ANCHORED) != 0)
            return;
        run->from = next_char(run, at + 1, end);
    }
    compact(run);
}

/* Room for more: the window grows to its limit first. */
static void make_room(struct regex_run *run)
{
    if (run->cap == REGEX_WINDOW) {
        while (!run->done && run->len == run->cap)
            window_full(run);
        return;
    }
    run->cap = run->cap == 0 ? 4096 : run->cap * 4;
    run->buf = xrealloc(run->buf, run->cap);
}

void regex_run_feed(struct regex_run *run, const void *p, size_t len)
{
    const char *at = p;

    while (len > 0 && !run->done) {
        size_t n;

        if (run->len == run->cap) {
            make_room(run);
            continue;
        }
        n = run->cap - run->len < len ? run->cap - run->len : len;
        memcpy(run->buf + run->len, at, n);
        run->len += n;
        at += n;
        len -= n;
    }
}

enum regex_answer regex_run_end(struct regex_run *run, uint64_t *at)
{
    if (!run->done) {
        search(run, run->len, 0);
        if (!run->done)
            finish(run, REGEX_NO_MATCH);
    }
    *at = run->at;
    return run->answer;
}
