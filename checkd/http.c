/*
 * http.c - see http.h. Trusts no byte. A line is gathered byte by byte into the window; body bytes go
 * straight through.
 */
#include "checkd/http.h"

#include <string.h>
#include <strings.h>

const char *http_error_text(enum http_error e)
{
    switch (e) {
    case HTTP_ERROR_NONE: return "no error";
    case HTTP_ERROR_STATUS: return "the reply does not begin with an HTTP/1 status line";
    case HTTP_ERROR_HEADER: return "malformed header line";
    case HTTP_ERROR_TOO_LARGE: return "headers larger than 64 KiB";
    case HTTP_ERROR_LENGTH: return "Content-Length is not one number";
    case HTTP_ERROR_CHUNK: return "broken chunked coding";
    case HTTP_ERROR_EMPTY: return "closed without a reply";
    case HTTP_ERROR_TRUNCATED: return "closed before the end of the reply";
    }
    return "?";
}

void http_init(struct http *h, bool decode_chunked, http_bytes_fn *head, http_bytes_fn *body, void *arg)
{
    memset(h, 0, sizeof *h);
    h->decode_chunked = decode_chunked;
    h->head = head;
    h->body = body;
    h->arg = arg;
}

static void fail(struct http *h, enum http_error e)
{
    h->phase = HTTP_PHASE_FAILED;
    h->error = e;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.d ddd", then the end or a blank and the reason. */
static void status_line(struct http *h, const char *s, size_t len)
{
    if (len < 12 || strncmp(s, "HTTP/1.", 7) != 0 || !is_digit(s[7]) || s[8] != ' ' || s[9] < '1' ||
        s[9] > '9' || !is_digit(s[10]) || !is_digit(s[11]) || (len > 12 && s[12] != ' ')) {
        fail(h, HTTP_ERROR_STATUS);
        return;
    }
    h->pending_status = (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
    h->has_length = h->chunked = h->no_fold = false;
    h->phase = HTTP_PHASE_HEADERS;
}

/* Digits, at most 18, blanks around. */
static bool parse_length(const char *s, size_t len, uint64_t *out)
{
    uint64_t v = 0;

    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        len--;
    while (len > 0 && (*s == ' ' || *s == '\t'))
        s++, len--;
    if (len == 0 || len > 18)
        return false;
    for (; len > 0; s++, len--) {
        if (!is_digit(*s))
            return false;
        v = v * 10 + (uint64_t)(*s - '0');
    }
    *out = v;
    return true;
}

/* The last coding of the list is what counts. */
static bool last_is_chunked(const char *s, size_t len)
{
    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        len--;
    if (len < 7 || strncasecmp(s + len - 7, "chunked", 7) != 0)
        return false;
    return len == 7 || s[len - 8] == ' ' || s[len - 8] == '\t' || s[len - 8] == ',';
}

static bool name_is(const char *s, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(s, name, len) == 0;
}

static void header_line(struct http *h, const char *s, size_t len)
{
    const char *colon = memchr(s, ':', len);
    size_t name = colon != NULL ? (size_t)(colon - s) : 0;
    uint64_t v;

    if (s[0] == ' ' || s[0] == '\t') {
        if (h->no_fold)
            fail(h, HTTP_ERROR_HEADER);
        return; /* continuation of a header nobody asks for */
    }
    h->no_fold = false;
    if (colon == NULL && h->line_cut)
        return; /* a name longer than the window is none of ours */
    if (colon == NULL || name == 0 || s[name - 1] == ' ' || s[name - 1] == '\t') {
        fail(h, HTTP_ERROR_HEADER);
        return;
    }
    if (name_is(s, name, "Content-Length")) {
        if (h->line_cut || !parse_length(colon + 1, len - name - 1, &v) ||
            (h->has_length && v != h->length)) {
            fail(h, HTTP_ERROR_LENGTH);
            return;
        }
        h->has_length = h->no_fold = true;
        h->length = v;
    } else if (name_is(s, name, "Transfer-Encoding")) {
        if (h->line_cut) {
            fail(h, HTTP_ERROR_HEADER);
            return;
        }
        h->chunked = last_is_chunked(colon + 1, len - name - 1);
        h->no_fold = true;
    }
}

/* The empty line: where the body begins, if there is one. */
static void headers_end(struct http *h)
{
    int st = h->pending_status;

    if (st < 200 && st != 101) {
        h->phase = HTTP_PHASE_STATUS; /* interim: the real reply follows */
        return;
    }
    h->status = st;
    h->chunked = h->chunked && h->decode_chunked;
    if (st == 101 || st == 204 || st == 304) {
        h->phase = HTTP_PHASE_DONE;
    } else if (h->chunked) {
        h->phase = HTTP_PHASE_CHUNK_SIZE;
    } else if (h->has_length) {
        h->left = h->length;
        h->phase = h->left > 0 ? HTTP_PHASE_COUNTED : HTTP_PHASE_DONE;
    } else {
        h->phase = HTTP_PHASE_UNTIL_CLOSE;
    }
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Hexadecimal size, then the end, blanks or an extension. */
static void chunk_size_line(struct http *h, const char *s, size_t len)
{
    uint64_t v = 0;
    size_t i = 0;

    for (; i < len && hex_digit(s[i]) >= 0; i++) {
        if (i >= 15) {
            fail(h, HTTP_ERROR_CHUNK);
            return;
        }
        v = v * 16 + (uint64_t)hex_digit(s[i]);
    }
    if (i == 0 || h->line_cut || (i < len && s[i] != ';' && s[i] != ' ' && s[i] != '\t')) {
        fail(h, HTTP_ERROR_CHUNK);
        return;
    }
    h->left = v;
    h->phase = v > 0 ? HTTP_PHASE_CHUNK : HTTP_PHASE_TRAILERS;
}

static void line_end(struct http *h)
{
    size_t len = h->line_len;

    if (len > 0 && !h->line_cut && h->line[len - 1] == '\r')
        len--;
    switch (h->phase) {
    case HTTP_PHASE_STATUS: status_line(h, h->line, len); break;
    case HTTP_PHASE_HEADERS:
        if (len == 0)
            headers_end(h);
        else
            header_line(h, h->line, len);
        break;
    case HTTP_PHASE_CHUNK_SIZE: chunk_size_line(h, h->line, len); break;
    case HTTP_PHASE_CHUNK_END:
        if (len == 0)
            h->phase = HTTP_PHASE_CHUNK_SIZE;
        else
            fail(h, HTTP_ERROR_CHUNK);
        break;
    case HTTP_PHASE_TRAILERS:
        if (len == 0)
            h->phase = HTTP_PHASE_DONE;
        break;
    case HTTP_PHASE_COUNTED:
    case HTTP_PHASE_CHUNK:
    case HTTP_PHASE_UNTIL_CLOSE:
    case HTTP_PHASE_DONE:
    case HTTP_PHASE_FAILED: break;
    }
    h->line_len = 0;
    h->line_cut = false;
}

/* One byte of a line. */
static void line_byte(struct http *h, char c)
{
    bool head =
        h->phase == HTTP_PHASE_STATUS || h->phase == HTTP_PHASE_HEADERS || h->phase == HTTP_PHASE_TRAILERS;

    if (head && ++h->head_bytes > HTTP_HEAD_MAX) {
        fail(h, HTTP_ERROR_TOO_LARGE);
        return;
    }
    if (c == '\n') {
        line_end(h);
        return;
    }
    if (c == '\0') {
        fail(h, h->phase == HTTP_PHASE_STATUS ? HTTP_ERROR_STATUS
                : head                        ? HTTP_ERROR_HEADER
                                              : HTTP_ERROR_CHUNK);
        return;
    }
    if (h->line_len < sizeof h->line)
        h->line[h->line_len++] = c;
    else if (head)
        h->line_cut = true;
    else
        fail(h, HTTP_ERROR_CHUNK); /* no honest chunk line is that long */
    /* Something that speaks first and is not HTTP need not send a line end to be recognised. */
    if (h->phase == HTTP_PHASE_STATUS && h->line_len == 5 && memcmp(h->line, "HTTP/", 5) != 0)
        fail(h, HTTP_ERROR_STATUS);
}

static size_t feed_lines(struct http *h, const char *p, size_t len)
{
    size_t i = 0;
    bool head = h->phase == HTTP_PHASE_STATUS || h->phase == HTTP_PHASE_HEADERS;

    while (i < len && (head ? h->phase == HTTP_PHASE_STATUS || h->phase == HTTP_PHASE_HEADERS
                            : h->phase == HTTP_PHASE_CHUNK_SIZE || h->phase == HTTP_PHASE_CHUNK_END ||
                                  h->phase == HTTP_PHASE_TRAILERS))
        line_byte(h, p[i++]);
    if (head && h->head != NULL && i > 0)
        h->head(p, i, h->arg);
    return i;
}

static size_t feed_body(struct http *h, const char *p, size_t len)
{
    if (h->phase != HTTP_PHASE_UNTIL_CLOSE && len > h->left)
        len = (size_t)h->left;
    if (h->body != NULL && len > 0)
        h->body(p, len, h->arg);
    h->body_bytes += len;
    if (h->phase == HTTP_PHASE_UNTIL_CLOSE)
        return len;
    h->left -= len;
    if (h->left == 0)
        h->phase = h->phase == HTTP_PHASE_COUNTED ? HTTP_PHASE_DONE : HTTP_PHASE_CHUNK_END;
    return len;
}

static enum http_progress progress(const struct http *h)
{
    if (h->phase == HTTP_PHASE_DONE)
        return HTTP_DONE;
    return h->phase == HTTP_PHASE_FAILED ? HTTP_FAILED : HTTP_MORE;
}

enum http_progress http_feed(struct http *h, const void *buf, size_t len, size_t *used)
{
    const char *p = buf;
    size_t at = 0;

    while (at < len && progress(h) == HTTP_MORE) {
        if (h->phase == HTTP_PHASE_COUNTED || h->phase == HTTP_PHASE_CHUNK ||
            h->phase == HTTP_PHASE_UNTIL_CLOSE)
            at += feed_body(h, p + at, len - at);
        else
            at += feed_lines(h, p + at, len - at);
    }
    *used = at;
    return progress(h);
}

enum http_progress http_end(struct http *h)
{
    if (h->phase == HTTP_PHASE_UNTIL_CLOSE)
        h->phase = HTTP_PHASE_DONE;
    else if (h->phase != HTTP_PHASE_DONE && h->phase != HTTP_PHASE_FAILED)
        fail(h, h->head_bytes == 0 ? HTTP_ERROR_EMPTY : HTTP_ERROR_TRUNCATED);
    return progress(h);
}
