/*
 * check_http_conf.c - HTTP_GET and SSL_GET as configured: the requests byte for byte as they will be sent,
 * what is wanted of the replies, the TLS context. Called at prepare; trusts the form of the slice, which
 * slice.c has checked, and copies what it needs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkd/check_http_int.h"
#include "checkd/checkd.h"

#define HTTP_PROTO_10C 11
#define HTTP_PROTO_11  13

struct build {
    const struct slice_obj *o;
    struct check_http *c;
    unsigned int proto;
    const char *vhost; /* of the checker, NULL: none */
    const char *name;  /* given for TLS, NULL: that of the host */
    bool sni, notify, tls;
};

/* HTTP_GET and SSL_GET have rows of their own with the same names. */
static enum kw row(const struct slice_obj *o, const char *name)
{
    const struct kw_row *r = schema_find(o->blk, name);

    return r != NULL ? r->kw : KW_NONE;
}

/* "" is "not given". */
static const char *text(const struct slice_obj *o, enum kw kw)
{
    const char *s = slice_str(o, kw, "");

    return s[0] != '\0' ? s : NULL;
}

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *fmt, ...)
{
    va_list ap;
    char *s;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        fatal("out of memory");
    return s;
}

/* Order and spelling are the incumbent's; servers' access rules may hang on them. The port is always there
 * unless a virtual host says otherwise. */
static void build_request(const struct build *b, struct http_url *u, const char *path, const char *vhost)
{
    const struct checker_dest *d = &b->c->dest;
    char addr[IPADDR_STRLEN], host[IPADDR_STRLEN + 16];

    ipaddr_str(&d->to, addr);
    snprintf(host, sizeof host, d->to.family == 6 ? "[%s]:%u" : "%s:%u", addr, d->port);
    u->request =
        format("GET %s HTTP/%s\r\nUser-Agent: KeepAliveClient\r\n%sHost: %s\r\n\r\n", path,
               b->proto == HTTP_PROTO_11 ? "1.1" : "1.0",
               b->proto >= HTTP_PROTO_10C ? "Connection: close\r\n" : "", vhost != NULL ? vhost : host);
    u->request_len = strlen(u->request);
}

/* A virtual host without its port: "name:8443", "[::1]:443", "name". */
static char *host_only(const char *vhost)
{
    size_t len = vhost[0] == '[' ? strcspn(vhost, "]") + 1 : strcspn(vhost, ":");

    return strndup(vhost, len);
}

static void build_name(const struct build *b, struct http_url *u, const char *vhost)
{
    if (!b->tls)
        return;
    if (b->name != NULL)
        u->name = xstrdup(b->name);
    else if (vhost != NULL)
        u->name = host_only(vhost);
    /* Who verifies a name must ask for it: a server with several certificates sends another one else. */
    u->send_name = u->name != NULL && (b->sni || b->c->verify);
}

static int build_status(struct http_want *w, const struct slice_obj *o, struct err *e)
{
    const void *p;
    size_t len;

    while (slice_raw(o, KW_URL_STATUS_CODE, w->nstatus, &len) != NULL)
        w->nstatus++;
    if (w->nstatus == 0)
        return 0;
    w->status = xcalloc(w->nstatus, sizeof *w->status);
    for (size_t i = 0; (p = slice_raw(o, KW_URL_STATUS_CODE, i, &len)) != NULL; i++) {
        if (len != sizeof *w->status)
            return err_set(e, "HF-SLICE", o->name,
                           "line %u: status_code of a wrong size: a bug of holdfast-conf", o->line);
        memcpy(&w->status[i], p, sizeof *w->status);
    }
    return 0;
}

static int build_regex(struct http_want *w, const struct slice_obj *o, struct err *e)
{
    size_t len, nbits;
    const char *pattern = slice_raw(o, KW_URL_REGEX, 0, &len);
    const void *p = slice_raw(o, KW_URL_REGEX_OPTIONS, 0, &nbits);
    uint64_t bits = 0;
    char why[200];

    if (pattern == NULL)
        return 0;
    if (len == 0 || pattern[len - 1] != '\0' || (p != NULL && nbits != sizeof bits))
        return err_set(e, "HF-SLICE", o->name, "line %u: regex of a wrong form: a bug of holdfast-conf",
                       o->line);
    if (p != NULL)
        memcpy(&bits, p, sizeof bits);
    w->no_match = slice_bool(o, KW_URL_REGEX_NO_MATCH, false);
    w->regex = regex_new(pattern, bits, slice_uint(o, KW_URL_REGEX_MIN_OFFSET, 0),
                         slice_uint(o, KW_URL_REGEX_MAX_OFFSET, 0), why, sizeof why);
    return w->regex != NULL ? 0 : err_set(e, "HF-REGEX", o->name, "line %u: regex: %s", o->line, why);
}

static int build_url(const struct build *b, struct http_url *u, const struct slice_obj *o, struct err *e)
{
    const char *vhost = text(o, KW_URL_VIRTUALHOST), *digest = text(o, KW_URL_DIGEST);

    if (vhost == NULL)
        vhost = b->vhost;
    build_request(b, u, slice_str(o, KW_URL_PATH, "/"), vhost);
    build_name(b, u, vhost);
    u->tls_notify = slice_bool(o, KW_URL_TLS_COMPLIANT, b->notify);
    u->want.has_digest = digest != NULL;
    if (digest != NULL && http_digest_parse(digest, u->want.digest) < 0)
        return err_set(e, "HF-DIGEST", o->name, "line %u: digest is no MD5 sum: a bug of holdfast-conf",
                       o->line);
    return build_status(&u->want, o, e) < 0 || build_regex(&u->want, o, e) < 0 ? -1 : 0;
}

static int build_urls(const struct build *b, const struct slice *s, struct err *e)
{
    const struct slice_obj *o = NULL;
    struct check_http *c = b->c;
    uint32_t n = 0;

    while ((o = slice_next(s, o, BLK_URL, b->o->id)) != NULL)
        n++;
    if (n == 0)
        return err_set(e, "HF-MISSING", b->o->name, "line %u: a check without url", b->o->line);
    c->urls = xcalloc(n, sizeof *c->urls);
    while ((o = slice_next(s, o, BLK_URL, b->o->id)) != NULL) {
        c->nurls++;
        if (build_url(b, &c->urls[c->nurls - 1], o, e) < 0)
            return -1;
    }
    return 0;
}

static int build_tls(struct build *b, struct checker *k, const struct slice *s, struct err *e)
{
    struct check_http *c = b->c;
    const struct slice_obj *o = b->o;

    c->verify = slice_bool(o, KW_SSLGET_VERIFY, false);
    c->min_version = (unsigned int)slice_uint(o, KW_SSLGET_MIN_VERSION, 0);
    b->notify = slice_bool(o, KW_SSLGET_TLS_COMPLIANT, false);
    b->name = text(o, KW_SSLGET_SNI);
    if (b->name == NULL)
        b->name = text(o, KW_SSLGET_SNI_NAME);
    b->sni =
        b->name != NULL || slice_has(o, KW_SSLGET_SNI_NAME) || slice_bool(o, KW_SSLGET_ENABLE_SNI, false);
    c->tls = tls_store_get(k->d->tls, s, slice_str(o, KW_SSLGET_X_TLS, ""), e);
    return c->tls != NULL ? 0 : -1;
}

int check_http_build(struct checker *k, const struct slice *s, const struct slice_obj *o, struct err *e)
{
    struct check_http *c = xcalloc(1, sizeof *c);
    struct build b = { .o = o, .c = c, .tls = o->blk == BLK_SSLGET };

    k->state = c;
    if (checker_dest_read(&c->dest, o, e) < 0)
        return -1;
    b.proto = (unsigned int)slice_uint(o, row(o, "http_protocol"), 0);
    b.vhost = text(o, row(o, "virtualhost"));
    c->v11 = b.proto == HTTP_PROTO_11;
    c->fast_recovery = slice_bool(o, row(o, "fast_recovery"), false);
    if (b.tls && build_tls(&b, k, s, e) < 0)
        return -1;
    return build_urls(&b, s, e);
}

void check_http_free(struct checker *k)
{
    struct check_http *c = k->state;

    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->nurls; i++) {
        free(c->urls[i].request);
        free(c->urls[i].name);
        http_want_free(&c->urls[i].want);
    }
    free(c->urls);
    tls_ctx_unref(c->tls);
}
