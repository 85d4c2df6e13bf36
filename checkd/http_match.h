/*
 * http_match.h - what an HTTP check wants of a reply: a status in a set, an MD5 of the body, a regular
 * expression found in it (or not). The body streams through and is not kept. struct http_want is
 * configuration and never changes; struct http_match is one attempt. Called by check_http.c; the bytes are
 * hostile.
 */
#ifndef HOLDFAST_CHECKD_HTTP_MATCH_H
#define HOLDFAST_CHECKD_HTTP_MATCH_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkd/regex.h"

#define HTTP_MD5_LEN 16

struct http_want {
    uint32_t *status; /* ranges, low << 16 | high; none: 200-299 */
    size_t nstatus;
    bool has_digest, no_match; /* no_match: the pattern must not be found */
    uint8_t digest[HTTP_MD5_LEN];
    struct regex *regex; /* NULL: none */
};

struct http_match {
    const struct http_want *want;
    EVP_MD_CTX *md;
    struct regex_run *run;
    bool md_failed;
};

/* 32 hexadecimal digits. */
int http_digest_parse(const char *hex, uint8_t out[HTTP_MD5_LEN]);
bool http_status_wanted(const struct http_want *w, int status);
void http_want_free(struct http_want *w); /* what it points to */

void http_match_begin(struct http_match *m, const struct http_want *w);
void http_match_body(struct http_match *m, const void *p, size_t len);
/* The reply is complete. False: why. */
bool http_match_end(struct http_match *m, int status, char *why, size_t size);
void http_match_free(struct http_match *m); /* its buffers; also fine after end, or never begun and zero */

#endif
