/*
 * tls.c - sessions of tls.h: one SSL over one descriptor that never blocks. Called by check_http.c and mail;
 * trusts nobody on the wire: whatever OpenSSL says no to is TLS_FAILED with a text made of its reason.
 */
#include "checkd/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkd/tls_int.h"

#define TLS_EMPTY_MAX 8 /* records without data that one call takes */

struct tls {
    SSL *ssl;
    struct tls_ctx *ctx;
    bool cut;
    char why[200];
};

int tls_init(struct err *e)
{
    static const char *const digests[] = { "MD5", "SHA1", "SHA256", "SHA384", "SHA512" };
    struct tls_material none = { .ca_len = 0 };
    struct tls_ctx *ctx;
    unsigned char seed;

    if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
                             OPENSSL_INIT_LOAD_CONFIG,
                         NULL) != 1 ||
        RAND_bytes(&seed, 1) != 1)
        return err_set(e, "HF-TLS", "OpenSSL", "cannot be initialised: %s", tls_reason());
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
        EVP_MD_free(
            EVP_MD_fetch(NULL, digests[i], NULL)); /* absent ones are reported when one is asked for */
    ctx = tls_ctx_new(&none, e);
    if (ctx == NULL)
        return -1;
    SSL_free(SSL_new(ctx->ctx));
    tls_ctx_unref(ctx);
    ERR_clear_error();
    return 0;
}

/* "[...]" around an IPv6 address, as in a Host header, is taken off. */
static bool address_parse(const char *name, struct ipaddr *out)
{
    char text[IPADDR_STRLEN];
    size_t len = strlen(name);

    if (len > 2 && name[0] == '[' && name[len - 1] == ']') {
        name++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof text)
        return false;
    memcpy(text, name, len);
    text[len] = '\0';
    return ipaddr_parse(text, out) == 0;
}

bool tls_is_address(const char *name)
{
    struct ipaddr a;

    return address_parse(name, &a);
}

static int session_verify(SSL *ssl, const struct tls_opts *o)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    const struct ipaddr *ip = o->verify_ip;
    struct ipaddr literal;

    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (o->verify_name != NULL && o->verify_name[0] != '\0') {
        if (!address_parse(o->verify_name, &literal))
            return X509_VERIFY_PARAM_set1_host(p, o->verify_name, 0) == 1 ? 0 : -1;
        ip = &literal;
    }
    if (ip == NULL)
        return -1; /* verifying without knowing whom is no verifying */
    return X509_VERIFY_PARAM_set1_ip(p, ip->b, ipaddr_len(ip)) == 1 ? 0 : -1;
}

static int session_versions(SSL *ssl, unsigned int min)
{
    static const int table[] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };

    if (min == 0)
        return 0;
    if (min < 10 || min > 13)
        return -1;
    if (min < 12)
        SSL_set_security_level(ssl, 0); /* their signatures are below every higher level: it was asked for */
    return SSL_set_min_proto_version(ssl, table[min - 10]) == 1 ? 0 : -1;
}

static int session_setup(SSL *ssl, int fd, const struct tls_opts *o)
{
    if (SSL_set_fd(ssl, fd) != 1 || session_versions(ssl, o->min_version) < 0)
        return -1;
    if (o->verify && session_verify(ssl, o) < 0)
        return -1;
    if (o->sni != NULL && o->sni[0] != '\0' && !tls_is_address(o->sni) &&
        SSL_set_tlsext_host_name(ssl, o->sni) != 1)
        return -1;
    SSL_set_connect_state(ssl);
    return 0;
}

struct tls *tls_open(struct tls_ctx *ctx, int fd, const struct tls_opts *o, char *why, size_t size)
{
    struct tls *t = xcalloc(1, sizeof *t);

    ERR_clear_error();
    t->ctx = tls_ctx_ref(ctx);
    t->ssl = SSL_new(ctx->ctx);
    if (t->ssl == NULL || session_setup(t->ssl, fd, o) < 0) {
        snprintf(why, size, "TLS cannot be set up: %s", tls_reason());
        tls_close(t, false);
        return NULL;
    }
    return t;
}

static void say_ssl_error(struct tls *t, const char *what)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    long verdict = SSL_get_verify_result(t->ssl);

    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        snprintf(t->why, sizeof t->why, "%s: certificate of the server refused: %s", what,
                 X509_verify_cert_error_string(verdict));
    else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)
        snprintf(t->why, sizeof t->why, "%s: %s (no TLS behind this port?)", what, tls_reason());
    else
        snprintf(t->why, sizeof t->why, "%s: %s", what, tls_reason());
}

/* After a call that did not succeed. */
static enum tls_step step_of(struct tls *t, int rc, const char *what, bool reading)
{
    int saved = errno;
    unsigned long e;

    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ: return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        snprintf(t->why, sizeof t->why, "%s: closed by the server", what);
        return TLS_CLOSED;
    default: break; /* an error: which one, the queue says */
    }
    e = ERR_peek_error();
    if (e == 0 || ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        bool eof = e != 0 || saved == 0;

        snprintf(t->why, sizeof t->why, "%s: %s", what,
                 eof ? "connection closed by the server" : strerror(saved));
        t->cut = eof && reading;
        return t->cut ? TLS_CLOSED : TLS_FAILED;
    }
    say_ssl_error(t, what);
    return TLS_FAILED;
}

enum tls_step tls_handshake(struct tls *t)
{
    enum tls_step step;
    int rc;

    ERR_clear_error();
    errno = 0;
    rc = SSL_do_handshake(t->ssl);
    if (rc == 1)
        return TLS_OK;
    step = step_of(t, rc, "TLS handshake", false);
    return step == TLS_CLOSED ? TLS_FAILED : step;
}

/* Tickets and key updates carry no data and may come for ever: a few of them a call, then the loop goes
 * round. Whether there was one shows in the bytes that OpenSSL took from the socket. */
enum tls_step tls_read(struct tls *t, void *buf, size_t len, size_t *n)
{
    BIO *bio = SSL_get_rbio(t->ssl);

    for (int i = 0;; i++) {
        uint64_t before = BIO_number_read(bio);
        enum tls_step step;
        int rc;

        *n = 0;
        ERR_clear_error();
        errno = 0;
        rc = SSL_read_ex(t->ssl, buf, len, n);
        if (rc == 1)
            return TLS_OK;
        step = step_of(t, rc, "TLS read", true);
        if (step != TLS_WANT_READ || i == TLS_EMPTY_MAX || BIO_number_read(bio) == before || errno == EAGAIN)
            return step;
    }
}

enum tls_step tls_write(struct tls *t, const void *buf, size_t len, size_t *n)
{
    enum tls_step step;
    int rc;

    *n = 0;
    ERR_clear_error();
    errno = 0;
    rc = SSL_write_ex(t->ssl, buf, len, n);
    if (rc == 1)
        return TLS_OK;
    step = step_of(t, rc, "TLS write", false);
    return step == TLS_CLOSED ? TLS_FAILED : step;
}

bool tls_pending(const struct tls *t)
{
    return SSL_pending(t->ssl) > 0;
}

bool tls_cut(const struct tls *t)
{
    return t->cut;
}

const char *tls_why(const struct tls *t)
{
    return t->why;
}

const char *tls_version(const struct tls *t)
{
    return SSL_get_version(t->ssl);
}

bool tls_peer_expiry(const struct tls *t, int64_t *unix_seconds)
{
    X509 *cert = SSL_get0_peer_certificate(t->ssl);
    struct tm tm;

    if (cert == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
        return false;
    *unix_seconds = timegm(&tm);
    return true;
}

void tls_close(struct tls *t, bool notify)
{
    if (t == NULL)
        return;
    if (t->ssl != NULL && notify && SSL_is_init_finished(t->ssl)) {
        ERR_clear_error();
        SSL_shutdown(t->ssl); /* one try: whether it left is nobody's verdict */
    }
    SSL_free(t->ssl);
    tls_ctx_unref(t->ctx);
    ERR_clear_error();
    free(t);
}
