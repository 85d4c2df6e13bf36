/*
 * test_conf_tls.c - what holdfast-conf makes of the files of TLS and of regular expressions: contents in
 * checkd's slice, once for all who use the same, under a name that changes with them; every mistake at its
 * line; keys everybody can read are the exit status of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "checkd/tls.h"
#include "parent/conf/conf_int.h"
#include "test/unit/conf_tree_util.h"

static char dir[64], conf[16384];

static const char *path(const char *name)
{
    static char buf[4][128];
    static unsigned int turn;
    char *at = buf[turn++ % 4];

    snprintf(at, sizeof buf[0], "%s/%s", dir, name);
    return at;
}

static void put_file(const char *name, const void *p, size_t len, mode_t mode)
{
    FILE *f = fopen(path(name), "w");

    assert_non_null(f);
    fwrite(p, 1, len, f);
    fclose(f);
    chmod(path(name), mode);
}

/* A certificate of its own making, and its key. */
static void pair(const char *cert, const char *key, const char *cn)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    FILE *f;

    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1,
                               -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, k);
    X509_sign(x, k, EVP_sha256());
    f = fopen(path(cert), "w");
    PEM_write_X509(f, x);
    fclose(f);
    f = fopen(path(key), "w");
    PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    chmod(path(key), 0600);
    X509_free(x);
    EVP_PKEY_free(k);
}

static int setup(void **state)
{
    static char big[3 * 32768];

    (void)state;
    strcpy(dir, "/tmp/hf-conf-tls-XXXXXX");
    assert_non_null(mkdtemp(dir));
    pair("a.pem", "a.key", "a");
    pair("b.pem", "b.key", "b");
    memset(big, '#', sizeof big);
    for (size_t i = 63; i < sizeof big; i += 64)
        big[i] = '\n';
    put_file("junk.pem", "hello\n", 6, 0644);
    put_file("big.pem", big, sizeof big, 0644);
    FILE *from = fopen(path("a.pem"), "r"), *to = fopen(path("big.pem"), "a");
    for (int ch; (ch = fgetc(from)) != EOF;)
        fputc(ch, to);
    fclose(from);
    fclose(to);
    assert_int_equal(mkdir(path("folder"), 0755), 0);
    assert_int_equal(symlink(path("a.pem"), path("folder/a.pem")), 0);
    assert_int_equal(symlink(path("b.pem"), path("folder/0123abcd.0")), 0); /* b only by its hash: not read */
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = { "a.pem",    "a.key",   "b.pem",        "b.key",
                                         "junk.pem", "big.pem", "folder/a.pem", "folder/0123abcd.0" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path(names[i]));
    rmdir(path("folder"));
    return rmdir(dir);
}

/* top, then a service whose servers have one SSL_GET each, with these lines ("@" is the folder of the test).
 */
static void load(struct tree *s, const char *top, const char *const *checks)
{
    char text[8192];
    size_t at = 0;

    snprintf(text, sizeof text,
             "%s\nvirtual_server 10.0.0.1 443 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n", top);
    for (int i = 0; checks[i] != NULL; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 " real_server 10.0.1.%d 443 {\n  SSL_GET {\n%s\n   url {\n path /\n }\n  }\n }\n", i + 1,
                 checks[i]);
    snprintf(text + strlen(text), sizeof text - strlen(text), "}\n");
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '@')
            at += (size_t)snprintf(conf + at, sizeof conf - at, "%s", dir);
        else
            conf[at++] = *p;
    }
    conf[at] = '\0';
    tree_load(s, conf);
    conf_read_files(s->c);
    conf_validate_tls(s->c);
}

static const char *tls_name(const struct slice *k, size_t n)
{
    const struct slice_obj *o = NULL;

    do
        o = slice_next(k, o, BLK_SSLGET, SLICE_ANY_PARENT);
    while (n-- > 0 && o != NULL);
    assert_non_null(o);
    return slice_str(o, KW_SSLGET_X_TLS, "?");
}

static void shared_by_content(void **state)
{
    static const char *const checks[] = { "verify\n ca @/a.pem",
                                          "verify\n ca @/a.pem",
                                          "verify\n ca @/b.pem",
                                          "verify\n ca @/folder",
                                          "",
                                          "verify\n ca @/big.pem",
                                          NULL };
    const struct slice_obj *o = NULL;
    struct tls_store *st = tls_store_new();
    struct err e = { 0 };
    struct tree s;
    size_t n = 0, len;

    (void)state;
    load(&s, "", checks);
    if (tree_errors(&s) > 0)
        tree_show(&s);
    assert_int_equal(tree_errors(&s), 0);
    struct slice *k = tree_slice(&s, ROLE_CHECKD);
    while ((o = slice_next(k, o, BLK_TLS, SLICE_ANY_PARENT)) != NULL)
        n++;
    assert_int_equal(n, 3); /* a, b, big: the folder holds what a is, and each file ends with a line end */
    assert_string_equal(tls_name(k, 0), tls_name(k, 1));
    assert_string_equal(tls_name(k, 0), tls_name(k, 3));
    assert_string_not_equal(tls_name(k, 0), tls_name(k, 2));
    assert_string_equal(tls_name(k, 4), "");
    o = slice_find(k, BLK_TLS, tls_name(k, 5));
    for (n = 0; slice_raw(o, KW_TLS_X_CA, n, &len) != NULL; n++)
        assert_true(len <= 32768);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < 6; i++) {
        struct tls_ctx *c = tls_store_get(st, k, tls_name(k, i), &e);

        assert_non_null(c);
        tls_ctx_unref(c);
    }
    slice_free(k);
    k = tree_slice(&s, ROLE_IPVSD);
    assert_null(slice_next(k, NULL, BLK_TLS, SLICE_ANY_PARENT));
    slice_free(k);
    tls_store_free(st);
    tree_unload(&s);
}

static void the_own_certificate(void **state)
{
    static const char *const two[] = { "", "verify\n ca @/b.pem", NULL };
    struct tree s;

    (void)state;
    load(&s, "SSL {\n certificate @/a.pem\n key @/a.key\n ca @/a.pem\n}", two);
    assert_int_equal(tree_errors(&s), 0);
    struct slice *k = tree_slice(&s, ROLE_CHECKD);
    const struct slice_obj *plain = slice_find(k, BLK_TLS, tls_name(k, 0)), *trusting;
    assert_non_null(plain);
    assert_true(slice_has(plain, KW_TLS_X_CERT));
    assert_true(slice_has(plain, KW_TLS_X_KEY));
    assert_false(slice_has(plain, KW_TLS_X_CA)); /* nothing is verified */
    trusting = slice_find(k, BLK_TLS, tls_name(k, 1));
    assert_true(slice_has(trusting, KW_TLS_X_CA));
    slice_free(k);
    tree_unload(&s);
}

static void mistakes(void **state)
{
    static const char *const none[] = { "", NULL };
    static const char *const missing[] = { "verify\n ca @/nothing.pem", NULL };
    static const char *const junk[] = { "verify\n ca @/junk.pem", NULL };
    static const char *const relative[] = { "verify\n ca a.pem", NULL };
    static const char *const idle[] = { "ca @/a.pem", NULL };
    struct tree s;

    (void)state;
    load(&s, "", missing);
    assert_true(tree_said(&s, DIAG_ERROR, "HF-TLS-FILE", 9, "No such file"));
    tree_unload(&s);
    load(&s, "", junk);
    assert_true(tree_said(&s, DIAG_ERROR, "HF-TLS", 0, "no certificate in it"));
    tree_unload(&s);
    load(&s, "", relative);
    assert_true(tree_said(&s, DIAG_ERROR, "HF-TLS-FILE", 9, "whole path"));
    tree_unload(&s);
    load(&s, "", idle);
    assert_int_equal(tree_errors(&s), 0);
    assert_true(tree_said(&s, DIAG_WARNING, "HF-NO-EFFECT", 8, "without verify"));
    assert_true(tree_said(&s, DIAG_NOTE, "HF-NO-VERIFY", 0, "1 SSL_GET"));
    tree_unload(&s);
    load(&s, "SSL {\n certificate @/a.pem\n key @/b.key\n}", none);
    assert_true(tree_said(&s, DIAG_ERROR, "HF-TLS", 3, "does not belong"));
    tree_unload(&s);
    load(&s, "SSL {\n certificate @/a.pem\n}", none);
    assert_true(tree_said(&s, DIAG_ERROR, "HF-TLS", 2, "no key is given"));
    tree_unload(&s);
    load(&s, "SSL {\n key @/a.key\n}", none);
    assert_true(tree_said(&s, DIAG_WARNING, "HF-NO-EFFECT", 2, "without certificate"));
    tree_unload(&s);
}

static void a_key_everybody_reads(void **state)
{
    static const char *const none[] = { "", NULL };
    struct tree s;

    (void)state;
    chmod(path("a.key"), 0644);
    load(&s, "SSL {\n certificate @/a.pem\n key @/a.key\n}", none);
    chmod(path("a.key"), 0600);
    assert_true(tree_said(&s, DIAG_ERROR, "HF-SECRET-READABLE", 3, "read by everybody"));
    assert_int_equal(diag_exit_status(s.d, false), 6);
    tree_unload(&s);
}

static void patterns(void **state)
{
    static const struct {
        const char *lines, *code, *part;
        enum diag_severity severity;
    } rows[] = {
        { "regex \"ab(c\"", "HF-REGEX", "missing closing parenthesis", DIAG_ERROR },
        { "regex \"(*UTF)a\"\n regex_options never_utf", "HF-REGEX", "UTF", DIAG_ERROR },
        { "regex \"a\"\n regex_min_offset 5\n regex_max_offset 4", "HF-RANGE", "nothing can match",
          DIAG_ERROR },
        { "regex_no_match", "HF-NO-EFFECT", "without regex", DIAG_WARNING },
        { "regex_min_offset 5", "HF-NO-EFFECT", "without regex", DIAG_WARNING },
        { "regex \"a\"\n regex_stack 1000 2000", "HF-NO-EFFECT", "regex_stack", DIAG_NOTE },
    };
    struct tree s;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(conf, sizeof conf,
                 "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server "
                 "10.0.1.1 80 {\n"
                 "  HTTP_GET {\n   url {\n path /\n %s\n }\n  }\n }\n}\n",
                 rows[i].lines);
        tree_load(&s, conf);
        if (!tree_said(&s, rows[i].severity, rows[i].code, 0, rows[i].part)) {
            tree_show(&s);
            fail_msg("%s", rows[i].lines);
        }
        assert_int_equal(tree_errors(&s), rows[i].severity == DIAG_ERROR ? 1 : 0);
        tree_unload(&s);
    }
}

/* Without the libraries there is no verdict on what they prove, and only on that. */
static void nothing_unproven(void **state)
{
    static const char *const plain[] = { "", NULL }, *const ca[] = { "verify\n ca @/a.pem", NULL },
                             *const pattern[] = { "url {\n path /\n regex \"a+\"\n }", NULL };
    const struct {
        const char *const *checks;
        bool unproven;
    } rows[] = { { plain, false }, { ca, true }, { pattern, true } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tree s;
        load(&s, "", rows[i].checks);
        assert_false(conf_unproven(s.c));
        conf_validate(s.c, NULL);
        assert_true(conf_unproven(s.c) == rows[i].unproven);
        tree_unload(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_by_content), cmocka_unit_test(the_own_certificate),
        cmocka_unit_test(mistakes),          cmocka_unit_test(a_key_everybody_reads),
        cmocka_unit_test(patterns),          cmocka_unit_test(nothing_unproven),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
