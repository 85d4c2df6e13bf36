/*
 * fetch.c - genhash's errand: ask for the page, read the reply with http.c, hash the body as it comes. Any
 * status counts: the hash of an error page is what was asked for.
 */
#include "checkd/genhash/genhash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "checkd/http.h"

#define REQUEST_MAX 8192

struct fetch {
    const struct genhash_options *o;
    EVP_MD_CTX *md;
    bool hash_failed;
    size_t head_len;
    char head[HTTP_HEAD_MAX];
};

static void on_head(const void *p, size_t len, void *arg)
{
    struct fetch *f = arg;

    if (f->head_len + len > sizeof f->head)
        len = sizeof f->head - f->head_len;
    memcpy(f->head + f->head_len, p, len);
    f->head_len += len;
}

/* All headers are here before the first byte of the body. */
static void show_head(struct fetch *f)
{
    if (!f->o->verbose || f->head_len == 0)
        return;
    printf("-----------------------[    HTTP Header Buffer    ]-----------------------\n");
    genhash_dump(f->head, f->head_len);
    printf("-----------------------[ HTTP Header Ascii Buffer ]-----------------------\n");
    for (size_t i = 0; i < f->head_len; i++) {
        unsigned char c = (unsigned char)f->head[i];

        putchar(c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f) ? c
                : c == '\r'                                       ? ' '
                                                                  : '.'); /* it is going to a terminal */
    }
    putchar('\n');
    f->head_len = 0;
}

static void on_body(const void *p, size_t len, void *arg)
{
    struct fetch *f = arg;

    show_head(f);
    if (f->o->verbose) {
        printf("-----------------------[        HTML Buffer        ]-----------------------\n");
        genhash_dump(p, len);
    }
    if (EVP_DigestUpdate(f->md, p, len) != 1)
        f->hash_failed = true;
}

static int request_build(const struct genhash_options *o, char *buf, size_t size)
{
    char addr[IPADDR_STRLEN], host[IPADDR_STRLEN + 16];
    int n;

    ipaddr_str(&o->server, addr);
    snprintf(host, sizeof host, o->server.family == 6 ? "[%s]:%u" : "%s:%u", addr, o->port);
    n = snprintf(buf, size, "GET %s HTTP/%s\r\nUser-Agent: KeepAliveClient\r\n%sHost: %s\r\n\r\n", o->url,
                 o->protocol == GENHASH_PROTOCOL_11 ? "1.1" : "1.0",
                 o->protocol == GENHASH_PROTOCOL_10 ? "" : "Connection: close\r\n",
                 o->vhost != NULL ? o->vhost : host);
    return n < 0 || (size_t)n >= size ? -1 : n;
}

/* Until the reply is complete. */
static int reply_read(struct fetch *f, struct genhash_conn *c, char *why, size_t size)
{
    enum http_progress got = HTTP_MORE;
    struct http h;

    http_init(&h, f->o->protocol == GENHASH_PROTOCOL_11, on_head, on_body, f);
    while (got == HTTP_MORE) {
        uint8_t buf[16384];
        size_t used;
        long n = genhash_conn_read(c, buf, sizeof buf, why, size);

        if (n < 0)
            return -1;
        got = n > 0 ? http_feed(&h, buf, (size_t)n, &used) : http_end(&h);
    }
    show_head(f);
    if (got == HTTP_FAILED) {
        snprintf(why, size, "%s", http_error_text(h.error));
        return -1;
    }
    return 0;
}

static int fetch_over(struct fetch *f, struct genhash_conn *c, uint8_t md5[GENHASH_MD5_LEN], char *why,
                      size_t size)
{
    char request[REQUEST_MAX];
    int len = request_build(f->o, request, sizeof request);

    if (len < 0) {
        snprintf(why, size, "the request would be longer than %d bytes", REQUEST_MAX);
        return -1;
    }
    if (genhash_conn_write(c, request, (size_t)len, why, size) < 0 || reply_read(f, c, why, size) < 0)
        return -1;
    if (f->hash_failed || EVP_DigestFinal_ex(f->md, md5, NULL) != 1) {
        snprintf(why, size, "OpenSSL refuses MD5");
        return -1;
    }
    return 0;
}

int genhash_fetch(const struct genhash_options *o, uint8_t md5[GENHASH_MD5_LEN], char *why, size_t size)
{
    struct fetch f = { .o = o, .md = EVP_MD_CTX_new() };
    struct genhash_conn *c;
    int rc;

    if (f.md == NULL || EVP_DigestInit_ex(f.md, EVP_md5(), NULL) != 1) {
        snprintf(why, size, "OpenSSL has no MD5 (FIPS mode?)");
        EVP_MD_CTX_free(f.md);
        return -1;
    }
    c = genhash_conn_open(o, why, size);
    rc = c != NULL ? fetch_over(&f, c, md5, why, size) : -1;
    if (c != NULL)
        genhash_conn_close(c);
    EVP_MD_CTX_free(f.md);
    return rc;
}
