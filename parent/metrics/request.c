/* request.c - see serve.h. Nothing of the headers matters; where they end does. */
#include <stdbool.h>
#include <string.h>

#include "parent/metrics/serve.h"

/* The first line and the empty one that ends the headers; bare newlines are taken too. */
static size_t request_end(const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (b[i] != '\n')
            continue;
        if (i + 1 < len && b[i + 1] == '\n')
            return i + 2;
        if (i + 2 < len && b[i + 1] == '\r' && b[i + 2] == '\n')
            return i + 3;
    }
    return 0;
}

static bool request_is(const uint8_t *p, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(p, word, len) == 0;
}

static enum serve_wish request_line(const uint8_t *b, size_t len)
{
    const uint8_t *sp = memchr(b, ' ', len);
    size_t method = sp != NULL ? (size_t)(sp - b) : 0;
    if (method == 0)
        return SERVE_BAD;
    const uint8_t *path = sp + 1;
    size_t rest = len - method - 1;
    const uint8_t *sp2 = memchr(path, ' ', rest);
    if (sp2 == NULL)
        return SERVE_BAD;
    size_t plen = (size_t)(sp2 - path), vlen = rest - plen - 1;
    if (plen == 0 || path[0] != '/' || vlen != 8 || memcmp(sp2 + 1, "HTTP/1.", 7) != 0)
        return SERVE_BAD;
    const uint8_t *query = memchr(path, '?', plen);
    if (query != NULL)
        plen = (size_t)(query - path);
    bool get = request_is(b, method, "GET"), head = request_is(b, method, "HEAD");
    if (!get && !head)
        return SERVE_METHOD;
    if (request_is(path, plen, "/metrics"))
        return get ? SERVE_METRICS : SERVE_HEAD;
    return request_is(path, plen, "/") && get ? SERVE_HELLO : SERVE_NOWHERE;
}

enum serve_wish serve_request(const uint8_t *buf, size_t len)
{
    size_t end = request_end(buf, len);
    if (end == 0 || end > SERVE_REQUEST_MAX)
        return len >= SERVE_REQUEST_MAX ? SERVE_LONG : SERVE_MORE;
    const uint8_t *nl = memchr(buf, '\n', end);
    size_t line = (size_t)(nl - buf);
    if (line > 0 && buf[line - 1] == '\r')
        line--;
    return request_line(buf, line);
}
