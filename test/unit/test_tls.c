/*
 * test_tls.c - the TLS client layer against a server made of OpenSSL in the same process, over a socket pair:
 * handshake, names, trust, versions, client certificates, endings; material that is none; the shared store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "checkd/tls.h"

struct pem {
    char text[8192];
    size_t len;
};

struct party {
    EVP_PKEY *key;
    X509 *cert;
    struct pem cert_pem, key_pem, locked_pem; /* locked: password "sesame" */
};

static struct party ca, server, client; /* of the tests, made once */

static void to_pem(BIO *b, struct pem *out)
{
    out->len = (size_t)BIO_read(b, out->text, sizeof out->text);
    BIO_free(b);
}

static void add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX c;
    X509_EXTENSION *e;

    X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
    assert_non_null(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static void party_make(struct party *p, const char *cn, const char *san, const struct party *by, long days)
{
    X509_NAME *n;
    BIO *b;

    p->key = EVP_EC_gen("P-256");
    p->cert = X509_new();
    X509_set_version(p->cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p->cert), 4711 + (long)strlen(cn));
    X509_gmtime_adj(X509_getm_notBefore(p->cert), -864000);
    X509_gmtime_adj(X509_getm_notAfter(p->cert), days * 86400);
    n = X509_get_subject_name(p->cert);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(p->cert, X509_get_subject_name(by != NULL ? by->cert : p->cert));
    X509_set_pubkey(p->cert, p->key);
    if (by == NULL)
        add_ext(p->cert, p->cert, NID_basic_constraints, "critical,CA:TRUE");
    if (san != NULL)
        add_ext(p->cert, p->cert, NID_subject_alt_name, san);
    assert_true(X509_sign(p->cert, by != NULL ? by->key : p->key, EVP_sha256()) > 0);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, p->cert);
    to_pem(b, &p->cert_pem);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(b, p->key, NULL, NULL, 0, NULL, NULL);
    to_pem(b, &p->key_pem);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(b, p->key, EVP_aes_128_cbc(), (const unsigned char *)"sesame", 6, NULL, NULL);
    to_pem(b, &p->locked_pem);
}

static void party_free(struct party *p)
{
    EVP_PKEY_free(p->key);
    X509_free(p->cert);
}

static int setup(void **state)
{
    struct err e = { 0 };

    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as in every child */
    assert_int_equal(tls_init(&e), 0);
    party_make(&ca, "test CA", NULL, NULL, 100);
    party_make(&server, "server", "DNS:www.example.test,DNS:*.wild.test,IP:10.0.0.1,IP:2001:db8::1", &ca, 5);
    party_make(&client, "client", NULL, &ca, 5);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    party_free(&ca);
    party_free(&server);
    party_free(&client);
    return 0;
}

/* ---- a conversation ---------------------------------------------------------------------------------------
 */

struct talk {
    int fd[2];
    SSL_CTX *sctx;
    SSL *peer;
    struct tls *t;
    char why[200];
};

static void talk_open(struct talk *k, struct tls_ctx *ctx, const struct tls_opts *o)
{
    memset(k, 0, sizeof *k);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, k->fd), 0);
    k->sctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(k->sctx, server.cert);
    SSL_CTX_use_PrivateKey(k->sctx, server.key);
    k->peer = SSL_new(k->sctx);
    SSL_set_fd(k->peer, k->fd[1]);
    SSL_set_accept_state(k->peer);
    k->t = tls_open(ctx, k->fd[0], o, k->why, sizeof k->why);
}

static void talk_close(struct talk *k)
{
    tls_close(k->t, false);
    SSL_free(k->peer);
    SSL_CTX_free(k->sctx);
    close(k->fd[0]);
    if (k->fd[1] >= 0)
        close(k->fd[1]);
}

static enum tls_step shake(struct talk *k)
{
    enum tls_step s = TLS_WANT_READ;

    for (int i = 0; i < 20 && (s == TLS_WANT_READ || s == TLS_WANT_WRITE); i++) {
        s = tls_handshake(k->t);
        ERR_clear_error();
        SSL_do_handshake(k->peer);
    }
    return s;
}

static struct tls_ctx *ctx_trusting(const struct party *who)
{
    struct tls_material m = { .ca = who->cert_pem.text, .ca_len = who->cert_pem.len };
    struct err e = { 0 };
    struct tls_ctx *c = tls_ctx_new(&m, &e);

    assert_non_null(c);
    return c;
}

static struct tls_ctx *ctx_bare(void)
{
    struct tls_material m = { .ca_len = 0 };
    struct tls_ctx *c = tls_ctx_new(&m, NULL);

    assert_non_null(c);
    return c;
}

/* "" in want: the handshake succeeds; else a piece of the reason. */
static void handshake(struct tls_ctx *ctx, const struct tls_opts *o, const char *want, const char *sni)
{
    struct talk k;
    enum tls_step s;

    talk_open(&k, ctx, o);
    assert_non_null(k.t);
    s = shake(&k);
    if (want[0] == '\0') {
        if (s != TLS_OK)
            fail_msg("handshake: %s", tls_why(k.t));
    } else {
        assert_int_equal(s, TLS_FAILED);
        if (strstr(tls_why(k.t), want) == NULL)
            fail_msg("wanted %s: %s", want, tls_why(k.t));
    }
    if (sni != NULL)
        assert_string_equal(SSL_get_servername(k.peer, TLSEXT_NAMETYPE_host_name), sni);
    else
        assert_null(SSL_get_servername(k.peer, TLSEXT_NAMETYPE_host_name));
    talk_close(&k);
}

static void names_and_trust(void **state)
{
    struct tls_ctx *bare = ctx_bare(), *trust = ctx_trusting(&ca), *other = ctx_trusting(&client);
    struct ipaddr v4, v6, wrong;

    (void)state;
    ipaddr_parse("10.0.0.1", &v4);
    ipaddr_parse("2001:db8::1", &v6);
    ipaddr_parse("10.0.0.2", &wrong);
    handshake(bare, &(struct tls_opts){ .sni = NULL }, "", NULL);
    handshake(bare, &(struct tls_opts){ .sni = "a.example.test" }, "", "a.example.test");
    handshake(bare, &(struct tls_opts){ .sni = "10.0.0.1" }, "", NULL);
    handshake(bare, &(struct tls_opts){ .sni = "[2001:db8::1]" }, "", NULL);
    handshake(trust, &(struct tls_opts){ .verify = true, .verify_name = "www.example.test" }, "", NULL);
    handshake(trust, &(struct tls_opts){ .verify = true, .verify_name = "a.wild.test" }, "", NULL);
    handshake(trust, &(struct tls_opts){ .verify = true, .verify_ip = &v4 }, "", NULL);
    handshake(trust, &(struct tls_opts){ .verify = true, .verify_ip = &v6 }, "", NULL);
    handshake(trust, &(struct tls_opts){ .verify = true, .verify_name = "10.0.0.1", .verify_ip = &wrong }, "",
              NULL);
    handshake(trust, &(struct tls_opts){ .verify = true, .verify_name = "example.test" }, "ostname mismatch",
              NULL);
    handshake(trust, &(struct tls_opts){ .verify = true, .verify_ip = &wrong }, "address mismatch", NULL);
    handshake(bare, &(struct tls_opts){ .verify = true, .verify_name = "www.example.test" }, "refused", NULL);
    handshake(other, &(struct tls_opts){ .verify = true, .verify_name = "www.example.test" }, "refused",
              NULL);
    tls_ctx_unref(bare);
    tls_ctx_unref(trust);
    tls_ctx_unref(other);
}

/* Verifying without a name or an address to verify is no verifying: it must not even begin. */
static void verify_needs_somebody(void **state)
{
    struct tls_ctx *trust = ctx_trusting(&ca);
    struct talk k;

    (void)state;
    talk_open(&k, trust, &(struct tls_opts){ .verify = true });
    assert_null(k.t);
    assert_true(strlen(k.why) > 0);
    talk_close(&k);
    tls_ctx_unref(trust);
}

static void versions(void **state)
{
    struct tls_ctx *bare = ctx_bare();
    struct talk k;

    (void)state;
    talk_open(&k, bare, &(struct tls_opts){ .min_version = 13 });
    SSL_set_max_proto_version(k.peer, TLS1_2_VERSION);
    assert_int_equal(shake(&k), TLS_FAILED);
    talk_close(&k);
    talk_open(&k, bare, &(struct tls_opts){ .min_version = 12 });
    SSL_set_max_proto_version(k.peer, TLS1_2_VERSION);
    assert_int_equal(shake(&k), TLS_OK);
    assert_string_equal(tls_version(k.t), "TLSv1.2");
    talk_close(&k);
    talk_open(&k, bare, &(struct tls_opts){ .min_version = 10 });
    SSL_set_security_level(k.peer, 0);
    SSL_set_min_proto_version(k.peer, TLS1_VERSION);
    SSL_set_max_proto_version(k.peer, TLS1_VERSION);
    assert_int_equal(shake(&k), TLS_OK);
    assert_string_equal(tls_version(k.t), "TLSv1");
    talk_close(&k);
    tls_ctx_unref(bare);
}

static void client_certificate(void **state)
{
    struct tls_material m = { .cert = client.cert_pem.text, .cert_len = client.cert_pem.len };
    struct tls_ctx *own, *bare = ctx_bare();
    struct err e = { 0 };

    (void)state;
    m.key = client.locked_pem.text;
    m.key_len = client.locked_pem.len;
    assert_null(tls_ctx_new(&m, &e)); /* no password, nobody is asked for it */
    assert_string_equal(e.object, "key");
    m.password = "wrong";
    assert_null(tls_ctx_new(&m, &e));
    m.password = "sesame";
    own = tls_ctx_new(&m, &e);
    assert_non_null(own);
    for (int with = 0; with < 2; with++) {
        struct talk k;
        size_t n;
        char byte;

        talk_open(&k, with ? own : bare, &(struct tls_opts){ .sni = NULL });
        SSL_set_verify(k.peer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(k.sctx), ca.cert);
        shake(&k); /* TLS 1.3: the refusal comes behind the handshake */
        assert_int_equal(SSL_is_init_finished(k.peer), with);
        assert_int_equal(tls_read(k.t, &byte, 1, &n), with ? TLS_WANT_READ : TLS_FAILED);
        talk_close(&k);
    }
    tls_ctx_unref(own);
    tls_ctx_unref(bare);
}

static void bad_material(void **state)
{
    static const char junk[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    struct err e = { 0 };
    struct tls_material m = { .ca = junk, .ca_len = sizeof junk - 1 };

    (void)state;
    assert_null(tls_ctx_new(&m, &e));
    assert_string_equal(e.object, "ca");
    m = (struct tls_material){ .cert = junk, .cert_len = sizeof junk - 1 };
    assert_null(tls_ctx_new(&m, &e));
    assert_string_equal(e.object, "certificate");
    m = (struct tls_material){ .cert = client.cert_pem.text, .cert_len = client.cert_pem.len };
    assert_null(tls_ctx_new(&m, &e)); /* no key anywhere */
    m.key = server.key_pem.text;
    m.key_len = server.key_pem.len;
    assert_null(tls_ctx_new(&m, &e)); /* somebody else's */
    assert_non_null(strstr(e.text, "does not belong"));
}

/* Bytes both ways, the end with and without its word, and the figure. */
static void data_and_ends(void **state)
{
    struct tls_ctx *bare = ctx_bare();
    struct talk k;
    char buf[64];
    int64_t expires;
    size_t n;

    (void)state;
    for (int polite = 0; polite < 2; polite++) {
        talk_open(&k, bare, &(struct tls_opts){ .sni = NULL });
        assert_int_equal(shake(&k), TLS_OK);
        assert_true(tls_peer_expiry(k.t, &expires));
        assert_in_range(expires - (int64_t)time(NULL), 4 * 86400, 5 * 86400 + 60);
        assert_int_equal(tls_read(k.t, buf, sizeof buf, &n), TLS_WANT_READ);
        assert_int_equal(tls_write(k.t, "ping", 4, &n), TLS_OK);
        assert_int_equal(SSL_read(k.peer, buf, sizeof buf), 4);
        assert_int_equal(SSL_write(k.peer, "pong!", 5), 5);
        assert_int_equal(tls_read(k.t, buf, 2, &n), TLS_OK);
        assert_true(tls_pending(k.t));
        assert_int_equal(tls_read(k.t, buf, sizeof buf, &n), TLS_OK);
        assert_int_equal(n, 3);
        if (polite)
            SSL_shutdown(k.peer);
        else
            SSL_set_quiet_shutdown(k.peer, 1);
        close(k.fd[1]);
        k.fd[1] = -1;
        assert_int_equal(tls_read(k.t, buf, sizeof buf, &n), TLS_CLOSED);
        assert_int_equal(tls_cut(k.t), !polite);
        talk_close(&k);
    }
    tls_ctx_unref(bare);
}

/* Messages that carry no data may come for ever: one call takes a few of them, not all there are. */
static void a_flood_of_tickets(void **state)
{
    struct tls_ctx *bare = ctx_bare();
    struct talk k;
    int left = 0, calls = 0;
    char byte;
    size_t n;

    (void)state;
    talk_open(&k, bare, &(struct tls_opts){ .sni = NULL });
    SSL_set_num_tickets(k.peer, 100);
    assert_int_equal(shake(&k), TLS_OK);
    assert_int_equal(tls_read(k.t, &byte, 1, &n), TLS_WANT_READ);
    ioctl(k.fd[0], FIONREAD, &left);
    assert_true(left > 10000);
    assert_int_equal(SSL_write(k.peer, "x", 1), 1);
    while (tls_read(k.t, &byte, 1, &n) == TLS_WANT_READ)
        assert_true(++calls < 101);
    assert_int_equal(byte, 'x');
    assert_true(calls > 5);
    talk_close(&k);
    tls_ctx_unref(bare);
}

static void close_notify_on_demand(void **state)
{
    struct tls_ctx *bare = ctx_bare();

    (void)state;
    for (int notify = 0; notify < 2; notify++) {
        struct talk k;
        char byte;
        int rc;

        talk_open(&k, bare, &(struct tls_opts){ .sni = NULL });
        assert_int_equal(shake(&k), TLS_OK);
        tls_close(k.t, notify);
        k.t = NULL;
        shutdown(k.fd[0], SHUT_WR);
        ERR_clear_error();
        rc = SSL_read(k.peer, &byte, 1);
        assert_int_equal(SSL_get_error(k.peer, rc), notify ? SSL_ERROR_ZERO_RETURN : SSL_ERROR_SSL);
        talk_close(&k);
    }
    tls_ctx_unref(bare);
}

static void no_tls_there(void **state)
{
    static const char answer[] = "HTTP/1.0 400 Bad Request\r\n\r\n";
    struct tls_ctx *bare = ctx_bare();
    struct talk k;

    (void)state;
    talk_open(&k, bare, &(struct tls_opts){ .sni = NULL });
    assert_int_equal(tls_handshake(k.t), TLS_WANT_READ);
    assert_int_equal(write(k.fd[1], answer, sizeof answer - 1), sizeof answer - 1);
    assert_int_equal(tls_handshake(k.t), TLS_FAILED);
    assert_non_null(strstr(tls_why(k.t), "no TLS behind this port"));
    talk_close(&k);
    tls_ctx_unref(bare);
}

/* One context for all who name the same material; gone when nobody holds it any more. */
static void the_store(void **state)
{
    struct slice_writer *w = slice_writer_new(ROLE_CHECKD, 1);
    struct tls_store *st = tls_store_new();
    struct tls_ctx *a, *b, *c;
    struct err e = { 0 };
    struct slice *s;
    size_t len;
    const void *p;

    (void)state;
    slice_put_obj(w, BLK_TLS, 0, "0123", 1);
    slice_put_raw(w, KW_TLS_X_CA, ca.cert_pem.text, 100); /* in pieces */
    slice_put_raw(w, KW_TLS_X_CA, ca.cert_pem.text + 100, ca.cert_pem.len - 100);
    p = slice_writer_bytes(w, &len);
    s = slice_parse(p, len, ROLE_CHECKD, &e);
    assert_non_null(s);
    a = tls_store_get(st, s, "0123", &e);
    b = tls_store_get(st, s, "0123", &e);
    c = tls_store_get(st, s, "", &e);
    assert_non_null(a);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_null(tls_store_get(st, s, "4567", &e));
    handshake(a, &(struct tls_opts){ .verify = true, .verify_name = "www.example.test" }, "", NULL);
    tls_store_free(st);
    handshake(b, &(struct tls_opts){ .verify = true, .verify_name = "www.example.test" }, "", NULL);
    tls_ctx_unref(a);
    tls_ctx_unref(b);
    tls_ctx_unref(c);
    slice_free(s);
    slice_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_trust),    cmocka_unit_test(verify_needs_somebody),
        cmocka_unit_test(versions),           cmocka_unit_test(client_certificate),
        cmocka_unit_test(bad_material),       cmocka_unit_test(data_and_ends),
        cmocka_unit_test(a_flood_of_tickets), cmocka_unit_test(close_notify_on_demand),
        cmocka_unit_test(no_tls_there),       cmocka_unit_test(the_store),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
