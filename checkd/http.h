/*
 * http.h - reads an HTTP/1 reply from a stream, for genhash and the HTTP checks. A pure state machine on
 * (buffer, length): hostile bytes in, results out, no heap, no I/O; the result does not depend on how the
 * stream was cut into pieces (the fuzzer holds us to it). Headers are limited to 64 KiB and looked at through
 * a small window; the body is handed on as it comes and never kept.
 */
#ifndef HOLDFAST_CHECKD_HTTP_H
#define HOLDFAST_CHECKD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 65536 /* all header lines together, interim replies and trailers included */
#define HTTP_LINE_MAX                                                                                        \
    1024 /* of a line that matters: status, Content-Length, Transfer-Encoding, chunk size                    \
          */

enum http_progress { HTTP_MORE, HTTP_DONE, HTTP_FAILED };

enum http_error {
    HTTP_ERROR_NONE,
    HTTP_ERROR_STATUS,    /* what came first was no HTTP/1 status line */
    HTTP_ERROR_HEADER,    /* a header line that is none */
    HTTP_ERROR_TOO_LARGE, /* headers beyond HTTP_HEAD_MAX */
    HTTP_ERROR_LENGTH,    /* Content-Length is no number, or two that differ */
    HTTP_ERROR_CHUNK,     /* chunked coding broken */
    HTTP_ERROR_EMPTY,     /* closed without a byte */
    HTTP_ERROR_TRUNCATED, /* closed before the end of headers or body */
};

const char *http_error_text(enum http_error e);

typedef void http_bytes_fn(const void *p, size_t len, void *arg);

enum http_phase {
    HTTP_PHASE_STATUS,
    HTTP_PHASE_HEADERS,
    HTTP_PHASE_COUNTED,    /* body of Content-Length */
    HTTP_PHASE_CHUNK_SIZE, /* line before a chunk */
    HTTP_PHASE_CHUNK,
    HTTP_PHASE_CHUNK_END, /* line end behind a chunk */
    HTTP_PHASE_TRAILERS,
    HTTP_PHASE_UNTIL_CLOSE,
    HTTP_PHASE_DONE,
    HTTP_PHASE_FAILED,
};

struct http {
    /* results; status is 0 until a final reply's headers are complete */
    int status;
    bool has_length, chunked;
    uint64_t length;     /* Content-Length */
    uint64_t body_bytes; /* handed to body so far */
    enum http_error error;
    /* the machine */
    enum http_phase phase;
    bool decode_chunked;
    http_bytes_fn *head, *body;
    void *arg;
    uint64_t left; /* of the counted body or chunk */
    size_t head_bytes;
    int pending_status;
    bool line_cut; /* the line was longer than the window */
    bool no_fold;  /* the header before mattered: a continuation line would change it */
    size_t line_len;
    char line[HTTP_LINE_MAX];
};

/* decode_chunked: the request was HTTP/1.1, so the reply may be chunked; else the body is taken as it comes,
 * like the incumbent does. head (may be NULL) gets the bytes of headers, body (may be NULL) those of the
 * body. */
void http_init(struct http *h, bool decode_chunked, http_bytes_fn *head, http_bytes_fn *body, void *arg);

/* Takes the next bytes; *used says how many were the reply's (the rest, after HTTP_DONE, is not). */
enum http_progress http_feed(struct http *h, const void *buf, size_t len, size_t *used);

/* The peer has closed orderly: a body without stated end is complete now, everything else is truncated. */
enum http_progress http_end(struct http *h);

#endif
