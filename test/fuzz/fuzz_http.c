/*
 * fuzz_http.c - the HTTP reply reader on hostile bytes. First byte: options and piece size. The same stream
 * is read whole and in pieces; results, bytes used and the body must be the same.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/http.h"
#include "common/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
    uint64_t hash, bytes, head;
};

static void body(const void *p, size_t len, void *arg)
{
    struct seen *s = arg;

    s->hash = hash_bytes(s->hash, p, len);
    s->bytes += len;
}

static void head(const void *p, size_t len, void *arg)
{
    struct seen *s = arg;

    (void)p;
    s->head += len;
}

static enum http_progress run(const uint8_t *data, size_t len, size_t piece, bool v11, struct http *h,
                              struct seen *s, size_t *used)
{
    enum http_progress p = HTTP_MORE;

    memset(s, 0, sizeof *s);
    *used = 0;
    http_init(h, v11, head, body, s);
    for (size_t at = 0; at < len && p == HTTP_MORE; at += piece) {
        size_t n = len - at < piece ? len - at : piece, u;

        p = http_feed(h, data + at, n, &u);
        if (u > n || (p == HTTP_MORE && u != n))
            abort();
        *used += u;
    }
    return p == HTTP_MORE ? http_end(h) : p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct http a, b;
    struct seen sa, sb;
    size_t ua, ub, piece;
    enum http_progress pa, pb;

    if (len < 1)
        return 0;
    piece = (size_t)(data[0] >> 1) % 31 + 1;
    pa = run(data + 1, len - 1, len, data[0] & 1, &a, &sa, &ua);
    pb = run(data + 1, len - 1, piece, data[0] & 1, &b, &sb, &ub);
    if (pa != pb || pa == HTTP_MORE || ua != ub || memcmp(&sa, &sb, sizeof sa) != 0 || a.status != b.status ||
        a.error != b.error)
        abort();
    if ((pa == HTTP_FAILED) != (a.error != HTTP_ERROR_NONE) || sa.bytes != a.body_bytes || sa.bytes > len ||
        sa.head > HTTP_HEAD_MAX + 1)
        abort();
    if (pa == HTTP_DONE && (a.status < 101 || a.status > 999 ||
                            (a.has_length && !a.chunked && sa.bytes != 0 && sa.bytes != a.length)))
        abort();
    return 0;
}
