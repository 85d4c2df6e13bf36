/*
 * tls_ctx.c - contexts of tls.h: certificates, keys and trust, made of PEM text; and the store that shares
 * them by name. Called by the kinds of checks when a configuration is built, by holdfast-conf to prove the
 * administrator's files; trusts neither the text nor its size, opens nothing.
 */
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkd/tls_int.h"

const char *tls_reason(void)
{
    unsigned long e = ERR_peek_error();
    const char *text = e != 0 ? ERR_reason_error_string(e) : NULL;

    return text != NULL ? text : e != 0 ? "unknown TLS error" : "not accepted by OpenSSL";
}

/* Nobody is asked at a terminal: the password is the configured one or there is none. */
static int give_password(char *buf, int size, int writing, void *arg)
{
    const char *password = arg;
    int n = password != NULL && size > 0 ? snprintf(buf, (size_t)size, "%s", password) : 0;

    (void)writing;
    return n > 0 && n < size ? n : -1;
}

static BIO *text_bio(const char *p, size_t len)
{
    return len > 0 && len <= INT_MAX ? BIO_new_mem_buf(p, (int)len) : NULL;
}

static X509 *next_cert(BIO *b)
{
    return b != NULL ? PEM_read_bio_X509_AUX(b, NULL, give_password, NULL) : NULL;
}

static int load_ca(SSL_CTX *ctx, const struct tls_material *m, struct err *e)
{
    BIO *b = text_bio(m->ca, m->ca_len);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    size_t n = 0;
    X509 *x;

    while ((x = next_cert(b)) != NULL) {
        n += X509_STORE_add_cert(store, x) == 1;
        X509_free(x);
    }
    BIO_free(b);
    ERR_clear_error(); /* the end of the text is one */
    return n > 0 ? 0 : err_set(e, "HF-TLS", "ca", "there is no certificate in it (PEM is expected)");
}

static int load_cert(SSL_CTX *ctx, const struct tls_material *m, struct err *e)
{
    BIO *b = text_bio(m->cert, m->cert_len);
    X509 *x = next_cert(b);
    int rc;

    if (x == NULL) {
        BIO_free(b);
        return err_set(e, "HF-TLS", "certificate", "there is no certificate in it (PEM is expected): %s",
                       tls_reason());
    }
    rc = SSL_CTX_use_certificate(ctx, x);
    X509_free(x);
    if (rc != 1) {
        err_set(e, "HF-TLS", "certificate", "OpenSSL refuses it: %s", tls_reason());
        BIO_free(b);
        return -1;
    }
    while ((x = next_cert(b)) != NULL) {
        if (SSL_CTX_add_extra_chain_cert(ctx, x) != 1) /* takes x over when it says yes */
            X509_free(x);
    }
    BIO_free(b);
    ERR_clear_error();
    return 0;
}

static int load_key(SSL_CTX *ctx, const struct tls_material *m, struct err *e)
{
    bool own = m->key_len > 0;
    BIO *b = own ? text_bio(m->key, m->key_len) : text_bio(m->cert, m->cert_len);
    EVP_PKEY *key =
        b != NULL ? PEM_read_bio_PrivateKey(b, NULL, give_password, (void *)(uintptr_t)m->password) : NULL;
    const char *object = own ? "key" : "certificate";
    int rc;

    BIO_free(b);
    if (key == NULL)
        return err_set(e, "HF-TLS", object, "%s: %s",
                       own ? "no private key can be read from it (PEM; is the password right?)"
                           : "no key is given and none can be read from the certificate's file",
                       tls_reason());
    rc = SSL_CTX_use_PrivateKey(ctx, key);
    EVP_PKEY_free(key);
    if (rc != 1 || SSL_CTX_check_private_key(ctx) != 1)
        return err_set(e, "HF-TLS", object, "the key does not belong to the certificate: %s", tls_reason());
    return 0;
}

/* Without verify the chain is not even built: nobody would look at the result. */
static int verify_chain(X509_STORE_CTX *x, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());

    (void)arg;
    if (ssl != NULL && SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE) {
        X509_STORE_CTX_set_error(x, X509_V_OK);
        return 1;
    }
    return X509_verify_cert(x);
}

static SSL_CTX *bare_ctx(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); /* see tls_read */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify_chain, NULL);
    return ctx;
}

struct tls_ctx *tls_ctx_new(const struct tls_material *m, struct err *e)
{
    SSL_CTX *ctx;
    struct tls_ctx *t;

    ERR_clear_error();
    ctx = bare_ctx();
    if (ctx == NULL) {
        err_set(e, "HF-TLS", "OpenSSL", "no TLS context: %s", tls_reason());
        return NULL;
    }
    if ((m->ca_len > 0 && load_ca(ctx, m, e) < 0) || (m->cert_len > 0 && load_cert(ctx, m, e) < 0) ||
        (m->cert_len > 0 && load_key(ctx, m, e) < 0)) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        return NULL;
    }
    ERR_clear_error();
    t = xcalloc(1, sizeof *t);
    t->ctx = ctx;
    t->refs = 1;
    return t;
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
    ctx->refs++;
    return ctx;
}

void tls_ctx_unref(struct tls_ctx *ctx)
{
    if (ctx == NULL || --ctx->refs > 0)
        return;
    SSL_CTX_free(ctx->ctx);
    free(ctx);
}

/* ---- the store --------------------------------------------------------------------------------------- */

struct entry {
    struct entry *next;
    struct tls_ctx *ctx;
    char name[];
};

struct tls_store {
    struct entry *first;
};

struct tls_store *tls_store_new(void)
{
    return xcalloc(1, sizeof(struct tls_store));
}

/* all, or what only the store holds any more */
static void store_drop(struct tls_store *st, bool all)
{
    struct entry **at = &st->first, *en;

    while ((en = *at) != NULL) {
        if (!all && en->ctx->refs > 1) {
            at = &en->next;
            continue;
        }
        *at = en->next;
        tls_ctx_unref(en->ctx);
        free(en);
    }
}

void tls_store_free(struct tls_store *st)
{
    if (st == NULL)
        return;
    store_drop(st, true);
    free(st);
}

/* The pieces of a list, one behind the other; the caller frees. */
static char *pieces(const struct slice_obj *o, enum kw kw, size_t *total)
{
    const void *p;
    size_t len, at = 0;
    char *buf;

    *total = 0;
    for (size_t i = 0; slice_raw(o, kw, i, &len) != NULL; i++)
        *total += len;
    if (*total == 0)
        return NULL;
    buf = xmalloc(*total);
    for (size_t i = 0; (p = slice_raw(o, kw, i, &len)) != NULL; i++) {
        memcpy(buf + at, p, len);
        at += len;
    }
    return buf;
}

static void wipe(char *p, size_t len)
{
    if (p != NULL)
        OPENSSL_cleanse(p, len);
    free(p);
}

static struct tls_ctx *ctx_of(const struct slice_obj *o, struct err *e)
{
    struct tls_material m = { .ca_len = 0 };
    size_t plen = 0;
    char *ca = pieces(o, KW_TLS_X_CA, &m.ca_len), *cert = pieces(o, KW_TLS_X_CERT, &m.cert_len);
    char *key = pieces(o, KW_TLS_X_KEY, &m.key_len), *password = pieces(o, KW_TLS_X_PASSWORD, &plen);
    struct tls_ctx *ctx;

    m.ca = ca;
    m.cert = cert;
    m.key = key;
    if (plen > 0 && password[plen - 1] == '\0')
        m.password = password;
    ctx = tls_ctx_new(&m, e);
    free(ca);
    free(cert);
    wipe(key, m.key_len);
    wipe(password, plen);
    return ctx;
}

struct tls_ctx *tls_store_get(struct tls_store *st, const struct slice *s, const char *name, struct err *e)
{
    const struct slice_obj *o = NULL;
    struct tls_material none = { .ca_len = 0 };
    struct tls_ctx *ctx;
    struct entry *en;

    for (en = st->first; en != NULL; en = en->next)
        if (strcmp(en->name, name) == 0)
            return tls_ctx_ref(en->ctx);
    store_drop(st, false);
    if (name[0] != '\0' && (o = slice_find(s, BLK_TLS, name)) == NULL) {
        err_set(e, "HF-SLICE", name, "a check uses TLS material that is not there: a bug of holdfast-conf");
        return NULL;
    }
    ctx = o != NULL ? ctx_of(o, e) : tls_ctx_new(&none, e);
    if (ctx == NULL)
        return NULL;
    en = xcalloc(1, sizeof *en + strlen(name) + 1);
    memcpy(en->name, name, strlen(name) + 1);
    en->ctx = ctx;
    en->next = st->first;
    st->first = en;
    return tls_ctx_ref(ctx);
}
