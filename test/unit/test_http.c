/*
 * test_http.c - the HTTP reply reader: every case is fed whole, byte by byte and in pieces of 3, and must
 * come out the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "checkd/http.h"

struct result {
    enum http_progress got;
    enum http_error error;
    int status;
    size_t used;
    size_t body_len, head_len;
    char body[256];
};

static void take_body(const void *p, size_t len, void *arg)
{
    struct result *r = arg;

    if (r->body_len + len <= sizeof r->body)
        memcpy(r->body + r->body_len, p, len);
    r->body_len += len;
}

static void take_head(const void *p, size_t len, void *arg)
{
    struct result *r = arg;

    (void)p;
    r->head_len += len;
}

static struct result run(const char *text, size_t len, bool v11, bool closed, size_t piece)
{
    struct result r = { .got = HTTP_MORE };
    struct http h;

    http_init(&h, v11, take_head, take_body, &r);
    for (size_t at = 0; at < len && r.got == HTTP_MORE; at += piece) {
        size_t used, n = len - at < piece ? len - at : piece;
        char *copy = malloc(n); /* exactly n bytes: a sanitizer sees reads behind them */

        memcpy(copy, text + at, n);
        r.got = http_feed(&h, copy, n, &used);
        free(copy);
        r.used += used;
    }
    if (r.got == HTTP_MORE && closed)
        r.got = http_end(&h);
    r.error = h.error;
    r.status = h.status;
    assert_int_equal(h.body_bytes, r.body_len);
    return r;
}

static struct result run_all(const char *text, size_t len, bool v11, bool closed)
{
    struct result a = run(text, len, v11, closed, len + 1);

    for (size_t piece = 1; piece <= 3; piece += 2) {
        struct result b = run(text, len, v11, closed, piece);

        assert_int_equal(a.got, b.got);
        assert_int_equal(a.error, b.error);
        assert_int_equal(a.status, b.status);
        assert_int_equal(a.used, b.used);
        assert_int_equal(a.head_len, b.head_len);
        assert_int_equal(a.body_len, b.body_len);
        assert_memory_equal(a.body, b.body, sizeof a.body);
    }
    return a;
}

static void good(const char *text, bool v11, bool closed, int status, const char *body)
{
    struct result r = run_all(text, strlen(text), v11, closed);

    if (r.got != HTTP_DONE)
        fail_msg("%s: %s", text, http_error_text(r.error));
    assert_int_equal(r.status, status);
    assert_int_equal(r.body_len, strlen(body));
    assert_memory_equal(r.body, body, r.body_len);
}

static void bad(const char *text, bool v11, enum http_error want)
{
    struct result r = run_all(text, strlen(text), v11, true);

    if (r.got != HTTP_FAILED || r.error != want)
        fail_msg("%s: %s, wanted %s", text, http_error_text(r.error), http_error_text(want));
}

static void test_length(void **state)
{
    (void)state;
    good("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, false, 200, "hello");
    good("HTTP/1.0 404 Not Found\r\ncontent-length:5  \r\nX: y\r\n\r\nhello", false, false, 404, "hello");
    good("HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n", false, false, 500, "");
    good("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", false, false, 200, "hello"); /* bare LF */
    good("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", false, false, 200,
         "hello");
    good("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", false, false, 200, "he");
}

static void test_used(void **state)
{
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nheTHE NEXT";
    struct result r = run_all(text, strlen(text), false, false);

    (void)state;
    assert_int_equal(r.got, HTTP_DONE);
    assert_int_equal(r.used, strlen(text) - strlen("THE NEXT"));
    assert_int_equal(r.head_len, r.used - 2);
}

static void test_until_close(void **state)
{
    struct result r;

    (void)state;
    good("HTTP/1.0 200 OK\r\n\r\nhello", false, true, 200, "hello");
    good("HTTP/1.0 200 OK\r\nServer: x\r\n\r\n", false, true, 200, "");
    r = run_all("HTTP/1.0 200 OK\r\n\r\nhello", 24, false, false);
    assert_int_equal(r.got, HTTP_MORE); /* only the close can say that it is complete */
}

static void test_no_body(void **state)
{
    (void)state;
    good("HTTP/1.1 204 No Content\r\n\r\n", false, false, 204, "");
    good("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", false, false, 304, "");
    good("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\nLink: x\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         true, false, 200, "ok");
}

static void test_chunked(void **state)
{
    static const char reply[] =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

    (void)state;
    good(reply, true, false, 200, "hello");
    good(reply, false, true, 200, "5\r\nhello\r\n0\r\n\r\n"); /* asked as 1.0: taken as it comes */
    good("HTTP/1.1 200 OK\r\nContent-Length: 3\r\ntransfer-encoding: gzip , "
         "Chunked\r\n\r\n0A;x=\"y\"\r\n0123456789\r\n"
         "1 \r\n!\r\n000\r\nTrailer: 1\r\nOther\r\n\r\n",
         true, false, 200, "0123456789!");
    good("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nraw", true, true, 200, "raw");
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", true,
        HTTP_ERROR_CHUNK);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", true, HTTP_ERROR_CHUNK);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", true, HTTP_ERROR_CHUNK);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5x\r\n", true, HTTP_ERROR_CHUNK);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n", true, HTTP_ERROR_CHUNK);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell", true, HTTP_ERROR_TRUNCATED);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true, HTTP_ERROR_TRUNCATED);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", true,
        HTTP_ERROR_TRUNCATED);
}

static void test_truncated(void **state)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    (void)state;
    bad("", false, HTTP_ERROR_EMPTY);
    for (size_t n = 1; n < sizeof reply - 1; n++) {
        struct result r = run_all(reply, n, false, true);

        assert_int_equal(r.got, HTTP_FAILED);
        assert_int_equal(r.error, HTTP_ERROR_TRUNCATED);
    }
}

static void test_garbage(void **state)
{
    static const char nul[] = "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n";
    struct result r;

    (void)state;
    bad("SSH-2.0-OpenSSH_9.2", false, HTTP_ERROR_STATUS); /* recognised without a line end */
    bad("\r\nHTTP/1.1 200 OK\r\n\r\n", false, HTTP_ERROR_STATUS);
    bad("HTTP/2 200\r\n\r\n", false, HTTP_ERROR_STATUS);
    bad("HTTP/1.1 20\r\n\r\n", false, HTTP_ERROR_STATUS);
    bad("HTTP/1.1 2000\r\n\r\n", false, HTTP_ERROR_STATUS);
    bad("HTTP/1.1 099 x\r\n\r\n", false, HTTP_ERROR_STATUS);
    bad("HTTP/1.1\r\n\r\n", false, HTTP_ERROR_STATUS);
    bad("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", false, HTTP_ERROR_HEADER);
    bad("HTTP/1.1 200 OK\r\n: empty\r\n\r\n", false, HTTP_ERROR_HEADER);
    bad("HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", false, HTTP_ERROR_HEADER);
    bad("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 6\r\n\r\nhello", false, HTTP_ERROR_HEADER);
    bad("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", false, HTTP_ERROR_LENGTH);
    bad("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", false, HTTP_ERROR_LENGTH);
    bad("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", false, HTTP_ERROR_LENGTH);
    bad("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", false, HTTP_ERROR_LENGTH);
    bad("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello", false, HTTP_ERROR_LENGTH);
    bad("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\nhello", false, HTTP_ERROR_LENGTH);
    r = run_all(nul, sizeof nul - 1, false, true);
    assert_int_equal(r.error, HTTP_ERROR_HEADER);
    good("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", false, false, 200,
         "ok"); /* folded, of no interest */
}

static void test_large_head(void **state)
{
    static const char start[] = "HTTP/1.1 200 OK\r\n", end[] = "Content-Length: 2\r\n\r\nok";
    size_t max = HTTP_HEAD_MAX, all = sizeof start - 1 + max + sizeof end;
    char *buf = malloc(all);

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        size_t fill = max - (sizeof start - 1) - (sizeof end - 1 - 2) + over;
        struct result r;

        memcpy(buf, start, sizeof start - 1);
        memset(buf + sizeof start - 1, 'a', fill);
        memcpy(buf + sizeof start - 1, "X:", 2); /* one line of nearly 64 KiB: of no interest, not kept */
        memcpy(buf + sizeof start - 1 + fill - 2, "\r\n", 2);
        memcpy(buf + sizeof start - 1 + fill, end, sizeof end - 1);
        r = run_all(buf, sizeof start - 1 + fill + sizeof end - 1, false, true);
        assert_int_equal(r.got, over ? HTTP_FAILED : HTTP_DONE);
        assert_int_equal(r.error, over ? HTTP_ERROR_TOO_LARGE : HTTP_ERROR_NONE);
    }
    free(buf);
}

/* A length hidden behind the window must not pass for another. */
static void test_window(void **state)
{
    char text[HTTP_LINE_MAX * 3];
    size_t n = 0;

    (void)state;
    n += strlen(strcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: "));
    memset(text + n, ' ', HTTP_LINE_MAX);
    strcpy(text + n + HTTP_LINE_MAX, "5\r\n\r\nhello");
    bad(text, false, HTTP_ERROR_LENGTH);
    memset(text + n, '0', HTTP_LINE_MAX);
    bad(text, false, HTTP_ERROR_LENGTH);
    n = strlen(strcpy(text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;"));
    memset(text + n, 'x', HTTP_LINE_MAX);
    strcpy(text + n + HTTP_LINE_MAX, "\r\nhello\r\n0\r\n\r\n");
    bad(text, true, HTTP_ERROR_CHUNK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),  cmocka_unit_test(test_used),       cmocka_unit_test(test_until_close),
        cmocka_unit_test(test_no_body), cmocka_unit_test(test_chunked),    cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_large_head), cmocka_unit_test(test_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
