/*
 * http_match.c - see http_match.h. MD5 through EVP: a library without it (FIPS) is a failed check with that
 * reason, never a passed one.
 */
#include "checkd/http_match.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int http_digest_parse(const char *hex, uint8_t out[HTTP_MD5_LEN])
{
    if (strlen(hex) != 2 * HTTP_MD5_LEN)
        return -1;
    for (size_t i = 0; i < HTTP_MD5_LEN; i++) {
        int hi = hex_digit(hex[2 * i]), lo = hex_digit(hex[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return -1;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return 0;
}

bool http_status_wanted(const struct http_want *w, int status)
{
    if (w->nstatus == 0)
        return status >= 200 && status <= 299;
    for (size_t i = 0; i < w->nstatus; i++)
        if (status >= (int)(w->status[i] >> 16) && status <= (int)(w->status[i] & 0xffff))
            return true;
    return false;
}

void http_want_free(struct http_want *w)
{
    free(w->status);
    regex_free(w->regex);
}

void http_match_begin(struct http_match *m, const struct http_want *w)
{
    *m = (struct http_match){ .want = w };
    if (w->has_digest) {
        m->md = EVP_MD_CTX_new();
        m->md_failed = m->md == NULL || EVP_DigestInit_ex(m->md, EVP_md5(), NULL) != 1;
    }
    if (w->regex != NULL)
        m->run = regex_run_new(w->regex);
}

void http_match_body(struct http_match *m, const void *p, size_t len)
{
    if (m->md != NULL && !m->md_failed && EVP_DigestUpdate(m->md, p, len) != 1)
        m->md_failed = true;
    if (m->run != NULL)
        regex_run_feed(m->run, p, len);
}

void http_match_free(struct http_match *m)
{
    EVP_MD_CTX_free(m->md);
    regex_run_free(m->run);
    *m = (struct http_match){ .want = NULL };
}

static bool say(char *why, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static bool say(char *why, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, size, fmt, ap);
    va_end(ap);
    return false;
}

static bool status_end(const struct http_want *w, int status, char *why, size_t size)
{
    char set[96] = "";
    size_t at = 0;

    if (http_status_wanted(w, status))
        return true;
    if (w->nstatus == 0)
        return say(why, size, "status %d, wanted 200-299", status);
    for (size_t i = 0; i < w->nstatus && at + 12 < sizeof set; i++) {
        unsigned int lo = w->status[i] >> 16, hi = w->status[i] & 0xffff;

        at += (size_t)snprintf(set + at, sizeof set - at, lo == hi ? " %u" : " %u-%u", lo, hi);
    }
    return say(why, size, "status %d, wanted%s", status, set);
}

static bool digest_end(struct http_match *m, char *why, size_t size)
{
    uint8_t got[EVP_MAX_MD_SIZE];
    char hex[2 * HTTP_MD5_LEN + 1];

    if (m->md_failed || EVP_DigestFinal_ex(m->md, got, NULL) != 1) {
        ERR_clear_error();
        return say(why, size, "OpenSSL refuses MD5 (FIPS mode?): the digest cannot be checked");
    }
    if (memcmp(got, m->want->digest, HTTP_MD5_LEN) == 0)
        return true;
    for (size_t i = 0; i < HTTP_MD5_LEN; i++)
        snprintf(hex + 2 * i, 3, "%02x", got[i]);
    return say(why, size, "digest of the body is %s, not the configured one", hex);
}

static bool regex_end(struct http_match *m, char *why, size_t size)
{
    uint64_t at = 0;

    switch (regex_run_end(m->run, &at)) {
    case REGEX_MATCH:
        return m->want->no_match ? say(why, size, "regex_no_match, but the pattern matches at byte %llu",
                                       (unsigned long long)at)
                                 : true;
    case REGEX_NO_MATCH:
        return m->want->no_match ? true : say(why, size, "the regex does not match the body");
    case REGEX_FAILED: return say(why, size, "regex: %s", regex_run_why(m->run));
    }
    return false;
}

bool http_match_end(struct http_match *m, int status, char *why, size_t size)
{
    return status_end(m->want, status, why, size) && (!m->want->has_digest || digest_end(m, why, size)) &&
           (m->run == NULL || regex_end(m, why, size));
}
